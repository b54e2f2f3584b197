/* outbox.h - reports on their way to the backend: durable before they are sent, sent in order,
 * kept until they are taken.
 *
 *   DIR/<job>-<attempt>/order.json    the start order, token included (mode 0600)
 *   DIR/<job>-<attempt>/<seq>.json    one report
 *
 * Invariants
 * 1. A report has its number and is on disk before its first byte is sent: after a crash the same
 *    number never stands for another content.
 * 2. Numbers of an attempt have no gap, and report n + 1 is never sent before n was answered.
 * 3. The newest OUTBOX_KEEP files stay after delivery: they tell the next number after a restart,
 *    and serve a backend that asks for an older one (409, expected_seq).
 * 4. A folder vanishes when its last report was taken, or when the backend says that the attempt is
 *    over.
 *
 * Time-outs and retries: one try takes at most timeout_ms; between tries retry_min_ms, doubling
 * with jitter up to retry_max_ms, without end.  Delivery threads serve all attempts, the one that
 * waits longest first; an attempt is served by one thread at a time.
 */
#ifndef ANNEAL_FLOW_TRAINER_OUTBOX_H
#define ANNEAL_FLOW_TRAINER_OUTBOX_H

#include "flow/trainer/letters.h"
#include "os/os.h"
#include "spec/contract.h"

enum { OUTBOX_KEEP = 32, OUTBOX_THREADS = 4, REPORT_BYTES_MAX = 4 << 20 };

struct outbox;
struct postbox; /* the outbox of one attempt */

struct outbox_config {
    const char *dir;
    int64_t timeout_ms, retry_min_ms, retry_max_ms;
    struct letters *letters; /* lent; NULL: reports go by post alone */
};
enum rc outbox_open(struct outbox **ret, const struct outbox_config *c, struct err *e) must_check;
/* Waits until all is delivered; false when the time is up first. */
bool outbox_flush(struct outbox *o, int64_t timeout_ms);
void outbox_stop(
    struct outbox *o); /* ends delivery, breaking off tries under way; boxes stay usable */
void outbox_close(struct outbox *o); /* stops; all boxes must be freed before.  NULL is fine */
/* Names of the attempts an earlier life left, for box_recover. */
enum rc outbox_each(struct outbox *o, os_dir_fn each, void *ud, struct err *e) must_check;

enum box_event {
    BOX_CANCEL, /* the backend wants the worker stopped */
    BOX_OVER,   /* the backend will take no more reports: stop the worker, say nothing */
    BOX_DONE,   /* the last report was taken */
};
/* Called on a delivery thread, without locks; must not free the box. */
typedef void (*box_event_fn)(void *ud, enum box_event ev, const char *why);

/* Makes the attempt durable.  The order is copied. */
enum rc box_open(struct postbox **ret, struct outbox *o, const struct start_order *order,
                 box_event_fn fn, void *ud, struct err *e) must_check;
/* Takes up a folder of an earlier life.  The order lives in `a`; *ret_ended: its last report is
 * already there.  RC_NOT_FOUND: the order had not been written, so nobody was told that it was
 * accepted; the folder is removed.  RC_CORRUPT: it cannot be read. */
enum rc box_recover(struct postbox **ret, struct outbox *o, const char *name, box_event_fn fn,
                    void *ud, struct arena *a, struct start_order *ret_order, bool *ret_ended,
                    struct err *e) must_check;
/* Numbers the report (r->attempt, r->seq), makes it durable, queues it.  After a completed, failed
 * or cancelled report, and after BOX_OVER, RC_GONE. */
enum rc box_put(struct postbox *b, struct report *r, struct err *e) must_check;
int64_t box_undelivered(struct postbox *b);
void box_kick(struct postbox *b);    /* the backend has been seen alive: try again at once */
void box_abandon(struct postbox *b); /* as if the backend had said that it is over; no event */
void box_free(struct postbox *b);    /* waits for a try under way; the files stay; NULL is fine */
bool report_kind_ends(int kind);     /* completed, failed, cancelled */

#endif
