/* plan.c - see plan.h.  Quadratic in the number of buffers (some hundred), done once a net. */
#include "engine/graph/plan.h"
#include <limits.h>

int plan_add(struct plan *p, size_t bytes)
{
    const size_t rounded = (bytes + PLAN_ALIGN - 1) / PLAN_ALIGN * PLAN_ALIGN;

    if (!VEC_PUSH(&p->buffers, (struct plan_buffer){rounded, INT_MAX, -1, 0})) {
        p->out_of_memory = true;
        return 0;
    }
    return (int)p->buffers.n - 1;
}

void plan_use(struct plan *p, int buffer, int time)
{
    if (p->out_of_memory)
        return;
    struct plan_buffer *b = &p->buffers.p[buffer];
    if (time < b->first)
        b->first = time;
    if (time > b->last)
        b->last = time;
}

static bool alive_together(const struct plan_buffer *a, const struct plan_buffer *b)
{
    return a->first <= b->last && b->first <= a->last;
}

/* The lowest offset for `b` that is clear of the `n` buffers placed before it. */
static size_t find_room(const struct plan *p, const int *order, size_t n,
                        const struct plan_buffer *b)
{
    size_t offset = 0;

    for (bool moved = true; moved;) {
        moved = false;
        for (size_t i = 0; i < n; i++) {
            const struct plan_buffer *o = &p->buffers.p[order[i]];
            if (alive_together(o, b) && offset < o->offset + o->bytes &&
                o->offset < offset + b->bytes) {
                offset = o->offset + o->bytes;
                moved = true;
            }
        }
    }
    return offset;
}

enum rc plan_layout(struct plan *p, struct err *e)
{
    const size_t n = p->buffers.n;
    int *order = p->out_of_memory ? NULL : mem_alloc_array(n + 1, sizeof *order);
    size_t used = 0;

    if (!order)
        return err_set(e, RC_NOMEM, "out of memory while planning the network's buffers");
    for (size_t i = 0; i < n; i++) { /* insertion sort by size: stable, so the plan is repeatable */
        size_t j = used;
        if (p->buffers.p[i].last < p->buffers.p[i].first)
            continue;
        for (; j > 0 && p->buffers.p[order[j - 1]].bytes < p->buffers.p[i].bytes; j--)
            order[j] = order[j - 1];
        order[j] = (int)i;
        used++;
    }
    p->bytes = p->bytes_unshared = 0;
    for (size_t i = 0; i < used; i++) {
        struct plan_buffer *b = &p->buffers.p[order[i]];
        b->offset = find_room(p, order, i, b);
        if (b->offset + b->bytes > p->bytes)
            p->bytes = b->offset + b->bytes;
        p->bytes_unshared += b->bytes;
    }
    mem_free(order);
    return RC_OK;
}

void plan_done(struct plan *p)
{
    VEC_DONE(&p->buffers);
}
