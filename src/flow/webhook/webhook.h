/* webhook.h - tells other programs what happens to jobs: a signed POST to a URL.
 *
 * Headers, signature and retries follow the Standard Webhooks specification, version 1
 * (standardwebhooks.com): `webhook-id` is the same at each attempt, `webhook-timestamp` is in Unix
 * seconds, `webhook-signature` is "v1," and the base64 of HMAC-SHA-256 over "ID.TIMESTAMP.BODY"
 * under the bytes behind "whsec_" in the secret.  A receiver answers 2xx within
 * WEBHOOK_TIMEOUT_MS; otherwise the delivery is tried again, ten times over about three days, so
 * it may come twice and out of order.
 *
 * That something is to be delivered is written by the database in the transaction that changes the
 * job (a trigger of the migration), so nothing is lost or made up; it is sent by one thread of
 * `serve`'s (sender.c).
 */
#ifndef ANNEAL_FLOW_WEBHOOK_WEBHOOK_H
#define ANNEAL_FLOW_WEBHOOK_WEBHOOK_H

#include "db/db.h"
#include "spec/field.h"

enum {
    WEBHOOK_SECRET_TEXT = 52, /* "whsec_", base64 of 32 bytes, NUL */
    WEBHOOK_SIGNATURE_TEXT = 48,
    WEBHOOK_TIMEOUT_MS = 15000,
    WEBHOOK_ATTEMPTS_MAX = 10,
    WEBHOOKS_MAX = 1000,
    WEBHOOK_KEEP_DAYS = 30, /* a delivery that is done */
};
extern const char *const webhook_events[]; /* "job.running", .. */

struct webhook {
    str id, project_id, url, description, events; /* project_id "": every project */
    str created_by;
    bool active;
    int64_t created_at;
    int64_t waiting, failed; /* deliveries that wait, and that were given up */
};
extern const struct field webhook_fields[];

/* RC_INVALID names the field: the URL is http or https without a user, each event is known. */
enum rc webhook_check(str url, str events, struct err *e) must_check;
/* w->id is set; its secret is shown this once. */
enum rc webhook_new(struct db *db, struct arena *a, struct webhook *w,
                    char ret_secret[WEBHOOK_SECRET_TEXT], struct err *e) must_check;
typedef void (*webhook_each_fn)(void *ud, const struct webhook *one);
enum rc webhook_list(struct db *db, webhook_each_fn each, void *ud, struct err *e) must_check;
enum rc webhook_get(struct db *db, struct arena *a, str id, struct webhook *ret,
                    struct err *e) must_check;
/* url, description, events and active of w; what waits is sent to the new URL.  An inactive webhook
 * gets nothing new and nothing is sent to it. */
enum rc webhook_update(struct db *db, const struct webhook *w, struct err *e) must_check;
enum rc webhook_delete(struct db *db, str id, struct err *e) must_check;
/* Queues an event `ping`, so that a receiver can be tried. */
enum rc webhook_ping(struct db *db, str id, int64_t now_ms, struct err *e) must_check;

struct delivery {
    str id, event, error;
    int64_t created_at, attempts, next_at, done_at; /* times 0: none */
    int64_t status;                                 /* of the last reply; 0: none came */
};
extern const struct field delivery_fields[];
typedef void (*delivery_each_fn)(void *ud, const struct delivery *one);
/* Newest first. */
enum rc webhook_deliveries(struct db *db, str id, int64_t limit, delivery_each_fn each, void *ud,
                           struct err *e) must_check;

/* The value of webhook-signature.  RC_CORRUPT: the secret is not one. */
enum rc webhook_sign(const char *secret, str id, int64_t timestamp_s, str body,
                     char ret[WEBHOOK_SIGNATURE_TEXT], struct err *e) must_check;

/* ---- the sender */
struct webhook_sender;
enum rc webhook_sender_start(struct webhook_sender **ret, struct db *db, struct err *e) must_check;
/* Ends a delivery that is under way (it will be tried again) and joins; NULL is fine. */
void webhook_sender_stop(struct webhook_sender *s);

#endif
