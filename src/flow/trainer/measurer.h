/* measurer.h - asks a worker how fast a model trains here, and remembers the answers. */
#ifndef ANNEAL_FLOW_TRAINER_MEASURER_H
#define ANNEAL_FLOW_TRAINER_MEASURER_H

#include "flow/trainer/spawner.h"
#include "spec/contract.h"

struct measurer;
struct measurer_config {
    struct spawner *spawner; /* lent */
    const char *const *argv; /* lent; of a worker that reads struct measure_order */
    int64_t deadline_ms;     /* of one measurement */
};
enum rc measurer_new(struct measurer **ret, const struct measurer_config *c,
                     struct err *e) must_check;
void measurer_free(struct measurer *m); /* nobody asks any more; NULL is fine */
/* One measurement at a time, the others wait; what was measured before is answered at once.  The
 * text lives in `a`.  The worker's own words and code where it refuses (RC_INVALID: no such model;
 * RC_TOO_LARGE: memory); RC_TIMEOUT. */
enum rc measurer_ask(struct measurer *m, const struct measure_order *o, struct arena *a,
                     struct measure *ret, struct err *e) must_check;
/* The newest measurement of a model, at whatever settings; false: none. */
bool measurer_known(struct measurer *m, const char *model, struct arena *a, struct measure *ret);

#endif
