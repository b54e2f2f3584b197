/* list.c - ListObjectsV2, and the first version for old clients.
 *
 * A page is one walk over the index in key order.  When a key falls under a common prefix, the walk
 * is ended and begun anew behind all keys of that prefix, so that a "folder" of a million objects
 * costs one look-up.  The continuation token is the first key not returned, in hex: it stays valid
 * whatever is written or deleted in between. */
#include "s3/xml.h"
#include "store/store_int.h"

enum { LIST_BYTES_MAX = 16 << 20 };

struct page {
    struct call *c;
    struct buf *out;
    str prefix, delimiter;
    uint64_t max, count;
    bool url, truncated, again; /* again: a common prefix ended the walk */
    str from, next;             /* bounds, in the arena */
    str last;                   /* last key or prefix returned */
};

static void put_name(struct page *g, const char *tag, str s)
{
    buf_printf(g->out, "<%s>", tag);
    if (g->url)
        sigv4_encode(g->out, s, true);
    else
        xml_escape(g->out, s);
    buf_printf(g->out, "</%s>", tag);
}

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

static enum rc put_entry(struct page *g, str key, const struct object *o, struct err *e)
{
    buf_puts(g->out, "<Contents>");
    put_name(g, "Key", key);
    xml_time(g->out, "LastModified", o->modified_ms);
    xml_etag(g->out, str_of(o->etag));
    xml_u64(g->out, "Size", o->bytes);
    buf_puts(g->out, "<StorageClass>STANDARD</StorageClass></Contents>");
    return buf_ok(g->out, e);
}

static enum rc each_key(void *ud, str key, const struct object *o, bool *stop, struct err *e)
{
    struct page *g = ud;
    struct arena *a = g->c->a;
    str rest = str_sub(key, g->prefix.n, key.n), common = STR_NONE;
    ptrdiff_t at = g->delimiter.n ? str_find(rest, g->delimiter) : -1;

    if (g->count == g->max) {
        g->truncated = *stop = true;
        g->next = arena_str(a, key);
        return g->next.p ? RC_OK : err_set(e, RC_NOMEM, "out of memory");
    }
    g->count++;
    if (at < 0) {
        if (g->count == g->max) {
            g->last = arena_str(a, key);
            if (!g->last.p)
                return err_set(e, RC_NOMEM, "out of memory");
        }
        return put_entry(g, key, o, e);
    }
    common = arena_str(a, str_sub(key, 0, g->prefix.n + (size_t)at + g->delimiter.n));
    g->from = common.p ? successor(a, common) : STR_NONE;
    if (!g->from.p)
        return err_set(e, RC_NOMEM, "out of memory");
    g->last = common;
    g->again = *stop = true;
    buf_puts(g->out, "<CommonPrefixes>");
    put_name(g, "Prefix", common);
    buf_puts(g->out, "</CommonPrefixes>");
    return buf_ok(g->out, e);
}

static enum s3_code walk(struct page *g)
{
    struct call *c = g->c;
    struct tx *tx;
    int64_t bucket;
    str to = g->prefix.n ? successor(c->a, g->prefix) : STR("\xff");
    enum s3_code code = call_begin_read(c, &tx, &bucket);
    enum rc rc = RC_OK;

    if (code)
        return code;
    if (!to.p)
        rc = err_set(&c->err, RC_NOMEM, "out of memory");
    do {
        g->again = false;
        if (!rc && g->max)
            rc = index_list(tx, bucket, g->from, to, (size_t)(g->max - g->count) + 1, each_key, g,
                            &c->err);
    } while (!rc && g->again);
    tx_rollback(tx);
    return rc ? s3_code_of(c, rc) : S3_OK;
}

/* ---- where to begin */

static str concat(struct arena *a, str s, char c)
{
    char *p = arena_alloc(a, s.n + 1);

    if (!p)
        return STR_NONE;
    memcpy(p, s.n ? s.p : "", s.n);
    p[s.n] = c;
    return (str){p, s.n + 1};
}

static enum s3_code token_start(struct page *g, str token)
{
    uint8_t *p;

    if (token.n > 2 * STORE_KEY_BYTES_MAX || token.n % 2) {
        err_set(&g->c->err, RC_INVALID, "the continuation token is not one of ours");
        return S3_BAD_ARGUMENT;
    }
    p = arena_alloc(g->c->a, token.n / 2 + 1);
    if (!p)
        return S3_INTERNAL;
    if (!hex_to(token, p)) {
        err_set(&g->c->err, RC_INVALID, "the continuation token is not one of ours");
        return S3_BAD_ARGUMENT;
    }
    g->from = (str){(char *)p, token.n / 2};
    return S3_OK;
}

static enum s3_code set_start(struct page *g, bool v2)
{
    str token = v2 ? call_query(g->c, "continuation-token") : STR_NONE;
    str after = call_query(g->c, v2 ? "start-after" : "marker");

    g->from = g->prefix.p ? g->prefix : STR("");
    if (token.p) {
        enum s3_code code = token_start(g, token);
        if (code)
            return code;
    } else if (after.n) {
        /* A marker that is a common prefix stands for all keys under it. */
        bool whole = !v2 && g->delimiter.n && str_ends(after, g->delimiter);
        g->from = whole ? successor(g->c->a, after) : concat(g->c->a, after, 0);
        if (!g->from.p)
            return S3_INTERNAL;
    }
    if (str_cmp(g->from, g->prefix) < 0)
        g->from = g->prefix;
    return S3_OK;
}

static void put_head(struct page *g, bool v2)
{
    struct call *c = g->c;

    xml_begin(g->out, "ListBucketResult");
    xml_text(g->out, "Name", c->bucket);
    put_name(g, "Prefix", g->prefix);
    if (g->delimiter.n)
        put_name(g, "Delimiter", g->delimiter);
    xml_u64(g->out, "MaxKeys", g->max);
    if (g->url)
        buf_puts(g->out, "<EncodingType>url</EncodingType>");
    if (v2 && call_query(c, "continuation-token").p)
        xml_text(g->out, "ContinuationToken", call_query(c, "continuation-token"));
    if (v2 && call_query(c, "start-after").n)
        put_name(g, "StartAfter", call_query(c, "start-after"));
    if (!v2)
        put_name(g, "Marker", call_query(c, "marker"));
}

static void put_tail(struct page *g, bool v2)
{
    if (v2)
        xml_u64(g->out, "KeyCount", g->count);
    buf_printf(g->out, "<IsTruncated>%s</IsTruncated>", g->truncated ? "true" : "false");
    if (g->truncated && v2) {
        buf_puts(g->out, "<NextContinuationToken>");
        buf_hex(g->out, g->next.p, g->next.n);
        buf_puts(g->out, "</NextContinuationToken>");
    } else if (g->truncated) {
        put_name(g, "NextMarker", g->last);
    }
    buf_puts(g->out, "</ListBucketResult>");
}

enum s3_code op_list_objects(struct call *c)
{
    bool v2 = str_is(call_query(c, "list-type"), "2");
    str max = call_query(c, "max-keys"), encoding = call_query(c, "encoding-type");
    struct buf out;
    struct page g = {.c = c,
                     .out = &out,
                     .prefix = call_query(c, "prefix"),
                     .delimiter = call_query(c, "delimiter"),
                     .max = STORE_LIST_KEYS_MAX,
                     .url = str_is(encoding, "url")};
    enum s3_code code;

    if (max.n && !str_u64(max, &g.max)) {
        err_set(&c->err, RC_INVALID, "max-keys is not a number");
        return S3_BAD_ARGUMENT;
    }
    if (encoding.n && !g.url) {
        err_set(&c->err, RC_INVALID, "the only encoding-type is 'url'");
        return S3_BAD_ARGUMENT;
    }
    if (g.max > STORE_LIST_KEYS_MAX)
        g.max = STORE_LIST_KEYS_MAX;
    code = set_start(&g, v2);
    if (code)
        return code;
    buf_init(&out, LIST_BYTES_MAX);
    put_head(&g, v2);
    code = walk(&g);
    if (code) {
        buf_done(&out);
        return code;
    }
    put_tail(&g, v2);
    reply_xml(c, &out);
    return S3_OK;
}
