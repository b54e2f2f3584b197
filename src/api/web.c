/* web.c - the web app from memory.
 *
 * Files with a hash in their name (below /assets/) are cached for ever, the rest by ETag.  Paths
 * below /app/ are pages of the single-page app: they get index.html. */
#include "api/app.h"
#include "api/web_assets.h"

#include <string.h>

static const struct web_asset *find(str path)
{
    size_t lo = 0, hi = web_assets_count;

    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        int d = str_cmp(str_of(web_assets[mid].path), path);
        if (!d)
            return &web_assets[mid];
        if (d < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return NULL;
}

static bool accepts_gzip(struct http_req *r)
{
    return str_find(http_header(r, "Accept-Encoding"), STR("gzip")) >= 0;
}

static void send_asset(struct ctx *c, const struct web_asset *a)
{
    char etag[40];
    bool zip = a->gzip_bytes && accepts_gzip(c->req);
    bool hashed = str_starts(str_of(a->path), STR("/assets/"));

    snprintf(etag, sizeof etag, "\"%s\"", a->etag);
    http_add_header(c->req, "ETag", etag);
    http_add_header(c->req, "Vary", "Accept-Encoding");
    http_add_header(c->req, "Cache-Control",
                    hashed ? "public, max-age=31536000, immutable" : "no-cache");
    http_add_header(
        c->req, "Content-Security-Policy",
        "default-src 'self'; img-src 'self' blob: data:; style-src 'self' 'unsafe-inline'; "
        "connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'");
    if (str_is(http_header(c->req, "If-None-Match"), etag)) {
        http_reply(c->req, 304, a->content_type, STR_NONE);
        return;
    }
    if (zip)
        http_add_header(c->req, "Content-Encoding", "gzip");
    http_reply_static(c->req, 200, a->content_type,
                      zip ? (str){(const char *)a->gzip_bytes, a->gzip_n}
                          : (str){(const char *)a->bytes, a->n});
}

static enum rc get_page(struct ctx *c, struct err *e)
{
    const struct web_asset *a = find(STR("/index.html"));

    if (!a)
        return err_set(e, RC_NOT_FOUND,
                       "this binary was built without the web app; run `make web`, then "
                       "`make`; the API is described at /docs");
    send_asset(c, a);
    return RC_OK;
}

static enum rc get_file(struct ctx *c, struct err *e)
{
    const struct web_asset *a = find(http_path(c->req));

    if (!a)
        return err_set(e, RC_NOT_FOUND, "there is nothing at '%.*s'; /docs lists the API",
                       (int)(http_path(c->req).n < 200 ? http_path(c->req).n : 200),
                       http_path(c->req).p);
    send_asset(c, a);
    return RC_OK;
}

extern const struct route web_routes[];
const struct route web_routes[] = {
    {HTTP_GET, "/", ACCESS_PUBLIC, .tag = "Web app", .summary = "The web app.", .fn = get_page},
    {HTTP_GET, "/app", ACCESS_PUBLIC, .tag = "Web app", .summary = "The first page of the web app.",
     .fn = get_page},
    {HTTP_GET, "/app/{page...}", ACCESS_PUBLIC, .tag = "Web app",
     .summary = "A page of the web app.", .fn = get_page},
    {HTTP_GET, "/assets/{file...}", ACCESS_PUBLIC, .tag = "Web app",
     .summary = "A file of the web app.", .fn = get_file},
    {HTTP_GET, "/favicon.svg", ACCESS_PUBLIC, .tag = "Web app", .summary = "The icon.",
     .fn = get_file},
    ROUTE_END};
