/* upload_sql.c - unfinished multipart uploads and their parts in the index.  See index.h. */
#include "store/index.h"

enum { SUM_COMPOSITE = 1, SUM_ASKED = 2 };

static enum rc no_memory(struct err *e)
{
    return err_set(e, RC_NOMEM, "out of memory");
}

enum rc index_upload_add(struct tx *tx, const struct upload *u, struct err *e)
{
    return tx_exec(tx, e,
                   "INSERT INTO upload(id, bucket, key, type, meta, tags, acl, sum_kind, sum_flags,"
                   " created_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                   db_i(u->id), db_i(u->bucket), db_b(u->key), db_s(u->type), db_s(u->meta),
                   db_s(u->tags), db_i(u->acl), db_i(u->sum_kind),
                   db_i((u->sum_composite ? SUM_COMPOSITE : 0) | (u->sum_asked ? SUM_ASKED : 0)),
                   db_i(u->created_ms));
}

static void set_sum_kind(struct upload *u, int64_t kind, int64_t flags)
{
    u->sum_kind = (enum checksum_kind)kind;
    u->sum_composite = flags & SUM_COMPOSITE;
    u->sum_asked = flags & SUM_ASKED;
}

enum rc index_upload(struct tx *tx, struct arena *a, int64_t id, struct upload *ret, struct err *e)
{
    struct rows *r;
    struct upload u = {.id = id};
    bool there;
    enum rc rc = tx_query(tx, &r, e,
                          "SELECT bucket, key, type, meta, tags, acl, sum_kind, sum_flags,"
                          " created_ms FROM upload WHERE id = ?",
                          db_i(id));

    if (rc)
        return rc;
    there = rows_next(r);
    if (there) {
        u.bucket = rows_int(r, 0);
        u.key = rows_copy(r, a, 1);
        u.type = rows_copy(r, a, 2);
        u.meta = rows_copy(r, a, 3);
        u.tags = rows_copy(r, a, 4);
        u.acl = (enum canned_acl)rows_int(r, 5);
        set_sum_kind(&u, rows_int(r, 6), rows_int(r, 7));
        u.created_ms = rows_int(r, 8);
    }
    rc = rows_done(r, e);
    if (!rc && !there)
        rc = err_set(e, RC_NOT_FOUND, "there is no such upload");
    if (!rc && (!u.key.p || !u.type.p || !u.meta.p || !u.tags.p))
        rc = no_memory(e);
    if (!rc)
        *ret = u;
    return rc;
}

enum rc index_uploads(struct tx *tx, int64_t bucket, str from, int64_t after, str to, size_t max,
                      index_upload_fn each, void *ud, struct err *e)
{
    struct rows *r;
    bool stop = false;
    enum rc done, rc = tx_query(tx, &r, e,
                                "SELECT id, key, created_ms, sum_kind, sum_flags FROM upload"
                                " WHERE bucket = ? AND key >= ? AND key < ? AND (key > ? OR id > ?)"
                                " ORDER BY key, id LIMIT ?",
                                db_i(bucket), db_b(from), db_b(to), db_b(from), db_i(after),
                                db_i((int64_t)max));

    if (rc)
        return rc;
    while (!rc && !stop && rows_next(r)) {
        struct upload u = {.id = rows_int(r, 0),
                           .bucket = bucket,
                           .key = rows_text(r, 1),
                           .created_ms = rows_int(r, 2)};
        set_sum_kind(&u, rows_int(r, 3), rows_int(r, 4));
        rc = each(ud, &u, &stop, e);
    }
    done = rows_done(r, rc ? NULL : e);
    return rc ? rc : done;
}

enum rc index_part_put(struct tx *tx, int64_t upload, unsigned number, const struct object *o,
                       struct data_new *d, struct freed_list *freed, struct err *e)
{
    struct rows *r;
    int64_t old, data;
    char sum[SUM_STORED];
    enum rc rc = data_add(tx, d, &data, e);

    if (!rc)
        rc = tx_query(tx, &r, e, "SELECT data FROM part WHERE upload = ? AND number = ?",
                      db_i(upload), db_i(number));
    if (!rc)
        rc = data_one_int(r, &old, e);
    if (!rc)
        rc = data_unref(tx, old, freed, e);
    if (rc && rc != RC_NOT_FOUND)
        return rc;
    sum_write(&o->sum, sum);
    return tx_exec(
        tx, e,
        "INSERT OR REPLACE INTO part(upload, number, data, bytes, modified_ms, etag, sum)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        db_i(upload), db_i(number), db_i(data), db_i((int64_t)o->bytes), db_i(o->modified_ms),
        db_c(o->etag), db_c(sum));
}

enum rc index_parts(struct tx *tx, struct arena *a, int64_t upload, unsigned after, size_t max,
                    struct part **ret, size_t *ret_n, struct err *e)
{
    struct rows *r;
    struct part *list;
    int64_t count;
    size_t n = 0;
    enum rc rc = tx_query(tx, &r, e, "SELECT count(*) FROM part WHERE upload = ? AND number > ?",
                          db_i(upload), db_i(after));

    if (!rc)
        rc = data_one_int(r, &count, e);
    if (rc)
        return rc;
    if ((size_t)count < max)
        max = (size_t)count;
    list = ARENA_ARRAY(a, struct part, max + 1);
    if (!list)
        return no_memory(e);
    rc = tx_query(tx, &r, e,
                  "SELECT number, data, bytes, modified_ms, etag, sum FROM part"
                  " WHERE upload = ? AND number > ? ORDER BY number LIMIT ?",
                  db_i(upload), db_i(after), db_i((int64_t)max));
    if (rc)
        return rc;
    while (n < max && rows_next(r)) {
        list[n].number = (unsigned)rows_int(r, 0);
        list[n].data = rows_int(r, 1);
        list[n].bytes = (uint64_t)rows_int(r, 2);
        list[n].modified_ms = rows_int(r, 3);
        snprintf(list[n].etag, INDEX_ETAG_MAX, "%.*s", STR_F(rows_text(r, 4)));
        sum_read(rows_text(r, 5), &list[n].sum);
        n++;
    }
    rc = rows_done(r, e);
    if (rc)
        return rc;
    *ret = list;
    *ret_n = n;
    return RC_OK;
}

enum rc index_upload_drop(struct tx *tx, int64_t upload, struct freed_list *freed, struct err *e)
{
    struct rows *r;
    int64_t data;
    enum rc rc;

    for (;;) {
        rc = tx_query(tx, &r, e, "SELECT data FROM part WHERE upload = ? ORDER BY number LIMIT 1",
                      db_i(upload));
        if (!rc)
            rc = data_one_int(r, &data, e);
        if (!rc)
            rc = data_unref(tx, data, freed, e);
        if (!rc)
            rc = tx_exec(tx, e,
                         "DELETE FROM part WHERE upload = ? AND number ="
                         " (SELECT min(number) FROM part WHERE upload = ?)",
                         db_i(upload), db_i(upload));
        if (rc)
            break;
    }
    if (rc != RC_NOT_FOUND)
        return rc;
    return tx_exec(tx, e, "DELETE FROM upload WHERE id = ?", db_i(upload));
}

enum rc index_upload_older(struct tx *tx, int64_t before_ms, int64_t *ret, struct err *e)
{
    struct rows *r;
    enum rc rc = tx_query(tx, &r, e,
                          "SELECT id FROM upload WHERE created_ms < ? ORDER BY created_ms LIMIT 1",
                          db_i(before_ms));

    return rc ? rc : data_one_int(r, ret, e);
}
