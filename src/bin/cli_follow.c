/* cli_follow.c - a job as it happens: its live feed, with a bar on a terminal.
 *
 * The connection may break, and the server may be started anew, at any moment: the next one says
 * which event was the last (Last-Event-ID), so that none is shown twice and none is missing. */
#include "bin/cli_jobs.h"
#include "bin/cli_sse.h"
#include "os/os.h"

#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum {
    LOST_MS_MAX = 10 * 60 * 1000, /* so long without the server before we give up */
    AGAIN_MS = 1000,
    WAIT_STEP_MS = 50,
    ID_TEXT = 32,
};

static atomic_bool interrupted;

static void await_stop(void *ud)
{
    os_stop_wait();
    atomic_store(&interrupted, true);
}

enum rc follow_prepare(struct cli *c, struct err *e)
{
    struct pool *p = NULL; /* lives as long as the process: its thread only waits for a signal */
    enum rc rc;

    os_stop_block();
    rc = pool_new(&p, "stop", 1, 1, e);
    return rc ? rc : pool_submit(p, await_stop, NULL, e);
}

struct follow {
    struct cli *c;
    bool logs, ended;
    struct progress bar;
    char last[ID_TEXT]; /* id of the last whole event */
    char said[160];     /* last waiting reason */
    int64_t epoch_ms, events;
    struct arena a; /* of one event */
};

const char *text_in(struct cli *c, const struct json *o, const char *key)
{
    return cli_cstr(c, json_str(o, key, STR("")));
}

const char *metric_text(struct arena *a, const char *name, double value)
{
    static const char *const shares[] = {"accuracy", "top5",  "precision", "recall",
                                         "f1",       "map50", "map",       "mask_map50",
                                         "mask_map", "miou",  "dice"};
    const char *slash = strrchr(name, '/'), *text;

    name = slash ? slash + 1 : name;
    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++)
        if (!strcmp(name, shares[i])) {
            text = arena_printf(a, "%.1f %%", value * 100);
            return text ? text : "";
        }
    text = fabs(value) >= 0.001 && fabs(value) < 1000 ? arena_printf(a, "%.4f", value)
                                                      : arena_printf(a, "%.4g", value);
    return text ? text : "";
}

/* ---- one event */

static void add_metric(struct follow *f, char *line, size_t cap, const struct json *metrics,
                       const char *key, const char *label)
{
    double v = json_num(metrics, key, NAN);
    size_t n = strlen(line);

    if (!isnan(v) && n < cap)
        snprintf(line + n, cap - n, "%s%s %s", n ? "  " : "", label, metric_text(&f->a, key, v));
}

static void on_progress(struct follow *f, const struct json *v)
{
    const struct json *m = json_get(v, "metrics");
    double part = json_num(v, "progress", 0), speed = json_num(m, "images_per_second", 0);
    double seconds = (double)(os_mono_ms() - f->bar.started_ms) / 1000;
    char text[256] = "", phase[32];
    size_t n;

    add_metric(f, text, sizeof text, m, "train/loss", "loss");
    add_metric(f, text, sizeof text, m, "train/accuracy", "acc");
    n = strlen(text);
    if (speed > 0)
        n += (size_t)snprintf(text + n, sizeof text - n, "%s%.0f img/s", n ? "  " : "", speed);
    if (part > 0.02 && f->bar.started_ms && n < sizeof text)
        snprintf(text + n, sizeof text - n, "%sETA %s", n ? "  " : "",
                 cli_seconds(&f->a, seconds * (1 - part) / part));
    snprintf(phase, sizeof phase, "epoch %lld/%lld", (long long)json_int(v, "epoch", 0),
             (long long)json_int(v, "epochs", 0));
    progress_show(&f->bar, phase, part, text);
}

static void on_epoch(struct follow *f, const struct json *v)
{
    static const struct {
        const char *name, *label;
    } shown[] = {{"train/loss", "train loss"},
                 {"train/accuracy", "acc"},
                 {"val/loss", "val loss"},
                 {"val/accuracy", "acc"},
                 {"val/top5", "top-5"},
                 {"val/map50", "mAP50"},
                 {"val/map", "mAP"},
                 {"val/mask_map50", "mask mAP50"},
                 {"val/miou", "mIoU"},
                 {"test/loss", "test loss"},
                 {"test/accuracy", "acc"},
                 {"test/map50", "mAP50"},
                 {"test/mask_map50", "mask mAP50"},
                 {"test/miou", "mIoU"}};
    const struct json *m = json_get(v, "metrics"), *best = json_get(v, "best");
    long long epoch = (long long)json_int(v, "epoch", 0);
    int64_t now = json_int(v, "time", 0);
    char text[300] = "";
    size_t n;

    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++)
        add_metric(f, text, sizeof text, m, shown[i].name, shown[i].label);
    n = strlen(text);
    if (f->epoch_ms && now > f->epoch_ms && n < sizeof text)
        snprintf(text + n, sizeof text - n, "  %s",
                 cli_seconds(&f->a, (double)(now - f->epoch_ms) / 1000));
    f->epoch_ms = now;
    progress_line(&f->bar, "epoch %lld/%lld  %s%s", epoch, (long long)json_int(v, "epochs", 0),
                  text, json_int(best, "epoch", -1) == epoch ? "  best" : "");
}

static void on_state(struct follow *f, const struct json *v)
{
    str status = json_str(v, "status", STR("")), why = json_str(v, "waiting_reason", STR(""));
    char text[160];

    snprintf(text, sizeof text, "%.*s%s%.*s", STR_F(status), why.n ? ": " : "", STR_F(why));
    if (!strcmp(text, f->said) || (!why.n && !str_is(status, "queued")) ||
        str_is(status, "completed") || str_is(status, "failed") || str_is(status, "cancelled"))
        return;
    memcpy(f->said, text, sizeof text);
    if (f->c->bar && str_is(status, "queued"))
        progress_show(&f->bar, "queued", -1, cli_cstr(f->c, why));
    else
        progress_line(&f->bar, "%s", text);
}

static void on_log(struct follow *f, const struct json *v)
{
    str level = json_str(v, "level", STR("")), message = json_str(v, "message", STR(""));
    bool loud = str_is(level, "warning") || str_is(level, "error");
    char at[OS_TIME_TEXT];

    if (f->logs) {
        os_time_text(json_int(v, "time", 0), at);
        cli_say(f->c, "%s %-7.*s %.*s\n", at, STR_F(level), STR_F(message));
        fflush(stdout);
    } else if (loud) {
        progress_line(&f->bar, "%.*s: %.*s", STR_F(level), STR_F(message));
    }
}

static enum rc on_event(void *ud, str id, str name, str data, struct err *e)
{
    struct follow *f = ud;
    const struct json *v = NULL;

    if (atomic_load(&interrupted))
        return err_set(e, RC_CANCELLED, "interrupted");
    if (str_is(name, "end")) {
        f->ended = true;
        return RC_OK;
    }
    if (id.n && id.n < sizeof f->last)
        snprintf(f->last, sizeof f->last, "%.*s", STR_F(id));
    f->events++;
    arena_reset(&f->a);
    if (json_parse(&f->a, data, NULL, &v, NULL) || v->type != JSON_OBJ)
        return RC_OK; /* an event of the future */
    if (str_is(name, "log"))
        on_log(f, v);
    else if (f->logs)
        return RC_OK;
    else if (str_is(name, "progress"))
        on_progress(f, v);
    else if (str_is(name, "epoch"))
        on_epoch(f, v);
    else if (str_is(name, "state"))
        on_state(f, v);
    else if (str_is(name, "started")) {
        f->epoch_ms = json_int(v, "time", 0);
        f->bar.started_ms = os_mono_ms();
        progress_line(&f->bar, "started: %.*s", STR_F(json_str(v, "message", STR("running"))));
    }
    return RC_OK;
}

/* ---- the connection */

static enum rc sink(void *ud, const void *p, size_t n, struct err *e)
{
    return sse_feed(ud, p, n, e);
}

static enum rc connect_once(struct follow *f, struct sse *s, const char *path, struct err *e)
{
    char last[ID_TEXT + 32];
    const char *headers[] = {last, NULL};
    struct client_call call = {
        .method = HTTP_GET, .timeout_ms = -1, .cancel = &interrupted, .sink = sink, .sink_ud = s};
    struct client_reply reply = {0};
    struct arena a;
    struct buf b;
    enum rc rc;

    snprintf(last, sizeof last, "Last-Event-ID: %s", f->last);
    if (f->last[0])
        call.headers = headers;
    buf_init(&b, 1 << 20);
    call.reply = &b;
    sse_restart(s);
    rc = cli_do(f->c, &call, path, NULL, &reply, e);
    arena_init(&a, 1 << 20);
    if (!rc && reply.status >= 300)
        rc = cli_problem(&a, reply.status, buf_view(&b), e);
    arena_done(&a);
    buf_done(&b);
    return rc;
}

static void pause_ms(int64_t ms)
{
    int64_t until = os_mono_ms() + ms;

    while (!atomic_load(&interrupted) && os_mono_ms() < until)
        os_sleep_ms(WAIT_STEP_MS);
}

/* The stream ends after the last event of a job that has ended, and when the connection breaks: who
 * is not told the end asks again. */
static enum rc read_feed(struct follow *f, const char *path, struct err *e)
{
    struct sse s;
    int64_t heard_ms = os_mono_ms(), heard = 0;
    bool told = false;
    enum rc rc = RC_OK;

    sse_init(&s, on_event, f);
    while (!f->ended && !atomic_load(&interrupted)) {
        rc = connect_once(f, &s, path, e);
        if (f->events > heard || !rc) {
            heard = f->events;
            heard_ms = os_mono_ms();
            told = false;
        }
        if (f->ended || (rc && rc != RC_UNAVAILABLE && rc != RC_TIMEOUT && rc != RC_UPSTREAM))
            break;
        if (rc && os_mono_ms() - heard_ms > LOST_MS_MAX)
            break;
        if (rc == RC_UNAVAILABLE && !told) {
            progress_line(&f->bar, "the server does not answer; trying again");
            told = true;
        }
        pause_ms(AGAIN_MS);
    }
    sse_done(&s);
    return f->ended || atomic_load(&interrupted) ? RC_OK : rc;
}

enum rc job_get_json(struct cli *c, const char *id, const struct json **ret, struct err *e)
{
    return cli_call(c, c->a, HTTP_GET, cli_path(c->a, "/training/jobs/%s", id), NULL, ret, e);
}

enum rc follow_job(struct cli *c, const char *job, bool logs, const struct json **ret,
                   struct err *e)
{
    struct follow f = {.c = c, .logs = logs, .bar = {.c = c}};
    const char *path = cli_path(c->a, "/training/jobs/%s/events", job);
    enum rc rc;

    arena_init(&f.a, 16 << 20);
    rc = read_feed(&f, path, e);
    progress_end(&f.bar);
    arena_done(&f.a);
    if (rc)
        return rc;
    if (atomic_load(&interrupted) && !f.ended) {
        c->status = EXIT_INTERRUPTED;
        fprintf(
            stderr,
            "\nthe job goes on without us\n  follow it: anneal jobs wait %s\n  cancel it: anneal "
            "jobs cancel %s\n",
            job, job);
    }
    return job_get_json(c, job, ret, e);
}

/* ---- the end */

static void say_score(struct cli *c, const struct json *job)
{
    const struct json *best = json_get(job, "best");
    const char *metric = text_in(c, best, "metric");

    if (!best || best->type != JSON_OBJ)
        return;
    if (str_is(json_str(job, "kind", STR("")), "test"))
        cli_say(c, "score: %s %s\n", metric, metric_text(c->a, metric, json_num(best, "value", 0)));
    else
        cli_say(c, "best: %s %s at epoch %lld of %lld\n", metric,
                metric_text(c->a, metric, json_num(best, "value", 0)),
                (long long)json_int(best, "epoch", 0), (long long)json_int(job, "epochs", 0));
}

/* The scores of the best epoch, or of the last where none is the best. */
static enum rc say_metrics(struct cli *c, const char *id, int64_t best, struct err *e)
{
    const struct json *doc = NULL;
    enum rc rc =
        cli_call(c, c->a, HTTP_GET, cli_path(c->a, "/training/jobs/%s/metrics", id), NULL, &doc, e);

    if (rc)
        return rc;
    JSON_EACH(m, json_get(doc, "metrics")) {
        const struct json *shown = NULL;
        const char *name = cli_cstr(c, m->key);

        if (m->type != JSON_ARR || str_starts(m->key, STR("train/")) ||
            str_is(m->key, "learning_rate") || str_is(m->key, "images_per_second"))
            continue;
        JSON_EACH(p, m)
            if (!shown || json_int(shown, "epoch", 0) != best)
                shown = p;
        if (shown)
            cli_say(c, "  %-16s %s\n", name,
                    metric_text(c->a, name, json_num(shown, "value", NAN)));
    }
    return RC_OK;
}

enum rc wait_and_tell(struct cli *c, const char *id, struct err *e)
{
    const struct json *job = NULL;
    str status, why;
    enum rc rc = follow_job(c, id, false, &job, e);

    if (rc)
        return rc;
    status = json_str(job, "status", STR(""));
    why = json_str(json_get(job, "error"), "text", STR(""));
    if (str_is(status, "completed")) {
        say_score(c, job);
        rc = say_metrics(c, id, json_int(json_get(job, "best"), "epoch", -1), e);
        if (str_is(json_str(job, "kind", STR("")), "train"))
            cli_say(c, "next: anneal predict --job %s PICTURE\n", id);
    } else if (c->status != EXIT_INTERRUPTED) {
        c->status = EXIT_FAILED;
        fprintf(stderr, "anneal: the job %.*s%s%.*s\n", STR_F(status), why.n ? ": " : "",
                STR_F(why));
    }
    if (!rc)
        cli_json_text(c, job->raw);
    return rc;
}

enum rc tell_new_job(struct cli *c, const struct json *job, bool wait, struct err *e)
{
    const char *id = text_in(c, job, "job");
    const struct json *warnings = json_get(job, "warnings");

    cli_say(c, "job %s%s%s  %s on %s\n", cli_style(c, STYLE_BOLD), id, cli_style(c, STYLE_NONE),
            text_in(c, job, "model"), text_in(c, job, "dataset_name"));
    fflush(stdout);
    if (warnings && warnings->type == JSON_ARR)
        JSON_EACH(w, warnings)
            cli_note(c, "warning: %s: %s\n", text_in(c, w, "field"), text_in(c, w, "message"));
    if (wait)
        return wait_and_tell(c, id, e);
    cli_say(c, "follow it: anneal jobs wait %s\n", id);
    cli_json_text(c, job->raw);
    return RC_OK;
}
