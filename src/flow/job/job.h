/* job.h - jobs: what is to be trained, what became of it, and the only code that changes its state.
 *
 *                        start                attempt accepted            report
 *              pending ─────────▶ queued ───────────────────────▶ running ──────▶ completed
 *                 │                 │ ▲ │                          │ │ │
 *                 │ cancel   cancel │ │ │ refused by the trainer   │ │ └────────▶ failed
 *                 ▼                 ▼ │ └──────────▶ failed        │ └──────────▶ cancelled
 *             cancelled     cancelled └────────────────────────────┘
 *                                       lost, or failed and retryable: the next attempt;
 *                                       or paused
 *
 * 1. Every arrow is drawn by job_move() (job.c), in one transaction with what caused it: the
 * report, the cancel, the lease.  The event that tells of it is written in the same transaction,
 * and the hub is poked after the commit.  A state that has ended never changes.
 * 2. A start order is an attempt; its number is the fencing token.  Numbers only rise.  A number is
 *    given again only if no trainer can have seen it (the connection was refused).
 * 3. A report is applied once, in order of seq, while its attempt is the current one; else it is
 *    refused and changes nothing (spec/contract.h).
 * 4. A running job's attempt has a lease that reports and polls renew.  Once it has run out the
 *    attempt is lost; after attempts_max lost or retryably failed attempts (but for a trainer that
 *    was stopped in good order) the job has failed.  A checkpoint of a new epoch starts that count
 *    again: a long run may outlive many restarts.
 * 5. The token of an attempt is stored as its SHA-256 only.
 * 6. One sequence numbers a job's events and log lines: the live feed.  Of progress events the
 * newest of an epoch is kept, and none of an epoch that is done; of log lines the newest
 * log_lines_max.
 * 7. One set of metrics: an epoch that is run again replaces what it reported before.
 * 8. What people ask of a job that has not ended is its wish; it changes no state by itself, it is
 *    stored with the job, and so outlives every process.
 *      pause   a running job goes back to queued with the next checkpoint, which is the end of an
 *              epoch; a queued one keeps its place and is passed over: that is "paused".  Nothing
 *              is lost, as the next attempt begins at that checkpoint, and gives the same bytes.
 *      finish  the job completes with the next checkpoint, with the best weights so far.  A queued
 *              job that has a checkpoint completes at once.
 *    Asked "now", neither waits for the epoch under way, which is then lost.
 *
 * Every function may be called by any thread.  `now` is Unix time in ms, passed in so that tests
 * own the clock.  Text that is returned lives in the arena given.
 */
#ifndef ANNEAL_FLOW_JOB_JOB_H
#define ANNEAL_FLOW_JOB_JOB_H

#include "db/db.h"
#include "net/http.h"
#include "spec/contract.h"
#include "spec/train.h"

struct event;

struct job {
    str id;
    int kind; /* enum work_kind */
    str name, project_id, created_by, created_by_name;
    str framework, model;
    str dataset_id, dataset_name, dataset_version, split;
    str config;                       /* JSON: struct train_spec */
    int goal;                         /* enum goal_kind */
    str base_job_id, base_checkpoint; /* JSON: struct checkpoint; "" none */
    int status;                       /* enum job_status */
    int64_t attempt, failures, attempts_max, not_before;
    str waiting_reason;
    int64_t priority, position;
    double progress;
    int64_t epoch, epochs, step, steps;
    str message, error_code, error;
    int64_t best_epoch; /* 0: none */
    str best_metric;
    double best_value;
    str weights_sha256;
    str engine; /* JSON: struct engine of the newest attempt; "" not told */
    str tags;   /* JSON array of text */
    str notes;
    bool starred;
    int64_t event_seq;
    int wish;        /* enum job_wish */
    int64_t samples; /* rows ever offered to its series */
    int64_t created_at, queued_at, started_at, ended_at, updated_at; /* 0: not yet */
};

struct jobs;
struct jobs_setup {
    struct db *db;
    struct hub *hub;       /* may be NULL */
    int64_t lease_ms;      /* 0: 30 s */
    int64_t retry_ms;      /* wait before the second attempt, doubled for each further; 0: 2 s */
    int64_t log_lines_max; /* of one job; 0: 10,000 */
    int64_t series_max;    /* rows kept of a job's course, a power of two; 0: 4096 */
    /* After the commit that ended a job; for counters. */
    void (*ended)(const struct job *j, void *ud);
    void *ud;
};
enum rc jobs_new(struct jobs **ret, const struct jobs_setup *s, struct err *e) must_check;
void jobs_free(struct jobs *js);
void jobs_set_hub(struct jobs *js, struct hub *hub); /* at start-up: the hub pulls from us */
/* Set when there is something new for the scheduler to do. */
struct event *jobs_wake(struct jobs *js);

/* ---- what people do */
enum { JOB_PRIORITY_MAX = 100, JOB_PRIORITY_DEFAULT = 50 };
struct job_new {
    int kind;
    str name, project_id, created_by, framework, model; /* name "": made from model and dataset */
    str dataset_id, dataset_name, dataset_version, split;
    str config;
    int goal;
    int64_t epochs;
    str base_job_id, base_checkpoint;
    int64_t attempts_max, priority;
    str tags, notes; /* tags: JSON array, "" none */
    bool start;      /* queue it at once */
};
enum rc job_create(struct jobs *js, struct arena *a, const struct job_new *n, int64_t now,
                   struct job *ret, struct err *e) must_check;
enum rc job_get(struct jobs *js, struct arena *a, str id, struct job *ret,
                struct err *e) must_check;
/* pending -> queued.  Queued and running already: fine.  Ended: RC_CONFLICT. */
enum rc job_start(struct jobs *js, struct arena *a, str id, int64_t now, struct job *ret,
                  struct err *e) must_check;
/* -> cancelled, at once; the trainer is told until it says that the worker is gone.  Cancelled
 * already: fine.  Completed or failed: RC_CONFLICT. */
enum rc job_cancel(struct jobs *js, struct arena *a, str id, int64_t now, struct job *ret,
                   struct err *e) must_check;
/* The wishes of rule 8.  Asked twice: fine.  A test has no epochs: it is paused at once, and begins
 * anew.  RC_CONFLICT: pending or ended; to finish a test, or, unless it runs and may end its epoch,
 * a job without a checkpoint. */
enum rc job_pause(struct jobs *js, struct arena *a, str id, bool at_once, int64_t now,
                  struct job *ret, struct err *e) must_check;
enum rc job_finish(struct jobs *js, struct arena *a, str id, bool at_once, int64_t now,
                   struct job *ret, struct err *e) must_check;
/* Takes either wish back; a paused job is queued again, in its old place.  RC_CONFLICT: it has
 * none. */
enum rc job_unpause(struct jobs *js, struct arena *a, str id, int64_t now, struct job *ret,
                    struct err *e) must_check;
static inline bool job_is_paused(const struct job *j)
{
    return j->status == JOB_QUEUED && j->wish == WISH_PAUSE;
}

struct job_edit { /* what is NULL stays */
    const str *name, *notes, *tags;
    const int64_t *priority;
    const bool *starred;
    const str *before; /* id of the queued job to stand before; "": the end.  Takes its priority. */
};
enum rc job_change(struct jobs *js, struct arena *a, str id, const struct job_edit *ed, int64_t now,
                   struct job *ret, struct err *e) must_check;

/* ---- what trainers do */
enum { JOB_TOKEN_TEXT = 4 + 43 + 1 }; /* "job_" and 32 random bytes in base64url */
/* Whose token this is, current or not: job_apply_report refuses what is old.  RC_UNAUTHENTICATED.
 */
enum rc job_token_find(struct jobs *js, struct arena *a, str token, str *ret_job,
                       int64_t *ret_attempt, struct err *e) must_check;
/* The token's job and attempt with what they say.  RC_OK with ret->applied false when it was
 * refused: reason "duplicate", "stale_attempt", "terminal", or "gap" (409, expected_seq).
 * RC_FORBIDDEN: the report names another attempt than the token's.  RC_INVALID: a key of another
 * job. */
enum rc job_apply_report(struct jobs *js, struct arena *a, str job_id, int64_t attempt,
                         const struct report *r, int64_t now, struct report_reply *ret,
                         struct err *e) must_check;
/* May this attempt, the current one of a running or queued job, be given URLs?  RC_FORBIDDEN. */
enum rc job_attempt_is_current(struct jobs *js, str job_id, int64_t attempt,
                               struct err *e) must_check;

/* ---- what the scheduler does (scheduler.c) */
/* A new attempt of a queued job, about to be sent to `trainer`: its number in ret->attempt. */
enum rc job_attempt_begin(struct jobs *js, struct arena *a, str id, str trainer, str url,
                          int64_t now, struct job *ret, char ret_token[JOB_TOKEN_TEXT],
                          struct err *e) must_check;
enum rc job_attempt_accepted(struct jobs *js, str id, int64_t attempt, int64_t now,
                             struct err *e) must_check;
/* The trainer will never take it: failed. */
enum rc job_attempt_refused(struct jobs *js, str id, int64_t attempt, const char *code,
                            const char *reason, int64_t now, struct err *e) must_check;
/* It could not be handed over: the job stays queued and says why.  seen: the trainer may have got
 * it all the same, so the number is used up and the trainer will be told to stop it. */
enum rc job_attempt_unsent(struct jobs *js, str id, int64_t attempt, bool seen, const char *reason,
                           int64_t retry_at, int64_t now, struct err *e) must_check;
/* The next attempt, or failed. */
enum rc job_attempt_lost(struct jobs *js, str id, int64_t attempt, const char *reason, int64_t now,
                         struct err *e) must_check;
enum rc job_attempt_renew(struct jobs *js, str id, int64_t attempt, int64_t now,
                          struct err *e) must_check;
enum rc job_attempt_stopped(struct jobs *js, str id, int64_t attempt, struct err *e) must_check;
/* Says why a queued job waits; no event if it is the same text as before. */
enum rc job_waits(struct jobs *js, str id, const char *reason, int64_t now,
                  struct err *e) must_check;
/* Where a job stands in what the scheduler has to look at. */
struct job_due {
    str job_id, framework, trainer, user_id;
    str waiting; /* of jobs_queued: the reason that it shows now */
    int64_t attempt, lease_at, last_seq;
    int64_t user_jobs_max; /* of jobs_queued: its maker's own limit; -1: none */
    bool starting; /* of jobs_active: sent, not yet accepted */
};
/* Queued and due, first first; at most max. */
enum rc jobs_queued(struct jobs *js, struct arena *a, int64_t now, size_t max, struct job_due **ret,
                    size_t *ret_n, struct err *e) must_check;
/* Attempts that are starting or running. */
enum rc jobs_active(struct jobs *js, struct arena *a, struct job_due **ret, size_t *ret_n,
                    struct err *e) must_check;
/* Attempts whose trainer has still to be told to stop. */
enum rc jobs_stopping(struct jobs *js, struct arena *a, struct job_due **ret, size_t *ret_n,
                      struct err *e) must_check;
/* Every attempt whose lease has run out is lost. */
enum rc jobs_sweep_leases(struct jobs *js, int64_t now, struct err *e) must_check;
enum rc jobs_count(struct jobs *js, int status, int64_t *ret, struct err *e) must_check;

#endif
