/* job.c - the state machine of job.h and what people and the scheduler do to a job.
 *
 * Every change has the same frame: change_begin reads the job in a writing transaction, the rules
 * work on that copy, change_end saves it, commits, and only then lets others know.
 */
#include "flow/job/job.h"
#include "base/mem.h"
#include "flow/job/job_int.h"
#include "os/os.h"
#include <math.h>

enum {
    POSITION_GAP = 1 << 16, /* between neighbours of the queue, so that one fits in */
    LEASE_MS = 30000,
    RETRY_MS = 2000,
    RETRY_MS_MAX = 60000,
    LOG_LINES_MAX = 10000,
    SERIES_MAX = 4096,
    EVENT_BYTES_MAX = 256 << 10,
};

#define BIT(s) (1u << (s))
static const unsigned arrows[] = {
    [JOB_PENDING] = BIT(JOB_QUEUED) | BIT(JOB_CANCELLED),
    [JOB_QUEUED] = BIT(JOB_RUNNING) | BIT(JOB_COMPLETED) | BIT(JOB_FAILED) | BIT(JOB_CANCELLED),
    [JOB_RUNNING] = BIT(JOB_QUEUED) | BIT(JOB_COMPLETED) | BIT(JOB_FAILED) | BIT(JOB_CANCELLED),
    [JOB_COMPLETED] = 0,
    [JOB_FAILED] = 0,
    [JOB_CANCELLED] = 0,
};

enum rc jobs_new(struct jobs **ret, const struct jobs_setup *s, struct err *e)
{
    struct jobs *js = mem_zalloc(sizeof *js);

    if (js)
        js->wake = event_new();
    if (!js || !js->wake) {
        mem_free(js);
        return err_set(e, RC_NOMEM, "out of memory setting up the jobs");
    }
    js->s = *s;
    if (!js->s.lease_ms)
        js->s.lease_ms = LEASE_MS;
    if (!js->s.retry_ms)
        js->s.retry_ms = RETRY_MS;
    if (!js->s.log_lines_max)
        js->s.log_lines_max = LOG_LINES_MAX;
    if (!js->s.series_max)
        js->s.series_max = SERIES_MAX;
    *ret = js;
    return RC_OK;
}

void jobs_free(struct jobs *js)
{
    if (!js)
        return;
    event_free(js->wake);
    mem_free(js);
}

void jobs_set_hub(struct jobs *js, struct hub *hub)
{
    js->s.hub = hub;
}

struct event *jobs_wake(struct jobs *js)
{
    return js->wake;
}

/* ---- the frame */

enum rc change_begin(struct change *c, struct jobs *js, struct arena *a, str id, int64_t now,
                     struct err *e)
{
    enum rc rc;

    *c = (struct change){.js = js, .a = a, .now = now};
    rc = db_begin(js->s.db, DB_WRITE, &c->tx, e);
    if (rc)
        return rc;
    rc = job_load(c->tx, a, id, &c->j, e);
    if (rc) {
        tx_rollback(c->tx);
        return rc;
    }
    c->was = c->j.status;
    return RC_OK;
}

static void tell(struct change *c)
{
    if (c->poke && c->js->s.hub) {
        char topic[80];

        snprintf(topic, sizeof topic, "job/%.*s", STR_F(c->j.id));
        hub_poke(c->js->s.hub, str_of(topic));
    }
    if (c->wake)
        event_set(c->js->wake);
    if (c->j.status != c->was && job_status_ended(c->j.status) && c->js->s.ended)
        c->js->s.ended(&c->j, c->js->s.ud);
}

enum rc change_end(struct change *c, enum rc rc, struct err *e)
{
    if (!rc && c->dirty) {
        c->j.updated_at = c->now;
        rc = job_save(c->tx, &c->j, c->was, e);
    }
    if (rc) {
        tx_rollback(c->tx);
        return rc;
    }
    rc = tx_commit(c->tx, e);
    if (!rc)
        tell(c);
    return rc;
}

enum rc change_event(struct change *c, const char *kind, int64_t epoch, str data, struct err *e)
{
    c->dirty = c->poke = true;
    return event_insert(c->tx, c->j.id, ++c->j.event_seq, kind, epoch, data, c->now, e);
}

enum rc change_event_state(struct change *c, struct err *e)
{
    const struct job *j = &c->j;
    struct buf b;
    struct jw w;
    enum rc rc;

    buf_init(&b, EVENT_BYTES_MAX);
    jw_init(&w, &b);
    jw_obj(&w);
    jw_kcstr(&w, "status", job_status_names[j->status]);
    jw_kint(&w, "attempt", j->attempt);
    jw_knum(&w, "progress", j->progress);
    jw_kint(&w, "epoch", j->epoch);
    jw_kint(&w, "epochs", j->epochs);
    jw_kstr(&w, "message", j->message);
    jw_kstr(&w, "waiting_reason", j->waiting_reason);
    jw_kcstr(&w, "wish", job_wish_names[j->wish]);
    jw_kbool(&w, "paused", job_is_paused(j));
    if (j->error_code.n) {
        jw_kobj(&w, "error");
        jw_kstr(&w, "code", j->error_code);
        jw_kstr(&w, "text", j->error);
        jw_obj_end(&w);
    }
    if (j->weights_sha256.n)
        jw_kstr(&w, "weights_sha256", j->weights_sha256);
    jw_obj_end(&w);
    rc = buf_ok(&b, e);
    if (!rc)
        rc = change_event(c, "state", j->epoch, buf_view(&b), e);
    buf_done(&b);
    return rc;
}

/* ---- the state machine */

static void enter(struct change *c, enum job_status to, const struct cause *why, str text)
{
    struct job *j = &c->j;

    j->status = to;
    if (to == JOB_QUEUED) {
        j->queued_at = c->now;
        j->waiting_reason = text;
        j->message = STR_NONE;
    } else {
        j->waiting_reason = STR_NONE;
    }
    if (to == JOB_RUNNING) {
        if (!j->started_at)
            j->started_at = c->now;
        j->message = STR_NONE;
    }
    if (job_status_ended(to)) {
        j->ended_at = c->now;
        j->message = text;
        j->wish = WISH_NONE;
    }
    if (to == JOB_COMPLETED)
        j->progress = 1;
    if (to == JOB_FAILED) {
        j->error_code = str_of(why->code);
        j->error = text;
    }
}

enum rc job_move(struct change *c, enum job_status to, const struct cause *why, struct err *e)
{
    struct job *j = &c->j;
    struct attempt at;
    str text = arena_str(c->a, str_of(why->text));
    enum rc rc = RC_OK;

    if (!(arrows[j->status] & BIT(to)))
        return err_set(e, RC_CONFLICT, "a job that is %s cannot become %s",
                       job_status_names[j->status], job_status_names[to]);
    if (!text.p)
        return err_set(e, RC_NOMEM, "out of memory");
    if (j->attempt) {
        rc = attempt_load(c->tx, j->id, j->attempt, &at, e);
        if (!rc && at.status <= ATTEMPT_RUNNING)
            rc = attempt_set(c->tx, j->id, j->attempt, why->attempt, why->stop, why->text, c->now,
                             e);
    }
    if (rc)
        return rc;
    enter(c, to, why, text);
    c->dirty = c->wake = true;
    return change_event_state(c, e);
}

enum rc job_retry(struct change *c, const struct cause *why, struct err *e)
{
    struct job *j = &c->j;
    int64_t wait = c->js->s.retry_ms;
    bool done = false;
    enum rc rc = wish_instead_of_retry(c, why, &done, e);

    if (rc || done)
        return rc;
    j->failures += !why->blameless;
    if (j->failures >= j->attempts_max) {
        struct cause last = *why;

        last.text = j->attempts_max == 1
                        ? why->text
                        : arena_printf(c->a, "%s (attempt %lld of %lld)", why->text,
                                       (long long)j->failures, (long long)j->attempts_max);
        if (!last.text)
            return err_set(e, RC_NOMEM, "out of memory");
        return job_move(c, JOB_FAILED, &last, e);
    }
    for (int64_t i = 1; i < j->failures && wait < RETRY_MS_MAX; i++)
        wait *= 2;
    j->not_before = c->now + (wait < RETRY_MS_MAX ? wait : RETRY_MS_MAX);
    return job_move(c, JOB_QUEUED, why, e);
}

/* ---- people */

static enum rc new_name(struct arena *a, const struct job_new *n, str *ret, struct err *e)
{
    const char *s;

    if (n->name.n) {
        *ret = n->name;
        return RC_OK;
    }
    s = arena_printf(a, n->kind == WORK_TEST ? "test of %.*s on %.*s" : "%.*s on %.*s",
                     STR_F(n->model), STR_F(n->dataset_name));
    if (!s)
        return err_set(e, RC_NOMEM, "out of memory");
    *ret = str_of(s);
    return RC_OK;
}

enum rc job_create(struct jobs *js, struct arena *a, const struct job_new *n, int64_t now,
                   struct job *ret, struct err *e)
{
    struct change c = {.js = js, .a = a, .now = now};
    char id[OS_ID_TEXT];
    int64_t last;
    struct job *j = &c.j;
    enum rc rc;

    os_id(id);
    *j = (struct job){
        .kind = n->kind,
        .project_id = n->project_id,
        .created_by = n->created_by,
        .framework = n->framework,
        .model = n->model,
        .dataset_id = n->dataset_id,
        .dataset_name = n->dataset_name,
        .dataset_version = n->dataset_version,
        .split = n->split,
        .config = n->config,
        .goal = n->goal,
        .epochs = n->epochs,
        .base_job_id = n->base_job_id,
        .base_checkpoint = n->base_checkpoint,
        .status = JOB_PENDING,
        .attempts_max = n->attempts_max > 0 ? n->attempts_max : 1,
        .priority = n->priority,
        .tags = n->tags.n ? n->tags : STR("[]"),
        .notes = n->notes,
        .best_value = NAN,
        .created_at = now,
        .updated_at = now,
    };
    j->id = arena_str(a, str_of(id));
    rc = j->id.p ? new_name(a, n, &j->name, e) : err_set(e, RC_NOMEM, "out of memory");
    if (!rc)
        rc = db_begin(js->s.db, DB_WRITE, &c.tx, e);
    if (rc)
        return rc;
    c.was = JOB_PENDING;
    rc = job_last_position(c.tx, &last, e);
    if (!rc) {
        j->position = last + POSITION_GAP;
        rc = job_insert(c.tx, j, e);
    }
    if (!rc)
        rc = change_event_state(&c, e);
    if (!rc && n->start)
        rc = job_move(&c, JOB_QUEUED, &(struct cause){.code = "", .text = ""}, e);
    rc = change_end(&c, rc, e);
    return rc ? rc : job_get(js, a, j->id, ret, e); /* with the creator's name */
}

enum rc job_get(struct jobs *js, struct arena *a, str id, struct job *ret, struct err *e)
{
    struct tx *tx;
    enum rc rc = db_begin(js->s.db, DB_READ, &tx, e);

    if (rc)
        return rc;
    rc = job_load(tx, a, id, ret, e);
    tx_rollback(tx);
    return rc;
}

enum rc job_start(struct jobs *js, struct arena *a, str id, int64_t now, struct job *ret,
                  struct err *e)
{
    struct change c;
    enum rc rc = change_begin(&c, js, a, id, now, e);

    if (rc)
        return rc;
    if (c.j.status == JOB_PENDING)
        rc = job_move(&c, JOB_QUEUED, &(struct cause){.code = "", .text = ""}, e);
    else if (job_status_ended(c.j.status))
        rc = err_set(e, RC_CONFLICT,
                     "the job has already ended as %s; restart makes a new job of it",
                     job_status_names[c.j.status]);
    rc = change_end(&c, rc, e);
    if (!rc)
        *ret = c.j;
    return rc;
}

enum rc job_cancel(struct jobs *js, struct arena *a, str id, int64_t now, struct job *ret,
                   struct err *e)
{
    struct change c;
    enum rc rc = change_begin(&c, js, a, id, now, e);

    if (rc)
        return rc;
    if (c.j.status == JOB_COMPLETED || c.j.status == JOB_FAILED)
        rc = err_set(e, RC_CONFLICT, "the job has already %s; there is nothing to cancel",
                     job_status_names[c.j.status]);
    else if (c.j.status != JOB_CANCELLED)
        rc = job_move(&c, JOB_CANCELLED,
                      &(struct cause){ATTEMPT_CANCELLED, .stop = true, .code = "",
                                      .text = "cancelled on request"},
                      e);
    rc = change_end(&c, rc, e);
    if (!rc)
        *ret = c.j;
    return rc;
}

/* Between the job `before` and the one in front of it; spreads the queue when there is no room. */
static enum rc place_before(struct change *c, str before, struct err *e)
{
    struct job other;
    int64_t prev = 0;
    enum rc rc;

    for (int round = 0; round < 2; round++) {
        rc = job_load(c->tx, c->a, before, &other, e);
        if (!rc && other.status != JOB_QUEUED && other.status != JOB_PENDING)
            rc = err_field(e, RC_CONFLICT, "before",
                           "the job to stand before is %s, not in the queue",
                           job_status_names[other.status]);
        if (!rc)
            rc = job_position_before(c->tx, other.priority, other.position,
                                     other.position - 2 * (int64_t)POSITION_GAP, &prev, e);
        if (rc)
            return rc;
        if (other.position - prev >= 2)
            break;
        rc = job_spread_positions(c->tx, POSITION_GAP, e);
        if (rc)
            return rc;
    }
    c->j.priority = other.priority;
    c->j.position = prev + (other.position - prev) / 2;
    return RC_OK;
}

static enum rc place(struct change *c, str before, struct err *e)
{
    int64_t last;
    enum rc rc;

    if (c->j.status != JOB_QUEUED && c->j.status != JOB_PENDING)
        return err_field(e, RC_CONFLICT, "before",
                         "the job is %s; only a waiting job has a place in the queue",
                         job_status_names[c->j.status]);
    if (str_eq(before, c->j.id))
        return RC_OK;
    if (before.n)
        return place_before(c, before, e);
    rc = job_last_position(c->tx, &last, e);
    if (!rc)
        c->j.position = last + POSITION_GAP;
    return rc;
}

enum rc job_change(struct jobs *js, struct arena *a, str id, const struct job_edit *ed, int64_t now,
                   struct job *ret, struct err *e)
{
    struct change c;
    enum rc rc = change_begin(&c, js, a, id, now, e);

    if (rc)
        return rc;
    if (ed->name)
        c.j.name = *ed->name;
    if (ed->notes)
        c.j.notes = *ed->notes;
    if (ed->tags)
        c.j.tags = *ed->tags;
    if (ed->starred)
        c.j.starred = *ed->starred;
    if (ed->priority)
        c.j.priority = *ed->priority;
    if (ed->before)
        rc = place(&c, *ed->before, e);
    c.dirty = true;
    c.wake = ed->before || ed->priority;
    if (!rc && !job_status_ended(c.j.status)) /* others look at it, too */
        rc = change_event_state(&c, e);
    rc = change_end(&c, rc, e);
    if (!rc)
        *ret = c.j;
    return rc;
}
