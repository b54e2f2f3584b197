/* score.h - from logits to the measures of a classifier, and the result of every picture.
 *
 *   loss       mean of -log softmax(logits)[label], unweighted, without smoothing
 *   accuracy   share whose largest logit is the label's; top5: whose label is among the five
 * largest (of equal logits the smaller class number counts as larger) precision  tp / (tp + fp),
 * recall tp / (tp + fn), f1 their harmonic mean, for each class; 0 where the denominator is 0; the
 * means are over the classes that occur or were predicted confusion  [label][predicted] counts
 */
#ifndef ANNEAL_FLOW_WORKER_SCORE_H
#define ANNEAL_FLOW_WORKER_SCORE_H

#include "base/json.h"
#include "engine/feed/samples.h"
#include "engine/model/rank.h"

enum { SCORE_TOP = 5, SCORE_CONFUSION_CLASSES_MAX = 512 /* beyond, the matrix is left out */ };

struct score_row {
    int32_t label;
    int32_t top[SCORE_TOP]; /* most likely first; -1 beyond the number of classes */
    float confidence[SCORE_TOP];
};
struct score {
    int32_t classes;
    size_t n, cap;
    struct score_row *rows;
    uint32_t *hits, *support, *predicted; /* by class */
    uint32_t *confusion;                  /* [classes][classes] or NULL */
    double *p;                            /* scratch [classes] */
    double loss_sum;
    size_t hits1, hits5;
    /* after score_finish */
    double loss, accuracy, top5, precision, recall, f1;
};
/* Room for n pictures. */
enum rc score_init(struct score *s, size_t n, int32_t classes, struct err *e) must_check;
void score_done(struct score *s); /* zeroed memory is fine */
void score_add(struct score *s, const float *logits, int32_t label);
void score_finish(struct score *s);
/* "val/loss", "val/accuracy" .. into an open object. */
void score_write_metrics(const struct score *s, struct jw *w);

/* The members of the first line and of a picture's line (spec/contract.h), into open objects. */
void score_write_head(const struct score *s, const str *classes, struct jw *w);
void score_write_row(const struct score *s, size_t i, struct jw *w);

#endif
