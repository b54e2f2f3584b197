/* cli_models.c - `anneal models`: what can be trained, and the registry: what is kept of it,
 * approved, published, rolled back, downloaded. */
#include "bin/cli_jobs.h"
#include "os/os.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *arg(struct cli *c, size_t i)
{
    const char *s = arena_cstr(c->a, c->args[i]);

    return s ? s : "";
}

static const char *digits(struct cli *c, int64_t n)
{
    const char *s = arena_printf(c->a, "%lld", (long long)n);

    return s ? s : "";
}

/* ---- what can be trained */

static enum rc run_trainable(struct cli *c, struct err *e)
{
    static const char *const heads[] = {"MODEL",     "TASK",        ">PARAMETERS", ">SIZE",
                                        "FRAMEWORK", "DESCRIPTION", NULL};
    const struct json *doc = NULL;
    struct table t;
    enum rc rc = cli_call(c, c->a, HTTP_GET, "/models/list", NULL, &doc, e);

    if (rc)
        return rc;
    table_init(&t, c, heads);
    JSON_EACH(m, json_get(doc, "models")) {
        table_cell(&t, "%s", text_in(c, m, "name"));
        table_cell(&t, "%s", text_in(c, m, "task"));
        table_cell(&t, "%.1f M", (double)json_int(m, "parameters", 0) / 1e6);
        table_cell(&t, "%lld", (long long)json_int(m, "image_size", 0));
        table_cell(&t, "%s", text_in(c, m, "framework"));
        table_cell(&t, "%s", text_in(c, m, "description"));
    }
    table_print(&t, "no trainer answers, so no model is known");
    JSON_EACH(s, json_get(doc, "trainers"))
        if (!str_is(json_str(s, "state", STR("")), "up"))
            cli_note(c, "the trainer '%s' does not answer: %s\n", text_in(c, s, "framework"),
                     text_in(c, s, "error"));
    cli_json_text(c, doc->raw);
    return RC_OK;
}

/* ---- what is registered */

static const char *live_of(struct cli *c, const struct json *model)
{
    const char *s = "";

    JSON_EACH(a, json_get(model, "aliases")) {
        const char *next =
            arena_printf(c->a, "%s%s%s (%lld)", s, *s ? ", " : "", text_in(c, a, "alias"),
                         (long long)json_int(a, "version", 0));
        s = next ? next : s;
    }
    return s;
}

static enum rc run_list(struct cli *c, struct err *e)
{
    static const char *const heads[] = {"MODEL", "TASK", ">VERSIONS", "LIVE", "UPDATED", NULL};
    const struct json *doc = NULL;
    struct table t;
    enum rc rc = cli_call(c, c->a, HTTP_GET, "/registry/models?limit=200", NULL, &doc, e);

    if (rc)
        return rc;
    table_init(&t, c, heads);
    JSON_EACH(m, json_get(doc, "models")) {
        table_cell(&t, "%s", text_in(c, m, "name"));
        table_cell(&t, "%s", text_in(c, m, "task"));
        table_cell(&t, "%lld", (long long)json_int(m, "versions", 0));
        table_cell(&t, "%s", live_of(c, m));
        table_cell(&t, "%s", cli_when(c->a, json_str(m, "updated_at", STR(""))));
    }
    table_print(&t, "no model is registered; `anneal models register NAME --job JOB` does that");
    cli_json_text(c, doc->raw);
    return RC_OK;
}

static const char *score_of(struct cli *c, const struct json *v)
{
    const struct json *evaluation = json_get(v, "evaluation"), *score;
    str goal = json_str(v, "goal", STR(""));

    JSON_EACH(s, json_get(evaluation, "scores")) {
        ptrdiff_t slash = str_rchr(s->key, '/');

        if (str_eq(slash < 0 ? s->key : str_sub(s->key, (size_t)slash + 1, s->key.n), goal))
            return arena_printf(
                c->a, "%s %s", cli_cstr(c, s->key),
                metric_text(c->a, cli_cstr(c, goal), s->type == JSON_INT ? (double)s->i : s->f));
    }
    score = json_get(v, "value");
    return score && score->type != JSON_NULL
               ? arena_printf(c->a, "%s %s (training)", text_in(c, v, "metric"),
                              metric_text(c->a, text_in(c, v, "metric"), json_num(v, "value", NAN)))
               : "";
}

static enum rc run_show(struct cli *c, struct err *e)
{
    static const char *const heads[] = {">VERSION", "STATE", "ALIASES", "SCORE",
                                        "JOB",      ">SIZE", "BY",      NULL};
    const char *path = cli_path(c->a, "/registry/models/%s/versions", arg(c, 0));
    const struct json *doc = NULL;
    struct table t;
    enum rc rc = cli_call(c, c->a, HTTP_GET, path, NULL, &doc, e);

    if (rc)
        return rc;
    table_init(&t, c, heads);
    JSON_EACH(v, json_get(doc, "versions")) {
        const char *names = "";

        JSON_EACH(a, json_get(v, "aliases"))
            names = arena_printf(c->a, "%s%s%s", names, *names ? ", " : "", cli_cstr(c, a->s));
        table_cell(&t, "%lld", (long long)json_int(v, "version", 0));
        table_cell(&t, "%s", text_in(c, v, "state"));
        table_cell(&t, "%s", names ? names : "");
        table_cell(&t, "%s", score_of(c, v));
        table_cell(&t, "%s", text_in(c, v, "job_id"));
        table_cell(&t, "%s", cli_bytes(c->a, (double)json_int(v, "weights_bytes", 0)));
        table_cell(&t, "%s", text_in(c, v, "created_by_name"));
    }
    table_print(&t, "it has no version");
    cli_json_text(c, doc->raw);
    return RC_OK;
}

/* ---- registering */

struct register_flags {
    str job, checkpoint, notes, description;
};
#define S struct register_flags
static const struct field register_fields[] = {
    F_STR(S, job, .flags = FIELD_REQUIRED, .min = 1, .max = 64,
          .help = "Job that trained it; `last` is the newest."),
    F_STR(S, checkpoint, .dflt = "\"best\"", .max = 20, .help = "best, last or an epoch."),
    F_STR(S, notes, .max = 4096, .help = "What is new in it."),
    F_STR(S, description, .max = 4096, .help = "What the model is for, if it is new."), FIELD_END};
#undef S

static enum rc send_origin(struct cli *c, const char *path, const char *job, bool whole,
                           const struct json **ret, struct err *e)
{
    const struct register_flags *f = c->flags;
    struct buf b;
    struct jw w;
    enum rc rc;

    buf_init(&b, 64 << 10);
    jw_init(&w, &b);
    jw_obj(&w);
    if (whole) {
        jw_kstr(&w, "name", c->args[0]);
        jw_kstr(&w, "description", f->description);
    }
    jw_kcstr(&w, "job", job);
    jw_kstr(&w, "checkpoint", f->checkpoint);
    jw_kstr(&w, "notes", f->notes);
    jw_obj_end(&w);
    rc = cli_call(c, c->a, HTTP_POST, path, &b, ret, e);
    buf_done(&b);
    return rc;
}

/* The next version of the model of that name; where there is none, the model. */
static enum rc run_register(struct cli *c, struct err *e)
{
    const struct register_flags *f = c->flags;
    const char *job = NULL, *name = cli_cstr(c, c->args[0]);
    const struct json *doc = NULL;
    struct err first = {0};
    int64_t version = 1;
    enum rc rc = job_id_of(c, f->job, &job, e);

    if (rc)
        return rc;
    rc = cli_call(c, c->a, HTTP_GET, cli_path(c->a, "/registry/models/%s", arg(c, 0)), NULL, &doc,
                  &first);
    if (!rc)
        rc = send_origin(c, cli_path(c->a, "/registry/models/%s/versions", arg(c, 0)), job, false,
                         &doc, e);
    else if (rc == RC_NOT_FOUND)
        rc = send_origin(c, "/registry/models", job, true, &doc, e);
    else if (e)
        *e = first;
    if (rc)
        return rc;
    version = json_int(doc, "version", 1);
    cli_say(c, "%s%s%s version %lld\n", cli_style(c, STYLE_BOLD), name, cli_style(c, STYLE_NONE),
            (long long)version);
    cli_json_text(c, doc->raw);
    return RC_OK;
}

/* ---- what becomes of a version */

struct publish_flags {
    str alias, note;
    int64_t version;
};
#define S struct publish_flags
#define VERSION_FLAG                                                                               \
    F_INT(S, version, .min = 0, .max = 1e12, .help = "Number of the version; 0: the newest.")
#define NOTE_FLAG F_STR(S, note, .max = 4096, .help = "Why; kept in the history.")
#define ALIAS_FLAG                                                                                 \
    F_STR(S, alias, .dflt = "\"production\"", .min = 1, .max = 64,                                 \
          .help = "Name that is asked for.")
static const struct field publish_fields[] = {VERSION_FLAG, ALIAS_FLAG, NOTE_FLAG, FIELD_END};
static const struct field rollback_fields[] = {ALIAS_FLAG, NOTE_FLAG, FIELD_END};
static const struct field approve_fields[] = {VERSION_FLAG, NOTE_FLAG, FIELD_END};
#undef S

static enum rc version_named(struct cli *c, int64_t given, int64_t *ret, struct err *e)
{
    const struct json *doc = NULL;
    enum rc rc = RC_OK;

    *ret = given;
    if (!given) {
        rc = cli_call(c, c->a, HTTP_GET, cli_path(c->a, "/registry/models/%s", arg(c, 0)), NULL,
                      &doc, e);
        *ret = json_int(doc, "version_last", 1);
    }
    return rc;
}

static enum rc change(struct cli *c, enum http_method m, const char *path, const char *key,
                      const char *value, int64_t version, const char *said, struct err *e)
{
    const struct publish_flags *f = c->flags;
    const struct json *doc = NULL;
    struct buf b;
    struct jw w;
    enum rc rc;

    buf_init(&b, 64 << 10);
    jw_init(&w, &b);
    jw_obj(&w);
    if (key)
        jw_kcstr(&w, key, value);
    if (version)
        jw_kint(&w, "version", version);
    jw_kstr(&w, "note", f->note);
    jw_obj_end(&w);
    rc = cli_call(c, c->a, m, path, &b, &doc, e);
    buf_done(&b);
    if (rc)
        return rc;
    cli_say(c, "%s version %lld %s\n", text_in(c, doc, "model"),
            (long long)json_int(doc, "version", 0), said);
    cli_json_text(c, doc->raw);
    return RC_OK;
}

static enum rc run_approve(struct cli *c, struct err *e)
{
    const struct publish_flags *f = c->flags;
    int64_t version = 0;
    enum rc rc = version_named(c, f->version, &version, e);

    return rc ? rc
              : change(c, HTTP_POST,
                       cli_path(c->a, "/registry/models/%s/versions/%s/state", arg(c, 0),
                                digits(c, version)),
                       "action", "approve", 0, "is approved", e);
}

static enum rc run_publish(struct cli *c, struct err *e)
{
    const struct publish_flags *f = c->flags;
    const char *alias = cli_cstr(c, f->alias);
    int64_t version = 0;
    enum rc rc = version_named(c, f->version, &version, e);

    return rc ? rc
              : change(c, HTTP_PUT,
                       cli_path(c->a, "/registry/models/%s/aliases/%s", arg(c, 0), alias), NULL,
                       NULL, version, arena_printf(c->a, "is live as %s", alias), e);
}

static enum rc run_rollback(struct cli *c, struct err *e)
{
    const struct publish_flags *f = c->flags;
    const char *alias = cli_cstr(c, f->alias);

    return change(c, HTTP_POST,
                  cli_path(c->a, "/registry/models/%s/aliases/%s/rollback", arg(c, 0), alias), NULL,
                  NULL, 0, arena_printf(c->a, "is live again as %s", alias), e);
}

/* ---- evaluate */

struct evaluate_flags {
    str split, dataset;
    int64_t version;
    bool wait;
};
#define S struct evaluate_flags
static const struct field evaluate_fields[] = {
    F_INT(S, version, .min = 0, .max = 1e12, .help = "Number of the version; 0: the newest."),
    F_STR(S, split, .dflt = "\"test\"", .min = 1, .max = 8, .help = "train, val or test."),
    F_STR(S, dataset, .max = 200, .help = "Another dataset than the one it was trained on."),
    F_BOOL(S, wait, .help = "Wait for its end."), FIELD_END};
#undef S

static enum rc run_evaluate(struct cli *c, struct err *e)
{
    const struct evaluate_flags *f = c->flags;
    const struct json *job = NULL;
    int64_t version = 0;
    struct buf b;
    struct jw w;
    enum rc rc = f->wait ? follow_prepare(c, e) : RC_OK;

    if (!rc)
        rc = version_named(c, f->version, &version, e);
    if (rc)
        return rc;
    buf_init(&b, 64 << 10);
    jw_init(&w, &b);
    jw_obj(&w);
    jw_kstr(&w, "split", f->split);
    jw_kstr(&w, "dataset", f->dataset);
    jw_obj_end(&w);
    rc = cli_call(
        c, c->a, HTTP_POST,
        cli_path(c->a, "/registry/models/%s/versions/%s/evaluate", arg(c, 0), digits(c, version)),
        &b, &job, e);
    buf_done(&b);
    return rc ? rc : tell_new_job(c, job, f->wait, e);
}

/* ---- download */

struct download_flags {
    str version, out;
    int format;
    bool pixels;
};
static const char *const format_names[] = {"weights", "onnx", "c", "safetensors", NULL};
#define S struct download_flags
static const struct field download_fields[] = {
    F_STR(S, version, .dflt = "\"production\"", .min = 1, .max = 64,
          .help = "Number, alias, or `latest`."),
    F_ENUM(S, format, format_names, .dflt = "\"weights\"",
           .help = "weights as they were trained, or an export, which is verified."),
    F_BOOL(S, pixels, .help = "The export's input is pixels, 0 to 255."),
    F_STR(S, out, .max = 4000, .help = "File; else a name made of the model's."), FIELD_END};
#undef S

static enum rc to_file(void *ud, const void *p, size_t n, struct err *e)
{
    return os_write_all(*(int *)ud, p, n, e);
}

/* Whole under its name, or absent. */
static enum rc fetch(struct cli *c, const char *url, const char *path, struct err *e)
{
    const char *part = arena_printf(c->a, "%s.part", path);
    struct client_call call = {.method = HTTP_GET, .timeout_ms = -1, .sink = to_file};
    struct client_reply reply = {0};
    int fd = -1;
    enum rc rc = part ? os_open(part, O_WRONLY | O_CREAT | O_TRUNC, 0644, &fd, e) : cli_nomem(e);

    if (rc)
        return rc;
    call.sink_ud = &fd;
    rc = cli_do(c, &call, url, NULL, &reply, e);
    if (!rc && reply.status != 200)
        rc = err_set(e, RC_UPSTREAM, "the server answered %d for the file", reply.status);
    if (!rc)
        rc = os_fsync(fd, e);
    os_close(fd);
    if (!rc)
        rc = os_rename_durable(part, path, e);
    if (rc)
        (void)os_sys.unlink(part);
    return rc;
}

static enum rc make_export(struct cli *c, const char *base, const struct json **ret, struct err *e)
{
    const struct download_flags *f = c->flags;
    struct buf b;
    struct jw w;

    buf_init(&b, 4096);
    jw_init(&w, &b);
    jw_obj(&w);
    jw_kcstr(&w, "format", format_names[f->format]);
    jw_kbool(&w, "pixels", f->pixels);
    jw_obj_end(&w);
    enum rc rc = cli_call(c, c->a, HTTP_POST, arena_printf(c->a, "%s/export", base), &b, ret, e);
    buf_done(&b);
    return rc;
}

static enum rc run_download(struct cli *c, struct err *e)
{
    const struct download_flags *f = c->flags;
    const char *base =
        cli_path(c->a, "/registry/models/%s/versions/%s", arg(c, 0), cli_cstr(c, f->version));
    const struct json *doc = NULL;
    const char *url, *out = f->out.n ? cli_cstr(c, f->out) : NULL, *header = NULL;
    enum rc rc = f->format ? make_export(c, base, &doc, e)
                           : cli_call(c, c->a, HTTP_GET, base, NULL, &doc, e);

    if (rc)
        return rc;
    url = f->format ? text_in(c, doc, "url") : arena_printf(c->a, "%s/weights", base);
    if (!out)
        out = f->format ? text_in(c, doc, "file")
                        : arena_printf(c->a, "%s-%lld.safetensors", text_in(c, doc, "model"),
                                       (long long)json_int(doc, "version", 0));
    if (!url || !out)
        return cli_nomem(e);
    rc = fetch(c, url, out, e);
    if (!rc && *text_in(c, doc, "header_url")) {
        ptrdiff_t slash = str_rchr(str_of(out), '/'); /* the source includes it by its own name */
        str file = json_str(doc, "file", STR(""));

        header = arena_printf(c->a, "%.*s%.*s.h", slash < 0 ? 0 : (int)slash + 1, out,
                              file.n > 2 ? (int)file.n - 2 : 0, file.p);
        rc = header ? fetch(c, text_in(c, doc, "header_url"), header, e) : cli_nomem(e);
    }
    if (rc)
        return rc;
    cli_say(c, "%s\n", out);
    if (header)
        cli_say(c, "%s\n", header);
    cli_json_text(c, doc->raw);
    return RC_OK;
}

#define FLAGS(t, s) .flags = t, .flags_size = sizeof(struct s)
static const struct verb verbs[] = {
    {.name = "trainable",
     .args = "",
     .alone = true,
     .summary = "What can be trained: the models of all trainers.",
     .examples = "  anneal models trainable        # or `anneal models` alone\n",
     .run = run_trainable},
    {.name = "list",
     .args = "",
     .summary = "Registered models, and what of them is live.",
     .examples = "  anneal models list\n",
     .run = run_list},
    {.name = "show",
     .args = "NAME",
     .args_min = 1,
     .args_max = 1,
     .summary = "The versions of a model.",
     .examples = "  anneal models show flowers\n",
     .run = run_show},
    {.name = "register",
     .args = "NAME",
     .args_min = 1,
     .args_max = 1,
     FLAGS(register_fields, register_flags),
     .summary = "Keep a checkpoint of a job as a model, or as the next version of one.",
     .examples = "  anneal models register flowers --job last\n",
     .run = run_register},
    {.name = "evaluate",
     .args = "NAME",
     .args_min = 1,
     .args_max = 1,
     FLAGS(evaluate_fields, evaluate_flags),
     .summary = "Score a version on a split, as a job.",
     .examples = "  anneal models evaluate flowers --split test --wait\n",
     .run = run_evaluate},
    {.name = "approve",
     .args = "NAME",
     .args_min = 1,
     .args_max = 1,
     FLAGS(approve_fields, publish_flags),
     .summary = "Approve an evaluated version, so that it can be published.",
     .examples = "  anneal models approve flowers --version 3\n",
     .run = run_approve},
    {.name = "publish",
     .args = "NAME",
     .args_min = 1,
     .args_max = 1,
     FLAGS(publish_fields, publish_flags),
     .summary = "Make an approved version live under an alias.",
     .examples = "  anneal models publish flowers --version 3 --alias production\n",
     .run = run_publish},
    {.name = "rollback",
     .args = "NAME",
     .args_min = 1,
     .args_max = 1,
     FLAGS(rollback_fields, publish_flags),
     .summary = "Make live again what was live under an alias before.",
     .examples = "  anneal models rollback flowers\n",
     .run = run_rollback},
    {.name = "download",
     .args = "NAME",
     .args_min = 1,
     .args_max = 1,
     FLAGS(download_fields, download_flags),
     .summary = "Download a version: its weights, or an export.",
     .examples = "  anneal models download flowers --version production --format onnx\n",
     .run = run_download},
    {.name = NULL}};
const struct command models_command = {
    "models", "[VERB]", "What can be trained, and the registry of what was.", "", NULL, verbs};
