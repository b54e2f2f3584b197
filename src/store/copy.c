/* copy.c - CopyObject: a second row for the same bytes. */
#include "store/store_int.h"

struct copy_op {
    struct commit_op op;
    struct call *c;
    str from_bucket, from_key;
    bool replace; /* headers of this request instead of the source's */
    str type, meta;
    enum s3_code refused;
    struct freed_list freed;
    struct object o; /* as copied; its texts are in the request's arena */
};

static enum rc apply_copy(struct commit_op *op, struct tx *tx, struct err *e)
{
    struct copy_op *p = (struct copy_op *)op;
    int64_t from, to;
    enum rc rc = index_bucket(tx, p->from_bucket, &from, e);

    p->freed.n = 0;
    if (!rc)
        rc = index_bucket(tx, p->c->bucket, &to, e);
    if (rc == RC_NOT_FOUND)
        return refuse(op, &p->refused, S3_NO_SUCH_BUCKET);
    if (!rc)
        rc = index_get(tx, p->c->a, from, p->from_key, &p->o, e);
    if (rc == RC_NOT_FOUND)
        return refuse(op, &p->refused, S3_NO_SUCH_KEY);
    if (rc)
        return rc;
    if (p->replace) {
        p->o.type = p->type;
        p->o.meta = p->meta;
    }
    p->o.modified_ms = os_now_ms();
    return index_link(tx, to, p->c->key, &p->o, &p->freed, e);
}

/* "/bucket/key" or "bucket/key", percent-encoded; a version is not ours to give. */
static enum s3_code read_source(struct copy_op *p, str source)
{
    struct call *c = p->c;
    ptrdiff_t slash;
    str text;

    if (str_find(source, STR("?versionId=")) >= 0)
        return S3_NOT_IMPLEMENTED;
    if (sigv4_decode(c->a, source, false, &text, &c->err))
        return S3_BAD_ARGUMENT;
    if (str_starts(text, STR("/")))
        text = str_sub(text, 1, text.n);
    slash = str_chr(text, '/');
    if (slash < 1 || (size_t)slash + 1 == text.n) {
        err_set(&c->err, RC_INVALID, "x-amz-copy-source must read /BUCKET/KEY");
        return S3_BAD_ARGUMENT;
    }
    p->from_bucket = str_sub(text, 0, (size_t)slash);
    p->from_key = str_sub(text, (size_t)slash + 1, text.n);
    return S3_OK;
}

static enum s3_code check_headers(struct copy_op *p)
{
    static const char *const conditions[] = {"x-amz-copy-source-if-match",
                                             "x-amz-copy-source-if-none-match",
                                             "x-amz-copy-source-if-modified-since",
                                             "x-amz-copy-source-if-unmodified-since",
                                             "if-match",
                                             "if-none-match"};
    struct call *c = p->c;
    str directive = http_header(c->r, "x-amz-metadata-directive");

    for (size_t i = 0; i < sizeof conditions / sizeof *conditions; i++)
        if (http_header(c->r, conditions[i]).p) {
            err_set(&c->err, RC_UNIMPLEMENTED, "%s on a copy", conditions[i]);
            return S3_NOT_IMPLEMENTED;
        }
    p->replace = str_is(directive, "REPLACE");
    if (directive.n && !p->replace && !str_is(directive, "COPY"))
        return S3_BAD_ARGUMENT;
    if (!p->replace && str_eq(p->from_bucket, c->bucket) && str_eq(p->from_key, c->key)) {
        err_set(&c->err, RC_INVALID, "a copy onto itself must replace the metadata");
        return S3_BAD_REQUEST;
    }
    return headers_keep(c, &p->type, &p->meta);
}

enum s3_code op_copy(struct call *c, str source)
{
    struct copy_op p = {.op.apply = apply_copy, .c = c};
    struct buf b;
    enum s3_code code = read_source(&p, source);

    if (!code)
        code = call_may(c, p.from_bucket, RIGHT_READ);
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
    buf_init(&b, 1024);
    xml_begin(&b, "CopyObjectResult");
    xml_time(&b, "LastModified", p.o.modified_ms);
    xml_etag(&b, str_of(p.o.etag));
    buf_puts(&b, "</CopyObjectResult>");
    reply_xml(c, &b);
    return S3_OK;
}
