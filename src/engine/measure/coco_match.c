/* coco_match.c - which detection takes which truth, in one picture.
 *
 * meet_begin sorts; meet_next gives one class after another (or everything, if classless) with all
 * IoUs computed once; meet_range and meet_match are then run for each size range and threshold.
 * What they cost is detections x truths of one class, and most detections of a trained network
 * reach no truth at the lowest threshold, which `reach` tells at once.
 */
#include "engine/measure/coco_int.h"
#include <math.h>
#include <stdlib.h>

/* COCO's: a threshold of 1 shall take an exact fit in spite of rounding. */
#define IOU_TOP (1 - 1e-10)

int coco_compare_scores(double a, double b)
{
    if (isnan(a) || isnan(b))
        return isnan(a) - isnan(b);
    return a > b ? -1 : a < b;
}

/* Room for n of a scratch vector, content lost.  Grows only. */
#define SCRATCH(v, count)                                                                          \
    scratch_room((void **)&(v)->p, &(v)->n, &(v)->cap, (count), sizeof *(v)->p)
static bool scratch_room(void **p, size_t *n, size_t *cap, size_t count, size_t size)
{
    if (count > *cap) {
        void *bigger = mem_alloc_array(count, size);
        if (!bigger)
            return false;
        mem_free(*p);
        *p = bigger;
        *cap = count;
    }
    *n = count;
    return true;
}

static int by_detection(const void *pa, const void *pb, void *ud)
{
    const struct meet *m = ud;
    uint32_t ia = *(const uint32_t *)pa, ib = *(const uint32_t *)pb;
    const struct coco_detection *a = &m->image->detections[ia], *b = &m->image->detections[ib];
    int by_class = (a->cls > b->cls) - (a->cls < b->cls);
    int by_score = coco_compare_scores(a->score, b->score);
    int first = m->classless ? by_score : by_class, then = m->classless ? by_class : by_score;

    return first ? first : then ? then : (ia > ib) - (ia < ib);
}

static int by_truth(const void *pa, const void *pb, void *ud)
{
    const struct meet *m = ud;
    uint32_t ia = *(const uint32_t *)pa, ib = *(const uint32_t *)pb;
    int32_t a = m->image->truths[ia].cls, b = m->image->truths[ib].cls;

    return a != b ? (a > b) - (a < b) : (ia > ib) - (ia < ib);
}

enum rc coco_check_image(const struct coco_image *im, enum coco_kind kind, uint32_t classes,
                         struct err *e)
{
    if (im->truths_n > COCO_IMAGE_TRUTHS_MAX || im->detections_n > COCO_IMAGE_DETECTIONS_MAX)
        return err_set(e, RC_TOO_LARGE,
                       "a picture with %zu objects and %zu detections; at most %d "
                       "and %d can be measured",
                       im->truths_n, im->detections_n, COCO_IMAGE_TRUTHS_MAX,
                       COCO_IMAGE_DETECTIONS_MAX);
    for (size_t i = 0; i < im->truths_n; i++) {
        const struct coco_truth *t = &im->truths[i];
        if (classes && (t->cls < 0 || (uint32_t)t->cls >= classes))
            return err_set(e, RC_INVALID, "object %zu is of class %d, of %u", i, t->cls, classes);
        if (kind == COCO_MASKS && !t->mask)
            return err_set(e, RC_INVALID, "object %zu has no mask", i);
    }
    for (size_t i = 0; i < im->detections_n; i++) {
        const struct coco_detection *d = &im->detections[i];
        if (classes && (d->cls < 0 || (uint32_t)d->cls >= classes))
            return err_set(e, RC_INVALID, "detection %zu is of class %d, of %u", i, d->cls,
                           classes);
        if (kind == COCO_MASKS && !d->mask)
            return err_set(e, RC_INVALID, "detection %zu has no mask", i);
    }
    return RC_OK;
}

enum rc meet_begin(struct meet *m, const struct coco_image *image, enum coco_kind kind,
                   uint32_t classes, bool classless, struct err *e)
{
    enum rc rc = coco_check_image(image, kind, classes, e);

    if (rc)
        return rc;
    m->image = image;
    m->kind = kind;
    m->classless = classless;
    m->next_det = m->next_truth = 0;
    if (!SCRATCH(&m->dets, image->detections_n) || !SCRATCH(&m->truths, image->truths_n))
        return err_set(e, RC_NOMEM, "out of memory to match %zu detections", image->detections_n);
    for (size_t i = 0; i < m->dets.n; i++)
        m->dets.p[i] = (uint32_t)i;
    for (size_t i = 0; i < m->truths.n; i++)
        m->truths.p[i] = (uint32_t)i;
    if (m->dets.n)
        qsort_r(m->dets.p, m->dets.n, sizeof *m->dets.p, by_detection, m);
    if (m->truths.n)
        qsort_r(m->truths.p, m->truths.n, sizeof *m->truths.p, by_truth, m);
    return RC_OK;
}

void meet_done(struct meet *m)
{
    VEC_DONE(&m->dets);
    VEC_DONE(&m->truths);
    VEC_DONE(&m->iou);
    VEC_DONE(&m->reach);
    VEC_DONE(&m->det_area);
    VEC_DONE(&m->truth_area);
    VEC_DONE(&m->boxes);
    VEC_DONE(&m->order);
    VEC_DONE(&m->to);
    VEC_DONE(&m->ignored);
    VEC_DONE(&m->taken);
}

/* ---- IoUs of a group */
static const double *det_box(const struct meet *m, const struct meet_group *g, size_t d)
{
    return m->kind == COCO_MASKS ? m->boxes.p + 4 * d : m->image->detections[g->dets[d]].box;
}

static const double *truth_box(const struct meet *m, const struct meet_group *g, size_t t)
{
    return m->kind == COCO_MASKS ? m->boxes.p + 4 * (g->dets_n + t)
                                 : m->image->truths[g->truths[t]].box;
}

/* Of masks the boxes are compared first: most do not overlap. */
static double pair_iou(const struct meet *m, const struct meet_group *g, size_t d, size_t t)
{
    const struct coco_truth *truth = &m->image->truths[g->truths[t]];
    double iou = rle_box_iou(det_box(m, g, d), truth_box(m, g, t), truth->crowd);

    if (m->kind == COCO_MASKS && iou > 0)
        iou = rle_iou(m->image->detections[g->dets[d]].mask, truth->mask, truth->crowd);
    return iou;
}

/* For the size ranges; what is no number is 0. */
static double finite_area(double area)
{
    return isfinite(area) ? area : 0;
}

static void measure_areas(struct meet *m, const struct meet_group *g)
{
    bool masks = m->kind == COCO_MASKS;

    for (size_t d = 0; d < g->dets_n; d++) {
        const struct coco_detection *p = &m->image->detections[g->dets[d]];
        if (masks)
            rle_box(p->mask, m->boxes.p + 4 * d);
        m->det_area.p[d] = masks ? (double)rle_area(p->mask) : finite_area(p->box[2] * p->box[3]);
    }
    for (size_t t = 0; t < g->truths_n; t++) {
        const struct coco_truth *p = &m->image->truths[g->truths[t]];
        if (masks)
            rle_box(p->mask, m->boxes.p + 4 * (g->dets_n + t));
        m->truth_area.p[t] = finite_area(!(p->area < 0) ? p->area
                                         : p->mask      ? (double)rle_area(p->mask)
                                                        : p->box[2] * p->box[3]);
    }
}

static void measure_group(struct meet *m, const struct meet_group *g)
{
    measure_areas(m, g);
    for (size_t d = 0; d < g->dets_n; d++) {
        double *row = m->iou.p + d * g->truths_n;
        m->reach.p[d] = 0;
        for (size_t t = 0; t < g->truths_n; t++) {
            row[t] = pair_iou(m, g, d, t);
            m->reach.p[d] = row[t] > m->reach.p[d] ? row[t] : m->reach.p[d];
        }
    }
}

static void find_group(struct meet *m, struct meet_group *g)
{
    const struct coco_image *im = m->image;
    size_t d = m->next_det, t = m->next_truth;
    bool no_det = d == m->dets.n, no_truth = t == m->truths.n;
    int32_t det_cls = no_det ? INT32_MAX : im->detections[m->dets.p[d]].cls;
    int32_t truth_cls = no_truth ? INT32_MAX : im->truths[m->truths.p[t]].cls;

    g->cls = m->classless ? 0 : det_cls < truth_cls ? det_cls : truth_cls;
    g->dets = m->dets.p + d;
    g->truths = m->truths.p + t;
    while (d < m->dets.n && (m->classless || im->detections[m->dets.p[d]].cls == g->cls))
        d++;
    while (t < m->truths.n && (m->classless || im->truths[m->truths.p[t]].cls == g->cls))
        t++;
    g->dets_n = d - m->next_det;
    g->truths_n = t - m->next_truth;
    if (m->dets_max && g->dets_n > m->dets_max)
        g->dets_n = m->dets_max;
    m->next_det = d;
    m->next_truth = t;
}

bool meet_next(struct meet *m, struct meet_group *g, enum rc *ret_rc, struct err *e)
{
    size_t boxes;

    if (m->next_det == m->dets.n && m->next_truth == m->truths.n)
        return false;
    find_group(m, g);
    boxes = m->kind == COCO_MASKS ? 4 * (g->dets_n + g->truths_n) : 0;
    if (g->dets_n * g->truths_n > COCO_PAIRS_MAX) {
        *ret_rc = err_set(e, RC_TOO_LARGE,
                          "%zu objects and %zu detections of one class in a "
                          "picture; at most %d pairs can be measured",
                          g->truths_n, g->dets_n, COCO_PAIRS_MAX);
        return false;
    }
    if (!SCRATCH(&m->iou, g->dets_n * g->truths_n) || !SCRATCH(&m->reach, g->dets_n) ||
        !SCRATCH(&m->det_area, g->dets_n) || !SCRATCH(&m->truth_area, g->truths_n) ||
        !SCRATCH(&m->boxes, boxes) || !SCRATCH(&m->order, g->truths_n) ||
        !SCRATCH(&m->to, g->dets_n) || !SCRATCH(&m->ignored, g->truths_n) ||
        !SCRATCH(&m->taken, g->truths_n)) {
        *ret_rc = err_set(e, RC_NOMEM, "out of memory to match %zu detections", g->dets_n);
        return false;
    }
    measure_group(m, g);
    return true;
}

/* ---- matching */
void meet_range(struct meet *m, const struct meet_group *g, const double area[2])
{
    size_t n = 0;

    for (size_t t = 0; t < g->truths_n; t++) {
        double a = m->truth_area.p[t];
        m->ignored.p[t] = m->image->truths[g->truths[t]].crowd || a < area[0] || a > area[1];
    }
    for (int pass = 0; pass < 2; pass++)
        for (size_t t = 0; t < g->truths_n; t++)
            if (m->ignored.p[t] == pass)
                m->order.p[n++] = (uint32_t)t;
}

void meet_match(struct meet *m, const struct meet_group *g, double iou)
{
    double least = iou < IOU_TOP ? iou : IOU_TOP;

    for (size_t t = 0; t < g->truths_n; t++)
        m->taken.p[t] = 0;
    for (size_t d = 0; d < g->dets_n; d++) {
        const double *row = m->iou.p + d * g->truths_n;
        uint32_t best = MEET_NONE;
        double best_iou = least;
        for (size_t i = 0; m->reach.p[d] >= least && i < g->truths_n; i++) {
            uint32_t t = m->order.p[i];
            if (best != MEET_NONE && !m->ignored.p[best] && m->ignored.p[t])
                break; /* the rest is ignored, and a truth that counts is taken already */
            if (row[t] < best_iou || m->taken.p[t])
                continue;
            best = t;
            best_iou = row[t];
        }
        m->to.p[d] = best;
        if (best != MEET_NONE && !m->image->truths[g->truths[best]].crowd)
            m->taken.p[best] = 1;
    }
}

/* ---- for pages */
static void match_out(const struct meet *m, const struct meet_group *g, struct coco_match *dets,
                      struct coco_match *truths)
{
    for (size_t t = 0; t < g->truths_n; t++)
        truths[g->truths[t]] = (struct coco_match){-1, m->ignored.p[t], 0};
    for (size_t d = 0; d < g->dets_n; d++) {
        uint32_t t = m->to.p[d];
        if (t == MEET_NONE) {
            dets[g->dets[d]] = (struct coco_match){-1, false, m->reach.p[d]};
            continue;
        }
        double iou = m->iou.p[d * g->truths_n + t];
        struct coco_match *truth = &truths[g->truths[t]];
        dets[g->dets[d]] = (struct coco_match){(int32_t)g->truths[t], m->ignored.p[t], iou};
        if (truth->other < 0)
            *truth = (struct coco_match){(int32_t)g->dets[d], m->ignored.p[t], iou};
    }
}

enum rc coco_match_image(const struct coco_image *image, enum coco_kind kind, double iou,
                         struct coco_match *ret_detections, struct coco_match *ret_truths,
                         struct err *e)
{
    static const double any_area[2] = {-INFINITY, INFINITY};
    struct meet m = {0};
    struct meet_group g;
    enum rc rc = meet_begin(&m, image, kind, 0, false, e);

    while (!rc && meet_next(&m, &g, &rc, e)) {
        meet_range(&m, &g, any_area);
        meet_match(&m, &g, iou);
        match_out(&m, &g, ret_detections, ret_truths);
    }
    meet_done(&m);
    return rc;
}
