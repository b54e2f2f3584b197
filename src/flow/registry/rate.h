/* rate.h - how often a key (a link, an address) may do something: token buckets in memory.
 *
 * A bucket holds `burst` at most and gains `per_minute`; each use takes one.  Bounded: a table of
 * slots by hash, of which the one that was not used for longest gives way.  A restart forgets. */
#ifndef ANNEAL_FLOW_REGISTRY_RATE_H
#define ANNEAL_FLOW_REGISTRY_RATE_H

#include "base/str.h"

struct rate_limit {
    int per_minute, burst;
};
/* RC_LIMIT says when to come again.  Any thread. */
enum rc rate_take(str key, struct rate_limit limit, int64_t now_ms, struct err *e) must_check;

#endif
