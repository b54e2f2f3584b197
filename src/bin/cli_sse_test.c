/* cli_sse_test.c - events in any cut, with any line ends, and what is beyond the limits. */
#include "bin/cli_sse.c"

#include "base/test.h"

static struct buf seen;
static struct err e;

static enum rc note(void *ud, str id, str name, str data, struct err *er)
{
    buf_printf(&seen, "[%.*s|%.*s|%.*s]", STR_F(id), STR_F(name), STR_F(data));
    return str_is(name, "stop") ? err_set(er, RC_CANCELLED, "enough") : RC_OK;
}

static void check(const char *text, const char *expected)
{
    for (size_t piece = 1; piece <= strlen(text); piece++) {
        struct sse s;

        buf_init(&seen, 1 << 20);
        sse_init(&s, note, NULL);
        for (size_t at = 0; at < strlen(text); at += piece)
            CHECK_OK(
                sse_feed(&s, text + at, strlen(text + at) < piece ? strlen(text + at) : piece, &e),
                &e);
        CHECK_STR(buf_view(&seen), expected);
        sse_done(&s);
        buf_done(&seen);
    }
}

TEST(events_come_whole_however_they_are_cut)
{
    check("id: 7\nevent: epoch\ndata: {\"a\":1}\n\nid: 8\ndata: x\n\n",
          "[7|epoch|{\"a\":1}][8|message|x]");
}

TEST(all_three_line_ends_and_a_byte_order_mark)
{
    check("\xEF\xBB\xBF"
          "data: a\r\ndata: b\r\rdata:c\n\r\n",
          "[|message|a\nb][|message|c]");
}

TEST(comments_retry_and_unknown_fields_say_nothing)
{
    check(": ping\n\nretry: 2000\n\nfoo: bar\ndata: 1\nnothing\n\n", "[|message|1]");
}

TEST(the_id_stays_and_an_event_without_data_is_none)
{
    check("id: 3\nevent: x\n\ndata: y\n\nid\ndata: z\n\n", "[3|message|y][|message|z]");
}

TEST(an_unfinished_event_is_dropped_at_a_restart_and_the_id_kept)
{
    struct sse s;

    buf_init(&seen, 1 << 20);
    sse_init(&s, note, NULL);
    CHECK_OK(sse_feed(&s, "id: 5\ndata: a\n\nid: 6\ndata: half", 30, &e), &e);
    CHECK_OK(sse_feed(&s, "", 0, &e), &e);
    sse_restart(&s);
    CHECK_OK(sse_feed(&s, "data: b\n\n", 9, &e), &e);
    CHECK(strstr(seen.p, "[5|message|a]") && strstr(seen.p, "|message|b]") &&
          !strstr(seen.p, "half"));
    sse_done(&s);
    buf_done(&seen);
}

TEST(an_error_of_the_taker_ends_the_reading)
{
    struct sse s;

    buf_init(&seen, 1 << 20);
    sse_init(&s, note, NULL);
    CHECK_EQ(sse_feed(&s, "event: stop\ndata: 1\n\ndata: 2\n\n", 30, &e), RC_CANCELLED);
    CHECK_STR(buf_view(&seen), "[|stop|1]");
    sse_done(&s);
    buf_done(&seen);
}

TEST(a_line_without_end_is_refused)
{
    struct sse s;
    char block[4096];
    enum rc rc = RC_OK;

    memset(block, 'x', sizeof block);
    sse_init(&s, note, NULL);
    for (size_t n = 0; !rc && n < 2 * (size_t)SSE_EVENT_BYTES_MAX; n += sizeof block)
        rc = sse_feed(&s, block, sizeof block, &e);
    CHECK_EQ(rc, RC_TOO_LARGE);
    sse_done(&s);
}
