/* cors_test.c - which page may, by which rule. */
#include "store/cors.c"

#include "base/test.h"

static struct cors *made(const char *rules)
{
    char xml[2048];
    struct cors *c;
    struct err e;

    snprintf(xml, sizeof xml, "<CORSConfiguration>%s</CORSConfiguration>", rules);
    CHECK_OK(cors_new(&c, str_of(xml), &e), &e);
    return c;
}

TEST(the_first_rule_that_fits_answers)
{
    struct cors *c = made("<CORSRule><AllowedOrigin>https://*.example.org</AllowedOrigin>"
                          "<AllowedMethod>PUT</AllowedMethod><AllowedMethod>GET</AllowedMethod>"
                          "<AllowedHeader>x-amz-*</AllowedHeader><AllowedHeader>Content-Type"
                          "</AllowedHeader><ExposeHeader>ETag</ExposeHeader><ExposeHeader>x-a"
                          "</ExposeHeader><MaxAgeSeconds>60</MaxAgeSeconds></CORSRule>"
                          "<CORSRule><AllowedOrigin>*</AllowedOrigin>"
                          "<AllowedMethod>GET</AllowedMethod></CORSRule>");
    struct cors_answer a;
    str www = STR("https://www.example.org");

    CHECK(cors_match(c, www, STR("PUT"), STR("X-Amz-Date, content-type"), &a));
    CHECK_STR(a.methods, "GET, PUT");
    CHECK_STR(a.headers, "ETag, x-a");
    CHECK(!a.any_origin && a.max_age_s == 60);
    CHECK(!cors_match(c, www, STR("PUT"), STR("x-amz-date, authorization"), &a));
    CHECK(!cors_match(c, STR("https://evil.org"), STR("PUT"), STR_NONE, &a));
    CHECK(!cors_match(c, STR("https://www.example.org.evil.org"), STR("PUT"), STR_NONE, &a));
    CHECK(cors_match(c, STR("https://evil.org"), STR("GET"), STR_NONE, &a));
    CHECK(a.any_origin && a.max_age_s == -1 && !a.headers.n);
    CHECK(!cors_match(c, www, STR("DELETE"), STR_NONE, &a));
    CHECK(!cors_match(c, STR(""), STR("GET"), STR_NONE, &a) &&
          !cors_match(NULL, www, STR("GET"), STR_NONE, &a));
    cors_free(c);
}

TEST(what_is_no_rule_is_refused)
{
    static const char *const bad[] = {
        "<CORSConfiguration/>",
        "<Other/>",
        "",
        "<CORSConfiguration><Rule/></CORSConfiguration>",
        "<CORSConfiguration><CORSRule><AllowedOrigin>*</AllowedOrigin></CORSRule>"
        "</CORSConfiguration>",
        "<CORSConfiguration><CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>PATCH"
        "</AllowedMethod></CORSRule></CORSConfiguration>",
        "<CORSConfiguration><CORSRule><AllowedOrigin>*.*</AllowedOrigin><AllowedMethod>GET"
        "</AllowedMethod></CORSRule></CORSConfiguration>",
        "<CORSConfiguration><CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET"
        "</AllowedMethod><ExposeHeader>a&#10;b</ExposeHeader></CORSRule></CORSConfiguration>",
        "<CORSConfiguration><CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET"
        "</AllowedMethod><MaxAgeSeconds>-1</MaxAgeSeconds></CORSRule></CORSConfiguration>",
    };
    struct cors *c;
    struct err e;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (cors_new(&c, str_of(bad[i]), &e) != RC_INVALID)
            test_fail(__FILE__, __LINE__, "taken: %s", bad[i]);
}
