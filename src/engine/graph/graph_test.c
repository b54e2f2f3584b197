/* graph_test.c - a graph with every kind of node: gradients against finite differences, backends,
 * algorithms, instruction sets and thread counts against each other, partial batches, memory. */
#include "engine/graph/graph.c"

#include "base/hash.h"
#include "base/test.h"
#include <math.h>

enum { SIDE = 13, BATCH = 5, CLASSES = 3 };

/* Smooth: SiLU throughout, none where there is a residual.  Otherwise ReLU and ReLU6. */
static struct graph *graph_of(struct graph_config c, bool smooth)
{
    const enum act act = smooth ? ACT_SILU : ACT_RELU, act6 = smooth ? ACT_SILU : ACT_RELU6;
    const enum act behind = smooth ? ACT_NONE : ACT_RELU;
    struct graph *g = NULL;
    struct err e;

    CHECK_OK(graph_new(&g, &c, &e), &e);
    int x = graph_image(g);
    x = graph_conv(g, &(struct conv_spec){x, -1, 32, 3, 1, 1, false, act, "a", "an"});
    x = graph_max_pool(g, x, 3, 2, 1);
    const int y = graph_conv(g, &(struct conv_spec){x, -1, 64, 3, 2, 1, false, act, "b", "bn"});
    const int skip =
        graph_conv(g, &(struct conv_spec){x, -1, 64, 1, 2, 0, false, ACT_NONE, "c", "cn"});
    x = graph_conv(g, &(struct conv_spec){y, skip, 64, 3, 1, 1, false, behind, "d", "dn"});
    int z = graph_conv(g, &(struct conv_spec){x, -1, 24, 1, 1, 0, false, act6, "e", "en"});
    z = graph_conv(g, &(struct conv_spec){z, -1, 24, 3, 1, 1, true, act6, "f", "fn"});
    z = graph_conv(g, &(struct conv_spec){z, x, 64, 1, 1, 0, false, ACT_NONE, "g", "gn"});
    z = graph_conv(g, &(struct conv_spec){z, -1, 64, 3, 2, 1, true, act6, "h", "hn"});
    graph_linear(g, graph_average(g, z), CLASSES, "fc");
    CHECK_OK(graph_build(g, &e), &e);
    return g;
}

/* The parts of detectors and mobile nets: bias, residual after the activation, pools of any size,
 * concatenation, upsampling, a gate, dropout, a node with many readers, outputs besides logits. */
static struct graph *detector_of(struct graph_config c, bool smooth)
{
    const enum act act = smooth ? ACT_SILU : ACT_HARD_SWISH;
    const enum act gate = smooth ? ACT_SIGMOID : ACT_HARD_SIGMOID;
    struct graph *g = NULL;
    struct err e;

    CHECK_OK(graph_new(&g, &c, &e), &e);
    int x = graph_image(g);
    x = graph_conv(g, &(struct conv_spec){x, -1, 32, 3, 1, 1, false, act, "a", "an"});
    int y = graph_conv(g, &(struct conv_spec){x, -1, 32, 3, 1, 1, false, act, "b", "bn"});
    y = graph_conv(g, &(struct conv_spec){y, x, 32, 3, 1, 1, false, act, "c", "cn", true});
    int pools[3] = {y};
    for (int i = 1; i < 3 && smooth; i++) /* a maximum has kinks, too */
        pools[i] = graph_conv(
            g, &(struct conv_spec){y, -1, 16, 1, 1, 0, false, act, i == 1 ? "p" : "q", NULL});
    for (int i = 1; i < 3 && !smooth; i++)
        pools[i] = graph_max_pool(g, pools[i - 1], 5, 1, 2);
    y = graph_concat(g, (const int[]){x, pools[0], pools[1], pools[2]}, 4);
    const int small = graph_conv(g, &(struct conv_spec){y, -1, 24, 3, 2, 0, false, act, "d", "dn"});
    int s = graph_average(g, small);
    s = graph_conv(g, &(struct conv_spec){s, -1, 8, 1, 1, 0, false, act, "s", NULL, .dense = true});
    s = graph_conv(
        g, &(struct conv_spec){s, -1, 24, 1, 1, 0, false, gate, "t", NULL, .bias_init = 0.5f});
    s = graph_scale(g, small, s);
    const int first = graph_conv(g, &(struct conv_spec){s, -1, 5, 3, 1, 1, false, gate, "o", NULL});
    int up = graph_upsample(g, small);
    up = graph_conv(g, &(struct conv_spec){up, -1, 16, 3, 1, 1, false, act, "u", "un",
                                           .norm_eps = 1e-3f, .norm_momentum = 0.03f});
    int all = graph_concat(g, (const int[]){up, graph_upsample(g, s)}, 2);
    all = graph_conv(g, &(struct conv_spec){all, -1, 7, 1, 1, 0, false, ACT_NONE, "v", NULL});
    graph_output(g, first);
    graph_output(g, all);
    graph_output(g, up);
    s = graph_conv(g, &(struct conv_spec){small, small, 24, 1, 1, 0, false, ACT_NONE, "x", "xn",
                                          true, .drop = 0.4f});
    s = graph_conv(g, &(struct conv_spec){s, s, 24, 3, 1, 1, true, act, "w", "wn", true});
    s = graph_average(g, s);
    graph_linear(g, graph_dropout(g, s, 0.4), CLASSES, "fc");
    graph_set_step(g, 7, 3);
    CHECK_OK(graph_build(g, &e), &e);
    return g;
}

typedef struct graph *(*graph_maker)(struct graph_config c, bool smooth);
static const graph_maker makers[] = {graph_of, detector_of};

static double centred(uint64_t a, uint64_t b)
{
    return 2 * rand_unit(rand_at(5, a, b, 0)) - 1;
}

static void fill_params(struct graph *g)
{
    static float v[64 * 64 * 9];

    for (size_t i = 0; i < g->param_count; i++) {
        const struct graph_param *p = &g->params[i];
        const double fan = (double)(p->shape[1] * p->shape[2] * p->shape[3]);
        for (size_t k = 0; k < p->count; k++) {
            const double r = centred(i, k);
            v[k] = (float)(p->role == ROLE_SCALE || p->role == ROLE_VARIANCE ? 1 + 0.3 * r
                           : p->dims == 1                                    ? 0.3 * r
                                                                             : r * sqrt(3 / fan));
        }
        graph_param_write(g, p, NULL, 0, p->count, v);
    }
}

static float *image_batch(void)
{
    static float x[BATCH * 3 * 2 * SIDE * 2 * SIDE];

    for (size_t i = 0; i < sizeof x / sizeof x[0]; i++)
        x[i] = (float)(1.5 * centred(1000, i));
    return x;
}

/* A fixed weighting of the logits serves as loss. */
static double loss_weight(int image, int class)
{
    return centred(2000 + (uint64_t)image, (uint64_t) class);
}

/* Output k weighted the same way; `grad`: writes the weights there. */
static double output_loss(struct graph *g, int k, int count, bool grad)
{
    const struct graph_shape s = graph_output_shape(g, k);
    const float *v = graph_output_values(g, k);
    double loss = 0;

    for (int i = 0; i < count * s.c_pad * s.h * s.w; i++) {
        const int channel = i / (s.h * s.w * CH) % (s.c_pad / CH) * CH + i % CH;
        const double w = channel < s.c ? 0.2 * centred(3000 + (uint64_t)k, (uint64_t)i) : 0;
        if (grad)
            graph_output_grad(g, k)[i] = (float)w;
        else
            loss += w * (double)v[i];
    }
    return loss;
}

static double forward_loss(struct graph *g, int count)
{
    double loss = 0;
    struct err e;

    CHECK_OK(graph_forward(g, image_batch(), count, true, &e), &e);
    for (int n = 0; n < count; n++)
        for (int c = 0; c < CLASSES; c++)
            loss += loss_weight(n, c) * (double)graph_logits(g)[n * graph_logits_row(g) + c];
    for (int k = 0; k < graph_output_count(g); k++)
        loss += output_loss(g, k, count, false);
    return loss;
}

static double step(struct graph *g, int count)
{
    const double loss = forward_loss(g, count);
    struct err e;

    for (int n = 0; n < count; n++)
        for (int c = 0; c < CLASSES; c++)
            graph_logits_grad(g)[n * graph_logits_row(g) + c] = (float)loss_weight(n, c);
    for (int k = 0; k < graph_output_count(g); k++)
        output_loss(g, k, count, true);
    CHECK_OK(graph_backward(g, count, &e), &e);
    return loss;
}

static struct graph_config config(void)
{
    return (struct graph_config){
        .batch_max = BATCH, .image_size = SIDE, .train = true, .threads = 1, .states = 1};
}

/* Along its own gradient each tensor's loss must rise at the rate of the gradient's length. */
static void check_slopes(graph_maker make, struct graph_config c)
{
    struct graph *g = make(c, true);

    fill_params(g);
    step(g, BATCH);
    float *grads = mem_alloc_array(g->value_floats, sizeof *grads);
    memcpy(grads, g->grads, g->value_floats * sizeof *grads);
    for (size_t i = 0; i < g->param_count; i++) {
        const struct graph_param *p = &g->params[i];
        double length = 0, at[2];
        if (!param_trained(p))
            continue;
        for (size_t k = p->at; k < p->at + p->room; k++)
            length += (double)grads[k] * (double)grads[k];
        length = sqrt(length);
        CHECK(length > 1e-3);
        const double h = 0.01;
        for (int side = 0; side < 2; side++) {
            const double move = (side ? h : -h) / length;
            for (size_t k = p->at; k < p->at + p->room; k++)
                g->values[k] += (float)(move * (double)grads[k]);
            at[side] = forward_loss(g, BATCH);
            for (size_t k = p->at; k < p->at + p->room; k++)
                g->values[k] -= (float)(move * (double)grads[k]);
        }
        const double slope = (at[1] - at[0]) / (2 * h);
        if (fabs(slope - length) > 0.01 * length)
            test_fail(__FILE__, __LINE__, "%s: slope %g, gradient %g", p->name, slope, length);
    }
    mem_free(grads);
    graph_free(g);
}

TEST(gradients_of_every_tensor_are_the_finite_differences)
{
    for (int m = 0; m < 2; m++) {
        struct graph_config c = config();
        check_slopes(makers[m], c);
        c.no_winograd = true;
        check_slopes(makers[m], c);
    }
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

static double logits_apart(const struct graph *a, const struct graph *b, int count)
{
    float va[BATCH * CLASSES], vb[BATCH * CLASSES];

    for (int i = 0; i < count * CLASSES; i++) { /* what pads a row is nobody's */
        const int at = i / CLASSES * graph_logits_row(a) + i % CLASSES;
        va[i] = graph_logits(a)[at];
        vb[i] = graph_logits(b)[at];
    }
    double most = apart(va, vb, (size_t)(count * CLASSES));
    for (int k = 0; k < graph_output_count(a); k++) {
        const struct graph_shape s = graph_output_shape(a, k);
        const size_t plane = (size_t)(s.h * s.w * CH), image = plane * (size_t)(s.c_pad / CH);
        for (size_t i = 0; i < (size_t)count * image; i++)
            if (i % image / plane * CH + i % CH < (size_t)s.c) {
                const double of_a = (double)graph_output_values(a, k)[i];
                const double d = fabs(of_a - (double)graph_output_values(b, k)[i]);
                most = d > most ? d : most;
            }
    }
    return most;
}

/* Logits, every gradient and every running statistic of two graphs within a relative tolerance. */
static void check_same_of(graph_maker make, struct graph_config ca, struct graph_config cb,
                          bool smooth, int count, double tolerance)
{
    struct graph *a = make(ca, smooth), *b = make(cb, smooth);

    fill_params(a);
    fill_params(b);
    step(a, count);
    step(b, count);
    CHECK(logits_apart(a, b, count) <= tolerance);
    for (size_t i = 0; i < a->param_count; i++) {
        const struct graph_param *p = &a->params[i];
        const float *va = (param_trained(p) ? a->grads : a->stats) + p->at;
        const float *vb = (param_trained(p) ? b->grads : b->stats) + p->at;
        if (apart(va, vb, p->room) > tolerance)
            test_fail(__FILE__, __LINE__, "%s differs by %g (smooth %d, %d images)", p->name,
                      apart(va, vb, p->room), smooth, count);
    }
    graph_free(a);
    graph_free(b);
}

static void check_same(struct graph_config ca, struct graph_config cb, bool smooth, int count,
                       double tolerance)
{
    for (int m = 0; m < 2; m++)
        check_same_of(makers[m], ca, cb, smooth, count, tolerance);
}

TEST(onednn_and_portable_agree)
{
    struct graph_config portable = config(), onednn = config();

    portable.no_winograd = true;
    onednn.onednn = true;
    if (onednn_check(NULL) != RC_OK)
        return;
    for (int count = 1; count <= BATCH; count += 2) {
        check_same(onednn, portable, true, count, 1e-4);
        check_same(onednn, portable, false, count, 1e-4);
    }
}

TEST(instruction_sets_and_algorithms_agree)
{
    const char *const isas[] = {"base", "avx2", "avx512"};
    struct graph_config reference = config(), c = config();

    reference.isa = "base";
    reference.no_winograd = true;
    for (size_t i = 0; i < 3; i++) {
        c.isa = isas[i];
        if (kernels_get(c.isa))
            check_same(c, reference, true, BATCH, 1e-4);
    }
}

TEST(a_partial_batch_is_a_batch_of_that_size)
{
    for (int onednn = 0; onednn <= (onednn_check(NULL) == RC_OK); onednn++) {
        struct graph_config large = config(), small = config();
        large.onednn = small.onednn = onednn;
        large.batch_max = 23; /* shards of 3 images, of which some are empty or half full */
        small.batch_max = 4;
        struct graph *g = detector_of(large, true);
        fill_params(g);
        step(g, BATCH); /* leaves other numbers behind in the memory of the padding */
        graph_free(g);
        check_same(large, small, true, 4, 1e-4);
    }
}

TEST(thread_counts_give_the_same_bytes)
{
    for (int onednn = 0; onednn <= (onednn_check(NULL) == RC_OK); onednn++)
        for (int threads = 2; threads <= 4; threads++) {
            struct graph_config one = config(), many = config();
            one.onednn = many.onednn = onednn;
            many.threads = threads;
            check_same(many, one, false, BATCH, 0);
        }
}

/* Inference with folded batch norm against a training graph in inference mode. */
TEST(folding_batch_norm_changes_nothing)
{
    for (int onednn = 0; onednn <= (onednn_check(NULL) == RC_OK); onednn++)
        for (int kind = 0; kind < 4; kind++)
            for (int batch = 1; batch <= BATCH; batch += 2) {
                const bool smooth = kind % 2;
                struct graph_config train = config(), infer = config();
                struct err e;
                train.onednn = infer.onednn = onednn;
                infer.train = false;
                infer.batch_max = batch;
                infer.threads = 2;
                struct graph *a = makers[kind / 2](train, smooth);
                struct graph *b = makers[kind / 2](infer, smooth);
                fill_params(a);
                fill_params(b);
                CHECK_OK(graph_forward(a, image_batch(), batch, false, &e), &e);
                CHECK_OK(graph_forward(b, image_batch(), batch, false, &e), &e);
                const double gap = logits_apart(b, a, batch);
                if (gap > 1e-5)
                    test_fail(__FILE__, __LINE__, "oneDNN %d, smooth %d, batch %d: differ by %g",
                              onednn, smooth, batch, gap);
                CHECK(b->bytes < a->bytes);
                graph_free(a);
                graph_free(b);
            }
}

/* torch.nn.BatchNorm2d: running = 0.9 running + 0.1 batch, the variance unbiased. */
TEST(running_statistics_follow_pytorch)
{
    struct graph *g = graph_of(config(), true);
    const struct node *n = &g->nodes[1];
    const size_t pixels = (size_t)(BATCH * n->h * n->w);
    const float *y = buffer_at(g, n->conv.y);

    fill_params(g);
    float before[32], variance[32];
    memcpy(before, stat_at(g, n->conv.mean), sizeof before);
    memcpy(variance, stat_at(g, n->conv.variance), sizeof variance);
    forward_loss(g, BATCH);
    for (size_t c = 0; c < 32; c++) {
        double mean = 0, spread = 0;
        for (int pass = 0; pass < 2; pass++)
            for (size_t i = 0; i < pixels; i++) {
                const size_t plane = (size_t)(n->h * n->w), image = i / plane;
                const double v =
                    (double)y[((image * 2 + c / CH) * plane + i % plane) * CH + c % CH];
                if (pass == 0)
                    mean += v / (double)pixels;
                else
                    spread += (v - mean) * (v - mean) / (double)(pixels - 1);
            }
        CHECK(fabs((double)stat_at(g, n->conv.mean)[c] - 0.9 * (double)before[c] - 0.1 * mean) <
              1e-6);
        CHECK(fabs((double)stat_at(g, n->conv.variance)[c] - 0.9 * (double)variance[c] -
                   0.1 * spread) < 1e-6);
    }
    struct err e;
    memcpy(before, stat_at(g, n->conv.mean), sizeof before);
    CHECK_OK(graph_forward(g, image_batch(), BATCH, false, &e), &e);
    CHECK(memcmp(before, stat_at(g, n->conv.mean), sizeof before) == 0); /* inference: untouched */
    graph_free(g);
}

TEST(parameters_survive_the_change_of_layout)
{
    struct graph *g = graph_of(config(), true);
    static float in[64 * 64 * 9], out[64 * 64 * 9];

    for (size_t i = 0; i < g->param_count; i++) {
        const struct graph_param *p = &g->params[i];
        for (size_t k = 0; k < p->count; k++)
            in[k] = (float)(k + 1);
        graph_param_write(g, p, g->state[0], 0, p->count / 2, in);
        graph_param_write(g, p, g->state[0], p->count / 2, p->count - p->count / 2,
                          in + p->count / 2);
        graph_param_read(g, p, g->state[0], out);
        CHECK(memcmp(in, out, p->count * sizeof *in) == 0);
    }
    graph_free(g);
}

TEST(padding_channels_stay_zero_through_a_step)
{
    struct graph *g = graph_of(config(), false);
    const struct graph_param *p = &g->params[g->nodes[7].conv.scale]; /* "e": 24 channels of 32 */

    ASSERT(p->count == 24 && p->room == 32);
    fill_params(g);
    step(g, BATCH);
    for (size_t k = 24; k < 32; k++)
        CHECK(g->grads[p->at + k] == 0);
    graph_free(g);
}

/* The bytes of logits, gradients and statistics after a step. */
static void hash_step(struct graph *g, char hex[SHA256_HEX + 1])
{
    struct hasher h;
    uint8_t digest[SHA256_BYTES];

    CHECK(sha256_init(&h, NULL) == RC_OK);
    step(g, BATCH);
    for (int n = 0; n < BATCH; n++)
        hasher_add(&h, graph_logits(g) + n * graph_logits_row(g), CLASSES * sizeof(float));
    hasher_add(&h, g->grads, g->value_floats * sizeof(float));
    hasher_add(&h, g->stats, g->stat_floats * sizeof(float));
    hasher_final(&h, digest);
    hex_of(digest, sizeof digest, hex);
}

TEST(a_resized_graph_is_the_graph_of_that_size)
{
    static const int sizes[] = {SIDE, 2 * SIDE, 9, SIDE, 16, 2 * SIDE};

    for (int kind = 0; kind < 4; kind++) {
        struct graph_config c = config();
        struct err e;
        char want[SHA256_HEX + 1], got[SHA256_HEX + 1];
        c.onednn = kind / 2 && onednn_check(NULL) == RC_OK;
        c.image_size = 2 * SIDE;
        struct graph *g = makers[kind % 2](c, false);
        const uint64_t bytes = graph_bytes(g);
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            c.image_size = sizes[i];
            struct graph *fresh = makers[kind % 2](c, false);
            fill_params(fresh);
            hash_step(fresh, want);
            graph_free(fresh);
            CHECK_OK(graph_resize(g, sizes[i], &e), &e);
            fill_params(g);
            hash_step(g, got);
            CHECK_STR(str_of(got), want);
            CHECK_EQ(graph_bytes(g), bytes);
        }
        graph_free(g);
    }
}

TEST(activations_made_again_are_the_same_bytes)
{
    for (int kind = 0; kind < 4; kind++) {
        struct graph_config c = config();
        char want[SHA256_HEX + 1], got[SHA256_HEX + 1];
        c.onednn = kind / 2 && onednn_check(NULL) == RC_OK;
        struct graph *kept = makers[kind % 2](c, false);
        c.recompute = true;
        c.threads = 2;
        struct graph *again = makers[kind % 2](c, false);
        fill_params(kept);
        fill_params(again);
        for (int i = 0; i < 2; i++) {
            hash_step(kept, want);
            hash_step(again, got);
            CHECK_STR(str_of(got), want);
        }
        CHECK(again->remake_count >= 3 && kept->remake_count == 0);
        graph_free(kept);
        graph_free(again);
    }
}

TEST(a_size_that_does_not_fit_leaves_the_graph_as_it_was)
{
    struct graph_config c = config();
    struct err e = {0};
    char want[SHA256_HEX + 1], got[SHA256_HEX + 1];
    struct graph *g = detector_of(c, false);

    fill_params(g);
    hash_step(g, want);
    CHECK_EQ(graph_resize(g, 2, &e), RC_INVALID);
    CHECK(str_find(str_of(e.text), STR("too small")) >= 0);
    g->config.bytes_max = graph_bytes(g);
    CHECK_EQ(graph_resize(g, 16 * SIDE, &e), RC_NOMEM);
    CHECK(str_find(str_of(e.text), STR("MiB of memory")) >= 0);
    fill_params(g);
    hash_step(g, got);
    CHECK_STR(str_of(got), want);
    graph_free(g);
}

TEST(inputs_that_do_not_fit_together_are_errors)
{
    struct graph_config c = config();
    struct graph *g = NULL;
    struct err e = {0};

    for (int fault = 0; fault < 4; fault++) {
        CHECK_OK(graph_new(&g, &c, &e), &e);
        const int image = graph_image(g);
        struct conv_spec s = {image, -1, 24, 3, 1, 1, false, ACT_RELU, "a", "an"};
        const int a = graph_conv(g, &s);
        s = (struct conv_spec){a, -1, fault == 2 ? 32 : 24, 3, 2, 1, false, ACT_RELU, "b", "bn"};
        const int b = graph_conv(g, &s);
        const char *want[] = {"multiple of 16", "different sizes", "reads the image",
                              "nothing reads"};
        if (fault == 0)
            graph_output(g, graph_concat(g, (const int[]){b, b}, 2));
        else if (fault == 1) /* 13 pixels, halved and doubled */
            graph_output(g, graph_scale(g, a, graph_upsample(g, b)));
        else if (fault == 2)
            graph_output(g, graph_concat(g, (const int[]){b, graph_upsample(g, image)}, 2));
        else
            graph_output(g, a);
        CHECK_EQ(graph_build(g, &e), RC_INVALID);
        if (str_find(str_of(e.text), str_of(want[fault])) < 0)
            test_fail(__FILE__, __LINE__, "fault %d: %s", fault, e.text);
        graph_free(g);
    }
}

TEST(dropout_leaves_the_stated_share_and_is_off_in_inference)
{
    struct graph_config c = config();
    struct graph *g = NULL;
    struct err e;
    int kept = 0, same = 0, all = 0;
    float first[BATCH * 32 * SIDE * SIDE];

    CHECK_OK(graph_new(&g, &c, &e), &e);
    struct conv_spec s = {graph_image(g), -1, 32, 1, 1, 0, false, ACT_SIGMOID, "a", NULL};
    const int x = graph_conv(g, &s);
    graph_output(g, x);
    graph_output(g, graph_dropout(g, x, 0.25));
    CHECK_OK(graph_build(g, &e), &e);
    fill_params(g);
    for (uint64_t step = 0; step < 3; step++) {
        graph_set_step(g, 1, step / 2); /* twice the same step, once the next */
        CHECK_OK(graph_forward(g, image_batch(), BATCH, true, &e), &e);
        const float *from = graph_output_values(g, 0), *to = graph_output_values(g, 1);
        for (int i = 0; i < BATCH * 32 * SIDE * SIDE; i++) {
            CHECK(to[i] == 0 || fabsf(to[i] - from[i] / 0.75f) < 1e-6f);
            if (step == 1)
                CHECK(to[i] == first[i]);
            same += step == 2 && (to[i] == 0) == (first[i] == 0);
            kept += step == 0 && to[i] != 0;
            all += step == 0;
            if (step == 0)
                first[i] = to[i];
        }
    }
    CHECK(fabs((double)kept / all - 0.75) < 0.02);
    CHECK(fabs((double)same / all - 0.625) < 0.02); /* both kept or both dropped by chance */
    CHECK_OK(graph_forward(g, image_batch(), BATCH, false, &e), &e);
    CHECK(memcmp(graph_output_values(g, 0), graph_output_values(g, 1), sizeof first) == 0);
    graph_free(g);
}

TEST(an_image_too_small_and_missing_memory_are_errors)
{
    struct graph_config c = config();
    struct graph *g = NULL;
    struct err e = {0};

    c.image_size = 2;
    CHECK_OK(graph_new(&g, &c, &e), &e);
    int x = graph_image(g);
    x = graph_conv(g, &(struct conv_spec){x, -1, 16, 7, 2, 0, false, ACT_RELU, "a", "b"});
    graph_linear(g, graph_average(g, x), CLASSES, "fc");
    CHECK_EQ(graph_build(g, &e), RC_INVALID);
    CHECK(str_find(str_of(e.text), STR("too small")) >= 0);
    graph_free(g);
}
