/* data_sql.c - see data.h: contents.  Segments, freed files and damage: space_sql.c.
 *
 * The look-up by content goes through an index over the first eight bytes of the digest: an entry
 * has 18 bytes instead of 42, and the digest itself decides. */
#include "store/data.h"

static const char *const tables[] = {
    "CREATE TABLE IF NOT EXISTS counter(name TEXT PRIMARY KEY, value INTEGER NOT NULL)",
    "CREATE TABLE IF NOT EXISTS data(id INTEGER PRIMARY KEY, kind INTEGER NOT NULL,"
    " refs INTEGER NOT NULL, bytes INTEGER NOT NULL, body BLOB)",
    "CREATE TABLE IF NOT EXISTS piece(owner INTEGER NOT NULL, n INTEGER NOT NULL,"
    " data INTEGER NOT NULL, PRIMARY KEY(owner, n)) WITHOUT ROWID",
};
/* Layout 1 had bodies up to 64 KiB in the rows and files without checksums. */
static const char *const to_layout_2[] = {
    "ALTER TABLE data ADD COLUMN place INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE data ADD COLUMN sum INTEGER",
    "ALTER TABLE data ADD COLUMN sha BLOB",
    "ALTER TABLE data ADD COLUMN sha8 INTEGER",
    "UPDATE data SET place = id WHERE kind = 0",
    "CREATE INDEX data_sha ON data(sha8) WHERE sha8 IS NOT NULL",
    "CREATE INDEX data_packed ON data(place) WHERE kind = 3",
    "CREATE INDEX data_filed ON data(place) WHERE kind IN (0, 4)",
    "CREATE INDEX data_inline ON data(id) WHERE kind = 1 AND bytes > 0",
    "CREATE INDEX data_plain ON data(id) WHERE kind = 0",
    "CREATE TABLE segment(number INTEGER PRIMARY KEY, bytes INTEGER NOT NULL,"
    " dead INTEGER NOT NULL, sealed INTEGER NOT NULL)",
    "CREATE TABLE freed(kind INTEGER NOT NULL, place INTEGER NOT NULL, PRIMARY KEY(kind, place))"
    " WITHOUT ROWID",
    "CREATE TABLE damage(data INTEGER PRIMARY KEY, found_ms INTEGER NOT NULL, text TEXT NOT NULL)",
    "INSERT INTO counter(name, value) VALUES ('data_layout', 2)",
};

static enum rc no_memory(struct err *e)
{
    return err_set(e, RC_NOMEM, "out of memory");
}

enum rc data_one_int(struct rows *r, int64_t *ret, struct err *e)
{
    bool there = rows_next(r);
    int64_t v = there ? rows_int(r, 0) : 0;
    enum rc rc = rows_done(r, e);

    if (rc)
        return rc;
    if (!there)
        return err_set(e, RC_NOT_FOUND, "there is no such row in the store's index");
    *ret = v;
    return RC_OK;
}

enum rc data_counter(struct tx *tx, const char *name, int64_t *ret, struct err *e)
{
    struct rows *r;
    enum rc rc = tx_query(tx, &r, e, "SELECT value FROM counter WHERE name = ?", db_c(name));

    if (!rc)
        rc = data_one_int(r, ret, e);
    if (rc != RC_NOT_FOUND)
        return rc;
    *ret = 0;
    return RC_OK;
}

enum rc data_counter_set(struct tx *tx, const char *name, int64_t value, struct err *e)
{
    return tx_exec(tx, e,
                   "INSERT INTO counter(name, value) VALUES (?, ?)"
                   " ON CONFLICT(name) DO UPDATE SET value = excluded.value",
                   db_c(name), db_i(value));
}

/* For this connection.  A log that keeps its length needs no new blocks, and its sync writes no
 * inode; the cache holds the inner pages of indexes over millions of rows. */
static enum rc tune(struct tx *tx, struct err *e)
{
    static const char *const pragmas[] = {"PRAGMA wal_autocheckpoint = 4000",
                                          "PRAGMA journal_size_limit = 33554432",
                                          "PRAGMA cache_size = -8192"};
    enum rc rc = RC_OK;

    for (size_t i = 0; !rc && i < sizeof pragmas / sizeof *pragmas; i++)
        rc = tx_exec0(tx, e, pragmas[i]);
    return rc;
}

enum rc data_setup(struct tx *tx, struct err *e)
{
    int64_t layout = 0;
    enum rc rc = tune(tx, e);

    for (size_t i = 0; !rc && i < sizeof tables / sizeof *tables; i++)
        rc = tx_exec0(tx, e, tables[i]);
    if (!rc)
        rc = data_counter(tx, "data_layout", &layout, e);
    if (!rc && layout > DATA_LAYOUT)
        rc = err_set(e, RC_CONFLICT,
                     "the store's bytes have layout %lld, this program knows %d; use a newer one",
                     (long long)layout, DATA_LAYOUT);
    for (size_t i = 0; !rc && !layout && i < sizeof to_layout_2 / sizeof *to_layout_2; i++)
        rc = tx_exec0(tx, e, to_layout_2[i]);
    return rc;
}

/* ---- rows */

#define ROW "d.id, d.kind, d.refs, d.bytes, d.place, d.sum, d.sha, d.body"

static bool read_row(struct rows *r, struct arena *a, struct data_row *ret)
{
    str sha = rows_text(r, 6);

    *ret = (struct data_row){.id = rows_int(r, 0),
                             .kind = (enum data_kind)rows_int(r, 1),
                             .refs = rows_int(r, 2),
                             .bytes = (uint64_t)rows_int(r, 3),
                             .place = rows_int(r, 4),
                             .has_sum = !rows_is_null(r, 5),
                             .sum = (uint32_t)rows_int(r, 5)};
    ret->has_sha = sha.n == SHA256_BYTES;
    if (ret->has_sha)
        memcpy(ret->sha, sha.p, SHA256_BYTES);
    if (ret->kind != DATA_INLINE)
        return true;
    ret->body = rows_copy(r, a, 7);
    return ret->body.p;
}

/* One that there must be. */
static enum rc take_row(struct rows *r, struct arena *a, int64_t data, struct data_row *ret,
                        struct err *e)
{
    struct data_row row = {0};
    bool there = rows_next(r), ok = !there || read_row(r, a, &row);
    enum rc rc = rows_done(r, e);

    if (!rc && !ok)
        rc = no_memory(e);
    if (!rc && !there)
        rc = err_set(e, RC_CORRUPT, "the store's index names content %lld, which is not there",
                     (long long)data);
    if (!rc && row.kind == DATA_INLINE && row.body.n != row.bytes)
        rc = err_set(e, RC_CORRUPT, "content %lld has another length than its row says",
                     (long long)data);
    if (!rc)
        *ret = row;
    return rc;
}

static enum rc take_rows(struct rows *r, struct arena *a, size_t max, uint64_t bytes_max,
                         struct data_row **ret, size_t *ret_n, struct err *e)
{
    struct data_row *list = ARENA_ARRAY(a, struct data_row, max + 1);
    uint64_t bytes = 0;
    size_t n = 0;
    bool ok = list;
    enum rc rc;

    while (ok && n < max && bytes < bytes_max && rows_next(r)) {
        ok = read_row(r, a, &list[n]);
        bytes += ok ? list[n++].body.n : 0;
    }
    rc = rows_done(r, e);
    if (!rc && !ok)
        rc = no_memory(e);
    if (rc)
        return rc;
    *ret = list;
    *ret_n = n;
    return RC_OK;
}

enum rc data_get(struct tx *tx, struct arena *a, int64_t data, struct data_row *ret, struct err *e)
{
    struct rows *r;
    enum rc rc = tx_query(tx, &r, e, "SELECT " ROW " FROM data d WHERE d.id = ?", db_i(data));

    return rc ? rc : take_row(r, a, data, ret, e);
}

enum rc data_pieces(struct tx *tx, struct arena *a, int64_t data, struct data_row **ret,
                    size_t *ret_n, struct err *e)
{
    struct rows *r;
    int64_t count;
    enum rc rc = tx_query(tx, &r, e, "SELECT count(*) FROM piece WHERE owner = ?", db_i(data));

    if (!rc)
        rc = data_one_int(r, &count, e);
    if (!rc)
        rc = tx_query(tx, &r, e,
                      "SELECT " ROW " FROM piece p JOIN data d ON d.id = p.data"
                      " WHERE p.owner = ? ORDER BY p.n",
                      db_i(data));
    if (!rc)
        rc = take_rows(r, a, (size_t)count, UINT64_MAX, ret, ret_n, e);
    if (!rc && *ret_n != (size_t)count)
        rc = err_set(e, RC_CORRUPT, "content %lld lacks %zu of its %lld pieces", (long long)data,
                     (size_t)count - *ret_n, (long long)count);
    return rc;
}

static int64_t sha_key(const uint8_t *sha)
{
    int64_t v;

    memcpy(&v, sha, sizeof v);
    return v;
}

enum rc data_find(struct tx *tx, const uint8_t sha[SHA256_BYTES], uint64_t bytes, int64_t *ret,
                  struct err *e)
{
    struct rows *r;
    enum rc rc = tx_query(tx, &r, e,
                          "SELECT id FROM data WHERE sha8 = ? AND sha = ? AND bytes = ?"
                          " AND NOT EXISTS (SELECT 1 FROM damage x WHERE x.data = data.id) LIMIT 1",
                          db_i(sha_key(sha)), db_b((str){(const char *)sha, SHA256_BYTES}),
                          db_i((int64_t)bytes));

    return rc ? rc : data_one_int(r, ret, e);
}

enum rc data_exists(struct tx *tx, int64_t data, bool *ret, struct err *e)
{
    struct rows *r;
    bool there;
    enum rc rc = tx_query(tx, &r, e, "SELECT 1 FROM data WHERE id = ?", db_i(data));

    if (rc)
        return rc;
    there = rows_next(r);
    rc = rows_done(r, e);
    if (!rc)
        *ret = there;
    return rc;
}

enum rc data_file_named(struct tx *tx, int64_t place, bool *ret, struct err *e)
{
    struct rows *r;
    bool there;
    enum rc rc =
        tx_query(tx, &r, e, "SELECT 1 FROM data WHERE kind IN (0, 4) AND place = ?", db_i(place));

    if (rc)
        return rc;
    there = rows_next(r);
    rc = rows_done(r, e);
    if (!rc)
        *ret = there;
    return rc;
}

/* ---- adding and dropping */

enum rc data_ref(struct tx *tx, int64_t data, struct err *e)
{
    enum rc rc = tx_exec(tx, e, "UPDATE data SET refs = refs + 1 WHERE id = ?", db_i(data));

    if (!rc && tx_changes(tx) != 1)
        rc = err_set(e, RC_CORRUPT, "the store's index names content %lld, which is not there",
                     (long long)data);
    return rc;
}

static enum rc dead_add(struct tx *tx, int64_t place, uint64_t bytes, struct err *e)
{
    return tx_exec(tx, e, "UPDATE segment SET dead = dead + ? WHERE number = ?",
                   db_i((int64_t)record_bytes((size_t)bytes)), db_i(place_segment(place)));
}

/* The same content, if the store has it: one reference more.  RC_NOT_FOUND. */
static enum rc share(struct tx *tx, struct data_new *n, int64_t *ret_id, struct err *e)
{
    int64_t id = 0;
    enum rc rc = data_find(tx, n->sha, n->bytes, &id, e);

    if (!rc)
        rc = data_ref(tx, id, e);
    if (!rc && n->kind == DATA_PACKED && !n->same)
        rc = dead_add(tx, n->place, n->bytes, e);
    if (rc)
        return rc;
    n->shared = true;
    *ret_id = id;
    return RC_OK;
}

/* What was to be shared is gone: a body in memory is stored now, before this transaction's sync. */
static enum rc store_after_all(struct data_new *n, struct err *e)
{
    if (n->kind != DATA_PACKED)
        return err_set(e, RC_UNAVAILABLE, "the same content was deleted meanwhile; try again");
    n->same = 0;
    return segments_append(n->segments, n->id, n->body, &n->place, e);
}

enum rc data_add(struct tx *tx, struct data_new *n, int64_t *ret_id, struct err *e)
{
    struct db_val sha = db_null(), sha8 = db_null();
    enum rc rc;

    n->shared = false;
    if (n->kind == DATA_PACKED && !n->same) {
        rc = data_place_ok(tx, n->segments, n->place, e);
        if (rc)
            return rc;
    }
    if (n->unsound) { /* and so nobody shares it */
        rc = data_damage(tx, n->unsound, os_now_ms(), "found damaged when the same came again", e);
        if (rc)
            return rc;
    }
    if (n->has_sha) {
        rc = share(tx, n, ret_id, e);
        if (rc == RC_NOT_FOUND)
            rc = n->same ? store_after_all(n, e) : RC_OK;
        else
            return rc;
        if (rc)
            return rc;
        sha = db_b((str){(const char *)n->sha, SHA256_BYTES});
        sha8 = db_i(sha_key(n->sha));
    }
    rc = tx_exec(tx, e,
                 "INSERT INTO data(id, kind, refs, bytes, place, sum, sha, sha8, body)"
                 " VALUES (?, ?, 1, ?, ?, ?, ?, ?, ?)",
                 db_i(n->id), db_i(n->kind), db_i((int64_t)n->bytes), db_i(n->place),
                 n->kind == DATA_INLINE ? db_i(block_sum(n->id, 0, n->body.p, n->body.n))
                                        : db_null(),
                 sha, sha8, n->kind == DATA_INLINE ? db_b(n->body) : db_null());
    if (!rc)
        *ret_id = n->id;
    return rc;
}

enum rc data_piece(struct tx *tx, int64_t owner, size_t n, int64_t data, struct err *e)
{
    enum rc rc = tx_exec(tx, e,
                         "INSERT INTO piece(owner, n, data) SELECT ?, ?, id FROM data"
                         " WHERE id = ? AND kind <> 2",
                         db_i(owner), db_i((int64_t)n), db_i(data));

    if (!rc && tx_changes(tx) != 1)
        rc = err_set(e, RC_CORRUPT, "content %lld cannot be a piece", (long long)data);
    return rc;
}

/* The place becomes free: dead space, or a file to be removed. */
static enum rc place_drop(struct tx *tx, enum data_kind kind, int64_t place, uint64_t bytes,
                          struct freed_list *freed, struct err *e)
{
    enum rc rc;

    if (kind == DATA_PACKED)
        return dead_add(tx, place, bytes, e);
    if (kind != DATA_BLOCKS && kind != DATA_FILE)
        return RC_OK;
    rc = tx_exec(tx, e, "INSERT OR IGNORE INTO freed(kind, place) VALUES (?, ?)", db_i(kind),
                 db_i(place));
    if (!rc && !VEC_PUSH(freed, (struct freed){kind, place}))
        rc = no_memory(e);
    return rc;
}

static enum rc row_drop(struct tx *tx, int64_t data, enum data_kind kind, int64_t place,
                        uint64_t bytes, struct freed_list *freed, struct err *e)
{
    enum rc rc = place_drop(tx, kind, place, bytes, freed, e);

    if (!rc)
        rc = tx_exec(tx, e, "DELETE FROM damage WHERE data = ?", db_i(data));
    if (!rc)
        rc = tx_exec(tx, e, "DELETE FROM data WHERE id = ?", db_i(data));
    return rc;
}

/* What a row says of its place, without its body; the caller's rows are few. */
static enum rc place_get(struct tx *tx, int64_t data, struct data_row *ret, struct err *e)
{
    struct data_row row = {.id = data};
    struct rows *r;
    bool there;
    enum rc rc =
        tx_query(tx, &r, e, "SELECT kind, refs, bytes, place FROM data WHERE id = ?", db_i(data));

    if (rc)
        return rc;
    there = rows_next(r);
    if (there) {
        row.kind = (enum data_kind)rows_int(r, 0);
        row.refs = rows_int(r, 1);
        row.bytes = (uint64_t)rows_int(r, 2);
        row.place = rows_int(r, 3);
    }
    rc = rows_done(r, e);
    if (!rc && !there)
        rc = err_set(e, RC_CORRUPT, "the store's index names content %lld, which is not there",
                     (long long)data);
    if (!rc)
        *ret = row;
    return rc;
}

static enum rc pieces_drop(struct tx *tx, int64_t owner, struct freed_list *freed, struct err *e)
{
    for (;;) {
        struct data_row row = {0};
        struct rows *r;
        int64_t n = 0;
        bool there;
        enum rc rc = tx_query(
            tx, &r, e, "SELECT data, n FROM piece WHERE owner = ? ORDER BY n LIMIT 1", db_i(owner));
        if (rc)
            return rc;
        there = rows_next(r);
        if (there) {
            row.id = rows_int(r, 0);
            n = rows_int(r, 1);
        }
        rc = rows_done(r, e);
        if (rc || !there)
            return rc;
        rc = place_get(tx, row.id, &row, e);
        if (!rc && row.kind == DATA_PIECES)
            rc = err_set(e, RC_CORRUPT, "content %lld is a piece and in pieces", (long long)row.id);
        if (!rc)
            rc = data_unref(tx, row.id, freed, e);
        if (!rc)
            rc =
                tx_exec(tx, e, "DELETE FROM piece WHERE owner = ? AND n = ?", db_i(owner), db_i(n));
        if (rc)
            return rc;
    }
}

enum rc data_unref(struct tx *tx, int64_t data, struct freed_list *freed, struct err *e)
{
    struct data_row row;
    enum rc rc = place_get(tx, data, &row, e);

    if (rc)
        return rc;
    if (row.refs > 1)
        return tx_exec(tx, e, "UPDATE data SET refs = refs - 1 WHERE id = ?", db_i(data));
    if (row.kind == DATA_PIECES)
        rc = pieces_drop(tx, data, freed, e);
    return rc ? rc : row_drop(tx, data, row.kind, row.place, row.bytes, freed, e);
}

/* ---- rewriting */

enum rc data_move(struct tx *tx, const struct data_row *old, enum data_kind kind, int64_t place,
                  struct freed_list *freed, bool *ret_moved, struct err *e)
{
    enum rc rc = tx_exec(tx, e,
                         "UPDATE data SET kind = ?, place = ?, body = NULL, sum = NULL"
                         " WHERE id = ? AND kind = ? AND place = ?",
                         db_i(kind), db_i(place), db_i(old->id), db_i(old->kind), db_i(old->place));
    bool moved;

    if (rc)
        return rc;
    moved = tx_changes(tx) == 1;
    if (moved)
        rc = place_drop(tx, old->kind, old->place, old->bytes, freed, e);
    else if (kind == DATA_PACKED)
        rc = dead_add(tx, place, old->bytes, e);
    if (!rc)
        *ret_moved = moved;
    return rc;
}

enum rc data_walk(struct tx *tx, struct arena *a, enum data_walk which, int64_t after, size_t max,
                  uint64_t bytes_max, struct data_row **ret, size_t *ret_n, struct err *e)
{
    struct rows *r;
    enum rc rc;

    if (which == WALK_INLINE)
        rc = tx_query(tx, &r, e,
                      "SELECT " ROW " FROM data d WHERE d.kind = 1 AND d.bytes > 0 AND d.id > ?"
                      " ORDER BY d.id LIMIT ?",
                      db_i(after), db_i((int64_t)max));
    else if (which == WALK_FILE)
        rc = tx_query(tx, &r, e,
                      "SELECT " ROW " FROM data d WHERE d.kind = 0 AND d.id > ?"
                      " ORDER BY d.id LIMIT ?",
                      db_i(after), db_i((int64_t)max));
    else
        rc = tx_query(tx, &r, e, "SELECT " ROW " FROM data d WHERE d.id > ? ORDER BY d.id LIMIT ?",
                      db_i(after), db_i((int64_t)max));
    return rc ? rc : take_rows(r, a, max, bytes_max, ret, ret_n, e);
}

enum rc data_walk_segment(struct tx *tx, struct arena *a, uint32_t segment, int64_t from,
                          size_t max, struct data_row **ret, size_t *ret_n, struct err *e)
{
    struct rows *r;
    enum rc rc = tx_query(tx, &r, e,
                          "SELECT " ROW " FROM data d WHERE d.kind = 3 AND d.place >= ?"
                          " AND d.place < ? ORDER BY d.place LIMIT ?",
                          db_i(from), db_i(place_of(segment + 1, 0)), db_i((int64_t)max));

    return rc ? rc : take_rows(r, a, max, UINT64_MAX, ret, ret_n, e);
}
