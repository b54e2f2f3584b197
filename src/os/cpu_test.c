/* cpu_test.c - a thread really keeps off a processor; what cannot be is refused. */
#include "os/cpu.c"

#include "base/test.h"

struct place {
    pthread_mutex_t lock;
    pthread_cond_t moved;
    bool away;
    int cpu;
};

static void *tell_place(void *ud)
{
    struct place *p = ud;

    pthread_mutex_lock(&p->lock);
    while (!p->away)
        pthread_cond_wait(&p->moved, &p->lock);
    pthread_mutex_unlock(&p->lock);
    p->cpu = os_cpu_now();
    return NULL;
}

TEST(a_thread_keeps_off_a_processor)
{
    struct place p = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, -1};
    struct os_cpus allowed, one = {.count = 1};
    const int cpu = os_cpu_now();
    pthread_t t;

    CHECK(os_cpus_allowed(&allowed) && allowed.count >= 1 && cpu >= 0);
    one.bits[cpu / 64] = 1ull << cpu % 64;
    CHECK(!os_thread_avoid(pthread_self(), &one, cpu)); /* nothing would be left */
    CHECK(!os_thread_avoid(pthread_self(), &allowed, -1));
    CHECK(pthread_create(&t, NULL, tell_place, &p) == 0);
    CHECK(os_thread_avoid(t, &allowed, cpu) == (allowed.count > 1));
    pthread_mutex_lock(&p.lock);
    p.away = true;
    pthread_cond_signal(&p.moved);
    pthread_mutex_unlock(&p.lock);
    CHECK(pthread_join(t, NULL) == 0);
    CHECK(allowed.count == 1 || p.cpu != cpu);
}
