/* people_test.c - accounts, log-ins, tokens and projects against a real database. */
#include "flow/people/people.c"

#include "db/testing.h"

static struct db *open_db(void)
{
    CHECK(people_setup() == RC_OK);
    return test_db_open();
}

static const struct login_from from = {{"127.0.0.1", 9}, {"test", 4}, 30, 30};

TEST(first_administrator_is_made_once)
{
    struct db *db = open_db();
    struct account one, two;
    struct arena a;
    struct err e = {0};

    arena_init(&a, 1 << 20);
    CHECK_OK(people_admin(db, &a, &one, &e), &e);
    CHECK_OK(people_admin(db, &a, &two, &e), &e);
    CHECK(str_eq(one.id, two.id));
    CHECK_EQ(one.role, ROLE_ADMIN);
    arena_done(&a);
    db_close(db);
}

TEST(password_login_refuses_wrong_unknown_and_too_many)
{
    struct db *db = open_db();
    struct account who;
    struct session_tokens t;
    struct arena a;
    struct err e = {0};

    arena_init(&a, 1 << 20);
    CHECK_OK(people_create(db, &a, STR("Ann@Example.org"), STR("Ann"), STR("correct horse"),
                           ROLE_ENGINEER, &who, &e),
             &e);
    CHECK(people_create(db, &a, STR("ann@example.org"), STR(""), STR(""), ROLE_VIEWER, &who, &e) ==
          RC_CONFLICT);
    CHECK(people_create(db, &a, STR("no address"), STR(""), STR(""), ROLE_VIEWER, &who, &e) ==
          RC_INVALID);
    CHECK(people_create(db, &a, STR("b@c.d"), STR(""), STR("short"), ROLE_VIEWER, &who, &e) ==
          RC_INVALID);
    CHECK_OK(
        people_login(db, &a, STR("ann@example.org"), STR("correct horse"), &from, &who, &t, &e),
        &e);
    CHECK(people_login(db, &a, STR("ann@example.org"), STR("wrong"), &from, &who, &t, &e) ==
          RC_UNAUTHENTICATED);
    CHECK(people_login(db, &a, STR("nobody@example.org"), STR("wrong"), &from, &who, &t, &e) ==
          RC_UNAUTHENTICATED);
    for (int i = 0; i < LOGIN_FAILURES_MAX; i++)
        throttle_failed(STR("ann@example.org"), os_now_ms());
    CHECK(people_login(db, &a, STR("ann@example.org"), STR("correct horse"), &from, &who, &t, &e) ==
          RC_LIMIT);
    arena_done(&a);
    db_close(db);
}

TEST(login_link_works_once)
{
    struct db *db = open_db();
    struct account admin, who;
    struct session_tokens t;
    struct identity id;
    struct arena a;
    struct err e = {0};
    char link[SECRET_TEXT];

    arena_init(&a, 1 << 20);
    CHECK_OK(people_admin(db, &a, &admin, &e), &e);
    CHECK_OK(people_login_link_new(db, admin.id, link, &e), &e);
    CHECK_OK(people_login_by_link(db, &a, str_of(link), &from, &who, &t, &e), &e);
    CHECK(str_eq(who.id, admin.id));
    CHECK_OK(people_identify(db, &a, str_of(t.access), &id, &e), &e);
    CHECK(id.session_id.n > 0);
    CHECK(people_login_by_link(db, &a, str_of(link), &from, &who, &t, &e) == RC_UNAUTHENTICATED);
    CHECK(people_identify(db, &a, STR("ses_unknown"), &id, &e) == RC_UNAUTHENTICATED);
    arena_done(&a);
    db_close(db);
}

TEST(a_spent_refresh_token_ends_the_session)
{
    struct db *db = open_db();
    struct account admin;
    struct session_tokens first, second, third;
    struct identity id;
    struct arena a;
    struct err e = {0};
    char link[SECRET_TEXT];

    arena_init(&a, 1 << 20);
    CHECK_OK(people_admin(db, &a, &admin, &e), &e);
    CHECK_OK(people_login_link_new(db, admin.id, link, &e), &e);
    CHECK_OK(people_login_by_link(db, &a, str_of(link), &from, &admin, &first, &e), &e);
    CHECK_OK(people_refresh(db, &a, str_of(first.refresh), &from, &admin, &second, &e), &e);
    CHECK(people_identify(db, &a, str_of(first.access), &id, &e) == RC_UNAUTHENTICATED);
    CHECK_OK(people_identify(db, &a, str_of(second.access), &id, &e), &e);
    CHECK(people_refresh(db, &a, str_of(first.refresh), &from, &admin, &third, &e) ==
          RC_UNAUTHENTICATED);
    CHECK(people_identify(db, &a, str_of(second.access), &id, &e) == RC_UNAUTHENTICATED);
    arena_done(&a);
    db_close(db);
}

TEST(api_tokens_have_known_scopes_and_can_be_revoked)
{
    struct db *db = open_db();
    struct account admin;
    struct api_token t;
    struct identity id;
    struct arena a;
    struct err e = {0};
    char secret[SECRET_TEXT];

    arena_init(&a, 1 << 20);
    CHECK_OK(people_admin(db, &a, &admin, &e), &e);
    CHECK(people_token_new(db, &a, admin.id, STR("x"), STR("jobs:fly"), 0, &t, secret, &e) ==
          RC_INVALID);
    CHECK(people_token_new(db, &a, admin.id, STR("x"), STR("*"), 1000, &t, secret, &e) ==
          RC_INVALID);
    CHECK_OK(people_token_new(db, &a, admin.id, STR("x"), STR("jobs:read jobs:write"), 0, &t,
                              secret, &e),
             &e);
    CHECK_OK(people_identify(db, &a, str_of(secret), &id, &e), &e);
    CHECK_STR(id.scopes, "jobs:read jobs:write");
    CHECK(people_token_revoke(db, STR("someone else"), t.id, &e) == RC_NOT_FOUND);
    CHECK_OK(people_token_revoke(db, admin.id, t.id, &e), &e);
    CHECK(people_identify(db, &a, str_of(secret), &id, &e) == RC_UNAUTHENTICATED);
    arena_done(&a);
    db_close(db);
}

TEST(the_last_administrator_stays_and_deactivation_ends_tokens)
{
    struct db *db = open_db();
    struct account admin, other;
    struct people_change off = {.set_active = true, .active = false};
    struct people_change down = {.set_role = true, .role = ROLE_VIEWER};
    struct api_token t;
    struct identity id;
    struct arena a;
    struct err e = {0};
    char secret[SECRET_TEXT];

    arena_init(&a, 1 << 20);
    CHECK_OK(people_admin(db, &a, &admin, &e), &e);
    CHECK(people_update(db, admin.id, &off, &e) == RC_CONFLICT);
    CHECK(people_update(db, admin.id, &down, &e) == RC_CONFLICT);
    CHECK_OK(people_create(db, &a, STR("b@c.d"), STR(""), STR(""), ROLE_ADMIN, &other, &e), &e);
    CHECK_OK(people_token_new(db, &a, admin.id, STR("x"), STR("*"), 0, &t, secret, &e), &e);
    CHECK_OK(people_update(db, admin.id, &off, &e), &e);
    CHECK(people_identify(db, &a, str_of(secret), &id, &e) == RC_UNAUTHENTICATED);
    arena_done(&a);
    db_close(db);
}

TEST(a_project_keeps_an_owner_and_knows_its_members)
{
    struct db *db = open_db();
    struct account admin, bob;
    struct project p;
    enum role role;
    struct arena a;
    struct err e = {0};

    arena_init(&a, 1 << 20);
    CHECK_OK(people_admin(db, &a, &admin, &e), &e);
    CHECK_OK(people_create(db, &a, STR("bob@c.d"), STR(""), STR(""), ROLE_ENGINEER, &bob, &e), &e);
    CHECK_OK(project_new(db, &a, admin.id, STR("Cells"), STR(""), &p, &e), &e);
    CHECK(project_new(db, &a, admin.id, STR("Cells"), STR(""), &p, &e) == RC_CONFLICT);
    CHECK_OK(project_get(db, &a, STR("Cells"), admin.id, &p, &e), &e);
    CHECK_STR(p.my_role, "owner");
    CHECK(project_member_set(db, p.id, admin.email, STR("viewer"), &e) == RC_CONFLICT);
    CHECK_OK(project_role(db, p.id, bob.id, &role, &e), &e);
    CHECK_EQ(role, ROLE_NONE);
    CHECK_OK(project_member_set(db, p.id, bob.email, STR("engineer"), &e), &e);
    CHECK_OK(project_role(db, p.id, bob.id, &role, &e), &e);
    CHECK_EQ(role, ROLE_ENGINEER);
    CHECK(project_member_remove(db, p.id, admin.id, &e) == RC_CONFLICT);
    CHECK_OK(project_member_remove(db, p.id, bob.id, &e), &e);
    CHECK_OK(project_delete(db, p.id, &e), &e);
    arena_done(&a);
    db_close(db);
}
