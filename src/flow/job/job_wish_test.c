/* job_wish_test.c - pause, resume and stop: each from every state, exactly at a checkpoint, across
 * lost attempts, and what the trainer is told. */
#include "flow/job/job_testing.h"
#include "flow/job/job_wish.c"

static struct report checkpoint_of(struct job *j, int64_t seq, int64_t epoch, bool best)
{
    static char keys[64][120];
    char *key = keys[epoch % 64];

    snprintf(key, sizeof keys[0], "jobs/%.*s/w%lld", STR_F(j->id), (long long)epoch);
    return (struct report){.kind = REPORT_CHECKPOINT,
                           .seq = seq,
                           .epoch = epoch,
                           .checkpoint = {.epoch = epoch,
                                          .is_best = best,
                                          .is_last = true,
                                          .metric = STR("accuracy"),
                                          .weights_key = str_of(key),
                                          .weights_sha256 = str_sub(str_of(key), 5, 12),
                                          .state_key = str_of(key),
                                          .manifest_key = str_of(key)}};
}

static struct job running(void)
{
    struct job j;

    set_up();
    j = make_job(true);
    return run_job(j.id, 2000);
}

static struct job pause_it(str id, bool now)
{
    struct job j;

    CHECK_OK(job_pause(test_jobs, &test_arena, id, now, 3000, &j, &err), &err);
    return j;
}
static size_t due(void)
{
    struct job_due *d;
    size_t n;

    CHECK_OK(jobs_queued(test_jobs, &test_arena, 1 << 30, 10, &d, &n, &err), &err);
    return n;
}
static size_t stopping(void)
{
    struct job_due *d;
    size_t n;

    CHECK_OK(jobs_stopping(test_jobs, &test_arena, &d, &n, &err), &err);
    return n;
}

TEST(a_running_job_pauses_with_its_next_checkpoint_and_the_trainer_is_told)
{
    struct job j = running();
    struct report_reply y;

    j = pause_it(j.id, false);
    CHECK_EQ(j.status, JOB_RUNNING);
    CHECK_EQ(j.wish, WISH_PAUSE);
    y = report(j.id, 1, (struct report){.kind = REPORT_PROGRESS, .seq = 1, .epoch = 1}, 3100);
    CHECK(!y.cancel);
    y = report(j.id, 1, checkpoint_of(&j, 2, 1, true), 3200);
    CHECK(y.applied && y.cancel);
    j = get(j.id);
    CHECK_EQ(j.status, JOB_QUEUED);
    CHECK(job_is_paused(&j));
    CHECK_STR(j.waiting_reason, "paused after epoch 1");
    CHECK_EQ(j.failures, 0);
    CHECK_EQ(stopping(), 1); /* until the trainer says that it is gone */
    CHECK_EQ(due(), 0);
    /* what the attempt still says changes nothing */
    y = report(j.id, 1, (struct report){.kind = REPORT_COMPLETED, .seq = 3}, 3300);
    CHECK(!y.applied && y.cancel);
    CHECK(str_is(y.reason, "stale_attempt"));
    CHECK_EQ(get(j.id).status, JOB_QUEUED);
    tear_down();
}

TEST(a_paused_job_stays_so_until_it_is_resumed_and_goes_on_as_its_next_attempt)
{
    struct job j = running();
    int64_t place;

    (void)pause_it(j.id, false);
    (void)report(j.id, 1, checkpoint_of(&j, 1, 1, true), 3200);
    CHECK_OK(jobs_sweep_leases(test_jobs, 1 << 30, &err), &err);
    j = get(j.id);
    CHECK(job_is_paused(&j));
    CHECK_OK(job_queue_place(test_jobs, &j, &place, &err), &err);
    CHECK_EQ(place, 0);
    CHECK_OK(job_unpause(test_jobs, &test_arena, j.id, 4000, &j, &err), &err);
    CHECK_EQ(j.wish, WISH_NONE);
    CHECK_STR(j.waiting_reason, "");
    CHECK_EQ(due(), 1);
    CHECK(job_unpause(test_jobs, &test_arena, j.id, 4000, &j, &err) == RC_CONFLICT);
    j = run_job(j.id, 5000);
    CHECK_EQ(j.attempt, 2);
    CHECK_EQ(j.status, JOB_RUNNING);
    tear_down();
}

TEST(a_wish_can_be_taken_back_and_the_last_epoch_is_not_paused)
{
    struct job j = running();
    struct report_reply y;

    (void)pause_it(j.id, false);
    CHECK_OK(job_unpause(test_jobs, &test_arena, j.id, 3100, &j, &err), &err);
    y = report(j.id, 1, checkpoint_of(&j, 1, 1, true), 3200);
    CHECK(!y.cancel);
    CHECK_EQ(get(j.id).status, JOB_RUNNING);
    (void)pause_it(j.id, false);
    y = report(j.id, 1, checkpoint_of(&j, 2, 3, false), 3300); /* of 3 */
    CHECK(!y.cancel);
    y = report(j.id, 1, (struct report){.kind = REPORT_COMPLETED, .seq = 3, .epoch = 3}, 3400);
    CHECK(y.applied);
    j = get(j.id);
    CHECK_EQ(j.status, JOB_COMPLETED);
    CHECK_EQ(j.wish, WISH_NONE);
    tear_down();
}

TEST(pausing_at_once_gives_up_the_epoch_and_says_where_it_will_go_on)
{
    struct job j = running();

    j = pause_it(j.id, true);
    CHECK(job_is_paused(&j));
    CHECK(str_find(j.waiting_reason, STR("anew")) >= 0);
    CHECK_EQ(stopping(), 1);
    CHECK_OK(job_unpause(test_jobs, &test_arena, j.id, 3500, &j, &err), &err);
    j = run_job(j.id, 4000);
    (void)report(j.id, 2, checkpoint_of(&j, 1, 1, true), 4100);
    j = pause_it(j.id, true);
    CHECK_STR(j.waiting_reason, "paused after epoch 1");
    tear_down();
}

TEST(a_queued_job_is_passed_over_and_an_order_on_its_way_is_taken_back)
{
    struct job j;
    char token[JOB_TOKEN_TEXT];

    set_up();
    j = make_job(true);
    j = pause_it(j.id, false);
    CHECK(job_is_paused(&j));
    CHECK_EQ(due(), 0);
    j = pause_it(j.id, false); /* again is fine */
    CHECK_OK(job_unpause(test_jobs, &test_arena, j.id, 3100, &j, &err), &err);
    CHECK_OK(job_attempt_begin(test_jobs, &test_arena, j.id, STR("t"), STR("http://t"), 3200, &j,
                               token, &err),
             &err);
    j = pause_it(j.id, false);
    CHECK_OK(job_attempt_accepted(test_jobs, j.id, 1, 3300, &err), &err);
    j = get(j.id);
    CHECK(job_is_paused(&j)); /* the trainer's yes comes too late */
    CHECK_EQ(stopping(), 1);
    CHECK_OK(job_cancel(test_jobs, &test_arena, j.id, 3400, &j, &err), &err);
    CHECK_EQ(j.wish, WISH_NONE);
    tear_down();
}

TEST(an_attempt_that_is_lost_while_a_pause_is_asked_is_the_pause)
{
    struct job j = running();

    (void)pause_it(j.id, false);
    CHECK_OK(job_attempt_lost(test_jobs, j.id, 1, "gone", 9000, &err), &err);
    j = get(j.id);
    CHECK(job_is_paused(&j));
    CHECK_EQ(due(), 0);
    tear_down();
}

TEST(stopping_keeps_the_best_checkpoint_and_completes)
{
    struct job j = running();
    struct report_reply y;

    (void)report(j.id, 1, checkpoint_of(&j, 1, 1, true), 3000);
    CHECK_OK(job_finish(test_jobs, &test_arena, j.id, false, 3100, &j, &err), &err);
    CHECK_EQ(j.status, JOB_RUNNING);
    CHECK_EQ(j.wish, WISH_FINISH);
    y = report(j.id, 1, checkpoint_of(&j, 2, 2, false), 3200);
    CHECK(y.applied && y.cancel);
    CHECK_EQ(y.job_status, JOB_COMPLETED);
    j = get(j.id);
    CHECK_EQ(j.status, JOB_COMPLETED);
    CHECK_EQ(j.epoch, 2);
    CHECK_STR(j.message, "stopped early on request, after epoch 2 of 3");
    CHECK(str_eq(j.weights_sha256, checkpoint_of(&j, 1, 1, true).checkpoint.weights_sha256));
    CHECK_EQ(ended_count, 1);
    CHECK(job_finish(test_jobs, &test_arena, j.id, false, 3300, &j, &err) == RC_CONFLICT);
    tear_down();
}

TEST(stopping_at_once_needs_something_to_keep)
{
    struct job j = running();

    CHECK(job_finish(test_jobs, &test_arena, j.id, true, 3000, &j, &err) == RC_CONFLICT);
    CHECK(strstr(err.text, "nothing to keep"));
    CHECK_EQ(get(j.id).status, JOB_RUNNING);
    (void)report(j.id, 1, checkpoint_of(&j, 1, 1, false), 3100);
    CHECK_OK(job_finish(test_jobs, &test_arena, j.id, true, 3200, &j, &err), &err);
    CHECK_EQ(j.status, JOB_COMPLETED);
    CHECK_EQ(stopping(), 1);
    tear_down();
}

TEST(a_paused_job_can_be_kept_as_it_is)
{
    struct job j = running();

    (void)pause_it(j.id, false);
    (void)report(j.id, 1, checkpoint_of(&j, 1, 1, true), 3100);
    CHECK_OK(job_finish(test_jobs, &test_arena, j.id, false, 3200, &j, &err), &err);
    CHECK_EQ(j.status, JOB_COMPLETED);
    CHECK_EQ(j.epoch, 1);
    tear_down();
}

TEST(an_attempt_lost_while_stopping_completes_with_what_there_is_or_makes_something_first)
{
    struct job j = running(), k;

    CHECK_OK(job_finish(test_jobs, &test_arena, j.id, false, 3000, &j, &err), &err);
    CHECK_OK(job_attempt_lost(test_jobs, j.id, 1, "gone", 4000, &err), &err);
    k = get(j.id);
    CHECK_EQ(k.status, JOB_QUEUED);
    CHECK_EQ(k.wish, WISH_FINISH);
    CHECK(!job_is_paused(&k));
    j = run_job(j.id, 10000);
    (void)report(j.id, 2, (struct report){.kind = REPORT_STARTED, .seq = 1}, 10001);
    CHECK_OK(job_unpause(test_jobs, &test_arena, j.id, 10002, &j, &err), &err);
    (void)report(j.id, 2, checkpoint_of(&j, 2, 1, true), 10003);
    CHECK_OK(job_finish(test_jobs, &test_arena, j.id, false, 10004, &j, &err), &err);
    CHECK_OK(job_attempt_lost(test_jobs, j.id, 2, "gone", 10005, &err), &err);
    j = get(j.id);
    CHECK_EQ(j.status, JOB_COMPLETED);
    CHECK_EQ(sql_int("SELECT count(*) FROM job_attempt WHERE status = 'lost'"), 2);
    tear_down();
}

TEST(nothing_can_be_asked_of_a_job_that_has_not_begun_or_has_ended)
{
    struct job j;

    set_up();
    j = make_job(false);
    CHECK(job_pause(test_jobs, &test_arena, j.id, false, 1, &j, &err) == RC_CONFLICT);
    CHECK(job_finish(test_jobs, &test_arena, j.id, false, 1, &j, &err) == RC_CONFLICT);
    CHECK(job_unpause(test_jobs, &test_arena, j.id, 1, &j, &err) == RC_CONFLICT);
    j = make_job(true);
    CHECK(job_finish(test_jobs, &test_arena, j.id, false, 1, &j, &err) == RC_CONFLICT);
    CHECK_OK(job_cancel(test_jobs, &test_arena, j.id, 2, &j, &err), &err);
    CHECK(job_pause(test_jobs, &test_arena, j.id, true, 3, &j, &err) == RC_CONFLICT);
    CHECK(strstr(err.text, "cancelled"));
    tear_down();
}

TEST(a_test_is_paused_at_once_and_cannot_be_kept)
{
    struct job j = running();

    sql_do("UPDATE job SET kind = 'test'");
    CHECK(job_finish(test_jobs, &test_arena, j.id, false, 3000, &j, &err) == RC_CONFLICT);
    j = pause_it(j.id, false);
    CHECK(job_is_paused(&j));
    tear_down();
}

/* ---- the course of a run */

struct seen {
    int64_t rows, last_n, last_step;
    double last_epochs;
};
static enum rc see(const struct series_point *p, void *ud)
{
    struct seen *s = ud;

    CHECK(p->n > s->last_n);
    *s = (struct seen){s->rows + 1, p->n, p->step, p->epochs};
    return RC_OK;
}
static struct seen course(str id)
{
    struct seen s = {0};

    CHECK_OK(job_series(test_jobs, id, 0, see, &s, &err), &err);
    return s;
}
static void progress(str id, int64_t attempt, int64_t seq, int64_t epoch, int64_t step)
{
    (void)report(id, attempt,
                 (struct report){.kind = REPORT_PROGRESS,
                                 .seq = seq,
                                 .epoch = epoch,
                                 .step = step,
                                 .steps = 100,
                                 .time = 5000 + seq,
                                 .metrics = STR("{\"train/loss\":1}")},
                 3000 + seq);
}

TEST(the_course_is_thinned_evenly_and_an_epoch_run_again_replaces_its_own)
{
    struct job j;
    struct seen s;

    set_up();
    test_jobs->s.series_max = 16;
    j = make_job(true);
    j = run_job(j.id, 2000);
    for (int i = 1; i <= 100; i++)
        progress(j.id, 1, i, 1, i);
    s = course(j.id);
    CHECK(s.rows > 8 && s.rows <= 16);
    CHECK_EQ(s.last_step % 8, 0);
    CHECK(s.last_epochs > 0.9 && s.last_epochs <= 1);
    for (int i = 101; i <= 200; i++)
        progress(j.id, 1, i, 2, i - 100);
    CHECK(course(j.id).last_step > 180);
    CHECK_OK(job_attempt_lost(test_jobs, j.id, 1, "gone", 9000, &err), &err);
    j = run_job(j.id, 20000);
    (void)report(j.id, 2, (struct report){.kind = REPORT_STARTED, .seq = 1, .epoch = 1}, 20001);
    s = course(j.id);
    CHECK(s.last_step <= 100);
    progress(j.id, 2, 2, 2, 1);
    tear_down();
}

TEST(samples_are_kept_if_they_are_the_jobs_own)
{
    struct job j = running();
    struct artifact f;
    struct report_reply y;
    char key[120], text[200];
    struct report r = {.kind = REPORT_STARTED, .seq = 1, .attempt = 1};

    CHECK(job_artifact(test_jobs, &test_arena, j.id, "samples", &f, &err) == RC_NOT_FOUND);
    r.samples = (struct artifact){.key = STR("jobs/other/x"), .type = STR("image/png")};
    CHECK(job_apply_report(test_jobs, &test_arena, j.id, 1, &r, 3000, &y, &err) == RC_INVALID);
    snprintf(key, sizeof key, "jobs/%.*s/sheet", STR_F(j.id));
    r.samples = (struct artifact){
        .key = str_of(key), .type = STR("image/png"), .sha256 = STR("ab"), .bytes = 7};
    (void)report(j.id, 1, r, 3001);
    CHECK_OK(job_artifact(test_jobs, &test_arena, j.id, "samples", &f, &err), &err);
    snprintf(text, sizeof text, "%.*s %.*s %lld", STR_F(f.key), STR_F(f.sha256),
             (long long)f.bytes);
    CHECK(strstr(text, "/sheet ab 7"));
    tear_down();
}
