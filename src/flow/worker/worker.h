/* worker.h - one job in one process (`anneal worker`): train or score, and say how it goes.
 *
 * Reads one `work` line, writes `report` lines (spec/contract.h); between them it sees only files:
 * the manifest, the images, and its own folder.  No database, no network.  A crash costs one
 * attempt of one job: the next one continues from the last checkpoint and arrives at the same bytes
 * of weights.
 *
 * Reports of training, in order: started; for each epoch progress (at most one a second), epoch,
 * checkpoint; then completed, failed or cancelled, always exactly one, and nothing after it.  The
 * epoch goes before its checkpoint, so that whoever resumes from a checkpoint has the metrics of
 * all epochs before it.  Files that were reported belong to the reader, which deletes them when
 * they are stored.
 */
#ifndef ANNEAL_FLOW_WORKER_WORKER_H
#define ANNEAL_FLOW_WORKER_WORKER_H

#include "base/err.h"

enum { WORKER_ORDER_BYTES_MAX = 1 << 20 }; /* the work line */

/* Runs to the end.  RC_OK: the last report is written (it may be failed or cancelled).  RC_IO:
 * nobody reads our reports any more.  SIGTERM, SIGINT and SIGHUP cancel: seen before the next step.
 */
enum rc worker_run(int in_fd, int out_fd, struct err *e) must_check;
/* What the signals do; for any thread. */
void worker_cancel(void);

#endif
