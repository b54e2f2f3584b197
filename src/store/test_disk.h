/* test_disk.h - a store's folder without a server, for tests and the benchmark: objects of one
 * bucket are put, got and deleted through the calls that the server makes. */
#ifndef ANNEAL_STORE_TEST_DISK_H
#define ANNEAL_STORE_TEST_DISK_H

#include "store/disk.h"
#include "store/index.h"

struct shelf {
    struct disk d;
    char dir[512];
    struct bucket bucket;
    struct err e;
};

struct shelf_op {
    struct commit_op op;
    struct shelf *s;
    str key, bucket; /* bucket: to be made */
    struct data_new n;
    bool put;
    struct freed_list freed;
};

static inline enum rc shelf_apply(struct commit_op *op, struct tx *tx, struct err *e)
{
    struct shelf_op *x = (struct shelf_op *)op;
    struct object o = {
        .bytes = x->n.bytes, .modified_ms = 1, .etag = "e", .type = STR("t"), .meta = STR("")};

    x->freed.n = 0;
    if (x->bucket.n)
        return index_bucket_add(tx, x->bucket, STR("tester"), ACL_PRIVATE, 1, e);
    if (x->put)
        return index_put(tx, &x->s->bucket, x->key, &o, &x->n, &x->freed, e);
    return index_delete(tx, &x->s->bucket, x->key, 1, &o, &x->freed, e);
}

static inline enum rc shelf_run(struct shelf *s, struct shelf_op *x, struct err *e)
{
    enum rc rc;

    x->op.apply = shelf_apply;
    x->s = s;
    rc = committer_run(s->d.committer, &x->op, e);
    if (!rc)
        files_remove(s->d.files, &x->freed);
    VEC_DONE(&x->freed);
    return rc;
}

static inline enum rc shelf_find_bucket(struct shelf *s, struct err *e)
{
    struct tx *tx;
    enum rc rc = db_begin(s->d.db, DB_READ, &tx, e);

    if (rc)
        return rc;
    rc = index_bucket(tx, STR("shelf"), &s->bucket, e);
    tx_rollback(tx);
    return rc;
}

static inline enum rc shelf_open(struct shelf *s, const char *dir, struct err *e)
{
    struct shelf_op make = {.bucket = STR("shelf")};
    char path[sizeof s->dir];
    enum rc rc;

    snprintf(path, sizeof path, "%s", dir); /* which may be s->dir */
    memset(s, 0, sizeof *s);
    memcpy(s->dir, path, sizeof path);
    rc = disk_open(&s->d, s->dir, e);
    if (!rc && shelf_find_bucket(s, e) == RC_NOT_FOUND) {
        rc = shelf_run(s, &make, e);
        if (!rc)
            rc = shelf_find_bucket(s, e);
    }
    return rc;
}

static inline enum rc shelf_put(struct shelf *s, const char *key, str body, struct err *e)
{
    struct shelf_op x = {.put = true, .key = str_of(key)};
    enum rc rc = disk_take(&s->d, body, NULL, &x.n, e);

    return rc ? rc : shelf_run(s, &x, e);
}

static inline enum rc shelf_delete(struct shelf *s, const char *key, struct err *e)
{
    struct shelf_op x = {.key = str_of(key)};

    return shelf_run(s, &x, e);
}

/* Into p (cap bytes); RC_NOT_FOUND. */
static inline enum rc shelf_get(struct shelf *s, const char *key, char *p, size_t cap,
                                size_t *ret_n, struct err *e)
{
    struct object o;
    struct reader r;
    struct tx *tx;
    size_t n = 0;
    enum rc rc = reader_pin(&r, s->d.files, s->d.segments, e);

    if (!rc)
        rc = db_begin(s->d.db, DB_READ, &tx, e);
    if (!rc) {
        rc = index_get(tx, &r.arena, s->bucket.id, str_of(key), NULL, &o, e);
        if (!rc)
            rc = reader_find(&r, tx, o.data, e);
        tx_rollback(tx);
    }
    for (uint64_t at = 0; !rc && at < r.bytes && at < cap; at += n)
        rc = reader_read(&r, at, p + at, cap - (size_t)at, &n, e);
    if (!rc)
        *ret_n = (size_t)r.bytes;
    reader_done(&r);
    return rc;
}

#endif
