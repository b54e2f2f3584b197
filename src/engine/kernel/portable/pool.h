/* pool.h - kernels that reshape or weigh planes of pixels: max pool, nearest upsampling, gates. */
#ifndef ANNEAL_ENGINE_KERNEL_PORTABLE_POOL_H
#define ANNEAL_ENGINE_KERNEL_PORTABLE_POOL_H

#include "engine/kernel/portable/norm.h"
#include <string.h>

/* The taps of a window that lie inside the plane, in one dimension: [first, last). */
static always_inline void window_clip(int from, int k, int size, int *ret_first, int *ret_last)
{
    *ret_first = from < 0 ? -from : 0;
    *ret_last = size - from < k ? size - from : k;
}

/* One vector of channels; the first of equal maxima wins and a NaN wins over all, as in PyTorch. */
static always_inline vf max_at(const struct pool_shape *s, const float *x, int oy, int ox,
                               vi *ret_which)
{
    const int y0 = oy * s->stride - s->pad, x0 = ox * s->stride - s->pad;
    int ky0, ky1, kx0, kx1;
    vf best = vf_all(-__builtin_inff());
    vi which = {0};

    window_clip(y0, s->k, s->ih, &ky0, &ky1);
    window_clip(x0, s->k, s->iw, &kx0, &kx1);
    which += ky0 * s->k + kx0;
    for (int ky = ky0; ky < ky1; ky++) {
        const float *row = x + ((ptrdiff_t)(y0 + ky) * s->iw + x0) * CH;
        for (int kx = kx0; kx < kx1; kx++) {
            const vf v = ld(row + (ptrdiff_t)kx * CH);
            const vi more = (v > best) | (v != v);
            best = vf_pick(more, v, best);
            which = (which & ~more) | (more & (ky * s->k + kx));
        }
    }
    *ret_which = which;
    return best;
}

static void max_pool(const struct pool_shape *s, const float *x, float *y, unsigned char *from)
{
    for (int oy = 0; oy < s->oh; oy++)
        for (int ox = 0; ox < s->ow; ox++)
            for (size_t sub = 0; sub < CH; sub += VL) {
                const size_t at = ((size_t)oy * (size_t)s->ow + (size_t)ox) * CH + sub;
                vi which;
                st(y + at, max_at(s, x + sub, oy, ox, &which));
                for (int i = 0; from && i < VL; i++)
                    from[at + (size_t)i] = (unsigned char)which[i];
            }
}

static void max_pool_grad(const struct pool_shape *s, float *const *g, int g_count,
                          const unsigned char *from, float *dx)
{
    memset(dx, 0, (size_t)s->ih * (size_t)s->iw * CH * sizeof *dx);
    for (int oy = 0; oy < s->oh; oy++)
        for (int ox = 0; ox < s->ow; ox++)
            for (size_t i = 0; i < CH; i++) {
                const size_t at = ((size_t)oy * (size_t)s->ow + (size_t)ox) * CH + i;
                const int iy = oy * s->stride - s->pad + from[at] / s->k;
                const int ix = ox * s->stride - s->pad + from[at] % s->k;
                float sum = g[0][at];
                for (int c = 1; c < g_count; c++)
                    sum += g[c][at];
                dx[((size_t)iy * (size_t)s->iw + (size_t)ix) * CH + i] += sum;
            }
}

static void upsample(const float *x, float *y, int h, int w)
{
    for (int oy = 0; oy < 2 * h; oy++)
        for (int ox = 0; ox < 2 * w; ox++)
            memcpy(y + ((size_t)oy * 2 * (size_t)w + (size_t)ox) * CH,
                   x + ((size_t)(oy / 2) * (size_t)w + (size_t)(ox / 2)) * CH, CH * sizeof *y);
}

static void upsample_grad(const float *dy, float *dx, int h, int w)
{
    const size_t row = 2 * (size_t)w * CH;

    for (size_t y = 0; y < (size_t)h; y++)
        for (size_t at = 0; at < row / 2; at += VL) {
            const float *corner = dy + 2 * y * row + at / CH * 2 * CH + at % CH;
            st(dx + y * row / 2 + at,
               ld(corner) + ld(corner + CH) + (ld(corner + row) + ld(corner + row + CH)));
        }
}

static void gate(const float *x, const float *by, float *y, int hw)
{
    for (int sub = 0; sub < CH; sub += VL) {
        const vf k = ld(by + sub);
        for (size_t i = 0; i < (size_t)hw * CH; i += CH)
            st(y + i + sub, ld(x + i + sub) * k);
    }
}

/* Runs of at most RUN pixels are summed in float, runs in double. */
static void gate_grad(const float *x, const float *by, const float *dy, float *dx, float *dby,
                      int hw)
{
    for (int sub = 0; sub < CH; sub += VL) {
        const vf k = ld(by + sub);
        double sum[VL] = {0};
        for (int from = 0; from < hw; from += RUN) {
            const int to = hw - from < RUN ? hw : from + RUN;
            vf s = {0};
            for (int i = from; i < to; i++) {
                const vf g = ld(dy + (size_t)i * CH + (size_t)sub);
                s += g * ld(x + (size_t)i * CH + (size_t)sub);
                st(dx + (size_t)i * CH + (size_t)sub, g * k);
            }
            add_double(sum, s);
        }
        for (int i = 0; i < VL; i++)
            dby[sub + i] = (float)sum[i];
    }
}

#endif
