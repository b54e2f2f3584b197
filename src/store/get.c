/* get.c - GET and HEAD of an object.
 *
 * From the index (small), by sendfile from its one file, or streamed piece by piece.  Between the
 * look-up and the opening of the file the object may be replaced and its file removed: then the
 * look-up is done again, and finds the new one. */
#include "base/log.h"
#include "base/mem.h"
#include "store/names.h"
#include "store/store_int.h"
#include <errno.h>

enum { LOOKUPS_MAX = 8 };

struct read {
    struct object o;
    str body;             /* DATA_INLINE */
    int fd;               /* DATA_FILE */
    struct piece *pieces; /* DATA_PIECES, pinned */
    size_t piece_n;
    str last_body; /* of the last piece, if it is inline */
    bool pinned;
};

static void read_done(struct call *c, struct read *g)
{
    if (g->pinned)
        files_unpin(c->s->files, g->o.data);
    os_close(g->fd);
    *g = (struct read){.fd = -1};
}

/* Pins first and then looks whether the object is still there: whoever removes it later finds the
 * pin. */
static enum rc open_pieces(struct call *c, struct tx *tx, struct read *g)
{
    enum rc rc = data_pieces(tx, c->a, g->o.data, &g->pieces, &g->piece_n, &c->err);
    struct tx *now;
    bool there;

    if (!rc && g->piece_n && g->pieces[g->piece_n - 1].kind == DATA_INLINE)
        rc = data_body(tx, c->a, g->pieces[g->piece_n - 1].data, &g->last_body, &c->err);
    if (!rc)
        rc = files_pin(c->s->files, g->o.data, &c->err);
    if (rc)
        return rc;
    g->pinned = true;
    rc = db_begin(c->s->db, DB_READ, &now, &c->err); /* another snapshot */
    if (rc)
        return rc;
    rc = data_exists(now, g->o.data, &there, &c->err);
    tx_rollback(now);
    if (!rc && !there)
        rc = err_set(&c->err, RC_NOT_FOUND, "replaced meanwhile");
    return rc;
}

static enum rc open_data(struct call *c, struct tx *tx, struct read *g)
{
    bool head = http_method_of(c->r) == HTTP_HEAD;

    if (head)
        return RC_OK;
    if (g->o.kind == DATA_INLINE)
        return data_body(tx, c->a, g->o.data, &g->body, &c->err);
    if (g->o.kind == DATA_FILE)
        return files_read(c->s->files, g->o.data, &g->fd, &c->err);
    return open_pieces(c, tx, g);
}

static enum s3_code look_up(struct call *c, struct read *g)
{
    for (int i = 0; i < LOOKUPS_MAX; i++) {
        struct tx *tx;
        int64_t bucket;
        enum s3_code code = call_begin_read(c, &tx, &bucket);
        enum rc rc;

        if (code)
            return code;
        rc = index_get(tx, c->a, bucket, c->key, &g->o, &c->err);
        if (rc) {
            tx_rollback(tx);
            c->err.text[0] = rc == RC_NOT_FOUND ? 0 : c->err.text[0];
            return rc == RC_NOT_FOUND ? S3_NO_SUCH_KEY : s3_code_of(c, rc);
        }
        rc = open_data(c, tx, g);
        tx_rollback(tx);
        if (!rc)
            return S3_OK;
        read_done(c, g);
        if (rc != RC_NOT_FOUND)
            return s3_code_of(c, rc);
    }
    err_set(&c->err, RC_CORRUPT, "the data of '%.*s' is not on the disk", STR_F(c->key));
    return s3_code_of(c, RC_CORRUPT);
}

/* ---- sending */

static enum rc send_file(struct call *c, int fd, uint64_t at, uint64_t n, char *chunk,
                         struct err *e)
{
    enum rc rc = RC_OK;

    while (!rc && n) {
        size_t cap = n < STORE_CHUNK_BYTES ? (size_t)n : STORE_CHUNK_BYTES;
        ssize_t got = os_sys.pread(fd, chunk, cap, (off_t)at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_errno(e, errno, "reading a part");
        if (!got)
            return err_set(e, RC_CORRUPT, "a part is shorter than its row says");
        rc = http_stream_write(c->r, chunk, (size_t)got, e);
        at += (uint64_t)got;
        n -= (uint64_t)got;
    }
    return rc;
}

static enum rc send_piece(struct call *c, struct read *g, size_t i, uint64_t at, uint64_t n,
                          char *chunk, struct err *e)
{
    int fd;
    enum rc rc;

    if (g->pieces[i].kind == DATA_INLINE && i + 1 < g->piece_n)
        return err_set(e, RC_CORRUPT, "a part other than the last stands in the index");
    if (g->pieces[i].kind == DATA_INLINE)
        return http_stream_write(c->r, g->last_body.p + at, (size_t)n, e);
    rc = files_read(c->s->files, g->pieces[i].data, &fd, e);
    if (rc)
        return rc;
    rc = send_file(c, fd, at, n, chunk, e);
    os_close(fd);
    return rc;
}

static void send_pieces(struct call *c, struct read *g, uint64_t at, uint64_t n)
{
    char *chunk = mem_alloc(STORE_CHUNK_BYTES);
    uint64_t begin = 0;
    enum rc rc = chunk ? RC_OK : err_set(&c->err, RC_NOMEM, "out of memory");

    for (size_t i = 0; !rc && n && i < g->piece_n; i++) {
        uint64_t size = g->pieces[i].bytes, skip = at - begin;
        if (at < begin + size) {
            uint64_t take = size - skip < n ? size - skip : n;
            rc = send_piece(c, g, i, skip, take, chunk, &c->err);
            at += take;
            n -= take;
        }
        begin += size;
    }
    if (rc && rc != RC_CANCELLED)
        log_error("store: request %s: %s", http_request_id(c->r), c->err.text);
    http_stream_end(c->r); /* cut short: the peer sees that bytes are missing */
    mem_free(chunk);
}

static enum s3_code send_stream(struct call *c, struct read *g, int status, const char *type,
                                uint64_t at, uint64_t n)
{
    enum rc rc = http_reply_stream(c->r, status, type, (int64_t)n, &c->err);

    if (rc == RC_CANCELLED)
        return S3_OK; /* nobody is there to be told */
    if (rc)
        return s3_code_of(c, rc);
    if (http_method_of(c->r) == HTTP_HEAD)
        http_stream_end(c->r);
    else
        send_pieces(c, g, at, n);
    return S3_OK;
}

static enum s3_code send(struct call *c, struct read *g, int status, const char *type, uint64_t at,
                         uint64_t n)
{
    bool head = http_method_of(c->r) == HTTP_HEAD;

    if (!head)
        store_count(c->s, COUNT_BYTES_OUT, n);
    if (!n) {
        http_reply(c->r, status, type, STR(""));
    } else if (head || g->o.kind == DATA_PIECES) {
        return send_stream(c, g, status, type, at, n);
    } else if (g->o.kind == DATA_INLINE) {
        http_reply(c->r, status, type, str_sub(g->body, (size_t)at, (size_t)n));
    } else {
        http_reply_fd(c->r, status, type, g->fd, at, n);
        g->fd = -1;
    }
    return S3_OK;
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
    struct read g = {.fd = -1};
    enum s3_code code = look_up(c, &g);

    if (!code)
        code = answer(c, &g);
    read_done(c, &g);
    return code;
}
