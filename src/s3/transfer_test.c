/* transfer_test.c - what is tried again, what is not, and a download that breaks off. */
#include "s3/transfer.c"

#include "base/mem.h"
#include "base/test.h"
#include "s3/file_source.h"
#include <stdatomic.h>
#include <stdio.h>

enum { BODY = 1 << 20 };

/* What the server at the other end does. */
static struct script {
    int fail;        /* so many replies fail first, */
    int status;      /* with this status; 0: the connection breaks in the middle of the reply */
    bool no_etag;    /* replies carry none */
    bool changed;    /* the object is another one after the first reply */
    bool no_ranges;  /* Range is ignored */
    atomic_int seen; /* requests */
    atomic_int whole_bodies;
    char *data; /* BODY bytes */
} script;

static void serve_body(struct http_req *r, bool broken)
{
    str range = http_header(r, "range"), match = http_header(r, "if-match");
    const char *etag = script.changed && script.seen > 1 ? "\"two\"" : "\"one\"";
    uint64_t at = 0;
    struct err e;

    if (match.p && !str_is(match, etag)) {
        http_reply(r, 412, "application/xml",
                   STR("<Error><Code>PreconditionFailed</Code></Error>"));
        return;
    }
    if (range.p && !script.no_ranges)
        CHECK(str_u64(str_sub(range, 6, range.n - 7), &at));
    if (!script.no_etag)
        http_add_header(r, "ETag", etag);
    if (http_reply_stream(r, at ? 206 : 200, "text/plain", (int64_t)(BODY - at), &e))
        return;
    size_t n = broken ? (BODY - at) / 3 : BODY - at;
    if (http_stream_write(r, script.data + at, n, &e))
        return;
    http_stream_end(r);
}

static void handle(struct http_req *r, void *ud)
{
    int n = atomic_fetch_add(&script.seen, 1);
    str body = STR_NONE;
    struct err e;

    if (http_method_of(r) == HTTP_PUT) {
        CHECK_OK(http_body_all(r, BODY, &body, &e), &e);
        if (body.n == BODY && !memcmp(body.p, script.data, BODY))
            atomic_fetch_add(&script.whole_bodies, 1);
    }
    if (n < script.fail && script.status) {
        http_reply(r, script.status, "application/xml",
                   STR("<?xml version=\"1.0\"?>\n<Error><Code>SlowDown</Code>"
                       "<Message>a &amp; b</Message></Error>"));
    } else if (http_method_of(r) == HTTP_PUT) {
        http_reply(r, 200, NULL, STR(""));
    } else {
        serve_body(r, n < script.fail);
    }
}

static struct http_server *server;
static char url[128];

static void up(struct script s)
{
    struct err e;

    script = s;
    script.data = mem_alloc(BODY);
    for (int i = 0; i < BODY; i++)
        script.data[i] = (char)(i * 7 + i / 251);
    CHECK_OK(http_server_new(&server, "127.0.0.1:0", NULL, handle, NULL, NULL, &e), &e);
    snprintf(url, sizeof url, "http://127.0.0.1:%d/bucket/key?X-Amz-Signature=secret",
             http_server_port(server));
}

static void down(void)
{
    client_cleanup();
    http_server_free(server);
    mem_free(script.data);
}

static enum rc collect(void *ud, const void *p, size_t n, struct err *e)
{
    buf_add(ud, p, n);
    return RC_OK;
}

static enum rc refuse_all(void *ud, const void *p, size_t n, struct err *e)
{
    return err_set(e, RC_FULL, "no room here");
}

TEST(a_busy_store_is_asked_again_and_the_body_sent_again)
{
    struct err e;

    up((struct script){.fail = 2, .status = 503});
    CHECK_OK(url_put(url, (str){script.data, BODY}, NULL, &e), &e);
    CHECK_EQ(script.seen, 3);
    CHECK_EQ(script.whole_bodies, 3);
    down();
}

TEST(a_file_is_read_from_its_start_again)
{
    char path[600];
    struct err e;

    up((struct script){.fail = 1, .status = 500});
    snprintf(path, sizeof path, "%s/file", test_dir());
    CHECK_OK(os_write_file_durable(path, (str){script.data, BODY}, 0600, &e), &e);
    CHECK_OK(url_put_file(url, path, "image/png", &e), &e);
    CHECK_EQ(script.seen, 2);
    CHECK_EQ(script.whole_bodies, 2);
    CHECK_EQ(url_put_file(url, "/nonexistent/file", NULL, &e), RC_NOT_FOUND);
    down();
}

TEST(patience_ends_and_the_error_is_the_stores_without_the_signature)
{
    struct err e;

    up((struct script){.fail = 100, .status = 503});
    CHECK_EQ(url_put(url, STR("x"), NULL, &e), RC_UNAVAILABLE);
    CHECK_EQ(script.seen, S3_TRIES);
    CHECK(str_find(str_of(e.text), STR("SlowDown: a & b")) >= 0);
    CHECK(str_find(str_of(e.text), STR("/bucket/key")) >= 0);
    CHECK(str_find(str_of(e.text), STR("secret")) < 0);
    down();
}

TEST(a_refusal_is_not_asked_again)
{
    static const struct {
        int status;
        enum rc rc;
    } rows[] = {{400, RC_UPSTREAM},     {403, RC_FORBIDDEN}, {404, RC_NOT_FOUND},
                {412, RC_PRECONDITION}, {416, RC_RANGE},     {507, RC_FULL},
                {501, RC_UPSTREAM}};
    struct err e;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        up((struct script){.fail = 100, .status = rows[i].status});
        CHECK_EQ(url_put(url, STR("x"), NULL, &e), rows[i].rc);
        CHECK_EQ(script.seen, 1);
        down();
    }
}

TEST(a_download_that_breaks_off_goes_on_where_it_stopped)
{
    struct buf out;
    struct err e;

    up((struct script){.fail = 3});
    buf_init(&out, 2 * BODY);
    CHECK_OK(url_get_stream(url, collect, &out, &e), &e);
    CHECK(out.n == BODY && !memcmp(out.p, script.data, BODY));
    CHECK_EQ(script.seen, 4);
    buf_clear(&out);
    script.seen = 0;
    CHECK_OK(url_get(url, &out, &e), &e); /* into memory: begun anew */
    CHECK(out.n == BODY && !memcmp(out.p, script.data, BODY));
    buf_done(&out);
    down();
}

TEST(a_download_is_never_pieced_together_of_two_objects)
{
    struct buf out;
    struct err e;

    buf_init(&out, 4 * BODY);
    up((struct script){.fail = 1, .changed = true});
    CHECK_EQ(url_get_stream(url, collect, &out, &e), RC_PRECONDITION);
    down();
    up((struct script){.fail = 1, .no_etag = true});
    CHECK_EQ(url_get_stream(url, collect, &out, &e), RC_UPSTREAM);
    CHECK_EQ(script.seen, 1);
    down();
    up((struct script){.fail = 1, .no_ranges = true});
    CHECK_EQ(url_get_stream(url, collect, &out, &e), RC_UPSTREAM);
    CHECK_EQ(script.seen, 2);
    down();
    buf_done(&out);
}

TEST(what_the_taker_says_is_returned_at_once)
{
    struct err e;

    up((struct script){0});
    CHECK_EQ(url_get_stream(url, refuse_all, NULL, &e), RC_FULL);
    CHECK(str_find(str_of(e.text), STR("no room here")) >= 0);
    CHECK_EQ(script.seen, 1);
    down();
}

TEST(nobody_there_is_unavailable_after_all_tries)
{
    int64_t begun = os_mono_ms();
    struct err e;

    CHECK_EQ(url_put("http://127.0.0.1:9/bucket/key", STR("x"), NULL, &e), RC_UNAVAILABLE);
    CHECK(os_mono_ms() - begun < 5000);
    client_cleanup();
}
