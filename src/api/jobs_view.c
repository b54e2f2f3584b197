/* jobs_view.c - a job as it travels: one table for every reply that holds one. */
#include "api/jobs.h"

#define V(T, key, member, ...)                                                                     \
    {                                                                                              \
        .name = key, .type = T, .offset = offsetof(struct job_view, member), __VA_ARGS__           \
    }
#define NULLABLE .flags = FIELD_NULLABLE
const struct field job_view_fields[] = {
    V(FIELD_STR, "job", j.id, .help = "Id."),
    V(FIELD_STR, "name", j.name, .help = "Name for people."),
    V(FIELD_ENUM, "status", j.status, .choices = job_status_names,
      .help = "pending, queued, running, then completed, failed or cancelled for good."),
    V(FIELD_ENUM, "kind", j.kind, .choices = work_kind_names, .help = "train, or test a split."),
    V(FIELD_STR, "framework", j.framework, .help = "Whose trainer runs it."),
    V(FIELD_STR, "model", j.model, .help = "Name of the network."),
    V(FIELD_STR, "project", j.project_id, NULLABLE, .help = "Project; null is the default one."),
    V(FIELD_STR, "dataset", j.dataset_id, .help = "Id of the dataset."),
    V(FIELD_STR, "dataset_name", j.dataset_name, .help = "Its name when the job was made."),
    V(FIELD_STR, "dataset_version", j.dataset_version, .help = "SHA-256 of the version."),
    V(FIELD_STR, "split", j.split, NULLABLE, .help = "Split that is scored (kind test)."),
    V(FIELD_NUM, "progress", j.progress, .help = "Part that is done, 0 to 1."),
    V(FIELD_INT, "epoch", j.epoch, .help = "Epochs completed, or the one under way."),
    V(FIELD_INT, "epochs", j.epochs, .help = "Epochs in all."),
    V(FIELD_INT, "step", j.step, .help = "Steps done in the epoch."),
    V(FIELD_INT, "steps", j.steps, .help = "Steps of an epoch."),
    V(FIELD_STR, "message", j.message, NULLABLE, .help = "What is going on."),
    V(FIELD_STR, "waiting_reason", j.waiting_reason, NULLABLE, .help = "Why it waits."),
    V(FIELD_JSON, "error", error, .help = "{code, text} of a failed job, else null."),
    V(FIELD_INT, "attempt", j.attempt,
      .help = "Number of the current attempt; 0 before the first."),
    V(FIELD_INT, "failures", j.failures, .help = "Attempts that were lost or failed retryably."),
    V(FIELD_INT, "attempts", j.attempts_max, .help = "So many of them end the job."),
    V(FIELD_JSON, "best", best, .help = "{epoch, metric, value} of the best epoch, else null."),
    V(FIELD_STR, "weights_sha256", j.weights_sha256, NULLABLE,
      .help = "SHA-256 of the best weights of a completed job."),
    V(FIELD_JSON, "engine", j.engine,
      .help = "{version, backend, isa, onednn, precision}: what computes it, from its start on; "
              "else null."),
    V(FIELD_ENUM, "wish", j.wish, .choices = job_wish_names,
      .help =
          "Asked of it for the end of the epoch: pause, finish (stop early and keep), or none."),
    V(FIELD_BOOL, "paused", paused, .help = "Queued, but passed over until it is resumed."),
    V(FIELD_INT, "priority", j.priority, .help = "0 to 100; higher goes first."),
    V(FIELD_INT, "queue_place", queue_place, .help = "Place in the queue from 1; 0 if not queued."),
    V(FIELD_STR, "base_job", j.base_job_id, NULLABLE,
      .help = "The job that this one restarts, continues or tests."),
    V(FIELD_STR, "created_by", j.created_by, NULLABLE, .help = "Id of the account."),
    V(FIELD_STR, "created_by_name", j.created_by_name, NULLABLE, .help = "Its name."),
    V(FIELD_TIME, "created_at", j.created_at, .help = "When it was made."),
    V(FIELD_TIME, "queued_at", j.queued_at, .help = "When it was last queued."),
    V(FIELD_TIME, "started_at", j.started_at, .help = "Start of the first attempt."),
    V(FIELD_TIME, "ended_at", j.ended_at, .help = "When it ended."),
    V(FIELD_JSON, "tags", j.tags, .help = "List of text."),
    V(FIELD_STR, "notes", j.notes, .help = "Notes."),
    V(FIELD_BOOL, "starred", j.starred, .help = "Starred."),
    V(FIELD_ENUM, "goal", j.goal, .choices = train_goal_names, .help = "Score that decides best."),
    V(FIELD_JSON, "config", j.config, .help = "Every train setting."),
    V(FIELD_JSON, "warnings", warnings,
      .help = "[{field, message}] about the settings; null later."),
    FIELD_END};

static enum rc take_text(struct ctx *c, struct buf *b, str *ret, struct err *e)
{
    enum rc rc = buf_ok(b, e);
    str s = rc ? STR_NONE : arena_str(c->a, buf_view(b));

    buf_done(b);
    if (!rc && !s.p)
        rc = err_set(e, RC_NOMEM, "out of memory writing a job");
    if (!rc)
        *ret = s;
    return rc;
}

enum rc job_view_of(struct ctx *c, const struct job *j, struct job_view *ret, struct err *e)
{
    struct job_view v = {.j = *j, .paused = job_is_paused(j)};
    struct best best = {j->best_epoch, j->best_metric, j->best_value};
    struct buf b;
    struct jw w;
    enum rc rc = job_queue_place(c->app->jobs, j, &v.queue_place, e);

    if (!rc && j->best_epoch) {
        reply_begin(&b, &w);
        field_write(best_fields, &best, &w);
        rc = take_text(c, &b, &v.best, e);
    }
    if (!rc && j->error_code.n) {
        reply_begin(&b, &w);
        jw_obj(&w);
        jw_kstr(&w, "code", j->error_code);
        jw_kstr(&w, "text", j->error);
        jw_obj_end(&w);
        rc = take_text(c, &b, &v.error, e);
    }
    if (!rc)
        *ret = v;
    return rc;
}

enum rc reply_job(struct ctx *c, int status, const struct job *j, struct err *e)
{
    struct job_view v;
    enum rc rc = job_view_of(c, j, &v, e);

    return rc ? rc : reply_fields(c, status, job_view_fields, &v, e);
}

enum rc job_of(struct ctx *c, enum role needed, struct job *ret, struct err *e)
{
    struct job j;
    enum rc rc = job_get(c->app->jobs, c->a, c->param[0], &j, e);

    if (!rc)
        rc = project_may(c, j.project_id, needed, e);
    if (rc == RC_NOT_FOUND)
        return err_set(e, rc, "there is no job '%.*s'",
                       (int)(c->param[0].n > 40 ? 40 : c->param[0].n), c->param[0].p);
    if (!rc)
        *ret = j;
    return rc;
}

enum rc checkpoint_text(struct ctx *c, const struct checkpoint *k, str *ret, struct err *e)
{
    struct buf b;
    struct jw w;

    reply_begin(&b, &w);
    field_write(checkpoint_fields, k, &w);
    return take_text(c, &b, ret, e);
}
