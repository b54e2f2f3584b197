/* geometry.c - see geometry.h. */
#include "engine/feed/geometry.h"

#include <math.h>

enum { SORT_FEW = 32 };
#define RADIANS (3.14159265358979323846 / 180)

const struct affine affine_identity = {1, 0, 0, 0, 1, 0};

struct affine affine_scale(double sx, double sy)
{
    return (struct affine){sx, 0, 0, 0, sy, 0};
}

struct affine affine_move(double x, double y)
{
    return (struct affine){1, 0, x, 0, 1, y};
}

struct affine affine_turn(double degrees)
{
    double c = cos(degrees * RADIANS), s = sin(degrees * RADIANS);
    return (struct affine){c, -s, 0, s, c, 0};
}

struct affine affine_shear(double x_degrees, double y_degrees)
{
    return (struct affine){1, tan(x_degrees * RADIANS), 0, tan(y_degrees * RADIANS), 1, 0};
}

struct affine affine_then(struct affine a, struct affine b)
{
    return (struct affine){
        .xx = b.xx * a.xx + b.xy * a.yx,
        .xy = b.xx * a.xy + b.xy * a.yy,
        .x0 = b.xx * a.x0 + b.xy * a.y0 + b.x0,
        .yx = b.yx * a.xx + b.yy * a.yx,
        .yy = b.yx * a.xy + b.yy * a.yy,
        .y0 = b.yx * a.x0 + b.yy * a.y0 + b.y0,
    };
}

bool affine_invert(struct affine m, struct affine *ret)
{
    double d = m.xx * m.yy - m.xy * m.yx;

    if (!(fabs(d) > 1e-12))
        return false;
    *ret = (struct affine){
        .xx = m.yy / d,
        .xy = -m.xy / d,
        .x0 = (m.xy * m.y0 - m.yy * m.x0) / d,
        .yx = -m.yx / d,
        .yy = m.xx / d,
        .y0 = (m.yx * m.x0 - m.xx * m.y0) / d,
    };
    return true;
}

void affine_apply(struct affine m, double x, double y, double *ret_x, double *ret_y)
{
    *ret_x = m.xx * x + m.xy * y + m.x0;
    *ret_y = m.yx * x + m.yy * y + m.y0;
}

/* ---- rectangles */

struct rect rect_clip(struct rect r, struct rect to)
{
    r.x0 = r.x0 > to.x0 ? r.x0 : to.x0;
    r.y0 = r.y0 > to.y0 ? r.y0 : to.y0;
    r.x1 = r.x1 < to.x1 ? r.x1 : to.x1;
    r.y1 = r.y1 < to.y1 ? r.y1 : to.y1;
    return r;
}

double rect_area(struct rect r)
{
    return r.x1 > r.x0 && r.y1 > r.y0 ? (r.x1 - r.x0) * (r.y1 - r.y0) : 0;
}

static void reach(struct rect *r, double x, double y)
{
    r->x0 = x < r->x0 ? x : r->x0;
    r->y0 = y < r->y0 ? y : r->y0;
    r->x1 = x > r->x1 ? x : r->x1;
    r->y1 = y > r->y1 ? y : r->y1;
}

struct rect rect_mapped(struct rect r, struct affine m)
{
    struct rect out;
    double x, y;

    affine_apply(m, r.x0, r.y0, &x, &y);
    out = (struct rect){x, y, x, y};
    affine_apply(m, r.x1, r.y0, &x, &y);
    reach(&out, x, y);
    affine_apply(m, r.x0, r.y1, &x, &y);
    reach(&out, x, y);
    affine_apply(m, r.x1, r.y1, &x, &y);
    reach(&out, x, y);
    return out;
}

/* ---- outlines */

static bool add_point(struct outline *o, double x, double y)
{
    return VEC_PUSH(o, (float)x) && VEC_PUSH(o, (float)y);
}

bool outline_map(struct outline *o, const float *xy, size_t points, struct affine m)
{
    o->n = 0;
    for (size_t i = 0; i < points; i++) {
        double x, y;
        affine_apply(m, (double)xy[2 * i], (double)xy[2 * i + 1], &x, &y);
        if (!add_point(o, x, y))
            return false;
    }
    return true;
}

/* Keeps what is on the inner side of one edge: sign * p[axis] >= sign * at. */
static bool clip_side(const struct outline *in, struct outline *out, int axis, double at,
                      double sign)
{
    size_t points = in->n / 2;

    out->n = 0;
    for (size_t i = 0; i < points; i++) {
        const float *a = in->p + 2 * ((i + points - 1) % points), *b = in->p + 2 * i;
        double da = sign * ((double)a[axis] - at), db = sign * ((double)b[axis] - at);
        if ((da >= 0) != (db >= 0)) {
            double t = da / (da - db);
            double x = a[0] + t * ((double)b[0] - a[0]), y = a[1] + t * ((double)b[1] - a[1]);
            if (!add_point(out, axis == 0 ? at : x, axis == 1 ? at : y))
                return false;
        }
        if (db >= 0 && !add_point(out, (double)b[0], (double)b[1]))
            return false;
    }
    return true;
}

bool outline_clip(struct outline *o, struct outline *scratch, struct rect to)
{
    struct rect r = outline_bounds(o);

    if (r.x0 >= to.x0 && r.y0 >= to.y0 && r.x1 <= to.x1 && r.y1 <= to.y1)
        return true;
    return clip_side(o, scratch, 0, to.x0, 1) && clip_side(scratch, o, 0, to.x1, -1) &&
           clip_side(o, scratch, 1, to.y0, 1) && clip_side(scratch, o, 1, to.y1, -1);
}

double outline_area(const struct outline *o)
{
    size_t points = o->n / 2;
    double sum = 0;

    for (size_t i = 0; i < points; i++) {
        const float *a = o->p + 2 * i, *b = o->p + 2 * ((i + 1) % points);
        sum += (double)a[0] * b[1] - (double)b[0] * a[1];
    }
    return fabs(sum) / 2;
}

struct rect outline_bounds(const struct outline *o)
{
    struct rect r = {0};

    if (o->n >= 2)
        r = (struct rect){o->p[0], o->p[1], o->p[0], o->p[1]};
    for (size_t i = 2; i + 1 < o->n; i += 2)
        reach(&r, (double)o->p[i], (double)o->p[i + 1]);
    return r;
}

/* ---- pixels */

/* The first pixel whose centre is not left of x, inside [0, n]. */
static int32_t first_centre(double x, int32_t n)
{
    double p = ceil(x - 0.5);
    return !(p > 0) ? 0 : p >= n ? n : (int32_t)p;
}

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return x < y ? -1 : x > y;
}

static void sort_floats(float *p, size_t n)
{
    if (n > SORT_FEW) {
        qsort(p, n, sizeof *p, by_value);
        return;
    }
    for (size_t i = 1; i < n; i++) { /* few, and nearly in order */
        float v = p[i];
        size_t k = i;
        for (; k > 0 && p[k - 1] > v; k--)
            p[k] = p[k - 1];
        p[k] = v;
    }
}

bool raster_outline(const float *xy, size_t points, int32_t width, int32_t height,
                    struct outline *scratch, raster_span *span, void *ud)
{
    struct outline all = {.p = (float *)(uintptr_t)xy, .n = 2 * points};
    struct rect r = outline_bounds(&all);
    int32_t from = first_centre(r.y0, height), to = first_centre(r.y1, height);

    scratch->n = 0;
    while (scratch->cap < points) { /* an edge crosses a row once at most */
        if (!VEC_PUSH(scratch, 0))
            return false;
    }
    for (int32_t y = from; y < to; y++) {
        double at = y + 0.5;
        float *cross = scratch->p;
        size_t n = 0;
        for (size_t i = 0, j = points - 1; i < points; j = i++) {
            double y0 = xy[2 * j + 1], y1 = xy[2 * i + 1];
            if ((y0 <= at) == (y1 <= at))
                continue;
            double x0 = xy[2 * j], x1 = xy[2 * i];
            cross[n++] = (float)(x0 + (at - y0) / (y1 - y0) * (x1 - x0));
        }
        sort_floats(cross, n);
        for (size_t i = 0; i + 1 < n; i += 2) {
            int32_t x0 = first_centre((double)cross[i], width);
            int32_t x1 = first_centre((double)cross[i + 1], width);
            if (x1 > x0)
                span(ud, y, x0, x1);
        }
    }
    return true;
}
