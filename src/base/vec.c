/* vec.c - the one function behind the macros of vec.h: doubles the room, from 8. */
#include "base/vec.h"

typedef void *any_ptr __attribute__((may_alias)); /* the vector's own type differs each time */

bool vec_reserve_(void **p, size_t n, size_t *cap, size_t size)
{
    size_t want, bytes;
    void *grown;

    if (n < *cap)
        return true;
    if (*cap > SIZE_MAX / 2)
        return false;
    want = *cap ? *cap * 2 : 8;
    if (__builtin_mul_overflow(want, size, &bytes))
        return false;
    grown = mem_realloc(*(any_ptr *)p, bytes);
    if (!grown)
        return false;
    *(any_ptr *)p = grown;
    *cap = want;
    return true;
}
