/* http_int.h - what the files of the HTTP server share.  Private to net/.
 *
 * One request, two threads.  MHD's thread ("io") parses it and moves its bytes; a worker runs its
 * handler.  They meet in `struct http_req` under its `mu`.  While io has nothing to do for it, the
 * connection is suspended; whoever changes that calls http_resume().
 *
 *            headers whole                 handler wants the body
 *   NEW ────────────────────▶ HEADERS ─────────────────────────▶ BODY ───▶ WHOLE ───▶ SENT
 *    │  (body > window or                                                    ▲   reply queued
 *    │   Expect: the worker starts here)                                     │
 *    ├── body fits the window: COLLECT (the worker starts when it is whole) ─┤
 *    └── no body ────────────────────────────────────────────────────────────┘
 *
 * A small body is collected before a worker is taken, so that slow senders cannot hold workers.
 *
 * A reply that is ready before the body has been read:  at HEADERS it is queued at once and MHD
 * closes the connection after it; in BODY up to HTTP_DRAIN_MAX further bytes are thrown away and
 * the reply then goes the normal way; past that it is written to the socket directly (MHD takes no
 * reply in the middle of a body) and the connection is closed.  In both closing cases a duplicate
 * of the socket lingers (http_linger.c), for a close with unread bytes would reset the
 * connection and destroy the reply on its way.
 *
 * Locks: server.mu, then req.mu.  MHD is called under req.mu only to suspend and resume (MHD calls
 * a stream's reader, which takes req.mu, under a lock that queueing a reply takes).
 */
#ifndef ANNEAL_NET_HTTP_INT_H
#define ANNEAL_NET_HTTP_INT_H

#include "net/http.h"
#include "net/http_decode.h"
#include "net/ring.h"
#include "os/os.h"
#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>

enum {
    HTTP_BODY_WINDOW = 64 * 1024,   /* bytes of a body between socket and handler */
    HTTP_STREAM_WINDOW = 64 * 1024, /* the same for a streamed reply */
    HTTP_DRAIN_MAX = 256 * 1024,    /* unread body bytes thrown away to keep a connection */
    HTTP_DRAIN_MS = 10 * 1000,
    HTTP_TARGET_MAX = 8 * 1024,
    HTTP_ARENA_MAX = 64 * 1024 * 1024,
    HTTP_BODY_RATE_MIN = 1024,      /* bytes a second, on top of idle_timeout_s for the body */
    HTTP_PROBLEM_MAX = 8 * 1024,
};

enum http_phase {
    PHASE_NEW,
    PHASE_HEADERS, /* a worker has it, MHD waits before the body */
    PHASE_COLLECT, /* MHD reads a small body, no worker yet */
    PHASE_BODY,    /* MHD reads the body for a worker */
    PHASE_WHOLE,   /* request read; waits for the reply */
    PHASE_SENT,    /* reply given to MHD */
};

/* A connection, for deadlines that MHD does not have: slow headers and slow small bodies. */
struct http_conn {
    struct http_conn *prev, *next; /* server.conns, under server.mu */
    int fd;
    char peer[64];                 /* its address; empty: unknown */
    bool over_limit;               /* connections_max: its requests are answered 503 */
    atomic_bool upgraded;          /* its request has ended, whatever MHD says later */
    _Atomic int64_t deadline_ms;   /* os_mono_ms; 0: none */
};

struct http_stream {
    struct ring ring;
    bool open, ended, discard; /* discard: HEAD */
    int64_t length;            /* -1: chunked */
    uint64_t written;
    /* Told when there is room again or the peer has gone; under req.mu: may only set a flag. */
    void (*wake)(void *ud);
    void *wake_ud;
};

struct http_req {
    struct http_server *server;
    struct http_req *prev, *next; /* server.reqs, under server.mu */
    atomic_int refs;              /* io's and the worker's (or the hub's) */

    /* Written by io before the worker starts, then only read. */
    struct arena arena;
    enum http_method method;
    str raw_target, path, query, peer;
    struct http_pairs headers, fields, cookies;
    int64_t content_length; /* -1: chunked; 0: no body */
    bool expects;           /* Expect: 100-continue */
    char id[OS_ID_TEXT];
    int64_t begun_ns;
    struct http_conn *hc;
    int fd; /* MHD's; valid until `gone` */

    void *user[2];
    struct http_pairs reply_headers; /* the worker's */
    http_before_reply_fn before_reply;
    void *before_reply_ud;
    size_t reply_headers_cap;

    /* Under mu. */
    pthread_mutex_t mu;
    pthread_cond_t cv;
    struct MHD_Connection *conn;
    enum http_phase phase;
    bool suspended; /* in MHD */
    bool gone;      /* MHD has ended the request */
    bool closing;   /* the server is going: end it */

    struct ring body;
    bool body_end, body_wanted, body_stalled, body_discard;
    uint64_t body_limit, body_taken, body_drained;
    int64_t body_wait_ms;

    struct MHD_Response *reply;
    str reply_raw; /* its bytes if they are in memory */
    bool reply_ready, linger;
    int status;
    struct http_stream stream;
    /* What a WebSocket reply holds until MHD upgrades the connection, and how to drop it if the
     * peer goes before. */
    void *upgrade_ud;
    void (*upgrade_drop)(void *ud);
};

struct http_linger; /* http_linger.c */

struct http_server {
    struct MHD_Daemon *mhd;
    struct pool *workers;
    struct http_limits lim;
    http_handler handler;
    http_done_fn done;
    void *ud;
    int port;
    int listen_fd; /* ours from the drain on */
    uint64_t id_seed; /* of the requests' ids */
    atomic_uint_fast64_t id_next;
    atomic_bool draining;
    struct http_linger *linger;

    pthread_mutex_t mu;
    pthread_cond_t idle; /* reqs has become empty */
    struct http_req *reqs;
    struct http_conn *conns;
    unsigned conn_count;
};

/* http_request.c */
void http_peer_text(struct MHD_Connection *c, char *ret, size_t cap);
struct http_req *http_req_new(struct http_server *s, const char *target);
enum rc http_req_parse(struct http_req *r, struct MHD_Connection *c, const char *method,
                       int *ret_status, struct err *e) must_check;
void http_req_unref(struct http_req *r);

/* http_server.c: by io, when the connection is no longer HTTP: ends the request. */
void http_req_upgraded(struct http_req *r);
/* Both under r->mu. */
void http_resume(struct http_req *r);
void http_suspend(struct http_req *r);

/* http_body.c, called by io under r->mu; false: close the connection */
bool http_body_arrived(struct http_req *r, const char *p, size_t *n);

/* http_reply.c */
void http_reply_problem(struct http_req *r, int status, const char *code, const char *title,
                        const char *detail, const char *field);
void http_problem_json(struct buf *b, int status, const char *code, const char *title,
                       const char *detail, const char *field, const char *request_id);
/* Finishes a response object with the headers and hands it to io; false: destroyed, peer has gone
 * or a reply was already given. */
bool http_reply_ready(struct http_req *r, int status, const char *type, struct MHD_Response *resp,
                      str raw);
/* Under r->mu, by io: writes a memory reply straight to the socket, "Connection: close". */
void http_reply_raw(struct http_req *r);
const char *http_reason(int status);

/* http_stream.c: for the hub.  Takes what fits; false when the peer has gone. */
bool http_stream_try(struct http_req *r, const void *p, size_t n, size_t *ret_taken);
bool http_stream_start(struct http_req *r, int status, const char *type, int64_t length,
                       void (*wake)(void *ud), void *ud, struct err *e) must_check;

/* http_linger.c: the thread that looks after deadlines and sockets that linger. */
enum rc linger_new(struct http_linger **ret, struct http_server *s, struct err *e) must_check;
void linger_free(struct http_linger *l);
void linger_add(struct http_linger *l, int fd); /* takes fd: reads and drops for 2 s, then closes */

#endif
