/* client.c - see client.h.  A pool of libcurl handles, each with its own kept connections: a call
 * takes the handle that was used last, so that it finds its connection warm.
 *
 * Closed on purpose: other protocols, redirects (a redirect may lead into the inner network, and
 * would carry our headers there), proxies from the environment, signals. */
#include "net/client.h"
#include "base/mem.h"
#include "net/http_decode.h"
#include <curl/curl.h>
#include <pthread.h>

enum { IDLE_MAX = 32, STALL_S = 30, TIMEOUT_MS = 30000, CONNECT_MS = 5000, HEADERS_MAX = 64 };

static struct {
    pthread_mutex_t mu;
    CURL *idle[IDLE_MAX];
    size_t n;
} pool = {.mu = PTHREAD_MUTEX_INITIALIZER};
static pthread_once_t setup_once = PTHREAD_ONCE_INIT;

static void setup(void)
{
    ASSERT(!curl_global_init(CURL_GLOBAL_DEFAULT));
}

void client_setup(void)
{
    pthread_once(&setup_once, setup);
}

/* The library itself stays set up: it cannot be told whether another part still uses it. */
void client_cleanup(void)
{
    pthread_mutex_lock(&pool.mu);
    while (pool.n)
        curl_easy_cleanup(pool.idle[--pool.n]);
    pthread_mutex_unlock(&pool.mu);
}

static CURL *take_handle(void)
{
    CURL *h = NULL;

    pthread_mutex_lock(&pool.mu);
    if (pool.n)
        h = pool.idle[--pool.n];
    pthread_mutex_unlock(&pool.mu);
    return h ? h : curl_easy_init();
}

static void give_handle(CURL *h)
{
    curl_easy_reset(h); /* keeps its connections */
    pthread_mutex_lock(&pool.mu);
    if (pool.n < IDLE_MAX) {
        pool.idle[pool.n++] = h;
        h = NULL;
    }
    pthread_mutex_unlock(&pool.mu);
    if (h)
        curl_easy_cleanup(h);
}

/* One call under way. */
struct transfer {
    const struct client_call *c;
    CURL *h;
    struct client_reply reply;
    enum rc rc; /* why a callback ended it */
    struct err e;
    char curl_text[CURL_ERROR_SIZE];
};

static size_t on_header(char *p, size_t size, size_t n, void *ud)
{
    struct transfer *t = ud;
    str line = str_trim((str){p, n}), name, value;
    ptrdiff_t colon = str_chr(line, ':');

    if (str_starts(line, STR("HTTP/"))) { /* an interim reply came before */
        t->reply = (struct client_reply){.length = -1, .retry_after_s = -1};
        return n;
    }
    if (colon < 0)
        return n;
    name = str_sub(line, 0, (size_t)colon);
    value = str_trim(str_sub(line, (size_t)colon + 1, line.n));
    if (str_ieq(name, STR("ETag"))) {
        if (str_starts(value, STR("W/")))
            value = str_sub(value, 2, value.n);
        if (value.n >= 2 && value.p[0] == '"' && value.p[value.n - 1] == '"')
            value = str_sub(value, 1, value.n - 2);
        snprintf(t->reply.etag, sizeof t->reply.etag, "%.*s", STR_F(value));
    } else if (str_ieq(name, STR("Content-Type"))) {
        snprintf(t->reply.type, sizeof t->reply.type, "%.*s", STR_F(value));
    } else if (str_ieq(name, STR("Content-Length"))) {
        int64_t v;
        if (str_i64(value, &v) && v >= 0)
            t->reply.length = v;
    } else if (str_ieq(name, STR("Retry-After"))) {
        curl_off_t v = -1;
        if (!curl_easy_getinfo(t->h, CURLINFO_RETRY_AFTER, &v))
            t->reply.retry_after_s = v;
    }
    return n;
}

static size_t on_reply(char *p, size_t size, size_t n, void *ud)
{
    struct transfer *t = ud;
    const struct client_call *c = t->c;
    long status = 0;

    curl_easy_getinfo(t->h, CURLINFO_RESPONSE_CODE, &status);
    if (c->sink && status < 300) {
        t->rc = c->sink(c->sink_ud, p, n, &t->e);
        return t->rc ? 0 : n;
    }
    if (!c->reply)
        return n;
    size_t room = c->reply->max_bytes - c->reply->n;
    if (n > room && status < 300) {
        t->rc = err_set(&t->e, RC_TOO_LARGE, "the reply is larger than the %zu bytes allowed",
                        c->reply->max_bytes);
        return 0;
    }
    buf_add(c->reply, p, n < room ? n : room); /* of an error's text the beginning is enough */
    t->rc = buf_ok(c->reply, &t->e);
    return t->rc ? 0 : n;
}

static size_t on_source(char *p, size_t size, size_t n, void *ud)
{
    struct transfer *t = ud;
    size_t got = 0;

    t->rc = t->c->source(t->c->source_ud, p, size * n, &got, &t->e);
    return t->rc ? CURL_READFUNC_ABORT : got;
}

static int on_progress(void *ud, curl_off_t down_all, curl_off_t down, curl_off_t up_all,
                       curl_off_t up)
{
    struct transfer *t = ud;
    return t->c->cancel && atomic_load(t->c->cancel);
}

/* Without the query: presigned URLs carry their signature there. */
static str shown_url(const char *url)
{
    str s = str_of(url);
    ptrdiff_t mark = str_chr(s, '?'), at;

    if (mark >= 0)
        s = str_sub(s, 0, (size_t)mark);
    at = str_rchr(s, '@');
    return at >= 0 ? str_sub(s, (size_t)at + 1, s.n) : s;
}

static void set_body(CURL *h, struct transfer *t, bool *ret_has_body)
{
    const struct client_call *c = t->c;
    bool takes = c->method == HTTP_POST || c->method == HTTP_PUT || c->method == HTTP_PATCH;

    *ret_has_body = true;
    if (c->source) {
        curl_easy_setopt(h, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(h, CURLOPT_READFUNCTION, on_source);
        curl_easy_setopt(h, CURLOPT_READDATA, t);
        curl_easy_setopt(h, CURLOPT_INFILESIZE_LARGE, (curl_off_t)c->source_bytes);
    } else if (takes || c->body.n) {
        curl_easy_setopt(h, CURLOPT_POST, 1L);
        curl_easy_setopt(h, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)c->body.n);
        curl_easy_setopt(h, CURLOPT_POSTFIELDS, c->body.n ? c->body.p : "");
    } else {
        *ret_has_body = false;
    }
    if (c->method == HTTP_HEAD)
        curl_easy_setopt(h, CURLOPT_NOBODY, 1L);
    else if (c->method != HTTP_GET || *ret_has_body)
        curl_easy_setopt(h, CURLOPT_CUSTOMREQUEST, http_method_name(c->method));
}

static enum rc set_headers(struct transfer *t, bool has_body, struct curl_slist **ret,
                           struct err *e)
{
    struct curl_slist *list = NULL, *next;
    bool typed = false;

    for (size_t i = 0; t->c->headers && t->c->headers[i]; i++) {
        str h = str_of(t->c->headers[i]);
        typed |= h.n > 13 && str_ieq(str_sub(h, 0, 13), STR("Content-Type:"));
        if (i == HEADERS_MAX || !http_field_value_ok(h)) {
            curl_slist_free_all(list);
            return err_set(e, RC_INVALID, "the request headers are too many or hold line breaks");
        }
        next = curl_slist_append(list, t->c->headers[i]);
        if (!next)
            goto nomem;
        list = next;
    }
    if (has_body && !typed) { /* else libcurl claims it was a form */
        next = curl_slist_append(list, "Content-Type: application/octet-stream");
        if (!next)
            goto nomem;
        list = next;
    }
    *ret = list;
    return RC_OK;
nomem:
    curl_slist_free_all(list);
    return err_set(e, RC_NOMEM, "no memory for an HTTP call");
}

static void set_limits(CURL *h, struct transfer *t)
{
    const struct client_call *c = t->c;

    if (c->timeout_ms >= 0) {
        curl_easy_setopt(h, CURLOPT_TIMEOUT_MS,
                         (long)(c->timeout_ms ? c->timeout_ms : TIMEOUT_MS));
    } else {
        curl_easy_setopt(h, CURLOPT_LOW_SPEED_LIMIT, 1L);
        curl_easy_setopt(h, CURLOPT_LOW_SPEED_TIME, (long)STALL_S);
    }
    curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT_MS,
                     (long)(c->connect_ms ? c->connect_ms : CONNECT_MS));
    curl_easy_setopt(h, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(h, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(h, CURLOPT_XFERINFODATA, t);
    curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(h, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(h, CURLOPT_PROXY, "");
    curl_easy_setopt(h, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(h, CURLOPT_USERAGENT, "anneal/" ANNEAL_VERSION);
    curl_easy_setopt(h, CURLOPT_ERRORBUFFER, t->curl_text);
    curl_easy_setopt(h, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(h, CURLOPT_HEADERDATA, t);
    curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, on_reply);
    curl_easy_setopt(h, CURLOPT_WRITEDATA, t);
}

static enum rc rc_of(struct transfer *t, CURLcode code)
{
    curl_off_t connected = 0;

    curl_easy_getinfo(t->h, CURLINFO_PRETRANSFER_TIME_T, &connected);
    switch (code) {
    case CURLE_OK:
        return RC_OK;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
        return RC_UNAVAILABLE;
    case CURLE_OPERATION_TIMEDOUT:
        return connected ? RC_TIMEOUT : RC_UNAVAILABLE;
    case CURLE_ABORTED_BY_CALLBACK:
        return RC_CANCELLED;
    case CURLE_UNSUPPORTED_PROTOCOL: /* also: a reply that is not HTTP */
        return connected ? RC_UPSTREAM : RC_INVALID;
    case CURLE_URL_MALFORMAT:
        return RC_INVALID;
    case CURLE_OUT_OF_MEMORY:
        return RC_NOMEM;
    default:
        return RC_UPSTREAM;
    }
}

enum rc client_do(const struct client_call *c, struct client_reply *ret, struct err *e)
{
    struct transfer t = {.c = c, .reply = {.length = -1, .retry_after_s = -1}};
    struct curl_slist *headers = NULL;
    bool has_body = false;
    long status = 0;
    enum rc rc;

    client_setup();
    if (c->cancel && atomic_load(c->cancel))
        return err_set(e, RC_CANCELLED, "cancelled before the call to %.*s",
                       STR_F(shown_url(c->url)));
    t.h = take_handle();
    if (!t.h)
        return err_set(e, RC_NOMEM, "no memory for an HTTP call");
    set_limits(t.h, &t);
    set_body(t.h, &t, &has_body);
    rc = set_headers(&t, has_body, &headers, e);
    if (!rc && curl_easy_setopt(t.h, CURLOPT_URL, c->url))
        rc = err_set(e, RC_NOMEM, "no memory for an HTTP call");
    if (!rc) {
        if (headers)
            curl_easy_setopt(t.h, CURLOPT_HTTPHEADER, headers);
        CURLcode code = curl_easy_perform(t.h);
        rc = t.rc ? t.rc : rc_of(&t, code);
        if (rc)
            err_set(e, rc, "%s %.*s: %s", http_method_name(c->method), STR_F(shown_url(c->url)),
                    t.rc               ? t.e.text
                    : *t.curl_text     ? t.curl_text
                    : rc == RC_CANCELLED ? "cancelled"
                                       : curl_easy_strerror(code));
        curl_easy_getinfo(t.h, CURLINFO_RESPONSE_CODE, &status);
    }
    give_handle(t.h);
    curl_slist_free_all(headers);
    if (!rc || status) { /* broken off within the body: the headers are known */
        t.reply.status = (int)status;
        *ret = t.reply;
    }
    return rc;
}
