/* jobs_check.c - before a training: what is wrong with it, what is doubtful, and how long it will
 * take; and the presets.
 *
 * An estimate stands on what this machine did before.  Runs of the same model and input size tell
 * it best, as they hold everything: loading, validation, checkpoints.  Where there are none, the
 * trainer measures the model for a second (spec/contract.h) and the rest is added by experience:
 * validation at the speed of inference, checkpoints and bookkeeping by EPOCH_MS, the start by
 * START_MS.
 */
#include "api/jobs_warn.h"
#include "api/trainer_ask.h"
#include "flow/job/launcher.h"
#include "flow/job/scheduler.h"
#include <math.h>

enum {
    PACES_MAX = 20, /* newest runs that are looked at, of which ALIKE_MAX that are alike count */
    ALIKE_MAX = 5,
    START_MS = 2000,
    EPOCH_MS = 300,
    MEASURE_TIMEOUT_MS = 45000,
    CONNECT_MS = 1000,
};

struct check_query {
    bool measure;
};
static const struct field check_query_fields[] = {
    F_BOOL(struct check_query, measure, .dflt = "true",
           .help = "Let the trainer measure the model, where it has not yet."),
    FIELD_END};

struct estimate {
    const char *basis; /* "runs", "measured"; NULL: none */
    double seconds, least, most;
    int64_t runs;
    struct measure m;
    bool measured;
    char why_not[400];
};

/* ---- from former runs */

/* Whether a run with that config took the same input and number format. */
static bool alike(struct ctx *c, const struct job_plan *p, const struct job_pace *pace)
{
    const struct json *config;

    if (json_parse(c->a, pace->config, NULL, &config, NULL))
        return false;
    if (json_int(config, "image_size", 0) != p->spec.image_size)
        return false;
    if (!p->spec.image_size && !str_eq(pace->dataset_id, p->dataset.id))
        return false; /* it was chosen by the data */
    return json_int(config, "threads", 0) == p->spec.threads &&
           str_is(json_str(config, "precision", STR("float32")),
                  p->spec.precision == PRECISION_BFLOAT16 ? "bfloat16" : "float32");
}

/* Milliseconds of an epoch of the plan, as that run would have taken them; 0: it cannot tell. */
static double epoch_ms(struct ctx *c, const struct job_plan *p, const struct job_pace *pace)
{
    struct dataset_version v;

    if (!alike(c, p, pace) ||
        dataset_version_find(c->app->db, c->a, pace->dataset_id, pace->dataset_version, &v, NULL) ||
        v.train + v.val < 1)
        return 0;
    return (double)pace->ms / (double)pace->epochs * (double)(p->version.train + p->version.val) /
           (double)(v.train + v.val);
}

static enum rc from_runs(struct ctx *c, const struct job_plan *p, struct estimate *ret,
                         struct err *e)
{
    struct job_pace *paces;
    size_t n;
    double sum = 0, least = INFINITY, most = 0, epochs = (double)p->spec.epochs;
    enum rc rc =
        job_paces(c->app->jobs, c->a, p->job.framework, p->spec.model, PACES_MAX, &paces, &n, e);

    for (size_t i = 0; !rc && i < n && ret->runs < ALIKE_MAX; i++) {
        double ms = epoch_ms(c, p, &paces[i]);

        if (ms <= 0)
            continue;
        sum += ms;
        least = ms < least ? ms : least;
        most = ms > most ? ms : most;
        ret->runs++;
    }
    if (rc || !ret->runs)
        return rc;
    ret->basis = "runs";
    ret->seconds = (sum / (double)ret->runs * epochs + START_MS) / 1000;
    ret->least = (least * epochs * 0.9 + START_MS / 2.0) / 1000;
    ret->most = (most * epochs * 1.2 + 2 * START_MS) / 1000;
    return RC_OK;
}

/* ---- from a measurement */

static enum rc order_of(struct ctx *c, const struct job_plan *p, int64_t size,
                        struct measure_order *ret, struct err *e)
{
    const struct json *classes = NULL;
    enum rc rc = json_parse(c->a, p->version.classes, NULL, &classes, e);

    *ret = (struct measure_order){.model = p->spec.model,
                                  .image_size = size,
                                  .batch_size = p->spec.batch_size,
                                  .threads = p->spec.threads,
                                  .precision = p->spec.precision,
                                  .backend = p->spec.backend,
                                  .optimizer = p->spec.optimizer,
                                  .average = p->spec.ema > 0,
                                  .accumulate = p->spec.accumulate > 1};
    if (rc)
        return rc;
    JSON_EACH(one, classes) {
        (void)one;
        ret->classes++;
    }
    ret->classes += train_task_of(p->spec.model) == TRAIN_SEMANTIC; /* the background */
    ret->classes = ret->classes < 2 ? 2 : ret->classes;
    if (p->version.train && ret->batch_size > p->version.train)
        ret->batch_size = p->version.train; /* as the worker plans */
    return RC_OK;
}

static enum rc ask_trainer(struct ctx *c, const struct job_plan *p, int64_t size,
                           struct measure *ret, struct err *e)
{
    struct measure_order o;
    struct client_call call = {
        .method = HTTP_POST, .timeout_ms = MEASURE_TIMEOUT_MS, .connect_ms = CONNECT_MS};
    struct buf order, body;
    struct site site;
    struct jw w;
    enum rc rc = launcher_find(scheduler_launcher(c->app->scheduler), p->job.framework, &site, e);

    if (!rc)
        rc = order_of(c, p, size, &o, e);
    if (rc)
        return rc;
    reply_begin(&order, &w);
    field_write(measure_order_fields, &o, &w);
    call.body = buf_view(&order);
    rc = trainer_ask(&site, "/measure", "application/json", &call, &body, e);
    buf_done(&order);
    if (rc)
        return rc;
    rc = field_read_text(measure_fields, arena_str(c->a, buf_view(&body)), ret, c->a, e);
    buf_done(&body);
    return rc;
}

static void from_measure(struct ctx *c, const struct job_plan *p, const struct json *stats,
                         struct estimate *ret)
{
    struct err why = {0};
    double epoch;

    if (ask_trainer(c, p, warn_image_size(p, stats), &ret->m, &why) ||
        ret->m.train_images_per_second <= 0 || ret->m.images_per_second <= 0) {
        snprintf(ret->why_not, sizeof ret->why_not, "%.399s", why.text);
        return;
    }
    ret->measured = true;
    if (ret->runs)
        return;
    epoch = (double)p->version.train / ret->m.train_images_per_second +
            (double)p->version.val / ret->m.images_per_second + EPOCH_MS / 1000.0;
    ret->basis = "measured";
    ret->seconds = epoch * (double)p->spec.epochs + START_MS / 1000.0;
    ret->least = ret->seconds * 0.7;
    ret->most = ret->seconds * 1.8;
}

static void write_estimate(const struct estimate *x, struct jw *w)
{
    jw_kobj(w, "estimate");
    jw_kcstr(w, "basis", x->basis);
    jw_knum(w, "seconds", x->basis ? round(x->seconds * 10) / 10 : NAN);
    jw_knum(w, "least", x->basis ? round(x->least * 10) / 10 : NAN);
    jw_knum(w, "most", x->basis ? round(x->most * 10) / 10 : NAN);
    jw_kint(w, "runs", x->runs);
    jw_key(w, "measured");
    if (x->measured)
        field_write(measure_fields, &x->m, w);
    else
        jw_null(w);
    jw_kcstr(w, "reason", x->why_not[0] ? x->why_not : NULL);
    jw_obj_end(w);
}

/* ---- the routes */

static enum rc reply_fault(struct ctx *c, const struct err *why, struct err *e)
{
    struct buf b;
    struct jw w;

    reply_begin(&b, &w);
    jw_obj(&w);
    jw_kbool(&w, "ok", false);
    jw_karr(&w, "errors");
    jw_obj(&w);
    jw_kcstr(&w, "field", why->field);
    jw_kcstr(&w, "message", why->text);
    jw_obj_end(&w);
    jw_arr_end(&w);
    jw_karr(&w, "warnings");
    jw_arr_end(&w);
    jw_kraw(&w, "estimate", STR("null"));
    jw_kraw(&w, "config", STR("null"));
    jw_obj_end(&w);
    return reply_json(c, 200, &b, e);
}

static enum rc estimate(struct ctx *c, const struct job_plan *p, struct estimate *ret,
                        struct err *e)
{
    const struct check_query *q = c->query;
    const struct json *stats = NULL;
    enum rc rc = p->version.stats.n ? json_parse(c->a, p->version.stats, NULL, &stats, e) : RC_OK;

    *ret = (struct estimate){0};
    if (!rc)
        rc = from_runs(c, p, ret, e);
    if (!rc && q->measure)
        from_measure(c, p, stats, ret);
    return rc;
}

static enum rc post_check(struct ctx *c, struct err *e)
{
    struct job_plan p;
    struct estimate x;
    struct err why = {0};
    struct buf b;
    struct jw w;
    enum rc rc = job_plan(c, c->body, &p, &why);

    if (rc == RC_INVALID || rc == RC_NOT_FOUND || rc == RC_CONFLICT || rc == RC_GONE)
        return reply_fault(c, &why, e);
    if (rc) {
        *e = why;
        return rc;
    }
    rc = estimate(c, &p, &x, e);
    if (rc)
        return rc;
    reply_begin(&b, &w);
    jw_obj(&w);
    jw_kbool(&w, "ok", true);
    jw_karr(&w, "errors");
    jw_arr_end(&w);
    jw_karr(&w, "warnings");
    rc = warn_plan(c, &p, &w, e);
    jw_arr_end(&w);
    write_estimate(&x, &w);
    jw_kraw(&w, "config", p.job.config);
    jw_obj_end(&w);
    if (rc) {
        buf_done(&b);
        return rc;
    }
    return reply_json(c, 200, &b, e);
}

static enum rc get_presets(struct ctx *c, struct err *e)
{
    struct buf b;
    struct jw w;

    reply_begin(&b, &w);
    jw_obj(&w);
    jw_karr(&w, "presets");
    for (const struct train_preset *p = train_presets; p->name; p++) {
        jw_obj(&w);
        jw_kcstr(&w, "name", p->name);
        jw_kcstr(&w, "title", p->title);
        jw_kcstr(&w, "help", p->help);
        jw_kobj(&w, "settings");
        for (int t = 0; t < TRAIN_TASKS; t++) {
            jw_kobj(&w, train_task_names[t]);
            train_preset_write(p, (enum train_task)t, &w);
            jw_obj_end(&w);
        }
        jw_obj_end(&w);
        jw_obj_end(&w);
    }
    jw_arr_end(&w);
    jw_obj_end(&w);
    return reply_json(c, 200, &b, e);
}

extern const struct route job_check_routes[];
const struct route job_check_routes[] = {
    {HTTP_POST, "/training/check", ACCESS_ENGINEER, "jobs:read", check_query_fields,
     sizeof(struct check_query), .body = job_body_fields, .body_size = sizeof(struct job_body),
     .tag = "Jobs", .summary = "What a training would be: faults, warnings, how long; makes none.",
     .help =
         "The body of POST /training/jobs.  {ok, errors: [{field, message}], warnings: [{field, "
         "code, message}], estimate: {basis: runs|measured|null, seconds, least, most, runs, "
         "measured: {memory_bytes, weights_bytes, train_images_per_second, ..}|null, reason}, "
         "config}; always 200 where the body can be read.",
     .fn = post_check},
    {HTTP_GET, "/training/presets", ACCESS_VIEWER, "jobs:read", .tag = "Jobs",
     .summary = "Settings under one name: quick, standard, thorough, fine-tune.",
     .help = "{presets: [{name, title, help, settings: {task: {setting: value}}}]}; `preset` of "
             "POST /training/jobs takes a name.",
     .fn = get_presets},
    ROUTE_END};
