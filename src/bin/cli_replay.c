/* cli_replay.c - `anneal train --replay JOB`: the same job again, held against the first, epoch by
 * epoch.
 *
 * Compared are the metrics of every epoch, as exact numbers (but for images_per_second, which is
 * time), and the SHA-256 of the weights of every checkpoint that both have; at the end that of the
 * best weights.  The first epoch in which anything differs is told. */
#include "bin/cli_jobs.h"

#include <stdio.h>
#include <string.h>

enum { WHAT_MAX = 96 };

struct replay {
    struct cli *c;
    const struct json *before, *after; /* the jobs */
    int64_t epoch;                     /* of the first difference; 0: none */
    char what[WHAT_MAX];
};

/* Of two differences in one epoch the first that is found is told. */
static void differs(struct replay *r, int64_t epoch, str what)
{
    if (r->epoch && epoch >= r->epoch)
        return;
    r->epoch = epoch;
    snprintf(r->what, sizeof r->what, "%.*s", STR_F(what));
}

static enum rc results_of(struct cli *c, const struct json *job, const char *what,
                          const struct json **ret, struct err *e)
{
    const char *path = arena_printf(
        c->a, "%s/%s", cli_path(c->a, "/training/jobs/%s", text_in(c, job, "job")), what);

    return path ? cli_call(c, c->a, HTTP_GET, path, NULL, ret, e) : cli_nomem(e);
}

static const struct json *at_epoch(const struct json *list, int64_t epoch)
{
    if (list && list->type == JSON_ARR)
        JSON_EACH(p, list)
            if (json_int(p, "epoch", -1) == epoch)
                return p;
    return NULL;
}

/* ---- metrics */

static bool same_number(const struct json *a, const struct json *b)
{
    const struct json *x = json_get(a, "value"), *y = json_get(b, "value");

    return x && y && str_eq(x->raw, y->raw); /* the shortest text of the same double */
}

static void compare_points(struct replay *r, str name, const struct json *before,
                           const struct json *after)
{
    if (!before || before->type != JSON_ARR)
        return;
    JSON_EACH(p, before) {
        const int64_t epoch = json_int(p, "epoch", 0);
        if (!same_number(p, at_epoch(after, epoch)))
            differs(r, epoch, name);
    }
}

/* Those of one run that the other lacks differ too, so both ways are looked at. */
static void compare_metrics(struct replay *r, const struct json *before, const struct json *after)
{
    const struct json *sides[2] = {json_get(before, "metrics"), json_get(after, "metrics")};

    for (int k = 0; k < 2; k++) {
        if (!sides[k] || sides[k]->type != JSON_OBJ)
            continue;
        JSON_EACH(m, sides[k]) {
            const char *name = arena_cstr(r->c->a, m->key);
            if (name && strcmp(name, "images_per_second") != 0 && strncmp(name, "system/", 7) != 0)
                compare_points(r, m->key, m, json_get(sides[!k], name));
        }
    }
}

/* ---- weights */

static void compare_weights(struct replay *r, const struct json *before, const struct json *after)
{
    const struct json *list = json_get(before, "checkpoints");

    if (!list || list->type != JSON_ARR)
        return;
    JSON_EACH(k, list) {
        const int64_t epoch = json_int(k, "epoch", 0);
        const struct json *other = at_epoch(json_get(after, "checkpoints"), epoch);
        if (other && !str_eq(json_str(k, "weights_sha256", STR("")),
                             json_str(other, "weights_sha256", STR("-"))))
            differs(r, epoch, STR("weights"));
    }
}

static enum rc compare(struct replay *r, struct err *e)
{
    const struct json *before = NULL, *after = NULL;
    struct cli *c = r->c;
    enum rc rc = results_of(c, r->before, "checkpoints", &before, e);

    if (!rc)
        rc = results_of(c, r->after, "checkpoints", &after, e);
    if (!rc)
        compare_weights(r, before, after);
    if (!rc)
        rc = results_of(c, r->before, "metrics", &before, e);
    if (!rc)
        rc = results_of(c, r->after, "metrics", &after, e);
    if (rc)
        return rc;
    compare_metrics(r, before, after);
    if (!str_eq(json_str(r->before, "weights_sha256", STR("")),
                json_str(r->after, "weights_sha256", STR("-"))) &&
        !r->epoch)
        differs(r, json_int(r->after, "epochs", 0), STR("best weights"));
    return RC_OK;
}

/* ---- telling */

static str engine_of(const struct json *job)
{
    const struct json *engine = json_get(job, "engine");

    return engine && engine->type == JSON_OBJ ? engine->raw : STR("null");
}

static const char *engine_text(struct cli *c, const struct json *job)
{
    const struct json *e = json_get(job, "engine");
    const char *version = text_in(c, e, "onednn"), *text;

    if (!e || e->type != JSON_OBJ)
        return "not recorded";
    text = arena_printf(c->a, "Anneal %s, %s%s%s, %s, %s", text_in(c, e, "version"),
                        text_in(c, e, "backend"), *version ? " " : "", version,
                        text_in(c, e, "isa"), text_in(c, e, "precision"));
    return text ? text : "";
}

static void tell(struct replay *r, bool completed)
{
    struct cli *c = r->c;
    const bool same_engine = str_eq(engine_of(r->before), engine_of(r->after));
    struct buf b;
    struct jw w;

    if (completed && !r->epoch)
        cli_say(c, "%sreproduced%s: weights %s\n", cli_style(c, STYLE_GOOD),
                cli_style(c, STYLE_NONE), text_in(c, r->after, "weights_sha256"));
    else if (completed)
        cli_say(c, "%snot reproduced%s: %s of epoch %lld differ first\n", cli_style(c, STYLE_BAD),
                cli_style(c, STYLE_NONE), r->what, (long long)r->epoch);
    if (!same_engine)
        cli_say(c, "the engines differ: %s then, %s now\n", engine_text(c, r->before),
                engine_text(c, r->after));
    buf_init(&b, 1 << 20);
    jw_init(&w, &b);
    jw_obj(&w);
    jw_kstr(&w, "job", json_str(r->after, "job", STR("")));
    jw_kstr(&w, "replay_of", json_str(r->before, "job", STR("")));
    jw_kstr(&w, "status", json_str(r->after, "status", STR("")));
    jw_kbool(&w, "reproduced", completed && !r->epoch);
    jw_key(&w, "first_difference");
    if (r->epoch) {
        jw_obj(&w);
        jw_kint(&w, "epoch", r->epoch);
        jw_kcstr(&w, "what", r->what);
        jw_obj_end(&w);
    } else {
        jw_null(&w);
    }
    jw_kstr(&w, "weights_sha256", json_str(r->after, "weights_sha256", STR("")));
    jw_kraw(&w, "engine", engine_of(r->after));
    jw_kraw(&w, "engine_before", engine_of(r->before));
    jw_kbool(&w, "engine_differs", !same_engine);
    jw_obj_end(&w);
    cli_json_buf(c, &b);
}

static enum rc start_again(struct cli *c, const char *id, str name, const struct json **ret,
                           struct err *e)
{
    struct buf b;
    struct jw w;

    buf_init(&b, 1 << 16);
    jw_init(&w, &b);
    jw_obj(&w);
    jw_kstr(&w, "name", name);
    jw_obj_end(&w);
    enum rc rc =
        cli_call(c, c->a, HTTP_POST, cli_path(c->a, "/training/jobs/%s/replay", id), &b, ret, e);
    buf_done(&b);
    return rc;
}

enum rc replay_job(struct cli *c, str word, str name, struct err *e)
{
    struct replay r = {.c = c};
    const struct json *made = NULL;
    const char *id = NULL;
    enum rc rc = follow_prepare(c, e);

    if (!rc)
        rc = job_id_of(c, word, &id, e);
    if (!rc)
        rc = job_get_json(c, id, &r.before, e);
    if (!rc)
        rc = start_again(c, id, name, &made, e);
    if (rc)
        return rc;
    cli_say(c, "job %s%s%s replays %s\n", cli_style(c, STYLE_BOLD), text_in(c, made, "job"),
            cli_style(c, STYLE_NONE), text_in(c, r.before, "job"));
    fflush(stdout);
    rc = follow_job(c, text_in(c, made, "job"), false, &r.after, e);
    if (rc)
        return rc;
    const bool completed = str_is(json_str(r.after, "status", STR("")), "completed");
    if (completed)
        rc = compare(&r, e);
    if (rc)
        return rc;
    if (completed && r.epoch)
        c->status = EXIT_DIFFERS;
    if (!completed && c->status != EXIT_INTERRUPTED) {
        const struct json *error = json_get(r.after, "error");
        c->status = EXIT_FAILED;
        fprintf(stderr, "anneal: the replay did not complete: it is %s %s\n",
                text_in(c, r.after, "status"), text_in(c, error, "text"));
    }
    tell(&r, completed);
    return RC_OK;
}
