/* hash.c - digests from libcrypto and their hexadecimal forms.
 *
 * Creating a digest context can fail (memory), and so can only init; feeding an initialised SHA-256
 * or MD5 context cannot, hence the ASSERTs.
 */
#include "base/hash.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
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

void sha256(str data, uint8_t ret[SHA256_BYTES])
{
    ASSERT(SHA256((const uint8_t *)(data.p ? data.p : ""), data.n, ret) != NULL);
}

void sha256_hex(str data, char ret[SHA256_HEX + 1])
{
    uint8_t digest[SHA256_BYTES];

    sha256(data, digest);
    hex_of(digest, sizeof digest, ret);
}

void hmac_sha256(str key, str data, uint8_t ret[SHA256_BYTES])
{
    unsigned n = SHA256_BYTES;

    ASSERT(key.n <= INT32_MAX);
    ASSERT(HMAC(EVP_sha256(), key.p ? key.p : "", (int)key.n,
                (const uint8_t *)(data.p ? data.p : ""), data.n, ret, &n) != NULL);
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
