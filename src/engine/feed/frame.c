/* frame.c - see frame.h. */
#include "engine/feed/frame.h"

#include <math.h>

const char *const frame_fit_names[] = {"squash", "center_crop", "letterbox", NULL};
const float frame_imagenet_mean[3] = {0.485f, 0.456f, 0.406f};
const float frame_imagenet_std[3] = {0.229f, 0.224f, 0.225f};

/* Both sides by the factor that makes the longer one `side`; a picture that fits stays. */
static void letterbox_size(int32_t side, int32_t width, int32_t height, int32_t *ret_w,
                           int32_t *ret_h)
{
    int64_t w = width, h = height, longer = w > h ? w : h;

    if (longer > side) {
        w = (w * side + longer / 2) / longer;
        h = (h * side + longer / 2) / longer;
    }
    *ret_w = (int32_t)(w < 1 ? 1 : w);
    *ret_h = (int32_t)(h < 1 ? 1 : h);
}

void frame_work_size(const struct frame *f, int32_t width, int32_t height, int32_t *ret_w,
                     int32_t *ret_h)
{
    int64_t w = width, h = height, side = w < h ? w : h;

    if (f->fit == FRAME_LETTERBOX) {
        letterbox_size(f->work_side, width, height, ret_w, ret_h);
        return;
    }
    if (f->fit == FRAME_SQUASH) {
        w = h = f->size;
    } else if (side > f->work_side) {
        w = (w * f->work_side + side / 2) / side;
        h = (h * f->work_side + side / 2) / side;
    }
    *ret_w = (int32_t)w;
    *ret_h = (int32_t)h;
}

enum rc frame_take(const struct frame *f, int32_t width, int32_t height, struct image *full,
                   struct image *ret, struct err *e)
{
    struct image out;
    int32_t w, h;
    enum rc rc;

    frame_work_size(f, width, height, &w, &h);
    if (full->width == w && full->height == h) {
        *ret = *full;
        return RC_OK;
    }
    rc = image_resize(full, w, h, &out, e);
    image_done(full);
    if (!rc)
        *ret = out;
    return rc;
}

enum rc frame_open(const struct frame *f, str bytes, const struct image_limits *lim,
                   struct image *ret, struct err *e)
{
    struct image_info info;
    struct image full;
    enum rc rc = image_probe(bytes, lim, &info, e);

    if (!rc)
        rc = image_decode(bytes, lim, f->work_side, &full, e);
    /* from the size in the file, so that scaled decoding does not move the result by a pixel */
    return rc ? rc : frame_take(f, info.width, info.height, &full, ret, e);
}

void frame_table(const struct frame *f, float ret[3][256])
{
    for (int c = 0; c < 3; c++)
        for (int v = 0; v < 256; v++)
            ret[c][v] = ((float)v / 255.0f - f->mean[c]) / f->std[c];
}

/* n x n pixels, whose rows are `stride` bytes apart. */
static void planes(const float table[3][256], const uint8_t *rgb, size_t stride, size_t n,
                   bool mirror, bool upside_down, float *ret)
{
    for (size_t y = 0; y < n; y++) {
        const uint8_t *row = rgb + (upside_down ? n - 1 - y : y) * stride;
        for (size_t x = 0; x < n; x++) {
            const uint8_t *p = row + (mirror ? n - 1 - x : x) * 3;
            for (size_t c = 0; c < 3; c++)
                ret[(c * n + y) * n + x] = table[c][p[c]];
        }
    }
}

void frame_planes(const float table[3][256], const struct image *im, bool mirror, bool upside_down,
                  float *ret)
{
    planes(table, im->rgb, (size_t)im->width * 3, (size_t)im->width, mirror, upside_down, ret);
}

static int32_t eval_side(const struct frame *f)
{
    return (f->size * 8 + 6) / 7;
}

/* The square that evaluation cuts out of a working picture of w x h and scales to the input.  Where
 * that needs no scaling it begins at a whole pixel, and is copied. */
static struct image_rect centre_of(const struct frame *f, int32_t w, int32_t h)
{
    double part = 7.0 / 8.0 * (w < h ? w : h);

    if ((w < h ? w : h) == eval_side(f))
        return (struct image_rect){(w - f->size) / 2, (h - f->size) / 2, f->size, f->size};
    return (struct image_rect){(w - part) / 2, (h - part) / 2, part, part};
}

struct frame_map frame_map_of(const struct frame *f, int32_t width, int32_t height)
{
    struct frame_map m = {.width = width, .height = height};
    int32_t w, h;

    frame_work_size(f, width, height, &w, &h);
    if (f->fit == FRAME_LETTERBOX) {
        letterbox_size(f->size, w, h, &w, &h); /* in two steps, as the pixels go */
        m.x0 = (f->size - w) / 2;
        m.y0 = (f->size - h) / 2;
    } else if (f->fit == FRAME_CENTER_CROP) {
        struct image_rect r = centre_of(f, w, h);
        double scale = f->size / r.w;
        m.x0 = -r.x * scale;
        m.y0 = -r.y * scale;
        m.sx = w * scale / width;
        m.sy = h * scale / height;
        return m;
    } else {
        w = h = f->size;
    }
    m.sx = (double)w / width;
    m.sy = (double)h / height;
    return m;
}

static float clamp_to(double v, int32_t most)
{
    return (float)(!(v > 0) ? 0 : v > most ? most : v);
}

struct net_box frame_map_back(const struct frame_map *m, struct net_box b)
{
    return (struct net_box){
        .cls = b.cls,
        .x0 = clamp_to((b.x0 - m->x0) / m->sx, m->width),
        .y0 = clamp_to((b.y0 - m->y0) / m->sy, m->height),
        .x1 = clamp_to((b.x1 - m->x0) / m->sx, m->width),
        .y1 = clamp_to((b.y1 - m->y0) / m->sy, m->height),
    };
}

struct net_box frame_map_to(const struct frame_map *m, struct net_box b)
{
    return (struct net_box){
        .cls = b.cls,
        .x0 = (float)(b.x0 * m->sx + m->x0),
        .y0 = (float)(b.y0 * m->sy + m->y0),
        .x1 = (float)(b.x1 * m->sx + m->x0),
        .y1 = (float)(b.y1 * m->sy + m->y0),
    };
}

static void paste(const struct frame *f, const float table[3][256], const struct image *im,
                  float *ret)
{
    size_t size = (size_t)f->size, w = (size_t)im->width, h = (size_t)im->height;
    size_t left = (size - w) / 2, top = (size - h) / 2;

    for (size_t c = 0; c < 3; c++)
        for (size_t i = 0; i < size * size; i++)
            ret[c * size * size + i] = table[c][FRAME_PAD];
    for (size_t y = 0; y < h; y++) {
        const uint8_t *p = im->rgb + y * w * 3;
        float *to = ret + (top + y) * size + left;
        for (size_t x = 0; x < w; x++, p += 3)
            for (size_t c = 0; c < 3; c++)
                to[c * size * size + x] = table[c][p[c]];
    }
}

static enum rc letterbox(const struct frame *f, const float table[3][256], const struct image *work,
                         float *ret, struct err *e)
{
    struct image fitted;
    int32_t w, h;

    letterbox_size(f->size, work->width, work->height, &w, &h);
    if (w == work->width && h == work->height) {
        paste(f, table, work, ret);
        return RC_OK;
    }
    enum rc rc = image_resize(work, w, h, &fitted, e);
    if (rc)
        return rc;
    paste(f, table, &fitted, ret);
    image_done(&fitted);
    return RC_OK;
}

enum rc frame_eval(const struct frame *f, const struct image *work, float *ret, struct err *e)
{
    float table[3][256];
    struct image square;
    struct image_rect centre = centre_of(f, work->width, work->height);
    struct image_rect all = {0, 0, work->width, work->height};
    enum rc rc;

    frame_table(f, table);
    if (f->fit == FRAME_LETTERBOX)
        return letterbox(f, table, work, ret, e);
    if (f->fit == FRAME_SQUASH && work->width == f->size && work->height == f->size) {
        frame_planes(table, work, false, false, ret);
        return RC_OK;
    }
    if (f->fit == FRAME_CENTER_CROP && centre.w == f->size) {
        size_t stride = (size_t)work->width * 3, size = (size_t)f->size;
        planes(table, work->rgb + (size_t)centre.y * stride + (size_t)centre.x * 3, stride, size,
               false, false, ret);
        return RC_OK;
    }
    /* Scaling to size * 8/7 and cutting the centre is one resampling of the centre's 7/8. */
    rc = image_resize_rect(work, f->fit == FRAME_SQUASH ? all : centre, f->size, f->size, &square,
                           e);
    if (rc)
        return rc;
    frame_planes(table, &square, false, false, ret);
    image_done(&square);
    return RC_OK;
}

int32_t frame_size_auto(int32_t side)
{
    return side <= 40 ? 32 : side <= 80 ? 64 : side <= 112 ? 96 : side <= 176 ? 128 : 224;
}

int32_t frame_size_auto_objects(int32_t side)
{
    int32_t size = (side + 31) / 32 * 32;
    return size < 160 ? 160 : size > 320 ? 320 : size;
}

struct frame frame_for_eval(const struct frame *f)
{
    struct frame g = *f;

    if (f->fit == FRAME_CENTER_CROP)
        g.work_side = eval_side(f) < f->work_side ? eval_side(f) : f->work_side;
    else
        g.work_side = f->size;
    return g;
}

/* The centre of what would be a working picture of w x h. */
static enum rc decode_centre(const struct frame *f, str bytes, const struct image_limits *lim,
                             int32_t w, int32_t h, struct image *ret, struct err *e)
{
    struct image_rect r = centre_of(f, w, h);
    struct image_part part = {(int32_t)r.x, (int32_t)r.y, f->size, f->size};
    struct image_columns c;
    enum rc rc;

    /* an output pixel reaches no further than its neighbours */
    rc = image_decode_columns(bytes, lim, w < h ? w : h, (part.x - 1.0) / w,
                              (part.x + part.w + 1.0) / w, &c, e);
    if (rc)
        return rc;
    rc = image_resize_part(&c, w, h, part, ret, e);
    image_done(&c.im);
    return rc;
}

enum rc frame_input(const struct frame *f, str bytes, const struct image_limits *lim, float *ret,
                    struct err *e)
{
    struct frame g = frame_for_eval(f);
    struct image_info info;
    struct image im;
    int32_t w, h;
    enum rc rc = image_probe(bytes, lim, &info, e);

    if (rc)
        return rc;
    frame_work_size(&g, info.width, info.height, &w, &h);
    if (f->fit == FRAME_CENTER_CROP && (w < h ? w : h) == eval_side(f)) {
        float table[3][256];
        rc = decode_centre(&g, bytes, lim, w, h, &im, e);
        if (rc)
            return rc;
        frame_table(f, table);
        frame_planes(table, &im, false, false, ret);
        image_done(&im);
        return RC_OK;
    }
    rc = frame_open(&g, bytes, lim, &im, e);
    if (rc)
        return rc;
    rc = frame_eval(&g, &im, ret, e);
    image_done(&im);
    return rc;
}
