/* exports.c - a checkpoint as a file for other programs: safetensors, ONNX or C.
 *
 * A child process, `anneal export`, does what it does for people: it writes the file, runs what it
 * wrote on pictures of the dataset, and fails if an output differs from the checkpoint's.  A crash
 * or a loop in it costs one export.  What came out lies in the store under a name that is made of
 * all that decides it, so asking again costs nothing:
 *
 *   exports/<hash>.json   what was verified      exports/<hash>   the file     exports/<hash>.h
 */
#include "api/datasets.h"
#include "api/jobs.h"
#include "api/registry.h"
#include "base/log.h"
#include "engine/bundle/export_file.h"
#include "os/os.h"
#include "spec/config.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>

enum {
    RUNNING_MAX = 2,
    PICTURES = 8,
    EXPORT_TIMEOUT_MS = 300000,
    SAID_MAX = 256 << 10,
    REPORT_MAX = 64 << 10,
    KEY_MAX = 96,
};
static const char *const format_names[] = {"onnx", "c", "safetensors", NULL};
static const char *const part_names[] = {"file", "header", NULL};

struct export_query {
    int format, part;
    str checkpoint;
    bool pixels;
};
#define S struct export_query
#define FORMAT_FIELDS                                                                              \
    F_ENUM(S, format, format_names, .dflt = "\"onnx\"",                                            \
           .help = "onnx (opset 17), c (one C99 file with its header) or safetensors."),           \
        F_BOOL(S, pixels,                                                                          \
               .help = "The input is pixels, 0 to 255: the normalisation becomes part "            \
                       "of the network.")
#define CHECKPOINT_FIELD                                                                           \
    F_STR(S, checkpoint, .dflt = "\"best\"", .max = 20, .help = "best, last or an epoch.")
#define PART_FIELD F_ENUM(S, part, part_names, .dflt = "\"file\"", .help = "header: that of C.")
static const struct field of_job_fields[] = {FORMAT_FIELDS, CHECKPOINT_FIELD, FIELD_END};
static const struct field of_version_fields[] = {FORMAT_FIELDS, FIELD_END};
static const struct field weights_fields[] = {CHECKPOINT_FIELD, FIELD_END};
static const struct field job_file_fields[] = {FORMAT_FIELDS, CHECKPOINT_FIELD, PART_FIELD,
                                               FIELD_END};
static const struct field version_file_fields[] = {FORMAT_FIELDS, PART_FIELD, FIELD_END};
#undef S

struct order {
    const struct export_query *q;
    const char *name; /* of the file, without its ending */
    str framework, weights_key, weights_sha256;
    str dataset_id, dataset_version; /* whose pictures verify it */
    const char *url;                 /* under which the file is fetched */
    char key[KEY_MAX];               /* exports/<hash> */
    const char *dir;                 /* scratch */
};

static enum rc no_memory(struct err *e)
{
    return err_set(e, RC_NOMEM, "out of memory while exporting");
}

/* The name of a file and of C functions. */
static const char *file_name(struct ctx *c, str text)
{
    char *s = arena_cstr(c->a, text);

    for (size_t i = 0; s && s[i]; i++)
        if (!((s[i] >= 'a' && s[i] <= 'z') || (s[i] >= '0' && s[i] <= '9')))
            s[i] = '_';
    return s;
}

static enum rc name_it(struct ctx *c, struct order *o, struct err *e)
{
    char hex[SHA256_HEX + 1];
    const char *text =
        arena_printf(c->a, "%s %.*s %s %d %s %.*s", ANNEAL_VERSION, STR_F(o->weights_sha256),
                     format_names[o->q->format], o->q->pixels, o->name, STR_F(o->dataset_version));

    if (!text || !o->name)
        return no_memory(e);
    if (!str_is(o->framework, "anneal"))
        return err_set(e, RC_UNSUPPORTED, "models of %.*s are not exported here",
                       STR_F(o->framework));
    sha256_hex(str_of(text), hex);
    snprintf(o->key, sizeof o->key, "exports/%s", hex);
    return RC_OK;
}

static const char *key_of(struct ctx *c, const struct order *o, const char *end)
{
    return arena_printf(c->a, "%s%s", o->key, end);
}

/* ---- what the child needs */

static enum rc to_file(void *ud, const void *p, size_t n, struct err *e)
{
    return os_write_all(*(int *)ud, p, n, e);
}

static enum rc fetch(struct ctx *c, const char *key, const char *path, struct err *e)
{
    int fd = -1;
    enum rc rc = os_open(path, O_WRONLY | O_CREAT | O_EXCL, 0600, &fd, e);

    if (rc)
        return rc;
    rc = s3_get_stream(c->app->s3, key, to_file, &fd, e);
    os_close(fd);
    return rc;
}

/* Pictures of the validation split, or where that is empty of another.  Without the dataset, or
 * with none in it, the export verifies on pictures that it generates. */
static enum rc fetch_pictures(struct ctx *c, const struct order *o, const char **ret, size_t *ret_n,
                              struct err *e)
{
    static const char *const splits[] = {"val", "test", "train"};
    struct dataset_image *list = NULL;
    struct dataset_version v;
    size_t n = 0, got = 0;
    enum rc rc =
        dataset_version_find(c->app->db, c->a, o->dataset_id, o->dataset_version, &v, NULL);

    *ret_n = 0;
    if (rc)
        return rc == RC_NOMEM ? no_memory(e) : RC_OK;
    for (size_t i = 0; i < sizeof splits / sizeof *splits && !n && !rc; i++) {
        struct image_query q = {.v = &v,
                                .split = str_of(splits[i]),
                                .fault = STR(""),
                                .q = STR(""),
                                .cls = -1,
                                .after = -1,
                                .limit = PICTURES};
        rc = dataset_images(c->app->db, c->a, &q, &list, &n, e);
    }
    for (size_t i = 0; i < n && got < PICTURES && !rc; i++) {
        const char *path = arena_printf(c->a, "%s/picture-%zu.img", o->dir, i);
        char sha256[SHA256_HEX + 1] = {0}, key[BLOB_KEY_MAX];

        if (!path)
            return no_memory(e);
        memcpy(sha256, list[i].sha256.p,
               list[i].sha256.n < SHA256_HEX ? list[i].sha256.n : SHA256_HEX);
        blob_key(sha256, key);
        rc = fetch(c, key, path, e);
        if (!rc)
            ret[got++] = path;
    }
    *ret_n = got;
    return rc;
}

/* ---- the child */

static enum rc its_words(struct ctx *c, int fd, const struct json **ret, struct err *e)
{
    struct buf said;
    char chunk[4096];
    size_t n = 1;
    str all, line = STR_NONE, last = STR_NONE, text;
    enum rc rc = RC_OK;

    buf_init(&said, SAID_MAX);
    while (!rc && n) {
        rc = os_read(fd, chunk, sizeof chunk, &n, e);
        if (!rc)
            buf_add(&said, chunk, n);
    }
    if (!rc)
        rc = buf_ok(&said, e);
    all = buf_view(&said);
    while (!rc && str_line(&all, &line))
        if (line.n)
            last = line;
    text = arena_str(c->a, last);
    if (!rc && !text.p)
        rc = no_memory(e);
    if (!rc)
        rc = json_parse(c->a, text, NULL, ret, e);
    buf_done(&said);
    return rc ? err_wrap(e, rc, "the export said nothing that can be read") : RC_OK;
}

static enum rc refused(const struct json *said, struct err *e)
{
    str code = json_str(json_get(said, "error"), "code", STR("internal"));
    str text = json_str(json_get(said, "error"), "text", STR("it failed without a word"));
    enum rc rc = RC_UPSTREAM;

    for (int i = 1; i < RC_COUNT; i++)
        if (str_is(code, rc_code((enum rc)i)))
            rc = (enum rc)i;
    return err_set(e, rc, "the export failed: %.*s", (int)(text.n > 500 ? 500 : text.n), text.p);
}

static enum rc run_child(struct ctx *c, const struct order *o, const char *out,
                         const struct json **ret, struct err *e)
{
    const char *weights = arena_printf(c->a, "%s/weights", o->dir);
    const char *key = arena_cstr(c->a, o->weights_key);
    const char *argv[16 + PICTURES] = {
        os_self_path(), "export", "--json", "--quiet",  "--weights",
        weights,        "--out",  out,      "--format", format_names[o->q->format]};
    size_t n = 10, pictures = 0;
    struct os_child child;
    int status = 0;
    enum rc rc = key && weights ? fetch(c, key, weights, e) : no_memory(e);

    if (!rc && o->q->pixels)
        argv[n++] = "--pixels";
    if (!rc)
        rc = fetch_pictures(c, o, argv + n, &pictures, e);
    if (rc)
        return rc;
    argv[n + pictures] = NULL;
    rc = os_spawn(&child, argv, NULL, NULL, OS_SPAWN_STDOUT | OS_SPAWN_DIE_WITH_US, e);
    if (rc)
        return rc;
    rc = os_wait(child.pid, EXPORT_TIMEOUT_MS, &status, e); /* it says less than a pipe holds */
    if (rc) {
        os_kill(child.pid, SIGKILL);
        (void)!os_wait(child.pid, -1, &status, NULL);
        rc = err_set(e, RC_TIMEOUT, "the export took more than %d seconds",
                     EXPORT_TIMEOUT_MS / 1000);
    }
    if (!rc)
        rc = its_words(c, child.stdout_fd, ret, e);
    os_close(child.stdout_fd);
    return !rc && (status || json_get(*ret, "error")) ? refused(*ret, e) : rc;
}

/* ---- what came out */

static const char *const report_keys[] = {"format",         "bytes",
                                          "sha256",         "header_sha256",
                                          "model",          "task",
                                          "image_size",     "classes",
                                          "input",          "verified_by",
                                          "pictures",       "pictures_generated",
                                          "max_difference", "allowed_difference"};

/* The report is written last: where it is, the files are. */
static enum rc keep(struct ctx *c, const struct order *o, const char *out, const struct json *said,
                    struct err *e)
{
    bool header = json_get(said, "header") != NULL;
    const char *header_path = arena_printf(c->a, "%.*s.h", (int)strlen(out) - 2, out);
    const char *header_key = key_of(c, o, ".h"), *report_key_text = key_of(c, o, ".json");
    struct buf b;
    struct jw w;
    enum rc rc = header_path && header_key && report_key_text
                     ? s3_put_file(c->app->s3, o->key, out, "application/octet-stream", e)
                     : no_memory(e);

    if (!rc && header)
        rc = s3_put_file(c->app->s3, header_key, header_path, "text/plain; charset=utf-8", e);
    if (rc)
        return rc;
    buf_init(&b, REPORT_MAX);
    jw_init(&w, &b);
    jw_obj(&w);
    for (size_t i = 0; i < sizeof report_keys / sizeof *report_keys; i++) {
        const struct json *v = json_get(said, report_keys[i]);

        if (v)
            jw_kraw(&w, report_keys[i], v->raw);
    }
    jw_obj_end(&w);
    rc = buf_ok(&b, e);
    if (!rc)
        rc = s3_put(c->app->s3, report_key_text, buf_view(&b), "application/json", e);
    buf_done(&b);
    return rc;
}

static enum rc make_in(struct ctx *c, struct order *o, struct err *e)
{
    const char *out =
        arena_printf(c->a, "%s/%s%s", o->dir, o->name, export_format_ending[o->q->format]);
    const struct json *said = NULL;
    enum rc rc = out ? os_mkdirs(o->dir, 0700, e) : no_memory(e);

    if (!rc)
        rc = run_child(c, o, out, &said, e);
    return rc ? rc : keep(c, o, out, said, e);
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int running; /* under lock */

static bool begin(void)
{
    pthread_mutex_lock(&lock);
    bool ok = running < RUNNING_MAX;
    running += ok;
    pthread_mutex_unlock(&lock);
    return ok;
}

static void end(void)
{
    pthread_mutex_lock(&lock);
    running--;
    pthread_mutex_unlock(&lock);
}

void exports_tidy(struct app *app)
{
    struct arena a;
    struct err e = {0};
    const char *dir;

    arena_init(&a, 64 << 10);
    dir = arena_printf(&a, "%s/exports", config_str(app->config, "data"));
    if (dir && os_remove_tree(dir, &e))
        log_warn("%s", e.text);
    arena_done(&a);
}

static enum rc make(struct ctx *c, struct order *o, struct err *e)
{
    char id[OS_ID_TEXT];
    enum rc rc;

    os_id(id);
    o->dir = arena_printf(c->a, "%s/exports/%s", config_str(c->app->config, "data"), id);
    if (!o->dir)
        return no_memory(e);
    if (!begin())
        return err_set(e, RC_UNAVAILABLE, "%d exports are being made; try again in a minute",
                       RUNNING_MAX);
    rc = make_in(c, o, e);
    end();
    (void)!os_remove_tree(o->dir, NULL);
    return rc;
}

/* ---- replies */

static enum rc load_report(struct ctx *c, const struct order *o, const struct json **ret,
                           struct err *e)
{
    const char *key = key_of(c, o, ".json");
    struct buf b;
    str text;
    enum rc rc;

    if (!key)
        return no_memory(e);
    buf_init(&b, REPORT_MAX);
    rc = s3_get(c->app->s3, key, &b, e);
    text = rc ? STR_NONE : arena_str(c->a, buf_view(&b));
    buf_done(&b);
    if (!rc && !text.p)
        rc = no_memory(e);
    return rc ? rc : json_parse(c->a, text, NULL, ret, e);
}

static enum rc reply_export(struct ctx *c, const struct order *o, const struct json *report,
                            bool cached, struct err *e)
{
    const char *query = arena_printf(c->a, "%sformat=%s&pixels=%s", strchr(o->url, '?') ? "&" : "?",
                                     format_names[o->q->format], o->q->pixels ? "true" : "false");
    const char *url = query ? arena_printf(c->a, "%s%s", o->url, query) : NULL;
    struct buf b;
    struct jw w;

    if (!url)
        return no_memory(e);
    reply_begin(&b, &w);
    jw_obj(&w);
    jw_kcstr(&w, "file", arena_printf(c->a, "%s%s", o->name, export_format_ending[o->q->format]));
    JSON_EACH(v, report) {
        jw_key_str(&w, v->key);
        jw_raw(&w, v->raw);
    }
    jw_kstr(&w, "weights_sha256", o->weights_sha256);
    jw_kbool(&w, "cached", cached);
    jw_kcstr(&w, "url", url);
    jw_kcstr(&w, "header_url",
             json_get(report, "header_sha256") ? arena_printf(c->a, "%s&part=header", url) : NULL);
    jw_obj_end(&w);
    return reply_json(c, 200, &b, e);
}

static enum rc export_reply(struct ctx *c, struct order *o, struct err *e)
{
    const struct json *report = NULL;
    bool cached = true;
    enum rc rc = name_it(c, o, e);

    if (!rc)
        rc = load_report(c, o, &report, e);
    if (rc == RC_NOT_FOUND) {
        cached = false;
        rc = make(c, o, e);
        if (!rc)
            rc = load_report(c, o, &report, e);
    }
    return rc ? rc : reply_export(c, o, report, cached, e);
}

static enum rc file_reply(struct ctx *c, struct order *o, struct err *e)
{
    bool header = o->q->part == 1;
    const struct json *report = NULL;
    struct s3_stat stat;
    const char *key;
    enum rc rc = name_it(c, o, e);

    if (!rc)
        rc = load_report(c, o, &report, e);
    if (rc == RC_NOT_FOUND)
        return err_set(e, rc, "this has not been exported yet; POST to this path first");
    if (!rc && header && !json_get(report, "header_sha256"))
        return err_field(e, RC_NOT_FOUND, "part", "only C files have a header");
    key = rc ? NULL : key_of(c, o, header ? ".h" : "");
    if (!rc)
        rc = key ? s3_head(c->app->s3, key, &stat, e) : no_memory(e);
    if (rc)
        return rc;
    const char *name = arena_printf(c->a, "attachment; filename=\"%s%s\"", o->name,
                                    header ? ".h" : export_format_ending[o->q->format]);
    if (!name)
        return no_memory(e);
    http_add_header(c->req, "Content-Disposition", name);
    return reply_immutable(c, json_str(report, header ? "header_sha256" : "sha256", STR("")), key,
                           "application/octet-stream", (int64_t)stat.bytes, e);
}

/* ---- of a job, of a version */

static enum rc job_order(struct ctx *c, enum role needed, const struct export_query *q,
                         struct order *ret, struct err *e)
{
    struct job_checkpoint k;
    struct job j;
    enum rc rc = job_of(c, needed, &j, e);

    if (!rc && j.kind != WORK_TRAIN)
        rc = err_set(e, RC_CONFLICT, "a test has no model of its own; export the job it tests");
    if (!rc)
        rc = job_checkpoint_find(c->app->jobs, c->a, j.id, q->checkpoint, &k, e);
    if (rc)
        return rc;
    *ret = (struct order){.q = q,
                          .name = file_name(c, j.model),
                          .framework = j.framework,
                          .weights_key = k.c.weights_key,
                          .weights_sha256 = k.c.weights_sha256,
                          .dataset_id = j.dataset_id,
                          .dataset_version = j.dataset_version,
                          .url = arena_printf(c->a, "/training/jobs/%.*s/export?checkpoint=%lld",
                                              STR_F(j.id), (long long)k.c.epoch)};
    return ret->url ? RC_OK : no_memory(e);
}

static enum rc version_order(struct ctx *c, enum role needed, const struct export_query *q,
                             struct order *ret, struct err *e)
{
    char key[REGISTRY_KEY_MAX];
    struct registry_version v;
    struct registry_model m;
    enum rc rc = registered_version(c, needed, &m, &v, e);

    if (rc)
        return rc;
    registry_weights_key(v.weights_sha256, key);
    *ret = (struct order){.q = q,
                          .name = file_name(c, m.name),
                          .framework = v.framework,
                          .weights_key = arena_str(c->a, str_of(key)),
                          .weights_sha256 = v.weights_sha256,
                          .dataset_id = v.dataset_id,
                          .dataset_version = v.dataset_version,
                          .url = arena_printf(c->a, "/registry/models/%.*s/versions/%lld/export",
                                              STR_F(m.id), (long long)v.number)};
    return ret->url && ret->weights_key.p ? RC_OK : no_memory(e);
}

static enum rc post_job_export(struct ctx *c, struct err *e)
{
    struct order o;
    enum rc rc = job_order(c, ROLE_VIEWER, c->body, &o, e);

    return rc ? rc : export_reply(c, &o, e);
}

static enum rc get_job_export(struct ctx *c, struct err *e)
{
    struct order o;
    enum rc rc = job_order(c, ROLE_VIEWER, c->query, &o, e);

    return rc ? rc : file_reply(c, &o, e);
}

static enum rc post_version_export(struct ctx *c, struct err *e)
{
    struct order o;
    enum rc rc = version_order(c, ROLE_VIEWER, c->body, &o, e);

    return rc ? rc : export_reply(c, &o, e);
}

static enum rc get_version_export(struct ctx *c, struct err *e)
{
    struct order o;
    enum rc rc = version_order(c, ROLE_VIEWER, c->query, &o, e);

    return rc ? rc : file_reply(c, &o, e);
}

/* The weights as they are, for the tab; registered ones have a route of their own. */
static enum rc get_job_weights(struct ctx *c, struct err *e)
{
    const struct export_query *q = c->query;
    struct job_checkpoint k;
    struct job j;
    enum rc rc = job_of(c, ROLE_VIEWER, &j, e);

    if (!rc)
        rc = job_checkpoint_find(c->app->jobs, c->a, j.kind == WORK_TEST ? j.base_job_id : j.id,
                                 q->checkpoint, &k, e);
    const char *key = rc ? NULL : arena_cstr(c->a, k.c.weights_key);
    if (!rc && !key)
        rc = no_memory(e);
    return rc ? rc
              : reply_immutable(c, k.c.weights_sha256, key, "application/octet-stream",
                                k.c.weights_bytes, e);
}

#define BODY(f)  .body = f, .body_size = sizeof(struct export_query)
#define QUERY(f) .query = f, .query_size = sizeof(struct export_query)
#define EXPORT_HELP                                                                                \
    "{file, format, bytes, sha256, verified_by, pictures, max_difference, url, header_url, ..}.  " \
    "The file was run on pictures of the dataset before it was kept; one that differs from the "   \
    "checkpoint by more than allowed_difference is not made (422).  Asked again, it is there at "  \
    "once."
extern const struct route export_routes[];
const struct route export_routes[] = {
    {HTTP_POST, "/training/jobs/{id}/export", ACCESS_VIEWER, "jobs:read", BODY(of_job_fields),
     .tag = "Results", .summary = "Make a checkpoint a file for other programs, verified.",
     .help = EXPORT_HELP, .fn = post_job_export},
    {HTTP_GET, "/training/jobs/{id}/export", ACCESS_VIEWER, "jobs:read", QUERY(job_file_fields),
     .tag = "Results", .summary = "Download what was exported.", .fn = get_job_export},
    {HTTP_GET, "/training/jobs/{id}/weights", ACCESS_VIEWER, "jobs:read", QUERY(weights_fields),
     .tag = "Results", .summary = "Download a checkpoint's weights file (safetensors).",
     .fn = get_job_weights},
    {HTTP_POST, "/registry/models/{model}/versions/{version}/export", ACCESS_VIEWER, "models:read",
     BODY(of_version_fields), .tag = "Registry",
     .summary = "Make a version a file for other programs, verified.", .help = EXPORT_HELP,
     .fn = post_version_export},
    {HTTP_GET, "/registry/models/{model}/versions/{version}/export", ACCESS_VIEWER, "models:read",
     QUERY(version_file_fields), .tag = "Registry", .summary = "Download what was exported.",
     .fn = get_version_export},
    ROUTE_END};
