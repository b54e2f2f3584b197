/* lifecycle.c - see lifecycle.h. */
#include "store/lifecycle.h"

#include "base/buf.h"
#include "base/utc.h"
#include "s3/sigv4.h"
#include "s3/xml.h"
#include "store/store.h"
#include "store/tags.h"

#define DAY_MS (INT64_C(86400) * 1000)

bool lifecycle_due(int64_t since_ms, uint32_t days, int64_t now_ms)
{
    int64_t due = since_ms + (int64_t)days * DAY_MS;

    due = (due + DAY_MS - 1) / DAY_MS * DAY_MS;
    return now_ms >= due;
}

bool lifecycle_fits(const struct lifecycle_rule *r, str tags, uint64_t bytes)
{
    if (bytes <= r->bytes_above && r->bytes_above)
        return false;
    if (r->bytes_below && bytes >= r->bytes_below)
        return false;
    for (size_t i = 0; i < r->tag_n; i++)
        if (!tags_have(tags, r->tags[i], r->values[i]))
            return false;
    return true;
}

/* ---- reading */

struct reader {
    struct arena *a;
    struct xml x;
    struct lifecycle_rule *r;
};

static enum rc bad(struct err *e, const char *what)
{
    return err_set(e, RC_INVALID, "%s", what);
}

static enum rc odd(const struct reader *d, const char *in, struct err *e)
{
    return err_set(e, RC_INVALID, "<%.*s> is no part of <%s>", STR_F(str_sub(d->x.name, 0, 64)),
                   in);
}

static enum rc text(struct reader *d, str *ret, struct err *e)
{
    str s, copy;
    enum rc rc = xml_leaf(&d->x, &s, e);

    if (rc)
        return rc;
    copy = arena_str(d->a, str_trim(s));
    if (!copy.p)
        return err_set(e, RC_NOMEM, "out of memory");
    *ret = copy;
    return RC_OK;
}

static enum rc number(struct reader *d, uint64_t max, uint64_t *ret, struct err *e)
{
    str s;
    uint64_t v;
    enum rc rc = text(d, &s, e);

    if (rc)
        return rc;
    if (!str_u64(s, &v) || v > max)
        return bad(e, "a number of the lifecycle configuration is none, or too large");
    *ret = v;
    return RC_OK;
}

static enum rc days(struct reader *d, uint32_t *ret, struct err *e)
{
    uint64_t v = 0;
    enum rc rc = number(d, 36500, &v, e);

    if (!rc && !v)
        rc = bad(e, "a number of days is at least 1");
    if (!rc)
        *ret = (uint32_t)v;
    return rc;
}

/* Midnight, as S3 has it, with a time of day or without. */
static enum rc date(struct reader *d, int64_t *ret, struct err *e)
{
    struct utc u;
    bool time;
    str s;
    enum rc rc = text(d, &s, e);

    if (rc)
        return rc;
    if (!utc_read(s, &u, &time) || u.hour || u.minute || u.second)
        return bad(e, "a Date of the lifecycle configuration is YYYY-MM-DD at midnight");
    *ret = utc_seconds(&u) * 1000;
    return *ret > 0 ? RC_OK : bad(e, "a Date of the lifecycle configuration is too early");
}

static enum rc encoded(struct reader *d, str s, str *ret, struct err *e)
{
    struct buf b;
    enum rc rc;

    buf_init(&b, 4096);
    sigv4_encode(&b, s, false);
    rc = buf_ok(&b, e);
    if (!rc) {
        *ret = arena_str(d->a, buf_view(&b));
        if (!ret->p)
            rc = err_set(e, RC_NOMEM, "out of memory");
    }
    buf_done(&b);
    return rc;
}

static enum rc read_tag(struct reader *d, struct err *e)
{
    struct lifecycle_rule *r = d->r;
    str name = STR_NONE, value = STR(""), raw;
    enum xml_event ev;
    enum rc rc;

    if (r->tag_n == LIFECYCLE_TAGS_MAX)
        return bad(e, "too many tags in a filter");
    while (!(rc = xml_next(&d->x, &ev, e)) && ev != XML_CLOSE) {
        bool key = str_is(d->x.name, "Key");
        if (ev != XML_OPEN)
            continue;
        if (!key && !str_is(d->x.name, "Value"))
            return odd(d, "Tag", e);
        rc = text(d, &raw, e);
        if (!rc)
            rc = encoded(d, raw, key ? &name : &value, e);
        if (rc)
            return rc;
    }
    if (!rc && !name.n)
        rc = bad(e, "a Tag needs a Key");
    if (rc)
        return rc;
    r->tags[r->tag_n] = name;
    r->values[r->tag_n++] = value;
    return RC_OK;
}

static enum rc read_prefix(struct reader *d, struct err *e)
{
    str s;
    enum rc rc = xml_leaf(&d->x, &s, e); /* blanks of a prefix are its own */

    if (rc)
        return rc;
    if (s.n > STORE_KEY_BYTES_MAX)
        return bad(e, "a Prefix is longer than a key");
    d->r->prefix = arena_str(d->a, s);
    return d->r->prefix.p ? RC_OK : err_set(e, RC_NOMEM, "out of memory");
}

/* <Filter> and, inside it, <And>. */
static enum rc read_filter(struct reader *d, bool in_and, struct err *e)
{
    enum xml_event ev;
    enum rc rc;

    while (!(rc = xml_next(&d->x, &ev, e)) && ev != XML_CLOSE) {
        if (ev != XML_OPEN)
            continue;
        if (str_is(d->x.name, "Prefix"))
            rc = read_prefix(d, e);
        else if (str_is(d->x.name, "Tag"))
            rc = read_tag(d, e);
        else if (str_is(d->x.name, "ObjectSizeGreaterThan"))
            rc = number(d, INT64_MAX, &d->r->bytes_above, e);
        else if (str_is(d->x.name, "ObjectSizeLessThan"))
            rc = number(d, INT64_MAX, &d->r->bytes_below, e);
        else if (!in_and && str_is(d->x.name, "And"))
            rc = read_filter(d, true, e);
        else
            rc = odd(d, "Filter", e);
        if (rc)
            return rc;
    }
    return rc;
}

static enum rc read_expiration(struct reader *d, struct err *e)
{
    enum xml_event ev;
    str s;
    enum rc rc;

    while (!(rc = xml_next(&d->x, &ev, e)) && ev != XML_CLOSE) {
        if (ev != XML_OPEN)
            continue;
        if (str_is(d->x.name, "Days")) {
            rc = days(d, &d->r->days, e);
        } else if (str_is(d->x.name, "Date")) {
            rc = date(d, &d->r->date_ms, e);
        } else if (str_is(d->x.name, "ExpiredObjectDeleteMarker")) {
            rc = text(d, &s, e);
            d->r->expired_markers = !rc && str_is(s, "true");
        } else {
            rc = odd(d, "Expiration", e);
        }
        if (rc)
            return rc;
    }
    if (!rc && (d->r->days != 0) + (d->r->date_ms != 0) + d->r->expired_markers != 1)
        rc = bad(e, "Expiration has one of Days, Date and ExpiredObjectDeleteMarker");
    return rc;
}

static enum rc read_noncurrent(struct reader *d, struct err *e)
{
    enum xml_event ev;
    uint64_t kept = 0;
    enum rc rc;

    while (!(rc = xml_next(&d->x, &ev, e)) && ev != XML_CLOSE) {
        if (ev != XML_OPEN)
            continue;
        if (str_is(d->x.name, "NoncurrentDays"))
            rc = days(d, &d->r->noncurrent_days, e);
        else if (str_is(d->x.name, "NewerNoncurrentVersions"))
            rc = number(d, 100, &kept, e);
        else
            rc = odd(d, "NoncurrentVersionExpiration", e);
        if (rc)
            return rc;
    }
    d->r->noncurrent_kept = (uint32_t)kept;
    if (!rc && !d->r->noncurrent_days)
        rc = bad(e, "NoncurrentVersionExpiration needs NoncurrentDays");
    return rc;
}

static enum rc read_abort(struct reader *d, struct err *e)
{
    enum xml_event ev;
    enum rc rc;

    while (!(rc = xml_next(&d->x, &ev, e)) && ev != XML_CLOSE)
        if (ev == XML_OPEN) {
            rc = str_is(d->x.name, "DaysAfterInitiation")
                     ? days(d, &d->r->abort_days, e)
                     : odd(d, "AbortIncompleteMultipartUpload", e);
            if (rc)
                return rc;
        }
    if (!rc && !d->r->abort_days)
        rc = bad(e, "AbortIncompleteMultipartUpload needs DaysAfterInitiation");
    return rc;
}

static enum rc read_member(struct reader *d, bool *status, struct err *e)
{
    str s, name = d->x.name;
    enum rc rc;

    if (str_is(name, "Filter"))
        return read_filter(d, false, e);
    if (str_is(name, "Prefix"))
        return read_prefix(d, e);
    if (str_is(name, "Expiration"))
        return read_expiration(d, e);
    if (str_is(name, "NoncurrentVersionExpiration"))
        return read_noncurrent(d, e);
    if (str_is(name, "AbortIncompleteMultipartUpload"))
        return read_abort(d, e);
    if (str_is(name, "Transition") || str_is(name, "NoncurrentVersionTransition"))
        return err_set(e, RC_UNIMPLEMENTED, "there is one storage class here: no transitions");
    if (!str_is(name, "ID") && !str_is(name, "Status"))
        return odd(d, "Rule", e);
    *status |= str_is(name, "Status");
    rc = text(d, &s, e);
    if (rc || !str_is(name, "Status"))
        return rc;
    d->r->enabled = str_is(s, "Enabled");
    return d->r->enabled || str_is(s, "Disabled")
               ? RC_OK
               : bad(e, "the Status of a rule is Enabled or Disabled");
}

static enum rc read_rule(struct reader *d, struct err *e)
{
    struct lifecycle_rule *r = d->r;
    enum xml_event ev;
    bool status = false;
    enum rc rc;

    r->prefix = STR("");
    while (!(rc = xml_next(&d->x, &ev, e)) && ev != XML_CLOSE)
        if (ev == XML_OPEN) {
            rc = read_member(d, &status, e);
            if (rc)
                return rc;
        }
    if (!rc && !status)
        rc = bad(e, "a rule needs a Status");
    if (!rc && !r->days && !r->date_ms && !r->expired_markers && !r->noncurrent_days &&
        !r->abort_days)
        rc = bad(e, "a rule needs an action");
    if (!rc && r->tag_n && (r->abort_days || r->expired_markers))
        rc = bad(e, "unfinished uploads and delete markers have no tags to filter by");
    return rc;
}

enum rc lifecycle_read(struct arena *a, str xml, struct lifecycle *ret, struct err *e)
{
    struct reader d = {.a = a};
    struct lifecycle out = {0};
    size_t cap = 4;
    enum xml_event ev;
    enum rc rc;

    if (xml.n > LIFECYCLE_BYTES_MAX)
        return bad(e, "the lifecycle configuration is too large");
    out.rules = ARENA_ARRAY(a, struct lifecycle_rule, cap);
    if (!out.rules)
        return err_set(e, RC_NOMEM, "out of memory");
    xml_init(&d.x, xml);
    rc = xml_next(&d.x, &ev, e);
    if (!rc && !str_is(d.x.name, "LifecycleConfiguration"))
        rc = bad(e, "<LifecycleConfiguration> was expected");
    while (!rc && !(rc = xml_next(&d.x, &ev, e)) && ev != XML_END) {
        if (ev != XML_OPEN)
            continue;
        if (!str_is(d.x.name, "Rule")) {
            rc = odd(&d, "LifecycleConfiguration", e);
        } else if (out.n == LIFECYCLE_RULES_MAX) {
            rc = bad(e, "too many lifecycle rules");
        } else if (out.n == cap) {
            struct lifecycle_rule *more = ARENA_ARRAY(a, struct lifecycle_rule, cap *= 2);
            if (more)
                memcpy(more, out.rules, out.n * sizeof *more);
            out.rules = more;
            rc = more ? RC_OK : err_set(e, RC_NOMEM, "out of memory");
        }
        if (!rc) {
            d.r = &out.rules[out.n++];
            rc = read_rule(&d, e);
        }
    }
    xml_done(&d.x);
    if (!rc && !out.n)
        rc = bad(e, "a lifecycle configuration needs a Rule");
    if (!rc)
        *ret = out;
    return rc;
}
