/* backend.h - private to db/: the table of functions that a database back end fills in.
 *
 * db.c picks the table by the scheme of the URL and forwards every call of db.h through it; it
 * never looks inside.  A back end embeds struct db, struct tx and struct rows as the first member
 * of its own.  SQL reaches a back end as written for SQLite with `?` for arguments; a back end with
 * other placeholders ($1) rewrites them when it prepares a statement.
 */
#ifndef ANNEAL_DB_BACKEND_H
#define ANNEAL_DB_BACKEND_H

#include "db/db.h"

struct db_ops;
struct db {
    const struct db_ops *ops;
};
struct tx {
    struct db *db;
    enum db_mode mode;
};
struct rows {
    struct tx *tx;
};

struct db_ops {
    const char *scheme; /* "sqlite" */
    enum rc (*open)(struct db **ret, str target, struct err *e);
    void (*close)(struct db *db);
    enum rc (*copy)(struct db *db, const char *to, struct err *e);
    void (*interrupt)(struct db *db);
    enum rc (*begin)(struct db *db, enum db_mode mode, struct tx **ret, struct err *e);
    enum rc (*commit)(struct tx *tx, struct err *e);
    void (*rollback)(struct tx *tx);
    enum rc (*exec)(struct tx *tx, struct err *e, const char *sql, const struct db_val *v,
                    size_t n);
    /* Several statements separated by ";", without arguments: migrations. */
    enum rc (*script)(struct tx *tx, const char *sql, struct err *e);
    enum rc (*query)(struct tx *tx, struct rows **ret, struct err *e, const char *sql,
                     const struct db_val *v, size_t n);
    int64_t (*changes)(struct tx *tx);
    int64_t (*last_id)(struct tx *tx);
    bool (*next)(struct rows *r);
    enum rc (*rows_done)(struct rows *r, struct err *e);
    bool (*is_null)(struct rows *r, int col);
    int64_t (*get_int)(struct rows *r, int col);
    double (*get_num)(struct rows *r, int col);
    str (*get_text)(struct rows *r, int col);
};
extern const struct db_ops sqlite_ops;

#endif
