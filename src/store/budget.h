/* budget.h - how fast work in the background may read and write: bytes a second.  Private to
 * store/. One owner thread. */
#ifndef ANNEAL_STORE_BUDGET_H
#define ANNEAL_STORE_BUDGET_H

#include "os/os.h"

struct budget {
    uint64_t bytes_per_s; /* 0: as fast as it goes */
    struct event *stop;   /* may be NULL */
    int64_t due_ns;       /* when what has been spent is paid */
};
void budget_init(struct budget *b, uint64_t bytes_per_s, struct event *stop);
/* The bytes have been read or written: waits until they are paid.  False: it is time to stop. */
bool budget_spend(struct budget *b, uint64_t bytes);

#endif
