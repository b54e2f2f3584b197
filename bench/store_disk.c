/* store_disk.c - the object store below HTTP: durable puts, gets, reading with verification,
 * start-up.
 *
 *     build/bench/store_disk [--dir DIR] [--seconds 4] [--objects 100000] [--threads 64]
 *
 * DIR must lie on the disk that is meant (default: the working directory).  The disk's own rate of
 * syncs is measured before and after, because a shared disk changes under the run; memory is the
 * peak of this process, which holds the load generator too. */
#include "base/mem.h"
#include "store/test_disk.h"
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS_MAX = 256, SYNCS = 100, FILE_MB = 256 };

static struct {
    struct shelf s;
    char dir[700];
    double seconds;
    long objects;
    int threads;
    atomic_long next;
    int64_t until;
    size_t bytes;
    bool get;
} b = {.seconds = 4, .objects = 100000, .threads = 64};

static void must(enum rc rc, const struct err *e)
{
    if (!rc)
        return;
    fprintf(stderr, "store bench: %s\n", e->text);
    _exit(1);
}

static double since(int64_t begun)
{
    return (double)(os_mono_ns() - begun) / 1e9;
}

static void time_syncs(void)
{
    char path[800], block[4096] = {0};
    struct err e = {0};
    int64_t begun;
    int fd;

    snprintf(path, sizeof path, "%s/sync", b.dir);
    must(os_open(path, O_RDWR | O_CREAT, 0600, &fd, &e), &e);
    must(os_reserve(fd, (uint64_t)SYNCS * sizeof block, &e), &e);
    must(os_fsync(fd, &e), &e);
    begun = os_mono_ns();
    for (uint64_t i = 0; i < SYNCS; i++) {
        must(os_pwrite_all(fd, block, sizeof block, i * sizeof block, &e), &e);
        must(os_fdatasync(fd, &e), &e);
    }
    printf("disk   write of 4 KiB + fdatasync       %8.0f/s\n", SYNCS / since(begun));
    os_close(fd);
    (void)os_sys.unlink(path);
}

static void *work(void *ud)
{
    char *p = mem_zalloc(b.bytes + 1), key[64];
    struct err e = {0};
    size_t n;

    while (p && os_mono_ns() < b.until) {
        long i = atomic_fetch_add(&b.next, 1);
        uint64_t shuffled = (uint64_t)i * 0x9e3779b97f4a7c15u;
        if (b.get) {
            snprintf(key, sizeof key, "o/%08lx", (long)(shuffled >> 32) % b.objects);
            must(shelf_get(&b.s, key, p, b.bytes, &n, &e), &e);
        } else {
            snprintf(key, sizeof key, "p/%zu/%016llx", b.bytes, (unsigned long long)shuffled);
            memcpy(p, &shuffled, sizeof shuffled);
            must(shelf_put(&b.s, key, (str){p, b.bytes}, &e), &e);
        }
    }
    mem_free(p);
    return NULL;
}

static void run(const char *what, size_t bytes, bool get, int threads)
{
    pthread_t t[THREADS_MAX];
    uint64_t commits0, ops0, commits, ops;
    int64_t begun = os_mono_ns(), cpu = os_cpu_ns();
    double s;
    long n;

    b.bytes = bytes;
    b.get = get;
    b.until = begun + (int64_t)(b.seconds * 1e9);
    atomic_store(&b.next, 1);
    committer_counts(b.s.d.committer, &commits0, &ops0);
    for (int i = 0; i < threads; i++)
        if (pthread_create(&t[i], NULL, work, NULL))
            exit(1);
    for (int i = 0; i < threads; i++)
        pthread_join(t[i], NULL);
    s = since(begun);
    n = atomic_load(&b.next) - 1;
    committer_counts(b.s.d.committer, &commits, &ops);
    printf("%s of %6zu B, %3d threads      %8.0f/s  %6.1f us of processor each", what, bytes,
           threads, (double)n / s, (double)(os_cpu_ns() - cpu) / (double)n / 1e3);
    if (!get)
        printf("  %5.1f in a commit, %4.0f commits/s",
               (double)(ops - ops0) / (double)(commits - commits0),
               (double)(commits - commits0) / s);
    printf("\n");
}

/* Many objects fast: whole batches in one transaction. */
static void fill(void)
{
    struct err e = {0};
    int64_t begun = os_mono_ns();
    char key[64], body[1024] = {0};

    for (long i = 0; i < b.objects;) {
        struct segment_end ends[SEGMENTS_AT_ONCE];
        size_t end_n;
        struct tx *tx;
        must(db_begin(b.s.d.db, DB_WRITE, &tx, &e), &e);
        for (int k = 0; k < 20000 && i < b.objects; k++, i++) {
            struct object o = {.bytes = sizeof body, .modified_ms = 1, .etag = "e"};
            struct freed_list freed = {0};
            struct data_new n = {.id = files_new_id(b.s.d.files),
                                 .kind = DATA_PACKED,
                                 .bytes = sizeof body,
                                 .segments = b.s.d.segments};
            o.type = o.meta = STR("");
            memcpy(body, &i, sizeof i);
            snprintf(key, sizeof key, "o/%08lx", i);
            must(segments_append(b.s.d.segments, n.id, (str){body, sizeof body}, &n.place, &e), &e);
            must(index_put(tx, &b.s.bucket, str_of(key), &o, &n, &freed, &e), &e);
        }
        must(segments_sync(b.s.d.segments, ends, &end_n, &e), &e);
        for (size_t k = 0; k < end_n; k++)
            must(data_segment_set(tx, &ends[k], &e), &e);
        must(tx_commit(tx, &e), &e);
        segments_told(b.s.d.segments, ends, end_n);
    }
    printf("fill   %ld objects of 1 KiB in %.1f s\n", b.objects, since(begun));
}

static void start(const char *after)
{
    struct err e = {0};
    int64_t begun = os_mono_ns();

    must(shelf_open(&b.s, b.s.dir, &e), &e);
    printf("start  with %ld objects after %-10s %8.1f ms\n", b.objects, after, since(begun) * 1e3);
}

/* Also after kill -9 in the middle of many puts. */
static void time_start(void)
{
    struct err e = {0};
    pid_t pid;

    disk_close(&b.s.d);
    start("a stop");
    disk_close(&b.s.d);
    pid = fork();
    if (!pid) {
        must(shelf_open(&b.s, b.s.dir, &e), &e);
        b.seconds = 1000;
        run("put   ", 8000, false, b.threads);
    }
    os_sleep_ms(2000);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    start("kill -9");
}

static double read_all(int fd, struct blocks_reader *r, char *p, size_t cap, uint64_t bytes)
{
    int64_t begun = os_cpu_ns(); /* of the processor: others use the machine, too */
    struct err e = {0};
    size_t n = cap;

    for (uint64_t at = 0; at < bytes; at += n) {
        if (r)
            must(blocks_read(r, at, p, cap, &n, &e), &e);
        else
            must(os_pread_full(fd, p, cap, at, &e), &e);
    }
    return (double)bytes / (double)(os_cpu_ns() - begun);
}

/* One file of blocks, in the page cache: what verification costs. */
static void time_reading(void)
{
    uint64_t bytes = (uint64_t)FILE_MB << 20;
    struct blocks_writer w;
    struct blocks_reader r;
    struct err e = {0};
    char path[800], *p = mem_zalloc(128 << 10);
    double best[2] = {0};
    int64_t begun;
    int fd;

    snprintf(path, sizeof path, "%s/blocks", b.dir);
    must(os_open(path, O_RDWR | O_CREAT, 0600, &fd, &e), &e);
    begun = os_mono_ns();
    must(blocks_begin(&w, fd, 1, &e), &e);
    for (uint64_t at = 0; at < bytes; at += 128 << 10)
        must(blocks_add(&w, p, 128 << 10, &e), &e);
    must(blocks_end(&w, &e), &e);
    blocks_done(&w);
    printf("write  %d MB with checksums             %8.2f GB/s (page cache)\n", FILE_MB,
           (double)bytes / 1e9 / since(begun));
    must(blocks_open(&r, fd, 1, bytes, &e), &e);
    for (int i = 0; i < 10; i++) { /* in turn: the machine is noisy */
        double v = read_all(fd, i % 2 ? &r : NULL, p, 128 << 10, bytes);
        best[i % 2] = v > best[i % 2] ? v : best[i % 2];
    }
    printf(
        "read   plain                            %8.2f GB/s of one core (page cache, best of 5)\n",
        best[0]);
    printf("read   verified                         %8.2f GB/s (%.2fx)\n", best[1],
           best[1] / best[0]);
    blocks_close(&r);
    (void)os_sys.unlink(path);
    mem_free(p);
}

static double number(const char *text)
{
    double v;

    if (text && str_f64(str_of(text), &v) && v > 0)
        return v;
    fprintf(stderr, "store bench: '%s' is not a number\n", text ? text : "");
    exit(2);
}

int main(int argc, char **argv)
{
    struct err e = {0};
    struct rusage use;
    char dir[750];

    snprintf(b.dir, sizeof b.dir, "bench-disk-%d", (int)getpid());
    for (int i = 1; i < argc; i += 2) {
        if (!strcmp(argv[i], "--dir") && argv[i + 1])
            snprintf(b.dir, sizeof b.dir, "%s/bench-disk-%d", argv[i + 1], (int)getpid());
        else if (!strcmp(argv[i], "--seconds"))
            b.seconds = number(argv[i + 1]);
        else if (!strcmp(argv[i], "--objects"))
            b.objects = (long)number(argv[i + 1]);
        else if (!strcmp(argv[i], "--threads"))
            b.threads = (int)number(argv[i + 1]);
    }
    if (b.threads > THREADS_MAX)
        b.threads = THREADS_MAX;
    setvbuf(stdout, NULL, _IOLBF, 0);
    must(os_mkdirs(b.dir, 0700, &e), &e);
    snprintf(dir, sizeof dir, "%s/store", b.dir);
    must(shelf_open(&b.s, dir, &e), &e);
    time_syncs();
    run("put   ", 1024, false, b.threads);
    run("put   ", 1024, false, 1);
    run("put   ", 16384, false, b.threads);
    time_syncs();
    fill();
    time_start();
    run("get   ", 1024, true, b.threads);
    run("get   ", 1024, true, 1);
    disk_close(&b.s.d);
    getrusage(RUSAGE_SELF, &use);
    printf("memory peak                             %8.1f MB\n", (double)use.ru_maxrss / 1024);
    time_reading();
    must(os_remove_tree(b.dir, &e), &e);
    return 0;
}
