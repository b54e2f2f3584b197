/* job_report.c - applies what trainers report, exactly once (spec/contract.h, job.h 2-4, 6, 7).
 *
 * One transaction takes the report's number, its log lines, metrics and checkpoint, the job's new
 * state and the events that tell of them; so a crash anywhere leaves either all of the report or
 * nothing, and the trainer, having had no answer, sends it again.
 */
#include "base/mem.h"
#include "flow/job/job_int.h"
#include <math.h>
#include <string.h>

enum {
    METRICS_MAX = 64, /* of one report */
    METRIC_NAME_MAX = 64,
    EVENT_BYTES = 256 << 10,
};

/* ---- checks: a trainer is outside */

static bool key_is_ours(const struct job *j, str key)
{
    str prefix = STR("jobs/");

    if (!str_starts(key, prefix))
        return false;
    key = str_sub(key, prefix.n, key.n);
    return str_starts(key, j->id) && key.n > j->id.n + 1 && key.p[j->id.n] == '/' &&
           str_find(key, STR("..")) < 0;
}

static enum rc check_key(const struct job *j, const char *field, str key, bool needed,
                         struct err *e)
{
    if ((!key.n && !needed) || key_is_ours(j, key))
        return RC_OK;
    return err_field(e, RC_INVALID, field, "the key '%.*s' is not one of jobs/%.*s/",
                     (int)(key.n > 100 ? 100 : key.n), key.p, STR_F(j->id));
}

static bool metric_name_ok(str s)
{
    if (!s.n || s.n > METRIC_NAME_MAX)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '_' || c == '-' || c == '.' || c == '/'))
            return false;
    }
    return true;
}

static enum rc read_metrics(struct change *c, str text, const struct json **ret, struct err *e)
{
    const struct json *m = NULL;
    size_t n = 0;
    enum rc rc;

    if (!text.n) {
        *ret = NULL;
        return RC_OK;
    }
    rc = json_parse(c->a, text, &(struct json_limits){.depth_max = 2, .nodes_max = METRICS_MAX + 1},
                    &m, e);
    if (rc)
        return err_wrap(e, rc, "metrics");
    if (m->type == JSON_NULL) {
        *ret = NULL;
        return RC_OK;
    }
    if (m->type != JSON_OBJ)
        return err_field(e, RC_INVALID, "metrics",
                         "'metrics' must be an object of numbers by name");
    JSON_EACH(v, m) {
        if (!metric_name_ok(v->key))
            return err_field(e, RC_INVALID, "metrics",
                             "a metric's name has 1 to %d of the characters A-Z a-z 0-9 _ - . /",
                             METRIC_NAME_MAX);
        if (v->type != JSON_INT && v->type != JSON_NUM && v->type != JSON_NULL)
            return err_field(e, RC_INVALID, "metrics", "'%.*s' must be a number or null",
                             STR_F(v->key));
        if (++n > METRICS_MAX)
            return err_field(e, RC_INVALID, "metrics", "more than %d metrics", METRICS_MAX);
    }
    *ret = m;
    return RC_OK;
}

static double number(const struct json *v)
{
    return !v || v->type == JSON_NULL ? NAN : v->type == JSON_INT ? (double)v->i : v->f;
}

/* ---- what a report brings */

static enum rc add_logs(struct change *c, int64_t attempt, const struct objs *logs, struct err *e)
{
    const struct log_line *l = logs->p;
    enum rc rc = RC_OK;

    for (size_t i = 0; !rc && i < logs->n; i++)
        rc = log_insert(c->tx, c->j.id, ++c->j.event_seq, &l[i], attempt, e);
    if (!rc && logs->n) {
        c->dirty = c->poke = true;
        rc = log_cap(c->tx, c->j.id, c->js->s.log_lines_max, e);
    }
    return rc;
}

static enum rc add_metrics(struct change *c, const struct report *r, const struct json *m,
                           struct err *e)
{
    enum rc rc = RC_OK;

    JSON_EACH(v, m) {
        if (!rc)
            rc = metric_put(c->tx, c->j.id, v->key, r->epoch, r->step, number(v), c->now, e);
    }
    return rc;
}

/* Our own judgement, by the goal's direction, of the number that was reported for this epoch. */
static void judge_best(struct job *j, const struct report *r, const struct json *m, struct arena *a)
{
    const char *goal = train_goal_names[j->goal];
    char key[32];
    double value;

    snprintf(key, sizeof key, "val/%s", goal);
    value = number(json_get(m, key));
    if (isnan(value) && r->best.epoch == r->epoch && r->best.epoch)
        value = r->best.value; /* the trainer scores in a way of its own */
    if (!isfinite(value))
        return;
    if (j->best_epoch && j->best_epoch != r->epoch &&
        !train_goal_better(j->goal, value, j->best_value))
        return;
    if (j->best_epoch == r->epoch && j->best_value == value)
        return;
    j->best_epoch = r->epoch;
    j->best_value = value;
    j->best_metric = r->best.metric.n ? arena_str(a, r->best.metric) : str_of(goal);
}

static void write_best(const struct job *j, struct jw *w)
{
    if (!j->best_epoch)
        return;
    jw_kobj(w, "best");
    jw_kint(w, "epoch", j->best_epoch);
    jw_kstr(w, "metric", j->best_metric);
    jw_knum(w, "value", j->best_value);
    jw_obj_end(w);
}

static enum rc add_event(struct change *c, const struct report *r, const char *kind, struct err *e)
{
    struct buf b;
    struct jw w;
    enum rc rc;

    buf_init(&b, EVENT_BYTES);
    jw_init(&w, &b);
    jw_obj(&w);
    jw_kint(&w, "attempt", c->j.attempt);
    jw_kint(&w, "epoch", r->epoch);
    jw_kint(&w, "epochs", c->j.epochs);
    if (r->kind == REPORT_CHECKPOINT) {
        jw_kbool(&w, "is_best", r->checkpoint.is_best);
        jw_kstr(&w, "metric", r->checkpoint.metric);
        jw_knum(&w, "value", r->checkpoint.value);
        jw_kstr(&w, "weights_sha256", r->checkpoint.weights_sha256);
    } else {
        jw_kint(&w, "step", r->step);
        jw_kint(&w, "steps", r->steps);
        jw_knum(&w, "progress", c->j.progress);
        if (r->metrics.n)
            jw_kraw(&w, "metrics", r->metrics);
        if (r->kind == REPORT_EPOCH)
            write_best(&c->j, &w);
    }
    if (r->message.n)
        jw_kstr(&w, "message", r->message);
    jw_kint(&w, "time", r->time);
    jw_obj_end(&w);
    rc = buf_ok(&b, e);
    if (!rc)
        rc = change_event(c, kind, r->kind == REPORT_CHECKPOINT ? r->checkpoint.epoch : r->epoch,
                          buf_view(&b), e);
    buf_done(&b);
    return rc;
}

/* A row of the run's course.  Steps of an epoch are those that this report tells of. */
static enum rc add_to_series(struct change *c, const struct report *r, struct err *e)
{
    int64_t epoch = r->epoch > 0 ? r->epoch : 1;
    double part = r->steps > 0 ? (double)r->step / (double)r->steps : 1;
    struct series_row s = {.n = c->j.samples + 1,
                           .epoch = epoch,
                           .step = (epoch - 1) * r->steps + r->step,
                           .at = r->time > 0 ? r->time : c->now,
                           .epochs = (double)(epoch - 1) + (part < 1 ? part : 1),
                           .metrics = r->metrics};

    if (!r->metrics.n || str_is(str_trim(r->metrics), "null"))
        return RC_OK;
    c->j.samples++;
    return series_put(c->tx, c->j.id, &s, c->js->s.series_max, e);
}

static enum rc add_samples(struct change *c, const struct artifact *f, struct err *e)
{
    enum rc rc = check_key(&c->j, "samples.key", f->key, false, e);

    if (!rc && f->key.n)
        rc = artifact_put(c->tx, c->j.id, "samples", f, c->now, e);
    return rc;
}

static enum rc add_checkpoint(struct change *c, const struct report *r, struct err *e)
{
    const struct checkpoint *k = &r->checkpoint;
    int64_t last = 0;
    enum rc rc = check_key(&c->j, "checkpoint.weights_key", k->weights_key, true, e);

    if (!rc)
        rc = check_key(&c->j, "checkpoint.state_key", k->state_key, false, e);
    if (!rc)
        rc = check_key(&c->j, "checkpoint.manifest_key", k->manifest_key, false, e);
    if (!rc)
        rc = checkpoint_last_epoch(c->tx, c->j.id, &last, e);
    if (!rc && k->epoch > last)
        c->j.failures = 0;
    if (!rc)
        rc = checkpoint_put(c->tx, c->j.id, c->j.attempt, k, c->now, e);
    if (!rc)
        rc = add_event(c, r, "checkpoint", e);
    return rc ? rc : wish_at_checkpoint(c, k->epoch, e);
}

static enum rc add_results(struct change *c, const struct report *r, const struct json *m,
                           struct err *e)
{
    enum rc rc = check_key(&c->j, "validation.key", r->validation.key, false, e);

    if (!rc && r->validation.key.n)
        rc = validation_put(c->tx, c->j.id, &r->validation, c->now, e);
    if (!rc)
        rc = add_metrics(c, r, m, e);
    return rc;
}

static void stand(struct job *j, const struct report *r)
{
    if (r->epochs > 0)
        j->epochs = r->epochs;
    if (r->kind == REPORT_STARTED)
        return;
    j->epoch = r->epoch;
    j->step = r->step;
    j->steps = r->steps;
    if (r->progress >= 0 && r->progress <= 1)
        j->progress = r->progress;
}

static enum rc note_engine(struct change *c, const struct report *r, struct err *e)
{
    struct buf b;
    struct jw w;

    if (!r->engine.version.n)
        return RC_OK;
    buf_init(&b, EVENT_BYTES);
    jw_init(&w, &b);
    field_write(engine_fields, &r->engine, &w);
    enum rc rc = buf_ok(&b, e);
    if (!rc) {
        c->j.engine = arena_str(c->a, buf_view(&b));
        rc = c->j.engine.p ? RC_OK : err_set(e, RC_NOMEM, "out of memory");
    }
    buf_done(&b);
    return rc;
}

static enum rc add_failure(struct change *c, const struct report *r, struct err *e)
{
    bool asked = r->kind == REPORT_FAILED;
    const char *code = arena_cstr(c->a, r->error_code);
    const char *text = arena_cstr(c->a, r->error);
    struct cause why = {.attempt = ATTEMPT_FAILED};

    if (!code || !text)
        return err_set(e, RC_NOMEM, "out of memory");
    why.code = *code ? code : asked ? "training_failed" : "trainer_stopped";
    why.text = *text   ? text
               : asked ? "the trainer reported a failure without a reason; see the logs"
                       : "the trainer stopped the attempt without being asked to";
    /* A trainer that stops a job nobody cancelled is shutting down: another attempt helps, and
     * restarts of serve, however many, do not use up a job's attempts. */
    why.blameless = !strcmp(why.code, "trainer_stopped");
    if (r->retryable || !asked)
        return job_retry(c, &why, e);
    return job_move(c, JOB_FAILED, &why, e);
}

static enum rc apply(struct change *c, const struct report *r, struct err *e)
{
    const struct json *m = NULL;
    enum rc rc = read_metrics(c, r->metrics, &m, e);
    struct job *j = &c->j;

    if (!rc && j->status == JOB_QUEUED) /* it overtook the answer to the start order */
        rc = job_move(c, JOB_RUNNING, &(struct cause){ATTEMPT_RUNNING, .code = "", .text = ""}, e);
    if (!rc)
        rc = add_logs(c, j->attempt, &r->logs, e);
    if (rc)
        return rc;
    c->dirty = true;
    if (r->kind != REPORT_LOG && r->kind != REPORT_CHECKPOINT && r->kind < REPORT_COMPLETED)
        stand(j, r);
    if (r->message.n && r->kind < REPORT_COMPLETED)
        j->message = r->message;
    switch ((enum report_kind)r->kind) {
    case REPORT_STARTED:
        rc = note_engine(c, r, e);
        if (!rc)
            rc = add_samples(c, &r->samples, e);
        if (!rc)
            rc = series_drop_after(c->tx, j->id, r->epoch, e);
        return rc ? rc : add_event(c, r, "started", e);
    case REPORT_PROGRESS:
        rc = event_drop_progress(c->tx, j->id, r->epoch, e);
        if (!rc)
            rc = add_to_series(c, r, e);
        return rc ? rc : add_event(c, r, "progress", e);
    case REPORT_EPOCH:
        judge_best(j, r, m, c->a);
        rc = event_drop_progress(c->tx, j->id, r->epoch, e);
        if (!rc)
            rc = add_results(c, r, m, e);
        if (!rc)
            rc = add_to_series(c, r, e);
        return rc ? rc : add_event(c, r, "epoch", e);
    case REPORT_CHECKPOINT:
        return add_checkpoint(c, r, e);
    case REPORT_LOG:
        return RC_OK;
    case REPORT_COMPLETED:
        if (r->epoch)
            j->epoch = r->epoch;
        if (m || r->validation.key.n)
            rc = add_results(c, r, m, e);
        if (!rc && !j->best_epoch && r->best.epoch && isfinite(r->best.value)) {
            j->best_epoch = r->best.epoch;
            j->best_value = r->best.value;
            j->best_metric = r->best.metric;
        }
        j->weights_sha256 = r->weights_sha256;
        return rc ? rc
                  : job_move(c, JOB_COMPLETED,
                             &(struct cause){ATTEMPT_COMPLETED, .code = "",
                                             .text = arena_cstr(c->a, r->message)},
                             e);
    case REPORT_FAILED:
    case REPORT_CANCELLED:
        return add_failure(c, r, e);
    }
    return err_set(e, RC_INVALID, "unknown kind of report");
}

/* Refused reports are answered, not failed: *ret_reason "" means that it is to be applied. */
static enum rc judge(struct change *c, const struct attempt *at, const struct report *r,
                     const char **ret_reason, struct err *e)
{
    if (r->seq < 1)
        return err_field(e, RC_INVALID, "seq", "'seq' counts from 1");
    if (r->attempt != at->number)
        return err_field(e, RC_FORBIDDEN, "attempt",
                         "the token is that of attempt %lld, the report names attempt %lld",
                         (long long)at->number, (long long)r->attempt);
    if (c->j.attempt != at->number)
        *ret_reason = "stale_attempt";
    else if (r->seq <= at->last_seq)
        *ret_reason = "duplicate";
    else if (job_status_ended(c->j.status))
        *ret_reason = "terminal";
    else if (at->status > ATTEMPT_RUNNING)
        *ret_reason = "stale_attempt"; /* lost; the next has not begun */
    else if (r->seq != at->last_seq + 1)
        *ret_reason = "gap";
    else
        *ret_reason = "";
    return RC_OK;
}

enum rc job_apply_report(struct jobs *js, struct arena *a, str job_id, int64_t attempt,
                         const struct report *r, int64_t now, struct report_reply *ret,
                         struct err *e)
{
    struct change c;
    struct attempt at;
    const char *reason = "";
    enum rc rc = change_begin(&c, js, a, job_id, now, e);

    if (rc)
        return rc;
    rc = attempt_load(c.tx, job_id, attempt, &at, e);
    if (!rc)
        rc = judge(&c, &at, r, &reason, e);
    if (!rc && !*reason) {
        rc = attempt_progress(c.tx, job_id, attempt, r->seq, now + js->s.lease_ms, e);
        if (!rc)
            rc = apply(&c, r, e);
        at.last_seq = r->seq;
    }
    rc = change_end(&c, rc, e);
    if (rc)
        return rc;
    *ret = (struct report_reply){
        .applied = !*reason,
        .reason = str_of(reason),
        .job_status = c.j.status,
        .cancel = c.j.attempt != attempt || c.j.status == JOB_CANCELLED || c.stop ||
                  (*reason && c.j.status != JOB_RUNNING && c.j.status != JOB_COMPLETED),
        .expected_seq = at.last_seq + 1,
    };
    return RC_OK;
}
