/* secret.c - random secrets, their hashes, and passwords (libsodium). */
#include "flow/people/people_int.h"

#include <pthread.h>
#include <sodium.h>
#include <string.h>

/* RFC 9106's first parameters want 2 GiB; OWASP's floor is 19 MiB with 2 passes.  46 MiB with 2
 * passes takes some 50 ms of one core; one at a time, so log-ins cannot take the machine's memory.
 */
enum { PASSWORD_PASSES = 2, PASSWORD_MEMORY_BYTES = 46 << 20 };
static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;

enum rc people_setup(void)
{
    return sodium_init() < 0 ? RC_INTERNAL : RC_OK;
}

void secret_new(const char *prefix, char ret_text[SECRET_TEXT], char ret_hash[SHA256_HEX + 1])
{
    uint8_t raw[32];
    char b64[44];

    randombytes_buf(raw, sizeof raw);
    sodium_bin2base64(b64, sizeof b64, raw, sizeof raw, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    snprintf(ret_text, SECRET_TEXT, "%.4s%s", prefix, b64);
    sha256_hex(str_of(ret_text), ret_hash);
    sodium_memzero(raw, sizeof raw);
    sodium_memzero(b64, sizeof b64);
}

enum rc password_hash(str password, char ret[PASSWORD_HASH_TEXT], struct err *e)
{
    int bad;

    if (password.n < PASSWORD_BYTES_MIN || password.n > PASSWORD_BYTES_MAX)
        return err_field(e, RC_INVALID, "password", "a password has %d to %d bytes",
                         PASSWORD_BYTES_MIN, PASSWORD_BYTES_MAX);
    pthread_mutex_lock(&one_at_a_time);
    bad = crypto_pwhash_str(ret, password.p, password.n, PASSWORD_PASSES, PASSWORD_MEMORY_BYTES);
    pthread_mutex_unlock(&one_at_a_time);
    return bad ? err_set(e, RC_NOMEM, "out of memory while hashing a password") : RC_OK;
}

/* An unknown account costs the same time as a known one: it is checked against this hash, whose
 * password nobody knows. */
static char decoy[PASSWORD_HASH_TEXT];
static pthread_once_t decoy_once = PTHREAD_ONCE_INIT;

static void decoy_make(void)
{
    char secret[SECRET_TEXT], hash[SHA256_HEX + 1];

    secret_new("pwd_", secret, hash);
    if (password_hash(str_of(secret), decoy, NULL))
        decoy[0] = 0;
}

bool password_ok(str hash, str password)
{
    char text[PASSWORD_HASH_TEXT] = "";
    bool known = hash.n && hash.n < sizeof text, ok;

    pthread_once(&decoy_once, decoy_make);
    if (known)
        memcpy(text, hash.p, hash.n);
    if (password.n > PASSWORD_BYTES_MAX)
        return false;
    pthread_mutex_lock(&one_at_a_time);
    ok = crypto_pwhash_str_verify(known ? text : decoy, password.p, password.n) == 0;
    pthread_mutex_unlock(&one_at_a_time);
    return ok && known;
}
