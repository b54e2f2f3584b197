/* project_sql.c - projects and their members. */
#include "flow/people/people_int.h"

#define S struct project
const struct field project_fields[] = {
    F_STR(S, id, .help = "Id of the project."),
    F_STR(S, name, .help = "Name, unique for its maker."),
    F_STR(S, description, .help = "What it is about."),
    F_STR(S, created_by, .flags = FIELD_NULLABLE, .help = "Id of the account that made it."),
    F_STR(S, my_role, .flags = FIELD_NULLABLE,
          .help = "The caller's role in it; null: not a member."),
    F_TIME(S, created_at, .help = "When it was made."),
    FIELD_END};
#undef S
#define S struct member
const struct field member_fields[] = {F_STR(S, user_id, .help = "Id of the account."),
                                      F_STR(S, email, .help = "E-mail address."),
                                      F_STR(S, name, .help = "Name to show."),
                                      F_STR(S, role, .help = "viewer, engineer, manager or owner."),
                                      F_TIME(S, created_at, .help = "Member since."),
                                      FIELD_END};
#undef S
const char *const member_role_names[] = {"viewer", "engineer", "manager", "owner", NULL};

#define PROJECT                                                                                    \
    "p.id, p.name, p.description, coalesce(p.created_by, ''), coalesce(m.role, ''), p.created_at " \
    "FROM project p LEFT JOIN project_member m ON m.project_id = p.id AND m.user_id = ? "

static struct project project_row(struct rows *r)
{
    return (struct project){rows_text(r, 0), rows_text(r, 1), rows_text(r, 2),
                            rows_text(r, 3), rows_text(r, 4), rows_int(r, 5)};
}

static enum rc find(struct tx *tx, struct arena *a, str key, str user_id, struct project *ret,
                    struct err *e)
{
    struct project p = {0};
    struct rows *r = NULL;
    bool found = false;
    enum rc rc = tx_query(
        tx, &r, e, "SELECT " PROJECT "WHERE p.id = ? OR p.name = ? ORDER BY p.id = ? DESC LIMIT 1",
        db_s(user_id), db_s(key), db_s(key), db_s(key));

    if (!rc && rows_next(r)) {
        found = true;
        p = project_row(r);
        p.id = arena_str(a, p.id);
        p.name = arena_str(a, p.name);
        p.description = arena_str(a, p.description);
        p.created_by = arena_str(a, p.created_by);
        p.my_role = arena_str(a, p.my_role);
    }
    if (!rc)
        rc = rows_done(r, e);
    if (!rc && !found)
        return err_set(e, RC_NOT_FOUND, "there is no project '%.*s'",
                       (int)(key.n < 80 ? key.n : 80), key.p);
    if (!rc)
        *ret = p;
    return rc;
}

static enum rc check_name(str name, struct err *e)
{
    return str_trim(name).n && name.n <= 200
               ? RC_OK
               : err_field(e, RC_INVALID, "name", "a project's name has 1 to 200 bytes");
}

static enum rc name_taken(enum rc rc, str name, struct err *e)
{
    return rc == RC_CONFLICT
               ? err_field(e, rc, "name", "you have a project '%.*s' already", STR_F(name))
               : rc;
}

enum rc project_new(struct db *db, struct arena *a, str user_id, str name, str description,
                    struct project *ret, struct err *e)
{
    char id[OS_ID_TEXT];
    int64_t now = os_now_ms();
    struct tx *tx = NULL;
    enum rc rc = check_name(name, e);

    if (!rc)
        rc = db_begin(db, DB_WRITE, &tx, e);
    if (rc)
        return rc;
    os_id(id);
    rc = tx_exec(tx, e,
                 "INSERT INTO project (id, name, description, created_by, created_at, updated_at) "
                 "VALUES (?, ?, ?, ?, ?, ?)",
                 db_c(id), db_s(name), db_s(description), db_s(user_id), db_i(now), db_i(now));
    rc = name_taken(rc, name, e);
    if (!rc)
        rc = tx_exec(tx, e,
                     "INSERT INTO project_member (project_id, user_id, role, created_at) "
                     "VALUES (?, ?, 'owner', ?)",
                     db_c(id), db_s(user_id), db_i(now));
    if (!rc)
        rc = find(tx, a, str_of(id), user_id, ret, e);
    return tx_end(tx, rc, e);
}

enum rc project_get(struct db *db, struct arena *a, str key, str user_id, struct project *ret,
                    struct err *e)
{
    struct tx *tx = NULL;
    enum rc rc = db_begin(db, DB_READ, &tx, e);

    if (!rc)
        rc = find(tx, a, key, user_id, ret, e);
    tx_rollback(tx);
    return rc;
}

enum rc project_list(struct db *db, str user_id, bool all, project_each_fn each, void *ud,
                     struct err *e)
{
    struct tx *tx = NULL;
    struct rows *r = NULL;
    enum rc rc = db_begin(db, DB_READ, &tx, e);

    if (!rc)
        rc = tx_query(tx, &r, e,
                      "SELECT " PROJECT
                      "WHERE m.role IS NOT NULL OR ? ORDER BY p.name, p.id LIMIT 10000",
                      db_s(user_id), db_i(all));
    while (!rc && rows_next(r)) {
        struct project p = project_row(r);
        each(ud, &p);
    }
    if (!rc)
        rc = rows_done(r, e);
    tx_rollback(tx);
    return rc;
}

enum rc project_update(struct db *db, str id, str name, str description, struct err *e)
{
    struct tx *tx = NULL;
    enum rc rc = check_name(name, e);

    if (!rc)
        rc = db_begin(db, DB_WRITE, &tx, e);
    if (rc)
        return rc;
    rc = tx_exec(tx, e, "UPDATE project SET name = ?, description = ?, updated_at = ? WHERE id = ?",
                 db_s(name), db_s(description), db_i(os_now_ms()), db_s(id));
    return tx_end(tx, name_taken(rc, name, e), e);
}

enum rc project_delete(struct db *db, str id, struct err *e)
{
    enum rc rc = db_exec(db, e, "DELETE FROM project WHERE id = ?", db_s(id));

    return rc != RC_CONFLICT
               ? rc
               : err_set(e, rc,
                         "the project still holds datasets or jobs; delete or move them first");
}

enum rc project_members(struct db *db, str id, member_each_fn each, void *ud, struct err *e)
{
    struct tx *tx = NULL;
    struct rows *r = NULL;
    enum rc rc = db_begin(db, DB_READ, &tx, e);

    if (!rc)
        rc = tx_query(tx, &r, e,
                      "SELECT u.id, u.email, u.name, m.role, m.created_at FROM project_member m "
                      "JOIN \"user\" u ON u.id = m.user_id WHERE m.project_id = ? ORDER BY u.email",
                      db_s(id));
    while (!rc && rows_next(r)) {
        struct member m = {rows_text(r, 0), rows_text(r, 1), rows_text(r, 2), rows_text(r, 3),
                           rows_int(r, 4)};
        each(ud, &m);
    }
    if (!rc)
        rc = rows_done(r, e);
    tx_rollback(tx);
    return rc;
}

/* A project keeps an owner: the last one can be neither removed nor given another role. */
static enum rc keeps_owner(struct tx *tx, str id, struct err *e)
{
    bool any;
    enum rc rc =
        tx_any(tx, &any, e, "SELECT 1 FROM project_member WHERE project_id = ? AND role = 'owner'",
               db_s(id));

    return rc || any ? rc
                     : err_set(e, RC_CONFLICT,
                               "the project would have no owner; make another member owner first");
}

enum rc project_member_set(struct db *db, str id, str email, str role, struct err *e)
{
    struct account who = {0};
    struct tx *tx = NULL;
    struct arena a;
    enum rc rc = db_begin(db, DB_WRITE, &tx, e);

    if (rc)
        return rc;
    arena_init(&a, 1 << 16);
    rc = account_find(tx, &a, email, &who, NULL, e);
    if (!rc)
        rc = tx_exec(tx, e,
                     "INSERT INTO project_member (project_id, user_id, role, created_at) "
                     "VALUES (?, ?, ?, ?) ON CONFLICT (project_id, user_id) DO UPDATE SET role = "
                     "excluded.role",
                     db_s(id), db_s(who.id), db_s(role), db_i(os_now_ms()));
    if (!rc)
        rc = keeps_owner(tx, id, e);
    arena_done(&a);
    return tx_end(tx, rc, e);
}

enum rc project_member_remove(struct db *db, str id, str user_id, struct err *e)
{
    struct tx *tx = NULL;
    enum rc rc = db_begin(db, DB_WRITE, &tx, e);

    if (rc)
        return rc;
    rc = tx_exec(tx, e, "DELETE FROM project_member WHERE project_id = ? AND user_id = ?", db_s(id),
                 db_s(user_id));
    if (!rc && !tx_changes(tx))
        rc = err_set(e, RC_NOT_FOUND, "this account is not a member of the project");
    if (!rc)
        rc = keeps_owner(tx, id, e);
    return tx_end(tx, rc, e);
}

enum rc project_role(struct db *db, str id, str user_id, enum role *ret, struct err *e)
{
    struct tx *tx = NULL;
    struct rows *r = NULL;
    enum role role = ROLE_NONE;
    enum rc rc = db_begin(db, DB_READ, &tx, e);

    if (!rc)
        rc = tx_query(tx, &r, e,
                      "SELECT role FROM project_member WHERE project_id = ? AND user_id = ?",
                      db_s(id), db_s(user_id));
    if (!rc && rows_next(r)) {
        str t = rows_text(r, 0);
        role = str_is(t, "viewer")     ? ROLE_VIEWER
               : str_is(t, "engineer") ? ROLE_ENGINEER
                                       : ROLE_MANAGER;
    }
    if (!rc)
        rc = rows_done(r, e);
    tx_rollback(tx);
    if (!rc)
        *ret = role;
    return rc;
}
