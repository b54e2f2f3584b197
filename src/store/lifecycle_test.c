/* lifecycle_test.c - rules are read, refused where they cannot be kept, and due when they say. */
#include "store/lifecycle.c"

#include "base/test.h"

static struct arena a;

static enum rc read_rules(const char *rules, struct lifecycle *ret)
{
    char xml[2048];
    struct err e;

    snprintf(xml, sizeof xml, "<LifecycleConfiguration>%s</LifecycleConfiguration>", rules);
    arena_done(&a);
    arena_init(&a, 1 << 20);
    return lifecycle_read(&a, str_of(xml), ret, &e);
}

TEST(all_that_a_rule_can_say_is_read)
{
    struct lifecycle l;
    const struct lifecycle_rule *r;

    CHECK_EQ(read_rules("<Rule><ID>x</ID><Filter><And><Prefix>logs/ </Prefix>"
                        "<Tag><Key>a b</Key><Value>c</Value></Tag>"
                        "<ObjectSizeGreaterThan>10</ObjectSizeGreaterThan>"
                        "<ObjectSizeLessThan>100</ObjectSizeLessThan></And></Filter>"
                        "<Status>Enabled</Status><Expiration><Days>3</Days></Expiration>"
                        "<NoncurrentVersionExpiration><NoncurrentDays>2</NoncurrentDays>"
                        "<NewerNoncurrentVersions>1</NewerNoncurrentVersions>"
                        "</NoncurrentVersionExpiration></Rule>"
                        "<Rule><Prefix>tmp/</Prefix><Status>Disabled</Status>"
                        "<Expiration><Date>2026-01-02T00:00:00Z</Date></Expiration>"
                        "<AbortIncompleteMultipartUpload><DaysAfterInitiation>7"
                        "</DaysAfterInitiation></AbortIncompleteMultipartUpload></Rule>",
                        &l),
             RC_OK);
    CHECK_EQ(l.n, 2);
    r = &l.rules[0];
    CHECK(r->enabled && r->days == 3 && r->noncurrent_days == 2 && r->noncurrent_kept == 1);
    CHECK_STR(r->prefix, "logs/ ");
    CHECK(lifecycle_fits(r, STR("x=y&a%20b=c"), 50));
    CHECK(!lifecycle_fits(r, STR("a%20b=d"), 50) && !lifecycle_fits(r, STR(""), 50));
    CHECK(!lifecycle_fits(r, STR("a%20b=c"), 10) && !lifecycle_fits(r, STR("a%20b=c"), 100));
    CHECK(!l.rules[1].enabled && l.rules[1].abort_days == 7);
    CHECK_EQ(l.rules[1].date_ms, INT64_C(1767312000000));
    arena_done(&a);
}

TEST(days_end_at_midnight)
{
    int64_t day = DAY_MS;

    CHECK(!lifecycle_due(10 * day + 5, 1, 11 * day + 5));
    CHECK(!lifecycle_due(10 * day + 5, 1, 12 * day - 1));
    CHECK(lifecycle_due(10 * day + 5, 1, 12 * day));
    CHECK(lifecycle_due(10 * day, 1, 11 * day));
}

TEST(what_cannot_be_kept_is_refused)
{
    static const char *const bad[] = {
        "",
        "<Rule/>",
        "<Other/>",
        "<Rule><Status>Enabled</Status></Rule>",
        "<Rule><Status>On</Status><Expiration><Days>1</Days></Expiration></Rule>",
        "<Rule><Status>Enabled</Status><Expiration><Days>0</Days></Expiration></Rule>",
        "<Rule><Status>Enabled</Status><Expiration><Days>x</Days></Expiration></Rule>",
        "<Rule><Status>Enabled</Status><Expiration/></Rule>",
        "<Rule><Status>Enabled</Status><Expiration><Days>1</Days><Date>2026-01-01</Date>"
        "</Expiration></Rule>",
        "<Rule><Status>Enabled</Status><Expiration><Date>2026-01-01T05:00:00Z</Date>"
        "</Expiration></Rule>",
        "<Rule><Filter><Tag><Value>v</Value></Tag></Filter><Status>Enabled</Status>"
        "<Expiration><Days>1</Days></Expiration></Rule>",
        "<Rule><Filter><Tag><Key>k</Key></Tag></Filter><Status>Enabled</Status>"
        "<AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation>"
        "</AbortIncompleteMultipartUpload></Rule>",
    };
    struct lifecycle l;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (read_rules(bad[i], &l) != RC_INVALID)
            test_fail(__FILE__, __LINE__, "taken: %s", bad[i]);
    CHECK_EQ(read_rules("<Rule><Status>Enabled</Status><Transition><Days>1</Days>"
                        "<StorageClass>GLACIER</StorageClass></Transition></Rule>",
                        &l),
             RC_UNIMPLEMENTED);
    arena_done(&a);
}
