/* data.h - the rows of the index that say where bytes lie.  Private to store/.
 *
 *     object, part  n---1  data(bytes in a file | inline | pieces)
 *     data of kind pieces  1---n  piece  1---1  data
 *
 * `data.refs` counts the objects that share the bytes (a copy copies a row, not bytes).  All calls
 * work inside the caller's transaction; what is returned lives in the arena given.
 */
#ifndef ANNEAL_STORE_DATA_H
#define ANNEAL_STORE_DATA_H

#include "db/db.h"
#include "store/files.h"

enum data_kind { DATA_FILE, DATA_INLINE, DATA_PIECES };

/* At every start: creates what is missing.  Its layout is numbered apart from the index's. */
enum rc data_setup(struct tx *tx, struct err *e) must_check;
/* Bytes on their way into the index: made by intake.c, or for DATA_PIECES by hand. */
struct data_new {
    int64_t id; /* files_new_id() */
    enum data_kind kind;
    uint64_t bytes;
    str body; /* of DATA_INLINE */
};
/* One reference to them.  *ret_id is what the object's row must name: the number of the same
 * content where the store has it already, else n->id. */
enum rc data_add(struct tx *tx, const struct data_new *n, int64_t *ret_id,
                 struct err *e) must_check;
/* One object more uses it, or one less; the last one frees it. */
enum rc data_ref(struct tx *tx, int64_t data, struct err *e) must_check;
enum rc data_unref(struct tx *tx, int64_t data, struct freed_list *freed, struct err *e) must_check;
/* Data becomes the n-th piece (from 0) of data of kind DATA_PIECES. */
enum rc data_piece(struct tx *tx, int64_t owner, size_t n, int64_t data, struct err *e) must_check;

/* The bytes of DATA_INLINE. */
enum rc data_body(struct tx *tx, struct arena *a, int64_t data, str *ret, struct err *e) must_check;
/* A failed look-up is a failure, never "no": on a "no" files are removed. */
enum rc data_exists(struct tx *tx, int64_t data, bool *ret, struct err *e) must_check;
struct piece {
    int64_t data;
    enum data_kind kind;
    uint64_t bytes;
};
enum rc data_pieces(struct tx *tx, struct arena *a, int64_t data, struct piece **ret, size_t *ret_n,
                    struct err *e) must_check;

/* The one integer that a query gives; RC_NOT_FOUND without a row. */
enum rc data_one_int(struct rows *r, int64_t *ret, struct err *e) must_check;

#endif
