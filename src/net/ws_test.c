/* The rules of RFC 6455, frame by frame, without a socket. */
#include "net/ws.c"
#include "base/test.h"

struct rig {
    struct ws *w;
    struct buf out;
    struct buf got; /* "t:text;" */
};

static void on_message(void *ud, bool text, str message)
{
    struct rig *g = ud;
    buf_printf(&g->got, "%s:%.*s;", text ? "t" : "b", STR_F(message));
}

static void rig_open(struct rig *g)
{
    struct err e;

    buf_init(&g->out, 1 << 20);
    buf_init(&g->got, 1 << 20);
    CHECK_OK(ws_new(&g->w, &g->out, on_message, g, &e), &e);
}

static void rig_close(struct rig *g)
{
    ws_free(g->w);
    buf_done(&g->out);
    buf_done(&g->got);
}

/* A frame as a client sends it. */
static void frame(struct buf *b, int first, bool mask, const void *p, size_t n)
{
    static const uint8_t key[4] = {0x11, 0x22, 0x33, 0x44};

    buf_putc(b, (char)first);
    if (n < 126) {
        buf_putc(b, (char)(n | (mask ? 0x80 : 0)));
    } else {
        buf_putc(b, (char)(126 | (mask ? 0x80 : 0)));
        buf_putc(b, (char)(n >> 8));
        buf_putc(b, (char)n);
    }
    if (mask)
        buf_add(b, key, 4);
    for (size_t i = 0; i < n; i++)
        buf_putc(b, (char)(((const uint8_t *)p)[i] ^ (mask ? key[i % 4] : 0)));
}

/* The code of the close frame at the end of what the server wrote, or 0. */
static unsigned close_code(const struct rig *g)
{
    const uint8_t *p = (const uint8_t *)g->out.p;
    size_t n = g->out.n;

    return n >= 4 && p[n - 4] == 0x88 && p[n - 3] == 2 ? (unsigned)p[n - 2] << 8 | p[n - 1] : 0;
}

TEST(the_handshake_answer_is_that_of_the_standard)
{
    char accept[WS_ACCEPT_TEXT];

    CHECK(ws_accept(STR("dGhlIHNhbXBsZSBub25jZQ=="), accept));
    CHECK_STR(str_of(accept), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="); /* RFC 6455, 1.3 */
    CHECK(!ws_accept(STR("dGhlIHNhbXBsZSBub25jZQ="), accept));
    CHECK(!ws_accept(STR("dGhlIHNhbXBsZSBub25jZ==="), accept));
    CHECK(!ws_accept(STR("dGhlIHNhbXBsZSBub25jZQAA"), accept));
    CHECK(!ws_accept(STR("!!!lIHNhbXBsZSBub25jZQ=="), accept));
    CHECK(!ws_accept(STR_NONE, accept));
}

TEST(only_pages_of_this_host_may_connect)
{
    CHECK(ws_origin_ok(STR("http://a.example:8000"), STR("a.example:8000")));
    CHECK(ws_origin_ok(STR("http://A.example"), STR("a.example:80")));
    CHECK(ws_origin_ok(STR("https://a.example"), STR("a.example")));
    CHECK(ws_origin_ok(STR("http://[::1]:80"), STR("[::1]")));
    CHECK(!ws_origin_ok(STR("http://evil.example"), STR("a.example")));
    CHECK(!ws_origin_ok(STR("http://a.example:8001"), STR("a.example:8000")));
    CHECK(!ws_origin_ok(STR("http://a.example.evil"), STR("a.example")));
    CHECK(!ws_origin_ok(STR("null"), STR("a.example")));
    CHECK(!ws_origin_ok(STR("http://"), STR("")));
}

TEST(messages_are_put_together_from_fragments_with_pings_between)
{
    struct rig g;
    struct buf in;
    char big[WS_MESSAGE_MAX];

    buf_init(&in, 100000);
    frame(&in, 0x81, true, "hello", 5);
    frame(&in, 0x01, true, "a\xED", 2); /* a character split over frames */
    frame(&in, 0x89, true, "p", 1);
    frame(&in, 0x00, true, "\x95", 1);
    frame(&in, 0x80, true, "\x9C", 1);
    frame(&in, 0x82, true, "\xff", 1);
    frame(&in, 0x81, true, "", 0);
    frame(&in, 0x8a, true, "unasked", 7);
    memset(big, 'x', sizeof big);
    frame(&in, 0x82, true, big, sizeof big);
    for (size_t step = 1; step < in.n; step = step * 2 + 1) {
        rig_open(&g);
        for (size_t at = 0; at < in.n; at += step)
            CHECK(ws_feed(g.w, in.p + at, in.n - at < step ? in.n - at : step));
        CHECK(str_starts(buf_view(&g.got), STR("t:hello;t:a\xED\x95\x9C;b:\xff;t:;b:xxx")));
        CHECK_EQ(g.got.n, 8 + 7 + 4 + 3 + 3 + WS_MESSAGE_MAX);
        CHECK(str_eq(buf_view(&g.out), STR("\x8a\x01p")));
        CHECK(ws_heard(g.w) && !ws_heard(g.w));
        rig_close(&g);
    }
    buf_done(&in);
}

TEST(a_peer_that_breaks_the_rules_is_told_which)
{
    char big[WS_MESSAGE_MAX + 1] = {0};
    struct {
        unsigned code;
        int first;
        bool mask;
        const char *p;
        size_t n;
        int second; /* a second frame, empty, or 0 */
    } cases[] = {
        {1002, 0x81, false, "x", 1, 0},   /* not masked */
        {1002, 0xc1, true, "x", 1, 0},    /* RSV1 without an extension */
        {1002, 0x83, true, "x", 1, 0},    /* reserved opcode */
        {1002, 0x8b, true, "x", 1, 0},    /* reserved control opcode */
        {1002, 0x09, true, "x", 1, 0},    /* fragmented ping */
        {1002, 0x80, true, "x", 1, 0},    /* continuation of nothing */
        {1002, 0x01, true, "x", 1, 0x81}, /* new message inside a message */
        {1002, 0x89, true, big, 126, 0},  /* long ping */
        {1009, 0x82, true, big, sizeof big, 0},
        {1007, 0x81, true, "\xff", 1, 0},
        {1007, 0x01, true, "\xED", 1, 0x80},
        {1002, 0x88, true, "x", 1, 0},         /* half a close code */
        {1002, 0x88, true, "\x03\xed", 2, 0},  /* 1005 may not be sent */
        {1007, 0x88, true, "\x03\xe8\xff", 3, 0},
        {1000, 0x88, true, "\x03\xe8 bye", 6, 0},
        {1001, 0x88, true, "\x03\xe9", 2, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rig g;
        struct buf in;
        rig_open(&g);
        buf_init(&in, 100000);
        frame(&in, cases[i].first, cases[i].mask, cases[i].p, cases[i].n);
        if (cases[i].second)
            frame(&in, cases[i].second, true, "", 0);
        CHECK(!ws_feed(g.w, in.p, in.n));
        CHECK(!ws_feed(g.w, in.p, in.n)); /* and nothing more is listened to */
        if (close_code(&g) != cases[i].code)
            test_fail(__FILE__, __LINE__, "case %zu: %u, not %u", i, close_code(&g),
                      cases[i].code);
        ws_send_text(g.w, STR("late"));
        CHECK(ws_close_sent(g.w) && close_code(&g) == cases[i].code);
        buf_done(&in);
        rig_close(&g);
    }
}

TEST(fragments_cannot_add_up_past_the_limit)
{
    struct rig g;
    struct buf in;
    bool alive = true;
    int n = 0;
    char piece[100] = {0};

    rig_open(&g);
    buf_init(&in, 1000);
    for (; alive && n < 1000; n++) {
        buf_clear(&in);
        frame(&in, n ? 0x00 : 0x02, true, piece, sizeof piece);
        alive = ws_feed(g.w, in.p, in.n);
    }
    CHECK_EQ(n, WS_MESSAGE_MAX / 100 + 1);
    CHECK_EQ(close_code(&g), 1009);
    buf_done(&in);
    rig_close(&g);
}

TEST(a_flood_of_pings_does_not_pile_up_answers)
{
    struct rig g;
    struct buf in;
    char p[125] = {0};

    rig_open(&g);
    buf_init(&in, 1000);
    frame(&in, 0x89, true, p, sizeof p);
    for (int i = 0; i < 5000; i++)
        CHECK(ws_feed(g.w, in.p, in.n));
    CHECK(g.out.n < WS_REPLIES_MAX + 200);
    buf_done(&in);
    rig_close(&g);
}

TEST(our_frames_have_the_three_forms_of_length)
{
    struct rig g;
    size_t sizes[] = {125, 126, 65535, 65536};
    size_t heads[] = {2, 4, 4, 10};
    static char text[65536];

    memset(text, 'x', sizeof text);
    for (int i = 0; i < 4; i++) {
        rig_open(&g);
        ws_send_text(g.w, (str){text, sizes[i]});
        CHECK_EQ(g.out.n, heads[i] + sizes[i]);
        CHECK_EQ((uint8_t)g.out.p[0], 0x81);
        CHECK(!(g.out.p[1] & 0x80));
        rig_close(&g);
    }
}
