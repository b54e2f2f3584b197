/* crew.c - one lock, one job at a time.
 *
 * A training step hands out some hundred jobs of a few items, milliseconds apart, so a helper first
 * spins for about 20 us for the next job and sleeps after that: spinning saves the wake-up,
 * sleeping leaves the processor to others.  A helper that wakes late finds the items gone and
 * sleeps again; nobody waits for it.
 */
#include "engine/graph/crew.h"
#include "base/mem.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

enum { SPINS = 4000 };

struct helper {
    struct crew *crew;
    pthread_t thread;
    int index;
};

struct crew {
    pthread_mutex_t lock; /* guards everything below but the two hints */
    pthread_cond_t work, finished;
    crew_fn fn;
    void *ud;
    int items, next, done;
    int asleep;
    bool quit, caller_waits;
    atomic_int hint_open; /* items not yet taken: what a spinning helper watches */
    atomic_int hint_left; /* items not yet done: what the spinning caller watches */
    void (*enter)(void);
    int helpers;
    struct helper helper[];
};

static void relax(void)
{
#if defined __x86_64__
    __builtin_ia32_pause();
#endif
}

static void spin_while_zero(atomic_int *hint)
{
    for (int i = 0; i < SPINS && atomic_load_explicit(hint, memory_order_relaxed) == 0; i++)
        relax();
}

/* Lock held.  Takes one item and runs it with the lock open. */
static void take_one(struct crew *c, int thread)
{
    const int item = c->next++;
    crew_fn fn = c->fn;
    void *ud = c->ud;

    atomic_fetch_sub_explicit(&c->hint_open, 1, memory_order_relaxed);
    pthread_mutex_unlock(&c->lock);
    fn(ud, item, thread);
    pthread_mutex_lock(&c->lock);
    c->done++;
    atomic_fetch_sub_explicit(&c->hint_left, 1, memory_order_relaxed);
    if (c->done == c->items && c->caller_waits)
        pthread_cond_signal(&c->finished);
}

static void *helper_main(void *ud)
{
    struct helper *h = ud;
    struct crew *c = h->crew;

    if (c->enter)
        c->enter();
    pthread_mutex_lock(&c->lock);
    while (!c->quit) {
        if (c->next < c->items) {
            take_one(c, h->index);
            continue;
        }
        pthread_mutex_unlock(&c->lock);
        spin_while_zero(&c->hint_open);
        pthread_mutex_lock(&c->lock);
        if (c->next < c->items || c->quit)
            continue;
        c->asleep++;
        pthread_cond_wait(&c->work, &c->lock);
        c->asleep--;
    }
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

enum rc crew_new(struct crew **ret, int threads, void (*enter)(void), struct err *e)
{
    struct crew *c = mem_zalloc(sizeof *c + (size_t)threads * sizeof c->helper[0]);

    if (!c)
        return err_set(e, RC_NOMEM, "out of memory for %d threads", threads);
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->work, NULL);
    pthread_cond_init(&c->finished, NULL);
    c->enter = enter;
    for (int i = 0; i < threads - 1; i++) {
        struct helper *h = &c->helper[i];
        *h = (struct helper){.crew = c, .index = i + 1};
        const int fault = pthread_create(&h->thread, NULL, helper_main, h);
        if (fault) {
            crew_free(c);
            return err_errno(e, fault, "starting thread %d of %d", i + 2, threads);
        }
        c->helpers++;
    }
    *ret = c;
    return RC_OK;
}

void crew_free(struct crew *c)
{
    if (!c)
        return;
    pthread_mutex_lock(&c->lock);
    c->quit = true;
    pthread_cond_broadcast(&c->work);
    pthread_mutex_unlock(&c->lock);
    for (int i = 0; i < c->helpers; i++)
        pthread_join(c->helper[i].thread, NULL);
    pthread_cond_destroy(&c->work);
    pthread_cond_destroy(&c->finished);
    pthread_mutex_destroy(&c->lock);
    mem_free(c);
}

int crew_threads(const struct crew *c)
{
    return c->helpers + 1;
}

void crew_run(struct crew *c, int items, crew_fn fn, void *ud)
{
    if (c->helpers == 0 || items < 2) {
        for (int i = 0; i < items; i++)
            fn(ud, i, 0);
        return;
    }
    pthread_mutex_lock(&c->lock);
    c->fn = fn;
    c->ud = ud;
    c->items = items;
    c->next = 0;
    c->done = 0;
    atomic_store_explicit(&c->hint_left, items, memory_order_relaxed);
    atomic_store_explicit(&c->hint_open, items, memory_order_relaxed);
    if (c->asleep)
        pthread_cond_broadcast(&c->work);
    while (c->next < c->items)
        take_one(c, 0);
    if (c->done < c->items) {
        pthread_mutex_unlock(&c->lock);
        for (int i = 0; i < SPINS && atomic_load_explicit(&c->hint_left, memory_order_relaxed); i++)
            relax();
        pthread_mutex_lock(&c->lock);
        c->caller_waits = true;
        while (c->done < c->items)
            pthread_cond_wait(&c->finished, &c->lock);
        c->caller_waits = false;
    }
    pthread_mutex_unlock(&c->lock);
}
