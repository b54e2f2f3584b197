/* depthwise3.h - training of a depthwise 3x3 convolution, pad 1, stride 1 or 2: a block of channels
 * of some images, each in a frame of zeros one pixel wide, so that no loop has borders.
 *
 * Batch norm and activation are applied on the way into the frame, which stays in the second-level
 * cache.  Pixels go in strips of 4 that share what they load; each sum takes its taps in the same
 * order everywhere.
 */
#ifndef ANNEAL_ENGINE_KERNEL_PORTABLE_DEPTHWISE3_H
#define ANNEAL_ENGINE_KERNEL_PORTABLE_DEPTHWISE3_H

#include "engine/kernel/portable/norm.h"
#include <string.h>

enum { WRITE_AHEAD = 32 }; /* pixels: 4 % of a step of MobileNetV2 */

static always_inline ptrdiff_t frame_row(const struct framed *f)
{
    return (ptrdiff_t)(f->w + 2) * CH;
}

/* Row `row` of the frame of an image; rows 0 and h + 1 are zeros. */
static always_inline float *frame_at(const struct framed *f, int image, int row)
{
    return f->p + ((ptrdiff_t)image * (f->h + 2) + row) * frame_row(f);
}

static void frame_clear(const struct framed *f)
{
    const size_t row = (size_t)frame_row(f) * sizeof *f->p;

    for (int image = 0; image < f->images; image++) {
        memset(frame_at(f, image, 0), 0, row);
        memset(frame_at(f, image, f->h + 1), 0, row);
        for (int y = 1; y <= f->h; y++) {
            memset(frame_at(f, image, y), 0, CH * sizeof *f->p);
            memset(frame_at(f, image, y + 1) - CH, 0, CH * sizeof *f->p);
        }
    }
}

/* ---- into the frame */

/* A vector of channels of at most RUN pixels of a row. */
struct frame_run {
    struct bn_run run;
    float *to;
    size_t ahead; /* floats; in pictures smaller than that: the next picture */
};

/* The next vector of channels, run, row, image: without a division, which takes as long as a short
 * row. */
struct frame_walk {
    int image, row, column, sub;
};

static always_inline void frame_step(const struct framed *f, struct frame_walk *w)
{
    if ((w->sub += VL) < CH)
        return;
    w->sub = 0;
    if ((w->column += RUN) < f->w)
        return;
    w->column = 0;
    if (++w->row < f->h)
        return;
    w->row = 0;
    w->image++;
}

static always_inline struct frame_run frame_run(const struct framed *f, const struct bn_range *r,
                                                const struct frame_walk *w)
{
    const size_t pixel = (size_t)(w->row * f->w + w->column);

    return (struct frame_run){
        .run = {(size_t)w->image * r->image_stride + pixel * CH + (size_t)w->sub,
                f->w - w->column < RUN ? f->w - w->column : RUN, w->sub},
        .to = frame_at(f, w->image, w->row + 1) + (w->column + 1) * CH + w->sub,
        .ahead = r->hw * CH < AHEAD ? r->image_stride : AHEAD,
    };
}

static always_inline void frame_apply_as(const struct framed *f, const struct bn_range *r,
                                         const float *y, const float *scale, const float *shift,
                                         const enum act act)
{
    bn_room room;

    for (struct frame_walk w = {0}; w.image < f->images; frame_step(f, &w)) {
        const struct frame_run to = frame_run(f, r, &w);
        const float *from = bn_y(y, r, &to.run, room);
        const vf k = ld(scale + to.run.sub), c = ld(shift + to.run.sub);
        for (int i = 0; i < to.run.pixels * CH; i += CH) {
            __builtin_prefetch(from + i + to.ahead);
            st(to.to + i, act_of(ld(from + i) * k + c, act));
        }
    }
}

static void frame_apply(const struct framed *f, const struct bn_range *r, const float *y,
                        const float *scale, const float *shift, enum act act)
{
    switch (act) {
#define X(kind)                                                                                    \
    case kind:                                                                                     \
        frame_apply_as(f, r, y, scale, shift, kind);                                               \
        break;
        ACT_CASES(X)
#undef X
    }
}

static always_inline void frame_grad_as(const struct framed *f, const struct bn_grad *b,
                                        const float *mean_g, const float *mean_dot,
                                        const enum act act, const bool recompute)
{
    bn_room room;

    for (struct frame_walk w = {0}; w.image < f->images; frame_step(f, &w)) {
        const struct frame_run to = frame_run(f, &b->range, &w);
        const int sub = to.run.sub;
        const float *of_run = bn_y(b->y, &b->range, &to.run, room), *kept = b->g[0] + to.run.at;
        const vf mean = ld(b->mean + sub), inv_std = ld(b->inv_std + sub);
        const vf scale = ld(b->scale + sub), shift = ld(b->shift + sub);
        const vf mg = ld(mean_g + sub), md = ld(mean_dot + sub);
        for (int i = 0; i < to.run.pixels * CH; i += CH) {
            const vf y = ld(of_run + i);
            vf g = ld(kept + i);
            __builtin_prefetch(of_run + i + to.ahead);
            __builtin_prefetch(kept + i + to.ahead);
            if (recompute)
                g = bn_gradient(b, g, 0, y, scale, shift, act, BN_PLAIN);
            st(to.to + i, scale * (g - mg - (y - mean) * inv_std * md));
        }
    }
}

static void frame_grad(const struct framed *f, const struct bn_grad *b, const float *mean_g,
                       const float *mean_dot)
{
    if (!bn_recompute(b->act, b->g_count, bn_residual_of(b))) {
        frame_grad_as(f, b, mean_g, mean_dot, ACT_NONE, false);
        return;
    }
    switch (b->act) {
#define X(kind)                                                                                    \
    case kind:                                                                                     \
        frame_grad_as(f, b, mean_g, mean_dot, kind, true);                                         \
        break;
        ACT_CASES(X)
#undef X
    }
}

/* ---- convolution: x at the first tap of the first of n pixels */

static always_inline void strip3(const float *x, ptrdiff_t row, const vf *w, float *y, const int n,
                                 const int stride)
{
    vf sum[4];

    UNROLL(4)
    for (int o = 0; o < n; o++)
        sum[o] = (vf){0};
    UNROLL(3)
    for (int ky = 0; ky < 3; ky++) {
        UNROLL(9)
        for (int c = 0; c < (n - 1) * stride + 3; c++) {
            const vf v = ld(x + ky * row + c * CH);
            UNROLL(4)
            for (int o = 0; o < n; o++)
                if (c >= o * stride && c < o * stride + 3)
                    sum[o] += v * w[ky * 3 + c - o * stride];
        }
    }
    UNROLL(4)
    for (int o = 0; o < n; o++) {
        ask_to_write(y + (o + WRITE_AHEAD) * CH);
        st(y + o * CH, sum[o]);
    }
}

static always_inline void row3(const float *x, ptrdiff_t row, const vf *w, float *y, int ow,
                               const int stride)
{
    int ox = 0;

    for (; ox + 4 <= ow; ox += 4)
        strip3(x + ox * stride * CH, row, w, y + ox * CH, 4, stride);
    for (; ox + 2 <= ow; ox += 2)
        strip3(x + ox * stride * CH, row, w, y + ox * CH, 2, stride);
    if (ox < ow)
        strip3(x + ox * stride * CH, row, w, y + ox * CH, 1, stride);
}

static always_inline void conv3(const struct framed *x, const float *w, float *y, size_t y_image,
                                int oh, int ow, const int stride)
{
    const ptrdiff_t row = frame_row(x);

    for (int sub = 0; sub < CH; sub += VL) {
        vf taps[9];
        UNROLL(9)
        for (int t = 0; t < 9; t++)
            taps[t] = ld(w + t * CH + sub);
        for (int image = 0; image < x->images; image++) {
            const float *from = frame_at(x, image, 0) + sub;
            float *to = y + (size_t)image * y_image + sub;
            for (int oy = 0; oy < oh; oy++, from += stride * row, to += ow * CH)
                row3(from, row, taps, to, ow, stride);
        }
    }
}

static void depthwise3_forward(const struct conv_shape *s, const struct framed *x, const float *w,
                               float *y, size_t y_image)
{
    if (s->stride == 1)
        conv3(x, w, y, y_image, s->oh, s->ow, 1);
    else
        conv3(x, w, y, y_image, s->oh, s->ow, 2);
}

/* Stride 2: an even row of dx meets the middle row of taps, an odd one the two others (`two`); the
 * columns the same way.  d, e: rows of dy; a, b: rows of taps. */
static always_inline void data3_row(const float *d, const float *e, const float *a, const float *b,
                                    float *dx, int iw, const bool two)
{
    vf at = ld(d), under = ld(e);

    for (int j = 0; 2 * j < iw; j++) {
        const vf next = ld(d + (j + 1) * CH), next_under = ld(e + (j + 1) * CH);
        vf even = at * ld(a + CH), odd = next * ld(a) + at * ld(a + 2 * CH);
        if (two) {
            even += under * ld(b + CH);
            odd += next_under * ld(b) + under * ld(b + 2 * CH);
        }
        ask_to_write(dx + (2 * j + WRITE_AHEAD) * CH);
        ask_to_write(dx + (2 * j + 1 + WRITE_AHEAD) * CH);
        st(dx + 2 * j * CH, even);
        if (2 * j + 1 < iw)
            st(dx + (2 * j + 1) * CH, odd);
        at = next;
        under = next_under;
    }
}

static void data3_strided(const struct conv_shape *s, const struct framed *dy, const float *w,
                          float *dx, size_t dx_image)
{
    for (int image = 0; image < dy->images; image++) {
        float *to = dx + (size_t)image * dx_image;
        for (int iy = 0; iy < s->ih; iy++, to += s->iw * CH) {
            const float *above = frame_at(dy, image, iy / 2 + 1) + CH;
            const float *below = frame_at(dy, image, (iy + 1) / 2 + 1) + CH;
            for (int sub = 0; sub < CH; sub += VL)
                if (iy % 2)
                    data3_row(above + sub, below + sub, w + 6 * CH + sub, w + sub, to + sub, s->iw,
                              true);
                else
                    data3_row(above + sub, above + sub, w + 3 * CH + sub, w + sub, to + sub, s->iw,
                              false);
        }
    }
}

static void depthwise3_data(const struct conv_shape *s, const struct framed *dy, const float *w,
                            float *dx, size_t dx_image)
{
    float turned[9 * CH] __attribute__((aligned(64)));

    if (s->stride == 2) {
        data3_strided(s, dy, w, dx, dx_image);
        return;
    }
    for (int t = 0; t < 9; t++)
        memcpy(turned + (8 - t) * CH, w + t * CH, CH * sizeof *w);
    conv3(dy, turned, dx, dx_image, s->ih, s->iw, 1);
}

/* n pixels of dy and what they saw, into the sums of the nine taps. */
static always_inline void weights3_strip(const float *x, ptrdiff_t row, const float *dy, vf *sum,
                                         const int n, const int stride)
{
    vf g[4];

    UNROLL(4)
    for (int o = 0; o < n; o++)
        g[o] = ld(dy + o * CH);
    UNROLL(3)
    for (int ky = 0; ky < 3; ky++) {
        UNROLL(9)
        for (int c = 0; c < (n - 1) * stride + 3; c++) {
            const vf v = ld(x + ky * row + c * CH);
            UNROLL(4)
            for (int o = 0; o < n; o++)
                if (c >= o * stride && c < o * stride + 3)
                    sum[ky * 3 + c - o * stride] += v * g[o];
        }
    }
}

static always_inline void weights3(const struct framed *x, const struct framed *dy, float *dw,
                                   const int stride)
{
    const ptrdiff_t row = frame_row(x);

    for (int sub = 0; sub < CH; sub += VL) {
        vf sum[9];
        UNROLL(9)
        for (int t = 0; t < 9; t++)
            sum[t] = (vf){0};
        for (int image = 0; image < dy->images; image++) {
            const float *from = frame_at(x, image, 0) + sub;
            const float *g = frame_at(dy, image, 1) + CH + sub;
            for (int oy = 0; oy < dy->h; oy++, from += stride * row, g += frame_row(dy)) {
                int ox = 0;
                for (; ox + 4 <= dy->w; ox += 4)
                    weights3_strip(from + ox * stride * CH, row, g + ox * CH, sum, 4, stride);
                for (; ox + 2 <= dy->w; ox += 2)
                    weights3_strip(from + ox * stride * CH, row, g + ox * CH, sum, 2, stride);
                if (ox < dy->w)
                    weights3_strip(from + ox * stride * CH, row, g + ox * CH, sum, 1, stride);
            }
        }
        UNROLL(9)
        for (int t = 0; t < 9; t++)
            st(dw + t * CH + sub, ld(dw + t * CH + sub) + sum[t]);
    }
}

static void depthwise3_weights(const struct conv_shape *s, const struct framed *x,
                               const struct framed *dy, float *dw)
{
    if (s->stride == 1)
        weights3(x, dy, dw, 1);
    else
        weights3(x, dy, dw, 2);
}

#endif
