/* list.c - ListObjectsV2, and the first version for old clients. */
#include "s3/xml.h"
#include "store/page.h"

struct objects {
    struct page g; /* first */
    bool owner;
};

static enum rc put_object(struct objects *l, str key, const struct object *o, struct err *e)
{
    struct page *g = &l->g;
    struct buf *b = &g->out;

    buf_add(b, "<Contents>", 10);
    page_name(g, b, "Key", key);
    buf_add(b, "<LastModified>", 14);
    page_time(g, b, o->modified_ms);
    buf_puts(b, "</LastModified><ETag>\"");
    buf_puts(b, o->etag);
    buf_puts(b, "\"</ETag><Size>");
    page_u64(b, o->bytes);
    buf_puts(b, "</Size>");
    if (l->owner)
        xml_owner(b, "Owner");
    if (o->sum.kind != CHECKSUM_NONE) {
        buf_puts(b, "<ChecksumAlgorithm>");
        buf_puts(b, checksum_name(o->sum.kind));
        buf_puts(b, o->sum.composite
                        ? "</ChecksumAlgorithm><ChecksumType>COMPOSITE</ChecksumType>"
                        : "</ChecksumAlgorithm><ChecksumType>FULL_OBJECT</ChecksumType>");
    }
    buf_puts(b, "<StorageClass>STANDARD</StorageClass></Contents>");
    return buf_ok(b, e);
}

static enum rc each_object(void *ud, str key, const struct object *o, bool *stop, struct err *e)
{
    struct objects *l = ud;
    bool put;
    enum rc rc = page_take(&l->g, key, 0, &put, stop, e);

    return rc || !put ? rc : put_object(l, key, o, e);
}

static enum rc walk_objects(struct page *g, struct tx *tx, int64_t bucket, size_t max)
{
    return index_list(tx, bucket, g->from, g->to, max, each_object, g, &g->c->err);
}

static enum s3_code set_start(struct page *g, bool v2)
{
    str token = v2 ? call_query(g->c, "continuation-token") : STR_NONE;
    str delimiter = g->delimiter;
    enum s3_code code;

    if (token.p) {
        code = page_token(g->c, token, &g->from);
        if (!code && str_cmp(g->from, g->prefix) < 0)
            g->from = g->prefix;
        return code;
    }
    if (v2) /* start-after is a key, whatever it ends in */
        g->delimiter = STR_NONE;
    code = page_after(g, call_query(g->c, v2 ? "start-after" : "marker"));
    g->delimiter = delimiter;
    return code;
}

static void put_v2(struct page *g, struct buf *b)
{
    struct call *c = g->c;

    xml_u64(b, "KeyCount", g->count);
    if (call_query(c, "continuation-token").p)
        xml_text(b, "ContinuationToken", call_query(c, "continuation-token"));
    if (call_query(c, "start-after").n)
        page_name(g, b, "StartAfter", call_query(c, "start-after"));
    if (g->truncated)
        page_put_token(b, "NextContinuationToken", g->next);
}

enum s3_code op_list_objects(struct call *c)
{
    bool v2 = str_is(call_query(c, "list-type"), "2");
    struct objects l;
    struct buf head;
    enum s3_code code = page_begin(&l.g, c, "max-keys");

    l.owner = !v2 || str_is(call_query(c, "fetch-owner"), "true");
    if (!code)
        code = set_start(&l.g, v2);
    if (!code)
        code = page_run(&l.g, walk_objects);
    if (!code) {
        page_head(&l.g, &head, "ListBucketResult", "MaxKeys");
        if (v2)
            put_v2(&l.g, &head);
        else
            page_name(&l.g, &head, "Marker", call_query(c, "marker"));
        if (!v2 && l.g.truncated)
            page_name(&l.g, &head, "NextMarker", l.g.last);
        page_reply(&l.g, &head, "ListBucketResult");
    }
    page_done(&l.g);
    return code;
}
