/* job_int.h - private to flow/job: the one transition and the frame around every change. */
#ifndef ANNEAL_FLOW_JOB_JOB_INT_H
#define ANNEAL_FLOW_JOB_JOB_INT_H

#include "flow/job/job_sql.h"

struct jobs {
    struct jobs_setup s;
    struct event *wake;
};

/* One change of one job: a writing transaction, the job as it is in it, and what it was. */
struct change {
    struct jobs *js;
    struct tx *tx;
    struct arena *a;
    struct job j;
    int was;
    int64_t now;
    bool dirty; /* j differs from its row */
    bool poke;  /* the feed has grown */
    bool wake;  /* the scheduler has something to do */
    bool stop;  /* whoever reports has nothing more to do */
};
enum rc change_begin(struct change *c, struct jobs *js, struct arena *a, str id, int64_t now,
                     struct err *e) must_check;
/* Saves and commits if rc is RC_OK, else rolls back; then pokes, wakes, tells who counts. */
enum rc change_end(struct change *c, enum rc rc, struct err *e) must_check;

struct cause {
    enum attempt_status attempt; /* what becomes of the current attempt, if it is open */
    bool stop;                   /* the trainer has to be told to stop it */
    bool blameless;              /* the attempt ended in good order: not one of attempts_max */
    const char *code;            /* of a failure; "" none */
    const char *text;            /* why, for people; "" none */
};
/* The only function that changes a state.  RC_CONFLICT: no such arrow. */
enum rc job_move(struct change *c, enum job_status to, const struct cause *why,
                 struct err *e) must_check;
/* The current attempt has come to nothing: next attempt, or failed. */
enum rc job_retry(struct change *c, const struct cause *why, struct err *e) must_check;
/* job_wish.c: a checkpoint of the epoch has been applied: pauses or completes the job if that is
 * what was asked. */
enum rc wish_at_checkpoint(struct change *c, int64_t epoch, struct err *e) must_check;
/* The attempt is gone: completes the job instead of trying again, if that was asked and there is
 * something to keep; else *ret_done false. */
enum rc wish_instead_of_retry(struct change *c, const struct cause *why, bool *ret_done,
                              struct err *e) must_check;
/* Adds an event of the given data (an object) to the feed. */
enum rc change_event(struct change *c, const char *kind, int64_t epoch, str data,
                     struct err *e) must_check;
/* "state": where the job stands. */
enum rc change_event_state(struct change *c, struct err *e) must_check;

#endif
