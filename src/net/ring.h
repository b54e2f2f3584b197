/* ring.h - a bounded byte queue: the window between a socket and a handler.  Not thread-safe: its
 * owner's lock guards it. */
#ifndef ANNEAL_NET_RING_H
#define ANNEAL_NET_RING_H

#include "base/mem.h"
#include <string.h>

struct ring {
    char *p; /* NULL until ring_init */
    size_t cap, head, n;
};

static inline bool ring_init(struct ring *r, size_t cap)
{
    *r = (struct ring){.p = mem_alloc(cap), .cap = cap};
    return r->p != NULL;
}

static inline void ring_done(struct ring *r)
{
    mem_free(r->p);
    *r = (struct ring){0};
}

static inline size_t ring_room(const struct ring *r)
{
    return r->cap - r->n;
}

/* Takes what fits and says how much that was. */
static inline size_t ring_put(struct ring *r, const void *p, size_t n)
{
    size_t take = n < ring_room(r) ? n : ring_room(r);
    if (!take)
        return 0;
    size_t tail = (r->head + r->n) % r->cap;
    size_t first = take < r->cap - tail ? take : r->cap - tail;

    memcpy(r->p + tail, p, first);
    if (take > first)
        memcpy(r->p, (const char *)p + first, take - first);
    r->n += take;
    return take;
}

static inline size_t ring_get(struct ring *r, void *p, size_t cap)
{
    size_t give = cap < r->n ? cap : r->n;
    if (!give)
        return 0;
    size_t first = give < r->cap - r->head ? give : r->cap - r->head;

    memcpy(p, r->p + r->head, first);
    if (give > first)
        memcpy((char *)p + first, r->p, give - first);
    r->n -= give;
    r->head = r->n ? (r->head + give) % r->cap : 0;
    return give;
}

#endif
