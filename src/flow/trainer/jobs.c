/* jobs.c - the table of attempts: start, fence, stop, look up, recover, close. */
#include "base/log.h"
#include "flow/trainer/job_int.h"
#include "spec/train.h"

enum { ORDER_BYTES_MAX = 1 << 20 };

/* ---- one attempt */

static void on_box(void *ud, enum box_event ev, const char *why)
{
    struct job *j = ud;

    if (ev == BOX_CANCEL) {
        job_stop(j, STOP_CANCEL);
        return;
    }
    if (ev == BOX_OVER)
        job_stop(j, STOP_OVER);
    pthread_mutex_lock(&j->mu);
    j->box_ended = true;
    pthread_mutex_unlock(&j->mu);
}

void job_stop(struct job *j, enum stop_cause cause)
{
    pthread_mutex_lock(&j->mu);
    if (cause > j->stop && j->phase != PHASE_CONCLUDED) {
        j->stop = cause;
        atomic_store(&j->cancel, true);
        job_push_out(j, os_mono_ms());
        event_set(j->stop_event);
        if (j->out)
            lines_wake(j->out);
    }
    pthread_mutex_unlock(&j->mu);
}

void job_free(struct job *j)
{
    void *key;
    str sha256;

    if (!j)
        return;
    ASSERT(!j->has_thread);
    box_free(j->box);
    for (size_t i = 0; map_next(&j->uploaded, &i, &sha256, &key);)
        mem_free(key);
    map_done(&j->uploaded);
    for (size_t i = 0; i < j->logs_n; i++)
        mem_free(j->logs[i].text);
    mem_free(j->progress_metrics);
    event_free(j->stop_event);
    pthread_mutex_destroy(&j->mu);
    pthread_mutex_destroy(&j->say);
    arena_done(&j->a);
    mem_free(j);
}

static enum rc job_new(struct job **ret, struct jobs *js, struct err *e)
{
    struct job *j = mem_zalloc(sizeof *j);

    if (j)
        j->stop_event = event_new();
    if (!j || !j->stop_event) {
        mem_free(j);
        return err_set(e, RC_NOMEM, "out of memory for a job");
    }
    j->js = js;
    arena_init(&j->a, 4 * (size_t)ORDER_BYTES_MAX);
    map_init(&j->uploaded);
    pthread_mutex_init(&j->mu, NULL);
    pthread_mutex_init(&j->say, NULL);
    j->reported_ms = os_mono_ms();
    *ret = j;
    return RC_OK;
}

static void job_name(struct job *j)
{
    snprintf(j->id, sizeof j->id, "%.*s", STR_F(j->order.job_id));
    snprintf(j->work_dir, sizeof j->work_dir, "%s/%s-%lld", j->js->c.work_dir, j->id,
             (long long)j->order.attempt);
}

/* The job's own copy: through its JSON form, as it will be read after a restart. */
static enum rc order_copy(struct job *j, const struct start_order *o, struct err *e)
{
    struct buf text;
    struct jw w;
    enum rc rc;

    buf_init(&text, ORDER_BYTES_MAX);
    jw_init(&w, &text);
    field_write(start_order_fields, o, &w);
    rc = buf_ok(&text, e);
    if (!rc)
        rc = field_read_text(start_order_fields, buf_view(&text), &j->order, &j->a, e);
    buf_done(&text);
    return rc;
}

/* ---- orders */

static bool id_ok(str id)
{
    for (size_t i = 0; i < id.n; i++) {
        char c = id.p[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '-' || c == '_'))
            return false;
    }
    return id.n > 0 && id.n <= JOB_ID_MAX;
}

static enum rc url_check(const char *field, str url, struct err *e)
{
    if (str_starts(url, STR("http://")) || str_starts(url, STR("https://")))
        return RC_OK;
    return err_field(e, RC_INVALID, field, "'%s' must be an http or https address", field);
}

static enum rc config_check(str config, struct err *e)
{
    struct train_spec spec = {0};
    struct arena a;
    enum rc rc;

    if (config.n > CONFIG_BYTES_MAX)
        return err_field(e, RC_INVALID, "config",
                         "the settings have %zu bytes; at most %d are allowed", config.n,
                         CONFIG_BYTES_MAX);
    arena_init(&a, 1 << 20);
    rc = train_spec_read_text(config, &spec, &a, e);
    if (!rc)
        rc = train_spec_check(&spec, NULL, e);
    arena_done(&a);
    return rc ? err_wrap(e, rc, "config") : RC_OK;
}

/* "x/callback" gives "x/uploads": the short form of an order leaves the addresses beside its
 * callback's, and the version that its manifest's key names, to be understood. */
static str beside_callback(struct arena *a, str callback, const char *what)
{
    str tail = STR("/callback");

    if (!str_ends(callback, tail))
        return STR("");
    return str_of(
        arena_printf(a, "%.*s/%s", STR_F(str_sub(callback, 0, callback.n - tail.n)), what));
}

static void order_complete(struct start_order *o, struct arena *a)
{
    str rest = o->dataset_s3_uri, piece;

    while (!o->dataset_version.n && str_next(&rest, '/', &piece))
        if (is_sha256_hex(piece))
            o->dataset_version = piece;
    if (!o->uploads_url.n)
        o->uploads_url = beside_callback(a, o->callback_url, "uploads");
    if (!o->downloads_url.n)
        o->downloads_url = beside_callback(a, o->callback_url, "downloads");
}

static enum rc order_check(const struct jobs *js, const struct start_order *o, struct err *e)
{
    char key[192];
    enum rc rc;

    if (!id_ok(o->job_id))
        return err_field(e, RC_INVALID, "job_id",
                         "a job_id has 1 to %d letters, digits, '-' or '_'", JOB_ID_MAX);
    if (!str_is(o->framework, js->c.framework))
        return err_field(e, RC_INVALID, "framework", "this trainer runs '%s', not '%.*s'",
                         js->c.framework, STR_F(o->framework));
    if (!is_sha256_hex(o->dataset_version))
        return err_field(e, RC_INVALID, "dataset_version", "the dataset version must be a SHA-256");
    if (o->kind == WORK_TEST && !o->resume.weights_key.n)
        return err_field(e, RC_INVALID, "resume.weights_key", "a test needs the weights to score");
    rc = s3_uri_key(o->dataset_s3_uri, key, sizeof key, e);
    if (!rc)
        rc = url_check("callback_url", o->callback_url, e);
    if (!rc)
        rc = url_check("uploads_url", o->uploads_url, e);
    if (!rc)
        rc = url_check("downloads_url", o->downloads_url, e);
    return rc ? rc : config_check(o->config, e);
}

/* ---- the table; jobs.mu is held in these */

static struct job *find(const struct jobs *js, str id)
{
    for (struct job *j = js->list; j; j = j->next)
        if (!j->superseded && str_is(id, j->id))
            return j;
    return NULL;
}

static bool takes_place(struct job *j)
{
    bool yes;

    pthread_mutex_lock(&j->mu);
    yes = j->phase != PHASE_CONCLUDED && j->stop != STOP_FENCED && !j->leaving;
    pthread_mutex_unlock(&j->mu);
    return yes;
}

static unsigned places_taken(const struct jobs *js)
{
    unsigned n = 0;

    for (struct job *j = js->list; j; j = j->next)
        n += takes_place(j);
    return n;
}

/* Attempts whose thread still works, those without a place included. */
static bool any_works(const struct jobs *js)
{
    bool works = false;

    for (struct job *j = js->list; j && !works; j = j->next) {
        pthread_mutex_lock(&j->mu);
        works = j->phase != PHASE_CONCLUDED;
        pthread_mutex_unlock(&j->mu);
    }
    return works;
}

static void link_job(struct jobs *js, struct job *j)
{
    j->next = js->list;
    js->list = j;
    pthread_cond_broadcast(&js->changed);
}

static enum rc start_new(struct jobs *js, const struct start_order *o, struct err *e)
{
    struct job *j = NULL;
    enum rc rc = job_new(&j, js, e);

    if (!rc)
        rc = order_copy(j, o, e);
    if (!rc) {
        job_name(j);
        rc = box_open(&j->box, js->c.outbox, &j->order, on_box, j, e);
    }
    if (!rc)
        rc = thread_start(&j->thread, job_main, j, "a job", e);
    if (rc) {
        if (j && j->box) /* or a restart would report an attempt that never was accepted */
            box_abandon(j->box);
        job_free(j);
        return rc;
    }
    j->has_thread = true;
    link_job(js, j);
    return RC_OK;
}

static enum rc start_locked(struct jobs *js, const struct start_order *o, bool *ret_already,
                            struct err *e)
{
    struct job *old = find(js, o->job_id);
    enum rc rc;

    if (old && old->order.attempt == o->attempt) {
        *ret_already = true;
        return RC_OK;
    }
    if (old && old->order.attempt > o->attempt)
        return err_set(e, RC_CONFLICT, "attempt %lld of job '%s' is known here; %lld is stale",
                       (long long)old->order.attempt, old->id, (long long)o->attempt);
    if (js->closing)
        return err_set(e, RC_UNAVAILABLE, "the trainer is stopping");
    if (places_taken(js) - (old && takes_place(old)) >= js->c.max_jobs)
        return err_set(e, RC_LIMIT, "%u jobs run here already; try again when one has ended",
                       js->c.max_jobs);
    if (old) {
        old->superseded = true;
        job_stop(old, STOP_FENCED);
        box_abandon(old->box);
        on_box(old, BOX_DONE, "");
    }
    rc = start_new(js, o, e);
    *ret_already = false;
    return rc;
}

enum rc jobs_start(struct jobs *js, const struct start_order *o, bool *ret_already, struct err *e)
{
    struct start_order whole = *o;
    struct arena a;
    enum rc rc;

    arena_init(&a, 64 << 10);
    order_complete(&whole, &a);
    rc = order_check(js, &whole, e);
    if (!rc) {
        pthread_mutex_lock(&js->mu);
        rc = start_locked(js, &whole, ret_already, e);
        pthread_mutex_unlock(&js->mu);
    }
    arena_done(&a);
    return rc;
}

/* ---- looking and stopping */

static void describe(struct job *j, struct arena *a, struct trainer_job *ret)
{
    static const char *const words[] = {"preparing", "running", "delivering"};

    *ret = (struct trainer_job){.job_id = arena_str(a, str_of(j->id)),
                                .attempt = j->order.attempt,
                                .undelivered = box_undelivered(j->box),
                                .letters = letters_waiting(j->js->c.letters, str_of(j->id))};
    ret->status = job_ended(j) ? STR("ended") : STR_NONE;
    pthread_mutex_lock(&j->mu);
    ret->progress = j->known.progress;
    if (!ret->status.n)
        ret->status = str_of(words[j->phase]);
    pthread_mutex_unlock(&j->mu);
}

static enum rc unknown(str id, struct err *e)
{
    return err_set(e, RC_NOT_FOUND, "this trainer knows no job '%.*s'", STR_F(str_sub(id, 0, 64)));
}

enum rc jobs_get(struct jobs *js, str job_id, struct arena *a, struct trainer_job *ret,
                 struct err *e)
{
    struct job *j;

    pthread_mutex_lock(&js->mu);
    j = find(js, job_id);
    if (j) {
        describe(j, a, ret);
        box_kick(j->box); /* whoever asks is most likely the backend, and so alive */
    }
    pthread_mutex_unlock(&js->mu);
    return j ? RC_OK : unknown(job_id, e);
}

enum rc jobs_stop(struct jobs *js, str job_id, struct err *e)
{
    struct job *j;

    pthread_mutex_lock(&js->mu);
    j = find(js, job_id);
    if (j)
        job_stop(j, STOP_CANCEL);
    pthread_mutex_unlock(&js->mu);
    return j ? RC_OK : unknown(job_id, e);
}

enum rc jobs_list(struct jobs *js, struct arena *a, struct trainer_job **ret, size_t *ret_n,
                  struct err *e)
{
    struct trainer_job *list;
    size_t n = 0;

    pthread_mutex_lock(&js->mu);
    for (struct job *j = js->list; j; j = j->next)
        n += !j->superseded;
    list = ARENA_ARRAY(a, struct trainer_job, n + 1);
    n = 0;
    for (struct job *j = js->list; j && list; j = j->next)
        if (!j->superseded)
            describe(j, a, &list[n++]);
    pthread_mutex_unlock(&js->mu);
    if (!list)
        return err_set(e, RC_NOMEM, "out of memory for the list of jobs");
    *ret = list;
    *ret_n = n;
    return RC_OK;
}

void jobs_get_counts(struct jobs *js, struct jobs_counts *ret)
{
    *ret = (struct jobs_counts){.max = js->c.max_jobs};
    pthread_mutex_lock(&js->mu);
    ret->running = places_taken(js);
    for (struct job *j = js->list; j; j = j->next) {
        ret->attempts += !job_ended(j);
        ret->undelivered += box_undelivered(j->box);
    }
    pthread_mutex_unlock(&js->mu);
}

/* ---- life of the table */

static enum rc recover_one(struct jobs *js, const char *name, struct err *e)
{
    struct job *j = NULL;
    bool ended = false;
    enum rc rc = job_new(&j, js, e);

    if (!rc)
        rc = box_recover(&j->box, js->c.outbox, name, on_box, j, &j->a, &j->order, &ended, e);
    if (rc) {
        job_free(j);
        return rc;
    }
    job_name(j);
    if (!ended) {
        log_warn("job %s, attempt %lld: was running when the trainer ended; reported as failed",
                 j->id, (long long)j->order.attempt);
        job_say_failed(j, "trainer_restarted", "the trainer was restarted while the job ran", true);
    }
    j->phase = PHASE_CONCLUDED;
    link_job(js, j);
    return RC_OK;
}

static enum rc recover_each(void *ud, const char *name, bool is_dir, struct err *e)
{
    enum rc rc = is_dir ? recover_one(ud, name, e) : RC_OK;

    if (rc == RC_NOT_FOUND)
        return RC_OK;
    if (rc != RC_CORRUPT)
        return rc;
    log_error("outbox '%s' cannot be read and is left as it is: %s", name, e->text);
    return RC_OK;
}

enum rc jobs_open(struct jobs **ret, const struct jobs_config *c, struct err *e)
{
    struct jobs *js = mem_zalloc(sizeof *js);
    enum rc rc;

    if (!js)
        return err_set(e, RC_NOMEM, "out of memory for the jobs");
    js->c = *c;
    pthread_mutex_init(&js->mu, NULL);
    cond_init(&js->changed);
    rc = os_remove_tree(c->work_dir, e);
    if (!rc)
        rc = os_mkdirs(c->work_dir, 0700, e);
    if (!rc)
        rc = outbox_each(c->outbox, recover_each, js, e);
    if (!rc)
        rc = thread_start(&js->pulse, pulse_main, js, "the pulse", e);
    js->has_pulse = !rc;
    if (rc) {
        jobs_close(js);
        return rc;
    }
    *ret = js;
    return RC_OK;
}

static void stop_all(struct jobs *js)
{
    for (struct job *j = js->list; j; j = j->next)
        job_stop(j, STOP_SHUTDOWN);
}

void jobs_drain(struct jobs *js, int64_t ms)
{
    int64_t until = os_mono_ms() + ms, now;

    pthread_mutex_lock(&js->mu);
    stop_all(js);
    while (any_works(js) && os_mono_ms() < until)
        cond_wait(&js->changed, &js->mu, until);
    pthread_mutex_unlock(&js->mu);
    now = os_mono_ms();
    if (now < until && !outbox_flush(js->c.outbox, until - now))
        log_info("some reports are undelivered; they will be sent after the next start");
}

void jobs_close(struct jobs *js)
{
    if (!js)
        return;
    pthread_mutex_lock(&js->mu);
    stop_all(js);
    while (js->has_pulse && any_works(js)) /* the pulse still escalates signals */
        cond_wait(&js->changed, &js->mu, INT64_MAX);
    js->closing = true;
    pthread_cond_broadcast(&js->changed);
    pthread_mutex_unlock(&js->mu);
    if (js->has_pulse)
        pthread_join(js->pulse, NULL);
    while (js->list) {
        struct job *j = js->list;

        js->list = j->next;
        if (j->has_thread)
            pthread_join(j->thread, NULL);
        j->has_thread = false;
        job_free(j);
    }
    pthread_cond_destroy(&js->changed);
    pthread_mutex_destroy(&js->mu);
    mem_free(js);
}
