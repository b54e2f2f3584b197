/* commit.c - see commit.h.
 *
 * A batch in which one change fails (not: is refused), or the sync of what it refers to, is rolled
 * back and its changes are tried one by one, so that a change which can never succeed does not take
 * its neighbours with it.  After a failed COMMIT nothing is tried again: whether it reached the
 * disk is not known.
 */
#include "store/commit.h"

#include "base/mem.h"
#include "os/os.h"
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

enum { GATHER_NS_MIN = 50000, GATHER_NS_MAX = 1000000 };

struct committer {
    struct db *db;
    struct commit_hook hook;
    struct pool *thread;
    pthread_mutex_t mu;
    pthread_cond_t work, finished;
    struct commit_op *first, *last; /* waiting */
    size_t waiting, at_once;        /* now; and with those of the last batch */
    int64_t last_ns;                /* how long that took */
    bool stop;
    uint64_t commits, ops;
    atomic_uint_fast64_t state; /* odd: in a COMMIT */
};

static void settle(struct commit_op *op, enum rc rc, const struct err *e, bool unsure)
{
    op->rc = rc;
    op->unsure = unsure;
    if (rc && !op->refused)
        op->err = *e;
}

/* Applies ops[0..n) in one transaction.  False: rolled back because of a failure while applying. */
static bool run_batch(struct committer *c, struct commit_op **ops, size_t n)
{
    struct tx *tx;
    struct err e = {0};
    bool applied = true;
    enum rc rc = db_begin(c->db, DB_WRITE, &tx, &e);

    if (rc) {
        for (size_t i = 0; i < n; i++) {
            ops[i]->refused = false;
            settle(ops[i], rc, &e, false);
        }
        return true; /* each alone would wait as long again */
    }
    for (size_t i = 0; i < n && applied; i++) {
        ops[i]->refused = false;
        ops[i]->err = (struct err){0};
        ops[i]->rc = ops[i]->apply(ops[i], tx, &ops[i]->err);
        if (ops[i]->rc && !ops[i]->refused) {
            e = ops[i]->err;
            rc = ops[i]->rc;
            applied = false;
        }
    }
    if (applied && c->hook.before) {
        rc = c->hook.before(c->hook.ud, tx, &e);
        applied = !rc;
        if (rc)
            c->hook.after(c->hook.ud, false);
    }
    if (!applied) {
        tx_rollback(tx);
        for (size_t i = 0; i < n; i++) {
            ops[i]->refused = false;
            settle(ops[i], rc, &e, false);
        }
        return false;
    }
    atomic_fetch_add(&c->state, 1);
    rc = tx_commit(tx, &e);
    atomic_fetch_add(&c->state, 1);
    if (c->hook.before)
        c->hook.after(c->hook.ud, !rc);
    for (size_t i = 0; i < n; i++)
        if (rc && !ops[i]->refused)
            settle(ops[i], rc, &e, true);
    return true;
}

/* Whom the last batch has woken comes back a moment later: without this wait two halves of the
 * writers would take turns, and every sync would serve half of them.  At most an eighth of what the
 * last commit took; a lone writer waits for nobody. */
static void gather(struct committer *c)
{
    int64_t most = c->last_ns / 8 < GATHER_NS_MAX ? c->last_ns / 8 : GATHER_NS_MAX;
    struct timespec until;
    int64_t at = os_mono_ns() + most;

    if (most < GATHER_NS_MIN)
        return;
    until = (struct timespec){.tv_sec = at / 1000000000, .tv_nsec = at % 1000000000};
    while (c->waiting < c->at_once && c->waiting < COMMIT_BATCH_MAX && !c->stop &&
           pthread_cond_timedwait(&c->work, &c->mu, &until) == 0)
        ;
}

static size_t take_batch(struct committer *c, struct commit_op **ops)
{
    size_t n = 0;

    while (!c->first && !c->stop)
        pthread_cond_wait(&c->work, &c->mu);
    if (c->first)
        gather(c);
    while (c->first && n < COMMIT_BATCH_MAX) {
        ops[n++] = c->first;
        c->first = c->first->next;
    }
    if (!c->first)
        c->last = NULL;
    c->waiting -= n;
    return n;
}

static void committer_main(void *ud)
{
    struct committer *c = ud;
    struct commit_op *ops[COMMIT_BATCH_MAX];
    size_t n;

    pthread_mutex_lock(&c->mu);
    while ((n = take_batch(c, ops)) > 0) {
        int64_t begun = os_mono_ns();
        pthread_mutex_unlock(&c->mu);
        if (!run_batch(c, ops, n) && n > 1)
            for (size_t i = 0; i < n; i++)
                (void)run_batch(c, &ops[i], 1);
        pthread_mutex_lock(&c->mu);
        c->commits++;
        c->ops += n;
        c->at_once = n + c->waiting;
        c->last_ns = os_mono_ns() - begun;
        for (size_t i = 0; i < n; i++)
            ops[i]->done = true;
        pthread_cond_broadcast(&c->finished);
    }
    pthread_mutex_unlock(&c->mu);
}

enum rc committer_new(struct committer **ret, struct db *db, const struct commit_hook *hook,
                      struct err *e)
{
    struct committer *c = mem_zalloc(sizeof *c);
    pthread_condattr_t attr;
    enum rc rc;

    if (!c)
        return err_set(e, RC_NOMEM, "out of memory");
    c->db = db;
    if (hook)
        c->hook = *hook;
    pthread_mutex_init(&c->mu, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&c->work, &attr);
    pthread_condattr_destroy(&attr);
    pthread_cond_init(&c->finished, NULL);
    rc = pool_new(&c->thread, "store-commit", 1, 1, e);
    if (!rc)
        rc = pool_submit(c->thread, committer_main, c, e);
    if (rc) {
        committer_free(c);
        return rc;
    }
    *ret = c;
    return RC_OK;
}

void committer_free(struct committer *c)
{
    if (!c)
        return;
    pthread_mutex_lock(&c->mu);
    c->stop = true;
    pthread_cond_signal(&c->work);
    pthread_mutex_unlock(&c->mu);
    if (c->thread)
        pool_free(c->thread);
    ASSERT(!c->first);
    pthread_cond_destroy(&c->work);
    pthread_cond_destroy(&c->finished);
    pthread_mutex_destroy(&c->mu);
    mem_free(c);
}

enum rc committer_run(struct committer *c, struct commit_op *op, struct err *e)
{
    op->done = false;
    op->next = NULL;
    op->unsure = false;
    pthread_mutex_lock(&c->mu);
    if (c->last)
        c->last->next = op;
    else
        c->first = op;
    c->last = op;
    c->waiting++;
    pthread_cond_signal(&c->work);
    while (!op->done)
        pthread_cond_wait(&c->finished, &c->mu);
    pthread_mutex_unlock(&c->mu);
    return op->rc ? err_set(e, op->rc, "%s", op->err.text) : RC_OK;
}

uint64_t committer_state(const struct committer *c)
{
    return atomic_load(&c->state);
}

void committer_counts(struct committer *c, uint64_t *ret_commits, uint64_t *ret_ops)
{
    pthread_mutex_lock(&c->mu);
    *ret_commits = c->commits;
    *ret_ops = c->ops;
    pthread_mutex_unlock(&c->mu);
}
