/* image_sql.c - the SQL of a version's rows: images, faults, what differs, and loading them. */
#include "flow/dataset/dataset_int.h"
#include "os/os.h"

#define S struct fault_row
const struct field fault_row_fields[] = {
    F_INT(S, n, .help = "Number within the report."),
    F_STR(S, severity, .help = "error, warning or info."),
    F_STR(S, code, .help = "Stable code, e.g. corrupt_image."),
    F_STR(S, file, .help = "Path in the archive; \"\" for the dataset as a whole."),
    F_INT(S, line, .help = "Line of the file; 0: all of it."),
    F_STR(S, image, .help = "Name of the picture concerned; \"\" none."),
    F_STR(S, message, .help = "What is wrong."),
    F_STR(S, action, .help = "What was done about it."),
    FIELD_END};
#undef S

const char *const diff_kind_names[] = {"added", "removed", "changed", "relabelled", "moved", NULL};

/* ---- images */

#define IMAGE                                                                                      \
    "i.idx, i.name, i.split, i.sha256, i.type, i.bytes, i.width, i.height, i.label, i.shapes "

static enum rc image_row(struct rows *r, struct arena *a, struct dataset_image *ret, struct err *e)
{
    struct cols c = {r, a, 0, false};
    struct dataset_image i = {0};

    i.index = col_int(&c);
    i.name = col_text(&c);
    i.split = col_text(&c);
    i.sha256 = col_text(&c);
    i.type = col_text(&c);
    i.bytes = col_int(&c);
    i.width = col_int(&c);
    i.height = col_int(&c);
    i.label = col_int(&c);
    i.shapes = col_text(&c);
    if (c.no_memory)
        return dataset_nomem(e);
    *ret = i;
    return RC_OK;
}

/* Two forms, so that the class's index is used where there is a class. */
static enum rc query_images(struct tx *tx, struct rows **r, const struct image_query *q, str part,
                            struct err *e)
{
#define REST                                                                                       \
    " AND i.idx > ? AND (? = '' OR i.split = ?) AND (? = '%%' OR i.name LIKE ? ESCAPE '\\')"       \
    " AND (? = '' OR EXISTS (SELECT 1 FROM dataset_fault f WHERE f.version_id = ?"                 \
    " AND f.image = i.name AND f.code = ?)) ORDER BY i.idx LIMIT ?"
    struct db_val rest[] = {db_i(q->after),  db_s(q->split), db_s(q->split),
                            db_s(part),      db_s(part),     db_s(q->fault),
                            db_i(q->v->row), db_s(q->fault), db_i(q->limit)};
    struct db_val v[11] = {db_i(q->v->content), db_i(q->cls)};
    size_t n = q->cls >= 0 ? 2 : 1;

    memcpy(v + n, rest, sizeof rest);
    n += sizeof rest / sizeof *rest;
    if (q->cls >= 0)
        return tx_query_(tx, r, e,
                         "SELECT " IMAGE "FROM dataset_image_class k JOIN dataset_image i"
                         " ON i.content_id = k.content_id AND i.idx = k.idx"
                         " WHERE k.content_id = ? AND k.class = ?" REST,
                         v, n);
    return tx_query_(tx, r, e, "SELECT " IMAGE "FROM dataset_image i WHERE i.content_id = ?" REST,
                     v, n);
#undef REST
}

enum rc dataset_images(struct db *db, struct arena *a, const struct image_query *q,
                       struct dataset_image **ret, size_t *ret_n, struct err *e)
{
    struct dataset_image *list = ARENA_ARRAY(a, struct dataset_image, (size_t)q->limit + 1);
    struct tx *tx;
    struct rows *r = NULL;
    str part = like_part(a, q->q);
    size_t n = 0;
    enum rc rc = list && part.p ? db_begin(db, DB_READ, &tx, e) : dataset_nomem(e);

    if (rc)
        return rc;
    rc = query_images(tx, &r, q, part, e);
    while (!rc && n < (size_t)q->limit && rows_next(r))
        rc = image_row(r, a, &list[n++], e);
    enum rc end = rows_done(r, rc ? NULL : e);
    rc = tx_end(tx, rc ? rc : end, e);
    if (rc)
        return rc;
    *ret = list;
    *ret_n = n;
    return RC_OK;
}

static enum rc one_image(struct db *db, struct arena *a, const char *sql, const struct db_val *v,
                         size_t n, struct dataset_image *ret, struct err *e)
{
    struct tx *tx;
    struct rows *r = NULL;
    bool found = false;
    struct dataset_image im;
    enum rc rc = db_begin(db, DB_READ, &tx, e);

    if (rc)
        return rc;
    rc = tx_query_(tx, &r, e, sql, v, n);
    if (!rc && rows_next(r)) {
        found = true;
        rc = image_row(r, a, &im, e);
    }
    enum rc end = rows_done(r, rc ? NULL : e);
    rc = tx_end(tx, rc ? rc : end, e);
    if (!rc && !found)
        return err_set(e, RC_NOT_FOUND, "the dataset has no such image");
    if (!rc)
        *ret = im;
    return rc;
}

enum rc dataset_image_get(struct db *db, struct arena *a, const struct dataset_version *v,
                          int64_t index, struct dataset_image *ret, struct err *e)
{
    struct db_val args[] = {db_i(v->content), db_i(index)};

    return one_image(db, a,
                     "SELECT " IMAGE "FROM dataset_image i WHERE i.content_id = ? AND i.idx = ?",
                     args, 2, ret, e);
}

enum rc dataset_owns_blob(struct db *db, struct arena *a, str dataset_id, str sha256,
                          struct dataset_image *ret, struct err *e)
{
    struct db_val args[] = {db_s(sha256), db_s(dataset_id)};

    return one_image(
        db, a,
        "SELECT " IMAGE "FROM dataset_image i JOIN dataset_version v"
        " ON v.content_id = i.content_id WHERE i.sha256 = ? AND v.dataset_id = ? LIMIT 1",
        args, 2, ret, e);
}

/* ---- faults */

enum rc dataset_faults(struct db *db, struct arena *a, const struct fault_query *q,
                       struct fault_row **ret, size_t *ret_n, struct err *e)
{
    struct fault_row *list = ARENA_ARRAY(a, struct fault_row, (size_t)q->limit + 1);
    struct tx *tx;
    struct rows *r = NULL;
    size_t n = 0;
    enum rc rc = list ? db_begin(db, DB_READ, &tx, e) : dataset_nomem(e);

    if (rc)
        return rc;
    rc =
        tx_query(tx, &r, e,
                 "SELECT n, line, severity, code, file, image, message, action FROM dataset_fault"
                 " WHERE version_id = ? AND n > ? AND (? = '' OR code = ?) AND (? = '' OR file = ?)"
                 " AND (? = '' OR image = ?) ORDER BY n LIMIT ?",
                 db_i(q->v->row), db_i(q->after), db_s(q->code), db_s(q->code), db_s(q->file),
                 db_s(q->file), db_s(q->image), db_s(q->image), db_i(q->limit));
    while (!rc && n < (size_t)q->limit && rows_next(r)) {
        struct cols c = {r, a, 0, false};
        struct fault_row *f = &list[n++];
        f->n = col_int(&c);
        f->line = col_int(&c);
        f->severity = col_text(&c);
        f->code = col_text(&c);
        f->file = col_text(&c);
        f->image = col_text(&c);
        f->message = col_text(&c);
        f->action = col_text(&c);
        if (c.no_memory)
            rc = dataset_nomem(e);
    }
    enum rc end = rows_done(r, rc ? NULL : e);
    rc = tx_end(tx, rc ? rc : end, e);
    if (rc)
        return rc;
    *ret = list;
    *ret_n = n;
    return RC_OK;
}

/* ---- what differs: each kind is a condition on x, the row in `from`, and y, its namesake in `to`
 */

static const struct {
    bool swap; /* rows of `to` without a namesake in `from` */
    const char *count, *names;
} diffs[DIFF_KINDS] = {
#define ALONE                                                                                      \
    "FROM dataset_image x WHERE x.content_id = ? AND NOT EXISTS (SELECT 1 FROM dataset_image y"    \
    " WHERE y.content_id = ? AND y.name = x.name)"
#define BOTH                                                                                       \
    "FROM dataset_image x JOIN dataset_image y ON y.name = x.name"                                 \
    " WHERE x.content_id = ? AND y.content_id = ? AND "
#define PAIR(c) "SELECT count(*) " c, "SELECT x.name " c " ORDER BY x.name LIMIT ?"
    [DIFF_ADDED] = {true, PAIR(ALONE)},
    [DIFF_REMOVED] = {false, PAIR(ALONE)},
    [DIFF_CHANGED] = {false, PAIR(BOTH "x.sha256 <> y.sha256")},
    [DIFF_RELABELLED] = {false, PAIR(BOTH "x.sha256 = y.sha256 AND"
                                          " (x.label <> y.label OR x.shapes <> y.shapes)")},
    [DIFF_MOVED] = {false, PAIR(BOTH "x.split <> y.split")},
#undef ALONE
#undef BOTH
#undef PAIR
};

static enum rc diff_one(struct tx *tx, struct arena *a, enum diff_kind k, int64_t from, int64_t to,
                        struct diff *d, struct err *e)
{
    struct db_val args[] = {db_i(diffs[k].swap ? to : from), db_i(diffs[k].swap ? from : to),
                            db_i(DIFF_SHOWN_MAX)};
    struct rows *r = NULL;
    enum rc rc = tx_query_(tx, &r, e, diffs[k].count, args, 2), end;

    if (!rc && rows_next(r))
        d->count[k] = rows_int(r, 0);
    end = rows_done(r, rc ? NULL : e);
    rc = rc ? rc : end;
    r = NULL;
    d->names[k] = ARENA_ARRAY(a, str, DIFF_SHOWN_MAX);
    if (!rc && !d->names[k])
        rc = dataset_nomem(e);
    if (!rc)
        rc = tx_query_(tx, &r, e, diffs[k].names, args, 3);
    while (!rc && d->names_n[k] < DIFF_SHOWN_MAX && rows_next(r)) {
        str name = rows_copy(r, a, 0);
        if (!name.p)
            rc = dataset_nomem(e);
        d->names[k][d->names_n[k]++] = name;
    }
    end = rows_done(r, rc ? NULL : e);
    return rc ? rc : end;
}

enum rc dataset_diff(struct db *db, struct arena *a, const struct dataset_version *from,
                     const struct dataset_version *to, struct diff *ret, struct err *e)
{
    struct diff d = {0};
    struct tx *tx;
    enum rc rc = db_begin(db, DB_READ, &tx, e);

    if (rc)
        return rc;
    for (int k = 0; !rc && k < DIFF_KINDS; k++)
        rc = diff_one(tx, a, (enum diff_kind)k, from->content, to->content, &d, e);
    rc = tx_end(tx, rc, e);
    if (!rc)
        *ret = d;
    return rc;
}

/* ---- loading */

static enum rc content_find(struct tx *tx, str version, int64_t *ret_id, bool *ret_ready,
                            struct err *e)
{
    struct rows *r = NULL;
    enum rc rc =
        tx_query(tx, &r, e, "SELECT id, state = 'ready' FROM dataset_content WHERE version = ?",
                 db_s(version));

    if (!rc && rows_next(r)) {
        *ret_id = rows_int(r, 0);
        *ret_ready = rows_int(r, 1) != 0;
    }
    enum rc end = rows_done(r, rc ? NULL : e);
    return rc ? rc : end;
}

static enum rc content_insert(struct tx *tx, str version, const struct dataset_header *h,
                              str format, int64_t bytes, int64_t manifest_bytes, int64_t *ret_id,
                              struct err *e)
{
    struct buf classes;
    struct jw w;

    buf_init(&classes, 16 << 20);
    jw_init(&w, &classes);
    jw_arr(&w);
    for (size_t i = 0; i < h->classes_n; i++)
        jw_str(&w, h->classes[i]);
    jw_arr_end(&w);
    enum rc rc = buf_ok(&classes, e);
    if (!rc)
        rc = tx_exec(tx, e,
                     "INSERT INTO dataset_content (version, state, task, format, classes, images,"
                     " train, val, test, none, bytes, manifest_bytes, created_at)"
                     " VALUES (?, 'loading', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                     db_s(version), db_c(task_names[h->task]), db_s(format),
                     db_s(buf_view(&classes)), db_i((int64_t)h->images),
                     db_i((int64_t)h->splits[SPLIT_TRAIN]), db_i((int64_t)h->splits[SPLIT_VAL]),
                     db_i((int64_t)h->splits[SPLIT_TEST]), db_i((int64_t)h->splits[SPLIT_NONE]),
                     db_i(bytes), db_i(manifest_bytes), db_i(os_now_ms()));
    if (!rc)
        *ret_id = tx_last_id(tx);
    buf_done(&classes);
    return rc;
}

enum rc content_begin(struct db *db, str version, const struct dataset_header *h, str format,
                      int64_t bytes, int64_t manifest_bytes, int64_t *ret_id, bool *ret_ready,
                      struct err *e)
{
    struct tx *tx;
    int64_t id = 0;
    bool ready = false;
    enum rc rc = db_begin(db, DB_WRITE, &tx, e);

    if (rc)
        return rc;
    rc = content_find(tx, version, &id, &ready, e);
    if (!rc && id && !ready)
        rc = tx_exec(tx, e, "DELETE FROM dataset_content WHERE id = ?", db_i(id));
    if (!rc && !ready)
        rc = content_insert(tx, version, h, format, bytes, manifest_bytes, &id, e);
    rc = tx_end(tx, rc, e);
    if (!rc) {
        *ret_id = id;
        *ret_ready = ready;
    }
    return rc;
}

static enum rc add_row(struct tx *tx, int64_t id, const struct content_row *row, struct err *e)
{
    const struct dataset_image *i = &row->image;
    enum rc rc = tx_exec(
        tx, e,
        "INSERT INTO dataset_image (content_id, idx, name, split, sha256, bytes,"
        " width, height, type, label, shapes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?,"
        " ?)",
        db_i(id), db_i(i->index), db_s(i->name), db_s(i->split), db_s(i->sha256), db_i(i->bytes),
        db_i(i->width), db_i(i->height), db_s(i->type), db_i(i->label), db_s(i->shapes));

    for (size_t k = 0; !rc && k < row->classes_n; k++)
        rc = tx_exec(tx, e,
                     "INSERT INTO dataset_image_class (content_id, class, idx) VALUES (?, ?, ?)",
                     db_i(id), db_i(row->classes[k]), db_i(i->index));
    return rc;
}

enum rc content_add(struct db *db, int64_t id, const struct content_row *rows, size_t n,
                    struct err *e)
{
    struct tx *tx;
    enum rc rc = db_begin(db, DB_WRITE, &tx, e);

    if (rc)
        return rc;
    for (size_t i = 0; !rc && i < n; i++)
        rc = add_row(tx, id, &rows[i], e);
    return tx_end(tx, rc, e);
}

/* ---- sweeping */

static enum rc any_row(struct db *db, struct err *e, const char *sql, const struct db_val *v,
                       size_t n, bool *ret)
{
    struct tx *tx;
    struct rows *r = NULL;
    bool found = false;
    enum rc rc = db_begin(db, DB_READ, &tx, e);

    if (rc)
        return rc;
    rc = tx_query_(tx, &r, e, sql, v, n);
    found = !rc && rows_next(r);
    enum rc end = rows_done(r, rc ? NULL : e);
    rc = tx_end(tx, rc ? rc : end, e);
    if (!rc)
        *ret = found;
    return rc;
}

enum rc content_has_blob(struct db *db, str sha256, bool *ret, struct err *e)
{
    struct db_val v[] = {db_s(sha256)};

    return any_row(db, e, "SELECT 1 FROM dataset_image WHERE sha256 = ? LIMIT 1", v, 1, ret);
}

enum rc import_is_running(struct db *db, bool *ret, struct err *e)
{
    return any_row(db, e, "SELECT 1 FROM dataset_import WHERE state = 'running' LIMIT 1", NULL, 0,
                   ret);
}
