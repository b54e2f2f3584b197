/* buckets_sql.c - what each bucket holds (admin.h). */
#include "store/admin.h"
#include "store/disk.h"

enum rc store_buckets(const char *dir, store_bucket_fn each, void *ud, struct err *e)
{
    struct tx *tx = NULL;
    struct rows *r = NULL;
    struct disk d;
    enum rc rc = disk_look(&d, dir, e);

    if (!rc)
        rc = db_begin(d.db, DB_READ, &tx, e);
    if (!rc)
        rc = tx_query(tx, &r, e,
                      "SELECT b.name, b.owner, b.created_ms, b.versioning, count(o.key),"
                      " coalesce(sum(o.bytes), 0),"
                      " (SELECT count(*) FROM version v WHERE v.bucket = b.id AND NOT v.marker),"
                      " (SELECT coalesce(sum(v.bytes), 0) FROM version v WHERE v.bucket = b.id)"
                      " FROM bucket b LEFT JOIN object o ON o.bucket = b.id"
                      " GROUP BY b.id ORDER BY b.name");
    while (!rc && rows_next(r)) {
        const struct store_bucket b = {rows_text(r, 0),          rows_text(r, 1),
                                       rows_int(r, 2),           rows_int(r, 3) != 0,
                                       (uint64_t)rows_int(r, 4), (uint64_t)rows_int(r, 5),
                                       (uint64_t)rows_int(r, 6), (uint64_t)rows_int(r, 7)};
        each(ud, &b);
    }
    if (!rc)
        rc = rows_done(r, e);
    tx_rollback(tx);
    disk_close(&d);
    return rc;
}
