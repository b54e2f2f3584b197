/* plan.h - places buffers in one block of memory so that those which are alive at the same time
 * never overlap.
 *
 * Time is the sequence of nodes: forward i at time i, loss at T, backward of node i at 2T - i.
 * Each buffer lives from its first to its last use.  Large ones are placed first, each at the
 * lowest offset that no buffer alive with it takes (greedy by size; Pisarchyk and Lee,
 * arXiv:2001.03288).
 */
#ifndef ANNEAL_ENGINE_GRAPH_PLAN_H
#define ANNEAL_ENGINE_GRAPH_PLAN_H

#include "base/err.h"
#include "base/vec.h"

enum { PLAN_ALIGN = 4096 }; /* bytes */

struct plan_buffer {
    size_t bytes;
    int first, last; /* times; last < first: never used */
    size_t offset;   /* set by plan_layout */
};

struct plan {
    VEC(struct plan_buffer) buffers;
    bool out_of_memory; /* sticky: plan_layout reports it */
    size_t bytes;       /* of the whole block, set by plan_layout */
    size_t bytes_unshared;
};

int plan_add(struct plan *p, size_t bytes); /* the buffer's number */
void plan_use(struct plan *p, int buffer, int time);
enum rc plan_layout(struct plan *p, struct err *e) must_check;
void plan_done(struct plan *p);

#endif
