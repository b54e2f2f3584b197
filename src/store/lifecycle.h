/* lifecycle.h - the lifecycle configuration of a bucket: what the janitor removes, and when.
 * Private to store/.
 *
 * Source: "Elements to describe lifecycle actions", Amazon S3 user guide.  Transitions to other
 * storage classes are refused: there is one class here.  Days are counted as Amazon does: an action
 * is due at the next midnight (UTC) after so many days. */
#ifndef ANNEAL_STORE_LIFECYCLE_H
#define ANNEAL_STORE_LIFECYCLE_H

#include "base/arena.h"
#include <stdint.h>

enum { LIFECYCLE_RULES_MAX = 1000, LIFECYCLE_BYTES_MAX = 256 << 10, LIFECYCLE_TAGS_MAX = 10 };

struct lifecycle_rule {
    bool enabled;
    str prefix;                     /* empty: all keys */
    str tags[LIFECYCLE_TAGS_MAX];   /* names and ... */
    str values[LIFECYCLE_TAGS_MAX]; /* ... values, encoded as tags.h keeps them */
    size_t tag_n;
    uint64_t bytes_above, bytes_below; /* object size, both exclusive; below 0: no limit */
    /* 0: not said */
    uint32_t days, noncurrent_days, noncurrent_kept, abort_days;
    int64_t date_ms;      /* expiry of all at a date; 0: not said */
    bool expired_markers; /* a delete marker without versions behind it goes */
};
struct lifecycle {
    struct lifecycle_rule *rules;
    size_t n;
};
/* In `a`.  RC_INVALID; RC_UNIMPLEMENTED for what S3 has and this store has not. */
enum rc lifecycle_read(struct arena *a, str xml, struct lifecycle *ret, struct err *e) must_check;
/* Is a thing of this age due?  since_ms: its modification, or when it ceased to be current. */
bool lifecycle_due(int64_t since_ms, uint32_t days, int64_t now_ms);
/* Does the rule's filter fit (key has the prefix already)? */
bool lifecycle_fits(const struct lifecycle_rule *r, str tags, uint64_t bytes);

#endif
