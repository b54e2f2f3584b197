/* load.h - private to worker/: what the process uses, told with its progress. */
#ifndef ANNEAL_FLOW_WORKER_LOAD_H
#define ANNEAL_FLOW_WORKER_LOAD_H

#include "base/json.h"

struct load {
    int64_t at_ns, cpu_ns; /* when counting began, and the processor time then */
    uint64_t read_bytes;
    int64_t waited_ns; /* since: for the loader; its owner adds */
};
void load_begin(struct load *l);
/* "system/cpu" (processors kept busy), "system/memory" (resident bytes), "system/read" (bytes a
 * second from disk) and "system/wait" (part of the time spent waiting for batches), of the time
 * since load_begin, into an open object; then begins anew.  Nothing, if no time has passed. */
void load_say(struct load *l, struct jw *w);

#endif
