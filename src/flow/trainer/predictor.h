/* predictor.h - one warm child that predicts: `anneal worker --predict`.
 *
 * Protocol, over its standard input and output, one request after the other:
 *   -> {"weights":"/path","sha256":"..","top_k":5,..,"images":[{"name":"a.jpg","bytes":812},..]}\n
 *      and then the raw bytes of the pictures, in order, with nothing between
 *   <- one line: struct predict_reply
 * It keeps the last model loaded.  It is started for the first request and started again after it
 * has died or was killed at the deadline.
 */
#ifndef ANNEAL_FLOW_TRAINER_PREDICTOR_H
#define ANNEAL_FLOW_TRAINER_PREDICTOR_H

#include "flow/trainer/cache.h"
#include "flow/trainer/spawner.h"
#include "spec/contract.h"

struct predictor;
struct predictor_config { /* lent */
    const char *const *argv;
    struct spawner *spawner;
    struct cache *cache;
    int64_t deadline_ms; /* of one request, waiting for its turn included */
};
struct predict_image {
    str name;
    uint64_t bytes;
};
enum rc predictor_new(struct predictor **ret, const struct predictor_config *c,
                      struct err *e) must_check;
void predictor_free(struct predictor *p); /* kills the child; NULL is fine */
bool predictor_warm(struct predictor *p);
/* Blocking, any thread; requests take turns.  images_fd holds the pictures' bytes from offset 0.
 * The reply, checked, is appended to out as JSON.  RC_TIMEOUT: the deadline; RC_UPSTREAM: the child
 * died or answered nonsense. */
enum rc predictor_run(struct predictor *p, const struct predict_request *q,
                      const struct predict_image *images, size_t n, int images_fd, struct buf *out,
                      struct err *e) must_check;

#endif
