/* hash.h - SHA-256 (FIPS 180-4), HMAC-SHA-256 (RFC 2104), MD5 (RFC 1321, S3 ETags only), SHA-1 (S3
 * checksums only), SplitMix64 and a counter-based generator.  The digests come from libcrypto,
 * whose SHA instructions hash at memory speed.  hex forms are lower case. */
#ifndef ANNEAL_BASE_HASH_H
#define ANNEAL_BASE_HASH_H

#include "base/str.h"

enum { SHA256_BYTES = 32, SHA256_HEX = 64, MD5_BYTES = 16, MD5_HEX = 32, SHA1_BYTES = 20 };

struct hasher {
    void *ctx; /* EVP_MD_CTX */
};
enum rc sha256_init(struct hasher *h, struct err *e) must_check;
enum rc md5_init(struct hasher *h, struct err *e) must_check;
enum rc sha1_init(struct hasher *h, struct err *e) must_check;
void hasher_add(struct hasher *h, const void *p, size_t n);
void hasher_final(struct hasher *h, uint8_t *ret_digest); /* also frees */
void hasher_done(struct hasher *h);                       /* frees without a digest */
void sha256(str data, uint8_t ret[SHA256_BYTES]);
void sha256_hex(str data, char ret[SHA256_HEX + 1]);
void hmac_sha256(str key, str data, uint8_t ret[SHA256_BYTES]);
void hex_of(const uint8_t *p, size_t n, char *ret); /* 2n characters and NUL */
bool hex_to(str hex, uint8_t *ret);                 /* hex.n / 2 bytes; false if not hex */
bool is_sha256_hex(str s);
bool same_bytes(const void *a, const void *b, size_t n); /* constant time */

uint64_t splitmix64(uint64_t *state);
/* Stateless: the same four numbers give the same word on every machine (used for data order and
 * augmentation: seed, epoch, index, draw). */
uint64_t rand_at(uint64_t seed, uint64_t a, uint64_t b, uint64_t c);
double rand_unit(uint64_t word); /* [0, 1) with 53 bits */

#endif
