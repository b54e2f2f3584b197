/* buf_test.c - growth, the ceiling, and errors that stick. */
#include "base/buf.c"

#include "base/test.h"

TEST(appends_of_every_kind_add_up)
{
    struct buf b;

    buf_init(&b, 1 << 20);
    CHECK_STR(str_of(b.p), "");
    buf_puts(&b, "ab");
    buf_putc(&b, 'c');
    buf_str(&b, STR("de"));
    buf_str(&b, STR_NONE);
    buf_printf(&b, "%d%%", 7);
    buf_printf(&b, "%s", "");
    buf_hex(&b, "\x00\xab\xff", 3);
    memcpy(buf_grow(&b, 2), "xy", 2);
    CHECK_STR(buf_view(&b), "abcde7%00abffxy");
    CHECK_EQ(b.p[b.n], 0);
    buf_drop_front(&b, 5);
    CHECK_STR(str_of(b.p), "7%00abffxy");
    buf_drop_front(&b, 1000);
    CHECK_STR(str_of(b.p), "");
    CHECK_EQ(buf_ok(&b, NULL), RC_OK);
    buf_done(&b);
    CHECK_EQ(mem_live_bytes(), 0);
}

TEST(the_ceiling_is_exact)
{
    for (size_t max = 0; max < 200; max++) {
        struct buf b;
        struct err e = {0};
        buf_init(&b, max);
        for (size_t i = 0; i < max; i++)
            buf_putc(&b, 'x');
        CHECK_OK(buf_ok(&b, &e), &e);
        CHECK_EQ(b.n, max);
        buf_putc(&b, 'y');
        CHECK_EQ(buf_ok(&b, &e), RC_TOO_LARGE);
        CHECK_EQ(b.n, max);
        buf_clear(&b);
        buf_putc(&b, 'z');
        CHECK_EQ(buf_ok(&b, NULL), max ? RC_OK : RC_TOO_LARGE);
        buf_done(&b);
    }
}

TEST(an_error_sticks_until_clear)
{
    struct buf b;
    struct err e = {0};
    size_t n = 99;

    buf_init(&b, 4);
    buf_puts(&b, "abc");
    buf_puts(&b, "de"); /* too long: nothing of it is added */
    buf_puts(&b, "d");
    buf_printf(&b, "%d", 1);
    CHECK_STR(buf_view(&b), "abc");
    CHECK(!buf_grow(&b, 0) && !buf_take(&b, &n));
    CHECK_EQ(n, 99);
    CHECK_EQ(buf_ok(&b, &e), RC_TOO_LARGE);
    CHECK(str_find(str_of(e.text), STR("4 bytes")) >= 0);
    buf_clear(&b);
    buf_puts(&b, "wxyz");
    CHECK_STR(buf_view(&b), "wxyz");
    buf_done(&b);
}

TEST(take_gives_the_memory_away)
{
    struct buf b;
    size_t n = 0;
    char *p;

    buf_init(&b, 100);
    p = buf_take(&b, &n); /* empty, and still memory of its own */
    CHECK(p && n == 0 && p[0] == 0);
    mem_free(p);
    buf_puts(&b, "hello");
    p = buf_take(&b, &n);
    CHECK_EQ(n, 5);
    CHECK_STR(str_of(p), "hello");
    CHECK_EQ(b.n, 0);
    buf_puts(&b, "again");
    CHECK_STR(str_of(p), "hello");
    mem_free(p);
    buf_done(&b);
    CHECK_EQ(mem_live_bytes(), 0);
}

static void fill(struct buf *b)
{
    for (int i = 0; i < 300; i++) {
        buf_printf(b, "%d,", i);
        buf_puts(b, "some text ");
        buf_hex(b, &i, sizeof i);
    }
}

TEST(each_allocation_may_fail)
{
    bool fired = true;
    long at;

    for (at = 0; fired; at++) {
        struct buf b;
        struct err e = {0};
        buf_init(&b, 1 << 20);
        mem_fail_at(at);
        fill(&b);
        fired = mem_fail_disarm();
        CHECK_EQ(buf_ok(&b, &e), fired ? RC_NOMEM : RC_OK);
        CHECK_EQ(b.p[b.n], 0);
        buf_done(&b);
        CHECK_EQ(mem_live_bytes(), 0);
    }
    CHECK(at > 4);
}
