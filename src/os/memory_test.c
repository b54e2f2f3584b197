/* memory_test.c - the kernel's figures, and what stands in for them. */
#include "os/memory.c"

#include "base/mem.h"
#include "base/test.h"

TEST(available_memory_is_read_from_meminfo)
{
    CHECK_EQ(available_of(STR("MemTotal:       100 kB\nMemAvailable:    7 kB\n")), 7 * 1024);
    CHECK_EQ(available_of(STR("MemTotal:       100 kB\n")), 0);
    CHECK_EQ(available_of(STR("MemAvailable: many kB\n")), 0);
    CHECK_EQ(available_of(STR("MemAvailable: 18446744073709551615 kB\n")), 0);
    CHECK_EQ(available_of(STR("")), 0);
}

TEST(a_container_s_limit_counts)
{
    CHECK_EQ(left_of_group(STR("1000\n"), STR("400\n")), 600);
    CHECK_EQ(left_of_group(STR("1000\n"), STR("1400\n")), 0);
    CHECK(left_of_group(STR("max\n"), STR("400\n")) == UINT64_MAX);
    CHECK(left_of_group(STR_NONE, STR_NONE) == UINT64_MAX);
}

TEST(this_machine_has_some_memory_left)
{
    CHECK(os_memory_available() > 1 << 20);
}
TEST(what_is_given_back_is_still_there)
{
    static int data = 7;
    static const char text[] = "constants come back from the file";
    char *heap = mem_strndup("the heap stays", 14);

    os_memory_give_back(); /* how much: tests/limits/memory.test.ts */
    CHECK_EQ(data, 7);
    CHECK(!strcmp(text, "constants come back from the file"));
    CHECK(heap && !strcmp(heap, "the heap stays"));
    mem_free(heap);
}
