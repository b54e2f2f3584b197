/* coco_state.h - what the evaluator keeps: a line for each detection, counts for each class. */
#ifndef ANNEAL_ENGINE_MEASURE_COCO_STATE_H
#define ANNEAL_ENGINE_MEASURE_COCO_STATE_H

#include "engine/measure/coco_int.h"

/* One detection, after its picture.  Bit i of the words: at IoU threshold i. */
struct coco_kept {
    double score;
    uint16_t matched[COCO_AREAS]; /* took a truth */
    uint16_t ignored[COCO_AREAS]; /* counts neither way */
    uint32_t seq;                 /* order of coming, which breaks ties of scores */
    uint16_t rank;                /* among its picture's of the class, 0 the best */
};
_Static_assert(sizeof(struct coco_kept) == 32, "as the header promises");
_Static_assert(COCO_IOUS_MAX <= 16, "bits of a word");

struct coco_per_class {
    VEC(struct coco_kept) kept;  /* after finish: by falling score */
    uint64_t truths[COCO_AREAS]; /* that are not ignored */
    double ap[COCO_IOUS_MAX][COCO_AREAS];
    double recall[COCO_IOUS_MAX][COCO_AREAS][3];
};

struct coco_eval {
    struct coco_options options;
    uint32_t classes; /* 1 if classless */
    uint32_t classes_given;
    uint64_t images;
    struct meet meet;
    struct coco_summary summary;
    struct coco_per_class *of;
};

#endif
