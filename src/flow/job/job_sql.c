/* job_sql.c - the SQL of job.c and job_report.c.  No rule stands here; see job.h. */
#include "flow/job/job_sql.h"
#include "db/cols.h"

const char *const attempt_status_names[] = {"starting",  "running", "completed", "failed",
                                            "cancelled", "lost",    NULL};

static struct db_val int_or_null(int64_t v)
{
    return v ? db_i(v) : db_null();
}

static int name_index(const char *const *names, str s)
{
    for (int i = 0; names[i]; i++)
        if (str_is(s, names[i]))
            return i;
    return 0; /* the table's CHECK forbids another */
}

/* In the table, no wish is "". */
static int wish_index(str s)
{
    return s.n ? name_index(job_wish_names, s) : WISH_NONE;
}
static struct db_val wish_value(int wish)
{
    return db_c(wish ? job_wish_names[wish] : "");
}

enum rc job_row(struct rows *r, struct arena *a, struct job *ret, struct err *e)
{
    struct cols c = {r, a, 0, false};
    struct job j = {0};

    j.id = col_text(&c);
    j.kind = name_index(work_kind_names, rows_text(r, c.at++));
    j.name = col_text(&c);
    j.project_id = col_text(&c);
    j.created_by = col_text(&c);
    j.created_by_name = col_text(&c);
    j.framework = col_text(&c);
    j.model = col_text(&c);
    j.dataset_id = col_text(&c);
    j.dataset_name = col_text(&c);
    j.dataset_version = col_text(&c);
    j.split = col_text(&c);
    j.config = col_text(&c);
    j.goal = name_index(train_goal_names, rows_text(r, c.at++));
    j.base_job_id = col_text(&c);
    j.base_checkpoint = col_text(&c);
    j.status = name_index(job_status_names, rows_text(r, c.at++));
    j.attempt = col_int(&c);
    j.failures = col_int(&c);
    j.attempts_max = col_int(&c);
    j.not_before = col_int(&c);
    j.waiting_reason = col_text(&c);
    j.priority = col_int(&c);
    j.position = col_int(&c);
    j.progress = col_num(&c);
    j.epoch = col_int(&c);
    j.epochs = col_int(&c);
    j.step = col_int(&c);
    j.steps = col_int(&c);
    j.message = col_text(&c);
    j.error_code = col_text(&c);
    j.error = col_text(&c);
    j.best_epoch = col_int(&c);
    j.best_metric = col_text(&c);
    j.best_value = col_num(&c);
    j.weights_sha256 = col_text(&c);
    j.engine = col_text(&c);
    j.tags = col_text(&c);
    j.notes = col_text(&c);
    j.starred = col_int(&c) != 0;
    j.event_seq = col_int(&c);
    j.wish = wish_index(rows_text(r, c.at++));
    j.samples = col_int(&c);
    j.created_at = col_int(&c);
    j.queued_at = col_int(&c);
    j.started_at = col_int(&c);
    j.ended_at = col_int(&c);
    j.updated_at = col_int(&c);
    if (c.no_memory)
        return err_set(e, RC_NOMEM, "out of memory reading a job");
    *ret = j;
    return RC_OK;
}

enum rc job_load(struct tx *tx, struct arena *a, str id, struct job *ret, struct err *e)
{
    struct rows *r;
    bool there = false;
    enum rc bad = RC_OK;
    enum rc rc = tx_query(tx, &r, e, "SELECT " JOB_COLUMNS JOB_FROM "WHERE j.id = ?", db_s(id));

    if (rc)
        return rc;
    there = rows_next(r);
    if (there)
        bad = job_row(r, a, ret, e);
    rc = rows_done(r, bad ? NULL : e);
    if (bad || rc)
        return bad ? bad : rc;
    if (!there)
        return err_set(e, RC_NOT_FOUND, "there is no job '%.*s'", (int)(id.n > 40 ? 40 : id.n),
                       id.p);
    return RC_OK;
}

enum rc job_insert(struct tx *tx, const struct job *j, struct err *e)
{
    return tx_exec(
        tx, e,
        "INSERT INTO job (id, kind, name, project_id, created_by, framework, model, dataset_id,"
        " dataset_name, dataset_version, split, config, goal, base_job_id, base_checkpoint, status,"
        " attempts_max, priority, position, epochs, tags, notes, created_at, updated_at)"
        " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
        db_s(j->id), db_c(work_kind_names[j->kind]), db_s(j->name), db_text_or_null(j->project_id),
        db_text_or_null(j->created_by), db_s(j->framework), db_s(j->model), db_s(j->dataset_id),
        db_s(j->dataset_name), db_s(j->dataset_version), db_s(j->split), db_s(j->config),
        db_c(train_goal_names[j->goal]), db_text_or_null(j->base_job_id), db_s(j->base_checkpoint),
        db_c(job_status_names[j->status]), db_i(j->attempts_max), db_i(j->priority),
        db_i(j->position), db_i(j->epochs), db_s(j->tags), db_s(j->notes), db_i(j->created_at),
        db_i(j->updated_at));
}

enum rc job_save(struct tx *tx, const struct job *j, int was, struct err *e)
{
    enum rc rc = tx_exec(
        tx, e,
        "UPDATE job SET name = ?, status = ?, attempt = ?, failures = ?, not_before = ?,"
        " waiting_reason = ?, priority = ?, position = ?, progress = ?, epoch = ?, epochs = ?,"
        " step = ?, steps = ?, message = ?, error_code = ?, error = ?, best_epoch = ?,"
        " best_metric = ?, best_value = ?, weights_sha256 = ?, engine = ?, tags = ?,"
        " notes = ?, starred = ?, event_seq = ?, wish = ?, samples = ?, queued_at = ?,"
        " started_at = ?, ended_at = ?, updated_at = ? WHERE id = ? AND status = ?",
        db_s(j->name), db_c(job_status_names[j->status]), db_i(j->attempt), db_i(j->failures),
        db_i(j->not_before), db_s(j->waiting_reason), db_i(j->priority), db_i(j->position),
        db_f(j->progress), db_i(j->epoch), db_i(j->epochs), db_i(j->step), db_i(j->steps),
        db_s(j->message), db_s(j->error_code), db_s(j->error), int_or_null(j->best_epoch),
        db_s(j->best_metric), j->best_epoch ? db_f(j->best_value) : db_null(),
        db_s(j->weights_sha256), db_s(j->engine), db_s(j->tags), db_s(j->notes), db_i(j->starred),
        db_i(j->event_seq), wish_value(j->wish), db_i(j->samples), int_or_null(j->queued_at),
        int_or_null(j->started_at), int_or_null(j->ended_at), db_i(j->updated_at), db_s(j->id),
        db_c(job_status_names[was]));

    ASSERT(rc || tx_changes(tx) == 1); /* it was read in this transaction */
    return rc;
}

enum rc job_last_position(struct tx *tx, int64_t *ret, struct err *e)
{
    return tx_int(tx, 0, ret, e, "SELECT max(position) FROM job");
}

enum rc job_position_before(struct tx *tx, int64_t priority, int64_t position, int64_t none,
                            int64_t *ret, struct err *e)
{
    return tx_int(tx, none, ret, e,
                  "SELECT max(position) FROM job WHERE status IN ('pending', 'queued')"
                  " AND priority = ? AND position < ?",
                  db_i(priority), db_i(position));
}

enum rc job_spread_positions(struct tx *tx, int64_t gap, struct err *e)
{
    return tx_exec(tx, e,
                   "UPDATE job SET position = o.n * ? FROM"
                   " (SELECT id, row_number() OVER (ORDER BY position, id) AS n FROM job) o"
                   " WHERE o.id = job.id",
                   db_i(gap));
}

/* ---- attempts */

enum rc attempt_load(struct tx *tx, str job_id, int64_t number, struct attempt *ret, struct err *e)
{
    struct rows *r;
    struct attempt a = {.number = number};
    bool there;
    enum rc rc = tx_query(tx, &r, e,
                          "SELECT status, last_seq, lease_at, stop FROM job_attempt"
                          " WHERE job_id = ? AND attempt = ?",
                          db_s(job_id), db_i(number));

    if (rc)
        return rc;
    there = rows_next(r);
    if (there) {
        a.status = name_index(attempt_status_names, rows_text(r, 0));
        a.last_seq = rows_int(r, 1);
        a.lease_at = rows_int(r, 2);
        a.stop = rows_int(r, 3) != 0;
    }
    rc = rows_done(r, e);
    if (rc)
        return rc;
    if (!there)
        return err_set(e, RC_NOT_FOUND, "the job has no attempt %lld", (long long)number);
    *ret = a;
    return RC_OK;
}

enum rc attempt_insert(struct tx *tx, str job_id, int64_t number, const char *token_hash,
                       str trainer, str url, int64_t lease_at, int64_t now, struct err *e)
{
    return tx_exec(tx, e,
                   "INSERT INTO job_attempt (job_id, attempt, token_hash, trainer, url, status,"
                   " lease_at, created_at) VALUES (?,?,?,?,?,'starting',?,?)",
                   db_s(job_id), db_i(number), db_c(token_hash), db_s(trainer), db_s(url),
                   db_i(lease_at), db_i(now));
}

enum rc attempt_delete(struct tx *tx, str job_id, int64_t number, struct err *e)
{
    return tx_exec(tx, e, "DELETE FROM job_attempt WHERE job_id = ? AND attempt = ?", db_s(job_id),
                   db_i(number));
}

enum rc attempt_set(struct tx *tx, str job_id, int64_t number, enum attempt_status s, bool stop,
                    const char *reason, int64_t now, struct err *e)
{
    if (s == ATTEMPT_RUNNING)
        return tx_exec(tx, e,
                       "UPDATE job_attempt SET status = 'running', started_at = ?"
                       " WHERE job_id = ? AND attempt = ?",
                       db_i(now), db_s(job_id), db_i(number));
    return tx_exec(tx, e,
                   "UPDATE job_attempt SET status = ?, stop = ?, reason = ?, ended_at = ?"
                   " WHERE job_id = ? AND attempt = ?",
                   db_c(attempt_status_names[s]), db_i(stop), db_s(str_of(reason)), db_i(now),
                   db_s(job_id), db_i(number));
}

enum rc attempt_progress(struct tx *tx, str job_id, int64_t number, int64_t last_seq,
                         int64_t lease_at, struct err *e)
{
    return tx_exec(tx, e,
                   "UPDATE job_attempt SET last_seq = max(last_seq, ?), lease_at = ?"
                   " WHERE job_id = ? AND attempt = ?",
                   db_i(last_seq), db_i(lease_at), db_s(job_id), db_i(number));
}

enum rc attempt_stopped(struct tx *tx, str job_id, int64_t number, struct err *e)
{
    return tx_exec(tx, e, "UPDATE job_attempt SET stop = 0 WHERE job_id = ? AND attempt = ?",
                   db_s(job_id), db_i(number));
}

enum rc attempt_by_token(struct tx *tx, struct arena *a, const char *token_hash, str *ret_job,
                         int64_t *ret_number, struct err *e)
{
    struct rows *r;
    str job = STR_NONE;
    int64_t number = 0;
    bool there;
    enum rc rc = tx_query(tx, &r, e, "SELECT job_id, attempt FROM job_attempt WHERE token_hash = ?",
                          db_c(token_hash));

    if (rc)
        return rc;
    there = rows_next(r);
    if (there) {
        job = rows_copy(r, a, 0);
        number = rows_int(r, 1);
    }
    rc = rows_done(r, e);
    if (rc)
        return rc;
    if (!there)
        return err_set(e, RC_UNAUTHENTICATED, "this is not the token of any job's attempt");
    if (!job.p)
        return err_set(e, RC_NOMEM, "out of memory");
    *ret_job = job;
    *ret_number = number;
    return RC_OK;
}

/* ---- the feed */

enum rc event_insert(struct tx *tx, str job_id, int64_t seq, const char *kind, int64_t epoch,
                     str data, int64_t now, struct err *e)
{
    return tx_exec(
        tx, e, "INSERT INTO job_event (job_id, seq, kind, epoch, data, at) VALUES (?,?,?,?,?,?)",
        db_s(job_id), db_i(seq), db_c(kind), db_i(epoch), db_s(data), db_i(now));
}

enum rc event_drop_progress(struct tx *tx, str job_id, int64_t epoch, struct err *e)
{
    return tx_exec(tx, e,
                   "DELETE FROM job_event WHERE job_id = ? AND epoch <= ? AND kind = 'progress'",
                   db_s(job_id), db_i(epoch));
}

enum rc log_insert(struct tx *tx, str job_id, int64_t seq, const struct log_line *l,
                   int64_t attempt, struct err *e)
{
    return tx_exec(tx, e,
                   "INSERT INTO job_log (job_id, seq, at, level, epoch, attempt, message)"
                   " VALUES (?,?,?,?,?,?,?)",
                   db_s(job_id), db_i(seq), db_i(l->time), db_i(l->level), db_i(l->epoch),
                   db_i(attempt), db_s(l->message));
}

enum rc log_cap(struct tx *tx, str job_id, int64_t lines_max, struct err *e)
{
    return tx_exec(tx, e,
                   "DELETE FROM job_log WHERE job_id = ?1 AND seq <= (SELECT seq FROM job_log"
                   " WHERE job_id = ?1 ORDER BY seq DESC LIMIT 1 OFFSET ?2)",
                   db_s(job_id), db_i(lines_max));
}

/* ---- what reports bring */

/* Rows whose number is a multiple of a power of two are kept: as soon as more than `keep` fit,
 * every other one goes. */
enum rc series_put(struct tx *tx, str job_id, const struct series_row *s, int64_t keep,
                   struct err *e)
{
    int64_t stride = 1;
    enum rc rc;

    while (s->n / stride > keep)
        stride *= 2;
    if (s->n % stride)
        return RC_OK;
    rc = tx_exec(tx, e,
                 "INSERT INTO job_series (job_id, n, epoch, step, at, epochs, metric)"
                 " VALUES (?,?,?,?,?,?,?)",
                 db_s(job_id), db_i(s->n), db_i(s->epoch), db_i(s->step), db_i(s->at),
                 db_f(s->epochs), db_s(s->metrics));
    if (rc || stride == 1 || s->n / stride != keep / 2 + 1)
        return rc;
    return tx_exec(tx, e, "DELETE FROM job_series WHERE job_id = ? AND n % ? <> 0", db_s(job_id),
                   db_i(stride));
}

enum rc series_drop_after(struct tx *tx, str job_id, int64_t epoch, struct err *e)
{
    return tx_exec(tx, e, "DELETE FROM job_series WHERE job_id = ? AND epoch > ?", db_s(job_id),
                   db_i(epoch));
}

enum rc artifact_put(struct tx *tx, str job_id, const char *name, const struct artifact *f,
                     int64_t now, struct err *e)
{
    return tx_exec(tx, e,
                   "INSERT INTO job_artifact (job_id, name, key, sha256, bytes, type, info,"
                   " at)"
                   " VALUES (?,?,?,?,?,?,?,?) ON CONFLICT (job_id, name) DO UPDATE"
                   " SET key = excluded.key, sha256 = excluded.sha256, bytes = excluded.bytes,"
                   " type = excluded.type, info = excluded.info, at = excluded.at",
                   db_s(job_id), db_c(name), db_s(f->key), db_s(f->sha256), db_i(f->bytes),
                   db_s(f->type), db_s(f->info.n ? f->info : STR("{}")), db_i(now));
}

enum rc checkpoint_to_keep(struct tx *tx, struct arena *a, str job_id, str *ret_sha256,
                           struct err *e)
{
    struct rows *r;
    str sha256 = STR("");
    bool there;
    enum rc rc = tx_query(tx, &r, e,
                          "SELECT weights_sha256 FROM checkpoint WHERE job_id = ?"
                          " ORDER BY is_best DESC, epoch DESC LIMIT 1",
                          db_s(job_id));

    if (rc)
        return rc;
    there = rows_next(r);
    if (there)
        sha256 = rows_copy(r, a, 0);
    rc = rows_done(r, e);
    if (!rc && !sha256.p)
        rc = err_set(e, RC_NOMEM, "out of memory");
    if (!rc)
        *ret_sha256 = sha256;
    return rc;
}

enum rc metric_put(struct tx *tx, str job_id, str name, int64_t epoch, int64_t step, double value,
                   int64_t now, struct err *e)
{
    return tx_exec(tx, e,
                   "INSERT INTO metric (job_id, name, epoch, step, value, at) VALUES (?,?,?,?,?,?)"
                   " ON CONFLICT (job_id, name, epoch) DO UPDATE"
                   " SET step = excluded.step, value = excluded.value, at = excluded.at",
                   db_s(job_id), db_s(name), db_i(epoch), db_i(step),
                   isfinite(value) ? db_f(value) : db_null(), db_i(now));
}

enum rc checkpoint_put(struct tx *tx, str job_id, int64_t attempt, const struct checkpoint *c,
                       int64_t now, struct err *e)
{
    enum rc rc = RC_OK;

    if (c->is_best)
        rc = tx_exec(tx, e, "UPDATE checkpoint SET is_best = 0 WHERE job_id = ? AND epoch <> ?",
                     db_s(job_id), db_i(c->epoch));
    if (!rc && c->is_last)
        rc = tx_exec(tx, e, "UPDATE checkpoint SET is_last = 0 WHERE job_id = ? AND epoch <> ?",
                     db_s(job_id), db_i(c->epoch));
    if (!rc)
        rc = tx_exec(tx, e,
                     "UPDATE checkpoint SET superseded_at = ? WHERE job_id = ? AND epoch <> ?"
                     " AND is_best + is_last + is_periodic = 0 AND superseded_at IS NULL",
                     db_i(now), db_s(job_id), db_i(c->epoch));
    if (rc)
        return rc;
    return tx_exec(
        tx, e,
        "INSERT INTO checkpoint (job_id, epoch, attempt, is_best, is_last, is_periodic, metric,"
        " value, weights_key, weights_sha256, weights_bytes, state_key, state_sha256, state_bytes,"
        " manifest_key, at) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
        " ON CONFLICT (job_id, epoch) DO UPDATE SET attempt = excluded.attempt,"
        " is_best = excluded.is_best, is_last = excluded.is_last,"
        " is_periodic = excluded.is_periodic, metric = excluded.metric, value = excluded.value,"
        " weights_key = excluded.weights_key, weights_sha256 = excluded.weights_sha256,"
        " weights_bytes = excluded.weights_bytes, state_key = excluded.state_key,"
        " state_sha256 = excluded.state_sha256, state_bytes = excluded.state_bytes,"
        " manifest_key = excluded.manifest_key, at = excluded.at, superseded_at = NULL",
        db_s(job_id), db_i(c->epoch), db_i(attempt), db_i(c->is_best), db_i(c->is_last),
        db_i(c->is_periodic), db_s(c->metric), isfinite(c->value) ? db_f(c->value) : db_null(),
        db_s(c->weights_key), db_s(c->weights_sha256), db_i(c->weights_bytes), db_s(c->state_key),
        db_s(c->state_sha256), db_i(c->state_bytes), db_s(c->manifest_key), db_i(now));
}

enum rc checkpoint_last_epoch(struct tx *tx, str job_id, int64_t *ret, struct err *e)
{
    return tx_int(tx, 0, ret, e, "SELECT max(epoch) FROM checkpoint WHERE job_id = ?",
                  db_s(job_id));
}

enum rc validation_put(struct tx *tx, str job_id, const struct validation *v, int64_t now,
                       struct err *e)
{
    return tx_exec(tx, e,
                   "INSERT INTO validation (job_id, epoch, split, key, sha256, bytes, at)"
                   " VALUES (?,?,?,?,?,?,?) ON CONFLICT (job_id, epoch) DO UPDATE"
                   " SET split = excluded.split, key = excluded.key, sha256 = excluded.sha256,"
                   " bytes = excluded.bytes, at = excluded.at",
                   db_s(job_id), db_i(v->epoch), db_s(v->split), db_s(v->key), db_s(v->sha256),
                   db_i(v->bytes), db_i(now));
}
