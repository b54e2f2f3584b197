/* jobs_results.c - what a job has produced: metrics, logs, checkpoints, attempts, validations.  The
 * results of each picture: jobs_pictures.c.
 *
 * The results of a validation lie in the store as JSON lines (spec/contract.h) and are read as a
 * stream, so a million pictures cost a million lines of time and one line of memory.
 */
#include "api/jobs.h"
#include "s3/s3.h"

/* ---- metrics */

struct metrics_query {
    str name;
    int64_t since;
};
static const struct field metrics_query_fields[] = {
    F_STR(struct metrics_query, name, .max = 64, .help = "Only this one, e.g. val/accuracy."),
    F_INT(struct metrics_query, since, .dflt = "-1", .min = -1, .max = 1e9,
          .help = "Only epochs after this one."),
    FIELD_END};

struct metrics_out {
    struct jw *w;
    char open[128]; /* the metric whose list is open */
};

static enum rc write_point(const struct metric_point *p, void *ud)
{
    struct metrics_out *o = ud;

    if (!str_is(p->name, o->open)) {
        if (o->open[0])
            jw_arr_end(o->w);
        snprintf(o->open, sizeof o->open, "%.*s", STR_F(p->name));
        jw_key_str(o->w, p->name);
        jw_arr(o->w);
    }
    jw_obj(o->w);
    jw_kint(o->w, "epoch", p->epoch);
    jw_kint(o->w, "step", p->step);
    jw_knum(o->w, "value", p->value);
    jw_kint(o->w, "time", p->at);
    jw_obj_end(o->w);
    return RC_OK;
}

static enum rc get_metrics(struct ctx *c, struct err *e)
{
    const struct metrics_query *q = c->query;
    struct metrics_out o = {0};
    struct job j;
    struct buf b;
    struct jw w;
    enum rc rc = job_of(c, ROLE_VIEWER, &j, e);

    if (rc)
        return rc;
    reply_begin(&b, &w);
    o.w = &w;
    jw_obj(&w);
    jw_kstr(&w, "job", j.id);
    jw_kint(&w, "epoch", j.epoch);
    jw_kobj(&w, "metrics");
    rc = job_metrics(c->app->jobs, j.id, q->name, q->since, write_point, &o, e);
    if (o.open[0])
        jw_arr_end(&w);
    jw_obj_end(&w);
    jw_obj_end(&w);
    if (rc) {
        buf_done(&b);
        return rc;
    }
    return reply_json(c, 200, &b, e);
}

/* ---- logs */

static const char *const log_order_names[] = {"oldest", "newest", NULL};
struct logs_query {
    str q;
    int level, order;
    int64_t after, limit;
};
#define S struct logs_query
static const struct field logs_query_fields[] = {
    F_STR(S, q, .max = 200, .help = "Part of the line."),
    F_ENUM(S, level, log_level_names, .dflt = "\"debug\"", .help = "Least severity."),
    F_ENUM(S, order, log_order_names, .dflt = "\"oldest\"", .help = "Which line comes first."),
    F_INT(S, after, .min = 0, .max = 9007199254740991.0, .help = "`next` of the page before."),
    F_INT(S, limit, .dflt = "200", .min = 1, .max = 1000, .help = "Lines of a page."),
    FIELD_END};
#undef S

struct logs_out {
    struct jw *w;
    int64_t n, last;
};

static enum rc write_log(const struct job_log *l, void *ud)
{
    struct logs_out *o = ud;

    jw_obj(o->w);
    jw_kint(o->w, "seq", l->seq);
    jw_kint(o->w, "time", l->at);
    jw_kcstr(o->w, "level", log_level_names[l->level & 3]);
    jw_kint(o->w, "epoch", l->epoch);
    jw_kint(o->w, "attempt", l->attempt);
    jw_kstr(o->w, "message", l->message);
    jw_obj_end(o->w);
    o->n++;
    o->last = l->seq;
    return RC_OK;
}

static enum rc get_logs(struct ctx *c, struct err *e)
{
    const struct logs_query *q = c->query;
    struct logs_out o = {0};
    struct log_query lq = {.q = q->q,
                           .level_min = q->level,
                           .newest_first = q->order == 1,
                           .after = q->after,
                           .limit = q->limit};
    struct job j;
    struct buf b;
    struct jw w;
    enum rc rc = job_of(c, ROLE_VIEWER, &j, e);

    if (rc)
        return rc;
    lq.job_id = j.id;
    reply_begin(&b, &w);
    o.w = &w;
    jw_obj(&w);
    jw_karr(&w, "logs");
    rc = job_logs(c->app->jobs, &lq, write_log, &o, e);
    jw_arr_end(&w);
    jw_key(&w, "next");
    if (o.n == q->limit)
        jw_int(&w, o.last);
    else
        jw_null(&w);
    jw_obj_end(&w);
    if (rc) {
        buf_done(&b);
        return rc;
    }
    return reply_json(c, 200, &b, e);
}

/* ---- checkpoints and attempts */

enum { WEIGHTS_URL_SECONDS = 3600 };

static void write_checkpoint(const struct job_checkpoint *k, const char *url, struct jw *w)
{
    jw_obj(w);
    field_write_members(checkpoint_fields, &k->c, w);
    jw_kint(w, "attempt", k->attempt);
    jw_kint(w, "time", k->at);
    if (url)
        jw_kcstr(w, "weights_url", url);
    jw_obj_end(w);
}

static enum rc get_checkpoints(struct ctx *c, struct err *e)
{
    struct job_checkpoint *k;
    size_t n;
    struct job j;
    struct buf b;
    struct jw w;
    enum rc rc = job_of(c, ROLE_VIEWER, &j, e);

    if (!rc)
        rc = job_checkpoints(c->app->jobs, c->a, j.id, &k, &n, e);
    if (rc)
        return rc;
    reply_begin(&b, &w);
    jw_obj(&w);
    jw_karr(&w, "checkpoints");
    for (size_t i = 0; i < n; i++)
        write_checkpoint(&k[i], NULL, &w);
    jw_arr_end(&w);
    jw_obj_end(&w);
    return reply_json(c, 200, &b, e);
}

static enum rc get_checkpoint(struct ctx *c, struct err *e)
{
    struct job_checkpoint k;
    const char *key, *url;
    struct job j;
    struct buf b;
    struct jw w;
    enum rc rc = job_of(c, ROLE_VIEWER, &j, e);

    if (!rc)
        rc = job_checkpoint_find(c->app->jobs, c->a, j.id, c->param[1], &k, e);
    if (rc)
        return rc;
    key = arena_cstr(c->a, k.c.weights_key);
    rc = key ? s3_presign(c->app->s3, c->a, HTTP_GET, key, NULL, WEIGHTS_URL_SECONDS, &url, e)
             : err_set(e, RC_NOMEM, "out of memory");
    if (rc)
        return rc;
    reply_begin(&b, &w);
    write_checkpoint(&k, url, &w);
    return reply_json(c, 200, &b, e);
}

#define A struct job_attempt
static const struct field attempt_fields[] = {
    F_INT(A, attempt, .help = "Number."),
    F_STR(A, status, .help = "starting, running, completed, failed, cancelled or lost."),
    F_STR(A, trainer, .help = "Who ran it."),
    F_STR(A, reason, .flags = FIELD_NULLABLE, .help = "Why it ended."),
    F_INT(A, last_seq, .help = "Reports applied."),
    F_TIME(A, created_at, .help = "When the start order was made."),
    F_TIME(A, started_at, .help = "When the trainer took it."),
    F_TIME(A, ended_at, .help = "When it ended."),
    FIELD_END};
#undef A

static enum rc get_attempts(struct ctx *c, struct err *e)
{
    struct job_attempt *a;
    size_t n;
    struct job j;
    struct buf b;
    struct jw w;
    enum rc rc = job_of(c, ROLE_VIEWER, &j, e);

    if (!rc)
        rc = job_attempts(c->app->jobs, c->a, j.id, &a, &n, e);
    if (rc)
        return rc;
    reply_begin(&b, &w);
    jw_obj(&w);
    jw_karr(&w, "attempts");
    for (size_t i = 0; i < n; i++)
        field_write(attempt_fields, &a[i], &w);
    jw_arr_end(&w);
    jw_obj_end(&w);
    return reply_json(c, 200, &b, e);
}

/* ---- validations */

static enum rc get_validations(struct ctx *c, struct err *e)
{
    struct validation *v;
    size_t n;
    struct job j;
    struct buf b;
    struct jw w;
    enum rc rc = job_of(c, ROLE_VIEWER, &j, e);

    if (!rc)
        rc = job_validation_epochs(c->app->jobs, c->a, j.id, &v, &n, e);
    if (rc)
        return rc;
    reply_begin(&b, &w);
    jw_obj(&w);
    jw_karr(&w, "validations");
    for (size_t i = 0; i < n; i++) {
        jw_obj(&w);
        jw_kint(&w, "epoch", v[i].epoch);
        jw_kstr(&w, "split", v[i].split);
        jw_kint(&w, "bytes", v[i].bytes);
        jw_obj_end(&w);
    }
    jw_arr_end(&w);
    jw_obj_end(&w);
    return reply_json(c, 200, &b, e);
}

enum rc validation_of(struct ctx *c, struct validation *ret, struct err *e)
{
    int64_t epoch = -1;
    str which = c->param[1];
    struct job j;
    enum rc rc = job_of(c, ROLE_VIEWER, &j, e);

    if (rc)
        return rc;
    if (str_is(which, "best"))
        epoch = j.best_epoch ? j.best_epoch : -1;
    else if (!str_is(which, "last") && (!str_i64(which, &epoch) || epoch < 0))
        return err_field(e, RC_INVALID, "epoch", "use best, last or the number of an epoch");
    return job_validation(c->app->jobs, c->a, j.id, epoch, ret, e);
}

enum { LINE_BYTES_MAX = 64 << 20 };

enum rc take_lines(void *ud, const void *p, size_t n, struct err *e)
{
    struct lines *l = ud;
    const char *from = p;
    enum rc rc = RC_OK;

    while (!rc && n) {
        const char *end = memchr(from, '\n', n);
        size_t used = end ? (size_t)(end - from) : n;

        if (end && !l->rest.n) {
            rc = l->line((str){from, used}, l->number++, l->ud, e);
        } else {
            buf_add(&l->rest, from, used);
            rc = buf_ok(&l->rest, e);
            if (!rc && end) {
                rc = l->line(buf_view(&l->rest), l->number++, l->ud, e);
                buf_clear(&l->rest);
            }
        }
        used += end != NULL;
        from += used;
        n -= used;
    }
    return rc;
}

enum rc validation_lines(struct ctx *c, const struct validation *v, line_fn line, void *ud,
                         struct err *e)
{
    struct lines l = {.line = line, .ud = ud};
    const char *key = arena_cstr(c->a, v->key);
    enum rc rc;

    if (!key)
        return err_set(e, RC_NOMEM, "out of memory");
    buf_init(&l.rest, LINE_BYTES_MAX);
    rc = s3_get_stream(c->app->s3, key, take_lines, &l, e);
    if (!rc && l.rest.n)
        rc = line(buf_view(&l.rest), l.number, ud, e);
    buf_done(&l.rest);
    if (rc == RC_GONE)
        return RC_OK;
    if (rc == RC_NOT_FOUND)
        return err_set(e, RC_GONE, "the results of this validation are no longer in the store");
    return rc;
}

static enum rc take_summary(str line, int64_t number, void *ud, struct err *e)
{
    buf_str(ud, line);
    return RC_GONE;
}

static enum rc get_validation(struct ctx *c, struct err *e)
{
    struct validation v;
    struct buf b;
    struct jw w;
    enum rc rc = validation_of(c, &v, e);

    if (rc)
        return rc;
    reply_begin(&b, &w);
    rc = validation_lines(c, &v, take_summary, &b, e);
    if (!rc && !b.n)
        rc = err_set(e, RC_UPSTREAM, "the results of this validation are empty");
    if (rc) {
        buf_done(&b);
        return rc;
    }
    return reply_json(c, 200, &b, e);
}

#define QUERY(f, s) .query = f, .query_size = sizeof(struct s)
#define GET(path_, ...)                                                                            \
    {                                                                                              \
        HTTP_GET, "/training/jobs/{id}" path_, ACCESS_VIEWER, "jobs:read", .tag = "Results",       \
                                                                           __VA_ARGS__             \
    }
extern const struct route job_result_routes[];
const struct route job_result_routes[] = {
    GET("/metrics", QUERY(metrics_query_fields, metrics_query),
        .summary = "Every metric of every epoch: {metrics: {name: [{epoch, step, value, time}]}}.",
        .fn = get_metrics),
    GET("/logs", QUERY(logs_query_fields, logs_query),
        .summary = "Log lines by page: {logs: [...], next}.", .fn = get_logs),
    GET("/checkpoints", .summary = "Checkpoints, oldest first.", .fn = get_checkpoints),
    GET("/checkpoints/{checkpoint}",
        .summary = "One checkpoint (best, last or an epoch), with a link to its weights.",
        .fn = get_checkpoint),
    GET("/attempts", .summary = "Attempts, newest first.", .fn = get_attempts),
    GET("/validation", .summary = "Which epochs have results.", .fn = get_validations),
    GET("/validation/{epoch}",
        .summary = "Scores, scores of each class and confusion matrix of an epoch.",
        .help = "The epoch is a number, `best` or `last`.", .fn = get_validation),
    ROUTE_END};
