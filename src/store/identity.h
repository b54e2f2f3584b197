/* identity.h - who may use the store: identities, their keys, their rights in buckets.
 *
 * On disk: DIR/identity.db (SQLite), apart from the index, because another process changes it while
 * the store runs (`anneal store user ...`); and DIR/identity.seq, a word that such a change
 * replaces, so that the running store sees it at its next request for the price of one pread.
 *
 * Secret keys must be known in clear to check a signature (SigV4 is an HMAC), so a hash will not
 * do: they are sealed with XChaCha20-Poly1305 (libsodium's AEAD; the access key is the additional
 * data, so that rows cannot change places) under a master key that lies outside the folder: in
 * DIR.master (mode 0600, made at need), or given by the configuration.  Who copies the database,
 * or the whole folder, has no secret.  A lost master key means new keys, never lost objects.
 *
 * An identity has at most IDENTITY_KEYS_MAX keys: rotation makes the second and gives the first an
 * end.  A bucket belongs to the identity that made it.
 */
#ifndef ANNEAL_STORE_IDENTITY_H
#define ANNEAL_STORE_IDENTITY_H

#include "base/arena.h"
#include "base/hash.h"

enum {
    IDENTITY_NAME_MAX = 64, /* bytes of A-Z a-z 0-9 . _ - ; begins with a letter or digit */
    IDENTITIES_MAX = 4096,
    IDENTITY_KEYS_MAX = 2,
    IDENTITY_GRANTS_MAX = 64,
    ACCESS_KEY_TEXT = 21, /* of a key made here, with NUL */
    SECRET_KEY_TEXT = 41,
    MASTER_BYTES = 32
};

enum right {
    RIGHT_READ = 1,    /* objects: get, head */
    RIGHT_WRITE = 2,   /* objects: put, copy to, delete, multipart */
    RIGHT_LIST = 4,    /* keys, versions, uploads */
    RIGHT_ADMIN = 8,   /* the bucket itself: settings, policy, deletion */
    RIGHT_CREATE = 16, /* make a bucket of such a name */
    RIGHT_ANY = RIGHT_READ | RIGHT_WRITE | RIGHT_LIST | RIGHT_ADMIN
};
/* "read,list" -> the set; "all" is every right, "none" is 0.  RC_INVALID names the word. */
enum rc rights_parse(str text, unsigned *ret, struct err *e) must_check;
enum { RIGHTS_TEXT = 40 };
void rights_text(unsigned rights, char ret[RIGHTS_TEXT]);
/* A bucket's name, or its beginning and '*'. */
bool grant_pattern_ok(str pattern);

struct identities_config {               /* copied */
    const char *dir;                     /* the store's folder; exists */
    const char *master;                  /* 64 hex digits; NULL or "": the file DIR.master */
    const char *access_key, *secret_key; /* of the configured identity; NULL or "": there is none */
    const char *region;
};
struct identities;
/* RC_CORRUPT: the master key does not open what is there.  Several processes may hold it open. */
enum rc identities_open(struct identities **ret, const struct identities_config *c,
                        struct err *e) must_check;
void identities_close(struct identities *s);   /* NULL is fine */
size_t identities_count(struct identities *s); /* with the configured one */

/* ---- at each request; any thread.  A reference keeps the whole state that it came from. */
struct identity;
/* The identity of a live access key, and the key that signs for it on that day (YYYYMMDD; cached).
 * NULL: there is none, it is disabled, or the key has expired. */
const struct identity *identities_find(struct identities *s, str access_key, str date8,
                                       uint8_t ret_key[SHA256_BYTES]);
const struct identity *identity_ref(const struct identity *who);
void identity_unref(const struct identity *who); /* NULL is fine */
str identity_name(const struct identity *who);   /* of the configured one: "root" */
bool identity_is_root(const struct identity *who);
unsigned identity_rights(const struct identity *who, str bucket); /* of all grants that fit */
/* Has it one of these rights in the bucket, by being the configured one, by owning it (owner: the
 * name of who made it; empty: nobody), or by a grant? */
bool identity_may(const struct identity *who, str bucket, str owner, unsigned rights);

/* ---- changes.  Durable when they return; RC_NOT_FOUND: no identity of that name. */
struct key_pair {
    char access_key[ACCESS_KEY_TEXT], secret_key[SECRET_KEY_TEXT];
};
struct grant {
    str pattern;
    unsigned rights;
};
/* RC_CONFLICT: the name is taken.  RC_INVALID names the field. */
enum rc identity_add(struct identities *s, str name, const struct grant *grants, size_t n,
                     struct key_pair *ret, struct err *e) must_check;
enum rc identity_remove(struct identities *s, str name, struct err *e) must_check;
/* A further key; the others end grace_ms from now at the latest, 0: at once.  If two are live
 * already, the older one ends at once. */
enum rc identity_rotate(struct identities *s, str name, int64_t grace_ms, struct key_pair *ret,
                        struct err *e) must_check;
enum rc identity_disable(struct identities *s, str name, bool disabled, struct err *e) must_check;
/* In place of what it had for the same pattern; rights 0 takes it away. */
enum rc identity_grant(struct identities *s, str name, struct grant g, struct err *e) must_check;

struct key_row {
    str access_key;
    int64_t created_ms, expires_ms; /* 0: does not expire */
};
struct identity_row { /* lent during the call */
    str name;
    bool disabled, root;
    int64_t created_ms;
    struct key_row keys[IDENTITY_KEYS_MAX];
    struct grant grants[IDENTITY_GRANTS_MAX];
    size_t keys_n, grants_n;
};
/* By name; the configured one first. */
typedef enum rc (*identity_fn)(void *ud, const struct identity_row *row, struct err *e);
enum rc identity_list(struct identities *s, identity_fn each, void *ud, struct err *e) must_check;
#endif
