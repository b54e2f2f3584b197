/* thread.h - threads without signals, and condition variables on the monotonic clock (so that a
 * change of the date wakes nobody). */
#ifndef ANNEAL_FLOW_TRAINER_THREAD_H
#define ANNEAL_FLOW_TRAINER_THREAD_H

#include "base/err.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

static inline void cond_init(pthread_cond_t *c)
{
    pthread_condattr_t attr;

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(c, &attr);
    pthread_condattr_destroy(&attr);
}

/* Until os_mono_ms() reaches until_ms (INT64_MAX: for ever) or a signal; false: the time is up. */
static inline bool cond_wait(pthread_cond_t *c, pthread_mutex_t *mu, int64_t until_ms)
{
    struct timespec at = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};

    if (until_ms == INT64_MAX)
        return pthread_cond_wait(c, mu) == 0;
    return pthread_cond_timedwait(c, mu, &at) == 0;
}

/* The thread blocks all signals: they are the main thread's, and a broken pipe is an error to
 * return. */
static inline enum rc thread_start(pthread_t *ret, void *(*main_fn)(void *), void *ud,
                                   const char *what, struct err *e)
{
    sigset_t all, before;
    int failed;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    failed = pthread_create(ret, NULL, main_fn, ud);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed ? err_errno(e, failed, "cannot start the thread of %s", what) : RC_OK;
}

#endif
