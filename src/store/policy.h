/* policy.h - who may do what: the actions of S3, bucket policies, canned ACLs, and the decision.
 * Private to store/.
 *
 * Sources: "Policies and permissions in Amazon S3", "Access control list (ACL) overview", Amazon S3
 * user guide; "Policy evaluation logic" and "IAM JSON policy elements", AWS IAM user guide.
 *
 * What a policy may say is what can be enforced here; all else is refused when the policy is put,
 * because a condition that is stored and not looked at would be a hole.  Pure functions over text;
 * a policy is immutable once made and may be read by any thread.
 */
#ifndef ANNEAL_STORE_POLICY_H
#define ANNEAL_STORE_POLICY_H

#include "base/str.h"
#include <stdint.h>

/* What a right is about, for rights given by the bucket and not by the action: LIST (names), READ
 * (bytes and their description), WRITE (put, change, delete objects), ADMIN (buckets and their
 * settings). */
enum access_class { ACCESS_LIST, ACCESS_READ, ACCESS_WRITE, ACCESS_ADMIN };

/* Name, S3's action, class, on objects (its resource is a key, not a bucket). */
#define ACCESS_ACTIONS(X)                                                                          \
    X(LIST_ALL, "s3:ListAllMyBuckets", LIST, false)                                                \
    X(CREATE_BUCKET, "s3:CreateBucket", ADMIN, false)                                              \
    X(DELETE_BUCKET, "s3:DeleteBucket", ADMIN, false)                                              \
    X(LIST_BUCKET, "s3:ListBucket", LIST, false)                                                   \
    X(HEAD_BUCKET, "s3:ListBucket", LIST, false)                                                   \
    X(LIST_VERSIONS, "s3:ListBucketVersions", LIST, false)                                         \
    X(LIST_UPLOADS, "s3:ListBucketMultipartUploads", LIST, false)                                  \
    X(GET_LOCATION, "s3:GetBucketLocation", LIST, false)                                           \
    X(GET_BUCKET_ACL, "s3:GetBucketAcl", ADMIN, false)                                             \
    X(PUT_BUCKET_ACL, "s3:PutBucketAcl", ADMIN, false)                                             \
    X(GET_POLICY, "s3:GetBucketPolicy", ADMIN, false)                                              \
    X(PUT_POLICY, "s3:PutBucketPolicy", ADMIN, false)                                              \
    X(DELETE_POLICY, "s3:DeleteBucketPolicy", ADMIN, false)                                        \
    X(GET_POLICY_STATUS, "s3:GetBucketPolicyStatus", ADMIN, false)                                 \
    X(GET_VERSIONING, "s3:GetBucketVersioning", LIST, false)                                       \
    X(PUT_VERSIONING, "s3:PutBucketVersioning", ADMIN, false)                                      \
    X(GET_LIFECYCLE, "s3:GetLifecycleConfiguration", ADMIN, false)                                 \
    X(PUT_LIFECYCLE, "s3:PutLifecycleConfiguration", ADMIN, false)                                 \
    X(GET_CORS, "s3:GetBucketCORS", ADMIN, false)                                                  \
    X(PUT_CORS, "s3:PutBucketCORS", ADMIN, false)                                                  \
    X(GET_BUCKET_TAGGING, "s3:GetBucketTagging", ADMIN, false)                                     \
    X(PUT_BUCKET_TAGGING, "s3:PutBucketTagging", ADMIN, false)                                     \
    X(GET_BUCKET_SETTING, "s3:GetBucketSetting", ADMIN, false)                                     \
    X(GET_OBJECT, "s3:GetObject", READ, true)                                                      \
    X(GET_OBJECT_VERSION, "s3:GetObjectVersion", READ, true)                                       \
    X(GET_OBJECT_ATTRIBUTES, "s3:GetObjectAttributes", READ, true)                                 \
    X(GET_OBJECT_TAGGING, "s3:GetObjectTagging", READ, true)                                       \
    X(GET_OBJECT_ACL, "s3:GetObjectAcl", READ, true)                                               \
    X(LIST_PARTS, "s3:ListMultipartUploadParts", READ, true)                                       \
    X(PUT_OBJECT, "s3:PutObject", WRITE, true)                                                     \
    X(PUT_OBJECT_TAGGING, "s3:PutObjectTagging", WRITE, true)                                      \
    X(DELETE_OBJECT_TAGGING, "s3:DeleteObjectTagging", WRITE, true)                                \
    X(PUT_OBJECT_ACL, "s3:PutObjectAcl", WRITE, true)                                              \
    X(DELETE_OBJECT, "s3:DeleteObject", WRITE, true)                                               \
    X(DELETE_OBJECT_VERSION, "s3:DeleteObjectVersion", WRITE, true)                                \
    X(ABORT_UPLOAD, "s3:AbortMultipartUpload", WRITE, true)

enum access_action {
#define X(name, text, class, object) ACTION_##name,
    ACCESS_ACTIONS(X)
#undef X
        ACTION_COUNT
};
const char *action_name(enum access_action a); /* "s3:GetObject" */
enum access_class access_class_of(enum access_action a);

/* One thing that somebody wants to do.  All text is lent; .p NULL where there is none. */
struct access_request {
    enum access_action action;
    str bucket, key; /* key empty for a bucket */
    str who;         /* name of the identity; .p NULL: anonymous */
    bool owner;      /* the store's own identity: no policy can lock it out of the policy */
    /* what conditions look at */
    str peer, user_agent, referer, prefix, delimiter, max_keys, acl, version;
    bool secure;
    int64_t now_ms;
};

enum verdict { VERDICT_NONE, VERDICT_ALLOW, VERDICT_DENY };

/* ---- bucket policy */
enum { POLICY_BYTES_MAX = 20 << 10, POLICY_STATEMENTS_MAX = 128 };
struct policy;
/* RC_INVALID says where (line) and what.  `bucket`: every Resource has to lie in it. */
enum rc policy_new(struct policy **ret, str json, str bucket, struct err *e) must_check;
void policy_free(struct policy *p); /* NULL is fine */
/* The first Deny wins, else an Allow, else VERDICT_NONE.  NULL: VERDICT_NONE. */
enum verdict policy_eval(const struct policy *p, const struct access_request *q);
/* Does it allow anything to everybody, without a condition?  ("public" in PolicyStatus) */
bool policy_is_public(const struct policy *p);

/* ---- canned ACLs.  Of Amazon's, those whose grants differ here; others are refused. */
enum canned_acl { ACL_PRIVATE, ACL_PUBLIC_READ, ACL_PUBLIC_READ_WRITE, ACL_AUTHENTICATED_READ };
bool acl_of_name(str s, enum canned_acl *ret); /* owner-only names give ACL_PRIVATE */
const char *acl_name(enum canned_acl a);
/* What the ACL of the bucket (for actions on a bucket, and for writing to it) and that of the
 * object (for reading it) grant. */
enum verdict acl_eval(enum canned_acl bucket, enum canned_acl object,
                      const struct access_request *q);

/* ---- the decision
 * rights: what the identity's own rights say (VERDICT_NONE for anonymous).  A Deny anywhere wins;
 * then one Allow is enough. */
bool access_decide(const struct access_request *q, enum verdict rights, const struct policy *policy,
                   enum canned_acl bucket, enum canned_acl object);

/* '*' any run of bytes, '?' one byte.  Linear in both lengths times the stars of the pattern. */
bool wildcard_match(str pattern, str s, bool fold_case);
/* "10.0.0.0/8", "2001:db8::/32", or an address without a prefix. */
bool cidr_ok(str cidr);
bool cidr_holds(str cidr, str address);

#endif
