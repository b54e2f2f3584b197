/* coco_sum.c - from kept detections to precision, recall and COCO's twelve numbers.
 *
 * Precision is read at recalls without an array of either: precision only falls between two true
 * positives, so its running maximum from the end changes at true positives alone, and recall c / N
 * passes a wanted value exactly at the c-th of them.  One walk backwards over a class's detections
 * gives all 101 values.
 *
 * finish sorts each class in place; lines that come later carry higher numbers, so sorting again
 * after more pictures keeps ties in order of coming.
 */
#include "engine/measure/coco_state.h"
#include <float.h>
#include <math.h>
#include <stdlib.h>

static int by_score(const void *pa, const void *pb)
{
    const struct coco_kept *a = pa, *b = pb;
    int by = coco_compare_scores(a->score, b->score);

    return by ? by : (a->seq > b->seq) - (a->seq < b->seq);
}

static double precision_of(uint64_t tp, uint64_t fp)
{
    return (double)tp / ((double)(fp + tp) + DBL_EPSILON);
}

/* Recall i of the 101, to the last bit as COCO's evaluator has it. */
static double recall_wanted(int i)
{
    return i == COCO_RECALLS - 1 ? 1 : i * .01;
}

/* tp, fp: of all lines. */
static void read_precision(const struct coco_per_class *of, uint32_t iou, enum coco_area area,
                           uint64_t tp, uint64_t fp, double ret[COCO_RECALLS])
{
    double truths = (double)of->truths[area], best = 0;
    int r = COCO_RECALLS - 1;

    while (r >= 0 && recall_wanted(r) > (double)tp / truths)
        ret[r--] = 0; /* never reached */
    for (size_t i = of->kept.n; i-- > 0;) {
        const struct coco_kept *k = &of->kept.p[i];
        if (k->ignored[area] >> iou & 1)
            continue;
        if (!(k->matched[area] >> iou & 1)) {
            fp--;
            continue;
        }
        best = fmax(best, precision_of(tp, fp));
        tp--;
        while (r >= 0 && recall_wanted(r) > (double)tp / truths)
            ret[r--] = best;
    }
    while (r >= 0)
        ret[r--] = best;
}

struct count {
    uint64_t tp[3], fp; /* with max_dets[0], [1], [2]; fp with the last */
};

static void count_all(const struct coco_eval *ev, const struct coco_per_class *of,
                      struct count ret[COCO_IOUS_MAX][COCO_AREAS])
{
    const uint32_t *max = ev->options.max_dets;
    unsigned all = (1u << ev->options.ious_n) - 1;

    for (size_t i = 0; i < of->kept.n; i++) {
        const struct coco_kept *k = &of->kept.p[i];
        for (int a = 0; a < COCO_AREAS; a++) {
            unsigned counts = all & ~(unsigned)k->ignored[a];
            for (unsigned bits = counts & ~(unsigned)k->matched[a]; bits; bits &= bits - 1)
                ret[__builtin_ctz(bits)][a].fp++;
            for (unsigned bits = counts & k->matched[a]; bits; bits &= bits - 1) {
                uint64_t *tp = ret[__builtin_ctz(bits)][a].tp;
                tp[0] += k->rank < max[0];
                tp[1] += k->rank < max[1];
                tp[2]++;
            }
        }
    }
}

static void finish_class(const struct coco_eval *ev, struct coco_per_class *of)
{
    struct count count[COCO_IOUS_MAX][COCO_AREAS] = {0};
    double precision[COCO_RECALLS];

    if (of->kept.n)
        qsort(of->kept.p, of->kept.n, sizeof *of->kept.p, by_score);
    count_all(ev, of, count);
    for (uint32_t i = 0; i < ev->options.ious_n; i++)
        for (int a = 0; a < COCO_AREAS; a++) {
            const struct count *c = &count[i][a];
            double truths = (double)of->truths[a], sum = 0;
            for (int m = 0; m < 3; m++)
                of->recall[i][a][m] = truths > 0 ? (double)c->tp[m] / truths : COCO_NONE;
            of->ap[i][a] = COCO_NONE;
            if (!(truths > 0))
                continue;
            read_precision(of, i, (enum coco_area)a, c->tp[2], c->fp, precision);
            for (int r = 0; r < COCO_RECALLS; r++)
                sum += precision[r];
            of->ap[i][a] = sum / COCO_RECALLS;
        }
}

/* ---- means */
static int iou_index(const struct coco_eval *ev, double iou)
{
    for (uint32_t i = 0; i < ev->options.ious_n; i++)
        if (fabs(ev->options.ious[i] - iou) < 1e-9)
            return (int)i;
    return -1;
}

/* The mean over thresholds `from` to `to` and the classes that have truths; m < 0: of AP, else of
 * recall with max_dets[m]. */
static double mean_of(const struct coco_eval *ev, int from, int to, int a, int m)
{
    double sum = 0;
    uint64_t n = 0;

    for (uint32_t k = 0; from >= 0 && k < ev->classes; k++)
        for (int i = from; ev->of[k].truths[a] && i <= to; i++, n++)
            sum += m < 0 ? ev->of[k].ap[i][a] : ev->of[k].recall[i][a][m];
    return n ? sum / (double)n : COCO_NONE;
}

enum rc coco_eval_finish(struct coco_eval *ev, struct err *e)
{
    int last = (int)ev->options.ious_n - 1, at50 = iou_index(ev, .5), at75 = iou_index(ev, .75);
    double *v = ev->summary.v;

    for (uint32_t k = 0; k < ev->classes; k++)
        finish_class(ev, &ev->of[k]);
    v[COCO_AP] = mean_of(ev, 0, last, COCO_ALL, -1);
    v[COCO_AP50] = mean_of(ev, at50, at50, COCO_ALL, -1);
    v[COCO_AP75] = mean_of(ev, at75, at75, COCO_ALL, -1);
    v[COCO_AR1] = mean_of(ev, 0, last, COCO_ALL, 0);
    v[COCO_AR10] = mean_of(ev, 0, last, COCO_ALL, 1);
    v[COCO_AR100] = mean_of(ev, 0, last, COCO_ALL, 2);
    for (int a = COCO_SMALL; a <= COCO_LARGE; a++) {
        v[COCO_AP_SMALL + a - COCO_SMALL] = mean_of(ev, 0, last, a, -1);
        v[COCO_AR_SMALL + a - COCO_SMALL] = mean_of(ev, 0, last, a, 2);
    }
    return RC_OK;
}

struct coco_class coco_eval_class(const struct coco_eval *ev, uint32_t cls)
{
    const struct coco_per_class *of = &ev->of[cls];
    int at50 = iou_index(ev, .5), at75 = iou_index(ev, .75);
    uint32_t n = ev->options.ious_n;
    struct coco_class c = {
        .ap50 = at50 < 0 ? COCO_NONE : of->ap[at50][COCO_ALL],
        .ap75 = at75 < 0 ? COCO_NONE : of->ap[at75][COCO_ALL],
        .truths = of->truths[COCO_ALL],
        .detections = of->kept.n,
    };

    for (uint32_t i = 0; i < n; i++) {
        c.ap += of->ap[i][COCO_ALL];
        c.ar += of->recall[i][COCO_ALL][2];
    }
    c.ap = c.truths ? c.ap / n : COCO_NONE;
    c.ar = c.truths ? c.ar / n : COCO_NONE;
    return c;
}

bool coco_eval_precision(const struct coco_eval *ev, uint32_t iou, uint32_t cls,
                         enum coco_area area, double ret[COCO_RECALLS])
{
    const struct coco_per_class *of = &ev->of[cls];
    uint64_t tp = 0, fp = 0;

    if (!of->truths[area])
        return false;
    for (size_t i = 0; i < of->kept.n; i++) {
        const struct coco_kept *k = &of->kept.p[i];
        bool counts = !(k->ignored[area] >> iou & 1), matched = k->matched[area] >> iou & 1;
        tp += counts && matched;
        fp += counts && !matched;
    }
    read_precision(of, iou, area, tp, fp, ret);
    return true;
}
