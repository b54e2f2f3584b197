/* http_stream.c - a reply whose bytes come while it is sent.
 *
 * The writer fills a ring of HTTP_STREAM_WINDOW bytes; MHD's reader takes from it and the
 * connection is suspended while it is empty.  The writer is a worker, which blocks when the ring is
 * full, or the hub, which never blocks and is told when there is room (`wake`). */
#include "base/log.h"
#include "net/http_int.h"

enum { STREAM_BLOCK = 32 * 1024 }; /* what MHD asks for at once */

static ssize_t read_block(void *ud, uint64_t pos, char *p, size_t max)
{
    struct http_req *r = ud;
    struct http_stream *s = &r->stream;
    ssize_t n;

    pthread_mutex_lock(&r->mu);
    n = (ssize_t)ring_get(&s->ring, p, max);
    if (n) {
        pthread_cond_broadcast(&r->cv);
        if (s->wake)
            s->wake(s->wake_ud);
    } else if (s->open && !r->closing) {
        http_suspend(r);
    } else {
        n = s->ended && !r->closing ? MHD_CONTENT_READER_END_OF_STREAM
                                    : MHD_CONTENT_READER_END_WITH_ERROR;
    }
    pthread_mutex_unlock(&r->mu);
    return n;
}

bool http_stream_start(struct http_req *r, int status, const char *type, int64_t length,
                       void (*wake)(void *ud), void *ud, struct err *e)
{
    uint64_t size = length >= 0 ? (uint64_t)length : MHD_SIZE_UNKNOWN;
    struct http_stream *s = &r->stream;
    struct MHD_Response *resp;

    ASSERT(!s->ring.p);
    if (!ring_init(&s->ring, HTTP_STREAM_WINDOW)) {
        err_set(e, RC_NOMEM, "no memory to stream a reply");
        return false;
    }
    s->open = true;
    s->length = length;
    s->wake = wake;
    s->wake_ud = ud;
    s->discard = r->method == HTTP_HEAD;
    resp = MHD_create_response_from_callback(size, STREAM_BLOCK, read_block, r, NULL);
    if (http_reply_ready(r, status, type, resp, STR_NONE))
        return true;
    s->open = false;
    err_set(e, resp ? RC_CANCELLED : RC_NOMEM, "the reply could not be started");
    return false;
}

enum rc http_reply_stream(struct http_req *r, int status, const char *type, int64_t length,
                          struct err *e)
{
    struct err why = {0};

    if (http_stream_start(r, status, type, length, NULL, NULL, &why))
        return RC_OK;
    return err_set(e, why.rc, "%s", why.text);
}

/* Under mu. */
static size_t stream_put(struct http_req *r, const void *p, size_t n)
{
    struct http_stream *s = &r->stream;
    size_t taken = s->discard ? n : ring_put(&s->ring, p, n);

    s->written += taken;
    if (taken)
        http_resume(r);
    return taken;
}

enum rc http_stream_write(struct http_req *r, const void *p, size_t n, struct err *e)
{
    enum rc rc = RC_OK;

    pthread_mutex_lock(&r->mu);
    if (!r->stream.open)
        rc = err_set(e, RC_CANCELLED, "the streamed reply is not open");
    else if (r->stream.length >= 0 && n > (uint64_t)r->stream.length - r->stream.written)
        rc = err_set(e, RC_INTERNAL, "more bytes are streamed than the %lld announced",
                     (long long)r->stream.length);
    while (!rc && n) {
        if (r->gone || r->closing) {
            rc = err_set(e, RC_CANCELLED, "the peer closed the connection within the reply");
            break;
        }
        size_t taken = stream_put(r, p, n);
        p = (const char *)p + taken;
        n -= taken;
        if (!taken)
            pthread_cond_wait(&r->cv, &r->mu); /* MHD's time-out ends a peer that does not read */
    }
    pthread_mutex_unlock(&r->mu);
    return rc;
}

bool http_stream_try(struct http_req *r, const void *p, size_t n, size_t *ret_taken)
{
    pthread_mutex_lock(&r->mu);
    bool alive = r->stream.open && !r->gone && !r->closing;
    *ret_taken = alive ? stream_put(r, p, n) : 0;
    pthread_mutex_unlock(&r->mu);
    return alive;
}

void http_stream_end(struct http_req *r)
{
    pthread_mutex_lock(&r->mu);
    struct http_stream *s = &r->stream;
    if (s->open) {
        s->open = false;
        s->ended = s->length < 0 || s->written == (uint64_t)s->length;
        http_resume(r);
    }
    pthread_mutex_unlock(&r->mu);
}
