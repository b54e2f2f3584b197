/* audit.h - the record of who did what.
 *
 * One row for each request of a person that changed something or was refused the right to, written
 * by the API's dispatcher and by nothing else, so that no route can be forgotten.  Rows are only
 * added, and removed by age.  Any thread.
 */
#ifndef ANNEAL_FLOW_AUDIT_AUDIT_H
#define ANNEAL_FLOW_AUDIT_AUDIT_H

#include "db/db.h"
#include "spec/field.h"

enum { AUDIT_OBJECT_MAX = 512, AUDIT_TRIM_EVERY = 1024 };

enum audit_credential { AUDIT_NONE, AUDIT_SESSION, AUDIT_TOKEN };
extern const char *const audit_credential_names[];

struct audit_entry {
    int64_t id, at;      /* of audit_list; at: Unix milliseconds */
    str actor_id, actor; /* account and its name then; "": a failed log-in */
    int credential;      /* enum audit_credential */
    str action;          /* method and pattern of the route: "DELETE /training/jobs/{id}" */
    str object;          /* the path that was asked for; cut after AUDIT_OBJECT_MAX bytes */
    int64_t status;      /* of the reply, as HTTP counts: 200 and up done, 400 and up not */
    str address;         /* of the peer */
};
extern const struct field audit_fields[];

/* Durable after this.  Every AUDIT_TRIM_EVERY rows, those from before at - keep_ms go. */
enum rc audit_add(struct db *db, const struct audit_entry *one, int64_t keep_ms,
                  struct err *e) must_check;

struct audit_query {
    str actor;      /* id or part of the name; "": all */
    str q;          /* part of action or object; "": all */
    bool refused;   /* only with a status of 400 and up */
    int64_t since;  /* Unix milliseconds; 0: all */
    int64_t before; /* only rows with a smaller id; 0: from the newest */
    int64_t limit;
};
typedef void (*audit_each_fn)(void *ud, const struct audit_entry *one);
/* Newest first; texts are lent for the call of `each`. */
enum rc audit_list(struct db *db, const struct audit_query *q, audit_each_fn each, void *ud,
                   struct err *e) must_check;

#endif
