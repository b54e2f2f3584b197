/* layout_sql.c - see data.h: the tables of the bytes, what older layouts lack, and counters. */
#include "store/data.h"

#include "store/rowsum.h"

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
};
/* Layout 2 had no sums of rows. */
static const char *const to_layout_3[] = {
    "ALTER TABLE data ADD COLUMN crc INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE piece ADD COLUMN crc INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE segment ADD COLUMN crc INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE freed ADD COLUMN crc INTEGER NOT NULL DEFAULT 0",
};
/* Layout 3 forgot the checksums of parts when an upload was finished. */
static const char *const to_layout_4[] = {
    "ALTER TABLE piece ADD COLUMN sum TEXT NOT NULL DEFAULT ''",
};

enum rc data_counter(struct tx *tx, const char *name, int64_t *ret, struct err *e)
{
    return tx_int(tx, 0, ret, e, "SELECT value FROM counter WHERE name = ?", db_c(name));
}

enum rc data_counter_next(struct tx *tx, const char *name, int64_t *ret, struct err *e)
{
    enum rc rc = tx_exec(tx, e, "UPDATE counter SET value = value + 1 WHERE name = ?", db_c(name));

    if (!rc && !tx_changes(tx))
        rc = err_set(e, RC_NOT_FOUND, "there is no counter '%s' in the store's index", name);
    return rc ? rc : data_counter(tx, name, ret, e);
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
        rc = tx_exec(tx, e, pragmas[i]);
    return rc;
}

enum rc data_setup(struct tx *tx, struct err *e)
{
    int64_t layout = 0;
    enum rc rc = tune(tx, e);

    for (size_t i = 0; !rc && i < sizeof tables / sizeof *tables; i++)
        rc = tx_exec(tx, e, tables[i]);
    if (!rc)
        rc = data_counter(tx, "data_layout", &layout, e);
    if (!rc && layout > DATA_LAYOUT)
        rc = err_set(e, RC_CONFLICT,
                     "the store's bytes have layout %lld, this program knows %d; use a newer one",
                     (long long)layout, DATA_LAYOUT);
    for (size_t i = 0; !rc && !layout && i < sizeof to_layout_2 / sizeof *to_layout_2; i++)
        rc = tx_exec(tx, e, to_layout_2[i]);
    for (size_t i = 0; !rc && layout < 3 && i < sizeof to_layout_3 / sizeof *to_layout_3; i++)
        rc = tx_exec(tx, e, to_layout_3[i]);
    for (size_t i = 0; !rc && layout < 4 && i < sizeof to_layout_4 / sizeof *to_layout_4; i++)
        rc = tx_exec(tx, e, to_layout_4[i]);
    if (!rc && layout < 4)
        rc = rowsum_fill(tx, ROWSUM_PIECE, layout < 3 ? ROWSUM_DATA : ROWSUM_PIECE, e);
    if (!rc && layout < DATA_LAYOUT)
        rc = data_counter_set(tx, "data_layout", DATA_LAYOUT, e);
    return rc;
}
