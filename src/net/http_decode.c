/* http_decode.c - see http_decode.h.  Everything here reads bytes a stranger wrote: lengths are
 * bounded by the header limit of the server, counts by HTTP_PAIRS_MAX. */
#include "net/http_decode.h"

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

enum rc http_percent_decode(struct arena *a, str s, bool plus_is_space, str *ret, struct err *e)
{
    char *out = arena_cstr(a, s);
    const char *first = out && s.n ? memchr(out, '%', s.n) : NULL;
    size_t n = first ? (size_t)(first - out) : s.n;

    if (!out)
        return err_set(e, RC_NOMEM, "no memory for the request");
    first = plus_is_space && n ? memchr(out, '+', n) : NULL;
    if (first) /* what stands before is as it should be, in most cases all */
        n = (size_t)(first - out);
    for (size_t i = n; i < s.n; i++) {
        char c = s.p[i];
        if (c == '%') {
            bool whole = s.n - i > 2;
            int hi = whole ? hex_digit(s.p[i + 1]) : -1;
            int lo = whole ? hex_digit(s.p[i + 2]) : -1;
            if (hi < 0 || lo < 0)
                return err_set(e, RC_INVALID,
                               "'%%' at byte %zu is not followed by two hexadecimal digits", i);
            if (!hi && !lo)
                return err_set(e, RC_INVALID, "%%00 is not allowed in a request target");
            c = (char)(hi * 16 + lo);
            i += 2;
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        out[n++] = c;
    }
    out[n] = 0;
    *ret = (str){out, n};
    return RC_OK;
}

enum rc http_split_target(struct arena *a, str target, str *ret_path, str *ret_query,
                          struct err *e)
{
    str path = target, query = STR_NONE, decoded;

    if (str_starts(path, STR("http://")) || str_starts(path, STR("https://"))) {
        ptrdiff_t authority = str_find(path, STR("://")) + 3;
        str rest = str_sub(path, (size_t)authority, path.n);
        size_t i = 0;
        while (i < rest.n && rest.p[i] != '/' && rest.p[i] != '?')
            i++;
        path = i < rest.n && rest.p[i] == '/' ? str_sub(rest, i, rest.n) : STR("/");
        if (i < rest.n && rest.p[i] == '?')
            query = str_sub(rest, i + 1, rest.n);
    }
    ptrdiff_t mark = str_chr(path, '?');
    if (mark >= 0) {
        query = str_sub(path, (size_t)mark + 1, path.n);
        path = str_sub(path, 0, (size_t)mark);
    }
    if (!str_starts(path, STR("/")) && !str_is(path, "*"))
        return err_set(e, RC_INVALID, "the request target has to start with '/'");
    enum rc rc = http_percent_decode(a, path, false, &decoded, e);
    if (rc)
        return rc;
    *ret_path = decoded;
    *ret_query = query.p ? query : STR("");
    return RC_OK;
}

/* Room for as many pairs as the text has separators. */
static enum rc pairs_room(struct arena *a, str text, char sep, struct http_pairs *ret,
                          struct err *e)
{
    size_t count = 1;

    for (size_t i = 0; i < text.n; i++)
        count += text.p[i] == sep;
    if (count > HTTP_PAIRS_MAX)
        return err_set(e, RC_HEADERS, "more than %d fields in one list", HTTP_PAIRS_MAX);
    ret->p = ARENA_ARRAY(a, struct http_pair, count);
    ret->n = 0;
    return ret->p ? RC_OK : err_set(e, RC_NOMEM, "no memory for the request");
}

enum rc http_parse_query(struct arena *a, str query, struct http_pairs *ret, struct err *e)
{
    struct http_pairs out = {0};
    str rest = query, piece;
    enum rc rc = query.n ? pairs_room(a, query, '&', &out, e) : RC_OK;

    while (!rc && query.n && str_next(&rest, '&', &piece)) {
        if (!piece.n)
            continue;
        ptrdiff_t eq = str_chr(piece, '=');
        str name = eq < 0 ? piece : str_sub(piece, 0, (size_t)eq);
        str value = eq < 0 ? STR("") : str_sub(piece, (size_t)eq + 1, piece.n);
        struct http_pair *pair = &out.p[out.n];

        rc = http_percent_decode(a, name, true, &pair->name, e);
        if (!rc)
            rc = http_percent_decode(a, value, true, &pair->value, e);
        if (!rc)
            out.n++;
    }
    if (!rc)
        *ret = out;
    return rc;
}

enum rc http_parse_cookies(struct arena *a, str header, struct http_pairs *ret, struct err *e)
{
    struct http_pairs out = {0};
    str rest = header, piece;
    enum rc rc = header.n ? pairs_room(a, header, ';', &out, e) : RC_OK;

    while (!rc && header.n && str_next(&rest, ';', &piece)) {
        piece = str_trim(piece);
        ptrdiff_t eq = str_chr(piece, '=');
        if (eq <= 0)
            continue;
        str name = str_sub(piece, 0, (size_t)eq);
        str value = str_sub(piece, (size_t)eq + 1, piece.n);

        if (value.n >= 2 && value.p[0] == '"' && value.p[value.n - 1] == '"')
            value = str_sub(value, 1, value.n - 2);
        if (http_token_ok(name))
            out.p[out.n++] = (struct http_pair){name, value};
    }
    if (!rc)
        *ret = out;
    return rc;
}

static bool token_char(char c)
{
    static const char marks[] = "!#$%&'*+-.^_`|~";
    if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
        return true;
    return c && memchr(marks, c, sizeof marks - 1);
}

bool http_token_ok(str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!token_char(s.p[i]))
            return false;
    return s.n > 0;
}

bool http_field_value_ok(str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (((unsigned char)s.p[i] < 0x20 && s.p[i] != '\t') || s.p[i] == 0x7f)
            return false;
    return true;
}

/* A quoted-string whose opening quote is s.p[*at]; leaves *at behind the closing one.  Only \" and
 * \\ are escapes: browsers send Windows paths with bare backslashes. */
static enum rc unquote(struct arena *a, str s, size_t *at, str *ret, struct err *e)
{
    char *out = arena_alloc(a, s.n + 1);
    size_t i = *at + 1, n = 0;

    if (!out)
        return err_set(e, RC_NOMEM, "no memory for the request");
    while (i < s.n && s.p[i] != '"') {
        if (s.p[i] == '\\' && i + 1 < s.n && (s.p[i + 1] == '"' || s.p[i + 1] == '\\'))
            i++;
        out[n++] = s.p[i++];
    }
    if (i >= s.n)
        return err_set(e, RC_INVALID, "a quoted string in a header does not end");
    out[n] = 0;
    *at = i + 1;
    *ret = (str){out, n};
    return RC_OK;
}

enum rc http_header_param(struct arena *a, str header, const char *name, str *ret, struct err *e)
{
    str found = STR_NONE;
    size_t i = 0;

    while (i < header.n && header.p[i] != ';')
        i++;
    while (i < header.n) {
        i++; /* the ';' */
        while (i < header.n && (header.p[i] == ' ' || header.p[i] == '\t'))
            i++;
        size_t from = i;
        while (i < header.n && token_char(header.p[i]))
            i++;
        str key = str_sub(header, from, i - from), value = STR_NONE;
        if (i >= header.n && !key.n)
            break; /* a trailing ';' */
        if (!key.n || i >= header.n || header.p[i] != '=')
            return err_set(e, RC_INVALID, "a header parameter is not of the form name=value");
        i++;
        if (i < header.n && header.p[i] == '"') {
            enum rc rc = unquote(a, header, &i, &value, e);
            if (rc)
                return rc;
        } else {
            from = i;
            while (i < header.n && header.p[i] != ';')
                i++;
            value = str_trim(str_sub(header, from, i - from));
        }
        while (i < header.n && (header.p[i] == ' ' || header.p[i] == '\t'))
            i++;
        if (i < header.n && header.p[i] != ';')
            return err_set(e, RC_INVALID, "text after the value of a header parameter");
        if (!found.p && str_ieq(key, str_of(name)))
            found = value.p ? value : STR("");
    }
    *ret = found;
    return RC_OK;
}

str http_pairs_get(const struct http_pairs *p, str name, bool fold)
{
    for (size_t i = 0; i < p->n; i++)
        if (fold ? str_ieq(p->p[i].name, name) : str_eq(p->p[i].name, name))
            return p->p[i].value.p ? p->p[i].value : STR("");
    return STR_NONE;
}

bool http_list_has(str list, const char *token)
{
    str rest = list, piece;

    while (rest.p && str_next(&rest, ',', &piece))
        if (str_ieq(str_trim(piece), str_of(token)))
            return true;
    return false;
}
