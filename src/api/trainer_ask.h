/* trainer_ask.h - private to api/: one exchange with a trainer on behalf of a caller. */
#ifndef ANNEAL_API_TRAINER_ASK_H
#define ANNEAL_API_TRAINER_ASK_H

#include "api/route.h"
#include "flow/job/launcher.h"
#include "net/client.h"

enum { TRAINER_BODY_MAX = 32 << 20 };

/* Fills url and the service token into call (its method, source, timeouts are set), sends it, and
 * takes the reply into `body`, initialised here and freed by the caller if RC_OK.  A status of 400
 * and more becomes an error with the trainer's own words: 4xx stay what they are, the rest is
 * RC_UPSTREAM. */
enum rc trainer_ask(const struct site *site, const char *path, const char *type,
                    struct client_call *call, struct buf *body, struct err *e) must_check;

/* models.c: RC_INVALID if the framework's trainer answers and does not list this model.  While it
 * does not answer, RC_OK: the job waits, and the trainer itself will say. */
enum rc model_check(struct ctx *c, str framework, str model, struct err *e) must_check;

#endif
