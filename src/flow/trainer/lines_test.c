/* lines_test.c - whole lines, limits, wake-ups and back-pressure over real pipes. */
#include "flow/trainer/lines.c"

#include "base/test.h"

#include <unistd.h>

static struct lines *opened(int ends[2], size_t line_max, size_t window, unsigned flags)
{
    struct lines *l = NULL;
    struct err e = {0};

    CHECK_EQ(pipe(ends), 0);
    CHECK_OK(lines_open(&l, ends[0], line_max, window, flags, &e), &e);
    return l;
}

static void put(int fd, const char *text)
{
    CHECK_EQ(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

TEST(lines_come_whole_whatever_the_pieces)
{
    int ends[2];
    struct lines *l = opened(ends, 64, 64, 0);
    struct buf b;

    buf_init(&b, 1000);
    put(ends[1], "on");
    CHECK_EQ(lines_next(l, 30, &b, NULL), LINE_TIMEOUT);
    put(ends[1], "e\r\n\ntw");
    CHECK_EQ(lines_next(l, 5000, &b, NULL), LINE_TEXT);
    CHECK_STR(buf_view(&b), "one");
    CHECK_EQ(lines_next(l, 5000, &b, NULL), LINE_TEXT);
    CHECK_STR(buf_view(&b), "");
    put(ends[1], "o");
    close(ends[1]);
    CHECK_EQ(lines_next(l, 5000, &b, NULL), LINE_CUT);
    CHECK_STR(buf_view(&b), "two");
    CHECK_EQ(lines_next(l, 5000, &b, NULL), LINE_END);
    CHECK_EQ(lines_next(l, 5000, &b, NULL), LINE_END);
    buf_done(&b);
    lines_close(l);
}

TEST(a_line_of_the_limit_passes_and_one_byte_more_does_not)
{
    int ends[2];
    struct lines *l = opened(ends, 8, 100, 0);
    struct buf b;

    buf_init(&b, 100);
    put(ends[1], "12345678\n123456789\nx\n");
    CHECK_EQ(lines_next(l, 5000, &b, NULL), LINE_TEXT);
    CHECK_STR(buf_view(&b), "12345678");
    CHECK_EQ(lines_next(l, 5000, &b, NULL), LINE_TOO_LONG);
    CHECK_STR(buf_view(&b), "12345678");
    CHECK_EQ(lines_next(l, 5000, &b, NULL), LINE_TEXT);
    CHECK_STR(buf_view(&b), "9");
    CHECK_EQ(lines_next(l, 5000, &b, NULL), LINE_TEXT);
    CHECK_STR(buf_view(&b), "x");
    close(ends[1]);
    buf_done(&b);
    lines_close(l);
}

struct waker {
    struct lines *l;
};

static void *wake_soon(void *ud)
{
    os_sleep_ms(50);
    lines_wake(((struct waker *)ud)->l);
    return NULL;
}

TEST(a_wake_up_ends_a_wait_for_ever)
{
    int ends[2];
    struct waker w = {opened(ends, 64, 64, 0)};
    struct buf b;
    pthread_t t;

    buf_init(&b, 100);
    CHECK_EQ(pthread_create(&t, NULL, wake_soon, &w), 0);
    CHECK_EQ(lines_next(w.l, -1, &b, NULL), LINE_WOKEN);
    CHECK_EQ(lines_next(w.l, 10, &b, NULL), LINE_TIMEOUT);
    pthread_join(t, NULL);
    close(ends[1]);
    buf_done(&b);
    lines_close(w.l);
}

static void *flood(void *ud)
{
    char piece[4096];

    memset(piece, 'a', sizeof piece);
    piece[sizeof piece - 1] = '\n';
    for (int i = 0; i < 256; i++) /* 1 MiB through a window of 16 KiB */
        CHECK_EQ(write(*(int *)ud, piece, sizeof piece), (ssize_t)sizeof piece);
    close(*(int *)ud);
    return NULL;
}

TEST(a_full_window_holds_the_writer_back_and_loses_nothing)
{
    int ends[2];
    struct lines *l = opened(ends, 8192, 32 << 10, 0);
    struct buf b;
    pthread_t t;
    int n = 0;

    buf_init(&b, 10000);
    CHECK_EQ(pthread_create(&t, NULL, flood, &ends[1]), 0);
    os_sleep_ms(50);
    CHECK(lines_held(l) <= l->window_max);
    while (lines_next(l, 5000, &b, NULL) == LINE_TEXT)
        n += b.n == 4095;
    CHECK_EQ(n, 256);
    CHECK_EQ(lines_dropped_bytes(l), 0);
    pthread_join(t, NULL);
    buf_done(&b);
    lines_close(l);
}

TEST(a_dropping_window_never_holds_the_writer_back_and_counts)
{
    int ends[2];
    struct lines *l = opened(ends, 8192, 40 << 10, LINES_DROP);
    uint64_t held = 0;
    struct buf b;
    pthread_t t;

    buf_init(&b, 10000);
    CHECK_EQ(pthread_create(&t, NULL, flood, &ends[1]), 0);
    pthread_join(t, NULL); /* ends though nobody takes */
    CHECK(lines_await_end(l, 5000));
    enum line_kind kind;
    while ((kind = lines_next(l, 0, &b, NULL)) == LINE_TEXT || kind == LINE_CUT)
        held += b.n + (kind == LINE_TEXT);
    CHECK(held > 0);
    CHECK_EQ(held + lines_dropped_bytes(l), 1 << 20);
    buf_done(&b);
    lines_close(l);
}

TEST(closing_does_not_wait_for_a_writer_that_stays)
{
    int ends[2];
    struct lines *l = opened(ends, 64, 64, 0);
    int64_t t0 = os_mono_ms();

    lines_close(l);
    CHECK(os_mono_ms() - t0 < 1000);
    put(ends[1], "nobody takes this\n");
    close(ends[1]); /* lets the pump free what is left: the leak check at exit sees it if not */
    os_sleep_ms(100);
}
