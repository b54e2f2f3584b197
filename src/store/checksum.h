/* checksum.h - the additional checksums of S3 (x-amz-checksum-*), and base64.  Private to store/.
 *
 * All three CRCs are reflected, initial and final value all ones (CRC-32/ISO-HDLC,
 * CRC-32/ISCSI, CRC-64/NVME of the catalogue of parametrised CRC algorithms).
 * Source: "Checking object integrity", Amazon S3 user guide. */
#ifndef ANNEAL_STORE_CHECKSUM_H
#define ANNEAL_STORE_CHECKSUM_H

#include "base/hash.h"

enum checksum_kind {
    CHECKSUM_NONE,
    CHECKSUM_CRC32,
    CHECKSUM_CRC32C,
    CHECKSUM_CRC64NVME,
    CHECKSUM_SHA1,
    CHECKSUM_SHA256,
    CHECKSUM_UNKNOWN /* x-amz-checksum-md6, or another name that we do not know */
};
/* By header name, case folded: CHECKSUM_NONE when it is no checksum header at all. */
enum checksum_kind checksum_of_header(str name);
/* "CRC32C", case folded, as in x-amz-checksum-algorithm; CHECKSUM_UNKNOWN. */
enum checksum_kind checksum_of_name(str name);
const char *checksum_name(enum checksum_kind k);    /* "CRC32C" */
const char *checksum_header(enum checksum_kind k);  /* "x-amz-checksum-crc32c" */
const char *checksum_element(enum checksum_kind k); /* "ChecksumCRC32C" */

struct checksum {
    enum checksum_kind kind;
    uint64_t crc;
    struct hasher sha;
};
enum rc checksum_init(struct checksum *c, enum checksum_kind kind, struct err *e) must_check;
void checksum_add(struct checksum *c, const void *p, size_t n);
/* As S3 writes it: base64 of the big-endian value.  Also releases. */
enum { CHECKSUM_TEXT = 45 };
void checksum_final(struct checksum *c, char ret[CHECKSUM_TEXT]);
void checksum_done(struct checksum *c);

/* The checksum of an object or a part as it is kept.  composite: the checksum of the parts'
 * checksums, a dash, and their number; otherwise it is that of the whole. */
enum { SUM_TEXT = CHECKSUM_TEXT + 6, SUM_STORED = SUM_TEXT + 2 };
struct sum {
    enum checksum_kind kind; /* CHECKSUM_NONE: none is known */
    bool composite;
    char text[SUM_TEXT];
};
/* For the index: one text, empty for none. */
void sum_write(const struct sum *s, char ret[SUM_STORED]);
void sum_read(str stored, struct sum *ret);

/* Of an object from its parts, in order.  CRCs combine to that of the whole by arithmetic over
 * GF(2)[x]; composite ones are hashed. */
struct sum_join {
    struct sum out;
    bool failed; /* a part has no checksum of this kind */
    uint64_t crc;
    struct checksum over;
    size_t parts;
};
enum rc sum_join_init(struct sum_join *j, enum checksum_kind kind, bool composite,
                      struct err *e) must_check;
void sum_join_add(struct sum_join *j, const struct sum *part, uint64_t part_bytes);
/* j->out of kind CHECKSUM_NONE if a part did not fit.  Also releases. */
void sum_join_final(struct sum_join *j, struct sum *ret);

/* Standard base64 with padding; ret holds 4 * ((n + 2) / 3) + 1 bytes. */
void base64_of(const uint8_t *p, size_t n, char *ret);

#endif
