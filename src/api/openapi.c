/* openapi.c - the API's own description, made from the tables of routes and fields.
 *
 * OpenAPI 3.1 (https://spec.openapis.org/oas/v3.1.0).  `x-access` states who may call, `x-scope`
 * what an API token needs.  /docs is the same as a page for people. */
#include "api/app.h"

#include <string.h>

const char *access_name(enum access a);
void openapi_write(struct jw *w);

const char *access_name(enum access a)
{
    static const char *const names[] = {"public", "viewer",    "engineer",          "manager",
                                        "admin",  "job token", "loopback or viewer"};
    return names[a];
}

static void write_parameters(const struct route *r, struct jw *w)
{
    str rest = str_of(r->path), seg;

    jw_karr(w, "parameters");
    while (str_next(&rest, '/', &seg)) {
        if (!seg.n || seg.p[0] != '{')
            continue;
        str name = str_sub(seg, 1, seg.n - 2);
        jw_obj(w);
        jw_kstr(w, "name", str_ends(name, STR("...")) ? str_sub(name, 0, name.n - 3) : name);
        jw_kcstr(w, "in", "path");
        jw_kbool(w, "required", true);
        jw_kraw(w, "schema", STR("{\"type\":\"string\"}"));
        jw_obj_end(w);
    }
    for (const struct field *f = r->query; f && f->name; f++) {
        static const char *const types[] = {"boolean", "integer", "number", "string", "string",
                                            "string",  "string",  "string", "string", "string"};
        jw_obj(w);
        jw_kcstr(w, "name", f->name);
        jw_kcstr(w, "in", "query");
        jw_kcstr(w, "description", f->help ? f->help : "");
        jw_kobj(w, "schema");
        jw_kcstr(w, "type", types[f->type]);
        if (f->choices) {
            jw_karr(w, "enum");
            for (int i = 0; f->choices[i]; i++)
                jw_cstr(w, f->choices[i]);
            jw_arr_end(w);
        }
        jw_obj_end(w);
        jw_obj_end(w);
    }
    jw_arr_end(w);
}

static void write_content(const struct field *t, struct jw *w)
{
    jw_kobj(w, "content");
    jw_kobj(w, "application/json");
    jw_key(w, "schema");
    field_schema(t, w);
    jw_obj_end(w);
    jw_obj_end(w);
}

/* "get_datasets_id_versions_v": a name in every language that clients are generated for. */
static void operation_id(const struct route *r, char *ret, size_t cap)
{
    size_t n = 0;

    for (const char *p = http_method_name(r->method); *p && n + 1 < cap; p++)
        ret[n++] = (char)(*p | 32);
    for (const char *p = r->path; *p && n + 1 < cap; p++) {
        bool word = (*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9');
        if (word || *p == '/' || *p == '-')
            ret[n++] = word ? *p : '_';
    }
    while (ret[n - 1] == '_')
        n--;
    ret[n] = 0;
}

static void write_operation(const struct route *r, struct jw *w)
{
    char id[160];

    operation_id(r, id, sizeof id);
    jw_obj(w);
    jw_kcstr(w, "operationId", id);
    jw_kcstr(w, "summary", r->summary);
    if (r->help)
        jw_kcstr(w, "description", r->help);
    jw_karr(w, "tags");
    jw_cstr(w, r->tag);
    jw_arr_end(w);
    jw_kcstr(w, "x-access", access_name(r->access));
    if (r->scope)
        jw_kcstr(w, "x-scope", r->scope);
    if (r->access == ACCESS_PUBLIC)
        jw_kraw(w, "security", STR("[]"));
    write_parameters(r, w);
    if (r->body) {
        jw_kobj(w, "requestBody");
        write_content(r->body, w);
        jw_obj_end(w);
    }
    jw_kobj(w, "responses");
    jw_kobj(w, "2XX");
    jw_kcstr(w, "description", "Done.");
    if (r->reply)
        write_content(r->reply, w);
    jw_obj_end(w);
    jw_kraw(w, "default", STR("{\"$ref\":\"#/components/responses/Problem\"}"));
    jw_obj_end(w);
    jw_obj_end(w);
}

/* OpenAPI wants the methods of a path together; the tables do not keep them so. */
static bool first_of_path(const struct route *const *table, const struct route *route)
{
    for (const struct route *const *t = app_routes; *t; t++)
        for (const struct route *r = *t; r->fn; r++) {
            if (t == table && r == route)
                return true;
            if (!strcmp(r->path, route->path))
                return false;
        }
    return true;
}

/* OpenAPI has no parameter that takes many segments: "{file...}" is written "{file}". */
static void write_path(const char *path, struct jw *w)
{
    str rest = str_of(path);
    ptrdiff_t dots = str_find(rest, STR("...}"));
    char key[160];

    if (dots < 0)
        dots = (ptrdiff_t)rest.n;
    snprintf(key, sizeof key, "%.*s%s", (int)dots, path,
             (size_t)dots < rest.n ? path + dots + 3 : "");
    jw_key(w, key);
    jw_obj(w);
    for (const struct route *const *t = app_routes; *t; t++)
        for (const struct route *r = *t; r->fn; r++)
            if (!strcmp(r->path, path)) {
                char lower[12] = "";
                const char *m = http_method_name(r->method);
                for (int i = 0; m[i] && i < 10; i++)
                    lower[i] = (char)(m[i] | 32);
                jw_key(w, lower);
                write_operation(r, w);
            }
    jw_obj_end(w);
}

void openapi_write(struct jw *w)
{
    jw_obj(w);
    jw_kcstr(w, "openapi", "3.1.0");
    jw_kraw(w, "info",
            STR("{\"title\":\"Anneal\",\"version\":\"" ANNEAL_VERSION
                "\",\"description\":\"From a folder of images to a model that anyone can try.\","
                "\"license\":{\"name\":\"Apache-2.0\",\"identifier\":\"Apache-2.0\"}}"));
    jw_kraw(w, "security", STR("[{\"bearer\":[]},{\"session\":[]}]"));
    jw_kobj(w, "paths");
    for (const struct route *const *t = app_routes; *t; t++)
        for (const struct route *r = *t; r->fn; r++)
            if (first_of_path(t, r))
                write_path(r->path, w);
    jw_obj_end(w);
    jw_kraw(
        w, "components",
        STR("{\"securitySchemes\":{\"bearer\":{\"type\":\"http\",\"scheme\":\"bearer\"},"
            "\"session\":{\"type\":\"apiKey\",\"in\":\"cookie\",\"name\":\"anneal_session\"}},"
            "\"responses\":{\"Problem\":{\"description\":\"An RFC 9457 problem document.\","
            "\"content\":{\"application/problem+json\":{\"schema\":{\"$ref\":"
            "\"#/components/schemas/Problem\"}}}}},\"schemas\":{\"Problem\":{\"type\":\"object\","
            "\"required\":[\"title\",\"status\",\"code\",\"detail\"],\"properties\":{"
            "\"type\":{\"type\":\"string\"},\"title\":{\"type\":\"string\"},"
            "\"status\":{\"type\":\"integer\"},\"code\":{\"type\":\"string\"},"
            "\"detail\":{\"type\":\"string\"},\"instance\":{\"type\":\"string\"},"
            "\"errors\":{\"type\":\"array\",\"items\":{\"type\":\"object\",\"properties\":{"
            "\"field\":{\"type\":\"string\"},\"message\":{\"type\":\"string\"}}}}}}}}"));
    jw_obj_end(w);
}

static enum rc get_openapi(struct ctx *c, struct err *e)
{
    struct buf b;
    struct jw w;

    reply_begin(&b, &w);
    openapi_write(&w);
    return reply_json(c, 200, &b, e);
}

/* ---- /docs: plain HTML, no script, readable without a network */

static void html(struct buf *b, const char *s)
{
    for (; s && *s; s++) {
        if (*s == '<')
            buf_puts(b, "&lt;");
        else if (*s == '&')
            buf_puts(b, "&amp;");
        else
            buf_putc(b, *s);
    }
}

static void docs_fields(const struct field *t, const char *title, struct buf *b)
{
    static const char *const types[] = {"boolean", "integer",      "number", "text",   "choice",
                                        "JSON",    "list of text", "time",   "object", "list"};
    if (!t || !t->name)
        return;
    buf_printf(b, "<details><summary>%s</summary><table>", title);
    for (; t->name; t++) {
        buf_printf(b, "<tr><td><code>%s</code>%s<td>%s", t->name,
                   t->flags & FIELD_REQUIRED ? " *" : "", types[t->type]);
        for (int i = 0; t->choices && t->choices[i]; i++)
            buf_printf(b, "%s%s", i ? ", " : ": ", t->choices[i]);
        buf_puts(b, "<td>");
        html(b, t->help);
        if (t->dflt) {
            buf_puts(b, " Default ");
            html(b, t->dflt);
            buf_putc(b, '.');
        }
    }
    buf_puts(b, "</table></details>");
}

static void docs_route(const struct route *r, struct buf *b)
{
    buf_printf(b, "<article><h3><b>%s</b> <code>", http_method_name(r->method));
    html(b, r->path);
    buf_printf(b, "</code></h3><p>%s <i>Who: %s%s%s.</i></p>", r->summary, access_name(r->access),
               r->scope ? ", scope " : "", r->scope ? r->scope : "");
    if (r->help) {
        buf_puts(b, "<p>");
        html(b, r->help);
        buf_puts(b, "</p>");
    }
    docs_fields(r->query, "Query", b);
    docs_fields(r->body, "Body", b);
    docs_fields(r->reply, "Reply", b);
    buf_puts(b, "</article>");
}

static enum rc get_docs(struct ctx *c, struct err *e)
{
    struct buf b;
    struct jw w;
    enum rc rc;

    reply_begin(&b, &w);
    buf_puts(
        &b,
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport "
        "content='width=device-width'><title>Anneal API</title><style>"
        "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;"
        "color:#1b1f24;background:#fff}@media(prefers-color-scheme:dark){body{color:#e6e8eb;"
        "background:#14171a}}h3 b{display:inline-block;min-width:4.5rem}"
        "td{padding:.1rem 1rem .1rem 0;"
        "vertical-align:top}article{border-top:1px solid #8884;padding:.3rem 0}"
        "</style><h1>Anneal API</h1><p>Errors are problem documents (RFC 9457) with a stable "
        "<code>code</code>. Machine-readable: <a href=/openapi.json>openapi.json</a>.</p>");
    for (const struct route *const *t = app_routes; *t; t++) {
        if (!(*t)->fn)
            continue;
        buf_printf(&b, "<h2>%s</h2>", (*t)->tag);
        for (const struct route *r = *t; r->fn; r++)
            docs_route(r, &b);
    }
    rc = buf_ok(&b, e);
    if (rc) {
        buf_done(&b);
        return rc;
    }
    http_add_header(c->req, "Content-Security-Policy",
                    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'");
    http_reply_buf(c->req, 200, "text/html; charset=utf-8", &b);
    return RC_OK;
}

extern const struct route openapi_routes[];
const struct route openapi_routes[] = {{HTTP_GET, "/openapi.json", ACCESS_PUBLIC, .tag = "About",
                                        .summary = "This API as OpenAPI 3.1.", .fn = get_openapi},
                                       {HTTP_GET, "/docs", ACCESS_PUBLIC, .tag = "About",
                                        .summary = "This API as a page.", .fn = get_docs},
                                       ROUTE_END};
