/* out_file_test.c - a file is whole under its name, or absent, whatever fails. */
#include "engine/export/out_file.c"

#include "base/test.h"
#include <errno.h>

static const char *path_in(const char *dir, char ret[512], const char *name)
{
    CHECK(snprintf(ret, 512, "%s/%s", dir, name) < 512);
    return ret;
}

TEST(a_file_has_its_name_when_it_is_whole)
{
    char path[512], hex[SHA256_HEX + 1];
    struct out_file_done done;
    struct out_file f;
    struct err e;

    out_file_open(&f, path_in(test_dir(), path, "x"));
    out_file_put(&f, "abc", 3);
    out_file_put(&f, "de", 2);
    CHECK(!os_exists(path));
    CHECK_OK(out_file_close(&f, true, &done, &e), &e);
    CHECK(os_exists(path));
    CHECK_EQ(done.bytes, 5);
    sha256_hex(STR("abcde"), hex);
    CHECK_STR(str_of(done.sha256), hex);
}

static ssize_t no_space(int fd, const void *p, size_t n)
{
    errno = ENOSPC;
    return -1;
}

TEST(a_full_disk_is_told_and_leaves_nothing)
{
    struct out_file_done done;
    char path[512], temporary[512];
    struct out_file f;
    struct err e;
    ssize_t (*write_before)(int, const void *, size_t) = os_sys.write;

    path_in(test_dir(), path, "x");
    path_in(test_dir(), temporary, "x.tmp");
    out_file_open(&f, path);
    os_sys.write = no_space;
    out_file_put(&f, "abc", 3);
    os_sys.write = write_before;
    out_file_put(&f, "more", 4);
    CHECK_EQ(out_file_close(&f, true, &done, &e), RC_FULL);
    CHECK(str_find(str_of(e.text), STR("cannot write")) >= 0);
    CHECK(!os_exists(path) && !os_exists(temporary));
}

TEST(a_file_that_is_given_up_leaves_nothing)
{
    char path[512], temporary[512];
    struct out_file f;
    struct err e;

    path_in(test_dir(), path, "x");
    path_in(test_dir(), temporary, "x.tmp");
    out_file_open(&f, path);
    out_file_put(&f, "abc", 3);
    CHECK(os_exists(temporary));
    CHECK_OK(out_file_close(&f, false, NULL, &e), &e);
    CHECK(!os_exists(path) && !os_exists(temporary));
}

TEST(a_folder_that_is_not_there_is_told)
{
    struct out_file_done done;
    char path[512];
    struct out_file f;
    struct err e;

    out_file_open(&f, path_in(test_dir(), path, "no/x"));
    out_file_put(&f, "abc", 3);
    CHECK_EQ(out_file_close(&f, true, &done, &e), RC_NOT_FOUND);
    CHECK(str_find(str_of(e.text), STR("no/x")) >= 0);
}
