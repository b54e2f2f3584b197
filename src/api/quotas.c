/* quotas.c - what accounts use and may use. */
#include "api/access.h"
#include "api/app.h"
#include "flow/people/quota.h"

struct quota_body {
    int64_t jobs_max, bytes_max;
};
#define S struct quota_body
static const struct field body_fields[] = {
    F_INT(S, jobs_max, .dflt = "-1", .min = -1, .max = 10000,
          .help = "Jobs that may run at once, 0 none; -1: as the setting jobs_per_user says."),
    F_INT(S, bytes_max, .dflt = "-1", .min = -1, .max = 9007199254740991.0,
          .help = "Bytes it may store, 0 no limit; -1: as the setting storage_per_user says."),
    FIELD_END};
#undef S

static void write_quota(void *ud, const struct quota *one)
{
    field_write(quota_fields, one, ud);
}

static enum rc get_quotas(struct ctx *c, struct err *e)
{
    struct buf b;
    struct jw w;

    reply_list_begin(&b, &w, "quotas");
    return reply_list_end(c, quota_list(c->app->db, STR(""), write_quota, &w, e), &b, &w, e);
}

static enum rc reply_one(struct ctx *c, str user_id, struct err *e)
{
    struct buf b;
    struct jw w;
    enum rc rc;

    reply_begin(&b, &w);
    rc = quota_list(c->app->db, user_id, write_quota, &w, e);
    if (!rc && !b.n)
        rc = err_set(e, RC_NOT_FOUND, "there is no such account");
    if (!rc)
        return reply_json(c, 200, &b, e);
    buf_done(&b);
    return rc;
}

static enum rc get_own(struct ctx *c, struct err *e)
{
    return reply_one(c, c->who.user_id, e);
}

static enum rc put_quota(struct ctx *c, struct err *e)
{
    const struct quota_body *b = c->body;
    enum rc rc = quota_set(c->app->db, c->param[0], b->jobs_max, b->bytes_max, e);

    return rc ? rc : reply_one(c, c->param[0], e);
}

extern const struct route quota_routes[];
const struct route quota_routes[] = {
    {HTTP_GET, "/quotas", ACCESS_MANAGER, "users:read", .tag = "People",
     .summary = "What every account uses and may use.", .fn = get_quotas},
    {HTTP_GET, "/auth/me/quota", ACCESS_VIEWER, "users:read", .reply = quota_fields,
     .tag = "People", .summary = "What the caller uses and may use.", .fn = get_own},
    {HTTP_PUT, "/users/{id}/quota", ACCESS_MANAGER, "users:write", .body = body_fields,
     .body_size = sizeof(struct quota_body), .reply = quota_fields, .tag = "People",
     .summary = "Change what an account may use.", .fn = put_quota},
    ROUTE_END};
