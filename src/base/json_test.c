/* json_test.c - what the JSON writer, the pull reader and the tree promise. */
#include "base/json_read.c"
#include "base/json_tree.c"
#include "base/json_write.c"

#include "base/test.h"

#include <stdlib.h>

/* ---- helpers: one text, read by the tree and, in pieces, by the pull reader */

struct pieces {
    str text;
    size_t at, step;
    size_t fail_at; /* offset where fill fails; 0: nowhere */
};

static enum rc pieces_fill(void *ud, void *p, size_t cap, size_t *ret_n, struct err *e)
{
    struct pieces *s = ud;
    str part = str_sub(s->text, s->at, s->step < cap ? s->step : cap);

    if (s->fail_at && s->at >= s->fail_at)
        return err_set(e, RC_UPSTREAM, "the source failed");
    if (part.n)
        memcpy(p, part.p, part.n);
    s->at += part.n;
    *ret_n = part.n;
    return RC_OK;
}

static enum rc pull_all(str text, size_t step, struct err *e)
{
    struct pieces s = {text, 0, step, 0};
    enum jr_event event = JR_NULL;
    struct jr *r;
    enum rc rc = jr_new(&r, 1 << 20, pieces_fill, &s, e);

    while (!rc && event != JR_END)
        rc = jr_next(r, &event, e);
    if (rc) {
        enum jr_event again = JR_END;
        CHECK_EQ(jr_next(r, &again, NULL), rc); /* a failed reader stays failed */
    }
    jr_free(r);
    return rc;
}

static enum rc tree_of(struct arena *a, str text, const struct json **ret, struct err *e)
{
    return json_parse(a, text, NULL, ret, e);
}

static void refused(str text, const char *why)
{
    struct arena a;
    struct err e = {0}, pull = {0};
    const struct json *v = NULL;

    arena_init(&a, 1 << 20);
    if (tree_of(&a, text, &v, &e) == RC_OK)
        test_fail(__FILE__, __LINE__, "was read: %.*s", STR_F(text));
    CHECK(!v);
    CHECK_EQ(e.rc, RC_INVALID);
    if (!str_starts(str_of(e.text), STR("line ")) || str_find(str_of(e.text), str_of(why)) < 0)
        test_fail(__FILE__, __LINE__, "'%.*s': %s (not: %s)", STR_F(text), e.text, why);
    if (str_find(str_of(why), STR("twice")) < 0) {
        for (size_t step = 1; step < 4; step++) {
            CHECK_EQ(pull_all(text, step, &pull), RC_INVALID);
            CHECK_STR(str_of(pull.text), e.text);
        }
    }
    arena_done(&a);
}

static void accepted(str text)
{
    struct arena a;
    struct err e = {0};
    const struct json *v = NULL;

    arena_init(&a, 1 << 20);
    if (tree_of(&a, text, &v, &e) != RC_OK)
        test_fail(__FILE__, __LINE__, "'%.*s': %s", STR_F(text), e.text);
    for (size_t step = 1; step < 4; step++)
        CHECK_OK(pull_all(text, step, &e), &e);
    arena_done(&a);
}

/* ---- writer */

TEST(tree_reads_what_the_writer_wrote)
{
    struct arena a;
    struct buf b;
    struct jw w;
    struct err e = {0};
    const struct json *v = NULL;

    arena_init(&a, 1 << 20);
    buf_init(&b, 1 << 20);
    jw_init(&w, &b);
    jw_obj(&w);
    jw_kcstr(&w, "name", "a \"b\"\\\n\x01 \xED\x95\x9C");
    jw_kint(&w, "n", INT64_MIN);
    jw_knum(&w, "x", 0.1);
    jw_karr(&w, "list");
    jw_null(&w);
    jw_bool(&w, true);
    jw_num(&w, NAN);
    jw_num(&w, -INFINITY);
    jw_arr_end(&w);
    jw_kobj(&w, "empty");
    jw_obj_end(&w);
    jw_kraw(&w, "raw", STR("[1, 2]"));
    jw_kcstr(&w, "none", NULL);
    jw_kbool(&w, "no", false);
    jw_obj_end(&w);
    CHECK_EQ(w.depth, 0);
    CHECK_STR(buf_view(&b),
              "{\"name\":\"a \\\"b\\\"\\\\\\n\\u0001 \xED\x95\x9C\",\"n\":-9223372036854775808,"
              "\"x\":0.1,\"list\":[null,true,null,null],\"empty\":{},\"raw\":[1, 2],\"none\":null,"
              "\"no\":false}");
    CHECK_OK(tree_of(&a, buf_view(&b), &v, &e), &e);
    CHECK_STR(json_str(v, "name", STR_NONE), "a \"b\"\\\n\x01 \xED\x95\x9C");
    CHECK_EQ(json_int(v, "n", 0), INT64_MIN);
    CHECK(json_num(v, "x", 0) == 0.1);
    CHECK_EQ(json_get(v, "list")->list.count, 4);
    CHECK_STR(json_get(v, "list")->raw, "[null,true,null,null]");
    CHECK_STR(v->raw, b.p);
    buf_done(&b);
    arena_done(&a);
}

TEST(writer_replaces_invalid_utf8)
{
    struct buf b;
    struct jw w;

    buf_init(&b, 1000);
    jw_init(&w, &b);
    jw_str(&w, STR("a\xff\xC2z\xED\xA0\x80\xE1\x80"));
    CHECK_STR(buf_view(&b), "\"a\xEF\xBF\xBD\xEF\xBF\xBDz\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"
                            "\xEF\xBF\xBD\xEF\xBF\xBD\"");
    CHECK(str_utf8_ok(buf_view(&b)));
    buf_done(&b);
}

static void number_text(double v, const char *want)
{
    struct buf b;
    struct jw w;

    buf_init(&b, 1000);
    jw_init(&w, &b);
    jw_num(&w, v);
    CHECK_STR(buf_view(&b), want);
    buf_done(&b);
}

TEST(writer_takes_the_shortest_number_that_reads_back)
{
    uint64_t seed = 3;

    number_text(0, "0");
    number_text(-0.0, "-0.0");
    number_text(3, "3");
    number_text(1e300, "1e+300");
    number_text(0.1 + 0.2, "0.30000000000000004");
    number_text(5e-324, "4.94065645841247e-324");
    number_text(1.0 / 3, "0.3333333333333333");
    number_text(1e21, "1e+21");
    for (int i = 0; i < 30000; i++) {
        struct arena a;
        struct buf b;
        struct jw w;
        const struct json *v = NULL;
        double x, back;
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        memcpy(&x, &seed, sizeof x);
        if (!isfinite(x))
            continue;
        buf_init(&b, 100);
        arena_init(&a, 10000);
        jw_init(&w, &b);
        jw_num(&w, x);
        CHECK_EQ(json_parse(&a, buf_view(&b), NULL, &v, NULL), RC_OK);
        back = v->type == JSON_INT ? (double)v->i : v->f;
        CHECK(memcmp(&x, &back, sizeof x) == 0);
        arena_done(&a);
        buf_done(&b);
    }
}

/* ---- reader and tree: what is refused, and where */

TEST(parser_refuses_a_hundred_levels)
{
    char text[201];

    memset(text, '[', 100);
    memset(text + 100, ']', 100);
    refused((str){text, 200}, "line 1, column 65: lists are nested deeper than 64 levels");
    text[3] = '\n'; /* one level less before the 65th, and the column starts again */
    refused((str){text, 200}, "line 2, column 62: lists are nested deeper");
    accepted((str){text + 36, 128}); /* 64 levels */
}

TEST(parser_says_where_and_what)
{
    refused(STR(""), "line 1, column 1: the JSON text ends where a value");
    refused(STR(" \n "), "line 2, column 2: the JSON text ends");
    refused(STR("{\n  \"a\": 1,\n  \"b\" 2\n}"), "line 3, column 7: found '2' where ':'");
    refused(STR("[1,\n2,\n]"), "line 3, column 1: found ']' where a value");
    refused(STR("{\"a\":1,}"), "column 8: found '}' where a key in quotes");
    refused(STR("[1 2]"), "column 4: found '2' where ',' or ']'");
    refused(STR("{\"a\":1 \"b\":2}"), "found '\"' where ',' or '}'");
    refused(STR("{a:1}"), "found 'a' where a key or '}'");
    refused(STR("{1:1}"), "found '1' where a key");
    refused(STR("[1}"), "found '}' where ',' or ']'");
    refused(STR("{\"a\":1]"), "found ']' where ',' or '}'");
    refused(STR("]"), "found ']' where a value");
    refused(STR("\xff"), "found the byte 0xff");
    refused((str){"1\0", 2}, "found the byte 0x00 where the end");
    refused(STR("[1,2"), "the JSON text ends where ',' or ']'");
}

TEST(trailing_text_is_refused)
{
    refused(STR("{} x"), "column 4: found 'x' where the end of the JSON text");
    refused(STR("1 2"), "where the end");
    refused(STR("[] []"), "where the end");
    refused(STR("null,"), "where the end");
    accepted(STR(" null \r\n\t "));
}

TEST(words_and_numbers_follow_the_grammar)
{
    static const char *const bad[] = {
        "NaN",  "nan",  "Infinity", "-Infinity", "True", "nul",       "nulll", "tru",
        "+1",   "-",    "01",       "-01",       "1.",   ".5",        "1e",    "1e+",
        "0x10", "1.e5", "--1",      "1_000",     "'a'",  "undefined",
    };
    static const char *const good[] = {"0",       "-0",  "0.0",  "1e5",   "1E+5",
                                       "-1.5e-7", "123", "true", "false", "null",
                                       "\"\"",    "[]",  "{}",   "1e-400"};

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        refused(str_of(bad[i]), "line 1, column");
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        accepted(str_of(good[i]));
    refused(STR("[01]"), "a number may not start with a zero");
}

TEST(huge_numbers_become_doubles_or_are_refused)
{
    struct arena a;
    struct err e = {0};
    const struct json *v = NULL;
    char digits[1200];

    arena_init(&a, 1 << 20);
    CHECK_OK(tree_of(&a,
                     STR("[9223372036854775807, 9223372036854775808, -9223372036854775808,"
                         " 1e2, 1.0, -0]"),
                     &v, &e),
             &e);
    v = v->list.first;
    CHECK(v->type == JSON_INT && v->i == INT64_MAX);
    v = v->next;
    CHECK(v->type == JSON_NUM && v->f == 9223372036854775808.0);
    v = v->next;
    CHECK(v->type == JSON_INT && v->i == INT64_MIN);
    v = v->next;
    CHECK(v->type == JSON_NUM && v->f == 100);
    v = v->next;
    CHECK(v->type == JSON_NUM && v->f == 1);
    v = v->next;
    CHECK(v->type == JSON_INT && v->i == 0);
    arena_done(&a);
    refused(STR("[1, 1e400]"), "too large for a double");
    refused(STR("-1e999999999999999999999"), "too large for a double");
    memset(digits, '1', sizeof digits);
    refused((str){digits, sizeof digits}, "more than 1000 characters");
    refused((str){digits, 400}, "too large for a double");
    accepted((str){digits, 300});
}

TEST(strings_must_be_valid_unicode)
{
    refused(STR("\"\xff\""), "not valid UTF-8");
    refused(STR("[\"ok\", \"\xED\xA0\x80\"]"), "not valid UTF-8");
    refused(STR("{\"\xC0\xAF\": 1}"), "not valid UTF-8");
    refused(STR("\"\xE1\x80\\n\""), "not valid UTF-8");
    refused(STR("\"\\ud800\""), "high surrogate without");
    refused(STR("\"\\ud800x\""), "high surrogate without");
    refused(STR("\"\\ud800\\n\""), "high surrogate without");
    refused(STR("\"\\ud800\\ud800\""), "high surrogate without");
    refused(STR("\"\\udc00\""), "low surrogate without");
    refused(STR("\"\\u0000\""), "\\u0000 is not supported");
    refused(STR("\"\\u12g4\""), "a hexadecimal digit");
    refused(STR("\"\\u12"), "ends where a hexadecimal digit");
    refused(STR("\"\\x41\""), "after a backslash");
    refused(STR("\"\\"), "ends where one of");
    refused(STR("\"a\nb\""), "found the byte 0x0a where the rest of a string");
    refused(STR("\"abc"), "ends where the rest of a string");
    refused((str){"\"a\0b\"", 5}, "found the byte 0x00");
}

TEST(escapes_become_their_characters)
{
    struct arena a;
    struct err e = {0};
    const struct json *v = NULL;

    arena_init(&a, 1 << 20);
    CHECK_OK(tree_of(&a, STR("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00e9\\uD55C\\ud83d\\ude00\""),
                     &v, &e),
             &e);
    CHECK_STR(v->s, "\"\\/\b\f\n\r\tA\xC3\xA9\xED\x95\x9C\xF0\x9F\x98\x80");
    CHECK_OK(tree_of(&a, STR("\xEF\xBB\xBF{}"), &v, &e), &e); /* a byte order mark */
    CHECK_EQ(v->type, JSON_OBJ);
    arena_done(&a);
}

TEST(duplicate_keys_are_refused_in_small_and_large_objects)
{
    struct buf b;
    struct jw w;

    refused(STR("{\"a\":1,\n \"b\":2,\n \"a\":3}"),
            "line 3, column 6: the key \"a\" appears twice");
    refused(STR("{\"a\":1,\"\\u0061\":2}"), "the key \"a\" appears twice");
    refused(STR("[{\"x\":{\"k\":1,\"k\":{}}}]"), "the key \"k\" appears twice");
    accepted(STR("{\"a\":{\"a\":{\"a\":1}},\"A\":[{\"a\":1},{\"a\":2}]}"));
    buf_init(&b, 1 << 20);
    jw_init(&w, &b);
    jw_obj(&w);
    for (int i = 0; i < 1000; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", i);
        jw_kint(&w, key, i);
    }
    accepted((str){(buf_putc(&b, '}'), b.p), b.n});
    b.p[--b.n] = 0;
    jw_kint(&w, "k500", 1);
    jw_obj_end(&w);
    refused(buf_view(&b), "the key \"k500\" appears twice");
    buf_done(&b);
}

TEST(limits_of_depth_and_nodes_hold)
{
    struct json_limits lim = {.depth_max = 2, .nodes_max = 4};
    struct arena a;
    struct err e = {0};
    const struct json *v = NULL;

    arena_init(&a, 1 << 20);
    CHECK_OK(json_parse(&a, STR("[[1,2]]"), &lim, &v, &e), &e);
    CHECK_EQ(json_parse(&a, STR("[[[1]]]"), &lim, &v, &e), RC_INVALID);
    CHECK_EQ(json_parse(&a, STR("[[1,2,3]]"), &lim, &v, &e), RC_TOO_LARGE);
    arena_done(&a);
    arena_init(&a, 256); /* the arena's ceiling is an error, not a crash */
    CHECK_EQ(json_parse(&a, STR("[1,2,3,4,5,6,7]"), NULL, &v, &e), RC_NOMEM);
    arena_done(&a);
}

TEST(lookups_fall_back_when_absent_or_of_another_type)
{
    struct arena a;
    const struct json *v = NULL;

    arena_init(&a, 1 << 20);
    CHECK_EQ(json_parse(&a, STR("{\"s\":\"x\",\"i\":7,\"f\":1.5,\"b\":true,\"n\":null,\"l\":[]}"),
                        NULL, &v, NULL),
             RC_OK);
    CHECK_STR(json_str(v, "s", STR("d")), "x");
    CHECK_STR(json_str(v, "i", STR("d")), "d");
    CHECK_STR(json_str(v, "zz", STR("d")), "d");
    CHECK_EQ(json_int(v, "i", 1), 7);
    CHECK_EQ(json_int(v, "f", 1), 1);
    CHECK(json_num(v, "f", 0) == 1.5 && json_num(v, "i", 0) == 7 && json_num(v, "s", 2) == 2);
    CHECK(json_bool(v, "b", false) && !json_bool(v, "n", false) && json_bool(v, "n", true));
    CHECK(!json_get(NULL, "s") && !json_get(json_get(v, "l"), "s"));
    JSON_EACH(x, json_get(v, "l"))
        test_fail(__FILE__, __LINE__, "an empty list has the member %d", x->type);
    JSON_EACH(x, json_get(v, "absent"))
        test_fail(__FILE__, __LINE__, "nothing has the member %d", x->type);
    arena_done(&a);
}

TEST(lines_of_values_are_kept)
{
    struct arena a;
    const struct json *v = NULL;

    arena_init(&a, 1 << 20);
    CHECK_EQ(json_parse(&a, STR("{\n\n\"a\":\n 1,\"b\":[\n2]}"), NULL, &v, NULL), RC_OK);
    CHECK_EQ(v->line, 1);
    CHECK_EQ(json_get(v, "a")->line, 4);
    CHECK_EQ(json_get(v, "b")->line, 4);
    CHECK_EQ(json_get(v, "b")->list.first->line, 5);
    CHECK_STR(json_get(v, "a")->raw, "1");
    CHECK_STR(json_get(v, "b")->raw, "[\n2]");
    arena_done(&a);
}

/* ---- pull reader */

TEST(events_come_in_order_for_every_split)
{
    static const enum jr_event want[] = {JR_OBJ, JR_KEY,     JR_ARR,     JR_INT,     JR_NUM,
                                         JR_STR, JR_BOOL,    JR_NULL,    JR_ARR_END, JR_KEY,
                                         JR_OBJ, JR_OBJ_END, JR_OBJ_END, JR_END,     JR_END};
    str text = STR("{\"k\\n\" : [ 1, 2.5, \"s\\u00e9\", false, null ] , \"o\" : {} } ");

    for (size_t step = 1; step <= text.n; step++) {
        struct pieces s = {text, 0, step, 0};
        struct jr *r;
        struct err e = {0};
        CHECK_OK(jr_new(&r, 100, pieces_fill, &s, &e), &e);
        for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
            enum jr_event event = JR_END;
            CHECK_OK(jr_next(r, &event, &e), &e);
            CHECK_EQ(event, want[i]);
            if (i == 1)
                CHECK_STR(jr_text(r), "k\n");
            if (i == 3)
                CHECK(jr_int(r) == 1 && jr_num(r) == 1);
            if (i == 4)
                CHECK(jr_num(r) == 2.5);
            if (i == 5)
                CHECK_STR(jr_text(r), "s\xC3\xA9");
            if (i == 6)
                CHECK(!jr_bool(r));
            if (i == 9)
                CHECK_STR(jr_text(r), "o");
        }
        jr_free(r);
    }
    CHECK_EQ(mem_live_bytes(), 0);
}

TEST(skip_takes_one_whole_value)
{
    struct pieces s = {STR("{\"a\":{\"x\":[1,{}]},\"b\":2,\"c\":[[1],\"z\",3]}"), 0, 3, 0};
    enum jr_event event;
    struct err e = {0};
    struct jr *r;

    CHECK_OK(jr_new(&r, 100, pieces_fill, &s, &e), &e);
    CHECK_OK(jr_next(r, &event, &e), &e);
    CHECK_OK(jr_next(r, &event, &e), &e); /* a */
    CHECK_OK(jr_skip(r, &e), &e);
    CHECK_OK(jr_next(r, &event, &e), &e);
    CHECK_STR(jr_text(r), "b");
    CHECK_OK(jr_skip(r, &e), &e);
    CHECK_OK(jr_next(r, &event, &e), &e);
    CHECK_STR(jr_text(r), "c");
    CHECK_OK(jr_next(r, &event, &e), &e);
    CHECK_EQ(event, JR_ARR);
    CHECK_OK(jr_skip(r, &e), &e);
    CHECK_OK(jr_skip(r, &e), &e);
    CHECK_OK(jr_next(r, &event, &e), &e);
    CHECK(event == JR_INT && jr_int(r) == 3);
    CHECK_EQ(jr_skip(r, &e), RC_INVALID); /* the list ends here */
    jr_free(r);
}

TEST(reader_limits_strings_and_passes_on_failures_of_its_source)
{
    struct pieces s = {STR("[\"0123456789\",\"0123456789x\"]"), 0, 4, 0};
    enum jr_event event;
    struct err e = {0};
    struct jr *r;

    CHECK_OK(jr_new(&r, 10, pieces_fill, &s, &e), &e);
    CHECK_OK(jr_next(r, &event, &e), &e);
    CHECK_OK(jr_next(r, &event, &e), &e);
    CHECK_STR(jr_text(r), "0123456789");
    CHECK_EQ(jr_next(r, &event, &e), RC_TOO_LARGE);
    CHECK(str_find(str_of(e.text), STR("limit of 10 bytes")) > 0);
    jr_free(r);
    s.at = 0;
    s.step = 100; /* the string lies whole in the window */
    CHECK_OK(jr_new(&r, 9, pieces_fill, &s, &e), &e);
    CHECK_OK(jr_next(r, &event, &e), &e);
    CHECK_EQ(jr_next(r, &event, &e), RC_TOO_LARGE);
    jr_free(r);
    for (size_t at = 1; at < s.text.n; at++) {
        struct pieces f = {s.text, 0, 1, at};
        enum rc rc = RC_OK;
        CHECK_OK(jr_new(&r, 100, pieces_fill, &f, &e), &e);
        for (event = JR_NULL; !rc && event != JR_END;)
            rc = jr_next(r, &event, &e);
        CHECK_EQ(rc, RC_UPSTREAM);
        CHECK_STR(str_of(e.text), "the source failed");
        jr_free(r);
    }
}

TEST(a_document_larger_than_the_window_is_read)
{
    enum { N = 40000 };
    struct buf b;
    struct jw w;
    struct pieces s = {.step = SIZE_MAX};
    enum jr_event event = JR_NULL;
    struct err e = {0};
    struct jr *r;
    int64_t sum = 0, strings = 0;
    char text[64];

    buf_init(&b, 8 << 20);
    jw_init(&w, &b);
    jw_arr(&w);
    for (int i = 0; i < N; i++) {
        jw_int(&w, i);
        snprintf(text, sizeof text, "string number %d \xED\x95\x9C\n", i);
        jw_cstr(&w, text);
    }
    jw_arr_end(&w);
    s.text = buf_view(&b);
    CHECK(s.text.n > 10 * WINDOW_BYTES);
    CHECK_OK(jr_new(&r, 64, pieces_fill, &s, &e), &e);
    while (event != JR_END) {
        CHECK_OK(jr_next(r, &event, &e), &e);
        if (event == JR_INT)
            sum += jr_int(r);
        if (event == JR_STR) {
            snprintf(text, sizeof text, "string number %d \xED\x95\x9C\n", (int)strings++);
            CHECK_STR(jr_text(r), text);
        }
    }
    CHECK_EQ(sum, (int64_t)N * (N - 1) / 2);
    CHECK_EQ(strings, N);
    jr_free(r);
    buf_done(&b);
}

/* ---- memory */

TEST(each_allocation_may_fail)
{
    struct buf b;
    struct jw w;
    bool fired = true;
    long at;

    buf_init(&b, 1 << 20);
    jw_init(&w, &b);
    jw_obj(&w);
    for (int i = 0; i < 60; i++) {
        char key[64];
        snprintf(key, sizeof key, "key \n number %d", i);
        jw_karr(&w, key);
        jw_cstr(&w, "a string with an escape: \n, and some length after it ..................");
        jw_arr_end(&w);
    }
    jw_obj_end(&w);
    for (at = 0; fired; at++) {
        size_t before = mem_live_bytes();
        const struct json *v = NULL;
        struct arena a;
        struct err e = {0};
        enum rc rc;
        arena_init(&a, 1 << 20);
        mem_fail_at(at);
        rc = json_parse(&a, buf_view(&b), NULL, &v, &e);
        fired = mem_fail_disarm();
        CHECK_EQ(rc, fired ? RC_NOMEM : RC_OK);
        CHECK(fired ? !v && e.text[0] : v != NULL);
        arena_done(&a);
        CHECK_EQ(mem_live_bytes(), before);
    }
    CHECK(at > 60);
    for (at = 0, fired = true; fired; at++) {
        size_t before = mem_live_bytes();
        struct err e = {0};
        struct pieces s = {buf_view(&b), 0, 7, 0};
        enum jr_event event = JR_NULL;
        struct jr *r = NULL;
        mem_fail_at(at);
        enum rc rc = jr_new(&r, 1 << 20, pieces_fill, &s, &e);
        while (!rc && event != JR_END)
            rc = jr_next(r, &event, &e);
        fired = mem_fail_disarm();
        CHECK_EQ(rc, fired ? RC_NOMEM : RC_OK);
        jr_free(r);
        CHECK_EQ(mem_live_bytes(), before);
    }
    buf_done(&b);
}
