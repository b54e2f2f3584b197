/* dispatch.c - from a request to the handler of its route.
 *
 * Order, for every request: security headers, match (404, 405 with Allow), who calls and may they
 * (401, 403), query and body by their tables (400, 413, 415), handler.  Nothing of a body is read
 * before the access check.  A failed step answers with a problem document; a failure of ours (5xx)
 * is logged once, here. */
#include "api/access.h"
#include "api/app.h"
#include "base/log.h"
#include "base/mem.h"
#include "flow/telemetry/metrics.h"

#include <string.h>

enum { BODY_JSON_MAX = 4 << 20, SLOT_ROUTE = 0, SEGMENTS_MAX = 16 };

struct api {
    struct app *app;
};

enum rc api_new(struct api **ret, struct app *app, struct err *e)
{
    struct api *a = mem_zalloc(sizeof *a);

    if (!a)
        return err_set(e, RC_NOMEM, "out of memory while making the API");
    a->app = app;
    *ret = a;
    return RC_OK;
}

void api_free(struct api *api)
{
    mem_free(api);
}

/* "/a/{id}/b" against "/a/7/b".  A parameter takes one non-empty segment; "{rest...}" takes all
 * that is left. */
static bool path_matches(const char *pattern, str path, str *param)
{
    str p = str_of(pattern), rest = path, seg, want;
    int n = 0;

    while (str_next(&p, '/', &want)) {
        if (str_ends(want, STR("...}"))) {
            param[n] = rest;
            return rest.n > 0;
        }
        if (!str_next(&rest, '/', &seg))
            return false;
        if (want.n && want.p[0] == '{') {
            if (!seg.n || n == 4)
                return false;
            param[n++] = seg;
        } else if (!str_eq(want, seg)) {
            return false;
        }
    }
    return rest.p == NULL || rest.n == 0;
}

/* Literal paths win over parameters because tables list them first; the most literal match is
 * searched for all the same, so that order is no trap. */
static size_t literal_bytes(const char *pattern)
{
    size_t n = 0;
    bool in = false;

    for (; *pattern; pattern++) {
        in |= *pattern == '{';
        n += !in;
        in &= *pattern != '}';
    }
    return n;
}

static const struct route *find_route(enum http_method m, str path, struct ctx *c,
                                      unsigned *ret_allow)
{
    const struct route *best = NULL;
    size_t best_n = 0;

    *ret_allow = 0;
    for (const struct route *const *t = app_routes; *t; t++) {
        for (const struct route *r = *t; r->fn; r++) {
            str param[4] = {{0}};
            if (!path_matches(r->path, path, param))
                continue;
            *ret_allow |= 1u << r->method;
            if (r->method != m || (best && literal_bytes(r->path) <= best_n))
                continue;
            best = r;
            best_n = literal_bytes(r->path);
            memcpy(c->param, param, sizeof param);
        }
    }
    return best;
}

static void security_headers(struct http_req *r)
{
    http_add_header(r, "X-Frame-Options", "DENY");
    http_add_header(r, "Referrer-Policy", "no-referrer");
    http_add_header(r, "Cross-Origin-Opener-Policy", "same-origin");
    http_add_header(r, "Cross-Origin-Resource-Policy", "same-origin");
}

static enum rc refuse_method(struct ctx *c, unsigned allow, struct err *e)
{
    struct buf b;

    buf_init(&b, 256);
    for (int m = 0; m < HTTP_METHOD_COUNT; m++)
        if (allow & 1u << m)
            buf_printf(&b, "%s%s", b.n ? ", " : "", http_method_name((enum http_method)m));
    if (allow & 1u << HTTP_GET)
        buf_puts(&b, ", HEAD");
    http_add_header(c->req, "Allow", b.p);
    err_set(e, RC_METHOD, "%s is not allowed here; allowed: %s",
            http_method_name(http_method_of(c->req)), b.p);
    buf_done(&b);
    return RC_METHOD;
}

static enum rc read_query(struct ctx *c, struct err *e)
{
    const struct field *t = c->route->query;
    str name, value;
    enum rc rc;

    if (!t)
        return RC_OK;
    c->query = arena_alloc(c->a, c->route->query_size);
    if (!c->query)
        return err_set(e, RC_NOMEM, "out of memory while reading the query");
    rc = field_defaults(t, c->query, c->a, e);
    for (size_t i = 0; !rc && http_query_at(c->req, i, &name, &value); i++) {
        const struct field *f = field_find(t, name);
        if (!f)
            return err_field(e, RC_INVALID, "query", "there is no query parameter '%.*s' here",
                             (int)(name.n < 60 ? name.n : 60), name.p);
        rc = field_read_one(f, value, c->query, c->a, e);
    }
    return rc;
}

static enum rc read_body(struct ctx *c, struct err *e)
{
    str type = http_header(c->req, "Content-Type"), text = {0};
    enum rc rc;

    if (!c->route->body)
        return RC_OK;
    c->body = arena_alloc(c->a, c->route->body_size);
    if (!c->body)
        return err_set(e, RC_NOMEM, "out of memory while reading the body");
    rc = http_body_all(c->req, BODY_JSON_MAX, &text, e);
    if (rc)
        return rc;
    if (!str_trim(text).n)
        text = STR("{}");
    else if (!str_starts(type, STR("application/json")))
        return err_field(e, RC_UNSUPPORTED, "Content-Type", "send the body as application/json");
    return field_read_text(c->route->body, text, c->body, c->a, e);
}

static enum rc serve(struct ctx *c, struct err *e)
{
    enum http_method m = http_method_of(c->req);
    unsigned allow = 0;
    enum rc rc;

    c->route = find_route(m == HTTP_HEAD ? HTTP_GET : m, http_path(c->req), c, &allow);
    http_set_user(c->req, SLOT_ROUTE, (void *)c->route);
    if (!c->route && allow)
        return refuse_method(c, allow, e);
    if (!c->route) {
        str p = http_path(c->req);
        return err_set(e, RC_NOT_FOUND, "there is nothing at '%.*s'; /docs lists the API",
                       (int)(p.n < 200 ? p.n : 200), p.p);
    }
    rc = access_check(c, e);
    if (!rc)
        rc = read_query(c, e);
    if (!rc)
        rc = read_body(c, e);
    if (!rc)
        rc = c->route->fn(c, e);
    return rc;
}

void api_handle(struct http_req *r, void *ud)
{
    struct api *api = ud;
    struct err err = {0};
    struct ctx c = {.app = api->app, .req = r, .a = http_arena(r)};
    enum rc rc;

    security_headers(r);
    http_before_reply(r, audit_request, &c);
    rc = serve(&c, &err);
    if (!rc) {
        http_before_reply(r, NULL, NULL); /* c ends here */
        return;
    }
    err.rc = rc;
    if (rc_status(rc) >= 500)
        log_error("%s %.*s: %s (request %s)", http_method_name(http_method_of(r)),
                  STR_F(http_path(r)), err.text, http_request_id(r));
    reply_problem(r, &err);
    http_before_reply(r, NULL, NULL);
}

void api_done(struct http_req *r, int status, double seconds, void *ud)
{
    struct api *api = ud;
    const struct route *route = http_get_user(r, SLOT_ROUTE);
    char labels[256];

    snprintf(labels, sizeof labels, "method=\"%s\",route=\"%s\",status=\"%d\"",
             http_method_name(http_method_of(r)), route ? route->path : "none", status);
    metrics_add(api->app->metrics, METRIC_HTTP_REQUESTS, labels, 1);
    snprintf(labels, sizeof labels, "route=\"%s\"", route ? route->path : "none");
    metrics_observe(api->app->metrics, METRIC_HTTP_DURATION, labels, seconds);
    log_debug("%s %.*s %d %.1f ms", http_method_name(http_method_of(r)), STR_F(http_path(r)),
              status, seconds * 1000);
}
