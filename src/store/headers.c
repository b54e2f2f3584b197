/* headers.c - the headers that an object keeps and gives back, and the conditions of a read. */
#include "store/names.h"
#include "store/store_int.h"
#include "store/tags.h"

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

/* A header cannot hold what would end it; a query could. */
static bool one_line(str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < ' ' && s.p[i] != '\t')
            return false;
    return true;
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

/* Signers of presigned URLs move x-amz-* headers into the query, where they mean the same. */
static bool hoisted(const struct call *c, size_t i)
{
    return str_ieq(str_sub(c->query[i].name, 0, 6), STR("x-amz-"));
}

/* What describes the object: headers, with those in the query, or the fields of a form. */
static bool header_at(const struct call *c, size_t i, str *ret_name, str *ret_value)
{
    size_t headers = 0, k = 0;

    if (c->fields && i < c->field_n) {
        *ret_name = c->fields[i].name;
        *ret_value = c->fields[i].value;
    }
    if (c->fields)
        return i < c->field_n;
    if (http_header_at(c->r, i, ret_name, ret_value))
        return true;
    if (!c->query_n)
        return false;
    while (http_header_at(c->r, headers, ret_name, ret_value))
        headers++;
    for (i -= headers; k < c->query_n; k++)
        if (hoisted(c, k) && !i--) {
            *ret_name = c->query[k].name;
            *ret_value = c->query[k].value;
            return true;
        }
    return false;
}

str call_header(const struct call *c, const char *name)
{
    str v = c->fields ? sigv4_find(c->fields, c->field_n, name) : http_header(c->r, name);

    for (size_t i = 0; !v.p && !c->fields && i < c->query_n; i++)
        if (hoisted(c, i) && str_ieq(c->query[i].name, str_of(name)))
            v = c->query[i].value;
    return v;
}

/* What is asked for and cannot be given is refused, not dropped. */
static enum s3_code refuse_unknown(struct call *c)
{
    static const char *const absent[] = {"x-amz-server-side-encryption",
                                         "x-amz-website-redirect-location", "x-amz-grant-"};
    str class = call_header(c, "x-amz-storage-class"), name, value;

    if (class.n && !str_is(class, "STANDARD") && !str_is(class, "REDUCED_REDUNDANCY"))
        return S3_BAD_STORAGE_CLASS;
    for (size_t i = 0; header_at(c, i, &name, &value); i++) {
        if (str_ieq(str_sub(name, 0, 18), STR("x-amz-object-lock-"))) {
            err_set(&c->err, RC_INVALID, "the bucket has no object lock");
            return S3_BAD_REQUEST;
        }
        for (size_t k = 0; k < sizeof absent / sizeof *absent; k++) {
            str head = str_of(absent[k]);
            if (str_ieq(str_sub(name, 0, head.n), head)) {
                err_set(&c->err, RC_UNIMPLEMENTED, "the header '%.*s'",
                        STR_F(str_sub(name, 0, 80)));
                return S3_NOT_IMPLEMENTED;
            }
        }
    }
    return S3_OK;
}

static enum s3_code keep_acl(struct call *c, struct object *o)
{
    str acl = call_header(c, "x-amz-acl");

    if (!acl.p)
        return S3_OK;
    if (!acl_of_name(acl, &o->acl)) {
        err_set(&c->err, RC_INVALID, "the ACL '%.*s' is not one of those here",
                STR_F(str_sub(acl, 0, 64)));
        return S3_BAD_ARGUMENT;
    }
    return o->acl == ACL_PRIVATE ? S3_OK : call_may(c, ACTION_PUT_OBJECT_ACL, c->bucket, c->key);
}

static enum s3_code keep_tags(struct call *c, struct object *o)
{
    str text = call_header(c, "x-amz-tagging");
    enum rc rc;

    o->tags = STR("");
    if (!text.n)
        return S3_OK;
    rc = tags_of_query(c->a, text, &o->tags, &c->err);
    if (rc)
        return rc == RC_INVALID ? S3_BAD_TAG : s3_code_of(c, rc);
    return call_may(c, ACTION_PUT_OBJECT_TAGGING, c->bucket, c->key);
}

static enum s3_code keep_meta(struct call *c, struct object *o)
{
    struct buf b;
    str name, value, type = call_header(c, "content-type");
    size_t meta_bytes = 0;
    bool lines = true;
    enum s3_code code = S3_OK;

    buf_init(&b, KEPT_BYTES_MAX);
    for (size_t i = 0; i < KEPT; i++) {
        value = call_header(c, kept[i].header);
        if (value.p && str_is(str_of(kept[i].header), "content-encoding"))
            put_encoding(&b, value);
        else if (value.p)
            buf_printf(&b, "%s: %.*s\n", kept[i].header, STR_F(value));
    }
    for (size_t i = 0; header_at(c, i, &name, &value); i++)
        if (name.n > 11 && str_ieq(str_sub(name, 0, 11), STR("x-amz-meta-"))) {
            lines &= one_line(name) && one_line(value);
            put_meta(&b, name, value, &meta_bytes);
        }
    if (!lines) {
        buf_done(&b);
        err_set(&c->err, RC_INVALID, "metadata with a control character in it");
        return S3_BAD_ARGUMENT;
    }
    if (b.rc || meta_bytes > STORE_META_BYTES_MAX || type.n > 512) {
        code = S3_METADATA_TOO_LARGE;
    } else {
        o->type = type.n ? type : STR("binary/octet-stream");
        o->meta = arena_str(c->a, buf_view(&b));
        if (!o->meta.p)
            code = S3_INTERNAL;
    }
    buf_done(&b);
    return code;
}

enum s3_code headers_keep(struct call *c, struct object *o)
{
    enum s3_code code = refuse_unknown(c);

    if (!code)
        code = keep_acl(c, o);
    if (!code)
        code = keep_tags(c, o);
    return code ? code : keep_meta(c, o);
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

void headers_version(struct call *c, const struct object *o)
{
    char id[INDEX_VERSION_TEXT];

    if (!c->info || c->info->b.versioning == VERSIONING_OFF)
        return;
    version_text(o, id);
    http_add_header(c->r, "x-amz-version-id", id);
}

void headers_sum(struct call *c, const struct sum *s)
{
    if (s->kind == CHECKSUM_NONE)
        return;
    http_add_header(c->r, checksum_header(s->kind), s->text);
    http_add_header(c->r, "x-amz-checksum-type", s->composite ? "COMPOSITE" : "FULL_OBJECT");
}

void headers_give(struct call *c, const struct object *o, const char **ret_type)
{
    char date[HTTP_DATE_TEXT], etag[INDEX_ETAG_MAX + 2], count[16];
    str rest = o->meta, line, type = call_query(c, "response-content-type");

    snprintf(etag, sizeof etag, "\"%s\"", o->etag);
    http_date_text(o->modified_ms / 1000, date);
    http_add_header(c->r, "ETag", etag);
    http_add_header(c->r, "Last-Modified", date);
    http_add_header(c->r, "Accept-Ranges", "bytes");
    http_add_header(c->r, "x-amz-request-id", http_request_id(c->r));
    headers_version(c, o);
    if (o->tags.n) {
        snprintf(count, sizeof count, "%zu", tags_count(o->tags));
        http_add_header(c->r, "x-amz-tagging-count", count);
    }
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
