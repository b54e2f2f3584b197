/* graph_int.h - what the files of graph/ share. */
#ifndef ANNEAL_ENGINE_GRAPH_GRAPH_INT_H
#define ANNEAL_ENGINE_GRAPH_GRAPH_INT_H

#include "engine/graph/graph.h"
#include "engine/graph/plan.h"
#include "engine/kernel/onednn/onednn.h"
#include <stdatomic.h>

enum {
    SHARDS = 8,    /* pieces of a batch for oneDNN: enough for 8 threads, large enough to be fast */
    BN_CHUNKS = 8, /* pieces of a batch for batch norm where there are few channel blocks */
    BN_BLOCKS_FEW = 4,   /* fewer than these */
    NODE_GRADS_MAX = 16, /* nodes that may read one */
    SUM_FLOATS = 16384,  /* of one item that adds vectors */
    BLOCKS_MAX = 16,     /* of memory */
};

/* Batch norm as PyTorch has it by default. */
#define BN_EPSILON  1e-5
#define BN_MOMENTUM 0.1

/* What computes a convolution: X(algo, name); conv_plan.c chooses. */
#define ALGOS(X)                                                                                   \
    X(ALGO_NONE, "-")                                                                              \
    X(ALGO_DIRECT, "direct")                                                                       \
    X(ALGO_ROWS, "rows")                                                                           \
    X(ALGO_WINOGRAD, "winograd")                                                                   \
    X(ALGO_WINOGRAD_COLS, "winograd cols")                                                         \
    X(ALGO_DEPTHWISE, "depthwise")                                                                 \
    X(ALGO_ONEDNN, "oneDNN")
#define X(algo, name) algo,
enum algo { ALGOS(X) };
#undef X

struct conv_node {
    struct conv_shape shape;
    enum act act;
    bool norm;           /* batch norm; else a bias */
    bool residual_after; /* the residual is added behind the activation */
    bool streams;        /* training: runs piece by piece within the cache (piece_run.c) */
    int piece;           /* images in a piece */
    double eps, momentum;
    enum algo forward, backward_data, backward_weights;
    int weight, bias, scale, shift, mean, variance; /* parameters, by number, or GRAPH_NONE */
    int y, dy;                                      /* buffers */
    bool half;                                      /* y is in bfloat16 */
    size_t saved;  /* floats in graph.saved: mean, inv_std, scale, shift of the batch, oc each */
    size_t folded; /* floats in graph.folded: bias [oc], then weights or their Winograd transform */
    int strips, split; /* pieces of an image: rows by output channels (direct, rows) */
    int tile;          /* Winograd by columns: outputs of a tile's side, 2 or 4 */
    int tiles_block;   /* Winograd: tiles of one item, forward */
    int tiles_chunk;   /* and for the gradient of the weights */
    int tiles_piece;   /* of that: tiles of a piece with a sum of its own; 0: one sum for all */
    struct onednn_conv *onednn;
};

struct node {
    enum node_kind kind;
    int in[GRAPH_CONCAT_MAX], in_count;
    int residual;
    int c, c_pad, h, w; /* of the output */
    int out;            /* buffer of the output; -1: lazy */
    bool lazy; /* training: never stored, its one reader makes it again from y (piece_run.c) */
    int grads[NODE_GRADS_MAX], grad_count; /* buffers whose sum is the output's gradient */
    int dx[GRAPH_CONCAT_MAX];              /* buffers of the gradients of the inputs; -1 */
    int again;    /* buffer where backward makes it again; -1: it is kept in `out` */
    int last_use; /* the last node that reads it, forward */
    int output;   /* number of the output that it is, or GRAPH_NONE */
    struct conv_node conv;
    struct pool_shape pool;
    int pool_from;    /* buffer */
    int weight, bias; /* linear: parameters */
    double dropout;   /* NODE_CONV: of the branch */
    int stream;       /* of random numbers, where there is dropout: 0, 1, ... in their order */
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
    int linear; /* node of the logits, or GRAPH_NONE */
    int outputs[GRAPH_OUTPUTS_MAX], output_count;
    int output_grads[GRAPH_OUTPUTS_MAX]; /* buffers */
    int streams;                         /* of random numbers */
    uint64_t seed, step;                 /* of dropout */
    struct graph_param params[GRAPH_PARAMS_MAX];
    size_t param_count;
    size_t value_floats, stat_floats, saved_floats, folded_floats;

    int shard;      /* images in one */
    int images_pad; /* batch_max, rounded up to whole shards */
    struct plan plan;
    struct remake {
        int node, at;           /* made again just before the backward of node `at` */
    } remakes[GRAPH_NODES_MAX]; /* in the order of backward, each behind what it needs */
    int remake_count;
    size_t work_floats, scratch_floats; /* what the neediest node wants */

    /* the memory itself */
    char *arena;                              /* planned buffers */
    float *work;                              /* of one node at a time, for all threads */
    float *scratch;                           /* scratch_floats for each thread */
    float *values, *grads, *state[2], *stats; /* by parameter */
    float *sums, *average, *average_stats;    /* by parameter */
    float *saved, *folded;
    double partial[BN_CHUNKS][BN_BLOCKS_FEW][2][CH]; /* batch norm sums */
    double *shard_sums; /* those of one node by pieces: [shard][channels / 16][2][16] */
    float *grad_means;  /* what its backward subtracts: [2][channels] */
    int channels_most;  /* padded, of any node */
    float *logits_grad;
    uint64_t bytes;
    size_t held[BLOCKS_MAX]; /* bytes of each block of memory.c */
    struct laps *laps;       /* NULL: not timed */
    bool fold_stale;         /* inference: the folded weights are older than the parameters */
    bool going_back;         /* values are those made again */
    bool onednn_failed;      /* set by any thread, read after the crew has finished */
};

/* What is timed apart in a node. */
enum lap { LAP_FORWARD, LAP_NORM, LAP_NORM_BACK, LAP_WEIGHTS, LAP_DATA, LAPS };
struct laps {
    int64_t started;
    int64_t least[GRAPH_NODES_MAX][LAPS]; /* ns; 0: never ran */
};

/* What batch norm's forward keeps for its backward, in graph.saved. */
enum saved { SAVED_MEAN, SAVED_INV_STD, SAVED_SCALE, SAVED_SHIFT };

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

static inline const struct node *input_of(const struct graph *g, const struct node *n, int i)
{
    return &g->nodes[n->in[i]];
}

/* A node's output, in forward and in backward. */
static inline float *value_of(const struct graph *g, const struct node *n)
{
    return buffer_at(g, g->going_back && n->again >= 0 ? n->again : n->out);
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

/* Images that oneDNN computes for `count`: whole shards. */
static inline int images_of_shards(const struct graph *g, int count)
{
    return (count + g->shard - 1) / g->shard * g->shard;
}

static inline float *stat_at(const struct graph *g, int param)
{
    return g->stats + g->params[param].at;
}

/* By how much element number `element` of an image is multiplied by a node with dropout. */
float drop_factor(const struct run *r, int image, uint64_t element);
/* param.c */
int param_add(struct graph *g, const char *owner, const char *last, enum param_form form,
              enum param_role role, int dims, const int64_t shape[4], int64_t fan_in);
/* conv_run.c */
void conv_forward_run(struct run *r);
void conv_backward_weights_run(struct run *r);
void conv_backward_data_run(struct run *r);
void conv_fold(struct graph *g, struct node *n); /* batch norm into weights and bias */
/* shape_run.c: pools, upsampling, concatenation, gates, dropout */
void shape_forward_run(struct run *r);
void shape_backward_run(struct run *r);
void sum_gradients(struct run *r, int most); /* until the node has at most `most` */
/* norm_run.c */
void norm_forward_run(struct run *r);
void norm_backward_run(struct run *r);
void norm_again_run(struct run *r); /* the activation from the convolution's output */
/* piece_plan.c */
void piece_plan(struct graph *g); /* which nodes are lazy, which convolutions stream */
/* Whether the gradient of y is made piece by piece, from the sums alone, and never stored. */
bool piece_makes_gradient(const struct node *n);
/* piece_run.c: convolutions and their neighbours' batch norm, piece by piece */
void piece_size(struct graph *g, struct node *n);
void piece_forward_run(struct run *r);
void piece_backward_run(struct run *r);       /* of weights and input */
void piece_gradient_run(const struct run *r); /* of a lazy node's y, stored */
/* Who computes which shard: see take_shard. */
struct shards {
    int all, threads;
    bool turned; /* last to first */
    atomic_flag taken[SHARDS];
};
struct shards shards_of(const struct run *r, bool turned);
int take_shard(struct shards *s, int thread);
static inline double (*shard_sums_at(const struct graph *g, int shard, int block))[CH]
{
    double *of_shard = g->shard_sums + (size_t)shard * (size_t)g->channels_most * 2;

    return (double(*)[CH])(of_shard + (size_t)block * 2 * CH);
}
/* conv_plan.c */
enum rc conv_choose(struct graph *g, struct node *n, struct err *e) must_check;
/* Winograd tiles of one image; by columns */
int conv_tiles(const struct conv_shape *s);
int conv_cols_tiles(const struct conv_shape *s, int tile);
const char *algo_name(enum algo a);
/* laps.c: the time since the call before counts for part `what` of this node */
void lap_start(struct graph *g);
void lap(struct run *r, enum lap what);
/* memory.c */
enum rc graph_place(struct graph *g, struct err *e) must_check;

#endif
