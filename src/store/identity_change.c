/* identity_change.c - see identity.h: making, changing and showing identities.
 *
 * A change is a transaction, and then a new word in identity.seq, which tells every process that
 * has the store open to read anew. */
#include "store/identity_int.h"

#include "os/os.h"
#include <fcntl.h>
#include <string.h>

/* After the commit: who has the store open reads anew.  The word is random, so that two who write
 * at once need not agree on a number. */
static enum rc publish(struct identities *s, struct err *e)
{
    uint64_t word;
    int fd;
    enum rc rc;

    os_random(&word, sizeof word);
    word |= 1; /* not what an empty file gives */
    rc = os_open(s->seq_path, O_WRONLY | O_CLOEXEC, 0600, &fd, e);
    if (rc)
        return rc;
    rc = os_write_all(fd, &word, sizeof word, e);
    os_close(fd);
    return rc;
}

static enum rc finish(struct identities *s, struct tx *tx, enum rc rc, struct err *e)
{
    rc = tx_end(tx, rc, e);
    return rc ? rc : publish(s, e);
}

static enum rc add_key(struct identities *s, struct tx *tx, int64_t id, const struct key_pair *k,
                       int64_t now_ms, struct err *e)
{
    uint8_t sealed[SEALED_BYTES_MAX];
    str access = str_of(k->access_key), secret = str_of(k->secret_key);

    seal(s->master, access, secret, sealed);
    return idsql_key_add(tx, id, access, (str){(char *)sealed, secret.n + SEAL_EXTRA_BYTES}, now_ms,
                         e);
}

enum rc identity_add(struct identities *s, str name, const struct grant *grants, size_t n,
                     struct key_pair *ret, struct err *e)
{
    struct key_pair k;
    struct tx *tx;
    int64_t id, now = os_now_ms();
    enum rc rc = identity_check_name(name, e);

    for (size_t i = 0; !rc && i < n; i++)
        rc = grant_check(grants[i], e);
    if (!rc)
        rc = db_begin(s->db, DB_WRITE, &tx, e);
    if (rc)
        return rc;
    key_pair_new(&k);
    rc = idsql_add(tx, name, now, &id, e);
    if (!rc)
        rc = add_key(s, tx, id, &k, now, e);
    for (size_t i = 0; !rc && i < n; i++)
        rc = idsql_grant(tx, id, grants[i], e);
    rc = finish(s, tx, rc, e);
    if (!rc)
        *ret = k;
    forget(&k, sizeof k);
    return rc;
}

enum rc identity_rotate(struct identities *s, str name, int64_t grace_ms, struct key_pair *ret,
                        struct err *e)
{
    struct key_pair k;
    struct tx *tx;
    int64_t id, now = os_now_ms();
    enum rc rc = db_begin(s->db, DB_WRITE, &tx, e);

    if (rc)
        return rc;
    key_pair_new(&k);
    rc = idsql_id(tx, name, &id, e);
    if (!rc)
        rc = idsql_keys_end(tx, id, now + grace_ms, now, e);
    if (!rc)
        rc = add_key(s, tx, id, &k, now, e);
    rc = finish(s, tx, rc, e);
    if (!rc)
        *ret = k;
    forget(&k, sizeof k);
    return rc;
}

enum rc identity_remove(struct identities *s, str name, struct err *e)
{
    struct tx *tx;
    int64_t id;
    enum rc rc = db_begin(s->db, DB_WRITE, &tx, e);

    if (rc)
        return rc;
    rc = idsql_id(tx, name, &id, e);
    if (!rc)
        rc = idsql_remove(tx, id, e);
    return finish(s, tx, rc, e);
}

enum rc identity_disable(struct identities *s, str name, bool disabled, struct err *e)
{
    struct tx *tx;
    int64_t id;
    enum rc rc = db_begin(s->db, DB_WRITE, &tx, e);

    if (rc)
        return rc;
    rc = idsql_id(tx, name, &id, e);
    if (!rc)
        rc = idsql_disable(tx, id, disabled, e);
    return finish(s, tx, rc, e);
}

enum rc identity_grant(struct identities *s, str name, struct grant g, struct err *e)
{
    struct tx *tx;
    int64_t id;
    enum rc rc = grant_check(g, e);

    if (!rc)
        rc = db_begin(s->db, DB_WRITE, &tx, e);
    if (rc)
        return rc;
    rc = idsql_id(tx, name, &id, e);
    if (!rc)
        rc = idsql_grant(tx, id, g, e);
    return finish(s, tx, rc, e);
}

/* ---- showing */

struct show {
    identity_fn each;
    void *ud;
};

static enum rc show_row(void *ud, const struct idsql_row *x, struct err *e)
{
    struct show *w = ud;

    return w->each(w->ud, &x->row, e);
}

enum rc identity_list(struct identities *s, identity_fn each, void *ud, struct err *e)
{
    struct show w = {each, ud};
    struct tx *tx;
    enum rc rc = RC_OK;

    if (s->access_key[0]) {
        struct identity_row root = {.name = STR(IDENTITY_ROOT), .root = true, .keys_n = 1};
        root.keys[0].access_key = str_of(s->access_key);
        rc = each(ud, &root, e);
    }
    if (!rc)
        rc = db_begin(s->db, DB_READ, &tx, e);
    if (rc)
        return rc;
    rc = idsql_each(tx, os_now_ms(), show_row, &w, e);
    tx_rollback(tx);
    return rc;
}
