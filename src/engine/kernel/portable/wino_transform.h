/* wino_transform.h - the small matrices of Winograd convolution, one dimension at a time.
 *
 * Stride 1, F(4, 3): four outputs from six inputs by 6 products (Lavin and Gray, arXiv:1509.09308);
 * points 0, 5/8, -5/8, 3/2, -3/2, infinity.  The usual 1, -1, 2, -2 cost as much and round more
 * than twice as coarsely, since their powers reach from 1 to 8: relative L2 of 64 channels 1.7e-6
 * against 8e-7, of the gradient of the weights 2.1e-6 against 9e-7.  (What points do to rounding:
 * Alam et al., arXiv:2201.10369.  These are the best among the sixteenths up to 5/2.)
 *
 * Stride 2: the inputs of one parity meet the outer two taps, those of the other the middle one:
 *     y[o] = (g[0] x[2o-1] + g[2] x[2o+1]) + g[1] x[2o]
 * The first is an F(4, 2) of its own (points 0, 1, -1, 2, infinity: 5 products), the second takes 4
 * plain ones: 9 products for four outputs instead of 12, 81 instead of 144 in two dimensions.  The
 * four plain products share one transformed weight, so that a kernel still has 6 x 6 of them.  The
 * gradient of the input is of the same kind: dx[2j+1] = g[2] dy[j] + g[0] dy[j+1], dx[2j] = g[1]
 * dy[j]: eight outputs from five inputs, with the taps turned round.
 *
 * Names: b is what inputs go through, g weights, a products; _back the transposed for gradients of
 * the weights.  The second letter group says which of the two: no mark for stride 1, 2 for
 * stride 2.
 */
#ifndef ANNEAL_ENGINE_KERNEL_PORTABLE_WINO_TRANSFORM_H
#define ANNEAL_ENGINE_KERNEL_PORTABLE_WINO_TRANSFORM_H

#include "engine/kernel/portable/vec.h"

/* ---- stride 1 */

/* The points other than 0 and infinity: +-WINO_P and +-WINO_Q.  Their powers are exact in float. */
#define WINO_P  0.625f
#define WINO_Q  1.5f
#define WINO_P2 (WINO_P * WINO_P)
#define WINO_Q2 (WINO_Q * WINO_Q)
/* Products of a point's differences from all others, which the weights are divided by. */
#define WINO_OF_0 (1 / (WINO_P2 * WINO_Q2))
#define WINO_OF_P (1 / (2 * WINO_P2 * (WINO_P2 - WINO_Q2)))
#define WINO_OF_Q (1 / (2 * WINO_Q2 * (WINO_Q2 - WINO_P2)))

/* B' d */
static always_inline void wino_b(const vf d[6], vf o[6])
{
    const vf even_p = d[4] - WINO_Q2 * d[2], odd_p = d[3] - WINO_Q2 * d[1];
    const vf even_q = d[4] - WINO_P2 * d[2], odd_q = d[3] - WINO_P2 * d[1];

    o[0] = WINO_P2 * WINO_Q2 * d[0] - (WINO_P2 + WINO_Q2) * d[2] + d[4];
    o[1] = even_p + WINO_P * odd_p;
    o[2] = even_p - WINO_P * odd_p;
    o[3] = even_q + WINO_Q * odd_q;
    o[4] = even_q - WINO_Q * odd_q;
    o[5] = WINO_P2 * WINO_Q2 * d[1] - (WINO_P2 + WINO_Q2) * d[3] + d[5];
}

/* A' m */
static always_inline void wino_a(const vf m[6], vf o[4])
{
    const vf p = m[1] + m[2], q = m[1] - m[2], r = m[3] + m[4], s = m[3] - m[4];

    o[0] = m[0] + p + r;
    o[1] = WINO_P * q + WINO_Q * s;
    o[2] = WINO_P2 * p + WINO_Q2 * r;
    o[3] = WINO_P2 * WINO_P * q + WINO_Q2 * WINO_Q * s + m[5];
}

/* A d */
static always_inline void wino_a_back(const vf d[4], vf o[6])
{
    const vf even_p = d[0] + WINO_P2 * d[2], odd_p = d[1] + WINO_P2 * d[3];
    const vf even_q = d[0] + WINO_Q2 * d[2], odd_q = d[1] + WINO_Q2 * d[3];

    o[0] = d[0];
    o[1] = even_p + WINO_P * odd_p;
    o[2] = even_p - WINO_P * odd_p;
    o[3] = even_q + WINO_Q * odd_q;
    o[4] = even_q - WINO_Q * odd_q;
    o[5] = d[3];
}

/* G g */
static always_inline void wino_g(const vf g[3], vf o[6])
{
    const vf p = g[0] * WINO_OF_P + g[2] * (WINO_P2 * WINO_OF_P), q = g[1] * (WINO_P * WINO_OF_P);
    const vf r = g[0] * WINO_OF_Q + g[2] * (WINO_Q2 * WINO_OF_Q), s = g[1] * (WINO_Q * WINO_OF_Q);

    o[0] = g[0] * WINO_OF_0;
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

    o[0] = u[0] * WINO_OF_0 + p * WINO_OF_P + r * WINO_OF_Q;
    o[1] = q * (WINO_P * WINO_OF_P) + s * (WINO_Q * WINO_OF_Q);
    o[2] = p * (WINO_P2 * WINO_OF_P) + r * (WINO_Q2 * WINO_OF_Q) + u[5];
}

/* ---- stride 2 */

/* F(4, 2): five inputs to five points */
static always_inline void wino_b2_outer(vf a, vf b, vf c, vf d, vf e, vf o[5])
{
    o[0] = 2.0f * a - b - 2.0f * c + d;
    o[1] = d - c - 2.0f * b;
    o[2] = 2.0f * b - 3.0f * c + d;
    o[3] = d - b;
    o[4] = 2.0f * b - c - 2.0f * d + e;
}

/* F(4, 2): five products to four outputs */
static always_inline void wino_a2_outer(const vf m[5], vf o[4])
{
    const vf p = m[1] + m[2], q = m[1] - m[2];

    o[0] = m[0] + p + m[3];
    o[1] = q + 2.0f * m[3];
    o[2] = p + 4.0f * m[3];
    o[3] = q + 8.0f * m[3] + m[4];
}

/* Nine inputs from 2o - 1 on: the outer taps' five points, the middle tap's four. */
static always_inline void wino_b2(const vf d[9], vf o[9])
{
    wino_b2_outer(d[0], d[2], d[4], d[6], d[8], o);
    for (int i = 0; i < 4; i++)
        o[5 + i] = d[1 + 2 * i];
}

static always_inline void wino_a2(const vf m[9], vf o[4])
{
    wino_a2_outer(m, o);
    for (int i = 0; i < 4; i++)
        o[i] += m[5 + i];
}

/* Gradient of the input: dy[j .. j+4] to the same nine points, and products to dx[2j .. 2j+7]. */
static always_inline void wino_b2_input(const vf d[5], vf o[9])
{
    wino_b2_outer(d[0], d[1], d[2], d[3], d[4], o);
    for (int i = 0; i < 4; i++)
        o[5 + i] = d[i];
}

static always_inline void wino_a2_input(const vf m[9], vf o[8])
{
    vf odd[4];

    wino_a2_outer(m, odd);
    for (int i = 0; i < 4; i++) {
        o[2 * i] = m[5 + i];
        o[2 * i + 1] = odd[i];
    }
}

static always_inline void wino_a2_back(const vf d[4], vf o[9])
{
    const vf p = d[0] + d[2], q = d[1] + d[3];

    o[0] = d[0];
    o[1] = p + q;
    o[2] = p - q;
    o[3] = d[0] + 2.0f * d[1] + 4.0f * d[2] + 8.0f * d[3];
    o[4] = d[3];
    for (int i = 0; i < 4; i++)
        o[5 + i] = d[i];
}

static always_inline void wino_g2(const vf g[3], vf o[6])
{
    o[0] = 0.5f * g[0];
    o[1] = -0.5f * (g[0] + g[2]);
    o[2] = (g[2] - g[0]) * (1.0f / 6);
    o[3] = g[0] * (1.0f / 6) + g[2] * (1.0f / 3);
    o[4] = g[2];
    o[5] = g[1];
}

static always_inline void wino_g2_back(const vf u[6], vf o[3])
{
    o[0] = 0.5f * (u[0] - u[1]) + (u[3] - u[2]) * (1.0f / 6);
    o[1] = u[5];
    o[2] = -0.5f * u[1] + u[2] * (1.0f / 6) + u[3] * (1.0f / 3) + u[4];
}

#endif
