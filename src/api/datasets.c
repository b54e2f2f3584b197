/* datasets.c - datasets, their versions, imports and faults. */
#include "api/datasets.h"
#include "flow/dataset/draft.h"
#include "flow/dataset/imports.h"
#include "flow/job/job_read.h"
#include "flow/people/people.h"
#include "flow/telemetry/metrics.h"
#include "spec/config.h"

enum { LIST_DEFAULT = 50, LIST_MAX = 500 };

/* ---- start and stop */

static void count_import(bool done, void *ud)
{
    metrics_add(ud, METRIC_DATASET_IMPORTS, done ? "result=\"done\"" : "result=\"failed\"", 1);
}

enum rc imports_start(struct app *app, const struct s3_config *store, struct err *e)
{
    struct imports_setup s = {
        .db = app->db,
        .s3 = app->s3,
        .store = *store,
        .unpacked_bytes_max = config_u64(app->config, "unpacked_bytes_max"),
        .entries_max = config_u64(app->config, "archive_entries_max"),
        .ended = count_import,
        .ud = app->metrics,
    };

    return imports_new(&app->imports, &s, e);
}

void imports_stop(struct app *app)
{
    imports_free(app->imports);
    app->imports = NULL;
}

/* ---- shared */

static str seen_by(const struct ctx *c)
{
    return sees_all_projects(c) ? STR("") : c->who.user_id;
}

enum rc project_id_of(struct ctx *c, str project, enum role needed, str *ret, struct err *e)
{
    struct project p;
    enum rc rc = RC_OK;

    *ret = STR("");
    if (project.n && !str_is(project, "default")) {
        rc = project_get(c->app->db, c->a, project, c->who.user_id, &p, e);
        if (!rc)
            *ret = p.id;
    }
    return rc ? rc : project_may(c, *ret, needed, e);
}

enum rc dataset_of(struct ctx *c, enum role needed, struct dataset *ret, struct err *e)
{
    enum rc rc = dataset_find(c->app->db, c->a, c->param[0], seen_by(c), ret, e);

    return rc ? rc : project_may(c, ret->project_id, needed, e);
}

static const char *s3_uri_of(struct ctx *c, const char *key)
{
    return arena_printf(c->a, "s3://%s/%s", config_str(c->app->config, "bucket_name"), key);
}

static enum rc fill_uri(struct ctx *c, struct dataset_version *v, struct err *e)
{
    char version[SHA256_HEX + 1] = {0}, key[BLOB_KEY_MAX + 16];

    memcpy(version, v->version.p, v->version.n < SHA256_HEX ? v->version.n : SHA256_HEX);
    manifest_key(version, key);
    v->s3_uri = str_of(s3_uri_of(c, key));
    return v->s3_uri.p ? RC_OK : err_set(e, RC_NOMEM, "out of memory");
}

enum rc version_of(struct ctx *c, enum role needed, struct dataset *ret,
                   struct dataset_version *ret_v, struct err *e)
{
    enum rc rc = dataset_of(c, needed, ret, e);

    if (!rc)
        rc = dataset_version_find(c->app->db, c->a, ret->id, c->param[1], ret_v, e);
    return rc ? rc : fill_uri(c, ret_v, e);
}

enum rc reply_import(struct ctx *c, int status, const struct import *im, struct err *e)
{
    return reply_fields(c, status, import_fields, im, e);
}

void write_next(struct ctx *c, struct jw *w, bool more, int64_t last)
{
    char id[24];

    snprintf(id, sizeof id, "%lld", (long long)last);
    jw_kcstr(w, "next", more ? cursor_make(c->a, STR(""), str_of(id)) : NULL);
}

enum rc read_after(struct ctx *c, str cursor, int64_t *ret, struct err *e)
{
    str key, id;

    *ret = -1;
    if (!cursor.n)
        return RC_OK;
    enum rc rc = cursor_read(c->a, cursor, &key, &id, e);
    if (!rc && !str_i64(id, ret))
        rc = err_field(e, RC_INVALID, "cursor", "send back what `next` held");
    return rc;
}

/* ---- objects */

static void cache_headers(struct ctx *c, str name)
{
    http_add_header(c->req, "Cache-Control", "private, max-age=31536000, immutable");
    http_add_header(c->req, "ETag", arena_printf(c->a, "\"%.*s\"", STR_F(name)));
}

struct streaming {
    struct ctx *c;
    const char *type;
    int64_t length;
    str name;
    bool begun;
};

/* Headers go out with the first bytes, so that a failure before is not cached for a year. */
static enum rc stream_sink(void *ud, const void *p, size_t n, struct err *e)
{
    struct streaming *s = ud;
    enum rc rc = RC_OK;

    if (!s->begun) {
        cache_headers(s->c, s->name);
        rc = http_reply_stream(s->c->req, 200, s->type, s->length, e);
        s->begun = true;
    }
    return rc ? rc : http_stream_write(s->c->req, p, n, e);
}

enum rc reply_immutable(struct ctx *c, str name, const char *key, const char *type, int64_t length,
                        struct err *e)
{
    struct streaming s = {c, type, length, name, false};
    str have = http_header(c->req, "If-None-Match");

    if (have.n && str_find(have, name) >= 0) {
        cache_headers(c, name);
        http_reply(c->req, 304, NULL, STR_NONE);
        return RC_OK;
    }
    enum rc rc = s3_get_stream(c->app->s3, key, stream_sink, &s, e);
    if (!s.begun)
        return rc ? rc : err_set(e, RC_CORRUPT, "the object '%s' is empty", key);
    http_stream_end(c->req); /* cut short: the peer sees an error */
    return RC_OK;
}

/* ---- datasets */

struct list_query {
    str q, project, cursor;
    int64_t limit;
};
#define S struct list_query
static const struct field list_query_fields[] = {
    F_STR(S, q, .max = 200, .help = "Part of the name."),
    F_STR(S, project, .max = 200,
          .help = "Only of this project, by id; default for the default one."),
    F_STR(S, cursor, .max = 1024, .help = "`next` of the page before."),
    F_INT(S, limit, .min = 1, .max = LIST_MAX, .dflt = "50", .help = "Rows a page."), FIELD_END};
#undef S

static enum rc get_datasets(struct ctx *c, struct err *e)
{
    const struct list_query *in = c->query;
    struct dataset_query q = {.who = seen_by(c),
                              .project = in->project,
                              .q = in->q,
                              .after_key = STR(""),
                              .after_id = STR(""),
                              .limit = in->limit + 1};
    struct dataset *list = NULL;
    struct buf b;
    struct jw w;
    size_t n = 0;
    enum rc rc = in->cursor.n ? cursor_read(c->a, in->cursor, &q.after_key, &q.after_id, e) : RC_OK;

    if (!rc)
        rc = dataset_list(c->app->db, c->a, &q, &list, &n, e);
    if (rc)
        return rc;
    bool more = n > (size_t)in->limit;
    n -= more;
    reply_begin(&b, &w);
    jw_obj(&w);
    jw_karr(&w, "datasets");
    for (size_t i = 0; i < n; i++)
        field_write(dataset_fields, &list[i], &w);
    jw_arr_end(&w);
    jw_kcstr(
        &w, "next",
        more ? cursor_make(c->a, str_of(dataset_name_key(c->a, list[n - 1].name)), list[n - 1].id)
             : NULL);
    jw_obj_end(&w);
    return reply_json(c, 200, &b, e);
}

static enum rc get_dataset(struct ctx *c, struct err *e)
{
    struct dataset d;
    enum rc rc = dataset_of(c, ROLE_VIEWER, &d, e);

    if (!rc)
        rc = dataset_colours(c->app->db, c->a, d.id, &d.colours, e);
    return rc ? rc : reply_fields(c, 200, dataset_fields, &d, e);
}

struct describe_body {
    str name, description;
};
static const struct field describe_body_fields[] = {
    F_STR(struct describe_body, name, .flags = FIELD_REQUIRED, .min = 1, .max = DATASET_NAME_MAX,
          .help = "New name."),
    F_STR(struct describe_body, description, .max = 4096, .help = "What it is about."), FIELD_END};

static enum rc put_dataset(struct ctx *c, struct err *e)
{
    const struct describe_body *b = c->body;
    struct dataset d;
    enum rc rc = dataset_of(c, ROLE_ENGINEER, &d, e);

    if (!rc)
        rc = dataset_describe(c->app->db, d.id, b->name, b->description, e);
    if (rc)
        return rc;
    c->param[0] = d.id;
    return get_dataset(c, e);
}

static enum rc delete_dataset(struct ctx *c, struct err *e)
{
    struct dataset d;
    struct job_query used = {.user_id = STR(""),
                             .status = STR("pending,queued,running"),
                             .after_id = STR(""),
                             .limit = 1};
    struct job *jobs = NULL;
    size_t n = 0;
    enum rc rc = dataset_of(c, ROLE_ENGINEER, &d, e);

    if (rc)
        return rc;
    used.dataset = d.id;
    rc = job_list(c->app->jobs, c->a, &used, &jobs, &n, e);
    if (!rc && n)
        rc = err_set(e, RC_CONFLICT, "job %.*s uses this dataset; wait for its end, or cancel it",
                     STR_F(jobs[0].id));
    if (!rc)
        rc = dataset_delete(c->app->db, d.id, e);
    if (rc)
        return rc;
    imports_poke(c->app->imports); /* its thread removes the pictures (flow/dataset/sweep.h) */
    http_reply(c->req, 204, NULL, STR_NONE);
    return RC_OK;
}

/* ---- versions */

static enum rc get_versions(struct ctx *c, struct err *e)
{
    struct dataset d;
    struct dataset_version *list = NULL;
    struct buf b;
    struct jw w;
    size_t n = 0;
    enum rc rc = dataset_of(c, ROLE_VIEWER, &d, e);

    if (!rc)
        rc = dataset_versions(c->app->db, c->a, d.id, &list, &n, e);
    for (size_t i = 0; !rc && i < n; i++)
        rc = fill_uri(c, &list[i], e);
    if (rc)
        return rc;
    reply_begin(&b, &w);
    jw_obj(&w);
    jw_karr(&w, "versions");
    for (size_t i = 0; i < n; i++)
        field_write(dataset_version_fields, &list[i], &w);
    jw_arr_end(&w);
    jw_obj_end(&w);
    return reply_json(c, 200, &b, e);
}

static enum rc get_version(struct ctx *c, struct err *e)
{
    struct dataset d;
    struct dataset_version v;
    enum rc rc = version_of(c, ROLE_VIEWER, &d, &v, e);

    return rc ? rc : reply_fields(c, 200, dataset_version_fields, &v, e);
}

static enum rc get_manifest(struct ctx *c, struct err *e)
{
    struct dataset d;
    struct dataset_version v;
    char version[SHA256_HEX + 1] = {0}, key[BLOB_KEY_MAX + 16];
    enum rc rc = version_of(c, ROLE_VIEWER, &d, &v, e);

    if (rc)
        return rc;
    memcpy(version, v.version.p, SHA256_HEX);
    manifest_key(version, key);
    http_add_header(c->req, "Content-Disposition",
                    arena_printf(c->a, "attachment; filename=\"%.12s.jsonl\"", version));
    return reply_immutable(c, v.version, key, "application/jsonl", v.manifest_bytes, e);
}

static enum rc post_split(struct ctx *c, struct err *e)
{
    struct dataset d;
    struct dataset_version v;
    struct import im;
    enum rc rc = version_of(c, ROLE_ENGINEER, &d, &v, e);

    if (!rc)
        rc = import_of_version(c->app->db, c->a, &v, c->body, c->who.user_id, &im, e);
    if (rc)
        return rc;
    imports_poke(c->app->imports);
    return reply_import(c, 202, &im, e);
}

struct faults_query {
    str code, file, image, cursor;
    int64_t limit;
};
#define S struct faults_query
static const struct field faults_query_fields[] = {
    F_STR(S, code, .max = 64, .help = "Only of this code, e.g. corrupt_image."),
    F_STR(S, file, .max = 1024, .help = "Only in this file of the archive."),
    F_STR(S, image, .max = 1024, .help = "Only of this picture."),
    F_STR(S, cursor, .max = 1024, .help = "`next` of the page before."),
    F_INT(S, limit, .min = 1, .max = LIST_MAX, .dflt = "100", .help = "Rows a page."),
    FIELD_END};
#undef S

static enum rc get_faults(struct ctx *c, struct err *e)
{
    const struct faults_query *in = c->query;
    struct dataset d;
    struct dataset_version v;
    struct fault_query q = {&v, in->code, in->file, in->image, -1, in->limit + 1};
    struct fault_row *list = NULL;
    struct buf b;
    struct jw w;
    size_t n = 0;
    enum rc rc = version_of(c, ROLE_VIEWER, &d, &v, e);

    if (!rc)
        rc = read_after(c, in->cursor, &q.after, e);
    if (!rc)
        rc = dataset_faults(c->app->db, c->a, &q, &list, &n, e);
    if (rc)
        return rc;
    bool more = n > (size_t)in->limit;
    n -= more;
    reply_begin(&b, &w);
    jw_obj(&w);
    jw_kint(&w, "total", v.faults);
    jw_karr(&w, "faults");
    for (size_t i = 0; i < n; i++)
        field_write(fault_row_fields, &list[i], &w);
    jw_arr_end(&w);
    write_next(c, &w, more, n ? list[n - 1].n : 0);
    jw_obj_end(&w);
    return reply_json(c, 200, &b, e);
}

/* ---- imports */

static enum rc get_import(struct ctx *c, struct err *e)
{
    struct import im;
    enum rc rc = import_get(c->app->db, c->a, c->param[0], &im, e);

    if (!rc)
        rc = project_may(c, im.project_id, ROLE_VIEWER, e);
    return rc ? rc : reply_import(c, 200, &im, e);
}

static enum rc get_imports(struct ctx *c, struct err *e)
{
    struct dataset d;
    struct import *list = NULL;
    struct buf b;
    struct jw w;
    size_t n = 0;
    enum rc rc = dataset_of(c, ROLE_VIEWER, &d, e);

    if (!rc)
        rc = import_list(c->app->db, c->a, d.id, &list, &n, e);
    if (rc)
        return rc;
    reply_begin(&b, &w);
    jw_obj(&w);
    jw_karr(&w, "imports");
    for (size_t i = 0; i < n; i++)
        field_write(import_fields, &list[i], &w);
    jw_arr_end(&w);
    jw_obj_end(&w);
    return reply_json(c, 200, &b, e);
}

#define QUERY(f, s) .query = f, .query_size = sizeof(struct s)
#define BODY(f, s)  .body = f, .body_size = sizeof(struct s)
#define READ        ACCESS_VIEWER, "datasets:read"
#define WRITE       ACCESS_ENGINEER, "datasets:write"
extern const struct route dataset_routes[];
const struct route dataset_routes[] = {
    {HTTP_GET, "/datasets", READ, QUERY(list_query_fields, list_query), .tag = "Datasets",
     .summary = "Datasets that the caller may see, by name: {datasets, next}.", .fn = get_datasets},
    {HTTP_GET, "/datasets/imports/{id}", READ, .reply = import_fields, .tag = "Datasets",
     .summary = "State, progress and result of an import.", .fn = get_import},
    {HTTP_GET, "/datasets/{id}", READ, .reply = dataset_fields, .tag = "Datasets",
     .summary = "A dataset by id or exact name.", .fn = get_dataset},
    {HTTP_PUT, "/datasets/{id}", WRITE, BODY(describe_body_fields, describe_body),
     .reply = dataset_fields, .tag = "Datasets", .summary = "Rename or describe a dataset.",
     .fn = put_dataset},
    {HTTP_DELETE, "/datasets/{id}", WRITE, .tag = "Datasets",
     .summary = "Delete a dataset and the pictures that no other has; 409 while a job or an "
                "import uses it.",
     .fn = delete_dataset},
    {HTTP_GET, "/datasets/{id}/imports", READ, .tag = "Datasets",
     .summary = "Its imports, newest first: {imports}.", .fn = get_imports},
    {HTTP_GET, "/datasets/{id}/versions", READ, .tag = "Datasets",
     .summary = "Its versions, newest first: {versions}.", .fn = get_versions},
    {HTTP_GET, "/datasets/{id}/versions/{v}", READ, .reply = dataset_version_fields,
     .tag = "Datasets", .summary = "A version with its statistics.",
     .help = "{v} is the version's SHA-256 or its first 8 digits, its number, or latest.",
     .fn = get_version},
    {HTTP_GET, "/datasets/{id}/versions/{v}/manifest", READ, .tag = "Datasets",
     .summary = "The manifest: JSON lines, one a picture.", .fn = get_manifest},
    {HTTP_GET, "/datasets/{id}/versions/{v}/faults", READ, QUERY(faults_query_fields, faults_query),
     .tag = "Datasets", .summary = "Faults of the import by file and line: {total, faults, next}.",
     .fn = get_faults},
    {HTTP_POST, "/datasets/{id}/versions/{v}/split", WRITE, BODY(split_spec_fields, split_spec),
     .reply = import_fields, .tag = "Datasets",
     .summary = "Make a version with another split; no picture is copied.", .fn = post_split},
    ROUTE_END};
