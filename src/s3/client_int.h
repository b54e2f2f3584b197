/* client_int.h - what the files of the S3 client share.  Private to s3/. */
#ifndef ANNEAL_S3_CLIENT_INT_H
#define ANNEAL_S3_CLIENT_INT_H

#include "s3/sigv4.h"
#include "s3/transfer.h"

enum { S3_CALL_S = 3600, S3_URL_BYTES_MAX = 8 << 10, S3_CALL_ARENA_MAX = 256 << 10 };

struct s3 {
    struct s3_config config; /* lent texts */
    struct sigv4_keys keys;
    char *origin; /* "http://host:port", owned */
    str host;     /* inside origin, as the Host header carries it */
};

/* Fills t->url (and t->what) for a key (NULL: the bucket) and runs it. */
enum rc s3_do(struct s3 *s, struct transfer *t, const char *key, const char *query,
              struct client_reply *ret, struct err *e) must_check;

#endif
