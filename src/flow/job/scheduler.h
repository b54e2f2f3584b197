/* scheduler.h - the one thread that gives queued jobs to trainers and sees to it that nothing is
 * "running" that is not.
 *
 * Each round: looks after the trainers' processes, tells trainers what to stop, polls running
 * attempts, ends leases that have run out, and hands out queued jobs within the limits, by priority
 * and place.  It wakes at once when a job is queued, cancelled or ended, else every ROUND_MS.
 */
#ifndef ANNEAL_FLOW_JOB_SCHEDULER_H
#define ANNEAL_FLOW_JOB_SCHEDULER_H

#include "flow/job/job.h"
#include "flow/job/launcher.h"

struct scheduler_config { /* all lent for the scheduler's life */
    struct jobs *jobs;
    struct launcher *launcher;
    const char *public_url; /* under which trainers reach us, no slash at the end; or later: */
    const char *own_url;    /* NULL: no letters are fetched */
    const char *bucket;
    struct s3 *s3; /* where superseded checkpoints are removed; NULL: they are kept */
    int64_t jobs_per_user, jobs_per_trainer;
    int64_t poll_ms;        /* between two looks at a running attempt; 0: 3 s */
    int64_t (*clock)(void); /* Unix ms; NULL: os_now_ms */
};
struct scheduler;
enum rc scheduler_new(struct scheduler **ret, const struct scheduler_config *c,
                      struct err *e) must_check;
/* Before the start.  own_url: under which this very machine reaches us, for what we post ourselves.
 */
void scheduler_set_url(struct scheduler *s, const char *public_url, const char *own_url);
/* Starts the thread; running attempts get a fresh lease, as nobody could renew it while we were
 * gone. */
enum rc scheduler_start(struct scheduler *s, struct err *e) must_check;
/* One round, as the thread does it; for tests, without the thread. */
void scheduler_round(struct scheduler *s);
/* Ends the thread and stops the trainers that we run.  They report before they go, so HTTP should
 * still be there; the scheduler may be asked on, but hands out nothing. */
void scheduler_stop(struct scheduler *s);
void scheduler_free(struct scheduler *s);

struct jobs *scheduler_jobs(struct scheduler *s);
struct launcher *scheduler_launcher(struct scheduler *s);

/* What was last seen of a trainer; any thread. */
struct trainer_state {
    char framework[SITE_NAME_MAX];
    bool known, up;     /* known: it has been asked */
    char error[200];    /* not up: why */
    int64_t checked_at; /* Unix ms */
};
size_t scheduler_trainers(struct scheduler *s, struct trainer_state ret[SITES_MAX]);

#endif
