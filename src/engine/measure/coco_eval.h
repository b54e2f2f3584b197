/* coco_eval.h - average precision and recall of detections, boxes or masks, as COCO defines them.
 *
 *     coco_eval_new(&ev, classes, NULL, e);
 *     for each validation picture: coco_eval_add(ev, &image, e);
 *     coco_eval_finish(ev, e);                     // may be called again after more pictures
 *     coco_eval_summary(ev)->v[COCO_AP50];
 *     coco_eval_free(ev);
 *
 * The rules (arXiv:1405.0312; to 1e-9 the numbers of COCO's reference evaluator, bench/measures):
 * detections of a picture and class are taken by falling score (ties: as given), at most
 * max_dets[2]; each takes the free truth of its class with the largest IoU at or above the
 * threshold (ties: the later one), and an ignored one only if no other fits.  Ignored are crowd
 * regions, which any number of detections may take, and truths whose area lies outside of the
 * range; a detection that took an ignored truth, or none while its own area lies outside, counts
 * neither way.  Precision is made monotone and read at 101 recalls.  A class without truths (in
 * the range) has no value: COCO_NONE, left out of means; with nothing to measure, all is COCO_NONE.
 *
 * Scores may be anything: +inf ranks first, NaN last, after -inf.  A box with a side that is not
 * finite or not positive overlaps nothing, so a detection with such a box is a false positive;
 * an area that is no finite number is taken for 0.
 *
 * Memory: 32 bytes for each detection that is kept (at most max_dets[2] for each picture and
 * class), 2.2 KiB for each class, and scratch of 8 bytes x truths x detections of the largest
 * (picture, class).  Nothing of the pictures is kept.  One owner thread; results depend on the
 * pictures and their order only.
 */
#ifndef ANNEAL_ENGINE_MEASURE_COCO_EVAL_H
#define ANNEAL_ENGINE_MEASURE_COCO_EVAL_H

#include "engine/measure/rle.h"

enum {
    COCO_IOUS_MAX = 16,
    COCO_AREAS = 4, /* all, small, medium, large */
    COCO_RECALLS = 101,
    COCO_CLASSES_MAX = 1 << 14,
    COCO_IMAGE_TRUTHS_MAX = 1 << 16,     /* of one picture */
    COCO_IMAGE_DETECTIONS_MAX = 1 << 20, /* of one picture, given */
    COCO_MAX_DETS_MAX = 1000,            /* of one picture and class, kept */
    COCO_PAIRS_MAX = 1 << 23,            /* truths x detections of one picture and class */
};
#define COCO_NONE (-1.0)

enum coco_kind { COCO_BOXES, COCO_MASKS };
enum coco_area { COCO_ALL, COCO_SMALL, COCO_MEDIUM, COCO_LARGE };

struct coco_truth {
    int32_t cls; /* 0 .. classes - 1 */
    bool crowd;
    double box[4]; /* x, y, width, height in pixels */
    double area;   /* pixels, for the size ranges; negative: of the mask, else of the box */
    const struct rle *mask; /* lent; needed for COCO_MASKS */
};
struct coco_detection {
    int32_t cls;
    double score;
    double box[4];
    const struct rle *mask; /* lent; needed for COCO_MASKS, where its area counts */
};
struct coco_image {
    const struct coco_truth *truths;
    size_t truths_n;
    const struct coco_detection *detections; /* any order */
    size_t detections_n;
};

struct coco_options {
    enum coco_kind kind;
    double ious[COCO_IOUS_MAX]; /* rising, in (0, 1] */
    uint32_t ious_n;
    uint32_t max_dets[3];        /* rising */
    double areas[COCO_AREAS][2]; /* inclusive; [0] is "all" */
    bool classless;              /* boxes of any class may match (COCO's useCats = 0) */
};
/* IoU .50 to .95 in steps of .05; 1, 10, 100 detections; areas split at 32^2 and 96^2. */
struct coco_options coco_options_default(enum coco_kind kind);

/* COCO's twelve numbers, in its order.  name, key (JSON), text for people */
#define COCO_TABLE(X)                                                                              \
    X(AP, "map", "AP at IoU .50:.95")                                                              \
    X(AP50, "map50", "AP at IoU .50")                                                              \
    X(AP75, "map75", "AP at IoU .75")                                                              \
    X(AP_SMALL, "map_small", "AP of objects under 32x32 pixels")                                   \
    X(AP_MEDIUM, "map_medium", "AP of objects from 32x32 to 96x96 pixels")                         \
    X(AP_LARGE, "map_large", "AP of objects over 96x96 pixels")                                    \
    X(AR1, "ar1", "AR with 1 detection a picture")                                                 \
    X(AR10, "ar10", "AR with 10 detections a picture")                                             \
    X(AR100, "ar100", "AR with 100 detections a picture")                                          \
    X(AR_SMALL, "ar_small", "AR of objects under 32x32 pixels")                                    \
    X(AR_MEDIUM, "ar_medium", "AR of objects from 32x32 to 96x96 pixels")                          \
    X(AR_LARGE, "ar_large", "AR of objects over 96x96 pixels")
enum coco_measure {
#define X(name, key, text) COCO_##name,
    COCO_TABLE(X)
#undef X
        COCO_MEASURES
};
const char *coco_measure_key(enum coco_measure m);
const char *coco_measure_text(enum coco_measure m);

struct coco_summary {
    double v[COCO_MEASURES]; /* 0 .. 1, or COCO_NONE */
};
struct coco_class {
    double ap, ap50, ap75, ar; /* area all, max_dets[2]; COCO_NONE without truths */
    uint64_t truths;           /* crowd regions not counted */
    uint64_t detections;       /* kept ones */
};

struct coco_eval; /* opaque */

/* options NULL: the default for boxes.  RC_INVALID: options or the number of classes (1 up to
 * COCO_CLASSES_MAX) outside of what stands above; RC_NOMEM. */
enum rc coco_eval_new(struct coco_eval **ret, uint32_t classes, const struct coco_options *options,
                      struct err *e) must_check;
void coco_eval_free(struct coco_eval *ev); /* NULL is fine */
/* RC_INVALID: a class out of range, a mask that is missing; RC_TOO_LARGE: past a limit above;
 * RC_NOMEM.  After a failure nothing of the picture counts. */
enum rc coco_eval_add(struct coco_eval *ev, const struct coco_image *image,
                      struct err *e) must_check;
enum rc coco_eval_finish(struct coco_eval *ev, struct err *e) must_check;

/* The rest reads what the last finish computed.  classless: there is one class, 0. */
uint32_t coco_eval_classes(const struct coco_eval *ev);
const struct coco_options *coco_eval_options(const struct coco_eval *ev);
uint64_t coco_eval_images(const struct coco_eval *ev);
const struct coco_summary *coco_eval_summary(const struct coco_eval *ev);
/* ap50 and ap75 are COCO_NONE if the options lack that threshold. */
struct coco_class coco_eval_class(const struct coco_eval *ev, uint32_t cls);
/* Mean precision over the 101 recalls, and the largest recall with max_dets[m]. */
double coco_eval_ap(const struct coco_eval *ev, uint32_t iou, uint32_t cls, enum coco_area area);
double coco_eval_recall(const struct coco_eval *ev, uint32_t iou, uint32_t cls, enum coco_area area,
                        uint32_t m);
/* Monotone precision at recall 0, .01, .., 1 (with max_dets[2]); false without truths. */
bool coco_eval_precision(const struct coco_eval *ev, uint32_t iou, uint32_t cls,
                         enum coco_area area, double ret[COCO_RECALLS]);

/* The detections kept of a class, by falling score, area all: for curves. */
struct coco_ranked {
    double score;
    bool matched; /* a true positive, unless ignored */
    bool ignored;
};
size_t coco_eval_ranked_count(const struct coco_eval *ev, uint32_t cls);
struct coco_ranked coco_eval_ranked(const struct coco_eval *ev, uint32_t cls, uint32_t iou,
                                    size_t i);

/* Who met whom in one picture at one IoU threshold, by the rules above without the size ranges and
 * without max_dets: for pages that draw results.  Because detections are taken by falling score, a
 * page that hides detections under a confidence reads the same matches: a truth is found if it has
 * a match and that detection is shown, else missed.  Arrays of the picture's lengths; after a
 * failure (RC_TOO_LARGE, RC_NOMEM, RC_INVALID as coco_eval_add) they may be half written. */
struct coco_match {
    int32_t other; /* a detection: index of its truth; a truth: of its first detection; -1: none */
    bool ignored;  /* a crowd region, or a detection that took one: counts neither way */
    double iou; /* with `other`; a detection without one: the largest with a truth of its class */
};
enum rc coco_match_image(const struct coco_image *image, enum coco_kind kind, double iou,
                         struct coco_match *ret_detections, struct coco_match *ret_truths,
                         struct err *e) must_check;

#endif
