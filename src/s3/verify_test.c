/* verify_test.c - checksums on both ways, against a server that lies. */
#include "s3/verify.c"

#include "base/mem.h"
#include "base/test.h"
#include "os/os.h"
#include "s3/sigv4.h"

static struct {
    const char *put_etag, *get_etag, *get_body;
    char md5[64], query[2048];
} server;

static void handle(struct http_req *r, void *ud)
{
    str body, md5 = http_header(r, "content-md5");
    struct err e;

    snprintf(server.query, sizeof server.query, "%.*s", STR_F(http_raw_target(r)));
    if (http_method_of(r) == HTTP_PUT) {
        CHECK_OK(http_body_all(r, 1 << 20, &body, &e), &e);
        snprintf(server.md5, sizeof server.md5, "%.*s", STR_F(md5));
        http_add_header(r, "ETag", server.put_etag);
        http_reply(r, 200, NULL, STR(""));
        return;
    }
    http_add_header(r, "ETag", server.get_etag);
    http_reply(r, 200, "text/plain", str_of(server.get_body));
}

struct pair {
    struct http_server *s;
    struct s3 *c;
    char endpoint[64];
    struct err e;
};

static void up(struct pair *g, struct s3_config more)
{
    CHECK_OK(http_server_new(&g->s, "127.0.0.1:0", NULL, handle, NULL, NULL, &g->e), &g->e);
    snprintf(g->endpoint, sizeof g->endpoint, "http://127.0.0.1:%d", http_server_port(g->s));
    more.endpoint = g->endpoint;
    more.region = "us-east-1";
    more.bucket = "b";
    more.access_key = "key";
    more.secret_key = "secret-secret";
    CHECK_OK(s3_open(&g->c, &more, &g->e), &g->e);
}

static void down(struct pair *g)
{
    s3_close(g->c);
    http_server_free(g->s);
    client_cleanup();
}

static enum rc sink(void *ud, const void *p, size_t n, struct err *e)
{
    *(size_t *)ud += n;
    return RC_OK;
}

#define HELLO "\"5d41402abc4b2a76b9719d911017c592\""
#define OTHER "\"00000000000000000000000000000000\""

TEST(what_is_sent_carries_its_md5_and_the_answer_must_agree)
{
    struct pair g;
    bool existed;

    up(&g, (struct s3_config){0});
    server.put_etag = OTHER; /* as a store that encrypts under its own keys would say */
    CHECK_OK(s3_put(g.c, "k", STR("hello"), NULL, &g.e), &g.e);
    CHECK_STR(str_of(server.md5), "XUFAKrxLKna5cZ2REBfFkg==");
    server.put_etag = HELLO; /* it is not: now we know */
    CHECK_OK(s3_put(g.c, "k", STR("hello"), NULL, &g.e), &g.e);
    server.put_etag = OTHER;
    CHECK_EQ(s3_put(g.c, "k", STR("hello"), NULL, &g.e), RC_CORRUPT);
    CHECK_EQ(s3_put_new(g.c, "k", STR("hello"), NULL, &existed, &g.e), RC_CORRUPT);
    server.put_etag =
        "\"5d41402abc4b2a76b9719d911017c592-1\""; /* no plain MD5: nothing to compare */
    CHECK_OK(s3_put(g.c, "k", STR("hello"), NULL, &g.e), &g.e);
    down(&g);
}

TEST(what_comes_back_is_held_against_its_etag)
{
    struct pair g;
    struct buf b;
    size_t n = 0;

    up(&g, (struct s3_config){0});
    buf_init(&b, 1 << 16);
    server.get_etag = HELLO;
    server.get_body = "hallo";
    CHECK_OK(s3_get(g.c, "k", &b, &g.e), &g.e); /* what ETags are is not known yet */
    server.put_etag = HELLO;
    CHECK_OK(s3_put(g.c, "k", STR("hello"), NULL, &g.e), &g.e);
    CHECK_EQ(s3_get(g.c, "k", &b, &g.e), RC_CORRUPT);
    CHECK_EQ(s3_get_stream(g.c, "k", sink, &n, &g.e), RC_CORRUPT);
    server.get_body = "hello";
    n = 0;
    CHECK_OK(s3_get(g.c, "k", &b, &g.e), &g.e);
    CHECK_OK(s3_get_stream(g.c, "k", sink, &n, &g.e), &g.e);
    CHECK_EQ(n, 5);
    server.get_etag = "\"5d41402abc4b2a76b9719d911017c592-2\"";
    server.get_body = "other";
    CHECK_OK(s3_get(g.c, "k", &b, &g.e), &g.e);
    buf_done(&b);
    down(&g);
}

TEST(a_session_token_is_signed_and_sent)
{
    const struct sigv4_keys k = {STR("key"), STR("secret-secret"), STR("us-east-1")};
    struct sigv4_keyring ring = sigv4_ring_of(&k);
    struct sigv4_auth auth;
    struct sigv4_pair host;
    struct sigv4_request q = {.method = STR("PUT"), .headers = &host, .header_count = 1};
    struct arena a;
    struct pair g;
    ptrdiff_t mark;
    char *at;

    arena_init(&a, 1 << 20);
    up(&g, (struct s3_config){.session_token = "to/ken+1"});
    server.put_etag = HELLO;
    CHECK_OK(s3_put(g.c, "k", STR("hello"), NULL, &g.e), &g.e);
    at = strstr(server.query, "&X-Amz-Security-Token=to%2Fken%2B1&");
    CHECK(at != NULL);
    host = (struct sigv4_pair){STR("host"), str_of(g.endpoint + 7)};
    mark = str_chr(str_of(server.query), '?');
    q.path = (str){server.query, (size_t)mark};
    q.query = str_of(server.query + mark + 1);
    CHECK_EQ(sigv4_verify(&a, &q, &ring, os_now_ms(), &auth, &g.e), SIGV4_VALID);
    at[23] = 'T';
    CHECK_EQ(sigv4_verify(&a, &q, &ring, os_now_ms(), &auth, &g.e), SIGV4_MISMATCH);
    arena_done(&a);
    down(&g);
}

TEST(a_virtual_host_carries_the_bucket)
{
    const struct s3_config c = {.endpoint = "https://s3.example.org:443/",
                                .region = "eu-1",
                                .bucket = "photos",
                                .access_key = "key",
                                .secret_key = "secret-secret",
                                .virtual_host = true};
    struct arena a;
    struct s3 *s;
    struct err e;
    const char *url;

    arena_init(&a, 1 << 20);
    CHECK_OK(s3_open(&s, &c, &e), &e);
    CHECK_OK(s3_presign(s, &a, HTTP_GET, "a b", NULL, 60, &url, &e), &e);
    CHECK(str_starts(str_of(url), STR("https://photos.s3.example.org/a%20b?X-Amz-Algorithm=")));
    CHECK_OK(s3_presign(s, &a, HTTP_GET, NULL, "list-type=2", 60, &url, &e), &e);
    CHECK(str_starts(str_of(url), STR("https://photos.s3.example.org/?list-type=2&")));
    s3_close(s);
    arena_done(&a);
}
