/* bucket.c - operations on buckets. */
#include "store/names.h"
#include "store/page.h"

struct bucket_op {
    struct commit_op op;
    struct call *c;
    enum canned_acl acl;
    enum s3_code refused;
    struct freed_list freed;
};

/* ---- create and delete */

static enum rc apply_create(struct commit_op *op, struct tx *tx, struct err *e)
{
    struct bucket_op *b = (struct bucket_op *)op;
    str me = b->c->who ? identity_name(b->c->who) : STR("");
    struct bucket old;
    enum rc rc = index_bucket(tx, b->c->bucket, &old, e);

    if (!rc)
        return refuse(op, &b->refused, str_is(me, old.owner) ? S3_BUCKET_EXISTS : S3_BUCKET_TAKEN);
    if (rc != RC_NOT_FOUND)
        return rc;
    return index_bucket_add(tx, b->c->bucket, me, b->acl, os_now_ms(), e);
}

enum s3_code op_create_bucket(struct call *c)
{
    struct bucket_op b = {.op.apply = apply_create, .c = c};
    char location[80];
    str body; /* a LocationConstraint: there is one place here */
    str acl = call_header(c, "x-amz-acl");
    enum s3_code code = body_xml(c, &body);

    if (!code && acl.p && !acl_of_name(acl, &b.acl))
        code = S3_BAD_ARGUMENT;
    if (!code && str_ieq(call_header(c, "x-amz-bucket-object-lock-enabled"), STR("true"))) {
        err_set(&c->err, RC_UNIMPLEMENTED, "object lock");
        code = S3_NOT_IMPLEMENTED;
    }

    if (!code && !bucket_name_ok(c->bucket))
        code = S3_BAD_BUCKET_NAME;
    if (!code)
        code = call_commit(c, &b.op, &b.refused);
    if (code)
        return code;
    bucket_info_forget(c->s, c->bucket);
    snprintf(location, sizeof location, "/%.*s", STR_F(c->bucket));
    http_add_header(c->r, "Location", location);
    reply_empty(c, 200);
    return S3_OK;
}

static enum rc apply_delete(struct commit_op *op, struct tx *tx, struct err *e)
{
    struct bucket_op *b = (struct bucket_op *)op;
    struct bucket old;
    enum rc rc;

    b->freed.n = 0;
    rc = index_bucket(tx, b->c->bucket, &old, e);
    if (!rc)
        rc = index_bucket_remove(tx, old.id, &b->freed, e);
    if (rc == RC_NOT_FOUND)
        return refuse(op, &b->refused, S3_NO_SUCH_BUCKET);
    if (rc == RC_CONFLICT)
        return refuse(op, &b->refused, S3_BUCKET_NOT_EMPTY);
    return rc;
}

enum s3_code op_delete_bucket(struct call *c)
{
    struct bucket_op b = {.op.apply = apply_delete, .c = c};
    enum s3_code code = call_commit(c, &b.op, &b.refused);

    if (!code)
        files_remove(c->s->files, &b.freed);
    VEC_DONE(&b.freed);
    if (!code) {
        bucket_info_forget(c->s, c->bucket);
        reply_empty(c, 204);
    }
    return code;
}

/* ---- look */

enum s3_code op_head_bucket(struct call *c)
{
    struct tx *tx;
    struct bucket bucket;
    enum s3_code code = call_begin_read(c, &tx, &bucket);

    if (code)
        return code;
    tx_rollback(tx);
    http_add_header(c->r, "x-amz-bucket-region", c->s->region);
    reply_empty(c, 200);
    return S3_OK;
}

enum s3_code op_get_location(struct call *c)
{
    struct tx *tx;
    struct bucket bucket;
    struct buf b;
    enum s3_code code = call_begin_read(c, &tx, &bucket);

    if (code)
        return code;
    tx_rollback(tx);
    buf_init(&b, 1024);
    xml_begin(&b, "LocationConstraint");
    if (strcmp(c->s->region, "us-east-1") != 0) /* S3's name for the first region is no name */
        buf_puts(&b, c->s->region);
    buf_puts(&b, "</LocationConstraint>");
    reply_xml(c, &b);
    return S3_OK;
}

/* ---- ListBuckets */

enum { LIST_BUCKETS_MAX = 10000 };

struct bucket_list {
    struct buf b;
    struct call *c;
    str prefix, region;
    bool asked; /* for one page, or for some of them: Amazon tells the region then */
    uint64_t max, count;
    str next; /* the first that is not in the page; .p NULL if there is none */
};

static enum rc put_bucket(void *ud, str name, const struct bucket *k, bool *stop, struct err *e)
{
    struct bucket_list *l = ud;
    struct buf *b = &l->b;

    *stop = !str_starts(name, l->prefix);
    if (*stop || !identity_may(l->c->who, name, str_of(k->owner), RIGHT_ANY))
        return RC_OK;
    if (l->count++ == l->max) {
        *stop = true;
        l->next = arena_str(l->c->a, name);
        return l->next.p ? RC_OK : err_set(e, RC_NOMEM, "out of memory");
    }
    buf_puts(b, "<Bucket>");
    xml_text(b, "Name", name);
    xml_time(b, "CreationDate", k->created_ms);
    if (l->asked)
        xml_text(b, "BucketRegion", str_of(l->c->s->region));
    buf_puts(b, "</Bucket>");
    return buf_ok(b, e);
}

static enum s3_code read_list(struct bucket_list *l, str *ret_from)
{
    struct call *c = l->c;
    str token = call_query(c, "continuation-token");
    enum s3_code code = call_number(c, "max-buckets", INT32_MAX, &l->max);

    if (!code && (!l->max || l->max > LIST_BUCKETS_MAX)) {
        err_set(&c->err, RC_INVALID, "max-buckets is 1 to %d", LIST_BUCKETS_MAX);
        code = S3_BAD_ARGUMENT;
    }
    *ret_from = l->prefix = call_query(c, "prefix").n ? call_query(c, "prefix") : STR("");
    l->region = call_query(c, "bucket-region");
    l->asked = l->prefix.n || l->region.n || token.n || call_query(c, "max-buckets").n;
    if (!code && token.n)
        code = page_token(c, token, ret_from);
    if (!code && str_cmp(*ret_from, l->prefix) < 0)
        *ret_from = l->prefix;
    return code;
}

static enum rc walk_buckets(struct bucket_list *l, str from)
{
    struct call *c = l->c;
    struct tx *tx;
    enum rc rc;

    if (l->region.n && !str_is(l->region, c->s->region))
        return RC_OK; /* this store has none elsewhere */
    rc = db_begin(c->s->db, DB_READ, &tx, &c->err);
    if (rc)
        return rc;
    rc = index_buckets(tx, from, put_bucket, l, &c->err);
    tx_rollback(tx);
    return rc;
}

enum s3_code op_list_buckets(struct call *c)
{
    struct bucket_list l = {.c = c, .max = LIST_BUCKETS_MAX};
    str from;
    enum s3_code code = read_list(&l, &from);
    enum rc rc;

    if (code)
        return code;
    buf_init(&l.b, 4 << 20);
    xml_begin(&l.b, "ListAllMyBucketsResult");
    xml_owner(&l.b, "Owner");
    buf_puts(&l.b, "<Buckets>");
    rc = walk_buckets(&l, from);
    if (rc) {
        buf_done(&l.b);
        return s3_code_of(c, rc);
    }
    buf_puts(&l.b, "</Buckets>");
    if (l.next.p)
        page_put_token(&l.b, "ContinuationToken", l.next);
    if (l.prefix.n)
        xml_text(&l.b, "Prefix", l.prefix);
    buf_puts(&l.b, "</ListAllMyBucketsResult>");
    reply_xml(c, &l.b);
    return S3_OK;
}
