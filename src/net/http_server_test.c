/* Real sockets on 127.0.0.1, port 0; every test has its own server. */
#include "net/http_server.c"
#include "net/test_peer.h"
#include <unistd.h>

struct rig {
    struct http_server *s;
    int port;
    struct event *go; /* a handler waits for it */
    atomic_int entered, left, done;
    _Atomic(enum rc) rc;
    _Atomic uint64_t bytes;
    atomic_int last_status;
};

static void reply_text(struct http_req *r, int status, const char *text)
{
    http_reply(r, status, "text/plain", str_of(text));
}

static void read_body(struct rig *g, struct http_req *r, size_t stop_after)
{
    char piece[8192];
    struct err e = {0};
    uint64_t total = 0, sum = 0;
    size_t n;
    enum rc rc;

    do {
        n = 0;
        rc = http_body_read(r, piece, sizeof piece, &n, &e);
        for (size_t i = 0; i < n; i++)
            sum += (unsigned char)piece[i];
        total += n;
        atomic_store(&g->bytes, total);
    } while (!rc && n && total < stop_after);
    atomic_store(&g->rc, rc);
    if (rc)
        http_reply_err(r, &e);
    else
        reply_text(r, 200, arena_printf(http_arena(r), "%llu %llu", (unsigned long long)total,
                                        (unsigned long long)sum));
}

static void stream_much(struct rig *g, struct http_req *r, int64_t length, bool end)
{
    char piece[5000];
    struct err e = {0};
    enum rc rc = http_reply_stream(r, 200, "text/plain", length, &e);

    memset(piece, 's', sizeof piece);
    for (int i = 0; !rc && i < 400; i++)
        rc = http_stream_write(r, piece, sizeof piece, &e);
    atomic_store(&g->rc, rc);
    if (end)
        http_stream_end(r);
}

static void reply_file(struct http_req *r)
{
    char path[64] = "/tmp/anneal-net-XXXXXX";
    int fd = mkstemp(path);

    CHECK(fd >= 0 && write(fd, "0123456789", 10) == 10);
    unlink(path);
    http_reply_fd(r, 206, "application/octet-stream", fd, 3, 4);
}

static void echo(struct http_req *r)
{
    struct arena *a = http_arena(r);
    str q = http_query(r, "q"), c = http_cookie(r, "sid"), x = http_header(r, "x-test"), name, v;
    bool first = http_header_at(r, 0, &name, &v);

    reply_text(r, 200,
               arena_printf(a, "%s|%.*s|%.*s|%.*s|%.*s|%.*s|%.*s|%d",
                            http_method_name(http_method_of(r)), STR_F(http_path(r)),
                            STR_F(http_raw_query(r)), STR_F(q), STR_F(c), STR_F(x),
                            STR_F(http_peer(r)), first && !http_query(r, "absent").p));
}

static void read_form(struct http_req *r)
{
    struct multipart *m = NULL;
    struct err e = {0};
    char piece[3000], *text = arena_cstr(http_arena(r), STR(""));
    bool more = true;
    str name, filename, type;
    enum rc rc = multipart_open(&m, r, &e);

    while (!rc && more) {
        uint64_t total = 0;
        size_t n = 1;
        rc = multipart_next(m, &more, &name, &filename, &type, &e);
        while (!rc && more && n) {
            rc = multipart_read(m, piece, sizeof piece, &n, &e);
            total += n;
        }
        if (!rc && more)
            text = arena_printf(http_arena(r), "%s%.*s=%llu;", text, STR_F(name),
                                (unsigned long long)total);
    }
    if (rc)
        http_reply_err(r, &e);
    else
        reply_text(r, 200, text);
}

static void handle(struct http_req *r, void *ud)
{
    struct rig *g = ud;
    str p = http_path(r);
    struct err e = {0};
    str all;

    atomic_fetch_add(&g->entered, 1);
    if (str_is(p, "/health"))
        http_reply_static(r, 200, "application/json", STR("{\"ok\":true}"));
    else if (str_starts(p, STR("/echo")))
        echo(r);
    else if (str_is(p, "/all"))
        (void)(http_body_all(r, 1000, &all, &e) ? http_reply_err(r, &e)
                                                : http_reply(r, 200, "text/plain", all));
    else if (str_is(p, "/form"))
        read_form(r);
    else if (str_is(p, "/sum"))
        read_body(g, r, SIZE_MAX);
    else if (str_is(p, "/raised")) {
        http_body_limit(r, 64 << 20);
        read_body(g, r, SIZE_MAX);
    } else if (str_is(p, "/gate")) {
        event_wait(g->go, 20000);
        http_body_limit(r, 64 << 20);
        read_body(g, r, SIZE_MAX);
    } else if (str_is(p, "/early"))
        reply_text(r, 403, "no");
    else if (str_is(p, "/some"))
        read_body(g, r, 1);
    else if (str_is(p, "/stream"))
        stream_much(g, r, -1, true);
    else if (str_is(p, "/stream-known"))
        stream_much(g, r, 400 * 5000, true);
    else if (str_is(p, "/stream-short"))
        stream_much(g, r, 400 * 5000 + 1, true);
    else if (str_is(p, "/stream-cut"))
        stream_much(g, r, -1, false);
    else if (str_is(p, "/file"))
        reply_file(r);
    else if (str_is(p, "/twice")) {
        reply_text(r, 200, "one");
        reply_text(r, 200, "two");
    } else if (str_is(p, "/wait")) {
        while (!http_cancelled(r))
            os_sleep_ms(2);
        reply_text(r, 200, "bye");
    } else if (str_is(p, "/inject")) {
        http_add_header(r, "X-Bad", "a\r\nSet-Cookie: evil=1");
        http_add_header(r, "X-Good", "fine");
        reply_text(r, 200, "");
    } else if (!str_is(p, "/silent"))
        http_reply_err(r, (err_set(&e, RC_NOT_FOUND, "no such page"), &e));
    atomic_fetch_add(&g->left, 1);
}

static void on_done(struct http_req *r, int status, double seconds, void *ud)
{
    struct rig *g = ud;
    atomic_store(&g->last_status, status);
    atomic_fetch_add(&g->done, 1);
}

static void rig_open(struct rig *g, struct http_limits lim)
{
    struct err e = {0};

    *g = (struct rig){.go = event_new()};
    if (!lim.workers)
        lim.workers = 4;
    CHECK_OK(http_server_new(&g->s, "127.0.0.1:0", &lim, handle, on_done, g, &e), &e);
    g->port = http_server_port(g->s);
    CHECK(g->port > 0);
}

static void rig_close(struct rig *g)
{
    event_set(g->go);
    http_server_free(g->s);
    event_free(g->go);
}

#define BODY(k, r) ((str){(k).p + (r).head_n, (r).body_n})

static bool body_has(struct peer *k, struct peer_reply r, const char *text)
{
    return str_find(BODY(*k, r), str_of(text)) >= 0;
}

TEST(a_connection_is_kept_and_its_requests_answered_in_order)
{
    struct rig g;
    struct peer k;

    rig_open(&g, (struct http_limits){0});
    peer_open(&k, g.port);
    for (int i = 0; i < 3; i++) {
        CHECK(peer_puts(&k, "GET /health HTTP/1.1\r\nHost: t\r\n\r\n"));
        struct peer_reply r = peer_reply(&k, 5000);
        CHECK_EQ(r.status, 200);
        CHECK_STR(BODY(k, r), "{\"ok\":true}");
        CHECK(strcasestr(k.p, "x-request-id:"));
        peer_next(&k, r);
    }
    CHECK(peer_puts(&k, "GET /echo/1 HTTP/1.1\r\nHost: t\r\n\r\nPOST /all HTTP/1.1\r\nHost: t\r\n"
                        "Content-Length: 5\r\n\r\nhelloGET /echo/3 HTTP/1.1\r\nHost: t\r\n\r\n"));
    const char *want[] = {"GET|/echo/1|", "hello", "GET|/echo/3|"};
    for (int i = 0; i < 3; i++) {
        struct peer_reply r = peer_reply(&k, 5000);
        CHECK_EQ(r.status, 200);
        CHECK(body_has(&k, r, want[i]));
        peer_next(&k, r);
    }
    peer_close(&k);
    EVENTUALLY(atomic_load(&g.done) == 6);
    rig_close(&g);
}

TEST(a_request_is_taken_apart)
{
    struct rig g;
    struct peer k;

    rig_open(&g, (struct http_limits){0});
    peer_open(&k, g.port);
    CHECK(peer_puts(&k, "GET /echo%2Fa%20b?q=%ED%95%9C+x&q=2&e= HTTP/1.1\r\nHost: t\r\n"
                        "Cookie: a=1; sid=abc; b\r\nX-TEST: v\r\n\r\n"));
    struct peer_reply r = peer_reply(&k, 5000);
    CHECK_EQ(r.status, 200);
    CHECK_STR(BODY(k, r), "GET|/echo/a b|q=%ED%95%9C+x&q=2&e=|한 x|abc|v|127.0.0.1|1");
    peer_next(&k, r);
    CHECK(peer_puts(&k, "HEAD /health HTTP/1.1\r\nHost: t\r\n\r\n"));
    CHECK(peer_until(&k, "\r\n\r\n", 5000));
    CHECK(strcasestr(k.p, "content-length: 11"));
    CHECK(str_ends((str){k.p, k.n}, STR("\r\n\r\n")));
    k.n = 0;
    CHECK(peer_puts(&k, "GET /file HTTP/1.1\r\nHost: t\r\n\r\n"));
    r = peer_reply(&k, 5000);
    CHECK_EQ(r.status, 206);
    CHECK_STR(BODY(k, r), "3456");
    peer_close(&k);
    rig_close(&g);
}

static int status_of(int port, const char *request)
{
    struct peer k;

    peer_open(&k, port);
    peer_puts(&k, request);
    struct peer_reply r = peer_reply(&k, 8000);
    if (r.status >= 400 && r.body_n && k.p[r.head_n] == '{')
        CHECK(strcasestr(k.p, "application/problem+json") && body_has(&k, r, "\"code\":"));
    peer_close(&k);
    return r.status;
}

TEST(what_is_wrong_with_a_request_is_said_by_status)
{
    struct rig g;
    struct {
        int status;
        const char *request;
    } cases[] = {
        {404, "GET /none HTTP/1.1\r\nHost: t\r\n\r\n"},
        {405, "BREW /health HTTP/1.1\r\nHost: t\r\n\r\n"},
        {400, "GET /%zz HTTP/1.1\r\nHost: t\r\n\r\n"},
        {400, "GET /%00 HTTP/1.1\r\nHost: t\r\n\r\n"},
        {400, "GET /a% HTTP/1.1\r\nHost: t\r\n\r\n"},
        {400, "GET /?a=%4 HTTP/1.1\r\nHost: t\r\n\r\n"},
        {400, "GET none HTTP/1.1\r\nHost: t\r\n\r\n"},
        {400, "GET /health HTTP/1.1\r\n\r\n"}, /* no Host */
        {400, "POST /sum HTTP/1.1\r\nHost: t\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"},
        {400, "POST /sum HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\n"
              "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
        {400, "POST /sum HTTP/1.1\r\nHost: t\r\nContent-Length: -1\r\n\r\n"},
        {501, "POST /sum HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: gzip\r\n\r\n"},
        {400, "POST /sum HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nx"},
        {413, "POST /all HTTP/1.1\r\nHost: t\r\nContent-Length: 300001\r\n\r\n"},
        {500, "GET /silent HTTP/1.1\r\nHost: t\r\n\r\n"},
        {200, "GET http://t/health HTTP/1.1\r\nHost: t\r\n\r\n"},
        {200, "GET /twice HTTP/1.0\r\n\r\n"},
    };

    rig_open(&g, (struct http_limits){0});
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int got = status_of(g.port, cases[i].request);
        if (got != cases[i].status)
            test_fail(__FILE__, __LINE__, "%d, not %d: %s", got, cases[i].status,
                      cases[i].request);
    }
    CHECK_EQ(status_of(g.port, "GET /health HTTP/1.1\r\nHost: t\r\n\r\n"), 200);
    rig_close(&g);
}

TEST(long_targets_and_headers_are_refused)
{
    struct rig g;
    struct peer k;
    char *big = mem_alloc(300000);

    rig_open(&g, (struct http_limits){.header_bytes_max = 16 * 1024});
    CHECK(big != NULL);
    memset(big, 'a', 300000);
    struct {
        size_t target, header;
        int status;
        bool problem;
    } cases[] = {
        {4000, 10, 200, false},  {9000, 10, 414, true},    {100, 15800, 200, false},
        {100, 20000, 431, true}, {100, 200000, 431, false}, {200000, 10, 414, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        peer_open(&k, g.port);
        peer_puts(&k, "GET /echo");
        peer_send(&k, big, cases[i].target);
        peer_puts(&k, " HTTP/1.1\r\nHost: t\r\nX-A: ");
        peer_send(&k, big, cases[i].header);
        peer_puts(&k, "\r\n\r\n");
        struct peer_reply r = peer_reply(&k, 5000);
        /* Past twice the limit the connection may be gone before the reply is read. */
        if (r.status || cases[i].problem)
            CHECK_EQ(r.status, cases[i].status);
        if (cases[i].problem)
            CHECK(body_has(&k, r, "\"detail\":"));
        peer_close(&k);
    }
    /* 201 header fields */
    peer_open(&k, g.port);
    peer_puts(&k, "GET /echo HTTP/1.1\r\nHost: t\r\n");
    for (int i = 0; i < 200; i++)
        peer_puts(&k, "A: b\r\n");
    peer_puts(&k, "\r\n");
    CHECK_EQ(peer_reply(&k, 5000).status, 431);
    peer_close(&k);
    mem_free(big);
    rig_close(&g);
}

static void send_body(struct peer *k, size_t n)
{
    char piece[10000];

    memset(piece, 1, sizeof piece);
    while (n) {
        size_t now = n < sizeof piece ? n : sizeof piece;
        if (!peer_send(k, piece, now))
            return;
        n -= now;
    }
}

TEST(a_slow_handler_holds_the_sender_back)
{
    struct rig g;
    struct peer k;
    size_t total = 24 << 20, sent = 0;
    static char piece[65536];

    rig_open(&g, (struct http_limits){0});
    size_t before = mem_live_bytes();
    peer_open(&k, g.port);
    CHECK(peer_puts(&k, "POST /gate HTTP/1.1\r\nHost: t\r\nContent-Length: 25165824\r\n\r\n"));
    memset(piece, 1, sizeof piece);
    EVENTUALLY(atomic_load(&g.entered) == 1);
    while (sent < total) { /* as much as the kernel takes while nobody reads */
        ssize_t n = send(k.fd, piece, sizeof piece, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0)
            break;
        sent += (size_t)n;
    }
    CHECK(sent < total);
    CHECK(mem_live_bytes() - before < 512 * 1024);
    event_set(g.go);
    send_body(&k, total - sent);
    CHECK(mem_live_bytes() - before < 512 * 1024);
    struct peer_reply r = peer_reply(&k, 10000);
    CHECK_EQ(r.status, 200);
    CHECK_STR(BODY(k, r), "25165824 25165824");
    peer_close(&k);
    rig_close(&g);
}

TEST(chunked_bodies_are_read_and_limited)
{
    struct rig g;
    struct peer k;
    struct peer_reply r;

    rig_open(&g, (struct http_limits){.body_bytes_max = 100000});
    peer_open(&k, g.port);
    CHECK(peer_puts(&k, "POST /all HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n"
                        "5;x=y\r\nhello\r\n1"));
    os_sleep_ms(20); /* the chunk size is split over two reads */
    CHECK(peer_puts(&k, "0\r\n, and sixteen ch\r\n0\r\nTrailer: x\r\n\r\n"));
    r = peer_reply(&k, 5000);
    CHECK_EQ(r.status, 200);
    CHECK_STR(BODY(k, r), "hello, and sixteen ch");
    peer_next(&k, r);
    CHECK(peer_puts(&k, "POST /sum HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n"));
    for (int i = 0; i < 60; i++) {
        peer_puts(&k, "2710\r\n");
        send_body(&k, 10000);
        peer_puts(&k, "\r\n");
    }
    r = peer_reply(&k, 8000);
    CHECK_EQ(r.status, 413);
    CHECK_EQ(atomic_load(&g.rc), RC_TOO_LARGE);
    CHECK(body_has(&k, r, "100000 bytes"));
    peer_close(&k);
    rig_close(&g);
}

TEST(a_body_over_the_limit_is_refused_unless_the_handler_raises_it)
{
    struct rig g;
    struct peer k;
    struct peer_reply r;

    rig_open(&g, (struct http_limits){.body_bytes_max = 1000});
    peer_open(&k, g.port);
    CHECK(peer_puts(&k, "POST /sum HTTP/1.1\r\nHost: t\r\nContent-Length: 70000\r\n\r\n"));
    send_body(&k, 70000);
    r = peer_reply(&k, 5000);
    CHECK_EQ(r.status, 413);
    peer_next(&k, r);
    /* small enough to be dropped: the connection goes on */
    CHECK(peer_puts(&k, "POST /raised HTTP/1.1\r\nHost: t\r\nContent-Length: 70000\r\n\r\n"));
    send_body(&k, 70000);
    r = peer_reply(&k, 5000);
    CHECK_EQ(r.status, 200);
    CHECK_STR(BODY(k, r), "70000 70000");
    peer_close(&k);
    rig_close(&g);
}

TEST(a_reply_before_the_body_is_never_lost)
{
    struct rig g;
    struct peer k;
    struct peer_reply r;
    const char *paths[] = {"/early", "/some"};
    int statuses[] = {403, 200};

    rig_open(&g, (struct http_limits){0});
    for (int i = 0; i < 6; i++) {
        bool chunked = i >= 4;
        int which = i % 2;
        size_t total = i < 2 ? 100000 : 12000000;
        char head[200];

        snprintf(head, sizeof head, "POST %s HTTP/1.1\r\nHost: t\r\n", paths[which]);
        peer_open(&k, g.port);
        peer_puts(&k, head);
        if (chunked)
            snprintf(head, sizeof head, "Transfer-Encoding: chunked\r\n\r\n%zx\r\n", total);
        else
            snprintf(head, sizeof head, "Content-Length: %zu\r\n\r\n", total);
        peer_puts(&k, head);
        send_body(&k, total);
        if (chunked)
            peer_puts(&k, "\r\n0\r\n\r\n");
        r = peer_reply(&k, 8000);
        CHECK_EQ(r.status, statuses[which]);
        peer_next(&k, r);
        if (i < 2) { /* drained: the connection goes on */
            CHECK(peer_puts(&k, "GET /health HTTP/1.1\r\nHost: t\r\n\r\n"));
            CHECK_EQ(peer_reply(&k, 5000).status, 200);
        } else {
            CHECK(peer_until_end(&k, 8000));
        }
        peer_close(&k);
    }
    rig_close(&g);
}

TEST(a_form_is_read_from_the_socket_part_by_part)
{
    struct rig g;
    struct peer k;
    struct peer_reply r;
    const char *parts[] = {"--xx\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nhello\r\n"
                           "--xx\r\nContent-Disposition: form-data; name=file; filename=z\r\n\r\n",
                           "\r\n--xx--\r\n"};
    char head[300];
    size_t middle = 500000;

    rig_open(&g, (struct http_limits){0});
    peer_open(&k, g.port);
    snprintf(head, sizeof head,
             "POST /form HTTP/1.1\r\nHost: t\r\nContent-Length: %zu\r\n"
             "Content-Type: Multipart/Form-Data; charset=utf-8; boundary=\"xx\"\r\n\r\n",
             strlen(parts[0]) + middle + strlen(parts[1]));
    CHECK(peer_puts(&k, head) && peer_puts(&k, parts[0]));
    send_body(&k, middle);
    CHECK(peer_puts(&k, parts[1]));
    r = peer_reply(&k, 5000);
    CHECK_EQ(r.status, 200);
    CHECK_STR(BODY(k, r), "a=5;file=500000;");
    peer_next(&k, r);
    CHECK(peer_puts(&k, "POST /form HTTP/1.1\r\nHost: t\r\nContent-Length: 4\r\n"
                        "Content-Type: multipart/form-data; boundary=xx\r\n\r\n--xx"));
    r = peer_reply(&k, 5000);
    CHECK_EQ(r.status, 400);
    peer_next(&k, r);
    CHECK(peer_puts(&k, "POST /form HTTP/1.1\r\nHost: t\r\nContent-Length: 2\r\n\r\n{}"));
    CHECK_EQ(peer_reply(&k, 5000).status, 415);
    peer_close(&k);
    rig_close(&g);
}

TEST(the_peer_is_told_to_go_on_only_when_the_body_is_wanted)
{
    struct rig g;
    struct peer k;

    rig_open(&g, (struct http_limits){0});
    peer_open(&k, g.port);
    CHECK(peer_puts(&k, "POST /sum HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\n"
                        "Content-Length: 3\r\n\r\n"));
    CHECK(peer_until(&k, "100 Continue\r\n\r\n", 5000));
    CHECK(peer_puts(&k, "\1\1\1"));
    struct peer_reply r = peer_reply(&k, 5000);
    CHECK_EQ(r.status, 200);
    CHECK_STR(BODY(k, r), "3 3");
    peer_close(&k);
    peer_open(&k, g.port);
    CHECK(peer_puts(&k, "POST /early HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\n"
                        "Content-Length: 300000000\r\n\r\n"));
    CHECK(peer_until(&k, "\r\n\r\n", 5000));
    CHECK(str_starts((str){k.p, k.n}, STR("HTTP/1.1 403 ")));
    peer_close(&k);
    rig_close(&g);
}

TEST(a_peer_that_vanishes_wakes_its_handler)
{
    struct rig g;
    struct peer k;

    rig_open(&g, (struct http_limits){0});
    peer_open(&k, g.port); /* in an upload */
    CHECK(peer_puts(&k, "POST /sum HTTP/1.1\r\nHost: t\r\nContent-Length: 100000\r\n\r\nabc"));
    EVENTUALLY(atomic_load(&g.bytes) == 3);
    peer_vanish(&k);
    EVENTUALLY(atomic_load(&g.left) == 1);
    CHECK_EQ(atomic_load(&g.rc), RC_CANCELLED);
    EVENTUALLY(atomic_load(&g.done) == 1);
    CHECK_EQ(atomic_load(&g.last_status), 499);
    peer_open(&k, g.port); /* in a streamed reply */
    CHECK(peer_puts(&k, "GET /stream HTTP/1.1\r\nHost: t\r\n\r\n"));
    CHECK(peer_until(&k, "ssss", 5000));
    peer_vanish(&k);
    EVENTUALLY(atomic_load(&g.left) == 2);
    peer_open(&k, g.port); /* in a handler that asks now and then */
    CHECK(peer_puts(&k, "GET /wait HTTP/1.1\r\nHost: t\r\n\r\n"));
    EVENTUALLY(atomic_load(&g.entered) == 3);
    CHECK_EQ(atomic_load(&g.left), 2);
    peer_close(&k);
    EVENTUALLY(atomic_load(&g.left) == 3);
    rig_close(&g);
}

TEST(a_stream_is_whole_or_visibly_cut)
{
    struct rig g;
    struct peer k;

    rig_open(&g, (struct http_limits){0});
    peer_open(&k, g.port);
    CHECK(peer_puts(&k, "GET /stream HTTP/1.1\r\nHost: t\r\n\r\n"));
    CHECK(peer_until(&k, "\r\n0\r\n\r\n", 8000));
    CHECK(strcasestr(k.p, "transfer-encoding: chunked"));
    CHECK(k.n > 400 * 5000);
    k.n = 0;
    CHECK(peer_puts(&k, "GET /stream-known HTTP/1.1\r\nHost: t\r\n\r\n"));
    struct peer_reply r = peer_reply(&k, 8000);
    CHECK_EQ(r.status, 200);
    CHECK_EQ(r.body_n, 400 * 5000);
    peer_next(&k, r);
    CHECK(peer_puts(&k, "HEAD /stream HTTP/1.1\r\nHost: t\r\n\r\n"));
    CHECK(peer_until(&k, "\r\n\r\n", 5000));
    k.n = 0;
    CHECK(peer_puts(&k, "GET /stream-short HTTP/1.1\r\nHost: t\r\n\r\n"));
    CHECK(peer_until_end(&k, 8000));
    CHECK(k.n > 400 * 5000);
    peer_close(&k);
    peer_open(&k, g.port);
    CHECK(peer_puts(&k, "GET /stream-cut HTTP/1.1\r\nHost: t\r\n\r\n"));
    CHECK(peer_until_end(&k, 8000));
    CHECK(str_find((str){k.p, k.n}, STR("\r\n0\r\n\r\n")) < 0);
    peer_close(&k);
    rig_close(&g);
}

TEST(slow_senders_are_timed_out_in_headers_and_bodies)
{
    struct rig g;
    struct peer k[4];
    const char *starts[4] = {
        "GET /health HTTP/1.1\r\nHost: t\r\nX-A: ",                             /* header */
        "POST /sum HTTP/1.1\r\nHost: t\r\nContent-Length: 500\r\n\r\n",          /* collected */
        "POST /sum HTTP/1.1\r\nHost: t\r\nContent-Length: 500000\r\n\r\n",       /* streamed */
        "GET /health HTTP/1.1\r\nHost: t\r\n\r\nGET /health HTTP/1.1\r\nHost: ", /* kept alive */
    };

    rig_open(&g, (struct http_limits){.idle_timeout_s = 1});
    for (int i = 0; i < 4; i++) {
        peer_open(&k[i], g.port);
        CHECK(peer_puts(&k[i], starts[i]));
    }
    struct peer_reply first = peer_reply(&k[3], 5000);
    CHECK_EQ(first.status, 200);
    peer_next(&k[3], first);
    int64_t begun = os_mono_ms();
    int open = 4;
    while (open && os_mono_ms() - begun < 15000) {
        open = 0;
        for (int i = 0; i < 4; i++) {
            if (!k[i].ended)
                peer_puts(&k[i], "x");
            peer_more(&k[i], 50);
            open += !k[i].ended;
        }
    }
    CHECK_EQ(open, 0);
    for (int i = 0; i < 4; i++) {
        CHECK(str_starts((str){k[i].p, k[i].n}, STR("HTTP/1.1 408 ")));
        peer_close(&k[i]);
    }
    CHECK_EQ(atomic_load(&g.rc), RC_TIMEOUT);
    rig_close(&g);
}

TEST(a_full_backlog_is_answered_503)
{
    struct rig g;
    struct peer k[8];
    int ok = 0, busy = 0;

    rig_open(&g, (struct http_limits){.workers = 1, .backlog_max = 2});
    for (int i = 0; i < 8; i++) {
        peer_open(&k[i], g.port);
        CHECK(peer_puts(&k[i], "GET /gate HTTP/1.1\r\nHost: t\r\n\r\n"));
        if (!i)
            EVENTUALLY(atomic_load(&g.entered) == 1);
    }
    for (int i = 0; i < 8; i++)
        if (peer_more(&k[i], 300) && str_starts((str){k[i].p, k[i].n}, STR("HTTP/1.1 503 ")))
            busy++;
    event_set(g.go);
    for (int i = 0; i < 8; i++)
        ok += peer_reply(&k[i], 5000).status == 200;
    CHECK_EQ(busy, 5);
    CHECK_EQ(ok, 3);
    for (int i = 0; i < 8; i++)
        peer_close(&k[i]);
    rig_close(&g);
}

TEST(connections_over_the_limit_are_told_so)
{
    struct rig g;
    struct peer k[4];

    rig_open(&g, (struct http_limits){.connections_max = 3});
    for (int i = 0; i < 4; i++) {
        peer_open(&k[i], g.port);
        CHECK(peer_puts(&k[i], "GET /health HTTP/1.1\r\nHost: t\r\n\r\n"));
        CHECK_EQ(peer_reply(&k[i], 5000).status, i < 3 ? 200 : 503);
    }
    for (int i = 0; i < 4; i++)
        peer_close(&k[i]);
    rig_close(&g);
}

TEST(a_header_value_cannot_smuggle_a_header)
{
    struct rig g;
    struct peer k;

    rig_open(&g, (struct http_limits){0});
    peer_open(&k, g.port);
    CHECK(peer_puts(&k, "GET /inject HTTP/1.1\r\nHost: t\r\n\r\n"));
    CHECK_EQ(peer_reply(&k, 5000).status, 200);
    CHECK(!strcasestr(k.p, "evil"));
    CHECK(strcasestr(k.p, "X-Good: fine"));
    peer_close(&k);
    rig_close(&g);
}

static bool is_idle(struct rig *g)
{
    pthread_mutex_lock(&g->s->mu);
    bool idle = !g->s->conn_count && !g->s->reqs;
    pthread_mutex_unlock(&g->s->mu);
    return idle;
}

TEST(a_thousand_requests_leave_nothing_behind)
{
    struct rig g;
    struct peer k;
    size_t before = 0;

    rig_open(&g, (struct http_limits){0});
    for (int i = 0; i < 1000; i++) {
        if (i % 100 == 0)
            peer_open(&k, g.port);
        peer_puts(&k, i % 3 ? "GET /echo?q=1 HTTP/1.1\r\nHost: t\r\n\r\n"
                            : "POST /all HTTP/1.1\r\nHost: t\r\nContent-Length: 4\r\n\r\nabcd");
        struct peer_reply r = peer_reply(&k, 5000);
        CHECK_EQ(r.status, 200);
        peer_next(&k, r);
        if (i % 100 == 99) {
            peer_close(&k);
            EVENTUALLY(atomic_load(&g.done) == i + 1 && is_idle(&g));
            if (!before)
                before = mem_live_bytes();
            CHECK_EQ(mem_live_bytes(), before);
        }
    }
    rig_close(&g);
}

static void *one_client(void *ud)
{
    struct rig *g = ud;
    struct peer k;
    long good = 0;

    peer_open(&k, g->port);
    for (int i = 0; i < 20; i++) {
        bool post = i % 2;
        if (post) {
            peer_puts(&k, "POST /raised HTTP/1.1\r\nHost: t\r\nContent-Length: 90000\r\n\r\n");
            send_body(&k, 90000);
        } else {
            peer_puts(&k, "GET /health HTTP/1.1\r\nHost: t\r\n\r\n");
        }
        struct peer_reply r = peer_reply(&k, 20000);
        good += r.status == 200 && str_is(BODY(k, r), post ? "90000 90000" : "{\"ok\":true}");
        peer_next(&k, r);
    }
    peer_close(&k);
    return (void *)good;
}

TEST(sixty_four_clients_at_once_are_all_served)
{
    struct rig g;
    pthread_t t[64];
    void *good;

    rig_open(&g, (struct http_limits){.workers = 8});
    for (int i = 0; i < 64; i++)
        CHECK(!pthread_create(&t[i], NULL, one_client, &g));
    for (int i = 0; i < 64; i++) {
        pthread_join(t[i], &good);
        CHECK_EQ((long)good, 20);
    }
    rig_close(&g);
}

TEST(a_drain_lets_requests_end_and_then_cuts)
{
    struct rig g;
    struct peer k, late;

    rig_open(&g, (struct http_limits){0});
    peer_open(&k, g.port);
    CHECK(peer_puts(&k, "GET /wait HTTP/1.1\r\nHost: t\r\n\r\n"));
    peer_open(&late, g.port);
    CHECK(peer_puts(&late, "POST /sum HTTP/1.1\r\nHost: t\r\nContent-Length: 99999\r\n\r\nx"));
    EVENTUALLY(atomic_load(&g.bytes) == 1 && atomic_load(&g.entered) == 2);
    int64_t begun = os_mono_ms();
    http_server_drain(g.s, 300);
    CHECK(os_mono_ms() - begun < 3000);
    CHECK_EQ(peer_reply(&k, 3000).status, 200); /* it saw the drain and ended */
    EVENTUALLY(atomic_load(&g.left) == 2);
    CHECK_EQ(atomic_load(&g.rc), RC_CANCELLED); /* it was cut */
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)g.port)};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(connect(fd, (struct sockaddr *)&at, sizeof at) < 0);
    close(fd);
    peer_close(&k);
    peer_close(&late);
    rig_close(&g);
}

TEST(a_server_that_cannot_listen_says_where)
{
    struct http_server *s = NULL;
    struct err e = {0};
    struct rig g;
    char at[32];

    CHECK_EQ(http_server_new(&s, "nowhere", NULL, handle, NULL, NULL, &e), RC_INVALID);
    CHECK_EQ(http_server_new(&s, "127.0.0.1:99999999", NULL, handle, NULL, NULL, &e), RC_INVALID);
    rig_open(&g, (struct http_limits){0});
    snprintf(at, sizeof at, "127.0.0.1:%d", g.port);
    CHECK(http_server_new(&s, at, NULL, handle, NULL, NULL, &e) != RC_OK);
    CHECK(str_find(str_of(e.text), str_of(at)) >= 0);
    CHECK(s == NULL);
    rig_close(&g);
}

TEST(no_failed_allocation_brings_the_server_down)
{
    struct rig g;

    rig_open(&g, (struct http_limits){.workers = 1, .io_threads = 1});
    for (long n = 0; n < 40; n++) {
        struct peer k;
        peer_open(&k, g.port);
        mem_fail_at(n);
        peer_puts(&k, "POST /all?a=b HTTP/1.1\r\nHost: t\r\nContent-Length: 4\r\n\r\nabcd");
        for (int i = 0; i < 100 && !k.ended && !k.n; i++)
            peer_more(&k, 20);
        mem_fail_disarm();
        CHECK(k.ended || k.n);
        peer_close(&k);
    }
    CHECK_EQ(status_of(g.port, "GET /health HTTP/1.1\r\nHost: t\r\n\r\n"), 200);
    rig_close(&g);
}
