/* answer.h - private to worker/: from a picture to what a model says of it, for every task.
 *
 * Pictures are gathered to batches.  A picture that cannot be read has its own error; the others
 * are not affected.
 */
#ifndef ANNEAL_FLOW_WORKER_ANSWER_H
#define ANNEAL_FLOW_WORKER_ANSWER_H

#include "engine/feed/image.h"
#include "flow/worker/found.h"
#include "spec/contract.h"

enum { ANSWER_BATCH = 8 }; /* what models that answer are planned for */

struct answer_slot { /* a picture that waits for the network */
    struct predict_result *to;
    struct frame_map map;
    struct image shown; /* to be drawn on */
};
struct answerer {
    struct arena *a; /* of the results */
    struct model *m;
    struct predict_options options;
    float *x; /* [ANSWER_BATCH][3][size][size] */
    struct answer_slot slot[ANSWER_BATCH];
    int n;
    float *logits;        /* classification */
    double *p;            /* classification */
    struct finder finder; /* boxes */
    uint8_t *labels;      /* semantic */
};
/* Model and arena are lent until answerer_done, which zeroed memory is fine for. */
enum rc answerer_init(struct answerer *w, struct model *m, const struct predict_options *o,
                      struct arena *a, struct err *e) must_check;
void answerer_done(struct answerer *w);
/* Fills *to now or at a later call; answerer_flush leaves none open. */
void answerer_add(struct answerer *w, str picture, struct predict_result *to);
void answerer_flush(struct answerer *w);
void answer_failed(struct arena *a, struct predict_result *to, const struct err *why);

#endif
