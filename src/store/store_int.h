/* store_int.h - what the files of the store share.  Private to store/.
 *
 * A request becomes a `struct call` on its worker's stack: checked (route.c), then given to one
 * operation of the route table.  An operation replies and returns S3_OK, or returns the code with
 * which route.c shall answer; `call.err` may add a sentence.
 */
#ifndef ANNEAL_STORE_STORE_INT_H
#define ANNEAL_STORE_STORE_INT_H

#include "net/http.h"
#include "s3/sigv4.h"
#include "store/cors.h"
#include "store/disk.h"
#include "store/identity.h"
#include "store/index.h"
#include "store/store.h"
#include <stdatomic.h>

/* "Error responses", Amazon S3 API reference.  Name, status, code, message.  InsufficientStorage is
 * ours: Amazon's disks are never full. */
#define S3_CODES(X)                                                                                \
    X(ACCESS_DENIED, 403, "AccessDenied", "Access denied")                                         \
    X(BAD_AUTH_HEADER, 400, "AuthorizationHeaderMalformed",                                        \
      "The Authorization header is malformed")                                                     \
    X(BAD_AUTH_QUERY, 400, "AuthorizationQueryParametersError",                                    \
      "The authorization in the query is malformed")                                               \
    X(BAD_DIGEST, 400, "BadDigest", "The digest that was sent is not that of the body")            \
    X(BUCKET_EXISTS, 409, "BucketAlreadyOwnedByYou", "You already own a bucket of this name")      \
    X(BUCKET_TAKEN, 409, "BucketAlreadyExists", "The bucket exists and is another's")              \
    X(BUCKET_NOT_EMPTY, 409, "BucketNotEmpty", "The bucket is not empty")                          \
    X(CORS_FORBIDDEN, 403, "AccessForbidden", "No CORS rule of the bucket allows this request")    \
    X(CONDITION_FAILED, 412, "PreconditionFailed", "A condition of the request does not hold")     \
    X(ENTITY_TOO_LARGE, 400, "EntityTooLarge", "The object is larger than the store's limit")      \
    X(ENTITY_TOO_SMALL, 400, "EntityTooSmall", "A part other than the last is too small")          \
    X(INCOMPLETE_BODY, 400, "IncompleteBody", "The body is not as long as announced")              \
    X(ILLEGAL_VERSIONING, 400, "IllegalVersioningConfigurationException",                          \
      "The versioning configuration is not valid")                                                 \
    X(INSUFFICIENT_STORAGE, 507, "InsufficientStorage", "The store's disk is full")                \
    X(INTERNAL, 500, "InternalError", "The store failed; its log says why")                        \
    X(BAD_KEY_ID, 403, "InvalidAccessKeyId", "The access key is not known here")                   \
    X(BAD_ARGUMENT, 400, "InvalidArgument", "An argument is not valid")                            \
    X(BAD_BUCKET_NAME, 400, "InvalidBucketName", "The bucket's name is not valid")                 \
    X(INVALID_DIGEST, 400, "InvalidDigest", "The Content-MD5 is not a digest")                     \
    X(BAD_PART_NUMBER, 416, "InvalidPartNumber", "The object has no such part")                    \
    X(BAD_STORAGE_CLASS, 400, "InvalidStorageClass",                                               \
      "This store has STANDARD and REDUCED_REDUNDANCY, which are the same")                        \
    X(BAD_TAG, 400, "InvalidTag", "A tag is not valid")                                            \
    X(BAD_PART, 400, "InvalidPart", "A part is unknown, or its ETag is another")                   \
    X(BAD_PART_ORDER, 400, "InvalidPartOrder", "The parts are not in ascending order")             \
    X(BAD_RANGE, 416, "InvalidRange", "The range lies outside the object")                         \
    X(BAD_REQUEST, 400, "InvalidRequest", "The request is not valid")                              \
    X(BAD_URI, 400, "InvalidURI", "The URI could not be read")                                     \
    X(KEY_TOO_LONG, 400, "KeyTooLongError", "The key is longer than 1024 bytes")                   \
    X(MALFORMED_ACL, 400, "MalformedACLError", "The ACL is not one that this store can keep")      \
    X(BAD_POLICY_DOCUMENT, 400, "InvalidPolicyDocument", "The policy of the form is not valid")    \
    X(MALFORMED_POLICY, 400, "MalformedPolicy", "The policy is not valid")                         \
    X(MALFORMED_POST, 400, "MalformedPOSTRequest", "The form is not valid")                        \
    X(MALFORMED_XML, 400, "MalformedXML",                                                          \
      "The XML is not well-formed, or not what is wanted here")                                    \
    X(METADATA_TOO_LARGE, 400, "MetadataTooLarge", "The metadata is larger than 2 KiB")            \
    X(METHOD_NOT_ALLOWED, 405, "MethodNotAllowed", "The method is not allowed here")               \
    X(MISSING_SECURITY_HEADER, 400, "MissingSecurityHeader", "A header is missing")                \
    X(NO_SUCH_BUCKET, 404, "NoSuchBucket", "There is no such bucket")                              \
    X(NO_SUCH_CORS, 404, "NoSuchCORSConfiguration", "The bucket has no CORS configuration")        \
    X(NO_ENCRYPTION, 404, "ServerSideEncryptionConfigurationNotFoundError",                        \
      "The bucket has no encryption configuration")                                                \
    X(NO_LIFECYCLE, 404, "NoSuchLifecycleConfiguration",                                           \
      "The bucket has no lifecycle configuration")                                                 \
    X(NO_OBJECT_LOCK, 404, "ObjectLockConfigurationNotFoundError",                                 \
      "The bucket has no object lock; this store has none to give")                                \
    X(NO_OWNERSHIP, 404, "OwnershipControlsNotFoundError", "The bucket has no ownership controls") \
    X(NO_SUCH_POLICY, 404, "NoSuchBucketPolicy", "The bucket has no policy")                       \
    X(NO_PUBLIC_BLOCK, 404, "NoSuchPublicAccessBlockConfiguration",                                \
      "The bucket has no public access block")                                                     \
    X(NO_REPLICATION, 404, "ReplicationConfigurationNotFoundError",                                \
      "The bucket has no replication configuration")                                               \
    X(NO_TAGS, 404, "NoSuchTagSet", "The bucket has no tags")                                      \
    X(NO_WEBSITE, 404, "NoSuchWebsiteConfiguration", "The bucket has no website configuration")    \
    X(NO_SUCH_VERSION, 404, "NoSuchVersion", "There is no such version of this key")               \
    X(NO_SUCH_KEY, 404, "NoSuchKey", "There is no object of this key")                             \
    X(NO_SUCH_UPLOAD, 404, "NoSuchUpload", "There is no such upload of this key")                  \
    X(NOT_IMPLEMENTED, 501, "NotImplemented", "This store does not do that")                       \
    X(REQUEST_TIMEOUT, 400, "RequestTimeout", "The body came too slowly")                          \
    X(TIME_TOO_SKEWED, 403, "RequestTimeTooSkewed", "The request's time is too far from ours")     \
    X(SIGNATURE_MISMATCH, 403, "SignatureDoesNotMatch", "The signature does not match")            \
    X(SERVICE_UNAVAILABLE, 503, "ServiceUnavailable", "The store cannot do that now; try again")   \
    X(SLOW_DOWN, 503, "SlowDown", "The store is busy; try again")                                  \
    X(SHA_MISMATCH, 400, "XAmzContentSHA256Mismatch",                                              \
      "x-amz-content-sha256 is not that of the body")

enum s3_code {
    S3_OK,
#define X(name, status, code, text) S3_##name,
    S3_CODES(X)
#undef X
        S3_CODE_COUNT
};

enum {
    STORE_XML_BYTES_MAX = 4 << 20, /* a request body that is XML */
    STORE_META_BYTES_MAX = 2048,   /* x-amz-meta-*, as S3 */
    STORE_DELETE_KEYS_MAX = 1000,
    STORE_CHUNK_BYTES = 64 << 10,
};

enum counter {
    COUNT_REQUESTS,
    COUNT_4XX,
    COUNT_5XX,
    COUNT_DENIED,
    COUNT_PUTS,
    COUNT_GETS,
    COUNT_HEADS,
    COUNT_DELETES,
    COUNT_LISTS,
    COUNT_COPIES,
    COUNT_BYTES_IN,
    COUNT_BYTES_OUT,
    COUNT_SWEPT_FILES,
    COUNT_SWEPT_UPLOADS,
    COUNT_DAMAGED_READS, /* a client asked for bytes that are wrong on the disk */
    COUNT_DAMAGED_FOUND, /* contents that the scrub found wrong */
    COUNT_SCRUBBED_BYTES,
    COUNT_PACKED,
    COUNT_COMPACTED_BYTES,
    COUNTERS
};

struct store {
    char *dir, *region, *domain; /* owned; domain empty: path style alone */
    struct buckets *buckets;
    struct identities *identities;
    uint64_t object_bytes_max;
    struct disk disk;
    struct db *db; /* these three are the disk's */
    struct files *files;
    struct committer *committer;
    struct recent *recent;
    struct http_server *http;
    struct keeper *keeper;
    atomic_uint_fast64_t counts[COUNTERS];
};

struct call {
    struct store *s;
    struct http_req *r;
    struct arena *a; /* the request's */
    const struct sigv4_pair *query;
    size_t query_n;
    str bucket, key; /* decoded; key empty for a bucket */
    /* of a form: its fields, in place of headers, for headers_keep */
    const struct sigv4_pair *fields;
    size_t field_n;
    bool virtual_host;  /* the bucket stood in the Host header */
    bool sum_elsewhere; /* x-amz-checksum-* of this request is not of its body */
    bool has_version;
    struct version_id version;
    const struct bucket_info *info; /* of `bucket`; NULL before access_check, or there is none */
    struct sigv4_auth auth;
    const struct identity *who; /* NULL: the request is not signed */
    struct err err;
};

/* store.c */
void store_count(struct store *s, enum counter c, uint64_t n);

/* keep.c: what goes on in the background: packing, compaction, scrubbing, uploads that expire. */
struct keep_config {
    uint64_t compact_bytes_per_s, scrub_bytes_per_s; /* 0: as fast as it goes */
    unsigned dead_percent, scrub_days;               /* scrub_days 0: no scrub */
};
struct keeper;
enum rc keeper_start(struct keeper **ret, struct store *s, const struct keep_config *c,
                     struct err *e) must_check;
void keeper_stop(struct keeper *k); /* NULL is fine */

/* sweep.c: removes what the buckets' lifecycle rules say is due at now_ms. */
enum rc lifecycle_run(struct store *s, int64_t now_ms, struct event *stop, uint64_t *ret_removed,
                      struct err *e) must_check;

/* route.c: the handler of the HTTP server */
void store_handle(struct http_req *r, void *ud);
/* Reading an object: the index and the bytes are at hand nearly always. */
bool store_quick(const struct http_req *r, void *ud);
void store_done(struct http_req *r, int status, double seconds, void *ud);
str call_query(const struct call *c, const char *name); /* .p NULL if absent */

/* reply.c */
enum s3_code s3_code_of(struct call *c, enum rc rc); /* of a failure below; logs the 5xx */
void reply_error(struct call *c, enum s3_code code);
void reply_xml(struct call *c, struct buf *b); /* 200; takes b */
void reply_empty(struct call *c, int status);
void xml_begin(struct buf *b,
               const char *root); /* declaration and opening tag with S3's namespace */
void xml_text(struct buf *b, const char *tag, str text);
void xml_error(struct buf *b, enum s3_code code, str key); /* of one key among many */
/* Amazon tells accounts apart by such a number; here all is one owner's. */
#define STORE_OWNER_ID "616e6e65616c00000000000000000000000000000000000000000000616e6e65"
void xml_owner(struct buf *b, const char *tag);
void xml_u64(struct buf *b, const char *tag, uint64_t v);
void xml_time(struct buf *b, const char *tag, int64_t unix_ms);
void xml_etag(struct buf *b, str etag); /* <ETag>"..."</ETag> */

/* route.c: shorthands */
enum s3_code call_begin_read(struct call *c, struct tx **ret,
                             struct bucket *ret_bucket); /* NO_SUCH_BUCKET */
/* Runs op; a refusal with `code` set is returned as such. */
enum s3_code call_commit(struct call *c, struct commit_op *op, const enum s3_code *refused);
/* For apply(): *refused = code, and the op is marked. */
enum rc refuse(struct commit_op *op, enum s3_code *refused, enum s3_code code);
/* A number in the query, at most max; *ret stays if it is absent.  S3_BAD_ARGUMENT. */
enum s3_code call_number(struct call *c, const char *name, uint64_t max, uint64_t *ret);

/* buckets.c: what every request needs to know of its bucket, kept in memory. */
struct bucket_info {
    struct bucket b;
    char name[64];
    struct policy *policy; /* NULL: none */
    struct cors *cors;     /* NULL: none */
    atomic_uint refs;
};
struct buckets;
enum rc buckets_new(struct buckets **ret, struct err *e) must_check;
void buckets_free(struct buckets *b); /* NULL is fine */
/* A reference; NO_SUCH_BUCKET. */
enum s3_code bucket_info_get(struct call *c, str name, const struct bucket_info **ret);
void bucket_info_unref(const struct bucket_info *i); /* NULL is fine */
/* After the commit that changed it, before the reply. */
void bucket_info_forget(struct store *s, str name);

/* access.c: may the caller do this?  S3_OK or S3_ACCESS_DENIED, which says no more to whoever has
 * no right there. */
enum s3_code call_may(struct call *c, enum access_action action, str bucket, str key);

/* metrics.c: GET /_metrics, for this machine and for whoever signs. */
enum s3_code op_metrics(struct call *c);

/* The operations. */
enum s3_code op_list_buckets(struct call *c), op_create_bucket(struct call *c),
    op_head_bucket(struct call *c), op_delete_bucket(struct call *c),
    op_get_location(struct call *c), op_list_objects(struct call *c),
    op_list_versions(struct call *c), op_list_uploads(struct call *c),
    op_delete_objects(struct call *c), op_put(struct call *c), op_get(struct call *c),
    op_attributes(struct call *c), op_delete(struct call *c), op_upload_create(struct call *c),
    op_upload_part(struct call *c), op_upload_complete(struct call *c),
    op_upload_abort(struct call *c), op_list_parts(struct call *c), op_get_setting(struct call *c),
    op_put_setting(struct call *c), op_delete_setting(struct call *c),
    op_policy_status(struct call *c), op_get_versioning(struct call *c),
    op_put_versioning(struct call *c), op_get_acl(struct call *c), op_put_acl(struct call *c),
    op_get_tags(struct call *c), op_put_tags(struct call *c), op_delete_tags(struct call *c),
    op_fixed(struct call *c), op_form(struct call *c);
enum s3_code bucket_acl_set(struct call *c, enum canned_acl acl);
/* copy.c, called by op_put and op_upload_part when there is an x-amz-copy-source. */
struct copy_source {
    str bucket, key;
    bool has_version;
    struct version_id version;
};
/* Reads the header and asks whether the caller may read that. */
enum s3_code copy_source_read(struct call *c, str header, struct copy_source *ret);
/* x-amz-copy-source-if-*. */
enum s3_code copy_conditions(struct call *c, const struct object *o);
enum s3_code op_copy(struct call *c, str source);
/* The bytes of a part, from an object; and what is replied of it. */
struct intake;
enum s3_code part_copy_take(struct call *c, str header, enum checksum_kind sum, struct intake *in);
void part_copy_reply(struct call *c, const struct object *o);

/* object.c: If-Match and If-None-Match of a request that puts `key`, looked at inside the
 * transaction that does.  *ret_code: S3_OK, S3_CONDITION_FAILED, S3_NO_SUCH_KEY. */
struct put_if {
    str match, none_match; /* .p NULL: not asked */
};
enum s3_code put_if_read(struct call *c, struct put_if *ret);
enum rc put_if_check(const struct put_if *p, struct tx *tx, int64_t bucket, str key,
                     enum s3_code *ret_code, struct err *e) must_check;
/* What a put replies of the object that it has made: ETag, version, checksum. */
void put_headers(struct call *c, const struct object *o);

/* headers.c: a header, a field of the form in its place, or an x-amz-* one that the signer of a URL
 * has moved into the query; .p NULL if absent. */
str call_header(const struct call *c, const char *name);
/* What an object keeps of the headers of its put: type, meta, tags, acl. */
enum s3_code headers_keep(struct call *c, struct object *o);
/* ... and gives back, with the response-* overrides of the query; *ret_type lives in the arena. */
void headers_give(struct call *c, const struct object *o, const char **ret_type);
/* x-amz-version-id, where the bucket has versions. */
void headers_version(struct call *c, const struct object *o);
void headers_sum(struct call *c, const struct sum *s); /* x-amz-checksum-*, and its type */
/* S3_OK, S3_CONDITION_FAILED, or *ret_not_modified. */
enum s3_code headers_conditions(struct call *c, const struct object *o, bool *ret_not_modified);

/* read.c: an object and its bytes, found in one look at the index. */
struct read {
    struct object o;
    struct reader bytes;
    bool taken; /* by the reply */
};
/* What a reader wants of an object: v NULL is the current version. */
struct read_of {
    str bucket, key;
    const struct version_id *v;
    bool bytes; /* and its bytes, or the sizes of its parts */
};
/* NO_SUCH_BUCKET, NO_SUCH_KEY, NO_SUCH_VERSION.  A delete marker is found where v names it
 * (g->o.marker), and is told in the headers of the reply where it hides the key.  *g is for
 * read_done in any case. */
enum s3_code read_open(struct call *c, const struct read_of *of, struct read *g);
void read_done(struct read *g);
/* Replies with n bytes from `at`; S3_OK also where the peer has gone. */
enum s3_code read_send(struct call *c, struct read *g, int status, const char *type, uint64_t at,
                       uint64_t n);
/* Up to cap bytes from `at`, *ret_n at least 1; at < the object's bytes. */
enum s3_code read_some(struct call *c, struct read *g, uint64_t at, void *p, size_t cap,
                       size_t *ret_n);

/* body.c: the body of a request, decoded and verified. */
struct body;
/* sum: the checksum that is wanted of it, beside those that the request claims. */
enum s3_code body_open(struct body **ret, struct call *c, uint64_t bytes_max,
                       enum checksum_kind sum);
enum checksum_kind body_claims(struct call *c); /* by header or trailer; CHECKSUM_NONE */
/* *ret_n 0 at the end, when all that was claimed about the body has been found true. */
enum s3_code body_read(struct body *b, void *p, size_t cap, size_t *ret_n);
void body_sum(const struct body *b, struct sum *ret); /* after the end */
/* The SHA-256 of the body, where the request claims one (NULL: it does not), which is what stands
 * there after the end; lent by the body. */
const uint8_t *body_sha256(const struct body *b);
void body_close(struct body *b);                 /* NULL is fine */
int64_t body_length(const struct body *b);       /* as announced, -1 unknown */
enum s3_code body_xml(struct call *c, str *ret); /* the whole of it, in the arena */

/* intake.c: a body on its way into the index, a segment or a file. */
struct intake {
    struct files *files;
    struct db *db;
    char *small; /* up to PACK_BYTES_MAX */
    size_t small_cap;
    int fd; /* -1: all in small */
    struct blocks_writer blocks;
    struct hasher md5, sha;
    const uint8_t *digest; /* the body's SHA-256, where body.c takes it; NULL: we do */
    bool stored;           /* the file is whole and synced; intake_done() discards it unless kept */
    bool keep;
    struct object o;   /* bytes, etag, sum, modified_ms: whole after intake_take */
    struct data_new d; /* where they are, for index_put */
};
/* Reads the whole body of the request into in->o and in->d. */
enum s3_code intake_take(struct intake *in, struct call *c, uint64_t bytes_max,
                         enum checksum_kind sum);
/* The same from elsewhere: `fill` gives *ret_n 0 at the end.  length: as far as known, or -1. */
typedef enum s3_code (*intake_fill_fn)(void *ud, char *p, size_t cap, size_t *ret_n);
enum s3_code intake_fill(struct intake *in, struct call *c, int64_t length, enum checksum_kind sum,
                         intake_fill_fn fill, void *ud);
/* Nothing taken yet: so that intake_done may be called whatever comes. */
void intake_none(struct intake *in, struct call *c);
void intake_done(struct intake *in);

#endif
