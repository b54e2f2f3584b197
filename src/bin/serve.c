/* serve.c - `anneal serve`: composes the parts, prints the link, waits for its end, takes them
 * down.
 *
 * Up, in this order: lock on the data directory, store, database, S3 client and bucket, jobs, hub,
 * imports, HTTP, scheduler.  Down: the scheduler and the trainer it started stop, whose last
 * reports HTTP still takes; then no new requests, running ones get drain_seconds; then imports and
 * the rest.  A kill at any instruction is fine too: state lives in the database and the store, and
 * both survive it. */
#include "api/app.h"
#include "api/datasets.h"
#include "api/registry.h"
#include "base/log.h"
#include "base/mem.h"
#include "bin/command.h"
#include "db/db.h"
#include "flow/job/job_read.h"
#include "flow/job/launcher.h"
#include "flow/job/scheduler.h"
#include "flow/people/people.h"
#include "flow/telemetry/metrics.h"
#include "flow/webhook/webhook.h"
#include "os/os.h"
#include "s3/s3.h"
#include "store/store.h"

#include <stdio.h>
#include <string.h>

enum { PATH_BYTES = 4200, KEY_FILE_BYTES_MAX = 1024, TOKEN_FILE_BYTES_MAX = 256 };

struct serve {
    struct arena arena; /* process lifetime */
    struct config *config;
    int lock_fd;
    struct store *store;
    struct s3_config storage; /* what the S3 client and imports are told */
    struct launcher *launcher;
    struct app app;
    struct api *api;
    struct http_server *http;
    struct webhook_sender *webhooks;
    const char *own_url; /* under which this machine reaches us */
};

static const char *in_data(struct serve *s, const char *name)
{
    return arena_printf(&s->arena, "%s/%s", config_str(s->config, "data"), name);
}

static enum rc no_memory(struct err *e)
{
    return err_set(e, RC_NOMEM, "out of memory while starting");
}

/* ---- store and its keys */

/* The embedded store's keys: configured, or made at the first start and kept in DATA/store.keys,
 * which only the owner can read. */
static enum rc store_keys(struct serve *s, str *ret_access, str *ret_secret, struct err *e)
{
    const char *path = in_data(s, "store.keys");
    char access[SECRET_TEXT], secret[SECRET_TEXT], hash[SHA256_HEX + 1];
    str text, line;
    enum rc rc;

    *ret_access = str_of(config_str(s->config, "aws_access_key_id"));
    *ret_secret = str_of(config_str(s->config, "aws_secret_access_key"));
    if (ret_access->n && ret_secret->n)
        return RC_OK;
    if (config_str(s->config, "s3_endpoint")[0])
        return err_set(e, RC_INVALID,
                       "S3_ENDPOINT is set; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY too");
    if (!path)
        return no_memory(e);
    if (!os_exists(path)) {
        secret_new("ank_", access, hash);
        secret_new("ans_", secret, hash);
        text = str_of(arena_printf(&s->arena, "%.24s\n%s\n", access, secret));
        rc = os_write_file_durable(path, text, 0600, e);
        if (rc)
            return rc;
    }
    rc = os_read_file(&s->arena, path, KEY_FILE_BYTES_MAX, &text, e);
    if (rc)
        return rc;
    if (!str_line(&text, &line) || !line.n || !str_line(&text, ret_secret) || !ret_secret->n)
        return err_set(e, RC_CORRUPT,
                       "%s does not hold two lines, access and secret key; restore it, or "
                       "move it away to have new keys made",
                       path);
    *ret_access = line;
    return RC_OK;
}

static enum rc start_storage(struct serve *s, struct err *e)
{
    const char *endpoint = config_str(s->config, "s3_endpoint"), *access, *secret;
    struct s3_config to = {.region = config_str(s->config, "s3_region"),
                           .bucket = config_str(s->config, "bucket_name")};
    str access_key, secret_key;
    enum rc rc = store_keys(s, &access_key, &secret_key, e);

    if (rc)
        return rc;
    access = arena_cstr(&s->arena, access_key);
    secret = arena_cstr(&s->arena, secret_key);
    if (!access || !secret)
        return no_memory(e);
    if (!*endpoint) {
        struct store_config own = {.dir = in_data(s, "store"),
                                   .listen = config_str(s->config, "store_listen"),
                                   .access_key = access,
                                   .secret_key = secret,
                                   .master = config_str(s->config, "store_master"),
                                   .domain = config_str(s->config, "store_domain"),
                                   .region = to.region};
        str host = str_of(own.listen);
        settings_store(s->config, &own);
        rc = store_open(&s->store, &own, e);
        if (rc)
            return rc;
        host = str_sub(host, 0, (size_t)str_rchr(host, ':'));
        if (str_is(host, "0.0.0.0") || str_is(host, "[::]"))
            host = STR("127.0.0.1");
        endpoint = arena_printf(&s->arena, "http://%.*s:%d", STR_F(host), store_port(s->store));
    }
    if (*config_str(s->config, "s3_endpoint")) { /* another's */
        to.session_token = config_str(s->config, "aws_session_token");
        to.virtual_host = config_bool(s->config, "s3_virtual_host");
    }
    to.endpoint = endpoint;
    to.access_key = access;
    to.secret_key = secret;
    if (!endpoint)
        return no_memory(e);
    s->storage = to;
    rc = s3_open(&s->app.s3, &s->storage, e);
    return rc ? rc : s3_make_bucket(s->app.s3, e);
}

/* ---- people at the first start */

/* DATA/admin.token holds an API token of the administrator, for the CLI on this machine. */
static enum rc admin_token(struct serve *s, const struct account *admin, struct err *e)
{
    const char *path = in_data(s, "admin.token");
    char secret[SECRET_TEXT];
    struct identity id;
    struct api_token made;
    str text = STR_NONE;
    enum rc rc;

    if (!path)
        return no_memory(e);
    if (os_exists(path)) {
        rc = os_read_file(&s->arena, path, TOKEN_FILE_BYTES_MAX, &text, e);
        if (rc)
            return rc;
        if (!people_identify(s->app.db, &s->arena, str_trim(text), &id, NULL))
            return RC_OK;
    }
    rc = people_token_new(s->app.db, &s->arena, admin->id, STR("command line on this machine"),
                          STR("*"), 0, &made, secret, e);
    if (rc)
        return rc;
    text = str_of(arena_printf(&s->arena, "%s\n", secret));
    return os_write_file_durable(path, text, 0600, e);
}

/* The link stands on standard output, never in the log; its secret is in the fragment. */
static enum rc print_welcome(struct serve *s, const struct account *admin, struct err *e)
{
    char link[SECRET_TEXT];
    enum rc rc = people_login_link_new(s->app.db, admin->id, link, e);

    if (rc)
        return rc;
    printf("Anneal %s\n\n  open   %s/#login=%s\n         (logs your browser in, once, "
           "within %d minutes)\n"
           "  API    %s/docs\n  data   %s\n\n",
           ANNEAL_VERSION, s->app.public_url, link, LINK_MINUTES, s->app.public_url,
           config_str(s->config, "data"));
    fflush(stdout);
    return RC_OK;
}

/* ---- up and down */

static void note_ended(const struct job *j, void *ud)
{
    struct metrics *m = ((struct app *)ud)->metrics;
    char labels[160];

    snprintf(labels, sizeof labels, "framework=\"%.*s\",status=\"%s\"", STR_F(j->framework),
             job_status_names[j->status]);
    metrics_add(m, METRIC_TRAINING_JOBS_TOTAL, labels, 1);
    snprintf(labels, sizeof labels, "framework=\"%.*s\"", STR_F(j->framework));
    if (j->started_at)
        metrics_observe(m, METRIC_TRAINING_DURATION, labels,
                        (double)(j->ended_at - j->started_at) / 1000);
    registry_job_ended(ud, j);
}

static enum rc start_state(struct serve *s, struct err *e)
{
    struct jobs_setup setup = {.lease_ms = config_int(s->config, "lease_seconds") * 1000,
                               .ended = note_ended,
                               .ud = &s->app};
    enum rc rc = db_open(&s->app.db, config_str(s->config, "database_url"), e);

    if (!rc)
        rc = db_migrate(s->app.db, e);
    if (!rc)
        rc = metrics_new(&s->app.metrics, e);
    setup.db = s->app.db;
    if (!rc)
        rc = jobs_new(&s->app.jobs, &setup, e);
    if (!rc)
        rc = hub_new(&s->app.hub, job_feed_pull, s->app.jobs, e);
    if (!rc)
        jobs_set_hub(s->app.jobs, s->app.hub);
    return rc;
}

static enum rc start_http(struct serve *s, struct err *e)
{
    const char *listen = config_str(s->config, "listen"),
               *url = config_str(s->config, "public_url");
    struct http_limits lim = {.workers = (unsigned)config_int(s->config, "workers")};
    str host = str_of(listen);
    enum rc rc = api_new(&s->api, &s->app, e);

    if (!rc)
        rc = http_server_new(&s->http, listen, &lim, api_handle, api_done, s->api, e);
    if (rc)
        return rc;
    host = str_sub(host, 0, (size_t)str_rchr(host, ':'));
    if (str_is(host, "0.0.0.0") || str_is(host, "[::]"))
        host = STR("127.0.0.1");
    s->own_url = arena_printf(&s->arena, "http://%.*s:%d", STR_F(host), http_server_port(s->http));
    s->app.public_url = *url ? url : s->own_url;
    return s->own_url ? RC_OK : no_memory(e);
}

/* Before HTTP, whose handlers ask the scheduler; it starts once our own URL is known. */
static enum rc make_scheduler(struct serve *s, struct err *e)
{
    struct scheduler_config setup = {.jobs = s->app.jobs,
                                     .s3 = s->app.s3,
                                     .bucket = config_str(s->config, "bucket_name"),
                                     .jobs_per_user = config_int(s->config, "jobs_per_user"),
                                     .jobs_per_trainer = config_int(s->config, "jobs_per_trainer")};
    enum rc rc = launcher_new(&s->launcher, s->config, e);

    setup.launcher = s->launcher;
    return rc ? rc : scheduler_new(&s->app.scheduler, &setup, e);
}

static enum rc start_scheduler(struct serve *s, struct err *e)
{
    scheduler_set_url(s->app.scheduler, s->app.public_url, s->own_url);
    registry_catch_up(&s->app);
    exports_tidy(&s->app);
    return scheduler_start(s->app.scheduler, e);
}

static enum rc start(struct serve *s, struct err *e)
{
    const char *data = config_str(s->config, "data"), *lock;
    struct account admin;
    enum rc rc = os_mkdirs(data, 0700, e);

    s->app.config = s->config;
    lock = in_data(s, "serve.lock");
    if (!lock)
        return no_memory(e);
    if (!rc)
        rc = os_lock_file(lock, &s->lock_fd, e);
    if (rc)
        return err_wrap(e, rc, "data directory %s", data);
    rc = people_setup() ? err_set(e, RC_INTERNAL, "libsodium does not start") : RC_OK;
    if (!rc)
        rc = start_state(s, e);
    if (!rc)
        rc = people_admin(s->app.db, &s->arena, &admin, e);
    if (!rc)
        rc = start_storage(s, e);
    if (!rc)
        rc = make_scheduler(s, e);
    if (!rc)
        rc = imports_start(&s->app, &s->storage, e);
    if (!rc)
        rc = start_http(s, e);
    if (!rc)
        rc = start_scheduler(s, e);
    if (!rc)
        rc = webhook_sender_start(&s->webhooks, s->app.db, e);
    if (!rc)
        rc = admin_token(s, &admin, e);
    return rc ? rc : print_welcome(s, &admin, e);
}

static void stop(struct serve *s)
{
    int64_t drain_ms = config_int(s->config, "drain_seconds") * 1000;

    s->app.draining = true;
    if (s->launcher)
        launcher_drain(s->launcher);
    if (s->app.scheduler)
        scheduler_stop(s->app.scheduler); /* the trainer's last words still find us */
    if (s->http)
        http_server_drain(s->http, drain_ms);
    webhook_sender_stop(s->webhooks);
    if (s->app.db)
        db_interrupt(s->app.db); /* a query that outlasted the drain */
    http_server_free(s->http);
    scheduler_free(s->app.scheduler);
    launcher_free(s->launcher);
    imports_stop(&s->app);
    hub_free(s->app.hub);
    api_free(s->api);
    jobs_free(s->app.jobs);
    s3_close(s->app.s3);
    if (s->store)
        store_drain(s->store, drain_ms);
    store_close(s->store);
    metrics_free(s->app.metrics);
    db_close(s->app.db);
    os_close(s->lock_fd);
    config_free(s->config);
    arena_done(&s->arena);
}

static int run(int argc, char **argv)
{
    struct serve s = {.lock_fd = -1};
    struct err e = {0};
    enum rc rc;

    os_stop_block();
    arena_init(&s.arena, 16 << 20);
    if (settings_load(&s.config, argc, argv, &e))
        return command_refuse(&e);
    settings_log(s.config, "serve");
    rc = start(&s, &e);
    if (!rc) {
        os_memory_give_back();
        int sig = os_stop_wait();
        log_info("signal %d: no new requests; running ones get %s seconds", sig,
                 config_str(s.config, "drain_seconds"));
    }
    stop(&s);
    return rc ? command_fail(&e) : EXIT_OK;
}

const struct command serve_command = {
    "serve", "[--data DIR] [--listen HOST:PORT] [--store-listen HOST:PORT] [SETTING FLAGS]",
    "Run the whole product: web app, API, database, object store, trainer.",
    "Listens on 127.0.0.1:8000 and, for the object store, on 127.0.0.1:9000, and keeps\n"
    "everything in one data directory.  Prints a link that logs the browser in.  Ends on\n"
    "SIGTERM or SIGINT after running requests are answered; a job that trains goes on from its\n"
    "last checkpoint at the next start.\n\n"
    "  anneal serve\n"
    "  anneal serve --data /srv/anneal --listen 127.0.0.1:8080\n"
    "  S3_ENDPOINT=https://s3.example.org AWS_ACCESS_KEY_ID=.. AWS_SECRET_ACCESS_KEY=.. \\\n"
    "    anneal serve\n",
    run};
