/* xml.c - see xml.h. */
#include "s3/xml.h"

void xml_init(struct xml *x, str in)
{
    *x = (struct xml){.in = in};
    buf_init(&x->text, XML_TEXT_MAX);
}

void xml_done(struct xml *x)
{
    buf_done(&x->text);
}

static enum rc broken(const struct xml *x, struct err *e, const char *what)
{
    int line = 1;

    for (size_t i = 0; i < x->at && i < x->in.n; i++)
        line += x->in.p[i] == '\n';
    return err_set(e, RC_INVALID, "line %d of the XML: %s", line, what);
}

static str rest_of(const struct xml *x)
{
    return str_sub(x->in, x->at, x->in.n);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Skips past `end`, which begins at the first `skip` bytes from here. */
static enum rc skip_past(struct xml *x, size_t skip, str end, struct err *e)
{
    ptrdiff_t k = str_find(str_sub(rest_of(x), skip, x->in.n), end);

    if (k < 0)
        return broken(x, e, "a comment, CDATA or instruction does not end");
    x->at += skip + (size_t)k + end.n;
    return RC_OK;
}

static void put_utf8(struct buf *out, uint32_t c)
{
    if (c < 0x80) {
        buf_putc(out, (char)c);
    } else if (c < 0x800) {
        buf_putc(out, (char)(0xc0 | c >> 6));
        buf_putc(out, (char)(0x80 | (c & 63)));
    } else if (c < 0x10000) {
        buf_putc(out, (char)(0xe0 | c >> 12));
        buf_putc(out, (char)(0x80 | (c >> 6 & 63)));
        buf_putc(out, (char)(0x80 | (c & 63)));
    } else {
        buf_putc(out, (char)(0xf0 | c >> 18));
        buf_putc(out, (char)(0x80 | (c >> 12 & 63)));
        buf_putc(out, (char)(0x80 | (c >> 6 & 63)));
        buf_putc(out, (char)(0x80 | (c & 63)));
    }
}

/* "#38" or "#x26"; 0 is no answer. */
static uint32_t char_ref(str s)
{
    unsigned base = s.n > 1 && s.p[1] == 'x' ? 16 : 10;
    uint32_t c = 0;

    s = str_sub(s, base == 16 ? 2 : 1, s.n);
    if (!s.n || s.n > 7)
        return 0;
    for (size_t i = 0; i < s.n; i++) {
        unsigned d = s.p[i] >= '0' && s.p[i] <= '9'   ? (unsigned)(s.p[i] - '0')
                     : s.p[i] >= 'a' && s.p[i] <= 'f' ? (unsigned)(s.p[i] - 'a') + 10
                     : s.p[i] >= 'A' && s.p[i] <= 'F' ? (unsigned)(s.p[i] - 'A') + 10
                                                      : 99;
        if (d >= base)
            return 0;
        c = c * base + d;
    }
    return c > 0x10ffff || (c >= 0xd800 && c < 0xe000) ? 0 : c;
}

static enum rc entity(struct xml *x, struct err *e)
{
    static const struct {
        const char *name;
        char c;
    } named[] = {{"amp", '&'}, {"lt", '<'}, {"gt", '>'}, {"quot", '"'}, {"apos", '\''}};
    str near = str_sub(rest_of(x), 1, 12), name;
    ptrdiff_t semicolon = str_chr(near, ';');
    uint32_t c = 0;

    if (semicolon < 1)
        return broken(x, e, "'&' without an entity");
    name = str_sub(near, 0, (size_t)semicolon);
    for (size_t i = 0; i < sizeof named / sizeof *named; i++)
        if (str_is(name, named[i].name))
            c = (uint32_t)named[i].c;
    if (name.p[0] == '#')
        c = char_ref(name);
    if (!c)
        return broken(x, e, "an unknown entity or character reference");
    put_utf8(&x->text, c);
    x->at += (size_t)semicolon + 2;
    return RC_OK;
}

/* Gathers text, CDATA and what stands around comments into x->text, up to the next tag. */
static enum rc gather(struct xml *x, struct err *e)
{
    enum rc rc = RC_OK;

    buf_clear(&x->text);
    while (!rc && x->at < x->in.n) {
        str r = rest_of(x);
        if (r.p[0] == '&') {
            rc = entity(x, e);
        } else if (r.p[0] != '<') {
            size_t n = 1;
            while (n < r.n && r.p[n] != '<' && r.p[n] != '&')
                n++;
            buf_add(&x->text, r.p, n);
            x->at += n;
        } else if (str_starts(r, STR("<![CDATA["))) {
            rc = skip_past(x, 9, STR("]]>"), e);
            if (!rc)
                buf_add(&x->text, r.p + 9, (size_t)(x->in.p + x->at - 3 - (r.p + 9)));
        } else if (str_starts(r, STR("<!--"))) {
            rc = skip_past(x, 4, STR("-->"), e);
        } else if (str_starts(r, STR("<?"))) {
            rc = skip_past(x, 2, STR("?>"), e);
        } else {
            break;
        }
    }
    if (!rc && x->text.rc)
        rc = err_set(e, RC_LIMIT, "a text of the XML is longer than %d bytes", XML_TEXT_MAX);
    return rc;
}

static enum rc tag_name(struct xml *x, size_t skip, str *ret, struct err *e)
{
    str r = str_sub(rest_of(x), skip, x->in.n);
    size_t n = 0;
    ptrdiff_t colon;

    while (n < r.n && !is_blank(r.p[n]) && r.p[n] != '>' && r.p[n] != '/' && r.p[n] != '<' &&
           r.p[n] != '=' && r.p[n] != '&')
        n++;
    if (!n || n > XML_NAME_MAX)
        return broken(x, e, "a tag without a (short) name");
    x->at += skip + n;
    *ret = str_sub(r, 0, n);
    colon = str_chr(*ret, ':');
    if (colon >= 0)
        *ret = str_sub(*ret, (size_t)colon + 1, n);
    return ret->n ? RC_OK : broken(x, e, "a tag without a name");
}

/* Moves to the '>' of a tag, over attributes whose quoted values may hold one. */
static enum rc tag_end(struct xml *x, bool *ret_empty, struct err *e)
{
    char quote = 0, last = 0;

    for (; x->at < x->in.n; x->at++) {
        char c = x->in.p[x->at];
        if (quote) {
            if (c == quote)
                quote = 0;
        } else if (c == '"' || c == '\'') {
            quote = c;
        } else if (c == '<') {
            return broken(x, e, "'<' inside a tag");
        } else if (c == '>') {
            x->at++;
            *ret_empty = last == '/';
            return RC_OK;
        }
        last = c;
    }
    return broken(x, e, "a tag does not end");
}

static enum rc open_tag(struct xml *x, struct err *e)
{
    enum rc rc;

    if (!x->depth && x->seen_root)
        return broken(x, e, "a second root element");
    if (x->depth == XML_DEPTH_MAX)
        return err_set(e, RC_LIMIT, "the XML is deeper than %d elements", XML_DEPTH_MAX);
    rc = tag_name(x, 1, &x->name, e);
    if (!rc)
        rc = tag_end(x, &x->empty_element, e);
    if (rc)
        return rc;
    x->seen_root = true;
    x->open[x->depth++] = x->name;
    return RC_OK;
}

static enum rc close_tag(struct xml *x, struct err *e)
{
    bool slash;
    enum rc rc = tag_name(x, 2, &x->name, e);

    if (!rc)
        rc = tag_end(x, &slash, e);
    if (rc)
        return rc;
    if (!x->depth || !str_eq(x->open[x->depth - 1], x->name))
        return broken(x, e, "a closing tag that closes nothing");
    x->depth--;
    return RC_OK;
}

enum rc xml_next(struct xml *x, enum xml_event *ret, struct err *e)
{
    str r;
    enum rc rc;

    if (x->empty_element) {
        x->empty_element = false;
        x->name = x->open[--x->depth];
        *ret = XML_CLOSE;
        return RC_OK;
    }
    rc = gather(x, e);
    if (rc)
        return rc;
    if (x->text.n && x->depth) {
        *ret = XML_TEXT;
        return RC_OK;
    }
    if (str_trim(buf_view(&x->text)).n)
        return broken(x, e, "text outside the root element");
    r = rest_of(x);
    if (!r.n) {
        if (x->depth || !x->seen_root)
            return broken(x, e, "the document is cut short");
        *ret = XML_END;
        return RC_OK;
    }
    if (str_starts(r, STR("<!")))
        return broken(x, e, "a DOCTYPE is not allowed");
    if (str_starts(r, STR("</"))) {
        rc = close_tag(x, e);
        if (!rc)
            *ret = XML_CLOSE;
    } else {
        rc = open_tag(x, e);
        if (!rc)
            *ret = XML_OPEN;
    }
    return rc;
}

enum rc xml_leaf(struct xml *x, str *ret, struct err *e)
{
    enum xml_event ev;
    enum rc rc = xml_next(x, &ev, e);

    if (!rc && ev == XML_CLOSE) {
        *ret = (str){"", 0};
        return RC_OK;
    }
    if (!rc && ev == XML_TEXT) {
        /* The next event is a tag, which leaves x->text alone only if no text precedes it: gather()
         * stopped at that tag, so look at it without gathering again. */
        str r = rest_of(x);
        if (!str_starts(r, STR("</")))
            return broken(x, e, "an element where text was expected");
        *ret = buf_view(&x->text);
        rc = close_tag(x, e);
    } else if (!rc) {
        rc = broken(x, e, "an element where text was expected");
    }
    return rc;
}

enum rc xml_skip(struct xml *x, struct err *e)
{
    unsigned target = x->depth - 1;
    enum xml_event ev;
    enum rc rc = RC_OK;

    while (!rc && x->depth > target)
        rc = xml_next(x, &ev, e);
    return rc;
}

void xml_escape(struct buf *out, str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == '&')
            buf_puts(out, "&amp;");
        else if (c == '<')
            buf_puts(out, "&lt;");
        else if (c == '>')
            buf_puts(out, "&gt;");
        else if (c == '"')
            buf_puts(out, "&quot;");
        else if (c < 0x20)
            buf_printf(out, "&#x%X;", c);
        else
            buf_putc(out, (char)c);
    }
}
