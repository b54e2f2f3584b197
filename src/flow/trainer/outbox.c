/* outbox.c - the boxes on disk and their turns; what a try means stands in deliver.c.
 *
 * Locks: box.put orders the writers of one box (the job's thread, the pulse); outbox.mu guards the
 * numbers and the schedule of all boxes and is never held across a system call or a callback.
 * put comes before mu.
 */
#include "flow/trainer/outbox_int.h"

#include "base/log.h"
#include "flow/trainer/thread.h"

bool report_kind_ends(int kind)
{
    return kind == REPORT_COMPLETED || kind == REPORT_FAILED || kind == REPORT_CANCELLED;
}

void box_file(const struct postbox *b, int64_t seq, char ret[BOX_PATH_MAX])
{
    snprintf(ret, BOX_PATH_MAX, "%s/%lld.json", b->dir, (long long)seq);
}

/* ---- the schedule */

static struct postbox *next_due(struct outbox *o, int64_t now, int64_t *ret_wait_until)
{
    struct postbox *best = NULL;

    *ret_wait_until = INT64_MAX;
    for (struct postbox *b = o->boxes; b; b = b->next) {
        if (b->busy || b->over || b->send == b->next_seq)
            continue;
        if (b->due_ms > now)
            *ret_wait_until = b->due_ms < *ret_wait_until ? b->due_ms : *ret_wait_until;
        else if (!best || b->due_ms < best->due_ms)
            best = b;
    }
    return best;
}

/* Doubling from retry_min to retry_max; jitter takes up to a quarter off, never below the minimum.
 */
static int64_t back_off_ms(const struct outbox *o, unsigned fails)
{
    int64_t ms = o->c.retry_min_ms;
    uint64_t word;

    for (unsigned i = 1; i < fails && ms < o->c.retry_max_ms; i++)
        ms *= 2;
    ms = ms < o->c.retry_max_ms ? ms : o->c.retry_max_ms;
    os_random(&word, sizeof word);
    ms -= (int64_t)(word % (uint64_t)(ms / 4 + 1));
    return ms > o->c.retry_min_ms ? ms : o->c.retry_min_ms;
}

static void drop_files(struct postbox *b, int64_t from, int64_t to)
{
    char path[BOX_PATH_MAX];

    for (int64_t seq = from; seq < to; seq++) {
        box_file(b, seq, path);
        (void)os_sys.unlink(path);
    }
}

static void remove_folder(struct postbox *b)
{
    struct err e = {0};

    pthread_mutex_lock(&b->put);
    if (os_remove_tree(b->dir, &e))
        log_warn("outbox: %s", e.text);
    pthread_mutex_unlock(&b->put);
}

/* Applies what a try brought; mu is held.  True: the folder must go and `ev` be told. */
static bool settle(struct outbox *o, struct postbox *b, int64_t seq, const struct verdict *v)
{
    int64_t now = os_mono_ms();

    switch (v->outcome) {
    case OUTCOME_TAKEN:
        if (b->fails >= OUTBOX_TRIES)
            log_info("outbox: %s: delivery works again", b->name);
        b->fails = 0;
        b->resyncs = 0;
        b->send = seq + 1;
        b->due_ms = now;
        b->over = b->terminal_seq && b->send > b->terminal_seq;
        return b->over;
    case OUTCOME_RETRY:
        b->fails++;
        b->due_ms = now + (v->wait_ms > 0 ? v->wait_ms : back_off_ms(o, b->fails));
        if (b->fails == OUTBOX_TRIES)
            log_warn("outbox: %s: report %lld stays here after %u tries: %s", b->name,
                     (long long)seq, b->fails, v->why);
        return false;
    case OUTCOME_RESYNC:
        /* A backend that keeps asking for what it was just given is broken: wait longer each time.
         */
        b->due_ms = b->resyncs++ ? now + back_off_ms(o, b->resyncs) : now;
        b->send = v->expected_seq;
        log_info("outbox: %s: the backend expects report %lld", b->name, (long long)b->send);
        b->over = b->terminal_seq && b->send > b->terminal_seq;
        return b->over;
    case OUTCOME_OVER:
        log_info("outbox: %s: over: %s", b->name, v->why);
        b->over = true;
        return true;
    }
    return false;
}

static void serve_box(struct outbox *o, struct postbox *b, int64_t seq)
{
    struct verdict v = {0};
    int64_t oldest;
    bool ended;

    deliver(o, b, seq, &v);
    pthread_mutex_lock(&o->mu);
    if (v.outcome == OUTCOME_RESYNC &&
        (v.expected_seq < b->first || v.expected_seq > b->next_seq)) {
        v.outcome = OUTCOME_OVER;
        snprintf(v.why, sizeof v.why, "the backend expects report %lld, which is gone",
                 (long long)v.expected_seq);
    }
    ended = b->over || settle(o, b, seq, &v); /* over already: abandoned meanwhile */
    oldest = b->first;
    if (b->first < b->send - OUTBOX_KEEP)
        b->first = b->send - OUTBOX_KEEP;
    pthread_mutex_unlock(&o->mu);

    drop_files(b, oldest, b->first); /* only this thread moves `first` while the box is busy */
    if (ended)
        remove_folder(b);
    if (v.cancel)
        b->fn(b->ud, BOX_CANCEL, "the backend asked for it");
    if (ended)
        b->fn(b->ud, v.outcome == OUTCOME_OVER ? BOX_OVER : BOX_DONE, v.why);
    pthread_mutex_lock(&o->mu);
    b->busy = false;
    pthread_cond_broadcast(&o->changed);
}

static void *outbox_main(void *ud)
{
    struct outbox *o = ud;

    pthread_mutex_lock(&o->mu);
    while (!o->closing) {
        int64_t until;
        struct postbox *b = next_due(o, os_mono_ms(), &until);

        if (!b) {
            cond_wait(&o->changed, &o->mu, until);
            continue;
        }
        b->busy = true;
        int64_t seq = b->send;
        pthread_mutex_unlock(&o->mu);
        serve_box(o, b, seq); /* returns locked */
    }
    pthread_mutex_unlock(&o->mu);
    return NULL;
}

enum rc outbox_open(struct outbox **ret, const struct outbox_config *c, struct err *e)
{
    struct outbox *o = mem_zalloc(sizeof *o);
    enum rc rc;

    if (!o)
        return err_set(e, RC_NOMEM, "out of memory for the outbox");
    o->c = *c;
    snprintf(o->dir, sizeof o->dir, "%s", c->dir);
    pthread_mutex_init(&o->mu, NULL);
    cond_init(&o->changed);
    rc = os_mkdirs(o->dir, 0700, e);
    while (!rc && o->threads_n < OUTBOX_THREADS) {
        rc = thread_start(&o->threads[o->threads_n], outbox_main, o, "a delivery", e);
        o->threads_n += !rc;
    }
    if (rc) {
        outbox_close(o);
        return rc;
    }
    *ret = o;
    return RC_OK;
}

void outbox_stop(struct outbox *o)
{
    atomic_store(&o->cancel, true);
    pthread_mutex_lock(&o->mu);
    o->closing = true;
    pthread_cond_broadcast(&o->changed);
    pthread_mutex_unlock(&o->mu);
    for (unsigned i = 0; i < o->threads_n; i++)
        pthread_join(o->threads[i], NULL);
    o->threads_n = 0;
}

void outbox_close(struct outbox *o)
{
    if (!o)
        return;
    outbox_stop(o);
    ASSERT(!o->boxes);
    pthread_cond_destroy(&o->changed);
    pthread_mutex_destroy(&o->mu);
    mem_free(o);
}

static bool all_delivered(const struct outbox *o)
{
    for (const struct postbox *b = o->boxes; b; b = b->next)
        if (b->busy || (!b->over && b->send < b->next_seq))
            return false;
    return true;
}

bool outbox_flush(struct outbox *o, int64_t timeout_ms)
{
    int64_t until = os_mono_ms() + timeout_ms;
    bool done;

    pthread_mutex_lock(&o->mu);
    while (!(done = all_delivered(o)) && cond_wait(&o->changed, &o->mu, until)) {
    }
    pthread_mutex_unlock(&o->mu);
    return done;
}

enum rc outbox_each(struct outbox *o, os_dir_fn each, void *ud, struct err *e)
{
    return os_list_dir(o->dir, each, ud, e);
}

/* ---- boxes */

static enum rc box_new(struct postbox **ret, struct outbox *o, const char *name, box_event_fn fn,
                       void *ud, struct err *e)
{
    struct postbox *b = mem_zalloc(sizeof *b);

    if (!b)
        return err_set(e, RC_NOMEM, "out of memory for an outbox");
    b->o = o;
    b->fn = fn;
    b->ud = ud;
    b->first = b->send = b->next_seq = 1;
    pthread_mutex_init(&b->put, NULL);
    snprintf(b->name, sizeof b->name, "%s", name);
    snprintf(b->dir, sizeof b->dir, "%s/%s", o->dir, name);
    *ret = b;
    return RC_OK;
}

static enum rc box_address(struct postbox *b, const struct start_order *order, struct err *e)
{
    b->attempt = order->attempt;
    if (order->callback_url.n >= sizeof b->url)
        return err_field(e, RC_INVALID, "callback_url", "the callback URL is too long");
    snprintf(b->url, sizeof b->url, "%.*s", STR_F(order->callback_url));
    snprintf(b->auth, sizeof b->auth, "Authorization: Bearer %.*s", STR_F(order->token));
    return RC_OK;
}

static void box_link(struct postbox *b)
{
    pthread_mutex_lock(&b->o->mu);
    b->next = b->o->boxes;
    b->o->boxes = b;
    pthread_cond_broadcast(&b->o->changed);
    pthread_mutex_unlock(&b->o->mu);
}

enum rc box_open(struct postbox **ret, struct outbox *o, const struct start_order *order,
                 box_event_fn fn, void *ud, struct err *e)
{
    char name[BOX_NAME_MAX], path[BOX_PATH_MAX];
    struct postbox *b = NULL;
    struct buf text;
    struct jw w;
    enum rc rc;

    buf_init(&text, REPORT_BYTES_MAX);
    jw_init(&w, &text);
    field_write(start_order_fields, order, &w);
    snprintf(name, sizeof name, "%.*s-%lld", STR_F(order->job_id), (long long)order->attempt);
    rc = buf_ok(&text, e);
    if (!rc)
        rc = box_new(&b, o, name, fn, ud, e);
    if (!rc)
        rc = box_address(b, order, e);
    if (!rc)
        rc = os_mkdirs(b->dir, 0700, e);
    if (!rc) {
        snprintf(path, sizeof path, "%s/order.json", b->dir);
        rc = os_write_file_durable(path, buf_view(&text), 0600, e);
    }
    if (!rc)
        rc = os_fsync_dir(o->dir, e);
    buf_done(&text);
    if (rc) {
        mem_free(b);
        return err_wrap(e, rc, "making attempt '%s' durable", name);
    }
    box_link(b);
    *ret = b;
    return RC_OK;
}

static enum rc recover_file(void *ud, const char *name, bool is_dir, struct err *e)
{
    struct postbox *b = ud;
    str number = str_of(name);
    char path[BOX_PATH_MAX + 300];
    int64_t seq;

    if (str_ends(number, STR(".tmp"))) { /* cut off while it was written: never had a number */
        snprintf(path, sizeof path, "%s/%s", b->dir, name);
        (void)os_sys.unlink(path);
        return RC_OK;
    }
    if (!str_ends(number, STR(".json")) || !str_i64(str_sub(number, 0, number.n - 5), &seq) ||
        seq < 1)
        return RC_OK;
    if (seq < b->first || b->next_seq == 1)
        b->first = seq;
    if (seq >= b->next_seq)
        b->next_seq = seq + 1;
    return RC_OK;
}

static enum rc recover_order(struct postbox *b, struct arena *a, struct start_order *ret,
                             struct err *e)
{
    char path[BOX_PATH_MAX];
    str text;
    enum rc rc;

    snprintf(path, sizeof path, "%s/order.json", b->dir);
    rc = os_read_file(a, path, REPORT_BYTES_MAX, &text, e);
    if (rc == RC_NOT_FOUND) {
        remove_folder(b);
        return rc;
    }
    if (!rc)
        rc = field_read_text(start_order_fields, text, ret, a, e);
    if (!rc)
        rc = box_address(b, ret, e);
    return rc ? err_wrap(e, RC_CORRUPT, "'%s'", path) : RC_OK;
}

/* Whether the newest report closes the attempt. */
static enum rc recover_last(struct postbox *b, struct arena *a, bool *ret_ended, struct err *e)
{
    char path[BOX_PATH_MAX];
    struct report last = {0};
    str text;
    enum rc rc;

    if (b->next_seq == 1)
        return RC_OK;
    box_file(b, b->next_seq - 1, path);
    rc = os_read_file(a, path, REPORT_BYTES_MAX, &text, e);
    if (!rc)
        rc = field_read_text(report_fields, text, &last, a, e);
    if (rc)
        return err_wrap(e, RC_CORRUPT, "'%s'", path);
    *ret_ended = report_kind_ends(last.kind);
    if (*ret_ended)
        b->terminal_seq = last.seq;
    return RC_OK;
}

enum rc box_recover(struct postbox **ret, struct outbox *o, const char *name, box_event_fn fn,
                    void *ud, struct arena *a, struct start_order *ret_order, bool *ret_ended,
                    struct err *e)
{
    struct postbox *b = NULL;
    bool ended = false;
    enum rc rc = box_new(&b, o, name, fn, ud, e);

    if (!rc)
        rc = recover_order(b, a, ret_order, e);
    if (!rc)
        rc = os_list_dir(b->dir, recover_file, b, e);
    if (!rc)
        rc = recover_last(b, a, &ended, e);
    if (rc) {
        mem_free(b);
        return rc;
    }
    b->send = b->first;
    *ret_ended = ended;
    box_link(b);
    *ret = b;
    return RC_OK;
}

enum rc box_write(struct postbox *b, const struct report *r, struct err *e)
{
    char path[BOX_PATH_MAX];
    struct buf text;
    struct jw w;
    enum rc rc;

    buf_init(&text, REPORT_BYTES_MAX);
    jw_init(&w, &text);
    field_write(report_fields, r, &w);
    box_file(b, r->seq, path);
    rc = buf_ok(&text, e);
    if (!rc)
        rc = os_write_file_durable(path, buf_view(&text), 0600, e);
    buf_done(&text);
    return rc;
}

enum rc box_put(struct postbox *b, struct report *r, struct err *e)
{
    struct outbox *o = b->o;
    bool closed;
    enum rc rc;

    pthread_mutex_lock(&b->put);
    pthread_mutex_lock(&o->mu);
    closed = b->over || b->terminal_seq;
    r->attempt = b->attempt;
    r->seq = b->next_seq;
    pthread_mutex_unlock(&o->mu);
    rc = closed ? err_set(e, RC_GONE, "attempt '%s' is over", b->name) : box_write(b, r, e);
    if (!rc) {
        pthread_mutex_lock(&o->mu);
        if (b->send == b->next_seq && !b->fails)
            b->due_ms = os_mono_ms();
        b->next_seq++;
        if (report_kind_ends(r->kind))
            b->terminal_seq = r->seq;
        pthread_cond_broadcast(&o->changed);
        pthread_mutex_unlock(&o->mu);
    }
    pthread_mutex_unlock(&b->put);
    return rc;
}

int64_t box_undelivered(struct postbox *b)
{
    int64_t n;

    pthread_mutex_lock(&b->o->mu);
    n = b->over ? 0 : b->next_seq - b->send;
    pthread_mutex_unlock(&b->o->mu);
    return n;
}

void box_kick(struct postbox *b)
{
    pthread_mutex_lock(&b->o->mu);
    if (b->fails) {
        b->due_ms = os_mono_ms();
        pthread_cond_broadcast(&b->o->changed);
    }
    pthread_mutex_unlock(&b->o->mu);
}

void box_abandon(struct postbox *b)
{
    bool already;

    pthread_mutex_lock(&b->o->mu);
    already = b->over;
    b->over = true;
    pthread_cond_broadcast(&b->o->changed);
    pthread_mutex_unlock(&b->o->mu);
    if (!already)
        remove_folder(b);
}

void box_free(struct postbox *b)
{
    struct outbox *o;
    struct postbox **at;

    if (!b)
        return;
    o = b->o;
    pthread_mutex_lock(&o->mu);
    for (at = &o->boxes; *at != b; at = &(*at)->next) {
    }
    *at = b->next;
    while (b->busy)
        cond_wait(&o->changed, &o->mu, INT64_MAX);
    pthread_mutex_unlock(&o->mu);
    pthread_mutex_destroy(&b->put);
    mem_free(b);
}
