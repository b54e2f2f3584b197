/* lines.h - lines from a pipe with a deadline, a length limit and a wake-up.
 *
 * A thread of its own reads the descriptor into a bounded window, so that the writer can go on
 * while the taker is busy (an upload), and the taker can wait for a line, a deadline or lines_wake
 * at once.
 */
#ifndef ANNEAL_FLOW_TRAINER_LINES_H
#define ANNEAL_FLOW_TRAINER_LINES_H

#include "base/buf.h"

enum line_kind {
    LINE_TEXT,     /* a whole line, without its "\n" or "\r\n" */
    LINE_CUT,      /* the last bytes before the end, which lack their "\n" */
    LINE_TOO_LONG, /* the first line_max bytes of a longer line; the next call goes on behind them
                    */
    LINE_END,      /* the writer is gone and everything was taken; err is set if reading failed */
    LINE_TIMEOUT,
    LINE_WOKEN, /* by lines_wake, once for each call of it or more */
};
enum lines_flag {
    LINES_DROP = 1, /* full window: drop what comes (logs) instead of blocking the writer */
};
struct lines;

/* Takes fd, also on failure.  The window holds line_max + window_bytes. */
enum rc lines_open(struct lines **ret, int fd, size_t line_max, size_t window_bytes, unsigned flags,
                   struct err *e) must_check;
/* Fills ret (cleared first; its ceiling must exceed line_max).  timeout_ms < 0 waits for ever. */
enum line_kind lines_next(struct lines *l, int64_t timeout_ms, struct buf *ret, struct err *e);
void lines_wake(struct lines *l); /* any thread */
/* True once all that the writer wrote is in the window (or, with LINES_DROP, dropped). */
bool lines_await_end(struct lines *l, int64_t timeout_ms);
uint64_t lines_dropped_bytes(struct lines *l); /* since the last call; LINES_DROP only */
/* Never waits for the writer: while a grandchild still holds the pipe, the thread stays behind and
 * frees all when the pipe ends.  NULL is fine. */
void lines_close(struct lines *l);

#endif
