/* draft_sql.c - the SQL of drafts.  Rules stand in draft.h. */
#include "flow/dataset/draft_int.h"
#include "os/os.h"

#define S struct draft
const struct field draft_fields[] = {
    F_STR(S, id, .help = "Id of the draft."),
    F_STR(S, dataset, .help = "Id of the dataset."),
    F_STR(S, base_version, .help = "The version that it changes."),
    F_INT(S, base_number, .help = "That version's number."),
    F_STR(S, state, .help = "open, or committing while its import runs."),
    F_STR(S, task, .help = "classification, detection, segmentation or text."),
    F_JSON(S, classes, .help = "Names of the classes, in the order of their numbers."),
    F_INT(S, revision, .help = "Of task and classes: send it back with a change of them."),
    F_INT(S, edited, .help = "Pictures whose labels were changed or confirmed."),
    F_INT(S, suggested, .help = "Pictures with a model's labels that nobody has confirmed."),
    F_STR(S, created_by, .flags = FIELD_NULLABLE, .help = "Id of the account that opened it."),
    F_STR(S, created_by_name, .help = "That account's name."),
    F_TIME(S, created_at, .help = "When it was opened."),
    F_TIME(S, updated_at, .help = "When it was last changed."),
    FIELD_END};
#undef S

#define DRAFT                                                                                      \
    "SELECT d.id, d.dataset_id, d.base_version, d.state, d.task, d.classes, d.revision,"           \
    " coalesce((SELECT v.number FROM dataset_version v WHERE v.dataset_id = d.dataset_id"          \
    " AND v.content_id = d.content_id), 0),"                                                       \
    " (SELECT count(*) FROM dataset_draft_edit x WHERE x.draft_id = d.id AND x.state = 'edited')," \
    " (SELECT count(*) FROM dataset_draft_edit x WHERE x.draft_id = d.id"                          \
    " AND x.state = 'suggested'),"                                                                 \
    " coalesce(d.created_by, ''), coalesce(nullif(u.name, ''), u.email, ''), d.created_at,"        \
    " d.updated_at, d.content_id FROM dataset_draft d"                                             \
    " LEFT JOIN \"user\" u ON u.id = d.created_by "

static enum rc draft_row(struct tx *tx, struct arena *a, const char *sql, str arg,
                         struct draft *ret, struct err *e)
{
    struct rows *r = NULL;
    struct draft d = {0};
    struct cols c = {.a = a};
    bool found = false;
    struct db_val v[] = {db_s(arg)};
    enum rc rc = tx_query_(tx, &r, e, sql, v, 1);

    if (!rc && rows_next(r)) {
        found = true;
        c.r = r;
        d.id = col_text(&c);
        d.dataset = col_text(&c);
        d.base_version = col_text(&c);
        d.state = col_text(&c);
        d.task = col_text(&c);
        d.classes = col_text(&c);
        d.revision = col_int(&c);
        d.base_number = col_int(&c);
        d.edited = col_int(&c);
        d.suggested = col_int(&c);
        d.created_by = col_text(&c);
        d.created_by_name = col_text(&c);
        d.created_at = col_int(&c);
        d.updated_at = col_int(&c);
        d.content = col_int(&c);
    }
    enum rc end = rows_done(r, rc ? NULL : e);
    if (rc || end)
        return rc ? rc : end;
    if (!found)
        return err_set(e, RC_NOT_FOUND, "the dataset has no open draft");
    if (c.no_memory)
        return dataset_nomem(e);
    *ret = d;
    return RC_OK;
}

#define OPEN_DRAFT DRAFT "WHERE d.dataset_id = ? AND d.state IN ('open', 'committing')"

enum rc draft_get(struct db *db, struct arena *a, str dataset_id, struct draft *ret, struct err *e)
{
    struct tx *tx;
    enum rc rc = db_begin(db, DB_READ, &tx, e);

    return rc ? rc : tx_end(tx, draft_row(tx, a, OPEN_DRAFT, dataset_id, ret, e), e);
}

enum rc draft_find(struct db *db, struct arena *a, str id, struct draft *ret, struct err *e)
{
    struct tx *tx;
    enum rc rc = db_begin(db, DB_READ, &tx, e);

    return rc ? rc : tx_end(tx, draft_row(tx, a, DRAFT "WHERE d.id = ?", id, ret, e), e);
}

enum rc draft_open(struct db *db, struct arena *a, const struct dataset_version *base, str task,
                   str who, bool *ret_opened, struct draft *ret, struct err *e)
{
    char id[OS_ID_TEXT];
    struct tx *tx;
    enum task known;
    int64_t now = os_now_ms();
    bool opened = false;
    enum rc rc = draft_task_read(task.n ? task : base->task, &known, e);

    if (!rc)
        rc = db_begin(db, DB_WRITE, &tx, e);
    if (rc)
        return rc;
    os_id(id);
    rc = tx_exec(tx, e,
                 "INSERT INTO dataset_draft (id, dataset_id, base_version, content_id, state, task,"
                 " classes, revision, created_by, created_at, updated_at)"
                 " SELECT ?, ?, ?, ?, 'open', ?, ?, 1, ?, ?, ? WHERE NOT EXISTS (SELECT 1"
                 " FROM dataset_draft d WHERE d.dataset_id = ?"
                 " AND d.state IN ('open', 'committing'))",
                 db_c(id), db_s(base->dataset), db_s(base->version), db_i(base->content),
                 db_c(task_names[known]), db_s(base->classes), db_text_or_null(who), db_i(now),
                 db_i(now), db_s(base->dataset));
    if (!rc)
        opened = tx_changes(tx) > 0;
    if (!rc)
        rc = draft_row(tx, a, OPEN_DRAFT, base->dataset, ret, e);
    rc = tx_end(tx, rc, e);
    if (!rc)
        *ret_opened = opened;
    return rc;
}

static enum rc not_open(struct err *e)
{
    return err_set(e, RC_CONFLICT,
                   "the draft is being made a version, or was discarded; open it again");
}

enum rc draft_discard(struct db *db, const struct draft *d, struct err *e)
{
    struct tx *tx;
    enum rc rc = db_begin(db, DB_WRITE, &tx, e);

    if (rc)
        return rc;
    rc = tx_exec(tx, e,
                 "UPDATE dataset_draft SET state = 'discarded', updated_at = ?"
                 " WHERE id = ? AND state = 'open'",
                 db_i(os_now_ms()), db_s(d->id));
    if (!rc && !tx_changes(tx))
        rc = not_open(e);
    if (!rc)
        rc = tx_exec(tx, e, "DELETE FROM dataset_draft_edit WHERE draft_id = ?", db_s(d->id));
    return tx_end(tx, rc, e);
}

/* ---- task, classes, colours */

static enum rc put_colours(struct tx *tx, const struct draft *d, const struct json *colours,
                           struct err *e)
{
    enum rc rc = RC_OK;

    JSON_EACH(one, colours) {
        if (one->type != JSON_INT || one->i < 0 || one->i >= COLOURS_MAX)
            return err_field(e, RC_INVALID, "colours", "a colour is a number from 0 to %d",
                             COLOURS_MAX - 1);
        if (!one->key.n || one->key.n > CLASS_NAME_MAX)
            return err_field(e, RC_INVALID, "colours", "a colour belongs to the name of a class");
        rc = tx_exec(tx, e,
                     "INSERT INTO dataset_colour (dataset_id, class, colour) VALUES (?, ?, ?)"
                     " ON CONFLICT (dataset_id, class) DO UPDATE SET colour = excluded.colour",
                     db_s(d->dataset), db_s(one->key), db_i(one->i));
        if (rc)
            return rc;
    }
    return rc;
}

static enum rc names_text(const struct strs *classes, struct buf *out, struct err *e)
{
    struct jw w;

    buf_init(out, 4 << 20);
    jw_init(&w, out);
    jw_arr(&w);
    for (size_t i = 0; i < classes->n; i++)
        jw_str(&w, classes->p[i]);
    jw_arr_end(&w);
    return buf_ok(out, e);
}

static enum rc put_classes(struct db *db, const struct draft *d, const struct class_change *c,
                           const char *task, str names, const struct json *colours, struct err *e)
{
    struct tx *tx;
    enum rc rc = db_begin(db, DB_WRITE, &tx, e);

    if (rc)
        return rc;
    rc = tx_exec(tx, e,
                 "UPDATE dataset_draft SET task = ?, classes = ?, revision = revision + 1,"
                 " updated_at = ? WHERE id = ? AND state = 'open' AND revision = ?",
                 db_c(task), db_s(names), db_i(os_now_ms()), db_s(d->id), db_i(c->revision));
    if (!rc && !tx_changes(tx))
        rc = str_is(d->state, "open")
                 ? err_field(e, RC_PRECONDITION, "revision",
                             "somebody else has changed the classes meanwhile; look at them again")
                 : not_open(e);
    if (!rc)
        rc = put_colours(tx, d, colours, e);
    return tx_end(tx, rc, e);
}

enum rc draft_describe(struct db *db, struct arena *a, const struct draft *d,
                       const struct class_change *c, struct err *e)
{
    const struct json *old = NULL, *colours = NULL;
    struct buf names;
    enum task task;
    enum rc rc = draft_task_read(c->task.n ? c->task : d->task, &task, e);

    if (!rc)
        rc = json_parse(a, d->classes, NULL, &old, e);
    if (!rc)
        rc = draft_classes_check(old, &c->classes, e);
    if (!rc && c->colours.n)
        rc = json_parse(a, c->colours, NULL, &colours, e);
    if (!rc && colours && colours->type != JSON_OBJ)
        rc = err_field(e, RC_INVALID, "colours", "colours are an object: name to number");
    if (rc)
        return rc;
    rc = names_text(&c->classes, &names, e);
    if (!rc)
        rc = put_classes(db, d, c, task_names[task], buf_view(&names), colours, e);
    buf_done(&names);
    return rc;
}

enum rc dataset_colours(struct db *db, struct arena *a, str dataset_id, str *ret, struct err *e)
{
    struct tx *tx;
    struct rows *r = NULL;
    struct buf out;
    struct jw w;
    enum rc rc = db_begin(db, DB_READ, &tx, e);

    if (rc)
        return rc;
    buf_init(&out, 8 << 20);
    jw_init(&w, &out);
    jw_obj(&w);
    rc = tx_query(tx, &r, e,
                  "SELECT class, colour FROM dataset_colour WHERE dataset_id = ? ORDER BY class",
                  db_s(dataset_id));
    while (!rc && rows_next(r)) {
        jw_key_str(&w, rows_text(r, 0));
        jw_int(&w, rows_int(r, 1));
    }
    jw_obj_end(&w);
    enum rc end = rows_done(r, rc ? NULL : e);
    rc = tx_end(tx, rc ? rc : end, e);
    if (!rc)
        rc = buf_ok(&out, e);
    if (!rc) {
        *ret = arena_str(a, buf_view(&out));
        rc = ret->p ? RC_OK : dataset_nomem(e);
    }
    buf_done(&out);
    return rc;
}

/* ---- pictures */

#define EDIT                                                                                       \
    "x.idx, x.revision, x.state, x.label, x.shapes, x.scores, coalesce(x.updated_by, ''),"         \
    " coalesce(nullif(u.name, ''), u.email, ''), x.updated_at"
#define EDIT_FROM " FROM dataset_draft_edit x LEFT JOIN \"user\" u ON u.id = x.updated_by "

static void edit_cols(struct cols *c, struct draft_edit *ret)
{
    ret->index = col_int(c);
    ret->revision = col_int(c);
    ret->state = col_text(c);
    ret->label = col_int(c);
    ret->shapes = col_text(c);
    ret->scores = col_text(c);
    ret->updated_by = col_text(c);
    ret->updated_by_name = col_text(c);
    ret->updated_at = col_int(c);
}

enum rc draft_edit_get(struct db *db, struct arena *a, const struct draft *d, int64_t index,
                       bool *ret_found, struct draft_edit *ret, struct err *e)
{
    struct tx *tx;
    struct rows *r = NULL;
    struct cols c = {.a = a};
    struct draft_edit one = {0};
    bool found = false;
    enum rc rc = db_begin(db, DB_READ, &tx, e);

    if (rc)
        return rc;
    rc = tx_query(tx, &r, e, "SELECT " EDIT EDIT_FROM "WHERE x.draft_id = ? AND x.idx = ?",
                  db_s(d->id), db_i(index));
    if (!rc && rows_next(r)) {
        found = true;
        c.r = r;
        edit_cols(&c, &one);
    }
    enum rc end = rows_done(r, rc ? NULL : e);
    rc = tx_end(tx, rc ? rc : end, e);
    if (!rc && c.no_memory)
        rc = dataset_nomem(e);
    if (rc)
        return rc;
    *ret_found = found;
    if (found)
        *ret = one;
    return RC_OK;
}

enum rc draft_edits(struct db *db, struct arena *a, const struct edit_query *q,
                    struct draft_edit **ret, size_t *ret_n, struct err *e)
{
    struct draft_edit *list = ARENA_ARRAY(a, struct draft_edit, (size_t)q->limit + 1);
    struct tx *tx;
    struct rows *r = NULL;
    size_t n = 0;
    enum rc rc = list ? db_begin(db, DB_READ, &tx, e) : dataset_nomem(e);

    if (rc)
        return rc;
    rc = tx_query(tx, &r, e,
                  "SELECT idx, revision, state, label FROM dataset_draft_edit WHERE draft_id = ?"
                  " AND idx > ? AND (state = ? OR (? = '' AND state <> 'reverted'))"
                  " ORDER BY idx LIMIT ?",
                  db_s(q->d->id), db_i(q->after), db_s(q->state), db_s(q->state), db_i(q->limit));
    while (!rc && n < (size_t)q->limit && rows_next(r)) {
        struct cols c = {r, a, 0, false};
        struct draft_edit *one = &list[n++];
        *one = (struct draft_edit){.index = col_int(&c)};
        one->revision = col_int(&c);
        one->state = col_text(&c);
        one->label = col_int(&c);
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

enum rc draft_edited(struct db *db, struct arena *a, const struct draft *d, int64_t after,
                     size_t limit, struct edited_picture **ret, size_t *ret_n, struct err *e)
{
    struct edited_picture *list = ARENA_ARRAY(a, struct edited_picture, limit + 1);
    struct tx *tx;
    struct rows *r = NULL;
    size_t n = 0;
    enum rc rc = list ? db_begin(db, DB_READ, &tx, e) : dataset_nomem(e);

    if (rc)
        return rc;
    rc = tx_query(tx, &r, e,
                  "SELECT " EDIT ", i.name, i.split, i.sha256, i.type, i.bytes, i.width, i.height"
                  " FROM dataset_draft_edit x JOIN dataset_image i ON i.content_id = ?"
                  " AND i.idx = x.idx LEFT JOIN \"user\" u ON u.id = x.updated_by"
                  " WHERE x.draft_id = ? AND x.state = 'edited' AND x.idx > ?"
                  " ORDER BY x.idx LIMIT ?",
                  db_i(d->content), db_s(d->id), db_i(after), db_i((int64_t)limit));
    while (!rc && n < limit && rows_next(r)) {
        struct cols c = {r, a, 0, false};
        struct edited_picture *one = &list[n++];
        *one = (struct edited_picture){0};
        edit_cols(&c, &one->edit);
        one->picture.index = one->edit.index;
        one->picture.name = col_text(&c);
        one->picture.split = col_text(&c);
        one->picture.sha256 = col_text(&c);
        one->picture.type = col_text(&c);
        one->picture.bytes = col_int(&c);
        one->picture.width = col_int(&c);
        one->picture.height = col_int(&c);
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

/* Writes the row if its revision is the one that the caller saw. */
static enum rc edit_write(struct tx *tx, const struct draft *d, const struct draft_edit *edit,
                          str who, struct err *e)
{
    int64_t now = os_now_ms();
    enum rc rc;

    if (!edit->revision)
        rc = tx_exec(tx, e,
                     "INSERT INTO dataset_draft_edit (draft_id, idx, revision, state, label,"
                     " shapes, scores, updated_by, updated_at) VALUES (?, ?, 1, ?, ?, ?, ?, ?, ?)"
                     " ON CONFLICT (draft_id, idx) DO NOTHING",
                     db_s(d->id), db_i(edit->index), db_s(edit->state), db_i(edit->label),
                     db_s(edit->shapes), db_s(edit->scores), db_text_or_null(who), db_i(now));
    else
        rc = tx_exec(tx, e,
                     "UPDATE dataset_draft_edit SET revision = revision + 1, state = ?, label = ?,"
                     " shapes = ?, scores = ?, updated_by = ?, updated_at = ?"
                     " WHERE draft_id = ? AND idx = ? AND revision = ?",
                     db_s(edit->state), db_i(edit->label), db_s(edit->shapes), db_s(edit->scores),
                     db_text_or_null(who), db_i(now), db_s(d->id), db_i(edit->index),
                     db_i(edit->revision));
    if (!rc && !tx_changes(tx))
        rc = err_field(e, RC_PRECONDITION, "revision",
                       "somebody else has changed this picture's labels meanwhile; look at them "
                       "again");
    return rc;
}

enum rc draft_edit_put(struct db *db, const struct draft *d, struct draft_edit *edit, str who,
                       struct err *e)
{
    struct tx *tx;
    enum rc rc = db_begin(db, DB_WRITE, &tx, e);

    if (rc)
        return rc;
    rc = tx_exec(tx, e, "UPDATE dataset_draft SET updated_at = ? WHERE id = ? AND state = 'open'",
                 db_i(os_now_ms()), db_s(d->id));
    if (!rc && !tx_changes(tx))
        rc = not_open(e);
    if (!rc)
        rc = edit_write(tx, d, edit, who, e);
    rc = tx_end(tx, rc, e);
    if (!rc)
        edit->revision++;
    return rc;
}

/* ---- committing */

static enum rc differs(struct tx *tx, const struct draft *d, struct err *e)
{
    int64_t yes;
    enum rc rc = tx_int(tx, 0, &yes, e,
                        "SELECT EXISTS (SELECT 1 FROM dataset_draft_edit WHERE draft_id = ?"
                        " AND state = 'edited') OR c.task <> d.task OR c.classes <> d.classes"
                        " FROM dataset_draft d JOIN dataset_content c ON c.id = d.content_id"
                        " WHERE d.id = ?",
                        db_s(d->id), db_s(d->id));

    return rc || yes ? rc
                     : err_set(e, RC_CONFLICT, "nothing in the draft differs from version %lld",
                               (long long)d->base_number);
}

enum rc draft_commit(struct db *db, struct arena *a, const struct draft *d,
                     const struct split_spec *split, str message, str who, struct import *ret,
                     struct err *e)
{
    struct tx *tx;
    enum rc rc = db_begin(db, DB_WRITE, &tx, e);

    if (rc)
        return rc;
    rc = differs(tx, d, e);
    if (!rc)
        rc = tx_exec(tx, e,
                     "UPDATE dataset_draft SET state = 'committing', updated_at = ?"
                     " WHERE id = ? AND state = 'open'",
                     db_i(os_now_ms()), db_s(d->id));
    if (!rc && !tx_changes(tx))
        rc = not_open(e);
    if (!rc)
        rc = import_of_draft(tx, a, d, split, message, who, ret, e);
    return tx_end(tx, rc, e);
}

enum rc draft_ended(struct tx *tx, str draft_id, bool done, struct err *e)
{
    enum rc rc = tx_exec(tx, e,
                         "UPDATE dataset_draft SET state = ?, updated_at = ?"
                         " WHERE id = ? AND state = 'committing'",
                         db_c(done ? "committed" : "open"), db_i(os_now_ms()), db_s(draft_id));

    if (!rc && done)
        rc = tx_exec(tx, e, "DELETE FROM dataset_draft_edit WHERE draft_id = ?", db_s(draft_id));
    return rc;
}
