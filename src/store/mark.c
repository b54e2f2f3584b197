/* mark.c - what can be set for an object that is there: its tags and its ACL; and the ACLs of
 * buckets.
 *
 * ACLs are Amazon's canned ones.  A list of grants (<AccessControlPolicy>) is taken where it says
 * the same as one of them, and refused otherwise. */
#include "base/mem.h"
#include "s3/xml.h"
#include "store/store_int.h"
#include "store/tags.h"

#define ALL_USERS           "http://acs.amazonaws.com/groups/global/AllUsers"
#define AUTHENTICATED_USERS "http://acs.amazonaws.com/groups/global/AuthenticatedUsers"

struct mark_op {
    struct commit_op op;
    struct call *c;
    str tags; /* .p NULL: the ACL is set */
    enum canned_acl acl;
    enum s3_code refused;
    struct object o;
};

static enum rc apply_mark(struct commit_op *op, struct tx *tx, struct err *e)
{
    struct mark_op *p = (struct mark_op *)op;
    struct call *c = p->c;
    const struct version_id *v = c->has_version ? &c->version : NULL;
    struct bucket b;
    enum rc rc = index_bucket(tx, c->bucket, &b, e);

    if (rc == RC_NOT_FOUND)
        return refuse(op, &p->refused, S3_NO_SUCH_BUCKET);
    if (!rc)
        rc = index_get(tx, c->a, b.id, c->key, v, &p->o, e);
    if (rc == RC_NOT_FOUND)
        return refuse(op, &p->refused, v ? S3_NO_SUCH_VERSION : S3_NO_SUCH_KEY);
    if (!rc && p->o.marker)
        return refuse(op, &p->refused, S3_METHOD_NOT_ALLOWED);
    if (rc)
        return rc;
    return p->tags.p ? index_retag(tx, b.id, c->key, &p->o, p->tags, e)
                     : index_reacl(tx, b.id, c->key, &p->o, p->acl, e);
}

static enum s3_code mark(struct call *c, struct mark_op *p, int status)
{
    enum s3_code code = call_commit(c, &p->op, &p->refused);

    if (code)
        return code;
    headers_version(c, &p->o);
    reply_empty(c, status);
    return S3_OK;
}

static enum s3_code look(struct call *c, struct object *ret)
{
    struct read_of of = {
        .bucket = c->bucket, .key = c->key, .v = c->has_version ? &c->version : NULL};
    struct read g;
    enum s3_code code = read_open(c, &of, &g);

    if (!code && g.o.marker)
        code = S3_METHOD_NOT_ALLOWED;
    if (!code)
        *ret = g.o;
    read_done(&g);
    return code;
}

/* ---- tags */

enum s3_code op_get_tags(struct call *c)
{
    struct object o;
    struct buf b;
    enum s3_code code = look(c, &o);

    if (code)
        return code;
    headers_version(c, &o);
    buf_init(&b, 64 << 10);
    xml_begin(&b, "Tagging");
    tags_xml(c->a, o.tags, &b);
    buf_puts(&b, "</Tagging>");
    reply_xml(c, &b);
    return S3_OK;
}

enum s3_code op_put_tags(struct call *c)
{
    struct mark_op p = {.op.apply = apply_mark, .c = c};
    bool xml;
    str body;
    enum s3_code code = body_xml(c, &body);
    enum rc rc;

    if (code)
        return code;
    rc = tags_of_xml(c->a, body, TAGS_OBJECT_MAX, &p.tags, &xml, &c->err);
    if (rc == RC_INVALID || rc == RC_LIMIT)
        return xml ? S3_MALFORMED_XML : S3_BAD_TAG;
    return rc ? s3_code_of(c, rc) : mark(c, &p, 200);
}

enum s3_code op_delete_tags(struct call *c)
{
    struct mark_op p = {.op.apply = apply_mark, .c = c, .tags = STR("")};

    return mark(c, &p, 204);
}

/* ---- ACLs */

static void put_grant(struct buf *b, const char *uri, const char *permission)
{
    buf_puts(b, "<Grant><Grantee xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"");
    if (uri)
        buf_printf(b, " xsi:type=\"Group\"><URI>%s</URI>", uri);
    else
        buf_puts(b, " xsi:type=\"CanonicalUser\"><ID>" STORE_OWNER_ID
                    "</ID><DisplayName>anneal</DisplayName>");
    buf_printf(b, "</Grantee><Permission>%s</Permission></Grant>", permission);
}

enum s3_code op_get_acl(struct call *c)
{
    struct object o = {0};
    struct buf b;
    enum canned_acl acl;
    enum s3_code code = c->key.n ? look(c, &o) : c->info ? S3_OK : S3_NO_SUCH_BUCKET;

    if (code)
        return code;
    acl = c->key.n ? o.acl : c->info->b.acl;
    if (c->key.n)
        headers_version(c, &o);
    buf_init(&b, 8 << 10);
    xml_begin(&b, "AccessControlPolicy");
    xml_owner(&b, "Owner");
    buf_puts(&b, "<AccessControlList>");
    put_grant(&b, NULL, "FULL_CONTROL");
    if (acl == ACL_PUBLIC_READ || acl == ACL_PUBLIC_READ_WRITE)
        put_grant(&b, ALL_USERS, "READ");
    if (acl == ACL_PUBLIC_READ_WRITE)
        put_grant(&b, ALL_USERS, "WRITE");
    if (acl == ACL_AUTHENTICATED_READ)
        put_grant(&b, AUTHENTICATED_USERS, "READ");
    buf_puts(&b, "</AccessControlList></AccessControlPolicy>");
    reply_xml(c, &b);
    return S3_OK;
}

struct grants {
    bool all_read, all_write, known_read;
};

static enum rc read_grantee(struct xml *x, str *uri, char *keep, size_t cap, struct err *e)
{
    enum xml_event ev;
    str s;
    enum rc rc;

    while (!(rc = xml_next(x, &ev, e)) && ev != XML_CLOSE) {
        bool is_uri = str_is(x->name, "URI");
        if (ev != XML_OPEN)
            continue;
        rc = xml_leaf(x, &s, e);
        if (rc)
            return rc;
        if (is_uri) {
            snprintf(keep, cap, "%.*s", STR_F(str_trim(s)));
            *uri = str_of(keep);
        }
    }
    return rc;
}

static enum rc read_grant(struct xml *x, struct grants *g, struct err *e)
{
    char group[128] = "", permission[32] = "";
    str uri = STR_NONE, s;
    enum xml_event ev;
    enum rc rc;

    while (!(rc = xml_next(x, &ev, e)) && ev != XML_CLOSE) {
        if (ev != XML_OPEN)
            continue;
        if (str_is(x->name, "Grantee")) {
            rc = read_grantee(x, &uri, group, sizeof group, e);
        } else if (str_is(x->name, "Permission")) {
            rc = xml_leaf(x, &s, e);
            if (!rc)
                snprintf(permission, sizeof permission, "%.*s", STR_F(str_trim(s)));
        } else {
            rc = xml_skip(x, e);
        }
        if (rc)
            return rc;
    }
    if (rc || (!uri.n && str_is(STR("FULL_CONTROL"), permission)))
        return rc; /* of the owner */
    if (str_is(uri, ALL_USERS) && str_is(STR("READ"), permission))
        g->all_read = true;
    else if (str_is(uri, ALL_USERS) && str_is(STR("WRITE"), permission))
        g->all_write = true;
    else if (str_is(uri, AUTHENTICATED_USERS) && str_is(STR("READ"), permission))
        g->known_read = true;
    else
        rc = err_set(e, RC_UNIMPLEMENTED, "a grant of %s that no canned ACL makes", permission);
    return rc;
}

static enum rc read_acl(str body, enum canned_acl *ret, struct err *e)
{
    struct grants g = {0};
    struct xml x;
    enum xml_event ev;
    enum rc rc;

    xml_init(&x, body);
    rc = xml_next(&x, &ev, e);
    if (!rc && !str_is(x.name, "AccessControlPolicy"))
        rc = err_set(e, RC_INVALID, "<AccessControlPolicy> was expected");
    while (!rc && !(rc = xml_next(&x, &ev, e)) && ev != XML_END)
        if (ev == XML_OPEN && str_is(x.name, "Grant"))
            rc = read_grant(&x, &g, e);
        else if (ev == XML_OPEN && !str_is(x.name, "AccessControlList"))
            rc = xml_skip(&x, e);
    xml_done(&x);
    if (!rc && ((g.all_write && !g.all_read) || (g.known_read && g.all_write)))
        rc = err_set(e, RC_UNIMPLEMENTED, "a set of grants that no canned ACL makes");
    if (rc)
        return rc;
    *ret = g.all_write    ? ACL_PUBLIC_READ_WRITE
           : g.all_read   ? ACL_PUBLIC_READ
           : g.known_read ? ACL_AUTHENTICATED_READ
                          : ACL_PRIVATE;
    return RC_OK;
}

enum s3_code op_put_acl(struct call *c)
{
    struct mark_op p = {.op.apply = apply_mark, .c = c};
    str name = call_header(c, "x-amz-acl"), body, header, value;
    enum s3_code code = body_xml(c, &body);
    enum rc rc = RC_OK;

    if (code)
        return code;
    for (size_t i = 0; http_header_at(c->r, i, &header, &value); i++)
        if (str_ieq(str_sub(header, 0, 12), STR("x-amz-grant-"))) {
            err_set(&c->err, RC_UNIMPLEMENTED, "x-amz-grant-*; use x-amz-acl");
            return S3_NOT_IMPLEMENTED;
        }
    if (!name.p)
        rc = read_acl(body, &p.acl, &c->err);
    else if (!acl_of_name(name, &p.acl))
        return S3_BAD_ARGUMENT;
    if (rc)
        return rc == RC_INVALID || rc == RC_LIMIT ? S3_MALFORMED_ACL : s3_code_of(c, rc);
    return c->key.n ? mark(c, &p, 200) : bucket_acl_set(c, p.acl);
}
