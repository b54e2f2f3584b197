/* headers.c - the headers that an object keeps and gives back, and the conditions of a read. */
#include "store/names.h"
#include "store/store_int.h"

/* Kept beside Content-Type, with the query parameter that overrides each in a reply. */
static const struct {
    const char *header, *override;
} kept[] = {{"cache-control", "response-cache-control"},
            {"content-disposition", "response-content-disposition"},
            {"content-encoding", "response-content-encoding"},
            {"content-language", "response-content-language"},
            {"expires", "response-expires"}};

enum { KEPT = sizeof kept / sizeof *kept, KEPT_BYTES_MAX = 8 << 10 };

/* Content-Encoding without the "aws-chunked" of the transfer. */
static void put_encoding(struct buf *b, str value)
{
    bool first = true;
    str piece;

    while (str_next(&value, ',', &piece)) {
        piece = str_trim(piece);
        if (!piece.n || str_ieq(piece, STR("aws-chunked")))
            continue;
        buf_printf(b, "%s%.*s", first ? "content-encoding: " : ", ", STR_F(piece));
        first = false;
    }
    if (!first)
        buf_putc(b, '\n');
}

static void put_meta(struct buf *b, str name, str value, size_t *meta_bytes)
{
    for (size_t i = 0; i < name.n; i++) {
        char ch = name.p[i];
        buf_putc(b, (char)(ch >= 'A' && ch <= 'Z' ? ch + 32 : ch));
    }
    buf_puts(b, ": ");
    buf_str(b, value);
    buf_putc(b, '\n');
    *meta_bytes += name.n - 11 + value.n;
}

enum s3_code headers_keep(struct call *c, str *ret_type, str *ret_meta)
{
    struct buf b;
    str name, value, type = http_header(c->r, "content-type");
    size_t meta_bytes = 0;
    enum s3_code code = S3_OK;

    buf_init(&b, KEPT_BYTES_MAX);
    for (size_t i = 0; i < KEPT; i++) {
        value = http_header(c->r, kept[i].header);
        if (value.p && str_is(str_of(kept[i].header), "content-encoding"))
            put_encoding(&b, value);
        else if (value.p)
            buf_printf(&b, "%s: %.*s\n", kept[i].header, STR_F(value));
    }
    for (size_t i = 0; http_header_at(c->r, i, &name, &value); i++)
        if (name.n > 11 && str_ieq(str_sub(name, 0, 11), STR("x-amz-meta-")))
            put_meta(&b, name, value, &meta_bytes);
    if (b.rc || meta_bytes > STORE_META_BYTES_MAX || type.n > 512) {
        code = S3_METADATA_TOO_LARGE;
    } else {
        *ret_type = type.n ? type : STR("binary/octet-stream");
        *ret_meta = arena_str(c->a, buf_view(&b));
        if (!ret_meta->p)
            code = S3_INTERNAL;
    }
    buf_done(&b);
    return code;
}

static void give(struct call *c, str name, str value)
{
    const char *n = arena_cstr(c->a, name), *v = arena_cstr(c->a, value);

    if (n && v)
        http_add_header(c->r, n, v);
}

static bool overridden(struct call *c, str name)
{
    for (size_t i = 0; i < KEPT; i++)
        if (str_is(name, kept[i].header))
            return call_query(c, kept[i].override).p != NULL;
    return false;
}

void headers_give(struct call *c, const struct object *o, const char **ret_type)
{
    char date[HTTP_DATE_TEXT], etag[INDEX_ETAG_MAX + 2];
    str rest = o->meta, line, type = call_query(c, "response-content-type");

    snprintf(etag, sizeof etag, "\"%s\"", o->etag);
    http_date_text(o->modified_ms / 1000, date);
    http_add_header(c->r, "ETag", etag);
    http_add_header(c->r, "Last-Modified", date);
    http_add_header(c->r, "Accept-Ranges", "bytes");
    http_add_header(c->r, "x-amz-request-id", http_request_id(c->r));
    while (str_line(&rest, &line)) {
        ptrdiff_t colon = str_find(line, STR(": "));
        str name = colon < 0 ? STR_NONE : str_sub(line, 0, (size_t)colon);
        if (name.n && !overridden(c, name))
            give(c, name, str_sub(line, (size_t)colon + 2, line.n));
    }
    for (size_t i = 0; i < KEPT; i++) {
        str v = call_query(c, kept[i].override);
        if (v.p)
            give(c, str_of(kept[i].header), v);
    }
    *ret_type = arena_cstr(c->a, type.n && str_utf8_ok(type) && str_chr(type, '\n') < 0 &&
                                         str_chr(type, '\r') < 0
                                     ? type
                                     : o->type);
}

/* RFC 9110, 13.2.2: the order in which conditions are looked at. */
enum s3_code headers_conditions(struct call *c, const struct object *o, bool *ret_not_modified)
{
    str match = http_header(c->r, "if-match"), none = http_header(c->r, "if-none-match");
    str since = http_header(c->r, "if-modified-since");
    str unmodified = http_header(c->r, "if-unmodified-since");
    int64_t t, modified = o->modified_ms / 1000;

    *ret_not_modified = false;
    if (match.p && !etag_listed(match, str_of(o->etag)))
        return S3_CONDITION_FAILED;
    if (!match.p && unmodified.p && http_date_parse(unmodified, &t) && modified > t)
        return S3_CONDITION_FAILED;
    if (none.p)
        *ret_not_modified = etag_listed(none, str_of(o->etag));
    else if (since.p && http_date_parse(since, &t))
        *ret_not_modified = modified <= t;
    return S3_OK;
}
