/* arena.c - a list of chunks; the head is the one that small requests are cut from.
 *
 * Chunks double from 4 KiB to 1 MiB.  They come zeroed from the heap (for large ones the kernel
 * does that, lazily), so handing out costs an addition; arena_reset clears what was used of the
 * chunk it keeps.  A request that would waste much of a fresh chunk gets one of its own, behind the
 * head.
 */
#include "base/arena.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Under AddressSanitizer what is not handed out is poisoned: reading past a piece is seen. */
#if defined(__SANITIZE_ADDRESS__)
#define ARENA_HIDES 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_HIDES 1
#endif
#endif
#ifdef ARENA_HIDES
#include <sanitizer/asan_interface.h>
#define HIDE(p, n) ASAN_POISON_MEMORY_REGION((p), (n))
#define SHOW(p, n) ASAN_UNPOISON_MEMORY_REGION((p), (n))
#else
#define HIDE(p, n) ((void)(p), (void)(n))
#define SHOW(p, n) ((void)(p), (void)(n))
#endif

enum { CHUNK_MIN = 4096, CHUNK_MAX = 1 << 20 };

struct arena_chunk {
    struct arena_chunk *next;
    size_t cap, used;
    size_t pad; /* the bytes that follow are 16-byte aligned */
};
_Static_assert(sizeof(struct arena_chunk) % 16 == 0, "chunk bytes are aligned");

static char *chunk_bytes(struct arena_chunk *c)
{
    return (char *)(c + 1);
}

void arena_init(struct arena *a, size_t max_bytes)
{
    *a = (struct arena){.max_bytes = max_bytes};
}

void arena_done(struct arena *a)
{
    struct arena_chunk *c = a->head;

    while (c) {
        struct arena_chunk *next = c->next;
        SHOW(chunk_bytes(c), c->cap);
        mem_free(c);
        c = next;
    }
    a->head = NULL;
    a->used_bytes = 0;
}

void arena_reset(struct arena *a)
{
    struct arena_chunk *keep = a->head;

    if (!keep)
        return;
    a->head = keep->next;
    keep->next = NULL;
    arena_done(a);
    SHOW(chunk_bytes(keep), keep->used);
    memset(chunk_bytes(keep), 0, keep->used);
    HIDE(chunk_bytes(keep), keep->cap);
    keep->used = 0;
    a->head = keep;
}

static struct arena_chunk *chunk_new(struct arena *a, size_t n)
{
    struct arena_chunk *head = a->head, *c;
    size_t cap = head ? head->cap * 2 : CHUNK_MIN - sizeof *c;

    if (cap > CHUNK_MAX - sizeof *c)
        cap = CHUNK_MAX - sizeof *c;
    if (n > cap / 2)
        cap = n > cap ? n : cap;
    if (n > CHUNK_MAX / 4)
        cap = n; /* its own */
    cap &= ~(size_t)15;
    c = mem_zalloc(sizeof *c + cap);
    if (!c)
        return NULL;
    c->cap = cap;
    HIDE(chunk_bytes(c), cap);
    if (head && head->cap - head->used > cap - n) {
        c->next = head->next;
        head->next = c;
    } else {
        c->next = head;
        a->head = c;
    }
    return c;
}

void *arena_alloc(struct arena *a, size_t n)
{
    struct arena_chunk *c = a->head;
    size_t asked = n ? n : 1;
    void *p;

    if (n > PTRDIFF_MAX / 2)
        return NULL;
    n = n ? (n + 15) & ~(size_t)15 : 16;
    if (n > a->max_bytes || a->used_bytes > a->max_bytes - n)
        return NULL;
    if (!c || c->cap - c->used < n)
        c = chunk_new(a, n);
    if (!c)
        return NULL;
    p = chunk_bytes(c) + c->used;
    SHOW(p, asked);
    c->used += n;
    a->used_bytes += n;
    return p;
}

void *arena_array(struct arena *a, size_t count, size_t size)
{
    size_t n;

    return __builtin_mul_overflow(count, size, &n) ? NULL : arena_alloc(a, n);
}

char *arena_cstr(struct arena *a, str s)
{
    char *p = s.n < PTRDIFF_MAX / 2 ? arena_alloc(a, s.n + 1) : NULL;

    if (p && s.n)
        memcpy(p, s.p, s.n);
    return p;
}

str arena_str(struct arena *a, str s)
{
    char *p = arena_cstr(a, s);

    return p ? (str){p, s.n} : STR_NONE;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list ap, again;
    char *p = NULL;
    int n;

    va_start(ap, fmt);
    va_copy(again, ap);
    n = vsnprintf(NULL, 0, fmt, ap);
    if (n >= 0)
        p = arena_alloc(a, (size_t)n + 1);
    if (p)
        vsnprintf(p, (size_t)n + 1, fmt, again);
    va_end(again);
    va_end(ap);
    return p;
}
