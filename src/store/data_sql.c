/* data_sql.c - see data.h. */
#include "store/data.h"

static const char *const tables[] = {
    "CREATE TABLE IF NOT EXISTS data(id INTEGER PRIMARY KEY, kind INTEGER NOT NULL,"
    " refs INTEGER NOT NULL, bytes INTEGER NOT NULL, body BLOB)",
    "CREATE TABLE IF NOT EXISTS piece(owner INTEGER NOT NULL, n INTEGER NOT NULL,"
    " data INTEGER NOT NULL, PRIMARY KEY(owner, n)) WITHOUT ROWID",
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

enum rc data_setup(struct tx *tx, struct err *e)
{
    enum rc rc = RC_OK;

    for (size_t i = 0; !rc && i < sizeof tables / sizeof *tables; i++)
        rc = tx_exec0(tx, e, tables[i]);
    return rc;
}

enum rc data_add(struct tx *tx, const struct data_new *n, int64_t *ret_id, struct err *e)
{
    enum rc rc = tx_exec(
        tx, e, "INSERT INTO data(id, kind, refs, bytes, body) VALUES (?, ?, 1, ?, ?)", db_i(n->id),
        db_i(n->kind), db_i((int64_t)n->bytes), n->kind == DATA_INLINE ? db_b(n->body) : db_null());

    if (!rc)
        *ret_id = n->id;
    return rc;
}

static enum rc data_row(struct tx *tx, int64_t data, enum data_kind *ret_kind, int64_t *ret_refs,
                        struct err *e)
{
    struct rows *r;
    bool there;
    enum rc rc = tx_query(tx, &r, e, "SELECT kind, refs FROM data WHERE id = ?", db_i(data));

    if (rc)
        return rc;
    there = rows_next(r);
    if (there) {
        *ret_kind = (enum data_kind)rows_int(r, 0);
        *ret_refs = rows_int(r, 1);
    }
    rc = rows_done(r, e);
    if (!rc && !there)
        rc = err_set(e, RC_CORRUPT, "the store's index names data %lld, which is not there",
                     (long long)data);
    return rc;
}

static enum rc data_drop(struct tx *tx, int64_t owner, int64_t data, enum data_kind kind,
                         struct freed_list *freed, struct err *e)
{
    if (kind == DATA_FILE && !VEC_PUSH(freed, (struct freed){owner, data}))
        return no_memory(e);
    return tx_exec(tx, e, "DELETE FROM data WHERE id = ?", db_i(data));
}

static enum rc pieces_drop(struct tx *tx, int64_t owner, struct freed_list *freed, struct err *e)
{
    struct rows *r;
    enum rc rc = tx_query(tx, &r, e,
                          "SELECT p.data FROM piece p JOIN data d ON d.id = p.data"
                          " WHERE p.owner = ? AND d.kind = 0",
                          db_i(owner));
    bool room = true;

    if (rc)
        return rc;
    while (room && rows_next(r))
        room = VEC_PUSH(freed, (struct freed){owner, rows_int(r, 0)});
    rc = rows_done(r, e);
    if (!rc && !room)
        rc = no_memory(e);
    if (!rc)
        rc = tx_exec(tx, e, "DELETE FROM data WHERE id IN (SELECT data FROM piece WHERE owner = ?)",
                     db_i(owner));
    if (!rc)
        rc = tx_exec(tx, e, "DELETE FROM piece WHERE owner = ?", db_i(owner));
    return rc;
}

enum rc data_unref(struct tx *tx, int64_t data, struct freed_list *freed, struct err *e)
{
    enum data_kind kind = DATA_FILE;
    int64_t refs = 0;
    enum rc rc = data_row(tx, data, &kind, &refs, e);

    if (rc)
        return rc;
    if (refs > 1)
        return tx_exec(tx, e, "UPDATE data SET refs = refs - 1 WHERE id = ?", db_i(data));
    if (kind == DATA_PIECES)
        rc = pieces_drop(tx, data, freed, e);
    return rc ? rc : data_drop(tx, data, data, kind, freed, e);
}

enum rc data_ref(struct tx *tx, int64_t data, struct err *e)
{
    return tx_exec(tx, e, "UPDATE data SET refs = refs + 1 WHERE id = ?", db_i(data));
}

enum rc data_piece(struct tx *tx, int64_t owner, size_t n, int64_t data, struct err *e)
{
    return tx_exec(tx, e, "INSERT INTO piece(owner, n, data) VALUES (?, ?, ?)", db_i(owner),
                   db_i((int64_t)n), db_i(data));
}

enum rc data_body(struct tx *tx, struct arena *a, int64_t data, str *ret, struct err *e)
{
    struct rows *r;
    str body = STR_NONE;
    bool there;
    enum rc rc = tx_query(tx, &r, e, "SELECT body FROM data WHERE id = ? AND kind = 1", db_i(data));

    if (rc)
        return rc;
    there = rows_next(r);
    if (there)
        body = rows_copy(r, a, 0);
    rc = rows_done(r, e);
    if (!rc && !there)
        rc = err_set(e, RC_CORRUPT, "data %lld is not in the store's index", (long long)data);
    if (!rc && !body.p)
        rc = no_memory(e);
    if (!rc)
        *ret = body;
    return rc;
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

enum rc data_pieces(struct tx *tx, struct arena *a, int64_t data, struct piece **ret, size_t *ret_n,
                    struct err *e)
{
    struct rows *r;
    struct piece *list;
    int64_t count;
    size_t n = 0;
    enum rc rc = tx_query(tx, &r, e, "SELECT count(*) FROM piece WHERE owner = ?", db_i(data));

    if (!rc)
        rc = data_one_int(r, &count, e);
    if (rc)
        return rc;
    list = ARENA_ARRAY(a, struct piece, (size_t)count + 1);
    if (!list)
        return no_memory(e);
    rc = tx_query(tx, &r, e,
                  "SELECT d.id, d.kind, d.bytes FROM piece p JOIN data d ON d.id = p.data"
                  " WHERE p.owner = ? ORDER BY p.n",
                  db_i(data));
    if (rc)
        return rc;
    while (n < (size_t)count && rows_next(r)) {
        list[n].data = rows_int(r, 0);
        list[n].kind = (enum data_kind)rows_int(r, 1);
        list[n++].bytes = (uint64_t)rows_int(r, 2);
    }
    rc = rows_done(r, e);
    if (rc)
        return rc;
    *ret = list;
    *ret_n = n;
    return RC_OK;
}
