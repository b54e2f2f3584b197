/* vec.h - vectors of VL floats by GCC's vector extension, as wide as one register of the including
 * file's instruction set: 16 (AVX-512), 8 (AVX2), 4 (SSE2, WebAssembly).  A block of 16 channels is
 * then 1, 2 or 4 vectors.  (Wider vectors than the machine's would compile everywhere, but GCC 12
 * keeps them in memory: 1.7 instead of 100 GFLOP/s on AVX2.)  Everything is inlined: no vector
 * crosses a call, so how they would be passed (-Wpsabi) does not matter. */
#ifndef ANNEAL_ENGINE_KERNEL_PORTABLE_VEC_H
#define ANNEAL_ENGINE_KERNEL_PORTABLE_VEC_H

#include "engine/kernel/kernel.h"
#include <stdint.h>

#if defined __AVX512F__
enum { VL = 16 };
#elif defined __AVX2__
enum { VL = 8 };
#else
enum { VL = 4 };
#endif
enum { SUB = CH / VL }; /* vectors in a block */

typedef float vf __attribute__((vector_size(4 * VL)));
typedef int32_t vi __attribute__((vector_size(4 * VL)));
typedef float vf_mem __attribute__((vector_size(4 * VL), aligned(4), may_alias));

#define always_inline inline __attribute__((always_inline))

/* Before a loop of n: unrolled wholly, and early enough for arrays to become registers. */
#if defined __clang__
#define UNROLL(n) _Pragma("clang loop unroll(full)")
#else
#define UNROLL_TEXT(text) _Pragma(#text)
#define UNROLL(n)         UNROLL_TEXT(GCC unroll n)
#endif

static always_inline vf ld(const float *p)
{
    return *(const vf_mem *)p;
}

static always_inline void st(float *p, vf v)
{
    *(vf_mem *)p = v;
}

/* bfloat16 (the upper half of a float), rounded to nearest, ties to even; a NaN stays one.  By
 * integer arithmetic on every machine, so that all round alike. */
typedef uint32_t vu __attribute__((vector_size(4 * VL)));
typedef uint16_t vh __attribute__((vector_size(2 * VL)));
typedef uint16_t vh_mem __attribute__((vector_size(2 * VL), aligned(2), may_alias));

static always_inline vf ld_half(const uint16_t *p)
{
    const vh half = *(const vh_mem *)p;

    return (vf)(__builtin_convertvector(half, vu) << 16);
}

static always_inline void st_half(uint16_t *p, vf v)
{
    const vu bits = (vu)v, quiet = bits | 0x400000u;
    const vu rounded = bits + 0x7fffu + ((bits >> 16) & 1u);
    const vu nan = (vu)(v != v);

    *(vh_mem *)p = __builtin_convertvector(((nan & quiet) | (~nan & rounded)) >> 16, vh);
}

/* x in every lane.  Listed, not added to zero: 0 + x must turn -0 into 0, so GCC really adds, on
 * the ports that multiply, where a listed scalar in memory becomes a broadcast by the load port
 * (matmul.h on AVX-512: 118 against 175 GFLOP/s). */
static always_inline vf vf_all(float x)
{
#if defined __AVX512F__
    return (vf){x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x};
#elif defined __AVX2__
    return (vf){x, x, x, x, x, x, x, x};
#else
    return (vf){x, x, x, x};
#endif
}

/* Past the caches, for what is too large to be found there again: a line that is written whole need
 * not be read before.  p is aligned to the vector; st_streamed() follows the last of them. */
static always_inline void st_stream(float *p, vf v)
{
#if defined __AVX512F__
    __builtin_ia32_movntps512(p, v);
#elif defined __AVX2__
    __builtin_ia32_movntps256(p, v);
#elif defined __SSE2__
    __builtin_ia32_movntps(p, v);
#else
    st(p, v);
#endif
}

static always_inline void st_streamed(void)
{
#if defined __SSE2__
    __builtin_ia32_sfence();
#endif
}

/* Asks for a line that will be written: a store that finds it waits for nobody, and a queue of
 * stores that wait holds up all that follows. */
static always_inline void ask_to_write(const float *p)
{
    __builtin_prefetch(p, 1, 3);
}

/* m ? a : b, lane by lane; m is all ones or all zeros */
static always_inline vf vf_pick(vi m, vf a, vf b)
{
    return (vf)(((vi)a & m) | ((vi)b & ~m));
}

static always_inline vf vf_keep(vi m, vf a)
{
    return (vf)((vi)a & m);
}

/* z, but no less than low or no more than high; a NaN stays. */
static always_inline vf vf_at_least(vf z, float low)
{
#if defined __wasm__
    return __builtin_wasm_pmax_f32x4(z, vf_all(low));
#else
    return vf_pick(z < low, vf_all(low), z);
#endif
}

static always_inline vf vf_at_most(vf z, float high)
{
#if defined __wasm__
    return __builtin_wasm_pmin_f32x4(z, vf_all(high));
#else
    return vf_pick(z > high, vf_all(high), z);
#endif
}

/* e^x: range reduction by ln 2 in two parts and a polynomial of degree 6 (the coefficients of
 * Cephes' expf, S. Moshier); relative error below 2e-7, input clamped to +-87. */
static always_inline vf vf_exp(vf x)
{
    const float ln2_high = 0.693359375f, ln2_low = -2.12194440e-4f;
    const float shifter = 12582912.0f; /* 1.5 * 2^23: adding it rounds to an integer */

    x = vf_at_most(vf_at_least(x, -87.0f), 87.0f);
    vf t = x * 1.44269504f + shifter;
    vi exponent = (vi)t - 0x4b400000;
    vf n = t - shifter;
    vf r = x - n * ln2_high;
    r = r - n * ln2_low;
    vf p = r * 1.9875691500e-4f + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * (r * r) + r + 1.0f;
    return p * (vf)((exponent + 127) << 23);
}

static always_inline vf vf_sigmoid(vf x)
{
    return 1.0f / (1.0f + vf_exp(-x));
}

/* The same for inference.  AVX-512 divides 16 floats in 16 cycles, but knows 1 / x to 2^-14 in two;
 * a step of Newton's method makes that 2^-23.  (Training divides: of fifty SiLUs in a row the
 * gradient shows the difference.) */
static always_inline vf vf_sigmoid_quick(vf x)
{
#if defined __AVX512F__
    const vf z = 1.0f + vf_exp(-x), y = __builtin_ia32_rcp14ps512_mask(z, (vf){0}, 0xffff);

    return y + y * (1.0f - z * y);
#else
    return vf_sigmoid(x);
#endif
}

static always_inline vf vf_hard_sigmoid(vf x)
{
    const vf y = x + 3.0f;

    return vf_at_most(vf_at_least(y, 0.0f), 6.0f) * (1.0f / 6.0f);
}

/* A NaN passes through, so that divergence shows in the loss. */
static always_inline vf act_of(vf z, const enum act act)
{
    switch (act) {
    case ACT_NONE:
        return z;
    case ACT_RELU:
        return vf_at_least(z, 0.0f);
    case ACT_RELU6:
        return vf_at_most(vf_at_least(z, 0.0f), 6.0f);
    case ACT_SILU:
        return z * vf_sigmoid(z);
    case ACT_SIGMOID:
        return vf_sigmoid(z);
    case ACT_HARD_SWISH:
        return z * vf_hard_sigmoid(z);
    case ACT_HARD_SIGMOID:
        return vf_hard_sigmoid(z);
    }
    return z;
}

/* The activations that cost an instruction or two, in code where they are chosen once for many
 * vectors; the others are left to act_of. */
static always_inline bool act_is_cheap(const enum act act)
{
    return act == ACT_NONE || act == ACT_RELU || act == ACT_RELU6;
}

/* What inference fuses behind a sum; `residual` NULL: none. */
static always_inline vf epilogue_of(vf sum, const struct epilogue *e, const float *bias,
                                    const float *residual)
{
    sum += ld(bias);
    if (residual && !e->after)
        sum += ld(residual);
    sum = e->act == ACT_SILU ? sum * vf_sigmoid_quick(sum) : act_of(sum, e->act);
    if (residual && e->after)
        sum += ld(residual);
    return sum;
}

/* g times the derivative of the activation.  z: its input; for ReLU and ReLU6 its output serves. */
static always_inline vf act_grad(vf g, vf z, const enum act act)
{
    switch (act) {
    case ACT_NONE:
        return g;
    case ACT_RELU:
        return vf_keep(z > 0.0f, g);
    case ACT_RELU6:
        return vf_keep((z > 0.0f) & (z < 6.0f), g);
    case ACT_SILU: {
        vf s = vf_sigmoid(z);
        return g * (s * (1.0f + z * (1.0f - s)));
    }
    case ACT_SIGMOID: {
        vf s = vf_sigmoid(z);
        return g * (s * (1.0f - s));
    }
    case ACT_HARD_SWISH: /* z / 3 + 1 / 2 between -3 and 3, 1 above */
        return vf_pick(z > 3.0f, g, vf_keep(~(z < -3.0f), g * (z * (1.0f / 3.0f) + 0.5f)));
    case ACT_HARD_SIGMOID:
        return vf_keep((z > -3.0f) & (z < 3.0f), g * (1.0f / 6.0f));
    }
    return g;
}

#endif
