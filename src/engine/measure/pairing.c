/* pairing.c - pairs detections with truths of any class, best overlap first. */
#include "engine/measure/pairing.h"

#include "base/vec.h"
#include <stdlib.h>

struct pair {
    double iou;
    uint32_t det, truth;
};
struct pairing {
    enum coco_kind kind;
    double confidence, iou;
    VEC(struct pair) pairs; /* of one picture */
    VEC(uint8_t) used;      /* detections, then truths */
};

enum rc pairing_new(struct pairing **ret, enum coco_kind kind, double confidence, double iou,
                    struct err *e)
{
    struct pairing *p;

    if (!(confidence >= 0 && confidence <= 1) || !(iou > 0 && iou <= 1))
        return err_set(e, RC_INVALID,
                       "pairing detections needs a confidence from 0 to 1 and an IoU over 0 and "
                       "up to 1, not %g and %g",
                       confidence, iou);
    p = mem_zalloc(sizeof *p);
    if (!p)
        return err_set(e, RC_NOMEM, "out of memory to pair detections");
    *p = (struct pairing){.kind = kind, .confidence = confidence, .iou = iou};
    *ret = p;
    return RC_OK;
}

void pairing_free(struct pairing *p)
{
    if (!p)
        return;
    VEC_DONE(&p->pairs);
    VEC_DONE(&p->used);
    mem_free(p);
}

static double pair_iou(const struct pairing *p, const struct coco_detection *d,
                       const struct coco_truth *t)
{
    return p->kind == COCO_MASKS ? rle_iou(d->mask, t->mask, t->crowd)
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

/* All pairs that overlap enough. */
static enum rc find_pairs(struct pairing *p, const struct coco_image *im, struct err *e)
{
    p->pairs.n = p->used.n = 0;
    for (size_t i = 0; i < im->detections_n + im->truths_n; i++)
        if (!VEC_PUSH(&p->used, 0))
            return err_set(e, RC_NOMEM, "out of memory to pair %zu detections", im->detections_n);
    for (size_t d = 0; d < im->detections_n; d++) {
        if (!(im->detections[d].score >= p->confidence))
            continue;
        for (size_t t = 0; t < im->truths_n; t++) {
            double iou = im->truths[t].crowd ? 0 : pair_iou(p, &im->detections[d], &im->truths[t]);
            if (!(iou >= p->iou))
                continue;
            if (p->pairs.n == COCO_PAIRS_MAX)
                return err_set(e, RC_TOO_LARGE,
                               "a picture with over %d overlapping pairs of "
                               "objects and detections",
                               COCO_PAIRS_MAX);
            if (!VEC_PUSH(&p->pairs, (struct pair){iou, (uint32_t)d, (uint32_t)t}))
                return err_set(e, RC_NOMEM, "out of memory to pair %zu detections",
                               im->detections_n);
        }
    }
    if (p->pairs.n)
        qsort(p->pairs.p, p->pairs.n, sizeof *p->pairs.p, by_iou);
    return RC_OK;
}

static bool excused(const struct pairing *p, const struct coco_image *im,
                    const struct coco_detection *d)
{
    for (size_t t = 0; t < im->truths_n; t++)
        if (im->truths[t].crowd && im->truths[t].cls == d->cls &&
            pair_iou(p, d, &im->truths[t]) >= p->iou)
            return true;
    return false;
}

enum rc pairing_walk(struct pairing *p, const struct coco_image *im, pairing_fn each, void *ud,
                     struct err *e)
{
    enum rc rc = find_pairs(p, im, e);
    uint8_t *det_used, *truth_used;

    if (rc)
        return rc;
    det_used = p->used.p;
    truth_used = p->used.p ? p->used.p + im->detections_n : NULL;
    for (size_t i = 0; i < p->pairs.n; i++) {
        const struct pair *one = &p->pairs.p[i];
        if (det_used[one->det] || truth_used[one->truth])
            continue;
        det_used[one->det] = truth_used[one->truth] = 1;
        each(ud, one->truth, one->det);
    }
    for (size_t t = 0; t < im->truths_n; t++)
        if (!truth_used[t] && !im->truths[t].crowd)
            each(ud, (int64_t)t, -1);
    for (size_t d = 0; d < im->detections_n; d++)
        if (!det_used[d] && im->detections[d].score >= p->confidence &&
            !excused(p, im, &im->detections[d]))
            each(ud, -1, (int64_t)d);
    return RC_OK;
}
