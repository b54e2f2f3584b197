/* evaluation_sql.c - versions scored by jobs of kind test, and the policy of a project. */
#include "flow/registry/registry_int.h"
#include "os/os.h"

#include <string.h>

enum { EVALUATIONS_MAX = 200 };

static enum rc tell(struct tx *tx, str model_id, int64_t number, const char *kind, const char *from,
                    const char *to, str note, const struct registry_who *who, int64_t now,
                    struct err *e)
{
    struct event_new told = {.model_id = model_id,
                             .number = number,
                             .kind = kind,
                             .alias = STR(""),
                             .from = from,
                             .to = to,
                             .note = note};

    return event_add(tx, &told, who, now, e);
}

enum rc registry_evaluation_add(struct db *db, const struct registry_evaluation *v,
                                const struct registry_who *who, int64_t now, struct err *e)
{
    char id[OS_ID_TEXT];
    struct tx *tx;
    enum rc rc = db_begin(db, DB_WRITE, &tx, e);

    if (rc)
        return rc;
    os_id(id);
    rc = tx_exec(tx, e,
                 "INSERT INTO registry_evaluation (id, model_id, number, job_id, dataset_id,"
                 " dataset_name, dataset_version, split, status, created_by, created_at)"
                 " VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'running', ?, ?)",
                 db_c(id), db_s(v->model_id), db_i(v->number), db_s(v->job_id), db_s(v->dataset_id),
                 db_s(v->dataset_name), db_s(v->dataset_version), db_s(v->split),
                 db_text_or_null(who->id), db_i(now));
    if (!rc)
        rc = tell(tx, v->model_id, v->number, "evaluating", "", "", v->split, who, now, e);
    return tx_end(tx, rc, e);
}

enum rc registry_evaluations(struct db *db, struct arena *a, str model_id, int64_t number,
                             struct registry_evaluation **ret, size_t *ret_n, struct err *e)
{
    struct registry_evaluation *list = ARENA_ARRAY(a, struct registry_evaluation, EVALUATIONS_MAX);
    struct rows *r = NULL;
    struct tx *tx;
    size_t n = 0;
    bool ok = true;
    enum rc rc = list ? db_begin(db, DB_READ, &tx, e) : registry_nomem(e);

    if (rc)
        return rc;
    rc = tx_query(tx, &r, e,
                  "SELECT x.id, x.model_id, x.number, x.job_id, x.dataset_id, x.dataset_name,"
                  " x.dataset_version, x.split, x.status, x.scores, x.error,"
                  " coalesce(x.created_by, ''), coalesce(nullif(u.name, ''), u.email, ''),"
                  " x.created_at, coalesce(x.ended_at, 0) FROM registry_evaluation x"
                  " LEFT JOIN \"user\" u ON u.id = x.created_by"
                  " WHERE (? = '' AND x.status = 'running') OR (x.model_id = ? AND x.number = ?)"
                  " ORDER BY x.created_at DESC, x.id DESC LIMIT 200",
                  db_s(model_id), db_s(model_id), db_i(number));
    for (; !rc && n < EVALUATIONS_MAX && rows_next(r); n++) {
        struct registry_evaluation *v = &list[n];
        struct cols c = {r, a, 0, false};

        v->id = col_text(&c);
        v->model_id = col_text(&c);
        v->number = col_int(&c);
        v->job_id = col_text(&c);
        v->dataset_id = col_text(&c);
        v->dataset_name = col_text(&c);
        v->dataset_version = col_text(&c);
        v->split = col_text(&c);
        v->status = col_text(&c);
        v->scores = col_text(&c);
        v->error = col_text(&c);
        v->created_by = col_text(&c);
        v->created_by_name = col_text(&c);
        v->created_at = col_int(&c);
        v->ended_at = col_int(&c);
        ok &= !c.no_memory;
    }
    enum rc end = rows_done(r, rc ? NULL : e);
    rc = tx_end(tx, rc ? rc : end ? end : !ok ? registry_nomem(e) : RC_OK, e);
    if (!rc) {
        *ret = list;
        *ret_n = n;
    }
    return rc;
}

/* Whose evaluation the job is, if it is still open. */
static enum rc open_one(struct tx *tx, struct arena *a, str job_id, str *ret_model,
                        int64_t *ret_number, struct err *e)
{
    struct rows *r = NULL;
    enum rc rc = tx_query(tx, &r, e,
                          "SELECT model_id, number FROM registry_evaluation"
                          " WHERE job_id = ? AND status = 'running'",
                          db_s(job_id));
    if (rc)
        return rc;
    *ret_model = STR("");
    if (rows_next(r)) {
        *ret_model = rows_copy(r, a, 0);
        *ret_number = rows_int(r, 1);
    }
    rc = rows_done(r, e);
    return rc ? rc : ret_model->p ? RC_OK : registry_nomem(e);
}

/* The event tells of it, whether or not the state changes. */
static enum rc score(struct tx *tx, struct arena *a, str model, int64_t number, int64_t now,
                     struct err *e)
{
    const struct registry_who server = {STR(""), STR("")};
    struct standing s = {0};
    enum rc rc = standing_load(tx, a, model, number, &s, e);
    bool draft = s.state == VERSION_DRAFT;

    if (!rc && draft)
        rc = version_set_state(tx, model, number, VERSION_DRAFT, VERSION_EVALUATED, now, e);
    if (!rc)
        rc = tell(tx, model, number, "evaluated", draft ? version_state_names[VERSION_DRAFT] : "",
                  draft ? version_state_names[VERSION_EVALUATED] : "", STR(""), &server, now, e);
    return rc;
}

enum rc registry_evaluation_end(struct db *db, struct arena *a, str job_id, const char *status,
                                str scores, str error, int64_t now, struct err *e)
{
    const struct registry_who server = {STR(""), STR("")};
    int64_t number = 0;
    struct tx *tx;
    str model = {0};
    enum rc rc = db_begin(db, DB_WRITE, &tx, e);

    if (rc)
        return rc;
    rc = open_one(tx, a, job_id, &model, &number, e);
    if (rc || !model.n)
        return tx_end(tx, rc, e);
    rc = tx_exec(tx, e,
                 "UPDATE registry_evaluation SET status = ?, scores = ?, error = ?, ended_at = ?"
                 " WHERE job_id = ?",
                 db_c(status), db_s(scores), db_s(error), db_i(now), db_s(job_id));
    if (!rc && !strcmp(status, "completed"))
        rc = score(tx, a, model, number, now, e);
    else if (!rc)
        rc = tell(tx, model, number, "evaluation_failed", "", "", error, &server, now, e);
    return tx_end(tx, rc, e);
}

/* ---- policy */

enum rc registry_policy_get(struct db *db, str project_id, bool *ret_by_other, struct err *e)
{
    int64_t by_other;
    enum rc rc = db_int(db, 0, &by_other, e,
                        "SELECT approve_by_other FROM registry_policy WHERE project_id = ?",
                        db_s(project_id));

    if (!rc)
        *ret_by_other = by_other != 0;
    return rc;
}

enum rc registry_policy_set(struct db *db, str project_id, bool by_other, struct err *e)
{
    return db_exec(db, e,
                   "INSERT INTO registry_policy (project_id, approve_by_other) VALUES (?, ?)"
                   " ON CONFLICT (project_id) DO UPDATE SET approve_by_other ="
                   " excluded.approve_by_other",
                   db_s(project_id), db_i(by_other));
}
