/* vec_test.c - growth keeps what is there, failure changes nothing. */
#include "base/vec.c"

#include "base/test.h"

struct pair {
    int a;
    double b;
};

TEST(pushes_keep_order_and_content)
{
    VEC(struct pair) v = {0};

    for (int i = 0; i < 1000; i++)
        CHECK(VEC_PUSH(&v, (struct pair){i, i / 2.0}));
    CHECK_EQ(v.n, 1000);
    for (int i = 0; i < 1000; i++)
        CHECK(v.p[i].a == i && v.p[i].b == i / 2.0);
    VEC_DONE(&v);
    CHECK(!v.p && !v.n && !v.cap);
    CHECK_EQ(mem_live_bytes(), 0);
}

TEST(a_failed_push_changes_nothing)
{
    VEC(int) v = {0};
    size_t pushed = 0;

    mem_fail_at(2); /* the third growth */
    while (VEC_PUSH(&v, (int)pushed))
        pushed++;
    CHECK(mem_fail_disarm());
    CHECK_EQ(v.n, pushed);
    CHECK_EQ(pushed, 16);
    CHECK_EQ(v.p[15], 15);
    CHECK(VEC_PUSH(&v, 16));
    VEC_DONE(&v);
}

TEST(a_size_past_memory_is_refused)
{
    size_t cap = SIZE_MAX / 2 + 1;
    void *p = NULL;

    CHECK(!vec_reserve_(&p, cap, &cap, 1));
    cap = SIZE_MAX / 4;
    CHECK(!vec_reserve_(&p, cap, &cap, 8));
    CHECK(!p);
}
