/* jobs_course.c - the course of a run: its metrics by step, and its training pictures as they enter
 * the network.
 *
 * The database keeps some thousand rows of a run, however long it is (job_sql.h).  For a small
 * chart that is still too many: `points` asks for fewer, chosen so that no peak is lost.  The rows
 * are cut into so many runs of equal length, and of each run those rows stay that hold the least or
 * the greatest value of one of the metrics asked for.
 */
#include "api/datasets.h"
#include "api/jobs.h"
#include "base/mem.h"
#include "base/vec.h"
#include <math.h>

enum { NAMES_MAX = 64, NAME_BYTES = 65, SERIES_ARENA = 64 << 20 };

struct series_query {
    str names;
    int64_t points, after;
};
#define S struct series_query
static const struct field series_query_fields[] = {
    F_STR(S, names, .max = 2048, .help = "Metrics, separated by commas; empty: all."),
    F_INT(S, points, .min = 0, .max = 100000,
          .help = "Thin to about so many: the least and greatest of each stretch stay; 0: all."),
    F_INT(S, after, .min = 0, .max = 9007199254740991.0,
          .help = "Only rows beyond this `n`: what is new since the last time."),
    FIELD_END};
#undef S

struct row {
    int64_t n, step, at;
    double epochs;
    double *value; /* [names_n at the time it was read], NaN: none */
    size_t values;
    bool kept;
};
struct course {
    struct arena a;
    str asked;
    char names[NAMES_MAX][NAME_BYTES];
    size_t names_n;
    VEC(struct row) rows;
};

static bool is_asked(str asked, str name)
{
    str one;

    if (!asked.n)
        return true;
    while (asked.n && str_next(&asked, ',', &one))
        if (str_eq(str_trim(one), name))
            return true;
    return false;
}

/* Index of the name, which is added if there is room; -1: not wanted. */
static int name_of(struct course *c, str name)
{
    for (size_t i = 0; i < c->names_n; i++)
        if (str_is(name, c->names[i]))
            return (int)i;
    if (c->names_n == NAMES_MAX || name.n >= NAME_BYTES || !is_asked(c->asked, name))
        return -1;
    snprintf(c->names[c->names_n], NAME_BYTES, "%.*s", STR_F(name));
    return (int)c->names_n++;
}

static enum rc take_row(const struct series_point *p, void *ud)
{
    struct course *c = ud;
    struct row row = {.n = p->n, .step = p->step, .at = p->at, .epochs = p->epochs};
    double value[NAMES_MAX];
    const struct json *m;
    struct arena one;
    enum rc rc;

    for (size_t i = 0; i < NAMES_MAX; i++)
        value[i] = NAN;
    arena_init(&one, 1 << 20);
    rc = json_parse(&one, p->metrics, NULL, &m, NULL);
    if (!rc && m->type == JSON_OBJ)
        JSON_EACH(v, m) {
            int at = v->type == JSON_INT || v->type == JSON_NUM ? name_of(c, v->key) : -1;

            if (at >= 0)
                value[at] = v->type == JSON_INT ? (double)v->i : v->f;
        }
    arena_done(&one);
    row.values = c->names_n;
    row.value = ARENA_ARRAY(&c->a, double, c->names_n + 1);
    if (!row.value || !VEC_PUSH(&c->rows, row))
        return RC_NOMEM;
    memcpy(c->rows.p[c->rows.n - 1].value, value, c->names_n * sizeof *value);
    return RC_OK;
}

static double value_of(const struct row *r, size_t name)
{
    return name < r->values ? r->value[name] : NAN;
}

/* Of rows [from, to): those with the least and the greatest value of each metric. */
static void keep_extremes(struct course *c, size_t from, size_t to)
{
    for (size_t k = 0; k < c->names_n; k++) {
        size_t least = to, most = to;

        for (size_t i = from; i < to; i++) {
            double v = value_of(&c->rows.p[i], k);

            if (isnan(v))
                continue;
            if (least == to || v < value_of(&c->rows.p[least], k))
                least = i;
            if (most == to || v > value_of(&c->rows.p[most], k))
                most = i;
        }
        if (least < to)
            c->rows.p[least].kept = c->rows.p[most].kept = true;
    }
}

static void thin(struct course *c, size_t points)
{
    size_t n = c->rows.n, stretches = points / 2 ? points / 2 : 1;

    if (!points || n <= points) {
        for (size_t i = 0; i < n; i++)
            c->rows.p[i].kept = true;
        return;
    }
    for (size_t s = 0; s < stretches; s++)
        keep_extremes(c, n * s / stretches, n * (s + 1) / stretches);
    c->rows.p[0].kept = c->rows.p[n - 1].kept = true;
}

#define COLUMN(key, put, member)                                                                   \
    jw_karr(w, key);                                                                               \
    for (size_t i = 0; i < c->rows.n; i++)                                                         \
        if (c->rows.p[i].kept)                                                                     \
            put(w, c->rows.p[i].member);                                                           \
    jw_arr_end(w)

static void write_course(const struct course *c, str job, struct jw *w)
{
    jw_obj(w);
    jw_kstr(w, "job", job);
    COLUMN("n", jw_int, n);
    COLUMN("step", jw_int, step);
    COLUMN("epochs", jw_num, epochs);
    COLUMN("time", jw_int, at);
    jw_kobj(w, "metrics");
    for (size_t k = 0; k < c->names_n; k++) {
        jw_karr(w, c->names[k]);
        for (size_t i = 0; i < c->rows.n; i++)
            if (c->rows.p[i].kept)
                jw_num(w, value_of(&c->rows.p[i], k));
        jw_arr_end(w);
    }
    jw_obj_end(w);
    jw_obj_end(w);
}

static enum rc get_series(struct ctx *c, struct err *e)
{
    const struct series_query *q = c->query;
    struct course *o;
    struct job j;
    struct buf b;
    struct jw w;
    enum rc rc = job_of(c, ROLE_VIEWER, &j, e);

    if (rc)
        return rc;
    o = mem_zalloc(sizeof *o);
    if (!o)
        return err_set(e, RC_NOMEM, "out of memory");
    arena_init(&o->a, SERIES_ARENA);
    o->asked = q->names;
    reply_begin(&b, &w);
    rc = job_series(c->app->jobs, j.id, q->after, take_row, o, e);
    if (rc == RC_NOMEM)
        err_set(e, rc, "out of memory reading the course of a run");
    if (!rc) {
        thin(o, (size_t)q->points);
        write_course(o, j.id, &w);
    }
    VEC_DONE(&o->rows);
    arena_done(&o->a);
    mem_free(o);
    if (rc) {
        buf_done(&b);
        return rc;
    }
    return reply_json(c, 200, &b, e);
}

static enum rc samples_of(struct ctx *c, struct artifact *ret, struct err *e)
{
    struct job j;
    enum rc rc = job_of(c, ROLE_VIEWER, &j, e);

    if (rc)
        return rc;
    rc = job_artifact(c->app->jobs, c->a, j.id, "samples", ret, e);
    return rc == RC_NOT_FOUND ? err_set(e, rc, "the job has not shown its training pictures") : rc;
}

static enum rc get_samples(struct ctx *c, struct err *e)
{
    struct artifact f;
    struct buf b;
    struct jw w;
    enum rc rc = samples_of(c, &f, e);

    if (rc)
        return rc;
    reply_begin(&b, &w);
    buf_str(&b, f.info);
    return reply_json(c, 200, &b, e);
}

static enum rc get_sheet(struct ctx *c, struct err *e)
{
    struct artifact f;
    const char *key;
    enum rc rc = samples_of(c, &f, e);

    if (rc)
        return rc;
    key = arena_cstr(c->a, f.key);
    if (!key)
        return err_set(e, RC_NOMEM, "out of memory");
    return reply_immutable(c, f.sha256, key,
                           str_is(f.type, "image/png") ? "image/png" : "image/jpeg", f.bytes, e);
}

extern const struct route job_course_routes[];
const struct route job_course_routes[] = {
    {HTTP_GET, "/training/jobs/{id}/series", ACCESS_VIEWER, "jobs:read", series_query_fields,
     sizeof(struct series_query), .tag = "Results",
     .summary =
         "A run's metrics by step, as columns: {n, step, epochs, time, metrics: {name: []}}.",
     .help = "What was reported within epochs and at their ends; `epochs` counts the part of the "
             "one under way, `time` is in ms.  A long run keeps every second, fourth, .. row.  "
             "system/cpu is in processors, system/memory in bytes, system/read in bytes a second, "
             "system/wait the part of the time spent waiting for pictures.",
     .fn = get_series},
    {HTTP_GET, "/training/jobs/{id}/samples", ACCESS_VIEWER, "jobs:read", .tag = "Results",
     .summary = "What the sheet of training pictures shows: classes, labels and boxes.",
     .help =
         "{columns, cell, gap, classes, pictures: [{name, size, labels: [[class, share]], boxes: "
         "[[class, x, y, width, height]]}]}; boxes are in pixels of an input `size` wide, which "
         "the sheet shows `cell` wide, `gap` apart.  404: not yet, or its trainer shows none.",
     .fn = get_samples},
    {HTTP_GET, "/training/jobs/{id}/samples/sheet", ACCESS_VIEWER, "jobs:read", .tag = "Results",
     .summary = "Training pictures as they enter the network, on one sheet (JPEG).",
     .help = "The first ones of the first epoch, augmented as configured: the same for every "
             "attempt.  404: not yet, or its trainer shows none.",
     .fn = get_sheet},
    ROUTE_END};
