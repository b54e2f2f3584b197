/* multipart.h - the multipart parser over any source, for its test and its fuzzer.  Handlers use
 * multipart_open() of http.h. */
#ifndef ANNEAL_NET_MULTIPART_H
#define ANNEAL_NET_MULTIPART_H

#include "net/http.h"

enum {
    MULTIPART_BUFFER = 32 * 1024, /* all it ever holds of a body */
    MULTIPART_HEADER_MAX = 8 * 1024, /* bytes of one part's headers, and of the preamble */
    MULTIPART_PARTS_MAX = 10000,
    MULTIPART_BOUNDARY_MAX = 70, /* RFC 2046, 5.1.1 */
    MULTIPART_NAME_MAX = 256,
    MULTIPART_FILENAME_MAX = 1024,
    MULTIPART_TYPE_MAX = 128,
};

typedef enum rc (*multipart_fill_fn)(void *ud, void *p, size_t cap, size_t *ret_n, struct err *e);
/* Lives in `a`; boundary is copied. */
enum rc multipart_new(struct multipart **ret, struct arena *a, str boundary,
                      multipart_fill_fn fill, void *ud, struct err *e) must_check;

#endif
