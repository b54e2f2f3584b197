/* operators_test.c - every operator, alone, on every backend of this machine, against double
 * precision: what it gives, the gradient of its input and those of its parameters.
 *
 * A row of the table is an operator in one form, with channels and pixels that networks have.
 * Before it stand one or two plain convolutions that make its inputs of a random picture ("leads":
 * bias, no activation), and the gradient that arrives at them is the operator's gradient of the
 * input.  exact.h computes the same in double by the textbook's loops, and its gradients in turn
 * are compared with finite differences in double, so that the reference hangs on nothing but the
 * forward formula.  Inference, which folds batch norm into the weights, is compared as well.
 *
 * The bound is a relative L2 distance of 1e-5 for each tensor.  Winograd F(4x4, 3x3) has the same:
 * its transforms lose about a digit, and what that leaves is printed by operators_test -v.
 *
 * Pictures are drawn until no activation's input and no maximum lies within MARGIN of a kink, where
 * single and double precision rightly differ.
 *
 * That nothing is left out is checked against the engine's own lists: GRAPH_NODE_KINDS, ACT_CASES
 * and ALGOS each want a row.
 */
#include "engine/graph/graph.c"

#include "base/test.h"
#include "engine/graph/exact.h"

#define MARGIN 2e-5
#define BOUND  1e-5

enum { IMAGES = 4, PULL = 7000, DRAWS_MAX = 400, ROWS_OF_TEST = 8, FD_DIRECTIONS = 2 };

/* What is added to a convolution. */
enum add { ADD_NOTHING, ADD_OTHER, ADD_INPUT };

struct row {
    const char *name;
    enum node_kind kind;
    int ic, oc, size; /* channels and pixels of the input */
    int images;       /* 0: IMAGES */
    int k, stride;
    bool norm, depthwise, dense, after, stem; /* stem: it reads the image */
    enum act act;
    enum add add;
    double drop;
    enum algo by; /* Winograd's, which is else not taken: in training or in inference */
};

#define CONV(k_, stride_, ic_, oc_, size_)                                                         \
    .kind = NODE_CONV, .k = (k_), .stride = (stride_), .ic = (ic_), .oc = (oc_), .size = (size_)
#define ON(kind_, ic_, size_) .kind = (kind_), .ic = (ic_), .size = (size_)

static const struct row rows[] = {
    {"conv 1x1", CONV(1, 1, 64, 48, 14)},
    {"conv 1x1 stride 2", CONV(1, 2, 48, 64, 14)},
    {"conv 3x3", CONV(3, 1, 48, 32, 14)},
    {"conv 3x3, 23 to 37 channels", CONV(3, 1, 23, 37, 11)},
    {"conv 3x3 stride 2", CONV(3, 2, 32, 48, 14)},
    {"conv 5x5", CONV(5, 1, 24, 16, 10)},
    {"conv 3x3 of the image", CONV(3, 1, 3, 32, 16), .stem = true},
    {"conv 3x3 stride 2 of the image", CONV(3, 2, 3, 32, 20), .stem = true},
    {"conv 7x7 stride 2 of the image", CONV(7, 2, 3, 64, 24), .stem = true},
    {"Winograd 3x3", CONV(3, 1, 48, 64, 20), .by = ALGO_WINOGRAD},
    {"Winograd 3x3, 256 channels", CONV(3, 1, 256, 64, 10), .by = ALGO_WINOGRAD},
    {"Winograd 3x3 stride 2", CONV(3, 2, 64, 48, 24), .by = ALGO_WINOGRAD},
    {"Winograd, norm, SiLU", CONV(3, 1, 32, 32, 16), .norm = true, .act = ACT_SILU,
     .by = ALGO_WINOGRAD},
    {"Winograd by columns, one image", CONV(3, 1, 128, 256, 8), .images = 1,
     .by = ALGO_WINOGRAD_COLS},
    {"depthwise 3x3", CONV(3, 1, 96, 96, 14), .depthwise = true},
    {"depthwise 3x3 stride 2", CONV(3, 2, 96, 96, 14), .depthwise = true},
    {"depthwise 5x5", CONV(5, 1, 40, 40, 10), .depthwise = true},
    {"depthwise 5x5 stride 2", CONV(5, 2, 40, 40, 11), .depthwise = true},
    {"conv 3x3 of 4x4 pixels", CONV(3, 1, 128, 64, 4), .images = 8},
    {"dense", CONV(1, 1, 64, 32, 5), .dense = true, .act = ACT_SILU},
    {"batch norm", CONV(1, 1, 32, 48, 14), .norm = true},
    {"batch norm, 4 blocks and more", CONV(1, 1, 32, 96, 9), .norm = true, .act = ACT_SILU},
    {"bias, ReLU", CONV(1, 1, 32, 32, 8), .act = ACT_RELU},
    {"norm, ReLU", CONV(1, 1, 32, 32, 8), .norm = true, .act = ACT_RELU},
    {"norm, ReLU6", CONV(1, 1, 32, 32, 8), .norm = true, .act = ACT_RELU6},
    {"norm, SiLU", CONV(1, 1, 32, 32, 8), .norm = true, .act = ACT_SILU},
    {"bias, sigmoid, 21 channels", CONV(1, 1, 32, 21, 8), .act = ACT_SIGMOID},
    {"norm, hard swish", CONV(1, 1, 32, 32, 8), .norm = true, .act = ACT_HARD_SWISH},
    {"bias, hard sigmoid, 21 channels", CONV(1, 1, 32, 21, 8), .act = ACT_HARD_SIGMOID},
    {"residual, then ReLU", CONV(3, 1, 32, 32, 8), .norm = true, .act = ACT_RELU, .add = ADD_OTHER},
    {"residual, then ReLU6", CONV(1, 1, 32, 32, 8), .norm = true, .act = ACT_RELU6,
     .add = ADD_OTHER},
    {"residual of a bias", CONV(1, 1, 32, 32, 8), .add = ADD_OTHER},
    {"residual after SiLU", CONV(3, 1, 32, 32, 8), .norm = true, .act = ACT_SILU, .after = true,
     .add = ADD_INPUT},
    {"residual, branch dropped", CONV(1, 1, 32, 32, 8), .norm = true, .after = true,
     .add = ADD_INPUT, .drop = 0.4},
    {"max pool 3x3 stride 2", ON(NODE_MAX_POOL, 24, 13), .k = 3, .stride = 2},
    {"max pool 5x5 stride 1", ON(NODE_MAX_POOL, 24, 9), .k = 5, .stride = 1},
    {"average of all pixels", ON(NODE_AVERAGE, 40, 13)},
    {"linear", ON(NODE_LINEAR, 200, 4), .oc = 37},
    {"concat", ON(NODE_CONCAT, 32, 9)},
    {"upsample", ON(NODE_UPSAMPLE, 24, 9)},
    {"scale by a gate", ON(NODE_SCALE, 40, 9)},
    {"dropout", ON(NODE_DROPOUT, 40, 9), .drop = 0.3},
};
enum { ROWS = sizeof rows / sizeof rows[0] };

static const struct backend {
    const char *name, *isa;
    bool onednn;
} backends[] = {{"base", "base", false},
                {"avx2", "avx2", false},
                {"avx512", "avx512", false},
                {"oneDNN", NULL, true}};
enum { BACKENDS = sizeof backends / sizeof backends[0] };

static int images_of(const struct row *r)
{
    return r->images ? r->images : IMAGES;
}

static bool backend_here(const struct backend *b)
{
    return b->onednn ? onednn_check(NULL) == RC_OK : kernels_get(b->isa) != NULL;
}

/* ---- the graph of a row */

static int lead(struct graph *g, int channels, const char *name)
{
    return graph_conv(g, &(struct conv_spec){.in = 0,
                                             .residual = GRAPH_NONE,
                                             .oc = channels,
                                             .k = 3,
                                             .stride = 1,
                                             .pad = 1,
                                             .conv_name = name});
}

static int add_conv(struct graph *g, const struct row *r, int in, int other)
{
    return graph_conv(g, &(struct conv_spec){.in = in,
                                             .residual = r->add == ADD_OTHER   ? other
                                                         : r->add == ADD_INPUT ? in
                                                                               : GRAPH_NONE,
                                             .oc = r->oc,
                                             .k = r->k,
                                             .stride = r->stride,
                                             .pad = r->k / 2,
                                             .depthwise = r->depthwise,
                                             .act = r->act,
                                             .conv_name = "op",
                                             .norm_name = r->norm ? "norm" : NULL,
                                             .residual_after = r->after,
                                             .drop = (float)r->drop,
                                             .dense = r->dense});
}

static int add_operator(struct graph *g, const struct row *r, int in, int other)
{
    switch (r->kind) {
    case NODE_CONV:
        return add_conv(g, r, r->dense ? graph_average(g, in) : in, other);
    case NODE_MAX_POOL:
        return graph_max_pool(g, in, r->k, r->stride, r->k / 2);
    case NODE_AVERAGE:
        return graph_average(g, in);
    case NODE_LINEAR:
        return graph_linear(g, graph_average(g, in), r->oc, "op");
    case NODE_CONCAT:
        return graph_concat(g, (const int[]){in, other, in}, 3);
    case NODE_UPSAMPLE:
        return graph_upsample(g, in);
    case NODE_SCALE:
        return graph_scale(g, in, graph_average(g, other));
    case NODE_DROPOUT:
        return graph_dropout(g, in, r->drop);
    case NODE_IMAGE:
        break;
    }
    return 0; /* the image itself is under every row */
}

static void fill(struct graph *g)
{
    for (size_t i = 0; i < g->param_count; i++) {
        const struct graph_param *p = &g->params[i];
        const double fan = p->fan_in ? (double)p->fan_in : 1;
        float *v = mem_alloc_array(p->count, sizeof *v);
        ASSERT(v);
        for (size_t k = 0; k < p->count; k++) {
            const double u = 2 * rand_unit(rand_at(11, i, k, 0)) - 1;
            v[k] = (float)(p->role == ROLE_SCALE      ? 2 + 0.7 * u
                           : p->role == ROLE_VARIANCE ? 1 + 0.3 * u
                           : p->dims == 1             ? 0.3 * u
                                                      : u * sqrt(3 / fan));
        }
        graph_param_write(g, p, NULL, 0, p->count, v);
        mem_free(v);
    }
}

static struct graph *graph_of(const struct row *r, const struct backend *b, bool train)
{
    const struct graph_config c = {.batch_max = images_of(r),
                                   .image_size = r->size,
                                   .train = train,
                                   .onednn = b->onednn,
                                   .threads = 2,
                                   .isa = b->isa,
                                   .no_winograd = r->by == ALGO_NONE};
    struct graph *g = NULL;
    struct err e = {0};

    CHECK_OK(graph_new(&g, &c, &e), &e);
    int in = graph_image(g), other = GRAPH_NONE;
    if (!r->stem)
        in = lead(g, r->ic, "lead");
    if (r->add == ADD_OTHER || r->kind == NODE_CONCAT || r->kind == NODE_SCALE)
        other = lead(g, r->ic, "other");
    const int op = add_operator(g, r, in, other);
    if (r->kind != NODE_LINEAR)
        graph_output(g, op);
    graph_set_step(g, 7, 3);
    CHECK_OK(graph_build(g, &e), &e);
    fill(g);
    return g;
}

/* ---- the same in double */

static float *image_of(const struct row *r, uint64_t draw)
{
    const size_t n = (size_t)(images_of(r) * 3 * r->size * r->size);
    float *x = mem_alloc_array(n, sizeof *x);

    ASSERT(x);
    for (size_t i = 0; i < n; i++)
        x[i] = (float)(3.4 * rand_unit(rand_at(12, draw, i, 0)) - 1.7);
    return x;
}

static double pull(size_t i)
{
    return (double)(float)(2 * rand_unit(rand_at(PULL, i, 0, 0)) - 1);
}

static int op_of(const struct exact *x)
{
    return graph_node_count(x->g) - 1;
}

/* Where an activation bends; how many. */
static size_t kinks_of(enum act act, double ret[2])
{
    switch (act) {
    case ACT_RELU:
        ret[0] = 0;
        return 1;
    case ACT_RELU6:
        ret[0] = 0;
        ret[1] = 6;
        return 2;
    case ACT_HARD_SWISH:
    case ACT_HARD_SIGMOID:
        ret[0] = -3;
        ret[1] = 3;
        return 2;
    case ACT_NONE:
    case ACT_SILU:
    case ACT_SIGMOID:
        break;
    }
    return 0;
}

/* The distance of the second largest in a window. */
static double pool_margin(const struct exact *x, size_t i)
{
    const struct graph_node *n = &x->node[op_of(x)], *in = &x->node[n->in[0]];
    const double *v = x->value[n->in[0]] + i / exact_plane(n) * exact_plane(in);
    const int oy = (int)(i % exact_plane(n)) / n->shape.w, ox = (int)i % n->shape.w;
    double first = -HUGE_VAL, second = -HUGE_VAL;

    for (int t = 0; t < n->k * n->k; t++) {
        const int iy = oy * n->stride - n->pad + t / n->k;
        const int ix = ox * n->stride - n->pad + t % n->k;
        if (iy < 0 || ix < 0 || iy >= in->shape.h || ix >= in->shape.w)
            continue;
        const double a = v[iy * in->shape.w + ix];
        second = a > first ? first : fmax(second, a);
        first = fmax(first, a);
    }
    return first - second;
}

static double margin(const struct exact *x)
{
    const int op = op_of(x);
    const struct graph_node *n = &x->node[op];
    double kinks[2], least = HUGE_VAL;
    const size_t count = n->kind == NODE_CONV ? kinks_of(n->act, kinks) : 0;

    for (size_t i = 0; i < exact_floats(x, op); i++) {
        for (size_t k = 0; k < count; k++)
            least = fmin(least, fabs(x->z[op][i] - kinks[k]));
        if (n->kind == NODE_MAX_POOL)
            least = fmin(least, pool_margin(x, i));
    }
    return least;
}

/* A picture away from the kinks, and all its values; the caller frees both. */
static struct exact *exact_of(const struct graph *g, const struct row *r, float **ret_image)
{
    struct exact *x = exact_new(g, images_of(r));

    for (uint64_t draw = 0; draw < DRAWS_MAX; draw++) {
        float *image = image_of(r, draw);
        exact_forward(x, image);
        if (margin(x) > MARGIN) {
            for (size_t i = 0; i < exact_floats(x, op_of(x)); i++)
                x->grad[op_of(x)][i] = pull(i);
            exact_backward(x);
            *ret_image = image;
            return x;
        }
        mem_free(image);
    }
    test_fail(__FILE__, __LINE__, "%s: no picture keeps away from the kinks", r->name);
}

static double pulled(struct exact *x, const float *image)
{
    double sum = 0;

    exact_forward(x, image);
    for (size_t i = 0; i < exact_floats(x, op_of(x)); i++)
        sum += pull(i) * x->value[op_of(x)][i];
    return sum;
}

/* Moves every trained parameter a little in a random direction: the pulled sum has to follow. */
static void check_exact(struct exact *x, const struct row *r, const float *image)
{
    const double h = 1e-7;

    for (uint64_t d = 0; d < FD_DIRECTIONS; d++) {
        double want = 0, size = 0, ends[2];
        for (int end = 0; end < 2; end++) {
            for (size_t p = 0; p < graph_param_count(x->g); p++)
                for (size_t i = 0; i < graph_param_at(x->g, p)->count; i++) {
                    const double u = 2 * rand_unit(rand_at(13, d, p, i)) - 1;
                    if (!param_trained(graph_param_at(x->g, p)))
                        continue;
                    x->param[p][i] += (end ? -2 : 1) * h * u;
                    want += end ? 0 : u * x->param_grad[p][i];
                    size += end ? 0 : pow(x->param_grad[p][i], 2) / 3;
                }
            ends[end] = pulled(x, image);
        }
        const double slope = (ends[0] - ends[1]) / (2 * h);
        if (!(fabs(slope - want) < 1e-6 * sqrt(size)))
            test_fail(__FILE__, __LINE__, "%s: the reference has slope %.9g, gradient %.9g",
                      r->name, slope, want);
        for (size_t p = 0; p < graph_param_count(x->g); p++)
            for (size_t i = 0; i < graph_param_at(x->g, p)->count; i++)
                if (param_trained(graph_param_at(x->g, p)))
                    x->param[p][i] += h * (2 * rand_unit(rand_at(13, d, p, i)) - 1);
    }
    exact_forward(x, image);
}

/* ---- the comparison */

struct figures {
    double out, input, params, inference;
};

static double apart(const double *want, const float *got, size_t n)
{
    double square = 0, of = 0;

    for (size_t i = 0; i < n; i++) {
        square += ((double)got[i] - want[i]) * ((double)got[i] - want[i]);
        of += want[i] * want[i];
    }
    return of > 0 ? sqrt(square / of) : HUGE_VAL; /* nothing to compare: the row is wrong */
}

/* A plain [image][c][h][w] of what lies in blocks, or in rows of logits; room for the largest. */
static const float *plain(const struct exact *x, int node, const float *from)
{
    static float room[1 << 18];

    ASSERT(exact_floats(x, node) <= sizeof room / sizeof room[0]);
    for (size_t i = 0; i < exact_floats(x, node); i++)
        room[i] = from[exact_blocked(x->node[node].shape, i)];
    return room;
}

static const float *values_of(const struct graph *g)
{
    return g->linear == GRAPH_NONE ? graph_output_values(g, 0) : graph_logits(g);
}

static void back(struct graph *g, const struct exact *x)
{
    const int op = op_of(x);
    float *to = g->linear == GRAPH_NONE ? graph_output_grad(g, 0) : graph_logits_grad(g);
    struct err e = {0};

    memset(to, 0, (size_t)x->count * node_image_floats(&g->nodes[op]) * sizeof *to);
    for (size_t i = 0; i < exact_floats(x, op); i++)
        to[exact_blocked(x->node[op].shape, i)] = (float)pull(i);
    CHECK_OK(graph_backward(g, x->count, &e), &e);
}

static bool of_operator(const struct graph_param *p)
{
    return param_trained(p) &&
           (strncmp(p->name, "op.", 3) == 0 || strncmp(p->name, "norm.", 5) == 0);
}

/* What arrived at the leads: a convolution with a bias alone leaves its gradient where it came. */
static double inputs_apart(const struct graph *g, const struct exact *x)
{
    double most = 0;

    for (int i = 1; i < op_of(x); i++)
        if (g->nodes[i].kind == NODE_CONV)
            most = fmax(most, apart(x->grad[i], plain(x, i, buffer_at(g, g->nodes[i].conv.dy)),
                                    exact_floats(x, i)));
    return most;
}

static double params_apart(const struct graph *g, const struct exact *x)
{
    double most = 0;

    for (size_t p = 0; p < g->param_count; p++) {
        const struct graph_param *param = &g->params[p];
        if (!of_operator(param))
            continue;
        float *v = mem_alloc_array(param->count, sizeof *v);
        ASSERT(v);
        graph_param_read(g, param, g->grads, v);
        most = fmax(most, apart(x->param_grad[p], v, param->count));
        mem_free(v);
    }
    return most;
}

/* A figure of the table; 0: the row has no such tensor. */
static void show(double figure)
{
    if (figure > 0)
        printf(" %.0e", figure);
    else
        printf(" %5s", "-");
}

/* `inference`: what exact.h gives by the running statistics. */
static struct figures figures_of(const struct row *r, const struct backend *b, struct exact *x,
                                 struct exact *inference, const float *image)
{
    struct graph *g = graph_of(r, b, true), *folded = graph_of(r, b, false);
    struct figures f;
    struct err e = {0};
    const int op = op_of(x);

    CHECK_OK(graph_forward(g, image, images_of(r), false, &e), &e);
    f.inference =
        apart(inference->value[op], plain(x, op, values_of(g)), exact_floats(inference, op));
    CHECK_OK(graph_forward(folded, image, images_of(r), false, &e), &e);
    f.inference = fmax(f.inference, apart(inference->value[op], plain(x, op, values_of(folded)),
                                          exact_floats(x, op)));
    CHECK_OK(graph_forward(g, image, images_of(r), true, &e), &e);
    f.out = apart(x->value[op], plain(x, op, values_of(g)), exact_floats(x, op));
    back(g, x);
    f.input = inputs_apart(g, x);
    f.params = params_apart(g, x);
    graph_free(g);
    graph_free(folded);
    return f;
}

static void check_row(const struct row *r)
{
    struct graph *g = graph_of(r, &backends[0], true);
    float *image = NULL;
    struct exact *x = exact_of(g, r, &image), *inference = exact_new(g, images_of(r));

    check_exact(x, r, image);
    inference->running = true;
    exact_forward(inference, image);
    printf("%-32s", r->name);
    for (int b = 0; b < BACKENDS; b++) {
        if (!backend_here(&backends[b])) {
            printf(" %24s", "-");
            continue;
        }
        const struct figures f = figures_of(r, &backends[b], x, inference, image);
        printf(" ");
        show(f.out);
        show(f.input);
        show(f.params);
        show(f.inference);
        if (!(f.out < BOUND && f.input < BOUND && f.params < BOUND && f.inference < BOUND))
            test_fail(__FILE__, __LINE__,
                      "%s on %s: output %.1e, input's gradient %.1e, parameters' %.1e, "
                      "inference %.1e apart; at most %.0e",
                      r->name, backends[b].name, f.out, f.input, f.params, f.inference, BOUND);
    }
    printf("\n");
    exact_done(x);
    exact_done(inference);
    mem_free(image);
    graph_free(g);
}

static void check_rows(int from)
{
    printf("%-32s", "");
    for (int b = 0; b < BACKENDS; b++)
        printf("  %-23s", backends[b].name);
    printf("\n%-32s", "relative L2");
    for (int b = 0; b < BACKENDS; b++)
        printf("  %-5s %-5s %-5s %-5s", "out", "in", "par", "infer");
    printf("\n");
    for (int i = from; i < from + ROWS_OF_TEST && i < ROWS; i++)
        check_row(&rows[i]);
}

/* Tests of a few rows: each has its own time limit. */
_Static_assert((int)ROWS <= 6 * (int)ROWS_OF_TEST, "rows without a test: add a line below");
#define OPERATORS(i)                                                                               \
    TEST(operators_##i##_agree_with_double_precision_on_every_backend)                             \
    {                                                                                              \
        check_rows((i) * (int)ROWS_OF_TEST);                                                       \
    }
OPERATORS(0)
OPERATORS(1)
OPERATORS(2)
OPERATORS(3)
OPERATORS(4)
OPERATORS(5)

/* ---- nothing is left out */

#define X(kind, name) [kind] = name,
static const char *const kind_names[] = {GRAPH_NODE_KINDS(X)};
#undef X
#define X(act) [act] = #act,
static const char *const act_names[] = {ACT_CASES(X)};
#undef X
#define X(algo, name) [algo] = #algo,
static const char *const algo_names[] = {ALGOS(X)};
#undef X
enum {
    KINDS = sizeof kind_names / sizeof kind_names[0],
    ACTS = sizeof act_names / sizeof act_names[0],
    ALGORITHMS = sizeof algo_names / sizeof algo_names[0],
};

struct seen {
    bool kind[KINDS], act[ACTS];
    bool forward[ALGORITHMS], data[ALGORITHMS], weights[ALGORITHMS], inference[ALGORITHMS];
};

static void note(struct seen *s, const struct graph *g)
{
    for (int i = 0; i < g->node_count; i++) {
        const struct node *n = &g->nodes[i];
        s->kind[n->kind] = true;
        if (n->kind != NODE_CONV)
            continue;
        s->act[n->conv.act] = true;
        if (!g->config.train) {
            s->inference[n->conv.forward] = true;
            continue;
        }
        s->forward[n->conv.forward] = true;
        s->data[n->conv.backward_data] = true;
        s->weights[n->conv.backward_weights] = true;
    }
}

static void want_all(const bool *seen, int n, const char *const *names)
{
    for (int i = 0; i < n; i++)
        if (!seen[i])
            test_fail(__FILE__, __LINE__, "no row of operators_test.c has %s", names[i]);
}

static void note_row(struct seen *s, const struct row *r)
{
    bool by = r->by == ALGO_NONE;

    for (int i = 0; i < 2 * BACKENDS; i++) {
        if (!backend_here(&backends[i / 2]))
            continue;
        struct graph *g = graph_of(r, &backends[i / 2], i % 2);
        note(s, g);
        by = by || g->nodes[g->node_count - 1].conv.forward == r->by;
        graph_free(g);
    }
    if (!by)
        test_fail(__FILE__, __LINE__, "%s is not computed by %s", r->name, algo_names[r->by]);
}

TEST(every_operator_activation_and_algorithm_has_a_row)
{
    struct seen s = {.inference[ALGO_NONE] = true};

    for (int i = 0; i < ROWS; i++)
        note_row(&s, &rows[i]);
    if (onednn_check(NULL) != RC_OK)
        s.inference[ALGO_ONEDNN] = true;
    want_all(s.kind, KINDS, kind_names);
    want_all(s.act, ACTS, act_names);
    for (int a = 0; a < ALGORITHMS; a++) {
        s.inference[a] |= s.forward[a];
        if (s.forward[a] && !(s.data[a] && s.weights[a]))
            test_fail(__FILE__, __LINE__, "no row has both gradients by %s", algo_names[a]);
    }
    want_all(s.inference, ALGORITHMS, algo_names);
}
