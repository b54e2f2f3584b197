/* upload_sql.c - unfinished multipart uploads and their parts in the index.  See index.h. */
#include "store/index.h"

#include "base/log.h"
#include "store/rowsum.h"

#define UPLOAD                                                                                     \
    "SELECT id, bucket, key, type, meta, tags, acl, sum_kind, sum_flags, created_ms, crc"          \
    " FROM upload"
#define UPLOAD_LETTERS "iittttiiii"
#define PART           "SELECT upload, number, data, bytes, modified_ms, etag, sum, crc FROM part"
#define PART_LETTERS   "iiiiitt"

enum { SUM_COMPOSITE = 1, SUM_ASKED = 2 };

static enum rc no_memory(struct err *e)
{
    return err_set(e, RC_NOMEM, "out of memory");
}

static enum rc wrong_row(struct err *e)
{
    return err_set(e, RC_CORRUPT, "the upload's row in the index does not have its checksum");
}

enum rc index_upload_add(struct tx *tx, const struct upload *u, struct err *e)
{
    struct db_val v[] = {
        db_i(u->id),
        db_i(u->bucket),
        db_b(u->key),
        db_s(u->type),
        db_s(u->meta),
        db_s(u->tags),
        db_i(u->acl),
        db_i(u->sum_kind),
        db_i((u->sum_composite ? SUM_COMPOSITE : 0) | (u->sum_asked ? SUM_ASKED : 0)),
        db_i(u->created_ms),
        db_null()};
    const size_t n = sizeof v / sizeof *v;

    v[n - 1] = db_i(rowsum_vals(0, v, n - 1));
    return tx_exec_(
        tx, e,
        "INSERT INTO upload(id, bucket, key, type, meta, tags, acl, sum_kind, sum_flags,"
        " created_ms, crc) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        v, n);
}

/* Texts are lent until the next row. */
static enum rc read_upload(struct rows *r, struct upload *ret, struct err *e)
{
    const int64_t flags = rows_int(r, 8);

    *ret = (struct upload){.id = rows_int(r, 0),
                           .bucket = rows_int(r, 1),
                           .key = rows_text(r, 2),
                           .type = rows_text(r, 3),
                           .meta = rows_text(r, 4),
                           .tags = rows_text(r, 5),
                           .acl = (enum canned_acl)rows_int(r, 6),
                           .sum_kind = (enum checksum_kind)rows_int(r, 7),
                           .sum_composite = flags & SUM_COMPOSITE,
                           .sum_asked = flags & SUM_ASKED,
                           .created_ms = rows_int(r, 9)};
    return rowsum_holds(0, r, 0, UPLOAD_LETTERS) ? RC_OK : wrong_row(e);
}

enum rc index_upload(struct tx *tx, struct arena *a, int64_t id, struct upload *ret, struct err *e)
{
    struct rows *r;
    struct upload u = {.id = id};
    bool there;
    enum rc done, rc = tx_query(tx, &r, e, UPLOAD " WHERE id = ?", db_i(id));

    if (rc)
        return rc;
    there = rows_next(r);
    if (there) {
        rc = read_upload(r, &u, e);
        u.key = arena_str(a, u.key);
        u.type = arena_str(a, u.type);
        u.meta = arena_str(a, u.meta);
        u.tags = arena_str(a, u.tags);
    }
    done = rows_done(r, rc ? NULL : e);
    if (!rc)
        rc = done;
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
    enum rc done,
        rc = tx_query(tx, &r, e,
                      UPLOAD " WHERE bucket = ? AND key >= ? AND key < ? AND (key > ? OR id > ?)"
                             " ORDER BY key, id LIMIT ?",
                      db_i(bucket), db_b(from), db_b(to), db_b(from), db_i(after),
                      db_i((int64_t)max));

    if (rc)
        return rc;
    while (!rc && !stop && rows_next(r)) {
        struct upload u;
        rc = read_upload(r, &u, e);
        if (!rc)
            rc = each(ud, &u, &stop, e);
    }
    done = rows_done(r, rc ? NULL : e);
    return rc ? rc : done;
}

/* ---- parts */

/* The first part of an upload from a number on: what it names; a wrong row names nothing, and what
 * it named stays.  RC_NOT_FOUND. */
static enum rc part_data(struct tx *tx, int64_t upload, int64_t from, int64_t to,
                         int64_t *ret_number, int64_t *ret_data, struct err *e)
{
    struct rows *r;
    bool there, holds = false;
    enum rc rc = tx_query(tx, &r, e,
                          PART " WHERE upload = ? AND number >= ? AND number <= ?"
                               " ORDER BY number LIMIT 1",
                          db_i(upload), db_i(from), db_i(to));

    if (rc)
        return rc;
    there = rows_next(r);
    if (there) {
        holds = rowsum_holds(0, r, 0, PART_LETTERS);
        *ret_number = rows_int(r, 1);
        *ret_data = holds ? rows_int(r, 2) : 0;
    }
    rc = rows_done(r, e);
    if (!rc && !there)
        rc = err_set(e, RC_NOT_FOUND, "there is no such part");
    if (!rc && !holds)
        log_error("store: the row of part %lld of upload %016llx in the index does not have its "
                  "checksum; its content is left where it is",
                  (long long)*ret_number, (unsigned long long)upload);
    return rc;
}

enum rc index_part_put(struct tx *tx, int64_t upload, unsigned number, const struct object *o,
                       struct data_new *d, struct freed_list *freed, struct err *e)
{
    int64_t old = 0, same, data;
    char sum[SUM_STORED];
    enum rc rc = data_add(tx, d, &data, e);

    if (!rc)
        rc = part_data(tx, upload, number, number, &same, &old, e);
    if (!rc && old)
        rc = data_unref(tx, old, freed, e);
    if (rc && rc != RC_NOT_FOUND)
        return rc;
    sum_write(&o->sum, sum);
    struct db_val v[] = {db_i(upload),         db_i(number),  db_i(data), db_i((int64_t)o->bytes),
                         db_i(o->modified_ms), db_c(o->etag), db_c(sum),  db_null()};
    const size_t n = sizeof v / sizeof *v;
    v[n - 1] = db_i(rowsum_vals(0, v, n - 1));
    return tx_exec_(
        tx, e,
        "INSERT OR REPLACE INTO part(upload, number, data, bytes, modified_ms, etag, sum, crc)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        v, n);
}

enum rc index_parts(struct tx *tx, struct arena *a, int64_t upload, unsigned after, size_t max,
                    struct part **ret, size_t *ret_n, struct err *e)
{
    struct rows *r;
    struct part *list;
    int64_t count;
    size_t n = 0;
    bool holds = true;
    enum rc rc =
        tx_int(tx, 0, &count, e, "SELECT count(*) FROM part WHERE upload = ? AND number > ?",
               db_i(upload), db_i(after));

    if (rc)
        return rc;
    if ((size_t)count < max)
        max = (size_t)count;
    list = ARENA_ARRAY(a, struct part, max + 1);
    if (!list)
        return no_memory(e);
    rc = tx_query(tx, &r, e, PART " WHERE upload = ? AND number > ? ORDER BY number LIMIT ?",
                  db_i(upload), db_i(after), db_i((int64_t)max));
    if (rc)
        return rc;
    while (holds && n < max && rows_next(r)) {
        holds = rowsum_holds(0, r, 0, PART_LETTERS);
        list[n].number = (unsigned)rows_int(r, 1);
        list[n].data = rows_int(r, 2);
        list[n].bytes = (uint64_t)rows_int(r, 3);
        list[n].modified_ms = rows_int(r, 4);
        snprintf(list[n].etag, INDEX_ETAG_MAX, "%.*s", STR_F(rows_text(r, 5)));
        sum_read(rows_text(r, 6), &list[n].sum);
        n++;
    }
    rc = rows_done(r, e);
    if (!rc && !holds)
        rc = wrong_row(e);
    if (rc)
        return rc;
    *ret = list;
    *ret_n = n;
    return RC_OK;
}

enum rc index_upload_drop(struct tx *tx, int64_t upload, struct freed_list *freed, struct err *e)
{
    int64_t number = 0, data = 0;
    enum rc rc;

    while (!(rc = part_data(tx, upload, INT64_MIN, INT64_MAX, &number, &data, e))) {
        if (data)
            rc = data_unref(tx, data, freed, e);
        if (!rc)
            rc = tx_exec(tx, e, "DELETE FROM part WHERE upload = ? AND number = ?", db_i(upload),
                         db_i(number));
        if (rc)
            break;
    }
    if (rc != RC_NOT_FOUND)
        return rc;
    return tx_exec(tx, e, "DELETE FROM upload WHERE id = ?", db_i(upload));
}

enum rc index_upload_older(struct tx *tx, int64_t before_ms, int64_t *ret, struct err *e)
{
    enum rc rc = tx_int(tx, 0, ret, e,
                        "SELECT id FROM upload WHERE created_ms < ? ORDER BY created_ms LIMIT 1",
                        db_i(before_ms));

    return rc || *ret ? rc : err_set(e, RC_NOT_FOUND, "no upload is as old");
}
