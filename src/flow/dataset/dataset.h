/* dataset.h - datasets, their versions, images and faults; uploads and imports: what is in the
 * database, and the only code that changes it.
 *
 *   upload (open -> complete) --> import (queued -> running -> done | failed) --> version
 *
 * 1. A version never changes.  Equal content is one version, however often it is uploaded.
 * 2. Names are unique within a project, without regard to case; no name becomes a key or a path.
 * 3. A dataset's first import that fails takes the dataset away again: nothing is stored.
 *
 * Every function may be called by any thread.  Text that is returned lives in the arena given.
 */
#ifndef ANNEAL_FLOW_DATASET_DATASET_H
#define ANNEAL_FLOW_DATASET_DATASET_H

#include "db/db.h"
#include "flow/dataset/fault.h"
#include "flow/dataset/split.h"
#include "spec/dataset.h"
#include "spec/field.h"

enum {
    DATASET_NAME_MAX = 200,
    UPLOAD_PART_BYTES = 64 << 20,
    UPLOAD_KEY_MAX = 80,
    UPLOAD_IDLE_MS_MAX = 48 * 3600 * 1000, /* then it is removed */
    IMPORT_ATTEMPTS_MAX = 3,               /* of a process that dies without a word */
};

struct dataset {
    str id, project_id, name, description, created_by, created_by_name;
    int64_t versions;                       /* how many */
    str version, task;                      /* of the newest; "" none yet */
    int64_t images, classes, bytes, faults; /* of the newest */
    str colours;                            /* JSON object: class -> number; filled by the API */
    int64_t created_at, updated_at;
};
extern const struct field dataset_fields[];

struct dataset_version {
    str dataset, version, s3_uri, task, format; /* s3_uri is filled by the API */
    int64_t number, images, train, val, test, none, bytes, manifest_bytes, faults;
    str classes;                     /* JSON array of names */
    str split;                       /* JSON: how it was split */
    str stats;                       /* JSON: assembly_stats; "" in lists */
    str kind, base_version, message; /* of the import that made it */
    str created_by;
    int64_t created_at;
    int64_t row, content; /* of the tables; not in JSON */
};
extern const struct field dataset_version_fields[];

/* ---- datasets.  `who`: only projects of this account ("" all). */
enum rc dataset_name_check(str name, str *ret_trimmed, struct err *e) must_check;
/* By id, or exact name (any case).  A name that is in several projects: the default project's, else
 * RC_CONFLICT. */
enum rc dataset_find(struct db *db, struct arena *a, str id_or_name, str who, struct dataset *ret,
                     struct err *e) must_check;
struct dataset_query {
    str who, project, q; /* part of the name; project "": all */
    str after_key, after_id;
    int64_t limit;
};
/* By name.  The key of a row's place is its name in lower case: dataset_name_key. */
enum rc dataset_list(struct db *db, struct arena *a, const struct dataset_query *q,
                     struct dataset **ret, size_t *ret_n, struct err *e) must_check;
const char *dataset_name_key(struct arena *a, str name);
/* RC_CONFLICT while an import of it runs.  Its objects go later (sweep.h). */
enum rc dataset_delete(struct db *db, str id, struct err *e) must_check;
enum rc dataset_describe(struct db *db, str id, str name, str description,
                         struct err *e) must_check;

/* ---- versions */
/* which: a version's hash (or at least its first 8 digits), its number, or "" or "latest". */
enum rc dataset_version_find(struct db *db, struct arena *a, str dataset_id, str which,
                             struct dataset_version *ret, struct err *e) must_check;
/* Newest first. */
enum rc dataset_versions(struct db *db, struct arena *a, str dataset_id,
                         struct dataset_version **ret, size_t *ret_n, struct err *e) must_check;

struct dataset_image {
    int64_t index;
    str name, split, sha256, type;
    int64_t bytes, width, height, label;
    str shapes; /* JSON object; "" none */
};
struct image_query {
    const struct dataset_version *v;
    str split, fault, q; /* "" any; fault "any": at least one */
    str labelled;        /* "yes", "no"; "" any */
    int64_t cls;         /* -1 any */
    int64_t after;       /* index of the last row; -1 from the start */
    int64_t limit;
};
enum rc dataset_images(struct db *db, struct arena *a, const struct image_query *q,
                       struct dataset_image **ret, size_t *ret_n, struct err *e) must_check;
/* Where the pictures of a filter are: how many, and the index of each `every`th from the first, so
 * that any window of them is one dataset_images away. */
struct image_anchors {
    int64_t count;
    int64_t *at;
    size_t n;
};
enum rc dataset_anchors(struct db *db, struct arena *a, const struct image_query *q, int64_t every,
                        struct image_anchors *ret, struct err *e) must_check;
enum rc dataset_image_get(struct db *db, struct arena *a, const struct dataset_version *v,
                          int64_t index, struct dataset_image *ret, struct err *e) must_check;
/* Is this content part of any version of the dataset? */
enum rc dataset_owns_blob(struct db *db, struct arena *a, str dataset_id, str sha256,
                          struct dataset_image *ret, struct err *e) must_check;

struct fault_row {
    int64_t n, line;
    str severity, code, file, image, message, action;
    int64_t index; /* of the picture in the version; -1: not in it */
};
extern const struct field fault_row_fields[];
struct fault_query {
    const struct dataset_version *v;
    str code, file, image;
    int64_t after; /* n of the last row; -1 from the start */
    int64_t limit;
};
enum rc dataset_faults(struct db *db, struct arena *a, const struct fault_query *q,
                       struct fault_row **ret, size_t *ret_n, struct err *e) must_check;

/* ---- what differs (diff.c), by name.  changed: other content; relabelled: the same content, other
 * label or shapes, classes compared by name; moved: in another split. */
enum { DIFF_SHOWN_MAX = 100 };
enum diff_kind { DIFF_ADDED, DIFF_REMOVED, DIFF_CHANGED, DIFF_RELABELLED, DIFF_MOVED, DIFF_KINDS };
extern const char *const diff_kind_names[]; /* added removed changed relabelled moved */
struct diff {
    int64_t count[DIFF_KINDS];
    str *names[DIFF_KINDS]; /* the first DIFF_SHOWN_MAX by name */
    size_t names_n[DIFF_KINDS];
};
enum rc dataset_diff(struct db *db, struct arena *a, const struct dataset_version *from,
                     const struct dataset_version *to, struct diff *ret, struct err *e) must_check;
struct diff_pair {
    str name;
    int64_t from, to; /* indices; -1: not there */
};
/* The pictures of one kind after `after`, by name; at most limit. */
enum rc dataset_diff_pairs(struct db *db, struct arena *a, const struct dataset_version *from,
                           const struct dataset_version *to, enum diff_kind kind, str after,
                           size_t limit, struct diff_pair **ret, size_t *ret_n,
                           struct err *e) must_check;
/* Pictures of each class: counts[class] of the version; as many as it has classes. */
enum rc dataset_class_counts(struct db *db, struct arena *a, const struct dataset_version *v,
                             int64_t **ret, size_t *ret_n, struct err *e) must_check;

/* ---- uploads */
struct upload {
    str id, project_id, name, split, state, created_by; /* split: JSON */
    int64_t bytes, part_bytes, created_at;
};
struct upload_part {
    int64_t n, bytes;
};
void upload_key(str upload_id, int64_t n, char ret[UPLOAD_KEY_MAX]);
enum rc upload_new(struct db *db, struct arena *a, struct upload *u,
                   struct err *e) must_check; /* fills id, state, created_at */
/* Writes its name, project and split: in a form they may come after the bytes. */
enum rc upload_describe(struct db *db, const struct upload *u, struct err *e) must_check;
enum rc upload_get(struct db *db, struct arena *a, str id, struct upload *ret,
                   struct err *e) must_check;
enum rc upload_part_put(struct db *db, str id, int64_t n, int64_t bytes, struct err *e) must_check;
enum rc upload_parts(struct db *db, struct arena *a, str id, struct upload_part **ret,
                     size_t *ret_n, struct err *e) must_check;
enum rc upload_remove(struct db *db, str id, struct err *e) must_check;
/* Those that nobody has added to for UPLOAD_IDLE_MS_MAX and no import waits for. */
enum rc upload_stale(struct db *db, struct arena *a, int64_t now, str **ret, size_t *ret_n,
                     struct err *e) must_check;

/* ---- imports */
struct import {
    str import, dataset, dataset_name, project_id;
    str kind, state, phase;
    double progress;
    str version;
    int64_t images, faults;
    str error_code, error_fault, error;
    str upload, base_version, draft, message, split, classes; /* split, classes: JSON */
    int64_t attempt;
    str created_by;
    int64_t created_at, started_at, ended_at;
};
extern const struct field import_fields[];
/* Completes the upload, makes the dataset if there is none of this name, queues the import: at
 * once. */
enum rc import_of_upload(struct db *db, struct arena *a, str upload_id, struct import *ret,
                         struct err *e) must_check;
enum rc import_of_version(struct db *db, struct arena *a, const struct dataset_version *base,
                          const struct split_spec *split, str who, struct import *ret,
                          struct err *e) must_check;
enum rc import_get(struct db *db, struct arena *a, str id, struct import *ret,
                   struct err *e) must_check;
/* Those of a dataset, newest first; at most 100. */
enum rc import_list(struct db *db, struct arena *a, str dataset_id, struct import **ret,
                    size_t *ret_n, struct err *e) must_check;

#endif
