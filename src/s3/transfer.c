/* transfer.c - see transfer.h.
 *
 * Waiting between tries is exponential with full jitter (AWS architecture blog, "Exponential
 * Backoff And Jitter"), so that many workers do not come back in step; Retry-After is obeyed up to
 * a ceiling.
 */
#include "s3/transfer.h"

#include "os/os.h"
#include "s3/xml.h"

enum { BACKOFF_FIRST_MS = 200, BACKOFF_MAX_MS = 5000, RETRY_AFTER_S_MAX = 10 };

/* One download across its tries. */
struct progress {
    client_sink_fn sink;
    void *ud;
    uint64_t delivered;
    bool sink_failed; /* the consumer said no: never again */
};

static enum rc count_sink(void *ud, const void *p, size_t n, struct err *e)
{
    struct progress *g = ud;
    enum rc rc = g->sink(g->ud, p, n, e);

    if (rc)
        g->sink_failed = true;
    else
        g->delivered += n;
    return rc;
}

static enum rc rc_of_status(int status)
{
    static const struct {
        int status;
        enum rc rc;
    } rows[] = {{403, RC_FORBIDDEN},    {404, RC_NOT_FOUND},   {409, RC_CONFLICT},
                {412, RC_PRECONDITION}, {413, RC_TOO_LARGE},   {416, RC_RANGE},
                {429, RC_LIMIT},        {503, RC_UNAVAILABLE}, {504, RC_TIMEOUT},
                {507, RC_FULL}};

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].status == status)
            return rows[i].rc;
    return RC_UPSTREAM;
}

/* Takes <Code> and <Message> out of an error document; both may stay empty. */
static void read_error(str body, struct buf *code, struct buf *message)
{
    struct xml x;
    enum xml_event ev;
    str s;

    xml_init(&x, body);
    while (!xml_next(&x, &ev, NULL) && ev != XML_END) {
        struct buf *to = ev != XML_OPEN              ? NULL
                         : str_is(x.name, "Code")    ? code
                         : str_is(x.name, "Message") ? message
                                                     : NULL;
        if (!to)
            continue;
        if (xml_leaf(&x, &s, NULL))
            break;
        buf_str(to, s);
    }
    xml_done(&x);
}

static enum rc status_error(const struct transfer *t, int status, str body, struct err *e)
{
    struct buf code, message;
    enum rc rc;

    buf_init(&code, 128);
    buf_init(&message, 512);
    read_error(body, &code, &message);
    rc = err_set(e, rc_of_status(status), "object store: %s %s: status %d%s%s%s%s",
                 http_method_name(t->method), t->what, status, code.n ? ", " : "", code.p,
                 message.n ? ": " : "", message.p);
    buf_done(&code);
    buf_done(&message);
    return rc;
}

static bool worth_another(enum rc rc, int status)
{
    if (rc)
        return rc == RC_UNAVAILABLE || rc == RC_TIMEOUT || rc == RC_UPSTREAM;
    return status == 429 || status == 500 || status == 502 || status == 503 || status == 504;
}

static void back_off(int attempt, int64_t retry_after_s)
{
    int64_t ceiling = (int64_t)BACKOFF_FIRST_MS << attempt;
    uint64_t word;

    if (ceiling > BACKOFF_MAX_MS)
        ceiling = BACKOFF_MAX_MS;
    os_random(&word, sizeof word);
    if (retry_after_s > RETRY_AFTER_S_MAX)
        retry_after_s = RETRY_AFTER_S_MAX;
    os_sleep_ms((retry_after_s > 0 ? retry_after_s * 1000 : 0) +
                (int64_t)(word % (uint64_t)ceiling));
}

struct attempt {
    const struct transfer *t;
    struct progress *progress;
    struct buf *reply;
    char etag[80]; /* of the first answer: what a continued download must still be */
};

/* Headers of this try: the caller's, and where to go on. */
static enum rc try_once(struct attempt *at, struct client_reply *r, struct err *e)
{
    const struct transfer *t = at->t;
    const char *headers[S3_HEADERS_MAX + 3];
    char range[64], match[96];
    size_t n = 0;
    bool resumed = at->progress->delivered > 0;
    struct client_call c = {.method = t->method,
                            .url = t->url,
                            .headers = headers,
                            .body = t->body,
                            .source = t->source,
                            .source_ud = t->source_ud,
                            .source_bytes = t->source_bytes,
                            .sink = t->sink ? count_sink : NULL,
                            .sink_ud = at->progress,
                            .reply = at->reply,
                            .timeout_ms = t->timeout_ms};
    enum rc rc;

    while (n < S3_HEADERS_MAX && t->headers[n]) {
        headers[n] = t->headers[n];
        n++;
    }
    if (resumed) {
        snprintf(range, sizeof range, "Range: bytes=%llu-",
                 (unsigned long long)at->progress->delivered);
        snprintf(match, sizeof match, "If-Match: \"%s\"", at->etag);
        headers[n++] = range;
        headers[n++] = match;
    }
    headers[n] = NULL;
    *r = (struct client_reply){0};
    rc = client_do(&c, r, e);
    if (r->etag[0] && !at->etag[0])
        memcpy(at->etag, r->etag, sizeof at->etag);
    if (!rc && resumed && r->status == 200) {
        at->progress->sink_failed = true; /* the bytes came from the start again */
        return err_set(e, RC_UPSTREAM,
                       "object store: %s: the range of a continued download was "
                       "ignored",
                       t->what);
    }
    return rc;
}

/* May this transfer be sent again, with what has been sent and taken so far? */
static bool repeatable(const struct attempt *at)
{
    if (at->progress->sink_failed)
        return false;
    if (at->progress->delivered && !at->etag[0])
        return false;
    return !at->t->source || at->t->rewind;
}

enum rc transfer_do(const struct transfer *t, struct client_reply *ret, struct err *e)
{
    struct progress progress = {t->sink, t->sink_ud, 0, false};
    struct attempt at = {.t = t, .progress = &progress};
    struct client_reply r = {0};
    struct buf own;
    int tries = t->tries ? t->tries : S3_TRIES;
    enum rc rc = RC_OK;

    buf_init(&own, S3_ERROR_BYTES_MAX);
    at.reply = t->out ? t->out : &own;
    for (int i = 0; i < tries; i++) {
        buf_clear(at.reply);
        if (i && t->rewind)
            rc = t->rewind(t->source_ud, e);
        if (rc)
            break;
        rc = try_once(&at, &r, e);
        if (!worth_another(rc, r.status) || !repeatable(&at) || i + 1 == tries)
            break;
        back_off(i, rc ? -1 : r.retry_after_s);
        rc = RC_OK;
    }
    if (rc)
        rc = err_wrap(e, rc, "object store: %s %s", http_method_name(t->method), t->what);
    else if (r.status >= 300 && !(r.status == 404 && t->accept_missing))
        rc = status_error(t, r.status, buf_view(at.reply), e);
    if (!rc && r.status < 300)
        rc = buf_ok(at.reply, e);
    if (!rc)
        *ret = r;
    buf_done(&own);
    return rc;
}
