/* intake.c - the bytes of a put or a part: into memory while they are few, into a file when they
 * become more.  The file has its final name from the start; it counts only once the index has a row
 * for it, and the sweep at the next start removes it if a crash came between. */
#include "base/mem.h"
#include "store/store_int.h"

static enum s3_code spill(struct intake *in, struct call *c)
{
    enum rc rc = files_create(in->files, in->d.id, &in->fd, &c->err);

    if (!rc && in->o.bytes)
        rc = os_write_all(in->fd, in->small, (size_t)in->o.bytes, &c->err);
    return rc ? s3_code_of(c, rc) : S3_OK;
}

static enum s3_code add(struct intake *in, struct call *c, const char *p, size_t n)
{
    enum s3_code code = S3_OK;

    hasher_add(&in->md5, p, n);
    if (in->fd < 0 && in->o.bytes + n <= in->small_cap) {
        if (p != in->small + in->o.bytes)
            memcpy(in->small + in->o.bytes, p, n);
        in->o.bytes += n;
        return S3_OK;
    }
    if (in->fd < 0)
        code = spill(in, c);
    if (!code) {
        enum rc rc = os_write_all(in->fd, p, n, &c->err);
        in->o.bytes += n;
        if (rc)
            code = s3_code_of(c, rc);
    }
    return code;
}

static enum s3_code take_all(struct intake *in, struct call *c, struct body *b)
{
    char *chunk = NULL;
    size_t n = 1;
    enum s3_code code = S3_OK;

    while (!code && n) {
        char *to = chunk;
        size_t cap = STORE_CHUNK_BYTES;
        if (in->fd < 0 && in->o.bytes < in->small_cap) { /* straight to where it stays */
            to = in->small + in->o.bytes;
            cap = in->small_cap - (size_t)in->o.bytes;
        } else if (!chunk) {
            to = chunk = mem_alloc(STORE_CHUNK_BYTES);
            if (!chunk)
                return S3_INTERNAL;
        }
        code = body_read(b, to, cap, &n);
        if (!code && n)
            code = add(in, c, to, n);
    }
    mem_free(chunk);
    return code;
}

static enum s3_code finish(struct intake *in, struct call *c)
{
    uint8_t digest[MD5_BYTES];
    enum rc rc = RC_OK;

    hasher_final(&in->md5, digest);
    hex_of(digest, sizeof digest, in->o.etag);
    in->d.kind = in->fd < 0 ? DATA_INLINE : DATA_FILE;
    in->d.bytes = in->o.bytes;
    in->o.modified_ms = os_now_ms();
    if (in->fd < 0) {
        in->d.body = (str){in->small, (size_t)in->o.bytes};
    } else {
        in->stored = true;
        rc = files_finish(in->files, in->d.id, in->fd, &c->err);
        in->fd = -1;
    }
    return rc ? s3_code_of(c, rc) : S3_OK;
}

enum s3_code intake_take(struct intake *in, struct call *c, uint64_t bytes_max)
{
    struct body *b;
    enum s3_code code;

    *in = (struct intake){.files = c->s->files, .fd = -1};
    in->d.id = files_new_id(in->files);
    code = body_open(&b, c, bytes_max);
    if (code)
        return code;
    in->small_cap = STORE_INLINE_BYTES;
    if (body_length(b) >= 0 && body_length(b) < STORE_INLINE_BYTES)
        in->small_cap = (size_t)body_length(b) + 1; /* one more, to meet the end without a chunk */
    in->small = mem_alloc(in->small_cap);
    if (!in->small || md5_init(&in->md5, &c->err))
        code = S3_INTERNAL;
    if (!code)
        code = take_all(in, c, b);
    if (!code)
        code = finish(in, c);
    body_close(b);
    return code;
}

void intake_done(struct intake *in)
{
    bool file = in->fd >= 0 || in->stored;

    os_close(in->fd);
    if (file && !in->keep)
        files_discard(in->files, in->d.id);
    hasher_done(&in->md5);
    mem_free(in->small);
}
