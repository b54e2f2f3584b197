/* store.c - the store's life: open, sweep, count, drain, close.  See store.h.
 *
 * Order of opening: lock, index (a new generation), files, committer, janitor, server; closing goes
 * the other way.  The janitor is one thread: at the start it removes files without a row, then and
 * every JANITOR_MS it aborts uploads that nobody has finished. */
#include "base/log.h"
#include "base/mem.h"
#include "store/store_int.h"

enum { JANITOR_MS = 3600 * 1000, HTTP_IDLE_S = 60, HTTP_WORKERS = 32 };
#define OBJECT_BYTES_MAX (UINT64_C(5) << 40)

void store_count(struct store *s, enum counter c, uint64_t n)
{
    atomic_fetch_add_explicit(&s->counts[c], n, memory_order_relaxed);
}

/* ---- janitor */

static enum rc is_live(void *ud, int64_t id, bool *ret_live, struct err *e)
{
    struct store *s = ud;
    struct tx *tx;
    enum rc rc = db_begin(s->db, DB_READ, &tx, e);

    if (rc)
        return rc;
    rc = data_exists(tx, id, ret_live, e);
    tx_rollback(tx);
    return rc;
}

struct expire_op {
    struct commit_op op;
    int64_t before_ms;
    struct freed_list freed;
};

static enum rc apply_expire(struct commit_op *op, struct tx *tx, struct err *e)
{
    struct expire_op *x = (struct expire_op *)op;
    int64_t upload;
    enum rc rc;

    x->freed.n = 0;
    rc = index_upload_older(tx, x->before_ms, &upload, e);
    if (rc == RC_NOT_FOUND)
        op->refused = true;
    return rc ? rc : index_upload_drop(tx, upload, &x->freed, e);
}

static void expire_uploads(struct store *s, int64_t before)
{
    enum rc rc = RC_OK;
    struct err e = {0};

    while (!rc && !event_is_set(s->stop)) {
        struct expire_op x = {.op.apply = apply_expire, .before_ms = before};
        rc = committer_run(s->committer, &x.op, &e);
        if (!rc) {
            files_remove(s->files, &x.freed);
            store_count(s, COUNT_SWEPT_UPLOADS, 1);
        }
        VEC_DONE(&x.freed);
    }
    if (rc && rc != RC_NOT_FOUND)
        log_error("store: aborting old uploads: %s", e.text);
}

static void janitor(void *ud)
{
    struct store *s = ud;
    uint64_t removed = 0;
    struct err e = {0};

    if (files_sweep(s->files, is_live, s, s->stop, &removed, &e))
        log_error("store: removing files without a row: %s", e.text);
    store_count(s, COUNT_SWEPT_FILES, removed);
    if (removed)
        log_info("store: removed %llu files that a crash had left behind",
                 (unsigned long long)removed);
    do
        expire_uploads(s, os_now_ms() - (int64_t)STORE_UPLOAD_DAYS_MAX * 86400 * 1000);
    while (!event_wait(s->stop, JANITOR_MS));
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
    if (!s->dir || !s->region)
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
    char path[FILES_PATH_MAX + 16];
    int64_t generation;
    bool fresh = !os_exists(s->dir);
    enum rc rc = os_mkdirs(s->dir, 0700, e);

    snprintf(path, sizeof path, "%.*s/..", FILES_PATH_MAX, s->dir);
    if (!rc && fresh)
        rc = os_fsync_dir(path, e);
    snprintf(path, sizeof path, "%.*s/lock", FILES_PATH_MAX, s->dir);
    if (!rc)
        rc = os_lock_file(path, &s->lock_fd, e);
    snprintf(path, sizeof path, "%.*s/store.db", FILES_PATH_MAX, s->dir);
    if (!rc)
        rc = db_open(&s->db, path, e);
    if (!rc)
        rc = index_setup(s->db, &generation, e);
    if (!rc)
        rc = files_open(&s->files, s->dir, generation, e);
    if (!rc)
        rc = committer_new(&s->committer, s->db, e);
    return rc;
}

enum rc store_open(struct store **ret, const struct store_config *c, struct err *e)
{
    struct http_limits lim = {
        .body_bytes_max = 1, .idle_timeout_s = HTTP_IDLE_S, .workers = HTTP_WORKERS};
    struct store *s;
    enum rc rc = check_config(c, e);

    if (rc)
        return rc;
    s = mem_zalloc(sizeof *s);
    if (!s)
        return err_set(e, RC_NOMEM, "out of memory");
    s->lock_fd = -1;
    rc = copy_config(s, c, e);
    if (!rc)
        rc = open_disk(s, e);
    if (!rc)
        rc = open_identities(s, c, e);
    if (!rc) {
        s->stop = event_new();
        rc = s->stop ? RC_OK : err_set(e, RC_NOMEM, "out of memory");
    }
    if (!rc)
        rc = pool_new(&s->janitor, "store-janitor", 1, 1, e);
    if (!rc)
        rc = http_server_new(&s->http, c->listen, &lim, store_handle, store_done, s, e);
    if (!rc)
        rc = pool_submit(s->janitor, janitor, s, e);
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
    if (s->stop)
        event_set(s->stop);
    if (s->janitor)
        pool_free(s->janitor);
    committer_free(s->committer);
    files_close(s->files);
    db_close(s->db);
    if (s->stop)
        event_free(s->stop);
    identities_close(s->identities);
    os_close(s->lock_fd);
    mem_free(s->dir);
    mem_free(s->region);
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
                                 .swept_uploads = v[COUNT_SWEPT_UPLOADS]};
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
