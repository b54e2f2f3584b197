/* multipart.c - multipart uploads.  Parts are pieces of data of their own; completing an upload
 * only writes rows, whatever the size. */
#include "s3/xml.h"
#include "store/names.h"
#include "store/store_int.h"

enum { UPLOAD_ID_HEX = 16 };

struct upload_op {
    struct commit_op op;
    struct call *c;
    struct upload u;
    enum s3_code refused;
    struct freed_list freed;
    /* of a part */
    struct intake *in;
    unsigned number;
    /* of the end: numbers and tags as the client lists them */
    struct part *want;
    size_t want_n;
    struct object o;
};

/* The upload that the request names, if it is of this bucket and key. */
static enum rc find_upload(struct upload_op *p, struct tx *tx, struct err *e)
{
    int64_t bucket;
    enum rc rc = index_bucket(tx, p->c->bucket, &bucket, e);

    if (rc == RC_NOT_FOUND)
        return refuse(&p->op, &p->refused, S3_NO_SUCH_BUCKET);
    if (!rc)
        rc = index_upload(tx, p->c->a, p->u.id, &p->u, e);
    if (rc == RC_NOT_FOUND || (!rc && (p->u.bucket != bucket || !str_eq(p->u.key, p->c->key))))
        return refuse(&p->op, &p->refused, S3_NO_SUCH_UPLOAD);
    return rc;
}

static enum s3_code read_upload_id(struct upload_op *p)
{
    str id = call_query(p->c, "uploadId");
    uint8_t b[UPLOAD_ID_HEX / 2];
    uint64_t v = 0;

    if (id.n != UPLOAD_ID_HEX || !hex_to(id, b) || b[0] > 0x7f)
        return S3_NO_SUCH_UPLOAD;
    for (size_t i = 0; i < sizeof b; i++)
        v = v << 8 | b[i];
    p->u.id = (int64_t)v;
    return S3_OK;
}

static void put_upload_id(struct buf *b, int64_t id)
{
    buf_printf(b, "<UploadId>%016llx</UploadId>", (unsigned long long)id);
}

/* ---- create */

static enum rc apply_create(struct commit_op *op, struct tx *tx, struct err *e)
{
    struct upload_op *p = (struct upload_op *)op;
    enum rc rc = index_bucket(tx, p->c->bucket, &p->u.bucket, e);

    if (rc == RC_NOT_FOUND)
        return refuse(op, &p->refused, S3_NO_SUCH_BUCKET);
    return rc ? rc : index_upload_add(tx, &p->u, os_now_ms(), e);
}

enum s3_code op_upload_create(struct call *c)
{
    struct upload_op p = {.op.apply = apply_create, .c = c};
    struct buf b;
    enum s3_code code = headers_keep(c, &p.u.type, &p.u.meta);

    p.u.id = files_new_id(c->s->files);
    p.u.key = c->key;
    if (!code)
        code = call_commit(c, &p.op, &p.refused);
    if (code)
        return code;
    buf_init(&b, 16 << 10);
    xml_begin(&b, "InitiateMultipartUploadResult");
    xml_text(&b, "Bucket", c->bucket);
    xml_text(&b, "Key", c->key);
    put_upload_id(&b, p.u.id);
    buf_puts(&b, "</InitiateMultipartUploadResult>");
    reply_xml(c, &b);
    return S3_OK;
}

/* ---- part */

static enum rc apply_part(struct commit_op *op, struct tx *tx, struct err *e)
{
    struct upload_op *p = (struct upload_op *)op;
    enum rc rc = find_upload(p, tx, e);

    p->freed.n = 0;
    return rc ? rc : index_part_put(tx, p->u.id, p->number, &p->in->o, &p->in->d, &p->freed, e);
}

/* Before the body is received. */
static enum s3_code upload_exists(struct upload_op *p)
{
    struct tx *tx;
    enum rc rc = db_begin(p->c->s->db, DB_READ, &tx, &p->c->err);

    if (rc)
        return s3_code_of(p->c, rc);
    rc = find_upload(p, tx, &p->c->err);
    tx_rollback(tx);
    if (rc && p->op.refused) {
        p->c->err.text[0] = 0;
        return p->refused;
    }
    return rc ? s3_code_of(p->c, rc) : S3_OK;
}

enum s3_code op_upload_part(struct call *c)
{
    struct intake in;
    struct upload_op p = {.op.apply = apply_part, .c = c, .in = &in};
    char etag[INDEX_ETAG_MAX + 2];
    uint64_t number;
    enum s3_code code = read_upload_id(&p);

    if (!str_u64(call_query(c, "partNumber"), &number) || !number ||
        number > STORE_PART_NUMBER_MAX) {
        err_set(&c->err, RC_INVALID, "partNumber must be 1 to %d", STORE_PART_NUMBER_MAX);
        return S3_BAD_ARGUMENT;
    }
    if (http_header(c->r, "x-amz-copy-source").p) {
        err_set(&c->err, RC_UNIMPLEMENTED, "a part copied from an object");
        return S3_NOT_IMPLEMENTED;
    }
    p.number = (unsigned)number;
    if (!code)
        code = upload_exists(&p);
    if (code)
        return code;
    code = intake_take(&in, c, c->s->object_bytes_max);
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

/* ---- complete */

static enum rc read_part(struct xml *x, struct part *ret, struct err *e)
{
    enum xml_event ev;
    uint64_t number = 0;
    str s;
    enum rc rc;

    while (!(rc = xml_next(x, &ev, e)) && ev != XML_CLOSE) {
        if (ev != XML_OPEN)
            continue;
        if (str_is(x->name, "PartNumber")) {
            rc = xml_leaf(x, &s, e);
            if (!rc && !str_u64(str_trim(s), &number))
                rc = err_set(e, RC_INVALID, "a PartNumber is not a number");
        } else if (str_is(x->name, "ETag")) {
            rc = xml_leaf(x, &s, e);
            if (!rc) {
                s = str_trim(s);
                if (s.n >= 2 && s.p[0] == '"' && s.p[s.n - 1] == '"')
                    s = str_sub(s, 1, s.n - 2);
                snprintf(ret->etag, sizeof ret->etag, "%.*s", STR_F(str_sub(s, 0, 47)));
            }
        } else {
            rc = xml_skip(x, e); /* checksums of parts: checked when they came */
        }
        if (rc)
            return rc;
    }
    if (!rc && (!number || number > STORE_PART_NUMBER_MAX || !ret->etag[0]))
        rc = err_set(e, RC_INVALID, "a part needs a PartNumber of 1 to %d and an ETag",
                     STORE_PART_NUMBER_MAX);
    ret->number = (unsigned)number;
    return rc;
}

static enum s3_code read_complete(struct upload_op *p, str body)
{
    struct call *c = p->c;
    struct xml x;
    enum xml_event ev;
    enum rc rc;

    xml_init(&x, body);
    rc = xml_next(&x, &ev, &c->err);
    if (!rc && !str_is(x.name, "CompleteMultipartUpload"))
        rc = err_set(&c->err, RC_INVALID, "<CompleteMultipartUpload> was expected");
    while (!rc && !(rc = xml_next(&x, &ev, &c->err)) && ev != XML_END) {
        if (ev != XML_OPEN)
            continue;
        if (!str_is(x.name, "Part")) {
            rc = xml_skip(&x, &c->err);
        } else if (p->want_n == STORE_PART_NUMBER_MAX) {
            rc = err_set(&c->err, RC_LIMIT, "more than %d parts", STORE_PART_NUMBER_MAX);
        } else {
            rc = read_part(&x, &p->want[p->want_n], &c->err);
            p->want_n += !rc;
        }
    }
    xml_done(&x);
    if (rc || !p->want_n)
        return S3_MALFORMED_XML;
    for (size_t i = 1; i < p->want_n; i++)
        if (p->want[i].number <= p->want[i - 1].number)
            return S3_BAD_PART_ORDER;
    return S3_OK;
}

/* Fills in what the index knows of the parts that are wanted, and the tag of the whole: the MD5 of
 * the parts' MD5s, a dash, and their number. */
static enum s3_code match_parts(struct upload_op *p, const struct part *have, size_t n)
{
    uint8_t digests[MD5_BYTES];
    struct hasher md5;
    size_t at = 0;

    p->o.bytes = 0;
    if (md5_init(&md5, &p->c->err))
        return S3_INTERNAL;
    for (size_t i = 0; i < p->want_n; i++) {
        struct part *w = &p->want[i];
        while (at < n && have[at].number < w->number)
            at++;
        if (at == n || have[at].number != w->number || strcmp(have[at].etag, w->etag) != 0 ||
            !hex_to((str){w->etag, MD5_HEX}, digests)) {
            hasher_done(&md5);
            return S3_BAD_PART;
        }
        *w = have[at];
        p->o.bytes += w->bytes;
        hasher_add(&md5, digests, sizeof digests);
        if (i + 1 < p->want_n && w->bytes < STORE_PART_BYTES_MIN) {
            hasher_done(&md5);
            return S3_ENTITY_TOO_SMALL;
        }
    }
    hasher_final(&md5, digests);
    hex_of(digests, sizeof digests, p->o.etag);
    snprintf(p->o.etag + MD5_HEX, sizeof p->o.etag - MD5_HEX, "-%zu", p->want_n);
    return p->o.bytes > p->c->s->object_bytes_max ? S3_ENTITY_TOO_LARGE : S3_OK;
}

static enum rc apply_complete(struct commit_op *op, struct tx *tx, struct err *e)
{
    struct upload_op *p = (struct upload_op *)op;
    struct part *have;
    size_t n;
    enum s3_code code;
    enum rc rc = find_upload(p, tx, e);

    p->freed.n = 0;
    if (!rc)
        rc = index_parts(tx, p->c->a, p->u.id, 0, STORE_PART_NUMBER_MAX, &have, &n, e);
    if (rc)
        return rc;
    code = match_parts(p, have, n);
    if (code)
        return refuse(op, &p->refused, code);
    p->o.kind = DATA_PIECES;
    p->o.type = p->u.type;
    p->o.meta = p->u.meta;
    p->o.modified_ms = os_now_ms();
    return index_complete(tx, &p->u, &p->o, p->want, p->want_n, &p->freed, e);
}

enum s3_code op_upload_complete(struct call *c)
{
    struct upload_op p = {.op.apply = apply_complete, .c = c};
    struct buf b;
    str body;
    enum s3_code code = read_upload_id(&p);

    if (!code)
        code = body_xml(c, &body);
    p.want = ARENA_ARRAY(c->a, struct part, STORE_PART_NUMBER_MAX);
    if (!code && !p.want)
        code = S3_INTERNAL;
    if (!code)
        code = read_complete(&p, body);
    p.o.data = files_new_id(c->s->files);
    if (!code)
        code = call_commit(c, &p.op, &p.refused);
    if (!code)
        files_remove(c->s->files, &p.freed);
    VEC_DONE(&p.freed);
    if (code)
        return code;
    buf_init(&b, 16 << 10);
    xml_begin(&b, "CompleteMultipartUploadResult");
    xml_text(&b, "Bucket", c->bucket);
    xml_text(&b, "Key", c->key);
    xml_etag(&b, str_of(p.o.etag));
    buf_puts(&b, "</CompleteMultipartUploadResult>");
    reply_xml(c, &b);
    return S3_OK;
}

/* ---- abort */

static enum rc apply_abort(struct commit_op *op, struct tx *tx, struct err *e)
{
    struct upload_op *p = (struct upload_op *)op;
    enum rc rc = find_upload(p, tx, e);

    p->freed.n = 0;
    return rc ? rc : index_upload_drop(tx, p->u.id, &p->freed, e);
}

enum s3_code op_upload_abort(struct call *c)
{
    struct upload_op p = {.op.apply = apply_abort, .c = c};
    enum s3_code code = read_upload_id(&p);

    if (!code)
        code = call_commit(c, &p.op, &p.refused);
    if (!code)
        files_remove(c->s->files, &p.freed);
    VEC_DONE(&p.freed);
    if (!code)
        reply_empty(c, 204);
    return code;
}

/* ---- list parts */

static void put_parts(struct call *c, const struct part *parts, size_t n, uint64_t max,
                      uint64_t after, int64_t upload)
{
    struct buf b;
    bool truncated = n > max;

    buf_init(&b, 16 << 20);
    xml_begin(&b, "ListPartsResult");
    xml_text(&b, "Bucket", c->bucket);
    xml_text(&b, "Key", c->key);
    put_upload_id(&b, upload);
    xml_u64(&b, "PartNumberMarker", after);
    xml_u64(&b, "MaxParts", max);
    if (truncated)
        n = (size_t)max;
    for (size_t i = 0; i < n; i++) {
        buf_puts(&b, "<Part>");
        xml_u64(&b, "PartNumber", parts[i].number);
        xml_time(&b, "LastModified", parts[i].modified_ms);
        xml_etag(&b, str_of(parts[i].etag));
        xml_u64(&b, "Size", parts[i].bytes);
        buf_puts(&b, "</Part>");
    }
    if (truncated && n)
        xml_u64(&b, "NextPartNumberMarker", parts[n - 1].number);
    buf_printf(&b, "<IsTruncated>%s</IsTruncated></ListPartsResult>", truncated ? "true" : "false");
    reply_xml(c, &b);
}

enum s3_code op_list_parts(struct call *c)
{
    struct upload_op p = {.c = c};
    str max_text = call_query(c, "max-parts"), after_text = call_query(c, "part-number-marker");
    uint64_t max = STORE_LIST_KEYS_MAX, after = 0;
    struct part *parts;
    struct tx *tx;
    size_t n;
    enum s3_code code = read_upload_id(&p);
    enum rc rc;

    if (code)
        return code;
    if ((max_text.n && !str_u64(max_text, &max)) ||
        (after_text.n && (!str_u64(after_text, &after) || after > STORE_PART_NUMBER_MAX))) {
        err_set(&c->err, RC_INVALID, "max-parts and part-number-marker are numbers");
        return S3_BAD_ARGUMENT;
    }
    if (max > STORE_LIST_KEYS_MAX)
        max = STORE_LIST_KEYS_MAX;
    rc = db_begin(c->s->db, DB_READ, &tx, &c->err);
    if (rc)
        return s3_code_of(c, rc);
    rc = find_upload(&p, tx, &c->err);
    if (!rc)
        rc = index_parts(tx, c->a, p.u.id, (unsigned)after, (size_t)max + 1, &parts, &n, &c->err);
    tx_rollback(tx);
    if (rc && p.op.refused) {
        c->err.text[0] = 0;
        return p.refused;
    }
    if (rc)
        return s3_code_of(c, rc);
    put_parts(c, parts, n, max, after, p.u.id);
    return S3_OK;
}
