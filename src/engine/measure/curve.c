/* curve.c - counts of a class over thresholds, and what follows from them. */
#include "engine/measure/curve.h"

#include <math.h>
#include <string.h>

int curve_iou_index(const struct coco_eval *ev, double iou)
{
    const struct coco_options *o = coco_eval_options(ev);

    for (uint32_t i = 0; i < o->ious_n; i++)
        if (fabs(o->ious[i] - iou) < 1e-9)
            return (int)i;
    return -1;
}

static double confidence_of(int i)
{
    return (double)i / (CURVE_POINTS - 1);
}

/* `best` is read off f1, precision and recall as they stand. */
static void find_best(struct curve *c)
{
    int first = 0, last, i;

    for (i = 1; i < CURVE_POINTS; i++)
        if (c->f1[i] > c->f1[first])
            first = i;
    for (last = first; last + 1 < CURVE_POINTS && c->f1[last + 1] >= c->f1[first];)
        last++;
    i = (first + last) / 2;
    c->best_confidence = confidence_of(i);
    c->best_f1 = c->f1[i];
    c->best_precision = c->precision[i];
    c->best_recall = c->recall[i];
}

void curve_of_class(const struct coco_eval *ev, uint32_t iou, uint32_t cls, struct curve *ret)
{
    uint64_t tp = 0, fp = 0;
    size_t n = coco_eval_ranked_count(ev, cls), i = 0;

    memset(ret, 0, sizeof *ret);
    ret->truths = coco_eval_class(ev, cls).truths;
    if (!ret->truths)
        return;
    coco_eval_precision(ev, iou, cls, COCO_ALL, ret->precision_at_recall);
    for (int at = CURVE_POINTS - 1; at >= 0; at--) {
        for (; i < n; i++) {
            struct coco_ranked d = coco_eval_ranked(ev, cls, iou, i);
            if (!(d.score >= confidence_of(at)))
                break;
            tp += d.matched && !d.ignored;
            fp += !d.matched && !d.ignored;
        }
        ret->precision[at] = tp + fp ? (double)tp / (double)(tp + fp) : 1;
        ret->recall[at] = (double)tp / (double)ret->truths;
        ret->f1[at] = 2 * (double)tp / (double)(tp + fp + ret->truths);
    }
    find_best(ret);
}

void curve_of_all(const struct coco_eval *ev, uint32_t iou, struct curve *ret)
{
    struct curve one;
    uint32_t n = 0;

    memset(ret, 0, sizeof *ret);
    for (uint32_t k = 0; k < coco_eval_classes(ev); k++) {
        curve_of_class(ev, iou, k, &one);
        if (!one.truths)
            continue;
        n++;
        ret->truths += one.truths;
        for (int i = 0; i < COCO_RECALLS; i++)
            ret->precision_at_recall[i] += one.precision_at_recall[i];
        for (int i = 0; i < CURVE_POINTS; i++) {
            ret->precision[i] += one.precision[i];
            ret->recall[i] += one.recall[i];
            ret->f1[i] += one.f1[i];
        }
    }
    if (!n)
        return;
    for (int i = 0; i < COCO_RECALLS; i++)
        ret->precision_at_recall[i] /= n;
    for (int i = 0; i < CURVE_POINTS; i++) {
        ret->precision[i] /= n;
        ret->recall[i] /= n;
        ret->f1[i] /= n;
    }
    find_best(ret);
}
