/* stat_sql.c - see data.h: questions about all rows at once, for check and stat. */
#include "store/admin.h"
#include "store/data.h"

/* Whoever holds a reference to content. */
#define USERS                                                                                      \
    "(SELECT data FROM object UNION ALL SELECT data FROM version WHERE data <> 0"                  \
    " UNION ALL SELECT data FROM part UNION ALL SELECT data FROM piece)"

/* One column: the content at fault. */
static enum rc each_fault(struct rows *r, const char *text, data_fault_fn each, void *ud,
                          struct err *e)
{
    enum rc done, rc = RC_OK;

    while (!rc && rows_next(r))
        rc = each(ud, rows_int(r, 0), text, e);
    done = rows_done(r, rc ? NULL : e);
    return rc ? rc : done;
}

enum rc data_check(struct tx *tx, data_fault_fn each, void *ud, struct err *e)
{
    struct rows *r;
    enum rc rc =
        tx_query(tx, &r, e,
                 "SELECT d.id FROM data d LEFT JOIN (SELECT data, count(*) AS n FROM " USERS
                 " GROUP BY data) u ON u.data = d.id WHERE d.refs <> coalesce(u.n, 0)");

    if (!rc)
        rc = each_fault(r, "its count of references is wrong", each, ud, e);
    if (!rc)
        rc = tx_query(tx, &r, e,
                      "SELECT DISTINCT u.data FROM " USERS " u WHERE NOT EXISTS"
                      " (SELECT 1 FROM data d WHERE d.id = u.data)");
    if (!rc)
        rc = each_fault(r, "the index names it, and it is not there", each, ud, e);
    if (!rc)
        rc = tx_query(tx, &r, e,
                      "SELECT d.id FROM data d WHERE d.kind = 2 AND d.bytes <>"
                      " (SELECT coalesce(sum(x.bytes), 0) FROM piece p JOIN data x ON x.id = p.data"
                      "  WHERE p.owner = d.id)");
    return rc ? rc : each_fault(r, "its pieces do not have its length", each, ud, e);
}

enum rc data_place_used(struct tx *tx, enum data_kind kind, int64_t place, bool *ret, struct err *e)
{
    if (kind == DATA_PACKED)
        return tx_any(tx, ret, e,
                      "SELECT 1 FROM segment WHERE number = ?"
                      " UNION ALL SELECT 1 FROM freed WHERE kind = 3 AND place = ?",
                      db_i(place), db_i(place));
    return tx_any(tx, ret, e,
                  "SELECT 1 FROM data WHERE kind IN (0, 4) AND place = ?"
                  " UNION ALL SELECT 1 FROM freed WHERE kind IN (0, 4) AND place = ?",
                  db_i(place), db_i(place));
}

/* ---- stat */

static enum rc row_of_numbers(struct rows *r, uint64_t *const *to, size_t n, struct err *e)
{
    if (rows_next(r))
        for (size_t i = 0; i < n; i++)
            *to[i] = (uint64_t)rows_int(r, (int)i);
    return rows_done(r, e);
}

static enum rc count_contents(struct tx *tx, struct store_stat *s, struct err *e)
{
    struct rows *r;
    enum rc rc = tx_query(tx, &r, e,
                          "SELECT kind, count(*), coalesce(sum(bytes), 0) FROM data"
                          " WHERE kind <> 2 GROUP BY kind");

    if (rc)
        return rc;
    while (rows_next(r)) {
        enum data_kind kind = (enum data_kind)rows_int(r, 0);
        uint64_t n = (uint64_t)rows_int(r, 1), bytes = (uint64_t)rows_int(r, 2);
        s->contents += n;
        s->content_bytes += bytes;
        if (kind == DATA_PACKED)
            s->packed = n, s->packed_bytes = bytes;
        else if (kind == DATA_INLINE)
            s->fresh = n, s->fresh_bytes = bytes;
        else
            s->filed += n, s->filed_bytes += bytes;
        s->unverified += kind == DATA_FILE ? n : 0;
    }
    return rows_done(r, e);
}

enum rc data_stat(struct tx *tx, struct store_stat *ret, struct err *e)
{
    struct store_stat s = {.layout = DATA_LAYOUT};
    uint64_t *objects[] = {&s.buckets, &s.objects, &s.object_bytes, &s.uploads};
    uint64_t *segments[] = {&s.segments, &s.segment_bytes, &s.segment_dead_bytes, &s.damaged};
    uint64_t *scrub[] = {&s.scrub_done, &s.scrub_pending};
    int64_t after = 0, wrong_rows = 0;
    struct rows *r;
    enum rc rc = tx_query(tx, &r, e,
                          "SELECT (SELECT count(*) FROM bucket), count(*), coalesce(sum(bytes), 0),"
                          " (SELECT count(*) FROM upload) FROM object");

    if (!rc)
        rc = row_of_numbers(r, objects, 4, e);
    if (!rc)
        rc = count_contents(tx, &s, e);
    if (!rc)
        rc = tx_query(tx, &r, e,
                      "SELECT count(*), coalesce(sum(bytes), 0), coalesce(sum(dead), 0),"
                      " (SELECT count(*) FROM damage) FROM segment");
    if (!rc)
        rc = row_of_numbers(r, segments, 4, e);
    if (!rc)
        rc = data_counter(tx, "wrong_rows", &wrong_rows, e);
    s.damaged += (uint64_t)wrong_rows;
    if (!rc)
        rc = data_counter(tx, "scrub_ended_ms", &s.scrub_ended_ms, e);
    if (!rc)
        rc = data_counter(tx, "scrub_after", &after, e);
    if (!rc && after)
        rc = tx_query(tx, &r, e,
                      "SELECT (SELECT count(*) FROM data WHERE id <= ?),"
                      " (SELECT count(*) FROM data WHERE id > ?)",
                      db_i(after), db_i(after));
    if (!rc && after)
        rc = row_of_numbers(r, scrub, 2, e);
    if (!rc)
        *ret = s;
    return rc;
}
