/* list.c - ListObjectsV2, page by page.  Keys are asked for URL-encoded, because XML cannot carry
 * every byte that a key may hold. */
#include "s3/client_int.h"

#include "base/mem.h"
#include "s3/xml.h"

enum { LIST_REPLY_BYTES_MAX = 8 << 20, TOKEN_BYTES_MAX = 2048, PAGE_ARENA_MAX = 16 << 20 };

struct page {
    struct arena arena; /* decoded keys of this page */
    bool truncated;
    char token[TOKEN_BYTES_MAX + 1];
    s3_list_fn each;
    void *ud;
};

static enum rc read_contents(struct xml *x, struct page *g, struct err *e)
{
    enum xml_event ev;
    str key = STR_NONE, s;
    uint64_t bytes = 0;
    bool sized = false;
    enum rc rc = RC_OK;

    while (!(rc = xml_next(x, &ev, e)) && ev != XML_CLOSE) {
        if (ev != XML_OPEN)
            continue;
        if (str_is(x->name, "Key")) {
            rc = xml_leaf(x, &s, e);
            if (!rc)
                rc = sigv4_decode(&g->arena, s, true, &key, e);
        } else if (str_is(x->name, "Size")) {
            rc = xml_leaf(x, &s, e);
            sized = !rc && str_u64(str_trim(s), &bytes);
        } else {
            rc = xml_skip(x, e);
        }
        if (rc)
            return rc;
    }
    if (!rc && (!key.n || !sized))
        rc = err_set(e, RC_UPSTREAM, "an entry without a key or a size");
    return rc ? rc : g->each(g->ud, key, bytes, e);
}

static enum rc read_page(struct page *g, str body, struct err *e)
{
    struct xml x;
    enum xml_event ev;
    enum rc rc;
    str s;

    xml_init(&x, body);
    rc = xml_next(&x, &ev, e);
    if (!rc && !str_is(x.name, "ListBucketResult"))
        rc = err_set(e, RC_UPSTREAM, "not a ListBucketResult");
    while (!rc && !(rc = xml_next(&x, &ev, e)) && ev != XML_END) {
        if (ev != XML_OPEN)
            continue;
        if (str_is(x.name, "Contents")) {
            rc = read_contents(&x, g, e);
        } else if (str_is(x.name, "IsTruncated")) {
            rc = xml_leaf(&x, &s, e);
            g->truncated = !rc && str_is(s, "true");
        } else if (str_is(x.name, "NextContinuationToken")) {
            rc = xml_leaf(&x, &s, e);
            if (!rc && s.n > TOKEN_BYTES_MAX)
                rc = err_set(e, RC_UPSTREAM, "a continuation token of %zu bytes", s.n);
            if (!rc)
                snprintf(g->token, sizeof g->token, "%.*s", STR_F(s));
        } else {
            rc = xml_skip(&x, e);
        }
    }
    xml_done(&x);
    return rc;
}

static enum rc list_page(struct s3 *s, const char *prefix, struct page *g, struct err *e)
{
    struct buf query, reply;
    struct transfer t = {.method = HTTP_GET, .out = &reply, .timeout_ms = -1};
    struct client_reply r;
    enum rc rc;

    buf_init(&query, S3_URL_BYTES_MAX);
    buf_init(&reply, LIST_REPLY_BYTES_MAX);
    buf_puts(&query, "list-type=2&encoding-type=url&prefix=");
    sigv4_encode(&query, str_of(prefix), false);
    if (g->token[0]) {
        buf_puts(&query, "&continuation-token=");
        sigv4_encode(&query, str_of(g->token), false);
    }
    g->token[0] = 0;
    g->truncated = false;
    rc = buf_ok(&query, e);
    if (!rc)
        rc = s3_do(s, &t, NULL, query.p, &r, e);
    if (!rc)
        rc = read_page(g, buf_view(&reply), e);
    if (!rc && g->truncated && !g->token[0])
        rc = err_set(e, RC_UPSTREAM, "a truncated list without a continuation token");
    buf_done(&query);
    buf_done(&reply);
    return rc;
}

enum rc s3_list(struct s3 *s, const char *prefix, s3_list_fn each, void *ud, struct err *e)
{
    struct page *g = mem_zalloc(sizeof *g);
    enum rc rc;

    if (!g)
        return err_set(e, RC_NOMEM, "out of memory");
    arena_init(&g->arena, PAGE_ARENA_MAX);
    g->each = each;
    g->ud = ud;
    do {
        arena_reset(&g->arena);
        rc = list_page(s, prefix, g, e);
    } while (!rc && g->truncated);
    arena_done(&g->arena);
    mem_free(g);
    return rc ? err_wrap(e, rc, "listing '%s'", prefix ? prefix : "") : RC_OK;
}
