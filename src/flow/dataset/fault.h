/* fault.h - what an importer finds wrong in the data: one table of codes, counted without end, kept
 * up to FAULTS_KEPT_MAX, each with file, line and what was done about it.
 *
 * A fault is not a failure: the import goes on.  What ends an import is an `enum rc`, and carries
 * one of these codes too where one fits (encrypted, link, unsafe_path, too_large, ...).
 */
#ifndef ANNEAL_FLOW_DATASET_FAULT_H
#define ANNEAL_FLOW_DATASET_FAULT_H

#include "base/arena.h"
#include "base/json.h"
#include "base/vec.h"

enum fault_severity { FAULT_ERROR, FAULT_WARNING, FAULT_INFO };
extern const char *const fault_severity_names[]; /* "error", "warning", "info" */

/* name, code, severity */
#define FAULT_TABLE(X)                                                                             \
    X(CORRUPT_IMAGE, "corrupt_image", ERROR)           /* cannot be decoded */                     \
    X(UNSUPPORTED_FORMAT, "unsupported_format", ERROR) /* a picture, but not JPEG, PNG or WebP */  \
    X(TOO_LARGE, "too_large", ERROR)                   /* above a limit for one file */            \
    X(BAD_LINE, "bad_line", ERROR) /* a label line or element not understood */                    \
    X(BAD_FILE, "bad_file", ERROR) /* a whole annotation file not understood */                    \
    X(CLASS_OUT_OF_RANGE, "class_out_of_range", ERROR)                                             \
    X(ZERO_AREA_BOX, "zero_area_box", ERROR)                                                       \
    X(BOX_OUTSIDE_IMAGE, "box_outside_image", WARNING)                                             \
    X(SIZE_MISMATCH, "size_mismatch", WARNING) /* annotation and picture disagree on the size */   \
    X(UNSUPPORTED_SHAPE, "unsupported_shape", WARNING) /* e.g. a COCO run-length mask */           \
    X(MISSING_IMAGE, "missing_image", ERROR)           /* annotated, but not in the archive */     \
    X(MISSING_ANNOTATION, "missing_annotation", WARNING)                                           \
    X(MISSING_NAMES, "missing_names", WARNING) /* classes have numbers only */                     \
    X(DUPLICATE_IMAGE, "duplicate_image", WARNING)                                                 \
    X(DUPLICATE_NAME, "duplicate_name", ERROR) /* the same path twice in the archive */            \
    X(BAD_UTF8_NAME, "bad_utf8_name", WARNING)                                                     \
    X(STRAY_FILE, "stray_file", WARNING) /* outside of the layout */                               \
    X(SPLIT_CONFLICT, "split_conflict", WARNING)                                                   \
    X(EMPTY_CLASS, "empty_class", WARNING)                                                         \
    X(CLASS_IMBALANCE, "class_imbalance", WARNING)                                                 \
    X(FEW_SAMPLES, "few_samples", INFO)                                                            \
    X(UNLABELLED, "unlabelled", INFO)    /* no labels of a known layout */                         \
    X(UNSAFE_PATH, "unsafe_path", ERROR) /* the rest end the import */                             \
    X(LINK, "link", ERROR)                                                                         \
    X(ENCRYPTED, "encrypted", ERROR)                                                               \
    X(NESTED_ARCHIVE, "nested_archive", ERROR)                                                     \
    X(BOMB, "bomb", ERROR)                                                                         \
    X(TOO_MANY_ENTRIES, "too_many_entries", ERROR)                                                 \
    X(TRUNCATED, "truncated", ERROR)                                                               \
    X(UNKNOWN_LAYOUT, "unknown_layout", ERROR)

enum fault_code {
#define X(name, code, severity) FAULT_CODE_##name,
    FAULT_TABLE(X)
#undef X
        FAULT_CODE_COUNT
};
const char *fault_code_name(enum fault_code c);
enum fault_severity fault_code_severity(enum fault_code c);

enum { FAULTS_KEPT_MAX = 10000, FAULT_TEXT_MAX = 400 };

struct fault {
    enum fault_code code;
    int32_t line; /* 1-based; 0: the whole file */
    str file;     /* path in the archive; "" for the dataset as a whole */
    str image;    /* name of the image concerned, "" none */
    str message;  /* what is wrong */
    str action;   /* what was done */
};

struct faults {
    struct arena *a; /* lent: texts live there */
    VEC(struct fault) list;
    uint64_t counts[FAULT_CODE_COUNT]; /* of all, kept or not */
    uint64_t total;
    bool nomem; /* a text could not be kept; checked once at the end */
};
void faults_init(struct faults *f, struct arena *a);
void faults_done(struct faults *f);
/* file and image are lent for the life of the arena; action is a literal. */
void faults_add(struct faults *f, enum fault_code code, str file, int32_t line, str image,
                const char *action, const char *fmt, ...) printf_like(7, 8);
/* Appends all of `from`, as if found here and now (texts are shared: the same arena). */
void faults_merge(struct faults *f, const struct faults *from);

void fault_write(const struct fault *f, struct jw *w); /* one object */
/* {"corrupt_image": 3, ...}: the codes that occurred */
void faults_counts_write(const struct faults *f, struct jw *w);

#endif
