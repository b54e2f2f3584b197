/* index_sql.c - the layout of the index, and buckets.  See index.h.
 *
 * Keys are blobs: they compare bytewise, which is S3's order, and a bound of a search need not be
 * valid UTF-8.  Objects are clustered by (bucket, key), so that a page of a list is one run; the
 * rows of bytes stand in data_sql.c, out of the way of lists.
 *
 * An older file is brought up step by step in the transaction of index_setup(): it is of the one
 * layout or of the other, never between.  Columns are added with constant defaults, which SQLite
 * does without touching rows; only the sums of rows (rowsum.h) are then made for each. */
#include "store/index.h"

#include "base/log.h"
#include "store/rowsum.h"

enum { LAYOUT = 4 };

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
    {4, "ALTER TABLE bucket ADD COLUMN crc INTEGER NOT NULL DEFAULT 0"},
    {4, "ALTER TABLE setting ADD COLUMN crc INTEGER NOT NULL DEFAULT 0"},
    {4, "ALTER TABLE object ADD COLUMN crc INTEGER NOT NULL DEFAULT 0"},
    {4, "ALTER TABLE version ADD COLUMN crc INTEGER NOT NULL DEFAULT 0"},
    {4, "ALTER TABLE upload ADD COLUMN crc INTEGER NOT NULL DEFAULT 0"},
    {4, "ALTER TABLE part ADD COLUMN crc INTEGER NOT NULL DEFAULT 0"},
};

static enum rc no_memory(struct err *e)
{
    return err_set(e, RC_NOMEM, "out of memory");
}

static enum rc set_up(struct tx *tx, int64_t *ret_generation, struct err *e)
{
    int64_t version;
    enum rc rc = tx_int(tx, 0, &version, e, "PRAGMA user_version");

    if (!rc && version > LAYOUT)
        rc = err_set(e, RC_CONFLICT,
                     "the store's index has layout %lld, this program knows %d; use a newer one",
                     (long long)version, LAYOUT);
    if (!rc && version && version < LAYOUT)
        log_info("store: the index is brought from layout %lld to %d", (long long)version, LAYOUT);
    for (size_t i = 0; !rc && i < sizeof steps / sizeof *steps; i++)
        if (steps[i].layout > version)
            rc = tx_exec(tx, e, steps[i].sql);
    if (!rc)
        rc = data_setup(tx, e);
    if (!rc && version < 4) /* rows have sums from layout 4 on */
        rc = rowsum_fill(tx, ROWSUM_BUCKET, ROWSUM_PART, e);
    if (!rc && version < LAYOUT)
        rc = tx_exec(tx, e, "PRAGMA user_version = 4"); /* LAYOUT */
    return rc ? rc : data_counter_next(tx, "generation", ret_generation, e);
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

#define BUCKET         "SELECT id, name, owner, created_ms, versioning, acl, crc FROM bucket"
#define BUCKET_LETTERS "ittiii"

/* name: that was asked for; NULL: what the row says. */
static enum rc bucket_of_row(struct rows *r, const str *name, struct bucket *ret, struct err *e)
{
    if (!rowsum_holds(0, r, 0, BUCKET_LETTERS) || (name && !str_eq(*name, rows_text(r, 1))))
        return err_set(e, RC_CORRUPT, "the bucket's row in the index does not have its checksum");
    *ret = (struct bucket){.id = rows_int(r, 0),
                           .created_ms = rows_int(r, 3),
                           .versioning = (enum versioning)rows_int(r, 4),
                           .acl = (enum canned_acl)rows_int(r, 5)};
    snprintf(ret->owner, sizeof ret->owner, "%.*s", STR_F(rows_text(r, 2)));
    return RC_OK;
}

enum rc index_bucket(struct tx *tx, str name, struct bucket *ret, struct err *e)
{
    struct rows *r;
    struct bucket b = {0};
    bool there;
    enum rc done, rc = tx_query(tx, &r, e, BUCKET " WHERE name = ?", db_s(name));

    if (rc)
        return rc;
    there = rows_next(r);
    if (there)
        rc = bucket_of_row(r, &name, &b, e);
    done = rows_done(r, rc ? NULL : e);
    if (!rc)
        rc = done;
    if (!rc && !there)
        rc = err_set(e, RC_NOT_FOUND, "there is no such bucket");
    if (!rc)
        *ret = b;
    return rc;
}

static uint32_t bucket_sum(int64_t id, str name, const struct bucket *b)
{
    const struct db_val v[] = {
        db_i(id),    db_s(name), db_c(b->owner), db_i(b->created_ms), db_i(b->versioning),
        db_i(b->acl)};

    return rowsum_vals(0, v, sizeof v / sizeof *v);
}

enum rc index_bucket_add(struct tx *tx, str name, str owner, enum canned_acl acl, int64_t now_ms,
                         struct err *e)
{
    struct bucket b = {.created_ms = now_ms, .acl = acl};
    enum rc rc;

    snprintf(b.owner, sizeof b.owner, "%.*s", STR_F(owner));
    rc = tx_exec(tx, e, "INSERT INTO bucket(name, owner, created_ms, acl) VALUES (?, ?, ?, ?)",
                 db_s(name), db_c(b.owner), db_i(now_ms), db_i(acl));
    b.id = rc ? 0 : tx_last_id(tx);
    return rc ? rc
              : tx_exec(tx, e, "UPDATE bucket SET crc = ? WHERE id = ?",
                        db_i(bucket_sum(b.id, name, &b)), db_i(b.id));
}

/* The two that can be set: one of them, the other NULL. */
static enum rc bucket_set(struct tx *tx, int64_t bucket, const enum versioning *versioning,
                          const enum canned_acl *acl, struct err *e)
{
    struct rows *r;
    struct bucket b = {0};
    uint32_t sum = 0;
    bool there;
    enum rc done, rc = tx_query(tx, &r, e, BUCKET " WHERE id = ?", db_i(bucket));

    if (rc)
        return rc;
    there = rows_next(r);
    if (there)
        rc = bucket_of_row(r, NULL, &b, e);
    b.versioning = versioning ? *versioning : b.versioning;
    b.acl = acl ? *acl : b.acl;
    if (there && !rc)
        sum = bucket_sum(bucket, rows_text(r, 1), &b);
    done = rows_done(r, rc ? NULL : e);
    if (rc || done || !there)
        return rc ? rc : done;
    return tx_exec(tx, e, "UPDATE bucket SET versioning = ?, acl = ?, crc = ? WHERE id = ?",
                   db_i(b.versioning), db_i(b.acl), db_i(sum), db_i(bucket));
}

enum rc index_bucket_versioning(struct tx *tx, int64_t bucket, enum versioning v, struct err *e)
{
    return bucket_set(tx, bucket, &v, NULL, e);
}

enum rc index_bucket_acl(struct tx *tx, int64_t bucket, enum canned_acl acl, struct err *e)
{
    return bucket_set(tx, bucket, NULL, &acl, e);
}

enum rc index_bucket_remove(struct tx *tx, int64_t bucket, struct freed_list *freed, struct err *e)
{
    int64_t n, upload;
    enum rc rc = tx_int(tx, 0, &n, e,
                        "SELECT EXISTS(SELECT 1 FROM object WHERE bucket = ?) +"
                        " EXISTS(SELECT 1 FROM version WHERE bucket = ?)",
                        db_i(bucket), db_i(bucket));

    if (!rc && n)
        rc = err_set(e, RC_CONFLICT, "the bucket is not empty");
    while (!rc) {
        rc = tx_int(tx, 0, &upload, e, "SELECT id FROM upload WHERE bucket = ? LIMIT 1",
                    db_i(bucket));
        if (rc || !upload)
            break;
        rc = index_upload_drop(tx, upload, freed, e);
    }
    if (rc)
        return rc;
    rc = tx_exec(tx, e, "DELETE FROM setting WHERE bucket = ?", db_i(bucket));
    return rc ? rc : tx_exec(tx, e, "DELETE FROM bucket WHERE id = ?", db_i(bucket));
}

enum rc index_buckets(struct tx *tx, str from, index_bucket_fn each, void *ud, struct err *e)
{
    struct rows *r;
    bool stop = false;
    enum rc done, rc = tx_query(tx, &r, e, BUCKET " WHERE name >= ? ORDER BY name", db_s(from));

    if (rc)
        return rc;
    while (!rc && !stop && rows_next(r)) {
        struct bucket b;
        rc = bucket_of_row(r, NULL, &b, e);
        if (!rc)
            rc = each(ud, rows_text(r, 1), &b, &stop, e);
    }
    done = rows_done(r, rc ? NULL : e);
    return rc ? rc : done;
}

/* ---- settings */

enum rc index_setting(struct tx *tx, struct arena *a, int64_t bucket, const char *kind, str *ret,
                      struct err *e)
{
    const uint32_t key = rowsum_text(rowsum_int(0, bucket), str_of(kind));
    struct rows *r;
    str body = STR_NONE;
    bool there, holds = false;
    enum rc rc = tx_query(tx, &r, e, "SELECT body, crc FROM setting WHERE bucket = ? AND kind = ?",
                          db_i(bucket), db_c(kind));

    if (rc)
        return rc;
    there = rows_next(r);
    if (there) {
        holds = rowsum_holds(key, r, 0, "t");
        body = rows_copy(r, a, 0);
    }
    rc = rows_done(r, e);
    if (!rc && !there)
        rc = err_set(e, RC_NOT_FOUND, "the bucket has no %s", kind);
    if (!rc && !holds)
        rc = err_set(e, RC_CORRUPT,
                     "the row of the bucket's %s in the index does not have its checksum", kind);
    if (!rc && !body.p)
        rc = no_memory(e);
    if (!rc)
        *ret = body;
    return rc;
}

enum rc index_setting_put(struct tx *tx, int64_t bucket, const char *kind, str body, struct err *e)
{
    const uint32_t key = rowsum_text(rowsum_int(0, bucket), str_of(kind));

    if (!body.p)
        return tx_exec(tx, e, "DELETE FROM setting WHERE bucket = ? AND kind = ?", db_i(bucket),
                       db_c(kind));
    return tx_exec(tx, e,
                   "INSERT OR REPLACE INTO setting(bucket, kind, body, crc) VALUES (?, ?, ?, ?)",
                   db_i(bucket), db_c(kind), db_s(body), db_i(rowsum_text(key, body)));
}
