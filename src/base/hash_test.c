/* hash_test.c - published vectors of the digests, hexadecimal, and the reproducible generator. */
#include "base/hash.c"
#include "base/rand.c"

#include "base/test.h"

static str hex(const uint8_t *p, size_t n)
{
    static char text[129];

    hex_of(p, n, text);
    return str_of(text);
}

TEST(sha256_gives_the_words_of_fips_180)
{
    char text[SHA256_HEX + 1];
    struct hasher h;
    struct err e = {0};
    uint8_t d[SHA256_BYTES];
    char many[1000];

    sha256_hex(STR("abc"), text);
    CHECK_STR(str_of(text), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    sha256_hex(STR_NONE, text);
    CHECK_STR(str_of(text), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    CHECK_OK(sha256_init(&h, &e), &e);
    memset(many, 'a', sizeof many);
    for (int i = 0; i < 1000; i++) /* a million in all */
        hasher_add(&h, many, sizeof many);
    hasher_final(&h, d);
    CHECK_STR(hex(d, sizeof d), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    CHECK_OK(sha256_init(&h, &e), &e);
    hasher_done(&h); /* without a digest: no leak */
}

TEST(md5_gives_the_words_of_rfc_1321)
{
    struct hasher h;
    struct err e = {0};
    uint8_t d[MD5_BYTES];

    CHECK_OK(md5_init(&h, &e), &e);
    hasher_add(&h, "message digest", 14);
    hasher_final(&h, d);
    CHECK_STR(hex(d, sizeof d), "f96b697d7cb7938d525a2f31aaf161d0");
}

TEST(hmac_gives_the_words_of_rfc_4231)
{
    uint8_t d[SHA256_BYTES];
    char key[131];

    hmac_sha256(STR("Jefe"), STR("what do ya want for nothing?"), d);
    CHECK_STR(hex(d, sizeof d), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    memset(key, 0xaa, sizeof key); /* longer than a block */
    hmac_sha256((str){key, sizeof key},
                STR("Test Using Larger Than Block-Size Key - Hash Key First"), d);
    CHECK_STR(hex(d, sizeof d), "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    hmac_sha256(STR_NONE, STR_NONE, d);
    CHECK_STR(hex(d, sizeof d), "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

TEST(hex_is_read_whole_or_not_at_all)
{
    uint8_t d[4] = {9, 9, 9, 9};

    CHECK(hex_to(STR("00aBfF"), d));
    CHECK(d[0] == 0 && d[1] == 0xab && d[2] == 0xff && d[3] == 9);
    CHECK(!hex_to(STR("00a"), d) && !hex_to(STR("0g"), d) && !hex_to(STR(" 0"), d));
    CHECK(d[1] == 0xab); /* untouched */
    CHECK(hex_to(STR_NONE, d));
    CHECK(is_sha256_hex(STR("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")));
    CHECK(!is_sha256_hex(STR("Ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")));
    CHECK(!is_sha256_hex(STR("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015a")));
    CHECK(same_bytes("abc", "abc", 3) && !same_bytes("abc", "abd", 3) && same_bytes("a", "b", 0));
}

TEST(splitmix_gives_the_published_sequence)
{
    uint64_t s = 1234567; /* Vigna's splitmix64.c */

    CHECK(splitmix64(&s) == 6457827717110365317u);
    CHECK(splitmix64(&s) == 3203168211198807973u);
    CHECK(splitmix64(&s) == 9817491932198370423u);
}

TEST(rand_at_is_a_fixed_function_of_all_its_numbers)
{
    uint64_t base = rand_at(1, 2, 3, 4);
    double sum = 0;

    CHECK(base == rand_at(1, 2, 3, 4));
    CHECK(base != rand_at(2, 2, 3, 4) && base != rand_at(1, 3, 3, 4));
    CHECK(base != rand_at(1, 2, 4, 4) && base != rand_at(1, 2, 3, 5));
    CHECK(rand_at(1, 2, 3, 4) != rand_at(1, 3, 2, 4));
    for (uint64_t i = 0; i < 100000; i++) {
        double u = rand_unit(rand_at(42, 0, i, 0));
        CHECK(u >= 0 && u < 1);
        sum += u;
    }
    CHECK(sum > 49500 && sum < 50500); /* 5 standard deviations are 456 */
    CHECK(rand_unit(UINT64_MAX) < 1 && rand_unit(0) == 0);
}
