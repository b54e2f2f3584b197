/* take.c - bytes that have come whole: where they go, and whether the store has them already.
 *
 * Content is shared only when it has just been read and verified where it lies: rot on the disk
 * must not swallow what a client sends anew.  The transaction then looks again (data_add): the
 * content may have gone in between, or come twice at once. */
#include "base/log.h"
#include "store/disk.h"

void disk_find_same(struct disk *d, struct data_new *n)
{
    struct reader r;
    struct err e = {0};
    struct tx *tx;
    int64_t id = 0;
    enum rc rc = reader_pin(&r, d->files, d->segments, &e);

    if (!rc)
        rc = db_begin(d->db, DB_READ, &tx, &e);
    if (!rc) {
        rc = data_find(tx, n->sha, n->bytes, &id, &e);
        if (!rc)
            rc = reader_find(&r, tx, id, &e);
        tx_rollback(tx);
    }
    if (!rc)
        rc = reader_verify(&r, &e);
    reader_done(&r);
    n->same = rc ? 0 : id;
    if (!rc || rc == RC_NOT_FOUND)
        return;
    log_error("store: content that could have been shared: %s", e.text); /* is written again */
    if (rc == RC_CORRUPT && id)
        n->unsound = id;
    else
        n->has_sha = false; /* it cannot be told now, and must not be trusted */
}

enum rc disk_take(struct disk *d, str body, const uint8_t *sha, struct data_new *ret, struct err *e)
{
    struct data_new n = {.id = files_new_id(d->files), .bytes = body.n, .body = body};
    enum rc rc = RC_OK;

    ASSERT(body.n <= PACK_BYTES_MAX);
    n.kind = body.n <= INLINE_BYTES_MAX ? DATA_INLINE : DATA_PACKED;
    if (n.kind == DATA_PACKED) {
        n.has_sha = true;
        if (sha)
            memcpy(n.sha, sha, sizeof n.sha);
        else
            sha256(body, n.sha);
        disk_find_same(d, &n);
        n.segments = d->segments;
        if (!n.same)
            rc = segments_append(d->segments, n.id, body, &n.place, e);
    }
    if (!rc)
        *ret = n;
    return rc;
}
