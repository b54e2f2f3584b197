/* export.c - the nodes of a network's graph as operators.
 *
 * Names: the result of a layer has the layer's name ("layer1.0.conv1"); its activation and sum have
 * "/act" and "/sum" behind it; its tensors ".weight" and ".bias"; a node without parameters is
 * called after its kind and number ("concat.12"). */
#include "engine/export/export_int.h"

#include "base/mem.h"
#include <math.h>
#include <string.h>

int export_one(struct exporter *x, enum op_kind kind, int in, const char *name)
{
    return program_op(x->p, &(struct program_op){.kind = kind, .in = {in}, .in_count = 1}, name);
}

int export_two(struct exporter *x, enum op_kind kind, int a, int b, const char *name)
{
    return program_op(x->p, &(struct program_op){.kind = kind, .in = {a, b}, .in_count = 2}, name);
}

static void name_of(char ret[PROGRAM_NAME_MAX], const char *base, const char *behind)
{
    const int n = snprintf(ret, PROGRAM_NAME_MAX, "%s%s", base, behind);

    ASSERT(n > 0 && n < PROGRAM_NAME_MAX);
}

/* ---- parameters */

static void read_param(const struct exporter *x, int param, float *ret)
{
    graph_param_read(x->g, graph_param_at(x->g, (size_t)param), NULL, ret);
}

/* The layer that a parameter belongs to: its name without the last part. */
static void layer_name(const struct exporter *x, int param, char ret[PROGRAM_NAME_MAX])
{
    const str name = str_of(graph_param_at(x->g, (size_t)param)->name);
    const ptrdiff_t dot = str_rchr(name, '.');

    ASSERT(dot > 0 && dot < PROGRAM_NAME_MAX);
    memcpy(ret, name.p, (size_t)dot);
    ret[dot] = 0;
}

/* w and b become those of the convolution with its batch norm in it, in double. */
static enum rc fold(const struct exporter *x, const struct graph_node *n, float *w, size_t each,
                    float *b)
{
    const int params[] = {n->scale, n->shift, n->mean, n->variance};
    const size_t oc = (size_t)n->shape.c;
    float *v = mem_alloc_array(oc * 4, sizeof *v);

    if (!v)
        return RC_NOMEM;
    for (size_t i = 0; i < 4; i++)
        read_param(x, params[i], v + i * oc);
    for (size_t o = 0; o < oc; o++) {
        const double scale = (double)v[o] / sqrt((double)v[3 * oc + o] + n->norm_eps);
        for (size_t i = 0; i < each; i++)
            w[o * each + i] = (float)((double)w[o * each + i] * scale);
        b[o] = (float)((double)v[oc + o] - (double)v[2 * oc + o] * scale);
    }
    mem_free(v);
    return RC_OK;
}

static enum rc add_weights(struct exporter *x, const struct graph_node *n, const char *layer,
                           int *ret_w, int *ret_b)
{
    const struct graph_param *p = graph_param_at(x->g, (size_t)n->weight);
    const int dims = n->kind == NODE_LINEAR ? 2 : 4;
    const int64_t shape[4] = {p->shape[0], p->shape[1], n->k, n->k};
    char name[PROGRAM_NAME_MAX];
    float *w, *b;

    name_of(name, layer, ".weight");
    *ret_w = program_constant(x->p, name, dims, shape, &w);
    name_of(name, layer, ".bias");
    *ret_b = program_constant(x->p, name, 1, shape, &b);
    if (!w || !b)
        return RC_OK; /* told by program_check */
    read_param(x, n->weight, w);
    if (n->bias != GRAPH_NONE)
        read_param(x, n->bias, b);
    return n->scale == GRAPH_NONE ? RC_OK : fold(x, n, w, p->count / (size_t)p->shape[0], b);
}

/* ---- nodes */

static int activation(struct exporter *x, enum act act, int in, const char *layer)
{
    char name[PROGRAM_NAME_MAX], gate[PROGRAM_NAME_MAX];
    struct program_op clip = {.kind = OP_CLIP, .in = {in}, .in_count = 1, .low = 0, .high = 6};

    name_of(name, layer, "/act");
    switch (act) {
    case ACT_NONE:
        return in;
    case ACT_RELU:
        return export_one(x, OP_RELU, in, name);
    case ACT_RELU6:
        return program_op(x->p, &clip, name);
    case ACT_SILU:
        name_of(gate, layer, "/gate");
        return export_two(x, OP_MUL, in, export_one(x, OP_SIGMOID, in, gate), name);
    case ACT_SIGMOID:
        return export_one(x, OP_SIGMOID, in, name);
    case ACT_HARD_SWISH:
        return export_one(x, OP_HARD_SWISH, in, name);
    case ACT_HARD_SIGMOID:
        return export_one(x, OP_HARD_SIGMOID, in, name);
    }
    return in;
}

static enum rc add_conv(struct exporter *x, const struct graph_node *n, int *ret)
{
    struct program_op o = {.kind = OP_CONV,
                           .in_count = 3,
                           .in = {x->value[n->in[0]]},
                           .k = n->k,
                           .stride = n->stride,
                           .pad = n->pad,
                           .group = n->depthwise ? n->shape.c : 1};
    char layer[PROGRAM_NAME_MAX], name[PROGRAM_NAME_MAX];

    layer_name(x, n->weight, layer);
    enum rc rc = add_weights(x, n, layer, &o.in[1], &o.in[2]);
    if (rc)
        return rc;
    int y = program_op(x->p, &o, layer);
    name_of(name, layer, "/sum");
    if (n->residual != GRAPH_NONE && !n->residual_after)
        y = export_two(x, OP_ADD, y, x->value[n->residual], name);
    y = activation(x, n->act, y, layer);
    if (n->residual != GRAPH_NONE && n->residual_after)
        y = export_two(x, OP_ADD, y, x->value[n->residual], name);
    *ret = y;
    return RC_OK;
}

static enum rc add_linear(struct exporter *x, const struct graph_node *n, int *ret)
{
    struct program_op o = {.kind = OP_GEMM, .in_count = 3};
    char layer[PROGRAM_NAME_MAX], name[PROGRAM_NAME_MAX];

    layer_name(x, n->weight, layer);
    name_of(name, layer, "/rows");
    o.in[0] = export_one(x, OP_FLATTEN, x->value[n->in[0]], name);
    enum rc rc = add_weights(x, n, layer, &o.in[1], &o.in[2]);
    if (!rc)
        *ret = program_op(x->p, &o, "logits");
    return rc;
}

/* Every kind of node has its case: a new one without does not compile (-Wswitch). */
static enum rc add_node(struct exporter *x, int number, int *ret)
{
    struct program_op o = {.in_count = 1};
    char name[PROGRAM_NAME_MAX];
    struct graph_node n;

    graph_node_at(x->g, number, &n);
    o.in[0] = n.in_count ? x->value[n.in[0]] : 0;
    switch (n.kind) {
    case NODE_IMAGE:
        *ret = x->image;
        break;
    case NODE_CONV:
        return add_conv(x, &n, ret);
    case NODE_LINEAR:
        return add_linear(x, &n, ret);
    case NODE_MAX_POOL:
        o.kind = OP_MAX_POOL;
        o.k = n.k;
        o.stride = n.stride;
        o.pad = n.pad;
        (void)snprintf(name, sizeof name, "max_pool.%d", number);
        *ret = program_op(x->p, &o, name);
        break;
    case NODE_AVERAGE:
        (void)snprintf(name, sizeof name, "average.%d", number);
        *ret = export_one(x, OP_GLOBAL_AVERAGE, o.in[0], name);
        break;
    case NODE_CONCAT:
        o.kind = OP_CONCAT;
        o.axis = 1;
        o.in_count = n.in_count;
        for (int i = 0; i < n.in_count; i++)
            o.in[i] = x->value[n.in[i]];
        (void)snprintf(name, sizeof name, "concat.%d", number);
        *ret = program_op(x->p, &o, name);
        break;
    case NODE_UPSAMPLE:
        o.kind = OP_RESIZE;
        o.factor = 2;
        (void)snprintf(name, sizeof name, "upsample.%d", number);
        *ret = program_op(x->p, &o, name);
        break;
    case NODE_SCALE:
        (void)snprintf(name, sizeof name, "scale.%d", number);
        *ret = export_two(x, OP_MUL, o.in[0], x->value[n.in[1]], name);
        break;
    case NODE_DROPOUT: /* inference drops nothing */
        *ret = o.in[0];
        break;
    }
    return RC_OK;
}

/* (v / 255 - mean) / std as v * factor + offset. */
static void normalise(struct exporter *x, const struct export_input *input)
{
    const int64_t shape[4] = {1, 3, 1, 1};
    float *factor, *offset;
    const int f = program_constant(x->p, "normalise.factor", 4, shape, &factor);
    const int o = program_constant(x->p, "normalise.offset", 4, shape, &offset);

    for (int c = 0; factor && offset && c < 3; c++) {
        factor[c] = (float)(1 / (255.0 * (double)input->std[c]));
        offset[c] = (float)(-(double)input->mean[c] / (double)input->std[c]);
    }
    x->image = export_two(x, OP_MUL, x->image, f, "images/scaled");
    x->image = export_two(x, OP_ADD, x->image, o, "images/normalised");
}

static enum rc build(struct exporter *x, const struct export_input *input)
{
    const int64_t size = x->info.image_size;
    enum rc rc = RC_OK;

    x->image = program_input(x->p, "images", 4, (const int64_t[4]){PROGRAM_BATCH, 3, size, size});
    if (input->pixels)
        normalise(x, input);
    for (int i = 0; i < graph_node_count(x->g) && !rc; i++)
        rc = add_node(x, i, &x->value[i]);
    return rc;
}

enum rc export_program(struct net *n, const struct export_input *input, struct program **ret,
                       struct err *e)
{
    struct exporter x = {.g = net_graph(n)};
    enum rc rc = program_new(&x.p, e);

    if (rc)
        return rc;
    net_get_info(n, &x.info);
    rc = build(&x, input);
    if (rc)
        rc = err_set(e, rc, "no memory for an export");
    if (!rc) {
        export_head(&x);
        rc = program_check(x.p, e);
    }
    if (rc) {
        program_free(x.p);
        return err_wrap(e, rc, "exporting %s", x.info.card->name);
    }
    *ret = x.p;
    return RC_OK;
}

int export_pixels(struct net *n)
{
    struct net_info info;

    net_get_info(n, &info);
    return info.card->task == NET_DETECTION || info.card->task == NET_SEGMENTATION ? info.image_size
                                                                                   : 0;
}

/* What a number of output i is measured in. */
static double unit_of(const struct program *p, int pixels, int i, size_t k)
{
    const struct program_value *v = &p->values[p->outputs[i]];

    if (!pixels || i > 0)
        return 1;
    return k / (size_t)v->shape[2] % (size_t)v->shape[1] < 4 ? pixels : 1;
}

double export_difference(const struct program *p, int pixels, const struct program_result *a,
                         const struct program_result *b)
{
    double most = 0;

    for (int i = 0; i < p->output_count; i++)
        for (size_t k = 0; k < b[i].n; k++) {
            const double unit = unit_of(p, pixels, i, k);
            const double have = (double)a[i].data[k] / unit, want = (double)b[i].data[k] / unit;
            const double d = have == want ? 0 : fabs(have - want) / fmax(1, fabs(want));
            if (!(d <= most)) /* also when it is not a number */
                most = isnan(d) ? isnan(have) && isnan(want) ? most : INFINITY : d;
        }
    return most;
}
