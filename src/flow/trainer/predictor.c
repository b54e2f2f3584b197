/* predictor.c - one warm child that predicts (predictor.h).
 *
 * A watch thread holds the deadline: it kills a child that neither reads nor answers, which
 * unblocks whoever is writing to it or reading from it.  `mu` guards the child's number; the number
 * is hidden from the watch before the child is reaped.
 */
#include "flow/trainer/predictor.h"

#include "base/log.h"
#include "flow/trainer/lines.h"
#include "flow/trainer/thread.h"
#include "s3/s3.h"

#include <errno.h>

enum { PREDICT_LINE_BYTES_MAX = 64 << 20, COPY_BYTES = 256 << 10, EXIT_MS = 100, REAP_MS = 2000 };

struct predictor {
    struct predictor_config c;
    pthread_mutex_t mu;
    pthread_cond_t changed;
    bool busy; /* a request has the child */
    bool closing;
    int64_t until_ms;      /* when the request's time is up; INT64_MAX: no request */
    bool late;             /* the watch killed the child */
    pid_t pid;             /* 0: no child */
    struct lines *out;     /* changed by the request that has the turn */
    struct os_child child; /* that request's alone */
    pthread_t watch;
};

static void *watch_main(void *ud)
{
    struct predictor *p = ud;

    pthread_mutex_lock(&p->mu);
    while (!p->closing) {
        if (p->until_ms <= os_mono_ms() && p->pid) {
            os_kill(p->pid, SIGKILL);
            p->late = true;
            p->until_ms = INT64_MAX;
            if (p->out) /* a process that the child left behind may keep the pipe open */
                lines_wake(p->out);
        }
        cond_wait(&p->changed, &p->mu, p->pid ? p->until_ms : INT64_MAX);
    }
    pthread_mutex_unlock(&p->mu);
    return NULL;
}

enum rc predictor_new(struct predictor **ret, const struct predictor_config *c, struct err *e)
{
    struct predictor *p = mem_zalloc(sizeof *p);
    enum rc rc;

    if (!p)
        return err_set(e, RC_NOMEM, "out of memory for the predictor");
    p->c = *c;
    p->until_ms = INT64_MAX;
    pthread_mutex_init(&p->mu, NULL);
    cond_init(&p->changed);
    rc = thread_start(&p->watch, watch_main, p, "the predictor", e);
    if (rc) {
        mem_free(p);
        return rc;
    }
    *ret = p;
    return RC_OK;
}

/* ---- the child; the turn is ours */

static int child_end(struct predictor *p)
{
    struct lines *out;
    pid_t pid;
    int status = 0;

    pthread_mutex_lock(&p->mu);
    pid = p->pid;
    out = p->out;
    p->pid = 0;
    p->out = NULL;
    pthread_mutex_unlock(&p->mu);
    if (!pid)
        return 0;
    os_close(p->child.stdin_fd); /* a healthy child ends by itself now */
    if (os_wait(pid, EXIT_MS, &status, NULL) == RC_TIMEOUT) {
        os_kill(pid, SIGKILL);
        (void)!os_wait(pid, REAP_MS, &status, NULL);
    }
    lines_close(out);
    return status;
}

static enum rc child_start(struct predictor *p, struct err *e)
{
    struct lines *out = NULL;
    enum rc rc =
        spawner_run(p->c.spawner, &p->child, p->c.argv, OS_SPAWN_STDIN | OS_SPAWN_STDOUT, e);

    if (rc)
        return err_wrap(e, rc, "starting the predictor '%s'", p->c.argv[0]);
    rc = lines_open(&out, p->child.stdout_fd, PREDICT_LINE_BYTES_MAX, COPY_BYTES, 0, e);
    pthread_mutex_lock(&p->mu);
    p->pid = p->child.pid;
    p->out = out;
    p->late = false;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->mu);
    if (rc)
        (void)child_end(p);
    return rc;
}

/* An earlier child may have died in peace between two requests. */
static bool child_lives(struct predictor *p)
{
    struct buf line;
    enum line_kind kind = LINE_END;

    if (!p->pid)
        return false;
    buf_init(&line, PREDICT_LINE_BYTES_MAX + 1);
    kind = lines_next(p->out, 0, &line, NULL);
    buf_done(&line);
    return kind == LINE_TIMEOUT; /* anything else is unasked for */
}

static enum rc died(struct predictor *p, struct err *e)
{
    int status = child_end(p); /* from now on the watch leaves `late` alone */
    bool late = p->late;

    if (late)
        return err_set(e, RC_TIMEOUT, "no prediction within %lld ms; the predictor was stopped",
                       (long long)p->c.deadline_ms);
    return err_set(e, RC_UPSTREAM, "the predictor died (exit status %d); see the trainer's log",
                   status);
}

static enum rc copy_images(int from, int to, uint64_t bytes, struct err *e)
{
    char *piece = mem_alloc(COPY_BYTES);
    enum rc rc = piece ? RC_OK : err_set(e, RC_NOMEM, "out of memory for pictures");
    uint64_t at = 0;

    while (!rc && at < bytes) {
        size_t want = bytes - at < COPY_BYTES ? (size_t)(bytes - at) : COPY_BYTES;
        ssize_t got = os_sys.pread(from, piece, want, (off_t)at);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            rc = err_set(e, RC_IO, "the spooled pictures cannot be read back");
        else
            rc = os_write_all(to, piece, (size_t)got, e);
        at += got > 0 ? (uint64_t)got : 0;
    }
    mem_free(piece);
    return rc;
}

static enum rc ask(struct predictor *p, const struct predict_request *q, const char *weights,
                   const struct predict_image *images, size_t n, int images_fd, struct err *e)
{
    uint64_t bytes = 0;
    struct buf head;
    struct jw w;
    enum rc rc;

    buf_init(&head, 1 << 20);
    jw_init(&w, &head);
    jw_obj(&w);
    jw_kcstr(&w, "weights", weights);
    jw_kstr(&w, "sha256", q->weights_sha256);
    field_write_members(predict_options_fields, &q->options, &w);
    jw_karr(&w, "images");
    for (size_t i = 0; i < n; i++) {
        jw_obj(&w);
        jw_kstr(&w, "name", images[i].name);
        jw_kint(&w, "bytes", (int64_t)images[i].bytes);
        jw_obj_end(&w);
        bytes += images[i].bytes;
    }
    jw_arr_end(&w);
    jw_obj_end(&w);
    buf_putc(&head, '\n');
    rc = buf_ok(&head, e);
    if (!rc)
        rc = os_write_all(p->child.stdin_fd, head.p, head.n, e);
    buf_done(&head);
    return rc ? rc : copy_images(images_fd, p->child.stdin_fd, bytes, e);
}

static enum rc answer(struct predictor *p, size_t n, struct buf *out, struct err *e)
{
    struct predict_reply reply = {0};
    enum line_kind kind;
    struct arena a;
    struct buf line;
    struct jw w;
    enum rc rc;

    buf_init(&line, PREDICT_LINE_BYTES_MAX + 1);
    kind = lines_next(p->out, -1, &line, NULL); /* the watch bounds it */
    if (kind == LINE_END || kind == LINE_CUT || kind == LINE_WOKEN) {
        buf_done(&line);
        return died(p, e);
    }
    arena_init(&a, 8 * (size_t)PREDICT_LINE_BYTES_MAX);
    rc = kind == LINE_TEXT
             ? field_read_text(predict_reply_fields, buf_view(&line), &reply, &a, e)
             : err_set(e, RC_UPSTREAM, "it is longer than %d bytes", PREDICT_LINE_BYTES_MAX);
    if (!rc && reply.results.n != n)
        rc = err_set(e, RC_UPSTREAM, "it holds %zu results for %zu pictures", reply.results.n, n);
    if (rc) {
        (void)child_end(p); /* the two are out of step now */
        err_wrap(e, rc = RC_UPSTREAM, "the predictor's answer");
    } else {
        jw_init(&w, out);
        field_write(predict_reply_fields, &reply, &w);
        rc = buf_ok(out, e);
    }
    arena_done(&a);
    buf_done(&line);
    return rc;
}

/* ---- a request */

static enum rc fetch_sink(void *ud, const void *p, size_t n, struct err *e)
{
    return cache_fetch_add(ud, p, n, e);
}

static enum rc weights_fetch(struct predictor *p, const struct predict_request *q,
                             struct cache_pins *pins, char path[CACHE_PATH_MAX], struct err *e)
{
    char sha256[SHA256_HEX + 1], url[4200];
    struct cache_fetch *f = NULL;
    bool hit = false;
    enum rc rc;

    if (!is_sha256_hex(q->weights_sha256))
        return err_field(e, RC_INVALID, "weights_sha256", "it is not a SHA-256 in hexadecimal");
    snprintf(sha256, sizeof sha256, "%.*s", STR_F(q->weights_sha256));
    snprintf(url, sizeof url, "%.*s", STR_F(q->weights_url));
    cache_path(p->c.cache, sha256, path);
    rc = cache_pin(p->c.cache, sha256, -1, pins, &hit, e);
    if (rc || hit)
        return rc;
    rc = cache_fetch_open(&f, p->c.cache, sha256, -1, e);
    if (!rc)
        rc = url_get_stream(url, fetch_sink, f, e);
    if (!rc)
        rc = cache_fetch_commit(f, pins, e);
    cache_fetch_free(f);
    return rc ? err_wrap(e, rc, "fetching the weights") : RC_OK;
}

static enum rc turn_take(struct predictor *p, struct err *e)
{
    int64_t until = os_mono_ms() + p->c.deadline_ms;
    bool in_time = true;

    pthread_mutex_lock(&p->mu);
    while (p->busy && in_time)
        in_time = cond_wait(&p->changed, &p->mu, until);
    if (p->busy) {
        pthread_mutex_unlock(&p->mu);
        return err_set(e, RC_TIMEOUT, "other predictions took all of the %lld ms",
                       (long long)p->c.deadline_ms);
    }
    p->busy = true;
    p->until_ms = until;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->mu);
    return RC_OK;
}

static void turn_give(struct predictor *p)
{
    pthread_mutex_lock(&p->mu);
    p->busy = false;
    p->until_ms = INT64_MAX;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->mu);
}

enum rc predictor_run(struct predictor *p, const struct predict_request *q,
                      const struct predict_image *images, size_t n, int images_fd, struct buf *out,
                      struct err *e)
{
    struct cache_pins pins = {0};
    char path[CACHE_PATH_MAX];
    enum rc rc = weights_fetch(p, q, &pins, path, e);

    if (!rc)
        rc = turn_take(p, e);
    if (!rc) {
        if (!child_lives(p)) {
            (void)child_end(p);
            rc = child_start(p, e);
        }
        if (!rc) {
            struct err wrote = {0};

            /* A child that died while it was written to is told apart from one that answered early.
             */
            if (ask(p, q, path, images, n, images_fd, &wrote))
                log_warn("predict: %s", wrote.text);
            rc = wrote.rc ? died(p, e) : answer(p, n, out, e);
        }
        turn_give(p);
    }
    cache_unpin(p->c.cache, &pins, false);
    return rc;
}

bool predictor_warm(struct predictor *p)
{
    bool warm;

    pthread_mutex_lock(&p->mu);
    warm = p->pid != 0;
    pthread_mutex_unlock(&p->mu);
    return warm;
}

void predictor_free(struct predictor *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->mu);
    p->closing = true;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->mu);
    pthread_join(p->watch, NULL);
    (void)child_end(p);
    pthread_cond_destroy(&p->changed);
    pthread_mutex_destroy(&p->mu);
    mem_free(p);
}
