/* measure.h - how fast a model trains on this machine and what memory it takes, in a few seconds
 * (`anneal worker --measure`). */
#ifndef ANNEAL_FLOW_WORKER_MEASURE_H
#define ANNEAL_FLOW_WORKER_MEASURE_H

#include "base/err.h"

/* Reads one line, struct measure_order, and writes one, struct measure (spec/contract.h).  Memory
 * is that of the plan for the whole batch, as `anneal debug plan` shows it; speed is measured with
 * at most MEASURE_IMAGES of a batch, for MEASURE_MS at most after a step to warm up, and is the
 * median of the steps.  RC_INVALID: no such model, or sizes it cannot have.  RC_NOMEM: the memory
 * is not there, saying how much it would take. */
enum { MEASURE_IMAGES = 8, MEASURE_MS = 700, MEASURE_STEPS = 9 };
enum rc measure_run(int in_fd, int out_fd, struct err *e) must_check;

#endif
