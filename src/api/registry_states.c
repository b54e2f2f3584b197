/* registry_states.c - what becomes of a version: evaluated, approved, published, rolled back; and
 * the history that tells of it. */
#include "api/datasets.h"
#include "api/jobs.h"
#include "api/registry.h"
#include "base/log.h"
#include "os/os.h"
#include "spec/config.h"

enum { EVENTS_MAX = 200, SCORES_BYTES_MAX = 64 << 10 };

/* ---- evaluation */

struct evaluate_body {
    str split, dataset, version;
};
#define S struct evaluate_body
static const struct field evaluate_fields[] = {
    F_STR(S, split, .dflt = "\"test\"", .min = 1, .max = 8, .help = "train, val or test."),
    F_STR(S, dataset, .max = 200, .help = "Another dataset; empty: the one it was trained on."),
    F_STR(S, version, .max = 64,
          .help = "Version of that dataset; empty: the newest of another "
                  "dataset, else the one it was trained on."),
    FIELD_END};
#undef S

/* The registered weights as the checkpoint that a job of kind test scores. */
static enum rc base_of(struct ctx *c, const struct registry_version *v, str *ret, struct err *e)
{
    struct checkpoint k = {.epoch = v->epoch,
                           .metric = v->metric,
                           .value = v->value,
                           .weights_sha256 = v->weights_sha256,
                           .weights_bytes = v->weights_bytes};
    char key[REGISTRY_KEY_MAX];

    registry_weights_key(v->weights_sha256, key);
    k.weights_key = str_of(key);
    return checkpoint_text(c, &k, ret, e);
}

/* The job is made first and started last, so that it cannot end before its evaluation is known. */
static enum rc post_evaluate(struct ctx *c, struct err *e)
{
    const struct evaluate_body *b = c->body;
    const struct test_choice choice = {b->split, b->dataset, b->version};
    struct registry_who who = registry_caller(c);
    struct registry_evaluation ev = {0};
    struct registry_version v;
    struct registry_model m;
    struct job_new n;
    struct job j;
    enum rc rc = registered_version(c, ROLE_ENGINEER, &m, &v, e);
    int goal = 0;

    if (rc)
        return rc;
    if (v.state == VERSION_ARCHIVED)
        return err_set(e, RC_CONFLICT, "this version is archived; restore it first");
    while (train_goal_names[goal + 1] && !str_is(v.goal, train_goal_names[goal]))
        goal++;
    n = (struct job_new){.name = str_of(arena_printf(c->a, "%.*s %lld: %.*s", STR_F(m.name),
                                                     (long long)v.number, STR_F(b->split))),
                         .created_by = c->who.user_id,
                         .framework = v.framework,
                         .model = v.network,
                         .dataset_id = v.dataset_id,
                         .dataset_version = v.dataset_version,
                         .config = v.config,
                         .goal = goal,
                         .base_job_id = v.job_id,
                         .attempts_max = 1 + config_int(c->app->config, "job_retries"),
                         .priority = JOB_PRIORITY_DEFAULT,
                         .start = false};
    rc = test_fill(c, &choice, &n, e);
    if (!rc)
        rc = base_of(c, &v, &n.base_checkpoint, e);
    if (!rc)
        rc = job_create(c->app->jobs, c->a, &n, os_now_ms(), &j, e);
    if (rc)
        return rc;
    ev = (struct registry_evaluation){.model_id = m.id,
                                      .number = v.number,
                                      .job_id = j.id,
                                      .dataset_id = j.dataset_id,
                                      .dataset_name = j.dataset_name,
                                      .dataset_version = j.dataset_version,
                                      .split = j.split};
    rc = registry_evaluation_add(c->app->db, &ev, &who, os_now_ms(), e);
    if (!rc)
        rc = job_start(c->app->jobs, c->a, j.id, os_now_ms(), &j, e);
    return rc ? rc : reply_job(c, 202, &j, e);
}

static enum rc get_evaluations(struct ctx *c, struct err *e)
{
    struct registry_evaluation *list = NULL;
    struct registry_version v;
    struct registry_model m;
    struct buf b;
    struct jw w;
    size_t n = 0;
    enum rc rc = registered_version(c, ROLE_VIEWER, &m, &v, e);

    registry_catch_up(c->app);
    if (!rc)
        rc = registry_evaluations(c->app->db, c->a, m.id, v.number, &list, &n, e);
    if (rc)
        return rc;
    reply_begin(&b, &w);
    jw_obj(&w);
    jw_karr(&w, "evaluations");
    for (size_t i = 0; i < n; i++)
        field_write(registry_evaluation_fields, &list[i], &w);
    jw_arr_end(&w);
    jw_obj_end(&w);
    return reply_json(c, 200, &b, e);
}

static enum rc write_score(const struct metric_point *p, void *ud)
{
    jw_key_str(ud, p->name);
    jw_num(ud, p->value);
    return RC_OK;
}

static enum rc take_scores(struct app *app, struct arena *a, const struct job *j, struct err *e)
{
    const char *status = job_status_names[j->status];
    struct buf b;
    struct jw w;
    enum rc rc;

    buf_init(&b, SCORES_BYTES_MAX);
    jw_init(&w, &b);
    jw_obj(&w);
    rc = job_metrics(app->jobs, j->id, STR(""), -1, write_score, &w, e);
    jw_obj_end(&w);
    if (!rc)
        rc = buf_ok(&b, e);
    if (!rc)
        rc = registry_evaluation_end(app->db, a, j->id, status, buf_view(&b),
                                     j->error.p ? j->error : STR(""), os_now_ms(), e);
    buf_done(&b);
    return rc;
}

void registry_job_ended(struct app *app, const struct job *j)
{
    struct err e = {0};
    struct arena a;

    if (j->kind != WORK_TEST)
        return;
    arena_init(&a, 1 << 20);
    if (take_scores(app, &a, j, &e)) /* registry_catch_up tries again */
        log_warn("job %.*s: its scores could not be noted: %s", STR_F(j->id), e.text);
    arena_done(&a);
}

void registry_catch_up(struct app *app)
{
    struct registry_evaluation *list = NULL;
    struct err e = {0};
    struct arena a;
    size_t n = 0;
    enum rc rc;

    arena_init(&a, 64 << 20);
    rc = registry_evaluations(app->db, &a, STR(""), 0, &list, &n, &e);
    for (size_t i = 0; i < n && !rc; i++) {
        struct job j;

        rc = job_get(app->jobs, &a, list[i].job_id, &j, &e);
        if (rc == RC_NOT_FOUND)
            rc = registry_evaluation_end(app->db, &a, list[i].job_id, "failed", STR("{}"),
                                         STR("its job is gone"), os_now_ms(), &e);
        else if (!rc && job_status_ended(j.status))
            rc = take_scores(app, &a, &j, &e);
        else if (!rc && j.status == JOB_PENDING) /* we died before it was started */
            rc = job_start(app->jobs, &a, j.id, os_now_ms(), &j, &e);
    }
    if (rc)
        log_warn("looking after evaluations: %s", e.text);
    arena_done(&a);
}

/* ---- states */

struct state_body {
    int action;
    str note;
};
static const struct field state_fields[] = {
    F_ENUM(struct state_body, action, version_verb_names, .flags = FIELD_REQUIRED,
           .help = "approve, withdraw (the approval), archive or restore."),
    F_STR(struct state_body, note, .max = REGISTRY_NOTE_MAX, .help = "Why; kept in the history."),
    FIELD_END};

static str text_of(str s)
{
    return s.p ? s : STR("");
}

static enum rc reply_version(struct ctx *c, const struct registry_model *m, int64_t number,
                             struct err *e)
{
    struct registry_version v;
    char text[24];
    enum rc rc;

    snprintf(text, sizeof text, "%lld", (long long)number);
    rc = registry_version_find(c->app->db, c->a, m, str_of(text), &v, e);
    return rc ? rc : reply_fields(c, 200, registry_version_fields, &v, e);
}

static enum rc post_state(struct ctx *c, struct err *e)
{
    static const enum role needs[VERB_COUNT] = {
        [VERB_APPROVE] = ROLE_MANAGER,
        [VERB_WITHDRAW] = ROLE_MANAGER,
        [VERB_ARCHIVE] = ROLE_ENGINEER,
        [VERB_RESTORE] = ROLE_ENGINEER,
    };
    const struct state_body *b = c->body;
    struct registry_who who = registry_caller(c);
    struct registry_version v;
    struct registry_model m;
    enum rc rc = registered_version(c, needs[b->action], &m, &v, e);

    if (!rc)
        rc = registry_version_move(c->app->db, m.id, v.number, (enum version_verb)b->action,
                                   text_of(b->note), &who, os_now_ms(), e);
    return rc ? rc : reply_version(c, &m, v.number, e);
}

/* ---- aliases */

struct alias_body {
    int64_t version, expected;
    str note;
};
#define S struct alias_body
#define SEEN_FIELDS                                                                                \
    F_INT(S, expected, .dflt = "-1", .min = -1, .max = 1e12,                                       \
          .help = "Version that the caller sees live now, 0 for none: 409 if it is another.  -1: " \
                  "not said."),                                                                    \
        F_STR(S, note, .max = REGISTRY_NOTE_MAX, .help = "Why; kept in the history.")
static const struct field publish_fields[] = {F_INT(S, version, .flags = FIELD_REQUIRED, .min = 1,
                                                    .max = 1e12,
                                                    .help = "Number of an approved version."),
                                              SEEN_FIELDS, FIELD_END};
static const struct field rollback_fields[] = {SEEN_FIELDS, FIELD_END};
#undef S

static struct registry_publish publish_of(const struct ctx *c, const struct registry_model *m)
{
    const struct alias_body *b = c->body;

    return (struct registry_publish){.model_id = m->id,
                                     .alias = c->param[1],
                                     .note = text_of(b->note),
                                     .number = b->version,
                                     .expected = b->expected};
}

static enum rc put_alias(struct ctx *c, struct err *e)
{
    struct registry_who who = registry_caller(c);
    struct registry_publish p;
    struct registry_model m;
    enum rc rc = registered(c, ROLE_ENGINEER, &m, e);

    if (rc)
        return rc;
    p = publish_of(c, &m);
    rc = registry_publish(c->app->db, &p, &who, os_now_ms(), e);
    return rc ? rc : reply_version(c, &m, p.number, e);
}

static enum rc post_rollback(struct ctx *c, struct err *e)
{
    struct registry_who who = registry_caller(c);
    struct registry_publish p;
    struct registry_model m;
    int64_t number = 0;
    enum rc rc = registered(c, ROLE_ENGINEER, &m, e);

    if (rc)
        return rc;
    p = publish_of(c, &m);
    rc = registry_rollback(c->app->db, &p, &who, os_now_ms(), &number, e);
    return rc ? rc : reply_version(c, &m, number, e);
}

static enum rc delete_alias(struct ctx *c, struct err *e)
{
    struct registry_who who = registry_caller(c);
    struct registry_publish p = {.alias = c->param[1], .note = STR(""), .expected = PUBLISH_UNSEEN};
    struct registry_model m;
    enum rc rc = registered(c, ROLE_ENGINEER, &m, e);

    if (rc)
        return rc;
    p.model_id = m.id;
    rc = registry_unpublish(c->app->db, &p, &who, os_now_ms(), e);
    if (!rc)
        http_reply(c->req, 204, "application/json", STR_NONE);
    return rc;
}

/* ---- history */

struct history_query {
    int64_t before, limit;
};
static const struct field history_fields[] = {
    F_INT(struct history_query, before, .min = 0, .max = 9007199254740991.0,
          .help = "Only events before this id; 0: from the newest."),
    F_INT(struct history_query, limit, .dflt = "100", .min = 1, .max = EVENTS_MAX,
          .help = "Events of a page."),
    FIELD_END};

static enum rc get_history(struct ctx *c, struct err *e)
{
    const struct history_query *q = c->query;
    struct registry_publication *was = NULL;
    struct registry_event *events = NULL;
    struct registry_model m;
    size_t was_n = 0, n = 0;
    struct buf b;
    struct jw w;
    enum rc rc = registered(c, ROLE_VIEWER, &m, e);

    if (!rc)
        rc = registry_events(c->app->db, c->a, m.id, q->before, q->limit, &events, &n, e);
    if (!rc)
        rc = registry_publications(c->app->db, c->a, m.id, false, &was, &was_n, e);
    if (rc)
        return rc;
    reply_begin(&b, &w);
    jw_obj(&w);
    jw_karr(&w, "events");
    for (size_t i = 0; i < n; i++)
        field_write(registry_event_fields, &events[i], &w);
    jw_arr_end(&w);
    jw_karr(&w, "publications");
    for (size_t i = 0; i < was_n; i++)
        field_write(registry_publication_fields, &was[i], &w);
    jw_arr_end(&w);
    jw_obj_end(&w);
    return reply_json(c, 200, &b, e);
}

/* ---- policy */

struct policy_body {
    bool approve_by_other;
};
static const struct field policy_fields[] = {
    F_BOOL(struct policy_body, approve_by_other,
           .help = "Who registered a version may not approve it."),
    FIELD_END};

static enum rc policy_project(struct ctx *c, enum role needed, str *ret, struct err *e)
{
    return project_id_of(c, c->param[0], needed, ret, e);
}

static enum rc get_policy(struct ctx *c, struct err *e)
{
    struct policy_body p = {0};
    str project;
    enum rc rc = policy_project(c, ROLE_VIEWER, &project, e);

    if (!rc)
        rc = registry_policy_get(c->app->db, project, &p.approve_by_other, e);
    return rc ? rc : reply_fields(c, 200, policy_fields, &p, e);
}

static enum rc put_policy(struct ctx *c, struct err *e)
{
    const struct policy_body *b = c->body;
    str project;
    enum rc rc = policy_project(c, ROLE_MANAGER, &project, e);

    if (!rc)
        rc = registry_policy_set(c->app->db, project, b->approve_by_other, e);
    return rc ? rc : get_policy(c, e);
}

#define TAG         .tag = "Registry"
#define BODY(f, s)  .body = f, .body_size = sizeof(struct s)
#define QUERY(f, s) .query = f, .query_size = sizeof(struct s)
#define VERSION     "/registry/models/{model}/versions/{version}"
#define ALIAS       "/registry/models/{model}/aliases/{alias}"
extern const struct route registry_state_routes[];
const struct route registry_state_routes[] = {
    {HTTP_POST, VERSION "/evaluate", ACCESS_ENGINEER, "models:write",
     BODY(evaluate_fields, evaluate_body), .reply = job_view_fields, TAG,
     .summary = "Score the version on a split, as a job of kind test.",
     .help = "202.  When the job has completed, its scores belong to the version, and a draft is "
             "evaluated.",
     .fn = post_evaluate},
    {HTTP_GET, VERSION "/evaluations", ACCESS_VIEWER, "models:read", TAG,
     .summary = "Its evaluations, newest first: {evaluations: [...]}.", .fn = get_evaluations},
    {HTTP_POST, VERSION "/state", ACCESS_ENGINEER, "models:write", BODY(state_fields, state_body),
     .reply = registry_version_fields, TAG,
     .summary = "Approve a version, withdraw the approval, archive or restore it.",
     .help = "To approve and to withdraw needs the role manager in the project.  409: its state "
             "does not allow it.",
     .fn = post_state},
    {HTTP_PUT, ALIAS, ACCESS_ENGINEER, "models:write", BODY(publish_fields, alias_body),
     .reply = registry_version_fields, TAG,
     .summary = "Publish an approved version under an alias, e.g. production.", .fn = put_alias},
    {HTTP_POST, ALIAS "/rollback", ACCESS_ENGINEER, "models:write",
     BODY(rollback_fields, alias_body), .reply = registry_version_fields, TAG,
     .summary = "Make live again what was live under the alias before.", .fn = post_rollback},
    {HTTP_DELETE, ALIAS, ACCESS_ENGINEER, "models:write", TAG,
     .summary = "Nothing is live under the alias any more.", .fn = delete_alias},
    {HTTP_GET, "/registry/models/{model}/history", ACCESS_VIEWER, "models:read",
     QUERY(history_fields, history_query), TAG,
     .summary = "Who did what, and what was live when: {events: [...], publications: [...]}.",
     .help = "Newest first.  Events are only ever added.", .fn = get_history},
    {HTTP_GET, "/projects/{id}/registry", ACCESS_VIEWER, "projects:read", .reply = policy_fields,
     TAG, .summary = "What the project asks of its registry.", .fn = get_policy},
    {HTTP_PUT, "/projects/{id}/registry", ACCESS_ENGINEER, "projects:write",
     BODY(policy_fields, policy_body), .reply = policy_fields, TAG,
     .summary = "Set what the project asks; `default` is a project too.", .fn = put_policy},
    ROUTE_END};
