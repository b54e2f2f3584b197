/* model_sql.c - rows of models, versions, evaluations and the history.  Rules stand in
 * registry.h. */
#include "flow/registry/registry_int.h"
#include "os/os.h"

#include <math.h>
#include <string.h>

/* The name of the account that joined as u, and as w. */
#define MAKER    "coalesce(nullif(u.name, ''), u.email, '')"
#define APPROVER "coalesce(nullif(w.name, ''), w.email, '')"

#define MODEL                                                                                      \
    "m.id, coalesce(m.project_id, ''), m.name, m.task, m.description,"                             \
    " coalesce(m.created_by, ''), " MAKER ", m.version_last,"                                      \
    " (SELECT count(*) FROM registry_version v WHERE v.model_id = m.id"                            \
    " AND v.state <> 'archived'),"                                                                 \
    " (SELECT coalesce(json_group_array(json_object('alias', alias, 'version', number,"            \
    " 'since', at)), '[]') FROM (SELECT alias, number, at FROM registry_publication p"             \
    " WHERE p.model_id = m.id AND p.ended_at IS NULL ORDER BY alias)),"                            \
    " m.created_at, m.updated_at "                                                                 \
    "FROM registry_model m LEFT JOIN \"user\" u ON u.id = m.created_by "
/* ?, ?: the account twice; "" sees all */
#define VISIBLE                                                                                    \
    "(? = '' OR m.project_id IS NULL OR EXISTS (SELECT 1 FROM project_member q"                    \
    " WHERE q.project_id = m.project_id AND q.user_id = ?)) "

static enum rc model_row(struct rows *r, struct arena *a, struct registry_model *ret, struct err *e)
{
    struct cols c = {r, a, 0, false};
    struct registry_model m = {0};

    m.id = col_text(&c);
    m.project_id = col_text(&c);
    m.name = col_text(&c);
    m.task = col_text(&c);
    m.description = col_text(&c);
    m.created_by = col_text(&c);
    m.created_by_name = col_text(&c);
    m.version_last = col_int(&c);
    m.versions = col_int(&c);
    m.aliases = col_text(&c);
    m.created_at = col_int(&c);
    m.updated_at = col_int(&c);
    if (c.no_memory)
        return registry_nomem(e);
    *ret = m;
    return RC_OK;
}

/* The first row of r, or RC_NOT_FOUND. */
static enum rc one_model(struct rows *r, struct arena *a, str asked, struct registry_model *ret,
                         struct err *e)
{
    bool found = rows_next(r);
    enum rc rc = found ? model_row(r, a, ret, e) : RC_OK;
    enum rc end = rows_done(r, rc ? NULL : e);

    if (rc || end)
        return rc ? rc : end;
    return found ? RC_OK
                 : err_set(e, RC_NOT_FOUND, "there is no model '%.*s' in the registry",
                           STR_F(str_sub(asked, 0, 100)));
}

enum rc model_load_by_id(struct tx *tx, struct arena *a, str id, struct registry_model *ret,
                         struct err *e)
{
    struct rows *r = NULL;
    enum rc rc = tx_query(tx, &r, e, "SELECT " MODEL "WHERE m.id = ?", db_s(id));

    return rc ? rc : one_model(r, a, id, ret, e);
}

enum rc registry_model_find(struct db *db, struct arena *a, str id_or_name, str seen_by,
                            struct registry_model *ret, struct err *e)
{
    struct registry_model found[2] = {0};
    struct rows *r = NULL;
    struct tx *tx;
    size_t n = 0;
    enum rc rc = db_begin(db, DB_READ, &tx, e);

    if (rc)
        return rc;
    rc = tx_query(tx, &r, e,
                  "SELECT " MODEL "WHERE " VISIBLE "AND (m.id = ? OR m.name = ?)"
                  " ORDER BY m.id = ? DESC, m.project_id IS NULL DESC LIMIT 2",
                  db_s(seen_by), db_s(seen_by), db_s(id_or_name), db_s(id_or_name),
                  db_s(id_or_name));
    while (!rc && n < 2 && rows_next(r))
        rc = model_row(r, a, &found[n++], e);
    enum rc end = rows_done(r, rc ? NULL : e);
    rc = tx_end(tx, rc ? rc : end, e);
    if (rc)
        return rc;
    if (!n)
        return err_set(e, RC_NOT_FOUND, "there is no model '%.*s' in the registry",
                       STR_F(str_sub(id_or_name, 0, 100)));
    if (n == 2 && !str_eq(found[0].id, id_or_name) && found[0].project_id.n)
        return err_set(e, RC_CONFLICT, "several of your projects have a model '%.*s'; use its id",
                       STR_F(str_sub(id_or_name, 0, 100)));
    *ret = found[0];
    return RC_OK;
}

enum rc registry_model_list(struct db *db, struct arena *a, const struct registry_query *q,
                            struct registry_model **ret, size_t *ret_n, struct err *e)
{
    struct registry_model *list = ARENA_ARRAY(a, struct registry_model, (size_t)q->limit);
    struct rows *r = NULL;
    struct tx *tx;
    size_t n = 0;
    enum rc rc = list ? db_begin(db, DB_READ, &tx, e) : registry_nomem(e);

    if (rc)
        return rc;
    rc = tx_query(
        tx, &r, e,
        "SELECT " MODEL "WHERE " VISIBLE "AND (? = '' OR coalesce(m.project_id, 'default') = ?)"
        " AND (? = '' OR instr(m.name, ?) > 0)"
        " AND (? = '' OR (m.name, m.id) > (?, ?)) ORDER BY m.name, m.id LIMIT ?",
        db_s(q->seen_by), db_s(q->seen_by), db_s(q->project), db_s(q->project), db_s(q->q),
        db_s(q->q), db_s(q->after_id), db_s(q->after_key), db_s(q->after_id), db_i(q->limit));
    while (!rc && n < (size_t)q->limit && rows_next(r))
        rc = model_row(r, a, &list[n++], e);
    enum rc end = rows_done(r, rc ? NULL : e);
    rc = tx_end(tx, rc ? rc : end, e);
    if (!rc) {
        *ret = list;
        *ret_n = n;
    }
    return rc;
}

/* ---- versions */

#define NEWEST_EVALUATION                                                                          \
    "(SELECT json_object('id', x.id, 'status', x.status, 'job_id', x.job_id,"                      \
    " 'split', x.split, 'dataset_name', x.dataset_name,"                                           \
    " 'dataset_version', x.dataset_version, 'scores', json(x.scores),"                             \
    " 'error', nullif(x.error, '')) FROM registry_evaluation x"                                    \
    " WHERE x.model_id = v.model_id AND x.number = v.number"                                       \
    " ORDER BY x.created_at DESC, x.id DESC LIMIT 1)"
#define VERSION                                                                                    \
    "v.model_id, m.name, v.number, v.state, v.notes, v.job_id, v.job_name, v.framework,"           \
    " v.network, v.goal, v.epoch, v.metric, v.value, v.dataset_id, v.dataset_name,"                \
    " v.dataset_version, v.config, v.engine, v.weights_sha256, v.weights_bytes,"                   \
    " coalesce(v.created_by, ''), " MAKER ", coalesce(v.approved_by, ''), " APPROVER ","           \
    " v.created_at, coalesce(v.approved_at, 0), v.updated_at,"                                     \
    " (SELECT coalesce(json_group_array(alias), '[]') FROM (SELECT alias FROM"                     \
    " registry_publication p WHERE p.model_id = v.model_id AND p.number = v.number"                \
    " AND p.ended_at IS NULL ORDER BY alias)),"                                                    \
    " coalesce(" NEWEST_EVALUATION ", '') "                                                        \
    "FROM registry_version v JOIN registry_model m ON m.id = v.model_id"                           \
    " LEFT JOIN \"user\" u ON u.id = v.created_by"                                                 \
    " LEFT JOIN \"user\" w ON w.id = v.approved_by "

static enum rc version_row(struct rows *r, struct arena *a, struct registry_version *ret,
                           struct err *e)
{
    struct cols c = {r, a, 0, false};
    struct registry_version v = {0};

    v.model_id = col_text(&c);
    v.model = col_text(&c);
    v.number = col_int(&c);
    v.state = version_state_of(rows_text(r, c.at++));
    v.notes = col_text(&c);
    v.job_id = col_text(&c);
    v.job_name = col_text(&c);
    v.framework = col_text(&c);
    v.network = col_text(&c);
    v.goal = col_text(&c);
    v.epoch = col_int(&c);
    v.metric = col_text(&c);
    v.value = rows_is_null(r, c.at) ? (double)NAN : rows_num(r, c.at);
    c.at++;
    v.dataset_id = col_text(&c);
    v.dataset_name = col_text(&c);
    v.dataset_version = col_text(&c);
    v.config = col_text(&c);
    v.engine = col_text(&c);
    v.weights_sha256 = col_text(&c);
    v.weights_bytes = col_int(&c);
    v.created_by = col_text(&c);
    v.created_by_name = col_text(&c);
    v.approved_by = col_text(&c);
    v.approved_by_name = col_text(&c);
    v.created_at = col_int(&c);
    v.approved_at = col_int(&c);
    v.updated_at = col_int(&c);
    v.aliases = col_text(&c);
    v.evaluation = col_text(&c);
    if (c.no_memory)
        return registry_nomem(e);
    *ret = v;
    return RC_OK;
}

enum rc version_load(struct tx *tx, struct arena *a, str model_id, int64_t number,
                     struct registry_version *ret, struct err *e)
{
    struct rows *r = NULL;
    enum rc rc = tx_query(tx, &r, e, "SELECT " VERSION "WHERE v.model_id = ? AND v.number = ?",
                          db_s(model_id), db_i(number));
    if (rc)
        return rc;
    bool found = rows_next(r);
    if (found)
        rc = version_row(r, a, ret, e);
    enum rc end = rows_done(r, rc ? NULL : e);
    if (rc || end)
        return rc ? rc : end;
    return found ? RC_OK
                 : err_set(e, RC_NOT_FOUND, "the model has no version %lld", (long long)number);
}

static enum rc list_versions(struct db *db, struct arena *a, struct registry_version **ret,
                             size_t *ret_n, size_t max, const char *sql, const struct db_val *v,
                             size_t vn, struct err *e)
{
    struct registry_version *list = ARENA_ARRAY(a, struct registry_version, max);
    struct rows *r = NULL;
    struct tx *tx;
    size_t n = 0;
    enum rc rc = list ? db_begin(db, DB_READ, &tx, e) : registry_nomem(e);

    if (rc)
        return rc;
    rc = tx_query_(tx, &r, e, sql, v, vn);
    while (!rc && n < max && rows_next(r))
        rc = version_row(r, a, &list[n++], e);
    enum rc end = rows_done(r, rc ? NULL : e);
    rc = tx_end(tx, rc ? rc : end, e);
    if (!rc) {
        *ret = list;
        *ret_n = n;
    }
    return rc;
}

enum rc registry_versions(struct db *db, struct arena *a, str model_id, int64_t before,
                          int64_t limit, struct registry_version **ret, size_t *ret_n,
                          struct err *e)
{
    const struct db_val v[] = {db_s(model_id), db_i(before), db_i(before), db_i(limit)};

    return list_versions(db, a, ret, ret_n, (size_t)limit,
                         "SELECT " VERSION "WHERE v.model_id = ? AND (? = 0 OR v.number < ?)"
                         " ORDER BY v.number DESC LIMIT ?",
                         v, 4, e);
}

enum { VERSIONS_OF_JOB_MAX = 50 };

enum rc registry_versions_of_job(struct db *db, struct arena *a, str job_id, str seen_by,
                                 struct registry_version **ret, size_t *ret_n, struct err *e)
{
    const struct db_val v[] = {db_s(job_id), db_s(seen_by), db_s(seen_by)};

    return list_versions(db, a, ret, ret_n, VERSIONS_OF_JOB_MAX,
                         "SELECT " VERSION "WHERE v.job_id = ? AND " VISIBLE
                         "ORDER BY v.created_at DESC LIMIT 50",
                         v, 3, e);
}

enum rc registry_version_find(struct db *db, struct arena *a, const struct registry_model *m,
                              str which, struct registry_version *ret, struct err *e)
{
    struct tx *tx;
    int64_t number = m->version_last;
    bool alias = !str_is(which, "latest") && which.n && !str_i64(which, &number);
    enum rc rc = db_begin(db, DB_READ, &tx, e);

    if (rc)
        return rc;
    if (alias) {
        rc = tx_int(tx, 0, &number, e,
                    "SELECT number FROM registry_publication WHERE model_id = ? AND alias = ?"
                    " AND ended_at IS NULL",
                    db_s(m->id), db_s(which));
        if (!rc && !number)
            rc = err_set(e, RC_NOT_FOUND, "nothing of '%.*s' is live under the alias '%.*s'",
                         STR_F(m->name), STR_F(str_sub(which, 0, 80)));
    }
    if (!rc)
        rc = version_load(tx, a, m->id, number, ret, e);
    tx_rollback(tx);
    return rc;
}

static enum rc version_insert(struct tx *tx, str model_id, int64_t number,
                              const struct registry_version *v, const struct registry_who *who,
                              int64_t now, struct err *e)
{
    struct event_new told = {.model_id = model_id,
                             .number = number,
                             .kind = "registered",
                             .alias = STR(""),
                             .from = "",
                             .to = version_state_names[VERSION_DRAFT],
                             .note = v->notes};
    enum rc rc = tx_exec(
        tx, e,
        "INSERT INTO registry_version (model_id, number, state, notes, job_id, job_name,"
        " framework, network, epoch, metric, value, goal, dataset_id, dataset_name,"
        " dataset_version, config, engine, weights_sha256, weights_bytes, created_by, created_at,"
        " updated_at) VALUES (?, ?, 'draft', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,"
        " ?)",
        db_s(model_id), db_i(number), db_s(v->notes), db_s(v->job_id), db_s(v->job_name),
        db_s(v->framework), db_s(v->network), db_i(v->epoch), db_s(v->metric),
        isfinite(v->value) ? db_f(v->value) : db_null(), db_s(v->goal), db_s(v->dataset_id),
        db_s(v->dataset_name), db_s(v->dataset_version), db_s(v->config), db_s(v->engine),
        db_s(v->weights_sha256), db_i(v->weights_bytes), db_text_or_null(who->id), db_i(now),
        db_i(now));

    if (rc == RC_CONFLICT)
        return err_field(e, rc, "checkpoint",
                         "a version of this model has these very weights already");
    return rc ? rc : event_add(tx, &told, who, now, e);
}

enum rc registry_model_add(struct db *db, struct arena *a, const struct registry_model *m,
                           const struct registry_version *first, const struct registry_who *who,
                           int64_t now, struct registry_model *ret, struct err *e)
{
    char id[OS_ID_TEXT];
    struct tx *tx;
    enum rc rc = registry_name_check(m->name, "name", e);

    if (!rc)
        rc = db_begin(db, DB_WRITE, &tx, e);
    if (rc)
        return rc;
    os_id(id);
    rc = tx_exec(tx, e,
                 "INSERT INTO registry_model (id, project_id, name, task, description,"
                 " version_last, created_by, created_at, updated_at)"
                 " VALUES (?, ?, ?, ?, ?, 1, ?, ?, ?)",
                 db_c(id), db_text_or_null(m->project_id), db_s(m->name), db_s(m->task),
                 db_s(m->description), db_text_or_null(who->id), db_i(now), db_i(now));
    if (rc == RC_CONFLICT)
        rc = err_field(e, rc, "name",
                       "the project has a model '%.*s' already; add a version to it, or choose "
                       "another name",
                       STR_F(m->name));
    if (!rc)
        rc = version_insert(tx, str_of(id), 1, first, who, now, e);
    if (!rc)
        rc = model_load_by_id(tx, a, str_of(id), ret, e);
    return tx_end(tx, rc, e);
}

enum rc registry_version_add(struct db *db, struct arena *a, str model_id,
                             const struct registry_version *v, const struct registry_who *who,
                             int64_t now, struct registry_version *ret, struct err *e)
{
    struct registry_model m;
    struct tx *tx;
    enum rc rc = db_begin(db, DB_WRITE, &tx, e);

    if (rc)
        return rc;
    rc = model_load_by_id(tx, a, model_id, &m, e);
    if (!rc)
        rc = tx_exec(tx, e,
                     "UPDATE registry_model SET version_last = ?, updated_at = ? WHERE id = ?",
                     db_i(m.version_last + 1), db_i(now), db_s(model_id));
    if (!rc)
        rc = version_insert(tx, model_id, m.version_last + 1, v, who, now, e);
    if (!rc)
        rc = version_load(tx, a, model_id, m.version_last + 1, ret, e);
    return tx_end(tx, rc, e);
}

enum rc registry_model_describe(struct db *db, str id, str description,
                                const struct registry_who *who, int64_t now, struct err *e)
{
    struct event_new told = {.model_id = id,
                             .kind = "described",
                             .alias = STR(""),
                             .from = "",
                             .to = "",
                             .note = description};
    struct tx *tx;
    enum rc rc = db_begin(db, DB_WRITE, &tx, e);

    if (rc)
        return rc;
    rc = tx_exec(tx, e, "UPDATE registry_model SET description = ?, updated_at = ? WHERE id = ?",
                 db_s(description), db_i(now), db_s(id));
    if (!rc)
        rc = event_add(tx, &told, who, now, e);
    return tx_end(tx, rc, e);
}

/* ---- what decides */

enum rc standing_load(struct tx *tx, struct arena *a, str model_id, int64_t number,
                      struct standing *ret, struct err *e)
{
    struct standing s = {0};
    struct rows *r = NULL;
    enum rc rc =
        tx_query(tx, &r, e,
                 "SELECT v.state, coalesce(v.created_by, ''),"
                 " (SELECT count(*) FROM registry_publication p WHERE p.model_id = v.model_id"
                 " AND p.number = v.number AND p.ended_at IS NULL),"
                 " EXISTS (SELECT 1 FROM registry_evaluation x WHERE x.model_id = v.model_id"
                 " AND x.number = v.number AND x.status = 'completed'),"
                 " coalesce((SELECT approve_by_other FROM registry_policy"
                 " WHERE project_id = coalesce(m.project_id, '')), 0)"
                 " FROM registry_version v JOIN registry_model m ON m.id = v.model_id"
                 " WHERE v.model_id = ? AND v.number = ?",
                 db_s(model_id), db_i(number));

    if (rc)
        return rc;
    bool found = rows_next(r);
    if (found) {
        s.state = version_state_of(rows_text(r, 0));
        s.created_by = rows_copy(r, a, 1);
        s.live = rows_int(r, 2);
        s.scored = rows_int(r, 3) != 0;
        s.by_other = rows_int(r, 4) != 0;
    }
    rc = rows_done(r, e);
    if (!rc && found && !s.created_by.p)
        rc = registry_nomem(e);
    if (!rc && !found)
        rc = err_set(e, RC_NOT_FOUND, "the model has no version %lld", (long long)number);
    if (!rc)
        *ret = s;
    return rc;
}

enum rc version_set_state(struct tx *tx, str model_id, int64_t number, int from, int to,
                          int64_t now, struct err *e)
{
    enum rc rc = tx_exec(tx, e,
                         "UPDATE registry_version SET state = ?, updated_at = ?"
                         " WHERE model_id = ? AND number = ? AND state = ?",
                         db_c(version_state_names[to]), db_i(now), db_s(model_id), db_i(number),
                         db_c(version_state_names[from]));

    if (!rc && tx_changes(tx) != 1)
        rc = err_set(e, RC_CONFLICT, "version %lld has changed meanwhile; look again",
                     (long long)number);
    if (!rc)
        rc = tx_exec(tx, e, "UPDATE registry_model SET updated_at = ? WHERE id = ?", db_i(now),
                     db_s(model_id));
    return rc;
}

static enum rc approver_check(const struct standing *s, const struct registry_who *who,
                              struct err *e)
{
    if (!s->by_other || !s->created_by.n || !str_eq(s->created_by, who->id))
        return RC_OK;
    return err_set(e, RC_FORBIDDEN,
                   "you registered this version, and its project asks that somebody else approves "
                   "it");
}

static enum rc set_approver(struct tx *tx, str model_id, int64_t number, str who, int64_t at,
                            struct err *e)
{
    return tx_exec(tx, e,
                   "UPDATE registry_version SET approved_by = ?, approved_at = ?"
                   " WHERE model_id = ? AND number = ?",
                   db_text_or_null(who), at ? db_i(at) : db_null(), db_s(model_id), db_i(number));
}

enum rc registry_version_move(struct db *db, str model_id, int64_t number, enum version_verb verb,
                              str note, const struct registry_who *who, int64_t now, struct err *e)
{
    static const char *const told_as[VERB_COUNT] = {"approved", "withdrawn", "archived",
                                                    "restored"};
    struct event_new told = {.model_id = model_id,
                             .number = number,
                             .kind = told_as[verb],
                             .alias = STR(""),
                             .note = note};
    struct standing s = {0};
    enum version_state to;
    struct arena a;
    struct tx *tx;
    enum rc rc = db_begin(db, DB_WRITE, &tx, e);

    if (rc)
        return rc;
    arena_init(&a, 64 << 10);
    rc = standing_load(tx, &a, model_id, number, &s, e);
    if (!rc)
        rc = verb_target(verb, (enum version_state)s.state, s.scored, &to, e);
    if (!rc && verb == VERB_APPROVE)
        rc = approver_check(&s, who, e);
    if (!rc)
        rc = version_set_state(tx, model_id, number, s.state, (int)to, now, e);
    if (!rc && verb == VERB_APPROVE)
        rc = set_approver(tx, model_id, number, who->id, now, e);
    else if (!rc && to != VERSION_ARCHIVED)
        rc = set_approver(tx, model_id, number, STR_NONE, 0, e);
    if (!rc) {
        told.from = version_state_names[s.state];
        told.to = version_state_names[to];
        rc = event_add(tx, &told, who, now, e);
    }
    arena_done(&a);
    return tx_end(tx, rc, e);
}
