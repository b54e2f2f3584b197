/* db.c - picks the back end by the URL's scheme and forwards to it.  See db.h and backend.h. */
#include "db/db.h"
#include "db/backend.h"

static const struct db_ops *const backends[] = {&sqlite_ops, NULL};

/* The text before the first ":" if it looks like a scheme (RFC 3986: a letter, then letters,
 * digits,
 * "+-."), else nothing: a plain path. */
static str scheme_of(str url)
{
    ptrdiff_t colon = str_chr(url, ':');

    if (colon < 2)
        return STR_NONE;
    for (ptrdiff_t i = 0; i < colon; i++) {
        char c = url.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        bool more = (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';

        if (!letter && !(i && more))
            return STR_NONE;
    }
    return str_sub(url, 0, (size_t)colon);
}

enum rc db_open(struct db **ret, const char *url, struct err *e)
{
    str u = str_of(url);
    str scheme = scheme_of(u);

    if (!u.n)
        return err_set(e, RC_INVALID, "the database URL is empty; use sqlite:/path/to/file.db");
    if (!scheme.n)
        return sqlite_ops.open(ret, u, e);
    for (size_t i = 0; backends[i]; i++)
        if (str_ieq(scheme, str_of(backends[i]->scheme)))
            return backends[i]->open(ret, str_sub(u, scheme.n + 1, u.n), e);
    /* The URL may hold a password: only its scheme is repeated. */
    return err_set(e, RC_UNSUPPORTED,
                   "databases of the kind '%.*s:' are not supported by this version; use "
                   "sqlite:/path/to/file.db",
                   STR_F(scheme));
}

void db_close(struct db *db)
{
    if (db)
        db->ops->close(db);
}

enum rc db_copy(struct db *db, const char *to, struct err *e)
{
    return db->ops->copy(db, to, e);
}

void db_interrupt(struct db *db)
{
    db->ops->interrupt(db);
}

enum rc db_ping(struct db *db, struct err *e)
{
    int64_t n;
    /* Reads a page of the file; SELECT 1 would not. */
    enum rc rc = db_int(db, -1, &n, e, "SELECT count(*) FROM schema_migration");

    return rc || n >= 0 ? rc : err_set(e, RC_CORRUPT, "the database did not answer a count");
}

enum rc db_begin(struct db *db, enum db_mode mode, struct tx **ret, struct err *e)
{
    return db->ops->begin(db, mode, ret, e);
}
enum rc tx_end(struct tx *tx, enum rc rc, struct err *e)
{
    if (!rc)
        return tx_commit(tx, e);
    tx_rollback(tx);
    return rc;
}

enum rc tx_commit(struct tx *tx, struct err *e)
{
    return tx->db->ops->commit(tx, e);
}
void tx_rollback(struct tx *tx)
{
    if (tx)
        tx->db->ops->rollback(tx);
}
enum rc tx_exec_(struct tx *tx, struct err *e, const char *sql, const struct db_val *v, size_t n)
{
    return tx->db->ops->exec(tx, e, sql, v, n);
}
enum rc tx_query_(struct tx *tx, struct rows **ret, struct err *e, const char *sql,
                  const struct db_val *v, size_t n)
{
    return tx->db->ops->query(tx, ret, e, sql, v, n);
}

enum rc tx_int_(struct tx *tx, int64_t none, int64_t *ret, struct err *e, const char *sql,
                const struct db_val *v, size_t n)
{
    struct rows *r;
    enum rc rc = tx_query_(tx, &r, e, sql, v, n);

    if (rc)
        return rc;
    const int64_t value = rows_next(r) && !rows_is_null(r, 0) ? rows_int(r, 0) : none;
    rc = rows_done(r, e);
    if (!rc)
        *ret = value;
    return rc;
}

enum rc tx_any_(struct tx *tx, bool *ret, struct err *e, const char *sql, const struct db_val *v,
                size_t n)
{
    struct rows *r;
    enum rc rc = tx_query_(tx, &r, e, sql, v, n);

    if (rc)
        return rc;
    const bool any = rows_next(r);
    rc = rows_done(r, e);
    if (!rc)
        *ret = any;
    return rc;
}

enum rc db_exec_(struct db *db, struct err *e, const char *sql, const struct db_val *v, size_t n)
{
    struct tx *tx;
    enum rc rc = db_begin(db, DB_WRITE, &tx, e);

    return rc ? rc : tx_end(tx, tx_exec_(tx, e, sql, v, n), e);
}

enum rc db_int_(struct db *db, int64_t none, int64_t *ret, struct err *e, const char *sql,
                const struct db_val *v, size_t n)
{
    struct tx *tx;
    enum rc rc = db_begin(db, DB_READ, &tx, e);

    if (rc)
        return rc;
    rc = tx_int_(tx, none, ret, e, sql, v, n);
    tx_rollback(tx);
    return rc;
}

enum rc db_any_(struct db *db, bool *ret, struct err *e, const char *sql, const struct db_val *v,
                size_t n)
{
    struct tx *tx;
    enum rc rc = db_begin(db, DB_READ, &tx, e);

    if (rc)
        return rc;
    rc = tx_any_(tx, ret, e, sql, v, n);
    tx_rollback(tx);
    return rc;
}

int64_t tx_changes(struct tx *tx)
{
    return tx->db->ops->changes(tx);
}
int64_t tx_last_id(struct tx *tx)
{
    return tx->db->ops->last_id(tx);
}

bool rows_next(struct rows *r)
{
    return r->tx->db->ops->next(r);
}
enum rc rows_done(struct rows *r, struct err *e)
{
    return r ? r->tx->db->ops->rows_done(r, e) : RC_OK;
}
bool rows_is_null(struct rows *r, int col)
{
    return r->tx->db->ops->is_null(r, col);
}
int64_t rows_int(struct rows *r, int col)
{
    return r->tx->db->ops->get_int(r, col);
}
double rows_num(struct rows *r, int col)
{
    return r->tx->db->ops->get_num(r, col);
}
str rows_text(struct rows *r, int col)
{
    return r->tx->db->ops->get_text(r, col);
}
str rows_copy(struct rows *r, struct arena *a, int col)
{
    return arena_str(a, rows_text(r, col));
}

str db_like(struct arena *a, str part)
{
    char *p = arena_alloc(a, 2 * part.n + 2);
    size_t n = 0;

    if (!p || !part.n)
        return (str){p, 0};
    p[n++] = '%';
    for (size_t i = 0; i < part.n; i++) {
        if (part.p[i] == '%' || part.p[i] == '_' || part.p[i] == '\\')
            p[n++] = '\\';
        p[n++] = part.p[i];
    }
    p[n++] = '%';
    return (str){p, n};
}
