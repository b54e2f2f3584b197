/* sigv4_test.c - Amazon's published examples, and what must not verify.
 * The credentials are those of Amazon's documentation; they open nothing. */
#include "s3/sigv4.c"

#include "base/test.h"

static const struct sigv4_keys aws = {
    STR("AKIAIOSFODNN7EXAMPLE"), STR("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"), STR("us-east-1")};
#define EMPTY_SHA "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define AWS_NOW   1369353600000 /* 2013-05-24T00:00:00Z */
#define AUTH(signed_headers, signature)                                                            \
    "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "        \
    "SignedHeaders=" signed_headers ", Signature=" signature
#define P(n, v)                                                                                    \
    {                                                                                              \
        STR(n), STR(v)                                                                             \
    }
#define N(a) (sizeof(a) / sizeof *(a))

static enum sigv4_fault verify_at(const struct sigv4_request *q, int64_t now_ms,
                                  struct sigv4_auth *ret, struct err *e)
{
    struct sigv4_keyring ring = sigv4_ring_of(&aws);
    struct arena a;
    enum sigv4_fault f;

    arena_init(&a, 1 << 20);
    f = sigv4_verify(&a, q, &ring, now_ms, ret, e);
    arena_done(&a);
    return f;
}

static void check_header_vector(const char *method, const char *path, const char *query,
                                const struct sigv4_pair *h, size_t n)
{
    struct sigv4_request q = {str_of(method), str_of(path), str_of(query), h, n};
    struct sigv4_auth auth;
    struct err e;
    enum sigv4_fault f = verify_at(&q, AWS_NOW, &auth, &e);

    if (f)
        test_fail(__FILE__, __LINE__, "%s %s: fault %d: %s", method, path, f, e.text);
}

static const struct sigv4_pair get_headers[] = {
    P("Host", "examplebucket.s3.amazonaws.com"), P("Range", "bytes=0-9"),
    P("x-amz-content-sha256", EMPTY_SHA), P("x-amz-date", "20130524T000000Z"),
    P("Authorization", AUTH("host;range;x-amz-content-sha256;x-amz-date",
                            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"))};

TEST(published_header_examples_verify)
{
    const struct sigv4_pair put[] = {
        P("Date", "Fri, 24 May 2013 00:00:00 GMT"),
        P("Host", "examplebucket.s3.amazonaws.com"),
        P("x-amz-content-sha256",
          "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"),
        P("x-amz-date", "20130524T000000Z"),
        P("x-amz-storage-class", "REDUCED_REDUNDANCY"),
        P("Authorization",
          AUTH("date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
               "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"))};
    const struct sigv4_pair lifecycle[] = {
        P("Host", "examplebucket.s3.amazonaws.com"), P("x-amz-content-sha256", EMPTY_SHA),
        P("x-amz-date", "20130524T000000Z"),
        P("Authorization",
          AUTH("host;x-amz-content-sha256;x-amz-date",
               "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"))};
    const struct sigv4_pair list[] = {
        P("Host", "examplebucket.s3.amazonaws.com"), P("x-amz-content-sha256", EMPTY_SHA),
        P("x-amz-date", "20130524T000000Z"),
        P("Authorization",
          AUTH("host;x-amz-content-sha256;x-amz-date",
               "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"))};

    check_header_vector("GET", "/test.txt", "", get_headers, N(get_headers));
    check_header_vector("PUT", "/test$file.text", "", put, N(put));
    check_header_vector("GET", "/", "lifecycle", lifecycle, N(lifecycle));
    check_header_vector("GET", "/", "prefix=J&max-keys=2", list, N(list)); /* order is no matter */
}

#define PRESIGNED                                                                                  \
    "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east"  \
    "-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders="  \
    "host&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"

static const struct sigv4_pair host_only[] = {P("host", "examplebucket.s3.amazonaws.com")};

TEST(published_presigned_example_verifies_and_is_what_we_make)
{
    struct sigv4_request q = {STR("GET"), STR("/test.txt"), STR(PRESIGNED), host_only, 1};
    struct sigv4_url u = {STR("GET"),
                          STR("https://examplebucket.s3.amazonaws.com"),
                          STR("examplebucket.s3.amazonaws.com"),
                          STR("/test.txt"),
                          STR_NONE,
                          86400,
                          AWS_NOW};
    struct sigv4_auth auth;
    struct arena a;
    struct buf out;
    struct err e;

    CHECK_EQ(verify_at(&q, AWS_NOW, &auth, &e), SIGV4_VALID);
    CHECK(auth.presigned);
    CHECK_STR(auth.payload, "UNSIGNED-PAYLOAD");
    arena_init(&a, 1 << 20);
    buf_init(&out, 4096);
    CHECK_OK(sigv4_presign(&a, &out, &aws, &u, &e), &e);
    CHECK_STR(buf_view(&out), "https://examplebucket.s3.amazonaws.com/test.txt?" PRESIGNED);
    u.seconds = SIGV4_EXPIRES_S_MAX + 1;
    CHECK_EQ(sigv4_presign(&a, &out, &aws, &u, &e), RC_INVALID);
    u.seconds = 0;
    CHECK_EQ(sigv4_presign(&a, &out, &aws, &u, &e), RC_INVALID);
    buf_done(&out);
    arena_done(&a);
}

TEST(a_presigned_url_holds_for_its_method_path_and_time_alone)
{
    struct sigv4_request q = {STR("GET"), STR("/test.txt"), STR(PRESIGNED), host_only, 1};
    const struct sigv4_pair other_host[] = {P("host", "elsewhere.s3.amazonaws.com")};
    const struct sigv4_pair copy[] = {P("host", "examplebucket.s3.amazonaws.com"),
                                      P("X-Amz-Copy-Source", "/private/secret")};
    struct sigv4_auth auth;
    struct sigv4_request t;
    struct err e;

    CHECK_EQ(verify_at(&q, AWS_NOW + 86400000, &auth, &e), SIGV4_VALID);
    CHECK_EQ(verify_at(&q, AWS_NOW + 86401000, &auth, &e), SIGV4_EXPIRED);
    CHECK_EQ(verify_at(&q, AWS_NOW - 900000, &auth, &e), SIGV4_VALID);
    CHECK_EQ(verify_at(&q, AWS_NOW - 901000, &auth, &e), SIGV4_EXPIRED);
    t = q, t.method = STR("PUT");
    CHECK_EQ(verify_at(&t, AWS_NOW, &auth, &e), SIGV4_MISMATCH);
    t = q, t.path = STR("/test.txt2");
    CHECK_EQ(verify_at(&t, AWS_NOW, &auth, &e), SIGV4_MISMATCH);
    t = q, t.path = STR("/tes%74.txt"); /* the same key spelled otherwise */
    CHECK_EQ(verify_at(&t, AWS_NOW, &auth, &e), SIGV4_VALID);
    t = q, t.query = STR(PRESIGNED "&response-content-type=text/html");
    CHECK_EQ(verify_at(&t, AWS_NOW, &auth, &e), SIGV4_MISMATCH);
    t = q, t.query = STR(PRESIGNED "&X-Amz-Expires=604800");
    CHECK_EQ(verify_at(&t, AWS_NOW, &auth, &e), SIGV4_BAD_QUERY);
    t = q, t.query = STR(PRESIGNED "&X-Amz-Signature=");
    CHECK_EQ(verify_at(&t, AWS_NOW, &auth, &e), SIGV4_BAD_QUERY);
    t = q, t.headers = other_host;
    CHECK_EQ(verify_at(&t, AWS_NOW, &auth, &e), SIGV4_MISMATCH);
    t = q, t.headers = copy, t.header_count = 2;
    CHECK_EQ(verify_at(&t, AWS_NOW, &auth, &e), SIGV4_NOT_SIGNED);
}

static enum sigv4_fault with_auth(const char *authorization, const char *date)
{
    struct sigv4_pair h[N(get_headers)];
    struct sigv4_request q = {STR("GET"), STR("/test.txt"), STR_NONE, h, N(h)};
    struct sigv4_auth auth;
    struct err e;

    memcpy(h, get_headers, sizeof h);
    h[3].value = str_of(date);
    h[4].value = str_of(authorization);
    return verify_at(&q, AWS_NOW, &auth, &e);
}

TEST(each_fault_of_a_signed_header_has_its_own_verdict)
{
    const char *names = "host;range;x-amz-content-sha256;x-amz-date";
    const char *sig = "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41";
    static const struct {
        const char *credential, *date;
        enum sigv4_fault want;
    } rows[] = {
        {"AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request", "20130524T000000Z",
         SIGV4_VALID},
        {"AKIAIOSFODNN7EXAMPLF/20130524/us-east-1/s3/aws4_request", "20130524T000000Z",
         SIGV4_UNKNOWN_KEY},
        {"AKIAIOSFODNN7EXAMPLE/20130524/eu-west-1/s3/aws4_request", "20130524T000000Z",
         SIGV4_BAD_HEADER},
        {"AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/ec2/aws4_request", "20130524T000000Z",
         SIGV4_BAD_HEADER},
        {"AKIAIOSFODNN7EXAMPLE/20130523/us-east-1/s3/aws4_request", "20130524T000000Z",
         SIGV4_BAD_HEADER},
        {"AKIAIOSFODNN7EXAMPLE/us-east-1/s3/aws4_request", "20130524T000000Z", SIGV4_BAD_HEADER},
        {"AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request", "20130524T001501Z",
         SIGV4_SKEWED},
        {"AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request", "20130524T001500Z",
         SIGV4_MISMATCH},
        {"AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request", "20130524 000000Z",
         SIGV4_BAD_DATE},
        {"AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request", "", SIGV4_BAD_DATE},
    };
    char text[512];

    for (size_t i = 0; i < N(rows); i++) {
        enum sigv4_fault got;
        snprintf(text, sizeof text, "AWS4-HMAC-SHA256 Credential=%s,SignedHeaders=%s,Signature=%s",
                 rows[i].credential, names, sig);
        got = with_auth(text, rows[i].date);
        if (got != rows[i].want)
            test_fail(__FILE__, __LINE__, "row %zu gives %d, not %d", i, got, rows[i].want);
    }
    CHECK_EQ(with_auth("AWS AKIAIOSFODNN7EXAMPLE:abc", "20130524T000000Z"), SIGV4_BAD_VERSION);
    CHECK_EQ(with_auth("AWS4-HMAC-SHA256 nothing", "20130524T000000Z"), SIGV4_BAD_HEADER);
    CHECK_EQ(with_auth(AUTH("host;range;x-amz-date", "f0"), "20130524T000000Z"), SIGV4_NOT_SIGNED);
    CHECK_EQ(with_auth(AUTH("range;x-amz-content-sha256;x-amz-date", "f0"), "20130524T000000Z"),
             SIGV4_NOT_SIGNED);
    CHECK_EQ(
        with_auth(AUTH("absent;host;x-amz-content-sha256;x-amz-date", "f0"), "20130524T000000Z"),
        SIGV4_NOT_SIGNED);
    CHECK_EQ(
        with_auth(AUTH("host;range;x-amz-content-sha256;x-amz-date", "f0e8"), "20130524T000000Z"),
        SIGV4_MISMATCH);
}

TEST(a_request_without_credentials_is_told_apart)
{
    struct sigv4_request q = {STR("GET"), STR("/"), STR("prefix=a"), host_only, 1};
    struct sigv4_auth auth;
    struct err e;

    CHECK_EQ(verify_at(&q, AWS_NOW, &auth, &e), SIGV4_ABSENT);
    q.path = STR("/%zz");
    CHECK_EQ(verify_at(&q, AWS_NOW, &auth, &e), SIGV4_BAD_URI);
}

TEST(encoding_keeps_the_unreserved_and_decoding_refuses_the_broken)
{
    struct arena a;
    struct buf b;
    struct err e;
    str s;

    arena_init(&a, 4096);
    buf_init(&b, 256);
    sigv4_encode(&b, STR("a/b c~+\xed\x95\x9c"), true);
    CHECK_STR(buf_view(&b), "a/b%20c~%2B%ED%95%9C");
    buf_clear(&b);
    sigv4_encode(&b, STR("a/b"), false);
    CHECK_STR(buf_view(&b), "a%2Fb");
    CHECK_OK(sigv4_decode(&a, STR("a%2fb+c"), true, &s, &e), &e);
    CHECK_STR(s, "a/b c");
    CHECK_OK(sigv4_decode(&a, STR("a+b"), false, &s, &e), &e);
    CHECK_STR(s, "a+b");
    CHECK_EQ(sigv4_decode(&a, STR("a%2"), false, &s, &e), RC_INVALID);
    CHECK_EQ(sigv4_decode(&a, STR("%"), false, &s, &e), RC_INVALID);
    CHECK_EQ(sigv4_decode(&a, STR("%g0"), false, &s, &e), RC_INVALID);
    buf_done(&b);
    arena_done(&a);
}

TEST(a_query_has_a_limit_and_keeps_empty_values)
{
    struct arena a;
    struct sigv4_pair *p;
    struct buf b;
    struct err e;
    size_t n;

    arena_init(&a, 1 << 20);
    CHECK_OK(sigv4_query(&a, STR("delete&a=1=2&&b="), &p, &n, &e), &e);
    CHECK_EQ(n, 3);
    CHECK_STR(sigv4_find(p, n, "a"), "1=2");
    CHECK(sigv4_find(p, n, "delete").p && !sigv4_find(p, n, "delete").n);
    CHECK(!sigv4_find(p, n, "c").p);
    buf_init(&b, 4096);
    for (int i = 0; i < SIGV4_PARAMS_MAX + 1; i++)
        buf_puts(&b, "a=&");
    CHECK_EQ(sigv4_query(&a, buf_view(&b), &p, &n, &e), RC_LIMIT);
    buf_done(&b);
    arena_done(&a);
}

TEST(times_that_do_not_exist_are_refused)
{
    char text[SIGV4_TIME_TEXT];
    int64_t t;

    CHECK(sigv4_time_parse(STR("20130524T000000Z"), &t));
    CHECK_EQ(t, AWS_NOW / 1000);
    sigv4_time_text(t, text);
    CHECK_STR(str_of(text), "20130524T000000Z");
    CHECK(sigv4_time_parse(STR("20240229T235959Z"), &t));
    CHECK(!sigv4_time_parse(STR("20230229T235959Z"), &t));
    CHECK(!sigv4_time_parse(STR("20231301T000000Z"), &t));
    CHECK(!sigv4_time_parse(STR("20230101T240000Z"), &t));
    CHECK(!sigv4_time_parse(STR("2023010T1240000Z"), &t));
    CHECK(!sigv4_time_parse(STR("20230101T000000"), &t));
}
