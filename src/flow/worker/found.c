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

struct runs {
    uint32_t *p;
    size_t n, cap;
};

/* Where cell `at` of `cells` over a side of `pixels` lies in the input; clamped into it. */
static int32_t input_at(uint32_t at, uint32_t cells, int32_t pixels, double scale, double move,
                        int32_t size)
{
    double v = floor(((double)at + 0.5) * pixels / (double)cells * scale + move);

    return v < 0 ? 0 : v >= size ? size - 1 : (int32_t)v;
}

static bool put_run(struct runs *r, bool inside, uint32_t n)
{
    bool last_inside;

    if (n == 0)
        return true;
    if (r->n == 0 && inside && !VEC_PUSH(r, 0))
        return false;
    last_inside = r->n % 2 == 0; /* runs are outside, inside, outside, .. */
    if (r->n > 0 && last_inside == inside) {
        r->p[r->n - 1] += n;
        return true;
    }
    return VEC_PUSH(r, n);
}

/* Column by column, as masks are stored. */
static bool put_all(const struct found_grid *g, struct runs *r)
{
    const struct frame_map *m = g->map;
    bool ok = put_run(r, false, g->x0 * g->h);

    for (uint32_t x = g->x0; ok && x < g->x1; x++) {
        int32_t at = input_at(x, g->w, m->width, m->sx, m->x0, g->size);
        ok = put_run(r, false, g->y0);
        for (uint32_t y = g->y0; ok && y < g->y1; y++) {
            int32_t row = input_at(y, g->h, m->height, m->sy, m->y0, g->size);
            ok = put_run(r, g->px[(size_t)row * (size_t)g->size + (size_t)at] == g->value, 1);
        }
        ok = ok && put_run(r, false, g->h - g->y1);
    }
    return ok && put_run(r, false, (g->w - g->x1) * g->h);
}

enum rc found_mask(const struct found_grid *g, struct rle *ret, struct err *e)
{
    struct runs r = {0};
    enum rc rc;

    ASSERT(g->x0 <= g->x1 && g->x1 <= g->w && g->y0 <= g->y1 && g->y1 <= g->h);
    rc = put_all(g, &r) ? rle_from_runs(r.p, r.n, g->h, g->w, ret, e)
                        : err_set(e, RC_NOMEM, "no memory for a mask");
    VEC_DONE(&r);
    return rc;
}

static uint32_t cells(int32_t pixels, double scale)
{
    double v = pixels * scale + 0.5;

    return v < 1 ? 1 : (uint32_t)v;
}

void found_scale(const struct frame_map *map, uint32_t *ret_w, uint32_t *ret_h)
{
    *ret_w = cells(map->width, map->sx);
    *ret_h = cells(map->height, map->sy);
}

/* The cells that a span of the picture touches. */
static void touched(float from, float to, int32_t pixels, uint32_t n, uint32_t *ret_from,
                    uint32_t *ret_to)
{
    double a = floor((double)from / pixels * n), b = ceil((double)to / pixels * n);

    *ret_to = b > n ? n : b < 0 ? 0 : (uint32_t)b;
    *ret_from = a < 0 ? 0 : a > *ret_to ? *ret_to : (uint32_t)a;
}

enum rc finder_mask(struct finder *f, int i, int32_t k, const struct frame_map *map, uint32_t w,
                    uint32_t h, struct rle *ret, struct err *e)
{
    struct net_box box = finder_box(f, i, k, map);
    struct found_grid g = {
        .px = f->mask, .size = f->model->frame.size, .value = 1, .map = map, .w = w, .h = h};

    net_detection_mask(f->model->net, i, raw_at(f, i, k), f->mask);
    touched(box.x0, box.x1, map->width, w, &g.x0, &g.x1);
    touched(box.y0, box.y1, map->height, h, &g.y0, &g.y1);
    return found_mask(&g, ret, e);
}
