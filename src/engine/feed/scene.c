/* scene.c - see scene.h.
 *
 * Drawing goes row by row of the input, so that the row stays in the first cache from sampling to
 * normalisation.  A row of a tile is an interval: the map back is affine, and the picture a
 * rectangle.  Without turn and shear (the default) a row of the input lies in one height of the
 * picture: its two rows are blended first, as one long vector, then it is sampled along.  Samples
 * are bilinear with 8 bits of fraction, so a map by whole pixels copies bytes exactly.
 *
 * Long loops go in blocks of a constant size, and colours in vectors of four: the compiler then
 * makes vector code of them at -O2, which is three times as fast (320x320 with HSV: 0.9 ms).
 */
#include "engine/feed/scene.h"

#include "engine/feed/augment.h"
#include <math.h>

enum draw { /* numbers of the draws, apart from those of augment.c; changing one changes models */
            DRAW_MIX = 4096,
            DRAW_HUE,
            DRAW_SATURATION,
            DRAW_VALUE,
            DRAW_SIZE,
            DRAW_LAYER = 4160, /* + LAYER_DRAWS * layer */
            DRAW_PARTNER = 0,  /* within a layer, from here on */
            DRAW_MOSAIC,
            DRAW_CENTRE_X,
            DRAW_CENTRE_Y,
            DRAW_TURN,
            DRAW_SCALE,
            DRAW_SHEAR_X,
            DRAW_SHEAR_Y,
            DRAW_MOVE_X,
            DRAW_MOVE_Y,
            DRAW_FLIP,
            DRAW_VERTICAL,
            DRAW_PICTURES = 16, /* + number of the tile */
            LAYER_DRAWS = 64
};
enum { SIZE_STEP = 32, FRACTION = 16, BLOCK = 16 };

void scene_setup(const struct train_spec *s, int32_t size, struct scene *sc, struct frame *f)
{
    int64_t open = s->epochs - s->close_mosaic;

    *sc = (struct scene){
        .mosaic = s->mosaic,
        .mosaic_until = open > 0 ? open : 0,
        .mixup = s->mixup > 0 ? s->mixup_probability : 0,
        .mixup_alpha = s->mixup,
        .rotate = s->rotate,
        .translate = s->translate,
        .scale = s->scale,
        .shear = s->shear,
        .flip = s->flip,
        .vertical_flip = s->vertical_flip,
        .hsv_h = s->hsv_h,
        .hsv_s = s->hsv_s,
        .hsv_v = s->hsv_v,
        .multi_scale = s->multi_scale,
    };
    *f = (struct frame){.size = size, .fit = FRAME_LETTERBOX};
    f->work_side = scene_size_max(sc, size);
    memcpy(f->mean, frame_imagenet_mean, sizeof f->mean);
    memcpy(f->std, frame_imagenet_std, sizeof f->std);
}

/* ---- sizes */

static void size_range(const struct scene *s, int32_t size, int32_t *lo, int32_t *hi)
{
    *lo = (int32_t)ceil(size * (1 - s->multi_scale) / SIZE_STEP - 1e-9);
    *hi = (int32_t)floor(size * (1 + s->multi_scale) / SIZE_STEP + 1e-9);
    *lo = *lo < 1 ? 1 : *lo;
    *hi = *hi < *lo ? *lo : *hi;
}

int32_t scene_size_max(const struct scene *s, int32_t size)
{
    int32_t lo, hi;

    if (s->multi_scale <= 0)
        return size;
    size_range(s, size, &lo, &hi);
    return hi * SIZE_STEP > size ? hi * SIZE_STEP : size;
}

int32_t scene_size(const struct scene *s, int32_t size, uint64_t seed, int64_t epoch, int64_t batch)
{
    int32_t lo, hi;

    if (s->multi_scale <= 0)
        return size;
    size_range(s, size, &lo, &hi);
    double u = rand_unit(rand_at(seed, (uint64_t)epoch, (uint64_t)batch, DRAW_SIZE));
    return (lo + (int32_t)(u * (hi - lo + 1))) * SIZE_STEP;
}

/* ---- plan */

struct planner {
    const struct scene *s;
    const struct frame *f;
    const struct sample_ref *samples;
    uint32_t n;
    uint64_t seed;
    int64_t epoch;
    uint32_t index;
    struct scene_plan *p;
};

static double unit(const struct planner *g, unsigned draw)
{
    return rand_unit(rand_at(g->seed, (uint64_t)g->epoch, g->index, draw));
}

/* -1..1 */
static double either(const struct planner *g, unsigned draw)
{
    return 2 * unit(g, draw) - 1;
}

static uint32_t any_picture(const struct planner *g, unsigned draw)
{
    uint64_t word = rand_at(g->seed, (uint64_t)g->epoch, g->index, draw);
    return (uint32_t)(((word >> 32) * g->n) >> 32);
}

/* About the centre of the picture, which it moves to the centre of the input. */
static struct affine jitter(const struct planner *g, unsigned base)
{
    const struct scene *s = g->s;
    double zoom = 1 + s->scale * either(g, base + DRAW_SCALE), size = g->p->size;
    double fx = unit(g, base + DRAW_FLIP) < s->flip ? -1 : 1;
    double fy = unit(g, base + DRAW_VERTICAL) < s->vertical_flip ? -1 : 1;
    struct affine m = affine_identity;

    if (s->rotate > 0)
        m = affine_turn(s->rotate * either(g, base + DRAW_TURN));
    m = affine_then(m, affine_scale(zoom, zoom));
    if (s->shear > 0)
        m = affine_then(m, affine_shear(s->shear * either(g, base + DRAW_SHEAR_X),
                                        s->shear * either(g, base + DRAW_SHEAR_Y)));
    m = affine_then(m, affine_scale(fx, fy));
    return affine_then(m,
                       affine_move(size / 2 + size * s->translate * either(g, base + DRAW_MOVE_X),
                                   size / 2 + size * s->translate * either(g, base + DRAW_MOVE_Y)));
}

/* The picture at letterbox scale with its upper left corner at (x, y) of the canvas, then `after`.
 */
static void put_tile(struct planner *g, uint32_t index, int layer, double x, double y, int32_t w,
                     int32_t h, struct affine after)
{
    const struct sample_ref *r = &g->samples[index];
    struct affine at = affine_then(affine_move(x, y), after);
    int32_t work_w, work_h;

    frame_work_size(g->f, r->width, r->height, &work_w, &work_h);
    g->p->tile[g->p->tiles_n++] = (struct scene_tile){
        .index = index,
        .layer = layer,
        .place = affine_then(affine_scale((double)w / work_w, (double)h / work_h), at),
        .objects = affine_then(affine_scale((double)w / r->width, (double)h / r->height), at),
    };
}

static void letterboxed(const struct planner *g, uint32_t index, struct frame_map *m, int32_t *w,
                        int32_t *h)
{
    const struct sample_ref *r = &g->samples[index];
    struct frame f = *g->f;

    f.size = g->p->size;
    *m = frame_map_of(&f, r->width, r->height);
    *w = (int32_t)(m->sx * r->width + 0.5);
    *h = (int32_t)(m->sy * r->height + 0.5);
}

static void plan_layer(struct planner *g, uint32_t index, int layer)
{
    unsigned base = DRAW_LAYER + LAYER_DRAWS * (unsigned)layer;
    bool open = g->epoch < g->s->mosaic_until;
    struct affine after = jitter(g, base);
    int32_t size = g->p->size, w, h;
    struct frame_map m;

    if (!open || unit(g, base + DRAW_MOSAIC) >= g->s->mosaic) {
        letterboxed(g, index, &m, &w, &h);
        after = affine_then(affine_move(-size / 2.0, -size / 2.0), after);
        put_tile(g, index, layer, m.x0, m.y0, w, h, after);
        return;
    }
    /* the centre of the mosaic, seen from the centre of a square of twice the size */
    double cx = floor(size * either(g, base + DRAW_CENTRE_X) / 2);
    double cy = floor(size * either(g, base + DRAW_CENTRE_Y) / 2);
    for (unsigned i = 0; i < 4; i++) {
        uint32_t k = i == 0 ? index : any_picture(g, base + DRAW_PICTURES + i);
        letterboxed(g, k, &m, &w, &h);
        put_tile(g, k, layer, i % 2 == 0 ? cx - w : cx, i < 2 ? cy - h : cy, w, h, after);
    }
}

void scene_plan_of(const struct scene *s, const struct frame *f, enum net_task task, int32_t size,
                   const struct sample_ref *samples, uint32_t n, uint64_t seed, int64_t epoch,
                   uint32_t index, struct scene_plan *ret)
{
    struct planner g = {s, f, samples, n, seed, epoch, index, ret};

    *ret = (struct scene_plan){.size = size, .layers = 1, .weight = 1};
    plan_layer(&g, index, 0);
    if (task != NET_SEMANTIC && epoch < s->mosaic_until && unit(&g, DRAW_MIX) < s->mixup) {
        ret->layers = 2;
        ret->weight = augment_mixup_weight(s->mixup_alpha, seed, epoch, index);
        plan_layer(&g, any_picture(&g, DRAW_LAYER + LAYER_DRAWS + DRAW_PARTNER), 1);
    }
    ret->hue = s->hsv_h * either(&g, DRAW_HUE);
    ret->saturation = 1 + s->hsv_s * either(&g, DRAW_SATURATION);
    ret->value = 1 + s->hsv_v * either(&g, DRAW_VALUE);
}

/* ---- pixels */

struct row {
    float *r, *g, *b; /* 0..255 */
    uint16_t *blend;  /* a row of a picture, with 8 bits of fraction */
};

/* The x of [*lo, *hi) with 0 <= a (x + 0.5) + b < limit, a little wider: so that tiles that touch
 * leave no gap, at the cost of a pixel that is drawn twice. */
static void narrow(double a, double b, double limit, int32_t *lo, int32_t *hi)
{
    const double slack = 1e-6;
    double t0, t1;

    if (fabs(a) < 1e-12) {
        if (b < -slack || b >= limit + slack)
            *hi = *lo;
        return;
    }
    t0 = (a > 0 ? -b : limit - b) / a - 0.5;
    t1 = (a > 0 ? limit - b : -b) / a - 0.5;
    t0 = ceil(t0 - slack);
    t1 = ceil(t1 + slack);
    if (t0 > *lo)
        *lo = t0 < *hi ? (int32_t)t0 : *hi;
    if (t1 < *hi)
        *hi = t1 > *lo ? (int32_t)t1 : *lo;
}

/* Position as index of the left of two samples and 8 bits between them; samples are at + 0.5. */
static int32_t fixed(double at)
{
    return (int32_t)floor((at - 0.5) * (1 << FRACTION) + 0.5);
}

static inline int32_t place_in(int32_t at, int32_t n, int32_t *ret_next, uint32_t *ret_fraction)
{
    int32_t i = at >> FRACTION;

    *ret_fraction = (uint32_t)(at >> (FRACTION - 8)) & 255;
    if (i < 0 || i >= n - 1) {
        i = i < 0 ? 0 : n - 1;
        *ret_fraction = 0;
    }
    *ret_next = i < n - 1 ? i + 1 : i;
    return i;
}

static const float from_fixed = 1.0f / 65536;

static void blend_rows(const uint8_t *restrict p, const uint8_t *restrict q, uint32_t fraction,
                       size_t n, uint16_t *restrict to)
{
    const uint16_t w = (uint16_t)(256 - fraction), v = (uint16_t)fraction;
    size_t i = 0;

    for (; i + BLOCK <= n; i += BLOCK)
        for (size_t k = i; k < i + BLOCK; k++)
            to[k] = (uint16_t)(p[k] * w + q[k] * v);
    for (; i < n; i++)
        to[i] = (uint16_t)(p[i] * w + q[i] * v);
}

/* A row that lies in one height of the picture. */
static void sample_along(const struct image *im, double a, double u, double v, int32_t lo,
                         int32_t hi, struct row *to)
{
    double one = u + a * lo, other = u + a * (hi - 1);
    int32_t first = (int32_t)floor((a > 0 ? one : other) - 1);
    int32_t last = (int32_t)floor(a > 0 ? other : one) + 2, next;
    uint32_t fy;
    int32_t y = place_in(fixed(v), im->height, &next, &fy);
    const uint8_t *p = im->rgb + (size_t)y * (size_t)im->width * 3;
    const uint8_t *q = im->rgb + (size_t)next * (size_t)im->width * 3;
    uint16_t *blend = to->blend;

    first = first < 0 ? 0 : first;
    last = last < im->width ? last : im->width;
    blend_rows(p + first * 3, q + first * 3, fy, (size_t)(last - first) * 3, blend + first * 3);
    int32_t at = fixed(u + a * lo), step = (int32_t)floor(a * (1 << FRACTION) + 0.5);
    for (int32_t x = lo; x < hi; x++, at += step) {
        uint32_t fx;
        int32_t i = place_in(at, im->width, &next, &fx);
        const uint16_t *s = blend + 3 * i, *t = blend + 3 * next;
        to->r[x] = (float)(int32_t)(s[0] * (256 - fx) + t[0] * fx) * from_fixed;
        to->g[x] = (float)(int32_t)(s[1] * (256 - fx) + t[1] * fx) * from_fixed;
        to->b[x] = (float)(int32_t)(s[2] * (256 - fx) + t[2] * fx) * from_fixed;
    }
}

static void sample_across(const struct image *im, const struct affine *m, double u, double v,
                          int32_t lo, int32_t hi, struct row *to)
{
    int32_t at_x = fixed(u + m->xx * lo), at_y = fixed(v + m->yx * lo);
    int32_t step_x = (int32_t)floor(m->xx * (1 << FRACTION) + 0.5);
    int32_t step_y = (int32_t)floor(m->yx * (1 << FRACTION) + 0.5);

    for (int32_t x = lo; x < hi; x++, at_x += step_x, at_y += step_y) {
        int32_t right, below;
        uint32_t fx, fy;
        int32_t i = place_in(at_x, im->width, &right, &fx);
        int32_t k = place_in(at_y, im->height, &below, &fy);
        const uint8_t *p = im->rgb + (size_t)k * (size_t)im->width * 3;
        const uint8_t *q = im->rgb + (size_t)below * (size_t)im->width * 3;
        uint32_t sum[3];
        for (int32_t c = 0; c < 3; c++)
            sum[c] = (p[3 * i + c] * (256 - fx) + p[3 * right + c] * fx) * (256 - fy) +
                     (q[3 * i + c] * (256 - fx) + q[3 * right + c] * fx) * fy;
        to->r[x] = (float)(int32_t)sum[0] * from_fixed;
        to->g[x] = (float)(int32_t)sum[1] * from_fixed;
        to->b[x] = (float)(int32_t)sum[2] * from_fixed;
    }
}

static void draw_tile(const struct affine *back, const struct image *im, int32_t y, int32_t size,
                      struct row *to)
{
    double u = back->xy * (y + 0.5) + back->x0, v = back->yy * (y + 0.5) + back->y0;
    int32_t lo = 0, hi = size;

    narrow(back->xx, u, im->width, &lo, &hi);
    narrow(back->yx, v, im->height, &lo, &hi);
    if (lo >= hi)
        return;
    u += back->xx * 0.5; /* at the centre of pixel 0 */
    v += back->yx * 0.5;
    if (back->yx == 0)
        sample_along(im, back->xx, u, v, lo, hi, to);
    else
        sample_across(im, back, u, v, lo, hi, to);
}

typedef float four __attribute__((vector_size(16)));
typedef int32_t four_bits __attribute__((vector_size(16)));

static four four_of(float v)
{
    return (four){v, v, v, v};
}

static four choose(four_bits if_set, four a, four b)
{
    return (four)((if_set & (four_bits)a) | (~if_set & (four_bits)b));
}

static four least(four a, four b)
{
    return choose(a < b, a, b);
}

static four most(four a, four b)
{
    return choose(a > b, a, b);
}

/* The trapezoid of a hue from 0 to 12: 0 at 0 and 4 .. 6, 1 from 1 to 3. */
static four trapezoid(four k)
{
    k = choose(k >= four_of(6), k - four_of(6), k);
    return most(least(least(k, four_of(4) - k), four_of(1)), four_of(0));
}

/* RGB as HSV (Smith 1978) with the hue turned, saturation and value scaled: a channel of a colour
 * of hue h is  v - range * t(h + 5, 3 or 1 for red, green, blue), t the trapezoid. */
static void colour_four(const struct scene_plan *p, four *red, four *green, four *blue)
{
    four r = *red, g = *green, b = *blue, tiny = four_of(1e-6f);
    four max = most(r, most(g, b)), range = max - least(r, least(g, b));
    four inv = four_of(1) / most(range, tiny);
    four h = choose(max == g, four_of(2) + (b - r) * inv, four_of(4) + (r - g) * inv);

    h = choose(max == r, (g - b) * inv, h) + four_of((float)(6 * p->hue)); /* -4..8 */
    h = choose(h < four_of(0), h + four_of(6), h);
    h = choose(h >= four_of(6), h - four_of(6), h);
    four v = least(max * four_of((float)p->value), four_of(255));
    four s = least(range / most(max, tiny) * four_of((float)p->saturation), four_of(1));
    *red = v - v * s * trapezoid(h + four_of(5));
    *green = v - v * s * trapezoid(h + four_of(3));
    *blue = v - v * s * trapezoid(h + four_of(1));
}

/* n is rounded up to a multiple of four: rows have that room. */
static void colour_row(const struct scene_plan *p, struct row *row, int32_t n)
{
    for (int32_t i = 0; i < n; i += 4) {
        four r, g, b;
        memcpy(&r, row->r + i, sizeof r);
        memcpy(&g, row->g + i, sizeof g);
        memcpy(&b, row->b + i, sizeof b);
        colour_four(p, &r, &g, &b);
        memcpy(row->r + i, &r, sizeof r);
        memcpy(row->g + i, &g, sizeof g);
        memcpy(row->b + i, &b, sizeof b);
    }
}

static void mix_rows(struct row *to, const struct row *with, double weight, int32_t n)
{
    float w = (float)weight, rest = (float)(1 - weight);

    for (int32_t i = 0; i < n; i++) {
        to->r[i] = w * to->r[i] + rest * with->r[i];
        to->g[i] = w * to->g[i] + rest * with->g[i];
        to->b[i] = w * to->b[i] + rest * with->b[i];
    }
}

/* A row of the plane, normalised. */
static void put_row(const float *restrict from, float gain, float bias, size_t n,
                    float *restrict to)
{
    size_t x = 0;

    for (; x + BLOCK <= n; x += BLOCK)
        for (size_t k = x; k < x + BLOCK; k++)
            to[k] = from[k] * gain + bias;
    for (; x < n; x++)
        to[x] = from[x] * gain + bias;
}

static void fill_row(float *to, size_t n, float v)
{
    float block[BLOCK];

    for (int k = 0; k < BLOCK; k++)
        block[k] = v;
    for (size_t x = 0; x < n; x += BLOCK)
        memcpy(to + x, block, sizeof block);
}

static struct row row_in(float *scratch, int32_t size, int number)
{
    size_t n = SCENE_ROW_FLOATS(size);
    float *p = scratch + (size_t)number * 3 * n;

    return (struct row){p, p + n, p + 2 * n, (uint16_t *)(void *)(scratch + 6 * n)};
}

void scene_draw(const struct scene_plan *p, const struct frame *f, const struct image *work,
                float *scratch, float *ret)
{
    int32_t size = p->size;
    size_t n = (size_t)size, plane = n * n;
    bool colours = p->hue != 0 || p->saturation != 1 || p->value != 1;
    struct row rows[2] = {row_in(scratch, size, 0), row_in(scratch, size, 1)};
    struct affine back[SCENE_PICTURES_MAX];
    float gain[3], bias[3];

    for (int c = 0; c < 3; c++) {
        gain[c] = 1 / (255 * f->std[c]);
        bias[c] = -f->mean[c] / f->std[c];
    }
    for (int i = 0; i < p->tiles_n; i++) {
        bool flat = !affine_invert(p->tile[i].place, &back[i]);
        ASSERT(!flat && work[i].width <= SCENE_WORK_SIDE_MAX);
    }
    for (int32_t y = 0; y < size; y++) {
        for (int i = 0; i < p->layers; i++)
            fill_row(rows[i].r, 3 * SCENE_ROW_FLOATS(size), FRAME_PAD);
        for (int i = 0; i < p->tiles_n; i++)
            draw_tile(&back[i], &work[i], y, size, &rows[p->tile[i].layer]);
        if (p->layers > 1)
            mix_rows(&rows[0], &rows[1], p->weight, size);
        if (colours)
            colour_row(p, &rows[0], size);
        const float *from[3] = {rows[0].r, rows[0].g, rows[0].b};
        for (size_t c = 0; c < 3; c++)
            put_row(from[c], gain[c], bias[c], n, ret + c * plane + (size_t)y * n);
    }
}
