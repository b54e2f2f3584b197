/* keep.c - what a running store does in the background, on two threads of its own.
 *
 * Housekeeping, every TICK_MS: small bodies out of the index into segments, files that were being
 * read removed, segments with much dead space rewritten, uploads that nobody finished aborted.
 * Scrubbing: everything read and verified once in scrub_days, at most at the budget's rate. */
#include "base/log.h"
#include "base/mem.h"
#include "store/store_int.h"

enum { TICK_MS = 1000, COMPACT_TICKS = 10, EXPIRE_TICKS = 3600, RETRY_MS = 60000 };
#define DAY_MS (INT64_C(86400) * 1000)

struct keeper {
    struct store *s;
    struct pool *threads;
    struct event *stop;
    struct keep_config c;
};

/* ---- uploads */

struct expire_op {
    struct commit_op op;
    int64_t before_ms;
    struct freed_list freed;
};

static enum rc apply_expire(struct commit_op *op, struct tx *tx, struct err *e)
{
    struct expire_op *x = (struct expire_op *)op;
    int64_t upload;
    enum rc rc;

    x->freed.n = 0;
    rc = index_upload_older(tx, x->before_ms, &upload, e);
    if (rc == RC_NOT_FOUND)
        op->refused = true;
    return rc ? rc : index_upload_drop(tx, upload, &x->freed, e);
}

static bool upload_waits(struct store *s, int64_t before_ms)
{
    struct tx *tx;
    int64_t upload;
    enum rc rc;

    if (db_begin(s->db, DB_READ, &tx, NULL))
        return false;
    rc = index_upload_older(tx, before_ms, &upload, NULL);
    tx_rollback(tx);
    return !rc;
}

static void expire_uploads(struct store *s, struct event *stop, int64_t before)
{
    enum rc rc = RC_OK;
    struct err e = {0};

    while (!rc && !event_is_set(stop) && upload_waits(s, before)) {
        struct expire_op x = {.op.apply = apply_expire, .before_ms = before};
        rc = committer_run(s->committer, &x.op, &e);
        if (!rc) {
            files_remove(s->files, &x.freed);
            store_count(s, COUNT_SWEPT_UPLOADS, 1);
        }
        VEC_DONE(&x.freed);
    }
    if (rc && rc != RC_NOT_FOUND)
        log_error("store: aborting old uploads: %s", e.text);
}

/* ---- housekeeping */

static bool pack(struct keeper *k)
{
    uint64_t packed = 0;
    struct err e = {0};
    enum rc rc = disk_pack(&k->s->disk, k->stop, &packed, &e);

    store_count(k->s, COUNT_PACKED, packed);
    if (rc)
        log_warn("store: packing waits: %s", e.text);
    return !rc;
}

static bool compact(struct keeper *k)
{
    struct compacted done = {0};
    struct budget b;
    struct err e = {0};
    enum rc rc;

    budget_init(&b, k->c.compact_bytes_per_s, k->stop);
    rc = disk_compact(&k->s->disk, k->c.dead_percent, &b, &done, &e);
    store_count(k->s, COUNT_COMPACTED_BYTES, done.bytes_before - done.bytes_after);
    if (rc)
        log_warn("store: compaction waits: %s", e.text);
    if (done.segments)
        log_info("store: rewrote %llu segments: %llu bytes instead of %llu",
                 (unsigned long long)done.segments, (unsigned long long)done.bytes_after,
                 (unsigned long long)done.bytes_before);
    return !rc;
}

static void lifecycle(struct keeper *k)
{
    uint64_t removed = 0;
    struct err e = {0};

    if (lifecycle_run(k->s, os_now_ms(), k->stop, &removed, &e))
        log_error("store: lifecycle rules: %s", e.text);
    if (removed)
        log_info("store: lifecycle rules removed %llu versions", (unsigned long long)removed);
}

static bool forget(struct keeper *k)
{
    struct err e = {0};
    enum rc rc = files_sync_removed(k->s->files, &e);

    if (rc)
        log_warn("store: syncing the folders of removed files: %s", e.text);
    return !rc;
}

static void housekeeping(void *ud)
{
    struct keeper *k = ud;
    unsigned tick = 0;
    bool ok;

    do {
        ok = pack(k);
        files_retry(k->s->files);
        if (ok && tick % COMPACT_TICKS == 0)
            ok = compact(k) && forget(k);
        if (tick++ % EXPIRE_TICKS == 0) {
            expire_uploads(k->s, k->stop, os_now_ms() - STORE_UPLOAD_DAYS_MAX * DAY_MS);
            lifecycle(k);
        }
    } while (!event_wait(k->stop, ok ? TICK_MS : 10 * TICK_MS));
}

/* ---- scrubbing */

/* How long to wait until the next one is due. */
static int64_t scrub_in(struct keeper *k)
{
    int64_t ended = 0, after = 0, due;
    struct tx *tx;

    if (db_begin(k->s->db, DB_READ, &tx, NULL))
        return RETRY_MS;
    if (data_counter(tx, "scrub_ended_ms", &ended, NULL) ||
        data_counter(tx, "scrub_after", &after, NULL))
        ended = os_now_ms();
    tx_rollback(tx);
    due = ended + k->c.scrub_days * DAY_MS - os_now_ms();
    return after || due < 0 ? 0 : due < DAY_MS ? due : DAY_MS;
}

static void scrubbing(void *ud)
{
    struct keeper *k = ud;
    int64_t wait = TICK_MS;

    while (!event_wait(k->stop, wait)) {
        struct scrubbed done = {0};
        struct budget b;
        struct err e = {0};
        enum rc rc;
        wait = scrub_in(k);
        if (wait)
            continue;
        budget_init(&b, k->c.scrub_bytes_per_s, k->stop);
        rc = disk_scrub(&k->s->disk, &b, NULL, NULL, &done, &e);
        store_count(k->s, COUNT_SCRUBBED_BYTES, done.bytes);
        store_count(k->s, COUNT_DAMAGED_FOUND, done.damaged);
        wait = RETRY_MS;
        if (rc && rc != RC_CANCELLED)
            log_warn("store: the scrub waits: %s", e.text);
    }
}

/* ---- life */

enum rc keeper_start(struct keeper **ret, struct store *s, const struct keep_config *c,
                     struct err *e)
{
    struct keeper *k = mem_zalloc(sizeof *k);
    enum rc rc;

    if (!k)
        return err_set(e, RC_NOMEM, "out of memory");
    k->s = s;
    k->c = *c;
    k->stop = event_new();
    rc = k->stop ? pool_new(&k->threads, "store-keep", 2, 2, e)
                 : err_set(e, RC_NOMEM, "out of memory");
    if (!rc)
        rc = pool_submit(k->threads, housekeeping, k, e);
    if (!rc && c->scrub_days)
        rc = pool_submit(k->threads, scrubbing, k, e);
    if (rc) {
        keeper_stop(k);
        return rc;
    }
    *ret = k;
    return RC_OK;
}

void keeper_stop(struct keeper *k)
{
    if (!k)
        return;
    if (k->stop)
        event_set(k->stop);
    if (k->threads)
        pool_free(k->threads);
    if (k->stop)
        event_free(k->stop);
    mem_free(k);
}
