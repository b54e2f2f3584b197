/* place_test.c - positioned I/O: short transfers, signals, faults, space, locks. */
#include "os/place.c"

#include "base/test.h"
#include <stdio.h>
#include <string.h>

static struct os_sys real;
static int calls;

static ssize_t short_pread(int fd, void *p, size_t n, off_t at)
{
    if (calls++ % 2) {
        errno = EINTR;
        return -1;
    }
    return real.pread(fd, p, n > 3 ? 3 : n, at);
}

static ssize_t short_pwrite(int fd, const void *p, size_t n, off_t at)
{
    if (calls++ % 2) {
        errno = EINTR;
        return -1;
    }
    return real.pwrite(fd, p, n > 3 ? 3 : n, at);
}

static ssize_t zero_pwrite(int fd, const void *p, size_t n, off_t at)
{
    return 0;
}

static int once_interrupted(int fd)
{
    errno = calls ? EIO : EINTR;
    calls++;
    return -1;
}

static int no_fallocate(int fd, int mode, off_t at, off_t bytes)
{
    errno = EOPNOTSUPP;
    return -1;
}

static int full_fallocate(int fd, int mode, off_t at, off_t bytes)
{
    errno = ENOSPC;
    return -1;
}

static int open_new(const char *name)
{
    char path[600];
    int fd = -1;
    struct err e;

    snprintf(path, sizeof path, "%s/%s", test_dir(), name);
    CHECK_OK(os_open(path, O_RDWR | O_CREAT, 0600, &fd, &e), &e);
    return fd;
}

TEST(transfers_are_whole_or_an_error)
{
    char got[10] = {0};
    struct err e;
    int fd = open_new("x");

    real = os_sys;
    calls = 0;
    os_sys.pwrite = short_pwrite;
    os_sys.pread = short_pread;
    CHECK_OK(os_pwrite_all(fd, "0123456789", 10, 100, &e), &e);
    CHECK_OK(os_pread_full(fd, got, 10, 100, &e), &e);
    CHECK(!memcmp(got, "0123456789", 10));
    CHECK_EQ(os_pread_full(fd, got, 10, 101, &e), RC_CORRUPT);
    os_sys.pwrite = zero_pwrite;
    CHECK_EQ(os_pwrite_all(fd, "x", 1, 0, &e), RC_IO);
    calls = 0;
    os_sys.fdatasync = once_interrupted;
    CHECK_EQ(os_fdatasync(fd, &e), RC_IO);
    CHECK_EQ(calls, 2);
    os_sys = real;
    CHECK_OK(os_fdatasync(fd, &e), &e);
    os_close(fd);
    CHECK_EQ(os_pread_full(fd, got, 1, 0, &e), RC_IO);
}

TEST(space_and_length)
{
    struct err e;
    uint64_t n = 0;
    int fd = open_new("y");

    real = os_sys;
    CHECK_OK(os_reserve(fd, 8192, &e), &e);
    CHECK_OK(os_fd_size(fd, &n, &e), &e);
    CHECK_EQ(n, 8192);
    os_sys.fallocate = no_fallocate;
    CHECK_OK(os_reserve(fd, 9000, &e), &e);
    os_sys.fallocate = full_fallocate;
    CHECK_EQ(os_reserve(fd, 10000, &e), RC_FULL);
    os_sys = real;
    CHECK_OK(os_fd_size(fd, &n, &e), &e);
    CHECK_EQ(n, 9000);
    CHECK_OK(os_truncate(fd, 5, &e), &e);
    CHECK_OK(os_fd_size(fd, &n, &e), &e);
    CHECK_EQ(n, 5);
    os_close(fd);
    CHECK_EQ(os_fd_size(fd, &n, &e), RC_IO);
}

TEST(locks_exclude_and_share)
{
    int a = open_new("z"), b = open_new("z");

    CHECK(os_try_lock(a, OS_LOCK_SHARED));
    CHECK(os_try_lock(b, OS_LOCK_SHARED));
    CHECK(!os_try_lock(a, OS_LOCK_EXCLUSIVE));
    CHECK(os_try_lock(b, OS_LOCK_NONE));
    CHECK(os_try_lock(a, OS_LOCK_EXCLUSIVE));
    CHECK(!os_try_lock(b, OS_LOCK_SHARED));
    CHECK(os_try_lock(a, OS_LOCK_NONE));
    CHECK(os_try_lock(b, OS_LOCK_SHARED));
    os_close(a);
    os_close(b);
}
