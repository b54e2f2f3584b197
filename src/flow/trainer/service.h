/* service.h - the trainer's parts, as trainer.c wires them and routes.c serves them.  Private. */
#ifndef ANNEAL_FLOW_TRAINER_SERVICE_H
#define ANNEAL_FLOW_TRAINER_SERVICE_H

#include "flow/trainer/job.h"
#include "flow/trainer/measurer.h"
#include "flow/trainer/predictor.h"
#include "flow/trainer/trainer.h"
#include "net/http.h"

#include <stdatomic.h>

enum {
    START_BODY_BYTES_MAX = 1 << 20,
    PREDICT_TOTAL_BYTES_MAX = 512 << 20,
    RETRY_AFTER_S = 5, /* told with 429 and 503 */
    DISK_LOW_BYTES = 256 << 20,
};

struct trainer {
    struct trainer_config c; /* texts live in `a` */
    struct arena a;
    char token_sha256[SHA256_HEX + 1]; /* compared in constant time; "" without a token */
    char dir[512], spool_dir[600];
    int lock_fd;
    int64_t started_ms;
    struct spawner *spawner;
    struct cache *cache;
    struct pool *pool;
    struct letters *letters;
    struct outbox *outbox;
    struct jobs *jobs;
    struct predictor *predictor;
    struct measurer *measurer;
    struct http_server *http;
    atomic_bool draining;
    atomic_ullong spooled; /* names spool files */
};

/* The http_handler; ud is a struct trainer. */
void trainer_handle(struct http_req *r, void *ud);
/* predict.c */
enum rc route_predict(struct trainer *t, struct http_req *r, str id, struct err *e) must_check;
void trainer_reply(struct http_req *r, int status, struct buf *b); /* JSON; takes b */

#endif
