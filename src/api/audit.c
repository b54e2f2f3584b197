/* audit.c - the audit log: written for every request that changes something, read by
 * administrators.
 *
 * A row is written before the reply leaves: what somebody was told is done has its row, unless the
 * row itself cannot be written, which is logged and does not undo what was done.
 */
#include "flow/audit/audit.h"
#include "api/app.h"
#include "base/log.h"
#include "os/os.h"
#include "spec/config.h"

#define DAY_MS (24 * 60 * 60 * 1000LL)

/* Failed log-ins count, other requests of nobody do not: anyone could fill the log with them.  A
 * throttled log-in is left out for the same reason. */
static bool worth_a_row(const struct ctx *c, int status)
{
    const struct route *r = c->route;

    if (!r || r->unaudited || r->method == HTTP_GET || r->access == ACCESS_JOB)
        return false;
    return c->who.user_id.n || (status == 401 && str_starts(str_of(r->path), STR("/auth/l")));
}

void audit_request(void *ctx, int status)
{
    struct ctx *c = ctx;
    struct audit_entry one = {.at = os_now_ms(),
                              .actor_id = c->who.user_id,
                              .actor = c->who.user_name,
                              .object = http_path(c->req),
                              .status = status,
                              .address = http_peer(c->req)};
    struct err e = {0};
    char action[160];

    if (!worth_a_row(c, status))
        return;
    one.credential = !c->who.user_id.n     ? AUDIT_NONE
                     : c->who.session_id.n ? AUDIT_SESSION
                                           : AUDIT_TOKEN;
    snprintf(action, sizeof action, "%s %s", http_method_name(c->route->method), c->route->path);
    one.action = str_of(action);
    if (audit_add(c->app->db, &one, config_int(c->app->config, "audit_days") * DAY_MS, &e))
        log_error("the audit log has no row of %s %.*s by %.*s: %s", action, STR_F(one.object),
                  STR_F(one.actor), e.text);
}

struct audit_query_body {
    str actor, q, cursor;
    bool refused;
    int64_t since, limit;
};
#define S struct audit_query_body
static const struct field query_fields[] = {
    F_STR(S, actor, .max = 254, .help = "Id of an account, or part of its name."),
    F_STR(S, q, .max = 200, .help = "Part of the action or of the path."),
    F_BOOL(S, refused, .help = "Only what was not done: status 400 and up."),
    F_TIME(S, since, .help = "Only from then on."),
    F_INT(S, limit, .dflt = "100", .min = 1, .max = 1000, .help = "Rows of a page."),
    F_STR(S, cursor, .max = 1024, .help = "`next` of the page before."),
    FIELD_END};
#undef S

struct page {
    struct jw *w;
    int64_t n, last;
};

static void write_entry(void *ud, const struct audit_entry *one)
{
    struct page *p = ud;

    field_write(audit_fields, one, p->w);
    p->n++;
    p->last = one->id;
}

static enum rc get_audit(struct ctx *c, struct err *e)
{
    const struct audit_query_body *b = c->query;
    struct audit_query q = {b->actor, b->q, b->refused, b->since, 0, b->limit};
    str key, id;
    struct buf out;
    struct jw w;
    struct page p = {&w, 0, 0};
    enum rc rc = RC_OK;

    if (b->cursor.n)
        rc = cursor_read(c->a, b->cursor, &key, &id, e);
    if (!rc && b->cursor.n && (!str_i64(key, &q.before) || q.before < 1))
        rc = err_field(e, RC_INVALID, "cursor", "the cursor is not one of this list");
    if (rc)
        return rc;
    reply_begin(&out, &w);
    jw_obj(&w);
    jw_karr(&w, "entries");
    rc = audit_list(c->app->db, &q, write_entry, &p, e);
    jw_arr_end(&w);
    jw_kcstr(
        &w, "next",
        p.n < b->limit
            ? NULL
            : cursor_make(c->a, str_of(arena_printf(c->a, "%lld", (long long)p.last)), STR("")));
    jw_obj_end(&w);
    if (rc) {
        buf_done(&out);
        return rc;
    }
    return reply_json(c, 200, &out, e);
}

extern const struct route audit_routes[];
const struct route audit_routes[] = {
    {HTTP_GET, "/audit", ACCESS_ADMIN, "users:read", query_fields, sizeof(struct audit_query_body),
     .tag = "System", .summary = "Who did what, newest first.",
     .help = "{entries: [...], next}.  Every request of a person that changed something, or was "
             "refused, has a row; predictions and the parts of an upload have none.",
     .fn = get_audit},
    ROUTE_END};
