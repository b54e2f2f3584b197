/* thread_test.c - the pool runs everything once, refuses what does not fit, and stops cleanly. */
#include "os/thread.c"

#include "base/test.h"

#include <stdatomic.h>

static atomic_int done;

static void count(void *ud)
{
    atomic_fetch_add(&done, *(int *)ud);
}

static void hold(void *ud)
{
    CHECK(event_wait(ud, 10000));
}

TEST(every_job_runs_once_and_free_waits_for_all)
{
    struct pool *p = NULL;
    struct err e = {0};
    int one = 1;

    CHECK_OK(pool_new(&p, "test", 4, 1000, &e), &e);
    for (int i = 0; i < 1000; i++)
        CHECK_OK(pool_submit(p, count, &one, &e), &e);
    pool_free(p);
    CHECK_EQ(atomic_load(&done), 1000);
    pool_free(NULL);
    CHECK_EQ(mem_live_bytes(), 0);
}

TEST(a_full_queue_refuses_at_once)
{
    struct pool *p = NULL;
    struct event *go = event_new();
    struct err e = {0};
    int one = 1, accepted = 0;
    enum rc rc;

    CHECK_OK(pool_new(&p, "a-rather-long-thread-name", 1, 3, &e), &e);
    CHECK_OK(pool_submit(p, hold, go, &e), &e);
    while (pool_backlog(p) > 0) /* until the thread holds it */
        os_sleep_ms(1);
    while ((rc = pool_submit(p, count, &one, &e)) == RC_OK)
        accepted++;
    CHECK_EQ(rc, RC_LIMIT);
    CHECK_EQ(accepted, 3);
    CHECK_EQ(pool_backlog(p), 3);
    event_set(go);
    pool_free(p);
    CHECK_EQ(atomic_load(&done), 3);
    event_free(go);
}

TEST(an_event_wakes_its_waiters_and_times_out)
{
    struct event *v = event_new();
    struct pool *p = NULL;
    struct err e = {0};
    int64_t start = os_mono_ms();

    CHECK(!event_is_set(v) && !event_wait(v, 0));
    CHECK(!event_wait(v, 50));
    CHECK(os_mono_ms() - start >= 50);
    CHECK_OK(pool_new(&p, "waiters", 3, 3, &e), &e);
    for (int i = 0; i < 3; i++)
        CHECK_OK(pool_submit(p, hold, v, &e), &e);
    event_set(v);
    pool_free(p);
    CHECK(event_is_set(v) && event_wait(v, -1) && event_wait(v, INT64_MAX));
    event_clear(v);
    CHECK(!event_is_set(v));
    event_free(v);
    event_free(NULL);
    CHECK_EQ(mem_live_bytes(), 0);
}

static void signals_blocked(void *ud)
{
    sigset_t now;

    pthread_sigmask(SIG_SETMASK, NULL, &now);
    *(bool *)ud = sigismember(&now, SIGTERM) == 1 && sigismember(&now, SIGINT) == 1;
}

TEST(pool_threads_leave_signals_to_the_main_thread)
{
    struct pool *p = NULL;
    bool blocked = false;
    sigset_t ours;
    struct err e = {0};

    CHECK_OK(pool_new(&p, "t", 1, 1, &e), &e);
    CHECK_OK(pool_submit(p, signals_blocked, &blocked, &e), &e);
    pool_free(p);
    CHECK(blocked);
    pthread_sigmask(SIG_SETMASK, NULL, &ours);
    CHECK(sigismember(&ours, SIGTERM) == 0);
}

TEST(each_allocation_may_fail)
{
    bool fired = true;

    for (long at = 0; fired; at++) {
        struct pool *p = NULL;
        struct err e = {0};
        mem_fail_at(at);
        enum rc rc = pool_new(&p, "x", 2, 4, &e);
        fired = mem_fail_disarm();
        CHECK_EQ(rc, fired ? RC_NOMEM : RC_OK);
        CHECK_EQ(p == NULL, fired);
        pool_free(p);
        CHECK_EQ(mem_live_bytes(), 0);
    }
    mem_fail_at(0);
    CHECK(!event_new());
    CHECK(mem_fail_disarm());
}
