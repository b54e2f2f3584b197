/* portable_test.c - every kernel, in every instruction set this machine has, against the textbook
 * formula in double; gradients of batch norm against finite differences of it. */
#include "engine/kernel/portable/portable.c"

#include "base/hash.h"
#include "base/mem.h"
#include "base/test.h"
#include <math.h>

static const char *const isas[] = {"base", "avx2", "avx512"};

#define EACH_ISA(k)                                                                                \
    for (size_t isa_ = 0; isa_ < sizeof isas / sizeof isas[0]; isa_++)                             \
        for (const struct kernels *k = kernels_get(isas[isa_]); k; k = NULL)

static uint64_t draws;

static double unit(void)
{
    return rand_unit(rand_at(11, draws++, 0, 0));
}

static float *floats(size_t n)
{
    float *p = mem_alloc_aligned(64, n * sizeof *p);

    CHECK(p);
    return p;
}

static float *random_floats(size_t n)
{
    float *p = floats(n);

    for (size_t i = 0; i < n; i++)
        p[i] = (float)(2 * unit() - 1);
    return p;
}

/* |a - b| over |b|, as vectors */
static double difference(const float *a, const double *b, size_t n)
{
    double d = 0, s = 0;

    for (size_t i = 0; i < n; i++) {
        d += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
        s += b[i] * b[i];
    }
    return sqrt(d / (s > 0 ? s : 1));
}

/* ---- the textbook convolution, in the kernels' layouts */

static int block_of(const struct conv_shape *s)
{
    return s->ic < CH ? s->ic : CH;
}

static size_t x_at(const struct conv_shape *s, int n, int c, int y, int x)
{
    const int b = block_of(s);

    return ((((size_t)n * (size_t)(s->ic / b) + (size_t)(c / b)) * (size_t)s->ih + (size_t)y) *
                (size_t)s->iw +
            (size_t)x) *
               (size_t)b +
           (size_t)(c % b);
}

static size_t y_at(const struct conv_shape *s, int n, int c, int y, int x)
{
    return ((((size_t)n * (size_t)(s->oc / CH) + (size_t)(c / CH)) * (size_t)s->oh + (size_t)y) *
                (size_t)s->ow +
            (size_t)x) *
               CH +
           (size_t)(c % CH);
}

static size_t w_at(const struct conv_shape *s, int o, int i, int ky, int kx)
{
    const int b = block_of(s), tap = ky * s->k + kx, taps = s->k * s->k;

    if (s->depthwise)
        return (size_t)(o / CH * taps + tap) * CH + (size_t)(o % CH);
    return ((size_t)((o / CH * (s->ic / b) + i / b) * taps + tap) * (size_t)b + (size_t)(i % b)) *
               CH +
           (size_t)(o % CH);
}

struct conv_case {
    struct conv_shape s;
    int images;
    size_t xn, wn, yn;
    float *x, *w, *dy;   /* random */
    double *y, *dx, *dw; /* expected */
    float *got, *swapped, *scratch;
};

/* All three passes at once: each product x * w * dy belongs to one element of each result. */
static void expect(struct conv_case *c)
{
    const struct conv_shape *s = &c->s;

    for (int n = 0; n < c->images; n++)
        for (int o = 0; o < s->oc; o++)
            for (int i = s->depthwise ? o : 0; i < (s->depthwise ? o + 1 : s->ic); i++)
                for (int oy = 0; oy < s->oh; oy++)
                    for (int ox = 0; ox < s->ow; ox++)
                        for (int t = 0; t < s->k * s->k; t++) {
                            const int iy = oy * s->stride - s->pad + t / s->k;
                            const int ix = ox * s->stride - s->pad + t % s->k;
                            if (iy < 0 || iy >= s->ih || ix < 0 || ix >= s->iw)
                                continue;
                            const size_t xa = x_at(s, n, i, iy, ix), ya = y_at(s, n, o, oy, ox);
                            const size_t wa = w_at(s, o, i, t / s->k, t % s->k);
                            c->y[ya] += (double)c->x[xa] * (double)c->w[wa];
                            c->dx[xa] += (double)c->w[wa] * (double)c->dy[ya];
                            c->dw[wa] += (double)c->x[xa] * (double)c->dy[ya];
                        }
}

static struct conv_case conv_case(struct conv_shape s, int images)
{
    struct conv_case c = {.s = s, .images = images};
    const size_t inputs = s.depthwise ? 1 : (size_t)s.ic;

    c.s.oh = (s.ih + 2 * s.pad - s.k) / s.stride + 1;
    c.s.ow = (s.iw + 2 * s.pad - s.k) / s.stride + 1;
    c.xn = (size_t)(images * s.ic * s.ih * s.iw);
    c.wn = (size_t)(s.oc * s.k * s.k) * inputs;
    c.yn = (size_t)(images * s.oc * c.s.oh * c.s.ow);
    c.x = random_floats(c.xn);
    c.w = random_floats(c.wn);
    c.dy = random_floats(c.yn);
    c.y = mem_zalloc(c.yn * sizeof *c.y);
    c.dx = mem_zalloc(c.xn * sizeof *c.dx);
    c.dw = mem_zalloc(c.wn * sizeof *c.dw);
    c.got = floats(c.xn + c.wn + c.yn);
    c.swapped = floats(c.wn);
    expect(&c);
    return c;
}

static void conv_case_done(struct conv_case *c)
{
    void *const all[] = {c->x, c->w, c->dy, c->y, c->dx, c->dw, c->got, c->swapped, c->scratch};

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        mem_free(all[i]);
}

static void check_direct(const struct kernels *k, struct conv_case *c)
{
    const struct conv_shape *s = &c->s;
    const int out = s->oc / CH, in = s->ic / block_of(s);
    const size_t x_image = c->xn / (size_t)c->images, y_image = c->yn / (size_t)c->images;

    mem_free(c->scratch);
    c->scratch = floats(k->conv_scratch(s));
    for (size_t n = 0; n < (size_t)c->images; n++) { /* in two pieces of output channels */
        const float *x = c->x + n * x_image;
        float *y = c->got + n * y_image;
        k->conv_forward(s, x, c->w, y, 0, s->oh, 0, out / 2, NULL, c->scratch);
        k->conv_forward(s, x, c->w, y, 0, s->oh, out / 2, out, NULL, c->scratch);
    }
    CHECK(difference(c->got, c->y, c->yn) < 2e-6);
    memset(c->got, 0xff, c->yn * sizeof *c->got);
    for (int n = 0; n < c->images; n++) /* and row by row */
        for (int row = 0; row < s->oh; row++)
            k->conv_forward(s, c->x + (size_t)n * x_image, c->w, c->got + (size_t)n * y_image, row,
                            row + 1, 0, out, NULL, c->scratch);
    CHECK(difference(c->got, c->y, c->yn) < 2e-6);
    for (int ib = 0; ib < in; ib++) {
        k->conv_backward_weights(s, c->images, c->x, c->dy, c->got, ib, 0, out / 2, c->scratch);
        k->conv_backward_weights(s, c->images, c->x, c->dy, c->got, ib, out / 2, out, c->scratch);
    }
    CHECK(difference(c->got, c->dw, c->wn) < 2e-6);
    if (s->ic < CH)
        return; /* the image has no gradient */
    for (int ib = 0; ib < in; ib++)
        k->conv_swap_weights(s, c->w, c->swapped, ib, false);
    for (size_t n = 0; n < (size_t)c->images; n++)
        k->conv_backward_data(s, c->dy + n * y_image, c->swapped, c->got + n * x_image, 0, in,
                              c->scratch);
    CHECK(difference(c->got, c->dx, c->xn) < 2e-6);
}

TEST(direct_convolution_is_the_textbook_s_in_all_passes)
{
    const struct conv_shape shapes[] = {
        {.ic = 16, .oc = 16, .ih = 5, .iw = 7, .k = 3, .stride = 1, .pad = 1},
        {.ic = 32, .oc = 48, .ih = 6, .iw = 6, .k = 3, .stride = 2, .pad = 1},
        {.ic = 16, .oc = 80, .ih = 7, .iw = 5, .k = 3, .stride = 2, .pad = 1},
        {.ic = 32, .oc = 16, .ih = 4, .iw = 9, .k = 1, .stride = 1, .pad = 0},
        {.ic = 16, .oc = 32, .ih = 7, .iw = 7, .k = 1, .stride = 2, .pad = 0},
        {.ic = 16, .oc = 16, .ih = 1, .iw = 1, .k = 3, .stride = 1, .pad = 1},
        {.ic = 16, .oc = 16, .ih = 1, .iw = 2, .k = 3, .stride = 2, .pad = 1},
        {.ic = 16, .oc = 16, .ih = 6, .iw = 6, .k = 5, .stride = 3, .pad = 2},
        {.ic = 16, .oc = 16, .ih = 8, .iw = 8, .k = 2, .stride = 2, .pad = 0},
        {.ic = CH_IMAGE, .oc = 16, .ih = 9, .iw = 9, .k = 3, .stride = 1, .pad = 1},
        {.ic = CH_IMAGE, .oc = 64, .ih = 13, .iw = 11, .k = 7, .stride = 2, .pad = 3},
    };

    EACH_ISA(k)
    {
        for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
            struct conv_case c = conv_case(shapes[i], 2);
            check_direct(k, &c);
            conv_case_done(&c);
        }
    }
}

TEST(depthwise_convolution_is_the_textbook_s_in_all_passes)
{
    EACH_ISA(k)
    {
        for (int i = 0; i < 24; i++) {
            const int size = 3 + i / 2 % 3 * 2, taps = size * size;
            struct conv_case c = conv_case((struct conv_shape){.ic = 32,
                                                               .oc = 32,
                                                               .ih = 6 - i / 6,
                                                               .iw = 1 + i / 6 * 5,
                                                               .k = size,
                                                               .stride = 1 + i % 2,
                                                               .pad = size / 2,
                                                               .depthwise = true},
                                           3);
            const struct conv_shape *s = &c.s;
            const size_t in = (size_t)(s->ih * s->iw * CH), out = (size_t)(s->oh * s->ow * CH);
            for (size_t n = 0; n < 6; n++) /* three images of two blocks */
                k->depthwise_forward(s, c.x + n * in, c.w + (int)(n % 2) * taps * CH,
                                     c.got + n * out, NULL);
            CHECK(difference(c.got, c.y, c.yn) < 1e-6);
            for (size_t n = 0; n < 6; n++)
                k->depthwise_backward_data(s, c.dy + n * out, c.w + (int)(n % 2) * taps * CH,
                                           c.got + n * in);
            CHECK(difference(c.got, c.dx, c.xn) < 1e-6);
            for (size_t b = 0; b < 2; b++)
                k->depthwise_backward_weights(s, 3, c.x + b * in, c.dy + b * out,
                                              c.got + (int)b * taps * CH);
            CHECK(difference(c.got, c.dw, c.wn) < 1e-6);
            conv_case_done(&c);
        }
    }
}

/* ---- bfloat16 */

static uint32_t bits_of(float v)
{
    uint32_t u;

    memcpy(&u, &v, sizeof u);
    return u;
}

static float of_half(uint16_t h)
{
    const uint32_t u = (uint32_t)h << 16;
    float v;

    memcpy(&v, &u, sizeof v);
    return v;
}

TEST(bfloat16_rounds_to_the_nearest_and_ties_to_even)
{
    static const struct {
        float from;
        uint16_t to;
    } cases[] = {{0, 0},
                 {-0.0f, 0x8000},
                 {1, 0x3f80},
                 {1 + 0x1p-8f, 0x3f80},           /* a tie: down to even */
                 {1 + 0x1p-7f + 0x1p-8f, 0x3f82}, /* a tie: up to even */
                 {1 + 0x1p-8f + 0x1p-20f, 0x3f81},
                 {3.4e38f, 0x7f80},   /* beyond the largest: infinity */
                 {0x1p-140f, 0x0000}, /* subnormal */
                 {-__builtin_inff(), 0xff80}};

    EACH_ISA(k)
    {
        float *x = floats(CH), *y = floats(CH);
        const uint16_t *half = (const uint16_t *)(const void *)y;
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
            x[i] = cases[i].from;
        for (size_t i = sizeof cases / sizeof cases[0]; i < CH; i++)
            x[i] = -__builtin_nanf("0x7fffff");
        k->round_half(x, y, CH);
        for (size_t i = 0; i < CH; i++) {
            if (i >= sizeof cases / sizeof cases[0])
                CHECK(isnan(of_half(half[i])));
            else if (half[i] != cases[i].to)
                test_fail(__FILE__, __LINE__, "%g (%08x) becomes %04x", (double)x[i], bits_of(x[i]),
                          half[i]);
        }
        mem_free(x);
        mem_free(y);
    }
}

TEST(winograd_writes_bfloat16_as_it_rounds_floats)
{
    static const struct epilogue half = {.half = true};

    EACH_ISA(k)
    {
        for (int stride = 1; stride < 3; stride++) {
            struct conv_case c = conv_case(
                (struct conv_shape){
                    .ic = 32, .oc = 48, .ih = 9, .iw = 7, .k = 3, .stride = stride, .pad = 1},
                1);
            const struct conv_shape *s = &c.s;
            const int tiles = (s->oh + 3) / 4 * ((s->ow + 3) / 4);
            float *y = floats(c.yn), *u = floats((size_t)(36 * s->ic * s->oc));
            c.scratch = floats(k->wino_scratch(s, tiles));
            for (int ob = 0; ob < s->oc / CH; ob++)
                k->wino_weights(s, c.w, u, ob, false);
            k->wino_forward(s, false, c.x, u, c.got, 0, tiles, NULL, c.scratch);
            k->wino_forward(s, false, c.x, u, y, 0, tiles, &half, c.scratch);
            k->round_half(c.got, c.got, c.yn);
            CHECK(memcmp(c.got, y, c.yn * sizeof(uint16_t)) == 0);
            mem_free(y);
            mem_free(u);
            conv_case_done(&c);
        }
    }
}

TEST(batch_norm_reads_bfloat16_as_the_floats_it_stands_for)
{
    enum { PIXELS = 300, PICTURES = 2, ALL = PIXELS * PICTURES * CH };

    EACH_ISA(k)
    {
        float *wide = random_floats(ALL), *y = floats(ALL), *g[2], *out[2];
        float *mean = random_floats(CH), *scale = random_floats(CH), *shift = random_floats(CH);
        double sums[2][4][CH] = {{{0}}};
        k->round_half(wide, y, ALL);
        for (int i = 0; i < ALL; i++)
            wide[i] = of_half(((const uint16_t *)(const void *)y)[i]);
        for (int h = 0; h < 2; h++) {
            const struct bn_range r = {PICTURES, PIXELS, PIXELS * CH, h == 1};
            const float *from = h ? y : wide;
            g[h] = floats(ALL);
            out[h] = floats(ALL);
            for (int i = 0; i < ALL; i++)
                g[h][i] = (float)(i % 37) - 18;
            k->bn_sums(&r, from, mean, sums[h][0], sums[h][1]);
            k->bn_apply(&r, from, NULL, out[h], scale, shift, ACT_SILU, false);
            const struct bn_grad b = {.range = r,
                                      .y = from,
                                      .g = {g[h]},
                                      .g_count = 1,
                                      .dy = g[h],
                                      .mean = mean,
                                      .inv_std = scale,
                                      .scale = scale,
                                      .shift = shift,
                                      .act = ACT_SILU};
            k->bn_grad_sums(&b, sums[h][2], sums[h][3]);
            k->bn_grad_apply(&b, mean, shift);
        }
        CHECK(memcmp(sums[0], sums[1], sizeof sums[0]) == 0);
        CHECK(memcmp(out[0], out[1], ALL * sizeof(float)) == 0);
        CHECK(memcmp(g[0], g[1], ALL * sizeof(float)) == 0);
        float *all[] = {wide, y, g[0], g[1], out[0], out[1], mean, scale, shift};
        for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
            mem_free(all[i]);
    }
}

/* ---- rows */

TEST(winograd_by_columns_agrees_with_the_textbook)
{
    const struct conv_shape shapes[] = {
        {.ic = 32, .oc = 128, .ih = 4, .iw = 4, .k = 3, .stride = 1, .pad = 1},
        {.ic = 16, .oc = 64, .ih = 7, .iw = 5, .k = 3, .stride = 1, .pad = 1},
        {.ic = 48, .oc = 64, .ih = 1, .iw = 1, .k = 3, .stride = 1, .pad = 1},
    };

    EACH_ISA(k)
    {
        for (int i = 0; i < 6; i++) {
            const int tile = i % 2 ? 4 : 2;
            struct conv_case c = conv_case(shapes[i / 2], 3);
            const struct conv_shape *s = &c.s;
            const int tiles = 3 * ((s->oh + tile - 1) / tile) * ((s->ow + tile - 1) / tile);
            const struct wino_cols_room room = k->wino_cols_room(s, tile, tiles);
            float *v = floats(room.v), *u = floats(room.weights), *scratch = floats(room.scratch);
            float *bias = random_floats((size_t)s->oc), *residual = random_floats(c.yn);
            const struct epilogue e = {bias, residual, ACT_RELU, false};
            for (int ob = 0; ob < s->oc / CH; ob++)
                k->wino_cols_weights(s, tile, c.w, u, ob);
            for (int t = 0; t < tiles; t += 2)
                k->wino_cols_tiles(s, tile, c.x, v, t, t + 2 < tiles ? t + 2 : tiles, tiles);
            for (int group = 0; group < s->oc / WINO_COLS; group++)
                k->wino_cols_forward(s, tile, v, u, c.got, group, tiles, &e, scratch);
            for (size_t at = 0; at < c.yn; at++) {
                const size_t pixels = (size_t)(s->oh * s->ow);
                const size_t ch = at / (pixels * CH) % (size_t)(s->oc / CH) * CH + at % CH;
                const double z = c.y[at] + (double)bias[ch] + (double)residual[at];
                c.y[at] = z > 0 ? z : 0;
            }
            CHECK(difference(c.got, c.y, c.yn) < (tile == 2 ? 1e-6 : 2e-5));
            mem_free(v);
            mem_free(u);
            mem_free(scratch);
            mem_free(bias);
            mem_free(residual);
            conv_case_done(&c);
        }
    }
}

TEST(rows_of_small_pictures_agree_with_the_textbook)
{
    const struct conv_shape shapes[] = {
        {.ic = 32, .oc = 80, .ih = 4, .iw = 4, .k = 3, .stride = 1, .pad = 1},
        {.ic = 16, .oc = 32, .ih = 7, .iw = 5, .k = 3, .stride = 2, .pad = 1},
        {.ic = 48, .oc = 16, .ih = 5, .iw = 6, .k = 1, .stride = 2, .pad = 0},
    };

    EACH_ISA(k)
    {
        for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
            struct conv_case c = conv_case(shapes[i], 3);
            const struct conv_shape *s = &c.s;
            const size_t of_image = (size_t)(s->oh * s->ow * s->k * s->k * s->ic);
            float *rows = floats(3 * of_image);
            for (size_t n = 0; n < 3; n++)
                for (int ib = 0; ib < s->ic / CH; ib++)
                    k->conv_rows(s, c.x + n * c.xn / 3, rows + n * of_image, ib);
            k->conv_forward_rows(s, 3, rows, c.w, c.got, 0, 1, NULL);
            k->conv_forward_rows(s, 3, rows, c.w, c.got, 1, s->oc / CH, NULL);
            CHECK(difference(c.got, c.y, c.yn) < 1e-6);
            mem_free(rows);
            conv_case_done(&c);
        }
    }
}

/* ---- Winograd */

static void check_winograd(const struct kernels *k, struct conv_case *c)
{
    const struct conv_shape *s = &c->s;
    const int tiles = c->images * ((s->oh + 3) / 4) * ((s->ow + 3) / 4), cut = tiles / 3;
    const size_t points = (size_t)(36 * s->ic * s->oc);
    float *u = floats(points), *vz = floats(k->wino_scratch(s, tiles));

    mem_free(c->scratch);
    c->scratch = floats(k->wino_scratch(s, tiles));
    for (int ob = 0; ob < s->oc / CH; ob++)
        k->wino_weights(s, c->w, u, ob, false);
    k->wino_forward(s, false, c->x, u, c->got, 0, cut, NULL, c->scratch);
    k->wino_forward(s, false, c->x, u, c->got, cut, tiles, NULL, c->scratch);
    CHECK(difference(c->got, c->y, c->yn) < 2e-5);
    for (int ib = 0; ib < s->ic / CH; ib++)
        k->wino_weights(s, c->w, u, ib, true);
    k->wino_forward(s, true, c->dy, u, c->got, 0, tiles, NULL, c->scratch);
    CHECK(difference(c->got, c->dx, c->xn) < 2e-5);
    for (int base = 0, chunk = tiles - cut; base < tiles; base += chunk) {
        const int n = tiles - base < chunk ? tiles - base : chunk;
        k->wino_grad_tiles(s, c->x, c->dy, vz, base, base + n, base, chunk);
        for (int point = 0; point < 36; point++) {
            k->wino_grad_multiply(s, vz, u, point, 0, CH, n, chunk, base > 0);
            k->wino_grad_multiply(s, vz, u, point, CH, s->ic, n, chunk, base > 0);
        }
    }
    for (int ob = 0; ob < s->oc / CH; ob++)
        k->wino_grad_weights(s, u, c->got, ob);
    CHECK(difference(c->got, c->dw, c->wn) < 2e-5);
    mem_free(u);
    mem_free(vz);
}

TEST(winograd_agrees_with_the_textbook_at_all_borders)
{
    const struct conv_shape shapes[] = {
        {.ic = 32, .oc = 16, .ih = 8, .iw = 8, .k = 3, .stride = 1, .pad = 1},
        {.ic = 32, .oc = 64, .ih = 5, .iw = 7, .k = 3, .stride = 1, .pad = 1},
        {.ic = 32, .oc = 48, .ih = 3, .iw = 11, .k = 3, .stride = 1, .pad = 1},
        {.ic = 64, .oc = 32, .ih = 1, .iw = 1, .k = 3, .stride = 1, .pad = 1},
        {.ic = 32, .oc = 64, .ih = 16, .iw = 16, .k = 3, .stride = 2, .pad = 1},
        {.ic = 32, .oc = 16, .ih = 7, .iw = 10, .k = 3, .stride = 2, .pad = 1},
        {.ic = 32, .oc = 48, .ih = 3, .iw = 17, .k = 3, .stride = 2, .pad = 1},
        {.ic = 64, .oc = 32, .ih = 1, .iw = 2, .k = 3, .stride = 2, .pad = 1},
    };

    EACH_ISA(k)
    {
        for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
            struct conv_case c = conv_case(shapes[i], 2);
            check_winograd(k, &c);
            conv_case_done(&c);
        }
    }
}

static double activation(double z, enum act act)
{
    switch (act) {
    case ACT_NONE:
        return z;
    case ACT_RELU:
        return z > 0 ? z : 0;
    case ACT_RELU6:
        return z < 0 ? 0 : z > 6 ? 6 : z;
    case ACT_SILU:
        return z / (1 + exp(-z));
    case ACT_SIGMOID:
        return 1 / (1 + exp(-z));
    case ACT_HARD_SWISH:
        return z * activation(z, ACT_HARD_SIGMOID);
    case ACT_HARD_SIGMOID:
        return activation(z + 3, ACT_RELU6) / 6;
    }
    return z;
}

TEST(depthwise_inference_fuses_bias_residual_and_activation)
{
    EACH_ISA(k)
    {
        for (int kind = 0; kind <= 4 * ACT_HARD_SIGMOID + 3; kind++) {
            const enum act act = (enum act)(kind / 4);
            const bool after = kind % 2, add = kind / 2 % 2;
            struct conv_case c = conv_case((struct conv_shape){.ic = 16,
                                                               .oc = 16,
                                                               .ih = 4,
                                                               .iw = 11,
                                                               .k = 3,
                                                               .stride = 1,
                                                               .pad = 1,
                                                               .depthwise = true},
                                           1);
            float *bias = random_floats(CH);
            const struct epilogue e = {bias, add ? c.got : NULL, act, after};
            for (size_t i = 0; i < c.yn; i++) {
                const double r = add ? (double)c.dy[i] : 0, before = after ? 0 : r;
                c.y[i] = activation(c.y[i] + (double)bias[i % CH] + before, act) + (r - before);
            }
            memcpy(c.got, c.dy, c.yn * sizeof(float)); /* the residual lies in the output */
            k->depthwise_forward(&c.s, c.x, c.w, c.got, &e);
            CHECK(difference(c.got, c.y, c.yn) < 3e-6);
            mem_free(bias);
            conv_case_done(&c);
        }
    }
}

TEST(inference_fuses_bias_residual_and_activation)
{
    EACH_ISA(k)
    {
        for (int kind = 0; kind <= 2 * ACT_HARD_SIGMOID + 1; kind++) {
            const enum act act = (enum act)(kind / 2);
            const bool after = kind % 2;
            struct conv_case c = conv_case(
                (struct conv_shape){
                    .ic = 16, .oc = 32, .ih = 5, .iw = 6, .k = 3, .stride = 1, .pad = 1},
                2);
            const struct conv_shape *s = &c.s;
            const size_t y_image = c.yn / 2;
            float *bias = random_floats(32), *u = floats(36 * 16 * 32);
            for (size_t i = 0; i < c.yn; i++) {
                const size_t ch = i / (size_t)(s->oh * s->ow * CH) % 2 * CH + i % CH;
                const double add = (double)c.dy[i], before = after ? 0 : add;
                c.y[i] = activation(c.y[i] + (double)bias[ch] + before, act) + (add - before);
            }
            c.scratch = floats(k->conv_scratch(s) + k->wino_scratch(s, 8));
            memcpy(c.got, c.dy, c.yn * sizeof(float)); /* the residual lies in the output */
            for (size_t n = 0; n < 2; n++) {
                const struct epilogue e = {bias, c.got + n * y_image, act, after};
                for (int ob = 0; ob < 2; ob++)
                    k->conv_forward(s, c.x + n * c.xn / 2, c.w, c.got + n * y_image, 0, s->oh, ob,
                                    ob + 1, &e, c.scratch);
            }
            CHECK(difference(c.got, c.y, c.yn) < 3e-6);
            memcpy(c.got, c.dy, c.yn * sizeof(float));
            for (int ob = 0; ob < 2; ob++)
                k->wino_weights(s, c.w, u, ob, false);
            const struct epilogue e = {bias, c.got, act, after};
            k->wino_forward(s, false, c.x, u, c.got, 0, 8, &e, c.scratch);
            CHECK(difference(c.got, c.y, c.yn) < 2e-5);
            mem_free(bias);
            mem_free(u);
            conv_case_done(&c);
        }
    }
}

/* ---- batch norm */

enum { IMAGES = 3, HW = 5, N = IMAGES * HW * CH };

struct norm_case {
    float *y, *residual, *weight, *g[3];
    float gamma[CH], beta[CH];
    enum act act;
    bool add, after;
    int contributions;
};

/* sum over elements of g * act(gamma * xhat + beta + residual), in double */
static double norm_loss(const struct norm_case *c, const double *y, const double *residual,
                        const double *gamma, const double *beta)
{
    double loss = 0;

    for (int ch = 0; ch < CH; ch++) {
        double mean = 0, variance = 0;
        for (int i = ch; i < N; i += CH)
            mean += y[i] / (IMAGES * HW);
        for (int i = ch; i < N; i += CH)
            variance += (y[i] - mean) * (y[i] - mean) / (IMAGES * HW);
        for (int i = ch; i < N; i += CH) {
            const double z = (y[i] - mean) / sqrt(variance + 1e-5) * gamma[ch] + beta[ch] +
                             (c->add && !c->after ? residual[i] : 0);
            double g = 0;
            for (int j = 0; j < c->contributions; j++)
                g += (double)c->g[j][i];
            loss += g * (activation(z, c->act) + (c->add && c->after ? residual[i] : 0));
        }
    }
    return loss;
}

/* Central difference in one number. */
static double slope(const struct norm_case *c, double *y, double *residual, double *gamma,
                    double *beta, double *at)
{
    const double h = 1e-5, keep = *at;

    *at = keep + h;
    const double up = norm_loss(c, y, residual, gamma, beta);
    *at = keep - h;
    const double down = norm_loss(c, y, residual, gamma, beta);
    *at = keep;
    return (up - down) / (2 * h);
}

static void check_norm(const struct kernels *k, enum act act, bool add, bool after,
                       int contributions)
{
    struct norm_case c = {.act = act, .add = add, .after = after, .contributions = contributions};
    const struct bn_range range = {IMAGES, HW, HW * CH};
    double y[N], residual[N], gamma[CH], beta[CH], sum[CH] = {0}, square[CH] = {0};
    double want[N], want_residual[N], want_gamma[CH], want_beta[CH];
    float *a = floats(N), *dy = floats(N), *v = floats(8 * CH);
    float *mean = v, *inv = v + CH, *scale = v + 2 * CH, *shift = v + 3 * CH, *pivot = v + 4 * CH;

    c.y = random_floats(N);
    c.residual = random_floats(N);
    for (int i = 0; i < 3; i++)
        c.g[i] = random_floats(N);
    for (int i = 0; i < N; i++) {
        c.y[i] = 4 * c.y[i] + 1;
        y[i] = (double)c.y[i];
        residual[i] = (double)c.residual[i];
    }
    for (int i = 0; i < CH; i++) {
        gamma[i] = (double)(c.gamma[i] = (float)(4 * unit() + 0.5)); /* some pass 6, for ReLU6 */
        beta[i] = (double)(c.beta[i] = (float)(2 * unit() - 1));
        pivot[i] = (float)unit();
    }
    for (int i = 0; i < N; i++) {
        want[i] = slope(&c, y, residual, gamma, beta, &y[i]);
        want_residual[i] = slope(&c, y, residual, gamma, beta, &residual[i]);
    }
    for (int i = 0; i < CH; i++) {
        want_gamma[i] = slope(&c, y, residual, gamma, beta, &gamma[i]);
        want_beta[i] = slope(&c, y, residual, gamma, beta, &beta[i]);
    }
    k->bn_sums(&range, c.y, pivot, sum, square);
    for (int i = 0; i < CH; i++) {
        const double m = sum[i] / (IMAGES * HW), s = square[i] / (IMAGES * HW) - m * m;
        mean[i] = (float)(m + (double)pivot[i]);
        inv[i] = (float)(1 / sqrt(s + 1e-5));
        scale[i] = c.gamma[i] * inv[i];
        shift[i] = c.beta[i] - mean[i] * scale[i];
    }
    k->bn_apply(&range, c.y, add ? c.residual : NULL, a, scale, shift, act, after);
    struct bn_grad b = {.range = range,
                        .y = c.y,
                        .a = a,
                        .g_count = contributions,
                        .mean = mean,
                        .inv_std = inv,
                        .scale = scale,
                        .shift = shift,
                        .act = act,
                        .residual = add,
                        .after = after};
    for (int i = 0; i < 3; i++)
        b.g[i] = c.g[i];
    b.dy = add ? dy : b.g[0]; /* in place, as the graph does it */
    double got_beta[CH] = {0}, got_gamma[CH] = {0};
    k->bn_grad_sums(&b, got_beta, got_gamma);
    for (int i = 0; i < CH; i++) {
        CHECK(fabs(got_beta[i] - want_beta[i]) < 1e-3 * (1 + fabs(want_beta[i])));
        CHECK(fabs(got_gamma[i] - want_gamma[i]) < 1e-3 * (1 + fabs(want_gamma[i])));
        mean[4 * CH + i] = (float)(got_beta[i] / (IMAGES * HW));
        mean[5 * CH + i] = (float)(got_gamma[i] / (IMAGES * HW));
    }
    k->bn_grad_apply(&b, mean + 4 * CH, mean + 5 * CH);
    CHECK(difference(b.dy, want, N) < 1e-4);
    if (add)
        CHECK(difference(c.g[0], want_residual, N) < 1e-4);
    void *const all[] = {a, dy, v, c.y, c.residual, c.g[0], c.g[1], c.g[2]};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        mem_free(all[i]);
}

TEST(batch_norm_s_gradients_are_the_finite_differences)
{
    EACH_ISA(k)
    {
        for (enum act act = ACT_NONE; act <= ACT_HARD_SIGMOID; act++)
            for (int contributions = 1; contributions <= 3; contributions++) {
                check_norm(k, act, false, false, contributions);
                check_norm(k, act, true, true, contributions);
                if (act <= ACT_RELU6)
                    check_norm(k, act, true, false, contributions);
            }
    }
}

/* ---- the rest */

TEST(max_pool_takes_the_first_maximum_and_returns_its_gradient)
{
    enum { IH = 5, IW = 6, OH = 3, OW = 3 };

    EACH_ISA(k)
    {
        float *x = random_floats(IH * IW * CH), *y = floats(OH * OW * CH),
              *dx = floats(IH * IW * CH);
        float *g[2] = {random_floats(OH * OW * CH), random_floats(OH * OW * CH)};
        unsigned char from[OH * OW * CH];
        double want[IH * IW * CH] = {0};
        for (int i = 0; i < CH; i++)
            x[(1 * IW + 1) * CH + i] = x[(1 * IW + 2) * CH + i] = 3; /* a tie */
        const struct pool_shape s = {IH, IW, OH, OW, 3, 2, 1};
        k->max_pool(&s, x, y, from);
        for (int o = 0; o < OH * OW * CH; o++) {
            const int oy = o / CH / OW, ox = o / CH % OW, ch = o % CH;
            int best = -1;
            for (int iy = oy * 2 - 1; iy <= oy * 2 + 1; iy++)
                for (int ix = ox * 2 - 1; ix <= ox * 2 + 1; ix++)
                    if (iy >= 0 && iy < IH && ix >= 0 && ix < IW) {
                        const int at = (iy * IW + ix) * CH + ch;
                        if (best < 0 || x[at] > x[best])
                            best = at;
                    }
            CHECK(y[o] == x[best]);
            want[best] += (double)g[0][o] + (double)g[1][o];
        }
        k->max_pool_grad(&s, g, 2, from, dx);
        CHECK(difference(dx, want, IH * IW * CH) < 1e-6);
        k->max_pool(&s, x, y, NULL); /* inference does not remember */
        mem_free(x);
        mem_free(y);
        mem_free(dx);
        mem_free(g[0]);
        mem_free(g[1]);
    }
}

TEST(image_is_packed_to_four_channels_and_pixels_are_averaged)
{
    EACH_ISA(k)
    {
        float *x = random_floats(3 * 2 * 3), *packed = floats(4 * 2 * 3), *row = floats(2 * CH);
        float *pixels = random_floats(5 * CH);
        k->image_pack(x, packed, 6, 0, 2);
        k->image_pack(x, packed, 6, 2, 4);
        for (int i = 0; i < 6; i++) {
            for (int c = 0; c < 3; c++)
                CHECK(packed[i * 4 + c] == x[c * 6 + i]);
            CHECK(packed[i * 4 + 3] == 0);
        }
        k->average(pixels, row, 5);
        for (int c = 0; c < CH; c++) {
            double mean = 0;
            for (int i = 0; i < 5; i++)
                mean += (double)pixels[i * CH + c] / 5;
            CHECK(fabs((double)row[c] - mean) < 1e-6);
        }
        k->average_grad(row, pixels, 5);
        CHECK(pixels[4 * CH + 7] == row[7] / 5);
        mem_free(x);
        mem_free(packed);
        mem_free(row);
        mem_free(pixels);
    }
}

/* torch.optim's rules, written out in double. */
TEST(optimisers_follow_the_rules_of_pytorch)
{
    EACH_ISA(k)
    {
        enum { STEPS = 5 };
        float *p = random_floats(CH), *m = floats(CH), *v = floats(CH);
        float *q = random_floats(CH), *buffer = floats(CH);
        double dp[CH], dm[CH] = {0}, dv[CH] = {0}, dq[CH], db[CH] = {0};
        for (int i = 0; i < CH; i++) {
            dp[i] = (double)p[i];
            dq[i] = (double)q[i];
        }
        for (int step = 1; step <= STEPS; step++) {
            float *g = random_floats(CH);
            const double b1 = 1 - pow(0.9, step), b2 = 1 - pow(0.999, step);
            const struct adamw a = {0.9f,
                                    0.1f,
                                    0.999f,
                                    0.001f,
                                    1e-8f,
                                    (float)(0.1 / b1),
                                    (float)(1 / sqrt(b2)),
                                    1 - 0.1f * 0.02f,
                                    1};
            k->adamw(p, g, m, v, CH, &a);
            k->sgd(q, g, buffer, CH, 0.1f, 0.9f, step % 2, 0.01f, 0.5f);
            for (int i = 0; i < CH; i++) {
                const double grad = (double)g[i], half = 0.5 * grad + 0.01 * dq[i];
                dp[i] *= 1 - 0.1 * 0.02;
                dm[i] = 0.9 * dm[i] + 0.1 * grad;
                dv[i] = 0.999 * dv[i] + 0.001 * grad * grad;
                dp[i] -= 0.1 * (dm[i] / b1) / (sqrt(dv[i] / b2) + 1e-8);
                db[i] = 0.9 * db[i] + half;
                dq[i] -= 0.1 * (step % 2 ? half + 0.9 * db[i] : db[i]);
            }
            mem_free(g);
        }
        CHECK(difference(p, dp, CH) < 2e-6);
        CHECK(difference(q, dq, CH) < 2e-6);
        mem_free(p);
        mem_free(m);
        mem_free(v);
        mem_free(q);
        mem_free(buffer);
    }
}

TEST(vector_sums_are_right_for_long_vectors)
{
    EACH_ISA(k)
    {
        const size_t n = 16 * 300 * CH;
        float *a = random_floats(n), *b = random_floats(n), *c = floats(n);
        const float *parts[3] = {a, b, a};
        double dot = 0, square = 0;
        for (size_t i = 0; i < n; i++) {
            square += (double)a[i] * (double)a[i];
            dot += i < 512 ? (double)a[i] * (double)b[i] : 0;
        }
        CHECK(fabs((double)k->dot(a, b, 512) - dot) < 1e-4);
        CHECK(fabs(k->square_sum(a, n) - square) < 1e-5 * square);
        k->sum_into(c, parts, 3, CH, n - CH);
        CHECK(c[0] == 0 && fabsf(c[CH] - (2 * a[CH] + b[CH])) < 1e-6f);
        k->add_scaled(c, a, -2, n);
        CHECK(fabsf(c[n - 1] - b[n - 1]) < 1e-6f);
        mem_free(a);
        mem_free(b);
        mem_free(c);
    }
}
