/* chunked.h - the aws-chunked body: framing, signatures of the chunks, trailers.  Private to
 * store/.
 *
 *     HEX-SIZE[;chunk-signature=HEX]CRLF data CRLF ... 0[;chunk-signature=HEX]CRLF [name:value
 * CRLF]... CRLF
 *
 * A push parser: bytes go in, spans of the decoded data come out, pointing into the input; memory
 * is one short line. Source: AWS "Signature Calculations for the Authorization Header: Transferring
 * Payload in Multiple Chunks", "... Including Trailing Headers".
 */
#ifndef ANNEAL_STORE_CHUNKED_H
#define ANNEAL_STORE_CHUNKED_H

#include "base/buf.h"
#include "s3/sigv4.h"

enum { CHUNKED_LINE_MAX = 512, CHUNKED_TRAILERS_BYTES_MAX = 2048 };

struct chunked {
    bool is_signed, has_trailer; /* by x-amz-content-sha256 */
    str region;                  /* lent */
    struct sigv4_auth auth;      /* signature: of the chunk before */
    int state;
    uint64_t left; /* of this chunk's data */
    char line[CHUNKED_LINE_MAX];
    size_t line_n;
    char signature[SHA256_HEX + 1]; /* claimed for this chunk */
    struct hasher sha;              /* over this chunk's data */
    struct buf trailers;            /* "name:value\n", names in lower case */
};
/* False if `payload` (x-amz-content-sha256) names no aws-chunked form that we know. */
bool chunked_form(str payload, bool *ret_signed, bool *ret_trailer);
enum rc chunked_init(struct chunked *c, const struct sigv4_auth *auth, str region,
                     struct err *e) must_check;
void chunked_done(struct chunked *c);
/* Takes *ret_used of the n bytes and gives a span of data (may be empty).  RC_INVALID: broken
 * framing; RC_FORBIDDEN: a signature does not match. */
enum rc chunked_feed(struct chunked *c, const char *p, size_t n, size_t *ret_used, str *ret_data,
                     struct err *e) must_check;
bool chunked_ended(const struct chunked *c);
/* A trailer's value, white space trimmed; .p NULL if absent. */
str chunked_trailer(const struct chunked *c, const char *name);

#endif
