/* augment.c - see augment.h. */
#include "engine/feed/augment.h"

#include "base/mem.h"
#include <math.h>

enum draw { /* numbers of the draws; changing one changes every trained model */
            DRAW_ORDER,
            DRAW_FLIP,
            DRAW_VERTICAL,
            DRAW_X,
            DRAW_Y,
            DRAW_BRIGHTNESS,
            DRAW_CONTRAST,
            DRAW_SATURATION,
            DRAW_HUE,
            DRAW_AREA = 16,
            /* + try */ DRAW_ASPECT = 32, /* + try */
            DRAW_MIXUP = 1024,            /* + 2 * try */
};
enum { CROP_TRIES = 10, MIXUP_TRIES = 100000, PAD_BELOW = 96 };

struct dice {
    uint64_t seed;
    int64_t epoch;
    uint32_t index;
};

static double unit(const struct dice *d, unsigned draw)
{
    return rand_unit(rand_at(d->seed, (uint64_t)d->epoch, d->index, draw));
}

static int32_t below(const struct dice *d, unsigned draw, int32_t n)
{
    return (int32_t)(unit(d, draw) * n); /* n is far below 2^53 */
}

void augment_setup(const struct train_spec *s, int32_t size, struct augment *a, struct frame *f)
{
    *a = (struct augment){
        .crop = s->crop == CROP_AUTO ? (size < PAD_BELOW ? CROP_PAD : CROP_RESIZED)
                                     : (enum crop_kind)s->crop,
        .padding = (int32_t)s->crop_padding,
        .scale_min = s->crop_scale_min,
        .flip = s->flip,
        .vertical_flip = s->vertical_flip,
        .brightness = s->brightness,
        .contrast = s->contrast,
        .saturation = s->saturation,
        .hue = s->hue,
        .mixup = s->mixup,
    };
    *f = (struct frame){.size = size, .fit = FRAME_SQUASH, .work_side = size};
    memcpy(f->mean, frame_imagenet_mean, sizeof f->mean);
    memcpy(f->std, frame_imagenet_std, sizeof f->std);
    if (a->crop == CROP_RESIZED) {
        /* so large that the smallest crop still has `size` pixels, within reason */
        double room = 1 / sqrt(a->scale_min);
        room = room < 8.0 / 7.0 ? 8.0 / 7.0 : room > 2 ? 2 : room;
        f->fit = FRAME_CENTER_CROP;
        f->work_side = (int32_t)ceil(size * room);
    }
}

/* ---- crops */

static struct image_rect random_area(const struct augment *a, const struct dice *d,
                                     const struct image *im)
{
    double all = (double)im->width * im->height, lo = log(3.0 / 4.0), hi = log(4.0 / 3.0);
    int32_t side = im->width < im->height ? im->width : im->height;

    for (unsigned i = 0; i < CROP_TRIES; i++) {
        double area = all * (a->scale_min + (1 - a->scale_min) * unit(d, DRAW_AREA + i));
        double aspect = exp(lo + (hi - lo) * unit(d, DRAW_ASPECT + i));
        int32_t w = (int32_t)(sqrt(area * aspect) + 0.5), h = (int32_t)(sqrt(area / aspect) + 0.5);
        if (w < 1 || h < 1 || w > im->width || h > im->height)
            continue;
        return (struct image_rect){below(d, DRAW_X, im->width - w + 1),
                                   below(d, DRAW_Y, im->height - h + 1), w, h};
    }
    return (struct image_rect){(im->width - side) / 2, (im->height - side) / 2, side, side};
}

static enum rc square_of(const struct image *work, int32_t size, struct image *ret, struct err *e)
{
    if (work->width != size || work->height != size)
        return image_resize(work, size, size, ret, e);
    enum rc rc = image_alloc(size, size, ret, e);
    if (!rc)
        memcpy(ret->rgb, work->rgb, (size_t)size * (size_t)size * 3);
    return rc;
}

/* The square of `size` at (x - pad, y - pad); outside of the picture is black. */
static enum rc shift(struct image *im, int32_t pad, int32_t x, int32_t y, struct err *e)
{
    int32_t size = im->width;
    struct image out;
    enum rc rc = image_alloc(size, size, &out, e);

    if (rc)
        return rc;
    memset(out.rgb, 0, (size_t)size * (size_t)size * 3);
    for (int32_t v = 0; v < size; v++) {
        int32_t sy = v + y - pad, from = x - pad, to = from + size;
        int32_t at = from < 0 ? -from : 0;
        from = from < 0 ? 0 : from;
        to = to > size ? size : to;
        if (sy >= 0 && sy < size && to > from)
            memcpy(out.rgb + ((size_t)v * (size_t)size + (size_t)at) * 3,
                   im->rgb + ((size_t)sy * (size_t)size + (size_t)from) * 3,
                   (size_t)(to - from) * 3);
    }
    image_done(im);
    *im = out;
    return RC_OK;
}

static enum rc crop(const struct augment *a, const struct frame *f, const struct dice *d,
                    const struct image *work, struct image *ret, struct err *e)
{
    struct image im;
    enum rc rc;

    if (a->crop == CROP_RESIZED)
        return image_resize_rect(work, random_area(a, d, work), f->size, f->size, ret, e);
    rc = square_of(work, f->size, &im, e);
    if (!rc && a->crop == CROP_PAD && a->padding > 0) {
        rc = shift(&im, a->padding, below(d, DRAW_X, 2 * a->padding + 1),
                   below(d, DRAW_Y, 2 * a->padding + 1), e);
        if (rc)
            image_done(&im);
    }
    if (!rc)
        *ret = im;
    return rc;
}

/* ---- colour: planes of n values from 0 to 1 */

static float clamp1(float v)
{
    return v < 0 ? 0 : v > 1 ? 1 : v;
}

static float grey_of(float r, float g, float b)
{
    return 0.299f * r + 0.587f * g + 0.114f * b;
}

static void blend(float *p, size_t n, float factor, float other)
{
    for (size_t i = 0; i < n; i++)
        p[i] = clamp1(factor * p[i] + (1 - factor) * other);
}

static void saturate(float *p, size_t n, float factor)
{
    for (size_t i = 0; i < n; i++) {
        float grey = (1 - factor) * grey_of(p[i], p[n + i], p[2 * n + i]);
        for (size_t c = 0; c < 3; c++)
            p[c * n + i] = clamp1(factor * p[c * n + i] + grey);
    }
}

/* RGB to HSV (Smith 1978), hue + turn, and back. */
static void turn_hue(float *p, size_t n, float turn)
{
    for (size_t i = 0; i < n; i++) {
        float r = p[i], g = p[n + i], b = p[2 * n + i];
        float max = r > g ? (r > b ? r : b) : (g > b ? g : b);
        float min = r < g ? (r < b ? r : b) : (g < b ? g : b), range = max - min, h;
        if (range <= 0)
            continue;
        if (max == r)
            h = (g - b) / range;
        else if (max == g)
            h = 2 + (b - r) / range;
        else
            h = 4 + (r - g) / range;
        h += 6 * turn;
        h = h < 0 ? h + 6 : h >= 6 ? h - 6 : h;
        for (size_t c = 0; c < 3; c++) { /* red 5, green 3, blue 1: a trapezoid of the hue */
            float k = h + (float)(5 - 2 * (int)c);
            k = k >= 6 ? k - 6 : k;
            float t = k < 4 - k ? k : 4 - k;
            p[c * n + i] = max - range * clamp1(t);
        }
    }
}

static float factor(const struct dice *d, unsigned draw, double range)
{
    return (float)(1 + range * (2 * unit(d, draw) - 1));
}

static void colour(const struct augment *a, const struct dice *d, float *p, size_t n)
{
    if (a->brightness > 0)
        blend(p, 3 * n, factor(d, DRAW_BRIGHTNESS, a->brightness), 0);
    if (a->contrast > 0) {
        double mean = 0;
        for (size_t i = 0; i < n; i++)
            mean += grey_of(p[i], p[n + i], p[2 * n + i]);
        blend(p, 3 * n, factor(d, DRAW_CONTRAST, a->contrast), (float)(mean / (double)n));
    }
    if (a->saturation > 0)
        saturate(p, n, factor(d, DRAW_SATURATION, a->saturation));
    if (a->hue > 0)
        turn_hue(p, n, (float)(a->hue * (2 * unit(d, DRAW_HUE) - 1)));
}

enum rc augment_apply(const struct augment *a, const struct frame *f, const struct image *work,
                      uint64_t seed, int64_t epoch, uint32_t index, float *ret, struct err *e)
{
    struct dice d = {seed, epoch, index};
    bool colours = a->brightness > 0 || a->contrast > 0 || a->saturation > 0 || a->hue > 0;
    size_t n = (size_t)f->size * (size_t)f->size;
    struct frame plain = {.size = f->size, .std = {1, 1, 1}};
    float table[3][256];
    struct image im;
    enum rc rc = crop(a, f, &d, work, &im, e);

    if (rc)
        return rc;
    frame_table(colours ? &plain : f, table);
    frame_planes(table, &im, unit(&d, DRAW_FLIP) < a->flip,
                 unit(&d, DRAW_VERTICAL) < a->vertical_flip, ret);
    image_done(&im);
    if (!colours)
        return RC_OK;
    colour(a, &d, ret, n);
    for (size_t c = 0; c < 3; c++)
        for (size_t i = 0; i < n; i++)
            ret[c * n + i] = (ret[c * n + i] - f->mean[c]) / f->std[c];
    return RC_OK;
}

/* ---- batches */

void augment_order(uint64_t seed, int64_t epoch, uint32_t *ret, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        ret[i] = i;
    for (uint32_t i = n; i > 1; i--) {
        uint64_t word = rand_at(seed, (uint64_t)epoch, i, DRAW_ORDER);
        uint32_t k = (uint32_t)(((word >> 32) * i) >> 32); /* 0..i-1 */
        uint32_t swap = ret[i - 1];
        ret[i - 1] = ret[k];
        ret[k] = swap;
    }
}

/* Beta(a, a) by Joehnk's rejection (1964): U^(1/a) / (U^(1/a) + V^(1/a)) where the sum is <= 1. */
double augment_mixup_weight(double alpha, uint64_t seed, int64_t epoch, uint32_t batch)
{
    struct dice d = {seed, epoch, batch};

    if (alpha <= 0)
        return 1;
    for (unsigned i = 0; i < MIXUP_TRIES; i++) {
        double u = pow(unit(&d, DRAW_MIXUP + 2 * i), 1 / alpha);
        double v = pow(unit(&d, DRAW_MIXUP + 2 * i + 1), 1 / alpha);
        if (u + v <= 1 && u + v > 0)
            return u / (u + v);
    }
    return 0.5;
}

void augment_blend(float *x, size_t n, size_t row, double weight)
{
    float w = (float)weight, rest = (float)(1 - weight);

    for (size_t i = 0; i < n / 2; i++) {
        float *a = x + i * row, *b = x + (n - 1 - i) * row;
        for (size_t k = 0; k < row; k++) {
            float va = a[k], vb = b[k];
            a[k] = w * va + rest * vb;
            b[k] = w * vb + rest * va;
        }
    }
}
