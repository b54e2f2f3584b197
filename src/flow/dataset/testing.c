/* testing.c - see testing.h. */
#include "flow/dataset/testing.h"

#ifdef ANNEAL_TEST
#include "base/test.h"
#include "engine/feed/image.h"
#include "os/os.h"
#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <pthread.h>

struct testing_zip {
    struct archive *ar;
    struct buf bytes;
};

static la_ssize_t on_write(struct archive *ar, void *ud, const void *p, size_t n)
{
    struct testing_zip *z = ud;
    (void)ar;
    buf_add(&z->bytes, p, n);
    return (la_ssize_t)n;
}

struct testing_zip *testing_zip_new(const char *type)
{
    struct testing_zip *z = mem_zalloc(sizeof *z);
    CHECK(z);
    buf_init(&z->bytes, (size_t)1 << 30);
    z->ar = archive_write_new();
    if (!strncmp(type, "zip", 3)) {
        archive_write_set_format_zip(z->ar);
        if (strstr(type, "+stored"))
            archive_write_zip_set_compression_store(z->ar);
        if (strstr(type, "+password")) {
            CHECK(archive_write_set_options(z->ar, "zip:encryption=traditional") == ARCHIVE_OK);
            CHECK(archive_write_set_passphrase(z->ar, "secret") == ARCHIVE_OK);
        }
    } else {
        archive_write_set_format_pax_restricted(z->ar);
        if (strstr(type, ".gz"))
            archive_write_add_filter_gzip(z->ar);
        if (strstr(type, ".xz"))
            archive_write_add_filter_xz(z->ar);
        if (strstr(type, ".zst"))
            archive_write_add_filter_zstd(z->ar);
    }
    archive_write_set_bytes_per_block(z->ar, 512);
    archive_write_set_bytes_in_last_block(z->ar, 1);
    CHECK(archive_write_open(z->ar, z, NULL, on_write, NULL) == ARCHIVE_OK);
    return z;
}

static void add_entry(struct testing_zip *z, const char *path, unsigned type, str content,
                      const char *soft, const char *hard)
{
    struct archive_entry *en = archive_entry_new();
    archive_entry_set_pathname(en, path);
    archive_entry_set_filetype(en, type);
    archive_entry_set_perm(en, 0644);
    archive_entry_set_mtime(en, 1700000000, 0);
    if (soft)
        archive_entry_set_symlink(en, soft);
    if (hard)
        archive_entry_set_hardlink(en, hard);
    archive_entry_set_size(en, (la_int64_t)content.n);
    CHECK(archive_write_header(z->ar, en) >= ARCHIVE_WARN);
    if (content.n)
        CHECK_EQ(archive_write_data(z->ar, content.p, content.n), content.n);
    archive_entry_free(en);
}

void testing_zip_add(struct testing_zip *z, const char *path, str content)
{
    add_entry(z, path, AE_IFREG, content, NULL, NULL);
}

void testing_zip_dir(struct testing_zip *z, const char *path)
{
    add_entry(z, path, AE_IFDIR, STR_NONE, NULL, NULL);
}

void testing_zip_link(struct testing_zip *z, const char *path, const char *target, bool hard)
{
    add_entry(z, path, hard ? AE_IFREG : AE_IFLNK, STR_NONE, hard ? NULL : target,
              hard ? target : NULL);
}

void testing_zip_image(struct testing_zip *z, const char *path, int width, int height,
                       unsigned seed)
{
    struct image im = {0};
    struct buf png;
    struct err e = {0};

    CHECK_OK(image_alloc(width, height, &im, &e), &e);
    for (int i = 0; i < width * height * 3; i++)
        im.rgb[i] = (uint8_t)(seed * 37 + (unsigned)i * (seed + 1));
    buf_init(&png, 16 << 20);
    CHECK_OK(image_encode_png(&im, &png, &e), &e);
    testing_zip_add(z, path, buf_view(&png));
    buf_done(&png);
    image_done(&im);
}

void testing_zip_close(struct testing_zip *z, struct buf *ret)
{
    CHECK(archive_write_close(z->ar) == ARCHIVE_OK);
    archive_write_free(z->ar);
    *ret = z->bytes;
    mem_free(z);
}

static enum rc read_memory(void *ud, uint64_t at, size_t n, struct buf *out, struct err *e)
{
    const str *s = ud;
    CHECK(at <= s->n && n <= s->n - at);
    buf_add(out, s->p + at, n);
    return buf_ok(out, e);
}

static pthread_mutex_t put_lock = PTHREAD_MUTEX_INITIALIZER;

static enum rc count_put(void *ud, const char *key, str data, const char *type, struct err *e)
{
    (void)key, (void)data, (void)type, (void)e;
    pthread_mutex_lock(&put_lock);
    ++*(size_t *)ud;
    pthread_mutex_unlock(&put_lock);
    return RC_OK;
}

static enum rc manifest_sink(void *ud, const void *p, size_t n, struct err *e)
{
    buf_add(ud, p, n);
    return buf_ok(ud, e);
}

static enum rc run(struct testing_import *t, str *archive, const struct pack_limits *lim,
                   const struct split_spec *split, struct err *e)
{
    struct pack_source src = {archive->n, read_memory, archive};
    struct image_sink to = {count_put, &t->puts};
    struct pack *in = NULL;
    size_t done = 0;
    enum rc rc = pack_open(&in, &src, lim, e);

    if (!rc)
        rc = survey_read(&t->harvest, in, NULL, NULL, e);
    pack_close(in);
    in = NULL;
    if (!rc)
        rc = survey_recognise(&t->harvest, e);
    if (!rc)
        rc = pack_open(&in, &src, lim, e);
    if (!rc)
        rc = images_store(&t->harvest, in, &to, 4, 64 << 20, &done, NULL, NULL, e);
    pack_close(in);
    if (!rc)
        rc = assemble(&t->harvest, split, false, &t->as, e);
    if (!rc)
        rc = assembly_write(&t->as, manifest_sink, &t->manifest, e);
    return rc;
}

void testing_import(struct testing_import *t, str archive, const struct pack_limits *lim,
                    const struct split_spec *split)
{
    struct pack_limits l = lim ? *lim : (struct pack_limits){(uint64_t)1 << 30, 100000};
    struct split_spec s = split ? *split : (struct split_spec){SPLIT_AUTO, 0.8, 0.2, 0, 42};

    memset(t, 0, sizeof *t);
    arena_init(&t->a, (size_t)1 << 28);
    harvest_init(&t->harvest, &t->a);
    buf_init(&t->manifest, 64 << 20);
    t->rc = run(t, &archive, &l, &s, &t->err);
}

void testing_import_done(struct testing_import *t)
{
    harvest_done(&t->harvest);
    buf_done(&t->manifest);
    arena_done(&t->a);
}

const struct fault *testing_fault(const struct testing_import *t, enum fault_code code, size_t i)
{
    for (size_t k = 0; k < t->harvest.faults.list.n; k++)
        if (t->harvest.faults.list.p[k].code == code && i-- == 0)
            return &t->harvest.faults.list.p[k];
    return NULL;
}

bool testing_shared_data(const char *name, struct buf *ret)
{
    char path[256], chunk[4096];
    struct err e = {0};
    size_t n = 1;
    int fd = -1;

    snprintf(path, sizeof path, "../shared/data/%s", name);
    if (!os_exists(path))
        return false;
    buf_init(ret, 64 << 20);
    CHECK_OK(os_open(path, O_RDONLY, 0, &fd, &e), &e);
    while (n) {
        CHECK_OK(os_read(fd, chunk, sizeof chunk, &n, &e), &e);
        buf_add(ret, chunk, n);
    }
    os_close(fd);
    return true;
}
#else
typedef int flow_dataset_testing_is_empty_in_the_product;
#endif
