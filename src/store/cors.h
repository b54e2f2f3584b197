/* cors.h - the CORS configuration of a bucket: which web pages may read replies of the store.
 * Private to store/.
 *
 * Sources: "Elements of a CORS configuration", Amazon S3 user guide; "CORS protocol", WHATWG Fetch.
 * Immutable once made; any thread. */
#ifndef ANNEAL_STORE_CORS_H
#define ANNEAL_STORE_CORS_H

#include "base/buf.h"
#include <stdint.h>

enum { CORS_RULES_MAX = 100, CORS_BYTES_MAX = 64 << 10 };
struct cors;
/* From <CORSConfiguration>.  RC_INVALID. */
enum rc cors_new(struct cors **ret, str xml, struct err *e) must_check;
void cors_free(struct cors *c); /* NULL is fine */

struct cors_answer {
    bool any_origin;   /* "*": the same reply for all */
    str methods;       /* "GET, PUT" */
    str headers;       /* of the rule, for Access-Control-Expose-Headers; may be empty */
    int64_t max_age_s; /* -1: not said */
};
/* The first rule that allows this origin and method and, of a preflight, all the headers it asks
 * for ("a, b"; .p NULL: no preflight).  The texts are the configuration's. */
bool cors_match(const struct cors *c, str origin, str method, str headers, struct cors_answer *ret);

#endif
