/* jobs_plan.c - what a new training is to be, checked: settings, data, project, framework, weights.
 *
 * POST /training/jobs makes a job of it, POST /training/check only says what it found; both stand
 * on the one job_plan.  A job's config is stored with every field of the train spec written out, so
 * that what ran can be read years later, whatever the defaults are then.
 */
#include "api/jobs_plan.h"
#include "api/trainer_ask.h"
#include "flow/job/launcher.h"
#include "flow/job/scheduler.h"
#include "flow/people/people.h"
#include "spec/config.h"

enum { RETRIES_OF_CONFIG = -1 };

static const struct field from_fields[] = {
    F_STR(struct from_body, job, .max = 64, .help = "Id of the job."),
    F_STR(struct from_body, checkpoint, .dflt = "\"last\"", .max = 20,
          .help = "best, last or the number of an epoch."),
    FIELD_END};

#define S struct job_body
const struct field job_body_fields[] = {
    F_STR(S, name, .max = 200, .help = "Name for people; empty: made of model and dataset."),
    F_STR(S, project, .max = 200,
          .help = "Id or name of the dataset's project, to be sure; `default` is one too."),
    F_STR(S, dataset, .flags = FIELD_REQUIRED, .min = 1, .max = 200,
          .help = "Id or name of the dataset."),
    F_STR(S, version, .max = 64, .help = "Hash or number of its version; empty: the newest."),
    F_STR(S, framework, .dflt = "\"anneal\"", .min = 1, .max = 32,
          .help = "Whose trainer runs it."),
    F_STR(S, preset, .max = 32,
          .help =
              "Settings to begin with: quick, standard, thorough, fine-tune; config goes over."),
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

enum rc plan_keep(struct ctx *c, struct buf *b, str *ret, struct err *e)
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
enum rc plan_settle(struct ctx *c, const struct train_spec *spec, str *ret_config,
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
    rc = plan_keep(c, &b, ret_warnings, e);
    if (rc)
        return rc;
    reply_begin(&b, &w);
    field_write(train_spec_fields, spec, &w);
    return plan_keep(c, &b, ret_config, e);
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
    if (b->preset.n &&
        (rc = train_preset_merge(b->preset, config, b->model_name, c->a, &config, e)) != RC_OK)
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

enum rc plan_data(struct ctx *c, str dataset, str version, struct dataset *ret,
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
enum rc plan_checkpoint(struct ctx *c, const struct job *from, str which, struct checkpoint *ret,
                        str *ret_text, struct err *e)
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
    rc = plan_checkpoint(c, &from, f->checkpoint, &k, &n->base_checkpoint, e);
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
    return plan_keep(c, &b, ret, e);
}

enum rc job_plan(struct ctx *c, const struct job_body *b, struct job_plan *ret, struct err *e)
{
    struct job_plan p = {.job = {.kind = WORK_TRAIN,
                                 .name = b->name,
                                 .created_by = c->who.user_id,
                                 .framework = b->framework,
                                 .priority = b->priority,
                                 .notes = b->notes,
                                 .start = b->start,
                                 .attempts_max = attempts_of(c, b->retries)}};
    struct job_new *n = &p.job;
    enum rc rc = check_framework(c, b->framework, e);

    if (!rc)
        rc = read_settings(c, b, &p.spec, e);
    if (!rc)
        rc = plan_settle(c, &p.spec, &n->config, &p.warnings, e);
    if (!rc)
        rc = model_check(c, b->framework, p.spec.model, e);
    if (!rc)
        rc = plan_data(c, b->dataset, b->version, &p.dataset, &p.version, e);
    if (!rc)
        rc = check_data(&p.dataset, &p.version, &p.spec, b->framework, e);
    if (!rc && b->project.n)
        rc = check_project(c, b->project, &p.dataset, e);
    if (!rc && b->from_checkpoint.job.n)
        rc = start_from(c, &b->from_checkpoint, &p.spec, n, e);
    if (!rc && p.spec.weights.n)
        rc = weights_choose(c, p.spec.weights, n, e);
    if (!rc)
        rc = tags_text(c, &b->tags, &n->tags, e);
    if (rc)
        return rc;
    n->model = p.spec.model;
    n->goal = p.spec.goal;
    n->epochs = p.spec.epochs;
    n->project_id = p.dataset.project_id;
    n->dataset_id = p.dataset.id;
    n->dataset_name = p.dataset.name;
    n->dataset_version = p.version.version;
    *ret = p;
    return RC_OK;
}
