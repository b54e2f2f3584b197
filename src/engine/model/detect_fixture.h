/* detect_fixture.h - maps full of chosen or random logits, for the unit tests of the heads. */
#ifndef ANNEAL_ENGINE_MODEL_DETECT_FIXTURE_H
#define ANNEAL_ENGINE_MODEL_DETECT_FIXTURE_H

#include "base/hash.h"
#include "base/mem.h"
#include "base/test.h"
#include "engine/model/detect.h"

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

#endif
