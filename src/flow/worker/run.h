/* run.h - private to worker/: the state of the one job of this process. */
#ifndef ANNEAL_FLOW_WORKER_RUN_H
#define ANNEAL_FLOW_WORKER_RUN_H

#include "engine/bundle/model.h"
#include "engine/feed/loader.h"
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
    const struct net_card *card;  /* of the network */
    struct semantic_map semantic; /* of the dataset's classes */
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
/* What computes, for the report that a run has started. */
struct engine run_engine(const struct net *n, enum net_precision precision);
enum rc run_report_failed(struct run *r, enum rc rc, const char *code, const char *text,
                          struct err *e) must_check;

enum rc run_train(struct run *r, struct err *e) must_check;
enum rc run_test(struct run *r, struct err *e) must_check;

#endif
