/* throttle.c - counts failed log-ins for each account and address.
 *
 * In memory and bounded: a table of slots by hash, the oldest of a bucket gives way.  A restart
 * forgets, which costs an attacker more than it gives. */
#include "flow/people/people_int.h"

#include <pthread.h>
#include <string.h>

enum { BUCKETS = 1024, WAYS = 4 };

struct slot {
    uint8_t key[SHA256_BYTES];
    int64_t since_ms;
    int failures;
};
static struct slot table[BUCKETS][WAYS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* The key's slot, or the oldest one of its bucket.  The caller holds the lock. */
static struct slot *slot_of(str key, uint8_t digest[SHA256_BYTES], bool *ret_found)
{
    struct slot *bucket, *oldest;

    sha256(key, digest);
    bucket = table[(digest[0] << 8 | digest[1]) % BUCKETS];
    oldest = bucket;
    for (int i = 0; i < WAYS; i++) {
        *ret_found = bucket[i].failures && !memcmp(bucket[i].key, digest, SHA256_BYTES);
        if (*ret_found)
            return &bucket[i];
        if (bucket[i].since_ms < oldest->since_ms)
            oldest = &bucket[i];
    }
    return oldest;
}

enum rc throttle_check(str key, int64_t now_ms, struct err *e)
{
    uint8_t digest[SHA256_BYTES];
    bool found, full;
    struct slot *s;

    pthread_mutex_lock(&lock);
    s = slot_of(key, digest, &found);
    full = found && now_ms - s->since_ms < LOGIN_WINDOW_MS && s->failures >= LOGIN_FAILURES_MAX;
    pthread_mutex_unlock(&lock);
    return full ? err_set(e, RC_LIMIT, "too many failed log-ins; wait %d minutes and try again",
                          LOGIN_WINDOW_MS / 60000)
                : RC_OK;
}

void throttle_failed(str key, int64_t now_ms)
{
    uint8_t digest[SHA256_BYTES];
    struct slot *s;
    bool found;

    pthread_mutex_lock(&lock);
    s = slot_of(key, digest, &found);
    if (!found || now_ms - s->since_ms >= LOGIN_WINDOW_MS) {
        memcpy(s->key, digest, sizeof digest);
        s->since_ms = now_ms;
        s->failures = 0;
    }
    s->failures++;
    pthread_mutex_unlock(&lock);
}

void throttle_clear(str key)
{
    uint8_t digest[SHA256_BYTES];
    struct slot *s;
    bool found;

    pthread_mutex_lock(&lock);
    s = slot_of(key, digest, &found);
    if (found)
        s->failures = 0;
    pthread_mutex_unlock(&lock);
}
