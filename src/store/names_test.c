/* names_test.c - names, ranges, tags and dates at their edges. */
#include "store/names.c"

#include "base/test.h"

TEST(bucket_names_follow_the_rules)
{
    static const char *const good[] = {
        "abc", "a-b.c", "0ab", "my.bucket.1",
        "a23456789012345678901234567890123456789012345678901234567890123"};
    static const char *const bad[] = {
        "",         "ab",
        "Abc",      "a_b",
        "-abc",     "abc-",
        ".abc",     "abc.",
        "a..b",     "1.2.3.4",
        "a/b",      "xn--a1",
        "sthree-a", "a-s3alias",
        "a--ol-s3", "a234567890123456789012345678901234567890123456789012345678901234"};

    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (!bucket_name_ok(str_of(good[i])))
            test_fail(__FILE__, __LINE__, "'%s' is refused", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (bucket_name_ok(str_of(bad[i])))
            test_fail(__FILE__, __LINE__, "'%s' is taken", bad[i]);
}

TEST(keys_are_utf8_of_bounded_length)
{
    char long_key[STORE_KEY_BYTES_MAX + 1];

    memset(long_key, 'k', sizeof long_key);
    CHECK(key_ok(STR("a/b//c \xed\x95\x9c")));
    CHECK(key_ok((str){long_key, STORE_KEY_BYTES_MAX}));
    CHECK(!key_ok((str){long_key, STORE_KEY_BYTES_MAX + 1}));
    CHECK(!key_ok(STR("")));
    CHECK(!key_ok(STR("a\xff")));
    CHECK(!key_ok(STR("a\0b")));
}

TEST(ranges_at_their_edges)
{
    static const struct {
        const char *header;
        uint64_t size;
        enum range_kind kind;
        uint64_t at, n;
    } rows[] = {
        {"bytes=0-9", 100, RANGE_PART, 0, 10},
        {"bytes=0-0", 100, RANGE_PART, 0, 1},
        {"bytes=99-", 100, RANGE_PART, 99, 1},
        {"bytes=99-200", 100, RANGE_PART, 99, 1},
        {"bytes=100-", 100, RANGE_OUTSIDE, 0, 0},
        {"bytes=100-100", 100, RANGE_OUTSIDE, 0, 0},
        {"bytes=-1", 100, RANGE_PART, 99, 1},
        {"bytes=-100", 100, RANGE_PART, 0, 100},
        {"bytes=-200", 100, RANGE_PART, 0, 100},
        {"bytes=-0", 100, RANGE_OUTSIDE, 0, 0},
        {"bytes=0-", 0, RANGE_OUTSIDE, 0, 0},
        {"bytes=-5", 0, RANGE_OUTSIDE, 0, 0},
        {"bytes=0-18446744073709551615", 100, RANGE_PART, 0, 100},
        {"bytes=0-18446744073709551616", 100, RANGE_NONE, 0, 0},
        {"bytes=9-0", 100, RANGE_NONE, 0, 0},
        {"bytes=0-1,5-6", 100, RANGE_NONE, 0, 0},
        {"bytes=", 100, RANGE_NONE, 0, 0},
        {"bytes=-", 100, RANGE_NONE, 0, 0},
        {"bytes=a-b", 100, RANGE_NONE, 0, 0},
        {"bytes=--1", 100, RANGE_NONE, 0, 0},
        {"rows=0-9", 100, RANGE_NONE, 0, 0},
        {"", 100, RANGE_NONE, 0, 0},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint64_t at = 0, n = 0;
        enum range_kind k = range_parse(str_of(rows[i].header), rows[i].size, &at, &n);
        if (k != rows[i].kind || (k == RANGE_PART && (at != rows[i].at || n != rows[i].n)))
            test_fail(__FILE__, __LINE__, "'%s' of %llu gives %d %llu %llu", rows[i].header,
                      (unsigned long long)rows[i].size, k, (unsigned long long)at,
                      (unsigned long long)n);
    }
}

TEST(entity_tags_match_quoted_bare_and_weak)
{
    CHECK(etag_listed(STR("\"abc\""), STR("abc")));
    CHECK(etag_listed(STR("\"x\", W/\"abc\""), STR("abc")));
    CHECK(etag_listed(STR("abc"), STR("abc")));
    CHECK(etag_listed(STR("*"), STR("abc")));
    CHECK(!etag_listed(STR("\"abcd\", \"ab\""), STR("abc")));
    CHECK(!etag_listed(STR(""), STR("abc")));
}

TEST(http_dates_go_and_come_back)
{
    char text[HTTP_DATE_TEXT];
    int64_t t;

    http_date_text(1369353600, text);
    CHECK_STR(str_of(text), "Fri, 24 May 2013 00:00:00 GMT");
    CHECK(http_date_parse(str_of(text), &t));
    CHECK_EQ(t, 1369353600);
    CHECK(!http_date_parse(STR("Sat, 24 May 2013 00:00:00 GMT"), &t)); /* it was a Friday */
    CHECK(!http_date_parse(STR("Fri, 31 Feb 2013 00:00:00 GMT"), &t));
    CHECK(!http_date_parse(STR("Friday, 24-May-13 00:00:00 GMT"), &t));
    CHECK(!http_date_parse(STR(""), &t));
}
