/* datasets_test.c - an import through its real parts: the embedded store, the ingest process's
 * code, the loader, the database; and the sweep that takes back what nobody refers to. */
#include "api/datasets.c"
#include "base/test.h"
#include "flow/dataset/ingest.h"
#include "flow/dataset/load.h"
#include "flow/dataset/sweep.h"
#include "flow/dataset/testing.h"
#include "net/client.h"
#include "os/os.h"
#include "store/store.h"

#include <pthread.h>
#include <unistd.h>

static struct store *own;
static struct s3 *s3;
static struct db *db;
static struct arena arena;
static struct event *stop_event;
static struct err err;
static char endpoint[64];
static struct s3_config to = {endpoint, "us-east-1", "anneal", "access-key",
                              "secret-key-secret-key"};

static void set_up(void)
{
    char url[300], dir[300];

    client_setup();
    arena_init(&arena, 256 << 20);
    snprintf(url, sizeof url, "sqlite:%s/d.db", test_dir());
    snprintf(dir, sizeof dir, "%s/store", test_dir());
    struct store_config c = {.dir = dir,
                             .listen = "127.0.0.1:0",
                             .access_key = to.access_key,
                             .secret_key = to.secret_key,
                             .region = to.region};
    CHECK_OK(store_open(&own, &c, &err), &err);
    snprintf(endpoint, sizeof endpoint, "http://127.0.0.1:%d", store_port(own));
    CHECK_OK(s3_open(&s3, &to, &err), &err);
    CHECK_OK(s3_make_bucket(s3, &err), &err);
    CHECK_OK(db_open(&db, url, &err), &err);
    CHECK_OK(db_migrate(db, &err), &err);
    CHECK((stop_event = event_new()));
}

static void tear_down(void)
{
    event_free(stop_event);
    db_close(db);
    s3_close(s3);
    store_close(own);
    arena_done(&arena);
    client_cleanup();
}

static void make_archive(struct buf *ret)
{
    struct testing_zip *z = testing_zip_new("zip");
    char path[32];

    for (unsigned i = 0; i < 12; i++) {
        snprintf(path, sizeof path, "%s/%u.png", i % 2 ? "cat" : "dog", i);
        testing_zip_image(z, path, i == 3 ? 300 : 12, 9, i + 1);
    }
    testing_zip_add(z, "cat/broken.png", STR("\x89PNG\r\n\x1a\nbroken"));
    testing_zip_close(z, ret);
}

/* Uploads the archive in parts of `part` bytes and queues its import. */
static struct import queue(const char *name, str archive, size_t part)
{
    struct upload u = {.name = str_of(name), .split = STR("{}"), .bytes = (int64_t)archive.n};
    struct import im, taken;

    CHECK_OK(upload_new(db, &arena, &u, &err), &err);
    for (size_t at = 0, n = 1; at < archive.n; at += part, n++) {
        char key[UPLOAD_KEY_MAX];
        str piece = str_sub(archive, at, part);
        upload_key(u.id, (int64_t)n, key);
        CHECK_OK(s3_put(s3, key, piece, "application/octet-stream", &err), &err);
        CHECK_OK(upload_part_put(db, u.id, (int64_t)n, (int64_t)piece.n, &err), &err);
    }
    CHECK_OK(import_of_upload(db, &arena, u.id, &im, &err), &err);
    CHECK_OK(import_take(db, &arena, &taken, &err), &err);
    CHECK(str_eq(taken.import, im.import));
    return taken;
}

static void write_order(const struct import *im, struct buf *ret)
{
    struct ingest_order o = {.import_id = im->import,
                             .endpoint = str_of(to.endpoint),
                             .region = str_of(to.region),
                             .bucket = str_of(to.bucket),
                             .access_key = str_of(to.access_key),
                             .secret_key = str_of(to.secret_key),
                             .unpacked_bytes_max = 1 << 30,
                             .entries_max = 1000,
                             .threads = 3};
    struct upload_part *parts = NULL;
    struct ingest_part list[64];
    struct jw w;
    size_t n = 0;

    CHECK_OK(split_spec_read(STR("auto"), &o.split, &err), &err);
    CHECK_OK(upload_parts(db, &arena, im->upload, &parts, &n, &err), &err);
    CHECK(n <= 64);
    for (size_t i = 0; i < n; i++) {
        char *key = arena_alloc(&arena, UPLOAD_KEY_MAX);
        upload_key(im->upload, parts[i].n, key);
        list[i] = (struct ingest_part){str_of(key), parts[i].bytes};
    }
    o.parts = (struct objs){list, n};
    buf_init(ret, 1 << 20);
    jw_init(&w, ret);
    field_write(ingest_order_fields, &o, &w);
    buf_putc(ret, '\n');
}

/* Runs the process's code in this one; the last line that it said. */
static const struct json *run_ingest(const struct import *im)
{
    int in[2], out[2];
    struct buf order, said;
    char chunk[4096];
    size_t n = 1;
    const struct json *doc = NULL;
    str rest, line, last = STR_NONE;

    CHECK(pipe(in) == 0 && pipe(out) == 0);
    write_order(im, &order);
    CHECK_OK(os_write_all(in[1], order.p, order.n, &err), &err);
    os_close(in[1]);
    CHECK_OK(ingest_run(in[0], out[1], &err), &err); /* what it says fits into the pipe */
    os_close(in[0]);
    os_close(out[1]);
    buf_init(&said, 1 << 20);
    while (n) {
        CHECK_OK(os_read(out[0], chunk, sizeof chunk, &n, &err), &err);
        buf_add(&said, chunk, n);
    }
    os_close(out[0]);
    for (rest = buf_view(&said); str_line(&rest, &line);)
        last = line;
    last = arena_str(&arena, last);
    CHECK_OK(json_parse(&arena, last, NULL, &doc, &err), &err);
    buf_done(&order);
    buf_done(&said);
    return doc;
}

static enum rc count_key(void *ud, str key, uint64_t bytes, struct err *e)
{
    (void)key, (void)bytes, (void)e;
    ++*(int *)ud;
    return RC_OK;
}

static int objects(const char *prefix)
{
    int n = 0;
    CHECK_OK(s3_list(s3, prefix, count_key, &n, &err), &err);
    return n;
}

TEST(an_import_in_parts_becomes_rows)
{
    struct buf archive;
    struct import_result r = {0};
    struct fault_row *faults = NULL;
    struct dataset_version v;
    struct dataset_image *list = NULL;
    size_t n = 0;

    set_up();
    make_archive(&archive);
    struct import im = queue("pets", buf_view(&archive), archive.n / 7);
    const struct json *done = run_ingest(&im);
    CHECK_STR(json_str(done, "event", STR("")), "done");
    CHECK_EQ(json_int(done, "images", 0), 12);
    CHECK_EQ(objects("blobs/"), 12);
    CHECK_EQ(objects("thumbs/"), 1);
    r.version = json_str(done, "version", STR(""));
    const char *version = arena_cstr(&arena, r.version);
    CHECK_OK(load_report(s3, &arena, arena_cstr(&arena, json_str(done, "report", STR(""))),
                         &r.stats, &faults, &r.kept_n, &err),
             &err);
    CHECK_STR(faults[0].file, "cat/broken.png");
    CHECK_STR(faults[0].code, "corrupt_image");
    CHECK_OK(load_manifest(db, s3, version, STR("folder"), 1, 2, &r.content, &err), &err);
    r.kept = faults;
    CHECK_OK(import_finish(db, &im, &r, &err), &err);
    CHECK_OK(dataset_version_find(db, &arena, im.dataset, STR("1"), &v, &err), &err);
    CHECK_EQ(v.images, 12);
    CHECK_EQ(v.val, 2);
    struct image_query q = {&v, STR(""), STR(""), STR(""), STR(""), 1, -1, 100};
    CHECK_OK(dataset_images(db, &arena, &q, &list, &n, &err), &err);
    CHECK_EQ(n, 6); /* dogs */
    buf_done(&archive);
    tear_down();
}

TEST(the_sweep_removes_what_no_version_has)
{
    struct buf archive;
    struct import_result r = {0};
    int64_t removed = -1;

    set_up();
    make_archive(&archive);
    struct import im = queue("kept", buf_view(&archive), 1 << 20);
    const struct json *done = run_ingest(&im);
    r.version = json_str(done, "version", STR(""));
    CHECK_OK(
        load_manifest(db, s3, arena_cstr(&arena, r.version), STR("folder"), 1, 2, &r.content, &err),
        &err);
    r.stats = STR("{}");
    CHECK_OK(import_finish(db, &im, &r, &err), &err);
    char key[BLOB_KEY_MAX];
    blob_key("00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff", key);
    CHECK_OK(s3_put(s3, key, STR("left over"), "image/png", &err), &err);
    struct import other = queue("running", STR("x"), 1);
    CHECK_OK(sweep_blobs(db, s3, stop_event, &removed, &err), &err);
    CHECK_EQ(removed, 0); /* its pictures may have no rows yet */
    CHECK_EQ(objects("blobs/"), 13);
    CHECK_OK(import_fail(db, &other, STR("x"), STR(""), STR("y"), &err), &err);
    CHECK_OK(sweep_blobs(db, s3, stop_event, &removed, &err), &err);
    CHECK_EQ(removed, 1);
    CHECK_EQ(objects("blobs/"), 12);
    CHECK_EQ(objects("thumbs/"), 1);
    event_set(stop_event);
    CHECK_OK(s3_put(s3, key, STR("left over"), "image/png", &err), &err);
    CHECK_EQ(sweep_blobs(db, s3, stop_event, &removed, &err), RC_CANCELLED);
    buf_done(&archive);
    tear_down();
}

/* An import of the first `n` of ten pictures, all the way to a version. */
static struct import imported(const char *name, unsigned n)
{
    struct testing_zip *z = testing_zip_new("zip");
    struct import_result r = {.stats = STR("{}")};
    struct buf archive;
    char path[32];

    for (unsigned i = 0; i < n; i++) {
        snprintf(path, sizeof path, "%s/%u.png", i % 2 ? "cat" : "dog", i);
        testing_zip_image(z, path, i == 3 ? 300 : 12, 9, i + 1);
    }
    testing_zip_close(z, &archive);
    struct import im = queue(name, buf_view(&archive), 1 << 20);
    r.version = json_str(run_ingest(&im), "version", STR(""));
    CHECK_OK(
        load_manifest(db, s3, arena_cstr(&arena, r.version), STR("folder"), 1, 2, &r.content, &err),
        &err);
    CHECK_OK(import_finish(db, &im, &r, &err), &err);
    buf_done(&archive);
    return im;
}

static void sweep_all(int64_t expect)
{
    int64_t removed = 0, all = 0;
    bool more = true;

    while (more) {
        CHECK_OK(sweep_deleted(db, s3, stop_event, &removed, &more, &err), &err);
        all += removed;
    }
    CHECK_EQ(all, expect);
}

TEST(a_deleted_dataset_gives_its_pictures_back)
{
    int64_t removed = 0;
    bool more = false;

    set_up();
    struct import small = imported("small", 6), large = imported("large", 10),
                  same = imported("same", 10);
    CHECK_EQ(objects("blobs/"), 10);
    sweep_all(0);
    CHECK_OK(dataset_delete(db, large.dataset, &err), &err);
    sweep_all(0); /* "same" has that version too */
    CHECK_OK(dataset_delete(db, same.dataset, &err), &err);
    CHECK_EQ(objects("datasets/"), 2);

    struct import other = queue("running", STR("x"), 1);
    CHECK_OK(sweep_deleted(db, s3, stop_event, &removed, &more, &err), &err);
    CHECK(!removed && !more); /* an import may be about to name the same pictures */
    CHECK_OK(import_fail(db, &other, STR("x"), STR(""), STR("y"), &err), &err);

    event_set(stop_event); /* stopped in between: nothing is forgotten that is still stored */
    CHECK_EQ(sweep_deleted(db, s3, stop_event, &removed, &more, &err), RC_CANCELLED);
    event_clear(stop_event);
    CHECK_EQ(objects("blobs/"), 10);
    sweep_all(4); /* six are in "small" */
    CHECK_EQ(objects("blobs/"), 6);
    CHECK_EQ(objects("thumbs/"), 1);
    CHECK_EQ(objects("datasets/"), 1);

    struct import again = imported("again", 10);
    CHECK_EQ(objects("blobs/"), 10);
    CHECK_OK(dataset_delete(db, small.dataset, &err), &err);
    CHECK_OK(dataset_delete(db, again.dataset, &err), &err);
    sweep_all(10);
    CHECK_EQ(objects("blobs/") + objects("thumbs/") + objects("datasets/"), 0);
    tear_down();
}

TEST(a_refused_archive_stores_nothing)
{
    set_up();
    struct import im = queue("bad", STR("this is surely not an archive of any kind"), 9);
    const struct json *said = run_ingest(&im);
    CHECK_STR(json_str(said, "event", STR("")), "failed");
    CHECK_STR(json_str(said, "fault", STR("")), "unsupported_format");
    CHECK_STR(json_str(said, "code", STR("")), "unsupported_media");
    CHECK_EQ(objects("blobs/") + objects("thumbs/") + objects("datasets/") + objects("reports/"),
             0);
    tear_down();
}
