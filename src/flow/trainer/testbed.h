/* testbed.h - for the tests of this folder: a backend and a store behind one real HTTP server,
 * which keep the contract (spec/contract.h) and can be told to misbehave; and a worker program in
 * shell.
 *
 *   POST /cb/JOB       callbacks      POST /up/JOB, /down/JOB   grants
 *   GET, PUT /s3/KEY   objects, behind a "signature" so that an ungranted access fails
 */
#ifndef ANNEAL_FLOW_TRAINER_TESTBED_H
#define ANNEAL_FLOW_TRAINER_TESTBED_H

#include "base/hash.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/test.h"
#include "net/client.h"
#include "net/http.h"
#include "os/os.h"
#include "spec/contract.h"
#include "spec/dataset.h"

#include <pthread.h>
#include <stdatomic.h>

#define BED       __attribute__((unused)) static
#define BED_TOKEN "job-token"

struct bed_job {
    char id[65];
    int64_t attempt, last_seq; /* of the current attempt */
    int applied, duplicates, gaps, stale;
    char kinds[4000]; /* of the applied reports, in order: "started progress epoch " */
    char last[8000];  /* the JSON of the newest applied report */
    char all[200000]; /* the JSON of all applied reports, one a line */
    bool ended, cancel;
};

struct bed {
    struct http_server *http;
    int port;
    pthread_mutex_t mu;
    struct arena a;
    struct map objects; /* key -> str* */
    struct bed_job jobs[32];
    size_t jobs_n;
    atomic_int calls;        /* of callbacks */
    atomic_int down;         /* callbacks answer 503 */
    atomic_int lose_replies; /* so many callbacks are applied and then answered 500 */
    atomic_int refuse;       /* the status with which callbacks are refused; 0: none */
    atomic_int resync_once;  /* answer the next callback 409 with this expected_seq */
    atomic_int gets, puts, grants;
    atomic_int store_down; /* so many object requests answer 503 */
    atomic_int slow_ms;    /* before an object is sent */
    char version[SHA256_HEX + 1], uri[200];
};

/* mu is held */
BED struct bed_job *bed_find(struct bed *b, str id)
{
    for (size_t i = 0; i < b->jobs_n; i++)
        if (str_is(id, b->jobs[i].id))
            return &b->jobs[i];
    CHECK(b->jobs_n < 32);
    snprintf(b->jobs[b->jobs_n].id, 65, "%.*s", STR_F(id));
    b->jobs[b->jobs_n].attempt = 1;
    return &b->jobs[b->jobs_n++];
}

BED void bed_apply(struct bed_job *j, const struct report *r, str text, struct report_reply *y)
{
    if (r->attempt != j->attempt) {
        y->reason = STR("stale_attempt");
        j->stale++;
    } else if (r->seq <= j->last_seq) {
        y->reason = STR("duplicate");
        j->duplicates++;
    } else if (j->ended) {
        y->reason = STR("terminal");
    } else if (r->seq != j->last_seq + 1) {
        y->reason = STR("gap");
        j->gaps++;
    } else {
        size_t n = strlen(j->kinds), m = strlen(j->all);
        y->applied = true;
        j->applied++;
        j->last_seq = r->seq;
        snprintf(j->kinds + n, sizeof j->kinds - n, "%s ", report_kind_names[r->kind]);
        snprintf(j->last, sizeof j->last, "%.*s", STR_F(text));
        snprintf(j->all + m, sizeof j->all - m, "%.*s\n", STR_F(text));
        j->ended =
            r->kind == REPORT_COMPLETED || r->kind == REPORT_FAILED || r->kind == REPORT_CANCELLED;
    }
    y->cancel = j->cancel;
    y->expected_seq = j->last_seq + 1;
}

BED void bed_reply(struct http_req *r, int status, const struct field *f, const void *obj)
{
    struct buf b;
    struct jw w;

    buf_init(&b, 4 << 20);
    jw_init(&w, &b);
    field_write(f, obj, &w);
    http_reply_buf(r, status, "application/json", &b);
}

BED void bed_callback(struct bed *b, struct http_req *r, str id)
{
    struct report rep = {0};
    struct report_reply y = {.reason = STR("")};
    struct err e = {0};
    str text;
    int expected;

    atomic_fetch_add(&b->calls, 1);
    CHECK_OK(http_body_all(r, 4 << 20, &text, &e), &e);
    if (atomic_load(&b->down) || atomic_load(&b->refuse)) {
        http_reply(r, atomic_load(&b->down) ? 503 : atomic_load(&b->refuse), "application/json",
                   STR("{\"detail\":\"told to refuse\"}"));
        return;
    }
    if ((expected = atomic_exchange(&b->resync_once, 0))) {
        y.expected_seq = expected;
        y.reason = STR("gap");
        bed_reply(r, 409, report_reply_fields, &y);
        return;
    }
    CHECK_OK(field_read_text(report_fields, text, &rep, http_arena(r), &e), &e);
    pthread_mutex_lock(&b->mu);
    bed_apply(bed_find(b, id), &rep, text, &y);
    pthread_mutex_unlock(&b->mu);
    if (atomic_load(&b->lose_replies) > 0 && atomic_fetch_sub(&b->lose_replies, 1) > 0) {
        http_reply(r, 500, "text/plain", STR("the reply is lost"));
        return;
    }
    bed_reply(r, str_is(y.reason, "gap") ? 409 : 200, report_reply_fields, &y);
}

BED void bed_grant(struct bed *b, struct http_req *r, str id, bool up)
{
    struct grant_request q = {0};
    struct grant_reply y = {0};
    struct grant_url *urls;
    struct arena *a = http_arena(r);
    struct err e = {0};
    str text;

    atomic_fetch_add(&b->grants, 1);
    CHECK_OK(http_body_all(r, 4 << 20, &text, &e), &e);
    CHECK_OK(field_read_text(grant_request_fields, text, &q, a, &e), &e);
    y.urls.n = up ? q.objects.n : q.keys.n;
    y.urls.p = urls = ARENA_ARRAY(a, struct grant_url, y.urls.n + 1);
    for (size_t i = 0; i < y.urls.n; i++) {
        const struct grant_object *o = q.objects.p;
        urls[i].key = up ? str_of(arena_printf(a, "jobs/%.*s/%.*s", STR_F(id), STR_F(o[i].sha256)))
                         : q.keys.p[i];
        urls[i].url = str_of(
            arena_printf(a, "http://127.0.0.1:%d/s3/%.*s?sig=ok", b->port, STR_F(urls[i].key)));
    }
    y.expires_at = os_now_ms() + 3600000;
    bed_reply(r, 200, grant_reply_fields, &y);
}

BED void bed_put(struct bed *b, const char *key, str data)
{
    struct err e = {0};
    str *copy;

    pthread_mutex_lock(&b->mu);
    copy = ARENA_NEW(&b->a, str);
    CHECK(copy != NULL);
    *copy = arena_str(&b->a, data);
    CHECK_OK(map_put(&b->objects, str_of(key), copy, &e), &e);
    pthread_mutex_unlock(&b->mu);
}

BED str bed_get(struct bed *b, str key)
{
    pthread_mutex_lock(&b->mu);
    str *o = map_get(&b->objects, key);
    pthread_mutex_unlock(&b->mu);
    return o ? *o : STR_NONE;
}

BED void bed_object(struct bed *b, struct http_req *r, str key)
{
    bool put = http_method_of(r) == HTTP_PUT;
    struct err e = {0};
    str body = STR_NONE, *o;

    atomic_fetch_add(put ? &b->puts : &b->gets, 1);
    if (put)
        CHECK_OK(http_body_all(r, 16 << 20, &body, &e), &e);
    if (atomic_load(&b->slow_ms))
        os_sleep_ms(atomic_load(&b->slow_ms));
    if (!str_is(http_query(r, "sig"), "ok")) {
        http_reply(r, 403, "text/plain", STR("unsigned"));
    } else if (atomic_load(&b->store_down) > 0 && atomic_fetch_sub(&b->store_down, 1) > 0) {
        http_reply(r, 503, "text/plain", STR("the store is down"));
    } else if (put) {
        char name[300];
        snprintf(name, sizeof name, "%.*s", STR_F(key));
        bed_put(b, name, body);
        http_reply(r, 200, "text/plain", STR(""));
    } else {
        pthread_mutex_lock(&b->mu);
        o = map_get(&b->objects, key);
        pthread_mutex_unlock(&b->mu);
        http_reply(r, o ? 200 : 404, "application/octet-stream", o ? *o : STR(""));
    }
}

BED void bed_handle(struct http_req *r, void *ud)
{
    struct bed *b = ud;
    str path = http_path(r);
    bool authorised = str_is(http_header(r, "Authorization"), "Bearer " BED_TOKEN);

    if (str_starts(path, STR("/s3/")))
        bed_object(b, r, str_sub(path, 4, path.n));
    else if (!authorised)
        http_reply(r, 401, "application/json", STR("{\"detail\":\"no such token\"}"));
    else if (str_is(path, "/job/good/callback"))
        bed_callback(b, r, STR("good"));
    else if (str_starts(path, STR("/job/good/")))
        bed_grant(b, r, STR("good"), str_ends(path, STR("/uploads")));
    else if (str_starts(path, STR("/cb/")))
        bed_callback(b, r, str_sub(path, 4, path.n));
    else if (str_starts(path, STR("/up/")))
        bed_grant(b, r, str_sub(path, 4, path.n), true);
    else if (str_starts(path, STR("/down/")))
        bed_grant(b, r, str_sub(path, 6, path.n), false);
    else
        http_reply(r, 404, "text/plain", path);
}

/* port 0: a free one; otherwise comes back where it was */
BED void bed_listen(struct bed *b, int port)
{
    char listen[40];
    struct err e = {0};

    snprintf(listen, sizeof listen, "127.0.0.1:%d", port);
    CHECK_OK(http_server_new(&b->http, listen, NULL, bed_handle, NULL, b, &e), &e);
    b->port = http_server_port(b->http);
}

BED struct bed *bed_new(void)
{
    struct bed *b = mem_zalloc(sizeof *b);

    CHECK(b != NULL);
    client_setup();
    pthread_mutex_init(&b->mu, NULL);
    arena_init(&b->a, 256 << 20);
    map_init(&b->objects);
    bed_listen(b, 0);
    snprintf(b->version, sizeof b->version, "%064d", 0);
    snprintf(b->uri, sizeof b->uri, "s3://bucket/datasets/none/manifest.jsonl");
    return b;
}

/* The bytes of image i of a dataset. */
BED str bed_image(struct bed *b, int i)
{
    char *text;

    pthread_mutex_lock(&b->mu);
    text = arena_printf(&b->a, "picture %d of the test bed", i);
    pthread_mutex_unlock(&b->mu);
    return str_of(text);
}

/* n images for training, then n/2 for validation, n/2 for test; orders name it from now on. */
BED void bed_dataset(struct bed *b, int n)
{
    static const enum split splits[] = {SPLIT_TEST, SPLIT_TRAIN, SPLIT_TRAIN, SPLIT_VAL};
    str classes[] = {STR("cat"), STR("dog")};
    struct dataset_header h = {.classes = classes, .classes_n = 2, .images = 2 * (uint64_t)n};
    char key[BLOB_KEY_MAX + 16];
    struct buf text;

    h.splits[SPLIT_TRAIN] = (uint64_t)n;
    h.splits[SPLIT_VAL] = h.splits[SPLIT_TEST] = (uint64_t)n / 2;
    buf_init(&text, 64 << 20);
    dataset_header_write(&h, &text);
    for (int i = 0; i < 2 * n; i++) {
        str image = bed_image(b, i);
        char name[40];
        struct sample s = {.bytes = image.n, .width = 8, .height = 8, .split = splits[i * 2 / n]};

        snprintf(name, sizeof name, "%s/cat/%06d.jpg", split_names[s.split], i);
        s.name = str_of(name);
        sha256_hex(image, s.sha256);
        sample_write(&s, &text);
        blob_key(s.sha256, key);
        bed_put(b, key, image);
    }
    sha256_hex(buf_view(&text), b->version);
    manifest_key(b->version, key);
    bed_put(b, key, buf_view(&text));
    snprintf(b->uri, sizeof b->uri, "s3://bucket/%s", key);
    buf_done(&text);
}

BED void bed_free(struct bed *b)
{
    http_server_free(b->http);
    map_done(&b->objects);
    arena_done(&b->a);
    pthread_mutex_destroy(&b->mu);
    mem_free(b);
    client_cleanup();
}

/* A copy of what is known about a job now. */
BED struct bed_job *bed_job(struct bed *b, const char *id)
{
    static struct bed_job copy;

    pthread_mutex_lock(&b->mu);
    copy = *bed_find(b, str_of(id));
    pthread_mutex_unlock(&b->mu);
    return &copy;
}

#define BED_UNTIL(cond, ms)                                                                        \
    do {                                                                                           \
        int64_t until_ = os_mono_ms() + (ms);                                                      \
        while (!(cond)) {                                                                          \
            if (os_mono_ms() > until_)                                                             \
                test_fail(__FILE__, __LINE__, "not within %d ms: %s", (int)(ms), #cond);           \
            os_sleep_ms(5);                                                                        \
        }                                                                                          \
    } while (0)

/* ---- orders */

BED struct start_order bed_order(struct bed *b, const char *id, int64_t attempt)
{
    static char cb[200], up[200], down[200];

    snprintf(cb, sizeof cb, "http://127.0.0.1:%d/cb/%s", b->port, id);
    snprintf(up, sizeof up, "http://127.0.0.1:%d/up/%s", b->port, id);
    snprintf(down, sizeof down, "http://127.0.0.1:%d/down/%s", b->port, id);
    return (struct start_order){.job_id = str_of(id),
                                .attempt = attempt,
                                .token = STR(BED_TOKEN),
                                .config = STR("{\"epochs\": 2,\n\"seed\": 7}"),
                                .framework = STR("anneal"),
                                .dataset_s3_uri = str_of(b->uri),
                                .dataset_version = str_of(b->version),
                                .callback_url = str_of(cb),
                                .uploads_url = str_of(up),
                                .downloads_url = str_of(down)};
}

#endif
