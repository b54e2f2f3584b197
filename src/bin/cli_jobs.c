/* cli_jobs.c - `anneal jobs`: list, show, wait, cancel, pause, stop, logs, metrics, checkpoints,
 * start, restart, resume, top. */
#include "bin/cli_jobs.h"
#include "os/os.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { TOP_MS = 2000, TOP_ROWS = 20 };

static const char *const sorts[] = {"created", "name", "status", "score", "queue", NULL};
static const char *const levels[] = {"debug", "info", "warning", "error", NULL};

struct list_flags {
    str status, dataset, model, q;
    int sort;
    int64_t limit;
};
#define S struct list_flags
static const struct field list_fields[] = {
    F_STR(S, status, .max = 100, .help = "One or more states, separated by commas."),
    F_STR(S, dataset, .max = 200, .help = "Of this dataset, by name or id."),
    F_STR(S, model, .max = 64, .help = "Of this network."),
    F_STR(S, q, .max = 200, .help = "With this in name, notes, tags or id."),
    F_ENUM(S, sort, sorts, .dflt = "\"created\"", .help = "Order."),
    F_INT(S, limit, .dflt = "50", .min = 1, .max = 100000, .help = "So many."),
    FIELD_END};
#undef S
struct log_flags {
    bool follow;
    int level;
    int64_t limit;
};
#define S struct log_flags
static const struct field log_fields[] = {
    F_BOOL(S, follow, .help = "Go on with new lines until the job ends."),
    F_ENUM(S, level, levels, .dflt = "\"debug\"", .help = "Least severity."),
    F_INT(S, limit, .dflt = "1000", .min = 1, .max = 1000, .help = "So many of the newest lines."),
    FIELD_END};
#undef S
struct again_flags {
    str name, checkpoint;
    int64_t epochs;
    bool wait;
};
#define S struct again_flags
static const struct field restart_fields[] = {
    F_STR(S, name, .max = 200, .help = "Name; else that of the old job."),
    F_STR(S, checkpoint, .max = 20, .help = "Begin at best, last or an epoch; else from scratch."),
    F_BOOL(S, wait, .help = "Follow it to its end."), FIELD_END};
static const struct field resume_fields[] = {
    F_STR(S, name, .max = 200, .help = "Name; else that of the old job."),
    F_INT(S, epochs, .min = 0, .max = 1000, .help = "Epochs in all; 0 as before."),
    F_BOOL(S, wait, .help = "Follow it to its end."), FIELD_END};
#undef S
struct ask_flags {
    bool now;
};
static const struct field ask_fields[] = {
    F_BOOL(struct ask_flags, now,
           .help = "Do not wait for the end of the epoch; what it has done is lost."),
    FIELD_END};
struct metric_flags {
    str name;
};
static const struct field metric_fields[] = {
    F_STR(struct metric_flags, name, .max = 64, .help = "Only this one, e.g. val/accuracy."),
    FIELD_END};

static long long number(const struct json *o, const char *key)
{
    return (long long)json_int(o, key, 0);
}

/* ---- which job */

enum rc job_id_of(struct cli *c, str word, const char **ret, struct err *e)
{
    const struct json *page = NULL, *jobs;
    enum rc rc;

    if (!str_is(word, "last")) {
        *ret = cli_cstr(c, word);
        return RC_OK;
    }
    rc = cli_call(c, c->a, HTTP_GET, "/training/jobs?limit=1", NULL, &page, e);
    jobs = json_get(page, "jobs");
    if (!rc && (!jobs || jobs->type != JSON_ARR || !jobs->list.first))
        rc = err_set(e, RC_NOT_FOUND, "there is no job yet");
    if (!rc)
        *ret = text_in(c, jobs->list.first, "job");
    return rc;
}

/* ---- list and top */

static void job_row(struct table *t, struct cli *c, const struct json *j)
{
    const struct json *best = json_get(j, "best");
    const char *metric = text_in(c, best, "metric");
    double done = json_num(j, "progress", 0);

    table_cell(t, "%s", text_in(c, j, "job"));
    table_cell(t, "%s", text_in(c, j, "status"));
    table_cell(t, "%lld/%lld", number(j, "epoch"), number(j, "epochs"));
    table_cell(t, "%d%%", (int)(done * 100));
    if (best && best->type == JSON_OBJ)
        table_cell(t, "%s %s", metric, metric_text(c->a, metric, json_num(best, "value", NAN)));
    else
        table_cell(t, "%s", "");
    table_cell(t, "%s", text_in(c, j, "model"));
    table_cell(t, "%s", text_in(c, j, "dataset_name"));
    table_cell(t, "%.40s", text_in(c, j, "name"));
    table_cell(t, "%s", cli_when(c->a, json_str(j, "created_at", STR(""))));
}

static const char *const job_heads[] = {"JOB",   "STATUS",  ">EPOCH", ">DONE", "BEST",
                                        "MODEL", "DATASET", "NAME",   "MADE",  NULL};

static enum rc run_list(struct cli *c, struct err *e)
{
    const struct list_flags *f = c->flags;
    const struct json *page = NULL;
    int64_t left = f->limit;
    str cursor = STR("");
    struct table t;
    struct buf all;
    struct jw w;
    enum rc rc = RC_OK;

    buf_init(&all, CLI_REPLY_MAX);
    jw_init(&w, &all);
    jw_obj(&w);
    jw_karr(&w, "jobs");
    table_init(&t, c, job_heads);
    do {
        const char *path = arena_printf(
            c->a, "/training/jobs?limit=%d&status=%s&dataset=%s&model=%s&q=%s&sort=%s&cursor=%s",
            (int)(left < 200 ? left : 200), cli_url_text(c->a, f->status),
            cli_url_text(c->a, f->dataset), cli_url_text(c->a, f->model), cli_url_text(c->a, f->q),
            sorts[f->sort], cli_url_text(c->a, cursor));

        rc = path ? cli_call(c, c->a, HTTP_GET, path, NULL, &page, e) : cli_nomem(e);
        if (rc)
            break;
        JSON_EACH(j, json_get(page, "jobs")) {
            jw_raw(&w, j->raw);
            job_row(&t, c, j);
            left--;
        }
        cursor = json_str(page, "next", STR(""));
    } while (cursor.n && left > 0);
    jw_arr_end(&w);
    jw_obj_end(&w);
    if (!rc) {
        table_print(&t, "there are no jobs; anneal train --dataset NAME");
        cli_json_text(c, buf_view(&all));
    }
    VEC_DONE(&t.cells);
    buf_done(&all);
    return rc;
}

static enum rc top_once(struct cli *c, struct err *e)
{
    const char *path = arena_printf(
        c->a, "/training/jobs?limit=%d&status=running,queued,pending&sort=queue", TOP_ROWS);
    const struct json *page = NULL;
    struct table t;
    enum rc rc = path ? cli_call(c, c->a, HTTP_GET, path, NULL, &page, e) : cli_nomem(e);

    if (rc)
        return rc;
    if (c->colour)
        printf("\033[H\033[J"); /* home, and clear to the end */
    table_init(&t, c, job_heads);
    JSON_EACH(j, json_get(page, "jobs"))
        job_row(&t, c, j);
    table_print(&t, "no job runs or waits");
    cli_json_text(c, page->raw);
    fflush(stdout);
    return RC_OK;
}

/* On a terminal again and again, until Ctrl-C; else once. */
static enum rc run_top(struct cli *c, struct err *e)
{
    enum rc rc = RC_OK;

    do {
        struct arena one, *whole = c->a;

        arena_init(&one, CLI_REPLY_MAX);
        if (c->token) /* found: from now on nothing has to last */
            c->a = &one;
        rc = top_once(c, e);
        c->a = whole;
        arena_done(&one);
        if (!rc && c->colour && !c->json)
            os_sleep_ms(TOP_MS);
    } while (!rc && c->colour && !c->json);
    return rc;
}

/* ---- one job */

void show_job(struct cli *c, const struct json *j)
{
    const struct json *best = json_get(j, "best"), *error = json_get(j, "error");
    const char *metric = text_in(c, best, "metric");
    str status = json_str(j, "status", STR(""));

    cli_say(c, "%s%s%s  %s\n", cli_style(c, STYLE_BOLD), text_in(c, j, "job"),
            cli_style(c, STYLE_NONE), text_in(c, j, "name"));
    cli_say(c, "  status   %s%s%s %s%s\n", cli_style(c, cli_status_style(status)),
            cli_cstr(c, status), cli_style(c, STYLE_NONE), text_in(c, j, "waiting_reason"),
            text_in(c, j, "message"));
    cli_say(c, "  %-8s %s on %s (%.8s)\n", text_in(c, j, "kind"), text_in(c, j, "model"),
            text_in(c, j, "dataset_name"), text_in(c, j, "dataset_version"));
    cli_say(c, "  epoch    %lld of %lld, %d %% done\n", number(j, "epoch"), number(j, "epochs"),
            (int)(json_num(j, "progress", 0) * 100));
    if (best && best->type == JSON_OBJ)
        cli_say(c, "  best     %s %s at epoch %lld\n", metric,
                metric_text(c->a, metric, json_num(best, "value", NAN)), number(best, "epoch"));
    if (error && error->type == JSON_OBJ)
        cli_say(c, "  error    %s: %s\n", text_in(c, error, "code"), text_in(c, error, "text"));
    if (*text_in(c, j, "weights_sha256"))
        cli_say(c, "  weights  %s\n", text_in(c, j, "weights_sha256"));
    const struct json *engine = json_get(j, "engine");
    if (engine && engine->type == JSON_OBJ)
        cli_say(c, "  engine   %s %s, %s, %s\n", text_in(c, engine, "backend"),
                text_in(c, engine, "onednn"), text_in(c, engine, "isa"),
                text_in(c, engine, "precision"));
    cli_say(c, "  attempt  %lld, priority %lld, queue place %lld\n", number(j, "attempt"),
            number(j, "priority"), number(j, "queue_place"));
    cli_say(c, "  made     %s by %s\n", cli_when(c->a, json_str(j, "created_at", STR(""))),
            text_in(c, j, "created_by_name"));
    if (json_str(j, "ended_at", STR_NONE).n)
        cli_say(c, "  ended    %s\n", cli_when(c->a, json_str(j, "ended_at", STR(""))));
}

static enum rc run_show(struct cli *c, struct err *e)
{
    const struct json *job = NULL;
    const char *id = NULL;
    enum rc rc = job_id_of(c, c->args[0], &id, e);

    if (!rc)
        rc = job_get_json(c, id, &job, e);
    if (rc)
        return rc;
    show_job(c, job);
    cli_json_text(c, job->raw);
    return RC_OK;
}

static enum rc run_wait(struct cli *c, struct err *e)
{
    const char *id = NULL;
    enum rc rc = follow_prepare(c, e);

    if (!rc)
        rc = job_id_of(c, c->args[0], &id, e);
    return rc ? rc : wait_and_tell(c, id, e);
}

/* pause and stop: with --now in the body, on each of the jobs named. */
static enum rc ask_of(struct cli *c, const char *action, const char *said, struct err *e)
{
    const struct ask_flags *f = c->flags;
    const struct json *job = NULL;
    struct buf b;
    struct jw w;
    enum rc rc = RC_OK;

    for (size_t i = 0; !rc && i < c->args_n; i++) {
        const char *id = NULL, *path;

        rc = job_id_of(c, c->args[i], &id, e);
        if (rc)
            break;
        buf_init(&b, 1 << 10);
        jw_init(&w, &b);
        jw_obj(&w);
        jw_kbool(&w, "now", f->now);
        jw_obj_end(&w);
        path = arena_printf(c->a, "%s%s", cli_path(c->a, "/training/jobs/%s", id), action);
        rc = path ? cli_call(c, c->a, HTTP_POST, path, &b, &job, e) : cli_nomem(e);
        buf_done(&b);
        if (!rc)
            cli_say(c, "%s %s (%s%s)\n", said, id, text_in(c, job, "status"),
                    json_bool(job, "paused", false) ? ", paused" : "");
    }
    if (!rc)
        cli_json_text(c, job->raw);
    return rc;
}

/* An action on each of the jobs named; the last one's JSON ends the output. */
static enum rc act(struct cli *c, enum http_method m, const char *action, const char *said,
                   struct err *e)
{
    const struct json *job = NULL;
    enum rc rc = RC_OK;

    for (size_t i = 0; !rc && i < c->args_n; i++) {
        const char *id = NULL, *path;

        rc = job_id_of(c, c->args[i], &id, e);
        if (rc)
            break;
        path = arena_printf(c->a, "%s%s", cli_path(c->a, "/training/jobs/%s", id), action);
        rc = path ? cli_call(c, c->a, m, path, NULL, &job, e) : cli_nomem(e);
        if (!rc)
            cli_say(c, "%s %s\n", said, id);
    }
    if (!rc)
        cli_json_text(c, job->raw);
    return rc;
}

static enum rc run_cancel(struct cli *c, struct err *e)
{
    return act(c, HTTP_DELETE, "", "cancelled", e);
}

static enum rc run_pause(struct cli *c, struct err *e)
{
    return ask_of(c, "/pause", "asked to pause", e);
}

static enum rc run_stop(struct cli *c, struct err *e)
{
    return ask_of(c, "/stop", "asked to end early and keep its best:", e);
}

static enum rc run_start(struct cli *c, struct err *e)
{
    return act(c, HTTP_POST, "/start", "queued", e);
}

/* restart and resume: a new job from an old one. */
static enum rc again(struct cli *c, const char *action, struct err *e)
{
    const struct again_flags *f = c->flags;
    bool is_resume = !strcmp(action, "resume");
    const struct json *job = NULL;
    const char *id = NULL, *path;
    struct buf b;
    struct jw w;
    enum rc rc = f->wait ? follow_prepare(c, e) : RC_OK;

    if (!rc)
        rc = job_id_of(c, c->args[0], &id, e);
    if (rc)
        return rc;
    path = arena_printf(c->a, "%s/%s", cli_path(c->a, "/training/jobs/%s", id), action);
    buf_init(&b, 1 << 20);
    jw_init(&w, &b);
    jw_obj(&w);
    jw_kstr(&w, "name", f->name);
    if (is_resume)
        jw_kint(&w, "epochs", f->epochs);
    else
        jw_kstr(&w, "checkpoint", f->checkpoint);
    jw_obj_end(&w);
    rc = path ? cli_call(c, c->a, HTTP_POST, path, &b, &job, e) : cli_nomem(e);
    buf_done(&b);
    if (!rc && json_str(job, "job", STR("")).n && str_is(json_str(job, "job", STR("")), id))
        cli_say(c, "goes on: %s\n", id); /* it was paused, and is the same job */
    return rc ? rc : tell_new_job(c, job, f->wait, e);
}

static enum rc run_restart(struct cli *c, struct err *e)
{
    return again(c, "restart", e);
}

static enum rc run_resume(struct cli *c, struct err *e)
{
    return again(c, "resume", e);
}

/* ---- logs, metrics, checkpoints */

static void say_logs(struct cli *c, const struct json *l)
{
    char at[OS_TIME_TEXT];

    os_time_text(json_int(l, "time", 0), at);
    cli_say(c, "%s %-7s %s\n", at, text_in(c, l, "level"), text_in(c, l, "message"));
}

static enum rc run_logs(struct cli *c, struct err *e)
{
    const struct log_flags *f = c->flags;
    const struct json *page = NULL, *job = NULL, **lines;
    const char *id = NULL, *path;
    size_t n = 0;
    enum rc rc = f->follow ? follow_prepare(c, e) : RC_OK;

    if (!rc)
        rc = job_id_of(c, c->args[0], &id, e);
    if (!rc && f->follow)
        rc = follow_job(c, id, true, &job, e);
    if (rc || f->follow) {
        if (!rc)
            cli_json_text(c, job->raw);
        return rc;
    }
    path = arena_printf(c->a, "%s?order=newest&limit=%lld&level=%s",
                        cli_path(c->a, "/training/jobs/%s/logs", id), (long long)f->limit,
                        levels[f->level]);
    rc = path ? cli_call(c, c->a, HTTP_GET, path, NULL, &page, e) : cli_nomem(e);
    lines = ARENA_ARRAY(c->a, const struct json *, (size_t)f->limit);
    if (!rc && !lines)
        rc = cli_nomem(e);
    if (rc)
        return rc;
    JSON_EACH(l, json_get(page, "logs"))
        if (n < (size_t)f->limit)
            lines[n++] = l;
    while (n)
        say_logs(c, lines[--n]);
    cli_json_text(c, page->raw);
    return RC_OK;
}

static enum rc run_metrics(struct cli *c, struct err *e)
{
    static const char *const heads[] = {"METRIC", ">EPOCH", ">VALUE", NULL};
    const struct metric_flags *f = c->flags;
    const struct json *doc = NULL;
    const char *id = NULL, *path;
    struct table t;
    enum rc rc = job_id_of(c, c->args[0], &id, e);

    if (rc)
        return rc;
    path = arena_printf(c->a, "%s?name=%s", cli_path(c->a, "/training/jobs/%s/metrics", id),
                        cli_url_text(c->a, f->name));
    rc = path ? cli_call(c, c->a, HTTP_GET, path, NULL, &doc, e) : cli_nomem(e);
    if (rc)
        return rc;
    table_init(&t, c, heads);
    JSON_EACH(m, json_get(doc, "metrics"))
        JSON_EACH(p, m) {
            table_cell(&t, "%s", cli_cstr(c, m->key));
            table_cell(&t, "%lld", number(p, "epoch"));
            table_cell(&t, "%.6g", json_num(p, "value", NAN));
        }
    table_print(&t, "no metrics yet");
    cli_json_text(c, doc->raw);
    return RC_OK;
}

static enum rc run_checkpoints(struct cli *c, struct err *e)
{
    static const char *const heads[] = {">EPOCH", "KIND", "SCORE", ">SIZE", "WEIGHTS", NULL};
    const struct json *doc = NULL;
    const char *id = NULL;
    struct table t;
    enum rc rc = job_id_of(c, c->args[0], &id, e);

    if (!rc)
        rc = cli_call(c, c->a, HTTP_GET, cli_path(c->a, "/training/jobs/%s/checkpoints", id), NULL,
                      &doc, e);
    if (rc)
        return rc;
    table_init(&t, c, heads);
    JSON_EACH(k, json_get(doc, "checkpoints")) {
        const char *metric = text_in(c, k, "metric");

        table_cell(&t, "%lld", number(k, "epoch"));
        table_cell(&t, "%s%s%s", json_bool(k, "is_best", false) ? "best " : "",
                   json_bool(k, "is_last", false) ? "last " : "",
                   json_bool(k, "is_periodic", false) ? "kept" : "");
        table_cell(&t, "%s %s", metric, metric_text(c->a, metric, json_num(k, "value", NAN)));
        table_cell(&t, "%s", cli_bytes(c->a, (double)number(k, "weights_bytes")));
        table_cell(&t, "%s", text_in(c, k, "weights_sha256"));
    }
    table_print(&t, "no checkpoints yet");
    cli_json_text(c, doc->raw);
    return RC_OK;
}

#define FLAGS(f, s) .flags = f, .flags_size = sizeof(struct s)
#define ONE         .args = "JOB", .args_min = 1, .args_max = 1
#define MANY        .args = "JOB...", .args_min = 1, .args_max = -1
static const struct verb verbs[] = {
    {.name = "list",
     .args = "",
     FLAGS(list_fields, list_flags),
     .summary = "List jobs.",
     .examples = "  anneal jobs list --status running,queued\n"
                 "  anneal jobs list --dataset flowers --sort score\n",
     .run = run_list},
    {.name = "show",
     ONE,
     .summary = "Show a job; `last` is the newest.",
     .examples = "  anneal jobs show last\n  anneal jobs show JOB --json\n",
     .run = run_show},
    {.name = "wait",
     ONE,
     .summary = "Follow a job to its end; Ctrl-C leaves it running.",
     .examples = "  anneal jobs wait last\n",
     .run = run_wait},
    {.name = "cancel",
     MANY,
     .summary = "Cancel jobs, for good.",
     .examples = "  anneal jobs cancel JOB\n",
     .run = run_cancel},
    {.name = "pause",
     MANY,
     FLAGS(ask_fields, ask_flags),
     .summary = "Pause jobs at the end of the epoch; their place goes to others.",
     .help =
         "A paused job keeps its place in the queue, outlives restarts, and with `resume` goes\n"
         "on from its last checkpoint, to the same weights as if it had never stopped.\n",
     .examples = "  anneal jobs pause JOB\n  anneal jobs pause JOB --now    # lose the epoch under "
                 "way\n",
     .run = run_pause},
    {.name = "stop",
     MANY,
     FLAGS(ask_fields, ask_flags),
     .summary = "Stop trainings early and keep the best so far: they complete.",
     .examples = "  anneal jobs stop JOB\n",
     .run = run_stop},
    {.name = "logs",
     ONE,
     FLAGS(log_fields, log_flags),
     .summary = "Print the log of a job.",
     .examples = "  anneal jobs logs last --follow\n  anneal jobs logs JOB --level warning\n",
     .run = run_logs},
    {.name = "metrics",
     ONE,
     FLAGS(metric_fields, metric_flags),
     .summary = "Print the metrics of a job by epoch.",
     .examples = "  anneal jobs metrics last --name val/accuracy\n",
     .run = run_metrics},
    {.name = "checkpoints",
     ONE,
     .summary = "List the checkpoints of a job.",
     .examples = "  anneal jobs checkpoints last\n",
     .run = run_checkpoints},
    {.name = "start",
     MANY,
     .summary = "Queue pending jobs (made with train --no-start).",
     .examples = "  anneal jobs start JOB\n",
     .run = run_start},
    {.name = "restart",
     ONE,
     FLAGS(restart_fields, again_flags),
     .summary = "The same again as a new job; the old one stays.",
     .examples = "  anneal jobs restart JOB --wait\n",
     .run = run_restart},
    {.name = "resume",
     ONE,
     FLAGS(resume_fields, again_flags),
     .summary = "Go on with a paused job; or, as a new job, from where an ended one left off.",
     .examples = "  anneal jobs resume JOB\n  anneal jobs resume JOB --epochs 40 --wait\n",
     .run = run_resume},
    {.name = "top",
     .args = "",
     .summary = "Watch what runs and waits.",
     .examples = "  anneal jobs top\n",
     .run = run_top},
    {.name = NULL}};
const struct command jobs_command = {
    "jobs",
    "list|show|wait|cancel|pause|stop|logs|metrics|checkpoints|start|restart|resume|top",
    "List, follow, cancel and repeat jobs.",
    "",
    NULL,
    verbs};
