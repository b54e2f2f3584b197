/* jobs_warn.h - private to api/: what is worth knowing before a training, beside what forbids it.
 */
#ifndef ANNEAL_API_JOBS_WARN_H
#define ANNEAL_API_JOBS_WARN_H

#include "api/jobs_plan.h"

/* Side of the input that the worker will choose for this data when image_size is 0, nearly: it
 * looks at every picture, this at the statistics of the version. */
int64_t warn_image_size(const struct job_plan *p, const struct json *stats);
/* Appends {field, code, message} to an open array: settings first (train_spec_check), then how they
 * suit the data, by the version's statistics. */
enum rc warn_plan(struct ctx *c, const struct job_plan *p, struct jw *w, struct err *e) must_check;

#endif
