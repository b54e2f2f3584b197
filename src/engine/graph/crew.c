/* crew.c - one job at a time, its items handed out by one atomic word.
 *
 * A pass over a network hands out some hundred jobs of a few items: of milliseconds in training,
 * of tens of microseconds in inference, which is what crew_begin is for.  `ticket` holds the job's
 * number and how many of its items nobody has taken; whoever takes one (compare and swap) may read
 * the job, which cannot change before that item is done.  A helper that finds nothing to take
 * spins, within a pass (crew_begin) longer than outside, and then sleeps: spinning saves the
 * wake-up, sleeping leaves the processor to others.  A helper that wakes late finds the items gone;
 * nobody waits for it.  The lock guards sleeping alone.
 */
#include "engine/graph/crew.h"
#include "base/mem.h"
#include "os/cpu.h"
#include "os/os.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

enum {
    SPIN_NS = 20000,
    SPIN_PASS_NS = 100000, /* an item of one picture; 0.3 ms in training cost a busy machine 15 % */
    SPINS_A_LOOK = 32,     /* pauses between looks at the clock */
};

struct helper {
    struct crew *crew;
    pthread_t thread;
    int index;
};

struct crew {
    /* what all threads write, each in a cache line of its own */
    _Alignas(64) atomic_uint_fast64_t ticket; /* number of the job << 32 | items left to take */
    _Alignas(64) atomic_int done;             /* items of the job that are */
    /* the job: written by the caller between two jobs, read by who has taken an item */
    _Alignas(64) crew_fn fn;
    void *ud;
    int items;
    atomic_bool in_pass, quit;
    atomic_int asleep; /* helpers */
    atomic_bool caller_waits;

    pthread_mutex_t lock;
    pthread_cond_t work, finished;
    void (*enter)(void);
    struct os_cpus allowed;
    int avoided; /* the processor that helpers keep off; -1: none */
    int helpers;
    struct helper helper[];
};

static void relax(void)
{
#if defined __x86_64__
    __builtin_ia32_pause();
#endif
}

static uint32_t left_of(uint64_t ticket)
{
    return (uint32_t)ticket;
}

/* Takes one item and runs it; false: there is none. */
static bool take_one(struct crew *c, int thread)
{
    uint64_t t = atomic_load(&c->ticket);

    do {
        if (left_of(t) == 0)
            return false;
    } while (!atomic_compare_exchange_weak(&c->ticket, &t, t - 1));
    const int items = c->items;
    c->fn(c->ud, items - (int)left_of(t), thread);
    if (atomic_fetch_add(&c->done, 1) + 1 == items && atomic_load(&c->caller_waits)) {
        pthread_mutex_lock(&c->lock);
        pthread_cond_signal(&c->finished);
        pthread_mutex_unlock(&c->lock);
    }
    return true;
}

static bool has_work(struct crew *c)
{
    return left_of(atomic_load(&c->ticket)) > 0 || atomic_load(&c->quit);
}

static int64_t spin_ns(struct crew *c)
{
    return atomic_load(&c->in_pass) ? SPIN_PASS_NS : SPIN_NS;
}

/* Until there is work, or for a while. */
static void spin_for_work(struct crew *c)
{
    int64_t since = os_mono_ns();

    for (int i = 1; !has_work(c); i++) {
        relax();
        if (i % SPINS_A_LOOK == 0 && os_mono_ns() - since > spin_ns(c))
            return;
    }
}

static void *helper_main(void *ud)
{
    struct helper *h = ud;
    struct crew *c = h->crew;

    if (c->enter)
        c->enter();
    while (!atomic_load(&c->quit)) {
        if (take_one(c, h->index))
            continue;
        spin_for_work(c);
        if (has_work(c))
            continue;
        pthread_mutex_lock(&c->lock);
        atomic_fetch_add(&c->asleep, 1); /* before the last look: who hands out looks after it */
        if (!has_work(c))
            pthread_cond_wait(&c->work, &c->lock);
        atomic_fetch_sub(&c->asleep, 1);
        pthread_mutex_unlock(&c->lock);
    }
    return NULL;
}

enum rc crew_new(struct crew **ret, int threads, void (*enter)(void), struct err *e)
{
    const size_t bytes = sizeof(struct crew) + (size_t)threads * sizeof(struct helper);
    struct crew *c = mem_alloc_aligned(_Alignof(struct crew), bytes);

    if (!c)
        return err_set(e, RC_NOMEM, "out of memory for %d threads", threads);
    memset(c, 0, bytes);
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->work, NULL);
    pthread_cond_init(&c->finished, NULL);
    c->enter = enter;
    c->avoided = -1;
    (void)os_cpus_allowed(&c->allowed); /* unknown: none */
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

static void wake_helpers(struct crew *c)
{
    if (atomic_load(&c->asleep) == 0)
        return;
    pthread_mutex_lock(&c->lock);
    pthread_cond_broadcast(&c->work);
    pthread_mutex_unlock(&c->lock);
}

void crew_free(struct crew *c)
{
    if (!c)
        return;
    atomic_store(&c->quit, true);
    wake_helpers(c);
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

/* A scheduler likes to wake a helper on the processor of the caller, who waits for it there: on a
 * busy machine of two processors 95 of 100 jobs ran on one alone. */
static void keep_helpers_off(struct crew *c, int cpu)
{
    if (cpu < 0 || cpu == c->avoided || c->allowed.count < 2)
        return;
    for (int i = 0; i < c->helpers; i++)
        (void)os_thread_avoid(c->helper[i].thread, &c->allowed, cpu); /* only ever a hint */
    c->avoided = cpu;
}

void crew_begin(struct crew *c)
{
    if (c->helpers == 0)
        return;
    keep_helpers_off(c, os_cpu_now());
    atomic_store(&c->in_pass, true);
    wake_helpers(c);
}

void crew_end(struct crew *c)
{
    atomic_store(&c->in_pass, false);
}

/* Until every item is done: spins for a while, then sleeps (the helper that has it may have lost
 * its processor to somebody). */
static void wait_for_helpers(struct crew *c, int items)
{
    const int64_t since = os_mono_ns();

    for (int i = 1; atomic_load(&c->done) < items; i++) {
        relax();
        if (i % SPINS_A_LOOK == 0 && os_mono_ns() - since > spin_ns(c))
            break;
    }
    if (atomic_load(&c->done) == items)
        return;
    pthread_mutex_lock(&c->lock);
    atomic_store(&c->caller_waits, true);
    while (atomic_load(&c->done) < items)
        pthread_cond_wait(&c->finished, &c->lock);
    atomic_store(&c->caller_waits, false);
    pthread_mutex_unlock(&c->lock);
}

void crew_run(struct crew *c, int items, crew_fn fn, void *ud)
{
    if (c->helpers == 0 || items < 2) {
        for (int i = 0; i < items; i++)
            fn(ud, i, 0);
        return;
    }
    c->fn = fn;
    c->ud = ud;
    c->items = items;
    atomic_store(&c->done, 0);
    const uint64_t number = (atomic_load(&c->ticket) >> 32) + 1;
    atomic_store(&c->ticket, number << 32 | (uint32_t)items);
    wake_helpers(c);
    while (take_one(c, 0))
        ;
    wait_for_helpers(c, items);
}
