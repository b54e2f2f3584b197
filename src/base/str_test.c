/* str_test.c - cutting, comparing, and numbers at their edges. */
#include "base/str.c"

#include "base/test.h"

#include <stdio.h>

TEST(comparisons_know_length_and_case)
{
    CHECK(str_eq(STR(""), STR_NONE) && str_eq(STR("ab"), STR("ab")) &&
          !str_eq(STR("ab"), STR("abc")));
    CHECK(str_is(STR("x"), "x") && !str_is(STR("x"), "xy") && str_is(STR_NONE, NULL));
    CHECK(str_ieq(STR("Content-TYPE"), STR("content-type")) && !str_ieq(STR("@"), STR("`")));
    CHECK(str_cmp(STR("a"), STR("b")) < 0 && str_cmp(STR("ab"), STR("a")) > 0);
    CHECK(str_cmp(STR("\xff"), STR("a")) > 0 && str_cmp(STR_NONE, STR("")) == 0);
    CHECK(str_starts(STR("abc"), STR("ab")) && !str_starts(STR("a"), STR("ab")));
    CHECK(str_ends(STR("abc"), STR("bc")) && !str_ends(STR("c"), STR("bc")));
    CHECK(str_ends(STR("abc"), STR_NONE) && str_iends(STR("photo.JPG"), STR(".jpg")));
    CHECK_STR(str_of(NULL), "");
}

TEST(pieces_are_clamped_to_the_text)
{
    CHECK_STR(str_sub(STR("hello"), 1, 3), "ell");
    CHECK_STR(str_sub(STR("hello"), 4, SIZE_MAX), "o");
    CHECK_STR(str_sub(STR("hello"), 99, 2), "");
    CHECK_STR(str_trim(STR(" \t\r\n a b \v\f")), "a b");
    CHECK_STR(str_trim(STR("   ")), "");
    CHECK_EQ(str_find(STR("abcabc"), STR("ca")), 2);
    CHECK_EQ(str_find(STR("abc"), STR("")), 0);
    CHECK_EQ(str_find(STR_NONE, STR("x")), -1);
    CHECK_EQ(str_chr(STR("abca"), 'a'), 0);
    CHECK_EQ(str_rchr(STR("abca"), 'a'), 3);
    CHECK_EQ(str_chr(STR_NONE, 'a'), -1);
}

TEST(split_gives_every_piece_also_the_empty_ones)
{
    str rest = STR(",a,,b,"), piece;
    const char *want[] = {"", "a", "", "b", ""};
    int n = 0;

    while (str_next(&rest, ',', &piece)) {
        CHECK(n < 5);
        CHECK_STR(piece, want[n]);
        n++;
    }
    CHECK_EQ(n, 5);
    rest = STR("");
    CHECK(str_next(&rest, ',', &piece) && piece.n == 0 && !str_next(&rest, ',', &piece));
    rest = STR_NONE;
    CHECK(!str_next(&rest, ',', &piece));
}

TEST(lines_lose_their_ends_and_a_last_newline_opens_none)
{
    str rest = STR("a\r\n\nb\n"), line;

    CHECK(str_line(&rest, &line));
    CHECK_STR(line, "a");
    CHECK(str_line(&rest, &line));
    CHECK_STR(line, "");
    CHECK(str_line(&rest, &line));
    CHECK_STR(line, "b");
    CHECK(!str_line(&rest, &line));
    rest = STR("no newline\r");
    CHECK(str_line(&rest, &line));
    CHECK_STR(line, "no newline");
    CHECK(!str_line(&rest, &line));
}

TEST(integers_are_whole_and_in_range)
{
    int64_t i = 5;
    uint64_t u = 5;

    CHECK(str_i64(STR("-9223372036854775808"), &i) && i == INT64_MIN);
    CHECK(str_i64(STR("9223372036854775807"), &i) && i == INT64_MAX);
    CHECK(str_u64(STR("18446744073709551615"), &u) && u == UINT64_MAX);
    CHECK(str_i64(STR("-0"), &i) && i == 0);
    i = 5, u = 5;
    CHECK(!str_i64(STR("9223372036854775808"), &i) && !str_i64(STR("-9223372036854775809"), &i));
    CHECK(!str_u64(STR("18446744073709551616"), &u) && !str_u64(STR("99999999999999999999"), &u));
    CHECK(!str_i64(STR(""), &i) && !str_i64(STR("-"), &i) && !str_i64(STR("+1"), &i));
    CHECK(!str_i64(STR(" 1"), &i) && !str_i64(STR("1 "), &i) && !str_i64(STR("0x1"), &i));
    CHECK(!str_u64(STR("-1"), &u) && !str_i64(STR("--1"), &i) && !str_i64(STR_NONE, &i));
    CHECK(i == 5 && u == 5);
}

TEST(doubles_are_exact_and_free_of_the_locale)
{
    static const struct {
        const char *text;
        double v;
    } rows[] = {
        {"0", 0},
        {"-1.5", -1.5},
        {".5", 0.5},
        {"1.", 1},
        {"1e3", 1000},
        {"1E+3", 1000},
        {"25e-2", 0.25},
        {"0.1", 0.1},
        {"1e22", 1e22},
        {"1e23", 1e23},
        {"5e-324", 5e-324},
        {"1e-400", 0},
        {"1.7976931348623157e308", 1.7976931348623157e308},
        {"9007199254740993", 9007199254740992.0}, /* ties to even */
        {"9007199254740993.00001", 9007199254740994.0},
        {"2.2250738585072011e-308", 2.2250738585072011e-308},
        {"123456789012345678901234567890", 123456789012345678901234567890.0},
        {"1e-99999999999999999999", 0},
        {"0e99999999999999999999", 0},
    };
    static const char *const bad[] = {"",     "-",     ".",     "e1",    "1e",
                                      "1e+",  "1e-+1", "1e+-1", "1..2",  "1.2.3",
                                      " 1",   "1 ",    "+1",    "nan",   "inf",
                                      "0x10", "1,5",   "1e5x",  "1e400", "-1e99999999999999999999",
                                      "1e--5"};
    char big[2000];
    double v;

    setlocale(LC_ALL, "de_DE.UTF-8"); /* where it is installed, the decimal point is a comma */
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (!str_f64(str_of(rows[i].text), &v) || v != rows[i].v)
            test_fail(__FILE__, __LINE__, "'%s' is %.17g", rows[i].text, v);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (str_f64(str_of(bad[i]), &v))
            test_fail(__FILE__, __LINE__, "'%s' was read as %.17g", bad[i], v);
    }
    CHECK(str_f64(STR("-0"), &v) && v == 0 && signbit(v));
    memset(big, '0', sizeof big);
    CHECK(str_f64((str){big, 1023}, &v) && v == 0);
    CHECK(!str_f64((str){big, 1024}, &v));
}

TEST(doubles_read_back_what_printf_wrote)
{
    uint64_t seed = 1;

    for (int i = 0; i < 50000; i++) {
        char text[40];
        double v, back = 0;
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        memcpy(&v, &seed, sizeof v);
        if (!isfinite(v))
            continue;
        int n = snprintf(text, sizeof text, "%.17g", v);
        CHECK(str_f64((str){text, (size_t)n}, &back));
        CHECK(memcmp(&v, &back, sizeof v) == 0);
    }
}

TEST(sizes_and_durations_take_their_units_only)
{
    uint64_t u = 0;
    int64_t ms = 0;

    CHECK(str_bytes_size(STR("64"), &u) && u == 64);
    CHECK(str_bytes_size(STR("10KB"), &u) && u == 10000);
    CHECK(str_bytes_size(STR("10KiB"), &u) && u == 10240);
    CHECK(str_bytes_size(STR("2gib"), &u) && u == UINT64_C(2) << 30);
    CHECK(str_bytes_size(STR("1TB"), &u) && u == UINT64_C(1000000000000));
    CHECK(!str_bytes_size(STR("10 KB"), &u) && !str_bytes_size(STR("KB"), &u));
    CHECK(!str_bytes_size(STR("-1"), &u) && !str_bytes_size(STR("1.5GB"), &u));
    CHECK(!str_bytes_size(STR("99999999999TiB"), &u) && !str_bytes_size(STR("1KBx"), &u));
    CHECK_EQ(u, UINT64_C(1000000000000));
    CHECK(str_duration_ms(STR("250ms"), &ms) && ms == 250);
    CHECK(str_duration_ms(STR("7d"), &ms) && ms == 7 * 86400000);
    CHECK(str_duration_ms(STR("5m"), &ms) && ms == 300000);
    CHECK(!str_duration_ms(STR("5"), &ms) && !str_duration_ms(STR("5M"), &ms));
    CHECK(!str_duration_ms(STR("-5s"), &ms) && !str_duration_ms(STR("9223372036854775807s"), &ms));
    CHECK_EQ(ms, 300000);
}

TEST(utf8_follows_rfc_3629)
{
    static const char *const good[] = {"",
                                       "plain",
                                       "\xC2\x80",
                                       "\xDF\xBF",
                                       "\xE0\xA0\x80",
                                       "\xED\x9F\xBF",
                                       "\xEE\x80\x80",
                                       "\xEF\xBF\xBF",
                                       "\xF0\x90\x80\x80",
                                       "\xF4\x8F\xBF\xBF"};
    static const char *const bad[] = {"\x80",
                                      "\xC0\xAF",
                                      "\xC1\xBF",
                                      "\xE0\x9F\xBF",
                                      "\xED\xA0\x80",
                                      "\xF0\x8F\xBF\xBF",
                                      "\xF4\x90\x80\x80",
                                      "\xF5\x80\x80\x80",
                                      "\xFF",
                                      "\xC2",
                                      "\xE1\x80",
                                      "\xF1\x80\x80",
                                      "a\xE1\x80z",
                                      "\xC2\xC2\x80"};

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        CHECK(str_utf8_ok(str_of(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CHECK(!str_utf8_ok(str_of(bad[i])));
    CHECK(!str_utf8_ok((str){"a\0b", 3}));
    CHECK_EQ(str_utf8_at("\xED\x95\x9C", 3), 3);
    CHECK_EQ(str_utf8_at("\xED\x95\x9C", 2), 0);
    CHECK_EQ(str_utf8_at("", 0), 0);
}
