/* yaml.c - see yaml.h. */
#include "flow/dataset/yaml.h"

struct reader {
    struct yaml *out;
    struct arena *a;
    struct err *e;
    int line;
};

static enum rc add(struct reader *r, str key, str index, str value)
{
    struct yaml_item it = {key, index, value, r->line};

    if (r->out->items.n >= YAML_ITEMS_MAX)
        return err_set(r->e, RC_CORRUPT, "line %d: more than %d entries", r->line, YAML_ITEMS_MAX);
    return VEC_PUSH(&r->out->items, it) ? RC_OK
                                        : err_set(r->e, RC_NOMEM, "no memory for a YAML file");
}

/* Bytes of the scalar at the start of s: a quoted string, or up to one of `ends` or a comment. */
static enum rc scalar(struct reader *r, str s, const char *ends, str *ret, size_t *ret_used)
{
    char q = s.n ? s.p[0] : 0;
    size_t i = 0;

    if (q == '"' || q == '\'') {
        char *to = arena_alloc(r->a, s.n + 1);
        size_t n = 0;
        if (!to)
            return err_set(r->e, RC_NOMEM, "no memory for a YAML file");
        for (i = 1; i < s.n && (s.p[i] != q || (q == '\'' && i + 1 < s.n && s.p[i + 1] == q));
             i++) {
            if ((q == '"' && s.p[i] == '\\' && i + 1 < s.n) || s.p[i] == q)
                i++;
            to[n++] = s.p[i];
        }
        if (i >= s.n)
            return err_set(r->e, RC_CORRUPT, "line %d: a quote is not closed", r->line);
        *ret = (str){to, n};
        *ret_used = i + 1;
        return RC_OK;
    }
    while (i < s.n && !strchr(ends, s.p[i]) && s.p[i] &&
           !(s.p[i] == '#' && (!i || s.p[i - 1] == ' ' || s.p[i - 1] == '\t')))
        i++;
    *ret = str_trim(str_sub(s, 0, i));
    *ret_used = i;
    return RC_OK;
}

/* "[a, 'b', c]" or "{0: a, 1: b}", on one line or continued on the next ones. */
static enum rc inline_list(struct reader *r, str key, str *s, str *rest)
{
    char close = s->p[0] == '[' ? ']' : '}';
    str index = STR_NONE, value;
    size_t used;

    *s = str_sub(*s, 1, s->n);
    for (;;) {
        *s = str_trim(*s);
        if (!s->n || s->p[0] == '#') {
            if (!str_line(rest, s))
                return err_set(r->e, RC_CORRUPT, "line %d: '%c' is missing", r->line, close);
            r->line++;
            continue;
        }
        if (s->p[0] == close)
            return RC_OK;
        if (s->p[0] == ',') {
            *s = str_sub(*s, 1, s->n);
            continue;
        }
        enum rc rc = scalar(r, *s, close == '}' ? ",:}" : ",]", &value, &used);
        if (rc)
            return rc;
        *s = str_trim(str_sub(*s, used, s->n));
        if (close == '}' && s->n && s->p[0] == ':') {
            index = value;
            *s = str_sub(*s, 1, s->n);
            continue;
        }
        if (!used)
            return err_set(r->e, RC_CORRUPT, "line %d: not understood", r->line);
        rc = add(r, key, index, value);
        if (rc)
            return rc;
        index = STR_NONE;
    }
}

/* What stands behind "key:" or "- " on the line. */
static enum rc value_of(struct reader *r, str key, str index, str v, str *rest)
{
    str text;
    size_t used;

    v = str_trim(v);
    if (!v.n || v.p[0] == '#')
        return RC_OK;
    if (v.p[0] == '[' || v.p[0] == '{')
        return inline_list(r, key, &v, rest);
    enum rc rc = scalar(r, v, "", &text, &used);
    return rc ? rc : add(r, key, index, text);
}

/* "key: ..." -> key, behind; false if the line is none. */
static bool split_key(str line, str *ret_key, str *ret_behind)
{
    for (size_t i = 0; i < line.n; i++) {
        if (line.p[i] == '#' || line.p[i] == '[' || line.p[i] == '{')
            return false;
        if (line.p[i] == ':' &&
            (i + 1 == line.n || line.p[i + 1] == ' ' || line.p[i + 1] == '\t')) {
            str k = str_trim(str_sub(line, 0, i));
            if (k.n >= 2 && (k.p[0] == '"' || k.p[0] == '\'') && k.p[k.n - 1] == k.p[0])
                k = str_sub(k, 1, k.n - 2);
            *ret_key = k;
            *ret_behind = str_sub(line, i + 1, line.n);
            return true;
        }
    }
    return false;
}

static enum rc read_line(struct reader *r, str raw, str *key, str *rest)
{
    str line = str_trim(raw), k, behind;
    bool top = raw.n && raw.p[0] != ' ' && raw.p[0] != '\t';

    if (!line.n || line.p[0] == '#' || str_is(line, "---") || str_is(line, "..."))
        return RC_OK;
    if (line.p[0] == '-' && (line.n == 1 || line.p[1] == ' '))
        return key->p ? value_of(r, *key, STR_NONE, str_sub(line, 1, line.n), rest)
                      : err_set(r->e, RC_CORRUPT, "line %d: a list without a key", r->line);
    if (!split_key(line, &k, &behind))
        return err_set(r->e, RC_CORRUPT, "line %d: '%.*s' is not understood", r->line,
                       STR_F(str_sub(line, 0, 80)));
    if (!top && key->p)
        return value_of(r, *key, k, behind, rest);
    *key = k;
    return value_of(r, k, STR_NONE, behind, rest);
}

enum rc yaml_read(struct yaml *ret, struct arena *a, str text, struct err *e)
{
    struct yaml y = {0};
    struct reader r = {&y, a, e, 0};
    str key = STR_NONE, raw, rest = text;
    enum rc rc = RC_OK;

    if (str_starts(rest, STR("\xef\xbb\xbf")))
        rest = str_sub(rest, 3, rest.n);
    while (!rc && str_line(&rest, &raw)) {
        r.line++;
        rc = read_line(&r, raw, &key, &rest);
    }
    if (rc)
        yaml_done(&y);
    else
        *ret = y;
    return rc;
}

void yaml_done(struct yaml *y)
{
    VEC_DONE(&y->items);
}
