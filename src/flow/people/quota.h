/* quota.h - what an account may use, and what it uses.
 *
 * Bytes count once for each content: the pictures of the dataset versions that the account made (of
 * datasets that are not deleted) and the checkpoints of its jobs.  Two accounts that made a version
 * of the same pictures both count them.  The limit is looked at when an upload begins, and bounds
 * its size; what a job writes is counted and never refused, so that a night's training does not
 * end for want of a few bytes.  Any thread.
 */
#ifndef ANNEAL_FLOW_PEOPLE_QUOTA_H
#define ANNEAL_FLOW_PEOPLE_QUOTA_H

#include "db/db.h"
#include "spec/field.h"

enum { QUOTA_DEFAULT = -1 }; /* as the program's setting says */

struct quota {
    str user_id, email, name;
    int64_t jobs_max;  /* that run at once; QUOTA_DEFAULT */
    int64_t bytes_max; /* 0: no limit; QUOTA_DEFAULT */
    /* what is used */
    int64_t running, waiting, jobs; /* jobs in all */
    int64_t datasets;               /* versions */
    int64_t picture_bytes, checkpoint_bytes;
};
extern const struct field quota_fields[];

/* RC_NOT_FOUND: no such account. */
enum rc quota_set(struct db *db, str user_id, int64_t jobs_max, int64_t bytes_max,
                  struct err *e) must_check;
typedef void (*quota_each_fn)(void *ud, const struct quota *one);
/* In order of email: of one account, or of all ("").  Texts are lent for the call. */
enum rc quota_list(struct db *db, str user_id, quota_each_fn each, void *ud,
                   struct err *e) must_check;
/* Bytes that the account may still store; INT64_MAX: no limit.  bytes_default: the setting. */
enum rc quota_room(struct db *db, str user_id, int64_t bytes_default, int64_t *ret,
                   struct err *e) must_check;

#endif
