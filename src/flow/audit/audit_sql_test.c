/* audit_sql_test.c - rows of the audit log: order, filters, pages, limits of length, age. */
#include "flow/audit/audit_sql.c"

#include "db/testing.h"

static void add(struct db *db, int64_t at, const char *actor, const char *action, int64_t status)
{
    const struct audit_entry one = {.at = at,
                                    .actor_id = str_of(actor),
                                    .actor = str_of(actor),
                                    .credential = *actor ? AUDIT_TOKEN : AUDIT_NONE,
                                    .action = str_of(action),
                                    .object = STR("/jobs/7"),
                                    .status = status,
                                    .address = STR("127.0.0.1")};
    struct err e = {0};

    CHECK_OK(audit_add(db, &one, 1000, &e), &e);
}

struct seen {
    size_t n;
    int64_t at[8], last;
    size_t object;
    int credential;
};

static void note(void *ud, const struct audit_entry *one)
{
    struct seen *s = ud;

    if (s->n < 8)
        s->at[s->n] = one->at;
    s->n++;
    s->last = one->id;
    s->object = one->object.n;
    s->credential = one->credential;
}

static struct seen list(struct db *db, struct audit_query q)
{
    struct seen s = {0};
    struct err e = {0};

    q.actor = q.actor.p ? q.actor : STR("");
    q.q = q.q.p ? q.q : STR("");
    q.limit = q.limit ? q.limit : 100;
    CHECK_OK(audit_list(db, &q, note, &s, &e), &e);
    return s;
}

TEST(the_newest_row_comes_first_and_pages_go_on)
{
    struct db *db = test_db_open();
    struct seen s;

    for (int i = 1; i <= 5; i++)
        add(db, i, "ann", "DELETE /x", 200);
    s = list(db, (struct audit_query){.limit = 2});
    CHECK(s.n == 2 && s.at[0] == 5 && s.at[1] == 4);
    CHECK_EQ(s.credential, AUDIT_TOKEN);
    s = list(db, (struct audit_query){.before = s.last});
    CHECK(s.n == 3 && s.at[0] == 3 && s.at[2] == 1);
    db_close(db);
}

TEST(filters_mean_what_they_say)
{
    struct db *db = test_db_open();

    add(db, 1, "ann", "DELETE /x_y", 200);
    add(db, 2, "bob", "POST /x", 403);
    add(db, 3, "", "POST /auth/login", 401);
    CHECK_EQ(list(db, (struct audit_query){.actor = STR("ANN")}).n, 1u);
    CHECK_EQ(list(db, (struct audit_query){.q = STR("x_")}).n, 1u); /* not LIKE's any character */
    CHECK_EQ(list(db, (struct audit_query){.q = STR("%")}).n, 0u);
    CHECK_EQ(list(db, (struct audit_query){.refused = true}).n, 2u);
    CHECK_EQ(list(db, (struct audit_query){.since = 2}).n, 2u);
    db_close(db);
}

TEST(long_texts_are_cut_at_a_character)
{
    struct db *db = test_db_open();
    char path[AUDIT_OBJECT_MAX + 40];
    struct audit_entry one = {.status = 200, .action = STR("PUT /x")};
    struct err e = {0};
    struct seen s;

    memset(path, 'a', sizeof path);
    memcpy(path + AUDIT_OBJECT_MAX - 1, "\xea\xb0\x80", 3);
    one.object = (str){path, sizeof path};
    CHECK_OK(audit_add(db, &one, 1000, &e), &e);
    s = list(db, (struct audit_query){.limit = 1});
    CHECK_EQ(s.object, (size_t)AUDIT_OBJECT_MAX - 1);
    CHECK_EQ(s.credential, AUDIT_NONE);
    db_close(db);
}

TEST(old_rows_go_and_young_ones_stay)
{
    struct db *db = test_db_open();
    struct seen s;

    for (int i = 1; i <= AUDIT_TRIM_EVERY; i++)
        add(db, i < 10 ? 1 : 5000, "ann", "PUT /x", 200); /* add keeps 1000 ms */
    s = list(db, (struct audit_query){.limit = 10000});
    CHECK_EQ(s.n, (size_t)AUDIT_TRIM_EVERY - 9);
    db_close(db);
}
