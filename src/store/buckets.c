/* buckets.c - what every request needs to know of its bucket, kept in memory: number, owner,
 * versioning, ACL, and the compiled policy and CORS rules.
 *
 * An entry is made by the first request that misses it and dropped by whoever changes the bucket,
 * after the commit.  A reader that looked at the old state while another committed must not put
 * that back: it notes the number of changes before it reads, and keeps its entry only if no change
 * came in between. */
#include "base/map.h"
#include "base/mem.h"
#include "store/store_int.h"
#include <pthread.h>

enum { BUCKETS_KEPT = 1024 }; /* above, all are dropped: they cost one look-up each */

struct buckets {
    pthread_mutex_t mu;
    struct map by_name;
    uint64_t changes;
};

enum rc buckets_new(struct buckets **ret, struct err *e)
{
    struct buckets *b = mem_zalloc(sizeof *b);

    if (!b)
        return err_set(e, RC_NOMEM, "out of memory");
    pthread_mutex_init(&b->mu, NULL);
    map_init(&b->by_name);
    *ret = b;
    return RC_OK;
}

static void drop_all(struct buckets *b)
{
    void *v;
    str k;

    for (size_t i = 0; map_next(&b->by_name, &i, &k, &v);)
        bucket_info_unref(v);
    map_done(&b->by_name);
    map_init(&b->by_name);
}

void buckets_free(struct buckets *b)
{
    if (!b)
        return;
    drop_all(b);
    map_done(&b->by_name);
    pthread_mutex_destroy(&b->mu);
    mem_free(b);
}

void bucket_info_unref(const struct bucket_info *i)
{
    struct bucket_info *info = (struct bucket_info *)(uintptr_t)i;

    if (!info || atomic_fetch_sub(&info->refs, 1) != 1)
        return;
    policy_free(info->policy);
    cors_free(info->cors);
    mem_free(info);
}

void bucket_info_forget(struct store *s, str name)
{
    struct buckets *b = s->buckets;

    pthread_mutex_lock(&b->mu);
    b->changes++;
    bucket_info_unref(map_remove(&b->by_name, name));
    pthread_mutex_unlock(&b->mu);
}

static enum rc compile(struct call *c, struct tx *tx, struct bucket_info *i)
{
    str text;
    enum rc rc = index_setting(tx, c->a, i->b.id, "policy", &text, &c->err);

    if (!rc)
        rc = policy_new(&i->policy, text, str_of(i->name), &c->err);
    if (!rc || rc == RC_NOT_FOUND)
        rc = index_setting(tx, c->a, i->b.id, "cors", &text, &c->err);
    if (!rc)
        rc = cors_new(&i->cors, text, &c->err);
    return rc == RC_NOT_FOUND ? RC_OK : rc;
}

static enum rc load(struct call *c, str name, struct bucket_info **ret)
{
    struct bucket_info *i = mem_zalloc(sizeof *i);
    struct tx *tx;
    enum rc rc;

    if (!i)
        return err_set(&c->err, RC_NOMEM, "out of memory");
    atomic_init(&i->refs, 1);
    snprintf(i->name, sizeof i->name, "%.*s", STR_F(str_sub(name, 0, sizeof i->name - 1)));
    rc = db_begin(c->s->db, DB_READ, &tx, &c->err);
    if (!rc) {
        rc = index_bucket(tx, name, &i->b, &c->err);
        if (!rc)
            rc = compile(c, tx, i);
        tx_rollback(tx);
    }
    if (rc)
        bucket_info_unref(i);
    else
        *ret = i;
    return rc;
}

enum s3_code bucket_info_get(struct call *c, str name, const struct bucket_info **ret)
{
    struct buckets *b = c->s->buckets;
    struct bucket_info *i;
    uint64_t changes;
    enum rc rc;

    pthread_mutex_lock(&b->mu);
    i = map_get(&b->by_name, name);
    if (i)
        atomic_fetch_add(&i->refs, 1);
    changes = b->changes;
    pthread_mutex_unlock(&b->mu);
    if (i) {
        *ret = i;
        return S3_OK;
    }
    rc = load(c, name, &i);
    if (rc == RC_NOT_FOUND) {
        c->err.text[0] = 0;
        return S3_NO_SUCH_BUCKET;
    }
    if (rc)
        return s3_code_of(c, rc);
    pthread_mutex_lock(&b->mu);
    if (b->changes == changes && !map_has(&b->by_name, name)) {
        if (map_count(&b->by_name) >= BUCKETS_KEPT)
            drop_all(b);
        if (!map_put(&b->by_name, name, i, NULL))
            atomic_fetch_add(&i->refs, 1);
    }
    pthread_mutex_unlock(&b->mu);
    *ret = i;
    return S3_OK;
}
