/* crew.h - a small team of threads that shares out numbered items of work.
 *
 * crew_run(c, n, fn, ud) calls fn(ud, item, thread) for every item in 0..n-1, once each, on the
 * caller (thread 0) and the helpers (1..threads-1), in any order, and returns when all are done.
 * Which thread takes which item is left to chance: items must not depend on each other, and nothing
 * computed may depend on `thread` but the choice of scratch memory.  Never allocates, never nests.
 */
#ifndef ANNEAL_ENGINE_GRAPH_CREW_H
#define ANNEAL_ENGINE_GRAPH_CREW_H

#include "base/err.h"

struct crew;
typedef void (*crew_fn)(void *ud, int item, int thread);

/* `enter` (may be NULL) runs once on each helper before its first item. */
enum rc crew_new(struct crew **ret, int threads, void (*enter)(void), struct err *e) must_check;
void crew_free(struct crew *c); /* NULL is fine; joins the helpers */
int crew_threads(const struct crew *c);
void crew_run(struct crew *c, int items, crew_fn fn, void *ud);
/* Between the two many short jobs follow each other: helpers wake up on other processors than the
 * caller's, and all spin for up to 0.1 ms before they sleep again.  Changes nothing but the time:
 * not for jobs of milliseconds, where it would take the processor from others for nothing. */
void crew_begin(struct crew *c);
void crew_end(struct crew *c);

#endif
