/* outbox_int.h - what outbox.c and deliver.c share. */
#ifndef ANNEAL_FLOW_TRAINER_OUTBOX_INT_H
#define ANNEAL_FLOW_TRAINER_OUTBOX_INT_H

#include "base/mem.h"
#include "flow/trainer/outbox.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
    BOX_NAME_MAX = 96, /* <job>-<attempt> */
    BOX_PATH_MAX = 1024,
    OUTBOX_TRIES = 3, /* after so many a report is said to stay; it is tried on regardless */
    WHY_MAX = 300,
};

struct outbox {
    struct outbox_config c;
    char dir[BOX_PATH_MAX - 2 * BOX_NAME_MAX];
    pthread_mutex_t mu;
    pthread_cond_t changed;
    struct postbox *boxes;
    bool closing;
    atomic_bool cancel;
    pthread_t threads[OUTBOX_THREADS];
    unsigned threads_n;
};

struct postbox {
    struct outbox *o;
    struct postbox *next;
    box_event_fn fn;
    void *ud;
    int64_t attempt;
    char name[BOX_NAME_MAX], dir[BOX_PATH_MAX - BOX_NAME_MAX];
    char url[1100], auth[300];
    pthread_mutex_t put;
    /* under outbox.mu: first <= send <= next_seq */
    int64_t first;        /* lowest number still on disk */
    int64_t send;         /* next to be sent */
    int64_t next_seq;     /* next to be given */
    int64_t terminal_seq; /* of the last report of all; 0: not written yet */
    unsigned fails;       /* tries of `send` that failed in a row */
    unsigned resyncs;     /* 409s in a row */
    int64_t due_ms;
    bool busy; /* a delivery thread has it */
    bool over; /* nothing is sent any more; the folder is gone or going */
};

enum outcome { OUTCOME_TAKEN, OUTCOME_RETRY, OUTCOME_RESYNC, OUTCOME_OVER };
struct verdict {
    enum outcome outcome;
    bool cancel;
    int64_t expected_seq; /* OUTCOME_RESYNC */
    int64_t wait_ms;      /* OUTCOME_RETRY: the backend's Retry-After; 0: by back-off */
    char why[WHY_MAX];
};

void box_file(const struct postbox *b, int64_t seq, char ret[BOX_PATH_MAX]);
/* Writes r under r->seq, durable. */
enum rc box_write(struct postbox *b, const struct report *r, struct err *e) must_check;
/* One try of one report. */
void deliver(struct outbox *o, struct postbox *b, int64_t seq, struct verdict *ret);

#endif
