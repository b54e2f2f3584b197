/* migrate.c - brings a database to the schema this program was built with.
 *
 * The steps are embedded (migrations.h).  Those applied stand in schema_migration; the rest run in
 * order, each in a transaction with its own row, so a crash leaves whole steps only.
 *
 *   schema_migration(number, name, applied_at)
 *
 * 1. The numbers applied are 1..n without gaps, and each bears the name that this program knows:
 *    anything else means another program's database, and nothing is touched.
 * 2. A number beyond ours was applied by a newer program: RC_CONFLICT, as an older program would
 *    write rows that the newer schema does not expect.
 */
#include "base/log.h"
#include "db/backend.h"
#include "db/migrations.h"
#include "os/os.h"

static enum rc check_applied(struct db *db, const struct db_migration *steps, size_t steps_n,
                             size_t *ret_n, struct err *e)
{
    struct tx *tx;
    struct rows *rows;
    size_t n = 0;
    enum rc bad = RC_OK;
    enum rc rc = db_begin(db, DB_READ, &tx, e);

    if (rc)
        return rc;
    rc = tx_query(tx, &rows, e, "SELECT number, name FROM schema_migration ORDER BY number");
    if (rc) {
        tx_rollback(tx);
        return rc;
    }
    while (!bad && rows_next(rows)) {
        int64_t number = rows_int(rows, 0);
        str name = rows_text(rows, 1);

        if (n >= steps_n)
            bad = err_set(e, RC_CONFLICT,
                          "the database has schema %lld '%.*s', this program knows up to %zu: use "
                          "the newer version that wrote it, or another data directory",
                          (long long)number, STR_F(name), steps_n);
        else if (number != steps[n].number || !str_is(name, steps[n].name))
            bad = err_set(e, RC_CONFLICT,
                          "the database's schema step %lld is '%.*s', not %d '%s': it belongs to "
                          "another program",
                          (long long)number, STR_F(name), steps[n].number, steps[n].name);
        n++;
    }
    rc = rows_done(rows, bad ? NULL : e);
    tx_rollback(tx);
    if (bad || rc)
        return bad ? bad : rc;
    *ret_n = n;
    return RC_OK;
}

static enum rc apply(struct db *db, const struct db_migration *m, struct err *e)
{
    struct tx *tx;
    enum rc rc = db_begin(db, DB_WRITE, &tx, e);

    if (rc)
        return rc;
    rc = db->ops->script(tx, m->up, e);
    if (!rc)
        rc =
            tx_exec(tx, e, "INSERT INTO schema_migration (number, name, applied_at) VALUES (?,?,?)",
                    db_i(m->number), db_c(m->name), db_i(os_now_ms()));
    if (!rc)
        rc = tx_commit(tx, e);
    else
        tx_rollback(tx);
    if (rc)
        return err_wrap(e, rc, "schema step %03d_%s", m->number, m->name);
    log_debug("applied schema step %03d_%s", m->number, m->name);
    return RC_OK;
}

static enum rc migrate(struct db *db, const struct db_migration *steps, size_t n, struct err *e)
{
    struct tx *tx;
    size_t done = 0;
    enum rc rc = db_begin(db, DB_WRITE, &tx, e);

    if (rc)
        return rc;
    rc = tx_exec(tx, e,
                 "CREATE TABLE IF NOT EXISTS schema_migration (number INTEGER PRIMARY KEY,"
                 " name TEXT NOT NULL, applied_at INTEGER NOT NULL)");
    if (rc) {
        tx_rollback(tx);
        return rc;
    }
    rc = tx_commit(tx, e);
    if (!rc)
        rc = check_applied(db, steps, n, &done, e);
    for (size_t i = done; !rc && i < n; i++)
        rc = apply(db, &steps[i], e);
    return rc;
}

enum rc db_migrate(struct db *db, struct err *e)
{
    return migrate(db, db_migrations, db_migrations_count, e);
}
