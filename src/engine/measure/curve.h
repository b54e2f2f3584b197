/* curve.h - precision, recall and F1 of a detector over its confidence, and the best threshold.
 *
 * Read from a finished coco_eval at one of its IoU thresholds (area all): a threshold keeps the
 * detections whose score is at or above it; ignored ones (crowd regions) count neither way.
 * precision = TP / (TP + FP), 1 where nothing is kept; recall = TP / truths; F1 = 2 TP / (kept +
 * truths).  "All" is the mean over the classes that have truths.  The evaluator keeps at most
 * max_dets[2] detections for each picture and class, which only thins the lowest confidences.
 *
 * Caller's memory, no allocation, no state; any thread that may read the evaluator.
 */
#ifndef ANNEAL_ENGINE_MEASURE_CURVE_H
#define ANNEAL_ENGINE_MEASURE_CURVE_H

#include "engine/measure/coco_eval.h"

enum { CURVE_POINTS = 1001 }; /* confidence i / 1000 */

struct curve {
    uint64_t truths;                          /* 0: nothing to measure, all below is 0 */
    double precision_at_recall[COCO_RECALLS]; /* monotone, at recall i / 100 (COCO's reading) */
    double precision[CURVE_POINTS];           /* at confidence i / 1000 */
    double recall[CURVE_POINTS];
    double f1[CURVE_POINTS];
    /* Where F1 is largest; of a plateau (the first, if several) its middle. */
    double best_confidence, best_f1, best_precision, best_recall;
};

void curve_of_class(const struct coco_eval *ev, uint32_t iou, uint32_t cls, struct curve *ret);
/* Means over classes; best_confidence maximises the mean F1. */
void curve_of_all(const struct coco_eval *ev, uint32_t iou, struct curve *ret);
/* Index of an IoU threshold (within 1e-9) in the evaluator's options; -1: there is none. */
int curve_iou_index(const struct coco_eval *ev, double iou);

#endif
