/* pack.c - contents that move for good: small bodies out of the index into segments, files of
 * layout 1 into files with checksums.
 *
 * Why small bodies come into the index first: a put of 1 KiB then costs one sync (of SQLite's log),
 * not two, and the disk does a few hundred of them a second (docs/store.md has the figures).
 * Packing needs no sync of its own to be safe: the row is changed in a transaction before whose
 * COMMIT the segment is synced, and keeps the body until then. */
#include "base/log.h"
#include "base/mem.h"
#include "store/disk.h"

enum { BATCH = 256, BATCH_BYTES = 1 << 20, COPY_BYTES = 256 << 10 };

struct move_op {
    struct commit_op op;
    const struct segments *segments;
    const struct data_row *rows;
    const int64_t *places;
    size_t n, moved;
    enum data_kind kind;
    struct freed_list freed;
};

static enum rc apply_moves(struct commit_op *op, struct tx *tx, struct err *e)
{
    struct move_op *m = (struct move_op *)op;
    enum rc rc = RC_OK;

    m->freed.n = m->moved = 0;
    for (size_t i = 0; !rc && i < m->n; i++) {
        bool moved = false;
        if (m->kind == DATA_PACKED)
            rc = data_place_ok(tx, m->segments, m->places[i], e);
        if (!rc)
            rc = data_move(tx, &m->rows[i], m->kind, m->places[i], &m->freed, &moved, e);
        m->moved += moved;
    }
    return rc;
}

enum rc disk_move(struct disk *d, const struct data_row *rows, const int64_t *places, size_t n,
                  enum data_kind kind, size_t *ret_moved, bool *ret_unsure, struct err *e)
{
    struct move_op m = {.op.apply = apply_moves,
                        .segments = d->segments,
                        .rows = rows,
                        .places = places,
                        .n = n,
                        .kind = kind};
    enum rc rc = committer_run(d->committer, &m.op, e);

    *ret_unsure = m.op.unsure;
    if (!rc) {
        files_remove(d->files, &m.freed);
        *ret_moved = m.moved;
    }
    VEC_DONE(&m.freed);
    return rc;
}

static enum rc walk(struct disk *d, enum data_walk which, int64_t after, size_t max,
                    struct arena *a, struct data_row **ret, size_t *ret_n, struct err *e)
{
    struct tx *tx;
    enum rc rc = db_begin(d->db, DB_READ, &tx, e);

    if (rc)
        return rc;
    rc = data_walk(tx, a, which, after, max, BATCH_BYTES, ret, ret_n, e);
    tx_rollback(tx);
    return rc;
}

/* ---- bodies of the index */

static bool sound(const struct data_row *r)
{
    return !r->wrong && r->bytes <= PACK_BYTES_MAX && r->body.n == r->bytes &&
           (!r->has_sum || r->sum == block_sum(r->id, 0, r->body.p, r->body.n));
}

static enum rc pack_batch(struct disk *d, struct data_row *rows, size_t n, size_t *ret_packed,
                          struct err *e)
{
    int64_t places[BATCH];
    size_t packed = 0;
    bool unsure;
    enum rc rc = RC_OK;

    for (size_t i = 0; !rc && i < n; i++) {
        if (!sound(&rows[i])) /* stays where it is, for the scrub to tell */
            continue;
        rc = segments_append(d->segments, rows[i].id, rows[i].body, &places[packed], e);
        if (!rc)
            rows[packed++] = rows[i];
    }
    if (rc || !packed)
        return rc;
    return disk_move(d, rows, places, packed, DATA_PACKED, ret_packed, &unsure, e);
}

static enum rc pack_inline(struct disk *d, struct event *stop, uint64_t *contents, struct err *e)
{
    int64_t after = 0;
    size_t n = 1;
    enum rc rc = RC_OK;

    while (!rc && n && !event_is_set(stop)) {
        struct data_row *rows = NULL;
        struct arena a;
        size_t packed = 0;
        arena_init(&a, 2 * BATCH_BYTES + (1 << 20));
        rc = walk(d, WALK_INLINE, after, BATCH, &a, &rows, &n, e);
        if (!rc && n) {
            after = rows[n - 1].id;
            rc = pack_batch(d, rows, n, &packed, e);
        }
        *contents += packed;
        arena_done(&a);
    }
    return rc;
}

/* ---- files of layout 1 */

static enum rc copy_file(struct disk *d, const struct data_row *row, int64_t id, int fd,
                         struct err *e)
{
    struct blocks_writer w;
    char *p = mem_alloc(COPY_BYTES);
    int from = -1;
    enum rc rc = p ? blocks_begin(&w, fd, id, e) : err_set(e, RC_NOMEM, "out of memory");

    if (rc) {
        mem_free(p);
        return rc;
    }
    rc = files_read(d->files, row->place, &from, e);
    for (uint64_t at = 0; !rc && at < row->bytes;) {
        size_t n = row->bytes - at < COPY_BYTES ? (size_t)(row->bytes - at) : COPY_BYTES;
        rc = os_pread_full(from, p, n, at, e);
        if (!rc)
            rc = blocks_add(&w, p, n, e);
        at += n;
    }
    if (!rc)
        rc = blocks_end(&w, e);
    blocks_done(&w);
    os_close(from);
    mem_free(p);
    return rc;
}

static enum rc rewrite_file(struct disk *d, const struct data_row *row, struct err *e)
{
    int64_t id = files_new_id(d->files);
    size_t moved = 0;
    bool unsure = false;
    int fd = -1;
    enum rc rc = files_create(d->files, id, &fd, e);

    if (rc)
        return rc;
    rc = copy_file(d, row, id, fd, e);
    if (!rc)
        rc = files_finish(d->files, id, fd, e);
    else
        os_close(fd);
    if (!rc)
        rc = disk_move(d, row, &id, 1, DATA_BLOCKS, &moved, &unsure, e);
    if (moved)
        files_settle(d->files, id);
    else if (!unsure)
        files_discard(d->files, id);
    return rc;
}

static enum rc rewrite_files(struct disk *d, struct event *stop, uint64_t *contents, struct err *e)
{
    int64_t after = 0;
    size_t n = 1;
    enum rc rc = RC_OK;

    while (!rc && n && !event_is_set(stop)) {
        struct data_row *row = NULL;
        struct err why = {0};
        struct arena a;
        arena_init(&a, 1 << 20);
        rc = walk(d, WALK_FILE, after, 1, &a, &row, &n, e);
        if (!rc && n) {
            after = row->id;
            if (!rewrite_file(d, row, &why))
                ++*contents;
            else if (why.rc == RC_FULL || why.rc == RC_UNAVAILABLE)
                rc = err_set(e, why.rc, "%s", why.text);
            else /* lost already: the scrub tells */
                log_error("store: content %lld of layout 1: %s", (long long)row->id, why.text);
        }
        arena_done(&a);
    }
    return rc;
}

enum rc disk_pack(struct disk *d, struct event *stop, uint64_t *ret_contents, struct err *e)
{
    uint64_t contents = 0;
    enum rc rc = pack_inline(d, stop, &contents, e);

    if (!rc)
        rc = rewrite_files(d, stop, &contents, e);
    *ret_contents = contents;
    return rc;
}
