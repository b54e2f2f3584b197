/* map_key.c - the key of the maps' hash: from the 16 random bytes that the kernel gives each
 * process (AT_RANDOM), so that nobody outside can choose names that collide. */
#include "base/map.h"

#include <pthread.h>
#include <string.h>
#include <sys/auxv.h>

static uint64_t sip_key[2];
static pthread_once_t sip_once = PTHREAD_ONCE_INIT;

static void sip_key_set(void)
{
    const void *random = (const void *)getauxval(AT_RANDOM);
    uint64_t seed[2] = {(uint64_t)(uintptr_t)&seed, 0};

    if (random)
        memcpy(seed, random, sizeof seed);
    /* derived, not used as it is: the C library's stack guard is made of the same bytes */
    sip_key[0] = siphash13(seed, STR("map key 0"));
    sip_key[1] = siphash13(seed, STR("map key 1"));
}

const uint64_t *map_key(void)
{
    pthread_once(&sip_once, sip_key_set);
    return sip_key;
}
