/* job_feed_sql.c - the live feed of a job: its events and log lines as one numbered sequence.
 *
 * The hub asks for what lies behind a subscriber's cursor; the database is the truth, so nothing is
 * lost on a reconnect and nothing is queued for a slow reader.  State and events are read in one
 * snapshot: a feed is ended only when its last event has been seen.
 */
#include "flow/job/job_int.h"
#include "flow/job/job_read.h"

static enum rc feed_log(struct rows *r, struct buf *b, struct err *e)
{
    struct jw w;

    buf_clear(b);
    jw_init(&w, b);
    jw_obj(&w);
    jw_kint(&w, "time", rows_int(r, 3));
    jw_kcstr(&w, "level", log_level_names[rows_int(r, 4) & 3]);
    jw_kint(&w, "epoch", rows_int(r, 5));
    jw_kstr(&w, "message", rows_text(r, 2));
    jw_obj_end(&w);
    return buf_ok(b, e);
}

enum rc job_feed_pull(void *ud, str topic, int64_t after, unsigned max, struct hub_out *out,
                      bool *ret_ended, struct err *e)
{
    struct jobs *js = ud;
    str prefix = STR("job/");
    str id = str_sub(topic, prefix.n, topic.n);
    struct tx *tx;
    struct rows *r;
    struct buf b;
    unsigned n = 0;
    bool ended = false;
    enum rc bad = RC_OK, rc;

    if (!str_starts(topic, prefix))
        return err_set(e, RC_NOT_FOUND, "there is no topic '%.*s'", STR_F(topic));
    rc = db_begin(js->s.db, DB_READ, &tx, e); /* one snapshot: state and events agree */
    if (rc)
        return rc;
    buf_init(&b, 256 << 10);
    rc = tx_query(tx, &r, e, "SELECT status FROM job WHERE id = ?", db_s(id));
    if (!rc) {
        if (rows_next(r)) {
            str s = rows_text(r, 0);

            ended = str_is(s, "completed") || str_is(s, "failed") || str_is(s, "cancelled");
        } else {
            ended = true;
        }
        rc = rows_done(r, e);
    }
    if (!rc)
        rc =
            tx_query(tx, &r, e,
                     "SELECT seq, kind, data, 0, 0, 0 FROM job_event WHERE job_id = ?1 AND seq > ?2"
                     " UNION ALL SELECT seq, 'log', message, at, level, epoch FROM job_log"
                     " WHERE job_id = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3",
                     db_s(id), db_i(after), db_i(max));
    if (!rc) {
        while (!bad && rows_next(r)) {
            char kind[32];

            snprintf(kind, sizeof kind, "%.*s", STR_F(rows_text(r, 1)));
            if (!strcmp(kind, "log"))
                bad = feed_log(r, &b, e);
            if (!bad)
                hub_event(out, rows_int(r, 0), kind,
                          strcmp(kind, "log") ? rows_text(r, 2) : buf_view(&b));
            n++;
        }
        rc = rows_done(r, bad ? NULL : e);
    }
    buf_done(&b);
    tx_rollback(tx);
    if (bad || rc)
        return bad ? bad : rc;
    *ret_ended = ended && n < max;
    return RC_OK;
}
