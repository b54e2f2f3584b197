/* rle.h - run-length masks as COCO has them, and the IoU of masks and of boxes.
 *
 * A mask of h x w pixels is read column by column, top to bottom (COCO's order).  `runs` holds the
 * lengths of its stretches in turn: outside, inside, outside, ..; the first may be 0, no other is,
 * and their sum is h * w.  Every struct rle made here is of that form, so equal masks have equal
 * runs.  The text form ("counts" of a COCO annotation) is COCO's compressed string.
 *
 * Pure functions over caller's memory; a struct rle owns its runs (rle_done).  Any thread.  Boxes
 * are {x, y, width, height} in pixels, x to the right and y down from the top left corner.
 * Source of the format and of the semantics: Lin et al., Microsoft COCO, arXiv:1405.0312, and the
 * behaviour of its reference evaluator, with which results agree (bench/measures).
 */
#ifndef ANNEAL_ENGINE_MEASURE_RLE_H
#define ANNEAL_ENGINE_MEASURE_RLE_H

#include "base/buf.h"

enum {
    RLE_SIDE_MAX = 1 << 20,
    RLE_PIXELS_MAX = 1 << 30,
    RLE_COORD_MAX = 1 << 20,         /* of a polygon's vertex, either sign */
    RLE_POLYGON_STEPS_MAX = 1 << 26, /* fifths of a pixel walked along one outline */
};

struct rle {
    uint32_t h, w;  /* pixels; at least 1 each */
    uint32_t *runs; /* owned */
    size_t n;       /* at least 1 */
};

/* The vertices of one outline, x before y, in pixels; it closes itself. */
struct rle_polygon {
    const double *xy; /* 2 * points */
    size_t points;    /* at least 3 */
};

/* A zeroed struct is fine. */
void rle_done(struct rle *m);

/* All below: h or w of 0 or past the limits above, or input that contradicts itself, is
 * RC_INVALID with a text that says where; RC_NOMEM. */

/* COCO's uncompressed "counts".  Runs of length 0 are taken and dropped; the sum must be h * w. */
enum rc rle_from_runs(const uint32_t *runs, size_t n, uint32_t h, uint32_t w, struct rle *ret,
                      struct err *e) must_check;
/* COCO's compressed "counts": 6-bit characters '0'..'o', 5 bits each, least significant first,
 * signed; from the fourth run on the difference to the run before the last. */
enum rc rle_from_text(str text, uint32_t h, uint32_t w, struct rle *ret, struct err *e) must_check;
/* Appends the compressed text. */
void rle_to_text(const struct rle *m, struct buf *out);

/* px[y * stride + x] != 0 is inside. */
enum rc rle_from_bitmap(const uint8_t *px, size_t stride, uint32_t h, uint32_t w, struct rle *ret,
                        struct err *e) must_check;
/* Writes 0 and 1 into px[y * stride + x]. */
void rle_to_bitmap(const struct rle *m, uint8_t *px, size_t stride);

/* The union of the outlines' insides (an object in several parts), rasterised as COCO does: each
 * outline is walked in fifths of a pixel and a column's crossings are taken in its middle.
 * Vertices may lie outside of the picture.  RC_INVALID: under 3 points, a coordinate that is no
 * number or past RLE_COORD_MAX; RC_TOO_LARGE: an outline longer than RLE_POLYGON_STEPS_MAX. */
enum rc rle_from_polygons(const struct rle_polygon *parts, size_t n, uint32_t h, uint32_t w,
                          struct rle *ret, struct err *e) must_check;
/* The box as a polygon of four corners. */
enum rc rle_from_box(const double box[4], uint32_t h, uint32_t w, struct rle *ret,
                     struct err *e) must_check;

/* Union or intersection of n >= 1 masks of one size. */
enum rc rle_merge(const struct rle *const *masks, size_t n, bool intersect, struct rle *ret,
                  struct err *e) must_check;

uint64_t rle_area(const struct rle *m); /* pixels inside */
/* The smallest box around the inside; {0, 0, 0, 0} of an empty mask. */
void rle_box(const struct rle *m, double ret_box[4]);

/* Intersection over union; where the truth is a crowd region, over the detection's area (COCO's
 * rule: a detection inside of a crowd matches it).  0 if they do not overlap, if the sizes differ,
 * or if a box has a side that is not finite or not positive. */
double rle_iou(const struct rle *detection, const struct rle *truth, bool truth_is_crowd);
double rle_box_iou(const double detection[4], const double truth[4], bool truth_is_crowd);

#endif
