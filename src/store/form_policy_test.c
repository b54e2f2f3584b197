/* form_policy_test.c - what the policy of a form allows, and what it has to say. */
#include "store/form_policy.c"

#include "base/test.h"

static const struct sigv4_pair fields[] = {{STR("bucket"), STR("b")},
                                           {STR("key"), STR("up/a.jpg")},
                                           {STR("content-type"), STR("image/jpeg")},
                                           {STR("x-ignore-this"), STR("1")},
                                           {STR("policy"), STR("..")},
                                           {STR("x-amz-signature"), STR("..")}};
enum { FIELDS = sizeof fields / sizeof *fields };

static uint64_t min, max;

static enum rc check(const char *conditions, const char *expiration)
{
    char json[2048];
    struct arena a;
    struct err e;
    enum rc rc;

    min = max = 77;
    snprintf(json, sizeof json, "{\"expiration\":\"%s\",\"conditions\":%s}", expiration,
             conditions);
    arena_init(&a, 1 << 20);
    rc =
        form_policy_check(&a, str_of(json), fields, FIELDS, INT64_C(1767225600000), &min, &max, &e);
    arena_done(&a);
    return rc;
}

#define LATER "2026-01-01T00:00:01.000Z" /* the clock stands at 2026-01-01T00:00:00Z */
#define REST  "{\"bucket\":\"b\"},[\"starts-with\",\"$Content-Type\",\"image/\"]"

TEST(a_form_that_fits_is_allowed_with_its_sizes)
{
    CHECK_EQ(check("[" REST ",[\"eq\",\"$key\",\"up/a.jpg\"]]", LATER), RC_OK);
    CHECK(min == 0 && max == UINT64_MAX);
    CHECK_EQ(check("[" REST ",[\"Starts-With\",\"$key\",\"\"],"
                   "[\"content-length-range\",1,\"10\"]]",
                   LATER),
             RC_OK);
    CHECK(min == 1 && max == 10);
}

TEST(what_is_not_said_or_not_so_is_forbidden)
{
    CHECK_EQ(check("[" REST "]", LATER), RC_FORBIDDEN); /* the key stands in no condition */
    CHECK_EQ(check("[" REST ",[\"starts-with\",\"$key\",\"down/\"]]", LATER), RC_FORBIDDEN);
    CHECK_EQ(check("[" REST ",{\"key\":\"up/a\"}]", LATER), RC_FORBIDDEN);
    CHECK_EQ(check("[" REST ",{\"key\":\"up/a.jpg\"},{\"acl\":\"public-read\"}]", LATER),
             RC_FORBIDDEN); /* a field that the form lacks */
    CHECK_EQ(check("[" REST ",{\"key\":\"up/a.jpg\"}]", "2026-01-01T00:00:00.000Z"), RC_FORBIDDEN);
    CHECK_EQ(min, 77); /* untouched */
}

TEST(a_broken_policy_is_told_as_such)
{
    static const char *const bad[] = {
        "1",
        "[1]",
        "[[\"eq\",\"$key\"]]",
        "[[\"like\",\"$key\",\"x\"]]",
        "[[\"eq\",\"key\",\"x\"]]",
        "[[\"eq\",\"$\",\"x\"]]",
        "[{\"key\":1}]",
        "[[\"content-length-range\",10,1]]",
        "[[\"content-length-range\",-1,1]]",
        "[[\"content-length-range\",1,null]]",
    };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (check(bad[i], LATER) != RC_INVALID)
            test_fail(__FILE__, __LINE__, "taken: %s", bad[i]);
    CHECK_EQ(check("[]", "tomorrow"), RC_INVALID);
    CHECK_EQ(check("[]", "2026-13-01T00:00:00Z"), RC_INVALID);
    CHECK_EQ(check("[]", "2026-01-01 00:00:00Z"), RC_INVALID);
}
