/* cli_sse.h - Server-Sent Events (WHATWG HTML, 9.2.6) out of bytes as they come. */
#ifndef ANNEAL_BIN_CLI_SSE_H
#define ANNEAL_BIN_CLI_SSE_H

#include "base/buf.h"

enum { SSE_EVENT_BYTES_MAX = 4 << 20, SSE_FIELD_BYTES_MAX = 256 };

/* One event; texts are lent for the call.  An error ends the reading. */
typedef enum rc (*sse_event_fn)(void *ud, str id, str name, str data, struct err *e);
struct sse {
    struct buf line, data, name, id; /* id stays from event to event */
    bool after_cr, begun, has_data;
    sse_event_fn event;
    void *ud;
};
void sse_init(struct sse *s, sse_event_fn event, void *ud);
void sse_done(struct sse *s);
/* A new connection: what had begun is dropped, the last id stays. */
void sse_restart(struct sse *s);
/* RC_TOO_LARGE: a line or an event beyond the limit. */
enum rc sse_feed(struct sse *s, const void *p, size_t n, struct err *e) must_check;

#endif
