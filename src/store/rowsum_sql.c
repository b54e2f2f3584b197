/* rowsum_sql.c - see rowsum.h. */
#include "store/rowsum.h"

#include "base/mem.h"
#include "store/budget.h"
#include <endian.h>

/* About what a row takes on the disk, for the budget. */
enum { KEYS = 3, KEY_BYTES_MAX = 4096, AT_ONCE = 4096, ROW_BYTES = 256 };

/* A place between the rows of a table, of a walk in pieces.  Zeroed: before the first. */
struct at {
    bool inside;
    int64_t key[KEYS];
    char text[KEY_BYTES_MAX]; /* of the column of the key that is text */
    size_t text_n;
};

/* ---- sums of columns */

/* One call of crc32c() for a row, not one for each column. */
struct gather {
    uint32_t crc;
    size_t n;
    uint8_t b[1024];
};

static uint32_t flush(struct gather *g)
{
    g->crc = crc32c(g->crc, g->b, g->n);
    g->n = 0;
    return g->crc;
}

static void frame(struct gather *g, char kind, uint64_t v)
{
    if (sizeof g->b - g->n < 9)
        flush(g);
    v = htole64(v);
    g->b[g->n] = (uint8_t)kind;
    memcpy(g->b + g->n + 1, &v, sizeof v);
    g->n += 9;
}

static void add_int(struct gather *g, int64_t v)
{
    frame(g, 'i', (uint64_t)v);
}

static void add_text(struct gather *g, str s)
{
    frame(g, 't', s.n);
    if (s.n > sizeof g->b - g->n) {
        flush(g);
        g->crc = crc32c(g->crc, s.p, s.n);
    } else if (s.n) {
        memcpy(g->b + g->n, s.p, s.n);
        g->n += s.n;
    }
}

static void add_null(struct gather *g)
{
    frame(g, 'n', 0);
}

static void gather_init(struct gather *g, uint32_t crc)
{
    g->crc = crc;
    g->n = 0;
}

uint32_t rowsum_int(uint32_t crc, int64_t v)
{
    struct gather g;

    gather_init(&g, crc);
    add_int(&g, v);
    return flush(&g);
}

uint32_t rowsum_text(uint32_t crc, str s)
{
    struct gather g;

    gather_init(&g, crc);
    add_text(&g, s);
    return flush(&g);
}

uint32_t rowsum_aside(enum rowsum_aside which, int64_t v)
{
    struct gather g;

    gather_init(&g, 0);
    frame(&g, (char)which, (uint64_t)v);
    return v ? flush(&g) : 0;
}

uint32_t rowsum_vals(uint32_t crc, const struct db_val *v, size_t n)
{
    struct gather g;

    gather_init(&g, crc);
    for (size_t i = 0; i < n; i++)
        if (v[i].kind == DB_V_INT)
            add_int(&g, v[i].i);
        else if (v[i].kind == DB_V_NULL)
            add_null(&g);
        else
            add_text(&g, v[i].s);
    return flush(&g);
}

/* ret: the columns too, or NULL. */
static uint32_t sum_row(uint32_t crc, struct rows *r, int at, const char *letters,
                        union rowsum_col *ret)
{
    uint32_t aside = 0;
    struct gather g;
    union rowsum_col c;

    gather_init(&g, crc);
    for (int i = 0; letters[i]; i++) {
        const char letter = letters[i];
        c = (union rowsum_col){0};
        if ((letter == 'j' || letter == 'u') && rows_is_null(r, at + i)) {
            add_null(&g);
        } else if (letter == 't' || letter == 'u') {
            c.s = rows_text(r, at + i);
            add_text(&g, c.s);
        } else {
            c.i = rows_int(r, at + i);
            if (letter == 'i' || letter == 'j')
                add_int(&g, c.i);
            else
                aside ^= rowsum_aside((enum rowsum_aside)(letter - '0'), c.i);
        }
        if (ret)
            ret[i] = c;
    }
    return flush(&g) ^ aside;
}

uint32_t rowsum_row(uint32_t crc, struct rows *r, int at, const char *letters)
{
    return sum_row(crc, r, at, letters, NULL);
}

bool rowsum_holds(uint32_t crc, struct rows *r, int at, const char *letters)
{
    return rows_int(r, at + (int)strlen(letters)) == sum_row(crc, r, at, letters, NULL);
}

bool rowsum_read(uint32_t crc, struct rows *r, int at, const char *letters, union rowsum_col *ret)
{
    return rows_int(r, at + (int)strlen(letters)) == sum_row(crc, r, at, letters, ret);
}

/* ---- the tables.  walk: the columns of the sum, the sum, of the rows behind a key, `?` at most.
 * The first `keys` columns are the key; b is a key's blob, which is t in letters. */

static const struct table {
    const char *name, *letters, *walk, *set;
    size_t keys;
    int bucket, text; /* columns, -1: there is none */
    enum db_kind text_kind;
} tables[ROWSUM_KINDS] = {
    [ROWSUM_BUCKET] = {"bucket", "ittiii",
                       "SELECT id, name, owner, created_ms, versioning, acl, crc FROM bucket"
                       " WHERE id > ? ORDER BY id LIMIT ?",
                       "UPDATE bucket SET crc = ? WHERE id = ?", 1, 0, -1, 0},
    [ROWSUM_SETTING] = {"setting", "itt",
                        "SELECT bucket, kind, body, crc FROM setting"
                        " WHERE (bucket, kind) > (?, ?) ORDER BY bucket, kind LIMIT ?",
                        "UPDATE setting SET crc = ? WHERE bucket = ? AND kind = ?", 2, 0, 1,
                        DB_V_TEXT},
    [ROWSUM_OBJECT] = {"object", "it" ROWSUM_OBJECT_LETTERS,
                       "SELECT bucket, key," ROWSUM_OBJECT_COLUMNS ", crc FROM object"
                       " WHERE (bucket, key) > (?, ?) ORDER BY bucket, key LIMIT ?",
                       "UPDATE object SET crc = ? WHERE bucket = ? AND key = ?", 2, 0, 1,
                       DB_V_BLOB},
    [ROWSUM_VERSION] = {"version", "it" ROWSUM_VERSION_LETTERS,
                        "SELECT bucket, key," ROWSUM_OBJECT_COLUMNS
                        ", marker, left_ms, crc FROM version"
                        " WHERE (bucket, key) >= (?1, ?2)"
                        " AND NOT (bucket = ?1 AND key = ?2 AND seq >= ?3)"
                        " ORDER BY bucket, key, seq DESC LIMIT ?4",
                        "UPDATE version SET crc = ? WHERE bucket = ? AND key = ? AND seq = ?", 3, 0,
                        1, DB_V_BLOB},
    [ROWSUM_UPLOAD] = {"upload", "iittttiiii",
                       "SELECT id, bucket, key, type, meta, tags, acl, sum_kind, sum_flags,"
                       " created_ms, crc FROM upload WHERE id > ? ORDER BY id LIMIT ?",
                       "UPDATE upload SET crc = ? WHERE id = ?", 1, 1, 2, DB_V_NULL},
    [ROWSUM_PART] = {"part", "iiiiitt",
                     "SELECT upload, number, data, bytes, modified_ms, etag, sum, crc FROM part"
                     " WHERE (upload, number) > (?, ?) ORDER BY upload, number LIMIT ?",
                     "UPDATE part SET crc = ? WHERE upload = ? AND number = ?", 2, -1, -1, 0},
    [ROWSUM_PIECE] = {"piece", "iiit",
                      "SELECT owner, n, data, sum, crc FROM piece WHERE (owner, n) > (?, ?)"
                      " ORDER BY owner, n LIMIT ?",
                      "UPDATE piece SET crc = ? WHERE owner = ? AND n = ?", 2, -1, -1, 0},
    [ROWSUM_SEGMENT] = {"segment", "iii",
                        "SELECT number, bytes, sealed, crc FROM segment WHERE number > ?"
                        " ORDER BY number LIMIT ?",
                        "UPDATE segment SET crc = ? WHERE number = ?", 1, -1, -1, 0},
    [ROWSUM_FREED] = {"freed", "ii",
                      "SELECT kind, place, crc FROM freed WHERE (kind, place) > (?, ?)"
                      " ORDER BY kind, place LIMIT ?",
                      "UPDATE freed SET crc = ? WHERE kind = ? AND place = ?", 2, -1, -1, 0},
    [ROWSUM_DATA] = {"data", "iiiiju3",
                     "SELECT id, kind, bytes, place, sum, sha, refs, crc FROM data WHERE id > ?"
                     " ORDER BY id LIMIT ?",
                     "UPDATE data SET crc = ? WHERE id = ?", 1, -1, -1, 0},
};

static bool key_is_text(const struct table *t, size_t i)
{
    return (int)i == t->text;
}

static enum rc walk(struct tx *tx, const struct table *t, const struct at *at, int64_t max,
                    struct rows **ret, struct err *e)
{
    struct db_val v[KEYS + 1];

    for (size_t i = 0; i < t->keys; i++)
        if (key_is_text(t, i))
            v[i] = (struct db_val){.kind = t->text_kind, .s = {at->text, at->text_n}};
        else
            v[i] = db_i(at->inside ? at->key[i] : INT64_MIN);
    v[t->keys] = db_i(max);
    return tx_query_(tx, ret, e, t->walk, v, t->keys + 1);
}

/* ---- before there were sums */

static enum rc fill_table(struct tx *tx, const struct table *t, struct err *e)
{
    const struct at first = {0};
    struct rows *r;
    enum rc done, rc = walk(tx, t, &first, INT64_MAX, &r, e);

    if (rc)
        return rc;
    while (!rc && rows_next(r)) { /* the key stays, and so the walk meets each row once */
        struct db_val v[1 + KEYS] = {db_i(rowsum_row(0, r, 0, t->letters))};
        for (size_t i = 0; i < t->keys; i++)
            v[1 + i] = key_is_text(t, i)
                           ? (struct db_val){.kind = t->text_kind, .s = rows_text(r, (int)i)}
                           : db_i(rows_int(r, (int)i));
        rc = tx_exec_(tx, e, t->set, v, 1 + t->keys);
    }
    done = rows_done(r, rc ? NULL : e);
    return rc ? rc : done;
}

enum rc rowsum_fill(struct tx *tx, enum rowsum_kind first, enum rowsum_kind last, struct err *e)
{
    enum rc rc = RC_OK;

    for (int k = (int)first; !rc && k <= (int)last; k++)
        rc = fill_table(tx, &tables[k], e);
    return rc;
}

/* ---- verifying all */

static enum rc tell(struct tx *tx, const struct table *t, struct rows *r, rowsum_fn each, void *ud,
                    struct err *e)
{
    char text[160], name[64] = "";
    int n = snprintf(text, sizeof text, "the row of table '%s' with number", t->name);
    struct rows *b = NULL;
    enum rc rc = RC_OK;

    for (size_t i = 0; i < t->keys; i++)
        if (!key_is_text(t, i))
            n += snprintf(text + n, sizeof text - (size_t)n, "%s %lld", i ? "," : "",
                          (long long)rows_int(r, (int)i));
    snprintf(text + n, sizeof text - (size_t)n, " does not have its checksum");
    if (t->bucket >= 0)
        rc = tx_query(tx, &b, e, "SELECT name FROM bucket WHERE id = ?",
                      db_i(rows_int(r, t->bucket)));
    if (b && rows_next(b))
        snprintf(name, sizeof name, "%.*s", STR_F(rows_text(b, 0)));
    if (!rc)
        rc = rows_done(b, e);
    return rc ? rc : each(ud, str_of(name), t->text < 0 ? STR("") : rows_text(r, t->text), text, e);
}

static enum rc set_at(struct at *at, const struct table *t, struct rows *r, struct err *e)
{
    for (size_t i = 0; i < t->keys; i++)
        if (key_is_text(t, i)) {
            str s = rows_text(r, (int)i);
            if (s.n > sizeof at->text)
                return err_set(e, RC_CORRUPT, "the store's index has a key of %zu bytes", s.n);
            memcpy(at->text, s.p, s.n);
            at->text_n = s.n;
        } else {
            at->key[i] = rows_int(r, (int)i);
        }
    at->inside = true;
    return RC_OK;
}

/* The next rows of a table; *ret_n less than AT_ONCE: the last. */
static enum rc check_some(struct tx *tx, const struct table *t, struct at *at, rowsum_fn each,
                          void *ud, size_t *ret_n, struct err *e)
{
    struct rows *r;
    size_t n = 0;
    enum rc done, rc = walk(tx, t, at, AT_ONCE, &r, e);

    if (rc)
        return rc;
    for (; !rc && rows_next(r); n++) {
        if (!rowsum_holds(0, r, 0, t->letters))
            rc = tell(tx, t, r, each, ud, e);
        if (!rc)
            rc = set_at(at, t, r, e);
    }
    done = rows_done(r, rc ? NULL : e);
    *ret_n = n;
    return rc ? rc : done;
}

enum rc rowsum_check(struct db *db, struct budget *b, rowsum_fn each, void *ud, struct err *e)
{
    struct at *at = mem_alloc(sizeof *at);
    enum rc rc = at ? RC_OK : err_set(e, RC_NOMEM, "out of memory");

    for (int k = 0; !rc && k < ROWSUM_DATA; k++) {
        size_t n = AT_ONCE;
        *at = (struct at){0};
        while (!rc && n == AT_ONCE) {
            struct tx *tx;
            rc = db_begin(db, DB_READ, &tx, e);
            if (rc)
                break;
            rc = check_some(tx, &tables[k], at, each, ud, &n, e);
            tx_rollback(tx);
            if (!rc && !budget_spend(b, n * ROW_BYTES))
                rc = err_set(e, RC_CANCELLED, "the check was stopped before its end");
        }
    }
    mem_free(at);
    return rc;
}
