/* networks_test.c - every network in tiny form against double precision, and over thread counts.
 *
 * Tiny: few pixels, and for residual networks few channels.  bench/torch_twin.py compares the whole
 * networks with PyTorch.  ANNEAL_TEST_FIGURES=1 prints the distances (with -v).
 *
 * Kinks are taken out first: where an activation's input lies within a rounding error of a kink,
 * single and double precision rightly differ.  ReLU and the hard activations have their own tests
 * (portable_test.c, graph_test.c).
 */
#include "engine/model/networks.c"

#include "base/test.h"
#include "engine/graph/exact.h"

enum { COUNT = 3, CLASSES = 5 };

static double centred(uint64_t a, uint64_t b)
{
    return 2 * rand_unit(rand_at(6, a, b, 0)) - 1;
}

/* Smooth activations of about the same shape; none behind a residual, which only kinks may follow.
 */
static void smooth(struct graph *g)
{
    static const enum act smooth_of[] = {
        [ACT_NONE] = ACT_NONE,           [ACT_RELU] = ACT_SILU,       [ACT_RELU6] = ACT_SILU,
        [ACT_SILU] = ACT_SILU,           [ACT_SIGMOID] = ACT_SIGMOID, [ACT_HARD_SWISH] = ACT_SILU,
        [ACT_HARD_SIGMOID] = ACT_SIGMOID};

    for (int i = 0; i < g->node_count; i++) {
        struct node *n = &g->nodes[i];
        const bool behind = n->residual != GRAPH_NONE && !n->conv.residual_after;
        if (n->kind == NODE_CONV)
            n->conv.act = behind ? ACT_NONE : smooth_of[n->conv.act];
    }
}

/* As net_init_weights has it, but no channel without a scale or a shift of its own. */
static void fill(struct graph *g)
{
    for (size_t i = 0; i < graph_param_count(g); i++) {
        const struct graph_param *p = graph_param_at(g, i);
        const double fan = (double)(p->shape[1] * p->shape[2] * p->shape[3]);
        float *v = mem_alloc_array(p->count, sizeof *v);
        ASSERT(v);
        for (size_t k = 0; k < p->count; k++)
            v[k] =
                (float)(p->role == ROLE_SCALE || p->role == ROLE_VARIANCE ? 1 + 0.2 * centred(i, k)
                        : p->dims == 1                                    ? 0.2 * centred(i, k)
                                       : centred(i, k) * sqrt(3 / fan));
        graph_param_write(g, p, NULL, 0, p->count, v);
        mem_free(v);
    }
}

static struct graph *tiny_of(const struct network *w, int size, int threads, bool onednn,
                             bool no_winograd)
{
    const struct graph_config c = {.batch_max = COUNT,
                                   .image_size = size,
                                   .train = true,
                                   .onednn = onednn,
                                   .threads = threads,
                                   .no_winograd = no_winograd,
                                   .recompute = w->card->task != NET_CLASSIFICATION};
    struct graph *g = NULL;
    struct err e = {0};

    CHECK_OK(graph_new(&g, &c, &e), &e);
    network_build(w, g, CLASSES, true);
    smooth(g);
    CHECK_OK(graph_build(g, &e), &e);
    fill(g);
    graph_set_step(g, 5, 2);
    return g;
}

static float *image_of(int size)
{
    const size_t n = (size_t)(COUNT * 3 * size * size);
    float *x = mem_alloc_array(n, sizeof *x);

    ASSERT(x);
    for (size_t i = 0; i < n; i++)
        x[i] = (float)(1.7 * centred(1000, i));
    return x;
}

/* The gradient of output or logit number i. */
static double pull(int output, size_t i)
{
    return centred(2000 + (uint64_t)output, i);
}

static void step(struct graph *g, const float *image)
{
    const int row = graph_logits_row(g);
    struct err e = {0};

    CHECK_OK(graph_forward(g, image, COUNT, true, &e), &e);
    for (int i = 0; i < COUNT * graph_classes(g); i++)
        graph_logits_grad(g)[i / graph_classes(g) * row + i % graph_classes(g)] =
            (float)pull(-1, (size_t)i);
    for (int k = 0; k < graph_output_count(g); k++) {
        const struct graph_shape s = graph_output_shape(g, k);
        const size_t all = (size_t)(COUNT * s.c * s.h * s.w);
        memset(graph_output_grad(g, k), 0, (size_t)(COUNT * s.c_pad * s.h * s.w) * sizeof(float));
        for (size_t i = 0; i < all; i++)
            graph_output_grad(g, k)[exact_blocked(s, i)] = (float)pull(k, i);
    }
    CHECK_OK(graph_backward(g, COUNT, &e), &e);
}

static struct exact *exact_step(const struct graph *g, const float *image)
{
    struct exact *x = exact_new(g, COUNT);

    exact_forward(x, image);
    for (int k = 0; k < graph_output_count(g); k++)
        for (size_t i = 0; i < exact_floats(x, graph_output_node(g, k)); i++)
            x->grad[graph_output_node(g, k)][i] = (double)(float)pull(k, i);
    for (int i = 0; i < COUNT * graph_classes(g); i++)
        x->grad[graph_node_count(g) - 1][i] = (double)(float)pull(-1, (size_t)i);
    exact_backward(x);
    return x;
}

struct distance {
    double square, of;
};

static void add_distance(struct distance *d, double got, double want)
{
    d->square += (got - want) * (got - want);
    d->of += want * want;
}

static double relative(struct distance d)
{
    return sqrt(d.square / d.of);
}

/* Relative L2 distance of everything that comes out, and of all gradients together; *ret_worst: of
 * the worst tensor's (some are zero but for rounding, where batch norm follows: they count by the
 * length of all). */
static void compare(struct graph *g, const struct exact *x, double *ret_out, double *ret_grad,
                    double *ret_worst)
{
    struct distance out = {0}, all = {0}, each[GRAPH_PARAMS_MAX] = {{0}};

    for (int k = 0; k < graph_output_count(g); k++) {
        const struct graph_shape s = graph_output_shape(g, k);
        for (size_t i = 0; i < exact_floats(x, graph_output_node(g, k)); i++)
            add_distance(&out, (double)graph_output_values(g, k)[exact_blocked(s, i)],
                         x->value[graph_output_node(g, k)][i]);
    }
    for (int i = 0; i < COUNT * graph_classes(g); i++)
        add_distance(&out,
                     (double)graph_logits(
                         g)[i / graph_classes(g) * graph_logits_row(g) + i % graph_classes(g)],
                     x->value[graph_node_count(g) - 1][i]);
    *ret_worst = 0;
    for (size_t p = 0; p < graph_param_count(g); p++) {
        const struct graph_param *param = graph_param_at(g, p);
        if (!param_trained(param))
            continue;
        float *v = mem_alloc_array(param->count, sizeof *v);
        ASSERT(v);
        graph_param_read(g, param, graph_grads(g), v);
        for (size_t i = 0; i < param->count; i++)
            add_distance(&each[p], (double)v[i], x->param_grad[p][i]);
        mem_free(v);
        all.square += each[p].square;
        all.of += each[p].of;
    }
    for (size_t p = 0; p < graph_param_count(g); p++) {
        const double least = 1e-6 * all.of;
        const double d = sqrt(each[p].square / (each[p].of > least ? each[p].of : least));
        *ret_worst = d > *ret_worst ? d : *ret_worst;
    }
    *ret_out = relative(out);
    *ret_grad = relative(all);
}

/* Pixels a side: small, but enough for batch norm behind the last stride. */
static int size_of(const struct network *w)
{
    return w->card->task == NET_CLASSIFICATION ? 32 : 64;
}

/* Residual networks of both kinds of blocks with few channels, and the others as they are. */
static const struct resnet_shape basic_few = {4, {16, 32, 32, 48}, {2, 1, 1, 1}, false};
static const struct resnet_shape bottleneck_few = {4, {16, 16, 24, 32}, {2, 1, 1, 1}, true};

/* NULL: another row of the table is its tiny form. */
static const struct network *tiny_form(size_t i)
{
    static struct network few;
    const char *name = networks[i].card->name, *dash = strrchr(name, '-');
    char sibling[32];

    few = networks[i];
    if (few.resnet == &resnet_18 || few.resnet == &resnet_34)
        return NULL; /* "tiny" has their blocks */
    if (few.resnet)
        few.resnet = few.resnet->bottleneck ? &bottleneck_few : &basic_few;
    snprintf(sibling, sizeof sibling, "%.*s-tiny", dash ? (int)(dash - name) : 0, name);
    return network_find(sibling) && strcmp(name, sibling) != 0 ? NULL : &few;
}

static void check_network(const struct network *w)
{
    const int size = size_of(w);
    float *image = image_of(size);
    struct exact *x = NULL;
    double out, grad, worst;

    for (int kind = 0; kind < 3; kind++) {
        const bool onednn = kind == 2;
        if (onednn && onednn_check(NULL) != RC_OK)
            continue;
        struct graph *g = tiny_of(w, size, 2, onednn, kind == 0);
        step(g, image);
        x = x ? x : exact_step(g, image); /* the same for all three */
        compare(g, x, &out, &grad, &worst);
        if (getenv("ANNEAL_TEST_FIGURES"))
            printf("%-18s %-9s outputs %.1e, gradients %.1e, worst tensor %.1e\n", w->card->name,
                   kind == 0   ? "direct"
                   : kind == 1 ? "winograd"
                               : "oneDNN",
                   out, grad, worst);
        /* The sixty convolutions of a detector carry 1e-7 to 3e-7 each: docs/engine-accuracy.md. */
        const double most = w->card->task == NET_CLASSIFICATION ? 1e-5 : 3e-5;
        if (!(out < 1e-5 && grad < most))
            test_fail(__FILE__, __LINE__, "%s, kind %d: outputs %.1e, gradients %.1e apart",
                      w->card->name, kind, out, grad);
        x->g = NULL;
        graph_free(g);
    }
    exact_done(x);
    mem_free(image);
}

static void hash_step(const struct network *w, const float *image, int threads, bool onednn,
                      char hex[SHA256_HEX + 1])
{
    struct graph *g = tiny_of(w, size_of(w), threads, onednn, false);

    step(g, image);
    sha256_hex((str){(const char *)graph_grads(g), graph_arena_floats(g) * sizeof(float)}, hex);
    graph_free(g);
}

static void check_threads(const struct network *w, bool onednn)
{
    char want[SHA256_HEX + 1], got[SHA256_HEX + 1];
    float *image = image_of(size_of(w));

    hash_step(w, image, 1, onednn, want);
    for (int threads = 2; threads <= 3; threads++) {
        hash_step(w, image, threads, onednn, got);
        if (strcmp(got, want) != 0)
            test_fail(__FILE__, __LINE__, "%s: %d threads give other gradients", w->card->name,
                      threads);
    }
    mem_free(image);
}

/* One test a network: each has its own time limit. */
enum { NETWORKS_TESTED = 16 };
_Static_assert((int)NETWORKS <= (int)NETWORKS_TESTED, "a network without a test: add a row below");
#define NETWORK(i)                                                                                 \
    TEST(gradients_of_network_##i##_are_those_of_double_precision)                                 \
    {                                                                                              \
        if (i < NETWORKS && tiny_form(i))                                                          \
            check_network(tiny_form(i));                                                           \
    }                                                                                              \
    TEST(thread_counts_give_the_same_bytes_of_network_##i)                                         \
    {                                                                                              \
        if (i < NETWORKS && tiny_form(i)) /* graph_test.c has each node with both backends */      \
            check_threads(tiny_form(i), i % 2 && onednn_check(NULL) == RC_OK);                     \
    }
NETWORK(0)
NETWORK(1)
NETWORK(2)
NETWORK(3)
NETWORK(4)
NETWORK(5)
NETWORK(6)
NETWORK(7)
NETWORK(8)
NETWORK(9)
NETWORK(10)
NETWORK(11)
NETWORK(12)
NETWORK(13)
NETWORK(14)
NETWORK(15)
