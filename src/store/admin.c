/* admin.c - the calls of admin.h that only put together what others do. */
#include "store/admin.h"

#include "store/disk.h"

enum rc store_stat(const char *dir, struct store_stat *ret, struct err *e)
{
    struct store_stat s = {0};
    struct disk d;
    struct tx *tx;
    enum rc rc = disk_look(&d, dir, e);

    if (!rc)
        rc = db_begin(d.db, DB_READ, &tx, e);
    if (!rc) {
        rc = data_stat(tx, &s, e);
        tx_rollback(tx);
    }
    if (!rc)
        rc = os_disk_free(dir, &s.disk_free_bytes, &s.disk_bytes, e);
    disk_close(&d);
    if (!rc)
        *ret = s;
    return rc;
}

struct telling {
    const struct store_check_options *o;
    struct store_check_result *r;
};

static enum rc tell(void *ud, int64_t data, enum rc why, str bucket, str key, const char *path,
                    const char *text, struct err *e)
{
    struct telling *t = ud;
    struct store_fault f = {.kind = data ? STORE_FAULT_BYTES : STORE_FAULT_INDEX,
                            .data = data,
                            .bucket = bucket,
                            .key = key,
                            .path = path,
                            .text = text};

    t->r->faults[f.kind]++;
    return t->o->each ? t->o->each(t->o->ud, &f, e) : RC_OK;
}

enum rc store_scrub(const char *dir, const struct store_check_options *o,
                    struct store_check_result *ret, struct err *e)
{
    struct store_check_result r = {0};
    struct telling t = {o, &r};
    struct scrubbed done = {0};
    struct budget b;
    struct disk d;
    enum rc rc = disk_look(&d, dir, e);

    budget_init(&b, o->bytes_per_s, o->stop);
    if (!rc)
        rc = disk_scrub(&d, &b, tell, &t, &done, e);
    disk_close(&d);
    r.contents = done.contents;
    r.bytes = done.bytes;
    *ret = r;
    return rc;
}

enum rc store_compact(const char *dir, const struct store_compact_options *o,
                      struct store_compact_result *ret, struct err *e)
{
    char path[FILES_PATH_MAX + 16];
    struct compacted done = {0};
    struct event *never = o->stop ? NULL : event_new();
    struct event *stop = o->stop ? o->stop : never;
    struct budget b;
    struct disk d = {.lock_fd = -1, .keep_fd = -1};
    uint64_t packed;
    enum rc rc = stop ? RC_OK : err_set(e, RC_NOMEM, "out of memory");

    snprintf(path, sizeof path, "%s/store.db", dir);
    if (!rc && !os_exists(path))
        rc = err_set(e, RC_NOT_FOUND, "there is no store in '%s': it has no store.db", dir);
    if (!rc)
        rc = disk_open(&d, dir, e);
    if (rc == RC_CONFLICT)
        err_wrap(e, rc, "a running store compacts by itself");
    budget_init(&b, o->bytes_per_s, stop);
    if (!rc)
        rc = disk_pack(&d, stop, &packed, e);
    if (!rc)
        rc = disk_compact(&d, o->dead_percent ? o->dead_percent : 25, &b, &done, e);
    disk_close(&d);
    if (never)
        event_free(never);
    *ret = (struct store_compact_result){done.segments, done.bytes_before, done.bytes_after};
    return rc;
}
