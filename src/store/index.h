/* index.h - the index of the store: what stands in store.db.  Private to store/.
 *
 *     bucket(name)  1---n  object(key, etag, ...)       n---1  data (data.h)
 *                   1---n  version(key, seq, marker..)  n---1  data
 *                   1---n  setting(kind: policy, cors, ...)
 *     upload(key)   1---n  part(number, etag)           1---1  data
 *
 * Invariants
 *  1. `object` holds the current version of each key that can be read, one row for a key; so lists
 *     and reads do not see how many versions there are.
 *  2. `version` holds all else: versions that are not current any more, and delete markers.  A key
 *     without a row in `object` may have a marker as its newest row here, never a version.
 *  3. `seq` grows with each version written; newest means greatest.  A key has at most one null
 *     version (Amazon's name for one written while versioning was off or suspended).
 *  4. version.left_ms is 0 for a marker that is its key's newest row, otherwise the time at which
 *     the row ceased to be the newest.
 *  5. Each row has a checksum (rowsum.h), verified when it is read: RC_CORRUPT.  Putting and
 *     deleting replace and remove a wrong row, and leave alone what it names.
 *
 * All calls work inside the caller's transaction; texts are lent by the caller or live in the arena
 * given.
 */
#ifndef ANNEAL_STORE_INDEX_H
#define ANNEAL_STORE_INDEX_H

#include "store/checksum.h"
#include "store/data.h"
#include "store/policy.h"

enum { INDEX_ETAG_MAX = 48, INDEX_VERSION_TEXT = 17, INDEX_OWNER_MAX = 65 };

struct object {
    int64_t data; /* 0: a delete marker */
    enum data_kind kind;
    uint64_t bytes;
    int64_t modified_ms;
    char etag[INDEX_ETAG_MAX]; /* without quotes */
    str type;                  /* Content-Type */
    str meta;                  /* header lines "name: value\n" to give back */
    str tags;                  /* "a=b&c=d", encoded; empty: none */
    struct sum sum;
    enum canned_acl acl;
    int64_t seq;
    bool null_version, marker;
    bool newest;     /* of lists: what a read without a version means */
    int64_t left_ms; /* of lists of versions */
};

/* Creates the tables in an empty file, brings an older layout up to this one, refuses a newer one
 * (RC_CONFLICT), and takes the next generation. */
enum rc index_setup(struct db *db, int64_t *ret_generation, struct err *e) must_check;

/* ---- buckets */
enum versioning { VERSIONING_OFF, VERSIONING_ON, VERSIONING_SUSPENDED };
struct bucket {
    int64_t id, created_ms;
    enum versioning versioning;
    enum canned_acl acl;
    char owner[INDEX_OWNER_MAX]; /* name of the identity that made it; empty: nobody's */
};
enum rc index_bucket(struct tx *tx, str name, struct bucket *ret,
                     struct err *e) must_check; /* NOT_FOUND */
enum rc index_bucket_add(struct tx *tx, str name, str owner, enum canned_acl acl, int64_t now_ms,
                         struct err *e) must_check;
enum rc index_bucket_versioning(struct tx *tx, int64_t bucket, enum versioning v,
                                struct err *e) must_check;
enum rc index_bucket_acl(struct tx *tx, int64_t bucket, enum canned_acl acl,
                         struct err *e) must_check;
/* Also drops its settings and unfinished uploads.  RC_CONFLICT: an object or a version is in it. */
enum rc index_bucket_remove(struct tx *tx, int64_t bucket, struct freed_list *freed,
                            struct err *e) must_check;
/* Those with name >= from, in order; `each` ends the walk by *stop. */
typedef enum rc (*index_bucket_fn)(void *ud, str name, const struct bucket *b, bool *stop,
                                   struct err *e);
enum rc index_buckets(struct tx *tx, str from, index_bucket_fn each, void *ud,
                      struct err *e) must_check;
/* A document kept with a bucket: "policy", "cors", "lifecycle", "tagging".  RC_NOT_FOUND. */
enum rc index_setting(struct tx *tx, struct arena *a, int64_t bucket, const char *kind, str *ret,
                      struct err *e) must_check;
/* body.p NULL removes it. */
enum rc index_setting_put(struct tx *tx, int64_t bucket, const char *kind, str body,
                          struct err *e) must_check;

/* ---- objects.  RC_NOT_FOUND where there is none. */

/* A version as a request names it: "null" or INDEX_VERSION_TEXT - 1 hexadecimal digits. */
struct version_id {
    int64_t seq;
    bool null_version;
};
bool version_parse(str s, struct version_id *ret);
void version_text(const struct object *o, char ret[INDEX_VERSION_TEXT]);
/* v NULL: the current version.  With v, ret->marker may be set. */
enum rc index_get(struct tx *tx, struct arena *a, int64_t bucket, str key,
                  const struct version_id *v, struct object *ret, struct err *e) must_check;
/* The delete marker that is the key's newest row. */
enum rc index_marker(struct tx *tx, struct arena *a, int64_t bucket, str key, struct object *ret,
                     struct err *e) must_check;
/* New data under a key (o->kind plays no part).  What was there is freed, or stays as a version.
 * Sets o->data, o->seq and o->null_version. */
enum rc index_put(struct tx *tx, const struct bucket *b, str key, struct object *o,
                  struct data_new *d, struct freed_list *freed, struct err *e) must_check;
/* The data of an object that exists, under another key (or its own, with new headers). */
enum rc index_link(struct tx *tx, const struct bucket *b, str key, struct object *o,
                   struct freed_list *freed, struct err *e) must_check;
/* Of the bucket's current version: frees it, or puts a delete marker, which *ret_marker describes
 * (marker false where none was put).  Nothing there is RC_OK. */
enum rc index_delete(struct tx *tx, const struct bucket *b, str key, int64_t now_ms,
                     struct object *ret_marker, struct freed_list *freed, struct err *e) must_check;
/* One version for good; the next newest takes its place.  *ret: what it was. */
enum rc index_delete_version(struct tx *tx, const struct bucket *b, str key,
                             const struct version_id *v, struct object *ret,
                             struct freed_list *freed, struct err *e) must_check;
/* Sets the tags or the ACL of one version (o as index_get gave it). */
enum rc index_retag(struct tx *tx, int64_t bucket, str key, const struct object *o, str tags,
                    struct err *e) must_check;
enum rc index_reacl(struct tx *tx, int64_t bucket, str key, const struct object *o,
                    enum canned_acl acl, struct err *e) must_check;

/* Objects with from <= key < to, in order; `each` ends the walk by *stop.  Filled: bytes,
 * modified_ms, etag, sum. */
typedef enum rc (*index_list_fn)(void *ud, str key, const struct object *o, bool *stop,
                                 struct err *e);
enum rc index_list(struct tx *tx, int64_t bucket, str from, str to, size_t max, index_list_fn each,
                   void *ud, struct err *e) must_check;
/* Versions and markers with from <= key < to; of the key `from` itself only those with seq <
 * before (0: none is left out).  Filled: as above, tags, and seq .. left_ms. */
enum rc index_list_versions(struct tx *tx, int64_t bucket, str from, int64_t before, str to,
                            size_t max, index_list_fn each, void *ud, struct err *e) must_check;
enum rc index_usage(struct tx *tx, uint64_t ret[4], struct err *e) must_check; /* store_usage */

/* ---- multipart uploads */
struct upload {
    int64_t id, bucket, created_ms;
    str key, type, meta, tags;
    enum canned_acl acl;
    enum checksum_kind sum_kind;   /* of its parts and the whole */
    bool sum_composite, sum_asked; /* asked: the client named it */
};
enum rc index_upload_add(struct tx *tx, const struct upload *u, struct err *e) must_check;
enum rc index_upload(struct tx *tx, struct arena *a, int64_t id, struct upload *ret,
                     struct err *e) must_check;
/* Unfinished uploads with from <= key < to in order of (key, id), of the key `from` those with id >
 * after. */
typedef enum rc (*index_upload_fn)(void *ud, const struct upload *u, bool *stop, struct err *e);
enum rc index_uploads(struct tx *tx, int64_t bucket, str from, int64_t after, str to, size_t max,
                      index_upload_fn each, void *ud, struct err *e) must_check;
enum rc index_part_put(struct tx *tx, int64_t upload, unsigned number, const struct object *o,
                       struct data_new *d, struct freed_list *freed, struct err *e) must_check;
struct part {
    unsigned number;
    int64_t data;
    uint64_t bytes;
    int64_t modified_ms;
    char etag[INDEX_ETAG_MAX];
    struct sum sum;
};
/* Parts with number > after, in order, at most max. */
enum rc index_parts(struct tx *tx, struct arena *a, int64_t upload, unsigned after, size_t max,
                    struct part **ret, size_t *ret_n, struct err *e) must_check;
/* The parts in the order given become the object o (o->data: a new number); the others are freed,
 * and so is the upload. */
enum rc index_complete(struct tx *tx, const struct bucket *b, const struct upload *u,
                       struct object *o, const struct part *parts, size_t n,
                       struct freed_list *freed, struct err *e) must_check;
enum rc index_upload_drop(struct tx *tx, int64_t upload, struct freed_list *freed,
                          struct err *e) must_check;
/* One unfinished upload begun before then; RC_NOT_FOUND if there is none. */
enum rc index_upload_older(struct tx *tx, int64_t before_ms, int64_t *ret,
                           struct err *e) must_check;

#endif
