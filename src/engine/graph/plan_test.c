/* plan_test.c - buffers alive together never overlap; those that are not share. */
#include "engine/graph/plan.c"

#include "base/hash.h"
#include "base/test.h"

TEST(random_lifetimes_never_overlap_in_memory)
{
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct plan p = {0};
        struct err e;
        for (uint64_t i = 0; i < 60; i++) {
            const int b = plan_add(&p, 1 + rand_at(seed, i, 0, 0) % 100000);
            const int first = (int)(rand_at(seed, i, 1, 0) % 40);
            plan_use(&p, b, first + (int)(rand_at(seed, i, 2, 0) % 10));
            plan_use(&p, b, first);
        }
        CHECK_OK(plan_layout(&p, &e), &e);
        for (size_t i = 0; i < p.buffers.n; i++) {
            const struct plan_buffer *a = &p.buffers.p[i];
            CHECK(a->offset % PLAN_ALIGN == 0 && a->offset + a->bytes <= p.bytes);
            for (size_t j = 0; j < i; j++) {
                const struct plan_buffer *b = &p.buffers.p[j];
                CHECK(!alive_together(a, b) || a->offset + a->bytes <= b->offset ||
                      b->offset + b->bytes <= a->offset);
            }
        }
        CHECK(p.bytes <= p.bytes_unshared);
        plan_done(&p);
    }
}

TEST(buffers_of_different_times_share_and_unused_ones_take_nothing)
{
    struct plan p = {0};
    struct err e;

    for (int i = 0; i < 10; i++)
        plan_use(&p, plan_add(&p, PLAN_ALIGN), i);
    plan_add(&p, 1u << 30);
    CHECK_OK(plan_layout(&p, &e), &e);
    CHECK_EQ(p.bytes, PLAN_ALIGN);
    CHECK_EQ(p.bytes_unshared, 10 * PLAN_ALIGN);
    plan_done(&p);
}

TEST(no_memory_while_adding_is_reported_at_the_end)
{
    struct plan p = {0};
    struct err e;

    mem_fail_at(0);
    plan_use(&p, plan_add(&p, 100), 3);
    CHECK(mem_fail_disarm());
    CHECK_EQ(plan_layout(&p, &e), RC_NOMEM);
    plan_done(&p);
}
