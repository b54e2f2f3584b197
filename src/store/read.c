/* read.c - an object and its bytes: looked up by key and version, sent from a reader, which
 * verifies each block. */
#include "base/log.h"
#include "base/mem.h"
#include "store/recent.h"
#include "store/store_int.h"

/* ---- damage */

/* Logs what a reply can no longer tell. */
static void damaged(struct store *s, const char *bucket, const char *key, const struct err *e)
{
    if (e->rc == RC_CORRUPT)
        store_count(s, COUNT_DAMAGED_READS, 1);
    log_error("store: reading '%s' of bucket '%s': %s", key, bucket, e->text);
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

/* ---- looking up */

void read_done(struct read *g)
{
    if (!g->taken)
        reader_done(&g->bytes);
}

/* What hides the key: a delete marker is told in the headers of the reply. */
static enum rc not_there(struct call *c, struct tx *tx, const struct bucket *b,
                         const struct read_of *of, enum s3_code *ret_code)
{
    struct object m;
    char id[INDEX_VERSION_TEXT];
    enum rc rc = RC_NOT_FOUND;

    if (!of->v && b->versioning != VERSIONING_OFF)
        rc = index_marker(tx, c->a, b->id, of->key, &m, &c->err);
    if (!rc) {
        version_text(&m, id);
        http_add_header(c->r, "x-amz-delete-marker", "true");
        http_add_header(c->r, "x-amz-version-id", id);
    }
    *ret_code = of->v ? S3_NO_SUCH_VERSION : S3_NO_SUCH_KEY;
    return rc == RC_NOT_FOUND ? RC_OK : rc;
}

static enum rc find(struct call *c, struct tx *tx, const struct read_of *of, struct read *g,
                    enum s3_code *ret_code)
{
    struct bucket b;
    enum rc rc = index_bucket(tx, of->bucket, &b, &c->err);

    if (rc == RC_NOT_FOUND) {
        *ret_code = S3_NO_SUCH_BUCKET;
        return RC_OK;
    }
    if (!rc)
        rc = index_get(tx, c->a, b.id, of->key, of->v, &g->o, &c->err);
    if (rc == RC_NOT_FOUND)
        return not_there(c, tx, &b, of, ret_code);
    if (!rc && of->bytes && !g->o.marker)
        rc = reader_find(&g->bytes, tx, g->o.data, &c->err);
    return rc;
}

/* As the last reader found it, if nothing has been committed since.  The row may live in the
 * request's arena: a packed content is never sent behind the handler's back (send_large). */
static bool find_recent(struct call *c, uint64_t state, const struct read_of *of, struct read *g)
{
    struct data_row *row = ARENA_NEW(c->a, struct data_row);

    if (of->v || !row || !recent_get(c->s->recent, state, of->bucket, of->key, c->a, &g->o, row))
        return false;
    reader_row(&g->bytes, row);
    return true;
}

enum s3_code read_open(struct call *c, const struct read_of *of, struct read *g)
{
    struct tx *tx;
    enum s3_code code = S3_OK;
    uint64_t state;
    enum rc rc;

    *g = (struct read){0};
    rc = reader_pin(&g->bytes, c->s->files, c->s->disk.segments, &c->err);
    if (rc)
        return s3_code_of(c, rc);
    state = committer_state(c->s->committer); /* behind the pin: what it finds is kept */
    if (find_recent(c, state, of, g))
        return S3_OK;
    rc = db_begin(c->s->db, DB_READ, &tx, &c->err);
    if (rc)
        return s3_code_of(c, rc);
    rc = find(c, tx, of, g, &code);
    tx_rollback(tx);
    if (rc)
        return rc == RC_CORRUPT ? cannot_read(c, rc) : s3_code_of(c, rc);
    if (!code && !of->v && g->bytes.part_n == 1)
        recent_put(c->s->recent, state, of->bucket, of->key, &g->o, g->bytes.parts);
    if (code)
        c->err.text[0] = 0;
    return code;
}

/* ---- sending */

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

enum s3_code read_some(struct call *c, struct read *g, uint64_t at, void *p, size_t cap,
                       size_t *ret_n)
{
    enum rc rc = reader_read(&g->bytes, at, p, cap, ret_n, &c->err);

    return rc ? cannot_read(c, rc) : S3_OK;
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

enum s3_code read_send(struct call *c, struct read *g, int status, const char *type, uint64_t at,
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
