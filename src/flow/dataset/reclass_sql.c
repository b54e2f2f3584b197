/* reclass_sql.c - what a change of classes costs, and queueing it. */
#include "flow/dataset/draft_int.h"
#include "flow/dataset/reclass.h"

/* The numbers of the classes that go, as a JSON array. */
static void write_removed(const struct reclass *r, struct buf *out)
{
    struct jw w;

    jw_init(&w, out);
    jw_arr(&w);
    for (size_t i = 0; i < r->from_n; i++)
        if (r->to[i] < 0)
            jw_int(&w, (int64_t)i);
    jw_arr_end(&w);
}

static enum rc count_pictures(struct db *db, const struct dataset_version *v, str removed,
                              struct reclass_loss *ret, struct err *e)
{
    struct tx *tx;
    enum rc rc = db_begin(db, DB_READ, &tx, e);

    if (rc)
        return rc;
    rc = tx_int(tx, 0, &ret->pictures, e,
                "SELECT count(DISTINCT idx) FROM dataset_image_class WHERE content_id = ?"
                " AND class IN (SELECT value FROM json_each(?))",
                db_i(v->content), db_s(removed));
    if (!rc)
        rc = tx_int(tx, 0, &ret->emptied, e,
                    "SELECT count(*) FROM (SELECT idx FROM dataset_image_class"
                    " WHERE content_id = ? GROUP BY idx"
                    " HAVING min(class IN (SELECT value FROM json_each(?))) = 1)",
                    db_i(v->content), db_s(removed));
    return tx_end(tx, rc, e);
}

/* The version's statistics have, for each class, its pictures and its shapes. */
static enum rc count_labels(struct arena *a, const struct dataset_version *v,
                            const struct reclass *r, int64_t *ret, struct err *e)
{
    const char *what = str_is(v->task, "classification") ? "images" : "shapes";
    const struct json *stats = NULL, *list;
    size_t i = 0;
    int64_t n = 0;
    enum rc rc = json_parse(a, v->stats, NULL, &stats, e);

    if (rc)
        return rc;
    list = json_get(stats, "classes");
    if (list && list->type == JSON_ARR)
        JSON_EACH(one, list) {
            if (i < r->from_n && r->to[i] < 0)
                n += json_int(one, what, 0);
            i++;
        }
    *ret = n;
    return RC_OK;
}

static enum rc read_classes(struct arena *a, const struct dataset_version *v, str **ret,
                            size_t *ret_n, struct err *e)
{
    const struct json *list = NULL;
    size_t n = 0;
    enum rc rc = json_parse(a, v->classes, NULL, &list, e);
    str *names = rc ? NULL : ARENA_ARRAY(a, str, list->list.count + 1);

    if (rc || !names)
        return rc ? rc : dataset_nomem(e);
    JSON_EACH(one, list) {
        names[n++] = one->s;
    }
    *ret = names;
    *ret_n = n;
    return RC_OK;
}

enum rc reclass_check(struct db *db, struct arena *a, const struct dataset_version *v,
                      const struct strs *to, struct reclass *ret, struct reclass_loss *ret_loss,
                      struct err *e)
{
    struct reclass_loss loss = {0};
    struct buf removed;
    str *names = NULL;
    size_t n = 0;
    enum rc rc = str_is(v->task, "text")
                     ? err_set(e, RC_INVALID, "lines of text have no classes to change")
                     : read_classes(a, v, &names, &n, e);

    if (!rc)
        rc = reclass_read(a, names, n, to, ret, e);
    if (!rc)
        rc = count_labels(a, v, ret, &loss.labels, e);
    if (rc)
        return rc;
    buf_init(&removed, 1 << 20);
    write_removed(ret, &removed);
    rc = buf_ok(&removed, e);
    if (!rc)
        rc = count_pictures(db, v, buf_view(&removed), &loss, e);
    buf_done(&removed);
    if (!rc)
        *ret_loss = loss;
    return rc;
}

/* A class that is only called otherwise is drawn as before. */
static enum rc keep_colours(struct tx *tx, const struct dataset_version *v, const str *names,
                            const struct strs *to, struct err *e)
{
    enum rc rc = RC_OK;

    for (size_t i = 0; !rc && i < to->n; i++)
        if (to->p[i].n && !str_eq(to->p[i], names[i]))
            rc = tx_exec(tx, e,
                         "INSERT INTO dataset_colour (dataset_id, class, colour)"
                         " SELECT dataset_id, ?, colour FROM dataset_colour"
                         " WHERE dataset_id = ? AND class = ?"
                         " ON CONFLICT (dataset_id, class) DO NOTHING",
                         db_s(to->p[i]), db_s(v->dataset), db_s(names[i]));
    return rc;
}

static enum rc no_draft(struct tx *tx, const struct dataset_version *v, struct err *e)
{
    bool any;
    enum rc rc = tx_any(tx, &any, e,
                        "SELECT 1 FROM dataset_draft WHERE dataset_id = ?"
                        " AND state IN ('open', 'committing')",
                        db_s(v->dataset));

    return rc || !any
               ? rc
               : err_set(e, RC_CONFLICT,
                         "a draft of this dataset is open, whose labels have the old classes; "
                         "commit or discard it first");
}

enum rc reclass_queue(struct db *db, struct arena *a, const struct dataset_version *v,
                      const struct strs *to, str message, str who, struct import *ret,
                      struct err *e)
{
    struct reclass r;
    struct reclass_loss loss;
    struct tx *tx;
    str *names = NULL;
    size_t n = 0;
    enum rc rc = reclass_check(db, a, v, to, &r, &loss, e);

    if (!rc)
        rc = read_classes(a, v, &names, &n, e);
    if (!rc)
        rc = db_begin(db, DB_WRITE, &tx, e);
    if (rc)
        return rc;
    rc = no_draft(tx, v, e);
    if (!rc)
        rc = keep_colours(tx, v, names, to, e);
    if (!rc)
        rc = import_of_classes(tx, a, v, to, message, who, ret, e);
    return tx_end(tx, rc, e);
}
