/* http_body.c - the body of a request on its way from the socket to the handler.
 *
 * io puts what MHD offers into a ring of HTTP_BODY_WINDOW bytes; what does not fit stays with MHD
 * and the connection is suspended, so the socket is not read and TCP slows the sender down.  The
 * handler resumes it when half of the ring is free. */
#include "net/http_int.h"
#include <errno.h>

void http_body_limit(struct http_req *r, uint64_t bytes_max)
{
    pthread_mutex_lock(&r->mu);
    r->body_limit = bytes_max;
    pthread_mutex_unlock(&r->mu);
}

/* The reply is there and the body is not wanted. */
static bool drain(struct http_req *r, size_t *n)
{
    r->body_drained += *n;
    *n = 0;
    if (r->body_drained <= HTTP_DRAIN_MAX)
        return true;
    if (r->reply_ready)
        http_reply_raw(r);
    r->linger = true;
    return false;
}

bool http_body_arrived(struct http_req *r, const char *p, size_t *n)
{
    if (r->body_discard)
        return drain(r, n);
    size_t taken = ring_put(&r->body, p, *n);
    *n -= taken;
    if (*n)
        http_suspend(r);
    pthread_cond_broadcast(&r->cv);
    return true;
}

/* Under mu: waits until there is something to say.  A sender may take idle_timeout_s in all, plus a
 * second for every HTTP_BODY_RATE_MIN bytes: one that trickles cannot hold a worker for ever. */
static enum rc wait_bytes(struct http_req *r, struct err *e)
{
    int64_t allowed = (int64_t)r->server->lim.idle_timeout_s * 1000, begun = os_mono_ms();

    allowed += (int64_t)(r->body_taken / HTTP_BODY_RATE_MIN * 1000) - r->body_wait_ms;
    while (!r->body.n && !r->body_end && !r->gone && !r->closing) {
        int64_t left = allowed - (os_mono_ms() - begun);
        struct timespec until;

        if (left <= 0) {
            r->body_stalled = true;
            return err_set(e, RC_TIMEOUT, "the request body came too slowly: %llu bytes so far",
                           (unsigned long long)r->body_taken);
        }
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += left / 1000;
        until.tv_nsec += left % 1000 * 1000000;
        if (until.tv_nsec >= 1000000000) {
            until.tv_sec++;
            until.tv_nsec -= 1000000000;
        }
        pthread_cond_timedwait(&r->cv, &r->mu, &until);
    }
    r->body_wait_ms += os_mono_ms() - begun;
    if (!r->body.n && !r->body_end)
        return err_set(e, RC_CANCELLED, "the peer closed the connection within the request body");
    return RC_OK;
}

static enum rc too_large(struct http_req *r, struct err *e)
{
    return err_set(e, RC_TOO_LARGE, "the request body is larger than the limit of %llu bytes",
                   (unsigned long long)r->body_limit);
}

static enum rc body_begin(struct http_req *r, struct err *e)
{
    r->body_wanted = true;
    if (r->content_length > 0 && (uint64_t)r->content_length > r->body_limit)
        return too_large(r, e);
    if (r->phase == PHASE_HEADERS) {
        if (!r->body.p && !ring_init(&r->body, HTTP_BODY_WINDOW))
            return err_set(e, RC_NOMEM, "no memory for the request body");
        http_resume(r);
    }
    return RC_OK;
}

enum rc http_body_read(struct http_req *r, void *p, size_t cap, size_t *ret_n, struct err *e)
{
    enum rc rc = RC_OK;

    pthread_mutex_lock(&r->mu);
    if (!r->body_wanted)
        rc = body_begin(r, e);
    else if (r->content_length > 0 && (uint64_t)r->content_length > r->body_limit)
        rc = too_large(r, e);
    if (!rc && r->body_stalled)
        rc = err_set(e, RC_TIMEOUT, "the request body came too slowly");
    if (!rc && r->content_length)
        rc = wait_bytes(r, e);
    if (!rc && r->body_taken + r->body.n > r->body_limit)
        rc = too_large(r, e);
    if (!rc) {
        size_t n = ring_get(&r->body, p, cap);
        r->body_taken += n;
        if (r->phase == PHASE_BODY && r->body.n <= r->body.cap / 2)
            http_resume(r);
        *ret_n = n;
    }
    pthread_mutex_unlock(&r->mu);
    return rc;
}

enum rc http_body_all(struct http_req *r, size_t bytes_max, str *ret, struct err *e)
{
    struct buf b;
    char piece[16 * 1024];
    size_t n = 0;
    enum rc rc = RC_OK;

    if (r->content_length > 0 && (uint64_t)r->content_length > bytes_max)
        return err_set(e, RC_TOO_LARGE, "the request body is larger than the limit of %zu bytes",
                       bytes_max);
    pthread_mutex_lock(&r->mu);
    if (r->body_limit < bytes_max)
        r->body_limit = bytes_max;
    pthread_mutex_unlock(&r->mu);
    buf_init(&b, bytes_max);
    do {
        rc = http_body_read(r, piece, sizeof piece, &n, e);
        if (!rc)
            buf_add(&b, piece, n);
        if (!rc && b.rc == RC_TOO_LARGE)
            rc = err_set(e, RC_TOO_LARGE, "the request body is larger than the limit of %zu bytes",
                         bytes_max);
        else if (!rc)
            rc = buf_ok(&b, e);
    } while (!rc && n);
    if (!rc) {
        r->arena.max_bytes += b.n + 1;
        str all = arena_str(&r->arena, buf_view(&b));
        if (all.p)
            *ret = all;
        else
            rc = err_set(e, RC_NOMEM, "no memory for the request body");
    }
    buf_done(&b);
    return rc;
}
