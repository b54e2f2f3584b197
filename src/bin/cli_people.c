/* cli_people.c - `anneal user`, `anneal token`. */
#include "bin/cli.h"
#include "os/os.h"
#include "spec/people.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const roles[] = {"viewer", "engineer", "manager", "admin", NULL};

static const char *text(struct cli *c, const struct json *o, const char *key)
{
    return cli_cstr(c, json_str(o, key, STR("")));
}

static const char *arg(struct cli *c, size_t i)
{
    const char *s = arena_cstr(c->a, c->args[i]);

    return s ? s : "";
}

/* ---- user */

struct user_flags {
    str name;
    int role;
};
#define S struct user_flags
static const struct field add_fields[] = {
    F_STR(S, name, .max = 200, .help = "Name to show."),
    F_ENUM(S, role, roles, .dflt = "\"engineer\"", .help = "What it may do."), FIELD_END};
#undef S

static void say_user(struct cli *c, const struct json *u)
{
    cli_say(c, "%s  %s%s\n", text(c, u, "email"), text(c, u, "role"),
            json_bool(u, "active", true) ? "" : ", may not log in");
    cli_json_text(c, u->raw);
}

static enum rc run_user_list(struct cli *c, struct err *e)
{
    static const char *const heads[] = {"E-MAIL",     "NAME", "ROLE", "ACTIVE",
                                        "LAST LOGIN", "ID",   NULL};
    const struct json *page = NULL;
    const char *after = "";
    struct table t;
    struct buf all;
    struct jw w;
    size_t n;
    enum rc rc;

    buf_init(&all, CLI_REPLY_MAX);
    jw_init(&w, &all);
    jw_obj(&w);
    jw_karr(&w, "users");
    table_init(&t, c, heads);
    do {
        const char *path =
            arena_printf(c->a, "/users?limit=500&after=%s", cli_url_text(c->a, str_of(after)));

        n = 0;
        rc = path ? cli_call(c, c->a, HTTP_GET, path, NULL, &page, e) : cli_nomem(e);
        if (rc)
            break;
        JSON_EACH(u, json_get(page, "users")) {
            n++;
            after = text(c, u, "email");
            jw_raw(&w, u->raw);
            table_cell(&t, "%s", after);
            table_cell(&t, "%s", text(c, u, "name"));
            table_cell(&t, "%s", text(c, u, "role"));
            table_cell(&t, "%s", json_bool(u, "active", true) ? "yes" : "no");
            table_cell(&t, "%s", cli_when(c->a, json_str(u, "last_login_at", STR(""))));
            table_cell(&t, "%s", text(c, u, "id"));
        }
    } while (n == 500);
    jw_arr_end(&w);
    jw_obj_end(&w);
    if (!rc) {
        table_print(&t, "no accounts");
        cli_json_text(c, buf_view(&all));
    }
    VEC_DONE(&t.cells);
    buf_done(&all);
    return rc;
}

static enum rc login_link(struct cli *c, const char *user, const struct json **ret, struct err *e)
{
    return cli_call(c, c->a, HTTP_POST, cli_path(c->a, "/users/%s/login-link", user), NULL, ret, e);
}

static enum rc run_user_add(struct cli *c, struct err *e)
{
    const struct user_flags *f = c->flags;
    const struct json *u = NULL, *link = NULL;
    struct buf b;
    struct jw w;
    enum rc rc;

    buf_init(&b, 1 << 20);
    jw_init(&w, &b);
    jw_obj(&w);
    jw_kstr(&w, "email", c->args[0]);
    jw_kstr(&w, "name", f->name);
    jw_kcstr(&w, "role", roles[f->role]);
    jw_obj_end(&w);
    rc = cli_call(c, c->a, HTTP_POST, "/users", &b, &u, e);
    if (!rc)
        rc = login_link(c, text(c, u, "id"), &link, e);
    buf_clear(&b);
    jw_init(&w, &b);
    if (!rc) {
        cli_say(c, "%s  %s\nlogs in, once, with\n  %s\n", text(c, u, "email"), text(c, u, "role"),
                text(c, link, "link"));
        jw_obj(&w);
        JSON_EACH(m, u) {
            jw_key_str(&w, m->key);
            jw_raw(&w, m->raw);
        }
        jw_kstr(&w, "link", json_str(link, "link", STR("")));
        jw_obj_end(&w);
        cli_json_text(c, buf_view(&b));
    }
    buf_done(&b);
    return rc;
}

static enum rc patch(struct cli *c, const char *key, const char *json, struct err *e)
{
    const struct json *u = NULL;
    struct buf b;
    struct jw w;
    enum rc rc;

    buf_init(&b, 1 << 16);
    jw_init(&w, &b);
    jw_obj(&w);
    jw_kraw(&w, key, str_of(json));
    jw_obj_end(&w);
    rc = cli_call(c, c->a, HTTP_PATCH, cli_path(c->a, "/users/%s", arg(c, 0)), &b, &u, e);
    buf_done(&b);
    if (!rc)
        say_user(c, u);
    return rc;
}

static enum rc run_user_role(struct cli *c, struct err *e)
{
    const char *near = nearest_name(roles, c->args[1]);

    for (size_t i = 0; roles[i]; i++)
        if (str_is(c->args[1], roles[i]))
            return patch(c, "role", arena_printf(c->a, "\"%s\"", roles[i]), e);
    return cli_misuse(c, e,
                      "there is no role '%s'%s%s%s; there are viewer, engineer, manager "
                      "and admin",
                      arg(c, 1), near ? ", did you mean '" : "", near ? near : "", near ? "'" : "");
}

static enum rc run_user_deactivate(struct cli *c, struct err *e)
{
    return patch(c, "active", "false", e);
}

static enum rc run_user_activate(struct cli *c, struct err *e)
{
    return patch(c, "active", "true", e);
}

static enum rc run_user_link(struct cli *c, struct err *e)
{
    const struct json *link = NULL;
    enum rc rc = login_link(c, arg(c, 0), &link, e);

    if (rc)
        return rc;
    cli_say(c, "%s\n", text(c, link, "link"));
    cli_note(c, "it logs %s in, once, within %lld minutes\n", arg(c, 0),
             (long long)json_int(link, "minutes", 0));
    cli_json_text(c, link->raw);
    return RC_OK;
}

/* A line of standard input, so that it stands in no process list and no history. */
static enum rc read_secret(struct cli *c, const char *prompt, str *ret, struct err *e)
{
    char line[512];

    cli_note(c, "%s: ", prompt);
    if (!fgets(line, sizeof line, stdin))
        return err_set(e, RC_INVALID, "no %s came on standard input", prompt);
    line[strcspn(line, "\r\n")] = 0;
    *ret = arena_str(c->a, str_of(line));
    return ret->p ? RC_OK : cli_nomem(e);
}

struct password_flags {
    bool first;
};
static const struct field password_fields[] = {
    F_BOOL(struct password_flags, first, .help = "There is no old password yet."), FIELD_END};

static enum rc run_user_password(struct cli *c, struct err *e)
{
    const struct password_flags *f = c->flags;
    const struct json *me = NULL;
    str old = STR(""), fresh;
    struct buf b;
    struct jw w;
    enum rc rc = f->first ? RC_OK : read_secret(c, "old password", &old, e);

    if (!rc)
        rc = read_secret(c, "new password", &fresh, e);
    if (rc)
        return rc;
    buf_init(&b, 1 << 16);
    jw_init(&w, &b);
    jw_obj(&w);
    jw_kstr(&w, "old_password", old);
    jw_kstr(&w, "new_password", fresh);
    jw_obj_end(&w);
    rc = cli_call(c, c->a, HTTP_PATCH, "/auth/me", &b, &me, e);
    buf_done(&b);
    if (rc)
        return rc;
    cli_say(c, "the password of %s is changed\n", text(c, me, "email"));
    cli_json_text(c, me->raw);
    return RC_OK;
}

#define FLAGS(f, s) .flags = f, .flags_size = sizeof(struct s)
#define USER        .args = "E-MAIL", .args_min = 1, .args_max = 1
static const struct verb user_verbs[] = {
    {.name = "list",
     .args = "",
     .summary = "List the accounts.",
     .examples = "  anneal user list\n",
     .run = run_user_list},
    {.name = "add",
     USER,
     FLAGS(add_fields, user_flags),
     .summary = "Make an account; prints a link that logs it in once.",
     .examples = "  anneal user add ann@example.org --role engineer --name Ann\n",
     .run = run_user_add},
    {.name = "role",
     .args = "E-MAIL ROLE",
     .args_min = 2,
     .args_max = 2,
     .summary = "Change what an account may do.",
     .examples = "  anneal user role ann@example.org manager\n",
     .run = run_user_role},
    {.name = "deactivate",
     USER,
     .summary = "End an account's sessions and tokens; it stays listed.",
     .examples = "  anneal user deactivate ann@example.org\n",
     .run = run_user_deactivate},
    {.name = "activate",
     USER,
     .summary = "Let a deactivated account in again.",
     .examples = "  anneal user activate ann@example.org\n",
     .run = run_user_activate},
    {.name = "link",
     USER,
     .summary = "Print a link that logs an account in, once.",
     .examples = "  anneal user link ann@example.org\n",
     .run = run_user_link},
    {.name = "password",
     .args = "",
     FLAGS(password_fields, password_flags),
     .summary = "Change one's own password; reads it from standard input.",
     .examples = "  anneal user password --token ses_...\n",
     .run = run_user_password},
    {.name = NULL}};
const struct command user_command = {"user",
                                     "list|add|role|deactivate|activate|link|password",
                                     "Accounts and what they may do.",
                                     "",
                                     NULL,
                                     user_verbs};

/* ---- token */

struct token_flags {
    str scopes;
    int64_t days;
};
#define S struct token_flags
static const struct field token_fields[] = {
    F_STR(S, scopes, .dflt = "\"*\"", .max = 512,
          .help = "What it may do, separated by commas or spaces: jobs:read, datasets:write, ..; * "
                  "is all that you may."),
    F_INT(S, days, .min = 0, .max = 36500, .help = "Ends after so many days; 0 never."), FIELD_END};
#undef S

static enum rc run_token_list(struct cli *c, struct err *e)
{
    static const char *const heads[] = {"ID", "NAME", "SCOPES", "MADE", "ENDS", "LAST USED", NULL};
    const struct json *doc = NULL;
    struct table t;
    enum rc rc = cli_call(c, c->a, HTTP_GET, "/auth/tokens", NULL, &doc, e);

    if (rc)
        return rc;
    table_init(&t, c, heads);
    JSON_EACH(k, json_get(doc, "tokens")) {
        table_cell(&t, "%s", text(c, k, "id"));
        table_cell(&t, "%s", text(c, k, "name"));
        table_cell(&t, "%s", text(c, k, "scopes"));
        table_cell(&t, "%s", cli_when(c->a, json_str(k, "created_at", STR(""))));
        table_cell(&t, "%s", cli_when(c->a, json_str(k, "expires_at", STR(""))));
        table_cell(&t, "%s", cli_when(c->a, json_str(k, "last_used_at", STR(""))));
    }
    table_print(&t, "no tokens");
    cli_json_text(c, doc->raw);
    return RC_OK;
}

static enum rc run_token_new(struct cli *c, struct err *e)
{
    const struct token_flags *f = c->flags;
    char *scopes = arena_cstr(c->a, f->scopes), ends[OS_TIME_TEXT];
    const struct json *made = NULL;
    struct buf b;
    struct jw w;
    enum rc rc;

    if (!scopes)
        return cli_nomem(e);
    for (char *p = scopes; *p; p++)
        *p = *p == ',' ? ' ' : *p;
    os_time_text(os_now_ms() + f->days * 86400000, ends);
    buf_init(&b, 1 << 16);
    jw_init(&w, &b);
    jw_obj(&w);
    jw_kstr(&w, "name", c->args[0]);
    jw_kcstr(&w, "scopes", scopes);
    if (f->days)
        jw_kcstr(&w, "expires_at", ends);
    jw_obj_end(&w);
    rc = cli_call(c, c->a, HTTP_POST, "/auth/tokens", &b, &made, e);
    buf_done(&b);
    if (rc)
        return rc;
    cli_say(c, "%s\n", text(c, made, "token"));
    cli_note(c, "it is shown this once; use it with --token or ANNEAL_TOKEN\n");
    cli_json_text(c, made->raw);
    return RC_OK;
}

static enum rc run_token_revoke(struct cli *c, struct err *e)
{
    struct buf b;
    struct jw w;
    enum rc rc =
        cli_call(c, c->a, HTTP_DELETE, cli_path(c->a, "/auth/tokens/%s", arg(c, 0)), NULL, NULL, e);

    if (rc)
        return rc;
    cli_say(c, "revoked %s\n", arg(c, 0));
    buf_init(&b, 1 << 16);
    jw_init(&w, &b);
    jw_obj(&w);
    jw_kstr(&w, "id", c->args[0]);
    jw_kbool(&w, "revoked", true);
    jw_obj_end(&w);
    cli_json_buf(c, &b);
    return RC_OK;
}

static const struct verb token_verbs[] = {
    {.name = "list",
     .args = "",
     .summary = "List your API tokens.",
     .examples = "  anneal token list\n",
     .run = run_token_list},
    {.name = "new",
     .args = "NAME",
     .args_min = 1,
     .args_max = 1,
     FLAGS(token_fields, token_flags),
     .summary = "Make an API token; its text is shown this once.",
     .examples = "  anneal token new ci --scopes jobs:read,jobs:write --days 90\n",
     .run = run_token_new},
    {.name = "revoke",
     .args = "ID",
     .args_min = 1,
     .args_max = 1,
     .summary = "Revoke an API token.",
     .examples = "  anneal token revoke ID\n",
     .run = run_token_revoke},
    {.name = NULL}};
const struct command token_command = {"token", "list|new|revoke", "API tokens for scripts.", "",
                                      NULL,    token_verbs};
