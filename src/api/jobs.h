/* jobs.h - private to api/: what the handlers of jobs share. */
#ifndef ANNEAL_API_JOBS_H
#define ANNEAL_API_JOBS_H

#include "api/access.h"
#include "api/app.h"
#include "flow/job/job.h"
#include "flow/job/job_read.h"

/* A job as it travels. */
struct job_view {
    struct job j;
    str best, error; /* JSON objects, "" none */
    str warnings;    /* of the settings, when the job was made: JSON array, "" not asked */
    int64_t queue_place;
    bool paused;
};
extern const struct field job_view_fields[];
enum rc job_view_of(struct ctx *c, const struct job *j, struct job_view *ret,
                    struct err *e) must_check;
enum rc reply_job(struct ctx *c, int status, const struct job *j, struct err *e) must_check;

/* The job of {id}, if the caller may act on it as `needed` in its project. */
enum rc job_of(struct ctx *c, enum role needed, struct job *ret, struct err *e) must_check;

/* The validation of {epoch}: a number, "best" or "last". */
enum rc validation_of(struct ctx *c, struct validation *ret, struct err *e) must_check;
/* Its results line by line, from 0: the summary.  RC_GONE of `line`: it has enough. */
typedef enum rc (*line_fn)(str line, int64_t number, void *ud, struct err *e);
enum rc validation_lines(struct ctx *c, const struct validation *v, line_fn line, void *ud,
                         struct err *e) must_check;
/* What splits them: `ud` is this, `p` any piece of the bytes; the last line may stay in rest. */
struct lines {
    struct buf rest;
    int64_t number; /* of the next line */
    line_fn line;
    void *ud;
};
enum rc take_lines(void *ud, const void *p, size_t n, struct err *e) must_check;

/* struct checkpoint as JSON in the request's arena. */
enum rc checkpoint_text(struct ctx *c, const struct checkpoint *k, str *ret,
                        struct err *e) must_check;

/* config.weights of a new job: "job:ID[:CHECKPOINT]" or "sha256:HEX" of an uploaded file, as its
 * base checkpoint of epoch 0, which has weights and no state (weights.c). */
enum rc weights_choose(struct ctx *c, str weights, struct job_new *n, struct err *e) must_check;

/* Makes n a job of kind test: on which data, from n's own dataset where t does not say, and which
 * split.  The caller must be an engineer in the data's project. */
struct test_choice {
    str split, dataset, version;
};
enum rc test_fill(struct ctx *c, const struct test_choice *t, struct job_new *n,
                  struct err *e) must_check;

#endif
