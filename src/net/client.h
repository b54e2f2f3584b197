/* client.h - a blocking HTTP client over libcurl: time-outs always set, redirects never followed,
 * only http and https.  Handles are pooled for keep-alive; any thread may call. */
#ifndef ANNEAL_NET_CLIENT_H
#define ANNEAL_NET_CLIENT_H

#include "base/arena.h"
#include "base/buf.h"
#include "net/http.h"
#include <stdatomic.h>

/* Pulls up to cap bytes of the request body; 0 ends it. */
typedef enum rc (*client_source_fn)(void *ud, void *p, size_t cap, size_t *ret_n, struct err *e);
/* Takes bytes of the reply body; another code than RC_OK aborts the transfer and is returned. */
typedef enum rc (*client_sink_fn)(void *ud, const void *p, size_t n, struct err *e);

struct client_call {
    enum http_method method;
    const char *url;
    const char *const *headers; /* "Name: value", ends with NULL; may be NULL */
    str body;                   /* or: */
    client_source_fn source;
    void *source_ud;
    int64_t source_bytes;       /* -1: chunked */
    client_sink_fn sink;        /* NULL: the reply body goes to `reply` */
    void *sink_ud;
    struct buf *reply;          /* initialised by the caller with its ceiling; may be NULL.  With a
                                 * sink it still receives the body of a status >= 300. */
    int64_t timeout_ms;         /* whole call; 0: 30 s; < 0: none, but a stall of 30 s ends it */
    int64_t connect_ms;         /* 0: 5 s */
    const atomic_bool *cancel;  /* may be NULL */
};
struct client_reply {
    int status;
    char etag[80];              /* without quotes */
    char type[80];
    int64_t length;             /* Content-Length, -1 unknown */
    int64_t retry_after_s;      /* -1 none */
};
/* RC_OK for any complete HTTP exchange, whatever its status.  RC_UNAVAILABLE: no connection;
 * RC_TIMEOUT; RC_CANCELLED; RC_UPSTREAM: broken reply.  Where a transfer fails after the reply's
 * headers have come, *ret holds them: a download can then go on, held to the same ETag. */
enum rc client_do(const struct client_call *c, struct client_reply *ret, struct err *e) must_check;
void client_setup(void);   /* once, at process start */
void client_cleanup(void); /* frees the pool */

#endif
