/* mem_test.c - counts are exact, limits are refused, and the n-th allocation can be made to fail.
 */
#include "base/mem.c"

#include "base/test.h"

#include <pthread.h>

TEST(live_bytes_follow_every_call)
{
    size_t before = mem_live_bytes(), count = mem_total_count();
    char *a = mem_alloc(10), *b = mem_zalloc(0), *c = mem_strndup("hello", 4);

    CHECK(a && b && c);
    CHECK_STR(str_of(c), "hell");
    CHECK_EQ(mem_live_bytes() - before, 10 + 0 + 5);
    memset(a, 7, 10);
    a = mem_realloc(a, 1000);
    CHECK(a && a[9] == 7);
    CHECK_EQ(mem_live_bytes() - before, 1000 + 5);
    a = mem_realloc(a, 3);
    CHECK_EQ(mem_live_bytes() - before, 3 + 5);
    mem_free(a);
    mem_free(b);
    mem_free(c);
    mem_free(NULL);
    CHECK_EQ(mem_live_bytes(), before);
    CHECK_EQ(mem_total_count() - count, 5);
}

TEST(sizes_that_cannot_be_are_refused)
{
    volatile size_t big = SIZE_MAX; /* the compiler would warn of a constant */
    char *p = mem_alloc(4);

    CHECK(!mem_alloc(big) && !mem_zalloc(big) && !mem_alloc(big / 2));
    CHECK(!mem_alloc_array(big / 2, 3) && !mem_alloc_aligned(4096, big));
    CHECK(!mem_realloc(p, big));
    CHECK(!mem_strndup("", big));
    mem_free(p);
}

TEST(aligned_blocks_are_aligned_and_zero)
{
    for (size_t align = 16; align <= 1 << 16; align *= 2) {
        char *p = mem_alloc_aligned(align, 1000);
        CHECK(p && ((uintptr_t)p & (align - 1)) == 0);
        for (int i = 0; i < 1000; i++)
            CHECK_EQ(p[i], 0);
        memset(p, 1, 1000);
        mem_free(p);
    }
    CHECK_EQ(mem_live_bytes(), 0);
}

TEST(the_nth_allocation_fails_once)
{
    void *p[4];

    mem_fail_at(2);
    for (int i = 0; i < 4; i++)
        p[i] = mem_alloc(1);
    CHECK(p[0] && p[1] && !p[2] && p[3]);
    CHECK(mem_fail_disarm());
    CHECK(!mem_fail_disarm());
    for (int i = 0; i < 4; i++)
        mem_free(p[i]);
    mem_fail_at(0);
    p[0] = mem_zalloc(3);
    CHECK(!p[0] && mem_fail_disarm());
    p[0] = mem_alloc(3);
    mem_fail_at(0);
    CHECK(!mem_realloc(p[0], 10)); /* p[0] stays valid */
    CHECK(mem_fail_disarm());
    mem_fail_at(5);
    CHECK(!mem_fail_disarm()); /* it did not come to that */
    mem_free(p[0]);
}

static void *churn(void *ud)
{
    for (int i = 0; i < 2000; i++) {
        char *p = mem_alloc((size_t)i);
        p = mem_realloc(p, (size_t)i + 8);
        mem_free(p);
    }
    return ud;
}

TEST(counts_are_exact_across_threads)
{
    size_t before = mem_live_bytes(), count = mem_total_count();
    pthread_t t[4];

    for (int i = 0; i < 4; i++)
        CHECK_EQ(pthread_create(&t[i], NULL, churn, NULL), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(t[i], NULL);
    CHECK_EQ(mem_live_bytes(), before);
    CHECK_EQ(mem_total_count() - count, 4 * 2000 * 2);
}
