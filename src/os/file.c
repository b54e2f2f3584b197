/* file.c - descriptors and plain file operations: every call restarts after a signal, every message
 * names the path. */
#include "os/os.h"

#include "base/vec.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum rc os_open(const char *path, int flags, mode_t mode, int *ret_fd, struct err *e)
{
    int fd;

    do
        fd = os_sys.open(path, flags | O_CLOEXEC, mode);
    while (fd < 0 && errno == EINTR);
    if (fd < 0)
        return err_errno(e, errno, "cannot open '%s'", path);
    *ret_fd = fd;
    return RC_OK;
}

enum rc os_read(int fd, void *p, size_t n, size_t *ret_n, struct err *e)
{
    ssize_t got;

    do
        got = os_sys.read(fd, p, n);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return err_errno(e, errno, "cannot read");
    *ret_n = (size_t)got;
    return RC_OK;
}

enum rc os_read_full(int fd, void *p, size_t n, struct err *e)
{
    size_t done = 0;

    while (done < n) {
        size_t got = 0;
        enum rc rc = os_read(fd, (char *)p + done, n - done, &got, e);
        if (rc)
            return rc;
        if (!got)
            return err_set(e, RC_CORRUPT, "the data ends after %zu of %zu bytes", done, n);
        done += got;
    }
    return RC_OK;
}

enum rc os_write_all(int fd, const void *p, size_t n, struct err *e)
{
    const char *at = p;

    while (n) {
        ssize_t put = os_sys.write(fd, at, n);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return err_errno(e, errno, "cannot write");
        if (put == 0)
            return err_set(e, RC_IO, "cannot write: the system took no byte");
        at += put;
        n -= (size_t)put;
    }
    return RC_OK;
}

enum rc os_fsync(int fd, struct err *e)
{
    int failed;

    do
        failed = os_sys.fsync(fd);
    while (failed && errno == EINTR);
    return failed ? err_errno(e, errno, "cannot make the data durable (fsync)") : RC_OK;
}

void os_close(int fd)
{
    if (fd >= 0)
        (void)os_sys.close(fd); /* Linux frees the descriptor even when it fails */
}

/* A file whose size the system does not tell (/proc, a pipe): read to its end. */
static enum rc read_unsized(struct arena *a, int fd, size_t max_bytes, str *ret, struct err *e)
{
    struct buf b;
    char piece[4096];
    size_t got = 0;
    enum rc rc;

    buf_init(&b, max_bytes);
    do {
        rc = os_read(fd, piece, sizeof piece, &got, e);
        if (!rc)
            buf_add(&b, piece, got);
    } while (!rc && got && !b.rc);
    if (!rc)
        rc = buf_ok(&b, e);
    if (!rc) {
        str s = arena_str(a, buf_view(&b));
        if (s.p)
            *ret = s;
        else
            rc = err_set(e, RC_NOMEM, "out of memory for %zu bytes", b.n);
    }
    buf_done(&b);
    return rc;
}

static enum rc read_sized(struct arena *a, int fd, size_t size, str *ret, struct err *e)
{
    char *p = arena_alloc(a, size + 1);
    size_t n = 0;

    if (!p)
        return err_set(e, RC_NOMEM, "out of memory for %zu bytes", size);
    while (n < size) {
        size_t got = 0;
        enum rc rc = os_read(fd, p + n, size - n, &got, e);
        if (rc)
            return rc;
        if (!got)
            break; /* it became shorter meanwhile */
        n += got;
    }
    *ret = (str){p, n};
    return RC_OK;
}

enum rc os_read_file(struct arena *a, const char *path, size_t max_bytes, str *ret, struct err *e)
{
    struct stat st;
    int fd = -1;
    enum rc rc = os_open(path, O_RDONLY, 0, &fd, e);

    if (rc)
        return rc;
    if (fstat(fd, &st) != 0)
        rc = err_errno(e, errno, "cannot ask for the size of '%s'", path);
    else if (S_ISDIR(st.st_mode))
        rc = err_set(e, RC_INVALID, "'%s' is a folder, not a file", path);
    else if (S_ISREG(st.st_mode) && (uint64_t)st.st_size > max_bytes)
        rc = err_set(e, RC_TOO_LARGE, "'%s' has %lld bytes; the limit is %zu", path,
                     (long long)st.st_size, max_bytes);
    else if (S_ISREG(st.st_mode) && st.st_size > 0)
        rc = err_wrap(e, read_sized(a, fd, (size_t)st.st_size, ret, e), "'%s'", path);
    else
        rc = err_wrap(e, read_unsized(a, fd, max_bytes, ret, e), "'%s'", path);
    os_close(fd);
    return rc;
}

enum rc os_mkdirs(const char *path, mode_t mode, struct err *e)
{
    char part[4096];
    size_t n = strlen(path);
    struct stat st;

    if (!n || n >= sizeof part)
        return err_set(e, RC_INVALID, "the folder's path must have 1 to %zu bytes, not %zu",
                       sizeof part - 1, n);
    memcpy(part, path, n + 1);
    for (size_t i = 1; i <= n; i++) {
        if (part[i] != '/' && part[i] != 0)
            continue;
        part[i] = 0;
        if (os_sys.mkdir(part, mode) != 0 && errno != EEXIST &&
            !(stat(part, &st) == 0 && S_ISDIR(st.st_mode))) /* EROFS, EACCES on what is there */
            return err_errno(e, errno, "cannot make the folder '%s'", part);
        part[i] = path[i];
    }
    if (stat(path, &st) != 0)
        return err_errno(e, errno, "cannot make the folder '%s'", path);
    if (!S_ISDIR(st.st_mode))
        return err_set(e, RC_CONFLICT, "'%s' is there and is no folder", path);
    return RC_OK;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    int failed =
        kind == FTW_DP || kind == FTW_D || kind == FTW_DNR ? rmdir(path) : os_sys.unlink(path);

    return failed && errno != ENOENT ? errno : 0;
}

enum rc os_remove_tree(const char *path, struct err *e)
{
    int why = nftw(path, remove_one, 32, FTW_DEPTH | FTW_PHYS);

    if (why == -1)
        why = errno == ENOENT ? 0 : errno;
    return why ? err_errno(e, why, "cannot remove '%s'", path) : RC_OK;
}

bool os_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

enum rc os_permission(const char *path, unsigned *ret_mode, bool *ret_usable, struct err *e)
{
    struct stat st;
    int want = R_OK | W_OK;

    if (stat(path, &st) != 0)
        return err_errno(e, errno, "cannot look at '%s'", path);
    if (S_ISDIR(st.st_mode))
        want |= X_OK;
    *ret_mode = (unsigned)st.st_mode & 0777;
    *ret_usable = access(path, want) == 0;
    return RC_OK;
}

enum rc os_file_size(const char *path, uint64_t *ret, struct err *e)
{
    struct stat st;

    if (stat(path, &st) != 0)
        return err_errno(e, errno, "cannot ask for the size of '%s'", path);
    *ret = (uint64_t)st.st_size;
    return RC_OK;
}

enum rc os_disk_free(const char *path, uint64_t *ret_free_bytes, uint64_t *ret_total_bytes,
                     struct err *e)
{
    struct statvfs st;

    if (statvfs(path, &st) != 0)
        return err_errno(e, errno, "cannot ask for the free space at '%s'", path);
    *ret_free_bytes = (uint64_t)st.f_bavail * st.f_frsize;
    *ret_total_bytes = (uint64_t)st.f_blocks * st.f_frsize;
    return RC_OK;
}

struct dir_entry {
    char *name;
    bool is_dir;
};

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct dir_entry *)a)->name, ((const struct dir_entry *)b)->name);
}

enum rc os_list_dir(const char *path, os_dir_fn each, void *ud, struct err *e)
{
    VEC(struct dir_entry) all = {0};
    DIR *dir = opendir(path);
    enum rc rc = RC_OK;
    struct dirent *d;

    if (!dir)
        return err_errno(e, errno, "cannot list the folder '%s'", path);
    while (!rc && (errno = 0, d = readdir(dir))) {
        struct dir_entry v = {.is_dir = d->d_type == DT_DIR};
        struct stat st;
        if (!strcmp(d->d_name, ".") || !strcmp(d->d_name, ".."))
            continue;
        if ((d->d_type == DT_UNKNOWN || d->d_type == DT_LNK) &&
            fstatat(dirfd(dir), d->d_name, &st, 0) == 0)
            v.is_dir = S_ISDIR(st.st_mode);
        v.name = mem_strndup(d->d_name, strlen(d->d_name));
        if (!v.name || !VEC_PUSH(&all, v)) {
            mem_free(v.name);
            rc = err_set(e, RC_NOMEM, "out of memory listing the folder '%s'", path);
        }
    }
    if (!rc && errno)
        rc = err_errno(e, errno, "cannot list the folder '%s'", path);
    closedir(dir);
    if (!rc && all.n)
        qsort(all.p, all.n, sizeof *all.p, by_name);
    for (size_t i = 0; !rc && i < all.n; i++)
        rc = each(ud, all.p[i].name, all.p[i].is_dir, e);
    for (size_t i = 0; i < all.n; i++)
        mem_free(all.p[i].name);
    VEC_DONE(&all);
    return rc;
}

enum rc os_lock_file(const char *path, int *ret_fd, struct err *e)
{
    char pid[24] = "";
    int fd = -1, n;
    enum rc rc = os_open(path, O_RDWR | O_CREAT, 0600, &fd, e);

    if (rc)
        return rc;
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK) {
            ssize_t got = os_sys.pread(fd, pid, sizeof pid - 1, 0);
            str who = str_trim((str){pid, got > 0 ? (size_t)got : 0});
            if (!who.n)
                who = STR("(not yet known)");
            rc = err_set(e, RC_CONFLICT, "'%s' is locked by the running process %.*s", path,
                         STR_F(who));
        } else {
            rc = err_errno(e, errno, "cannot lock '%s'", path);
        }
        os_close(fd);
        return rc;
    }
    n = snprintf(pid, sizeof pid, "%d\n", (int)getpid());
    if (ftruncate(fd, 0) != 0)
        rc = err_errno(e, errno, "cannot write '%s'", path);
    if (!rc)
        rc = err_wrap(e, os_write_all(fd, pid, (size_t)n, e), "'%s'", path);
    if (rc)
        os_close(fd);
    else
        *ret_fd = fd;
    return rc;
}
