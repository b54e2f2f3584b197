/* identity_int.h - the identities as they are open, the rows of identity.db, and the seal over
 * secret keys.  Private to identity*.c, rights.c and seal.c. */
#ifndef ANNEAL_STORE_IDENTITY_INT_H
#define ANNEAL_STORE_IDENTITY_INT_H

#include "db/db.h"
#include "store/identity.h"
#include <pthread.h>
#include <stdatomic.h>

#define IDENTITY_ROOT "root" /* what the configured one is called */
enum { IDENTITY_PATH_BYTES = 4200 };

struct state;
struct identities {
    struct db *db;
    int seq_fd;
    char seq_path[IDENTITY_PATH_BYTES];
    char *access_key, *secret_key, *region; /* of the configured identity */
    uint8_t master[MASTER_BYTES];
    pthread_mutex_t lock; /* guards state and the reading of a new one */
    struct state *state;
    atomic_uint_fast64_t seq; /* that the state was read under */
    atomic_bool stale;
};

/* ---- rights.c.  RC_INVALID, which says what may be. */
enum rc identity_check_name(str name, struct err *e) must_check;
enum rc grant_check(struct grant g, struct err *e) must_check;
bool grant_fits(str pattern, str bucket); /* grant_pattern_ok(pattern) */

/* ---- seal.c */
enum { SEAL_EXTRA_BYTES = 24 + 16, SEALED_BYTES_MAX = SECRET_KEY_TEXT + SEAL_EXTRA_BYTES };
enum rc seal_setup(struct err *e) must_check; /* libsodium; any number of times */
/* The master key: of hex (RC_INVALID), or of the file; made there if `may_make`, else RC_NOT_FOUND.
 */
enum rc master_load(const char *hex, const char *path, bool may_make, uint8_t ret[MASTER_BYTES],
                    struct err *e) must_check;
/* ret: secret.n + SEAL_EXTRA_BYTES. */
void seal(const uint8_t master[MASTER_BYTES], str access_key, str secret, uint8_t *ret);
/* RC_CORRUPT: made under another master key, for another access key, or changed. */
enum rc unseal(const uint8_t master[MASTER_BYTES], str access_key, str sealed,
               char ret[SECRET_KEY_TEXT], struct err *e) must_check;
void key_pair_new(struct key_pair *ret);
void forget(void *p, size_t n); /* overwrites a secret; the compiler does not leave it out */

/* ---- identity_sql.c.  RC_NOT_FOUND: no identity of that name. */
enum rc idsql_setup(struct db *db, struct err *e) must_check;
enum rc idsql_keys(struct tx *tx, int64_t *ret_n, struct err *e) must_check;
/* Each identity with its keys (sealed, in the order of making) and grants, by name. */
struct idsql_row {
    struct identity_row row;
    str sealed[IDENTITY_KEYS_MAX];
};
typedef enum rc (*idsql_fn)(void *ud, const struct idsql_row *row, struct err *e);
enum rc idsql_each(struct tx *tx, int64_t now_ms, idsql_fn each, void *ud,
                   struct err *e) must_check;
enum rc idsql_id(struct tx *tx, str name, int64_t *ret, struct err *e) must_check;
enum rc idsql_add(struct tx *tx, str name, int64_t now_ms, int64_t *ret, struct err *e) must_check;
enum rc idsql_remove(struct tx *tx, int64_t id, struct err *e) must_check;
enum rc idsql_disable(struct tx *tx, int64_t id, bool disabled, struct err *e) must_check;
enum rc idsql_key_add(struct tx *tx, int64_t id, str access_key, str sealed, int64_t now_ms,
                      struct err *e) must_check;
/* Keys end at `at` at the latest; of those, all but the newest and what has ended are removed. */
enum rc idsql_keys_end(struct tx *tx, int64_t id, int64_t at_ms, int64_t now_ms,
                       struct err *e) must_check;
enum rc idsql_grant(struct tx *tx, int64_t id, struct grant g, struct err *e) must_check;

#endif
