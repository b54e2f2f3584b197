/* mem.c - the only door to the heap: counts, and fails on demand.
 *
 * Before each block stand 16 bytes: its size, the distance back to what malloc gave, and a magic
 * number that catches a foreign pointer or a second free.  Counters are relaxed atomics: they are
 * exact sums, but order nothing.
 */
#include "base/mem.h"

#include "base/err.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { MEM_HEAD = 16 };
static const uint32_t MEM_LIVE = 0x4c697665u, MEM_FREED = 0x46726565u;

struct mem_head {
    _Alignas(MEM_HEAD) size_t size;
    uint32_t back; /* from the block to the start of malloc's memory */
    uint32_t magic;
};
_Static_assert(sizeof(struct mem_head) == MEM_HEAD, "malloc's alignment must carry over");

static atomic_size_t live_bytes, total_count;
static atomic_long fail_after = -1; /* -1: not armed */
static atomic_bool fail_fired;

void mem_fail_at(long n)
{
    atomic_store(&fail_fired, false);
    atomic_store(&fail_after, n);
}

bool mem_fail_disarm(void)
{
    atomic_store(&fail_after, -1);
    return atomic_exchange(&fail_fired, false);
}

static bool fails_now(void)
{
    long n;

    if (atomic_load_explicit(&fail_after, memory_order_relaxed) < 0)
        return false;
    n = atomic_load(&fail_after);
    while (n >= 0 && !atomic_compare_exchange_weak(&fail_after, &n, n - 1)) {
    }
    if (n != 0)
        return false;
    atomic_store(&fail_fired, true);
    return true;
}

static struct mem_head *head_of(const void *p)
{
    struct mem_head *h = (struct mem_head *)(uintptr_t)((const char *)p - MEM_HEAD);

    ASSERT(h->magic == MEM_LIVE);
    return h;
}

static void *block_made(char *base, size_t back, size_t n)
{
    struct mem_head *h = (struct mem_head *)(void *)(base + back - MEM_HEAD);

    h->size = n;
    h->back = (uint32_t)back;
    h->magic = MEM_LIVE;
    atomic_fetch_add_explicit(&live_bytes, n, memory_order_relaxed);
    atomic_fetch_add_explicit(&total_count, 1, memory_order_relaxed);
    return base + back;
}

void *mem_alloc(size_t n)
{
    char *base;

    if (n > PTRDIFF_MAX - MEM_HEAD || fails_now())
        return NULL;
    base = malloc(n + MEM_HEAD);
    return base ? block_made(base, MEM_HEAD, n) : NULL;
}

void *mem_zalloc(size_t n)
{
    char *base;

    if (n > PTRDIFF_MAX - MEM_HEAD || fails_now())
        return NULL;
    base = calloc(1, n + MEM_HEAD);
    return base ? block_made(base, MEM_HEAD, n) : NULL;
}

void *mem_alloc_array(size_t count, size_t size)
{
    size_t n;

    if (__builtin_mul_overflow(count, size, &n))
        return NULL;
    return mem_zalloc(n);
}

void *mem_alloc_aligned(size_t align, size_t n)
{
    char *base;
    size_t back;

    ASSERT(align >= 16 && (align & (align - 1)) == 0 && align <= (1u << 30));
    if (n > PTRDIFF_MAX - MEM_HEAD - align || fails_now())
        return NULL;
    base = calloc(1, n + MEM_HEAD + align);
    if (!base)
        return NULL;
    back = align - ((uintptr_t)base & (align - 1));
    if (back < MEM_HEAD)
        back += align;
    return block_made(base, back, n);
}

void *mem_realloc(void *p, size_t n)
{
    struct mem_head *h;
    size_t old;
    char *base;

    if (!p)
        return mem_alloc(n);
    h = head_of(p);
    ASSERT(h->back == MEM_HEAD); /* an aligned block would lose its alignment */
    old = h->size;
    if (n > PTRDIFF_MAX - MEM_HEAD || fails_now())
        return NULL;
    base = realloc(h, n + MEM_HEAD);
    if (!base)
        return NULL;
    atomic_fetch_sub_explicit(&live_bytes, old, memory_order_relaxed);
    return block_made(base, MEM_HEAD, n);
}

void mem_free(void *p)
{
    struct mem_head *h;

    if (!p)
        return;
    h = head_of(p);
    h->magic = MEM_FREED;
    atomic_fetch_sub_explicit(&live_bytes, h->size, memory_order_relaxed);
    free((char *)p - h->back);
}

char *mem_strndup(const char *p, size_t n)
{
    char *s = n < PTRDIFF_MAX ? mem_alloc(n + 1) : NULL;

    if (!s)
        return NULL;
    if (n)
        memcpy(s, p, n);
    s[n] = 0;
    return s;
}

size_t mem_live_bytes(void)
{
    return atomic_load_explicit(&live_bytes, memory_order_relaxed);
}

size_t mem_total_count(void)
{
    return atomic_load_explicit(&total_count, memory_order_relaxed);
}
