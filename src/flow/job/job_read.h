/* job_read.h - what may be read of jobs: lists, metrics, logs, checkpoints, attempts, validations,
 * and the live feed.  Nothing here changes anything.  Any thread; text lives in the arena given. */
#ifndef ANNEAL_FLOW_JOB_JOB_READ_H
#define ANNEAL_FLOW_JOB_JOB_READ_H

#include "flow/job/job.h"

enum job_sort { JOB_BY_CREATED, JOB_BY_NAME, JOB_BY_STATUS, JOB_BY_SCORE, JOB_BY_QUEUE };
extern const char *const job_sort_names[]; /* "created", "name", "status", "score", "queue" */
struct job_query {
    str user_id; /* "": every project; else the default project and those he is a member of */
    str status;  /* one or more, separated by commas; "" any; so in what follows */
    str dataset; /* id, name or version */
    str model, framework;
    str project;  /* id; "default": the default project */
    str q;        /* part of name, notes, tags, model, dataset's name or id */
    bool starred; /* only those */
    int sort;
    bool desc;
    str after_key, after_id; /* the last row seen (job_sort_key); id "": from the start */
    int64_t limit;
};
enum rc job_list(struct jobs *js, struct arena *a, const struct job_query *q, struct job **ret,
                 size_t *ret_n, struct err *e) must_check;
/* The row's place in that order; NULL: out of memory. */
const char *job_sort_key(struct arena *a, const struct job *j, int sort);
/* One line of the table that compares runs.  Text is lent until `each` returns. */
enum { RUN_METRICS_MAX = 16, RUNS_MAX = 20000 };
struct run_line {
    str job, name, status, kind, model, dataset_name, dataset_version, created_by, tags, notes;
    str config; /* JSON of all settings */
    str best_metric;
    bool starred, paused; /* paused: queued, but passed over (job_is_paused) */
    int64_t epoch, epochs, best_epoch, created_at, started_at, ended_at; /* times 0: not yet */
    double best_value;                                                   /* NaN: none */
    double metric[RUN_METRICS_MAX]; /* of the best epoch, or of the last so far; NaN: none */
};
/* Newest first, at most q->limit of them: q's order and its last row seen are not looked at.
 * `metrics` holds n names (n <= RUN_METRICS_MAX). */
enum rc job_runs(struct jobs *js, const struct job_query *q, const str *metrics, size_t n,
                 enum rc (*each)(const struct run_line *l, void *ud), void *ud,
                 struct err *e) must_check;
/* Place in the queue from 1, of a queued job; 0 of another, and of a paused one. */
enum rc job_queue_place(struct jobs *js, const struct job *j, int64_t *ret,
                        struct err *e) must_check;

struct metric_point {
    str name; /* lent */
    int64_t epoch, step, at;
    double value; /* NaN: the trainer had none */
};
/* In order of name and epoch; name "" all; since: epochs beyond it. */
enum rc job_metrics(struct jobs *js, str job_id, str name, int64_t since,
                    enum rc (*each)(const struct metric_point *p, void *ud), void *ud,
                    struct err *e) must_check;

struct job_log {
    int64_t seq, at, epoch, attempt;
    int level;
    str message; /* lent */
};
struct log_query {
    str job_id, q;
    int level_min;
    bool newest_first;
    int64_t after; /* seq of the last line seen; 0: from the start (or the end) */
    int64_t limit;
};
enum rc job_logs(struct jobs *js, const struct log_query *q,
                 enum rc (*each)(const struct job_log *l, void *ud), void *ud,
                 struct err *e) must_check;

struct job_checkpoint {
    struct checkpoint c;
    int64_t attempt, at;
};
enum rc job_checkpoints(struct jobs *js, struct arena *a, str job_id, struct job_checkpoint **ret,
                        size_t *ret_n, struct err *e) must_check;
/* which: "best", "last" or an epoch.  Best without a best is the last.  RC_NOT_FOUND says what
 * there is. */
enum rc job_checkpoint_find(struct jobs *js, struct arena *a, str job_id, str which,
                            struct job_checkpoint *ret, struct err *e) must_check;
/* Checkpoints that have been neither best, last nor periodic since before `until`, that no waiting
 * or running job starts from; at most max.  job_checkpoint_forget once their objects are gone. */
struct job_garbage {
    str job_id, keys[3]; /* "" where another checkpoint of the job has the same object */
    int64_t epoch;
};
enum rc jobs_garbage(struct jobs *js, struct arena *a, int64_t until, size_t max,
                     struct job_garbage **ret, size_t *ret_n, struct err *e) must_check;
enum rc job_checkpoint_forget(struct jobs *js, const struct job_garbage *g,
                              struct err *e) must_check;
/* Is this key that of a checkpoint of the job? */
enum rc job_owns_key(struct jobs *js, str job_id, str key, bool *ret, struct err *e) must_check;

struct job_attempt {
    int64_t attempt, last_seq, created_at, started_at, ended_at;
    str status, trainer, reason;
};
enum rc job_attempts(struct jobs *js, struct arena *a, str job_id, struct job_attempt **ret,
                     size_t *ret_n, struct err *e) must_check;

/* RC_NOT_FOUND; epoch < 0: the newest. */
enum rc job_validation(struct jobs *js, struct arena *a, str job_id, int64_t epoch,
                       struct validation *ret, struct err *e) must_check;
enum rc job_validation_epochs(struct jobs *js, struct arena *a, str job_id, struct validation **ret,
                              size_t *ret_n, struct err *e) must_check;

/* A run's course, in order of its steps: the metrics of its reports, a row each (job_sql.h). */
struct series_point {
    int64_t n, epoch, step, at;
    double epochs;
    str metrics; /* JSON; lent */
};
enum rc job_series(struct jobs *js, str job_id, int64_t after,
                   enum rc (*each)(const struct series_point *p, void *ud), void *ud,
                   struct err *e) must_check;
/* RC_NOT_FOUND. */
enum rc job_artifact(struct jobs *js, struct arena *a, str job_id, const char *name,
                     struct artifact *ret, struct err *e) must_check;

/* How long epochs took in the newest trainings of a model that have told of at least two, newest
 * first, at most max: what an estimate begins with. */
struct job_pace {
    str dataset_id, dataset_version, config;
    int64_t epochs; /* between the first and the last that are counted */
    int64_t ms;     /* that they took */
};
enum rc job_paces(struct jobs *js, struct arena *a, str framework, str model, size_t max,
                  struct job_pace **ret, size_t *ret_n, struct err *e) must_check;

/* The hub's pull for topics "job/<id>"; ud is the struct jobs. */
enum rc job_feed_pull(void *ud, str topic, int64_t after, unsigned max, struct hub_out *out,
                      bool *ret_ended, struct err *e);

#endif
