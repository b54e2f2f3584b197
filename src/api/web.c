/* web.c - the web app from memory.
 *
 * Files with a hash in their name (below /assets/) are cached for ever, the rest by ETag.  Paths
 * below /app/ are pages of the single-page app: they get index.html; a visitor's
 * link is try.html.  Each file is kept as brotli
 * and gzip too (tools/gen-assets), made once when the binary was built; which form goes out is said
 * by Accept-Encoding (RFC 9110, 12.5.3), and the form's name is part of the ETag.
 *
 * What the browser may do with the app: scripts are ours alone and none stand in the page; the
 * engine is compiled as WebAssembly, nothing else is evaluated; pages stand in no frame; of devices
 * there is only the camera (trying a model on it).  Styles may stand in attributes: they place
 * parts. */
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

/* Whether a list like "gzip, br;q=0.5" admits the coding; one that is not named is not. */
static bool accepts(str list, const char *coding)
{
    str item, name;

    while (str_next(&list, ',', &item)) {
        if (!str_next(&item, ';', &name) || !str_ieq(str_trim(name), str_of(coding)))
            continue;
        item = str_trim(item);
        if (!str_starts(item, STR("q=0")) && !str_starts(item, STR("Q=0")))
            return true;
        for (size_t i = 3; i < item.n; i++) /* q=0.001 is more than none */
            if (item.p[i] >= '1' && item.p[i] <= '9')
                return true;
        return false;
    }
    return false;
}

static const char policy[] =
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' blob: data:; media-src 'self' blob:; font-src 'self'; connect-src 'self'; "
    "worker-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'";

static void send_asset(struct ctx *c, const struct web_asset *a)
{
    static const struct {
        const char *coding, *suffix;
    } forms[] = {{"br", "-br"}, {"gzip", "-gz"}, {NULL, ""}};
    const str bytes[] = {{(const char *)a->brotli_bytes, a->brotli_n},
                         {(const char *)a->gzip_bytes, a->gzip_n},
                         {(const char *)a->bytes, a->n}};
    str accept = http_header(c->req, "Accept-Encoding");
    bool hashed = str_starts(str_of(a->path), STR("/assets/"));
    size_t form = 0;
    char etag[40];

    while (forms[form].coding && (!bytes[form].n || !accepts(accept, forms[form].coding)))
        form++;
    snprintf(etag, sizeof etag, "\"%s%s\"", a->etag, forms[form].suffix);
    http_add_header(c->req, "ETag", etag);
    http_add_header(c->req, "Vary", "Accept-Encoding");
    http_add_header(c->req, "Cache-Control",
                    hashed ? "public, max-age=31536000, immutable" : "no-cache");
    http_add_header(c->req, "Content-Security-Policy", policy);
    http_add_header(c->req, "Permissions-Policy",
                    "camera=(self), microphone=(), geolocation=(), payment=(), usb=()");
    if (str_find(http_header(c->req, "If-None-Match"), str_of(etag)) >= 0) {
        http_reply(c->req, 304, a->content_type, STR_NONE);
        return;
    }
    if (forms[form].coding)
        http_add_header(c->req, "Content-Encoding", forms[form].coding);
    http_reply_static(c->req, 200, a->content_type, bytes[form]);
}

static enum rc send_page(struct ctx *c, str path, struct err *e)
{
    const struct web_asset *a = find(path);

    if (!a)
        return err_set(e, RC_NOT_FOUND,
                       "this binary was built without the web app; run `make web`, then "
                       "`make`; the API is described at /docs");
    send_asset(c, a);
    return RC_OK;
}

static enum rc get_page(struct ctx *c, struct err *e)
{
    return send_page(c, STR("/index.html"), e);
}

static enum rc get_visitors_page(struct ctx *c, struct err *e)
{
    return send_page(c, STR("/try.html"), e);
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
    {HTTP_GET, "/try", ACCESS_PUBLIC, .tag = "Web app",
     .summary = "The page of a visitor's link: a model that is tried without an account.",
     .fn = get_visitors_page},
    {HTTP_GET, "/assets/{file...}", ACCESS_PUBLIC, .tag = "Web app",
     .summary = "A file of the web app.", .fn = get_file},
    {HTTP_GET, "/favicon.svg", ACCESS_PUBLIC, .tag = "Web app", .summary = "The icon.",
     .fn = get_file},
    ROUTE_END};
