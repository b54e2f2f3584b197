/* coco_int.h - one picture's detections and truths, sorted into groups that may match. */
#ifndef ANNEAL_ENGINE_MEASURE_COCO_INT_H
#define ANNEAL_ENGINE_MEASURE_COCO_INT_H

#include "base/vec.h"
#include "engine/measure/coco_eval.h"

enum { MEET_NONE = UINT32_MAX };

/* Scratch for one picture after another. */
struct meet {
    const struct coco_image *image;
    enum coco_kind kind;
    bool classless;
    size_t dets_max;      /* of one group; 0: no limit */
    VEC(uint32_t) dets;   /* indices: by class, then falling score, then as given */
    VEC(uint32_t) truths; /* by class, then as given */
    size_t next_det, next_truth;
    VEC(double) iou;      /* [detection of the group][truth of the group] */
    VEC(double) reach;    /* largest IoU of each detection of the group */
    VEC(double) det_area; /* pixels */
    VEC(double) truth_area;
    VEC(double) boxes;    /* of the group's masks: detections, then truths */
    VEC(uint32_t) order;  /* truths of the group, those that are not ignored first */
    VEC(uint32_t) to;     /* truth (position in the group) that each detection took */
    VEC(uint8_t) ignored; /* truths, by position */
    VEC(uint8_t) taken;
};

/* The detections and truths that may match, by position 0 .. n - 1; indices into the image. */
struct meet_group {
    int32_t cls;
    const uint32_t *dets, *truths;
    size_t dets_n, truths_n; /* one of them is above 0 */
};

/* RC_TOO_LARGE, RC_INVALID: more than can be measured; a class outside of 0 .. classes - 1 (classes
 * 0: any number is a class); COCO_MASKS and no mask. */
enum rc coco_check_image(const struct coco_image *im, enum coco_kind kind, uint32_t classes,
                         struct err *e);
/* classes as above. */
enum rc meet_begin(struct meet *m, const struct coco_image *image, enum coco_kind kind,
                   uint32_t classes, bool classless, struct err *e);
void meet_done(struct meet *m);
/* The next group with its IoUs and areas; false at the end, or on failure with *ret_rc set. */
bool meet_next(struct meet *m, struct meet_group *ret, enum rc *ret_rc, struct err *e);
/* Marks crowds and truths whose area lies outside as ignored, in m->ignored and m->order. */
void meet_range(struct meet *m, const struct meet_group *g, const double area[2]);
/* Matches the group at one threshold, after meet_range: m->to. */
void meet_match(struct meet *m, const struct meet_group *g, double iou);
/* Falling scores, NaN last: < 0 if a comes first. */
int coco_compare_scores(double a, double b);

#endif
