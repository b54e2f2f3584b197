/* recent.c - see recent.h.
 *
 * A table of sets of WAYS rows, of which a new one takes the place of the one least lately used
 * (or of one that is no longer true, first).  A lock for each of LOCKS groups of sets, held while
 * one row is compared and copied.  The hash is keyed: clients choose the names. */
#include "store/recent.h"

#include "base/map.h"
#include "base/mem.h"
#include "store/commit.h"
#include <pthread.h>

enum { WAYS = 4, SETS = RECENT_ROWS / WAYS, LOCKS = 16 };

/* The texts follow one another. */
enum { TEXT_BUCKET, TEXT_KEY, TEXT_ETAG, TEXT_SUM, TEXT_TYPE, TEXT_META, TEXT_TAGS, TEXTS };

/* An object and its content, small; 0 in used_at: empty. */
struct row {
    uint64_t state, used_at;
    int64_t data, place, modified_ms, seq;
    uint32_t hash, bytes, content_bytes; /* both at most PACK_BYTES_MAX */
    uint8_t acl, sum_kind;
    bool null_version, sum_composite;
    uint8_t n[TEXTS];
};
enum { TEXT_BYTES = RECENT_ROW_BYTES - sizeof(struct row) };
struct slot {
    struct row r;
    char text[TEXT_BYTES];
};
_Static_assert(sizeof(struct slot) == RECENT_ROW_BYTES, "the bound in recent.h");
_Static_assert(TEXT_BYTES <= UINT8_MAX, "row.n");
_Static_assert(ACL_AUTHENTICATED_READ <= UINT8_MAX && CHECKSUM_UNKNOWN <= UINT8_MAX,
               "row.acl, row.sum_kind");

struct recent {
    struct slot *slots; /* SETS * WAYS */
    struct {
        pthread_mutex_t mu;
        uint64_t tick;
    } locks[LOCKS];
};

enum rc recent_new(struct recent **ret, struct err *e)
{
    struct recent *t = mem_zalloc(sizeof *t);

    if (t)
        t->slots = mem_zalloc(RECENT_ROWS * sizeof *t->slots);
    if (!t || !t->slots) {
        mem_free(t);
        return err_set(e, RC_NOMEM, "out of memory");
    }
    for (size_t i = 0; i < LOCKS; i++)
        pthread_mutex_init(&t->locks[i].mu, NULL);
    *ret = t;
    return RC_OK;
}

void recent_free(struct recent *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < LOCKS; i++)
        pthread_mutex_destroy(&t->locks[i].mu);
    mem_free(t->slots);
    mem_free(t);
}

/* No bucket's name has a '/'. */
static bool hash_of(str bucket, str key, uint32_t *ret)
{
    char name[TEXT_BYTES + 1];

    if (bucket.n + key.n > TEXT_BYTES)
        return false;
    memcpy(name, bucket.p, bucket.n);
    name[bucket.n] = '/';
    memcpy(name + bucket.n + 1, key.p, key.n);
    *ret = (uint32_t)siphash13(map_key(), (str){name, bucket.n + 1 + key.n});
    return true;
}

static bool is_it(const struct slot *s, uint32_t hash, str bucket, str key)
{
    return s->r.used_at && s->r.hash == hash && s->r.n[TEXT_BUCKET] == bucket.n &&
           s->r.n[TEXT_KEY] == key.n && !memcmp(s->text, bucket.p, bucket.n) &&
           !memcmp(s->text + bucket.n, key.p, key.n);
}

/* ---- reading */

static bool copy_out(const struct slot *s, struct arena *a, struct object *ret_o,
                     struct data_row *ret_row)
{
    const struct row *r = &s->r;
    str text[TEXTS];
    char *p = arena_alloc(a, TEXT_BYTES);

    if (!p)
        return false;
    memcpy(p, s->text, TEXT_BYTES);
    for (size_t i = 0; i < TEXTS; p += r->n[i++])
        text[i] = (str){p, r->n[i]};
    *ret_o = (struct object){.data = r->data,
                             .kind = DATA_PACKED,
                             .bytes = r->bytes,
                             .modified_ms = r->modified_ms,
                             .type = text[TEXT_TYPE],
                             .meta = text[TEXT_META],
                             .tags = text[TEXT_TAGS],
                             .sum.kind = (enum checksum_kind)r->sum_kind,
                             .sum.composite = r->sum_composite,
                             .acl = (enum canned_acl)r->acl,
                             .seq = r->seq,
                             .null_version = r->null_version};
    memcpy(ret_o->etag, text[TEXT_ETAG].p, text[TEXT_ETAG].n); /* NUL follows: the rest is zero */
    memcpy(ret_o->sum.text, text[TEXT_SUM].p, text[TEXT_SUM].n);
    *ret_row = (struct data_row){
        .id = r->data, .kind = DATA_PACKED, .place = r->place, .bytes = r->content_bytes};
    return true;
}

bool recent_get(struct recent *t, uint64_t state, str bucket, str key, struct arena *a,
                struct object *ret_o, struct data_row *ret_row)
{
    uint32_t hash;
    size_t set;
    bool found = false;

    if (committer_busy(state) || !hash_of(bucket, key, &hash))
        return false;
    set = hash % SETS;
    pthread_mutex_lock(&t->locks[set % LOCKS].mu);
    for (size_t i = 0; i < WAYS; i++) {
        struct slot *s = &t->slots[set * WAYS + i];
        if (!is_it(s, hash, bucket, key))
            continue;
        if (s->r.state == state)
            found = copy_out(s, a, ret_o, ret_row);
        if (found)
            s->r.used_at = ++t->locks[set % LOCKS].tick;
        break;
    }
    pthread_mutex_unlock(&t->locks[set % LOCKS].mu);
    return found;
}

/* ---- keeping */

/* The row of this key, or else the one that is missed least. */
static struct slot *place_for(struct slot *set, uint64_t state, uint32_t hash, str bucket, str key)
{
    struct slot *best = set;
    uint64_t best_age = UINT64_MAX;

    for (size_t i = 0; i < WAYS; i++) {
        uint64_t age = set[i].r.state == state ? set[i].r.used_at : 0;
        if (is_it(&set[i], hash, bucket, key))
            return &set[i];
        if (age < best_age) {
            best = &set[i];
            best_age = age;
        }
    }
    return best;
}

static void fill(struct slot *s, const str text[TEXTS], const struct object *o,
                 const struct data_row *row)
{
    char *p = s->text;

    s->r = (struct row){.data = o->data,
                        .place = row->place,
                        .modified_ms = o->modified_ms,
                        .seq = o->seq,
                        .bytes = (uint32_t)o->bytes,
                        .content_bytes = (uint32_t)row->bytes,
                        .acl = (uint8_t)o->acl,
                        .sum_kind = (uint8_t)o->sum.kind,
                        .null_version = o->null_version,
                        .sum_composite = o->sum.composite};
    for (size_t i = 0; i < TEXTS; p += text[i++].n) {
        s->r.n[i] = (uint8_t)text[i].n;
        if (text[i].n)
            memcpy(p, text[i].p, text[i].n);
    }
}

static bool fits(const struct object *o, const struct data_row *row, const str text[TEXTS])
{
    size_t all = 0;

    for (size_t i = 0; i < TEXTS; i++)
        all += text[i].n;
    return !o->marker && row->kind == DATA_PACKED && row->id == o->data && all <= TEXT_BYTES &&
           o->bytes <= PACK_BYTES_MAX && row->bytes <= PACK_BYTES_MAX;
}

void recent_put(struct recent *t, uint64_t state, str bucket, str key, const struct object *o,
                const struct data_row *row)
{
    const str text[TEXTS] = {bucket,  key,     str_of(o->etag), str_of(o->sum.text),
                             o->type, o->meta, o->tags};
    uint32_t hash;
    size_t set;

    if (committer_busy(state) || !fits(o, row, text) || !hash_of(bucket, key, &hash))
        return;
    set = hash % SETS;
    pthread_mutex_lock(&t->locks[set % LOCKS].mu);
    struct slot *s = place_for(&t->slots[set * WAYS], state, hash, bucket, key);
    fill(s, text, o, row);
    s->r.state = state;
    s->r.hash = hash;
    s->r.used_at = ++t->locks[set % LOCKS].tick;
    pthread_mutex_unlock(&t->locks[set % LOCKS].mu);
}
