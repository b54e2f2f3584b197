/* access.c - see access.h. */
#include "api/access.h"

#include "api/app.h"
#include "flow/job/job.h"
#include "flow/people/people.h"
#include "flow/telemetry/metrics.h"

static enum rc nobody(struct err *e)
{
    return err_set(
        e, RC_UNAUTHENTICATED,
        "log in, or send `Authorization: Bearer TOKEN` (the CLI finds its own in "
        "DATA/admin.token)");
}

static bool is_loopback(str peer)
{
    return str_starts(peer, STR("127.")) || str_is(peer, "::1") ||
           str_starts(peer, STR("::ffff:127."));
}

static bool changes_state(enum http_method m)
{
    return m == HTTP_POST || m == HTTP_PUT || m == HTTP_PATCH || m == HTTP_DELETE;
}

/* The scheme and host of a URL without its scheme: "http://h:1/x" -> "h:1". */
static str host_of(str origin)
{
    ptrdiff_t at = str_find(origin, STR("://"));

    return at < 0 ? STR_NONE : str_sub(origin, (size_t)at + 3, origin.n);
}

/* A browser sends cookies along with requests that other sites cause (RFC 6265bis); SameSite=Strict
 * is the first guard, this is the second. */
static enum rc same_origin(struct ctx *c, struct err *e)
{
    str site = http_header(c->req, "Sec-Fetch-Site"), origin = http_header(c->req, "Origin");
    bool foreign = site.n && !str_is(site, "same-origin") && !str_is(site, "none");

    if (origin.n)
        foreign |= !str_ieq(host_of(origin), http_header(c->req, "Host"));
    if (foreign && changes_state(http_method_of(c->req)))
        return err_set(e, RC_FORBIDDEN, "this request came from another site");
    return RC_OK;
}

static enum rc by_secret(struct ctx *c, str secret, struct err *e)
{
    struct identity id = {0};
    enum rc rc;

    if (str_starts(secret, STR("job_"))) {
        rc = job_token_find(c->app->jobs, c->a, secret, &c->who.job_id, &c->who.attempt, e);
        return rc;
    }
    rc = people_identify(c->app->db, c->a, secret, &id, e);
    if (rc)
        return rc;
    c->who.user_id = id.who.id;
    c->who.user_name = id.who.name.n ? id.who.name : id.who.email;
    c->who.role = (enum role)id.who.role;
    c->who.scopes = id.scopes;
    c->who.session_id = id.session_id;
    return RC_OK;
}

/* *ret_found false: no credential was sent. */
static enum rc identify(struct ctx *c, bool *ret_found, struct err *e)
{
    str header = http_header(c->req, "Authorization"), cookie;
    enum rc rc;

    *ret_found = true;
    if (header.p) {
        if (header.n < 8 || !str_ieq(str_sub(header, 0, 7), STR("bearer ")))
            return err_set(e, RC_UNAUTHENTICATED,
                           "the Authorization header must be `Bearer TOKEN`");
        return by_secret(c, str_trim(str_sub(header, 7, header.n)), e);
    }
    cookie = http_cookie(c->req, "anneal_session");
    *ret_found = cookie.n > 0;
    if (!cookie.n)
        return RC_OK;
    rc = same_origin(c, e);
    return rc ? rc : by_secret(c, cookie, e);
}

static bool has_scope(str scopes, const char *needed)
{
    str rest = scopes, one;

    while (rest.n && str_next(&rest, ' ', &one))
        if (str_is(one, "*") || str_is(one, needed))
            return true;
    return false;
}

static enum rc check_role(struct ctx *c, enum role needed, struct err *e)
{
    if (!c->who.user_id.n)
        return err_set(e, RC_FORBIDDEN, "a job's token cannot do this");
    if (c->who.role < needed)
        return err_set(e, RC_FORBIDDEN, "this needs the role %s; you are %s", role_names[needed],
                       role_names[c->who.role]);
    if (c->who.scopes.n && c->route->scope && !has_scope(c->who.scopes, c->route->scope))
        return err_set(e, RC_FORBIDDEN, "this API token lacks the scope %s", c->route->scope);
    /* A route without a scope is about the caller's own account: no narrow token may do that. */
    if (c->who.scopes.n && !c->route->scope && !has_scope(c->who.scopes, "*"))
        return err_set(e, RC_FORBIDDEN, "an API token with limited scopes cannot do this");
    return RC_OK;
}

enum rc access_check(struct ctx *c, struct err *e)
{
    static const enum role needs[] = {ROLE_NONE, ROLE_VIEWER, ROLE_ENGINEER, ROLE_MANAGER,
                                      ROLE_ADMIN};
    bool found = false;
    enum rc rc;

    c->who = (struct caller){STR(""), STR(""), ROLE_NONE, STR(""), STR(""), STR(""), 0};
    if (c->route->access == ACCESS_PUBLIC) /* log-in and refresh set and use cookies */
        return same_origin(c, e);
    if (c->route->access == ACCESS_METRICS && is_loopback(http_peer(c->req)))
        return RC_OK;
    rc = identify(c, &found, e);
    if (!rc && !found)
        rc = nobody(e);
    if (c->route->access == ACCESS_JOB) {
        if (!rc && !str_eq(c->who.job_id, c->param[0]))
            rc = err_set(e, RC_FORBIDDEN, "this needs the token of the job's current attempt");
        if (rc)
            metrics_add(c->app->metrics, METRIC_CALLBACKS_REFUSED, "reason=\"foreign_token\"", 1);
        return rc;
    }
    if (rc)
        return rc;
    return check_role(c, c->route->access == ACCESS_METRICS ? ROLE_VIEWER : needs[c->route->access],
                      e);
}

bool sees_all_projects(const struct ctx *c)
{
    return c->who.role >= ROLE_MANAGER;
}

enum rc project_may(struct ctx *c, str project_id, enum role needed, struct err *e)
{
    enum role role = ROLE_NONE;
    enum rc rc;

    if (sees_all_projects(c))
        return RC_OK;
    if (!project_id.n)
        role = c->who.role;
    else if ((rc = project_role(c->app->db, project_id, c->who.user_id, &role, e)))
        return rc;
    if (role >= needed)
        return RC_OK;
    /* Not a member: the project does not exist for the caller. */
    return role == ROLE_NONE
               ? err_set(e, RC_NOT_FOUND, "there is no such thing in your projects")
               : err_set(e, RC_FORBIDDEN, "this needs the role %s in the project; you are %s",
                         role_names[needed], role_names[role]);
}
