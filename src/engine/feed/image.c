/* image.c - the front of the codecs: recognise, check limits, decode, turn upright.
 *
 * The order is the defence.  The size in the header decides what decoding allocates, so it is read
 * by a few lines of our own, compared with the limits and with the number of bytes that are there
 * (jpeg.c and png.c know the least that a picture of a size can take), and only then is a library
 * let loose on the data.
 */
#include "engine/feed/codec.h"

#include "base/mem.h"

static enum rc check_limits(const struct image_info *in, const struct image_limits *lim,
                            struct err *e)
{
    int64_t pixels_max = lim && lim->pixels_max > 0 ? lim->pixels_max : IMAGE_PIXELS_MAX;
    int32_t side_max = lim && lim->side_max > 0 ? lim->side_max : IMAGE_SIDE_MAX;
    int64_t pixels = (int64_t)in->width * in->height;

    if (in->width <= 0 || in->height <= 0)
        return err_set(e, RC_CORRUPT, "the picture says it is %dx%d pixels", in->width, in->height);
    if (in->width > side_max || in->height > side_max)
        return err_set(e, RC_TOO_LARGE, "the picture is %dx%d pixels; a side may have at most %d",
                       in->width, in->height, side_max);
    if (pixels > pixels_max)
        return err_set(e, RC_TOO_LARGE, "the picture is %dx%d = %.1f megapixels; the limit is %.1f",
                       in->width, in->height, (double)pixels / 1e6, (double)pixels_max / 1e6);
    return RC_OK;
}

static enum rc probe_stored(str b, const struct image_limits *lim, struct image_info *ret,
                            struct err *e)
{
    struct image_info in = {.orientation = 1};
    enum rc rc;

    if (b.n == 0)
        return err_set(e, RC_CORRUPT, "the file is empty");
    if (str_starts(b, STR("\xff\xd8\xff")))
        rc = jpeg_probe(b, &in, e);
    else if (str_starts(b, STR("\x89PNG\r\n\x1a\n")))
        rc = png_probe(b, &in, e);
    else if (str_starts(b, STR("RIFF")) && str_eq(str_sub(b, 8, 4), STR("WEBP")))
        rc = webp_probe(b, &in, e);
    else
        return err_set(e, RC_UNSUPPORTED, "not a JPEG, PNG or WebP picture (by its first bytes)");
    if (!rc)
        rc = check_limits(&in, lim, e);
    if (!rc)
        *ret = in;
    return rc;
}

enum rc image_probe(str bytes, const struct image_limits *lim, struct image_info *ret,
                    struct err *e)
{
    struct image_info in;
    enum rc rc = probe_stored(bytes, lim, &in, e);

    if (rc)
        return rc;
    if (in.orientation >= 5) {
        int32_t w = in.width;
        in.width = in.height;
        in.height = w;
    }
    *ret = in;
    return RC_OK;
}

static uint32_t exif_num(const char *p, size_t bytes, bool big)
{
    uint32_t v = 0;
    for (size_t i = 0; i < bytes; i++)
        v |= (uint32_t)(uint8_t)p[i] << 8 * (big ? bytes - 1 - i : i);
    return v;
}

int exif_orientation(str x)
{
    if (str_starts(x, STR("Exif\0\0")))
        x = str_sub(x, 6, x.n);
    bool big = str_starts(x, STR("MM\0*"));
    if (x.n < 8 || (!big && !str_starts(x, STR("II*\0"))))
        return 1;
    uint32_t ifd = exif_num(x.p + 4, 4, big);
    if (ifd > x.n || x.n - ifd < 2)
        return 1;
    uint32_t count = exif_num(x.p + ifd, 2, big);
    for (size_t i = 0, at = (size_t)ifd + 2; i < count && at + 12 <= x.n; i++, at += 12) {
        if (exif_num(x.p + at, 2, big) != 0x0112) /* Orientation: one SHORT */
            continue;
        uint32_t v = exif_num(x.p + at + 8, 2, big);
        return exif_num(x.p + at + 2, 2, big) == 3 && v >= 1 && v <= 8 ? (int)v : 1;
    }
    return 1;
}

void rgba_on_white(const uint8_t *rgba, size_t n, uint8_t *rgb)
{
    for (size_t i = 0; i < n; i++, rgba += 4, rgb += 3) {
        unsigned a = rgba[3];
        for (int c = 0; c < 3; c++)
            rgb[c] = (uint8_t)((rgba[c] * a + 255u * (255u - a) + 127u) / 255u);
    }
}

enum rc image_of_rgba(const uint8_t *rgba, int32_t width, int32_t height,
                      const struct image_limits *lim, struct image *ret, struct err *e)
{
    const struct image_info in = {.width = width, .height = height};
    enum rc rc = check_limits(&in, lim, e);

    if (!rc)
        rc = image_alloc(width, height, ret, e);
    if (!rc)
        rgba_on_white(rgba, (size_t)width * (size_t)height, ret->rgb);
    return rc;
}

enum rc image_alloc(int32_t width, int32_t height, struct image *ret, struct err *e)
{
    ASSERT(width > 0 && height > 0);
    uint8_t *p = mem_alloc((size_t)width * (size_t)height * 3);

    if (!p)
        return err_set(e, RC_NOMEM, "no memory for a picture of %dx%d pixels", width, height);
    *ret = (struct image){.width = width, .height = height, .rgb = p};
    return RC_OK;
}

void image_done(struct image *im)
{
    mem_free(im->rgb);
    *im = (struct image){0};
}

/* Stored pixel (x, y) of a w x h picture goes to (*u, *v) as shown; EXIF 2.3, tag 274. */
static void upright(int orientation, int32_t w, int32_t h, int32_t x, int32_t y, int32_t *u,
                    int32_t *v)
{
    int32_t rx = w - 1 - x, ry = h - 1 - y;
    switch (orientation) {
    case 2:
        *u = rx, *v = y;
        break;
    case 3:
        *u = rx, *v = ry;
        break;
    case 4:
        *u = x, *v = ry;
        break;
    case 5:
        *u = y, *v = x;
        break;
    case 6:
        *u = ry, *v = x;
        break;
    case 7:
        *u = ry, *v = rx;
        break;
    case 8:
        *u = y, *v = rx;
        break;
    default:
        *u = x, *v = y;
        break;
    }
}

static ptrdiff_t place(const struct image *out, int orientation, int32_t w, int32_t h, int32_t x,
                       int32_t y)
{
    int32_t u, v;

    upright(orientation, w, h, x, y, &u, &v);
    return ((ptrdiff_t)v * out->width + u) * 3;
}

static enum rc turn_upright(struct image *im, int orientation, struct err *e)
{
    struct image out;
    bool swap = orientation >= 5;
    enum rc rc;

    if (orientation <= 1)
        return RC_OK;
    rc = image_alloc(swap ? im->height : im->width, swap ? im->width : im->height, &out, e);
    if (rc)
        return rc;
    /* places are linear in x and y: three of them give the steps */
    ptrdiff_t at = place(&out, orientation, im->width, im->height, 0, 0);
    ptrdiff_t dx = place(&out, orientation, im->width, im->height, 1, 0) - at;
    ptrdiff_t dy = place(&out, orientation, im->width, im->height, 0, 1) - at;
    const uint8_t *p = im->rgb;
    for (int32_t y = 0; y < im->height; y++)
        for (int32_t x = 0; x < im->width; x++, p += 3)
            memcpy(out.rgb + at + x * dx + y * dy, p, 3);
    image_done(im);
    *im = out;
    return RC_OK;
}

enum rc image_decode_columns(str bytes, const struct image_limits *lim, int32_t side_min,
                             double from, double to, struct image_columns *ret, struct err *e)
{
    struct image_info in;
    struct image_columns c = {0};
    enum rc rc = probe_stored(bytes, lim, &in, e);

    if (!rc && in.orientation > 1) { /* columns as shown are others than those as stored */
        from = 0;
        to = 1;
    }
    if (!rc && in.type == IMAGE_JPEG)
        rc = jpeg_decode(bytes, &in, side_min, from, to, &c, e);
    else if (!rc && in.type == IMAGE_PNG)
        rc = png_decode(bytes, &in, &c.im, e);
    else if (!rc)
        rc = webp_decode(bytes, &in, &c.im, e);
    if (!rc)
        rc = turn_upright(&c.im, in.orientation, e);
    if (!rc && (in.type != IMAGE_JPEG || in.orientation > 1))
        c.full = c.im.width;
    if (rc)
        image_done(&c.im);
    else
        *ret = c;
    return rc;
}

enum rc image_decode(str bytes, const struct image_limits *lim, int32_t side_min, struct image *ret,
                     struct err *e)
{
    struct image_columns all;
    enum rc rc = image_decode_columns(bytes, lim, side_min, 0, 1, &all, e);

    if (!rc)
        *ret = all.im;
    return rc;
}
