/* db.h - the one SQL seam.  Back ends are tables of functions (sqlite.c; postgres.c joins it).
 *
 * One writer at a time (a transaction that will write takes the lock at its start), many readers.
 * A committed transaction is durable (SQLite: WAL, synchronous=FULL).  All values are bound; the
 * SQL text is always a literal of a *_sql.c file or of db/.
 *
 *     struct tx *tx;
 *     rc = db_begin(db, DB_WRITE, &tx, e);
 *     if (!rc) rc = tx_exec(tx, e, "UPDATE job SET status=? WHERE id=?", db_s(st), db_s(id));
 *     if (!rc) rc = tx_commit(tx, e);      // on failure the transaction is rolled back
 *     else tx_rollback(tx);                // both free tx
 */
#ifndef ANNEAL_DB_DB_H
#define ANNEAL_DB_DB_H

#include "base/arena.h"
#include <stdbool.h>
#include <stdint.h>

struct db;
struct tx;
struct rows;

enum db_mode { DB_READ, DB_WRITE };
enum db_kind { DB_V_NULL, DB_V_INT, DB_V_NUM, DB_V_TEXT, DB_V_BLOB };
struct db_val {
    enum db_kind kind;
    union {
        int64_t i;
        double f;
        str s;
    };
};
static inline struct db_val db_null(void)
{
    return (struct db_val){.kind = DB_V_NULL};
}
static inline struct db_val db_i(int64_t v)
{
    return (struct db_val){.kind = DB_V_INT, .i = v};
}
static inline struct db_val db_f(double v)
{
    return (struct db_val){.kind = DB_V_NUM, .f = v};
}
static inline struct db_val db_s(str v)
{
    return (struct db_val){.kind = DB_V_TEXT, .s = v};
}
static inline struct db_val db_c(const char *v)
{
    return v ? db_s(str_of(v)) : db_null();
}
/* "" is NULL: ids that may be absent. */
static inline struct db_val db_text_or_null(str v)
{
    return v.n ? db_s(v) : db_null();
}
static inline struct db_val db_b(str v)
{
    return (struct db_val){.kind = DB_V_BLOB, .s = v};
}

/* url: "sqlite:/path/file.db", or a path.  Another scheme: RC_UNSUPPORTED, saying what is. */
enum rc db_open(struct db **ret, const char *url, struct err *e) must_check;
void db_close(struct db *db); /* checkpoints the log */
/* A copy as of one moment into a new file, synced; others go on writing meanwhile. */
enum rc db_copy(struct db *db, const char *to, struct err *e) must_check;
/* Applies the embedded migrations (db/migrations/NNN_name.up.sql) in order, each in a transaction.
 * A database newer than the program is RC_CONFLICT. */
enum rc db_migrate(struct db *db, struct err *e) must_check;
/* From now on running statements end with RC_CANCELLED: for a shut-down that will not wait. */
void db_interrupt(struct db *db);
enum rc db_ping(struct db *db, struct err *e) must_check; /* a real read, for /health */

/* Waits for the writer's turn at most DB_BUSY_MS, then RC_UNAVAILABLE. */
enum { DB_BUSY_MS = 10000 };
enum rc db_begin(struct db *db, enum db_mode mode, struct tx **ret, struct err *e) must_check;
enum rc tx_commit(struct tx *tx, struct err *e) must_check; /* frees tx either way */
void tx_rollback(struct tx *tx);                            /* frees tx; NULL is fine */
/* Ends tx, which frees it: commits after RC_OK, else rolls back and returns rc. */
enum rc tx_end(struct tx *tx, enum rc rc, struct err *e) must_check;

/* Arguments, if there are any, fill the `?` in order; their count is checked against the statement
 * (ASSERT).  A broken UNIQUE or FOREIGN KEY constraint is RC_CONFLICT. */
#define DB_ARGS_(...)                                                                              \
    (const struct db_val[]){{0}, __VA_ARGS__} + 1,                                                 \
        sizeof((const struct db_val[]){{0}, __VA_ARGS__}) / sizeof(struct db_val) - 1
#define tx_exec(tx, e, sql, ...) tx_exec_((tx), (e), (sql), DB_ARGS_(__VA_ARGS__))
#define tx_query(tx, ret_rows, e, sql, ...)                                                        \
    tx_query_((tx), (ret_rows), (e), (sql), DB_ARGS_(__VA_ARGS__))
/* What a query without rows to go through says: the integer in the first column of its first row,
 * `none` where there is no row or it is NULL; or whether there is a row. */
#define tx_int(tx, none, ret, e, sql, ...)                                                         \
    tx_int_((tx), (none), (ret), (e), (sql), DB_ARGS_(__VA_ARGS__))
#define tx_any(tx, ret, e, sql, ...) tx_any_((tx), (ret), (e), (sql), DB_ARGS_(__VA_ARGS__))
/* The same, each in a transaction of its own. */
#define db_exec(db, e, sql, ...) db_exec_((db), (e), (sql), DB_ARGS_(__VA_ARGS__))
#define db_int(db, none, ret, e, sql, ...)                                                         \
    db_int_((db), (none), (ret), (e), (sql), DB_ARGS_(__VA_ARGS__))
#define db_any(db, ret, e, sql, ...) db_any_((db), (ret), (e), (sql), DB_ARGS_(__VA_ARGS__))

enum rc tx_exec_(struct tx *tx, struct err *e, const char *sql, const struct db_val *v,
                 size_t n) must_check;
enum rc tx_query_(struct tx *tx, struct rows **ret, struct err *e, const char *sql,
                  const struct db_val *v, size_t n) must_check;
enum rc tx_int_(struct tx *tx, int64_t none, int64_t *ret, struct err *e, const char *sql,
                const struct db_val *v, size_t n) must_check;
enum rc tx_any_(struct tx *tx, bool *ret, struct err *e, const char *sql, const struct db_val *v,
                size_t n) must_check;
enum rc db_exec_(struct db *db, struct err *e, const char *sql, const struct db_val *v,
                 size_t n) must_check;
enum rc db_int_(struct db *db, int64_t none, int64_t *ret, struct err *e, const char *sql,
                const struct db_val *v, size_t n) must_check;
enum rc db_any_(struct db *db, bool *ret, struct err *e, const char *sql, const struct db_val *v,
                size_t n) must_check;
int64_t tx_changes(struct tx *tx); /* rows changed by the last tx_exec */
int64_t tx_last_id(struct tx *tx); /* rowid of the last INSERT */

/* true: a row is there.  At the end, or on failure, false; rows_done tells which and frees. */
bool rows_next(struct rows *r);
enum rc rows_done(struct rows *r,
                  struct err *e) must_check; /* RC_OK at a plain end; NULL is fine */
bool rows_is_null(struct rows *r, int col);
int64_t rows_int(struct rows *r, int col);
double rows_num(struct rows *r, int col);
str rows_text(struct rows *r, int col);                  /* lent until the next rows_next */
str rows_copy(struct rows *r, struct arena *a, int col); /* .p NULL if memory is out */

/* Any text that contains this one, as a pattern for LIKE ... ESCAPE '\\'; "" for "", which a filter
 * takes for "any".  .p NULL if memory is out. */
str db_like(struct arena *a, str part);

#endif
