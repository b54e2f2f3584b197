/* disk.h - a store's folder, opened: index, segments, files, committer.  Private to store/.
 *
 *     DIR/store.db          SQLite: the index (index.h, data.h)
 *     DIR/segments/N.seg    small contents (segment.h)
 *     DIR/objects/xx/N      large ones, a file each (blocks.h); DIR/incoming/N: on their way there
 *     DIR/keep              locked (shared) by who reads and wants nothing removed
 *     DIR/lock              locked by the process that serves the folder
 *
 * Opening looks at what one crash can have left, and at nothing else: the write-ahead log of
 * SQLite, the tail of the open segment, incoming/, the table `freed`.  None of it grows with the
 * objects.
 */
#ifndef ANNEAL_STORE_DISK_H
#define ANNEAL_STORE_DISK_H

#include "store/budget.h"
#include "store/commit.h"
#include "store/data.h"
#include "store/reader.h"

struct disk_found {                    /* at opening */
    uint64_t tail_records, tail_bytes; /* appended, never acknowledged, behind the last commit */
    uint64_t incoming;                 /* files without a row, removed */
    uint64_t freed;                    /* files whose removal a crash had cut short */
};
struct disk {
    char dir[FILES_PATH_MAX];
    int lock_fd, keep_fd; /* -1 */
    struct db *db;
    struct segments *segments;
    struct files *files;
    struct committer *committer;
    int64_t generation;
    struct disk_found found;
    /* of the committer's batch under way */
    struct segment_end ends[SEGMENTS_AT_ONCE];
    size_t end_n;
};
/* To serve it: RC_CONFLICT if another process does.  d stays where it is. */
enum rc disk_open(struct disk *d, const char *dir, struct err *e) must_check;
/* To look at it, perhaps beside a process that serves it: nothing is removed meanwhile; no
 * committer. RC_NOT_FOUND: no store is there. */
enum rc disk_look(struct disk *d, const char *dir, struct err *e) must_check;
void disk_close(struct disk *d); /* also after a failed opening */

/* ---- take.c */
/* A whole body of at most PACK_BYTES_MAX, on its way into a transaction (data_add); lent until
 * then.  sha: its SHA-256, or NULL: it is not known yet. */
enum rc disk_take(struct disk *d, str body, const uint8_t *sha, struct data_new *ret,
                  struct err *e) must_check;
/* n->same: content with n->sha and n->bytes that is sound, or 0. */
void disk_find_same(struct disk *d, struct data_new *n);

/* ---- pack.c */
/* Rows of one kind lie at places[] (of `kind`) from the commit on, unless they were moved or
 * dropped meanwhile.  *ret_unsure: the commit failed, and may be found after a crash all the same.
 */
enum rc disk_move(struct disk *d, const struct data_row *rows, const int64_t *places, size_t n,
                  enum data_kind kind, size_t *ret_moved, bool *ret_unsure,
                  struct err *e) must_check;
/* Small bodies out of the index into segments, files of layout 1 into blocks: all that is there, or
 * until `stop` (not NULL). */
enum rc disk_pack(struct disk *d, struct event *stop, uint64_t *ret_contents,
                  struct err *e) must_check;

/* ---- compact.c: segments with at least so much dead space, the worst first, until none is left or
 * the budget's stop is set. */
struct compacted {
    uint64_t segments, bytes_before, bytes_after;
};
enum rc disk_compact(struct disk *d, unsigned dead_percent, struct budget *b, struct compacted *ret,
                     struct err *e) must_check;

/* ---- scrub.c: reads everything once, from where the last one ended.  RC_CANCELLED: the budget's
 * stop was set before the end.  Damage is entered in the index and told to `each`. */
struct scrubbed {
    uint64_t contents, bytes, damaged, healed;
};
typedef enum rc (*scrub_fn)(void *ud, int64_t data, enum rc rc, str bucket, str key,
                            const char *path, const char *text, struct err *e);
enum rc disk_scrub(struct disk *d, struct budget *b, scrub_fn each, void *ud, struct scrubbed *ret,
                   struct err *e) must_check;

#endif
