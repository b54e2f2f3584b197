/* place.c - reading and writing at a place of a file, and what goes with it: space, length, locks.
 * Every call restarts after a signal and goes on after a short transfer. */
#include "os/os.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum rc os_pread_full(int fd, void *p, size_t n, uint64_t at, struct err *e)
{
    char *to = p;
    size_t done = 0;

    while (done < n) {
        ssize_t got = os_sys.pread(fd, to + done, n - done, (off_t)(at + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_errno(e, errno, "cannot read");
        if (!got)
            return err_set(e, RC_CORRUPT, "the file ends after %zu of %zu bytes", done, n);
        done += (size_t)got;
    }
    return RC_OK;
}

enum rc os_pwrite_all(int fd, const void *p, size_t n, uint64_t at, struct err *e)
{
    const char *from = p;

    while (n) {
        ssize_t put = os_sys.pwrite(fd, from, n, (off_t)at);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return err_errno(e, errno, "cannot write");
        if (!put)
            return err_set(e, RC_IO, "cannot write: the system took no byte");
        from += put;
        at += (uint64_t)put;
        n -= (size_t)put;
    }
    return RC_OK;
}

enum rc os_fdatasync(int fd, struct err *e)
{
    int failed;

    do
        failed = os_sys.fdatasync(fd);
    while (failed && errno == EINTR);
    return failed ? err_errno(e, errno, "cannot make the data durable (fdatasync)") : RC_OK;
}

enum rc os_truncate(int fd, uint64_t bytes, struct err *e)
{
    int failed;

    do
        failed = os_sys.ftruncate(fd, (off_t)bytes);
    while (failed && errno == EINTR);
    return failed ? err_errno(e, errno, "cannot set the file's length") : RC_OK;
}

enum rc os_reserve(int fd, uint64_t bytes, struct err *e)
{
    int failed;

    do
        failed = os_sys.fallocate(fd, 0, 0, (off_t)bytes);
    while (failed && errno == EINTR);
    if (failed && (errno == EOPNOTSUPP || errno == ENOSYS))
        return os_truncate(fd, bytes, e);
    return failed ? err_errno(e, errno, "cannot reserve space on the disk") : RC_OK;
}

enum rc os_fd_size(int fd, uint64_t *ret, struct err *e)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return err_errno(e, errno, "cannot ask for the file's size");
    *ret = (uint64_t)st.st_size;
    return RC_OK;
}

bool os_try_lock(int fd, enum os_lock kind)
{
    int how = kind == OS_LOCK_SHARED ? LOCK_SH : kind == OS_LOCK_EXCLUSIVE ? LOCK_EX : LOCK_UN;

    return flock(fd, how | LOCK_NB) == 0;
}
