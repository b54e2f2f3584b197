/* frame.c - see frame.h. */
#include "engine/feed/frame.h"

const char *const frame_fit_names[] = {"squash", "center_crop", "letterbox", NULL};
const float frame_imagenet_mean[3] = {0.485f, 0.456f, 0.406f};
const float frame_imagenet_std[3] = {0.229f, 0.224f, 0.225f};

void frame_work_size(const struct frame *f, int32_t width, int32_t height, int32_t *ret_w,
                     int32_t *ret_h)
{
    int64_t w = width, h = height, side = w < h ? w : h;

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

void frame_planes(const float table[3][256], const struct image *im, bool mirror, bool upside_down,
                  float *ret)
{
    size_t n = (size_t)im->width;

    for (size_t y = 0; y < n; y++) {
        const uint8_t *row = im->rgb + (upside_down ? n - 1 - y : y) * n * 3;
        for (size_t x = 0; x < n; x++) {
            const uint8_t *p = row + (mirror ? n - 1 - x : x) * 3;
            for (size_t c = 0; c < 3; c++)
                ret[(c * n + y) * n + x] = table[c][p[c]];
        }
    }
}

enum rc frame_eval(const struct frame *f, const struct image *work, float *ret, struct err *e)
{
    float table[3][256];
    struct image square;
    int32_t side = work->width < work->height ? work->width : work->height;
    double part = 7.0 / 8.0 * side;
    struct image_rect centre = {(work->width - part) / 2, (work->height - part) / 2, part, part};
    struct image_rect all = {0, 0, work->width, work->height};
    enum rc rc;

    frame_table(f, table);
    if (f->fit == FRAME_SQUASH && work->width == f->size && work->height == f->size) {
        frame_planes(table, work, false, false, ret);
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
