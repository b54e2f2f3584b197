/* identity_sql.c - the rows of identity.db: identities, their keys, their grants. */
#include "store/identity_int.h"

#include <stdio.h>

enum { LAYOUT = 1 };

static const char *const layout[] = {
    "CREATE TABLE IF NOT EXISTS identity(id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " name TEXT NOT NULL UNIQUE, disabled INTEGER NOT NULL DEFAULT 0, created_ms INTEGER NOT NULL)",
    "CREATE TABLE IF NOT EXISTS access_key(n INTEGER PRIMARY KEY AUTOINCREMENT,"
    " access_key TEXT NOT NULL UNIQUE, identity INTEGER NOT NULL REFERENCES identity(id)"
    " ON DELETE CASCADE, sealed BLOB NOT NULL, created_ms INTEGER NOT NULL,"
    " expires_ms INTEGER NOT NULL DEFAULT 0)",
    "CREATE INDEX IF NOT EXISTS access_key_identity ON access_key(identity)",
    "CREATE TABLE IF NOT EXISTS bucket_grant(identity INTEGER NOT NULL REFERENCES identity(id)"
    " ON DELETE CASCADE, pattern TEXT NOT NULL, rights INTEGER NOT NULL,"
    " PRIMARY KEY(identity, pattern)) WITHOUT ROWID",
};

static enum rc set_up(struct tx *tx, struct err *e)
{
    int64_t version;
    enum rc rc = tx_int(tx, 0, &version, e, "PRAGMA user_version");

    if (!rc && version > LAYOUT)
        rc = err_set(e, RC_CONFLICT,
                     "identity.db has layout %lld, this program knows %d; use a newer one",
                     (long long)version, LAYOUT);
    for (size_t i = 0; !rc && !version && i < sizeof layout / sizeof *layout; i++)
        rc = tx_exec(tx, e, layout[i]);
    if (!rc && !version)
        rc = tx_exec(tx, e, "PRAGMA user_version = 1"); /* LAYOUT */
    return rc;
}

enum rc idsql_setup(struct db *db, struct err *e)
{
    struct tx *tx;
    enum rc rc = db_begin(db, DB_WRITE, &tx, e);

    return rc ? rc : tx_end(tx, set_up(tx, e), e);
}

enum rc idsql_keys(struct tx *tx, int64_t *ret_n, struct err *e)
{
    return tx_int(tx, 0, ret_n, e, "SELECT count(*) FROM access_key");
}

/* ---- reading */

/* Live keys only, the oldest first. */
static enum rc read_keys(struct tx *tx, struct arena *a, int64_t id, int64_t now_ms,
                         struct idsql_row *x, struct err *e)
{
    struct rows *r;
    enum rc rc = tx_query(tx, &r, e,
                          "SELECT access_key, sealed, created_ms, expires_ms FROM access_key"
                          " WHERE identity = ? AND (expires_ms = 0 OR expires_ms > ?)"
                          " ORDER BY n LIMIT ?",
                          db_i(id), db_i(now_ms), db_i(IDENTITY_KEYS_MAX));
    bool whole = true;

    if (rc)
        return rc;
    while (whole && rows_next(r)) {
        size_t i = x->row.keys_n++;
        x->row.keys[i] = (struct key_row){rows_copy(r, a, 0), rows_int(r, 2), rows_int(r, 3)};
        x->sealed[i] = rows_copy(r, a, 1);
        whole = x->row.keys[i].access_key.p && x->sealed[i].p;
    }
    rc = rows_done(r, e);
    return rc || whole ? rc : err_set(e, RC_NOMEM, "out of memory");
}

static enum rc read_grants(struct tx *tx, struct arena *a, int64_t id, struct idsql_row *x,
                           struct err *e)
{
    struct rows *r;
    enum rc rc = tx_query(tx, &r, e,
                          "SELECT pattern, rights FROM bucket_grant WHERE identity = ?"
                          " ORDER BY pattern LIMIT ?",
                          db_i(id), db_i(IDENTITY_GRANTS_MAX));
    bool whole = true;

    if (rc)
        return rc;
    while (whole && rows_next(r)) {
        struct grant *g = &x->row.grants[x->row.grants_n++];
        *g = (struct grant){rows_copy(r, a, 0), (unsigned)rows_int(r, 1)};
        whole = g->pattern.p;
    }
    rc = rows_done(r, e);
    return rc || whole ? rc : err_set(e, RC_NOMEM, "out of memory");
}

static enum rc read_one(struct tx *tx, int64_t id, struct idsql_row *x, int64_t now_ms,
                        idsql_fn each, void *ud, struct err *e)
{
    struct arena a;
    enum rc rc;

    arena_init(&a, 1 << 18);
    rc = read_keys(tx, &a, id, now_ms, x, e);
    if (!rc)
        rc = read_grants(tx, &a, id, x, e);
    if (!rc)
        rc = each(ud, x, e);
    arena_done(&a);
    return rc;
}

enum rc idsql_each(struct tx *tx, int64_t now_ms, idsql_fn each, void *ud, struct err *e)
{
    struct rows *r;
    enum rc done, rc = tx_query(tx, &r, e,
                                "SELECT id, name, disabled, created_ms FROM identity"
                                " ORDER BY name");

    if (rc)
        return rc;
    while (!rc && rows_next(r)) {
        struct idsql_row x = {.row = {.name = rows_text(r, 1),
                                      .disabled = rows_int(r, 2) != 0,
                                      .created_ms = rows_int(r, 3)}};
        rc = read_one(tx, rows_int(r, 0), &x, now_ms, each, ud, e);
    }
    done = rows_done(r, rc ? NULL : e);
    return rc ? rc : done;
}

enum rc idsql_id(struct tx *tx, str name, int64_t *ret, struct err *e)
{
    enum rc rc = tx_int(tx, 0, ret, e, "SELECT id FROM identity WHERE name = ?", db_s(name));

    return rc || *ret ? rc
                      : err_set(e, RC_NOT_FOUND,
                                "there is no identity '%.*s'; `anneal store user list` shows them",
                                STR_F(str_sub(name, 0, IDENTITY_NAME_MAX)));
}

/* ---- writing */

enum rc idsql_add(struct tx *tx, str name, int64_t now_ms, int64_t *ret, struct err *e)
{
    int64_t n;
    enum rc rc = tx_int(tx, 0, &n, e, "SELECT count(*) FROM identity");

    if (!rc && n >= IDENTITIES_MAX)
        rc = err_set(e, RC_LIMIT, "a store has at most %d identities", IDENTITIES_MAX);
    if (!rc)
        rc = tx_exec(tx, e, "INSERT INTO identity(name, created_ms) VALUES (?, ?)", db_s(name),
                     db_i(now_ms));
    if (rc == RC_CONFLICT)
        return err_field(e, rc, "name", "the identity '%.*s' exists", STR_F(name));
    if (!rc)
        *ret = tx_last_id(tx);
    return rc;
}

enum rc idsql_remove(struct tx *tx, int64_t id, struct err *e)
{
    enum rc rc = tx_exec(tx, e, "DELETE FROM access_key WHERE identity = ?", db_i(id));

    if (!rc)
        rc = tx_exec(tx, e, "DELETE FROM bucket_grant WHERE identity = ?", db_i(id));
    return rc ? rc : tx_exec(tx, e, "DELETE FROM identity WHERE id = ?", db_i(id));
}

enum rc idsql_disable(struct tx *tx, int64_t id, bool disabled, struct err *e)
{
    return tx_exec(tx, e, "UPDATE identity SET disabled = ? WHERE id = ?", db_i(disabled),
                   db_i(id));
}

enum rc idsql_key_add(struct tx *tx, int64_t id, str access_key, str sealed, int64_t now_ms,
                      struct err *e)
{
    return tx_exec(tx, e,
                   "INSERT INTO access_key(access_key, identity, sealed, created_ms)"
                   " VALUES (?, ?, ?, ?)",
                   db_s(access_key), db_i(id), db_b(sealed), db_i(now_ms));
}

enum rc idsql_keys_end(struct tx *tx, int64_t id, int64_t at_ms, int64_t now_ms, struct err *e)
{
    enum rc rc = tx_exec(tx, e,
                         "UPDATE access_key SET expires_ms = ? WHERE identity = ?"
                         " AND (expires_ms = 0 OR expires_ms > ?)",
                         db_i(at_ms), db_i(id), db_i(at_ms));

    return rc ? rc
              : tx_exec(tx, e,
                        "DELETE FROM access_key WHERE identity = ? AND (expires_ms <= ? OR"
                        " n < (SELECT max(n) FROM access_key WHERE identity = ?))",
                        db_i(id), db_i(now_ms), db_i(id));
}

enum rc idsql_grant(struct tx *tx, int64_t id, struct grant g, struct err *e)
{
    int64_t n;
    enum rc rc = tx_exec(tx, e, "DELETE FROM bucket_grant WHERE identity = ? AND pattern = ?",
                         db_i(id), db_s(g.pattern));

    if (rc || !g.rights)
        return rc;
    rc = tx_int(tx, 0, &n, e, "SELECT count(*) FROM bucket_grant WHERE identity = ?", db_i(id));
    if (!rc && n >= IDENTITY_GRANTS_MAX)
        rc = err_set(e, RC_LIMIT,
                     "an identity has at most %d grants; use a pattern such as 'logs-*'",
                     IDENTITY_GRANTS_MAX);
    return rc ? rc
              : tx_exec(tx, e,
                        "INSERT INTO bucket_grant(identity, pattern, rights) VALUES (?, ?, ?)",
                        db_i(id), db_s(g.pattern), db_i((int64_t)g.rights));
}
