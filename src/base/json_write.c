/* json_write.c - the streaming writer of json.h.
 *
 * The caller says what it means (objects, keys, values); commas, quotes and escapes are put here,
 * so no text that comes from outside can change the shape of a document.
 */
#include "base/json.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void jw_init(struct jw *w, struct buf *out)
{
    *w = (struct jw){.out = out};
}

static void before_value(struct jw *w)
{
    if (w->need_comma)
        buf_putc(w->out, ',');
    w->need_comma = true;
}

static void open_list(struct jw *w, char c)
{
    before_value(w);
    buf_putc(w->out, c);
    w->depth++;
    w->need_comma = false;
}

static void close_list(struct jw *w, char c)
{
    ASSERT(w->depth > 0);
    buf_putc(w->out, c);
    w->depth--;
    w->need_comma = true;
}

void jw_obj(struct jw *w)
{
    open_list(w, '{');
}

void jw_obj_end(struct jw *w)
{
    close_list(w, '}');
}

void jw_arr(struct jw *w)
{
    open_list(w, '[');
}

void jw_arr_end(struct jw *w)
{
    close_list(w, ']');
}

static void put_escape(struct buf *b, unsigned char c)
{
    static const char shorts[] = "b\bf\fn\nr\rt\t\"\"\\\\";
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i + 1 < sizeof shorts - 1; i += 2) {
        if ((unsigned char)shorts[i + 1] == c) {
            char two[2] = {'\\', shorts[i]};
            buf_add(b, two, 2);
            return;
        }
    }
    char six[6] = {'\\', 'u', '0', '0', digits[c >> 4], digits[c & 15]};
    buf_add(b, six, 6);
}

static void put_string(struct buf *b, str s)
{
    size_t from = 0, i = 0;

    buf_putc(b, '"');
    while (i < s.n) {
        unsigned char c = (unsigned char)s.p[i];
        size_t len = 1;
        if (c >= 0x80)
            len = str_utf8_at(s.p + i, s.n - i);
        if (len && c >= 0x20 && c != '"' && c != '\\') {
            i += len;
            continue;
        }
        buf_add(b, s.p + from, i - from);
        if (!len)
            buf_puts(b, "\xEF\xBF\xBD"); /* U+FFFD */
        else
            put_escape(b, c);
        from = ++i;
    }
    buf_add(b, s.p ? s.p + from : "", i - from);
    buf_putc(b, '"');
}

void jw_key_str(struct jw *w, str key)
{
    before_value(w);
    put_string(w->out, key);
    buf_putc(w->out, ':');
    w->need_comma = false;
}

void jw_key(struct jw *w, const char *key)
{
    jw_key_str(w, str_of(key));
}

void jw_str(struct jw *w, str s)
{
    before_value(w);
    put_string(w->out, s);
}

void jw_cstr(struct jw *w, const char *s)
{
    if (s)
        jw_str(w, str_of(s));
    else
        jw_null(w);
}

void jw_int(struct jw *w, int64_t v)
{
    char text[24];
    int n = snprintf(text, sizeof text, "%lld", (long long)v);

    before_value(w);
    buf_add(w->out, text, (size_t)n);
}

/* printf writes the locale's decimal point: whatever is no part of a number becomes '.'. */
static size_t plain_point(char *text, size_t n)
{
    size_t to = 0;

    for (size_t i = 0; i < n; i++) {
        if (memchr("0123456789+-e", text[i], 13))
            text[to++] = text[i];
        else if (!to || text[to - 1] != '.')
            text[to++] = '.';
    }
    return to;
}

double round_to(double v, double per)
{
    return round(v * per) / per;
}

void jw_num(struct jw *w, double v)
{
    char text[48];
    size_t n = 0;

    if (!isfinite(v)) {
        jw_null(w);
        return;
    }
    before_value(w);
    if (v == 0 && signbit(v)) {
        buf_puts(w->out, "-0.0"); /* "-0" would be read as an integer and lose the sign */
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        double back;
        n = (size_t)snprintf(text, sizeof text, "%.*g", digits, v);
        n = plain_point(text, n);
        if (str_f64((str){text, n}, &back) && back == v)
            break;
    }
    buf_add(w->out, text, n);
}

void jw_bool(struct jw *w, bool v)
{
    before_value(w);
    buf_puts(w->out, v ? "true" : "false");
}

void jw_null(struct jw *w)
{
    before_value(w);
    buf_puts(w->out, "null");
}

void jw_raw(struct jw *w, str json)
{
    before_value(w);
    if (json.n)
        buf_str(w->out, json);
    else
        buf_puts(w->out, "null");
}

void jw_kstr(struct jw *w, const char *key, str v)
{
    jw_key(w, key);
    jw_str(w, v);
}

void jw_kcstr(struct jw *w, const char *key, const char *v)
{
    jw_key(w, key);
    jw_cstr(w, v);
}

void jw_kint(struct jw *w, const char *key, int64_t v)
{
    jw_key(w, key);
    jw_int(w, v);
}

void jw_knum(struct jw *w, const char *key, double v)
{
    jw_key(w, key);
    jw_num(w, v);
}

void jw_kbool(struct jw *w, const char *key, bool v)
{
    jw_key(w, key);
    jw_bool(w, v);
}

void jw_kraw(struct jw *w, const char *key, str json)
{
    jw_key(w, key);
    jw_raw(w, json);
}

void jw_kobj(struct jw *w, const char *key)
{
    jw_key(w, key);
    jw_obj(w);
}

void jw_karr(struct jw *w, const char *key)
{
    jw_key(w, key);
    jw_arr(w);
}
