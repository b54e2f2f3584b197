/* routes.c - the trainer's HTTP interface: a table of routes, one credential, problem documents.
 *
 * Everything but GET /health needs the service token, so that a trainer on a network takes orders
 * from its backend alone.  The token's SHA-256 is compared, in constant time.
 */
#include "flow/trainer/service.h"

#include "base/log.h"
#include "spec/train.h"

/* A letter of the largest size, every byte of it escaped. */
enum { REPLY_BYTES_MAX = 3 * LETTER_BYTES_MAX };

typedef enum rc (*route_fn)(struct trainer *t, struct http_req *r, str id, struct err *e);

void trainer_reply(struct http_req *r, int status, struct buf *b)
{
    http_reply_buf(r, status, "application/json", b);
}

static enum rc reply_fields(struct http_req *r, int status, const struct field *f, const void *obj,
                            struct err *e)
{
    struct buf b;
    struct jw w;
    enum rc rc;

    buf_init(&b, REPLY_BYTES_MAX);
    jw_init(&w, &b);
    field_write(f, obj, &w);
    rc = buf_ok(&b, e);
    if (rc)
        buf_done(&b);
    else
        trainer_reply(r, status, &b);
    return rc;
}

/* RFC 9457 */
static void reply_problem(struct http_req *r, const struct err *e)
{
    struct buf b;
    struct jw w;

    if (e->rc == RC_LIMIT || e->rc == RC_UNAVAILABLE) {
        char seconds[16];

        snprintf(seconds, sizeof seconds, "%d", RETRY_AFTER_S);
        http_add_header(r, "Retry-After", seconds);
    }
    if (e->rc == RC_UNAUTHENTICATED)
        http_add_header(r, "WWW-Authenticate", "Bearer");
    buf_init(&b, 16 << 10);
    jw_init(&w, &b);
    jw_obj(&w);
    jw_kcstr(&w, "type", "about:blank");
    jw_kcstr(&w, "title", rc_title(e->rc));
    jw_kint(&w, "status", rc_status(e->rc));
    jw_kcstr(&w, "code", rc_code(e->rc));
    jw_kcstr(&w, "detail", e->text);
    if (e->field[0])
        jw_kcstr(&w, "field", e->field);
    jw_kcstr(&w, "request_id", http_request_id(r));
    jw_obj_end(&w);
    http_reply_buf(r, rc_status(e->rc), "application/problem+json", &b);
}

/* ---- jobs */

static enum rc route_start(struct trainer *t, struct http_req *r, str id, struct err *e)
{
    struct start_order order = {0};
    struct start_reply reply = {0};
    struct arena *a = http_arena(r);
    bool already = false;
    str body;
    enum rc rc = http_body_all(r, START_BODY_BYTES_MAX, &body, e);

    if (!rc && atomic_load(&t->draining))
        rc = err_set(e, RC_UNAVAILABLE, "the trainer is stopping");
    if (!rc)
        rc = field_read_text(start_order_fields, body, &order, a, e);
    if (!rc)
        rc = jobs_start(t->jobs, &order, &already, e);
    if (rc)
        return rc;
    reply.job_id = order.job_id;
    reply.attempt = order.attempt;
    reply.status = already ? STR("already_running") : STR("accepted");
    return reply_fields(r, already ? 200 : 202, start_reply_fields, &reply, e);
}

static enum rc route_job(struct trainer *t, struct http_req *r, str id, struct err *e)
{
    struct trainer_job job = {0};
    enum rc rc = jobs_get(t->jobs, id, http_arena(r), &job, e);

    return rc ? rc : reply_fields(r, 200, trainer_job_fields, &job, e);
}

static enum rc route_stop(struct trainer *t, struct http_req *r, str id, struct err *e)
{
    struct trainer_job job = {0};
    enum rc rc = jobs_stop(t->jobs, id, e);

    if (!rc)
        rc = jobs_get(t->jobs, id, http_arena(r), &job, e);
    return rc ? rc : reply_fields(r, 202, trainer_job_fields, &job, e);
}

static enum rc route_jobs(struct trainer *t, struct http_req *r, str id, struct err *e)
{
    struct trainer_job *jobs = NULL;
    size_t n = 0;
    struct buf b;
    struct jw w;
    enum rc rc = jobs_list(t->jobs, http_arena(r), &jobs, &n, e);

    if (rc)
        return rc;
    buf_init(&b, REPLY_BYTES_MAX);
    jw_init(&w, &b);
    jw_obj(&w);
    jw_karr(&w, "jobs");
    for (size_t i = 0; i < n; i++)
        field_write(trainer_job_fields, &jobs[i], &w);
    jw_arr_end(&w);
    jw_obj_end(&w);
    trainer_reply(r, 200, &b);
    return RC_OK;
}

/* ---- letters */

static enum rc route_letters(struct trainer *t, struct http_req *r, str id, struct err *e)
{
    struct letters_reply reply = {0};
    struct letter *list = NULL;
    size_t n = 0;
    enum rc rc = letters_fetch(t->letters, id, http_arena(r), &list, &n, e);

    reply.letters = (struct objs){list, n};
    return rc ? rc : reply_fields(r, 200, letters_reply_fields, &reply, e);
}

static enum rc route_answer(struct trainer *t, struct http_req *r, str id, struct err *e)
{
    struct letter_answer answer = {0};
    str body;
    enum rc rc = http_body_all(r, REPLY_BYTES_MAX, &body, e);

    if (!rc)
        rc = field_read_text(letter_answer_fields, body, &answer, http_arena(r), e);
    if (!rc)
        rc = letters_answer(t->letters, id, &answer, e);
    return rc ? rc
              : reply_fields(r, 200, letter_answer_fields,
                             &(struct letter_answer){answer.id, answer.status, STR_NONE}, e);
}

/* ---- what it is and how it is */

static enum rc route_measure(struct trainer *t, struct http_req *r, str id, struct err *e)
{
    struct measure_order o = {0};
    struct measure m;
    str body;
    enum rc rc = http_body_all(r, START_BODY_BYTES_MAX, &body, e);

    if (!rc)
        rc = field_read_text(measure_order_fields, body, &o, http_arena(r), e);
    if (!rc)
        rc = measurer_ask(t->measurer, &o, http_arena(r), &m, e);
    return rc ? rc : reply_fields(r, 200, measure_fields, &m, e);
}

/* What was last measured of a model, or null. */
static void write_measured(const struct trainer *t, const char *model, struct arena *a,
                           struct jw *w)
{
    struct measure m;

    jw_key(w, "measured");
    if (measurer_known(t->measurer, model, a, &m))
        field_write(measure_fields, &m, w);
    else
        jw_null(w);
}

/* With the model's own settings. */
static enum rc write_model(const struct trainer *t, const struct trainer_model *m, struct arena *a,
                           struct jw *w, struct err *e)
{
    enum rc rc;

    jw_obj(w);
    jw_kcstr(w, "name", m->name);
    jw_kcstr(w, "title", m->title);
    jw_kcstr(w, "task", m->task);
    jw_kint(w, "parameters", m->parameters);
    jw_kcstr(w, "description", m->description);
    jw_kint(w, "image_size", m->image_size);
    jw_kcstr(w, "framework", t->c.framework);
    write_measured(t, m->name, a, w);
    jw_key(w, "config_schema");
    rc = train_form(str_of(m->name), a, w, e);
    jw_obj_end(w);
    return rc;
}

static enum rc route_models(struct trainer *t, struct http_req *r, str id, struct err *e)
{
    struct buf b;
    struct jw w;
    enum rc rc = RC_OK;

    buf_init(&b, REPLY_BYTES_MAX);
    jw_init(&w, &b);
    jw_obj(&w);
    jw_kcstr(&w, "framework", t->c.framework);
    jw_karr(&w, "models");
    for (size_t i = 0; !rc && i < t->c.models_n; i++)
        rc = write_model(t, &t->c.models[i], http_arena(r), &w, e);
    jw_arr_end(&w);
    jw_obj_end(&w);
    if (!rc)
        rc = buf_ok(&b, e);
    if (rc)
        buf_done(&b);
    else
        trainer_reply(r, 200, &b);
    return rc;
}

static void write_workers(struct trainer *t, struct jw *w)
{
    struct jobs_counts n;

    jobs_get_counts(t->jobs, &n);
    jw_kobj(w, "workers");
    jw_kint(w, "running", n.running);
    jw_kint(w, "max", n.max);
    jw_kbool(w, "predictor_warm", predictor_warm(t->predictor));
    jw_obj_end(w);
    jw_kobj(w, "outbox");
    jw_kint(w, "attempts", n.attempts);
    jw_kint(w, "undelivered", n.undelivered);
    jw_obj_end(w);
}

static void write_cache(struct trainer *t, struct jw *w)
{
    struct cache_stats s;

    cache_get_stats(t->cache, &s);
    jw_kobj(w, "cache");
    jw_kint(w, "bytes", (int64_t)s.bytes);
    jw_kint(w, "bytes_max", (int64_t)s.bytes_max);
    jw_kint(w, "pinned_bytes", (int64_t)s.pinned_bytes);
    jw_kint(w, "entries", (int64_t)s.entries);
    jw_kint(w, "hits", (int64_t)s.hits);
    jw_kint(w, "misses", (int64_t)s.misses);
    jw_kint(w, "evictions", (int64_t)s.evictions);
    jw_kint(w, "damaged", (int64_t)s.damaged);
    jw_obj_end(w);
}

/* 200: work can be taken and kept; 503: the status says why not. */
static enum rc route_health(struct trainer *t, struct http_req *r, str id, struct err *e)
{
    uint64_t free_bytes = 0, total_bytes = 0;
    const char *status = "ok";
    struct err disk = {0};
    struct buf b;
    struct jw w;

    if (os_disk_free(t->dir, &free_bytes, &total_bytes, &disk))
        status = "disk_unreadable";
    else if (free_bytes < DISK_LOW_BYTES)
        status = "disk_full";
    if (atomic_load(&t->draining))
        status = "stopping";
    buf_init(&b, 64 << 10);
    jw_init(&w, &b);
    jw_obj(&w);
    jw_kcstr(&w, "status", status);
    jw_kcstr(&w, "framework", t->c.framework);
    jw_kcstr(&w, "version", ANNEAL_VERSION);
    jw_kint(&w, "uptime_s", (os_mono_ms() - t->started_ms) / 1000);
    jw_kint(&w, "models", (int64_t)t->c.models_n);
    write_workers(t, &w);
    write_cache(t, &w);
    jw_kobj(&w, "disk");
    jw_kint(&w, "free_bytes", (int64_t)free_bytes);
    jw_kint(&w, "total_bytes", (int64_t)total_bytes);
    jw_obj_end(&w);
    jw_obj_end(&w);
    trainer_reply(r, strcmp(status, "ok") ? 503 : 200, &b);
    return RC_OK;
}

/* ---- the table */

static const struct {
    enum http_method method;
    const char *path; /* "/jobs/" with an id behind it */
    bool open;        /* no token needed */
    route_fn fn;
} routes[] = {
    {HTTP_POST, "/training/start", false, route_start},
    {HTTP_POST, "/train", false, route_start},
    {HTTP_GET, "/jobs", false, route_jobs},
    {HTTP_GET, "/jobs/", false, route_job},
    {HTTP_DELETE, "/jobs/", false, route_stop},
    {HTTP_GET, "/letters/", false, route_letters},
    {HTTP_POST, "/letters/", false, route_answer},
    {HTTP_GET, "/models", false, route_models},
    {HTTP_GET, "/models/list", false, route_models},
    {HTTP_GET, "/health", true, route_health},
    {HTTP_POST, "/predict", false, route_predict},
    {HTTP_POST, "/measure", false, route_measure},
};

static enum rc authenticate(const struct trainer *t, const struct http_req *r, struct err *e)
{
    str header = http_header(r, "Authorization");
    char hex[SHA256_HEX + 1];

    if (!t->token_sha256[0])
        return RC_OK;
    if (header.n > 7 && str_ieq(str_sub(header, 0, 7), STR("Bearer "))) {
        sha256_hex(str_sub(header, 7, header.n), hex);
        if (same_bytes(hex, t->token_sha256, SHA256_HEX))
            return RC_OK;
    }
    return err_set(e, RC_UNAUTHENTICATED,
                   "this trainer takes orders with its service token alone "
                   "(Authorization: Bearer TOKEN)");
}

static bool path_matches(const char *pattern, str path, str *ret_id)
{
    size_t n = strlen(pattern);

    if (pattern[n - 1] != '/')
        return str_is(path, pattern);
    if (path.n <= n || !str_starts(path, str_of(pattern)))
        return false;
    *ret_id = str_sub(path, n, path.n);
    return str_chr(*ret_id, '/') < 0;
}

void trainer_handle(struct http_req *r, void *ud)
{
    struct trainer *t = ud;
    enum http_method method = http_method_of(r) == HTTP_HEAD ? HTTP_GET : http_method_of(r);
    str path = http_path(r), id = STR("");
    struct err e = {0};
    enum rc rc = RC_NOT_FOUND;

    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        if (!path_matches(routes[i].path, path, &id))
            continue;
        if (routes[i].method != method) {
            rc = RC_METHOD;
            continue;
        }
        rc = routes[i].open ? RC_OK : authenticate(t, r, &e);
        if (!rc)
            rc = routes[i].fn(t, r, id, &e);
        if (rc)
            reply_problem(r, &e);
        return;
    }
    if (rc == RC_METHOD)
        err_set(&e, rc, "%s is not possible on '%.*s'", http_method_name(method), STR_F(path));
    else
        err_set(&e, rc, "the trainer has no '%.*s'", STR_F(str_sub(path, 0, 200)));
    reply_problem(r, &e);
}
