/* sweep.h - takes back what failed imports have stored: pictures and previews that no version has.
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

#endif
