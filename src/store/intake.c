/* intake.c - the bytes of a put or a part on their way to the disk.
 *
 * Up to PACK_BYTES_MAX they gather in memory, then go into the index (INLINE) or the open segment
 * (PACKED); more go into a file of their own (BLOCKS), which counts only once the index has a row
 * for it.  What is longer than INLINE_BYTES_MAX is looked up by its SHA-256 before it is made
 * durable: content that the store has is read and verified there, and shared, never written again.
 */
#include "base/mem.h"
#include "store/store_int.h"

enum { GROW_BYTES = 16 << 10 };

/* A limit of the file system is the disk's fault, not the client's. */
static enum s3_code disk_code(struct call *c, enum rc rc)
{
    return s3_code_of(c, rc == RC_TOO_LARGE ? RC_FULL : rc);
}

static enum s3_code spill(struct intake *in, struct call *c)
{
    enum rc rc = files_create(in->files, in->d.id, &in->fd, &c->err);

    if (!rc)
        rc = blocks_begin(&in->blocks, in->fd, in->d.id, &c->err);
    if (!rc && !in->digest) {
        rc = sha256_init(&in->sha, &c->err);
        if (!rc && in->o.bytes)
            hasher_add(&in->sha, in->small, (size_t)in->o.bytes);
    }
    if (!rc && in->o.bytes)
        rc = blocks_add(&in->blocks, in->small, (size_t)in->o.bytes, &c->err);
    return rc ? disk_code(c, rc) : S3_OK;
}

/* Room for more in memory; false: it is full, or there is no memory (a file takes the rest). */
static bool grow(struct intake *in)
{
    size_t cap = in->small_cap ? 4 * in->small_cap : GROW_BYTES;
    char *p;

    if (in->small_cap >= PACK_BYTES_MAX + 1)
        return false;
    if (cap > PACK_BYTES_MAX + 1)
        cap = PACK_BYTES_MAX + 1;
    p = mem_realloc(in->small, cap);
    if (!p)
        return false;
    in->small = p;
    in->small_cap = cap;
    return true;
}

static enum s3_code take_small(struct intake *in, intake_fill_fn fill, void *ud, bool *ret_ended)
{
    size_t n = 1;
    enum s3_code code = S3_OK;

    while (!code && n && (in->o.bytes < in->small_cap || grow(in))) {
        code = fill(ud, in->small + in->o.bytes, in->small_cap - (size_t)in->o.bytes, &n);
        if (!code)
            hasher_add(&in->md5, in->small + in->o.bytes, n);
        if (!code)
            in->o.bytes += n;
    }
    *ret_ended = !n;
    return code;
}

static enum s3_code take_large(struct intake *in, struct call *c, intake_fill_fn fill, void *ud)
{
    char *chunk = mem_alloc(STORE_CHUNK_BYTES);
    size_t n = 1;
    enum s3_code code = chunk ? spill(in, c) : S3_INTERNAL;

    mem_free(in->small);
    in->small = NULL;
    while (!code && n) {
        enum rc rc = RC_OK;
        code = fill(ud, chunk, STORE_CHUNK_BYTES, &n);
        if (code || !n)
            break;
        hasher_add(&in->md5, chunk, n);
        if (!in->digest)
            hasher_add(&in->sha, chunk, n);
        rc = blocks_add(&in->blocks, chunk, n, &c->err);
        in->o.bytes += n;
        if (rc)
            code = disk_code(c, rc);
    }
    mem_free(chunk);
    return code;
}

/* d.id is the file's number from the start. */
static enum rc store_large(struct intake *in, struct store *s, struct err *e)
{
    int fd = in->fd;
    enum rc rc = blocks_end(&in->blocks, e);

    in->d.kind = DATA_BLOCKS;
    in->d.place = in->d.id;
    in->d.has_sha = true;
    if (in->digest)
        memcpy(in->d.sha, in->digest, SHA256_BYTES);
    else
        hasher_final(&in->sha, in->d.sha);
    if (rc)
        return rc;
    in->d.bytes = in->o.bytes;
    disk_find_same(&s->disk, &in->d);
    if (in->d.same)
        return RC_OK;
    in->stored = true;
    in->fd = -1;
    return files_finish(in->files, in->d.id, fd, e);
}

static enum s3_code finish(struct intake *in, struct call *c)
{
    uint8_t digest[MD5_BYTES];
    enum rc rc;

    hasher_final(&in->md5, digest);
    hex_of(digest, sizeof digest, in->o.etag);
    in->o.modified_ms = os_now_ms();
    if (in->fd < 0)
        rc = disk_take(&c->s->disk, (str){in->small, (size_t)in->o.bytes}, in->digest, &in->d,
                       &c->err);
    else
        rc = store_large(in, c->s, &c->err);
    return rc ? disk_code(c, rc) : S3_OK;
}

void intake_none(struct intake *in, struct call *c)
{
    *in = (struct intake){.files = c->s->files, .db = c->s->db, .fd = -1};
    in->d.id = files_new_id(in->files);
}

static enum s3_code take(struct intake *in, struct call *c, int64_t length, intake_fill_fn fill,
                         void *ud)
{
    bool ended = false;
    enum s3_code code = S3_OK;

    if (length >= 0 && length <= PACK_BYTES_MAX) {
        in->small_cap = (size_t)length + 1; /* one more, to meet the end without growing */
        in->small = mem_alloc(in->small_cap);
    }
    if ((in->small_cap && !in->small) || md5_init(&in->md5, &c->err))
        code = S3_INTERNAL;
    if (!code && length <= PACK_BYTES_MAX)
        code = take_small(in, fill, ud, &ended);
    if (!code && !ended)
        code = take_large(in, c, fill, ud);
    return code ? code : finish(in, c);
}

static enum s3_code from_body(void *ud, char *p, size_t cap, size_t *ret_n)
{
    return body_read(ud, p, cap, ret_n);
}

enum s3_code intake_take(struct intake *in, struct call *c, uint64_t bytes_max,
                         enum checksum_kind sum)
{
    struct body *b;
    enum s3_code code;

    intake_none(in, c);
    code = body_open(&b, c, bytes_max, sum);
    if (code)
        return code;
    in->digest = body_sha256(b);
    code = take(in, c, body_length(b), from_body, b);
    if (!code)
        body_sum(b, &in->o.sum);
    in->digest = NULL;
    body_close(b);
    return code;
}

/* A source that has no checksum of its own: it is taken on the way. */
struct summed {
    struct checksum sum;
    intake_fill_fn fill;
    void *ud;
};

static enum s3_code from_summed(void *ud, char *p, size_t cap, size_t *ret_n)
{
    struct summed *s = ud;
    enum s3_code code = s->fill(s->ud, p, cap, ret_n);

    if (!code)
        checksum_add(&s->sum, p, *ret_n);
    return code;
}

enum s3_code intake_fill(struct intake *in, struct call *c, int64_t length, enum checksum_kind sum,
                         intake_fill_fn fill, void *ud)
{
    struct summed s = {.fill = fill, .ud = ud};
    enum s3_code code = S3_OK;

    intake_none(in, c);
    if (sum != CHECKSUM_NONE && checksum_init(&s.sum, sum, &c->err))
        return S3_INTERNAL;
    code = take(in, c, length, from_summed, &s);
    if (!code && sum != CHECKSUM_NONE) {
        in->o.sum.kind = sum;
        checksum_final(&s.sum, in->o.sum.text);
    }
    checksum_done(&s.sum);
    return code;
}

/* The file has a row now?  Where a commit has failed, only the index can tell. */
static bool named(const struct intake *in)
{
    struct tx *tx;
    bool there = false;

    if (db_begin(in->db, DB_READ, &tx, NULL))
        return false;
    if (data_file_named(tx, in->d.place, &there, NULL))
        there = false;
    tx_rollback(tx);
    return there;
}

void intake_done(struct intake *in)
{
    bool file = in->fd >= 0 || in->stored;

    os_close(in->fd);
    if (file && (!in->keep || in->d.shared || in->d.same))
        files_discard(in->files, in->d.id);
    else if (file && named(in)) /* else the next start decides */
        files_settle(in->files, in->d.id);
    blocks_done(&in->blocks);
    hasher_done(&in->sha);
    hasher_done(&in->md5);
    mem_free(in->small);
}
