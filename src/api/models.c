/* models.c - what can be trained: the models of all trainers in one list, and how the trainers are.
 *
 * Each trainer is asked now; one that is dead or slow costs its time-out and is shown as such,
 * while the others' models are listed all the same.
 */
#include "api/app.h"
#include "api/trainer_ask.h"
#include "flow/job/scheduler.h"
#include "flow/telemetry/metrics.h"
#include "os/os.h"

enum { LIST_TIMEOUT_MS = 3000, LIST_CONNECT_MS = 1000 };

/* The members of one model; the framework is ours to say, as we chose by it whom to ask. */
static void write_model(const struct json *m, const char *framework, struct jw *w)
{
    jw_obj(w);
    jw_kcstr(w, "framework", framework);
    JSON_EACH(v, m) {
        if (str_is(v->key, "framework"))
            continue;
        jw_key_str(w, v->key);
        jw_raw(w, v->raw);
    }
    jw_obj_end(w);
}

/* The trainer's array of models, in the request's arena. */
static enum rc models_of(struct ctx *c, const struct site *site, const struct json **ret,
                         struct err *e)
{
    struct client_call call = {
        .method = HTTP_GET, .timeout_ms = LIST_TIMEOUT_MS, .connect_ms = LIST_CONNECT_MS};
    const struct json *doc = NULL, *models;
    struct buf body;
    str text;
    enum rc rc = trainer_ask(site, "/models", NULL, &call, &body, e);

    if (rc)
        return rc;
    text = arena_str(c->a, buf_view(&body)); /* the tree's raw texts point into it */
    buf_done(&body);
    if (!text.p)
        return err_set(e, RC_NOMEM, "out of memory while reading the models");
    rc = json_parse(c->a, text, NULL, &doc, e);
    models = rc ? NULL : json_get(doc, "models");
    if (!rc && (!models || models->type != JSON_ARR))
        rc = err_set(e, RC_UPSTREAM, "the trainer's list of models has no `models`");
    if (!rc)
        *ret = models;
    return rc;
}

static enum rc list_one(struct ctx *c, const struct site *site, struct jw *w, struct err *e)
{
    const struct json *models = NULL;
    enum rc rc = models_of(c, site, &models, e);

    JSON_EACH(m, models) {
        if (m->type == JSON_OBJ)
            write_model(m, site->framework, w);
    }
    return rc;
}

enum rc model_check(struct ctx *c, str framework, str model, struct err *e)
{
    const struct json *models = NULL;
    struct buf names;
    struct site site;
    bool known = false;

    if (launcher_find(scheduler_launcher(c->app->scheduler), framework, &site, NULL) ||
        models_of(c, &site, &models, NULL))
        return RC_OK;
    buf_init(&names, 512);
    JSON_EACH(m, models) {
        str name = json_str(m, "name", STR(""));

        known |= str_eq(name, model);
        buf_printf(&names, "%s%.*s", names.n ? ", " : "", STR_F(name));
    }
    if (!known)
        err_field(e, RC_INVALID, "config.model", "there is no model '%.*s'; '%.*s' trains: %s",
                  STR_F(model), STR_F(framework), names.p);
    buf_done(&names);
    return known ? RC_OK : RC_INVALID;
}

static enum rc get_models(struct ctx *c, struct err *e)
{
    struct launcher *l = scheduler_launcher(c->app->scheduler);
    const char *names[SITES_MAX];
    struct err why[SITES_MAX];
    enum rc state[SITES_MAX];
    size_t n = launcher_frameworks(l, names);
    struct buf b;
    struct jw w;

    reply_begin(&b, &w);
    jw_obj(&w);
    jw_karr(&w, "models");
    for (size_t i = 0; i < n; i++) {
        struct site site;

        why[i] = (struct err){0};
        state[i] = launcher_find(l, str_of(names[i]), &site, &why[i]);
        if (!state[i])
            state[i] = list_one(c, &site, &w, &why[i]);
    }
    jw_arr_end(&w);
    jw_karr(&w, "trainers");
    for (size_t i = 0; i < n; i++) {
        jw_obj(&w);
        jw_kcstr(&w, "framework", names[i]);
        jw_kcstr(&w, "state", state[i] ? "down" : "up");
        jw_kcstr(&w, "error", state[i] ? why[i].text : NULL);
        jw_obj_end(&w);
    }
    jw_arr_end(&w);
    jw_obj_end(&w);
    return reply_json(c, 200, &b, e);
}

/* For GET /health (system.c): the scheduler's last look; true if one is down. */
bool trainers_health(struct app *app, struct jw *w);
bool trainers_health(struct app *app, struct jw *w)
{
    struct trainer_state t[SITES_MAX];
    size_t n = scheduler_trainers(app->scheduler, t);
    bool down = false;

    for (size_t i = 0; i < n; i++) {
        char labels[64];
        char at[OS_TIME_TEXT];

        jw_kobj(w, t[i].framework);
        jw_kcstr(w, "status", t[i].up ? "up" : t[i].known ? "down" : "starting");
        if (t[i].known) {
            os_time_text(t[i].checked_at, at);
            jw_kcstr(w, "checked_at", at);
        }
        if (t[i].error[0])
            jw_kcstr(w, "error", t[i].error);
        jw_obj_end(w);
        snprintf(labels, sizeof labels, "framework=\"%s\"", t[i].framework);
        metrics_set(app->metrics, METRIC_TRAINER_UP, labels, t[i].up);
        down |= !t[i].up;
    }
    return down;
}

#define MODELS(path_)                                                                              \
    {                                                                                              \
        HTTP_GET, path_, ACCESS_VIEWER, "jobs:read", .tag = "Models",                              \
        .summary = "Models of all trainers, each with its settings; the trainers' states.",        \
        .help = "{models: [{framework, name, title, task, parameters, config_schema, ...}], "      \
                "trainers: [{framework, state, error}]}; a dead trainer hides no other.",          \
        .fn = get_models                                                                           \
    }
extern const struct route model_routes[];
const struct route model_routes[] = {MODELS("/models"), MODELS("/models/list"), ROUTE_END};
