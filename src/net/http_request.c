/* http_request.c - a request from MHD's view into our own: copied into its arena, so that a handler
 * may go on reading it after the peer has gone and MHD has freed its side. */
#include "base/hash.h"
#include "net/http_int.h"
#include <netdb.h>
#include <poll.h>

static const char *const method_names[HTTP_METHOD_COUNT] = {
    [HTTP_GET] = "GET",       [HTTP_HEAD] = "HEAD",     [HTTP_POST] = "POST",
    [HTTP_PUT] = "PUT",       [HTTP_PATCH] = "PATCH",   [HTTP_DELETE] = "DELETE",
    [HTTP_OPTIONS] = "OPTIONS",
};

const char *http_method_name(enum http_method m)
{
    ASSERT(m < HTTP_METHOD_COUNT);
    return method_names[m];
}

static bool cond_init_mono(pthread_cond_t *cv)
{
    pthread_condattr_t attr;
    bool ok = !pthread_condattr_init(&attr);

    if (!ok)
        return false;
    ok = !pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) && !pthread_cond_init(cv, &attr);
    pthread_condattr_destroy(&attr);
    return ok;
}

/* Unlike any other's, and ordered by time; nobody is let in by it, so it need not ask the kernel
 * for chance each time. */
static void make_id(struct http_server *s, char ret[OS_ID_TEXT])
{
    uint64_t n = atomic_fetch_add_explicit(&s->id_next, 1, memory_order_relaxed);
    uint64_t word[2] = {rand_at(s->id_seed, n, 0, 0), rand_at(s->id_seed, n, 1, 0)};

    os_id_of(os_now_ms(), word, ret);
}

/* Born at the request line, before its headers are parsed: MHD tells the raw target only then. */
struct http_req *http_req_new(struct http_server *s, const char *target)
{
    struct http_req *r = mem_zalloc(sizeof *r);

    if (!r)
        return NULL;
    if (pthread_mutex_init(&r->mu, NULL)) {
        mem_free(r);
        return NULL;
    }
    if (!cond_init_mono(&r->cv)) {
        pthread_mutex_destroy(&r->mu);
        mem_free(r);
        return NULL;
    }
    r->server = s;
    r->refs = 1;
    r->fd = -1;
    r->body_limit = s->lim.body_bytes_max;
    r->begun_ns = os_mono_ns();
    make_id(s, r->id);
    arena_init(&r->arena, HTTP_ARENA_MAX);
    r->raw_target = arena_str(&r->arena, str_of(target));
    pthread_mutex_lock(&s->mu);
    r->next = s->reqs;
    if (s->reqs)
        s->reqs->prev = r;
    s->reqs = r;
    pthread_mutex_unlock(&s->mu);
    return r;
}

void http_req_unref(struct http_req *r)
{
    struct http_server *s = r->server;

    if (atomic_fetch_sub(&r->refs, 1) != 1)
        return;
    /* A keep-alive connection that ended before a first header line is no request. */
    if (s->done && r->phase != PHASE_NEW)
        s->done(r, r->status, (double)(os_mono_ns() - r->begun_ns) / 1e9, s->ud);
    /* Out of the list first: http_server_drain() reaches into what it finds there. */
    pthread_mutex_lock(&s->mu);
    if (r->next)
        r->next->prev = r->prev;
    *(r->prev ? &r->prev->next : &s->reqs) = r->next;
    if (!s->reqs)
        pthread_cond_broadcast(&s->idle);
    pthread_mutex_unlock(&s->mu);
    if (r->upgrade_ud)
        r->upgrade_drop(r->upgrade_ud);
    if (r->reply)
        MHD_destroy_response(r->reply);
    ring_done(&r->body);
    ring_done(&r->stream.ring);
    mem_free(r->reply_headers.p);
    arena_done(&r->arena);
    pthread_cond_destroy(&r->cv);
    pthread_mutex_destroy(&r->mu);
    mem_free(r);
}

struct header_walk {
    struct http_req *r;
    size_t cap;
    bool failed;
};

static enum MHD_Result take_header(void *ud, enum MHD_ValueKind kind, const char *name,
                                   size_t name_n, const char *value, size_t value_n)
{
    struct header_walk *w = ud;
    struct http_pairs *h = &w->r->headers;

    if (h->n == w->cap)
        return MHD_NO;
    h->p[h->n].name = arena_str(&w->r->arena, (str){name, name_n});
    h->p[h->n].value = arena_str(&w->r->arena, (str){value ? value : "", value ? value_n : 0});
    w->failed |= !h->p[h->n].name.p || !h->p[h->n].value.p;
    h->n++;
    return MHD_YES;
}

static enum rc take_headers(struct http_req *r, struct MHD_Connection *c, struct err *e)
{
    int count = MHD_get_connection_values(c, MHD_HEADER_KIND, NULL, NULL);
    struct header_walk w = {.r = r, .cap = count > 0 ? (size_t)count : 0};

    if (w.cap > HTTP_PAIRS_MAX)
        return err_set(e, RC_HEADERS, "more than %d header fields", HTTP_PAIRS_MAX);
    r->headers.p = ARENA_ARRAY(&r->arena, struct http_pair, w.cap ? w.cap : 1);
    if (!r->headers.p)
        return err_set(e, RC_NOMEM, "no memory for the request");
    MHD_get_connection_values_n(c, MHD_HEADER_KIND, take_header, &w);
    return w.failed ? err_set(e, RC_NOMEM, "no memory for the request") : RC_OK;
}

/* Exactly one way to say how long the body is: anything else is how requests are smuggled past a
 * proxy (RFC 9112, 6.3). */
static enum rc take_length(struct http_req *r, struct err *e)
{
    str length = STR_NONE, coding = STR_NONE;
    uint64_t n;

    for (size_t i = 0; i < r->headers.n; i++) {
        const struct http_pair *h = &r->headers.p[i];
        if (str_ieq(h->name, STR("Content-Length"))) {
            if (length.p && !str_eq(length, h->value))
                return err_set(e, RC_INVALID, "two different Content-Length headers");
            length = h->value;
        } else if (str_ieq(h->name, STR("Transfer-Encoding"))) {
            if (coding.p || !str_ieq(h->value, STR("chunked")))
                return err_set(e, RC_UNIMPLEMENTED, "the only Transfer-Encoding here is 'chunked'");
            coding = h->value;
        } else if (str_ieq(h->name, STR("Expect"))) {
            r->expects = str_ieq(h->value, STR("100-continue"));
        }
    }
    if (coding.p && length.p)
        return err_set(e, RC_INVALID, "both Content-Length and Transfer-Encoding were sent");
    if (coding.p) {
        r->content_length = -1;
        return RC_OK;
    }
    if (length.p && (!str_u64(length, &n) || n > INT64_MAX))
        return err_set(e, RC_INVALID, "Content-Length '%.*s' is not a length", STR_F(length));
    r->content_length = length.p ? (int64_t)n : 0;
    return RC_OK;
}

void http_peer_text(struct MHD_Connection *c, char *ret, size_t cap)
{
    const union MHD_ConnectionInfo *at =
        MHD_get_connection_info(c, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    socklen_t len;

    ret[0] = 0;
    if (!at || !at->client_addr)
        return;
    len = at->client_addr->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                                 : sizeof(struct sockaddr_in);
    if (getnameinfo(at->client_addr, len, ret, (socklen_t)cap, NULL, 0, NI_NUMERICHOST))
        ret[0] = 0;
}

static void take_peer(struct http_req *r)
{
    str copy = arena_str(&r->arena, str_of(r->hc->peer));

    r->peer = copy.p ? copy : STR("");
}

static bool method_of(const char *name, enum http_method *ret)
{
    for (enum http_method m = 0; m < HTTP_METHOD_COUNT; m++)
        if (str_is(str_of(name), method_names[m])) {
            *ret = m;
            return true;
        }
    return false;
}

/* On failure *ret_status is the status to answer, which not every code of ours has. */
enum rc http_req_parse(struct http_req *r, struct MHD_Connection *c, const char *method,
                       int *ret_status, struct err *e)
{
    const union MHD_ConnectionInfo *size =
        MHD_get_connection_info(c, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    size_t header_max = r->server->lim.header_bytes_max;
    enum rc rc = RC_OK;

    *ret_status = 0;
    if (!r->raw_target.p)
        rc = err_set(e, RC_NOMEM, "no memory for the request");
    if (!rc && r->raw_target.n > HTTP_TARGET_MAX) {
        *ret_status = 414;
        rc = err_set(e, RC_INVALID, "the request target is %zu bytes long; the limit is %d",
                     r->raw_target.n, HTTP_TARGET_MAX);
    }
    if (!rc && size && size->header_size > header_max)
        rc = err_set(e, RC_HEADERS, "the request headers are %zu bytes long; the limit is %zu",
                     size->header_size, header_max);
    if (!rc)
        rc = take_headers(r, c, e);
    if (!rc)
        rc = take_length(r, e);
    if (!rc && !method_of(method, &r->method))
        rc = err_set(e, RC_METHOD, "the method '%.20s' is not known here", method);
    if (!rc)
        rc = http_split_target(&r->arena, r->raw_target, &r->path, &r->query, e);
    if (!rc)
        rc = http_parse_query(&r->arena, r->query, &r->fields, e);
    if (!rc)
        rc = http_parse_cookies(&r->arena, http_header(r, "Cookie"), &r->cookies, e);
    take_peer(r);
    if (!r->path.p)
        r->path = STR("");
    if (!*ret_status)
        *ret_status = rc_status(rc);
    return rc;
}

/* ---- what a handler asks */

struct arena *http_arena(struct http_req *r)
{
    return &r->arena;
}

enum http_method http_method_of(const struct http_req *r)
{
    return r->method;
}

str http_path(const struct http_req *r)
{
    return r->path;
}

str http_raw_target(const struct http_req *r)
{
    return r->raw_target;
}

str http_raw_query(const struct http_req *r)
{
    return r->query;
}

str http_header(const struct http_req *r, const char *name)
{
    return http_pairs_get(&r->headers, str_of(name), true);
}

static bool pair_at(const struct http_pairs *p, size_t i, str *ret_name, str *ret_value)
{
    if (i >= p->n)
        return false;
    *ret_name = p->p[i].name;
    *ret_value = p->p[i].value;
    return true;
}

bool http_header_at(const struct http_req *r, size_t i, str *ret_name, str *ret_value)
{
    return pair_at(&r->headers, i, ret_name, ret_value);
}

str http_query(const struct http_req *r, const char *name)
{
    return http_pairs_get(&r->fields, str_of(name), false);
}

bool http_query_at(const struct http_req *r, size_t i, str *ret_name, str *ret_value)
{
    return pair_at(&r->fields, i, ret_name, ret_value);
}

str http_cookie(const struct http_req *r, const char *name)
{
    return http_pairs_get(&r->cookies, str_of(name), false);
}

str http_peer(const struct http_req *r)
{
    return r->peer;
}

const char *http_request_id(const struct http_req *r)
{
    return r->id;
}

int64_t http_content_length(const struct http_req *r)
{
    return r->content_length;
}

/* A suspended connection is not polled by MHD, so a handler that works long asks the socket. */
bool http_cancelled(const struct http_req *r)
{
    struct http_req *m = (struct http_req *)r;
    bool cancelled = atomic_load(&r->server->draining);

    pthread_mutex_lock(&m->mu);
    cancelled |= r->gone || r->closing;
    if (!cancelled && r->fd >= 0) {
        struct pollfd p = {.fd = r->fd, .events = POLLRDHUP};
        cancelled = poll(&p, 1, 0) == 1 && (p.revents & (POLLRDHUP | POLLHUP | POLLERR));
    }
    pthread_mutex_unlock(&m->mu);
    return cancelled;
}

void http_set_user(struct http_req *r, int slot, void *p)
{
    ASSERT(slot >= 0 && slot < 2);
    r->user[slot] = p;
}

void *http_get_user(const struct http_req *r, int slot)
{
    ASSERT(slot >= 0 && slot < 2);
    return r->user[slot];
}
