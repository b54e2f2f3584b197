/* driver.c - puts engine/measure behind lines of JSON, so that compare.py can hold it against
 * COCO's own tools.  Reads commands from standard input, one object a line:
 *
 *     {"new": {"kind": "boxes"|"masks", "classes": n, "classless": b}}     a fresh evaluator
 *     {"image": {"h", "w", "truths": [..], "detections": [..]}}            adds a picture
 *     {"finish": true}                                                     prints all numbers
 *     {"rle": {"h", "w", "masks": [MASK, ..], "crowd": b}}     prints text, area and box of each,
 *                                   union, intersection, and IoUs of the first with each
 *     {"curves": iou}               after finish: the curves of all classes
 *     {"confusion": {"confidence", "iou"}}    of the pictures from here on; printed by finish
 *     {"semantic": {"classes", "truth": [..], "predicted": [..]}}
 * Pictures and masks are those of engine/measure/test_case.h.
 */
#include "engine/measure/confusion.h"
#include "engine/measure/curve.h"
#include "engine/measure/semantic.h"
#include "engine/measure/test_case.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { LINE_BYTES_MAX = 64 << 20, ARENA_BYTES_MAX = 512 << 20 };

static struct coco_eval *ev;
static struct coco_options options;
static struct confusion *confusion;
static clock_t spent; /* processor time, which a busy machine does not stretch */
static struct err e;

/* ---- pictures */
static void add_image(const struct json *j)
{
    struct coco_image im = read_image(j);
    clock_t start = clock();

    must(coco_eval_add(ev, &im, &e), &e);
    spent += clock() - start;
    if (confusion)
        must(confusion_add(confusion, &im, &e), &e);
    free_image(&im);
}

static void new_eval(const struct json *j)
{
    options = coco_options_default(str_is(json_str(j, "kind", STR("boxes")), "masks") ? COCO_MASKS
                                                                                      : COCO_BOXES);
    options.classless = json_bool(j, "classless", false);
    coco_eval_free(ev);
    spent = 0;
    must(coco_eval_new(&ev, (uint32_t)json_int(j, "classes", 1), &options, &e), &e);
}

/* {"summary", "ap": [t][k][a], "recall": [t][k][a][m], "precision": [t][k][a] -> null or 101} */
static void finish(struct jw *w)
{
    double p[COCO_RECALLS];
    clock_t start = clock();

    must(coco_eval_finish(ev, &e), &e);
    spent += clock() - start;
    jw_knum(w, "seconds", (double)spent / CLOCKS_PER_SEC);
    jw_karr(w, "summary");
    for (int i = 0; i < COCO_MEASURES; i++)
        jw_num(w, coco_eval_summary(ev)->v[i]);
    jw_arr_end(w);
    jw_karr(w, "cells"); /* for each t, k, a: ap, recalls, precisions */
    for (uint32_t t = 0; t < options.ious_n; t++)
        for (uint32_t k = 0; k < coco_eval_classes(ev); k++)
            for (int a = 0; a < COCO_AREAS; a++) {
                jw_arr(w);
                jw_num(w, coco_eval_ap(ev, t, k, (enum coco_area)a));
                for (uint32_t m = 0; m < 3; m++)
                    jw_num(w, coco_eval_recall(ev, t, k, (enum coco_area)a, m));
                bool any = coco_eval_precision(ev, t, k, (enum coco_area)a, p);
                for (int r = 0; r < COCO_RECALLS; r++)
                    jw_num(w, any ? p[r] : COCO_NONE);
                jw_arr_end(w);
            }
    jw_arr_end(w);
    if (confusion) {
        size_t n = confusion_classes(confusion) + 1;
        jw_karr(w, "confusion");
        for (size_t i = 0; i < n * n; i++)
            jw_int(w, (int64_t)confusion_cells(confusion)[i]);
        jw_arr_end(w);
        confusion_free(confusion);
        confusion = NULL;
    }
}

static void put_curve(struct jw *w, const struct curve *c)
{
    const double *const rows[] = {c->precision, c->recall, c->f1};
    const double best[] = {c->best_confidence, c->best_f1, c->best_precision, c->best_recall};

    jw_arr(w);
    for (int i = 0; i < 3; i++) {
        jw_arr(w);
        for (int k = 0; k < CURVE_POINTS; k++)
            jw_num(w, rows[i][k]);
        jw_arr_end(w);
    }
    jw_arr(w);
    for (int i = 0; i < 4; i++)
        jw_num(w, best[i]);
    jw_arr_end(w);
    jw_arr_end(w);
}

static void curves(const struct json *j, struct jw *w)
{
    int t = curve_iou_index(ev, number(j));
    static struct curve c;

    jw_karr(w, "curves"); /* all, then each class */
    curve_of_all(ev, (uint32_t)t, &c);
    put_curve(w, &c);
    for (uint32_t k = 0; k < coco_eval_classes(ev); k++) {
        curve_of_class(ev, (uint32_t)t, k, &c);
        put_curve(w, &c);
    }
    jw_arr_end(w);
}

/* ---- masks and labels */
static void put_text(struct jw *w, const char *key, const struct rle *m)
{
    struct buf b;

    buf_init(&b, LINE_BYTES_MAX);
    rle_to_text(m, &b);
    must(buf_ok(&b, &e), &e);
    if (key)
        jw_kstr(w, key, buf_view(&b));
    else
        jw_str(w, buf_view(&b));
    buf_done(&b);
}

static void masks(const struct json *j, struct jw *w)
{
    uint32_t h = (uint32_t)json_int(j, "h", 1), wide = (uint32_t)json_int(j, "w", 1);
    const struct json *list = json_get(j, "masks");
    size_t n = list->list.count, i = 0;
    struct rle *m = room(n * sizeof *m), out;
    const struct rle **p = room(n * sizeof *p);
    double box[4];

    jw_karr(w, "masks");
    JSON_EACH(v, list) {
        read_mask(v, h, wide, &m[i]);
        p[i] = &m[i];
        rle_box(&m[i], box);
        jw_arr(w);
        put_text(w, NULL, &m[i]);
        jw_int(w, (int64_t)rle_area(&m[i]));
        for (int k = 0; k < 4; k++)
            jw_num(w, box[k]);
        jw_num(w, rle_iou(&m[0], &m[i], json_bool(j, "crowd", false)));
        jw_arr_end(w);
        i++;
    }
    jw_arr_end(w);
    for (int both = 0; both < 2; both++) {
        must(rle_merge(p, n, both, &out, &e), &e);
        put_text(w, both ? "intersection" : "union", &out);
        rle_done(&out);
    }
    for (i = 0; i < n; i++)
        rle_done(&m[i]);
    mem_free(m);
    mem_free(p);
}

static void labels(const struct json *j, struct jw *w)
{
    const struct json *ts = json_get(j, "truth"), *ps = json_get(j, "predicted");
    uint32_t classes = (uint32_t)json_int(j, "classes", 1);
    uint8_t *t = room(ts->list.count), *p = room(ps->list.count);
    struct semantic *s;
    struct semantic_summary sum;
    size_t n = 0;

    JSON_EACH(v, ts)
        t[n++] = (uint8_t)v->i;
    n = 0;
    JSON_EACH(v, ps)
        p[n++] = (uint8_t)v->i;
    must(semantic_new(&s, classes, &e), &e);
    must(semantic_add(s, t, p, n, &e), &e);
    semantic_measure(s, &sum);
    jw_karr(w, "semantic");
    jw_num(w, sum.pixel_accuracy);
    jw_num(w, sum.mean_accuracy);
    jw_num(w, sum.miou);
    jw_num(w, sum.fw_iou);
    jw_num(w, sum.mean_dice);
    for (uint32_t k = 0; k < classes; k++) {
        jw_num(w, semantic_class_of(s, k).iou);
        jw_num(w, semantic_class_of(s, k).dice);
    }
    jw_arr_end(w);
    semantic_free(s);
    mem_free(t);
    mem_free(p);
}

static void answer(const struct json *j)
{
    struct buf b;
    struct jw w;

    buf_init(&b, LINE_BYTES_MAX);
    jw_init(&w, &b);
    jw_obj(&w);
    if (json_get(j, "new"))
        new_eval(json_get(j, "new"));
    if (json_get(j, "confusion"))
        must(confusion_new(&confusion, coco_eval_classes(ev), options.kind,
                           json_num(json_get(j, "confusion"), "confidence", 0),
                           json_num(json_get(j, "confusion"), "iou", .5), &e),
             &e);
    if (json_get(j, "image"))
        add_image(json_get(j, "image"));
    if (json_get(j, "finish"))
        finish(&w);
    if (json_get(j, "curves"))
        curves(json_get(j, "curves"), &w);
    if (json_get(j, "rle"))
        masks(json_get(j, "rle"), &w);
    if (json_get(j, "semantic"))
        labels(json_get(j, "semantic"), &w);
    jw_obj_end(&w);
    must(buf_ok(&b, &e), &e);
    if (b.n > 2) {
        puts(b.p);
        fflush(stdout);
    }
    buf_done(&b);
}

int main(void)
{
    char *line = NULL;
    size_t cap = 0;
    ssize_t n;
    struct arena a;
    const struct json *j;

    arena_init(&a, ARENA_BYTES_MAX);
    while ((n = getline(&line, &cap, stdin)) > 0) {
        arena_reset(&a);
        must(json_parse(&a, (str){line, (size_t)n}, &(struct json_limits){.nodes_max = 10000000},
                        &j, &e),
             &e);
        answer(j);
    }
    free(line);
    arena_done(&a);
    coco_eval_free(ev);
    return 0;
}
