/* body.c - the body of a request: out of the aws-chunked framing if it is in one, and checked
 * against every digest that came with it, before its end is told.
 *
 * What may be claimed: x-amz-content-sha256, Content-MD5, x-amz-checksum-* (header or trailer),
 * x-amz-decoded-content-length, the signatures of chunks.
 */
#include "base/mem.h"
#include "store/checksum.h"
#include "store/chunked.h"
#include "store/store_int.h"

struct body {
    struct call *call;
    uint64_t bytes, bytes_max;
    int64_t length; /* of the decoded body; -1: unknown */
    bool framed;
    struct chunked chunked;
    char *raw; /* framed bytes that wait */
    size_t raw_at, raw_n;
    bool has_sha, has_md5;
    struct hasher sha, md5;
    str want_sha, want_md5;
    struct checksum checksum; /* claimed */
    str want_checksum;        /* of a header, or: */
    const char *trailer;      /* its name */
    struct checksum wanted;   /* by our side, where it is of another kind */
    enum checksum_kind sum_kind;
    struct sum sum;               /* of sum_kind, at the end */
    uint8_t digest[SHA256_BYTES]; /* where has_sha, at the end */
};

static enum s3_code bad(struct call *c, enum s3_code code, enum rc rc, const char *text)
{
    err_set(&c->err, rc, "%s", text);
    return code;
}

/* ---- what is claimed */

static enum s3_code open_sha256(struct body *b)
{
    struct call *c = b->call;
    str payload = c->auth.payload;
    bool is_signed, trailer;

    if (str_is(payload, "UNSIGNED-PAYLOAD"))
        return S3_OK;
    if (chunked_form(payload, &is_signed, &trailer)) {
        b->framed = true;
        return S3_OK;
    }
    if (str_starts(payload, STR("STREAMING-")))
        return bad(c, S3_NOT_IMPLEMENTED, RC_UNIMPLEMENTED, "this form of a signed body");
    if (!is_sha256_hex(payload))
        return bad(c, S3_BAD_ARGUMENT, RC_INVALID,
                   "x-amz-content-sha256 must be 64 hexadecimal digits or UNSIGNED-PAYLOAD");
    b->has_sha = true;
    b->want_sha = payload;
    return sha256_init(&b->sha, &c->err) ? S3_INTERNAL : S3_OK;
}

static enum s3_code open_md5(struct body *b)
{
    str md5 = http_header(b->call->r, "content-md5");

    if (!md5.p)
        return S3_OK;
    if (md5.n != 24 || !str_ends(md5, STR("==")))
        return S3_INVALID_DIGEST;
    b->has_md5 = true;
    b->want_md5 = md5;
    return md5_init(&b->md5, &b->call->err) ? S3_INTERNAL : S3_OK;
}

enum checksum_kind body_claims(struct call *c)
{
    enum checksum_kind kind = CHECKSUM_NONE, k;
    str name, value;

    for (size_t i = 0; http_header_at(c->r, i, &name, &value); i++) {
        k = checksum_of_header(str_ieq(name, STR("x-amz-trailer")) ? str_trim(value) : name);
        if (k != CHECKSUM_NONE)
            kind = k;
    }
    return kind;
}

static enum s3_code open_checksum(struct body *b)
{
    struct call *c = b->call;
    enum checksum_kind kind = CHECKSUM_NONE;
    str name, value;

    for (size_t i = 0; !c->sum_elsewhere && http_header_at(c->r, i, &name, &value); i++) {
        enum checksum_kind k = checksum_of_header(name);
        if (str_ieq(name, STR("x-amz-trailer"))) {
            value = str_trim(value);
            k = checksum_of_header(value);
            b->trailer = arena_cstr(c->a, value);
            if (!b->trailer)
                return S3_INTERNAL;
            for (char *p = (char *)(uintptr_t)b->trailer; *p; p++)
                *p = (char)(*p >= 'A' && *p <= 'Z' ? *p + 32 : *p);
        } else if (k != CHECKSUM_NONE) {
            b->want_checksum = value;
        }
        if (k == CHECKSUM_UNKNOWN)
            return bad(c, S3_BAD_REQUEST, RC_INVALID,
                       "the checksums are CRC32, CRC32C, CRC64NVME, SHA1 and SHA256");
        if (k != CHECKSUM_NONE && kind != CHECKSUM_NONE)
            return bad(c, S3_BAD_REQUEST, RC_INVALID, "expecting a single x-amz-checksum- header");
        if (k != CHECKSUM_NONE)
            kind = k;
    }
    if (b->sum_kind != CHECKSUM_NONE && b->sum_kind != kind &&
        checksum_init(&b->wanted, b->sum_kind, &c->err))
        return S3_INTERNAL;
    if (kind == CHECKSUM_NONE)
        return S3_OK;
    return checksum_init(&b->checksum, kind, &c->err) ? S3_INTERNAL : S3_OK;
}

static enum s3_code open_frame(struct body *b)
{
    struct call *c = b->call;
    str text = http_header(c->r, "x-amz-decoded-content-length");
    uint64_t n;
    enum rc rc;

    if (!b->framed)
        return S3_OK;
    if (!str_u64(text, &n) || n > INT64_MAX)
        return bad(c, S3_MISSING_SECURITY_HEADER, RC_INVALID,
                   "x-amz-decoded-content-length is missing or not a length");
    b->length = (int64_t)n;
    rc = chunked_init(&b->chunked, &c->auth, str_of(c->s->region), &c->err);
    if (!rc) {
        b->raw = mem_alloc(STORE_CHUNK_BYTES);
        if (!b->raw)
            rc = err_set(&c->err, RC_NOMEM, "out of memory");
    }
    return rc ? s3_code_of(c, rc) : S3_OK;
}

enum s3_code body_open(struct body **ret, struct call *c, uint64_t bytes_max,
                       enum checksum_kind sum)
{
    struct body *b = mem_zalloc(sizeof *b);
    enum s3_code code;

    if (!b)
        return S3_INTERNAL;
    b->call = c;
    b->bytes_max = bytes_max;
    b->sum_kind = sum;
    b->length = http_content_length(c->r);
    code = open_sha256(b);
    if (!code)
        code = open_md5(b);
    if (!code)
        code = open_checksum(b);
    if (!code)
        code = open_frame(b);
    if (!code && b->length >= 0 && (uint64_t)b->length > bytes_max)
        code = S3_ENTITY_TOO_LARGE;
    if (code) {
        body_close(b);
        return code;
    }
    /* Framing adds some 90 bytes to a chunk, and nobody frames single bytes. */
    http_body_limit(c->r, b->framed ? 2 * bytes_max + (1 << 20) : bytes_max);
    *ret = b;
    return S3_OK;
}

void body_close(struct body *b)
{
    if (!b)
        return;
    if (b->framed)
        chunked_done(&b->chunked);
    if (b->has_sha)
        hasher_done(&b->sha);
    if (b->has_md5)
        hasher_done(&b->md5);
    checksum_done(&b->checksum);
    checksum_done(&b->wanted);
    mem_free(b->raw);
    mem_free(b);
}

const uint8_t *body_sha256(const struct body *b)
{
    return b->has_sha ? b->digest : NULL;
}

int64_t body_length(const struct body *b)
{
    return b->length;
}

/* ---- reading */

static enum s3_code raw_read(struct body *b, void *p, size_t cap, size_t *ret_n)
{
    struct call *c = b->call;
    enum rc rc = http_body_read(c->r, p, cap, ret_n, &c->err);

    if (rc == RC_CANCELLED)
        return S3_INCOMPLETE_BODY;
    if (rc == RC_TIMEOUT)
        return S3_REQUEST_TIMEOUT;
    return rc ? s3_code_of(c, rc) : S3_OK;
}

static enum s3_code framed_read(struct body *b, void *p, size_t cap, size_t *ret_n)
{
    struct call *c = b->call;
    str data = {b->raw, 0};

    while (!data.n) {
        size_t used;
        enum rc rc;
        if (b->raw_at == b->raw_n) {
            enum s3_code code = raw_read(b, b->raw, STORE_CHUNK_BYTES, &b->raw_n);
            b->raw_at = 0;
            if (code)
                return code;
            if (!b->raw_n) {
                *ret_n = 0;
                return chunked_ended(&b->chunked) ? S3_OK : S3_INCOMPLETE_BODY;
            }
        }
        /* never more than the caller has room for */
        rc = chunked_feed(&b->chunked, b->raw + b->raw_at,
                          b->raw_n - b->raw_at < cap ? b->raw_n - b->raw_at : cap, &used, &data,
                          &c->err);
        if (rc)
            return rc == RC_FORBIDDEN ? S3_SIGNATURE_MISMATCH : s3_code_of(c, rc);
        b->raw_at += used;
    }
    memcpy(p, data.p, data.n);
    *ret_n = data.n;
    return S3_OK;
}

static enum s3_code check_sha(struct body *b)
{
    char got[SHA256_HEX + 1];

    if (!b->has_sha)
        return S3_OK;
    hasher_final(&b->sha, b->digest);
    hex_of(b->digest, sizeof b->digest, got);
    return str_ieq(b->want_sha, str_of(got)) ? S3_OK : S3_SHA_MISMATCH;
}

static enum s3_code check_md5(struct body *b)
{
    uint8_t digest[MD5_BYTES];
    char got[28];

    if (!b->has_md5)
        return S3_OK;
    hasher_final(&b->md5, digest);
    base64_of(digest, sizeof digest, got);
    return str_is(b->want_md5, got) ? S3_OK : S3_BAD_DIGEST;
}

static enum s3_code check_checksum(struct body *b)
{
    char got[CHECKSUM_TEXT];
    enum checksum_kind kind = b->checksum.kind;

    b->sum.kind = b->sum_kind;
    if (b->wanted.kind != CHECKSUM_NONE)
        checksum_final(&b->wanted, b->sum.text);
    if (kind == CHECKSUM_NONE)
        return S3_OK;
    if (b->trailer && b->framed)
        b->want_checksum = chunked_trailer(&b->chunked, b->trailer);
    checksum_final(&b->checksum, got);
    if (kind == b->sum_kind)
        memcpy(b->sum.text, got, sizeof got);
    return str_is(b->want_checksum, got) ? S3_OK : S3_BAD_DIGEST;
}

static enum s3_code check_all(struct body *b)
{
    enum s3_code code = S3_OK;

    if (b->length >= 0 && b->bytes != (uint64_t)b->length)
        return S3_INCOMPLETE_BODY;
    code = check_sha(b);
    if (!code)
        code = check_md5(b);
    return code ? code : check_checksum(b);
}

enum s3_code body_read(struct body *b, void *p, size_t cap, size_t *ret_n)
{
    size_t n = 0;
    enum s3_code code = b->framed ? framed_read(b, p, cap, &n) : raw_read(b, p, cap, &n);

    if (!code && !n)
        code = check_all(b);
    b->bytes += n;
    if (!code && b->bytes > b->bytes_max)
        code = S3_ENTITY_TOO_LARGE;
    if (code)
        return code;
    if (n) {
        if (b->has_sha)
            hasher_add(&b->sha, p, n);
        if (b->has_md5)
            hasher_add(&b->md5, p, n);
        checksum_add(&b->checksum, p, n);
        checksum_add(&b->wanted, p, n);
        store_count(b->call->s, COUNT_BYTES_IN, n);
    }
    *ret_n = n;
    return S3_OK;
}

void body_sum(const struct body *b, struct sum *ret)
{
    *ret = b->sum;
}

enum s3_code body_xml(struct call *c, str *ret)
{
    struct body *b;
    struct buf out;
    size_t n = 1;
    enum s3_code code = body_open(&b, c, STORE_XML_BYTES_MAX, CHECKSUM_NONE);

    if (code)
        return code == S3_ENTITY_TOO_LARGE ? S3_MALFORMED_XML : code;
    buf_init(&out, STORE_XML_BYTES_MAX);
    while (!code && n) {
        char piece[4096];
        code = body_read(b, piece, sizeof piece, &n);
        if (!code)
            buf_add(&out, piece, n);
    }
    if (!code && buf_ok(&out, &c->err))
        code = S3_INTERNAL;
    if (!code) {
        *ret = arena_str(c->a, buf_view(&out));
        if (!ret->p)
            code = S3_INTERNAL;
    }
    buf_done(&out);
    body_close(b);
    return code;
}
