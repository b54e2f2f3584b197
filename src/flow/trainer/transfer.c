/* transfer.c - objects between storage and this machine (transfer.h).
 *
 * A batch is worked off by up to `connections` runners, which take the next item from a shared
 * counter; the caller's own thread is one of them, so a busy pool only makes a batch slower.  The
 * first failure that no repetition can mend ends the batch; what failed otherwise is granted and
 * tried again, because a URL may have run out while a slow line worked through the batch.
 */
#include "flow/trainer/transfer.h"

#include "flow/trainer/thread.h"
#include "net/client.h"
#include "s3/s3.h"

enum { GRANT_TRIES = 4, ROUNDS = 3, REPLY_BYTES_MAX = 4 << 20, AUTH_MAX = 300, URL_MAX = 1100 };

static enum rc stopped(struct err *e)
{
    return err_set(e, RC_CANCELLED, "the attempt is being stopped");
}

enum rc s3_uri_key(str uri, char *ret, size_t size, struct err *e)
{
    str rest = str_starts(uri, STR("s3://")) ? str_sub(uri, 5, uri.n) : STR_NONE;
    ptrdiff_t slash = str_chr(rest, '/');

    if (slash < 1 || rest.n - (size_t)slash - 1 == 0 || rest.n - (size_t)slash - 1 >= size)
        return err_field(e, RC_INVALID, "dataset_s3_uri",
                         "'%.*s' is not of the form s3://BUCKET/KEY", STR_F(str_sub(uri, 0, 200)));
    rest = str_sub(rest, (size_t)slash + 1, rest.n);
    memcpy(ret, rest.p, rest.n);
    ret[rest.n] = '\0';
    return RC_OK;
}

/* ---- grants */

static enum rc grant_status(int status, str body, const char *url, struct err *e)
{
    struct arena a;
    const struct json *doc = NULL;
    str detail = STR("");
    enum rc rc;

    if (status >= 200 && status < 300)
        return RC_OK;
    arena_init(&a, 1 << 20);
    if (!json_parse(&a, body, NULL, &doc, NULL) && doc->type == JSON_OBJ)
        detail = str_sub(json_str(doc, "detail", detail), 0, 300);
    rc = status == 401 || status == 403 || status == 404 || status == 410 ? RC_GONE
         : status == 429 || status >= 500                                 ? RC_UNAVAILABLE
                                                                          : RC_UPSTREAM;
    rc = err_set(e, rc, "asking %s for URLs: status %d%s%.*s", url, status, detail.n ? ": " : "",
                 STR_F(detail));
    arena_done(&a);
    return rc;
}

static enum rc grant_once(const struct transfer *t, const char *url, str body, struct buf *reply,
                          struct err *e)
{
    char auth[AUTH_MAX];
    const char *headers[] = {auth, "Content-Type: application/json", NULL};
    struct client_call c = {.method = HTTP_POST,
                            .url = url,
                            .headers = headers,
                            .body = body,
                            .reply = reply,
                            .cancel = t->cancel};
    struct client_reply r;
    enum rc rc;

    snprintf(auth, sizeof auth, "Authorization: Bearer %.*s", STR_F(t->token));
    buf_clear(reply);
    rc = letters_post(t->letters, &c, &r, e);
    return rc ? rc : grant_status(r.status, buf_view(reply), url, e);
}

/* Posts req and reads the URLs, in the order asked for. */
static enum rc grant(const struct transfer *t, str where, const struct grant_request *req, size_t n,
                     struct arena *a, struct grant_reply *ret, struct err *e)
{
    struct buf body, reply;
    struct grant_reply got = {0};
    struct jw w;
    char url[URL_MAX];
    enum rc rc = RC_OK;

    snprintf(url, sizeof url, "%.*s", STR_F(where));
    buf_init(&body, REPLY_BYTES_MAX);
    buf_init(&reply, REPLY_BYTES_MAX);
    jw_init(&w, &body);
    field_write(grant_request_fields, req, &w);
    rc = buf_ok(&body, e);
    for (int i = 0; !rc; i++) {
        rc = atomic_load(t->cancel) ? stopped(e) : grant_once(t, url, buf_view(&body), &reply, e);
        if (!rc || i == GRANT_TRIES - 1 || (rc != RC_UNAVAILABLE && rc != RC_TIMEOUT))
            break;
        (void)event_wait(t->cancel_event, t->retry_ms << i);
        rc = RC_OK;
    }
    if (!rc) {
        rc = field_read_text(grant_reply_fields, buf_view(&reply), &got, a, e);
        if (!rc && got.urls.n != n)
            rc = err_set(e, RC_UPSTREAM, "%zu URLs were granted where %zu were asked for",
                         got.urls.n, n);
        else if (rc)
            rc = err_wrap(e, RC_UPSTREAM, "the URLs from %s", url);
    }
    buf_done(&body);
    buf_done(&reply);
    if (!rc)
        *ret = got;
    return rc;
}

/* ---- batches */

struct batch {
    const struct transfer *t;
    struct fetch_item **items;
    const struct grant_url *urls;
    size_t n;
    atomic_size_t next;
    atomic_ullong bytes;
    pthread_mutex_t mu;
    pthread_cond_t ended;
    unsigned running;
    enum rc rc;    /* the first failure */
    bool hopeless; /* of a kind that repeating does not mend */
    struct err err;
};

struct sink {
    struct batch *b;
    struct cache_fetch *f;
};

static enum rc fetch_sink(void *ud, const void *p, size_t n, struct err *e)
{
    struct sink *s = ud;

    if (atomic_load(s->b->t->cancel))
        return stopped(e);
    atomic_fetch_add(&s->b->bytes, n);
    return cache_fetch_add(s->f, p, n, e);
}

static enum rc fetch_once(struct batch *b, struct fetch_item *item, const char *url, struct err *e)
{
    struct cache_fetch *f = NULL;
    struct sink s = {.b = b};
    enum rc rc = cache_fetch_open(&f, b->t->cache, item->sha256, item->bytes, e);

    s.f = f;
    if (!rc)
        rc = url_get_stream(url, fetch_sink, &s, e);
    if (!rc)
        rc = cache_fetch_commit(f, b->t->pins, e);
    cache_fetch_free(f);
    return rc;
}

static void fetch_one(struct batch *b, size_t i)
{
    struct fetch_item *item = b->items[i];
    char url[4200];
    struct err e = {0};
    enum rc rc;

    snprintf(url, sizeof url, "%.*s", STR_F(b->urls[i].url));
    rc = fetch_once(b, item, url, &e);
    if (rc == RC_CORRUPT) /* a transfer may have been damaged; the object itself may not */
        rc = fetch_once(b, item, url, &e);
    if (!rc) {
        item->done = true;
        return;
    }
    pthread_mutex_lock(&b->mu);
    if (!b->rc || (!b->hopeless && rc != RC_FORBIDDEN)) {
        b->rc = err_wrap(&e, rc, "fetching %s%s%s%s", item->key, item->name[0] ? " (" : "",
                         item->name, item->name[0] ? ")" : "");
        b->err = e;
        b->hopeless =
            rc != RC_FORBIDDEN && rc != RC_UNAVAILABLE && rc != RC_TIMEOUT && rc != RC_UPSTREAM;
    }
    pthread_mutex_unlock(&b->mu);
}

static void run_batch(struct batch *b)
{
    size_t i;

    while (!atomic_load(b->t->cancel) && (i = atomic_fetch_add(&b->next, 1)) < b->n) {
        bool go;

        pthread_mutex_lock(&b->mu);
        go = !b->hopeless;
        pthread_mutex_unlock(&b->mu);
        if (!go)
            return;
        fetch_one(b, i);
    }
}

static void runner(void *ud)
{
    struct batch *b = ud;

    run_batch(b);
    pthread_mutex_lock(&b->mu);
    b->running--;
    pthread_cond_signal(&b->ended);
    pthread_mutex_unlock(&b->mu);
}

static void work_off(struct batch *b)
{
    unsigned want = b->n - 1 < b->t->connections - 1 ? (unsigned)b->n - 1 : b->t->connections - 1;

    pthread_mutex_lock(&b->mu);
    for (unsigned i = 0; i < want && !pool_submit(b->t->pool, runner, b, NULL); i++)
        b->running++;
    pthread_mutex_unlock(&b->mu);
    run_batch(b);
    pthread_mutex_lock(&b->mu);
    while (b->running)
        cond_wait(&b->ended, &b->mu, INT64_MAX);
    pthread_mutex_unlock(&b->mu);
}

/* Grants and fetches those items that are not done. */
static enum rc fetch_round(const struct transfer *t, struct fetch_item **items, size_t n,
                           uint64_t *bytes, bool *ret_hopeless, struct err *e)
{
    struct batch b = {.t = t, .items = items, .n = n};
    struct grant_request req = {0};
    struct grant_reply got = {0};
    struct arena a;
    str *keys;
    enum rc rc;

    arena_init(&a, 64 << 20);
    keys = ARENA_ARRAY(&a, str, n);
    if (!keys) {
        arena_done(&a);
        return err_set(e, RC_NOMEM, "out of memory for %zu keys", n);
    }
    for (size_t i = 0; i < n; i++)
        keys[i] = str_of(items[i]->key);
    req.keys = (struct strs){keys, n};
    rc = grant(t, t->downloads_url, &req, n, &a, &got, e);
    *ret_hopeless = rc != RC_OK;
    if (!rc) {
        pthread_mutex_init(&b.mu, NULL);
        cond_init(&b.ended);
        b.urls = got.urls.p;
        work_off(&b);
        pthread_cond_destroy(&b.ended);
        pthread_mutex_destroy(&b.mu);
        *bytes += atomic_load(&b.bytes);
        rc = b.rc;
        *ret_hopeless = b.hopeless;
        if (rc && e)
            *e = b.err;
        if (atomic_load(t->cancel))
            rc = stopped(e);
    }
    arena_done(&a);
    return rc;
}

/* Marks what the cache has; gathers the rest, each content once. */
static enum rc fetch_plan(const struct transfer *t, struct fetch_item *items, size_t n,
                          struct fetch_item **ret_missing, size_t *ret_n, struct err *e)
{
    size_t missing = 0;

    for (size_t i = 0; i < n; i++) {
        bool twin = false, hit = false;
        enum rc rc;

        for (size_t k = 0; k < missing && !twin; k++)
            twin = !memcmp(ret_missing[k]->sha256, items[i].sha256, SHA256_HEX);
        if (twin)
            continue;
        rc = cache_pin(t->cache, items[i].sha256, items[i].bytes, t->pins, &hit, e);
        if (rc)
            return rc;
        items[i].done = hit;
        if (!hit)
            ret_missing[missing++] = &items[i];
    }
    *ret_n = missing;
    return RC_OK;
}

enum rc transfer_fetch(const struct transfer *t, struct fetch_item *items, size_t n,
                       uint64_t *ret_fetched_bytes, struct err *e)
{
    struct fetch_item *missing[GRANT_KEYS_MAX];
    size_t left = 0;
    uint64_t bytes = 0;
    bool hopeless = false;
    enum rc rc;

    ASSERT(n <= GRANT_KEYS_MAX);
    rc = fetch_plan(t, items, n, missing, &left, e);
    for (int round = 0; left && round < ROUNDS && !hopeless && (!rc || round); round++) {
        size_t still = 0;

        rc = fetch_round(t, missing, left, &bytes, &hopeless, e);
        if (rc == RC_CANCELLED)
            break;
        for (size_t i = 0; i < left; i++)
            if (!missing[i]->done)
                missing[still++] = missing[i];
        left = still;
    }
    *ret_fetched_bytes += bytes;
    return rc;
}

/* ---- uploads */

static enum rc upload_check(struct upload_item *u, struct err *e)
{
    char hex[SHA256_HEX + 1];
    uint64_t bytes = 0;
    enum rc rc;

    if (!u->path)
        return RC_OK;
    rc = file_sha256(u->path, hex, &bytes, e);
    if (!rc && memcmp(hex, u->sha256, SHA256_HEX))
        rc = err_set(e, RC_CORRUPT, "'%s' has the SHA-256 %s, not %s as the worker said", u->path,
                     hex, u->sha256);
    if (!rc)
        u->bytes = (int64_t)bytes;
    return rc;
}

static enum rc upload_one(struct upload_item *u, const struct grant_url *g, struct err *e)
{
    char url[4200];

    if (g->key.n >= sizeof u->key)
        return err_set(e, RC_UPSTREAM, "the backend granted a key of %zu bytes", g->key.n);
    snprintf(u->key, sizeof u->key, "%.*s", STR_F(g->key));
    snprintf(url, sizeof url, "%.*s", STR_F(g->url));
    return u->path ? url_put_file(url, u->path, u->type, e) : url_put(url, u->data, u->type, e);
}

enum rc transfer_upload(const struct transfer *t, struct upload_item *items, size_t n,
                        struct err *e)
{
    struct grant_object objects[8];
    struct grant_request req = {.objects = {objects, n}};
    struct grant_reply got = {0};
    const struct grant_url *urls;
    struct arena a;
    enum rc rc = RC_OK;

    ASSERT(n <= sizeof objects / sizeof *objects);
    for (size_t i = 0; i < n && !rc; i++) {
        rc = upload_check(&items[i], e);
        objects[i] =
            (struct grant_object){str_of(items[i].name), str_of(items[i].sha256), items[i].bytes};
    }
    if (rc || !n)
        return rc;
    arena_init(&a, 1 << 20);
    rc = grant(t, t->uploads_url, &req, n, &a, &got, e);
    urls = got.urls.p;
    for (size_t i = 0; i < n && !rc; i++) {
        rc = atomic_load(t->cancel) ? stopped(e) : upload_one(&items[i], &urls[i], e);
        if (rc && rc != RC_CANCELLED)
            err_wrap(e, rc, "uploading the %s", items[i].name);
    }
    arena_done(&a);
    return rc;
}
