/* data_sql.c - see data.h: contents.  Segments, freed files and damage: space_sql.c; the tables:
 * layout_sql.c.
 *
 * The look-up by content goes through an index over the first eight bytes of the digest: an entry
 * has 18 bytes instead of 42, and the digest itself decides. */
#include "store/data.h"

#include "base/log.h"
#include "store/rowsum.h"

static enum rc no_memory(struct err *e)
{
    return err_set(e, RC_NOMEM, "out of memory");
}

/* ---- rows */

#define PLACE       "d.id, d.kind, d.bytes, d.place, d.sum, d.sha, d.refs, d.crc"
#define ROW         PLACE ", d.body"
#define ROW_LETTERS "iiiiju3"
enum { ROW_COLUMNS = 9 };
#define PIECE_LETTERS "iit" /* behind the owner */

/* Without its body. */
static void read_place(struct rows *r, struct data_row *ret)
{
    str sha = rows_text(r, 5);

    *ret = (struct data_row){.id = rows_int(r, 0),
                             .kind = (enum data_kind)rows_int(r, 1),
                             .bytes = (uint64_t)rows_int(r, 2),
                             .place = rows_int(r, 3),
                             .has_sum = !rows_is_null(r, 4),
                             .sum = (uint32_t)rows_int(r, 4),
                             .refs = rows_int(r, 6),
                             .wrong = !rowsum_holds(0, r, 0, ROW_LETTERS)};
    ret->has_sha = sha.n == SHA256_BYTES;
    if (ret->has_sha)
        memcpy(ret->sha, sha.p, SHA256_BYTES);
}

static bool read_row(struct rows *r, struct arena *a, struct data_row *ret)
{
    read_place(r, ret);
    if (ret->kind != DATA_INLINE)
        return true;
    ret->body = rows_copy(r, a, ROW_COLUMNS - 1);
    return ret->body.p;
}

static enum rc wrong_row(int64_t data, struct err *e)
{
    return err_set(e, RC_CORRUPT, "the row of content %lld in the index does not have its checksum",
                   (long long)data);
}

/* The place of the one row, if there is one. */
static enum rc take_place(struct rows *r, struct data_row *ret, bool *ret_there, struct err *e)
{
    *ret_there = rows_next(r);
    if (*ret_there)
        read_place(r, ret);
    return rows_done(r, e);
}

/* One that there must be. */
static enum rc take_row(struct rows *r, struct arena *a, int64_t data, struct data_row *ret,
                        struct err *e)
{
    struct data_row row = {0};
    bool there = rows_next(r), ok = !there || read_row(r, a, &row);
    enum rc rc = rows_done(r, e);

    if (!rc && !ok)
        rc = no_memory(e);
    if (!rc && !there)
        rc = err_set(e, RC_CORRUPT, "the store's index names content %lld, which is not there",
                     (long long)data);
    if (!rc && (row.wrong || row.id != data))
        rc = wrong_row(data, e);
    if (!rc && row.kind == DATA_INLINE && row.body.n != row.bytes)
        rc = err_set(e, RC_CORRUPT, "content %lld has another length than its row says",
                     (long long)data);
    if (!rc)
        *ret = row;
    return rc;
}

static enum rc take_rows(struct rows *r, struct arena *a, size_t max, uint64_t bytes_max,
                         struct data_row **ret, size_t *ret_n, struct err *e)
{
    struct data_row *list = ARENA_ARRAY(a, struct data_row, max + 1);
    uint64_t bytes = 0;
    size_t n = 0;
    bool ok = list;
    enum rc rc;

    while (ok && n < max && bytes < bytes_max && rows_next(r)) {
        ok = read_row(r, a, &list[n]);
        bytes += ok ? list[n++].body.n : 0;
    }
    rc = rows_done(r, e);
    if (!rc && !ok)
        rc = no_memory(e);
    if (rc)
        return rc;
    *ret = list;
    *ret_n = n;
    return RC_OK;
}

enum rc data_get(struct tx *tx, struct arena *a, int64_t data, struct data_row *ret, struct err *e)
{
    struct rows *r;
    enum rc rc = tx_query(tx, &r, e, "SELECT " ROW " FROM data d WHERE d.id = ?", db_i(data));

    return rc ? rc : take_row(r, a, data, ret, e);
}

/* The rows of pieces, and that they are, in this order, those of the owner. */
static enum rc take_pieces(struct rows *r, struct arena *a, int64_t owner, struct data_row *list,
                           size_t max, size_t *ret_n, struct err *e)
{
    size_t n = 0;
    bool ok = list;
    enum rc done, rc = RC_OK;

    while (!rc && ok && n < max && rows_next(r)) {
        ok = read_row(r, a, &list[n]);
        if (list[n].wrong || rows_int(r, ROW_COLUMNS) != (int64_t)n ||
            !rowsum_holds(rowsum_int(0, owner), r, ROW_COLUMNS, PIECE_LETTERS))
            rc = wrong_row(owner, e);
        list[n].part_sum = rows_copy(r, a, ROW_COLUMNS + 2);
        ok = ok && list[n].part_sum.p;
        n += ok;
    }
    done = rows_done(r, rc ? NULL : e);
    if (!rc)
        rc = done;
    if (!rc && !ok)
        rc = no_memory(e);
    *ret_n = n;
    return rc;
}

enum rc data_pieces(struct tx *tx, struct arena *a, int64_t data, struct data_row **ret,
                    size_t *ret_n, struct err *e)
{
    struct data_row *list = NULL;
    struct rows *r;
    int64_t count;
    size_t n = 0;
    enum rc rc = tx_int(tx, 0, &count, e, "SELECT count(*) FROM piece WHERE owner = ?", db_i(data));

    if (!rc)
        rc = tx_query(tx, &r, e,
                      "SELECT " ROW ", p.n, p.data, p.sum, p.crc FROM piece p"
                      " JOIN data d ON d.id = p.data WHERE p.owner = ? ORDER BY p.n",
                      db_i(data));
    if (rc)
        return rc;
    list = ARENA_ARRAY(a, struct data_row, (size_t)count + 1);
    rc = take_pieces(r, a, data, list, (size_t)count, &n, e);
    if (!rc && n != (size_t)count)
        rc = err_set(e, RC_CORRUPT, "content %lld lacks %zu of its %lld pieces", (long long)data,
                     (size_t)count - n, (long long)count);
    if (rc)
        return rc;
    *ret = list;
    *ret_n = n;
    return RC_OK;
}

static int64_t sha_key(const uint8_t *sha)
{
    int64_t v;

    memcpy(&v, sha, sizeof v);
    return v;
}

enum rc data_find(struct tx *tx, const uint8_t sha[SHA256_BYTES], uint64_t bytes, int64_t *ret,
                  struct err *e)
{
    struct data_row row = {0};
    struct rows *r;
    bool there = false;
    enum rc rc = tx_query(tx, &r, e,
                          "SELECT " PLACE " FROM data d WHERE d.sha8 = ? AND d.sha = ?"
                          " AND d.bytes = ? AND NOT EXISTS (SELECT 1 FROM damage x"
                          " WHERE x.data = d.id) LIMIT 1",
                          db_i(sha_key(sha)), db_b((str){(const char *)sha, SHA256_BYTES}),
                          db_i((int64_t)bytes));

    if (!rc)
        rc = take_place(r, &row, &there, e);
    if (!rc && !there)
        rc = err_set(e, RC_NOT_FOUND, "there is no such content");
    if (!rc && row.wrong)
        rc = wrong_row(row.id, e);
    if (!rc)
        *ret = row.id;
    return rc;
}

enum rc data_exists(struct tx *tx, int64_t data, bool *ret, struct err *e)
{
    return tx_any(tx, ret, e, "SELECT 1 FROM data WHERE id = ?", db_i(data));
}

enum rc data_file_named(struct tx *tx, int64_t place, bool *ret, struct err *e)
{
    return tx_any(tx, ret, e, "SELECT 1 FROM data WHERE kind IN (0, 4) AND place = ?", db_i(place));
}

/* ---- adding and dropping */

/* What a row says of its place, without its body. */
static enum rc place_get(struct tx *tx, int64_t data, struct data_row *ret, struct err *e)
{
    struct data_row row = {0};
    struct rows *r;
    bool there = false;
    enum rc rc = tx_query(tx, &r, e, "SELECT " PLACE " FROM data d WHERE d.id = ?", db_i(data));

    if (!rc)
        rc = take_place(r, &row, &there, e);
    if (!rc && !there)
        rc = err_set(e, RC_CORRUPT, "the store's index names content %lld, which is not there",
                     (long long)data);
    if (!rc)
        *ret = row;
    return rc;
}

static enum rc refs_set(struct tx *tx, const struct data_row *row, int64_t refs, struct err *e)
{
    const uint32_t change = rowsum_aside(ASIDE_REFS, row->refs) ^ rowsum_aside(ASIDE_REFS, refs);

    return tx_exec(tx, e, "UPDATE data SET refs = ?, " ROWSUM_CHANGE " WHERE id = ?", db_i(refs),
                   db_i(change), db_i(change), db_i(row->id));
}

enum rc data_ref(struct tx *tx, int64_t data, struct err *e)
{
    struct data_row row;
    enum rc rc = place_get(tx, data, &row, e);

    if (!rc && row.wrong)
        rc = wrong_row(data, e);
    return rc ? rc : refs_set(tx, &row, row.refs + 1, e);
}

static enum rc dead_add(struct tx *tx, int64_t place, uint64_t bytes, struct err *e)
{
    return tx_exec(tx, e, "UPDATE segment SET dead = dead + ? WHERE number = ?",
                   db_i((int64_t)record_bytes((size_t)bytes)), db_i(place_segment(place)));
}

/* The same content, if the store has it: one reference more.  RC_NOT_FOUND. */
static enum rc share(struct tx *tx, struct data_new *n, int64_t *ret_id, struct err *e)
{
    int64_t id = 0;
    enum rc rc = data_find(tx, n->sha, n->bytes, &id, e);

    if (!rc)
        rc = data_ref(tx, id, e);
    if (!rc && n->kind == DATA_PACKED && !n->same)
        rc = dead_add(tx, n->place, n->bytes, e);
    if (rc)
        return rc;
    n->shared = true;
    *ret_id = id;
    return RC_OK;
}

/* What was to be shared is gone: a body in memory is stored now, before this transaction's sync. */
static enum rc store_after_all(struct data_new *n, struct err *e)
{
    if (n->kind != DATA_PACKED)
        return err_set(e, RC_UNAVAILABLE, "the same content was deleted meanwhile; try again");
    n->same = 0;
    return segments_append(n->segments, n->id, n->body, &n->place, e);
}

/* The sum of a row but for its references. */
static uint32_t place_sum(const struct data_row *row)
{
    const struct db_val v[] = {db_i(row->id),
                               db_i(row->kind),
                               db_i((int64_t)row->bytes),
                               db_i(row->place),
                               row->has_sum ? db_i(row->sum) : db_null(),
                               row->has_sha ? db_b((str){(const char *)row->sha, SHA256_BYTES})
                                            : db_null()};

    return rowsum_vals(0, v, sizeof v / sizeof *v);
}

static enum rc insert(struct tx *tx, const struct data_new *n, struct err *e)
{
    const bool here = n->kind == DATA_INLINE;
    struct data_row row = {.id = n->id,
                           .kind = n->kind,
                           .bytes = n->bytes,
                           .place = n->place,
                           .has_sum = here,
                           .sum = here ? block_sum(n->id, 0, n->body.p, n->body.n) : 0,
                           .has_sha = n->has_sha};

    memcpy(row.sha, n->sha, sizeof row.sha);
    return tx_exec(tx, e,
                   "INSERT INTO data(id, kind, refs, bytes, place, sum, sha, sha8, body, crc)"
                   " VALUES (?, ?, 1, ?, ?, ?, ?, ?, ?, ?)",
                   db_i(n->id), db_i(n->kind), db_i((int64_t)n->bytes), db_i(n->place),
                   here ? db_i(row.sum) : db_null(),
                   n->has_sha ? db_b((str){(const char *)n->sha, SHA256_BYTES}) : db_null(),
                   n->has_sha ? db_i(sha_key(n->sha)) : db_null(), here ? db_b(n->body) : db_null(),
                   db_i(place_sum(&row) ^ rowsum_aside(ASIDE_REFS, 1)));
}

enum rc data_add(struct tx *tx, struct data_new *n, int64_t *ret_id, struct err *e)
{
    enum rc rc;

    n->shared = false;
    if (n->kind == DATA_PACKED && !n->same) {
        rc = data_place_ok(tx, n->segments, n->place, e);
        if (rc)
            return rc;
    }
    if (n->unsound) { /* and so nobody shares it */
        rc = data_damage(tx, n->unsound, os_now_ms(), "found damaged when the same came again", e);
        if (rc)
            return rc;
    }
    if (n->has_sha) {
        rc = share(tx, n, ret_id, e);
        if (rc == RC_NOT_FOUND)
            rc = n->same ? store_after_all(n, e) : RC_OK;
        else
            return rc;
        if (rc)
            return rc;
    }
    rc = insert(tx, n, e);
    if (!rc)
        *ret_id = n->id;
    return rc;
}

enum rc data_piece(struct tx *tx, int64_t owner, size_t n, int64_t data, const char *sum,
                   struct err *e)
{
    const struct db_val v[] = {db_i(owner), db_i((int64_t)n), db_i(data), db_c(sum)};
    enum rc rc = tx_exec(tx, e,
                         "INSERT INTO piece(owner, n, data, sum, crc) SELECT ?, ?, id, ?, ?"
                         " FROM data WHERE id = ? AND kind <> 2",
                         v[0], v[1], v[3], db_i(rowsum_vals(0, v, 4)), v[2]);

    if (!rc && tx_changes(tx) != 1)
        rc = err_set(e, RC_CORRUPT, "content %lld cannot be a piece", (long long)data);
    return rc;
}

/* The place becomes free: dead space, or a file to be removed. */
static enum rc place_drop(struct tx *tx, enum data_kind kind, int64_t place, uint64_t bytes,
                          struct freed_list *freed, struct err *e)
{
    if (kind == DATA_PACKED)
        return dead_add(tx, place, bytes, e);
    if (kind != DATA_BLOCKS && kind != DATA_FILE)
        return RC_OK;
    return data_free(tx, kind, place, freed, e);
}

static enum rc row_drop(struct tx *tx, int64_t data, enum data_kind kind, int64_t place,
                        uint64_t bytes, struct freed_list *freed, struct err *e)
{
    enum rc rc = place_drop(tx, kind, place, bytes, freed, e);

    if (!rc)
        rc = tx_exec(tx, e, "DELETE FROM damage WHERE data = ?", db_i(data));
    if (!rc)
        rc = tx_exec(tx, e, "DELETE FROM data WHERE id = ?", db_i(data));
    return rc;
}

static enum rc pieces_drop(struct tx *tx, int64_t owner, struct freed_list *freed, struct err *e)
{
    for (;;) {
        struct data_row row = {0};
        struct rows *r;
        int64_t n = 0, data = 0;
        bool there, holds = false;
        enum rc rc = tx_query(
            tx, &r, e, "SELECT n, data, sum, crc FROM piece WHERE owner = ? ORDER BY n LIMIT 1",
            db_i(owner));
        if (rc)
            return rc;
        there = rows_next(r);
        if (there) {
            n = rows_int(r, 0);
            data = rows_int(r, 1);
            holds = rowsum_holds(rowsum_int(0, owner), r, 0, PIECE_LETTERS);
        }
        rc = rows_done(r, e);
        if (rc || !there)
            return rc;
        if (holds)
            rc = place_get(tx, data, &row, e);
        if (!rc && row.kind == DATA_PIECES && !row.wrong)
            rc = err_set(e, RC_CORRUPT, "content %lld is a piece and in pieces", (long long)row.id);
        if (!rc && holds)
            rc = data_unref(tx, data, freed, e);
        if (!rc)
            rc =
                tx_exec(tx, e, "DELETE FROM piece WHERE owner = ? AND n = ?", db_i(owner), db_i(n));
        if (rc)
            return rc;
    }
}

enum rc data_unref(struct tx *tx, int64_t data, struct freed_list *freed, struct err *e)
{
    struct data_row row;
    enum rc rc = place_get(tx, data, &row, e);

    if (rc)
        return rc;
    if (row.wrong) {
        log_error("store: the row of content %lld in the index does not have its checksum; it is "
                  "left as it is",
                  (long long)data);
        return RC_OK;
    }
    if (row.refs > 1)
        return refs_set(tx, &row, row.refs - 1, e);
    if (row.kind == DATA_PIECES)
        rc = pieces_drop(tx, data, freed, e);
    return rc ? rc : row_drop(tx, data, row.kind, row.place, row.bytes, freed, e);
}

/* ---- rewriting */

enum rc data_move(struct tx *tx, const struct data_row *old, enum data_kind kind, int64_t place,
                  struct freed_list *freed, bool *ret_moved, struct err *e)
{
    struct data_row now = *old;
    uint32_t change;
    bool moved;
    enum rc rc;

    if (old->wrong)
        return wrong_row(old->id, e);
    now.kind = kind;
    now.place = place;
    now.has_sum = false;
    change = place_sum(old) ^ place_sum(&now);
    rc = tx_exec(tx, e,
                 "UPDATE data SET kind = ?, place = ?, body = NULL, sum = NULL, " ROWSUM_CHANGE
                 " WHERE id = ? AND kind = ? AND place = ?",
                 db_i(kind), db_i(place), db_i(change), db_i(change), db_i(old->id),
                 db_i(old->kind), db_i(old->place));
    if (rc)
        return rc;
    moved = tx_changes(tx) == 1;
    if (moved)
        rc = place_drop(tx, old->kind, old->place, old->bytes, freed, e);
    else if (kind == DATA_PACKED)
        rc = dead_add(tx, place, old->bytes, e);
    if (!rc)
        *ret_moved = moved;
    return rc;
}

enum rc data_walk(struct tx *tx, struct arena *a, enum data_walk which, int64_t after, size_t max,
                  uint64_t bytes_max, struct data_row **ret, size_t *ret_n, struct err *e)
{
    struct rows *r;
    enum rc rc;

    if (which == WALK_INLINE)
        rc = tx_query(tx, &r, e,
                      "SELECT " ROW " FROM data d WHERE d.kind = 1 AND d.bytes > 0 AND d.id > ?"
                      " ORDER BY d.id LIMIT ?",
                      db_i(after), db_i((int64_t)max));
    else if (which == WALK_FILE)
        rc = tx_query(tx, &r, e,
                      "SELECT " ROW " FROM data d WHERE d.kind = 0 AND d.id > ?"
                      " ORDER BY d.id LIMIT ?",
                      db_i(after), db_i((int64_t)max));
    else
        rc = tx_query(tx, &r, e, "SELECT " ROW " FROM data d WHERE d.id > ? ORDER BY d.id LIMIT ?",
                      db_i(after), db_i((int64_t)max));
    return rc ? rc : take_rows(r, a, max, bytes_max, ret, ret_n, e);
}

enum rc data_walk_segment(struct tx *tx, struct arena *a, uint32_t segment, int64_t from,
                          size_t max, struct data_row **ret, size_t *ret_n, struct err *e)
{
    struct rows *r;
    enum rc rc = tx_query(tx, &r, e,
                          "SELECT " ROW " FROM data d WHERE d.kind = 3 AND d.place >= ?"
                          " AND d.place < ? ORDER BY d.place LIMIT ?",
                          db_i(from), db_i(place_of(segment + 1, 0)), db_i((int64_t)max));

    return rc ? rc : take_rows(r, a, max, UINT64_MAX, ret, ret_n, e);
}
