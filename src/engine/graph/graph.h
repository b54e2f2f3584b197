/* graph.h - front door of the graph: nodes, their shapes, memory and execution.
 *
 * A graph is described node by node (graph_conv, graph_max_pool, ...; each returns the number that
 * later nodes refer to), then graph_build() fixes algorithms, plans memory and makes the kernels.
 * After that nothing allocates.  Convolution, batch norm or bias, residual and activation are one
 * node: fusion is by construction.  Average and linear work on plain rows.
 *
 * What a graph computes is read at its outputs: the logits of graph_linear, and any node given to
 * graph_output (the scales of a detector).  There is at least one.
 *
 * Work is cut by shape alone (see kernel.h), so that any number of threads gives the same bytes.
 * Batches: count <= batch_max images are computed.  oneDNN's kernels are made for a fixed number of
 * images (a shard), so activations and gradients of images count..end of shard are kept zero.
 *
 * A graph belongs to one thread at a time.
 */
#ifndef ANNEAL_ENGINE_GRAPH_GRAPH_H
#define ANNEAL_ENGINE_GRAPH_GRAPH_H

#include "base/buf.h"
#include "engine/graph/crew.h"
#include "engine/kernel/kernel.h"
#include <stdint.h>

enum {
    GRAPH_NODES_MAX = 256,
    GRAPH_PARAMS_MAX = 1024,
    GRAPH_NAME_MAX = 56, /* bytes of a parameter's name with NUL */
    GRAPH_CONCAT_MAX = 8,
    GRAPH_OUTPUTS_MAX = 16,
    GRAPH_NONE = -1, /* no node; no parameter */
};

/* bfloat16: what training keeps of each convolution with batch norm, its output y, is rounded to
 * bfloat16; products, sums, statistics, gradients and parameters stay float32.  Inference does not
 * differ. */
enum graph_precision { GRAPH_F32, GRAPH_BF16 };

struct graph_config {
    int batch_max;
    int image_size;
    bool train;
    bool onednn;        /* direct and depthwise convolutions by oneDNN */
    int threads;        /* at least 1 */
    const char *isa;    /* kernels_get's argument: NULL for the best */
    bool no_winograd;   /* tests compare with and without */
    uint64_t bytes_max; /* refuse to take more; 0: no limit */
    int states;         /* optimiser state arrays: 0..2 */
    bool average;       /* room for a moving average of parameters and statistics */
    bool accumulate;    /* room for a sum of gradients */
    /* Training: activations are not kept for backward but made again from the convolutions'
     * outputs: a pass over memory more for half the memory; the same bytes (Chen et al.,
     * arXiv:1604.06174). */
    bool recompute;
    enum graph_precision precision;
};

/* How a parameter's elements lie in its arena. */
enum param_form { FORM_VECTOR, FORM_CONV, FORM_STEM, FORM_DEPTHWISE, FORM_LINEAR };
/* What it is, for initial values and weight decay. */
enum param_role {
    ROLE_CONV,
    ROLE_CONV_BIAS,
    ROLE_SCALE,
    ROLE_SHIFT,
    ROLE_MEAN,
    ROLE_VARIANCE,
    ROLE_LINEAR,
    ROLE_LINEAR_BIAS
};

struct graph_param {
    char name[GRAPH_NAME_MAX];
    enum param_form form;
    enum param_role role;
    int dims;
    int64_t shape[4];
    int64_t fan_in; /* inputs that one output of its convolution or linear layer sums; else 0 */
    double initial; /* ROLE_CONV_BIAS and ROLE_SCALE: its value at the start */
    size_t count;   /* elements of the plain tensor */
    size_t at;      /* first float in its arena: values, or statistics for a mean and variance */
    size_t room;    /* floats there, with padding; a multiple of 16 */
};
static inline bool param_trained(const struct graph_param *p)
{
    return p->role != ROLE_MEAN && p->role != ROLE_VARIANCE;
}

/* One fused convolution: act(norm(conv(in)) + residual), or, `residual_after`,
 * residual + act(norm(conv(in))).  Names are those of its two tensors' owners in torchvision,
 * without the last part ("layer1.0.conv1", "layer1.0.bn1"). */
struct conv_spec {
    int in;       /* node */
    int residual; /* node to add, or GRAPH_NONE; same shape as the output */
    int oc, k, stride, pad;
    bool depthwise; /* oc is then the input's channels */
    enum act act;   /* before a residual that is added first: none, ReLU or ReLU6 */
    const char *conv_name;
    const char *norm_name; /* NULL: no batch norm but a bias, "<conv_name>.bias" */
    bool residual_after;
    float bias_init;     /* initial value of every bias; others by graph_param_write */
    bool scale_zero;     /* batch norm's scale begins at 0, not 1 */
    float norm_eps;      /* batch norm's epsilon; 0: 1e-5 */
    float norm_momentum; /* of its running statistics; 0: 0.1 */
    /* With residual_after and no activation: how often training leaves the branch out for an image;
     * the others' is divided by 1 - drop (arXiv:1603.09382).  By graph_set_step, as dropout. */
    float drop;
    bool dense; /* 1x1 with bias over a graph_average: the weight is a linear layer's, [oc][ic] */
};

struct graph;
enum rc graph_new(struct graph **ret, const struct graph_config *c, struct err *e) must_check;
void graph_free(struct graph *g);
int graph_image(struct graph *g); /* the input; first */
int graph_conv(struct graph *g, const struct conv_spec *s);
/* k x k, k at most 15, pad at most k / 2; what lies outside does not take part. */
int graph_max_pool(struct graph *g, int in, int k, int stride, int pad);
int graph_average(struct graph *g, int in); /* over all pixels; a plain row for each image */
/* Channels of 2..GRAPH_CONCAT_MAX nodes of one height and width, one behind the other.  All but the
 * last need a multiple of 16 channels. */
int graph_concat(struct graph *g, const int *in, int n);
int graph_upsample(struct graph *g, int in); /* nearest, twice the height and width */
/* x times gate, channel by channel: squeeze-and-excitation (arXiv:1709.01507).  The gate has one
 * pixel; its activation is that of the convolution that made it. */
int graph_scale(struct graph *g, int x, int gate);
/* Training sets elements to zero with probability p and divides the others by 1 - p (Srivastava et
 * al., 2014).  Which: a function of (seed, step, image, element), of graph_set_step. */
int graph_dropout(struct graph *g, int in, double p);
int graph_linear(struct graph *g, int in, int classes, const char *name); /* once: the logits */
/* Marks a node as an output; returns the output's number: 0, 1, ... in the order of the calls. */
int graph_output(struct graph *g, int node);
/* Reports what went wrong while describing, too. */
enum rc graph_build(struct graph *g, struct err *e) must_check;
/* Plans again for another image size, within the memory of the largest size so far where the plan
 * fits it (a size up to the first one's does, but for details).  Parameters, statistics, optimiser
 * state and averages stay; outputs, gradients and shapes do not.  RC_INVALID: the size does not fit
 * the network; then, and without memory, the graph stays as it was. */
enum rc graph_resize(struct graph *g, int image_size, struct err *e) must_check;

/* ---- running.  x [count][3][h][w].  Training mode uses the batch's statistics and updates the
 * running ones; otherwise the running ones are used.  RC_INTERNAL: a kernel of oneDNN failed. */
enum rc graph_forward(struct graph *g, const float *x, int count, bool training,
                      struct err *e) must_check;
/* What dropout and dropped branches draw from; before graph_forward of each training step. */
void graph_set_step(struct graph *g, uint64_t seed, uint64_t step);
/* The linear layer's rows, [batch_max][graph_logits_row] floats; the gradient is the caller's to
 * fill before backward.  Only where there is one: graph_classes() is 0 without. */
const float *graph_logits(const struct graph *g);
float *graph_logits_grad(struct graph *g);
int graph_logits_row(const struct graph *g);
int graph_classes(const struct graph *g);
/* Output k, [images][c_pad / 16][h][w][16] floats, valid until the next graph_forward; channels
 * from c on are padding.  The gradient has the same layout and is the caller's to fill before
 * graph_backward, whole (for `count` images), with zeros in the padding. */
struct graph_shape {
    int c, c_pad, h, w;
};
int graph_output_count(const struct graph *g);
struct graph_shape graph_output_shape(const struct graph *g, int k);
const float *graph_output_values(const struct graph *g, int k);
float *graph_output_grad(struct graph *g, int k);
/* After a training forward of the same count: all gradients, by graph_grads(). */
enum rc graph_backward(struct graph *g, int count, struct err *e) must_check;

/* ---- parameters */
size_t graph_param_count(const struct graph *g);
const struct graph_param *graph_param_at(const struct graph *g, size_t i);
float *graph_values(struct graph *g); /* arena of parameters */
float *graph_grads(struct graph *g);  /* the same places */
float *graph_state(struct graph *g, int which);
float *graph_sums(struct graph *g);           /* of gradients; needs graph_config.accumulate */
float *graph_average_values(struct graph *g); /* needs graph_config.average */
/* The moving average and the parameters and statistics in use change places. */
void graph_swap_average(struct graph *g);
/* average = d average + (1 - d) values for statistics; the parameters are the caller's. */
void graph_average_statistics(struct graph *g, float d);
size_t graph_arena_floats(const struct graph *g);
/* Between the plain row-major tensor and its place in an arena of the parameter's layout
 * (graph_values, graph_grads, graph_state, graph_average_values; a statistic has two places: the
 * average's for the average's arena, else the one in use).  arena NULL: values. */
void graph_param_read(const struct graph *g, const struct graph_param *p, const float *arena,
                      float *ret);
/* Elements [from, from + n) of the plain tensor; different ones may be written at the same time. */
void graph_param_write(struct graph *g, const struct graph_param *p, float *arena, size_t from,
                       size_t n, const float *v);

/* ---- looking inside */
/* The operators: X(kind, name).  operators_test.c has at least a row for each. */
#define GRAPH_NODE_KINDS(X)                                                                        \
    X(NODE_IMAGE, "image")                                                                         \
    X(NODE_CONV, "conv")                                                                           \
    X(NODE_MAX_POOL, "max pool")                                                                   \
    X(NODE_AVERAGE, "average")                                                                     \
    X(NODE_LINEAR, "linear")                                                                       \
    X(NODE_CONCAT, "concat")                                                                       \
    X(NODE_UPSAMPLE, "upsample")                                                                   \
    X(NODE_SCALE, "scale")                                                                         \
    X(NODE_DROPOUT, "dropout")
#define X(kind, name) kind,
enum node_kind { GRAPH_NODE_KINDS(X) };
#undef X
/* A node as described, for exporters and tests. */
struct graph_node {
    enum node_kind kind;
    int in[GRAPH_CONCAT_MAX], in_count; /* nodes; NODE_SCALE: x, gate */
    struct graph_shape shape;           /* of the output */
    int residual;                       /* NODE_CONV: node or GRAPH_NONE */
    bool residual_after;
    int k, stride, pad; /* NODE_CONV, NODE_MAX_POOL */
    bool depthwise;
    enum act act;
    double norm_eps; /* 0: no batch norm */
    double dropout;  /* NODE_DROPOUT; NODE_CONV: of the branch */
    /* Parameters, by number, or GRAPH_NONE. */
    int weight, bias, scale, shift, mean, variance;
};
int graph_node_count(const struct graph *g);
void graph_node_at(const struct graph *g, int i, struct graph_node *ret);
int graph_output_node(const struct graph *g, int k);

struct crew *graph_crew(struct graph *g);
const struct kernels *graph_kernels(const struct graph *g);
uint64_t graph_bytes(const struct graph *g);
double graph_flops(const struct graph *g); /* of the convolutions of one image, forward */
void graph_describe(const struct graph *g, struct buf *out);

/* ---- where the time goes.  From graph_time on, every call notes the time of each part of each
 * node; graph_time_describe prints the least of the calls in milliseconds, and the rate of the
 * convolutions.  With one thread processor time, which a busy machine disturbs least; with more
 * what a clock on the wall shows. */
enum rc graph_time(struct graph *g, struct err *e) must_check;
void graph_time_describe(const struct graph *g, struct buf *out);

#endif
