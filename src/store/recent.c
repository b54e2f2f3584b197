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

/* The texts follow one another: bucket, key, type, meta, tags. */
enum { TEXT_BUCKET, TEXT_KEY, TEXT_TYPE, TEXT_META, TEXT_TAGS, TEXTS };

struct row {
    uint64_t state, hash, used_at; /* used_at 0: empty */
    struct object o;               /* its texts: none */
    int64_t place;
    uint64_t bytes; /* of the content */
    uint16_t n[TEXTS];
};
enum { TEXT_BYTES = RECENT_ROW_BYTES - sizeof(struct row) };
struct slot {
    struct row r;
    char text[TEXT_BYTES];
};
_Static_assert(sizeof(struct slot) == RECENT_ROW_BYTES, "the bound in recent.h");

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
static bool hash_of(str bucket, str key, uint64_t *ret)
{
    char name[TEXT_BYTES + 1];

    if (bucket.n + key.n > TEXT_BYTES)
        return false;
    memcpy(name, bucket.p, bucket.n);
    name[bucket.n] = '/';
    memcpy(name + bucket.n + 1, key.p, key.n);
    *ret = siphash13(map_key(), (str){name, bucket.n + 1 + key.n});
    return true;
}

static bool is_it(const struct slot *s, uint64_t hash, str bucket, str key)
{
    return s->r.used_at && s->r.hash == hash && s->r.n[TEXT_BUCKET] == bucket.n &&
           s->r.n[TEXT_KEY] == key.n && !memcmp(s->text, bucket.p, bucket.n) &&
           !memcmp(s->text + bucket.n, key.p, key.n);
}

/* ---- reading */

static bool copy_out(const struct slot *s, struct arena *a, struct object *ret_o,
                     struct data_row *ret_row)
{
    const uint16_t *n = s->r.n;
    size_t at = (size_t)n[TEXT_BUCKET] + n[TEXT_KEY];
    size_t all = (size_t)n[TEXT_TYPE] + n[TEXT_META] + n[TEXT_TAGS];
    char *p = arena_cstr(a, (str){s->text + at, all});

    if (!p)
        return false;
    *ret_o = s->r.o;
    ret_o->type = (str){p, n[TEXT_TYPE]};
    ret_o->meta = (str){p + n[TEXT_TYPE], n[TEXT_META]};
    ret_o->tags = (str){p + n[TEXT_TYPE] + n[TEXT_META], n[TEXT_TAGS]};
    *ret_row = (struct data_row){
        .id = s->r.o.data, .kind = DATA_PACKED, .place = s->r.place, .bytes = s->r.bytes};
    return true;
}

bool recent_get(struct recent *t, uint64_t state, str bucket, str key, struct arena *a,
                struct object *ret_o, struct data_row *ret_row)
{
    uint64_t hash;
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
static struct slot *place_for(struct slot *set, uint64_t state, uint64_t hash, str bucket, str key)
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
    size_t at = 0;

    s->r.o = *o;
    s->r.o.type = s->r.o.meta = s->r.o.tags = STR_NONE; /* the caller's arena goes */
    s->r.place = row->place;
    s->r.bytes = row->bytes;
    for (size_t i = 0; i < TEXTS; i++) {
        s->r.n[i] = (uint16_t)text[i].n;
        if (text[i].n)
            memcpy(s->text + at, text[i].p, text[i].n);
        at += text[i].n;
    }
}

void recent_put(struct recent *t, uint64_t state, str bucket, str key, const struct object *o,
                const struct data_row *row)
{
    const str text[TEXTS] = {bucket, key, o->type, o->meta, o->tags};
    uint64_t hash;
    size_t set, all = 0;

    for (size_t i = 0; i < TEXTS; i++)
        all += text[i].n;
    if (committer_busy(state) || o->marker || row->kind != DATA_PACKED || row->id != o->data ||
        all > TEXT_BYTES || !hash_of(bucket, key, &hash))
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
