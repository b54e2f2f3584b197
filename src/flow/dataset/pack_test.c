/* pack_test.c - hostile archives: each refused with its own word, nothing stored, no memory lost.
 */
#include "base/test.h"
#include "flow/dataset/pack.c"
#include "flow/dataset/testing.h"

/* Imports b and checks that it is refused so. */
static void check_refused(struct buf *b, const struct pack_limits *lim, enum rc rc,
                          enum fault_code code)
{
    struct testing_import t;
    size_t before = mem_live_bytes();

    testing_import(&t, buf_view(b), lim, NULL);
    if (t.rc != rc)
        test_fail(__FILE__, __LINE__, "%s instead of %s: %s", rc_name(t.rc), rc_name(rc),
                  t.err.text);
    CHECK_STR(str_of(t.err.field), fault_code_name(code));
    CHECK(strlen(t.err.text) > 20);
    CHECK_EQ(t.puts, 0);
    testing_import_done(&t);
    CHECK_EQ(mem_live_bytes(), before);
    buf_done(b);
}

static void check_path(const char *type, const char *path)
{
    struct testing_zip *z = testing_zip_new(type);
    struct buf b;

    testing_zip_image(z, "cat/1.png", 4, 4, 1);
    testing_zip_image(z, "dog/1.png", 4, 4, 2);
    testing_zip_image(z, path, 4, 4, 3);
    testing_zip_close(z, &b);
    check_refused(&b, NULL, RC_INVALID, FAULT_CODE_UNSAFE_PATH);
}

TEST(paths_that_lead_out_are_refused)
{
    static const char *const paths[] = {
        "../x.png", "cat/../../x.png",    "/etc/x.png", "..\\x.png",         "C:\\x.png",
        "c:x.png",  "cat\\..\\..\\x.png", "..",         "a/b/../../../x.png"};
    char longest[1100];

    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        check_path("zip", paths[i]);
        check_path("tar.gz", paths[i]);
    }
    memset(longest, 'a', sizeof longest - 1);
    longest[sizeof longest - 1] = 0;
    check_path("tar", longest);
}

TEST(harmless_odd_paths_are_cleaned)
{
    struct testing_zip *z = testing_zip_new("tar");
    struct testing_import t;
    struct buf b;

    testing_zip_image(z, "./cat//1.png", 4, 4, 1);
    testing_zip_image(z, "dog\\1.png", 4, 4, 2);
    testing_zip_image(z, "dog/1..png", 4, 4, 3);
    testing_zip_image(z, "dog/a\nb.png", 4, 4, 4);
    testing_zip_close(z, &b);
    testing_import(&t, buf_view(&b), NULL, NULL);
    CHECK_OK(t.rc, &t.err);
    CHECK_EQ(t.as.n, 4);
    for (size_t i = 0; i < t.as.n; i++)
        CHECK(str_find(t.as.order[i]->name, STR("\\")) < 0);
    CHECK(str_find(buf_view(&t.manifest), STR("dog/a%0Ab.png")) > 0);
    CHECK(str_find(buf_view(&t.manifest), STR("\"cat/1.png\"")) > 0);
    testing_import_done(&t);
    buf_done(&b);
}

TEST(links_are_refused)
{
    static const char *const types[] = {"zip", "tar", "tar.zst"};
    struct buf b;

    for (int i = 0; i < 3; i++)
        for (int hard = i == 0; hard < 2; hard++) {
            if (i == 0 && hard)
                continue; /* zip has no hard links */
            struct testing_zip *z = testing_zip_new(types[i]);
            testing_zip_image(z, "cat/1.png", 4, 4, 1);
            testing_zip_link(z, "cat/2.png", "../../../etc/passwd", hard);
            testing_zip_close(z, &b);
            check_refused(&b, NULL, RC_INVALID, FAULT_CODE_LINK);
        }
    struct testing_zip *z = testing_zip_new("zip");
    testing_zip_link(z, "cat/2.png", "/etc/passwd", false);
    testing_zip_close(z, &b);
    check_refused(&b, NULL, RC_INVALID, FAULT_CODE_LINK);
}

TEST(encryption_is_refused)
{
    struct testing_zip *z = testing_zip_new("zip+password");
    struct buf b;

    testing_zip_image(z, "cat/1.png", 4, 4, 1);
    testing_zip_close(z, &b);
    check_refused(&b, NULL, RC_INVALID, FAULT_CODE_ENCRYPTED);
}

TEST(bombs_are_refused_by_ratio_and_by_size)
{
    static const char *const types[] = {"zip", "tar.gz", "tar.xz", "tar.zst"};
    char *zeros = mem_zalloc(80 << 20);
    struct buf b;

    CHECK(zeros);
    for (int i = 0; i < 4; i++) {
        struct testing_zip *z = testing_zip_new(types[i]);
        testing_zip_image(z, "cat/1.png", 4, 4, 1);
        testing_zip_add(z, "cat/2.jpg", (str){zeros, 80 << 20});
        testing_zip_close(z, &b);
        CHECK(b.n < (1 << 20));
        check_refused(&b, NULL, RC_TOO_LARGE, FAULT_CODE_BOMB);
    }
    for (int i = 0; i < 4; i++) {
        struct testing_zip *z = testing_zip_new(types[i]);
        testing_zip_add(z, "cat/2.jpg", (str){zeros, 300000});
        testing_zip_close(z, &b);
        check_refused(&b, &(struct pack_limits){200000, 100}, RC_TOO_LARGE, FAULT_CODE_BOMB);
    }
    mem_free(zeros);
}

TEST(too_many_entries_are_refused_before_they_are_read)
{
    static const char *const types[] = {"zip", "tar"};
    struct buf b;
    char path[32];

    for (int i = 0; i < 2; i++) {
        struct testing_zip *z = testing_zip_new(types[i]);
        for (int k = 0; k < 50; k++) {
            snprintf(path, sizeof path, "cat/%d.txt", k);
            testing_zip_add(z, path, STR("x"));
        }
        testing_zip_close(z, &b);
        if (i == 0) { /* an end record that lies about the count does not help */
            memset(b.p + b.n - 22 + 8, 1, 1);
            memset(b.p + b.n - 22 + 10, 1, 1);
        }
        check_refused(&b, &(struct pack_limits){1 << 20, 49}, RC_TOO_LARGE,
                      FAULT_CODE_TOO_MANY_ENTRIES);
    }
}

TEST(an_end_cut_off_anywhere_is_an_error)
{
    static const char *const types[] = {"zip", "tar.gz", "tar.xz", "tar.zst", "tar"};

    for (int i = 0; i < 5; i++) {
        struct testing_zip *z = testing_zip_new(types[i]);
        struct buf b;
        testing_zip_image(z, "cat/1.png", 40, 40, 1);
        testing_zip_image(z, "dog/1.png", 40, 40, 2);
        testing_zip_close(z, &b);
        size_t step = b.n / 40 + 1;
        for (size_t n = 600; n + (i == 4 ? 1536 : 1) < b.n; n += step) {
            struct testing_import t;
            testing_import(&t, (str){b.p, n}, NULL, NULL);
            CHECK(t.rc != RC_OK);
            CHECK(i == 4 || t.puts == 0);
            testing_import_done(&t);
        }
        buf_done(&b);
    }
}

TEST(a_zip_without_its_end_says_so)
{
    struct testing_zip *z = testing_zip_new("zip");
    struct buf b;

    testing_zip_image(z, "cat/1.png", 40, 40, 1);
    testing_zip_close(z, &b);
    b.n -= 30;
    check_refused(&b, NULL, RC_CORRUPT, FAULT_CODE_TRUNCATED);
}

TEST(nested_archives_and_other_formats_are_refused)
{
    struct testing_zip *z = testing_zip_new("zip");
    struct buf b;

    testing_zip_image(z, "cat/1.png", 4, 4, 1);
    testing_zip_add(z, "more/pictures.tar.gz", STR("whatever"));
    testing_zip_close(z, &b);
    check_refused(&b, NULL, RC_CORRUPT, FAULT_CODE_NESTED_ARCHIVE);
    buf_init(&b, 1 << 20);
    buf_puts(&b, "GIF89a and some more text that is surely no archive at all");
    check_refused(&b, NULL, RC_UNSUPPORTED, FAULT_CODE_UNSUPPORTED_FORMAT);
    buf_init(&b, 1 << 20);
    check_refused(&b, NULL, RC_CORRUPT, FAULT_CODE_TRUNCATED);
}

TEST(a_damaged_entry_is_a_fault_of_that_file_alone)
{
    struct testing_zip *z = testing_zip_new("zip+stored");
    struct testing_import t;
    struct buf b;

    testing_zip_image(z, "cat/1.png", 16, 16, 1);
    testing_zip_image(z, "dog/1.png", 16, 16, 2);
    testing_zip_image(z, "dog/2.png", 16, 16, 3);
    testing_zip_close(z, &b);
    b.p[str_find(buf_view(&b), STR("IDAT")) + 8] ^= 0x55;
    testing_import(&t, buf_view(&b), NULL, NULL);
    CHECK_OK(t.rc, &t.err);
    CHECK_EQ(t.as.n, 2);
    CHECK_STR(testing_fault(&t, FAULT_CODE_CORRUPT_IMAGE, 0)->file, "cat/1.png");
    testing_import_done(&t);
    buf_done(&b);
}

TEST(pictures_that_lie_about_their_size_are_left_out)
{
    struct testing_zip *z = testing_zip_new("zip");
    struct testing_import t;
    struct buf b;
    /* a PNG header that promises 30000 x 30000 pixels */
    static const char png[] = "\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x75\x30\0\0\x75\x30\x08\2\0\0\0";

    testing_zip_image(z, "cat/1.png", 16, 16, 1);
    testing_zip_image(z, "dog/1.png", 16, 16, 2);
    testing_zip_add(z, "dog/2.png", (str){png, sizeof png - 1});
    testing_zip_close(z, &b);
    testing_import(&t, buf_view(&b), NULL, NULL);
    CHECK_OK(t.rc, &t.err);
    CHECK_EQ(t.as.n, 2);
    CHECK_EQ(t.harvest.faults.total - t.harvest.faults.counts[FAULT_CODE_FEW_SAMPLES], 1);
    testing_import_done(&t);
    buf_done(&b);
}

static enum rc fail_second_read(void *ud, uint64_t at, size_t n, struct buf *out, struct err *e)
{
    struct buf *b = ud;

    if (at > 0)
        return err_set(e, RC_UNAVAILABLE, "the store is away");
    buf_add(out, b->p, n);
    return RC_OK;
}

TEST(a_store_that_fails_is_not_called_a_damaged_archive)
{
    struct testing_zip *z = testing_zip_new("tar");
    char *noise = mem_alloc(5 << 20);
    struct buf b;
    struct pack *p = NULL;
    struct pack_entry en;
    struct err e = {0};
    char to[4096];
    size_t n = 1;
    bool more, damaged;
    enum rc rc = RC_OK;

    CHECK(noise);
    memset(noise, 'x', 5 << 20);
    testing_zip_add(z, "a.bin", (str){noise, 5 << 20});
    testing_zip_close(z, &b);
    struct pack_source src = {b.n, fail_second_read, &b};
    CHECK_OK(pack_open(&p, &src, &(struct pack_limits){1 << 30, 10}, &e), &e);
    CHECK_OK(pack_next(p, &more, &en, &e), &e);
    while (!rc && n)
        rc = pack_read(p, to, sizeof to, &n, &damaged, &e);
    CHECK_EQ(rc, RC_UNAVAILABLE);
    CHECK_STR(str_of(e.text), "the store is away");
    pack_close(p);
    mem_free(noise);
    buf_done(&b);
}
