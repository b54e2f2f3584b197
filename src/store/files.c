/* files.c - see files.h.  DIR/objects/xx/<16 hex digits>, xx being the last two: numbers count up,
 * so neighbours in time lie in different folders and no folder grows above 1/256 of all. */
#include "store/files.h"

#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>

enum { SHARDS = 256, NAME_HEX = 16, SEQUENCE_BITS = 40 };

struct later { /* freed while somebody read */
    struct freed what;
    uint64_t when;
};
struct files {
    char dir[FILES_PATH_MAX - 64];
    int64_t generation;
    _Atomic int64_t sequence;
    struct segments *segments;
    int keep_fd;
    pthread_mutex_t mu; /* guards what follows */
    uint64_t clock;
    VEC(uint64_t) pins; /* as many as there are readers */
    VEC(struct later) later;
    struct freed_list removed, synced; /* unlinked; and their folders synced */
    pthread_mutex_t removing;          /* one at a time: the lock on keep_fd is the process's */
};

void files_name(int64_t id, bool incoming, char ret[64])
{
    if (incoming)
        snprintf(ret, 64, "incoming/%016" PRIx64, (uint64_t)id);
    else
        snprintf(ret, 64, "objects/%02x/%016" PRIx64, (unsigned)(id & (SHARDS - 1)), (uint64_t)id);
}

static void file_path(const struct files *f, int64_t id, bool incoming, char ret[FILES_PATH_MAX])
{
    char name[64];

    files_name(id, incoming, name);
    snprintf(ret, FILES_PATH_MAX, "%s/%s", f->dir, name);
}

/* All folders at once, so that a move never needs one that is not durable. */
static enum rc make_folders(const struct files *f, struct err *e)
{
    char path[FILES_PATH_MAX];
    enum rc rc = RC_OK;

    snprintf(path, sizeof path, "%s/incoming", f->dir);
    if (os_exists(path)) /* made last */
        return RC_OK;
    for (unsigned i = 0; !rc && i < SHARDS; i++) {
        snprintf(path, sizeof path, "%s/objects/%02x", f->dir, i);
        rc = os_mkdirs(path, 0700, e);
    }
    snprintf(path, sizeof path, "%s/objects", f->dir);
    if (!rc)
        rc = os_fsync_dir(path, e);
    snprintf(path, sizeof path, "%s/incoming", f->dir);
    if (!rc)
        rc = os_mkdirs(path, 0700, e);
    return rc ? rc : os_fsync_dir(f->dir, e);
}

enum rc files_open(struct files **ret, const char *dir, int64_t generation,
                   struct segments *segments, struct err *e)
{
    char path[FILES_PATH_MAX];
    struct files *f;
    enum rc rc;

    if (strlen(dir) >= sizeof f->dir)
        return err_field(e, RC_INVALID, "dir", "the store's path is longer than %zu bytes",
                         sizeof f->dir);
    f = mem_zalloc(sizeof *f);
    if (!f)
        return err_set(e, RC_NOMEM, "out of memory");
    snprintf(f->dir, sizeof f->dir, "%s", dir);
    f->generation = generation;
    f->segments = segments;
    f->keep_fd = -1;
    pthread_mutex_init(&f->mu, NULL);
    pthread_mutex_init(&f->removing, NULL);
    rc = make_folders(f, e);
    snprintf(path, sizeof path, "%s/keep", f->dir);
    if (!rc)
        rc = os_open(path, O_RDWR | O_CREAT, 0600, &f->keep_fd, e);
    if (rc) {
        files_close(f);
        return rc;
    }
    *ret = f;
    return RC_OK;
}

void files_close(struct files *f)
{
    if (!f)
        return;
    ASSERT(!f->pins.n);
    os_close(f->keep_fd);
    VEC_DONE(&f->pins);
    VEC_DONE(&f->later);
    VEC_DONE(&f->removed);
    VEC_DONE(&f->synced);
    pthread_mutex_destroy(&f->mu);
    pthread_mutex_destroy(&f->removing);
    mem_free(f);
}

int64_t files_new_id(struct files *f)
{
    int64_t n = atomic_fetch_add(&f->sequence, 1) + 1;

    ASSERT(n < INT64_C(1) << SEQUENCE_BITS);
    return (f->generation << SEQUENCE_BITS) + n;
}

/* ---- birth */

enum rc files_create(struct files *f, int64_t id, int *ret_fd, struct err *e)
{
    char path[FILES_PATH_MAX];

    file_path(f, id, true, path);
    return os_open(path, O_WRONLY | O_CREAT | O_EXCL, 0600, ret_fd, e);
}

enum rc files_finish(struct files *f, int64_t id, int fd, struct err *e)
{
    char path[FILES_PATH_MAX];
    enum rc rc = os_fsync(fd, e);

    os_close(fd);
    snprintf(path, sizeof path, "%s/incoming", f->dir);
    return rc ? rc : os_fsync_dir(path, e);
}

void files_settle(struct files *f, int64_t id)
{
    char from[FILES_PATH_MAX], to[FILES_PATH_MAX];

    file_path(f, id, true, from);
    file_path(f, id, false, to);
    if (os_sys.rename(from, to) && os_exists(from))
        log_warn("store: '%s' could not be moved; the next start tries again", from);
}

enum rc files_read(struct files *f, int64_t id, int *ret_fd, struct err *e)
{
    char path[FILES_PATH_MAX];
    enum rc rc = RC_NOT_FOUND;

    /* It may be moved between the first look and the second. */
    for (int i = 0; rc == RC_NOT_FOUND && i < 3; i++) {
        file_path(f, id, i == 1, path);
        rc = os_open(path, O_RDONLY, 0, ret_fd, e);
    }
    return rc;
}

/* Removes it wherever it is. */
static void unlink_file(struct files *f, int64_t id)
{
    char path[FILES_PATH_MAX], moved[FILES_PATH_MAX];

    file_path(f, id, true, path);
    file_path(f, id, false, moved);
    /* In the order in which it moves. */
    if (os_sys.unlink(path) && os_sys.unlink(moved) && (os_exists(moved) || os_exists(path)))
        log_warn("store: '%s' could not be removed; the next start tries again", moved);
}

void files_discard(struct files *f, int64_t id)
{
    unlink_file(f, id);
}

/* ---- death */

static void remove_one(struct files *f, const struct freed *w)
{
    if (w->kind == DATA_PACKED)
        segments_remove(f->segments, (uint32_t)w->place);
    else
        unlink_file(f, w->place);
}

/* Under mu: nobody began to read before it was freed. */
static bool unread(const struct files *f, uint64_t when)
{
    for (size_t i = 0; i < f->pins.n; i++)
        if (f->pins.p[i] < when)
            return false;
    return true;
}

static void lose(void)
{
    log_warn("store: out of memory; a file stays until the next start");
}

void files_remove(struct files *f, struct freed_list *list)
{
    if (!list->n)
        return;
    pthread_mutex_lock(&f->mu);
    f->clock++;
    for (size_t i = 0; i < list->n; i++)
        if (!VEC_PUSH(&f->later, (struct later){list->p[i], f->clock}))
            lose();
    pthread_mutex_unlock(&f->mu);
    VEC_DONE(list);
    files_retry(f);
}

void files_retry(struct files *f)
{
    pthread_mutex_lock(&f->removing); /* nobody else takes out of the list */
    if (os_try_lock(f->keep_fd, OS_LOCK_EXCLUSIVE)) {
        pthread_mutex_lock(&f->mu);
        for (size_t i = 0; i < f->later.n;) {
            struct freed what = f->later.p[i].what;
            if (!unread(f, f->later.p[i].when)) {
                i++;
                continue;
            }
            f->later.p[i] = f->later.p[--f->later.n];
            pthread_mutex_unlock(&f->mu);
            remove_one(f, &what);
            pthread_mutex_lock(&f->mu);
            if (!VEC_PUSH(&f->removed, what))
                lose();
        }
        pthread_mutex_unlock(&f->mu);
        (void)os_try_lock(f->keep_fd, OS_LOCK_NONE);
    }
    pthread_mutex_unlock(&f->removing);
}

/* The folders of what was removed, each once: 0..255 objects/xx, then incoming and segments. */
static enum rc sync_folders(const struct files *f, const struct freed_list *list, struct err *e)
{
    bool touched[SHARDS + 2] = {0};
    char path[FILES_PATH_MAX];
    enum rc rc = RC_OK;

    for (size_t i = 0; i < list->n; i++) {
        bool segment = list->p[i].kind == DATA_PACKED;
        touched[segment ? SHARDS + 1 : list->p[i].place & (SHARDS - 1)] = true;
        touched[SHARDS] = touched[SHARDS] || !segment; /* it may not have been moved yet */
    }
    for (int i = 0; !rc && i < SHARDS + 2; i++) {
        if (i < SHARDS)
            snprintf(path, sizeof path, "%s/objects/%02x", f->dir, (unsigned)i);
        else
            snprintf(path, sizeof path, "%s/%s", f->dir, i == SHARDS ? "incoming" : "segments");
        if (touched[i])
            rc = os_fsync_dir(path, e);
    }
    return rc;
}

enum rc files_sync_removed(struct files *f, struct err *e)
{
    struct freed_list list;
    bool ok = true;
    enum rc rc;

    pthread_mutex_lock(&f->mu);
    list = f->removed;
    f->removed = (struct freed_list){0};
    pthread_mutex_unlock(&f->mu);
    rc = sync_folders(f, &list, e); /* if it fails, the next start removes them once more */
    pthread_mutex_lock(&f->mu);
    for (size_t i = 0; !rc && ok && i < list.n; i++)
        ok = VEC_PUSH(&f->synced, list.p[i]);
    pthread_mutex_unlock(&f->mu);
    VEC_DONE(&list);
    return rc;
}

void files_take_removed(struct files *f, struct freed_list *ret)
{
    pthread_mutex_lock(&f->mu);
    *ret = f->synced;
    f->synced = (struct freed_list){0};
    pthread_mutex_unlock(&f->mu);
}

/* ---- pins */

enum rc files_pin(struct files *f, uint64_t *ret_pin, struct err *e)
{
    bool ok;

    pthread_mutex_lock(&f->mu);
    ok = VEC_PUSH(&f->pins, f->clock);
    *ret_pin = f->clock;
    pthread_mutex_unlock(&f->mu);
    return ok ? RC_OK : err_set(e, RC_NOMEM, "out of memory");
}

void files_unpin(struct files *f, uint64_t pin)
{
    bool waits;
    size_t i = 0;

    pthread_mutex_lock(&f->mu);
    while (i < f->pins.n && f->pins.p[i] != pin)
        i++;
    ASSERT(i < f->pins.n);
    f->pins.p[i] = f->pins.p[--f->pins.n];
    waits = f->later.n;
    for (i = 0; waits && i < f->pins.n; i++)
        waits = f->pins.p[i] > pin; /* an older reader keeps all that this one kept */
    pthread_mutex_unlock(&f->mu);
    if (waits)
        files_retry(f);
}

/* ---- sweep */

struct sweep {
    struct files *f;
    files_live_fn live;
    void *ud;
    uint64_t removed;
};

bool files_id_of(str name, int64_t *ret)
{
    uint8_t b[NAME_HEX / 2];
    uint64_t v = 0;

    if (name.n != NAME_HEX || !hex_to(name, b) || b[0] > 0x7f)
        return false;
    for (size_t i = 0; i < sizeof b; i++)
        v = v << 8 | b[i];
    *ret = (int64_t)v;
    return true;
}

static enum rc sweep_one(void *ud, const char *name, bool is_dir, struct err *e)
{
    struct sweep *w = ud;
    int64_t id;
    bool live = true;
    enum rc rc;

    if (is_dir || !files_id_of(str_of(name), &id))
        return RC_OK; /* not ours: left alone */
    rc = w->live(w->ud, id, &live, e);
    if (rc)
        return rc;
    if (live) {
        files_settle(w->f, id);
    } else {
        files_discard(w->f, id);
        w->removed++;
    }
    return RC_OK;
}

enum rc files_sweep(struct files *f, files_live_fn live, void *ud, uint64_t *ret_removed,
                    struct err *e)
{
    struct sweep w = {f, live, ud, 0};
    char path[FILES_PATH_MAX];
    enum rc rc;

    snprintf(path, sizeof path, "%s/incoming", f->dir);
    rc = os_list_dir(path, sweep_one, &w, e);
    *ret_removed = w.removed;
    return rc;
}
