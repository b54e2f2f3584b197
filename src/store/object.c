/* object.c - put and delete of objects. */
#include "base/mem.h"
#include "s3/xml.h"
#include "store/names.h"
#include "store/store_int.h"

/* ---- put */

struct put_op {
    struct commit_op op;
    struct call *c;
    struct intake *in;
    str none_match, match; /* conditions; .p NULL: none */
    enum s3_code refused;
    struct freed_list freed;
};

/* If-None-Match: * and If-Match, as S3 has them on a put. */
static enum s3_code put_condition(struct put_op *p, struct tx *tx, int64_t bucket, enum rc *ret_rc,
                                  struct err *e)
{
    struct arena a;
    struct object old;

    *ret_rc = RC_OK;
    if (!p->none_match.p && !p->match.p)
        return S3_OK;
    arena_init(&a, 64 << 10);
    *ret_rc = index_get(tx, &a, bucket, p->c->key, &old, e);
    arena_done(&a);
    if (*ret_rc == RC_NOT_FOUND) {
        *ret_rc = RC_OK;
        return p->match.p ? S3_NO_SUCH_KEY : S3_OK;
    }
    if (*ret_rc)
        return S3_INTERNAL;
    if (p->none_match.p || !etag_listed(p->match, str_of(old.etag)))
        return S3_CONDITION_FAILED;
    return S3_OK;
}

static enum rc apply_put(struct commit_op *op, struct tx *tx, struct err *e)
{
    struct put_op *p = (struct put_op *)op;
    int64_t bucket;
    enum s3_code code;
    enum rc rc = index_bucket(tx, p->c->bucket, &bucket, e);

    p->freed.n = 0;
    if (rc == RC_NOT_FOUND)
        return refuse(op, &p->refused, S3_NO_SUCH_BUCKET);
    if (rc)
        return rc;
    code = put_condition(p, tx, bucket, &rc, e);
    if (rc)
        return rc;
    if (code)
        return refuse(op, &p->refused, code);
    return index_put(tx, bucket, p->c->key, &p->in->o, &p->in->d, &p->freed, e);
}

/* Says no before a large body is received, when it can be known. */
static enum s3_code put_early(struct put_op *p)
{
    struct call *c = p->c;
    struct tx *tx;
    int64_t bucket, length = http_content_length(c->r);
    enum s3_code code;
    enum rc rc;

    if (length >= 0 && length <= PACK_BYTES_MAX)
        return S3_OK;
    code = call_begin_read(c, &tx, &bucket);
    if (code)
        return code;
    code = put_condition(p, tx, bucket, &rc, &c->err);
    tx_rollback(tx);
    if (rc)
        return s3_code_of(c, rc);
    c->err.text[0] = 0;
    return code;
}

enum s3_code op_put(struct call *c)
{
    struct intake in;
    struct put_op p = {.op.apply = apply_put,
                       .c = c,
                       .in = &in,
                       .none_match = http_header(c->r, "if-none-match"),
                       .match = http_header(c->r, "if-match")};
    str source = http_header(c->r, "x-amz-copy-source"), type = STR_NONE, meta = STR_NONE;
    char etag[INDEX_ETAG_MAX + 2];
    enum s3_code code;

    if (source.p)
        return op_copy(c, source);
    if (p.none_match.p && !str_is(p.none_match, "*")) {
        err_set(&c->err, RC_UNIMPLEMENTED, "If-None-Match on a put takes only '*'");
        return S3_NOT_IMPLEMENTED;
    }
    code = headers_keep(c, &type, &meta);
    if (!code)
        code = put_early(&p);
    if (code)
        return code;
    code = intake_take(&in, c, c->s->object_bytes_max);
    in.o.type = type;
    in.o.meta = meta;
    if (!code) {
        code = call_commit(c, &p.op, &p.refused);
        in.keep = !code || p.op.unsure;
    }
    if (!code)
        files_remove(c->s->files, &p.freed);
    VEC_DONE(&p.freed);
    if (!code) {
        snprintf(etag, sizeof etag, "\"%s\"", in.o.etag);
        http_add_header(c->r, "ETag", etag);
        reply_empty(c, 200);
    }
    intake_done(&in);
    return code;
}

/* ---- delete */

struct delete_op {
    struct commit_op op;
    struct call *c;
    const str *keys;
    size_t n;
    enum s3_code refused;
    struct freed_list freed;
};

static enum rc apply_delete(struct commit_op *op, struct tx *tx, struct err *e)
{
    struct delete_op *d = (struct delete_op *)op;
    int64_t bucket;
    enum rc rc = index_bucket(tx, d->c->bucket, &bucket, e);

    d->freed.n = 0;
    if (rc == RC_NOT_FOUND)
        return refuse(op, &d->refused, S3_NO_SUCH_BUCKET);
    for (size_t i = 0; !rc && i < d->n; i++) {
        rc = index_delete(tx, bucket, d->keys[i], &d->freed, e);
        if (rc == RC_NOT_FOUND) /* gone is what was wanted */
            rc = RC_OK;
    }
    return rc;
}

static enum s3_code delete_keys(struct call *c, const str *keys, size_t n)
{
    struct delete_op d = {.op.apply = apply_delete, .c = c, .keys = keys, .n = n};
    enum s3_code code = call_commit(c, &d.op, &d.refused);

    if (!code)
        files_remove(c->s->files, &d.freed);
    VEC_DONE(&d.freed);
    return code;
}

enum s3_code op_delete(struct call *c)
{
    enum s3_code code = delete_keys(c, &c->key, 1);

    if (!code)
        reply_empty(c, 204);
    return code;
}

/* <Delete><Quiet>true</Quiet><Object><Key>k</Key></Object>...</Delete> */
static enum s3_code read_delete(struct call *c, str body, str *keys, size_t *ret_n, bool *ret_quiet)
{
    struct xml x;
    enum xml_event ev;
    unsigned versions = 0;
    str s;
    enum rc rc;

    xml_init(&x, body);
    rc = xml_next(&x, &ev, &c->err);
    if (!rc && !str_is(x.name, "Delete"))
        rc = err_set(&c->err, RC_INVALID, "<Delete> was expected");
    while (!rc && !(rc = xml_next(&x, &ev, &c->err)) && ev != XML_END) {
        if (ev != XML_OPEN || str_is(x.name, "Object"))
            continue;
        if (str_is(x.name, "Key") && *ret_n < STORE_DELETE_KEYS_MAX) {
            rc = xml_leaf(&x, &s, &c->err);
            if (!rc && !key_ok(s))
                rc = err_set(&c->err, RC_INVALID, "a key is not valid");
            if (!rc) {
                keys[*ret_n] = arena_str(c->a, s);
                if (!keys[(*ret_n)++].p)
                    rc = err_set(&c->err, RC_NOMEM, "out of memory");
            }
        } else if (str_is(x.name, "Key")) {
            rc = err_set(&c->err, RC_LIMIT, "more than %d keys", STORE_DELETE_KEYS_MAX);
        } else if (str_is(x.name, "Quiet")) {
            rc = xml_leaf(&x, &s, &c->err);
            *ret_quiet = !rc && str_is(s, "true");
        } else {
            versions += str_is(x.name, "VersionId");
            rc = xml_skip(&x, &c->err);
        }
    }
    xml_done(&x);
    if (rc == RC_NOMEM)
        return S3_INTERNAL;
    if (versions && !rc)
        return S3_NOT_IMPLEMENTED;
    return rc || !*ret_n ? S3_MALFORMED_XML : S3_OK;
}

enum s3_code op_delete_objects(struct call *c)
{
    str *keys = ARENA_ARRAY(c->a, str, STORE_DELETE_KEYS_MAX);
    size_t n = 0;
    bool quiet = false;
    struct buf b;
    str body;
    enum s3_code code = keys ? body_xml(c, &body) : S3_INTERNAL;

    if (!code)
        code = read_delete(c, body, keys, &n, &quiet);
    if (!code)
        code = delete_keys(c, keys, n);
    if (code)
        return code;
    buf_init(&b, 16 << 20);
    xml_begin(&b, "DeleteResult");
    for (size_t i = 0; i < n && !quiet; i++) {
        buf_puts(&b, "<Deleted>");
        xml_text(&b, "Key", keys[i]);
        buf_puts(&b, "</Deleted>");
    }
    buf_puts(&b, "</DeleteResult>");
    reply_xml(c, &b);
    return S3_OK;
}
