/* str_fuzz.c - numbers, units, pieces and UTF-8: whatever is accepted has its meaning, and pieces
 * put together again give the text. */
#include "base/buf.h"
#include "base/str.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void numbers(str s)
{
    char text[2048], again[32];
    int64_t i;
    uint64_t u;
    double f;

    if (s.n >= sizeof text)
        return;
    memcpy(text, s.n ? s.p : "", s.n);
    text[s.n] = 0;
    if (str_i64(s, &i)) {
        snprintf(again, sizeof again, "%" PRId64, i);
        ASSERT(strtoll(text, NULL, 10) == i);
    }
    if (str_u64(s, &u)) {
        ASSERT(strtoull(text, NULL, 10) == u);
        ASSERT(u > INT64_MAX || (str_i64(s, &i) && (uint64_t)i == u));
    }
    if (str_f64(s, &f)) { /* the program runs in the C locale: strtod is the judge */
        char *end;
        double want = strtod(text, &end);
        ASSERT(*end == 0 && memcmp(&want, &f, sizeof f) == 0);
        ASSERT(isfinite(f));
    }
    if (str_bytes_size(s, &u))
        ASSERT(s.n && s.p[0] >= '0' && s.p[0] <= '9');
    if (str_duration_ms(s, &i))
        ASSERT(i >= 0);
}

static void pieces(str s)
{
    struct buf b;
    str rest = s, piece;
    bool first = true;

    if (!s.n)
        return;
    buf_init(&b, s.n + 1);
    while (str_next(&rest, ',', &piece)) {
        if (!first)
            buf_putc(&b, ',');
        first = false;
        buf_str(&b, piece);
    }
    ASSERT(buf_ok(&b, NULL) == RC_OK && str_eq(buf_view(&b), s));
    buf_done(&b);
    for (rest = s; str_line(&rest, &piece);)
        ASSERT(str_chr(piece, '\n') < 0);
    piece = str_trim(s);
    ASSERT(piece.p >= s.p && piece.p + piece.n <= s.p + s.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    str s = {(const char *)data, n};
    size_t at = 0;

    numbers(s);
    pieces(s);
    while (at < n) {
        size_t len = str_utf8_at(s.p + at, n - at);
        if (!len)
            break;
        at += len;
    }
    ASSERT(str_utf8_ok(s) == (at == n && str_chr(s, 0) < 0));
    return 0;
}
