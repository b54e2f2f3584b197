/* cache.c - the trainer's disk cache (cache.h).
 *
 * The map keeps insertion order, so it is the order of use: a pin takes an entry out and puts it
 * back at the end, and eviction walks from the start.  One lock guards the index; hashing and
 * writing run outside of it.  An entry that is being verified is pinned, so it cannot vanish
 * meanwhile.
 */
#include "flow/trainer/cache.h"

#include "base/log.h"
#include "base/map.h"

#include <fcntl.h>
#include <pthread.h>

enum { HASH_PIECE_BYTES = 256 << 10, HEX_DIRS = 256 };

struct cache_entry {
    char sha256[SHA256_HEX + 1];
    uint64_t bytes;
    unsigned pins;
    bool verified, gone; /* gone: out of the index, freed with its last pin */
};
struct cache {
    pthread_mutex_t mu;
    char dir[CACHE_PATH_MAX - 128];
    struct map entries; /* sha256 -> struct cache_entry, least recently used first */
    struct cache_stats s;
    uint64_t reserved_bytes; /* of running fetches */
    uint64_t fetch_count;    /* names temporary files */
};
struct cache_fetch {
    struct cache *c;
    char sha256[SHA256_HEX + 1];
    char tmp[CACHE_PATH_MAX];
    int fd;
    struct hasher hash;
    int64_t announced;
    uint64_t bytes, reserved;
};

const char *cache_dir(const struct cache *c)
{
    return c->dir;
}

void cache_path(const struct cache *c, const char *sha256, char ret[CACHE_PATH_MAX])
{
    snprintf(ret, CACHE_PATH_MAX, "%s/%.2s/%s", c->dir, sha256, sha256);
}

enum rc file_sha256(const char *path, char ret[SHA256_HEX + 1], uint64_t *ret_bytes, struct err *e)
{
    char *piece = mem_alloc(HASH_PIECE_BYTES);
    uint8_t digest[SHA256_BYTES];
    struct hasher h;
    uint64_t total = 0;
    size_t n = 0;
    int fd = -1;
    enum rc rc = piece ? os_open(path, O_RDONLY, 0, &fd, e)
                       : err_set(e, RC_NOMEM, "out of memory hashing '%s'", path);

    if (!rc)
        rc = sha256_init(&h, e);
    if (rc) {
        os_close(fd);
        mem_free(piece);
        return rc;
    }
    while (!(rc = os_read(fd, piece, HASH_PIECE_BYTES, &n, e)) && n) {
        hasher_add(&h, piece, n);
        total += n;
    }
    os_close(fd);
    mem_free(piece);
    if (rc) {
        hasher_done(&h);
        return err_wrap(e, rc, "hashing '%s'", path);
    }
    hasher_final(&h, digest);
    hex_of(digest, SHA256_BYTES, ret);
    *ret_bytes = total;
    return RC_OK;
}

/* ---- index; the lock is held */

static enum rc index_add(struct cache *c, const char *sha256, uint64_t bytes, bool verified,
                         struct cache_entry **ret, struct err *e)
{
    struct cache_entry *n = mem_zalloc(sizeof *n);
    enum rc rc = n ? RC_OK : err_set(e, RC_NOMEM, "out of memory for the cache's index");

    if (!rc) {
        memcpy(n->sha256, sha256, SHA256_HEX);
        n->bytes = bytes;
        n->verified = verified;
        rc = map_put(&c->entries, str_of(sha256), n, e);
    }
    if (rc) {
        mem_free(n);
        return rc;
    }
    c->s.bytes += bytes;
    c->s.entries++;
    *ret = n;
    return RC_OK;
}

/* Takes an entry out of the index; whoever has it pinned keeps the memory. */
static void index_forget(struct cache *c, struct cache_entry *n)
{
    (void)map_remove(&c->entries, str_of(n->sha256));
    c->s.bytes -= n->bytes;
    c->s.entries--;
    if (n->pins) {
        c->s.pinned_bytes -= n->bytes;
        n->gone = true;
    } else {
        mem_free(n);
    }
}

static void index_remove(struct cache *c, struct cache_entry *n)
{
    char path[CACHE_PATH_MAX];

    cache_path(c, n->sha256, path);
    (void)os_sys.unlink(path);
    index_forget(c, n);
}

/* Makes room for `want` more bytes besides what is there and reserved. */
static enum rc make_room(struct cache *c, uint64_t want, struct err *e)
{
    uint64_t fixed = c->s.pinned_bytes + c->reserved_bytes;
    void *value;
    str key;

    if (want > c->s.bytes_max || fixed > c->s.bytes_max - want)
        return err_set(e, RC_FULL,
                       "the trainer's cache of %llu bytes is too small: running jobs hold %llu and "
                       "%llu more are needed; raise cache_bytes_max",
                       (unsigned long long)c->s.bytes_max, (unsigned long long)fixed,
                       (unsigned long long)want);
    for (size_t i = 0; c->s.bytes + c->reserved_bytes > c->s.bytes_max - want &&
                       map_next(&c->entries, &i, &key, &value);) {
        struct cache_entry *n = value;

        if (n->pins)
            continue;
        index_remove(c, n);
        c->s.evictions++;
    }
    return RC_OK;
}

static enum rc pin(struct cache *c, struct cache_entry *n, struct cache_pins *pins, struct err *e)
{
    if (!VEC_PUSH(pins, n))
        return err_set(e, RC_NOMEM, "out of memory for the cache's pins");
    if (n->pins++ == 0)
        c->s.pinned_bytes += n->bytes;
    return RC_OK;
}

static void unpin(struct cache *c, struct cache_entry *n)
{
    if (--n->pins)
        return;
    if (n->gone)
        mem_free(n);
    else
        c->s.pinned_bytes -= n->bytes;
}

/* ---- open */

struct scan {
    struct cache *c;
    char sub[CACHE_PATH_MAX];
};

static enum rc scan_file(void *ud, const char *name, bool is_dir, struct err *e)
{
    struct scan *s = ud;
    char path[CACHE_PATH_MAX + 300];
    struct cache_entry *n;
    uint64_t bytes;
    enum rc rc;

    if (is_dir || !is_sha256_hex(str_of(name)))
        return RC_OK;
    snprintf(path, sizeof path, "%s/%s", s->sub, name);
    rc = os_file_size(path, &bytes, e);
    return rc ? rc : index_add(s->c, name, bytes, false, &n, e);
}

static enum rc scan(struct cache *c, struct err *e)
{
    struct scan s = {.c = c};
    enum rc rc;

    snprintf(s.sub, sizeof s.sub, "%s/tmp", c->dir);
    rc = os_remove_tree(s.sub, e);
    if (!rc)
        rc = os_mkdirs(s.sub, 0700, e);
    for (int i = 0; i < HEX_DIRS && !rc; i++) {
        snprintf(s.sub, sizeof s.sub, "%s/%02x", c->dir, i);
        rc = os_mkdirs(s.sub, 0700, e);
        if (!rc)
            rc = os_list_dir(s.sub, scan_file, &s, e);
    }
    return rc;
}

enum rc cache_open(struct cache **ret, const char *dir, uint64_t bytes_max, struct err *e)
{
    struct cache *c = mem_zalloc(sizeof *c);
    enum rc rc;

    if (!c)
        return err_set(e, RC_NOMEM, "out of memory for the cache");
    pthread_mutex_init(&c->mu, NULL);
    map_init(&c->entries);
    c->s.bytes_max = bytes_max;
    if (snprintf(c->dir, sizeof c->dir, "%s", dir) >= (int)sizeof c->dir)
        rc = err_field(e, RC_INVALID, "dir", "the folder's path is too long");
    else
        rc = scan(c, e);
    if (!rc)
        rc = make_room(c, 0, e); /* the limit may have been lowered */
    if (rc) {
        cache_close(c);
        return err_wrap(e, rc, "opening the cache '%s'", dir);
    }
    *ret = c;
    return RC_OK;
}

void cache_close(struct cache *c)
{
    void *value;
    str key;

    if (!c)
        return;
    for (size_t i = 0; map_next(&c->entries, &i, &key, &value);)
        mem_free(value);
    map_done(&c->entries);
    pthread_mutex_destroy(&c->mu);
    mem_free(c);
}

/* ---- use */

/* The file against its name; the entry is pinned, the lock is not held. */
static bool intact(struct cache *c, const struct cache_entry *n)
{
    char path[CACHE_PATH_MAX], hex[SHA256_HEX + 1];
    uint64_t bytes = 0;
    struct err e = {0};

    cache_path(c, n->sha256, path);
    if (file_sha256(path, hex, &bytes, &e))
        log_warn("cache: %s; fetching it again", e.text);
    else if (!same_bytes(hex, n->sha256, SHA256_HEX))
        log_warn("cache: '%s' is damaged (its SHA-256 is now %s); fetching it again", path, hex);
    else
        return true;
    return false;
}

enum rc cache_pin(struct cache *c, const char *sha256, int64_t bytes, struct cache_pins *pins,
                  bool *ret_hit, struct err *e)
{
    struct cache_entry *n;
    enum rc rc = RC_OK;
    bool good = false;

    pthread_mutex_lock(&c->mu);
    n = map_get(&c->entries, str_of(sha256));
    if (n && bytes >= 0 && n->bytes != (uint64_t)bytes && !n->pins) {
        index_remove(c, n); /* truncated by a crash, or never what it was named */
        c->s.damaged++;
        n = NULL;
    }
    if (n)
        rc = pin(c, n, pins, e);
    if (n && !rc && !n->verified) {
        pthread_mutex_unlock(&c->mu);
        good = intact(c, n);
        pthread_mutex_lock(&c->mu);
        n->verified = n->verified || good;
        if (!good) {
            c->s.damaged++;
            if (!n->gone)
                index_remove(c, n);
            pins->n--;
            unpin(c, n);
            n = NULL;
        }
    }
    if (n && !rc && !n->gone) { /* to the end of the order of use */
        (void)map_remove(&c->entries, str_of(sha256));
        rc = map_put(&c->entries, str_of(sha256), n, e);
        if (rc)
            index_forget(c, n); /* the file waits for the next start */
    }
    c->s.hits += n && !rc;
    c->s.misses += !n;
    pthread_mutex_unlock(&c->mu);
    if (!rc)
        *ret_hit = n != NULL;
    return rc;
}

void cache_unpin(struct cache *c, struct cache_pins *pins, bool suspect)
{
    pthread_mutex_lock(&c->mu);
    for (size_t i = 0; i < pins->n; i++) {
        if (suspect)
            pins->p[i]->verified = false;
        unpin(c, pins->p[i]);
    }
    pthread_mutex_unlock(&c->mu);
    VEC_DONE(pins);
}

/* ---- fetch */

enum rc cache_fetch_open(struct cache_fetch **ret, struct cache *c, const char *sha256,
                         int64_t bytes, struct err *e)
{
    struct cache_fetch *f = mem_zalloc(sizeof *f);
    uint64_t number;
    enum rc rc;

    if (!f)
        return err_set(e, RC_NOMEM, "out of memory for a fetch");
    f->c = c;
    f->fd = -1;
    f->announced = bytes;
    memcpy(f->sha256, sha256, SHA256_HEX);
    pthread_mutex_lock(&c->mu);
    rc = make_room(c, bytes > 0 ? (uint64_t)bytes : 0, e);
    if (!rc)
        c->reserved_bytes += f->reserved = bytes > 0 ? (uint64_t)bytes : 0;
    number = c->fetch_count++;
    pthread_mutex_unlock(&c->mu);
    if (!rc)
        rc = sha256_init(&f->hash, e);
    if (!rc) {
        snprintf(f->tmp, sizeof f->tmp, "%s/tmp/%llu", c->dir, (unsigned long long)number);
        rc = os_open(f->tmp, O_WRONLY | O_CREAT | O_TRUNC, 0600, &f->fd, e);
    }
    if (rc) {
        cache_fetch_free(f);
        return rc;
    }
    *ret = f;
    return RC_OK;
}

enum rc cache_fetch_add(void *fetch, const void *p, size_t n, struct err *e)
{
    struct cache_fetch *f = fetch;
    enum rc rc = RC_OK;

    f->bytes += n;
    if (f->announced >= 0 && f->bytes > (uint64_t)f->announced)
        return err_set(e, RC_CORRUPT, "the object %s is larger than the %lld bytes it should have",
                       f->sha256, (long long)f->announced);
    if (f->bytes > f->reserved) {
        pthread_mutex_lock(&f->c->mu);
        rc = make_room(f->c, f->bytes - f->reserved, e);
        if (!rc) {
            f->c->reserved_bytes += f->bytes - f->reserved;
            f->reserved = f->bytes;
        }
        pthread_mutex_unlock(&f->c->mu);
    }
    if (rc)
        return rc;
    hasher_add(&f->hash, p, n);
    return os_write_all(f->fd, p, n, e);
}

static enum rc fetch_check(struct cache_fetch *f, struct err *e)
{
    uint8_t digest[SHA256_BYTES];
    char hex[SHA256_HEX + 1];

    if (f->announced >= 0 && f->bytes != (uint64_t)f->announced)
        return err_set(e, RC_CORRUPT, "the object %s has %llu bytes where %lld are stated",
                       f->sha256, (unsigned long long)f->bytes, (long long)f->announced);
    hasher_final(&f->hash, digest);
    hex_of(digest, SHA256_BYTES, hex);
    if (!same_bytes(hex, f->sha256, SHA256_HEX))
        return err_set(e, RC_CORRUPT, "the object %s holds other content: its SHA-256 is %s",
                       f->sha256, hex);
    return RC_OK;
}

enum rc cache_fetch_commit(struct cache_fetch *f, struct cache_pins *pins, struct err *e)
{
    struct cache *c = f->c;
    struct cache_entry *n;
    char path[CACHE_PATH_MAX];
    enum rc rc = fetch_check(f, e);

    if (rc)
        return rc;
    cache_path(c, f->sha256, path);
    pthread_mutex_lock(&c->mu);
    if (os_sys.rename(f->tmp, path) != 0)
        rc = err_set(e, RC_IO, "cannot rename '%s' to '%s'", f->tmp, path);
    c->reserved_bytes -= f->reserved;
    f->reserved = 0;
    n = map_get(&c->entries, str_of(f->sha256)); /* another job may have been faster */
    if (!rc && n && n->bytes == f->bytes)
        n->verified = true;
    else if (!rc && n)
        rc = err_set(e, RC_CORRUPT, "the cache's entry %s has another size; try again", f->sha256);
    else if (!rc)
        rc = index_add(c, f->sha256, f->bytes, true, &n, e);
    if (!rc)
        rc = pin(c, n, pins, e);
    pthread_mutex_unlock(&c->mu);
    return rc;
}

void cache_fetch_free(struct cache_fetch *f)
{
    if (!f)
        return;
    os_close(f->fd);
    hasher_done(&f->hash);
    if (f->tmp[0])
        (void)os_sys.unlink(f->tmp); /* gone after a commit */
    pthread_mutex_lock(&f->c->mu);
    f->c->reserved_bytes -= f->reserved;
    pthread_mutex_unlock(&f->c->mu);
    mem_free(f);
}

void cache_get_stats(struct cache *c, struct cache_stats *ret)
{
    pthread_mutex_lock(&c->mu);
    *ret = c->s;
    pthread_mutex_unlock(&c->mu);
}
