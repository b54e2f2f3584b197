/* identity.c - see identity.h: what requests look at.  Rights and names: rights.c; changes:
 * identity_change.c.
 *
 * What requests look at is a `struct state`: every identity with its keys in clear, immutable but
 * for the cache of signing keys, counted by references.  A change makes a new one at the next
 * request; requests under way keep the old.
 *
 * 1. The word in identity.seq is read before the rows: a change that comes between is seen next
 * time.
 * 2. A state that cannot be read is replaced by one with the configured identity alone, and tried
 *    again at every request: a disabled key does not come back to life with a bad disk.
 */
#include "store/identity_int.h"

#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "os/os.h"
#include "s3/sigv4.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

enum { DAYS_CACHED = 2, DATE_BYTES = 8, SECRET_BYTES = 132 };

struct key {
    struct identity *of;
    int64_t expires_ms; /* 0: never */
    char secret[SECRET_BYTES];
    struct {
        char date[DATE_BYTES];
        uint8_t signing[SHA256_BYTES];
    } days[DAYS_CACHED]; /* guarded by the state's lock */
    unsigned next_day;
};
struct identity {
    struct state *state;
    str name;
    bool root, disabled;
    const struct grant *grants;
    size_t grants_n;
};
struct state {
    struct arena a;
    struct map keys; /* access key -> struct key */
    atomic_uint refs;
    size_t count;
    pthread_mutex_t lock; /* of the cached days */
};

/* ---- the state */

static void state_unref(struct state *t)
{
    void *key;
    str name;

    if (!t || atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; map_next(&t->keys, &i, &name, &key);)
        forget(key, sizeof(struct key));
    map_done(&t->keys);
    arena_done(&t->a);
    pthread_mutex_destroy(&t->lock);
    mem_free(t);
}

static struct state *state_new(void)
{
    struct state *t = mem_zalloc(sizeof *t);

    if (!t)
        return NULL;
    arena_init(&t->a, 64 << 20);
    map_init(&t->keys);
    atomic_init(&t->refs, 1);
    pthread_mutex_init(&t->lock, NULL);
    return t;
}

static enum rc no_memory(struct err *e)
{
    return err_set(e, RC_NOMEM, "out of memory for the identities");
}

static enum rc state_key(struct state *t, struct identity *who, str access_key, str secret,
                         int64_t expires_ms, struct err *e)
{
    struct key *k = ARENA_NEW(&t->a, struct key);

    if (!k)
        return no_memory(e);
    k->of = who;
    k->expires_ms = expires_ms;
    snprintf(k->secret, sizeof k->secret, "%.*s", STR_F(secret));
    return map_put(&t->keys, access_key, k, e);
}

static struct identity *state_identity(struct state *t, str name)
{
    struct identity *who = ARENA_NEW(&t->a, struct identity);

    if (!who)
        return NULL;
    who->state = t;
    who->name = arena_str(&t->a, name);
    t->count++;
    return who->name.p ? who : NULL;
}

struct load {
    struct identities *s;
    struct state *t;
};

static enum rc load_grants(struct state *t, struct identity *who, const struct identity_row *row)
{
    struct grant *g = ARENA_ARRAY(&t->a, struct grant, row->grants_n + 1);

    if (!g)
        return RC_NOMEM;
    for (size_t i = 0; i < row->grants_n; i++) {
        g[i] = (struct grant){arena_str(&t->a, row->grants[i].pattern), row->grants[i].rights};
        if (!g[i].pattern.p)
            return RC_NOMEM;
    }
    who->grants = g;
    who->grants_n = row->grants_n;
    return RC_OK;
}

static enum rc load_row(void *ud, const struct idsql_row *x, struct err *e)
{
    struct load *l = ud;
    struct identity *who = state_identity(l->t, x->row.name);
    char secret[SECRET_KEY_TEXT];
    enum rc rc = RC_OK;

    if (!who || load_grants(l->t, who, &x->row))
        return no_memory(e);
    who->disabled = x->row.disabled;
    for (size_t i = 0; !rc && i < x->row.keys_n; i++) {
        const struct key_row *k = &x->row.keys[i];
        rc = unseal(l->s->master, k->access_key, x->sealed[i], secret, e);
        if (!rc)
            rc = state_key(l->t, who, k->access_key, str_of(secret), k->expires_ms, e);
        forget(secret, sizeof secret);
    }
    return rc;
}

/* Last, so that a row of the same access key does not stand in its place. */
static enum rc load_root(struct identities *s, struct state *t, struct err *e)
{
    struct identity *who;

    if (!s->access_key[0])
        return RC_OK;
    who = state_identity(t, STR(IDENTITY_ROOT));
    if (!who)
        return no_memory(e);
    who->root = true;
    return state_key(t, who, str_of(s->access_key), str_of(s->secret_key), 0, e);
}

static uint64_t read_seq(const struct identities *s)
{
    uint64_t word = 0;

    if (os_sys.pread(s->seq_fd, &word, sizeof word, 0) < 0)
        return 0; /* a change is then seen at the next start: the disk has worse to tell */
    return word;
}

/* A new state of the rows; with_rows false: of the configured identity alone. */
static enum rc state_load(struct identities *s, bool with_rows, struct state **ret, struct err *e)
{
    struct load l = {s, state_new()};
    struct tx *tx;
    enum rc rc = l.t ? RC_OK : no_memory(e);

    if (!rc && with_rows) {
        rc = db_begin(s->db, DB_READ, &tx, e);
        if (!rc) {
            rc = idsql_each(tx, os_now_ms(), load_row, &l, e);
            tx_rollback(tx);
        }
    }
    if (!rc)
        rc = load_root(s, l.t, e);
    if (rc)
        state_unref(l.t);
    else
        *ret = l.t;
    return rc;
}

/* Under the lock. */
static void renew(struct identities *s, uint64_t seq)
{
    struct state *t = NULL;
    struct err e = {0};
    bool bad = state_load(s, true, &t, &e) != RC_OK;

    if (bad) {
        if (!atomic_load(&s->stale))
            log_error("store: reading the identities: %s; until that works only the configured "
                      "one is let in",
                      e.text);
        if (state_load(s, false, &t, &e))
            return; /* not even that: the old state stays, and the next request tries again */
    }
    state_unref(s->state);
    s->state = t;
    atomic_store(&s->seq, seq);
    atomic_store(&s->stale, bad);
}

static struct state *state_ref(struct identities *s)
{
    uint64_t seq = read_seq(s);
    struct state *t;

    pthread_mutex_lock(&s->lock);
    if (seq != atomic_load(&s->seq) || atomic_load(&s->stale))
        renew(s, seq);
    t = s->state;
    atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
    pthread_mutex_unlock(&s->lock);
    return t;
}

/* ---- at each request */

static void signing_key(struct identities *s, struct state *t, struct key *k, str date8,
                        uint8_t ret[SHA256_BYTES])
{
    uint8_t made[SHA256_BYTES];
    bool found = false;

    pthread_mutex_lock(&t->lock);
    for (size_t i = 0; !found && i < DAYS_CACHED; i++) {
        found = !memcmp(k->days[i].date, date8.p, DATE_BYTES);
        if (found)
            memcpy(ret, k->days[i].signing, SHA256_BYTES);
    }
    pthread_mutex_unlock(&t->lock);
    if (found)
        return;
    sigv4_signing_key(str_of(k->secret), date8, str_of(s->region), made);
    memcpy(ret, made, SHA256_BYTES);
    pthread_mutex_lock(&t->lock);
    memcpy(k->days[k->next_day].date, date8.p, DATE_BYTES);
    memcpy(k->days[k->next_day].signing, made, SHA256_BYTES);
    k->next_day = (k->next_day + 1) % DAYS_CACHED;
    pthread_mutex_unlock(&t->lock);
    forget(made, sizeof made);
}

const struct identity *identities_find(struct identities *s, str access_key, str date8,
                                       uint8_t ret_key[SHA256_BYTES])
{
    struct state *t = state_ref(s);
    struct key *k = map_get(&t->keys, access_key);

    if (!k || k->of->disabled || date8.n != DATE_BYTES ||
        (k->expires_ms && k->expires_ms <= os_now_ms())) {
        state_unref(t);
        return NULL;
    }
    signing_key(s, t, k, date8, ret_key);
    return k->of;
}

const struct identity *identity_ref(const struct identity *who)
{
    atomic_fetch_add_explicit(&who->state->refs, 1, memory_order_relaxed);
    return who;
}

void identity_unref(const struct identity *who)
{
    if (who)
        state_unref(who->state);
}

str identity_name(const struct identity *who)
{
    return who->name;
}

bool identity_is_root(const struct identity *who)
{
    return who->root;
}

unsigned identity_rights(const struct identity *who, str bucket)
{
    unsigned rights = who->root ? RIGHT_ANY | RIGHT_CREATE : 0;

    for (size_t i = 0; i < who->grants_n; i++)
        if (grant_fits(who->grants[i].pattern, bucket))
            rights |= who->grants[i].rights;
    return rights;
}

bool identity_may(const struct identity *who, str bucket, str owner, unsigned rights)
{
    return who->root || (owner.n && str_eq(owner, who->name)) ||
           (identity_rights(who, bucket) & rights);
}

size_t identities_count(struct identities *s)
{
    struct state *t = state_ref(s);
    size_t n = t->count;

    state_unref(t);
    return n;
}

/* ---- opening */

/* In a writing transaction, so that of two processes one makes the key and the other reads it. */
static enum rc open_master(struct identities *s, const struct identities_config *c, struct err *e)
{
    char path[IDENTITY_PATH_BYTES];
    struct tx *tx;
    int64_t keys;
    enum rc rc = db_begin(s->db, DB_WRITE, &tx, e);

    if (rc)
        return rc;
    snprintf(path, sizeof path, "%s.master", c->dir);
    rc = idsql_keys(tx, &keys, e);
    if (!rc)
        rc = master_load(c->master, path, keys == 0, s->master, e);
    return tx_end(tx, rc, e);
}

static enum rc copy_config(struct identities *s, const struct identities_config *c, struct err *e)
{
    str access = str_of(c->access_key), secret = str_of(c->secret_key), region = str_of(c->region);

    if (secret.n >= SECRET_BYTES)
        return err_field(e, RC_INVALID, "secret_key", "the secret key is too long");
    s->access_key = mem_strndup(access.p ? access.p : "", access.n);
    s->secret_key = mem_strndup(secret.p ? secret.p : "", secret.n);
    s->region = mem_strndup(region.p ? region.p : "", region.n);
    return s->access_key && s->secret_key && s->region ? RC_OK : no_memory(e);
}

static enum rc open_files(struct identities *s, const struct identities_config *c, struct err *e)
{
    char path[IDENTITY_PATH_BYTES];
    enum rc rc;

    snprintf(path, sizeof path, "%s/identity.db", c->dir);
    snprintf(s->seq_path, sizeof s->seq_path, "%s/identity.seq", c->dir);
    rc = db_open(&s->db, path, e);
    if (!rc)
        rc = idsql_setup(s->db, e);
    if (!rc)
        rc = os_open(s->seq_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600, &s->seq_fd, e);
    return rc ? rc : open_master(s, c, e);
}

enum rc identities_open(struct identities **ret, const struct identities_config *c, struct err *e)
{
    struct identities *s;
    uint64_t seq;
    enum rc rc = seal_setup(e);

    if (rc)
        return rc;
    s = mem_zalloc(sizeof *s);
    if (!s)
        return no_memory(e);
    s->seq_fd = -1;
    pthread_mutex_init(&s->lock, NULL);
    rc = copy_config(s, c, e);
    if (!rc)
        rc = open_files(s, c, e);
    if (!rc) {
        seq = read_seq(s);
        atomic_store(&s->seq, seq);
        rc = state_load(s, true, &s->state, e);
    }
    if (rc) {
        identities_close(s);
        return err_wrap(e, rc, "the identities of the store in '%s'", c->dir);
    }
    *ret = s;
    return RC_OK;
}

void identities_close(struct identities *s)
{
    if (!s)
        return;
    state_unref(s->state);
    os_close(s->seq_fd);
    db_close(s->db);
    if (s->secret_key)
        forget(s->secret_key, strlen(s->secret_key));
    mem_free(s->access_key);
    mem_free(s->secret_key);
    mem_free(s->region);
    forget(s->master, sizeof s->master);
    pthread_mutex_destroy(&s->lock);
    mem_free(s);
}
