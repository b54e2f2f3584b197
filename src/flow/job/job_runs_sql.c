/* job_runs_sql.c - many runs side by side: the lines of the comparison.
 *
 * One statement and one pass, because ten thousand runs are looked at together; a metric costs one
 * look-up in its primary key for each run. */
#include "flow/job/job_int.h"
#include "flow/job/job_read.h"
#include "flow/job/job_sql.h"
#include <math.h>

#define METRIC(k)                                                                                  \
    ", (SELECT value FROM metric WHERE job_id = j.id AND name = ?" #k                              \
    " AND epoch = coalesce(j.best_epoch, j.epoch) AND ?" #k " <> '')"

static const char text[] =
    "SELECT j.id, j.name, j.status, j.kind, j.model, j.dataset_name, j.dataset_version,"
    " coalesce(nullif(u.name, ''), u.email, ''), j.tags, j.notes, j.config, j.best_metric,"
    " j.starred, j.epoch, j.epochs, coalesce(j.best_epoch, 0), j.created_at,"
    " coalesce(j.started_at, 0), coalesce(j.ended_at, 0), j.wish, j.best_value" METRIC(10)
        METRIC(11) METRIC(12) METRIC(13) METRIC(14) METRIC(15) METRIC(16) METRIC(17) METRIC(18)
            METRIC(19) METRIC(20) METRIC(21) METRIC(22) METRIC(23) METRIC(24) METRIC(25) JOB_FROM
                JOB_WHERE
    " ORDER BY j.created_at DESC, j.id DESC LIMIT ?9";

static double number(struct rows *r, int col)
{
    return rows_is_null(r, col) ? NAN : rows_num(r, col);
}

static struct run_line line_of(struct rows *r, size_t metrics)
{
    struct run_line l = {
        .job = rows_text(r, 0),
        .name = rows_text(r, 1),
        .status = rows_text(r, 2),
        .kind = rows_text(r, 3),
        .model = rows_text(r, 4),
        .dataset_name = rows_text(r, 5),
        .dataset_version = rows_text(r, 6),
        .created_by = rows_text(r, 7),
        .tags = rows_text(r, 8),
        .notes = rows_text(r, 9),
        .config = rows_text(r, 10),
        .best_metric = rows_text(r, 11),
        .starred = rows_int(r, 12) != 0,
        .epoch = rows_int(r, 13),
        .epochs = rows_int(r, 14),
        .best_epoch = rows_int(r, 15),
        .created_at = rows_int(r, 16),
        .started_at = rows_int(r, 17),
        .ended_at = rows_int(r, 18),
        .paused = str_is(rows_text(r, 2), "queued") && str_is(rows_text(r, 19), "pause"),
        .best_value = number(r, 20),
    };

    for (size_t i = 0; i < metrics; i++)
        l.metric[i] = number(r, 21 + (int)i);
    return l;
}

enum rc job_runs(struct jobs *js, const struct job_query *q, const str *metrics, size_t n,
                 enum rc (*each)(const struct run_line *l, void *ud), void *ud, struct err *e)
{
    struct db_val v[9 + RUN_METRICS_MAX];
    struct arena a;
    struct tx *tx = NULL;
    struct rows *r = NULL;
    str pattern;
    enum rc rc, bad = RC_OK;

    ASSERT(n <= RUN_METRICS_MAX);
    arena_init(&a, 64 << 10);
    pattern = db_like(&a, q->q);
    rc = pattern.p ? db_begin(js->s.db, DB_READ, &tx, e) : err_set(e, RC_NOMEM, "out of memory");
    if (!rc) {
        const struct db_val fixed[9] = {db_s(q->user_id), db_s(q->status),    db_s(q->dataset),
                                        db_s(q->model),   db_s(q->framework), db_s(q->project),
                                        db_i(q->starred), db_s(pattern),      db_i(q->limit)};
        memcpy(v, fixed, sizeof fixed);
        for (size_t i = 0; i < RUN_METRICS_MAX; i++)
            v[9 + i] = db_s(i < n ? metrics[i] : STR(""));
        rc = tx_query_(tx, &r, e, text, v, sizeof v / sizeof v[0]);
    }
    while (!rc && !bad && rows_next(r)) {
        const struct run_line l = line_of(r, n);
        bad = each(&l, ud);
    }
    if (!rc)
        rc = rows_done(r, bad ? NULL : e);
    tx_rollback(tx);
    arena_done(&a);
    return bad ? bad : rc;
}
