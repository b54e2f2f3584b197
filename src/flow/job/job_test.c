/* job_test.c - the state machine arrow by arrow, cancel, queue order, attempts and leases. */
#include "flow/job/job.c"
#include "flow/job/job_testing.h"

/* Puts a row into any state without asking the state machine. */
static void force(str id, int status)
{
    char sql[200];

    snprintf(sql, sizeof sql, "UPDATE job SET status = '%s' WHERE id = '%.*s'",
             job_status_names[status], STR_F(id));
    sql_do(sql);
}

TEST(only_the_arrows_of_the_diagram_are_possible)
{
    static const char *const drawn[] = {
        /* to: pending queued running completed failed cancelled */
        "-x---x", /* pending */
        "--xxxx", /* queued */
        "-x-xxx", /* running */
        "------", "------", "------",
    };

    set_up();
    for (int from = 0; from <= JOB_CANCELLED; from++)
        for (int to = 0; to <= JOB_CANCELLED; to++) {
            struct job j = make_job(false);
            struct change c;
            enum rc rc;

            force(j.id, from);
            CHECK_OK(change_begin(&c, test_jobs, &test_arena, j.id, 5, &err), &err);
            rc = job_move(&c, to, &(struct cause){.code = "", .text = "x"}, &err);
            rc = change_end(&c, rc, &err);
            if (rc != (drawn[from][to] == 'x' ? RC_OK : RC_CONFLICT))
                test_fail(__FILE__, __LINE__, "%s -> %s: %s", job_status_names[from],
                          job_status_names[to], rc_name(rc));
            CHECK_EQ(get(j.id).status, rc ? from : to);
            /* a refused move leaves no event */
            CHECK_EQ(get(j.id).event_seq, rc ? 1 : 2);
        }
    tear_down();
}

TEST(a_move_and_its_event_are_one_transaction)
{
    struct job j;

    set_up();
    j = make_job(false);
    sql_do("CREATE TRIGGER t BEFORE INSERT ON job_event BEGIN SELECT RAISE(ABORT, 'no'); END");
    CHECK(job_start(test_jobs, &test_arena, j.id, 2000, &j, &err) != RC_OK);
    CHECK_EQ(get(j.id).status, JOB_PENDING);
    sql_do("DROP TRIGGER t");
    CHECK_OK(job_start(test_jobs, &test_arena, j.id, 2000, &j, &err), &err);
    CHECK_EQ(get(j.id).status, JOB_QUEUED);
    CHECK_EQ(get(j.id).queued_at, 2000);
    CHECK_EQ(sql_int("SELECT count(*) FROM job_event"), 2);
    tear_down();
}

TEST(a_name_is_made_and_unknown_jobs_are_not_found)
{
    struct job j;

    set_up();
    CHECK_STR(make_job(false).name, "tiny on flowers");
    CHECK(job_get(test_jobs, &test_arena, STR("nope"), &j, &err) == RC_NOT_FOUND);
    CHECK(job_cancel(test_jobs, &test_arena, STR("nope"), 1, &j, &err) == RC_NOT_FOUND);
    tear_down();
}

TEST(cancel_is_at_once_can_be_repeated_and_is_final)
{
    struct job j, p;
    struct job_due *due;
    size_t n;

    set_up();
    j = make_job(true);
    j = run_job(j.id, 2000);
    CHECK_EQ(j.status, JOB_RUNNING);
    CHECK_OK(job_cancel(test_jobs, &test_arena, j.id, 3000, &j, &err), &err);
    CHECK_OK(job_cancel(test_jobs, &test_arena, j.id, 3001, &j, &err), &err);
    CHECK_EQ(j.status, JOB_CANCELLED);
    CHECK_EQ(j.ended_at, 3000);
    CHECK_EQ(ended_count, 1);
    /* the trainer has to be told until it says so */
    CHECK_OK(jobs_stopping(test_jobs, &test_arena, &due, &n, &err), &err);
    CHECK_EQ(n, 1);
    CHECK_OK(job_attempt_stopped(test_jobs, j.id, 1, &err), &err);
    CHECK_OK(jobs_stopping(test_jobs, &test_arena, &due, &n, &err), &err);
    CHECK_EQ(n, 0);
    CHECK(job_start(test_jobs, &test_arena, j.id, 4000, &j, &err) == RC_CONFLICT);
    CHECK_OK(job_attempt_accepted(test_jobs, j.id, 1, 4000, &err), &err);
    CHECK_OK(job_attempt_lost(test_jobs, j.id, 1, "x", 4000, &err), &err);
    CHECK_EQ(get(j.id).status, JOB_CANCELLED);

    p = make_job(false);
    CHECK_OK(job_cancel(test_jobs, &test_arena, p.id, 3000, &p, &err), &err);
    CHECK_EQ(p.status, JOB_CANCELLED);
    force(p.id, JOB_COMPLETED);
    CHECK(job_cancel(test_jobs, &test_arena, p.id, 3000, &p, &err) == RC_CONFLICT);
    CHECK(strstr(err.text, "completed"));
    tear_down();
}

static void check_queue(const struct job *const *want, size_t want_n, int64_t now)
{
    struct job_due *due;
    size_t n;

    CHECK_OK(jobs_queued(test_jobs, &test_arena, now, 100, &due, &n, &err), &err);
    CHECK_EQ(n, want_n);
    for (size_t i = 0; i < n; i++)
        CHECK(str_eq(due[i].job_id, want[i]->id));
}

TEST(the_queue_is_by_priority_then_place_and_places_can_be_changed)
{
    struct job a, b, c, d;
    struct job_edit ed = {0};
    int64_t high = 90;

    set_up();
    a = make_job(true);
    b = make_job(true);
    c = make_job(true);
    d = make_job(false); /* pending: not in it */
    check_queue((const struct job *[]){&a, &b, &c}, 3, 5000);
    ed.priority = &high;
    CHECK_OK(job_change(test_jobs, &test_arena, c.id, &ed, 2, &c, &err), &err);
    check_queue((const struct job *[]){&c, &a, &b}, 3, 5000);
    ed = (struct job_edit){.before = &a.id};
    CHECK_OK(job_change(test_jobs, &test_arena, b.id, &ed, 2, &b, &err), &err);
    check_queue((const struct job *[]){&c, &b, &a}, 3, 5000);
    ed.before = &d.id; /* may stand before a pending one */
    CHECK_OK(job_change(test_jobs, &test_arena, b.id, &ed, 2, &b, &err), &err);
    check_queue((const struct job *[]){&c, &a, &b}, 3, 5000);
    ed.before = &(str){0};
    CHECK_OK(job_change(test_jobs, &test_arena, a.id, &ed, 2, &a, &err), &err);
    check_queue((const struct job *[]){&c, &b, &a}, 3, 5000);
    /* halving the gap again and again must not run out of numbers */
    for (int i = 0; i < 60; i++) {
        struct job *mover = i % 2 ? &a : &b, *other = i % 2 ? &b : &a;

        ed.before = &other->id;
        CHECK_OK(job_change(test_jobs, &test_arena, mover->id, &ed, 2, mover, &err), &err);
        check_queue((const struct job *[]){&c, mover, other}, 3, 5000);
    }
    run_job(c.id, 5000);
    ed.before = &c.id;
    CHECK(job_change(test_jobs, &test_arena, a.id, &ed, 2, &a, &err) == RC_CONFLICT);
    ed.before = &a.id;
    CHECK(job_change(test_jobs, &test_arena, c.id, &ed, 2, &c, &err) == RC_CONFLICT);
    tear_down();
}

TEST(a_new_name_is_told_to_those_who_look_on_until_the_job_has_ended)
{
    struct job j;
    struct job_edit ed = {.name = &(str){"renamed", 7}};
    int64_t before;

    set_up();
    j = make_job(true);
    before = j.event_seq;
    CHECK_OK(job_change(test_jobs, &test_arena, j.id, &ed, 2, &j, &err), &err);
    CHECK_STR(get(j.id).name, "renamed");
    CHECK_EQ(get(j.id).event_seq, before + 1);
    CHECK_OK(job_cancel(test_jobs, &test_arena, j.id, 3, &j, &err), &err);
    before = get(j.id).event_seq;
    CHECK_OK(job_change(test_jobs, &test_arena, j.id, &ed, 4, &j, &err), &err);
    CHECK_EQ(get(j.id).event_seq, before); /* its feed has said its end */
    tear_down();
}

TEST(an_order_that_no_trainer_took_burns_no_attempt)
{
    struct job j, k;
    char token[JOB_TOKEN_TEXT];

    set_up();
    j = make_job(true);
    for (int i = 0; i < 10; i++) {
        CHECK_OK(job_attempt_begin(test_jobs, &test_arena, j.id, STR("t"), STR("u"), 1000, &k,
                                   token, &err),
                 &err);
        CHECK_EQ(k.attempt, 1);
        /* not handed out twice while it is on its way */
        check_queue(NULL, 0, 9000);
        CHECK(job_attempt_begin(test_jobs, &test_arena, j.id, STR("t"), STR("u"), 1000, &k, token,
                                &err) == RC_CONFLICT);
        CHECK_OK(job_attempt_unsent(test_jobs, j.id, 1, false, "waiting for trainer t: refused",
                                    5000, 1000, &err),
                 &err);
    }
    check_queue(NULL, 0, 4999); /* not before */
    check_queue((const struct job *[]){&j}, 1, 5000);
    k = get(j.id);
    CHECK_EQ(k.status, JOB_QUEUED);
    CHECK_EQ(k.failures, 0);
    CHECK_STR(k.waiting_reason, "waiting for trainer t: refused");
    CHECK_EQ(k.event_seq, 3); /* said once, not ten times */
    /* maybe taken: the number is used up, the trainer is told to stop, still no attempt burned */
    CHECK_OK(
        job_attempt_begin(test_jobs, &test_arena, j.id, STR("t"), STR("u"), 1, &k, token, &err),
        &err);
    CHECK_OK(job_attempt_unsent(test_jobs, j.id, 1, true, "no answer", 0, 1000, &err), &err);
    CHECK_EQ(get(j.id).attempt, 1);
    CHECK_EQ(get(j.id).failures, 0);
    CHECK_EQ(sql_int("SELECT stop FROM job_attempt"), 1);
    CHECK_EQ(run_job(j.id, 6000).attempt, 2);
    CHECK_STR(get(j.id).waiting_reason, "");
    tear_down();
}

TEST(a_trainers_refusal_ends_the_job_with_its_text)
{
    struct job j;
    char token[JOB_TOKEN_TEXT];

    set_up();
    j = make_job(true);
    CHECK_OK(
        job_attempt_begin(test_jobs, &test_arena, j.id, STR("t"), STR("u"), 1, &j, token, &err),
        &err);
    CHECK_OK(job_attempt_refused(test_jobs, j.id, 1, "trainer_refused", "unknown model", 2, &err),
             &err);
    j = get(j.id);
    CHECK_EQ(j.status, JOB_FAILED);
    CHECK_STR(j.error, "unknown model");
    CHECK_STR(j.error_code, "trainer_refused");
    CHECK_EQ(ended_count, 1);
    tear_down();
}

TEST(a_lease_that_runs_out_is_the_next_attempt_and_at_last_a_failure)
{
    struct job j;

    set_up();
    j = make_job(true);
    for (int i = 1; i <= 3; i++) {
        int64_t now = 100000 * i;

        CHECK_EQ(run_job(j.id, now).attempt, i);
        CHECK_OK(jobs_sweep_leases(test_jobs, now + 30000, &err), &err);
        CHECK_EQ(get(j.id).status, JOB_RUNNING); /* not a millisecond too early */
        CHECK_OK(job_attempt_renew(test_jobs, j.id, i, now + 10000, &err), &err);
        CHECK_OK(jobs_sweep_leases(test_jobs, now + 30001, &err), &err);
        CHECK_EQ(get(j.id).status, JOB_RUNNING); /* renewed */
        CHECK_OK(jobs_sweep_leases(test_jobs, now + 40001, &err), &err);
        CHECK_EQ(get(j.id).status, i < 3 ? JOB_QUEUED : JOB_FAILED);
        if (i < 3) /* 1 s, then 2 s */
            CHECK_EQ(get(j.id).not_before, now + 40001 + 1000 * i);
    }
    j = get(j.id);
    CHECK_STR(j.error_code, "attempt_lost");
    CHECK(str_find(j.error, STR("attempt 3 of 3")) > 0);
    CHECK_EQ(ended_count, 1);
    CHECK_EQ(sql_int("SELECT count(*) FROM job_attempt WHERE status = 'lost' AND stop = 1"), 3);
    tear_down();
}

TEST(tokens_are_stored_as_digests_and_lead_to_their_attempt)
{
    struct job j;
    char token[JOB_TOKEN_TEXT];
    str job;
    int64_t attempt;

    set_up();
    j = make_job(true);
    CHECK_OK(
        job_attempt_begin(test_jobs, &test_arena, j.id, STR("t"), STR("u"), 1, &j, token, &err),
        &err);
    CHECK_EQ(strlen(token), JOB_TOKEN_TEXT - 1);
    CHECK_OK(job_token_find(test_jobs, &test_arena, str_of(token), &job, &attempt, &err), &err);
    CHECK(str_eq(job, j.id) && attempt == 1);
    CHECK_OK(job_attempt_is_current(test_jobs, j.id, 1, &err), &err);
    CHECK_EQ(sql_int("SELECT count(*) FROM job_attempt WHERE token_hash LIKE 'job%'"), 0);
    token[10] ^= 1;
    CHECK(job_token_find(test_jobs, &test_arena, str_of(token), &job, &attempt, &err) ==
          RC_UNAUTHENTICATED);
    CHECK(job_token_find(test_jobs, &test_arena, STR("job_"), &job, &attempt, &err) ==
          RC_UNAUTHENTICATED);
    CHECK_OK(job_attempt_lost(test_jobs, j.id, 1, "x", 5, &err), &err);
    CHECK(job_attempt_is_current(test_jobs, j.id, 1, &err) == RC_FORBIDDEN);
    tear_down();
}
