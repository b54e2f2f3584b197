/* rle_polygon.c - masks of polygons, to the pixel as COCO's tools make them.
 *
 * An outline is walked on a grid five times as fine as the picture, along the longer axis of each
 * edge.  Where the walk steps from fine column 5x + 2 to 5x + 3 or back it crosses the middle of
 * column x: there the column changes between outside and inside, at the first row whose middle
 * (fine row 5y + 2) is not above the crossing.  Crossings, sorted in the mask's own order, are the
 * ends of its runs.  Only crossings are stored.
 *
 * The rounding is part of the definition: fine vertices are 5 * xy + .5 cut towards 0, points along
 * an edge start + slope * t + .5 cut towards 0, in double.
 */
#include "engine/measure/rle.h"

#include "engine/measure/rle_int.h"
#include <math.h>
#include <stdlib.h>

enum { FINE = 5, FINE_MIDDLE = 2 };

struct outline {
    int64_t h, w;
    int u, v; /* where the walk is, fine */
    bool started;
    bool nomem;
    VEC(uint32_t) at; /* crossings: x * h + y, y up to h */
};

static void outline_step(struct outline *o, int u, int v)
{
    int pu = o->u, pv = o->v, k = u < pu ? u : u - 1, low = v < pv ? v : pv;
    int64_t x = k / FINE, y;

    o->u = u;
    o->v = v;
    if (!o->started || u == pu || k < 0 || k % FINE != FINE_MIDDLE || x >= o->w) {
        o->started = true;
        return;
    }
    y = low <= FINE_MIDDLE ? 0 : (low - FINE_MIDDLE + FINE - 1) / FINE;
    y = y > o->h ? o->h : y;
    o->nomem = o->nomem || !VEC_PUSH(&o->at, (uint32_t)(x * o->h + y));
}

/* From (x0, y0) to (x1, y1), both ends included.  The points are those of the edge walked upwards
 * along its longer axis, whichever way it is walked. */
static void outline_edge(struct outline *o, int x0, int y0, int x1, int y1)
{
    int dx = abs(x1 - x0), dy = abs(y1 - y0);
    bool flat = dx >= dy, back = flat ? x0 > x1 : y0 > y1;
    int n = flat ? dx : dy;
    int fx = back ? x1 : x0, fy = back ? y1 : y0, tx = back ? x0 : x1, ty = back ? y0 : y1;
    double slope = n ? (flat ? (double)(ty - fy) / dx : (double)(tx - fx) / dy) : 0;

    for (int d = 0; d <= n; d++) {
        int t = back ? n - d : d;
        if (flat)
            outline_step(o, t + fx, (int)(fy + slope * t + .5));
        else
            outline_step(o, (int)(fx + slope * t + .5), t + fy);
    }
}

static int compare_u32(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static enum rc outline_runs(struct outline *o, struct rle *ret, struct err *e)
{
    struct rle_build b = {.nomem = o->nomem};
    uint32_t before = 0;
    bool inside = false;

    if (o->at.n)
        qsort(o->at.p, o->at.n, sizeof *o->at.p, compare_u32);
    for (size_t i = 0; i < o->at.n; i++) {
        rle_build_put(&b, inside, o->at.p[i] - before);
        before = o->at.p[i];
        inside = !inside;
    }
    rle_build_put(&b, inside, (uint32_t)(o->h * o->w) - before);
    return rle_build_take(&b, (uint32_t)o->h, (uint32_t)o->w, ret, e);
}

static int fine(double x)
{
    return (int)(FINE * x + .5);
}

static enum rc check_polygon(const struct rle_polygon *p, struct err *e)
{
    uint64_t steps = 0;

    if (p->points < 3)
        return err_set(e, RC_INVALID, "a polygon of %zu points; it needs 3 or more", p->points);
    for (size_t i = 0; i < 2 * p->points; i++)
        if (!(fabs(p->xy[i]) <= RLE_COORD_MAX))
            return err_set(e, RC_INVALID, "a polygon's point %zu is no number or beyond %d pixels",
                           i / 2 + 1, RLE_COORD_MAX);
    for (size_t i = 0; i < p->points; i++) {
        const double *a = p->xy + 2 * i, *b = p->xy + 2 * ((i + 1) % p->points);
        steps += (uint64_t)(FINE * fmax(fabs(a[0] - b[0]), fabs(a[1] - b[1]))) + 2;
        if (steps > RLE_POLYGON_STEPS_MAX)
            return err_set(e, RC_TOO_LARGE, "a polygon's outline is over %d pixels long",
                           RLE_POLYGON_STEPS_MAX / FINE);
    }
    return RC_OK;
}

static enum rc from_polygon(const struct rle_polygon *p, uint32_t h, uint32_t w, struct rle *ret,
                            struct err *e)
{
    struct outline o = {.h = h, .w = w};
    enum rc rc = check_polygon(p, e);

    if (rc)
        return rc;
    for (size_t i = 0; i < p->points; i++) {
        const double *a = p->xy + 2 * i, *b = p->xy + 2 * ((i + 1) % p->points);
        outline_edge(&o, fine(a[0]), fine(a[1]), fine(b[0]), fine(b[1]));
    }
    rc = outline_runs(&o, ret, e);
    VEC_DONE(&o.at);
    return rc;
}

enum rc rle_from_polygons(const struct rle_polygon *parts, size_t n, uint32_t h, uint32_t w,
                          struct rle *ret, struct err *e)
{
    struct rle all, part, both;
    enum rc rc = rle_check_size(h, w, e);

    if (rc)
        return rc;
    if (!n)
        return err_set(e, RC_INVALID, "an object without polygons");
    rc = from_polygon(&parts[0], h, w, &all, e);
    if (rc)
        return rc;
    for (size_t i = 1; !rc && i < n; i++) {
        rc = from_polygon(&parts[i], h, w, &part, e);
        if (rc)
            break;
        rc = rle_merge((const struct rle *[]){&all, &part}, 2, false, &both, e);
        rle_done(&part);
        if (!rc) {
            rle_done(&all);
            all = both;
        }
    }
    if (rc)
        rle_done(&all);
    else
        *ret = all;
    return rc;
}

enum rc rle_from_box(const double box[4], uint32_t h, uint32_t w, struct rle *ret, struct err *e)
{
    double x0 = box[0], y0 = box[1], x1 = box[0] + box[2], y1 = box[1] + box[3];
    double xy[] = {x0, y0, x0, y1, x1, y1, x1, y0};

    return rle_from_polygons(&(struct rle_polygon){xy, 4}, 1, h, w, ret, e);
}
