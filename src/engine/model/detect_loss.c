/* detect_loss.c - the detection loss of a batch and its gradient (detect.h).
 *
 * Two passes over the images, an item each: assignment, whose sums give the normaliser S, then loss
 * and gradient.  The background part of the class loss, by far the most of the numbers, is computed
 * for all logits as if their target were 0; the few positives are corrected after it.
 */
#include "base/mem.h"
#include "engine/model/detect.h"
#include <math.h>
#include <string.h>

struct detect_loss {
    struct detect_match *matches; /* by image */
    struct net_loss *parts;
    double *room;                     /* by thread: two for each truth */
    int images, anchors_max, anchors; /* anchors: of the maps at hand */
    /* arrays that the matches share out */
    int32_t *owner;
    float *target, (*box)[4], *iou;
    double *alignment;
    uint8_t *decoded;
};

enum rc detect_loss_new(struct detect_loss **ret, int images, int anchors, int threads,
                        struct err *e)
{
    const size_t n = (size_t)images, all = n * (size_t)anchors;
    struct detect_loss *l = mem_zalloc(sizeof *l);

    if (l) {
        l->images = images;
        l->anchors_max = anchors;
        l->matches = mem_alloc_array(n, sizeof *l->matches);
        l->parts = mem_alloc_array(n, sizeof *l->parts);
        l->room = mem_alloc_array((size_t)threads * 2 * DETECT_BOXES_MAX, sizeof *l->room);
        l->owner = mem_alloc_array(all, sizeof *l->owner);
        l->target = mem_alloc_array(all, sizeof *l->target);
        l->box = mem_alloc_array(all, sizeof *l->box);
        l->iou = mem_alloc_array(all, sizeof *l->iou);
        l->alignment = mem_alloc_array(all, sizeof *l->alignment);
        l->decoded = mem_alloc_array(all, sizeof *l->decoded);
    }
    if (!l || !l->matches || !l->parts || !l->room || !l->owner || !l->target || !l->box ||
        !l->iou || !l->alignment || !l->decoded) {
        detect_loss_free(l);
        return err_set(e, RC_NOMEM, "out of memory for the loss of %d images", images);
    }
    *ret = l;
    return RC_OK;
}

void detect_loss_free(struct detect_loss *l)
{
    if (!l)
        return;
    mem_free(l->matches);
    mem_free(l->parts);
    mem_free(l->room);
    mem_free(l->owner);
    mem_free(l->target);
    mem_free(l->box);
    mem_free(l->iou);
    mem_free(l->alignment);
    mem_free(l->decoded);
    mem_free(l);
}

const struct detect_match *detect_loss_match(const struct detect_loss *l, int image)
{
    ASSERT(image >= 0 && image < l->images);
    return &l->matches[image];
}

enum rc detect_check(const struct net_target *t, int count, int classes, struct err *e)
{
    for (int image = 0; image < count; image++) {
        const int n = t->first[image + 1] - t->first[image];
        if (n < 0 || n > DETECT_BOXES_MAX)
            return err_set(e, RC_INVALID,
                           "image %d of the batch has %d boxes; at most %d can be "
                           "taught",
                           image, n, DETECT_BOXES_MAX);
        for (int i = 0; i < n; i++) {
            const struct net_box *b = &t->boxes[t->first[image] + i];
            if (b->cls < 0 || b->cls >= classes)
                return err_set(e, RC_INVALID,
                               "box %d of image %d of the batch has class %d; this "
                               "network has 0 to %d",
                               i, image, (int)b->cls, classes - 1);
            if (!isfinite(b->x0) || !isfinite(b->y0) || !isfinite(b->x1) || !isfinite(b->y1))
                return err_set(e, RC_INVALID,
                               "box %d of image %d of the batch is not made of "
                               "finite numbers",
                               i, image);
        }
    }
    return RC_OK;
}

/* ---- class logits */

/* 1 + e^-|x| is at most 2, so that the product of 64 of them stays finite and one logarithm
 * serves them all. */
enum { LOG_RUN = 64 };

double detect_softplus_sum(const struct kernels *k, const float *x, size_t n, float *ret_sigmoid)
{
    float e[DETECT_LOGITS_MAX];
    double sum = 0;

    ASSERT(n <= DETECT_LOGITS_MAX && n % CH == 0);
    for (size_t i = 0; i < n; i++)
        ret_sigmoid[i] = -fabsf(x[i]);
    k->exp_of(ret_sigmoid, e, n);
    for (size_t from = 0; from < n; from += LOG_RUN) {
        const size_t to = from + LOG_RUN < n ? from + LOG_RUN : n;
        double product = 1, positive = 0;
        for (size_t i = from; i < to; i++) {
            product *= 1 + (double)e[i];
            positive += ((double)x[i] + fabs((double)x[i])) / 2; /* max(x, 0), and NaN for NaN */
        }
        sum += log(product) + positive;
    }
    for (size_t i = 0; i < n; i++) {
        const float one = 1 / (1 + e[i]);
        ret_sigmoid[i] = x[i] >= 0 ? one : e[i] * one;
    }
    return sum;
}

/* One block of channels of one map of one image, all targets 0.  `lanes` of its 16 are classes. */
static double background(const struct kernels *k, const float *x, float *grad, size_t hw,
                         size_t lanes, float scale)
{
    const size_t cells = DETECT_LOGITS_MAX / lanes;
    float packed[DETECT_LOGITS_MAX], sigmoid[DETECT_LOGITS_MAX];
    double loss = 0;

    for (size_t from = 0; from < hw; from += cells) {
        const size_t run = hw - from < cells ? hw - from : cells;
        const size_t n = (run * lanes + CH - 1) / CH * CH;
        for (size_t i = 0; i < run; i++)
            memcpy(packed + i * lanes, x + (from + i) * CH, lanes * sizeof *x);
        for (size_t i = run * lanes; i < n; i++)
            packed[i] = -100; /* adds nothing */
        loss += detect_softplus_sum(k, packed, n, sigmoid);
        for (size_t i = 0; i < run; i++)
            for (size_t lane = 0; lane < CH; lane++)
                grad[(from + i) * CH + lane] = lane < lanes ? scale * sigmoid[i * lanes + lane] : 0;
    }
    return loss;
}

/* ---- the two passes */

struct loss_run {
    struct detect_loss *l;
    const struct kernels *k;
    const struct detect_maps *m;
    const struct net_target *t;
    struct net_gains scale; /* gains over S */
};

static void assign_image(void *ud, int image, int thread)
{
    const struct loss_run *r = ud;
    struct detect_loss *l = r->l;
    const size_t at = (size_t)image * (size_t)l->anchors;
    const int first = r->t->first[image];

    l->matches[image] = (struct detect_match){.owner = l->owner + at,
                                              .target = l->target + at,
                                              .box = l->box + at,
                                              .alignment = l->alignment + at,
                                              .iou = l->iou + at,
                                              .decoded = l->decoded + at};
    detect_assign(r->m, r->k, image, r->t->boxes + first, r->t->first[image + 1] - first,
                  &l->matches[image], l->room + (size_t)thread * 2 * DETECT_BOXES_MAX);
}

static double classes_loss(const struct loss_run *r, int image)
{
    const size_t classes = (size_t)r->m->classes, blocks = (classes + CH - 1) / CH;
    double loss = 0;

    for (int i = 0; i < DETECT_LEVELS; i++) {
        const struct detect_level *l = &r->m->level[i];
        const size_t hw = (size_t)l->h * (size_t)l->w;
        for (size_t b = 0; b < blocks; b++) {
            const size_t at = ((size_t)image * blocks + b) * hw * CH;
            loss += background(r->k, l->cls + at, l->cls_grad + at, hw,
                               classes - b * CH < CH ? classes - b * CH : CH, (float)r->scale.cls);
        }
    }
    return loss;
}

static void positive_loss(const struct loss_run *r, int image, int anchor, struct net_loss *sum)
{
    const struct detect_match *match = &r->l->matches[image];
    const struct net_box *b = &r->t->boxes[r->t->first[image] + match->owner[anchor]];
    const struct detect_anchor a = detect_anchor_at(r->m, anchor);
    const struct detect_level *l = &r->m->level[a.level];
    const size_t hw = (size_t)l->h * (size_t)l->w, c = (size_t)b->cls, cell = (size_t)a.cell;
    const size_t blocks = (size_t)ch_pad(r->m->classes) / CH;
    const double target = (double)match->target[anchor];
    const double truth[4] = {(double)b->x0, (double)b->y0, (double)b->x1, (double)b->y1};
    const double distance[4] = {(a.cx - truth[0]) / a.stride, (a.cy - truth[1]) / a.stride,
                                (truth[2] - a.cx) / a.stride, (truth[3] - a.cy) / a.stride};
    struct detect_bins bins;
    double p[4], by_end[4], by_logit[4][DETECT_BINS];

    sum->cls -= target * detect_logit(r->m, image, &a, b->cls);
    l->cls_grad[(((size_t)image * blocks + c / CH) * hw + cell) * CH + c % CH] -=
        (float)(r->scale.cls * target);

    detect_bins_at(r->m, r->k, image, &a, &bins);
    detect_decode(&a, bins.distance, p);
    sum->box += target * (1 - detect_ciou(p, truth, by_end));
    sum->dfl += target * detect_dfl(&bins, distance, by_logit);
    for (size_t side = 0; side < 4; side++) {
        float *grad = l->box_grad + (((size_t)image * 4 + side) * hw + cell) * CH;
        const double toward = side < 2 ? -a.stride : a.stride; /* of the end, by the distance */
        const double by_distance = -r->scale.box * target * by_end[side] * toward;
        for (int i = 0; i < DETECT_BINS; i++)
            grad[i] = (float)(by_distance * (double)bins.p[side][i] * (i - bins.distance[side]) +
                              r->scale.dfl * target * by_logit[side][i]);
    }
}

static void loss_image(void *ud, int image, int thread)
{
    const struct loss_run *r = ud;
    const struct detect_match *match = &r->l->matches[image];
    struct net_loss *sum = &r->l->parts[image];

    *sum = (struct net_loss){.cls = classes_loss(r, image)};
    for (int i = 0; i < DETECT_LEVELS; i++) {
        const struct detect_level *l = &r->m->level[i];
        const size_t floats = 4 * (size_t)l->h * (size_t)l->w * CH;
        memset(l->box_grad + (size_t)image * floats, 0, floats * sizeof(float));
    }
    for (int a = 0; a < r->l->anchors; a++)
        if (match->owner[a] >= 0)
            positive_loss(r, image, a, sum);
}

void detect_loss_run(struct detect_loss *l, struct crew *crew, const struct kernels *k,
                     const struct detect_maps *m, const struct net_target *t, int count,
                     const struct net_gains *gains, struct net_loss *ret)
{
    struct loss_run r = {l, k, m, t, {0}};
    struct net_loss sum = {0};
    double targets = 0;

    ASSERT(count <= l->images && detect_anchors(m) <= l->anchors_max);
    l->anchors = detect_anchors(m);
    crew_run(crew, count, assign_image, &r);
    for (int i = 0; i < count; i++)
        targets += l->matches[i].target_sum;
    const double all = targets > 1 ? targets : 1;
    r.scale = (struct net_gains){gains->box / all, gains->cls / all, gains->dfl / all, 0};
    crew_run(crew, count, loss_image, &r);
    for (int i = 0; i < count; i++) {
        sum.box += l->parts[i].box / all;
        sum.cls += l->parts[i].cls / all;
        sum.dfl += l->parts[i].dfl / all;
    }
    sum.total = gains->box * sum.box + gains->cls * sum.cls + gains->dfl * sum.dfl;
    *ret = sum;
}
