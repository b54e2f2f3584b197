/* semantic.h - measures of semantic segmentation from a confusion matrix of pixels.
 *
 * For class k, with TP pixels of k taken for k, T pixels that are k, P pixels taken for k:
 *   IoU = TP / (T + P - TP)        Dice = 2 TP / (T + P)        accuracy = TP / T
 *   pixel accuracy = sum TP / sum T                  mean accuracy: over classes with T > 0
 *   mIoU, mean Dice: over classes with T + P > 0 (a class that is neither in the truth nor in the
 *   predictions is left out; one that is only predicted counts 0)
 *   frequency-weighted IoU = sum (T * IoU) / sum T
 * Source: Long, Shelhamer, Darrell, arXiv:1411.4038, section 5; Dice 1945.
 * Pixels whose truth is 255 are left out.  What has no value is -1, not 0.
 *
 * Memory: 8 bytes x classes^2 and a table of 256 KiB.  One owner thread; sums are integers, so the
 * order of pictures does not matter.
 */
#ifndef ANNEAL_ENGINE_MEASURE_SEMANTIC_H
#define ANNEAL_ENGINE_MEASURE_SEMANTIC_H

#include "base/err.h"
#include <stdint.h>

enum { SEMANTIC_IGNORE = 255, SEMANTIC_CLASSES_MAX = 255, SEMANTIC_PIXELS_MAX = 1 << 30 };

struct semantic; /* opaque */
struct semantic_summary {
    double pixel_accuracy, mean_accuracy, miou, fw_iou, mean_dice; /* 0 .. 1 or -1 */
    uint64_t pixels;                                               /* measured ones */
};
struct semantic_class {
    double iou, dice, accuracy, precision; /* 0 .. 1 or -1 */
    uint64_t truth, predicted;             /* pixels */
};

/* RC_INVALID: classes not in 1 .. 255; RC_NOMEM. */
enum rc semantic_new(struct semantic **ret, uint32_t classes, struct err *e) must_check;
void semantic_free(struct semantic *s); /* NULL is fine */
/* n labels each, in any one order.  RC_INVALID: a truth that is neither a class nor 255, or a
 * prediction that is no class where the truth is not 255; RC_TOO_LARGE: more than
 * SEMANTIC_PIXELS_MAX at once.  Then nothing of this call counts. */
enum rc semantic_add(struct semantic *s, const uint8_t *truth, const uint8_t *predicted, size_t n,
                     struct err *e) must_check;
void semantic_measure(const struct semantic *s, struct semantic_summary *ret);
struct semantic_class semantic_class_of(const struct semantic *s, uint32_t cls);
/* cells[truth * classes + predicted], pixels.  Lent. */
const uint64_t *semantic_cells(const struct semantic *s);

#endif
