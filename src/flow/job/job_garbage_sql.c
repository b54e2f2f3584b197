/* job_garbage_sql.c - checkpoints that nobody needs any more.
 *
 * A run of a hundred epochs would else leave a hundred "last" ones.  The objects go first, then the
 * row: a crash between the two repeats the deletion, which does no harm.
 */
#include "flow/job/job_int.h"
#include "flow/job/job_read.h"

/* The key, or "" if it is also that of another checkpoint of the job. */
#define ALONE(column)                                                                              \
    "CASE WHEN EXISTS (SELECT 1 FROM checkpoint o WHERE o.job_id = c.job_id"                       \
    " AND o.epoch <> c.epoch AND c." column                                                        \
    " IN (o.weights_key, o.state_key, o.manifest_key)) THEN '' ELSE c." column " END"

enum rc jobs_garbage(struct jobs *js, struct arena *a, int64_t until, size_t max,
                     struct job_garbage **ret, size_t *ret_n, struct err *e)
{
    struct job_garbage *list = ARENA_ARRAY(a, struct job_garbage, max);
    struct tx *tx;
    struct rows *r;
    size_t n = 0;
    bool ok = true;
    enum rc rc = list ? db_begin(js->s.db, DB_READ, &tx, e) : err_set(e, RC_NOMEM, "out of memory");

    if (rc)
        return rc;
    rc = tx_query(
        tx, &r, e,
        "SELECT c.job_id, c.epoch, " ALONE("weights_key") ", " ALONE("state_key") ", " ALONE(
            "manifest_key") " FROM checkpoint c WHERE c.superseded_at < ?"
                            " AND NOT EXISTS (SELECT 1 FROM job b WHERE b.base_job_id = c.job_id"
                            " AND b.status IN ('pending', 'queued', 'running')) LIMIT ?",
        db_i(until), db_i((int64_t)max));
    if (!rc) {
        for (; ok && n < max && rows_next(r); n++) {
            list[n].job_id = rows_copy(r, a, 0);
            list[n].epoch = rows_int(r, 1);
            ok = list[n].job_id.p != NULL;
            for (int i = 0; i < 3; i++) {
                list[n].keys[i] = rows_copy(r, a, 2 + i);
                ok &= list[n].keys[i].p != NULL;
            }
        }
        rc = rows_done(r, e);
    }
    tx_rollback(tx);
    if (!rc && !ok)
        rc = err_set(e, RC_NOMEM, "out of memory");
    if (rc)
        return rc;
    *ret = list;
    *ret_n = n;
    return RC_OK;
}

enum rc job_checkpoint_forget(struct jobs *js, const struct job_garbage *g, struct err *e)
{
    return db_exec(js->s.db, e,
                   "DELETE FROM checkpoint WHERE job_id = ? AND epoch = ?"
                   " AND superseded_at IS NOT NULL",
                   db_s(g->job_id), db_i(g->epoch));
}
