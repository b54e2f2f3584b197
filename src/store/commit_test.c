/* commit_test.c - the group commit: order, refusals, poison, many at once. */
#include "store/commit.c"

#include "base/test.h"
#include "store/index.h"
#include <stdatomic.h>
#include <stdio.h>

struct name_op {
    struct commit_op op;
    char name[32];
    bool poison, refuse;
    int applied;
};

static enum rc apply_name(struct commit_op *op, struct tx *tx, struct err *e)
{
    struct name_op *n = (struct name_op *)op;
    enum rc rc;

    n->applied++;
    if (n->refuse) {
        op->refused = true;
        return err_set(e, RC_PRECONDITION, "not granted");
    }
    rc = index_bucket_add(tx, str_of(n->name), STR("root"), ACL_PRIVATE, 1, e);
    if (!rc && n->poison)
        rc = err_set(e, RC_INTERNAL, "after the write");
    return rc;
}

static struct db *open_index(struct err *e)
{
    struct db *db;
    char path[600];
    int64_t generation;

    snprintf(path, sizeof path, "%s/x.db", test_dir());
    CHECK_OK(db_open(&db, path, e), e);
    CHECK_OK(index_setup(db, &generation, e), e);
    CHECK_EQ(generation, 1);
    CHECK_OK(index_setup(db, &generation, e), e);
    CHECK_EQ(generation, 2);
    return db;
}

static bool there(struct db *db, const char *name)
{
    struct tx *tx;
    struct err e;
    struct bucket b;
    enum rc rc;

    CHECK_OK(db_begin(db, DB_READ, &tx, &e), &e);
    rc = index_bucket(tx, str_of(name), &b, &e);
    tx_rollback(tx);
    CHECK(rc == RC_OK || rc == RC_NOT_FOUND);
    return rc == RC_OK;
}

TEST(a_poisoned_change_takes_no_neighbour_with_it)
{
    struct err e = {0};
    struct db *db = open_index(&e);
    struct committer c = {.db = db};
    struct name_op a = {.op.apply = apply_name, .name = "aaa"};
    struct name_op p = {.op.apply = apply_name, .name = "ppp", .poison = true};
    struct name_op r = {.op.apply = apply_name, .name = "rrr", .refuse = true};
    struct name_op z = {.op.apply = apply_name, .name = "zzz"};
    struct commit_op *ops[] = {&a.op, &p.op, &r.op, &z.op};

    CHECK(!run_batch(&c, ops, 4)); /* rolled back whole */
    CHECK(!there(db, "aaa") && !there(db, "zzz"));
    for (int i = 0; i < 4; i++)
        (void)run_batch(&c, &ops[i], 1);
    CHECK_EQ(a.op.rc, RC_OK);
    CHECK_EQ(p.op.rc, RC_INTERNAL);
    CHECK(!p.op.refused && !p.op.unsure);
    CHECK_EQ(r.op.rc, RC_PRECONDITION);
    CHECK(r.op.refused);
    CHECK_EQ(z.op.rc, RC_OK);
    CHECK(there(db, "aaa") && there(db, "zzz") && !there(db, "ppp") && !there(db, "rrr"));
    db_close(db);
}

struct many {
    struct committer *c;
    int id;
    pthread_t thread;
};

static void *submit_many(void *ud)
{
    struct many *m = ud;
    struct err e;

    for (int i = 0; i < 50; i++) {
        struct name_op n = {.op.apply = apply_name, .poison = i == 20, .refuse = i == 30};
        enum rc rc;
        snprintf(n.name, sizeof n.name, "n-%d-%d", m->id, i);
        rc = committer_run(m->c, &n.op, &e);
        CHECK_EQ(rc, i == 20 ? RC_INTERNAL : i == 30 ? RC_PRECONDITION : RC_OK);
        CHECK_EQ(n.op.refused, i == 30);
        if (rc)
            CHECK(e.text[0]);
    }
    return NULL;
}

TEST(many_threads_share_commits_and_each_hears_its_own_result)
{
    struct err e = {0};
    struct db *db = open_index(&e);
    struct committer *c;
    struct many m[8];
    uint64_t commits, ops;
    char name[32];

    CHECK_OK(committer_new(&c, db, NULL, &e), &e);
    for (int i = 0; i < 8; i++) {
        m[i] = (struct many){c, i, 0};
        CHECK(!pthread_create(&m[i].thread, NULL, submit_many, &m[i]));
    }
    for (int i = 0; i < 8; i++)
        pthread_join(m[i].thread, NULL);
    committer_counts(c, &commits, &ops);
    CHECK_EQ(ops, 400);
    CHECK(commits < ops);
    committer_free(c);
    for (int i = 0; i < 8; i++)
        for (int k = 0; k < 50; k++) {
            snprintf(name, sizeof name, "n-%d-%d", i, k);
            CHECK_EQ(there(db, name), k != 20 && k != 30);
        }
    db_close(db);
}
