/* image.h - pictures from outside: probe, decode, resize, encode.  JPEG, PNG and WebP.
 *
 * The bytes are hostile until proven otherwise.  What is allocated follows from the header's size,
 * so that is checked against limits first; a picture whose data end early, or that says another
 * size than it has, is RC_CORRUPT with a text that says why.  RC_UNSUPPORTED: not one of the three
 * formats (recognised by its first bytes, never by its name), or an exotic kind of one.
 * RC_TOO_LARGE: above a limit.  All functions are pure and may run on any thread; the same bytes
 * give the same pixels.
 */
#ifndef ANNEAL_ENGINE_FEED_IMAGE_H
#define ANNEAL_ENGINE_FEED_IMAGE_H

#include "base/buf.h"
#include "spec/dataset.h"

enum { IMAGE_SIDE_MAX = 30000, IMAGE_PIXELS_MAX = 100 * 1000 * 1000 };
struct image_limits {
    int64_t pixels_max; /* 0: IMAGE_PIXELS_MAX */
    int32_t side_max;   /* 0: IMAGE_SIDE_MAX */
};

struct image_info {
    enum image_type type;
    int32_t width, height; /* as shown: the EXIF orientation is applied */
    int channels;          /* in the file: 1 grey, 2 grey + alpha, 3, 4 (RGBA, or CMYK in a JPEG) */
    int bits;              /* of a channel: 1..16 (a palette counts as 8) */
    int orientation;       /* EXIF 1..8; 1 when absent.  5..8 swap the sides as stored */
};
/* Reads the header only; the data behind it may still be corrupt.  lim NULL: the defaults. */
enum rc image_probe(str bytes, const struct image_limits *lim, struct image_info *ret,
                    struct err *e) must_check;

/* RGB, 8 bit, interleaved, rows without padding: rgb[(y * width + x) * 3 + c].  Owned (mem). */
struct image {
    int32_t width, height;
    uint8_t *rgb;
};
void image_done(struct image *im); /* zeroed memory is fine */
enum rc image_alloc(int32_t width, int32_t height, struct image *ret, struct err *e) must_check;

/* Pixels that somebody else decoded (a browser's canvas: RGBA, rows without padding, colours not
 * multiplied by alpha), laid on white. */
enum rc image_of_rgba(const uint8_t *rgba, int32_t width, int32_t height,
                      const struct image_limits *lim, struct image *ret, struct err *e) must_check;

/* Any of the above as RGB: grey, palette, 16 bit, CMYK and YCCK are converted, transparency is laid
 * on white, the EXIF orientation is applied.  side_min > 0 allows a smaller result (JPEG only: a
 * half, a quarter or an eighth while decoding, several times faster), whose shorter side is still
 * at least side_min; 0 decodes at full size. */
enum rc image_decode(str bytes, const struct image_limits *lim, int32_t side_min, struct image *ret,
                     struct err *e) must_check;

/* The same pixels, but where that saves time only the columns that hold the parts [from, to) of the
 * width (0..1) and some around them. */
struct image_columns {
    struct image im;    /* owned */
    int32_t left, full; /* its first column, of how many the picture has at this scale */
};
enum rc image_decode_columns(str bytes, const struct image_limits *lim, int32_t side_min,
                             double from, double to, struct image_columns *ret,
                             struct err *e) must_check;

/* The rectangle (x, y, w, h) of src, in pixels and inside it, to out_w x out_h: a triangle filter
 * as wide as the reduction (bilinear when enlarging), so nothing aliases.  Integer arithmetic: the
 * same result on every machine.  The formula is that of separable resampling as in Pillow's
 * BILINEAR. */
struct image_rect {
    double x, y, w, h;
};
enum rc image_resize_rect(const struct image *src, struct image_rect r, int32_t out_w,
                          int32_t out_h, struct image *ret, struct err *e) must_check;
enum rc image_resize(const struct image *src, int32_t out_w, int32_t out_h, struct image *ret,
                     struct err *e) must_check;
/* The pixels (x, y, w, h) of what image_resize would make of the whole picture at out_w x out_h;
 * the columns that they need must be there. */
struct image_part {
    int32_t x, y, w, h;
};
enum rc image_resize_part(const struct image_columns *src, int32_t out_w, int32_t out_h,
                          struct image_part part, struct image *ret, struct err *e) must_check;
/* Shrinks so that the longer side is at most `side`; the copy has the same size if it is already.
 */
enum rc image_fit(const struct image *src, int32_t side, struct image *ret,
                  struct err *e) must_check;

/* Append to out. */
enum rc image_encode_jpeg(const struct image *im, int quality, struct buf *out,
                          struct err *e) must_check;
enum rc image_encode_png(const struct image *im, struct buf *out, struct err *e) must_check;

#endif
