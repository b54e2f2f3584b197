/* reply.c - answers: S3's error documents and the small XML of the others. */
#include "base/log.h"
#include "s3/xml.h"
#include "store/store_int.h"

static const struct {
    int status;
    const char *code, *text;
} codes[S3_CODE_COUNT] = {[S3_OK] = {200, "", ""},
#define X(name, status, code, text) [S3_##name] = {status, code, text},
                          S3_CODES(X)
#undef X
};

enum s3_code s3_code_of(struct call *c, enum rc rc)
{
    enum s3_code code;

    switch (rc) {
    case RC_OK:
        return S3_OK;
    case RC_INVALID:
        code = S3_BAD_REQUEST;
        break;
    case RC_TOO_LARGE:
        code = S3_ENTITY_TOO_LARGE;
        break;
    case RC_UNIMPLEMENTED:
        code = S3_NOT_IMPLEMENTED;
        break;
    case RC_FULL:
        code = S3_INSUFFICIENT_STORAGE;
        break;
    case RC_UNAVAILABLE:
        code = S3_SERVICE_UNAVAILABLE;
        break;
    case RC_LIMIT:
        code = S3_SLOW_DOWN;
        break;
    default:
        code = S3_INTERNAL;
    }
    if (codes[code].status >= 500) {
        log_error("store: request %s: %s", http_request_id(c->r), c->err.text);
        c->err.text[0] = 0; /* paths and SQL are for the log */
    }
    return code;
}

void reply_error(struct call *c, enum s3_code code)
{
    struct buf b;

    ASSERT(code > S3_OK && code < S3_CODE_COUNT);
    buf_init(&b, 16 << 10);
    buf_puts(&b, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error>");
    xml_text(&b, "Code", str_of(codes[code].code));
    buf_puts(&b, "<Message>");
    xml_escape(&b, str_of(codes[code].text));
    if (c->err.text[0]) {
        buf_puts(&b, ": ");
        xml_escape(&b, str_of(c->err.text));
    }
    buf_puts(&b, "</Message>");
    if (c->bucket.n)
        xml_text(&b, "BucketName", c->bucket);
    if (c->key.n)
        xml_text(&b, "Key", c->key);
    if (code == S3_BAD_AUTH_HEADER || code == S3_BAD_AUTH_QUERY)
        xml_text(&b, "Region", str_of(c->s->region)); /* a client that guessed wrong signs again */
    xml_text(&b, "RequestId", str_of(http_request_id(c->r)));
    buf_puts(&b, "</Error>");
    http_add_header(c->r, "x-amz-request-id", http_request_id(c->r));
    if (code == S3_SLOW_DOWN || code == S3_SERVICE_UNAVAILABLE)
        http_add_header(c->r, "Retry-After", "1");
    http_reply_buf(c->r, codes[code].status, "application/xml", &b);
}

void reply_xml(struct call *c, struct buf *b)
{
    if (b->rc) {
        log_error("store: request %s: a reply is larger than its limit", http_request_id(c->r));
        buf_done(b);
        reply_error(c, S3_INTERNAL);
        return;
    }
    http_add_header(c->r, "x-amz-request-id", http_request_id(c->r));
    http_reply_buf(c->r, 200, "application/xml", b);
}

void reply_empty(struct call *c, int status)
{
    http_add_header(c->r, "x-amz-request-id", http_request_id(c->r));
    http_reply(c->r, status, NULL, STR(""));
}

void xml_error(struct buf *b, enum s3_code code, str key)
{
    buf_puts(b, "<Error>");
    xml_text(b, "Key", key);
    xml_text(b, "Code", str_of(codes[code].code));
    xml_text(b, "Message", str_of(codes[code].text));
    buf_puts(b, "</Error>");
}

void xml_owner(struct buf *b, const char *tag)
{
    buf_printf(b, "<%s><ID>" STORE_OWNER_ID "</ID><DisplayName>anneal</DisplayName></%s>", tag,
               tag);
}

void xml_begin(struct buf *b, const char *root)
{
    buf_printf(b,
               "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
               "<%s xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">",
               root);
}

void xml_text(struct buf *b, const char *tag, str text)
{
    buf_printf(b, "<%s>", tag);
    xml_escape(b, text);
    buf_printf(b, "</%s>", tag);
}

void xml_u64(struct buf *b, const char *tag, uint64_t v)
{
    buf_printf(b, "<%s>%llu</%s>", tag, (unsigned long long)v, tag);
}

void xml_time(struct buf *b, const char *tag, int64_t unix_ms)
{
    char text[OS_TIME_TEXT];

    os_time_text(unix_ms, text);
    buf_printf(b, "<%s>%s</%s>", tag, text, tag);
}

void xml_etag(struct buf *b, str etag)
{
    /* Bare quotation marks: XML allows them in text, and a page of entities is past what some
     * clients' readers take (fast-xml-parser: 1,000 of them). */
    buf_printf(b, "<ETag>\"%.*s\"</ETag>", STR_F(etag));
}
