/* index_sql.c - the layout of the index, and buckets.  See index.h.
 *
 * Keys are blobs: they compare bytewise, which is S3's order, and a bound of a search need not be
 * valid UTF-8.  Objects are clustered by (bucket, key), so that a page of a list is one run; the
 * rows of bytes stand in data_sql.c, out of the way of lists.
 *
 * An older file is brought up step by step in the transaction of index_setup(): it is of the one
 * layout or of the other, never between.  Columns are added with constant defaults, which SQLite
 * does without touching rows. */
#include "store/index.h"

#include "base/log.h"

enum { LAYOUT = 3 };

/* What layout n - 1 lacks. */
static const struct {
    int layout;
    const char *sql;
} steps[] = {
    {1, "CREATE TABLE counter(name TEXT PRIMARY KEY, value INTEGER NOT NULL)"},
    {1, "CREATE TABLE bucket(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
        " created_ms INTEGER NOT NULL)"},
    {1, "CREATE TABLE object(bucket INTEGER NOT NULL, key BLOB NOT NULL,"
        " data INTEGER NOT NULL, bytes INTEGER NOT NULL, modified_ms INTEGER NOT NULL,"
        " etag TEXT NOT NULL, type TEXT NOT NULL, meta TEXT NOT NULL,"
        " PRIMARY KEY(bucket, key)) WITHOUT ROWID"},
    {1, "CREATE TABLE upload(id INTEGER PRIMARY KEY, bucket INTEGER NOT NULL,"
        " key BLOB NOT NULL, type TEXT NOT NULL, meta TEXT NOT NULL, created_ms INTEGER NOT NULL)"},
    {1, "CREATE INDEX upload_created ON upload(created_ms)"},
    {1, "CREATE TABLE part(upload INTEGER NOT NULL, number INTEGER NOT NULL,"
        " data INTEGER NOT NULL, bytes INTEGER NOT NULL, modified_ms INTEGER NOT NULL,"
        " etag TEXT NOT NULL, PRIMARY KEY(upload, number)) WITHOUT ROWID"},
    {1, "INSERT INTO counter(name, value) VALUES ('generation', 0)"},
    {2, "ALTER TABLE bucket ADD COLUMN owner TEXT NOT NULL DEFAULT 'root'"},
    {3, "ALTER TABLE bucket ADD COLUMN versioning INTEGER NOT NULL DEFAULT 0"},
    {3, "ALTER TABLE bucket ADD COLUMN acl INTEGER NOT NULL DEFAULT 0"},
    {3, "CREATE TABLE setting(bucket INTEGER NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL,"
        " PRIMARY KEY(bucket, kind)) WITHOUT ROWID"},
    {3, "ALTER TABLE object ADD COLUMN seq INTEGER NOT NULL DEFAULT 0"},
    {3, "ALTER TABLE object ADD COLUMN nullv INTEGER NOT NULL DEFAULT 1"},
    {3, "ALTER TABLE object ADD COLUMN acl INTEGER NOT NULL DEFAULT 0"},
    {3, "ALTER TABLE object ADD COLUMN tags TEXT NOT NULL DEFAULT ''"},
    {3, "ALTER TABLE object ADD COLUMN sum TEXT NOT NULL DEFAULT ''"},
    {3,
     "CREATE TABLE version(bucket INTEGER NOT NULL, key BLOB NOT NULL, seq INTEGER NOT NULL,"
     " nullv INTEGER NOT NULL, marker INTEGER NOT NULL, data INTEGER NOT NULL,"
     " bytes INTEGER NOT NULL, modified_ms INTEGER NOT NULL, left_ms INTEGER NOT NULL,"
     " etag TEXT NOT NULL, type TEXT NOT NULL, meta TEXT NOT NULL, acl INTEGER NOT NULL,"
     " tags TEXT NOT NULL, sum TEXT NOT NULL, PRIMARY KEY(bucket, key, seq DESC)) WITHOUT ROWID"},
    {3, "ALTER TABLE upload ADD COLUMN acl INTEGER NOT NULL DEFAULT 0"},
    {3, "ALTER TABLE upload ADD COLUMN tags TEXT NOT NULL DEFAULT ''"},
    {3, "ALTER TABLE upload ADD COLUMN sum_kind INTEGER NOT NULL DEFAULT 0"},
    {3, "ALTER TABLE upload ADD COLUMN sum_flags INTEGER NOT NULL DEFAULT 0"},
    {3, "CREATE INDEX upload_key ON upload(bucket, key, id)"},
    {3, "ALTER TABLE part ADD COLUMN sum TEXT NOT NULL DEFAULT ''"},
    {3, "INSERT INTO counter(name, value) VALUES ('version', 0)"},
};

static enum rc no_memory(struct err *e)
{
    return err_set(e, RC_NOMEM, "out of memory");
}

static enum rc set_up(struct tx *tx, int64_t *ret_generation, struct err *e)
{
    struct rows *r;
    int64_t version;
    enum rc rc = tx_query0(tx, &r, e, "PRAGMA user_version");

    if (!rc)
        rc = data_one_int(r, &version, e);
    if (!rc && version > LAYOUT)
        rc = err_set(e, RC_CONFLICT,
                     "the store's index has layout %lld, this program knows %d; use a newer one",
                     (long long)version, LAYOUT);
    for (size_t i = 0; !rc && i < sizeof steps / sizeof *steps; i++)
        if (steps[i].layout > version)
            rc = tx_exec0(tx, e, steps[i].sql);
    if (!rc)
        rc = data_setup(tx, e);
    if (!rc && version < LAYOUT)
        rc = tx_exec0(tx, e, "PRAGMA user_version = 3"); /* LAYOUT */
    if (!rc)
        rc = tx_exec0(tx, e, "UPDATE counter SET value = value + 1 WHERE name = 'generation'");
    if (!rc)
        rc = tx_query0(tx, &r, e, "SELECT value FROM counter WHERE name = 'generation'");
    return rc ? rc : data_one_int(r, ret_generation, e);
}

enum rc index_setup(struct db *db, int64_t *ret_generation, struct err *e)
{
    struct tx *tx;
    int64_t generation;
    enum rc rc = db_begin(db, DB_WRITE, &tx, e);

    if (rc)
        return rc;
    rc = set_up(tx, &generation, e);
    if (rc)
        tx_rollback(tx);
    else
        rc = tx_commit(tx, e);
    if (rc)
        return err_wrap(e, rc, "the store's index");
    *ret_generation = generation;
    return RC_OK;
}

/* ---- buckets */

static void bucket_of_row(struct rows *r, struct bucket *ret)
{
    *ret = (struct bucket){.id = rows_int(r, 0),
                           .created_ms = rows_int(r, 1),
                           .versioning = (enum versioning)rows_int(r, 2),
                           .acl = (enum canned_acl)rows_int(r, 3)};
    snprintf(ret->owner, sizeof ret->owner, "%.*s", STR_F(rows_text(r, 4)));
}

enum rc index_bucket(struct tx *tx, str name, struct bucket *ret, struct err *e)
{
    struct rows *r;
    struct bucket b = {0};
    bool there;
    enum rc rc = tx_query(
        tx, &r, e, "SELECT id, created_ms, versioning, acl, owner FROM bucket WHERE name = ?",
        db_s(name));

    if (rc)
        return rc;
    there = rows_next(r);
    if (there)
        bucket_of_row(r, &b);
    rc = rows_done(r, e);
    if (!rc && !there)
        rc = err_set(e, RC_NOT_FOUND, "there is no such bucket");
    if (!rc)
        *ret = b;
    return rc;
}

enum rc index_bucket_add(struct tx *tx, str name, str owner, enum canned_acl acl, int64_t now_ms,
                         struct err *e)
{
    return tx_exec(tx, e, "INSERT INTO bucket(name, owner, created_ms, acl) VALUES (?, ?, ?, ?)",
                   db_s(name), db_s(owner), db_i(now_ms), db_i(acl));
}

enum rc index_bucket_versioning(struct tx *tx, int64_t bucket, enum versioning v, struct err *e)
{
    return tx_exec(tx, e, "UPDATE bucket SET versioning = ? WHERE id = ?", db_i(v), db_i(bucket));
}

enum rc index_bucket_acl(struct tx *tx, int64_t bucket, enum canned_acl acl, struct err *e)
{
    return tx_exec(tx, e, "UPDATE bucket SET acl = ? WHERE id = ?", db_i(acl), db_i(bucket));
}

enum rc index_bucket_remove(struct tx *tx, int64_t bucket, struct freed_list *freed, struct err *e)
{
    struct rows *r;
    int64_t n, upload;
    enum rc rc = tx_query(tx, &r, e,
                          "SELECT EXISTS(SELECT 1 FROM object WHERE bucket = ?) +"
                          " EXISTS(SELECT 1 FROM version WHERE bucket = ?)",
                          db_i(bucket), db_i(bucket));

    if (!rc)
        rc = data_one_int(r, &n, e);
    if (!rc && n)
        rc = err_set(e, RC_CONFLICT, "the bucket is not empty");
    while (!rc) {
        rc = tx_query(tx, &r, e, "SELECT id FROM upload WHERE bucket = ? LIMIT 1", db_i(bucket));
        if (!rc)
            rc = data_one_int(r, &upload, e);
        if (!rc)
            rc = index_upload_drop(tx, upload, freed, e);
    }
    if (rc != RC_NOT_FOUND)
        return rc;
    rc = tx_exec(tx, e, "DELETE FROM setting WHERE bucket = ?", db_i(bucket));
    return rc ? rc : tx_exec(tx, e, "DELETE FROM bucket WHERE id = ?", db_i(bucket));
}

enum rc index_buckets(struct tx *tx, index_bucket_fn each, void *ud, struct err *e)
{
    struct rows *r;
    enum rc done, rc = tx_query0(tx, &r, e,
                                 "SELECT id, created_ms, versioning, acl, owner, name FROM bucket"
                                 " ORDER BY name");

    if (rc)
        return rc;
    while (!rc && rows_next(r)) {
        struct bucket b;
        bucket_of_row(r, &b);
        rc = each(ud, rows_text(r, 5), &b, e);
    }
    done = rows_done(r, rc ? NULL : e);
    return rc ? rc : done;
}

/* ---- settings */

enum rc index_setting(struct tx *tx, struct arena *a, int64_t bucket, const char *kind, str *ret,
                      struct err *e)
{
    struct rows *r;
    str body = STR_NONE;
    bool there;
    enum rc rc = tx_query(tx, &r, e, "SELECT body FROM setting WHERE bucket = ? AND kind = ?",
                          db_i(bucket), db_c(kind));

    if (rc)
        return rc;
    there = rows_next(r);
    if (there)
        body = rows_copy(r, a, 0);
    rc = rows_done(r, e);
    if (!rc && !there)
        rc = err_set(e, RC_NOT_FOUND, "the bucket has no %s", kind);
    if (!rc && !body.p)
        rc = no_memory(e);
    if (!rc)
        *ret = body;
    return rc;
}

enum rc index_setting_put(struct tx *tx, int64_t bucket, const char *kind, str body, struct err *e)
{
    if (!body.p)
        return tx_exec(tx, e, "DELETE FROM setting WHERE bucket = ? AND kind = ?", db_i(bucket),
                       db_c(kind));
    return tx_exec(tx, e, "INSERT OR REPLACE INTO setting(bucket, kind, body) VALUES (?, ?, ?)",
                   db_i(bucket), db_c(kind), db_s(body));
}
