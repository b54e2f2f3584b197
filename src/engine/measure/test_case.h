/* test_case.h - reads a case of bench/measures (a picture, a mask) from JSON.  Shared by the unit
 * tests, which read the golden cases, and by bench/measures/driver.c.  Static, so that no product
 * file carries it; a fault ends the program with its reason.
 *
 * A MASK is "compressed counts", [run, ..], {"polygons": [[x, y, ..], ..]} or {"box": [4]}.
 * A picture is {"h", "w", "truths": [{"cls", "crowd", "box", "area", "mask"}], "detections":
 * [{"cls", "score", "box", "mask"}]}.
 */
#ifndef ANNEAL_ENGINE_MEASURE_TEST_CASE_H
#define ANNEAL_ENGINE_MEASURE_TEST_CASE_H

#include "base/json.h"
#include "base/mem.h"
#include "engine/measure/coco_eval.h"
#include <stdio.h>
#include <stdlib.h>

static inline void must(enum rc rc, const struct err *e)
{
    if (!rc)
        return;
    fprintf(stderr, "case: %s\n", e->text);
    abort();
}

static inline void *room(size_t n)
{
    void *p = mem_zalloc(n ? n : 1);

    ASSERT(p);
    return p;
}

static inline double number(const struct json *j)
{
    return !j ? 0 : j->type == JSON_INT ? (double)j->i : j->f;
}

static inline size_t numbers(const struct json *j, double *ret, size_t cap)
{
    size_t n = 0;

    JSON_EACH(v, j)
        if (n < cap)
            ret[n++] = number(v);
    return n;
}

static inline void read_polygons(const struct json *list, uint32_t h, uint32_t w, struct rle *ret)
{
    struct rle_polygon *parts = room(list->list.count * sizeof *parts);
    size_t n = 0;
    struct err e;

    JSON_EACH(part, list) {
        double *xy = room(part->list.count * sizeof *xy);
        parts[n++] = (struct rle_polygon){xy, numbers(part, xy, part->list.count) / 2};
    }
    must(rle_from_polygons(parts, n, h, w, ret, &e), &e);
    for (size_t i = 0; i < n; i++)
        mem_free((void *)parts[i].xy);
    mem_free(parts);
}

static inline void read_mask(const struct json *j, uint32_t h, uint32_t w, struct rle *ret)
{
    double box[4];
    struct err e;

    if (j->type == JSON_STR) {
        must(rle_from_text(j->s, h, w, ret, &e), &e);
    } else if (j->type == JSON_ARR) {
        uint32_t *runs = room(j->list.count * sizeof *runs);
        size_t n = 0;
        JSON_EACH(v, j)
            runs[n++] = (uint32_t)v->i;
        must(rle_from_runs(runs, n, h, w, ret, &e), &e);
        mem_free(runs);
    } else if (json_get(j, "polygons")) {
        read_polygons(json_get(j, "polygons"), h, w, ret);
    } else {
        numbers(json_get(j, "box"), box, 4);
        must(rle_from_box(box, h, w, ret, &e), &e);
    }
}

static inline struct rle *read_mask_of(const struct json *j, uint32_t h, uint32_t w)
{
    struct rle *m;

    if (!json_get(j, "mask"))
        return NULL;
    m = room(sizeof *m);
    read_mask(json_get(j, "mask"), h, w, m);
    return m;
}

static inline struct coco_image read_image(const struct json *j)
{
    const struct json *ts = json_get(j, "truths"), *ds = json_get(j, "detections");
    uint32_t h = (uint32_t)json_int(j, "h", 1), w = (uint32_t)json_int(j, "w", 1);
    struct coco_truth *t = room(ts->list.count * sizeof *t);
    struct coco_detection *d = room(ds->list.count * sizeof *d);
    struct coco_image im = {t, ts->list.count, d, ds->list.count};

    JSON_EACH(v, ts) {
        *t = (struct coco_truth){.cls = (int32_t)json_int(v, "cls", 0),
                                 .crowd = json_bool(v, "crowd", false),
                                 .area = json_num(v, "area", -1),
                                 .mask = read_mask_of(v, h, w)};
        numbers(json_get(v, "box"), t++->box, 4);
    }
    JSON_EACH(v, ds) {
        *d = (struct coco_detection){.cls = (int32_t)json_int(v, "cls", 0),
                                     .score = json_num(v, "score", 0),
                                     .mask = read_mask_of(v, h, w)};
        numbers(json_get(v, "box"), d++->box, 4);
    }
    return im;
}

static inline void free_image(struct coco_image *im)
{
    for (size_t i = 0; i < im->truths_n + im->detections_n; i++) {
        struct rle *m = (struct rle *)(i < im->truths_n ? im->truths[i].mask
                                                        : im->detections[i - im->truths_n].mask);
        if (m)
            rle_done(m);
        mem_free(m);
    }
    mem_free((void *)im->truths);
    mem_free((void *)im->detections);
}

#endif
