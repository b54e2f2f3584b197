/* job_runs_sql_test.c - lines of the comparison: which metric, which order, whose runs. */
#include "flow/job/job_runs_sql.c"
#include "flow/job/job_testing.h"

struct seen {
    size_t n;
    char job[4][32];
    double metric[4][2];
    int64_t best_epoch[4];
    bool paused[4];
    enum rc answer;
};

static enum rc note(const struct run_line *l, void *ud)
{
    struct seen *s = ud;

    if (s->n < 4) {
        snprintf(s->job[s->n], sizeof s->job[0], "%.*s", STR_F(l->job));
        s->metric[s->n][0] = l->metric[0];
        s->metric[s->n][1] = l->metric[1];
        s->best_epoch[s->n] = l->best_epoch;
        s->paused[s->n] = l->paused;
    }
    s->n++;
    return s->answer;
}

TEST(metrics_are_those_of_the_best_epoch_or_of_the_last_so_far)
{
    const str names[] = {STR("loss"), STR("accuracy")};
    const struct job_query q = {.limit = 10};
    struct seen s = {0};
    char sql[300];

    set_up();
    struct job young = make_job_of(STR_NONE, 50, false, 1000);
    struct job done = make_job_of(STR_NONE, 50, false, 2000);
    snprintf(sql, sizeof sql, "UPDATE job SET best_epoch = 2, epoch = 3 WHERE id = '%.*s'",
             STR_F(done.id));
    sql_do(sql);
    sql_do("UPDATE job SET epoch = 1 WHERE best_epoch IS NULL");
    snprintf(sql, sizeof sql,
             "INSERT INTO metric SELECT '%.*s', 'loss', e.value, 0, e.value / 10.0, 0"
             " FROM json_each('[1, 2, 3]') e",
             STR_F(done.id));
    sql_do(sql);
    snprintf(sql, sizeof sql, "INSERT INTO metric VALUES ('%.*s', 'accuracy', 1, 0, 0.5, 0)",
             STR_F(young.id));
    sql_do(sql);
    CHECK_OK(job_runs(test_jobs, &q, names, 2, note, &s, &err), &err);
    CHECK_EQ(s.n, 2u);
    CHECK(str_is(done.id, s.job[0])); /* newest first */
    CHECK(s.metric[0][0] == 0.2 && isnan(s.metric[0][1]));
    CHECK(isnan(s.metric[1][0]) && s.metric[1][1] == 0.5);
    CHECK(s.best_epoch[0] == 2 && s.best_epoch[1] == 0);
    tear_down();
}

TEST(a_stranger_sees_no_run_of_a_project_and_a_failing_reader_ends_the_walk)
{
    struct job_query q = {.limit = 10, .user_id = STR("stranger")};
    struct seen s = {0};

    set_up();
    make_job(false);
    make_job(false);
    sql_do("INSERT INTO project (id, name, created_at, updated_at) VALUES ('p', 'p', 0, 0)");
    sql_do("UPDATE job SET project_id = 'p' WHERE rowid = 1");
    CHECK_OK(job_runs(test_jobs, &q, NULL, 0, note, &s, &err), &err);
    CHECK_EQ(s.n, 1u);
    q.user_id = STR_NONE;
    s = (struct seen){.answer = RC_NOMEM};
    CHECK(job_runs(test_jobs, &q, NULL, 0, note, &s, &err) == RC_NOMEM);
    CHECK_EQ(s.n, 1u);
    tear_down();
}

TEST(a_paused_run_is_told_from_one_that_waits)
{
    const struct job_query q = {.limit = 10};
    struct job j;
    struct seen s = {0};

    set_up();
    make_job_of(STR_NONE, 50, true, 1000);
    struct job paused = make_job_of(STR_NONE, 50, true, 2000);
    CHECK_OK(job_pause(test_jobs, &test_arena, paused.id, false, 3000, &j, &err), &err);
    CHECK_OK(job_runs(test_jobs, &q, NULL, 0, note, &s, &err), &err);
    CHECK_EQ(s.n, 2u);
    CHECK(s.paused[0] && !s.paused[1]);
    tear_down();
}
