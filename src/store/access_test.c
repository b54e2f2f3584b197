/* access_test.c - every operation needs its right; who makes a bucket owns it. */
#include "store/access.c"

#include "store/test_store.h"

struct caller {
    struct rig g;
    struct key_pair pair;
    struct sigv4_keys keys;
};

static void begin(struct caller *c, const struct grant *grants, size_t n)
{
    rig_open(&c->g);
    CHECK_OK(identity_add(c->g.s->identities, STR("alice"), grants, n, &c->pair, &c->g.e), &c->g.e);
    c->keys = (struct sigv4_keys){str_of(c->pair.access_key), str_of(c->pair.secret_key),
                                  STR("us-east-1")};
}

static int as_alice(struct caller *c, enum http_method m, const char *target,
                    const char *const *headers, str body)
{
    return rig_signed_by(&c->g, &c->keys, os_now_ms(), http_method_name(m), m, target, headers,
                         NULL, body);
}

/* Every operation, and the rights of which one is needed (0: none). */
static const struct operation {
    enum http_method method;
    const char *target, *header, *body;
    unsigned need;
} operations[] = {
    {HTTP_GET, "/", NULL, "", 0},
    {HTTP_HEAD, "/tests", NULL, "", RIGHT_ANY},
    {HTTP_GET, "/tests?location", NULL, "", RIGHT_ANY},
    {HTTP_GET, "/tests?list-type=2", NULL, "", RIGHT_LIST},
    {HTTP_GET, "/tests", NULL, "", RIGHT_LIST},
    {HTTP_GET, "/tests/k", NULL, "", RIGHT_READ},
    {HTTP_HEAD, "/tests/k", NULL, "", RIGHT_READ},
    {HTTP_PUT, "/tests/new", NULL, "x", RIGHT_WRITE},
    {HTTP_DELETE, "/tests/none", NULL, "", RIGHT_WRITE},
    {HTTP_POST, "/tests/k?uploads=", NULL, "", RIGHT_WRITE},
    {HTTP_PUT, "/tests/k?partNumber=1&uploadId=1", NULL, "x", RIGHT_WRITE},
    {HTTP_GET, "/tests/k?uploadId=1", NULL, "", RIGHT_LIST | RIGHT_WRITE},
    {HTTP_POST, "/tests/k?uploadId=1", NULL, "<CompleteMultipartUpload/>", RIGHT_WRITE},
    {HTTP_DELETE, "/tests/k?uploadId=1", NULL, "", RIGHT_WRITE},
    {HTTP_DELETE, "/tests", NULL, "", RIGHT_ADMIN},
    {HTTP_PUT, "/tests", NULL, "", RIGHT_CREATE | RIGHT_ADMIN},
    {HTTP_PUT, "/tests2", NULL, "", RIGHT_CREATE | RIGHT_ADMIN},
    {HTTP_GET, "/absent/k", NULL, "", RIGHT_READ},
    {HTTP_GET, "/tests?versioning=", NULL, "", RIGHT_ANY},
    {HTTP_PUT, "/tests?versioning=", NULL, "x", RIGHT_ADMIN},
    {HTTP_GET, "/tests?policy=", NULL, "", RIGHT_ADMIN},
    {HTTP_PUT, "/tests?policy=", NULL, "x", RIGHT_ADMIN},
    {HTTP_DELETE, "/tests?policy=", NULL, "", RIGHT_ADMIN},
    {HTTP_GET, "/tests?cors=", NULL, "", RIGHT_ADMIN},
    {HTTP_PUT, "/tests?cors=", NULL, "x", RIGHT_ADMIN},
    {HTTP_DELETE, "/tests?cors=", NULL, "", RIGHT_ADMIN},
    {HTTP_GET, "/tests?lifecycle=", NULL, "", RIGHT_ADMIN},
    {HTTP_PUT, "/tests?lifecycle=", NULL, "x", RIGHT_ADMIN},
    {HTTP_DELETE, "/tests?lifecycle=", NULL, "", RIGHT_ADMIN},
    {HTTP_GET, "/tests?tagging=", NULL, "", RIGHT_ADMIN},
    {HTTP_PUT, "/tests?tagging=", NULL, "x", RIGHT_ADMIN},
    {HTTP_DELETE, "/tests?tagging=", NULL, "", RIGHT_ADMIN},
    {HTTP_GET, "/tests?acl=", NULL, "", RIGHT_ADMIN},
    {HTTP_PUT, "/tests?acl=", NULL, "x", RIGHT_ADMIN},
    {HTTP_GET, "/tests?policyStatus=", NULL, "", RIGHT_ADMIN},
    {HTTP_GET, "/tests?accelerate=", NULL, "", RIGHT_ADMIN},
    {HTTP_GET, "/tests?encryption=", NULL, "", RIGHT_ADMIN},
    {HTTP_GET, "/tests?logging=", NULL, "", RIGHT_ADMIN},
    {HTTP_GET, "/tests?notification=", NULL, "", RIGHT_ADMIN},
    {HTTP_GET, "/tests?object-lock=", NULL, "", RIGHT_ADMIN},
    {HTTP_GET, "/tests?ownershipControls=", NULL, "", RIGHT_ADMIN},
    {HTTP_GET, "/tests?publicAccessBlock=", NULL, "", RIGHT_ADMIN},
    {HTTP_GET, "/tests?replication=", NULL, "", RIGHT_ADMIN},
    {HTTP_GET, "/tests?requestPayment=", NULL, "", RIGHT_ADMIN},
    {HTTP_GET, "/tests?website=", NULL, "", RIGHT_ADMIN},
    {HTTP_GET, "/tests?versions=", NULL, "", RIGHT_LIST},
    {HTTP_GET, "/tests?uploads=", NULL, "", RIGHT_LIST},
    {HTTP_GET, "/tests/k?tagging=", NULL, "", RIGHT_READ},
    {HTTP_PUT, "/tests/k?tagging=", NULL, "x", RIGHT_WRITE},
    {HTTP_DELETE, "/tests/k?tagging=", NULL, "", RIGHT_WRITE},
    {HTTP_GET, "/tests/k?acl=", NULL, "", RIGHT_READ},
    {HTTP_PUT, "/tests/k?acl=", NULL, "x", RIGHT_WRITE},
    {HTTP_GET, "/tests/k?attributes=", NULL, "", RIGHT_READ},
    {HTTP_GET, "/tests/k?partNumber=1", NULL, "", RIGHT_READ},
};

TEST(every_operation_needs_its_right_and_no_other)
{
    struct caller c;

    begin(&c, NULL, 0);
    CHECK_OK(s3_put(c.g.c, "k", STR("v"), NULL, &c.g.e), &c.g.e);
    for (unsigned right = 0; right <= RIGHT_CREATE; right = right ? right * 2 : 1) {
        CHECK_OK(identity_grant(c.g.s->identities, STR("alice"), (struct grant){STR("*"), right},
                                &c.g.e),
                 &c.g.e);
        for (size_t i = 0; i < sizeof operations / sizeof *operations; i++) {
            const struct operation *o = &operations[i];
            int status = as_alice(&c, o->method, o->target, NULL, str_of(o->body));
            bool may = !o->need || (o->need & right);
            if (may == (status == 403))
                printf("%s %s with right %u: %d\n", http_method_name(o->method), o->target, right,
                       status);
            CHECK(may != (status == 403));
            if (status == 200 && !strcmp(o->target, "/tests2"))
                CHECK_EQ(rig_signed(&c.g, HTTP_DELETE, "/tests2", NULL, NULL, STR("")), 204);
        }
    }
    rig_close(&c.g);
}

TEST(who_makes_a_bucket_owns_it)
{
    struct grant own = {STR("*"), RIGHT_CREATE};
    const char *copy[] = {"x-amz-copy-source: /tests/secret", NULL};
    struct caller c;

    begin(&c, &own, 1);
    CHECK_OK(s3_put(c.g.c, "secret", STR("v"), NULL, &c.g.e), &c.g.e);
    CHECK_EQ(as_alice(&c, HTTP_PUT, "/tests", NULL, STR("")), 409);
    CHECK(rig_says(&c.g, "<Code>BucketAlreadyExists</Code>"));
    CHECK_EQ(as_alice(&c, HTTP_PUT, "/alices", NULL, STR("")), 200);
    CHECK_EQ(as_alice(&c, HTTP_PUT, "/alices/k", NULL, STR("mine")), 200);
    CHECK_EQ(as_alice(&c, HTTP_GET, "/alices/k", NULL, STR("")), 200);
    CHECK_EQ(as_alice(&c, HTTP_GET, "/tests/secret", NULL, STR("")), 403);
    CHECK(rig_says(&c.g, "<Code>AccessDenied</Code>"));
    CHECK_EQ(as_alice(&c, HTTP_GET, "/absent/secret", NULL, STR("")), 403);
    CHECK_EQ(as_alice(&c, HTTP_PUT, "/alices/copy", copy, STR("")),
             403); /* of what it may not read */
    CHECK_EQ(as_alice(&c, HTTP_GET, "/", NULL, STR("")), 200);
    CHECK(rig_says(&c.g, "<Name>alices</Name>") && !rig_says(&c.g, "<Name>tests</Name>"));
    CHECK_EQ(rig_signed(&c.g, HTTP_GET, "/", NULL, NULL, STR("")), 200);
    CHECK(rig_says(&c.g, "<Name>alices</Name>") && rig_says(&c.g, "<Name>tests</Name>"));
    CHECK_EQ(rig_signed(&c.g, HTTP_GET, "/alices/k", NULL, NULL, STR("")), 200);
    CHECK_EQ(as_alice(&c, HTTP_DELETE, "/alices/k", NULL, STR("")), 204);
    CHECK_EQ(as_alice(&c, HTTP_DELETE, "/alices", NULL, STR("")), 204);
    CHECK_OK(identity_disable(c.g.s->identities, STR("alice"), true, &c.g.e), &c.g.e);
    CHECK_EQ(as_alice(&c, HTTP_GET, "/", NULL, STR("")), 403);
    CHECK(rig_says(&c.g, "<Code>InvalidAccessKeyId</Code>"));
    rig_close(&c.g);
}

TEST(metrics_and_health_answer_this_machine_without_a_signature)
{
    struct caller c;
    struct client_call call = {.method = HTTP_GET};
    char url[128];

    begin(&c, NULL, 0);
    snprintf(url, sizeof url, "%s/_metrics", c.g.endpoint);
    call.url = url;
    call.reply = &c.g.body;
    buf_clear(&c.g.body);
    CHECK_OK(client_do(&call, &c.g.reply, &c.g.e), &c.g.e);
    CHECK_EQ(c.g.reply.status, 200);
    CHECK(rig_says(&c.g, "\nanneal_store_puts_total 1\n")); /* the bucket */
    rig_close(&c.g);
}
