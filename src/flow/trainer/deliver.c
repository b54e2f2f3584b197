/* deliver.c - one try of one report, and what the backend's answer means.
 *
 *   2xx                   taken, whatever `applied` says; stale_attempt and terminal: over
 *   409 with expected_seq go on from there
 *   401 403 404 410       over: the token has ended, the job is gone
 *   400 413 415 422       refused for what it says.  A gap would stop all that follows, so it is
 *                         replaced, under its number, by a failed report that says why
 *   anything else, none   try again later
 */
#include "base/log.h"
#include "flow/trainer/outbox_int.h"

enum { REPLY_BYTES_MAX = 64 << 10, RETRY_AFTER_S_MAX = 60, DETAIL_MAX = 200 };

/* The `detail` of a problem document, or "". */
static str problem_detail(const struct json *doc)
{
    str s = doc && doc->type == JSON_OBJ ? json_str(doc, "detail", STR("")) : STR("");

    return str_sub(s, 0, DETAIL_MAX);
}

static void taken(str body, struct arena *a, struct verdict *v)
{
    struct report_reply reply = {0};
    struct err e = {0};

    v->outcome = OUTCOME_TAKEN;
    if (field_read_text(report_reply_fields, body, &reply, a, &e)) {
        log_warn("outbox: a callback's reply is not understood: %s", e.text);
        return;
    }
    v->cancel = reply.cancel;
    if (!reply.applied &&
        (str_is(reply.reason, "stale_attempt") || str_is(reply.reason, "terminal"))) {
        v->outcome = OUTCOME_OVER;
        snprintf(v->why, sizeof v->why, "%.*s", STR_F(reply.reason));
    }
}

/* The backend cannot take what report seq says: the job fails, and says why. */
static void refused(struct postbox *b, int64_t seq, const struct report *r, int status, str detail,
                    struct verdict *v)
{
    char text[2 * DETAIL_MAX];
    struct report failed = {.attempt = b->attempt,
                            .seq = seq,
                            .kind = REPORT_FAILED,
                            .time = os_now_ms(),
                            .epoch = r->epoch,
                            .epochs = r->epochs,
                            .progress = r->progress,
                            .error_code = STR("report_refused")};
    struct err e = {0};
    enum rc rc;

    snprintf(text, sizeof text, "the backend refused a report of kind '%s' (status %d): %.*s",
             report_kind_names[r->kind], status, STR_F(detail));
    log_error("outbox: %s: report %lld: %s", b->name, (long long)seq, text);
    v->outcome = OUTCOME_OVER;
    snprintf(v->why, sizeof v->why, "%.*s", WHY_MAX - 1, text);
    if (str_is(r->error_code, "report_refused"))
        return;
    failed.error = str_of(text);
    pthread_mutex_lock(&b->put);
    rc = box_write(b, &failed, &e);
    if (!rc) {
        pthread_mutex_lock(&b->o->mu);
        b->terminal_seq = seq;
        b->next_seq = seq + 1; /* what was queued behind it speaks of an attempt that has ended */
        pthread_mutex_unlock(&b->o->mu);
        v->outcome = OUTCOME_RETRY;
        v->wait_ms = 1;
        v->cancel = true;
    }
    pthread_mutex_unlock(&b->put);
}

static void judge(struct postbox *b, int64_t seq, str report, const struct client_reply *r,
                  str body, struct arena *a, struct verdict *v)
{
    const struct json *doc = NULL;
    struct report said = {0};
    struct err e = {0};
    int s = r->status;

    if (s >= 200 && s < 300) {
        taken(body, a, v);
        return;
    }
    if (json_parse(a, body, NULL, &doc, NULL))
        doc = NULL;
    snprintf(v->why, sizeof v->why, "status %d: %.*s", s, STR_F(problem_detail(doc)));
    if (s == 409 && doc && json_int(doc, "expected_seq", 0) > 0) {
        v->outcome = OUTCOME_RESYNC;
        v->expected_seq = json_int(doc, "expected_seq", 0);
    } else if (s == 401 || s == 403 || s == 404 || s == 410) {
        v->outcome = OUTCOME_OVER;
    } else if (s == 400 || s == 413 || s == 415 || s == 422) {
        if (field_read_text(report_fields, report, &said, a, &e))
            snprintf(v->why, sizeof v->why, "%.*s", WHY_MAX - 1, e.text);
        else
            refused(b, seq, &said, s, problem_detail(doc), v);
    } else {
        v->outcome = OUTCOME_RETRY;
        if (r->retry_after_s > 0)
            v->wait_ms = 1000 * (r->retry_after_s < RETRY_AFTER_S_MAX ? r->retry_after_s
                                                                      : RETRY_AFTER_S_MAX);
    }
}

void deliver(struct outbox *o, struct postbox *b, int64_t seq, struct verdict *ret)
{
    const char *headers[] = {b->auth, "Content-Type: application/json", NULL};
    char path[BOX_PATH_MAX];
    struct arena a;
    struct buf reply;
    struct client_reply r;
    struct err e = {0};
    str text = STR_NONE;
    enum rc rc;

    arena_init(&a, 8 * (size_t)REPORT_BYTES_MAX);
    buf_init(&reply, REPLY_BYTES_MAX);
    ret->outcome = OUTCOME_RETRY;
    box_file(b, seq, path);
    rc = os_read_file(&a, path, REPORT_BYTES_MAX, &text, &e);
    if (!rc) {
        struct client_call c = {.method = HTTP_POST,
                                .url = b->url,
                                .headers = headers,
                                .body = text,
                                .reply = &reply,
                                .timeout_ms = o->c.timeout_ms,
                                .cancel = &o->cancel};
        rc = letters_post(o->c.letters, &c, &r, &e);
    } else if (rc == RC_NOT_FOUND) {
        ret->outcome = OUTCOME_OVER; /* someone emptied the folder: the numbers cannot go on */
    }
    if (rc)
        snprintf(ret->why, sizeof ret->why, "%.*s", WHY_MAX - 1, e.text);
    else
        judge(b, seq, text, &r, buf_view(&reply), &a, ret);
    buf_done(&reply);
    arena_done(&a);
}
