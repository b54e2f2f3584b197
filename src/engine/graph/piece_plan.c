/* piece_plan.c - which convolutions of a training graph run by pieces (piece_run.c), which
 * activations are therefore never stored, and how large a piece is.  By shape alone.
 *
 * By pieces run: a depthwise convolution that our kernels know, the 1x1 convolutions and the stem
 * next to one.  A node is lazy when its one reader is a depthwise convolution that runs by pieces,
 * or when it is such a one itself and a 1x1 convolution reads it.
 */
#include "engine/graph/graph_int.h"

enum {
    PIECE_FLOATS = 256 * 1024, /* input and output of a piece: half of a second-level cache */
    PLANE_PIXELS = 1024,       /* of a block of channels of the images of a piece */
};

static const struct node *only_reader(const struct graph *g, int node)
{
    const struct node *reader = NULL;
    int readers = 0;

    for (int i = node + 1; i < g->node_count; i++) {
        const struct node *n = &g->nodes[i];
        for (int k = 0; k < n->in_count; k++)
            if (n->in[k] == node) {
                readers++;
                reader = n;
            }
        readers += n->residual == node;
    }
    return readers == 1 && reader && reader->residual != node ? reader : NULL;
}

/* Our own depthwise kernels are as quick as oneDNN's where their loops know the taps. */
static bool depthwise_streams(const struct node *n)
{
    const struct conv_shape *s = &n->conv.shape;

    return n->kind == NODE_CONV && n->conv.norm && s->depthwise && s->k == 3 && s->pad == 1 &&
           s->stride <= 2;
}

static int min_int(int a, int b)
{
    return a < b ? a : b;
}

static bool is_point(const struct node *n)
{
    const struct conv_shape *s = &n->conv.shape;

    return n->kind == NODE_CONV && n->conv.norm && !s->depthwise && s->k == 1 && s->stride == 1 &&
           s->pad == 0 && s->ic >= CH;
}

/* The first convolution, which has no gradient of its input. */
static bool is_stem(const struct graph *g, const struct node *n)
{
    return n->kind == NODE_CONV && n->conv.norm && input_of(g, n, 0)->kind == NODE_IMAGE;
}

/* A sigmoid of the zeros that pad the channels is not zero. */
static bool is_lazy(const struct graph *g, int node)
{
    const struct node *n = &g->nodes[node], *reader = only_reader(g, node);

    if (n->kind != NODE_CONV || !n->conv.norm || n->residual != GRAPH_NONE || !reader ||
        n->output != GRAPH_NONE || n->dropout > 0 || n->conv.act == ACT_SIGMOID ||
        n->conv.act == ACT_HARD_SIGMOID)
        return false;
    return depthwise_streams(reader) || (depthwise_streams(n) && is_point(reader));
}

static int planes_of_piece(const struct graph *g, const struct node *n)
{
    const int pixels = n->conv.shape.ih * n->conv.shape.iw;

    return pixels > PLANE_PIXELS ? 1 : min_int(g->shard, PLANE_PIXELS / pixels);
}

static int images_of_piece(const struct graph *g, const struct node *n)
{
    const size_t floats = node_image_floats(n) + node_image_floats(input_of(g, n, 0));
    int piece = g->shard;

    while (piece > 1 && (g->shard % piece || (size_t)piece * floats > PIECE_FLOATS))
        piece--;
    return piece;
}

void piece_plan(struct graph *g)
{
    for (int i = 0; i < g->node_count; i++)
        g->nodes[i].lazy = g->config.train && is_lazy(g, i);
    for (int i = 0; i < g->node_count; i++) {
        struct node *n = &g->nodes[i];
        if (n->kind != NODE_CONV)
            continue;
        const bool neighbours = n->lazy || input_of(g, n, 0)->lazy;
        n->conv.streams = g->config.train && (depthwise_streams(n) || (neighbours && is_point(n)) ||
                                              (n->lazy && is_stem(g, n)));
        n->conv.piece = g->shard;
        if (n->conv.streams)
            n->conv.piece = n->conv.shape.depthwise ? planes_of_piece(g, n) : images_of_piece(g, n);
    }
}

bool piece_makes_gradient(const struct node *n)
{
    const struct conv_node *c = &n->conv;

    return c->streams && n->dropout <= 0 && (!c->residual_after || c->act == ACT_NONE);
}
