/* multipart.c - multipart/form-data (RFC 7578 on RFC 2046), pulled part by part in constant memory.
 *
 * The body is seen through one window of MULTIPART_BUFFER bytes.  A delimiter is CRLF "--"
 * boundary; to make the first one look the same, the window starts out with a CRLF of our own.
 * `clear` counts the bytes at its front that are known to be data, so that nothing is searched
 * twice however small the reader's buffer is.
 *
 *   preamble ─delimiter▶ headers ─empty line▶ data ─delimiter▶ headers ... ─delimiter "--"▶ end
 */
#include "net/multipart.h"
#include "net/http_decode.h"
#include <string.h>

enum state { IN_PREAMBLE, AT_DELIMITER, IN_DATA, AT_END };

struct multipart {
    multipart_fill_fn fill;
    void *ud;
    enum state state;
    struct err failed; /* sticky */
    unsigned parts;
    char delim[4 + MULTIPART_BOUNDARY_MAX];
    size_t delim_n;
    size_t from, n, clear; /* window: w[from .. from + n) */
    bool source_ended;
    bool opening; /* the window starts with the CRLF of a part's empty line */
    char name[MULTIPART_NAME_MAX], filename[MULTIPART_FILENAME_MAX], type[MULTIPART_TYPE_MAX];
    char w[MULTIPART_BUFFER];
};

enum rc multipart_new(struct multipart **ret, struct arena *a, str boundary,
                      multipart_fill_fn fill, void *ud, struct err *e)
{
    struct multipart *m;

    if (!boundary.n || boundary.n > MULTIPART_BOUNDARY_MAX || !http_field_value_ok(boundary))
        return err_field(e, RC_INVALID, "Content-Type",
                         "multipart/form-data needs a boundary of 1 to %d characters",
                         MULTIPART_BOUNDARY_MAX);
    m = ARENA_NEW(a, struct multipart);
    if (!m)
        return err_set(e, RC_NOMEM, "no memory for a multipart body");
    m->fill = fill;
    m->ud = ud;
    memcpy(m->delim, "\r\n--", 4);
    memcpy(m->delim + 4, boundary.p, boundary.n);
    m->delim_n = boundary.n + 4;
    memcpy(m->w, "\r\n", 2);
    m->n = 2;
    *ret = m;
    return RC_OK;
}

static enum rc from_request(void *ud, void *p, size_t cap, size_t *ret_n, struct err *e)
{
    return http_body_read(ud, p, cap, ret_n, e);
}

enum rc multipart_open(struct multipart **ret, struct http_req *r, struct err *e)
{
    str type = http_header(r, "Content-Type"), boundary = STR_NONE;
    ptrdiff_t semi = str_chr(type, ';');
    str kind = str_trim(semi < 0 ? type : str_sub(type, 0, (size_t)semi));
    enum rc rc;

    if (!str_ieq(kind, STR("multipart/form-data")))
        return err_field(e, RC_UNSUPPORTED, "Content-Type",
                         "the body has to be multipart/form-data, not '%.*s'", STR_F(kind));
    rc = http_header_param(http_arena(r), type, "boundary", &boundary, e);
    return rc ? rc : multipart_new(ret, http_arena(r), boundary, from_request, r, e);
}

static enum rc fail(struct multipart *m, struct err *e, enum rc rc, const char *text)
{
    err_set(&m->failed, rc, "multipart body, part %u: %s", m->parts, text);
    return err_set(e, rc, "%s", m->failed.text);
}

/* More bytes into the window; *ret_more false at the end of the body. */
static enum rc more(struct multipart *m, bool *ret_more, struct err *e)
{
    size_t n = 0;
    enum rc rc = RC_OK;

    if (m->from) {
        memmove(m->w, m->w + m->from, m->n);
        m->from = 0;
    }
    ASSERT(m->n < MULTIPART_BUFFER);
    if (!m->source_ended) {
        rc = m->fill(m->ud, m->w + m->n, MULTIPART_BUFFER - m->n, &n, &m->failed);
        if (rc) {
            m->failed.rc = rc;
            return err_set(e, rc, "%s", m->failed.text);
        }
        m->source_ended = !n;
    }
    m->n += n;
    *ret_more = n > 0;
    return RC_OK;
}

static void consume(struct multipart *m, size_t n)
{
    m->from += n;
    m->n -= n;
    m->clear = m->clear > n ? m->clear - n : 0;
}

/* How many bytes at the front are data, and whether a delimiter follows them. */
static size_t data_ahead(struct multipart *m, bool *ret_delim)
{
    const char *at = memmem(m->w + m->from + m->clear, m->n - m->clear, m->delim, m->delim_n);

    *ret_delim = at != NULL;
    if (at)
        m->clear = (size_t)(at - (m->w + m->from));
    else if (m->n >= m->delim_n && m->clear < m->n - m->delim_n + 1)
        m->clear = m->n - m->delim_n + 1;
    return m->clear;
}

/* A part without data may let the CRLF of its empty line be that of the delimiter (RFC 2046,
 * 5.1.1: the body is optional).  So that CRLF stays in the window until it is clear which it is. */
static enum rc open_data(struct multipart *m, struct err *e)
{
    bool any = true;
    enum rc rc = RC_OK;

    while (!rc && any && m->n < m->delim_n && !memcmp(m->w + m->from, m->delim, m->n))
        rc = more(m, &any, e);
    if (rc)
        return rc;
    m->opening = false;
    if (m->n < m->delim_n || memcmp(m->w + m->from, m->delim, m->delim_n))
        consume(m, 2);
    return RC_OK;
}

enum rc multipart_read(struct multipart *m, void *p, size_t cap, size_t *ret_n, struct err *e)
{
    bool delim, any;
    enum rc rc;

    if (m->failed.rc)
        return err_set(e, m->failed.rc, "%s", m->failed.text);
    if (m->state != IN_DATA || !cap) {
        *ret_n = 0;
        return RC_OK;
    }
    if (m->opening && (rc = open_data(m, e)) != RC_OK)
        return rc;
    for (;;) {
        size_t n = data_ahead(m, &delim);
        if (n) {
            n = n < cap ? n : cap;
            memcpy(p, m->w + m->from, n);
            consume(m, n);
            *ret_n = n;
            return RC_OK;
        }
        if (delim) {
            consume(m, m->delim_n);
            m->state = AT_DELIMITER;
            *ret_n = 0;
            return RC_OK;
        }
        rc = more(m, &any, e);
        if (rc)
            return rc;
        if (!any)
            return fail(m, e, RC_INVALID, "the body ends before the closing boundary");
    }
}

static enum rc skip_preamble(struct multipart *m, struct err *e)
{
    size_t skipped = 0;
    bool delim, any;

    for (;;) {
        size_t n = data_ahead(m, &delim);
        skipped += n;
        if (skipped > MULTIPART_HEADER_MAX)
            return fail(m, e, RC_INVALID, "the boundary of the Content-Type does not appear");
        consume(m, n);
        if (delim) {
            consume(m, m->delim_n);
            m->state = AT_DELIMITER;
            return RC_OK;
        }
        enum rc rc = more(m, &any, e);
        if (rc)
            return rc;
        if (!any)
            return fail(m, e, RC_INVALID, "the boundary of the Content-Type does not appear");
    }
}

/* A line that ends in CRLF, lent from the window; consume() its n + 2 bytes when done. */
static enum rc peek_line(struct multipart *m, str *ret, struct err *e)
{
    bool any;

    for (;;) {
        const char *at = memmem(m->w + m->from, m->n, "\r\n", 2);
        if (at) {
            *ret = (str){m->w + m->from, (size_t)(at - (m->w + m->from))};
            return RC_OK;
        }
        if (m->n > MULTIPART_HEADER_MAX)
            return fail(m, e, RC_HEADERS, "a header line is too long");
        enum rc rc = more(m, &any, e);
        if (rc)
            return rc;
        if (!any)
            return fail(m, e, RC_INVALID, "the body ends within a header");
    }
}

/* RFC 5987, 3.2.1: charset ' language ' percent-encoded. */
static enum rc decode_extended(struct arena *a, str v, str *ret, struct err *e)
{
    ptrdiff_t first = str_chr(v, '\''), second;
    str rest, charset;

    if (first < 0)
        return err_set(e, RC_INVALID, "filename* is not of the form UTF-8''name");
    charset = str_sub(v, 0, (size_t)first);
    rest = str_sub(v, (size_t)first + 1, v.n);
    second = str_chr(rest, '\'');
    if (second < 0 || !str_ieq(charset, STR("UTF-8")))
        return err_set(e, RC_INVALID, "filename* is not of the form UTF-8''name");
    return http_percent_decode(a, str_sub(rest, (size_t)second + 1, rest.n), false, ret, e);
}

/* Copies a decoded value to where it is lent from. */
static enum rc keep(char *to, size_t cap, str v, const char *what, struct err *e)
{
    if (v.n >= cap)
        return err_set(e, RC_HEADERS, "the %s is longer than %zu bytes", what, cap - 1);
    if (!str_utf8_ok(v))
        return err_set(e, RC_INVALID, "the %s is not valid UTF-8", what);
    if (v.n)
        memcpy(to, v.p, v.n);
    to[v.n] = 0;
    return RC_OK;
}

struct part_head {
    bool disposed, has_filename;
};

static enum rc take_disposition(struct multipart *m, struct part_head *h, str value, struct err *e)
{
    struct arena a;
    ptrdiff_t semi = str_chr(value, ';');
    str kind = str_trim(semi < 0 ? value : str_sub(value, 0, (size_t)semi));
    str name = STR_NONE, filename = STR_NONE, extended = STR_NONE;
    enum rc rc;

    if (!str_ieq(kind, STR("form-data")))
        return err_set(e, RC_INVALID, "Content-Disposition is '%.*s', not form-data", STR_F(kind));
    arena_init(&a, 8 * MULTIPART_HEADER_MAX + 4096);
    rc = http_header_param(&a, value, "name", &name, e);
    if (!rc)
        rc = http_header_param(&a, value, "filename", &filename, e);
    if (!rc)
        rc = http_header_param(&a, value, "filename*", &extended, e);
    if (!rc && extended.p)
        rc = decode_extended(&a, extended, &filename, e);
    if (!rc && !name.p)
        rc = err_set(e, RC_INVALID, "Content-Disposition has no name");
    if (!rc)
        rc = keep(m->name, sizeof m->name, name, "name", e);
    if (!rc && filename.p)
        rc = keep(m->filename, sizeof m->filename, filename, "filename", e);
    if (!rc) {
        h->disposed = true;
        h->has_filename = filename.p != NULL;
    }
    arena_done(&a);
    return rc;
}

static enum rc take_header(struct multipart *m, struct part_head *h, str line, struct err *e)
{
    ptrdiff_t colon = str_chr(line, ':');
    str name = colon < 0 ? line : str_sub(line, 0, (size_t)colon), value;

    if (colon < 0 || !http_token_ok(name))
        return err_set(e, RC_INVALID, "a header line is not of the form Name: value");
    value = str_trim(str_sub(line, (size_t)colon + 1, line.n));
    if (!http_field_value_ok(value))
        return err_set(e, RC_INVALID, "a header holds a control character");
    if (str_ieq(name, STR("Content-Disposition")))
        return h->disposed ? err_set(e, RC_INVALID, "two Content-Disposition headers")
                           : take_disposition(m, h, value, e);
    if (str_ieq(name, STR("Content-Type")))
        return keep(m->type, sizeof m->type, value, "Content-Type", e);
    if (str_ieq(name, STR("Content-Transfer-Encoding")) && !str_ieq(value, STR("binary")) &&
        !str_ieq(value, STR("8bit")) && !str_ieq(value, STR("7bit")))
        return err_set(e, RC_UNSUPPORTED, "Content-Transfer-Encoding '%.40s' is not supported",
                       value.p);
    return RC_OK;
}

static enum rc take_headers(struct multipart *m, struct part_head *h, struct err *e)
{
    size_t total = 0;
    struct err why = {0};
    str line;

    for (;;) {
        enum rc rc = peek_line(m, &line, e);
        if (rc)
            return rc;
        total += line.n + 2;
        if (total > MULTIPART_HEADER_MAX)
            return fail(m, e, RC_HEADERS, "its headers are too long");
        rc = line.n ? take_header(m, h, line, &why) : RC_OK;
        if (rc)
            return fail(m, e, rc, why.text);
        bool last = !line.n;
        consume(m, line.n + 2);
        if (last)
            break;
    }
    return h->disposed ? RC_OK : fail(m, e, RC_INVALID, "it has no Content-Disposition");
}

/* Behind a delimiter: "--" closes, white space and CRLF open a part. */
static enum rc after_delimiter(struct multipart *m, struct err *e)
{
    bool any = true;
    str line;

    while (m->n < 2 && any) {
        enum rc rc = more(m, &any, e);
        if (rc)
            return rc;
    }
    if (m->n >= 2 && !memcmp(m->w + m->from, "--", 2)) {
        m->state = AT_END;
        return RC_OK;
    }
    enum rc rc = peek_line(m, &line, e);
    if (rc)
        return rc;
    if (str_trim(line).n)
        return fail(m, e, RC_INVALID, "text behind a boundary");
    consume(m, line.n + 2);
    return RC_OK;
}

enum rc multipart_next(struct multipart *m, bool *ret_more, str *ret_name, str *ret_filename,
                       str *ret_type, struct err *e)
{
    struct part_head h = {0};
    enum rc rc = RC_OK;
    size_t n = 1;

    if (m->failed.rc)
        return err_set(e, m->failed.rc, "%s", m->failed.text);
    if (m->state == IN_PREAMBLE)
        rc = skip_preamble(m, e);
    while (!rc && m->state == IN_DATA && n) { /* what the caller did not read */
        char sink[4096];
        rc = multipart_read(m, sink, sizeof sink, &n, e);
    }
    if (!rc && m->state == AT_DELIMITER)
        rc = after_delimiter(m, e);
    if (!rc && m->state == AT_END) {
        *ret_more = false;
        return RC_OK;
    }
    if (rc)
        return rc;
    if (++m->parts > MULTIPART_PARTS_MAX)
        return fail(m, e, RC_LIMIT, "more parts than are allowed");
    memcpy(m->type, "text/plain", sizeof "text/plain"); /* RFC 7578, 4.4 */
    rc = take_headers(m, &h, e);
    if (rc)
        return rc;
    m->from -= 2; /* see open_data() */
    m->n += 2;
    m->clear = 0;
    m->opening = true;
    m->state = IN_DATA;
    *ret_more = true;
    *ret_name = str_of(m->name);
    *ret_filename = h.has_filename ? str_of(m->filename) : STR_NONE;
    *ret_type = str_of(m->type);
    return RC_OK;
}
