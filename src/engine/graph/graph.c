/* graph.c - describing a graph: nodes, their shapes and parameters. */
#include "base/mem.h"
#include "engine/graph/graph_int.h"

/* ---- nodes */

/* The first fault is kept: graph_build reports it. */
#define FAULT(g, code, ...) ((g)->rc = (g)->rc ? (g)->rc : err_set(&(g)->err, code, __VA_ARGS__))

static struct node *add_node(struct graph *g, enum node_kind kind, const int *in, int in_count)
{
    static struct node spare; /* keeps a failed description going until graph_build reports it */
    struct node *n = &spare;

    if (g->node_count < GRAPH_NODES_MAX)
        n = &g->nodes[g->node_count++];
    else
        FAULT(g, RC_LIMIT, "a network has at most %d nodes", GRAPH_NODES_MAX);
    *n = (struct node){.kind = kind,
                       .in_count = in_count,
                       .residual = GRAPH_NONE,
                       .output = GRAPH_NONE,
                       .weight = GRAPH_NONE,
                       .bias = GRAPH_NONE};
    for (int i = 0; i < in_count; i++) {
        ASSERT(in[i] >= 0 && in[i] < g->node_count);
        n->in[i] = in[i];
    }
    return n;
}

static int node_number(const struct graph *g)
{
    return g->node_count - 1;
}

static int window_count(int size, int k, int stride, int pad)
{
    return size + 2 * pad < k ? 0 : (size + 2 * pad - k) / stride + 1;
}

static void shape_conv(const struct graph *g, struct node *n)
{
    const struct node *from = input_of(g, n, 0);
    struct conv_shape *s = &n->conv.shape;

    s->ic = from->c_pad;
    s->oc = n->c_pad;
    s->ih = from->h;
    s->iw = from->w;
    s->oh = n->h = window_count(from->h, s->k, s->stride, s->pad);
    s->ow = n->w = window_count(from->w, s->k, s->stride, s->pad);
}

static void shape_pool(const struct graph *g, struct node *n)
{
    const struct node *from = input_of(g, n, 0);
    struct pool_shape *s = &n->pool;

    s->ih = from->h;
    s->iw = from->w;
    s->oh = n->h = window_count(from->h, s->k, s->stride, s->pad);
    s->ow = n->w = window_count(from->w, s->k, s->stride, s->pad);
}

/* Height and width, from those of the inputs. */
static void shape_node(struct graph *g, struct node *n)
{
    switch (n->kind) {
    case NODE_IMAGE:
        n->h = n->w = g->config.image_size;
        break;
    case NODE_CONV:
        shape_conv(g, n);
        break;
    case NODE_MAX_POOL:
        shape_pool(g, n);
        break;
    case NODE_AVERAGE:
    case NODE_LINEAR:
        n->h = n->w = 1;
        break;
    case NODE_UPSAMPLE:
        n->h = 2 * input_of(g, n, 0)->h;
        n->w = 2 * input_of(g, n, 0)->w;
        break;
    case NODE_CONCAT:
    case NODE_SCALE:
    case NODE_DROPOUT:
        n->h = input_of(g, n, 0)->h;
        n->w = input_of(g, n, 0)->w;
        break;
    }
    if (n->h < 1 || n->w < 1)
        FAULT(g, RC_INVALID,
              "the image is too small for this network: %s would have no pixels at %d pixels a "
              "side",
              n->kind == NODE_CONV ? g->params[n->conv.weight].name : "a pool",
              g->config.image_size);
}

/* Inputs that have to agree, once every shape is known. */
static void check_node(struct graph *g, const struct node *n, int number)
{
    const struct node *from = n->in_count ? input_of(g, n, 0) : NULL;
    bool same = true;

    if (n->residual != GRAPH_NONE) {
        const struct node *r = &g->nodes[n->residual];
        same = r->c == n->c && r->h == n->h && r->w == n->w;
    }
    for (int i = 1; i < n->in_count && n->kind == NODE_CONCAT; i++)
        same = same && input_of(g, n, i)->h == n->h && input_of(g, n, i)->w == n->w;
    if (n->kind == NODE_SCALE)
        same =
            input_of(g, n, 1)->c == n->c && input_of(g, n, 1)->h == 1 && input_of(g, n, 1)->w == 1;
    if (!same)
        FAULT(g, RC_INVALID,
              "an image of %d pixels a side does not fit this network: the inputs of node %d have "
              "different sizes (use a multiple of its largest stride)",
              g->config.image_size, number);
    if (from && from->kind == NODE_IMAGE && n->kind != NODE_CONV)
        FAULT(g, RC_INVALID, "node %d reads the image; only a convolution can", number);
}

int graph_image(struct graph *g)
{
    struct node *n = add_node(g, NODE_IMAGE, NULL, 0);

    n->c = 3;
    n->c_pad = CH_IMAGE;
    shape_node(g, n);
    return node_number(g);
}

static int add_vector(struct graph *g, const char *owner, const char *last, enum param_role role,
                      int n)
{
    return param_add(g, owner, last, FORM_VECTOR, role, 1, (const int64_t[4]){n}, 0);
}

static void set_dropout(struct graph *g, struct node *n, double p)
{
    n->dropout = p;
    n->stream = g->streams++;
}

static void add_conv_params(struct graph *g, struct conv_node *c, const struct conv_spec *s,
                            const struct node *from)
{
    const bool stem = from->kind == NODE_IMAGE;
    const enum param_form form = s->depthwise ? FORM_DEPTHWISE : stem ? FORM_STEM : FORM_CONV;
    const int ic = s->depthwise ? 1 : from->c;
    const int64_t shape[4] = {s->oc, ic, s->k, s->k};

    c->bias = c->scale = c->shift = c->mean = c->variance = GRAPH_NONE;
    c->weight = param_add(g, s->conv_name, "weight", form, s->dense ? ROLE_LINEAR : ROLE_CONV,
                          s->dense ? 2 : 4, shape, (int64_t)ic * s->k * s->k);
    if (!s->norm_name) {
        c->bias = add_vector(g, s->conv_name, "bias", s->dense ? ROLE_LINEAR_BIAS : ROLE_CONV_BIAS,
                             s->oc);
        g->params[c->bias].initial = (double)s->bias_init;
        g->params[c->bias].fan_in = g->params[c->weight].fan_in;
        return;
    }
    c->scale = add_vector(g, s->norm_name, "weight", ROLE_SCALE, s->oc);
    g->params[c->scale].initial = s->scale_zero ? 0 : 1;
    c->shift = add_vector(g, s->norm_name, "bias", ROLE_SHIFT, s->oc);
    c->mean = add_vector(g, s->norm_name, "running_mean", ROLE_MEAN, s->oc);
    c->variance = add_vector(g, s->norm_name, "running_var", ROLE_VARIANCE, s->oc);
}

int graph_conv(struct graph *g, const struct conv_spec *s)
{
    struct node *n = add_node(g, NODE_CONV, &s->in, 1);
    const struct node *from = &g->nodes[s->in];
    struct conv_node *c = &n->conv;

    ASSERT(s->residual == GRAPH_NONE || s->residual_after || s->act <= ACT_RELU6);
    ASSERT(s->residual == GRAPH_NONE || g->nodes[s->residual].kind != NODE_IMAGE);
    ASSERT(!s->depthwise || (s->oc == from->c && from->kind != NODE_IMAGE));
    ASSERT(!s->dense || (s->k == 1 && from->h == 1 && !s->norm_name && !s->depthwise));
    ASSERT(s->drop <= 0 || (s->residual_after && s->act == ACT_NONE && s->drop < 1));
    n->residual = s->residual;
    if (s->drop > 0)
        set_dropout(g, n, (double)s->drop);
    n->c = s->oc;
    n->c_pad = ch_pad(s->oc);
    c->act = s->act;
    c->norm = s->norm_name;
    c->residual_after = s->residual != GRAPH_NONE && s->residual_after;
    c->eps = s->norm_eps > 0 ? (double)s->norm_eps : BN_EPSILON;
    c->momentum = s->norm_momentum > 0 ? (double)s->norm_momentum : BN_MOMENTUM;
    c->shape = (struct conv_shape){
        .k = s->k, .stride = s->stride, .pad = s->pad, .depthwise = s->depthwise};
    add_conv_params(g, c, s, from);
    shape_node(g, n);
    c->saved = g->saved_floats;
    g->saved_floats += 4 * (size_t)n->c_pad;
    if (n->c_pad > g->channels_most)
        g->channels_most = n->c_pad;
    return node_number(g);
}

/* A node whose channels are those of its first input. */
static struct node *add_like(struct graph *g, enum node_kind kind, const int *in, int in_count)
{
    struct node *n = add_node(g, kind, in, in_count);

    n->c = g->nodes[in[0]].c;
    n->c_pad = g->nodes[in[0]].c_pad;
    return n;
}

int graph_max_pool(struct graph *g, int in, int k, int stride, int pad)
{
    struct node *n = add_like(g, NODE_MAX_POOL, &in, 1);

    ASSERT(k >= 1 && k <= 15 && stride >= 1 && pad >= 0 && pad <= k / 2);
    n->pool = (struct pool_shape){.k = k, .stride = stride, .pad = pad};
    shape_node(g, n);
    return node_number(g);
}

int graph_average(struct graph *g, int in)
{
    shape_node(g, add_like(g, NODE_AVERAGE, &in, 1));
    return node_number(g);
}

int graph_concat(struct graph *g, const int *in, int count)
{
    ASSERT(count >= 2 && count <= GRAPH_CONCAT_MAX);
    struct node *n = add_node(g, NODE_CONCAT, in, count);

    for (int i = 0; i < count; i++) {
        if (g->nodes[in[i]].c % CH && i < count - 1)
            FAULT(g, RC_INVALID,
                  "node %d concatenates %d channels before others; that must be a multiple of %d",
                  node_number(g), g->nodes[in[i]].c, CH);
        n->c += g->nodes[in[i]].c;
    }
    n->c_pad = ch_pad(n->c);
    shape_node(g, n);
    return node_number(g);
}

int graph_upsample(struct graph *g, int in)
{
    shape_node(g, add_like(g, NODE_UPSAMPLE, &in, 1));
    return node_number(g);
}

int graph_scale(struct graph *g, int x, int by)
{
    shape_node(g, add_like(g, NODE_SCALE, (const int[]){x, by}, 2));
    return node_number(g);
}

int graph_dropout(struct graph *g, int in, double p)
{
    struct node *n = add_like(g, NODE_DROPOUT, &in, 1);

    ASSERT(p >= 0 && p < 1);
    set_dropout(g, n, p);
    shape_node(g, n);
    return node_number(g);
}

int graph_linear(struct graph *g, int in, int classes, const char *name)
{
    struct node *n = add_node(g, NODE_LINEAR, &in, 1);
    const int64_t fan_in = g->nodes[in].c;

    ASSERT(g->linear == GRAPH_NONE && g->nodes[in].h == 1 && g->nodes[in].w == 1);
    g->linear = node_number(g);
    n->c = classes;
    n->c_pad = ch_pad(classes);
    shape_node(g, n);
    n->weight = param_add(g, name, "weight", FORM_LINEAR, ROLE_LINEAR, 2,
                          (const int64_t[4]){classes, fan_in}, fan_in);
    n->bias = add_vector(g, name, "bias", ROLE_LINEAR_BIAS, classes);
    g->params[n->bias].fan_in = fan_in;
    return node_number(g);
}

int graph_output(struct graph *g, int node)
{
    struct node *n = &g->nodes[node];

    ASSERT(node > 0 && node < g->node_count && n->kind != NODE_LINEAR);
    ASSERT(n->output == GRAPH_NONE && g->output_count < GRAPH_OUTPUTS_MAX);
    n->output = g->output_count;
    g->outputs[g->output_count] = node;
    return g->output_count++;
}

/* ---- life */

enum rc graph_new(struct graph **ret, const struct graph_config *c, struct err *e)
{
    struct graph *g = mem_zalloc(sizeof *g);

    if (!g)
        return err_set(e, RC_NOMEM, "out of memory for a network");
    g->config = *c;
    g->k = kernels_get(c->isa);
    ASSERT(g->k);
    g->shard = (c->batch_max + SHARDS - 1) / SHARDS;
    g->images_pad = (c->batch_max + g->shard - 1) / g->shard * g->shard;
    g->fold_stale = true;
    g->linear = GRAPH_NONE;
    enum rc rc = RC_OK;
    if (c->onednn)
        rc = onednn_new(&g->onednn, c->threads, e);
    if (!rc)
        rc = crew_new(&g->crew, c->threads, c->onednn ? onednn_enter_thread : NULL, e);
    if (rc) {
        graph_free(g);
        return rc;
    }
    *ret = g;
    return RC_OK;
}

void graph_free(struct graph *g)
{
    if (!g)
        return;
    crew_free(g->crew);
    for (int i = 0; i < g->node_count; i++)
        if (g->nodes[i].kind == NODE_CONV)
            onednn_conv_free(g->nodes[i].conv.onednn);
    onednn_free(g->onednn);
    plan_done(&g->plan);
    mem_free(g->arena);
    mem_free(g->work);
    mem_free(g->scratch);
    mem_free(g->values);
    mem_free(g->grads);
    mem_free(g->state[0]);
    mem_free(g->state[1]);
    mem_free(g->stats);
    mem_free(g->sums);
    mem_free(g->average);
    mem_free(g->average_stats);
    mem_free(g->saved);
    mem_free(g->shard_sums);
    mem_free(g->grad_means);
    mem_free(g->folded);
    mem_free(g->logits_grad);
    mem_free(g->laps);
    mem_free(g);
}

/* The last reader of each node, forward: until then nothing may be written over it. */
static void find_last_uses(struct graph *g)
{
    for (int i = 0; i < g->node_count; i++) {
        struct node *n = &g->nodes[i];
        for (int k = 0; k < n->in_count; k++)
            g->nodes[n->in[k]].last_use = i;
        if (n->residual != GRAPH_NONE)
            g->nodes[n->residual].last_use = i;
    }
    for (int k = 0; k < g->output_count; k++)
        g->nodes[g->outputs[k]].last_use = g->node_count;
}

static void check_nodes(struct graph *g)
{
    for (int i = 0; i < g->node_count; i++) {
        const struct node *n = &g->nodes[i];
        check_node(g, n, i);
        if (n->kind != NODE_LINEAR && !n->last_use)
            FAULT(g, RC_INVALID, "nothing reads node %d of the network", i);
    }
}

static enum rc verdict(const struct graph *g, struct err *e)
{
    if (g->rc && e)
        *e = g->err;
    return g->rc;
}

/* Algorithms, kernels and memory for the shapes as they are. */
static enum rc make_plan(struct graph *g, struct err *e)
{
    g->work_floats = g->scratch_floats = g->folded_floats = 0;
    g->fold_stale = true;
    piece_plan(g);
    for (int i = 0; i < g->node_count; i++)
        if (g->nodes[i].kind == NODE_CONV) {
            struct conv_node *c = &g->nodes[i].conv;
            onednn_conv_free(c->onednn);
            c->onednn = NULL;
            enum rc rc = conv_choose(g, &g->nodes[i], e);
            if (rc)
                return rc;
        }
    return graph_place(g, e);
}

enum rc graph_build(struct graph *g, struct err *e)
{
    ASSERT(g->node_count > 1 && (g->linear != GRAPH_NONE || g->output_count > 0));
    find_last_uses(g);
    check_nodes(g);
    return g->rc ? verdict(g, e) : make_plan(g, e);
}

static void shape_all(struct graph *g, int image_size)
{
    g->config.image_size = image_size;
    for (int i = 0; i < g->node_count; i++)
        shape_node(g, &g->nodes[i]);
}

enum rc graph_resize(struct graph *g, int image_size, struct err *e)
{
    const int before = g->config.image_size;
    enum rc rc;

    if (g->rc || image_size == before)
        return verdict(g, e);
    shape_all(g, image_size);
    check_nodes(g);
    rc = g->rc ? verdict(g, e) : make_plan(g, e);
    if (!rc)
        return RC_OK;
    g->rc = RC_OK;
    shape_all(g, before);
    g->rc = make_plan(g, &g->err); /* if that fails, too, it stays failed */
    return rc;
}
