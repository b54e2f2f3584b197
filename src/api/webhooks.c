/* webhooks.c - whom to tell of what happens to jobs. */
#include "api/access.h"
#include "api/app.h"
#include "flow/webhook/webhook.h"
#include "os/os.h"

struct new_body {
    str url, description, events, project;
};
#define S struct new_body
static const struct field new_fields[] = {
    F_STR(S, url, .flags = FIELD_REQUIRED, .min = 1, .max = 2048, .help = "Where to post to."),
    F_STR(S, description, .max = 500, .help = "What it is for."),
    F_STR(S, events, .dflt = "\"job.completed job.failed\"", .max = 200,
          .help = "job.running, job.completed, job.failed, job.cancelled; separated by a space."),
    F_STR(S, project, .max = 64, .help = "Id of a project; absent: jobs of every project."),
    FIELD_END};
#undef S

struct change_body {
    str url, description, events, active; /* description, active: raw JSON */
};
#define S struct change_body
static const struct field change_fields[] = {
    F_STR(S, url, .max = 2048, .help = "New URL."),
    F_JSON(S, description, .help = "New description."),
    F_STR(S, events, .max = 200, .help = "New events."),
    F_JSON(S, active, .help = "true or false; an inactive one is told nothing."), FIELD_END};
#undef S

static void write_webhook(void *ud, const struct webhook *one)
{
    field_write(webhook_fields, one, ud);
}

static void write_delivery(void *ud, const struct delivery *one)
{
    field_write(delivery_fields, one, ud);
}

static enum rc get_webhooks(struct ctx *c, struct err *e)
{
    struct buf b;
    struct jw w;

    reply_list_begin(&b, &w, "webhooks");
    return reply_list_end(c, webhook_list(c->app->db, write_webhook, &w, e), &b, &w, e);
}

static enum rc post_webhook(struct ctx *c, struct err *e)
{
    const struct new_body *n = c->body;
    struct webhook made = {.url = n->url,
                           .description = n->description,
                           .events = n->events,
                           .project_id = n->project,
                           .created_by = c->who.user_id};
    char secret[WEBHOOK_SECRET_TEXT];
    struct buf b;
    struct jw w;
    enum rc rc = webhook_new(c->app->db, c->a, &made, secret, e);

    if (rc == RC_CONFLICT)
        return err_field(e, RC_INVALID, "project", "there is no project '%.*s'", STR_F(n->project));
    if (rc)
        return rc;
    http_add_header(c->req, "Cache-Control", "no-store");
    reply_begin(&b, &w);
    jw_obj(&w);
    field_write_members(webhook_fields, &made, &w);
    jw_kcstr(&w, "secret", secret);
    jw_obj_end(&w);
    return reply_json(c, 201, &b, e);
}

static enum rc get_webhook(struct ctx *c, struct err *e)
{
    struct webhook one;
    enum rc rc = webhook_get(c->app->db, c->a, c->param[0], &one, e);

    return rc ? rc : reply_fields(c, 200, webhook_fields, &one, e);
}

static enum rc patch_webhook(struct ctx *c, struct err *e)
{
    const struct change_body *b = c->body;
    const struct json *v;
    struct webhook one;
    enum rc rc = webhook_get(c->app->db, c->a, c->param[0], &one, e);

    if (!rc && b->url.n)
        one.url = b->url;
    if (!rc && b->events.n)
        one.events = b->events;
    if (!rc && b->description.n) {
        rc = json_parse(c->a, b->description, NULL, &v, e);
        if (!rc && (v->type != JSON_STR || v->s.n > 500))
            rc = err_field(e, RC_INVALID, "description", "must be text of at most 500 bytes");
        if (!rc)
            one.description = v->s;
    }
    if (!rc && b->active.n) {
        rc = json_parse(c->a, b->active, NULL, &v, e);
        if (!rc && v->type != JSON_BOOL)
            rc = err_field(e, RC_INVALID, "active", "must be true or false");
        if (!rc)
            one.active = v->b;
    }
    if (!rc)
        rc = webhook_update(c->app->db, &one, e);
    return rc ? rc : get_webhook(c, e);
}

static enum rc delete_webhook(struct ctx *c, struct err *e)
{
    enum rc rc = webhook_delete(c->app->db, c->param[0], e);

    if (!rc)
        http_reply(c->req, 204, "application/json", STR_NONE);
    return rc;
}

static enum rc post_ping(struct ctx *c, struct err *e)
{
    enum rc rc = webhook_ping(c->app->db, c->param[0], os_now_ms(), e);

    if (!rc)
        http_reply(c->req, 202, "application/json", STR("{}"));
    return rc;
}

static enum rc get_deliveries(struct ctx *c, struct err *e)
{
    struct webhook one;
    struct buf b;
    struct jw w;
    enum rc rc = webhook_get(c->app->db, c->a, c->param[0], &one, e);

    if (rc)
        return rc;
    reply_list_begin(&b, &w, "deliveries");
    return reply_list_end(c, webhook_deliveries(c->app->db, one.id, 100, write_delivery, &w, e), &b,
                          &w, e);
}

#define BODY(f, s) .body = f, .body_size = sizeof(struct s)
#define TAG        .tag = "Webhooks"
extern const struct route webhook_routes[];
const struct route webhook_routes[] = {
    {HTTP_GET, "/webhooks", ACCESS_MANAGER, "users:read", TAG, .summary = "All webhooks.",
     .fn = get_webhooks},
    {HTTP_POST, "/webhooks", ACCESS_MANAGER, "users:write", BODY(new_fields, new_body),
     .reply = webhook_fields, TAG,
     .summary = "Make a webhook; the secret that signs it is shown this once, as `secret`.",
     .help = "Each event is a POST of {type, timestamp, data} with the headers webhook-id, "
             "webhook-timestamp and webhook-signature of the Standard Webhooks specification; it "
             "is repeated for about three days until a 2xx comes.",
     .fn = post_webhook},
    {HTTP_GET, "/webhooks/{id}", ACCESS_MANAGER, "users:read", .reply = webhook_fields, TAG,
     .summary = "A webhook.", .fn = get_webhook},
    {HTTP_PATCH, "/webhooks/{id}", ACCESS_MANAGER, "users:write", BODY(change_fields, change_body),
     .reply = webhook_fields, TAG, .summary = "Change a webhook.", .fn = patch_webhook},
    {HTTP_DELETE, "/webhooks/{id}", ACCESS_MANAGER, "users:write", TAG,
     .summary = "Delete a webhook and what it has still to be told.", .fn = delete_webhook},
    {HTTP_POST, "/webhooks/{id}/ping", ACCESS_MANAGER, "users:write", TAG,
     .summary = "Send it an event `ping`.", .fn = post_ping},
    {HTTP_GET, "/webhooks/{id}/deliveries", ACCESS_MANAGER, "users:read", TAG,
     .summary = "What it was told of late, and how it answered.", .fn = get_deliveries},
    ROUTE_END};
