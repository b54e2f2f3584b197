/* trainer.c - the trainer service: settings, order of start and of end.
 *
 * Start: lock, cache, outbox (its threads begin to deliver what is recovered), jobs, and only then
 * the listener.  End: the listener first, the lock last.
 */
#include "flow/trainer/service.h"

#include "base/log.h"
#include "base/mem.h"

enum { CONNECTIONS_MAX = 64, JOBS_MAX = 64, HTTP_WORKERS = 8 };

/* Names and literal addresses that only this machine reaches. */
static bool is_loopback(str listen)
{
    ptrdiff_t colon = str_rchr(listen, ':');
    str host = colon < 0 ? listen : str_sub(listen, 0, (size_t)colon);

    return str_is(host, "localhost") || str_is(host, "[::1]") || str_is(host, "127.0.0.1");
}

static const char *text_or(struct arena *a, const char *text, const char *dflt)
{
    return arena_cstr(a, str_of(text && *text ? text : dflt));
}

/* A copy of argv; NULL: this binary with the arguments given. */
static const char *const *argv_or(struct arena *a, const char *const *argv, const char *arg1,
                                  const char *arg2)
{
    const char *own[] = {os_self_path(), arg1, arg2, NULL};
    const char *const *from = argv ? argv : own;
    const char **copy;
    size_t n = 0;

    while (from[n])
        n++;
    copy = ARENA_ARRAY(a, const char *, n + 1);
    for (size_t i = 0; i < n && copy; i++)
        if (!(copy[i] = arena_cstr(a, str_of(from[i]))))
            return NULL;
    return copy;
}

static int64_t num_or(int64_t v, int64_t dflt)
{
    return v > 0 ? v : dflt;
}

static enum rc settings(struct trainer *t, const struct trainer_config *c, struct err *e)
{
    struct trainer_config *s = &t->c;

    if (!c->dir || !*c->dir)
        return err_field(e, RC_INVALID, "dir",
                         "the trainer needs a folder for its cache and outbox");
    if (strlen(c->dir) >= sizeof t->dir)
        return err_field(e, RC_INVALID, "dir", "the folder's path is too long");
    snprintf(t->dir, sizeof t->dir, "%s", c->dir);
    *s = *c;
    s->listen = text_or(&t->a, c->listen, "127.0.0.1:8001");
    s->framework = text_or(&t->a, c->framework, "anneal");
    s->worker_argv = argv_or(&t->a, c->worker_argv, "worker", NULL);
    s->predict_argv = argv_or(&t->a, c->predict_argv, "worker", "--predict");
    s->measure_argv = argv_or(&t->a, c->measure_argv, "worker", "--measure");
    s->max_jobs = (unsigned)num_or(c->max_jobs, 1);
    s->connections = (unsigned)num_or(c->connections, 8);
    s->cache_bytes_max = c->cache_bytes_max ? c->cache_bytes_max : (uint64_t)20 << 30;
    s->callback_timeout_ms = num_or(c->callback_timeout_ms, 10000);
    s->retry_min_ms = num_or(c->retry_min_ms, 4000);
    s->retry_max_ms = num_or(c->retry_max_ms, 30000);
    s->heartbeat_ms = num_or(c->heartbeat_ms, 15000);
    s->silence_ms_max = num_or(c->silence_ms_max, 3600000);
    s->predict_ms_max = num_or(c->predict_ms_max, 60000);
    s->measure_ms_max = num_or(c->measure_ms_max, 40000);
    if (!s->listen || !s->framework || !s->worker_argv || !s->predict_argv || !s->measure_argv)
        return err_set(e, RC_NOMEM, "out of memory for the trainer's settings");
    if (s->max_jobs > JOBS_MAX)
        return err_field(e, RC_INVALID, "max_jobs", "max_jobs is %u; at most %d are possible",
                         s->max_jobs, JOBS_MAX);
    if (s->connections > CONNECTIONS_MAX)
        return err_field(e, RC_INVALID, "connections", "connections is %u; at most %d are possible",
                         s->connections, CONNECTIONS_MAX);
    if (c->token && *c->token)
        sha256_hex(str_of(c->token), t->token_sha256);
    else if (!is_loopback(str_of(s->listen)))
        return err_field(
            e, RC_INVALID, "listen",
            "without a service token the trainer listens on loopback alone, not on '%s'; "
            "set a token or use 127.0.0.1",
            s->listen);
    s->token = NULL; /* only its hash is kept */
    return RC_OK;
}

static const char *below(struct trainer *t, const char *name)
{
    return arena_printf(&t->a, "%s/%s", t->dir, name);
}

static enum rc open_folders(struct trainer *t, struct err *e)
{
    enum rc rc = os_mkdirs(t->dir, 0700, e);
    const char *lock = below(t, "lock");

    if (!rc && !lock)
        rc = err_set(e, RC_NOMEM, "out of memory for paths");
    if (!rc)
        rc = os_lock_file(lock, &t->lock_fd, e);
    if (rc)
        return err_wrap(e, rc, "the trainer's folder '%s'", t->dir);
    snprintf(t->spool_dir, sizeof t->spool_dir, "%s/spool", t->dir);
    rc = os_remove_tree(t->spool_dir, e);
    return rc ? rc : os_mkdirs(t->spool_dir, 0700, e);
}

static enum rc open_parts(struct trainer *t, struct err *e)
{
    const struct trainer_config *c = &t->c;
    const char *outbox_dir = below(t, "outbox"), *work_dir = below(t, "work");
    const char *cache_path_ = below(t, "cache");
    struct outbox_config ob = {outbox_dir, c->callback_timeout_ms, c->retry_min_ms,
                               c->retry_max_ms};
    struct jobs_config jc = {.work_dir = work_dir,
                             .framework = c->framework,
                             .worker_argv = c->worker_argv,
                             .max_jobs = c->max_jobs,
                             .connections = c->connections,
                             .retry_min_ms = c->retry_min_ms,
                             .heartbeat_ms = c->heartbeat_ms,
                             .silence_ms_max = c->silence_ms_max};
    struct predictor_config pc = {.argv = c->predict_argv, .deadline_ms = c->predict_ms_max};
    struct measurer_config mc = {.argv = c->measure_argv, .deadline_ms = c->measure_ms_max};
    enum rc rc = outbox_dir && work_dir && cache_path_
                     ? RC_OK
                     : err_set(e, RC_NOMEM, "out of memory for paths");

    if (!rc)
        rc = spawner_new(&t->spawner, e);
    if (!rc)
        rc = cache_open(&t->cache, cache_path_, c->cache_bytes_max, e);
    if (!rc)
        rc = pool_new(&t->pool, "fetch", c->connections, (size_t)c->connections * JOBS_MAX, e);
    if (!rc)
        rc = letters_new(&t->letters, 0, e);
    jc.letters = ob.letters = t->letters;
    if (!rc)
        rc = outbox_open(&t->outbox, &ob, e);
    jc.spawner = pc.spawner = mc.spawner = t->spawner;
    jc.cache = pc.cache = t->cache;
    jc.outbox = t->outbox;
    jc.pool = t->pool;
    if (!rc)
        rc = jobs_open(&t->jobs, &jc, e);
    if (!rc)
        rc = predictor_new(&t->predictor, &pc, e);
    if (!rc)
        rc = measurer_new(&t->measurer, &mc, e);
    return rc;
}

enum rc trainer_open(struct trainer **ret, const struct trainer_config *c, struct err *e)
{
    struct http_limits limits = {.workers = HTTP_WORKERS, .io_threads = 1};
    struct trainer *t = mem_zalloc(sizeof *t);
    enum rc rc;

    if (!t)
        return err_set(e, RC_NOMEM, "out of memory for the trainer");
    t->lock_fd = -1;
    t->started_ms = os_mono_ms();
    arena_init(&t->a, 1 << 20);
    rc = settings(t, c, e);
    if (!rc)
        rc = open_folders(t, e);
    if (!rc)
        rc = open_parts(t, e);
    if (!rc)
        rc = http_server_new(&t->http, t->c.listen, &limits, trainer_handle, NULL, t, e);
    if (rc) {
        trainer_close(t);
        return rc;
    }
    log_info("trainer '%s' listens on port %d, folder '%s', %u jobs at once", t->c.framework,
             trainer_port(t), t->dir, t->c.max_jobs);
    *ret = t;
    return RC_OK;
}

int trainer_port(const struct trainer *t)
{
    return http_server_port(t->http);
}

void trainer_drain(struct trainer *t, int64_t ms)
{
    atomic_store(&t->draining, true);
    jobs_drain(t->jobs, ms);
    http_server_drain(t->http, ms / 4);
}

void trainer_close(struct trainer *t)
{
    if (!t)
        return;
    atomic_store(&t->draining, true);
    http_server_free(t->http);
    predictor_free(t->predictor);
    measurer_free(t->measurer);
    if (t->outbox)
        outbox_stop(t->outbox);
    jobs_close(t->jobs);
    outbox_close(t->outbox);
    letters_free(t->letters);
    pool_free(t->pool);
    cache_close(t->cache);
    spawner_free(t->spawner);
    os_close(t->lock_fd);
    arena_done(&t->a);
    mem_free(t);
}
