/* get.c - GET and HEAD of an object: the bytes come from a reader, which verifies each block. */
#include "base/log.h"
#include "base/mem.h"
#include "store/names.h"
#include "store/store_int.h"

struct read {
    struct object o;
    struct reader bytes; /* not for HEAD */
    bool taken;          /* by the reply */
};

static void read_done(struct read *g)
{
    if (!g->taken)
        reader_done(&g->bytes);
}

static enum s3_code look_up(struct call *c, struct read *g)
{
    struct tx *tx;
    int64_t bucket;
    enum s3_code code;
    enum rc rc = reader_pin(&g->bytes, c->s->files, c->s->disk.segments, &c->err);

    if (rc)
        return s3_code_of(c, rc);
    code = call_begin_read(c, &tx, &bucket);
    if (code)
        return code;
    rc = index_get(tx, c->a, bucket, c->key, &g->o, &c->err);
    if (!rc && http_method_of(c->r) != HTTP_HEAD)
        rc = reader_find(&g->bytes, tx, g->o.data, &c->err);
    tx_rollback(tx);
    if (rc == RC_NOT_FOUND) {
        c->err.text[0] = 0;
        return S3_NO_SUCH_KEY;
    }
    return rc ? s3_code_of(c, rc) : S3_OK;
}

/* ---- sending */

/* Logs what a reply can no longer tell. */
static void damaged(struct store *s, const char *bucket, const char *key, const struct err *e)
{
    if (e->rc == RC_CORRUPT)
        store_count(s, COUNT_DAMAGED_READS, 1);
    log_error("store: reading '%s' of bucket '%s': %s", key, bucket, e->text);
}

struct sending {
    struct store *s;
    struct reader bytes;
    uint64_t at;
    char bucket[64], key[STORE_KEY_BYTES_MAX + 1];
};

static bool send_some(void *ud, uint64_t at, void *p, size_t cap, size_t *ret_n)
{
    struct sending *x = ud;
    struct err e = {0};
    enum rc rc = reader_read(&x->bytes, x->at + at, p, cap, ret_n, &e);

    if (rc)
        damaged(x->s, x->bucket, x->key, &e);
    return !rc;
}

static void sent(void *ud)
{
    struct sending *x = ud;

    reader_done(&x->bytes);
    mem_free(x);
}

/* Before the reply has begun. */
static enum s3_code cannot_read(struct call *c, enum rc rc)
{
    char bucket[64], key[STORE_KEY_BYTES_MAX + 1];

    snprintf(bucket, sizeof bucket, "%.*s", STR_F(c->bucket));
    snprintf(key, sizeof key, "%.*s", STR_F(c->key));
    damaged(c->s, bucket, key, &c->err);
    return s3_code_of(c, rc == RC_CORRUPT ? RC_IO : rc);
}

static enum s3_code send_large(struct call *c, struct read *g, int status, const char *type,
                               uint64_t at, uint64_t n)
{
    struct sending *x;
    enum rc rc = reader_ready(&g->bytes, at, &c->err);

    if (rc)
        return cannot_read(c, rc);
    x = mem_alloc(sizeof *x);
    if (!x)
        return S3_INTERNAL;
    x->s = c->s;
    x->bytes = g->bytes;
    x->at = at;
    snprintf(x->bucket, sizeof x->bucket, "%.*s", STR_F(c->bucket));
    snprintf(x->key, sizeof x->key, "%.*s", STR_F(c->key));
    g->taken = true;
    http_reply_source(c->r, status, type, n, send_some, sent, x);
    return S3_OK;
}

/* Whole in memory: a wrong block is an answer, not a cut connection. */
static enum s3_code send_small(struct call *c, struct read *g, int status, const char *type,
                               uint64_t at, uint64_t n)
{
    struct buf b;
    size_t got = 0;
    enum rc rc = RC_OK;
    char *p;

    buf_init(&b, PACK_BYTES_MAX + 1);
    p = buf_grow(&b, (size_t)n);
    if (!p)
        rc = err_set(&c->err, RC_NOMEM, "out of memory");
    for (uint64_t done = 0; !rc && done < n; done += got)
        rc = reader_read(&g->bytes, at + done, p + done, (size_t)(n - done), &got, &c->err);
    if (rc) {
        buf_done(&b);
        return cannot_read(c, rc);
    }
    http_reply_buf(c->r, status, type, &b);
    return S3_OK;
}

static enum s3_code send_head(struct call *c, int status, const char *type, uint64_t n)
{
    enum rc rc = http_reply_stream(c->r, status, type, (int64_t)n, &c->err);

    if (rc && rc != RC_CANCELLED) /* nobody is there to be told */
        return s3_code_of(c, rc);
    if (!rc)
        http_stream_end(c->r);
    return S3_OK;
}

static enum s3_code send(struct call *c, struct read *g, int status, const char *type, uint64_t at,
                         uint64_t n)
{
    if (!n) {
        http_reply(c->r, status, type, STR(""));
        return S3_OK;
    }
    if (http_method_of(c->r) == HTTP_HEAD)
        return send_head(c, status, type, n);
    store_count(c->s, COUNT_BYTES_OUT, n);
    if (n > PACK_BYTES_MAX)
        return send_large(c, g, status, type, at, n);
    return send_small(c, g, status, type, at, n);
}

static enum s3_code not_modified(struct call *c, const struct object *o)
{
    const char *type;

    headers_give(c, o, &type);
    http_reply(c->r, 304, NULL, STR(""));
    return S3_OK;
}

static enum s3_code outside(struct call *c, const struct object *o)
{
    char range[64];

    snprintf(range, sizeof range, "bytes */%llu", (unsigned long long)o->bytes);
    http_add_header(c->r, "Content-Range", range);
    return S3_BAD_RANGE;
}

static enum s3_code answer(struct call *c, struct read *g)
{
    str range = http_header(c->r, "range"), if_range = http_header(c->r, "if-range");
    uint64_t at = 0, n = g->o.bytes;
    enum range_kind kind = RANGE_NONE;
    const char *type = NULL;
    bool same;
    enum s3_code code = headers_conditions(c, &g->o, &same);

    if (code)
        return code;
    if (same)
        return not_modified(c, &g->o);
    if (range.p && (!if_range.p || etag_listed(if_range, str_of(g->o.etag))))
        kind = range_parse(range, g->o.bytes, &at, &n);
    if (kind == RANGE_OUTSIDE)
        return outside(c, &g->o);
    headers_give(c, &g->o, &type);
    if (kind == RANGE_PART) {
        char text[96];
        snprintf(text, sizeof text, "bytes %llu-%llu/%llu", (unsigned long long)at,
                 (unsigned long long)(at + n - 1), (unsigned long long)g->o.bytes);
        http_add_header(c->r, "Content-Range", text);
    }
    return send(c, g, kind == RANGE_PART ? 206 : 200, type, at, n);
}

enum s3_code op_get(struct call *c)
{
    struct read g;
    enum s3_code code;

    g.taken = false;
    code = look_up(c, &g);

    if (!code)
        code = answer(c, &g);
    read_done(&g);
    return code;
}
