/* job_int.h - one attempt, as jobs.c, pulse.c, run.c, prepare.c, say.c and keep.c see it. */
#ifndef ANNEAL_FLOW_TRAINER_JOB_INT_H
#define ANNEAL_FLOW_TRAINER_JOB_INT_H

#include "base/map.h"
#include "flow/trainer/job.h"
#include "flow/trainer/lines.h"
#include "flow/trainer/thread.h"
#include "flow/trainer/transfer.h"

enum {
    JOB_ID_MAX = 64,
    JOB_PATH_MAX = 1024,
    WORKER_LINE_BYTES_MAX = 1 << 20,
    WORKER_WINDOW_BYTES = 256 << 10,
    STDERR_LINE_BYTES_MAX = 2000,
    STDERR_WINDOW_BYTES = 64 << 10,
    CONFIG_BYTES_MAX = 32 << 10,
    LOGS_HELD_MAX = 500,
    LOGS_REPORT_MAX = 200,
    STOP_GRACE_MS = 2000,         /* SIGTERM to SIGKILL */
    EXIT_GRACE_MS = 10000,        /* last line, or end of output, to exit */
    SPEAK_EVERY_MS = 1000,        /* progress and log reports, each at most this often */
    STORAGE_PATIENCE_MS = 600000, /* how long an outage of the storage is sat out */
    JOBS_KEPT = 256,              /* ended attempts that GET /jobs still knows */
};

/* Ordered: a later cause overrides an earlier one. */
enum stop_cause {
    STOP_NONE,
    STOP_SHUTDOWN, /* the trainer ends: failed, retryable */
    STOP_CANCEL,   /* DELETE, or the backend's reply: reported as cancelled */
    STOP_OVER,     /* the backend takes no more reports: nothing is said */
    STOP_FENCED,   /* a newer attempt is here: nothing is said */
};
enum job_phase { PHASE_PREPARING, PHASE_RUNNING, PHASE_CONCLUDED };

struct held_log {
    int64_t time, epoch;
    int level;
    char *text;
};

struct job {
    struct jobs *js;
    struct job *next;
    struct arena a; /* the order */
    struct start_order order;
    char id[JOB_ID_MAX + 1];
    char work_dir[JOB_PATH_MAX];
    struct postbox *box;
    pthread_t thread;
    bool has_thread; /* until joined; the pulse's */

    pthread_mutex_t say;          /* whoever makes a report */
    int64_t progress_ms, logs_ms; /* under say: when one was last put */

    pthread_mutex_t mu; /* all below */
    enum job_phase phase;
    enum stop_cause stop;
    bool superseded;    /* a newer attempt has its place in the table */
    bool box_ended;     /* nothing is left to deliver */
    atomic_bool cancel; /* stop != STOP_NONE, for transfers */
    struct event *stop_event;
    struct lines *out, *errors; /* NULL outside PHASE_RUNNING */
    pid_t pid;                  /* 0: none, or its thread is reaping it */
    bool leaving;               /* its last report is on its way: its place is free */
    bool expel;                 /* kill it now: broken, or not to be waited for */
    int64_t term_ms;            /* when SIGTERM was sent; 0: not yet */
    int64_t reported_ms;        /* when anything was last put */
    struct report known;        /* what heartbeats repeat; text fields unused */
    char message[256];
    bool has_progress;      /* a progress report that has no number yet */
    char *progress_metrics; /* of it; may be NULL */
    struct held_log logs[LOGS_HELD_MAX];
    size_t logs_n;
    uint64_t logs_dropped;
    char last_words[STDERR_LINE_BYTES_MAX + 1];

    /* the attempt's thread alone */
    struct cache_pins pins;
    struct map uploaded; /* sha256 -> key, mem_strndup'd */
    int64_t lines_read;
    int exit_status; /* valid once pid is 0 again */
    bool said_last;  /* the terminal report is in the outbox */
    bool failed;
};

struct jobs {
    struct jobs_config c;
    pthread_mutex_t mu;
    pthread_cond_t changed; /* an attempt was added or concluded, or closing */
    struct job *list;       /* newest first */
    bool closing;
    pthread_t pulse;
    bool has_pulse;
};

/* jobs.c */
void job_stop(struct job *j, enum stop_cause cause);
void job_free(struct job *j); /* its thread is joined */
bool job_ended(struct job *j);
void *pulse_main(void *jobs); /* pulse.c */
/* pulse.c: sends the signal that is due; j->mu is held. */
void job_push_out(struct job *j, int64_t now);

/* run.c */
void *job_main(void *job);

/* prepare.c: fetches everything and fills the worker's order, whose text lives in `a`. */
enum rc job_prepare(struct job *j, struct arena *a, struct work *ret, struct err *e) must_check;
struct transfer job_transfer(struct job *j);
/* True after a wait, if the failure may pass and patience is left.  *until: 0 at first. */
bool job_sit_out(struct job *j, enum rc rc, const struct err *e, int64_t *until, unsigned *tries);

/* say.c */
enum rc job_say(struct job *j, struct report *r, struct err *e) must_check; /* now, in order */
void job_note_progress(struct job *j, const struct report *r); /* now or when there is room */
void job_note_logs(struct job *j, const struct objs *logs);
void job_read_errors(struct job *j);        /* what the worker wrote to its standard error */
void job_speak(struct job *j, int64_t now); /* what is held and due; heartbeats */
void job_flush_logs(struct job *j);         /* all that is held, now: before the last report */
void job_leave(struct job *j);
void job_say_failed(struct job *j, const char *code, const char *text, bool retryable);

/* keep.c: uploads what the report names and puts keys in place of paths.  Text lives in `a`. */
enum rc job_keep_checkpoint(struct job *j, struct checkpoint *c, struct arena *a,
                            struct err *e) must_check;
enum rc job_keep_validation(struct job *j, struct validation *v, struct arena *a,
                            struct err *e) must_check;
/* The sheet of samples, likewise. */
enum rc job_keep_samples(struct job *j, struct artifact *f, struct arena *a,
                         struct err *e) must_check;

#endif
