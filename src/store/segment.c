/* segment.c - see segment.h. */
#include "store/segment.h"

#include "base/crc32c.h"
#include <string.h>

enum { RECORD_MAGIC = 0x52474553, RECORD_FIXED = 24 };
static const char magic[8] = "ANNSEG1\n";

static void put32(char *p, uint32_t v)
{
    memcpy(p, &v, sizeof v); /* little-endian machines only, like all that we build for */
}

static uint32_t get32(const char *p)
{
    uint32_t v;

    memcpy(&v, p, sizeof v);
    return v;
}

static size_t up8(size_t n)
{
    return (n + 7) & ~(size_t)7;
}

static size_t blocks_of(size_t body_bytes)
{
    return (body_bytes + BLOCK_BYTES - 1) / BLOCK_BYTES;
}

static size_t body_at(size_t body_bytes)
{
    return up8(RECORD_FIXED + 4 * blocks_of(body_bytes));
}

uint32_t block_sum(int64_t id, uint64_t block, const void *p, size_t n)
{
    uint64_t whose[2] = {(uint64_t)id, block};

    return crc32c(crc32c(0, whose, sizeof whose), p, n);
}

/* ---- head */

void segment_head_put(uint32_t number, char ret[SEGMENT_HEAD_BYTES])
{
    memset(ret, 0, SEGMENT_HEAD_BYTES);
    memcpy(ret, magic, sizeof magic);
    put32(ret + 8, SEGMENT_VERSION);
    put32(ret + 12, number);
    put32(ret + 16, crc32c(0, ret, 16));
}

enum rc segment_head_check(str head, uint32_t number, struct err *e)
{
    if (head.n < SEGMENT_HEAD_BYTES || memcmp(head.p, magic, sizeof magic) != 0 ||
        get32(head.p + 16) != crc32c(0, head.p, 16))
        return err_set(e, RC_CORRUPT, "segment %08x does not begin like a segment", number);
    if (get32(head.p + 8) != SEGMENT_VERSION)
        return err_set(e, RC_UNSUPPORTED, "segment %08x has version %u, this program knows %d",
                       number, get32(head.p + 8), SEGMENT_VERSION);
    if (get32(head.p + 12) != number)
        return err_set(e, RC_CORRUPT, "segment %08x says that it is %08x", number,
                       get32(head.p + 12));
    return RC_OK;
}

/* ---- records */

size_t record_bytes(size_t body_bytes)
{
    return up8(body_at(body_bytes) + body_bytes);
}

static uint32_t head_sum(uint32_t segment, uint32_t at, const char *record, size_t head_n)
{
    uint32_t where[2] = {segment, at};

    return crc32c(crc32c(0, where, sizeof where), record + 8, head_n - 8);
}

void record_put(uint32_t segment, uint32_t at, int64_t id, str body, char *ret)
{
    size_t head_n = body_at(body.n), whole = record_bytes(body.n);

    memset(ret, 0, head_n);
    put32(ret, RECORD_MAGIC);
    memcpy(ret + 8, &id, sizeof id);
    put32(ret + 16, (uint32_t)body.n);
    for (size_t i = 0; i < blocks_of(body.n); i++) {
        str block = str_sub(body, i * BLOCK_BYTES, BLOCK_BYTES);
        put32(ret + RECORD_FIXED + 4 * i, block_sum(id, i, block.p, block.n));
    }
    put32(ret + 4, head_sum(segment, at, ret, head_n));
    memcpy(ret + head_n, body.p, body.n);
    memset(ret + head_n + body.n, 0, whole - head_n - body.n);
}

enum rc record_check(uint32_t segment, uint32_t at, str bytes, int64_t *ret_id, str *ret_body,
                     struct err *e)
{
    size_t n, head_n;
    int64_t id;
    str body;

    if (bytes.n < RECORD_FIXED || get32(bytes.p) != RECORD_MAGIC)
        return err_set(e, RC_CORRUPT, "segment %08x has no record at %u", segment, at);
    n = get32(bytes.p + 16);
    head_n = n && n <= PACK_BYTES_MAX ? body_at(n) : 0;
    if (!head_n || record_bytes(n) > bytes.n)
        return err_set(e, RC_CORRUPT, "segment %08x: the record at %u has an impossible length",
                       segment, at);
    if (get32(bytes.p + 4) != head_sum(segment, at, bytes.p, head_n))
        return err_set(e, RC_CORRUPT, "segment %08x: the head of the record at %u is wrong",
                       segment, at);
    memcpy(&id, bytes.p + 8, sizeof id);
    body = (str){bytes.p + head_n, n};
    for (size_t i = 0; i < blocks_of(n); i++) {
        str block = str_sub(body, i * BLOCK_BYTES, BLOCK_BYTES);
        if (get32(bytes.p + RECORD_FIXED + 4 * i) != block_sum(id, i, block.p, block.n))
            return err_set(e, RC_CORRUPT,
                           "segment %08x: block %zu of the record at %u has the wrong checksum",
                           segment, i, at);
    }
    *ret_id = id;
    *ret_body = body;
    return RC_OK;
}
