/* detect_assign.c - task-aligned assignment of one image's truths to its anchors (detect.h).
 *
 * Truths are taken in order.  Each ranks the anchors whose centres it holds and claims its best
 * ten; a claim on an anchor that has an owner wins only with a larger IoU, which is the rule for
 * conflicts without remembering all claims.  Only cells under some truth are ever decoded.
 */
#include "engine/model/detect.h"
#include <math.h>
#include <string.h>

struct claim {
    int anchor;
    double alignment, iou;
};

struct ranking {
    struct claim best[DETECT_TOP]; /* falling alignment */
    int n;
    bool held; /* the truth holds a centre */
};

static void rank(struct ranking *r, struct claim c)
{
    int at = r->n;

    if (!(c.alignment > 0)) /* a NaN is none */
        return;
    while (at > 0 && r->best[at - 1].alignment < c.alignment)
        at--;
    if (at == DETECT_TOP)
        return;
    r->n += r->n < DETECT_TOP;
    for (int i = r->n - 1; i > at; i--)
        r->best[i] = r->best[i - 1];
    r->best[at] = c;
}

static struct claim measure(const struct detect_maps *m, const struct kernels *k, int image,
                            const struct detect_anchor *a, int anchor, int cls,
                            const double truth[4], struct detect_match *match)
{
    float *box = match->box[anchor];

    if (!match->decoded[anchor]) {
        struct detect_bins bins;
        double p[4];
        detect_bins_at(m, k, image, a, &bins);
        detect_decode(a, bins.distance, p);
        for (int i = 0; i < 4; i++)
            box[i] = (float)p[i];
        match->decoded[anchor] = 1;
    }
    const double p[4] = {(double)box[0], (double)box[1], (double)box[2], (double)box[3]};
    const double iou = detect_iou(p, truth), cube = iou * iou * iou;
    const double score = 1 / (1 + exp(-detect_logit(m, image, a, cls)));
    return (struct claim){anchor, sqrt(score) * cube * cube, iou};
}

/* First cell whose centre lies right of `at` (pixels), 0..cells. */
static int first_cell(double at, int stride, int cells)
{
    const double cell = floor(at / stride + 0.5); /* (cell + 0.5) stride > at - stride at least */

    return !(cell > 0) ? 0 : cell > cells ? cells : (int)cell;
}

static void rank_level(const struct detect_maps *m, const struct kernels *k, int image, int level,
                       int first_anchor, const struct net_box *b, struct detect_match *match,
                       struct ranking *r)
{
    const struct detect_level *l = &m->level[level];
    const double truth[4] = {(double)b->x0, (double)b->y0, (double)b->x1, (double)b->y1};

    for (int y = first_cell(truth[1], l->stride, l->h); y < l->h; y++) {
        struct detect_anchor a = {.level = level, .stride = l->stride};
        a.cy = (y + 0.5) * l->stride;
        if (!(a.cy < truth[3]))
            break;
        for (int x = first_cell(truth[0], l->stride, l->w); x < l->w; x++) {
            a.cx = (x + 0.5) * l->stride;
            a.cell = y * l->w + x;
            if (!(a.cx < truth[2]))
                break;
            if (!(a.cx > truth[0] && a.cy > truth[1]))
                continue;
            r->held = true;
            rank(r, measure(m, k, image, &a, first_anchor + a.cell, b->cls, truth, match));
        }
    }
}

/* The candidate of a truth between the centres: the cell of the finest map that holds its middle.
 */
static void rank_middle(const struct detect_maps *m, const struct kernels *k, int image,
                        const struct net_box *b, struct detect_match *match, struct ranking *r)
{
    const double truth[4] = {(double)b->x0, (double)b->y0, (double)b->x1, (double)b->y1};
    const double x = (truth[0] + truth[2]) / 2, y = (truth[1] + truth[3]) / 2;
    const struct detect_level *l = &m->level[0];

    if (!(truth[0] < truth[2] && truth[1] < truth[3] && x >= 0 && y >= 0 && x < m->size &&
          y < m->size))
        return;
    const int anchor = (int)(y / l->stride) * l->w + (int)(x / l->stride);
    const struct detect_anchor a = detect_anchor_at(m, anchor);
    rank(r, measure(m, k, image, &a, anchor, b->cls, truth, match));
}

static void claim_best(struct detect_match *match, const struct ranking *r, int truth)
{
    for (int i = 0; i < r->n; i++) {
        const struct claim *c = &r->best[i];
        if (match->owner[c->anchor] >= 0 && !((float)c->iou > match->iou[c->anchor]))
            continue;
        match->owner[c->anchor] = truth;
        match->iou[c->anchor] = (float)c->iou;
        match->alignment[c->anchor] = c->alignment;
    }
}

/* room: by truth, the largest alignment and the largest IoU of what it has kept. */
static void set_targets(struct detect_match *match, int anchors, double *room)
{
    for (int a = 0; a < anchors; a++)
        if (match->owner[a] >= 0) {
            double *most = room + 2 * (size_t)match->owner[a];
            most[0] = fmax(most[0], match->alignment[a]);
            most[1] = fmax(most[1], (double)match->iou[a]);
        }
    match->positives = 0;
    match->target_sum = 0;
    for (int a = 0; a < anchors; a++) {
        match->target[a] = 0;
        if (match->owner[a] < 0)
            continue;
        const double *most = room + 2 * (size_t)match->owner[a];
        match->target[a] = (float)(match->alignment[a] / most[0] * most[1]);
        match->target_sum += (double)match->target[a];
        match->positives++;
    }
}

void detect_assign(const struct detect_maps *m, const struct kernels *k, int image,
                   const struct net_box *boxes, int n, struct detect_match *match, double *room)
{
    const int anchors = detect_anchors(m);

    memset(match->decoded, 0, (size_t)anchors);
    for (int a = 0; a < anchors; a++)
        match->owner[a] = -1;
    for (int i = 0; i < n; i++) {
        struct ranking r = {.n = 0};
        for (int level = 0, first = 0; level < DETECT_LEVELS; level++) {
            rank_level(m, k, image, level, first, &boxes[i], match, &r);
            first += m->level[level].h * m->level[level].w;
        }
        if (!r.held)
            rank_middle(m, k, image, &boxes[i], match, &r);
        claim_best(match, &r, i);
        room[2 * i] = room[2 * i + 1] = 0;
    }
    set_targets(match, anchors, room);
}
