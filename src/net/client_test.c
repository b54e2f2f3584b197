/* Against our own server, and against sockets that break the protocol. */
#include "net/client.c"
#include "net/http_int.h"
#include "net/test_peer.h"
#include "os/os.h"

static atomic_int connections;
static struct event *go;

static void reply_echo(struct http_req *r, str body)
{
    struct buf b;

    buf_init(&b, 2 << 20);
    buf_printf(&b, "%s %.*s [%.*s] ", http_method_name(http_method_of(r)),
               STR_F(http_header(r, "X-One")), STR_F(http_header(r, "Content-Type")));
    buf_str(&b, body);
    http_reply_buf(r, 200, "text/x-test", &b);
}

static void handle(struct http_req *r, void *ud)
{
    str p = http_path(r), all;
    struct err e = {0};
    struct arena *a = http_arena(r);

    http_add_header(r, "ETag", "W/\"abc-1\"");
    if (str_is(p, "/echo")) {
        if (http_body_all(r, 1 << 20, &all, &e))
            http_reply_err(r, &e);
        else
            reply_echo(r, all);
    } else if (str_is(p, "/count")) {
        char piece[4096];
        uint64_t total = 0;
        size_t n;
        http_body_limit(r, 1 << 30);
        while (!http_body_read(r, piece, sizeof piece, &n, &e) && n)
            total += n;
        http_reply(r, 200, NULL, str_of(arena_printf(a, "%llu %lld", (unsigned long long)total,
                                                     (long long)http_content_length(r))));
    } else if (str_is(p, "/redirect")) {
        http_add_header(r, "Location", "/echo");
        http_reply(r, 302, "text/plain", STR("elsewhere"));
    } else if (str_is(p, "/busy")) {
        http_add_header(r, "Retry-After", "7");
        http_reply(r, 503, "text/plain", STR("busy"));
    } else if (str_is(p, "/hang")) {
        event_wait(go, 20000);
        http_reply(r, 200, NULL, STR("late"));
    } else if (str_is(p, "/big")) {
        char piece[1000] = {0};
        if (!http_reply_stream(r, 200, NULL, 1000000, &e))
            for (int i = 0; i < 1000 && !http_stream_write(r, piece, sizeof piece, &e); i++)
                continue;
        http_stream_end(r);
    }
    atomic_store(&connections, (int)r->server->conn_count);
}

static struct http_server *server;
static char base[64];

static void up(void)
{
    struct err e = {0};

    client_setup();
    go = event_new();
    CHECK_OK(http_server_new(&server, "127.0.0.1:0", NULL, handle, NULL, NULL, &e), &e);
    snprintf(base, sizeof base, "http://127.0.0.1:%d", http_server_port(server));
}

static void down(void)
{
    client_cleanup();
    event_set(go);
    http_server_free(server);
    event_free(go);
}

static char url_text[128];
static const char *url(const char *path)
{
    snprintf(url_text, sizeof url_text, "%s%s", base, path);
    return url_text;
}

TEST(every_method_sends_its_body_and_reads_the_reply)
{
    struct err e = {0};
    struct buf b;
    const char *const headers[] = {"X-One: 1", "Content-Type: text/plain", NULL};
    struct {
        enum http_method method;
        str body;
        const char *want;
    } cases[] = {
        {HTTP_GET, STR_NONE, "GET 1 [text/plain] "},
        {HTTP_POST, STR("abc"), "POST 1 [text/plain] abc"},
        {HTTP_POST, STR_NONE, "POST 1 [text/plain] "},
        {HTTP_PUT, STR("x\0y"), NULL},
        {HTTP_PUT, STR_NONE, "PUT 1 [text/plain] "},
        {HTTP_PATCH, STR("p"), "PATCH 1 [text/plain] p"},
        {HTTP_DELETE, STR_NONE, "DELETE 1 [text/plain] "},
        {HTTP_HEAD, STR_NONE, ""},
    };

    up();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct client_reply r;
        buf_init(&b, 1000);
        struct client_call c = {.method = cases[i].method, .url = url("/echo"),
                                .headers = headers, .body = cases[i].body, .reply = &b};
        CHECK_OK(client_do(&c, &r, &e), &e);
        CHECK_EQ(r.status, 200);
        CHECK_STR(str_of(r.etag), "abc-1");
        CHECK_STR(str_of(r.type), "text/x-test");
        CHECK_EQ(r.retry_after_s, -1);
        if (cases[i].want)
            CHECK_STR(buf_view(&b), cases[i].want);
        else
            CHECK(str_eq(buf_view(&b), STR("PUT 1 [text/plain] x\0y")));
        buf_done(&b);
    }
    CHECK_EQ(atomic_load(&connections), 1); /* one was kept for all */
    down();
}

static enum rc zeros(void *ud, void *p, size_t cap, size_t *ret_n, struct err *e)
{
    int64_t *left = ud;
    size_t n = *left < (int64_t)cap ? (size_t)*left : cap;

    if (*left < 0)
        return err_set(e, RC_CORRUPT, "the source broke");
    memset(p, 0, n);
    *left -= (int64_t)n;
    *ret_n = n;
    return RC_OK;
}

TEST(bodies_are_streamed_with_and_without_a_length)
{
    struct err e = {0};
    struct client_reply r;
    struct buf b;
    int64_t left;

    up();
    size_t before = mem_live_bytes();
    for (int known = 0; known < 2; known++) {
        left = 30000000;
        buf_init(&b, 1000);
        struct client_call c = {.method = HTTP_PUT, .url = url("/count"), .source = zeros,
                                .source_ud = &left, .source_bytes = known ? left : -1,
                                .reply = &b};
        CHECK_OK(client_do(&c, &r, &e), &e);
        CHECK_STR(buf_view(&b), known ? "30000000 30000000" : "30000000 -1");
        CHECK(mem_live_bytes() - before < 400000);
        buf_done(&b);
    }
    left = -1;
    struct client_call c = {.method = HTTP_PUT, .url = url("/count"), .source = zeros,
                            .source_ud = &left, .source_bytes = -1};
    CHECK_EQ(client_do(&c, &r, &e), RC_CORRUPT);
    CHECK(str_find(str_of(e.text), STR("the source broke")) > 0);
    down();
}

static enum rc full_sink(void *ud, const void *p, size_t n, struct err *e)
{
    size_t *total = ud;

    *total += n;
    return *total > 500000 ? err_set(e, RC_FULL, "disk full") : RC_OK;
}

static enum rc count_sink(void *ud, const void *p, size_t n, struct err *e)
{
    *(size_t *)ud += n;
    return RC_OK;
}

TEST(replies_are_streamed_and_a_sink_may_stop_them)
{
    struct err e = {0};
    struct client_reply r;
    size_t total = 0;
    struct buf b;

    up();
    struct client_call c = {.url = url("/big"), .sink = count_sink, .sink_ud = &total};
    CHECK_OK(client_do(&c, &r, &e), &e);
    CHECK_EQ(total, 1000000);
    CHECK_EQ(r.length, 1000000);
    total = 0;
    c.sink = full_sink;
    CHECK_EQ(client_do(&c, &r, &e), RC_FULL);
    CHECK(str_find(str_of(e.text), STR("disk full")) > 0);
    /* an error's body goes to the buffer, not to the sink */
    total = 0;
    buf_init(&b, 3);
    c = (struct client_call){.url = url("/busy"), .sink = count_sink, .sink_ud = &total,
                             .reply = &b};
    CHECK_OK(client_do(&c, &r, &e), &e);
    CHECK_EQ(r.status, 503);
    CHECK_EQ(r.retry_after_s, 7);
    CHECK_EQ(total, 0);
    CHECK_STR(buf_view(&b), "bus");
    buf_done(&b);
    buf_init(&b, 1000);
    c = (struct client_call){.url = url("/big"), .reply = &b};
    CHECK_EQ(client_do(&c, &r, &e), RC_TOO_LARGE);
    buf_done(&b);
    down();
}

TEST(nothing_is_followed_or_taken_from_the_environment)
{
    struct err e = {0};
    struct client_reply r;
    struct client_call c;

    up();
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    setenv("HTTP_PROXY", "http://127.0.0.1:1", 1);
    setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
    c = (struct client_call){.url = url("/redirect")};
    CHECK_OK(client_do(&c, &r, &e), &e);
    CHECK_EQ(r.status, 302);
    c.url = "file:///etc/passwd";
    CHECK_EQ(client_do(&c, &r, &e), RC_INVALID);
    c.url = "gopher://127.0.0.1/";
    CHECK_EQ(client_do(&c, &r, &e), RC_INVALID);
    const char *const evil[] = {"X: a\r\nY: b", NULL};
    c = (struct client_call){.url = url("/echo"), .headers = evil};
    CHECK_EQ(client_do(&c, &r, &e), RC_INVALID);
    unsetenv("http_proxy");
    unsetenv("HTTP_PROXY");
    unsetenv("ALL_PROXY");
    down();
}

TEST(a_secret_in_the_query_is_not_in_the_error)
{
    struct err e = {0};
    struct client_reply r;
    struct client_call c = {.url = "http://user:pw@127.0.0.1:1/x?X-Amz-Signature=secret"};

    CHECK_EQ(client_do(&c, &r, &e), RC_UNAVAILABLE);
    CHECK(str_find(str_of(e.text), STR("secret")) < 0);
    CHECK(str_find(str_of(e.text), STR("pw")) < 0);
    CHECK(str_find(str_of(e.text), STR("127.0.0.1:1/x")) >= 0);
    client_cleanup();
}

static void *cancel_soon(void *ud)
{
    os_sleep_ms(100);
    atomic_store((atomic_bool *)ud, true);
    return NULL;
}

TEST(a_call_ends_by_its_deadline_or_its_cancel_flag)
{
    struct err e = {0};
    struct client_reply r;
    atomic_bool cancel = false;
    pthread_t t;

    up();
    struct client_call c = {.url = url("/hang"), .timeout_ms = 200, .cancel = &cancel};
    int64_t begun = os_mono_ms();
    CHECK_EQ(client_do(&c, &r, &e), RC_TIMEOUT);
    CHECK(os_mono_ms() - begun < 2000);
    c.timeout_ms = -1;
    CHECK(!pthread_create(&t, NULL, cancel_soon, &cancel));
    begun = os_mono_ms();
    CHECK_EQ(client_do(&c, &r, &e), RC_CANCELLED);
    CHECK(os_mono_ms() - begun < 2000);
    pthread_join(t, NULL);
    CHECK_EQ(client_do(&c, &r, &e), RC_CANCELLED); /* at once */
    down();
}

/* Answers one connection with `text` after it has read a request, and closes. */
struct liar {
    int fd, port;
    const char *text;
    pthread_t thread;
};

static void *liar_main(void *ud)
{
    struct liar *l = ud;
    char sink_bytes[4096];
    int fd = accept(l->fd, NULL, NULL);

    if (fd >= 0) {
        if (recv(fd, sink_bytes, sizeof sink_bytes, 0) > 0)
            send(fd, l->text, strlen(l->text), MSG_NOSIGNAL);
        close(fd);
    }
    return NULL;
}

TEST(a_broken_reply_is_an_error)
{
    struct err e = {0};
    const char *texts[] = {
        "",
        "garbage\r\n\r\n",
        "HTTP/1.1 200 OK\r\nETag: \"v\"\r\nContent-Length: 10\r\n\r\nshort",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhel\r\n0\r\n\r\n",
    };

    client_setup();
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct liar l = {.fd = socket(AF_INET, SOCK_STREAM, 0), .text = texts[i]};
        struct sockaddr_in at = {.sin_family = AF_INET};
        socklen_t len = sizeof at;
        struct client_reply r = {.status = -7};
        char to[64];

        at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        CHECK(!bind(l.fd, (struct sockaddr *)&at, sizeof at) && !listen(l.fd, 1));
        CHECK(!getsockname(l.fd, (struct sockaddr *)&at, &len));
        snprintf(to, sizeof to, "http://127.0.0.1:%d/", ntohs(at.sin_port));
        CHECK(!pthread_create(&l.thread, NULL, liar_main, &l));
        struct client_call c = {.url = to, .timeout_ms = 3000};
        CHECK_EQ(client_do(&c, &r, &e), RC_UPSTREAM);
        bool headers_came = i >= 2; /* then they are told, so that a download can be resumed */
        CHECK_EQ(r.status, headers_came ? 200 : -7);
        if (i == 2) {
            CHECK_STR(str_of(r.etag), "v");
            CHECK_EQ(r.length, 10);
        }
        pthread_join(l.thread, NULL);
        close(l.fd);
    }
    client_cleanup();
}
