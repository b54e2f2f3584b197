/* store.h - the embedded S3-compatible object store: an HTTP server of its own over one folder.
 *
 * Speaks path-style S3 with Signature Version 4 (header and query form): buckets, objects, ranges,
 * conditions, copies, ListObjectsV2, multipart uploads.  `GET /_health` answers "ok" to anyone.
 *
 * Invariants
 *  1. Acknowledged means durable: the data is synced and the index row committed before the reply.
 *  2. Names on disk are numbers of ours, never text of a user.
 *  3. A reader sees a whole object, the old one or the new one; an upload cut short leaves nothing.
 *  4. A file is removed after the commit that drops its last row; what a crash leaves behind
 * between the two stands in a table, and the next start removes it.
 *  5. Memory does not grow with an object's size.
 *
 * On disk: disk.h, and docs/store.md for what is promised and why.
 */
#ifndef ANNEAL_STORE_STORE_H
#define ANNEAL_STORE_STORE_H

#include "base/err.h"
#include <stdint.h>

enum {
    STORE_KEY_BYTES_MAX = 1024,     /* as S3 */
    STORE_LIST_KEYS_MAX = 1000,     /* keys in one page of a list */
    STORE_PART_NUMBER_MAX = 10000,  /* parts of one upload */
    STORE_PART_BYTES_MIN = 5 << 20, /* of every part but the last */
    STORE_UPLOAD_DAYS_MAX = 7,      /* an unfinished multipart upload is aborted after this */
    STORE_SECRET_BYTES_MAX = 128,
    STORE_REGION_BYTES_MAX = 64
};

struct store_config {       /* copied */
    const char *dir;        /* created if absent (0700); one process at a time */
    const char *listen;     /* "127.0.0.1:9000"; port 0 takes a free one */
    const char *access_key; /* of the configured identity, which may do all; NULL or "": there
                               is none, and the folder has to have others (identity.h) */
    const char *secret_key; /* 8 to STORE_SECRET_BYTES_MAX bytes */
    const char *master;     /* key over the secrets of other identities; NULL or "": DIR.master */
    const char *region;     /* "us-east-1" */
    const char *domain;     /* "s3.example.org": BUCKET.s3.example.org is virtual-host style;
                               NULL or "": path style alone */
    uint64_t object_bytes_max; /* of one put, one part, and one finished upload; 0: 5 TiB */
    /* In the background.  Bytes a second; 0: 32 MiB (compaction reads and writes), 16 MiB (scrub).
     */
    uint64_t compact_bytes_per_s, scrub_bytes_per_s;
    unsigned dead_percent; /* a segment with so much dead space is rewritten; 0: 25 */
    unsigned scrub_days;   /* everything is read and verified so often; 0: 14 */
};

struct store;
/* Opens the folder, starts the committer, the sweep and the server.  RC_CONFLICT: another process
 * holds the folder; RC_INVALID names the setting. */
enum rc store_open(struct store **ret, const struct store_config *c, struct err *e) must_check;
int store_port(const struct store *s);
/* Accepts no more, lets running requests end for at most drain_ms. */
void store_drain(struct store *s, int64_t drain_ms);
void store_close(struct store *s); /* drains what is left at once; NULL is fine */

/* Since the start, for /metrics.  Any thread. */
struct store_counts {
    uint64_t requests, errors_4xx, errors_5xx, denied;
    uint64_t puts, gets, heads, deletes, lists, copies;
    uint64_t bytes_in, bytes_out;
    uint64_t commits, committed_ops; /* ops / commits: how well the group commit groups */
    uint64_t swept_files, swept_uploads;
    uint64_t damaged_reads, damaged_found; /* asked for by a client; found by the scrub */
    uint64_t scrubbed_bytes, compacted_bytes, packed;
};
void store_counts(const struct store *s, struct store_counts *ret);
/* The same as Prometheus text, format 0.0.4. */
struct buf;
void store_metrics(const struct store *s, struct buf *to);
/* Asks the index now: objects, their bytes, and unfinished uploads. */
struct store_usage {
    uint64_t buckets, objects, object_bytes, uploads;
};
enum rc store_usage(struct store *s, struct store_usage *ret, struct err *e) must_check;

#endif
