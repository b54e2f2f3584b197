/* store.c - what the embedded object store does here, beside what the disk's fsync allows.
 *
 *     build/bench/store [--dir DIR] [--seconds 3] [--stream-mb 1024]
 *
 * The store runs in a process of its own over DIR (default: a new folder in the working directory,
 * for /tmp may be memory), so that its peak memory is its own; the writers are threads of this one.
 * The client and the store share the machine's cores.
 */
#include "store/store.h"
#include "base/mem.h"
#include "os/os.h"
#include "s3/s3.h"
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WRITERS_MAX = 32, FSYNCS = 300, KEYS_MIN = 20 };

static struct {
    char dir[800], endpoint[64];
    double seconds;
    uint64_t stream_bytes;
    struct s3 *s3;
    pid_t server;
} b = {.seconds = 3, .stream_bytes = UINT64_C(1) << 30};

static void must(enum rc rc, const struct err *e)
{
    if (!rc)
        return;
    fprintf(stderr, "store bench: %s\n", e->text);
    if (b.server)
        kill(b.server, SIGKILL);
    if (b.dir[0] && os_remove_tree(b.dir, NULL))
        fprintf(stderr, "store bench: '%s' is left behind\n", b.dir);
    _exit(1); /* other threads are at work: no destructors */
}

/* ---- the disk alone */

static void time_fsync(void)
{
    char path[900], block[4096] = {0};
    struct err e = {0};
    int64_t begun, plain, made;
    int fd;

    snprintf(path, sizeof path, "%s/fsync", b.dir);
    must(os_open(path, O_CREAT | O_WRONLY, 0600, &fd, &e), &e);
    begun = os_mono_ns();
    for (int i = 0; i < FSYNCS; i++) {
        must(os_write_all(fd, block, sizeof block, &e), &e);
        must(os_fsync(fd, &e), &e);
    }
    plain = os_mono_ns() - begun;
    os_close(fd);
    begun = os_mono_ns();
    for (int i = 0; i < FSYNCS; i++) {
        snprintf(path, sizeof path, "%s/made-%d", b.dir, i);
        must(os_open(path, O_CREAT | O_WRONLY, 0600, &fd, &e), &e);
        must(os_write_all(fd, block, sizeof block, &e), &e);
        must(os_fsync(fd, &e), &e);
        os_close(fd);
        must(os_fsync_dir(b.dir, &e), &e);
    }
    made = os_mono_ns() - begun;
    printf("disk: append 4 KiB + fsync        %7.3f ms  (%6.0f/s)\n", plain / 1e6 / FSYNCS,
           FSYNCS / (plain / 1e9));
    printf("disk: new file + fsync + folder   %7.3f ms  (%6.0f/s)\n", made / 1e6 / FSYNCS,
           FSYNCS / (made / 1e9));
}

static void time_disk_stream(void)
{
    char path[900], *block = mem_zalloc(64 << 10);
    struct err e = {0};
    int64_t begun = os_mono_ns();
    int fd;

    snprintf(path, sizeof path, "%s/stream", b.dir);
    must(os_open(path, O_CREAT | O_WRONLY, 0600, &fd, &e), &e);
    for (uint64_t n = 0; block && n < b.stream_bytes; n += 64 << 10)
        must(os_write_all(fd, block, 64 << 10, &e), &e);
    must(os_fsync(fd, &e), &e);
    os_close(fd);
    printf("disk: write of %.2f GB + fsync          %8.2f GB/s\n", (double)b.stream_bytes / 1e9,
           (double)b.stream_bytes / (double)(os_mono_ns() - begun));
    mem_free(block);
    if (os_sys.unlink(path))
        exit(1);
}

/* ---- the store's process */

static void serve(int out)
{
    struct store_config c = {.listen = "127.0.0.1:0",
                             .access_key = "bench-key",
                             .secret_key = "bench-secret",
                             .region = "us-east-1"};
    char dir[900];
    struct store *s;
    struct err e = {0};
    sigset_t set;
    int port, got;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    snprintf(dir, sizeof dir, "%s/store", b.dir);
    c.dir = dir;
    must(store_open(&s, &c, &e), &e);
    port = store_port(s);
    if (write(out, &port, sizeof port) != sizeof port)
        exit(1);
    sigwait(&set, &got);
    struct store_counts n;
    store_counts(s, &n);
    printf("store: %llu changes in %llu commits (%.2f each)\n", (unsigned long long)n.committed_ops,
           (unsigned long long)n.commits, (double)n.committed_ops / (double)n.commits);
    fflush(stdout);
    store_close(s);
    exit(0);
}

static void start(void)
{
    static struct s3_config c = {.endpoint = b.endpoint,
                                 .region = "us-east-1",
                                 .bucket = "bench",
                                 .access_key = "bench-key",
                                 .secret_key = "bench-secret"};
    struct err e = {0};
    int io[2], port;

    if (pipe(io) || (b.server = fork()) < 0)
        exit(1);
    if (!b.server)
        serve(io[1]);
    if (read(io[0], &port, sizeof port) != sizeof port)
        exit(1);
    snprintf(b.endpoint, sizeof b.endpoint, "http://127.0.0.1:%d", port);
    must(s3_open(&b.s3, &c, &e), &e);
    must(s3_make_bucket(b.s3, &e), &e);
}

static double peak_mb(void)
{
    char path[64];
    struct arena a;
    struct err e;
    str text = STR_NONE, line;
    uint64_t kb = 0;

    snprintf(path, sizeof path, "/proc/%d/status", (int)b.server);
    arena_init(&a, 64 << 10);
    if (!os_read_file(&a, path, 32 << 10, &text, &e))
        while (str_line(&text, &line))
            if (str_starts(line, STR("VmHWM:"))) {
                line = str_trim(str_sub(line, 6, 100));
                (void)str_u64(str_sub(line, 0, line.n - 3), &kb);
            }
    arena_done(&a);
    return (double)kb / 1024;
}

/* Processor seconds of the store so far: what a shared machine does not blur. */
static double cpu_s(void)
{
    char path[64];
    struct arena a;
    struct err e;
    str text = STR_NONE, field;
    uint64_t ticks = 0, v;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)b.server);
    arena_init(&a, 64 << 10);
    if (!os_read_file(&a, path, 32 << 10, &text, &e)) {
        text = str_sub(text, (size_t)str_rchr(text, ')') + 2, text.n);
        for (int i = 3; str_next(&text, ' ', &field); i++) /* proc(5): 14 utime, 15 stime */
            if ((i == 14 || i == 15) && str_u64(field, &v))
                ticks += v;
    }
    arena_done(&a);
    return (double)ticks / (double)sysconf(_SC_CLK_TCK);
}

/* ---- many objects */

struct worker {
    pthread_t thread;
    int id;
    size_t bytes;
    bool get;
    int64_t until;
    uint64_t done;
};

static void *work(void *ud)
{
    struct worker *w = ud;
    char *data = mem_zalloc(w->bytes + 1), key[64];
    struct err e = {0};
    struct buf out;

    buf_init(&out, w->bytes + 1024);
    while (data && (os_mono_ns() < w->until || w->done < KEYS_MIN)) {
        snprintf(key, sizeof key, "o/%zu/%d/%llu", w->bytes, w->id,
                 (unsigned long long)(w->get ? w->done % KEYS_MIN : w->done));
        buf_clear(&out);
        must(w->get ? s3_get(b.s3, key, &out, &e)
                    : s3_put(b.s3, key, (str){data, w->bytes}, NULL, &e),
             &e);
        w->done++;
    }
    buf_done(&out);
    mem_free(data);
    return NULL;
}

static void time_objects(const char *what, size_t bytes, int writers, bool get)
{
    struct worker w[WRITERS_MAX];
    int64_t begun = os_mono_ns();
    double cpu = cpu_s();
    uint64_t done = 0;

    for (int i = 0; i < writers; i++) {
        w[i] = (struct worker){
            .id = i, .bytes = bytes, .get = get, .until = begun + (int64_t)(b.seconds * 1e9)};
        if (pthread_create(&w[i].thread, NULL, work, &w[i]))
            exit(1);
    }
    for (int i = 0; i < writers; i++) {
        pthread_join(w[i].thread, NULL);
        done += w[i].done;
    }
    double s = (double)(os_mono_ns() - begun) / 1e9;
    printf("%s %6zu B, %2d at once  %8.0f/s  %7.1f MB/s  %6.0f us of processor each\n", what, bytes,
           writers, (double)done / s, (double)done * (double)bytes / s / 1e6,
           (cpu_s() - cpu) / (double)done * 1e6);
}

/* ---- one large object */

static uint64_t left;

static enum rc pour(void *ud, void *p, size_t cap, size_t *ret_n, struct err *e)
{
    *ret_n = cap < left ? cap : (size_t)left;
    left -= *ret_n;
    return RC_OK;
}

static enum rc swallow(void *ud, const void *p, size_t n, struct err *e)
{
    left += n;
    return RC_OK;
}

static void time_stream(void)
{
    struct arena a;
    struct err e = {0};
    struct client_reply r;
    struct client_call c = {.method = HTTP_PUT,
                            .source = pour,
                            .source_bytes = (int64_t)b.stream_bytes,
                            .timeout_ms = -1};
    double gb = (double)b.stream_bytes / 1e9, before = peak_mb(), cpu = cpu_s();
    int64_t begun;

    arena_init(&a, 1 << 20);
    must(s3_presign(b.s3, &a, HTTP_PUT, "large", NULL, 3600, &c.url, &e), &e);
    left = b.stream_bytes;
    begun = os_mono_ns();
    must(client_do(&c, &r, &e), &e);
    printf(
        "put  one object of %.2f GB      %8.2f GB/s  (status %d; with its fsync and MD5; %.1f s of "
        "processor)\n",
        gb, gb / ((double)(os_mono_ns() - begun) / 1e9), r.status, cpu_s() - cpu);
    cpu = cpu_s();
    left = 0;
    begun = os_mono_ns();
    must(s3_get_stream(b.s3, "large", swallow, NULL, &e), &e);
    printf("get  one object of %.2f GB      %8.2f GB/s  (%.1f s of processor)\n",
           (double)left / 1e9, gb / ((double)(os_mono_ns() - begun) / 1e9), cpu_s() - cpu);
    printf("store: peak memory %.1f MB before the large object, %.1f MB after\n", before,
           peak_mb());
    arena_done(&a);
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
    int status;

    snprintf(b.dir, sizeof b.dir, "bench-store-%d", (int)getpid());
    for (int i = 1; i < argc; i += 2) {
        if (!strcmp(argv[i], "--dir") && argv[i + 1])
            snprintf(b.dir, sizeof b.dir, "%s/bench-store-%d", argv[i + 1], (int)getpid());
        else if (!strcmp(argv[i], "--seconds"))
            b.seconds = number(argv[i + 1]);
        else if (!strcmp(argv[i], "--stream-mb"))
            b.stream_bytes = (uint64_t)number(argv[i + 1]) << 20;
        else
            number(argv[i]);
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    must(os_mkdirs(b.dir, 0700, &e), &e);
    time_fsync();
    start();
    time_objects("put ", 1000, 1, false);
    time_objects("put ", 1000, 4, false);
    time_objects("put ", 1000, 16, false);
    time_objects("put ", 30000, 4, false);
    time_objects("put ", 100000, 4, false);
    time_objects("get ", 1000, 4, true);
    time_objects("get ", 100000, 4, true);
    time_disk_stream();
    time_stream();
    s3_close(b.s3);
    kill(b.server, SIGTERM);
    waitpid(b.server, &status, 0);
    must(os_remove_tree(b.dir, &e), &e);
    return status ? 1 : 0;
}
