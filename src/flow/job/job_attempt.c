/* job_attempt.c - attempts of a job: the start orders that the scheduler sends, their tokens and
 * leases.
 *
 * A number is burned only by work that began: an order that no trainer took leaves the job queued,
 * however often it is tried (job.h 2, 4).
 */
#include "base/hash.h"
#include "flow/job/job_int.h"
#include "os/os.h"
#include <sodium.h>

enum {
    START_LEASE_MS = 120000, /* three tries to hand over a start order, with room to spare */
};

static void token_new(char ret[JOB_TOKEN_TEXT])
{
    uint8_t secret[32];

    os_random(secret, sizeof secret);
    memcpy(ret, "job_", 4);
    sodium_bin2base64(ret + 4, JOB_TOKEN_TEXT - 4, secret, sizeof secret,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

enum rc job_token_find(struct jobs *js, struct arena *a, str token, str *ret_job,
                       int64_t *ret_attempt, struct err *e)
{
    char hash[SHA256_HEX + 1];
    struct tx *tx;
    enum rc rc;

    if (token.n != JOB_TOKEN_TEXT - 1 || !str_starts(token, STR("job_")))
        return err_set(e, RC_UNAUTHENTICATED, "this is not the token of any job's attempt");
    rc = db_begin(js->s.db, DB_READ, &tx, e);
    if (rc)
        return rc;
    sha256_hex(token, hash);
    rc = attempt_by_token(tx, a, hash, ret_job, ret_attempt, e);
    tx_rollback(tx);
    return rc;
}

enum rc job_attempt_is_current(struct jobs *js, str job_id, int64_t attempt, struct err *e)
{
    struct arena a;
    struct tx *tx;
    struct job j;
    struct attempt at;
    enum rc rc = db_begin(js->s.db, DB_READ, &tx, e);

    if (rc)
        return rc;
    arena_init(&a, 1 << 20);
    rc = job_load(tx, &a, job_id, &j, e);
    if (!rc)
        rc = attempt_load(tx, job_id, attempt, &at, e);
    tx_rollback(tx);
    if (!rc && (job_status_ended(j.status) || j.attempt != attempt || at.status > ATTEMPT_RUNNING))
        rc = err_set(e, RC_FORBIDDEN, "attempt %lld of the job is over (the job is %s)",
                     (long long)attempt, job_status_names[j.status]);
    arena_done(&a);
    return rc;
}

enum rc job_attempt_begin(struct jobs *js, struct arena *a, str id, str trainer, str url,
                          int64_t now, struct job *ret, char ret_token[JOB_TOKEN_TEXT],
                          struct err *e)
{
    struct change c;
    struct attempt at;
    char token[JOB_TOKEN_TEXT], hash[SHA256_HEX + 1];
    enum rc rc = change_begin(&c, js, a, id, now, e);

    if (rc)
        return rc;
    if (c.j.status != JOB_QUEUED)
        rc = err_set(e, RC_CONFLICT, "the job is %s, not queued", job_status_names[c.j.status]);
    if (!rc && c.j.attempt) {
        rc = attempt_load(c.tx, id, c.j.attempt, &at, e);
        if (!rc && at.status <= ATTEMPT_RUNNING)
            rc = err_set(e, RC_CONFLICT, "attempt %lld is on its way already",
                         (long long)c.j.attempt);
    }
    token_new(token);
    sha256_hex(str_of(token), hash);
    c.j.attempt++;
    c.dirty = true;
    if (!rc)
        rc =
            attempt_insert(c.tx, id, c.j.attempt, hash, trainer, url, now + START_LEASE_MS, now, e);
    rc = change_end(&c, rc, e);
    if (!rc) {
        *ret = c.j;
        memcpy(ret_token, token, sizeof token);
    }
    return rc;
}

/* Runs `fn` on the job if `attempt` is its current one and still open; else does nothing. */
typedef enum rc (*attempt_fn)(struct change *c, const struct attempt *at, const void *ud,
                              struct err *e);
static enum rc with_attempt(struct jobs *js, str id, int64_t attempt, int64_t now, attempt_fn fn,
                            const void *ud, struct err *e)
{
    struct arena a;
    struct change c;
    struct attempt at;
    enum rc rc;

    arena_init(&a, 1 << 20);
    rc = change_begin(&c, js, &a, id, now, e);
    if (!rc) {
        rc = attempt_load(c.tx, id, attempt, &at, e);
        if (!rc && c.j.attempt == attempt && at.status <= ATTEMPT_RUNNING)
            rc = fn(&c, &at, ud, e);
        rc = change_end(&c, rc, e);
    }
    arena_done(&a);
    return rc;
}

static enum rc accepted(struct change *c, const struct attempt *at, const void *ud, struct err *e)
{
    enum rc rc = attempt_progress(c->tx, c->j.id, at->number, 0, c->now + c->js->s.lease_ms, e);

    if (!rc && c->j.status == JOB_QUEUED) /* else its first report came before the answer */
        rc = job_move(c, JOB_RUNNING, &(struct cause){ATTEMPT_RUNNING, .code = "", .text = ""}, e);
    return rc;
}

enum rc job_attempt_accepted(struct jobs *js, str id, int64_t attempt, int64_t now, struct err *e)
{
    return with_attempt(js, id, attempt, now, accepted, NULL, e);
}

struct outcome {
    const char *code, *reason;
    bool seen;
    int64_t retry_at;
};

static enum rc refused(struct change *c, const struct attempt *at, const void *ud, struct err *e)
{
    const struct outcome *o = ud;

    return job_move(c, JOB_FAILED,
                    &(struct cause){ATTEMPT_FAILED, .code = o->code, .text = o->reason}, e);
}

enum rc job_attempt_refused(struct jobs *js, str id, int64_t attempt, const char *code,
                            const char *reason, int64_t now, struct err *e)
{
    return with_attempt(js, id, attempt, now, refused, &(struct outcome){code, reason}, e);
}

static enum rc say_waiting(struct change *c, const char *reason, struct err *e)
{
    str text;

    if (str_is(c->j.waiting_reason, reason))
        return RC_OK;
    text = arena_str(c->a, str_of(reason));
    if (!text.p)
        return err_set(e, RC_NOMEM, "out of memory");
    c->j.waiting_reason = text;
    return change_event_state(c, e);
}

static enum rc unsent(struct change *c, const struct attempt *at, const void *ud, struct err *e)
{
    const struct outcome *o = ud;
    enum rc rc;

    if (at->status != ATTEMPT_STARTING)
        return RC_OK; /* a report has come: it was taken after all */
    if (o->seen) {
        rc = attempt_set(c->tx, c->j.id, at->number, ATTEMPT_LOST, true, o->reason, c->now, e);
    } else {
        rc = attempt_delete(c->tx, c->j.id, at->number, e);
        c->j.attempt--;
    }
    c->j.not_before = o->retry_at;
    c->dirty = true;
    return rc ? rc : say_waiting(c, o->reason, e);
}

enum rc job_attempt_unsent(struct jobs *js, str id, int64_t attempt, bool seen, const char *reason,
                           int64_t retry_at, int64_t now, struct err *e)
{
    return with_attempt(js, id, attempt, now, unsent,
                        &(struct outcome){.reason = reason, .seen = seen, .retry_at = retry_at}, e);
}

static enum rc lost(struct change *c, const struct attempt *at, const void *ud, struct err *e)
{
    const struct outcome *o = ud;

    if (c->j.status == JOB_QUEUED) { /* never accepted: no attempt is burned */
        struct outcome un = {.reason = o->reason, .seen = true, .retry_at = c->now};

        return unsent(c, at, &un, e);
    }
    return job_retry(
        c, &(struct cause){ATTEMPT_LOST, .stop = true, .code = "attempt_lost", .text = o->reason},
        e);
}

enum rc job_attempt_lost(struct jobs *js, str id, int64_t attempt, const char *reason, int64_t now,
                         struct err *e)
{
    return with_attempt(js, id, attempt, now, lost, &(struct outcome){.reason = reason}, e);
}

/* The sweep chose the attempt outside this transaction: a report may have renewed the lease since.
 */
static enum rc expired(struct change *c, const struct attempt *at, const void *ud, struct err *e)
{
    return at->lease_at < c->now ? lost(c, at, ud, e) : RC_OK;
}

enum rc jobs_sweep_leases(struct jobs *js, int64_t now, struct err *e)
{
    struct arena a;
    struct job_due *due;
    size_t n = 0;
    enum rc rc;

    arena_init(&a, 4 << 20);
    rc = jobs_active(js, &a, &due, &n, e);
    for (size_t i = 0; !rc && i < n; i++) {
        struct outcome o = {.reason = due[i].starting
                                          ? "the trainer did not confirm the start in time"
                                          : "nothing was heard of the attempt while its lease ran"};

        if (due[i].lease_at < now)
            rc = with_attempt(js, due[i].job_id, due[i].attempt, now, expired, &o, e);
    }
    arena_done(&a);
    return rc;
}

static enum rc renew(struct change *c, const struct attempt *at, const void *ud, struct err *e)
{
    return attempt_progress(c->tx, c->j.id, at->number, 0, c->now + c->js->s.lease_ms, e);
}

enum rc job_attempt_renew(struct jobs *js, str id, int64_t attempt, int64_t now, struct err *e)
{
    return with_attempt(js, id, attempt, now, renew, NULL, e);
}

enum rc job_attempt_stopped(struct jobs *js, str id, int64_t attempt, struct err *e)
{
    struct tx *tx;
    enum rc rc = db_begin(js->s.db, DB_WRITE, &tx, e);

    if (rc)
        return rc;
    rc = attempt_stopped(tx, id, attempt, e);
    if (rc) {
        tx_rollback(tx);
        return rc;
    }
    return tx_commit(tx, e);
}

enum rc job_waits(struct jobs *js, str id, const char *reason, int64_t now, struct err *e)
{
    struct arena a;
    struct change c;
    enum rc rc;

    arena_init(&a, 1 << 20);
    rc = change_begin(&c, js, &a, id, now, e);
    if (!rc) {
        if (c.j.status == JOB_QUEUED)
            rc = say_waiting(&c, reason, e);
        rc = change_end(&c, rc, e);
    }
    arena_done(&a);
    return rc;
}
