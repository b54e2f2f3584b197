/* cursor.h - private to worker/: where a training run stands, and its checkpoints.
 *
 * A checkpoint is two files: weights (model.h), and state: the optimiser's tensors with this cursor
 * in the metadata.  Where training keeps a moving average (train_spec.ema), the weights file holds
 * the average and the state the weights being trained as well.  Checkpoints are made between epochs
 * only, where the data order, the augmentation and the learning rate are functions of the cursor,
 * so nothing else has to be kept. The files are scratch until the reader of the reports has stored
 * them: they are written whole, but not flushed to disk.
 */
#ifndef ANNEAL_FLOW_WORKER_CURSOR_H
#define ANNEAL_FLOW_WORKER_CURSOR_H

#include "flow/worker/run.h"

struct cursor {
    int64_t epoch; /* completed */
    int64_t steps; /* of the optimiser, in all epochs */
    int64_t best_epoch;
    double best_value;  /* of the goal; NaN before the first */
    str best_sha256;    /* weights file of the best epoch */
    double stop_value;  /* the score that early stopping compares with */
    int64_t stale;      /* epochs since it was beaten */
    str weights_sha256; /* the weights file that this state belongs to */
};

/* Weights, then state, then *ret filled except for the flags; the weights being trained are in use
 * afterwards (net_use_average).  c->best_* and c->weights_sha256 are
 * set to the new file where `best`; the text lives in r->arena. */
enum rc cursor_save(struct run *r, struct cursor *c, bool best, struct checkpoint *ret,
                    struct err *e) must_check;
/* Puts weights and optimiser state into r->model.  RC_CONFLICT: a checkpoint of another model;
 * RC_CORRUPT: damaged, or the two files do not belong together. */
enum rc cursor_load(struct run *r, const struct checkpoint *from, struct cursor *ret,
                    struct err *e) must_check;

#endif
