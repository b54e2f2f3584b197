/* run.c - an attempt's thread: prepare, spawn, read lines, reap, conclude.
 *
 *   PREPARING  fetch dataset and checkpoint
 *   RUNNING    one worker process; its lines become reports
 *   CONCLUDED  the terminal report is in the outbox (or nothing may be said any more)
 *
 * A worker's word counts only while nobody has told it to stop.  What it does after its completed
 * or failed line does not matter, except that it has to exit within EXIT_GRACE_MS.
 */
#include "base/log.h"
#include "flow/trainer/job_int.h"

#include <signal.h>

enum { LAST_WORDS_MS = 500, LOOK_MS = 250 };

/* ---- failures that the trainer itself finds */

static const struct {
    enum rc rc;
    const char *code;
    bool retryable;
} failures[] = {
    {RC_CORRUPT, "data_corrupt", false},       {RC_NOT_FOUND, "data_missing", false},
    {RC_INVALID, "invalid_order", false},      {RC_FULL, "storage_full", true},
    {RC_NOMEM, "out_of_memory", true},         {RC_UNAVAILABLE, "storage_unavailable", true},
    {RC_TIMEOUT, "storage_unavailable", true}, {RC_UPSTREAM, "storage_unavailable", true},
    {RC_FORBIDDEN, "storage_refused", true},
};

static void say_trouble(struct job *j, enum rc rc, const char *text)
{
    for (size_t i = 0; i < sizeof failures / sizeof *failures; i++) {
        if (failures[i].rc == rc) {
            job_say_failed(j, failures[i].code, text, failures[i].retryable);
            return;
        }
    }
    job_say_failed(j, rc_code(rc), text, true);
}

/* The worker does not keep to the contract: not a matter of luck, so not retryable. */
static void say_broken(struct job *j, str line, const char *why)
{
    char text[1024];

    snprintf(text, sizeof text, "the worker's line %lld is not a report: %.500s.  The line: %.*s%s",
             (long long)j->lines_read, why, STR_F(str_sub(line, 0, 160)),
             line.n > 160 ? "..." : "");
    job_say_failed(j, "bad_report", text, false);
}

static void expel(struct job *j)
{
    pthread_mutex_lock(&j->mu);
    j->expel = true;
    job_push_out(j, os_mono_ms());
    pthread_mutex_unlock(&j->mu);
}

/* ---- lines */

static enum rc say_last(struct job *j, struct report *r, struct err *e)
{
    enum rc rc;

    job_flush_logs(j);
    job_leave(j);
    rc = job_say(j, r, e);
    j->said_last = true;
    j->failed = r->kind == REPORT_FAILED;
    return rc;
}

static enum rc handle_report(struct job *j, struct report *r, struct arena *a, struct err *e)
{
    enum rc rc;

    switch (r->kind) {
    case REPORT_PROGRESS:
        if (r->logs.n)
            job_note_logs(j, &r->logs);
        job_note_progress(j, r);
        return RC_OK;
    case REPORT_LOG:
        job_note_logs(j, &r->logs);
        return RC_OK;
    case REPORT_STARTED:
        rc = job_keep_samples(j, &r->samples, a, e);
        return rc ? rc : job_say(j, r, e);
    case REPORT_CHECKPOINT:
        rc = job_keep_checkpoint(j, &r->checkpoint, a, e);
        return rc ? rc : job_say(j, r, e);
    case REPORT_EPOCH:
        rc = job_keep_validation(j, &r->validation, a, e);
        return rc ? rc : job_say(j, r, e);
    case REPORT_COMPLETED:
        rc = job_keep_validation(j, &r->validation, a, e);
        return rc ? rc : say_last(j, r, e);
    case REPORT_FAILED:
        if (!r->error_code.n)
            r->error_code = STR("worker_failed");
        return say_last(j, r, e);
    case REPORT_CANCELLED: /* its exit tells; conclude() knows whether we had asked for it */
        return RC_OK;
    default:
        return job_say(j, r, e);
    }
}

static void handle_line(struct job *j, str line, struct arena *a)
{
    struct report r = {0};
    struct err e = {0};
    enum rc rc;

    j->lines_read++;
    if (!str_trim(line).n || j->said_last)
        return;
    rc = field_read_text(report_fields, line, &r, a, &e);
    if (!rc)
        rc = handle_report(j, &r, a, &e);
    if (!rc || atomic_load(&j->cancel))
        return;
    if (rc == RC_INVALID || rc == RC_TOO_LARGE)
        say_broken(j, line, e.text);
    else if (rc == RC_GONE)
        job_stop(j, STOP_OVER);
    else
        say_trouble(j, rc, e.text);
    j->failed = true;
    expel(j);
}

static void check_silence(struct job *j, int64_t heard_ms)
{
    int64_t limit = j->js->c.silence_ms_max;
    char text[200];

    if (j->said_last || os_mono_ms() - heard_ms < limit)
        return;
    snprintf(text, sizeof text, "the worker has said nothing for %lld s and was stopped",
             (long long)(limit / 1000));
    job_say_failed(j, "worker_silent", text, true);
    j->failed = true;
    expel(j);
}

/* True once the process has ended; its number is given back under the lock, so nobody signals it
 * then. */
static bool has_exited(struct job *j)
{
    bool gone;

    pthread_mutex_lock(&j->mu);
    if (j->pid && os_wait(j->pid, 0, &j->exit_status, NULL) != RC_TIMEOUT)
        j->pid = 0;
    gone = !j->pid;
    pthread_mutex_unlock(&j->mu);
    return gone;
}

/* Until the worker has closed its output, or has ended while something it started keeps that open.
 */
static void read_worker(struct job *j)
{
    int64_t heard_ms = os_mono_ms(), ended_ms = 0;
    enum line_kind kind = LINE_TIMEOUT;
    bool exited = false;
    struct arena a;
    struct buf line;

    arena_init(&a, 16 * (size_t)WORKER_LINE_BYTES_MAX);
    buf_init(&line, WORKER_LINE_BYTES_MAX + 1);
    while (kind != LINE_END) {
        kind = lines_next(j->out, LOOK_MS, &line, NULL);
        if (exited && kind == LINE_TIMEOUT) /* nothing more came after it had ended */
            break;
        if (kind == LINE_TIMEOUT || kind == LINE_WOKEN)
            exited = has_exited(j);
        if (kind == LINE_TEXT || kind == LINE_TOO_LONG)
            heard_ms = os_mono_ms();
        if (kind == LINE_TEXT && !atomic_load(&j->cancel))
            handle_line(j, buf_view(&line), &a);
        if (kind == LINE_TOO_LONG && !j->said_last && !atomic_load(&j->cancel)) {
            char why[80];

            j->lines_read++;
            snprintf(why, sizeof why, "it is longer than %d bytes", WORKER_LINE_BYTES_MAX);
            say_broken(j, buf_view(&line), why);
            j->failed = true;
            expel(j);
        }
        if (!atomic_load(&j->cancel))
            check_silence(j, heard_ms);
        if (j->said_last && !ended_ms)
            ended_ms = os_mono_ms();
        if (ended_ms && os_mono_ms() - ended_ms > EXIT_GRACE_MS)
            expel(j);
        arena_reset(&a);
    }
    buf_done(&line);
    arena_done(&a);
}

/* ---- the process */

static enum rc send_work(struct job *j, const struct work *w, int fd, struct err *e)
{
    struct buf text;
    struct jw jw;
    enum rc rc;

    buf_init(&text, 4 * CONFIG_BYTES_MAX);
    jw_init(&jw, &text);
    field_write(work_fields, w, &jw);
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] == '\n') /* the settings are raw JSON; between tokens a blank is as good */
            text.p[i] = ' ';
    buf_putc(&text, '\n');
    rc = buf_ok(&text, e);
    if (!rc)
        rc = os_write_all(fd, text.p, text.n, e);
    buf_done(&text);
    os_close(fd);
    return rc;
}

static enum rc start_worker(struct job *j, const struct work *w, struct err *e)
{
    const struct jobs_config *c = &j->js->c;
    struct lines *out = NULL, *errors = NULL;
    struct os_child child;
    enum rc rc = spawner_run(c->spawner, &child, c->worker_argv,
                             OS_SPAWN_STDIN | OS_SPAWN_STDOUT | OS_SPAWN_STDERR, e);

    if (rc)
        return err_wrap(e, rc, "starting the worker '%s'", c->worker_argv[0]);
    rc = lines_open(&out, child.stdout_fd, WORKER_LINE_BYTES_MAX, WORKER_WINDOW_BYTES, 0, e);
    if (!rc)
        rc = lines_open(&errors, child.stderr_fd, STDERR_LINE_BYTES_MAX, STDERR_WINDOW_BYTES,
                        LINES_DROP, e);
    else
        os_close(child.stderr_fd);
    pthread_mutex_lock(&j->mu);
    j->pid = child.pid;
    j->out = out;
    j->errors = errors;
    j->phase = PHASE_RUNNING;
    if (rc || j->stop)
        job_push_out(j, os_mono_ms());
    pthread_mutex_unlock(&j->mu);
    if (rc)
        os_close(child.stdin_fd);
    else if (send_work(j, w, child.stdin_fd, NULL))
        log_debug("job %s: the worker ended before it read its order",
                  j->id); /* reap() tells why */
    return rc;
}

/* Waits for the process, pushing it out when its time is over. */
static void reap(struct job *j)
{
    int64_t since = os_mono_ms();

    while (!has_exited(j)) {
        pid_t pid;

        pthread_mutex_lock(&j->mu);
        if (os_mono_ms() - since > EXIT_GRACE_MS)
            j->expel = true;
        job_push_out(j, os_mono_ms());
        pid = j->pid;
        j->pid = 0; /* hidden while os_wait may reap it */
        pthread_mutex_unlock(&j->mu);
        if (os_wait(pid, 100, &j->exit_status, NULL) == RC_TIMEOUT) {
            pthread_mutex_lock(&j->mu);
            j->pid = pid;
            pthread_mutex_unlock(&j->mu);
        }
    }
}

static void close_pipes(struct job *j)
{
    struct lines *out, *errors;

    pthread_mutex_lock(&j->mu);
    out = j->out;
    errors = j->errors;
    j->out = j->errors = NULL;
    pthread_mutex_unlock(&j->mu);
    lines_close(out);
    lines_close(errors);
}

static void say_lost(struct job *j, int status)
{
    const char *hint =
        status == 128 + SIGKILL ? " (the kernel does that when memory runs out)" : "";
    char text[1800];
    int n;

    if (status > 128)
        n = snprintf(text, sizeof text, "the worker was killed by signal %d%s%s%s", status - 128,
                     sigdescr_np(status - 128) ? ", " : "",
                     sigdescr_np(status - 128) ? sigdescr_np(status - 128) : "", hint);
    else
        n = snprintf(text, sizeof text,
                     "the worker ended with exit status %d before it had completed", status);
    pthread_mutex_lock(&j->mu);
    if (j->last_words[0])
        snprintf(text + n, sizeof text - (size_t)n, ".  Its last words: %.1200s", j->last_words);
    pthread_mutex_unlock(&j->mu);
    job_say_failed(j, "worker_lost", text, true);
    j->failed = true;
}

static void run_worker(struct job *j, const struct work *w)
{
    struct err e = {0};
    enum rc rc = start_worker(j, w, &e);

    if (!j->pid) { /* it was never started */
        say_trouble(j, rc, e.text);
        j->failed = true;
        return;
    }
    if (!rc)
        read_worker(j);
    else
        expel(j);
    reap(j);
    if (j->errors) /* its last words come over another pipe; a grandchild may keep that open */
        (void)lines_await_end(j->errors, LAST_WORDS_MS);
    job_read_errors(j);
    if (rc && !j->said_last && !atomic_load(&j->cancel))
        say_trouble(j, rc, e.text);
    else if (!j->said_last && !atomic_load(&j->cancel))
        say_lost(j, j->exit_status);
    close_pipes(j);
}

/* ---- the end */

static void conclude(struct job *j)
{
    enum stop_cause cause;
    struct err e = {0};

    pthread_mutex_lock(&j->mu);
    cause = j->stop;
    pthread_mutex_unlock(&j->mu);
    if (cause >= STOP_OVER)
        box_abandon(j->box);
    else if (!j->said_last && cause == STOP_SHUTDOWN)
        job_say_failed(j, "trainer_stopped", "the trainer was stopped", true);
    else if (!j->said_last)
        job_say_failed(j, NULL, "", false); /* cancelled */
    cache_unpin(j->js->c.cache, &j->pins, j->failed);
    if (os_remove_tree(j->work_dir, &e))
        log_warn("job %s: %s", j->id, e.text);
    pthread_mutex_lock(&j->mu);
    j->phase = PHASE_CONCLUDED;
    if (cause >= STOP_OVER)
        j->box_ended = true;
    pthread_mutex_unlock(&j->mu);
    pthread_mutex_lock(&j->js->mu);
    pthread_cond_broadcast(&j->js->changed);
    pthread_mutex_unlock(&j->js->mu);
}

void *job_main(void *ud)
{
    struct job *j = ud;
    struct work w = {0};
    struct arena a;
    struct err e = {0};
    enum rc rc;

    log_info("job %s, attempt %lld: accepted", j->id, (long long)j->order.attempt);
    arena_init(&a, 1 << 20);
    rc = job_prepare(j, &a, &w, &e);
    if (!rc && !atomic_load(&j->cancel)) {
        run_worker(j, &w);
    } else if (rc == RC_GONE) {
        job_stop(j, STOP_OVER);
    } else if (rc && !atomic_load(&j->cancel)) {
        say_trouble(j, rc, e.text);
        j->failed = true;
    }
    arena_done(&a);
    conclude(j);
    log_info("job %s, attempt %lld: concluded", j->id, (long long)j->order.attempt);
    return NULL;
}
