/* matmul128.h - the inner loop of matmul.h for vectors of 128 bits without a fused multiply-add
 * (SSE2, WebAssembly).
 *
 * A tile is one block of 16 columns of 2 rows: 8 sums, 4 vectors of B, 2 of A and a product are the
 * 15 registers that V8 has to give; of all shapes that fit, it runs at the rate at which the
 * machine multiplies and adds (37 of 41 GFLOP/s on a Sapphire Rapids; 5 rows of 8 columns spill,
 * and give 28).  k is mostly 16 here, so what stands around the loop counts as well: rows are
 * looped over inside a call, and the activation is chosen once for a tile.
 */
#ifndef ANNEAL_ENGINE_KERNEL_PORTABLE_MATMUL128_H
#define ANNEAL_ENGINE_KERNEL_PORTABLE_MATMUL128_H

static always_inline void quad_steps(vf sum[][SUB], const float *a, const float *b, int k,
                                     const int rows, const ptrdiff_t a_row, const ptrdiff_t a_k,
                                     const ptrdiff_t b_k)
{
    for (; k > 0; k--, a += a_k, b += b_k) {
        vf bv[SUB];
        UNROLL(4)
        for (int j = 0; j < SUB; j++)
            bv[j] = ld(b + j * VL);
        UNROLL(2)
        for (int r = 0; r < rows; r++) {
            const vf av = vf_all(a[r * a_row]);
            UNROLL(4)
            for (int j = 0; j < SUB; j++)
                sum[r][j] += av * bv[j];
        }
    }
}

static always_inline void quad_sum(const struct matmul *m, const float *a, const float *b,
                                   vf sum[][SUB], const int rows, const bool k_major)
{
    const ptrdiff_t a_row = k_major ? 1 : m->a_row, a_k = k_major ? m->a_k : 1, b_k = m->b_k;

    UNROLL(2)
    for (int r = 0; r < rows; r++) {
        UNROLL(4)
        for (int j = 0; j < SUB; j++)
            sum[r][j] = (vf){0};
    }
    if (m->outer[1].n == 1 && m->outer[2].n == 1) { /* a 1x1 convolution, and Winograd */
        for (int x = m->outer[0].n; x > 0; x--, a += m->outer[0].a, b += m->outer[0].b)
            quad_steps(sum, a, b, m->k, rows, a_row, a_k, b_k);
        return;
    }
    for (int x = 0; x < m->outer[0].n; x++)
        for (int y = 0; y < m->outer[1].n; y++)
            for (int z = 0; z < m->outer[2].n; z++)
                quad_steps(sum, a + x * m->outer[0].a + y * m->outer[1].a + z * m->outer[2].a,
                           b + x * m->outer[0].b + y * m->outer[1].b + z * m->outer[2].b, m->k,
                           rows, a_row, a_k, b_k);
}

/* The row's sums with bias, residual and the activations that are one instruction or two. */
static always_inline void quad_finish(const struct matmul *m, ptrdiff_t at, int channel, vf v[SUB])
{
    const struct epilogue *e = m->e;

    UNROLL(4)
    for (int j = 0; j < SUB; j++)
        v[j] += ld(e->bias + channel + j * VL);
    if (e->residual && !e->after) {
        UNROLL(4)
        for (int j = 0; j < SUB; j++)
            v[j] += ld(e->residual + at + j * VL);
    }
    if (e->act == ACT_RELU || e->act == ACT_RELU6) {
        UNROLL(4)
        for (int j = 0; j < SUB; j++)
            v[j] = vf_at_least(v[j], 0.0f);
    }
    if (e->act == ACT_RELU6) {
        UNROLL(4)
        for (int j = 0; j < SUB; j++)
            v[j] = vf_at_most(v[j], 6.0f);
    }
}

/* The rest: from memory, where the code can stand once.  Not from C itself, whose old values may be
 * the residual. */
static void quad_finish_rest(const struct epilogue *e, const float *sums, float *c,
                             const float *residual)
{
    for (int j = 0; j < CH; j += VL) {
        vf v = act_of(ld(sums + j), e->act);
        if (residual && e->after)
            v += ld(residual + j);
        st(c + j, v);
    }
}

static always_inline void quad_store(const struct matmul *m, int row, int col, vf v[SUB])
{
    const ptrdiff_t at = row * m->c_row + col * m->c_col;
    const struct epilogue *e = m->e;

    if (m->add) {
        UNROLL(4)
        for (int j = 0; j < SUB; j++)
            v[j] += ld(m->c + at + j * VL);
    }
    if (e)
        quad_finish(m, at, col * CH, v);
    if (e && (e->after || !act_is_cheap(e->act))) {
        float sums[CH];
        UNROLL(4)
        for (int j = 0; j < SUB; j++)
            st(sums + j * VL, v[j]);
        quad_finish_rest(e, sums, m->c + at, e->residual ? e->residual + at : NULL);
        return;
    }
    UNROLL(4)
    for (int j = 0; j < SUB; j++)
        st(m->c + at + j * VL, v[j]);
}

static always_inline void quad_rows(const struct matmul *m, int col, const bool k_major)
{
    const ptrdiff_t a_row = k_major ? 1 : m->a_row;
    const float *a = m->a, *b = m->b + col * m->b_col;
    vf sum[2][SUB];
    int row = 0;

    for (; row + 2 <= m->rows; row += 2, a += 2 * a_row) {
        quad_sum(m, a, b, sum, 2, k_major);
        quad_store(m, row, col, sum[0]);
        quad_store(m, row + 1, col, sum[1]);
    }
    if (row < m->rows) {
        quad_sum(m, a, b, sum, 1, k_major);
        quad_store(m, row, col, sum[0]);
    }
}

static void matmul_run(const struct matmul *m)
{
    for (int col = 0; col < m->cols; col++)
        if (m->a_row == 1)
            quad_rows(m, col, true);
        else
            quad_rows(m, col, false);
}

#endif
