/* object_sql.c - objects and their versions in the index.  See index.h, invariants 1 to 4. */
#include "store/index.h"

#define COLUMNS " data, bytes, modified_ms, etag, type, meta, acl, tags, sum, seq, nullv"

static enum rc no_memory(struct err *e)
{
    return err_set(e, RC_NOMEM, "out of memory");
}

/* ---- version ids */

bool version_parse(str s, struct version_id *ret)
{
    uint8_t b[(INDEX_VERSION_TEXT - 1) / 2];
    uint64_t v = 0;

    *ret = (struct version_id){.null_version = str_is(s, "null")};
    if (ret->null_version)
        return true;
    if (s.n != INDEX_VERSION_TEXT - 1 || !hex_to(s, b) || b[0] > 0x7f)
        return false;
    for (size_t i = 0; i < sizeof b; i++)
        v = v << 8 | b[i];
    ret->seq = (int64_t)v;
    return true;
}

void version_text(const struct object *o, char ret[INDEX_VERSION_TEXT])
{
    if (o->null_version)
        snprintf(ret, INDEX_VERSION_TEXT, "null");
    else
        snprintf(ret, INDEX_VERSION_TEXT, "%016llx", (unsigned long long)o->seq);
}

/* ---- reading one */

static void set_etag(struct rows *r, int col, char ret[INDEX_ETAG_MAX])
{
    snprintf(ret, INDEX_ETAG_MAX, "%.*s", STR_F(rows_text(r, col)));
}

/* COLUMNS, then kind and marker. */
static enum rc take_object(struct rows *r, struct arena *a, struct object *ret, struct err *e)
{
    struct object o = {0};
    bool there = rows_next(r);
    enum rc rc;

    if (there) {
        o.data = rows_int(r, 0);
        o.bytes = (uint64_t)rows_int(r, 1);
        o.modified_ms = rows_int(r, 2);
        set_etag(r, 3, o.etag);
        o.type = rows_copy(r, a, 4);
        o.meta = rows_copy(r, a, 5);
        o.acl = (enum canned_acl)rows_int(r, 6);
        o.tags = rows_copy(r, a, 7);
        sum_read(rows_text(r, 8), &o.sum);
        o.seq = rows_int(r, 9);
        o.null_version = rows_int(r, 10) != 0;
        o.kind = (enum data_kind)rows_int(r, 11);
        o.marker = rows_int(r, 12) != 0;
    }
    rc = rows_done(r, e);
    if (!rc && !there)
        rc = err_set(e, RC_NOT_FOUND, "there is no object of this key");
    if (!rc && (!o.type.p || !o.meta.p || !o.tags.p))
        rc = no_memory(e);
    if (!rc)
        *ret = o;
    return rc;
}

enum rc index_get(struct tx *tx, struct arena *a, int64_t bucket, str key,
                  const struct version_id *v, struct object *ret, struct err *e)
{
    struct rows *r;
    enum rc rc = tx_query(tx, &r, e,
                          "SELECT o.data, o.bytes, o.modified_ms, o.etag, o.type, o.meta, o.acl,"
                          " o.tags, o.sum, o.seq, o.nullv, d.kind, 0"
                          " FROM object o JOIN data d ON d.id = o.data"
                          " WHERE o.bucket = ? AND o.key = ?",
                          db_i(bucket), db_b(key));

    if (!rc)
        rc = take_object(r, a, ret, e);
    if (!v || (rc && rc != RC_NOT_FOUND))
        return rc;
    if (!rc && (v->null_version ? ret->null_version : !ret->null_version && ret->seq == v->seq))
        return RC_OK;
    rc = tx_query(tx, &r, e,
                  "SELECT o.data, o.bytes, o.modified_ms, o.etag, o.type, o.meta, o.acl,"
                  " o.tags, o.sum, o.seq, o.nullv, coalesce(d.kind, 0), o.marker"
                  " FROM version o LEFT JOIN data d ON d.id = o.data"
                  " WHERE o.bucket = ? AND o.key = ? AND nullv = ? AND (nullv OR seq = ?)",
                  db_i(bucket), db_b(key), db_i(v->null_version), db_i(v->seq));
    return rc ? rc : take_object(r, a, ret, e);
}

enum rc index_marker(struct tx *tx, int64_t bucket, str key, struct object *ret, struct err *e)
{
    struct rows *r;
    struct object o = {.marker = true};
    bool there;
    enum rc rc = tx_query(tx, &r, e,
                          "SELECT seq, nullv, modified_ms FROM version WHERE bucket = ? AND key = ?"
                          " AND left_ms = 0",
                          db_i(bucket), db_b(key));

    if (rc)
        return rc;
    there = rows_next(r);
    if (there) {
        o.seq = rows_int(r, 0);
        o.null_version = rows_int(r, 1) != 0;
        o.modified_ms = rows_int(r, 2);
    }
    rc = rows_done(r, e);
    if (!rc && !there)
        rc = err_set(e, RC_NOT_FOUND, "there is no object of this key");
    if (!rc)
        *ret = o;
    return rc;
}

/* ---- changing */

/* The row of a key in `object` as far as changes need it. */
struct current {
    bool there, null_version;
    int64_t data;
};

static enum rc get_current(struct tx *tx, int64_t bucket, str key, struct current *ret,
                           struct err *e)
{
    struct rows *r;
    enum rc rc = tx_query(tx, &r, e, "SELECT data, nullv FROM object WHERE bucket = ? AND key = ?",
                          db_i(bucket), db_b(key));

    *ret = (struct current){0};
    if (rc)
        return rc;
    ret->there = rows_next(r);
    if (ret->there) {
        ret->data = rows_int(r, 0);
        ret->null_version = rows_int(r, 1) != 0;
    }
    return rows_done(r, e);
}

static enum rc drop_current(struct tx *tx, int64_t bucket, str key, struct err *e)
{
    return tx_exec(tx, e, "DELETE FROM object WHERE bucket = ? AND key = ?", db_i(bucket),
                   db_b(key));
}

/* object -> version */
static enum rc retire(struct tx *tx, int64_t bucket, str key, int64_t now_ms, struct err *e)
{
    enum rc rc =
        tx_exec(tx, e,
                "INSERT INTO version(bucket, key, marker, left_ms," COLUMNS ")"
                " SELECT bucket, key, 0, ?," COLUMNS " FROM object WHERE bucket = ? AND key = ?",
                db_i(now_ms), db_i(bucket), db_b(key));

    return rc ? rc : drop_current(tx, bucket, key, e);
}

static enum rc drop_version(struct tx *tx, int64_t bucket, str key, int64_t seq, int64_t data,
                            struct freed_list *freed, struct err *e)
{
    enum rc rc = data ? data_unref(tx, data, freed, e) : RC_OK;

    return rc ? rc
              : tx_exec(tx, e, "DELETE FROM version WHERE bucket = ? AND key = ? AND seq = ?",
                        db_i(bucket), db_b(key), db_i(seq));
}

/* The null version among those that are not current, if there is one. */
static enum rc drop_old_null(struct tx *tx, int64_t bucket, str key, struct freed_list *freed,
                             struct err *e)
{
    struct rows *r;
    int64_t seq = 0, data = 0;
    bool there;
    enum rc rc = tx_query(
        tx, &r, e, "SELECT seq, data FROM version WHERE bucket = ? AND key = ? AND nullv = 1",
        db_i(bucket), db_b(key));

    if (rc)
        return rc;
    there = rows_next(r);
    if (there) {
        seq = rows_int(r, 0);
        data = rows_int(r, 1);
    }
    rc = rows_done(r, e);
    return rc || !there ? rc : drop_version(tx, bucket, key, seq, data, freed, e);
}

/* Before a new version: what is newest now is freed or becomes one of the old.  Without versioning
 * the row stays, to be replaced. */
static enum rc make_room(struct tx *tx, const struct bucket *b, str key, int64_t now_ms,
                         struct current *ret, struct freed_list *freed, struct err *e)
{
    enum rc rc = get_current(tx, b->id, key, ret, e);
    bool suspended = b->versioning == VERSIONING_SUSPENDED;

    if (rc)
        return rc;
    if (b->versioning == VERSIONING_OFF)
        return ret->there ? data_unref(tx, ret->data, freed, e) : RC_OK;
    if (ret->there && suspended && ret->null_version) {
        rc = data_unref(tx, ret->data, freed, e);
        return rc ? rc : drop_current(tx, b->id, key, e);
    }
    if (ret->there)
        rc = retire(tx, b->id, key, now_ms, e);
    else
        rc = tx_exec(tx, e,
                     "UPDATE version SET left_ms = ? WHERE bucket = ? AND key = ? AND left_ms = 0",
                     db_i(now_ms), db_i(b->id), db_b(key));
    if (!rc && suspended)
        rc = drop_old_null(tx, b->id, key, freed, e);
    return rc;
}

static enum rc next_seq(struct tx *tx, const struct bucket *b, struct object *o, struct err *e)
{
    struct rows *r;
    enum rc rc;

    o->seq = 0;
    o->null_version = b->versioning != VERSIONING_ON;
    if (b->versioning == VERSIONING_OFF)
        return RC_OK;
    rc = tx_exec0(tx, e, "UPDATE counter SET value = value + 1 WHERE name = 'version'");
    if (!rc)
        rc = tx_query0(tx, &r, e, "SELECT value FROM counter WHERE name = 'version'");
    return rc ? rc : data_one_int(r, &o->seq, e);
}

static enum rc set_current(struct tx *tx, const struct bucket *b, str key, struct object *o,
                           struct freed_list *freed, struct err *e)
{
    struct current old;
    char sum[SUM_STORED];
    enum rc rc = make_room(tx, b, key, o->modified_ms, &old, freed, e);

    if (!rc)
        rc = next_seq(tx, b, o, e);
    if (rc)
        return rc;
    sum_write(&o->sum, sum);
    return tx_exec(tx, e,
                   "INSERT OR REPLACE INTO object(bucket, key," COLUMNS ")"
                   " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                   db_i(b->id), db_b(key), db_i(o->data), db_i((int64_t)o->bytes),
                   db_i(o->modified_ms), db_c(o->etag), db_s(o->type), db_s(o->meta), db_i(o->acl),
                   db_s(o->tags), db_c(sum), db_i(o->seq), db_i(o->null_version));
}

enum rc index_put(struct tx *tx, const struct bucket *b, str key, struct object *o,
                  struct data_new *d, struct freed_list *freed, struct err *e)
{
    enum rc rc = data_add(tx, d, &o->data, e);

    return rc ? rc : set_current(tx, b, key, o, freed, e);
}

enum rc index_link(struct tx *tx, const struct bucket *b, str key, struct object *o,
                   struct freed_list *freed, struct err *e)
{
    /* First one more, then perhaps one less: a copy onto itself must not free its own bytes. */
    enum rc rc = data_ref(tx, o->data, e);

    return rc ? rc : set_current(tx, b, key, o, freed, e);
}

enum rc index_complete(struct tx *tx, const struct bucket *b, const struct upload *u,
                       struct object *o, const struct part *parts, size_t n,
                       struct freed_list *freed, struct err *e)
{
    struct data_new d = {.id = o->data, .kind = DATA_PIECES, .bytes = o->bytes};
    int64_t data;
    enum rc rc = data_add(tx, &d, &data, e);

    for (size_t i = 0; !rc && i < n; i++) {
        rc = data_piece(tx, o->data, i, parts[i].data, e);
        if (!rc) /* what stays in `part` is freed with the upload */
            rc = tx_exec(tx, e, "DELETE FROM part WHERE upload = ? AND number = ?", db_i(u->id),
                         db_i(parts[i].number));
    }
    if (!rc)
        rc = set_current(tx, b, u->key, o, freed, e);
    return rc ? rc : index_upload_drop(tx, u->id, freed, e);
}

enum rc index_delete(struct tx *tx, const struct bucket *b, str key, int64_t now_ms,
                     struct object *ret_marker, struct freed_list *freed, struct err *e)
{
    struct current old;
    struct object m = {.marker = true, .modified_ms = now_ms};
    enum rc rc = make_room(tx, b, key, now_ms, &old, freed, e);

    if (!rc && b->versioning == VERSIONING_OFF) {
        if (old.there)
            rc = drop_current(tx, b->id, key, e);
        if (!rc)
            *ret_marker = (struct object){0};
        return rc;
    }
    if (!rc)
        rc = next_seq(tx, b, &m, e);
    if (!rc)
        rc = tx_exec(tx, e,
                     "INSERT INTO version(bucket, key, seq, nullv, marker, data, bytes,"
                     " modified_ms, left_ms, etag, type, meta, acl, tags, sum)"
                     " VALUES (?, ?, ?, ?, 1, 0, 0, ?, 0, '', '', '', 0, '', '')",
                     db_i(b->id), db_b(key), db_i(m.seq), db_i(m.null_version), db_i(now_ms));
    if (!rc)
        *ret_marker = m;
    return rc;
}

/* The newest of the old versions becomes what a read finds, if nothing newer is left. */
static enum rc promote(struct tx *tx, int64_t bucket, str key, struct err *e)
{
    struct current now;
    struct rows *r;
    int64_t seq = 0, marker = 0;
    bool there;
    enum rc rc = get_current(tx, bucket, key, &now, e);

    if (rc || now.there)
        return rc;
    rc = tx_query(tx, &r, e,
                  "SELECT seq, marker FROM version WHERE bucket = ? AND key = ?"
                  " ORDER BY seq DESC LIMIT 1",
                  db_i(bucket), db_b(key));
    if (rc)
        return rc;
    there = rows_next(r);
    if (there) {
        seq = rows_int(r, 0);
        marker = rows_int(r, 1);
    }
    rc = rows_done(r, e);
    if (rc || !there)
        return rc;
    if (marker)
        return tx_exec(tx, e,
                       "UPDATE version SET left_ms = 0 WHERE bucket = ? AND key = ? AND seq = ?",
                       db_i(bucket), db_b(key), db_i(seq));
    rc = tx_exec(tx, e,
                 "INSERT INTO object(bucket, key," COLUMNS ") SELECT bucket, key," COLUMNS
                 " FROM version WHERE bucket = ? AND key = ? AND seq = ?",
                 db_i(bucket), db_b(key), db_i(seq));
    return rc ? rc : drop_version(tx, bucket, key, seq, 0, NULL, e);
}

enum rc index_delete_version(struct tx *tx, const struct bucket *b, str key,
                             const struct version_id *v, struct object *ret,
                             struct freed_list *freed, struct err *e)
{
    struct arena a;
    struct object o;
    int64_t changed;
    enum rc rc;

    arena_init(&a, 256 << 10);
    rc = index_get(tx, &a, b->id, key, v, &o, e);
    arena_done(&a);
    if (rc)
        return rc;
    o.type = o.meta = o.tags = STR_NONE; /* they lived in the arena */
    rc = tx_exec(tx, e, "DELETE FROM object WHERE bucket = ? AND key = ? AND seq = ?", db_i(b->id),
                 db_b(key), db_i(o.seq));
    changed = rc ? 0 : tx_changes(tx);
    if (!rc && changed)
        rc = data_unref(tx, o.data, freed, e);
    else if (!rc)
        rc = drop_version(tx, b->id, key, o.seq, o.data, freed, e);
    if (!rc)
        rc = promote(tx, b->id, key, e);
    if (!rc)
        *ret = o;
    return rc;
}

enum rc index_retag(struct tx *tx, int64_t bucket, str key, const struct object *o, str tags,
                    struct err *e)
{
    enum rc rc =
        tx_exec(tx, e, "UPDATE object SET tags = ? WHERE bucket = ? AND key = ? AND seq = ?",
                db_s(tags), db_i(bucket), db_b(key), db_i(o->seq));

    return rc ? rc
              : tx_exec(tx, e,
                        "UPDATE version SET tags = ? WHERE bucket = ? AND key = ? AND seq = ?",
                        db_s(tags), db_i(bucket), db_b(key), db_i(o->seq));
}

enum rc index_reacl(struct tx *tx, int64_t bucket, str key, const struct object *o,
                    enum canned_acl acl, struct err *e)
{
    enum rc rc =
        tx_exec(tx, e, "UPDATE object SET acl = ? WHERE bucket = ? AND key = ? AND seq = ?",
                db_i(acl), db_i(bucket), db_b(key), db_i(o->seq));

    return rc ? rc
              : tx_exec(tx, e,
                        "UPDATE version SET acl = ? WHERE bucket = ? AND key = ? AND seq = ?",
                        db_i(acl), db_i(bucket), db_b(key), db_i(o->seq));
}

/* ---- lists */

enum rc index_list(struct tx *tx, int64_t bucket, str from, str to, size_t max, index_list_fn each,
                   void *ud, struct err *e)
{
    struct rows *r;
    bool stop = false;
    enum rc done, rc = tx_query(tx, &r, e,
                                "SELECT key, bytes, modified_ms, etag, sum FROM object"
                                " WHERE bucket = ? AND key >= ? AND key < ? ORDER BY key LIMIT ?",
                                db_i(bucket), db_b(from), db_b(to), db_i((int64_t)max));

    if (rc)
        return rc;
    while (!rc && !stop && rows_next(r)) {
        struct object o = {.bytes = (uint64_t)rows_int(r, 1), .modified_ms = rows_int(r, 2)};
        str etag = str_sub(rows_text(r, 3), 0, INDEX_ETAG_MAX - 1);
        memcpy(o.etag, etag.n ? etag.p : "", etag.n);
        sum_read(rows_text(r, 4), &o.sum);
        rc = each(ud, rows_text(r, 0), &o, &stop, e);
    }
    done = rows_done(r, rc ? NULL : e);
    return rc ? rc : done;
}

enum rc index_list_versions(struct tx *tx, int64_t bucket, str from, int64_t before, str to,
                            size_t max, index_list_fn each, void *ud, struct err *e)
{
    struct rows *r;
    bool stop = false;
    enum rc done, rc;

    if (before <= 0)
        before = INT64_MAX;
    rc = tx_query(tx, &r, e,
                  "SELECT key, seq, bytes, modified_ms, etag, tags, sum, nullv, 0, 0"
                  " FROM object WHERE bucket = ? AND key >= ? AND key < ?"
                  " AND (key > ? OR seq < ?)"
                  " UNION ALL"
                  " SELECT key, seq, bytes, modified_ms, etag, tags, sum, nullv, marker, left_ms"
                  " FROM version WHERE bucket = ? AND key >= ? AND key < ?"
                  " AND (key > ? OR seq < ?)"
                  " ORDER BY 1, 2 DESC LIMIT ?",
                  db_i(bucket), db_b(from), db_b(to), db_b(from), db_i(before), db_i(bucket),
                  db_b(from), db_b(to), db_b(from), db_i(before), db_i((int64_t)max));
    if (rc)
        return rc;
    while (!rc && !stop && rows_next(r)) {
        struct object o = {.seq = rows_int(r, 1),
                           .bytes = (uint64_t)rows_int(r, 2),
                           .modified_ms = rows_int(r, 3),
                           .tags = rows_text(r, 5),
                           .null_version = rows_int(r, 7) != 0,
                           .marker = rows_int(r, 8) != 0,
                           .left_ms = rows_int(r, 9)};
        set_etag(r, 4, o.etag);
        sum_read(rows_text(r, 6), &o.sum);
        o.newest = !o.left_ms;
        rc = each(ud, rows_text(r, 0), &o, &stop, e);
    }
    done = rows_done(r, rc ? NULL : e);
    return rc ? rc : done;
}

enum rc index_usage(struct tx *tx, uint64_t ret[4], struct err *e)
{
    struct rows *r;
    enum rc rc = tx_query0(tx, &r, e,
                           "SELECT (SELECT count(*) FROM bucket), count(*),"
                           " coalesce(sum(bytes), 0) + (SELECT coalesce(sum(bytes), 0)"
                           " FROM version), (SELECT count(*) FROM upload) FROM object");

    if (rc)
        return rc;
    if (rows_next(r))
        for (int i = 0; i < 4; i++)
            ret[i] = (uint64_t)rows_int(r, i);
    return rows_done(r, e);
}
