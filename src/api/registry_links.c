/* registry_links.c - trying a registered model: by its name or alias, and by visitors who hold a
 * link.
 *
 * A visitor's token travels as the login link does: in the fragment of the page's URL (/try#TOKEN),
 * which no server, proxy or log sees, and from the page in `Authorization: Bearer`.  The routes
 * under /public take nothing else.  Each is limited in its rate by link and by address; guesses are
 * limited by address alone.
 */
#include "api/predict.h"
#include "api/registry.h"
#include "flow/people/people.h"
#include "flow/registry/rate.h"
#include "os/os.h"

enum {
    DAY_MS = 24 * 3600 * 1000,
    VISITOR_IMAGES_MAX = 8,
    VISITOR_BYTES_MAX = 48 << 20,
};
static const struct rate_limit guesses = {20, 20}, opens = {30, 30}, downloads = {12, 12},
                               predictions = {60, 60};

/* ---- by name */

struct model_query {
    str version, file;
    struct predict_options options;
};
#define S struct model_query
#define COMMON_FIELDS                                                                              \
    PREDICT_OPTIONS(S, options.),                                                                  \
        F_STR(S, file, .max = 255, .help = "Name of a picture that is sent as the plain body.")
static const struct field by_name_fields[] = {
    F_STR(S, version, .dflt = "\"production\"", .min = 1, .max = REGISTRY_NAME_MAX,
          .help = "Number of a version, an alias, or `latest`."),
    COMMON_FIELDS, FIELD_END};
static const struct field by_alias_fields[] = {COMMON_FIELDS, FIELD_END};
#undef S

static void head_of_version(void *ud, struct jw *w)
{
    const struct registry_version *v = ud;

    jw_kstr(w, "registered", v->model);
    jw_kint(w, "version", v->number);
}

static enum rc ask_version(struct ctx *c, struct registry_version *v, bool visitor, struct err *e)
{
    const struct model_query *q = c->query;
    struct predict_ask ask = {.framework = v->framework,
                              .weights_sha256 = v->weights_sha256,
                              .file = q->file,
                              .options = q->options,
                              .images_max = visitor ? VISITOR_IMAGES_MAX : 0,
                              .bytes_max = visitor ? VISITOR_BYTES_MAX : 0,
                              .head = head_of_version,
                              .ud = v};
    char key[REGISTRY_KEY_MAX];

    registry_weights_key(v->weights_sha256, key);
    ask.weights_key = str_of(key);
    return predict_pass(c, &ask, e);
}

static enum rc post_by_name(struct ctx *c, struct err *e)
{
    const struct model_query *q = c->query;
    struct registry_version v;
    struct registry_model m;
    enum rc rc = registered(c, ROLE_VIEWER, &m, e);

    if (!rc)
        rc = registry_version_find(c->app->db, c->a, &m, q->version, &v, e);
    return rc ? rc : ask_version(c, &v, false, e);
}

static enum rc post_by_alias(struct ctx *c, struct err *e)
{
    struct registry_version v;
    struct registry_model m;
    enum rc rc = registered(c, ROLE_VIEWER, &m, e);

    if (!rc)
        rc = registry_version_find(c->app->db, c->a, &m, c->param[1], &v, e);
    return rc ? rc : ask_version(c, &v, false, e);
}

/* ---- links */

struct link_body {
    str alias, title;
    bool server;
    int64_t days;
};
#define S struct link_body
static const struct field link_fields[] = {
    F_STR(S, alias, .dflt = "\"production\"", .min = 1, .max = REGISTRY_NAME_MAX,
          .help = "Alias whose version visitors try, whichever it is then."),
    F_STR(S, title, .max = 200, .help = "What visitors read above it; empty: the model's name."),
    F_BOOL(S, server,
           .help = "Visitors may send pictures to the server; else the model runs in their tab and "
                   "nothing is sent."),
    F_INT(S, days, .dflt = "30", .min = 1, .max = REGISTRY_LINK_DAYS_MAX,
          .help = "Days until it ends."),
    FIELD_END};
#undef S

static enum rc post_link(struct ctx *c, struct err *e)
{
    const struct link_body *b = c->body;
    struct registry_who who = registry_caller(c);
    char token[SECRET_TEXT], hash[SHA256_HEX + 1];
    int64_t now = os_now_ms();
    struct registry_version v;
    struct registry_model m;
    struct registry_link l;
    struct buf out;
    struct jw w;
    enum rc rc = registered(c, ROLE_MANAGER, &m, e);

    if (!rc)
        rc = registry_name_check(b->alias, "alias", e);
    if (!rc)
        rc = registry_version_find(c->app->db, c->a, &m, b->alias, &v, e);
    if (rc)
        return rc;
    secret_new("try_", token, hash);
    l = (struct registry_link){.model_id = m.id,
                               .alias = b->alias,
                               .title = b->title.n ? b->title : m.name,
                               .server = b->server,
                               .expires_at = now + b->days * DAY_MS};
    rc = registry_link_add(c->app->db, c->a, &l, str_of(hash), &who, now, e);
    if (rc)
        return rc;
    reply_begin(&out, &w);
    jw_obj(&w);
    field_write_members(registry_link_fields, &l, &w);
    jw_kcstr(&w, "url", arena_printf(c->a, "%s/try#%s", c->app->public_url, token));
    jw_obj_end(&w);
    return reply_json(c, 201, &out, e);
}

static enum rc get_links(struct ctx *c, struct err *e)
{
    struct registry_link *list = NULL;
    struct registry_model m;
    struct buf b;
    struct jw w;
    size_t n = 0;
    enum rc rc = registered(c, ROLE_VIEWER, &m, e);

    if (!rc)
        rc = registry_links(c->app->db, c->a, m.id, &list, &n, e);
    if (rc)
        return rc;
    reply_begin(&b, &w);
    jw_obj(&w);
    jw_karr(&w, "links");
    for (size_t i = 0; i < n; i++)
        field_write(registry_link_fields, &list[i], &w);
    jw_arr_end(&w);
    jw_obj_end(&w);
    return reply_json(c, 200, &b, e);
}

static enum rc delete_link(struct ctx *c, struct err *e)
{
    struct registry_who who = registry_caller(c);
    struct registry_model m;
    enum rc rc = registered(c, ROLE_MANAGER, &m, e);

    if (!rc)
        rc = registry_link_revoke(c->app->db, m.id, c->param[1], &who, os_now_ms(), e);
    if (!rc)
        http_reply(c->req, 204, "application/json", STR_NONE);
    return rc;
}

/* ---- visitors */

static enum rc limited(struct ctx *c, const char *what, str whom, struct rate_limit limit,
                       struct err *e)
{
    const char *key = arena_printf(c->a, "%s %.*s", what, STR_F(whom));

    return key ? rate_take(str_of(key), limit, os_now_ms(), e)
               : err_set(e, RC_NOMEM, "out of memory");
}

struct visit {
    struct registry_link link;
    struct registry_model model;
    struct registry_version version;
};

static enum rc visit_open(struct ctx *c, bool count, const char *what, struct rate_limit limit,
                          struct visit *ret, struct err *e)
{
    str header = http_header(c->req, "Authorization"), token;
    char hash[SHA256_HEX + 1];
    struct err guess = {0};
    enum rc rc;

    if (header.n < 8 || !str_ieq(str_sub(header, 0, 7), STR("bearer ")))
        return err_set(e, RC_UNAUTHENTICATED, "a visitor's link is needed");
    token = str_trim(str_sub(header, 7, header.n));
    sha256_hex(token, hash);
    rc = registry_link_open(c->app->db, c->a, str_of(hash), count, os_now_ms(), &ret->link,
                            &ret->model, &ret->version, e);
    if (rc == RC_UNAUTHENTICATED && limited(c, "guess", http_peer(c->req), guesses, &guess)) {
        *e = guess;
        return RC_LIMIT;
    }
    if (!rc)
        rc = limited(c, what, ret->link.id, limit, e);
    return rc;
}

static enum rc get_public(struct ctx *c, struct err *e)
{
    struct visit v;
    struct buf b;
    struct jw w;
    enum rc rc = visit_open(c, true, "open", opens, &v, e);

    if (rc)
        return rc;
    reply_begin(&b, &w);
    jw_obj(&w);
    jw_kstr(&w, "title", v.link.title);
    jw_kstr(&w, "model", v.model.name);
    jw_kstr(&w, "description", v.model.description);
    jw_kstr(&w, "task", v.model.task);
    jw_kint(&w, "version", v.version.number);
    jw_kstr(&w, "network", v.version.network);
    jw_kbool(&w, "server", v.link.server);
    jw_kstr(&w, "weights_sha256", v.version.weights_sha256);
    jw_kint(&w, "weights_bytes", v.version.weights_bytes);
    jw_obj_end(&w);
    return reply_json(c, 200, &b, e);
}

static enum rc get_public_weights(struct ctx *c, struct err *e)
{
    struct visit v;
    enum rc rc = visit_open(c, false, "weights", downloads, &v, e);

    return rc ? rc : reply_weights(c, &v.version, "model.safetensors", e);
}

static enum rc post_public(struct ctx *c, struct err *e)
{
    struct visit v;
    enum rc rc = visit_open(c, false, "predict", predictions, &v, e);

    if (!rc && !v.link.server)
        rc = err_set(e, RC_FORBIDDEN,
                     "this link is for trying the model in the browser; it takes no pictures");
    return rc ? rc : ask_version(c, &v.version, true, e);
}

#define QUERY(f, s) .query = f, .query_size = sizeof(struct s)
#define PREDICT_HELP                                                                               \
    "Pictures and answer as with POST /training/jobs/{id}/predict.  The model stays warm."
extern const struct route registry_link_routes[];
const struct route registry_link_routes[] = {
    {HTTP_POST, "/models/{model}/predict", ACCESS_VIEWER, "models:read",
     QUERY(by_name_fields, model_query), .unaudited = true, .tag = "Registry",
     .summary = "What pictures show, said by a registered model.", .help = PREDICT_HELP,
     .fn = post_by_name},
    {HTTP_POST, "/models/{model}/aliases/{alias}/predict", ACCESS_VIEWER, "models:read",
     QUERY(by_alias_fields, model_query), .unaudited = true, .tag = "Registry",
     .summary = "The same by the version that is live under an alias.", .help = PREDICT_HELP,
     .fn = post_by_alias},
    {HTTP_GET, "/registry/models/{model}/links", ACCESS_VIEWER, "models:read", .tag = "Registry",
     .summary = "Links for visitors: {links: [...]}.", .fn = get_links},
    {HTTP_POST, "/registry/models/{model}/links", ACCESS_ENGINEER, "models:write",
     .body = link_fields, .body_size = sizeof(struct link_body), .tag = "Registry",
     .summary = "Make a link under which anybody may try what is live under an alias.",
     .help = "The reply's `url` is shown this once: only its hash is kept.  Needs the role manager "
             "in the project.",
     .fn = post_link},
    {HTTP_DELETE, "/registry/models/{model}/links/{link}", ACCESS_ENGINEER, "models:write",
     .tag = "Registry", .summary = "Revoke a link, at once.", .fn = delete_link},
    {HTTP_GET, "/public/model", ACCESS_PUBLIC, .tag = "Visitors",
     .summary = "What a visitor's link shows: {title, model, task, server, weights_bytes, ..}.",
     .help =
         "`Authorization: Bearer` with the link's token.  401: unknown, 410: it has ended, 429: "
         "too often.",
     .fn = get_public},
    {HTTP_GET, "/public/model/weights", ACCESS_PUBLIC, .tag = "Visitors",
     .summary = "The weights file, to run the model in the tab.", .fn = get_public_weights},
    {HTTP_POST, "/public/model/predict", ACCESS_PUBLIC, QUERY(by_alias_fields, model_query),
     .unaudited = true, .tag = "Visitors",
     .summary = "What pictures show, where the link allows it.",
     .help = "At most 8 pictures and 48 MiB a request.", .fn = post_public},
    ROUTE_END};
