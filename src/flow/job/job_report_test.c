/* job_report_test.c - reports doubled, delayed, reordered, stale, foreign and after the end. */
#include "flow/job/job_report.c"
#include "flow/job/job_testing.h"

#define R(k, s, ...) ((struct report){.kind = (k), .seq = (s), .best.value = NAN, __VA_ARGS__})
#define EPOCH(s, n, acc)                                                                           \
    R(REPORT_EPOCH, s, .epoch = n, .epochs = 3, .progress = n / 3.0,                               \
      .metrics = STR("{\"train/loss\":0.5,\"val/accuracy\":" acc "}"))

/* Everything that a refused report must not touch, as one number. */
static int64_t fingerprint(void)
{
    return sql_int(
        "SELECT sum(event_seq * 1000 + attempt * 100 + epoch * 10 + (status = 'running'))"
        " + (SELECT coalesce(sum(last_seq), 0) FROM job_attempt) * 7"
        " + (SELECT count(*) FROM metric) * 11 + (SELECT count(*) FROM job_log) * 13"
        " + (SELECT count(*) FROM checkpoint) * 17 FROM job");
}

static struct job running(void)
{
    return run_job(make_job(true).id, 10000);
}

TEST(a_run_from_start_to_completion)
{
    struct job j;
    struct report_reply y;

    set_up();
    j = running();
    y = report(j.id, 1,
               R(REPORT_STARTED, 1, .epochs = 3, .message = STR("onednn, 2 threads"),
                 .engine = {STR("1.0"), STR("onednn"), STR("avx2"), STR("2.6.3"), STR("float32")}),
               11000);
    CHECK(y.applied && !y.cancel && y.expected_seq == 2 && y.job_status == JOB_RUNNING);
    CHECK_STR(get(j.id).message, "onednn, 2 threads");
    report(j.id, 1, EPOCH(2, 1, "0.5"), 12000);
    report(j.id, 1, EPOCH(3, 2, "0.75"), 13000);
    report(j.id, 1, EPOCH(4, 3, "0.7"), 14000);
    y = report(j.id, 1, R(REPORT_COMPLETED, 5, .weights_sha256 = STR("abc")), 15000);
    CHECK(y.applied && !y.cancel && y.job_status == JOB_COMPLETED);
    j = get(j.id);
    CHECK_EQ(j.status, JOB_COMPLETED);
    CHECK_EQ(j.best_epoch, 2);
    CHECK(j.best_value == 0.75);
    CHECK_STR(j.best_metric, "accuracy");
    CHECK_STR(j.weights_sha256, "abc");
    CHECK_STR(j.engine, "{\"version\":\"1.0\",\"backend\":\"onednn\",\"isa\":\"avx2\","
                        "\"onednn\":\"2.6.3\",\"precision\":\"float32\"}");
    CHECK(j.progress == 1);
    CHECK_EQ(j.ended_at, 15000);
    CHECK_EQ(sql_int("SELECT count(*) FROM metric"), 6);
    CHECK_EQ(ended_count, 1);
    tear_down();
}

TEST(doubled_reports_change_nothing)
{
    struct job j;
    int64_t before;

    set_up();
    j = running();
    report(j.id, 1, R(REPORT_STARTED, 1), 11000);
    report(j.id, 1, EPOCH(2, 1, "0.5"), 12000);
    before = fingerprint();
    for (int i = 0; i < 5; i++)
        for (int seq = 1; seq <= 2; seq++) {
            struct report_reply y = report(j.id, 1, EPOCH(seq, 2, "0.9"), 12001);

            CHECK(!y.applied && !y.cancel);
            CHECK_STR(y.reason, "duplicate");
            CHECK_EQ(y.expected_seq, 3);
        }
    CHECK_EQ(fingerprint(), before);
    /* the last report, repeated because its answer was lost */
    report(j.id, 1, R(REPORT_COMPLETED, 3), 13000);
    CHECK_STR(report(j.id, 1, R(REPORT_COMPLETED, 3), 13001).reason, "duplicate");
    CHECK_EQ(ended_count, 1);
    tear_down();
}

TEST(reordered_reports_wait_for_their_turn)
{
    struct job j;
    struct report_reply y;
    int64_t before;

    set_up();
    j = running();
    before = fingerprint();
    y = report(j.id, 1, EPOCH(3, 2, "0.9"), 12000);
    CHECK(!y.applied && !y.cancel);
    CHECK_STR(y.reason, "gap");
    CHECK_EQ(y.expected_seq, 1);
    CHECK_EQ(fingerprint(), before);
    report(j.id, 1, R(REPORT_STARTED, 1), 12000);
    report(j.id, 1, EPOCH(2, 1, "0.5"), 12000);
    CHECK(report(j.id, 1, EPOCH(3, 2, "0.9"), 12000).applied);
    CHECK_EQ(get(j.id).best_epoch, 2);
    tear_down();
}

TEST(an_older_attempt_is_told_to_stop_and_changes_nothing)
{
    struct job j;
    struct report_reply y;
    int64_t before;

    set_up();
    j = running();
    report(j.id, 1, R(REPORT_STARTED, 1), 11000);
    CHECK_OK(job_attempt_lost(test_jobs, j.id, 1, "gone", 20000, &err), &err);
    before = fingerprint();
    y = report(j.id, 1, EPOCH(2, 1, "0.5"), 20001); /* lost, the next not yet begun */
    CHECK(!y.applied && y.cancel);
    CHECK_STR(y.reason, "stale_attempt");
    CHECK_EQ(fingerprint(), before);
    run_job(j.id, 30000);
    report(j.id, 2, R(REPORT_STARTED, 1), 30001);
    before = fingerprint();
    y = report(j.id, 1, R(REPORT_COMPLETED, 2), 30002);
    CHECK(!y.applied && y.cancel);
    CHECK_STR(y.reason, "stale_attempt");
    CHECK_EQ(fingerprint(), before);
    CHECK_EQ(get(j.id).status, JOB_RUNNING);
    tear_down();
}

TEST(after_the_end_nothing_comes_back_to_life)
{
    struct job j;
    struct report_reply y;
    int64_t before;

    set_up();
    j = running();
    report(j.id, 1, R(REPORT_STARTED, 1), 11000);
    CHECK_OK(job_cancel(test_jobs, &test_arena, j.id, 12000, &j, &err), &err);
    before = fingerprint();
    for (int kind = REPORT_STARTED; kind <= REPORT_CANCELLED; kind++) {
        y = report(j.id, 1, R(kind, 2, .retryable = true), 12001);
        CHECK(!y.applied && y.cancel);
        CHECK_STR(y.reason, "terminal");
    }
    CHECK_EQ(fingerprint(), before);
    CHECK_EQ(get(j.id).status, JOB_CANCELLED);
    CHECK_EQ(get(j.id).ended_at, 12000);
    tear_down();
}

TEST(a_report_that_names_another_attempt_than_its_token_is_forbidden)
{
    struct job j;
    struct report r = R(REPORT_STARTED, 1, .attempt = 2);
    struct report_reply y;
    int64_t before;

    set_up();
    j = running();
    before = fingerprint();
    CHECK(job_apply_report(test_jobs, &test_arena, j.id, 1, &r, 1, &y, &err) == RC_FORBIDDEN);
    r.attempt = 1;
    r.seq = 0;
    CHECK(job_apply_report(test_jobs, &test_arena, j.id, 1, &r, 1, &y, &err) == RC_INVALID);
    CHECK(job_apply_report(test_jobs, &test_arena, STR("other"), 1, &r, 1, &y, &err) ==
          RC_NOT_FOUND);
    CHECK_EQ(fingerprint(), before);
    tear_down();
}

TEST(a_report_may_overtake_the_answer_to_the_start_order)
{
    struct job j;
    char token[JOB_TOKEN_TEXT];

    set_up();
    j = make_job(true);
    CHECK_OK(
        job_attempt_begin(test_jobs, &test_arena, j.id, STR("t"), STR("u"), 1, &j, token, &err),
        &err);
    CHECK(report(j.id, 1, R(REPORT_STARTED, 1), 2).applied);
    CHECK_EQ(get(j.id).status, JOB_RUNNING);
    CHECK_OK(job_attempt_unsent(test_jobs, j.id, 1, true, "no answer", 0, 3, &err), &err);
    CHECK_EQ(get(j.id).status, JOB_RUNNING);
    CHECK_OK(job_attempt_accepted(test_jobs, j.id, 1, 4, &err), &err);
    CHECK_EQ(get(j.id).event_seq, 4); /* pending, queued, running, started; nothing twice */
    tear_down();
}

TEST(a_retryable_failure_is_the_next_attempt_and_the_rest_is_final)
{
    struct job j;

    set_up();
    j = running();
    report(j.id, 1,
           R(REPORT_FAILED, 1, .retryable = true, .error_code = STR("worker_lost"),
             .error = STR("killed by signal 9")),
           11000);
    CHECK_EQ(get(j.id).status, JOB_QUEUED);
    CHECK_STR(get(j.id).waiting_reason, "killed by signal 9");
    run_job(j.id, 20000);
    report(j.id, 2, R(REPORT_CANCELLED, 1), 21000); /* nobody asked: the trainer shut down */
    CHECK_EQ(get(j.id).status, JOB_QUEUED);
    run_job(j.id, 30000);
    report(j.id, 3, R(REPORT_FAILED, 1, .error_code = STR("bad_data"), .error = STR("no classes")),
           31000);
    j = get(j.id);
    CHECK_EQ(j.status, JOB_FAILED);
    CHECK_STR(j.error_code, "bad_data");
    CHECK_STR(j.error, "no classes");
    tear_down();
}

TEST(an_epoch_that_is_run_again_replaces_its_metrics)
{
    struct job j;

    set_up();
    j = running();
    report(j.id, 1, EPOCH(1, 1, "0.5"), 11000);
    report(j.id, 1, EPOCH(2, 2, "0.6"), 12000);
    CHECK_OK(job_attempt_lost(test_jobs, j.id, 1, "gone", 13000, &err), &err);
    run_job(j.id, 20000);
    report(j.id, 2, EPOCH(1, 1, "0.5"), 21000);
    report(j.id, 2, EPOCH(2, 2, "0.6"), 22000);
    CHECK_EQ(sql_int("SELECT count(*) FROM metric"), 4);
    CHECK_EQ(sql_int("SELECT count(*) FROM metric WHERE at >= 21000"), 4);
    tear_down();
}

TEST(best_follows_the_goal_and_nan_is_never_best)
{
    struct job j;

    set_up();
    j = running();
    sql_do("UPDATE job SET goal = 'loss'");
    report(j.id, 1, R(REPORT_EPOCH, 1, .epoch = 1, .metrics = STR("{\"val/loss\":null}")), 1);
    CHECK_EQ(get(j.id).best_epoch, 0);
    report(j.id, 1, R(REPORT_EPOCH, 2, .epoch = 2, .metrics = STR("{\"val/loss\":2}")), 1);
    report(j.id, 1, R(REPORT_EPOCH, 3, .epoch = 3, .metrics = STR("{\"val/loss\":1.5}")), 1);
    report(j.id, 1, R(REPORT_EPOCH, 4, .epoch = 4, .metrics = STR("{\"val/loss\":1.75}")), 1);
    report(j.id, 1, R(REPORT_EPOCH, 5, .epoch = 5, .metrics = STR("{\"val/loss\":null}")), 1);
    CHECK_EQ(get(j.id).best_epoch, 3);
    CHECK(get(j.id).best_value == 1.5);
    CHECK_EQ(sql_int("SELECT count(*) FROM metric WHERE value IS NULL"), 2);
    tear_down();
}

TEST(progress_does_not_pile_up)
{
    struct job j;
    int64_t seq = 0;
    bool over = false;

    set_up();
    j = running();
    for (int epoch = 1; epoch <= 2; epoch++)
        for (int i = 0; i < 10; i++) {
            report(j.id, 1, R(REPORT_PROGRESS, ++seq, .epoch = epoch, .step = i), 1);
            CHECK_EQ(sql_int("SELECT count(*) FROM job_event WHERE kind = 'progress'"), 1);
        }
    CHECK_EQ(get(j.id).step, 9);
    CHECK_OK(job_feed_pull(test_jobs, str_of(arena_printf(&test_arena, "job/%.*s", STR_F(j.id))), 0,
                           100, NULL, &over, &err),
             &err);
    /* numbers are never given twice, though the events between are gone */
    CHECK(!strcmp(events, "1:state 2:state 3:state 23:progress "));
    CHECK(!over);
    report(j.id, 1, EPOCH(++seq, 2, "1"), 1);
    CHECK_EQ(sql_int("SELECT count(*) FROM job_event WHERE kind = 'progress'"), 0);
    tear_down();
}

TEST(the_oldest_log_lines_go_first_and_the_feed_ends_with_the_job)
{
    struct job j;
    struct log_line lines[4];
    const char *topic;
    bool over = false;

    set_up();
    j = running();
    for (int64_t seq = 1; seq <= 3; seq++) {
        for (int i = 0; i < 4; i++)
            lines[i] = (struct log_line){.time = 1, .level = 1, .message = STR("x \"y\"")};
        report(j.id, 1, R(REPORT_LOG, seq, .logs = {lines, 4}), 1);
    }
    CHECK_EQ(sql_int("SELECT count(*) FROM job_log"), 5); /* log_lines_max */
    CHECK_EQ(sql_int("SELECT min(seq) FROM job_log"), 11);
    CHECK_EQ(sql_int("SELECT max(seq) FROM job_log"), 15);
    CHECK_OK(job_cancel(test_jobs, &test_arena, j.id, 2, &j, &err), &err);
    topic = arena_printf(&test_arena, "job/%.*s", STR_F(j.id));
    CHECK_OK(job_feed_pull(test_jobs, str_of(topic), 12, 2, NULL, &over, &err), &err);
    CHECK(!over);
    CHECK_OK(job_feed_pull(test_jobs, str_of(topic), 14, 100, NULL, &over, &err), &err);
    CHECK(over);
    CHECK(!strcmp(events, "13:log 14:log 15:log 16:state "));
    CHECK(job_feed_pull(test_jobs, STR("x/1"), 14, 100, NULL, &over, &err) == RC_NOT_FOUND);
    tear_down();
}

static struct checkpoint saved(str job, int64_t epoch, bool best)
{
    const char *key = arena_printf(&test_arena, "jobs/%.*s/w%lld", STR_F(job), (long long)epoch);

    return (struct checkpoint){.epoch = epoch,
                               .is_best = best,
                               .is_last = true,
                               .metric = STR("accuracy"),
                               .value = 0.5,
                               .weights_key = str_of(key),
                               .weights_sha256 = STR("s")};
}

TEST(one_best_and_one_last_checkpoint)
{
    struct job j;
    struct job_checkpoint k;
    bool ours;

    set_up();
    j = running();
    CHECK(job_checkpoint_find(test_jobs, &test_arena, j.id, STR("best"), &k, &err) == RC_NOT_FOUND);
    report(j.id, 1, R(REPORT_CHECKPOINT, 1, .checkpoint = saved(j.id, 1, true)), 1);
    report(j.id, 1, R(REPORT_CHECKPOINT, 2, .checkpoint = saved(j.id, 2, true)), 1);
    report(j.id, 1, R(REPORT_CHECKPOINT, 3, .checkpoint = saved(j.id, 3, false)), 1);
    report(j.id, 1, R(REPORT_CHECKPOINT, 4, .checkpoint = saved(j.id, 3, false)), 1); /* again */
    CHECK_EQ(sql_int("SELECT count(*) FROM checkpoint"), 3);
    CHECK_OK(job_checkpoint_find(test_jobs, &test_arena, j.id, STR("best"), &k, &err), &err);
    CHECK_EQ(k.c.epoch, 2);
    CHECK_OK(job_checkpoint_find(test_jobs, &test_arena, j.id, STR("last"), &k, &err), &err);
    CHECK_EQ(k.c.epoch, 3);
    CHECK_OK(job_checkpoint_find(test_jobs, &test_arena, j.id, STR("1"), &k, &err), &err);
    CHECK(!k.c.is_best && !k.c.is_last);
    CHECK(job_checkpoint_find(test_jobs, &test_arena, j.id, STR("9"), &k, &err) == RC_NOT_FOUND);
    CHECK(strstr(err.text, "1, 2, 3"));
    CHECK(job_checkpoint_find(test_jobs, &test_arena, j.id, STR("x"), &k, &err) == RC_INVALID);
    CHECK_OK(job_owns_key(test_jobs, j.id, k.c.weights_key, &ours, &err), &err);
    CHECK(ours);
    tear_down();
}

TEST(a_trainer_that_is_stopped_in_good_order_uses_up_no_attempt)
{
    struct job j;

    set_up();
    j = running();
    for (int i = 1; i <= 6; i++) { /* attempts_max is 3 */
        report(j.id, i,
               R(REPORT_FAILED, 1, .error_code = STR("trainer_stopped"), .error = STR("stopped"),
                 .retryable = true),
               1);
        CHECK_EQ(get(j.id).failures, 0);
        CHECK_EQ(get(j.id).status, JOB_QUEUED);
        run_job(j.id, 100000 * i);
    }
    tear_down();
}

TEST(a_new_checkpoint_starts_the_count_of_failures_again_and_an_old_one_does_not)
{
    struct job j;

    set_up();
    j = running();
    for (int i = 1; i <= 6; i++) { /* attempts_max is 3 */
        report(j.id, i, R(REPORT_CHECKPOINT, 1, .checkpoint = saved(j.id, i, false)), 1);
        CHECK_EQ(get(j.id).failures, 0);
        CHECK_OK(job_attempt_lost(test_jobs, j.id, i, "killed", 2, &err), &err);
        run_job(j.id, 100000 * i);
    }
    for (int i = 7; i <= 8; i++) {
        report(j.id, i, R(REPORT_CHECKPOINT, 1, .checkpoint = saved(j.id, 6, false)), 1);
        CHECK_EQ(get(j.id).failures, i - 6);
        CHECK_OK(job_attempt_lost(test_jobs, j.id, i, "killed", 2, &err), &err);
        if (i < 8)
            run_job(j.id, 10000000 * i);
    }
    CHECK_EQ(get(j.id).status, JOB_FAILED);
    tear_down();
}

TEST(superseded_checkpoints_are_garbage_unless_a_job_starts_from_them)
{
    struct job j, k;
    struct job_garbage *g;
    size_t n;
    struct checkpoint same;

    set_up();
    j = running();
    report(j.id, 1, R(REPORT_CHECKPOINT, 1, .checkpoint = saved(j.id, 1, true)), 1000);
    report(j.id, 1, R(REPORT_CHECKPOINT, 2, .checkpoint = saved(j.id, 2, false)), 2000);
    CHECK_OK(jobs_garbage(test_jobs, &test_arena, 9999, 10, &g, &n, &err), &err);
    CHECK_EQ(n, 0); /* 1 is best, 2 is last */
    same = saved(j.id, 3, false);
    same.state_key = saved(j.id, 2, false).weights_key; /* shares an object with 2 */
    report(j.id, 1, R(REPORT_CHECKPOINT, 3, .checkpoint = same), 3000);
    CHECK_OK(jobs_garbage(test_jobs, &test_arena, 3000, 10, &g, &n, &err), &err);
    CHECK_EQ(n, 0); /* not yet */
    CHECK_OK(jobs_garbage(test_jobs, &test_arena, 3001, 10, &g, &n, &err), &err);
    CHECK_EQ(n, 1);
    CHECK_EQ(g[0].epoch, 2);
    CHECK_EQ(g[0].keys[0].n, 0); /* the shared object stays */
    k = make_job(false);
    sql_do("UPDATE job SET base_job_id = (SELECT id FROM job WHERE status = 'running')"
           " WHERE status = 'pending'");
    CHECK_OK(jobs_garbage(test_jobs, &test_arena, 3001, 10, &g, &n, &err), &err);
    CHECK_EQ(n, 0);
    CHECK_OK(job_cancel(test_jobs, &test_arena, k.id, 4000, &k, &err), &err);
    CHECK_OK(jobs_garbage(test_jobs, &test_arena, 3001, 10, &g, &n, &err), &err);
    CHECK_EQ(n, 1);
    CHECK_OK(job_checkpoint_forget(test_jobs, &g[0], &err), &err);
    CHECK_EQ(sql_int("SELECT count(*) FROM checkpoint"), 2);
    tear_down();
}

TEST(keys_outside_the_job_and_broken_metrics_are_refused_whole)
{
    static const char *const keys[] = {"jobs/other/x",      "blobs/aa/x", "",
                                       "jobs/%/../other/x", "jobs/%",     "jobs/%x/y"};
    static const char *const metrics[] = {"[1]", "{\"a b\":1}", "{\"a\":\"x\"}",    "{\"a\":{}}",
                                          "{",   "{\"\":1}",    "{\"a\":1,\"a\":2}"};
    struct job j;
    struct report_reply y;
    int64_t before;

    set_up();
    j = running();
    before = fingerprint();
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        struct report r = R(REPORT_CHECKPOINT, 1, .attempt = 1);
        struct buf b;

        buf_init(&b, 200);
        for (const char *p = keys[i]; *p; p++)
            if (*p == '%')
                buf_str(&b, j.id);
            else
                buf_putc(&b, *p);
        r.checkpoint = saved(j.id, 1, true);
        r.checkpoint.weights_key = buf_view(&b);
        CHECK(job_apply_report(test_jobs, &test_arena, j.id, 1, &r, 1, &y, &err) == RC_INVALID);
        buf_done(&b);
    }
    for (size_t i = 0; i < sizeof metrics / sizeof *metrics; i++) {
        struct report r =
            R(REPORT_EPOCH, 1, .attempt = 1, .epoch = 1, .metrics = str_of(metrics[i]));

        CHECK(job_apply_report(test_jobs, &test_arena, j.id, 1, &r, 1, &y, &err) != RC_OK);
    }
    CHECK_EQ(fingerprint(), before);
    tear_down();
}
