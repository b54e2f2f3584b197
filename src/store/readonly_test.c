/* readonly_test.c - a file system that becomes read-only, as ext4 does after an error: at each
 * write of each operation.  The client gets a 503, or was answered before; what is there stays
 * readable; when the disk takes writes again the store goes on, and nothing acknowledged is lost.
 *
 * The calls of the C library that change files are defined here, in the test's own program, so that
 * the store's table of system calls and the SQLite library both come through them. */
#include "store/store.c"

#include "store/admin.h"
#include "store/test_store.h"
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- the disk */

static struct {
    char dir[512];      /* below it */
    atomic_int left;    /* so many more calls change something; negative: any number */
    atomic_bool ro, at; /* it is read-only; the limit was met */
} disk = {.left = -1};

static bool ours(const char *path)
{
    size_t n = strlen(path);

    return disk.dir[0] && !strncmp(path, disk.dir, strlen(disk.dir)) &&
           !(n > 4 && !strcmp(path + n - 4, "-shm")); /* is mapped, and lives on in memory */
}

/* May a file of the store be changed? */
static bool may(void)
{
    int left = atomic_load(&disk.left);

    if (!atomic_load(&disk.ro) && left >= 0 && atomic_fetch_sub(&disk.left, 1) <= 0) {
        atomic_store(&disk.at, true);
        atomic_store(&disk.ro, true);
    }
    if (!atomic_load(&disk.ro))
        return true;
    errno = EROFS;
    return false;
}

static bool may_fd(int fd)
{
    char link[64], path[700];
    ssize_t n;

    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    n = readlink(link, path, sizeof path - 1);
    path[n > 0 ? n : 0] = 0;
    return !ours(path) || may();
}

ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
    return may_fd(fd) ? syscall(SYS_pwrite64, fd, p, n, at) : -1;
}

ssize_t write(int fd, const void *p, size_t n)
{
    return may_fd(fd) ? syscall(SYS_write, fd, p, n) : -1;
}

int ftruncate(int fd, off_t n)
{
    return may_fd(fd) ? (int)syscall(SYS_ftruncate, fd, n) : -1;
}

int fallocate(int fd, int mode, off_t at, off_t n)
{
    return may_fd(fd) ? (int)syscall(SYS_fallocate, fd, mode, at, n) : -1;
}

int fsync(int fd)
{
    return may_fd(fd) ? (int)syscall(SYS_fsync, fd) : -1;
}

int fdatasync(int fd)
{
    return may_fd(fd) ? (int)syscall(SYS_fdatasync, fd) : -1;
}

int rename(const char *from, const char *to)
{
    return !ours(from) || may() ? (int)syscall(SYS_rename, from, to) : -1;
}

int unlink(const char *path)
{
    return !ours(path) || may() ? (int)syscall(SYS_unlink, path) : -1;
}

int mkdir(const char *path, mode_t mode)
{
    return !ours(path) || may() ? (int)syscall(SYS_mkdir, path, mode) : -1;
}

int open(const char *path, int flags, ...)
{
    va_list ap;
    mode_t mode;
    bool changes;

    va_start(ap, flags);
    mode = flags & O_CREAT ? va_arg(ap, mode_t) : 0;
    va_end(ap);
    changes = (flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC) ||
              ((flags & O_CREAT) && access(path, F_OK));
    if (changes && ours(path) && !may())
        return -1;
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

static void set_disk(int left, bool ro)
{
    atomic_store(&disk.left, left);
    atomic_store(&disk.at, false);
    atomic_store(&disk.ro, ro);
}

/* ---- what is asked of the store */

enum { SMALL = 1000, PACKED = 50000, LARGE = 300000, PART = 5 << 20 };
static char body[PART];

static const char *fill(unsigned round, size_t n)
{
    uint64_t seed = round;

    for (size_t i = 0; i < n; i += 8) {
        uint64_t v = splitmix64(&seed);
        memcpy(body + i, &v, n - i < 8 ? n - i : 8);
    }
    return body;
}

struct ask {
    const char *name;
    enum http_method method;
    const char *key, *query;
    size_t bytes;
    int status;
};
static const struct ask asks[] = {
    {"a small object", HTTP_PUT, "small", NULL, SMALL, 200},
    {"a packed object", HTTP_PUT, "packed", NULL, PACKED, 200},
    {"a large object", HTTP_PUT, "large", NULL, LARGE, 200},
    {"a copy", HTTP_PUT, "copy", "x-amz-copy-source=%2Ftests%2Fkept-large", 0, 200},
    {"tags", HTTP_PUT, "kept-small", "tagging", 0, 200},
    {"a deletion", HTTP_DELETE, "gone", NULL, 0, 204},
    {"an upload", HTTP_POST, "upload", "uploads", 0, 200},
};
#define TAGS "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>"

static int run(struct rig *g, const struct ask *a, unsigned round)
{
    str b = {fill(round, a->bytes), a->bytes};

    if (a->query && !strcmp(a->query, "tagging"))
        b = STR(TAGS);
    return rig_call(g, a->method, a->key, a->query, NULL, b);
}

static void expect(struct rig *g, const char *key, unsigned round, size_t n)
{
    int status = rig_call(g, HTTP_GET, key, NULL, NULL, STR(""));

    if (status != 200)
        test_fail(__FILE__, __LINE__, "GET of '%s' is %d", key, status);
    CHECK_EQ(g->body.n, n);
    CHECK(!memcmp(g->body.p, fill(round, n), n));
}

/* What was there before the disk failed. */
static void expect_kept(struct rig *g)
{
    expect(g, "kept-small", 1, SMALL);
    expect(g, "kept-packed", 2, PACKED);
    expect(g, "kept-large", 3, LARGE);
    CHECK_EQ(rig_call(g, HTTP_HEAD, "kept-packed", NULL, NULL, STR("")), 200);
    CHECK_EQ(rig_signed(g, HTTP_GET, "/tests?list-type=2", NULL, NULL, STR("")), 200);
    CHECK(rig_says(g, "<Key>kept-small</Key>") && rig_says(g, "<Key>kept-large</Key>"));
}

static void start(struct rig *g)
{
    rig_open(g);
    CHECK_OK(s3_put(g->c, "kept-small", (str){fill(1, SMALL), SMALL}, NULL, &g->e), &g->e);
    CHECK_OK(s3_put(g->c, "kept-packed", (str){fill(2, PACKED), PACKED}, NULL, &g->e), &g->e);
    CHECK_OK(s3_put(g->c, "kept-large", (str){fill(3, LARGE), LARGE}, NULL, &g->e), &g->e);
    CHECK_OK(s3_put(g->c, "gone", STR("x"), NULL, &g->e), &g->e);
    snprintf(disk.dir, sizeof disk.dir, "%s", g->dir);
}

static void end(struct rig *g)
{
    struct store_check_options o = {.bytes = true};
    struct store_check_result r;

    rig_down(g);
    CHECK_OK(store_check(g->dir, &o, &r, &g->e), &g->e);
    CHECK_EQ(r.faults[STORE_FAULT_BYTES] + r.faults[STORE_FAULT_MISSING] +
                 r.faults[STORE_FAULT_INDEX],
             0);
    rig_up(g, g->dir);
    expect_kept(g);
    disk.dir[0] = 0;
    rig_close(g);
}

/* The disk becomes read-only at the n-th call that would change it.  False: it was not met. */
static bool fail_at(struct rig *g, const struct ask *a, int n, unsigned round)
{
    int status, again;
    bool met;

    set_disk(n, false);
    status = run(g, a, round);
    met = atomic_load(&disk.at);
    if (status != a->status && status != 503)
        test_fail(__FILE__, __LINE__, "%s, the disk read-only at call %d: %d %.*s", a->name, n,
                  status, STR_F(buf_view(&g->body)));
    if (met) {
        expect_kept(g);
        if (status == 503 && !rig_says(g, "ServiceUnavailable"))
            status = rig_call(g, a->method, a->key, a->query, NULL, STR(TAGS));
        CHECK(status == 503 || status == a->status);
    }
    set_disk(-1, false);
    again = run(g, a, round); /* it takes writes again */
    if (again != a->status)
        test_fail(__FILE__, __LINE__, "%s after the disk came back at call %d: %d %.*s", a->name, n,
                  again, STR_F(buf_view(&g->body)));
    if (a->bytes)
        expect(g, a->key, round, a->bytes);
    return met;
}

TEST(a_disk_that_becomes_read_only_at_any_write_refuses_reads_on_and_recovers)
{
    struct rig g;
    unsigned round = 100;

    start(&g);
    for (size_t i = 0; i < sizeof asks / sizeof *asks; i++) {
        int n = 0;
        while (n < 200 && fail_at(&g, &asks[i], n, ++round))
            n++;
        if (!n)
            test_fail(__FILE__, __LINE__, "%s changes nothing on the disk", asks[i].name);
    }
    end(&g);
}

TEST(a_disk_that_stays_read_only_refuses_each_change_with_a_503)
{
    struct rig g;

    start(&g);
    set_disk(-1, true);
    for (int i = 0; i < 3; i++)
        for (size_t k = 0; k < sizeof asks / sizeof *asks; k++) {
            int status = run(&g, &asks[k], 7);
            if (status != 503 || !rig_says(&g, "<Code>ServiceUnavailable</Code>"))
                test_fail(__FILE__, __LINE__, "%s on a read-only disk: %d %.*s", asks[k].name,
                          status, STR_F(buf_view(&g.body)));
        }
    CHECK_EQ(rig_call(&g, HTTP_GET, "gone", NULL, NULL, STR("")), 200);
    expect_kept(&g);
    set_disk(-1, false);
    for (size_t k = 0; k < sizeof asks / sizeof *asks; k++)
        CHECK_EQ(run(&g, &asks[k], 8), asks[k].status);
    expect(&g, "large", 8, LARGE);
    end(&g);
}

/* Becomes query: an upload of one part. */
static void begin_upload(struct rig *g, unsigned round, char query[64], char xml[256])
{
    char part[96];
    ptrdiff_t at;

    CHECK_EQ(rig_call(g, HTTP_POST, "joined", "uploads", NULL, STR("")), 200);
    at = str_find(buf_view(&g->body), STR("<UploadId>"));
    CHECK(at >= 0);
    snprintf(query, 64, "uploadId=%.16s", g->body.p + at + 10);
    snprintf(part, sizeof part, "%s&partNumber=1", query);
    CHECK_EQ(rig_call(g, HTTP_PUT, "joined", part, NULL, (str){fill(round, LARGE), LARGE}), 200);
    snprintf(xml, 256,
             "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>%s</ETag></Part>"
             "</CompleteMultipartUpload>",
             g->reply.etag);
}

TEST(an_upload_that_cannot_be_finished_can_be_when_the_disk_takes_writes_again)
{
    struct rig g;
    bool met = true;
    char query[64], xml[256];
    int n = 0;

    start(&g);
    for (; met && n < 200; n++) {
        unsigned round = 500 + (unsigned)n;
        int status;
        begin_upload(&g, round, query, xml);
        set_disk(n, false);
        status = rig_call(&g, HTTP_POST, "joined", query, NULL, str_of(xml));
        met = atomic_load(&disk.at);
        CHECK(status == 200 || status == 503);
        if (met)
            expect_kept(&g);
        set_disk(-1, false);
        if (status == 503)
            CHECK_EQ(rig_call(&g, HTTP_POST, "joined", query, NULL, str_of(xml)), 200);
        expect(&g, "joined", round, LARGE);
    }
    CHECK(n > 1);
    end(&g);
}
