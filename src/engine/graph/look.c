/* look.c - looking into a built graph: outputs, arenas, nodes, a description for people. */
#include "engine/graph/graph_int.h"

void graph_set_step(struct graph *g, uint64_t seed, uint64_t step)
{
    g->seed = seed;
    g->step = step;
}

const float *graph_logits(const struct graph *g)
{
    ASSERT(g->linear != GRAPH_NONE);
    return buffer_at(g, g->nodes[g->linear].out);
}

float *graph_logits_grad(struct graph *g)
{
    return g->logits_grad;
}

int graph_logits_row(const struct graph *g)
{
    return g->linear == GRAPH_NONE ? 0 : g->nodes[g->linear].c_pad;
}

int graph_classes(const struct graph *g)
{
    return g->linear == GRAPH_NONE ? 0 : g->nodes[g->linear].c;
}

/* ---- outputs */

int graph_output_count(const struct graph *g)
{
    return g->output_count;
}

int graph_output_node(const struct graph *g, int k)
{
    ASSERT(k >= 0 && k < g->output_count);
    return g->outputs[k];
}

struct graph_shape graph_output_shape(const struct graph *g, int k)
{
    const struct node *n = &g->nodes[graph_output_node(g, k)];

    return (struct graph_shape){n->c, n->c_pad, n->h, n->w};
}

const float *graph_output_values(const struct graph *g, int k)
{
    return buffer_at(g, g->nodes[graph_output_node(g, k)].out);
}

float *graph_output_grad(struct graph *g, int k)
{
    ASSERT(g->config.train && k >= 0 && k < g->output_count);
    return buffer_at(g, g->output_grads[k]);
}

/* ---- arenas */

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

/* ---- nodes */

int graph_node_count(const struct graph *g)
{
    return g->node_count;
}

void graph_node_at(const struct graph *g, int i, struct graph_node *ret)
{
    ASSERT(i >= 0 && i < g->node_count);
    const struct node *n = &g->nodes[i];
    const struct conv_node *c = &n->conv;
    const bool conv = n->kind == NODE_CONV, pool = n->kind == NODE_MAX_POOL;

    *ret = (struct graph_node){.kind = n->kind,
                               .in_count = n->in_count,
                               .shape = {n->c, n->c_pad, n->h, n->w},
                               .residual = n->residual,
                               .residual_after = conv && c->residual_after,
                               .k = conv   ? c->shape.k
                                    : pool ? n->pool.k
                                           : 0,
                               .stride = conv   ? c->shape.stride
                                         : pool ? n->pool.stride
                                                : 0,
                               .pad = conv   ? c->shape.pad
                                      : pool ? n->pool.pad
                                             : 0,
                               .depthwise = conv && c->shape.depthwise,
                               .act = conv ? c->act : ACT_NONE,
                               .norm_eps = conv && c->norm ? c->eps : 0,
                               .dropout = n->dropout,
                               .weight = conv ? c->weight : n->weight,
                               .bias = conv ? c->bias : n->bias,
                               .scale = conv ? c->scale : GRAPH_NONE,
                               .shift = conv ? c->shift : GRAPH_NONE,
                               .mean = conv ? c->mean : GRAPH_NONE,
                               .variance = conv ? c->variance : GRAPH_NONE};
    for (int k = 0; k < n->in_count; k++)
        ret->in[k] = n->in[k];
}

void graph_describe(const struct graph *g, struct buf *out)
{
#define X(kind, name) [kind] = name,
    static const char *const kinds[] = {GRAPH_NODE_KINDS(X)};
#undef X

    buf_printf(out, "%4s %-9s %-34s %4s %4s %6s %-9s  %s\n", "node", "kind", "name", "from", "add",
               "c", "h x w", "forward, gradient of input, of weights");
    for (int i = 0; i < g->node_count; i++) {
        const struct node *n = &g->nodes[i];
        const int param = n->kind == NODE_CONV ? n->conv.weight : n->weight;
        const bool named = n->kind == NODE_CONV || n->kind == NODE_LINEAR;
        buf_printf(out, "%4d %-9s %-34s %4d %4d %6d %4dx%-4d", i, kinds[n->kind],
                   named ? g->params[param].name : "", n->in_count ? n->in[0] : GRAPH_NONE,
                   n->in_count > 1 ? n->in[1] : n->residual, n->c, n->h, n->w);
        if (n->kind == NODE_CONV) {
            const struct conv_node *c = &n->conv;
            buf_printf(out, "  %s", algo_name(c->forward));
            if (g->config.train)
                buf_printf(out, ", %s, %s", algo_name(c->backward_data),
                           algo_name(c->backward_weights));
            if (c->onednn)
                buf_printf(out, " (%s)", onednn_conv_name(c->onednn));
            if (c->streams)
                buf_printf(out, ", in pieces of %d", c->piece);
            if (n->lazy)
                buf_printf(out, ", not stored");
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
    if (g->remake_count)
        buf_printf(out, "%d outputs are made again in backward rather than kept\n",
                   g->remake_count);
}
