/* pairing.h - which detection stands for which truth of a picture, whatever their classes.
 *
 * Of a picture the detections with score >= confidence are paired with the truths, whatever their
 * classes, one to one, largest IoU first (ties: lower detection, then lower truth index), as long
 * as IoU >= the threshold.  What is left over has no partner: a truth was missed, a detection is
 * false.  Crowd regions are no truths: a detection left over that meets one of its own class (IoU
 * over the detection's area) is passed over.
 *
 * Memory: 16 bytes for each pair of a picture that overlaps enough.  One owner thread.
 */
#ifndef ANNEAL_ENGINE_MEASURE_PAIRING_H
#define ANNEAL_ENGINE_MEASURE_PAIRING_H

#include "engine/measure/coco_eval.h"

struct pairing; /* opaque */

/* confidence in [0, 1], iou in (0, 1]; else RC_INVALID.  RC_NOMEM. */
enum rc pairing_new(struct pairing **ret, enum coco_kind kind, double confidence, double iou,
                    struct err *e) must_check;
void pairing_free(struct pairing *p); /* NULL is fine */

/* Indices into the image; -1: no partner. */
typedef void (*pairing_fn)(void *ud, int64_t truth, int64_t detection);
/* Calls each for the pairs (largest IoU first), the truths left over and the detections left over,
 * each in order.  Classes are compared with nothing but a crowd's.  RC_TOO_LARGE: more than
 * COCO_PAIRS_MAX pairs; RC_NOMEM; then nothing was called. */
enum rc pairing_walk(struct pairing *p, const struct coco_image *image, pairing_fn each, void *ud,
                     struct err *e) must_check;

#endif
