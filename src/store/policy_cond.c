/* policy_cond.c - see policy_cond.h.  A key that the request lacks: a negated operator holds, the
 * others do not, and ...IfExists holds always. */
#include "store/policy_cond.h"

#include "base/utc.h"
#include "os/os.h"
#include <arpa/inet.h>

enum form { STRING, STRING_FOLD, LIKE, NUMBER, DATE, BOOL, IP, IS_NULL };
enum order { EQUAL, LESS, LESS_EQUAL, GREATER, GREATER_EQUAL };

static const struct {
    const char *name;
    enum form form;
    enum order order;
    bool negated;
} ops[] = {
    {"StringEquals", STRING, EQUAL, false},
    {"StringNotEquals", STRING, EQUAL, true},
    {"StringEqualsIgnoreCase", STRING_FOLD, EQUAL, false},
    {"StringNotEqualsIgnoreCase", STRING_FOLD, EQUAL, true},
    {"StringLike", LIKE, EQUAL, false},
    {"StringNotLike", LIKE, EQUAL, true},
    {"NumericEquals", NUMBER, EQUAL, false},
    {"NumericNotEquals", NUMBER, EQUAL, true},
    {"NumericLessThan", NUMBER, LESS, false},
    {"NumericLessThanEquals", NUMBER, LESS_EQUAL, false},
    {"NumericGreaterThan", NUMBER, GREATER, false},
    {"NumericGreaterThanEquals", NUMBER, GREATER_EQUAL, false},
    {"DateEquals", DATE, EQUAL, false},
    {"DateNotEquals", DATE, EQUAL, true},
    {"DateLessThan", DATE, LESS, false},
    {"DateLessThanEquals", DATE, LESS_EQUAL, false},
    {"DateGreaterThan", DATE, GREATER, false},
    {"DateGreaterThanEquals", DATE, GREATER_EQUAL, false},
    {"Bool", BOOL, EQUAL, false},
    {"IpAddress", IP, EQUAL, false},
    {"NotIpAddress", IP, EQUAL, true},
    {"Null", IS_NULL, EQUAL, false},
};

enum key {
    SOURCE_IP,
    SECURE,
    USER_AGENT,
    REFERER,
    USERNAME,
    CURRENT_TIME,
    PREFIX,
    DELIMITER,
    MAX_KEYS,
    ACL,
    VERSION
};
static const char *const keys[] = {
    [SOURCE_IP] = "aws:SourceIp",   [SECURE] = "aws:SecureTransport",
    [USER_AGENT] = "aws:UserAgent", [REFERER] = "aws:Referer",
    [USERNAME] = "aws:username",    [CURRENT_TIME] = "aws:CurrentTime",
    [PREFIX] = "s3:prefix",         [DELIMITER] = "s3:delimiter",
    [MAX_KEYS] = "s3:max-keys",     [ACL] = "s3:x-amz-acl",
    [VERSION] = "s3:VersionId",
};

/* ---- values */

/* A date, with a time of day or without, or seconds since 1970; milliseconds. */
static bool date_of(str s, int64_t *ret)
{
    struct utc u;
    bool time;
    uint64_t seconds;

    if (str_u64(s, &seconds) && seconds < INT64_MAX / 1000)
        *ret = (int64_t)seconds * 1000;
    else if (utc_read(s, &u, &time))
        *ret = utc_seconds(&u) * 1000;
    else
        return false;
    return true;
}

/* Bytes of the address in network order; 4, 16, or 0 where it is none.  IPv4 inside IPv6
 * (::ffff:a.b.c.d) is IPv4. */
static size_t address_of(str s, uint8_t ret[16])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    char text[INET6_ADDRSTRLEN];

    if (s.n >= 2 && s.p[0] == '[' && s.p[s.n - 1] == ']')
        s = str_sub(s, 1, s.n - 2);
    if (!s.n || s.n >= sizeof text)
        return 0;
    snprintf(text, sizeof text, "%.*s", STR_F(s));
    if (inet_pton(AF_INET, text, ret) == 1)
        return 4;
    if (inet_pton(AF_INET6, text, ret) != 1)
        return 0;
    if (memcmp(ret, mapped, sizeof mapped) != 0)
        return 16;
    memmove(ret, ret + 12, 4);
    return 4;
}

static bool split_cidr(str cidr, uint8_t ret[16], size_t *ret_n, unsigned *ret_bits)
{
    ptrdiff_t slash = str_chr(cidr, '/');
    uint64_t bits;

    *ret_n = address_of(slash < 0 ? cidr : str_sub(cidr, 0, (size_t)slash), ret);
    bits = 8 * *ret_n;
    if (!*ret_n || (slash >= 0 && !str_u64(str_sub(cidr, (size_t)slash + 1, cidr.n), &bits)))
        return false;
    *ret_bits = (unsigned)bits;
    return bits <= 8 * *ret_n;
}

bool cidr_ok(str cidr)
{
    uint8_t net[16];
    unsigned bits;
    size_t n;

    return split_cidr(cidr, net, &n, &bits);
}

bool cidr_holds(str cidr, str address)
{
    uint8_t net[16], a[16];
    unsigned bits;
    size_t n;

    if (!split_cidr(cidr, net, &n, &bits) || address_of(address, a) != n)
        return false;
    for (unsigned i = 0; i < n && 8 * i < bits; i++) {
        unsigned left = bits - 8 * i;
        uint8_t mask = (uint8_t)(left >= 8 ? 0xff : 0xff00 >> left);
        if ((net[i] ^ a[i]) & mask)
            return false;
    }
    return true;
}

static bool value_ok(enum form form, str v)
{
    int64_t n;

    switch (form) {
    case NUMBER:
        return str_i64(v, &n);
    case DATE:
        return date_of(v, &n);
    case BOOL:
    case IS_NULL:
        return str_is(v, "true") || str_is(v, "false");
    case IP:
        return cidr_ok(v);
    default:
        return true;
    }
}

/* ---- making */

static bool fits(enum form form, enum key key)
{
    if (form == IS_NULL)
        return true;
    if ((form == IP) != (key == SOURCE_IP) || (form == DATE) != (key == CURRENT_TIME) ||
        (form == BOOL) != (key == SECURE))
        return false;
    return form != NUMBER || key == MAX_KEYS;
}

enum rc cond_make(struct cond *c, str op, str key, struct err *e)
{
    bool if_exists = str_ends(op, STR("IfExists"));
    str name = if_exists ? str_sub(op, 0, op.n - 8) : op;

    c->if_exists = if_exists;
    while (c->op < sizeof ops / sizeof *ops && !str_is(name, ops[c->op].name))
        c->op++;
    while (c->key < sizeof keys / sizeof *keys && !str_ieq(key, str_of(keys[c->key])))
        c->key++;
    if (c->op == sizeof ops / sizeof *ops || (if_exists && ops[c->op].form == IS_NULL))
        return err_set(e, RC_INVALID, "the operator '%.*s' of a condition is not supported",
                       STR_F(str_sub(op, 0, 64)));
    if (c->key == sizeof keys / sizeof *keys || !fits(ops[c->op].form, (enum key)c->key))
        return err_set(e, RC_INVALID, "the key '%.*s' of a condition is not supported with %s",
                       STR_F(str_sub(key, 0, 64)), ops[c->op].name);
    for (size_t i = 0; i < c->values.n; i++)
        if (!value_ok(ops[c->op].form, c->values.p[i]))
            return err_set(e, RC_INVALID, "'%.*s' is no value for %s",
                           STR_F(str_sub(c->values.p[i], 0, 64)), ops[c->op].name);
    return RC_OK;
}

/* ---- holding */

static str value_of(enum key k, const struct access_request *q)
{
    switch (k) {
    case SOURCE_IP:
        return q->peer;
    case SECURE:
        return q->secure ? STR("true") : STR("false");
    case USER_AGENT:
        return q->user_agent;
    case REFERER:
        return q->referer;
    case USERNAME:
        return q->who;
    case CURRENT_TIME:
        return STR("now");
    case PREFIX:
        return q->prefix;
    case DELIMITER:
        return q->delimiter;
    case MAX_KEYS:
        return q->max_keys;
    case ACL:
        return q->acl;
    case VERSION:
        return q->version;
    }
    return STR_NONE;
}

static bool ordered(int64_t a, int64_t b, enum order order)
{
    switch (order) {
    case EQUAL:
        return a == b;
    case LESS:
        return a < b;
    case LESS_EQUAL:
        return a <= b;
    case GREATER:
        return a > b;
    case GREATER_EQUAL:
        return a >= b;
    }
    return false;
}

static bool one_holds(const struct cond *c, str have, str want, int64_t now_ms)
{
    int64_t a, b;

    switch (ops[c->op].form) {
    case STRING:
        return str_eq(have, want);
    case STRING_FOLD:
    case BOOL:
        return str_ieq(have, want);
    case LIKE:
        return wildcard_match(want, have, false);
    case NUMBER:
        return str_i64(have, &a) && str_i64(want, &b) && ordered(a, b, ops[c->op].order);
    case DATE:
        return date_of(want, &b) && ordered(now_ms, b, ops[c->op].order);
    case IP:
        return cidr_holds(want, have);
    case IS_NULL:
        return str_is(want, have.p ? "false" : "true");
    }
    return false;
}

bool cond_holds(const struct cond *c, const struct access_request *q)
{
    str have = value_of((enum key)c->key, q);
    bool found = false;

    if (!have.p && ops[c->op].form != IS_NULL)
        return c->if_exists || ops[c->op].negated;
    for (size_t i = 0; i < c->values.n && !found; i++)
        found = one_holds(c, have, c->values.p[i], q->now_ms);
    return found != ops[c->op].negated;
}
