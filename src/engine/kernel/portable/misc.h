/* misc.h - the cheap kernels: packing the image, averages, vector sums, the optimisers' loops. */
#ifndef ANNEAL_ENGINE_KERNEL_PORTABLE_MISC_H
#define ANNEAL_ENGINE_KERNEL_PORTABLE_MISC_H

#include "engine/kernel/portable/norm.h"
#include <string.h>

static void image_pack(const float *nchw, float *x, size_t plane, size_t from, size_t n)
{
    typedef float pixel __attribute__((vector_size(16), aligned(16), may_alias));

    for (size_t i = from; i < from + n; i++)
        *(pixel *)(x + i * CH_IMAGE) = (pixel){nchw[i], nchw[plane + i], nchw[2 * plane + i], 0};
}

static void average(const float *x, float *y, int hw)
{
    for (int sub = 0; sub < CH; sub += VL) {
        vf sum = {0};
        for (int i = 0; i < hw; i++)
            sum += ld(x + (size_t)i * CH + sub);
        st(y + sub, sum / (float)hw);
    }
}

static void average_grad(const float *dy, float *dx, int hw)
{
    for (int sub = 0; sub < CH; sub += VL) {
        const vf g = ld(dy + sub) / (float)hw;
        for (int i = 0; i < hw; i++)
            st(dx + (size_t)i * CH + sub, g);
    }
}

static float dot(const float *a, const float *b, size_t n)
{
    vf sum = {0};
    float all = 0;

    for (size_t i = 0; i < n; i += VL)
        sum += ld(a + i) * ld(b + i);
    for (int i = 0; i < VL; i++)
        all += sum[i];
    return all;
}

static void add_scaled(float *y, const float *x, float k, size_t n)
{
    for (size_t i = 0; i < n; i += VL)
        st(y + i, ld(y + i) + ld(x + i) * k);
}

static void blend(float *y, const float *x, float d, size_t n)
{
    const float rest = 1 - d;

    for (size_t i = 0; i < n; i += VL)
        st(y + i, ld(y + i) * d + ld(x + i) * rest);
}

static void round_half(const float *x, float *y, size_t n)
{
    for (size_t i = 0; i < n; i += VL)
        st_half((uint16_t *)(void *)y + i, ld(x + i));
}

static void sum_into(float *y, const float *const *parts, int count, size_t at, size_t n)
{
    for (size_t i = at; i < at + n; i += VL) {
        vf sum = ld(parts[0] + i);
        for (int p = 1; p < count; p++)
            sum += ld(parts[p] + i);
        st(y + i, sum);
    }
}

static double square_sum(const float *x, size_t n)
{
    double lanes[VL] = {0}, all = 0;

    for (size_t from = 0; from < n; from += RUN * CH) {
        const size_t to = n - from < RUN * CH ? n : from + RUN * CH;
        vf sum = {0};
        for (size_t i = from; i < to; i += VL)
            sum += ld(x + i) * ld(x + i);
        add_double(lanes, sum);
    }
    for (int i = 0; i < VL; i++)
        all += lanes[i];
    return all;
}

/* torch.optim.SGD: g += decay * p; m = momentum * m + g; p -= lr * (nesterov ? g + momentum * m
 * : m) */
static void sgd(float *p, const float *g, float *m, size_t n, float lr, float momentum,
                bool nesterov, float decay, float grad_scale)
{
    for (size_t i = 0; i < n; i += VL) {
        const vf w = ld(p + i), grad = ld(g + i) * grad_scale + w * decay;
        const vf mom = ld(m + i) * momentum + grad;
        st(m + i, mom);
        st(p + i, w - (nesterov ? grad + mom * momentum : mom) * lr);
    }
}

/* torch.optim.AdamW (Loshchilov and Hutter, arXiv:1711.05101) */
static void adamw(float *p, const float *g, float *m, float *v, size_t n, const struct adamw *a)
{
    for (size_t i = 0; i < n; i += VL) {
        const vf grad = ld(g + i) * a->grad_scale;
        const vf first = ld(m + i) * a->beta1 + grad * a->rest1;
        const vf second = ld(v + i) * a->beta2 + grad * grad * a->rest2;
        vf root;
        for (int j = 0; j < VL; j++)
            root[j] = __builtin_sqrtf(second[j]);
        st(m + i, first);
        st(v + i, second);
        st(p + i, ld(p + i) * a->keep - first / (root * a->root_scale + a->eps) * a->rate);
    }
}

static void exp_of(const float *x, float *y, size_t n)
{
    for (size_t i = 0; i < n; i += VL)
        st(y + i, vf_exp(ld(x + i)));
}

#endif
