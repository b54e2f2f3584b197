/* job_due_sql.c - what the scheduler has to look at: queued, active and stopping attempts. */
#include "flow/job/job.h"
#include "flow/job/job_int.h"

enum { DUE_MAX = 10000 }; /* rows of one look; the rest comes with the next */

static enum rc read_due(struct rows *r, struct arena *a, size_t max, struct job_due **ret,
                        size_t *ret_n, struct err *e)
{
    struct job_due *list = NULL;
    size_t n = 0, cap = 0;
    bool no_memory = false;
    enum rc rc;

    while (!no_memory && n < max && rows_next(r)) {
        struct job_due d = {
            .job_id = rows_copy(r, a, 0),
            .framework = rows_copy(r, a, 1),
            .trainer = rows_copy(r, a, 2),
            .user_id = rows_copy(r, a, 3),
            .attempt = rows_int(r, 4),
            .lease_at = rows_int(r, 5),
            .last_seq = rows_int(r, 6),
            .starting = rows_int(r, 7) != 0,
            .waiting = rows_copy(r, a, 8),
            .user_jobs_max = rows_int(r, 9),
        };

        if (n == cap) { /* the old array stays in the arena: at most as much again */
            struct job_due *more = ARENA_ARRAY(a, struct job_due, cap ? 2 * cap : 16);

            if (more && n)
                memcpy(more, list, n * sizeof *list);
            cap = cap ? 2 * cap : 16;
            list = more;
        }
        no_memory =
            !list || !d.job_id.p || !d.framework.p || !d.trainer.p || !d.user_id.p || !d.waiting.p;
        if (!no_memory)
            list[n++] = d;
    }
    rc = rows_done(r, e);
    if (!rc && no_memory)
        rc = err_set(e, RC_NOMEM, "out of memory reading the queue");
    if (rc)
        return rc;
    *ret = list;
    *ret_n = n;
    return RC_OK;
}

enum rc jobs_queued(struct jobs *js, struct arena *a, int64_t now, size_t max, struct job_due **ret,
                    size_t *ret_n, struct err *e)
{
    struct tx *tx;
    struct rows *r;
    enum rc rc = db_begin(js->s.db, DB_READ, &tx, e);

    if (rc)
        return rc;
    rc = tx_query(
        tx, &r, e,
        "SELECT j.id, j.framework, '', j.created_by, j.attempt, 0, 0, 0,"
        " j.waiting_reason,"
        " coalesce((SELECT jobs_max FROM quota WHERE user_id = j.created_by), -1) FROM job j"
        " WHERE j.status = 'queued' AND j.wish <> 'pause' AND j.not_before <= ? AND NOT EXISTS"
        " (SELECT 1 FROM job_attempt t WHERE t.job_id = j.id AND t.attempt = j.attempt"
        "  AND t.status = 'starting')"
        " ORDER BY j.priority DESC, j.position, j.id LIMIT ?",
        db_i(now), db_i((int64_t)max));
    if (!rc)
        rc = read_due(r, a, max, ret, ret_n, e);
    tx_rollback(tx);
    return rc;
}

enum rc jobs_active(struct jobs *js, struct arena *a, struct job_due **ret, size_t *ret_n,
                    struct err *e)
{
    struct tx *tx;
    struct rows *r;
    enum rc rc = db_begin(js->s.db, DB_READ, &tx, e);

    if (rc)
        return rc;
    rc = tx_query(
        tx, &r, e,
        "SELECT j.id, j.framework, t.trainer, j.created_by, t.attempt, t.lease_at,"
        " t.last_seq, t.status = 'starting', '', -1 FROM job j JOIN job_attempt t"
        " ON t.job_id = j.id AND t.attempt = j.attempt"
        " WHERE j.status IN ('queued', 'running') AND t.status IN ('starting', 'running')");
    if (!rc)
        rc = read_due(r, a, DUE_MAX, ret, ret_n, e);
    tx_rollback(tx);
    return rc;
}

enum rc jobs_stopping(struct jobs *js, struct arena *a, struct job_due **ret, size_t *ret_n,
                      struct err *e)
{
    struct tx *tx;
    struct rows *r;
    enum rc rc = db_begin(js->s.db, DB_READ, &tx, e);

    if (rc)
        return rc;
    rc = tx_query(tx, &r, e,
                  "SELECT j.id, j.framework, t.trainer, j.created_by, t.attempt, t.lease_at,"
                  " t.last_seq, 0, '', -1 FROM job_attempt t JOIN job j ON j.id = t.job_id"
                  " WHERE t.stop = 1");
    if (!rc)
        rc = read_due(r, a, DUE_MAX, ret, ret_n, e);
    tx_rollback(tx);
    return rc;
}

enum rc jobs_count(struct jobs *js, int status, int64_t *ret, struct err *e)
{
    return db_int(js->s.db, 0, ret, e, "SELECT count(*) FROM job WHERE status = ?",
                  db_c(job_status_names[status]));
}
