/* job_course_sql.c - the course of a run, what it left besides checkpoints, and its pace. */
#include "flow/job/job_int.h"
#include "flow/job/job_read.h"

/* ---- the course of a run, and what it left */

enum rc job_series(struct jobs *js, str job_id, int64_t after,
                   enum rc (*each)(const struct series_point *p, void *ud), void *ud, struct err *e)
{
    struct tx *tx;
    struct rows *r;
    enum rc bad = RC_OK, rc = db_begin(js->s.db, DB_READ, &tx, e);

    if (rc)
        return rc;
    rc = tx_query(tx, &r, e,
                  "SELECT n, epoch, step, at, epochs, metric FROM job_series WHERE job_id = ?"
                  " AND n > ? ORDER BY n",
                  db_s(job_id), db_i(after));
    if (!rc) {
        while (!bad && rows_next(r)) {
            struct series_point p = {rows_int(r, 0), rows_int(r, 1), rows_int(r, 2),
                                     rows_int(r, 3), rows_num(r, 4), rows_text(r, 5)};

            bad = each(&p, ud);
        }
        rc = rows_done(r, e);
    }
    tx_rollback(tx);
    return bad ? bad : rc;
}

enum rc job_artifact(struct jobs *js, struct arena *a, str job_id, const char *name,
                     struct artifact *ret, struct err *e)
{
    struct artifact f = {0};
    struct tx *tx;
    struct rows *r;
    bool there = false;
    enum rc rc = db_begin(js->s.db, DB_READ, &tx, e);

    if (rc)
        return rc;
    rc = tx_query(
        tx, &r, e,
        "SELECT key, sha256, type, bytes, info FROM job_artifact WHERE job_id = ? AND name = ?",
        db_s(job_id), db_c(name));
    if (!rc) {
        there = rows_next(r);
        if (there)
            f = (struct artifact){.key = rows_copy(r, a, 0),
                                  .sha256 = rows_copy(r, a, 1),
                                  .type = rows_copy(r, a, 2),
                                  .bytes = rows_int(r, 3),
                                  .info = rows_copy(r, a, 4)};
        rc = rows_done(r, e);
    }
    tx_rollback(tx);
    if (rc)
        return rc;
    if (!there)
        return err_set(e, RC_NOT_FOUND, "the job has no %s", name);
    if (!f.key.p || !f.sha256.p || !f.type.p || !f.info.p)
        return err_set(e, RC_NOMEM, "out of memory");
    *ret = f;
    return RC_OK;
}

/* Epochs that were interrupted (another attempt, a pause) would count the pause as work: only those
 * between the first and the last of one attempt's reports, which is what a job without a second
 * attempt has. */
enum rc job_paces(struct jobs *js, struct arena *a, str framework, str model, size_t max,
                  struct job_pace **ret, size_t *ret_n, struct err *e)
{
    struct job_pace *list = ARENA_ARRAY(a, struct job_pace, max);
    struct tx *tx;
    struct rows *r;
    size_t n = 0;
    bool ok = true;
    enum rc rc = list ? db_begin(js->s.db, DB_READ, &tx, e) : err_set(e, RC_NOMEM, "out of memory");

    if (rc)
        return rc;
    rc = tx_query(tx, &r, e,
                  "SELECT j.dataset_id, j.dataset_version, j.config, max(m.epoch) - min(m.epoch),"
                  " max(m.at) - min(m.at) FROM (SELECT * FROM job WHERE kind = 'train'"
                  "  AND framework = ?1 AND model = ?2 AND attempt = 1"
                  "  ORDER BY created_at DESC, id DESC LIMIT ?3) j"
                  " JOIN metric m ON m.job_id = j.id AND m.name = 'train/loss'"
                  " GROUP BY j.id HAVING max(m.epoch) > min(m.epoch) AND max(m.at) > min(m.at)"
                  " ORDER BY j.created_at DESC, j.id DESC LIMIT ?3",
                  db_s(framework), db_s(model), db_i((int64_t)max));
    if (!rc) {
        for (; ok && n < max && rows_next(r); n++) {
            list[n] = (struct job_pace){.dataset_id = rows_copy(r, a, 0),
                                        .dataset_version = rows_copy(r, a, 1),
                                        .config = rows_copy(r, a, 2),
                                        .epochs = rows_int(r, 3),
                                        .ms = rows_int(r, 4)};
            ok = list[n].dataset_id.p && list[n].dataset_version.p && list[n].config.p;
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
