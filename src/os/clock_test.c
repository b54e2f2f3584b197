/* clock_test.c - clocks run forward, time is written as RFC 3339, ids sort by time. */
#include "os/clock.c"
#include "os/random.c"

#include "base/test.h"

#include <string.h>

static str text_of(int64_t ms)
{
    static char text[OS_TIME_TEXT];

    os_time_text(ms, text);
    return str_of(text);
}

TEST(time_is_written_as_rfc_3339)
{
    CHECK_STR(text_of(0), "1970-01-01T00:00:00.000Z");
    CHECK_STR(text_of(1582934400123), "2020-02-29T00:00:00.123Z");
    CHECK_STR(text_of(-1), "1969-12-31T23:59:59.999Z");
    CHECK_STR(text_of(253402300799999), "9999-12-31T23:59:59.999Z");
    CHECK_STR(text_of(INT64_MAX), "9999-12-31T23:59:59.999Z");
    CHECK_STR(text_of(INT64_MIN), "0000-01-01T00:00:00.000Z");
}

TEST(clocks_run_forward_and_sleep_takes_its_time)
{
    int64_t ns = os_mono_ns(), wall = os_now_ms();

    os_sleep_ms(30);
    os_sleep_ms(0);
    os_sleep_ms(-5);
    CHECK(os_mono_ns() - ns >= 30 * 1000000);
    CHECK(wall > 1700000000000 && os_now_ms() >= wall);
    CHECK(os_mono_ms() >= ns / 1000000);
}

TEST(ids_are_unique_and_sort_by_time)
{
    char a[OS_ID_TEXT], b[OS_ID_TEXT];

    os_id(a);
    CHECK_EQ(strlen(a), 26);
    CHECK(a[0] >= '0' && a[0] <= '7'); /* 128 bits in 130 */
    for (int i = 0; i < 26; i++)
        CHECK(strchr("0123456789abcdefghjkmnpqrstvwxyz", a[i]));
    for (int i = 0; i < 20; i++) {
        int64_t now = os_now_ms();
        os_id(a);
        while (os_now_ms() <= now + 1)
            os_sleep_ms(1);
        os_id(b);
        CHECK(strcmp(a, b) < 0);
    }
    os_id(a);
    os_id(b);
    CHECK(strcmp(a + 10, b + 10) != 0); /* the random part */
}

TEST(random_bytes_fill_all_and_no_more)
{
    unsigned char p[70000];
    size_t zeros = 0;

    memset(p, 0, sizeof p);
    os_random(p, sizeof p - 1);
    CHECK_EQ(p[sizeof p - 1], 0);
    for (size_t i = 0; i < sizeof p - 1; i++)
        zeros += p[i] == 0;
    CHECK(zeros > 100 && zeros < 500); /* 273 expected */
    os_random(p, 0);
}
