/* wino.h - Winograd convolution F(4x4, 3x3): 36 multiplications where the direct form needs 144.
 *
 * The output is cut into tiles of 4x4; each tile's 6x6 input patch, the 3x3 weights and, for the
 * gradient of the weights, the 4x4 tile of dy go through small fixed matrices (B, G, A of Lavin and
 * Gray, points 0, 1, -1, 2, -2, infinity); what remains is one matrix product over channels for
 * each of 36 points.  The gradient of the input is the same convolution with weights turned round.
 * The gradient of the weights is dw = G' [(B' d B) x (A dy A')] G, summed over tiles.
 *
 * Error against direct: 1e-6 to 5e-6 relative, the transforms' factors of up to 8 being the cause.
 * Rows of v, z and m are padded by 16 floats so that powers of two do not alias in the cache.
 */
#ifndef ANNEAL_ENGINE_KERNEL_PORTABLE_WINO_H
#define ANNEAL_ENGINE_KERNEL_PORTABLE_WINO_H

#include "engine/kernel/portable/matmul.h"

enum { WINO_TILE = 4, WINO_PATCH = 6, WINO_POINTS = 36 };

/* B' d, one column */
static always_inline void wino_b(const vf d[6], vf o[6])
{
    const vf even = d[4] - 4.0f * d[2], odd = d[3] - 4.0f * d[1];
    const vf even2 = d[4] - d[2], odd2 = 2.0f * (d[3] - d[1]);

    o[0] = 4.0f * d[0] - 5.0f * d[2] + d[4];
    o[1] = even + odd;
    o[2] = even - odd;
    o[3] = even2 + odd2;
    o[4] = even2 - odd2;
    o[5] = 4.0f * d[1] - 5.0f * d[3] + d[5];
}

/* A' m */
static always_inline void wino_a(const vf m[6], vf o[4])
{
    const vf p = m[1] + m[2], q = m[1] - m[2], r = m[3] + m[4], s = m[3] - m[4];

    o[0] = m[0] + p + r;
    o[1] = q + 2.0f * s;
    o[2] = p + 4.0f * r;
    o[3] = q + 8.0f * s + m[5];
}

/* A d */
static always_inline void wino_a_back(const vf d[4], vf o[6])
{
    const vf p = d[0] + d[2], q = d[1] + d[3];
    const vf r = d[0] + 4.0f * d[2], s = 2.0f * d[1] + 8.0f * d[3];

    o[0] = d[0];
    o[1] = p + q;
    o[2] = p - q;
    o[3] = r + s;
    o[4] = r - s;
    o[5] = d[3];
}

/* G g */
static always_inline void wino_g(const vf g[3], vf o[6])
{
    const vf p = (g[0] + g[2]) * (-1.0f / 6), q = g[1] * (-1.0f / 6);
    const vf r = g[0] * (1.0f / 24) + g[2] * (1.0f / 6), s = g[1] * (1.0f / 12);

    o[0] = g[0] * 0.25f;
    o[1] = p + q;
    o[2] = p - q;
    o[3] = r + s;
    o[4] = r - s;
    o[5] = g[2];
}

/* G' u */
static always_inline void wino_g_back(const vf u[6], vf o[3])
{
    const vf p = u[1] + u[2], q = u[1] - u[2], r = u[3] + u[4], s = u[3] - u[4];

    o[0] = 0.25f * u[0] - p * (1.0f / 6) + r * (1.0f / 24);
    o[1] = q * (-1.0f / 6) + s * (1.0f / 12);
    o[2] = p * (-1.0f / 6) + r * (1.0f / 6) + u[5];
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

static void wino_weights(const struct conv_shape *s, const float *w, float *u, int ob,
                         bool backward)
{
    const int in_blocks = s->ic / CH, cell = CH * CH;
    const int rows = backward ? s->oc : s->ic, cols = backward ? s->ic : s->oc;
    const int group = wino_group(cols), col = ob * CH;
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
        for (int r = 0; r < CH; r++)
            for (int sub = 0; sub < CH; sub += VL) {
                vf half[6][3];
                for (int x = 0; x < 3; x++) {
                    vf g[3], o[6];
                    for (int y = 0; y < 3; y++)
                        g[y] = ld(taps + (y * 3 + x) * cell + r * CH + sub);
                    wino_g(g, o);
                    for (int y = 0; y < 6; y++)
                        half[y][x] = o[y];
                }
                for (int y = 0; y < 6; y++) {
                    vf o[6];
                    wino_g(half[y], o);
                    for (int x = 0; x < 6; x++)
                        st(u +
                               (((ptrdiff_t)(y * 6 + x) * (cols / group) + col / group) * rows +
                                rb * CH + r) *
                                   group +
                               col % group + sub,
                           o[x]);
                }
            }
    }
}

/* 6x6 patches of one tile, all channels, through B: to v + point * point_stride + channel. */
static void wino_patch(const struct conv_shape *s, int channels, const float *x, struct wino_at at,
                       float *v, ptrdiff_t point_stride)
{
    const int h = s->ih, w = s->iw, y0 = at.y - 1, x0 = at.x - 1;
    const bool inside = y0 >= 0 && x0 >= 0 && y0 + WINO_PATCH <= h && x0 + WINO_PATCH <= w;

    for (int c = 0; c < channels; c += VL) {
        const float *plane =
            x + ((ptrdiff_t)at.image * (channels / CH) + c / CH) * h * w * CH + c % CH;
        vf half[6][6];
        for (int j = 0; j < WINO_PATCH; j++) {
            vf d[6], o[6];
            for (int i = 0; i < WINO_PATCH; i++) {
                const int yy = y0 + i, xx = x0 + j;
                if (inside || (yy >= 0 && yy < h && xx >= 0 && xx < w))
                    d[i] = ld(plane + ((ptrdiff_t)yy * w + xx) * CH);
                else
                    d[i] = (vf){0};
            }
            wino_b(d, o);
            for (int i = 0; i < WINO_PATCH; i++)
                half[i][j] = o[i];
        }
        for (int i = 0; i < WINO_PATCH; i++) {
            vf o[6];
            wino_b(half[i], o);
            for (int j = 0; j < WINO_PATCH; j++)
                st(v + (i * 6 + j) * point_stride + c, o[j]);
        }
    }
}

/* The 4x4 tile of dy through A, the same way. */
static void wino_patch_grad(const struct conv_shape *s, const float *dy, struct wino_at at,
                            float *z, ptrdiff_t point_stride)
{
    const int h = s->oh, w = s->ow;

    for (int c = 0; c < s->oc; c += VL) {
        const float *plane =
            dy + ((ptrdiff_t)at.image * (s->oc / CH) + c / CH) * h * w * CH + c % CH;
        vf half[6][4];
        for (int j = 0; j < WINO_TILE; j++) {
            vf d[4], o[6];
            for (int i = 0; i < WINO_TILE; i++) {
                if (at.y + i < h && at.x + j < w)
                    d[i] = ld(plane + ((ptrdiff_t)(at.y + i) * w + at.x + j) * CH);
                else
                    d[i] = (vf){0};
            }
            wino_a_back(d, o);
            for (int i = 0; i < WINO_PATCH; i++)
                half[i][j] = o[i];
        }
        for (int i = 0; i < WINO_PATCH; i++) {
            vf o[6];
            wino_a_back(half[i], o);
            for (int j = 0; j < WINO_PATCH; j++)
                st(z + (i * 6 + j) * point_stride + c, o[j]);
        }
    }
}

static size_t wino_scratch(int rows, int cols, int tiles)
{
    return (size_t)WINO_POINTS * (size_t)tiles * (size_t)(rows + cols + 2 * CH);
}

/* The products m of one tile back through A' into y, with what is fused behind. */
static void wino_output(const struct conv_shape *s, int cols, const float *m,
                        ptrdiff_t point_stride, struct wino_at at, float *y,
                        const struct epilogue *e)
{
    const int h = s->oh, w = s->ow;
    const int rows_left = h - at.y < WINO_TILE ? h - at.y : WINO_TILE;
    const int cols_left = w - at.x < WINO_TILE ? w - at.x : WINO_TILE;

    for (int c = 0; c < cols; c += VL) {
        const ptrdiff_t corner =
            ((((ptrdiff_t)at.image * (cols / CH) + c / CH) * h + at.y) * w + at.x) * CH + c % CH;
        vf half[4][6];
        for (int j = 0; j < WINO_PATCH; j++) {
            vf d[6], o[4];
            for (int i = 0; i < WINO_PATCH; i++)
                d[i] = ld(m + (i * 6 + j) * point_stride + c);
            wino_a(d, o);
            for (int i = 0; i < WINO_TILE; i++)
                half[i][j] = o[i];
        }
        for (int i = 0; i < rows_left; i++) {
            vf o[4];
            wino_a(half[i], o);
            for (int j = 0; j < cols_left; j++) {
                const ptrdiff_t to = corner + ((ptrdiff_t)i * w + j) * CH;
                if (e)
                    o[j] = epilogue_of(o[j], e, e->bias + c, e->residual ? e->residual + to : NULL);
                st(y + to, o[j]);
            }
        }
    }
}

static void wino_forward(const struct conv_shape *s, int rows, int cols, const float *x,
                         const float *u, float *y, int t0, int t1, const struct epilogue *e,
                         float *scratch)
{
    const int tiles = t1 - t0, group = wino_group(cols);
    const ptrdiff_t v_row = rows + CH, m_row = cols + CH;
    const ptrdiff_t v_point = tiles * v_row, m_point = tiles * m_row;
    float *v = scratch, *products = scratch + WINO_POINTS * v_point;

    for (int t = 0; t < tiles; t++)
        wino_patch(s, rows, x, wino_at(s, t0 + t), v + t * v_row, v_point);
    for (int point = 0; point < WINO_POINTS; point++)
        for (int g = 0; g < cols / group; g++) {
            struct matmul m = {
                .a = v + point * v_point,
                .a_row = v_row,
                .a_k = 1,
                .b = u + ((ptrdiff_t)point * (cols / group) + g) * rows * group,
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
    for (int t = 0; t < tiles; t++)
        wino_output(s, cols, products + t * m_row, m_point, wino_at(s, t0 + t), y, e);
}

static void wino_grad_tiles(const struct conv_shape *s, const float *x, const float *dy, float *v,
                            float *z, int t0, int t1, int base, int chunk)
{
    const ptrdiff_t v_row = s->ic + CH, z_row = s->oc + CH;

    for (int t = t0; t < t1; t++) {
        wino_patch(s, s->ic, x, wino_at(s, t), v + (t - base) * v_row, chunk * v_row);
        wino_patch_grad(s, dy, wino_at(s, t), z + (t - base) * z_row, chunk * z_row);
    }
}

static void wino_grad_multiply(const struct conv_shape *s, const float *v, const float *z,
                               float *du, int point, int i0, int i1, int tiles, int chunk, bool add)
{
    const ptrdiff_t v_row = s->ic + CH, z_row = s->oc + CH;
    struct matmul m = {
        .a = v + point * chunk * v_row + i0,
        .a_row = 1,
        .a_k = v_row,
        .b = z + point * chunk * z_row,
        .b_k = z_row,
        .b_col = CH,
        .c = du + ((ptrdiff_t)point * s->ic + i0) * s->oc,
        .c_row = s->oc,
        .c_col = CH,
        .rows = i1 - i0,
        .cols = s->oc / CH,
        .k = tiles,
        .outer = {{1, 0, 0}, {1, 0, 0}, {1, 0, 0}},
        .add = add,
    };

    matmul_run(&m);
}

static void wino_grad_weights(const struct conv_shape *s, const float *du, float *dw, int ob)
{
    const ptrdiff_t point_stride = (ptrdiff_t)s->ic * s->oc;

    for (int i = 0; i < s->ic; i++)
        for (int sub = 0; sub < CH; sub += VL) {
            const float *from = du + (ptrdiff_t)i * s->oc + ob * CH + sub;
            float *to =
                dw + ((ptrdiff_t)ob * (s->ic / CH) + i / CH) * 9 * CH * CH + i % CH * CH + sub;
            vf half[3][6];
            for (int x = 0; x < 6; x++) {
                vf u[6], o[3];
                for (int y = 0; y < 6; y++)
                    u[y] = ld(from + (y * 6 + x) * point_stride);
                wino_g_back(u, o);
                for (int y = 0; y < 3; y++)
                    half[y][x] = o[y];
            }
            for (int y = 0; y < 3; y++) {
                vf o[3];
                wino_g_back(half[y], o);
                for (int x = 0; x < 3; x++)
                    st(to + (y * 3 + x) * CH * CH, o[x]);
            }
        }
}

#endif
