/* reply.c - JSON replies, RFC 9457 problem documents and keyset cursors. */
#include "api/route.h"
#include "base/mem.h"

#include <string.h>

enum { REPLY_BYTES_MAX = 64 << 20, CURSOR_BYTES_MAX = 1024 };

void reply_begin(struct buf *b, struct jw *w)
{
    buf_init(b, REPLY_BYTES_MAX);
    jw_init(w, b);
}

enum rc reply_json(struct ctx *c, int status, struct buf *b, struct err *e)
{
    enum rc rc = buf_ok(b, e);

    if (rc) {
        buf_done(b);
        return err_wrap(e, rc == RC_TOO_LARGE ? RC_INTERNAL : rc, "writing the reply");
    }
    http_reply_buf(c->req, status, "application/json", b);
    return RC_OK;
}

enum rc reply_fields(struct ctx *c, int status, const struct field *t, const void *obj,
                     struct err *e)
{
    struct buf b;
    struct jw w;

    reply_begin(&b, &w);
    field_write(t, obj, &w);
    return reply_json(c, status, &b, e);
}

void reply_list_begin(struct buf *b, struct jw *w, const char *name)
{
    reply_begin(b, w);
    jw_obj(w);
    jw_karr(w, name);
}

enum rc reply_list_end(struct ctx *c, enum rc rc, struct buf *b, struct jw *w, struct err *e)
{
    jw_arr_end(w);
    jw_obj_end(w);
    if (!rc)
        return reply_json(c, 200, b, e);
    buf_done(b);
    return rc;
}

void reply_problem(struct http_req *r, const struct err *e)
{
    enum rc rc = e->rc ? e->rc : RC_INTERNAL;
    struct buf b;
    struct jw w;

    reply_begin(&b, &w);
    jw_obj(&w);
    jw_kcstr(&w, "type", "about:blank");
    jw_kcstr(&w, "title", rc_title(rc));
    jw_kint(&w, "status", rc_status(rc));
    jw_kcstr(&w, "code", rc_code(rc));
    jw_kcstr(&w, "detail", e->text[0] ? e->text : rc_title(rc));
    jw_kcstr(&w, "instance", http_request_id(r));
    if (e->field[0]) {
        jw_karr(&w, "errors");
        jw_obj(&w);
        jw_kcstr(&w, "field", e->field);
        jw_kcstr(&w, "message", e->text);
        jw_obj_end(&w);
        jw_arr_end(&w);
    }
    jw_obj_end(&w);
    if (rc == RC_UNAUTHENTICATED)
        http_add_header(r, "WWW-Authenticate", "Bearer realm=\"anneal\"");
    if (rc == RC_LIMIT || rc == RC_UNAVAILABLE)
        http_add_header(r, "Retry-After", "5");
    http_reply_buf(r, rc_status(rc), "application/problem+json", &b);
}

/* ---- cursors: base64url("key\0id") */

static const char B64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

const char *cursor_make(struct arena *a, str key, str id)
{
    size_t n = key.n + 1 + id.n, k = 0;
    uint8_t *raw = arena_alloc(a, n + 3);
    char *out = arena_alloc(a, (n + 2) / 3 * 4 + 1);

    if (!raw || !out)
        return NULL;
    memcpy(raw, key.p, key.n);
    memcpy(raw + key.n + 1, id.p, id.n);
    for (size_t i = 0; i < n; i += 3) {
        uint32_t v = (uint32_t)raw[i] << 16 | (uint32_t)raw[i + 1] << 8 | raw[i + 2];
        size_t left = n - i;
        out[k++] = B64[v >> 18 & 63];
        out[k++] = B64[v >> 12 & 63];
        if (left > 1)
            out[k++] = B64[v >> 6 & 63];
        if (left > 2)
            out[k++] = B64[v & 63];
    }
    return out;
}

static int b64_value(char c)
{
    const char *p = c ? strchr(B64, c) : NULL;

    return p ? (int)(p - B64) : -1;
}

enum rc cursor_read(struct arena *a, str text, str *ret_key, str *ret_id, struct err *e)
{
    uint32_t acc = 0;
    int bits = 0;
    size_t n = 0;
    char *raw;
    const char *zero;

    if (text.n > CURSOR_BYTES_MAX)
        return err_field(e, RC_INVALID, "cursor",
                         "'cursor' is too long; send back what `next` held");
    raw = arena_alloc(a, text.n + 1);
    if (!raw)
        return err_set(e, RC_NOMEM, "out of memory while reading the cursor");
    for (size_t i = 0; i < text.n; i++) {
        int v = b64_value(text.p[i]);
        if (v < 0)
            break;
        acc = acc << 6 | (uint32_t)v;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            raw[n++] = (char)(acc >> bits & 255);
        }
    }
    zero = memchr(raw, 0, n);
    if (!zero || !str_utf8_ok((str){raw, (size_t)(zero - raw)}))
        return err_field(e, RC_INVALID, "cursor",
                         "'cursor' is not one of ours; send back what `next` held");
    *ret_key = (str){raw, (size_t)(zero - raw)};
    *ret_id = (str){zero + 1, n - (size_t)(zero - raw) - 1};
    return RC_OK;
}
