/* url.c - plain transfers by presigned URL: all that a trainer may use.
 *
 * Error texts name the path of the URL and never its query: the signature in it is a credential.
 */
#include "s3/transfer.h"

#include "os/os.h"
#include "s3/file_source.h"

enum { URL_SHOWN_MAX = 200 };

/* "http://host/bucket/key", cut at the query and at a readable length. */
static const char *shown(const char *url, char *buf, size_t size)
{
    ptrdiff_t cut = str_chr(str_of(url), '?');

    snprintf(buf, size, "%.*s",
             STR_F(str_sub(str_of(url), 0, cut < 0 ? URL_SHOWN_MAX : (size_t)cut)));
    return buf;
}

enum rc url_get_stream(const char *url, client_sink_fn sink, void *ud, struct err *e)
{
    char name[URL_SHOWN_MAX + 1];
    struct client_reply r;
    struct transfer t = {.method = HTTP_GET,
                         .url = url,
                         .what = shown(url, name, sizeof name),
                         .sink = sink,
                         .sink_ud = ud,
                         .timeout_ms = -1};

    return transfer_do(&t, &r, e);
}

enum rc url_get(const char *url, struct buf *out, struct err *e)
{
    char name[URL_SHOWN_MAX + 1];
    struct client_reply r;
    struct transfer t = {.method = HTTP_GET,
                         .url = url,
                         .what = shown(url, name, sizeof name),
                         .out = out,
                         .timeout_ms = -1};

    return transfer_do(&t, &r, e);
}

static const char *type_header(const char *type, char *buf, size_t size)
{
    snprintf(buf, size, "Content-Type: %s", type ? type : "application/octet-stream");
    return buf;
}

enum rc url_put(const char *url, str data, const char *type, struct err *e)
{
    char name[URL_SHOWN_MAX + 1], header[160];
    struct client_reply r;
    struct transfer t = {.method = HTTP_PUT,
                         .url = url,
                         .what = shown(url, name, sizeof name),
                         .headers = {type_header(type, header, sizeof header)},
                         .body = data,
                         .timeout_ms = -1};

    return transfer_do(&t, &r, e);
}

enum rc url_put_file(const char *url, const char *path, const char *type, struct err *e)
{
    char name[URL_SHOWN_MAX + 1], header[160];
    struct file_source f;
    struct client_reply r;
    struct transfer t = {.method = HTTP_PUT,
                         .url = url,
                         .what = shown(url, name, sizeof name),
                         .headers = {type_header(type, header, sizeof header)},
                         .source = file_source_pull,
                         .source_ud = &f,
                         .rewind = file_source_rewind,
                         .timeout_ms = -1};
    enum rc rc = file_source_open(&f, path, e);

    if (rc)
        return rc;
    t.source_bytes = (int64_t)f.bytes;
    rc = transfer_do(&t, &r, e);
    file_source_close(&f);
    return rc;
}
