/* sqlite_test.c - the embedded database at its edges: order of writers, full disk, kill -9, memory.
 */
#include "db/sqlite.c"
#include "db/testing.h"
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *path(void)
{
    static char p[300];

    snprintf(p, sizeof p, "sqlite:%s/t.db", test_dir());
    return p;
}

static struct db *fresh(void)
{
    struct db *db = NULL;
    struct err e = {0};

    CHECK_OK(db_open(&db, path(), &e), &e);
    CHECK_OK(
        db_exec(db, &e, "CREATE TABLE t (k INTEGER PRIMARY KEY, v TEXT UNIQUE, f REAL, b BLOB)"),
        &e);
    return db;
}

TEST(urls_of_another_kind_are_refused_without_repeating_their_password)
{
    struct db *db = NULL;
    struct err e = {0};

    CHECK(db_open(&db, "postgres://u:hunter2@h/db", &e) == RC_UNSUPPORTED);
    CHECK(strstr(e.text, "postgres") && strstr(e.text, "sqlite:") && !strstr(e.text, "hunter2"));
    CHECK(db_open(&db, "", &e) == RC_INVALID);
    CHECK(db_open(&db, "sqlite::memory:", &e) == RC_INVALID);
    CHECK(db_open(&db, "sqlite://host/x.db", &e) == RC_INVALID);
    CHECK(db_open(&db, "sqlite:/nonexistent/dir/x.db", &e) != RC_OK);
    CHECK(strstr(e.text, "/nonexistent/dir/x.db"));
    CHECK(!db);
}

TEST(a_file_that_is_no_database_is_corrupt)
{
    struct db *db = NULL;
    struct err e = {0};
    char p[300];
    char junk[4096];

    memset(junk, 'x', sizeof junk);
    snprintf(p, sizeof p, "%s/junk.db", test_dir());
    CHECK_OK(os_write_file_durable(p, (str){junk, sizeof junk}, 0600, &e), &e);
    CHECK(db_open(&db, p, &e) == RC_CORRUPT);
    CHECK(strstr(e.text, "junk.db"));
}

TEST(every_kind_of_value_comes_back_as_it_went)
{
    struct db *db = fresh();
    struct err e = {0};
    struct tx *tx;
    struct rows *rows;
    struct arena a;

    arena_init(&a, 1 << 16);
    CHECK_OK(db_begin(db, DB_WRITE, &tx, &e), &e);
    CHECK_OK(tx_exec(tx, &e, "INSERT INTO t VALUES (?,?,?,?)", db_i(INT64_MIN), db_s(STR("a'\0b")),
                     db_f(0.1), db_b(STR("\0\xff"))),
             &e);
    CHECK_OK(tx_exec(tx, &e, "INSERT INTO t VALUES (?,?,?,?)", db_i(7), db_null(), db_null(),
                     db_c(NULL)),
             &e);
    CHECK_EQ(tx_changes(tx), 1);
    CHECK_EQ(tx_last_id(tx), 7);
    CHECK_OK(tx_commit(tx, &e), &e);
    CHECK_OK(db_begin(db, DB_READ, &tx, &e), &e);
    CHECK_OK(tx_query(tx, &rows, &e, "SELECT k,v,f,b FROM t ORDER BY k"), &e);
    CHECK(rows_next(rows));
    CHECK(rows_int(rows, 0) == INT64_MIN);
    CHECK(str_eq(rows_copy(rows, &a, 1), STR("a'\0b")));
    CHECK(rows_num(rows, 2) == 0.1);
    CHECK(str_eq(rows_text(rows, 3), STR("\0\xff")));
    CHECK(rows_next(rows));
    for (int i = 1; i < 4; i++)
        CHECK(rows_is_null(rows, i));
    CHECK(rows_text(rows, 1).n == 0);
    CHECK(!rows_next(rows));
    CHECK(!rows_next(rows));
    CHECK_OK(rows_done(rows, &e), &e);
    tx_rollback(tx);
    arena_done(&a);
    db_close(db);
}

TEST(one_integer_and_whether_there_is_a_row)
{
    struct db *db = fresh();
    struct err e = {0};
    int64_t v = 5;
    bool any = true;

    CHECK_OK(db_int(db, -7, &v, &e, "SELECT k FROM t"), &e);
    CHECK_EQ(v, -7); /* no row */
    CHECK_OK(db_int(db, -7, &v, &e, "SELECT max(k) FROM t"), &e);
    CHECK_EQ(v, -7); /* NULL */
    CHECK_OK(db_any(db, &any, &e, "SELECT 1 FROM t"), &e);
    CHECK(!any);
    CHECK_OK(db_exec(db, &e, "INSERT INTO t (k, v) VALUES (?, ?), (4, NULL)", db_i(3), db_c("x")),
             &e);
    CHECK_OK(db_int(db, -7, &v, &e, "SELECT k FROM t ORDER BY k"), &e);
    CHECK_EQ(v, 3); /* the first of two */
    CHECK_OK(db_any(db, &any, &e, "SELECT v FROM t WHERE k = ?", db_i(4)), &e);
    CHECK(any); /* a row of NULL is one */
    v = 5, any = false;
    CHECK(db_int(db, -7, &v, &e, "SELECT nothing FROM t") == RC_INTERNAL);
    CHECK(db_any(db, &any, &e, "SELECT nothing FROM t") == RC_INTERNAL);
    CHECK(db_exec(db, &e, "INSERT INTO t (k) VALUES (3)") == RC_CONFLICT);
    CHECK(v == 5 && !any);                          /* what failed changes nothing */
    CHECK_OK(db_exec(db, &e, "DELETE FROM t"), &e); /* and leaves no transaction open */
    CHECK_EQ(test_db_int(db, "SELECT count(*) FROM t"), 0);
    db_close(db);
}

TEST(an_error_rolls_back_what_the_transaction_did_before)
{
    struct db *db = fresh();
    struct err e = {0};
    struct tx *tx;

    CHECK_OK(db_begin(db, DB_WRITE, &tx, &e), &e);
    CHECK_OK(tx_exec(tx, &e, "INSERT INTO t (k,v) VALUES (1,'x')"), &e);
    CHECK(tx_exec(tx, &e, "INSERT INTO t (k,v) VALUES (2,'x')") == RC_CONFLICT);
    tx_rollback(tx);
    CHECK_EQ(test_db_int(db, "SELECT count(*) FROM t"), 0);
    db_close(db);
}

TEST(broken_constraints_are_conflicts_and_the_connection_lives_on)
{
    struct db *db = fresh();
    struct err e = {0};

    CHECK_OK(db_exec(db, &e, "CREATE TABLE c (t INTEGER REFERENCES t (k), n TEXT NOT NULL)"), &e);
    CHECK(db_exec(db, &e, "INSERT INTO c VALUES (99,'x')") == RC_CONFLICT);
    CHECK(db_exec(db, &e, "INSERT INTO c VALUES (NULL,NULL)") == RC_INTERNAL);
    CHECK(db_exec(db, &e, "INSERT INTO nowhere VALUES (1)") == RC_INTERNAL);
    CHECK(strstr(e.text, "nowhere"));
    CHECK_OK(db_exec(db, &e, "INSERT INTO c VALUES (NULL,'x')"), &e);
    db_close(db);
}

TEST(a_reading_transaction_cannot_write_and_keeps_its_snapshot)
{
    struct db *db = fresh();
    struct err e = {0};
    struct tx *tx;
    struct rows *rows;

    CHECK_OK(db_begin(db, DB_READ, &tx, &e), &e);
    CHECK(tx_exec(tx, &e, "INSERT INTO t (k) VALUES (1)") != RC_OK);
    CHECK_OK(tx_query(tx, &rows, &e, "SELECT count(*) FROM t"), &e);
    CHECK(rows_next(rows) && rows_int(rows, 0) == 0);
    CHECK_OK(rows_done(rows, &e), &e);
    CHECK_OK(db_exec(db, &e, "INSERT INTO t (k) VALUES (1)"), &e);
    CHECK_OK(tx_query(tx, &rows, &e, "SELECT count(*) FROM t"), &e);
    CHECK(rows_next(rows) && rows_int(rows, 0) == 0);
    CHECK_OK(rows_done(rows, &e), &e);
    tx_rollback(tx);
    CHECK_EQ(test_db_int(db, "SELECT count(*) FROM t"), 1);
    db_close(db);
}

TEST(one_statement_may_be_open_twice_and_the_cache_turns_over)
{
    struct db *db = fresh();
    struct err e = {0};
    struct tx *tx;
    struct rows *a, *b;

    CHECK_OK(db_exec(db, &e, "INSERT INTO t (k) VALUES (1),(2)"), &e);
    CHECK_OK(db_begin(db, DB_READ, &tx, &e), &e);
    CHECK_OK(tx_query(tx, &a, &e, "SELECT k FROM t ORDER BY k"), &e);
    CHECK(rows_next(a));
    CHECK_OK(tx_query(tx, &b, &e, "SELECT k FROM t ORDER BY k"), &e);
    CHECK(rows_next(b) && rows_int(b, 0) == 1);
    CHECK(rows_next(a) && rows_int(a, 0) == 2);
    CHECK_OK(rows_done(b, &e), &e);
    CHECK_OK(rows_done(a, &e), &e);
    for (int i = 0; i < 3 * STMTS; i++) {
        char sql[64];

        snprintf(sql, sizeof sql, "SELECT %d", i);
        CHECK_OK(tx_query(tx, &a, &e, sql), &e);
        CHECK(rows_next(a) && rows_int(a, 0) == i);
        CHECK_OK(rows_done(a, &e), &e);
    }
    tx_rollback(tx);
    db_close(db);
}

struct crew {
    struct db *db;
    int rounds;
    atomic_int failed;
};

static void *increment(void *ud)
{
    struct crew *c = ud;
    struct err e;

    for (int i = 0; i < c->rounds; i++)
        if (db_exec(c->db, &e, "UPDATE t SET f = f + 1 WHERE k = 1"))
            atomic_fetch_add(&c->failed, 1);
    return NULL;
}

/* Both halves are written in one transaction: a reader may never see them differ. */
static void *compare(void *ud)
{
    struct crew *c = ud;

    for (int i = 0; i < c->rounds; i++)
        if (test_db_int(c->db, "SELECT (SELECT f FROM t WHERE k=1) >= 0") != 1)
            atomic_fetch_add(&c->failed, 1);
    return NULL;
}

TEST(many_writers_and_readers_lose_nothing)
{
    struct crew c = {fresh(), 20, 0};
    struct err e = {0};
    pthread_t w[6], r[12];

    CHECK_OK(db_exec(c.db, &e, "INSERT INTO t (k,f) VALUES (1,0)"), &e);
    for (size_t i = 0; i < 6; i++)
        pthread_create(&w[i], NULL, increment, &c);
    for (size_t i = 0; i < 12; i++) /* more than READERS_MAX */
        pthread_create(&r[i], NULL, compare, &c);
    for (size_t i = 0; i < 6; i++)
        pthread_join(w[i], NULL);
    for (size_t i = 0; i < 12; i++)
        pthread_join(r[i], NULL);
    CHECK_EQ(atomic_load(&c.failed), 0);
    CHECK_EQ(test_db_int(c.db, "SELECT CAST(f AS INTEGER) FROM t WHERE k=1"), 120);
    CHECK(((struct sqlite_db *)c.db)->readers <= READERS_IDLE);
    db_close(c.db);
}

struct wait_in_line {
    struct sqlite_db *db;
    int number;
    int *order, *order_n; /* guarded by being the writer */
};

static void *take_turn(void *ud)
{
    struct wait_in_line *w = ud;

    if (!writer_take(w->db, NULL)) {
        w->order[(*w->order_n)++] = w->number;
        writer_give(w->db);
    }
    return NULL;
}

static int waiting(struct sqlite_db *d)
{
    int n = 0;

    pthread_mutex_lock(&d->lock);
    for (struct turn *t = d->first; t; t = t->next)
        n++;
    pthread_mutex_unlock(&d->lock);
    return n;
}

TEST(writers_are_served_in_the_order_they_came)
{
    struct db *db = fresh();
    struct sqlite_db *d = (struct sqlite_db *)db;
    struct wait_in_line w[5];
    pthread_t t[5];
    int order[5], n = 0;

    CHECK(!writer_take(d, NULL));
    for (int i = 0; i < 5; i++) {
        w[i] = (struct wait_in_line){d, i, order, &n};
        pthread_create(&t[i], NULL, take_turn, &w[i]);
        while (waiting(d) != i + 1)
            os_sleep_ms(1);
    }
    writer_give(d);
    for (int i = 0; i < 5; i++)
        pthread_join(t[i], NULL);
    CHECK_EQ(n, 5);
    for (int i = 0; i < 5; i++)
        CHECK_EQ(order[i], i);
    db_close(db);
}

TEST(a_lock_held_by_another_program_is_unavailable)
{
    struct db *db = fresh();
    struct sqlite_db *d = (struct sqlite_db *)db;
    struct err e = {0};
    sqlite3 *other = NULL;

    CHECK_EQ(sqlite3_open(d->path, &other), SQLITE_OK);
    CHECK_EQ(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_busy_timeout(d->writer.p, 20);
    CHECK(db_exec(db, &e, "INSERT INTO t (k) VALUES (1)") == RC_UNAVAILABLE);
    CHECK_EQ(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(other);
    CHECK_OK(db_exec(db, &e, "INSERT INTO t (k) VALUES (1)"), &e);
    db_close(db);
}

TEST(a_full_disk_is_said_so_and_leaves_the_database_whole)
{
    struct db *db = fresh();
    struct sqlite_db *d = (struct sqlite_db *)db;
    struct err e = {0};
    struct tx *tx;
    enum rc rc = RC_OK;

    CHECK(!run(&d->writer, "PRAGMA max_page_count = 12", &e));
    CHECK_OK(db_exec(db, &e, "INSERT INTO t (k,v) VALUES (0,'kept')"), &e);
    CHECK_OK(db_begin(db, DB_WRITE, &tx, &e), &e);
    for (int i = 1; !rc && i < 100; i++)
        rc = tx_exec(tx, &e, "INSERT INTO t (k,b) VALUES (?, zeroblob(4000))", db_i(i));
    CHECK_EQ(rc, RC_FULL);
    CHECK(strstr(e.text, "full"));
    CHECK(tx_commit(tx, &e) != RC_OK); /* never half a transaction, even if the caller goes on */
    CHECK_EQ(test_db_int(db, "SELECT count(*) FROM t"), 1);
    CHECK(!run(&d->writer, "PRAGMA max_page_count = 10000", &e));
    CHECK_OK(db_exec(db, &e, "INSERT INTO t (k) VALUES (1)"), &e);
    db_close(db);
}

TEST(what_was_committed_survives_kill_9_and_nothing_else)
{
    for (int round = 0; round < 5; round++) {
        struct err e = {0};
        struct db *db = NULL;
        int pipes[2], status;
        int64_t told = -1, n;
        pid_t pid;

        CHECK_EQ(pipe(pipes), 0);
        pid = fork();
        if (!pid) { /* each number goes down the pipe once its commit has returned */
            if (db_open(&db, path(), &e) ||
                db_exec(db, &e, "CREATE TABLE IF NOT EXISTS n (a INTEGER, b INTEGER)"))
                _exit(1);
            for (int64_t i = 0;; i++) {
                struct tx *tx;

                if (db_begin(db, DB_WRITE, &tx, &e) ||
                    tx_exec(tx, &e, "INSERT INTO n VALUES (?,NULL)", db_i(i)) ||
                    tx_exec(tx, &e, "UPDATE n SET b = a WHERE a = ?", db_i(i)) || tx_commit(tx, &e))
                    _exit(2);
                if (write(pipes[1], &i, sizeof i) != sizeof i)
                    _exit(3);
            }
        }
        close(pipes[1]);
        for (int i = 0; i < 5 + 7 * round; i++)
            CHECK_EQ(read(pipes[0], &told, sizeof told), sizeof told);
        kill(pid, SIGKILL);
        while (read(pipes[0], &n, sizeof n) == sizeof n)
            told = n;
        close(pipes[0]);
        CHECK_EQ(waitpid(pid, &status, 0), pid);
        CHECK(WIFSIGNALED(status));
        CHECK_OK(db_open(&db, path(), &e), &e);
        CHECK(test_db_int(db, "SELECT max(a) FROM n") >= told);
        CHECK_EQ(test_db_int(db, "SELECT count(*) FROM n WHERE b IS NULL"), 0);
        CHECK_OK(db_exec(db, &e, "DELETE FROM n"), &e);
        db_close(db);
    }
}

TEST(an_interrupt_ends_a_running_statement)
{
    struct db *db = fresh();
    struct tx *tx;
    struct rows *rows;
    struct err e = {0};

    db_interrupt(db);
    CHECK_OK(db_begin(db, DB_READ, &tx, &e), &e);
    CHECK_OK(tx_query(tx, &rows, &e,
                      "WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c)"
                      " SELECT max(x) FROM c"),
             &e);
    CHECK(!rows_next(rows));
    CHECK(rows_done(rows, &e) == RC_CANCELLED);
    tx_rollback(tx);
    db_close(db);
}

TEST(each_failing_allocation_is_returned_and_nothing_leaks)
{
    size_t before = mem_live_bytes();

    for (long at = 0;; at++) {
        struct db *db = NULL;
        struct err e = {0};
        enum rc rc;

        mem_fail_at(at);
        rc = db_open(&db, path(), &e);
        if (!rc) {
            rc = db_exec(db, &e, "CREATE TABLE IF NOT EXISTS x (a)");
            struct tx *tx;
            struct rows *rows;

            if (!rc && !(rc = db_begin(db, DB_READ, &tx, &e))) {
                if (!(rc = tx_query(tx, &rows, &e, "SELECT a FROM x"))) {
                    (void)rows_next(rows);
                    rc = rows_done(rows, &e);
                }
                tx_rollback(tx);
            }
            db_close(db);
        }
        if (!mem_fail_disarm()) {
            CHECK_OK(rc, &e);
            break;
        }
        CHECK_EQ(rc, RC_NOMEM);
        CHECK_EQ(mem_live_bytes(), before);
    }
}

TEST(a_part_of_a_text_matches_itself_and_no_pattern)
{
    static const struct {
        const char *part, *text;
        bool found;
    } row[] = {{"b", "abc", true},        {"100%", "is 100% sure", true}, {"100%", "1000", false},
               {"a_c", "abc", false},     {"a_c", "xa_cx", true},         {"\\", "a\\b", true},
               {"\\%", "anything", false}};
    struct arena a;
    struct db *db;
    struct err e = {0};

    arena_init(&a, 1 << 20);
    CHECK_STR(db_like(&a, STR("")), "");
    CHECK_OK(db_open(&db, path(), &e), &e);
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        struct tx *tx;
        struct rows *r;
        CHECK_OK(db_begin(db, DB_READ, &tx, &e), &e);
        CHECK_OK(tx_query(tx, &r, &e, "SELECT ? LIKE ? ESCAPE '\\'", db_c(row[i].text),
                          db_s(db_like(&a, str_of(row[i].part)))),
                 &e);
        CHECK(rows_next(r));
        CHECK_EQ(rows_int(r, 0), row[i].found);
        CHECK_OK(rows_done(r, &e), &e);
        tx_rollback(tx);
    }
    db_close(db);
    arena_done(&a);
}
