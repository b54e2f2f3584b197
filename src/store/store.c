/* store.c - the store's life: open, count, drain, close.  See store.h.
 *
 * Order of opening: the disk (disk.h), identities, server, keeper; closing goes the other way. */
#include "base/log.h"
#include "base/mem.h"
#include "store/recent.h"
#include "store/store_int.h"

enum { HTTP_IDLE_S = 60, HTTP_WORKERS = 32, HTTP_IO_THREADS = 4 };
enum { HTTP_HEADER_BYTES = 16 << 10 }; /* twice what S3 takes */
#define OBJECT_BYTES_MAX (UINT64_C(5) << 40)

void store_count(struct store *s, enum counter c, uint64_t n)
{
    atomic_fetch_add_explicit(&s->counts[c], n, memory_order_relaxed);
}

/* ---- opening */

static enum rc check_config(const struct store_config *c, struct err *e)
{
    size_t access = str_of(c->access_key).n, secret = str_of(c->secret_key).n;
    size_t region = str_of(c->region).n;

    if (!str_of(c->dir).n)
        return err_field(e, RC_INVALID, "dir", "the store needs a folder");
    if (!str_of(c->listen).n)
        return err_field(e, RC_INVALID, "listen", "the store needs HOST:PORT to listen on");
    if (access && (secret < 8 || secret > STORE_SECRET_BYTES_MAX))
        return err_field(e, RC_INVALID, "secret_key", "the secret key has 8 to %d bytes",
                         STORE_SECRET_BYTES_MAX);
    if (!region || region > STORE_REGION_BYTES_MAX)
        return err_field(e, RC_INVALID, "region", "the region has 1 to %d bytes",
                         STORE_REGION_BYTES_MAX);
    return RC_OK;
}

static enum rc copy_config(struct store *s, const struct store_config *c, struct err *e)
{
    s->dir = mem_strndup(c->dir, strlen(c->dir));
    s->region = mem_strndup(c->region, strlen(c->region));
    s->domain = mem_strndup(c->domain ? c->domain : "", str_of(c->domain).n);
    if (!s->dir || !s->region || !s->domain)
        return err_set(e, RC_NOMEM, "out of memory");
    s->object_bytes_max = c->object_bytes_max && c->object_bytes_max < OBJECT_BYTES_MAX
                              ? c->object_bytes_max
                              : OBJECT_BYTES_MAX;
    return RC_OK;
}

static enum rc open_identities(struct store *s, const struct store_config *c, struct err *e)
{
    struct identities_config to = {c->dir, c->master, c->access_key, c->secret_key, c->region};
    enum rc rc = identities_open(&s->identities, &to, e);

    if (!rc && !identities_count(s->identities))
        rc = err_field(e, RC_INVALID, "access_key",
                       "the store has no identity yet: set AWS_ACCESS_KEY_ID and "
                       "AWS_SECRET_ACCESS_KEY, or make one with `anneal store user add`");
    return rc;
}

static enum rc open_disk(struct store *s, struct err *e)
{
    enum rc rc = disk_open(&s->disk, s->dir, e);

    s->db = s->disk.db;
    s->files = s->disk.files;
    s->committer = s->disk.committer;
    store_count(s, COUNT_SWEPT_FILES, s->disk.found.incoming + s->disk.found.freed);
    return rc;
}

static enum rc start_keeper(struct store *s, const struct store_config *c, struct err *e)
{
    struct keep_config k = {
        .compact_bytes_per_s = c->compact_bytes_per_s ? c->compact_bytes_per_s : 32 << 20,
        .scrub_bytes_per_s = c->scrub_bytes_per_s ? c->scrub_bytes_per_s : 16 << 20,
        .dead_percent = c->dead_percent ? c->dead_percent : 25,
        .scrub_days = c->scrub_days ? c->scrub_days : 14};

    return keeper_start(&s->keeper, s, &k, e);
}

enum rc store_open(struct store **ret, const struct store_config *c, struct err *e)
{
    struct http_limits lim = {.header_bytes_max = HTTP_HEADER_BYTES,
                              .body_bytes_max = 1,
                              .idle_timeout_s = HTTP_IDLE_S,
                              .io_threads = HTTP_IO_THREADS,
                              .workers = HTTP_WORKERS,
                              .quick = store_quick};
    struct store *s;
    enum rc rc = check_config(c, e);

    if (rc)
        return rc;
    s = mem_zalloc(sizeof *s);
    if (!s)
        return err_set(e, RC_NOMEM, "out of memory");
    s->disk.lock_fd = s->disk.keep_fd = -1;
    rc = copy_config(s, c, e);
    if (!rc)
        rc = buckets_new(&s->buckets, e);
    if (!rc)
        rc = recent_new(&s->recent, e);
    if (!rc)
        rc = open_disk(s, e);
    if (!rc)
        rc = open_identities(s, c, e);
    if (!rc)
        rc = http_server_new(&s->http, c->listen, &lim, store_handle, store_done, s, e);
    if (!rc)
        rc = start_keeper(s, c, e);
    if (rc) {
        store_close(s);
        return err_wrap(e, rc, "opening the object store in '%s'", c->dir);
    }
    *ret = s;
    return RC_OK;
}

int store_port(const struct store *s)
{
    return http_server_port(s->http);
}

void store_drain(struct store *s, int64_t drain_ms)
{
    http_server_drain(s->http, drain_ms);
}

void store_close(struct store *s)
{
    if (!s)
        return;
    if (s->http)
        http_server_free(s->http);
    keeper_stop(s->keeper);
    buckets_free(s->buckets);
    recent_free(s->recent);
    disk_close(&s->disk);
    identities_close(s->identities);
    mem_free(s->dir);
    mem_free(s->region);
    mem_free(s->domain);
    mem_free(s);
}

/* ---- numbers */

void store_counts(const struct store *s, struct store_counts *ret)
{
    uint64_t v[COUNTERS];

    for (size_t i = 0; i < COUNTERS; i++)
        v[i] = atomic_load_explicit(&s->counts[i], memory_order_relaxed);
    *ret = (struct store_counts){.requests = v[COUNT_REQUESTS],
                                 .errors_4xx = v[COUNT_4XX],
                                 .errors_5xx = v[COUNT_5XX],
                                 .denied = v[COUNT_DENIED],
                                 .puts = v[COUNT_PUTS],
                                 .gets = v[COUNT_GETS],
                                 .heads = v[COUNT_HEADS],
                                 .deletes = v[COUNT_DELETES],
                                 .lists = v[COUNT_LISTS],
                                 .copies = v[COUNT_COPIES],
                                 .bytes_in = v[COUNT_BYTES_IN],
                                 .bytes_out = v[COUNT_BYTES_OUT],
                                 .swept_files = v[COUNT_SWEPT_FILES],
                                 .swept_uploads = v[COUNT_SWEPT_UPLOADS],
                                 .damaged_reads = v[COUNT_DAMAGED_READS],
                                 .damaged_found = v[COUNT_DAMAGED_FOUND],
                                 .scrubbed_bytes = v[COUNT_SCRUBBED_BYTES],
                                 .compacted_bytes = v[COUNT_COMPACTED_BYTES],
                                 .packed = v[COUNT_PACKED]};
    committer_counts(s->committer, &ret->commits, &ret->committed_ops);
}

enum rc store_usage(struct store *s, struct store_usage *ret, struct err *e)
{
    uint64_t v[4] = {0};
    struct tx *tx;
    enum rc rc = db_begin(s->db, DB_READ, &tx, e);

    if (rc)
        return rc;
    rc = index_usage(tx, v, e);
    tx_rollback(tx);
    if (!rc)
        *ret = (struct store_usage){v[0], v[1], v[2], v[3]};
    return rc;
}
