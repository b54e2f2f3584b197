/* registry.h - private to api/: what the handlers of the registry share. */
#ifndef ANNEAL_API_REGISTRY_H
#define ANNEAL_API_REGISTRY_H

#include "api/access.h"
#include "api/app.h"
#include "flow/job/job.h"
#include "flow/registry/registry.h"

/* The model of {model}, if the caller may act on it as `needed` in its project. */
enum rc registered(struct ctx *c, enum role needed, struct registry_model *ret,
                   struct err *e) must_check;
/* And its version of {version}: a number, an alias or `latest`. */
enum rc registered_version(struct ctx *c, enum role needed, struct registry_model *ret,
                           struct registry_version *ret_v, struct err *e) must_check;
struct registry_who registry_caller(const struct ctx *c);
/* Ends what begins with reply_begin and an object: replies if rc is RC_OK, else frees b. */
enum rc reply_or(struct ctx *c, int status, enum rc rc, struct buf *b, struct err *e) must_check;

/* A job has ended (jobs_setup.ended): if it scores a version, its scores are taken. */
void registry_job_ended(struct app *app, const struct job *j);
/* What ended while we were gone, or could not be written then; at start-up and before lists. */
void registry_catch_up(struct app *app);

/* Removes the scratch of exports that a crash left behind; at start-up. */
void exports_tidy(struct app *app);

/* Streams the weights file; `name` is the file's. */
enum rc reply_weights(struct ctx *c, const struct registry_version *v, const char *name,
                      struct err *e) must_check;

#endif
