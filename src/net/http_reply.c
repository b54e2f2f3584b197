/* http_reply.c - one reply for each request: from memory, from a descriptor, or a problem document
 * (RFC 9457).  Streams are in http_stream.c. */
#include "base/json.h"
#include "base/log.h"
#include "net/http_int.h"
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

const char *http_reason(int status)
{
    const char *text = MHD_get_reason_phrase_for((unsigned)status);
    return text ? text : "Unknown";
}

void http_add_header(struct http_req *r, const char *name, const char *value)
{
    struct http_pairs *h = &r->reply_headers;
    struct http_pair pair;

    /* A value with a line break in it would let whoever wrote it write headers. */
    if (!http_token_ok(str_of(name)) || !value || !http_field_value_ok(str_of(value))) {
        log_error("request %s: header '%s' is left out: not a valid header field", r->id, name);
        return;
    }
    if (h->n == r->reply_headers_cap) {
        size_t cap = h->n ? h->n * 2 : 8;
        struct http_pair *p = mem_realloc(h->p, cap * sizeof *p);
        if (!p) {
            log_error("request %s: no memory for header '%s'", r->id, name);
            return;
        }
        h->p = p;
        r->reply_headers_cap = cap;
    }
    pair.name = arena_str(&r->arena, str_of(name));
    pair.value = arena_str(&r->arena, str_of(value));
    if (pair.name.p && pair.value.p)
        h->p[h->n++] = pair;
    else
        log_error("request %s: no memory for header '%s'", r->id, name);
}

void http_before_reply(struct http_req *r, http_before_reply_fn fn, void *ud)
{
    r->before_reply = fn;
    r->before_reply_ud = ud;
}

static void tell_before_reply(struct http_req *r, int status)
{
    const http_before_reply_fn fn = r->before_reply;

    r->before_reply = NULL;
    if (fn)
        fn(r->before_reply_ud, status);
}

bool http_reply_ready(struct http_req *r, int status, const char *type, struct MHD_Response *resp,
                      str raw)
{
    bool given = false;

    tell_before_reply(r, status);
    if (!resp) {
        log_error("request %s: no memory for the reply", r->id);
        pthread_mutex_lock(&r->mu);
        if (!r->reply_ready) { /* nothing can be said: closing is the answer */
            r->closing = true;
            http_resume(r);
        }
        pthread_mutex_unlock(&r->mu);
        return false;
    }
    if (type)
        MHD_add_response_header(resp, "Content-Type", type);
    MHD_add_response_header(resp, "X-Request-Id", r->id);
    MHD_add_response_header(resp, "X-Content-Type-Options", "nosniff");
    if (atomic_load(&r->server->draining))
        MHD_add_response_header(resp, "Connection", "close");
    for (size_t i = 0; i < r->reply_headers.n; i++)
        MHD_add_response_header(resp, r->reply_headers.p[i].name.p,
                                r->reply_headers.p[i].value.p);
    pthread_mutex_lock(&r->mu);
    if (r->reply_ready) {
        log_error("request %s: a second reply (%d after %d) is dropped", r->id, status, r->status);
    } else if (!r->gone) {
        r->reply = resp;
        r->reply_raw = raw;
        r->reply_ready = given = true;
        r->status = status;
        if (r->phase == PHASE_BODY) {
            r->body_discard = true;
            atomic_store(&r->hc->deadline_ms, os_mono_ms() + HTTP_DRAIN_MS);
        }
        http_resume(r);
    } else {
        r->reply_ready = true;
    }
    pthread_mutex_unlock(&r->mu);
    if (!given)
        MHD_destroy_response(resp);
    return given;
}

void http_reply(struct http_req *r, int status, const char *type, str body)
{
    struct buf b;

    buf_init(&b, body.n + 1);
    buf_str(&b, body);
    http_reply_buf(r, status, type, &b);
}

static void free_bytes(void *p)
{
    mem_free(p);
}

void http_reply_buf(struct http_req *r, int status, const char *type, struct buf *b)
{
    size_t n = 0;
    bool empty = b->rc == RC_OK && b->n == 0;
    char *p = empty ? NULL : buf_take(b, &n);
    struct MHD_Response *resp = NULL;

    if (empty)
        resp = MHD_create_response_from_buffer(0, (void *)"", MHD_RESPMEM_PERSISTENT);
    else if (p)
        resp = MHD_create_response_from_buffer_with_free_callback(n, p, free_bytes);
    if (p && !resp)
        mem_free(p);
    buf_done(b);
    http_reply_ready(r, status, type, resp, (str){p ? p : "", n});
}

void http_reply_static(struct http_req *r, int status, const char *type, str body)
{
    struct MHD_Response *resp = MHD_create_response_from_buffer(
        body.n, (void *)(uintptr_t)(body.p ? body.p : ""), MHD_RESPMEM_PERSISTENT);
    http_reply_ready(r, status, type, resp, body);
}

void http_reply_fd(struct http_req *r, int status, const char *type, int fd, uint64_t at,
                   uint64_t len)
{
    struct MHD_Response *resp = NULL;

    if (len)
        resp = MHD_create_response_from_fd_at_offset64(len, fd, at);
    else
        resp = MHD_create_response_from_buffer(0, (void *)"", MHD_RESPMEM_PERSISTENT);
    if (!resp || !len)
        os_close(fd);
    http_reply_ready(r, status, type, resp, STR_NONE);
}

/* ---- problem documents */

void http_problem_json(struct buf *b, int status, const char *code, const char *title,
                       const char *detail, const char *field, const char *request_id)
{
    struct jw w;

    jw_init(&w, b);
    jw_obj(&w);
    jw_kcstr(&w, "type", "about:blank");
    jw_kcstr(&w, "title", title);
    jw_kint(&w, "status", status);
    jw_kcstr(&w, "code", code);
    if (detail && *detail)
        jw_kcstr(&w, "detail", detail);
    if (field && *field)
        jw_kcstr(&w, "field", field);
    if (request_id)
        jw_kcstr(&w, "request_id", request_id);
    jw_obj_end(&w);
}

void http_reply_problem(struct http_req *r, int status, const char *code, const char *title,
                        const char *detail, const char *field)
{
    struct buf b;

    buf_init(&b, HTTP_PROBLEM_MAX);
    http_problem_json(&b, status, code, title, detail, field, r->id);
    http_reply_buf(r, status, "application/problem+json", &b);
}

void http_reply_err(struct http_req *r, const struct err *e)
{
    pthread_mutex_lock(&r->mu);
    bool slow = e->rc == RC_TIMEOUT && r->body_stalled;
    pthread_mutex_unlock(&r->mu);
    if (slow)
        http_reply_problem(r, 408, "request_timeout", "The request came too slowly", e->text,
                           e->field);
    else
        http_reply_problem(r, rc_status(e->rc), rc_code(e->rc), rc_title(e->rc), e->text, e->field);
}

/* ---- past MHD, in the middle of a body */

void http_reply_raw(struct http_req *r)
{
    struct buf b;

    if (!r->reply_raw.p) {
        log_warn("request %s: reply %d is lost: its body is not in memory and the peer still "
                 "sends",
                 r->id, r->status);
        return;
    }
    buf_init(&b, r->reply_raw.n + 64 * 1024);
    buf_printf(&b, "HTTP/1.1 %d %s\r\nConnection: close\r\nContent-Length: %zu\r\n", r->status,
               http_reason(r->status), r->reply_raw.n);
    const char *type = MHD_get_response_header(r->reply, "Content-Type");
    if (type)
        buf_printf(&b, "Content-Type: %s\r\n", type);
    buf_printf(&b, "X-Request-Id: %s\r\n", r->id);
    for (size_t i = 0; i < r->reply_headers.n; i++)
        buf_printf(&b, "%s: %s\r\n", r->reply_headers.p[i].name.p, r->reply_headers.p[i].value.p);
    buf_puts(&b, "\r\n");
    if (r->method != HTTP_HEAD)
        buf_str(&b, r->reply_raw);
    /* The send buffer is empty, so a small reply goes out whole. */
    if (!b.rc && send(r->fd, b.p, b.n, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)b.n)
        log_debug("request %s: reply %d was cut: %s", r->id, r->status, strerror(errno));
    buf_done(&b);
}
