/* crc32c_test.c - known values, pieces, and the instruction against the table. */
#include "base/crc32c.c"

#include "base/hash.h"
#include "base/test.h"

TEST(known_values_of_the_standard)
{
    uint8_t b[32];

    CHECK_EQ(crc32c(0, "123456789", 9), 0xe3069283u); /* the catalogue's check value */
    CHECK_EQ(crc32c(0, "", 0), 0);
    memset(b, 0, sizeof b);
    CHECK_EQ(crc32c(0, b, sizeof b), 0x8a9136aau); /* RFC 3720, B.4 */
    memset(b, 0xff, sizeof b);
    CHECK_EQ(crc32c(0, b, sizeof b), 0x62a8ab43u);
    for (uint8_t i = 0; i < sizeof b; i++)
        b[i] = i;
    CHECK_EQ(crc32c(0, b, sizeof b), 0x46dd794eu);
}

TEST(pieces_and_both_ways_agree_and_every_flipped_bit_shows)
{
    static uint8_t b[4 * 3 * LANE + 77];
    uint64_t seed = 1;

    for (size_t i = 0; i < sizeof b; i++)
        b[i] = (uint8_t)splitmix64(&seed);
    for (size_t n = 0; n < sizeof b; n = n * 2 + 1 + n % 5)
        for (size_t at = 0; at < 9 && at + n <= sizeof b; at++) {
            uint32_t want = ~by_table(~0u, b + at, n);
            size_t cut = n ? (size_t)(splitmix64(&seed) % n) : 0;
            CHECK_EQ(crc32c(0, b + at, n), want);
            CHECK_EQ(crc32c(crc32c(0, b + at, cut), b + at + cut, n - cut), want);
        }
    uint32_t whole = crc32c(0, b, sizeof b);
    for (int i = 0; i < 500; i++) {
        size_t bit = (size_t)(splitmix64(&seed) % (sizeof b * 8));
        b[bit / 8] ^= (uint8_t)(1 << bit % 8);
        CHECK(crc32c(0, b, sizeof b) != whole);
        b[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}
