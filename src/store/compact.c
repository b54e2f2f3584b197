/* compact.c - segments with much dead space are rewritten: what lives in them is appended to the
 * open segment, a batch at a time, and when nothing lives any more the segment goes.
 *
 * Each batch is one transaction, before whose COMMIT the new records are synced; the old ones stay
 * until the whole segment is dropped.  So it may be killed at any moment, and there is nothing to
 * remember: the next run finds fewer rows in the segment. */
#include "base/log.h"
#include "base/mem.h"
#include "store/disk.h"

enum { BATCH = 64 };

static enum rc live_rows(struct disk *d, uint32_t segment, int64_t from, struct arena *a,
                         struct data_row **ret, size_t *ret_n, struct err *e)
{
    struct tx *tx;
    enum rc rc = db_begin(d->db, DB_READ, &tx, e);

    if (rc)
        return rc;
    rc = data_walk_segment(tx, a, segment, from, BATCH, ret, ret_n, e);
    tx_rollback(tx);
    return rc;
}

static enum rc mark_damaged(struct disk *d, int64_t data, const struct err *why, struct err *e)
{
    struct tx *tx;
    enum rc rc = db_begin(d->db, DB_WRITE, &tx, e);

    return rc ? rc : tx_end(tx, data_damage(tx, data, os_now_ms(), why->text, e), e);
}

/* A damaged record is marked, and its segment left as it is: *ret_sound false. */
static enum rc copy_rows(struct disk *d, const struct data_row *rows, size_t n, int64_t *places,
                         uint64_t *bytes, bool *ret_sound, struct err *e)
{
    char *p = mem_alloc(RECORD_BYTES_MAX);
    enum rc rc = p ? RC_OK : err_set(e, RC_NOMEM, "out of memory");

    for (size_t i = 0; !rc && i < n; i++) {
        struct err why = {0};
        str body;
        if (rows[i].wrong)
            rc = err_set(&why, RC_CORRUPT,
                         "the row of content %lld in the index does not have its checksum",
                         (long long)rows[i].id);
        else
            rc = segments_read(d->segments, rows[i].place, rows[i].id, (size_t)rows[i].bytes, p,
                               &body, &why);
        if (rc == RC_CORRUPT) {
            *ret_sound = false;
            log_error("store: compaction leaves segment %08x: %s", place_segment(rows[i].place),
                      why.text);
            rc = mark_damaged(d, rows[i].id, &why, e);
            break;
        }
        if (rc)
            rc = err_set(e, rc, "%s", why.text);
        else
            rc = segments_append(d->segments, rows[i].id, body, &places[i], e);
        *bytes += record_bytes((size_t)rows[i].bytes);
    }
    mem_free(p);
    return rc;
}

struct drop_op {
    struct commit_op op;
    uint32_t number;
    struct freed_list freed;
};

static enum rc apply_drop(struct commit_op *op, struct tx *tx, struct err *e)
{
    struct drop_op *x = (struct drop_op *)op;
    struct data_row *rows;
    struct arena a;
    size_t n = 0;
    enum rc rc;

    x->freed.n = 0;
    arena_init(&a, 64 << 10);
    rc = data_walk_segment(tx, &a, x->number, place_of(x->number, 0), 1, &rows, &n, e);
    arena_done(&a);
    if (!rc && n) {
        op->refused = true;
        return err_set(e, RC_CONFLICT, "the segment is not empty");
    }
    return rc ? rc : data_segment_drop(tx, x->number, &x->freed, e);
}

static enum rc drop(struct disk *d, uint32_t number, struct err *e)
{
    struct drop_op x = {.op.apply = apply_drop, .number = number};
    enum rc rc = committer_run(d->committer, &x.op, e);

    if (!rc)
        files_remove(d->files, &x.freed);
    VEC_DONE(&x.freed);
    return rc;
}

static enum rc compact_one(struct disk *d, const struct segment_row *s, struct budget *b,
                           struct compacted *sum, struct err *e)
{
    int64_t from = place_of(s->number, 0);
    bool go = true, sound = true;
    enum rc rc = RC_OK;
    size_t n = 1;

    while (!rc && n && go && sound) {
        int64_t places[BATCH];
        struct data_row *rows = NULL;
        struct arena a;
        uint64_t bytes = 0;
        size_t moved = 0;
        bool unsure;
        arena_init(&a, 1 << 20);
        rc = live_rows(d, s->number, from, &a, &rows, &n, e);
        if (!rc && n)
            rc = copy_rows(d, rows, n, places, &bytes, &sound, e);
        if (!rc && n && sound) {
            from = rows[n - 1].place + 1;
            rc = disk_move(d, rows, places, n, DATA_PACKED, &moved, &unsure, e);
        }
        arena_done(&a);
        sum->bytes_after += bytes;
        go = budget_spend(b, 2 * bytes); /* read and written */
    }
    if (rc || !sound || n)
        return rc;
    rc = drop(d, s->number, e);
    if (!rc) {
        sum->segments++;
        sum->bytes_before += s->bytes;
    }
    return rc;
}

enum rc disk_compact(struct disk *d, unsigned dead_percent, struct budget *b, struct compacted *ret,
                     struct err *e)
{
    struct compacted sum = {0};
    enum rc rc = RC_OK;

    while (!rc && !(b->stop && event_is_set(b->stop))) {
        struct segment_row worst = {0};
        struct tx *tx;
        rc = db_begin(d->db, DB_READ, &tx, e);
        if (rc)
            break;
        rc = data_segment_worst(tx, dead_percent, &worst, e);
        tx_rollback(tx);
        if (!rc)
            rc = compact_one(d, &worst, b, &sum, e);
    }
    *ret = sum;
    return rc == RC_NOT_FOUND ? RC_OK : rc;
}
