/* copy.c - CopyObject: a second row for the same bytes; and UploadPartCopy, which takes a range of
 * an object as a part. */
#include "s3/xml.h"
#include "store/names.h"
#include "store/store_int.h"

/* ---- the source */

/* "/bucket/key" or "bucket/key", percent-encoded, perhaps with "?versionId=v". */
enum s3_code copy_source_read(struct call *c, str header, struct copy_source *ret)
{
    ptrdiff_t mark = str_find(header, STR("?versionId=")), slash;
    str text;

    *ret = (struct copy_source){0};
    if (mark >= 0) {
        ret->has_version = true;
        if (!version_parse(str_sub(header, (size_t)mark + 11, header.n), &ret->version)) {
            err_set(&c->err, RC_INVALID, "the version of x-amz-copy-source is none");
            return S3_BAD_ARGUMENT;
        }
        header = str_sub(header, 0, (size_t)mark);
    }
    if (sigv4_decode(c->a, header, false, &text, &c->err))
        return S3_BAD_ARGUMENT;
    if (str_starts(text, STR("/")))
        text = str_sub(text, 1, text.n);
    slash = str_chr(text, '/');
    if (slash < 1 || (size_t)slash + 1 == text.n) {
        err_set(&c->err, RC_INVALID, "x-amz-copy-source must read /BUCKET/KEY");
        return S3_BAD_ARGUMENT;
    }
    ret->bucket = str_sub(text, 0, (size_t)slash);
    ret->key = str_sub(text, (size_t)slash + 1, text.n);
    return call_may(c, ret->has_version ? ACTION_GET_OBJECT_VERSION : ACTION_GET_OBJECT,
                    ret->bucket, ret->key);
}

enum s3_code copy_conditions(struct call *c, const struct object *o)
{
    str match = call_header(c, "x-amz-copy-source-if-match");
    str none = call_header(c, "x-amz-copy-source-if-none-match");
    str since = call_header(c, "x-amz-copy-source-if-modified-since");
    str unmodified = call_header(c, "x-amz-copy-source-if-unmodified-since");
    int64_t t, modified = o->modified_ms / 1000;

    if (match.p && !etag_listed(match, str_of(o->etag)))
        return S3_CONDITION_FAILED;
    if (!match.p && unmodified.p && http_date_parse(unmodified, &t) && modified > t)
        return S3_CONDITION_FAILED;
    if (none.p && etag_listed(none, str_of(o->etag)))
        return S3_CONDITION_FAILED;
    if (!none.p && since.p && http_date_parse(since, &t) && modified <= t)
        return S3_CONDITION_FAILED;
    return S3_OK;
}

static void source_version(struct call *c, const struct copy_source *from, const struct object *o)
{
    char id[INDEX_VERSION_TEXT];

    if (!from->has_version)
        return;
    version_text(o, id);
    http_add_header(c->r, "x-amz-copy-source-version-id", id);
}

static void put_result(struct buf *b, const char *root, const struct object *o)
{
    xml_begin(b, root);
    xml_time(b, "LastModified", o->modified_ms);
    xml_etag(b, str_of(o->etag));
    if (o->sum.kind != CHECKSUM_NONE)
        xml_text(b, checksum_element(o->sum.kind), str_of(o->sum.text));
    buf_printf(b, "</%s>", root);
}

/* ---- CopyObject */

struct copy_op {
    struct commit_op op;
    struct call *c;
    struct copy_source from;
    bool replace, replace_tags; /* by what this request says, instead of the source's */
    struct object mine;         /* type, meta, tags, acl of this request */
    struct put_if cond;
    enum s3_code refused;
    struct freed_list freed;
    struct object source, o; /* as copied; texts are in the request's arena */
};

static enum rc apply_copy(struct commit_op *op, struct tx *tx, struct err *e)
{
    struct copy_op *p = (struct copy_op *)op;
    const struct version_id *v = p->from.has_version ? &p->from.version : NULL;
    struct bucket from, to;
    enum s3_code code = S3_OK;
    enum rc rc = index_bucket(tx, p->from.bucket, &from, e);

    p->freed.n = 0;
    if (!rc)
        rc = index_bucket(tx, p->c->bucket, &to, e);
    if (rc == RC_NOT_FOUND)
        return refuse(op, &p->refused, S3_NO_SUCH_BUCKET);
    if (!rc)
        rc = index_get(tx, p->c->a, from.id, p->from.key, v, &p->source, e);
    if (rc == RC_NOT_FOUND)
        return refuse(op, &p->refused, v ? S3_NO_SUCH_VERSION : S3_NO_SUCH_KEY);
    if (!rc && p->source.marker)
        return refuse(op, &p->refused, S3_BAD_REQUEST);
    if (!rc && (code = copy_conditions(p->c, &p->source)))
        return refuse(op, &p->refused, code);
    if (!rc)
        rc = put_if_check(&p->cond, tx, to.id, p->c->key, &code, e);
    if (!rc && code)
        return refuse(op, &p->refused, code);
    if (rc)
        return rc;
    p->o = p->source;
    if (p->replace) {
        p->o.type = p->mine.type;
        p->o.meta = p->mine.meta;
    }
    if (p->replace_tags)
        p->o.tags = p->mine.tags;
    p->o.acl = p->mine.acl;
    p->o.modified_ms = os_now_ms();
    return index_link(tx, &to, p->c->key, &p->o, &p->freed, e);
}

static enum s3_code read_directive(struct call *c, const char *name, bool *ret_replace)
{
    str directive = call_header(c, name);

    *ret_replace = str_is(directive, "REPLACE");
    if (!directive.n || *ret_replace || str_is(directive, "COPY"))
        return S3_OK;
    err_set(&c->err, RC_INVALID, "%s must be COPY or REPLACE", name);
    return S3_BAD_ARGUMENT;
}

static enum s3_code check_headers(struct copy_op *p)
{
    struct call *c = p->c;
    enum s3_code code = read_directive(c, "x-amz-metadata-directive", &p->replace);

    if (!code)
        code = read_directive(c, "x-amz-tagging-directive", &p->replace_tags);
    if (!code)
        code = put_if_read(c, &p->cond);
    if (!code && !p->replace && !p->replace_tags && !p->from.has_version &&
        !call_header(c, "x-amz-storage-class").p && str_eq(p->from.bucket, c->bucket) &&
        str_eq(p->from.key, c->key)) {
        err_set(&c->err, RC_INVALID, "a copy onto itself must replace the metadata");
        code = S3_BAD_REQUEST;
    }
    return code ? code : headers_keep(c, &p->mine);
}

enum s3_code op_copy(struct call *c, str source)
{
    struct copy_op p = {.op.apply = apply_copy, .c = c};
    struct buf b;
    enum s3_code code = copy_source_read(c, source, &p.from);

    if (!code)
        code = check_headers(&p);
    if (!code)
        code = call_commit(c, &p.op, &p.refused);
    if (!code)
        files_remove(c->s->files, &p.freed);
    VEC_DONE(&p.freed);
    if (code)
        return code;
    store_count(c->s, COUNT_COPIES, 1);
    headers_version(c, &p.o);
    source_version(c, &p.from, &p.source);
    buf_init(&b, 1024);
    put_result(&b, "CopyObjectResult", &p.o);
    reply_xml(c, &b);
    return S3_OK;
}

/* ---- UploadPartCopy */

struct feed {
    struct call *c;
    struct read *g;
    uint64_t at, end;
};

static enum s3_code feed(void *ud, char *p, size_t cap, size_t *ret_n)
{
    struct feed *f = ud;
    enum s3_code code;

    *ret_n = 0;
    if (f->at == f->end)
        return S3_OK;
    if (cap > f->end - f->at)
        cap = (size_t)(f->end - f->at);
    code = read_some(f->c, f->g, f->at, p, cap, ret_n);
    f->at += *ret_n;
    return code;
}

/* x-amz-copy-source-range: "bytes=first-last", both, inside the object. */
static enum s3_code source_range(struct call *c, uint64_t bytes, uint64_t *at, uint64_t *n)
{
    str range = call_header(c, "x-amz-copy-source-range");
    ptrdiff_t dash = str_chr(range, '-');
    uint64_t last = 0;

    *at = 0;
    *n = bytes;
    if (!range.p)
        return S3_OK;
    if (dash < 7 || !str_u64(str_sub(range, (size_t)dash + 1, range.n), &last) || last >= bytes ||
        range_parse(range, bytes, at, n) != RANGE_PART) {
        err_set(&c->err, RC_INVALID,
                "x-amz-copy-source-range must read bytes=FIRST-LAST, inside the source");
        return S3_BAD_ARGUMENT;
    }
    return S3_OK;
}

static enum s3_code copy_bytes(struct call *c, struct read *g, enum checksum_kind sum,
                               struct intake *in)
{
    struct feed f = {.c = c, .g = g};
    uint64_t n;
    enum s3_code code = g->o.marker ? S3_BAD_REQUEST : copy_conditions(c, &g->o);

    if (!code)
        code = source_range(c, g->o.bytes, &f.at, &n);
    if (!code && n > c->s->object_bytes_max)
        code = S3_ENTITY_TOO_LARGE;
    if (code)
        return code;
    f.end = f.at + n;
    return intake_fill(in, c, (int64_t)n, sum, feed, &f);
}

enum s3_code part_copy_take(struct call *c, str header, enum checksum_kind sum, struct intake *in)
{
    struct copy_source from;
    struct read_of of;
    struct read g;
    enum s3_code code = copy_source_read(c, header, &from);

    intake_none(in, c);
    if (code)
        return code;
    of = (struct read_of){from.bucket, from.key, from.has_version ? &from.version : NULL,
                          .bytes = true};
    code = read_open(c, &of, &g);
    if (!code)
        code = copy_bytes(c, &g, sum, in);
    if (!code)
        source_version(c, &from, &g.o);
    read_done(&g);
    return code;
}

void part_copy_reply(struct call *c, const struct object *o)
{
    struct buf b;

    store_count(c->s, COUNT_COPIES, 1);
    buf_init(&b, 1024);
    put_result(&b, "CopyPartResult", o);
    reply_xml(c, &b);
}
