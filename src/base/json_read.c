/* json_read.c - the pull reader of json.h: RFC 8259 over a window of bytes.
 *
 * States are in json_reader.h (enum jr_want).  One event a call:
 *
 *   WANT_VALUE --scalar--> WANT_NEXT --','--> WANT_VALUE | WANT_KEY --key ':'--> WANT_VALUE
 *       '{' -> WANT_FIRST_KEY    '[' -> WANT_FIRST    '}' ']' -> WANT_NEXT, or WANT_END at the top
 *
 * A string without escapes that lies whole in the window is lent in place; others are gathered in a
 * buffer.  The reader keeps no keys: duplicate keys are the tree's to find.  U+0000 in a string is
 * refused as PostgreSQL's jsonb does, because strings go on to C.  A byte order mark at the start
 * is skipped.  Columns count bytes.
 */
#include "base/json_reader.h"

#include "base/mem.h"

#include <string.h>

enum { WINDOW_BYTES = 64 * 1024, PEEK_END = -1, PEEK_FAILED = -2 };

void jr_init(struct jr *r, str text, size_t string_bytes_max)
{
    memset(r, 0, offsetof(struct jr, number));
    r->window = NULL;
    r->in = text.p;
    r->n = text.n;
    r->line = r->token_line = 1;
    r->depth_max = JSON_DEPTH_MAX;
    buf_init(&r->strings, string_bytes_max);
}

void jr_done(struct jr *r)
{
    buf_done(&r->strings);
    mem_free(r->window);
}

enum rc jr_new(struct jr **ret, size_t string_bytes_max, jr_fill_fn fill, void *ud, struct err *e)
{
    struct jr *r = mem_alloc(sizeof *r);
    char *window = mem_alloc(WINDOW_BYTES);

    if (!r || !window) {
        mem_free(r);
        mem_free(window);
        return err_set(e, RC_NOMEM, "out of memory for a JSON reader");
    }
    jr_init(r, (str){window, 0}, string_bytes_max);
    r->window = window;
    r->fill = fill;
    r->ud = ud;
    *ret = r;
    return RC_OK;
}

void jr_free(struct jr *r)
{
    if (!r)
        return;
    jr_done(r);
    mem_free(r);
}

static enum rc fault(struct jr *r, enum rc rc, struct err *e, const char *fmt, ...)
    printf_like(4, 5);
static enum rc fault(struct jr *r, enum rc rc, struct err *e, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    err_setv(e, rc, fmt, ap);
    va_end(ap);
    r->failed = rc;
    return err_wrap(e, rc, "line %d, column %llu", r->line,
                    (unsigned long long)(jr_offset(r) - r->line_start + 1));
}

/* Drops what is read of the window and reads on.  False at the end or on failure (r->failed). */
static bool refill(struct jr *r, struct err *e)
{
    enum rc rc;
    size_t n = 0;

    if (r->failed || r->eof || !r->fill) {
        r->eof = true;
        return false;
    }
    r->base += r->n;
    r->at = r->n = 0;
    rc = r->fill(r->ud, r->window, WINDOW_BYTES, &n, e);
    if (rc) {
        r->failed = rc;
        return false;
    }
    ASSERT(n <= WINDOW_BYTES);
    r->n = n;
    r->eof = n == 0;
    return n > 0;
}

static int peek(struct jr *r, struct err *e)
{
    if (r->at < r->n || refill(r, e))
        return (unsigned char)r->in[r->at];
    return r->failed ? PEEK_FAILED : PEEK_END;
}

/* The next byte that is no white space. */
static int peek_token(struct jr *r, struct err *e)
{
    int c;

    while ((c = peek(r, e)) >= 0) {
        if (c == '\n') {
            r->line++;
            r->line_start = jr_offset(r) + 1;
        } else if (c != ' ' && c != '\t' && c != '\r') {
            break;
        }
        r->at++;
    }
    return c;
}

static enum rc unexpected(struct jr *r, int c, const char *wanted, struct err *e)
{
    if (c == PEEK_FAILED)
        return r->failed;
    if (c == PEEK_END)
        return fault(r, RC_INVALID, e, "the JSON text ends where %s should be", wanted);
    if (c < 0x20 || c >= 0x7f)
        return fault(r, RC_INVALID, e, "found the byte 0x%02x where %s should be", (unsigned)c,
                     wanted);
    return fault(r, RC_INVALID, e, "found '%c' where %s should be", c, wanted);
}

/* ---- strings */

static enum rc read_hex4(struct jr *r, unsigned *ret, struct err *e)
{
    unsigned v = 0;

    for (int i = 0; i < 4; i++) {
        int c = peek(r, e);
        unsigned d;
        if (c >= '0' && c <= '9')
            d = (unsigned)(c - '0');
        else if ((c | 32) >= 'a' && (c | 32) <= 'f' && c > 0)
            d = (unsigned)((c | 32) - 'a' + 10);
        else
            return unexpected(r, c, "a hexadecimal digit of \\u", e);
        v = v << 4 | d;
        r->at++;
    }
    *ret = v;
    return RC_OK;
}

static void put_utf8(struct buf *b, unsigned c)
{
    if (c < 0x80) {
        buf_putc(b, (char)c);
    } else if (c < 0x800) {
        buf_putc(b, (char)(0xC0 | c >> 6));
        buf_putc(b, (char)(0x80 | (c & 63)));
    } else if (c < 0x10000) {
        buf_putc(b, (char)(0xE0 | c >> 12));
        buf_putc(b, (char)(0x80 | (c >> 6 & 63)));
        buf_putc(b, (char)(0x80 | (c & 63)));
    } else {
        buf_putc(b, (char)(0xF0 | c >> 18));
        buf_putc(b, (char)(0x80 | (c >> 12 & 63)));
        buf_putc(b, (char)(0x80 | (c >> 6 & 63)));
        buf_putc(b, (char)(0x80 | (c & 63)));
    }
}

/* After "\u": one character, from one escape or a surrogate pair. */
static enum rc read_unicode(struct jr *r, struct err *e)
{
    unsigned c, low;
    enum rc rc = read_hex4(r, &c, e);

    if (rc)
        return rc;
    if (c == 0)
        return fault(r, RC_INVALID, e, "\\u0000 is not supported in a string");
    if (c >= 0xDC00 && c <= 0xDFFF)
        return fault(r, RC_INVALID, e, "\\u%04x is a low surrogate without its high one", c);
    if (c >= 0xD800 && c <= 0xDBFF) {
        for (int i = 0; i < 2; i++) {
            int next = peek(r, e);
            if (next == PEEK_FAILED)
                return r->failed;
            if (next != "\\u"[i])
                return fault(r, RC_INVALID, e, "\\u%04x is a high surrogate without its low one",
                             c);
            r->at++;
        }
        rc = read_hex4(r, &low, e);
        if (rc)
            return rc;
        if (low < 0xDC00 || low > 0xDFFF)
            return fault(r, RC_INVALID, e, "\\u%04x is a high surrogate without its low one", c);
        c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
    }
    put_utf8(&r->strings, c);
    return RC_OK;
}

static enum rc read_escape(struct jr *r, struct err *e)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    int c = peek(r, e);
    const char *at = c > 0 ? strchr(from, c) : NULL;

    if (c == 'u') {
        r->at++;
        return read_unicode(r, e);
    }
    if (!at)
        return unexpected(r, c, "one of \"\\/bfnrtu after a backslash", e);
    buf_putc(&r->strings, to[at - from]);
    r->at++;
    return RC_OK;
}

/* Skips the plain bytes of a string in the window; returns how many. */
static size_t plain_run(const struct jr *r)
{
    size_t i = r->at;

    while (i < r->n && (unsigned char)r->in[i] >= 0x20 && r->in[i] != '"' && r->in[i] != '\\')
        i++;
    return i - r->at;
}

static enum rc string_end(struct jr *r, str s, struct err *e)
{
    if (s.n > r->strings.max_bytes)
        return fault(r, RC_TOO_LARGE, e, "a string is longer than the limit of %zu bytes",
                     r->strings.max_bytes);
    if (!str_utf8_ok(s))
        return fault(r, RC_INVALID, e, "the string that ends here is not valid UTF-8");
    r->text = s;
    r->at++; /* the quote */
    return RC_OK;
}

static enum rc read_string(struct jr *r, struct err *e)
{
    size_t run;

    r->at++;
    buf_clear(&r->strings);
    run = plain_run(r);
    if (r->at + run < r->n && r->in[r->at + run] == '"') { /* whole in the window: lent */
        str s = {r->in + r->at, run};
        r->at += run;
        return string_end(r, s, e);
    }
    for (;;) {
        enum rc rc = RC_OK;
        int c;
        run = plain_run(r);
        buf_add(&r->strings, r->in + r->at, run);
        r->at += run;
        if (r->strings.rc == RC_TOO_LARGE)
            return fault(r, RC_TOO_LARGE, e, "a string is longer than the limit of %zu bytes",
                         r->strings.max_bytes);
        if (r->strings.rc)
            return fault(r, r->strings.rc, e, "out of memory for a string");
        c = peek(r, e);
        if (c == '"')
            return string_end(r, buf_view(&r->strings), e);
        if (c == '\\') {
            r->at++;
            rc = read_escape(r, e);
        } else if (c < 0x20) {
            rc = unexpected(r, c, "the rest of a string (control characters are escaped)", e);
        }
        if (rc)
            return rc;
    }
}

/* ---- numbers and words */

static enum rc read_number(struct jr *r, enum jr_event *ret, struct err *e)
{
    enum { SIGN, ZERO, INT, POINT, FRACTION, EXP, EXP_SIGN, EXP_DIGITS } at = SIGN;
    size_t n = 0;
    bool integer = true, more = true;
    int c = 0;

    while (more && n < JSON_NUMBER_MAX) {
        bool digit;
        c = peek(r, e);
        if (c == PEEK_FAILED)
            return r->failed;
        digit = c >= '0' && c <= '9';
        if (at == SIGN && digit)
            at = c == '0' ? ZERO : INT;
        else if (at == SIGN && c == '-' && n == 0)
            at = SIGN;
        else if ((at == INT || at == FRACTION || at == EXP_DIGITS) && digit)
            ;
        else if ((at == POINT) && digit)
            at = FRACTION;
        else if ((at == EXP || at == EXP_SIGN) && digit)
            at = EXP_DIGITS;
        else if ((at == ZERO || at == INT) && c == '.')
            at = POINT;
        else if ((at == ZERO || at == INT || at == FRACTION) && (c == 'e' || c == 'E'))
            at = EXP;
        else if (at == EXP && (c == '+' || c == '-'))
            at = EXP_SIGN;
        else
            more = false;
        if (more) {
            r->number[n++] = (char)c;
            r->at++;
            integer = integer && at <= INT;
        }
    }
    if (more)
        return fault(r, RC_INVALID, e, "a number has more than %d characters", JSON_NUMBER_MAX);
    if (at != ZERO && at != INT && at != FRACTION && at != EXP_DIGITS)
        return unexpected(r, c, "a digit", e);
    if (at == ZERO && c >= '0' && c <= '9')
        return fault(r, RC_INVALID, e, "a number may not start with a zero before other digits");
    *ret = JR_INT;
    if (integer && str_i64((str){r->number, n}, &r->i)) {
        r->f = (double)r->i;
        return RC_OK;
    }
    *ret = JR_NUM;
    if (!str_f64((str){r->number, n}, &r->f))
        return fault(r, RC_INVALID, e, "a number is too large for a double (1.8e308)");
    return RC_OK;
}

static enum rc read_word(struct jr *r, const char *word, struct err *e)
{
    for (const char *w = word; *w; w++) {
        int c = peek(r, e);
        if (c != *w)
            return unexpected(r, c, "a value (null, true, false, a number, a string, a list)", e);
        r->at++;
    }
    return RC_OK;
}

/* ---- events */

static enum rc list_open(struct jr *r, bool obj, enum jr_event *ret, struct err *e)
{
    if (r->depth >= r->depth_max)
        return fault(r, RC_INVALID, e, "lists are nested deeper than %zu levels", r->depth_max);
    r->is_obj[r->depth++] = obj;
    r->at++;
    r->want = obj ? JR_WANT_FIRST_KEY : JR_WANT_FIRST;
    *ret = obj ? JR_OBJ : JR_ARR;
    return RC_OK;
}

static void list_close(struct jr *r, enum jr_event *ret)
{
    r->depth--;
    *ret = r->is_obj[r->depth] ? JR_OBJ_END : JR_ARR_END;
    r->at++;
    r->want = r->depth ? JR_WANT_NEXT : JR_WANT_END;
}

static enum rc read_value(struct jr *r, int c, enum jr_event *ret, struct err *e)
{
    enum jr_event event = JR_NULL;
    enum rc rc;

    if (c == '{' || c == '[')
        return list_open(r, c == '{', ret, e);
    if (c == '"') {
        event = JR_STR;
        rc = read_string(r, e);
    } else if (c == '-' || (c >= '0' && c <= '9')) {
        rc = read_number(r, &event, e);
    } else if (c == 't' || c == 'f') {
        event = JR_BOOL;
        r->b = c == 't';
        rc = read_word(r, r->b ? "true" : "false", e);
    } else {
        rc = read_word(r, "null", e);
    }
    if (rc)
        return rc;
    *ret = event;
    r->want = r->depth ? JR_WANT_NEXT : JR_WANT_END;
    return RC_OK;
}

static enum rc read_key(struct jr *r, int c, enum jr_event *ret, struct err *e)
{
    enum rc rc;
    str text;

    if (c != '"')
        return unexpected(r, c, r->want == JR_WANT_KEY ? "a key in quotes" : "a key or '}'", e);
    rc = read_string(r, e);
    if (rc)
        return rc;
    text = r->text;
    if (r->at < r->n && r->in[r->at] == ':') {
        r->at++;
    } else {
        /* The colon may lie in the next window: the key must not lie in this one. */
        if (r->fill && text.p != r->strings.p) {
            buf_str(&r->strings, text);
            if (r->strings.rc)
                return fault(r, r->strings.rc, e, "out of memory for a key");
            r->text = buf_view(&r->strings);
        }
        c = peek_token(r, e);
        if (c != ':')
            return unexpected(r, c, "':'", e);
        r->at++;
    }
    r->want = JR_WANT_VALUE;
    *ret = JR_KEY;
    return RC_OK;
}

static void skip_bom(struct jr *r, struct err *e)
{
    if (jr_offset(r) == 0 && peek(r, e) == 0xEF && r->n - r->at >= 3 &&
        !memcmp(r->in + r->at, "\xEF\xBB\xBF", 3))
        r->at += 3;
}

enum rc jr_next(struct jr *r, enum jr_event *ret, struct err *e)
{
    int c;

    if (r->failed)
        return err_set(e, r->failed, "the JSON reader has failed before");
    skip_bom(r, e);
    c = peek_token(r, e);
    if (r->want == JR_WANT_NEXT && c == ',') {
        r->at++;
        r->want = r->is_obj[r->depth - 1] ? JR_WANT_KEY : JR_WANT_VALUE;
        c = peek_token(r, e);
    }
    r->token_at = jr_offset(r);
    r->token_line = r->line;
    if (c == PEEK_FAILED)
        return r->failed;
    switch (r->want) {
    case JR_WANT_END:
        if (c != PEEK_END)
            return unexpected(r, c, "the end of the JSON text", e);
        *ret = JR_END;
        return RC_OK;
    case JR_WANT_NEXT:
        if (c != (r->is_obj[r->depth - 1] ? '}' : ']'))
            return unexpected(r, c, r->is_obj[r->depth - 1] ? "',' or '}'" : "',' or ']'", e);
        list_close(r, ret);
        return RC_OK;
    case JR_WANT_FIRST:
    case JR_WANT_FIRST_KEY:
        if (c == (r->want == JR_WANT_FIRST ? ']' : '}')) {
            list_close(r, ret);
            return RC_OK;
        }
        return r->want == JR_WANT_FIRST ? read_value(r, c, ret, e) : read_key(r, c, ret, e);
    case JR_WANT_KEY:
        return read_key(r, c, ret, e);
    default:
        return read_value(r, c, ret, e);
    }
}

enum rc jr_skip(struct jr *r, struct err *e)
{
    size_t depth = r->depth;
    enum jr_event event;
    enum rc rc;

    do {
        rc = jr_next(r, &event, e);
        if (rc)
            return rc;
        if (r->depth < depth || event == JR_END)
            return fault(r, RC_INVALID, e, "there is no value to skip");
    } while (r->depth > depth);
    return RC_OK;
}

str jr_text(const struct jr *r)
{
    return r->text;
}

int64_t jr_int(const struct jr *r)
{
    return r->i;
}

double jr_num(const struct jr *r)
{
    return r->f;
}

bool jr_bool(const struct jr *r)
{
    return r->b;
}

int jr_line(const struct jr *r)
{
    return r->token_line;
}
