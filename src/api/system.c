/* system.c - /health, /metrics, /version. */
#include "api/app.h"
#include "db/db.h"
#include "flow/job/job.h"
#include "flow/telemetry/metrics.h"
#include "net/http.h"
#include "os/os.h"
#include "s3/s3.h"
#include "spec/config.h"

static void part(struct jw *w, const char *name, enum rc rc, const struct err *e,
                 int64_t started_ns)
{
    jw_kobj(w, name);
    jw_kcstr(w, "status", rc ? "down" : "up");
    if (rc)
        jw_kcstr(w, "error", e->text);
    jw_knum(w, "ms", (double)(os_mono_ns() - started_ns) / 1e6);
    jw_obj_end(w);
}

/* The trainers' states as the scheduler last saw them: {"anneal":{"status":"up"..},..}; true if one
 * that is configured is down.  Lives in api/models.c beside the merged list of models. */
bool trainers_health(struct app *app, struct jw *w);

static enum rc get_health(struct ctx *c, struct err *e)
{
    struct err db_err = {0}, s3_err = {0};
    int64_t t = os_mono_ns();
    enum rc db_rc, s3_rc;
    bool trainer_down;
    struct buf b;
    struct jw w;

    reply_begin(&b, &w);
    jw_obj(&w);
    jw_kobj(&w, "parts");
    db_rc = db_ping(c->app->db, &db_err);
    part(&w, "database", db_rc, &db_err, t);
    t = os_mono_ns();
    s3_rc = s3_ping(c->app->s3, &s3_err);
    part(&w, "store", s3_rc, &s3_err, t);
    jw_kobj(&w, "trainers");
    trainer_down = trainers_health(c->app, &w);
    jw_obj_end(&w);
    jw_obj_end(&w);
    jw_kcstr(&w, "status", db_rc || s3_rc ? "down" : trainer_down ? "degraded" : "up");
    jw_kcstr(&w, "version", ANNEAL_VERSION);
    jw_obj_end(&w);
    return reply_json(c, db_rc || s3_rc ? 503 : 200, &b, e);
}

/* Sets trainer_up as GET /health does; what it writes is not needed here. */
static void count_trainers(struct app *app)
{
    struct buf b;
    struct jw w;

    reply_begin(&b, &w);
    jw_obj(&w);
    trainers_health(app, &w);
    jw_obj_end(&w);
    buf_done(&b);
}

static enum rc get_metrics(struct ctx *c, struct err *e)
{
    struct metrics *m = c->app->metrics;
    int64_t running = 0, queued = 0;
    struct buf b;
    struct jw w;
    enum rc rc;

    rc = jobs_count(c->app->jobs, JOB_RUNNING, &running, e);
    if (!rc)
        rc = jobs_count(c->app->jobs, JOB_QUEUED, &queued, e);
    if (rc)
        return rc;
    metrics_set(m, METRIC_ACTIVE_TRAINING_JOBS, "", (double)running);
    metrics_set(m, METRIC_QUEUED_TRAINING_JOBS, "", (double)queued);
    metrics_set(m, METRIC_LIVE_SUBSCRIBERS, "", (double)hub_subscribers(c->app->hub));
    count_trainers(c->app);
    metrics_set(m, METRIC_RESIDENT_BYTES, "", (double)os_rss_bytes());
    reply_begin(&b, &w);
    metrics_write(m, &b);
    rc = buf_ok(&b, e);
    if (rc)
        buf_done(&b);
    else
        http_reply_buf(c->req, 200, "text/plain; version=0.0.4; charset=utf-8", &b);
    return rc;
}

static enum rc get_version(struct ctx *c, struct err *e)
{
    struct buf b;
    struct jw w;

    reply_begin(&b, &w);
    jw_obj(&w);
    jw_kcstr(&w, "name", "anneal");
    jw_kcstr(&w, "version", ANNEAL_VERSION);
    jw_kbool(&w, "registration", config_bool(c->app->config, "registration"));
    jw_obj_end(&w);
    return reply_json(c, 200, &b, e);
}

extern const struct route system_routes[];
const struct route system_routes[] = {
    {HTTP_GET, "/health", ACCESS_PUBLIC, .tag = "System",
     .summary = "Whether database, store and trainers answer, each asked now.",
     .help = "200 while database and store answer; `status` is degraded when a trainer does not. "
             "503 otherwise.",
     .fn = get_health},
    {HTTP_GET, "/metrics", ACCESS_METRICS, .tag = "System",
     .summary = "Counters for Prometheus, text format 0.0.4.", .fn = get_metrics},
    {HTTP_GET, "/version", ACCESS_PUBLIC, .tag = "System",
     .summary = "Name, version, open registration.", .fn = get_version},
    ROUTE_END};
