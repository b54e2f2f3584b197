/* blocks_test.c - files of checked blocks: any place, any length, any damage. */
#include "store/blocks.c"

#include "base/hash.h"
#include "base/test.h"
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static char path[600];

static void write_file(const char *p, uint64_t n, int64_t id, size_t step)
{
    struct blocks_writer w;
    struct err e = {0};
    int fd = -1;

    snprintf(path, sizeof path, "%s/f", test_dir());
    (void)os_sys.unlink(path);
    CHECK_OK(os_open(path, O_WRONLY | O_CREAT, 0600, &fd, &e), &e);
    CHECK_OK(blocks_begin(&w, fd, id, &e), &e);
    for (uint64_t at = 0; at < n; at += step)
        CHECK_OK(blocks_add(&w, p + at, n - at < step ? (size_t)(n - at) : step, &e), &e);
    CHECK_OK(blocks_end(&w, &e), &e);
    blocks_done(&w);
    os_close(fd);
}

static enum rc open_file(struct blocks_reader *r, int64_t id, uint64_t n, struct err *e)
{
    int fd = -1;

    CHECK_OK(os_open(path, O_RDONLY, 0, &fd, e), e);
    return blocks_open(r, fd, id, n, e);
}

TEST(what_was_written_is_read_at_any_place)
{
    static const uint64_t sizes[] = {
        1,      BLOCK_BYTES - 1, BLOCK_BYTES,     BLOCK_BYTES + 1,
        300000, GROUP_BYTES,     GROUP_BYTES + 1, GROUP_BYTES + 3 * BLOCK_BYTES};
    char *p = mem_alloc(GROUP_BYTES + 4 * BLOCK_BYTES), *got = mem_alloc(200000);
    uint64_t seed = 3;

    CHECK(p && got);
    for (size_t i = 0; i < GROUP_BYTES + 4 * BLOCK_BYTES; i += 8) {
        uint64_t v = splitmix64(&seed);
        memcpy(p + i, &v, 8);
    }
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        struct blocks_reader r;
        struct err e = {0};
        uint64_t size = 0;
        write_file(p, sizes[s], 5, s % 2 ? 100001 : BLOCK_BYTES);
        CHECK_OK(os_file_size(path, &size, &e), &e);
        CHECK_EQ(size, blocks_file_bytes(sizes[s]));
        CHECK_OK(open_file(&r, 5, sizes[s], &e), &e);
        for (int k = 0; k < 60; k++) {
            uint64_t at = k < 2 ? (k ? sizes[s] - 1 : 0) : splitmix64(&seed) % sizes[s];
            size_t n = 0, cap = 1 + (size_t)(splitmix64(&seed) % 200000);
            if (k % 3 == 0)
                at -= at % BLOCK_BYTES;
            CHECK_OK(blocks_read(&r, at, got, cap, &n, &e), &e);
            CHECK(n && n <= cap && at + n <= sizes[s]);
            CHECK(!memcmp(got, p + at, n));
        }
        blocks_close(&r);
        CHECK_EQ(open_file(&r, 5, sizes[s] + 1, &e), RC_CORRUPT);
        blocks_close(&r);
        CHECK_OK(open_file(&r, 6, sizes[s], &e), &e); /* another file under this name */
        size_t n = 0;
        CHECK_EQ(blocks_read(&r, 0, got, 10, &n, &e), RC_CORRUPT);
        blocks_close(&r);
    }
    mem_free(p);
    mem_free(got);
}

TEST(a_flipped_bit_anywhere_is_an_error_and_never_a_wrong_byte)
{
    enum { N = 3 * BLOCK_BYTES + 100 };
    char *p = mem_zalloc(N), *got = mem_alloc(N);
    uint64_t seed = 11, whole = blocks_file_bytes(N);
    struct blocks_reader r;
    struct err e = {0};
    int hit = 0;

    CHECK(p && got);
    write_file(p, N, 5, BLOCK_BYTES);
    for (int k = 0; k < 300; k++) {
        uint64_t bit = splitmix64(&seed) % (whole * 8), done = 0;
        size_t n = 0;
        char byte;
        int fd = -1;
        enum rc rc = RC_OK;
        CHECK_OK(os_open(path, O_RDWR, 0, &fd, &e), &e);
        CHECK_OK(os_pread_full(fd, &byte, 1, bit / 8, &e), &e);
        byte ^= (char)(1 << bit % 8);
        CHECK_OK(os_pwrite_all(fd, &byte, 1, bit / 8, &e), &e);
        CHECK_OK(open_file(&r, 5, N, &e), &e);
        while (!rc && done < N) {
            rc = blocks_read(&r, done, got, N, &n, &e);
            if (!rc)
                CHECK(!memcmp(got, p + done, n));
            done += n;
        }
        blocks_close(&r);
        CHECK_EQ(rc, RC_CORRUPT);
        hit++;
        byte ^= (char)(1 << bit % 8);
        CHECK_OK(os_pwrite_all(fd, &byte, 1, bit / 8, &e), &e);
        os_close(fd);
    }
    CHECK_EQ(hit, 300);
    mem_free(p);
    mem_free(got);
}
