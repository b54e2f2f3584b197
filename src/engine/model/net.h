/* net.h - front door of the native engine: build a network, train it step by step, infer with it.
 *
 * A net is planned once for its largest batch: shapes, kernels, memory.  After net_new() no call on
 * the training or inference path allocates (net_allocs_in_last_step() proves it).
 *
 * Threads: a net belongs to one thread at a time; it keeps `threads - 1` helpers of its own.
 * Exactness: the bytes of all weights after any number of steps depend on the configuration, the
 * seed and the data alone, never on `threads` nor on a stop and resume between.  Work is cut into
 * pieces by shape, each piece is computed by one thread, sums are combined in a fixed order.  (They
 * do depend on the backend and on the machine's instruction set.)
 *
 * Numbers are float32 throughout; batch statistics, losses and norms are summed in double.
 */
#ifndef ANNEAL_ENGINE_MODEL_NET_H
#define ANNEAL_ENGINE_MODEL_NET_H

#include "base/buf.h"
#include "engine/model/target.h"
#include <stdbool.h>
#include <stdint.h>

enum net_backend {
    NET_AUTO,     /* oneDNN where it is installed and the machine has AVX-512, else portable */
    NET_ONEDNN,   /* RC_UNAVAILABLE, saying why, where it cannot be used */
    NET_PORTABLE, /* our own kernels in plain C alone */
};
/* First layers.  Small, for pictures below NET_STEM_SMALL_BELOW pixels a side: 3x3 stride 1 without
 * max pool (resnet), the first two strides of 2 taken as 1 (mobilenetv2).  Large: torchvision's own
 * (resnet: 7x7 stride 2 and max pool). */
enum net_stem { NET_STEM_AUTO, NET_STEM_SMALL, NET_STEM_LARGE };
enum net_optimizer { NET_SGD, NET_ADAMW };
/* bfloat16: the outputs of convolutions, about half of what training keeps, are stored in it; all
 * arithmetic, gradients, statistics and weights stay float32, and so does inference.  On any
 * machine, with the same bytes for any number of threads. */
enum net_precision { NET_F32, NET_BF16 };

enum {
    NET_STEM_SMALL_BELOW = 96,
    NET_IMAGE_SIZE_MIN = 8,
    NET_IMAGE_SIZE_MAX = 1024,
    NET_CLASSES_MAX = 65536,
    NET_BATCH_MAX = 1024,
    NET_THREADS_MAX = 64,
};

/* What can be built.  The table is static. */
struct net_card {
    const char *name;  /* "resnet18": the value of net_config.model */
    const char *title; /* "ResNet-18" */
    enum net_task task;
    const char *description;
    int image_size_default; /* pixels a side */
    int image_size_min;
    uint64_t params; /* trained parameters with 1000 classes and the large stem, as published; of
                        detection and segmentation with 80 classes */
};
const struct net_card *net_cards(size_t *ret_n);
const struct net_card *net_card_find(const char *name); /* NULL: no such model */

struct net_config {
    const char *model; /* a net_card name; need not outlive net_new */
    int classes;
    int image_size; /* pictures are square, image_size x image_size */
    int batch_max;  /* images; fewer may be passed to any call */
    bool train;     /* false: inference alone, batch norm folded into convolutions; less memory */
    enum net_backend backend;
    enum net_stem stem;
    enum net_optimizer optimizer; /* fixes the optimiser state kept; ignored without `train` */
    bool average;       /* keep an exponential moving average of the weights (net_update.average) */
    bool accumulate;    /* keep a sum of gradients over several calls (net_update.micro) */
    int threads;        /* 0: one for each processor */
    const char *isa;    /* of our own kernels: NULL for the best, or "base" .. (kernel.h) */
    uint64_t bytes_max; /* memory it may take; 0: nine tenths of what is available now */
    enum net_precision precision; /* of training */
    bool no_winograd;             /* tests compare with and without */
};

struct net;
/* RC_INVALID names the field at fault; RC_NOMEM says how much would be needed.  All weights are
 * zero until net_init_weights or net_tensor_set. */
enum rc net_new(struct net **ret, const struct net_config *c, struct err *e) must_check;
void net_free(struct net *n); /* NULL is fine */

/* Initial weights as torchvision makes them: convolutions Kaiming normal (fan out), batch norm
 * weight 1 bias 0 mean 0 variance 1, resnet's linear layer uniform in +-1/sqrt(fan in), mobilenet's
 * normal(0, 0.01) with zero bias, efficientnet's uniform in +-1/sqrt(fan out) with zero bias.
 * The detector's family (detect, segment, semseg): convolutions uniform in +-1/sqrt(fan in), biases
 * of classes log(5 / classes / cells of a 640 pixel picture), of boxes 1, else 0.
 * From a counter-based generator: the same seed gives the same bytes on every machine and backend.
 * Clears the optimiser state. */
void net_init_weights(struct net *n, uint64_t seed);

/* ---- training */
/* Weights of the parts of the loss. */
struct net_gains {
    double box, cls, dfl, mask;
};
extern const struct net_gains net_gains_default; /* 7.5, 0.5, 1.5, 7.5 */

struct net_update {
    double lr; /* for this step */
    /* Added to the gradient (SGD) or applied to the weight directly (AdamW: weight *= 1 - lr * wd).
     * On convolution and linear weights only: never on batch norm or biases. */
    double weight_decay;
    double momentum;            /* SGD, without dampening */
    bool nesterov;              /* SGD */
    double beta1, beta2, eps;   /* AdamW */
    int64_t step;               /* 1 for the first of the run: AdamW's bias correction, dropout */
    uint64_t seed;              /* of dropout and dropped branches, together with the step */
    double clip_norm;           /* largest L2 norm of all gradients together; 0: no limit */
    const float *class_weights; /* [classes] or NULL (all 1); classification and semantic */
    /* Exponential moving average of all tensors: a = d a + (1 - d) w after the update (Polyak and
     * Juditsky, 1992); 0: the average is the weights, as the first update wants it.  Without
     * net_config.average: ignored. */
    double average;
    /* Gradient accumulation: this call is number `micro` of `micros` whose mean gradient makes one
     * update, after the last.  0 of 0: every call updates.  Needs net_config.accumulate. */
    int micro, micros;
    struct net_gains gains; /* detection and segmentation */
};

/* The loss of a step and its parts, each a mean as its task defines it (detect.h, segment.h);
 * classification and semantic have `total` alone. */
struct net_loss {
    double total;
    double box, cls, dfl, mask;
};

/* One step: forward, loss, backward, update, batch norm's running statistics.
 * x       [count][3][size][size], normalised, NCHW
 * target  of the network's task
 * Losses: classification and semantic have softmax cross-entropy, mean over the batch (over the
 * pixels that count); with class weights w the weighted mean
 *     sum(w[c] * t[n][c] * -log p[n][c]) / sum(w[c] * t[n][c])
 * which for one-hot targets is torch.nn.CrossEntropyLoss(weight=w).  Detection and segmentation:
 * see detect.h and segment.h.  *ret_loss is before the update and may be infinite or NaN when
 * training diverges: the caller must look. Update rules: torch.optim.SGD and torch.optim.AdamW.
 * RC_INVALID: count outside 1..batch_max, or a net without `train`; nothing has changed then. */
enum rc net_train_step(struct net *n, const float *x, const struct net_target *target, int count,
                       const struct net_update *u, struct net_loss *ret_loss,
                       struct err *e) must_check;
/* Classification: logits [count][classes] of the last step (before its update); lent until the next
 * call. */
const float *net_train_logits(const struct net *n);
/* L2 norm of all gradients of the last step, before clipping. */
double net_grad_norm(const struct net *n);

/* Parameters whose names begin with `prefix` are no longer updated (batch norm's running statistics
 * still follow the data, as under PyTorch's requires_grad = False).  Returns how many tensors. */
size_t net_freeze(struct net *n, const char *prefix);
/* What the names of the parameters that depend on the classes begin with: "fc.", "head.". */
const char *net_head_prefix(const struct net *n);
/* Plans anew for another size of image, at most net_config.image_size (a multiple of 32 for
 * detection and segmentation); weights, statistics and optimiser state stay. */
enum rc net_resize(struct net *n, int image_size, struct err *e) must_check;
/* Inference, tensors and saving use the moving average (true) or the weights being trained (false,
 * at first).  net_train_step needs false. */
void net_use_average(struct net *n, bool average);

/* ---- inference: running statistics, nothing is changed.  Allowed on a training net as well
 * (validation).  RC_INVALID: count, or a network of another task. */
/* Classification; ret_logits [count][classes]. */
enum rc net_infer(struct net *n, const float *x, int count, float *ret_logits,
                  struct err *e) must_check;

/* Detection and segmentation: boxes after non-maximum suppression, most confident first. */
struct net_detection {
    struct net_box box;
    float confidence; /* 0..1 */
    int32_t anchor;   /* for net_detection_mask */
};
struct net_detect {
    float confidence; /* least, 0.001..1: 0.25 for people, 0.001 to measure precision and recall */
    float iou;        /* boxes of a class that overlap more than this are one: 0.7 */
    int most;         /* of an image: 1..NET_DETECTIONS_MAX */
};
enum { NET_DETECTIONS_MAX = 300 };
extern const struct net_detect net_detect_default;
/* ret [count][d->most], ret_n [count]. */
enum rc net_detect(struct net *n, const float *x, int count, const struct net_detect *d,
                   struct net_detection *ret, int32_t *ret_n, struct err *e) must_check;
/* Segmentation: the mask of a detection of image number `image` of the last net_detect, at the size
 * of the input: 1 inside, 0 outside; cut to its box. */
void net_detection_mask(struct net *n, int image, const struct net_detection *d,
                        uint8_t *ret /* [size][size] */);
/* Semantic: the likeliest class of every pixel; ret [count][size][size]. */
enum rc net_label(struct net *n, const float *x, int count, uint8_t *ret, struct err *e) must_check;

/* ---- tensors, by torchvision's names ("layer1.0.conv1.weight", "features.0.1.running_mean"), in
 * a fixed order, as plain row-major float32 (convolutions OIHW).  PyTorch's num_batches_tracked is
 * not kept: the momentum of the running statistics is a constant 0.1. */
struct net_tensor {
    const char *name; /* lives as long as the net */
    int dims;
    int64_t shape[4];
    size_t count; /* elements */
    bool trained; /* a parameter; false: a running statistic */
};
size_t net_tensor_count(const struct net *n);
const struct net_tensor *net_tensor_at(const struct net *n, size_t i);
ptrdiff_t net_tensor_find(const struct net *n, const char *name); /* index or -1 */
void net_tensor_get(const struct net *n, size_t i, float *ret);   /* count floats */
void net_tensor_set(struct net *n, size_t i, const float *v);

/* Optimiser state, the same way: "conv1.weight.momentum_buffer" (SGD), "conv1.weight.exp_avg" and
 * "conv1.weight.exp_avg_sq" (AdamW); with a moving average "conv1.weight.average" of every tensor,
 * statistics too.  Tensors (those being trained), state and net_update.step are all that an exact
 * resume needs of the net.  Count 0 without `train`. */
size_t net_state_count(const struct net *n);
const struct net_tensor *net_state_at(const struct net *n, size_t i);
ptrdiff_t net_state_find(const struct net *n, const char *name);
void net_state_get(const struct net *n, size_t i, float *ret);
void net_state_set(struct net *n, size_t i, const float *v);

/* ---- looking inside */
struct net_info {
    const struct net_card *card;
    int classes, image_size, batch_max, threads;
    bool train;
    enum net_backend backend; /* the one in use, never NET_AUTO */
    enum net_stem stem;       /* never NET_STEM_AUTO */
    enum net_optimizer optimizer;
    const char *isa; /* instruction set of our own kernels: "avx512", "avx2", "base" */
    uint64_t params; /* trained parameters of this very net */
    uint64_t bytes;  /* all memory of the plan */
    double flops;    /* multiply-adds x 2 of the convolutions of one image, forward */
};
void net_get_info(const struct net *n, struct net_info *ret);
/* What the network computes, for exporters (engine/export): lent. */
struct graph;
struct graph *net_graph(struct net *n);
/* Text for people: nodes, shapes, kernels chosen, memory plan (`anneal debug plan`). */
void net_plan_describe(const struct net *n, struct buf *out);
/* Heap allocations (mem_total_count) made by the last net_train_step or net_infer: always 0. */
size_t net_allocs_in_last_step(const struct net *n);
/* RC_OK where NET_ONEDNN can be used; else RC_UNAVAILABLE with the reason (`anneal doctor`). */
enum rc net_onednn_check(struct err *e);
/* Version of oneDNN, "2.6.3"; "" where it cannot be used.  What a run's bytes depend on. */
const char *net_onednn_version(void);
const char *net_backend_name(enum net_backend b); /* "auto", "onednn", "portable" */

#endif
