/* garbage_sql.c - contents that no dataset has any more: found, condemned, forgotten piece by
 * piece.
 *
 * A condemned content is 'loading', has no version and stays so until its last row is gone;
 * whatever stops the sweep, the next one finds it again.  Rows go after their objects: a picture
 * that is still in the store is still known.
 */
#include "flow/dataset/dataset_int.h"

#define DEAD                                                                                       \
    "NOT EXISTS (SELECT 1 FROM dataset_version v JOIN dataset d ON d.id = v.dataset_id"            \
    " WHERE v.content_id = c.id AND d.deleted_at IS NULL)"

static enum rc condemn(struct tx *tx, int64_t id, struct err *e)
{
    enum rc rc = tx_exec(tx, e, "DELETE FROM dataset_draft WHERE content_id = ?", db_i(id));

    if (!rc)
        rc = tx_exec(tx, e, "DELETE FROM dataset_version WHERE content_id = ?", db_i(id));
    if (!rc)
        rc = tx_exec(tx, e, "UPDATE dataset_content SET state = 'loading' WHERE id = ?", db_i(id));
    return rc;
}

enum rc content_condemn(struct db *db, struct arena *a, int64_t *ret_id, str *ret_version,
                        struct err *e)
{
    struct tx *tx;
    struct rows *r = NULL;
    int64_t id = 0;
    str version = STR("");
    enum rc rc = db_begin(db, DB_WRITE, &tx, e);

    if (rc)
        return rc;
    rc = tx_query(tx, &r, e, "SELECT id, version FROM dataset_content c WHERE " DEAD " LIMIT 1");
    if (!rc && rows_next(r)) {
        struct cols c = {r, a, 0, false};
        id = col_int(&c);
        version = col_text(&c);
        if (c.no_memory)
            rc = dataset_nomem(e);
    }
    enum rc end = rows_done(r, rc ? NULL : e);
    rc = rc ? rc : end;
    if (!rc && id)
        rc = condemn(tx, id, e);
    rc = tx_end(tx, rc, e);
    if (!rc) {
        *ret_id = id;
        *ret_version = version;
    }
    return rc;
}

enum rc content_dead_images(struct db *db, struct arena *a, int64_t id, size_t max,
                            struct dead_image **ret, size_t *ret_n, struct err *e)
{
    struct dead_image *list = ARENA_ARRAY(a, struct dead_image, max);
    struct tx *tx;
    struct rows *r = NULL;
    size_t n = 0;
    enum rc rc = list ? db_begin(db, DB_READ, &tx, e) : dataset_nomem(e);

    if (rc)
        return rc;
    rc = tx_query(tx, &r, e,
                  "SELECT i.idx, i.sha256, EXISTS (SELECT 1 FROM dataset_image o"
                  " JOIN dataset_content c ON c.id = o.content_id"
                  " WHERE o.sha256 = i.sha256 AND c.state = 'ready')"
                  " FROM dataset_image i WHERE i.content_id = ? ORDER BY i.idx LIMIT ?",
                  db_i(id), db_i((int64_t)max));
    while (!rc && n < max && rows_next(r)) {
        struct cols c = {r, a, 0, false};
        list[n].index = col_int(&c);
        list[n].sha256 = col_text(&c);
        list[n++].shared = col_int(&c) != 0;
        if (c.no_memory)
            rc = dataset_nomem(e);
    }
    enum rc end = rows_done(r, rc ? NULL : e);
    rc = tx_end(tx, rc ? rc : end, e);
    if (rc)
        return rc;
    *ret = list;
    *ret_n = n;
    return RC_OK;
}

enum rc content_forget_images(struct db *db, int64_t id, int64_t upto, struct err *e)
{
    struct tx *tx;
    enum rc rc = db_begin(db, DB_WRITE, &tx, e);

    if (rc)
        return rc;
    rc = tx_exec(tx, e, "DELETE FROM dataset_image_class WHERE content_id = ? AND idx <= ?",
                 db_i(id), db_i(upto));
    if (!rc)
        rc = tx_exec(tx, e, "DELETE FROM dataset_image WHERE content_id = ? AND idx <= ?", db_i(id),
                     db_i(upto));
    return tx_end(tx, rc, e);
}

enum rc content_forget(struct db *db, int64_t id, struct err *e)
{
    return db_exec(db, e, "DELETE FROM dataset_content WHERE id = ? AND state = 'loading'",
                   db_i(id));
}
