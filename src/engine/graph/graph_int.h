/* graph_int.h - what the files of graph/ share. */
#ifndef ANNEAL_ENGINE_GRAPH_GRAPH_INT_H
#define ANNEAL_ENGINE_GRAPH_GRAPH_INT_H

#include "engine/graph/graph.h"
#include "engine/graph/plan.h"
#include "engine/kernel/onednn/onednn.h"

enum {
    SHARDS = 8,    /* pieces of a batch for oneDNN: enough for 8 threads, large enough to be fast */
    BN_CHUNKS = 8, /* pieces of a batch for batch norm where there are few channel blocks */
    BN_BLOCKS_FEW = 4, /* fewer than these */
};

/* Batch norm as PyTorch has it by default. */
#define BN_EPSILON  1e-5
#define BN_MOMENTUM 0.1

enum algo { ALGO_NONE, ALGO_DIRECT, ALGO_WINOGRAD, ALGO_DEPTHWISE, ALGO_ONEDNN };
enum node_kind { NODE_IMAGE, NODE_CONV, NODE_MAX_POOL, NODE_AVERAGE, NODE_LINEAR };

struct conv_node {
    struct conv_shape shape;
    enum act act;
    enum algo forward, backward_data, backward_weights;
    int weight, scale, shift, mean, variance; /* parameters, by number */
    int y, dy;                                /* buffers */
    size_t saved;  /* floats in graph.saved: mean, inv_std, scale, shift of the batch, oc each */
    size_t folded; /* floats in graph.folded: bias [oc], then weights or their Winograd transform */
    int split;     /* pieces of the output channels, so that few images still fill the crew */
    int tiles_block; /* Winograd: tiles of one item, forward */
    int tiles_chunk; /* and for the gradient of the weights */
    struct onednn_conv *onednn;
};

struct node {
    enum node_kind kind;
    int in, residual;
    int c, c_pad, h, w;               /* of the output */
    int out;                          /* buffer of the output */
    int grads[GRADS_MAX], grad_count; /* buffers whose sum is the output's gradient */
    int dx;                           /* buffer of the gradient of the input; -1 */
    struct conv_node conv;
    int pool_from;    /* buffer */
    int weight, bias; /* linear: parameters */
};

struct graph {
    struct graph_config config;
    const struct kernels *k;
    struct crew *crew;
    struct onednn *onednn;
    enum rc rc; /* sticky while describing */
    struct err err;

    struct node nodes[GRAPH_NODES_MAX];
    int node_count;
    struct graph_param params[GRAPH_PARAMS_MAX];
    size_t param_count;
    size_t value_floats, stat_floats, saved_floats, folded_floats;

    int shard;      /* images in one */
    int images_pad; /* batch_max, rounded up to whole shards */
    struct plan plan;
    size_t work_floats, scratch_floats; /* what the neediest node wants */

    /* the memory itself */
    char *arena;                              /* planned buffers */
    float *work;                              /* of one node at a time, for all threads */
    float *scratch;                           /* scratch_floats for each thread */
    float *values, *grads, *state[2], *stats; /* by parameter */
    float *sums, *average, *average_stats;    /* by parameter */
    float *saved, *folded;
    double partial[BN_CHUNKS][BN_BLOCKS_FEW][2][CH]; /* batch norm sums */
    float *logits_grad;
    uint64_t bytes;
    struct laps *laps;  /* NULL: not timed */
    bool fold_stale;    /* inference: the folded weights are older than the parameters */
    bool onednn_failed; /* set by any thread, read after the crew has finished */
};

/* What is timed apart in a node. */
enum lap { LAP_FORWARD, LAP_NORM, LAP_NORM_BACK, LAP_WEIGHTS, LAP_DATA, LAPS };
struct laps {
    int64_t started;
    int64_t least[GRAPH_NODES_MAX][LAPS]; /* ns; 0: never ran */
};

/* A running call: what the crew's items need to know. */
struct run {
    struct graph *g;
    struct node *n;
    int count; /* images */
    bool training;
    const float *image; /* NCHW, for NODE_IMAGE */
};

static inline float *buffer_at(const struct graph *g, int buffer)
{
    return (float *)(void *)(g->arena + g->plan.buffers.p[buffer].offset);
}

static inline size_t node_image_floats(const struct node *n)
{
    return (size_t)n->c_pad * (size_t)n->h * (size_t)n->w;
}

static inline float *scratch_at(const struct graph *g, int thread)
{
    return g->scratch + (size_t)thread * g->scratch_floats;
}

static inline float *value_at(const struct graph *g, int param)
{
    return g->values + g->params[param].at;
}

static inline float *grad_at(const struct graph *g, int param)
{
    return g->grads + g->params[param].at;
}

static inline float *stat_at(const struct graph *g, int param)
{
    return g->stats + g->params[param].at;
}

/* conv_run.c */
void conv_forward_run(struct run *r);
void conv_backward_weights_run(struct run *r);
void conv_backward_data_run(struct run *r);
void conv_fold(struct graph *g, struct node *n); /* batch norm into weights and bias */
/* norm_run.c */
void norm_forward_run(struct run *r);
void norm_backward_run(struct run *r);
/* conv_plan.c */
enum rc conv_choose(struct graph *g, struct node *n, struct err *e) must_check;
int conv_tiles(const struct conv_shape *s); /* Winograd tiles of one image */
const char *algo_name(enum algo a);
/* laps.c: the time since the call before counts for part `what` of this node */
void lap_start(struct graph *g);
void lap(struct run *r, enum lap what);
/* memory.c */
enum rc graph_place(struct graph *g, struct err *e) must_check;

#endif
