/* depthwise.h - the forward pass of a depthwise convolution: one block of channels of one image.
 *
 * Pixels whose taps all lie inside the row, the most of them, go in strips of 4 that share what
 * they load; rows and pixels at the border leave out the taps that fall outside.  Each sum takes
 * its taps in the same order everywhere, so where a strip begins changes nothing.  Kernel and
 * stride are constants for the compiler where they are the usual ones.
 */
#ifndef ANNEAL_ENGINE_KERNEL_PORTABLE_DEPTHWISE_H
#define ANNEAL_ENGINE_KERNEL_PORTABLE_DEPTHWISE_H

#include "engine/kernel/portable/vec.h"

enum { STRIP = 4 };

/* One row of output: x stands at the first input row that is inside, w at its tap. */
struct depthwise_row {
    const float *x, *w;
    float *y;
    const struct epilogue *e; /* residual at this row; NULL: the plain sums */
    int taps;                 /* rows of the kernel that are inside */
    int iw, k, stride, pad;
};

static always_inline void depthwise_put(const struct depthwise_row *r, int ox, int sub, vf *sum,
                                        const int n)
{
    const struct epilogue *e = r->e;
    const ptrdiff_t at = (ptrdiff_t)ox * CH + sub;
    const float *residual = e && e->residual ? e->residual + at : NULL;

    if (e && !residual && act_is_cheap(e->act)) {
        UNROLL(4)
        for (int o = 0; o < n; o++)
            sum[o] += ld(e->bias + sub);
        if (e->act != ACT_NONE) {
            UNROLL(4)
            for (int o = 0; o < n; o++)
                sum[o] = vf_at_least(sum[o], 0.0f);
        }
        if (e->act == ACT_RELU6) {
            UNROLL(4)
            for (int o = 0; o < n; o++)
                sum[o] = vf_at_most(sum[o], 6.0f);
        }
    }
    if (e && (residual || !act_is_cheap(e->act))) {
        float sums[STRIP * VL]; /* not y, which may be the residual */
        UNROLL(4)
        for (int o = 0; o < n; o++)
            st(sums + o * VL, sum[o]);
        for (int o = 0; o < n; o++)
            st(r->y + at + o * CH, epilogue_of(ld(sums + o * VL), e, e->bias + sub,
                                               residual ? residual + o * CH : NULL));
        return;
    }
    UNROLL(4)
    for (int o = 0; o < n; o++)
        st(r->y + at + o * CH, sum[o]);
}

/* n pixels from ox on, all taps inside. */
static always_inline void depthwise_strip(const struct depthwise_row *r, int ox, const int n,
                                          const int k, const int stride)
{
    const ptrdiff_t first = (ptrdiff_t)(ox * stride - r->pad) * CH;

    for (int sub = 0; sub < CH; sub += VL) {
        const float *x = r->x + first + sub, *w = r->w + sub;
        vf sum[STRIP];
        UNROLL(4)
        for (int o = 0; o < n; o++)
            sum[o] = (vf){0};
        for (int ky = 0; ky < r->taps; ky++, x += r->iw * CH, w += k * CH) {
            UNROLL(16)
            for (int c = 0; c < (n - 1) * stride + k; c++) {
                const vf v = ld(x + c * CH);
                UNROLL(4)
                for (int o = 0; o < n; o++)
                    if (c >= o * stride && c < o * stride + k)
                        sum[o] += v * ld(w + (c - o * stride) * CH);
            }
        }
        depthwise_put(r, ox, sub, sum, n);
    }
}

/* Any pixel of any kernel. */
static void depthwise_pixel(const struct depthwise_row *r, int ox)
{
    const int x0 = ox * r->stride - r->pad;
    const int from = x0 < 0 ? -x0 : 0, to = x0 + r->k > r->iw ? r->iw - x0 : r->k;

    for (int sub = 0; sub < CH; sub += VL) {
        vf sum = {0};
        for (int ky = 0; ky < r->taps; ky++)
            for (int kx = from; kx < to; kx++)
                sum += ld(r->x + ((ptrdiff_t)ky * r->iw + x0 + kx) * CH + sub) *
                       ld(r->w + (ky * r->k + kx) * CH + sub);
        depthwise_put(r, ox, sub, &sum, 1);
    }
}

static always_inline void depthwise_inside(const struct depthwise_row *r, int from, int to,
                                           const int k, const int stride)
{
    for (; from + STRIP <= to; from += STRIP)
        depthwise_strip(r, from, STRIP, k, stride);
    for (; from < to; from++)
        depthwise_strip(r, from, 1, k, stride);
}

static void depthwise_run(const struct depthwise_row *r, int ow)
{
    const int last = (r->iw + r->pad - r->k) / r->stride + 1; /* the first that looks too far */
    const int from = (r->pad + r->stride - 1) / r->stride;
    const int to = r->iw + r->pad < r->k ? 0 : last < ow ? last : ow;

    for (int ox = 0; ox < from && ox < ow; ox++)
        depthwise_pixel(r, ox);
    if (r->k == 3 && r->stride == 1)
        depthwise_inside(r, from, to, 3, 1);
    else if (r->k == 3 && r->stride == 2)
        depthwise_inside(r, from, to, 3, 2);
    else if (r->k == 5 && r->stride == 1)
        depthwise_inside(r, from, to, 5, 1);
    else if (r->k == 5 && r->stride == 2)
        depthwise_inside(r, from, to, 5, 2);
    else
        for (int ox = from; ox < to; ox++)
            depthwise_pixel(r, ox);
    for (int ox = to > from ? to : from; ox < ow; ox++)
        depthwise_pixel(r, ox);
}

static void depthwise_forward(const struct conv_shape *s, const float *x, const float *w, float *y,
                              const struct epilogue *e)
{
    for (int oy = 0; oy < s->oh; oy++) {
        const int y0 = oy * s->stride - s->pad;
        const int from = y0 < 0 ? -y0 : 0, to = y0 + s->k > s->ih ? s->ih - y0 : s->k;
        const ptrdiff_t at = (ptrdiff_t)oy * s->ow * CH;
        struct epilogue here = {0};
        struct depthwise_row r = {.x = x + (ptrdiff_t)(y0 + from) * s->iw * CH,
                                  .w = w + (ptrdiff_t)from * s->k * CH,
                                  .y = y + at,
                                  .taps = to > from ? to - from : 0,
                                  .iw = s->iw,
                                  .k = s->k,
                                  .stride = s->stride,
                                  .pad = s->pad};
        if (e) {
            here = *e;
            here.residual = e->residual ? e->residual + at : NULL;
            r.e = &here;
        }
        depthwise_run(&r, s->ow);
    }
}

#endif
