/* semantic.c - counts pairs of labels, and reads measures off the counts.
 *
 * A call counts all 256 x 256 pairs without looking at them, then checks and adds the few that are
 * classes: no branch for each pixel, and a label out of range is found before anything counts.
 */
#include "engine/measure/semantic.h"

#include "base/mem.h"
#include <string.h>

enum { LABELS = 256 };

struct semantic {
    uint32_t classes;
    uint64_t *cells;
    uint32_t pairs[LABELS][LABELS]; /* of one call */
};

enum rc semantic_new(struct semantic **ret, uint32_t classes, struct err *e)
{
    struct semantic *s;

    if (classes < 1 || classes > SEMANTIC_CLASSES_MAX)
        return err_set(e, RC_INVALID, "%u classes; 1 to %d can be told apart for each pixel",
                       classes, SEMANTIC_CLASSES_MAX);
    s = mem_zalloc(sizeof *s);
    if (s)
        s->cells = mem_alloc_array((size_t)classes * classes, sizeof *s->cells);
    if (!s || !s->cells) {
        mem_free(s);
        return err_set(e, RC_NOMEM, "out of memory for a confusion matrix of %u classes", classes);
    }
    s->classes = classes;
    *ret = s;
    return RC_OK;
}

void semantic_free(struct semantic *s)
{
    if (s)
        mem_free(s->cells);
    mem_free(s);
}

/* The pairs of this call are all classes, or left out by their truth. */
static enum rc check_pairs(const struct semantic *s, struct err *e)
{
    for (uint32_t t = 0; t < LABELS; t++)
        for (uint32_t p = 0; t != SEMANTIC_IGNORE && p < LABELS; p++) {
            if (s->pairs[t][p] && t >= s->classes)
                return err_set(e, RC_INVALID,
                               "a pixel is labelled %u; there are %u classes, and "
                               "%d for no class",
                               t, s->classes, SEMANTIC_IGNORE);
            if (s->pairs[t][p] && p >= s->classes)
                return err_set(e, RC_INVALID, "a pixel is predicted as %u; there are %u classes", p,
                               s->classes);
        }
    return RC_OK;
}

enum rc semantic_add(struct semantic *s, const uint8_t *truth, const uint8_t *predicted, size_t n,
                     struct err *e)
{
    enum rc rc;

    if (n > SEMANTIC_PIXELS_MAX)
        return err_set(e, RC_TOO_LARGE, "%zu pixels at once; at most %d", n, SEMANTIC_PIXELS_MAX);
    memset(s->pairs, 0, sizeof s->pairs);
    for (size_t i = 0; i < n; i++)
        s->pairs[truth[i]][predicted[i]]++;
    rc = check_pairs(s, e);
    for (uint32_t t = 0; !rc && t < s->classes; t++)
        for (uint32_t p = 0; p < s->classes; p++)
            s->cells[t * s->classes + p] += s->pairs[t][p];
    return rc;
}

static double ratio(double a, double b)
{
    return b > 0 ? a / b : -1;
}

struct semantic_class semantic_class_of(const struct semantic *s, uint32_t cls)
{
    struct semantic_class c = {0};
    double both = (double)s->cells[cls * s->classes + cls];

    for (uint32_t i = 0; i < s->classes; i++) {
        c.truth += s->cells[cls * s->classes + i];
        c.predicted += s->cells[i * s->classes + cls];
    }
    c.iou = ratio(both, (double)(c.truth + c.predicted) - both);
    c.dice = ratio(2 * both, (double)(c.truth + c.predicted));
    c.accuracy = ratio(both, (double)c.truth);
    c.precision = ratio(both, (double)c.predicted);
    return c;
}

void semantic_measure(const struct semantic *s, struct semantic_summary *ret)
{
    double right = 0, accuracy = 0, iou = 0, dice = 0, weighted = 0;
    uint64_t pixels = 0;
    uint32_t in_truth = 0, anywhere = 0;

    for (uint32_t k = 0; k < s->classes; k++) {
        struct semantic_class c = semantic_class_of(s, k);
        right += (double)s->cells[k * s->classes + k];
        pixels += c.truth;
        if (c.truth) {
            in_truth++;
            accuracy += c.accuracy;
            weighted += (double)c.truth * c.iou;
        }
        if (c.truth + c.predicted) {
            anywhere++;
            iou += c.iou;
            dice += c.dice;
        }
    }
    *ret = (struct semantic_summary){ratio(right, (double)pixels), ratio(accuracy, in_truth),
                                     ratio(iou, anywhere),         ratio(weighted, (double)pixels),
                                     ratio(dice, anywhere),        pixels};
}

const uint64_t *semantic_cells(const struct semantic *s)
{
    return s->cells;
}
