/* people_sql.c - rows of user, session, login_link and api_token. */
#include "flow/people/people_int.h"

#define ACCOUNT                                                                                    \
    "id, email, name, role, active, created_at, coalesce(last_login_at, 0), password_hash"

static enum rc no_memory(struct err *e)
{
    return err_set(e, RC_NOMEM, "out of memory while reading accounts");
}

static int role_of(str name)
{
    for (int i = 0; role_names[i]; i++)
        if (str_is(name, role_names[i]))
            return i;
    return ROLE_NONE;
}

/* Lent by the rows. */
static struct account account_row(struct rows *r)
{
    return (struct account){.id = rows_text(r, 0),
                            .email = rows_text(r, 1),
                            .name = rows_text(r, 2),
                            .role = role_of(rows_text(r, 3)),
                            .active = rows_int(r, 4) != 0,
                            .created_at = rows_int(r, 5),
                            .last_login_at = rows_int(r, 6)};
}

static enum rc account_keep(struct arena *a, struct account *x, struct err *e)
{
    x->id = arena_str(a, x->id);
    x->email = arena_str(a, x->email);
    x->name = arena_str(a, x->name);
    return x->id.p && x->email.p && x->name.p ? RC_OK : no_memory(e);
}

enum rc account_insert(struct tx *tx, const struct account *w, str hash, int64_t now, struct err *e)
{
    enum rc rc =
        tx_exec(tx, e,
                "INSERT INTO \"user\" (id, email, name, password_hash, role, active, created_at, "
                "updated_at) VALUES (?, ?, ?, ?, ?, 1, ?, ?)",
                db_s(w->id), db_s(w->email), db_s(w->name), db_text_or_null(hash),
                db_c(role_names[w->role]), db_i(now), db_i(now));

    if (rc == RC_CONFLICT)
        return err_field(e, rc, "email", "there is an account of '%.*s' already", STR_F(w->email));
    return rc;
}

enum rc account_find(struct tx *tx, struct arena *a, str key, struct account *ret, str *ret_hash,
                     struct err *e)
{
    struct account x = {0};
    struct rows *r = NULL;
    str hash = STR_NONE;
    bool found = false;
    enum rc rc =
        tx_query(tx, &r, e, "SELECT " ACCOUNT " FROM \"user\" WHERE id = ? OR email = lower(?)",
                 db_s(key), db_s(key));

    if (!rc && rows_next(r)) {
        found = true;
        x = account_row(r);
        rc = account_keep(a, &x, e);
        hash = rows_is_null(r, 7) ? STR("") : rows_copy(r, a, 7);
    }
    if (!rc)
        rc = rows_done(r, e);
    else
        (void)!rows_done(r, NULL);
    if (!rc && !found)
        return err_set(e, RC_NOT_FOUND, "there is no account '%.*s'",
                       (int)(key.n < 80 ? key.n : 80), key.p);
    if (!rc) {
        *ret = x;
        if (ret_hash)
            *ret_hash = hash;
    }
    return rc;
}

enum rc account_page(struct tx *tx, str after, int limit, people_each_fn each, void *ud,
                     struct err *e)
{
    struct rows *r = NULL;
    enum rc rc = tx_query(tx, &r, e,
                          "SELECT " ACCOUNT " FROM \"user\" WHERE email > ? ORDER BY email LIMIT ?",
                          db_s(after), db_i(limit));

    while (!rc && rows_next(r)) {
        struct account x = account_row(r);
        each(ud, &x);
    }
    return rc ? rc : rows_done(r, e);
}

enum rc account_update(struct tx *tx, str id, const struct people_change *c, int64_t now,
                       struct err *e)
{
    enum rc rc =
        tx_exec(tx, e,
                "UPDATE \"user\" SET role = coalesce(?, role), active = coalesce(?, active), "
                "name = coalesce(?, name), updated_at = ? WHERE id = ?",
                c->set_role ? db_c(role_names[c->role]) : db_null(),
                c->set_active ? db_i(c->active) : db_null(),
                c->set_name ? db_s(c->name) : db_null(), db_i(now), db_s(id));

    if (!rc && !tx_changes(tx))
        return err_set(e, RC_NOT_FOUND, "there is no account '%.*s'", STR_F(id));
    return rc;
}

enum rc account_set_hash(struct tx *tx, str id, str hash, int64_t now, struct err *e)
{
    return tx_exec(tx, e, "UPDATE \"user\" SET password_hash = ?, updated_at = ? WHERE id = ?",
                   db_s(hash), db_i(now), db_s(id));
}

enum rc account_end_credentials(struct tx *tx, str id, int64_t now, struct err *e)
{
    enum rc rc =
        tx_exec(tx, e, "UPDATE session SET ended_at = ? WHERE user_id = ? AND ended_at IS NULL",
                db_i(now), db_s(id));

    if (!rc)
        rc = tx_exec(tx, e,
                     "UPDATE api_token SET revoked_at = ? WHERE user_id = ? AND revoked_at IS NULL",
                     db_i(now), db_s(id));
    return rc;
}

enum rc admins_active(struct tx *tx, str except_id, int64_t *ret, struct err *e)
{
    return tx_int(tx, 0, ret, e,
                  "SELECT count(*) FROM \"user\" WHERE role = 'admin' AND active = 1 AND id <> ?",
                  db_s(except_id));
}

enum rc first_admin(struct tx *tx, struct arena *a, struct account *ret, struct err *e)
{
    struct rows *r = NULL;
    str id = STR_NONE;
    enum rc rc = tx_query(tx, &r, e,
                          "SELECT id FROM \"user\" WHERE role = 'admin' AND active = 1 "
                          "ORDER BY created_at, id LIMIT 1");

    if (!rc && rows_next(r))
        id = rows_copy(r, a, 0);
    if (!rc)
        rc = rows_done(r, e);
    if (rc)
        return rc;
    return id.n ? account_find(tx, a, id, ret, NULL, e)
                : err_set(e, RC_NOT_FOUND, "there is no administrator yet");
}

/* ---- sessions */

enum rc session_insert(struct tx *tx, const struct session_row *s, const struct login_from *from,
                       int64_t now, struct err *e)
{
    enum rc rc =
        tx_exec(tx, e,
                "INSERT INTO session (id, user_id, access_hash, access_expires_at, refresh_hash, "
                "refresh_expires_at, created_at, last_used_at, address, user_agent) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                db_s(s->id), db_s(s->user_id), db_s(s->access_hash), db_i(s->access_expires_at),
                db_s(s->refresh_hash), db_i(s->refresh_expires_at), db_i(now), db_i(now),
                db_s(from->address), db_s(str_sub(from->user_agent, 0, 256)));

    if (!rc)
        rc = tx_exec(tx, e, "UPDATE \"user\" SET last_login_at = ? WHERE id = ?", db_i(now),
                     db_s(s->user_id));
    /* Sessions that ended or ran out long ago serve nobody. */
    if (!rc)
        rc = tx_exec(tx, e, "DELETE FROM session WHERE refresh_expires_at < ?",
                     db_i(now - 7 * 86400000LL));
    return rc;
}

static enum rc session_one(struct rows *r, enum rc rc, struct arena *a, struct session_row *ret,
                           struct err *e)
{
    struct session_row s = {0};
    bool found = false;

    if (!rc && rows_next(r)) {
        found = true;
        s.id = rows_copy(r, a, 0);
        s.user_id = rows_copy(r, a, 1);
        s.access_expires_at = rows_int(r, 2);
        s.refresh_expires_at = rows_int(r, 3);
        s.replaced = rows_int(r, 4) != 0;
        if (!s.id.p || !s.user_id.p)
            rc = no_memory(e);
    }
    if (!rc)
        rc = rows_done(r, e);
    else
        (void)!rows_done(r, NULL);
    if (!rc && !found)
        return err_set(e, RC_UNAUTHENTICATED, "the session is unknown or has ended; log in again");
    if (!rc)
        *ret = s;
    return rc;
}

enum rc session_by_access(struct tx *tx, struct arena *a, str hash, struct session_row *ret,
                          struct err *e)
{
    struct rows *r = NULL;
    enum rc rc =
        tx_query(tx, &r, e,
                 "SELECT id, user_id, access_expires_at, refresh_expires_at, 0 FROM session "
                 "WHERE access_hash = ? AND ended_at IS NULL",
                 db_s(hash));

    return session_one(r, rc, a, ret, e);
}

enum rc session_by_refresh(struct tx *tx, struct arena *a, str hash, struct session_row *ret,
                           struct err *e)
{
    struct rows *r = NULL;
    enum rc rc =
        tx_query(tx, &r, e,
                 "SELECT id, user_id, access_expires_at, refresh_expires_at, "
                 "refresh_hash <> ? FROM session "
                 "WHERE (refresh_hash = ? OR refresh_previous_hash = ?) AND ended_at IS NULL",
                 db_s(hash), db_s(hash), db_s(hash));

    return session_one(r, rc, a, ret, e);
}

enum rc session_rotate(struct tx *tx, const struct session_row *s, int64_t now, struct err *e)
{
    return tx_exec(
        tx, e,
        "UPDATE session SET refresh_previous_hash = refresh_hash, access_hash = ?, "
        "access_expires_at = ?, refresh_hash = ?, refresh_expires_at = ?, last_used_at = ? "
        "WHERE id = ?",
        db_s(s->access_hash), db_i(s->access_expires_at), db_s(s->refresh_hash),
        db_i(s->refresh_expires_at), db_i(now), db_s(s->id));
}

enum rc session_end(struct tx *tx, str id, int64_t now, struct err *e)
{
    return tx_exec(tx, e, "UPDATE session SET ended_at = ? WHERE id = ? AND ended_at IS NULL",
                   db_i(now), db_s(id));
}

/* ---- login links */

enum rc link_insert(struct tx *tx, str id, str user_id, str hash, int64_t now, int64_t expires,
                    struct err *e)
{
    enum rc rc = tx_exec(tx, e, "DELETE FROM login_link WHERE expires_at < ?", db_i(now));

    if (!rc)
        rc = tx_exec(tx, e,
                     "INSERT INTO login_link (id, user_id, hash, created_at, expires_at) "
                     "VALUES (?, ?, ?, ?, ?)",
                     db_s(id), db_s(user_id), db_s(hash), db_i(now), db_i(expires));
    return rc;
}

enum rc link_use(struct tx *tx, struct arena *a, str hash, int64_t now, str *ret_user_id,
                 struct err *e)
{
    struct rows *r = NULL;
    str id = STR_NONE;
    enum rc rc = tx_query(tx, &r, e,
                          "SELECT user_id FROM login_link WHERE hash = ? AND used_at IS NULL "
                          "AND expires_at > ?",
                          db_s(hash), db_i(now));

    if (!rc && rows_next(r))
        id = rows_copy(r, a, 0);
    if (!rc)
        rc = rows_done(r, e);
    if (!rc && !id.n)
        return err_set(
            e, RC_UNAUTHENTICATED,
            "this login link was used already or is too old; `anneal user link` makes another");
    if (!rc)
        rc = tx_exec(tx, e, "UPDATE login_link SET used_at = ? WHERE hash = ?", db_i(now),
                     db_s(hash));
    if (!rc)
        *ret_user_id = id;
    return rc;
}

/* ---- API tokens */

enum rc token_insert(struct tx *tx, const struct token_row *t, str hash, struct err *e)
{
    return tx_exec(
        tx, e,
        "INSERT INTO api_token (id, user_id, name, hash, scopes, created_at, expires_at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        db_s(t->t.id), db_s(t->user_id), db_s(t->t.name), db_s(hash), db_s(t->t.scopes),
        db_i(t->t.created_at), t->t.expires_at ? db_i(t->t.expires_at) : db_null());
}

enum rc token_by_hash(struct tx *tx, struct arena *a, str hash, struct token_row *ret,
                      struct err *e)
{
    struct token_row t = {0};
    struct rows *r = NULL;
    enum rc rc =
        tx_query(tx, &r, e,
                 "SELECT id, user_id, scopes, coalesce(expires_at, 0), coalesce(last_used_at, 0) "
                 "FROM api_token WHERE hash = ? AND revoked_at IS NULL",
                 db_s(hash));

    if (!rc && rows_next(r)) {
        t.t.id = rows_copy(r, a, 0);
        t.user_id = rows_copy(r, a, 1);
        t.t.scopes = rows_copy(r, a, 2);
        t.t.expires_at = rows_int(r, 3);
        t.t.last_used_at = rows_int(r, 4);
    }
    if (!rc)
        rc = rows_done(r, e);
    if (!rc && !t.t.id.n)
        return err_set(e, RC_UNAUTHENTICATED, "the API token is unknown or was revoked");
    if (!rc)
        *ret = t;
    return rc;
}

enum rc token_page(struct tx *tx, str user_id, token_each_fn each, void *ud, struct err *e)
{
    struct rows *r = NULL;
    enum rc rc = tx_query(tx, &r, e,
                          "SELECT id, name, scopes, created_at, coalesce(expires_at, 0), "
                          "coalesce(last_used_at, 0) FROM api_token WHERE user_id = ? AND "
                          "revoked_at IS NULL ORDER BY created_at, id LIMIT 1000",
                          db_s(user_id));

    while (!rc && rows_next(r)) {
        struct api_token t = {rows_text(r, 0), rows_text(r, 1), rows_text(r, 2),
                              rows_int(r, 3),  rows_int(r, 4),  rows_int(r, 5)};
        each(ud, &t);
    }
    return rc ? rc : rows_done(r, e);
}

enum rc token_touch(struct tx *tx, str id, int64_t now, struct err *e)
{
    return tx_exec(tx, e, "UPDATE api_token SET last_used_at = ? WHERE id = ?", db_i(now),
                   db_s(id));
}

enum rc token_revoke(struct tx *tx, str user_id, str id, int64_t now, struct err *e)
{
    enum rc rc = tx_exec(tx, e,
                         "UPDATE api_token SET revoked_at = ? WHERE id = ? AND user_id = ? AND "
                         "revoked_at IS NULL",
                         db_i(now), db_s(id), db_s(user_id));

    if (!rc && !tx_changes(tx))
        return err_set(e, RC_NOT_FOUND, "you have no API token '%.*s'", STR_F(id));
    return rc;
}
