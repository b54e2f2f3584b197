/* jobs_plan.h - private to api/: a new training as it was asked for, read and checked. */
#ifndef ANNEAL_API_JOBS_PLAN_H
#define ANNEAL_API_JOBS_PLAN_H

#include "api/jobs.h"
#include "flow/dataset/dataset.h"

struct from_body {
    str job, checkpoint;
};
struct job_body {
    str name, project, dataset, version, framework, preset, config, notes;
    struct strs tags;
    int64_t priority, retries;
    bool start;
    struct from_body from_checkpoint;
    /* The short form, beside config. */
    str model_name;
    int64_t epochs, batch_size;
    double learning_rate;
};
extern const struct field job_body_fields[];

/* Texts live in the request's arena. */
struct job_plan {
    struct train_spec spec;
    struct dataset dataset;
    struct dataset_version version;
    struct job_new job;
    str warnings; /* of the settings: JSON array of {field, message} */
};
/* Every rule that a new training has to keep; the error names the field at fault. */
enum rc job_plan(struct ctx *c, const struct job_body *b, struct job_plan *ret,
                 struct err *e) must_check;

/* Checks the settings and writes them out in full; warnings is a JSON array. */
enum rc plan_settle(struct ctx *c, const struct train_spec *spec, str *ret_config,
                    str *ret_warnings, struct err *e) must_check;
enum rc plan_data(struct ctx *c, str dataset, str version, struct dataset *ret,
                  struct dataset_version *ret_v, struct err *e) must_check;
/* The checkpoint `which` of a job that the caller may see, and as JSON. */
enum rc plan_checkpoint(struct ctx *c, const struct job *from, str which, struct checkpoint *ret,
                        str *ret_text, struct err *e) must_check;
/* Takes b: its text into the request's arena. */
enum rc plan_keep(struct ctx *c, struct buf *b, str *ret, struct err *e) must_check;

#endif
