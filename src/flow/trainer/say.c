/* say.c - what an attempt tells the backend.
 *
 * Reports that matter (started, epoch, checkpoint, the end) get their number at once.  Progress and
 * log lines are held while earlier reports wait for a slow or absent backend: the newest progress
 * replaces the older, log lines gather up to LOGS_HELD_MAX and then lose their oldest, and the loss
 * is told.  So an outage of a day adds no more than the epochs of a day to the outbox.
 */
#include "base/log.h"
#include "flow/trainer/job_int.h"

static int64_t max_i64(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* j->mu is held. */
static void know(struct job *j, const struct report *r)
{
    j->known.progress = r->progress > j->known.progress ? r->progress : j->known.progress;
    j->known.epoch = max_i64(j->known.epoch, r->epoch);
    j->known.epochs = max_i64(j->known.epochs, r->epochs);
    j->known.step = r->step;
    j->known.steps = r->steps;
    if (r->message.n)
        snprintf(j->message, sizeof j->message, "%.*s", STR_F(r->message));
}

static void forget_progress(struct job *j)
{
    j->has_progress = false;
    mem_free(j->progress_metrics);
    j->progress_metrics = NULL;
}

/* j->say is held. */
static enum rc put(struct job *j, struct report *r, struct err *e)
{
    enum rc rc;

    if (!r->time)
        r->time = os_now_ms();
    rc = box_put(j->box, r, e);
    pthread_mutex_lock(&j->mu);
    j->reported_ms = os_mono_ms();
    pthread_mutex_unlock(&j->mu);
    return rc;
}

enum rc job_say(struct job *j, struct report *r, struct err *e)
{
    enum rc rc;

    pthread_mutex_lock(&j->say);
    pthread_mutex_lock(&j->mu);
    know(j, r);
    forget_progress(j); /* older than this one */
    pthread_mutex_unlock(&j->mu);
    rc = put(j, r, e);
    pthread_mutex_unlock(&j->say);
    return rc;
}

void job_note_progress(struct job *j, const struct report *r)
{
    pthread_mutex_lock(&j->mu);
    know(j, r);
    forget_progress(j);
    j->has_progress = true;
    if (r->metrics.n)
        j->progress_metrics = mem_strndup(r->metrics.p, r->metrics.n);
    pthread_mutex_unlock(&j->mu);
    job_speak(j, os_mono_ms());
}

/* ---- logs; j->mu is held in those that start with hold_ */

static void hold_log(struct job *j, int64_t time, int level, int64_t epoch, str text)
{
    char *copy;

    if (j->logs_n == LOGS_HELD_MAX) {
        mem_free(j->logs[0].text);
        memmove(j->logs, j->logs + 1, (LOGS_HELD_MAX - 1) * sizeof *j->logs);
        j->logs_n--;
        j->logs_dropped++;
    }
    copy = mem_strndup(text.p, text.n);
    if (!copy) {
        j->logs_dropped++;
        return;
    }
    for (char *p = copy; *p; p++) /* control characters would break a terminal that shows the log */
        if ((unsigned char)*p < ' ' && *p != '\t')
            *p = ' ';
    j->logs[j->logs_n++] = (struct held_log){time, epoch, level, copy};
}

void job_note_logs(struct job *j, const struct objs *logs)
{
    const struct log_line *l = logs->p;

    pthread_mutex_lock(&j->mu);
    for (size_t i = 0; i < logs->n; i++)
        hold_log(j, l[i].time ? l[i].time : os_now_ms(), l[i].level, l[i].epoch,
                 str_sub(l[i].message, 0, STDERR_LINE_BYTES_MAX));
    pthread_mutex_unlock(&j->mu);
}

void job_read_errors(struct job *j)
{
    enum line_kind kind;
    struct buf line;
    uint64_t dropped;

    buf_init(&line, 2 * STDERR_LINE_BYTES_MAX);
    pthread_mutex_lock(&j->mu);
    if (!j->errors) {
        pthread_mutex_unlock(&j->mu);
        return;
    }
    while ((kind = lines_next(j->errors, 0, &line, NULL)) == LINE_TEXT || kind == LINE_TOO_LONG ||
           kind == LINE_CUT) {
        str text = str_trim(buf_view(&line));
        ptrdiff_t cr =
            str_rchr(text, '\r'); /* a progress bar redraws its line: keep the last state */

        if (cr >= 0)
            text = str_sub(text, (size_t)cr + 1, text.n);
        if (!text.n)
            continue;
        hold_log(j, os_now_ms(), LOG_INFO, j->known.epoch, text);
        snprintf(j->last_words, sizeof j->last_words, "%.*s", STR_F(text));
    }
    dropped = lines_dropped_bytes(j->errors);
    if (dropped) {
        char text[80];

        snprintf(text, sizeof text, "[%llu bytes of output were dropped here]",
                 (unsigned long long)dropped);
        hold_log(j, os_now_ms(), LOG_WARN, j->known.epoch, str_of(text));
    }
    pthread_mutex_unlock(&j->mu);
    buf_done(&line);
}

/* Moves up to LOGS_REPORT_MAX held lines into r; the text lives in `a`.  j->mu is held. */
static void take_logs(struct job *j, struct report *r, struct arena *a)
{
    size_t n = j->logs_n < LOGS_REPORT_MAX ? j->logs_n : LOGS_REPORT_MAX, at = 0;
    struct log_line *l = ARENA_ARRAY(a, struct log_line, n + 1);

    if (!l || (!n && !j->logs_dropped))
        return;
    if (j->logs_dropped) {
        char *text = arena_printf(a, "[%llu log lines were dropped here]",
                                  (unsigned long long)j->logs_dropped);
        l[at++] = (struct log_line){os_now_ms(), LOG_WARN, str_of(text), j->known.epoch};
        j->logs_dropped = 0;
    }
    for (size_t i = 0; i < n; i++) {
        struct held_log *h = &j->logs[i];

        l[at++] = (struct log_line){h->time, h->level, arena_str(a, str_of(h->text)), h->epoch};
        mem_free(h->text);
    }
    memmove(j->logs, j->logs + n, (j->logs_n - n) * sizeof *j->logs);
    j->logs_n -= n;
    r->logs = (struct objs){l, at};
}

/* ---- what is held and due; j->say is held */

/* A report of this kind that repeats what is known.  j->mu is held. */
static struct report known_report(const struct job *j, int kind, struct arena *a)
{
    struct report r = j->known;

    r.kind = kind;
    r.message = arena_str(a, str_of(j->message));
    return r;
}

static void speak_one(struct job *j, struct report *r)
{
    struct err e = {0};
    enum rc rc = put(j, r, &e);

    if (rc && rc != RC_GONE)
        log_error("job %s: %s", j->id, e.text);
}

static void speak_progress(struct job *j, int64_t now, bool quiet)
{
    int64_t heartbeat_ms = j->js->c.heartbeat_ms;
    struct report r;
    struct arena a;
    bool say;

    arena_init(&a, 1 << 20);
    pthread_mutex_lock(&j->mu);
    say = j->phase != PHASE_CONCLUDED && quiet &&
          ((j->has_progress && now - j->progress_ms >= SPEAK_EVERY_MS) ||
           now - j->reported_ms >= heartbeat_ms);
    if (say) {
        r = known_report(j, REPORT_PROGRESS, &a);
        if (j->progress_metrics)
            r.metrics = arena_str(&a, str_of(j->progress_metrics));
        forget_progress(j);
    }
    pthread_mutex_unlock(&j->mu);
    if (say) {
        j->progress_ms = now;
        speak_one(j, &r);
    }
    arena_done(&a);
}

static void speak_logs(struct job *j, int64_t now, bool quiet)
{
    struct report r = {0};
    struct arena a;

    if (!quiet || now - j->logs_ms < SPEAK_EVERY_MS)
        return;
    arena_init(&a, 4 << 20);
    pthread_mutex_lock(&j->mu);
    if (j->phase != PHASE_CONCLUDED && (j->logs_n || j->logs_dropped)) {
        r = known_report(j, REPORT_LOG, &a);
        take_logs(j, &r, &a);
    }
    pthread_mutex_unlock(&j->mu);
    if (r.logs.n) {
        j->logs_ms = now;
        speak_one(j, &r);
    }
    arena_done(&a);
}

void job_speak(struct job *j, int64_t now)
{
    pthread_mutex_lock(&j->say);
    speak_logs(j, now, box_undelivered(j->box) == 0);
    speak_progress(j, now, box_undelivered(j->box) == 0);
    pthread_mutex_unlock(&j->say);
}

/* ---- the end */

void job_flush_logs(struct job *j)
{
    bool more = true;

    job_read_errors(j);
    pthread_mutex_lock(&j->say);
    for (int i = 0; more && i < LOGS_HELD_MAX / LOGS_REPORT_MAX + 2; i++) {
        j->logs_ms = 0;
        speak_logs(j, os_mono_ms(), true);
        pthread_mutex_lock(&j->mu);
        more = j->phase != PHASE_CONCLUDED && (j->logs_n || j->logs_dropped);
        pthread_mutex_unlock(&j->mu);
    }
    pthread_mutex_unlock(&j->say);
}

/* Before the last report is put: the backend may send the next order as soon as it has it. */
void job_leave(struct job *j)
{
    pthread_mutex_lock(&j->mu);
    j->leaving = true;
    pthread_mutex_unlock(&j->mu);
}

void job_say_failed(struct job *j, const char *code, const char *text, bool retryable)
{
    struct report r;
    struct err e = {0};
    struct arena a;
    enum rc rc;

    job_flush_logs(j);
    arena_init(&a, 4 << 20);
    pthread_mutex_lock(&j->mu);
    r = known_report(j, code ? REPORT_FAILED : REPORT_CANCELLED, &a);
    pthread_mutex_unlock(&j->mu);
    r.error_code = str_of(code);
    r.error = str_sub(str_of(text), 0, 2000);
    r.retryable = retryable;
    job_leave(j);
    rc = job_say(j, &r, &e);
    if (rc && rc != RC_GONE)
        log_error("job %s: its end cannot be kept: %s", j->id, e.text);
    j->said_last = true;
    arena_done(&a);
}
