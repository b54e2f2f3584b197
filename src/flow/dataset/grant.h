/* grant.h - may a job that runs on a dataset version read these images? */
#ifndef ANNEAL_FLOW_DATASET_GRANT_H
#define ANNEAL_FLOW_DATASET_GRANT_H

#include "db/db.h"

/* *ret_at: index of the first content that is no image of the version; n if it has them all.  Any
 * thread; one read transaction for the lot. */
enum rc dataset_version_lacks(struct db *db, str version, const str *sha256, size_t n,
                              size_t *ret_at, struct err *e) must_check;

#endif
