/* sweep.h - takes back what nobody needs: pictures, previews and manifests of failed imports and of
 * deleted datasets.
 *
 * Runs on the thread that runs imports, between two of them, so nobody is storing pictures
 * meanwhile; while another process's import runs (the database tells) it does nothing.
 */
#ifndef ANNEAL_FLOW_DATASET_SWEEP_H
#define ANNEAL_FLOW_DATASET_SWEEP_H

#include "db/db.h"
#include "s3/s3.h"

/* *ret_removed counts objects.  Stopped by `stop` it returns RC_CANCELLED. */
struct event;
enum rc sweep_blobs(struct db *db, struct s3 *s3, struct event *stop, int64_t *ret_removed,
                    struct err *e) must_check;

/* What deleted datasets alone had: at most SWEEP_AT_ONCE pictures of it, so that an import does not
 * wait long; *ret_more: call again.  Pictures that another dataset has too stay. */
enum rc sweep_deleted(struct db *db, struct s3 *s3, struct event *stop, int64_t *ret_removed,
                      bool *ret_more, struct err *e) must_check;

#endif
