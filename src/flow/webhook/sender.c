/* sender.c - checks, signs and sends: one thread, one delivery at a time.
 *
 * A receiver that does not answer costs WEBHOOK_TIMEOUT_MS and then waits its turn for the growing
 * pauses below, so a dead one does not hold up the others for long.  The delivery's row is changed
 * only after the attempt: a crash in between sends it again, which receivers know by its id.
 */
#include "base/base64.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "flow/webhook/webhook_int.h"
#include "net/client.h"
#include "os/os.h"
#include <pthread.h>

enum { LOOK_MS = 1000, ARENA_BYTES = 1 << 20, URL_MAX = 2048 };

/* Seconds until the attempt after the n-th; in all about three days. */
static const int32_t pauses[WEBHOOK_ATTEMPTS_MAX] = {
    5, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600, 14 * 3600, 20 * 3600, 24 * 3600, 0};

struct webhook_sender {
    struct db *db;
    struct event *stop;
    atomic_bool cancel; /* the delivery under way */
    pthread_t thread;
    bool started;
};

/* ---- checks */

static enum rc check_url(str url, struct err *e)
{
    const bool https = str_starts(url, STR("https://"));
    str rest, host;

    if (!https && !str_starts(url, STR("http://")))
        return err_field(e, RC_INVALID, "url", "a webhook's URL starts with https:// or http://");
    if (url.n > URL_MAX)
        return err_field(e, RC_INVALID, "url", "a webhook's URL has at most %d bytes", URL_MAX);
    for (size_t i = 0; i < url.n; i++)
        if ((unsigned char)url.p[i] <= ' ' || url.p[i] == 0x7f)
            return err_field(e, RC_INVALID, "url",
                             "there is a space or a control character in the URL, at byte %zu", i);
    rest = str_sub(url, https ? 8 : 7, url.n);
    if (!str_next(&rest, '/', &host) || !host.n)
        return err_field(e, RC_INVALID, "url", "the URL names no host");
    if (str_chr(host, '@') >= 0)
        return err_field(e, RC_INVALID, "url",
                         "the URL holds a user name; receivers check the signature instead");
    return RC_OK;
}

enum rc webhook_check(str url, str events, struct err *e)
{
    str one, rest = events;
    size_t n = 0;
    const enum rc rc = check_url(url, e);

    while (!rc && rest.n && str_next(&rest, ' ', &one)) {
        bool known = false;
        for (int i = 0; webhook_events[i]; i++)
            known |= str_is(one, webhook_events[i]);
        if (!known)
            return err_field(e, RC_INVALID, "events",
                             "there is no event '%.*s'; there are job.running job.completed "
                             "job.failed job.cancelled, to be separated by one space",
                             (int)(one.n < 40 ? one.n : 40), one.p);
        n++;
    }
    return rc || n ? rc : err_field(e, RC_INVALID, "events", "name at least one event");
}

/* ---- one delivery */

enum rc webhook_sign(const char *secret, str id, int64_t timestamp_s, str body,
                     char ret[WEBHOOK_SIGNATURE_TEXT], struct err *e)
{
    uint8_t digest[SHA256_BYTES];
    struct buf key, text;
    enum rc rc = RC_CORRUPT;

    buf_init(&key, 64);
    buf_init(&text, id.n + body.n + 64);
    if (str_starts(str_of(secret), STR("whsec_")))
        rc = base64_read(str_of(secret + 6), &key, NULL);
    buf_str(&text, id);
    buf_printf(&text, ".%lld.", (long long)timestamp_s);
    buf_str(&text, body);
    if (rc)
        rc =
            err_set(e, RC_CORRUPT, "the webhook's secret is damaged; delete it and make a new one");
    else
        rc = buf_ok(&text, e);
    if (!rc)
        hmac_sha256(buf_view(&key), buf_view(&text), digest);
    buf_done(&key);
    buf_done(&text);
    if (rc)
        return rc;
    buf_init(&text, WEBHOOK_SIGNATURE_TEXT);
    buf_puts(&text, "v1,");
    base64_write(digest, sizeof digest, &text);
    ASSERT(!text.rc && text.n < WEBHOOK_SIGNATURE_TEXT);
    memcpy(ret, text.p, text.n);
    ret[text.n] = 0;
    buf_done(&text);
    return RC_OK;
}

/* What a receiver says beside its status is of no use, however much it is. */
static enum rc ignore(void *ud, const void *p, size_t n, struct err *e)
{
    (void)ud, (void)p, (void)n, (void)e;
    return RC_OK;
}

/* RC_OK for any reply; its status is what counts. */
static enum rc post(struct webhook_sender *s, struct arena *a, const struct due *d, int *ret_status,
                    struct err *e)
{
    char signature[WEBHOOK_SIGNATURE_TEXT];
    const int64_t now_s = os_now_ms() / 1000;
    struct client_reply reply = {0};
    enum rc rc = webhook_sign(d->secret, d->id, now_s, d->body, signature, e);

    if (rc)
        return rc;
    const char *const headers[] = {"Content-Type: application/json",
                                   "User-Agent: Anneal/" ANNEAL_VERSION,
                                   arena_printf(a, "webhook-id: %.*s", STR_F(d->id)),
                                   arena_printf(a, "webhook-timestamp: %lld", (long long)now_s),
                                   arena_printf(a, "webhook-signature: %s", signature),
                                   NULL};
    const struct client_call call = {.method = HTTP_POST,
                                     .url = arena_cstr(a, d->url),
                                     .headers = headers,
                                     .body = d->body,
                                     .sink = ignore,
                                     .timeout_ms = WEBHOOK_TIMEOUT_MS,
                                     .cancel = &s->cancel};
    if (!headers[2] || !headers[3] || !headers[4] || !call.url)
        return err_set(e, RC_NOMEM, "out of memory");
    rc = client_do(&call, &reply, e);
    if (!rc)
        *ret_status = reply.status;
    return rc;
}

static enum rc deliver(struct webhook_sender *s, struct arena *a, const struct due *d,
                       struct err *e)
{
    struct err why = {0};
    int status = 0;
    const enum rc rc = post(s, a, d, &status, &why);
    const int64_t now = os_now_ms();
    const bool done = !rc && status >= 200 && status < 300;
    int64_t next = 0;

    if (rc == RC_CANCELLED)
        return rc; /* we are stopping: not the receiver's fault */
    if (!done && d->attempts + 1 < WEBHOOK_ATTEMPTS_MAX)
        next = now + pauses[d->attempts] * 1000LL;
    if (!done && !rc)
        err_set(&why, RC_UPSTREAM, "the receiver answered %d", status);
    if (!done && !next)
        log_warn("delivery %.*s of a webhook is given up: %s", STR_F(d->id), why.text);
    return delivery_done(s->db, d->id, status, done ? "" : why.text, next, now, e);
}

/* ---- the thread */

static void *run(void *ud)
{
    struct webhook_sender *s = ud;
    struct arena a;

    arena_init(&a, ARENA_BYTES);
    while (!event_is_set(s->stop)) {
        struct err e = {0};
        struct due d;
        arena_reset(&a);
        enum rc rc = delivery_due(s->db, &a, os_now_ms(), &d, &e);
        if (!rc)
            rc = deliver(s, &a, &d, &e);
        if (rc && rc != RC_NOT_FOUND && rc != RC_CANCELLED)
            log_error("webhooks: %s", e.text);
        if (rc)
            event_wait(s->stop, LOOK_MS);
    }
    arena_done(&a);
    return NULL;
}

enum rc webhook_sender_start(struct webhook_sender **ret, struct db *db, struct err *e)
{
    struct webhook_sender *s = mem_zalloc(sizeof *s);

    if (s)
        s->stop = event_new();
    if (!s || !s->stop) {
        mem_free(s);
        return err_set(e, RC_NOMEM, "out of memory while starting the webhooks");
    }
    s->db = db;
    s->started = pthread_create(&s->thread, NULL, run, s) == 0;
    if (!s->started) {
        webhook_sender_stop(s);
        return err_set(e, RC_IO, "the webhooks' thread could not be made");
    }
    *ret = s;
    return RC_OK;
}

void webhook_sender_stop(struct webhook_sender *s)
{
    if (!s)
        return;
    event_set(s->stop);
    s->cancel = true;
    if (s->started)
        pthread_join(s->thread, NULL);
    event_free(s->stop);
    mem_free(s);
}
