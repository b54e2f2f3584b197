/* random.c - the kernel's random bytes, and row ids made of time and chance.
 *
 * An id is 128 bits: 48 of Unix milliseconds, 80 random, written as 26 characters of Crockford's
 * base32 in lower case, whose alphabet is in ASCII order: ids sort by time as text.
 */
#include "os/os.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

void os_random(void *p, size_t n)
{
    char *at = p;

    while (n) {
        ssize_t got = getrandom(at, n, 0);
        if (got < 0 && errno == EINTR)
            continue;
        ASSERT(got > 0); /* the kernel has had it since 3.17 */
        at += got;
        n -= (size_t)got;
    }
}

void os_id(char ret[OS_ID_TEXT])
{
    uint64_t chance[2];

    os_random(chance, sizeof chance);
    os_id_of(os_now_ms(), chance, ret);
}

void os_id_of(int64_t unix_ms, const uint64_t chance[2], char ret[OS_ID_TEXT])
{
    static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz";
    uint64_t now = (uint64_t)unix_ms;
    unsigned char raw[16];
    unsigned bits = 0, held = 2; /* 130 bits in 26 digits: two zero bits lead */
    size_t n = 0;

    memcpy(raw + 6, chance, sizeof raw - 6);
    for (int i = 0; i < 6; i++)
        raw[i] = (unsigned char)(now >> (40 - 8 * i));
    for (size_t i = 0; i < sizeof raw; i++) {
        bits = (bits << 8 | raw[i]) & 0x1fff;
        for (held += 8; held >= 5; held -= 5)
            ret[n++] = digits[bits >> (held - 5) & 31];
    }
    ret[n] = 0;
}
