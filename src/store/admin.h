/* admin.h - what an operator asks of a store's folder: look at it, verify it, copy it.
 *
 * All calls take the folder (`--data DIR` of the command line is DIR's parent: DIR/store).  They
 * work on a folder that nobody serves, and, where it says so, beside a process that serves it: a
 * lock in the folder then keeps every file that they may want to read.  No call changes an object.
 * Any thread; they block, and end early with RC_CANCELLED when `stop` is set.
 */
#ifndef ANNEAL_STORE_ADMIN_H
#define ANNEAL_STORE_ADMIN_H

#include "base/str.h"
#include "os/os.h"

struct store;

/* ---- stat: numbers, from the index alone; beside a running store too. */
struct store_stat {
    unsigned layout; /* of the folder; a newer program upgrades an older one in place */
    uint64_t buckets, objects, object_bytes, uploads;
    uint64_t contents, content_bytes; /* different contents, and their bytes: each stored once */
    uint64_t packed, packed_bytes;    /* of them in segments */
    uint64_t filed, filed_bytes;      /* in files of their own */
    uint64_t fresh, fresh_bytes;      /* in the index still, about to be packed */
    uint64_t segments, segment_bytes, segment_dead_bytes;
    uint64_t unverified; /* contents of an older layout that have no checksums yet */
    uint64_t damaged; /* contents known to be wrong on the disk, and wrong rows of the last scrub */
    int64_t scrub_ended_ms;             /* Unix time of the last whole scrub; 0: never */
    uint64_t scrub_done, scrub_pending; /* contents that the running one has read, and has not */
    uint64_t disk_free_bytes, disk_bytes;
};
enum rc store_stat(const char *dir, struct store_stat *ret, struct err *e) must_check;

/* What each bucket holds, by name; beside a running store too.  Reads a row for each object. */
struct store_bucket { /* texts are lent for the call */
    str name, owner;  /* owner: name of the identity that made it */
    int64_t created_ms;
    bool versioned;                   /* old versions are kept */
    uint64_t objects, bytes;          /* current ones */
    uint64_t versions, version_bytes; /* older ones */
};
typedef void (*store_bucket_fn)(void *ud, const struct store_bucket *b);
enum rc store_buckets(const char *dir, store_bucket_fn each, void *ud, struct err *e) must_check;

/* ---- check and scrub */
enum store_fault_kind {
    STORE_FAULT_BYTES,    /* a block does not have its checksum, or cannot be read */
    STORE_FAULT_MISSING,  /* a file, or the place in a segment, is not there */
    STORE_FAULT_INDEX,    /* rows contradict one another (references, pieces, lengths) */
    STORE_FAULT_ORPHAN,   /* bytes on the disk that nothing names: wasted space, no loss */
    STORE_FAULT_MANIFEST, /* a copy is not what its manifest says */
    STORE_FAULT_KINDS
};
extern const char *const store_fault_names[STORE_FAULT_KINDS]; /* "bytes", "missing", ... */
struct store_fault {                                           /* texts are lent for the call */
    enum store_fault_kind kind;
    int64_t data;     /* the content's number; 0: none */
    str bucket, key;  /* an object that has it; empty: none */
    const char *path; /* the file, relative to the folder; "" in the index */
    const char *text; /* one sentence */
};
typedef enum rc (*store_fault_fn)(void *ud, const struct store_fault *f, struct err *e);
struct store_check_options {
    bool bytes;           /* read every byte too; else only what the index and the folders say */
    uint64_t bytes_per_s; /* I/O budget; 0: as fast as it goes */
    struct event *stop;   /* may be NULL */
    store_fault_fn each;  /* may be NULL; on the caller's thread */
    void *ud;
};
struct store_check_result {
    uint64_t contents, bytes, faults[STORE_FAULT_KINDS];
    bool manifest; /* the folder is a copy, and its manifest was checked first */
};
/* Beside a running store too.  RC_OK even with faults: the result counts them. */
enum rc store_check(const char *dir, const struct store_check_options *o,
                    struct store_check_result *ret, struct err *e) must_check;
/* The same with o->bytes, resumable: begins where the last one was ended, marks what is damaged
 * (and what is healed) in the index, and remembers how far it came.  The running store does it by
 * itself all the time, within its budget. */
enum rc store_scrub(const char *dir, const struct store_check_options *o,
                    struct store_check_result *ret, struct err *e) must_check;

/* ---- compact: rewrites segments with much dead space.  RC_CONFLICT beside a running store, which
 * compacts by itself.  May be killed at any moment. */
struct store_compact_options {
    unsigned dead_percent; /* segments with at least so much dead space [25] */
    uint64_t bytes_per_s;  /* I/O budget; 0: as fast as it goes */
    struct event *stop;    /* may be NULL */
};
struct store_compact_result {
    uint64_t segments, bytes_before, bytes_after;
};
enum rc store_compact(const char *dir, const struct store_compact_options *o,
                      struct store_compact_result *ret, struct err *e) must_check;

/* ---- backup: a consistent copy as of one moment, beside a running store too.  `to` must be absent
 * or empty.  Every block is verified on the way; the last file written is `to`/MANIFEST, which
 * names every file with its length and SHA-256, so that store_check(to) proves the copy.  A copy is
 * a store's folder: put it in the place of the lost one. */
struct store_backup_result {
    uint64_t files, bytes, contents;
    uint64_t faults;  /* of the source, found in the copy and told to o->each */
    int64_t taken_ms; /* Unix time of the moment */
};
enum rc store_backup(const char *dir, const char *to, const struct store_check_options *o,
                     struct store_backup_result *ret, struct err *e) must_check;

#endif
