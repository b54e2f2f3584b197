/* transfer.h - objects between storage and this machine, by presigned URLs that the backend grants.
 *
 * Names here follow the store's keys: a grant is asked of the backend with the attempt's own token
 * and covers at most GRANT_KEYS_MAX objects; what is fetched goes through the cache, checked by
 * hash; what is uploaded is named by its hash, so a repeated upload writes the same bytes to the
 * same key.
 *
 * Errors: RC_GONE, the backend no longer knows this attempt; RC_CANCELLED, the attempt is being
 * stopped; RC_CORRUPT, RC_NOT_FOUND name the object; RC_UNAVAILABLE and the like: another try may
 * help.
 */
#ifndef ANNEAL_FLOW_TRAINER_TRANSFER_H
#define ANNEAL_FLOW_TRAINER_TRANSFER_H

#include "flow/trainer/cache.h"
#include "flow/trainer/letters.h"
#include "spec/contract.h"

#include <stdatomic.h>

/* Who asks; lent for the call. */
struct transfer {
    struct cache *cache;
    struct letters *letters; /* NULL: grants are asked for by post alone */
    struct pool *pool; /* shared by all jobs; the caller's thread works as well */
    unsigned connections;
    str token, uploads_url, downloads_url;
    const atomic_bool *cancel;
    struct event *cancel_event; /* set together with cancel: ends waiting */
    int64_t retry_ms;           /* between tries of a grant, doubling */
    struct cache_pins *pins;
};

enum { FETCH_NAME_MAX = 160 };
struct fetch_item {
    char sha256[SHA256_HEX + 1];
    char key[192];
    char name[FETCH_NAME_MAX]; /* for errors: the picture's name; may be "" */
    int64_t bytes;             /* -1: unknown */
    bool done;
};
/* All items into the cache, pinned; at most GRANT_KEYS_MAX.  Items that are there already are not
 * asked for.  ret_fetched_bytes counts what came over the wire. */
enum rc transfer_fetch(const struct transfer *t, struct fetch_item *items, size_t n,
                       uint64_t *ret_fetched_bytes, struct err *e) must_check;

struct upload_item {
    const char *name; /* for the backend's log: "weights" */
    const char *path; /* a file, or NULL: */
    str data;
    const char *type;
    char sha256[SHA256_HEX + 1];
    int64_t bytes;
    char key[256]; /* out */
};
/* Files are hashed first: RC_CORRUPT if they are not what sha256 says. */
enum rc transfer_upload(const struct transfer *t, struct upload_item *items, size_t n,
                        struct err *e) must_check;

/* "s3://BUCKET/a/b" gives "a/b"; RC_INVALID otherwise. */
enum rc s3_uri_key(str uri, char *ret, size_t size, struct err *e) must_check;

#endif
