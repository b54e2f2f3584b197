/* thread.c - a fixed pool of threads over a bounded queue, and an event to wait for.
 *
 * Pool threads block all signals: those are for the main thread.
 */
#include "os/os.h"

#include "base/mem.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>

struct job {
    pool_fn fn;
    void *ud;
};

struct pool {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct job *queue; /* a ring */
    size_t head, n, max;
    bool stop;
    unsigned threads;
    char name[16];
    pthread_t ids[];
};

static void *pool_main(void *ud)
{
    struct pool *p = ud;

    pthread_setname_np(pthread_self(), p->name);
    pthread_mutex_lock(&p->lock);
    for (;;) {
        struct job job;
        while (!p->n && !p->stop)
            pthread_cond_wait(&p->wake, &p->lock);
        if (!p->n)
            break;
        job = p->queue[p->head];
        p->head = (p->head + 1) % p->max;
        p->n--;
        pthread_mutex_unlock(&p->lock);
        job.fn(job.ud);
        pthread_mutex_lock(&p->lock);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

enum rc pool_new(struct pool **ret, const char *name, unsigned threads, size_t queue_max,
                 struct err *e)
{
    struct pool *p;
    sigset_t all, before;
    int why = 0;

    ASSERT(threads > 0 && threads <= 4096 && queue_max > 0);
    p = mem_zalloc(sizeof *p + threads * sizeof p->ids[0]);
    if (p)
        p->queue = mem_alloc_array(queue_max, sizeof *p->queue);
    if (!p || !p->queue) {
        mem_free(p);
        return err_set(e, RC_NOMEM, "out of memory for the threads '%s'", name);
    }
    p->max = queue_max;
    snprintf(p->name, sizeof p->name, "%.15s", name);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->wake, NULL);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (p->threads < threads && !why) {
        why = pthread_create(&p->ids[p->threads], NULL, pool_main, p);
        p->threads += !why;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (why) {
        unsigned made = p->threads;
        pool_free(p);
        return err_errno(e, why, "cannot start thread %u of %u of '%s'", made + 1, threads, name);
    }
    *ret = p;
    return RC_OK;
}

enum rc pool_submit(struct pool *p, pool_fn fn, void *ud, struct err *e)
{
    bool full;

    pthread_mutex_lock(&p->lock);
    ASSERT(!p->stop);
    full = p->n == p->max;
    if (!full) {
        p->queue[(p->head + p->n) % p->max] = (struct job){fn, ud};
        p->n++;
        pthread_cond_signal(&p->wake);
    }
    pthread_mutex_unlock(&p->lock);
    return full ? err_set(e, RC_LIMIT, "the queue of '%s' is full (%zu)", p->name, p->max) : RC_OK;
}

size_t pool_backlog(struct pool *p)
{
    size_t n;

    pthread_mutex_lock(&p->lock);
    n = p->n;
    pthread_mutex_unlock(&p->lock);
    return n;
}

void pool_free(struct pool *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->stop = true;
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);
    for (unsigned i = 0; i < p->threads; i++)
        pthread_join(p->ids[i], NULL);
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->lock);
    mem_free(p->queue);
    mem_free(p);
}

struct event {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool set;
};

struct event *event_new(void)
{
    struct event *v = mem_zalloc(sizeof *v);
    pthread_condattr_t attr;

    if (!v)
        return NULL;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&v->lock, NULL);
    pthread_cond_init(&v->wake, &attr);
    pthread_condattr_destroy(&attr);
    return v;
}

void event_free(struct event *v)
{
    if (!v)
        return;
    pthread_cond_destroy(&v->wake);
    pthread_mutex_destroy(&v->lock);
    mem_free(v);
}

static void event_put(struct event *v, bool set)
{
    pthread_mutex_lock(&v->lock);
    v->set = set;
    if (set)
        pthread_cond_broadcast(&v->wake);
    pthread_mutex_unlock(&v->lock);
}

void event_set(struct event *v)
{
    event_put(v, true);
}

void event_clear(struct event *v)
{
    event_put(v, false);
}

bool event_is_set(struct event *v)
{
    return event_wait(v, 0);
}

bool event_wait(struct event *v, int64_t timeout_ms)
{
    int64_t now = os_mono_ns(), until = INT64_MAX;
    struct timespec t;
    bool set;
    int why = 0;

    if (timeout_ms >= 0 && timeout_ms < (INT64_MAX - now) / 1000000)
        until = now + timeout_ms * 1000000;
    t = (struct timespec){until / 1000000000, until % 1000000000};
    pthread_mutex_lock(&v->lock);
    while (!v->set && timeout_ms != 0 && why != ETIMEDOUT)
        why = timeout_ms < 0 ? pthread_cond_wait(&v->wake, &v->lock)
                             : pthread_cond_timedwait(&v->wake, &v->lock, &t);
    set = v->set;
    pthread_mutex_unlock(&v->lock);
    return set;
}
