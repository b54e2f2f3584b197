/* confusion.h - which class a detector took for which, with background as one class more.
 *
 * Of each picture detections and truths are paired whatever their classes (pairing.h).  A pair
 * counts at (truth's class, detection's class); a truth left over at (its class, background):
 * missed; a detection left over at (background, its class): false.
 *
 * Memory: 8 bytes x (classes + 1)^2, and what pairing takes.
 * One owner thread.
 */
#ifndef ANNEAL_ENGINE_MEASURE_CONFUSION_H
#define ANNEAL_ENGINE_MEASURE_CONFUSION_H

#include "engine/measure/coco_eval.h"

enum { CONFUSION_CLASSES_MAX = 2047 }; /* 32 MiB */

struct confusion; /* opaque */

/* confidence and iou in [0, 1]; else, or past the limit of classes: RC_INVALID.  RC_NOMEM. */
enum rc confusion_new(struct confusion **ret, uint32_t classes, enum coco_kind kind,
                      double confidence, double iou, struct err *e) must_check;
void confusion_free(struct confusion *c); /* NULL is fine */
/* RC_INVALID, RC_TOO_LARGE, RC_NOMEM as coco_eval_add; then nothing of the picture counts. */
enum rc confusion_add(struct confusion *c, const struct coco_image *image,
                      struct err *e) must_check;
/* cells[truth * (classes + 1) + detection]; index `classes` is background.  Lent. */
const uint64_t *confusion_cells(const struct confusion *c);
uint32_t confusion_classes(const struct confusion *c);

#endif
