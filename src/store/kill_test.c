/* kill_test.c - kill -9 and power cuts at random moments under mixed load, again and again: what
 * was acknowledged is there byte for byte, whatever was under way came wholly or not at all, and
 * the folder is sound.
 *
 * A child process works on the folder: put of every size, delete, copy, multipart, and at the same
 * time packing, compaction and scrubbing.  It tells a pipe "B slot value" before a change and "A
 * slot value" after the acknowledgement.  The parent kills it (SIGKILL), or lets it play a power
 * cut (below); then a second child opens what is left, compares every slot with what it was
 * acknowledged to hold or what was under way, and runs the check over all bytes. */
#include "store/disk.h"

#include "base/mem.h"
#include "base/test.h"
#include "store/admin.h"
#include "store/test_disk.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- a power cut, played on a real folder: what was not synced is lost
 *
 * The calls of the C library that change files are defined here, in the test's own program, so that
 * the store and the SQLite library both come through them.  For each write the bytes that were
 * there are kept until the file is synced; for each new, moved or removed name the way back, until
 * its folder is synced.  power_cut() lets every later call fail, takes back a random part of all
 * that (wholly, not at all, or sector by sector), and ends the process. */

enum { POWER_SECTOR = 512, POWER_PATH = 700 };

struct power_write { /* newest first */
    struct power_write *next;
    ino_t file;
    int fd; /* ours */
    off_t at, size_before;
    size_t n;
    char old[];
};
struct power_name {
    struct power_name *next; /* newest first */
    char from[POWER_PATH], to[POWER_PATH];
    enum { POWER_MADE, POWER_MOVED, POWER_REMOVED } what;
};
static struct {
    pthread_mutex_t mu;
    bool on, cut;
    char dir[POWER_PATH], grave[POWER_PATH]; /* only below dir; removed names lie in grave */
    unsigned graves;
    uint64_t rng;
    struct power_write *writes;
    struct power_name *names;
} power = {.mu = PTHREAD_MUTEX_INITIALIZER};

/* Shared memory of SQLite is rebuilt after a crash: not played. */
static inline bool power_ours(const char *path)
{
    size_t n = strlen(path);

    return power.on && !strncmp(path, power.dir, strlen(power.dir)) &&
           !(n > 4 && !strcmp(path + n - 4, "-shm"));
}

static inline bool power_path(int fd, char ret[POWER_PATH])
{
    char link[64];
    ssize_t n;

    if (!power.on)
        return false;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    n = readlink(link, ret, POWER_PATH - 1);
    ret[n > 0 ? n : 0] = 0;
    return power_ours(ret);
}

static inline void power_keep(int fd, off_t at, size_t n)
{
    struct stat st;
    struct power_write *w;
    off_t end = at + (off_t)n;

    if (fstat(fd, &st))
        abort();
    if (end > st.st_size)
        end = st.st_size;
    n = end > at ? (size_t)(end - at) : 0;
    w = mem_alloc(sizeof *w + n);
    *w = (struct power_write){power.writes, st.st_ino, -1, at, st.st_size, n};
    w->fd = -1;
    for (struct power_write *o = power.writes; o && w->fd < 0; o = o->next)
        if (o->file == st.st_ino)
            w->fd = o->fd;
    if (w->fd < 0) {
        char link[64];
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        w->fd = (int)syscall(SYS_openat, AT_FDCWD, link, O_RDWR | O_CLOEXEC, 0);
    }
    if (n && syscall(SYS_pread64, w->fd, w->old, n, at) != (ssize_t)n)
        abort();
    power.writes = w;
}

#define POWER_FAILED (errno = EIO, -1)

ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
    char path[POWER_PATH];
    ssize_t done;

    if (!power_path(fd, path))
        return syscall(SYS_pwrite64, fd, p, n, at);
    pthread_mutex_lock(&power.mu);
    if (!power.cut)
        power_keep(fd, at, n);
    done = power.cut ? POWER_FAILED : syscall(SYS_pwrite64, fd, p, n, at);
    pthread_mutex_unlock(&power.mu);
    return done;
}

ssize_t write(int fd, const void *p, size_t n)
{
    char path[POWER_PATH];
    ssize_t done;

    if (!power_path(fd, path))
        return syscall(SYS_write, fd, p, n);
    pthread_mutex_lock(&power.mu);
    if (!power.cut)
        power_keep(fd, lseek(fd, 0, SEEK_CUR), n);
    done = power.cut ? POWER_FAILED : syscall(SYS_write, fd, p, n);
    pthread_mutex_unlock(&power.mu);
    return done;
}

/* Cuts off what the log of SQLite no longer needs; taken back, or not, like a write. */
int ftruncate(int fd, off_t n)
{
    char path[POWER_PATH];
    struct stat st;
    int done;

    if (!power_path(fd, path))
        return (int)syscall(SYS_ftruncate, fd, n);
    pthread_mutex_lock(&power.mu);
    if (!power.cut && !fstat(fd, &st))
        power_keep(fd, n, st.st_size > n ? (size_t)(st.st_size - n) : 0);
    done = power.cut ? POWER_FAILED : (int)syscall(SYS_ftruncate, fd, n);
    pthread_mutex_unlock(&power.mu);
    return done;
}

static inline void power_synced_file(ino_t file)
{
    struct power_write **at = &power.writes;
    int fd = -1;

    while (*at) {
        struct power_write *w = *at;
        if (w->file != file) {
            at = &w->next;
            continue;
        }
        fd = w->fd;
        *at = w->next;
        mem_free(w);
    }
    if (fd >= 0)
        syscall(SYS_close, fd);
}

static inline bool power_in(const char *path, const char *folder)
{
    const char *slash = strrchr(path, '/');

    return slash && (size_t)(slash - path) == strlen(folder) &&
           !strncmp(path, folder, strlen(folder));
}

static inline void power_synced_folder(const char *folder)
{
    struct power_name **at = &power.names;

    while (*at) {
        struct power_name *m = *at;
        if (!power_in(m->what == POWER_MOVED ? m->to : m->from, folder)) {
            at = &m->next;
            continue;
        }
        if (m->what == POWER_REMOVED)
            syscall(SYS_unlink, m->to);
        *at = m->next;
        mem_free(m);
    }
}

static inline int power_sync(int fd, long call)
{
    char path[POWER_PATH];
    struct stat st;
    int done = 0;

    if (!power_path(fd, path))
        return (int)syscall(call, fd);
    pthread_mutex_lock(&power.mu);
    if (power.cut || fstat(fd, &st))
        done = POWER_FAILED;
    else if (S_ISDIR(st.st_mode))
        power_synced_folder(path);
    else
        power_synced_file(st.st_ino);
    pthread_mutex_unlock(&power.mu);
    return done; /* nothing is synced for good: the machine does not really lose power */
}

int fsync(int fd)
{
    return power_sync(fd, SYS_fsync);
}

int fdatasync(int fd)
{
    return power_sync(fd, SYS_fdatasync);
}

static inline void power_name(int what, const char *from, const char *to)
{
    struct power_name *m = mem_zalloc(sizeof *m);

    m->what = what;
    snprintf(m->from, sizeof m->from, "%s", from);
    snprintf(m->to, sizeof m->to, "%s", to ? to : "");
    m->next = power.names;
    power.names = m;
}

int open(const char *path, int flags, ...)
{
    va_list ap;
    mode_t mode;
    bool made;
    int fd;

    va_start(ap, flags);
    mode = flags & O_CREAT ? va_arg(ap, mode_t) : 0;
    va_end(ap);
    if (!(flags & O_CREAT) || !power_ours(path))
        return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
    pthread_mutex_lock(&power.mu);
    made = access(path, F_OK) != 0;
    fd = power.cut ? POWER_FAILED : (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
    if (fd >= 0 && made)
        power_name(POWER_MADE, path, NULL);
    pthread_mutex_unlock(&power.mu);
    return fd;
}

int rename(const char *from, const char *to)
{
    int done;

    if (!power_ours(from))
        return (int)syscall(SYS_rename, from, to);
    pthread_mutex_lock(&power.mu);
    done = power.cut ? POWER_FAILED : (int)syscall(SYS_rename, from, to);
    if (!done)
        power_name(POWER_MOVED, from, to);
    pthread_mutex_unlock(&power.mu);
    return done;
}

int unlink(const char *path)
{
    char grave[POWER_PATH];
    int done;

    if (!power_ours(path))
        return (int)syscall(SYS_unlink, path);
    pthread_mutex_lock(&power.mu);
    snprintf(grave, sizeof grave, "%.600s/%u", power.grave, power.graves++);
    done = power.cut ? POWER_FAILED : (int)syscall(SYS_rename, path, grave);
    if (!done)
        power_name(POWER_REMOVED, path, grave);
    pthread_mutex_unlock(&power.mu);
    return done;
}

/* ---- the cut */

static inline void power_revert_write(const struct power_write *w, unsigned mode)
{
    struct stat st;

    if (mode == 0) /* it had come through, by chance */
        return;
    for (size_t i = 0; i < w->n;) {
        size_t step = POWER_SECTOR - (size_t)(w->at + (off_t)i) % POWER_SECTOR;
        if (step > w->n - i)
            step = w->n - i;
        if (mode == 1 || splitmix64(&power.rng) % 2)
            (void)!syscall(SYS_pwrite64, w->fd, w->old + i, step, w->at + (off_t)i);
        i += step;
    }
    if (!fstat(w->fd, &st) && st.st_size > w->size_before &&
        (mode == 1 || splitmix64(&power.rng) % 2))
        (void)!syscall(SYS_ftruncate, w->fd, w->size_before);
}

/* In the order of the file system's journal: a random end of the names is lost. */
static inline void power_revert_names(void)
{
    size_t n = 0, lost;

    for (struct power_name *m = power.names; m; m = m->next)
        n++;
    lost = (size_t)(splitmix64(&power.rng) % (n + 1));
    for (struct power_name *m = power.names; m && lost; m = m->next, lost--) {
        if (m->what == POWER_MADE)
            (void)syscall(SYS_unlink, m->from);
        else
            (void)syscall(SYS_rename, m->to, m->from);
    }
}

/* Never returns.  Other threads may be anywhere: their calls fail from now on. */
static inline void power_cut(void)
{
    pthread_mutex_lock(&power.mu);
    power.cut = true;
    for (struct power_write *w = power.writes; w; w = w->next) {
        uint64_t of_file = power.rng ^ w->file * 0x9e3779b97f4a7c15u;
        power_revert_write(w, (unsigned)(splitmix64(&of_file) % 3));
    }
    power_revert_names();
    _exit(9);
}

/* ---- the load */

enum {
    SLOTS = 48,
    THREADS = 4,
    OWN = SLOTS / THREADS,
    KILLS_FEW = 15,
    KILLS_MANY = 1000,
    CUTS_FEW = 15,
    CUTS_MANY = 500
};
enum { LARGE_BYTES = 400000, MANY_OPS = 100, ROUND_S = 60 };

struct slot {
    uint32_t acked, begun; /* values: what the content is made of; 0: there is none */
};
struct line {
    char what;
    uint32_t slot, value;
};

/* Some values give the same bytes: they are stored once. */
static uint64_t seed_of(uint32_t value)
{
    return value % 7 == 3 ? 77 : value;
}

static size_t size_of(uint32_t value)
{
    static const size_t sizes[] = {0,    1,     500,   1024,   3999,       4001,
                                   9000, 30000, 70000, 200000, LARGE_BYTES};
    size_t i = value % 7 == 3 ? 6 : value * 2654435761u >> 16;

    return sizes[i % 11 == 10 && value % 3 ? 2 : i % 11];
}

static void fill(uint32_t value, char *p)
{
    uint64_t seed = seed_of(value);

    for (size_t i = 0, n = size_of(value); i < n; i += 8) {
        uint64_t v = splitmix64(&seed);
        memcpy(p + i, &v, n - i < 8 ? n - i : 8);
    }
}

static void tell(int fd, char what, uint32_t slot, uint32_t value)
{
    struct line l;

    memset(&l, 0, sizeof l);
    l.what = what;
    l.slot = slot;
    l.value = value;
    if (syscall(SYS_write, fd, &l, sizeof l) != sizeof l)
        _exit(0);
}

/* ---- the child that works */

struct work {
    struct shelf *s;
    int out;
    unsigned id;
    uint32_t *next;
    struct slot *slots;
    uint64_t rng;
    pthread_t thread;
    char *p;
};

struct link_op {
    struct commit_op op;
    struct shelf *s;
    str from, to;
    struct upload *u; /* multipart: n[0] and n[1] are its parts */
    struct data_new n[2];
    int64_t whole;
    struct freed_list freed;
};

static enum rc apply_copy(struct commit_op *op, struct tx *tx, struct err *e)
{
    struct link_op *x = (struct link_op *)op;
    struct object o;
    struct arena a;
    enum rc rc;

    x->freed.n = 0;
    arena_init(&a, 64 << 10);
    rc = index_get(tx, &a, x->s->bucket.id, x->from, NULL, &o, e);
    if (!rc)
        rc = index_link(tx, &x->s->bucket, x->to, &o, &x->freed, e);
    arena_done(&a);
    return rc;
}

static enum rc apply_parts(struct commit_op *op, struct tx *tx, struct err *e)
{
    struct link_op *x = (struct link_op *)op;
    struct object o = {.modified_ms = 1, .etag = "e", .type = STR("t"), .meta = STR("")};
    struct part *parts;
    struct arena a;
    size_t n = 0;
    enum rc rc = index_upload_add(tx, x->u, e);

    x->freed.n = 0;
    for (unsigned i = 0; !rc && i < 2; i++) {
        o.bytes = x->n[i].bytes;
        rc = index_part_put(tx, x->u->id, i + 1, &o, &x->n[i], &x->freed, e);
    }
    arena_init(&a, 64 << 10);
    if (!rc)
        rc = index_parts(tx, &a, x->u->id, 0, 10, &parts, &n, e);
    o.bytes = x->n[0].bytes + x->n[1].bytes;
    o.data = x->whole;
    o.kind = DATA_PIECES;
    if (!rc)
        rc = index_complete(tx, &x->s->bucket, x->u, &o, parts, n, &x->freed, e);
    arena_done(&a);
    return rc;
}

static enum rc run_link(struct link_op *x, struct err *e)
{
    enum rc rc = committer_run(x->s->d.committer, &x->op, e);

    if (!rc)
        files_remove(x->s->d.files, &x->freed);
    VEC_DONE(&x->freed);
    return rc;
}

static enum rc put_parts(struct work *w, const char *key, size_t n, struct err *e)
{
    struct upload u = {.id = files_new_id(w->s->d.files),
                       .bucket = w->s->bucket.id,
                       .key = str_of(key),
                       .type = STR("t"),
                       .meta = STR("")};
    struct link_op x = {.op.apply = apply_parts, .s = w->s, .u = &u};
    enum rc rc = disk_take(&w->s->d, (str){w->p, n / 2}, NULL, &x.n[0], e);

    x.whole = files_new_id(w->s->d.files);
    if (!rc)
        rc = disk_take(&w->s->d, (str){w->p + n / 2, n - n / 2}, NULL, &x.n[1], e);
    return rc ? rc : run_link(&x, e);
}

/* As intake.c does it. */
static enum rc put_large(struct work *w, const char *key, size_t n, struct err *e)
{
    struct shelf_op x = {.put = true, .key = str_of(key)};
    struct disk *d = &w->s->d;
    struct blocks_writer b;
    int fd = -1;
    enum rc rc;

    x.n = (struct data_new){.id = files_new_id(d->files), .kind = DATA_BLOCKS, .bytes = n};
    x.n.place = x.n.id;
    x.n.has_sha = true;
    sha256((str){w->p, n}, x.n.sha);
    rc = files_create(d->files, x.n.id, &fd, e);
    if (!rc)
        rc = blocks_begin(&b, fd, x.n.id, e);
    if (!rc) {
        rc = blocks_add(&b, w->p, n, e);
        if (!rc)
            rc = blocks_end(&b, e);
        blocks_done(&b);
    }
    if (rc) {
        os_close(fd);
        return rc;
    }
    rc = files_finish(d->files, x.n.id, fd, e);
    if (!rc)
        rc = shelf_run(w->s, &x, e);
    if (!rc && x.n.shared)
        files_discard(d->files, x.n.id);
    else if (!rc)
        files_settle(d->files, x.n.id);
    return rc;
}

static enum rc one_change(struct work *w, uint32_t slot, struct err *e)
{
    uint32_t value = w->next[slot] += 1 + SLOTS, from = w->id + THREADS * (value % OWN);
    unsigned what = (unsigned)(splitmix64(&w->rng) % 10);
    char key[32], other[32];
    size_t n = size_of(value);
    enum rc rc;

    snprintf(key, sizeof key, "slot/%u", slot);
    snprintf(other, sizeof other, "slot/%u", from);
    if (what == 0)
        value = 0;
    else if (what == 1 && w->slots[from].acked)
        value = w->slots[from].acked;
    tell(w->out, 'B', slot, value);
    fill(value ? value : 1, w->p);
    if (what == 0) {
        rc = shelf_delete(w->s, key, e);
    } else if (what == 1 && w->slots[from].acked) {
        struct link_op x = {
            .op.apply = apply_copy, .s = w->s, .from = str_of(other), .to = str_of(key)};
        rc = run_link(&x, e);
    } else if (n > PACK_BYTES_MAX) {
        rc = put_large(w, key, n, e);
    } else if (what == 2 && n > 1) {
        rc = put_parts(w, key, n, e);
    } else {
        rc = shelf_put(w->s, key, (str){w->p, n}, e);
    }
    if (!rc) {
        w->slots[slot].acked = value;
        tell(w->out, 'A', slot, value);
    }
    return rc;
}

static void *run_work(void *ud)
{
    struct work *w = ud;
    struct err e = {0};
    enum rc rc = RC_OK;

    w->p = mem_alloc(LARGE_BYTES + 8);
    while (!rc && w->p)
        rc = one_change(w, w->id + THREADS * (uint32_t)(splitmix64(&w->rng) % OWN), &e);
    while (power.on) /* the cut, at any moment */
        pause();
    fprintf(stderr, "%s\n", e.text);
    _exit(3);
}

static void *run_keep(void *ud)
{
    struct shelf *s = ud;
    struct event *stop = event_new();
    struct err e = {0};

    while (stop) {
        struct compacted c;
        struct scrubbed r;
        struct budget b;
        uint64_t n;
        budget_init(&b, 0, stop);
        if (disk_pack(&s->d, stop, &n, &e) || disk_compact(&s->d, 5, &b, &c, &e) ||
            disk_scrub(&s->d, &b, NULL, NULL, &r, &e) || files_sync_removed(s->d.files, &e))
            break;
        files_retry(s->d.files);
    }
    while (power.on)
        pause();
    fprintf(stderr, "keeping: %s\n", e.text);
    _exit(3);
}

static void child_work(const char *dir, int out, const struct slot *slots, uint64_t seed, bool cut)
{
    static struct shelf s;
    static struct work w[THREADS];
    static struct slot own[SLOTS];
    uint32_t next[SLOTS];
    pthread_t keep;

    if (cut) {
        snprintf(power.dir, sizeof power.dir, "%s", dir);
        snprintf(power.grave, sizeof power.grave, "%.600s-grave", dir);
        mkdir(power.grave, 0700);
        power.rng = seed;
        power.on = true;
    }
    if (shelf_open(&s, dir, &s.e)) {
        fprintf(stderr, "%s\n", s.e.text);
        _exit(4);
    }
    memcpy(own, slots, sizeof own);
    for (uint32_t i = 0; i < SLOTS; i++)
        next[i] = (uint32_t)(seed % 100000) * 64 + i;
    for (unsigned i = 0; i < THREADS; i++) {
        w[i] = (struct work){
            .s = &s, .out = out, .id = i, .next = next, .slots = own, .rng = seed + i};
        CHECK(!pthread_create(&w[i].thread, NULL, run_work, &w[i]));
    }
    CHECK(!pthread_create(&keep, NULL, run_keep, &s));
    if (cut) {
        struct timespec t = {0, (long)(splitmix64(&seed) % 120 * 1000000)};
        nanosleep(&t, NULL); /* the moment itself is what varies */
        power_cut();
    }
    for (;;)
        pause();
}

/* ---- the child that checks */

static enum rc print_fault(void *ud, const struct store_fault *f, struct err *e)
{
    printf("%s: %s %lld %.*s: %s\n", store_fault_names[f->kind], f->path, (long long)f->data,
           STR_F(f->key), f->text);
    return RC_OK;
}

static bool holds(const char *got, size_t n, bool there, uint32_t value)
{
    static char want[LARGE_BYTES + 8];

    if (!value || !there)
        return !value && !there;
    fill(value, want);
    return n == size_of(value) && !memcmp(got, want, n);
}

static void child_check(const char *dir, int out, const struct slot *slots)
{
    static struct shelf s;
    static char got[LARGE_BYTES + 8];
    struct store_check_options o = {.bytes = true, .each = print_fault};
    struct store_check_result r;

    CHECK_OK(shelf_open(&s, dir, &s.e), &s.e);
    for (uint32_t i = 0; i < SLOTS; i++) {
        char key[32];
        size_t n = 0;
        bool there, old, new;
        enum rc rc;
        snprintf(key, sizeof key, "slot/%u", i);
        rc = shelf_get(&s, key, got, sizeof got, &n, &s.e);
        if (rc && rc != RC_NOT_FOUND)
            test_fail(__FILE__, __LINE__, "slot %u: %s", i, s.e.text);
        there = !rc;
        old = holds(got, n, there, slots[i].acked);
        new = holds(got, n, there, slots[i].begun);
        if (!old && !new)
            test_fail(__FILE__, __LINE__, "slot %u holds %zu bytes; acknowledged %u, begun %u", i,
                      n, slots[i].acked, slots[i].begun);
        tell(out, 'F', i, new ? slots[i].begun : slots[i].acked);
    }
    disk_close(&s.d);
    CHECK_OK(store_check(dir, &o, &r, &s.e), &s.e);
    for (int i = 0; i < STORE_FAULT_KINDS; i++)
        CHECK_EQ(r.faults[i], 0);
}

/* ---- rounds */

static unsigned listen_to(int in, struct slot *slots, unsigned until)
{
    struct line l;
    unsigned acks = 0;

    while (acks < until && read(in, &l, sizeof l) == sizeof l) {
        CHECK(l.slot < SLOTS);
        if (l.what == 'B')
            slots[l.slot].begun = l.value;
        else
            slots[l.slot].acked = l.value;
        if (l.what == 'F')
            slots[l.slot].begun = l.value;
        acks += l.what == 'A';
    }
    return acks;
}

static unsigned one_round(const char *dir, struct slot *slots, uint64_t *rng, bool cut)
{
    uint64_t seed = splitmix64(rng);
    unsigned acks = 0;
    int io[2], status;
    pid_t pid;

    alarm(ROUND_S); /* the harness's watchdog is for one test, and this is one of many rounds */
    CHECK(!pipe(io));
    pid = fork();
    if (!pid) {
        close(io[0]);
        child_work(dir, io[1], slots, seed, cut);
    }
    close(io[1]);
    if (!cut) {
        acks = listen_to(io[0], slots, 1 + (unsigned)(seed % MANY_OPS));
        if (seed >> 20 & 1) /* not always right behind an acknowledgement */
            os_sleep_ms((int64_t)(seed >> 32) % 8);
        kill(pid, SIGKILL);
    }
    acks += listen_to(io[0], slots, UINT32_MAX);
    close(io[0]);
    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK(cut ? WIFEXITED(status) && WEXITSTATUS(status) == 9
              : WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    CHECK(!pipe(io));
    pid = fork();
    if (!pid) {
        close(io[0]);
        child_check(dir, io[1], slots);
        fflush(stdout);
        _exit(0);
    }
    close(io[1]);
    (void)listen_to(io[0], slots, UINT32_MAX);
    close(io[0]);
    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    return acks;
}

static void rounds(bool cut)
{
    int few = cut ? CUTS_FEW : KILLS_FEW, many = cut ? CUTS_MANY : KILLS_MANY;
    int n = getenv("CHECK_ALL") ? many : few;
    struct slot slots[SLOTS] = {0};
    const char *given = getenv("POWER_SEED");
    uint64_t rng = given ? strtoull(given, NULL, 10) : (uint64_t)os_now_ms();
    unsigned acks = 0;
    char dir[600];

    snprintf(dir, sizeof dir, "%s/store", test_dir());
    printf("seed %llu\n", (unsigned long long)rng);
    fflush(stdout);
    for (int i = 0; i < n; i++)
        acks += one_round(dir, slots, &rng, cut);
    printf("%d %s, %u acknowledged changes\n", n, cut ? "power cuts" : "kills", acks);
    CHECK(acks >= (unsigned)n / 2);
}

TEST(what_was_acknowledged_survives_kill_9_under_mixed_load)
{
    rounds(false);
}

TEST(what_was_acknowledged_survives_the_loss_of_all_that_was_not_synced)
{
    rounds(true);
}
