/* pack.h - a hostile zip or tar, read as a sequence of harmless files.
 *
 * The archive lies somewhere that can be read by position (ranged GETs of an object in production,
 * a buffer in tests).  zip is read by its central directory only, so that every entry's kind is
 * known; tar may be wrapped in gzip, bzip2, xz or zstd.  libarchive does the formats; this file
 * decides what is let through:
 *
 *   a path that is absolute, has a drive or a "..", or is too long   400 unsafe_path
 *   a symbolic or hard link, a device, a pipe, a socket              400 link
 *   an encrypted entry                                               400 encrypted
 *   more entries than entries_max                                    413 too_many_entries
 *   more bytes than bytes_max, or ratio_max times the archive        413 bomb
 *   an archive that ends early or contradicts itself                 422 truncated
 *   neither zip nor tar                                              415 unsupported_format
 *
 * The word on the right stands in err.field.
 * One owner thread.
 */
#ifndef ANNEAL_FLOW_DATASET_PACK_H
#define ANNEAL_FLOW_DATASET_PACK_H

#include "flow/dataset/fault.h"

struct pack_source {
    uint64_t bytes;
    /* Appends exactly n bytes from `at` (both inside the archive) to out. */
    enum rc (*read)(void *ud, uint64_t at, size_t n, struct buf *out, struct err *e);
    void *ud;
};

enum {
    PACK_PATH_MAX = 1024,
    PACK_WINDOW_BYTES = 4 << 20, /* of one ranged read */
    PACK_RATIO_MAX = 200,
    PACK_RATIO_FLOOR_BYTES = 64 << 20, /* below this no ratio is a bomb */
};
struct pack_limits {
    uint64_t bytes_max; /* of all files, unpacked */
    uint64_t entries_max;
};

struct pack_entry {
    uint32_t ordinal; /* of the header in the archive, from 0: the same in every pass */
    bool is_dir;      /* path then ends without "/" */
    str path;         /* valid UTF-8, "/" between, no "." parts; lent until the next pack_next */
    bool repaired;    /* the name was not UTF-8: bad bytes stand as %XX */
};

struct pack;
enum rc pack_open(struct pack **ret, const struct pack_source *s, const struct pack_limits *l,
                  struct err *e) must_check;
void pack_close(struct pack *p);
/* *ret_more false at the archive's proper end. */
enum rc pack_next(struct pack *p, bool *ret_more, struct pack_entry *ret, struct err *e) must_check;
/* The entry's bytes, *ret_n 0 at their end.  RC_CORRUPT with *ret_damaged: this entry alone is
 * damaged (a wrong checksum) and pack_next may be called. */
enum rc pack_read(struct pack *p, void *to, size_t cap, size_t *ret_n, bool *ret_damaged,
                  struct err *e) must_check;
uint64_t pack_position(const struct pack *p); /* bytes of the archive consumed, for progress */

#endif
