/* cors.c - see cors.h. */
#include "store/cors.h"

#include "base/arena.h"
#include "base/mem.h"
#include "s3/xml.h"
#include "store/policy.h"

enum { LIST_MAX = 100 };

struct texts {
    str p[LIST_MAX];
    size_t n;
};
struct rule {
    struct texts origins, headers;
    bool method[5];
    struct cors_answer answer;
    struct rule *next;
};
struct cors {
    struct arena a;
    struct rule *first;
    size_t rules;
};

static const char *const methods[] = {"GET", "PUT", "POST", "DELETE", "HEAD"};

static enum rc take(struct cors *c, struct xml *x, str *ret, struct err *e)
{
    str s;
    enum rc rc = xml_leaf(x, &s, e);

    if (rc)
        return rc;
    *ret = arena_str(&c->a, str_trim(s));
    return ret->p ? RC_OK : err_set(e, RC_NOMEM, "out of memory");
}

/* A pattern with at most one '*'. */
static enum rc add(struct cors *c, struct xml *x, struct texts *to, struct err *e)
{
    str *s;
    ptrdiff_t star;
    enum rc rc;

    if (to->n == LIST_MAX)
        return err_set(e, RC_INVALID, "more than %d elements of one kind in a rule", LIST_MAX);
    s = &to->p[to->n];
    rc = take(c, x, s, e);
    if (rc)
        return rc;
    star = str_chr(*s, '*');
    if (!s->n || (star >= 0 && str_chr(str_sub(*s, (size_t)star + 1, s->n), '*') >= 0))
        return err_set(e, RC_INVALID, "an origin or header is empty, or has more than one '*'");
    for (size_t i = 0; i < s->n; i++)
        if ((unsigned char)s->p[i] <= ' ' || (unsigned char)s->p[i] >= 0x7f || s->p[i] == ',')
            return err_set(e, RC_INVALID, "an origin or header holds a character that none has");
    to->n++;
    return RC_OK;
}

static enum rc add_method(struct cors *c, struct xml *x, struct rule *r, struct err *e)
{
    str s;
    enum rc rc = take(c, x, &s, e);

    for (size_t i = 0; !rc && i < sizeof methods / sizeof *methods; i++)
        if (str_is(s, methods[i])) {
            r->method[i] = true;
            return RC_OK;
        }
    return rc ? rc : err_set(e, RC_INVALID, "'%.*s' is no AllowedMethod", STR_F(str_sub(s, 0, 32)));
}

static enum rc join(struct cors *c, const struct texts *t, str *ret, struct err *e)
{
    struct buf b;
    enum rc rc;

    buf_init(&b, CORS_BYTES_MAX);
    for (size_t i = 0; i < t->n; i++)
        buf_printf(&b, "%s%.*s", i ? ", " : "", STR_F(t->p[i]));
    rc = buf_ok(&b, e);
    if (!rc) {
        *ret = arena_str(&c->a, buf_view(&b));
        if (!ret->p)
            rc = err_set(e, RC_NOMEM, "out of memory");
    }
    buf_done(&b);
    return rc;
}

static enum rc read_member(struct cors *c, struct xml *x, struct rule *r, struct texts *exposed,
                           struct err *e)
{
    str s;
    uint64_t age;
    enum rc rc;

    if (str_is(x->name, "AllowedOrigin"))
        return add(c, x, &r->origins, e);
    if (str_is(x->name, "AllowedHeader"))
        return add(c, x, &r->headers, e);
    if (str_is(x->name, "ExposeHeader"))
        return add(c, x, exposed, e);
    if (str_is(x->name, "AllowedMethod"))
        return add_method(c, x, r, e);
    if (str_is(x->name, "ID"))
        return take(c, x, &s, e);
    if (!str_is(x->name, "MaxAgeSeconds"))
        return err_set(e, RC_INVALID, "<%.*s> is no part of a CORS rule",
                       STR_F(str_sub(x->name, 0, 64)));
    rc = take(c, x, &s, e);
    if (!rc && (!str_u64(s, &age) || age > INT32_MAX))
        rc = err_set(e, RC_INVALID, "MaxAgeSeconds is not a number of seconds");
    if (!rc)
        r->answer.max_age_s = (int64_t)age;
    return rc;
}

static enum rc read_rule(struct cors *c, struct xml *x, struct rule *r, struct err *e)
{
    struct texts allowed = {.n = 0}, *exposed = ARENA_NEW(&c->a, struct texts);
    enum xml_event ev;
    enum rc rc = exposed ? RC_OK : err_set(e, RC_NOMEM, "out of memory");

    r->answer.max_age_s = -1;
    while (!rc && !(rc = xml_next(x, &ev, e)) && ev != XML_CLOSE)
        if (ev == XML_OPEN)
            rc = read_member(c, x, r, exposed, e);
    for (size_t i = 0; !rc && i < sizeof methods / sizeof *methods; i++)
        if (r->method[i])
            allowed.p[allowed.n++] = str_of(methods[i]);
    if (!rc && (!r->origins.n || !allowed.n))
        rc = err_set(e, RC_INVALID, "a CORS rule needs AllowedOrigin and AllowedMethod");
    if (!rc)
        rc = join(c, &allowed, &r->answer.methods, e);
    return rc ? rc : join(c, exposed, &r->answer.headers, e);
}

static enum rc read_all(struct cors *c, struct xml *x, struct err *e)
{
    struct rule **tail = &c->first;
    enum xml_event ev;
    enum rc rc = xml_next(x, &ev, e);

    if (!rc && !str_is(x->name, "CORSConfiguration"))
        rc = err_set(e, RC_INVALID, "<CORSConfiguration> was expected");
    while (!rc && !(rc = xml_next(x, &ev, e)) && ev != XML_END) {
        if (ev != XML_OPEN)
            continue;
        if (!str_is(x->name, "CORSRule"))
            return err_set(e, RC_INVALID, "<CORSRule> was expected");
        if (c->rules++ == CORS_RULES_MAX)
            return err_set(e, RC_INVALID, "more than %d CORS rules", CORS_RULES_MAX);
        *tail = ARENA_NEW(&c->a, struct rule);
        if (!*tail)
            return err_set(e, RC_NOMEM, "out of memory");
        rc = read_rule(c, x, *tail, e);
        tail = &(*tail)->next;
    }
    if (!rc && !c->rules)
        rc = err_set(e, RC_INVALID, "a CORS configuration needs a CORSRule");
    return rc;
}

enum rc cors_new(struct cors **ret, str xml, struct err *e)
{
    struct cors *c;
    struct xml x;
    enum rc rc;

    if (xml.n > CORS_BYTES_MAX)
        return err_set(e, RC_INVALID, "a CORS configuration has at most %d bytes", CORS_BYTES_MAX);
    c = mem_zalloc(sizeof *c);
    if (!c)
        return err_set(e, RC_NOMEM, "out of memory");
    arena_init(&c->a, 4 << 20);
    xml_init(&x, xml);
    rc = read_all(c, &x, e);
    xml_done(&x);
    if (rc) {
        cors_free(c);
        return rc == RC_NOMEM ? rc : err_set(e, RC_INVALID, "%s", e ? e->text : "");
    }
    *ret = c;
    return RC_OK;
}

void cors_free(struct cors *c)
{
    if (!c)
        return;
    arena_done(&c->a);
    mem_free(c);
}

/* ---- matching */

static bool listed(const struct texts *t, str s, bool fold)
{
    for (size_t i = 0; i < t->n; i++)
        if (wildcard_match(t->p[i], s, fold))
            return true;
    return false;
}

static bool headers_allowed(const struct rule *r, str headers)
{
    str one;

    while (str_next(&headers, ',', &one)) {
        one = str_trim(one);
        if (one.n && !listed(&r->headers, one, true))
            return false;
    }
    return true;
}

bool cors_match(const struct cors *c, str origin, str method, str headers, struct cors_answer *ret)
{
    size_t m = 0;

    while (m < sizeof methods / sizeof *methods && !str_is(method, methods[m]))
        m++;
    if (m == sizeof methods / sizeof *methods || !origin.n)
        return false;
    for (const struct rule *r = c ? c->first : NULL; r; r = r->next) {
        if (!r->method[m] || !listed(&r->origins, origin, false) || !headers_allowed(r, headers))
            continue;
        *ret = r->answer;
        for (size_t i = 0; i < r->origins.n; i++)
            ret->any_origin |= str_is(r->origins.p[i], "*");
        return true;
    }
    return false;
}
