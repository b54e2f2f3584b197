/* train.h - private to worker/: a training run, from its set up to its last report. */
#ifndef ANNEAL_FLOW_WORKER_TRAIN_H
#define ANNEAL_FLOW_WORKER_TRAIN_H

#include "flow/worker/cursor.h"
#include "flow/worker/load.h"
#include "flow/worker/task.h"

struct train {
    struct run *r;
    const struct task_ops *ops;
    struct loader *train, *val;
    struct cursor at;
    float *class_weights; /* or NULL */
    int64_t steps;        /* batches of an epoch */
    int32_t size;         /* input that the network is planned for now */
    int64_t said_ms;      /* last progress */
    struct load load;     /* since the last report */
    struct objs logs;     /* struct log_line: what is worth telling at the start */
    /* of the epoch under way */
    int64_t epoch; /* from 0 */
    int64_t began_ms;
    struct tally tally;
    double lr;
};

/* Dataset, network, loaders and the first weights: random, of another run, or of the checkpoint
 * that the run goes on from.  Loaders belong to the caller, also on failure. */
enum rc train_setup(struct train *t, struct err *e) must_check;
/* A warning for the first report. */
enum rc train_warn(struct train *t, str text, struct err *e) must_check;

/* First weights from a file: Anneal's own, or any safetensors file with torchvision's names
 * (ResNet, MobileNet).  What has the same name and shape is taken.  What has not keeps its random
 * weights and is told as a warning: the classes' own layer of another dataset as a matter of
 * course.  RC_CONFLICT naming the first tensor that does not fit, where nothing but that fits;
 * RC_CORRUPT a damaged file.
 */
enum rc finetune(struct train *t, str path, str sha256, struct err *e) must_check;

#endif
