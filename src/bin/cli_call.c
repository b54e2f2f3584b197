/* cli_call.c - one exchange with the server: address, token, JSON, problems. */
#include "base/map.h"
#include "bin/cli.h"
#include "os/os.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TOKEN_BYTES_MAX = 512, PATH_BYTES_MAX = 8192 };

enum rc cli_nomem(struct err *e)
{
    return err_set(e, RC_NOMEM, "out of memory");
}

/* A flag, else the variable of the environment if it is not empty, else the default. */
static str setting(str flag, const char *env, const char *dflt)
{
    const char *v = getenv(env);

    return flag.n ? flag : v && *v ? str_of(v) : str_of(dflt);
}

static enum rc check_url(str url, struct err *e)
{
    if (str_starts(url, STR("http://")) || str_starts(url, STR("https://")))
        return RC_OK;
    return err_field(e, RC_INVALID, "url",
                     "the server's address '%.*s' must begin with http:// or https://", STR_F(url));
}

static enum rc find_token(struct cli *c, struct err *e)
{
    str token = setting(c->server.token, "ANNEAL_TOKEN", "");
    str data = setting(c->server.data, "ANNEAL_DATA", "");
    const char *dir, *path;
    str text;
    enum rc rc;

    if (token.n) {
        c->token = arena_cstr(c->a, str_trim(token));
        return c->token ? RC_OK : cli_nomem(e);
    }
    dir = data.n ? arena_cstr(c->a, data) : config_default_data_dir(c->a, environ);
    path = dir ? arena_printf(c->a, "%s/admin.token", dir) : NULL;
    if (!path)
        return cli_nomem(e);
    rc = os_read_file(c->a, path, TOKEN_BYTES_MAX, &text, e);
    if (rc == RC_NOT_FOUND)
        return err_set(e, RC_UNAUTHENTICATED,
                       "there is no token: %s does not exist. Give --data DIR (that of `anneal "
                       "serve`), or a token with --token or ANNEAL_TOKEN",
                       path);
    if (rc)
        return err_wrap(e, rc, "reading the token of this machine's administrator");
    c->token = arena_cstr(c->a, str_trim(text));
    return c->token ? RC_OK : cli_nomem(e);
}

/* Nobody answers: says where, and what to do. */
static enum rc unreachable(struct cli *c, str url, struct err *e)
{
    char why[200];

    snprintf(why, sizeof why, "%.199s", e->text);
    return err_set(e, RC_UNAVAILABLE,
                   "%.*s does not answer; is `anneal serve` running? Start it with `make run`, or "
                   "give its address with --url (%s)",
                   STR_F(url), why);
}

enum rc cli_do(struct cli *c, struct client_call *call, const char *path, const char *type,
               struct client_reply *ret, struct err *e)
{
    str url = setting(c->server.url, "ANNEAL_URL", "http://127.0.0.1:8000");
    const char *headers[4] = {0};
    size_t n = 0;
    enum rc rc = check_url(url, e);

    while (url.n && url.p[url.n - 1] == '/')
        url.n--;
    if (!rc && !c->token)
        rc = find_token(c, e);
    if (rc)
        return rc;
    if (*c->token)
        headers[n++] = arena_printf(c->a, "Authorization: Bearer %s", c->token);
    if (type)
        headers[n++] = arena_printf(c->a, "Content-Type: %s", type);
    if (call->headers)
        headers[n++] = call->headers[0];
    call->headers = headers;
    call->url = arena_printf(c->a, "%.*s%s", STR_F(url), path);
    for (size_t i = 0; i < n; i++)
        if (!headers[i])
            return cli_nomem(e);
    if (!call->url)
        return cli_nomem(e);
    rc = client_do(call, ret, e);
    call->headers = NULL;
    return rc == RC_UNAVAILABLE ? unreachable(c, url, e) : rc;
}

/* The code of a problem document as ours; 503 is not "unreachable": somebody did answer. */
static enum rc rc_of(int status, str code)
{
    enum rc found = RC_OK;

    for (int i = RC_OK + 1; i < RC_COUNT; i++)
        if (str_is(code, rc_code((enum rc)i)))
            found = (enum rc)i;
    for (int i = RC_OK + 1; !found && i < RC_COUNT; i++)
        if (rc_status((enum rc)i) == status)
            found = (enum rc)i;
    return !found || found == RC_UNAVAILABLE ? RC_UPSTREAM : found;
}

enum rc cli_problem(struct arena *a, int status, str body, struct err *e)
{
    const struct json *p = NULL, *errors;
    str code = STR_NONE, detail = STR_NONE, field = STR_NONE;
    enum rc rc;

    if (!json_parse(a, body, NULL, &p, NULL) && p->type == JSON_OBJ) {
        code = json_str(p, "code", STR_NONE);
        detail = json_str(p, "detail", STR_NONE);
        errors = json_get(p, "errors");
        if (errors && errors->type == JSON_ARR && errors->list.first)
            field = json_str(errors->list.first, "field", STR_NONE);
    }
    rc = rc_of(status, code);
    if (!detail.n)
        return err_set(e, rc, "the server answered %d: %s", status, rc_title(rc));
    if (rc == RC_UNAUTHENTICATED)
        return err_set(e, rc,
                       "%.*s; is this the token of this server? (--token, ANNEAL_TOKEN, or "
                       "--data DIR)",
                       STR_F(detail));
    if (!field.n || str_find(detail, field) >= 0)
        err_set(e, rc, "%.*s", STR_F(detail));
    else
        err_set(e, rc, "%.*s: %.*s", STR_F(field), STR_F(detail));
    snprintf(e->field, sizeof e->field, "%.*s", STR_F(field));
    return rc;
}

enum rc cli_call(struct cli *c, struct arena *a, enum http_method m, const char *path,
                 const struct buf *body, const struct json **ret, struct err *e)
{
    struct client_call call = {.method = m};
    struct client_reply reply;
    const struct json *v = NULL;
    struct buf b;
    str text = STR_NONE;
    enum rc rc = RC_OK;

    if (body) {
        rc = buf_ok(body, e);
        call.body = buf_view(body);
    }
    buf_init(&b, CLI_REPLY_MAX);
    call.reply = &b;
    if (!rc)
        rc = cli_do(c, &call, path, body ? "application/json" : NULL, &reply, e);
    if (!rc) {
        text = arena_str(a, buf_view(&b));
        rc = text.p ? RC_OK : cli_nomem(e);
    }
    buf_done(&b);
    if (!rc && reply.status >= 300)
        rc = cli_problem(a, reply.status, text, e);
    if (!rc) {
        rc = json_parse(a, text.n ? text : STR("{}"), NULL, &v, e);
        if (rc)
            err_wrap(e, rc, "the server's reply to %s %s", http_method_name(m), path);
    }
    if (!rc && ret)
        *ret = v;
    return rc;
}

/* ---- paths */

const char *cli_url_text(struct arena *a, str s)
{
    static const char plain[] = "-_.~";
    struct buf b;
    const char *text = NULL;

    buf_init(&b, PATH_BYTES_MAX);
    for (size_t i = 0; i < s.n; i++) {
        unsigned char ch = (unsigned char)s.p[i];

        if ((ch >= '0' && ch <= '9') || ((ch | 32) >= 'a' && (ch | 32) <= 'z') ||
            (ch && strchr(plain, ch)))
            buf_putc(&b, (char)ch);
        else
            buf_printf(&b, "%%%02X", ch);
    }
    if (!buf_ok(&b, NULL))
        text = arena_cstr(a, buf_view(&b));
    buf_done(&b);
    return text ? text : "";
}

const char *cli_path(struct arena *a, const char *fmt, ...)
{
    struct buf b;
    const char *text = NULL;
    va_list ap;

    buf_init(&b, PATH_BYTES_MAX);
    va_start(ap, fmt);
    for (; *fmt; fmt++) {
        if (*fmt != '%') {
            buf_putc(&b, *fmt);
        } else if (fmt[1] == 's') {
            fmt++;
            buf_puts(&b, cli_url_text(a, str_of(va_arg(ap, const char *))));
        } else if (fmt[1] == 'd') {
            fmt++;
            buf_printf(&b, "%d", va_arg(ap, int));
        }
    }
    va_end(ap);
    if (!buf_ok(&b, NULL))
        text = arena_cstr(a, buf_view(&b));
    buf_done(&b);
    return text ? text : "";
}
