/* life_test.c - the store over its life: reopening, the sweep, faults of the disk, rude peers, many
 * writers. */
#include "store/keep.c"
#include "store/store.c"

#include "net/test_peer.h"
#include "store/test_store.h"
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>

static void reopen(struct rig *g)
{
    rig_down(g);
    rig_up(g, g->dir);
}

static void wait_for_sweep(struct rig *g, uint64_t files)
{
    struct store_counts n = {0};

    for (int i = 0; i < 800 && n.swept_files < files; i++) {
        store_counts(g->s, &n);
        os_sleep_ms(5);
    }
    CHECK_EQ(n.swept_files, files);
}

TEST(a_store_opened_again_has_everything_and_one_process_at_a_time)
{
    struct rig g;
    struct store *second;
    struct store_config conf = {.listen = "127.0.0.1:0",
                                .access_key = TEST_ACCESS,
                                .secret_key = TEST_SECRET,
                                .region = "us-east-1"};
    char *p = rig_bytes(5, 100000);

    rig_open(&g);
    conf.dir = g.dir;
    CHECK_OK(s3_put(g.c, "inline", STR("v"), NULL, &g.e), &g.e);
    CHECK_OK(s3_put(g.c, "file", (str){p, 100000}, NULL, &g.e), &g.e);
    CHECK_EQ(store_open(&second, &conf, &g.e), RC_CONFLICT);
    reopen(&g);
    buf_clear(&g.body);
    CHECK_OK(s3_get(g.c, "inline", &g.body, &g.e), &g.e);
    CHECK_STR(buf_view(&g.body), "v");
    buf_clear(&g.body);
    CHECK_OK(s3_get(g.c, "file", &g.body, &g.e), &g.e);
    CHECK(g.body.n == 100000 && !memcmp(g.body.p, p, 100000));
    mem_free(p);
    rig_close(&g);
}

TEST(settings_that_cannot_be_are_refused_by_name)
{
    struct store_config good = {.dir = "/nonexistent",
                                .listen = "127.0.0.1:0",
                                .access_key = "a",
                                .secret_key = "12345678",
                                .region = "r"};
    struct store_config c;
    struct store *s;
    char dir[512];
    struct err e;

    c = good, c.dir = "";
    CHECK_EQ(store_open(&s, &c, &e), RC_INVALID);
    CHECK_STR(str_of(e.field), "dir");
    c = good, c.secret_key = "1234567";
    CHECK_EQ(store_open(&s, &c, &e), RC_INVALID);
    CHECK_STR(str_of(e.field), "secret_key");
    snprintf(dir, sizeof dir, "%s/empty", test_dir());
    c = good, c.access_key = NULL, c.dir = dir;
    CHECK_EQ(store_open(&s, &c, &e), RC_INVALID);
    CHECK_STR(str_of(e.field), "access_key");
    c = good, c.region = "";
    CHECK_EQ(store_open(&s, &c, &e), RC_INVALID);
    c = good, c.dir = dir, c.listen = "nonsense";
    CHECK_EQ(store_open(&s, &c, &e), RC_INVALID);
    CHECK(mem_live_bytes() < 1 << 20);
}

TEST(a_start_removes_what_a_crash_left_and_nothing_else)
{
    struct rig g;
    char path[1024];
    char *p = rig_bytes(5, 300000);
    int fd;

    rig_open(&g);
    CHECK_OK(s3_put(g.c, "file", (str){p, 300000}, NULL, &g.e), &g.e);
    CHECK_EQ(rig_files(&g), 1);
    CHECK_OK(files_create(g.s->files, files_new_id(g.s->files), &fd, &g.e),
             &g.e); /* then a crash */
    os_close(fd);
    snprintf(path, sizeof path, "%s/incoming/README", g.dir);
    CHECK_OK(os_write_file_durable(path, STR("not ours"), 0600, &g.e), &g.e);
    CHECK_EQ(rig_files(&g), 3);
    reopen(&g);
    wait_for_sweep(&g, 1);
    CHECK_EQ(rig_files(&g), 2);
    buf_clear(&g.body);
    CHECK_OK(s3_get(g.c, "file", &g.body, &g.e), &g.e);
    CHECK(g.body.n == 300000 && !memcmp(g.body.p, p, 300000));
    mem_free(p);
    rig_close(&g);
}

TEST(an_upload_that_nobody_finishes_is_aborted_in_time)
{
    struct rig g;
    struct s3_upload *u;
    struct store_usage use;
    char *p = rig_bytes(5, S3_PART_BYTES);

    rig_open(&g);
    CHECK_OK(s3_upload_open(&u, g.c, "k", NULL, &g.e), &g.e);
    CHECK_OK(s3_upload_write(u, p, S3_PART_BYTES, &g.e), &g.e);
    CHECK_EQ(rig_files(&g), 1);
    struct event *stop = event_new();
    CHECK(stop);
    expire_uploads(g.s, stop, os_now_ms() - 3600 * 1000); /* too young */
    CHECK_EQ(rig_files(&g), 1);
    expire_uploads(g.s, stop, os_now_ms() + 1000);
    event_free(stop);
    CHECK_EQ(rig_files(&g), 0);
    CHECK_OK(store_usage(g.s, &use, &g.e), &g.e);
    CHECK_EQ(use.uploads, 0);
    CHECK(s3_upload_write(u, p, S3_PART_BYTES, &g.e) == RC_NOT_FOUND);
    s3_upload_free(u);
    mem_free(p);
    rig_close(&g);
}

/* ---- faults of the disk */

static struct os_sys real;
static atomic_int fail_after; /* calls that still succeed; < 0: all do */
static atomic_int seen;

static bool now_fails(void)
{
    atomic_fetch_add(&seen, 1);
    return atomic_load(&fail_after) >= 0 && atomic_fetch_sub(&fail_after, 1) <= 0;
}

static int failing_fsync(int fd)
{
    if (now_fails()) {
        atomic_store(&fail_after, 0);
        errno = EIO;
        return -1;
    }
    return real.fsync(fd);
}

static ssize_t failing_write(int fd, const void *p, size_t n)
{
    if (now_fails()) {
        atomic_store(&fail_after, 0);
        errno = ENOSPC;
        return -1;
    }
    return real.write(fd, p, n > 1000 ? 1000 : n); /* short, too */
}

static int failing_open(const char *path, int flags, mode_t mode)
{
    if (strstr(path, "/incoming/") && now_fails()) {
        atomic_store(&fail_after, 0);
        errno = EMFILE;
        return -1;
    }
    return real.open(path, flags, mode);
}

static int failing_unlink(const char *path)
{
    errno = EIO;
    return -1;
}

/* A put of a file's size under a fault: the status; the old object must be whole after it. */
static int put_under_fault(struct rig *g, char *p)
{
    const char *url;
    struct client_call c = {.method = HTTP_PUT, .body = {p, 300000}, .reply = &g->body};
    int status;

    CHECK_OK(s3_presign(g->c, &g->a, HTTP_PUT, "k", NULL, 60, &url, &g->e), &g->e);
    c.url = url;
    buf_clear(&g->body);
    CHECK_OK(client_do(&c, &g->reply, &g->e), &g->e);
    status = g->reply.status;
    os_sys = real;
    if (status != 200) {
        struct buf old;
        CHECK_EQ(rig_files(g), 0); /* nothing half-written stays */
        buf_init(&old, 1000);
        CHECK_OK(s3_get(g->c, "k", &old, &g->e), &g->e);
        CHECK_STR(buf_view(&old), "old");
        buf_done(&old);
    }
    return status;
}

TEST(a_full_or_failing_disk_is_an_error_and_leaves_the_old_object)
{
    struct rig g;
    char *p = rig_bytes(5, 300000);

    rig_open(&g);
    real = os_sys;
    CHECK_OK(s3_put(g.c, "k", STR("old"), NULL, &g.e), &g.e);
    for (int after = 0; after < 300; after += 60) {
        atomic_store(&fail_after, after);
        os_sys.write = failing_write;
        CHECK_EQ(put_under_fault(&g, p), 507);
        CHECK(rig_says(&g, "<Code>InsufficientStorage</Code>"));
    }
    for (int after = 0; after < 2; after++) { /* the file's fsync, then its folder's */
        atomic_store(&fail_after, after);
        os_sys.fsync = failing_fsync;
        CHECK_EQ(put_under_fault(&g, p), 500);
        CHECK(rig_says(&g, "<Code>InternalError</Code>"));
        CHECK(!rig_says(&g, g.dir)); /* the path is for the log */
    }
    atomic_store(&fail_after, 0);
    os_sys.open = failing_open; /* out of descriptors: worth another try */
    CHECK_EQ(put_under_fault(&g, p), 503);
    CHECK(rig_says(&g, "<Code>ServiceUnavailable</Code>"));
    atomic_store(&fail_after, -1);
    os_sys.write = failing_write; /* short writes alone do no harm */
    CHECK_EQ(put_under_fault(&g, p), 200);
    buf_clear(&g.body);
    CHECK_OK(s3_get(g.c, "k", &g.body, &g.e), &g.e);
    CHECK(g.body.n == 300000 && !memcmp(g.body.p, p, 300000));
    mem_free(p);
    rig_close(&g);
}

TEST(a_large_put_is_answered_after_the_file_and_its_folder_are_synced)
{
    struct rig g;
    char *p = rig_bytes(5, 300000);

    rig_open(&g);
    real = os_sys;
    CHECK_OK(s3_put(g.c, "warm", (str){p, 290000}, NULL, &g.e), &g.e);
    atomic_store(&fail_after, -1);
    atomic_store(&seen, 0);
    os_sys.fsync = failing_fsync;
    CHECK_OK(s3_put(g.c, "k", (str){p, 300000}, NULL, &g.e), &g.e);
    os_sys = real;
    CHECK(atomic_load(&seen) >= 2);
    mem_free(p);
    rig_close(&g);
}

TEST(a_file_that_cannot_be_removed_is_removed_at_the_next_start)
{
    struct rig g;
    char *p = rig_bytes(5, 300000);

    rig_open(&g);
    real = os_sys;
    CHECK_OK(s3_put(g.c, "k", (str){p, 300000}, NULL, &g.e), &g.e);
    os_sys.unlink = failing_unlink;
    CHECK_OK(s3_delete(g.c, "k", &g.e), &g.e);
    os_sys = real;
    CHECK_EQ(rig_files(&g), 1);
    reopen(&g);
    wait_for_sweep(&g, 1);
    CHECK_EQ(rig_files(&g), 0);
    mem_free(p);
    rig_close(&g);
}

/* The index's file cannot grow: as on a full disk, but below SQLite. */
TEST(a_failing_index_is_an_error_and_the_store_goes_on_after_it)
{
    struct rig g;
    struct rlimit before, small = {4096, 4096};
    char *p = rig_bytes(5, 60000);
    int failed = 0;

    rig_open(&g);
    CHECK_OK(s3_put(g.c, "k", STR("old"), NULL, &g.e), &g.e);
    signal(SIGXFSZ, SIG_IGN);
    CHECK(!getrlimit(RLIMIT_FSIZE, &before));
    small.rlim_max = before.rlim_max;
    CHECK(!setrlimit(RLIMIT_FSIZE, &small));
    for (int i = 0; i < 3; i++)
        failed += rig_call(&g, HTTP_PUT, "k", NULL, NULL, (str){p, 60000}) >= 500;
    CHECK(!setrlimit(RLIMIT_FSIZE, &before));
    CHECK_EQ(failed, 3);
    buf_clear(&g.body);
    CHECK_OK(s3_get(g.c, "k", &g.body, &g.e), &g.e);
    CHECK_STR(buf_view(&g.body), "old");
    CHECK_OK(s3_put(g.c, "k", (str){p, 60000}, NULL, &g.e), &g.e);
    reopen(&g);
    buf_clear(&g.body);
    CHECK_OK(s3_get(g.c, "k", &g.body, &g.e), &g.e);
    CHECK(g.body.n == 60000 && !memcmp(g.body.p, p, 60000));
    mem_free(p);
    rig_close(&g);
}

TEST(a_data_file_that_is_missing_is_an_error_not_an_empty_object)
{
    struct rig g;
    char path[1100];
    char *p = rig_bytes(5, 300000);

    rig_open(&g);
    CHECK_OK(s3_put(g.c, "k", (str){p, 300000}, NULL, &g.e), &g.e);
    snprintf(path, sizeof path, "%s/objects", g.dir);
    CHECK_OK(os_remove_tree(path, &g.e), &g.e);
    CHECK_EQ(rig_call(&g, HTTP_GET, "k", NULL, NULL, STR("")), 500);
    CHECK(rig_says(&g, "<Code>InternalError</Code>"));
    mem_free(p);
    rig_close(&g);
}

static enum rc flip_in(void *ud, const char *name, bool is_dir, struct err *e)
{
    const char *dir = ud;
    char path[1200], byte;
    uint64_t size;
    int fd = -1;

    snprintf(path, sizeof path, "%s/%s", dir, name);
    if (is_dir)
        return os_list_dir(path, flip_in, path, e);
    CHECK_OK(os_open(path, O_RDWR, 0, &fd, e), e);
    CHECK_OK(os_fd_size(fd, &size, e), e);
    CHECK_OK(os_pread_full(fd, &byte, 1, 700000, e), e);
    byte ^= 32;
    CHECK_OK(os_pwrite_all(fd, &byte, 1, 700000, e), e);
    os_close(fd);
    return RC_OK;
}

TEST(a_flipped_bit_cuts_the_reply_and_no_wrong_byte_is_sent)
{
    struct rig g;
    struct store_counts n;
    struct client_call c = {.method = HTTP_GET, .reply = &g.body};
    char path[1100];
    char *p = rig_bytes(5, 1 << 20);
    enum rc rc;

    rig_open(&g);
    c.reply = &g.body;
    CHECK_OK(s3_put(g.c, "k", (str){p, 1 << 20}, NULL, &g.e), &g.e);
    CHECK(rig_files_become(&g, 1));
    snprintf(path, sizeof path, "%s/objects", g.dir);
    CHECK_OK(os_list_dir(path, flip_in, path, &g.e), &g.e);
    CHECK_EQ(rig_call(&g, HTTP_GET, "k", NULL, "Range: bytes=0-600000", STR("")), 206);
    CHECK(g.body.n == 600001 && !memcmp(g.body.p, p, g.body.n));
    CHECK_EQ(rig_call(&g, HTTP_GET, "k", NULL, "Range: bytes=700000-700001", STR("")), 500);
    CHECK_OK(s3_presign(g.c, &g.a, HTTP_GET, "k", NULL, 60, &c.url, &g.e), &g.e);
    buf_clear(&g.body);
    rc = client_do(&c, &g.reply, &g.e);
    CHECK(rc != RC_OK && g.body.n < 1 << 20 && !memcmp(g.body.p, p, g.body.n));
    store_counts(g.s, &n);
    CHECK_EQ(n.damaged_reads, 2);
    CHECK_OK(s3_put(g.c, "k", (str){p, 1 << 20}, NULL, &g.e), &g.e); /* is not shared */
    buf_clear(&g.body);
    CHECK_OK(s3_get(g.c, "k", &g.body, &g.e), &g.e);
    CHECK(g.body.n == 1 << 20 && !memcmp(g.body.p, p, g.body.n));
    mem_free(p);
    rig_close(&g);
}

/* ---- peers */

TEST(an_upload_cut_short_leaves_nothing)
{
    struct rig g;
    const char *url;
    struct peer k;
    char *p = rig_bytes(5, 200000);
    char head[4096];

    rig_open(&g);
    CHECK_OK(s3_presign(g.c, &g.a, HTTP_PUT, "k", NULL, 60, &url, &g.e), &g.e);
    for (int i = 0; i < 2; i++) {
        peer_open(&k, store_port(g.s));
        snprintf(head, sizeof head, "PUT %s HTTP/1.1\r\nHost: %s\r\nContent-Length: 400000\r\n\r\n",
                 url + strlen(g.endpoint), g.endpoint + 7);
        CHECK(peer_puts(&k, head));
        CHECK(peer_send(&k, p, i ? 200000 : 100));
        EVENTUALLY(rig_files(&g) == 1); /* on its way to a file */
        peer_vanish(&k);
        EVENTUALLY(rig_files(&g) == 0);
    }
    CHECK_EQ(s3_get(g.c, "k", &g.body, &g.e), RC_NOT_FOUND);
    mem_free(p);
    rig_close(&g);
}

TEST(an_object_above_the_limit_is_refused_with_and_without_a_length)
{
    struct rig g;
    struct store_config conf = {.listen = "127.0.0.1:0",
                                .access_key = TEST_ACCESS,
                                .secret_key = TEST_SECRET,
                                .region = "us-east-1",
                                .object_bytes_max = 300000};
    char *p = rig_bytes(5, 400000);
    const char *url;
    struct peer k;
    char head[4096];

    rig_open(&g);
    rig_down(&g);
    conf.dir = g.dir;
    CHECK_OK(store_open(&g.s, &conf, &g.e), &g.e);
    snprintf(g.endpoint, sizeof g.endpoint, "http://127.0.0.1:%d", store_port(g.s));
    struct s3_config s3 = {g.endpoint, "us-east-1", "tests", TEST_ACCESS, TEST_SECRET};
    CHECK_OK(s3_open(&g.c, &s3, &g.e), &g.e);
    CHECK_EQ(rig_call(&g, HTTP_PUT, "k", NULL, NULL, (str){p, 300000}), 200);
    CHECK_EQ(rig_call(&g, HTTP_PUT, "k", NULL, NULL, (str){p, 300001}), 400);
    CHECK(rig_says(&g, "<Code>EntityTooLarge</Code>"));
    CHECK_OK(s3_presign(g.c, &g.a, HTTP_PUT, "k", NULL, 60, &url, &g.e), &g.e);
    peer_open(&k, store_port(g.s));
    snprintf(head, sizeof head,
             "PUT %s HTTP/1.1\r\nHost: %s\r\nTransfer-Encoding: chunked\r\n\r\n61a80\r\n",
             url + strlen(g.endpoint), g.endpoint + 7);
    CHECK(peer_puts(&k, head));
    CHECK(peer_send(&k, p, 0x61a80));
    CHECK(peer_puts(&k, "\r\n0\r\n\r\n"));
    CHECK_EQ(peer_reply(&k, 5000).status, 400);
    peer_close(&k);
    CHECK_EQ(rig_files(&g), 1); /* of the first put */
    mem_free(p);
    rig_close(&g);
}

/* ---- many writers */

enum { WRITERS = 6, ROUNDS = 25 };
struct writer {
    struct rig *g;
    int id;
    pthread_t thread;
};

static size_t size_of(uint64_t seed)
{
    return 16 + (size_t)(seed * 7919 % (2 * PACK_BYTES_MAX));
}

static void *write_same_key(void *ud)
{
    struct writer *w = ud;
    struct err e;

    for (int i = 0; i < ROUNDS; i++) {
        uint64_t seed = (uint64_t)(w->id * 1000 + i);
        char *p = rig_bytes(seed, size_of(seed));
        memcpy(p, &seed, 8);
        CHECK_OK(s3_put(w->g->c, "same", (str){p, size_of(seed)}, NULL, &e), &e);
        mem_free(p);
    }
    return NULL;
}

TEST(puts_of_one_key_at_once_leave_one_of_them_whole)
{
    struct rig g;
    struct writer w[WRITERS];
    struct store_counts n;
    struct store_usage use;
    uint64_t seed;

    rig_open(&g);
    CHECK_OK(s3_put(g.c, "same", STR("0123456789abcdef"), NULL, &g.e), &g.e);
    for (int i = 0; i < WRITERS; i++) {
        w[i] = (struct writer){.g = &g, .id = i};
        CHECK(!pthread_create(&w[i].thread, NULL, write_same_key, &w[i]));
    }
    for (int i = 0; i < 40; i++) { /* readers meanwhile see whole objects */
        char *p;
        buf_clear(&g.body);
        CHECK_OK(s3_get(g.c, "same", &g.body, &g.e), &g.e);
        memcpy(&seed, g.body.p, 8);
        if (!memcmp(g.body.p, "0123456789abcdef", 16))
            continue;
        CHECK_EQ(g.body.n, size_of(seed));
        p = rig_bytes(seed, g.body.n);
        CHECK(!memcmp(p + 8, g.body.p + 8, g.body.n - 8));
        mem_free(p);
    }
    for (int i = 0; i < WRITERS; i++)
        pthread_join(w[i].thread, NULL);
    buf_clear(&g.body);
    CHECK_OK(s3_get(g.c, "same", &g.body, &g.e), &g.e);
    CHECK(rig_files_become(&g, g.body.n > PACK_BYTES_MAX));
    CHECK_OK(store_usage(g.s, &use, &g.e), &g.e);
    CHECK_EQ(use.objects, 1);
    store_counts(g.s, &n);
    CHECK(n.committed_ops >= WRITERS * ROUNDS && n.commits <= n.committed_ops);
    rig_close(&g);
}

/* ---- memory */

struct flow {
    uint64_t left, peak; /* bytes to come; most heap seen meanwhile */
};

static void look(struct flow *f)
{
    if (mem_live_bytes() > f->peak)
        f->peak = mem_live_bytes();
}

static enum rc pour(void *ud, void *p, size_t cap, size_t *ret_n, struct err *e)
{
    struct flow *f = ud;
    size_t n = cap < f->left ? cap : (size_t)f->left;

    memset(p, 'm', n);
    f->left -= n;
    *ret_n = n;
    look(f);
    return RC_OK;
}

static enum rc swallow(void *ud, const void *p, size_t n, struct err *e)
{
    struct flow *f = ud;

    f->left += n;
    look(f);
    return RC_OK;
}

TEST(two_hundred_megabytes_go_through_in_constant_memory)
{
    enum { BYTES = 200 << 20 };
    struct rig g;
    struct flow f = {.left = BYTES};
    struct client_call c = {.method = HTTP_PUT,
                            .source = pour,
                            .source_ud = &f,
                            .source_bytes = BYTES,
                            .timeout_ms = -1};
    uint64_t before;

    rig_open(&g);
    before = mem_live_bytes();
    CHECK_OK(s3_presign(g.c, &g.a, HTTP_PUT, "k", NULL, 60, &c.url, &g.e), &g.e);
    CHECK_OK(client_do(&c, &g.reply, &g.e), &g.e);
    CHECK_EQ(g.reply.status, 200);
    CHECK_OK(s3_get_stream(g.c, "k", swallow, &f, &g.e), &g.e);
    CHECK_EQ(f.left, BYTES);
    CHECK(f.peak < before + (2 << 20));
    CHECK(os_rss_bytes() <
          200 << 20); /* AddressSanitizer's own is in it; bench/store has the rest */
    rig_close(&g);
}

/* The failure strikes the client, the server or the index, in whichever thread comes to it: no call
 * may crash, hang, leak, or leave half an object. */
TEST(any_allocation_may_fail_and_the_object_stays_whole)
{
    char *p = rig_bytes(5, 300000);
    int failures = 0;
    struct rig g;

    rig_open(&g);
    CHECK_OK(s3_put(g.c, "k", (str){p, 1000}, NULL, &g.e), &g.e);
    for (long n = 0; n < 120; n++) {
        size_t size = n % 2 ? 300000 : 1000;
        enum rc rc;
        mem_fail_at(n);
        rc = s3_put(g.c, "k", (str){p, size}, NULL, &g.e);
        if (!rc) {
            buf_clear(&g.body);
            rc = s3_get(g.c, "k", &g.body, &g.e);
        }
        (void)mem_fail_disarm();
        failures += rc != RC_OK;
        buf_clear(&g.body);
        CHECK_OK(s3_get(g.c, "k", &g.body, &g.e), &g.e);
        CHECK(g.body.n == 300000 || g.body.n == 1000);
        CHECK(!memcmp(g.body.p, p, g.body.n));
    }
    printf("%d calls failed\n", failures);
    CHECK_OK(s3_put(g.c, "k", (str){p, 300000}, NULL, &g.e), &g.e);
    CHECK_EQ(rig_files(&g), 1);
    mem_free(p);
    rig_close(&g);
}
