/* cli_source_test.c - a folder becomes the same tar however it is read, from wherever it is begun.
 */
#include "bin/cli_source.c"

#include "base/test.h"

#include <stdio.h>

static struct err e;
static struct arena a;

static const char *at(const char *name)
{
    return arena_printf(&a, "%s/%s", test_dir(), name);
}

static void put(const char *name, size_t bytes, char fill)
{
    const char *path = at(name);
    char *dir = arena_cstr(&a, str_of(path)), *text = arena_alloc(&a, bytes + 1);

    *strrchr(dir, '/') = 0;
    CHECK_OK(os_mkdirs(dir, 0755, &e), &e);
    memset(text, fill, bytes);
    CHECK_OK(os_write_file_durable(path, (str){text, bytes}, 0644, &e), &e);
}

static void folder(void)
{
    char longer[260];

    arena_init(&a, 64 << 20);
    put("in/train/a/one.png", 1000, '1');
    put("in/train/b/big.png", 900000, '2');
    put("in/val/empty.txt", 0, 0);
    put("in/val/\xc3\xa9t\xc3\xa9.txt", 512, '3');
    put("in/.git/config", 20, '4');
    memset(longer, 'n', 200);
    snprintf(longer + 200, 60, "/%s", "x.png");
    put(arena_printf(&a, "in/%s", longer), 77, '5');
}

/* The rest of the source from where it stands, read in pieces of `cap`. */
static str rest(struct source *s, size_t cap)
{
    struct buf b;
    char *piece = arena_alloc(&a, cap);
    size_t n = 1;
    str all;

    buf_init(&b, 16 << 20);
    while (n) {
        CHECK_OK(source_read(s, piece, cap, &n, &e), &e);
        buf_add(&b, piece, n);
    }
    all = arena_str(&a, buf_view(&b));
    buf_done(&b);
    return all;
}

TEST(a_folder_is_the_tar_that_its_size_says_and_unpacks_to_its_files)
{
    struct archive *tar = archive_read_new();
    struct archive_entry *entry;
    struct source *s = NULL;
    size_t files = 0;
    str all;

    folder();
    CHECK_OK(source_open(&s, at("in/"), &e), &e);
    CHECK_EQ(source_files(s), 5);
    all = rest(s, 4096);
    CHECK_EQ(all.n, source_bytes(s));
    source_close(s);
    archive_read_support_format_tar(tar);
    CHECK_EQ(archive_read_open_memory(tar, all.p, all.n), ARCHIVE_OK);
    while (archive_read_next_header(tar, &entry) == ARCHIVE_OK) {
        const char *name = archive_entry_pathname(entry);
        const char *path = at(arena_printf(&a, "in/%s", name));
        int64_t size = archive_entry_size(entry);
        char *got = arena_alloc(&a, (size_t)size + 1);
        str want;

        files++;
        CHECK(name[0] != '.');
        CHECK_OK(os_read_file(&a, path, 1 << 20, &want, &e), &e);
        CHECK_EQ(size, want.n);
        CHECK_EQ(archive_read_data(tar, got, (size_t)size), size);
        CHECK(!memcmp(got, want.p, want.n));
    }
    CHECK_EQ(files, 5);
    archive_read_free(tar);
    arena_done(&a);
}

TEST(begun_anywhere_the_bytes_are_the_same)
{
    static const int64_t places[] = {0, 1, 511, 512, 5000, 400000, 903000};
    struct source *s = NULL;
    str all;

    folder();
    CHECK_OK(source_open(&s, at("in"), &e), &e);
    all = rest(s, 100000);
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        size_t k = i * 3 % (sizeof places / sizeof *places); /* forwards and backwards */

        CHECK_OK(source_seek(s, places[k], &e), &e);
        CHECK(str_eq(rest(s, 777 + i), str_sub(all, (size_t)places[k], all.n)));
    }
    CHECK_OK(source_seek(s, (int64_t)all.n, &e), &e);
    CHECK_EQ(rest(s, 10).n, 0);
    source_close(s);
    arena_done(&a);
}

TEST(an_archive_is_read_as_it_is)
{
    struct source *s = NULL;

    arena_init(&a, 1 << 20);
    put("x.zip", 3000, 'z');
    CHECK_OK(source_open(&s, at("x.zip"), &e), &e);
    CHECK_EQ(source_bytes(s), 3000);
    CHECK_EQ(source_files(s), 0);
    CHECK_OK(source_seek(s, 2990, &e), &e);
    CHECK_EQ(rest(s, 4).n, 10);
    source_close(s);
    arena_done(&a);
}

TEST(a_file_that_changes_meanwhile_ends_it)
{
    for (int longer = 0; longer < 2; longer++) {
        struct source *s = NULL;
        char piece[4096];
        size_t n = 1;
        enum rc rc = RC_OK;

        folder();
        CHECK_OK(source_open(&s, at("in"), &e), &e);
        put("in/train/b/big.png", longer ? 900001 : 899999, '2');
        while (!rc && n)
            rc = source_read(s, piece, sizeof piece, &n, &e);
        CHECK_EQ(rc, RC_CORRUPT);
        CHECK(strstr(e.text, "big.png' has changed"));
        source_close(s);
        arena_done(&a);
    }
}

TEST(what_cannot_be_sent_says_why)
{
    struct source *s = NULL;

    arena_init(&a, 1 << 20);
    CHECK_EQ(source_open(&s, at("absent"), &e), RC_NOT_FOUND);
    CHECK_OK(os_mkdirs(at("empty"), 0755, &e), &e);
    put("empty/.hidden", 3, 'x');
    CHECK_EQ(source_open(&s, at("empty"), &e), RC_INVALID);
    CHECK(strstr(e.text, "no files"));
    put("nothing.zip", 0, 0);
    CHECK_EQ(source_open(&s, at("nothing.zip"), &e), RC_INVALID);
    CHECK(!s);
    arena_done(&a);
}

TEST(no_memory_is_an_error_each_time)
{
    for (long n = 0; n < 400; n++) {
        struct source *s = NULL;
        const char *path;
        enum rc rc;

        folder();
        path = at("in");
        mem_fail_at(n);
        rc = source_open(&s, path, &e);
        if (!mem_fail_disarm()) {
            CHECK_OK(rc, &e);
            source_close(s);
            arena_done(&a);
            return;
        }
        CHECK(rc != RC_OK || s);
        if (!rc)
            source_close(s);
        arena_done(&a);
    }
    CHECK(!"it never ran out of failures");
}
