/* list_sql.c - lists of objects and their versions in the index.  See index.h.
 *
 * A row whose sum does not hold ends the list with an error: a list that left it out would say that
 * the object is not there. */
#include "store/object_row.h"

enum rc index_list(struct tx *tx, int64_t bucket, str from, str to, size_t max, index_list_fn each,
                   void *ud, struct err *e)
{
    const uint32_t in = rowsum_int(0, bucket);
    struct rows *r;
    bool stop = false;
    enum rc done, rc = tx_query(tx, &r, e,
                                "SELECT key," COLUMNS " FROM object"
                                " WHERE bucket = ? AND key >= ? AND key < ? ORDER BY key LIMIT ?",
                                db_i(bucket), db_b(from), db_b(to), db_i((int64_t)max));

    if (rc)
        return rc;
    while (!rc && !stop && rows_next(r)) {
        union rowsum_col cols[OBJECT_COLS] = {0};
        str key = rows_text(r, 0);
        if (rowsum_read(rowsum_text(in, key), r, 1, ROWSUM_OBJECT_LETTERS, cols)) {
            struct object o = object_of(cols);
            rc = each(ud, key, &o, &stop, e);
        } else {
            rc = wrong_row(e);
        }
    }
    done = rows_done(r, rc ? NULL : e);
    return rc ? rc : done;
}

enum rc index_list_versions(struct tx *tx, int64_t bucket, str from, int64_t before, str to,
                            size_t max, index_list_fn each, void *ud, struct err *e)
{
    struct rows *r;
    bool stop = false;
    enum rc done, rc;

    if (before <= 0)
        before = INT64_MAX;
    rc = tx_query(tx, &r, e,
                  "SELECT key," ROWSUM_OBJECT_COLUMNS ", 0, 0, crc"
                  " FROM object WHERE bucket = ? AND key >= ? AND key < ?"
                  " AND (key > ? OR seq < ?)"
                  " UNION ALL"
                  " SELECT key," ROWSUM_OBJECT_COLUMNS ", marker, left_ms, crc"
                  " FROM version WHERE bucket = ? AND key >= ? AND key < ?"
                  " AND (key > ? OR seq < ?)"
                  " ORDER BY 1, 2 DESC LIMIT ?",
                  db_i(bucket), db_b(from), db_b(to), db_b(from), db_i(before), db_i(bucket),
                  db_b(from), db_b(to), db_b(from), db_i(before), db_i((int64_t)max));
    if (rc)
        return rc;
    while (!rc && !stop && rows_next(r)) {
        union rowsum_col cols[OBJECT_COLS];
        str key = rows_text(r, 0);
        if (rowsum_read(key_sum(bucket, key), r, 1, ROWSUM_VERSION_LETTERS, cols)) {
            struct object o = object_of(cols);
            o.newest = !o.left_ms;
            rc = each(ud, key, &o, &stop, e);
        } else {
            rc = wrong_row(e);
        }
    }
    done = rows_done(r, rc ? NULL : e);
    return rc ? rc : done;
}

enum rc index_usage(struct tx *tx, uint64_t ret[4], struct err *e)
{
    struct rows *r;
    enum rc rc = tx_query(tx, &r, e,
                          "SELECT (SELECT count(*) FROM bucket), count(*),"
                          " coalesce(sum(bytes), 0) + (SELECT coalesce(sum(bytes), 0)"
                          " FROM version), (SELECT count(*) FROM upload) FROM object");

    if (rc)
        return rc;
    if (rows_next(r))
        for (int i = 0; i < 4; i++)
            ret[i] = (uint64_t)rows_int(r, i);
    return rows_done(r, e);
}
