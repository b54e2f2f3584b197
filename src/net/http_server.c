/* http_server.c - libmicrohttpd's threads in front, our workers behind; see http_int.h for how a
 * request passes from one to the other.
 *
 * Poll threads, never epoll: with epoll, 0.9.75 stalls at a few hundred connections (measured).
 * What else is known about 0.9.75 and relied upon here:
 *  - suspended in the first call of a request, the access handler is called the same way again
 *    after the resume, and a reply may still be queued there: then MHD refuses the body and closes;
 *  - in the middle of a body no reply can be queued;
 *  - `notify_completed` of an upgraded connection runs under a lock that suspend and resume take.
 */
#include "base/log.h"
#include "net/http_int.h"
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

enum { OVER_LIMIT_ROOM = 32, LISTEN_BACKLOG = 1024 };

void http_suspend(struct http_req *r)
{
    r->suspended = true;
    MHD_suspend_connection(r->conn);
}

void http_resume(struct http_req *r)
{
    if (!r->suspended || r->gone)
        return;
    r->suspended = false;
    MHD_resume_connection(r->conn);
}

/* ---- worker */

static void answer(struct http_req *r)
{
    r->server->handler(r, r->server->ud);
    pthread_mutex_lock(&r->mu);
    bool replied = r->reply_ready || r->closing, cut = r->stream.open && !r->stream.wake;
    if (cut) { /* returned without http_stream_end() */
        r->stream.open = false;
        http_resume(r);
    }
    pthread_mutex_unlock(&r->mu);
    if (!replied) {
        log_error("request %s: the handler of %s %.*s gave no reply", r->id,
                  http_method_name(r->method), STR_F(r->path));
        http_reply_problem(r, 500, rc_code(RC_INTERNAL), rc_title(RC_INTERNAL),
                           "the request was not answered", NULL);
    }
}

static void run_handler(void *ud)
{
    answer(ud);
    http_req_unref(ud);
}

/* ---- io */

static struct http_conn *conn_of(struct MHD_Connection *c)
{
    const union MHD_ConnectionInfo *i =
        MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return i ? i->socket_context : NULL;
}

static void on_connection(void *ud, struct MHD_Connection *c, void **context,
                          enum MHD_ConnectionNotificationCode what)
{
    struct http_server *s = ud;
    struct http_conn *hc = *context;

    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *i =
            MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
        hc = mem_zalloc(sizeof *hc);
        *context = hc;
        if (!hc || !i)
            return; /* its first request is closed */
        hc->fd = i->connect_fd;
        http_peer_text(c, hc->peer, sizeof hc->peer);
        /* Behind MHD's own idle time-out, which closes without a word if nothing came. */
        atomic_store(&hc->deadline_ms, os_mono_ms() + (s->lim.idle_timeout_s + 2) * 1000LL);
        pthread_mutex_lock(&s->mu);
        hc->over_limit = ++s->conn_count > s->lim.connections_max;
        hc->next = s->conns;
        if (s->conns)
            s->conns->prev = hc;
        s->conns = hc;
        pthread_mutex_unlock(&s->mu);
    } else if (hc) {
        pthread_mutex_lock(&s->mu);
        s->conn_count--;
        if (hc->next)
            hc->next->prev = hc->prev;
        *(hc->prev ? &hc->prev->next : &s->conns) = hc->next;
        pthread_mutex_unlock(&s->mu);
        mem_free(hc);
        *context = NULL;
    }
}

static void *on_target(void *ud, const char *target, struct MHD_Connection *c)
{
    return http_req_new(ud, target);
}

static enum MHD_Result queue_reply(struct http_req *r)
{
    r->phase = PHASE_SENT;
    return MHD_queue_response(r->conn, (unsigned)r->status, r->reply);
}

/* Answers from io, before a worker is involved. */
static enum MHD_Result refuse(struct http_req *r, int status, const char *code, const char *title,
                              const char *detail)
{
    r->linger = r->content_length != 0;
    http_reply_problem(r, status, code, title, detail, NULL);
    return r->reply ? queue_reply(r) : MHD_NO;
}

static enum MHD_Result refuse_busy(struct http_req *r, const char *detail)
{
    http_add_header(r, "Retry-After", "1");
    return refuse(r, 503, rc_code(RC_UNAVAILABLE), rc_title(RC_UNAVAILABLE), detail);
}

static enum MHD_Result refuse_parse(struct http_req *r, enum rc rc, int status, const struct err *e)
{
    if (rc == RC_METHOD)
        http_add_header(r, "Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
    if (status == 414)
        return refuse(r, status, "target_too_long", "The request target is too long", e->text);
    return refuse(r, status, rc_code(rc), rc_title(rc), e->text);
}

/* To a worker; the connection waits.  Under mu, so that the reply cannot overtake the suspend. */
static enum MHD_Result submit(struct http_req *r)
{
    enum MHD_Result ret = MHD_YES;
    bool full;

    pthread_mutex_lock(&r->mu);
    atomic_fetch_add(&r->refs, 1);
    full = pool_submit(r->server->workers, run_handler, r, NULL) != RC_OK;
    if (!full)
        http_suspend(r);
    pthread_mutex_unlock(&r->mu);
    if (full) {
        atomic_fetch_sub(&r->refs, 1);
        ret = refuse_busy(r, "too many requests are waiting; try again");
    }
    return ret;
}

/* On io: nothing is suspended, so the reply is queued when the handler is back. */
static enum MHD_Result run_here(struct http_req *r)
{
    bool ready;

    answer(r);
    pthread_mutex_lock(&r->mu);
    ready = r->reply_ready && r->reply && !r->closing;
    pthread_mutex_unlock(&r->mu);
    return ready ? queue_reply(r) : MHD_NO;
}

static enum MHD_Result first_call(struct http_req *r, const char *method)
{
    struct err e = {0};
    int status;
    enum rc rc = http_req_parse(r, r->conn, method, &status, &e);

    r->phase = PHASE_WHOLE;
    atomic_store(&r->hc->deadline_ms, 0);
    if (rc)
        return refuse_parse(r, rc, status, &e);
    if (r->hc->over_limit)
        return refuse_busy(r, "too many connections; try again");
    if (atomic_load(&r->server->draining))
        return refuse_busy(r, "the server is shutting down");
    if (!r->content_length)
        return MHD_YES; /* called again at once */
    if (r->content_length < 0 || r->content_length > HTTP_BODY_WINDOW || r->expects) {
        r->phase = PHASE_HEADERS;
        return submit(r);
    }
    r->phase = PHASE_COLLECT;
    atomic_store(&r->hc->deadline_ms, os_mono_ms() + r->server->lim.idle_timeout_s * 1000LL);
    if (!ring_init(&r->body, (size_t)r->content_length))
        return refuse_busy(r, "out of memory");
    return MHD_YES;
}

/* What io does next, decided under mu and done without it. */
enum step { STEP_GO, STEP_CLOSE, STEP_QUEUE, STEP_SUBMIT };

/* Resumed before the body: there is a reply, or the handler wants the body. */
static enum step before_body(struct http_req *r)
{
    if (r->reply_ready) {
        bool small = !r->expects && r->content_length <= HTTP_DRAIN_MAX;
        if (!small) {
            r->linger = true;
            return STEP_QUEUE;
        }
        r->body_discard = true;
        atomic_store(&r->hc->deadline_ms, os_mono_ms() + HTTP_DRAIN_MS);
    } else if (!r->body_wanted) {
        http_suspend(r);
        return STEP_GO;
    }
    r->phase = PHASE_BODY;
    return STEP_GO;
}

static enum step next_step(struct http_req *r, const char *data, size_t *n)
{
    if (r->closing)
        return STEP_CLOSE;
    if (*n)
        return http_body_arrived(r, data, n) ? STEP_GO : STEP_CLOSE;
    if (r->phase == PHASE_HEADERS)
        return before_body(r);
    if (r->reply_ready)
        return STEP_QUEUE;
    if (r->phase == PHASE_BODY) {
        r->phase = PHASE_WHOLE;
        r->body_end = true;
        pthread_cond_broadcast(&r->cv);
    } else if (!r->body_end) { /* no body, or collected */
        r->phase = PHASE_WHOLE;
        r->body_end = true;
        return STEP_SUBMIT;
    }
    http_suspend(r);
    return STEP_GO;
}

static enum MHD_Result later_call(struct http_req *r, const char *data, size_t *n)
{
    enum step step;

    pthread_mutex_lock(&r->mu);
    step = next_step(r, data, n);
    pthread_mutex_unlock(&r->mu);
    if (step == STEP_QUEUE)
        return queue_reply(r);
    if (step == STEP_SUBMIT) {
        atomic_store(&r->hc->deadline_ms, 0);
        if (!r->content_length && r->server->lim.quick && r->server->lim.quick(r, r->server->ud))
            return run_here(r);
        return submit(r);
    }
    return step == STEP_GO ? MHD_YES : MHD_NO;
}

static enum MHD_Result on_access(void *ud, struct MHD_Connection *c, const char *url,
                                 const char *method, const char *version, const char *data,
                                 size_t *n, void **context)
{
    struct http_req *r = *context;

    if (!r)
        return MHD_NO; /* no memory */
    if (r->phase != PHASE_NEW)
        return later_call(r, data, n);
    const union MHD_ConnectionInfo *i =
        MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
    r->conn = c;
    r->hc = conn_of(c);
    if (!r->hc || !i)
        return MHD_NO;
    r->fd = i->connect_fd;
    return first_call(r, method);
}

static void end_request(struct http_req *r, bool complete)
{
    pthread_mutex_lock(&r->mu);
    if (!complete)
        r->status = rc_status(RC_CANCELLED);
    if (r->linger && r->fd >= 0) {
        int fd = fcntl(r->fd, F_DUPFD_CLOEXEC, 0);
        if (fd >= 0)
            linger_add(r->server->linger, fd);
    }
    r->gone = true;
    r->fd = -1;
    pthread_cond_broadcast(&r->cv);
    if (r->stream.wake)
        r->stream.wake(r->stream.wake_ud);
    pthread_mutex_unlock(&r->mu);
    http_req_unref(r);
}

void http_req_upgraded(struct http_req *r)
{
    atomic_store(&r->hc->upgraded, true);
    end_request(r, true);
}

static void on_completed(void *ud, struct MHD_Connection *c, void **context,
                         enum MHD_RequestTerminationCode how)
{
    struct http_server *s = ud;
    struct http_req *r = *context;
    struct http_conn *hc = conn_of(c);

    *context = NULL;
    if (!r || (hc && atomic_load(&hc->upgraded)))
        return; /* of an upgraded connection this comes under a lock of MHD's */
    if (hc)
        atomic_store(&hc->deadline_ms, os_mono_ms() + (2 * s->lim.idle_timeout_s + 2) * 1000LL);
    end_request(r, how == MHD_REQUEST_TERMINATED_COMPLETED_OK);
}

static size_t keep_escapes(void *ud, struct MHD_Connection *c, char *s)
{
    return strlen(s);
}

__attribute__((format(printf, 2, 0))) static void on_log(void *ud, const char *fmt, va_list ap)
{
    char line[512];

    vsnprintf(line, sizeof line, fmt, ap);
    log_debug("http: %.*s", (int)strcspn(line, "\n"), line);
}

/* ---- life */

static enum rc open_listener(const char *listen_at, int *ret_fd, int *ret_port, struct err *e)
{
    str at = str_of(listen_at);
    ptrdiff_t colon = str_rchr(at, ':');
    struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
    struct addrinfo *ai = NULL;
    struct sockaddr_storage bound;
    socklen_t len = sizeof bound;
    char host[256], port[8];
    int fd, one = 1, code = 0;

    if (colon < 0 || (size_t)colon >= sizeof host || at.n - (size_t)colon > 6)
        return err_field(e, RC_INVALID, "listen", "'%s' is not HOST:PORT", listen_at);
    str h = str_sub(at, 0, (size_t)colon);
    if (h.n >= 2 && h.p[0] == '[' && h.p[h.n - 1] == ']')
        h = str_sub(h, 1, h.n - 2);
    snprintf(host, sizeof host, "%.*s", STR_F(h));
    snprintf(port, sizeof port, "%s", listen_at + colon + 1);
    code = getaddrinfo(h.n ? host : NULL, port, &hints, &ai);
    if (code)
        return err_field(e, RC_INVALID, "listen", "'%s': %s", listen_at, gai_strerror(code));
    fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) ||
        bind(fd, ai->ai_addr, ai->ai_addrlen) || listen(fd, LISTEN_BACKLOG) ||
        getsockname(fd, (struct sockaddr *)&bound, &len)) {
        code = errno;
        freeaddrinfo(ai);
        if (fd >= 0)
            close(fd);
        return err_errno(e, code, "listening on %s", listen_at);
    }
    freeaddrinfo(ai);
    *ret_fd = fd;
    *ret_port = ntohs(bound.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&bound)->sin6_port
                                                  : ((struct sockaddr_in *)&bound)->sin_port);
    return RC_OK;
}

static void defaults(struct http_limits *l)
{
    if (!l->header_bytes_max)
        l->header_bytes_max = 32 * 1024;
    if (!l->body_bytes_max)
        l->body_bytes_max = 16 * 1024 * 1024;
    if (!l->connections_max)
        l->connections_max = 1024;
    if (!l->idle_timeout_s)
        l->idle_timeout_s = 60;
    if (!l->io_threads)
        l->io_threads = 2;
    if (!l->workers)
        l->workers = 16;
    if (!l->backlog_max)
        l->backlog_max = 1024;
}

static enum rc start_mhd(struct http_server *s, struct err *e)
{
    const struct http_limits *l = &s->lim;
    /* A little more than the header limit, for what is parsed of it and for a problem document of
     * ours (MHD's own answer is plain text).  MHD clears all of it after each request of a kept
     * connection, so each connection costs this much resident memory. */
    size_t pool = l->header_bytes_max + 16 * 1024;
    struct MHD_OptionItem ops[] = {
        {MHD_OPTION_EXTERNAL_LOGGER, (intptr_t)on_log, NULL},
        {MHD_OPTION_LISTEN_SOCKET, s->listen_fd, NULL},
        {MHD_OPTION_CONNECTION_LIMIT, l->connections_max + OVER_LIMIT_ROOM, NULL},
        {MHD_OPTION_CONNECTION_MEMORY_LIMIT, (intptr_t)pool, NULL},
        /* 3 s behind the time-outs of ours that can still say why */
        {MHD_OPTION_CONNECTION_TIMEOUT, l->idle_timeout_s + 3, NULL},
        {MHD_OPTION_STRICT_FOR_CLIENT, 1, NULL},
        {MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)on_completed, s},
        {MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)on_connection, s},
        {MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)on_target, s},
        {MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)keep_escapes, s},
        {l->io_threads > 1 ? MHD_OPTION_THREAD_POOL_SIZE : MHD_OPTION_END, l->io_threads, NULL},
        {MHD_OPTION_END, 0, NULL},
    };

    s->mhd = MHD_start_daemon(MHD_USE_POLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME |
                                  MHD_ALLOW_UPGRADE | MHD_USE_ERROR_LOG,
                              0, NULL, NULL, on_access, s, MHD_OPTION_ARRAY, ops, MHD_OPTION_END);
    return s->mhd ? RC_OK : err_set(e, RC_IO, "the HTTP server could not start its threads");
}

enum rc http_server_new(struct http_server **ret, const char *listen_at,
                        const struct http_limits *lim, http_handler handler, http_done_fn done,
                        void *ud, struct err *e)
{
    struct http_server *s = mem_zalloc(sizeof *s);
    pthread_condattr_t attr;
    enum rc rc = RC_OK;

    if (!s)
        return err_set(e, RC_NOMEM, "no memory for the HTTP server");
    s->lim = lim ? *lim : (struct http_limits){0};
    defaults(&s->lim);
    s->handler = handler;
    s->done = done;
    s->ud = ud;
    s->listen_fd = -1;
    os_random(&s->id_seed, sizeof s->id_seed);
    pthread_mutex_init(&s->mu, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&s->idle, &attr);
    pthread_condattr_destroy(&attr);
    rc = open_listener(listen_at, &s->listen_fd, &s->port, e);
    if (!rc)
        rc = pool_new(&s->workers, "http", s->lim.workers, s->lim.backlog_max, e);
    if (!rc)
        rc = linger_new(&s->linger, s, e);
    if (!rc)
        rc = start_mhd(s, e);
    if (!rc)
        *ret = s;
    else
        http_server_free(s);
    return rc;
}

int http_server_port(const struct http_server *s)
{
    return s->port;
}

/* Under s->mu: until no request is left, or the deadline. */
static bool wait_idle(struct http_server *s, int64_t ms)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    while (s->reqs)
        if (pthread_cond_timedwait(&s->idle, &s->mu, &until) == ETIMEDOUT)
            break;
    return !s->reqs;
}

/* Under s->mu: wakes what blocks and shuts every socket, so that MHD ends its request. */
static void cut_all(struct http_server *s)
{
    for (struct http_req *r = s->reqs; r; r = r->next) {
        pthread_mutex_lock(&r->mu);
        r->closing = true;
        pthread_cond_broadcast(&r->cv);
        if (r->stream.wake)
            r->stream.wake(r->stream.wake_ud);
        http_resume(r);
        pthread_mutex_unlock(&r->mu);
    }
    for (struct http_conn *c = s->conns; c; c = c->next)
        if (!atomic_load(&c->upgraded)) /* then the socket is the hub's */
            shutdown(c->fd, SHUT_RDWR);
}

void http_server_drain(struct http_server *s, int64_t drain_ms)
{
    if (!atomic_exchange(&s->draining, true) && s->mhd) {
        MHD_quiesce_daemon(s->mhd);
        shutdown(s->listen_fd, SHUT_RDWR); /* closed when no thread of MHD's can still use it */
    }
    pthread_mutex_lock(&s->mu);
    if (!wait_idle(s, drain_ms))
        cut_all(s);
    pthread_mutex_unlock(&s->mu);
}

void http_server_free(struct http_server *s)
{
    if (!s)
        return;
    http_server_drain(s, 0);
    if (s->workers)
        pool_free(s->workers);
    pthread_mutex_lock(&s->mu);
    while (!wait_idle(s, 50)) /* what came in since, and what a hub lets go */
        cut_all(s);
    pthread_mutex_unlock(&s->mu);
    if (s->mhd)
        MHD_stop_daemon(s->mhd);
    linger_free(s->linger);
    os_close(s->listen_fd);
    pthread_cond_destroy(&s->idle);
    pthread_mutex_destroy(&s->mu);
    mem_free(s);
}
