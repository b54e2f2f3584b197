/* diff_sql.c - what differs between two versions: two passes over their pictures by name.
 *
 * A pass reads the pairs of namesakes in order of name and judges each pair here, so that counts,
 * first names and pages come from the same rule; 100,000 pictures take a fraction of a second.
 * Numbers of classes mean nothing across versions, their names do: labels and shapes are compared
 * through a map of numbers (class_map).
 */
#include "base/map.h"
#include "flow/dataset/dataset_int.h"

const char *const diff_kind_names[] = {"added", "removed", "changed", "relabelled", "moved", NULL};

/* ---- classes */

struct class_map {
    int64_t *to; /* number in `to` of each class of `from`; -1: it has none */
    size_t n;
    bool same; /* every number means the same on both sides */
};

/* By name; else, where a number has a name on either side that the other does not know, the class
 * was renamed. */
static enum rc map_classes(struct arena *a, const struct dataset_version *from,
                           const struct dataset_version *to, struct class_map *ret, struct err *e)
{
    const struct json *x = NULL, *y = NULL, *y_at;
    struct class_map m = {.same = true};
    struct map old, new;
    int64_t i = 0;
    enum rc rc = json_parse(a, from->classes, NULL, &x, e);

    if (!rc)
        rc = json_parse(a, to->classes, NULL, &y, e);
    if (rc)
        return rc;
    map_init(&old);
    map_init(&new);
    JSON_EACH(c, x) {
        if (!rc)
            rc = map_put(&old, c->s, (void *)1, e);
    }
    JSON_EACH(c, y) {
        if (!rc)
            rc = map_put(&new, c->s, (void *)(intptr_t)++i, e);
    }
    m.to = ARENA_ARRAY(a, int64_t, x->list.count + 1);
    if (!rc && !m.to)
        rc = dataset_nomem(e);
    y_at = y->list.first;
    for (const struct json *c = x->list.first; !rc && c; c = c->next) {
        int64_t known = (int64_t)(intptr_t)map_get(&new, c->s) - 1;
        if (known < 0 && y_at && !map_has(&old, y_at->s))
            known = (int64_t)m.n;
        m.same &= known == (int64_t)m.n;
        m.to[m.n++] = known;
        y_at = y_at ? y_at->next : NULL;
    }
    map_done(&old);
    map_done(&new);
    if (!rc)
        *ret = m;
    return rc;
}

static int64_t mapped(const struct class_map *m, int64_t cls)
{
    return cls >= 0 && (size_t)cls < m->n ? m->to[cls] : cls;
}

/* Two lists [[class, numbers..]..] of equal numbers and classes of equal meaning. */
static bool same_list(const struct class_map *m, const struct json *x, const struct json *y)
{
    const struct json *b;

    if (!x || !y || x->type != JSON_ARR || y->type != JSON_ARR)
        return !x && !y;
    if (x->list.count != y->list.count)
        return false;
    b = y->list.first;
    JSON_EACH(one, x) {
        const struct json *p = one->type == JSON_ARR ? one->list.first : NULL;
        const struct json *q = b->type == JSON_ARR ? b->list.first : NULL;
        if (!p || !q || p->type != JSON_INT || q->type != JSON_INT || mapped(m, p->i) != q->i ||
            one->list.count != b->list.count)
            return false;
        for (p = p->next, q = q->next; p; p = p->next, q = q->next)
            if (!str_eq(p->raw, q->raw))
                return false;
        b = b->next;
    }
    return true;
}

static bool same_shapes(struct arena *scratch, const struct class_map *m, str x, str y)
{
    const struct json *a = NULL, *b = NULL;

    if (m->same || !x.n || !y.n)
        return str_eq(x, y);
    if (json_parse(scratch, x, NULL, &a, NULL) || json_parse(scratch, y, NULL, &b, NULL))
        return false;
    const struct json *p = json_get(a, "quads"), *q = json_get(b, "quads");
    return same_list(m, json_get(a, "boxes"), json_get(b, "boxes")) &&
           same_list(m, json_get(a, "polygons"), json_get(b, "polygons")) &&
           (p && q ? str_eq(p->raw, q->raw) : !p && !q);
}

/* ---- the two passes */

typedef enum rc (*pair_fn)(void *ud, enum diff_kind k, const struct diff_pair *p, bool *ret_more,
                           struct err *e);
struct walk {
    const struct dataset_version *from, *to;
    struct class_map classes;
    struct arena scratch; /* of one pair */
    pair_fn each;
    void *ud;
};

/* Namesakes: x of `from`, y of `to` or NULLs. */
static unsigned judge(struct walk *w, struct rows *r)
{
    enum { Y_IDX = 2, SHA = 3, SPLIT = 4, X_LABEL = 5, Y_LABEL = 6, X_SHAPES = 7, Y_SHAPES = 8 };
    unsigned kinds = 0;

    if (rows_is_null(r, Y_IDX))
        return 1u << DIFF_REMOVED;
    if (!rows_int(r, SHA))
        kinds |= 1u << DIFF_CHANGED;
    else if (mapped(&w->classes, rows_int(r, X_LABEL)) != rows_int(r, Y_LABEL) ||
             !same_shapes(&w->scratch, &w->classes, rows_text(r, X_SHAPES), rows_text(r, Y_SHAPES)))
        kinds |= 1u << DIFF_RELABELLED;
    if (!rows_int(r, SPLIT))
        kinds |= 1u << DIFF_MOVED;
    return kinds;
}

static enum rc walk_from(struct walk *w, struct tx *tx, str after, struct err *e)
{
    struct rows *r = NULL;
    bool more = true;
    enum rc rc = tx_query(tx, &r, e,
                          "SELECT x.name, x.idx, y.idx, x.sha256 = y.sha256, x.split = y.split,"
                          " x.label, y.label, x.shapes, y.shapes"
                          " FROM dataset_image x LEFT JOIN dataset_image y ON y.content_id = ?"
                          " AND y.name = x.name WHERE x.content_id = ? AND x.name > ?"
                          " ORDER BY x.name",
                          db_i(w->to->content), db_i(w->from->content), db_s(after));

    while (!rc && more && rows_next(r)) {
        unsigned kinds = judge(w, r);
        struct diff_pair p = {rows_text(r, 0), rows_int(r, 1),
                              rows_is_null(r, 2) ? -1 : rows_int(r, 2)};
        for (int k = 0; !rc && k < DIFF_KINDS; k++)
            if (kinds & 1u << k)
                rc = w->each(w->ud, (enum diff_kind)k, &p, &more, e);
        arena_reset(&w->scratch);
    }
    enum rc end = rows_done(r, rc ? NULL : e);
    return rc ? rc : end;
}

static enum rc walk_added(struct walk *w, struct tx *tx, str after, struct err *e)
{
    struct rows *r = NULL;
    bool more = true;
    enum rc rc = tx_query(tx, &r, e,
                          "SELECT y.name, y.idx FROM dataset_image y WHERE y.content_id = ?"
                          " AND y.name > ? AND NOT EXISTS (SELECT 1 FROM dataset_image x"
                          " WHERE x.content_id = ? AND x.name = y.name) ORDER BY y.name",
                          db_i(w->to->content), db_s(after), db_i(w->from->content));

    while (!rc && more && rows_next(r)) {
        struct diff_pair p = {rows_text(r, 0), -1, rows_int(r, 1)};
        rc = w->each(w->ud, DIFF_ADDED, &p, &more, e);
    }
    enum rc end = rows_done(r, rc ? NULL : e);
    return rc ? rc : end;
}

/* only: DIFF_KINDS for all. */
static enum rc walk(struct walk *w, struct db *db, struct arena *a, enum diff_kind only, str after,
                    struct err *e)
{
    struct tx *tx;
    enum rc rc = map_classes(a, w->from, w->to, &w->classes, e);

    if (!rc)
        rc = db_begin(db, DB_READ, &tx, e);
    if (rc)
        return rc;
    arena_init(&w->scratch, 64 << 20);
    if (only != DIFF_ADDED)
        rc = walk_from(w, tx, after, e);
    if (!rc && (only == DIFF_ADDED || only == DIFF_KINDS))
        rc = walk_added(w, tx, after, e);
    arena_done(&w->scratch);
    return tx_end(tx, rc, e);
}

/* ---- counts and first names */

struct counting {
    struct arena *a;
    struct diff d;
};

static enum rc count(void *ud, enum diff_kind k, const struct diff_pair *p, bool *ret_more,
                     struct err *e)
{
    struct counting *c = ud;
    struct diff *d = &c->d;

    (void)ret_more;
    if (d->count[k]++ >= DIFF_SHOWN_MAX)
        return RC_OK;
    str name = arena_str(c->a, p->name);
    d->names[k][d->names_n[k]++] = name;
    return name.p ? RC_OK : dataset_nomem(e);
}

enum rc dataset_diff(struct db *db, struct arena *a, const struct dataset_version *from,
                     const struct dataset_version *to, struct diff *ret, struct err *e)
{
    struct counting c = {.a = a};
    struct walk w = {.from = from, .to = to, .each = count, .ud = &c};

    for (int k = 0; k < DIFF_KINDS; k++)
        if (!(c.d.names[k] = ARENA_ARRAY(a, str, DIFF_SHOWN_MAX)))
            return dataset_nomem(e);
    enum rc rc = walk(&w, db, a, DIFF_KINDS, STR(""), e);
    if (!rc)
        *ret = c.d;
    return rc;
}

/* ---- a page of one kind */

struct paging {
    struct arena *a;
    enum diff_kind kind;
    struct diff_pair *list;
    size_t n, limit;
};

static enum rc take(void *ud, enum diff_kind k, const struct diff_pair *p, bool *ret_more,
                    struct err *e)
{
    struct paging *g = ud;

    if (k != g->kind)
        return RC_OK;
    struct diff_pair one = {arena_str(g->a, p->name), p->from, p->to};
    g->list[g->n++] = one;
    *ret_more = g->n < g->limit;
    return one.name.p ? RC_OK : dataset_nomem(e);
}

enum rc dataset_diff_pairs(struct db *db, struct arena *a, const struct dataset_version *from,
                           const struct dataset_version *to, enum diff_kind kind, str after,
                           size_t limit, struct diff_pair **ret, size_t *ret_n, struct err *e)
{
    struct paging g = {a, kind, ARENA_ARRAY(a, struct diff_pair, limit + 1), 0, limit};
    struct walk w = {.from = from, .to = to, .each = take, .ud = &g};

    if (!g.list)
        return dataset_nomem(e);
    enum rc rc = walk(&w, db, a, kind, after, e);
    if (!rc) {
        *ret = g.list;
        *ret_n = g.n;
    }
    return rc;
}

enum rc dataset_class_counts(struct db *db, struct arena *a, const struct dataset_version *v,
                             int64_t **ret, size_t *ret_n, struct err *e)
{
    const struct json *classes = NULL;
    struct tx *tx;
    struct rows *r = NULL;
    int64_t *counts;
    enum rc rc = json_parse(a, v->classes, NULL, &classes, e);

    if (rc)
        return rc;
    counts = ARENA_ARRAY(a, int64_t, classes->list.count + 1);
    rc = counts ? db_begin(db, DB_READ, &tx, e) : dataset_nomem(e);
    if (rc)
        return rc;
    memset(counts, 0, (classes->list.count + 1) * sizeof *counts);
    rc = tx_query(tx, &r, e,
                  "SELECT class, count(*) FROM dataset_image_class WHERE content_id = ?"
                  " GROUP BY class",
                  db_i(v->content));
    while (!rc && rows_next(r)) {
        int64_t cls = rows_int(r, 0);
        if (cls >= 0 && (size_t)cls < classes->list.count)
            counts[cls] = rows_int(r, 1);
    }
    enum rc end = rows_done(r, rc ? NULL : e);
    rc = tx_end(tx, rc ? rc : end, e);
    if (rc)
        return rc;
    *ret = counts;
    *ret_n = classes->list.count;
    return RC_OK;
}
