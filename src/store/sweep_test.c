/* sweep_test.c - lifecycle rules at work on a store: what is due goes, all else stays. */
#include "store/sweep.c"

#include "store/test_store.h"

#define DAY_MS (INT64_C(86400) * 1000)

static void set_rules(struct rig *g, const char *rules)
{
    char xml[4096];

    snprintf(xml, sizeof xml, "<LifecycleConfiguration>%s</LifecycleConfiguration>", rules);
    CHECK_EQ(rig_signed(g, HTTP_PUT, "/tests?lifecycle=", NULL, NULL, str_of(xml)), 200);
}

static uint64_t run_at(struct rig *g, int64_t days)
{
    struct event *stop = event_new();
    uint64_t removed = 0;

    CHECK(stop);
    CHECK_OK(lifecycle_run(g->s, os_now_ms() + days * DAY_MS, stop, &removed, &g->e), &g->e);
    event_free(stop);
    return removed;
}

static int get(struct rig *g, const char *target)
{
    return rig_signed(g, HTTP_GET, target, NULL, NULL, STR(""));
}

TEST(objects_of_a_prefix_with_a_tag_expire_and_no_others)
{
    static const char *const tagged[] = {"x-amz-tagging: keep=no", NULL};
    struct rig g;

    rig_open(&g);
    set_rules(&g, "<Rule><Filter><And><Prefix>tmp/</Prefix><Tag><Key>keep</Key><Value>no</Value>"
                  "</Tag></And></Filter><Status>Enabled</Status><Expiration><Days>2</Days>"
                  "</Expiration></Rule><Rule><Prefix>off/</Prefix><Status>Disabled</Status>"
                  "<Expiration><Days>1</Days></Expiration></Rule>");
    CHECK_EQ(rig_signed(&g, HTTP_PUT, "/tests/tmp/a", tagged, NULL, STR("v")), 200);
    CHECK_EQ(rig_signed(&g, HTTP_PUT, "/tests/tmp/b", NULL, NULL, STR("v")), 200);
    CHECK_EQ(rig_signed(&g, HTTP_PUT, "/tests/tmq", tagged, NULL, STR("v")), 200);
    CHECK_EQ(rig_signed(&g, HTTP_PUT, "/tests/off/a", NULL, NULL, STR("v")), 200);
    CHECK_EQ(run_at(&g, 1), 0);
    CHECK_EQ(run_at(&g, 4), 1);
    CHECK_EQ(get(&g, "/tests/tmp/a"), 404);
    CHECK_EQ(get(&g, "/tests/tmp/b"), 200);
    CHECK_EQ(get(&g, "/tests/tmq"), 200);
    CHECK_EQ(get(&g, "/tests/off/a"), 200);
    CHECK_EQ(run_at(&g, 4), 0);
    rig_close(&g);
}

TEST(more_objects_than_a_page_expire_in_one_run)
{
    struct rig g;
    char target[64];

    rig_open(&g);
    for (int i = 0; i < 2 * PAGE + 20; i++) {
        snprintf(target, sizeof target, "k%05d", i);
        CHECK_OK(s3_put(g.c, target, STR("v"), NULL, &g.e), &g.e);
    }
    set_rules(&g, "<Rule><Filter/><Status>Enabled</Status><Expiration>"
                  "<Date>2020-01-01</Date></Expiration></Rule>");
    CHECK_EQ(run_at(&g, 0), 2 * PAGE + 20);
    CHECK_EQ(get(&g, "/tests?list-type=2"), 200);
    CHECK(rig_says(&g, "<KeyCount>0</KeyCount>"));
    rig_close(&g);
}

TEST(old_versions_and_lone_markers_go_and_the_newest_stay)
{
    struct rig g;
    struct store_usage use;

    rig_open(&g);
    CHECK_EQ(rig_signed(&g, HTTP_PUT, "/tests?versioning=", NULL, NULL,
                        STR("<VersioningConfiguration><Status>Enabled</Status>"
                            "</VersioningConfiguration>")),
             200);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(rig_signed(&g, HTTP_PUT, "/tests/k", NULL, NULL, STR("12345678")), 200);
    CHECK_EQ(rig_signed(&g, HTTP_PUT, "/tests/gone", NULL, NULL, STR("12345678")), 200);
    CHECK_EQ(rig_signed(&g, HTTP_DELETE, "/tests/gone", NULL, NULL, STR("")), 204);
    set_rules(&g, "<Rule><Filter/><Status>Enabled</Status><NoncurrentVersionExpiration>"
                  "<NoncurrentDays>1</NoncurrentDays><NewerNoncurrentVersions>1"
                  "</NewerNoncurrentVersions></NoncurrentVersionExpiration></Rule>");
    CHECK_EQ(run_at(&g, 0), 0);
    CHECK_EQ(run_at(&g, 3), 2); /* of k's three old ones one is kept; of gone's one, too */
    CHECK_OK(store_usage(g.s, &use, &g.e), &g.e);
    CHECK_EQ(use.object_bytes, 24);
    set_rules(&g,
              "<Rule><Filter/><Status>Enabled</Status><NoncurrentVersionExpiration>"
              "<NoncurrentDays>1</NoncurrentDays></NoncurrentVersionExpiration></Rule>"
              "<Rule><Filter/><Status>Enabled</Status><Expiration>"
              "<ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration></Rule>");
    CHECK_EQ(run_at(&g, 3), 3); /* both old ones, then the marker with nothing behind it */
    CHECK_EQ(get(&g, "/tests?versions="), 200);
    CHECK(rig_says(&g, "<Key>k</Key>") && !rig_says(&g, "DeleteMarker"));
    set_rules(&g, "<Rule><Filter/><Status>Enabled</Status><Expiration><Days>1</Days></Expiration>"
                  "</Rule>");
    CHECK_EQ(run_at(&g, 3), 1); /* the current one: a marker goes over it */
    CHECK_EQ(get(&g, "/tests/k"), 404);
    CHECK_EQ(get(&g, "/tests?versions="), 200);
    CHECK(rig_says(&g, "<DeleteMarker>") && rig_says(&g, "<Version>"));
    rig_close(&g);
}

TEST(unfinished_uploads_of_a_prefix_are_aborted)
{
    struct rig g;
    struct store_usage use;

    rig_open(&g);
    CHECK_EQ(rig_signed(&g, HTTP_POST, "/tests/tmp/a?uploads=", NULL, NULL, STR("")), 200);
    CHECK_EQ(rig_signed(&g, HTTP_POST, "/tests/b?uploads=", NULL, NULL, STR("")), 200);
    set_rules(&g, "<Rule><Filter><Prefix>tmp/</Prefix></Filter><Status>Enabled</Status>"
                  "<AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation>"
                  "</AbortIncompleteMultipartUpload></Rule>");
    CHECK_EQ(run_at(&g, 0), 0);
    CHECK_OK(store_usage(g.s, &use, &g.e), &g.e);
    CHECK_EQ(use.uploads, 2);
    CHECK_EQ(run_at(&g, 3), 0);
    CHECK_OK(store_usage(g.s, &use, &g.e), &g.e);
    CHECK_EQ(use.uploads, 1);
    rig_close(&g);
}
