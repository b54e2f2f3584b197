/* load.h - from the objects that an ingest process has written to rows. */
#ifndef ANNEAL_FLOW_DATASET_LOAD_H
#define ANNEAL_FLOW_DATASET_LOAD_H

#include "flow/dataset/dataset_int.h"
#include "s3/s3.h"

enum { LOAD_ROWS = 2000, LOAD_BATCH_BYTES = 8 << 20 };

/* Streams the manifest into rows, LOAD_ROWS a transaction, so that no writer waits long and memory
 * does not grow with the dataset.  A content that is ready already costs one look-up. */
enum rc load_manifest(struct db *db, struct s3 *s3, const char *version, str format, int64_t bytes,
                      int64_t manifest_bytes, int64_t *ret_content, struct err *e) must_check;
/* Statistics (JSON) and the kept faults of a report. */
enum rc load_report(struct s3 *s3, struct arena *a, const char *key, str *ret_stats,
                    struct fault_row **ret, size_t *ret_n, struct err *e) must_check;

#endif
