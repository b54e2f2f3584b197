/* form.c - PostObject: an upload by a browser's form (multipart/form-data).
 *
 * Fields come first, the file last.  The signature is over the policy, a base64 text among the
 * fields, which says what the other fields may be; without a policy the request is anybody's. */
#include "base/base64.h"
#include "base/mem.h"
#include "s3/xml.h"
#include "store/form_policy.h"
#include "store/names.h"
#include "store/store_int.h"
#include "store/tags.h"

enum { FIELDS_MAX = 100, FIELDS_BYTES_MAX = 20 << 10 };

struct form {
    struct commit_op op; /* first */
    struct call *c;
    struct multipart *m;
    struct sigv4_pair fields[FIELDS_MAX];
    size_t n, bytes;
    str filename, file_type;
    uint64_t min, max, file_bytes;
    struct intake in;
    enum s3_code refused;
    struct freed_list freed;
};

static str field(const struct form *f, const char *name)
{
    return sigv4_find(f->fields, f->n, name);
}

static enum s3_code bad(struct form *f, const char *text)
{
    err_set(&f->c->err, RC_INVALID, "%s", text);
    return S3_MALFORMED_POST;
}

static enum s3_code code_of(struct form *f, enum rc rc)
{
    if (rc == RC_CANCELLED)
        return S3_INCOMPLETE_BODY;
    if (rc == RC_TIMEOUT)
        return S3_REQUEST_TIMEOUT;
    if (rc == RC_INVALID || rc == RC_HEADERS || rc == RC_UNSUPPORTED || rc == RC_LIMIT)
        return S3_MALFORMED_POST;
    return rc ? s3_code_of(f->c, rc) : S3_OK;
}

/* ---- fields */

static enum s3_code take_field(struct form *f, str name)
{
    struct call *c = f->c;
    struct buf b;
    char *lower;
    size_t n = 1;
    enum rc rc = RC_OK;

    if (f->n == FIELDS_MAX)
        return bad(f, "too many fields");
    lower = arena_cstr(c->a, name);
    if (!lower)
        return S3_INTERNAL;
    for (size_t i = 0; i < name.n; i++)
        lower[i] = (char)(lower[i] >= 'A' && lower[i] <= 'Z' ? lower[i] + 32 : lower[i]);
    if (field(f, lower).p)
        return bad(f, "a field stands there twice");
    buf_init(&b, FIELDS_BYTES_MAX);
    while (!rc && n && !b.rc) {
        char piece[2048];
        rc = multipart_read(f->m, piece, sizeof piece, &n, &c->err);
        if (!rc)
            buf_add(&b, piece, n);
    }
    f->bytes += b.n + name.n;
    if (!rc && (b.rc || f->bytes > FIELDS_BYTES_MAX)) {
        buf_done(&b);
        return bad(f, "the fields before the file have more than 20 KiB");
    }
    f->fields[f->n].name = (str){lower, name.n};
    f->fields[f->n].value = arena_str(c->a, buf_view(&b));
    if (!rc && !f->fields[f->n++].value.p)
        rc = err_set(&c->err, RC_NOMEM, "out of memory");
    buf_done(&b);
    return code_of(f, rc);
}

/* Up to the file, whose bytes wait. */
static enum s3_code take_fields(struct form *f)
{
    struct call *c = f->c;
    enum s3_code code = S3_OK;

    while (!code) {
        bool more;
        str name, filename, type;
        enum rc rc = multipart_next(f->m, &more, &name, &filename, &type, &c->err);
        if (rc)
            return code_of(f, rc);
        if (!more)
            return bad(f, "the form has no file");
        if (str_ieq(name, STR("file"))) {
            f->filename = arena_str(c->a, filename);
            f->file_type = arena_str(c->a, type);
            return f->filename.p && f->file_type.p ? S3_OK : S3_INTERNAL;
        }
        code = take_field(f, name);
    }
    return code;
}

/* ${filename} in the key is the name that the browser gave the file, without folders. */
static enum s3_code take_key(struct form *f)
{
    str key = field(f, "key"), mark = STR("${filename}"), name = f->filename;
    ptrdiff_t at = str_find(key, mark), slash;
    struct call *c = f->c;

    while ((slash = str_rchr(name, '/')) >= 0 || (slash = str_rchr(name, '\\')) >= 0)
        name = str_sub(name, (size_t)slash + 1, name.n);
    if (at >= 0) {
        const char *p = arena_printf(c->a, "%.*s%.*s%.*s", (int)at, key.p, STR_F(name),
                                     STR_F(str_sub(key, (size_t)at + mark.n, key.n)));
        key = str_of(p);
    }
    c->key = key;
    if (key.n > STORE_KEY_BYTES_MAX)
        return S3_KEY_TOO_LONG;
    return key_ok(key) ? S3_OK : bad(f, "the form needs a key");
}

/* ---- signature and policy */

static enum s3_code check_signature(struct form *f, str policy)
{
    struct call *c = f->c;
    str credential = field(f, "x-amz-credential"), part[4], key = credential;
    str claimed = field(f, "x-amz-signature");
    uint8_t signing[SHA256_BYTES], mac[SHA256_BYTES];
    char got[SHA256_HEX + 1];

    if (!str_is(field(f, "x-amz-algorithm"), "AWS4-HMAC-SHA256") || !claimed.n)
        return bad(f, "x-amz-algorithm must be AWS4-HMAC-SHA256, with an x-amz-signature");
    for (int i = 3; i >= 0; i--) {
        ptrdiff_t at = str_rchr(key, '/');
        if (at < 0)
            return bad(f, "x-amz-credential must read KEY/DATE/REGION/s3/aws4_request");
        part[i] = str_sub(key, (size_t)at + 1, key.n);
        key = str_sub(key, 0, (size_t)at);
    }
    if (part[0].n != 8 || !str_is(part[1], c->s->region) || !str_is(part[2], "s3") ||
        !str_is(part[3], "aws4_request"))
        return bad(f, "x-amz-credential is for another day, region or service");
    c->who = identities_find(c->s->identities, key, part[0], signing);
    if (!c->who)
        return S3_BAD_KEY_ID;
    hmac_sha256((str){(const char *)signing, sizeof signing}, policy, mac);
    hex_of(mac, sizeof mac, got);
    if (claimed.n != SHA256_HEX || !same_bytes(claimed.p, got, SHA256_HEX)) {
        store_count(c->s, COUNT_DENIED, 1);
        return S3_SIGNATURE_MISMATCH;
    }
    return S3_OK;
}

static enum s3_code check_policy(struct form *f)
{
    struct call *c = f->c;
    str policy = field(f, "policy");
    struct buf json;
    enum s3_code code;
    enum rc rc;

    f->max = c->s->object_bytes_max;
    if (!policy.p)
        return S3_OK;
    code = check_signature(f, policy);
    if (code)
        return code;
    if (f->n == FIELDS_MAX)
        return bad(f, "too many fields");
    if (!field(f, "bucket").p) /* conditions may name it, the form need not */
        f->fields[f->n++] = (struct sigv4_pair){STR("bucket"), c->bucket};
    buf_init(&json, FIELDS_BYTES_MAX);
    rc = base64_read(policy, &json, &c->err);
    if (!rc)
        rc = form_policy_check(c->a, buf_view(&json), f->fields, f->n, os_now_ms(), &f->min,
                               &f->max, &c->err);
    buf_done(&json);
    if (rc == RC_FORBIDDEN)
        return S3_ACCESS_DENIED;
    return rc == RC_INVALID || rc == RC_TOO_LARGE ? S3_BAD_POLICY_DOCUMENT : code_of(f, rc);
}

/* ---- the object */

static enum rc apply(struct commit_op *op, struct tx *tx, struct err *e)
{
    struct form *f = (struct form *)op;
    struct bucket b;
    enum rc rc = index_bucket(tx, f->c->bucket, &b, e);

    f->freed.n = 0;
    if (rc == RC_NOT_FOUND)
        return refuse(op, &f->refused, S3_NO_SUCH_BUCKET);
    return rc ? rc : index_put(tx, &b, f->c->key, &f->in.o, &f->in.d, &f->freed, e);
}

/* What the fields say of the object, under the names of the headers that say the same. */
static enum s3_code keep(struct form *f, struct object *o)
{
    struct call *c = f->c;

    for (size_t i = 0; i < f->n; i++) {
        struct sigv4_pair *p = &f->fields[i];
        if (str_is(p->name, "acl")) {
            p->name = STR("x-amz-acl");
        } else if (str_is(p->name, "tagging")) {
            bool xml;
            if (tags_of_xml(c->a, p->value, TAGS_OBJECT_MAX, &p->value, &xml, &c->err))
                return xml ? S3_MALFORMED_XML : S3_BAD_TAG;
            p->name = STR("x-amz-tagging");
        }
        for (size_t k = 0; k < p->value.n; k++) /* it becomes a header of replies */
            if ((unsigned char)p->value.p[k] < ' ' && !str_is(p->name, "policy") &&
                !str_is(p->name, "key"))
                return bad(f, "a field has a control character in it");
    }
    if (!field(f, "content-type").p && f->file_type.n && f->n < FIELDS_MAX)
        f->fields[f->n++] = (struct sigv4_pair){STR("content-type"), f->file_type};
    c->fields = f->fields;
    c->field_n = f->n;
    return headers_keep(c, o);
}

static enum s3_code fill(void *ud, char *p, size_t cap, size_t *ret_n)
{
    struct form *f = ud;
    struct call *c = f->c;
    enum rc rc = multipart_read(f->m, p, cap, ret_n, &c->err);

    if (rc)
        return code_of(f, rc);
    f->file_bytes += *ret_n;
    if (f->file_bytes > f->max)
        return S3_ENTITY_TOO_LARGE;
    if (!*ret_n && f->file_bytes < f->min)
        return S3_ENTITY_TOO_SMALL;
    store_count(c->s, COUNT_BYTES_IN, *ret_n);
    return S3_OK;
}

static void put_location(struct call *c, struct buf *b)
{
    buf_printf(b, "http://%.*s/", STR_F(http_header(c->r, "host")));
    if (!c->virtual_host)
        buf_printf(b, "%.*s/", STR_F(c->bucket));
    sigv4_encode(b, c->key, true);
}

static void reply(struct form *f)
{
    struct call *c = f->c;
    str redirect = field(f, "success_action_redirect"), status = field(f, "success_action_status");
    char etag[INDEX_ETAG_MAX + 2];
    struct buf b, url;

    snprintf(etag, sizeof etag, "\"%s\"", f->in.o.etag);
    put_headers(c, &f->in.o);
    buf_init(&url, 16 << 10);
    if (str_starts(redirect, STR("http://")) || str_starts(redirect, STR("https://"))) {
        buf_printf(&url, "%.*s%cbucket=%.*s&key=", STR_F(redirect),
                   str_chr(redirect, '?') < 0 ? '?' : '&', STR_F(c->bucket));
        sigv4_encode(&url, c->key, false);
        buf_puts(&url, "&etag=");
        sigv4_encode(&url, str_of(etag), false);
        if (!url.rc)
            http_add_header(c->r, "Location", url.p);
        reply_empty(c, 303);
    } else {
        put_location(c, &url);
        if (!url.rc)
            http_add_header(c->r, "Location", url.p);
        if (!str_is(status, "201")) {
            reply_empty(c, str_is(status, "200") ? 200 : 204);
        } else {
            buf_init(&b, 16 << 10);
            buf_puts(&b, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<PostResponse>");
            xml_text(&b, "Location", buf_view(&url));
            xml_text(&b, "Bucket", c->bucket);
            xml_text(&b, "Key", c->key);
            xml_etag(&b, str_of(f->in.o.etag));
            buf_puts(&b, "</PostResponse>");
            http_add_header(c->r, "x-amz-request-id", http_request_id(c->r));
            http_reply_buf(c->r, 201, "application/xml", &b);
        }
    }
    buf_done(&url);
}

static enum s3_code store_file(struct form *f, const struct object *o)
{
    struct call *c = f->c;
    enum s3_code code = intake_fill(&f->in, c, -1, CHECKSUM_CRC64NVME, fill, f);

    f->in.o.type = o->type;
    f->in.o.meta = o->meta;
    f->in.o.tags = o->tags;
    f->in.o.acl = o->acl;
    if (!code) {
        code = call_commit(c, &f->op, &f->refused);
        f->in.keep = !code || f->op.unsure;
    }
    if (!code)
        files_remove(c->s->files, &f->freed);
    VEC_DONE(&f->freed);
    if (!code)
        reply(f);
    intake_done(&f->in);
    return code;
}

enum s3_code op_form(struct call *c)
{
    struct form *f = ARENA_NEW(c->a, struct form);
    struct object o = {0};
    enum s3_code code;

    if (!f)
        return S3_INTERNAL;
    f->op.apply = apply;
    f->c = c;
    http_body_limit(c->r, c->s->object_bytes_max + (1 << 20));
    code = code_of(f, multipart_open(&f->m, c->r, &c->err));
    if (!code)
        code = take_fields(f);
    if (!code)
        code = take_key(f);
    if (!code) /* as the object will be called: a condition on the key is on that */
        for (size_t i = 0; i < f->n; i++)
            if (str_is(f->fields[i].name, "key"))
                f->fields[i].value = c->key;
    if (!code)
        code = check_policy(f);
    if (!code)
        code = call_may(c, ACTION_PUT_OBJECT, c->bucket, c->key);
    if (!code)
        code = keep(f, &o);
    return code ? code : store_file(f, &o);
}
