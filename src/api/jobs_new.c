/* jobs_new.c - new jobs: from settings (jobs_plan.h), and from an older job (restart, resume,
 * test).
 */
#include "api/jobs_plan.h"
#include "os/os.h"

static enum rc make(struct ctx *c, const struct job_new *n, str warnings, struct err *e)
{
    struct job j;
    struct job_view v;
    enum rc rc = job_create(c->app->jobs, c->a, n, os_now_ms(), &j, e);

    if (!rc)
        rc = job_view_of(c, &j, &v, e);
    if (rc)
        return rc;
    v.warnings = warnings;
    http_add_header(c->req, "Location", arena_printf(c->a, "/training/jobs/%.*s", STR_F(j.id)));
    return reply_fields(c, 201, job_view_fields, &v, e);
}

static enum rc post_job(struct ctx *c, struct err *e)
{
    struct job_plan p;
    enum rc rc = job_plan(c, c->body, &p, e);

    return rc ? rc : make(c, &p.job, p.warnings, e);
}

/* ---- from an older job */

static struct job_new again(struct ctx *c, const struct job *old, bool start)
{
    return (struct job_new){.kind = old->kind,
                            .name = old->name,
                            .project_id = old->project_id,
                            .created_by = c->who.user_id,
                            .framework = old->framework,
                            .model = old->model,
                            .dataset_id = old->dataset_id,
                            .dataset_name = old->dataset_name,
                            .dataset_version = old->dataset_version,
                            .split = old->split,
                            .config = old->config,
                            .goal = old->goal,
                            .epochs = old->epochs,
                            .base_job_id = old->id,
                            .base_checkpoint = STR(""),
                            .attempts_max = old->attempts_max,
                            .priority = old->priority,
                            .tags = old->tags,
                            .notes = old->notes,
                            .start = start};
}

struct again_body {
    str name, checkpoint;
    int64_t epochs;
    bool start;
};
#define S struct again_body
static const struct field restart_fields[] = {
    F_STR(S, name, .max = 200, .help = "Name; empty: that of the old job."),
    F_STR(S, checkpoint, .max = 20,
          .help = "Begin at this checkpoint: best, last or an epoch; empty: from scratch."),
    F_BOOL(S, start, .dflt = "true", .help = "Queue it at once."), FIELD_END};
static const struct field resume_fields[] = {
    F_STR(S, name, .max = 200, .help = "Name; empty: that of the old job."),
    F_INT(S, epochs, .min = 0, .max = 1000,
          .help = "Epochs in all, counted from the first; 0: as before."),
    F_BOOL(S, start, .dflt = "true", .help = "Queue it at once."), FIELD_END};
#undef S

static enum rc post_restart(struct ctx *c, struct err *e)
{
    const struct again_body *b = c->body;
    struct job old;
    struct job_new n;
    struct checkpoint k = {0};
    enum rc rc = job_of(c, ROLE_ENGINEER, &old, e);

    if (rc)
        return rc;
    n = again(c, &old, b->start);
    if (b->name.n)
        n.name = b->name;
    if (old.kind == WORK_TEST)
        n.base_checkpoint = old.base_checkpoint;
    else if (b->checkpoint.n)
        rc = plan_checkpoint(c, &old, b->checkpoint, &k, &n.base_checkpoint, e);
    else if (old.base_checkpoint.n &&
             !(rc = field_read_text(checkpoint_fields, old.base_checkpoint, &k, c->a, e)) &&
             k.epoch == 0)
        n.base_checkpoint = old.base_checkpoint; /* config.weights: from scratch is from these */
    return rc ? rc : make(c, &n, STR_NONE, e);
}

struct replay_body {
    str name;
    bool start;
};
static const struct field replay_fields[] = {
    F_STR(struct replay_body, name, .max = 200, .help = "Name; empty: that of the old job."),
    F_BOOL(struct replay_body, start, .dflt = "true", .help = "Queue it at once."), FIELD_END};

/* Whatever decides the weights is that of the old job: version of the data, settings with the seed,
 * and the checkpoint that it began with, if any. */
static enum rc post_replay(struct ctx *c, struct err *e)
{
    const struct replay_body *b = c->body;
    struct job old;
    struct job_new n;
    enum rc rc = job_of(c, ROLE_ENGINEER, &old, e);

    if (rc)
        return rc;
    if (old.kind != WORK_TRAIN || old.status != JOB_COMPLETED)
        return err_set(e, RC_CONFLICT,
                       "only a training that has completed can be replayed; this %s is %s",
                       old.kind == WORK_TRAIN ? "job" : "test", job_status_names[old.status]);
    n = again(c, &old, b->start);
    n.base_checkpoint = old.base_checkpoint;
    if (b->name.n)
        n.name = b->name;
    return make(c, &n, STR_NONE, e);
}

/* The old settings with another number of epochs. */
static enum rc lengthen(struct ctx *c, struct job_new *n, int64_t epochs, struct err *e)
{
    struct train_spec spec = {0};
    str warnings;
    enum rc rc = train_spec_read_text(n->config, &spec, c->a, e);

    if (rc)
        return rc;
    spec.epochs = epochs;
    n->epochs = epochs;
    return plan_settle(c, &spec, &n->config, &warnings, e);
}

/* The same job goes on, so nothing of it can be changed. */
static enum rc unpause(struct ctx *c, const struct job *old, const struct again_body *b,
                       struct err *e)
{
    struct job j;
    enum rc rc;

    if (b->epochs)
        return err_field(e, RC_INVALID, "epochs",
                         "a paused job goes on with the epochs that it has; cancel it and resume "
                         "it as a new one for more");
    rc = job_unpause(c->app->jobs, c->a, old->id, os_now_ms(), &j, e);
    return rc ? rc : reply_job(c, 202, &j, e);
}

static enum rc post_resume(struct ctx *c, struct err *e)
{
    const struct again_body *b = c->body;
    struct job old;
    struct job_new n;
    struct checkpoint k;
    enum rc rc = job_of(c, ROLE_ENGINEER, &old, e);

    if (rc)
        return rc;
    if (old.wish != WISH_NONE)
        return unpause(c, &old, b, e);
    if (!job_status_ended(old.status))
        return err_set(e, RC_CONFLICT,
                       "the job is %s; only one that is paused or has ended can be resumed",
                       job_status_names[old.status]);
    if (old.kind != WORK_TRAIN)
        return err_set(e, RC_CONFLICT, "a test has nothing to resume; restart it");
    n = again(c, &old, b->start);
    if (b->name.n)
        n.name = b->name;
    rc = plan_checkpoint(c, &old, STR("last"), &k, &n.base_checkpoint, e);
    if (rc == RC_NOT_FOUND)
        return err_set(e, RC_CONFLICT, "the job left no checkpoint; restart it instead");
    if (!rc && b->epochs)
        rc = lengthen(c, &n, b->epochs, e);
    if (!rc && k.epoch >= n.epochs)
        rc = err_field(e, RC_CONFLICT, "epochs",
                       "the last checkpoint has all %lld epochs; ask for more with `epochs`",
                       (long long)k.epoch);
    return rc ? rc : make(c, &n, STR_NONE, e);
}

struct test_body {
    str split, checkpoint, dataset, version, name;
};
#define S struct test_body
static const struct field test_fields[] = {
    F_STR(S, split, .dflt = "\"test\"", .min = 1, .max = 8, .help = "train, val or test."),
    F_STR(S, checkpoint, .dflt = "\"best\"", .max = 20, .help = "best, last or an epoch."),
    F_STR(S, dataset, .max = 200, .help = "Another dataset; empty: the one it was trained on."),
    F_STR(S, version, .max = 64, .help = "Version of that dataset; empty: the newest."),
    F_STR(S, name, .max = 200, .help = "Name; empty: made of model and dataset."),
    FIELD_END};
#undef S

static enum rc check_split(const struct dataset_version *v, str split, struct err *e)
{
    int64_t n = str_is(split, "train")  ? v->train
                : str_is(split, "val")  ? v->val
                : str_is(split, "test") ? v->test
                                        : -1;

    if (n < 0)
        return err_field(e, RC_INVALID, "split", "'split' must be train, val or test");
    if (!n)
        return err_field(e, RC_INVALID, "split", "the dataset version has no images in '%.*s'",
                         STR_F(split));
    return RC_OK;
}

enum rc test_fill(struct ctx *c, const struct test_choice *t, struct job_new *n, struct err *e)
{
    struct dataset d;
    struct dataset_version v;
    bool other = t->dataset.n > 0;
    enum rc rc = plan_data(c, other ? t->dataset : n->dataset_id,
                           other || t->version.n ? t->version : n->dataset_version, &d, &v, e);

    if (!rc)
        rc = check_split(&v, t->split, e);
    if (rc)
        return rc;
    n->kind = WORK_TEST;
    n->epochs = 0;
    n->split = t->split;
    n->tags = n->notes = STR("");
    n->project_id = d.project_id;
    n->dataset_id = d.id;
    n->dataset_name = d.name;
    n->dataset_version = v.version;
    return RC_OK;
}

static enum rc post_test(struct ctx *c, struct err *e)
{
    const struct test_body *b = c->body;
    const struct test_choice choice = {b->split, b->dataset, b->version};
    struct job old;
    struct job_new n;
    struct checkpoint k;
    enum rc rc = job_of(c, ROLE_ENGINEER, &old, e);

    if (rc)
        return rc;
    n = again(c, &old, true);
    n.name = b->name;
    rc = test_fill(c, &choice, &n, e);
    if (!rc)
        rc = plan_checkpoint(c, &old, b->checkpoint, &k, &n.base_checkpoint, e);
    return rc ? rc : make(c, &n, STR_NONE, e);
}

#define JOBS_TAG   .tag = "Jobs"
#define BODY(f, s) .body = f, .body_size = sizeof(struct s)
extern const struct route job_new_routes[];
const struct route job_new_routes[] = {
    {HTTP_POST, "/training/jobs", ACCESS_ENGINEER, "jobs:write", BODY(job_body_fields, job_body),
     .reply = job_view_fields, JOBS_TAG, .summary = "Make a training job, and queue it.",
     .help =
         "Settings stand in `config`; unknown ones are refused by name.  The job belongs to its "
         "dataset's project.",
     .fn = post_job},
    {HTTP_POST, "/training/jobs/{id}/restart", ACCESS_ENGINEER, "jobs:write",
     BODY(restart_fields, again_body), .reply = job_view_fields, JOBS_TAG,
     .summary = "The same again as a new job; the old one stays as it is.", .fn = post_restart},
    {HTTP_POST, "/training/jobs/{id}/replay", ACCESS_ENGINEER, "jobs:write",
     BODY(replay_fields, replay_body), .reply = job_view_fields, JOBS_TAG,
     .summary = "Run a completed training again, to see that it gives the same weights.",
     .help = "A new job with the same data version, settings and seed.  On an engine equal to the "
             "one that the old job's `engine` tells, weights_sha256 will be the same.",
     .fn = post_replay},
    {HTTP_POST, "/training/jobs/{id}/resume", ACCESS_ENGINEER, "jobs:write",
     BODY(resume_fields, again_body), .reply = job_view_fields, JOBS_TAG,
     .summary = "Go on with a paused job, or from the last checkpoint of one that has ended.",
     .help =
         "202: the job itself, which was paused (or was to be: the wish is taken back).  201: a "
         "new job that goes on where the old one ended.  With the same settings and seed the "
         "weights are those of a run that never stopped.",
     .fn = post_resume},
    {HTTP_POST, "/training/jobs/{id}/test", ACCESS_ENGINEER, "jobs:write",
     BODY(test_fields, test_body), .reply = job_view_fields, JOBS_TAG,
     .summary = "Score a checkpoint on a split, as a job of kind test.", .fn = post_test},
    ROUTE_END};
