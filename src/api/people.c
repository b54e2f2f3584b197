/* people.c - log-in, accounts and API tokens. */
#include "flow/people/people.h"

#include "api/access.h"
#include "api/app.h"
#include "os/os.h"
#include "spec/config.h"

#include <string.h>

static struct login_from from_of(struct ctx *c)
{
    str agent = http_header(c->req, "User-Agent");

    return (struct login_from){http_peer(c->req), agent.p ? agent : STR(""),
                               config_int(c->app->config, "access_token_minutes"),
                               config_int(c->app->config, "refresh_token_days")};
}

static void set_cookie(struct ctx *c, const char *name, const char *value, const char *path,
                       int64_t age_s)
{
    bool https = str_starts(str_of(c->app->public_url), STR("https:"));
    char *text = arena_printf(c->a, "%s=%s; Path=%s; Max-Age=%lld; HttpOnly; SameSite=Strict%s",
                              name, value, path, (long long)age_s, https ? "; Secure" : "");

    if (text)
        http_add_header(c->req, "Set-Cookie", text);
}

/* Both cookies for browsers, both tokens for programs. */
static enum rc reply_login(struct ctx *c, const struct account *who, const struct session_tokens *t,
                           struct err *e)
{
    int64_t now = os_now_ms();
    struct buf b;
    struct jw w;

    c->who.user_id = who->id; /* for the audit log */
    c->who.user_name = who->name.n ? who->name : who->email;
    set_cookie(c, "anneal_session", t->access, "/", (t->access_expires_at - now) / 1000);
    set_cookie(c, "anneal_refresh", t->refresh, "/auth/refresh",
               (t->refresh_expires_at - now) / 1000);
    http_add_header(c->req, "Cache-Control", "no-store");
    reply_begin(&b, &w);
    jw_obj(&w);
    jw_kcstr(&w, "access_token", t->access);
    jw_kcstr(&w, "token_type", "Bearer");
    jw_kint(&w, "expires_in", (t->access_expires_at - now) / 1000);
    jw_kcstr(&w, "refresh_token", t->refresh);
    jw_key(&w, "user");
    field_write(account_fields, who, &w);
    jw_obj_end(&w);
    return reply_json(c, 200, &b, e);
}

/* ---- log-in */

struct login_body {
    str email, password;
};
static const struct field login_fields[] = {F_STR(struct login_body, email, .flags = FIELD_REQUIRED,
                                                  .min = 1, .max = 254, .help = "E-mail address."),
                                            F_STR(struct login_body, password,
                                                  .flags = FIELD_REQUIRED, .min = 1,
                                                  .max = PASSWORD_BYTES_MAX, .help = "Password."),
                                            FIELD_END};

static enum rc post_login(struct ctx *c, struct err *e)
{
    const struct login_body *b = c->body;
    struct login_from from = from_of(c);
    struct session_tokens t;
    struct account who;
    enum rc rc = people_login(c->app->db, c->a, b->email, b->password, &from, &who, &t, e);

    return rc ? rc : reply_login(c, &who, &t, e);
}

struct link_body {
    str token;
};
static const struct field link_fields[] = {F_STR(struct link_body, token, .flags = FIELD_REQUIRED,
                                                 .min = 1, .max = 128,
                                                 .help = "What stood behind #login= in the link."),
                                           FIELD_END};

static enum rc post_link(struct ctx *c, struct err *e)
{
    const struct link_body *b = c->body;
    struct login_from from = from_of(c);
    struct session_tokens t;
    struct account who;
    enum rc rc = people_login_by_link(c->app->db, c->a, b->token, &from, &who, &t, e);

    return rc ? rc : reply_login(c, &who, &t, e);
}

struct refresh_body {
    str refresh_token;
};
static const struct field refresh_fields[] = {
    F_STR(struct refresh_body, refresh_token, .max = 128,
          .help = "From the last log-in or refresh; browsers send it as a cookie."),
    FIELD_END};

static enum rc post_refresh(struct ctx *c, struct err *e)
{
    const struct refresh_body *b = c->body;
    struct login_from from = from_of(c);
    str token = b->refresh_token.n ? b->refresh_token : http_cookie(c->req, "anneal_refresh");
    struct session_tokens t;
    struct account who;
    enum rc rc;

    if (!token.n)
        return err_field(e, RC_UNAUTHENTICATED, "refresh_token",
                         "no refresh token was sent; log in");
    rc = people_refresh(c->app->db, c->a, token, &from, &who, &t, e);
    return rc ? rc : reply_login(c, &who, &t, e);
}

static enum rc post_logout(struct ctx *c, struct err *e)
{
    enum rc rc = RC_OK;

    if (!c->who.session_id.n)
        return err_set(e, RC_INVALID,
                       "an API token has no session; revoke it at DELETE /auth/tokens/{id}");
    rc = people_logout(c->app->db, c->who.session_id, e);
    if (rc)
        return rc;
    set_cookie(c, "anneal_session", "", "/", 0);
    set_cookie(c, "anneal_refresh", "", "/auth/refresh", 0);
    http_reply(c->req, 204, "application/json", STR_NONE);
    return RC_OK;
}

struct register_body {
    str email, name, password;
};
static const struct field register_fields[] = {
    F_STR(struct register_body, email, .flags = FIELD_REQUIRED, .min = 3, .max = 254,
          .help = "E-mail address."),
    F_STR(struct register_body, name, .max = 200, .help = "Name to show."),
    F_STR(struct register_body, password, .flags = FIELD_REQUIRED, .min = PASSWORD_BYTES_MIN,
          .max = PASSWORD_BYTES_MAX, .help = "At least 10 bytes."),
    FIELD_END};

static enum rc post_register(struct ctx *c, struct err *e)
{
    const struct register_body *b = c->body;
    struct account who;
    enum rc rc;

    if (!config_bool(c->app->config, "registration"))
        return err_set(e, RC_FORBIDDEN,
                       "registration is off; ask an administrator for an account "
                       "(`anneal user add`), or set registration = true");
    rc = people_create(c->app->db, c->a, b->email, b->name, b->password, ROLE_VIEWER, &who, e);
    return rc ? rc : reply_fields(c, 201, account_fields, &who, e);
}

/* ---- the caller's own account */

static enum rc get_me(struct ctx *c, struct err *e)
{
    struct account who;
    enum rc rc = people_get(c->app->db, c->a, c->who.user_id, &who, e);

    return rc ? rc : reply_fields(c, 200, account_fields, &who, e);
}

struct me_body {
    str name, old_password, new_password;
};
static const struct field me_fields[] = {
    F_STR(struct me_body, name, .max = 200, .help = "New name to show."),
    F_STR(struct me_body, old_password, .max = PASSWORD_BYTES_MAX, .help = "Needed if one is set."),
    F_STR(struct me_body, new_password, .max = PASSWORD_BYTES_MAX, .help = "At least 10 bytes."),
    FIELD_END};

static enum rc patch_me(struct ctx *c, struct err *e)
{
    const struct me_body *b = c->body;
    struct people_change change = {.set_name = b->name.n > 0, .name = b->name};
    enum rc rc = RC_OK;

    if (b->new_password.n)
        rc = people_set_password(c->app->db, c->who.user_id, b->old_password, b->new_password, e);
    if (!rc && change.set_name)
        rc = people_update(c->app->db, c->who.user_id, &change, e);
    return rc ? rc : get_me(c, e);
}

static void write_token(void *ud, const struct api_token *t)
{
    field_write(api_token_fields, t, ud);
}

static enum rc get_tokens(struct ctx *c, struct err *e)
{
    struct buf b;
    struct jw w;

    reply_list_begin(&b, &w, "tokens");
    return reply_list_end(c, people_tokens(c->app->db, c->who.user_id, write_token, &w, e), &b, &w,
                          e);
}

struct token_body {
    str name, scopes;
    int64_t expires_at;
};
static const struct field token_fields[] = {
    F_STR(struct token_body, name, .flags = FIELD_REQUIRED, .min = 1, .max = 200,
          .help = "What it is for."),
    F_STR(struct token_body, scopes, .dflt = "\"*\"", .max = 512,
          .help = "Scopes, separated by spaces."),
    F_TIME(struct token_body, expires_at, .help = "When it ends; absent: does not."), FIELD_END};

static enum rc post_token(struct ctx *c, struct err *e)
{
    const struct token_body *t = c->body;
    char secret[SECRET_TEXT];
    struct api_token made;
    struct buf b;
    struct jw w;
    enum rc rc = people_token_new(c->app->db, c->a, c->who.user_id, t->name, t->scopes,
                                  t->expires_at, &made, secret, e);

    if (rc)
        return rc;
    http_add_header(c->req, "Cache-Control", "no-store");
    reply_begin(&b, &w);
    jw_obj(&w);
    field_write_members(api_token_fields, &made, &w);
    jw_kcstr(&w, "token", secret);
    jw_obj_end(&w);
    return reply_json(c, 201, &b, e);
}

static enum rc delete_token(struct ctx *c, struct err *e)
{
    enum rc rc = people_token_revoke(c->app->db, c->who.user_id, c->param[0], e);

    if (!rc)
        http_reply(c->req, 204, "application/json", STR_NONE);
    return rc;
}

/* ---- accounts, for managers */

struct users_query {
    str after;
    int64_t limit;
};
static const struct field users_query_fields[] = {
    F_STR(struct users_query, after, .max = 254, .help = "E-mail of the last account shown."),
    F_INT(struct users_query, limit, .dflt = "100", .min = 1, .max = 1000,
          .help = "Accounts to return."),
    FIELD_END};

static void write_account(void *ud, const struct account *a)
{
    field_write(account_fields, a, ud);
}

static enum rc get_users(struct ctx *c, struct err *e)
{
    const struct users_query *q = c->query;
    struct buf b;
    struct jw w;
    enum rc rc;

    reply_begin(&b, &w);
    jw_obj(&w);
    jw_karr(&w, "users");
    rc = people_list(c->app->db, q->after, (int)q->limit, write_account, &w, e);
    jw_arr_end(&w);
    jw_obj_end(&w);
    if (rc) {
        buf_done(&b);
        return rc;
    }
    return reply_json(c, 200, &b, e);
}

/* A manager acts on engineers and viewers only, and cannot make anybody more than an engineer. */
static enum rc may_manage(struct ctx *c, int target_role, int new_role, struct err *e)
{
    if (c->who.role == ROLE_ADMIN || (target_role < ROLE_MANAGER && new_role < ROLE_MANAGER))
        return RC_OK;
    return err_set(e, RC_FORBIDDEN,
                   "only an administrator can change or make managers and administrators");
}

static const char *const user_role_names[] = {"viewer", "engineer", "manager", "admin", NULL};

struct user_body {
    str email, name, password;
    int role; /* of user_role_names: one less than enum role */
};
static const struct field user_fields[] = {
    F_STR(struct user_body, email, .flags = FIELD_REQUIRED, .min = 3, .max = 254,
          .help = "E-mail address."),
    F_STR(struct user_body, name, .max = 200, .help = "Name to show."),
    F_STR(struct user_body, password, .max = PASSWORD_BYTES_MAX,
          .help = "At least 10 bytes; absent: the account logs in by link."),
    F_ENUM(struct user_body, role, user_role_names, .dflt = "\"engineer\"", .help = "Role."),
    FIELD_END};

static enum rc post_user(struct ctx *c, struct err *e)
{
    const struct user_body *b = c->body;
    struct account who;
    int role = b->role + 1;
    enum rc rc = may_manage(c, ROLE_NONE, role, e);

    if (!rc)
        rc = people_create(c->app->db, c->a, b->email, b->name, b->password, (enum role)role, &who,
                           e);
    return rc ? rc : reply_fields(c, 201, account_fields, &who, e);
}

struct user_patch {
    str role, name;
    str active;
};
static const struct field user_patch_fields[] = {
    F_STR(struct user_patch, role, .max = 16, .help = "viewer, engineer, manager or admin."),
    F_STR(struct user_patch, name, .max = 200, .help = "Name to show."),
    F_JSON(struct user_patch, active, .help = "true or false; false ends sessions and tokens."),
    FIELD_END};

static enum rc patch_user(struct ctx *c, struct err *e)
{
    const struct user_patch *b = c->body;
    struct people_change change = {.set_name = b->name.n > 0, .name = b->name};
    struct account who;
    enum rc rc = people_get(c->app->db, c->a, c->param[0], &who, e);

    if (rc)
        return rc;
    for (int i = 0; b->role.n && user_role_names[i]; i++)
        if (str_is(b->role, user_role_names[i])) {
            change.set_role = true;
            change.role = i + 1;
        }
    if (b->role.n && !change.set_role)
        return err_field(e, RC_INVALID, "role",
                         "'role' must be viewer, engineer, manager or admin");
    if (b->active.n && !str_is(b->active, "true") && !str_is(b->active, "false"))
        return err_field(e, RC_INVALID, "active", "'active' must be true or false");
    change.set_active = b->active.n > 0;
    change.active = str_is(b->active, "true");
    rc = may_manage(c, who.role, change.set_role ? change.role : who.role, e);
    if (!rc)
        rc = people_update(c->app->db, who.id, &change, e);
    if (!rc)
        rc = people_get(c->app->db, c->a, who.id, &who, e);
    return rc ? rc : reply_fields(c, 200, account_fields, &who, e);
}

static enum rc post_user_link(struct ctx *c, struct err *e)
{
    char link[SECRET_TEXT];
    struct account who;
    struct buf b;
    struct jw w;
    enum rc rc = people_get(c->app->db, c->a, c->param[0], &who, e);

    if (!rc && !str_eq(who.id, c->who.user_id))
        rc = may_manage(c, who.role, who.role, e);
    if (!rc)
        rc = people_login_link_new(c->app->db, who.id, link, e);
    if (rc)
        return rc;
    http_add_header(c->req, "Cache-Control", "no-store");
    reply_begin(&b, &w);
    jw_obj(&w);
    jw_kcstr(&w, "link", arena_printf(c->a, "%s/#login=%s", c->app->public_url, link));
    jw_kint(&w, "minutes", LINK_MINUTES);
    jw_obj_end(&w);
    return reply_json(c, 201, &b, e);
}

#define BODY(f, s) .body = f, .body_size = sizeof(struct s)
extern const struct route people_routes[];
const struct route people_routes[] = {
    {HTTP_POST, "/auth/register", ACCESS_PUBLIC, BODY(register_fields, register_body),
     .reply = account_fields, .tag = "People",
     .summary = "Make an account (off unless registration = true).", .fn = post_register},
    {HTTP_POST, "/auth/login", ACCESS_PUBLIC, BODY(login_fields, login_body), .tag = "People",
     .summary = "Log in; replies with access and refresh token and sets cookies.",
     .fn = post_login},
    {HTTP_POST, "/auth/link", ACCESS_PUBLIC, BODY(link_fields, link_body), .tag = "People",
     .summary = "Log in by a one-time link.", .fn = post_link},
    {HTTP_POST, "/auth/refresh", ACCESS_PUBLIC, BODY(refresh_fields, refresh_body), .tag = "People",
     .summary = "New tokens for a refresh token, which is then spent.",
     .help = "The use of a spent refresh token ends the session.", .unaudited = true,
     .fn = post_refresh},
    {HTTP_POST, "/auth/logout", ACCESS_VIEWER, .tag = "People", .summary = "End this session.",
     .fn = post_logout},
    {HTTP_GET, "/auth/me", ACCESS_VIEWER, "users:read", .reply = account_fields, .tag = "People",
     .summary = "The caller's account.", .fn = get_me},
    {HTTP_PATCH, "/auth/me", ACCESS_VIEWER, BODY(me_fields, me_body), .reply = account_fields,
     .tag = "People", .summary = "Change one's name or password.", .fn = patch_me},
    {HTTP_GET, "/auth/tokens", ACCESS_VIEWER, .tag = "People",
     .summary = "The caller's API tokens.", .fn = get_tokens},
    {HTTP_POST, "/auth/tokens", ACCESS_VIEWER, BODY(token_fields, token_body),
     .reply = api_token_fields, .tag = "People",
     .summary = "Make an API token; its text is shown this once, as `token`.", .fn = post_token},
    {HTTP_DELETE, "/auth/tokens/{id}", ACCESS_VIEWER, .tag = "People",
     .summary = "Revoke an API token.", .fn = delete_token},
    {HTTP_GET, "/users", ACCESS_MANAGER, "users:read", users_query_fields,
     sizeof(struct users_query), .tag = "People", .summary = "Accounts, by e-mail.",
     .fn = get_users},
    {HTTP_POST, "/users", ACCESS_MANAGER, "users:write", BODY(user_fields, user_body),
     .reply = account_fields, .tag = "People", .summary = "Make an account.", .fn = post_user},
    {HTTP_PATCH, "/users/{id}", ACCESS_MANAGER, "users:write", BODY(user_patch_fields, user_patch),
     .reply = account_fields, .tag = "People",
     .summary = "Change role, name or whether it may log in.", .fn = patch_user},
    {HTTP_POST, "/users/{id}/login-link", ACCESS_MANAGER, "users:write", .tag = "People",
     .summary = "A link that logs this account in, once.", .fn = post_user_link},
    ROUTE_END};
