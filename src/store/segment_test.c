/* segment_test.c - the format of segments: every byte counts, nothing is believed. */
#include "store/segment.c"

#include "base/hash.h"
#include "base/mem.h"
#include "base/test.h"
#include <stdio.h>

static char *random_bytes(size_t n)
{
    char *p = mem_alloc(n + 1);
    uint64_t seed = n;

    CHECK(p);
    for (size_t i = 0; i < n; i++)
        p[i] = (char)splitmix64(&seed);
    return p;
}

TEST(a_record_comes_back_at_its_place_only)
{
    static const size_t sizes[] = {
        1, 7, 8, 9, 1000, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, PACK_BYTES_MAX};

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t n = sizes[i], whole = record_bytes(n);
        char *body = random_bytes(n), *record = mem_alloc(whole);
        struct err e = {0};
        int64_t id = 0;
        str got = STR_NONE;
        CHECK(record && whole % 8 == 0 && whole <= RECORD_BYTES_MAX);
        record_put(7, 4096, 42, (str){body, n}, record);
        CHECK_OK(record_check(7, 4096, (str){record, whole}, &id, &got, &e), &e);
        CHECK_EQ(id, 42);
        CHECK(str_eq(got, (str){body, n}));
        CHECK_EQ(record_check(8, 4096, (str){record, whole}, &id, &got, &e), RC_CORRUPT);
        CHECK_EQ(record_check(7, 4104, (str){record, whole}, &id, &got, &e), RC_CORRUPT);
        CHECK_EQ(record_check(7, 4096, (str){record, whole - 8}, &id, &got, &e), RC_CORRUPT);
        mem_free(body);
        mem_free(record);
    }
}

TEST(every_flipped_bit_of_a_record_is_seen)
{
    char body[200], record[400];
    size_t whole = record_bytes(sizeof body), pad = whole - 32 - sizeof body;
    struct err e = {0};
    int64_t id;
    str got;

    memset(body, 'b', sizeof body);
    record_put(1, 8, 9, (str){body, sizeof body}, record);
    for (size_t bit = 0; bit < (whole - pad) * 8; bit++) {
        record[bit / 8] ^= (char)(1 << bit % 8);
        CHECK_EQ(record_check(1, 8, (str){record, whole}, &id, &got, &e), RC_CORRUPT);
        record[bit / 8] ^= (char)(1 << bit % 8);
    }
    CHECK_OK(record_check(1, 8, (str){record, whole}, &id, &got, &e), &e);
}

TEST(a_segment_says_what_it_is)
{
    char head[SEGMENT_HEAD_BYTES];
    struct err e = {0};

    segment_head_put(3, head);
    CHECK_OK(segment_head_check((str){head, sizeof head}, 3, &e), &e);
    CHECK_EQ(segment_head_check((str){head, sizeof head}, 4, &e), RC_CORRUPT);
    CHECK_EQ(segment_head_check((str){head, 100}, 3, &e), RC_CORRUPT);
    head[12] ^= 1;
    CHECK_EQ(segment_head_check((str){head, sizeof head}, 3, &e), RC_CORRUPT);
    head[12] ^= 1;
    put32(head + 8, 2);
    put32(head + 16, crc32c(0, head, 16));
    CHECK_EQ(segment_head_check((str){head, sizeof head}, 3, &e), RC_UNSUPPORTED);
}
