/* matmul.h - the one inner loop under every convolution: a small matrix product kept in registers.
 *
 *     C[row][col] = sum over three outer loops and k of A[row, k] * B[k, col]
 *
 * Columns come in blocks of 16.  The outer loops move A and B by fixed strides: for a direct
 * convolution they are input block and kernel row, for the gradient of its input kernel column too,
 * for the gradient of its weights the rows of the picture; for Winograd they are not used.  Each
 * element of C is summed by one chain in the order of the loops, whatever the tile it falls into:
 * results do not depend on tiling.
 *
 * Tile sizes fill the register file: AVX-512 24 of 32 registers (6x4, 12x2, 16x1 blocks), AVX2 12
 * of 16.  Reached by one AVX-512 thread of a Xeon (peak 185 GFLOP/s) from its first-level cache: 80
 * % of peak at k of 64 and 128, 92-96 % from 256 on; 90 % from its L2.
 */
#ifndef ANNEAL_ENGINE_KERNEL_PORTABLE_MATMUL_H
#define ANNEAL_ENGINE_KERNEL_PORTABLE_MATMUL_H

#include "engine/kernel/portable/vec.h"

struct matmul {
    const float *a;
    ptrdiff_t a_row, a_k; /* one of the two is 1 */
    const float *b;
    ptrdiff_t b_k, b_col; /* to the next k; to the next block of columns */
    float *c;
    ptrdiff_t c_row, c_col;
    int rows, cols; /* cols in blocks of 16 */
    int k;
    struct {
        int n; /* 0 in any of them: C = 0 */
        ptrdiff_t a, b;
    } outer[3];
    bool add;                 /* C += instead of C = */
    const struct epilogue *e; /* bias and residual stand where c stands; NULL: none */
};

#if defined __AVX512F__ || defined __AVX2__

/* Of what is multiplied the columns are read from afar, the weights of a small picture once: asked
 * for ahead, 512 channels of 4x4 pixels take 8 % less time.  In steps of k. */
enum { MATMUL_AHEAD = 48 };

/* `channel`: first of the vector's columns */
static always_inline void matmul_store(const struct matmul *m, ptrdiff_t at, int channel, vf v)
{
    float *c = m->c + at;

    if (m->add)
        v += ld(c);
    if (m->e)
        v = epilogue_of(v, m->e, m->e->bias + channel, m->e->residual ? m->e->residual + at : NULL);
    st(c, v);
}

/* ROWS x COLS blocks at (row, col).  k_major says which of a_row and a_k is 1, as a constant. */
#define MATMUL_TILE(ROWS, COLS)                                                                    \
    static always_inline void matmul_sum_##ROWS##x##COLS(const struct matmul *m, int row, int col, \
                                                         const bool k_major)                       \
    {                                                                                              \
        const ptrdiff_t a_row = k_major ? 1 : m->a_row, a_k = k_major ? m->a_k : 1;                \
        const ptrdiff_t b_col = m->b_col, b_k = m->b_k;                                            \
        vf acc[ROWS][COLS * SUB];                                                                  \
                                                                                                   \
        _Pragma("GCC unroll 16") for (int r = 0; r < ROWS; r++)                                    \
            _Pragma("GCC unroll 4") for (int j = 0; j < COLS * SUB; j++) acc[r][j] = (vf){0};      \
        for (int x = 0; x < m->outer[0].n; x++)                                                    \
            for (int y = 0; y < m->outer[1].n; y++)                                                \
                for (int z = 0; z < m->outer[2].n; z++) {                                          \
                    const float *a = m->a + row * a_row + x * m->outer[0].a + y * m->outer[1].a +  \
                                     z * m->outer[2].a;                                            \
                    const float *b = m->b + col * b_col + x * m->outer[0].b + y * m->outer[1].b +  \
                                     z * m->outer[2].b;                                            \
                    for (int k = 0; k < m->k; k++, a += a_k, b += b_k) {                           \
                        vf bv[COLS * SUB];                                                         \
                        _Pragma("GCC unroll 4") for (int j = 0; j < COLS; j++)                     \
                            __builtin_prefetch(b + j * b_col + MATMUL_AHEAD * CH, 0, 3);           \
                        _Pragma("GCC unroll 4") for (int j = 0; j < COLS * SUB; j++) bv[j] =       \
                            ld(b + j / SUB * b_col + j % SUB * VL);                                \
                        _Pragma("GCC unroll 16") for (int r = 0; r < ROWS; r++)                    \
                        {                                                                          \
                            vf av = vf_all(a[r * a_row]);                                          \
                            _Pragma("GCC unroll 4") for (int j = 0; j < COLS * SUB; j++)           \
                                acc[r][j] += av * bv[j];                                           \
                        }                                                                          \
                    }                                                                              \
                }                                                                                  \
        _Pragma("GCC unroll 16") for (int r = 0; r < ROWS; r++)                                    \
            _Pragma("GCC unroll 4") for (int j = 0; j < COLS * SUB; j++)                           \
                matmul_store(m, (row + r) * m->c_row + (col + j / SUB) * m->c_col + j % SUB * VL,  \
                             (col + j / SUB) * CH + j % SUB * VL, acc[r][j]);                      \
    }                                                                                              \
    static __attribute__((noinline)) void matmul_##ROWS##x##COLS(const struct matmul *m, int row,  \
                                                                 int col)                          \
    {                                                                                              \
        if (m->a_row == 1)                                                                         \
            matmul_sum_##ROWS##x##COLS(m, row, col, true);                                         \
        else                                                                                       \
            matmul_sum_##ROWS##x##COLS(m, row, col, false);                                        \
    }

#if defined __AVX512F__
#define MATMUL_TILES(X)                                                                            \
    X(6, 4)                                                                                        \
    X(4, 4)                                                                                        \
    X(2, 4) X(1, 4) X(12, 2) X(6, 2) X(2, 2) X(1, 2) X(16, 1) X(8, 1) X(4, 1) X(2, 1) X(1, 1)
#else
#define MATMUL_TILES(X) X(6, 1) X(4, 1) X(2, 1) X(1, 1)
#endif
MATMUL_TILES(MATMUL_TILE)

/* The widest group of columns first, in it the tallest tile that still fits. */
static void matmul_run(const struct matmul *m)
{
    int col = 0;

    while (col < m->cols) {
        int row = 0, width = m->cols - col;
#define MATMUL_STEP(ROWS, COLS)                                                                    \
    if (width >= COLS && (row == 0 || taken == COLS))                                              \
        for (taken = COLS; row + ROWS <= m->rows; row += ROWS)                                     \
            matmul_##ROWS##x##COLS(m, row, col);
        int taken = 0;
        MATMUL_TILES(MATMUL_STEP)
#undef MATMUL_STEP
        col += taken;
    }
}

#else
#include "engine/kernel/portable/matmul128.h"
#endif

#endif
