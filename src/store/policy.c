/* policy.c - see policy.h.
 *
 * A policy is compiled once into statements over one arena: lists of patterns for principals,
 * actions and resources, and conditions as (operator, key, values).  Everything is checked there,
 * so that evaluation cannot fail. */
#include "store/policy.h"

#include "base/arena.h"
#include "base/json.h"
#include "base/mem.h"
#include "os/os.h"
#include "store/policy_cond.h"

enum { POLICY_ARENA_MAX = 1 << 20, VALUES_MAX = 512 };

struct statement {
    bool deny, not_action, not_resource, anyone; /* anyone: the principal is "*" */
    struct values who, actions, resources;
    struct cond *conds;
    size_t cond_n;
    struct statement *next;
};
struct policy {
    struct arena a;
    str bucket;
    struct statement *first;
};

static const struct {
    const char *name;
    enum access_class class;
    bool object;
} actions[ACTION_COUNT] = {
#define X(name, text, class, object) [ACTION_##name] = {text, ACCESS_##class, object},
    ACCESS_ACTIONS(X)
#undef X
};

const char *action_name(enum access_action a)
{
    return actions[a].name;
}

enum access_class access_class_of(enum access_action a)
{
    return actions[a].class;
}

bool wildcard_match(str p, str s, bool fold)
{
    size_t i = 0, j = 0, star = SIZE_MAX, back = 0;

    while (j < s.n) {
        char a = i < p.n ? p.p[i] : 0, b = s.p[j];
        if (fold && a >= 'A' && a <= 'Z')
            a = (char)(a + 32);
        if (fold && b >= 'A' && b <= 'Z')
            b = (char)(b + 32);
        if (i < p.n && p.p[i] == '*') {
            star = i++;
            back = j;
        } else if (i < p.n && (p.p[i] == '?' || a == b)) {
            i++;
            j++;
        } else if (star != SIZE_MAX) { /* the last star takes one byte more */
            i = star + 1;
            j = ++back;
        } else {
            return false;
        }
    }
    while (i < p.n && p.p[i] == '*')
        i++;
    return i == p.n;
}

/* ---- reading */

static enum rc bad(const struct json *at, struct err *e, const char *what)
{
    return err_set(e, RC_INVALID, "line %d of the policy: %s", at ? at->line : 1, what);
}

/* A string or an array of strings. */
static enum rc read_values(struct policy *p, const struct json *j, struct values *ret,
                           struct err *e)
{
    bool one = j->type == JSON_STR;
    size_t n = one ? 1 : j->type == JSON_ARR ? j->list.count : 0;

    if (!n || n > VALUES_MAX)
        return bad(j, e, "a text or a list of texts was expected");
    ret->p = ARENA_ARRAY(&p->a, str, n);
    if (!ret->p)
        return err_set(e, RC_NOMEM, "out of memory");
    if (one) {
        ret->p[ret->n++] = j->s;
    } else {
        JSON_EACH(item, j) {
            if (item->type != JSON_STR)
                return bad(item, e, "a text was expected");
            ret->p[ret->n++] = item->s;
        }
    }
    for (size_t i = 0; i < ret->n; i++)
        if (str_find(ret->p[i], STR("${")) >= 0)
            return bad(j, e, "policy variables are not supported");
    return RC_OK;
}

/* "*", {"AWS": "*"}, {"AWS": ["arn:aws:iam::ID:user/NAME", "NAME"]}: the name alone is kept. */
static enum rc read_principal(struct policy *p, const struct json *j, struct statement *s,
                              struct err *e)
{
    enum rc rc;

    if (j->type == JSON_OBJ && j->list.count == 1 && str_is(j->list.first->key, "AWS"))
        j = j->list.first;
    else if (j->type != JSON_STR || !str_is(j->s, "*"))
        return bad(j, e, "Principal must be \"*\" or {\"AWS\": ...}");
    rc = read_values(p, j, &s->who, e);
    for (size_t i = 0; !rc && i < s->who.n; i++) {
        str *v = &s->who.p[i];
        ptrdiff_t user = str_find(*v, STR(":user/"));
        if (str_is(*v, "*"))
            s->anyone = true;
        else if (str_starts(*v, STR("arn:aws:iam::")) && user >= 0)
            *v = str_sub(*v, (size_t)user + 6, v->n);
        else if (str_chr(*v, ':') >= 0)
            rc = bad(j, e, "a principal is \"*\", a name, or arn:aws:iam::ID:user/NAME");
        if (!rc && (!v->n || (v->n > 1 && str_chr(*v, '*') >= 0)))
            rc = bad(j, e, "a principal is a whole name: no wildcards inside");
    }
    return rc;
}

static enum rc read_actions(struct policy *p, const struct json *j, struct statement *s,
                            struct err *e)
{
    enum rc rc = read_values(p, j, &s->actions, e);

    for (size_t i = 0; !rc && i < s->actions.n; i++)
        if (!str_is(s->actions.p[i], "*") && !str_ieq(str_sub(s->actions.p[i], 0, 3), STR("s3:")))
            rc = bad(j, e, "an action begins with \"s3:\"");
    return rc;
}

/* "arn:aws:s3:::BUCKET[/KEY]": what follows the colons is kept. */
static enum rc read_resources(struct policy *p, const struct json *j, struct statement *s,
                              struct err *e)
{
    str arn = STR("arn:aws:s3:::");
    enum rc rc = read_values(p, j, &s->resources, e);

    for (size_t i = 0; !rc && i < s->resources.n; i++) {
        str *v = &s->resources.p[i];
        ptrdiff_t slash;
        if (str_is(*v, "*"))
            continue;
        if (!str_starts(*v, arn))
            return bad(j, e, "a resource begins with \"arn:aws:s3:::\"");
        *v = str_sub(*v, arn.n, v->n);
        slash = str_chr(*v, '/');
        if (!wildcard_match(slash < 0 ? *v : str_sub(*v, 0, (size_t)slash), p->bucket, false))
            rc = bad(j, e, "a resource lies outside the policy's bucket");
    }
    return rc;
}

static enum rc read_condition(struct policy *p, const struct json *j, struct statement *s,
                              struct err *e)
{
    size_t n = 0;

    if (j->type != JSON_OBJ)
        return bad(j, e, "Condition must be an object");
    JSON_EACH(op, j) {
        if (op->type != JSON_OBJ)
            return bad(op, e, "an operator of a condition holds an object");
        n += op->list.count;
    }
    s->conds = ARENA_ARRAY(&p->a, struct cond, n + 1);
    if (!s->conds)
        return err_set(e, RC_NOMEM, "out of memory");
    JSON_EACH(op, j)
        JSON_EACH(key, op) {
            struct cond *c = &s->conds[s->cond_n];
            enum rc rc = RC_OK;
            if (key->type == JSON_BOOL) { /* {"Bool": {"aws:SecureTransport": true}} */
                static str texts[] = {STR("false"), STR("true")};
                c->values = (struct values){&texts[key->b], 1};
            } else if (key->type == JSON_INT) {
                c->values.p = ARENA_NEW(&p->a, str);
                if (!c->values.p)
                    return err_set(e, RC_NOMEM, "out of memory");
                *c->values.p = key->raw;
                c->values.n = 1;
            } else {
                rc = read_values(p, key, &c->values, e);
            }
            if (!rc)
                rc = cond_make(c, op->key, key->key, e);
            if (rc)
                return err_wrap(e, rc, "line %d of the policy", key->line);
            s->cond_n++;
        }
    return RC_OK;
}

static enum rc read_statement(struct policy *p, const struct json *j, struct statement *s,
                              struct err *e)
{
    bool effect = false;
    enum rc rc = RC_OK;

    if (j->type != JSON_OBJ)
        return bad(j, e, "a statement is an object");
    JSON_EACH(m, j) {
        if (str_is(m->key, "Effect")) {
            str v = m->type == JSON_STR ? m->s : STR_NONE;
            s->deny = str_is(v, "Deny");
            effect = s->deny || str_is(v, "Allow");
        } else if (str_is(m->key, "Principal")) {
            rc = read_principal(p, m, s, e);
        } else if (str_is(m->key, "Action") || str_is(m->key, "NotAction")) {
            if (s->actions.n)
                return bad(m, e, "Action and NotAction exclude each other");
            s->not_action = m->key.n > 6;
            rc = read_actions(p, m, s, e);
        } else if (str_is(m->key, "Resource") || str_is(m->key, "NotResource")) {
            if (s->resources.n)
                return bad(m, e, "Resource and NotResource exclude each other");
            s->not_resource = m->key.n > 8;
            rc = read_resources(p, m, s, e);
        } else if (str_is(m->key, "Condition")) {
            rc = read_condition(p, m, s, e);
        } else if (!str_is(m->key, "Sid")) {
            return bad(m, e, "an element of the statement is unknown, or not supported here");
        }
        if (rc)
            return rc;
    }
    if (!effect)
        return bad(j, e, "Effect must be \"Allow\" or \"Deny\"");
    if (!s->who.n || !s->actions.n || !s->resources.n)
        return bad(j, e, "a statement needs Principal, Action and Resource");
    return RC_OK;
}

static enum rc read_policy(struct policy *p, str text, struct err *e)
{
    struct json_limits lim = {.depth_max = 12, .nodes_max = 8192};
    const struct json *root, *list = NULL;
    struct statement **tail = &p->first;
    enum rc rc = json_parse(&p->a, text, &lim, &root, e);

    if (rc)
        return rc == RC_NOMEM ? rc : err_set(e, RC_INVALID, "the policy is not JSON");
    if (root->type != JSON_OBJ)
        return bad(root, e, "a policy is an object");
    JSON_EACH(m, root) {
        if (str_is(m->key, "Statement"))
            list = m;
        else if (!str_is(m->key, "Version") && !str_is(m->key, "Id"))
            return bad(m, e, "a policy has Version, Id and Statement");
    }
    if (!list || (list->type != JSON_OBJ && list->type != JSON_ARR) || !list->list.count)
        return bad(list ? list : root, e, "a policy needs a Statement");
    if (list->type == JSON_ARR && list->list.count > POLICY_STATEMENTS_MAX)
        return bad(list, e, "too many statements");
    for (const struct json *j = list->type == JSON_ARR ? list->list.first : list; j && !rc;
         j = list->type == JSON_ARR ? j->next : NULL) {
        struct statement *s = ARENA_NEW(&p->a, struct statement);
        if (!s)
            return err_set(e, RC_NOMEM, "out of memory");
        *tail = s;
        tail = &s->next;
        rc = read_statement(p, j, s, e);
    }
    return rc;
}

enum rc policy_new(struct policy **ret, str json, str bucket, struct err *e)
{
    struct policy *p;
    str copy;
    enum rc rc;

    if (json.n > POLICY_BYTES_MAX)
        return err_set(e, RC_INVALID, "a policy has at most %d bytes", POLICY_BYTES_MAX);
    p = mem_zalloc(sizeof *p);
    if (!p)
        return err_set(e, RC_NOMEM, "out of memory");
    arena_init(&p->a, POLICY_ARENA_MAX);
    p->bucket = arena_str(&p->a, bucket);
    copy = arena_str(&p->a, json);
    rc = copy.p && p->bucket.p ? read_policy(p, copy, e) : err_set(e, RC_NOMEM, "out of memory");
    if (rc) {
        policy_free(p);
        return rc;
    }
    *ret = p;
    return RC_OK;
}

void policy_free(struct policy *p)
{
    if (!p)
        return;
    arena_done(&p->a);
    mem_free(p);
}

/* ---- evaluating */

static bool who_holds(const struct statement *s, const struct access_request *q)
{
    if (s->anyone)
        return true;
    for (size_t i = 0; q->who.p && i < s->who.n; i++)
        if (str_eq(s->who.p[i], q->who))
            return true;
    return false;
}

static bool action_holds(const struct statement *s, const struct access_request *q)
{
    bool found = false;

    for (size_t i = 0; i < s->actions.n && !found; i++)
        found = wildcard_match(s->actions.p[i], str_of(actions[q->action].name), true);
    return found != s->not_action;
}

static bool resource_holds(const struct statement *s, const struct access_request *q)
{
    char text[64 + 1 + 1024];
    bool found = false;
    int n = snprintf(text, sizeof text, "%.*s", STR_F(str_sub(q->bucket, 0, 63)));

    if (actions[q->action].object) {
        str key = str_sub(q->key, 0, 1024);
        text[n++] = '/';
        memcpy(text + n, key.n ? key.p : "", key.n);
        n += (int)key.n;
    }
    for (size_t i = 0; i < s->resources.n && !found; i++)
        found = wildcard_match(s->resources.p[i], (str){text, (size_t)n}, false);
    return found != s->not_resource;
}

enum verdict policy_eval(const struct policy *p, const struct access_request *q)
{
    enum verdict v = VERDICT_NONE;

    for (const struct statement *s = p ? p->first : NULL; s; s = s->next) {
        bool holds = who_holds(s, q) && action_holds(s, q) && resource_holds(s, q);
        for (size_t i = 0; holds && i < s->cond_n; i++)
            holds = cond_holds(&s->conds[i], q);
        if (holds && s->deny)
            return VERDICT_DENY;
        if (holds)
            v = VERDICT_ALLOW;
    }
    return v;
}

bool policy_is_public(const struct policy *p)
{
    for (const struct statement *s = p ? p->first : NULL; s; s = s->next)
        if (!s->deny && s->anyone && !s->cond_n)
            return true;
    return false;
}

/* ---- ACLs */

static const char *const acl_names[] = {
    [ACL_PRIVATE] = "private",
    [ACL_PUBLIC_READ] = "public-read",
    [ACL_PUBLIC_READ_WRITE] = "public-read-write",
    [ACL_AUTHENTICATED_READ] = "authenticated-read",
};

bool acl_of_name(str s, enum canned_acl *ret)
{
    for (size_t i = 0; i < sizeof acl_names / sizeof *acl_names; i++)
        if (str_is(s, acl_names[i])) {
            *ret = (enum canned_acl)i;
            return true;
        }
    /* One owner has all: what these give beyond "private" goes to him. */
    if (!str_is(s, "bucket-owner-full-control") && !str_is(s, "bucket-owner-read"))
        return false;
    *ret = ACL_PRIVATE;
    return true;
}

const char *acl_name(enum canned_acl a)
{
    return acl_names[a];
}

enum verdict acl_eval(enum canned_acl bucket, enum canned_acl object,
                      const struct access_request *q)
{
    bool reads = false;

    switch (q->action) {
    case ACTION_GET_OBJECT:
    case ACTION_GET_OBJECT_VERSION:
        reads = object == ACL_PUBLIC_READ || object == ACL_PUBLIC_READ_WRITE ||
                (object == ACL_AUTHENTICATED_READ && q->who.p);
        break;
    case ACTION_LIST_BUCKET:
    case ACTION_LIST_VERSIONS:
    case ACTION_LIST_UPLOADS:
        reads = bucket == ACL_PUBLIC_READ || bucket == ACL_PUBLIC_READ_WRITE ||
                (bucket == ACL_AUTHENTICATED_READ && q->who.p);
        break;
    case ACTION_PUT_OBJECT:
    case ACTION_DELETE_OBJECT:
    case ACTION_ABORT_UPLOAD:
    case ACTION_LIST_PARTS:
        reads = bucket == ACL_PUBLIC_READ_WRITE;
        break;
    default:
        break;
    }
    return reads ? VERDICT_ALLOW : VERDICT_NONE;
}

/* ---- the decision */

bool access_decide(const struct access_request *q, enum verdict rights, const struct policy *policy,
                   enum canned_acl bucket, enum canned_acl object)
{
    enum verdict v = policy_eval(policy, q);
    bool on_policy = q->action == ACTION_GET_POLICY || q->action == ACTION_PUT_POLICY ||
                     q->action == ACTION_DELETE_POLICY;

    if (q->owner && on_policy)
        return true;
    if (rights == VERDICT_DENY || v == VERDICT_DENY)
        return false;
    return rights == VERDICT_ALLOW || v == VERDICT_ALLOW ||
           acl_eval(bucket, object, q) == VERDICT_ALLOW;
}
