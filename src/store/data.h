/* data.h - the rows of the index that say where bytes lie.  Private to store/.
 *
 *     object, part  n---1  data: one content, in one of these kinds
 *         INLINE  in the row itself: up to INLINE_BYTES_MAX, until it is packed (pack.h)
 *         PACKED  a record of a segment (segment.h); place: its segment and place in it
 *         BLOCKS  a file of its own (blocks.h); place: the file's number
 *         PIECES  the parts of a finished multipart upload: rows of `piece`
 *         FILE    a file of layout 1, without checksums, until it is rewritten; place: its number
 *     data of kind PIECES  1---n  piece  n---1  data
 *
 * `refs` counts the objects, parts and pieces that share the bytes: a copy copies a row, and the
 * same content (SHA-256 and length) is stored once.  `sum` is the CRC-32C of an INLINE body; the
 * other kinds carry their checksums with the bytes.
 *
 *     segment(number, bytes, dead, sealed)   how far each segment is synced and how much of it is
 * dead freed(kind, place)                     files that nothing names, about to be removed
 * (files.h) damage(data, found_ms, text)           contents known to be wrong on the disk
 *
 * Each row of data, piece, segment and freed has a checksum of its own (rowsum.h), verified when it
 * is read; `dead`, which decides nothing but what is compacted, is not in it.
 *
 * Why metadata lies in SQLite: bench/store/disk.c measures it.  All calls work inside the caller's
 * transaction; what is returned lives in the arena given.
 */
#ifndef ANNEAL_STORE_DATA_H
#define ANNEAL_STORE_DATA_H

#include "base/hash.h"
#include "db/db.h"
#include "store/files.h"

enum { DATA_LAYOUT = 4, INLINE_BYTES_MAX = 4000 /* a row in a page of the index */ };

/* At every start: creates what is missing, upgrades layout 1.  Its layout is numbered apart from
 * the index's: counter 'data_layout'. */
enum rc data_setup(struct tx *tx, struct err *e) must_check;
enum rc data_counter(struct tx *tx, const char *name, int64_t *ret,
                     struct err *e) must_check; /* 0 */
/* One more than before; RC_NOT_FOUND, and nothing is counted, where the index lacks the counter. */
enum rc data_counter_next(struct tx *tx, const char *name, int64_t *ret, struct err *e) must_check;
enum rc data_counter_set(struct tx *tx, const char *name, int64_t value, struct err *e) must_check;

/* ---- contents */

/* Bytes on their way into the index: made by intake.c, or for DATA_PIECES by hand. */
struct data_new {
    int64_t id; /* files_new_id() */
    enum data_kind kind;
    uint64_t bytes;
    str body;                  /* of INLINE and PACKED; lent until the commit */
    int64_t place;             /* of PACKED, BLOCKS */
    struct segments *segments; /* of PACKED */
    bool has_sha;
    uint8_t sha[SHA256_BYTES];
    int64_t same;    /* content that was there before, just now verified, to be shared; 0: none */
    int64_t unsound; /* content that should be the same and is damaged; 0: none */
    bool shared;     /* out: the bytes are there already, and ours are not needed */
};
/* One reference to them.  *ret_id is what the object's row must name: the number of the same
 * content where the store has it already, else n->id.  RC_UNAVAILABLE: what was to be shared is
 * gone, or the segment has failed meanwhile; the client tries again. */
enum rc data_add(struct tx *tx, struct data_new *n, int64_t *ret_id, struct err *e) must_check;
/* One object more uses it, or one less; the last one frees it.  Content whose row is wrong is not
 * freed, for nobody knows what it is: it stays, for the check to tell. */
enum rc data_ref(struct tx *tx, int64_t data, struct err *e) must_check;
enum rc data_unref(struct tx *tx, int64_t data, struct freed_list *freed, struct err *e) must_check;
/* Data, itself not in pieces, becomes the n-th piece (from 0) of data of kind DATA_PIECES.  sum: of
 * the part that it was, as the index keeps it (checksum.h); empty: none is known. */
enum rc data_piece(struct tx *tx, int64_t owner, size_t n, int64_t data, const char *sum,
                   struct err *e) must_check;

struct data_row {
    int64_t id, place, refs;
    enum data_kind kind;
    uint64_t bytes;
    bool wrong;   /* of walks: the row does not have its checksum (rowsum.h) */
    bool has_sum; /* not of layout 1 */
    uint32_t sum;
    str body;     /* of INLINE */
    str part_sum; /* of data_pieces: what data_piece() was given */
    bool has_sha;
    uint8_t sha[SHA256_BYTES];
};
/* RC_CORRUPT: the index names it, and it is not there, or its row is wrong. */
enum rc data_get(struct tx *tx, struct arena *a, int64_t data, struct data_row *ret,
                 struct err *e) must_check;
/* The rows of the pieces, in order. */
enum rc data_pieces(struct tx *tx, struct arena *a, int64_t data, struct data_row **ret,
                    size_t *ret_n, struct err *e) must_check;
/* Sound content of this digest and length; RC_NOT_FOUND. */
enum rc data_find(struct tx *tx, const uint8_t sha[SHA256_BYTES], uint64_t bytes, int64_t *ret,
                  struct err *e) must_check;
/* A failed look-up is a failure, never "no": on a "no" files are removed. */
enum rc data_exists(struct tx *tx, int64_t data, bool *ret, struct err *e) must_check;
/* Is there content of kind BLOCKS or FILE in the file of this number? */
enum rc data_file_named(struct tx *tx, int64_t place, bool *ret, struct err *e) must_check;

/* ---- rewriting: content lies elsewhere now, if it still lies at old->place.  *ret_moved false: it
 * went or was moved, and the new bytes are dead. */
enum rc data_move(struct tx *tx, const struct data_row *old, enum data_kind kind, int64_t place,
                  struct freed_list *freed, bool *ret_moved, struct err *e) must_check;
enum data_walk { WALK_INLINE, WALK_FILE, WALK_ALL };
/* Contents with id > after in order, at most `max` rows or `bytes_max` bytes of body; PIECES only
 * in WALK_ALL. */
enum rc data_walk(struct tx *tx, struct arena *a, enum data_walk which, int64_t after, size_t max,
                  uint64_t bytes_max, struct data_row **ret, size_t *ret_n,
                  struct err *e) must_check;
/* Contents of a segment with place >= from, in order of place. */
enum rc data_walk_segment(struct tx *tx, struct arena *a, uint32_t segment, int64_t from,
                          size_t max, struct data_row **ret, size_t *ret_n,
                          struct err *e) must_check;

/* ---- segments */
struct segment_row {
    uint32_t number, bytes, dead;
    bool sealed, wrong; /* wrong: the row does not have its checksum */
};
enum rc data_segment_set(struct tx *tx, const struct segment_end *s, struct err *e) must_check;
/* With number > after, in order, wrong ones too; RC_NOT_FOUND at the end. */
enum rc data_segment_next(struct tx *tx, uint32_t after, struct segment_row *ret,
                          struct err *e) must_check;
/* May a row name this place?  RC_UNAVAILABLE: the segment could not be synced, or it was sealed and
 * compacted away between the append and this transaction; the client tries again. */
enum rc data_place_ok(struct tx *tx, const struct segments *s, int64_t place,
                      struct err *e) must_check;
/* Its row goes; the file is freed. */
enum rc data_segment_drop(struct tx *tx, uint32_t number, struct freed_list *freed,
                          struct err *e) must_check;
/* The highest segment that content lies in; 0: in none. */
enum rc data_segment_last(struct tx *tx, uint32_t *ret, struct err *e) must_check;
/* The sealed one with the most dead space, at least `percent` and above `after`; RC_NOT_FOUND. */
enum rc data_segment_worst(struct tx *tx, unsigned percent, struct segment_row *ret,
                           struct err *e) must_check;

/* ---- freed files */
enum rc data_free(struct tx *tx, enum data_kind kind, int64_t place, struct freed_list *freed,
                  struct err *e) must_check;
/* Adds them; not those of wrong rows, which might name another file. */
enum rc data_freed(struct tx *tx, struct freed_list *ret, struct err *e) must_check;
enum rc data_forget(struct tx *tx, const struct freed_list *list, struct err *e) must_check;

/* ---- damage */
enum rc data_damage(struct tx *tx, int64_t data, int64_t now_ms, const char *text,
                    struct err *e) must_check;
enum rc data_healed(struct tx *tx, int64_t data, bool *ret_was, struct err *e) must_check;
enum rc data_damaged(struct tx *tx, int64_t data, bool *ret, struct err *e) must_check;

/* An object that has this content, alone or as a piece; both empty if none has.  Reads all objects:
 * for what is damaged. */
enum rc data_name(struct tx *tx, struct arena *a, int64_t data, str *ret_bucket, str *ret_key,
                  struct err *e) must_check;

/* Rows that contradict one another: references that are not what `refs` says, names of contents
 * that are not there, pieces of the wrong length. */
typedef enum rc (*data_fault_fn)(void *ud, int64_t data, const char *text, struct err *e);
enum rc data_check(struct tx *tx, data_fault_fn each, void *ud, struct err *e) must_check;
/* Does anything name the file, or is it about to be removed? */
enum rc data_place_used(struct tx *tx, enum data_kind kind, int64_t place, bool *ret,
                        struct err *e) must_check;
struct store_stat;
enum rc data_stat(struct tx *tx, struct store_stat *ret, struct err *e) must_check;

#endif
