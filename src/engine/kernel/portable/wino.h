/* wino.h - Winograd convolution of 3x3 kernels: 36 multiplications where the direct form needs 144
 * (stride 1), or 81 (stride 2).
 *
 * The output is cut into tiles of 4x4; each tile's input patch, the weights and, for the gradient
 * of the weights, the 4x4 tile of dy go through the small fixed matrices of wino_transform.h; what
 * remains is one matrix product over channels for each of 36 or 81 points.  The gradient of the
 * input is the same with weights turned round.  The gradient of the weights is dw = G' [(B' d B) x
 * (A dy A')] G, summed over tiles.
 *
 * Error against direct: 1e-6 to 5e-6 relative, the transforms' factors of up to 8 being the cause.
 * Rows of v, z and m are padded by 16 floats, and points lie an odd number of cache lines apart, so
 * that the streams of a tile do not fall into the same sets of the cache.
 *
 * Reached on AVX-512 with one thread (Xeon, 185 GFLOP/s at best): the products 130-165 GFLOP/s, the
 * whole at stride 1 2.0-3.2 times that peak in nominal terms, at stride 2 see conv_plan.c.
 */
#ifndef ANNEAL_ENGINE_KERNEL_PORTABLE_WINO_H
#define ANNEAL_ENGINE_KERNEL_PORTABLE_WINO_H

#include "engine/kernel/portable/matmul.h"
#include "engine/kernel/portable/wino_transform.h"

enum {
    WINO_TILE = 4,
    WINO_SPAN_MAX = 9,   /* points of one dimension, and inputs of a patch */
    WINO_WEIGHTS = 6,    /* transformed weights of one dimension */
    WINO_OUTPUT_MAX = 8, /* outputs of one dimension */
};

typedef void (*wino_1d)(const vf *from, vf *to);

static always_inline int wino_span(const struct conv_shape *s)
{
    return s->stride == 2 ? 9 : 6;
}

static always_inline int wino_points(const struct conv_shape *s)
{
    return wino_span(s) * wino_span(s);
}

/* Which transformed weight a point of one dimension meets. */
static always_inline int wino_weight_of(int i)
{
    return i < WINO_WEIGHTS ? i : WINO_WEIGHTS - 1;
}

/* Floats from one point to the next of `tiles` rows: an odd number of cache lines. */
static always_inline ptrdiff_t wino_point(ptrdiff_t tiles, ptrdiff_t row)
{
    const ptrdiff_t lines = tiles * row / CH;

    return (lines + (lines % 2 == 0)) * CH;
}

/* Where tile t lies. */
struct wino_at {
    int image, y, x; /* y, x: top left output pixel */
};

static always_inline struct wino_at wino_at(const struct conv_shape *s, int t)
{
    const int across = (s->ow + WINO_TILE - 1) / WINO_TILE;
    const int down = (s->oh + WINO_TILE - 1) / WINO_TILE;

    return (struct wino_at){t / (down * across), t / across % down * WINO_TILE,
                            t % across * WINO_TILE};
}

/* ---- weights */

static always_inline void wino_weights_as(const float *taps, float *u, int row,
                                          ptrdiff_t point_stride, int group, const int span,
                                          wino_1d g_of)
{
    for (int r = 0; r < CH; r++)
        for (int sub = 0; sub < CH; sub += VL) {
            vf half[WINO_WEIGHTS][3];
            for (int x = 0; x < 3; x++) {
                vf g[3], o[WINO_WEIGHTS];
                for (int y = 0; y < 3; y++)
                    g[y] = ld(taps + (y * 3 + x) * CH * CH + r * CH + sub);
                g_of(g, o);
                for (int y = 0; y < span; y++)
                    half[y][x] = o[y];
            }
            for (int y = 0; y < span; y++) {
                vf o[WINO_WEIGHTS];
                g_of(half[y], o);
                for (int x = 0; x < span; x++)
                    st(u + (y * span + x) * point_stride + (ptrdiff_t)(row + r) * group + sub,
                       o[x]);
            }
        }
}

static void wino_weights(const struct conv_shape *s, const float *w, float *u, int ob,
                         bool backward)
{
    const int in_blocks = s->ic / CH, cell = CH * CH;
    const int rows = backward ? s->oc : s->ic, cols = backward ? s->ic : s->oc;
    const int group = wino_group(cols), col = ob * CH;
    float *to = u + (ptrdiff_t)(col / group) * rows * group + col % group;
    float turned[9][CH][CH] __attribute__((aligned(64)));

    for (int rb = 0; rb < rows / CH; rb++) {
        const float *taps =
            w + (ptrdiff_t)(backward ? rb * in_blocks + ob : ob * in_blocks + rb) * 9 * cell;
        if (backward) {
            for (int t = 0; t < 9; t++)
                for (int i = 0; i < CH; i++)
                    for (int o = 0; o < CH; o++)
                        turned[8 - t][o][i] = taps[t * cell + i * CH + o];
            taps = &turned[0][0][0];
        }
        if (s->stride == 2)
            wino_weights_as(taps, to, rb * CH, (ptrdiff_t)rows * cols, group, WINO_WEIGHTS,
                            wino_g2);
        else
            wino_weights_as(taps, to, rb * CH, (ptrdiff_t)rows * cols, group, WINO_WEIGHTS, wino_g);
    }
}

/* ---- patches into points */

/* A map of `channels` x h x w; the patch of size x size pixels at (y0, x0) of its `image` goes
 * through `b` in both dimensions, to v + point * point_stride + channel. */
struct wino_map {
    const float *p;
    int channels, h, w;
};

static always_inline void wino_patch_as(const struct wino_map *m, int image, int y0, int x0,
                                        float *v, ptrdiff_t point_stride, const int size,
                                        const int span, wino_1d b)
{
    const int h = m->h, w = m->w;
    const bool inside = y0 >= 0 && x0 >= 0 && y0 + size <= h && x0 + size <= w;

    for (int c = 0; c < m->channels; c += VL) {
        const float *plane =
            m->p + ((ptrdiff_t)image * (m->channels / CH) + c / CH) * h * w * CH + c % CH;
        vf half[WINO_SPAN_MAX][WINO_SPAN_MAX];
        for (int j = 0; j < size; j++) {
            vf d[WINO_SPAN_MAX], o[WINO_SPAN_MAX];
            for (int i = 0; i < size; i++) {
                const int yy = y0 + i, xx = x0 + j;
                if (inside || (yy >= 0 && yy < h && xx >= 0 && xx < w))
                    d[i] = ld(plane + ((ptrdiff_t)yy * w + xx) * CH);
                else
                    d[i] = (vf){0};
            }
            b(d, o);
            for (int i = 0; i < span; i++)
                half[i][j] = o[i];
        }
        for (int i = 0; i < span; i++) {
            vf o[WINO_SPAN_MAX];
            b(half[i], o);
            for (int j = 0; j < span; j++)
                st(v + (i * span + j) * point_stride + c, o[j]);
        }
    }
}

/* Inputs of one tile; `backward`: x is dy and what comes out the gradient of the input. */
static void wino_patch(const struct conv_shape *s, bool backward, const float *x, struct wino_at at,
                       float *v, ptrdiff_t point_stride)
{
    const struct wino_map in = {x, s->ic, s->ih, s->iw}, dy = {x, s->oc, s->oh, s->ow};

    if (s->stride == 1)
        wino_patch_as(backward ? &dy : &in, at.image, at.y - 1, at.x - 1, v, point_stride, 6, 6,
                      wino_b);
    else if (backward)
        wino_patch_as(&dy, at.image, at.y, at.x, v, point_stride, 5, 9, wino_b2_input);
    else
        wino_patch_as(&in, at.image, 2 * at.y - 1, 2 * at.x - 1, v, point_stride, 9, 9, wino_b2);
}

/* The 4x4 tile of dy, for the gradient of the weights. */
static void wino_patch_grad(const struct conv_shape *s, const float *dy, struct wino_at at,
                            float *z, ptrdiff_t point_stride)
{
    const struct wino_map m = {dy, s->oc, s->oh, s->ow};

    if (s->stride == 1)
        wino_patch_as(&m, at.image, at.y, at.x, z, point_stride, WINO_TILE, 6, wino_a_back);
    else
        wino_patch_as(&m, at.image, at.y, at.x, z, point_stride, WINO_TILE, 9, wino_a2_back);
}

/* ---- products back into pixels, with what is fused behind */

/* Element `at` of the output; `channel`: its first; `ahead`: how far it is to what is written some
 * hundred cycles later. */
static always_inline void wino_store(float *y, ptrdiff_t at, vf v, const struct epilogue *e,
                                     int channel, ptrdiff_t ahead)
{
    if (e && e->half) {
        st_half((uint16_t *)(void *)y + at, v);
        return;
    }
    if (e)
        v = epilogue_of(v, e, e->bias + channel, e->residual ? e->residual + at : NULL);
    ask_to_write(y + at + ahead);
    st(y + at, v);
}

static always_inline void wino_output_as(int cols, int h, int w, int image, int y0, int x0,
                                         const float *m, ptrdiff_t point_stride, float *y,
                                         const struct epilogue *e, const int size, const int span,
                                         wino_1d a)
{
    const int rows_left = h - y0 < size ? h - y0 : size;
    const int cols_left = w - x0 < size ? w - x0 : size;
    const ptrdiff_t ahead =
        2 * (ptrdiff_t)h * w * CH; /* the same tile, two blocks of channels on */

    for (int c = 0; c < cols; c += VL) {
        const ptrdiff_t corner =
            ((((ptrdiff_t)image * (cols / CH) + c / CH) * h + y0) * w + x0) * CH + c % CH;
        vf half[WINO_OUTPUT_MAX][WINO_SPAN_MAX];
        for (int j = 0; j < span; j++) {
            vf d[WINO_SPAN_MAX], o[WINO_OUTPUT_MAX];
            for (int i = 0; i < span; i++)
                d[i] = ld(m + (i * span + j) * point_stride + c);
            a(d, o);
            for (int i = 0; i < size; i++)
                half[i][j] = o[i];
        }
        for (int i = 0; i < rows_left; i++) {
            vf o[WINO_OUTPUT_MAX];
            a(half[i], o);
            for (int j = 0; j < cols_left; j++) {
                const ptrdiff_t to = corner + ((ptrdiff_t)i * w + j) * CH;
                wino_store(y, to, o[j], e, c, ahead);
            }
        }
    }
}

static void wino_output(const struct conv_shape *s, bool backward, const float *m,
                        ptrdiff_t point_stride, struct wino_at at, float *y,
                        const struct epilogue *e)
{
    if (s->stride == 1)
        wino_output_as(backward ? s->ic : s->oc, s->oh, s->ow, at.image, at.y, at.x, m,
                       point_stride, y, e, WINO_TILE, 6, wino_a);
    else if (backward)
        wino_output_as(s->ic, s->ih, s->iw, at.image, 2 * at.y, 2 * at.x, m, point_stride, y, NULL,
                       2 * WINO_TILE, 9, wino_a2_input);
    else
        wino_output_as(s->oc, s->oh, s->ow, at.image, at.y, at.x, m, point_stride, y, e, WINO_TILE,
                       9, wino_a2);
}

/* ---- the whole */

static size_t wino_scratch(const struct conv_shape *s, int tiles)
{
    return (size_t)(wino_points(s) *
                    (wino_point(tiles, s->ic + CH) + wino_point(tiles, s->oc + CH)));
}

static void wino_forward(const struct conv_shape *s, bool backward, const float *x, const float *u,
                         float *y, int t0, int t1, const struct epilogue *e, float *scratch)
{
    const int rows = backward ? s->oc : s->ic, cols = backward ? s->ic : s->oc;
    const int tiles = t1 - t0, group = wino_group(cols), span = wino_span(s);
    const ptrdiff_t v_row = rows + CH, m_row = cols + CH;
    const ptrdiff_t v_point = wino_point(tiles, v_row), m_point = wino_point(tiles, m_row);
    float *v = scratch, *products = scratch + wino_points(s) * v_point;

    for (int t = 0; t < tiles; t++)
        wino_patch(s, backward, x, wino_at(s, t0 + t), v + t * v_row, v_point);
    for (int point = 0; point < span * span; point++) {
        const int weight =
            wino_weight_of(point / span) * WINO_WEIGHTS + wino_weight_of(point % span);
        for (int g = 0; g < cols / group; g++) {
            struct matmul m = {
                .a = v + point * v_point,
                .a_row = v_row,
                .a_k = 1,
                .b = u + ((ptrdiff_t)weight * (cols / group) + g) * rows * group,
                .b_k = group,
                .b_col = CH,
                .c = products + point * m_point + g * group,
                .c_row = m_row,
                .c_col = CH,
                .rows = tiles,
                .cols = group / CH,
                .k = rows,
                .outer = {{1, 0, 0}, {1, 0, 0}, {1, 0, 0}},
            };
            matmul_run(&m);
        }
    }
    for (int t = 0; t < tiles; t++)
        wino_output(s, backward, products + t * m_row, m_point, wino_at(s, t0 + t), y, e);
}

static void wino_grad_tiles(const struct conv_shape *s, const float *x, const float *dy, float *vz,
                            int t0, int t1, int base, int chunk)
{
    const ptrdiff_t v_row = s->ic + CH, z_row = s->oc + CH;
    const ptrdiff_t v_point = wino_point(chunk, v_row), z_point = wino_point(chunk, z_row);
    float *z = vz + wino_points(s) * v_point;

    for (int t = t0; t < t1; t++) {
        wino_patch(s, false, x, wino_at(s, t), vz + (t - base) * v_row, v_point);
        wino_patch_grad(s, dy, wino_at(s, t), z + (t - base) * z_row, z_point);
    }
}

/* At stride 2 the last weight of a dimension meets four points: their products are summed by the
 * outer loops. */
static void wino_grad_multiply(const struct conv_shape *s, const float *vz, float *du, int weight,
                               int i0, int i1, int tiles, int chunk, bool add)
{
    const ptrdiff_t v_row = s->ic + CH, z_row = s->oc + CH;
    const ptrdiff_t v_point = wino_point(chunk, v_row), z_point = wino_point(chunk, z_row);
    const int span = wino_span(s), same = span - WINO_WEIGHTS + 1;
    const int down = weight / WINO_WEIGHTS, across = weight % WINO_WEIGHTS;
    const int point = down * span + across;
    struct matmul m = {
        .a = vz + point * v_point + i0,
        .a_row = 1,
        .a_k = v_row,
        .b = vz + wino_points(s) * v_point + point * z_point,
        .b_k = z_row,
        .b_col = CH,
        .c = du + ((ptrdiff_t)weight * s->ic + i0) * s->oc,
        .c_row = s->oc,
        .c_col = CH,
        .rows = i1 - i0,
        .cols = s->oc / CH,
        .k = tiles,
        .outer = {{down == WINO_WEIGHTS - 1 ? same : 1, span * v_point, span * z_point},
                  {across == WINO_WEIGHTS - 1 ? same : 1, v_point, z_point},
                  {1, 0, 0}},
        .add = add,
    };

    matmul_run(&m);
}

static always_inline void wino_grad_weights_as(const struct conv_shape *s, const float *du,
                                               float *dw, int ob, wino_1d g_back)
{
    const ptrdiff_t point_stride = (ptrdiff_t)s->ic * s->oc;

    for (int i = 0; i < s->ic; i++)
        for (int sub = 0; sub < CH; sub += VL) {
            const float *from = du + (ptrdiff_t)i * s->oc + ob * CH + sub;
            float *to =
                dw + ((ptrdiff_t)ob * (s->ic / CH) + i / CH) * 9 * CH * CH + i % CH * CH + sub;
            vf half[3][WINO_WEIGHTS];
            for (int x = 0; x < WINO_WEIGHTS; x++) {
                vf u[WINO_WEIGHTS], o[3];
                for (int y = 0; y < WINO_WEIGHTS; y++)
                    u[y] = ld(from + (y * WINO_WEIGHTS + x) * point_stride);
                g_back(u, o);
                for (int y = 0; y < 3; y++)
                    half[y][x] = o[y];
            }
            for (int y = 0; y < 3; y++) {
                vf o[3];
                g_back(half[y], o);
                for (int x = 0; x < 3; x++)
                    st(to + (y * 3 + x) * CH * CH, o[x]);
            }
        }
}

static void wino_grad_weights(const struct conv_shape *s, const float *du, float *dw, int ob)
{
    if (s->stride == 2)
        wino_grad_weights_as(s, du, dw, ob, wino_g2_back);
    else
        wino_grad_weights_as(s, du, dw, ob, wino_g_back);
}

#endif
