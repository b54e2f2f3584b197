/* resize.c - separable resampling with a triangle filter, in integers.
 *
 * out[i] = sum_k w(k) in[k], with w a triangle centred on the output pixel's centre in the input,
 * as wide as the reduction (at least one pixel to each side), cut at the rectangle's edge and
 * normalised to 1.  Weights have 22 bits of fraction, so 255 * sum(w) plus rounding fits 32 bits;
 * rows first, which is vector code, then columns, of which there is then less to do when a picture
 * shrinks; rounded to 8 bits in between.
 */
#include "engine/feed/image.h"

#include "base/mem.h"
#include <math.h>

enum { FRACTION_BITS = 22, BLOCK = 16 };

struct axis {     /* for each output position: where it starts in the input, and its weights */
    int32_t taps; /* room for each */
    int32_t *from, *count, *weight;
    int32_t lo, hi; /* input rows or columns that are used at all */
};

static void axis_done(struct axis *a)
{
    mem_free(a->from);
    mem_free(a->count);
    mem_free(a->weight);
}

/* The rectangle's extent [at, at + len) of an input of `size` onto n outputs. */
static enum rc axis_init(struct axis *a, double at, double len, int32_t size, int32_t n,
                         struct err *e)
{
    double scale = len / n, reach = scale > 1 ? scale : 1;
    int32_t first = (int32_t)floor(at), last = (int32_t)ceil(at + len);

    first = first < 0 ? 0 : first;
    last = last > size ? size : last;
    *a = (struct axis){.taps = (int32_t)ceil(reach) * 2 + 1, .lo = first, .hi = last};
    a->from = mem_alloc_array((size_t)n, sizeof *a->from);
    a->count = mem_alloc_array((size_t)n, sizeof *a->count);
    a->weight = mem_alloc_array((size_t)n * (size_t)a->taps, sizeof *a->weight);
    double *w = mem_alloc_array((size_t)a->taps, sizeof *w);
    if (!a->from || !a->count || !a->weight || !w) {
        axis_done(a);
        mem_free(w);
        return err_set(e, RC_NOMEM, "no memory to resize a picture to %d pixels", n);
    }
    for (int32_t i = 0; i < n; i++) {
        double centre = at + (i + 0.5) * scale, sum = 0;
        int32_t from = (int32_t)floor(centre - reach + 0.5),
                to = (int32_t)floor(centre + reach + 0.5);
        from = from < first ? first : from;
        to = to > last ? last : to;
        ASSERT(to > from && to - from <= a->taps);
        for (int32_t k = from; k < to; k++) {
            double d = fabs(k + 0.5 - centre) / reach;
            w[k - from] = d < 1 ? 1 - d : 0;
            sum += w[k - from];
        }
        a->from[i] = from;
        a->count[i] = to - from;
        for (int32_t k = 0; k < to - from; k++)
            a->weight[(size_t)i * (size_t)a->taps + (size_t)k] =
                (int32_t)(w[k] / sum * (1 << FRACTION_BITS) + 0.5);
    }
    mem_free(w);
    return RC_OK;
}

static uint8_t rounded(uint32_t sum)
{
    uint32_t v = (sum + (1u << (FRACTION_BITS - 1))) >> FRACTION_BITS;
    return (uint8_t)(v > 255 ? 255 : v);
}

/* One output row of the columns [0, n): from rows of `stride` bytes, the first being input row 0.
 * In blocks of a constant size, which the compiler turns into vector code with the sums in
 * registers. */
static void row_down(const struct axis *a, const uint8_t *in, size_t stride, int32_t i, size_t n,
                     uint8_t *out)
{
    const int32_t *w = a->weight + (size_t)i * (size_t)a->taps;
    const uint8_t *first = in + (size_t)a->from[i] * stride;
    size_t x = 0;

    for (; x + BLOCK <= n; x += BLOCK) {
        const uint8_t *p = first + x;
        uint32_t sum[BLOCK] = {0};
        for (int32_t k = 0; k < a->count[i]; k++, p += stride)
            for (size_t j = 0; j < BLOCK; j++)
                sum[j] += (uint32_t)w[k] * p[j];
        for (size_t j = 0; j < BLOCK; j++)
            out[x + j] = rounded(sum[j]);
    }
    for (; x < n; x++) {
        const uint8_t *p = first + x;
        uint32_t sum = 0;
        for (int32_t k = 0; k < a->count[i]; k++, p += stride)
            sum += (uint32_t)w[k] * *p;
        out[x] = rounded(sum);
    }
}

/* in: the columns from a->lo on. */
static void row_across(const struct axis *a, const uint8_t *in, int32_t n, uint8_t *out)
{
    for (int32_t i = 0; i < n; i++) {
        const int32_t *w = a->weight + (size_t)i * (size_t)a->taps;
        const uint8_t *p = in + (size_t)(a->from[i] - a->lo) * 3;
        uint32_t r = 0, g = 0, b = 0;
        for (int32_t k = 0; k < a->count[i]; k++, p += 3) {
            r += (uint32_t)w[k] * p[0];
            g += (uint32_t)w[k] * p[1];
            b += (uint32_t)w[k] * p[2];
        }
        *out++ = rounded(r);
        *out++ = rounded(g);
        *out++ = rounded(b);
    }
}

enum rc image_resize_rect(const struct image *src, struct image_rect r, int32_t out_w,
                          int32_t out_h, struct image *ret, struct err *e)
{
    struct axis across = {0}, down = {0};
    struct image out = {0};
    uint8_t *row = NULL;
    size_t stride = (size_t)src->width * 3, used;
    enum rc rc;

    ASSERT(out_w > 0 && out_h > 0 && r.w > 0 && r.h > 0 && r.x >= 0 && r.y >= 0);
    ASSERT(r.x + r.w <= src->width && r.y + r.h <= src->height);
    rc = axis_init(&across, r.x, r.w, src->width, out_w, e);
    if (!rc && (rc = axis_init(&down, r.y, r.h, src->height, out_h, e)) != RC_OK)
        axis_done(&across);
    if (rc)
        return rc;
    used = (size_t)(across.hi - across.lo) * 3;
    row = mem_alloc(used);
    rc = row ? image_alloc(out_w, out_h, &out, e)
             : err_set(e, RC_NOMEM, "no memory to resize a picture to %dx%d", out_w, out_h);
    for (int32_t y = 0; !rc && y < out_h; y++) {
        row_down(&down, src->rgb + (size_t)across.lo * 3, stride, y, used, row);
        row_across(&across, row, out_w, out.rgb + (size_t)y * (size_t)out_w * 3);
    }
    if (!rc)
        *ret = out;
    mem_free(row);
    axis_done(&across);
    axis_done(&down);
    return rc;
}

enum rc image_resize(const struct image *src, int32_t out_w, int32_t out_h, struct image *ret,
                     struct err *e)
{
    struct image_rect all = {0, 0, src->width, src->height};
    return image_resize_rect(src, all, out_w, out_h, ret, e);
}

enum rc image_fit(const struct image *src, int32_t side, struct image *ret, struct err *e)
{
    int32_t longer = src->width > src->height ? src->width : src->height;
    int64_t w = src->width, h = src->height;

    if (longer > side) {
        w = (w * side + longer / 2) / longer;
        h = (h * side + longer / 2) / longer;
    }
    return image_resize(src, (int32_t)(w < 1 ? 1 : w), (int32_t)(h < 1 ? 1 : h), ret, e);
}
