/* draft.h - labels that people change on top of a version, until a commit makes a version of them.
 *
 *   open --commit--> committing --import done--> committed
 *     |                  '--import failed--> open
 *     '--discard--> discarded
 *
 * 1. A version never changes: a draft holds what differs from its base, picture by picture.
 * 2. A dataset has at most one open draft; all who may label share it.
 * 3. Whoever changes a picture names the revision that they saw (0: the base's labels).  If it is
 *    not the newest, RC_PRECONDITION: nothing is overwritten unseen.  Task and classes likewise.
 * 4. Classes are added and renamed, never removed or reordered: numbers keep their meaning.
 * 5. `suggested` labels (a model's) are not committed; somebody has to make them `edited`.
 *
 * The commit is an import: the ingest process reads the base's manifest and lays the edits over it,
 * an object of manifest lines (draft_write) that replace those of the same name.
 *
 * Every function may be called by any thread.  Text that is returned lives in the arena given.
 */
#ifndef ANNEAL_FLOW_DATASET_DRAFT_H
#define ANNEAL_FLOW_DATASET_DRAFT_H

#include "flow/dataset/dataset.h"
#include "s3/s3.h"

enum {
    CLASS_NAME_MAX = 200,
    DRAFT_MESSAGE_MAX = 2000,
    DRAFT_SHAPES_BYTES_MAX = 1 << 20, /* of one picture */
    COLOURS_MAX = 64,                 /* of the app's palette */
};

struct draft {
    str id, dataset, base_version, state, task;
    str classes; /* JSON array of names */
    int64_t base_number, revision, edited, suggested;
    str created_by, created_by_name;
    int64_t created_at, updated_at;
    int64_t content; /* of the base; not in JSON */
};
extern const struct field draft_fields[];

/* The open or committing draft of a dataset; RC_NOT_FOUND if there is none. */
enum rc draft_get(struct db *db, struct arena *a, str dataset_id, struct draft *ret,
                  struct err *e) must_check;
/* Opens one, or returns the one that is open already (*ret_opened false).  task "": the base's. */
enum rc draft_open(struct db *db, struct arena *a, const struct dataset_version *base, str task,
                   str who, bool *ret_opened, struct draft *ret, struct err *e) must_check;
enum rc draft_discard(struct db *db, const struct draft *d, struct err *e) must_check;

struct class_change {
    int64_t revision; /* that the caller saw */
    str task;         /* "": as it is */
    struct strs classes;
    str colours; /* JSON object: name -> number of a colour; "" or {}: as they are */
};
enum rc draft_describe(struct db *db, struct arena *a, const struct draft *d,
                       const struct class_change *c, struct err *e) must_check;

struct draft_edit {
    int64_t index, revision;
    str state;          /* edited, suggested; reverted: as in the base */
    int64_t label;      /* -1: none */
    str shapes, scores; /* JSON; "" none */
    str updated_by, updated_by_name;
    int64_t updated_at;
};
/* *ret_found false: never touched. */
enum rc draft_edit_get(struct db *db, struct arena *a, const struct draft *d, int64_t index,
                       bool *ret_found, struct draft_edit *ret, struct err *e) must_check;
/* In order of index; state "": edited and suggested. */
struct edit_query {
    const struct draft *d;
    str state;
    int64_t after, limit;
};
enum rc draft_edits(struct db *db, struct arena *a, const struct edit_query *q,
                    struct draft_edit **ret, size_t *ret_n, struct err *e) must_check;
/* Checks label and shapes against the draft's classes and the picture: shapes come back canonical,
 * boxes and polygons clipped to the picture. */
enum rc draft_edit_check(struct arena *a, const struct draft *d, const struct dataset_image *pic,
                         struct draft_edit *edit, struct err *e) must_check;
/* edit->revision: as the caller saw it; on success the new one. */
enum rc draft_edit_put(struct db *db, const struct draft *d, struct draft_edit *edit, str who,
                       struct err *e) must_check;

/* Queues the import.  RC_CONFLICT if nothing differs from the base. */
enum rc draft_commit(struct db *db, struct arena *a, const struct draft *d,
                     const struct split_spec *split, str message, str who, struct import *ret,
                     struct err *e) must_check;
/* The edits as an object: a manifest's header with the draft's task and classes, then the lines of
 * the edited pictures. */
enum rc draft_write(struct db *db, struct s3 *s3, str draft_id, const char *key,
                    struct err *e) must_check;
void draft_key(str import_id, char ret[BLOB_KEY_MAX]);

/* JSON object of the dataset's class colours. */
enum rc dataset_colours(struct db *db, struct arena *a, str dataset_id, str *ret,
                        struct err *e) must_check;

#endif
