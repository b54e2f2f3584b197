/* conv.h - direct convolution of one image: forward, gradient of the input, of the weights.
 *
 * The image is first copied into a frame of zeros, so that the inner loop has no borders.  The
 * gradient of the input runs phase by phase: input pixels of one row and column parity (modulo the
 * stride) see a fixed subset of the taps, so that a stride of 2 wastes nothing on inserted zeros.
 *
 * Reached by one AVX-512 thread (peak 185 GFLOP/s), 3x3 and 1x1, forward / gradient of the input /
 * of the weights: 140-190 / 130-155 / 125-170 with 64 channels and more and pictures of 16x16 and
 * more, 110-125 with 16 channels; depthwise 30-40, which is the memory's speed.
 */
#ifndef ANNEAL_ENGINE_KERNEL_PORTABLE_CONV_H
#define ANNEAL_ENGINE_KERNEL_PORTABLE_CONV_H

#include "engine/kernel/portable/depthwise.h"
#include "engine/kernel/portable/matmul.h"
#include <string.h>

static always_inline int int_max(int a, int b)
{
    return a > b ? a : b;
}

/* Channels of one input block: 16, or 4 for the image. */
static always_inline int conv_in_block(const struct conv_shape *s)
{
    return s->ic < CH ? s->ic : CH;
}

/* Frame of the forward pass: `pad` before, and behind as far as the last output pixel looks. */
static always_inline int conv_frame(int out, const struct conv_shape *s, int in)
{
    return int_max((out - 1) * s->stride + s->k, in + s->pad);
}

/* Frame around dy for the gradient of the input: k on each side covers every phase. */
static always_inline int grad_frame(int in, int out, const struct conv_shape *s)
{
    return int_max(out, in / s->stride + 1) + 2 * s->k;
}

/* A 1x1 convolution of stride 1 knows no neighbours: the picture becomes one long row. */
static struct conv_shape conv_flat(const struct conv_shape *s)
{
    struct conv_shape flat = *s;

    if (s->k == 1 && s->stride == 1 && s->pad == 0) {
        flat.ih = flat.oh = 1;
        flat.iw = flat.ow = s->iw * s->ih;
    }
    return flat;
}

/* No frame is needed around pictures whose taps never leave them. */
static always_inline bool frame_is_image(const struct conv_shape *s, int fh, int fw)
{
    return s->pad == 0 && fh == s->ih && fw == s->iw;
}

static size_t conv_scratch(const struct conv_shape *s)
{
    size_t forward =
        (size_t)conv_frame(s->oh, s, s->ih) * (size_t)conv_frame(s->ow, s, s->iw) * (size_t)s->ic;
    size_t grad =
        (size_t)grad_frame(s->ih, s->oh, s) * (size_t)grad_frame(s->iw, s->ow, s) * (size_t)s->oc;

    return (forward > grad ? forward : grad) + CH;
}

/* Planes of h x w pixels of `block` channels into zeroed planes of fh x fw, `before` pixels in. */
static void frame_fill(const float *x, float *frame, int planes, int block, int h, int w, int fh,
                       int fw, int before)
{
    const size_t row = (size_t)w * (size_t)block, frame_row = (size_t)fw * (size_t)block;

    memset(frame, 0, (size_t)planes * (size_t)fh * frame_row * sizeof *frame);
    for (int p = 0; p < planes; p++)
        for (int y = 0; y < h; y++)
            memcpy(frame + ((size_t)p * (size_t)fh + (size_t)(y + before)) * frame_row +
                       (size_t)(before * block),
                   x + ((size_t)p * (size_t)h + (size_t)y) * row, row * sizeof *x);
}

/* The rows of an image that some output rows see, with zeros around: planes of h x w pixels of
 * `block` channels into planes of `rows` rows of fw pixels, the first of them row `first`. */
static void strip_fill(const float *x, float *strip, int planes, int block, int h, int w, int first,
                       int rows, int fw, int before)
{
    const size_t of_row = (size_t)(w * block), left = (size_t)(before * block);
    const size_t of_strip = (size_t)(fw * block), right = of_strip - left - of_row;

    for (int p = 0; p < planes; p++)
        for (int y = first; y < first + rows; y++, strip += of_strip) {
            if (y < 0 || y >= h) {
                memset(strip, 0, of_strip * sizeof *strip);
                continue;
            }
            memset(strip, 0, left * sizeof *strip);
            memcpy(strip + left, x + ((size_t)p * (size_t)h + (size_t)y) * of_row,
                   of_row * sizeof *x);
            memset(strip + left + of_row, 0, right * sizeof *strip);
        }
}

/* The epilogue with its pointers moved to output block ob and to element `at` of the output. */
static always_inline struct epilogue epilogue_moved(const struct epilogue *e, int ob, ptrdiff_t at)
{
    struct epilogue here = *e;

    here.bias += ob * CH;
    here.residual = e->residual ? e->residual + at : NULL;
    return here;
}

/* A 1x1 convolution of stride 1 knows no neighbours: the rows are one long row. */
static void conv_forward_flat(const struct conv_shape *s, const float *x, const float *w, float *y,
                              int row0, int row1, int ob0, int ob1, const struct epilogue *e)
{
    const int block = conv_in_block(s), in_blocks = s->ic / block;
    const ptrdiff_t pixels = (ptrdiff_t)s->oh * s->ow, cell = (ptrdiff_t)block * CH;
    const ptrdiff_t at = (ob0 * pixels + (ptrdiff_t)row0 * s->ow) * CH;
    struct epilogue here = {0};
    struct matmul m = {
        .a = x + (ptrdiff_t)row0 * s->ow * block,
        .a_row = block,
        .a_k = 1,
        .b = w + ob0 * in_blocks * cell,
        .b_k = CH,
        .b_col = in_blocks * cell,
        .c = y + at,
        .c_row = CH,
        .c_col = pixels * CH,
        .rows = (row1 - row0) * s->ow,
        .cols = ob1 - ob0,
        .k = block,
        .outer = {{1, 0, 0}, {1, 0, 0}, {in_blocks, pixels * block, cell}},
    };

    if (e) {
        here = epilogue_moved(e, ob0, at);
        m.e = &here;
    }
    matmul_run(&m);
}

static void conv_forward(const struct conv_shape *s, const float *x, const float *w, float *y,
                         int row0, int row1, int ob0, int ob1, const struct epilogue *e,
                         float *scratch)
{
    const int block = conv_in_block(s), in_blocks = s->ic / block, taps = s->k * s->k;
    const int fw = conv_frame(s->ow, s, s->iw), rows = (row1 - row0 - 1) * s->stride + s->k;
    const int first = row0 * s->stride - s->pad;
    const ptrdiff_t plane = (ptrdiff_t)s->oh * s->ow * CH, cell = (ptrdiff_t)block * CH;
    ptrdiff_t in_plane = (ptrdiff_t)s->ih * s->iw * block;

    if (s->k == 1 && s->stride == 1 && s->pad == 0) {
        conv_forward_flat(s, x, w, y, row0, row1, ob0, ob1, e);
        return;
    }
    if (s->pad == 0 && fw == s->iw) { /* the taps never leave the picture */
        x += (ptrdiff_t)first * fw * block;
    } else {
        strip_fill(x, scratch, in_blocks, block, s->ih, s->iw, first, rows, fw, s->pad);
        x = scratch;
        in_plane = (ptrdiff_t)rows * fw * block;
    }
    for (int row = row0; row < row1; row++) {
        const ptrdiff_t at = ob0 * plane + (ptrdiff_t)row * s->ow * CH;
        struct epilogue here = {0};
        struct matmul m = {
            .a = x + (ptrdiff_t)(row - row0) * s->stride * fw * block,
            .a_row = (ptrdiff_t)s->stride * block,
            .a_k = 1,
            .b = w + ob0 * in_blocks * taps * cell,
            .b_k = CH,
            .b_col = in_blocks * taps * cell,
            .c = y + at,
            .c_row = CH,
            .c_col = plane,
            .rows = s->ow,
            .cols = ob1 - ob0,
            .k = s->k * block, /* kernel columns and channels lie one behind the other */
            .outer = {{in_blocks, in_plane, taps * cell},
                      {s->k, (ptrdiff_t)fw * block, s->k * cell},
                      {1, 0, 0}},
        };
        if (e) {
            here = epilogue_moved(e, ob0, at);
            m.e = &here;
        }
        matmul_run(&m);
    }
}

static void conv_rows(const struct conv_shape *s, const float *x, float *rows, int ib)
{
    const float *plane = x + (ptrdiff_t)ib * s->ih * s->iw * CH;
    float *to = rows + (ptrdiff_t)ib * s->oh * s->ow * s->k * s->k * CH;

    for (int pixel = 0; pixel < s->oh * s->ow; pixel++) {
        const int y0 = pixel / s->ow * s->stride - s->pad, x0 = pixel % s->ow * s->stride - s->pad;
        for (int iy = y0; iy < y0 + s->k; iy++)
            for (int ix = x0; ix < x0 + s->k; ix++, to += CH) {
                const bool inside = iy >= 0 && iy < s->ih && ix >= 0 && ix < s->iw;
                const float *from = plane + ((ptrdiff_t)iy * s->iw + ix) * CH;
                for (int sub = 0; sub < CH; sub += VL)
                    st(to + sub, inside ? ld(from + sub) : (vf){0});
            }
    }
}

/* Four blocks of columns at a time: their weights stay in L2 for all images. */
static void conv_forward_rows(const struct conv_shape *s, int images, const float *rows,
                              const float *w, float *y, int ob0, int ob1, const struct epilogue *e)
{
    const int pixels = s->oh * s->ow, taps = s->k * s->k, in_blocks = s->ic / CH;
    const ptrdiff_t plane = (ptrdiff_t)pixels * CH, cell = (ptrdiff_t)taps * CH * CH;

    for (int ob = ob0; ob < ob1; ob += 4)
        for (int n = 0; n < images; n++) {
            const ptrdiff_t at = ((ptrdiff_t)n * (s->oc / CH) + ob) * plane;
            struct epilogue here = {0};
            struct matmul m = {
                .a = rows + (ptrdiff_t)n * pixels * taps * s->ic,
                .a_row = (ptrdiff_t)taps * CH,
                .a_k = 1,
                .b = w + ob * in_blocks * cell,
                .b_k = CH,
                .b_col = in_blocks * cell,
                .c = y + at,
                .c_row = CH,
                .c_col = plane,
                .rows = pixels,
                .cols = ob1 - ob < 4 ? ob1 - ob : 4,
                .k = taps * CH,
                .outer = {{1, 0, 0}, {1, 0, 0}, {in_blocks, plane * taps, cell}},
            };
            if (e) {
                here = epilogue_moved(e, ob, at);
                m.e = &here;
            }
            matmul_run(&m);
        }
}

static void conv_swap_weights(const struct conv_shape *s, const float *w, float *swapped, int ib,
                              bool input_first)
{
    const int taps = s->k * s->k, out_blocks = s->oc / CH, in_blocks = s->ic / CH;
    const size_t cell = CH * CH;

    for (int ob = 0; ob < out_blocks; ob++)
        for (int t = 0; t < taps; t++) {
            const float *from = w + (size_t)((ob * in_blocks + ib) * taps + t) * cell;
            const int block = input_first ? ib * out_blocks + ob : ob * in_blocks + ib;
            float *to = swapped + (size_t)(block * taps + t) * cell;
            for (int i = 0; i < CH; i++)
                for (int o = 0; o < CH; o++)
                    to[o * CH + i] = from[i * CH + o];
        }
}

/* One dimension of one phase: input pixels first, first + stride, ... see taps tap, tap + stride,
 * ...; the first of them meets, with tap `tap`, the output pixel `out`. */
struct phase {
    int first, count;
    int tap, taps;
    int out;
};

/* Input pixel i and tap t meet at output pixel (i + pad - t) / stride, where that is whole. */
static struct phase phase_of(const struct conv_shape *s, int residue, int in)
{
    struct phase p = {.tap = residue};

    p.first = ((residue - s->pad) % s->stride + s->stride) % s->stride;
    p.count = p.first < in ? (in - p.first + s->stride - 1) / s->stride : 0;
    p.taps = residue < s->k ? (s->k - residue + s->stride - 1) / s->stride : 0;
    p.out = (p.first + s->pad - residue) / s->stride;
    return p;
}

static void conv_backward_data(const struct conv_shape *shape, const float *dy,
                               const float *swapped, float *dx, int ib0, int ib1, float *scratch)
{
    const struct conv_shape flat = conv_flat(shape), *s = &flat;
    const int in_blocks = s->ic / CH, out_blocks = s->oc / CH, taps = s->k * s->k;
    const ptrdiff_t plane = (ptrdiff_t)s->ih * s->iw * CH, cell = CH * CH;
    int fh = grad_frame(s->ih, s->oh, s), fw = grad_frame(s->iw, s->ow, s), frame = s->k;

    if (s->k == 1) { /* each input pixel meets one output pixel, or none */
        fh = s->oh;
        fw = s->ow;
        frame = 0;
    } else {
        frame_fill(dy, scratch, out_blocks, CH, s->oh, s->ow, fh, fw, frame);
        dy = scratch;
    }
    if (s->k < s->stride) /* most phases see no tap */
        memset(dx + ib0 * plane, 0, (size_t)((ib1 - ib0) * plane) * sizeof *dx);
    for (int ry = 0; ry < s->stride; ry++)
        for (int rx = 0; rx < s->stride; rx++) {
            const struct phase py = phase_of(s, ry, s->ih), px = phase_of(s, rx, s->iw);
            for (int i = 0; py.taps > 0 && px.taps > 0 && i < py.count; i++) {
                struct matmul m = {
                    .a = dy + ((ptrdiff_t)(py.out + i + frame) * fw + px.out + frame) * CH,
                    .a_row = CH,
                    .a_k = 1,
                    .b = swapped + (ib0 * taps + py.tap * s->k + px.tap) * cell,
                    .b_k = CH,
                    .b_col = taps * cell,
                    .c = dx + ib0 * plane +
                         ((ptrdiff_t)(py.first + i * s->stride) * s->iw + px.first) * CH,
                    .c_row = (ptrdiff_t)s->stride * CH,
                    .c_col = plane,
                    .rows = px.count,
                    .cols = ib1 - ib0,
                    .k = CH,
                    .outer = {{out_blocks, (ptrdiff_t)fh * fw * CH, in_blocks * taps * cell},
                              {py.taps, -(ptrdiff_t)fw * CH, s->stride * s->k * cell},
                              {px.taps, -CH, s->stride * cell}},
                };
                matmul_run(&m);
            }
        }
}

/* Sums stay in registers over an image, then are added in memory; a 1x1 kernel, which needs no
 * frame, takes several small images at once. */
enum { CONV_CHAIN_PIXELS = 2048 };

static int conv_chain(const struct conv_shape *s, bool framed)
{
    const int images = CONV_CHAIN_PIXELS / (s->oh * s->ow);

    return framed || images < 1 ? 1 : images;
}

static void conv_backward_weights(const struct conv_shape *shape, int images, const float *x,
                                  const float *dy, float *dw, int ib, int ob0, int ob1,
                                  float *scratch)
{
    const struct conv_shape flat = conv_flat(shape), *s = &flat;
    const int block = conv_in_block(s), in_blocks = s->ic / block, taps = s->k * s->k;
    const int fh = conv_frame(s->oh, s, s->ih), fw = conv_frame(s->ow, s, s->iw);
    const ptrdiff_t cell = (ptrdiff_t)block * CH, plane = (ptrdiff_t)s->oh * s->ow * CH;
    const ptrdiff_t in_plane = (ptrdiff_t)s->ih * s->iw * block;

    const bool framed = !frame_is_image(s, fh, fw);
    const int chain = conv_chain(s, framed);

    for (int n = 0; n < images; n += chain) {
        const float *plane_in = x + (n * in_blocks + ib) * in_plane;
        if (framed) {
            frame_fill(plane_in, scratch, 1, block, s->ih, s->iw, fh, fw, s->pad);
            plane_in = scratch;
        }
        for (int ky = 0; ky < s->k; ky++) {
            const ptrdiff_t at = ((ptrdiff_t)(ob0 * in_blocks + ib) * taps + ky * s->k) * cell;
            struct matmul m = {
                .a = plane_in + (ptrdiff_t)ky * fw * block,
                .a_row = 1,
                .a_k = (ptrdiff_t)s->stride * block,
                .b = dy + (n * (s->oc / CH) + ob0) * plane,
                .b_k = CH,
                .b_col = plane,
                .c = dw + at,
                .c_row = CH,
                .c_col = in_blocks * taps * cell,
                .rows = s->k * block, /* kernel columns and channels */
                .cols = ob1 - ob0,
                .k = s->ow,
                .outer = {{1, 0, 0},
                          {images - n < chain ? images - n : chain, in_blocks * in_plane,
                           s->oc / CH * plane},
                          {s->oh, (ptrdiff_t)s->stride * fw * block, (ptrdiff_t)s->ow * CH}},
                .add = n > 0,
            };
            matmul_run(&m);
        }
    }
}

/* ---- depthwise: a vector of channels at a time; forward: depthwise.h */

/* Stride above 1: each input pixel gathers from the outputs that saw it. */
static vf depthwise_gather(const struct conv_shape *s, const float *dy, const float *w, int iy,
                           int ix)
{
    vf sum = {0};

    for (int ky = 0; ky < s->k; ky++) {
        const int sy = iy + s->pad - ky, oy = sy / s->stride;
        if (sy < 0 || sy % s->stride || oy >= s->oh)
            continue;
        for (int kx = 0; kx < s->k; kx++) {
            const int sx = ix + s->pad - kx, ox = sx / s->stride;
            if (sx >= 0 && sx % s->stride == 0 && ox < s->ow)
                sum += ld(dy + ((ptrdiff_t)oy * s->ow + ox) * CH) * ld(w + (ky * s->k + kx) * CH);
        }
    }
    return sum;
}

/* 3x3, stride 2, pad 1: an even row of dx meets the middle row of taps, an odd one the two others;
 * the columns the same way.  One vector of channels. */
static void depthwise_backward_data_2(const struct conv_shape *s, const float *dy, const float *w,
                                      float *dx)
{
    for (int iy = 0; iy < s->ih; iy++) {
        const int above = iy / 2, below = (iy + 1) / 2; /* rows of dy */
        const bool odd = iy % 2, two = odd && below < s->oh;
        const float *d0 = dy + (ptrdiff_t)above * s->ow * CH, *w0 = w + (odd ? 6 : 3) * CH;
        const float *d1 = dy + (ptrdiff_t)(two ? below : above) * s->ow * CH;
        const vf a0 = ld(w0), a1 = ld(w0 + CH), a2 = ld(w0 + 2 * CH);
        const vf b0 = two ? ld(w) : (vf){0}, b1 = two ? ld(w + CH) : (vf){0};
        const vf b2 = two ? ld(w + 2 * CH) : (vf){0};
        float *to = dx + (ptrdiff_t)iy * s->iw * CH;
        vf d = ld(d0), e = ld(d1);
        for (int j = 0; 2 * j < s->iw; j++) {
            const bool last = j + 1 == s->ow;
            const vf next_d = last ? (vf){0} : ld(d0 + (j + 1) * CH);
            const vf next_e = last ? (vf){0} : ld(d1 + (j + 1) * CH);
            st(to + 2 * j * CH, d * a1 + e * b1);
            if (2 * j + 1 < s->iw)
                st(to + (2 * j + 1) * CH, next_d * a0 + d * a2 + next_e * b0 + e * b2);
            d = next_d;
            e = next_e;
        }
    }
}

/* Stride 1: the forward pass over dy with the taps turned round. */
static void depthwise_backward_data(const struct conv_shape *s, const float *dy, const float *w,
                                    float *dx)
{
    enum { TAPS_TURNED_MAX = 49 };
    float turned[TAPS_TURNED_MAX * CH] __attribute__((aligned(64)));
    const int taps = s->k * s->k;

    if (s->stride == 1 && taps <= TAPS_TURNED_MAX) {
        const struct conv_shape back = {
            s->oc, s->ic, s->oh, s->ow, s->ih, s->iw, s->k, 1, s->k - 1 - s->pad, true};
        for (int t = 0; t < taps; t++)
            memcpy(turned + (taps - 1 - t) * CH, w + t * CH, CH * sizeof *w);
        depthwise_forward(&back, dy, turned, dx, NULL);
        return;
    }
    if (s->k == 3 && s->stride == 2 && s->pad == 1) {
        for (int sub = 0; sub < CH; sub += VL)
            depthwise_backward_data_2(s, dy + sub, w + sub, dx + sub);
        return;
    }
    for (int i = 0; i < s->ih * s->iw; i++)
        for (int sub = 0; sub < CH; sub += VL)
            st(dx + (ptrdiff_t)i * CH + sub,
               depthwise_gather(s, dy + sub, w + sub, i / s->iw, i % s->iw));
}

/* Gradients of 3x3 weights from one image, in nine registers. */
static void depthwise_weights_3(const struct conv_shape *s, const float *x, const float *dy,
                                vf sum[9])
{
    for (int i = 0; i < s->oh * s->ow; i++) {
        const int y0 = i / s->ow * s->stride - s->pad, x0 = i % s->ow * s->stride - s->pad;
        const float *corner = x + ((ptrdiff_t)y0 * s->iw + x0) * CH;
        const vf g = ld(dy + (ptrdiff_t)i * CH);
        if (y0 >= 0 && x0 >= 0 && y0 + 3 <= s->ih && x0 + 3 <= s->iw) {
#pragma GCC unroll 9
            for (int t = 0; t < 9; t++)
                sum[t] += ld(corner + (t / 3 * s->iw + t % 3) * CH) * g;
            continue;
        }
#pragma GCC unroll 9
        for (int t = 0; t < 9; t++)
            if (y0 + t / 3 >= 0 && y0 + t / 3 < s->ih && x0 + t % 3 >= 0 && x0 + t % 3 < s->iw)
                sum[t] += ld(corner + (t / 3 * s->iw + t % 3) * CH) * g;
    }
}

/* One tap of any kernel, one image. */
static vf depthwise_weight(const struct conv_shape *s, const float *x, const float *dy, int tap)
{
    vf sum = {0};

    for (int i = 0; i < s->oh * s->ow; i++) {
        const int iy = i / s->ow * s->stride - s->pad + tap / s->k;
        const int ix = i % s->ow * s->stride - s->pad + tap % s->k;
        if (iy >= 0 && iy < s->ih && ix >= 0 && ix < s->iw)
            sum += ld(x + ((ptrdiff_t)iy * s->iw + ix) * CH) * ld(dy + (ptrdiff_t)i * CH);
    }
    return sum;
}

static void depthwise_backward_weights(const struct conv_shape *s, int images, const float *x,
                                       const float *dy, float *dw)
{
    const ptrdiff_t x_image = (ptrdiff_t)s->ih * s->iw * s->ic;
    const ptrdiff_t y_image = (ptrdiff_t)s->oh * s->ow * s->oc;

    memset(dw, 0, (size_t)(s->k * s->k) * CH * sizeof *dw);
    for (int n = 0; n < images; n++)
        for (int sub = 0; sub < CH; sub += VL) {
            const float *xn = x + n * x_image + sub, *dyn = dy + n * y_image + sub;
            vf sum[9] = {{0}};
            if (s->k == 3)
                depthwise_weights_3(s, xn, dyn, sum);
            for (int t = 0; t < s->k * s->k; t++) {
                float *to = dw + t * CH + sub;
                st(to, ld(to) + (s->k == 3 ? sum[t] : depthwise_weight(s, xn, dyn, t)));
            }
        }
}

#endif
