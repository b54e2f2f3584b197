/* grant_sql.c - see grant.h.  Each look-up is one probe of the index (sha256, content_id). */
#include "flow/dataset/grant.h"

enum rc dataset_version_lacks(struct db *db, str version, const str *sha256, size_t n,
                              size_t *ret_at, struct err *e)
{
    struct tx *tx;
    size_t i = 0;
    bool there = true;
    enum rc rc = db_begin(db, DB_READ, &tx, e);

    if (rc)
        return rc;
    for (; !rc && i < n; i++) {
        rc = tx_any(tx, &there, e,
                    "SELECT 1 FROM dataset_image i JOIN dataset_content c ON c.id = i.content_id"
                    " WHERE i.sha256 = ?1 AND c.version = ?2",
                    db_s(sha256[i]), db_s(version));
        if (rc || !there)
            break;
    }
    tx_rollback(tx);
    if (!rc)
        *ret_at = i;
    return rc;
}
