/* utc_test.c - the calendar against libc's, day by day and at its edges. */
#include "base/utc.c"

#include "base/test.h"
#include <time.h>

static void same(int64_t t)
{
    struct utc u = utc_of(t);
    time_t at = (time_t)t;
    struct tm tm;

    gmtime_r(&at, &tm);
    CHECK(u.year == tm.tm_year + 1900 && u.month == (unsigned)tm.tm_mon + 1 &&
          u.day == (unsigned)tm.tm_mday && u.weekday == (unsigned)tm.tm_wday);
    CHECK(u.hour == (unsigned)tm.tm_hour && u.minute == (unsigned)tm.tm_min &&
          u.second == (unsigned)tm.tm_sec);
    CHECK(utc_ok(&u) && utc_seconds(&u) == t);
}

TEST(every_day_of_ten_thousand_years_is_libcs)
{
    const int64_t first = -62167219200, last = 253402300799; /* 0000-01-01 to 9999-12-31 */

    for (int64_t t = first; t <= last; t += 86400 - 7) /* other seconds of the day, too */
        same(t);
    same(first - 1);
    same(last);
    same(last + 1);
    same(0);
    same(-1);
    same(951782399); /* 2000-02-28 23:59:59, and the leap day behind it */
    same(951782400);
    same(951868800);
}

TEST(a_day_that_does_not_exist_is_told)
{
    struct utc u = {.year = 2024, .month = 2, .day = 29, .hour = 23, .minute = 59, .second = 59};

    CHECK(utc_ok(&u));
    u.year = 2023;
    CHECK(!utc_ok(&u));
    u.year = 1900;
    CHECK(!utc_ok(&u));
    u.year = 2000;
    CHECK(utc_ok(&u));
    u.day = 30;
    CHECK(!utc_ok(&u));
    u.day = 0;
    CHECK(!utc_ok(&u));
    u = (struct utc){.year = 2024, .month = 4, .day = 31};
    CHECK(!utc_ok(&u));
    u.day = 30;
    CHECK(utc_ok(&u));
    u.month = 13;
    CHECK(!utc_ok(&u));
    u.month = 0;
    CHECK(!utc_ok(&u));
    u = (struct utc){.year = 2024, .month = 12, .day = 31, .hour = 24};
    CHECK(!utc_ok(&u));
    u = (struct utc){.year = 2016, .month = 12, .day = 31, .hour = 23, .minute = 59, .second = 60};
    CHECK(!utc_ok(&u));
    u.second = 0;
    u.minute = 60;
    CHECK(!utc_ok(&u));
}

TEST(digits_are_the_lowest_ones)
{
    char text[8] = "xxxxxxx";

    utc_digits(text, 1234567, 4);
    CHECK(!memcmp(text, "4567xxx", 8));
    utc_digits(text + 1, 7, 3);
    CHECK(!memcmp(text, "4007xxx", 8));
    utc_digits(text, 9, 0);
    CHECK(!memcmp(text, "4007xxx", 8));
}

TEST(dates_are_read_in_one_form_and_others_are_refused)
{
    static const char *const bad[] = {"",
                                      "2026-01-3",
                                      "2026-01-311",
                                      "2026-02-29",
                                      "2026-13-01",
                                      "2026/01/31",
                                      "26-01-31",
                                      "2026-01-31T12:00:00",
                                      "2026-01-31T12:00:00z",
                                      "2026-01-31 12:00:00Z",
                                      "2026-01-31T12:00Z",
                                      "2026-01-31T24:00:00Z",
                                      "2026-01-31T12:00:60Z",
                                      "2026-01-31T12:00:00.Z",
                                      "2026-01-31T12:00:00.1234567890Z",
                                      "2026-01-31T12:00:00.12+00:00",
                                      "2026-01-31T12:00:00ZZ",
                                      "+026-01-31"};
    struct utc u;
    bool time;

    CHECK(utc_read(STR("2026-01-31"), &u, &time) && !time);
    CHECK_EQ(utc_seconds(&u), 1769817600);
    CHECK(utc_read(STR("2026-01-31T12:34:56Z"), &u, &time) && time);
    CHECK_EQ(utc_seconds(&u), 1769862896);
    CHECK(utc_read(STR("2026-01-31T12:34:56.5Z"), &u, &time) && utc_seconds(&u) == 1769862896);
    CHECK(utc_read(STR("2026-01-31T12:34:56.123456789Z"), &u, &time));
    CHECK(utc_read(STR("2024-02-29"), &u, &time));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (utc_read(str_of(bad[i]), &u, &time))
            test_fail(__FILE__, __LINE__, "'%s' was taken for a date", bad[i]);
}
