/* commit.h - group commit: changes of the index that arrive together share one transaction and so
 * one fsync.  Private to store/.
 *
 * A handler fills a struct commit_op and calls committer_run(), which returns when the change is
 * durable.  One thread of the committer's takes all that wait, applies them in order of arrival in
 * one transaction, commits, and wakes the handlers.  While it is in the fsync, the next batch
 * gathers; there is no timer to tune.
 */
#ifndef ANNEAL_STORE_COMMIT_H
#define ANNEAL_STORE_COMMIT_H

#include "db/db.h"

enum { COMMIT_BATCH_MAX = 256 };

struct commit_op {
    /* On the committer's thread.  May be called a second time, after a rollback: sets its outputs
     * anew each time.  A request that cannot be granted sets `refused`, changes nothing, and the
     * rest of the batch goes on; any other failure rolls the batch back. */
    enum rc (*apply)(struct commit_op *op, struct tx *tx, struct err *e);
    bool refused;
    bool unsure; /* the commit itself failed: it may or may not be found after a crash */
    /* the committer's */
    enum rc rc;
    struct err err;
    bool done;
    struct commit_op *next;
};

/* What belongs to every transaction: on the committer's thread. */
struct commit_hook {
    /* After the changes, before COMMIT: what they refer to becomes durable first.  A failure rolls
     * the batch back. */
    enum rc (*before)(void *ud, struct tx *tx, struct err *e);
    void (*after)(void *ud, bool committed); /* once for each `before` */
    void *ud;
};
struct committer;
/* hook: copied; NULL: none. */
enum rc committer_new(struct committer **ret, struct db *db, const struct commit_hook *hook,
                      struct err *e) must_check;
void committer_free(
    struct committer *c); /* after the last committer_run has returned; NULL is fine */
/* RC_OK: applied and durable.  `refused`: the code of apply.  Any thread. */
enum rc committer_run(struct committer *c, struct commit_op *op, struct err *e) must_check;
/* A number that differs before and after each commit, and is told apart while one is under way
 * (committer_busy): from before readers can see what it changes until after they can, and in any
 * case before who asked for it is answered.  Two equal ones that are not busy: nothing has been
 * committed in between.  Any thread. */
uint64_t committer_state(const struct committer *c);
static inline bool committer_busy(uint64_t state)
{
    return state & 1;
}
void committer_counts(struct committer *c, uint64_t *ret_commits, uint64_t *ret_ops);

#endif
