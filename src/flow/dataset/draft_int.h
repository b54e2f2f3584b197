/* draft_int.h - what draft.c and draft_sql.c share. */
#ifndef ANNEAL_FLOW_DATASET_DRAFT_INT_H
#define ANNEAL_FLOW_DATASET_DRAFT_INT_H

#include "flow/dataset/dataset_int.h"
#include "flow/dataset/draft.h"

enum rc draft_task_read(str name, enum task *ret, struct err *e) must_check;
/* What class i may be called: RC_INVALID (field "classes"). */
enum rc class_name_check(str name, size_t i, struct err *e) must_check;
/* Each once, as names should be, and no fewer than there were. */
enum rc draft_classes_check(const struct json *old, const struct strs *classes,
                            struct err *e) must_check;

enum rc draft_find(struct db *db, struct arena *a, str id, struct draft *ret,
                   struct err *e) must_check; /* in any state */
struct edited_picture {
    struct dataset_image picture; /* of the base, without shapes */
    struct draft_edit edit;
};
/* Those of state edited, by index. */
enum rc draft_edited(struct db *db, struct arena *a, const struct draft *d, int64_t after,
                     size_t limit, struct edited_picture **ret, size_t *ret_n,
                     struct err *e) must_check;

/* ---- within a transaction of the caller's */
/* import_sql.c: queues the import of a draft that is committing. */
enum rc import_of_draft(struct tx *tx, struct arena *a, const struct draft *d,
                        const struct split_spec *split, str message, str who, struct import *ret,
                        struct err *e) must_check;
/* The same of a change of classes, checked (reclass.h). */
enum rc import_of_classes(struct tx *tx, struct arena *a, const struct dataset_version *v,
                          const struct strs *to, str message, str who, struct import *ret,
                          struct err *e) must_check;
/* The import has ended: the draft is committed, or open again. */
enum rc draft_ended(struct tx *tx, str draft_id, bool done, struct err *e) must_check;

#endif
