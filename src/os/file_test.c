/* file_test.c - files under faults: short writes, signals, a full disk, a failing fsync. */
#include "os/durable.c"
#include "os/file.c"

#include "base/test.h"

#include <signal.h>
#include <sys/wait.h>

static const char *in_dir(const char *name)
{
    static char path[4][700];
    static int at;

    at = (at + 1) % 4;
    snprintf(path[at], sizeof path[0], "%s/%s", test_dir(), name);
    return path[at];
}

static str content(struct arena *a, const char *path)
{
    struct err e = {0};
    str s = STR_NONE;

    CHECK_OK(os_read_file(a, path, 1 << 20, &s, &e), &e);
    return s;
}

static enum rc collect(void *ud, const char *name, bool is_dir, struct err *e)
{
    buf_printf(ud, "%s%s ", name, is_dir ? "/" : "");
    return str_is(str_of(name), "stop") ? err_set(e, RC_CANCELLED, "stopped") : RC_OK;
}

static str names(struct buf *b, const char *path)
{
    struct err e = {0};

    buf_clear(b);
    CHECK_OK(os_list_dir(path, collect, b, &e), &e);
    return buf_view(b);
}

/* ---- faults */

static struct os_sys real;
static int calls;

static ssize_t short_write(int fd, const void *p, size_t n)
{
    if (++calls % 3 == 0) {
        errno = EINTR;
        return -1;
    }
    return real.write(fd, p, n > 3 ? 3 : n);
}

static ssize_t full_write(int fd, const void *p, size_t n)
{
    if (++calls > 1) {
        errno = ENOSPC;
        return -1;
    }
    return real.write(fd, p, n > 5 ? 5 : n);
}

static ssize_t zero_write(int fd, const void *p, size_t n)
{
    return 0;
}

static ssize_t short_read(int fd, void *p, size_t n)
{
    if (++calls % 2 == 0) {
        errno = EINTR;
        return -1;
    }
    return real.read(fd, p, n > 2 ? 2 : n);
}

static ssize_t bad_read(int fd, void *p, size_t n)
{
    errno = EIO;
    return -1;
}

static int full_fsync(int fd)
{
    errno = ENOSPC;
    return -1;
}

static int dir_fsync_fails(int fd)
{
    if (++calls == 2) { /* the file, then its folder */
        errno = EIO;
        return -1;
    }
    return real.fsync(fd);
}

static int bad_rename(const char *from, const char *to)
{
    errno = EACCES;
    return -1;
}

static int bad_close(int fd)
{
    real.close(fd);
    errno = EIO;
    return -1;
}

TEST(a_durable_write_replaces_the_whole_file)
{
    struct arena a;
    struct buf b;
    struct err e = {0};
    struct stat st;

    arena_init(&a, 1 << 20);
    buf_init(&b, 1 << 16);
    CHECK_OK(os_write_file_durable(in_dir("f"), STR("first, and longer"), 0640, &e), &e);
    CHECK_OK(os_write_file_durable(in_dir("f"), STR("second"), 0600, &e), &e);
    CHECK_STR(content(&a, in_dir("f")), "second");
    CHECK(stat(in_dir("f"), &st) == 0 && (st.st_mode & 0777) == 0600);
    CHECK_OK(os_write_file_durable(in_dir("empty"), STR_NONE, 0600, &e), &e);
    CHECK_STR(content(&a, in_dir("empty")), "");
    CHECK_STR(names(&b, test_dir()), "empty f ");
    CHECK_EQ(os_write_file_durable(in_dir("none/f"), STR("x"), 0600, &e), RC_NOT_FOUND);
    buf_done(&b);
    arena_done(&a);
}

TEST(short_and_interrupted_calls_are_carried_on)
{
    struct arena a;
    struct err e = {0};
    str text = STR("a text that does not fit into three bytes");
    char piece[8];
    int fd = -1;

    real = os_sys;
    arena_init(&a, 1 << 20);
    os_sys.write = short_write;
    CHECK_OK(os_write_file_durable(in_dir("f"), text, 0600, &e), &e);
    os_sys.write = real.write;
    os_sys.read = short_read;
    CHECK_STR(content(&a, in_dir("f")), text.p);
    CHECK_OK(os_open(in_dir("f"), O_RDONLY, 0, &fd, &e), &e);
    CHECK_OK(os_read_full(fd, piece, 6, &e), &e);
    CHECK(memcmp(piece, "a text", 6) == 0);
    os_sys = real;
    lseek(fd, -3, SEEK_END);
    CHECK_EQ(os_read_full(fd, piece, 6, &e), RC_CORRUPT);
    CHECK_STR(str_of(e.text), "the data ends after 3 of 6 bytes");
    os_close(fd);
    arena_done(&a);
}

static void write_fails(enum rc want, bool old_stays)
{
    struct arena a;
    struct buf b;
    struct err e = {0};
    struct os_sys broken = os_sys;

    arena_init(&a, 1 << 20);
    buf_init(&b, 1 << 16);
    calls = 0;
    CHECK_EQ(os_write_file_durable(in_dir("f"), STR("the new text"), 0600, &e), want);
    CHECK(str_find(str_of(e.text), str_of(test_dir())) >= 0); /* the message names the path */
    os_sys = real;
    CHECK_STR(content(&a, in_dir("f")), old_stays ? "old" : "the new text");
    CHECK_STR(names(&b, test_dir()), "f "); /* nothing half-made is left */
    CHECK_EQ(broken.unlink == real.unlink, true);
    buf_done(&b);
    arena_done(&a);
}

TEST(a_failed_durable_write_leaves_the_old_file)
{
    struct err e = {0};

    real = os_sys;
    CHECK_OK(os_write_file_durable(in_dir("f"), STR("old"), 0600, &e), &e);
    os_sys.write = full_write;
    write_fails(RC_FULL, true);
    os_sys.write = zero_write;
    write_fails(RC_IO, true);
    os_sys.fsync = full_fsync;
    write_fails(RC_FULL, true);
    os_sys.close = bad_close;
    write_fails(RC_IO, true);
    os_sys.rename = bad_rename;
    write_fails(RC_IO, true);
    os_sys.fsync = dir_fsync_fails; /* the name may be new already: the error still comes out */
    write_fails(RC_IO, false);
}

TEST(reading_a_file_has_limits)
{
    struct arena a, tiny;
    struct err e = {0};
    str s = STR("untouched");

    arena_init(&a, 1 << 20);
    CHECK_OK(os_write_file_durable(in_dir("f"), STR("12345"), 0600, &e), &e);
    CHECK_EQ(os_read_file(&a, in_dir("f"), 4, &s, &e), RC_TOO_LARGE);
    CHECK(str_find(str_of(e.text), STR("has 5 bytes; the limit is 4")) > 0);
    CHECK_EQ(os_read_file(&a, in_dir("none"), 4, &s, &e), RC_NOT_FOUND);
    CHECK_EQ(os_read_file(&a, test_dir(), 4, &s, &e), RC_INVALID);
    arena_init(&tiny, 2);
    CHECK_EQ(os_read_file(&tiny, in_dir("f"), 5, &s, &e), RC_NOMEM);
    arena_done(&tiny);
    CHECK_EQ(os_read_file(&a, "/proc/self/maps", 100, &s, &e), RC_TOO_LARGE); /* size unknown */
    real = os_sys;
    os_sys.read = bad_read;
    CHECK_EQ(os_read_file(&a, in_dir("f"), 5, &s, &e), RC_IO);
    os_sys = real;
    CHECK_STR(s, "untouched");
    CHECK_OK(os_read_file(&a, "/proc/self/status", 100000, &s, &e), &e);
    CHECK(s.n > 100 && str_starts(s, STR("Name:")));
    CHECK_OK(os_read_file(&a, in_dir("f"), 5, &s, &e), &e);
    CHECK_STR(s, "12345");
    arena_done(&a);
}

TEST(rename_moves_between_folders)
{
    struct arena a;
    struct err e = {0};

    arena_init(&a, 1 << 20);
    CHECK_OK(os_mkdirs(in_dir("x/y"), 0700, &e), &e);
    CHECK_OK(os_write_file_durable(in_dir("f"), STR("t"), 0600, &e), &e);
    CHECK_OK(os_rename_durable(in_dir("f"), in_dir("x/y/g"), &e), &e);
    CHECK(!os_exists(in_dir("f")) && os_exists(in_dir("x/y/g")));
    CHECK_EQ(os_rename_durable(in_dir("f"), in_dir("g"), &e), RC_NOT_FOUND);
    char folder[PATH_BYTES_MAX];
    CHECK(folder_of("a/b", folder) && !strcmp(folder, "a"));
    CHECK(folder_of("/b", folder) && !strcmp(folder, "/"));
    CHECK(folder_of("b", folder) && !strcmp(folder, "."));
    arena_done(&a);
}

TEST(folders_are_made_listed_and_removed)
{
    struct buf b;
    struct err e = {0};
    char outside[700];

    buf_init(&b, 1 << 16);
    CHECK_OK(os_mkdirs(in_dir("a/b//c/"), 0700, &e), &e);
    CHECK_OK(os_mkdirs(in_dir("a/b/c"), 0700, &e), &e);
    CHECK_OK(os_mkdirs("/", 0700, &e), &e);
    CHECK_OK(os_write_file_durable(in_dir("a/z"), STR("1"), 0600, &e), &e);
    CHECK_OK(os_write_file_durable(in_dir("a/B"), STR("1"), 0600, &e), &e);
    CHECK_OK(os_write_file_durable(in_dir("keep"), STR("1"), 0600, &e), &e);
    snprintf(outside, sizeof outside, "%s", in_dir("keep"));
    CHECK(symlink(outside, in_dir("a/link")) == 0);
    CHECK_STR(names(&b, in_dir("a")), "B b/ link z ");
    CHECK_EQ(os_mkdirs(in_dir("a/z"), 0700, &e), RC_CONFLICT);
    CHECK(os_mkdirs(in_dir("a/z/q"), 0700, &e) != RC_OK);
    CHECK_EQ(os_mkdirs("", 0700, &e), RC_INVALID);
    CHECK_OK(os_remove_tree(in_dir("a"), &e), &e);
    CHECK(!os_exists(in_dir("a")) && os_exists(outside)); /* links are not followed */
    CHECK_OK(os_remove_tree(in_dir("a"), &e), &e);
    CHECK_OK(os_remove_tree(in_dir("keep"), &e), &e);
    CHECK_EQ(os_list_dir(in_dir("a"), collect, &b, &e), RC_NOT_FOUND);
    CHECK_OK(os_write_file_durable(in_dir("stop"), STR("1"), 0600, &e), &e);
    CHECK_OK(os_write_file_durable(in_dir("then"), STR("1"), 0600, &e), &e);
    buf_clear(&b);
    CHECK_EQ(os_list_dir(test_dir(), collect, &b, &e), RC_CANCELLED);
    CHECK_STR(buf_view(&b), "stop ");
    buf_done(&b);
}

TEST(a_failing_heap_does_not_leak_names)
{
    struct err e = {0};
    bool fired = true;
    struct buf b;

    CHECK_OK(os_mkdirs(in_dir("a"), 0700, &e), &e);
    CHECK_OK(os_mkdirs(in_dir("b"), 0700, &e), &e);
    for (long at = 0; fired; at++) {
        size_t before = mem_live_bytes();
        buf_init(&b, 100);
        mem_fail_at(at);
        enum rc rc = os_list_dir(test_dir(), collect, &b, &e);
        fired = mem_fail_disarm();
        CHECK(rc == RC_OK || rc == RC_NOMEM);
        buf_done(&b);
        CHECK_EQ(mem_live_bytes(), before);
    }
}

TEST(a_lock_names_its_holder)
{
    struct err e = {0};
    char holder[32];
    int fd = -1, ready[2], again = -1, status;
    pid_t pid;
    char c;

    CHECK(pipe(ready) == 0);
    pid = fork();
    if (pid == 0) {
        enum rc rc = os_lock_file(in_dir("lock"), &fd, &e);
        ssize_t n = write(ready[1], rc == RC_OK ? "y" : "n", 1);
        (void)n;
        pause();
        _exit(0);
    }
    CHECK(read(ready[0], &c, 1) == 1 && c == 'y');
    CHECK_EQ(os_lock_file(in_dir("lock"), &fd, &e), RC_CONFLICT);
    CHECK_EQ(fd, -1);
    snprintf(holder, sizeof holder, "process %d", (int)pid);
    CHECK(str_ends(str_of(e.text), str_of(holder)));
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    CHECK_OK(os_lock_file(in_dir("lock"), &fd, &e), &e); /* a dead holder's lock is free */
    CHECK_EQ(os_lock_file(in_dir("lock"), &again, &e), RC_CONFLICT);
    snprintf(holder, sizeof holder, "process %d", (int)getpid());
    CHECK(str_ends(str_of(e.text), str_of(holder)));
    os_close(fd);
    os_close(-1);
}

TEST(sizes_and_free_space_are_told)
{
    struct err e = {0};
    uint64_t n = 0, total = 0;

    CHECK_OK(os_write_file_durable(in_dir("f"), STR("12345"), 0600, &e), &e);
    CHECK_OK(os_file_size(in_dir("f"), &n, &e), &e);
    CHECK_EQ(n, 5);
    CHECK_EQ(os_file_size(in_dir("none"), &n, &e), RC_NOT_FOUND);
    CHECK_OK(os_disk_free(test_dir(), &n, &total, &e), &e);
    CHECK(n <= total && total > 0);
    CHECK_EQ(os_disk_free(in_dir("none"), &n, &total, &e), RC_NOT_FOUND);
}

TEST(permission_tells_the_bits_and_what_is_absent)
{
    char path[600];
    struct err e = {0};
    unsigned mode = 1;
    bool usable = false;

    snprintf(path, sizeof path, "%s/secret", test_dir());
    CHECK_EQ(os_permission(path, &mode, &usable, &e), RC_NOT_FOUND);
    CHECK_EQ(mode, 1);
    CHECK_OK(os_write_file_durable(path, STR("x"), 0640, &e), &e);
    CHECK_EQ(chmod(path, 0640), 0);
    CHECK_OK(os_permission(path, &mode, &usable, &e), &e);
    CHECK_EQ(mode, 0640);
    CHECK(usable);
    CHECK_EQ(chmod(test_dir(), 0750), 0);
    CHECK_OK(os_permission(test_dir(), &mode, &usable, &e), &e);
    CHECK_EQ(mode, 0750);
    CHECK(usable);
}
