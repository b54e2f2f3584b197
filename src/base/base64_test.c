/* base64_test.c - RFC 4648's own examples, every byte, and texts that are none. */
#include "base/base64.c"

#include "base/test.h"

static struct buf b, back;
static struct err e;

TEST(the_examples_of_the_rfc)
{
    static const char *const rows[][2] = {
        {"", ""},        {"f", "Zg=="},        {"fo", "Zm8="},
        {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"foobar", "Zm9vYmFy"}};

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        buf_init(&b, 1 << 10);
        buf_init(&back, 1 << 10);
        base64_write(rows[i][0], strlen(rows[i][0]), &b);
        CHECK_STR(buf_view(&b), rows[i][1]);
        CHECK_OK(base64_read(buf_view(&b), &back, &e), &e);
        CHECK_STR(buf_view(&back), rows[i][0]);
        buf_done(&b);
        buf_done(&back);
    }
}

TEST(every_byte_comes_back)
{
    uint8_t all[257];

    for (int i = 0; i < 257; i++)
        all[i] = (uint8_t)i;
    buf_init(&b, 1 << 10);
    buf_init(&back, 1 << 10);
    base64_write(all, sizeof all, &b);
    CHECK_OK(base64_read(buf_view(&b), &back, &e), &e);
    CHECK(back.n == sizeof all && memcmp(back.p, all, sizeof all) == 0);
    buf_done(&b);
    buf_done(&back);
}

TEST(what_is_not_base64_is_refused)
{
    static const char *const bad[] = {"Zg=",      "Zg",   "Z===",   "====", "Zh==",      "Zm9=",
                                      "Zg==Zg==", "Zm 9", "Zm9v\n", "Zm-_", "\xc3\xa4gg"};

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        buf_init(&b, 1 << 10);
        if (base64_read(str_of(bad[i]), &b, &e) != RC_INVALID)
            test_fail(__FILE__, __LINE__, "'%s' was taken", bad[i]);
        buf_done(&b);
    }
}
