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
    X(BUCKET_EXISTS, 409, "BucketAlreadyOwnedByYou", "The bucket exists and is yours")             \
    X(BUCKET_TAKEN, 409, "BucketAlreadyExists", "The bucket exists and is another's")              \
    X(BUCKET_NOT_EMPTY, 409, "BucketNotEmpty", "The bucket is not empty")                          \
    X(CONDITION_FAILED, 412, "PreconditionFailed", "A condition of the request does not hold")     \
    X(ENTITY_TOO_LARGE, 400, "EntityTooLarge", "The object is larger than the store's limit")      \
    X(ENTITY_TOO_SMALL, 400, "EntityTooSmall", "A part other than the last is too small")          \
    X(INCOMPLETE_BODY, 400, "IncompleteBody", "The body is not as long as announced")              \
    X(INSUFFICIENT_STORAGE, 507, "InsufficientStorage", "The store's disk is full")                \
    X(INTERNAL, 500, "InternalError", "The store failed; its log says why")                        \
    X(BAD_KEY_ID, 403, "InvalidAccessKeyId", "The access key is not known here")                   \
    X(BAD_ARGUMENT, 400, "InvalidArgument", "An argument is not valid")                            \
    X(BAD_BUCKET_NAME, 400, "InvalidBucketName", "The bucket's name is not valid")                 \
    X(INVALID_DIGEST, 400, "InvalidDigest", "The Content-MD5 is not a digest")                     \
    X(BAD_PART, 400, "InvalidPart", "A part is unknown, or its ETag is another")                   \
    X(BAD_PART_ORDER, 400, "InvalidPartOrder", "The parts are not in ascending order")             \
    X(BAD_RANGE, 416, "InvalidRange", "The range lies outside the object")                         \
    X(BAD_REQUEST, 400, "InvalidRequest", "The request is not valid")                              \
    X(BAD_URI, 400, "InvalidURI", "The URI could not be read")                                     \
    X(KEY_TOO_LONG, 400, "KeyTooLongError", "The key is longer than 1024 bytes")                   \
    X(MALFORMED_XML, 400, "MalformedXML",                                                          \
      "The XML is not well-formed, or not what is wanted here")                                    \
    X(METADATA_TOO_LARGE, 400, "MetadataTooLarge", "The metadata is larger than 2 KiB")            \
    X(METHOD_NOT_ALLOWED, 405, "MethodNotAllowed", "The method is not allowed here")               \
    X(MISSING_SECURITY_HEADER, 400, "MissingSecurityHeader", "A header is missing")                \
    X(NO_SUCH_BUCKET, 404, "NoSuchBucket", "There is no such bucket")                              \
    X(NO_SUCH_KEY, 404, "NoSuchKey", "There is no object of this key")                             \
    X(NO_SUCH_UPLOAD, 404, "NoSuchUpload", "There is no such upload of this key")                  \
    X(NOT_IMPLEMENTED, 501, "NotImplemented", "This store does not do that")                       \
    X(REQUEST_TIMEOUT, 400, "RequestTimeout", "The body came too slowly")                          \
    X(TIME_TOO_SKEWED, 403, "RequestTimeTooSkewed", "The request's time is too far from ours")     \
    X(SIGNATURE_MISMATCH, 403, "SignatureDoesNotMatch", "The signature does not match")            \
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
    char *dir, *region; /* owned */
    struct identities *identities;
    uint64_t object_bytes_max;
    struct disk disk;
    struct db *db; /* these three are the disk's */
    struct files *files;
    struct committer *committer;
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

/* route.c: the handler of the HTTP server */
void store_handle(struct http_req *r, void *ud);
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
void xml_u64(struct buf *b, const char *tag, uint64_t v);
void xml_time(struct buf *b, const char *tag, int64_t unix_ms);
void xml_etag(struct buf *b, str etag); /* <ETag>"..."</ETag> */

/* route.c: shorthands */
enum s3_code call_begin_read(struct call *c, struct tx **ret,
                             int64_t *ret_bucket); /* NO_SUCH_BUCKET */
/* Runs op; a refusal with `code` set is returned as such. */
enum s3_code call_commit(struct call *c, struct commit_op *op, const enum s3_code *refused);
/* For apply(): *refused = code, and the op is marked. */
enum rc refuse(struct commit_op *op, enum s3_code *refused, enum s3_code code);

/* access.c: may the caller do this in the bucket, with one of these rights (enum right)?  S3_OK or
 * S3_ACCESS_DENIED, which says no more to whoever has no right there. */
enum s3_code call_may(struct call *c, str bucket, unsigned rights);

/* metrics.c: GET /_metrics, for this machine and for whoever signs. */
enum s3_code op_metrics(struct call *c);

/* The operations. */
enum s3_code op_list_buckets(struct call *c), op_create_bucket(struct call *c),
    op_head_bucket(struct call *c), op_delete_bucket(struct call *c),
    op_get_location(struct call *c), op_list_objects(struct call *c),
    op_delete_objects(struct call *c), op_put(struct call *c), op_get(struct call *c),
    op_delete(struct call *c), op_upload_create(struct call *c), op_upload_part(struct call *c),
    op_upload_complete(struct call *c), op_upload_abort(struct call *c),
    op_list_parts(struct call *c);
/* copy.c, called by op_put when there is an x-amz-copy-source. */
enum s3_code op_copy(struct call *c, str source);

/* headers.c: what an object keeps of the headers of its put. */
enum s3_code headers_keep(struct call *c, str *ret_type, str *ret_meta);
/* ... and gives back, with the response-* overrides of the query; *ret_type lives in the arena. */
void headers_give(struct call *c, const struct object *o, const char **ret_type);
/* S3_OK, S3_CONDITION_FAILED, or *ret_not_modified. */
enum s3_code headers_conditions(struct call *c, const struct object *o, bool *ret_not_modified);

/* body.c: the body of a request, decoded and verified. */
struct body;
enum s3_code body_open(struct body **ret, struct call *c, uint64_t bytes_max);
/* *ret_n 0 at the end, when all that was claimed about the body has been found true. */
enum s3_code body_read(struct body *b, void *p, size_t cap, size_t *ret_n);
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
    bool stored; /* the file is whole and synced; intake_done() discards it unless kept */
    bool keep;
    struct object o;   /* bytes, etag, modified_ms: whole after intake_take */
    struct data_new d; /* where they are, for index_put */
};
/* Reads the whole body of the request into in->o and in->inline_body. */
enum s3_code intake_take(struct intake *in, struct call *c, uint64_t bytes_max);
void intake_done(struct intake *in);

#endif
