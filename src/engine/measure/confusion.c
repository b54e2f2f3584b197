/* confusion.c - pairs detections with truths of any class, best overlap first, and counts. */
#include "engine/measure/confusion.h"

#include "base/vec.h"
#include "engine/measure/coco_int.h"
#include <stdlib.h>

struct pair {
    double iou;
    uint32_t det, truth;
};
struct confusion {
    uint32_t classes;
    enum coco_kind kind;
    double confidence, iou;
    uint64_t *cells;
    VEC(struct pair) pairs; /* of one picture */
    VEC(uint8_t) used;      /* detections, then truths */
};

enum rc confusion_new(struct confusion **ret, uint32_t classes, enum coco_kind kind,
                      double confidence, double iou, struct err *e)
{
    struct confusion *c;
    size_t side = (size_t)classes + 1;

    if (classes < 1 || classes > CONFUSION_CLASSES_MAX)
        return err_set(e, RC_INVALID, "a confusion matrix of %u classes; 1 to %d can be shown",
                       classes, CONFUSION_CLASSES_MAX);
    if (!(confidence >= 0 && confidence <= 1) || !(iou > 0 && iou <= 1))
        return err_set(e, RC_INVALID,
                       "a confusion matrix needs a confidence from 0 to 1 and an "
                       "IoU over 0 and up to 1, not %g and %g",
                       confidence, iou);
    c = mem_zalloc(sizeof *c);
    if (c)
        c->cells = mem_alloc_array(side * side, sizeof *c->cells);
    if (!c || !c->cells) {
        mem_free(c);
        return err_set(e, RC_NOMEM, "out of memory for a confusion matrix of %u classes", classes);
    }
    c->classes = classes;
    c->kind = kind;
    c->confidence = confidence;
    c->iou = iou;
    *ret = c;
    return RC_OK;
}

void confusion_free(struct confusion *c)
{
    if (!c)
        return;
    VEC_DONE(&c->pairs);
    VEC_DONE(&c->used);
    mem_free(c->cells);
    mem_free(c);
}

static double pair_iou(const struct confusion *c, const struct coco_detection *d,
                       const struct coco_truth *t)
{
    return c->kind == COCO_MASKS ? rle_iou(d->mask, t->mask, t->crowd)
                                 : rle_box_iou(d->box, t->box, t->crowd);
}

static int by_iou(const void *pa, const void *pb)
{
    const struct pair *a = pa, *b = pb;

    if (a->iou != b->iou)
        return a->iou > b->iou ? -1 : 1;
    if (a->det != b->det)
        return a->det < b->det ? -1 : 1;
    return (a->truth > b->truth) - (a->truth < b->truth);
}

/* All pairs that overlap enough, and the detections that a crowd of their class excuses. */
static enum rc find_pairs(struct confusion *c, const struct coco_image *im, struct err *e)
{
    c->pairs.n = c->used.n = 0;
    for (size_t i = 0; i < im->detections_n + im->truths_n; i++)
        if (!VEC_PUSH(&c->used, 0))
            return err_set(e, RC_NOMEM, "out of memory to pair %zu detections", im->detections_n);
    for (size_t d = 0; d < im->detections_n; d++) {
        if (!(im->detections[d].score >= c->confidence))
            continue;
        for (size_t t = 0; t < im->truths_n; t++) {
            double iou = im->truths[t].crowd ? 0 : pair_iou(c, &im->detections[d], &im->truths[t]);
            if (iou < c->iou)
                continue;
            if (c->pairs.n == COCO_PAIRS_MAX)
                return err_set(e, RC_TOO_LARGE,
                               "a picture with over %d overlapping pairs of "
                               "objects and detections",
                               COCO_PAIRS_MAX);
            if (!VEC_PUSH(&c->pairs, (struct pair){iou, (uint32_t)d, (uint32_t)t}))
                return err_set(e, RC_NOMEM, "out of memory to pair %zu detections",
                               im->detections_n);
        }
    }
    if (c->pairs.n)
        qsort(c->pairs.p, c->pairs.n, sizeof *c->pairs.p, by_iou);
    return RC_OK;
}

static bool excused(const struct confusion *c, const struct coco_image *im,
                    const struct coco_detection *d)
{
    for (size_t t = 0; t < im->truths_n; t++)
        if (im->truths[t].crowd && im->truths[t].cls == d->cls &&
            pair_iou(c, d, &im->truths[t]) >= c->iou)
            return true;
    return false;
}

enum rc confusion_add(struct confusion *c, const struct coco_image *im, struct err *e)
{
    size_t side = (size_t)c->classes + 1;
    enum rc rc = coco_check_image(im, c->kind, c->classes, e);
    uint8_t *det_used, *truth_used;

    if (!rc)
        rc = find_pairs(c, im, e);
    if (rc)
        return rc;
    det_used = c->used.p;
    truth_used = c->used.p + im->detections_n;
    for (size_t i = 0; i < c->pairs.n; i++) {
        const struct pair *p = &c->pairs.p[i];
        if (det_used[p->det] || truth_used[p->truth])
            continue;
        det_used[p->det] = truth_used[p->truth] = 1;
        c->cells[(size_t)im->truths[p->truth].cls * side + (size_t)im->detections[p->det].cls]++;
    }
    for (size_t t = 0; t < im->truths_n; t++)
        if (!truth_used[t] && !im->truths[t].crowd)
            c->cells[(size_t)im->truths[t].cls * side + c->classes]++;
    for (size_t d = 0; d < im->detections_n; d++) {
        const struct coco_detection *p = &im->detections[d];
        if (!det_used[d] && p->score >= c->confidence && !excused(c, im, p))
            c->cells[c->classes * side + (size_t)p->cls]++;
    }
    return RC_OK;
}

const uint64_t *confusion_cells(const struct confusion *c)
{
    return c->cells;
}

uint32_t confusion_classes(const struct confusion *c)
{
    return c->classes;
}
