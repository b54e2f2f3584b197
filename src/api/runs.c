/* runs.c - GET /training/runs: many runs side by side, for the page that compares them.
 *
 * Ten thousand runs travel as rows of values behind one list of columns: an eighth of the bytes of
 * as many objects, and what a table wants. */
#include "api/access.h"
#include "api/app.h"
#include "flow/job/job_read.h"

enum { RUN_SETTINGS_MAX = 32, RUN_CONFIG_BYTES_MAX = 256 << 10 };

struct runs_query {
    str status, dataset, model, project, q;
    bool starred;
    struct strs settings, metrics;
    int64_t limit;
};
#define S struct runs_query
static const struct field query_fields[] = {
    F_STR(S, status, .max = 100, .help = "One or more states, separated by commas."),
    F_STR(S, dataset, .max = 200, .help = "Id, name or version of a dataset."),
    F_STR(S, model, .max = 64, .help = "Name of a network."),
    F_STR(S, project, .max = 64, .help = "Only of this project, by id; default: the default one."),
    F_STR(S, q, .max = 200, .help = "Part of name, notes, tags, model, dataset's name or id."),
    F_BOOL(S, starred, .help = "Only starred ones."),
    F_STRS(S, settings, .max = RUN_SETTINGS_MAX,
           .help = "Names of train settings to show, separated by commas."),
    F_STRS(S, metrics, .max = RUN_METRICS_MAX,
           .help = "Names of metrics to show, of the best epoch (else the last)."),
    F_INT(S, limit, .dflt = "10000", .min = 1, .max = RUNS_MAX, .help = "At most so many runs."),
    FIELD_END};
#undef S

static const char *const columns[] = {
    "job",         "name",       "status",     "kind",       "model",    "dataset", "version",
    "created_by",  "tags",       "notes",      "starred",    "epoch",    "epochs",  "best",
    "best_metric", "best_epoch", "created_at", "started_at", "ended_at",
    "paused",      NULL};

struct table {
    const struct runs_query *q;
    struct jw *w;
    struct arena *scratch;
    struct err *e;
    int64_t n;
};

static void write_names(struct jw *w, const char *key, const struct strs *names)
{
    jw_karr(w, key);
    for (size_t i = 0; i < names->n; i++)
        jw_str(w, names->p[i]);
    jw_arr_end(w);
}

/* null for a setting that this run's trainer does not have. */
static enum rc write_settings(struct table *t, str config)
{
    const struct json *root = NULL, *one;
    enum rc rc;

    arena_reset(t->scratch);
    rc = json_parse(t->scratch, config, NULL, &root, t->e);
    for (size_t i = 0; !rc && i < t->q->settings.n; i++) {
        const char *name = arena_cstr(t->scratch, t->q->settings.p[i]);
        if (!name)
            return err_set(t->e, RC_NOMEM, "out of memory");
        one = json_get(root, name);
        if (one)
            jw_raw(t->w, one->raw);
        else
            jw_null(t->w);
    }
    return rc;
}

/* Unix milliseconds, as numbers: a table sorts them ten thousand at a time. */
static void write_time(struct jw *w, int64_t ms)
{
    if (ms)
        jw_int(w, ms);
    else
        jw_null(w);
}

static enum rc write_run(const struct run_line *l, void *ud)
{
    struct table *t = ud;
    struct jw *w = t->w;
    const str texts[] = {l->job,   l->name,         l->status,          l->kind,
                         l->model, l->dataset_name, l->dataset_version, l->created_by};
    enum rc rc;

    if (t->n++ >= t->q->limit) /* one more was asked for, to know whether there are more */
        return RC_OK;
    jw_arr(w);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        jw_str(w, texts[i]);
    jw_raw(w, l->tags);
    jw_str(w, l->notes);
    jw_bool(w, l->starred);
    jw_int(w, l->epoch);
    jw_int(w, l->epochs);
    jw_num(w, l->best_value);
    jw_str(w, l->best_metric);
    jw_int(w, l->best_epoch);
    write_time(w, l->created_at);
    write_time(w, l->started_at);
    write_time(w, l->ended_at);
    jw_bool(w, l->paused);
    rc = write_settings(t, l->config);
    for (size_t i = 0; i < t->q->metrics.n; i++)
        jw_num(w, l->metric[i]);
    jw_arr_end(w);
    return rc;
}

static enum rc get_runs(struct ctx *c, struct err *e)
{
    const struct runs_query *rq = c->query;
    const struct job_query q = {.user_id = sees_all_projects(c) ? STR_NONE : c->who.user_id,
                                .status = rq->status,
                                .dataset = rq->dataset,
                                .model = rq->model,
                                .project = rq->project,
                                .q = rq->q,
                                .starred = rq->starred,
                                .limit = rq->limit + 1};
    struct arena scratch;
    struct buf b;
    struct jw w;
    struct table t = {rq, &w, &scratch, e, 0};
    enum rc rc;

    arena_init(&scratch, 4 * RUN_CONFIG_BYTES_MAX);
    reply_begin(&b, &w);
    jw_obj(&w);
    jw_karr(&w, "columns");
    for (size_t i = 0; columns[i]; i++)
        jw_cstr(&w, columns[i]);
    jw_arr_end(&w);
    write_names(&w, "settings", &rq->settings);
    write_names(&w, "metrics", &rq->metrics);
    jw_karr(&w, "rows");
    rc = job_runs(c->app->jobs, &q, rq->metrics.p, rq->metrics.n, write_run, &t, e);
    jw_arr_end(&w);
    jw_kbool(&w, "more", t.n > rq->limit);
    jw_obj_end(&w);
    arena_done(&scratch);
    if (rc) {
        buf_done(&b);
        return rc;
    }
    return reply_json(c, 200, &b, e);
}

extern const struct route runs_routes[];
const struct route runs_routes[] = {
    {HTTP_GET, "/training/runs", ACCESS_VIEWER, "jobs:read", query_fields,
     sizeof(struct runs_query), .tag = "Jobs",
     .summary = "Many runs side by side, newest first, as rows of values.",
     .help = "{columns, settings, metrics, rows, more}: a row holds a value for each of columns, "
             "then of settings, then of metrics; times are Unix milliseconds.  `more`: there are "
             "runs beyond the limit.",
     .fn = get_runs},
    ROUTE_END};
