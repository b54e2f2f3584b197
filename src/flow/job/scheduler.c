/* scheduler.c - hands out jobs and keeps the truth about those that run.  See scheduler.h.
 *
 * 1. One thread does all of it, so an order to start and an order to stop can never cross.
 * 2. A trainer that does not answer is left alone for a growing pause (PAUSE_MS_MIN ..
 * PAUSE_MS_MAX): a dead one costs a connect time-out now and then, not every round.
 * 3. What a trainer says moves a job only through job.h, which checks that the attempt is current:
 *    a report that arrives in the middle of a poll wins.
 */
#include "flow/job/scheduler.h"
#include "base/log.h"
#include "base/mem.h"
#include "flow/job/job_read.h"
#include "flow/job/postman.h"
#include "net/client.h"
#include "os/os.h"
#include "s3/s3.h"
#include "spec/dataset.h"
#include <pthread.h>

enum {
    ROUND_MS = 500,
    POLL_MS = 3000,
    LETTERS_MS = 250, /* until the next look at an attempt that had letters */
    HEALTH_MS = 5000,
    PAUSE_MS_MIN = 1000,
    PAUSE_MS_MAX = 15000,
    START_TRIES = 3,
    START_PAUSE_MS = 200,
    START_TIMEOUT_MS = 15000,
    ASK_TIMEOUT_MS = 5000,
    CONNECT_MS = 2000,
    QUEUE_LOOK = 200, /* queued jobs considered in one round */
    TRAINER_REPLY_MAX = 64 << 10,
    ROUND_ARENA = 32 << 20,
    STOP_WAIT_MS = 5000,
    CLEAN_MS = 30000,        /* between two looks for superseded checkpoints */
    CLEAN_GRACE_MS = 600000, /* a prediction may still be reading one */
    CLEAN_MAX = 20,
};

struct trainer {
    struct trainer_state state; /* guarded by lock */
    int64_t pause_ms, ask_at;   /* not to be asked before; the scheduler's thread alone */
    int64_t health_at;
};
struct watch { /* a running attempt, as last seen */
    char job[OS_ID_TEXT];
    int64_t attempt, polled_at, ended_seq;
    bool ended; /* the trainer said so at the last poll */
    bool seen;  /* in this round */
};
struct scheduler {
    struct scheduler_config c;
    pthread_t thread;
    bool started;
    struct event *stop;
    pthread_mutex_t lock;
    struct trainer trainers[SITES_MAX];
    size_t trainers_n;
    struct watch *watches;
    size_t watches_n, watches_cap;
    int64_t clean_at;
    int orders; /* start orders sent, modulo what an int holds */
};

enum rc scheduler_new(struct scheduler **ret, const struct scheduler_config *c, struct err *e)
{
    struct scheduler *s = mem_zalloc(sizeof *s);
    const char *names[SITES_MAX];

    if (s)
        s->stop = event_new();
    if (!s || !s->stop) {
        mem_free(s);
        return err_set(e, RC_NOMEM, "out of memory");
    }
    s->c = *c;
    if (!s->c.poll_ms)
        s->c.poll_ms = POLL_MS;
    if (!s->c.clock)
        s->c.clock = os_now_ms;
    pthread_mutex_init(&s->lock, NULL);
    s->trainers_n = launcher_frameworks(c->launcher, names);
    for (size_t i = 0; i < s->trainers_n; i++) {
        snprintf(s->trainers[i].state.framework, SITE_NAME_MAX, "%s", names[i]);
        s->trainers[i].pause_ms = PAUSE_MS_MIN;
    }
    *ret = s;
    return RC_OK;
}

struct jobs *scheduler_jobs(struct scheduler *s)
{
    return s->c.jobs;
}

struct launcher *scheduler_launcher(struct scheduler *s)
{
    return s->c.launcher;
}

/* ---- trainers */

static struct trainer *trainer_of(struct scheduler *s, str framework)
{
    for (size_t i = 0; i < s->trainers_n; i++)
        if (str_is(framework, s->trainers[i].state.framework))
            return &s->trainers[i];
    return NULL;
}

size_t scheduler_trainers(struct scheduler *s, struct trainer_state ret[SITES_MAX])
{
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < s->trainers_n; i++)
        ret[i] = s->trainers[i].state;
    pthread_mutex_unlock(&s->lock);
    return s->trainers_n;
}

static void set_state(struct scheduler *s, struct trainer *t, enum rc rc, const char *why,
                      int64_t now)
{
    pthread_mutex_lock(&s->lock);
    if (!t->state.known || t->state.up != !rc)
        log_info("trainer %s: %s", t->state.framework, rc ? why : "up");
    t->state.known = true;
    t->state.up = !rc;
    t->state.checked_at = now;
    snprintf(t->state.error, sizeof t->state.error, "%.199s", rc ? why : "");
    pthread_mutex_unlock(&s->lock);
}

/* What came of asking: after a failure it is left alone for a while. */
static void note(struct scheduler *s, struct trainer *t, enum rc rc, const char *why, int64_t now)
{
    set_state(s, t, rc, why, now);
    t->ask_at = rc ? now + t->pause_ms : 0;
    t->pause_ms = !rc                              ? PAUSE_MS_MIN
                  : t->pause_ms * 2 < PAUSE_MS_MAX ? t->pause_ms * 2
                                                   : PAUSE_MS_MAX;
}

/* It is not there to be asked yet: once it is, it is asked at once. */
static void note_absent(struct scheduler *s, struct trainer *t, const char *why, int64_t now)
{
    set_state(s, t, RC_UNAVAILABLE, why, now);
    t->ask_at = t->health_at = 0;
    t->pause_ms = PAUSE_MS_MIN;
}

struct call {
    enum http_method method;
    const char *path; /* "/jobs/.." */
    str body;
    int64_t timeout_ms;
};

/* One exchange with a trainer; *ret_body lives in `a`.  RC_OK for any status below 500. */
static enum rc ask(struct site *site, struct arena *a, const struct call *q, int *ret_status,
                   str *ret_body, struct err *e)
{
    char auth[SITE_TOKEN_MAX + 32], url[SITE_URL_MAX + 256];
    const char *headers[] = {auth, "Content-Type: application/json", NULL};
    struct client_reply reply;
    struct client_call call = {.method = q->method,
                               .url = url,
                               .headers = headers,
                               .body = q->body,
                               .timeout_ms = q->timeout_ms,
                               .connect_ms = CONNECT_MS};
    struct buf b;
    enum rc rc;

    snprintf(auth, sizeof auth, "Authorization: Bearer %s", site->token);
    snprintf(url, sizeof url, "%s%s", site->url, q->path);
    buf_init(&b, TRAINER_REPLY_MAX);
    call.reply = &b;
    rc = client_do(&call, &reply, e);
    if (!rc) {
        *ret_body = arena_str(a, buf_view(&b));
        *ret_status = reply.status;
        if (!ret_body->p)
            rc = err_set(e, RC_NOMEM, "out of memory");
        else if (reply.status >= 500)
            rc = err_set(e, RC_UPSTREAM, "status %d: %.300s", reply.status, b.p);
    }
    buf_done(&b);
    return rc;
}

/* The trainer's own words from a problem document, or the body's beginning. */
static const char *words(struct arena *a, int status, str body)
{
    const struct json *doc = NULL;
    str detail = STR_NONE;
    const char *s;

    if (!json_parse(a, body, NULL, &doc, NULL))
        detail = json_str(doc, "detail", json_str(doc, "error", STR_NONE));
    if (!detail.n)
        detail = str_sub(body, 0, 300);
    s = arena_printf(a, "%.*s (status %d)", (int)(detail.n > 500 ? 500 : detail.n),
                     detail.p ? detail.p : "", status);
    return s ? s : "out of memory";
}

/* Finds the trainer of a framework if it may be asked now.  On failure e says why not. */
static enum rc reach(struct scheduler *s, str framework, int64_t now, struct trainer **ret,
                     struct site *ret_site, struct err *e)
{
    struct trainer *t = trainer_of(s, framework);
    enum rc rc = launcher_find(s->c.launcher, framework, ret_site, e);

    if (rc == RC_UNAVAILABLE && t)
        note_absent(s, t, e->text, now);
    if (rc)
        return rc;
    if (now < t->ask_at)
        return err_set(e, RC_UNAVAILABLE, "%s", t->state.error);
    *ret = t;
    return RC_OK;
}

static void check_health(struct scheduler *s, int64_t now)
{
    for (size_t i = 0; i < s->trainers_n; i++) {
        struct trainer *t = &s->trainers[i], *same;
        struct site site;
        struct arena a;
        struct err e = {0};
        int status;
        str body;
        enum rc rc;

        if (now < t->health_at && (t->state.up || now < t->ask_at))
            continue;
        t->health_at = now + HEALTH_MS;
        if (reach(s, str_of(t->state.framework), now, &same, &site, &e))
            continue;
        arena_init(&a, 1 << 20);
        rc = ask(&site, &a, &(struct call){HTTP_GET, "/health", .timeout_ms = ASK_TIMEOUT_MS},
                 &status, &body, &e);
        if (!rc && status >= 300)
            rc = err_set(&e, RC_UPSTREAM, "%s", words(&a, status, body));
        note(s, t, rc, e.text, now);
        arena_done(&a);
    }
}

/* ---- stopping */

enum seen { SEEN_GONE, SEEN_OTHER, SEEN_ENDED, SEEN_ALIVE };
static enum rc look(struct site *site, struct arena *a, const struct job_due *d, enum seen *ret,
                    struct trainer_job *ret_job, struct err *e)
{
    char path[128];
    int status;
    str body;
    struct trainer_job job = {0};
    enum rc rc;

    snprintf(path, sizeof path, "/jobs/%.*s", STR_F(d->job_id));
    rc = ask(site, a, &(struct call){HTTP_GET, path, .timeout_ms = ASK_TIMEOUT_MS}, &status, &body,
             e);
    if (rc)
        return rc;
    if (status == 404 || status == 410) {
        *ret = SEEN_GONE;
        return RC_OK;
    }
    if (status != 200)
        return err_set(e, RC_UPSTREAM, "%s", words(a, status, body));
    rc = field_read_text(trainer_job_fields, body, &job, a, e);
    if (rc)
        return err_wrap(e, RC_UPSTREAM, "the trainer's answer to GET %s", path);
    *ret = job.attempt != d->attempt     ? SEEN_OTHER
           : str_is(job.status, "ended") ? SEEN_ENDED
                                         : SEEN_ALIVE;
    *ret_job = job;
    return RC_OK;
}

/* Tells the trainer to stop one attempt; true when it is over with. */
static bool stop_one(struct scheduler *s, const struct job_due *d, struct arena *a, int64_t now,
                     struct err *e)
{
    struct trainer *t;
    struct site site;
    struct trainer_job job;
    enum seen seen;
    char path[128];
    int status;
    str body;
    enum rc rc = reach(s, d->trainer, now, &t, &site, e);

    if (rc == RC_INVALID)
        return true; /* that trainer is configured no more */
    if (rc)
        return false;
    rc = look(&site, a, d, &seen, &job, e);
    /* A DELETE names the job, not the attempt: one of the next attempt must not be hit, and need
     * not be, as the trainer gives up the older when it takes the newer. */
    if (!rc && (seen != SEEN_ALIVE || str_is(job.status, "delivering")))
        return true;
    if (!rc) {
        snprintf(path, sizeof path, "/jobs/%.*s", STR_F(d->job_id));
        rc = ask(&site, a, &(struct call){HTTP_DELETE, path, .timeout_ms = ASK_TIMEOUT_MS}, &status,
                 &body, e);
    }
    note(s, t, rc, e->text, now);
    return !rc && (status == 404 || status == 410);
}

static void stop_attempts(struct scheduler *s, int64_t now, struct arena *a)
{
    struct job_due *due;
    size_t n;
    struct err e = {0};
    enum rc rc = jobs_stopping(s->c.jobs, a, &due, &n, &e);

    for (size_t i = 0; !rc && i < n; i++)
        if (stop_one(s, &due[i], a, now, &e))
            rc = job_attempt_stopped(s->c.jobs, due[i].job_id, due[i].attempt, &e);
    if (rc)
        log_error("stopping attempts: %s", e.text);
}

/* ---- polling */

static struct watch *watch_of(struct scheduler *s, const struct job_due *d)
{
    struct watch *w;

    for (size_t i = 0; i < s->watches_n; i++)
        if (str_is(d->job_id, s->watches[i].job) && s->watches[i].attempt == d->attempt)
            return &s->watches[i];
    if (s->watches_n == s->watches_cap) {
        size_t cap = s->watches_cap ? 2 * s->watches_cap : 16;

        w = mem_realloc(s->watches, cap * sizeof *w);
        if (!w)
            return NULL;
        s->watches = w;
        s->watches_cap = cap;
    }
    w = &s->watches[s->watches_n++];
    *w = (struct watch){.attempt = d->attempt};
    snprintf(w->job, sizeof w->job, "%.*s", STR_F(d->job_id));
    return w;
}

/* What the trainer could not post itself.  Answers bring the next letter: we come again soon. */
static void fetch_letters(struct scheduler *s, const struct site *site, const struct job_due *d,
                          struct watch *w, int64_t now)
{
    struct err e = {0};
    int carried;

    if (!s->c.own_url)
        return;
    enum rc rc = carry_letters(site, d->job_id, s->c.own_url, &carried, &e);
    if (rc)
        log_warn("letters of job %.*s: %s", STR_F(d->job_id), e.text);
    else if (carried)
        w->polled_at = now - s->c.poll_ms + LETTERS_MS;
}

static enum rc poll_one(struct scheduler *s, const struct job_due *d, struct watch *w,
                        struct arena *a, int64_t now, struct err *e)
{
    struct jobs *js = s->c.jobs;
    struct trainer *t;
    struct site site;
    struct trainer_job job = {0};
    enum seen seen;
    bool ended_before = w->ended && w->ended_seq == d->last_seq;
    enum rc rc = reach(s, d->trainer, now, &t, &site, e);

    if (rc)
        return RC_OK; /* the lease decides */
    rc = look(&site, a, d, &seen, &job, e);
    note(s, t, rc, e->text, now);
    if (rc)
        return RC_OK;
    if (job.letters > 0)
        fetch_letters(s, &site, d, w, now);
    w->ended = false;
    switch (seen) {
    case SEEN_ALIVE:
        return job_attempt_renew(js, d->job_id, d->attempt, now, e);
    case SEEN_GONE:
        return job_attempt_lost(js, d->job_id, d->attempt,
                                "the trainer does not know the attempt; it was restarted", now, e);
    case SEEN_OTHER:
        return job_attempt_lost(js, d->job_id, d->attempt, "the trainer knows another attempt only",
                                now, e);
    case SEEN_ENDED:
        if (ended_before) /* twice, and no report came between: none will */
            return job_attempt_lost(js, d->job_id, d->attempt,
                                    "the trainer ended the attempt without a result", now, e);
        w->ended = true;
        w->ended_seq = d->last_seq;
        return RC_OK;
    }
    return RC_OK;
}

static void poll_attempts(struct scheduler *s, const struct job_due *due, size_t n, int64_t now,
                          struct arena *a)
{
    struct err e = {0};
    enum rc rc = RC_OK;
    size_t kept = 0;

    for (size_t i = 0; i < s->watches_n; i++)
        s->watches[i].seen = false;
    for (size_t i = 0; !rc && i < n; i++) {
        struct watch *w = due[i].starting ? NULL : watch_of(s, &due[i]);

        if (!w)
            continue;
        w->seen = true;
        if (!w->polled_at)
            w->polled_at = now; /* it has only just started */
        if (now - w->polled_at < s->c.poll_ms)
            continue;
        w->polled_at = now;
        rc = poll_one(s, &due[i], w, a, now, &e);
    }
    for (size_t i = 0; i < s->watches_n; i++)
        if (s->watches[i].seen)
            s->watches[kept++] = s->watches[i];
    s->watches_n = kept;
    if (rc)
        log_error("polling attempts: %s", e.text);
}

/* ---- handing out */

/* The attempt's start order as JSON in `a`. */
static enum rc write_order(struct scheduler *s, struct arena *a, const struct job *j,
                           const char *token, str *ret, struct err *e)
{
    struct start_order o = {.job_id = j->id,
                            .attempt = j->attempt,
                            .kind = j->kind,
                            .token = str_of(token),
                            .config = j->config,
                            .framework = j->framework,
                            .dataset_version = j->dataset_version,
                            .split = j->split};
    struct job_checkpoint own;
    char key[BLOB_KEY_MAX + 16], version[SHA256_HEX + 1];
    const char *base = arena_printf(a, "%s/training/jobs/%.*s", s->c.public_url, STR_F(j->id));
    const char *uri, *callback, *uploads, *downloads;
    struct buf b;
    struct jw w;
    enum rc rc;

    snprintf(version, sizeof version, "%.*s", STR_F(j->dataset_version));
    manifest_key(version, key);
    uri = arena_printf(a, "s3://%s/%s", s->c.bucket, key);
    callback = base ? arena_printf(a, "%s/callback", base) : NULL;
    uploads = base ? arena_printf(a, "%s/uploads", base) : NULL;
    downloads = base ? arena_printf(a, "%s/downloads", base) : NULL;
    if (!uri || !callback || !uploads || !downloads)
        return err_set(e, RC_NOMEM, "out of memory");
    o.dataset_s3_uri = str_of(uri);
    o.callback_url = str_of(callback);
    o.uploads_url = str_of(uploads);
    o.downloads_url = str_of(downloads);
    rc = job_checkpoint_find(s->c.jobs, a, j->id, STR("last"), &own, NULL);
    if (!rc && j->kind == WORK_TRAIN)
        o.resume = own.c;
    else if (j->base_checkpoint.n)
        rc = field_read_text(checkpoint_fields, j->base_checkpoint, &o.resume, a, e);
    if (rc && rc != RC_NOT_FOUND)
        return rc;
    buf_init(&b, 1 << 20);
    jw_init(&w, &b);
    field_write(start_order_fields, &o, &w);
    rc = buf_ok(&b, e);
    if (!rc) {
        *ret = arena_str(a, buf_view(&b));
        rc = ret->p ? RC_OK : err_set(e, RC_NOMEM, "out of memory");
    }
    buf_done(&b);
    return rc;
}

/* What came of sending a start order. */
enum sent { SENT_TAKEN, SENT_REFUSED, SENT_BUSY, SENT_FAILED };
static enum sent send_order(struct scheduler *s, struct site *site, struct arena *a, str order,
                            bool *ret_maybe_taken, struct err *e)
{
    int status = 0;
    str body;
    enum rc rc = RC_OK;

    *ret_maybe_taken = false;
    for (int i = 0; i < START_TRIES; i++) {
        if (i && event_wait(s->stop, START_PAUSE_MS << i))
            break;
        rc = ask(site, a, &(struct call){HTTP_POST, "/training/start", order, START_TIMEOUT_MS},
                 &status, &body, e);
        if (!rc)
            break;
        if (rc != RC_UNAVAILABLE) /* the connection stood: it may have been read */
            *ret_maybe_taken = true;
    }
    if (rc)
        return SENT_FAILED;
    if (status < 300)
        return SENT_TAKEN;
    err_set(e, RC_UPSTREAM, "%s", words(a, status, body));
    return status == 429 || status == 408 || status == 503 ? SENT_BUSY : SENT_REFUSED;
}

static enum rc hand_out(struct scheduler *s, const struct job_due *d, struct trainer *t,
                        struct site *site, struct arena *a, int64_t now, struct err *e)
{
    struct jobs *js = s->c.jobs;
    struct job j;
    char token[JOB_TOKEN_TEXT];
    struct err why = {0};
    bool maybe = false;
    enum sent sent;
    const char *text;
    str order;
    enum rc rc = job_attempt_begin(js, a, d->job_id, str_of(site->framework), str_of(site->url),
                                   now, &j, token, e);

    s->orders = (s->orders + 1) & 0xffff;
    if (rc == RC_CONFLICT || rc == RC_NOT_FOUND)
        return RC_OK; /* cancelled since */
    if (rc)
        return rc;
    rc = write_order(s, a, &j, token, &order, &why);
    if (rc)
        return job_attempt_refused(js, j.id, j.attempt, "start_failed", why.text, now, e);
    sent = send_order(s, site, a, order, &maybe, &why);
    now = s->c.clock(); /* it may have taken a while: the lease begins here */
    switch (sent) {
    case SENT_TAKEN:
        note(s, t, RC_OK, "", now);
        return job_attempt_accepted(js, j.id, j.attempt, now, e);
    case SENT_REFUSED:
        return job_attempt_refused(js, j.id, j.attempt, "trainer_refused", why.text, now, e);
    case SENT_BUSY:
        text = "waiting for a free place on the trainer";
        return job_attempt_unsent(js, j.id, j.attempt, false, text, now + PAUSE_MS_MIN, now, e);
    case SENT_FAILED:
        note(s, t, RC_UNAVAILABLE, why.text, now);
        text = arena_printf(a, "waiting for the trainer %s: %s", site->framework, why.text);
        return job_attempt_unsent(js, j.id, j.attempt, maybe,
                                  text ? text : "waiting for the trainer", t->ask_at, now, e);
    }
    return RC_OK;
}

struct load { /* active attempts, and those handed out in this round */
    const struct job_due *due;
    size_t n;
};
static int64_t count_user(const struct load *l, str user)
{
    int64_t k = 0;

    for (size_t i = 0; i < l->n; i++)
        k += str_eq(l->due[i].user_id, user);
    return k;
}
static int64_t count_trainer(const struct load *l, str framework)
{
    int64_t k = 0;

    for (size_t i = 0; i < l->n; i++)
        k += str_eq(l->due[i].framework, framework);
    return k;
}

/* Says why a job waits, unless it says so already. */
static enum rc waits(struct scheduler *s, const struct job_due *d, const char *text, int64_t now,
                     struct err *e)
{
    return str_is(d->waiting, text) ? RC_OK : job_waits(s->c.jobs, d->job_id, text, now, e);
}

static enum rc dispatch_one(struct scheduler *s, const struct job_due *d, const struct load *load,
                            int64_t now, struct arena *a, struct err *e)
{
    struct trainer *t;
    struct site site;
    struct err why = {0};
    const char *text;
    const int64_t most = d->user_jobs_max < 0 ? s->c.jobs_per_user : d->user_jobs_max;
    enum rc rc;

    if (d->user_id.n && count_user(load, d->user_id) >= most)
        return waits(s, d, "waiting: as many of your jobs run as one user may have", now, e);
    if (count_trainer(load, d->framework) >= s->c.jobs_per_trainer)
        return waits(s, d, "waiting for a free place on the trainer", now, e);
    rc = reach(s, d->framework, now, &t, &site, &why);
    if (rc) {
        text = arena_printf(a, "waiting for the trainer %.*s: %s", STR_F(d->framework), why.text);
        return waits(s, d, text ? text : "waiting for the trainer", now, e);
    }
    return hand_out(s, d, t, &site, a, now, e);
}

static void dispatch(struct scheduler *s, int64_t now, struct arena *a)
{
    struct job_due *queue, *active = NULL;
    size_t queue_n, n = 0;
    struct err e = {0};
    enum rc rc = jobs_queued(s->c.jobs, a, now, QUEUE_LOOK, &queue, &queue_n, &e);
    int before = -1;

    for (size_t i = 0; !rc && i < queue_n && !event_is_set(s->stop); i++) {
        if (s->orders != before) /* the truth, after each order */
            rc = jobs_active(s->c.jobs, a, &active, &n, &e);
        before = s->orders;
        if (!rc)
            rc = dispatch_one(s, &queue[i], &(struct load){active, n}, now, a, &e);
    }
    if (rc)
        log_error("handing out jobs: %s", e.text);
}

/* ---- superseded checkpoints */

static void clean(struct scheduler *s, int64_t now, struct arena *a)
{
    struct job_garbage *g;
    size_t n;
    struct err e = {0};
    enum rc rc;

    if (!s->c.s3 || now < s->clean_at)
        return;
    s->clean_at = now + CLEAN_MS;
    rc = jobs_garbage(s->c.jobs, a, now - CLEAN_GRACE_MS, CLEAN_MAX, &g, &n, &e);
    for (size_t i = 0; !rc && i < n; i++) {
        for (int k = 0; !rc && k < 3; k++) {
            const char *key = arena_cstr(a, g[i].keys[k]);

            if (key && *key)
                rc = s3_delete(s->c.s3, key, &e);
        }
        if (!rc)
            rc = job_checkpoint_forget(s->c.jobs, &g[i], &e);
    }
    if (rc)
        log_warn("removing superseded checkpoints: %s", e.text);
    else if (n == CLEAN_MAX)
        s->clean_at = now; /* there is more */
}

/* ---- the thread */

void scheduler_round(struct scheduler *s)
{
    int64_t now = s->c.clock();
    struct arena a;
    struct job_due *due;
    size_t n;
    struct err e = {0};

    arena_init(&a, ROUND_ARENA);
    check_health(s, now);
    stop_attempts(s, now, &a);
    if (jobs_active(s->c.jobs, &a, &due, &n, &e))
        log_error("reading the running jobs: %s", e.text);
    else
        poll_attempts(s, due, n, now, &a);
    if (jobs_sweep_leases(s->c.jobs, now, &e))
        log_error("ending leases: %s", e.text);
    dispatch(s, now, &a);
    clean(s, now, &a);
    arena_done(&a);
}

static void *run(void *ud)
{
    struct scheduler *s = ud;

    while (!event_is_set(s->stop)) {
        event_clear(jobs_wake(s->c.jobs));
        launcher_tick(s->c.launcher, os_mono_ms());
        scheduler_round(s);
        event_wait(jobs_wake(s->c.jobs), ROUND_MS);
    }
    launcher_stop(s->c.launcher, STOP_WAIT_MS);
    return NULL;
}

void scheduler_set_url(struct scheduler *s, const char *public_url, const char *own_url)
{
    s->c.public_url = public_url;
    s->c.own_url = own_url;
}

enum rc scheduler_start(struct scheduler *s, struct err *e)
{
    struct arena a;
    struct job_due *due;
    size_t n;
    int64_t now = s->c.clock();
    enum rc rc;

    arena_init(&a, ROUND_ARENA);
    rc = jobs_active(s->c.jobs, &a, &due, &n, e);
    for (size_t i = 0; !rc && i < n; i++)
        rc = job_attempt_renew(s->c.jobs, due[i].job_id, due[i].attempt, now, e);
    arena_done(&a);
    if (rc)
        return rc;
    if (pthread_create(&s->thread, NULL, run, s))
        return err_set(e, RC_IO, "the scheduler's thread could not be made");
    s->started = true;
    return RC_OK;
}

void scheduler_stop(struct scheduler *s)
{
    event_set(s->stop);
    event_set(jobs_wake(s->c.jobs));
    if (s->started)
        pthread_join(s->thread, NULL);
    s->started = false;
}

void scheduler_free(struct scheduler *s)
{
    if (!s)
        return;
    scheduler_stop(s);
    event_free(s->stop);
    pthread_mutex_destroy(&s->lock);
    mem_free(s->watches);
    mem_free(s);
}
