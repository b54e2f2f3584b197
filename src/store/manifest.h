/* manifest.h - what a copy of a store consists of, so that it can be proved.  Private to store/.
 *
 * DIR/MANIFEST, text, lines ended by "\n":
 *
 *     anneal-store-backup 1
 *     taken 1763658000000                       Unix time, milliseconds
 *     <SHA-256, 64 hex digits> <bytes> <path>    for each file; paths are ours: store.db,
 *     ...                                        identity.db, segments/N.seg, objects/xx/N
 *     end <SHA-256 of everything above>
 *
 * It is written last.  A store that is started on the folder removes it: the folder is no copy any
 * more.  At most MANIFEST_BYTES_MAX long, which is enough for a million large objects.
 */
#ifndef ANNEAL_STORE_MANIFEST_H
#define ANNEAL_STORE_MANIFEST_H

#include "base/buf.h"
#include "base/hash.h"

enum { MANIFEST_BYTES_MAX = 256 << 20, MANIFEST_PATH_MAX = 64 };

void manifest_begin(struct buf *b, int64_t taken_ms);
void manifest_add(struct buf *b, const uint8_t sha[SHA256_BYTES], uint64_t bytes, const char *path);
void manifest_end(struct buf *b);

struct manifest_file {
    char sha[SHA256_HEX + 1];
    uint64_t bytes;
    char path[MANIFEST_PATH_MAX];
};
typedef enum rc (*manifest_fn)(void *ud, const struct manifest_file *f, struct err *e);
/* Verifies its own digest first.  RC_CORRUPT names the line. */
enum rc manifest_read(str text, int64_t *ret_taken_ms, manifest_fn each, void *ud,
                      struct err *e) must_check;

#endif
