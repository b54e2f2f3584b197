/* dataset.c - reads and writes the lines of a manifest.  The layout stands in dataset.h. */
#include "spec/dataset.h"

#include <math.h>

const char *const task_names[] = {"classification", "detection", "segmentation", "text", NULL};
const char *const split_names[] = {"train", "val", "test", "none", NULL};
const char *const image_type_names[] = {"jpeg", "png", "webp", NULL};

const char *image_media_type(enum image_type t)
{
    static const char *const types[] = {"image/jpeg", "image/png", "image/webp"};
    return types[t];
}

void blob_key(const char *sha256, char ret[BLOB_KEY_MAX])
{
    snprintf(ret, BLOB_KEY_MAX, "blobs/%.2s/%.64s", sha256, sha256);
}

void thumb_key(const char *sha256, char ret[BLOB_KEY_MAX])
{
    snprintf(ret, BLOB_KEY_MAX, "thumbs/%.2s/%.64s", sha256, sha256);
}

void manifest_key(const char *version, char ret[BLOB_KEY_MAX + 16])
{
    snprintf(ret, BLOB_KEY_MAX + 16, "datasets/%.64s/manifest.jsonl", version);
}

/* ---- writing */

void dataset_header_write(const struct dataset_header *h, struct buf *out)
{
    struct jw w;

    jw_init(&w, out);
    jw_obj(&w);
    jw_kint(&w, "anneal_dataset", 1);
    jw_kcstr(&w, "task", task_names[h->task]);
    jw_karr(&w, "classes");
    for (size_t i = 0; i < h->classes_n; i++)
        jw_str(&w, h->classes[i]);
    jw_arr_end(&w);
    jw_kint(&w, "images", (int64_t)h->images);
    jw_kobj(&w, "splits");
    for (int i = 0; i < SPLIT_COUNT; i++)
        jw_kint(&w, split_names[i], (int64_t)h->splits[i]);
    jw_obj_end(&w);
    jw_obj_end(&w);
    buf_putc(out, '\n');
}

static void write_shapes(const struct sample *s, struct jw *w)
{
    if (s->boxes_n) {
        jw_karr(w, "boxes");
        for (size_t i = 0; i < s->boxes_n; i++) {
            const struct box *b = &s->boxes[i];
            jw_arr(w);
            jw_int(w, b->cls);
            jw_num(w, b->x);
            jw_num(w, b->y);
            jw_num(w, b->w);
            jw_num(w, b->h);
            jw_arr_end(w);
        }
        jw_arr_end(w);
    }
    if (s->polygons_n) {
        jw_karr(w, "polygons");
        for (size_t i = 0; i < s->polygons_n; i++) {
            const struct polygon *p = &s->polygons[i];
            jw_arr(w);
            jw_int(w, p->cls);
            for (size_t k = 0; k < 2 * p->points; k++)
                jw_num(w, p->xy[k]);
            jw_arr_end(w);
        }
        jw_arr_end(w);
    }
    if (s->quads_n) {
        jw_karr(w, "quads");
        for (size_t i = 0; i < s->quads_n; i++) {
            jw_arr(w);
            for (int k = 0; k < 8; k++)
                jw_num(w, s->quads[i].xy[k]);
            jw_str(w, s->quads[i].text);
            jw_arr_end(w);
        }
        jw_arr_end(w);
    }
}

void sample_write(const struct sample *s, struct buf *out)
{
    struct jw w;

    jw_init(&w, out);
    jw_obj(&w);
    jw_kcstr(&w, "sha256", s->sha256);
    jw_kint(&w, "bytes", (int64_t)s->bytes);
    jw_kint(&w, "width", s->width);
    jw_kint(&w, "height", s->height);
    jw_kcstr(&w, "type", image_type_names[s->type]);
    jw_kstr(&w, "name", s->name);
    jw_kcstr(&w, "split", split_names[s->split]);
    if (s->label >= 0)
        jw_kint(&w, "label", s->label);
    write_shapes(s, &w);
    jw_obj_end(&w);
    buf_putc(out, '\n');
}

/* ---- reading */

static int choice_of(str s, const char *const *names)
{
    for (int i = 0; names[i]; i++)
        if (str_is(s, names[i]))
            return i;
    return -1;
}

static enum rc bad(struct err *e, const char *what)
{
    return err_set(e, RC_CORRUPT, "dataset manifest: %s", what);
}

static enum rc no_memory(struct err *e)
{
    return err_set(e, RC_NOMEM, "out of memory while reading the dataset manifest");
}

enum rc dataset_header_read(str line, struct arena *a, struct dataset_header *ret, struct err *e)
{
    const struct json *j = NULL, *list, *splits;
    struct dataset_header h = {0};
    enum rc rc = json_parse(a, line, NULL, &j, e);
    int task;

    if (rc)
        return err_wrap(e, rc, "first line of the dataset manifest");
    if (json_int(j, "anneal_dataset", 0) != 1)
        return bad(e, "not a manifest of version 1 (\"anneal_dataset\":1 is missing)");
    task = choice_of(json_str(j, "task", STR("")), task_names);
    list = json_get(j, "classes");
    splits = json_get(j, "splits");
    if (task < 0 || !list || list->type != JSON_ARR || !splits || splits->type != JSON_OBJ)
        return bad(e, "the first line lacks task, classes or splits");
    if (list->list.count > DATASET_CLASSES_MAX)
        return bad(e, "too many classes");
    h.task = (enum task)task;
    h.images = (uint64_t)json_int(j, "images", 0);
    for (int i = 0; i < SPLIT_COUNT; i++)
        h.splits[i] = (uint64_t)json_int(splits, split_names[i], 0);
    h.classes = ARENA_ARRAY(a, str, list->list.count + 1);
    if (!h.classes)
        return no_memory(e);
    JSON_EACH(c, list) {
        if (c->type != JSON_STR)
            return bad(e, "a class is not text");
        h.classes[h.classes_n++] = c->s;
    }
    *ret = h;
    return RC_OK;
}

static bool number(const struct json *v, float *ret)
{
    if (!v || (v->type != JSON_INT && v->type != JSON_NUM))
        return false;
    *ret = v->type == JSON_INT ? (float)v->i : (float)v->f;
    return isfinite(*ret);
}

/* [class, n numbers..]: the class and the numbers; NULL next when the list is used up. */
static bool read_class(const struct json *v, size_t classes, int32_t *ret)
{
    if (v->type != JSON_ARR || !v->list.first || v->list.first->type != JSON_INT)
        return false;
    if (v->list.first->i < 0 || (uint64_t)v->list.first->i >= classes)
        return false;
    *ret = (int32_t)v->list.first->i;
    return true;
}

static enum rc read_boxes(const struct json *list, size_t classes, struct arena *a,
                          struct sample *s, struct err *e)
{
    s->boxes = ARENA_ARRAY(a, struct box, list->list.count + 1);
    if (!s->boxes)
        return no_memory(e);
    JSON_EACH(v, list) {
        struct box *b = &s->boxes[s->boxes_n++];
        float f[4];
        int k = 0;

        if (!read_class(v, classes, &b->cls) || v->list.count != 5)
            return bad(e, "a box is not [class,x,y,w,h] of a known class");
        for (const struct json *n = v->list.first->next; n; n = n->next)
            if (!number(n, &f[k++]))
                return bad(e, "a box holds something that is not a number");
        b->x = f[0];
        b->y = f[1];
        b->w = f[2];
        b->h = f[3];
    }
    return RC_OK;
}

static enum rc read_polygons(const struct json *list, size_t classes, struct arena *a,
                             struct sample *s, struct err *e)
{
    s->polygons = ARENA_ARRAY(a, struct polygon, list->list.count + 1);
    if (!s->polygons)
        return no_memory(e);
    JSON_EACH(v, list) {
        struct polygon *p = &s->polygons[s->polygons_n++];
        size_t k = 0;

        if (!read_class(v, classes, &p->cls) || v->list.count < 7 || v->list.count % 2 == 0)
            return bad(e, "a polygon is not [class,x1,y1,x2,y2,x3,y3,..] of a known class");
        p->points = (v->list.count - 1) / 2;
        p->xy = ARENA_ARRAY(a, float, 2 * p->points);
        if (!p->xy)
            return no_memory(e);
        for (const struct json *n = v->list.first->next; n; n = n->next)
            if (!number(n, &p->xy[k++]))
                return bad(e, "a polygon holds something that is not a number");
    }
    return RC_OK;
}

static enum rc read_quads(const struct json *list, struct arena *a, struct sample *s, struct err *e)
{
    s->quads = ARENA_ARRAY(a, struct quad, list->list.count + 1);
    if (!s->quads)
        return no_memory(e);
    JSON_EACH(v, list) {
        struct quad *q = &s->quads[s->quads_n++];
        const struct json *n = v->type == JSON_ARR ? v->list.first : NULL;

        if (v->type != JSON_ARR || v->list.count != 9)
            return bad(e, "a quadrangle is not [x1,y1,x2,y2,x3,y3,x4,y4,text]");
        for (int k = 0; k < 8; k++, n = n->next)
            if (!number(n, &q->xy[k]))
                return bad(e, "a quadrangle holds something that is not a number");
        if (n->type != JSON_STR)
            return bad(e, "a quadrangle's text is not text");
        q->text = n->s;
    }
    return RC_OK;
}

static enum rc read_shapes(const struct json *j, size_t classes, struct arena *a, struct sample *s,
                           struct err *e)
{
    static const char *const names[] = {"boxes", "polygons", "quads"};
    enum rc rc = RC_OK;

    for (int i = 0; !rc && i < 3; i++) {
        const struct json *list = json_get(j, names[i]);
        if (!list)
            continue;
        if (list->type != JSON_ARR || list->list.count > DATASET_SHAPES_MAX)
            return bad(e, "shapes are no list, or too many");
        if (i == 0)
            rc = read_boxes(list, classes, a, s, e);
        else if (i == 1)
            rc = read_polygons(list, classes, a, s, e);
        else
            rc = read_quads(list, a, s, e);
    }
    return rc;
}

enum rc sample_read(str line, const struct dataset_header *h, struct arena *a, struct sample *ret,
                    struct err *e)
{
    const struct json *j = NULL;
    struct sample s = {0};
    enum rc rc = json_parse(a, line, NULL, &j, e);
    int split, type;
    str hash;
    int64_t label;

    if (rc)
        return err_wrap(e, rc, "dataset manifest");
    hash = json_str(j, "sha256", STR(""));
    split = choice_of(json_str(j, "split", STR("")), split_names);
    type = choice_of(json_str(j, "type", STR("")), image_type_names);
    label = json_int(j, "label", -1);
    s.name = json_str(j, "name", STR(""));
    if (!is_sha256_hex(hash) || split < 0 || type < 0 || !s.name.n)
        return bad(e, "an image lacks a proper sha256, split, type or name");
    if (label < -1 || label >= (int64_t)h->classes_n)
        return bad(e, "an image's label is not a known class");
    memcpy(s.sha256, hash.p, SHA256_HEX);
    s.bytes = (uint64_t)json_int(j, "bytes", 0);
    s.width = (int32_t)json_int(j, "width", 0);
    s.height = (int32_t)json_int(j, "height", 0);
    s.split = (enum split)split;
    s.type = (enum image_type)type;
    s.label = (int32_t)label;
    if (s.width <= 0 || s.height <= 0)
        return bad(e, "an image has no size");
    rc = read_shapes(j, h->classes_n, a, &s, e);
    if (!rc)
        *ret = s;
    return rc;
}
