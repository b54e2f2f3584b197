/* client_test.c - settings and addresses of the client; its calls are tested against the embedded
 * store (store/), its retries in transfer_test.c. */
#include "s3/client.c"

#include "base/test.h"

static const struct s3_config good = {.endpoint = "http://127.0.0.1:9000",
                                      .region = "us-east-1",
                                      .bucket = "data",
                                      .access_key = "key",
                                      .secret_key = "secret"};

TEST(settings_that_cannot_be_are_named)
{
    static const struct {
        const char *endpoint, *field;
    } rows[] = {{NULL, "S3_ENDPOINT"},
                {"", "S3_ENDPOINT"},
                {"127.0.0.1:9000", "S3_ENDPOINT"},
                {"ftp://host", "S3_ENDPOINT"},
                {"http://", "S3_ENDPOINT"},
                {"http://host/path", "S3_ENDPOINT"},
                {"http://user@host", "S3_ENDPOINT"},
                {"http://host?x=1", "S3_ENDPOINT"}};
    struct s3_config c;
    struct s3 *s;
    struct err e;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        c = good, c.endpoint = rows[i].endpoint;
        CHECK_EQ(s3_open(&s, &c, &e), RC_INVALID);
        CHECK_STR(str_of(e.field), rows[i].field);
    }
    c = good, c.bucket = "";
    CHECK_EQ(s3_open(&s, &c, &e), RC_INVALID);
    CHECK_STR(str_of(e.field), "BUCKET_NAME");
    c = good, c.access_key = NULL;
    CHECK_EQ(s3_open(&s, &c, &e), RC_INVALID);
    c = good, c.secret_key = "";
    CHECK_EQ(s3_open(&s, &c, &e), RC_INVALID);
    c = good, c.region = NULL;
    CHECK_EQ(s3_open(&s, &c, &e), RC_INVALID);
    CHECK_EQ(mem_live_bytes(), 0);
}

TEST(the_signed_host_is_the_one_that_is_sent)
{
    static const char *const rows[][2] = {{"http://h:80/", "h"},
                                          {"http://h:9000/", "h:9000"},
                                          {"https://h:443", "h"},
                                          {"https://h:80", "h:80"},
                                          {"http://[::1]:9", "[::1]:9"}};
    struct s3_config c = good;
    struct s3 *s;
    struct err e;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        c.endpoint = rows[i][0];
        CHECK_OK(s3_open(&s, &c, &e), &e);
        CHECK_STR(s->host, rows[i][1]);
        s3_close(s);
    }
}

TEST(a_presigned_url_verifies_and_odd_keys_are_encoded)
{
    struct s3 *s;
    struct arena a;
    struct err e;
    const char *url = NULL;
    struct sigv4_pair host = {STR("Host"), STR("127.0.0.1:9000")};
    struct sigv4_request q = {STR("PUT"), STR_NONE, STR_NONE, &host, 1};
    struct sigv4_keys k = {STR("key"), STR("secret"), STR("us-east-1")};
    struct sigv4_auth auth;
    struct sigv4_keyring ring;
    ptrdiff_t mark;

    arena_init(&a, 1 << 20);
    CHECK_OK(s3_open(&s, &good, &e), &e);
    CHECK_OK(
        s3_presign(s, &a, HTTP_PUT, "a b/\xed\x95\x9c?&#", "partNumber=1&uploadId=x", 60, &url, &e),
        &e);
    CHECK(str_starts(str_of(url), STR("http://127.0.0.1:9000/data/a%20b/%ED%95%9C%3F%26%23?"
                                      "partNumber=1&uploadId=x&X-Amz-Algorithm=")));
    mark = str_chr(str_of(url), '?');
    q.path = str_sub(str_of(url), 21, (size_t)mark - 21);
    q.query = str_sub(str_of(url), (size_t)mark + 1, 4096);
    ring = sigv4_ring_of(&k);
    CHECK_EQ(sigv4_verify(&a, &q, &ring, os_now_ms(), &auth, &e), SIGV4_VALID);
    CHECK_EQ(s3_presign(s, &a, HTTP_GET, "a/../b", NULL, 60, &url, &e), RC_INVALID);
    CHECK_EQ(s3_presign(s, &a, HTTP_GET, "./b", NULL, 60, &url, &e), RC_INVALID);
    CHECK_EQ(s3_presign(s, &a, HTTP_GET, "", NULL, 60, &url, &e), RC_INVALID);
    CHECK_EQ(s3_presign(s, &a, HTTP_GET, "k", NULL, 604801, &url, &e), RC_INVALID);
    s3_close(s);
    arena_done(&a);
}

TEST(every_allocation_may_fail)
{
    bool fired = true;

    for (long n = 0; fired; n++) {
        struct s3 *s = NULL;
        struct arena a;
        struct err e;
        const char *url = NULL;
        enum rc rc;

        arena_init(&a, 1 << 20);
        mem_fail_at(n);
        rc = s3_open(&s, &good, &e);
        if (!rc)
            rc = s3_presign(s, &a, HTTP_GET, "some/key", "x=1", 60, &url, &e);
        fired = mem_fail_disarm();
        CHECK_EQ(rc, fired ? RC_NOMEM : RC_OK);
        s3_close(s);
        arena_done(&a);
        CHECK_EQ(mem_live_bytes(), 0);
        CHECK(n < 1000);
    }
}
