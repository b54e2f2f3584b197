/* jobs_new.c - new jobs: from settings, and from an older job (restart, resume, test).
 *
 * A job's config is stored with every field of the train spec written out, so that what ran can be
 * read years later, whatever the defaults are then.
 */
#include "api/jobs.h"
#include "api/trainer_ask.h"
#include "flow/dataset/dataset.h"
#include "flow/job/launcher.h"
#include "flow/job/scheduler.h"
#include "flow/people/people.h"
#include "os/os.h"
#include "spec/config.h"

enum { RETRIES_OF_CONFIG = -1 };

struct from_body {
    str job, checkpoint;
};
static const struct field from_fields[] = {
    F_STR(struct from_body, job, .max = 64, .help = "Id of the job."),
    F_STR(struct from_body, checkpoint, .dflt = "\"last\"", .max = 20,
          .help = "best, last or the number of an epoch."),
    FIELD_END};

struct job_body {
    str name, project, dataset, version, framework, config, notes;
    struct strs tags;
    int64_t priority, retries;
    bool start;
    struct from_body from_checkpoint;
    /* The short form, beside config. */
    str model_name;
    int64_t epochs, batch_size;
    double learning_rate;
};
#define S struct job_body
static const struct field job_body_fields[] = {
    F_STR(S, name, .max = 200, .help = "Name for people; empty: made of model and dataset."),
    F_STR(S, project, .max = 200,
          .help = "Id or name of the dataset's project, to be sure; `default` is one too."),
    F_STR(S, dataset, .flags = FIELD_REQUIRED, .min = 1, .max = 200,
          .help = "Id or name of the dataset."),
    F_STR(S, version, .max = 64, .help = "Hash or number of its version; empty: the newest."),
    F_STR(S, framework, .dflt = "\"anneal\"", .min = 1, .max = 32,
          .help = "Whose trainer runs it."),
    F_JSON(S, config,
           .help = "Train settings; GET /models lists them.  What is absent is default."),
    F_INT(S, priority, .dflt = "50", .min = 0, .max = JOB_PRIORITY_MAX,
          .help = "0 to 100, higher goes first."),
    F_INT(S, retries, .dflt = "-1", .min = -1, .max = 100,
          .help = "Further attempts after a lost one; -1: as configured."),
    F_BOOL(S, start, .dflt = "true", .help = "Queue it at once; else it stays pending."),
    F_OBJ(S, from_checkpoint, from_fields, .help = "Go on from a checkpoint of another job."),
    F_STRS(S, tags, .max = 32, .help = "Short texts."),
    F_STR(S, notes, .max = 16 << 10, .help = "Notes."),
    F_STR(S, model_name, .max = 64, .help = "Short for config.model."),
    F_INT(S, epochs, .min = 0, .max = 1000, .help = "Short for config.epochs; 0: not given."),
    F_INT(S, batch_size, .min = 0, .max = 1024, .help = "Short for config.batch_size."),
    F_NUM(S, learning_rate, .min = 0, .max = 10, .help = "Short for config.learning_rate."),
    FIELD_END};
#undef S

/* ---- settings */

static enum rc twice(const struct json *config, const char *inside, const char *outside,
                     struct err *e)
{
    if (!config || !json_get(config, inside))
        return RC_OK;
    return err_field(e, RC_INVALID, outside, "'%s' is given twice: here and as config.%s", outside,
                     inside);
}

static enum rc short_form(const struct job_body *b, const struct json *config,
                          struct train_spec *spec, struct err *e)
{
    enum rc rc = RC_OK;

    if (b->epochs) {
        rc = twice(config, "epochs", "epochs", e);
        spec->epochs = b->epochs;
        if (!config || !json_get(config, "warmup_epochs"))
            train_fit_warmup(spec);
    }
    if (!rc && b->batch_size) {
        rc = twice(config, "batch_size", "batch_size", e);
        spec->batch_size = b->batch_size;
    }
    if (!rc && b->learning_rate > 0) {
        rc = twice(config, "learning_rate", "learning_rate", e);
        spec->learning_rate = b->learning_rate;
    }
    return rc;
}

static enum rc keep(struct ctx *c, struct buf *b, str *ret, struct err *e)
{
    enum rc rc = buf_ok(b, e);
    str s = rc ? STR_NONE : arena_str(c->a, buf_view(b));

    buf_done(b);
    if (!rc && !s.p)
        rc = err_set(e, RC_NOMEM, "out of memory");
    if (!rc)
        *ret = s;
    return rc;
}

/* Checks the settings and writes them out in full; warnings is a JSON array. */
static enum rc settle(struct ctx *c, const struct train_spec *spec, str *ret_config,
                      str *ret_warnings, struct err *e)
{
    struct buf b;
    struct jw w;
    enum rc rc;

    reply_begin(&b, &w);
    jw_arr(&w);
    rc = train_spec_check(spec, &w, e);
    jw_arr_end(&w);
    if (rc) {
        buf_done(&b);
        return rc;
    }
    rc = keep(c, &b, ret_warnings, e);
    if (rc)
        return rc;
    reply_begin(&b, &w);
    field_write(train_spec_fields, spec, &w);
    return keep(c, &b, ret_config, e);
}

static enum rc read_settings(struct ctx *c, const struct job_body *b, struct train_spec *ret,
                             struct err *e)
{
    const struct json *config = NULL;
    struct train_spec spec = {0};
    enum rc rc;

    if (b->config.n) {
        rc = json_parse(c->a, b->config, NULL, &config, e);
        if (!rc && config->type == JSON_NULL)
            config = NULL;
        else if (!rc && config->type != JSON_OBJ)
            rc = err_field(e, RC_INVALID, "config", "'config' must be an object");
        if (rc)
            return rc;
    }
    if (b->model_name.n && (rc = twice(config, "model", "model_name", e)) != RC_OK)
        return rc;
    rc = train_spec_read(config, b->model_name, &spec, c->a, e);
    if (rc && config && e->field[0]) { /* config.epochs */
        char path[ERR_FIELD_MAX];

        snprintf(path, sizeof path, "config.%.80s", e->field);
        memcpy(e->field, path, sizeof path);
    }
    if (!rc)
        rc = short_form(b, config, &spec, e);
    if (!rc)
        *ret = spec;
    return rc;
}

/* ---- what it runs on */

static enum rc choose_data(struct ctx *c, str dataset, str version, struct dataset *ret,
                           struct dataset_version *ret_v, struct err *e)
{
    str who = sees_all_projects(c) ? STR_NONE : c->who.user_id;
    enum rc rc = dataset_find(c->app->db, c->a, dataset, who, ret, e);

    if (!rc)
        rc = project_may(c, ret->project_id, ROLE_ENGINEER, e);
    if (!rc)
        rc = dataset_version_find(c->app->db, c->a, ret->id, version, ret_v, e);
    return rc;
}

static enum rc check_data(const struct dataset *d, const struct dataset_version *v,
                          const struct train_spec *spec, str framework, struct err *e)
{
    enum train_task task = train_task_of(spec->model);
    int of = 0;

    if (str_is(v->classes, "[]"))
        return err_field(
            e, RC_INVALID, "dataset",
            "the pictures of this version of '%.*s' have no labels yet; label them and "
            "commit the draft first",
            STR_F(d->name));

    while (of < TASK_COUNT && !str_is(v->task, task_names[of]))
        of++;
    if (str_is(framework, "anneal") && of < TASK_COUNT && !train_task_fits(task, (enum task)of))
        return err_field(e, RC_INVALID, "dataset",
                         "'%.*s' is a dataset for %.*s; %.*s learns %s and needs %s",
                         STR_F(d->name), STR_F(v->task), STR_F(spec->model), train_task_names[task],
                         train_task_needs(task));
    if (v->train < 1)
        return err_field(e, RC_INVALID, "dataset",
                         "this version of '%.*s' has no training images; split it first",
                         STR_F(d->name));
    return RC_OK;
}

/* A job belongs to its dataset's project; whoever names another is told. */
static enum rc check_project(struct ctx *c, str named, const struct dataset *d, struct err *e)
{
    struct project p = {.id = STR("")};
    enum rc rc = RC_OK;

    if (!str_is(named, "default"))
        rc = project_get(c->app->db, c->a, named, c->who.user_id, &p, e);
    if (!rc && !str_eq(p.id, d->project_id))
        rc = err_field(e, RC_INVALID, "project", "'%.*s' is a dataset of another project",
                       STR_F(d->name));
    return rc;
}

/* Unknown: 400 with those there are.  One that is only down is fine: the job waits for it. */
static enum rc check_framework(struct ctx *c, str framework, struct err *e)
{
    struct site site;
    enum rc rc = launcher_find(scheduler_launcher(c->app->scheduler), framework, &site, e);

    return rc == RC_UNAVAILABLE ? RC_OK : rc;
}

static int64_t attempts_of(struct ctx *c, int64_t retries)
{
    return 1 + (retries == RETRIES_OF_CONFIG ? config_int(c->app->config, "job_retries") : retries);
}

/* The checkpoint `which` of a job that the caller may see, as JSON. */
static enum rc choose_checkpoint(struct ctx *c, const struct job *from, str which,
                                 struct checkpoint *ret, str *ret_text, struct err *e)
{
    struct job_checkpoint k;
    enum rc rc = job_checkpoint_find(c->app->jobs, c->a, from->id, which, &k, e);

    if (!rc)
        rc = checkpoint_text(c, &k.c, ret_text, e);
    if (!rc)
        *ret = k.c;
    return rc;
}

static enum rc start_from(struct ctx *c, const struct from_body *f, const struct train_spec *spec,
                          struct job_new *n, struct err *e)
{
    struct job from;
    struct checkpoint k;
    enum rc rc = job_get(c->app->jobs, c->a, f->job, &from, e);

    if (!rc)
        rc = project_may(c, from.project_id, ROLE_VIEWER, e);
    if (rc)
        return err_field(e, rc, "from_checkpoint", "there is no job '%.*s'", STR_F(f->job));
    if (!str_eq(from.model, spec->model))
        return err_field(e, RC_INVALID, "from_checkpoint",
                         "the checkpoint is one of %.*s, the new job trains %.*s",
                         STR_F(from.model), STR_F(spec->model));
    rc = choose_checkpoint(c, &from, f->checkpoint, &k, &n->base_checkpoint, e);
    if (!rc && k.epoch >= spec->epochs)
        rc = err_field(e, RC_INVALID, "epochs",
                       "the checkpoint has %lld epochs already; ask for more than that",
                       (long long)k.epoch);
    n->base_job_id = from.id;
    return rc;
}

static enum rc tags_text(struct ctx *c, const struct strs *tags, str *ret, struct err *e)
{
    struct buf b;
    struct jw w;

    reply_begin(&b, &w);
    jw_arr(&w);
    for (size_t i = 0; i < tags->n; i++)
        jw_str(&w, tags->p[i]);
    jw_arr_end(&w);
    return keep(c, &b, ret, e);
}

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
    const struct job_body *b = c->body;
    struct train_spec spec;
    struct dataset d;
    struct dataset_version v;
    struct job_new n = {.kind = WORK_TRAIN,
                        .name = b->name,
                        .created_by = c->who.user_id,
                        .framework = b->framework,
                        .priority = b->priority,
                        .notes = b->notes,
                        .start = b->start,
                        .attempts_max = attempts_of(c, b->retries)};
    str warnings;
    enum rc rc = check_framework(c, b->framework, e);

    if (!rc)
        rc = read_settings(c, b, &spec, e);
    if (!rc)
        rc = settle(c, &spec, &n.config, &warnings, e);
    if (!rc)
        rc = model_check(c, b->framework, spec.model, e);
    if (!rc)
        rc = choose_data(c, b->dataset, b->version, &d, &v, e);
    if (!rc)
        rc = check_data(&d, &v, &spec, b->framework, e);
    if (!rc && b->project.n)
        rc = check_project(c, b->project, &d, e);
    if (!rc && b->from_checkpoint.job.n)
        rc = start_from(c, &b->from_checkpoint, &spec, &n, e);
    if (!rc && spec.weights.n)
        rc = weights_choose(c, spec.weights, &n, e);
    if (!rc)
        rc = tags_text(c, &b->tags, &n.tags, e);
    if (rc)
        return rc;
    n.model = spec.model;
    n.goal = spec.goal;
    n.epochs = spec.epochs;
    n.project_id = d.project_id;
    n.dataset_id = d.id;
    n.dataset_name = d.name;
    n.dataset_version = v.version;
    return make(c, &n, warnings, e);
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
        rc = choose_checkpoint(c, &old, b->checkpoint, &k, &n.base_checkpoint, e);
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
    return settle(c, &spec, &n->config, &warnings, e);
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
    rc = choose_checkpoint(c, &old, STR("last"), &k, &n.base_checkpoint, e);
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
    enum rc rc =
        choose_data(c, other ? t->dataset : n->dataset_id,
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
        rc = choose_checkpoint(c, &old, b->checkpoint, &k, &n.base_checkpoint, e);
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
