/* str.c - borrowed text: compare, cut, and read numbers, whole or not at all.
 *
 * Numbers are read without the locale: digits by hand, doubles by an exact short path (Clinger
 * 1990: at most 2^53 times a power of ten that a double holds exactly) and else by strtod in the C
 * locale.
 */
#include "base/str.h"

#include <locale.h>
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBER_BYTES_MAX = 1023 };

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

str str_of(const char *cstr)
{
    return cstr ? (str){cstr, strlen(cstr)} : STR_NONE;
}

bool str_eq(str a, str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool str_is(str a, const char *cstr)
{
    return str_eq(a, str_of(cstr));
}

bool str_ieq(str a, str b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++) {
        if (lower(a.p[i]) != lower(b.p[i]))
            return false;
    }
    return true;
}

int str_cmp(str a, str b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int c = n ? memcmp(a.p, b.p, n) : 0;

    return c ? c : (a.n > b.n) - (a.n < b.n);
}

bool str_starts(str s, str prefix)
{
    return s.n >= prefix.n && str_eq((str){s.p, prefix.n}, prefix);
}

bool str_ends(str s, str suffix)
{
    return s.n >= suffix.n && str_eq(str_sub(s, s.n - suffix.n, suffix.n), suffix);
}

bool str_iends(str s, str suffix)
{
    return s.n >= suffix.n && str_ieq(str_sub(s, s.n - suffix.n, suffix.n), suffix);
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

str str_trim(str s)
{
    while (s.n && is_space(s.p[0]))
        s.p++, s.n--;
    while (s.n && is_space(s.p[s.n - 1]))
        s.n--;
    return s;
}

str str_sub(str s, size_t from, size_t n)
{
    if (from > s.n)
        from = s.n;
    if (n > s.n - from)
        n = s.n - from;
    return (str){from ? s.p + from : s.p, n};
}

ptrdiff_t str_find(str s, str needle)
{
    const char *at;

    if (!needle.n)
        return 0;
    at = s.n ? memmem(s.p, s.n, needle.p, needle.n) : NULL;
    return at ? at - s.p : -1;
}

ptrdiff_t str_chr(str s, char c)
{
    const char *at = s.n ? memchr(s.p, c, s.n) : NULL;

    return at ? at - s.p : -1;
}

ptrdiff_t str_rchr(str s, char c)
{
    const char *at = s.n ? memrchr(s.p, c, s.n) : NULL;

    return at ? at - s.p : -1;
}

bool str_next(str *rest, char sep, str *ret_piece)
{
    ptrdiff_t at;

    if (!rest->p)
        return false;
    at = str_chr(*rest, sep);
    if (at < 0) {
        *ret_piece = *rest;
        *rest = STR_NONE;
    } else {
        *ret_piece = (str){rest->p, (size_t)at};
        *rest = (str){rest->p + at + 1, rest->n - (size_t)at - 1};
    }
    return true;
}

bool str_line(str *rest, str *ret_line)
{
    str line;

    if (!rest->n || !str_next(rest, '\n', &line)) /* a last newline opens no further line */
        return false;
    if (line.n && line.p[line.n - 1] == '\r')
        line.n--;
    *ret_line = line;
    return true;
}

bool str_u64(str s, uint64_t *ret)
{
    uint64_t v = 0;

    if (!s.n)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9' || __builtin_mul_overflow(v, 10, &v) ||
            __builtin_add_overflow(v, (uint64_t)(s.p[i] - '0'), &v))
            return false;
    }
    *ret = v;
    return true;
}

bool str_i64(str s, int64_t *ret)
{
    bool minus = s.n && s.p[0] == '-';
    uint64_t v;

    if (!str_u64(minus ? str_sub(s, 1, s.n) : s, &v))
        return false;
    if (v > (uint64_t)INT64_MAX + (minus ? 1 : 0))
        return false;
    *ret = minus ? (int64_t)(0 - v) : (int64_t)v;
    return true;
}

struct decimal {
    uint64_t mantissa;
    int exponent;      /* of ten */
    bool minus, exact; /* exact: the mantissa took every digit */
};

/* [-] digits [. digits] [e [+-] digits], with a digit before or after the point. */
static bool decimal_read(str s, struct decimal *d)
{
    size_t i = 0, digits = 0;
    bool point = false;
    int64_t e10 = 0;

    *d = (struct decimal){.exact = true};
    if (i < s.n && s.p[i] == '-')
        d->minus = true, i++;
    for (; i < s.n && (s.p[i] == '.' || (s.p[i] >= '0' && s.p[i] <= '9')); i++) {
        if (s.p[i] == '.') {
            if (point)
                return false;
            point = true;
            continue;
        }
        digits++;
        if (d->mantissa > (UINT64_MAX - 9) / 10)
            d->exact = false;
        else
            d->mantissa = d->mantissa * 10 + (uint64_t)(s.p[i] - '0');
        d->exponent -= point;
    }
    if (!digits)
        return false;
    if (i < s.n) {
        str tail = str_sub(s, i + 1, s.n);
        if (s.p[i] != 'e' && s.p[i] != 'E')
            return false;
        if (tail.n && tail.p[0] == '+')
            tail = str_sub(tail, 1, tail.n);
        else if (tail.n && tail.p[0] == '-' && tail.n > 1 && tail.p[1] == '-')
            return false;
        if (!tail.n || (tail.p[0] == '-' && s.p[i + 1] == '+'))
            return false;
        if (!str_i64(tail, &e10)) {
            str digits_only = tail.p[0] == '-' ? str_sub(tail, 1, tail.n) : tail;
            for (size_t k = 0; k < digits_only.n; k++) {
                if (digits_only.p[k] < '0' || digits_only.p[k] > '9')
                    return false;
            }
            if (!digits_only.n)
                return false;
            e10 = tail.p[0] == '-' ? -100000 : 100000;
        }
    }
    if (e10 > 100000 || e10 < -100000)
        e10 = e10 > 0 ? 100000 : -100000;
    d->exponent += (int)e10;
    return true;
}

/* Made by whoever comes first, kept for good; without a lock, so that this runs where there are no
 * threads as well (WebAssembly). */
static locale_t c_locale(void)
{
    static _Atomic(locale_t) shared;
    locale_t have = atomic_load(&shared), made;

    if (have)
        return have;
    made = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (!made || atomic_compare_exchange_strong(&shared, &have, made))
        return made;
    freelocale(made);
    return have;
}

bool str_f64(str s, double *ret)
{
    static const double tens[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                  1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                  1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    char text[NUMBER_BYTES_MAX + 1];
    struct decimal d;
    double v;

    if (s.n > NUMBER_BYTES_MAX || !decimal_read(s, &d))
        return false;
    if (d.exact && d.mantissa <= (UINT64_C(1) << 53) && d.exponent >= -22 && d.exponent <= 22) {
        v = (double)d.mantissa;
        v = d.exponent < 0 ? v / tens[-d.exponent] : v * tens[d.exponent];
        *ret = d.minus ? -v : v;
        return true;
    }
    const locale_t locale = c_locale();
    memcpy(text, s.p, s.n);
    text[s.n] = 0;
    v = locale ? strtod_l(text, NULL, locale) : strtod(text, NULL);
    if (!isfinite(v))
        return false;
    *ret = v;
    return true;
}

struct unit {
    const char *name;
    uint64_t factor;
};

/* "<digits><unit>"; false for another unit or on overflow. */
static bool with_unit(str s, const struct unit *units, size_t count, bool fold, uint64_t *ret)
{
    size_t n = 0;
    uint64_t v;

    while (n < s.n && s.p[n] >= '0' && s.p[n] <= '9')
        n++;
    if (!str_u64(str_sub(s, 0, n), &v))
        return false;
    s = str_sub(s, n, s.n);
    for (size_t i = 0; i < count; i++) {
        str name = str_of(units[i].name);
        if (fold ? str_ieq(s, name) : str_eq(s, name))
            return !__builtin_mul_overflow(v, units[i].factor, ret);
    }
    return false;
}

bool str_bytes_size(str s, uint64_t *ret)
{
    static const struct unit units[] = {
        {"", 1},
        {"B", 1},
        {"KB", 1000},
        {"MB", 1000 * 1000},
        {"GB", 1000 * 1000 * 1000},
        {"TB", UINT64_C(1000) * 1000 * 1000 * 1000},
        {"KiB", UINT64_C(1) << 10},
        {"MiB", UINT64_C(1) << 20},
        {"GiB", UINT64_C(1) << 30},
        {"TiB", UINT64_C(1) << 40},
    };
    uint64_t v;

    if (!with_unit(s, units, sizeof units / sizeof units[0], true, &v))
        return false;
    *ret = v;
    return true;
}

bool str_duration_ms(str s, int64_t *ret)
{
    static const struct unit units[] = {
        {"ms", 1}, {"s", 1000}, {"m", 60 * 1000}, {"h", 3600 * 1000}, {"d", 24 * 3600 * 1000},
    };
    uint64_t v;

    if (!with_unit(s, units, sizeof units / sizeof units[0], false, &v) || v > INT64_MAX)
        return false;
    *ret = (int64_t)v;
    return true;
}

size_t str_utf8_at(const char *p, size_t n)
{
    const unsigned char *u = (const unsigned char *)p;
    unsigned char low = 0x80, high = 0xBF; /* of the second byte: table 3-7 of Unicode */
    size_t len;

    if (!n)
        return 0;
    if (u[0] < 0x80)
        return 1;
    if (u[0] < 0xC2 || u[0] > 0xF4)
        return 0;
    len = u[0] < 0xE0 ? 2 : u[0] < 0xF0 ? 3 : 4;
    if (u[0] == 0xE0)
        low = 0xA0; /* shorter forms exist */
    else if (u[0] == 0xED)
        high = 0x9F; /* surrogates */
    else if (u[0] == 0xF0)
        low = 0x90;
    else if (u[0] == 0xF4)
        high = 0x8F; /* past U+10FFFF */
    if (n < len || u[1] < low || u[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++) {
        if ((u[i] & 0xC0) != 0x80)
            return 0;
    }
    return len;
}

bool str_utf8_ok(str s)
{
    for (size_t i = 0; i < s.n;) {
        size_t len = s.p[i] ? str_utf8_at(s.p + i, s.n - i) : 0;
        if (!len)
            return false;
        i += len;
    }
    return true;
}
