/* dataset_int.h - what the *_sql.c files of this folder share, and what only imports may do. */
#ifndef ANNEAL_FLOW_DATASET_DATASET_INT_H
#define ANNEAL_FLOW_DATASET_DATASET_INT_H

#include "db/cols.h"
#include "flow/dataset/dataset.h"

enum rc dataset_nomem(struct err *e);

/* ---- loading a content (load.c) */
struct content_row {
    struct dataset_image image;
    const int32_t *classes; /* sorted, each once */
    size_t classes_n;
};
/* Its id, and whether it is complete already.  If not, rows of an interrupted load are removed. */
enum rc content_begin(struct db *db, str version, const struct dataset_header *h, str format,
                      int64_t bytes, int64_t manifest_bytes, int64_t *ret_id, bool *ret_ready,
                      struct err *e) must_check;
enum rc content_add(struct db *db, int64_t id, const struct content_row *rows, size_t n,
                    struct err *e) must_check; /* one transaction */

/* ---- sweeping (sweep.c) */
enum rc content_has_blob(struct db *db, str sha256, bool *ret, struct err *e) must_check;
enum rc import_is_running(struct db *db, bool *ret, struct err *e) must_check;

/* ---- contents of deleted datasets (garbage_sql.c) */
/* One content that no dataset has loses its versions and is 'loading' from now on, as one whose
 * load was interrupted; *ret_id 0: there is none. */
enum rc content_condemn(struct db *db, struct arena *a, int64_t *ret_id, str *ret_version,
                        struct err *e) must_check;
struct dead_image {
    int64_t index;
    str sha256;
    bool shared; /* a content that is ready has the same picture */
};
/* Its first pictures, by index. */
enum rc content_dead_images(struct db *db, struct arena *a, int64_t id, size_t max,
                            struct dead_image **ret, size_t *ret_n, struct err *e) must_check;
enum rc content_forget_images(struct db *db, int64_t id, int64_t upto, struct err *e) must_check;
enum rc content_forget(struct db *db, int64_t id, struct err *e) must_check;

/* ---- imports (imports.c) */
enum rc import_requeue_all(struct db *db, struct err *e) must_check; /* at start-up */
/* The oldest queued one becomes running, its attempt counted; id "" if there is none. */
enum rc import_take(struct db *db, struct arena *a, struct import *ret, struct err *e) must_check;
enum rc import_progress(struct db *db, str id, str phase, double progress, int64_t images,
                        struct err *e) must_check;
enum rc import_requeue(struct db *db, str id, struct err *e) must_check;
enum rc import_fail(struct db *db, const struct import *im, str code, str fault, str text,
                    struct err *e) must_check;
struct import_result {
    int64_t content, images, faults;
    str version, stats;
    const struct fault_row *kept;
    size_t kept_n;
};
/* The content is ready, the dataset has it as a version, the import is done: one transaction. */
enum rc import_finish(struct db *db, const struct import *im, const struct import_result *r,
                      struct err *e) must_check;

#endif
