/* config.c - the table of settings, and where each value comes from. */
#include "spec/config.h"

#include "base/mem.h"
#include "os/os.h"

#include <string.h>

static const char *const modes[] = {"subprocess", "service", NULL};
static const char *const levels[] = {"debug", "info", "warning", "error", NULL};
static const char *const formats[] = {"text", "json", NULL};

#define GiB 1073741824.0
const struct config_row config_rows[] = {
    {"data", "ANNEAL_DATA", CONFIG_STR, "", .group = "Server",
     .help = "The one data directory: database, store, token file, scratch."},
    {"listen", "ANNEAL_LISTEN", CONFIG_ADDR, "127.0.0.1:8000", .group = "Server",
     .help = "HOST:PORT of API and web app; port 0 takes a free one."},
    {"public_url", "ANNEAL_PUBLIC_URL", CONFIG_STR, "", .group = "Server",
     .help = "URL under which browsers and trainers reach us; empty: made from listen."},
    {"workers", "ANNEAL_WORKERS", CONFIG_INT, "16", 1, 256, .group = "Server",
     .help = "Threads that run request handlers."},
    {"drain_seconds", "ANNEAL_DRAIN_SECONDS", CONFIG_INT, "10", 0, 3600, .group = "Server",
     .help = "How long a shut-down waits for running requests."},
    {"log_level", "ANNEAL_LOG_LEVEL", CONFIG_CHOICE, "info", .choices = levels, .group = "Server",
     .help = "Least severity that is logged."},
    {"log_format", "ANNEAL_LOG_FORMAT", CONFIG_CHOICE, "text", .choices = formats,
     .group = "Server", .help = "text for people, json for collectors."},
    {"database_url", "DATABASE_URL", CONFIG_STR, "sqlite:{data}/anneal.db", .group = "Storage",
     .help = "sqlite:PATH."},
    {"store_listen", "ANNEAL_STORE_LISTEN", CONFIG_ADDR, "127.0.0.1:9000", .group = "Storage",
     .help = "HOST:PORT of the embedded object store (used unless s3_endpoint is set)."},
    {"store_domain", "ANNEAL_STORE_DOMAIN", CONFIG_STR, "", .group = "Storage",
     .help = "Domain under which each bucket is a host of the embedded store "
             "(BUCKET.s3.example.org); empty: path style alone."},
    {"store_scrub_bytes_per_s", "ANNEAL_STORE_SCRUB_BYTES_PER_S", CONFIG_BYTES, "16MiB", 4096, 1e12,
     .group = "Storage", .help = "The embedded store reads everything again, at most so fast."},
    {"store_scrub_days", "ANNEAL_STORE_SCRUB_DAYS", CONFIG_INT, "14", 1, 3650, .group = "Storage",
     .help = "... once in so many days."},
    {"store_compact_bytes_per_s", "ANNEAL_STORE_COMPACT_BYTES_PER_S", CONFIG_BYTES, "32MiB", 4096,
     1e12, .group = "Storage",
     .help = "The embedded store gives dead space back, reading and writing at most so fast."},
    {"store_dead_percent", "ANNEAL_STORE_DEAD_PERCENT", CONFIG_INT, "25", 1, 100,
     .group = "Storage", .help = "... from segments with so much dead space."},
    {"s3_endpoint", "S3_ENDPOINT", CONFIG_STR, "", .group = "Storage",
     .help = "URL of another S3-compatible store; empty: the embedded one."},
    {"s3_region", "AWS_REGION", CONFIG_STR, "us-east-1", .group = "Storage",
     .help = "Region in signatures."},
    {"s3_virtual_host", "S3_VIRTUAL_HOST", CONFIG_BOOL, "false", .group = "Storage",
     .help =
         "Name the bucket in the host of s3_endpoint (http://BUCKET.HOST) instead of the path."},
    {"aws_session_token", "AWS_SESSION_TOKEN", CONFIG_STR, "", .secret = true, .group = "Storage",
     .help = "Session token of temporary keys for s3_endpoint."},
    {"aws_access_key_id", "AWS_ACCESS_KEY_ID", CONFIG_STR, "", .group = "Storage",
     .help = "Access key; empty: made at the first start for the embedded store."},
    {"aws_secret_access_key", "AWS_SECRET_ACCESS_KEY", CONFIG_STR, "", .secret = true,
     .group = "Storage", .help = "Secret key."},
    {"store_master", "ANNEAL_STORE_MASTER", CONFIG_STR, "", .secret = true, .group = "Storage",
     .help = "64 hex digits that seal the secret keys of the embedded store's identities; empty: "
             "the file DATA/store.master, made at need."},
    {"bucket_name", "BUCKET_NAME", CONFIG_STR, "anneal", .group = "Storage",
     .help = "Bucket of datasets, checkpoints and results."},
    {"upload_bytes_max", "ANNEAL_UPLOAD_BYTES_MAX", CONFIG_BYTES, "50GiB", 1, 1e18,
     .group = "Limits", .help = "Largest upload."},
    {"unpacked_bytes_max", "ANNEAL_UNPACKED_BYTES_MAX", CONFIG_BYTES, "200GiB", 1, 1e18,
     .group = "Limits", .help = "Largest archive after unpacking."},
    {"archive_entries_max", "ANNEAL_ARCHIVE_ENTRIES_MAX", CONFIG_INT, "500000", 1, 1e9,
     .group = "Limits", .help = "Most entries of an archive."},
    {"jobs_per_user", "ANNEAL_JOBS_PER_USER", CONFIG_INT, "10", 1, 10000, .group = "Limits",
     .help = "Jobs of one user that run at once."},
    {"storage_per_user", "ANNEAL_STORAGE_PER_USER", CONFIG_BYTES, "0", 0, 1e18, .group = "Limits",
     .help = "Bytes of pictures and checkpoints of one user; 0: no limit."},
    {"jobs_per_trainer", "ANNEAL_JOBS_PER_TRAINER", CONFIG_INT, "1", 1, 10000, .group = "Limits",
     .help = "Jobs that run at once on one trainer."},
    {"training_mode", "TRAINING_MODE", CONFIG_CHOICE, "subprocess", .choices = modes,
     .group = "Training",
     .help = "subprocess: serve starts a trainer; service: one runs at a URL."},
    {"trainer_service_url", "TRAINER_SERVICE_URL", CONFIG_STR, "", .group = "Training",
     .help = "URL of the native trainer (training_mode service)."},
    {"ultralytics_service_url", "ULTRALYTICS_SERVICE_URL", CONFIG_STR, "", .group = "Training",
     .help = "URL of an Ultralytics trainer."},
    {"timm_service_url", "TIMM_SERVICE_URL", CONFIG_STR, "", .group = "Training",
     .help = "URL of a timm trainer."},
    {"huggingface_service_url", "HUGGINGFACE_SERVICE_URL", CONFIG_STR, "", .group = "Training",
     .help = "URL of a Hugging Face trainer."},
    {"trainer_token", "TRAINER_TOKEN", CONFIG_STR, "", .secret = true, .group = "Training",
     .help = "Shared token between serve and trainer services; made anew for a subprocess."},
    {"trainer_cache_bytes_max", "ANNEAL_TRAINER_CACHE_BYTES_MAX", CONFIG_BYTES, "20GiB", 1, 1e18,
     .group = "Training", .help = "Size of the trainer's dataset cache."},
    {"lease_seconds", "ANNEAL_LEASE_SECONDS", CONFIG_INT, "30", 2, 3600, .group = "Training",
     .help = "A running job without a sign of life for so long gets its next attempt."},
    {"job_retries", "ANNEAL_JOB_RETRIES", CONFIG_INT, "5", 0, 100, .group = "Training",
     .help = "Further attempts after a lost one."},
    {"audit_days", "ANNEAL_AUDIT_DAYS", CONFIG_INT, "365", 1, 36500, .group = "People",
     .help = "How long the audit log keeps a row."},
    {"registration", "ANNEAL_REGISTRATION", CONFIG_BOOL, "false", .group = "People",
     .help = "Anyone may register an account (viewer)."},
    {"access_token_minutes", "ANNEAL_ACCESS_TOKEN_MINUTES", CONFIG_INT, "30", 1, 1440,
     .group = "People", .help = "Life of an access token."},
    {"refresh_token_days", "ANNEAL_REFRESH_TOKEN_DAYS", CONFIG_INT, "30", 1, 365, .group = "People",
     .help = "Life of a refresh token."},
    {NULL}};

enum { ROWS_MAX = 64, TEXT_MAX = 4096, FILE_BYTES_MAX = 1 << 20 };

struct config {
    struct arena arena;
    const char *value[ROWS_MAX];
    const char *source[ROWS_MAX];
};

static int row_of(str name)
{
    for (int i = 0; config_rows[i].name; i++)
        if (str_is(name, config_rows[i].name))
            return i;
    return -1;
}

/* ---- checks */

static bool addr_ok(str v)
{
    ptrdiff_t colon = str_rchr(v, ':');
    int64_t port;

    return colon > 0 && str_i64(str_sub(v, (size_t)colon + 1, v.n), &port) && port >= 0 &&
           port <= 65535;
}

static bool bool_of(str v, bool *ret)
{
    *ret = str_is(v, "true") || str_is(v, "1") || str_is(v, "yes") || str_is(v, "on");
    return *ret || str_is(v, "false") || str_is(v, "0") || str_is(v, "no") || str_is(v, "off");
}

static enum rc check_number(const struct config_row *r, double v, const char *source, struct err *e)
{
    if (v >= r->min && v <= r->max)
        return RC_OK;
    return err_field(e, RC_INVALID, r->name, "%s: %s must lie between %.10g and %.10g", source,
                     r->name, r->min, r->max);
}

static enum rc check(const struct config_row *r, str v, const char *source, struct err *e)
{
    uint64_t bytes;
    int64_t i;
    bool b;

    switch (r->type) {
    case CONFIG_STR:
        return RC_OK;
    case CONFIG_INT:
        if (!str_i64(v, &i))
            return err_field(e, RC_INVALID, r->name, "%s: %s must be a whole number, not '%.*s'",
                             source, r->name, STR_F(v));
        return check_number(r, (double)i, source, e);
    case CONFIG_BYTES:
        if (!str_bytes_size(v, &bytes))
            return err_field(e, RC_INVALID, r->name, "%s: %s must be a size such as 512MB or 20GiB",
                             source, r->name);
        return check_number(r, (double)bytes, source, e);
    case CONFIG_BOOL:
        if (bool_of(v, &b))
            return RC_OK;
        return err_field(e, RC_INVALID, r->name, "%s: %s must be true or false", source, r->name);
    case CONFIG_ADDR:
        if (addr_ok(v))
            return RC_OK;
        return err_field(e, RC_INVALID, r->name, "%s: %s must be HOST:PORT, not '%.*s'", source,
                         r->name, STR_F(v));
    case CONFIG_CHOICE:
        for (int k = 0; r->choices[k]; k++)
            if (str_is(v, r->choices[k]))
                return RC_OK;
        return err_field(e, RC_INVALID, r->name, "%s: %s cannot be '%.*s'; see `anneal config`",
                         source, r->name, STR_F(v));
    }
    return RC_INTERNAL;
}

static enum rc set(struct config *c, int row, str v, const char *source, struct err *e)
{
    enum rc rc = v.n > TEXT_MAX ? err_field(e, RC_INVALID, config_rows[row].name,
                                            "%s: the value is too long", source)
                                : check(&config_rows[row], v, source, e);

    if (rc)
        return rc;
    c->value[row] = arena_cstr(&c->arena, v);
    c->source[row] = arena_cstr(&c->arena, str_of(source));
    return c->value[row] && c->source[row] ? RC_OK
                                           : err_set(e, RC_NOMEM, "out of memory for the settings");
}

/* ---- sources, weakest first */

static enum rc from_defaults(struct config *c, char *const *env, struct err *e)
{
    enum rc rc = RC_OK;

    for (int i = 0; !rc && config_rows[i].name; i++) {
        str v = str_of(config_rows[i].dflt);
        if (!strcmp(config_rows[i].name, "data")) {
            const char *dir = config_default_data_dir(&c->arena, env);
            v = str_of(dir ? dir : "anneal-data");
        }
        rc = set(c, i, v, "default", e);
    }
    return rc;
}

static enum rc from_file(struct config *c, const char *path, bool must_exist, struct err *e)
{
    char source[TEXT_MAX + 64];
    str text, line, name;
    int number = 0;
    enum rc rc;

    if (!must_exist && !os_exists(path))
        return RC_OK;
    rc = os_read_file(&c->arena, path, FILE_BYTES_MAX, &text, e);
    while (!rc && str_line(&text, &line)) {
        ptrdiff_t eq;
        int row;

        number++;
        line = str_trim(line);
        if (!line.n || line.p[0] == '#')
            continue;
        snprintf(source, sizeof source, "file %s:%d", path, number);
        eq = str_chr(line, '=');
        if (eq < 0)
            return err_set(e, RC_INVALID, "%s: a line is `name = value`", source);
        name = str_trim(str_sub(line, 0, (size_t)eq));
        row = row_of(name);
        if (row < 0)
            return err_set(e, RC_INVALID,
                           "%s: there is no setting '%.*s'; `anneal config` lists them", source,
                           STR_F(name));
        rc = set(c, row, str_trim(str_sub(line, (size_t)eq + 1, line.n)), source, e);
    }
    return rc;
}

static const char *env_get(char *const *env, const char *name)
{
    size_t n = strlen(name);

    for (; env && *env; env++)
        if (!strncmp(*env, name, n) && (*env)[n] == '=')
            return *env + n + 1;
    return NULL;
}

static enum rc from_env(struct config *c, char *const *env, int only, struct err *e)
{
    char source[160];
    enum rc rc = RC_OK;

    for (int i = 0; !rc && config_rows[i].name; i++) {
        const char *v = config_rows[i].env ? env_get(env, config_rows[i].env) : NULL;
        if (!v || !*v || (only >= 0 && i != only))
            continue;
        snprintf(source, sizeof source, "environment %s", config_rows[i].env);
        rc = set(c, i, str_of(v), source, e);
    }
    return rc;
}

static enum rc from_flags(struct config *c, const char *const *flags, size_t n, int only,
                          struct err *e)
{
    enum rc rc = RC_OK;

    for (size_t i = 0; !rc && i < n; i++) {
        str f = str_of(flags[i]);
        ptrdiff_t eq = str_chr(f, '=');
        int row = eq > 0 ? row_of(str_sub(f, 0, (size_t)eq)) : -1;

        if (row < 0)
            return err_set(e, RC_INVALID, "there is no setting '%s'; `anneal config` lists them",
                           flags[i]);
        if (only < 0 || row == only)
            rc = set(c, row, str_sub(f, (size_t)eq + 1, f.n), "flag", e);
    }
    return rc;
}

/* {data} in a default or file stands for the data directory. */
static enum rc expand(struct config *c, struct err *e)
{
    const char *data = config_str(c, "data");

    for (int i = 0; config_rows[i].name; i++) {
        str v = str_of(c->value[i]);
        ptrdiff_t at = str_find(v, STR("{data}"));
        if (at < 0)
            continue;
        c->value[i] = arena_printf(&c->arena, "%.*s%s%s", (int)at, v.p, data, v.p + at + 6);
        if (!c->value[i])
            return err_set(e, RC_NOMEM, "out of memory for the settings");
    }
    return RC_OK;
}

enum rc config_load(struct config **ret, const char *const *flags, size_t flags_n, const char *file,
                    char *const *env, struct err *e)
{
    struct config *c = mem_zalloc(sizeof *c);
    int data = row_of(STR("data"));
    char path[TEXT_MAX + 16];
    enum rc rc;

    if (!c)
        return err_set(e, RC_NOMEM, "out of memory for the settings");
    arena_init(&c->arena, 8 << 20);
    rc = from_defaults(c, env, e);
    /* Where the file lies depends on the data directory, which only environment and flags set. */
    if (!rc)
        rc = from_env(c, env, data, e);
    if (!rc)
        rc = from_flags(c, flags, flags_n, data, e);
    if (!rc) {
        snprintf(path, sizeof path, "%s/anneal.conf", c->value[data]);
        rc = from_file(c, file ? file : path, file != NULL, e);
    }
    if (!rc)
        rc = from_env(c, env, -1, e);
    if (!rc)
        rc = from_flags(c, flags, flags_n, -1, e);
    if (!rc)
        rc = expand(c, e);
    if (rc)
        config_free(c);
    else
        *ret = c;
    return rc;
}

void config_free(struct config *c)
{
    if (!c)
        return;
    arena_done(&c->arena);
    mem_free(c);
}

/* ---- values */

const char *config_str(const struct config *c, const char *name)
{
    int i = row_of(str_of(name));

    ASSERT(i >= 0);
    return c->value[i];
}

int64_t config_int(const struct config *c, const char *name)
{
    int64_t v = 0;

    ASSERT(str_i64(str_of(config_str(c, name)), &v));
    return v;
}

uint64_t config_u64(const struct config *c, const char *name)
{
    uint64_t v = 0;

    ASSERT(str_bytes_size(str_of(config_str(c, name)), &v));
    return v;
}

bool config_bool(const struct config *c, const char *name)
{
    bool v = false;

    ASSERT(bool_of(str_of(config_str(c, name)), &v));
    return v;
}

const char *config_source(const struct config *c, const char *name)
{
    int i = row_of(str_of(name));

    ASSERT(i >= 0);
    return c->source[i];
}

const char *config_service_url(const struct config *c, str framework)
{
    char name[96];
    int row;

    if (str_is(framework, "anneal"))
        return config_str(c, "trainer_service_url");
    if (framework.n > 64)
        return NULL;
    snprintf(name, sizeof name, "%.*s_service_url", STR_F(framework));
    row = row_of(str_of(name));
    return row >= 0 && c->value[row][0] && strcmp(name, "trainer_service_url") ? c->value[row]
                                                                               : NULL;
}

const char *config_default_data_dir(struct arena *a, char *const *env)
{
    const char *xdg = env_get(env, "XDG_DATA_HOME"), *home = env_get(env, "HOME");

    if (xdg && *xdg == '/')
        return arena_printf(a, "%s/anneal", xdg);
    if (home && *home)
        return arena_printf(a, "%s/.local/share/anneal", home);
    return NULL;
}
