/* webhook_sql.c - the tables of the migration. */
#include "base/base64.h"
#include "flow/webhook/webhook_int.h"
#include "os/os.h"

#define DAY_MS (24 * 60 * 60 * 1000LL)

const char *const webhook_events[] = {"job.running", "job.completed", "job.failed", "job.cancelled",
                                      NULL};

#define S struct webhook
const struct field webhook_fields[] = {
    F_STR(S, id, .help = "Id of the webhook."),
    F_STR(S, project_id, .flags = FIELD_NULLABLE,
          .help = "Project whose jobs it tells of; null: of every project."),
    F_STR(S, url, .help = "Where it posts to."),
    F_STR(S, description, .help = "What it is for."),
    F_STR(S, events, .help = "Names of events, separated by spaces."),
    F_BOOL(S, active, .help = "Whether it is used."),
    F_STR(S, created_by, .flags = FIELD_NULLABLE, .help = "Id of the account that made it."),
    F_TIME(S, created_at, .help = "When it was made."),
    F_INT(S, waiting, .help = "Deliveries that are still to be made."),
    F_INT(S, failed, .help = "Deliveries that were given up, of those kept."),
    FIELD_END};
#undef S
#define S struct delivery
const struct field delivery_fields[] = {
    F_STR(S, id, .help = "Id of the delivery, its header webhook-id."),
    F_STR(S, event, .help = "Name of the event."),
    F_TIME(S, created_at, .help = "When it happened."),
    F_INT(S, attempts, .help = "Attempts so far."),
    F_TIME(S, next_at, .help = "The next attempt; null: none."),
    F_TIME(S, done_at, .help = "When it was delivered or given up."),
    F_INT(S, status, .help = "Status of the last reply; 0: none came."),
    F_STR(S, error, .flags = FIELD_NULLABLE, .help = "Why the last attempt failed."),
    FIELD_END};
#undef S

static enum rc no_webhook(str id, struct err *e)
{
    return err_set(e, RC_NOT_FOUND, "there is no webhook '%.*s'", (int)(id.n < 40 ? id.n : 40),
                   id.p);
}

#define WEBHOOK                                                                                    \
    "SELECT w.id, coalesce(w.project_id, ''), w.url, w.description, w.events,"                     \
    " coalesce(w.created_by, ''), w.active, w.created_at,"                                         \
    " (SELECT count(*) FROM webhook_delivery d WHERE d.webhook_id = w.id AND d.done_at IS NULL),"  \
    " (SELECT count(*) FROM webhook_delivery d WHERE d.webhook_id = w.id"                          \
    "  AND d.done_at IS NOT NULL AND d.error <> '') FROM webhook w "

static struct webhook webhook_row(struct rows *r)
{
    return (struct webhook){rows_text(r, 0),         rows_text(r, 1), rows_text(r, 2),
                            rows_text(r, 3),         rows_text(r, 4), rows_text(r, 5),
                            rows_int(r, 6),          rows_int(r, 7),  .waiting = rows_int(r, 8),
                            .failed = rows_int(r, 9)};
}

static void new_secret(char ret[WEBHOOK_SECRET_TEXT])
{
    uint8_t raw[32];
    struct buf b;

    os_random(raw, sizeof raw);
    buf_init(&b, WEBHOOK_SECRET_TEXT);
    buf_puts(&b, "whsec_");
    base64_write(raw, sizeof raw, &b);
    ASSERT(!b.rc && b.n < WEBHOOK_SECRET_TEXT);
    memcpy(ret, b.p, b.n);
    ret[b.n] = 0;
    buf_done(&b);
}

static enum rc check_count(struct tx *tx, struct err *e)
{
    int64_t n;
    enum rc rc = tx_int(tx, 0, &n, e, "SELECT count(*) FROM webhook");

    return rc || n < WEBHOOKS_MAX ? rc
                                  : err_set(e, RC_LIMIT,
                                            "there are %d webhooks, the most there may "
                                            "be; delete one first",
                                            WEBHOOKS_MAX);
}

enum rc webhook_new(struct db *db, struct arena *a, struct webhook *w,
                    char ret_secret[WEBHOOK_SECRET_TEXT], struct err *e)
{
    char id[OS_ID_TEXT], secret[WEBHOOK_SECRET_TEXT];
    struct tx *tx = NULL;
    const int64_t now = os_now_ms();
    enum rc rc = webhook_check(w->url, w->events, e);

    if (!rc)
        rc = db_begin(db, DB_WRITE, &tx, e);
    if (rc)
        return rc;
    os_id(id);
    new_secret(secret);
    rc = check_count(tx, e);
    if (!rc)
        rc = tx_exec(tx, e,
                     "INSERT INTO webhook (id, project_id, url, description, events, secret,"
                     " active, created_by, created_at) VALUES (?, ?, ?, ?, ?, ?, 1, ?, ?)",
                     db_c(id), db_text_or_null(w->project_id), db_s(w->url), db_s(w->description),
                     db_s(w->events), db_c(secret), db_text_or_null(w->created_by), db_i(now));
    rc = tx_end(tx, rc, e);
    if (rc)
        return rc;
    w->id = arena_str(a, str_of(id));
    w->active = true;
    w->created_at = now;
    memcpy(ret_secret, secret, sizeof secret);
    return w->id.p ? RC_OK : err_set(e, RC_NOMEM, "out of memory");
}

enum rc webhook_list(struct db *db, webhook_each_fn each, void *ud, struct err *e)
{
    struct tx *tx = NULL;
    struct rows *r = NULL;
    enum rc rc = db_begin(db, DB_READ, &tx, e);

    if (!rc)
        rc = tx_query(tx, &r, e, WEBHOOK "ORDER BY w.created_at DESC, w.id DESC");
    while (!rc && rows_next(r)) {
        const struct webhook w = webhook_row(r);
        each(ud, &w);
    }
    if (!rc)
        rc = rows_done(r, e);
    tx_rollback(tx);
    return rc;
}

enum rc webhook_get(struct db *db, struct arena *a, str id, struct webhook *ret, struct err *e)
{
    struct tx *tx = NULL;
    struct rows *r = NULL;
    struct webhook w = {0};
    bool there = false, whole = true;
    enum rc rc = db_begin(db, DB_READ, &tx, e);

    if (!rc)
        rc = tx_query(tx, &r, e, WEBHOOK "WHERE w.id = ?", db_s(id));
    if (!rc && rows_next(r)) {
        str *const texts[] = {&w.id,          &w.project_id, &w.url,
                              &w.description, &w.events,     &w.created_by};
        there = true;
        w = webhook_row(r);
        for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
            *texts[i] = arena_str(a, *texts[i]);
            whole &= texts[i]->p != NULL;
        }
    }
    if (!rc)
        rc = rows_done(r, e);
    tx_rollback(tx);
    if (!rc && !there)
        return no_webhook(id, e);
    if (!rc && !whole)
        return err_set(e, RC_NOMEM, "out of memory");
    if (!rc)
        *ret = w;
    return rc;
}

/* One statement that must change a row. */
#define CHANGE(db, id, e, ...)                                                                     \
    do {                                                                                           \
        struct tx *tx_ = NULL;                                                                     \
        enum rc rc_ = db_begin(db, DB_WRITE, &tx_, e);                                             \
        if (rc_)                                                                                   \
            return rc_;                                                                            \
        rc_ = tx_exec(tx_, e, __VA_ARGS__);                                                        \
        if (!rc_ && !tx_changes(tx_))                                                              \
            rc_ = no_webhook(id, e);                                                               \
        return tx_end(tx_, rc_, e);                                                                \
    } while (0)

enum rc webhook_update(struct db *db, const struct webhook *w, struct err *e)
{
    const enum rc rc = webhook_check(w->url, w->events, e);

    if (rc)
        return rc;
    CHANGE(db, w->id, e,
           "UPDATE webhook SET url = ?, description = ?, events = ?, active = ? WHERE id = ?",
           db_s(w->url), db_s(w->description), db_s(w->events), db_i(w->active), db_s(w->id));
}

enum rc webhook_delete(struct db *db, str id, struct err *e)
{
    CHANGE(db, id, e, "DELETE FROM webhook WHERE id = ?", db_s(id));
}

enum rc webhook_ping(struct db *db, str id, int64_t now_ms, struct err *e)
{
    CHANGE(db, id, e,
           "INSERT INTO webhook_delivery (id, webhook_id, event, created_at, next_at)"
           " SELECT 'msg_' || lower(hex(randomblob(16))), id, 'ping', ?1, ?1"
           " FROM webhook WHERE id = ?2",
           db_i(now_ms), db_s(id));
}

enum rc webhook_deliveries(struct db *db, str id, int64_t limit, delivery_each_fn each, void *ud,
                           struct err *e)
{
    struct tx *tx = NULL;
    struct rows *r = NULL;
    enum rc rc = db_begin(db, DB_READ, &tx, e);

    if (!rc)
        rc = tx_query(tx, &r, e,
                      "SELECT id, event, error, created_at, attempts, coalesce(next_at, 0),"
                      " coalesce(done_at, 0), status FROM webhook_delivery WHERE webhook_id = ?"
                      " ORDER BY created_at DESC, id LIMIT ?",
                      db_s(id), db_i(limit));
    while (!rc && rows_next(r)) {
        const struct delivery d = {rows_text(r, 0), rows_text(r, 1), rows_text(r, 2),
                                   rows_int(r, 3),  rows_int(r, 4),  rows_int(r, 5),
                                   rows_int(r, 6),  rows_int(r, 7)};
        each(ud, &d);
    }
    if (!rc)
        rc = rows_done(r, e);
    tx_rollback(tx);
    return rc;
}

/* ---- for the sender */

/* The job as it is now: after its end nothing of this changes.  {} if it has been deleted. */
#define BODY                                                                                       \
    "json_object('type', d.event, 'timestamp',"                                                    \
    " strftime('%Y-%m-%dT%H:%M:%fZ', d.created_at / 1000.0, 'unixepoch'), 'data',"                 \
    " CASE WHEN j.id IS NULL THEN json_object() ELSE json_object('job', j.id, 'name', j.name,"     \
    " 'kind', j.kind, 'status', substr(d.event, 5), 'project', j.project_id,"                      \
    " 'framework', j.framework, 'model', j.model, 'dataset', j.dataset_id,"                        \
    " 'dataset_name', j.dataset_name, 'dataset_version', j.dataset_version, 'epoch', j.epoch,"     \
    " 'epochs', j.epochs, 'best_epoch', j.best_epoch, 'best_metric', j.best_metric,"               \
    " 'best_value', j.best_value, 'weights_sha256', j.weights_sha256,"                             \
    " 'error_code', j.error_code, 'error', j.error) END)"

enum rc delivery_due(struct db *db, struct arena *a, int64_t now_ms, struct due *ret, struct err *e)
{
    struct tx *tx = NULL;
    struct rows *r = NULL;
    struct due d = {0};
    bool there = false;
    enum rc rc = db_begin(db, DB_READ, &tx, e);

    if (!rc)
        rc = tx_query(tx, &r, e,
                      "SELECT d.id, " BODY ", w.url, w.secret, d.attempts FROM webhook_delivery d"
                      " JOIN webhook w ON w.id = d.webhook_id LEFT JOIN job j ON j.id = d.job_id"
                      " WHERE d.next_at <= ? AND w.active = 1 ORDER BY d.next_at LIMIT 1",
                      db_i(now_ms));
    if (!rc && rows_next(r)) {
        there = true;
        d = (struct due){rows_copy(r, a, 0), rows_copy(r, a, 1), rows_copy(r, a, 2),
                         arena_cstr(a, rows_text(r, 3)), rows_int(r, 4)};
    }
    if (!rc)
        rc = rows_done(r, e);
    tx_rollback(tx);
    if (!rc && !there)
        return RC_NOT_FOUND;
    if (!rc && (!d.id.p || !d.body.p || !d.url.p || !d.secret))
        return err_set(e, RC_NOMEM, "out of memory");
    if (!rc)
        *ret = d;
    return rc;
}

enum rc delivery_done(struct db *db, str id, int64_t status, const char *error, int64_t next_at,
                      int64_t now_ms, struct err *e)
{
    struct tx *tx = NULL;
    enum rc rc = db_begin(db, DB_WRITE, &tx, e);

    if (rc)
        return rc;
    rc = tx_exec(tx, e,
                 "UPDATE webhook_delivery SET attempts = attempts + 1, status = ?, error = ?,"
                 " next_at = ?, done_at = ? WHERE id = ?",
                 db_i(status), db_c(error), next_at ? db_i(next_at) : db_null(),
                 next_at ? db_null() : db_i(now_ms), db_s(id));
    if (!rc)
        rc = tx_exec(tx, e,
                     "DELETE FROM webhook_delivery WHERE id IN (SELECT id FROM webhook_delivery"
                     " WHERE done_at < ? LIMIT 100)",
                     db_i(now_ms - WEBHOOK_KEEP_DAYS * DAY_MS));
    return tx_end(tx, rc, e);
}
