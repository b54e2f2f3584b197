/* http.h - the HTTP/1.1 server: libmicrohttpd poll threads in front, blocking handlers on a pool.
 *
 * Threads.  MHD's threads parse requests and move bytes.  A complete header block becomes a
 * `struct http_req` that is queued to the worker pool; the connection is suspended until the
 * handler has replied.  The handler reads the body by http_body_read(), which blocks on a bounded
 * buffer (HTTP_BODY_WINDOW); while it is full the socket is not read, so memory does not grow with
 * an upload.  A handler sends exactly one reply.
 *
 * Limits (named, each answers with its own status): header bytes 431, body bytes 413, target
 * length 414, connections and requests queued 503, idle and body-stall time-outs 408.
 */
#ifndef ANNEAL_NET_HTTP_H
#define ANNEAL_NET_HTTP_H

#include "base/arena.h"
#include "base/buf.h"
#include <stdbool.h>
#include <stdint.h>

enum http_method { HTTP_GET, HTTP_HEAD, HTTP_POST, HTTP_PUT, HTTP_PATCH, HTTP_DELETE, HTTP_OPTIONS,
                   HTTP_METHOD_COUNT };
const char *http_method_name(enum http_method m);

struct http_server;
struct http_req;
struct http_limits {          /* zero takes the default in brackets */
    size_t header_bytes_max;  /* [32 KiB] */
    uint64_t body_bytes_max;  /* [16 MiB]; a handler may raise its own (http_body_limit) */
    unsigned connections_max; /* [1024] */
    unsigned idle_timeout_s;  /* [60] */
    unsigned io_threads;      /* [2] */
    unsigned workers;         /* [16] */
    size_t backlog_max;       /* [1024] requests queued for a worker */
    /* [none] True: the handler answers this request, which has no body, where it was read, without
     * the hand-over to a worker and back (measured: half of what a small request costs).  It must
     * not wait for anything but the disk, and not stream. */
    bool (*quick)(const struct http_req *r, void *ud);
};

typedef void (*http_handler)(struct http_req *r, void *ud);
/* Called when a request has ended, for counts, latency and the access log. */
typedef void (*http_done_fn)(struct http_req *r, int status, double seconds, void *ud);

/* listen is "HOST:PORT" ("[::1]:8000"); port 0 takes a free one (http_server_port tells). */
enum rc http_server_new(struct http_server **ret, const char *listen,
                        const struct http_limits *lim, http_handler handler, http_done_fn done,
                        void *ud, struct err *e) must_check;
int http_server_port(const struct http_server *s);
/* Stops accepting, lets running handlers and streams end for at most drain_ms, then closes. */
void http_server_drain(struct http_server *s, int64_t drain_ms);
void http_server_free(struct http_server *s);

/* ---- request.  All text is lent for the life of the request, in its arena. */
struct arena *http_arena(struct http_req *r);
enum http_method http_method_of(const struct http_req *r);
str http_path(const struct http_req *r);       /* percent-decoded once; no query; "/a b" */
str http_raw_target(const struct http_req *r); /* as received, path and query: SigV4 needs it */
str http_raw_query(const struct http_req *r);
str http_header(const struct http_req *r, const char *name); /* .p NULL if absent */
bool http_header_at(const struct http_req *r, size_t i, str *ret_name, str *ret_value);
str http_query(const struct http_req *r, const char *name); /* decoded; .p NULL if absent */
bool http_query_at(const struct http_req *r, size_t i, str *ret_name, str *ret_value);
str http_cookie(const struct http_req *r, const char *name);
str http_peer(const struct http_req *r); /* address without port */
const char *http_request_id(const struct http_req *r);
int64_t http_content_length(const struct http_req *r); /* -1: chunked */
bool http_cancelled(const struct http_req *r);         /* the peer has gone, or we are draining */
/* Two slots for the layer above (the caller's identity, the matched route). */
void http_set_user(struct http_req *r, int slot, void *p);
void *http_get_user(const struct http_req *r, int slot);

/* ---- body */
void http_body_limit(struct http_req *r, uint64_t bytes_max);
/* Blocks for the next bytes; *ret_n 0 at the end.  RC_TOO_LARGE, RC_TIMEOUT, RC_CANCELLED. */
enum rc http_body_read(struct http_req *r, void *p, size_t cap, size_t *ret_n, struct err *e)
    must_check;
/* The whole body into the arena. */
enum rc http_body_all(struct http_req *r, size_t bytes_max, str *ret, struct err *e) must_check;

/* multipart/form-data (RFC 7578) pulled from the body, part by part, in constant memory. */
struct multipart;
enum rc multipart_open(struct multipart **ret, struct http_req *r, struct err *e) must_check;
/* false in *ret_more at the end.  name and filename are decoded and lent until the next part. */
enum rc multipart_next(struct multipart *m, bool *ret_more, str *ret_name, str *ret_filename,
                       str *ret_type, struct err *e) must_check;
enum rc multipart_read(struct multipart *m, void *p, size_t cap, size_t *ret_n, struct err *e)
    must_check; /* 0: the part's end */

/* ---- reply: one of these, once.  Headers first. */
void http_add_header(struct http_req *r, const char *name, const char *value);
/* Called once, on the handler's thread, before a whole reply leaves (not before a stream); NULL
 * takes it back, at the latest when the handler returns. */
typedef void (*http_before_reply_fn)(void *ud, int status);
void http_before_reply(struct http_req *r, http_before_reply_fn fn, void *ud);
void http_reply(struct http_req *r, int status, const char *type, str body); /* copies */
void http_reply_buf(struct http_req *r, int status, const char *type, struct buf *b); /* takes b */
/* Static bytes that outlive the server (the web app): not copied. */
void http_reply_static(struct http_req *r, int status, const char *type, str body);
/* `len` bytes of fd from `at`; the descriptor is taken and closed. */
void http_reply_fd(struct http_req *r, int status, const char *type, int fd, uint64_t at,
                   uint64_t len);
/* `length` (> 0) bytes that `read` gives, in order, on the server's thread: it may block no longer
 * than a disk does.  False cuts the connection: the peer sees an error, never a whole reply.
 * `done` is called once, when the reply has ended, whatever became of it. */
typedef bool (*http_source_fn)(void *ud, uint64_t at, void *p, size_t cap, size_t *ret_n);
void http_reply_source(struct http_req *r, int status, const char *type, uint64_t length,
                       http_source_fn read, void (*done)(void *ud), void *ud);
/* Chunked (or of known length, if length >= 0): the handler goes on writing; each write blocks
 * until the bounded window has room; RC_CANCELLED when the peer has gone. */
enum rc http_reply_stream(struct http_req *r, int status, const char *type, int64_t length,
                          struct err *e) must_check;
enum rc http_stream_write(struct http_req *r, const void *p, size_t n, struct err *e) must_check;
/* A stream of known length that ends short, or a handler that returns without this call, cuts the
 * connection: the peer sees an error, never a whole reply. */
void http_stream_end(struct http_req *r);

/* A problem document (RFC 9457) for e; 408 where a body that came too slowly is the reason. */
void http_reply_err(struct http_req *r, const struct err *e);

/* ---- live.  A feed is a numbered sequence of events on a topic, kept by the caller (the database
 * is the truth).  A subscriber is a cursor: when the feed is poked, the hub pulls what lies behind
 * the cursor and sends it.  So nothing is lost on a reconnect, and no queue grows: a slow client
 * only has an old cursor (past HUB_STALL_MS it is dropped: WebSocket close code 1013).
 * One hub thread pulls; an epoll loop of ours owns the WebSocket descriptors (wslay frames). */
struct hub;
/* Appends events with id > after to `out` by hub_event(); *ret_ended: no more will come. */
struct hub_out;
void hub_event(struct hub_out *o, int64_t id, const char *name, str data_json);
typedef enum rc (*hub_pull_fn)(void *ud, str topic, int64_t after, unsigned max,
                               struct hub_out *out, bool *ret_ended, struct err *e);
enum rc hub_new(struct hub **ret, hub_pull_fn pull, void *ud, struct err *e) must_check;
void hub_poke(struct hub *h, str topic); /* any thread, after the commit */
void hub_free(struct hub *h);
size_t hub_subscribers(struct hub *h);
/* Replies to r with an event stream (WHATWG Server-Sent Events: id, event, data; comment pings)
 * or a WebSocket (RFC 6455: text frames {"id":N,"event":"..","data":{..}}, pings), starting behind
 * `after`.  Takes the request over; the worker is free at once. */
void hub_reply_sse(struct hub *h, struct http_req *r, str topic, int64_t after);
void hub_reply_ws(struct hub *h, struct http_req *r, str topic, int64_t after);

#endif
