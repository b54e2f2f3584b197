/* samples.h - the images of a dataset version, by split, as the loader needs them.
 *
 * Read from manifest.jsonl (spec/dataset.h) line by line: memory grows with the number of images
 * (about 150 bytes and the name of each) and of their objects (20 bytes a box, 24 and 8 a point for
 * an outline), not with the length of the file.
 *
 * Objects are kept in two forms, which need not agree in number:
 *   boxes   what detection learns: the boxes of the line, or where it has none the bounds of its
 *           outlines (an outline has a box, but a box has no outline: never the other way round)
 *   shapes  what segmentation learns: its polygons, then its quadrangles (lines of text), these as
 *           polygons of class 0.  An object in several parts, as COCO has them, is a run of shapes
 *           of which all but the last say `more`: a polygon joins the one before where both are of
 *           one class and lie in one box of the line that neither fills alone.
 * Coordinates are pixels of the upright picture, x to the right, y down, not yet clipped to it.
 */
#ifndef ANNEAL_ENGINE_FEED_SAMPLES_H
#define ANNEAL_ENGINE_FEED_SAMPLES_H

#include "base/arena.h"
#include "engine/model/target.h"
#include "spec/dataset.h"

struct sample_shape {
    int32_t cls;
    uint32_t points;
    const float *xy; /* [2 * points] */
    bool more;       /* the next shape is a part of the same object */
};
struct sample_ref {
    char sha256[SHA256_HEX + 1];
    int32_t width, height;
    int32_t label; /* -1: none */
    str name;
    const struct net_box *boxes; /* x0 < x1, y0 < y1; those without area are left out */
    const struct sample_shape *shapes;
    uint32_t boxes_n, shapes_n;
};
struct samples {
    struct dataset_header header;
    struct sample_ref *of[SPLIT_COUNT];
    size_t n[SPLIT_COUNT]; /* each as stated in the header: a difference is RC_CORRUPT */
};
/* Everything in `a`.  Errors name the line. */
enum rc samples_read(const char *path, struct arena *a, struct samples *ret,
                     struct err *e) must_check;

/* What a network of `task` learns to tell apart, in `a`:
 *   classification, detection, segmentation   the classes of the dataset; a dataset of text has the
 *                                             one class "text"
 *   semantic   every pixel has a class, so "background" becomes class 0 and the dataset's classes
 *              follow, each one higher; unless a class of the dataset is itself called
 *              "background": then it is the background and nothing moves.  At most 255.
 * RC_TOO_LARGE: more classes than the labels can hold. */
enum rc samples_classes(const struct dataset_header *h, enum net_task task, struct arena *a,
                        str **ret, size_t *ret_n, struct err *e) must_check;
/* How semantic labels are made of the dataset's classes: label = class + shift, else background. */
struct semantic_map {
    int32_t background, shift;
};
struct semantic_map samples_semantic_map(const struct dataset_header *h);

/* RC_INVALID where nothing in s can teach the task: no labels, no boxes, or for both segmentations
 * no outline (boxes are never taken for masks), saying what to do.  *ret_boxes_only, if not NULL:
 * pictures that have boxes but no outline, whose objects a segmentation would take for background.
 */
enum rc samples_check(const struct sample_ref *s, size_t n, enum net_task task,
                      uint64_t *ret_boxes_only, struct err *e) must_check;

/* Median of the shorter sides, of the longer ones; 0 for none. */
int32_t samples_median_side(const struct sample_ref *s, size_t n, struct arena *a);
int32_t samples_median_long_side(const struct sample_ref *s, size_t n, struct arena *a);

#endif
