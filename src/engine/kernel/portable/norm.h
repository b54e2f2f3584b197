/* norm.h - batch norm with residual and activation, forward and backward, one channel block.
 *
 * Statistics: sums of (y - pivot) and its square; the pivot is the running mean, so that the
 * variance does not drown in cancellation.  Runs of at most RUN pixels are summed in float, runs in
 * double.  The gradients follow Ioffe and Szegedy (arXiv:1502.03167), section 3:
 *     dy = scale * (g - mean(g) - xhat * mean(g * xhat)),   xhat = (y - mean) * inv_std
 */
#ifndef ANNEAL_ENGINE_KERNEL_PORTABLE_NORM_H
#define ANNEAL_ENGINE_KERNEL_PORTABLE_NORM_H

#include "engine/kernel/portable/vec.h"

enum { RUN = 256 };

static always_inline void add_double(double *to, vf v)
{
    for (int i = 0; i < CH; i++)
        to[i] += (double)v[i];
}

static void bn_sums(const struct bn_range *r, const float *y, const float *pivot, double *sum,
                    double *square)
{
    const vf at = ld(pivot);

    for (int n = 0; n < r->images; n++)
        for (int from = 0; from < r->hw; from += RUN) {
            const float *p = y + (size_t)n * r->image_stride + (size_t)from * CH;
            const int count = r->hw - from < RUN ? r->hw - from : RUN;
            vf s0 = {0}, s1 = {0}, q0 = {0}, q1 = {0};
            int i = 0;
            for (; i + 1 < count; i += 2) {
                const vf a = ld(p + i * CH) - at, b = ld(p + i * CH + CH) - at;
                s0 += a;
                s1 += b;
                q0 += a * a;
                q1 += b * b;
            }
            if (i < count) {
                const vf a = ld(p + i * CH) - at;
                s0 += a;
                q0 += a * a;
            }
            add_double(sum, s0 + s1);
            add_double(square, q0 + q1);
        }
}

static always_inline void bn_apply_as(const struct bn_range *r, const float *y,
                                      const float *residual, float *a, const float *scale,
                                      const float *shift, const enum act act, const bool add)
{
    const vf k = ld(scale), c = ld(shift);

    for (int n = 0; n < r->images; n++) {
        const size_t image = (size_t)n * r->image_stride;
        for (size_t i = image; i < image + (size_t)r->hw * CH; i += CH) {
            vf z = ld(y + i) * k + c;
            if (add)
                z += ld(residual + i);
            st(a + i, act_of(z, act));
        }
    }
}

/* CASES(X): every activation, with and without a residual, as constants for the compiler. */
#define ACT_CASES(X) X(ACT_NONE) X(ACT_RELU) X(ACT_RELU6) X(ACT_SILU)

static void bn_apply(const struct bn_range *r, const float *y, const float *residual, float *a,
                     const float *scale, const float *shift, enum act act)
{
    switch (act) {
#define X(kind)                                                                                    \
    case kind:                                                                                     \
        if (residual)                                                                              \
            bn_apply_as(r, y, residual, a, scale, shift, kind, true);                              \
        else                                                                                       \
            bn_apply_as(r, y, NULL, a, scale, shift, kind, false);                                 \
        break;
        ACT_CASES(X)
#undef X
    }
}

/* Gradient through the activation at float i.  Forward's z is computed again, by the same
 * expression; behind a residual the activation's output tells as much (ReLU, ReLU6, none). */
static always_inline vf bn_gradient(const struct bn_grad *b, size_t i, vf y, vf scale, vf shift,
                                    const enum act act, const int count, const bool residual)
{
    vf g = ld(b->g[0] + i);

    if (count > 1)
        g += ld(b->g[1] + i);
    if (count > 2)
        g += ld(b->g[2] + i);
    if (act == ACT_NONE)
        return g;
    return act_grad(g, residual ? ld(b->a + i) : y * scale + shift, act);
}

/* The gradient need not be kept for the second pass if it is cheap to form again. */
static always_inline bool bn_recompute(const enum act act, const int count, const bool residual)
{
    return !residual && act != ACT_SILU && count == 1;
}

static always_inline void bn_grad_sums_as(const struct bn_grad *b, double *sum, double *dot,
                                          const enum act act, const int count, const bool residual)
{
    const vf mean = ld(b->mean), inv_std = ld(b->inv_std);
    const vf scale = ld(b->scale), shift = ld(b->shift);

    for (int n = 0; n < b->range.images; n++)
        for (int from = 0; from < b->range.hw; from += RUN) {
            const size_t at = (size_t)n * b->range.image_stride + (size_t)from * CH;
            const int run = b->range.hw - from < RUN ? b->range.hw - from : RUN;
            vf s = {0}, d = {0};
            for (size_t i = at; i < at + (size_t)run * CH; i += CH) {
                const vf y = ld(b->y + i);
                const vf g = bn_gradient(b, i, y, scale, shift, act, count, residual);
                s += g;
                d += g * ((y - mean) * inv_std);
                if (!bn_recompute(act, count, residual))
                    st(b->g[0] + i, g);
            }
            add_double(sum, s);
            add_double(dot, d);
        }
}

static always_inline void bn_grad_apply_as(const struct bn_grad *b, const float *mean_g,
                                           const float *mean_dot, const enum act act,
                                           const bool recompute)
{
    const vf mean = ld(b->mean), inv_std = ld(b->inv_std);
    const vf scale = ld(b->scale), shift = ld(b->shift);
    const vf mg = ld(mean_g), md = ld(mean_dot);

    for (int n = 0; n < b->range.images; n++) {
        const size_t image = (size_t)n * b->range.image_stride;
        for (size_t i = image; i < image + (size_t)b->range.hw * CH; i += CH) {
            const vf y = ld(b->y + i);
            vf g = ld(b->g[0] + i);
            if (recompute)
                g = bn_gradient(b, i, y, scale, shift, act, 1, false);
            st(b->dy + i, scale * (g - mg - (y - mean) * inv_std * md));
        }
    }
}

static void bn_grad_sums(const struct bn_grad *b, double *sum, double *dot)
{
    switch (b->act) {
#define ONE(kind, count)                                                                           \
    case count:                                                                                    \
        if (b->residual)                                                                           \
            bn_grad_sums_as(b, sum, dot, kind, count, true);                                       \
        else                                                                                       \
            bn_grad_sums_as(b, sum, dot, kind, count, false);                                      \
        break;
#define X(kind)                                                                                    \
    case kind:                                                                                     \
        switch (b->g_count) {                                                                      \
            ONE(kind, 1) ONE(kind, 2) ONE(kind, 3)                                                 \
        }                                                                                          \
        break;
        ACT_CASES(X)
#undef X
#undef ONE
    }
}

static void bn_grad_apply(const struct bn_grad *b, const float *mean_g, const float *mean_dot)
{
    if (!bn_recompute(b->act, b->g_count, b->residual)) {
        bn_grad_apply_as(b, mean_g, mean_dot, ACT_NONE, false);
        return;
    }
    switch (b->act) {
#define X(kind)                                                                                    \
    case kind:                                                                                     \
        bn_grad_apply_as(b, mean_g, mean_dot, kind, true);                                         \
        break;
        ACT_CASES(X)
#undef X
    }
}

#endif
