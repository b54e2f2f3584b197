/* segments.h - the folder of segments: one is open for appending, all can be read.
 * Private to store/.
 *
 * A handler appends (its place is reserved under a lock, the bytes are written beside others'), and
 * then asks for a commit; the committer calls segments_sync() before it commits the rows, so one
 * fdatasync serves all that wait.  A segment whose sync has failed takes nothing more, and a
 * content in it that has no row yet is refused (segments_usable): what the kernel threw away after
 * a failed write-back a second sync would not bring back.  The next append opens another segment.
 *
 * Any thread.
 */
#ifndef ANNEAL_STORE_SEGMENTS_H
#define ANNEAL_STORE_SEGMENTS_H

#include "os/os.h"
#include "store/segment.h"

/* Where a record lies, as one number for the index. */
static inline int64_t place_of(uint32_t segment, uint32_t at)
{
    return (int64_t)segment << 32 | at;
}
static inline uint32_t place_segment(int64_t place)
{
    return (uint32_t)(place >> 32);
}
static inline uint32_t place_at(int64_t place)
{
    return (uint32_t)place;
}

struct segments;
/* dir: the store's.  first_free: no segment of this number or above has a row. */
enum rc segments_open(struct segments **ret, const char *dir, uint32_t first_free,
                      struct err *e) must_check;
void segments_close(struct segments *s); /* NULL is fine */
/* Goes on in the segment that was open when the process ended.  `end`: how far the index knows it
 * to be synced; what lies behind was never acknowledged, is counted, and is written over. */
enum rc segments_resume(struct segments *s, uint32_t number, uint32_t end, uint64_t *ret_records,
                        uint64_t *ret_bytes, struct err *e) must_check;
/* Not durable before the next segments_sync(). */
enum rc segments_append(struct segments *s, int64_t id, str body, int64_t *ret_place,
                        struct err *e) must_check;
bool segments_usable(const struct segments *s, int64_t place);
/* It has been appended to by this process, and the index does not know it sealed: compaction cannot
 * have taken it away.  On the committer's thread. */
bool segments_growing(const struct segments *s, int64_t place);
/* Makes durable all that has been appended; tells what the index must learn in the same
 * transaction. On the committer's thread. */
enum { SEGMENTS_AT_ONCE = 8 };
struct segment_end {
    uint32_t number, end;
    bool sealed; /* takes no more */
};
enum rc segments_sync(struct segments *s, struct segment_end ret[SEGMENTS_AT_ONCE], size_t *ret_n,
                      struct err *e) must_check;
/* That transaction is durable. */
void segments_told(struct segments *s, const struct segment_end *ends, size_t n);
/* The verified body of content `id`, which must have `bytes`, into p (record_bytes(bytes) long);
 * lent from there.  RC_NOT_FOUND: there is no such segment. */
enum rc segments_read(struct segments *s, int64_t place, int64_t id, size_t bytes, char *p,
                      str *ret_body, struct err *e) must_check;
void segments_path(const struct segments *s, uint32_t number, char *ret, size_t cap);
void segments_remove(struct segments *s, uint32_t number); /* the file; no row names it */
uint32_t segments_current(struct segments *s);             /* being appended to; 0: none */

#endif
