/* detect_fixture.h - maps full of chosen or random logits, and the loss read plainly, for the unit
 * tests of the heads. */
#ifndef ANNEAL_ENGINE_MODEL_DETECT_FIXTURE_H
#define ANNEAL_ENGINE_MODEL_DETECT_FIXTURE_H

#include "base/hash.h"
#include "base/mem.h"
#include "base/test.h"
#include "engine/model/detect.h"
#include <math.h>

struct fixture {
    struct detect_maps maps;
    int images;
    size_t box_floats[DETECT_LEVELS], cls_floats[DETECT_LEVELS];
};

static inline void fixture_fill(float *v, size_t n, uint64_t seed, double scale, double shift)
{
    for (size_t i = 0; i < n; i++)
        v[i] = (float)(scale * (2 * rand_unit(rand_at(seed, 7, i, 0)) - 1) + shift);
}

/* Random logits: bins within +-2, classes within +-3 about -1; padding too, which must not count.
 */
static inline struct fixture fixture_new(int images, int classes, int size, uint64_t seed)
{
    struct fixture f = {.maps = {.classes = classes, .size = size}, .images = images};

    for (int i = 0; i < DETECT_LEVELS; i++) {
        struct detect_level *l = &f.maps.level[i];
        l->stride = 8 << i;
        l->h = l->w = size / l->stride;
        const size_t cells = (size_t)(images * l->h * l->w);
        f.box_floats[i] = cells * 4 * CH;
        f.cls_floats[i] = cells * (size_t)ch_pad(classes);
        float *box = mem_alloc_aligned(64, f.box_floats[i] * sizeof(float));
        float *cls = mem_alloc_aligned(64, f.cls_floats[i] * sizeof(float));
        l->box_grad = mem_alloc_aligned(64, f.box_floats[i] * sizeof(float));
        l->cls_grad = mem_alloc_aligned(64, f.cls_floats[i] * sizeof(float));
        fixture_fill(box, f.box_floats[i], seed + 10 + (uint64_t)i, 2, 0);
        fixture_fill(cls, f.cls_floats[i], seed + 20 + (uint64_t)i, 3, -1);
        l->box = box;
        l->cls = cls;
    }
    return f;
}

static inline void fixture_done(struct fixture *f)
{
    for (int i = 0; i < DETECT_LEVELS; i++) {
        mem_free((void *)(uintptr_t)f->maps.level[i].box);
        mem_free((void *)(uintptr_t)f->maps.level[i].cls);
        mem_free(f->maps.level[i].box_grad);
        mem_free(f->maps.level[i].cls_grad);
    }
}

static inline float *fixture_bins(struct fixture *f, int image, int anchor, int side)
{
    const struct detect_anchor a = detect_anchor_at(&f->maps, anchor);
    const struct detect_level *l = &f->maps.level[a.level];

    return (float *)(uintptr_t)l->box +
           ((size_t)(image * 4 + side) * (size_t)(l->h * l->w) + (size_t)a.cell) * CH;
}

static inline float *fixture_logit(struct fixture *f, int image, int anchor, int cls)
{
    const struct detect_anchor a = detect_anchor_at(&f->maps, anchor);
    const struct detect_level *l = &f->maps.level[a.level];
    const int blocks = ch_pad(f->maps.classes) / CH;

    return (float *)(uintptr_t)l->cls +
           ((size_t)(image * blocks + cls / CH) * (size_t)(l->h * l->w) + (size_t)a.cell) * CH +
           cls % CH;
}

static inline void fixture_clear(struct fixture *f, float cls)
{
    for (int i = 0; i < DETECT_LEVELS; i++) {
        fixture_fill((float *)(uintptr_t)f->maps.level[i].box, f->box_floats[i], 0, 0, 0);
        fixture_fill((float *)(uintptr_t)f->maps.level[i].cls, f->cls_floats[i], 0, 0, (double)cls);
    }
}

/* Makes an anchor predict a distance on all four sides, in strides (0..15). */
static inline void fixture_predict(struct fixture *f, int image, int anchor, int bin)
{
    for (int side = 0; side < 4; side++)
        for (int i = 0; i < DETECT_BINS; i++)
            fixture_bins(f, image, anchor, side)[i] = i == bin ? 50 : 0;
}

/* ---- the loss read plainly, in double, with owners, targets and CIoU's alpha as they were at some
 * point: what the gradient is the gradient of */

enum { PLAIN_POSITIVES_MAX = 4096 };
struct plain {
    struct fixture *fixture;
    const struct detect_loss *loss;
    const struct net_box *boxes;
    const int32_t *first;
    double alpha[PLAIN_POSITIVES_MAX]; /* by positive, in order */
};

static inline double plain_softplus(double x)
{
    return fmax(x, 0) + log1p(exp(-fabs(x)));
}

static inline double plain_box(struct fixture *f, int image, int anchor, const double t[4],
                               double p[4])
{
    const struct detect_anchor a = detect_anchor_at(&f->maps, anchor);
    const double centre[2] = {a.cx, a.cy};
    double d[4], dfl = 0;

    for (int side = 0; side < 4; side++) {
        const float *x = fixture_bins(f, image, anchor, side);
        double sum = 0, moment = 0;
        for (int i = 0; i < DETECT_BINS; i++) {
            sum += exp((double)x[i]);
            moment += i * exp((double)x[i]);
        }
        d[side] = moment / sum;
        const double truth = fmin(fabs(t[side] - centre[side % 2]) / a.stride, 14.99);
        for (int i = 0; i < DETECT_BINS; i++)
            dfl -= fmax(0, 1 - fabs(truth - i)) * log(exp((double)x[i]) / sum) / 4;
    }
    detect_decode(&a, d, p);
    return dfl;
}

/* 1 - CIoU; *alpha: filled or used. */
static inline double plain_ciou_loss(const double p[4], const double t[4], double *alpha, bool fill)
{
    const double pi = acos(-1.0), iou = detect_iou(p, t);
    const double angle = atan((t[2] - t[0]) / (t[3] - t[1])) - atan((p[2] - p[0]) / (p[3] - p[1]));
    const double v = 4 / pi / pi * angle * angle;
    const double hw = fmax(p[2], t[2]) - fmin(p[0], t[0]), hh = fmax(p[3], t[3]) - fmin(p[1], t[1]);
    const double sx = (p[0] + p[2] - t[0] - t[2]) / 2, sy = (p[1] + p[3] - t[1] - t[3]) / 2;

    if (fill)
        *alpha = v / (1 - iou + v);
    return 1 - iou + (sx * sx + sy * sy) / (hw * hw + hh * hh) + *alpha * v;
}

static inline double plain_loss(struct plain *s, bool fill)
{
    struct fixture *f = s->fixture;
    double targets = 0, box = 0, cls = 0, dfl = 0;
    int positive = 0;

    for (int image = 0; image < f->images; image++) {
        const struct detect_match *match = detect_loss_match(s->loss, image);
        for (int a = 0; a < detect_anchors(&f->maps); a++) {
            const int owner = match->owner[a];
            const struct net_box *b = owner < 0 ? NULL : &s->boxes[s->first[image] + owner];
            const double target = b ? (double)match->target[a] : 0;
            for (int c = 0; c < f->maps.classes; c++) {
                const double x = (double)*fixture_logit(f, image, a, c);
                cls += plain_softplus(x) - (b && b->cls == c ? target * x : 0);
            }
            if (!b)
                continue;
            const double t[4] = {(double)b->x0, (double)b->y0, (double)b->x1, (double)b->y1};
            double p[4];
            CHECK(positive < PLAIN_POSITIVES_MAX);
            targets += target;
            dfl += target * plain_box(f, image, a, t, p);
            box += target * plain_ciou_loss(p, t, &s->alpha[positive++], fill);
        }
    }
    return (net_gains_default.box * box + net_gains_default.cls * cls +
            net_gains_default.dfl * dfl) /
           fmax(targets, 1);
}

#endif
