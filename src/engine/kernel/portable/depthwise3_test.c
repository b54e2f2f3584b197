/* depthwise3_test.c - the depthwise 3x3 kernels of training, in every instruction set this machine
 * has, against the textbook's sums in double. */
#include "engine/kernel/portable/portable.c"

#include "base/hash.h"
#include "base/mem.h"
#include "base/test.h"
#include <math.h>
#include <string.h>

enum { IMAGES = 3, SIDE_MAX = 19, APART = 7 * CH /* floats between images, beyond their own */ };

static const char *const isas[] = {"base", "avx2", "avx512"};

#define EACH_ISA(k)                                                                                \
    for (size_t isa_ = 0; isa_ < sizeof isas / sizeof isas[0]; isa_++)                             \
        for (const struct kernels *k = kernels_get(isas[isa_]); k; k = NULL)

static uint64_t draws;

static float *random_floats(size_t n)
{
    float *p = mem_alloc_aligned(64, (n + CH) * sizeof *p);

    CHECK(p);
    for (size_t i = 0; i < n; i++)
        p[i] = (float)(2 * rand_unit(rand_at(11, draws++, 0, 0)) - 1);
    return p;
}

/* Images of h x w pixels of a block, APART floats between them. */
static size_t stride_of(int h, int w)
{
    return (size_t)(h * w) * CH + APART;
}

static float *images_of(int h, int w)
{
    return random_floats(IMAGES * stride_of(h, w));
}

static double pixel(const float *p, int h, int w, int image, int y, int x, int ch)
{
    if (y < 0 || x < 0 || y >= h || x >= w)
        return 0;
    return (double)p[(size_t)image * stride_of(h, w) + (size_t)((y * w + x) * CH + ch)];
}

static struct framed frame_of(const struct kernels *k, const float *v, int h, int w)
{
    static const float one[CH] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, zero[CH];
    const struct framed f = {random_floats((size_t)(IMAGES * (h + 2) * (w + 2) * CH)), IMAGES, h,
                             w};
    const struct bn_range r = {IMAGES, h * w, stride_of(h, w), false, false};

    k->frame_clear(&f);
    k->frame_apply(&f, &r, v, one, zero, ACT_NONE);
    return f;
}

static void near(double got, double want, const char *what, const struct kernels *k,
                 const struct conv_shape *s)
{
    if (!(fabs(got - want) <= 2e-5 * (1 + fabs(want))))
        test_fail(__FILE__, __LINE__, "%s, %s, %dx%d stride %d: %g, not %g", what, k->isa, s->ih,
                  s->iw, s->stride, got, want);
}

static void check_shape(const struct kernels *k, const struct conv_shape *s)
{
    float *x = images_of(s->ih, s->iw), *dy = images_of(s->oh, s->ow), *w = random_floats(9 * CH);
    float *y = images_of(s->oh, s->ow), *dx = images_of(s->ih, s->iw);
    float *dw = random_floats(9 * CH), before[9 * CH];
    const struct framed fx = frame_of(k, x, s->ih, s->iw), fdy = frame_of(k, dy, s->oh, s->ow);
    double *grad_x = mem_alloc_array((size_t)(s->ih * s->iw), sizeof *grad_x);

    memcpy(before, dw, sizeof before);
    k->depthwise3_forward(s, &fx, w, y, stride_of(s->oh, s->ow));
    k->depthwise3_data(s, &fdy, w, dx, stride_of(s->ih, s->iw));
    k->depthwise3_weights(s, &fx, &fdy, dw);
    for (int ch = 0; ch < CH; ch++) {
        double grad_w[9] = {0};
        for (int n = 0; n < IMAGES; n++) {
            memset(grad_x, 0, (size_t)(s->ih * s->iw) * sizeof *grad_x);
            for (int o = 0; o < s->oh * s->ow; o++) {
                const int oy = o / s->ow, ox = o % s->ow;
                const double g = pixel(dy, s->oh, s->ow, n, oy, ox, ch);
                double sum = 0;
                for (int t = 0; t < 9; t++) {
                    const int iy = oy * s->stride - 1 + t / 3, ix = ox * s->stride - 1 + t % 3;
                    const double v = pixel(x, s->ih, s->iw, n, iy, ix, ch);
                    sum += v * (double)w[t * CH + ch];
                    grad_w[t] += v * g;
                    if (iy >= 0 && ix >= 0 && iy < s->ih && ix < s->iw)
                        grad_x[iy * s->iw + ix] += g * (double)w[t * CH + ch];
                }
                near(pixel(y, s->oh, s->ow, n, oy, ox, ch), sum, "forward", k, s);
            }
            for (int i = 0; i < s->ih * s->iw; i++)
                near(pixel(dx, s->ih, s->iw, n, i / s->iw, i % s->iw, ch), grad_x[i], "data", k, s);
        }
        for (int t = 0; t < 9; t++)
            near((double)dw[t * CH + ch], (double)before[t * CH + ch] + grad_w[t], "weights", k, s);
    }
    float *const all[] = {x, dy, w, y, dx, dw, fx.p, fdy.p};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        mem_free(all[i]);
    mem_free(grad_x);
}

TEST(depthwise_3x3_is_the_textbook_s_in_all_passes)
{
    EACH_ISA(k)
    for (int stride = 1; stride <= 2; stride++)
        for (int h = 1; h <= SIDE_MAX; h += h < 8 ? 1 : 5)
            for (int w = 1; w <= SIDE_MAX; w += w < 9 ? 1 : 5)
                check_shape(k, &(struct conv_shape){CH, CH, h, w, (h - 1) / stride + 1,
                                                    (w - 1) / stride + 1, 3, stride, 1, true});
}

/* Wider than a run of batch norm's, and as the whole kernels have it, for every activation. */
TEST(frames_hold_what_batch_norm_s_kernels_make)
{
    static const int sizes[][2] = {{1, 1}, {3, 5}, {2, 300}};
    const enum act last = ACT_HARD_SIGMOID;

    EACH_ISA(k)
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        for (int half = 0; half < 2; half++)
            for (enum act act = ACT_NONE; act <= last; act++) {
                const int h = sizes[i][0], w = sizes[i][1];
                const size_t n = IMAGES * stride_of(h, w);
                float *y = random_floats(n), *g = random_floats(n), *a = random_floats(n);
                float *dy = random_floats(n), *p[6];
                for (int v = 0; v < 6; v++)
                    p[v] = random_floats(CH);
                float *source = y;
                if (half) {
                    source = random_floats(n);
                    k->round_half(y, source, n / CH * CH);
                }
                const struct bn_range r = {IMAGES, h * w, stride_of(h, w), half, false};
                const struct bn_grad b = {.range = r,
                                          .y = source,
                                          .g = {g},
                                          .g_count = 1,
                                          .dy = dy,
                                          .mean = p[0],
                                          .inv_std = p[1],
                                          .scale = p[2],
                                          .shift = p[3],
                                          .act = act};
                struct framed f = frame_of(k, y, h, w);
                k->bn_apply(&r, source, NULL, a, p[2], p[3], act, false);
                k->bn_grad_apply(&b, p[4], p[5]);
                for (int pass = 0; pass < 2; pass++) {
                    if (pass == 0)
                        k->frame_apply(&f, &r, source, p[2], p[3], act);
                    else
                        k->frame_grad(&f, &b, p[4], p[5]);
                    for (int at = 0; at < IMAGES * (h + 2) * (w + 2) * CH; at++) {
                        const int ch = at % CH, column = at / CH % (w + 2) - 1;
                        const int row = at / CH / (w + 2) % (h + 2) - 1;
                        const double want = pixel(pass ? dy : a, h, w, at / CH / (w + 2) / (h + 2),
                                                  row, column, ch);
                        CHECK(fabs((double)f.p[at] - want) < 1e-6);
                    }
                }
                float *const all[] = {y, g, a, dy, f.p, half ? source : NULL};
                for (size_t v = 0; v < sizeof all / sizeof all[0]; v++)
                    mem_free(all[v]);
                for (int v = 0; v < 6; v++)
                    mem_free(p[v]);
            }
}
