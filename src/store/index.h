/* index.h - the index of the store: what stands in store.db.  Private to store/.
 *
 *     bucket(name)  1---n  object(key, etag, ...)  n---1  data (data.h)
 *     upload(key)   1---n  part(number, etag)      1---1  data
 *
 * All calls work inside the caller's transaction; texts are lent by the caller or live in the arena
 * given.
 */
#ifndef ANNEAL_STORE_INDEX_H
#define ANNEAL_STORE_INDEX_H

#include "store/data.h"
#include "store/identity.h"

enum { INDEX_ETAG_MAX = 48 };

struct object {
    int64_t data;
    enum data_kind kind;
    uint64_t bytes;
    int64_t modified_ms;
    char etag[INDEX_ETAG_MAX]; /* without quotes */
    str type;                  /* Content-Type */
    str meta;                  /* header lines "name: value\n" to give back */
};

/* Creates the tables in an empty file, refuses a newer layout (RC_CONFLICT), and takes the next
 * generation. */
enum rc index_setup(struct db *db, int64_t *ret_generation, struct err *e) must_check;

/* ---- buckets */
enum rc index_bucket(struct tx *tx, str name, int64_t *ret,
                     struct err *e) must_check; /* NOT_FOUND */
/* owner: name of the identity that made it (identity.h), copied out with its NUL. */
enum rc index_bucket_owner(struct tx *tx, str name, char ret[IDENTITY_NAME_MAX + 1],
                           struct err *e) must_check; /* NOT_FOUND */
enum rc index_bucket_add(struct tx *tx, str name, str owner, int64_t now_ms,
                         struct err *e) must_check;
/* Also drops its unfinished uploads.  RC_CONFLICT: an object is in it. */
enum rc index_bucket_remove(struct tx *tx, int64_t bucket, struct freed_list *freed,
                            struct err *e) must_check;
typedef enum rc (*index_bucket_fn)(void *ud, str name, str owner, int64_t created_ms,
                                   struct err *e);
enum rc index_buckets(struct tx *tx, index_bucket_fn each, void *ud, struct err *e) must_check;

/* ---- objects.  RC_NOT_FOUND where there is none. */
enum rc index_get(struct tx *tx, struct arena *a, int64_t bucket, str key, struct object *ret,
                  struct err *e) must_check;
/* New data under a key (o->data and o->kind play no part); what was there is freed. */
enum rc index_put(struct tx *tx, int64_t bucket, str key, const struct object *o,
                  struct data_new *d, struct freed_list *freed, struct err *e) must_check;
/* The data of an object that exists, under another key (or its own, with new headers). */
enum rc index_link(struct tx *tx, int64_t bucket, str key, const struct object *o,
                   struct freed_list *freed, struct err *e) must_check;
enum rc index_delete(struct tx *tx, int64_t bucket, str key, struct freed_list *freed,
                     struct err *e) must_check;
/* Objects with from <= key < to, in order; `each` ends the walk by *stop. */
typedef enum rc (*index_list_fn)(void *ud, str key, const struct object *o, bool *stop,
                                 struct err *e);
enum rc index_list(struct tx *tx, int64_t bucket, str from, str to, size_t max, index_list_fn each,
                   void *ud, struct err *e) must_check;
enum rc index_usage(struct tx *tx, uint64_t ret[4], struct err *e) must_check; /* store_usage */

/* ---- multipart uploads */
struct upload {
    int64_t id, bucket;
    str key, type, meta;
};
enum rc index_upload_add(struct tx *tx, const struct upload *u, int64_t now_ms,
                         struct err *e) must_check;
enum rc index_upload(struct tx *tx, struct arena *a, int64_t id, struct upload *ret,
                     struct err *e) must_check;
enum rc index_part_put(struct tx *tx, int64_t upload, unsigned number, const struct object *o,
                       struct data_new *d, struct freed_list *freed, struct err *e) must_check;
struct part {
    unsigned number;
    int64_t data;
    uint64_t bytes;
    int64_t modified_ms;
    char etag[INDEX_ETAG_MAX];
};
/* Parts with number > after, in order, at most max. */
enum rc index_parts(struct tx *tx, struct arena *a, int64_t upload, unsigned after, size_t max,
                    struct part **ret, size_t *ret_n, struct err *e) must_check;
/* The parts in the order given become the object o (o->data: a new number); the others are freed,
 * and so is the upload. */
enum rc index_complete(struct tx *tx, const struct upload *u, const struct object *o,
                       const struct part *parts, size_t n, struct freed_list *freed,
                       struct err *e) must_check;
enum rc index_upload_drop(struct tx *tx, int64_t upload, struct freed_list *freed,
                          struct err *e) must_check;
/* One unfinished upload begun before then; RC_NOT_FOUND if there is none. */
enum rc index_upload_older(struct tx *tx, int64_t before_ms, int64_t *ret,
                           struct err *e) must_check;

#endif
