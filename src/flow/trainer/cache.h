/* cache.h - the trainer's disk cache: files named by their SHA-256, bounded, least recently used
 * first.
 *
 *   DIR/<2 hex>/<sha256>    whole, verified content
 *   DIR/tmp/                what is being fetched; emptied at start
 *
 * Invariants
 * 1. A file under its final name held the right bytes when it was renamed there.
 * 2. The sum of all entries and of all running fetches never exceeds bytes_max.
 * 3. What a running attempt has pinned is not evicted.
 * 4. An entry from an earlier life of the process, or one that a failed attempt used, is hashed
 *    again before it is handed out; a damaged one is removed, so that it is fetched again.
 *
 * The index lives in memory (about 200 bytes an entry) and is rebuilt from the names at start.  The
 * order of use does not survive a restart: all it costs is a fetch.  Thread-safe.
 */
#ifndef ANNEAL_FLOW_TRAINER_CACHE_H
#define ANNEAL_FLOW_TRAINER_CACHE_H

#include "base/hash.h"
#include "base/vec.h"
#include "os/os.h"

enum { CACHE_PATH_MAX = 1024 };
struct cache;
struct cache_entry;
/* What one attempt holds; zeroed at first, emptied by cache_unpin.  One owner at a time. */
struct cache_pins {
    struct cache_entry **p;
    size_t n, cap;
};

enum rc cache_open(struct cache **ret, const char *dir, uint64_t bytes_max,
                   struct err *e) must_check;
void cache_close(struct cache *c); /* NULL is fine; the files stay */
const char *cache_dir(const struct cache *c);
void cache_path(const struct cache *c, const char *sha256, char ret[CACHE_PATH_MAX]);

/* True: the content is there, is right, and is pinned.  bytes < 0: any size.  RC_IO and so on only
 * for trouble other than "not there". */
enum rc cache_pin(struct cache *c, const char *sha256, int64_t bytes, struct cache_pins *pins,
                  bool *ret_hit, struct err *e) must_check;
/* `suspect`: hash the entries again before their next use. */
void cache_unpin(struct cache *c, struct cache_pins *pins, bool suspect);

/* A fetch: open, add, commit; free in any case.  bytes: the size announced, or < 0 if unknown.
 * RC_FULL: there is no room that could be made (the text says which setting). */
struct cache_fetch;
enum rc cache_fetch_open(struct cache_fetch **ret, struct cache *c, const char *sha256,
                         int64_t bytes, struct err *e) must_check;
enum rc cache_fetch_add(void *fetch, const void *p, size_t n,
                        struct err *e) must_check; /* a client_sink_fn */
/* Checks size and hash (RC_CORRUPT), renames, pins. */
enum rc cache_fetch_commit(struct cache_fetch *f, struct cache_pins *pins,
                           struct err *e) must_check;
void cache_fetch_free(struct cache_fetch *f); /* NULL is fine */

struct cache_stats {
    uint64_t bytes, bytes_max, entries, pinned_bytes, hits, misses, evictions, damaged;
};
void cache_get_stats(struct cache *c, struct cache_stats *ret);
enum rc file_sha256(const char *path, char ret[SHA256_HEX + 1], uint64_t *ret_bytes,
                    struct err *e) must_check;

#endif
