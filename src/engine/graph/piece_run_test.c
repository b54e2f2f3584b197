/* piece_run_test.c - inverted residuals run by pieces against double precision, for channels that
 * fill no block, odd sizes, one image and batches that end within a piece; and the same bytes on
 * any number of threads. */
#include "engine/graph/piece_run.c"

#include "base/test.h"
#include "engine/graph/exact.h"

enum { CLASSES = 3 };

struct shape_case {
    int size, batch_max, count;
    int thin, wide, stride;
    enum act act;
    int piece;   /* images that a piece of the expansion shall have; 0: as it comes */
    bool spread; /* the expansion is 3x3, which does not stream */
};
static const struct shape_case cases[] = {
    {9, 1, 1, 8, 24, 1, ACT_SILU},           {7, 3, 3, 24, 40, 2, ACT_SILU},
    {3, 9, 5, 16, 33, 2, ACT_SILU},          {2, 4, 4, 16, 32, 2, ACT_SILU},
    {10, 4, 3, 20, 48, 2, ACT_HARD_SWISH},   {13, 2, 2, 16, 96, 1, ACT_RELU6},
    {24, 16, 15, 32, 400, 2, ACT_RELU6, 1},  {24, 16, 13, 16, 200, 1, ACT_SILU, 2},
    {8, 8, 7, 24, 48, 2, ACT_SILU, 0, true}, {5, 3, 2, 24, 48, 1, ACT_RELU6, 0, true},
};

static int conv(struct graph *g, int in, int residual, int oc, int k, int stride, enum act act,
                const char *name)
{
    return graph_conv(g, &(struct conv_spec){.in = in,
                                             .residual = residual,
                                             .oc = oc,
                                             .k = k,
                                             .stride = stride,
                                             .pad = k / 2,
                                             .depthwise = oc == g->nodes[in].c && k == 3,
                                             .act = act,
                                             .conv_name = name,
                                             .norm_name = name});
}

/* A stem that a depthwise convolution reads, and two blocks, of which the second has a residual. */
static struct graph *graph_of(const struct shape_case *s, struct graph_config c)
{
    struct graph *g = NULL;
    struct err e = {0};

    c.batch_max = s->batch_max;
    c.image_size = s->size;
    CHECK_OK(graph_new(&g, &c, &e), &e);
    int x = conv(g, graph_image(g), -1, s->wide, 3, 1, s->act, "stem");
    x = conv(g, x, -1, s->wide, 3, 1, s->act, "first");
    const int skip = conv(g, x, -1, s->thin, 1, 1, ACT_NONE, "reduce");
    x = conv(g, skip, -1, s->wide, s->spread ? 3 : 1, 1, s->act, "expand");
    x = conv(g, x, -1, s->wide, 3, s->stride, s->act, "depthwise");
    x = conv(g, x, s->stride == 1 ? skip : -1, s->thin, 1, 1, ACT_NONE, "project");
    graph_linear(g, graph_average(g, conv(g, x, -1, 32, 1, 1, s->act, "last")), CLASSES, "fc");
    CHECK_OK(graph_build(g, &e), &e);
    for (size_t i = 0; i < g->param_count; i++) {
        const struct graph_param *p = &g->params[i];
        float *v = mem_alloc_array(p->count, sizeof *v);
        const double fan = (double)(p->shape[1] * p->shape[2] * p->shape[3]);
        for (size_t k = 0; k < p->count; k++) {
            const double u = 2 * rand_unit(rand_at(3, i, k, 0)) - 1;
            v[k] = (float)(p->role == ROLE_SCALE || p->role == ROLE_VARIANCE ? 1 + 0.3 * u
                           : p->dims == 1                                    ? 0.3 * u
                                                                             : u * sqrt(3 / fan));
        }
        graph_param_write(g, p, NULL, 0, p->count, v);
        mem_free(v);
    }
    return g;
}

static float *image_of(const struct shape_case *s)
{
    const size_t n = (size_t)(s->batch_max * 3 * s->size * s->size);
    float *x = mem_alloc_array(n, sizeof *x);

    for (size_t i = 0; i < n; i++)
        x[i] = (float)(3 * rand_unit(rand_at(4, i, 0, 0)) - 1.5);
    return x;
}

static double pull(int i)
{
    return (double)(float)(2 * rand_unit(rand_at(5, (uint64_t)i, 0, 0)) - 1);
}

static void step(struct graph *g, const float *x, int count)
{
    const int row = graph_logits_row(g);
    struct err e = {0};

    CHECK_OK(graph_forward(g, x, count, true, &e), &e);
    for (int i = 0; i < count * CLASSES; i++)
        graph_logits_grad(g)[i / CLASSES * row + i % CLASSES] = (float)pull(i);
    CHECK_OK(graph_backward(g, count, &e), &e);
}

static double distance(const float *got, const double *want, size_t n)
{
    double d = 0, s = 1e-12;

    for (size_t i = 0; i < n; i++) {
        d += ((double)got[i] - want[i]) * ((double)got[i] - want[i]);
        s += want[i] * want[i];
    }
    return sqrt(d / s);
}

static const struct node *node_named(const struct graph *g, const char *name)
{
    for (int i = 0; i < g->node_count; i++)
        if (g->nodes[i].kind == NODE_CONV &&
            strcmp(g->params[g->nodes[i].conv.weight].name, name) == 0)
            return &g->nodes[i];
    test_fail(__FILE__, __LINE__, "no convolution %s", name);
    return NULL;
}

/* The batch norm behind a 1x1 convolution undoes what is added to its input: the gradient of such a
 * shift is nothing but rounding, and must be small. */
static bool undone(const struct graph_param *p, const struct shape_case *s)
{
    return (strcmp(p->name, "reduce.bias") == 0 && !s->spread) ||
           strcmp(p->name, "project.bias") == 0;
}

static void check_gradients(const struct graph *g, const struct exact *x,
                            const struct shape_case *s, double tolerance, const char *what)
{
    for (size_t i = 0; i < g->param_count; i++) {
        const struct graph_param *p = &g->params[i];
        if (!param_trained(p))
            continue;
        float *plain = mem_alloc_array(p->count, sizeof *plain);
        graph_param_read(g, p, g->grads, plain);
        double d = distance(plain, x->param_grad[i], p->count);
        for (size_t k = 0; k < p->count && undone(p, s); k++)
            d = k == 0 ? fabs((double)plain[0]) : fmax(d, fabs((double)plain[k]));
        if (!(d < tolerance))
            test_fail(__FILE__, __LINE__, "%s, %s: %g apart", what, p->name, d);
        mem_free(plain);
    }
}

static void check_case(const struct shape_case *s, struct graph_config c)
{
    struct graph *g = graph_of(s, c);
    float *image = image_of(s);
    char what[96];

    snprintf(what, sizeof what, "size %d, batch %d of %d, oneDNN %d, bfloat16 %d", s->size,
             s->count, s->batch_max, c.onednn, c.precision == GRAPH_BF16);
    CHECK(node_named(g, "stem.weight")->lazy && node_named(g, "stem.weight")->conv.streams);
    CHECK(node_named(g, "first.weight")->lazy && node_named(g, "depthwise.weight")->lazy);
    CHECK(node_named(g, "expand.weight")->lazy);
    CHECK(node_named(g, "expand.weight")->conv.streams == !s->spread);
    CHECK(!node_named(g, "project.weight")->lazy && node_named(g, "project.weight")->conv.streams);
    CHECK(!node_named(g, "last.weight")->conv.streams);
    if (s->piece)
        CHECK_EQ(node_named(g, "expand.weight")->conv.piece, s->piece);
    step(g, image, s->batch_max); /* leaves numbers behind in what will be padding */
    step(g, image, s->count);
    struct exact *x = exact_new(g, s->count);
    exact_forward(x, image);
    for (int i = 0; i < s->count * CLASSES; i++)
        x->grad[g->node_count - 1][i] = pull(i);
    exact_backward(x);
    /* Rounded outputs and kinks that they fall on either side of. */
    const bool half = c.precision == GRAPH_BF16, kinks = s->act != ACT_SILU;
    check_gradients(g, x, s, half ? 0.1 : kinks ? 1e-2 : 2e-4, what);
    for (int i = 0; i < s->count * CLASSES; i++) {
        const int row = graph_logits_row(g);
        const double got = (double)graph_logits(g)[i / CLASSES * row + i % CLASSES];
        if (!(fabs(got - x->value[g->node_count - 1][i]) < (half ? 5e-2 : 1e-4)))
            test_fail(__FILE__, __LINE__, "%s: logit %g, not %g", what, got,
                      x->value[g->node_count - 1][i]);
    }
    exact_done(x);
    mem_free(image);
    graph_free(g);
}

TEST(pieces_compute_what_double_precision_does)
{
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (int onednn = 0; onednn <= (onednn_check(NULL) == RC_OK); onednn++)
            check_case(&cases[i],
                       (struct graph_config){.train = true, .threads = 2, .onednn = onednn});
}

TEST(pieces_kept_in_bfloat16_stay_near)
{
    for (int onednn = 0; onednn <= (onednn_check(NULL) == RC_OK); onednn++)
        check_case(&cases[7],
                   (struct graph_config){
                       .train = true, .threads = 1, .onednn = onednn, .precision = GRAPH_BF16});
}

TEST(pieces_without_wide_registers_agree)
{
    check_case(&cases[1], (struct graph_config){.train = true, .threads = 1, .isa = "base"});
    if (kernels_get("avx2"))
        check_case(&cases[4], (struct graph_config){.train = true, .threads = 1, .isa = "avx2"});
}

TEST(pieces_give_the_same_bytes_on_any_number_of_threads)
{
    for (int threads = 2; threads <= 4; threads++)
        for (int onednn = 0; onednn <= (onednn_check(NULL) == RC_OK); onednn++) {
            const struct shape_case *s = &cases[6];
            struct graph *one =
                graph_of(s, (struct graph_config){.train = true, .threads = 1, .onednn = onednn});
            struct graph *many = graph_of(
                s, (struct graph_config){.train = true, .threads = threads, .onednn = onednn});
            float *image = image_of(s);
            step(one, image, s->count);
            step(many, image, s->count);
            CHECK(memcmp(one->grads, many->grads, one->value_floats * sizeof(float)) == 0);
            CHECK(memcmp(one->stats, many->stats, one->stat_floats * sizeof(float)) == 0);
            mem_free(image);
            graph_free(one);
            graph_free(many);
        }
}

/* A training graph in inference mode against an inference graph, which folds batch norm. */
TEST(lazy_activations_use_the_running_statistics_in_inference)
{
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct shape_case *s = &cases[i];
        struct graph *train = graph_of(s, (struct graph_config){.threads = 2, .train = true});
        struct graph *infer = graph_of(s, (struct graph_config){.threads = 1});
        float *image = image_of(s);
        struct err e = {0};
        CHECK_OK(graph_forward(train, image, s->count, false, &e), &e);
        CHECK_OK(graph_forward(infer, image, s->count, false, &e), &e);
        for (int k = 0; k < s->count * CLASSES; k++) {
            const int at = k / CLASSES * graph_logits_row(train) + k % CLASSES;
            CHECK(fabsf(graph_logits(train)[at] - graph_logits(infer)[at]) < 1e-4f);
        }
        mem_free(image);
        graph_free(train);
        graph_free(infer);
    }
}

TEST(what_has_other_readers_is_stored)
{
    struct graph *g = NULL;
    struct err e = {0};
    const struct graph_config c = {.batch_max = 2, .image_size = 8, .train = true, .threads = 1};

    CHECK_OK(graph_new(&g, &c, &e), &e);
    const int a = conv(g, graph_image(g), -1, 16, 3, 1, ACT_SILU, "a");
    const int b = conv(g, a, a, 16, 3, 1, ACT_NONE, "b");     /* a twice */
    const int d = conv(g, b, -1, 32, 1, 1, ACT_SIGMOID, "d"); /* of padding not zero */
    const int f = conv(g, d, -1, 32, 3, 1, ACT_SILU, "f");    /* an output */
    const int h = conv(g, f, -1, 16, 1, 1, ACT_NONE, "h");
    graph_output(g, f);
    graph_output(g, h);
    CHECK_OK(graph_build(g, &e), &e);
    for (int i = 0; i < g->node_count; i++)
        CHECK(!g->nodes[i].lazy);
    CHECK(g->nodes[b].conv.streams && g->nodes[f].conv.streams && !g->nodes[h].conv.streams);
    graph_free(g);
}
