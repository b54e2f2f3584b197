/* backup.c - a consistent copy of a folder that may be served meanwhile.  See admin.h.
 *
 * 1. A shared lock on DIR/keep: from now on no file is removed.
 * 2. The index is copied as of one moment.  What it names is on the disk, and stays there.
 * 3. Every segment up to where that index knows it synced, and every file that it names.
 * 4. The copy is checked with all its bytes.
 * 5. The manifest, last: without one a copy is none. */
#include "store/admin.h"

#include "base/log.h"
#include "base/mem.h"
#include "store/disk.h"
#include "store/manifest.h"
#include <fcntl.h>

enum { CHUNK = 256 << 10 };

struct backup {
    struct disk from;
    const char *dir, *to;
    struct budget budget;
    struct buf manifest;
    char *chunk;
    struct store_backup_result r;
};

static enum rc is_something(void *ud, const char *name, bool is_dir, struct err *e)
{
    return err_set(e, RC_CONFLICT, "there is '%s' in it already", name);
}

static enum rc make_folder(struct backup *b, struct err *e)
{
    static const char *const folders[] = {"segments", "objects"};
    char path[FILES_PATH_MAX + 64];
    enum rc rc = os_mkdirs(b->to, 0700, e);

    if (!rc)
        rc = os_list_dir(b->to, is_something, NULL, e);
    if (rc)
        return err_wrap(e, rc, "the folder of the copy, '%s'", b->to);
    for (size_t i = 0; !rc && i < sizeof folders / sizeof *folders; i++) {
        snprintf(path, sizeof path, "%s/%s", b->to, folders[i]);
        rc = os_mkdirs(path, 0700, e);
    }
    for (unsigned i = 0; !rc && i < 256; i++) {
        snprintf(path, sizeof path, "%s/objects/%02x", b->to, i);
        rc = os_mkdirs(path, 0700, e);
    }
    return rc;
}

/* ---- one file */

static enum rc note(struct backup *b, const char *path, uint64_t bytes, struct hasher *h,
                    struct err *e)
{
    uint8_t digest[SHA256_BYTES];

    hasher_final(h, digest);
    manifest_add(&b->manifest, digest, bytes, path);
    b->r.files++;
    b->r.bytes += bytes;
    return buf_ok(&b->manifest, e);
}

static enum rc pour(struct backup *b, int from, int to, uint64_t bytes, struct hasher *h,
                    struct err *e)
{
    enum rc rc = RC_OK;

    for (uint64_t at = 0; !rc && at < bytes;) {
        size_t n = bytes - at < CHUNK ? (size_t)(bytes - at) : CHUNK;
        rc = os_pread_full(from, b->chunk, n, at, e);
        if (!rc && to >= 0)
            rc = os_write_all(to, b->chunk, n, e);
        if (rc)
            break;
        hasher_add(h, b->chunk, n);
        at += n;
        if (!budget_spend(&b->budget, n))
            rc = err_set(e, RC_CANCELLED, "the backup was stopped before its end");
    }
    if (!rc && to >= 0)
        rc = os_fsync(to, e);
    return rc;
}

/* The first `bytes` of an open file under its name in the copy; `from` is closed. */
static enum rc copy_fd(struct backup *b, int from, const char *name, uint64_t bytes, struct err *e)
{
    char path[FILES_PATH_MAX + 64];
    struct hasher h;
    int to = -1;
    enum rc rc = sha256_init(&h, e);

    snprintf(path, sizeof path, "%s/%s", b->to, name);
    if (!rc)
        rc = os_open(path, O_WRONLY | O_CREAT | O_EXCL, 0600, &to, e);
    if (!rc)
        rc = pour(b, from, to, bytes, &h, e);
    if (!rc)
        rc = note(b, name, bytes, &h, e);
    else
        hasher_done(&h);
    os_close(to);
    os_close(from);
    return err_wrap(e, rc, "copying '%s'", name);
}

/* ---- the parts */

static enum rc copy_db(struct backup *b, struct db *db, const char *name, struct err *e)
{
    char path[FILES_PATH_MAX + 64];
    struct hasher h;
    uint64_t bytes;
    int fd = -1;
    enum rc rc;

    snprintf(path, sizeof path, "%s/%s", b->to, name);
    rc = db_copy(db, path, e);
    if (!rc)
        rc = os_open(path, O_RDONLY, 0, &fd, e);
    if (!rc)
        rc = os_fd_size(fd, &bytes, e);
    if (!rc)
        rc = sha256_init(&h, e);
    if (!rc) {
        rc = pour(b, fd, -1, bytes, &h, e);
        if (!rc)
            rc = note(b, name, bytes, &h, e);
        else
            hasher_done(&h);
    }
    os_close(fd);
    return rc;
}

/* Who may do what; the key that seals the secrets (DIR.master) is not copied. */
static enum rc copy_identities(struct backup *b, struct err *e)
{
    char path[FILES_PATH_MAX + 64];
    struct db *db;
    enum rc rc;

    snprintf(path, sizeof path, "%s/identity.db", b->dir);
    if (!os_exists(path))
        return RC_OK;
    rc = db_open(&db, path, e);
    if (rc)
        return rc;
    rc = copy_db(b, db, "identity.db", e);
    db_close(db);
    return rc;
}

static enum rc copy_segments(struct backup *b, struct db *copy, struct err *e)
{
    struct segment_row s = {0};
    enum rc rc = RC_OK;

    while (!rc) {
        char name[64], path[FILES_PATH_MAX + 64];
        struct tx *tx;
        int fd = -1;
        rc = db_begin(copy, DB_READ, &tx, e);
        if (rc)
            return rc;
        rc = data_segment_next(tx, s.number, &s, e);
        tx_rollback(tx);
        if (rc)
            break;
        snprintf(name, sizeof name, "segments/%08x.seg", s.number);
        snprintf(path, sizeof path, "%s/%s", b->dir, name);
        rc = os_open(path, O_RDONLY, 0, &fd, e);
        if (!rc)
            rc = copy_fd(b, fd, name, s.bytes, e);
    }
    return rc == RC_NOT_FOUND ? RC_OK : rc;
}

static enum rc copy_content(struct backup *b, const struct data_row *row, struct err *e)
{
    char name[64];
    uint64_t bytes;
    int fd = -1;
    enum rc rc;

    b->r.contents++;
    if (row->kind != DATA_BLOCKS && row->kind != DATA_FILE)
        return RC_OK;
    files_name(row->place, false, name);
    rc = files_read(b->from.files, row->place, &fd, e);
    if (rc)
        return rc;
    rc = os_fd_size(fd, &bytes, e);
    if (!rc)
        return copy_fd(b, fd, name, bytes, e);
    os_close(fd);
    return rc;
}

static enum rc copy_contents(struct backup *b, struct db *copy, struct err *e)
{
    int64_t after = 0;
    size_t n = 1;
    enum rc rc = RC_OK;

    while (!rc && n) {
        struct data_row *rows = NULL;
        struct arena a;
        struct tx *tx;
        arena_init(&a, 4 << 20);
        rc = db_begin(copy, DB_READ, &tx, e);
        if (!rc) {
            rc = data_walk(tx, &a, WALK_ALL, after, 256, 1 << 20, &rows, &n, e);
            tx_rollback(tx);
        }
        for (size_t i = 0; !rc && i < n; i++) {
            after = rows[i].id;
            rc = copy_content(b, &rows[i], e);
        }
        arena_done(&a);
    }
    return rc;
}

static enum rc sync_folders(struct backup *b, struct err *e)
{
    char path[FILES_PATH_MAX + 64];
    enum rc rc = RC_OK;

    for (unsigned i = 0; !rc && i < 256; i++) {
        snprintf(path, sizeof path, "%s/objects/%02x", b->to, i);
        rc = os_fsync_dir(path, e);
    }
    snprintf(path, sizeof path, "%s/objects", b->to);
    if (!rc)
        rc = os_fsync_dir(path, e);
    snprintf(path, sizeof path, "%s/segments", b->to);
    if (!rc)
        rc = os_fsync_dir(path, e);
    if (!rc)
        rc = os_fsync_dir(b->to, e);
    snprintf(path, sizeof path, "%s/..", b->to);
    return rc ? rc : os_fsync_dir(path, e);
}

static enum rc copy_all(struct backup *b, struct err *e)
{
    char path[FILES_PATH_MAX + 64];
    struct db *copy;
    enum rc rc = copy_db(b, b->from.db, "store.db", e);

    if (rc)
        return rc;
    snprintf(path, sizeof path, "%s/store.db", b->to);
    rc = db_open(&copy, path, e);
    if (rc)
        return rc;
    rc = copy_segments(b, copy, e);
    if (!rc)
        rc = copy_contents(b, copy, e);
    db_close(copy);
    if (!rc)
        rc = copy_identities(b, e);
    return rc ? rc : sync_folders(b, e);
}

/* Damage of the source is in the copy too; who makes it hears of it. */
static enum rc prove(struct backup *b, const struct store_check_options *o, struct err *e)
{
    struct store_check_options all = *o;
    struct store_check_result r;
    enum rc rc;

    all.bytes = true;
    rc = store_check(b->to, &all, &r, e);
    for (int i = 0; !rc && i < STORE_FAULT_KINDS; i++)
        b->r.faults += r.faults[i];
    return rc;
}

enum rc store_backup(const char *dir, const char *to, const struct store_check_options *o,
                     struct store_backup_result *ret, struct err *e)
{
    struct backup b = {.dir = dir, .to = to, .from = {.lock_fd = -1, .keep_fd = -1}};
    char path[FILES_PATH_MAX + 64];
    enum rc rc;

    if (strlen(to) >= FILES_PATH_MAX - 128)
        return err_field(e, RC_INVALID, "to", "the path of the copy is too long");
    budget_init(&b.budget, o->bytes_per_s, o->stop);
    buf_init(&b.manifest, MANIFEST_BYTES_MAX);
    b.chunk = mem_alloc(CHUNK);
    rc = b.chunk ? disk_look(&b.from, dir, e) : err_set(e, RC_NOMEM, "out of memory");
    if (!rc)
        rc = make_folder(&b, e);
    b.r.taken_ms = os_now_ms();
    manifest_begin(&b.manifest, b.r.taken_ms);
    if (!rc)
        rc = copy_all(&b, e);
    disk_close(&b.from);
    if (!rc)
        rc = prove(&b, o, e);
    manifest_end(&b.manifest);
    snprintf(path, sizeof path, "%s/MANIFEST", to);
    if (!rc)
        rc = buf_ok(&b.manifest, e);
    if (!rc)
        rc = os_write_file_durable(path, buf_view(&b.manifest), 0600, e);
    buf_done(&b.manifest);
    mem_free(b.chunk);
    if (rc)
        return err_wrap(e, rc, "the copy of '%s'", dir);
    *ret = b.r;
    return RC_OK;
}
