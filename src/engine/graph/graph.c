/* graph.c - describing a graph: nodes, shapes, parameters and their plain form. */
#include "base/mem.h"
#include "engine/graph/graph_int.h"
#include <stdio.h>
#include <string.h>

/* ---- parameters */

static size_t param_room(const struct graph_param *p)
{
    const size_t o = (size_t)p->shape[0], taps = (size_t)(p->shape[2] * p->shape[3]);

    switch (p->form) {
    case FORM_VECTOR:
        return (size_t)ch_pad((int)o);
    case FORM_CONV:
        return (size_t)ch_pad((int)o) * (size_t)ch_pad((int)p->shape[1]) * taps;
    case FORM_STEM:
        return (size_t)ch_pad((int)o) * CH_IMAGE * taps;
    case FORM_DEPTHWISE:
        return (size_t)ch_pad((int)o) * taps;
    case FORM_LINEAR:
        return o * (size_t)ch_pad((int)p->shape[1]);
    }
    return 0;
}

/* Where element (o, i, tap) of the plain tensor lies; the layouts of kernel.h. */
static size_t param_place(const struct graph_param *p, size_t o, size_t i, size_t tap)
{
    const size_t taps = (size_t)(p->shape[2] * p->shape[3]);
    const size_t in = (size_t)ch_pad((int)p->shape[1]);

    switch (p->form) {
    case FORM_VECTOR:
        return o;
    case FORM_CONV:
        return ((o / CH * (in / CH) + i / CH) * taps + tap) * CH * CH + i % CH * CH + o % CH;
    case FORM_STEM:
        return ((o / CH * taps + tap) * CH_IMAGE + i) * CH + o % CH;
    case FORM_DEPTHWISE:
        return (o / CH * taps + tap) * CH + o % CH;
    case FORM_LINEAR:
        return o * in + i;
    }
    return 0;
}

static int add_param(struct graph *g, const char *owner, const char *last, enum param_form form,
                     enum param_role role, int dims, const int64_t shape[4])
{
    if (g->param_count == GRAPH_PARAMS_MAX) {
        g->rc = err_set(&g->err, RC_LIMIT, "a network has at most %d tensors", GRAPH_PARAMS_MAX);
        return 0;
    }
    struct graph_param *p = &g->params[g->param_count];
    *p = (struct graph_param){.form = form, .role = role, .dims = dims, .count = 1};
    const int length = snprintf(p->name, sizeof p->name, "%s.%s", owner, last);
    ASSERT(length > 0 && (size_t)length < sizeof p->name);
    for (int d = 0; d < 4; d++) {
        p->shape[d] = d < dims ? shape[d] : 1;
        p->count *= (size_t)p->shape[d];
    }
    p->room = param_room(p);
    size_t *arena = param_trained(p) ? &g->value_floats : &g->stat_floats;
    p->at = *arena;
    *arena += (p->room + CH - 1) / CH * CH;
    return (int)g->param_count++;
}

static int add_vector(struct graph *g, const char *owner, const char *last, enum param_role role,
                      int n)
{
    return add_param(g, owner, last, FORM_VECTOR, role, 1, (const int64_t[4]){n});
}

size_t graph_param_count(const struct graph *g)
{
    return g->param_count;
}

const struct graph_param *graph_param_at(const struct graph *g, size_t i)
{
    ASSERT(i < g->param_count);
    return &g->params[i];
}

static float *param_arena(const struct graph *g, const struct graph_param *p, const float *arena)
{
    const bool average = arena && arena == g->average;
    const float *stats = average ? g->average_stats : g->stats;
    const float *all = !param_trained(p) ? stats : arena ? arena : g->values;

    return (float *)(uintptr_t)all + p->at; /* one of the graph's own arenas, all writable */
}

/* Calls for `n` elements of the plain tensor from element `from` on: reads them into `out` if there
 * is one, else writes them from `in`. */
static void param_copy(const struct graph_param *p, float *laid_out, size_t from, size_t n,
                       const float *in, float *out)
{
    const size_t taps = (size_t)(p->shape[2] * p->shape[3]), inputs = (size_t)p->shape[1];
    size_t o = from / taps / inputs, i = from / taps % inputs, t = from % taps;

    for (size_t at = 0; at < n; at++) {
        float *there = laid_out + param_place(p, o, i, t);
        if (out)
            out[at] = *there;
        else
            *there = in[at];
        if (++t < taps)
            continue;
        t = 0;
        if (++i < inputs)
            continue;
        i = 0;
        o++;
    }
}

void graph_param_read(const struct graph *g, const struct graph_param *p, const float *arena,
                      float *ret)
{
    param_copy(p, param_arena(g, p, arena), 0, p->count, NULL, ret);
}

void graph_param_write(struct graph *g, const struct graph_param *p, float *arena, size_t from,
                       size_t n, const float *v)
{
    ASSERT(from + n <= p->count);
    param_copy(p, param_arena(g, p, arena), from, n, v, NULL);
    __atomic_store_n(&g->fold_stale, true, __ATOMIC_RELAXED);
}

/* ---- nodes */

static struct node *add_node(struct graph *g, enum node_kind kind, int in)
{
    static struct node spare; /* keeps a failed description going until graph_build reports it */

    if (g->node_count == GRAPH_NODES_MAX) {
        g->rc = err_set(&g->err, RC_LIMIT, "a network has at most %d nodes", GRAPH_NODES_MAX);
        return &spare;
    }
    struct node *n = &g->nodes[g->node_count++];
    *n = (struct node){.kind = kind, .in = in, .residual = GRAPH_NONE, .dx = -1};
    ASSERT(in < g->node_count - 1);
    return n;
}

static int node_number(const struct graph *g)
{
    return g->node_count - 1;
}

int graph_image(struct graph *g)
{
    struct node *n = add_node(g, NODE_IMAGE, GRAPH_NONE);

    n->c = 3;
    n->c_pad = CH_IMAGE;
    n->h = n->w = g->config.image_size;
    return node_number(g);
}

static void add_conv_params(struct graph *g, struct conv_node *c, const struct conv_spec *s, int ic)
{
    const bool stem = ic == 3;
    const enum param_form form = s->depthwise ? FORM_DEPTHWISE : stem ? FORM_STEM : FORM_CONV;
    const int64_t shape[4] = {s->oc, s->depthwise ? 1 : ic, s->k, s->k};

    c->weight = add_param(g, s->conv_name, "weight", form, ROLE_CONV, 4, shape);
    c->scale = add_vector(g, s->norm_name, "weight", ROLE_SCALE, s->oc);
    c->shift = add_vector(g, s->norm_name, "bias", ROLE_SHIFT, s->oc);
    c->mean = add_vector(g, s->norm_name, "running_mean", ROLE_MEAN, s->oc);
    c->variance = add_vector(g, s->norm_name, "running_var", ROLE_VARIANCE, s->oc);
}

int graph_conv(struct graph *g, const struct conv_spec *s)
{
    struct node *n = add_node(g, NODE_CONV, s->in);
    const struct node *from = &g->nodes[s->in];
    struct conv_node *c = &n->conv;

    ASSERT(s->residual == GRAPH_NONE || s->act != ACT_SILU);
    n->residual = s->residual;
    n->c = s->oc;
    n->c_pad = ch_pad(s->oc);
    c->act = s->act;
    c->shape = (struct conv_shape){.ic = from->c_pad,
                                   .oc = n->c_pad,
                                   .ih = from->h,
                                   .iw = from->w,
                                   .oh = (from->h + 2 * s->pad - s->k) / s->stride + 1,
                                   .ow = (from->w + 2 * s->pad - s->k) / s->stride + 1,
                                   .k = s->k,
                                   .stride = s->stride,
                                   .pad = s->pad,
                                   .depthwise = s->depthwise};
    n->h = c->shape.oh;
    n->w = c->shape.ow;
    if (n->h < 1 || n->w < 1)
        g->rc = err_set(&g->err, RC_INVALID,
                        "the image is too small for this network: %s would "
                        "have no pixels",
                        s->conv_name);
    if (s->residual != GRAPH_NONE) {
        const struct node *r = &g->nodes[s->residual];
        ASSERT(r->c == n->c && r->h == n->h && r->w == n->w);
    }
    add_conv_params(g, c, s, from->c);
    c->saved = g->saved_floats;
    g->saved_floats += 4 * (size_t)n->c_pad;
    return node_number(g);
}

int graph_max_pool(struct graph *g, int in)
{
    struct node *n = add_node(g, NODE_MAX_POOL, in);
    const struct node *from = &g->nodes[in];

    n->c = from->c;
    n->c_pad = from->c_pad;
    n->h = (from->h - 1) / 2 + 1;
    n->w = (from->w - 1) / 2 + 1;
    return node_number(g);
}

int graph_average(struct graph *g, int in)
{
    struct node *n = add_node(g, NODE_AVERAGE, in);

    n->c = g->nodes[in].c;
    n->c_pad = g->nodes[in].c_pad;
    n->h = n->w = 1;
    return node_number(g);
}

int graph_linear(struct graph *g, int in, int classes, const char *name)
{
    struct node *n = add_node(g, NODE_LINEAR, in);

    n->c = classes;
    n->c_pad = ch_pad(classes);
    n->h = n->w = 1;
    n->weight = add_param(g, name, "weight", FORM_LINEAR, ROLE_LINEAR, 2,
                          (const int64_t[4]){classes, g->nodes[in].c});
    n->bias = add_vector(g, name, "bias", ROLE_LINEAR_BIAS, classes);
    return node_number(g);
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
    mem_free(g->folded);
    mem_free(g->logits_grad);
    mem_free(g->laps);
    mem_free(g);
}

enum rc graph_build(struct graph *g, struct err *e)
{
    ASSERT(g->node_count > 1 && g->nodes[g->node_count - 1].kind == NODE_LINEAR);
    if (g->rc) {
        if (e)
            *e = g->err;
        return g->rc;
    }
    for (int i = 0; i < g->node_count; i++)
        if (g->nodes[i].kind == NODE_CONV) {
            enum rc rc = conv_choose(g, &g->nodes[i], e);
            if (rc)
                return rc;
        }
    return graph_place(g, e);
}

/* ---- looking inside */

const float *graph_logits(const struct graph *g)
{
    return buffer_at(g, g->nodes[g->node_count - 1].out);
}

float *graph_logits_grad(struct graph *g)
{
    return g->logits_grad;
}

int graph_logits_row(const struct graph *g)
{
    return g->nodes[g->node_count - 1].c_pad;
}

int graph_classes(const struct graph *g)
{
    return g->nodes[g->node_count - 1].c;
}

float *graph_values(struct graph *g)
{
    g->fold_stale = true;
    return g->values;
}

float *graph_grads(struct graph *g)
{
    return g->grads;
}

float *graph_state(struct graph *g, int which)
{
    ASSERT(which >= 0 && which < g->config.states);
    return g->state[which];
}

float *graph_sums(struct graph *g)
{
    ASSERT(g->config.accumulate);
    return g->sums;
}

float *graph_average_values(struct graph *g)
{
    ASSERT(g->config.average);
    return g->average;
}

static void swap(float **a, float **b)
{
    float *const kept = *a;

    *a = *b;
    *b = kept;
}

void graph_swap_average(struct graph *g)
{
    ASSERT(g->config.average);
    swap(&g->values, &g->average);
    swap(&g->stats, &g->average_stats);
    g->fold_stale = true;
}

void graph_average_statistics(struct graph *g, float d)
{
    g->k->blend(g->average_stats, g->stats, d, g->stat_floats);
}

size_t graph_arena_floats(const struct graph *g)
{
    return g->value_floats;
}

struct crew *graph_crew(struct graph *g)
{
    return g->crew;
}

const struct kernels *graph_kernels(const struct graph *g)
{
    return g->k;
}

uint64_t graph_bytes(const struct graph *g)
{
    return g->bytes;
}

double graph_flops(const struct graph *g)
{
    double flops = 0;

    for (int i = 0; i < g->node_count; i++)
        if (g->nodes[i].kind == NODE_CONV) {
            const struct node *n = &g->nodes[i];
            flops += 2.0 * (double)g->params[n->conv.weight].count * n->h * n->w;
        }
    return flops;
}

void graph_describe(const struct graph *g, struct buf *out)
{
    static const char *const kinds[] = {"image", "conv", "max pool", "average", "linear"};

    buf_printf(out, "%4s %-9s %-34s %4s %4s %6s %-9s  %s\n", "node", "kind", "name", "from", "add",
               "c", "h x w", "forward, gradient of input, of weights");
    for (int i = 0; i < g->node_count; i++) {
        const struct node *n = &g->nodes[i];
        const int param = n->kind == NODE_CONV ? n->conv.weight : n->weight;
        const bool named = n->kind == NODE_CONV || n->kind == NODE_LINEAR;
        buf_printf(out, "%4d %-9s %-34s %4d %4d %6d %4dx%-4d", i, kinds[n->kind],
                   named ? g->params[param].name : "", n->in, n->residual, n->c, n->h, n->w);
        if (n->kind == NODE_CONV) {
            const struct conv_node *c = &n->conv;
            buf_printf(out, "  %s", algo_name(c->forward));
            if (g->config.train)
                buf_printf(out, ", %s, %s", algo_name(c->backward_data),
                           algo_name(c->backward_weights));
            if (c->onednn)
                buf_printf(out, " (%s)", onednn_conv_name(c->onednn));
        }
        buf_putc(out, '\n');
    }
    buf_printf(out,
               "\nkernels %s, %d threads, %s; batch %d in shards of %d images\n"
               "activations and gradients %.1f MiB (%.1f without sharing), parameters %.1f MiB, "
               "folded %.1f MiB, work %.1f MiB, scratch %.1f MiB a thread, all %.1f MiB\n",
               g->k->isa, g->config.threads, g->onednn ? "oneDNN" : "portable", g->config.batch_max,
               g->shard, (double)g->plan.bytes / 1048576.0,
               (double)g->plan.bytes_unshared / 1048576.0, (double)g->value_floats * 4 / 1048576.0,
               (double)g->folded_floats * 4 / 1048576.0, (double)g->work_floats * 4 / 1048576.0,
               (double)g->scratch_floats * 4 / 1048576.0, (double)g->bytes / 1048576.0);
}
