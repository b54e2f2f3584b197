/* page.c - see page.h. */
#include "store/page.h"

#include "s3/xml.h"

enum { PAGE_BYTES_MAX = 16 << 20 };

enum s3_code page_begin(struct page *g, struct call *c, const char *max_name)
{
    str encoding = call_query(c, "encoding-type");

    *g = (struct page){.c = c,
                       .prefix = call_query(c, "prefix"),
                       .delimiter = call_query(c, "delimiter"),
                       .max = STORE_LIST_KEYS_MAX,
                       .url = str_is(encoding, "url"),
                       .day = INT64_MIN};
    buf_init(&g->out, PAGE_BYTES_MAX);
    buf_init(&g->prefixes, PAGE_BYTES_MAX);
    if (!g->prefix.p)
        g->prefix = STR("");
    g->from = g->prefix;
    if (encoding.n && !g->url) {
        err_set(&c->err, RC_INVALID, "the only encoding-type is 'url'");
        return S3_BAD_ARGUMENT;
    }
    return call_number(c, max_name, STORE_LIST_KEYS_MAX, &g->max);
}

void page_done(struct page *g)
{
    buf_done(&g->out);
    buf_done(&g->prefixes);
}

/* ---- where to begin and to go on */

/* The least text that is greater than every text beginning with s.  No byte of UTF-8 is 0xff. */
static str successor(struct arena *a, str s)
{
    char *p = arena_alloc(a, s.n + 1);

    if (!p)
        return STR_NONE;
    memcpy(p, s.p, s.n);
    if (s.n)
        p[s.n - 1]++;
    return (str){p, s.n};
}

/* The least text that is greater than s: s and a zero byte, which arena_cstr puts there. */
static str next_text(struct arena *a, str s)
{
    const char *p = arena_cstr(a, s);

    return p ? (str){p, s.n + 1} : STR_NONE;
}

enum s3_code page_after(struct page *g, str marker)
{
    str rest = str_starts(marker, g->prefix) ? str_sub(marker, g->prefix.n, marker.n) : STR_NONE;
    ptrdiff_t at = g->delimiter.n ? str_find(rest, g->delimiter) : -1;
    bool whole = at >= 0 && (size_t)at + g->delimiter.n == rest.n;

    if (!marker.n)
        return S3_OK;
    g->from = whole ? successor(g->c->a, marker) : next_text(g->c->a, marker);
    if (!g->from.p)
        return S3_INTERNAL;
    if (str_cmp(g->from, g->prefix) < 0)
        g->from = g->prefix;
    return S3_OK;
}

enum s3_code page_token(struct call *c, str token, str *ret)
{
    uint8_t *p = token.n > 2 * STORE_KEY_BYTES_MAX || token.n % 2
                     ? NULL
                     : arena_alloc(c->a, token.n / 2 + 1);

    if (!p || !hex_to(token, p)) {
        err_set(&c->err, RC_INVALID, "the continuation token is not one of ours");
        return S3_BAD_ARGUMENT;
    }
    *ret = (str){(char *)p, token.n / 2};
    return S3_OK;
}

void page_put_token(struct buf *b, const char *tag, str next)
{
    buf_printf(b, "<%s>", tag);
    buf_hex(b, next.p, next.n);
    buf_printf(b, "</%s>", tag);
}

static enum rc no_memory(struct err *e)
{
    return err_set(e, RC_NOMEM, "out of memory");
}

enum rc page_take(struct page *g, str key, int64_t tie, bool *ret_put, bool *stop, struct err *e)
{
    struct arena *a = g->c->a;
    str rest = str_sub(key, g->prefix.n, key.n), common;
    ptrdiff_t at = g->delimiter.n ? str_find(rest, g->delimiter) : -1;

    *ret_put = false;
    if (g->count == g->max) {
        g->truncated = *stop = true;
        g->next = arena_str(a, key);
        return g->next.p ? RC_OK : no_memory(e);
    }
    g->count++;
    if (at < 0) {
        *ret_put = true;
        if (g->count == g->max) {
            g->last = arena_str(a, key);
            g->last_tie = tie;
            g->last_common = false;
        }
        return g->count < g->max || g->last.p ? RC_OK : no_memory(e);
    }
    common = arena_str(a, str_sub(key, 0, g->prefix.n + (size_t)at + g->delimiter.n));
    g->from = common.p ? successor(a, common) : STR_NONE;
    if (!g->from.p)
        return no_memory(e);
    g->tie = g->last_tie = 0;
    g->last = common;
    g->last_common = true;
    g->again = *stop = true;
    buf_puts(&g->prefixes, "<CommonPrefixes>");
    page_name(g, &g->prefixes, "Prefix", common);
    buf_puts(&g->prefixes, "</CommonPrefixes>");
    return buf_ok(&g->prefixes, e);
}

enum s3_code page_run(struct page *g, page_walk_fn walk)
{
    struct call *c = g->c;
    struct tx *tx;
    struct bucket b;
    enum s3_code code;
    enum rc rc = RC_OK;

    g->to = g->prefix.n ? successor(c->a, g->prefix) : STR("\xff");
    if (!g->to.p)
        return S3_INTERNAL;
    code = call_begin_read(c, &tx, &b);
    if (code)
        return code;
    do {
        g->again = false;
        if (g->max)
            rc = walk(g, tx, b.id, (size_t)(g->max - g->count) + 1);
    } while (!rc && g->again);
    tx_rollback(tx);
    return rc ? s3_code_of(c, rc) : S3_OK;
}

/* ---- writing */

void page_name(const struct page *g, struct buf *b, const char *tag, str s)
{
    buf_putc(b, '<');
    buf_puts(b, tag);
    buf_putc(b, '>');
    if (g->url)
        sigv4_encode(b, s, true);
    else
        xml_escape(b, s);
    buf_add(b, "</", 2);
    buf_puts(b, tag);
    buf_putc(b, '>');
}

void page_u64(struct buf *b, uint64_t v)
{
    char digits[20];
    size_t n = sizeof digits;

    do
        digits[--n] = (char)('0' + v % 10);
    while (v /= 10);
    buf_add(b, digits + n, sizeof digits - n);
}

static void put_digits(char *p, int64_t v, size_t n)
{
    while (n--) {
        p[n] = (char)('0' + v % 10);
        v /= 10;
    }
}

void page_time(struct page *g, struct buf *b, int64_t unix_ms)
{
    enum { DAY_MS = 86400 * 1000 };
    int64_t day = unix_ms / DAY_MS, ms = unix_ms % DAY_MS;
    char text[OS_TIME_TEXT];

    if (unix_ms < 0 || day != g->day) {
        os_time_text(unix_ms, text);
        buf_puts(b, text);
        g->day = unix_ms < 0 ? INT64_MIN : day;
        memcpy(g->date, text, 11); /* with the 'T' */
        return;
    }
    memcpy(text, g->date, 11);
    memcpy(text + 11, "00:00:00.000Z", 13);
    put_digits(text + 11, ms / 3600000, 2);
    put_digits(text + 14, ms / 60000 % 60, 2);
    put_digits(text + 17, ms / 1000 % 60, 2);
    put_digits(text + 20, ms % 1000, 3);
    buf_add(b, text, 24);
}

void page_head(struct page *g, struct buf *head, const char *root, const char *max_tag)
{
    buf_init(head, PAGE_BYTES_MAX);
    xml_begin(head, root);
    xml_text(head, str_is(STR("ListMultipartUploadsResult"), root) ? "Bucket" : "Name",
             g->c->bucket);
    page_name(g, head, "Prefix", g->prefix);
    if (g->delimiter.n)
        page_name(g, head, "Delimiter", g->delimiter);
    xml_u64(head, max_tag, g->max);
    if (g->url)
        buf_puts(head, "<EncodingType>url</EncodingType>");
    buf_printf(head, "<IsTruncated>%s</IsTruncated>", g->truncated ? "true" : "false");
}

void page_reply(struct page *g, struct buf *head, const char *root)
{
    str entries = buf_view(&g->out), prefixes = buf_view(&g->prefixes);

    buf_str(head, entries);
    buf_str(head, prefixes);
    buf_printf(head, "</%s>", root);
    if (g->out.rc)
        head->rc = g->out.rc;
    reply_xml(g->c, head);
}
