/* image_sql.c - the SQL of a version's rows: images, faults, and loading them. */
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
    F_INT(S, index, .help = "Index of the picture in the version; -1: it is not in it."),
    FIELD_END};
#undef S

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

/* The conditions on i after the content, and their values.  Two forms of a query, so that the
 * class's index is used where there is a class. */
#define FILTER                                                                                     \
    " AND i.idx > ? AND (? = '' OR i.split = ?) AND (? = '' OR i.name LIKE ? ESCAPE '\\')"         \
    " AND (? = '' OR (i.label >= 0 OR i.shapes <> '') = (? = 'yes'))"                              \
    " AND (? = '' OR EXISTS (SELECT 1 FROM dataset_fault f WHERE f.version_id = ?"                 \
    " AND f.image = i.name AND (? = 'any' OR f.code = ?))) ORDER BY i.idx LIMIT ?"
#define OF_CLASS                                                                                   \
    "FROM dataset_image_class k JOIN dataset_image i ON i.content_id = k.content_id"               \
    " AND i.idx = k.idx WHERE k.content_id = ? AND k.class = ?" FILTER
#define OF_ANY "FROM dataset_image i WHERE i.content_id = ?" FILTER
enum { FILTER_VALUES = 14 };

static size_t filter_values(const struct image_query *q, str part, struct db_val v[FILTER_VALUES])
{
    const struct db_val rest[] = {db_i(q->after),    db_s(q->split), db_s(q->split),
                                  db_s(part),        db_s(part),     db_s(q->labelled),
                                  db_s(q->labelled), db_s(q->fault), db_i(q->v->row),
                                  db_s(q->fault),    db_s(q->fault), db_i(q->limit)};
    size_t n = 0;

    v[n++] = db_i(q->v->content);
    if (q->cls >= 0)
        v[n++] = db_i(q->cls);
    memcpy(v + n, rest, sizeof rest);
    return n + (sizeof rest / sizeof *rest);
}

enum rc dataset_images(struct db *db, struct arena *a, const struct image_query *q,
                       struct dataset_image **ret, size_t *ret_n, struct err *e)
{
    struct dataset_image *list = ARENA_ARRAY(a, struct dataset_image, (size_t)q->limit + 1);
    struct tx *tx;
    struct rows *r = NULL;
    struct db_val v[FILTER_VALUES];
    str part = db_like(a, q->q);
    size_t n = 0;
    enum rc rc = list && part.p ? db_begin(db, DB_READ, &tx, e) : dataset_nomem(e);

    if (rc)
        return rc;
    rc = tx_query_(tx, &r, e, q->cls >= 0 ? "SELECT " IMAGE OF_CLASS : "SELECT " IMAGE OF_ANY, v,
                   filter_values(q, part, v));
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

/* Every picture from the first: its index is its place. */
static bool is_everything(const struct image_query *q)
{
    return !q->split.n && !q->fault.n && !q->q.n && !q->labelled.n && q->cls < 0;
}

enum rc dataset_anchors(struct db *db, struct arena *a, const struct image_query *q, int64_t every,
                        struct image_anchors *ret, struct err *e)
{
    struct image_query all = *q;
    struct image_anchors to = {0};
    struct db_val v[FILTER_VALUES];
    struct tx *tx;
    struct rows *r = NULL;
    str part = db_like(a, q->q);

    all.after = -1;
    all.limit = INT64_MAX;
    to.at = ARENA_ARRAY(a, int64_t, (size_t)(q->v->images / every) + 2);
    if (!to.at || !part.p)
        return dataset_nomem(e);
    if (is_everything(q)) {
        for (; to.count < q->v->images; to.count += every)
            to.at[to.n++] = to.count;
        to.count = q->v->images;
        *ret = to;
        return RC_OK;
    }
    enum rc rc = db_begin(db, DB_READ, &tx, e);
    if (rc)
        return rc;
    rc = tx_query_(tx, &r, e, q->cls >= 0 ? "SELECT i.idx " OF_CLASS : "SELECT i.idx " OF_ANY, v,
                   filter_values(&all, part, v));
    for (; !rc && rows_next(r); to.count++)
        if (to.count % every == 0 && to.n <= (size_t)(q->v->images / every))
            to.at[to.n++] = rows_int(r, 0);
    enum rc end = rows_done(r, rc ? NULL : e);
    rc = tx_end(tx, rc ? rc : end, e);
    if (!rc)
        *ret = to;
    return rc;
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
                 "SELECT f.n, f.line, f.severity, f.code, f.file, f.image, f.message, f.action,"
                 " coalesce(i.idx, -1) FROM dataset_fault f LEFT JOIN dataset_image i"
                 " ON i.content_id = ? AND i.name = f.image AND f.image <> ''"
                 " WHERE f.version_id = ? AND f.n > ? AND (? = '' OR f.code = ?)"
                 " AND (? = '' OR f.file = ?) AND (? = '' OR f.image = ?) ORDER BY f.n LIMIT ?",
                 db_i(q->v->content), db_i(q->v->row), db_i(q->after), db_s(q->code), db_s(q->code),
                 db_s(q->file), db_s(q->file), db_s(q->image), db_s(q->image), db_i(q->limit));
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
        f->index = col_int(&c);
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

enum rc content_has_blob(struct db *db, str sha256, bool *ret, struct err *e)
{
    return db_any(db, ret, e, "SELECT 1 FROM dataset_image WHERE sha256 = ?", db_s(sha256));
}

enum rc import_is_running(struct db *db, bool *ret, struct err *e)
{
    return db_any(db, ret, e, "SELECT 1 FROM dataset_import WHERE state = 'running'");
}
