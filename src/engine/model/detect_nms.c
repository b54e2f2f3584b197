/* detect_nms.c - from maps to boxes: candidates in a heap, greedy non-maximum suppression by class.
 *
 * The heap gives candidates in the order of confidence only as far as they are asked for, so
 * neither a full sort nor an allocation is needed, and a box is decoded only when its turn has
 * come.
 */
#include "engine/model/detect.h"
#include <math.h>

/* Whether a comes before b. */
static bool before(const struct detect_pick *a, const struct detect_pick *b)
{
    return a->logit > b->logit || (a->logit == b->logit && a->anchor < b->anchor);
}

static void sift(struct detect_pick *heap, int n, int at)
{
    for (;;) {
        int top = at;
        for (int child = 2 * at + 1; child <= 2 * at + 2 && child < n; child++)
            if (before(&heap[child], &heap[top]))
                top = child;
        if (top == at)
            return;
        const struct detect_pick swap = heap[at];
        heap[at] = heap[top];
        heap[top] = swap;
        at = top;
    }
}

static struct detect_pick pop(struct detect_pick *heap, int *n)
{
    const struct detect_pick top = heap[0];

    heap[0] = heap[--*n];
    sift(heap, *n, 0);
    return top;
}

/* The likeliest class of one cell; a NaN is never likely. */
static struct detect_pick likeliest(const float *cls, size_t hw, int classes)
{
    struct detect_pick best = {-INFINITY, 0, -1};

    for (int c = 0; c < classes; c++) {
        const float v = cls[(size_t)(c / CH) * hw * CH + (size_t)(c % CH)];
        if (v > best.logit) {
            best.logit = v;
            best.cls = c;
        }
    }
    return best;
}

static int offer(const struct detect_maps *m, int image, float confidence, struct detect_pick *heap)
{
    const double c = (double)confidence;
    const float least = (float)log(c / (1 - c)); /* +inf for 1: only a logit of +inf is that sure */
    const size_t blocks = (size_t)ch_pad(m->classes) / CH;
    int n = 0, anchor = 0;

    for (int i = 0; i < DETECT_LEVELS; i++) {
        const struct detect_level *l = &m->level[i];
        const size_t hw = (size_t)l->h * (size_t)l->w;
        const float *cls = l->cls + (size_t)image * blocks * hw * CH;
        for (size_t cell = 0; cell < hw; cell++, anchor++) {
            struct detect_pick p = likeliest(cls + cell * CH, hw, m->classes);
            p.anchor = anchor;
            if (p.cls >= 0 && p.logit >= least)
                heap[n++] = p;
        }
    }
    for (int at = n / 2 - 1; at >= 0; at--)
        sift(heap, n, at);
    return n;
}

static float cut(double v, int size)
{
    return (float)(v > 0 ? v < size ? v : size : v <= 0 ? 0 : v); /* a NaN stays */
}

static bool overlaps(const struct net_box *a, const struct net_box *b, float most)
{
    const double p[4] = {(double)a->x0, (double)a->y0, (double)a->x1, (double)a->y1};
    const double q[4] = {(double)b->x0, (double)b->y0, (double)b->x1, (double)b->y1};

    return detect_iou(p, q) > (double)most;
}

int detect_pick_boxes(const struct detect_maps *m, const struct kernels *k, int image,
                      const struct net_detect *d, struct detect_pick *room,
                      struct net_detection *ret)
{
    int left = offer(m, image, d->confidence, room), kept = 0;

    for (int seen = 0; left > 0 && seen < DETECT_CANDIDATES_MAX && kept < d->most; seen++) {
        const struct detect_pick p = pop(room, &left);
        const struct detect_anchor a = detect_anchor_at(m, p.anchor);
        struct detect_bins bins;
        double box[4];
        bool taken = false;
        detect_bins_at(m, k, image, &a, &bins);
        detect_decode(&a, bins.distance, box);
        struct net_detection *to = &ret[kept];
        to->box = (struct net_box){p.cls, cut(box[0], m->size), cut(box[1], m->size),
                                   cut(box[2], m->size), cut(box[3], m->size)};
        if (!(to->box.x1 > to->box.x0 && to->box.y1 > to->box.y0))
            continue;
        for (int i = 0; i < kept && !taken; i++)
            taken = ret[i].box.cls == p.cls && overlaps(&ret[i].box, &to->box, d->iou);
        if (taken)
            continue;
        to->confidence = (float)(1 / (1 + exp(-(double)p.logit)));
        to->anchor = p.anchor;
        kept++;
    }
    return kept;
}
