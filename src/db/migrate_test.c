/* migrate_test.c - steps applied once, broken, foreign and newer schemas, and the embedded ones. */
#include "base/mem.h"
#include "db/migrate.c"
#include "db/testing.h"

static const struct db_migration two[] = {
    {1, "one", "CREATE TABLE a (x INTEGER); INSERT INTO a VALUES (1);", "DROP TABLE a;"},
    {2, "two", "ALTER TABLE a ADD COLUMN y INTEGER; UPDATE a SET y = 2;", ""},
};
static const struct db_migration broken[] = {
    {1, "one", "CREATE TABLE a (x INTEGER); INSERT INTO a VALUES (1);", "DROP TABLE a;"},
    {2, "bad", "CREATE TABLE b (x INTEGER); INSERT INTO nowhere VALUES (1);", ""},
};
static const struct db_migration other[] = {{1, "uno", "CREATE TABLE z (x INTEGER);", ""}};

static struct db *fresh(void)
{
    char path[300];
    struct db *db = NULL;
    struct err e = {0};

    snprintf(path, sizeof path, "sqlite:%s/m.db", test_dir());
    CHECK_OK(db_open(&db, path, &e), &e);
    return db;
}

TEST(steps_are_applied_once_and_in_order)
{
    struct db *db = fresh();
    struct err e = {0};

    CHECK_OK(migrate(db, two, 1, &e), &e);
    CHECK_OK(migrate(db, two, 2, &e), &e);
    CHECK_OK(migrate(db, two, 2, &e), &e);
    CHECK_EQ(test_db_int(db, "SELECT count(*) FROM a"), 1);
    CHECK_EQ(test_db_int(db, "SELECT y FROM a"), 2);
    CHECK_EQ(test_db_int(db, "SELECT count(*) FROM schema_migration"), 2);
    db_close(db);
}

TEST(a_broken_step_leaves_the_steps_before_it_and_nothing_of_itself)
{
    struct db *db = fresh();
    struct err e = {0};

    CHECK(migrate(db, broken, 2, &e) == RC_INTERNAL);
    CHECK(strstr(e.text, "002_bad"));
    CHECK_EQ(test_db_int(db, "SELECT count(*) FROM schema_migration"), 1);
    CHECK_EQ(test_db_int(db, "SELECT count(*) FROM sqlite_master WHERE name = 'b'"), 0);
    CHECK_OK(migrate(db, two, 2, &e), &e);
    db_close(db);
}

TEST(a_newer_database_and_a_foreign_one_are_refused)
{
    struct db *db = fresh();
    struct err e = {0};

    CHECK_OK(migrate(db, two, 2, &e), &e);
    CHECK(migrate(db, two, 1, &e) == RC_CONFLICT);
    CHECK(strstr(e.text, "newer version"));
    CHECK(migrate(db, other, 1, &e) == RC_CONFLICT);
    CHECK(strstr(e.text, "another program"));
    db_close(db);
}

TEST(the_embedded_steps_build_a_sound_schema)
{
    struct db *db = fresh();
    struct err e = {0};

    CHECK_OK(db_migrate(db, &e), &e);
    CHECK_OK(db_migrate(db, &e), &e);
    CHECK_EQ(test_db_int(db, "SELECT count(*) FROM pragma_foreign_key_check"), 0);
    CHECK_OK(db_ping(db, &e), &e);
    for (size_t i = 0; i < db_migrations_count; i++)
        CHECK_EQ(db_migrations[i].number, i + 1);
    db_close(db);
}

TEST(each_step_can_be_taken_back)
{
    struct db *db = fresh();
    struct err e = {0};
    struct tx *tx;

    CHECK_OK(db_migrate(db, &e), &e);
    CHECK_OK(db_begin(db, DB_WRITE, &tx, &e), &e);
    for (size_t i = db_migrations_count; i-- > 0;)
        CHECK_OK(db->ops->script(tx, db_migrations[i].down, &e), &e);
    CHECK_OK(tx_commit(tx, &e), &e);
    CHECK_EQ(test_db_int(db, "SELECT count(*) FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'"
                             " AND name <> 'schema_migration'"),
             0);
    db_close(db);
}
