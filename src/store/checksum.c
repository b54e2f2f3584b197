/* checksum.c - see checksum.h.  Eight bytes a step by eight tables (Sarwate's method, sliced by
 * Kounavis and Berry). */
#include "store/checksum.h"

#include "base/base64.h"

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

/* ---- names */

static const struct {
    const char *name, *header, *element;
    uint8_t bytes;
} kinds[] = {
    [CHECKSUM_CRC32] = {"CRC32", "x-amz-checksum-crc32", "ChecksumCRC32", 4},
    [CHECKSUM_CRC32C] = {"CRC32C", "x-amz-checksum-crc32c", "ChecksumCRC32C", 4},
    [CHECKSUM_CRC64NVME] = {"CRC64NVME", "x-amz-checksum-crc64nvme", "ChecksumCRC64NVME", 8},
    [CHECKSUM_SHA1] = {"SHA1", "x-amz-checksum-sha1", "ChecksumSHA1", SHA1_BYTES},
    [CHECKSUM_SHA256] = {"SHA256", "x-amz-checksum-sha256", "ChecksumSHA256", SHA256_BYTES},
};

static bool is_crc(enum checksum_kind k)
{
    return k >= CHECKSUM_CRC32 && k <= CHECKSUM_CRC64NVME;
}

enum checksum_kind checksum_of_header(str name)
{
    static const char *const others[] = {"mode", "type", "algorithm"};
    str head = STR("x-amz-checksum-"), rest = str_sub(name, head.n, name.n);

    if (!str_ieq(str_sub(name, 0, head.n), head))
        return CHECKSUM_NONE;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (str_ieq(rest, str_of(others[i])))
            return CHECKSUM_NONE;
    return checksum_of_name(rest);
}

enum checksum_kind checksum_of_name(str name)
{
    for (enum checksum_kind k = CHECKSUM_CRC32; k < CHECKSUM_UNKNOWN; k++)
        if (str_ieq(name, str_of(kinds[k].name)))
            return k;
    return CHECKSUM_UNKNOWN;
}

const char *checksum_name(enum checksum_kind k)
{
    return kinds[k].name;
}

const char *checksum_header(enum checksum_kind k)
{
    return kinds[k].header;
}

const char *checksum_element(enum checksum_kind k)
{
    return kinds[k].element;
}

/* ---- one stream of bytes */

enum rc checksum_init(struct checksum *c, enum checksum_kind kind, struct err *e)
{
    *c = (struct checksum){.kind = kind};
    if (kind == CHECKSUM_SHA256)
        return sha256_init(&c->sha, e);
    if (kind == CHECKSUM_SHA1)
        return sha1_init(&c->sha, e);
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
    if (is_crc(c->kind))
        c->crc = crc_add((const uint64_t(*)[256])table[c->kind], c->crc, p, n);
    else if (c->kind != CHECKSUM_NONE)
        hasher_add(&c->sha, p, n);
}

static void crc_text(enum checksum_kind kind, uint64_t v, char ret[CHECKSUM_TEXT])
{
    uint8_t out[8];
    size_t n = kinds[kind].bytes;

    for (size_t i = 0; i < n; i++)
        out[i] = (uint8_t)(v >> 8 * (n - 1 - i));
    base64_of(out, n, ret);
}

void checksum_final(struct checksum *c, char ret[CHECKSUM_TEXT])
{
    uint8_t out[SHA256_BYTES];
    enum checksum_kind kind = c->kind;

    c->kind = CHECKSUM_NONE;
    if (is_crc(kind)) {
        crc_text(kind, ~c->crc, ret);
        return;
    }
    hasher_final(&c->sha, out);
    base64_of(out, kinds[kind].bytes, ret);
}

void checksum_done(struct checksum *c)
{
    if (c->kind != CHECKSUM_NONE && !is_crc(c->kind))
        hasher_done(&c->sha);
    c->kind = CHECKSUM_NONE;
}

/* ---- as kept: "<kind><F|C><value>" */

void sum_write(const struct sum *s, char ret[SUM_STORED])
{
    if (s->kind == CHECKSUM_NONE)
        *ret = 0;
    else
        snprintf(ret, SUM_STORED, "%d%c%s", (int)s->kind, s->composite ? 'C' : 'F', s->text);
}

void sum_read(str t, struct sum *ret)
{
    *ret = (struct sum){0};
    if (t.n < 3 || t.n >= SUM_STORED || t.p[0] <= '0' || t.p[0] >= '0' + CHECKSUM_UNKNOWN)
        return;
    ret->kind = (enum checksum_kind)(t.p[0] - '0');
    ret->composite = t.p[1] == 'C';
    snprintf(ret->text, sizeof ret->text, "%.*s", STR_F(str_sub(t, 2, t.n)));
}

/* ---- of an object in parts */

/* The product of two polynomials modulo that of the CRC, bits reflected: the top bit is x^0.  The
 * CRC of A followed by B is x^(8 |B|) times that of A, plus that of B: initial and final inversion
 * cancel (M. Adler's crc32_combine in zlib does the same). */
static uint64_t multiply(enum checksum_kind k, uint64_t a, uint64_t b)
{
    uint64_t product = 0;

    for (uint64_t bit = UINT64_C(1) << (8 * kinds[k].bytes - 1); bit && a; bit >>= 1) {
        if (a & bit) {
            product ^= b;
            a ^= bit;
        }
        b = b & 1 ? (b >> 1) ^ polynomial[k] : b >> 1;
    }
    return product;
}

/* x^(8 n) */
static uint64_t shift_by(enum checksum_kind k, uint64_t n)
{
    unsigned top = 8u * kinds[k].bytes - 1;
    uint64_t v = UINT64_C(1) << top, square = UINT64_C(1) << (top - 8);

    for (; n; n >>= 1) {
        if (n & 1)
            v = multiply(k, v, square);
        square = multiply(k, square, square);
    }
    return v;
}

enum rc sum_join_init(struct sum_join *j, enum checksum_kind kind, bool composite, struct err *e)
{
    *j = (struct sum_join){.out = {.kind = kind, .composite = composite}};
    return composite ? checksum_init(&j->over, kind, e) : RC_OK;
}

void sum_join_add(struct sum_join *j, const struct sum *part, uint64_t part_bytes)
{
    enum checksum_kind k = j->out.kind;
    struct buf raw;
    uint64_t v = 0;

    buf_init(&raw, SHA256_BYTES + 2);
    if (part->kind != k || base64_read(str_of(part->text), &raw, NULL) || raw.n != kinds[k].bytes)
        j->failed = true;
    else if (j->out.composite)
        checksum_add(&j->over, raw.p, raw.n);
    else
        for (size_t i = 0; i < raw.n; i++)
            v = v << 8 | (uint8_t)raw.p[i];
    if (!j->failed && !j->out.composite)
        j->crc = j->parts ? multiply(k, shift_by(k, part_bytes), j->crc) ^ v : v;
    j->parts++;
    buf_done(&raw);
}

void sum_join_final(struct sum_join *j, struct sum *ret)
{
    char text[CHECKSUM_TEXT];

    if (j->out.composite) {
        checksum_final(&j->over, text);
        snprintf(j->out.text, sizeof j->out.text, "%s-%zu", text, j->parts);
    } else {
        crc_text(j->out.kind, j->crc, text);
        snprintf(j->out.text, sizeof j->out.text, "%s", text);
    }
    if (j->failed)
        j->out = (struct sum){0};
    *ret = j->out;
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
