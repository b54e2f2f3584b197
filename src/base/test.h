/* test.h - the unit test harness.  x_test.c includes x.c, so statics are reachable, and defines
 *
 *     TEST(parser_refuses_a_hundred_levels) { ... CHECK(x); CHECK_EQ(a, b); CHECK_STR(s, "..."); }
 *
 * base/test.c holds main(): it runs every TEST of the program in order, each with a watchdog,
 * and closes with "NAME: N passed, N failed".  A failed CHECK ends its test. */
#ifndef ANNEAL_BASE_TEST_H
#define ANNEAL_BASE_TEST_H

#include "base/str.h"

struct test_case {
    const char *name;
    void (*run)(void);
    struct test_case *next;
};
void test_register(struct test_case *t);
_Noreturn void test_fail(const char *file, int line, const char *fmt, ...) printf_like(3, 4);
/* A fresh empty directory, removed after the test. */
const char *test_dir(void);

#define TEST(id)                                                                                   \
    static void test_##id(void);                                                                   \
    __attribute__((constructor)) static void reg_##id(void)                                        \
    {                                                                                              \
        static struct test_case t = {#id, test_##id, 0};                                           \
        test_register(&t);                                                                         \
    }                                                                                              \
    static void test_##id(void)

#define CHECK(x) ((x) ? (void)0 : test_fail(__FILE__, __LINE__, "%s", #x))
#define CHECK_EQ(a, b)                                                                             \
    do {                                                                                           \
        long long a_ = (long long)(a), b_ = (long long)(b);                                        \
        if (a_ != b_)                                                                              \
            test_fail(__FILE__, __LINE__, "%s is %lld, %s is %lld", #a, a_, #b, b_);               \
    } while (0)
#define CHECK_STR(s, lit)                                                                          \
    do {                                                                                           \
        str s_ = (s), l_ = str_of(lit);                                                            \
        if (!str_eq(s_, l_))                                                                       \
            test_fail(__FILE__, __LINE__, "%s is '%.*s', not '%.*s'", #s, STR_F(s_), STR_F(l_));   \
    } while (0)
/* rc must be RC_OK; prints the error text. */
#define CHECK_OK(rc, err)                                                                          \
    do {                                                                                           \
        if ((rc) != RC_OK)                                                                         \
            test_fail(__FILE__, __LINE__, "%s: %s", #rc, (err)->text);                             \
    } while (0)

#endif
