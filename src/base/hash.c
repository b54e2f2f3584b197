/* hash.c - digests from libcrypto and their hexadecimal forms.
 *
 * Creating a digest context can fail (memory), and so can only init; feeding an initialised SHA-256
 * or MD5 context cannot, hence the ASSERTs.
 *
 * What is hashed at once goes through libcrypto's SHA256_Update family: SHA256() and HMAC() of
 * OpenSSL 3 look the algorithm up by its name and allocate a context each time, which for the few
 * hundred bytes of a request's signature took several times as long as the hashing (an HMAC of 150
 * bytes: 3.6 us, and 0.5 us so).  3.0 calls the family deprecated in favour of providers, which we
 * do not use.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "base/hash.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <string.h>

static enum rc digest_init(struct hasher *h, const EVP_MD *md, struct err *e)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();

    if (!ctx || EVP_DigestInit_ex(ctx, md, NULL) != 1) {
        EVP_MD_CTX_free(ctx);
        return err_set(e, RC_NOMEM, "libcrypto could not start a %s digest", EVP_MD_get0_name(md));
    }
    h->ctx = ctx;
    return RC_OK;
}

enum rc sha256_init(struct hasher *h, struct err *e)
{
    return digest_init(h, EVP_sha256(), e);
}

enum rc md5_init(struct hasher *h, struct err *e)
{
    return digest_init(h, EVP_md5(), e);
}

enum rc sha1_init(struct hasher *h, struct err *e)
{
    return digest_init(h, EVP_sha1(), e);
}

void hasher_add(struct hasher *h, const void *p, size_t n)
{
    ASSERT(EVP_DigestUpdate(h->ctx, p, n) == 1);
}

void hasher_final(struct hasher *h, uint8_t *ret_digest)
{
    ASSERT(EVP_DigestFinal_ex(h->ctx, ret_digest, NULL) == 1);
    hasher_done(h);
}

void hasher_done(struct hasher *h)
{
    EVP_MD_CTX_free(h->ctx);
    h->ctx = NULL;
}

static void sha_of(SHA256_CTX *c, const void *p, size_t n)
{
    if (n)
        ASSERT(SHA256_Update(c, p, n) == 1);
}

void sha256(str data, uint8_t ret[SHA256_BYTES])
{
    SHA256_CTX c;

    ASSERT(SHA256_Init(&c) == 1);
    sha_of(&c, data.p, data.n);
    ASSERT(SHA256_Final(ret, &c) == 1);
}

void sha256_hex(str data, char ret[SHA256_HEX + 1])
{
    uint8_t digest[SHA256_BYTES];

    sha256(data, digest);
    hex_of(digest, sizeof digest, ret);
}

void hmac_sha256(str key, str data, uint8_t ret[SHA256_BYTES])
{
    uint8_t pad[SHA256_CBLOCK] = {0}, inner[SHA256_BYTES];
    SHA256_CTX c;

    if (key.n > sizeof pad)
        sha256(key, pad);
    else if (key.n)
        memcpy(pad, key.p, key.n);
    for (size_t i = 0; i < sizeof pad; i++)
        pad[i] ^= 0x36;
    ASSERT(SHA256_Init(&c) == 1);
    sha_of(&c, pad, sizeof pad);
    sha_of(&c, data.p, data.n);
    ASSERT(SHA256_Final(inner, &c) == 1);
    for (size_t i = 0; i < sizeof pad; i++)
        pad[i] ^= 0x36 ^ 0x5c;
    ASSERT(SHA256_Init(&c) == 1);
    sha_of(&c, pad, sizeof pad);
    sha_of(&c, inner, sizeof inner);
    ASSERT(SHA256_Final(ret, &c) == 1);
    OPENSSL_cleanse(pad, sizeof pad); /* the key; SHA256_Final has cleared what it held back */
    OPENSSL_cleanse(inner, sizeof inner);
}

void hex_of(const uint8_t *p, size_t n, char *ret)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < n; i++) {
        ret[2 * i] = digits[p[i] >> 4];
        ret[2 * i + 1] = digits[p[i] & 15];
    }
    ret[2 * n] = 0;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool hex_to(str hex, uint8_t *ret)
{
    if (hex.n % 2)
        return false;
    for (size_t i = 0; i < hex.n; i++) {
        if (hex_digit(hex.p[i]) < 0)
            return false;
    }
    for (size_t i = 0; i < hex.n / 2; i++)
        ret[i] = (uint8_t)(hex_digit(hex.p[2 * i]) << 4 | hex_digit(hex.p[2 * i + 1]));
    return true;
}

bool is_sha256_hex(str s)
{
    if (s.n != SHA256_HEX)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (!((s.p[i] >= '0' && s.p[i] <= '9') || (s.p[i] >= 'a' && s.p[i] <= 'f')))
            return false;
    }
    return true;
}

bool same_bytes(const void *a, const void *b, size_t n)
{
    return CRYPTO_memcmp(a, b, n) == 0;
}
