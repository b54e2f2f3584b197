/* frame.h - from a picture of any size to the square of numbers that a network reads.
 *
 * The same three steps serve training, validation and prediction, so that a model sees its input
 * made in one way; the parameters are stored with the weights (metadata of the safetensors file):
 *
 *   bytes --frame_open--> working picture --frame_eval | augment--> float32 [3][size][size]
 *
 * The working picture is what a cache keeps: as small as the later steps allow.
 *   squash       the whole picture, made square at once, size x size.  For small inputs, where
 *                nothing may be lost at the edges.
 *   center_crop  the shorter side is work_side at most (pictures are never enlarged here), to leave
 *                room for random crops; evaluation scales the shorter side to size * 8/7 and cuts
 * the centre.
 *   letterbox    for what has a place in the picture: the whole picture, its aspect kept, the
 * longer side at most `size` (never enlarged), in the middle of a square of grey FRAME_PAD.
 * frame_map_of says where a point went, so that predictions return. Then (v / 255 - mean) / std for
 * each channel, R G B.
 */
#ifndef ANNEAL_ENGINE_FEED_FRAME_H
#define ANNEAL_ENGINE_FEED_FRAME_H

#include "engine/feed/image.h"
#include "engine/model/target.h"

enum frame_fit { FRAME_SQUASH, FRAME_CENTER_CROP, FRAME_LETTERBOX, FRAME_FITS };
extern const char *const frame_fit_names[]; /* "squash", "center_crop", "letterbox" */
enum { FRAME_PAD = 114 };                   /* grey beside a letterboxed picture, of 255 */

struct frame {
    int32_t size; /* 8..1024 */
    enum frame_fit fit;
    int32_t work_side; /* >= size; squash: size; letterbox: the longer side's limit */
    float mean[3], std[3];
};
extern const float frame_imagenet_mean[3], frame_imagenet_std[3];

/* Decodes to the working picture. */
enum rc frame_open(const struct frame *f, str bytes, const struct image_limits *lim,
                   struct image *ret, struct err *e) must_check;
/* The same from pixels, which it takes over (even when it fails): `full` may be a reduced form of a
 * picture of width x height. */
enum rc frame_take(const struct frame *f, int32_t width, int32_t height, struct image *full,
                   struct image *ret, struct err *e) must_check;
/* Its size for a picture of width x height, without decoding. */
void frame_work_size(const struct frame *f, int32_t width, int32_t height, int32_t *ret_w,
                     int32_t *ret_h);
/* The evaluation input from a working picture; ret [3][size][size]. */
enum rc frame_eval(const struct frame *f, const struct image *work, float *ret,
                   struct err *e) must_check;
/* The frame for evaluation and prediction: the same input from the smallest working picture.  With
 * center_crop that one's shorter side is size * 8/7 (rounded up), of which `size` is cut at whole
 * pixels: one resampling in all. */
struct frame frame_for_eval(const struct frame *f);
/* Bytes to the evaluation input: the same numbers as frame_open and frame_eval with frame_for_eval
 * give, but nothing is decoded or scaled that would be cut off. */
enum rc frame_input(const struct frame *f, str bytes, const struct image_limits *lim, float *ret,
                    struct err *e) must_check;
/* Where frame_eval puts the pixels of a picture:  input x = picture x * sx + x0.  The scales differ
 * by the rounding of the working picture's sides alone (squash: by the aspect too). */
struct frame_map {
    double sx, sy, x0, y0;
    int32_t width, height; /* of the picture */
};
struct frame_map frame_map_of(const struct frame *f, int32_t width, int32_t height);
/* A box of the input as one of the picture, clipped to it; and the other way, not clipped. */
struct net_box frame_map_back(const struct frame_map *m, struct net_box b);
struct net_box frame_map_to(const struct frame_map *m, struct net_box b);
/* (v / 255 - mean) / std for every byte value. */
void frame_table(const struct frame *f, float ret[3][256]);
/* Interleaved bytes to normalised planes, mirrored where asked. */
void frame_planes(const float table[3][256], const struct image *square, bool mirror,
                  bool upside_down, float *ret);

/* The input size for a data set whose median shorter side is `side` pixels: 32, 64, 96, 128, 224.
 */
int32_t frame_size_auto(int32_t median_side);
/* For detection and segmentation, by the median longer side: the next multiple of 32, 160 to 320.
 */
int32_t frame_size_auto_objects(int32_t median_long_side);

#endif
