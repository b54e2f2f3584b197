/* disk.c - see disk.h. */
#include "store/disk.h"

#include "base/log.h"
#include "store/index.h"
#include <errno.h>
#include <fcntl.h>

/* ---- the committer's hook */

static enum rc before_commit(void *ud, struct tx *tx, struct err *e)
{
    struct disk *d = ud;
    struct freed_list removed = {0};
    enum rc rc;

    d->end_n = 0;
    rc = segments_sync(d->segments, d->ends, &d->end_n, e);
    for (size_t i = 0; !rc && i < d->end_n; i++)
        rc = data_segment_set(tx, &d->ends[i], e);
    files_take_removed(d->files, &removed);
    if (!rc && removed.n) /* if this is rolled back, the next start finds them gone */
        rc = data_forget(tx, &removed, e);
    VEC_DONE(&removed);
    return rc;
}

static void after_commit(void *ud, bool committed)
{
    struct disk *d = ud;

    if (committed)
        segments_told(d->segments, d->ends, d->end_n);
}

/* ---- opening */

static enum rc last_segment(struct db *db, struct segment_row *ret, uint32_t *ret_free,
                            struct err *e)
{
    struct segment_row last = {0}, row;
    struct freed_list freed = {0};
    uint32_t used = 0;
    struct tx *tx;
    enum rc rc = db_begin(db, DB_READ, &tx, e);

    if (rc)
        return rc;
    while (!(rc = data_segment_next(tx, last.number, &row, NULL)))
        last = row;
    if (rc == RC_NOT_FOUND)
        rc = data_freed(tx, &freed, e);
    else
        err_set(e, rc, "the store's index: its segments cannot be read");
    if (!rc)
        rc = data_segment_last(tx, &used, e);
    tx_rollback(tx);
    last.wrong |= used > last.number; /* its row is lost */
    *ret = last;
    *ret_free = (last.number > used ? last.number : used) + 1;
    for (size_t i = 0; i < freed.n; i++) /* a number whose removal is under way is not used again */
        if (freed.p[i].kind == DATA_PACKED && freed.p[i].place >= *ret_free)
            *ret_free = (uint32_t)freed.p[i].place + 1;
    VEC_DONE(&freed);
    return rc;
}

static enum rc open_segments(struct disk *d, bool serve, struct err *e)
{
    struct segment_row last = {0};
    char path[FILES_PATH_MAX + 32];
    uint32_t next;
    enum rc rc = last_segment(d->db, &last, &next, e);

    if (!rc)
        rc = segments_open(&d->segments, d->dir, next, e);
    if (rc || !serve)
        return rc;
    segments_path(d->segments, next, path, sizeof path);
    if (os_exists(path)) /* made, and never committed to */
        (void)os_sys.unlink(path);
    if (last.wrong)
        log_error("store: the row of the last segment in the index is lost, or does not have its "
                  "checksum; segment %08x is begun",
                  next);
    else if (last.number && !last.sealed)
        rc = segments_resume(d->segments, last.number, last.bytes, &d->found.tail_records,
                             &d->found.tail_bytes, e);
    return rc;
}

static enum rc is_live(void *ud, int64_t id, bool *ret_live, struct err *e)
{
    struct disk *d = ud;
    struct tx *tx;
    enum rc rc = db_begin(d->db, DB_READ, &tx, e);

    if (rc)
        return rc;
    rc = data_file_named(tx, id, ret_live, e);
    tx_rollback(tx);
    return rc;
}

/* A copy that is started becomes a store: its manifest does not hold any more. */
static enum rc drop_manifest(struct disk *d, struct err *e)
{
    char path[FILES_PATH_MAX + 16];

    snprintf(path, sizeof path, "%s/MANIFEST", d->dir);
    if (!os_exists(path))
        return RC_OK;
    if (os_sys.unlink(path))
        return err_errno(e, errno, "cannot remove '%s'", path);
    return os_fsync_dir(d->dir, e);
}

/* What a crash can have left of files. */
static enum rc clean_up(struct disk *d, struct err *e)
{
    struct freed_list freed = {0};
    struct tx *tx;
    enum rc rc = files_sweep(d->files, is_live, d, &d->found.incoming, e);

    if (!rc)
        rc = db_begin(d->db, DB_READ, &tx, e);
    if (rc)
        return rc;
    rc = data_freed(tx, &freed, e);
    tx_rollback(tx);
    d->found.freed = freed.n;
    if (!rc)
        files_remove(d->files, &freed);
    VEC_DONE(&freed);
    return rc;
}

static enum rc set_dir(struct disk *d, const char *dir, struct err *e)
{
    memset(d, 0, sizeof *d);
    d->lock_fd = d->keep_fd = -1;
    if (strlen(dir) >= FILES_PATH_MAX - 128)
        return err_field(e, RC_INVALID, "dir", "the store's path has more than %d bytes",
                         FILES_PATH_MAX - 128);
    snprintf(d->dir, sizeof d->dir, "%s", dir);
    return RC_OK;
}

static enum rc open_db(struct disk *d, struct err *e)
{
    char path[FILES_PATH_MAX + 16];

    snprintf(path, sizeof path, "%s/store.db", d->dir);
    return db_open(&d->db, path, e);
}

enum rc disk_open(struct disk *d, const char *dir, struct err *e)
{
    struct commit_hook hook = {before_commit, after_commit, d};
    char path[FILES_PATH_MAX + 16];
    bool fresh = !os_exists(dir);
    enum rc rc = set_dir(d, dir, e);

    if (!rc)
        rc = os_mkdirs(dir, 0700, e);
    snprintf(path, sizeof path, "%s/..", d->dir);
    if (!rc && fresh)
        rc = os_fsync_dir(path, e);
    snprintf(path, sizeof path, "%s/lock", d->dir);
    if (!rc)
        rc = os_lock_file(path, &d->lock_fd, e);
    if (!rc)
        rc = drop_manifest(d, e);
    if (!rc)
        rc = open_db(d, e);
    if (!rc)
        rc = index_setup(d->db, &d->generation, e);
    if (!rc)
        rc = open_segments(d, true, e);
    if (!rc)
        rc = files_open(&d->files, dir, d->generation, d->segments, e);
    if (!rc)
        rc = clean_up(d, e);
    if (!rc)
        rc = committer_new(&d->committer, d->db, &hook, e);
    if (!rc && d->found.tail_records)
        log_info("store: %llu contents (%llu bytes) at the end of a segment were never "
                 "acknowledged, and are written over",
                 (unsigned long long)d->found.tail_records,
                 (unsigned long long)d->found.tail_bytes);
    return rc;
}

static enum rc check_layout(struct disk *d, struct err *e)
{
    int64_t layout = 0;
    struct tx *tx;
    enum rc rc = db_begin(d->db, DB_READ, &tx, e);

    if (rc)
        return rc;
    rc = data_counter(tx, "data_layout", &layout, e);
    tx_rollback(tx);
    if (!rc && layout != DATA_LAYOUT)
        rc = err_set(e, RC_CONFLICT,
                     "the store in '%s' has layout %lld, this program knows %d; start `anneal "
                     "store` on it once to upgrade it",
                     d->dir, layout ? (long long)layout : 1, DATA_LAYOUT);
    return rc;
}

enum rc disk_look(struct disk *d, const char *dir, struct err *e)
{
    char path[FILES_PATH_MAX + 16];
    enum rc rc = set_dir(d, dir, e);

    snprintf(path, sizeof path, "%s/store.db", d->dir);
    if (!rc && !os_exists(path))
        rc = err_set(e, RC_NOT_FOUND, "there is no store in '%s': it has no store.db", dir);
    snprintf(path, sizeof path, "%s/keep", d->dir);
    if (!rc)
        rc = os_open(path, O_RDWR | O_CREAT, 0600, &d->keep_fd, e);
    for (int i = 0; !rc && !os_try_lock(d->keep_fd, OS_LOCK_SHARED); i++) {
        if (i == 1000) /* removals hold it for the time of an unlink */
            rc = err_set(e, RC_UNAVAILABLE, "'%s' stays locked; try again", path);
        os_sleep_ms(10);
    }
    if (!rc)
        rc = open_db(d, e);
    if (!rc)
        rc = check_layout(d, e);
    if (!rc)
        rc = open_segments(d, false, e);
    if (!rc)
        rc = files_open(&d->files, dir, 0, d->segments, e);
    return rc;
}

void disk_close(struct disk *d)
{
    committer_free(d->committer);
    files_close(d->files);
    segments_close(d->segments);
    db_close(d->db);
    os_close(d->keep_fd);
    os_close(d->lock_fd);
    d->committer = NULL;
    d->files = NULL;
    d->segments = NULL;
    d->db = NULL;
    d->keep_fd = d->lock_fd = -1;
}
