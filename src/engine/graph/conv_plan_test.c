/* conv_plan_test.c - which algorithm is chosen, and that every way of cutting Winograd's work gives
 * what direct convolution gives, and the same bytes on any number of threads. */
#include "engine/graph/conv_plan.c"

#include "base/hash.h"
#include "base/mem.h"
#include "base/test.h"
#include <math.h>
#include <string.h>

enum { SIDE = 32, BATCH = 16, CLASSES = 3, WIDE = 192 };

static int conv(struct graph *g, int in, int oc, int k, int stride, const char *name)
{
    return graph_conv(g, &(struct conv_spec){.in = in,
                                             .residual = GRAPH_NONE,
                                             .oc = oc,
                                             .k = k,
                                             .stride = stride,
                                             .pad = k / 2,
                                             .act = ACT_SILU,
                                             .conv_name = name,
                                             .norm_name = name});
}

/* Both strides with few channels (sums by pieces) and with many (one sum, chunk by chunk). */
static struct graph *graph_of(struct graph_config c)
{
    struct graph *g = NULL;
    struct err e;

    CHECK_OK(graph_new(&g, &c, &e), &e);
    int x = conv(g, graph_image(g), 32, 3, 1, "stem");
    x = conv(g, x, 64, 3, 2, "piece2");
    x = conv(g, x, 64, 3, 1, "piece1");
    x = conv(g, x, WIDE, 3, 2, "chunk2");
    x = conv(g, x, WIDE, 3, 1, "chunk1");
    x = graph_conv(g, &(struct conv_spec){.in = x,
                                          .residual = GRAPH_NONE,
                                          .oc = WIDE,
                                          .k = 3,
                                          .stride = 1,
                                          .pad = 1,
                                          .depthwise = true,
                                          .act = ACT_SILU,
                                          .conv_name = "depthwise",
                                          .norm_name = "depthwise"});
    x = conv(g, x, 64, 1, 1, "point");
    graph_linear(g, graph_average(g, x), CLASSES, "fc");
    CHECK_OK(graph_build(g, &e), &e);
    for (size_t i = 0; i < g->param_count; i++) {
        const struct graph_param *p = &g->params[i];
        float *v = mem_alloc_array(p->count, sizeof *v);
        const double fan = (double)(p->shape[1] * p->shape[2] * p->shape[3]);
        for (size_t k = 0; k < p->count; k++) {
            const double u = rand_unit(rand_at(3, i, k, 0));
            v[k] = (float)((u - 0.5) * 3.4 / sqrt(fan) + (p->dims == 1));
            /* A channel scaled by next to nothing is hardly there: the batch norm behind the
             * depthwise convolution makes it, with its rounding errors, a few hundred times as
             * large.  (Scale -0.006: gradients 8e-3 apart.) */
            if (p->role == ROLE_SCALE || p->role == ROLE_VARIANCE)
                v[k] = (float)(u + 0.5);
        }
        graph_param_write(g, p, NULL, 0, p->count, v);
        mem_free(v);
    }
    return g;
}

static void step(struct graph *g, int count)
{
    static float x[BATCH * 3 * SIDE * SIDE];
    struct err e;

    for (size_t i = 0; i < sizeof x / sizeof x[0]; i++)
        x[i] = (float)(2 * rand_unit(rand_at(4, i, 0, 0)) - 1);
    CHECK_OK(graph_forward(g, x, count, true, &e), &e);
    for (int i = 0; i < count * graph_logits_row(g); i++)
        graph_logits_grad(g)[i] = i % graph_logits_row(g) < CLASSES ? (float)(i % 7) - 3 : 0;
    CHECK_OK(graph_backward(g, count, &e), &e);
}

static double apart(const float *a, const float *b, size_t n)
{
    double d = 0, s = 0;

    for (size_t i = 0; i < n; i++) {
        d += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
        s += (double)b[i] * (double)b[i];
    }
    return sqrt(d / s);
}

static struct graph_config config(int threads)
{
    return (struct graph_config){
        .batch_max = BATCH, .image_size = SIDE, .train = true, .threads = threads};
}

static const struct conv_node *conv_named(const struct graph *g, const char *name)
{
    for (int i = 0; i < g->node_count; i++)
        if (g->nodes[i].kind == NODE_CONV &&
            strcmp(g->params[g->nodes[i].conv.weight].name, name) == 0)
            return &g->nodes[i].conv;
    test_fail(__FILE__, __LINE__, "no convolution %s", name);
    return NULL;
}

TEST(winograd_in_pieces_and_chunks_agrees_with_direct)
{
    struct graph_config plain = config(1);
    plain.no_winograd = true;
    struct graph *w = graph_of(config(1)), *d = graph_of(plain);

    CHECK(conv_named(w, "stem.weight")->forward == ALGO_DIRECT);
    CHECK(conv_named(w, "piece2.weight")->tiles_piece > 0);
    CHECK(conv_named(w, "piece1.weight")->tiles_piece > 0);
    CHECK(conv_named(w, "chunk2.weight")->tiles_piece == 0);
    CHECK(conv_named(w, "chunk2.weight")->tiles_chunk < BATCH * 4); /* more than one */
    CHECK(conv_named(w, "chunk1.weight")->backward_data == ALGO_WINOGRAD);
    for (int count = BATCH; count > 0; count -= 7) {
        step(w, count);
        step(d, count);
        for (size_t i = 0; i < w->param_count; i++) {
            const struct graph_param *p = &w->params[i];
            if (!param_trained(p))
                continue;
            const double distance = apart(w->grads + p->at, d->grads + p->at, p->room);
            if (!(distance < 2e-5)) /* it is up to 1e-5; a wrong cut gives 1e-1 and more */
                test_fail(__FILE__, __LINE__, "%s, %d images: %g apart", p->name, count, distance);
        }
    }
    graph_free(w);
    graph_free(d);
}

TEST(pieces_and_chunks_do_not_depend_on_threads)
{
    struct graph *one = graph_of(config(1)), *three = graph_of(config(3));

    step(one, BATCH - 1);
    step(three, BATCH - 1);
    CHECK(memcmp(one->grads, three->grads, one->value_floats * sizeof(float)) == 0);
    CHECK(memcmp(one->stats, three->stats, one->stat_floats * sizeof(float)) == 0);
    graph_free(one);
    graph_free(three);
}

static void infer(struct graph *g, int count, float *ret_logits)
{
    static float x[BATCH * 3 * SIDE * SIDE];
    struct err e;

    for (size_t i = 0; i < sizeof x / sizeof x[0]; i++)
        x[i] = (float)(2 * rand_unit(rand_at(4, i, 0, 0)) - 1);
    CHECK_OK(graph_forward(g, x, count, false, &e), &e);
    for (int i = 0; i < count * CLASSES; i++) /* behind them a row is padded with anything */
        ret_logits[i] = graph_logits(g)[i / CLASSES * graph_logits_row(g) + i % CLASSES];
}

/* One image and a few are cut into pieces, each by another algorithm. */
TEST(inference_of_few_images_agrees_with_training_s_forward_on_any_number_of_threads)
{
    static float want[BATCH * CLASSES], got[BATCH * CLASSES], again[BATCH * CLASSES];

    for (int batch = 1; batch <= 9; batch += 4) {
        struct graph_config plain = config(1), one = config(1), three = config(3);
        plain.no_winograd = true;
        plain.batch_max = one.batch_max = three.batch_max = batch;
        one.train = three.train = false;
        struct graph *p = graph_of(plain), *o = graph_of(one), *t = graph_of(three);
        if (batch == 1) {
            CHECK(conv_named(t, "stem.weight")->strips > 1);
            CHECK(conv_named(o, "stem.weight")->strips == 1); /* nobody to share with */
            CHECK(conv_named(o, "chunk2.weight")->forward == ALGO_DIRECT);
            CHECK(conv_named(o, "chunk1.weight")->forward == ALGO_WINOGRAD_COLS);
            CHECK(conv_named(t, "point.weight")->strips == 4);
        } else {
            CHECK(conv_named(o, "chunk2.weight")->forward == ALGO_WINOGRAD);
        }
        infer(p, batch, want);
        infer(o, batch, got);
        infer(t, batch, again);
        const size_t n = (size_t)(batch * CLASSES);
        CHECK(memcmp(got, again, n * sizeof(float)) == 0);
        if (!(apart(got, want, n) < 1e-5))
            test_fail(__FILE__, __LINE__, "batch %d: %g apart", batch, apart(got, want, n));
        graph_free(p);
        graph_free(o);
        graph_free(t);
    }
}

/* Every kind of convolution, those of oneDNN too, and every number of threads. */
TEST(bfloat16_keeps_the_gradients_near_and_the_bytes_the_same)
{
    for (int onednn = 0; onednn < 2; onednn++) {
        struct graph_config plain = config(1), half = config(1), threads = config(3);
        if (onednn && onednn_check(NULL) != RC_OK)
            return;
        plain.onednn = half.onednn = threads.onednn = onednn;
        half.precision = threads.precision = GRAPH_BF16;
        struct graph *f = graph_of(plain), *h = graph_of(half), *t = graph_of(threads);
        step(f, BATCH - 1);
        step(h, BATCH - 1);
        step(t, BATCH - 1);
        CHECK(memcmp(h->grads, t->grads, h->value_floats * sizeof(float)) == 0);
        CHECK(h->plan.bytes < f->plan.bytes);
        for (size_t i = 0; i < f->param_count; i++) {
            const struct graph_param *p = &f->params[i];
            if (!param_trained(p))
                continue;
            const double distance = apart(h->grads + p->at, f->grads + p->at, p->room);
            if (!(distance < 0.1) || (p->form == FORM_CONV && distance == 0))
                test_fail(__FILE__, __LINE__, "%s: %g apart", p->name, distance);
        }
        graph_free(f);
        graph_free(h);
        graph_free(t);
    }
}
