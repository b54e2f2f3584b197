/* memory.c - which buffers a graph needs, from when to when, and their one-time allocation.
 *
 * Times: forward of node i at i, the loss at T, backward of node i at 2T - i (T: number of nodes).
 * Training keeps for each convolution its output y (batch norm's backward needs it) and the
 * activation (the next layer's gradient of the weights needs it).  The gradient of y is written
 * over the incoming gradient where no residual has to pass it on.
 *
 * With `recompute` it keeps y alone: just before the first backward that reads an activation this
 * is made again from y, in a buffer of its own, and so is a concatenation from its parts.
 */
#include "base/mem.h"
#include "engine/graph/graph_int.h"
#include "os/os.h"
#include <string.h>

static int add_floats(struct graph *g, size_t floats_of_image)
{
    return plan_add(&g->plan, (size_t)g->images_pad * floats_of_image * sizeof(float));
}

static void give_gradient(struct graph *g, int node, int buffer)
{
    struct node *n = &g->nodes[node];

    ASSERT(n->grad_count < NODE_GRADS_MAX);
    n->grads[n->grad_count++] = buffer;
}

/* Inference: the residual is added in its own place where nothing reads it later.  (oneDNN can only
 * add it in y, before the activation.) */
static bool adds_in_place(const struct graph *g, const struct node *n, int i)
{
    return n->residual != GRAPH_NONE && n->residual != n->in[0] &&
           g->nodes[n->residual].last_use == i &&
           !(n->conv.residual_after && n->conv.forward == ALGO_ONEDNN);
}

static void plan_output(struct graph *g, struct node *n, int i)
{
    const bool train = g->config.train;

    if (!train && n->kind == NODE_CONV && adds_in_place(g, n, i))
        n->out = g->nodes[n->residual].out;
    else
        n->out = n->lazy ? -1 : add_floats(g, node_image_floats(n));
    if (!n->lazy)
        plan_use(&g->plan, n->out, i);
    for (int k = 0; k < n->in_count; k++)
        if (!input_of(g, n, k)->lazy)
            plan_use(&g->plan, input_of(g, n, k)->out, i);
    if (n->residual != GRAPH_NONE)
        plan_use(&g->plan, g->nodes[n->residual].out, i);
    if (n->kind == NODE_LINEAR || n->output != GRAPH_NONE) /* outlives the call */
        plan_use(&g->plan, n->out, 2 * g->node_count + 1);
}

/* What backward needs again. */
static void plan_kept(struct graph *g, struct node *n, int i)
{
    const int back = 2 * g->node_count - i;

    if (n->kind == NODE_CONV) {
        n->conv.y = plan_add(&g->plan, (size_t)g->images_pad * node_image_floats(n) *
                                           (n->conv.half ? sizeof(uint16_t) : sizeof(float)));
        plan_use(&g->plan, n->conv.y, i);
        plan_use(&g->plan, n->conv.y, back);
        if (n->residual != GRAPH_NONE && !n->conv.residual_after)
            plan_use(&g->plan, n->out, back);
    }
    if (n->kind == NODE_MAX_POOL) {
        n->pool_from = plan_add(&g->plan, (size_t)g->images_pad * node_image_floats(n));
        plan_use(&g->plan, n->pool_from, i);
        plan_use(&g->plan, n->pool_from, back);
    }
}

/* Made again rather than kept: what needs nothing but its inputs, or a convolution's own output,
 * and is worth it. */
static bool makes_again(const struct graph *g, const struct node *n)
{
    if (!g->config.recompute || n->output != GRAPH_NONE || n->h * n->w == 1)
        return false;
    if (n->kind == NODE_CONV)
        return n->residual == GRAPH_NONE || n->conv.residual_after;
    return n->kind != NODE_IMAGE && n->kind != NODE_LINEAR;
}

/* The backward of node `at` reads the output of `node`. */
static void plan_need(struct graph *g, int node, int at)
{
    struct node *n = &g->nodes[node];
    const int time = 2 * g->node_count - at;

    if (n->lazy) /* its y is kept for longer */
        return;
    if (makes_again(g, n) && n->again < 0) {
        for (int k = 0; k < n->in_count && n->kind != NODE_CONV; k++)
            plan_need(g, n->in[k], at);
        if (n->residual != GRAPH_NONE)
            plan_need(g, n->residual, at);
        n->again = add_floats(g, node_image_floats(n));
        g->remakes[g->remake_count++] = (struct remake){node, at};
    }
    plan_use(&g->plan, n->again >= 0 ? n->again : n->out, time);
}

static void plan_needs(struct graph *g, const struct node *n, int i)
{
    if (n->kind == NODE_CONV || n->kind == NODE_LINEAR || n->kind == NODE_SCALE)
        for (int k = 0; k < n->in_count; k++)
            plan_need(g, n->in[k], i);
}

/* The caller fills an output's gradient after forward and before backward. */
static void plan_output_grad(struct graph *g, int node)
{
    const int k = g->nodes[node].output;

    g->output_grads[k] = add_floats(g, node_image_floats(&g->nodes[node]));
    plan_use(&g->plan, g->output_grads[k], g->node_count);
    give_gradient(g, node, g->output_grads[k]);
}

static void plan_backward(struct graph *g, int i)
{
    struct node *n = &g->nodes[i];
    const int back = 2 * g->node_count - i;

    if (n->kind == NODE_IMAGE)
        return;
    plan_needs(g, n, i);
    if (n->output != GRAPH_NONE)
        plan_output_grad(g, i);
    ASSERT(n->kind == NODE_LINEAR || n->grad_count > 0);
    for (int c = 0; c < n->grad_count; c++)
        plan_use(&g->plan, n->grads[c], back);
    if (n->kind == NODE_CONV) {
        n->conv.dy = n->grads[0];
        if (n->residual != GRAPH_NONE && !piece_makes_gradient(n)) {
            n->conv.dy = add_floats(g, node_image_floats(n));
            plan_use(&g->plan, n->conv.dy, back);
        }
        if (n->residual != GRAPH_NONE) {
            give_gradient(g, n->residual, n->grads[0]);
        }
    }
    for (int k = 0; k < n->in_count; k++) {
        n->dx[k] = -1;
        if (input_of(g, n, k)->kind == NODE_IMAGE)
            continue;
        n->dx[k] = add_floats(g, node_image_floats(input_of(g, n, k)));
        plan_use(&g->plan, n->dx[k], back);
        give_gradient(g, n->in[k], n->dx[k]);
    }
}

/* One block of memory: where its pointer goes, and how large it has to be. */
struct block {
    void *to;
    size_t bytes;
};

enum { LARGE_PAGES_MIN = 4 << 20 }; /* bytes */

static int list_blocks(struct graph *g, struct block list[BLOCKS_MAX])
{
    const size_t f = sizeof(float), rows = (size_t)g->config.batch_max;
    const bool train = g->config.train;
    const size_t channels = (size_t)g->channels_most;
    const struct block blocks[] = {
        {&g->arena, g->plan.bytes},
        {&g->work, g->work_floats * f},
        {&g->scratch, g->scratch_floats * (size_t)g->config.threads * f},
        {&g->values, g->value_floats * f},
        {&g->stats, g->stat_floats * f},
        {&g->saved, g->saved_floats * f},
        {&g->shard_sums, train ? SHARDS * channels * 2 * sizeof(double) : 0},
        {&g->grad_means, train ? channels * 2 * f : 0},
        {&g->folded, g->folded_floats * f},
        {&g->grads, train ? g->value_floats * f : 0},
        {&g->logits_grad, train ? rows * (size_t)graph_logits_row(g) * f : 0},
        {&g->state[0], g->config.states > 0 ? g->value_floats * f : 0},
        {&g->state[1], g->config.states > 1 ? g->value_floats * f : 0},
        {&g->sums, g->config.accumulate ? g->value_floats * f : 0},
        {&g->average, g->config.average ? g->value_floats * f : 0},
        {&g->average_stats, g->config.average ? g->stat_floats * f : 0},
    };

    memcpy(list, blocks, sizeof blocks);
    return (int)(sizeof blocks / sizeof blocks[0]);
}

/* Makes every block at least as large as it has to be.  What was in one that grows is lost: only
 * those that a smaller or larger image resizes do, and they hold nothing from step to step. */
static enum rc take_blocks(struct graph *g, struct err *e)
{
    struct block list[BLOCKS_MAX];
    const int count = list_blocks(g, list);
    uint64_t bytes = 0;
    const char *what = NULL;

    for (int i = 0; i < count; i++)
        bytes += list[i].bytes > g->held[i] ? list[i].bytes : g->held[i];
    if (g->config.bytes_max && bytes > g->config.bytes_max)
        what = "this machine can give"; /* before the kernel kills us for touching it */
    for (int i = 0; i < count && !what; i++)
        if (list[i].bytes > g->held[i]) {
            void *p;
            memcpy(&p, list[i].to, sizeof p);
            mem_free(p);
            p = mem_alloc_aligned(PLAN_ALIGN, list[i].bytes);
            memcpy(list[i].to, &p, sizeof p);
            g->held[i] = p ? list[i].bytes : 0;
            if (p && list[i].bytes >= LARGE_PAGES_MIN) /* 64 channels of 32x32: 15 % faster */
                os_memory_large_pages(p, list[i].bytes);
            what = p ? NULL : "there is";
        }
    if (what)
        return err_set(e, RC_NOMEM,
                       "the network needs %llu MiB of memory for batches of %d, more than %s; use "
                       "a smaller batch or image size",
                       (unsigned long long)(bytes >> 20), g->config.batch_max, what);
    g->bytes = bytes;
    return RC_OK;
}

enum rc graph_place(struct graph *g, struct err *e)
{
    const bool train = g->config.train;

    plan_done(&g->plan); /* of another image size */
    g->plan = (struct plan){0};
    for (int i = 0; i < g->node_count; i++)
        g->nodes[i].grad_count = 0;
    for (int i = 0; i < g->node_count; i++)
        g->nodes[i].again = -1;
    g->remake_count = 0;
    for (int i = 0; i < g->node_count; i++)
        plan_output(g, &g->nodes[i], i);
    for (int i = 0; train && i < g->node_count; i++)
        plan_kept(g, &g->nodes[i], i);
    for (int i = g->node_count - 1; train && i >= 0; i--)
        plan_backward(g, i);
    enum rc rc = plan_layout(&g->plan, e);
    if (rc)
        return rc;
    g->scratch_floats = (g->scratch_floats + PLAN_ALIGN) / CH * CH; /* and a page between threads */
    return take_blocks(g, e);
}
