/* checksum.c - see checksum.h.  Eight bytes a step by eight tables (Sarwate's method, sliced by
 * Kounavis and Berry). */
#include "store/checksum.h"

#include <pthread.h>

static const uint64_t polynomial[] = {
    [CHECKSUM_CRC32] = 0xedb88320u,
    [CHECKSUM_CRC32C] = 0x82f63b78u,
    [CHECKSUM_CRC64NVME] = 0x9a6c9329ac4bc9b5u,
};
static uint64_t table[CHECKSUM_CRC64NVME + 1][8][256];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void make_tables(void)
{
    for (int k = CHECKSUM_CRC32; k <= CHECKSUM_CRC64NVME; k++) {
        for (unsigned i = 0; i < 256; i++) {
            uint64_t c = i;
            for (int bit = 0; bit < 8; bit++)
                c = c & 1 ? (c >> 1) ^ polynomial[k] : c >> 1;
            table[k][0][i] = c;
        }
        for (int s = 1; s < 8; s++)
            for (unsigned i = 0; i < 256; i++) {
                uint64_t c = table[k][s - 1][i];
                table[k][s][i] = (c >> 8) ^ table[k][0][c & 255];
            }
    }
}

enum checksum_kind checksum_of_header(str name)
{
    static const struct {
        const char *name;
        enum checksum_kind kind;
    } rows[] = {{"x-amz-checksum-crc32", CHECKSUM_CRC32},
                {"x-amz-checksum-crc32c", CHECKSUM_CRC32C},
                {"x-amz-checksum-crc64nvme", CHECKSUM_CRC64NVME},
                {"x-amz-checksum-sha256", CHECKSUM_SHA256},
                {"x-amz-checksum-mode", CHECKSUM_NONE},
                {"x-amz-checksum-type", CHECKSUM_NONE},
                {"x-amz-checksum-algorithm", CHECKSUM_NONE}};

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (str_ieq(name, str_of(rows[i].name)))
            return rows[i].kind;
    return str_ieq(str_sub(name, 0, 15), STR("x-amz-checksum-")) ? CHECKSUM_UNKNOWN : CHECKSUM_NONE;
}

enum rc checksum_init(struct checksum *c, enum checksum_kind kind, struct err *e)
{
    *c = (struct checksum){.kind = kind};
    if (kind == CHECKSUM_SHA256)
        return sha256_init(&c->sha, e);
    pthread_once(&once, make_tables);
    c->crc = kind == CHECKSUM_CRC64NVME ? UINT64_MAX : UINT32_MAX;
    return RC_OK;
}

static uint64_t crc_add(const uint64_t t[8][256], uint64_t crc, const uint8_t *p, size_t n)
{
    for (; n >= 8; n -= 8, p += 8) {
        uint64_t w;
        memcpy(&w, p, 8); /* little-endian machines only, like all that we build for */
        w ^= crc;
        crc = t[7][w & 255] ^ t[6][w >> 8 & 255] ^ t[5][w >> 16 & 255] ^ t[4][w >> 24 & 255] ^
              t[3][w >> 32 & 255] ^ t[2][w >> 40 & 255] ^ t[1][w >> 48 & 255] ^ t[0][w >> 56];
    }
    while (n--)
        crc = (crc >> 8) ^ t[0][(crc ^ *p++) & 255];
    return crc;
}

void checksum_add(struct checksum *c, const void *p, size_t n)
{
    if (c->kind == CHECKSUM_SHA256)
        hasher_add(&c->sha, p, n);
    else if (c->kind != CHECKSUM_NONE)
        c->crc = crc_add((const uint64_t(*)[256])table[c->kind], c->crc, p, n);
}

void checksum_final(struct checksum *c, char ret[CHECKSUM_TEXT])
{
    uint8_t out[SHA256_BYTES];
    size_t n = c->kind == CHECKSUM_SHA256 ? SHA256_BYTES : c->kind == CHECKSUM_CRC64NVME ? 8 : 4;

    if (c->kind == CHECKSUM_SHA256) {
        hasher_final(&c->sha, out);
    } else {
        uint64_t v = ~c->crc;
        for (size_t i = 0; i < n; i++)
            out[i] = (uint8_t)(v >> 8 * (n - 1 - i));
    }
    c->kind = CHECKSUM_NONE;
    base64_of(out, n, ret);
}

void checksum_done(struct checksum *c)
{
    if (c->kind == CHECKSUM_SHA256)
        hasher_done(&c->sha);
    c->kind = CHECKSUM_NONE;
}

void base64_of(const uint8_t *p, size_t n, char *ret)
{
    static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < n; i += 3) {
        uint32_t v = (uint32_t)p[i] << 16;
        if (i + 1 < n)
            v |= (uint32_t)p[i + 1] << 8;
        if (i + 2 < n)
            v |= p[i + 2];
        *ret++ = digit[v >> 18];
        *ret++ = digit[v >> 12 & 63];
        *ret++ = i + 1 < n ? digit[v >> 6 & 63] : '=';
        *ret++ = i + 2 < n ? digit[v & 63] : '=';
    }
    *ret = 0;
}
