/* seal.c - the master key and what it seals: secret keys at rest (libsodium's
 * XChaCha20-Poly1305, draft-irtf-cfrg-xchacha).
 *
 * Sealed bytes: nonce (24, random: 192 bits do not meet by chance), cipher text, tag (16).  The
 * access key is the additional data. */
#include "store/identity_int.h"

#include "base/log.h"
#include "os/os.h"

#include <fcntl.h>
#include <sodium.h>
#include <string.h>

enum { NONCE = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, MASTER_FILE_BYTES_MAX = 256 };
_Static_assert(NONCE + crypto_aead_xchacha20poly1305_ietf_ABYTES == SEAL_EXTRA_BYTES, "extra");
_Static_assert(MASTER_BYTES == crypto_aead_xchacha20poly1305_ietf_KEYBYTES, "key");

enum rc seal_setup(struct err *e)
{
    return sodium_init() < 0 ? err_set(e, RC_INTERNAL, "libsodium does not start") : RC_OK;
}

void forget(void *p, size_t n)
{
    sodium_memzero(p, n);
}

static enum rc master_of(str hex, const char *where, uint8_t ret[MASTER_BYTES], struct err *e)
{
    hex = str_trim(hex);
    if (hex.n != 2 * (size_t)MASTER_BYTES || !hex_to(hex, ret))
        return err_set(e, RC_INVALID, "%s does not hold %d hex digits, the store's master key",
                       where, 2 * MASTER_BYTES);
    return RC_OK;
}

static enum rc master_read(const char *path, uint8_t ret[MASTER_BYTES], struct err *e)
{
    unsigned mode;
    bool usable;
    struct arena a;
    str text;
    enum rc rc;

    arena_init(&a, 1 << 16);
    rc = os_read_file(&a, path, MASTER_FILE_BYTES_MAX, &text, e);
    if (!rc)
        rc = os_permission(path, &mode, &usable, e);
    if (!rc && (mode & 077))
        log_warn("store: others may read %s (mode %03o); set it to 600", path, mode);
    if (!rc)
        rc = master_of(text, path, ret, e);
    if (!rc)
        forget((char *)(uintptr_t)text.p, text.n);
    arena_done(&a);
    return rc;
}

enum rc master_load(const char *hex, const char *path, bool may_make, uint8_t ret[MASTER_BYTES],
                    struct err *e)
{
    char text[2 * MASTER_BYTES + 2];
    enum rc rc;

    if (hex && *hex)
        return master_of(str_of(hex), "ANNEAL_STORE_MASTER", ret, e);
    if (os_exists(path))
        return master_read(path, ret, e);
    if (!may_make)
        return err_set(
            e, RC_NOT_FOUND,
            "the store's master key %s is missing: restore it (or set "
            "ANNEAL_STORE_MASTER), or move identity.db away and make the identities anew",
            path);
    randombytes_buf(ret, MASTER_BYTES);
    hex_of(ret, MASTER_BYTES, text);
    memcpy(text + 2 * MASTER_BYTES, "\n", 2);
    rc = os_write_file_durable(path, str_of(text), 0600, e);
    forget(text, sizeof text);
    return rc;
}

void seal(const uint8_t master[MASTER_BYTES], str access_key, str secret, uint8_t *ret)
{
    randombytes_buf(ret, NONCE);
    crypto_aead_xchacha20poly1305_ietf_encrypt(ret + NONCE, NULL, (const uint8_t *)secret.p,
                                               secret.n, (const uint8_t *)access_key.p,
                                               access_key.n, NULL, ret, master);
}

enum rc unseal(const uint8_t master[MASTER_BYTES], str access_key, str sealed,
               char ret[SECRET_KEY_TEXT], struct err *e)
{
    const uint8_t *p = (const uint8_t *)sealed.p;
    size_t n = sealed.n < SEAL_EXTRA_BYTES ? 0 : sealed.n - SEAL_EXTRA_BYTES;
    char text[SECRET_KEY_TEXT] = "";

    if (!n || n >= SECRET_KEY_TEXT ||
        crypto_aead_xchacha20poly1305_ietf_decrypt((uint8_t *)text, NULL, NULL, p + NONCE,
                                                   sealed.n - NONCE, (const uint8_t *)access_key.p,
                                                   access_key.n, p, master))
        return err_set(e, RC_CORRUPT,
                       "the master key does not open the secret of the access key '%.*s'; it is "
                       "another store's, or the row was changed",
                       STR_F(str_sub(access_key, 0, 64)));
    memcpy(ret, text, SECRET_KEY_TEXT);
    forget(text, sizeof text);
    return RC_OK;
}

/* 32 letters and digits: five bits a character; 100 bits of name, 200 of secret. */
static void letters(const char *alphabet, char *ret, size_t n)
{
    uint8_t raw[64];

    randombytes_buf(raw, n);
    for (size_t i = 0; i < n; i++)
        ret[i] = alphabet[raw[i] & 31];
    ret[n] = 0;
    forget(raw, sizeof raw);
}

void key_pair_new(struct key_pair *ret)
{
    letters("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", ret->access_key, ACCESS_KEY_TEXT - 1);
    letters("abcdefghijklmnopqrstuvwxyz234567", ret->secret_key, SECRET_KEY_TEXT - 1);
}
