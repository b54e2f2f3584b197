/* arena.h - memory with one lifetime: process > connection > request; run > epoch > step.
 *
 * An arena hands out zeroed, 16-byte aligned memory from chunks and frees all of it at once.  It
 * has a ceiling: past it, or when the heap fails, allocation returns NULL and the arena stays
 * usable. Not thread-safe: one owner.
 */
#ifndef ANNEAL_BASE_ARENA_H
#define ANNEAL_BASE_ARENA_H

#include "base/err.h"
#include "base/str.h"

struct arena_chunk;
struct arena {
    struct arena_chunk *head;
    size_t used_bytes; /* handed out */
    size_t max_bytes;
};

void arena_init(struct arena *a, size_t max_bytes);
void arena_done(struct arena *a);  /* frees all; the arena is as after init */
void arena_reset(struct arena *a); /* frees all but one chunk, for reuse in a loop */

void *arena_alloc(struct arena *a, size_t n) must_check;
void *arena_array(struct arena *a, size_t count, size_t size) must_check; /* NULL on overflow */
char *arena_cstr(struct arena *a, str s) must_check;                      /* NUL-terminated copy */
str arena_str(struct arena *a, str s) must_check; /* .p NULL on failure; copy is NUL-terminated */
char *arena_printf(struct arena *a, const char *fmt, ...) printf_like(2, 3) must_check;

#define ARENA_NEW(a, type)      ((type *)arena_alloc((a), sizeof(type)))
#define ARENA_ARRAY(a, type, n) ((type *)arena_array((a), (n), sizeof(type)))

#endif
