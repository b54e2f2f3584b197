/* spawner.c - one long-lived thread that starts all child processes (why: spawner.h).
 *
 * Callers queue on `turn`; the request in the slot is answered by the thread, one at a time.  A
 * start takes about a millisecond, so one slot is enough.
 */
#include "flow/trainer/spawner.h"

#include "base/mem.h"
#include "flow/trainer/thread.h"

struct spawner {
    pthread_mutex_t turn; /* held by the caller whose request is in the slot */
    pthread_mutex_t mu;
    pthread_cond_t changed;
    bool asked, answered, closing;
    const char *const *argv;
    unsigned flags;
    struct os_child child;
    enum rc rc;
    struct err *err;
    pthread_t thread;
};

static void *spawner_main(void *ud)
{
    struct spawner *s = ud;

    pthread_mutex_lock(&s->mu);
    while (!s->closing) {
        if (s->asked && !s->answered) {
            s->rc =
                os_spawn(&s->child, s->argv, NULL, NULL, s->flags | OS_SPAWN_DIE_WITH_US, s->err);
            s->answered = true;
            pthread_cond_broadcast(&s->changed);
        }
        pthread_cond_wait(&s->changed, &s->mu);
    }
    pthread_mutex_unlock(&s->mu);
    return NULL;
}

enum rc spawner_new(struct spawner **ret, struct err *e)
{
    struct spawner *s = mem_zalloc(sizeof *s);
    enum rc rc;

    if (!s)
        return err_set(e, RC_NOMEM, "out of memory for the spawner");
    pthread_mutex_init(&s->turn, NULL);
    pthread_mutex_init(&s->mu, NULL);
    pthread_cond_init(&s->changed, NULL);
    rc = thread_start(&s->thread, spawner_main, s, "the spawner", e);
    if (rc) {
        mem_free(s);
        return rc;
    }
    *ret = s;
    return RC_OK;
}

void spawner_free(struct spawner *s)
{
    if (!s)
        return;
    pthread_mutex_lock(&s->mu);
    s->closing = true;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->mu);
    pthread_join(s->thread, NULL);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->mu);
    pthread_mutex_destroy(&s->turn);
    mem_free(s);
}

enum rc spawner_run(struct spawner *s, struct os_child *ret, const char *const *argv,
                    unsigned flags, struct err *e)
{
    enum rc rc;

    pthread_mutex_lock(&s->turn);
    pthread_mutex_lock(&s->mu);
    s->argv = argv;
    s->flags = flags;
    s->err = e;
    s->asked = true;
    s->answered = false;
    pthread_cond_broadcast(&s->changed);
    while (!s->answered)
        pthread_cond_wait(&s->changed, &s->mu);
    s->asked = false;
    rc = s->rc;
    if (!rc)
        *ret = s->child;
    pthread_mutex_unlock(&s->mu);
    pthread_mutex_unlock(&s->turn);
    return rc;
}
