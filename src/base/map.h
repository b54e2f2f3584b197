/* map.h - hash map from bytes to a pointer.  Keys are copied, values are the caller's.
 * Keyed SipHash-1-3 with a per-process key, so outside data cannot choose collisions.
 * Iteration order is insertion order.  One owner thread. */
#ifndef ANNEAL_BASE_MAP_H
#define ANNEAL_BASE_MAP_H

#include "base/str.h"

struct map_slot {
    char *key; /* NUL-terminated copy; NULL: removed */
    size_t key_n;
    uint64_t hash;
    void *value;
};
struct map {
    struct map_slot *slots; /* in order of insertion */
    uint32_t *index;
    size_t n, live, cap, index_cap;
};

void map_init(struct map *m);
void map_done(struct map *m);
void *map_get(const struct map *m, str key); /* NULL if absent */
bool map_has(const struct map *m, str key);
enum rc map_put(struct map *m, str key, void *value, struct err *e) must_check; /* replaces */
void *map_remove(struct map *m, str key); /* the value, or NULL */
size_t map_count(const struct map *m);
/* for (size_t i = 0; map_next(m, &i, &key, &value);) */
bool map_next(const struct map *m, size_t *i, str *ret_key, void **ret_value);

/* SipHash-1-3, and the key of this process (thread-safe). */
uint64_t siphash13(const uint64_t key[2], str s);
const uint64_t *map_key(void);

#endif
