/* registry.c - models that are kept and their versions: registering, reading, downloading.
 *
 * Registering copies the checkpoint's weights to an object of the registry's own and checks their
 * hash on the way, so nothing that later happens to the job can take them away.
 */
#include "api/registry.h"
#include "api/datasets.h"
#include "api/jobs.h"
#include "os/os.h"
#include "s3/s3.h"

enum { LIST_MAX = 200 };

/* ---- shared */

enum rc registered(struct ctx *c, enum role needed, struct registry_model *ret, struct err *e)
{
    str seen_by = sees_all_projects(c) ? STR("") : c->who.user_id;
    enum rc rc = registry_model_find(c->app->db, c->a, c->param[0], seen_by, ret, e);

    return rc ? rc : project_may(c, ret->project_id, needed, e);
}

enum rc registered_version(struct ctx *c, enum role needed, struct registry_model *ret,
                           struct registry_version *ret_v, struct err *e)
{
    enum rc rc = registered(c, needed, ret, e);

    return rc ? rc : registry_version_find(c->app->db, c->a, ret, c->param[1], ret_v, e);
}

struct registry_who registry_caller(const struct ctx *c)
{
    return (struct registry_who){c->who.user_id, c->who.user_name};
}

enum rc reply_or(struct ctx *c, int status, enum rc rc, struct buf *b, struct err *e)
{
    if (!rc)
        return reply_json(c, status, b, e);
    buf_done(b);
    return rc;
}

/* ---- weights */

struct copying {
    struct hasher hash;
    struct s3_upload *to;
    int64_t bytes;
};

static enum rc copy_piece(void *ud, const void *p, size_t n, struct err *e)
{
    struct copying *k = ud;

    hasher_add(&k->hash, p, n);
    k->bytes += (int64_t)n;
    return s3_upload_write(k->to, p, n, e);
}

static enum rc copy_weights(struct s3 *s3, const char *from, str sha256, const char *to,
                            struct err *e)
{
    uint8_t digest[SHA256_BYTES];
    char hex[SHA256_HEX + 1];
    struct copying k = {0};
    struct s3_stat stat;
    enum rc rc = sha256_init(&k.hash, e);

    if (rc)
        return rc;
    rc = s3_upload_open(&k.to, s3, to, "application/octet-stream", e);
    if (!rc)
        rc = s3_get_stream(s3, from, copy_piece, &k, e);
    hasher_final(&k.hash, digest);
    hex_of(digest, sizeof digest, hex);
    if (!rc && !str_is(sha256, hex))
        rc = err_set(e, RC_CORRUPT, "the checkpoint's weights are damaged in the store: %s", from);
    if (!rc)
        rc = s3_upload_commit(k.to, &stat, e);
    s3_upload_free(k.to);
    return rc;
}

/* The object models/<sha256> is there after this. */
static enum rc keep_weights(struct ctx *c, const struct checkpoint *k, struct err *e)
{
    char key[REGISTRY_KEY_MAX];
    const char *from = arena_cstr(c->a, k->weights_key);
    struct s3_stat stat;
    enum rc rc;

    if (!from)
        return err_set(e, RC_NOMEM, "out of memory");
    if (!is_sha256_hex(k->weights_sha256))
        return err_set(e, RC_CORRUPT, "the checkpoint does not tell the hash of its weights");
    registry_weights_key(k->weights_sha256, key);
    rc = s3_head(c->app->s3, key, &stat, e);
    if (rc == RC_NOT_FOUND)
        rc = copy_weights(c->app->s3, from, k->weights_sha256, key, e);
    return rc ? err_wrap(e, rc, "keeping the weights") : RC_OK;
}

struct sending {
    struct ctx *c;
    const char *name;
    int64_t bytes;
    bool begun;
};

static enum rc send_piece(void *ud, const void *p, size_t n, struct err *e)
{
    struct sending *s = ud;
    enum rc rc = RC_OK;

    if (!s->begun) {
        http_add_header(s->c->req, "Content-Disposition",
                        arena_printf(s->c->a, "attachment; filename=\"%s\"", s->name));
        http_add_header(s->c->req, "Cache-Control", "private, max-age=31536000, immutable");
        rc = http_reply_stream(s->c->req, 200, "application/octet-stream", s->bytes, e);
        s->begun = true;
    }
    return rc ? rc : http_stream_write(s->c->req, p, n, e);
}

enum rc reply_weights(struct ctx *c, const struct registry_version *v, const char *name,
                      struct err *e)
{
    struct sending s = {c, name, v->weights_bytes, false};
    const char *etag = arena_printf(c->a, "\"%.*s\"", STR_F(v->weights_sha256));
    str have = http_header(c->req, "If-None-Match");
    char key[REGISTRY_KEY_MAX];

    if (!name || !etag)
        return err_set(e, RC_NOMEM, "out of memory");
    http_add_header(c->req, "ETag", etag);
    if (have.n && str_find(have, v->weights_sha256) >= 0) {
        http_reply(c->req, 304, NULL, STR_NONE);
        return RC_OK;
    }
    registry_weights_key(v->weights_sha256, key);
    enum rc rc = s3_get_stream(c->app->s3, key, send_piece, &s, e);
    if (!s.begun)
        return rc ? rc : err_set(e, RC_CORRUPT, "the object '%s' is empty", key);
    http_stream_end(c->req);
    return RC_OK;
}

/* ---- registering */

struct register_body {
    str name, description, job, checkpoint, notes;
};
#define S struct register_body
#define ORIGIN_FIELDS                                                                              \
    F_STR(S, job, .flags = FIELD_REQUIRED, .min = 1, .max = 64,                                    \
          .help = "Id of the job that trained it."),                                               \
        F_STR(S, checkpoint, .dflt = "\"best\"", .max = 20, .help = "best, last or an epoch."),    \
        F_STR(S, notes, .max = REGISTRY_NOTE_MAX, .help = "What is new in it.")
static const struct field register_fields[] = {
    F_STR(S, name, .flags = FIELD_REQUIRED, .min = 1, .max = REGISTRY_NAME_MAX,
          .help = "Name: a-z 0-9 . _ -, as it will stand in URLs."),
    F_STR(S, description, .max = REGISTRY_NOTE_MAX, .help = "What it is for."), ORIGIN_FIELDS,
    FIELD_END};
static const struct field add_fields[] = {ORIGIN_FIELDS, FIELD_END};
#undef S

/* Everything that the job and its checkpoint say of the version. */
static enum rc origin(struct ctx *c, const struct register_body *b, struct job *ret_job,
                      struct checkpoint *ret_k, struct registry_version *ret, struct err *e)
{
    struct job_checkpoint k;
    struct job j;
    enum rc rc = job_get(c->app->jobs, c->a, b->job, &j, e);

    if (!rc)
        rc = project_may(c, j.project_id, ROLE_ENGINEER, e);
    if (rc == RC_NOT_FOUND)
        return err_field(e, rc, "job", "there is no job '%.*s'", STR_F(b->job));
    if (!rc && j.kind != WORK_TRAIN)
        rc = err_field(e, RC_INVALID, "job",
                       "this job is a test; register the training that it scored");
    if (!rc)
        rc = job_checkpoint_find(c->app->jobs, c->a, j.id, b->checkpoint, &k, e);
    if (rc)
        return rc;
    *ret_job = j;
    *ret_k = k.c;
    *ret = (struct registry_version){.notes = b->notes.p ? b->notes : STR(""),
                                     .job_id = j.id,
                                     .job_name = j.name,
                                     .framework = j.framework,
                                     .network = j.model,
                                     .goal = str_of(train_goal_names[j.goal]),
                                     .epoch = k.c.epoch,
                                     .metric = k.c.metric,
                                     .value = k.c.value,
                                     .dataset_id = j.dataset_id,
                                     .dataset_name = j.dataset_name,
                                     .dataset_version = j.dataset_version,
                                     .config = j.config,
                                     .engine = j.engine,
                                     .weights_sha256 = k.c.weights_sha256,
                                     .weights_bytes = k.c.weights_bytes};
    return RC_OK;
}

static enum rc post_model(struct ctx *c, struct err *e)
{
    const struct register_body *b = c->body;
    struct registry_who who = registry_caller(c);
    struct registry_version v;
    struct registry_model m, made;
    struct checkpoint k;
    struct job j;
    enum rc rc = registry_name_check(b->name, "name", e);

    if (!rc)
        rc = origin(c, b, &j, &k, &v, e);
    if (!rc)
        rc = keep_weights(c, &k, e);
    if (rc)
        return rc;
    m = (struct registry_model){.name = b->name,
                                .project_id = j.project_id,
                                .task = str_of(train_task_names[train_task_of(j.model)]),
                                .description = b->description};
    rc = registry_model_add(c->app->db, c->a, &m, &v, &who, os_now_ms(), &made, e);
    return rc ? rc : reply_fields(c, 201, registry_model_fields, &made, e);
}

static enum rc post_version(struct ctx *c, struct err *e)
{
    const struct register_body *b = c->body;
    struct registry_who who = registry_caller(c);
    struct registry_version v, made;
    struct registry_model m;
    struct checkpoint k;
    struct job j;
    enum rc rc = registered(c, ROLE_ENGINEER, &m, e);

    if (!rc)
        rc = origin(c, b, &j, &k, &v, e);
    if (!rc && !str_eq(j.project_id, m.project_id))
        rc = err_field(e, RC_INVALID, "job", "the job belongs to another project than '%.*s'",
                       STR_F(m.name));
    if (!rc && !str_is(m.task, train_task_names[train_task_of(j.model)]))
        rc = err_field(e, RC_INVALID, "job", "'%.*s' is a model for %.*s; this job learned %s",
                       STR_F(m.name), STR_F(m.task), train_task_names[train_task_of(j.model)]);
    if (!rc)
        rc = keep_weights(c, &k, e);
    if (!rc)
        rc = registry_version_add(c->app->db, c->a, m.id, &v, &who, os_now_ms(), &made, e);
    return rc ? rc : reply_fields(c, 201, registry_version_fields, &made, e);
}

/* ---- reading */

struct list_query {
    str q, project, job, cursor;
    int64_t limit;
};
#define S struct list_query
static const struct field list_fields[] = {
    F_STR(S, q, .max = REGISTRY_NAME_MAX, .help = "Part of the name."),
    F_STR(S, project, .max = 64,
          .help = "Only of this project, by id; default for the default one."),
    F_STR(S, cursor, .max = 1024, .help = "`next` of the page before."),
    F_INT(S, limit, .dflt = "50", .min = 1, .max = LIST_MAX, .help = "Rows of a page."), FIELD_END};
static const struct field of_job_fields[] = {
    F_STR(S, job, .flags = FIELD_REQUIRED, .min = 1, .max = 64, .help = "Id of a job."), FIELD_END};
#undef S

static enum rc get_models(struct ctx *c, struct err *e)
{
    const struct list_query *in = c->query;
    struct registry_query q = {.seen_by = sees_all_projects(c) ? STR("") : c->who.user_id,
                               .project = in->project,
                               .q = in->q,
                               .after_key = STR(""),
                               .after_id = STR(""),
                               .limit = in->limit + 1};
    struct registry_model *list = NULL;
    struct buf b;
    struct jw w;
    size_t n = 0;
    enum rc rc = in->cursor.n ? cursor_read(c->a, in->cursor, &q.after_key, &q.after_id, e) : RC_OK;

    registry_catch_up(c->app);
    if (!rc)
        rc = registry_model_list(c->app->db, c->a, &q, &list, &n, e);
    if (rc)
        return rc;
    bool more = n > (size_t)in->limit;
    n -= more;
    reply_begin(&b, &w);
    jw_obj(&w);
    jw_karr(&w, "models");
    for (size_t i = 0; i < n; i++)
        field_write(registry_model_fields, &list[i], &w);
    jw_arr_end(&w);
    jw_kcstr(&w, "next", more ? cursor_make(c->a, list[n - 1].name, list[n - 1].id) : NULL);
    jw_obj_end(&w);
    return reply_json(c, 200, &b, e);
}

static enum rc get_model(struct ctx *c, struct err *e)
{
    struct registry_model m;
    enum rc rc = registered(c, ROLE_VIEWER, &m, e);

    return rc ? rc : reply_fields(c, 200, registry_model_fields, &m, e);
}

struct describe_body {
    str description;
};
static const struct field describe_fields[] = {
    F_STR(struct describe_body, description, .max = REGISTRY_NOTE_MAX, .help = "What it is for."),
    FIELD_END};

static enum rc put_model(struct ctx *c, struct err *e)
{
    const struct describe_body *b = c->body;
    struct registry_who who = registry_caller(c);
    struct registry_model m;
    str text = b->description.p ? b->description : STR("");
    enum rc rc = registered(c, ROLE_ENGINEER, &m, e);

    if (!rc)
        rc = registry_model_describe(c->app->db, m.id, text, &who, os_now_ms(), e);
    return rc ? rc : get_model(c, e);
}

static enum rc write_versions(struct ctx *c, const struct registry_version *list, size_t n,
                              struct err *e)
{
    struct buf b;
    struct jw w;

    reply_begin(&b, &w);
    jw_obj(&w);
    jw_karr(&w, "versions");
    for (size_t i = 0; i < n; i++)
        field_write(registry_version_fields, &list[i], &w);
    jw_arr_end(&w);
    jw_obj_end(&w);
    return reply_json(c, 200, &b, e);
}

struct versions_query {
    int64_t before, limit;
};
static const struct field versions_fields[] = {
    F_INT(struct versions_query, before, .min = 0, .max = 1e12,
          .help = "Only versions before this number; 0: from the newest."),
    F_INT(struct versions_query, limit, .dflt = "50", .min = 1, .max = LIST_MAX,
          .help = "Rows of a page."),
    FIELD_END};

static enum rc get_versions(struct ctx *c, struct err *e)
{
    const struct versions_query *q = c->query;
    struct registry_version *list = NULL;
    struct registry_model m;
    size_t n = 0;
    enum rc rc = registered(c, ROLE_VIEWER, &m, e);

    registry_catch_up(c->app);
    if (!rc)
        rc = registry_versions(c->app->db, c->a, m.id, q->before, q->limit, &list, &n, e);
    return rc ? rc : write_versions(c, list, n, e);
}

static enum rc get_versions_of_job(struct ctx *c, struct err *e)
{
    const struct list_query *q = c->query;
    struct registry_version *list = NULL;
    size_t n = 0;
    enum rc rc = registry_versions_of_job(
        c->app->db, c->a, q->job, sees_all_projects(c) ? STR("") : c->who.user_id, &list, &n, e);

    return rc ? rc : write_versions(c, list, n, e);
}

static enum rc get_version(struct ctx *c, struct err *e)
{
    struct registry_version v;
    struct registry_model m;
    enum rc rc;

    registry_catch_up(c->app);
    rc = registered_version(c, ROLE_VIEWER, &m, &v, e);
    return rc ? rc : reply_fields(c, 200, registry_version_fields, &v, e);
}

static enum rc get_weights(struct ctx *c, struct err *e)
{
    struct registry_version v;
    struct registry_model m;
    enum rc rc = registered_version(c, ROLE_VIEWER, &m, &v, e);

    return rc ? rc
              : reply_weights(
                    c, &v,
                    arena_printf(c->a, "%.*s-%lld.safetensors", STR_F(m.name), (long long)v.number),
                    e);
}

#define TAG         .tag = "Registry"
#define BODY(f, s)  .body = f, .body_size = sizeof(struct s)
#define QUERY(f, s) .query = f, .query_size = sizeof(struct s)
extern const struct route registry_routes[];
const struct route registry_routes[] = {
    {HTTP_GET, "/registry/models", ACCESS_VIEWER, "models:read", QUERY(list_fields, list_query),
     TAG, .summary = "Registered models of the caller's projects: {models: [...], next}.",
     .fn = get_models},
    {HTTP_POST, "/registry/models", ACCESS_ENGINEER, "models:write",
     BODY(register_fields, register_body), .reply = registry_model_fields, TAG,
     .summary = "Register a model: a checkpoint of a job becomes its version 1.",
     .help = "The weights are copied, so that they stay whatever becomes of the job.  The model "
             "belongs to the job's project.",
     .fn = post_model},
    {HTTP_GET, "/registry/models/{model}", ACCESS_VIEWER, "models:read",
     .reply = registry_model_fields, TAG, .summary = "A registered model by name or id.",
     .fn = get_model},
    {HTTP_PUT, "/registry/models/{model}", ACCESS_ENGINEER, "models:write",
     BODY(describe_fields, describe_body), .reply = registry_model_fields, TAG,
     .summary = "Change its description.", .fn = put_model},
    {HTTP_GET, "/registry/models/{model}/versions", ACCESS_VIEWER, "models:read",
     QUERY(versions_fields, versions_query), TAG,
     .summary = "Versions, newest first: {versions: [...]}.", .fn = get_versions},
    {HTTP_POST, "/registry/models/{model}/versions", ACCESS_ENGINEER, "models:write",
     BODY(add_fields, register_body), .reply = registry_version_fields, TAG,
     .summary = "Register a checkpoint of a job as the next version.", .fn = post_version},
    {HTTP_GET, "/registry/models/{model}/versions/{version}", ACCESS_VIEWER, "models:read",
     .reply = registry_version_fields, TAG, .summary = "A version by number or alias, or `latest`.",
     .fn = get_version},
    {HTTP_GET, "/registry/models/{model}/versions/{version}/weights", ACCESS_VIEWER, "models:read",
     TAG, .summary = "Download the weights file (safetensors, with all that is needed to predict).",
     .fn = get_weights},
    {HTTP_GET, "/registry/versions", ACCESS_VIEWER, "models:read", QUERY(of_job_fields, list_query),
     TAG, .summary = "Which versions a job's checkpoints became: {versions: [...]}.",
     .fn = get_versions_of_job},
    ROUTE_END};
