/* scheduler_test.c - the scheduler against a trainer at the other end of a real socket, with a
 * clock that the tests turn. */
#include "flow/job/job_testing.h"
#include "flow/job/scheduler.c"

struct peer_job {
    char id[OS_ID_TEXT];
    int64_t attempt;
    const char *status;
};
static struct {
    pthread_mutex_t lock;
    struct http_server *server;
    int port;
    int start_status; /* what POST /training/start answers */
    struct peer_job jobs[16];
    size_t n;
    int starts, deletes;
    char order[8192]; /* the last */
    char auth[128];
} peer = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct peer_job *peer_job(str id)
{
    for (size_t i = 0; i < peer.n; i++)
        if (str_is(id, peer.jobs[i].id))
            return &peer.jobs[i];
    return NULL;
}

static void peer_start(struct http_req *r)
{
    str body = STR_NONE;
    struct start_order o;
    struct err e = {0};

    CHECK(!http_body_all(r, 1 << 20, &body, &e));
    CHECK_OK(field_read_text(start_order_fields, body, &o, http_arena(r), &e), &e);
    peer.starts++;
    snprintf(peer.order, sizeof peer.order, "%.*s", STR_F(body));
    if (peer.start_status < 300) {
        struct peer_job *j = peer_job(o.job_id) ? peer_job(o.job_id) : &peer.jobs[peer.n++];

        snprintf(j->id, sizeof j->id, "%.*s", STR_F(o.job_id));
        j->attempt = o.attempt;
        j->status = "running";
    }
    http_reply(r, peer.start_status, "application/json", STR("{\"detail\":\"said the peer\"}"));
}

static void peer_handle(struct http_req *r, void *ud)
{
    str path = http_path(r);
    struct peer_job *j;
    char body[200];

    pthread_mutex_lock(&peer.lock);
    snprintf(peer.auth, sizeof peer.auth, "%.*s", STR_F(http_header(r, "Authorization")));
    if (str_is(path, "/health")) {
        http_reply(r, 200, "application/json", STR("{}"));
    } else if (str_is(path, "/training/start")) {
        peer_start(r);
    } else if (!(j = peer_job(str_sub(path, 6, path.n)))) {
        http_reply(r, 404, "application/json", STR("{}"));
    } else {
        if (http_method_of(r) == HTTP_DELETE) {
            peer.deletes++;
            j->status = "ended";
        }
        snprintf(body, sizeof body, "{\"job_id\":\"%s\",\"attempt\":%lld,\"status\":\"%s\"}", j->id,
                 (long long)j->attempt, j->status);
        http_reply(r, 200, "application/json", str_of(body));
    }
    pthread_mutex_unlock(&peer.lock);
}

static void peer_up(void)
{
    char listen[40];

    snprintf(listen, sizeof listen, "127.0.0.1:%d", peer.port);
    CHECK_OK(http_server_new(&peer.server, listen, &(struct http_limits){.workers = 2}, peer_handle,
                             NULL, NULL, &err),
             &err);
    peer.port = http_server_port(peer.server);
}
static void peer_down(void)
{
    http_server_free(peer.server);
    peer.server = NULL;
    client_cleanup();
}

static int64_t now;
static int64_t test_clock(void)
{
    return now;
}

static struct config *config;
static struct launcher *launcher;
static struct scheduler *sched;

static void up(int64_t per_user, int64_t per_trainer)
{
    char url[80], data[300];
    const char *flags[] = {"training_mode=service", url, data, "trainer_token=secret"};

    set_up();
    client_setup();
    peer.port = 0;
    peer.n = 0;
    peer.starts = peer.deletes = 0;
    peer.start_status = 202;
    now = 1000000;
    peer_up();
    snprintf(url, sizeof url, "trainer_service_url=http://127.0.0.1:%d/", peer.port);
    snprintf(data, sizeof data, "data=%s", test_dir());
    CHECK_OK(config_load(&config, flags, 4, NULL, (char *[]){NULL}, &err), &err);
    CHECK_OK(launcher_new(&launcher, config, &err), &err);
    CHECK_OK(scheduler_new(&sched,
                           &(struct scheduler_config){.jobs = test_jobs,
                                                      .launcher = launcher,
                                                      .public_url = "http://127.0.0.1:1",
                                                      .bucket = "bucket",
                                                      .jobs_per_user = per_user,
                                                      .jobs_per_trainer = per_trainer,
                                                      .poll_ms = 3000,
                                                      .clock = test_clock},
                           &err),
             &err);
}

static void down(void)
{
    scheduler_free(sched);
    launcher_free(launcher);
    config_free(config);
    if (peer.server)
        peer_down();
    tear_down();
}

TEST(a_queued_job_is_handed_out_with_all_that_the_trainer_needs)
{
    struct job j;

    up(10, 10);
    j = make_job(true);
    scheduler_round(sched);
    CHECK_EQ(get(j.id).status, JOB_RUNNING);
    CHECK_EQ(get(j.id).started_at, now);
    CHECK(strstr(peer.order, "s3://bucket/datasets/v1/manifest.jsonl"));
    CHECK(strstr(peer.order, "/callback\""));
    CHECK(strstr(peer.order, "\"token\":\"job_") || strstr(peer.order, "job_"));
    CHECK(!strcmp(peer.auth, "Bearer secret"));
    scheduler_round(sched);
    CHECK_EQ(peer.starts, 1);
    down();
}

TEST(the_limits_for_users_and_trainers_hold_and_the_next_takes_the_place)
{
    struct job a, b, c, d;

    up(2, 3);
    sql_do("INSERT INTO \"user\" (id, email, role, created_at, updated_at) VALUES"
           " ('u1','a','engineer',0,0), ('u2','b','engineer',0,0)");
    a = make_job_of(STR("u1"), 50, true, 1);
    b = make_job_of(STR("u1"), 50, true, 1);
    c = make_job_of(STR("u1"), 90, true, 1);
    d = make_job_of(STR("u2"), 10, true, 1);
    scheduler_round(sched);
    CHECK_EQ(get(c.id).status, JOB_RUNNING); /* first by priority */
    CHECK_EQ(get(a.id).status, JOB_RUNNING);
    CHECK_EQ(get(b.id).status, JOB_QUEUED); /* a third of u1 */
    CHECK(str_find(get(b.id).waiting_reason, STR("one user")) > 0);
    CHECK_EQ(get(d.id).status, JOB_RUNNING); /* who has the lowest priority, but his own share */
    report(a.id, 1, (struct report){.kind = REPORT_COMPLETED, .seq = 1}, now);
    scheduler_round(sched);
    CHECK_EQ(get(b.id).status, JOB_RUNNING);
    a = make_job_of(STR("u2"), 10, true, 1);
    scheduler_round(sched);
    CHECK(str_find(get(a.id).waiting_reason, STR("free place")) > 0);
    down();
}

TEST(an_unreachable_trainer_leaves_the_job_queued_and_burns_nothing)
{
    struct job j;

    up(10, 10);
    peer_down();
    j = make_job(true);
    for (int i = 0; i < 5; i++) {
        scheduler_round(sched);
        now += 20000;
    }
    CHECK_EQ(get(j.id).status, JOB_QUEUED);
    CHECK_EQ(get(j.id).attempt, 0);
    CHECK(str_find(get(j.id).waiting_reason, STR("waiting for the trainer anneal")) == 0);
    peer_up();
    now += 20000;
    scheduler_round(sched);
    CHECK_EQ(get(j.id).status, JOB_RUNNING);
    CHECK_EQ(get(j.id).attempt, 1);
    down();
}

TEST(a_4xx_fails_the_job_with_the_trainers_text_and_a_full_trainer_is_asked_again)
{
    struct job j, k;

    up(10, 10);
    peer.start_status = 429;
    j = make_job(true);
    scheduler_round(sched);
    CHECK_EQ(get(j.id).status, JOB_QUEUED);
    CHECK(str_find(get(j.id).waiting_reason, STR("free place")) > 0);
    peer.start_status = 400;
    now += 20000;
    scheduler_round(sched);
    CHECK_EQ(get(j.id).status, JOB_FAILED);
    CHECK(str_find(get(j.id).error, STR("said the peer")) == 0);
    CHECK_STR(get(j.id).error_code, "trainer_refused");
    /* 5xx: it may have been taken, so the number is used up, but no attempt burned */
    peer.start_status = 500;
    k = make_job(true);
    scheduler_round(sched);
    CHECK_EQ(get(k.id).status, JOB_QUEUED);
    CHECK_EQ(get(k.id).failures, 0);
    CHECK_EQ(get(k.id).attempt, 1);
    peer.start_status = 202;
    now += 20000;
    scheduler_round(sched);
    CHECK_EQ(get(k.id).attempt, 2);
    CHECK_EQ(get(k.id).status, JOB_RUNNING);
    down();
}

TEST(an_unknown_framework_waits_and_says_so)
{
    struct job j;

    up(10, 10);
    j = make_job(true);
    sql_do("UPDATE job SET framework = 'other'");
    scheduler_round(sched);
    CHECK_EQ(get(j.id).status, JOB_QUEUED);
    CHECK(str_find(get(j.id).waiting_reason, STR("no trainer is configured")) > 0);
    down();
}

TEST(polls_keep_the_lease_and_silence_ends_it)
{
    struct job j;

    up(10, 10);
    j = make_job(true);
    scheduler_round(sched);
    for (int i = 0; i < 30; i++) { /* 90 s without a report, but the trainer answers */
        now += 3001;
        scheduler_round(sched);
        CHECK_EQ(get(j.id).attempt, 1);
        CHECK_EQ(get(j.id).status, JOB_RUNNING);
    }
    peer_down();
    now += 29000;
    scheduler_round(sched);
    CHECK_EQ(get(j.id).status, JOB_RUNNING);
    now += 2000;
    scheduler_round(sched);
    CHECK_EQ(get(j.id).status, JOB_QUEUED);
    CHECK_EQ(get(j.id).failures, 1);
    down();
}

TEST(an_attempt_that_the_trainer_forgot_is_lost_at_once)
{
    struct job j;

    up(10, 10);
    j = make_job(true);
    scheduler_round(sched);
    scheduler_round(sched); /* first sight */
    peer.n = 0;             /* restarted with nothing */
    now += 3001;
    scheduler_round(sched);
    CHECK_EQ(get(j.id).status, JOB_QUEUED);
    CHECK(str_find(get(j.id).waiting_reason, STR("restarted")) > 0);
    now += 20000;
    scheduler_round(sched);
    CHECK_EQ(get(j.id).attempt, 2);
    CHECK_EQ(get(j.id).status, JOB_RUNNING);
    CHECK_EQ(peer.deletes, 0); /* the old attempt's stop never hits the new one */
    CHECK_EQ(sql_int("SELECT count(*) FROM job_attempt WHERE stop = 1"), 0);
    down();
}

TEST(an_attempt_that_ended_without_a_result_is_lost_after_a_second_look)
{
    struct job j;

    up(10, 10);
    j = make_job(true);
    scheduler_round(sched);
    scheduler_round(sched);
    peer.jobs[0].status = "ended";
    now += 3001;
    scheduler_round(sched);
    CHECK_EQ(get(j.id).status, JOB_RUNNING);
    report(j.id, 1, (struct report){.kind = REPORT_STARTED, .seq = 1}, now); /* late, but it came */
    now += 3001;
    scheduler_round(sched);
    CHECK_EQ(get(j.id).status, JOB_RUNNING);
    now += 3001;
    scheduler_round(sched);
    CHECK_EQ(get(j.id).status, JOB_QUEUED);
    down();
}

TEST(a_cancel_is_delivered_until_the_trainer_says_gone)
{
    struct job j;

    up(10, 10);
    j = make_job(true);
    scheduler_round(sched);
    peer_down();
    CHECK_OK(job_cancel(test_jobs, &test_arena, j.id, now, &j, &err), &err);
    for (int i = 0; i < 3; i++) {
        scheduler_round(sched);
        now += 20000;
    }
    CHECK_EQ(sql_int("SELECT count(*) FROM job_attempt WHERE stop = 1"), 1);
    peer_up();
    scheduler_round(sched);
    CHECK_EQ(peer.deletes, 1);
    scheduler_round(sched);
    CHECK_EQ(sql_int("SELECT count(*) FROM job_attempt WHERE stop = 1"), 0);
    CHECK_EQ(peer.deletes, 1);
    CHECK_EQ(get(j.id).status, JOB_CANCELLED);
    down();
}

TEST(a_resume_goes_on_from_the_jobs_own_last_checkpoint_else_from_its_base)
{
    struct job j;
    struct report r = {.kind = REPORT_CHECKPOINT, .seq = 1, .retryable = true};

    up(10, 10);
    j = make_job(true);
    sql_do("UPDATE job SET base_checkpoint = '{\"epoch\":7,\"weights_key\":\"jobs/old/w\"}'");
    scheduler_round(sched);
    CHECK(strstr(peer.order, "jobs/old/w"));
    r.checkpoint = (struct checkpoint){.epoch = 8, .is_last = true};
    r.checkpoint.weights_key = str_of(arena_printf(&test_arena, "jobs/%.*s/w8", STR_F(j.id)));
    report(j.id, 1, r, now);
    report(j.id, 1, (struct report){.kind = REPORT_FAILED, .seq = 2, .retryable = true}, now);
    now += 20000;
    scheduler_round(sched);
    CHECK_EQ(get(j.id).attempt, 2);
    CHECK(strstr(peer.order, "/w8"));
    down();
}

TEST(the_thread_wakes_for_a_new_job_and_stops_when_told)
{
    struct job j;
    int64_t until;

    up(10, 10);
    CHECK_OK(scheduler_start(sched, &err), &err);
    j = make_job(true);
    until = os_mono_ms() + 5000;
    while (get(j.id).status != JOB_RUNNING && os_mono_ms() < until)
        os_sleep_ms(5);
    CHECK_EQ(get(j.id).status, JOB_RUNNING);
    down();
}
