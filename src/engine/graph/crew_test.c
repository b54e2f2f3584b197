/* crew_test.c - every item exactly once, whatever the number of threads, jobs back to back. */
#include "engine/graph/crew.c"

#include "base/test.h"

enum { ITEMS_MAX = 500 };

struct tally {
    atomic_int seen[ITEMS_MAX];
    atomic_int by_thread[8];
    atomic_int entered;
};

static void count_item(void *ud, int item, int thread)
{
    struct tally *t = ud;

    atomic_fetch_add(&t->seen[item], 1);
    atomic_fetch_add(&t->by_thread[thread], 1);
}

static atomic_int entered;

static void enter(void)
{
    atomic_fetch_add(&entered, 1);
}

TEST(every_item_runs_exactly_once_in_thousands_of_jobs)
{
    for (int threads = 1; threads <= 5; threads += 2) {
        struct crew *c = NULL;
        struct err e;
        CHECK_OK(crew_new(&c, threads, NULL, &e), &e);
        CHECK_EQ(crew_threads(c), threads);
        for (int job = 0; job < 2000; job++) {
            struct tally t = {0};
            const int items = job * 7 % (job % 10 ? 20 : ITEMS_MAX);
            int total = 0;
            crew_run(c, items, count_item, &t);
            for (int i = 0; i < ITEMS_MAX; i++)
                CHECK_EQ(t.seen[i], i < items);
            for (int i = 0; i < 8; i++) {
                CHECK(i < threads || t.by_thread[i] == 0);
                total += t.by_thread[i];
            }
            CHECK_EQ(total, items);
        }
        crew_free(c);
    }
}

struct meeting {
    pthread_mutex_t lock;
    pthread_cond_t both;
    int present;
};

static void meet(void *ud, int item, int thread)
{
    struct meeting *m = ud;

    pthread_mutex_lock(&m->lock);
    m->present++;
    pthread_cond_broadcast(&m->both);
    while (m->present < 2)
        pthread_cond_wait(&m->both, &m->lock);
    pthread_mutex_unlock(&m->lock);
}

TEST(two_threads_really_work_at_the_same_time)
{
    struct meeting m = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0};
    struct crew *c = NULL;

    entered = 0;
    CHECK_OK(crew_new(&c, 2, enter, NULL), &(struct err){0});
    crew_run(c, 2, meet, &m); /* neither item can finish without the other */
    CHECK_EQ(entered, 1);     /* the helper; the caller sees to itself */
    crew_free(c);
}

TEST(no_memory_is_an_error)
{
    struct crew *c = NULL;
    struct err e;

    mem_fail_at(0);
    CHECK_EQ(crew_new(&c, 4, NULL, &e), RC_NOMEM);
    CHECK(mem_fail_disarm() && !c);
    crew_free(NULL);
}
