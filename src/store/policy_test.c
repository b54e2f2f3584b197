/* policy_test.c - what policies and canned ACLs allow, and what is refused when they are put. */
#include "store/policy.c"

#include "base/test.h"

static struct policy *made(const char *text)
{
    struct policy *p;
    struct err e;

    CHECK_OK(policy_new(&p, str_of(text), STR("pics"), &e), &e);
    return p;
}

static struct access_request ask(enum access_action a, const char *key, const char *who)
{
    return (struct access_request){.action = a,
                                   .bucket = STR("pics"),
                                   .key = str_of(key),
                                   .who = str_of(who),
                                   .peer = STR("10.1.2.3")};
}

TEST(public_read_is_read_and_nothing_else)
{
    struct policy *p = made("{\"Version\":\"2012-10-17\",\"Statement\":[{\"Sid\":\"x\",\"Effect\":"
                            "\"Allow\",\"Principal\":\"*\",\"Action\":[\"s3:GetObject\"],"
                            "\"Resource\":\"arn:aws:s3:::pics/pub/*\"}]}");
    struct access_request q = ask(ACTION_GET_OBJECT, "pub/a", NULL);

    CHECK_EQ(policy_eval(p, &q), VERDICT_ALLOW);
    CHECK(access_decide(&q, VERDICT_NONE, p, ACL_PRIVATE, ACL_PRIVATE));
    q.key = STR("pub");
    CHECK_EQ(policy_eval(p, &q), VERDICT_NONE);
    q = ask(ACTION_PUT_OBJECT, "pub/a", NULL);
    CHECK_EQ(policy_eval(p, &q), VERDICT_NONE);
    q = ask(ACTION_LIST_BUCKET, NULL, NULL);
    CHECK_EQ(policy_eval(p, &q), VERDICT_NONE);
    CHECK(policy_is_public(p));
    policy_free(p);
}

TEST(a_deny_wins_over_allow_rights_and_acl_but_the_owner_keeps_the_policy)
{
    struct policy *p = made(
        "{\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":[\"ann\","
        "\"arn:aws:iam::1:user/bob\"]},\"Action\":\"s3:*\",\"Resource\":[\"arn:aws:s3:::pics\","
        "\"arn:aws:s3:::pics/*\"]},{\"Effect\":\"Deny\",\"Principal\":{\"AWS\":\"*\"},"
        "\"NotAction\":\"s3:Get*\",\"Resource\":\"*\"}]}");
    struct access_request q = ask(ACTION_GET_OBJECT, "k", "bob");

    CHECK_EQ(policy_eval(p, &q), VERDICT_ALLOW);
    q.who = STR("eve");
    CHECK_EQ(policy_eval(p, &q), VERDICT_NONE);
    q = ask(ACTION_PUT_OBJECT, "k", "ann");
    CHECK_EQ(policy_eval(p, &q), VERDICT_DENY);
    CHECK(!access_decide(&q, VERDICT_ALLOW, p, ACL_PUBLIC_READ_WRITE, ACL_PUBLIC_READ));
    q = ask(ACTION_DELETE_POLICY, NULL, "root");
    CHECK(!access_decide(&q, VERDICT_ALLOW, p, ACL_PRIVATE, ACL_PRIVATE));
    q.owner = true;
    CHECK(access_decide(&q, VERDICT_ALLOW, p, ACL_PRIVATE, ACL_PRIVATE));
    policy_free(p);
}

static bool under(const char *condition, struct access_request *q)
{
    char text[1024];
    struct policy *p;
    bool allowed;

    snprintf(text, sizeof text,
             "{\"Statement\":{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"*\","
             "\"Resource\":\"*\",\"Condition\":%s}}",
             condition);
    p = made(text);
    allowed = policy_eval(p, q) == VERDICT_ALLOW;
    CHECK(!policy_is_public(p));
    policy_free(p);
    return allowed;
}

TEST(conditions_hold_or_do_not)
{
    struct access_request q = ask(ACTION_LIST_BUCKET, NULL, "ann");

    q.prefix = STR("home/ann/");
    q.max_keys = STR("10");
    q.now_ms = INT64_C(1767225600000); /* 2026-01-01 */
    CHECK(under("{\"StringLike\":{\"s3:prefix\":[\"x\",\"home/*\"]}}", &q));
    CHECK(!under("{\"StringEquals\":{\"s3:prefix\":\"home/\"}}", &q));
    CHECK(under("{\"StringNotEquals\":{\"s3:prefix\":\"home/\"}}", &q));
    CHECK(!under("{\"StringEquals\":{\"s3:delimiter\":\"/\"}}", &q)); /* absent */
    CHECK(under("{\"StringNotEquals\":{\"s3:delimiter\":\"/\"}}", &q));
    CHECK(under("{\"StringEqualsIfExists\":{\"s3:delimiter\":\"/\"}}", &q));
    CHECK(under("{\"Null\":{\"s3:delimiter\":\"true\"}}", &q));
    CHECK(under("{\"NumericLessThanEquals\":{\"s3:max-keys\":10}}", &q));
    CHECK(!under("{\"NumericLessThan\":{\"s3:max-keys\":\"10\"}}", &q));
    CHECK(under("{\"IpAddress\":{\"aws:SourceIp\":[\"192.168.0.0/16\",\"10.0.0.0/8\"]}}", &q));
    CHECK(!under("{\"NotIpAddress\":{\"aws:SourceIp\":\"10.1.2.3\"}}", &q));
    CHECK(under("{\"Bool\":{\"aws:SecureTransport\":false}}", &q));
    CHECK(!under("{\"Bool\":{\"aws:SecureTransport\":\"true\"}}", &q));
    CHECK(under("{\"DateGreaterThan\":{\"aws:CurrentTime\":\"2025-12-31T23:59:59Z\"}}", &q));
    CHECK(!under("{\"DateLessThan\":{\"aws:CurrentTime\":\"2026-01-01\"}}", &q));
    CHECK(!under("{\"StringEquals\":{\"aws:username\":\"ann\"},\"Bool\":"
                 "{\"aws:SecureTransport\":true}}",
                 &q)); /* all of them */
}

TEST(networks_hold_their_addresses)
{
    CHECK(cidr_holds(STR("0.0.0.0/0"), STR("8.8.8.8")));
    CHECK(cidr_holds(STR("10.1.2.0/23"), STR("10.1.3.255")));
    CHECK(!cidr_holds(STR("10.1.2.0/23"), STR("10.1.4.0")));
    CHECK(cidr_holds(STR("2001:db8::/33"), STR("2001:db8:7fff::1")));
    CHECK(!cidr_holds(STR("2001:db8::/33"), STR("2001:db8:8000::1")));
    CHECK(cidr_holds(STR("127.0.0.1"), STR("::ffff:127.0.0.1")));
    CHECK(!cidr_ok(STR("10.0.0.0/33")) && !cidr_ok(STR("10.0.0/8")) && !cidr_ok(STR("")));
}

/* A statement up to its condition. */
#define ANYONE                                                                                     \
    "{\"Statement\":{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"s3:*\","                \
    "\"Resource\":\"*\","

TEST(what_cannot_be_enforced_is_refused)
{
    static const char *const bad[] = {
        "",
        "[]",
        "{}",
        "{\"Statement\":[]}",
        "{\"Statement\":[1]}",
        "{\"Statement\":{\"Effect\":\"Maybe\",\"Principal\":\"*\","
        "\"Action\":\"*\",\"Resource\":\"*\"}}",
        "{\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\"}}",
        "{\"Statement\":{\"Effect\":\"Allow\",\"NotPrincipal\":\"*\","
        "\"Action\":\"*\",\"Resource\":\"*\"}}",
        "{\"Statement\":{\"Effect\":\"Allow\",\"Principal\":\"ann\","
        "\"Action\":\"*\",\"Resource\":\"*\"}}",
        "{\"Statement\":{\"Effect\":\"Allow\",\"Principal\":\"*\","
        "\"Action\":\"ec2:Run\",\"Resource\":\"*\"}}",
        "{\"Statement\":{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"s3:*\","
        "\"Resource\":\"arn:aws:s3:::other/*\"}}",
        ANYONE "\"Condition\":{\"StringEquals\":{\"s3:ExistingObjectTag/x\":\"y\"}}}}",
        ANYONE "\"Condition\":{\"ForAllValues:StringEquals\":{\"s3:prefix\":\"y\"}}}}",
        ANYONE "\"Condition\":{\"IpAddress\":{\"aws:SourceIp\":\"nowhere\"}}}}",
        "{\"Statement\":{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"s3:*\",\"Resource\":"
        "\"arn:aws:s3:::pics/${aws:username}\"}}",
    };
    struct policy *p;
    struct err e;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (policy_new(&p, str_of(bad[i]), STR("pics"), &e) != RC_INVALID)
            test_fail(__FILE__, __LINE__, "taken: %s", bad[i]);
}

TEST(canned_acls_grant_what_their_names_say)
{
    struct access_request get = ask(ACTION_GET_OBJECT, "k", NULL);
    struct access_request put = ask(ACTION_PUT_OBJECT, "k", NULL);
    struct access_request list = ask(ACTION_LIST_BUCKET, NULL, NULL);
    enum canned_acl acl;

    CHECK(!access_decide(&get, VERDICT_NONE, NULL, ACL_PUBLIC_READ, ACL_PRIVATE));
    CHECK(access_decide(&get, VERDICT_NONE, NULL, ACL_PRIVATE, ACL_PUBLIC_READ));
    CHECK(access_decide(&list, VERDICT_NONE, NULL, ACL_PUBLIC_READ, ACL_PRIVATE));
    CHECK(!access_decide(&put, VERDICT_NONE, NULL, ACL_PUBLIC_READ, ACL_PUBLIC_READ_WRITE));
    CHECK(access_decide(&put, VERDICT_NONE, NULL, ACL_PUBLIC_READ_WRITE, ACL_PRIVATE));
    CHECK(!access_decide(&get, VERDICT_NONE, NULL, ACL_PRIVATE, ACL_AUTHENTICATED_READ));
    get.who = STR("ann");
    CHECK(access_decide(&get, VERDICT_NONE, NULL, ACL_PRIVATE, ACL_AUTHENTICATED_READ));
    CHECK(!access_decide(&get, VERDICT_DENY, NULL, ACL_PRIVATE, ACL_PUBLIC_READ));
    CHECK(acl_of_name(STR("bucket-owner-full-control"), &acl) && acl == ACL_PRIVATE);
    CHECK(!acl_of_name(STR("log-delivery-write"), &acl) && !acl_of_name(STR(""), &acl));
}

TEST(wildcards_match_without_blowing_up)
{
    char s[2048];

    CHECK(wildcard_match(STR("a*b?c"), STR("aXXbYc"), false));
    CHECK(!wildcard_match(STR("a*b?c"), STR("aXXbc"), false));
    CHECK(wildcard_match(STR("s3:GET*"), STR("s3:GetObject"), true));
    CHECK(wildcard_match(STR("**"), STR(""), false) && !wildcard_match(STR("?"), STR(""), false));
    memset(s, 'a', sizeof s);
    CHECK(!wildcard_match(STR("a*a*a*a*a*a*a*a*a*a*b"), (str){s, sizeof s}, false));
}
