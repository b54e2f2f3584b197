/* truths.c - see truths.h. */
#include "flow/worker/truths.h"

#include "flow/worker/found.h"

static void clear(struct truths *t)
{
    for (size_t i = 0; i < t->masks.n; i++)
        rle_done(&t->masks.p[i]);
    t->masks.n = t->of.n = t->boxes.n = 0;
}

void truths_done(struct truths *t)
{
    clear(t);
    VEC_DONE(&t->of);
    VEC_DONE(&t->boxes);
    VEC_DONE(&t->masks);
    VEC_DONE(&t->xy);
    VEC_DONE(&t->parts);
}

static float within(float v, int32_t most)
{
    return v > 0 ? (v < (float)most ? v : (float)most) : 0;
}

static bool clip(struct net_box *b, const struct sample_ref *s)
{
    b->x0 = within(b->x0, s->width);
    b->x1 = within(b->x1, s->width);
    b->y0 = within(b->y0, s->height);
    b->y1 = within(b->y1, s->height);
    return b->x0 < b->x1 && b->y0 < b->y1;
}

static enum rc add(struct truths *t, struct net_box b, struct err *e)
{
    struct coco_truth truth = {
        .cls = b.cls, .area = -1, .box = {b.x0, b.y0, (double)b.x1 - b.x0, (double)b.y1 - b.y0}};

    if (VEC_PUSH(&t->boxes, b) && VEC_PUSH(&t->of, truth))
        return RC_OK;
    return err_set(e, RC_NOMEM, "no memory for the objects of a picture");
}

/* The outlines of one object, shapes[0 .. n - 1]. */
static enum rc add_object(struct truths *t, const struct sample_ref *s,
                          const struct sample_shape *shapes, size_t n, const struct frame_map *map,
                          struct err *e)
{
    struct net_box b = {shapes[0].cls, (float)s->width, (float)s->height, 0, 0};
    struct rle mask = {0};
    size_t at = 0;
    bool ok = true;
    enum rc rc;

    t->xy.n = t->parts.n = 0;
    for (size_t k = 0; k < n; k++)
        for (uint32_t i = 0; i < shapes[k].points && ok; i++) {
            float x = shapes[k].xy[2 * i], y = shapes[k].xy[2 * i + 1];
            b.x0 = x < b.x0 ? x : b.x0;
            b.x1 = x > b.x1 ? x : b.x1;
            b.y0 = y < b.y0 ? y : b.y0;
            b.y1 = y > b.y1 ? y : b.y1;
            ok = VEC_PUSH(&t->xy, x * (double)t->grid_w / map->width) &&
                 VEC_PUSH(&t->xy, y * (double)t->grid_h / map->height);
        }
    for (size_t k = 0; k < n && ok; k++) {
        ok = VEC_PUSH(&t->parts, (struct rle_polygon){t->xy.p + at, shapes[k].points});
        at += 2 * (size_t)shapes[k].points;
    }
    if (!ok || !VEC_ROOM(&t->masks))
        return err_set(e, RC_NOMEM, "no memory for the masks of a picture");
    if (!clip(&b, s))
        return RC_OK;
    rc = rle_from_polygons(t->parts.p, t->parts.n, t->grid_h, t->grid_w, &mask, e);
    if (rc)
        return rc;
    t->masks.p[t->masks.n++] = mask;
    return add(t, b, e);
}

enum rc truths_take(struct truths *t, const struct sample_ref *s, bool masks,
                    const struct frame_map *map, struct err *e)
{
    enum rc rc = RC_OK;

    clear(t);
    found_scale(map, &t->grid_w, &t->grid_h);
    for (uint32_t k = 0; !masks && k < s->boxes_n && !rc; k++) {
        struct net_box b = s->boxes[k];
        if (clip(&b, s))
            rc = add(t, b, e);
    }
    for (uint32_t k = 0, end; masks && k < s->shapes_n && !rc; k = end) {
        for (end = k + 1; end < s->shapes_n && s->shapes[end - 1].more; end++)
            ;
        rc = add_object(t, s, &s->shapes[k], end - k, map, e);
    }
    for (size_t k = 0; masks && !rc && k < t->of.n; k++) /* they lie still now */
        t->of.p[k].mask = &t->masks.p[k];
    return rc;
}

/* ---- another dataset's classes */

static enum rc unknown(const struct run *r, int32_t cls, struct err *e)
{
    const struct dataset_header *h = &r->samples.header;
    str name = (size_t)cls < h->classes_n ? h->classes[cls] : STR("text");

    return err_set(e, RC_INVALID, "the class '%.*s' of the dataset is not known to the model",
                   STR_F(name));
}

enum rc truths_match(struct run *r, struct sample_ref *samples, size_t n, const int32_t *to,
                     struct err *e)
{
    for (size_t i = 0; i < n; i++) {
        struct sample_ref *s = &samples[i];
        struct net_box *boxes = ARENA_ARRAY(&r->arena, struct net_box, s->boxes_n + 1);
        struct sample_shape *shapes = ARENA_ARRAY(&r->arena, struct sample_shape, s->shapes_n + 1);
        if (!boxes || !shapes)
            return err_set(e, RC_NOMEM, "no memory for the objects of the dataset");
        for (uint32_t k = 0; k < s->boxes_n; k++) {
            boxes[k] = s->boxes[k];
            boxes[k].cls = to[s->boxes[k].cls];
            if (boxes[k].cls < 0)
                return unknown(r, s->boxes[k].cls, e);
        }
        for (uint32_t k = 0; k < s->shapes_n; k++) {
            shapes[k] = s->shapes[k];
            shapes[k].cls = to[s->shapes[k].cls];
            if (shapes[k].cls < 0)
                return unknown(r, s->shapes[k].cls, e);
        }
        s->boxes = boxes;
        s->shapes = shapes;
    }
    return RC_OK;
}
