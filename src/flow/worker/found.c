/* found.c - see found.h. */
#include "flow/worker/found.h"

#include "base/mem.h"
#include <math.h>

enum rc finder_init(struct finder *f, const struct model *m, int batch, struct net_detect how,
                    struct err *e)
{
    size_t size = (size_t)m->frame.size;

    *f = (struct finder){.model = m, .how = how};
    f->raw = mem_alloc_array((size_t)batch * (size_t)how.most, sizeof *f->raw);
    f->n = mem_alloc_array((size_t)batch, sizeof *f->n);
    if (m->task == NET_SEGMENTATION)
        f->mask = mem_alloc(size * size);
    if (f->raw && f->n && (f->mask || m->task != NET_SEGMENTATION))
        return RC_OK;
    finder_done(f);
    return err_set(e, RC_NOMEM, "no memory for the objects of %d pictures", batch);
}

void finder_done(struct finder *f)
{
    mem_free(f->raw);
    mem_free(f->n);
    mem_free(f->mask);
    VEC_DONE(&f->runs);
    *f = (struct finder){0};
}

enum rc finder_run(struct finder *f, const float *x, int count, struct err *e)
{
    return net_detect(f->model->net, x, count, &f->how, f->raw, f->n, e);
}

static const struct net_detection *raw_at(const struct finder *f, int i, int32_t k)
{
    ASSERT(k >= 0 && k < f->n[i]);
    return &f->raw[(size_t)i * (size_t)f->how.most + (size_t)k];
}

struct net_box finder_box(const struct finder *f, int i, int32_t k, const struct frame_map *map)
{
    return frame_map_back(map, raw_at(f, i, k)->box);
}

float finder_confidence(const struct finder *f, int i, int32_t k)
{
    return raw_at(f, i, k)->confidence;
}

/* ---- masks */

/* Where cell `at` of `cells` over a side of `pixels` lies in the input; clamped into it. */
static int32_t input_at(uint32_t at, uint32_t cells, int32_t pixels, double scale, double move,
                        int32_t size)
{
    double v = floor(((double)at + 0.5) * pixels / (double)cells * scale + move);

    return v < 0 ? 0 : v >= size ? size - 1 : (int32_t)v;
}

static bool put_run(struct finder *f, bool inside, uint32_t n)
{
    bool last_inside;

    if (n == 0)
        return true;
    if (f->runs.n == 0 && inside && !VEC_PUSH(&f->runs, 0))
        return false;
    last_inside = f->runs.n % 2 == 0; /* runs are outside, inside, outside, .. */
    if (f->runs.n > 0 && last_inside == inside) {
        f->runs.p[f->runs.n - 1] += n;
        return true;
    }
    return VEC_PUSH(&f->runs, n);
}

/* The cells that a span of the picture touches. */
static void cells_of(float from, float to, int32_t pixels, uint32_t cells, uint32_t *ret_from,
                     uint32_t *ret_to)
{
    double a = floor((double)from / pixels * cells), b = ceil((double)to / pixels * cells);

    *ret_from = a < 0 ? 0 : (uint32_t)a;
    *ret_to = b > cells ? cells : b < 0 ? 0 : (uint32_t)b;
}

enum rc finder_mask(struct finder *f, int i, int32_t k, const struct frame_map *map, uint32_t w,
                    uint32_t h, struct rle *ret, struct err *e)
{
    struct net_box box = finder_box(f, i, k, map);
    int32_t size = f->model->frame.size;
    uint32_t x0, x1, y0, y1;
    bool ok;

    ASSERT(w > 0 && h > 0 && w <= RLE_SIDE_MAX && h <= RLE_SIDE_MAX);
    net_detection_mask(f->model->net, i, raw_at(f, i, k), f->mask);
    cells_of(box.x0, box.x1, map->width, w, &x0, &x1);
    cells_of(box.y0, box.y1, map->height, h, &y0, &y1);
    f->runs.n = 0;
    ok = put_run(f, false, x0 * h);
    for (uint32_t x = x0; ok && x < x1; x++) { /* column by column, as masks are stored */
        int32_t at = input_at(x, w, map->width, map->sx, map->x0, size);
        ok = put_run(f, false, y0);
        for (uint32_t y = y0; ok && y < y1; y++) {
            int32_t row = input_at(y, h, map->height, map->sy, map->y0, size);
            ok = put_run(f, f->mask[(size_t)row * (size_t)size + (size_t)at] != 0, 1);
        }
        ok = ok && put_run(f, false, h - y1);
    }
    ok = ok && put_run(f, false, (w - (x1 > x0 ? x1 : x0)) * h);
    if (!ok)
        return err_set(e, RC_NOMEM, "no memory for a mask");
    return rle_from_runs(f->runs.p, f->runs.n, h, w, ret, e);
}
