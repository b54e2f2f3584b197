/* checksum.h - the additional checksums of S3 (x-amz-checksum-*), and base64.  Private to store/.
 *
 * All three CRCs are reflected, initial and final value all ones (CRC-32/ISO-HDLC,
 * CRC-32/ISCSI, CRC-64/NVME of the catalogue of parametrised CRC algorithms). */
#ifndef ANNEAL_STORE_CHECKSUM_H
#define ANNEAL_STORE_CHECKSUM_H

#include "base/hash.h"

enum checksum_kind {
    CHECKSUM_NONE,
    CHECKSUM_CRC32,
    CHECKSUM_CRC32C,
    CHECKSUM_CRC64NVME,
    CHECKSUM_SHA256,
    CHECKSUM_UNKNOWN /* x-amz-checksum-sha1, or a name that we do not know */
};
/* By header name, case folded: CHECKSUM_NONE when it is no checksum header at all. */
enum checksum_kind checksum_of_header(str name);

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

/* Standard base64 with padding; ret holds 4 * ((n + 2) / 3) + 1 bytes. */
void base64_of(const uint8_t *p, size_t n, char *ret);

#endif
