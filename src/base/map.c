/* map.c - slots in order of insertion, and an open-addressed index into them.
 *
 * index[i] is 0 (free), SLOT_GONE (removed) or a slot's number + 1.  The index is at most half full
 * and a power of two; slots are compacted when they run out of room, never by a removal, so that a
 * loop may remove what it stands on.  SipHash-1-3: Aumasson and Bernstein, "SipHash: a fast
 * short-input PRF" (2012), with 1 compression and 3 finalisation rounds; its key: map_key.c.
 */
#include "base/map.h"

#include "base/mem.h"

#include <string.h>

static const uint32_t SLOT_GONE = UINT32_MAX;
enum { MAP_SLOTS_MAX = 1 << 30 };

static uint64_t rotl(uint64_t x, int b)
{
    return x << b | x >> (64 - b);
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotl(v[1], 13) ^ v[0];
    v[0] = rotl(v[0], 32);
    v[2] += v[3];
    v[3] = rotl(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotl(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotl(v[1], 17) ^ v[2];
    v[2] = rotl(v[2], 32);
}

uint64_t siphash13(const uint64_t key[2], str s)
{
    uint64_t v[4] = {key[0] ^ 0x736f6d6570736575u, key[1] ^ 0x646f72616e646f6du,
                     key[0] ^ 0x6c7967656e657261u, key[1] ^ 0x7465646279746573u};
    uint64_t word = 0, tail = (uint64_t)s.n << 56;
    size_t i;

    for (i = 0; i + 8 <= s.n; i += 8) {
        memcpy(&word, s.p + i, 8);
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
    }
    for (size_t k = 0; i + k < s.n; k++)
        tail |= (uint64_t)(unsigned char)s.p[i + k] << (8 * k);
    v[3] ^= tail;
    sip_round(v);
    v[0] ^= tail;
    v[2] ^= 0xff;
    for (int k = 0; k < 3; k++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static uint64_t map_hash(str key)
{
    return siphash13(map_key(), key);
}

void map_init(struct map *m)
{
    *m = (struct map){0};
}

void map_done(struct map *m)
{
    for (size_t i = 0; i < m->n; i++)
        mem_free(m->slots[i].key);
    mem_free(m->slots);
    mem_free(m->index);
    map_init(m);
}

/* The place in the index of the slot with this key, or -1. */
static ptrdiff_t find(const struct map *m, str key, uint64_t hash)
{
    size_t mask = m->index_cap - 1;

    if (!m->index_cap)
        return -1;
    for (size_t at = hash & mask;; at = (at + 1) & mask) {
        const struct map_slot *s;
        if (m->index[at] == 0)
            return -1;
        if (m->index[at] == SLOT_GONE)
            continue;
        s = &m->slots[m->index[at] - 1];
        if (s->hash == hash && s->key_n == key.n && (!key.n || !memcmp(s->key, key.p, key.n)))
            return (ptrdiff_t)at;
    }
}

static void index_add(uint32_t *index, size_t cap, uint64_t hash, size_t slot)
{
    size_t at = hash & (cap - 1);

    while (index[at] != 0)
        at = (at + 1) & (cap - 1);
    index[at] = (uint32_t)(slot + 1);
}

/* Room for one more slot: removed ones are squeezed out, the arrays double when that is not enough.
 * The index is rebuilt, which also clears its SLOT_GONE marks. */
static bool map_room(struct map *m)
{
    size_t cap = m->cap ? m->cap : 8, live = 0;
    struct map_slot *slots;
    uint32_t *index;

    if (m->n < m->cap)
        return true;
    if (m->live >= cap - cap / 4)
        cap *= 2;
    if (cap > MAP_SLOTS_MAX)
        return false;
    slots = mem_alloc_array(cap, sizeof *slots);
    index = mem_alloc_array(cap * 2, sizeof *index);
    if (!slots || !index) {
        mem_free(slots);
        mem_free(index);
        return false;
    }
    for (size_t i = 0; i < m->n; i++) {
        if (!m->slots[i].key)
            continue;
        slots[live] = m->slots[i];
        index_add(index, cap * 2, slots[live].hash, live);
        live++;
    }
    mem_free(m->slots);
    mem_free(m->index);
    m->slots = slots;
    m->index = index;
    m->n = live;
    m->cap = cap;
    m->index_cap = cap * 2;
    return true;
}

void *map_get(const struct map *m, str key)
{
    ptrdiff_t at = m->live ? find(m, key, map_hash(key)) : -1;

    return at < 0 ? NULL : m->slots[m->index[at] - 1].value;
}

bool map_has(const struct map *m, str key)
{
    return m->live && find(m, key, map_hash(key)) >= 0;
}

enum rc map_put(struct map *m, str key, void *value, struct err *e)
{
    uint64_t hash = map_hash(key);
    ptrdiff_t at = find(m, key, hash);
    char *copy;

    if (at >= 0) {
        m->slots[m->index[at] - 1].value = value;
        return RC_OK;
    }
    copy = mem_strndup(key.p, key.n);
    if (!copy || !map_room(m)) {
        mem_free(copy);
        return err_set(e, RC_NOMEM, "out of memory for a map of %zu keys", m->live + 1);
    }
    m->slots[m->n] = (struct map_slot){copy, key.n, hash, value};
    index_add(m->index, m->index_cap, hash, m->n);
    m->n++;
    m->live++;
    return RC_OK;
}

void *map_remove(struct map *m, str key)
{
    ptrdiff_t at = m->live ? find(m, key, map_hash(key)) : -1;
    struct map_slot *s;
    void *value;

    if (at < 0)
        return NULL;
    s = &m->slots[m->index[at] - 1];
    value = s->value;
    mem_free(s->key);
    *s = (struct map_slot){0};
    m->index[at] = SLOT_GONE;
    m->live--;
    return value;
}

size_t map_count(const struct map *m)
{
    return m->live;
}

bool map_next(const struct map *m, size_t *i, str *ret_key, void **ret_value)
{
    while (*i < m->n && !m->slots[*i].key)
        ++*i;
    if (*i >= m->n)
        return false;
    if (ret_key)
        *ret_key = (str){m->slots[*i].key, m->slots[*i].key_n};
    if (ret_value)
        *ret_value = m->slots[*i].value;
    ++*i;
    return true;
}
