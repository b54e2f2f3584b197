/* space_sql.c - see data.h: segments, files that are about to be removed, damage. */
#include "store/data.h"

#include "base/log.h"
#include "store/rowsum.h"

/* ---- segments */

enum rc data_segment_set(struct tx *tx, const struct segment_end *s, struct err *e)
{
    const struct db_val v[] = {db_i(s->number), db_i(s->end), db_i(s->sealed)};

    return tx_exec(tx, e,
                   "INSERT INTO segment(number, bytes, dead, sealed, crc) VALUES (?, ?, 0, ?, ?)"
                   " ON CONFLICT(number) DO UPDATE SET bytes = excluded.bytes,"
                   " sealed = excluded.sealed, crc = excluded.crc",
                   v[0], v[1], v[2], db_i(rowsum_vals(0, v, 3)));
}

#define SEGMENT "SELECT number, bytes, sealed, crc, dead FROM segment"

static enum rc take_segment(struct rows *r, struct segment_row *ret, struct err *e)
{
    struct segment_row row = {0};
    bool there = rows_next(r);
    enum rc rc;

    if (there)
        row = (struct segment_row){.number = (uint32_t)rows_int(r, 0),
                                   .bytes = (uint32_t)rows_int(r, 1),
                                   .sealed = rows_int(r, 2) != 0,
                                   .wrong = !rowsum_holds(0, r, 0, "iii"),
                                   .dead = (uint32_t)rows_int(r, 4)};
    rc = rows_done(r, e);
    if (!rc && !there)
        rc = err_set(e, RC_NOT_FOUND, "there is no such segment");
    if (!rc)
        *ret = row;
    return rc;
}

enum rc data_segment_next(struct tx *tx, uint32_t after, struct segment_row *ret, struct err *e)
{
    struct rows *r;
    enum rc rc =
        tx_query(tx, &r, e, SEGMENT " WHERE number > ? ORDER BY number LIMIT 1", db_i(after));

    return rc ? rc : take_segment(r, ret, e);
}

enum rc data_segment_last(struct tx *tx, uint32_t *ret, struct err *e)
{
    int64_t place;
    enum rc rc = tx_int(tx, 0, &place, e, "SELECT max(place) FROM data WHERE kind = 3");

    if (!rc)
        *ret = place_segment(place);
    return rc;
}

enum rc data_segment_worst(struct tx *tx, unsigned percent, struct segment_row *ret, struct err *e)
{
    struct rows *r;
    enum rc rc =
        tx_query(tx, &r, e,
                 SEGMENT " WHERE sealed = 1"
                         " AND dead * 100 >= bytes * ? AND number NOT IN"
                         " (SELECT d.place >> 32 FROM damage x JOIN data d ON d.id = x.data"
                         "  WHERE d.kind = 3)"
                         " ORDER BY dead * 1.0 / bytes DESC LIMIT 1",
                 db_i(percent));

    if (!rc)
        rc = take_segment(r, ret, e);
    if (!rc && ret->wrong)
        rc =
            err_set(e, RC_CORRUPT,
                    "the row of segment %08x in the index does not have its checksum", ret->number);
    return rc;
}

enum rc data_place_ok(struct tx *tx, const struct segments *s, int64_t place, struct err *e)
{
    bool there;
    enum rc rc;

    if (!segments_usable(s, place))
        return err_set(e, RC_UNAVAILABLE, "the segment could not be synced; try again");
    if (segments_growing(s, place))
        return RC_OK;
    rc =
        tx_any(tx, &there, e, "SELECT 1 FROM segment WHERE number = ?", db_i(place_segment(place)));
    if (!rc && !there)
        rc = err_set(e, RC_UNAVAILABLE, "the segment was compacted meanwhile; try again");
    return rc;
}

enum rc data_segment_drop(struct tx *tx, uint32_t number, struct freed_list *freed, struct err *e)
{
    enum rc rc = tx_exec(tx, e, "DELETE FROM segment WHERE number = ?", db_i(number));

    return rc ? rc : data_free(tx, DATA_PACKED, number, freed, e);
}

/* ---- freed files */

enum rc data_free(struct tx *tx, enum data_kind kind, int64_t place, struct freed_list *freed,
                  struct err *e)
{
    enum rc rc = tx_exec(tx, e, "INSERT OR IGNORE INTO freed(kind, place, crc) VALUES (?, ?, ?)",
                         db_i(kind), db_i(place), db_i(rowsum_int(rowsum_int(0, kind), place)));

    if (!rc && !VEC_PUSH(freed, (struct freed){kind, place}))
        rc = err_set(e, RC_NOMEM, "out of memory");
    return rc;
}

enum rc data_freed(struct tx *tx, struct freed_list *ret, struct err *e)
{
    struct rows *r;
    bool ok = true;
    enum rc rc = tx_query(tx, &r, e, "SELECT kind, place, crc FROM freed");

    if (rc)
        return rc;
    while (ok && rows_next(r))
        if (rowsum_holds(0, r, 0, "ii"))
            ok = VEC_PUSH(ret, (struct freed){(enum data_kind)rows_int(r, 0), rows_int(r, 1)});
        else
            log_error("store: a row of the files about to be removed does not have its checksum; "
                      "nothing is removed for it");
    rc = rows_done(r, e);
    return !rc && !ok ? err_set(e, RC_NOMEM, "out of memory") : rc;
}

enum rc data_forget(struct tx *tx, const struct freed_list *list, struct err *e)
{
    enum rc rc = RC_OK;

    for (size_t i = 0; !rc && i < list->n; i++)
        rc = tx_exec(tx, e, "DELETE FROM freed WHERE kind = ? AND place = ?", db_i(list->p[i].kind),
                     db_i(list->p[i].place));
    return rc;
}

/* ---- damage */

enum rc data_damage(struct tx *tx, int64_t data, int64_t now_ms, const char *text, struct err *e)
{
    return tx_exec(tx, e,
                   "INSERT INTO damage(data, found_ms, text) SELECT id, ?, ? FROM data"
                   " WHERE id = ? ON CONFLICT(data) DO UPDATE SET text = excluded.text",
                   db_i(now_ms), db_c(text), db_i(data));
}

enum rc data_healed(struct tx *tx, int64_t data, bool *ret_was, struct err *e)
{
    enum rc rc = tx_exec(tx, e, "DELETE FROM damage WHERE data = ?", db_i(data));

    if (!rc)
        *ret_was = tx_changes(tx) > 0;
    return rc;
}

enum rc data_damaged(struct tx *tx, int64_t data, bool *ret, struct err *e)
{
    return tx_any(tx, ret, e, "SELECT 1 FROM damage WHERE data = ?", db_i(data));
}

enum rc data_name(struct tx *tx, struct arena *a, int64_t data, str *ret_bucket, str *ret_key,
                  struct err *e)
{
    struct rows *r;
    str bucket = STR(""), key = STR("");
    enum rc rc =
        tx_query(tx, &r, e,
                 "SELECT b.name, o.key FROM (SELECT bucket, key, data FROM object UNION ALL"
                 " SELECT bucket, key, data FROM version) o JOIN bucket b ON b.id = o.bucket"
                 " WHERE o.data = ? OR o.data IN (SELECT owner FROM piece WHERE data = ?)"
                 " LIMIT 1",
                 db_i(data), db_i(data));

    if (rc)
        return rc;
    if (rows_next(r)) {
        bucket = rows_copy(r, a, 0);
        key = rows_copy(r, a, 1);
    }
    rc = rows_done(r, e);
    if (!rc && (!bucket.p || !key.p))
        rc = err_set(e, RC_NOMEM, "out of memory");
    if (rc)
        return rc;
    *ret_bucket = bucket;
    *ret_key = key;
    return RC_OK;
}
