/* sigv4.h - AWS Signature Version 4 for S3: one implementation signs for the client and checks for
 * the embedded server.
 *
 * Pure functions over text: no sockets, no clock (now_ms is given), no heap but the caller's arena,
 * so that published vectors and a fuzzer reach every line.
 * Sources: AWS "Authenticating Requests: Using the Authorization Header" and "... Using Query
 * Parameters (AWS Signature Version 4)", Amazon S3 API reference; RFC 3986 for the encoding.
 */
#ifndef ANNEAL_S3_SIGV4_H
#define ANNEAL_S3_SIGV4_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/hash.h"

enum {
    SIGV4_PARAMS_MAX = 128,  /* query parameters of one request */
    SIGV4_HEADERS_MAX = 128, /* headers of one request */
    SIGV4_CANONICAL_MAX = 64 << 10,
    SIGV4_SKEW_S = 900,          /* a clock may be off by this much, either way */
    SIGV4_EXPIRES_S_MAX = 604800 /* a presigned URL lives 7 days at most */
};

struct sigv4_pair {
    str name, value;
};
struct sigv4_keys {
    str access_key, secret_key, region;
    str session_token; /* of temporary credentials; empty: none.  Signed along. */
};
/* A request as it stands on the wire. */
struct sigv4_request {
    str method;
    str path;                         /* percent-encoded, as received; begins with '/' */
    str query;                        /* percent-encoded, without '?'; may be empty */
    const struct sigv4_pair *headers; /* as received; names in any case */
    size_t header_count;
};

/* Appends s encoded for a URI: unreserved characters of RFC 3986 stay, all else is %XX in upper
 * case; '/' stays too if keep_slash. */
void sigv4_encode(struct buf *out, str s, bool keep_slash);
/* Decodes %XX (and '+' as a space in a query) into `a`.  RC_INVALID for a broken escape. */
enum rc sigv4_decode(struct arena *a, str s, bool plus_is_space, str *ret,
                     struct err *e) must_check;
/* Splits a query into decoded pairs in `a`.  A name without '=' has an empty value.  RC_INVALID for
 * a broken escape, RC_LIMIT past SIGV4_PARAMS_MAX. */
enum rc sigv4_query(struct arena *a, str raw, struct sigv4_pair **ret, size_t *ret_n,
                    struct err *e) must_check;
/* The value of the first pair of that name; .p NULL if absent. */
str sigv4_find(const struct sigv4_pair *p, size_t n, const char *name);
/* Value of the first header of that name (case folded), white space trimmed; .p NULL if absent. */
str sigv4_header(const struct sigv4_request *q, const char *name);

/* "20130524T000000Z" and back; seconds of Unix time. */
enum { SIGV4_TIME_TEXT = 17 };
void sigv4_time_text(int64_t unix_s, char ret[SIGV4_TIME_TEXT]);
bool sigv4_time_parse(str s, int64_t *ret_unix_s);

/* HMAC chain over date (YYYYMMDD), region, "s3", "aws4_request". */
void sigv4_signing_key(str secret, str date8, str region, uint8_t ret[SHA256_BYTES]);
/* Canonical request (step 1).  `signed_headers` is the list "host;range;x-amz-date"; a header that
 * it names and the request lacks is RC_INVALID.  X-Amz-Signature is left out of the query. */
enum rc sigv4_canonical(struct arena *a, struct buf *out, const struct sigv4_request *q,
                        str signed_headers, str payload_hash, struct err *e) must_check;
/* Steps 2 and 3 over a canonical request: the signature in hex.  amz_time is "20130524T000000Z". */
void sigv4_sign(const uint8_t key[SHA256_BYTES], str amz_time, str region, str canonical,
                char ret[SHA256_HEX + 1]);

/* Appends origin + path + query of a URL that allows `method` on `path` for `seconds` from now_ms.
 * origin is "http://host:port", host as the Host header will carry it; path and query are encoded
 * already.  Signed headers: host.  Payload: UNSIGNED-PAYLOAD. */
struct sigv4_url {
    str method, origin, host, path, query;
    int64_t seconds, now_ms;
};
enum rc sigv4_presign(struct arena *a, struct buf *out, const struct sigv4_keys *k,
                      const struct sigv4_url *u, struct err *e) must_check;

/* What a check found; the server turns it into S3's code. */
enum sigv4_fault {
    SIGV4_VALID,
    SIGV4_ABSENT,      /* no credentials in the request */
    SIGV4_BAD_VERSION, /* another scheme than AWS4-HMAC-SHA256 */
    SIGV4_BAD_HEADER,  /* Authorization malformed, or for another region or service */
    SIGV4_BAD_QUERY,   /* the same for X-Amz-* parameters */
    SIGV4_BAD_URI,     /* path or query are not valid percent-encoding */
    SIGV4_BAD_DATE,    /* no time, or not one */
    SIGV4_UNKNOWN_KEY, /* no such access key */
    SIGV4_SKEWED,      /* clocks differ by more than SIGV4_SKEW_S */
    SIGV4_EXPIRED,     /* a presigned URL is past its time, or before it */
    SIGV4_NOT_SIGNED,  /* an x-amz-* header, or host, is outside the signature */
    SIGV4_NO_PAYLOAD,  /* header form without x-amz-content-sha256 */
    SIGV4_MISMATCH,
    SIGV4_NOMEM
};
struct sigv4_auth {
    bool presigned;
    str access_key;             /* lent by the request or the arena */
    str payload;                /* x-amz-content-sha256, or UNSIGNED-PAYLOAD; lent by the request */
    char time[SIGV4_TIME_TEXT]; /* for the chunks of an aws-chunked body: */
    char signature[SHA256_HEX + 1];
    uint8_t key[SHA256_BYTES];
};
/* Whose signatures are accepted.  find gives the signing key of an access key for a day (YYYYMMDD),
 * so that secrets stay with whoever keeps them; false: there is no such key, or it is not valid
 * now.  Any thread. */
struct sigv4_keyring {
    str region;
    bool (*find)(void *ud, str access_key, str date8, uint8_t ret[SHA256_BYTES]);
    void *ud;
};
/* The ring of one key; `k` is lent. */
struct sigv4_keyring sigv4_ring_of(const struct sigv4_keys *k);
/* Compares in constant time.  *ret is filled on SIGV4_VALID; otherwise `e` says why, for people. */
enum sigv4_fault sigv4_verify(struct arena *a, const struct sigv4_request *q,
                              const struct sigv4_keyring *ring, int64_t now_ms,
                              struct sigv4_auth *ret, struct err *e) must_check;

#endif
