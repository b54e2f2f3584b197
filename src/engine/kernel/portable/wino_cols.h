/* wino_cols.h - Winograd convolution for inference with many channels and few tiles, where the
 * transformed weights fit no second-level cache: cut by columns (output channels), so that each
 * weight is read once, by one thread.
 *
 * In two steps: all tiles of all images are transformed to v [point][tile][ic + 16], shared by all
 * threads; then each group of 64 columns is multiplied point by point and transformed back.  The
 * weights of a group lie in the order in which they are read.  Tiles of 4x4 outputs (36 points, a
 * quarter of the multiplications, four times the weights) or 2x2 (16 points, 4/9 and 16/9), as
 * suits the number of tiles; Lavin and Gray, arXiv:1509.09308.
 */
#ifndef ANNEAL_ENGINE_KERNEL_PORTABLE_WINO_COLS_H
#define ANNEAL_ENGINE_KERNEL_PORTABLE_WINO_COLS_H

#include "engine/kernel/portable/wino.h"

/* ---- two outputs from four inputs by 4 products; points 0, 1, -1, infinity */

static always_inline void wino_b_2(const vf d[4], vf o[4])
{
    o[0] = d[0] - d[2];
    o[1] = d[1] + d[2];
    o[2] = d[2] - d[1];
    o[3] = d[1] - d[3];
}

static always_inline void wino_a_2(const vf m[4], vf o[2])
{
    o[0] = m[0] + m[1] + m[2];
    o[1] = m[1] - m[2] - m[3];
}

static always_inline void wino_g_2(const vf g[3], vf o[4])
{
    const vf even = 0.5f * (g[0] + g[2]), odd = 0.5f * g[1];

    o[0] = g[0];
    o[1] = even + odd;
    o[2] = even - odd;
    o[3] = g[2];
}

/* ---- the steps */

static always_inline int wino_cols_points(int tile)
{
    return (tile + 2) * (tile + 2);
}

static struct wino_at wino_cols_at(const struct conv_shape *s, int tile, int t)
{
    const int across = (s->ow + tile - 1) / tile, down = (s->oh + tile - 1) / tile;

    return (struct wino_at){t / (down * across), t / across % down * tile, t % across * tile};
}

/* Floats of v, of what is multiplied (for each thread), of the weights. */
static struct wino_cols_room wino_cols_room(const struct conv_shape *s, int tile, int tiles)
{
    const int points = wino_cols_points(tile);

    return (struct wino_cols_room){
        .v = (size_t)(points * wino_point(tiles, s->ic + CH)),
        .scratch = (size_t)(points * wino_point(tiles, WINO_COLS + CH)),
        .weights = (size_t)points * (size_t)s->ic * (size_t)s->oc,
    };
}

static void wino_cols_weights(const struct conv_shape *s, int tile, const float *w, float *u,
                              int ob)
{
    const ptrdiff_t of_point = (ptrdiff_t)s->ic * WINO_COLS;
    const int in_blocks = s->ic / CH, col = ob * CH;
    float *to = u + col / WINO_COLS * wino_cols_points(tile) * of_point + col % WINO_COLS;

    for (int ib = 0; ib < in_blocks; ib++) {
        const float *taps = w + ((ptrdiff_t)ob * in_blocks + ib) * 9 * CH * CH;
        if (tile == 2)
            wino_weights_as(taps, to, ib * CH, of_point, WINO_COLS, 4, wino_g_2);
        else
            wino_weights_as(taps, to, ib * CH, of_point, WINO_COLS, 6, wino_g);
    }
}

static void wino_cols_tiles(const struct conv_shape *s, int tile, const float *x, float *v, int t0,
                            int t1, int tiles)
{
    const struct wino_map m = {x, s->ic, s->ih, s->iw};
    const ptrdiff_t row = s->ic + CH, point = wino_point(tiles, row);

    for (int t = t0; t < t1; t++) {
        const struct wino_at at = wino_cols_at(s, tile, t);
        if (tile == 2)
            wino_patch_as(&m, at.image, at.y - 1, at.x - 1, v + t * row, point, 4, 4, wino_b_2);
        else
            wino_patch_as(&m, at.image, at.y - 1, at.x - 1, v + t * row, point, 6, 6, wino_b);
    }
}

static void wino_cols_output(const struct conv_shape *s, int tile, const float *products,
                             ptrdiff_t point, int t, int group, float *y, const struct epilogue *e)
{
    const struct wino_at at = wino_cols_at(s, tile, t);
    const ptrdiff_t plane = (ptrdiff_t)s->oh * s->ow * CH;
    const ptrdiff_t first = ((ptrdiff_t)at.image * (s->oc / CH) + group * (WINO_COLS / CH)) * plane;
    struct epilogue here = *e;

    here.bias += group * WINO_COLS;
    here.residual = e->residual ? e->residual + first : NULL;
    if (tile == 2)
        wino_output_as(WINO_COLS, s->oh, s->ow, 0, at.y, at.x, products, point, y + first, &here, 2,
                       4, wino_a_2);
    else
        wino_output_as(WINO_COLS, s->oh, s->ow, 0, at.y, at.x, products, point, y + first, &here, 4,
                       6, wino_a);
}

static void wino_cols_forward(const struct conv_shape *s, int tile, const float *v, const float *u,
                              float *y, int group, int tiles, const struct epilogue *e,
                              float *scratch)
{
    const int points = wino_cols_points(tile);
    const ptrdiff_t v_row = s->ic + CH, m_row = WINO_COLS + CH;
    const ptrdiff_t v_point = wino_point(tiles, v_row), m_point = wino_point(tiles, m_row);
    const ptrdiff_t of_point = (ptrdiff_t)s->ic * WINO_COLS;

    for (int point = 0; point < points; point++) {
        const struct matmul m = {
            .a = v + point * v_point,
            .a_row = v_row,
            .a_k = 1,
            .b = u + ((ptrdiff_t)group * points + point) * of_point,
            .b_k = WINO_COLS,
            .b_col = CH,
            .c = scratch + point * m_point,
            .c_row = m_row,
            .c_col = CH,
            .rows = tiles,
            .cols = WINO_COLS / CH,
            .k = s->ic,
            .outer = {{1, 0, 0}, {1, 0, 0}, {1, 0, 0}},
        };
        matmul_run(&m);
    }
    for (int t = 0; t < tiles; t++)
        wino_cols_output(s, tile, scratch + t * m_row, m_point, t, group, y, e);
}

#endif
