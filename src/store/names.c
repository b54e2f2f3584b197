/* names.c - see names.h. */
#include "store/names.h"

#include "base/utc.h"
#include "store/store.h"

static bool lower_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool looks_like_ipv4(str s)
{
    str part;
    int parts = 0;

    while (str_next(&s, '.', &part)) {
        if (!part.n || part.n > 3)
            return false;
        for (size_t i = 0; i < part.n; i++)
            if (part.p[i] < '0' || part.p[i] > '9')
                return false;
        parts++;
    }
    return parts == 4;
}

bool bucket_name_ok(str s)
{
    if (s.n < 3 || s.n > 63 || !lower_or_digit(s.p[0]) || !lower_or_digit(s.p[s.n - 1]))
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!lower_or_digit(s.p[i]) && s.p[i] != '-' && s.p[i] != '.')
            return false;
    if (str_find(s, STR("..")) >= 0 || looks_like_ipv4(s))
        return false;
    return !str_starts(s, STR("xn--")) && !str_starts(s, STR("sthree-")) &&
           !str_ends(s, STR("-s3alias")) && !str_ends(s, STR("--ol-s3"));
}

bool key_ok(str s)
{
    return s.n >= 1 && s.n <= STORE_KEY_BYTES_MAX && str_utf8_ok(s);
}

enum range_kind range_parse(str header, uint64_t size, uint64_t *ret_at, uint64_t *ret_n)
{
    uint64_t first, last;
    ptrdiff_t dash;
    str spec;

    if (!str_starts(header, STR("bytes=")) || str_chr(header, ',') >= 0)
        return RANGE_NONE;
    spec = str_trim(str_sub(header, 6, header.n));
    dash = str_chr(spec, '-');
    if (dash < 0)
        return RANGE_NONE;
    if (dash == 0) { /* the last n bytes */
        if (!str_u64(str_sub(spec, 1, spec.n), &last))
            return RANGE_NONE;
        if (!last || !size)
            return RANGE_OUTSIDE;
        *ret_n = last < size ? last : size;
        *ret_at = size - *ret_n;
        return RANGE_PART;
    }
    if (!str_u64(str_sub(spec, 0, (size_t)dash), &first))
        return RANGE_NONE;
    last = UINT64_MAX;
    if ((size_t)dash + 1 < spec.n && !str_u64(str_sub(spec, (size_t)dash + 1, spec.n), &last))
        return RANGE_NONE;
    if (last < first)
        return RANGE_NONE;
    if (first >= size)
        return RANGE_OUTSIDE;
    *ret_at = first;
    *ret_n = (last < size ? last + 1 : size) - first;
    return RANGE_PART;
}

bool etag_listed(str list, str etag)
{
    str piece;

    while (str_next(&list, ',', &piece)) {
        piece = str_trim(piece);
        if (str_is(piece, "*"))
            return true;
        if (str_starts(piece, STR("W/")))
            piece = str_sub(piece, 2, piece.n);
        if (piece.n >= 2 && piece.p[0] == '"' && piece.p[piece.n - 1] == '"')
            piece = str_sub(piece, 1, piece.n - 2);
        if (str_eq(piece, etag))
            return true;
    }
    return false;
}

static const char days[] = "SunMonTueWedThuFriSat",
                  months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

void http_date_text(int64_t unix_s, char ret[HTTP_DATE_TEXT])
{
    struct utc u = utc_of(unix_s);

    memcpy(ret, "Www, dd Mmm yyyy hh:mm:ss GMT", HTTP_DATE_TEXT);
    memcpy(ret, days + (size_t)3 * u.weekday, 3);
    utc_digits(ret + 5, u.day, 2);
    memcpy(ret + 8, months + (size_t)3 * (u.month - 1), 3);
    utc_digits(ret + 12, (uint64_t)u.year, 4);
    utc_digits(ret + 17, u.hour, 2);
    utc_digits(ret + 20, u.minute, 2);
    utc_digits(ret + 23, u.second, 2);
}

bool http_date_parse(str s, int64_t *ret_unix_s)
{
    static const unsigned char at[] = {5, 12, 17, 20, 23}, width[] = {2, 4, 2, 2, 2};
    uint64_t v[5];
    struct utc u = {.month = 1};
    char back[HTTP_DATE_TEXT];
    int64_t t;

    if (s.n != HTTP_DATE_TEXT - 1)
        return false;
    for (size_t i = 0; i < 5; i++)
        if (!str_u64(str_sub(s, at[i], width[i]), &v[i]))
            return false;
    while (u.month <= 12 && memcmp(months + (size_t)3 * (u.month - 1), s.p + 8, 3) != 0)
        u.month++;
    if (u.month > 12 || v[1] < 1900)
        return false;
    u.day = (unsigned)v[0];
    u.year = (int64_t)v[1];
    u.hour = (unsigned)v[2];
    u.minute = (unsigned)v[3];
    u.second = (unsigned)v[4];
    if (!utc_ok(&u))
        return false;
    t = utc_seconds(&u);
    http_date_text(t, back); /* the day of the week, and the marks between */
    if (!str_is(s, back))
        return false;
    *ret_unix_s = t;
    return true;
}
