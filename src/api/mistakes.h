/* mistakes.h - private to api/: what is wrong in the results of a validation (spec/contract.h),
 * picture by picture: which are asked for, how hard each is, and how many there are by confidence.
 *
 * A mistake has a true class and a predicted one, as a cell of the confusion matrix has.  Of boxes
 * they come from pairing truths with the predictions of at least the threshold at IoU 0.5
 * (engine/measure/pairing.h), and the number after the last class is background:
 *   false   a prediction where no object is (background, its class)
 *   missed  an object that nothing was found for (its class, background)
 *   wrong   an object that was found as one of another class
 * A classifier's mistake is a wrong class: seen from the predicted class it is a false positive,
 * from the true class a miss; without a class asked for, it is each of them.  So is a pixel's of a
 * semantic segmentation (of the largest cells of its picture's matrix, which the results hold).
 *
 * The score of a picture, by which the hardest come first (ties: as in the results):
 *   classification  1 + confidence if wrong, 1 - confidence if right
 *   boxes           the sum over its mistakes of the kind and class asked for: missed 1, false the
 *                   confidence, wrong 1 + confidence
 *   semantic        1 - mIoU; where a class, a cell or a kind is asked for, the part of the
 *                   picture's pixels that are such mistakes
 * It is counted in millionths, so that a cursor holds it exactly.
 *
 * The results are outside bytes: whatever stands in them, what comes out is a number.
 * One owner thread.
 */
#ifndef ANNEAL_API_MISTAKES_H
#define ANNEAL_API_MISTAKES_H

#include "base/json.h"

enum mistake_kind { MISTAKE_ANY, MISTAKE_FALSE, MISTAKE_MISSED, MISTAKE_WRONG };
extern const char *const mistake_names[]; /* "any", "false", "missed", "wrong_class", NULL */
enum correctness { CORRECT_ANY, CORRECT_TRUE, CORRECT_FALSE };

enum result_task { RESULT_CLASSES, RESULT_BOXES, RESULT_SEMANTIC };
/* What the first line says. */
struct result_head {
    enum result_task task;
    int64_t classes;
    double best_confidence;
};
enum rc result_head_read(struct arena *a, str line, struct result_head *ret,
                         struct err *e) must_check;

/* Which pictures.  mistake ANY: those without one, too. */
struct result_filter {
    str q; /* part of the name */
    int correct, mistake;
    int64_t label, predicted, cls; /* -1: any.  cls: either of both */
    double threshold;              /* of boxes; below 0: the head's best confidence */
};

struct mistakes; /* opaque */
/* RC_INVALID: right or wrong ones of a semantic segmentation. */
enum rc mistakes_new(struct mistakes **ret, const struct result_head *h,
                     const struct result_filter *f, struct err *e) must_check;
void mistakes_free(struct mistakes *m); /* NULL is fine */
/* One picture's line, an object.  `a` is scratch. */
enum rc mistakes_look(struct mistakes *m, struct arena *a, const struct json *v, bool *ret_wanted,
                      int64_t *ret_score, struct err *e) must_check;

/* What a threshold on the confidence does, for 0, .01 .. 1: index i counts confidence >= i / 100.
 * Boxes as they were matched for the scores (class and IoU 0.5): hits and false of `objects`.  A
 * classifier decides above the threshold: right, wrong, and left to a person is the rest. */
enum { RESULT_THRESHOLDS = 101 };
struct result_counts {
    int64_t images, objects, hits[RESULT_THRESHOLDS], wrong[RESULT_THRESHOLDS];
};
void result_counts_add(struct result_counts *c, enum result_task task, const struct json *v);
void result_counts_end(struct result_counts *c); /* once, after the last */

#endif
