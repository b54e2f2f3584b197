/* A feed in memory behind a real server, with browsers of sockets. */
#include "net/hub.c"
#include "net/test_peer.h"

enum { FEED_MAX = 4000 };

static struct {
    pthread_mutex_t mu;
    int count; /* events 1 .. count */
    bool ended;
    size_t data_bytes;
    enum rc fail;
    atomic_int pulls;
} feed = {.mu = PTHREAD_MUTEX_INITIALIZER};
static struct http_server *server;
static struct hub *the_hub;
static atomic_int done_status;

static enum rc pull_feed(void *ud, str topic, int64_t after, unsigned max, struct hub_out *out,
                         bool *ret_ended, struct err *e)
{
    static char data[300000];
    enum rc rc = RC_OK;

    if (!str_is(topic, "t"))
        return RC_OK;
    pthread_mutex_lock(&feed.mu);
    feed.pulls++;
    if (feed.fail)
        rc = err_set(e, feed.fail, "the database is locked");
    for (int64_t id = after + 1; !rc && id <= feed.count && id <= after + max; id++) {
        int n = snprintf(data, sizeof data, "{\"n\":%lld,\"s\":\"", (long long)id);
        memset(data + n, 'x', feed.data_bytes);
        memcpy(data + n + feed.data_bytes, "\"}", 2);
        hub_event(out, id, "step", (str){data, (size_t)n + feed.data_bytes + 2});
    }
    *ret_ended = feed.ended;
    pthread_mutex_unlock(&feed.mu);
    return rc;
}

static void handle(struct http_req *r, void *ud)
{
    int64_t after = 0;

    (void)str_i64(http_query(r, "after"), &after);
    if (str_is(http_path(r), "/sse"))
        hub_reply_sse(the_hub, r, STR("t"), after);
    else
        hub_reply_ws(the_hub, r, STR("t"), after);
}

static void on_done(struct http_req *r, int status, double seconds, void *ud)
{
    atomic_store(&done_status, status);
}

static void up(size_t data_bytes)
{
    struct err e = {0};

    feed.count = feed.pulls = 0;
    feed.ended = false;
    feed.fail = RC_OK;
    feed.data_bytes = data_bytes;
    stall_ms = HUB_STALL_MS;
    ping_ms = HUB_PING_MS;
    tick_ms = 20;
    CHECK_OK(hub_new(&the_hub, pull_feed, NULL, &e), &e);
    CHECK_OK(http_server_new(&server, "127.0.0.1:0", NULL, handle, on_done, NULL, &e), &e);
}

static void down(void)
{
    hub_free(the_hub);
    http_server_free(server);
}

static void publish(int count, bool ended)
{
    pthread_mutex_lock(&feed.mu);
    feed.count += count;
    feed.ended = ended;
    pthread_mutex_unlock(&feed.mu);
    hub_poke(the_hub, STR("t"));
}

static void open_sse(struct peer *k, int after)
{
    char head[200];

    peer_open(k, http_server_port(server));
    snprintf(head, sizeof head, "GET /sse?after=%d HTTP/1.1\r\nHost: t\r\n\r\n", after);
    CHECK(peer_puts(k, head));
    CHECK(peer_until(k, "retry: 2000\n\n", 5000));
    CHECK(strcasestr(k->p, "text/event-stream"));
}

static const char *const ws_head =
    "GET /ws?after=%d HTTP/1.1\r\nHost: t\r\nConnection: keep-alive, Upgrade\r\n"
    "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n";

/* Forgets everything up to and with the text. */
static void forget_to(struct peer *k, const char *text)
{
    size_t n = (size_t)str_find((str){k->p, k->n}, str_of(text)) + strlen(text);
    memmove(k->p, k->p + n, k->n - n + 1);
    k->n -= n;
}

static void open_ws(struct peer *k, int after)
{
    char head[500];

    peer_open(k, http_server_port(server));
    snprintf(head, sizeof head, ws_head, after, "Origin: http://t\r\n");
    CHECK(peer_puts(k, head));
    CHECK(peer_until(k, "\r\n\r\n", 5000));
    CHECK(str_starts((str){k->p, k->n}, STR("HTTP/1.1 101 ")));
    CHECK(strcasestr(k->p, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    forget_to(k, "\r\n\r\n");
}

/* Takes one server frame off the front: its opcode, or -1 within ms. */
static int next_frame(struct peer *k, char **ret_p, size_t *ret_n, int ms)
{
    static char payload[400000];
    int64_t end = os_mono_ms() + ms;

    for (;;) {
        const uint8_t *p = (const uint8_t *)k->p;
        size_t head = 2, n = k->n >= 2 ? p[1] : 0;
        if (k->n >= 2)
            CHECK(!(p[1] & 0x80) && (p[0] & 0x80));
        if (n == 126) {
            head = 4;
            n = k->n >= 4 ? (size_t)p[2] << 8 | p[3] : SIZE_MAX / 2;
        } else if (n == 127) {
            head = 10;
            n = k->n >= 10 ? (size_t)p[7] << 16 | (size_t)p[8] << 8 | p[9] : SIZE_MAX / 2;
        }
        if (k->n >= head + n && k->n >= 2) {
            int opcode = p[0] & 15;
            CHECK(n < sizeof payload);
            memcpy(payload, k->p + head, n);
            payload[n] = 0;
            *ret_p = payload;
            *ret_n = n;
            memmove(k->p, k->p + head + n, k->n - head - n + 1);
            k->n -= head + n;
            return opcode;
        }
        if (os_mono_ms() >= end || !peer_more(k, (int)(end - os_mono_ms())))
            return -1;
    }
}

static unsigned close_code_of(const char *p, size_t n)
{
    return n >= 2 ? (unsigned)(uint8_t)p[0] << 8 | (uint8_t)p[1] : 0;
}

static void client_frame(struct peer *k, int first, const char *p, size_t n)
{
    char b[9000] = {(char)first};
    size_t at = 2;

    b[1] = (char)(0x80 | (n < 126 ? n : 126));
    if (n >= 126) {
        b[at++] = (char)(n >> 8);
        b[at++] = (char)n;
    }
    at += 4; /* a key of zeros */
    memcpy(b + at, p, n);
    peer_send(k, b, at + n);
}

TEST(an_event_stream_tells_what_was_and_what_comes)
{
    struct peer k;

    up(1);
    feed.count = 2;
    open_sse(&k, 1);
    CHECK(peer_until(&k, "id: 2\nevent: step\ndata: {\"n\":2,\"s\":\"x\"}\n\n", 5000));
    CHECK(str_find((str){k.p, k.n}, STR("id: 1\n")) < 0);
    publish(1, false);
    CHECK(peer_until(&k, "id: 3\n", 5000));
    publish(200, true);
    CHECK(peer_until(&k, "event: end\ndata: {}\n\n", 5000));
    CHECK(peer_until(&k, "\r\n0\r\n\r\n", 5000)); /* the reply is whole */
    char want[20];
    for (int i = 4; i <= 203; i++) { /* more than one pull, none lost, none twice */
        snprintf(want, sizeof want, "id: %d\n", i);
        ptrdiff_t at = str_find((str){k.p, k.n}, str_of(want));
        CHECK(at > 0);
        CHECK(str_find(str_sub((str){k.p, k.n}, (size_t)at + 1, k.n), str_of(want)) < 0);
    }
    EVENTUALLY(hub_subscribers(the_hub) == 0);
    EVENTUALLY(atomic_load(&done_status) == 200);
    peer_close(&k);
    down();
}

TEST(a_browser_that_reconnects_goes_on_behind_its_last_event)
{
    struct peer k;

    up(1);
    feed.count = 5;
    peer_open(&k, http_server_port(server));
    CHECK(peer_puts(&k, "GET /sse HTTP/1.1\r\nHost: t\r\nLast-Event-ID: 4\r\n\r\n"));
    CHECK(peer_until(&k, "id: 5\n", 5000));
    CHECK(str_find((str){k.p, k.n}, STR("id: 4\n")) < 0);
    peer_close(&k);
    publish(1, false); /* into the closed connection */
    ping_ms = 10;
    EVENTUALLY(hub_subscribers(the_hub) == 0);
    down();
}

TEST(a_web_socket_gets_the_same_events_as_frames)
{
    struct peer k;
    char *p;
    size_t n;

    up(1);
    feed.count = 1;
    open_ws(&k, 0);
    CHECK_EQ(next_frame(&k, &p, &n, 5000), 1);
    CHECK_STR(((str){p, n}), "{\"id\":1,\"event\":\"step\",\"data\":{\"n\":1,\"s\":\"x\"}}");
    publish(1, false);
    CHECK_EQ(next_frame(&k, &p, &n, 5000), 1);
    CHECK(str_starts((str){p, n}, STR("{\"id\":2,")));
    client_frame(&k, 0x89, "abc", 3);
    CHECK_EQ(next_frame(&k, &p, &n, 5000), 10);
    CHECK_STR(((str){p, n}), "abc");
    client_frame(&k, 0x01, "frag", 4);
    client_frame(&k, 0x80, "ment", 4);
    publish(1, true);
    CHECK_EQ(next_frame(&k, &p, &n, 5000), 1);
    CHECK_EQ(next_frame(&k, &p, &n, 5000), 8);
    CHECK_EQ(close_code_of(p, n), 1000);
    client_frame(&k, 0x88, "\x03\xe8", 2);
    CHECK(peer_until_end(&k, 5000));
    EVENTUALLY(hub_subscribers(the_hub) == 0);
    peer_close(&k);
    down();
}

TEST(a_handshake_that_is_none_is_refused)
{
    struct {
        int status;
        const char *head;
    } cases[] = {
        {426, "GET /ws HTTP/1.1\r\nHost: t\r\n\r\n"},
        {426, "GET /ws HTTP/1.1\r\nHost: t\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
              "Sec-WebSocket-Version: 8\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"},
        {400, "GET /ws HTTP/1.1\r\nHost: t\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
              "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: short\r\n\r\n"},
        {403, "GET /ws HTTP/1.1\r\nHost: t\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
              "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
              "Origin: http://evil.example\r\n\r\n"},
    };

    up(1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct peer k;
        peer_open(&k, http_server_port(server));
        CHECK(peer_puts(&k, cases[i].head));
        CHECK_EQ(peer_reply(&k, 5000).status, cases[i].status);
        peer_close(&k);
    }
    EVENTUALLY(hub_subscribers(the_hub) == 0);
    down();
}

TEST(an_oversized_message_is_closed_with_1009)
{
    struct peer k;
    char big[WS_MESSAGE_MAX + 1] = {0}, *p;
    size_t n;

    up(1);
    open_ws(&k, 0);
    client_frame(&k, 0x82, big, sizeof big);
    CHECK_EQ(next_frame(&k, &p, &n, 5000), 8);
    CHECK_EQ(close_code_of(p, n), 1009);
    CHECK(peer_until_end(&k, 5000));
    EVENTUALLY(hub_subscribers(the_hub) == 0);
    peer_close(&k);
    down();
}

TEST(a_peer_that_does_not_answer_pings_is_closed)
{
    struct peer quiet, live;
    char *p;
    size_t n;
    int pings = 0;

    up(1);
    ping_ms = 100;
    open_ws(&quiet, 0);
    open_ws(&live, 0);
    while (pings < 6) {
        CHECK_EQ(next_frame(&live, &p, &n, 5000), 9);
        client_frame(&live, 0x8a, p, n);
        pings++;
    }
    CHECK_EQ(next_frame(&quiet, &p, &n, 5000), 9);
    CHECK_EQ(next_frame(&quiet, &p, &n, 5000), 8);
    CHECK_EQ(close_code_of(p, n), 1001);
    peer_close(&quiet);
    EVENTUALLY(hub_subscribers(the_hub) == 1);
    peer_close(&live);
    EVENTUALLY(hub_subscribers(the_hub) == 0);
    down();
}

TEST(a_slow_reader_costs_little_and_is_dropped_with_1013)
{
    struct peer k;
    char *p;
    size_t n;
    int frames = 0, op;

    up(20000);
    size_t before = mem_live_bytes();
    stall_ms = 500;
    open_ws(&k, 0);
    publish(2000, false); /* 40 MB */
    int64_t moved = os_mono_ms();
    for (int pulls = 0; os_mono_ms() - moved < 700; os_sleep_ms(5)) { /* until it has stalled */
        CHECK(mem_live_bytes() - before < 1500000);
        if (feed.pulls != pulls)
            moved = os_mono_ms();
        pulls = feed.pulls;
    }
    while ((op = next_frame(&k, &p, &n, 5000)) == 1)
        frames++;
    CHECK_EQ(op, 8);
    CHECK_EQ(close_code_of(p, n), 1013);
    CHECK(frames < 1900); /* 20,000 bytes each: what the kernel held */
    client_frame(&k, 0x88, "\x03\xf5", 2);
    EVENTUALLY(hub_subscribers(the_hub) == 0);
    peer_close(&k);
    down();
}

TEST(a_slow_event_stream_costs_little_and_is_dropped)
{
    struct peer k;

    up(20000);
    size_t before = mem_live_bytes();
    stall_ms = 300;
    open_sse(&k, 0);
    publish(2000, false);
    int64_t end = os_mono_ms() + 8000;
    while (hub_subscribers(the_hub) && os_mono_ms() < end) {
        CHECK(mem_live_bytes() - before < 1500000);
        os_sleep_ms(5);
    }
    CHECK_EQ(hub_subscribers(the_hub), 0);
    peer_close(&k);
    down();
}

TEST(a_reader_that_keeps_up_gets_everything_in_order)
{
    struct peer k;
    char *p, want[40];
    size_t n;

    up(20000);
    open_ws(&k, 0);
    publish(500, true); /* 10 MB through bounded buffers */
    for (int i = 1; i <= 500; i++) {
        CHECK_EQ(next_frame(&k, &p, &n, 5000), 1);
        snprintf(want, sizeof want, "{\"id\":%d,", i);
        CHECK(str_starts((str){p, n}, str_of(want)));
    }
    CHECK_EQ(next_frame(&k, &p, &n, 5000), 8);
    peer_close(&k);
    EVENTUALLY(hub_subscribers(the_hub) == 0);
    down();
}

TEST(a_feed_that_fails_is_tried_again_and_nothing_is_missed)
{
    struct peer k;

    up(1);
    feed.fail = RC_UNAVAILABLE;
    open_sse(&k, 0);
    publish(3, false);
    os_sleep_ms(50);
    pthread_mutex_lock(&feed.mu);
    feed.fail = RC_OK;
    int pulls = feed.pulls;
    pthread_mutex_unlock(&feed.mu);
    CHECK(pulls >= 1 && pulls < 10); /* without spinning */
    CHECK(peer_until(&k, "id: 3\n", 5000));
    peer_close(&k);
    down();
}

TEST(an_event_that_is_too_large_is_left_out_and_the_rest_comes)
{
    struct peer k;

    up(HUB_PULL_BYTES + 1);
    open_sse(&k, 0);
    publish(1, false);
    EVENTUALLY(feed.pulls >= 2);
    os_sleep_ms(50);
    pthread_mutex_lock(&feed.mu);
    feed.data_bytes = 1;
    pthread_mutex_unlock(&feed.mu);
    publish(1, false);
    CHECK(peer_until(&k, "id: 2\n", 5000));
    CHECK(str_find((str){k.p, k.n}, STR("id: 1\n")) < 0);
    peer_close(&k);
    down();
}

TEST(subscribers_of_one_topic_share_a_pull)
{
    struct peer k[20];

    up(1);
    for (int i = 0; i < 20; i++)
        open_sse(&k[i], 0);
    EVENTUALLY(hub_subscribers(the_hub) == 20);
    os_sleep_ms(50);
    int before = feed.pulls;
    publish(1, false);
    for (int i = 0; i < 20; i++)
        CHECK(peer_until(&k[i], "id: 1\n", 5000));
    CHECK(feed.pulls - before <= 3);
    for (int i = 0; i < 20; i++)
        peer_close(&k[i]);
    down();
}

TEST(hub_and_server_end_in_either_order_with_subscribers)
{
    for (int order = 0; order < 2; order++) {
        struct peer sse, ws;
        char *p;
        size_t n;
        size_t before = mem_live_bytes();

        up(1);
        open_sse(&sse, 0);
        open_ws(&ws, 0);
        publish(1, false);
        CHECK_EQ(next_frame(&ws, &p, &n, 5000), 1);
        CHECK(peer_until(&sse, "id: 1\n", 5000));
        if (order)
            http_server_free(server);
        hub_free(the_hub);
        if (!order)
            http_server_free(server);
        CHECK_EQ(next_frame(&ws, &p, &n, 5000), 8);
        CHECK_EQ(close_code_of(p, n), 1001);
        CHECK(peer_until_end(&ws, 5000));
        CHECK(peer_until_end(&sse, 5000));
        peer_close(&sse);
        peer_close(&ws);
        CHECK_EQ(mem_live_bytes(), before);
    }
}

TEST(a_drain_sends_event_streams_away)
{
    struct peer k;

    up(1);
    open_sse(&k, 0);
    EVENTUALLY(hub_subscribers(the_hub) == 1);
    int64_t begun = os_mono_ms();
    http_server_drain(server, 5000);
    CHECK(os_mono_ms() - begun < 3000);
    CHECK(peer_until(&k, "\r\n0\r\n\r\n", 5000));
    CHECK(str_find((str){k.p, k.n}, STR("event: end")) < 0); /* it is to come back */
    peer_close(&k);
    down();
}

static bool is_idle(void)
{
    pthread_mutex_lock(&server->mu);
    bool idle = !server->conn_count && !server->reqs;
    pthread_mutex_unlock(&server->mu);
    return idle;
}

TEST(many_subscribers_come_and_go_and_leave_nothing)
{
    size_t before = 0;

    up(1);
    feed.count = 3;
    for (int round = 0; round < 3; round++) {
        struct peer k[60];
        for (int i = 0; i < 60; i++)
            i % 2 ? open_ws(&k[i], 0) : open_sse(&k[i], 0);
        publish(1, false);
        for (int i = 0; i < 60; i++)
            i % 3 ? peer_close(&k[i]) : peer_vanish(&k[i]);
        ping_ms = 10;
        EVENTUALLY(hub_subscribers(the_hub) == 0);
        EVENTUALLY(is_idle());
        ping_ms = HUB_PING_MS;
        if (before)
            CHECK(mem_live_bytes() <= before + 2000); /* the last pull's buffer may grow */
        before = mem_live_bytes();
    }
    down();
}
