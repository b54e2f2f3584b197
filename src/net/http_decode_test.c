/* Targets, queries, cookies and header parameters: each form, and each way to break it. */
#include "net/http_decode.c"
#include "base/buf.h"
#include "base/test.h"

TEST(escapes_are_decoded_once_and_strictly)
{
    struct arena a;
    struct err e;
    str out;

    arena_init(&a, 1 << 20);
    CHECK_OK(http_percent_decode(&a, STR("a%2525+b%C3%A9"), false, &out, &e), &e);
    CHECK_STR(out, "a%25+b\xC3\xA9");
    CHECK_OK(http_percent_decode(&a, STR("a+b"), true, &out, &e), &e);
    CHECK_STR(out, "a b");
    CHECK_OK(http_percent_decode(&a, STR(""), true, &out, &e), &e);
    CHECK_STR(out, "");
    const char *bad[] = {"%", "%4", "a%4", "%zz", "%4g", "%00", "%-1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK_EQ(http_percent_decode(&a, str_of(bad[i]), true, &out, &e), RC_INVALID);
    arena_done(&a);
}

TEST(targets_are_split_in_every_form)
{
    struct {
        const char *target, *path, *query;
    } cases[] = {
        {"/", "/", ""},
        {"/a%20b?c=%20", "/a b", "c=%20"},
        {"/a?b?c", "/a", "b?c"},
        {"http://h:1/x?y", "/x", "y"},
        {"http://h", "/", ""},
        {"https://h?y=1", "/", "y=1"},
        {"*", "*", ""},
        {"/..%2f../x", "/../../x", ""},
    };
    struct arena a;
    struct err e = {0};
    str path, query;

    arena_init(&a, 1 << 20);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CHECK_OK(http_split_target(&a, str_of(cases[i].target), &path, &query, &e), &e);
        CHECK_STR(path, cases[i].path);
        CHECK_STR(query, cases[i].query);
    }
    CHECK_EQ(http_split_target(&a, STR("x"), &path, &query, &e), RC_INVALID);
    CHECK_EQ(http_split_target(&a, STR(""), &path, &query, &e), RC_INVALID);
    CHECK_EQ(http_split_target(&a, STR("?x"), &path, &query, &e), RC_INVALID);
    arena_done(&a);
}

TEST(queries_and_cookies_are_taken_apart)
{
    struct arena a;
    struct err e = {0};
    struct http_pairs p = {0};
    struct buf b;

    arena_init(&a, 1 << 20);
    CHECK_OK(http_parse_query(&a, STR("a=1&b&=c&&a=2&d=x%26y%3D"), &p, &e), &e);
    CHECK_EQ(p.n, 5);
    CHECK_STR(http_pairs_get(&p, STR("a"), false), "1");
    CHECK(http_pairs_get(&p, STR("b"), false).p != NULL);
    CHECK_STR(http_pairs_get(&p, STR("d"), false), "x&y=");
    CHECK(http_pairs_get(&p, STR("A"), false).p == NULL);
    CHECK_STR(http_pairs_get(&p, STR("A"), true), "1");
    CHECK_OK(http_parse_query(&a, STR(""), &p, &e), &e);
    CHECK_EQ(p.n, 0);
    CHECK_OK(http_parse_cookies(&a, STR("a=1; b=\"q\";c ;=d; e=f=g; bad name=1"), &p, &e), &e);
    CHECK_EQ(p.n, 3);
    CHECK_STR(http_pairs_get(&p, STR("b"), false), "q");
    CHECK_STR(http_pairs_get(&p, STR("e"), false), "f=g");
    buf_init(&b, 10000);
    for (int i = 0; i < 201; i++)
        buf_puts(&b, "a&");
    CHECK_EQ(http_parse_query(&a, buf_view(&b), &p, &e), RC_HEADERS);
    buf_done(&b);
    arena_done(&a);
}

TEST(header_parameters_are_found_and_unquoted)
{
    struct arena a;
    struct err e = {0};
    str v;

    arena_init(&a, 1 << 20);
    CHECK_OK(http_header_param(&a, STR("form-data; x=1;NAME=\"a;\\\"b\\\\c\\d\" ; y"
                                       "=2 "), "name", &v, &e), &e);
    CHECK_STR(v, "a;\"b\\c\\d");
    CHECK_OK(http_header_param(&a, STR("form-data; x=1"), "y", &v, &e), &e);
    CHECK(v.p == NULL);
    CHECK_OK(http_header_param(&a, STR("form-data; x=;"), "x", &v, &e), &e);
    CHECK(v.p != NULL && !v.n);
    const char *bad[] = {"f; x", "f; =1", "f; x=\"1", "f; x=\"1\"2", "f; x y=1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK_EQ(http_header_param(&a, str_of(bad[i]), "x", &v, &e), RC_INVALID);
    CHECK(http_list_has(STR("keep-alive, Upgrade"), "upgrade"));
    CHECK(!http_list_has(STR("keep-alive,Upgraded"), "upgrade"));
    arena_done(&a);
}
