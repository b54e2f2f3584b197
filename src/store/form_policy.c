/* form_policy.c - see form_policy.h. */
#include "store/form_policy.h"

#include "base/json.h"
#include "base/utc.h"

struct check {
    const struct sigv4_pair *fields;
    size_t n;
    bool *covered;
    uint64_t min, max;
};

static enum rc bad(const struct json *at, struct err *e, const char *what)
{
    return err_set(e, RC_INVALID, "line %d of the policy: %s", at->line, what);
}

static bool time_of(str s, int64_t *ret_ms)
{
    struct utc u;
    bool time;

    if (!utc_read(s, &u, &time) || !time)
        return false;
    *ret_ms = utc_seconds(&u) * 1000;
    return true;
}

static enum rc hold(struct check *c, str name, str want, bool prefix, struct err *e)
{
    str have = STR("");

    for (size_t i = 0; i < c->n; i++)
        if (str_ieq(c->fields[i].name, name)) {
            c->covered[i] = true;
            have = c->fields[i].value;
        }
    if (prefix ? str_starts(have, want) : str_eq(have, want))
        return RC_OK;
    return err_set(e, RC_FORBIDDEN, "the policy's condition on '%.*s' does not hold",
                   STR_F(str_sub(name, 0, 64)));
}

static bool size_of(const struct json *j, uint64_t *ret)
{
    if (j && j->type == JSON_INT && j->i >= 0) {
        *ret = (uint64_t)j->i;
        return true;
    }
    return j && j->type == JSON_STR && str_u64(j->s, ret);
}

static enum rc hold_list(struct check *c, const struct json *j, struct err *e)
{
    const struct json *op = j->list.first, *name = op ? op->next : NULL;
    const struct json *value = name ? name->next : NULL;
    bool prefix;

    if (!value || j->list.count != 3 || op->type != JSON_STR)
        return bad(j, e, "a condition is a list of three");
    if (str_ieq(op->s, STR("content-length-range"))) {
        if (!size_of(name, &c->min) || !size_of(value, &c->max) || c->min > c->max)
            return bad(j, e, "content-length-range needs two numbers, the smaller first");
        return RC_OK;
    }
    prefix = str_ieq(op->s, STR("starts-with"));
    if ((!prefix && !str_ieq(op->s, STR("eq"))) || name->type != JSON_STR ||
        value->type != JSON_STR || name->s.n < 2 || name->s.p[0] != '$')
        return bad(j, e, "a condition reads [\"eq\" or \"starts-with\", \"$field\", \"text\"]");
    return hold(c, str_sub(name->s, 1, name->s.n), value->s, prefix, e);
}

static enum rc hold_all(struct check *c, const struct json *list, struct err *e)
{
    JSON_EACH(j, list) {
        enum rc rc = RC_OK;
        if (j->type == JSON_ARR) {
            rc = hold_list(c, j, e);
        } else if (j->type == JSON_OBJ) {
            JSON_EACH(m, j) {
                if (m->type != JSON_STR)
                    return bad(m, e, "a condition compares with a text");
                rc = hold(c, m->key, m->s, false, e);
                if (rc)
                    return rc;
            }
        } else {
            rc = bad(j, e, "a condition is an object or a list");
        }
        if (rc)
            return rc;
    }
    return RC_OK;
}

static bool exempt(str name)
{
    static const char *const names[] = {"policy", "x-amz-signature", "file", "awsaccesskeyid",
                                        "signature"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (str_is(name, names[i]))
            return true;
    return str_starts(name, STR("x-ignore-"));
}

enum rc form_policy_check(struct arena *a, str json, const struct sigv4_pair *fields, size_t n,
                          int64_t now_ms, uint64_t *ret_min, uint64_t *ret_max, struct err *e)
{
    struct json_limits lim = {.depth_max = 8, .nodes_max = 4096};
    struct check c = {.fields = fields, .n = n, .max = UINT64_MAX};
    const struct json *root, *list;
    int64_t expires_ms;
    enum rc rc;

    if (json.n > FORM_POLICY_BYTES_MAX)
        return err_set(e, RC_INVALID, "a form's policy has at most %d bytes",
                       FORM_POLICY_BYTES_MAX);
    rc = json_parse(a, json, &lim, &root, e);
    if (rc)
        return rc == RC_NOMEM ? rc : err_set(e, RC_INVALID, "the form's policy is not JSON");
    c.covered = ARENA_ARRAY(a, bool, n + 1);
    if (!c.covered)
        return err_set(e, RC_NOMEM, "out of memory");
    list = json_get(root, "conditions");
    if (!time_of(json_str(root, "expiration", STR("")), &expires_ms) || !list ||
        list->type != JSON_ARR || list->list.count > FORM_CONDITIONS_MAX)
        return bad(root, e, "a form's policy needs an expiration and conditions");
    if (now_ms >= expires_ms)
        return err_set(e, RC_FORBIDDEN, "the form's policy has expired");
    rc = hold_all(&c, list, e);
    for (size_t i = 0; !rc && i < n; i++)
        if (!c.covered[i] && !exempt(fields[i].name))
            rc = err_set(e, RC_FORBIDDEN, "the policy has no condition on the field '%.*s'",
                         STR_F(str_sub(fields[i].name, 0, 64)));
    if (rc)
        return rc;
    *ret_min = c.min;
    *ret_max = c.max;
    return RC_OK;
}
