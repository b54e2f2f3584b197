/* cli_train.c - `anneal train` and `anneal test`: make a job, and follow it.
 *
 * Every setting of a training is a flag, from the table that the server checks it with; only those
 * that were given are sent. */
#include "bin/cli_jobs.h"
#include "spec/train.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

struct train_flags {
    str dataset, version, framework, name, preset, resume, replay, from_checkpoint, notes;
    struct strs tags;
    int64_t priority, retries;
    bool start, wait, check;
};
#define S struct train_flags
static const struct field train_fields[] = {
    F_STR(S, dataset, .max = 200, .help = "Dataset to learn from, by name or id."),
    F_STR(S, version, .max = 64, .help = "Its version, by number or hash; else the newest."),
    F_STR(S, framework, .dflt = "\"anneal\"", .max = 32, .help = "Whose trainer runs it."),
    F_STR(S, name, .max = 200, .help = "Name for people; else made of model and dataset."),
    F_STR(S, preset, .max = 32,
          .help = "Settings to begin with: quick, standard, thorough, fine-tune."),
    F_INT(S, priority, .dflt = "50", .min = 0, .max = 100, .help = "Higher goes first."),
    F_INT(S, retries, .dflt = "-1", .min = -1, .max = 100,
          .help = "Further attempts after a lost one; -1 as configured."),
    F_STRS(S, tags, .max = 32, .help = "Short texts, separated by commas."),
    F_STR(S, notes, .max = 16 << 10, .help = "Notes."),
    F_BOOL(S, start, .dflt = "true", .help = "Queue it at once."),
    F_STR(S, resume, .max = 64,
          .help =
              "Go on from the last checkpoint of this job, as a new one; with --epochs for more."),
    F_STR(S, replay, .max = 64,
          .help = "Run this completed job again, wait, and tell whether the weights are the same."),
    F_STR(S, from_checkpoint, .max = 90,
          .help = "Begin with the weights of JOB, JOB:best, JOB:last or JOB:EPOCH."),
    F_BOOL(S, wait, .help = "Follow it to its end; Ctrl-C leaves it running."),
    F_BOOL(S, check, .help = "Say what is doubtful and how long it will take; make no job."),
    FIELD_END};
#undef S

/* ---- settings */

static void write_setting(struct jw *w, const struct field *f, const void *spec)
{
    const char *at = (const char *)spec + f->offset;

    jw_key(w, f->name);
    switch (f->type) {
    case FIELD_BOOL:
        jw_bool(w, *(const bool *)at);
        break;
    case FIELD_INT:
        jw_int(w, *(const int64_t *)at);
        break;
    case FIELD_NUM:
        jw_num(w, *(const double *)at);
        break;
    case FIELD_ENUM:
        jw_cstr(w, f->choices[*(const int *)at]);
        break;
    default:
        jw_str(w, *(const str *)at);
    }
}

static void write_config(struct cli *c, struct jw *w)
{
    jw_kobj(w, "config");
    for (const struct field *f = train_spec_fields; f->name; f++)
        if (flags_given(&c->given, f->name))
            write_setting(w, f, c->more);
    jw_obj_end(w);
}

static enum rc write_from(struct cli *c, struct jw *w, str text, struct err *e)
{
    ptrdiff_t colon = str_chr(text, ':');
    const char *job = NULL;
    enum rc rc = job_id_of(c, colon < 0 ? text : str_sub(text, 0, (size_t)colon), &job, e);

    if (rc)
        return rc;
    jw_kobj(w, "from_checkpoint");
    jw_kcstr(w, "job", job);
    if (colon >= 0)
        jw_kstr(w, "checkpoint", str_sub(text, (size_t)colon + 1, text.n));
    jw_obj_end(w);
    return RC_OK;
}

static enum rc write_job(struct cli *c, struct jw *w, struct err *e)
{
    const struct train_flags *f = c->flags;
    enum rc rc = RC_OK;

    jw_obj(w);
    jw_kstr(w, "dataset", f->dataset);
    jw_kstr(w, "version", f->version);
    jw_kstr(w, "framework", f->framework);
    jw_kstr(w, "name", f->name);
    jw_kstr(w, "preset", f->preset);
    jw_kstr(w, "notes", f->notes);
    jw_kint(w, "priority", f->priority);
    jw_kint(w, "retries", f->retries);
    jw_kbool(w, "start", f->start);
    jw_karr(w, "tags");
    for (size_t i = 0; i < f->tags.n; i++)
        jw_str(w, f->tags.p[i]);
    jw_arr_end(w);
    if (f->from_checkpoint.n)
        rc = write_from(c, w, f->from_checkpoint, e);
    write_config(c, w);
    jw_obj_end(w);
    return rc;
}

/* ---- resume: the settings are those of the old job */

/* `which` is --resume or --replay: the settings are those of the old job. */
static enum rc check_again(struct cli *c, const char *which, const char *instead, struct err *e)
{
    static const char *const fine[] = {"resume", "replay", "epochs", "name", "start", "wait",
                                       "url",    "token",  "data",   "json", "quiet"};

    for (size_t i = 0; i < c->given.given.n; i++) {
        const struct field *f = c->given.given.p[i];
        bool ok = false;

        for (size_t k = 0; k < sizeof fine / sizeof *fine; k++)
            ok |= !strcmp(f->name, fine[k]);
        if (!strcmp(which, "--replay"))
            ok &=
                strcmp(f->name, "epochs") && strcmp(f->name, "start") && strcmp(f->name, "resume");
        if (!ok)
            return cli_misuse(c, e,
                              "'%s' cannot be changed with %s: the settings are those of the old "
                              "job%s",
                              f->name, which, instead);
    }
    return RC_OK;
}

static enum rc resume(struct cli *c, const struct json **ret, struct err *e)
{
    const struct train_flags *f = c->flags;
    const struct train_spec *spec = c->more;
    const char *id = NULL;
    struct buf b;
    struct jw w;
    enum rc rc =
        check_again(c, "--resume", "; --from-checkpoint begins a new one with its weights", e);

    if (!rc)
        rc = job_id_of(c, f->resume, &id, e);
    if (rc)
        return rc;
    buf_init(&b, 1 << 20);
    jw_init(&w, &b);
    jw_obj(&w);
    jw_kstr(&w, "name", f->name);
    jw_kint(&w, "epochs", flags_given(&c->given, "epochs") ? spec->epochs : 0);
    jw_kbool(&w, "start", f->start);
    jw_obj_end(&w);
    rc = cli_call(c, c->a, HTTP_POST, cli_path(c->a, "/training/jobs/%s/resume", id), &b, ret, e);
    buf_done(&b);
    return rc;
}

static enum rc create(struct cli *c, const struct json **ret, struct err *e)
{
    struct buf b;
    struct jw w;
    enum rc rc;

    buf_init(&b, 4 << 20);
    jw_init(&w, &b);
    rc = write_job(c, &w, e);
    if (!rc)
        rc = cli_call(c, c->a, HTTP_POST, "/training/jobs", &b, ret, e);
    buf_done(&b);
    return rc;
}

enum { MODELS_MAX = 256 };

/* A name that the trainer does not know is told at once, with the nearest; the server takes it, and
 * the job would fail only when it starts.  A trainer that is down is no reason to refuse. */
static enum rc check_model(struct cli *c, struct err *e)
{
    const struct train_flags *f = c->flags;
    const struct train_spec *spec = c->more;
    const char *names[MODELS_MAX + 1] = {0}, *near;
    const struct json *doc = NULL;
    size_t n = 0;
    enum rc rc = cli_call(c, c->a, HTTP_GET, "/models/list", NULL, &doc, e);

    if (rc == RC_UNAVAILABLE || rc == RC_UNAUTHENTICATED)
        return rc;
    JSON_EACH(m, json_get(doc, "models")) {
        if (!str_eq(json_str(m, "framework", STR("")), f->framework) || n == MODELS_MAX)
            continue;
        if (str_eq(json_str(m, "name", STR("")), spec->model))
            return RC_OK;
        names[n++] = text_in(c, m, "name");
    }
    if (!n)
        return RC_OK;
    near = nearest_name(names, spec->model);
    return err_field(
        e, RC_INVALID, "model", "there is no model '%.*s'%s%s%s; `anneal models` lists them",
        STR_F(spec->model), near ? ", did you mean '" : "", near ? near : "", near ? "'?" : "");
}

/* Seconds as people say them. */
static const char *duration(struct arena *a, double s)
{
    if (s < 90)
        return arena_printf(a, "%.0f s", s);
    if (s < 5400)
        return arena_printf(a, "%.0f min", s / 60);
    return arena_printf(a, "%.1f h", s / 3600);
}

static void say_estimate(struct cli *c, const struct json *x)
{
    const struct json *m = json_get(x, "measured");
    double s = json_num(x, "seconds", NAN);

    if (isnan(s))
        cli_say(c, "time: not known (%s)\n", text_in(c, x, "reason"));
    else
        cli_say(c, "time: about %s (%s to %s), by %s\n", duration(c->a, s),
                duration(c->a, json_num(x, "least", 0)), duration(c->a, json_num(x, "most", 0)),
                str_is(json_str(x, "basis", STR("")), "runs") ? "former runs" : "a measurement");
    if (m && m->type == JSON_OBJ)
        cli_say(c, "memory: %s, weights: %s, %.0f pictures a second\n",
                cli_bytes(c->a, json_num(m, "memory_bytes", 0)),
                cli_bytes(c->a, json_num(m, "weights_bytes", 0)),
                json_num(m, "train_images_per_second", 0));
}

/* --check: exit 1 if the training would be refused. */
static enum rc check_training(struct cli *c, struct err *e)
{
    const struct json *doc = NULL;
    struct buf b;
    struct jw w;
    enum rc rc;

    buf_init(&b, 4 << 20);
    jw_init(&w, &b);
    rc = write_job(c, &w, e);
    if (!rc)
        rc = cli_call(c, c->a, HTTP_POST, "/training/check", &b, &doc, e);
    buf_done(&b);
    if (rc)
        return rc;
    JSON_EACH(one, json_get(doc, "errors"))
        cli_say(c, "error: %s: %s\n", text_in(c, one, "field"), text_in(c, one, "message"));
    JSON_EACH(one, json_get(doc, "warnings"))
        cli_say(c, "warning: %s: %s\n", text_in(c, one, "field"), text_in(c, one, "message"));
    if (json_bool(doc, "ok", false))
        say_estimate(c, json_get(doc, "estimate"));
    else
        c->status = EXIT_FAILED;
    cli_json_text(c, doc->raw);
    return RC_OK;
}

static enum rc run_train(struct cli *c, struct err *e)
{
    const struct train_flags *f = c->flags;
    struct train_spec *spec = c->more;
    const struct json *job = NULL;
    enum rc rc = RC_OK;

    if (f->replay.n) {
        rc = check_again(c, "--replay", "", e);
        return rc ? rc : replay_job(c, f->replay, f->name, e);
    }
    if (!f->dataset.n && !f->resume.n)
        return cli_misuse(c, e, "--dataset DATASET is needed (or --resume JOB, or --replay JOB)");
    if (f->wait && !f->start)
        return cli_misuse(c, e, "--wait with --no-start would wait for ever");
    if (f->check && f->resume.n)
        return cli_misuse(c, e, "--check looks at a new training; --resume has its settings");
    if (f->wait && !f->check)
        rc = follow_prepare(c, e);
    if (!rc && flags_given(&c->given, "model") && !f->resume.n)
        rc = check_model(c, e);
    if (!rc && spec->weights.n && !f->resume.n)
        rc = cli_weights(c, spec->weights, &spec->weights, e);
    if (!rc)
        rc = f->check      ? check_training(c, e)
             : f->resume.n ? resume(c, &job, e)
                           : create(c, &job, e);
    return rc || f->check ? rc : tell_new_job(c, job, f->wait, e);
}

static const struct verb train_verbs[] = {
    {.name = "",
     .args = "",
     .flags = train_fields,
     .flags_size = sizeof(struct train_flags),
     .more = train_spec_fields,
     .more_size = sizeof(struct train_spec),
     .summary = "Train a model on a dataset.",
     .help =
         "Makes a job and queues it; the settings that are not given have the values in brackets.\n"
         "With --wait the last line with --json is the job as it ended: job, status, epochs,\n"
         "best {epoch, metric, value}, weights_sha256.  Exit 1 unless it completed.\n"
         "--replay JOB runs a completed job again with the same data version, settings and seed,\n"
         "and says \"reproduced\", or in which epoch what first differed.  Exit 0 if reproduced,\n"
         "4 if not, 1 if it did not complete.  With --json the last line is {job, replay_of,\n"
         "reproduced, first_difference {epoch, what}, weights_sha256, engine, engine_before,\n"
         "engine_differs}.\n",
     .examples =
         "  anneal train --dataset flowers --model resnet18 --epochs 5 --wait\n"
         "  anneal train --dataset flowers --preset thorough --check  # doubts, time, memory\n"
         "  anneal train --dataset flowers --learning-rate 0.02 --mixup 0.2 --seed 7\n"
         "  anneal train --resume JOB --epochs 40 --wait       # more epochs of an old job\n"
         "  anneal train --dataset flowers --from-checkpoint JOB:best\n"
         "  anneal train --dataset cells --model detect-n --weights job:JOB --freeze backbone\n"
         "  anneal train --dataset flowers --weights resnet18.safetensors --stem large\n"
         "  anneal train --replay JOB --json                   # the same weights again?\n",
     .run = run_train},
    {.name = NULL}};
const struct command train_command = {
    "train",    "--dataset NAME [--wait] [SETTINGS]", "Train a model on a dataset.", "", NULL,
    train_verbs};

/* ---- test */

struct test_flags {
    str job, split, checkpoint, dataset, version, name;
    bool wait;
};
#define S struct test_flags
static const struct field test_fields[] = {
    F_STR(S, job, .flags = FIELD_REQUIRED, .min = 1, .max = 64,
          .help = "Job whose model is scored; `last` is the newest."),
    F_STR(S, split, .dflt = "\"test\"", .min = 1, .max = 8, .help = "train, val or test."),
    F_STR(S, checkpoint, .dflt = "\"best\"", .max = 20, .help = "best, last or an epoch."),
    F_STR(S, dataset, .max = 200, .help = "Another dataset; else the one it learned from."),
    F_STR(S, version, .max = 64, .help = "Version of that dataset."),
    F_STR(S, name, .max = 200, .help = "Name for people."),
    F_BOOL(S, wait, .help = "Follow it to its end; Ctrl-C leaves it running."),
    FIELD_END};
#undef S

static enum rc run_test(struct cli *c, struct err *e)
{
    const struct test_flags *f = c->flags;
    const struct json *job = NULL;
    const char *id = NULL;
    struct buf b;
    struct jw w;
    enum rc rc = f->wait ? follow_prepare(c, e) : RC_OK;

    if (!rc)
        rc = job_id_of(c, f->job, &id, e);
    if (rc)
        return rc;
    buf_init(&b, 1 << 20);
    jw_init(&w, &b);
    jw_obj(&w);
    jw_kstr(&w, "split", f->split);
    jw_kstr(&w, "checkpoint", f->checkpoint);
    jw_kstr(&w, "dataset", f->dataset);
    jw_kstr(&w, "version", f->version);
    jw_kstr(&w, "name", f->name);
    jw_obj_end(&w);
    rc = cli_call(c, c->a, HTTP_POST, cli_path(c->a, "/training/jobs/%s/test", id), &b, &job, e);
    buf_done(&b);
    return rc ? rc : tell_new_job(c, job, f->wait, e);
}

static const struct verb test_verbs[] = {
    {.name = "",
     .args = "",
     .flags = test_fields,
     .flags_size = sizeof(struct test_flags),
     .summary = "Score a model on a split it has not learned from.",
     .examples = "  anneal test --job JOB --split test --wait\n"
                 "  anneal test --job last --dataset other-flowers --split val --wait --json\n",
     .run = run_test},
    {.name = NULL}};
const struct command test_command = {
    "test", "--job JOB [--split test] [--wait]", "Score a model on a split.", "", NULL, test_verbs};
