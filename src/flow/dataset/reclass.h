/* reclass.h - other classes for the labels of a version: renamed, merged, removed.
 *
 * A change is a list with an entry for each class of the version, in the order of their numbers:
 * the name that its labels have from now on, or "": they go.  Entries of one name are merged.  The
 * new classes are numbered by the first entry that names them.
 *
 * The version stays as it is; the change is an import that makes another (ingest.h).  A picture
 * whose last object goes stays in its split, as one that shows nothing; one whose class goes is
 * unlabelled, and in no split.
 *
 * Every function may be called by any thread.  Text that is returned lives in the arena given.
 */
#ifndef ANNEAL_FLOW_DATASET_RECLASS_H
#define ANNEAL_FLOW_DATASET_RECLASS_H

#include "flow/dataset/dataset.h"
#include "flow/dataset/harvest.h"

struct reclass {
    str *names; /* the classes from now on */
    size_t names_n;
    int32_t *to; /* [from_n]: the new number of an old one, -1: removed */
    size_t from_n;
};

/* RC_INVALID (field "to"): not one entry a class, a name that is none, nothing that changes. */
enum rc reclass_read(struct arena *a, const str *classes, size_t n, const struct strs *to,
                     struct reclass *ret, struct err *e) must_check;
/* Labels and marks of all pictures, and the classes themselves. */
enum rc reclass_apply(const struct reclass *r, struct harvest *p, struct err *e) must_check;

/* What a change costs, before it is made. */
struct reclass_loss {
    int64_t labels, pictures; /* that lose something: removed labels, and pictures that had some */
    int64_t emptied;          /* pictures without any label afterwards */
};
/* `to` as above; checks it, and that the version's task has classes (else RC_INVALID). */
enum rc reclass_check(struct db *db, struct arena *a, const struct dataset_version *v,
                      const struct strs *to, struct reclass *ret, struct reclass_loss *ret_loss,
                      struct err *e) must_check;
/* Queues the import; colours follow their classes.  RC_CONFLICT while a draft is open: its labels
 * have the old classes. */
enum rc reclass_queue(struct db *db, struct arena *a, const struct dataset_version *v,
                      const struct strs *to, str message, str who, struct import *ret,
                      struct err *e) must_check;

#endif
