/* job.h - the attempts this trainer runs: the table, a supervising thread for each, and the pulse.
 *
 *   jobs.c     the table: start, fence, stop, look up, recover, close
 *   pulse.c    one thread for all: signals, heartbeats, held progress and logs, burials
 *   run.c      an attempt's thread: prepare, spawn, read lines, reap, conclude
 *   prepare.c  the dataset and the checkpoint to start from, into the cache
 *   say.c      what is told to the backend: numbering, throttling, logs
 *   keep.c     checkpoints and results into storage
 *
 * Threads.  An attempt belongs to its thread; others (HTTP handlers, delivery threads, the pulse)
 * may only call job_stop and the say functions, and look under `mu`.  Only the pulse frees an
 * attempt. Lock order: jobs.mu, job.say, job.mu, then the outbox's own.
 */
#ifndef ANNEAL_FLOW_TRAINER_JOB_H
#define ANNEAL_FLOW_TRAINER_JOB_H

#include "flow/trainer/cache.h"
#include "flow/trainer/outbox.h"
#include "flow/trainer/spawner.h"

struct jobs;
struct jobs_config { /* all lent for the table's life */
    const char *work_dir;
    const char *framework;
    const char *const *worker_argv;
    unsigned max_jobs, connections;
    int64_t retry_min_ms, heartbeat_ms, silence_ms_max;
    struct spawner *spawner;
    struct cache *cache;
    struct outbox *outbox;
    struct letters *letters;
    struct pool *pool;
};
/* Recovers what the outbox holds, empties work_dir. */
enum rc jobs_open(struct jobs **ret, const struct jobs_config *c, struct err *e) must_check;
/* Stops all workers and gives delivery until the deadline. */
void jobs_drain(struct jobs *js, int64_t ms);
void jobs_close(struct jobs *js); /* the outbox has been stopped; NULL is fine */

/* uploads_url and downloads_url may be left out where callback_url ends in "/callback" (they lie
 * beside it), dataset_version where the URI names it.  On RC_OK the attempt is durable.
 * *ret_already: it was known.  RC_LIMIT: max_jobs run; RC_CONFLICT: a newer attempt of the job is
 * known; RC_INVALID names the field. */
enum rc jobs_start(struct jobs *js, const struct start_order *o, bool *ret_already,
                   struct err *e) must_check;
/* Text lives in `a`.  RC_NOT_FOUND: never heard of it, or ended long ago. */
enum rc jobs_get(struct jobs *js, str job_id, struct arena *a, struct trainer_job *ret,
                 struct err *e) must_check;
/* Tells the worker to stop; it does so within 2 s. */
enum rc jobs_stop(struct jobs *js, str job_id, struct err *e) must_check;
/* Newest first; text lives in `a`. */
enum rc jobs_list(struct jobs *js, struct arena *a, struct trainer_job **ret, size_t *ret_n,
                  struct err *e) must_check;
struct jobs_counts {
    unsigned running, max; /* attempts that hold a place */
    unsigned attempts;     /* not ended */
    int64_t undelivered;
};
void jobs_get_counts(struct jobs *js, struct jobs_counts *ret);

#endif
