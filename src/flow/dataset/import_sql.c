/* import_sql.c - the SQL of uploads and imports.  The states stand in dataset.h. */
#include "flow/dataset/draft_int.h"
#include "os/os.h"

#define S struct import
const struct field import_fields[] = {
    F_STR(S, import, .help = "Id of the import."),
    F_STR(S, dataset, .help = "Id of the dataset."),
    F_STR(S, dataset_name, .help = "Its name."),
    F_STR(S, kind,
          .help = "archive: an upload; split: another split of a version; draft: edited labels; "
                  "classes: other classes."),
    F_STR(S, state, .help = "queued, running, done or failed."),
    F_STR(S, phase, .help = "scan, images, rows; \"\" before."),
    F_NUM(S, progress, .help = "0 to 1."),
    F_STR(S, version, .flags = FIELD_NULLABLE, .help = "done: the version."),
    F_INT(S, images, .help = "Pictures checked so far; done: of the version."),
    F_INT(S, faults, .help = "done: faults reported."),
    F_STR(S, error_code, .flags = FIELD_NULLABLE, .help = "failed: stable code."),
    F_STR(S, error_fault, .flags = FIELD_NULLABLE,
          .help = "failed: what it was about, e.g. unsafe_path, encrypted, bomb, truncated."),
    F_STR(S, error, .flags = FIELD_NULLABLE, .help = "failed: what happened and what to do."),
    F_STR(S, base_version, .flags = FIELD_NULLABLE,
          .help = "split, draft, classes: of which version."),
    F_STR(S, message, .help = "What it brings, in words."),
    F_INT(S, attempt, .help = "How often it was begun."),
    F_STR(S, created_by, .flags = FIELD_NULLABLE, .help = "Id of the account that asked for it."),
    F_TIME(S, created_at, .help = "When it was queued."),
    F_TIME(S, started_at, .help = "When it last began."),
    F_TIME(S, ended_at, .help = "When it ended."),
    FIELD_END};
#undef S

/* ---- uploads */

void upload_key(str upload_id, int64_t n, char ret[UPLOAD_KEY_MAX])
{
    snprintf(ret, UPLOAD_KEY_MAX, "uploads/%.*s/%lld", STR_F(upload_id), (long long)n);
}

enum rc upload_new(struct db *db, struct arena *a, struct upload *u, struct err *e)
{
    char id[OS_ID_TEXT];
    int64_t now = os_now_ms();
    enum rc rc = dataset_name_check(u->name, &u->name, e);

    os_id(id);
    u->id = arena_str(a, str_of(id));
    u->state = STR("open");
    u->created_at = now;
    if (!rc && !u->id.p)
        rc = dataset_nomem(e);
    if (rc)
        return rc;
    return db_exec(
        db, e,
        "INSERT INTO dataset_upload (id, project_id, name, bytes, part_bytes, split, state,"
        " created_by, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, 'open', ?, ?, ?)",
        db_s(u->id), db_text_or_null(u->project_id), db_s(u->name), db_i(u->bytes),
        db_i(u->part_bytes), db_s(u->split), db_text_or_null(u->created_by), db_i(now), db_i(now));
}

enum rc upload_describe(struct db *db, const struct upload *u, struct err *e)
{
    return db_exec(db, e,
                   "UPDATE dataset_upload SET name = ?, project_id = ?, split = ?"
                   " WHERE id = ?",
                   db_s(u->name), db_text_or_null(u->project_id), db_s(u->split), db_s(u->id));
}

static enum rc upload_find(struct tx *tx, struct arena *a, str id, struct upload *ret,
                           struct err *e)
{
    struct rows *r = NULL;
    struct upload u = {0};
    bool found = false, no_memory = false;
    enum rc rc = tx_query(tx, &r, e,
                          "SELECT id, coalesce(project_id, ''), name, split, state,"
                          " coalesce(created_by, ''), bytes, part_bytes, created_at"
                          " FROM dataset_upload WHERE id = ?",
                          db_s(id));

    if (!rc && rows_next(r)) {
        struct cols c = {r, a, 0, false};
        found = true;
        u.id = col_text(&c);
        u.project_id = col_text(&c);
        u.name = col_text(&c);
        u.split = col_text(&c);
        u.state = col_text(&c);
        u.created_by = col_text(&c);
        u.bytes = col_int(&c);
        u.part_bytes = col_int(&c);
        u.created_at = col_int(&c);
        no_memory = c.no_memory;
    }
    enum rc end = rows_done(r, rc ? NULL : e);
    if (rc || end)
        return rc ? rc : end;
    if (!found)
        return err_set(e, RC_NOT_FOUND, "there is no upload '%.*s'", STR_F(str_sub(id, 0, 60)));
    if (no_memory)
        return dataset_nomem(e);
    *ret = u;
    return RC_OK;
}

enum rc upload_get(struct db *db, struct arena *a, str id, struct upload *ret, struct err *e)
{
    struct tx *tx;
    enum rc rc = db_begin(db, DB_READ, &tx, e);

    return rc ? rc : tx_end(tx, upload_find(tx, a, id, ret, e), e);
}

enum rc upload_part_put(struct db *db, str id, int64_t n, int64_t bytes, struct err *e)
{
    struct tx *tx;
    enum rc rc = db_begin(db, DB_WRITE, &tx, e);

    if (rc)
        return rc;
    rc = tx_exec(tx, e, "UPDATE dataset_upload SET updated_at = ? WHERE id = ? AND state = 'open'",
                 db_i(os_now_ms()), db_s(id));
    if (!rc && !tx_changes(tx))
        rc = err_set(e, RC_CONFLICT, "the upload is complete, or was removed");
    if (!rc)
        rc = tx_exec(tx, e,
                     "INSERT INTO dataset_upload_part (upload_id, n, bytes) VALUES (?, ?, ?)"
                     " ON CONFLICT (upload_id, n) DO UPDATE SET bytes = excluded.bytes",
                     db_s(id), db_i(n), db_i(bytes));
    return tx_end(tx, rc, e);
}

enum rc upload_parts(struct db *db, struct arena *a, str id, struct upload_part **ret,
                     size_t *ret_n, struct err *e)
{
    enum { PARTS_MAX = 10000 };
    struct upload_part *list = ARENA_ARRAY(a, struct upload_part, PARTS_MAX);
    struct tx *tx;
    struct rows *r = NULL;
    size_t n = 0;
    enum rc rc = list ? db_begin(db, DB_READ, &tx, e) : dataset_nomem(e);

    if (rc)
        return rc;
    rc = tx_query(tx, &r, e,
                  "SELECT n, bytes FROM dataset_upload_part WHERE upload_id = ? ORDER BY n",
                  db_s(id));
    while (!rc && n < PARTS_MAX && rows_next(r))
        list[n++] = (struct upload_part){rows_int(r, 0), rows_int(r, 1)};
    enum rc end = rows_done(r, rc ? NULL : e);
    rc = tx_end(tx, rc ? rc : end, e);
    if (rc)
        return rc;
    *ret = list;
    *ret_n = n;
    return RC_OK;
}

enum rc upload_remove(struct db *db, str id, struct err *e)
{
    return db_exec(db, e, "DELETE FROM dataset_upload WHERE id = ?", db_s(id));
}

enum rc upload_stale(struct db *db, struct arena *a, int64_t now, str **ret, size_t *ret_n,
                     struct err *e)
{
    enum { AT_ONCE = 100 };
    str *list = ARENA_ARRAY(a, str, AT_ONCE);
    struct tx *tx;
    struct rows *r = NULL;
    size_t n = 0;
    enum rc rc = list ? db_begin(db, DB_READ, &tx, e) : dataset_nomem(e);

    if (rc)
        return rc;
    rc = tx_query(tx, &r, e,
                  "SELECT id FROM dataset_upload WHERE updated_at < ? AND NOT EXISTS (SELECT 1"
                  " FROM dataset_import i WHERE i.upload_id = dataset_upload.id"
                  " AND i.state IN ('queued', 'running')) LIMIT ?",
                  db_i(now - UPLOAD_IDLE_MS_MAX), db_i(AT_ONCE));
    while (!rc && n < AT_ONCE && rows_next(r)) {
        list[n] = rows_copy(r, a, 0);
        if (!list[n++].p)
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

/* ---- imports: reading */

#define IMPORT                                                                                     \
    "SELECT i.id, i.dataset_id, d.name, coalesce(d.project_id, d.project_was, ''), i.kind,"        \
    " i.state, i.phase, i.version, i.error_code, i.error_fault, i.error, i.upload_id,"             \
    " i.base_version, i.draft_id, i.message, i.split, i.classes,"                                  \
    " coalesce(i.created_by, ''), i.progress,"                                                     \
    " i.images, i.faults, i.attempt, i.created_at, i.started_at, i.ended_at"                       \
    " FROM dataset_import i JOIN dataset d ON d.id = i.dataset_id "

static enum rc import_row(struct rows *r, struct arena *a, struct import *ret, struct err *e)
{
    struct cols c = {r, a, 0, false};
    struct import i = {0};

    i.import = col_text(&c);
    i.dataset = col_text(&c);
    i.dataset_name = col_text(&c);
    i.project_id = col_text(&c);
    i.kind = col_text(&c);
    i.state = col_text(&c);
    i.phase = col_text(&c);
    i.version = col_text(&c);
    i.error_code = col_text(&c);
    i.error_fault = col_text(&c);
    i.error = col_text(&c);
    i.upload = col_text(&c);
    i.base_version = col_text(&c);
    i.draft = col_text(&c);
    i.message = col_text(&c);
    i.split = col_text(&c);
    i.classes = col_text(&c);
    i.created_by = col_text(&c);
    i.progress = rows_num(r, c.at++);
    i.images = col_int(&c);
    i.faults = col_int(&c);
    i.attempt = col_int(&c);
    i.created_at = col_int(&c);
    i.started_at = col_int(&c);
    i.ended_at = col_int(&c);
    if (c.no_memory)
        return dataset_nomem(e);
    *ret = i;
    return RC_OK;
}

/* At most `max` rows of a query into list. */
static enum rc import_rows(struct tx *tx, struct arena *a, struct import *list, size_t max,
                           size_t *ret_n, struct err *e, const char *sql, str arg)
{
    struct db_val v[] = {db_s(arg)};
    struct rows *r = NULL;
    size_t n = 0;
    enum rc rc = tx_query_(tx, &r, e, sql, v, arg.p ? 1 : 0);

    while (!rc && n < max && rows_next(r))
        rc = import_row(r, a, &list[n++], e);
    enum rc end = rows_done(r, rc ? NULL : e);
    *ret_n = n;
    return rc ? rc : end;
}

static enum rc import_find(struct tx *tx, struct arena *a, str id, struct import *ret,
                           struct err *e)
{
    size_t n = 0;
    enum rc rc = import_rows(tx, a, ret, 1, &n, e, IMPORT "WHERE i.id = ?", id);

    if (!rc && !n)
        return err_set(e, RC_NOT_FOUND, "there is no import '%.*s'", STR_F(str_sub(id, 0, 60)));
    return rc;
}

enum rc import_get(struct db *db, struct arena *a, str id, struct import *ret, struct err *e)
{
    struct tx *tx;
    enum rc rc = db_begin(db, DB_READ, &tx, e);

    return rc ? rc : tx_end(tx, import_find(tx, a, id, ret, e), e);
}

enum rc import_list(struct db *db, struct arena *a, str dataset_id, struct import **ret,
                    size_t *ret_n, struct err *e)
{
    enum { SHOWN_MAX = 100 };
    struct import *list = ARENA_ARRAY(a, struct import, SHOWN_MAX);
    struct tx *tx;
    enum rc rc = list ? db_begin(db, DB_READ, &tx, e) : dataset_nomem(e);

    if (rc)
        return rc;
    rc = import_rows(tx, a, list, SHOWN_MAX, ret_n, e,
                     IMPORT "WHERE i.dataset_id = ? ORDER BY i.created_at DESC, i.id DESC",
                     dataset_id);
    rc = tx_end(tx, rc, e);
    if (!rc)
        *ret = list;
    return rc;
}

/* ---- imports: asking for one */

static enum rc dataset_open(struct tx *tx, struct arena *a, const struct upload *u, str *ret_id,
                            struct err *e)
{
    char id[OS_ID_TEXT];
    const char *key = dataset_name_key(a, u->name);
    struct rows *r = NULL;
    int64_t now = os_now_ms();
    str found = STR_NONE;
    enum rc rc = key ? tx_query(tx, &r, e,
                                "SELECT id FROM dataset WHERE coalesce(project_id, '') = ?"
                                " AND name_key = ? AND deleted_at IS NULL",
                                db_s(u->project_id), db_c(key))
                     : dataset_nomem(e);

    if (!rc && rows_next(r))
        found = rows_copy(r, a, 0);
    enum rc end = rows_done(r, rc ? NULL : e);
    if (rc || end)
        return rc ? rc : end;
    if (!found.p) {
        os_id(id);
        found = arena_str(a, str_of(id));
        if (!found.p)
            return dataset_nomem(e);
        rc = tx_exec(tx, e,
                     "INSERT INTO dataset (id, project_id, name, name_key, created_by, created_at,"
                     " updated_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
                     db_s(found), db_text_or_null(u->project_id), db_s(u->name), db_c(key),
                     db_text_or_null(u->created_by), db_i(now), db_i(now));
    }
    if (!rc)
        *ret_id = found;
    return rc;
}

static struct import new_import(const char *kind)
{
    str none = STR("");

    return (struct import){.kind = str_of(kind),
                           .upload = none,
                           .base_version = none,
                           .draft = none,
                           .message = none,
                           .classes = none};
}

/* im: dataset, kind, upload, base_version, draft, message, split, classes, created_by; "" where
 * none. */
static enum rc enqueue(struct tx *tx, struct arena *a, const struct import *im, struct import *ret,
                       struct err *e)
{
    char id[OS_ID_TEXT];

    os_id(id);
    enum rc rc = tx_exec(
        tx, e,
        "INSERT INTO dataset_import (id, dataset_id, kind, upload_id, base_version, draft_id,"
        " message, split, classes, state, created_by, created_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'queued', ?, ?)",
        db_c(id), db_s(im->dataset), db_s(im->kind), db_s(im->upload), db_s(im->base_version),
        db_s(im->draft), db_s(im->message), db_s(im->split), db_s(im->classes),
        db_text_or_null(im->created_by), db_i(os_now_ms()));
    return rc ? rc : import_find(tx, a, str_of(id), ret, e);
}

enum rc import_of_upload(struct db *db, struct arena *a, str upload_id, struct import *ret,
                         struct err *e)
{
    struct upload u;
    struct tx *tx;
    struct import im = new_import("archive");
    enum rc rc = db_begin(db, DB_WRITE, &tx, e);

    if (rc)
        return rc;
    rc = upload_find(tx, a, upload_id, &u, e);
    if (!rc && !str_is(u.state, "open"))
        rc = err_set(e, RC_CONFLICT, "the upload is complete already");
    if (!rc)
        rc = tx_exec(tx, e,
                     "UPDATE dataset_upload SET state = 'complete', updated_at = ? WHERE id = ?",
                     db_i(os_now_ms()), db_s(upload_id));
    if (!rc)
        rc = dataset_open(tx, a, &u, &im.dataset, e);
    if (!rc) {
        im.upload = u.id;
        im.split = u.split;
        im.created_by = u.created_by;
        rc = enqueue(tx, a, &im, ret, e);
    }
    return tx_end(tx, rc, e);
}

static enum rc split_text(const struct split_spec *split, struct buf *out, struct err *e)
{
    struct jw w;
    enum rc rc = split_spec_check(split, e);

    buf_init(out, 64 << 20);
    jw_init(&w, out);
    field_write(split_spec_fields, split, &w);
    return rc ? rc : buf_ok(out, e);
}

enum rc import_of_version(struct db *db, struct arena *a, const struct dataset_version *base,
                          const struct split_spec *split, str who, struct import *ret,
                          struct err *e)
{
    struct import im = new_import("split");
    struct buf spec;
    struct tx *tx;
    enum rc rc = split_text(split, &spec, e);

    if (!rc)
        rc = db_begin(db, DB_WRITE, &tx, e);
    if (!rc) {
        im.dataset = base->dataset;
        im.base_version = base->version;
        im.split = buf_view(&spec);
        im.created_by = who;
        rc = tx_end(tx, enqueue(tx, a, &im, ret, e), e);
    }
    buf_done(&spec);
    return rc;
}

enum rc import_of_draft(struct tx *tx, struct arena *a, const struct draft *d,
                        const struct split_spec *split, str message, str who, struct import *ret,
                        struct err *e)
{
    struct import im = new_import("draft");
    struct buf spec;
    enum rc rc = split_text(split, &spec, e);

    if (!rc) {
        im.dataset = d->dataset;
        im.base_version = d->base_version;
        im.draft = d->id;
        im.message = message;
        im.split = buf_view(&spec);
        im.created_by = who;
        rc = enqueue(tx, a, &im, ret, e);
    }
    buf_done(&spec);
    return rc;
}

static enum rc names_text(const struct strs *names, struct buf *out, struct err *e)
{
    struct jw w;

    buf_init(out, 64 << 20);
    jw_init(&w, out);
    jw_arr(&w);
    for (size_t i = 0; i < names->n; i++)
        jw_str(&w, names->p[i]);
    jw_arr_end(&w);
    return buf_ok(out, e);
}

enum rc import_of_classes(struct tx *tx, struct arena *a, const struct dataset_version *v,
                          const struct strs *to, str message, str who, struct import *ret,
                          struct err *e)
{
    const struct split_spec stay = {.method = SPLIT_GIVEN, .train = 1};
    struct import im = new_import("classes");
    struct buf spec, names;
    enum rc rc = split_text(&stay, &spec, e), named = names_text(to, &names, rc ? NULL : e);

    if (!rc)
        rc = named;
    if (!rc) {
        im.dataset = v->dataset;
        im.base_version = v->version;
        im.message = message;
        im.split = buf_view(&spec);
        im.classes = buf_view(&names);
        im.created_by = who;
        rc = enqueue(tx, a, &im, ret, e);
    }
    buf_done(&spec);
    buf_done(&names);
    return rc;
}

/* ---- imports: running them */

enum rc import_requeue_all(struct db *db, struct err *e)
{
    return db_exec(db, e, "UPDATE dataset_import SET state = 'queued' WHERE state = 'running'");
}

enum rc import_requeue(struct db *db, str id, struct err *e)
{
    return db_exec(db, e,
                   "UPDATE dataset_import SET state = 'queued' WHERE id = ? AND state = 'running'",
                   db_s(id));
}

enum rc import_take(struct db *db, struct arena *a, struct import *ret, struct err *e)
{
    struct import im = {0};
    struct tx *tx;
    size_t n = 0;
    enum rc rc = db_begin(db, DB_READ, &tx, e);

    if (rc)
        return rc;
    rc = import_rows(tx, a, &im, 1, &n, e,
                     IMPORT "WHERE i.state = 'queued' ORDER BY i.created_at, i.id LIMIT 1",
                     STR_NONE);
    rc = tx_end(tx, rc, e);
    if (!rc && n)
        rc = db_exec(
            db, e,
            "UPDATE dataset_import SET state = 'running', attempt = attempt + 1, started_at = ?"
            " WHERE id = ?",
            db_i(os_now_ms()), db_s(im.import));
    if (rc)
        return rc;
    im.attempt += n ? 1 : 0;
    *ret = im;
    return RC_OK;
}

enum rc import_progress(struct db *db, str id, str phase, double progress, int64_t images,
                        struct err *e)
{
    return db_exec(db, e,
                   "UPDATE dataset_import SET phase = ?, progress = ?, images = ? WHERE id = ?"
                   " AND state = 'running'",
                   db_s(phase), db_f(progress), db_i(images), db_s(id));
}

enum rc import_fail(struct db *db, const struct import *im, str code, str fault, str text,
                    struct err *e)
{
    struct tx *tx;
    int64_t now = os_now_ms();
    enum rc rc = db_begin(db, DB_WRITE, &tx, e);

    if (rc)
        return rc;
    rc = tx_exec(tx, e,
                 "UPDATE dataset_import SET state = 'failed', error_code = ?, error_fault = ?,"
                 " error = ?, ended_at = ? WHERE id = ?",
                 db_s(code), db_s(fault), db_s(text), db_i(now), db_s(im->import));
    if (!rc) /* a dataset that never got anything goes with its import */
        rc = tx_exec(
            tx, e,
            "UPDATE dataset SET deleted_at = ?, project_was = project_id, project_id = NULL"
            " WHERE id = ? AND NOT EXISTS"
            " (SELECT 1 FROM dataset_version v WHERE v.dataset_id = dataset.id)"
            " AND NOT EXISTS (SELECT 1 FROM dataset_import i WHERE i.dataset_id = dataset.id"
            " AND i.state IN ('queued', 'running'))",
            db_i(now), db_s(im->dataset));
    if (!rc && im->draft.n)
        rc = draft_ended(tx, im->draft, false, e);
    return tx_end(tx, rc, e);
}

static enum rc version_insert(struct tx *tx, const struct import *im, const struct import_result *r,
                              struct err *e)
{
    int64_t now = os_now_ms(), row;
    enum rc rc = tx_exec(
        tx, e,
        "INSERT INTO dataset_version (dataset_id, number, content_id, import_id, split, stats,"
        " faults, created_by, created_at)"
        " SELECT ?, coalesce(max(number), 0) + 1, ?, ?, ?, ?, ?, ?, ? FROM dataset_version"
        " WHERE dataset_id = ?",
        db_s(im->dataset), db_i(r->content), db_s(im->import), db_s(im->split), db_s(r->stats),
        db_i(r->faults), db_text_or_null(im->created_by), db_i(now), db_s(im->dataset));

    row = rc ? 0 : tx_last_id(tx);
    for (size_t i = 0; !rc && i < r->kept_n; i++) {
        const struct fault_row *f = &r->kept[i];
        rc = tx_exec(tx, e,
                     "INSERT INTO dataset_fault (version_id, n, severity, code, file, line, image,"
                     " message, action) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                     db_i(row), db_i((int64_t)i), db_s(f->severity), db_s(f->code), db_s(f->file),
                     db_i(f->line), db_s(f->image), db_s(f->message), db_s(f->action));
    }
    return rc;
}

enum rc import_finish(struct db *db, const struct import *im, const struct import_result *r,
                      struct err *e)
{
    struct tx *tx;
    bool have = false;
    int64_t now = os_now_ms();
    enum rc rc = db_begin(db, DB_WRITE, &tx, e);

    if (rc)
        return rc;
    rc =
        tx_exec(tx, e, "UPDATE dataset_content SET state = 'ready' WHERE id = ?", db_i(r->content));
    if (!rc)
        rc = tx_any(tx, &have, e,
                    "SELECT 1 FROM dataset_version WHERE dataset_id = ? AND content_id = ?",
                    db_s(im->dataset), db_i(r->content));
    if (!rc && !have)
        rc = version_insert(tx, im, r, e);
    if (!rc)
        rc = tx_exec(
            tx, e,
            "UPDATE dataset_import SET state = 'done', progress = 1, version = ?, images = ?,"
            " faults = ?, ended_at = ? WHERE id = ?",
            db_s(r->version), db_i(r->images), db_i(r->faults), db_i(now), db_s(im->import));
    if (!rc)
        rc = tx_exec(tx, e, "UPDATE dataset SET updated_at = ? WHERE id = ?", db_i(now),
                     db_s(im->dataset));
    if (!rc && im->draft.n)
        rc = draft_ended(tx, im->draft, true, e);
    return tx_end(tx, rc, e);
}
