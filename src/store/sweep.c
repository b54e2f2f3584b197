/* sweep.c - what lifecycle rules remove, by the keeper.
 *
 * A rule is a walk over its prefix in pages: the index is read in one transaction, what is due is
 * noted, and removed in another, which looks again: a key that was written in between is not what
 * was due.  So no transaction is long, and stopping half-way does no harm. */
#include "base/log.h"
#include "base/mem.h"
#include "store/lifecycle.h"
#include "store/store_int.h"

enum { PAGE = 500 };

struct victim {
    str key;
    struct version_id version;
    int64_t seq;
    bool current; /* as a delete would: under versioning a marker goes over it */
};

struct sweep {
    struct commit_op op; /* first */
    struct store *s;
    const struct lifecycle_rule *r;
    struct bucket b;
    str bucket;
    int64_t now_ms;
    struct arena a; /* of a page */
    struct victim v[PAGE];
    size_t n, done;
    /* the walk */
    str from, last;
    int64_t last_seq;
    size_t seen;         /* rows of this page */
    uint32_t newer;      /* versions of this key that are not current and newer */
    bool marker_pending; /* a marker is newest, and nothing is behind it so far */
    struct victim marker;
    struct freed_list freed;
};

static enum rc note(struct sweep *w, str key, const struct object *o, bool current, struct err *e)
{
    struct victim *v = &w->v[w->n];

    *v = (struct victim){.key = arena_str(&w->a, key),
                         .version = {o->seq, o->null_version},
                         .seq = o->seq,
                         .current = current};
    if (!v->key.p)
        return err_set(e, RC_NOMEM, "out of memory");
    w->n++;
    return RC_OK;
}

/* Due by the age or date of a current version. */
static bool current_due(const struct sweep *w, const struct object *o)
{
    const struct lifecycle_rule *r = w->r;

    return lifecycle_fits(r, o->tags, o->bytes) &&
           ((r->days && lifecycle_due(o->modified_ms, r->days, w->now_ms)) ||
            (r->date_ms && w->now_ms >= r->date_ms));
}

static enum rc old_version(struct sweep *w, str key, const struct object *o, struct err *e)
{
    const struct lifecycle_rule *r = w->r;
    bool kept = w->newer++ < r->noncurrent_kept;

    w->marker_pending = false; /* something is behind the marker */
    if (!r->noncurrent_days || kept || !lifecycle_fits(r, o->tags, o->bytes) ||
        !lifecycle_due(o->left_ms, r->noncurrent_days, w->now_ms))
        return RC_OK;
    return note(w, key, o, false, e);
}

/* A marker with nothing behind it: noted when the walk leaves its key. */
static void flush_marker(struct sweep *w)
{
    if (w->marker_pending)
        w->v[w->n++] = w->marker;
    w->marker_pending = false;
}

static enum rc each(void *ud, str key, const struct object *o, bool *stop, struct err *e)
{
    struct sweep *w = ud;

    if (!str_eq(key, w->last)) {
        flush_marker(w);
        w->newer = 0;
        w->last = arena_str(&w->a, key);
        if (!w->last.p)
            return err_set(e, RC_NOMEM, "out of memory");
    }
    w->last_seq = o->seq;
    w->seen++;
    if (!o->newest)
        return old_version(w, key, o, e);
    if (!o->marker)
        return current_due(w, o) ? note(w, key, o, true, e) : RC_OK;
    if (!w->r->expired_markers &&
        !(w->r->days && lifecycle_due(o->modified_ms, w->r->days, w->now_ms)))
        return RC_OK;
    w->marker_pending = true;
    w->marker = (struct victim){w->last, {o->seq, o->null_version}, o->seq, false};
    return RC_OK;
}

/* ---- removing */

static enum rc remove_one(struct sweep *w, const struct victim *v, struct tx *tx, struct err *e)
{
    struct object now, gone;
    enum rc rc;

    if (!v->current) {
        rc = index_delete_version(tx, &w->b, v->key, &v->version, &gone, &w->freed, e);
        return rc == RC_NOT_FOUND ? RC_OK : rc;
    }
    rc = index_get(tx, &w->a, w->b.id, v->key, NULL, &now, e);
    if (rc == RC_NOT_FOUND || (!rc && !current_due(w, &now))) /* written meanwhile */
        return RC_OK;
    return rc ? rc : index_delete(tx, &w->b, v->key, os_now_ms(), &gone, &w->freed, e);
}

static enum rc apply(struct commit_op *op, struct tx *tx, struct err *e)
{
    struct sweep *w = (struct sweep *)op;
    enum rc rc = index_bucket(tx, w->bucket, &w->b, e);

    w->freed.n = 0;
    if (rc == RC_NOT_FOUND)
        op->refused = true;
    for (size_t i = 0; !rc && i < w->n; i++)
        rc = remove_one(w, &w->v[i], tx, e);
    return rc;
}

static enum rc remove_noted(struct sweep *w, struct err *e)
{
    enum rc rc = w->n ? committer_run(w->s->committer, &w->op, e) : RC_OK;

    if (!rc) {
        files_remove(w->s->files, &w->freed);
        w->done += w->n;
    }
    VEC_DONE(&w->freed);
    w->n = 0;
    return rc;
}

/* ---- walking */

/* The prefix with its last byte counted up: no byte of UTF-8 is 0xff. */
static str end_of(struct arena *a, str prefix)
{
    char *p = arena_cstr(a, prefix);

    if (!prefix.n)
        return STR("\xff");
    if (p)
        p[prefix.n - 1]++;
    return (str){p, p ? prefix.n : 0};
}

static enum rc run_rule(struct sweep *w, struct event *stop, struct err *e)
{
    char from[STORE_KEY_BYTES_MAX + 1];
    int64_t before = 0;
    enum rc rc = RC_OK;

    memcpy(from, w->r->prefix.n ? w->r->prefix.p : "", w->r->prefix.n);
    w->from = (str){from, w->r->prefix.n};
    w->last = STR_NONE;
    w->marker_pending = false;
    do {
        struct tx *tx;
        str to;
        arena_done(&w->a);
        arena_init(&w->a, 32 << 20);
        to = end_of(&w->a, w->r->prefix);
        w->last = before ? arena_str(&w->a, w->from) : STR_NONE;
        w->seen = 0;
        rc = to.p ? db_begin(w->s->db, DB_READ, &tx, e) : err_set(e, RC_NOMEM, "out of memory");
        if (rc)
            break;
        rc = index_list_versions(tx, w->b.id, w->from, before, to, PAGE - 1, each, w, e);
        tx_rollback(tx);
        if (!rc && w->seen < PAGE - 1)
            flush_marker(w);
        if (!rc && w->seen) {
            memcpy(from, w->last.p, w->last.n);
            w->from.n = w->last.n;
            /* a marker whose key may go on is looked at again */
            before = w->marker_pending ? w->last_seq + 1 : w->last_seq ? w->last_seq : -1;
            w->marker_pending = false;
            if (before < 0) { /* nothing of this key is older: on to the next one */
                from[w->from.n++] = 0;
                before = 0;
            }
        }
        if (!rc)
            rc = remove_noted(w, e);
    } while (!rc && w->seen == PAGE - 1 && !event_is_set(stop));
    return rc;
}

/* ---- uploads */

struct abort_op {
    struct commit_op op;
    int64_t upload;
    struct freed_list freed;
};

static enum rc apply_abort(struct commit_op *op, struct tx *tx, struct err *e)
{
    struct abort_op *x = (struct abort_op *)op;

    x->freed.n = 0;
    return index_upload_drop(tx, x->upload, &x->freed, e);
}

struct due_uploads {
    const struct sweep *w;
    int64_t id[PAGE];
    size_t n;
};

static enum rc each_upload(void *ud, const struct upload *u, bool *stop, struct err *e)
{
    struct due_uploads *d = ud;

    if (lifecycle_due(u->created_ms, d->w->r->abort_days, d->w->now_ms))
        d->id[d->n++] = u->id;
    *stop = d->n == PAGE;
    return RC_OK;
}

static enum rc abort_uploads(struct sweep *w, struct err *e)
{
    struct due_uploads *d = mem_zalloc(sizeof *d);
    struct tx *tx;
    str to = end_of(&w->a, w->r->prefix);
    enum rc rc =
        d && to.p ? db_begin(w->s->db, DB_READ, &tx, e) : err_set(e, RC_NOMEM, "out of memory");

    if (!rc) {
        d->w = w;
        rc = index_uploads(tx, w->b.id, w->r->prefix, 0, to, INT32_MAX, each_upload, d, e);
        tx_rollback(tx);
    }
    for (size_t i = 0; !rc && i < d->n; i++) {
        struct abort_op x = {.op.apply = apply_abort, .upload = d->id[i]};
        rc = committer_run(w->s->committer, &x.op, e);
        if (!rc) {
            files_remove(w->s->files, &x.freed);
            store_count(w->s, COUNT_SWEPT_UPLOADS, 1);
        }
        VEC_DONE(&x.freed);
    }
    mem_free(d);
    return rc;
}

/* ---- buckets */

struct buckets_found {
    struct arena *a;
    VEC(str) names;
};

static enum rc each_bucket(void *ud, str name, const struct bucket *b, bool *stop, struct err *e)
{
    struct buckets_found *f = ud;
    str copy = arena_str(f->a, name);

    if (!copy.p || !VEC_PUSH(&f->names, copy))
        return err_set(e, RC_NOMEM, "out of memory");
    return RC_OK;
}

static enum rc run_bucket(struct sweep *w, struct arena *a, struct event *stop, struct err *e)
{
    struct lifecycle l;
    struct tx *tx;
    str xml;
    enum rc rc = db_begin(w->s->db, DB_READ, &tx, e);

    if (rc)
        return rc;
    rc = index_bucket(tx, w->bucket, &w->b, e);
    if (!rc)
        rc = index_setting(tx, a, w->b.id, "lifecycle", &xml, e);
    tx_rollback(tx);
    if (rc == RC_NOT_FOUND)
        return RC_OK;
    if (!rc)
        rc = lifecycle_read(a, xml, &l, e);
    for (size_t i = 0; !rc && i < l.n && !event_is_set(stop); i++) {
        w->r = &l.rules[i];
        if (!w->r->enabled)
            continue;
        if (w->r->days || w->r->date_ms || w->r->noncurrent_days || w->r->expired_markers)
            rc = run_rule(w, stop, e);
        if (!rc && w->r->abort_days)
            rc = abort_uploads(w, e);
    }
    return rc;
}

enum rc lifecycle_run(struct store *s, int64_t now_ms, struct event *stop, uint64_t *ret_removed,
                      struct err *e)
{
    struct sweep *w = mem_zalloc(sizeof *w);
    struct arena a;
    struct buckets_found f = {.a = &a};
    struct tx *tx;
    enum rc rc;

    if (!w)
        return err_set(e, RC_NOMEM, "out of memory");
    arena_init(&a, 16 << 20);
    arena_init(&w->a, 32 << 20);
    w->op.apply = apply;
    w->s = s;
    w->now_ms = now_ms;
    rc = db_begin(s->db, DB_READ, &tx, e);
    if (!rc) {
        rc = index_buckets(tx, STR(""), each_bucket, &f, e);
        tx_rollback(tx);
    }
    for (size_t i = 0; !rc && i < f.names.n && !event_is_set(stop); i++) {
        w->bucket = f.names.p[i];
        rc = run_bucket(w, &a, stop, e);
    }
    if (!rc)
        *ret_removed = w->done;
    VEC_DONE(&f.names);
    arena_done(&w->a);
    arena_done(&a);
    mem_free(w);
    return rc;
}
