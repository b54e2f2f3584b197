/* s3.h - S3 client and AWS Signature Version 4 (query form).
 *
 * Every call presigns its URL and sends it through net/client: one signer serves the client, the
 * links handed to trainers, and the embedded server's checks.  Retries (S3_TRIES, exponential with
 * full jitter) on 5xx, 429 and connection failures of repeatable calls; a download that broke off
 * goes on where it stopped.
 *
 * Checksums end to end: what is put carries its Content-MD5, which the store has to verify.  Where
 * the store's ETag of a plain put is the MD5 (S3's unless it encrypts with keys of its own; known
 * after the first put), it is compared too, as is that of a file's parts, and a whole download of a
 * plain put is verified against its ETag: RC_CORRUPT.
 * Source: AWS "Authenticating Requests: Using Query Parameters (AWS Signature Version 4)".
 */
#ifndef ANNEAL_S3_S3_H
#define ANNEAL_S3_S3_H

#include "base/arena.h"
#include "net/client.h"

enum { S3_TRIES = 4, S3_PART_BYTES = 8 << 20, S3_PARALLEL = 4, S3_PRESIGN_S_MAX = 604800 };

struct s3_config {        /* all lent for the client's life */
    const char *endpoint; /* "http://127.0.0.1:9000" */
    const char *region;   /* "us-east-1" */
    const char *bucket;
    const char *access_key;
    const char *secret_key;
    const char *session_token; /* of temporary credentials; NULL or "": none */
    bool virtual_host;         /* http://BUCKET.HOST/KEY instead of http://HOST/BUCKET/KEY */
};
struct s3;
enum rc s3_open(struct s3 **ret, const struct s3_config *c, struct err *e) must_check;
void s3_close(struct s3 *s);
enum rc s3_make_bucket(struct s3 *s, struct err *e) must_check; /* fine if it exists */
enum rc s3_ping(struct s3 *s, struct err *e) must_check;        /* HEAD bucket, 2 s */

struct s3_stat {
    uint64_t bytes;
    char etag[80];
};
/* A URL that allows one method on one key for `seconds`; lives in `a`.  query may add e.g.
 * "uploadId=..&partNumber=1" (unencoded names and values must be RFC 3986 encoded by the caller);
 * NULL for none. */
enum rc s3_presign(struct s3 *s, struct arena *a, enum http_method m, const char *key,
                   const char *query, int64_t seconds, const char **ret_url,
                   struct err *e) must_check;
enum rc s3_put(struct s3 *s, const char *key, str data, const char *type, struct err *e) must_check;
/* Only if absent (If-None-Match: *); an object already there is RC_OK and *ret_existed true. */
enum rc s3_put_new(struct s3 *s, const char *key, str data, const char *type, bool *ret_existed,
                   struct err *e) must_check;
/* Multipart when large: parts of S3_PART_BYTES or more, S3_PARALLEL at a time, read from the file
 * as they are sent.  If the connection fails for good, the upload stays: a later call for the same
 * key goes on with the parts that the store has whole. */
enum rc s3_put_file(struct s3 *s, const char *key, const char *path, const char *type,
                    struct err *e) must_check;
/* What `out` held before is dropped. */
enum rc s3_get(struct s3 *s, const char *key, struct buf *out, struct err *e) must_check;
enum rc s3_get_range(struct s3 *s, const char *key, uint64_t at, size_t n, struct buf *out,
                     struct err *e) must_check;
enum rc s3_get_stream(struct s3 *s, const char *key, client_sink_fn sink, void *ud,
                      struct err *e) must_check;
enum rc s3_head(struct s3 *s, const char *key, struct s3_stat *ret, struct err *e) must_check;
enum rc s3_delete(struct s3 *s, const char *key, struct err *e) must_check; /* fine if absent */
typedef enum rc (*s3_list_fn)(void *ud, str key, uint64_t bytes, struct err *e);
enum rc s3_list(struct s3 *s, const char *prefix, s3_list_fn each, void *ud,
                struct err *e) must_check;

/* A stream of unknown length becomes a multipart upload in parts of S3_PART_BYTES, each held in
 * memory once; nothing is visible until s3_upload_commit. */
struct s3_upload;
enum rc s3_upload_open(struct s3_upload **ret, struct s3 *s, const char *key, const char *type,
                       struct err *e) must_check;
enum rc s3_upload_write(struct s3_upload *u, const void *p, size_t n, struct err *e) must_check;
enum rc s3_upload_commit(struct s3_upload *u, struct s3_stat *ret, struct err *e) must_check;
void s3_upload_free(struct s3_upload *u); /* aborts unless committed; NULL is fine */

/* ---- plain transfers by presigned URL: all that a trainer may use.  Same retries. */
enum rc url_get_stream(const char *url, client_sink_fn sink, void *ud, struct err *e) must_check;
enum rc url_get(const char *url, struct buf *out, struct err *e) must_check;
enum rc url_put_file(const char *url, const char *path, const char *type, struct err *e) must_check;
enum rc url_put(const char *url, str data, const char *type, struct err *e) must_check;

#endif
