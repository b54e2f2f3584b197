/* test_power.h - a power cut, played on a real folder: what was not synced is lost, wholly, partly,
 * or sector by sector.
 *
 * The calls of the C library that change files are defined here, in the test's own program, so that
 * the store and the SQLite library both come through them.  For each write the bytes that were
 * there are kept until the file is synced; for each new, moved or removed name the way back, until
 * its folder is synced.  power_cut() lets every later call fail, takes back a random part of all
 * that, and ends the process. */
#ifndef ANNEAL_STORE_TEST_POWER_H
#define ANNEAL_STORE_TEST_POWER_H

#include "base/hash.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

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
    w = malloc(sizeof *w + n);
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
        free(w);
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
        free(m);
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
    struct power_name *m = calloc(1, sizeof *m);

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

#endif
