/* testing.h - for tests alone: a fresh, migrated database and statements on it. */
#ifndef ANNEAL_DB_TESTING_H
#define ANNEAL_DB_TESTING_H

#include "base/test.h"
#include "db/db.h"

/* In the test's own folder. */
static inline struct db *test_db_open(void)
{
    static char url[512];
    struct err e = {0};
    struct db *db = NULL;

    snprintf(url, sizeof url, "sqlite:%s/test.db", test_dir());
    CHECK_OK(db_open(&db, url, &e), &e);
    CHECK_OK(db_migrate(db, &e), &e);
    return db;
}

static inline void test_db_do(struct db *db, const char *sql)
{
    struct err e = {0};

    CHECK_OK(db_exec(db, &e, sql), &e);
}

/* -1: no row, or NULL. */
static inline int64_t test_db_int(struct db *db, const char *sql)
{
    struct err e = {0};
    int64_t v;

    CHECK_OK(db_int(db, -1, &v, &e, sql), &e);
    return v;
}

#endif
