/* get.c - GET and HEAD of an object, and GetObjectAttributes: conditions, ranges, parts, headers.
 * The bytes are read.c's. */
#include "s3/xml.h"
#include "store/names.h"
#include "store/store_int.h"

static enum s3_code not_modified(struct call *c, const struct object *o)
{
    const char *type;

    headers_give(c, o, &type);
    http_reply(c->r, 304, NULL, STR(""));
    return S3_OK;
}

static enum s3_code outside(struct call *c, const struct object *o)
{
    char range[64];

    snprintf(range, sizeof range, "bytes */%llu", (unsigned long long)o->bytes);
    http_add_header(c->r, "Content-Range", range);
    return S3_BAD_RANGE;
}

/* ?partNumber=N: the part as if it were a range, with its own checksum. */
static enum s3_code part_range(struct call *c, struct read *g, uint64_t *at, uint64_t *n,
                               enum range_kind *ret)
{
    uint64_t number = 0;
    char count[24];
    bool composite;
    enum s3_code code = call_number(c, "partNumber", STORE_PART_NUMBER_MAX, &number);

    if (code || !call_query(c, "partNumber").p)
        return code;
    if (!number || number > (g->o.kind == DATA_PIECES ? g->bytes.part_n : 1))
        return S3_BAD_PART_NUMBER;
    *ret = RANGE_PART;
    if (g->o.kind != DATA_PIECES) {
        *ret = g->o.bytes ? RANGE_PART : RANGE_NONE;
        return S3_OK;
    }
    composite = g->o.sum.composite;
    sum_read(g->bytes.parts[number - 1].part_sum, &g->o.sum);
    g->o.sum.composite = composite; /* the type is the object's */
    for (size_t i = 0; i + 1 < number; i++)
        *at += g->bytes.parts[i].bytes;
    *n = g->bytes.parts[number - 1].bytes;
    if (!*n) /* there is no range of no bytes */
        *ret = RANGE_NONE;
    snprintf(count, sizeof count, "%zu", g->bytes.part_n);
    http_add_header(c->r, "x-amz-mp-parts-count", count);
    return S3_OK;
}

static enum s3_code pick_range(struct call *c, struct read *g, uint64_t *at, uint64_t *n,
                               enum range_kind *ret)
{
    str range = http_header(c->r, "range"), if_range = http_header(c->r, "if-range");
    enum s3_code code = part_range(c, g, at, n, ret);

    if (code)
        return code;
    if (range.p && call_query(c, "partNumber").p) {
        err_set(&c->err, RC_INVALID, "Range and partNumber exclude each other");
        return S3_BAD_REQUEST;
    }
    if (range.p && (!if_range.p || etag_listed(if_range, str_of(g->o.etag))))
        *ret = range_parse(range, g->o.bytes, at, n);
    return *ret == RANGE_OUTSIDE ? outside(c, &g->o) : S3_OK;
}

static enum s3_code answer(struct call *c, struct read *g)
{
    uint64_t at = 0, n = g->o.bytes;
    enum range_kind kind = RANGE_NONE;
    const char *type = NULL;
    bool same;
    enum s3_code code = headers_conditions(c, &g->o, &same);

    if (code)
        return code;
    if (same)
        return not_modified(c, &g->o);
    code = pick_range(c, g, &at, &n, &kind);
    if (code)
        return code;
    headers_give(c, &g->o, &type);
    if (kind == RANGE_PART) {
        char text[96];
        snprintf(text, sizeof text, "bytes %llu-%llu/%llu", (unsigned long long)at,
                 (unsigned long long)(at + n - 1), (unsigned long long)g->o.bytes);
        http_add_header(c->r, "Content-Range", text);
    }
    if ((n == g->o.bytes || call_query(c, "partNumber").p) &&
        str_ieq(call_header(c, "x-amz-checksum-mode"), STR("ENABLED")))
        headers_sum(c, &g->o.sum);
    return read_send(c, g, kind == RANGE_PART ? 206 : 200, type, at, n);
}

/* A version that is a delete marker: there is nothing to read, and only one thing to do with it. */
static enum s3_code marker(struct call *c, const struct object *o)
{
    http_add_header(c->r, "x-amz-delete-marker", "true");
    http_add_header(c->r, "Allow", "DELETE");
    headers_version(c, o);
    return S3_METHOD_NOT_ALLOWED;
}

enum s3_code op_get(struct call *c)
{
    struct read_of of = {.bucket = c->bucket,
                         .key = c->key,
                         .v = c->has_version ? &c->version : NULL,
                         .bytes = http_method_of(c->r) == HTTP_GET ||
                                  call_query(c, "partNumber").p != NULL};
    struct read g;
    enum s3_code code = read_open(c, &of, &g);

    if (!code)
        code = g.o.marker ? marker(c, &g.o) : answer(c, &g);
    read_done(&g);
    return code;
}

/* ---- GetObjectAttributes */

static bool wants(str list, const char *name)
{
    str one;

    while (str_next(&list, ',', &one))
        if (str_is(str_trim(one), name))
            return true;
    return false;
}

static void put_sum(struct buf *b, const struct sum *s)
{
    if (s->kind == CHECKSUM_NONE)
        return;
    buf_puts(b, "<Checksum>");
    xml_text(b, checksum_element(s->kind), str_of(s->text));
    xml_text(b, "ChecksumType", s->composite ? STR("COMPOSITE") : STR("FULL_OBJECT"));
    buf_puts(b, "</Checksum>");
}

static enum s3_code put_parts(struct call *c, struct buf *b, const struct read *g)
{
    str max_text = call_header(c, "x-amz-max-parts");
    str after_text = call_header(c, "x-amz-part-number-marker");
    uint64_t max = STORE_LIST_KEYS_MAX, after = 0, i;

    if ((max_text.n && !str_u64(max_text, &max)) || (after_text.n && !str_u64(after_text, &after)))
        return S3_BAD_ARGUMENT;
    if (max > STORE_LIST_KEYS_MAX)
        max = STORE_LIST_KEYS_MAX;
    if (g->o.kind != DATA_PIECES)
        return S3_OK;
    buf_puts(b, "<ObjectParts>");
    xml_u64(b, "PartsCount", g->bytes.part_n);
    xml_u64(b, "PartNumberMarker", after);
    xml_u64(b, "MaxParts", max);
    for (i = after; i < g->bytes.part_n && i - after < max; i++)
        if (g->o.sum.composite) { /* as S3: single parts are told where each has a checksum */
            struct sum s;
            sum_read(g->bytes.parts[i].part_sum, &s);
            buf_puts(b, "<Part>");
            xml_u64(b, "PartNumber", i + 1);
            xml_u64(b, "Size", g->bytes.parts[i].bytes);
            if (s.kind != CHECKSUM_NONE)
                xml_text(b, checksum_element(s.kind), str_of(s.text));
            buf_puts(b, "</Part>");
        }
    if (i < g->bytes.part_n)
        xml_u64(b, "NextPartNumberMarker", i);
    buf_printf(b, "<IsTruncated>%s</IsTruncated></ObjectParts>",
               i < g->bytes.part_n ? "true" : "false");
    return S3_OK;
}

static enum s3_code attributes(struct call *c, struct read *g)
{
    str want = call_header(c, "x-amz-object-attributes");
    char date[HTTP_DATE_TEXT];
    struct buf b;
    enum s3_code code = S3_OK;

    if (!want.n) {
        err_set(&c->err, RC_INVALID, "x-amz-object-attributes is missing");
        return S3_BAD_ARGUMENT;
    }
    buf_init(&b, 4 << 20);
    xml_begin(&b, "GetObjectAttributesResponse");
    if (wants(want, "ETag"))
        xml_text(&b, "ETag", str_of(g->o.etag));
    if (wants(want, "Checksum"))
        put_sum(&b, &g->o.sum);
    if (wants(want, "ObjectParts"))
        code = put_parts(c, &b, g);
    if (wants(want, "StorageClass"))
        xml_text(&b, "StorageClass", STR("STANDARD"));
    if (wants(want, "ObjectSize"))
        xml_u64(&b, "ObjectSize", g->o.bytes);
    buf_puts(&b, "</GetObjectAttributesResponse>");
    if (code) {
        buf_done(&b);
        return code;
    }
    http_date_text(g->o.modified_ms / 1000, date);
    http_add_header(c->r, "Last-Modified", date);
    headers_version(c, &g->o);
    reply_xml(c, &b);
    return S3_OK;
}

enum s3_code op_attributes(struct call *c)
{
    struct read_of of = {.bucket = c->bucket,
                         .key = c->key,
                         .v = c->has_version ? &c->version : NULL,
                         .bytes = true};
    struct read g;
    enum s3_code code = read_open(c, &of, &g);

    if (!code)
        code = g.o.marker ? marker(c, &g.o) : attributes(c, &g);
    read_done(&g);
    return code;
}
