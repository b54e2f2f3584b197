/* job_wish.c - pause, go on, stop early and keep (job.h 8).
 *
 * No trainer knows of wishes.  A wish is fulfilled where a checkpoint is applied: by then the epoch
 * is whole, its metrics, results and weights are stored, and the next attempt could begin there.
 * The report's answer then tells the trainer to stop the worker, which has at most begun the next
 * epoch; and if that answer is lost, the scheduler tells it (attempt.stop).  So an adapter in any
 * language can be paused.
 */
#include "flow/job/job_int.h"
#include "flow/job/job_read.h"

/* ---- what becomes of the job */

static enum rc pause_now(struct change *c, int64_t epoch, struct err *e)
{
    const char *text = epoch ? arena_printf(c->a, "paused after epoch %lld", (long long)epoch)
                             : "paused before its first checkpoint; it will begin anew";

    if (!text)
        return err_set(e, RC_NOMEM, "out of memory");
    c->j.wish = WISH_PAUSE;
    return job_move(c, JOB_QUEUED,
                    &(struct cause){ATTEMPT_CANCELLED, .stop = true, .code = "", .text = text}, e);
}

/* RC_CONFLICT: there is nothing to keep.  `end`: what becomes of the attempt under way. */
static enum rc finish_now(struct change *c, enum attempt_status end, struct err *e)
{
    struct cause why = {end, .stop = true, .code = ""};
    int64_t epoch = 0;
    str sha256;
    enum rc rc = checkpoint_to_keep(c->tx, c->a, c->j.id, &sha256, e);

    if (!rc && !sha256.n)
        return err_set(e, RC_CONFLICT,
                       "the job has no checkpoint yet, so there is nothing to keep; cancel it, or "
                       "let it end an epoch first");
    if (!rc)
        rc = checkpoint_last_epoch(c->tx, c->j.id, &epoch, e);
    if (rc)
        return rc;
    c->j.epoch = epoch; /* of the one under way nothing is left */
    why.text = arena_printf(c->a, "stopped early on request, after epoch %lld of %lld",
                            (long long)epoch, (long long)c->j.epochs);
    if (!why.text)
        return err_set(e, RC_NOMEM, "out of memory");
    c->j.weights_sha256 = sha256;
    return job_move(c, JOB_COMPLETED, &why, e);
}

enum rc wish_at_checkpoint(struct change *c, int64_t epoch, struct err *e)
{
    /* After the last epoch only the end is to come: it completes by itself. */
    if (c->j.wish == WISH_NONE || c->j.status != JOB_RUNNING || epoch >= c->j.epochs)
        return RC_OK;
    c->stop = true;
    return c->j.wish == WISH_PAUSE ? pause_now(c, epoch, e) : finish_now(c, ATTEMPT_COMPLETED, e);
}

enum rc wish_instead_of_retry(struct change *c, const struct cause *why, bool *ret_done,
                              struct err *e)
{
    struct err none;
    enum rc rc;

    *ret_done = false;
    if (c->j.wish != WISH_FINISH)
        return RC_OK;
    rc = finish_now(c, why->attempt, &none);
    if (rc == RC_CONFLICT)
        return RC_OK; /* another attempt has to make one first */
    *ret_done = !rc;
    if (rc)
        *e = none;
    return rc;
}

/* ---- what people ask */

static enum rc may_wish(const struct job *j, const char *what, struct err *e)
{
    if (job_status_ended(j->status))
        return err_set(e, RC_CONFLICT, "the job has already ended as %s; there is nothing to %s",
                       job_status_names[j->status], what);
    if (j->status == JOB_PENDING)
        return err_set(e, RC_CONFLICT, "the job has not been started; there is nothing to %s",
                       what);
    return RC_OK;
}

static enum rc say_wish(struct change *c, enum job_wish wish, struct err *e)
{
    if (c->j.wish == (int)wish)
        return RC_OK;
    c->j.wish = wish;
    return change_event_state(c, e);
}

/* The order of a queued job that is on its way to a trainer is taken back. */
static enum rc take_back(struct change *c, struct err *e)
{
    struct attempt at;
    enum rc rc;

    if (!c->j.attempt)
        return RC_OK;
    rc = attempt_load(c->tx, c->j.id, c->j.attempt, &at, e);
    if (rc || at.status > ATTEMPT_RUNNING)
        return rc;
    c->wake = true;
    return attempt_set(c->tx, c->j.id, at.number, ATTEMPT_CANCELLED, true, "paused", c->now, e);
}

static enum rc pause_queued(struct change *c, struct err *e)
{
    enum rc rc;

    if (c->j.wish == WISH_PAUSE)
        return RC_OK;
    rc = take_back(c, e);
    c->j.waiting_reason = STR("paused");
    return rc ? rc : say_wish(c, WISH_PAUSE, e);
}

enum rc job_pause(struct jobs *js, struct arena *a, str id, bool at_once, int64_t now,
                  struct job *ret, struct err *e)
{
    struct change c;
    int64_t epoch = 0;
    enum rc rc = change_begin(&c, js, a, id, now, e);

    if (rc)
        return rc;
    rc = may_wish(&c.j, "pause", e);
    if (!rc && c.j.status == JOB_QUEUED) {
        rc = pause_queued(&c, e);
    } else if (!rc && (at_once || c.j.kind == WORK_TEST)) {
        rc = checkpoint_last_epoch(c.tx, c.j.id, &epoch, e);
        if (!rc)
            rc = pause_now(&c, epoch, e);
    } else if (!rc) {
        rc = say_wish(&c, WISH_PAUSE, e);
    }
    rc = change_end(&c, rc, e);
    if (!rc)
        *ret = c.j;
    return rc;
}

enum rc job_finish(struct jobs *js, struct arena *a, str id, bool at_once, int64_t now,
                   struct job *ret, struct err *e)
{
    struct change c;
    enum rc rc = change_begin(&c, js, a, id, now, e);

    if (rc)
        return rc;
    rc = may_wish(&c.j, "keep", e);
    if (!rc && c.j.kind == WORK_TEST)
        rc = err_set(e, RC_CONFLICT, "a test has one result, at its end; cancel it instead");
    else if (!rc && (at_once || c.j.status == JOB_QUEUED))
        rc = finish_now(&c, ATTEMPT_CANCELLED, e);
    else if (!rc)
        rc = say_wish(&c, WISH_FINISH, e);
    rc = change_end(&c, rc, e);
    if (!rc)
        *ret = c.j;
    return rc;
}

enum rc job_unpause(struct jobs *js, struct arena *a, str id, int64_t now, struct job *ret,
                    struct err *e)
{
    struct change c;
    enum rc rc = change_begin(&c, js, a, id, now, e);

    if (rc)
        return rc;
    if (c.j.wish == WISH_NONE) {
        rc = err_set(e, RC_CONFLICT, "the job is %s and not paused", job_status_names[c.j.status]);
    } else {
        if (job_is_paused(&c.j)) {
            c.j.waiting_reason = STR("");
            c.j.not_before = 0;
            c.wake = true;
        }
        rc = say_wish(&c, WISH_NONE, e);
    }
    rc = change_end(&c, rc, e);
    if (!rc)
        *ret = c.j;
    return rc;
}
