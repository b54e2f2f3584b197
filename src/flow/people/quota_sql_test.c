/* quota_sql_test.c - what is counted, and what room is left. */
#include "flow/people/quota_sql.c"

#include "db/testing.h"

/* Ann made two versions of one content and one of another, and a job with a checkpoint. */
static struct db *filled(void)
{
    struct db *db = test_db_open();

    test_db_do(db, "INSERT INTO \"user\" (id, email, role, created_at, updated_at) VALUES"
                   " ('ann', 'ann@x', 'engineer', 0, 0), ('bob', 'bob@x', 'engineer', 0, 0)");
    test_db_do(db, "INSERT INTO dataset (id, name, name_key, created_at, updated_at) VALUES"
                   " ('d1', 'a', 'a', 0, 0), ('d2', 'b', 'b', 0, 0)");
    test_db_do(db, "INSERT INTO dataset_content (id, version, state, task, format, classes, images,"
                   " train, val, test, none, bytes, manifest_bytes, created_at) VALUES"
                   " (1, 'v1', 'ready', 't', 'f', '[]', 1, 1, 0, 0, 0, 1000, 1, 0),"
                   " (2, 'v2', 'ready', 't', 'f', '[]', 1, 1, 0, 0, 0, 200, 1, 0)");
    test_db_do(db, "INSERT INTO dataset_version (dataset_id, number, content_id, import_id, split,"
                   " stats, faults, created_by, created_at) VALUES"
                   " ('d1', 1, 1, 'i', '{}', '{}', 0, 'ann', 0),"
                   " ('d2', 1, 1, 'i', '{}', '{}', 0, 'ann', 0),"
                   " ('d2', 2, 2, 'i', '{}', '{}', 0, 'ann', 0)");
    test_db_do(db,
               "INSERT INTO job (id, kind, name, framework, model, dataset_id, dataset_name,"
               " dataset_version, config, goal, status, attempts_max, priority, position,"
               " created_by, created_at, updated_at) VALUES ('j1', 'train', 'n', 'anneal', 'tiny',"
               " 'd', 'd', 'v', '{}', 'loss', 'running', 1, 50, 1, 'ann', 0, 0)");
    test_db_do(db,
               "INSERT INTO checkpoint VALUES ('j1', 1, 1, 1, 1, 0, 'loss', 0, 'k', 'h', 30, 's',"
               " 'h', 4, 'm', 0, NULL)");
    return db;
}

static void take(void *ud, const struct quota *one)
{
    *(struct quota *)ud = *one; /* its numbers; the texts end with the call */
}

TEST(a_content_counts_once_and_a_deleted_dataset_not_at_all)
{
    struct db *db = filled();
    struct err e = {0};
    struct quota q = {0};

    CHECK_OK(quota_list(db, STR("ann"), take, &q, &e), &e);
    CHECK(q.picture_bytes == 1200 && q.checkpoint_bytes == 34);
    CHECK(q.running == 1 && q.waiting == 0 && q.jobs == 1 && q.datasets == 3);
    CHECK(q.jobs_max == QUOTA_DEFAULT && q.bytes_max == QUOTA_DEFAULT);
    test_db_do(db, "UPDATE dataset SET deleted_at = 1 WHERE id = 'd2'");
    CHECK_OK(quota_list(db, STR("ann"), take, &q, &e), &e);
    CHECK_EQ(q.picture_bytes, 1000); /* d1 still has it */
    db_close(db);
}

TEST(room_is_the_own_limit_or_the_program_s_and_never_negative)
{
    struct db *db = filled();
    struct err e = {0};
    int64_t room = -1;

    CHECK_OK(quota_room(db, STR("ann"), 0, &room, &e), &e);
    CHECK_EQ(room, INT64_MAX);
    CHECK_OK(quota_room(db, STR("ann"), 2000, &room, &e), &e);
    CHECK_EQ(room, 2000 - 1234);
    CHECK_OK(quota_room(db, STR("bob"), 2000, &room, &e), &e);
    CHECK_EQ(room, 2000);
    CHECK_OK(quota_set(db, STR("ann"), QUOTA_DEFAULT, 100, &e), &e);
    CHECK_OK(quota_room(db, STR("ann"), 2000, &room, &e), &e);
    CHECK_EQ(room, 0);
    CHECK_OK(quota_set(db, STR("ann"), 3, 0, &e), &e);
    CHECK_OK(quota_room(db, STR("ann"), 2000, &room, &e), &e);
    CHECK_EQ(room, INT64_MAX);
    CHECK(quota_set(db, STR("nobody"), 1, 1, &e) == RC_NOT_FOUND);
    db_close(db);
}
