/* checksum_test.c - the check values of the CRC catalogue, and RFC 4648's base64. */
#include "store/checksum.c"

#include "base/test.h"

static void check(enum checksum_kind kind, str data, size_t step, const char *want)
{
    struct checksum c;
    struct err e;
    char got[CHECKSUM_TEXT];

    CHECK_OK(checksum_init(&c, kind, &e), &e);
    for (size_t at = 0; at < data.n; at += step)
        checksum_add(&c, data.p + at, data.n - at < step ? data.n - at : step);
    checksum_final(&c, got);
    CHECK_STR(str_of(got), want);
}

TEST(check_values_of_the_catalogue)
{
    str nine = STR("123456789");

    for (size_t step = 1; step <= 9; step++) {
        check(CHECKSUM_CRC32, nine, step, "y/Q5Jg==");         /* cbf43926 */
        check(CHECKSUM_CRC32C, nine, step, "4waSgw==");        /* e3069283 */
        check(CHECKSUM_CRC64NVME, nine, step, "rosUhgp5mIg="); /* ae8b14860a799888 */
    }
    check(CHECKSUM_SHA1, STR("abc"), 1, "qZk+NkcGgWq6PiVxeFDCbJzQ2J0=");
    check(CHECKSUM_SHA256, STR(""), 1, "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
}

TEST(long_data_gives_the_same_in_any_pieces)
{
    static char data[10007];
    struct checksum a, b;
    struct err e;
    char x[CHECKSUM_TEXT], y[CHECKSUM_TEXT];

    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (char)(i * 31 + i / 7);
    for (int k = CHECKSUM_CRC32; k <= CHECKSUM_SHA256; k++) {
        CHECK_OK(checksum_init(&a, (enum checksum_kind)k, &e), &e);
        CHECK_OK(checksum_init(&b, (enum checksum_kind)k, &e), &e);
        checksum_add(&a, data, sizeof data);
        for (size_t i = 0; i < sizeof data; i++)
            checksum_add(&b, data + i, 1);
        checksum_final(&a, x);
        checksum_final(&b, y);
        CHECK_STR(str_of(x), y);
    }
}

TEST(header_names_choose_the_checksum)
{
    CHECK_EQ(checksum_of_header(STR("X-Amz-Checksum-CRC32")), CHECKSUM_CRC32);
    CHECK_EQ(checksum_of_header(STR("x-amz-checksum-crc64nvme")), CHECKSUM_CRC64NVME);
    CHECK_EQ(checksum_of_header(STR("x-amz-checksum-sha1")), CHECKSUM_SHA1);
    CHECK_EQ(checksum_of_header(STR("x-amz-checksum-md6")), CHECKSUM_UNKNOWN);
    CHECK_EQ(checksum_of_header(STR("x-amz-checksum-")), CHECKSUM_UNKNOWN);
    CHECK_EQ(checksum_of_header(STR("x-amz-checksum-mode")), CHECKSUM_NONE);
    CHECK_EQ(checksum_of_header(STR("content-type")), CHECKSUM_NONE);
    CHECK_EQ(checksum_of_name(STR("crc32c")), CHECKSUM_CRC32C);
    CHECK_EQ(checksum_of_name(STR("")), CHECKSUM_UNKNOWN);
}

static void sum_of(enum checksum_kind kind, const char *p, size_t n, struct sum *ret)
{
    struct checksum c;
    struct err e;

    CHECK_OK(checksum_init(&c, kind, &e), &e);
    checksum_add(&c, p, n);
    *ret = (struct sum){.kind = kind};
    checksum_final(&c, ret->text);
}

TEST(the_crc_of_the_whole_follows_from_its_parts)
{
    static char data[70001];
    static const size_t cuts[] = {0, 1, 8, 4096, 4096, 50000, 70000, 70001};
    struct sum whole, part, joined;
    struct sum_join j;
    struct err e;

    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (char)(i * 131 + i / 11);
    for (enum checksum_kind k = CHECKSUM_CRC32; k <= CHECKSUM_CRC64NVME; k++) {
        CHECK_OK(sum_join_init(&j, k, false, &e), &e);
        for (size_t i = 0; i + 1 < sizeof cuts / sizeof *cuts; i++) {
            sum_of(k, data + cuts[i], cuts[i + 1] - cuts[i], &part);
            sum_join_add(&j, &part, cuts[i + 1] - cuts[i]);
        }
        sum_join_final(&j, &joined);
        sum_of(k, data, sizeof data, &whole);
        CHECK_STR(str_of(joined.text), whole.text);
        CHECK(!joined.composite && joined.kind == k);
    }
}

TEST(a_composite_checksum_is_that_of_the_parts_checksums)
{
    struct sum part, joined, other = {.kind = CHECKSUM_CRC32, .text = "y/Q5Jg=="};
    struct sum_join j;
    struct checksum c;
    uint8_t raw[SHA256_BYTES];
    char want[SUM_TEXT], text[CHECKSUM_TEXT];
    struct err e;

    sum_of(CHECKSUM_SHA256, "abc", 3, &part);
    CHECK_OK(sum_join_init(&j, CHECKSUM_SHA256, true, &e), &e);
    sum_join_add(&j, &part, 3);
    sum_join_add(&j, &part, 3);
    sum_join_final(&j, &joined);
    sha256(STR("abc"), raw);
    CHECK_OK(checksum_init(&c, CHECKSUM_SHA256, &e), &e);
    checksum_add(&c, raw, sizeof raw);
    checksum_add(&c, raw, sizeof raw);
    checksum_final(&c, text);
    snprintf(want, sizeof want, "%s-2", text);
    CHECK_STR(str_of(joined.text), want);
    CHECK_OK(sum_join_init(&j, CHECKSUM_SHA256, true, &e), &e);
    sum_join_add(&j, &other, 9);
    sum_join_final(&j, &joined);
    CHECK_EQ(joined.kind, CHECKSUM_NONE);
}

TEST(what_is_kept_of_a_checksum_comes_back)
{
    struct sum s = {CHECKSUM_SHA1, true, "qZk+NkcGgWq6PiVxeFDCbJzQ2J0=-7"}, back;
    char stored[SUM_STORED];

    sum_write(&s, stored);
    sum_read(str_of(stored), &back);
    CHECK(back.kind == s.kind && back.composite && !strcmp(back.text, s.text));
    sum_write(&(struct sum){0}, stored);
    CHECK_EQ(strlen(stored), 0);
    sum_read(STR(""), &back);
    CHECK_EQ(back.kind, CHECKSUM_NONE);
    sum_read(STR("9Fabc"), &back);
    CHECK_EQ(back.kind, CHECKSUM_NONE);
}

TEST(base64_pads)
{
    static const char *const rows[][2] = {
        {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}};
    char out[16];

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        base64_of((const uint8_t *)rows[i][0], strlen(rows[i][0]), out);
        CHECK_STR(str_of(out), rows[i][1]);
    }
}
