/* scrub.c - verifies every row of the index, then reads every content and verifies it, in order of
 * number, within a budget.
 *
 * How far it came stands in the index (counter 'scrub_after'), written every SAVE_MS and at the
 * end: a scrub that is killed does the last few seconds again.  What is wrong is entered in
 * `damage`; content that is sound and stands there (a disk that was out of reach) is taken out. */
#include "base/log.h"
#include "base/mem.h"
#include "store/disk.h"
#include "store/rowsum.h"

enum { BATCH = 32, SAVE_MS = 5000, READ_BYTES = 256 << 10 };

struct scrub {
    struct disk *d;
    struct budget *b;
    scrub_fn each;
    void *ud;
    struct scrubbed sum;
    char *chunk;
    int64_t after, saved_ms;
    bool stop;
};

static enum rc save(struct scrub *s, bool ended, struct err *e)
{
    int64_t now = os_now_ms();
    struct tx *tx;
    enum rc rc = db_begin(s->d->db, DB_WRITE, &tx, e);

    if (rc)
        return rc;
    rc = data_counter_set(tx, "scrub_after", ended ? 0 : s->after, e);
    if (!rc && ended)
        rc = data_counter_set(tx, "scrub_ended_ms", now, e);
    s->saved_ms = os_mono_ms();
    return tx_end(tx, rc, e);
}

/* Tells of one that is wrong. */
static enum rc report(struct scrub *s, const struct data_row *row, const struct err *why,
                      struct err *e)
{
    char path[64] = "";
    str bucket = STR_NONE, key = STR_NONE;
    struct arena a;
    struct tx *tx;
    enum rc rc = db_begin(s->d->db, DB_WRITE, &tx, e);

    if (rc)
        return rc;
    s->sum.damaged++;
    arena_init(&a, 64 << 10);
    rc = data_name(tx, &a, row->id, &bucket, &key, e);
    if (!rc)
        rc = data_damage(tx, row->id, os_now_ms(), why->text, e);
    rc = tx_end(tx, rc, e);
    if (row->kind == DATA_PACKED)
        snprintf(path, sizeof path, "segments/%08x.seg", place_segment(row->place));
    else if (row->kind != DATA_INLINE)
        files_name(row->place, false, path);
    if (!rc)
        log_error("store: the scrub found '%.*s' of bucket '%.*s' damaged: %s", STR_F(key),
                  STR_F(bucket), why->text);
    if (!rc && s->each)
        rc = s->each(s->ud, row->id, why->rc, bucket, key, path, why->text, e);
    arena_done(&a);
    return rc;
}

static enum rc wrong_row(void *ud, str bucket, str key, const char *text, struct err *e)
{
    struct scrub *s = ud;

    s->sum.damaged++;
    log_error("store: the scrub found '%.*s' of bucket '%.*s' damaged: %s", STR_F(key),
              STR_F(bucket), text);
    return s->each ? s->each(s->ud, 0, RC_CORRUPT, bucket, key, "store.db", text, e) : RC_OK;
}

/* All rows, before the contents.  How many are wrong stands in the index until the next scrub. */
static enum rc check_rows(struct scrub *s, struct err *e)
{
    const uint64_t before = s->sum.damaged;
    struct tx *tx;
    enum rc rc = rowsum_check(s->d->db, s->b, wrong_row, s, e);

    if (!rc)
        rc = db_begin(s->d->db, DB_WRITE, &tx, e);
    if (rc)
        return rc;
    rc = data_counter_set(tx, "wrong_rows", (int64_t)(s->sum.damaged - before), e);
    return tx_end(tx, rc, e);
}

static enum rc heal(struct scrub *s, int64_t data, struct err *e)
{
    bool was = false;
    struct tx *tx;
    enum rc rc = db_begin(s->d->db, DB_READ, &tx, e);

    if (rc)
        return rc;
    rc = data_damaged(tx, data, &was, e);
    tx_rollback(tx);
    if (rc || !was)
        return rc;
    rc = db_begin(s->d->db, DB_WRITE, &tx, e);
    if (!rc)
        rc = tx_end(tx, data_healed(tx, data, &was, e), e);
    s->sum.healed += !rc && was;
    return rc;
}

/* RC_CORRUPT and RC_IO are of the content, in *why; anything else ends the scrub. */
static enum rc read_one(struct scrub *s, struct reader *r, struct data_row *row, struct err *why)
{
    size_t n = 0;
    enum rc rc = RC_OK;

    reader_row(r, row);
    for (uint64_t at = 0; !rc && !s->stop && at < row->bytes; at += n) {
        rc = reader_read(r, at, s->chunk, READ_BYTES, &n, why);
        if (!rc) {
            s->sum.bytes += n;
            s->stop = !budget_spend(s->b, n);
        }
    }
    return rc;
}

static enum rc scrub_one(struct scrub *s, struct reader *r, struct data_row *row, struct err *e)
{
    struct err why = {0};
    enum rc rc = RC_OK;

    if (row->wrong)
        rc = err_set(&why, RC_CORRUPT, "its row in the index does not have its checksum");
    else if (row->kind != DATA_PIECES)
        rc = read_one(s, r, row, &why);
    if (s->stop && !rc)
        return RC_OK;
    s->sum.contents++;
    s->after = row->id;
    if (rc == RC_CORRUPT || rc == RC_IO)
        return report(s, row, &why, e);
    return rc ? err_set(e, rc, "%s", why.text) : heal(s, row->id, e);
}

/* One batch under one pin, taken before the look-up. */
static enum rc scrub_batch(struct scrub *s, size_t *ret_n, struct err *e)
{
    struct data_row *rows = NULL;
    struct reader r;
    struct tx *tx;
    size_t n = 0;
    enum rc rc = reader_pin(&r, s->d->files, s->d->segments, e);

    if (!rc)
        rc = db_begin(s->d->db, DB_READ, &tx, e);
    if (!rc) {
        rc = data_walk(tx, &r.arena, WALK_ALL, s->after, BATCH, 1 << 20, &rows, &n, e);
        tx_rollback(tx);
    }
    for (size_t i = 0; !rc && !s->stop && i < n; i++)
        rc = scrub_one(s, &r, &rows[i], e);
    reader_done(&r);
    if (!rc && !s->stop && os_mono_ms() - s->saved_ms > SAVE_MS)
        rc = save(s, false, e);
    *ret_n = n;
    return rc;
}

enum rc disk_scrub(struct disk *d, struct budget *b, scrub_fn each, void *ud, struct scrubbed *ret,
                   struct err *e)
{
    struct scrub s = {.d = d,
                      .b = b,
                      .each = each,
                      .ud = ud,
                      .chunk = mem_alloc(READ_BYTES),
                      .saved_ms = os_mono_ms()};
    struct tx *tx;
    size_t n = 1;
    enum rc rc = s.chunk ? db_begin(d->db, DB_READ, &tx, e) : err_set(e, RC_NOMEM, "out of memory");

    if (!rc) {
        rc = data_counter(tx, "scrub_after", &s.after, e);
        tx_rollback(tx);
    }
    if (!rc && !s.after)
        rc = check_rows(&s, e);
    while (!rc && n && !s.stop)
        rc = scrub_batch(&s, &n, e);
    if (!rc)
        rc = save(&s, !s.stop, e);
    mem_free(s.chunk);
    *ret = s.sum;
    if (!rc && s.stop)
        rc = err_set(e, RC_CANCELLED, "the scrub was stopped before its end");
    return rc;
}
