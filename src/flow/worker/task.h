/* task.h - private to worker/: what differs between classification, detection, and the two
 * segmentations, as a table of operations.
 *
 * The training loop, checkpoints and reports know no task.  A judge scores one validation: it is
 * fed the batches of a split in their order, then finished, then asked for numbers and rows.
 */
#ifndef ANNEAL_FLOW_WORKER_TASK_H
#define ANNEAL_FLOW_WORKER_TASK_H

#include "flow/worker/run.h"

/* Of the epoch under way. */
struct tally {
    int64_t images, hits;
    struct net_loss sums; /* each loss times the images of its batch */
};

struct judge; /* each task's own */
struct task_ops {
    /* The network's input and how training pictures vary: frame, and augment or scene, of c; the
     * largest size of a batch, pixels a side. */
    enum rc (*input)(struct run *r, struct loader_config *c, int *ret_size_max,
                     struct err *e) must_check;
    /* After each step; NULL: nothing to count. */
    void (*count)(const struct run *r, const struct batch *b, struct tally *t);
    /* "train/.." beside train/loss, into an open object. */
    void (*train_metrics)(const struct tally *t, struct jw *w);

    /* For n samples, lent until judge_free. */
    enum rc (*judge_new)(struct judge **ret, struct run *r, const struct sample_ref *samples,
                         size_t n, struct err *e) must_check;
    /* Runs the network on the batch, with the weights as they are now. */
    enum rc (*judge_batch)(struct judge *j, const struct batch *b, struct err *e) must_check;
    enum rc (*judge_finish)(struct judge *j, struct err *e) must_check;
    void (*judge_free)(struct judge *j); /* NULL is fine */
    /* The score of a goal of this task (spec/train.c). */
    double (*judge_goal)(const struct judge *j, enum goal_kind goal);
    /* "val/loss" .. into an open object. */
    void (*judge_metrics)(const struct judge *j, struct jw *w);
    /* The members of the first line of the results behind its classes, and those of a picture's
     * line behind its SHA-256 (spec/contract.h). */
    void (*judge_head)(const struct judge *j, struct jw *w);
    void (*judge_row)(const struct judge *j, size_t i, struct jw *w);
    /* The network answers another dataset's classes only if it knows them by name: class numbers of
     * the samples become the model's (kind "test").  to[class of the dataset]: of the model, or -1.
     * RC_INVALID: one that occurs and that the model does not know. */
    enum rc (*match)(struct run *r, struct sample_ref *samples, size_t n, const int32_t *to,
                     struct err *e) must_check;
};
extern const struct task_ops task_classification, task_detection, task_segmentation, task_semantic;
/* input() of the three tasks whose pictures hold objects. */
enum rc task_input_objects(struct run *r, struct loader_config *c, int *ret_size_max,
                           struct err *e) must_check;

/* "mask", for a row of an open object: size [height, width] and run lengths as COCO compresses
 * them; nothing for a mask without counts. */
void task_write_mask(uint32_t h, uint32_t w, str counts, struct jw *to);

const struct task_ops *task_ops_of(enum net_task task);
/* RC_INVALID: a dataset for another task than r->card's, saying what is needed. */
enum rc task_check_dataset(const struct run *r, struct err *e) must_check;

/* Scores samples with r->model as it is now; *ret owned by the caller, NULL on failure. */
enum rc task_judge(struct run *r, struct loader *l, const struct sample_ref *samples, size_t n,
                   struct judge **ret, struct err *e) must_check;
/* The results of every picture into the work folder, for a report. */
enum rc task_write_validation(struct run *r, const struct judge *j,
                              const struct sample_ref *samples, size_t n, int64_t epoch,
                              const char *split, struct validation *ret, struct err *e) must_check;

#endif
