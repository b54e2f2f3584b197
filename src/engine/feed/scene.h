/* scene.h - random variants of training pictures with objects in them: pixels, boxes and outlines
 * move together.
 *
 * Pure functions of (seed, epoch, index), as augment.h.  An input is made in one resampling from
 * the working pictures (letterbox scale, so at most `size` pixels long), through affine maps:
 *
 *   one picture   letterboxed into the input's square, or
 *   mosaic        four of them around a random centre of a square twice as large (Bochkovskiy,
 *                 Wang and Liao 2020, arXiv:2004.10934, 3.4): this one and three drawn at random,
 *                 each whole, with a corner at the centre; the middle of the square becomes the
 *                 input;
 *   then          turn by +-rotate degrees, scale by 1 +- scale, shear by +-shear degrees, move by
 *                 +-translate of the side, all about the centre; flips with their probabilities.
 *   mixup         with its probability the input is blended with a second one made the same way
 *                 (Zhang et al. 2018, arXiv:1710.09412), weight of Beta(alpha, alpha), and has the
 *                 objects of both.  Not for NET_SEMANTIC, whose labels cannot be blended.
 *   colour        hue turned by +-hsv_h turns, saturation times 1 +- hsv_s, value times 1 +- hsv_v,
 *                 each clamped
 *   multi-scale   each batch has an input size of its own: a multiple of 32 from size (1 - m) to
 *                 size (1 + m), each as likely
 *
 * The last close_mosaic epochs have neither mosaic nor mixup, so that training ends on pictures as
 * evaluation sees them.  Beside the pictures is grey FRAME_PAD, which is no class at all.
 *
 * An object is left out when after clipping a side is below TARGET_SIDE_MIN pixels of the input, or
 * less than a tenth of its area is left (TARGET_AREA_MIN; of the box as mapped, or of the outline):
 * targets.h.
 */
#ifndef ANNEAL_ENGINE_FEED_SCENE_H
#define ANNEAL_ENGINE_FEED_SCENE_H

#include "engine/feed/frame.h"
#include "engine/feed/geometry.h"
#include "engine/feed/samples.h"
#include "spec/train.h"

enum {
    SCENE_PICTURES_MAX = 8, /* of one input: a mosaic mixed with another */
    SCENE_WORK_SIDE_MAX =
        1536, /* of a working picture: the largest input, 1024, half as large again */
};

struct scene {
    double mosaic;             /* probability */
    int64_t mosaic_until;      /* epochs before this one have mosaic and mixup */
    double mixup, mixup_alpha; /* probability; 0: off */
    double rotate, translate, scale, shear;
    double flip, vertical_flip;
    double hsv_h, hsv_s, hsv_v;
    double multi_scale; /* 0: every batch at the frame's size */
};

/* The settings for an input of `size` pixels; the frame that goes with them (letterbox, ImageNet's
 * mean and deviation, working pictures for the largest size). */
void scene_setup(const struct train_spec *s, int32_t size, struct scene *ret_scene,
                 struct frame *ret_frame);
/* The input size of a batch, and the largest there can be. */
int32_t scene_size(const struct scene *s, int32_t size, uint64_t seed, int64_t epoch,
                   int64_t batch);
int32_t scene_size_max(const struct scene *s, int32_t size);

/* Which pictures make an input, and how: everything random is decided here. */
struct scene_tile {
    uint32_t index;        /* of the sample */
    int layer;             /* 0, or 1: of the input that is mixed in */
    struct affine place;   /* pixels of its working picture to those of the input */
    struct affine objects; /* pixels of the picture itself to those of the input */
};
struct scene_plan {
    int32_t size;
    int tiles_n, layers;
    double weight; /* of layer 0 in the blend; the other has the rest */
    struct scene_tile tile[SCENE_PICTURES_MAX];
    double hue, saturation, value; /* turns; factors */
};
/* For sample number `index` of n; sizes are those of the manifest. */
void scene_plan_of(const struct scene *s, const struct frame *f, enum net_task task, int32_t size,
                   const struct sample_ref *samples, uint32_t n, uint64_t seed, int64_t epoch,
                   uint32_t index, struct scene_plan *ret);

/* The input of a plan: work[i] is the working picture (frame_open) of tile i.  ret
 * [3][size][size]; scratch: SCENE_SCRATCH_FLOATS(size). */
#define SCENE_ROW_FLOATS(size)     (((size_t)(size) + 15) / 16 * 16)
#define SCENE_SCRATCH_FLOATS(size) (SCENE_ROW_FLOATS(size) * 6 + (SCENE_WORK_SIDE_MAX * 3 + 1) / 2)
void scene_draw(const struct scene_plan *p, const struct frame *f, const struct image *work,
                float *scratch, float *ret);

#endif
