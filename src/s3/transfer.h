/* transfer.h - one HTTP exchange with an object store, repeated as long as that is right.
 * Private to s3/. */
#ifndef ANNEAL_S3_TRANSFER_H
#define ANNEAL_S3_TRANSFER_H

#include "s3/s3.h"

enum { S3_ERROR_BYTES_MAX = 64 << 10, S3_HEADERS_MAX = 8 };

struct transfer {
    enum http_method method;
    const char *url;
    const char *what; /* names the object in error texts, e.g. "checkpoints/ab12" */
    const char *headers[S3_HEADERS_MAX]; /* ends with NULL */
    str body;
    client_source_fn source; /* with source_bytes; needs `rewind` to be repeated */
    int64_t source_bytes;
    enum rc (*rewind)(void *ud, struct err *e); /* puts the source back to its start */
    void *source_ud;
    client_sink_fn sink;
    void *sink_ud;
    struct buf *out;     /* reply body without a sink */
    int64_t timeout_ms;  /* as in client_call */
    int tries;           /* 0: S3_TRIES */
    bool accept_missing; /* 404 is RC_OK; look at reply.status */
};
/* RC_OK for a status below 300.  Else the rc that fits the status, with the store's own <Code> and
 * <Message> in the text.  Connection failures, 429 and 500/502/503/504 are tried again; a download
 * that broke off goes on where it stopped, held to the same ETag. */
enum rc transfer_do(const struct transfer *t, struct client_reply *ret, struct err *e) must_check;

#endif
