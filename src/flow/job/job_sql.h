/* job_sql.h - private to flow/job: rows of job, job_attempt, job_event and job_log. */
#ifndef ANNEAL_FLOW_JOB_JOB_SQL_H
#define ANNEAL_FLOW_JOB_JOB_SQL_H

#include "flow/job/job.h"

/* The columns of struct job in order, for SELECT ... FROM job j LEFT JOIN "user" u. */
#define JOB_COLUMNS                                                                                \
    "j.id, j.kind, j.name, j.project_id, j.created_by, u.name, j.framework, j.model,"              \
    " j.dataset_id, j.dataset_name, j.dataset_version, j.split, j.config, j.goal,"                 \
    " j.base_job_id, j.base_checkpoint, j.status, j.attempt, j.failures, j.attempts_max,"          \
    " j.not_before, j.waiting_reason, j.priority, j.position, j.progress, j.epoch, j.epochs,"      \
    " j.step, j.steps, j.message, j.error_code, j.error, j.best_epoch, j.best_metric,"             \
    " j.best_value, j.weights_sha256, j.engine, j.tags, j.notes, j.starred, j.event_seq,"          \
    " j.wish, j.samples, j.created_at, j.queued_at, j.started_at, j.ended_at, j.updated_at"
#define JOB_FROM " FROM job j LEFT JOIN \"user\" u ON u.id = j.created_by "
/* ?1..?8: user (of whom the projects are seen; '' sees all), status, dataset, model, framework,
 * project, starred, LIKE pattern. */
#define JOB_WHERE                                                                                  \
    "WHERE (?1 = '' OR j.project_id IS NULL OR j.project_id IN"                                    \
    " (SELECT project_id FROM project_member WHERE user_id = ?1))"                                 \
    " AND (?2 = '' OR ',' || ?2 || ',' LIKE '%,' || j.status || ',%')"                             \
    " AND (?3 = '' OR ?3 IN (j.dataset_id, j.dataset_name, j.dataset_version))"                    \
    " AND (?4 = '' OR j.model = ?4) AND (?5 = '' OR j.framework = ?5)"                             \
    " AND (?6 = '' OR coalesce(j.project_id, 'default') = ?6) AND (?7 = 0 OR j.starred = 1)"       \
    " AND (?8 = '' OR j.name LIKE ?8 ESCAPE '\\' OR j.notes LIKE ?8 ESCAPE '\\'"                   \
    "  OR j.tags LIKE ?8 ESCAPE '\\' OR j.model LIKE ?8 ESCAPE '\\'"                               \
    "  OR j.dataset_name LIKE ?8 ESCAPE '\\' OR j.id LIKE ?8 ESCAPE '\\')"
enum rc job_row(struct rows *r, struct arena *a, struct job *ret, struct err *e) must_check;

enum rc job_load(struct tx *tx, struct arena *a, str id, struct job *ret, struct err *e) must_check;
enum rc job_insert(struct tx *tx, const struct job *j, struct err *e) must_check;
/* Writes what may change.  The state it had is checked: was. */
enum rc job_save(struct tx *tx, const struct job *j, int was, struct err *e) must_check;
enum rc job_last_position(struct tx *tx, int64_t *ret, struct err *e) must_check;
/* Position of the queued or pending job that stands directly before this place, or `none`. */
enum rc job_position_before(struct tx *tx, int64_t priority, int64_t position, int64_t none,
                            int64_t *ret, struct err *e) must_check;
/* Spreads the positions of all waiting jobs again, `gap` apart. */
enum rc job_spread_positions(struct tx *tx, int64_t gap, struct err *e) must_check;

/* ---- attempts */
enum attempt_status {
    ATTEMPT_STARTING,
    ATTEMPT_RUNNING,
    ATTEMPT_COMPLETED,
    ATTEMPT_FAILED,
    ATTEMPT_CANCELLED,
    ATTEMPT_LOST
};
extern const char *const attempt_status_names[];
struct attempt {
    int64_t number;
    int status;
    int64_t last_seq, lease_at;
    bool stop;
};
/* RC_NOT_FOUND. */
enum rc attempt_load(struct tx *tx, str job_id, int64_t number, struct attempt *ret,
                     struct err *e) must_check;
enum rc attempt_insert(struct tx *tx, str job_id, int64_t number, const char *token_hash,
                       str trainer, str url, int64_t lease_at, int64_t now,
                       struct err *e) must_check;
enum rc attempt_delete(struct tx *tx, str job_id, int64_t number, struct err *e) must_check;
enum rc attempt_set(struct tx *tx, str job_id, int64_t number, enum attempt_status s, bool stop,
                    const char *reason, int64_t now, struct err *e) must_check;
enum rc attempt_progress(struct tx *tx, str job_id, int64_t number, int64_t last_seq,
                         int64_t lease_at, struct err *e) must_check;
enum rc attempt_stopped(struct tx *tx, str job_id, int64_t number, struct err *e) must_check;
enum rc attempt_by_token(struct tx *tx, struct arena *a, const char *token_hash, str *ret_job,
                         int64_t *ret_number, struct err *e) must_check;

/* ---- the feed */
enum rc event_insert(struct tx *tx, str job_id, int64_t seq, const char *kind, int64_t epoch,
                     str data, int64_t now, struct err *e) must_check;
/* Progress events up to this epoch. */
enum rc event_drop_progress(struct tx *tx, str job_id, int64_t epoch, struct err *e) must_check;
enum rc log_insert(struct tx *tx, str job_id, int64_t seq, const struct log_line *l,
                   int64_t attempt, struct err *e) must_check;
enum rc log_cap(struct tx *tx, str job_id, int64_t lines_max, struct err *e) must_check;

/* ---- what reports bring */
/* One row of the course; `keep` of them at most are left, evenly thinned. */
struct series_row {
    int64_t n, epoch, step, at;
    double epochs;
    str metrics; /* JSON object */
};
enum rc series_put(struct tx *tx, str job_id, const struct series_row *s, int64_t keep,
                   struct err *e) must_check;
/* What was reported of epochs after this one: they are run again. */
enum rc series_drop_after(struct tx *tx, str job_id, int64_t epoch, struct err *e) must_check;
enum rc artifact_put(struct tx *tx, str job_id, const char *name, const struct artifact *f,
                     int64_t now, struct err *e) must_check;
/* SHA-256 of the weights to keep of a job that ends now: of the best checkpoint, or the last.  ""
 * in *ret: there is none. */
enum rc checkpoint_to_keep(struct tx *tx, struct arena *a, str job_id, str *ret_sha256,
                           struct err *e) must_check;
enum rc metric_put(struct tx *tx, str job_id, str name, int64_t epoch, int64_t step, double value,
                   int64_t now, struct err *e) must_check;
enum rc checkpoint_put(struct tx *tx, str job_id, int64_t attempt, const struct checkpoint *c,
                       int64_t now, struct err *e) must_check;
/* The newest epoch of the job's checkpoints; 0: none. */
enum rc checkpoint_last_epoch(struct tx *tx, str job_id, int64_t *ret, struct err *e) must_check;
enum rc validation_put(struct tx *tx, str job_id, const struct validation *v, int64_t now,
                       struct err *e) must_check;

#endif
