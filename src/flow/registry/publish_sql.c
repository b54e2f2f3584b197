/* publish_sql.c - what is live: publications, roll back, and the history that tells of them. */
#include "flow/registry/registry_int.h"

struct live {
    int64_t id, number, before; /* id 0: nothing */
};

static enum rc live_load(struct tx *tx, str model_id, str alias, struct live *ret, struct err *e)
{
    struct live l = {0};
    struct rows *r = NULL;
    enum rc rc = tx_query(tx, &r, e,
                          "SELECT id, number, coalesce(before, 0) FROM registry_publication"
                          " WHERE model_id = ? AND alias = ? AND ended_at IS NULL",
                          db_s(model_id), db_s(alias));
    if (rc)
        return rc;
    if (rows_next(r))
        l = (struct live){rows_int(r, 0), rows_int(r, 1), rows_int(r, 2)};
    rc = rows_done(r, e);
    if (!rc)
        *ret = l;
    return rc;
}

static enum rc seen_check(const struct registry_publish *p, const struct live *l, struct err *e)
{
    if (p->expected == PUBLISH_UNSEEN || p->expected == l->number)
        return RC_OK;
    if (!l->number)
        return err_set(e, RC_CONFLICT, "nothing is live under '%.*s' any more; look again",
                       STR_F(p->alias));
    return err_set(e, RC_CONFLICT,
                   "version %lld is live under '%.*s' now, as somebody published it meanwhile; "
                   "look again",
                   (long long)l->number, STR_F(p->alias));
}

/* The alias lets go of a version: without another one it is approved again. */
static enum rc let_go(struct tx *tx, str model_id, const struct live *l, int64_t now, struct err *e)
{
    struct standing s = {0};
    struct arena a;
    enum rc rc = tx_exec(tx, e, "UPDATE registry_publication SET ended_at = ? WHERE id = ?",
                         db_i(now), db_i(l->id));

    if (rc)
        return rc;
    arena_init(&a, 64 << 10);
    rc = standing_load(tx, &a, model_id, l->number, &s, e);
    if (!rc && !s.live && s.state == VERSION_LIVE)
        rc = version_set_state(tx, model_id, l->number, VERSION_LIVE, VERSION_APPROVED, now, e);
    arena_done(&a);
    return rc;
}

static enum rc take_up(struct tx *tx, const struct registry_publish *p, int64_t number,
                       int64_t before, bool rollback, const struct registry_who *who, int64_t now,
                       struct err *e)
{
    struct standing s = {0};
    struct arena a;
    enum rc rc;

    arena_init(&a, 64 << 10);
    rc = standing_load(tx, &a, p->model_id, number, &s, e);
    if (!rc && s.state != VERSION_APPROVED && s.state != VERSION_LIVE)
        rc =
            err_set(e, RC_CONFLICT, "version %lld is %s; only an approved version can be published",
                    (long long)number, version_state_names[s.state]);
    if (!rc && s.state == VERSION_APPROVED)
        rc = version_set_state(tx, p->model_id, number, VERSION_APPROVED, VERSION_LIVE, now, e);
    arena_done(&a);
    if (rc)
        return rc;
    return tx_exec(tx, e,
                   "INSERT INTO registry_publication (model_id, alias, number, before, rollback,"
                   " by_id, by_name, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                   db_s(p->model_id), db_s(p->alias), db_i(number),
                   before ? db_i(before) : db_null(), db_i(rollback), db_text_or_null(who->id),
                   db_s(who->name), db_i(now));
}

static enum rc tell(struct tx *tx, const struct registry_publish *p, const char *kind,
                    int64_t number, int64_t other, const struct registry_who *who, int64_t now,
                    struct err *e)
{
    struct event_new told = {.model_id = p->model_id,
                             .number = number,
                             .kind = kind,
                             .alias = p->alias,
                             .from = "",
                             .to = "",
                             .other = other,
                             .note = p->note};

    return event_add(tx, &told, who, now, e);
}

enum rc registry_publish(struct db *db, const struct registry_publish *p,
                         const struct registry_who *who, int64_t now, struct err *e)
{
    struct live l = {0};
    struct tx *tx;
    enum rc rc = registry_name_check(p->alias, "alias", e);

    if (!rc)
        rc = db_begin(db, DB_WRITE, &tx, e);
    if (rc)
        return rc;
    rc = live_load(tx, p->model_id, p->alias, &l, e);
    if (!rc)
        rc = seen_check(p, &l, e);
    if (!rc && l.number == p->number)
        return tx_end(tx, RC_OK, e); /* it is live already: nothing happens */
    if (!rc && l.id)
        rc = let_go(tx, p->model_id, &l, now, e);
    if (!rc)
        rc = take_up(tx, p, p->number, l.id, false, who, now, e);
    if (!rc)
        rc = tell(tx, p, "published", p->number, l.number, who, now, e);
    return tx_end(tx, rc, e);
}

/* The nearest publication before this one whose version can be live: another version that is
 * approved or live still. */
#define BACK                                                                                       \
    "WITH RECURSIVE chain (id, number, before, depth) AS ("                                        \
    " SELECT b.id, b.number, b.before, 1 FROM registry_publication b WHERE b.id = ?"               \
    " UNION ALL SELECT b.id, b.number, b.before, depth + 1 FROM registry_publication b"            \
    " JOIN chain c ON b.id = c.before)"                                                            \
    " SELECT c.number, coalesce(c.before, 0) FROM chain c"                                         \
    " JOIN registry_version v ON v.model_id = ? AND v.number = c.number"                           \
    " WHERE v.state IN ('approved', 'live') AND c.number <> ? ORDER BY c.depth LIMIT 1"

static enum rc back_load(struct tx *tx, str model_id, const struct live *l, struct live *ret,
                         struct err *e)
{
    struct live b = {0};
    struct rows *r = NULL;
    enum rc rc = tx_query(tx, &r, e, BACK, db_i(l->before), db_s(model_id), db_i(l->number));

    if (rc)
        return rc;
    if (rows_next(r))
        b = (struct live){.number = rows_int(r, 0), .before = rows_int(r, 1)};
    rc = rows_done(r, e);
    if (!rc)
        *ret = b;
    return rc;
}

enum rc registry_rollback(struct db *db, const struct registry_publish *p,
                          const struct registry_who *who, int64_t now, int64_t *ret, struct err *e)
{
    struct live l = {0}, back = {0};
    struct tx *tx;
    enum rc rc = db_begin(db, DB_WRITE, &tx, e);

    if (rc)
        return rc;
    rc = live_load(tx, p->model_id, p->alias, &l, e);
    if (!rc && !l.id)
        rc = err_set(e, RC_NOT_FOUND, "nothing is live under the alias '%.*s'",
                     STR_F(str_sub(p->alias, 0, 80)));
    if (!rc)
        rc = seen_check(p, &l, e);
    if (!rc)
        rc = back_load(tx, p->model_id, &l, &back, e);
    if (!rc && !back.number)
        rc = err_set(e, RC_CONFLICT,
                     "there is nothing to go back to: no version that was live under '%.*s' before "
                     "is approved still",
                     STR_F(p->alias));
    if (!rc)
        rc = let_go(tx, p->model_id, &l, now, e);
    if (!rc)
        rc = take_up(tx, p, back.number, back.before, true, who, now, e);
    if (!rc)
        rc = tell(tx, p, "rolled_back", back.number, l.number, who, now, e);
    rc = tx_end(tx, rc, e);
    if (!rc)
        *ret = back.number;
    return rc;
}

enum rc registry_unpublish(struct db *db, const struct registry_publish *p,
                           const struct registry_who *who, int64_t now, struct err *e)
{
    struct live l = {0};
    struct tx *tx;
    enum rc rc = db_begin(db, DB_WRITE, &tx, e);

    if (rc)
        return rc;
    rc = live_load(tx, p->model_id, p->alias, &l, e);
    if (!rc && !l.id)
        rc = err_set(e, RC_NOT_FOUND, "nothing is live under the alias '%.*s'",
                     STR_F(str_sub(p->alias, 0, 80)));
    if (!rc)
        rc = seen_check(p, &l, e);
    if (!rc)
        rc = let_go(tx, p->model_id, &l, now, e);
    if (!rc)
        rc = tell(tx, p, "unpublished", l.number, l.number, who, now, e);
    return tx_end(tx, rc, e);
}

/* ---- what was live when */

enum { PUBLICATIONS_MAX = 500 };

enum rc registry_publications(struct db *db, struct arena *a, str model_id, bool live_only,
                              struct registry_publication **ret, size_t *ret_n, struct err *e)
{
    struct registry_publication *list =
        ARENA_ARRAY(a, struct registry_publication, PUBLICATIONS_MAX);
    struct rows *r = NULL;
    struct tx *tx;
    size_t n = 0;
    bool ok = true;
    enum rc rc = list ? db_begin(db, DB_READ, &tx, e) : registry_nomem(e);

    if (rc)
        return rc;
    rc = tx_query(tx, &r, e,
                  "SELECT alias, number, id, coalesce(before, 0), rollback, by_name, at,"
                  " coalesce(ended_at, 0) FROM registry_publication WHERE model_id = ?"
                  " AND (? = 0 OR ended_at IS NULL) ORDER BY id DESC LIMIT 500",
                  db_s(model_id), db_i(live_only));
    for (; !rc && n < PUBLICATIONS_MAX && rows_next(r); n++) {
        struct registry_publication *p = &list[n];
        struct cols c = {r, a, 0, false};

        p->alias = col_text(&c);
        p->version = col_int(&c);
        c.at++;
        p->back = col_int(&c); /* the publication; made a version below */
        p->rollback = col_int(&c) != 0;
        p->by_name = col_text(&c);
        p->at = col_int(&c);
        p->ended_at = col_int(&c);
        ok &= !c.no_memory;
    }
    enum rc end = rows_done(r, rc ? NULL : e);
    rc = rc ? rc : end;
    for (size_t i = 0; i < n && !rc; i++) {
        struct live back = {0}, of = {.number = list[i].version, .before = list[i].back};

        if (of.before && !list[i].ended_at)
            rc = back_load(tx, model_id, &of, &back, e);
        list[i].back = back.number;
    }
    rc = tx_end(tx, !rc && !ok ? registry_nomem(e) : rc, e);
    if (!rc) {
        *ret = list;
        *ret_n = n;
    }
    return rc;
}

/* ---- who did what */

enum rc event_add(struct tx *tx, const struct event_new *v, const struct registry_who *who,
                  int64_t now, struct err *e)
{
    return tx_exec(tx, e,
                   "INSERT INTO registry_event (model_id, number, kind, alias, from_state,"
                   " to_state, other, note, by_id, by_name, at)"
                   " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                   db_s(v->model_id), v->number ? db_i(v->number) : db_null(), db_c(v->kind),
                   db_s(v->alias), db_c(v->from), db_c(v->to),
                   v->other ? db_i(v->other) : db_null(), db_s(v->note), db_s(who->id),
                   db_s(who->name), db_i(now));
}

enum rc registry_events(struct db *db, struct arena *a, str model_id, int64_t before, int64_t limit,
                        struct registry_event **ret, size_t *ret_n, struct err *e)
{
    struct registry_event *list = ARENA_ARRAY(a, struct registry_event, (size_t)limit);
    struct rows *r = NULL;
    struct tx *tx;
    size_t n = 0;
    bool ok = true;
    enum rc rc = list ? db_begin(db, DB_READ, &tx, e) : registry_nomem(e);

    if (rc)
        return rc;
    rc = tx_query(tx, &r, e,
                  "SELECT id, coalesce(number, 0), kind, alias, from_state, to_state,"
                  " coalesce(other, 0), note, by_id, by_name, at FROM registry_event"
                  " WHERE model_id = ? AND (? = 0 OR id < ?) ORDER BY id DESC LIMIT ?",
                  db_s(model_id), db_i(before), db_i(before), db_i(limit));
    for (; !rc && n < (size_t)limit && rows_next(r); n++) {
        struct registry_event *v = &list[n];
        struct cols c = {r, a, 0, false};

        v->id = col_int(&c);
        v->version = col_int(&c);
        v->kind = col_text(&c);
        v->alias = col_text(&c);
        v->from = col_text(&c);
        v->to = col_text(&c);
        v->other = col_int(&c);
        v->note = col_text(&c);
        v->by = col_text(&c);
        v->by_name = col_text(&c);
        v->at = col_int(&c);
        ok &= !c.no_memory;
    }
    enum rc end = rows_done(r, rc ? NULL : e);
    rc = tx_end(tx, rc ? rc : end ? end : !ok ? registry_nomem(e) : RC_OK, e);
    if (!rc) {
        *ret = list;
        *ret_n = n;
    }
    return rc;
}
