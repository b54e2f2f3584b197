/* client_int.h - what the files of the S3 client share.  Private to s3/. */
#ifndef ANNEAL_S3_CLIENT_INT_H
#define ANNEAL_S3_CLIENT_INT_H

#include "s3/sigv4.h"
#include "s3/transfer.h"
#include <stdatomic.h>

struct s3_etag {
    char text[80];
};

enum { S3_CALL_S = 3600, S3_URL_BYTES_MAX = 8 << 10, S3_CALL_ARENA_MAX = 256 << 10 };

struct s3 {
    struct s3_config config; /* lent texts */
    struct sigv4_keys keys;
    char *origin;            /* "http://host:port", with the bucket if virtual_host; owned */
    str host;                /* inside origin, as the Host header carries it */
    atomic_bool etag_is_md5; /* seen on a put of ours */
};

enum { S3_UPLOAD_ID_MAX = 1024, S3_PARTS_MAX = 10000, S3_MD5_HEADER = 48 };

/* ---- verify.c */
/* "Content-MD5: base64" into ret. */
void s3_md5_header(const uint8_t md5[MD5_BYTES], char ret[S3_MD5_HEADER]);
enum rc s3_md5(str data, uint8_t ret[MD5_BYTES], struct err *e) must_check;
/* The ETag that came for these bytes.  An ETag that is no MD5 is taken; a wrong one is RC_CORRUPT
 * where the store's are known to be MD5. */
enum rc s3_check_put(struct s3 *s, const char *key, const uint8_t md5[MD5_BYTES], const char *etag,
                     struct err *e) must_check;
/* The same for a whole download. */
enum rc s3_check_get(struct s3 *s, const char *key, const uint8_t md5[MD5_BYTES], const char *etag,
                     struct err *e) must_check;
/* A whole download on its way to its sink. */
struct s3_verify {
    struct hasher hash;
    client_sink_fn sink;
    void *ud;
};
enum rc s3_verify_open(struct s3_verify *v, client_sink_fn sink, void *ud,
                       struct err *e) must_check;
enum rc s3_verify_sink(void *ud, const void *p, size_t n, struct err *e);
/* After the last byte; frees, as drop does. */
enum rc s3_verify_end(struct s3_verify *v, struct s3 *s, const char *key, const char *etag,
                      struct err *e) must_check;
void s3_verify_drop(struct s3_verify *v);

/* client.c: a plain put whose bytes are verified; ret_etag has room for 80. */
enum rc s3_put_checked(struct s3 *s, const char *key, str data, const char *type, char *ret_etag,
                       struct err *e) must_check;

/* ---- upload.c, for parallel.c */
enum rc s3_upload_begin(struct s3 *s, const char *key, const char *type,
                        char ret_id[S3_UPLOAD_ID_MAX + 1], struct err *e) must_check;
enum rc s3_upload_end(struct s3 *s, const char *key, const char *id, const struct s3_etag *parts,
                      size_t n, uint64_t bytes, struct s3_stat *ret, struct err *e) must_check;
void s3_upload_abort(struct s3 *s, const char *key, const char *id);

/* ---- parallel.c */
enum rc s3_put_parts(struct s3 *s, const char *key, const char *path, uint64_t bytes,
                     const char *type, struct err *e) must_check;

/* Fills t->url (and t->what) for a key (NULL: the bucket) and runs it. */
enum rc s3_do(struct s3 *s, struct transfer *t, const char *key, const char *query,
              struct client_reply *ret, struct err *e) must_check;

#endif
