/* norm.h - batch norm with residual and activation, forward and backward, one channel block.
 *
 * Statistics: sums of (y - pivot) and its square; the pivot is the running mean, so that the
 * variance does not drown in cancellation.  At most RUN pixels are summed in float, these sums in
 * double; where a block is several vectors they take turns run by run, within the cache.  The
 * gradients follow Ioffe and Szegedy (arXiv:1502.03167), section 3: dy = scale * (g - mean(g) -
 * xhat * mean(g * xhat)),   xhat = (y - mean) * inv_std
 *
 * All of it waits for memory: one thread of a Xeon moves 17 GB/s through maps that fit no cache, 20
 * with prefetching across pages and, forward, writing past the caches.
 */
#ifndef ANNEAL_ENGINE_KERNEL_PORTABLE_NORM_H
#define ANNEAL_ENGINE_KERNEL_PORTABLE_NORM_H

#include "engine/kernel/portable/vec.h"

enum {
    RUN = 256,
    AHEAD = 1024, /* floats: the hardware's prefetching ends at each page; 12 % faster */
};

static always_inline void add_double(double *to, vf v)
{
    for (int i = 0; i < VL; i++)
        to[i] += (double)v[i];
}

/* Run number i of a range: one vector of channels over at most RUN pixels of one image. */
struct bn_run {
    size_t at; /* its first float */
    int pixels;
    int sub; /* the vector's first channel in the block */
};

static always_inline int bn_runs(const struct bn_range *r)
{
    return r->images * ((r->hw + RUN - 1) / RUN) * SUB;
}

static always_inline struct bn_run bn_run(const struct bn_range *r, int i)
{
    const int of_image = (r->hw + RUN - 1) / RUN, sub = i % SUB * VL;
    const int image = i / SUB / of_image, from = i / SUB % of_image * RUN;

    return (struct bn_run){(size_t)image * r->image_stride + (size_t)(from * CH + sub),
                           r->hw - from < RUN ? r->hw - from : RUN, sub};
}

/* y of a run, from its first vector on: as it lies, or widened from bfloat16 into `room`, which the
 * first-level cache holds. */
typedef float bn_room[RUN * CH] __attribute__((aligned(64)));

static always_inline const float *bn_y(const float *y, const struct bn_range *r,
                                       const struct bn_run *run, float *room)
{
    const uint16_t *half = (const uint16_t *)(const void *)y + run->at;

    if (!r->half)
        return y + run->at;
    for (int i = 0; i < run->pixels * CH; i += CH)
        st(room + i, ld_half(half + i));
    return room;
}

/* Two sums in float of each vector of a block, of runs of together at most RUN pixels. */
struct bn_pair {
    vf a[SUB], b[SUB];
    int pixels;
};

static always_inline void bn_flush(struct bn_pair *p, double *a, double *b)
{
    UNROLL(4)
    for (int i = 0; i < SUB; i++) {
        add_double(a + i * VL, p->a[i]);
        add_double(b + i * VL, p->b[i]);
        p->a[i] = p->b[i] = (vf){0};
    }
    p->pixels = 0;
}

/* Before the sums of a run are added. */
static always_inline void bn_room_for(struct bn_pair *p, const struct bn_run *run, double *a,
                                      double *b)
{
    if (run->sub > 0)
        return;
    if (p->pixels + run->pixels > RUN)
        bn_flush(p, a, b);
    p->pixels += run->pixels;
}

static void bn_sums(const struct bn_range *r, const float *y, const float *pivot, double *sum,
                    double *square)
{
    struct bn_pair pair = {0};
    bn_room room;

    for (int n = 0; n < bn_runs(r); n++) {
        const struct bn_run run = bn_run(r, n);
        const float *p = bn_y(y, r, &run, room);
        const vf origin = ld(pivot + run.sub);
        vf s0 = {0}, s1 = {0}, q0 = {0}, q1 = {0};
        int i = 0;
        bn_room_for(&pair, &run, sum, square);
        for (; i + 1 < run.pixels; i += 2) {
            const vf a = ld(p + i * CH) - origin, b = ld(p + i * CH + CH) - origin;
            __builtin_prefetch(p + i * CH + AHEAD);
            __builtin_prefetch(p + i * CH + CH + AHEAD);
            s0 += a;
            s1 += b;
            q0 += a * a;
            q1 += b * b;
        }
        if (i < run.pixels) {
            const vf a = ld(p + i * CH) - origin;
            s0 += a;
            q0 += a * a;
        }
        pair.a[run.sub / VL] += s0 + s1;
        pair.b[run.sub / VL] += q0 + q1;
    }
    bn_flush(&pair, sum, square);
}

static always_inline void bn_apply_as(const struct bn_range *r, const float *y,
                                      const float *residual, float *a, const float *scale,
                                      const float *shift, const enum act act, const bool add,
                                      const bool after)
{
    bn_room room;

    for (int n = 0; n < bn_runs(r); n++) {
        const struct bn_run run = bn_run(r, n);
        const float *of_run = bn_y(y, r, &run, room);
        const vf k = ld(scale + run.sub), c = ld(shift + run.sub);
        for (size_t i = run.at; i < run.at + (size_t)run.pixels * CH; i += CH) {
            vf z = ld(of_run + (i - run.at)) * k + c;
            __builtin_prefetch(of_run + (i - run.at) + AHEAD);
            if (add && !after)
                z += ld(residual + i);
            z = act_of(z, act);
            if (add && after)
                z += ld(residual + i);
            if (r->large)
                st_stream(a + i, z);
            else
                st(a + i, z);
        }
    }
    if (r->large)
        st_streamed();
}

/* Every activation is a constant for the compiler. */
static void bn_apply(const struct bn_range *r, const float *y, const float *residual, float *a,
                     const float *scale, const float *shift, enum act act, bool after)
{
    switch (act) {
#define X(kind)                                                                                    \
    case kind:                                                                                     \
        if (residual && after)                                                                     \
            bn_apply_as(r, y, residual, a, scale, shift, kind, true, true);                        \
        else if (residual)                                                                         \
            bn_apply_as(r, y, residual, a, scale, shift, kind, true, false);                       \
        else                                                                                       \
            bn_apply_as(r, y, NULL, a, scale, shift, kind, false, false);                          \
        break;
        ACT_CASES(X)
#undef X
    }
}

/* The sum of the incoming gradients at float i. */
static always_inline vf bn_incoming(const struct bn_grad *b, size_t i, const int count)
{
    vf g = ld(b->g[0] + i);

    if (count > 1)
        g += ld(b->g[1] + i);
    if (count > 2)
        g += ld(b->g[2] + i);
    return g;
}

/* Where the residual enters, as a constant for the compiler. */
enum bn_residual { BN_PLAIN, BN_BEFORE, BN_AFTER };

/* `g` through the activation at float i.  Forward's z is computed again, by the same expression;
 * behind a residual the activation's output tells as much (ReLU, ReLU6, none). */
static always_inline vf bn_gradient(const struct bn_grad *b, vf g, size_t i, vf y, vf scale,
                                    vf shift, const enum act act, const enum bn_residual residual)
{
    if (act == ACT_NONE)
        return g;
    return act_grad(g, residual == BN_BEFORE ? ld(b->a + i) : y * scale + shift, act);
}

/* The gradient need not be kept for the second pass if it is cheap to form again. */
static always_inline bool bn_recompute(const enum act act, const int count,
                                       const enum bn_residual residual)
{
    return residual == BN_PLAIN && act != ACT_SILU && act != ACT_SIGMOID && count == 1;
}

/* What is kept goes to g[0]: behind an activation that followed the residual this is the residual's
 * gradient as well.  With a residual added after it, g[0] gets the plain sum and dy the other. */
static always_inline void bn_grad_sums_as(const struct bn_grad *b, double *sum, double *dot,
                                          const enum act act, const int count,
                                          const enum bn_residual residual)
{
    struct bn_pair pair = {0};
    bn_room room;

    for (int n = 0; n < bn_runs(&b->range); n++) {
        const struct bn_run run = bn_run(&b->range, n);
        const float *of_run = bn_y(b->y, &b->range, &run, room);
        const vf mean = ld(b->mean + run.sub), inv_std = ld(b->inv_std + run.sub);
        const vf scale = ld(b->scale + run.sub), shift = ld(b->shift + run.sub);
        vf s = {0}, d = {0};
        bn_room_for(&pair, &run, sum, dot);
        for (size_t i = run.at; i < run.at + (size_t)run.pixels * CH; i += CH) {
            const vf y = ld(of_run + (i - run.at)), all = bn_incoming(b, i, count);
            __builtin_prefetch(of_run + (i - run.at) + AHEAD);
            __builtin_prefetch(b->g[0] + i + AHEAD);
            const vf g = bn_gradient(b, all, i, y, scale, shift, act, residual);
            s += g;
            d += g * ((y - mean) * inv_std);
            if (residual == BN_AFTER && count > 1)
                st(b->g[0] + i, all);
            const bool there = residual == BN_BEFORE && act == ACT_NONE && count == 1;
            if (!bn_recompute(act, count, residual) && !there)
                st((residual == BN_AFTER ? b->dy : b->g[0]) + i, g);
        }
        pair.a[run.sub / VL] += s;
        pair.b[run.sub / VL] += d;
    }
    bn_flush(&pair, sum, dot);
}

/* `kept`: the gradient behind the activation, or before it, with `recompute`. */
static always_inline void bn_grad_apply_as(const struct bn_grad *b, const float *kept,
                                           const float *mean_g, const float *mean_dot,
                                           const enum act act, const bool recompute)
{
    bn_room room;

    for (int n = 0; n < bn_runs(&b->range); n++) {
        const struct bn_run run = bn_run(&b->range, n);
        const float *of_run = bn_y(b->y, &b->range, &run, room);
        const vf mean = ld(b->mean + run.sub), inv_std = ld(b->inv_std + run.sub);
        const vf scale = ld(b->scale + run.sub), shift = ld(b->shift + run.sub);
        const vf mg = ld(mean_g + run.sub), md = ld(mean_dot + run.sub);
        for (size_t i = run.at; i < run.at + (size_t)run.pixels * CH; i += CH) {
            const vf y = ld(of_run + (i - run.at));
            vf g = ld(kept + i);
            __builtin_prefetch(of_run + (i - run.at) + AHEAD);
            __builtin_prefetch(kept + i + AHEAD);
            if (recompute)
                g = bn_gradient(b, g, i, y, scale, shift, act, BN_PLAIN);
            st(b->dy + i, scale * (g - mg - (y - mean) * inv_std * md));
        }
    }
}

static always_inline enum bn_residual bn_residual_of(const struct bn_grad *b)
{
    return !b->residual ? BN_PLAIN : b->after ? BN_AFTER : BN_BEFORE;
}

static always_inline void bn_grad_sums_of(const struct bn_grad *b, double *sum, double *dot,
                                          const enum act act, const int count)
{
    switch (bn_residual_of(b)) {
    case BN_PLAIN:
        bn_grad_sums_as(b, sum, dot, act, count, BN_PLAIN);
        break;
    case BN_BEFORE:
        bn_grad_sums_as(b, sum, dot, act, count, BN_BEFORE);
        break;
    case BN_AFTER:
        bn_grad_sums_as(b, sum, dot, act, count, BN_AFTER);
        break;
    }
}

/* A function for each activation: one for all would take the compiler minutes. */
#define X(kind)                                                                                    \
    static __attribute__((noinline)) void bn_grad_sums_##kind(const struct bn_grad *b,             \
                                                              double *sum, double *dot)            \
    {                                                                                              \
        if (b->g_count == 1)                                                                       \
            bn_grad_sums_of(b, sum, dot, kind, 1);                                                 \
        else if (b->g_count == 2)                                                                  \
            bn_grad_sums_of(b, sum, dot, kind, 2);                                                 \
        else                                                                                       \
            bn_grad_sums_of(b, sum, dot, kind, 3);                                                 \
    }
ACT_CASES(X)
#undef X

static void bn_grad_sums(const struct bn_grad *b, double *sum, double *dot)
{
    switch (b->act) {
#define X(kind)                                                                                    \
    case kind:                                                                                     \
        bn_grad_sums_##kind(b, sum, dot);                                                          \
        break;
        ACT_CASES(X)
#undef X
    }
}

static void bn_grad_apply(const struct bn_grad *b, const float *mean_g, const float *mean_dot)
{
    if (!bn_recompute(b->act, b->g_count, bn_residual_of(b))) {
        const float *kept = bn_residual_of(b) == BN_AFTER ? b->dy : b->g[0];
        bn_grad_apply_as(b, kept, mean_g, mean_dot, ACT_NONE, false);
        return;
    }
    switch (b->act) {
#define X(kind)                                                                                    \
    case kind:                                                                                     \
        bn_grad_apply_as(b, b->g[0], mean_g, mean_dot, kind, true);                                \
        break;
        ACT_CASES(X)
#undef X
    }
}

#endif
