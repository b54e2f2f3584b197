/* detect.h - the detection head on plain arrays: anchors, decoding, assignment, loss, suppression.
 *
 * Anchor-free and one-stage: every cell of three maps (strides 8, 16, 32) predicts one box and a
 * logit for each class.  A box is four distances (left, top, right, bottom) from the cell's centre,
 * in strides; each distance is the expectation of a softmax over DETECT_BINS bins 0..15 (Li et al.,
 * arXiv:2006.04388), so that it lies in 0..15.
 *
 *     centre = ((x + 0.5) stride, (y + 0.5) stride)
 *     box    = (cx - l stride, cy - t stride, cx + r stride, cy + b stride)   pixels of the input
 *
 * Anchors are numbered map by map, row by row.  Maps lie as the graph keeps them: blocks of 16
 * channels, [image][channel / 16][h][w][16]; the bins of one side of one cell are one run of 16.
 *
 * Which anchor learns which truth: task-aligned assignment (Feng et al., arXiv:2108.07755).  An
 * anchor is a candidate of every truth in which its centre lies (strictly; a truth so small that it
 * holds no centre has one candidate, the cell of stride 8 in which its middle lies: else it would
 * be taught as background); it is ranked by alignment = sigmoid(logit of the truth's class)^0.5 *
 * IoU(predicted box, truth)^6 and the DETECT_TOP best of a truth are its own (alignment 0 never; of
 * equal ones the anchor with the lower number).  An anchor that several truths claim goes to the
 * one of largest IoU (of equal ones to the first).  Then, over what a truth has kept, target =
 * alignment / largest alignment * largest IoU              0..1, a constant A truth without area,
 * or whose middle and all centres lie outside, teaches nothing.
 *
 * Loss of a batch, with S = max(1, sum of all targets):
 *     box = sum target (1 - CIoU) / S                       (Zheng et al., arXiv:1911.08287; its
 *                                                            alpha is a constant to the gradient)
 *     dfl = sum target mean of 4 sides of cross-entropy / S (arXiv:2006.04388: the two bins beside
 *                                                            the true distance, clamped to 14.99)
 *     cls = sum binary cross-entropy of all anchors and classes with the targets / S
 *     total = gains.box box + gains.dfl dfl + gains.cls cls
 * It is not multiplied by the number of images: a mean, so that it does not depend on the batch.
 *
 * Everything here is float32 in, double inside, sums in the order of anchors and images.  Nothing
 * allocates but the functions named _new.
 */
#ifndef ANNEAL_ENGINE_MODEL_DETECT_H
#define ANNEAL_ENGINE_MODEL_DETECT_H

#include "engine/graph/crew.h"
#include "engine/kernel/kernel.h"
#include "engine/model/net.h"

enum {
    DETECT_LEVELS = 3,
    DETECT_BINS = 16, /* a block of channels */
    DETECT_TOP = 10,
    DETECT_BOXES_MAX = 4096,      /* truths of one image; more are an error */
    DETECT_CANDIDATES_MAX = 4096, /* most confident predictions of an image that NMS looks at */
};

struct detect_level {
    int h, w, stride;
    const float *box;           /* [images][4][h][w][16] */
    const float *cls;           /* [images][ch_pad(classes) / 16][h][w][16] */
    float *box_grad, *cls_grad; /* the same places; NULL outside training */
};
struct detect_maps {
    struct detect_level level[DETECT_LEVELS];
    int classes, size; /* size: of the input */
};

/* ---- anchors and boxes (detect_box.c) */
int detect_anchors(const struct detect_maps *m);
struct detect_anchor {
    int level, cell; /* cell: y * w + x */
    double cx, cy;   /* centre in pixels */
    double stride;
};
struct detect_anchor detect_anchor_at(const struct detect_maps *m, int anchor);

/* The softmax of an anchor's four sides. */
struct detect_bins {
    float p[4][DETECT_BINS];
    double distance[4]; /* expectation, in strides */
    double log_sum[4];  /* log of the sum of e^logit: log p = logit - log_sum */
    const float *logits[4];
};
void detect_bins_at(const struct detect_maps *m, const struct kernels *k, int image,
                    const struct detect_anchor *a, struct detect_bins *ret);
void detect_decode(const struct detect_anchor *a, const double distance[4], double ret_box[4]);
double detect_logit(const struct detect_maps *m, int image, const struct detect_anchor *a, int cls);

double detect_iou(const double a[4], const double b[4]); /* 0 where one has no area */
/* Complete IoU of a prediction with a truth: IoU - centre distance^2 / diagonal of the hull^2 -
 * alpha v; *ret_grad: its derivative by the prediction's x0, y0, x1, y1. */
double detect_ciou(const double p[4], const double truth[4], double ret_grad[4]);
/* Distribution focal loss, mean of the four sides; target in strides, clamped to 0..14.99;
 * ret_grad: by the logits. */
double detect_dfl(const struct detect_bins *b, const double target[4],
                  double ret_grad[4][DETECT_BINS]);

/* ---- assignment (detect_assign.c) */
struct detect_match {  /* of one image; arrays [anchors] */
    int32_t *owner;    /* number of the truth within its image; -1: background */
    float *target;     /* 0..1 */
    float (*box)[4];   /* the prediction; only where an owner is */
    double *alignment; /* private */
    float *iou;
    uint8_t *decoded;
    int positives; /* anchors with an owner */
    double target_sum;
};
/* room: [2 * boxes] doubles of scratch. */
void detect_assign(const struct detect_maps *m, const struct kernels *k, int image,
                   const struct net_box *boxes, int n, struct detect_match *match, double *room);

/* ---- loss (detect_loss.c) */
struct detect_loss;
/* Memory for batches of `images` with `anchors` each; RC_NOMEM. */
enum rc detect_loss_new(struct detect_loss **ret, int images, int anchors, int threads,
                        struct err *e) must_check;
void detect_loss_free(struct detect_loss *l);
/* RC_INVALID: a class outside 0..classes - 1, a number that is not finite, too many boxes; names
 * image and box. */
enum rc detect_check(const struct net_target *t, int count, int classes, struct err *e) must_check;
/* The loss of `count` images and its gradient, into the maps' box_grad and cls_grad (all of the
 * images' floats, padding zero).  The targets must have passed detect_check. */
void detect_loss_run(struct detect_loss *l, struct crew *crew, const struct kernels *k,
                     const struct detect_maps *m, const struct net_target *t, int count,
                     const struct net_gains *gains, struct net_loss *ret);
/* The assignment that the last detect_loss_run made. */
const struct detect_match *detect_loss_match(const struct detect_loss *l, int image);
/* sum of log(1 + e^x) over x[n]; ret_sigmoid: 1 / (1 + e^-x) (n at most DETECT_LOGITS_MAX, a
 * multiple of 16). */
enum { DETECT_LOGITS_MAX = 256 };
double detect_softplus_sum(const struct kernels *k, const float *x, size_t n, float *ret_sigmoid);

/* ---- predictions (detect_nms.c) */
struct detect_pick {
    float logit;
    int32_t anchor, cls;
};
/* Boxes of one image: every anchor offers its likeliest class (of equal ones the first) if that is
 * at least d->confidence; in the order of confidence (of equal ones the lower anchor) each of the
 * first DETECT_CANDIDATES_MAX is kept unless its IoU with one kept before it, of the same class, is
 * above d->iou, until d->most are.  Boxes are cut to the picture first; empty ones and numbers that
 * are not finite are left out.  room: [anchors].  Returns how many. */
int detect_pick_boxes(const struct detect_maps *m, const struct kernels *k, int image,
                      const struct net_detect *d, struct detect_pick *room,
                      struct net_detection *ret);

/* ---- in a network (detect_head.c) */
struct net;
struct detect_head {
    struct detect_loss *loss;  /* training */
    struct detect_pick *picks; /* [threads][anchors] */
    int anchors;               /* of the largest image */
};
/* The graph's outputs 0..5, boxes and classes of each level; lent until the next forward pass. */
struct detect_maps detect_maps_of(const struct net *n, bool gradients);
enum rc detect_head_plan(struct detect_head *h, const struct net *n, struct err *e) must_check;
void detect_head_done(struct detect_head *h); /* also after a failed plan */
enum rc detect_head_check(const struct net *n, const struct net_target *t, int count,
                          struct err *e) must_check;
void detect_head_boxes(struct detect_head *h, const struct net *n, int count,
                       const struct net_detect *d, struct net_detection *ret, int32_t *ret_n);

#endif
