/* run.h - private to worker/: the state of the one job of this process. */
#ifndef ANNEAL_FLOW_WORKER_RUN_H
#define ANNEAL_FLOW_WORKER_RUN_H

#include "engine/feed/loader.h"
#include "engine/bundle/model.h"
#include "flow/worker/score.h"
#include "spec/contract.h"
#include "spec/train.h"

struct run {
    struct arena arena; /* process > run */
    struct work work;
    struct train_spec spec;
    struct samples samples;
    unsigned threads; /* of the network */
    unsigned loaders; /* threads that make batches: half as many, since a step costs more than its
                       * pictures, and each one holds a batch */
    struct model *model;
    /* reporting */
    int out_fd;
    int64_t epochs;        /* 0: a test */
    double progress;       /* as last said */
    const char *fail_code; /* of the failure under way, where rc's own says too little; or NULL */
};

bool worker_cancelled(void);
/* RC_CANCELLED if so. */
enum rc run_check_cancel(struct err *e) must_check;

/* One report line; kind and what belongs to it are set by the caller, time and epochs here. */
enum rc run_report(struct run *r, struct report *what, struct err *e) must_check;
enum rc run_report_failed(struct run *r, enum rc rc, const char *code, const char *text,
                          struct err *e) must_check;

/* Scores samples with r->model as it is now.  Owner of *score: the caller, also on failure. */
enum rc run_score(struct run *r, struct loader *l, const struct sample_ref *samples, size_t n,
                  struct score *score, struct err *e) must_check;
/* The results of every picture into the work folder, for a report. */
enum rc run_write_validation(struct run *r, const struct score *score,
                             const struct sample_ref *samples, int64_t epoch, const char *split,
                             struct validation *ret, struct err *e) must_check;

enum rc run_train(struct run *r, struct err *e) must_check;
enum rc run_test(struct run *r, struct err *e) must_check;

#endif
