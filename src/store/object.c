/* object.c - put and delete of objects. */
#include "base/mem.h"
#include "s3/xml.h"
#include "store/names.h"
#include "store/store_int.h"

/* ---- put */

enum s3_code put_if_read(struct call *c, struct put_if *ret)
{
    *ret = (struct put_if){http_header(c->r, "if-match"), http_header(c->r, "if-none-match")};
    if (!ret->none_match.p || str_is(ret->none_match, "*"))
        return S3_OK;
    err_set(&c->err, RC_UNIMPLEMENTED, "If-None-Match on a put takes only '*'");
    return S3_NOT_IMPLEMENTED;
}

enum rc put_if_check(const struct put_if *p, struct tx *tx, int64_t bucket, str key,
                     enum s3_code *ret_code, struct err *e)
{
    struct arena a;
    struct object old;
    enum rc rc;

    *ret_code = S3_OK;
    if (!p->none_match.p && !p->match.p)
        return RC_OK;
    arena_init(&a, 256 << 10);
    rc = index_get(tx, &a, bucket, key, NULL, &old, e);
    arena_done(&a);
    if (rc == RC_NOT_FOUND) {
        *ret_code = p->match.p ? S3_NO_SUCH_KEY : S3_OK;
        return RC_OK;
    }
    if (!rc && (p->none_match.p || !etag_listed(p->match, str_of(old.etag))))
        *ret_code = S3_CONDITION_FAILED;
    return rc;
}

void put_headers(struct call *c, const struct object *o)
{
    char etag[INDEX_ETAG_MAX + 2];

    snprintf(etag, sizeof etag, "\"%s\"", o->etag);
    http_add_header(c->r, "ETag", etag);
    headers_version(c, o);
    headers_sum(c, &o->sum);
}

struct put_op {
    struct commit_op op;
    struct call *c;
    struct intake *in;
    struct put_if cond;
    enum s3_code refused;
    struct freed_list freed;
};

static enum rc apply_put(struct commit_op *op, struct tx *tx, struct err *e)
{
    struct put_op *p = (struct put_op *)op;
    struct bucket b;
    enum s3_code code = S3_OK;
    enum rc rc = index_bucket(tx, p->c->bucket, &b, e);

    p->freed.n = 0;
    if (rc == RC_NOT_FOUND)
        return refuse(op, &p->refused, S3_NO_SUCH_BUCKET);
    if (!rc)
        rc = put_if_check(&p->cond, tx, b.id, p->c->key, &code, e);
    if (rc)
        return rc;
    if (code)
        return refuse(op, &p->refused, code);
    return index_put(tx, &b, p->c->key, &p->in->o, &p->in->d, &p->freed, e);
}

/* Says no before a large body is received, when it can be known. */
static enum s3_code put_early(struct put_op *p)
{
    struct call *c = p->c;
    struct tx *tx;
    struct bucket b;
    int64_t length = http_content_length(c->r);
    enum s3_code code;
    enum rc rc;

    if (length >= 0 && length <= PACK_BYTES_MAX)
        return S3_OK;
    code = call_begin_read(c, &tx, &b);
    if (code)
        return code;
    rc = put_if_check(&p->cond, tx, b.id, c->key, &code, &c->err);
    tx_rollback(tx);
    if (rc)
        return s3_code_of(c, rc);
    c->err.text[0] = 0;
    return code;
}

enum s3_code op_put(struct call *c)
{
    struct intake in;
    struct object o = {0};
    struct put_op p = {.op.apply = apply_put, .c = c, .in = &in};
    str source = call_header(c, "x-amz-copy-source");
    enum checksum_kind sum = body_claims(c);
    enum s3_code code;

    if (source.p)
        return op_copy(c, source);
    code = put_if_read(c, &p.cond);
    if (!code)
        code = headers_keep(c, &o);
    if (!code)
        code = put_early(&p);
    if (code)
        return code;
    code = intake_take(&in, c, c->s->object_bytes_max, sum ? sum : CHECKSUM_CRC64NVME);
    in.o.type = o.type;
    in.o.meta = o.meta;
    in.o.tags = o.tags;
    in.o.acl = o.acl;
    if (!code) {
        code = call_commit(c, &p.op, &p.refused);
        in.keep = !code || p.op.unsure;
    }
    if (!code)
        files_remove(c->s->files, &p.freed);
    VEC_DONE(&p.freed);
    if (!code) {
        put_headers(c, &in.o);
        reply_empty(c, 200);
    }
    intake_done(&in);
    return code;
}

/* ---- delete */

struct victim {
    str key;
    bool has_version;
    struct version_id version;
    enum s3_code code;  /* why it was not deleted */
    struct object gone; /* the version deleted, or the marker put */
    bool found;
};

struct delete_op {
    struct commit_op op;
    struct call *c;
    struct victim *v;
    size_t n;
    struct put_if cond; /* of a single delete */
    enum s3_code refused;
    struct freed_list freed;
};

static enum rc delete_one(struct delete_op *d, const struct bucket *b, struct victim *v,
                          int64_t now_ms, struct tx *tx, struct err *e)
{
    enum rc rc;

    v->found = true;
    v->gone = (struct object){0};
    if (v->code)
        return RC_OK;
    if (!v->has_version)
        return index_delete(tx, b, v->key, now_ms, &v->gone, &d->freed, e);
    rc = index_delete_version(tx, b, v->key, &v->version, &v->gone, &d->freed, e);
    if (rc != RC_NOT_FOUND)
        return rc;
    v->found = false; /* gone is what was wanted */
    return RC_OK;
}

static enum rc apply_delete(struct commit_op *op, struct tx *tx, struct err *e)
{
    struct delete_op *d = (struct delete_op *)op;
    struct bucket b;
    enum s3_code code = S3_OK;
    int64_t now_ms = os_now_ms();
    enum rc rc = index_bucket(tx, d->c->bucket, &b, e);

    d->freed.n = 0;
    if (rc == RC_NOT_FOUND)
        return refuse(op, &d->refused, S3_NO_SUCH_BUCKET);
    if (!rc)
        rc = put_if_check(&d->cond, tx, b.id, d->v[0].key, &code, e);
    if (!rc && code)
        return refuse(op, &d->refused, code);
    for (size_t i = 0; !rc && i < d->n; i++)
        rc = delete_one(d, &b, &d->v[i], now_ms, tx, e);
    return rc;
}

static enum s3_code delete_all(struct call *c, struct victim *v, size_t n, struct put_if cond)
{
    struct delete_op d = {.op.apply = apply_delete, .c = c, .v = v, .n = n, .cond = cond};
    enum s3_code code = call_commit(c, &d.op, &d.refused);

    if (!code)
        files_remove(c->s->files, &d.freed);
    VEC_DONE(&d.freed);
    return code;
}

enum s3_code op_delete(struct call *c)
{
    struct victim v = {.key = c->key, .has_version = c->has_version, .version = c->version};
    struct put_if cond = {http_header(c->r, "if-match"), STR_NONE};
    enum s3_code code = delete_all(c, &v, 1, cond);

    if (code)
        return code;
    if (v.gone.marker)
        http_add_header(c->r, "x-amz-delete-marker", "true");
    if (v.has_version ? v.found : v.gone.marker)
        headers_version(c, &v.gone);
    reply_empty(c, 204);
    return S3_OK;
}

/* ---- many at once */

static enum rc read_victim(struct call *c, struct xml *x, struct victim *v, struct err *e)
{
    enum xml_event ev;
    str s;
    enum rc rc;

    while (!(rc = xml_next(x, &ev, e)) && ev != XML_CLOSE) {
        bool key = str_is(x->name, "Key"), version = str_is(x->name, "VersionId");
        if (ev != XML_OPEN)
            continue;
        if (!key && !version) { /* ETag, Size, LastModifiedTime */
            err_set(e, RC_UNIMPLEMENTED, "<%.*s> in a delete", STR_F(str_sub(x->name, 0, 64)));
            return RC_UNIMPLEMENTED;
        }
        rc = xml_leaf(x, &s, e);
        if (rc)
            return rc;
        if (version && s.n) {
            v->has_version = true;
            if (!version_parse(s, &v->version))
                v->code = S3_NO_SUCH_VERSION;
        } else if (key) {
            v->key = arena_str(c->a, s);
            if (!v->key.p)
                return err_set(e, RC_NOMEM, "out of memory");
        }
    }
    if (!rc && !key_ok(v->key))
        rc = err_set(e, RC_INVALID, "a key is missing or not valid");
    return rc;
}

/* <Delete><Quiet>true</Quiet><Object><Key>k</Key><VersionId>v</VersionId></Object>...</Delete> */
static enum s3_code read_delete(struct call *c, str body, struct victim *v, size_t *ret_n,
                                bool *ret_quiet)
{
    struct xml x;
    enum xml_event ev;
    str s;
    enum rc rc;

    xml_init(&x, body);
    rc = xml_next(&x, &ev, &c->err);
    if (!rc && !str_is(x.name, "Delete"))
        rc = err_set(&c->err, RC_INVALID, "<Delete> was expected");
    while (!rc && !(rc = xml_next(&x, &ev, &c->err)) && ev != XML_END) {
        if (ev != XML_OPEN)
            continue;
        if (str_is(x.name, "Object")) {
            rc = *ret_n < STORE_DELETE_KEYS_MAX
                     ? read_victim(c, &x, &v[(*ret_n)++], &c->err)
                     : err_set(&c->err, RC_LIMIT, "more than %d keys", STORE_DELETE_KEYS_MAX);
        } else if (str_is(x.name, "Quiet")) {
            rc = xml_leaf(&x, &s, &c->err);
            *ret_quiet = !rc && str_is(s, "true");
        } else {
            rc = xml_skip(&x, &c->err);
        }
    }
    xml_done(&x);
    if (rc == RC_NOMEM)
        return S3_INTERNAL;
    if (rc == RC_UNIMPLEMENTED)
        return S3_NOT_IMPLEMENTED;
    return rc || !*ret_n ? S3_MALFORMED_XML : S3_OK;
}

static void put_deleted(struct call *c, struct buf *b, const struct victim *v)
{
    bool versions = c->info && c->info->b.versioning != VERSIONING_OFF;
    struct object asked = {.seq = v->version.seq, .null_version = v->version.null_version};
    char id[INDEX_VERSION_TEXT];

    buf_puts(b, "<Deleted>");
    xml_text(b, "Key", v->key);
    if (v->has_version) {
        version_text(&asked, id);
        xml_text(b, "VersionId", str_of(id));
    }
    if (versions && v->gone.marker) {
        version_text(&v->gone, id);
        buf_puts(b, "<DeleteMarker>true</DeleteMarker>");
        xml_text(b, "DeleteMarkerVersionId", str_of(id));
    }
    buf_puts(b, "</Deleted>");
}

enum s3_code op_delete_objects(struct call *c)
{
    struct victim *v = ARENA_ARRAY(c->a, struct victim, STORE_DELETE_KEYS_MAX);
    size_t n = 0;
    bool quiet = false, any = false;
    struct buf b;
    str body;
    enum s3_code code = v ? body_xml(c, &body) : S3_INTERNAL;

    if (!code)
        code = read_delete(c, body, v, &n, &quiet);
    for (size_t i = 0; !code && i < n; i++)
        if (!v[i].code)
            v[i].code =
                call_may(c, v[i].has_version ? ACTION_DELETE_OBJECT_VERSION : ACTION_DELETE_OBJECT,
                         c->bucket, v[i].key);
    for (size_t i = 0; i < n; i++)
        any |= v[i].code != S3_ACCESS_DENIED;
    if (!code && !any) /* a stranger learns nothing, not even whether the bucket is there */
        code = S3_ACCESS_DENIED;
    if (!code) {
        c->err.text[0] = 0;
        code = delete_all(c, v, n, (struct put_if){STR_NONE, STR_NONE});
    }
    if (code)
        return code;
    buf_init(&b, 16 << 20);
    xml_begin(&b, "DeleteResult");
    for (size_t i = 0; i < n; i++)
        if (v[i].code)
            xml_error(&b, v[i].code, v[i].key);
        else if (!quiet)
            put_deleted(c, &b, &v[i]);
    buf_puts(&b, "</DeleteResult>");
    reply_xml(c, &b);
    return S3_OK;
}
