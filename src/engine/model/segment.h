/* segment.h - the instance segmentation head on plain arrays: prototypes and coefficients.
 *
 * A detection head (detect.h) whose anchors also give SEGMENT_PROTOTYPES coefficients; the mask of
 * an anchor is their combination of as many prototype maps at stride 4 (Bolya et al., YOLACT,
 * arXiv:1904.02689):
 *     logit(x, y) = sum over k of coefficient_k(anchor) * prototype_k(x, y)
 * inside where it is above 0, outside of the anchor's box never.
 *
 * Loss, added to the detection loss: for each anchor with an owner the binary cross-entropy of its
 * mask over the cells whose centre lies in the truth's box (at least the one nearest to the box's
 * middle), divided by their number; mask = the mean over all such anchors of the batch.
 *     total = detection total + gains.mask mask
 */
#ifndef ANNEAL_ENGINE_MODEL_SEGMENT_H
#define ANNEAL_ENGINE_MODEL_SEGMENT_H

#include "engine/model/detect.h"

enum { SEGMENT_PROTOTYPES = 32, SEGMENT_BLOCKS = SEGMENT_PROTOTYPES / CH };

struct segment_maps {
    struct detect_maps boxes;
    const float *coefficients[DETECT_LEVELS]; /* [images][2][h][w][16] of the level */
    const float *prototypes;                  /* [images][2][side][side][16] */
    float *coefficients_grad[DETECT_LEVELS], *prototypes_grad; /* NULL outside training */
    int side;                                                  /* input size / 4 */
};

/* What an anchor's coefficients are; ret_grad (may be NULL): where their gradient goes, two runs.
 */
void segment_coefficients(const struct segment_maps *m, int image, int anchor,
                          float ret[SEGMENT_PROTOTYPES], float *ret_grad[SEGMENT_BLOCKS]);
/* Logits of cells [x0, x1) of row y. */
void segment_row(const struct segment_maps *m, int image, const float *coefficients, int y, int x0,
                 int x1, float *ret);
/* Cells whose centre lies in [low, high) pixels, at least one. */
void segment_cells(double low, double high, int side, int *ret_from, int *ret_to);

/* Sum of the mask losses of an image's positive anchors; gradients times `scale`, into all of the
 * image's floats. */
double segment_loss_image(const struct segment_maps *m, const struct kernels *k, int image,
                          const struct detect_match *match, const struct net_target *t,
                          double scale);
/* The mask of a detection at the input's size, [size][size]: bilinear between the logits of the
 * cells, cut to the box.  room: [side * side]. */
void segment_mask(const struct segment_maps *m, int image, const struct net_detection *d,
                  float *room, uint8_t *ret);

#endif
