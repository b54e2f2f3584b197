/* trainer.h - the trainer service (`anneal trainer`): takes work over HTTP, runs each job in a
 * process of its own, and reports by callback.  The front door of this folder.
 *
 * It shares nothing with the backend but HTTP and presigned URLs (spec/contract.h): no database, no
 * store keys, no file system.  Everything in its folder is scratch except the outbox:
 *
 *   DIR/lock                               one trainer for a folder
 *   DIR/cache/<2 hex>/<sha256>             manifests, images, checkpoints, by content (cache.h)
 *   DIR/outbox/<job>-<attempt>/order.json  what was accepted; DIR/outbox/../<seq>.json its reports
 *   DIR/work/<job>-<attempt>/              the worker's folder; gone when the attempt has ended
 *
 * After a crash the outbox is delivered, and attempts that were running are reported as failed,
 * retryable, error_code "trainer_restarted"; their workers died with the trainer.
 */
#ifndef ANNEAL_FLOW_TRAINER_TRAINER_H
#define ANNEAL_FLOW_TRAINER_TRAINER_H

#include "base/err.h"
#include <stdint.h>

/* A model that this trainer can train; all text is lent for the trainer's life. */
struct trainer_model {
    const char *name, *title, *task, *description;
    int64_t parameters; /* trainable numbers at the default class count; 0: not known */
    int64_t image_size; /* default, pixels a side */
};

struct trainer_config {    /* zero takes the default in brackets; text is copied */
    const char *listen;    /* "HOST:PORT" ["127.0.0.1:8001"]; port 0 takes a free one */
    const char *dir;       /* [none: required] */
    const char *framework; /* ["native"] */
    const char *token;     /* service token; none: only loopback addresses may be listened on */
    const char *const *worker_argv;  /* ends with NULL [this binary, "worker"] */
    const char *const *predict_argv; /* ends with NULL [this binary, "worker", "--predict"] */
    const char *const *measure_argv; /* ends with NULL [this binary, "worker", "--measure"] */
    const struct trainer_model *models;
    size_t models_n;
    unsigned max_jobs;           /* at once [1] */
    uint64_t cache_bytes_max;    /* [20 GiB] */
    unsigned connections;        /* to storage, for all jobs together [8] */
    int64_t callback_timeout_ms; /* one try [10 s] */
    int64_t retry_min_ms;        /* between tries of a callback [4 s] .. */
    int64_t retry_max_ms;        /* .. [30 s], doubling, with jitter */
    int64_t heartbeat_ms;        /* of silence before the trainer speaks for its worker [15 s] */
    int64_t silence_ms_max;      /* a worker silent for longer is taken for hung [1 h] */
    int64_t predict_ms_max;      /* deadline of one /predict [60 s] */
    int64_t measure_ms_max;      /* deadline of one /measure [40 s] */
};

struct trainer;

/* Takes the folder's lock, delivers what an earlier life left, listens.  RC_INVALID names the
 * setting at fault; RC_CONFLICT: another trainer has the folder. */
enum rc trainer_open(struct trainer **ret, const struct trainer_config *c,
                     struct err *e) must_check;
int trainer_port(const struct trainer *t);
/* Accepts nothing more, stops the workers (SIGTERM, 2 s, SIGKILL), reports their attempts as
 * failed, retryable, "trainer_stopped", and gives delivery until the deadline; the rest stays in
 * the outbox. */
void trainer_drain(struct trainer *t, int64_t ms);
void trainer_close(struct trainer *t); /* NULL is fine; drains for 0 ms first */

#endif
