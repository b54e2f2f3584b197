/* files.h - the bytes that are too many for the index: one file for each piece of data.
 * Private to store/.
 *
 * A piece's number is (generation << 40) + a count; the generation grows by one at each start.  So
 * the sweep of what a crash left behind can tell, without a clock, what is older than this process.
 */
#ifndef ANNEAL_STORE_FILES_H
#define ANNEAL_STORE_FILES_H

#include "base/err.h"
#include "base/vec.h"
#include "os/os.h"

enum { FILES_PATH_MAX = 1024 };

/* A file whose row is gone, and the object that it was a part of. */
struct freed {
    int64_t owner, id;
};
struct freed_list {
    struct freed *p;
    size_t n, cap;
};

struct files;
enum rc files_open(struct files **ret, const char *dir, int64_t generation,
                   struct err *e) must_check;
void files_close(struct files *f);     /* NULL is fine */
int64_t files_new_id(struct files *f); /* any thread */
enum rc files_create(struct files *f, int64_t id, int *ret_fd, struct err *e) must_check;
/* Syncs the file and its folder and closes fd in any case. */
enum rc files_finish(struct files *f, int64_t id, int fd, struct err *e) must_check;
enum rc files_read(struct files *f, int64_t id, int *ret_fd, struct err *e) must_check;
void files_discard(struct files *f, int64_t id); /* one that never had a row */
/* After the commit that dropped the rows: removes the files, those of a pinned owner when the last
 * pin goes.  Empties the list. */
void files_remove(struct files *f, struct freed_list *list);
/* A reader of an object in several files holds it together: its files stay until the unpin. */
enum rc files_pin(struct files *f, int64_t owner, struct err *e) must_check;
void files_unpin(struct files *f, int64_t owner);
/* Removes files of older generations for which `live` says no.  Looks at `stop` between folders. */
typedef enum rc (*files_live_fn)(void *ud, int64_t id, bool *ret_live, struct err *e);
enum rc files_sweep(struct files *f, files_live_fn live, void *ud, struct event *stop,
                    uint64_t *ret_removed, struct err *e) must_check;

#endif
