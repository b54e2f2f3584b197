/* client.c - the S3 client: see s3.h.
 *
 * Every call presigns its URL, so the payload stands in no signature: verify.c looks after it.
 */
#include "s3/client_int.h"

#include "base/mem.h"
#include "os/os.h"
#include "s3/file_source.h"

enum {
    KEY_BYTES_MAX = 1024,
    SECRET_BYTES_MAX = 128,
    REGION_BYTES_MAX = 64,
    PUT_ONCE_BYTES_MAX = 64 << 20, /* a file up to this goes in one request */
    PING_MS = 2000
};

/* ---- opening */

static enum rc check_config(const struct s3_config *c, struct err *e)
{
    str end = str_of(c->endpoint);

    if (!str_starts(end, STR("http://")) && !str_starts(end, STR("https://")))
        return err_field(e, RC_INVALID, "S3_ENDPOINT", "'%s' must begin with http:// or https://",
                         c->endpoint ? c->endpoint : "");
    if (!c->bucket || !c->bucket[0])
        return err_field(e, RC_INVALID, "BUCKET_NAME", "no bucket is named");
    if (!c->access_key || !c->access_key[0])
        return err_field(e, RC_INVALID, "AWS_ACCESS_KEY_ID", "no access key is set");
    if (!c->secret_key || !c->secret_key[0] || str_of(c->secret_key).n > SECRET_BYTES_MAX)
        return err_field(e, RC_INVALID, "AWS_SECRET_ACCESS_KEY", "must have 1 to %d characters",
                         SECRET_BYTES_MAX);
    if (!c->region || !c->region[0] || str_of(c->region).n > REGION_BYTES_MAX)
        return err_field(e, RC_INVALID, "region", "must have 1 to %d characters", REGION_BYTES_MAX);
    return RC_OK;
}

/* The host as curl will send it: without the port that is the scheme's own. */
static enum rc set_origin(struct s3 *s, str endpoint, struct err *e)
{
    bool tls = str_starts(endpoint, STR("https"));
    size_t scheme = tls ? 8 : 7;
    str dflt = tls ? STR(":443") : STR(":80");
    struct buf b;
    size_t taken;

    while (endpoint.n > scheme && str_ends(endpoint, STR("/")))
        endpoint.n--;
    if (str_ends(endpoint, dflt))
        endpoint.n -= dflt.n;
    if (endpoint.n <= scheme || str_chr(str_sub(endpoint, scheme, endpoint.n), '/') >= 0 ||
        str_chr(endpoint, '@') >= 0 || str_chr(endpoint, '?') >= 0)
        return err_field(e, RC_INVALID, "S3_ENDPOINT",
                         "'%.*s' must be SCHEME://HOST[:PORT] without a path", STR_F(endpoint));
    buf_init(&b, S3_URL_BYTES_MAX);
    buf_str(&b, str_sub(endpoint, 0, scheme));
    if (s->config.virtual_host)
        buf_printf(&b, "%s.", s->config.bucket);
    buf_str(&b, str_sub(endpoint, scheme, endpoint.n));
    s->origin = buf_take(&b, &taken);
    buf_done(&b);
    if (!s->origin)
        return err_set(e, RC_NOMEM, "out of memory");
    s->host = str_of(s->origin + scheme);
    return RC_OK;
}

enum rc s3_open(struct s3 **ret, const struct s3_config *c, struct err *e)
{
    struct s3 *s;
    enum rc rc = check_config(c, e);

    if (rc)
        return rc;
    s = mem_zalloc(sizeof *s);
    if (!s)
        return err_set(e, RC_NOMEM, "out of memory");
    s->config = *c;
    s->keys = (struct sigv4_keys){str_of(c->access_key), str_of(c->secret_key), str_of(c->region),
                                  str_of(c->session_token)};
    rc = set_origin(s, str_of(c->endpoint), e);
    if (rc) {
        mem_free(s);
        return rc;
    }
    *ret = s;
    return RC_OK;
}

void s3_close(struct s3 *s)
{
    if (!s)
        return;
    mem_free(s->origin);
    mem_free(s);
}

/* ---- one call */

/* "." and ".." as segments would be folded away on the wire, and the signature with them. */
static enum rc check_key(const char *key, struct err *e)
{
    str rest = str_of(key), piece;

    if (!rest.n || rest.n > KEY_BYTES_MAX)
        return err_field(e, RC_INVALID, "key", "an object's key has 1 to %d bytes", KEY_BYTES_MAX);
    while (str_next(&rest, '/', &piece))
        if (str_is(piece, ".") || str_is(piece, ".."))
            return err_field(e, RC_INVALID, "key", "'.' and '..' are no parts of a key: '%s'", key);
    return RC_OK;
}

enum rc s3_presign(struct s3 *s, struct arena *a, enum http_method m, const char *key,
                   const char *query, int64_t seconds, const char **ret_url, struct err *e)
{
    struct buf path, url;
    const char *copy;
    enum rc rc = key ? check_key(key, e) : RC_OK;

    if (rc)
        return rc;
    buf_init(&path, S3_URL_BYTES_MAX);
    buf_init(&url, S3_URL_BYTES_MAX);
    if (!s->config.virtual_host) {
        buf_putc(&path, '/');
        sigv4_encode(&path, str_of(s->config.bucket), false);
    }
    if (key || s->config.virtual_host)
        buf_putc(&path, '/');
    if (key)
        sigv4_encode(&path, str_of(key), true);
    rc = buf_ok(&path, e);
    if (!rc)
        rc = sigv4_presign(a, &url, &s->keys,
                           &(struct sigv4_url){.method = str_of(http_method_name(m)),
                                               .origin = str_of(s->origin),
                                               .host = s->host,
                                               .path = buf_view(&path),
                                               .query = str_of(query),
                                               .seconds = seconds,
                                               .now_ms = os_now_ms()},
                           e);
    copy = rc ? NULL : arena_cstr(a, buf_view(&url));
    if (!rc && !copy)
        rc = err_set(e, RC_NOMEM, "out of memory");
    if (!rc)
        *ret_url = copy;
    buf_done(&path);
    buf_done(&url);
    return rc;
}

enum rc s3_do(struct s3 *s, struct transfer *t, const char *key, const char *query,
              struct client_reply *ret, struct err *e)
{
    struct arena a;
    enum rc rc;

    arena_init(&a, S3_CALL_ARENA_MAX);
    t->what = key ? key : s->config.bucket;
    rc = s3_presign(s, &a, t->method, key, query, S3_CALL_S, &t->url, e);
    if (!rc)
        rc = transfer_do(t, ret, e);
    arena_done(&a);
    return rc;
}

/* ---- buckets */

enum rc s3_ping(struct s3 *s, struct err *e)
{
    struct transfer t = {.method = HTTP_HEAD, .timeout_ms = PING_MS, .tries = 1};
    struct client_reply r;

    return s3_do(s, &t, NULL, NULL, &r, e);
}

enum rc s3_make_bucket(struct s3 *s, struct err *e)
{
    struct transfer head = {.method = HTTP_HEAD, .accept_missing = true};
    struct transfer put = {.method = HTTP_PUT};
    struct client_reply r;
    char body[256];
    enum rc rc = s3_do(s, &head, NULL, NULL, &r, e);

    if (rc || r.status != 404)
        return rc;
    if (strcmp(s->config.region, "us-east-1") != 0) { /* S3's default wants no constraint */
        snprintf(body, sizeof body,
                 "<CreateBucketConfiguration><LocationConstraint>%s</LocationConstraint>"
                 "</CreateBucketConfiguration>",
                 s->config.region);
        put.body = str_of(body);
    }
    rc = s3_do(s, &put, NULL, NULL, &r, e);
    if (rc == RC_CONFLICT) /* made meanwhile by another process of ours, or not ours at all */
        rc = s3_ping(s, e);
    return rc;
}

/* ---- objects */

static const char *type_header(const char *type, char *buf, size_t size)
{
    snprintf(buf, size, "Content-Type: %s", type && *type ? type : "application/octet-stream");
    return buf;
}

enum rc s3_put_checked(struct s3 *s, const char *key, str data, const char *type, char *ret_etag,
                       struct err *e)
{
    char header[160], sum[S3_MD5_HEADER];
    struct transfer t = {.method = HTTP_PUT,
                         .headers = {type_header(type, header, sizeof header), sum},
                         .body = data,
                         .timeout_ms = -1};
    struct client_reply r;
    uint8_t md5[MD5_BYTES];
    enum rc rc = s3_md5(data, md5, e);

    if (rc)
        return rc;
    s3_md5_header(md5, sum);
    rc = s3_do(s, &t, key, NULL, &r, e);
    if (!rc)
        rc = s3_check_put(s, key, md5, r.etag, e);
    if (!rc)
        memcpy(ret_etag, r.etag, sizeof r.etag);
    return rc;
}

enum rc s3_put(struct s3 *s, const char *key, str data, const char *type, struct err *e)
{
    struct s3_stat st;

    return s3_put_checked(s, key, data, type, st.etag, e);
}

enum rc s3_put_new(struct s3 *s, const char *key, str data, const char *type, bool *ret_existed,
                   struct err *e)
{
    char header[160], sum[S3_MD5_HEADER];
    struct transfer t = {
        .method = HTTP_PUT,
        .headers = {type_header(type, header, sizeof header), "If-None-Match: *", sum},
        .body = data,
        .timeout_ms = -1};
    struct client_reply r;
    uint8_t md5[MD5_BYTES];
    enum rc rc = s3_md5(data, md5, e);

    if (rc)
        return rc;
    s3_md5_header(md5, sum);
    rc = RC_CONFLICT;

    /* 409: another put of this key was in flight; S3 asks to try again. */
    for (int i = 0; rc == RC_CONFLICT && i < S3_TRIES; i++)
        rc = s3_do(s, &t, key, NULL, &r, e);
    if (!rc)
        rc = s3_check_put(s, key, md5, r.etag, e);
    if (rc && rc != RC_PRECONDITION)
        return rc;
    *ret_existed = rc == RC_PRECONDITION;
    return RC_OK;
}

/* The MD5 of a file that is about to be sent. */
static enum rc file_md5(struct file_source *f, uint8_t ret[MD5_BYTES], struct err *e)
{
    enum { CHUNK = 64 << 10 };
    char *chunk = mem_alloc(CHUNK);
    struct hasher h = {0};
    size_t n = 1;
    enum rc rc = chunk ? md5_init(&h, e) : err_set(e, RC_NOMEM, "out of memory");

    while (!rc && n) {
        rc = file_source_pull(f, chunk, CHUNK, &n, e);
        if (!rc)
            hasher_add(&h, chunk, n);
    }
    if (!rc)
        hasher_final(&h, ret);
    hasher_done(&h);
    mem_free(chunk);
    return rc ? rc : file_source_rewind(f, e);
}

static enum rc put_file_whole(struct s3 *s, const char *key, struct file_source *f,
                              const char *type, struct err *e)
{
    char header[160], sum[S3_MD5_HEADER];
    struct transfer t = {.method = HTTP_PUT,
                         .headers = {type_header(type, header, sizeof header), sum},
                         .source = file_source_pull,
                         .source_ud = f,
                         .source_bytes = (int64_t)f->bytes,
                         .rewind = file_source_rewind,
                         .timeout_ms = -1};
    struct client_reply r;
    uint8_t md5[MD5_BYTES];
    enum rc rc = file_md5(f, md5, e);

    if (rc)
        return rc;
    s3_md5_header(md5, sum);
    rc = s3_do(s, &t, key, NULL, &r, e);
    return rc ? rc : s3_check_put(s, key, md5, r.etag, e);
}

enum rc s3_put_file(struct s3 *s, const char *key, const char *path, const char *type,
                    struct err *e)
{
    struct file_source f;
    enum rc rc = file_source_open(&f, path, e);

    if (rc)
        return rc;
    rc = f.bytes > PUT_ONCE_BYTES_MAX ? s3_put_parts(s, key, path, f.bytes, type, e)
                                      : put_file_whole(s, key, &f, type, e);
    file_source_close(&f);
    return rc;
}

enum rc s3_get(struct s3 *s, const char *key, struct buf *out, struct err *e)
{
    struct transfer t = {.method = HTTP_GET, .out = out, .timeout_ms = -1};
    struct client_reply r;
    uint8_t md5[MD5_BYTES];
    enum rc rc = s3_do(s, &t, key, NULL, &r, e);

    if (!rc)
        rc = s3_md5(buf_view(out), md5, e);
    return rc ? rc : s3_check_get(s, key, md5, r.etag, e);
}

enum rc s3_get_range(struct s3 *s, const char *key, uint64_t at, size_t n, struct buf *out,
                     struct err *e)
{
    char range[80];
    struct transfer t = {.method = HTTP_GET, .headers = {range}, .out = out, .timeout_ms = -1};
    struct client_reply r;
    enum rc rc;

    if (!n || at > INT64_MAX || n - 1 > INT64_MAX - at)
        return err_set(e, RC_RANGE, "a range of %zu bytes from %llu is not one", n,
                       (unsigned long long)at);
    snprintf(range, sizeof range, "Range: bytes=%llu-%llu", (unsigned long long)at,
             (unsigned long long)(at + n - 1));
    rc = s3_do(s, &t, key, NULL, &r, e);
    if (!rc && r.status != 206)
        rc = err_set(e, RC_UPSTREAM, "object store: %s: a range was asked for, status %d came", key,
                     r.status);
    return rc;
}

enum rc s3_get_stream(struct s3 *s, const char *key, client_sink_fn sink, void *ud, struct err *e)
{
    struct s3_verify v;
    struct transfer t = {
        .method = HTTP_GET, .sink = s3_verify_sink, .sink_ud = &v, .timeout_ms = -1};
    struct client_reply r;
    enum rc rc = s3_verify_open(&v, sink, ud, e);

    if (rc)
        return rc;
    rc = s3_do(s, &t, key, NULL, &r, e);
    if (!rc)
        return s3_verify_end(&v, s, key, r.etag, e);
    s3_verify_drop(&v);
    return rc;
}

enum rc s3_head(struct s3 *s, const char *key, struct s3_stat *ret, struct err *e)
{
    struct transfer t = {.method = HTTP_HEAD};
    struct client_reply r;
    enum rc rc = s3_do(s, &t, key, NULL, &r, e);

    if (!rc && r.length < 0)
        rc = err_set(e, RC_UPSTREAM, "object store: %s: HEAD without a Content-Length", key);
    if (rc)
        return rc;
    ret->bytes = (uint64_t)r.length;
    memcpy(ret->etag, r.etag, sizeof ret->etag);
    return RC_OK;
}

enum rc s3_delete(struct s3 *s, const char *key, struct err *e)
{
    struct transfer t = {.method = HTTP_DELETE, .accept_missing = true};
    struct client_reply r;

    return s3_do(s, &t, key, NULL, &r, e);
}
