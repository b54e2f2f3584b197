/* crc32c.c - see crc32c.h.
 *
 * The instruction has a latency of three cycles and takes eight bytes: three runs of LANE bytes go
 * side by side, and are joined by what LANE zero bytes do to a CRC, which is linear over GF(2) and
 * so a table of 4 x 256 words.  21 GB/s of one core at 64 KiB, against 8 GB/s in one run.
 */
#include "base/crc32c.h"

#include <pthread.h>
#include <string.h>

enum { LANE = 1024 };
static const uint32_t POLYNOMIAL = 0x82f63b78u; /* bits reflected */
static uint32_t table[256], zeros[4][256];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static uint32_t by_table(uint32_t crc, const uint8_t *p, size_t n)
{
    while (n--)
        crc = crc >> 8 ^ table[(crc ^ *p++) & 255];
    return crc;
}

static void make_tables(void)
{
    static const uint8_t none[LANE];

    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int bit = 0; bit < 8; bit++)
            c = c >> 1 ^ (c & 1 ? POLYNOMIAL : 0);
        table[i] = c;
    }
    for (int byte = 0; byte < 4; byte++)
        for (uint32_t i = 0; i < 256; i++)
            zeros[byte][i] = by_table(i << 8 * byte, none, LANE);
}

#ifdef __x86_64__
static uint32_t over_zeros(uint32_t crc)
{
    return zeros[0][crc & 255] ^ zeros[1][crc >> 8 & 255] ^ zeros[2][crc >> 16 & 255] ^
           zeros[3][crc >> 24];
}

static uint64_t word_at(const uint8_t *p)
{
    uint64_t w;

    memcpy(&w, p, sizeof w);
    return w;
}

__attribute__((target("sse4.2"))) static uint32_t by_instruction(uint32_t crc, const uint8_t *p,
                                                                 size_t n)
{
    for (; n >= 3 * LANE; n -= 3 * LANE, p += 3 * LANE) {
        uint64_t a = crc, b = 0, c = 0;
        for (size_t i = 0; i < LANE; i += 8) {
            a = __builtin_ia32_crc32di(a, word_at(p + i));
            b = __builtin_ia32_crc32di(b, word_at(p + LANE + i));
            c = __builtin_ia32_crc32di(c, word_at(p + 2 * LANE + i));
        }
        crc = over_zeros(over_zeros((uint32_t)a) ^ (uint32_t)b) ^ (uint32_t)c;
    }
    for (; n >= 8; n -= 8, p += 8)
        crc = (uint32_t)__builtin_ia32_crc32di(crc, word_at(p));
    while (n--)
        crc = __builtin_ia32_crc32qi(crc, *p++);
    return crc;
}
#endif

uint32_t crc32c(uint32_t crc, const void *p, size_t n)
{
    pthread_once(&once, make_tables);
#ifdef __x86_64__
    if (__builtin_cpu_supports("sse4.2"))
        return ~by_instruction(~crc, p, n);
#endif
    return ~by_table(~crc, p, n);
}
