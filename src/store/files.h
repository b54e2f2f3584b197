/* files.h - names and lives of the files that hold one large content each (blocks.h), and the
 * removal of files that nothing names any more.  Private to store/.
 *
 * Numbers.  (generation << 40) + a count; the generation grows by one at each start.
 * Birth.    A file is made in DIR/incoming, synced, named by a committed row, and only then moved
 * to DIR/objects/xx: what a crash leaves in incoming/ either has a row (it is moved) or not (it is
 * removed), and a start need look nowhere else. Death.    The transaction that drops the last row
 * enters the file in the table `freed`; the file is removed after the commit, the entry with some
 * later commit.  A crash in between leaves the entry, and the next start removes the file. Readers.
 * A pin taken before the look-up keeps every file that is freed later; so does another process (a
 * backup, a check) that holds a shared lock on DIR/keep.
 *
 * Any thread.
 */
#ifndef ANNEAL_STORE_FILES_H
#define ANNEAL_STORE_FILES_H

#include "base/err.h"
#include "base/vec.h"
#include "store/segments.h"

enum { FILES_PATH_MAX = 1024 };
enum data_kind { DATA_FILE, DATA_INLINE, DATA_PIECES, DATA_PACKED, DATA_BLOCKS, DATA_KINDS };

/* What a transaction has freed: a file (DATA_FILE, DATA_BLOCKS: place is its number), or a whole
 * segment (DATA_PACKED: place is its number). */
struct freed {
    enum data_kind kind;
    int64_t place;
};
struct freed_list {
    struct freed *p;
    size_t n, cap;
};

struct files;
enum rc files_open(struct files **ret, const char *dir, int64_t generation,
                   struct segments *segments, struct err *e) must_check;
void files_close(struct files *f);     /* NULL is fine */
int64_t files_new_id(struct files *f); /* any thread */
enum rc files_create(struct files *f, int64_t id, int *ret_fd, struct err *e) must_check;
/* Syncs the file and its folder and closes fd in any case. */
enum rc files_finish(struct files *f, int64_t id, int fd, struct err *e) must_check;
/* After the commit that named it: to its lasting place. */
void files_settle(struct files *f, int64_t id);
enum rc files_read(struct files *f, int64_t id, int *ret_fd, struct err *e) must_check;
void files_discard(struct files *f, int64_t id); /* one that never had a row */
/* Where it is, or would be: relative to the store's folder, and whole. */
void files_name(int64_t id, bool incoming, char ret[64]);
/* After the commit that freed them; those that somebody may still read later.  Empties the list. */
void files_remove(struct files *f, struct freed_list *list);
/* Syncs the folders of what has been removed, so that it cannot come back; from time to time. */
enum rc files_sync_removed(struct files *f, struct err *e) must_check;
/* Entries of the table `freed` that can go then, for the committer's next transaction. */
void files_take_removed(struct files *f, struct freed_list *ret);
/* Tries again what somebody was reading. */
void files_retry(struct files *f);

/* Whatever is freed from now on stays until the unpin. */
enum rc files_pin(struct files *f, uint64_t *ret_pin, struct err *e) must_check;
void files_unpin(struct files *f, uint64_t pin);

/* At the start: calls `live` for every number in incoming/, moves or removes the file. */
typedef enum rc (*files_live_fn)(void *ud, int64_t id, bool *ret_live, struct err *e);
enum rc files_sweep(struct files *f, files_live_fn live, void *ud, uint64_t *ret_removed,
                    struct err *e) must_check;
bool files_id_of(str name, int64_t *ret); /* 16 hexadecimal digits */

#endif
