/* rate.c - see rate.h. */
#include "flow/registry/rate.h"

#include "base/hash.h"

#include <pthread.h>
#include <string.h>

enum { BUCKETS = 1024, WAYS = 4, MINUTE_MS = 60000 };

struct slot {
    uint8_t key[SHA256_BYTES];
    int64_t used_ms; /* 0: free */
    double level;
};
static struct slot table[BUCKETS][WAYS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* The key's slot, or one that gives way, emptied.  The caller holds the lock. */
static struct slot *slot_of(str key, double full)
{
    uint8_t digest[SHA256_BYTES];
    struct slot *bucket, *oldest;

    sha256(key, digest);
    bucket = table[(digest[0] << 8 | digest[1]) % BUCKETS];
    oldest = bucket;
    for (int i = 0; i < WAYS; i++) {
        if (bucket[i].used_ms && same_bytes(bucket[i].key, digest, SHA256_BYTES))
            return &bucket[i];
        if (bucket[i].used_ms < oldest->used_ms)
            oldest = &bucket[i];
    }
    memcpy(oldest->key, digest, sizeof digest);
    oldest->used_ms = 0;
    oldest->level = full;
    return oldest;
}

enum rc rate_take(str key, struct rate_limit limit, int64_t now_ms, struct err *e)
{
    enum rc rc = RC_OK;

    pthread_mutex_lock(&lock);
    struct slot *s = slot_of(key, limit.burst);
    if (s->used_ms && now_ms > s->used_ms)
        s->level += (double)(now_ms - s->used_ms) * limit.per_minute / MINUTE_MS;
    if (s->level > limit.burst)
        s->level = limit.burst;
    s->used_ms = now_ms > 0 ? now_ms : 1;
    if (s->level >= 1)
        s->level -= 1;
    else
        rc = err_set(e, RC_LIMIT, "too many requests by this link; try again in %d seconds",
                     (int)((1 - s->level) * 60 / limit.per_minute) + 1);
    pthread_mutex_unlock(&lock);
    return rc;
}
