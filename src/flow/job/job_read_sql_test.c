/* job_read_sql_test.c - lists in every order, paging under inserts, filters, logs. */
#include "flow/job/job_read_sql.c"
#include "flow/job/job_testing.h"

static struct job_query query(int sort, bool desc, int64_t limit)
{
    return (struct job_query){.sort = sort, .desc = desc, .limit = limit};
}

static size_t list(const struct job_query *q, struct job **ret)
{
    size_t n = 0;

    CHECK_OK(job_list(test_jobs, &test_arena, q, ret, &n, &err), &err);
    return n;
}

/* Walks all pages; after each page `between` may change the table. */
static size_t walk(int sort, bool desc, int64_t page, str *ids, void (*between)(void))
{
    struct job_query q = query(sort, desc, page);
    size_t total = 0;

    for (;;) {
        struct job *jobs;
        size_t n = list(&q, &jobs);

        for (size_t i = 0; i < n; i++) {
            for (size_t k = 0; k < total; k++)
                CHECK(!str_eq(ids[k], jobs[i].id)); /* never twice */
            ids[total++] = jobs[i].id;
        }
        if (n < (size_t)page)
            return total;
        q.after_key = str_of(job_sort_key(&test_arena, &jobs[n - 1], sort));
        q.after_id = jobs[n - 1].id;
        if (between)
            between();
    }
}

static void two_more(void)
{
    make_job_of(STR_NONE, 10, false, 1);
    make_job_of(STR_NONE, 90, true, 999999);
}

TEST(every_order_pages_through_all_rows_once)
{
    str ids[64], back[64];

    set_up();
    for (int i = 0; i < 11; i++) {
        char sql[200];
        struct job j = make_job_of(STR_NONE, i % 3, i % 2, 1000 + i / 4); /* equal keys abound */

        snprintf(
            sql, sizeof sql,
            "UPDATE job SET best_epoch = 1, best_value = %d / 3.0, name = 'n%d' WHERE id = '%.*s'"
            " AND %d",
            i / 3, i / 5, STR_F(j.id), i != 4);
        sql_do(sql);
    }
    for (int sort = 0; job_sort_names[sort]; sort++)
        for (int64_t page = 1; page <= 12; page += 3) {
            CHECK_EQ(walk(sort, false, page, ids, NULL), 11);
            CHECK_EQ(walk(sort, true, page, back, NULL), 11);
            for (int i = 0; i < 11; i++)
                CHECK(str_eq(ids[i], back[10 - i]));
        }
    tear_down();
}

TEST(pages_stay_stable_while_rows_are_inserted)
{
    str ids[64];
    struct job first[9];
    size_t n, seen = 0;

    set_up();
    for (int i = 0; i < 9; i++)
        first[i] = make_job_of(STR_NONE, 50, false, 1000 + i);
    n = walk(JOB_BY_CREATED, true, 3, ids, two_more);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < 9; k++)
            seen += str_eq(ids[i], first[k].id);
    CHECK_EQ(seen, 9);
    tear_down();
}

TEST(filters_and_search_find_what_they_say)
{
    struct job *jobs, j;
    struct job_query q = query(JOB_BY_CREATED, false, 50);

    set_up();
    j = make_job(true);
    make_job(false);
    sql_do("UPDATE job SET notes = '100% sure_thing', starred = 1 WHERE status = 'queued'");
    q.status = STR("queued");
    CHECK_EQ(list(&q, &jobs), 1);
    q.status = STR("queued,pending");
    CHECK_EQ(list(&q, &jobs), 2);
    q.status = STR("queue");
    CHECK_EQ(list(&q, &jobs), 0);
    q.status = STR_NONE;
    q.q = STR("SURE_");
    CHECK_EQ(list(&q, &jobs), 1);
    q.q = STR("100%");
    CHECK_EQ(list(&q, &jobs), 1);
    q.q = STR("1%s"); /* no wildcard of the user's */
    CHECK_EQ(list(&q, &jobs), 0);
    q.q = STR("\\");
    CHECK_EQ(list(&q, &jobs), 0);
    q.q = j.id;
    CHECK_EQ(list(&q, &jobs), 1);
    q = query(JOB_BY_CREATED, false, 50);
    q.dataset = STR("flowers");
    CHECK_EQ(list(&q, &jobs), 2);
    q.dataset = STR("v1");
    CHECK_EQ(list(&q, &jobs), 2);
    q.model = STR("tin");
    CHECK_EQ(list(&q, &jobs), 0);
    q = query(JOB_BY_CREATED, false, 50);
    q.starred = true;
    CHECK_EQ(list(&q, &jobs), 1);
    q.after_id = STR("x");
    q.after_key = STR("not a number");
    size_t n;
    CHECK(job_list(test_jobs, &test_arena, &q, &jobs, &n, &err) == RC_INVALID);
    tear_down();
}

TEST(a_list_shows_only_projects_one_belongs_to)
{
    struct job *jobs;
    struct job_query q = query(JOB_BY_CREATED, false, 50);

    set_up();
    sql_do("INSERT INTO \"user\" (id, email, role, created_at, updated_at) VALUES"
           " ('u1','a','engineer',0,0), ('u2','b','engineer',0,0)");
    sql_do("INSERT INTO project (id, name, created_at, updated_at) VALUES ('p1','p',0,0)");
    sql_do("INSERT INTO project_member VALUES ('p1','u1','owner',0)");
    make_job(false); /* of the default project */
    make_job(false);
    sql_do("UPDATE job SET project_id = 'p1' WHERE id = (SELECT max(id) FROM job)");
    CHECK_EQ(list(&q, &jobs), 2);
    q.user_id = STR("u1");
    CHECK_EQ(list(&q, &jobs), 2);
    q.user_id = STR("u2");
    CHECK_EQ(list(&q, &jobs), 1);
    tear_down();
}

static enum rc count_logs(const struct job_log *l, void *ud)
{
    int64_t *v = ud;

    v[0]++;
    v[1] = v[1] * 10 + l->seq;
    return RC_OK;
}

TEST(logs_page_both_ways_and_filter)
{
    struct job j;
    struct log_line lines[5];
    struct log_query q;
    int64_t v[2] = {0, 0};

    set_up();
    j = run_job(make_job(true).id, 10);
    for (int i = 0; i < 5; i++)
        lines[i] = (struct log_line){.level = i % 4, .message = i == 2 ? STR("100% x") : STR("y")};
    report(j.id, 1, (struct report){.kind = REPORT_LOG, .seq = 1, .logs = {lines, 5}}, 11);
    q = (struct log_query){.job_id = j.id, .limit = 2, .after = 4};
    CHECK_OK(job_logs(test_jobs, &q, count_logs, v, &err), &err);
    CHECK(v[0] == 2 && v[1] == 56);
    v[0] = v[1] = 0;
    q = (struct log_query){.job_id = j.id, .limit = 2, .newest_first = true};
    CHECK_OK(job_logs(test_jobs, &q, count_logs, v, &err), &err);
    CHECK(v[0] == 2 && v[1] == 87);
    v[0] = v[1] = 0;
    q = (struct log_query){.job_id = j.id, .limit = 9, .level_min = 2};
    CHECK_OK(job_logs(test_jobs, &q, count_logs, v, &err), &err);
    CHECK(v[0] == 2 && v[1] == 67);
    v[0] = v[1] = 0;
    q = (struct log_query){.job_id = j.id, .limit = 9, .q = STR("0%")};
    CHECK_OK(job_logs(test_jobs, &q, count_logs, v, &err), &err);
    CHECK(v[0] == 1);
    tear_down();
}
