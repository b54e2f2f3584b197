/* postman.h - carries the letters of a trainer that cannot reach us (flow/trainer/letters.h) to our
 * own front door, and the answers back.
 *
 * A letter goes through the same route, with the same token and the same checks, as if the trainer
 * had posted it: the postman adds no right and no second way of applying a report.
 */
#ifndef ANNEAL_FLOW_JOB_POSTMAN_H
#define ANNEAL_FLOW_JOB_POSTMAN_H

#include "base/str.h"
#include "flow/job/launcher.h"

/* All letters of the job that wait now.  own_url: ours, without a slash at the end.  Errors: the
 * trainer cannot be reached or understood, or we ourselves; what was carried before stays carried.
 */
enum rc carry_letters(const struct site *site, str job, const char *own_url, int *ret_carried,
                      struct err *e) must_check;

#endif
