/* job_read_sql.c - what may be read of jobs. */
#include "base/vec.h"
#include "flow/job/job_int.h"
#include "flow/job/job_read.h"
#include <math.h>

const char *const job_sort_names[] = {"created", "name", "status", "score", "queue", NULL};

/* Every text of a list and its orders is a literal: one for each sort and direction. */
#define LIST(key, cmp, dir)                                                                        \
    "SELECT " JOB_COLUMNS JOB_FROM JOB_WHERE " AND (?9 = '' OR (" key ", j.id) " cmp               \
    " (?10, ?9)) ORDER BY " key " " dir ", j.id " dir " LIMIT ?11"
#define BOTH(key)                                                                                  \
    {                                                                                              \
        LIST(key, ">", "ASC"), LIST(key, "<", "DESC")                                              \
    }
/* A job without a score stands below all; the queue's key falls as its priority rises. */
#define SCORE_KEY "coalesce(j.best_value, -1e300)"
#define QUEUE_KEY "((100 - j.priority) * 1000000000000000 + j.position)"
static const char *const lists[][2] = {BOTH("j.created_at"), BOTH("j.name"), BOTH("j.status"),
                                       BOTH(SCORE_KEY), BOTH(QUEUE_KEY)};

static enum rc after_key(const struct job_query *q, struct db_val *ret, struct err *e)
{
    int64_t i = 0;
    double f = 0;
    bool ok = true;

    if (!q->after_id.n) {
        *ret = db_null();
        return RC_OK;
    }
    if (q->sort == JOB_BY_NAME || q->sort == JOB_BY_STATUS)
        *ret = db_s(q->after_key);
    else if (q->sort == JOB_BY_SCORE)
        *ret = (ok = str_f64(q->after_key, &f)) ? db_f(f) : db_null();
    else
        *ret = (ok = str_i64(q->after_key, &i)) ? db_i(i) : db_null();
    return ok ? RC_OK : err_field(e, RC_INVALID, "cursor", "the cursor belongs to another order");
}

const char *job_sort_key(struct arena *a, const struct job *j, int sort)
{
    switch ((enum job_sort)sort) {
    case JOB_BY_CREATED:
        return arena_printf(a, "%lld", (long long)j->created_at);
    case JOB_BY_NAME:
        return arena_cstr(a, j->name);
    case JOB_BY_STATUS:
        return job_status_names[j->status];
    case JOB_BY_SCORE:
        return j->best_epoch ? arena_printf(a, "%.17g", j->best_value) : "-1e300";
    case JOB_BY_QUEUE:
        return arena_printf(a, "%lld",
                            (long long)((100 - j->priority) * 1000000000000000LL + j->position));
    }
    return NULL;
}

enum rc job_list(struct jobs *js, struct arena *a, const struct job_query *q, struct job **ret,
                 size_t *ret_n, struct err *e)
{
    struct tx *tx;
    struct rows *r;
    struct db_val key;
    str pattern = db_like(a, q->q);
    struct job *list = ARENA_ARRAY(a, struct job, (size_t)q->limit);
    size_t n = 0;
    enum rc bad = RC_OK, rc = after_key(q, &key, e);

    if (!rc && (!pattern.p || !list))
        rc = err_set(e, RC_NOMEM, "out of memory");
    if (!rc)
        rc = db_begin(js->s.db, DB_READ, &tx, e);
    if (rc)
        return rc;
    rc = tx_query(tx, &r, e, lists[q->sort][q->desc], db_s(q->user_id), db_s(q->status),
                  db_s(q->dataset), db_s(q->model), db_s(q->framework), db_s(q->project),
                  db_i(q->starred), db_s(pattern), db_s(q->after_id), key, db_i(q->limit));
    if (!rc) {
        while (!bad && n < (size_t)q->limit && rows_next(r)) {
            bad = job_row(r, a, &list[n], e);
            n++;
        }
        rc = rows_done(r, bad ? NULL : e);
    }
    tx_rollback(tx);
    if (bad || rc)
        return bad ? bad : rc;
    *ret = list;
    *ret_n = n;
    return RC_OK;
}

enum rc job_queue_place(struct jobs *js, const struct job *j, int64_t *ret, struct err *e)
{
    if (j->status != JOB_QUEUED || job_is_paused(j)) {
        *ret = 0;
        return RC_OK;
    }
    return db_int(js->s.db, 0, ret, e,
                  "SELECT 1 + count(*) FROM job WHERE status = 'queued' AND wish <> 'pause'"
                  " AND (priority > ?1"
                  " OR (priority = ?1 AND position < ?2))",
                  db_i(j->priority), db_i(j->position));
}

/* ---- metrics and logs: handed over row by row */

enum rc job_metrics(struct jobs *js, str job_id, str name, int64_t since,
                    enum rc (*each)(const struct metric_point *p, void *ud), void *ud,
                    struct err *e)
{
    struct tx *tx;
    struct rows *r;
    enum rc bad = RC_OK, rc = db_begin(js->s.db, DB_READ, &tx, e);

    if (rc)
        return rc;
    rc = tx_query(tx, &r, e,
                  "SELECT name, epoch, step, at, value FROM metric WHERE job_id = ?1"
                  " AND (?2 = '' OR name = ?2) AND epoch > ?3 ORDER BY name, epoch",
                  db_s(job_id), db_s(name), db_i(since));
    if (!rc) {
        while (!bad && rows_next(r)) {
            struct metric_point p = {rows_text(r, 0), rows_int(r, 1), rows_int(r, 2),
                                     rows_int(r, 3), rows_is_null(r, 4) ? NAN : rows_num(r, 4)};

            bad = each(&p, ud);
        }
        rc = rows_done(r, e);
    }
    tx_rollback(tx);
    return bad ? bad : rc;
}

enum rc job_logs(struct jobs *js, const struct log_query *q,
                 enum rc (*each)(const struct job_log *l, void *ud), void *ud, struct err *e)
{
#define LOGS(cmp, dir)                                                                             \
    "SELECT seq, at, epoch, attempt, level, message FROM job_log"                                  \
    " WHERE job_id = ?1 AND level >= ?2 AND (?3 = 0 OR seq " cmp " ?3)"                            \
    " AND (?4 = '' OR message LIKE ?4 ESCAPE '\\') ORDER BY seq " dir " LIMIT ?5"
    static const char *const texts[] = {LOGS(">", "ASC"), LOGS("<", "DESC")};
    struct arena a;
    struct tx *tx;
    struct rows *r;
    str pattern;
    enum rc bad = RC_OK, rc;

    arena_init(&a, 64 << 10);
    pattern = db_like(&a, q->q);
    rc = pattern.p ? db_begin(js->s.db, DB_READ, &tx, e) : err_set(e, RC_NOMEM, "out of memory");
    if (rc) {
        arena_done(&a);
        return rc;
    }
    rc = tx_query(tx, &r, e, texts[q->newest_first], db_s(q->job_id), db_i(q->level_min),
                  db_i(q->after), db_s(pattern), db_i(q->limit));
    if (!rc) {
        while (!bad && rows_next(r)) {
            struct job_log l = {rows_int(r, 0), rows_int(r, 1),      rows_int(r, 2),
                                rows_int(r, 3), (int)rows_int(r, 4), rows_text(r, 5)};

            bad = each(&l, ud);
        }
        rc = rows_done(r, e);
    }
    tx_rollback(tx);
    arena_done(&a);
    return bad ? bad : rc;
}

/* ---- checkpoints */

#define CHECKPOINT_COLUMNS                                                                         \
    "epoch, is_best, is_last, is_periodic, metric, value, weights_key, weights_sha256,"            \
    " weights_bytes, state_key, state_sha256, state_bytes, manifest_key, attempt, at"

static bool checkpoint_row(struct rows *r, struct arena *a, struct job_checkpoint *ret)
{
    struct job_checkpoint k = {0};
    struct checkpoint *c = &k.c;

    c->epoch = rows_int(r, 0);
    c->is_best = rows_int(r, 1) != 0;
    c->is_last = rows_int(r, 2) != 0;
    c->is_periodic = rows_int(r, 3) != 0;
    c->metric = rows_copy(r, a, 4);
    c->value = rows_is_null(r, 5) ? NAN : rows_num(r, 5);
    c->weights_key = rows_copy(r, a, 6);
    c->weights_sha256 = rows_copy(r, a, 7);
    c->weights_bytes = rows_int(r, 8);
    c->state_key = rows_copy(r, a, 9);
    c->state_sha256 = rows_copy(r, a, 10);
    c->state_bytes = rows_int(r, 11);
    c->manifest_key = rows_copy(r, a, 12);
    k.attempt = rows_int(r, 13);
    k.at = rows_int(r, 14);
    *ret = k;
    return c->metric.p && c->weights_key.p && c->weights_sha256.p && c->state_key.p &&
           c->state_sha256.p && c->manifest_key.p;
}

enum { CHECKPOINTS_MAX = 4096 };

enum rc job_checkpoints(struct jobs *js, struct arena *a, str job_id, struct job_checkpoint **ret,
                        size_t *ret_n, struct err *e)
{
    VEC(struct job_checkpoint) v = {0};
    struct job_checkpoint k, *out;
    struct tx *tx;
    struct rows *r;
    bool ok = true;
    enum rc rc = db_begin(js->s.db, DB_READ, &tx, e);

    if (rc)
        return rc;
    rc = tx_query(tx, &r, e,
                  "SELECT " CHECKPOINT_COLUMNS " FROM checkpoint WHERE job_id = ? ORDER BY epoch"
                  " LIMIT ?",
                  db_s(job_id), db_i(CHECKPOINTS_MAX));
    if (!rc) {
        while (ok && rows_next(r))
            ok = checkpoint_row(r, a, &k) && VEC_PUSH(&v, k);
        rc = rows_done(r, e);
    }
    tx_rollback(tx);
    out = ARENA_ARRAY(a, struct job_checkpoint, v.n ? v.n : 1);
    if (!rc && (!ok || !out))
        rc = err_set(e, RC_NOMEM, "out of memory");
    if (!rc) {
        if (v.n)
            memcpy(out, v.p, v.n * sizeof *out);
        *ret = out;
        *ret_n = v.n;
    }
    VEC_DONE(&v);
    return rc;
}

static enum rc no_checkpoint(const struct job_checkpoint *k, size_t n, str which, struct err *e)
{
    struct buf b;
    enum rc rc;

    buf_init(&b, 300);
    for (size_t i = 0; i < n && i < 20; i++)
        buf_printf(&b, "%s%lld", i ? ", " : "", (long long)k[i].c.epoch);
    rc = n ? err_set(e, RC_NOT_FOUND,
                     "the job has no checkpoint '%.*s'; there are those of the epochs %s%s",
                     (int)(which.n > 20 ? 20 : which.n), which.p, b.p, n > 20 ? ", .." : "")
           : err_set(e, RC_NOT_FOUND, "the job has no checkpoint yet");
    buf_done(&b);
    return rc;
}

enum rc job_checkpoint_find(struct jobs *js, struct arena *a, str job_id, str which,
                            struct job_checkpoint *ret, struct err *e)
{
    struct job_checkpoint *k, *found = NULL, *last = NULL;
    int64_t epoch = -1;
    size_t n;
    enum rc rc;

    if (!str_is(which, "best") && !str_is(which, "last") && (!str_i64(which, &epoch) || epoch < 0))
        return err_field(e, RC_INVALID, "checkpoint", "use best, last or the number of an epoch");
    rc = job_checkpoints(js, a, job_id, &k, &n, e);
    if (rc)
        return rc;
    for (size_t i = 0; i < n; i++) {
        if (k[i].c.is_last || !last)
            last = &k[i];
        if (epoch >= 0 ? k[i].c.epoch == epoch : str_is(which, "best") && k[i].c.is_best)
            found = &k[i];
    }
    if (!found && epoch < 0)
        found = last;
    if (!found)
        return no_checkpoint(k, n, which, e);
    *ret = *found;
    return RC_OK;
}

enum rc job_owns_key(struct jobs *js, str job_id, str key, bool *ret, struct err *e)
{
    return db_any(js->s.db, ret, e,
                  "SELECT 1 FROM checkpoint WHERE job_id = ?1"
                  " AND ?2 IN (weights_key, state_key, manifest_key)",
                  db_s(job_id), db_s(key));
}

/* ---- attempts and validations */

enum { LIST_ROWS_MAX = 1024 };

enum rc job_attempts(struct jobs *js, struct arena *a, str job_id, struct job_attempt **ret,
                     size_t *ret_n, struct err *e)
{
    struct job_attempt *list = ARENA_ARRAY(a, struct job_attempt, LIST_ROWS_MAX);
    struct tx *tx;
    struct rows *r;
    size_t n = 0;
    enum rc rc = list ? db_begin(js->s.db, DB_READ, &tx, e) : err_set(e, RC_NOMEM, "out of memory");

    if (rc)
        return rc;
    rc = tx_query(tx, &r, e,
                  "SELECT attempt, last_seq, created_at, started_at, ended_at, status, trainer,"
                  " reason FROM job_attempt WHERE job_id = ? ORDER BY attempt DESC LIMIT ?",
                  db_s(job_id), db_i(LIST_ROWS_MAX));
    if (!rc) {
        for (; n < LIST_ROWS_MAX && rows_next(r); n++)
            list[n] = (struct job_attempt){
                rows_int(r, 0), rows_int(r, 1),     rows_int(r, 2),     rows_int(r, 3),
                rows_int(r, 4), rows_copy(r, a, 5), rows_copy(r, a, 6), rows_copy(r, a, 7)};
        rc = rows_done(r, e);
    }
    tx_rollback(tx);
    if (rc)
        return rc;
    *ret = list;
    *ret_n = n;
    return RC_OK;
}

static struct validation validation_row(struct rows *r, struct arena *a)
{
    return (struct validation){.epoch = rows_int(r, 0),
                               .split = rows_copy(r, a, 1),
                               .key = rows_copy(r, a, 2),
                               .sha256 = rows_copy(r, a, 3),
                               .bytes = rows_int(r, 4)};
}

enum rc job_validation_epochs(struct jobs *js, struct arena *a, str job_id, struct validation **ret,
                              size_t *ret_n, struct err *e)
{
    struct validation *list = ARENA_ARRAY(a, struct validation, LIST_ROWS_MAX);
    struct tx *tx;
    struct rows *r;
    size_t n = 0;
    enum rc rc = list ? db_begin(js->s.db, DB_READ, &tx, e) : err_set(e, RC_NOMEM, "out of memory");

    if (rc)
        return rc;
    rc = tx_query(tx, &r, e,
                  "SELECT epoch, split, key, sha256, bytes FROM validation WHERE job_id = ?"
                  " ORDER BY epoch LIMIT ?",
                  db_s(job_id), db_i(LIST_ROWS_MAX));
    if (!rc) {
        for (; n < LIST_ROWS_MAX && rows_next(r); n++)
            list[n] = validation_row(r, a);
        rc = rows_done(r, e);
    }
    tx_rollback(tx);
    if (rc)
        return rc;
    *ret = list;
    *ret_n = n;
    return RC_OK;
}

enum rc job_validation(struct jobs *js, struct arena *a, str job_id, int64_t epoch,
                       struct validation *ret, struct err *e)
{
    struct tx *tx;
    struct rows *r;
    struct validation v = {0};
    bool there = false;
    enum rc rc = db_begin(js->s.db, DB_READ, &tx, e);

    if (rc)
        return rc;
    rc = tx_query(tx, &r, e,
                  "SELECT epoch, split, key, sha256, bytes FROM validation WHERE job_id = ?1"
                  " AND (?2 < 0 OR epoch = ?2) ORDER BY epoch DESC LIMIT 1",
                  db_s(job_id), db_i(epoch));
    if (!rc) {
        there = rows_next(r);
        if (there)
            v = validation_row(r, a);
        rc = rows_done(r, e);
    }
    tx_rollback(tx);
    if (rc)
        return rc;
    if (!there)
        return err_set(e, RC_NOT_FOUND, "the job has no validation of that epoch");
    if (!v.key.p || !v.split.p || !v.sha256.p)
        return err_set(e, RC_NOMEM, "out of memory");
    *ret = v;
    return RC_OK;
}
