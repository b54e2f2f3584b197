/* index_sql.c - see index.h.
 *
 * Keys are blobs: they compare bytewise, which is S3's order, and a bound of a search need not be
 * valid UTF-8.  Objects are clustered by (bucket, key), so that a page of a list is one run; the
 * rows of bytes stand in data_sql.c, out of the way of lists.
 */
#include "store/index.h"

#include "base/log.h"

enum { LAYOUT = 2 };

static const char *const layout[] = {
    "CREATE TABLE IF NOT EXISTS counter(name TEXT PRIMARY KEY, value INTEGER NOT NULL)",
    "CREATE TABLE IF NOT EXISTS bucket(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
    " created_ms INTEGER NOT NULL)",
    "CREATE TABLE IF NOT EXISTS object(bucket INTEGER NOT NULL, key BLOB NOT NULL,"
    " data INTEGER NOT NULL, bytes INTEGER NOT NULL, modified_ms INTEGER NOT NULL,"
    " etag TEXT NOT NULL, type TEXT NOT NULL, meta TEXT NOT NULL,"
    " PRIMARY KEY(bucket, key)) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS upload(id INTEGER PRIMARY KEY, bucket INTEGER NOT NULL,"
    " key BLOB NOT NULL, type TEXT NOT NULL, meta TEXT NOT NULL, created_ms INTEGER NOT NULL)",
    "CREATE INDEX IF NOT EXISTS upload_created ON upload(created_ms)",
    "CREATE TABLE IF NOT EXISTS part(upload INTEGER NOT NULL, number INTEGER NOT NULL,"
    " data INTEGER NOT NULL, bytes INTEGER NOT NULL, modified_ms INTEGER NOT NULL,"
    " etag TEXT NOT NULL, PRIMARY KEY(upload, number)) WITHOUT ROWID",
    "INSERT OR IGNORE INTO counter(name, value) VALUES ('generation', 0)",
};
/* From layout i + 1 to i + 2; an empty file takes them all. */
static const char *const changes[] = {
    "ALTER TABLE bucket ADD COLUMN owner TEXT NOT NULL DEFAULT 'root'",
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
    for (size_t i = 0; !rc && !version && i < sizeof layout / sizeof *layout; i++)
        rc = tx_exec0(tx, e, layout[i]);
    if (!rc)
        rc = data_setup(tx, e);
    for (int64_t i = version ? version - 1 : 0; !rc && i < LAYOUT - 1; i++)
        rc = tx_exec0(tx, e, changes[i]);
    if (!rc && version != LAYOUT)
        rc = tx_exec0(tx, e, "PRAGMA user_version = 2"); /* LAYOUT */
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

enum rc index_bucket(struct tx *tx, str name, int64_t *ret, struct err *e)
{
    struct rows *r;
    enum rc rc = tx_query(tx, &r, e, "SELECT id FROM bucket WHERE name = ?", db_s(name));

    return rc ? rc : data_one_int(r, ret, e);
}

enum rc index_bucket_owner(struct tx *tx, str name, char ret[IDENTITY_NAME_MAX + 1], struct err *e)
{
    struct rows *r;
    bool there;
    enum rc rc = tx_query(tx, &r, e, "SELECT owner FROM bucket WHERE name = ?", db_s(name));

    if (rc)
        return rc;
    there = rows_next(r);
    if (there)
        snprintf(ret, IDENTITY_NAME_MAX + 1, "%.*s", STR_F(rows_text(r, 0)));
    rc = rows_done(r, e);
    return rc || there ? rc : err_set(e, RC_NOT_FOUND, "there is no such bucket");
}

enum rc index_bucket_add(struct tx *tx, str name, str owner, int64_t now_ms, struct err *e)
{
    return tx_exec(tx, e, "INSERT INTO bucket(name, owner, created_ms) VALUES (?, ?, ?)",
                   db_s(name), db_s(owner), db_i(now_ms));
}

enum rc index_bucket_remove(struct tx *tx, int64_t bucket, struct freed_list *freed, struct err *e)
{
    struct rows *r;
    int64_t n, upload;
    enum rc rc = tx_query(tx, &r, e, "SELECT 1 FROM object WHERE bucket = ? LIMIT 1", db_i(bucket));

    if (!rc)
        rc = data_one_int(r, &n, e);
    if (rc != RC_NOT_FOUND)
        return rc ? rc : err_set(e, RC_CONFLICT, "the bucket is not empty");
    for (;;) {
        rc = tx_query(tx, &r, e, "SELECT id FROM upload WHERE bucket = ? LIMIT 1", db_i(bucket));
        if (!rc)
            rc = data_one_int(r, &upload, e);
        if (!rc)
            rc = index_upload_drop(tx, upload, freed, e);
        if (rc)
            break;
    }
    if (rc != RC_NOT_FOUND)
        return rc;
    return tx_exec(tx, e, "DELETE FROM bucket WHERE id = ?", db_i(bucket));
}

enum rc index_buckets(struct tx *tx, index_bucket_fn each, void *ud, struct err *e)
{
    struct rows *r;
    enum rc done, rc = tx_query0(tx, &r, e,
                                 "SELECT name, created_ms, owner FROM bucket"
                                 " ORDER BY name");

    if (rc)
        return rc;
    while (!rc && rows_next(r))
        rc = each(ud, rows_text(r, 0), rows_text(r, 2), rows_int(r, 1), e);
    done = rows_done(r, rc ? NULL : e);
    return rc ? rc : done;
}

/* ---- objects */

static void set_etag(struct rows *r, int col, char ret[INDEX_ETAG_MAX])
{
    snprintf(ret, INDEX_ETAG_MAX, "%.*s", STR_F(rows_text(r, col)));
}

enum rc index_get(struct tx *tx, struct arena *a, int64_t bucket, str key, struct object *ret,
                  struct err *e)
{
    struct rows *r;
    struct object o = {0};
    bool there;
    enum rc rc = tx_query(tx, &r, e,
                          "SELECT o.data, d.kind, o.bytes, o.modified_ms, o.etag, o.type, o.meta"
                          " FROM object o JOIN data d ON d.id = o.data"
                          " WHERE o.bucket = ? AND o.key = ?",
                          db_i(bucket), db_b(key));

    if (rc)
        return rc;
    there = rows_next(r);
    if (there) {
        o.data = rows_int(r, 0);
        o.kind = (enum data_kind)rows_int(r, 1);
        o.bytes = (uint64_t)rows_int(r, 2);
        o.modified_ms = rows_int(r, 3);
        set_etag(r, 4, o.etag);
        o.type = rows_copy(r, a, 5);
        o.meta = rows_copy(r, a, 6);
    }
    rc = rows_done(r, e);
    if (!rc && !there)
        rc = err_set(e, RC_NOT_FOUND, "there is no object of this key");
    if (!rc && (!o.type.p || !o.meta.p))
        rc = no_memory(e);
    if (!rc)
        *ret = o;
    return rc;
}

static enum rc object_set(struct tx *tx, int64_t bucket, str key, const struct object *o,
                          struct freed_list *freed, struct err *e)
{
    struct rows *r;
    int64_t old;
    enum rc rc = tx_query(tx, &r, e, "SELECT data FROM object WHERE bucket = ? AND key = ?",
                          db_i(bucket), db_b(key));

    if (!rc)
        rc = data_one_int(r, &old, e);
    if (rc && rc != RC_NOT_FOUND)
        return rc;
    if (!rc)
        rc = data_unref(tx, old, freed, e);
    else
        rc = RC_OK;
    if (rc)
        return rc;
    return tx_exec(tx, e,
                   "INSERT INTO object(bucket, key, data, bytes, modified_ms, etag, type, meta)"
                   " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
                   " ON CONFLICT(bucket, key) DO UPDATE SET data = excluded.data,"
                   " bytes = excluded.bytes, modified_ms = excluded.modified_ms,"
                   " etag = excluded.etag, type = excluded.type, meta = excluded.meta",
                   db_i(bucket), db_b(key), db_i(o->data), db_i((int64_t)o->bytes),
                   db_i(o->modified_ms), db_c(o->etag), db_s(o->type), db_s(o->meta));
}

enum rc index_put(struct tx *tx, int64_t bucket, str key, const struct object *o,
                  struct data_new *d, struct freed_list *freed, struct err *e)
{
    struct object put = *o;
    enum rc rc = data_add(tx, d, &put.data, e);

    return rc ? rc : object_set(tx, bucket, key, &put, freed, e);
}

enum rc index_link(struct tx *tx, int64_t bucket, str key, const struct object *o,
                   struct freed_list *freed, struct err *e)
{
    /* First one more, then perhaps one less: a copy onto itself must not free its own bytes. */
    enum rc rc = data_ref(tx, o->data, e);

    return rc ? rc : object_set(tx, bucket, key, o, freed, e);
}

enum rc index_delete(struct tx *tx, int64_t bucket, str key, struct freed_list *freed,
                     struct err *e)
{
    struct rows *r;
    int64_t data;
    enum rc rc = tx_query(tx, &r, e, "SELECT data FROM object WHERE bucket = ? AND key = ?",
                          db_i(bucket), db_b(key));

    if (!rc)
        rc = data_one_int(r, &data, e);
    if (!rc)
        rc = data_unref(tx, data, freed, e);
    if (!rc)
        rc = tx_exec(tx, e, "DELETE FROM object WHERE bucket = ? AND key = ?", db_i(bucket),
                     db_b(key));
    return rc;
}

enum rc index_list(struct tx *tx, int64_t bucket, str from, str to, size_t max, index_list_fn each,
                   void *ud, struct err *e)
{
    struct rows *r;
    bool stop = false;
    enum rc done, rc = tx_query(tx, &r, e,
                                "SELECT key, bytes, modified_ms, etag FROM object WHERE bucket = ?"
                                " AND key >= ? AND key < ? ORDER BY key LIMIT ?",
                                db_i(bucket), db_b(from), db_b(to), db_i((int64_t)max));

    if (rc)
        return rc;
    while (!rc && !stop && rows_next(r)) {
        struct object o = {.bytes = (uint64_t)rows_int(r, 1), .modified_ms = rows_int(r, 2)};
        set_etag(r, 3, o.etag);
        rc = each(ud, rows_text(r, 0), &o, &stop, e);
    }
    done = rows_done(r, rc ? NULL : e);
    return rc ? rc : done;
}

enum rc index_usage(struct tx *tx, uint64_t ret[4], struct err *e)
{
    struct rows *r;
    enum rc rc =
        tx_query0(tx, &r, e,
                  "SELECT (SELECT count(*) FROM bucket), count(*), coalesce(sum(bytes), 0),"
                  " (SELECT count(*) FROM upload) FROM object");

    if (rc)
        return rc;
    if (rows_next(r))
        for (int i = 0; i < 4; i++)
            ret[i] = (uint64_t)rows_int(r, i);
    return rows_done(r, e);
}

/* ---- multipart uploads */

enum rc index_upload_add(struct tx *tx, const struct upload *u, int64_t now_ms, struct err *e)
{
    return tx_exec(tx, e,
                   "INSERT INTO upload(id, bucket, key, type, meta, created_ms)"
                   " VALUES (?, ?, ?, ?, ?, ?)",
                   db_i(u->id), db_i(u->bucket), db_b(u->key), db_s(u->type), db_s(u->meta),
                   db_i(now_ms));
}

enum rc index_upload(struct tx *tx, struct arena *a, int64_t id, struct upload *ret, struct err *e)
{
    struct rows *r;
    struct upload u = {.id = id};
    bool there;
    enum rc rc =
        tx_query(tx, &r, e, "SELECT bucket, key, type, meta FROM upload WHERE id = ?", db_i(id));

    if (rc)
        return rc;
    there = rows_next(r);
    if (there) {
        u.bucket = rows_int(r, 0);
        u.key = rows_copy(r, a, 1);
        u.type = rows_copy(r, a, 2);
        u.meta = rows_copy(r, a, 3);
    }
    rc = rows_done(r, e);
    if (!rc && !there)
        rc = err_set(e, RC_NOT_FOUND, "there is no such upload");
    if (!rc && (!u.key.p || !u.type.p || !u.meta.p))
        rc = no_memory(e);
    if (!rc)
        *ret = u;
    return rc;
}

enum rc index_part_put(struct tx *tx, int64_t upload, unsigned number, const struct object *o,
                       struct data_new *d, struct freed_list *freed, struct err *e)
{
    struct rows *r;
    int64_t old, data;
    enum rc rc = data_add(tx, d, &data, e);

    if (!rc)
        rc = tx_query(tx, &r, e, "SELECT data FROM part WHERE upload = ? AND number = ?",
                      db_i(upload), db_i(number));
    if (!rc)
        rc = data_one_int(r, &old, e);
    if (!rc)
        rc = data_unref(tx, old, freed, e);
    if (rc && rc != RC_NOT_FOUND)
        return rc;
    return tx_exec(tx, e,
                   "INSERT OR REPLACE INTO part(upload, number, data, bytes, modified_ms, etag)"
                   " VALUES (?, ?, ?, ?, ?, ?)",
                   db_i(upload), db_i(number), db_i(data), db_i((int64_t)o->bytes),
                   db_i(o->modified_ms), db_c(o->etag));
}

enum rc index_parts(struct tx *tx, struct arena *a, int64_t upload, unsigned after, size_t max,
                    struct part **ret, size_t *ret_n, struct err *e)
{
    struct rows *r;
    struct part *list;
    int64_t count;
    size_t n = 0;
    enum rc rc = tx_query(tx, &r, e, "SELECT count(*) FROM part WHERE upload = ? AND number > ?",
                          db_i(upload), db_i(after));

    if (!rc)
        rc = data_one_int(r, &count, e);
    if (rc)
        return rc;
    if ((size_t)count < max)
        max = (size_t)count;
    list = ARENA_ARRAY(a, struct part, max + 1);
    if (!list)
        return no_memory(e);
    rc = tx_query(tx, &r, e,
                  "SELECT number, data, bytes, modified_ms, etag FROM part"
                  " WHERE upload = ? AND number > ? ORDER BY number LIMIT ?",
                  db_i(upload), db_i(after), db_i((int64_t)max));
    if (rc)
        return rc;
    while (n < max && rows_next(r)) {
        list[n].number = (unsigned)rows_int(r, 0);
        list[n].data = rows_int(r, 1);
        list[n].bytes = (uint64_t)rows_int(r, 2);
        list[n].modified_ms = rows_int(r, 3);
        set_etag(r, 4, list[n].etag);
        n++;
    }
    rc = rows_done(r, e);
    if (rc)
        return rc;
    *ret = list;
    *ret_n = n;
    return RC_OK;
}

enum rc index_complete(struct tx *tx, const struct upload *u, const struct object *o,
                       const struct part *parts, size_t n, struct freed_list *freed, struct err *e)
{
    struct data_new d = {.id = o->data, .kind = DATA_PIECES, .bytes = o->bytes};
    int64_t data;
    enum rc rc = data_add(tx, &d, &data, e);

    for (size_t i = 0; !rc && i < n; i++) {
        rc = data_piece(tx, o->data, i, parts[i].data, e);
        if (!rc) /* what stays in `part` is freed with the upload */
            rc = tx_exec(tx, e, "DELETE FROM part WHERE upload = ? AND number = ?", db_i(u->id),
                         db_i(parts[i].number));
    }
    if (!rc)
        rc = object_set(tx, u->bucket, u->key, o, freed, e);
    return rc ? rc : index_upload_drop(tx, u->id, freed, e);
}

enum rc index_upload_drop(struct tx *tx, int64_t upload, struct freed_list *freed, struct err *e)
{
    struct rows *r;
    int64_t data;
    enum rc rc;

    for (;;) {
        rc = tx_query(tx, &r, e, "SELECT data FROM part WHERE upload = ? ORDER BY number LIMIT 1",
                      db_i(upload));
        if (!rc)
            rc = data_one_int(r, &data, e);
        if (!rc)
            rc = data_unref(tx, data, freed, e);
        if (!rc)
            rc = tx_exec(tx, e,
                         "DELETE FROM part WHERE upload = ? AND number ="
                         " (SELECT min(number) FROM part WHERE upload = ?)",
                         db_i(upload), db_i(upload));
        if (rc)
            break;
    }
    if (rc != RC_NOT_FOUND)
        return rc;
    return tx_exec(tx, e, "DELETE FROM upload WHERE id = ?", db_i(upload));
}

enum rc index_upload_older(struct tx *tx, int64_t before_ms, int64_t *ret, struct err *e)
{
    struct rows *r;
    enum rc rc = tx_query(tx, &r, e,
                          "SELECT id FROM upload WHERE created_ms < ? ORDER BY created_ms LIMIT 1",
                          db_i(before_ms));

    return rc ? rc : data_one_int(r, ret, e);
}
