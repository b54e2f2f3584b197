/* datasets_diff.c - what differs between two versions of a dataset: counts, classes, and the
 * pictures of each kind with their labels on both sides. */
#include "api/datasets.h"
#include "base/map.h"

enum { PAIRS_MAX = 200 };

static enum rc both(struct ctx *c, struct dataset *d, struct dataset_version *from,
                    struct dataset_version *to, struct err *e)
{
    enum rc rc = version_of(c, ROLE_VIEWER, d, from, e);

    return rc ? rc : dataset_version_find(c->app->db, c->a, d->id, c->param[2], to, e);
}

/* ---- by class */

struct class_row {
    str name;
    int64_t from, to; /* -1: that version has no such class */
};

/* In the order of `to`, then those that only `from` has. */
static enum rc class_rows(struct ctx *c, const struct dataset_version *from,
                          const struct dataset_version *to, struct class_row **ret, size_t *ret_n,
                          struct err *e)
{
    const struct dataset_version *sides[] = {to, from};
    struct class_row *rows = ARENA_ARRAY(c->a, struct class_row, (size_t)2 * DATASET_CLASSES_MAX);
    struct map at;
    size_t n = 0;
    enum rc rc = rows ? RC_OK : err_set(e, RC_NOMEM, "out of memory");

    map_init(&at);
    for (int side = 0; !rc && side < 2; side++) {
        const struct json *classes = NULL;
        int64_t *counts = NULL;
        size_t k = 0, i = 0;
        rc = json_parse(c->a, sides[side]->classes, NULL, &classes, e);
        if (!rc)
            rc = dataset_class_counts(c->app->db, c->a, sides[side], &counts, &k, e);
        for (const struct json *one = rc ? NULL : classes->list.first; !rc && one;
             one = one->next, i++) {
            struct class_row *row = map_get(&at, one->s);
            if (!row) {
                row = &rows[n++];
                *row = (struct class_row){one->s, -1, -1};
                rc = map_put(&at, one->s, row, e);
            }
            *(side ? &row->from : &row->to) = counts[i];
        }
    }
    map_done(&at);
    *ret = rows;
    *ret_n = n;
    return rc;
}

static void write_count(struct jw *w, const char *key, int64_t n)
{
    jw_key(w, key);
    if (n < 0)
        jw_null(w);
    else
        jw_int(w, n);
}

static enum rc get_diff(struct ctx *c, struct err *e)
{
    struct dataset d;
    struct dataset_version from, to;
    struct diff diff;
    struct class_row *rows = NULL;
    struct buf b;
    struct jw w;
    size_t n = 0;
    enum rc rc = both(c, &d, &from, &to, e);

    if (!rc)
        rc = dataset_diff(c->app->db, c->a, &from, &to, &diff, e);
    if (!rc)
        rc = class_rows(c, &from, &to, &rows, &n, e);
    if (rc)
        return rc;
    reply_begin(&b, &w);
    jw_obj(&w);
    jw_kstr(&w, "from", from.version);
    jw_kstr(&w, "to", to.version);
    for (int k = 0; k < DIFF_KINDS; k++) {
        jw_kobj(&w, diff_kind_names[k]);
        jw_kint(&w, "count", diff.count[k]);
        jw_karr(&w, "first");
        for (size_t i = 0; i < diff.names_n[k]; i++)
            jw_str(&w, diff.names[k][i]);
        jw_arr_end(&w);
        jw_obj_end(&w);
    }
    jw_karr(&w, "classes");
    for (size_t i = 0; i < n; i++) {
        jw_obj(&w);
        jw_kstr(&w, "name", rows[i].name);
        write_count(&w, "from", rows[i].from);
        write_count(&w, "to", rows[i].to);
        jw_obj_end(&w);
    }
    jw_arr_end(&w);
    jw_obj_end(&w);
    return reply_json(c, 200, &b, e);
}

/* ---- pictures of one kind */

struct pairs_query {
    str cursor;
    int64_t limit;
};
#define S struct pairs_query
static const struct field pairs_query_fields[] = {
    F_STR(S, cursor, .max = 2048, .help = "`next` of the page before."),
    F_INT(S, limit, .min = 1, .max = PAIRS_MAX, .dflt = "60", .help = "Rows a page."), FIELD_END};
#undef S

static enum rc kind_of(str name, enum diff_kind *ret, struct err *e)
{
    for (int k = 0; k < DIFF_KINDS; k++)
        if (str_is(name, diff_kind_names[k])) {
            *ret = (enum diff_kind)k;
            return RC_OK;
        }
    return err_set(e, RC_NOT_FOUND,
                   "a kind of difference is added, removed, changed, relabelled or moved");
}

static enum rc write_side(struct ctx *c, const char *key, const struct dataset *d,
                          const struct dataset_version *v, const struct json *classes,
                          int64_t index, struct jw *w, struct err *e)
{
    struct dataset_image i;
    enum rc rc;

    jw_key(w, key);
    if (index < 0) {
        jw_null(w);
        return RC_OK;
    }
    rc = dataset_image_get(c->app->db, c->a, v, index, &i, e);
    if (!rc)
        write_image(c, d, classes, &i, w);
    return rc;
}

static enum rc write_pairs(struct ctx *c, const struct dataset *d,
                           const struct dataset_version *from, const struct dataset_version *to,
                           const struct diff_pair *list, size_t n, struct jw *w, struct err *e)
{
    const struct json *x = NULL, *y = NULL;
    enum rc rc = json_parse(c->a, from->classes, NULL, &x, e);

    if (!rc)
        rc = json_parse(c->a, to->classes, NULL, &y, e);
    jw_karr(w, "pictures");
    for (size_t i = 0; !rc && i < n; i++) {
        jw_obj(w);
        jw_kstr(w, "name", list[i].name);
        rc = write_side(c, "from", d, from, x, list[i].from, w, e);
        if (!rc)
            rc = write_side(c, "to", d, to, y, list[i].to, w, e);
        jw_obj_end(w);
    }
    jw_arr_end(w);
    return rc;
}

static enum rc get_pairs(struct ctx *c, struct err *e)
{
    const struct pairs_query *in = c->query;
    struct dataset d;
    struct dataset_version from, to;
    struct diff_pair *list = NULL;
    enum diff_kind kind = DIFF_ADDED;
    str after = STR(""), id;
    struct buf b;
    struct jw w;
    size_t n = 0;
    enum rc rc = both(c, &d, &from, &to, e);

    if (!rc)
        rc = kind_of(c->param[3], &kind, e);
    if (!rc && in->cursor.n)
        rc = cursor_read(c->a, in->cursor, &after, &id, e);
    if (!rc)
        rc = dataset_diff_pairs(c->app->db, c->a, &from, &to, kind, after, (size_t)in->limit + 1,
                                &list, &n, e);
    if (rc)
        return rc;
    bool more = n > (size_t)in->limit;
    n -= more;
    reply_begin(&b, &w);
    jw_obj(&w);
    rc = write_pairs(c, &d, &from, &to, list, n, &w, e);
    jw_kcstr(&w, "next", more ? cursor_make(c->a, list[n - 1].name, STR("")) : NULL);
    jw_obj_end(&w);
    if (!rc)
        return reply_json(c, 200, &b, e);
    buf_done(&b);
    return rc;
}

#define READ ACCESS_VIEWER, "datasets:read"
extern const struct route dataset_diff_routes[];
const struct route dataset_diff_routes[] = {
    {HTTP_GET, "/datasets/{id}/versions/{v}/diff/{other}", READ, .tag = "Datasets",
     .summary = "What {other} has that {v} has not: counts and the first 100 names of pictures.",
     .help =
         "added, removed, changed (other content), relabelled (other label or shapes), moved (in "
         "another split): {count, first}; classes: [{name, from, to}], pictures of each class.",
     .fn = get_diff},
    {HTTP_GET, "/datasets/{id}/versions/{v}/diff/{other}/{kind}", READ, pairs_query_fields,
     sizeof(struct pairs_query), .tag = "Datasets",
     .summary = "The pictures of one kind of difference, as they were and are: {pictures, next}.",
     .help = "pictures: [{name, from, to}]; from or to is null where there is none.",
     .fn = get_pairs},
    ROUTE_END};
