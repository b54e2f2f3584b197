/* targets.c - see targets.h. */
#include "engine/feed/targets.h"

#include <math.h>

bool targets_init(struct targets *t, enum net_task task, bool train, struct semantic_map m,
                  int32_t batch, int32_t size_max)
{
    size_t n = (size_t)batch, side = (size_t)size_max, small = side / NET_MASK_STRIDE;

    *t = (struct targets){.task = task, .train = train, .semantic = m};
    if (task == NET_CLASSIFICATION)
        return true;
    t->first = mem_alloc_array(n + 1, sizeof *t->first);
    if (task == NET_SEGMENTATION)
        t->instances = mem_alloc_array(n * small * small, sizeof *t->instances);
    if (task == NET_SEMANTIC)
        t->labels = mem_alloc_array(n * side * side, sizeof *t->labels);
    return t->first && (task != NET_SEGMENTATION || t->instances) &&
           (task != NET_SEMANTIC || t->labels);
}

void targets_done(struct targets *t)
{
    mem_free(t->first);
    mem_free(t->instances);
    mem_free(t->labels);
    VEC_DONE(&t->boxes);
    VEC_DONE(&t->objects);
    VEC_DONE(&t->parts);
    VEC_DONE(&t->xy);
    VEC_DONE(&t->mapped);
    VEC_DONE(&t->clipped);
    VEC_DONE(&t->scratch);
    *t = (struct targets){0};
}

size_t targets_bytes(enum net_task task, int32_t size)
{
    size_t side = (size_t)size, small = side / NET_MASK_STRIDE;

    return task == NET_SEGMENTATION ? small * small * 2 : task == NET_SEMANTIC ? side * side : 0;
}

void targets_begin(struct targets *t, int32_t size)
{
    t->size = size;
    t->n = 0;
    t->boxes.n = 0;
    if (t->first)
        t->first[0] = 0;
}

/* ---- objects of the image */

static struct rect whole(const struct targets *t)
{
    return (struct rect){0, 0, t->size, t->size};
}

static bool is_there(const struct targets *t, struct rect r, double part)
{
    if (!(rect_area(r) > 0))
        return false;
    return !t->train || (r.x1 - r.x0 >= TARGET_SIDE_MIN && r.y1 - r.y0 >= TARGET_SIDE_MIN &&
                         part >= TARGET_AREA_MIN);
}

static uint32_t boxes_of_image(const struct targets *t)
{
    return (uint32_t)(t->boxes.n - (size_t)t->first[t->n]);
}

/* The box as the network is given it: floats inside of the input, with an area. */
static bool push_box(struct targets *t, int32_t cls, struct rect r)
{
    struct net_box b = {cls, (float)r.x0, (float)r.y0, (float)r.x1, (float)r.y1};

    return b.x1 > b.x0 && b.y1 > b.y0 ? VEC_PUSH(&t->boxes, b) : true;
}

static bool add_boxes(struct targets *t, const struct sample_ref *s, struct affine m)
{
    for (uint32_t i = 0; i < s->boxes_n && boxes_of_image(t) < FEED_OBJECTS_MAX; i++) {
        const struct net_box *b = &s->boxes[i];
        struct rect all = rect_mapped((struct rect){b->x0, b->y0, b->x1, b->y1}, m);
        struct rect seen = rect_clip(all, whole(t));
        if (is_there(t, seen, rect_area(seen) / rect_area(all)) && !push_box(t, b->cls, seen))
            return false;
    }
    return true;
}

/* One part of an object, clipped, to the end of xy. */
static bool add_part(struct targets *t, const struct sample_shape *s, struct affine m, double *all,
                     double *seen, struct rect *bounds)
{
    struct target_part part = {.at = t->xy.n};

    if (!outline_map(&t->mapped, s->xy, s->points, m))
        return false;
    *all += outline_area(&t->mapped);
    if (!outline_clip(&t->mapped, &t->clipped, whole(t)))
        return false;
    if (t->mapped.n < 6)
        return true;
    *seen += outline_area(&t->mapped);
    struct rect r = outline_bounds(&t->mapped);
    bounds->x0 = r.x0 < bounds->x0 ? r.x0 : bounds->x0;
    bounds->y0 = r.y0 < bounds->y0 ? r.y0 : bounds->y0;
    bounds->x1 = r.x1 > bounds->x1 ? r.x1 : bounds->x1;
    bounds->y1 = r.y1 > bounds->y1 ? r.y1 : bounds->y1;
    part.points = t->mapped.n / 2;
    for (size_t i = 0; i < t->mapped.n; i++)
        if (!VEC_PUSH(&t->xy, t->mapped.p[i]))
            return false;
    return VEC_PUSH(&t->parts, part);
}

static bool add_object(struct targets *t, const struct sample_shape *s, uint32_t shapes,
                       struct affine m)
{
    struct rect r = {INFINITY, INFINITY, -INFINITY, -INFINITY};
    struct target_object o = {.cls = s->cls, .part = t->parts.n};
    double all = 0;
    size_t boxes = t->boxes.n, points = t->xy.n;

    for (uint32_t i = 0; i < shapes; i++)
        if (!add_part(t, &s[i], m, &all, &o.area, &r))
            return false;
    o.parts = t->parts.n - o.part;
    bool keep = o.parts > 0;
    if (keep && t->task == NET_SEGMENTATION) {
        keep = all > 0 && is_there(t, r, o.area / all);
        if (keep && !push_box(t, s->cls, r))
            return false;
        keep = keep && t->boxes.n > boxes;
        o.number = keep ? boxes_of_image(t) : 0;
    } else {
        o.number = (uint32_t)t->objects.n + 1;
    }
    if (keep)
        return VEC_PUSH(&t->objects, o);
    t->parts.n = o.part;
    t->xy.n = points;
    return true;
}

static bool add_outlines(struct targets *t, const struct sample_ref *s, struct affine m)
{
    for (uint32_t i = 0, n; i < s->shapes_n && t->objects.n < FEED_OBJECTS_MAX; i += n) {
        for (n = 1; s->shapes[i + n - 1].more && i + n < s->shapes_n;)
            n++;
        if (!add_object(t, s->shapes + i, n, m))
            return false;
    }
    return true;
}

/* ---- paint */

struct brush {
    int32_t width;
    uint16_t value;
    uint16_t *wide; /* one of the two */
    uint8_t *narrow;
    uint64_t painted; /* pixels */
};

static void paint_span(void *ud, int32_t y, int32_t x0, int32_t x1)
{
    struct brush *b = ud;
    size_t row = (size_t)y * (size_t)b->width;

    for (int32_t x = x0; x < x1 && b->wide; x++)
        b->wide[row + (size_t)x] = b->value;
    if (b->narrow)
        memset(b->narrow + row + x0, b->value, (size_t)(x1 - x0));
    b->painted += (uint64_t)(x1 - x0);
}

static int larger_first(const void *a, const void *b)
{
    const struct target_object *x = a, *y = b;

    if (x->area != y->area)
        return x->area > y->area ? -1 : 1;
    return x->number < y->number ? -1 : x->number > y->number;
}

static bool paint_object(struct targets *t, const struct target_object *o, struct affine m,
                         struct brush *b)
{
    for (size_t i = o->part; i < o->part + o->parts; i++) {
        const struct target_part *p = &t->parts.p[i];
        if (!outline_map(&t->mapped, t->xy.p + p->at, p->points, m) ||
            !raster_outline(t->mapped.p, p->points, b->width, b->width, &t->scratch, paint_span, b))
            return false;
    }
    return true;
}

static bool paint_instances(struct targets *t)
{
    int32_t side = t->size / NET_MASK_STRIDE;
    size_t pixels = (size_t)side * (size_t)side;
    struct brush b = {.width = side, .wide = t->instances + (size_t)t->n * pixels};

    memset(b.wide, 0, pixels * sizeof *b.wide);
    for (size_t i = 0; i < t->objects.n; i++) {
        const struct target_object *o = &t->objects.p[i];
        b.value = (uint16_t)o->number;
        b.painted = 0;
        if (!paint_object(t, o, affine_scale(1.0 / NET_MASK_STRIDE, 1.0 / NET_MASK_STRIDE), &b))
            return false;
        if (!b.painted) { /* thinner than the grid: the pixel at the middle of its box */
            const struct net_box *box = &t->boxes.p[(size_t)t->first[t->n] + o->number - 1];
            int32_t x = (int32_t)((box->x0 + box->x1) / 2 / NET_MASK_STRIDE);
            int32_t y = (int32_t)((box->y0 + box->y1) / 2 / NET_MASK_STRIDE);
            x = x < side ? x : side - 1;
            y = y < side ? y : side - 1;
            b.wide[y * side + x] = b.value;
        }
    }
    return true;
}

/* Where the pictures lie is background, beside them is nothing that counts. */
static bool paint_labels(struct targets *t, const struct sample_ref *const *pictures,
                         const struct affine *maps, int n)
{
    size_t pixels = (size_t)t->size * (size_t)t->size;
    struct brush b = {.width = t->size, .narrow = t->labels + (size_t)t->n * pixels};

    memset(b.narrow, NET_LABEL_IGNORE, pixels);
    b.value = (uint16_t)t->semantic.background;
    for (int i = 0; i < n; i++) {
        float w = (float)pictures[i]->width, h = (float)pictures[i]->height;
        float corners[8] = {0, 0, w, 0, w, h, 0, h};
        if (!outline_map(&t->mapped, corners, 4, maps[i]) ||
            !raster_outline(t->mapped.p, 4, t->size, t->size, &t->scratch, paint_span, &b))
            return false;
    }
    for (size_t i = 0; i < t->objects.n; i++) {
        b.value = (uint16_t)(t->objects.p[i].cls + t->semantic.shift);
        if (!paint_object(t, &t->objects.p[i], affine_identity, &b))
            return false;
    }
    return true;
}

bool targets_add(struct targets *t, const struct sample_ref *const *pictures,
                 const struct affine *maps, int n)
{
    bool ok = true;

    t->objects.n = t->parts.n = t->xy.n = 0;
    for (int i = 0; ok && i < n; i++)
        ok = t->task == NET_DETECTION ? add_boxes(t, pictures[i], maps[i])
                                      : add_outlines(t, pictures[i], maps[i]);
    if (ok && t->objects.n > 1)
        qsort(t->objects.p, t->objects.n, sizeof *t->objects.p, larger_first);
    if (ok && t->task == NET_SEGMENTATION)
        ok = paint_instances(t);
    if (ok && t->task == NET_SEMANTIC)
        ok = paint_labels(t, pictures, maps, n);
    if (ok)
        t->first[++t->n] = (int32_t)t->boxes.n;
    return ok;
}
