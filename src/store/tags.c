/* tags.c - see tags.h. */
#include "store/tags.h"

#include "s3/sigv4.h"
#include "s3/xml.h"

struct set {
    struct buf *out; /* the text as kept */
    size_t n, max;
    struct sigv4_pair seen[TAGS_BUCKET_MAX];
};

/* Characters, not bytes: limits are told in them. */
static size_t characters(str s)
{
    size_t n = 0;

    for (size_t i = 0; i < s.n; i++)
        n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
    return n;
}

static enum rc add(struct set *set, str name, str value, struct err *e)
{
    if (!name.n || characters(name) > TAG_NAME_MAX || characters(value) > TAG_VALUE_MAX ||
        !str_utf8_ok(name) || (value.n && !str_utf8_ok(value)))
        return err_set(e, RC_INVALID,
                       "a tag has a name of 1 to %d and a value of at most %d characters",
                       TAG_NAME_MAX, TAG_VALUE_MAX);
    if (set->n == set->max)
        return err_set(e, RC_INVALID, "more than %zu tags", set->max);
    for (size_t i = 0; i < set->n; i++)
        if (str_eq(set->seen[i].name, name))
            return err_set(e, RC_INVALID, "the tag '%.*s' stands there twice",
                           STR_F(str_sub(name, 0, 64)));
    set->seen[set->n].name = name;
    if (set->n++)
        buf_putc(set->out, '&');
    sigv4_encode(set->out, name, false);
    buf_putc(set->out, '=');
    sigv4_encode(set->out, value, false);
    return buf_ok(set->out, e);
}

static enum rc finish(struct arena *a, struct buf *b, enum rc rc, str *ret, struct err *e)
{
    str s;

    if (!rc) {
        s = arena_str(a, buf_view(b));
        if (!s.p)
            rc = err_set(e, RC_NOMEM, "out of memory");
        else
            *ret = s;
    }
    buf_done(b);
    return rc;
}

enum rc tags_of_query(struct arena *a, str query, str *ret, struct err *e)
{
    struct buf b;
    struct set set = {.out = &b, .max = TAGS_OBJECT_MAX};
    struct sigv4_pair *p;
    size_t n;
    enum rc rc = sigv4_query(a, query, &p, &n, e);

    if (rc)
        return rc == RC_NOMEM ? rc : err_set(e, RC_INVALID, "the tags are not encoded as a query");
    buf_init(&b, 64 << 10);
    for (size_t i = 0; !rc && i < n; i++)
        rc = add(&set, p[i].name, p[i].value, e);
    return finish(a, &b, rc, ret, e);
}

static enum rc read_tag(struct arena *a, struct xml *x, struct set *set, bool *bad, struct err *e)
{
    str name = STR_NONE, value = STR_NONE, s;
    enum xml_event ev;
    enum rc rc;

    while (!(rc = xml_next(x, &ev, e)) && ev != XML_CLOSE) {
        str *to = str_is(x->name, "Key") ? &name : str_is(x->name, "Value") ? &value : NULL;
        if (ev != XML_OPEN)
            continue;
        if (!to || to->p)
            return err_set(e, RC_INVALID, "a <Tag> has one <Key> and one <Value>");
        rc = xml_leaf(x, &s, e);
        if (rc)
            return rc;
        *to = arena_str(a, s);
        if (!to->p)
            return err_set(e, RC_NOMEM, "out of memory");
    }
    if (!rc && (!name.p || !value.p))
        rc = err_set(e, RC_INVALID, "a <Tag> has one <Key> and one <Value>");
    if (rc)
        return rc;
    *bad = false;
    rc = add(set, name, value, e);
    *bad = !rc;
    return rc;
}

enum rc tags_of_xml(struct arena *a, str xml, size_t max, str *ret, bool *ret_xml, struct err *e)
{
    struct buf b;
    struct set set = {.out = &b, .max = max};
    struct xml x;
    enum xml_event ev;
    bool bad = true;
    unsigned sets = 0;
    enum rc rc;

    xml_init(&x, xml);
    buf_init(&b, 256 << 10);
    rc = xml_next(&x, &ev, e);
    if (!rc && !str_is(x.name, "Tagging"))
        rc = err_set(e, RC_INVALID, "<Tagging> was expected");
    while (!rc && !(rc = xml_next(&x, &ev, e)) && ev != XML_END) {
        if (ev != XML_OPEN)
            continue;
        if (str_is(x.name, "TagSet"))
            rc = sets++ ? err_set(e, RC_INVALID, "two of <TagSet>") : RC_OK;
        else if (sets && str_is(x.name, "Tag"))
            rc = read_tag(a, &x, &set, &bad, e);
        else
            rc = err_set(e, RC_INVALID, "<TagSet> with elements <Tag> was expected");
    }
    if (!rc && !sets)
        rc = err_set(e, RC_INVALID, "<TagSet> is missing");
    xml_done(&x);
    *ret_xml = bad && rc != RC_NOMEM;
    return finish(a, &b, rc, ret, e);
}

void tags_xml(struct arena *a, str tags, struct buf *out)
{
    struct sigv4_pair *p;
    size_t n = 0;

    buf_puts(out, "<TagSet>");
    if (!sigv4_query(a, tags, &p, &n, NULL))
        for (size_t i = 0; i < n; i++) {
            buf_puts(out, "<Tag><Key>");
            xml_escape(out, p[i].name);
            buf_puts(out, "</Key><Value>");
            xml_escape(out, p[i].value);
            buf_puts(out, "</Value></Tag>");
        }
    buf_puts(out, "</TagSet>");
}

size_t tags_count(str tags)
{
    size_t n = tags.n > 0;

    for (size_t i = 0; i < tags.n; i++)
        n += tags.p[i] == '&';
    return n;
}

bool tags_have(str tags, str name, str value)
{
    str one;

    while (str_next(&tags, '&', &one))
        if (one.n == name.n + 1 + value.n && str_starts(one, name) && one.p[name.n] == '=' &&
            str_ends(one, value))
            return true;
    return false;
}
