/* augment.h - random variants of training pictures, as pure functions of (seed, epoch, index).
 *
 * No state and no order of calls: every random number is rand_at(seed, epoch, index of the sample,
 * number of the draw), so threads, prefetching and a resume change nothing.
 *
 *   crop    pad: the working picture on a black border of `padding`, cut at a random place (He et
 *           al. 2016, 4.2).  resized: a random part of the area, random aspect 3/4 to 4/3, scaled
 * to the input (Szegedy et al. 2015), ten tries, then the centre. flips   horizontal and vertical
 * with their probabilities colour  brightness, contrast, saturation (factors 1 +- the setting,
 * blends with black, mean grey, own grey) and hue (turns +- the setting), in this order, clamped
 * after each mixup   one weight of Beta(alpha, alpha) a batch; sample i is blended with sample
 * n-1-i
 */
#ifndef ANNEAL_ENGINE_FEED_AUGMENT_H
#define ANNEAL_ENGINE_FEED_AUGMENT_H

#include "engine/feed/frame.h"
#include "spec/train.h"

struct augment {
    enum crop_kind crop; /* never CROP_AUTO */
    int32_t padding;
    double scale_min;
    double flip, vertical_flip;
    double brightness, contrast, saturation, hue;
    double mixup; /* alpha; 0: off */
};

/* What the settings mean for an input of `size` pixels: CROP_AUTO is pad below 96, else resized;
 * the frame that fits the crop, with ImageNet's mean and deviation. */
void augment_setup(const struct train_spec *s, int32_t size, struct augment *ret_aug,
                   struct frame *ret_frame);

/* One training input; ret [3][size][size]. */
enum rc augment_apply(const struct augment *a, const struct frame *f, const struct image *work,
                      uint64_t seed, int64_t epoch, uint32_t index, float *ret,
                      struct err *e) must_check;

/* 0..n-1 in the random order of this epoch (Fisher and Yates). */
void augment_order(uint64_t seed, int64_t epoch, uint32_t *ret, uint32_t n);

/* The weight of the first of each pair in batch number `batch`; 1 when alpha is 0. */
double augment_mixup_weight(double alpha, uint64_t seed, int64_t epoch, uint32_t batch);

/* x[i] = w x[i] + (1 - w) x[n-1-i] for n rows of `row` floats, in place. */
void augment_blend(float *x, size_t n, size_t row, double w);

#endif
