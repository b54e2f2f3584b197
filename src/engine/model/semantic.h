/* semantic.h - the semantic segmentation head on plain arrays: a class for every pixel.
 *
 * Logits are at stride 4.  Learning: every pixel that counts (its label is not NET_LABEL_IGNORE) is
 * compared with the logits of the cell in which it lies; the loss is softmax cross-entropy, mean
 * over those pixels of the batch, with class weights w their weighted mean: loss = sum over pixels
 * w[label] (-log p_cell[label]) / sum over pixels w[label] So a cell on an edge learns the shares
 * of its 16 pixels.  (0 where no pixel counts.) Result: bilinear between the cells' logits at every
 * pixel's centre, then the largest; of equal ones the lower class.
 */
#ifndef ANNEAL_ENGINE_MODEL_SEMANTIC_H
#define ANNEAL_ENGINE_MODEL_SEMANTIC_H

#include "engine/kernel/kernel.h"
#include "engine/model/net.h"

enum { SEMANTIC_STRIDE = 4, SEMANTIC_CLASSES_MAX = 255 };

struct semantic_maps {
    int classes, side, size; /* side: size / 4 */
    const float *logits;     /* [images][ch_pad(classes) / 16][side][side][16] */
    float *grad;             /* the same; NULL outside training */
};

/* RC_INVALID names image and pixel of a label that is no class. */
enum rc semantic_check(const uint8_t *labels, int count, int size, int classes,
                       struct err *e) must_check;
/* labels: [size][size] of the image; weights: [classes] or NULL. */
double semantic_weight(const struct semantic_maps *m, const uint8_t *labels, const float *weights);
/* The image's sum of w (-log p); the gradient of that times `scale` into all of its floats. */
double semantic_loss_image(const struct semantic_maps *m, const struct kernels *k, int image,
                           const uint8_t *labels, const float *weights, double scale);
/* room: [side * ch_pad(classes)] floats; ret [size][size]. */
void semantic_labels(const struct semantic_maps *m, int image, float *room, uint8_t *ret);

#endif
