/* draft.c - see draft.h: what is checked before it becomes a row, and the object of a commit. */
#include "flow/dataset/draft.h"
#include "base/map.h"
#include "flow/dataset/draft_int.h"

enum { WRITE_BATCH = 500, SCORES_MAX = 1 << 20 };

void draft_key(str import_id, char ret[BLOB_KEY_MAX])
{
    snprintf(ret, BLOB_KEY_MAX, "drafts/%.*s.jsonl", STR_F(import_id));
}

enum rc draft_task_read(str name, enum task *ret, struct err *e)
{
    for (int i = 0; i < TASK_COUNT; i++)
        if (str_is(name, task_names[i])) {
            *ret = (enum task)i;
            return RC_OK;
        }
    return err_field(e, RC_INVALID, "task",
                     "'%.*s' is no task; classification, detection, segmentation or text",
                     STR_F(str_sub(name, 0, 40)));
}

/* ---- classes */

enum rc class_name_check(str name, size_t i, struct err *e)
{
    bool good =
        name.n && name.n <= CLASS_NAME_MAX && str_utf8_ok(name) && str_eq(name, str_trim(name));

    for (size_t k = 0; good && k < name.n; k++)
        good = (unsigned char)name.p[k] >= 0x20 && name.p[k] != 0x7f;
    if (good)
        return RC_OK;
    return err_field(e, RC_INVALID, "classes",
                     "class %zu: a name has 1 to %d bytes of UTF-8, no control characters, and no "
                     "space at its ends",
                     i + 1, CLASS_NAME_MAX);
}

enum rc draft_classes_check(const struct json *old, const struct strs *classes, struct err *e)
{
    struct map seen;
    enum rc rc = RC_OK;

    if (classes->n < old->list.count)
        return err_field(
            e, RC_INVALID, "classes",
            "a draft of %zu classes cannot have %zu: classes are renamed or added, not "
            "removed",
            old->list.count, classes->n);
    map_init(&seen);
    for (size_t i = 0; !rc && i < classes->n; i++) {
        rc = class_name_check(classes->p[i], i, e);
        if (!rc && map_has(&seen, classes->p[i]))
            rc = err_field(e, RC_INVALID, "classes", "there are two classes '%.*s'",
                           STR_F(classes->p[i]));
        if (!rc)
            rc = map_put(&seen, classes->p[i], NULL, e);
    }
    map_done(&seen);
    return rc;
}

/* ---- one picture */

static float clip(float v, float max)
{
    return v < 0 ? 0 : v > max ? max : v;
}

/* Boxes lie within the picture; one without area is the caller's mistake. */
static enum rc clip_boxes(struct sample *s, const struct dataset_image *pic, struct err *e)
{
    float w = (float)pic->width, h = (float)pic->height;

    for (size_t i = 0; i < s->boxes_n; i++) {
        struct box *b = &s->boxes[i];
        float x1 = clip(b->x, w), y1 = clip(b->y, h);
        float x2 = clip(b->x + b->w, w), y2 = clip(b->y + b->h, h);
        if (!(b->w > 0 && b->h > 0) || !(x2 > x1 && y2 > y1))
            return err_field(e, RC_INVALID, "shapes", "box %zu has no area within the picture",
                             i + 1);
        if (x1 != b->x || y1 != b->y || x2 != b->x + b->w || y2 != b->y + b->h)
            *b = (struct box){b->cls, x1, y1, x2 - x1, y2 - y1};
    }
    return RC_OK;
}

/* By the shoelace formula; pixels. */
static double area_of(const struct polygon *p)
{
    double sum = 0;

    for (size_t i = 0; i < p->points; i++) {
        size_t k = (i + 1) % p->points;
        sum += (double)p->xy[2 * i] * p->xy[2 * k + 1] - (double)p->xy[2 * k] * p->xy[2 * i + 1];
    }
    return sum < 0 ? -sum / 2 : sum / 2;
}

/* Corners lie within the picture; an outline without area is the caller's mistake. */
static enum rc clip_polygons(struct sample *s, const struct dataset_image *pic, struct err *e)
{
    for (size_t i = 0; i < s->polygons_n; i++) {
        struct polygon *p = &s->polygons[i];
        for (size_t k = 0; k < p->points; k++) {
            p->xy[2 * k] = clip(p->xy[2 * k], (float)pic->width);
            p->xy[2 * k + 1] = clip(p->xy[2 * k + 1], (float)pic->height);
        }
        if (!(area_of(p) > 0))
            return err_field(e, RC_INVALID, "shapes", "polygon %zu has no area within the picture",
                             i + 1);
    }
    return RC_OK;
}

static enum rc only_shapes(const struct json *doc, struct err *e)
{
    if (doc->type != JSON_OBJ)
        return err_field(e, RC_INVALID, "shapes", "shapes are an object of boxes, polygons, quads");
    JSON_EACH(one, doc) {
        if (!str_is(one->key, "boxes") && !str_is(one->key, "polygons") &&
            !str_is(one->key, "quads"))
            return err_field(e, RC_INVALID, "shapes", "'%.*s' is no kind of shape",
                             STR_F(str_sub(one->key, 0, 40)));
    }
    return RC_OK;
}

/* As a line of a manifest, so that what is accepted here is what a manifest may hold. */
static void edit_line(const struct dataset_image *pic, const struct draft_edit *edit,
                      const struct json *shapes, struct buf *out)
{
    struct jw w;

    jw_init(&w, out);
    jw_obj(&w);
    jw_kstr(&w, "sha256", pic->sha256);
    jw_kint(&w, "bytes", pic->bytes);
    jw_kint(&w, "width", pic->width);
    jw_kint(&w, "height", pic->height);
    jw_kstr(&w, "type", pic->type);
    jw_kstr(&w, "name", pic->name);
    jw_kstr(&w, "split", pic->split);
    if (edit->label >= 0)
        jw_kint(&w, "label", edit->label);
    if (shapes)
        JSON_EACH(one, shapes) {
            if (one->type != JSON_ARR || one->list.count) {
                jw_key_str(&w, one->key);
                jw_raw(&w, one->raw);
            }
        }
    jw_obj_end(&w);
}

static enum rc header_of(struct arena *a, const struct draft *d, struct dataset_header *ret,
                         struct err *e)
{
    const struct json *classes = NULL;
    struct dataset_header h = {0};
    enum rc rc = json_parse(a, d->classes, NULL, &classes, e);

    if (!rc)
        rc = draft_task_read(d->task, &h.task, e);
    if (rc)
        return rc;
    h.classes = ARENA_ARRAY(a, str, classes->list.count + 1);
    if (!h.classes)
        return dataset_nomem(e);
    JSON_EACH(one, classes) {
        h.classes[h.classes_n++] = one->s;
    }
    *ret = h;
    return RC_OK;
}

/* {"boxes":[..],..} of a sample, "" if it has none. */
static enum rc shapes_text(struct arena *a, const struct sample *s, str *ret, struct err *e)
{
    struct buf line, out;
    const struct json *doc = NULL;
    struct jw w;

    *ret = STR("");
    if (!s->boxes_n && !s->polygons_n && !s->quads_n)
        return RC_OK;
    buf_init(&line, DATASET_LINE_BYTES_MAX);
    buf_init(&out, DATASET_LINE_BYTES_MAX);
    sample_write(s, &line);
    enum rc rc = buf_ok(&line, e);
    if (!rc)
        rc = json_parse(a, str_trim(buf_view(&line)), NULL, &doc, e);
    jw_init(&w, &out);
    jw_obj(&w);
    JSON_EACH(one, doc) {
        if (one->type == JSON_ARR) {
            jw_key_str(&w, one->key);
            jw_raw(&w, one->raw);
        }
    }
    jw_obj_end(&w);
    if (!rc)
        rc = buf_ok(&out, e);
    if (!rc) {
        *ret = arena_str(a, buf_view(&out));
        rc = ret->p ? RC_OK : dataset_nomem(e);
    }
    buf_done(&line);
    buf_done(&out);
    return rc;
}

static enum rc scores_check(struct arena *a, struct draft_edit *edit, struct err *e)
{
    const struct json *doc = NULL;
    struct buf out;
    struct jw w;
    enum rc rc = edit->scores.n > SCORES_MAX
                     ? err_field(e, RC_TOO_LARGE, "scores", "more than 1 MiB of scores")
                     : json_parse(a, edit->scores, NULL, &doc, e);

    if (rc)
        return rc;
    if (doc->type != JSON_ARR)
        return err_field(e, RC_INVALID, "scores", "scores are an array of numbers, one a box");
    buf_init(&out, SCORES_MAX);
    jw_init(&w, &out);
    jw_arr(&w);
    JSON_EACH(one, doc) {
        double v = one->type == JSON_NUM ? one->f : one->type == JSON_INT ? (double)one->i : -1;
        if (!(v >= 0 && v <= 1))
            rc = err_field(e, RC_INVALID, "scores", "a score is a number from 0 to 1");
        jw_num(&w, v);
    }
    jw_arr_end(&w);
    if (!rc)
        rc = buf_ok(&out, e);
    if (!rc) {
        edit->scores = arena_str(a, buf_view(&out));
        rc = edit->scores.p ? RC_OK : dataset_nomem(e);
    }
    buf_done(&out);
    return rc;
}

enum rc draft_edit_check(struct arena *a, const struct draft *d, const struct dataset_image *pic,
                         struct draft_edit *edit, struct err *e)
{
    const struct json *shapes = NULL;
    struct dataset_header h;
    struct sample s = {0};
    struct buf line;
    enum rc rc = header_of(a, d, &h, e);

    if (!rc && edit->shapes.n > DRAFT_SHAPES_BYTES_MAX)
        rc = err_field(e, RC_TOO_LARGE, "shapes", "more than %d bytes of shapes",
                       DRAFT_SHAPES_BYTES_MAX);
    if (!rc && edit->shapes.n)
        rc = json_parse(a, edit->shapes, NULL, &shapes, e);
    if (!rc && shapes)
        rc = only_shapes(shapes, e);
    if (rc)
        return rc;
    if (edit->label < -1 || edit->label >= (int64_t)h.classes_n)
        return err_field(e, RC_INVALID, "label", "the draft has no class of number %lld",
                         (long long)edit->label);
    buf_init(&line, DATASET_LINE_BYTES_MAX);
    edit_line(pic, edit, shapes, &line);
    rc = buf_ok(&line, e);
    if (!rc)
        rc = sample_read(buf_view(&line), &h, a, &s, e);
    if (rc == RC_CORRUPT)
        rc = err_field(e, RC_INVALID, "shapes", "%s", e ? e->text : "");
    if (!rc)
        rc = clip_boxes(&s, pic, e);
    if (!rc)
        rc = clip_polygons(&s, pic, e);
    if (!rc)
        rc = shapes_text(a, &s, &edit->shapes, e);
    if (!rc && edit->scores.n)
        rc = scores_check(a, edit, e);
    buf_done(&line);
    return rc;
}

/* ---- the object of a commit */

static enum rc write_line(struct s3_upload *u, struct buf *line, struct err *e)
{
    enum rc rc = buf_ok(line, e);

    if (!rc)
        rc = s3_upload_write(u, line->p, line->n, e);
    buf_clear(line);
    return rc;
}

static enum rc write_header(struct arena *a, const struct draft *d, struct s3_upload *u,
                            struct buf *line, struct err *e)
{
    struct dataset_header h;
    enum rc rc = header_of(a, d, &h, e);

    if (rc)
        return rc;
    dataset_header_write(&h, line);
    return write_line(u, line, e);
}

static enum rc write_edits(struct db *db, struct arena *a, const struct draft *d,
                           struct s3_upload *u, struct buf *line, struct err *e)
{
    int64_t after = -1;
    size_t n = WRITE_BATCH;
    enum rc rc = RC_OK;

    while (!rc && n == WRITE_BATCH) {
        struct edited_picture *list = NULL;
        arena_reset(a);
        rc = draft_edited(db, a, d, after, WRITE_BATCH, &list, &n, e);
        for (size_t i = 0; !rc && i < n; i++) {
            const struct json *shapes = NULL;
            after = list[i].edit.index;
            if (list[i].edit.shapes.n)
                rc = json_parse(a, list[i].edit.shapes, NULL, &shapes, e);
            if (rc)
                break;
            edit_line(&list[i].picture, &list[i].edit, shapes, line);
            buf_putc(line, '\n');
            rc = write_line(u, line, e);
        }
    }
    return rc;
}

enum rc draft_write(struct db *db, struct s3 *s3, str draft_id, const char *key, struct err *e)
{
    struct arena head, a;
    struct buf line;
    struct draft d;
    struct s3_upload *u = NULL;
    struct s3_stat st;

    arena_init(&head, 64 << 20);
    arena_init(&a, (size_t)WRITE_BATCH * 2 * DRAFT_SHAPES_BYTES_MAX);
    buf_init(&line, DATASET_LINE_BYTES_MAX);
    enum rc rc = draft_find(db, &head, draft_id, &d, e);
    if (!rc)
        rc = s3_upload_open(&u, s3, key, "application/jsonl", e);
    if (!rc)
        rc = write_header(&head, &d, u, &line, e);
    if (!rc)
        rc = write_edits(db, &a, &d, u, &line, e);
    if (!rc)
        rc = s3_upload_commit(u, &st, e);
    s3_upload_free(u);
    buf_done(&line);
    arena_done(&a);
    arena_done(&head);
    return rc ? err_wrap(e, rc, "writing the draft's edits") : RC_OK;
}
