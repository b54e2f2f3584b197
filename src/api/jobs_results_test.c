/* jobs_results_test.c - the results of a validation, however their bytes are cut into pieces. */
#include "api/jobs_results.c"
#include "base/test.h"

struct seen {
    struct buf all;
    int64_t n, stop_at;
};

static enum rc note(str line, int64_t number, void *ud, struct err *e)
{
    struct seen *s = ud;

    CHECK_EQ(number, s->n);
    s->n++;
    buf_str(&s->all, line);
    buf_putc(&s->all, '|');
    return s->n == s->stop_at ? RC_GONE : RC_OK;
}

static enum rc feed(const char *text, size_t piece, struct seen *s, struct err *e)
{
    struct lines l = {.line = note, .ud = s};
    size_t n = strlen(text);
    enum rc rc = RC_OK;

    buf_init(&s->all, 1 << 16);
    buf_init(&l.rest, 64);
    for (size_t at = 0; !rc && at < n; at += piece)
        rc = take_lines(&l, text + at, n - at < piece ? n - at : piece, e);
    if (!rc && l.rest.n)
        rc = note(buf_view(&l.rest), l.number, s, e);
    buf_done(&l.rest);
    return rc;
}

TEST(lines_are_the_same_however_the_bytes_are_cut)
{
    for (size_t piece = 1; piece < 30; piece++) {
        struct seen s = {0};
        struct err e = {0};

        CHECK_OK(feed("{\"a\":1}\n\nlonger line\nlast", piece, &s, &e), &e);
        CHECK(!strcmp(s.all.p, "{\"a\":1}||longer line|last|"));
        buf_done(&s.all);
    }
}

TEST(whoever_has_enough_stops_the_transfer)
{
    struct seen s = {.stop_at = 2};

    CHECK(feed("a\nb\nc\nd\n", 3, &s, NULL) == RC_GONE);
    CHECK_EQ(s.n, 2);
    buf_done(&s.all);
}

TEST(a_line_without_an_end_is_too_large)
{
    struct seen s = {0};
    struct err e = {0};
    char text[200];

    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    CHECK(feed(text, 16, &s, &e) == RC_TOO_LARGE);
    buf_done(&s.all);
}
