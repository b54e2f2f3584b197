/* jobs.c - the list of jobs and what is done to one: start, cancel, change. */
#include "api/jobs.h"
#include "os/os.h"

/* ---- GET /training/jobs */

static const char *const order_names[] = {"auto", "asc", "desc", NULL};
struct list_query {
    str status, dataset, model, framework, project, q, cursor;
    bool starred;
    int sort, order;
    int64_t limit;
};
#define S struct list_query
static const struct field list_query_fields[] = {
    F_STR(S, status, .max = 100, .help = "One or more states, separated by commas."),
    F_STR(S, dataset, .max = 200, .help = "Id, name or version of a dataset."),
    F_STR(S, model, .max = 64, .help = "Name of a network."),
    F_STR(S, framework, .max = 64, .help = "Name of a framework."),
    F_STR(S, project, .max = 64,
          .help = "Only of this project, by id; default for the default one."),
    F_STR(S, q, .max = 200, .help = "Part of name, notes, tags, model, dataset's name or id."),
    F_BOOL(S, starred, .help = "Only starred ones."),
    F_ENUM(S, sort, job_sort_names, .dflt = "\"created\"",
           .help = "created, name, status, score, or queue (the order in which they start)."),
    F_ENUM(S, order, order_names, .dflt = "\"auto\"",
           .help = "auto: newest and best first, names and the queue from the front."),
    F_INT(S, limit, .dflt = "50", .min = 1, .max = 200, .help = "Rows of a page."),
    F_STR(S, cursor, .max = 1024, .help = "`next` of the page before."),
    FIELD_END};
#undef S

static enum rc check_status(str list, struct err *e)
{
    str one, rest = list;

    while (rest.n && str_next(&rest, ',', &one)) {
        bool known = false;

        for (int i = 0; job_status_names[i]; i++)
            known |= str_is(one, job_status_names[i]);
        if (!known)
            return err_field(e, RC_INVALID, "status", "there is no state '%.*s'",
                             (int)(one.n > 40 ? 40 : one.n), one.p);
    }
    return RC_OK;
}

static enum rc get_jobs(struct ctx *c, struct err *e)
{
    const struct list_query *lq = c->query;
    struct job_query q = {.user_id = sees_all_projects(c) ? STR_NONE : c->who.user_id,
                          .status = lq->status,
                          .dataset = lq->dataset,
                          .model = lq->model,
                          .framework = lq->framework,
                          .project = lq->project,
                          .q = lq->q,
                          .starred = lq->starred,
                          .sort = lq->sort,
                          .limit = lq->limit + 1};
    struct job *jobs = NULL;
    struct job_view v;
    const char *next = NULL;
    size_t n = 0;
    struct buf b;
    struct jw w;
    enum rc rc = check_status(lq->status, e);

    q.desc = lq->order ? lq->order == 2 : lq->sort == JOB_BY_CREATED || lq->sort == JOB_BY_SCORE;
    if (!rc && lq->cursor.n)
        rc = cursor_read(c->a, lq->cursor, &q.after_key, &q.after_id, e);
    if (!rc)
        rc = job_list(c->app->jobs, c->a, &q, &jobs, &n, e);
    if (rc)
        return rc;
    if (n > (size_t)lq->limit) { /* one more was asked for, to know whether there is a next page */
        n = (size_t)lq->limit;
        next = cursor_make(c->a, str_of(job_sort_key(c->a, &jobs[n - 1], q.sort)), jobs[n - 1].id);
    }
    reply_begin(&b, &w);
    jw_obj(&w);
    jw_karr(&w, "jobs");
    for (size_t i = 0; !rc && i < n; i++) {
        rc = job_view_of(c, &jobs[i], &v, e);
        if (!rc)
            field_write(job_view_fields, &v, &w);
    }
    jw_arr_end(&w);
    jw_kcstr(&w, "next", next);
    jw_obj_end(&w);
    if (rc) {
        buf_done(&b);
        return rc;
    }
    return reply_json(c, 200, &b, e);
}

/* ---- one job */

static enum rc get_job(struct ctx *c, struct err *e)
{
    struct job j;
    enum rc rc = job_of(c, ROLE_VIEWER, &j, e);

    return rc ? rc : reply_job(c, 200, &j, e);
}

static enum rc delete_job(struct ctx *c, struct err *e)
{
    struct job j;
    enum rc rc = job_of(c, ROLE_ENGINEER, &j, e);

    if (!rc)
        rc = job_cancel(c->app->jobs, c->a, j.id, os_now_ms(), &j, e);
    return rc ? rc : reply_job(c, 202, &j, e);
}

static enum rc post_start(struct ctx *c, struct err *e)
{
    struct job j;
    enum rc rc = job_of(c, ROLE_ENGINEER, &j, e);

    if (!rc)
        rc = job_start(c->app->jobs, c->a, j.id, os_now_ms(), &j, e);
    return rc ? rc : reply_job(c, 202, &j, e);
}

/* ---- PATCH: what is absent stays, so text that may be emptied travels as JSON here */
struct patch_body {
    str name, notes, tags, starred, before; /* notes, tags, starred: raw JSON */
    int64_t priority;
};
#define S struct patch_body
static const struct field patch_fields[] = {
    F_STR(S, name, .max = 200, .help = "New name."),
    F_JSON(S, notes, .help = "Text, up to 16 KiB."),
    F_JSON(S, tags, .help = "List of at most 32 short texts; replaces the old."),
    F_JSON(S, starred, .help = "true or false."),
    F_INT(S, priority, .dflt = "-1", .min = -1, .max = JOB_PRIORITY_MAX,
          .help = "0 to 100, higher goes first; -1 leaves it."),
    F_STR(S, before, .max = 64,
          .help = "Id of the waiting job to stand before (its priority is taken), or `end`."),
    FIELD_END};
#undef S

enum { NOTES_MAX = 16 << 10, TAGS_MAX = 32, TAG_MAX = 64 };

static enum rc parse(struct ctx *c, str raw, const char *field, enum json_type type,
                     const struct json **ret, struct err *e)
{
    static const char *const names[] = {"null", "true or false", "a whole number", "a number",
                                        "text", "a list",        "an object"};
    enum rc rc = json_parse(c->a, raw, NULL, ret, e);

    if (!rc && (*ret)->type != type)
        rc = err_field(e, RC_INVALID, field, "'%s' must be %s", field, names[type]);
    return rc;
}

static enum rc read_tags(struct ctx *c, str raw, struct err *e)
{
    const struct json *list;
    size_t n = 0;
    enum rc rc = parse(c, raw, "tags", JSON_ARR, &list, e);

    if (rc)
        return rc;
    JSON_EACH(t, list) {
        if (t->type != JSON_STR || !t->s.n || t->s.n > TAG_MAX || ++n > TAGS_MAX)
            return err_field(e, RC_INVALID, "tags",
                             "'tags' holds at most %d texts of 1 to %d bytes", TAGS_MAX, TAG_MAX);
    }
    return RC_OK;
}

static enum rc patch_job(struct ctx *c, struct err *e)
{
    const struct patch_body *b = c->body;
    struct job_edit ed = {0};
    const struct json *v;
    bool starred;
    str notes, before = b->before;
    struct job j, other;
    enum rc rc = job_of(c, ROLE_ENGINEER, &j, e);

    if (!rc && b->notes.n) {
        rc = parse(c, b->notes, "notes", JSON_STR, &v, e);
        if (!rc && v->s.n > NOTES_MAX)
            rc = err_field(e, RC_INVALID, "notes", "'notes' holds at most %d bytes", NOTES_MAX);
        if (!rc) {
            notes = v->s;
            ed.notes = &notes;
        }
    }
    if (!rc && b->starred.n) {
        rc = parse(c, b->starred, "starred", JSON_BOOL, &v, e);
        if (!rc) {
            starred = v->b;
            ed.starred = &starred;
        }
    }
    if (!rc && b->tags.n) {
        rc = read_tags(c, b->tags, e);
        ed.tags = &b->tags;
    }
    if (b->name.n)
        ed.name = &b->name;
    if (b->priority >= 0)
        ed.priority = &b->priority;
    if (str_is(before, "end"))
        before = STR("");
    if (b->before.n)
        ed.before = &before;
    if (!rc && before.n) { /* one must be allowed to see whom one overtakes */
        rc = job_get(c->app->jobs, c->a, before, &other, e);
        if (!rc)
            rc = project_may(c, other.project_id, ROLE_VIEWER, e);
        if (rc)
            rc = err_field(e, RC_INVALID, "before", "there is no job '%.*s'", STR_F(before));
    }
    if (!rc)
        rc = job_change(c->app->jobs, c->a, j.id, &ed, os_now_ms(), &j, e);
    return rc ? rc : reply_job(c, 200, &j, e);
}

#define JOBS_TAG .tag = "Jobs"
extern const struct route job_routes[];
const struct route job_routes[] = {
    {HTTP_GET, "/training/jobs", ACCESS_VIEWER, "jobs:read", list_query_fields,
     sizeof(struct list_query), JOBS_TAG, .summary = "Jobs of the caller's projects, by page.",
     .help = "{jobs: [...], next}; send `next` back as `cursor` for the following page, which is "
             "stable while jobs come and go.",
     .fn = get_jobs},
    {HTTP_GET, "/training/jobs/{id}", ACCESS_VIEWER, "jobs:read", .reply = job_view_fields,
     JOBS_TAG, .summary = "A job.", .fn = get_job},
    {HTTP_DELETE, "/training/jobs/{id}", ACCESS_ENGINEER, "jobs:write", .reply = job_view_fields,
     JOBS_TAG, .summary = "Cancel a job.",
     .help = "202; again is fine.  The state is cancelled at once and for good; the trainer stops "
             "the work within 2 seconds.  409 if it has completed or failed.",
     .fn = delete_job},
    {HTTP_POST, "/training/jobs/{id}/start", ACCESS_ENGINEER, "jobs:write",
     .reply = job_view_fields, JOBS_TAG, .summary = "Queue a pending job.", .fn = post_start},
    {HTTP_PATCH, "/training/jobs/{id}", ACCESS_ENGINEER, "jobs:write", .body = patch_fields,
     .body_size = sizeof(struct patch_body), .reply = job_view_fields, JOBS_TAG,
     .summary = "Change name, notes, tags, star, priority or place in the queue.", .fn = patch_job},
    ROUTE_END};
