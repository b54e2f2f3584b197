/* recent.h - what reads found in the index lately: the rows of current versions whose bytes lie in
 * a segment, so that the next read of the same key need not ask SQLite.  Private to store/.
 *
 * Rows are kept here, never bytes: those are read from the segment and verified each time.  A row
 * was verified (rowsum.h) when it was found.
 *
 * A row is as true as the index was at a `state` of the committer (commit.h), and is given only
 * while the committer is in that state still.  So whatever is committed, be it a put, a deletion or
 * the move of a body, makes all rows of before worthless at once, and while a commit is under way
 * none is given: a read that begins after another has seen the new state cannot see the old one.
 * The price is that reads beside a stream of writes find little here; they ask the index then.
 *
 *     state = committer_state(c);                 // behind the pin (reader.h), before the look-up
 *     if (!recent_get(t, state, ...)) { look into the index; recent_put(t, state, ...); }
 *
 * RECENT_ROWS rows of RECENT_ROW_BYTES at most, whose memory is touched as they come: 4 MiB.  Any
 * thread.
 */
#ifndef ANNEAL_STORE_RECENT_H
#define ANNEAL_STORE_RECENT_H

#include "store/index.h"

enum { RECENT_ROWS = 16 << 10, RECENT_ROW_BYTES = 256 };

struct recent;
enum rc recent_new(struct recent **ret, struct err *e) must_check;
void recent_free(struct recent *t); /* NULL is fine */
/* The object and where its bytes are; texts in `a`.  False: not known for this state, or no memory;
 * then the outputs are untouched. */
bool recent_get(struct recent *t, uint64_t state, str bucket, str key, struct arena *a,
                struct object *ret_o, struct data_row *ret_row);
/* Found by a transaction that began after the committer was in that state.  What is not for here
 * (another kind, too long) is passed over. */
void recent_put(struct recent *t, uint64_t state, str bucket, str key, const struct object *o,
                const struct data_row *row);

#endif
