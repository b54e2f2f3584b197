/* access.c - may this caller do that: the rights of an identity, and who made the bucket. */
#include "store/store_int.h"

enum s3_code call_may(struct call *c, str bucket, unsigned rights)
{
    char owner[IDENTITY_NAME_MAX + 1] = "";
    struct tx *tx;
    enum rc rc;

    if (!c->who)
        return S3_ACCESS_DENIED;
    /* What needs no look-up first: it is what nearly every request is. */
    if (!rights || identity_may(c->who, bucket, STR_NONE, rights))
        return S3_OK;
    rc = db_begin(c->s->db, DB_READ, &tx, &c->err);
    if (!rc) {
        rc = index_bucket_owner(tx, bucket, owner, &c->err);
        tx_rollback(tx);
    }
    if (rc && rc != RC_NOT_FOUND)
        return s3_code_of(c, rc);
    if (!rc && identity_may(c->who, bucket, str_of(owner), rights))
        return S3_OK;
    err_set(&c->err, RC_FORBIDDEN, "'%.*s' has no right to do this here",
            STR_F(identity_name(c->who)));
    store_count(c->s, COUNT_DENIED, 1);
    return S3_ACCESS_DENIED;
}
