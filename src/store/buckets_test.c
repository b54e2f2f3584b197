/* buckets_test.c - what is kept of buckets in memory: found once, true after every change, and
 * bounded. */
#include "store/store_int.h"

/* A change comes between a reader's look at the index and what it keeps. */
static enum rc find_bucket(struct tx *tx, str name, struct bucket *ret, struct err *e);
#define index_bucket find_bucket
#include "store/buckets.c"
#undef index_bucket

#include "store/test_store.h"

static struct call call_of(struct rig *g)
{
    return (struct call){.s = g->s, .a = &g->a};
}

static const struct bucket_info *get(struct rig *g, const char *name)
{
    struct call c = call_of(g);
    const struct bucket_info *i = NULL;

    CHECK_EQ(bucket_info_get(&c, str_of(name), &i), S3_OK);
    return i;
}

/* In the index alone, as a commit does it. */
static void set_acl(struct rig *g, int64_t bucket, enum canned_acl acl)
{
    struct tx *tx;

    CHECK_OK(db_begin(g->s->db, DB_WRITE, &tx, &g->e), &g->e);
    CHECK_OK(index_bucket_acl(tx, bucket, acl, &g->e), &g->e);
    CHECK_OK(tx_commit(tx, &g->e), &g->e);
}

static struct rig *overtaken_by; /* once */

static enum rc find_bucket(struct tx *tx, str name, struct bucket *ret, struct err *e)
{
    struct rig *g = overtaken_by;
    enum rc rc = index_bucket(tx, name, ret, e);

    overtaken_by = NULL;
    if (g && !rc) {
        set_acl(g, ret->id, ACL_PUBLIC_READ);
        bucket_info_forget(g->s, name);
    }
    return rc;
}

TEST(a_bucket_is_looked_up_once_and_again_after_a_change)
{
    struct rig g;
    const struct bucket_info *a, *b, *c;

    rig_open(&g);
    a = get(&g, "tests");
    b = get(&g, "tests");
    CHECK(a == b && a->b.acl == ACL_PRIVATE && !a->policy && !a->cors);
    set_acl(&g, a->b.id, ACL_PUBLIC_READ);
    bucket_info_forget(g.s, STR("tests"));
    c = get(&g, "tests");
    CHECK(c != a && c->b.acl == ACL_PUBLIC_READ);
    CHECK(a->b.acl == ACL_PRIVATE && !strcmp(a->name, "tests")); /* lives while it is used */
    bucket_info_unref(a);
    bucket_info_unref(b);
    bucket_info_unref(c);
    bucket_info_unref(NULL);
    rig_close(&g);
}

TEST(a_bucket_that_is_not_there_is_asked_for_anew_each_time)
{
    struct rig g;
    struct call c;
    const struct bucket_info *i;

    rig_open(&g);
    c = call_of(&g);
    CHECK_EQ(bucket_info_get(&c, STR("later"), &i), S3_NO_SUCH_BUCKET);
    CHECK(!c.err.text[0]); /* the client is told by the code */
    CHECK_EQ(rig_signed(&g, HTTP_PUT, "/later", NULL, NULL, STR("")), 200);
    i = get(&g, "later");
    CHECK(!strcmp(i->b.owner, "root"));
    bucket_info_unref(i);
    CHECK_EQ(rig_signed(&g, HTTP_DELETE, "/later", NULL, NULL, STR("")), 204);
    CHECK_EQ(bucket_info_get(&c, STR("later"), &i), S3_NO_SUCH_BUCKET);
    rig_close(&g);
}

TEST(the_policy_and_the_cors_rules_come_compiled)
{
    static const char policy[] =
        "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":\"*\","
        "\"Action\":\"s3:GetObject\",\"Resource\":\"arn:aws:s3:::tests/*\"}]}";
    static const char cors[] = "<CORSConfiguration><CORSRule><AllowedOrigin>*</AllowedOrigin>"
                               "<AllowedMethod>GET</AllowedMethod></CORSRule></CORSConfiguration>";
    struct rig g;
    const struct bucket_info *i;

    rig_open(&g);
    i = get(&g, "tests");
    bucket_info_unref(i);
    CHECK_EQ(rig_signed(&g, HTTP_PUT, "/tests?policy=", NULL, NULL, str_of(policy)), 204);
    CHECK_EQ(rig_signed(&g, HTTP_PUT, "/tests?cors=", NULL, NULL, str_of(cors)), 200);
    i = get(&g, "tests");
    CHECK(i->policy && i->cors);
    bucket_info_unref(i);
    CHECK_EQ(rig_signed(&g, HTTP_DELETE, "/tests?policy=", NULL, NULL, STR("")), 204);
    i = get(&g, "tests");
    CHECK(!i->policy && i->cors);
    bucket_info_unref(i);
    rig_close(&g);
}

TEST(no_more_than_so_many_are_kept)
{
    enum { MADE = BUCKETS_KEPT + 50 };
    struct rig g;
    struct tx *tx;
    char name[32];

    rig_open(&g);
    CHECK_OK(db_begin(g.s->db, DB_WRITE, &tx, &g.e), &g.e);
    for (int i = 0; i < MADE; i++) {
        snprintf(name, sizeof name, "bucket-%d", i);
        CHECK_OK(index_bucket_add(tx, str_of(name), STR("root"), ACL_PRIVATE, i, &g.e), &g.e);
    }
    CHECK_OK(tx_commit(tx, &g.e), &g.e);
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < MADE; i++) {
            const struct bucket_info *info;
            snprintf(name, sizeof name, "bucket-%d", i);
            info = get(&g, name);
            CHECK(info->b.created_ms == i && !strcmp(info->name, name));
            bucket_info_unref(info);
            CHECK(map_count(&g.s->buckets->by_name) <= BUCKETS_KEPT);
        }
    rig_close(&g);
}

TEST(a_reader_that_was_overtaken_by_a_change_does_not_keep_the_old_state)
{
    struct rig g;
    const struct bucket_info *i;

    rig_open(&g);
    overtaken_by = &g;
    i = get(&g, "tests"); /* read before the change, and so told */
    CHECK(!overtaken_by && i->b.acl == ACL_PRIVATE);
    bucket_info_unref(i);
    i = get(&g, "tests");
    CHECK_EQ(i->b.acl, ACL_PUBLIC_READ);
    bucket_info_unref(i);
    rig_close(&g);
}
