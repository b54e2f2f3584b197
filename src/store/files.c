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

struct pin {
    int64_t owner;
    unsigned readers;
    struct freed_list later; /* removed when the last reader goes */
};
struct files {
    char dir[FILES_PATH_MAX - 64];
    int64_t generation;
    _Atomic int64_t sequence;
    pthread_mutex_t mu;
    VEC(struct pin) pins; /* as many as there are readers of objects in pieces */
};

static void shard_path(const struct files *f, unsigned shard, char ret[FILES_PATH_MAX])
{
    snprintf(ret, FILES_PATH_MAX, "%s/%02x", f->dir, shard);
}

static void file_path(const struct files *f, int64_t id, char ret[FILES_PATH_MAX])
{
    snprintf(ret, FILES_PATH_MAX, "%s/%02x/%016" PRIx64, f->dir, (unsigned)(id & (SHARDS - 1)),
             (uint64_t)id);
}

enum rc files_open(struct files **ret, const char *dir, int64_t generation, struct err *e)
{
    struct files *f;
    enum rc rc;

    if (strlen(dir) > sizeof f->dir - sizeof "/objects")
        return err_field(e, RC_INVALID, "dir", "the store's path is longer than %zu bytes",
                         sizeof f->dir - sizeof "/objects");
    f = mem_zalloc(sizeof *f);
    if (!f)
        return err_set(e, RC_NOMEM, "out of memory");
    snprintf(f->dir, sizeof f->dir, "%s/objects", dir);
    f->generation = generation;
    pthread_mutex_init(&f->mu, NULL);
    rc = os_mkdirs(f->dir, 0700, e);
    if (!rc)
        rc = os_fsync_dir(dir, e);
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
    VEC_DONE(&f->pins);
    pthread_mutex_destroy(&f->mu);
    mem_free(f);
}

int64_t files_new_id(struct files *f)
{
    int64_t n = atomic_fetch_add(&f->sequence, 1) + 1;

    ASSERT(n < INT64_C(1) << SEQUENCE_BITS);
    return (f->generation << SEQUENCE_BITS) + n;
}

enum rc files_create(struct files *f, int64_t id, int *ret_fd, struct err *e)
{
    char path[FILES_PATH_MAX], shard[FILES_PATH_MAX];
    int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC;
    enum rc rc;

    file_path(f, id, path);
    rc = os_open(path, flags, 0600, ret_fd, e);
    if (rc != RC_NOT_FOUND)
        return rc;
    shard_path(f, (unsigned)(id & (SHARDS - 1)), shard); /* the first one in this folder */
    rc = os_mkdirs(shard, 0700, e);
    if (!rc)
        rc = os_fsync_dir(f->dir, e);
    return rc ? rc : os_open(path, flags, 0600, ret_fd, e);
}

enum rc files_finish(struct files *f, int64_t id, int fd, struct err *e)
{
    char shard[FILES_PATH_MAX];
    enum rc rc = os_fsync(fd, e);

    os_close(fd);
    shard_path(f, (unsigned)(id & (SHARDS - 1)), shard);
    return rc ? rc : os_fsync_dir(shard, e);
}

enum rc files_read(struct files *f, int64_t id, int *ret_fd, struct err *e)
{
    char path[FILES_PATH_MAX];

    file_path(f, id, path);
    return os_open(path, O_RDONLY | O_CLOEXEC, 0, ret_fd, e);
}

void files_discard(struct files *f, int64_t id)
{
    char path[FILES_PATH_MAX];

    file_path(f, id, path);
    if (os_sys.unlink(path) && os_exists(path))
        log_warn("store: '%s' could not be removed; the next start tries again", path);
}

/* ---- pins */

static struct pin *pin_of(struct files *f, int64_t owner)
{
    for (size_t i = 0; i < f->pins.n; i++)
        if (f->pins.p[i].owner == owner)
            return &f->pins.p[i];
    return NULL;
}

enum rc files_pin(struct files *f, int64_t owner, struct err *e)
{
    struct pin *p;
    bool ok = true;

    pthread_mutex_lock(&f->mu);
    p = pin_of(f, owner);
    if (p)
        p->readers++;
    else
        ok = VEC_PUSH(&f->pins, (struct pin){.owner = owner, .readers = 1});
    pthread_mutex_unlock(&f->mu);
    return ok ? RC_OK : err_set(e, RC_NOMEM, "out of memory");
}

void files_unpin(struct files *f, int64_t owner)
{
    struct freed_list later = {0};
    struct pin *p;

    pthread_mutex_lock(&f->mu);
    p = pin_of(f, owner);
    ASSERT(p && p->readers);
    if (!--p->readers) {
        later = p->later;
        *p = f->pins.p[--f->pins.n];
    }
    pthread_mutex_unlock(&f->mu);
    for (size_t i = 0; i < later.n; i++)
        files_discard(f, later.p[i].id);
    VEC_DONE(&later);
}

void files_remove(struct files *f, struct freed_list *list)
{
    for (size_t i = 0; i < list->n; i++) {
        struct pin *p;
        bool wait = false;
        pthread_mutex_lock(&f->mu);
        p = pin_of(f, list->p[i].owner);
        if (p) {
            wait = true;
            if (!VEC_PUSH(&p->later, list->p[i]))
                log_warn("store: out of memory; a file stays until the next start");
        }
        pthread_mutex_unlock(&f->mu);
        if (!wait)
            files_discard(f, list->p[i].id);
    }
    VEC_DONE(list);
}

/* ---- sweep */

struct sweep {
    struct files *f;
    unsigned shard;
    files_live_fn live;
    void *ud;
    uint64_t removed;
};

static bool id_of_name(const char *name, int64_t *ret)
{
    uint8_t b[NAME_HEX / 2];
    uint64_t v = 0;

    if (strlen(name) != NAME_HEX || !hex_to((str){name, NAME_HEX}, b) || b[0] > 0x7f)
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

    if (is_dir || !id_of_name(name, &id))
        return RC_OK; /* not ours: left alone */
    if (id >> SEQUENCE_BITS >= w->f->generation || (id & (SHARDS - 1)) != w->shard)
        return RC_OK;
    rc = w->live(w->ud, id, &live, e);
    if (!rc && !live) {
        files_discard(w->f, id);
        w->removed++;
    }
    return rc;
}

enum rc files_sweep(struct files *f, files_live_fn live, void *ud, struct event *stop,
                    uint64_t *ret_removed, struct err *e)
{
    struct sweep w = {f, 0, live, ud, 0};
    enum rc rc = RC_OK;

    for (; !rc && w.shard < SHARDS && !event_is_set(stop); w.shard++) {
        char path[FILES_PATH_MAX];
        shard_path(f, w.shard, path);
        if (os_exists(path))
            rc = os_list_dir(path, sweep_one, &w, e);
    }
    *ret_removed = w.removed;
    return rc;
}
