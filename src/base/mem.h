/* mem.h - the only door to the heap.
 *
 * Counts live bytes (tests compare before and after), and fails on demand (mem_fail_at), so that a
 * test can make each allocation of a function fail in turn.  Thread-safe.  Out of memory is
 * returned (NULL), never fatal.
 */
#ifndef ANNEAL_BASE_MEM_H
#define ANNEAL_BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>

void *mem_alloc(size_t n) __attribute__((malloc, alloc_size(1)));  /* uninitialised; n may be 0 */
void *mem_zalloc(size_t n) __attribute__((malloc, alloc_size(1))); /* zeroed */
void *mem_alloc_array(size_t count, size_t size);                  /* zeroed; NULL on overflow */
void *mem_realloc(void *p, size_t n);       /* NULL on failure, p then still valid */
void mem_free(void *p);                     /* NULL is fine */
char *mem_strndup(const char *p, size_t n); /* NUL-terminated copy */
/* Aligned to `align` (a power of two, at least 16) and zeroed; freed by mem_free. */
void *mem_alloc_aligned(size_t align, size_t n);

size_t mem_live_bytes(void); /* asked for and not yet freed */
/* Allocations since the start: the engine asserts that a step adds none. */
size_t mem_total_count(void);

/* Test seam: the n-th allocation from now (0 = the next) fails, once, in any thread. */
void mem_fail_at(long n);
bool mem_fail_disarm(void); /* true if the failure had fired */

#endif
