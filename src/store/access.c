/* access.c - may this caller do that: the rights of an identity, who made the bucket, the bucket's
 * policy, the ACLs.  The decision is access_decide's; here is gathered what it needs. */
#include "store/store_int.h"

/* The rights of which one is enough for an action; 0: to be known is enough. */
static unsigned rights_for(enum access_action a)
{
    switch (a) {
    case ACTION_LIST_ALL:
        return 0;
    case ACTION_CREATE_BUCKET:
        return RIGHT_CREATE | RIGHT_ADMIN;
    case ACTION_HEAD_BUCKET:
    case ACTION_GET_LOCATION:
    case ACTION_GET_VERSIONING: /* clients look before they list or write */
        return RIGHT_ANY;
    case ACTION_LIST_PARTS:
        return RIGHT_LIST | RIGHT_WRITE;
    default:
        break;
    }
    switch (access_class_of(a)) {
    case ACCESS_LIST:
        return RIGHT_LIST;
    case ACCESS_READ:
        return RIGHT_READ;
    case ACCESS_WRITE:
        return RIGHT_WRITE;
    case ACCESS_ADMIN:
        return RIGHT_ADMIN;
    }
    return RIGHT_ADMIN;
}

static void gather(struct call *c, enum access_action a, str bucket, str key,
                   struct access_request *q)
{
    *q = (struct access_request){
        .action = a,
        .bucket = bucket,
        .key = key,
        .who = c->who ? identity_name(c->who) : STR_NONE,
        .owner = c->who && identity_is_root(c->who),
        .peer = http_peer(c->r),
        .user_agent = http_header(c->r, "user-agent"),
        .referer = http_header(c->r, "referer"),
        .prefix = call_query(c, "prefix"),
        .delimiter = call_query(c, "delimiter"),
        .max_keys = call_query(c, "max-keys"),
        .acl = call_header(c, "x-amz-acl"),
        .version = call_query(c, "versionId"),
        .now_ms = os_now_ms(),
    };
}

/* The ACL of the object itself, which only readings look at, and only if nothing else allows. */
static enum rc object_acl(struct call *c, int64_t bucket, str key, enum canned_acl *ret)
{
    struct object o;
    struct tx *tx;
    enum rc rc = db_begin(c->s->db, DB_READ, &tx, &c->err);

    if (rc)
        return rc;
    rc = index_get(tx, c->a, bucket, key, c->has_version ? &c->version : NULL, &o, &c->err);
    tx_rollback(tx);
    if (!rc)
        *ret = o.acl;
    return rc;
}

static enum s3_code denied(struct call *c)
{
    store_count(c->s, COUNT_DENIED, 1);
    if (c->who)
        err_set(&c->err, RC_FORBIDDEN, "'%.*s' has no right to do this here",
                STR_F(identity_name(c->who)));
    else
        err_set(&c->err, RC_FORBIDDEN, "the request is not signed");
    return S3_ACCESS_DENIED;
}

static bool allowed(struct call *c, const struct bucket_info *i, enum access_action a, str bucket,
                    str key)
{
    unsigned need = rights_for(a);
    str owner = i ? str_of(i->b.owner) : STR_NONE;
    bool mine = c->who && (!need || identity_may(c->who, bucket, owner, need));
    enum verdict rights = mine ? VERDICT_ALLOW : VERDICT_NONE;
    enum canned_acl bucket_acl = i ? i->b.acl : ACL_PRIVATE, object = ACL_PRIVATE;
    struct access_request q;

    if (mine && !(i && i->policy)) /* what nearly every request is */
        return true;
    gather(c, a, bucket, key, &q);
    if (access_decide(&q, rights, i ? i->policy : NULL, bucket_acl, object))
        return true;
    if (!i || access_class_of(a) != ACCESS_READ || object_acl(c, i->b.id, key, &object))
        return false;
    return access_decide(&q, rights, i->policy, bucket_acl, object);
}

enum s3_code call_may(struct call *c, enum access_action a, str bucket, str key)
{
    const struct bucket_info *i = NULL;
    enum s3_code code = S3_OK;
    bool ok;

    if (c->info && str_eq(bucket, c->bucket)) {
        i = c->info;
        atomic_fetch_add(&((struct bucket_info *)(uintptr_t)i)->refs, 1);
    } else if (bucket.n) {
        code = bucket_info_get(c, bucket, &i);
    }
    if (code && code != S3_NO_SUCH_BUCKET)
        return code;
    ok = allowed(c, i, a, bucket, key);
    if (i && !c->info && str_eq(bucket, c->bucket))
        c->info = i;
    else
        bucket_info_unref(i);
    return ok ? S3_OK : denied(c);
}
