/* object_sql.c - objects and their versions in the index.  See index.h, invariants 1 to 4. */
#include "store/index.h"

#include "base/log.h"
#include "store/object_row.h"

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

static bool copy_texts(struct arena *a, struct object *o)
{
    o->type = arena_str(a, o->type);
    o->meta = arena_str(a, o->meta);
    o->tags = arena_str(a, o->tags);
    return o->type.p && o->meta.p && o->tags.p;
}

#define OF_OBJECT                                                                                  \
    "SELECT" ROWSUM_OBJECT_COLUMNS ", 0, 0, crc,"                                                  \
    " coalesce((SELECT d.kind FROM data d WHERE d.id = object.data), 0) FROM object"
#define OF_VERSION                                                                                 \
    "SELECT" ROWSUM_OBJECT_COLUMNS ", marker, left_ms, crc,"                                       \
    " coalesce((SELECT d.kind FROM data d WHERE d.id = version.data), 0) FROM version"

/* One of the two.  A row that is wrong is there: RC_CORRUPT, and not another answer. */
static enum rc take_object(struct rows *r, struct arena *a, int64_t bucket, str key,
                           struct object *ret, struct err *e)
{
    struct object o = {0};
    union rowsum_col cols[OBJECT_COLS];
    bool there = rows_next(r), holds = true, ok = true;
    enum rc rc;

    if (there) {
        holds = rowsum_read(key_sum(bucket, key), r, 0, ROWSUM_VERSION_LETTERS, cols);
        o = object_of(cols);
        o.kind = (enum data_kind)rows_int(r, OBJECT_COLS + 1);
        ok = copy_texts(a, &o);
    }
    rc = rows_done(r, e);
    if (!rc && !there)
        rc = err_set(e, RC_NOT_FOUND, "there is no object of this key");
    if (!rc && !holds)
        rc = wrong_row(e);
    if (!rc && !ok)
        rc = no_memory(e);
    if (!rc)
        *ret = o;
    return rc;
}

enum rc index_get(struct tx *tx, struct arena *a, int64_t bucket, str key,
                  const struct version_id *v, struct object *ret, struct err *e)
{
    struct rows *r;
    enum rc rc =
        tx_query(tx, &r, e, OF_OBJECT " WHERE bucket = ? AND key = ?", db_i(bucket), db_b(key));

    if (!rc)
        rc = take_object(r, a, bucket, key, ret, e);
    if (!v || (rc && rc != RC_NOT_FOUND))
        return rc;
    if (!rc && (v->null_version ? ret->null_version : !ret->null_version && ret->seq == v->seq))
        return RC_OK;
    rc = tx_query(tx, &r, e,
                  OF_VERSION " WHERE bucket = ? AND key = ? AND nullv = ? AND (nullv OR seq = ?)",
                  db_i(bucket), db_b(key), db_i(v->null_version), db_i(v->seq));
    return rc ? rc : take_object(r, a, bucket, key, ret, e);
}

enum rc index_marker(struct tx *tx, struct arena *a, int64_t bucket, str key, struct object *ret,
                     struct err *e)
{
    struct rows *r;
    enum rc rc = tx_query(tx, &r, e, OF_VERSION " WHERE bucket = ? AND key = ? AND left_ms = 0",
                          db_i(bucket), db_b(key));

    return rc ? rc : take_object(r, a, bucket, key, ret, e);
}

/* ---- changing */

/* The row of a key in `object` as far as changes need it. */
struct current {
    bool there, null_version;
    int64_t data; /* 0: the row is wrong, and does not tell */
};

/* What a wrong row says is not acted upon: it can be replaced and removed, and the bytes that it
 * named stay, for the check to tell. */
static int64_t data_of(struct rows *r, bool holds, str key)
{
    if (!holds)
        log_error("store: the row of '%.*s' in the index does not have its checksum; its content "
                  "is left where it is",
                  STR_F(key));
    return holds ? rows_int(r, DATA) : 0;
}

static enum rc unref(struct tx *tx, int64_t data, struct freed_list *freed, struct err *e)
{
    return data ? data_unref(tx, data, freed, e) : RC_OK;
}

static enum rc get_current(struct tx *tx, int64_t bucket, str key, struct current *ret,
                           struct err *e)
{
    struct rows *r;
    enum rc rc = tx_query(tx, &r, e, "SELECT" COLUMNS " FROM object WHERE bucket = ? AND key = ?",
                          db_i(bucket), db_b(key));

    *ret = (struct current){0};
    if (rc)
        return rc;
    ret->there = rows_next(r);
    if (ret->there) {
        ret->data =
            data_of(r, rowsum_holds(key_sum(bucket, key), r, 0, ROWSUM_OBJECT_LETTERS), key);
        ret->null_version = rows_int(r, NULLV) != 0;
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
    const uint32_t aside = rowsum_aside(ASIDE_LEFT, now_ms);
    enum rc rc = tx_exec(tx, e,
                         "INSERT INTO version(bucket, key, marker, left_ms," COLUMNS ")"
                         " SELECT bucket, key, 0, ?," ROWSUM_OBJECT_COLUMNS
                         ", (crc | ?) - (crc & ?) FROM object WHERE bucket = ? AND key = ?",
                         db_i(now_ms), db_i(aside), db_i(aside), db_i(bucket), db_b(key));

    return rc ? rc : drop_current(tx, bucket, key, e);
}

/* version -> object */
static enum rc revive(struct tx *tx, int64_t bucket, str key, int64_t seq, int64_t left_ms,
                      struct err *e)
{
    const uint32_t aside = rowsum_aside(ASIDE_LEFT, left_ms);

    return tx_exec(tx, e,
                   "INSERT INTO object(bucket, key," COLUMNS
                   ") SELECT bucket, key," ROWSUM_OBJECT_COLUMNS ", (crc | ?) - (crc & ?)"
                   " FROM version WHERE bucket = ? AND key = ? AND seq = ?",
                   db_i(aside), db_i(aside), db_i(bucket), db_b(key), db_i(seq));
}

/* A delete marker becomes its key's newest row (from_ms, 0), or ceases to be it (0, to_ms).  Not of
 * one with a lower seq. */
static enum rc set_left(struct tx *tx, int64_t bucket, str key, int64_t seq, int64_t from_ms,
                        int64_t to_ms, struct err *e)
{
    const uint32_t change = rowsum_aside(ASIDE_LEFT, from_ms) ^ rowsum_aside(ASIDE_LEFT, to_ms);

    return tx_exec(tx, e,
                   "UPDATE version SET left_ms = ?, " ROWSUM_CHANGE
                   " WHERE bucket = ? AND key = ? AND left_ms = ? AND seq >= ?",
                   db_i(to_ms), db_i(change), db_i(change), db_i(bucket), db_b(key), db_i(from_ms),
                   db_i(seq));
}

static enum rc drop_version(struct tx *tx, int64_t bucket, str key, int64_t seq, int64_t data,
                            struct freed_list *freed, struct err *e)
{
    enum rc rc = unref(tx, data, freed, e);

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
    enum rc rc = tx_query(tx, &r, e,
                          "SELECT" ROWSUM_OBJECT_COLUMNS ", marker, left_ms, crc FROM version"
                          " WHERE bucket = ? AND key = ? AND nullv = 1",
                          db_i(bucket), db_b(key));

    if (rc)
        return rc;
    there = rows_next(r);
    if (there) {
        seq = rows_int(r, SEQ);
        data = data_of(r, rowsum_holds(key_sum(bucket, key), r, 0, ROWSUM_VERSION_LETTERS), key);
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
        return unref(tx, ret->data, freed, e);
    if (ret->there && suspended && ret->null_version) {
        rc = unref(tx, ret->data, freed, e);
        return rc ? rc : drop_current(tx, b->id, key, e);
    }
    if (ret->there)
        rc = retire(tx, b->id, key, now_ms, e);
    else
        rc = set_left(tx, b->id, key, 0, 0, now_ms, e);
    if (!rc && suspended)
        rc = drop_old_null(tx, b->id, key, freed, e);
    return rc;
}

static enum rc next_seq(struct tx *tx, const struct bucket *b, struct object *o, struct err *e)
{
    o->seq = 0;
    o->null_version = b->versioning != VERSIONING_ON;
    return b->versioning == VERSIONING_OFF ? RC_OK : data_counter_next(tx, "version", &o->seq, e);
}

/* As it stands in `object`. */
static uint32_t object_sum(int64_t bucket, str key, const struct object *o)
{
    char sum[SUM_STORED];

    sum_write(&o->sum, sum);
    const struct db_val v[] = {
        db_i(o->seq),         db_i(o->null_version), db_i(o->data), db_i((int64_t)o->bytes),
        db_i(o->modified_ms), db_c(o->etag),         db_s(o->type), db_s(o->meta),
        db_i(o->acl),         db_s(o->tags),         db_c(sum)};
    return rowsum_vals(key_sum(bucket, key), v, sizeof v / sizeof *v);
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
                   " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                   db_i(b->id), db_b(key), db_i(o->seq), db_i(o->null_version), db_i(o->data),
                   db_i((int64_t)o->bytes), db_i(o->modified_ms), db_c(o->etag), db_s(o->type),
                   db_s(o->meta), db_i(o->acl), db_s(o->tags), db_c(sum),
                   db_i(object_sum(b->id, key, o)));
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
        char sum[SUM_STORED];
        sum_write(&parts[i].sum, sum);
        rc = data_piece(tx, o->data, i, parts[i].data, sum, e);
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
    struct object m = {
        .marker = true, .modified_ms = now_ms, .type = STR(""), .meta = STR(""), .tags = STR("")};
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
                     " modified_ms, left_ms, etag, type, meta, acl, tags, sum, crc)"
                     " VALUES (?, ?, ?, ?, 1, 0, 0, ?, 0, '', '', '', 0, '', '', ?)",
                     db_i(b->id), db_b(key), db_i(m.seq), db_i(m.null_version), db_i(now_ms),
                     db_i(object_sum(b->id, key, &m) ^ rowsum_aside(ASIDE_MARKER, 1)));
    if (!rc)
        *ret_marker = m;
    return rc;
}

/* The newest of the old versions becomes what a read finds, if nothing newer is left. */
static enum rc promote(struct tx *tx, int64_t bucket, str key, struct err *e)
{
    struct current now;
    struct rows *r;
    int64_t seq = 0, marker = 0, left_ms = 0;
    bool there;
    enum rc rc = get_current(tx, bucket, key, &now, e);

    if (rc || now.there)
        return rc;
    rc = tx_query(tx, &r, e,
                  "SELECT seq, marker, left_ms FROM version WHERE bucket = ? AND key = ?"
                  " ORDER BY seq DESC LIMIT 1",
                  db_i(bucket), db_b(key));
    if (rc)
        return rc;
    there = rows_next(r);
    if (there) {
        seq = rows_int(r, 0);
        marker = rows_int(r, 1);
        left_ms = rows_int(r, 2);
    }
    rc = rows_done(r, e);
    if (rc || !there)
        return rc;
    if (marker)
        return set_left(tx, bucket, key, seq, left_ms, 0, e);
    rc = revive(tx, bucket, key, seq, left_ms, e);
    return rc ? rc : drop_version(tx, bucket, key, seq, 0, NULL, e);
}

/* What a wrong row of this version, which index_get() does not give, has to be known by. */
static enum rc find_wrong(struct tx *tx, int64_t bucket, str key, const struct version_id *v,
                          struct object *ret, struct err *e)
{
    struct rows *r;
    bool there;
    enum rc rc = tx_query(tx, &r, e,
                          "SELECT seq, nullv FROM (SELECT bucket, key, seq, nullv FROM object"
                          " UNION ALL SELECT bucket, key, seq, nullv FROM version)"
                          " WHERE bucket = ? AND key = ? AND nullv = ? AND (nullv OR seq = ?)",
                          db_i(bucket), db_b(key), db_i(v->null_version), db_i(v->seq));

    if (rc)
        return rc;
    there = rows_next(r);
    if (there)
        *ret = (struct object){.seq = rows_int(r, 0), .null_version = rows_int(r, 1) != 0};
    rc = rows_done(r, e);
    return rc || there ? rc : wrong_row(e);
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
    if (rc == RC_CORRUPT)
        rc = find_wrong(tx, b->id, key, v, &o, e);
    if (rc)
        return rc;
    o.type = o.meta = o.tags = STR_NONE; /* they lived in the arena */
    rc = tx_exec(tx, e, "DELETE FROM object WHERE bucket = ? AND key = ? AND seq = ?", db_i(b->id),
                 db_b(key), db_i(o.seq));
    changed = rc ? 0 : tx_changes(tx);
    if (!rc && changed)
        rc = unref(tx, o.data, freed, e);
    else if (!rc)
        rc = drop_version(tx, b->id, key, o.seq, o.data, freed, e);
    if (!rc)
        rc = promote(tx, b->id, key, e);
    if (!rc)
        *ret = o;
    return rc;
}

/* One column of an object's row, current or not, and the sums that it changes. */
static enum rc set_column(struct tx *tx, int64_t bucket, str key, const struct object *o,
                          const struct object *now, const char *object_sql, const char *version_sql,
                          struct db_val value, struct err *e)
{
    const uint32_t change = object_sum(bucket, key, o) ^ object_sum(bucket, key, now);
    const struct db_val v[] = {value,        db_i(change), db_i(change),
                               db_i(bucket), db_b(key),    db_i(o->seq)};
    const size_t n = sizeof v / sizeof *v;
    enum rc rc = tx_exec_(tx, e, object_sql, v, n);

    return rc ? rc : tx_exec_(tx, e, version_sql, v, n);
}

#define SET(table, column)                                                                         \
    "UPDATE " table " SET " column " = ?, " ROWSUM_CHANGE                                          \
    " WHERE bucket = ? AND key = ? AND seq = ?"

enum rc index_retag(struct tx *tx, int64_t bucket, str key, const struct object *o, str tags,
                    struct err *e)
{
    struct object now = *o;

    now.tags = tags;
    return set_column(tx, bucket, key, o, &now, SET("object", "tags"), SET("version", "tags"),
                      db_s(tags), e);
}

enum rc index_reacl(struct tx *tx, int64_t bucket, str key, const struct object *o,
                    enum canned_acl acl, struct err *e)
{
    struct object now = *o;

    now.acl = acl;
    return set_column(tx, bucket, key, o, &now, SET("object", "acl"), SET("version", "acl"),
                      db_i(acl), e);
}
