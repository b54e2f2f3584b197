/* upload.c - a stream of unknown length as a multipart upload.
 *
 * States:  open --first full part--> parts --commit--> done;  open --commit--> done by a plain put.
 * One part is held in memory; a stream that fits into it never becomes a multipart upload.
 */
#include "s3/client_int.h"

#include "base/mem.h"
#include "base/vec.h"
#include "s3/xml.h"

enum { COMPLETE_BYTES_MAX = 4 << 20 };

struct s3_upload {
    struct s3 *s;
    char *key, *type;
    char *part; /* S3_PART_BYTES */
    size_t filled;
    uint64_t bytes;
    char id[S3_UPLOAD_ID_MAX + 1]; /* encoded for a query; "" until the first full part */
    VEC(struct s3_etag) parts;
    bool finished;
};

enum rc s3_upload_open(struct s3_upload **ret, struct s3 *s, const char *key, const char *type,
                       struct err *e)
{
    struct s3_upload *u = mem_zalloc(sizeof *u);

    if (!u)
        return err_set(e, RC_NOMEM, "out of memory");
    u->s = s;
    u->key = mem_strndup(key, strlen(key));
    u->type = mem_strndup(type ? type : "", type ? strlen(type) : 0);
    u->part = mem_alloc(S3_PART_BYTES);
    if (!u->key || !u->type || !u->part) {
        u->finished = true;
        s3_upload_free(u);
        return err_set(e, RC_NOMEM, "out of memory");
    }
    *ret = u;
    return RC_OK;
}

/* The text of the first element `name` of a reply whose root is `root`; empty if there is none. */
static enum rc reply_field(str body, const char *root, const char *name, struct buf *out,
                           struct err *e)
{
    struct xml x;
    enum xml_event ev;
    enum rc rc;
    str s;

    xml_init(&x, body);
    rc = xml_next(&x, &ev, e);
    if (!rc && !str_is(x.name, root))
        rc = err_set(e, RC_UPSTREAM, "object store: <%.*s> came for <%s>: %.*s", STR_F(x.name),
                     root, STR_F(str_sub(body, 0, 300)));
    while (!rc && !out->n && !(rc = xml_next(&x, &ev, e)) && ev != XML_END) {
        if (ev != XML_OPEN || !str_is(x.name, name))
            continue;
        rc = xml_leaf(&x, &s, e);
        if (!rc)
            buf_str(out, s);
    }
    xml_done(&x);
    if (!rc && out->rc)
        rc = err_set(e, RC_UPSTREAM, "object store: no usable <%s> in the reply", name);
    return rc;
}

enum rc s3_upload_begin(struct s3 *s, const char *key, const char *type,
                        char ret_id[S3_UPLOAD_ID_MAX + 1], struct err *e)
{
    char header[160];
    struct buf reply, id, encoded;
    struct transfer t = {.method = HTTP_POST, .headers = {header}, .out = &reply};
    struct client_reply r;
    enum rc rc;

    snprintf(header, sizeof header, "Content-Type: %s",
             type && *type ? type : "application/octet-stream");
    buf_init(&reply, S3_ERROR_BYTES_MAX);
    buf_init(&id, S3_UPLOAD_ID_MAX);
    buf_init(&encoded, S3_UPLOAD_ID_MAX);
    rc = s3_do(s, &t, key, "uploads=", &r, e);
    if (!rc)
        rc = reply_field(buf_view(&reply), "InitiateMultipartUploadResult", "UploadId", &id, e);
    if (!rc && !id.n)
        rc = err_set(e, RC_UPSTREAM, "object store: %s: an upload began without an id", key);
    if (!rc) {
        sigv4_encode(&encoded, buf_view(&id), false);
        rc = buf_ok(&encoded, e);
    }
    if (!rc)
        memcpy(ret_id, encoded.p, encoded.n + 1);
    buf_done(&reply);
    buf_done(&id);
    buf_done(&encoded);
    return rc;
}

static enum rc send_part(struct s3_upload *u, struct err *e)
{
    char query[S3_UPLOAD_ID_MAX + 64];
    char sum[S3_MD5_HEADER];
    struct transfer t = {
        .method = HTTP_PUT, .headers = {sum}, .body = {u->part, u->filled}, .timeout_ms = -1};
    struct client_reply r;
    struct s3_etag tag = {{0}};
    uint8_t md5[MD5_BYTES];
    enum rc rc = u->id[0] ? RC_OK : s3_upload_begin(u->s, u->key, u->type, u->id, e);

    if (!rc && u->parts.n == S3_PARTS_MAX)
        rc = err_set(e, RC_TOO_LARGE, "'%s': an upload has at most %d parts of %d MiB", u->key,
                     S3_PARTS_MAX, S3_PART_BYTES >> 20);
    if (!rc)
        rc = s3_md5(t.body, md5, e);
    if (rc)
        return rc;
    s3_md5_header(md5, sum);
    snprintf(query, sizeof query, "partNumber=%zu&uploadId=%s", u->parts.n + 1, u->id);
    rc = s3_do(u->s, &t, u->key, query, &r, e);
    if (!rc)
        rc = s3_check_put(u->s, u->key, md5, r.etag, e);
    if (!rc && !r.etag[0])
        rc = err_set(e, RC_UPSTREAM, "object store: %s: a part was taken without an ETag", u->key);
    if (rc)
        return rc;
    memcpy(tag.text, r.etag, sizeof tag.text);
    if (!VEC_PUSH(&u->parts, tag))
        return err_set(e, RC_NOMEM, "out of memory");
    u->filled = 0;
    return RC_OK;
}

enum rc s3_upload_write(struct s3_upload *u, const void *p, size_t n, struct err *e)
{
    const char *from = p;
    enum rc rc = RC_OK;

    ASSERT(!u->finished);
    while (!rc && n) {
        size_t room = S3_PART_BYTES - u->filled, take = n < room ? n : room;
        memcpy(u->part + u->filled, from, take);
        u->filled += take;
        u->bytes += take;
        from += take;
        n -= take;
        if (u->filled == S3_PART_BYTES)
            rc = send_part(u, e);
    }
    return rc;
}

/* A repeated request whose first answer was lost finds the upload gone: then the object is there,
 * of our length and number of parts. */
static enum rc committed_after_all(struct s3 *s, const char *key, size_t n, uint64_t bytes,
                                   struct s3_stat *ret, struct err *e)
{
    struct s3_stat st;
    struct err quiet;
    char suffix[16];

    snprintf(suffix, sizeof suffix, "-%zu", n);
    if (s3_head(s, key, &st, &quiet) || st.bytes != bytes ||
        !str_ends(str_of(st.etag), str_of(suffix)))
        return e ? e->rc : RC_NOT_FOUND;
    *ret = st;
    return RC_OK;
}

enum rc s3_upload_end(struct s3 *s, const char *key, const char *id, const struct s3_etag *parts,
                      size_t n, uint64_t bytes, struct s3_stat *ret, struct err *e)
{
    char query[S3_UPLOAD_ID_MAX + 64];
    struct buf body, reply, tag;
    struct transfer t = {.method = HTTP_POST, .timeout_ms = -1, .out = &reply};
    struct client_reply r;
    enum rc rc;

    buf_init(&body, COMPLETE_BYTES_MAX);
    buf_init(&reply, S3_ERROR_BYTES_MAX);
    buf_init(&tag, 256);
    buf_puts(&body, "<CompleteMultipartUpload>");
    for (size_t i = 0; i < n; i++) {
        buf_printf(&body, "<Part><PartNumber>%zu</PartNumber><ETag>&quot;", i + 1);
        xml_escape(&body, str_of(parts[i].text));
        buf_puts(&body, "&quot;</ETag></Part>");
    }
    buf_puts(&body, "</CompleteMultipartUpload>");
    snprintf(query, sizeof query, "uploadId=%s", id);
    t.body = buf_view(&body);
    rc = buf_ok(&body, e);
    if (!rc)
        rc = s3_do(s, &t, key, query, &r, e);
    if (!rc) /* S3 may fail after it has said 200: then the root is <Error> */
        rc = reply_field(buf_view(&reply), "CompleteMultipartUploadResult", "ETag", &tag, e);
    if (!rc && !tag.n) { /* radosgw leaves it empty */
        rc = s3_head(s, key, ret, e);
    } else if (!rc) {
        str text = buf_view(&tag);
        if (text.n >= 2 && text.p[0] == '"' && text.p[text.n - 1] == '"')
            text = str_sub(text, 1, text.n - 2);
        ret->bytes = bytes;
        snprintf(ret->etag, sizeof ret->etag, "%.*s", STR_F(text));
    } else if (rc == RC_NOT_FOUND) {
        rc = committed_after_all(s, key, n, bytes, ret, e);
    }
    buf_done(&body);
    buf_done(&reply);
    buf_done(&tag);
    return rc;
}

/* The whole stream fitted into one part. */
static enum rc put_whole(struct s3_upload *u, struct s3_stat *ret, struct err *e)
{
    enum rc rc = s3_put_checked(u->s, u->key, (str){u->part, u->filled}, u->type, ret->etag, e);

    if (!rc)
        ret->bytes = u->bytes;
    return rc;
}

enum rc s3_upload_commit(struct s3_upload *u, struct s3_stat *ret, struct err *e)
{
    struct s3_stat st = {0};
    enum rc rc = RC_OK;

    ASSERT(!u->finished);
    if (!u->id[0]) {
        rc = put_whole(u, &st, e);
    } else {
        if (u->filled)
            rc = send_part(u, e);
        if (!rc)
            rc = s3_upload_end(u->s, u->key, u->id, u->parts.p, u->parts.n, u->bytes, &st, e);
    }
    if (rc)
        return rc;
    u->finished = true;
    *ret = st;
    return RC_OK;
}

/* The store aborts what is left lying, in its own time. */
void s3_upload_abort(struct s3 *s, const char *key, const char *id)
{
    char query[S3_UPLOAD_ID_MAX + 64];
    struct transfer t = {.method = HTTP_DELETE, .accept_missing = true, .tries = 1};
    struct client_reply r;
    struct err ignored;

    snprintf(query, sizeof query, "uploadId=%s", id);
    if (s3_do(s, &t, key, query, &r, &ignored))
        ignored.text[0] = 0;
}

void s3_upload_free(struct s3_upload *u)
{
    if (!u)
        return;
    if (!u->finished && u->id[0])
        s3_upload_abort(u->s, u->key, u->id);
    mem_free(u->key);
    mem_free(u->type);
    mem_free(u->part);
    VEC_DONE(&u->parts);
    mem_free(u);
}
