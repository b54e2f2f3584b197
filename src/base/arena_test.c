/* arena_test.c - zeroed and aligned memory, a ceiling that holds, one free for all. */
#include "base/arena.c"

#include "base/test.h"

TEST(memory_is_zero_and_aligned_also_after_reset)
{
    struct arena a;

    arena_init(&a, 64 << 20);
    for (int round = 0; round < 3; round++) {
        for (size_t n = 0; n < 5000; n += 37) {
            char *p = arena_alloc(&a, n);
            CHECK(p && ((uintptr_t)p & 15) == 0);
            for (size_t i = 0; i < n; i++)
                CHECK_EQ(p[i], 0);
            memset(p, 0xff, n);
        }
        arena_reset(&a);
        CHECK_EQ(a.used_bytes, 0);
        CHECK(a.head && !a.head->next);
    }
    arena_done(&a);
    CHECK_EQ(mem_live_bytes(), 0);
}

TEST(the_ceiling_holds_and_the_arena_stays_usable)
{
    struct arena a;

    arena_init(&a, 1000);
    CHECK(arena_alloc(&a, 900));
    CHECK(!arena_alloc(&a, 101));
    CHECK(arena_alloc(&a, 16));
    CHECK(!arena_alloc(&a, SIZE_MAX));
    CHECK(!arena_array(&a, SIZE_MAX / 4, 8));
    CHECK(!arena_str(&a, (str){"", SIZE_MAX / 2}).p);
    arena_done(&a);
    CHECK(arena_alloc(&a, 1000 - 8)); /* as after init */
    arena_done(&a);
}

TEST(large_requests_do_not_waste_the_small_chunk)
{
    struct arena a;
    char *small, *next;

    arena_init(&a, SIZE_MAX);
    small = arena_alloc(&a, 16);
    CHECK(arena_alloc(&a, 8 << 20));
    next = arena_alloc(&a, 16);
    CHECK(next == small + 16);
    CHECK(mem_live_bytes() < (8 << 20) + 16384);
    arena_done(&a);
    CHECK_EQ(mem_live_bytes(), 0);
}

#ifdef ARENA_HIDES
TEST(bytes_past_a_piece_are_poisoned)
{
    struct arena a;
    char *p;

    arena_init(&a, 1 << 20);
    for (int round = 0; round < 2; round++) {
        p = arena_alloc(&a, 20);
        CHECK(!__asan_address_is_poisoned(p + 19) && __asan_address_is_poisoned(p + 20));
        CHECK(__asan_address_is_poisoned(p + 32));
        arena_reset(&a);
        CHECK(__asan_address_is_poisoned(p));
    }
    arena_done(&a);
}
#endif

TEST(text_copies_end_in_nul)
{
    struct arena a;
    str s, none;

    arena_init(&a, 1 << 16);
    s = arena_str(&a, (str){"abcdef", 3});
    CHECK_STR(s, "abc");
    CHECK_EQ(s.p[3], 0);
    none = arena_str(&a, STR_NONE);
    CHECK(none.p && none.n == 0 && none.p[0] == 0);
    CHECK_STR(str_of(arena_printf(&a, "%s-%05d", "x", 42)), "x-00042");
    arena_done(&a);
}

TEST(a_failing_heap_gives_null_and_no_leak)
{
    struct arena a;

    arena_init(&a, 1 << 20);
    mem_fail_at(0);
    CHECK(!arena_alloc(&a, 1));
    CHECK(mem_fail_disarm());
    CHECK(arena_alloc(&a, 1));
    mem_fail_at(0);
    CHECK(!arena_alloc(&a, 100000));
    CHECK(mem_fail_disarm());
    CHECK(arena_alloc(&a, 1));
    arena_done(&a);
    CHECK_EQ(mem_live_bytes(), 0);
}
