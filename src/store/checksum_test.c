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
    CHECK_EQ(checksum_of_header(STR("x-amz-checksum-sha1")), CHECKSUM_UNKNOWN);
    CHECK_EQ(checksum_of_header(STR("x-amz-checksum-mode")), CHECKSUM_NONE);
    CHECK_EQ(checksum_of_header(STR("x-amz-date")), CHECKSUM_NONE);
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
