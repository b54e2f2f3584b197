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
    struct put_if cond;
    struct sum claim; /* of the whole, by the client; CHECKSUM_NONE: none */
    struct bucket b;
};

/* The upload that the request names, if it is of this bucket and key. */
static enum rc find_upload(struct upload_op *p, struct tx *tx, struct err *e)
{
    enum rc rc = index_bucket(tx, p->c->bucket, &p->b, e);

    if (rc == RC_NOT_FOUND)
        return refuse(&p->op, &p->refused, S3_NO_SUCH_BUCKET);
    if (!rc)
        rc = index_upload(tx, p->c->a, p->u.id, &p->u, e);
    if (rc == RC_NOT_FOUND || (!rc && (p->u.bucket != p->b.id || !str_eq(p->u.key, p->c->key))))
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
    enum rc rc = index_bucket(tx, p->c->bucket, &p->b, e);

    if (rc == RC_NOT_FOUND)
        return refuse(op, &p->refused, S3_NO_SUCH_BUCKET);
    p->u.bucket = p->b.id;
    p->u.created_ms = os_now_ms();
    return rc ? rc : index_upload_add(tx, &p->u, e);
}

/* x-amz-checksum-algorithm and -type.  Without them the store keeps CRC64NVME of the whole, as S3
 * does. */
static enum s3_code read_sum_kind(struct call *c, struct upload *u)
{
    str name = call_header(c, "x-amz-checksum-algorithm");
    str type = call_header(c, "x-amz-checksum-type");
    bool full = str_ieq(type, STR("FULL_OBJECT")), sha;

    u->sum_asked = name.n > 0;
    u->sum_kind = name.n ? checksum_of_name(name) : CHECKSUM_CRC64NVME;
    sha = u->sum_kind == CHECKSUM_SHA1 || u->sum_kind == CHECKSUM_SHA256;
    u->sum_composite = type.n ? !full : name.n && u->sum_kind != CHECKSUM_CRC64NVME;
    if (u->sum_kind == CHECKSUM_UNKNOWN || (type.n && !full && !str_ieq(type, STR("COMPOSITE"))) ||
        (u->sum_composite && u->sum_kind == CHECKSUM_CRC64NVME) || (full && sha)) {
        err_set(&c->err, RC_INVALID,
                "no such checksum: CRC32 and CRC32C are FULL_OBJECT or COMPOSITE, CRC64NVME is "
                "FULL_OBJECT, SHA1 and SHA256 are COMPOSITE");
        return S3_BAD_REQUEST;
    }
    return S3_OK;
}

enum s3_code op_upload_create(struct call *c)
{
    struct upload_op p = {.op.apply = apply_create, .c = c};
    struct object o = {0};
    struct buf b;
    enum s3_code code = headers_keep(c, &o);

    if (!code)
        code = read_sum_kind(c, &p.u);
    p.u.type = o.type;
    p.u.meta = o.meta;
    p.u.tags = o.tags;
    p.u.acl = o.acl;
    p.u.id = files_new_id(c->s->files);
    p.u.key = c->key;
    if (!code)
        code = call_commit(c, &p.op, &p.refused);
    if (code)
        return code;
    if (p.u.sum_asked) {
        http_add_header(c->r, "x-amz-checksum-algorithm", checksum_name(p.u.sum_kind));
        http_add_header(c->r, "x-amz-checksum-type",
                        p.u.sum_composite ? "COMPOSITE" : "FULL_OBJECT");
    }
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

/* A part's checksum has to be of the upload's kind, or it could not be joined. */
static enum s3_code check_sum_kind(struct upload_op *p)
{
    enum checksum_kind claimed = body_claims(p->c);

    if (!p->u.sum_asked || claimed == CHECKSUM_NONE || claimed == CHECKSUM_UNKNOWN ||
        claimed == p->u.sum_kind)
        return S3_OK;
    err_set(&p->c->err, RC_INVALID, "the upload was begun with checksums of type %s, not %s",
            checksum_name(p->u.sum_kind), checksum_name(claimed));
    return S3_BAD_REQUEST;
}

static enum s3_code take_part(struct upload_op *p)
{
    struct call *c = p->c;
    str source = call_header(c, "x-amz-copy-source");
    enum s3_code code;

    code = source.p ? part_copy_take(c, source, p->u.sum_kind, p->in)
                    : intake_take(p->in, c, c->s->object_bytes_max, p->u.sum_kind);
    if (!code) {
        code = call_commit(c, &p->op, &p->refused);
        p->in->keep = !code || p->op.unsure;
    }
    if (!code)
        files_remove(c->s->files, &p->freed);
    VEC_DONE(&p->freed);
    if (code)
        return code;
    if (source.p) {
        part_copy_reply(c, &p->in->o);
    } else {
        char etag[INDEX_ETAG_MAX + 2];
        snprintf(etag, sizeof etag, "\"%s\"", p->in->o.etag);
        http_add_header(c->r, "ETag", etag);
        if (p->in->o.sum.kind != CHECKSUM_NONE)
            http_add_header(c->r, checksum_header(p->in->o.sum.kind), p->in->o.sum.text);
        reply_empty(c, 200);
    }
    return S3_OK;
}

enum s3_code op_upload_part(struct call *c)
{
    struct intake in;
    struct upload_op p = {.op.apply = apply_part, .c = c, .in = &in};
    uint64_t number = 0;
    enum s3_code code = read_upload_id(&p);

    if (!str_u64(call_query(c, "partNumber"), &number) || !number ||
        number > STORE_PART_NUMBER_MAX) {
        err_set(&c->err, RC_INVALID, "partNumber must be 1 to %d", STORE_PART_NUMBER_MAX);
        return S3_BAD_ARGUMENT;
    }
    p.number = (unsigned)number;
    if (!code)
        code = upload_exists(&p);
    if (!code)
        code = check_sum_kind(&p);
    if (code)
        return code;
    code = take_part(&p);
    intake_done(&in);
    return code;
}

/* ---- complete */

/* <ChecksumCRC32>...: compared with what was taken of the part. */
static enum rc read_part_sum(struct xml *x, struct part *ret, struct err *e)
{
    enum checksum_kind kind = checksum_of_name(str_sub(x->name, 8, x->name.n));
    str s;
    enum rc rc = xml_leaf(x, &s, e);

    if (rc || kind == CHECKSUM_UNKNOWN)
        return rc;
    ret->sum.kind = kind;
    snprintf(ret->sum.text, sizeof ret->sum.text, "%.*s",
             STR_F(str_sub(str_trim(s), 0, CHECKSUM_TEXT - 1)));
    return RC_OK;
}

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
        } else if (str_starts(x->name, STR("Checksum"))) {
            rc = read_part_sum(x, ret, e);
        } else {
            rc = xml_skip(x, e);
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

/* A part that the client lists, against the one that was uploaded. */
static enum s3_code match_part(const struct part *want, const struct part *have, bool last)
{
    uint8_t digest[MD5_BYTES];

    if (have->number != want->number || strcmp(have->etag, want->etag) != 0 ||
        !hex_to((str){want->etag, MD5_HEX}, digest))
        return S3_BAD_PART;
    if (want->sum.kind != CHECKSUM_NONE && want->sum.kind == have->sum.kind &&
        strcmp(want->sum.text, have->sum.text) != 0)
        return S3_BAD_PART;
    return !last && have->bytes < STORE_PART_BYTES_MIN ? S3_ENTITY_TOO_SMALL : S3_OK;
}

/* Fills in what the index knows of the parts that are wanted, and joins their checksums. */
static enum s3_code match_parts(struct upload_op *p, const struct part *have, size_t n,
                                struct hasher *md5, struct sum_join *join)
{
    size_t at = 0;

    p->o.bytes = 0;
    for (size_t i = 0; i < p->want_n; i++) {
        struct part *w = &p->want[i];
        uint8_t digest[MD5_BYTES];
        enum s3_code code;
        while (at < n && have[at].number < w->number)
            at++;
        code = at == n ? S3_BAD_PART : match_part(w, &have[at], i + 1 == p->want_n);
        if (code)
            return code;
        (void)hex_to((str){w->etag, MD5_HEX}, digest);
        *w = have[at];
        p->o.bytes += w->bytes;
        hasher_add(md5, digest, sizeof digest);
        if (join)
            sum_join_add(join, &w->sum, w->bytes);
    }
    return p->o.bytes > p->c->s->object_bytes_max ? S3_ENTITY_TOO_LARGE : S3_OK;
}

/* The tag of the whole is the MD5 of the parts' MD5s, a dash, and their number. */
static enum s3_code join_parts(struct upload_op *p, const struct part *have, size_t n)
{
    uint8_t digest[MD5_BYTES];
    struct hasher md5;
    struct sum_join join;
    bool sums = p->u.sum_kind != CHECKSUM_NONE;
    enum s3_code code;

    if (md5_init(&md5, &p->c->err))
        return S3_INTERNAL;
    if (sums && sum_join_init(&join, p->u.sum_kind, p->u.sum_composite, &p->c->err)) {
        hasher_done(&md5);
        return S3_INTERNAL;
    }
    code = match_parts(p, have, n, &md5, sums ? &join : NULL);
    hasher_final(&md5, digest);
    hex_of(digest, sizeof digest, p->o.etag);
    snprintf(p->o.etag + MD5_HEX, sizeof p->o.etag - MD5_HEX, "-%zu", p->want_n);
    p->o.sum = (struct sum){0};
    if (sums)
        sum_join_final(&join, &p->o.sum);
    if (!code && p->claim.kind != CHECKSUM_NONE && p->claim.kind == p->o.sum.kind &&
        strcmp(p->claim.text, p->o.sum.text) != 0)
        code = S3_BAD_DIGEST;
    return code;
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
    code = join_parts(p, have, n);
    if (!code)
        rc = put_if_check(&p->cond, tx, p->b.id, p->c->key, &code, e);
    if (rc)
        return rc;
    if (code)
        return refuse(op, &p->refused, code);
    p->o.kind = DATA_PIECES;
    p->o.type = p->u.type;
    p->o.meta = p->u.meta;
    p->o.tags = p->u.tags;
    p->o.acl = p->u.acl;
    p->o.modified_ms = os_now_ms();
    return index_complete(tx, &p->b, &p->u, &p->o, p->want, p->want_n, &p->freed, e);
}

static void put_location(struct call *c, struct buf *b)
{
    str host = http_header(c->r, "host");

    buf_puts(b, "<Location>http://");
    xml_escape(b, host);
    buf_putc(b, '/');
    if (!c->virtual_host) {
        sigv4_encode(b, c->bucket, false);
        buf_putc(b, '/');
    }
    sigv4_encode(b, c->key, true);
    buf_puts(b, "</Location>");
}

/* x-amz-checksum-*: of the whole, not of the XML, which has no checksum of its own then. */
static void read_claim(struct upload_op *p)
{
    str name, value;

    for (size_t i = 0; http_header_at(p->c->r, i, &name, &value); i++) {
        enum checksum_kind k = checksum_of_header(name);
        if (k == CHECKSUM_NONE || k == CHECKSUM_UNKNOWN)
            continue;
        p->claim.kind = k;
        snprintf(p->claim.text, sizeof p->claim.text, "%.*s",
                 STR_F(str_sub(value, 0, SUM_TEXT - 1)));
    }
}

enum s3_code op_upload_complete(struct call *c)
{
    struct upload_op p = {.op.apply = apply_complete, .c = c};
    struct buf b;
    str body;
    enum s3_code code = read_upload_id(&p);

    if (!code)
        code = put_if_read(c, &p.cond);
    read_claim(&p);
    c->sum_elsewhere = true;
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
    headers_version(c, &p.o);
    buf_init(&b, 16 << 10);
    xml_begin(&b, "CompleteMultipartUploadResult");
    put_location(c, &b);
    xml_text(&b, "Bucket", c->bucket);
    xml_text(&b, "Key", c->key);
    xml_etag(&b, str_of(p.o.etag));
    if (p.o.sum.kind != CHECKSUM_NONE) {
        xml_text(&b, checksum_element(p.o.sum.kind), str_of(p.o.sum.text));
        xml_text(&b, "ChecksumType", p.o.sum.composite ? STR("COMPOSITE") : STR("FULL_OBJECT"));
    }
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
    xml_owner(&b, "Initiator");
    xml_owner(&b, "Owner");
    buf_puts(&b, "<StorageClass>STANDARD</StorageClass>");
    if (truncated)
        n = (size_t)max;
    for (size_t i = 0; i < n; i++) {
        buf_puts(&b, "<Part>");
        xml_u64(&b, "PartNumber", parts[i].number);
        xml_time(&b, "LastModified", parts[i].modified_ms);
        xml_etag(&b, str_of(parts[i].etag));
        xml_u64(&b, "Size", parts[i].bytes);
        if (parts[i].sum.kind != CHECKSUM_NONE)
            xml_text(&b, checksum_element(parts[i].sum.kind), str_of(parts[i].sum.text));
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
