/* webhook_int.h - private to flow/webhook: what the sender asks of the tables. */
#ifndef ANNEAL_FLOW_WEBHOOK_WEBHOOK_INT_H
#define ANNEAL_FLOW_WEBHOOK_WEBHOOK_INT_H

#include "flow/webhook/webhook.h"

struct due {
    str id, body, url; /* in the arena */
    const char *secret;
    int64_t attempts; /* made so far */
};
/* The delivery that has waited longest of those that are due; RC_NOT_FOUND: none. */
enum rc delivery_due(struct db *db, struct arena *a, int64_t now_ms, struct due *ret,
                     struct err *e) must_check;
/* After an attempt: next_at 0 ends it.  What ended WEBHOOK_KEEP_DAYS ago is removed on the way. */
enum rc delivery_done(struct db *db, str id, int64_t status, const char *error, int64_t next_at,
                      int64_t now_ms, struct err *e) must_check;

#endif
