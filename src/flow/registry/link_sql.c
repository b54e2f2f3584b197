/* link_sql.c - visitors' links: who made them, whether they are open, what they show. */
#include "flow/registry/registry_int.h"
#include "os/os.h"

#define LINK                                                                                       \
    "l.id, l.model_id, l.alias, l.title, l.server, coalesce(l.created_by, ''),"                    \
    " coalesce(nullif(u.name, ''), u.email, ''), l.created_at, l.expires_at,"                      \
    " coalesce(l.revoked_at, 0), l.visits, coalesce(l.last_used_at, 0)"                            \
    " FROM registry_link l LEFT JOIN \"user\" u ON u.id = l.created_by "

static enum rc link_row(struct rows *r, struct arena *a, struct registry_link *ret, struct err *e)
{
    struct cols c = {r, a, 0, false};
    struct registry_link l = {0};

    l.id = col_text(&c);
    l.model_id = col_text(&c);
    l.alias = col_text(&c);
    l.title = col_text(&c);
    l.server = col_int(&c) != 0;
    l.created_by = col_text(&c);
    l.created_by_name = col_text(&c);
    l.created_at = col_int(&c);
    l.expires_at = col_int(&c);
    l.revoked_at = col_int(&c);
    l.visits = col_int(&c);
    l.last_used_at = col_int(&c);
    if (c.no_memory)
        return registry_nomem(e);
    *ret = l;
    return RC_OK;
}

enum rc registry_link_add(struct db *db, struct arena *a, struct registry_link *l, str hash,
                          const struct registry_who *who, int64_t now, struct err *e)
{
    struct event_new told = {.model_id = l->model_id,
                             .kind = "link_made",
                             .alias = l->alias,
                             .from = "",
                             .to = "",
                             .note = l->title};
    char id[OS_ID_TEXT];
    int64_t open = 0;
    struct tx *tx;
    enum rc rc = db_begin(db, DB_WRITE, &tx, e);

    if (rc)
        return rc;
    os_id(id);
    rc = tx_int(tx, 0, &open, e,
                "SELECT count(*) FROM registry_link WHERE model_id = ?"
                " AND revoked_at IS NULL AND expires_at > ?",
                db_s(l->model_id), db_i(now));
    if (!rc && open >= REGISTRY_LINKS_MAX)
        rc = err_set(e, RC_LIMIT, "this model has %d open links; revoke some", REGISTRY_LINKS_MAX);
    if (!rc)
        rc = tx_exec(tx, e,
                     "INSERT INTO registry_link (id, model_id, alias, hash, title, server,"
                     " created_by, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                     db_c(id), db_s(l->model_id), db_s(l->alias), db_s(hash), db_s(l->title),
                     db_i(l->server), db_text_or_null(who->id), db_i(now), db_i(l->expires_at));
    if (!rc)
        rc = event_add(tx, &told, who, now, e);
    rc = tx_end(tx, rc, e);
    if (rc)
        return rc;
    l->id = arena_str(a, str_of(id));
    l->created_at = now;
    l->created_by = who->id;
    l->created_by_name = who->name;
    return l->id.p ? RC_OK : registry_nomem(e);
}

enum { LINKS_SHOWN_MAX = 500 };

enum rc registry_links(struct db *db, struct arena *a, str model_id, struct registry_link **ret,
                       size_t *ret_n, struct err *e)
{
    struct registry_link *list = ARENA_ARRAY(a, struct registry_link, LINKS_SHOWN_MAX);
    struct rows *r = NULL;
    struct tx *tx;
    size_t n = 0;
    enum rc rc = list ? db_begin(db, DB_READ, &tx, e) : registry_nomem(e);

    if (rc)
        return rc;
    rc = tx_query(tx, &r, e, "SELECT " LINK "WHERE l.model_id = ? ORDER BY l.id DESC LIMIT 500",
                  db_s(model_id));
    while (!rc && n < LINKS_SHOWN_MAX && rows_next(r))
        rc = link_row(r, a, &list[n++], e);
    enum rc end = rows_done(r, rc ? NULL : e);
    rc = tx_end(tx, rc ? rc : end, e);
    if (!rc) {
        *ret = list;
        *ret_n = n;
    }
    return rc;
}

enum rc registry_link_revoke(struct db *db, str model_id, str id, const struct registry_who *who,
                             int64_t now, struct err *e)
{
    struct event_new told = {.model_id = model_id,
                             .kind = "link_revoked",
                             .alias = STR(""),
                             .from = "",
                             .to = "",
                             .note = id};
    struct tx *tx;
    enum rc rc = db_begin(db, DB_WRITE, &tx, e);

    if (rc)
        return rc;
    rc = tx_exec(tx, e,
                 "UPDATE registry_link SET revoked_at = ? WHERE model_id = ? AND id = ?"
                 " AND revoked_at IS NULL",
                 db_i(now), db_s(model_id), db_s(id));
    if (!rc && tx_changes(tx) != 1)
        rc = err_set(e, RC_NOT_FOUND, "the model has no open link of this id");
    if (!rc)
        rc = event_add(tx, &told, who, now, e);
    return tx_end(tx, rc, e);
}

static enum rc find(struct tx *tx, struct arena *a, str hash, struct registry_link *ret,
                    struct err *e)
{
    struct rows *r = NULL;
    enum rc rc = tx_query(tx, &r, e, "SELECT " LINK "WHERE l.hash = ?", db_s(hash));

    if (rc)
        return rc;
    bool found = rows_next(r);
    if (found)
        rc = link_row(r, a, ret, e);
    enum rc end = rows_done(r, rc ? NULL : e);
    if (rc || end)
        return rc ? rc : end;
    return found ? RC_OK
                 : err_set(e, RC_UNAUTHENTICATED, "this link is not known here; ask for a new one");
}

/* The version that the alias names; RC_GONE: none. */
static enum rc shown(struct tx *tx, struct arena *a, const struct registry_link *l,
                     struct registry_version *ret, struct err *e)
{
    int64_t number;
    enum rc rc = tx_int(tx, 0, &number, e,
                        "SELECT number FROM registry_publication WHERE model_id = ? AND alias = ?"
                        " AND ended_at IS NULL",
                        db_s(l->model_id), db_s(l->alias));

    if (!rc && !number)
        rc = err_set(e, RC_GONE, "nothing is published behind this link at present");
    return rc ? rc : version_load(tx, a, l->model_id, number, ret, e);
}

enum rc registry_link_open(struct db *db, struct arena *a, str hash, bool visit, int64_t now,
                           struct registry_link *ret, struct registry_model *ret_m,
                           struct registry_version *ret_v, struct err *e)
{
    struct registry_link l = {0};
    struct tx *tx;
    enum rc rc = db_begin(db, visit ? DB_WRITE : DB_READ, &tx, e);

    if (rc)
        return rc;
    rc = find(tx, a, hash, &l, e);
    if (!rc && l.revoked_at)
        rc = err_set(e, RC_GONE, "this link was withdrawn; ask for a new one");
    if (!rc && l.expires_at <= now)
        rc = err_set(e, RC_GONE, "this link has expired; ask for a new one");
    if (!rc)
        rc = shown(tx, a, &l, ret_v, e);
    if (!rc)
        rc = model_load_by_id(tx, a, l.model_id, ret_m, e);
    if (!rc && visit)
        rc = tx_exec(tx, e,
                     "UPDATE registry_link SET visits = visits + 1, last_used_at = ? WHERE id = ?",
                     db_i(now), db_s(l.id));
    if (visit)
        rc = tx_end(tx, rc, e);
    else
        tx_rollback(tx);
    if (!rc)
        *ret = l;
    return rc;
}
