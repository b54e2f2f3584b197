/* rowsum.h - a CRC-32C in each row of the index that decides what a reader gets.  Private to
 * store/.
 *
 * Covered are all columns but the sum itself, in a fixed order, each framed by its kind: an integer
 * by its eight bytes, a text or blob by its length and bytes, NULL by nothing.  Who looks a row up
 * by its key counts in the key that was asked for, so that a row that was found in another's place
 * is wrong too.
 *
 * Aside.  A column that statements change without reading the row (version.left_ms, data.refs) is
 * not in the chain: its own sum is counted in by exclusive or, and so is what the change makes of
 * it.  A row that is moved between `object` and `version` takes its sum along.  So no statement
 * makes a sum anew from columns that nobody has verified: a wrong row stays wrong, until it is
 * replaced by bytes that came from outside.
 *
 * A bit that flips in one row is found always, and other damage but for one case in 2^32.
 */
#ifndef ANNEAL_STORE_ROWSUM_H
#define ANNEAL_STORE_ROWSUM_H

#include "base/crc32c.h"
#include "db/db.h"

/* ---- sums of columns.  crc: 0 to begin with, or the sum of the columns before. */
uint32_t rowsum_int(uint32_t crc, int64_t v);
uint32_t rowsum_text(uint32_t crc, str s);
uint32_t rowsum_vals(uint32_t crc, const struct db_val *v, size_t n);
enum rowsum_aside { ASIDE_LEFT = 1, ASIDE_MARKER, ASIDE_REFS };
uint32_t rowsum_aside(enum rowsum_aside which, int64_t v); /* 0 of 0 */
/* Columns of a row from `at`, one for each letter: i integer, t text or blob, j and u the same or
 * NULL, and the digit of an ASIDE. */
uint32_t rowsum_row(uint32_t crc, struct rows *r, int at, const char *letters);
/* The same, and the column behind them is what it has to be. */
bool rowsum_holds(uint32_t crc, struct rows *r, int at, const char *letters);
/* The same, which also gives the columns (lent until the next row; of NULL: nothing). */
union rowsum_col {
    int64_t i;
    str s;
};
bool rowsum_read(uint32_t crc, struct rows *r, int at, const char *letters, union rowsum_col *ret);
/* Of a statement: the sum changes by a difference, an argument that stands there twice. */
#define ROWSUM_CHANGE "crc = (crc | ?) - (crc & ?)"

/* ---- all rows of a kind */
enum rowsum_kind {
    ROWSUM_BUCKET,
    ROWSUM_SETTING,
    ROWSUM_OBJECT,
    ROWSUM_VERSION,
    ROWSUM_UPLOAD,
    ROWSUM_PART, /* up to here of the index (index.h), from here of the bytes (data.h) */
    ROWSUM_PIECE,
    ROWSUM_SEGMENT,
    ROWSUM_FREED,
    ROWSUM_DATA,
    ROWSUM_KINDS
};
/* Of `object`, behind the key; `version` has in addition a marker and left_ms, both aside. */
#define ROWSUM_OBJECT_COLUMNS                                                                      \
    " seq, nullv, data, bytes, modified_ms, etag, type, meta, acl, tags, sum"
#define ROWSUM_OBJECT_LETTERS  "iiiiitttitt"
#define ROWSUM_VERSION_LETTERS ROWSUM_OBJECT_LETTERS "21"
/* Sets the sums of rows from before there were sums. */
enum rc rowsum_fill(struct tx *tx, enum rowsum_kind first, enum rowsum_kind last,
                    struct err *e) must_check;
/* Verifies the rows of all kinds but ROWSUM_DATA (data_walk tells of these), some at a time, and
 * calls `each` for one that is wrong.  RC_CANCELLED: the budget's stop was set.  Texts are lent for
 * the call; bucket and key are empty where a row is of none. */
struct budget;
typedef enum rc (*rowsum_fn)(void *ud, str bucket, str key, const char *text, struct err *e);
enum rc rowsum_check(struct db *db, struct budget *b, rowsum_fn each, void *ud,
                     struct err *e) must_check;

#endif
