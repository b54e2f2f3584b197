/* rand.c - reproducible random words (hash.h).  Not for secrets: those come from os_random.
 *
 * SplitMix64: Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (2014); its
 * output function is a bijection of 64 bits, which rand_at uses to absorb one number after another.
 * Pure integer arithmetic: the same words on every machine.
 */
#include "base/hash.h"

static const uint64_t GOLDEN = 0x9e3779b97f4a7c15u;

static uint64_t mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

uint64_t splitmix64(uint64_t *state)
{
    *state += GOLDEN;
    return mix(*state);
}

uint64_t rand_at(uint64_t seed, uint64_t a, uint64_t b, uint64_t c)
{
    uint64_t h = mix(seed + GOLDEN);

    h = mix((h ^ a) + GOLDEN);
    h = mix((h ^ b) + GOLDEN);
    return mix((h ^ c) + GOLDEN);
}

double rand_unit(uint64_t word)
{
    return (double)(word >> 11) * 0x1p-53;
}
