/* launcher.c - where trainers run.  See launcher.h.
 *
 * The child tells where it listens by one line on its standard output, "listening on http://..".
 * A reader on a thread of its own takes that line and logs the rest, so a talkative or silent child
 * never holds up the scheduler.
 */
#include "flow/job/launcher.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "os/os.h"
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

enum {
    PAUSE_MS_MIN = 500,
    PAUSE_MS_MAX = 30000,
    STEADY_MS = 60000, /* having lived so long, the next pause is short again */
    LINE_MAX = 4096,
};
static const char native[] = "anneal";

struct child {
    bool running;
    pid_t pid;
    int64_t started_ms, pause_ms, next_ms;
    char dir[SITE_URL_MAX];
};
struct launcher {
    const struct config *config;
    pthread_mutex_t lock; /* guards sites[].url and why */
    struct site sites[SITES_MAX];
    size_t sites_n;
    bool subprocess; /* sites[0] is ours to run */
    char why[160];   /* sites[0] has no URL: why not */
    struct child child;
    struct pool *reader;
    int reader_fd;
    atomic_bool draining;
    atomic_bool reading; /* the reader still has reader_fd */
};

static enum rc add_site(struct launcher *l, const char *framework, const char *url, struct err *e)
{
    struct site *s = &l->sites[l->sites_n];
    size_t n = strlen(url);

    while (n && url[n - 1] == '/')
        n--;
    if (n >= sizeof s->url || (n && !str_starts(str_of(url), STR("http://")) &&
                               !str_starts(str_of(url), STR("https://"))))
        return err_set(e, RC_INVALID,
                       "the URL of the %s trainer must begin with http:// or https://: '%.100s'",
                       framework, url);
    if (strlen(config_str(l->config, "trainer_token")) >= sizeof s->token)
        return err_set(e, RC_INVALID, "trainer_token is longer than %d characters",
                       SITE_TOKEN_MAX - 1);
    snprintf(s->framework, sizeof s->framework, "%s", framework);
    snprintf(s->url, sizeof s->url, "%.*s", (int)n, url);
    snprintf(s->token, sizeof s->token, "%s", config_str(l->config, "trainer_token"));
    l->sites_n++;
    return RC_OK;
}

static enum rc add_subprocess(struct launcher *l, struct err *e)
{
    uint8_t secret[32];
    const char *data = config_str(l->config, "data");
    enum rc rc = add_site(l, native, "", e);

    if (rc)
        return rc;
    os_random(secret, sizeof secret);
    for (size_t i = 0; i < sizeof secret; i++)
        snprintf(l->sites[0].token + 2 * i, 3, "%02x", secret[i]);
    if ((size_t)snprintf(l->child.dir, sizeof l->child.dir, "%s/trainer", data) >=
        sizeof l->child.dir)
        return err_set(e, RC_INVALID, "the data directory's path is too long: %.80s...", data);
    l->subprocess = true;
    l->child.pause_ms = PAUSE_MS_MIN;
    snprintf(l->why, sizeof l->why, "the trainer is being started");
    return pool_new(&l->reader, "trainer-out", 1, 2, e);
}

enum rc launcher_new(struct launcher **ret, const struct config *c, struct err *e)
{
    static const char *const others[] = {"ultralytics", "timm", "huggingface"};
    struct launcher *l = mem_zalloc(sizeof *l);
    const char *url = config_service_url(c, str_of(native));
    enum rc rc = RC_OK;

    if (!l)
        return err_set(e, RC_NOMEM, "out of memory");
    l->config = c;
    l->reader_fd = -1;
    pthread_mutex_init(&l->lock, NULL);
    if (str_is(str_of(config_str(c, "training_mode")), "subprocess"))
        rc = add_subprocess(l, e);
    else if (url && *url)
        rc = add_site(l, native, url, e);
    else
        rc = err_field(e, RC_INVALID, "trainer_service_url",
                       "training_mode service needs trainer_service_url (TRAINER_SERVICE_URL)");
    for (size_t i = 0; !rc && i < sizeof others / sizeof *others; i++) {
        url = config_service_url(c, str_of(others[i]));
        if (url && *url)
            rc = add_site(l, others[i], url, e);
    }
    if (rc) {
        launcher_free(l);
        return rc;
    }
    *ret = l;
    return RC_OK;
}

void launcher_free(struct launcher *l)
{
    if (!l)
        return;
    ASSERT(!l->child.running); /* launcher_stop */
    if (l->reader)
        pool_free(l->reader);
    pthread_mutex_destroy(&l->lock);
    mem_free(l);
}

/* ---- the child */

static void take_line(struct launcher *l, str line)
{
    str mark = STR("listening on http://");

    if (str_starts(line, mark) && line.n - 13 < SITE_URL_MAX) {
        pthread_mutex_lock(&l->lock);
        snprintf(l->sites[0].url, SITE_URL_MAX, "%.*s", (int)(line.n - 13), line.p + 13);
        pthread_mutex_unlock(&l->lock);
        log_debug("trainer: %.*s", STR_F(line));
    } else if (line.n) {
        log_info("trainer: %.*s", STR_F(line));
    }
}

static void read_output(void *ud)
{
    struct launcher *l = ud;
    char line[LINE_MAX];
    size_t n = 0, got = 0;

    while (!os_read(l->reader_fd, line + n, sizeof line - n, &got, NULL) && got) {
        char *end;

        n += got;
        while ((end = memchr(line, '\n', n)) || n == sizeof line) {
            size_t used = end ? (size_t)(end - line) : n;

            take_line(l, str_trim((str){line, used}));
            used += end != NULL;
            memmove(line, line + used, n - used);
            n -= used;
        }
    }
    os_close(l->reader_fd);
    atomic_store(&l->reading, false);
}

static enum rc spawn(struct launcher *l, struct err *e)
{
    const char *argv[] = {os_self_path(), "trainer",    "--listen", "127.0.0.1:0",
                          "--dir",        l->child.dir, NULL};
    char token[SITE_TOKEN_MAX + 16], cache[64], places[64];
    const char *env[] = {token, cache, places, NULL};
    struct os_child child;
    enum rc rc;

    snprintf(token, sizeof token, "TRAINER_TOKEN=%s", l->sites[0].token);
    snprintf(cache, sizeof cache, "ANNEAL_TRAINER_CACHE_BYTES_MAX=%llu",
             (unsigned long long)config_u64(l->config, "trainer_cache_bytes_max"));
    snprintf(places, sizeof places, "ANNEAL_JOBS_PER_TRAINER=%lld",
             (long long)config_int(l->config, "jobs_per_trainer"));
    rc = os_mkdirs(l->child.dir, 0700, e);
    if (!rc)
        rc = os_spawn(&child, argv, env, NULL, OS_SPAWN_STDOUT | OS_SPAWN_DIE_WITH_US, e);
    if (rc)
        return rc;
    l->child.pid = child.pid;
    l->child.running = true;
    l->reader_fd = child.stdout_fd;
    atomic_store(&l->reading, true);
    rc = pool_submit(l->reader, read_output, l, e);
    if (rc) {
        atomic_store(&l->reading, false);
        os_close(child.stdout_fd);
        os_kill(child.pid, SIGKILL);
    }
    return rc;
}

static void set_why(struct launcher *l, const char *why)
{
    pthread_mutex_lock(&l->lock);
    l->sites[0].url[0] = 0;
    snprintf(l->why, sizeof l->why, "%s", why);
    pthread_mutex_unlock(&l->lock);
}

static void look_after(struct launcher *l, int64_t now)
{
    struct child *c = &l->child;
    char why[160];
    int status;

    if (os_wait(c->pid, 0, &status, NULL) == RC_TIMEOUT)
        return;
    c->running = false;
    c->pause_ms = now - c->started_ms > STEADY_MS ? PAUSE_MS_MIN : c->pause_ms;
    c->next_ms = now + c->pause_ms;
    c->pause_ms = c->pause_ms * 2 < PAUSE_MS_MAX ? c->pause_ms * 2 : PAUSE_MS_MAX;
    if (atomic_load(&l->draining)) {
        set_why(l, "we are stopping");
        return;
    }
    snprintf(why, sizeof why, "the trainer ended with status %d and is being started again",
             status);
    set_why(l, why);
    log_warn("the trainer process %d ended with status %d; next start in %lld ms", (int)c->pid,
             status, (long long)(c->next_ms - now));
}

void launcher_tick(struct launcher *l, int64_t now)
{
    struct child *c = &l->child;
    struct err e = {0};

    if (!l->subprocess)
        return;
    if (c->running)
        look_after(l, now);
    /* The reader of the last child must have come to its end before the next has the descriptor. */
    if (c->running || now < c->next_ms || atomic_load(&l->reading) || atomic_load(&l->draining))
        return;
    c->started_ms = now;
    if (spawn(l, &e)) {
        log_error("starting the trainer: %s", e.text);
        set_why(l, "the trainer could not be started; see the log");
        c->next_ms = now + c->pause_ms;
    }
}

void launcher_drain(struct launcher *l)
{
    atomic_store(&l->draining, true);
}

void launcher_stop(struct launcher *l, int64_t wait_ms)
{
    int status;

    if (!l->child.running)
        return;
    os_kill(l->child.pid, SIGTERM);
    if (os_wait(l->child.pid, wait_ms, &status, NULL) == RC_TIMEOUT) {
        os_kill(l->child.pid, SIGKILL);
        (void)!os_wait(l->child.pid, -1, &status, NULL);
    }
    l->child.running = false;
}

/* ---- looking up */

enum rc launcher_find(struct launcher *l, str framework, struct site *ret, struct err *e)
{
    struct buf b;
    enum rc rc = RC_OK;

    for (size_t i = 0; i < l->sites_n; i++) {
        if (!str_is(framework, l->sites[i].framework))
            continue;
        pthread_mutex_lock(&l->lock);
        if (l->sites[i].url[0])
            *ret = l->sites[i];
        else
            rc = err_set(e, RC_UNAVAILABLE, "%s", l->why);
        pthread_mutex_unlock(&l->lock);
        return rc;
    }
    buf_init(&b, 400);
    for (size_t i = 0; i < l->sites_n; i++)
        buf_printf(&b, "%s%s", i ? ", " : "", l->sites[i].framework);
    rc = err_field(e, RC_INVALID, "framework",
                   "no trainer is configured for the framework '%.*s'; there is: %s",
                   (int)(framework.n > 40 ? 40 : framework.n), framework.p, b.p);
    buf_done(&b);
    return rc;
}

size_t launcher_frameworks(struct launcher *l, const char *ret[SITES_MAX])
{
    for (size_t i = 0; i < l->sites_n; i++)
        ret[i] = l->sites[i].framework;
    return l->sites_n;
}
