/* reader.c - see reader.h. */
#include "store/reader.h"

#include "base/mem.h"
#include <errno.h>

enum { ROWS_BYTES_MAX = 8 << 20, VERIFY_BYTES = 256 << 10 };

enum rc reader_pin(struct reader *r, struct files *files, struct segments *segments, struct err *e)
{
    enum rc rc;

    memset(r, 0, sizeof *r);
    r->files = files;
    r->segments = segments;
    r->fd = r->blocks.fd = -1;
    arena_init(&r->arena, ROWS_BYTES_MAX);
    rc = files_pin(files, &r->pin, e);
    r->pinned = !rc;
    return rc;
}

static void close_part(struct reader *r)
{
    if (r->blocks.fd >= 0 || r->blocks.page)
        blocks_close(&r->blocks);
    os_close(r->fd);
    r->fd = -1;
    mem_free(r->record);
    r->record = NULL;
    r->body = STR_NONE;
    r->at = r->part_n;
}

void reader_done(struct reader *r)
{
    close_part(r);
    if (r->pinned)
        files_unpin(r->files, r->pin);
    r->pinned = false;
    arena_done(&r->arena);
}

void reader_row(struct reader *r, struct data_row *row)
{
    close_part(r);
    r->parts = row;
    r->part_n = r->at = 1;
    r->bytes = row->bytes;
}

enum rc reader_find(struct reader *r, struct tx *tx, int64_t data, struct err *e)
{
    struct data_row *row = ARENA_NEW(&r->arena, struct data_row);
    enum rc rc =
        row ? data_get(tx, &r->arena, data, row, e) : err_set(e, RC_NOMEM, "out of memory");
    uint64_t sum = 0;

    if (rc)
        return rc;
    reader_row(r, row);
    if (row->kind != DATA_PIECES)
        return RC_OK;
    rc = data_pieces(tx, &r->arena, data, &r->parts, &r->part_n, e);
    r->at = r->part_n;
    for (size_t i = 0; !rc && i < r->part_n; i++)
        sum += r->parts[i].bytes;
    if (!rc && sum != r->bytes)
        rc = err_set(e, RC_CORRUPT, "the pieces of content %lld have %llu bytes instead of %llu",
                     (long long)data, (unsigned long long)sum, (unsigned long long)r->bytes);
    return rc;
}

/* ---- parts */

static enum rc open_inline(struct reader *r, const struct data_row *p, struct err *e)
{
    if (p->has_sum && p->sum != block_sum(p->id, 0, p->body.p, p->body.n))
        return err_set(e, RC_CORRUPT, "the bytes in the index have the wrong checksum");
    r->body = p->body;
    return RC_OK;
}

static enum rc open_packed(struct reader *r, const struct data_row *p, struct err *e)
{
    if (p->bytes > PACK_BYTES_MAX)
        return err_set(e, RC_CORRUPT, "the index has an impossible length");
    r->record = mem_alloc(record_bytes((size_t)p->bytes));
    if (!r->record)
        return err_set(e, RC_NOMEM, "out of memory");
    return segments_read(r->segments, p->place, p->id, (size_t)p->bytes, r->record, &r->body, e);
}

static enum rc open_blocks(struct reader *r, const struct data_row *p, struct err *e)
{
    int fd = -1;
    enum rc rc = files_read(r->files, p->place, &fd, e);

    return rc ? rc : blocks_open(&r->blocks, fd, p->place, p->bytes, e);
}

/* A missing file is not "no such object" to the client: bytes are lost. */
static enum rc open_part(struct reader *r, size_t i, struct err *e)
{
    const struct data_row *p = &r->parts[i];
    char name[64] = "the index";
    struct err why = {0};
    enum rc rc;

    close_part(r);
    if (p->kind == DATA_INLINE)
        rc = open_inline(r, p, &why);
    else if (p->kind == DATA_PACKED)
        rc = open_packed(r, p, &why);
    else if (p->kind == DATA_BLOCKS)
        rc = open_blocks(r, p, &why);
    else if (p->kind == DATA_FILE)
        rc = files_read(r->files, p->place, &r->fd, &why);
    else
        rc = err_set(&why, RC_CORRUPT, "the index has an unknown kind of content");
    if (!rc) {
        r->at = i;
        return RC_OK;
    }
    if (p->kind == DATA_BLOCKS || p->kind == DATA_FILE)
        files_name(p->place, false, name);
    close_part(r);
    return err_set(e, rc == RC_NOT_FOUND ? RC_CORRUPT : rc, "content %lld in %s: %s",
                   (long long)p->id, name, why.text);
}

static enum rc read_plain(struct reader *r, uint64_t at, void *p, size_t cap, size_t *ret_n,
                          struct err *e)
{
    uint64_t left = r->parts[r->at].bytes - at;
    size_t n = left < cap ? (size_t)left : cap;
    enum rc rc = os_pread_full(r->fd, p, n, at, e);

    if (!rc)
        *ret_n = n;
    return rc;
}

enum rc reader_ready(struct reader *r, uint64_t at, struct err *e)
{
    uint64_t begin = 0;
    size_t i = 0;
    enum rc rc = RC_OK;

    ASSERT(at < r->bytes);
    if (r->at < r->part_n && at >= r->begin) {
        i = r->at;
        begin = r->begin;
    }
    while (at - begin >= r->parts[i].bytes)
        begin += r->parts[i++].bytes;
    if (i != r->at)
        rc = open_part(r, i, e);
    if (!rc)
        r->begin = begin;
    return rc;
}

enum rc reader_read(struct reader *r, uint64_t at, void *p, size_t cap, size_t *ret_n,
                    struct err *e)
{
    const struct data_row *part;
    enum rc rc = reader_ready(r, at, e);

    if (rc)
        return rc;
    ASSERT(cap);
    part = &r->parts[r->at];
    at -= r->begin;
    if (part->kind == DATA_INLINE || part->kind == DATA_PACKED) {
        str s = str_sub(r->body, (size_t)at, cap);
        memcpy(p, s.p, s.n);
        *ret_n = s.n;
        return RC_OK;
    }
    rc = part->kind == DATA_BLOCKS ? blocks_read(&r->blocks, at, p, cap, ret_n, e)
                                   : read_plain(r, at, p, cap, ret_n, e);
    return rc ? err_wrap(e, rc, "content %lld, file %016llx", (long long)part->id,
                         (unsigned long long)part->place)
              : RC_OK;
}

enum rc reader_verify(struct reader *r, struct err *e)
{
    char *p = mem_alloc(VERIFY_BYTES);
    enum rc rc = p ? RC_OK : err_set(e, RC_NOMEM, "out of memory");
    size_t n = 0;

    for (uint64_t at = 0; !rc && at < r->bytes; at += n)
        rc = reader_read(r, at, p, VERIFY_BYTES, &n, e);
    mem_free(p);
    return rc;
}
