/* trainer_test.c - the whole trainer over real HTTP, real processes and real files: the backend and
 * the store are the test bed, the workers are a shell program whose behaviour goes by the job's id.
 */
#include "flow/trainer/trainer.c"

#include "flow/trainer/testbed.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

struct rig {
    struct bed *bed;
    struct trainer *t;
    char dir[300], url[60];
    struct trainer_config c;
};
static const char *const worker_argv[] = {"/bin/bash", "src/flow/trainer/test_worker.sh", NULL};
static const char *const predict_argv[] = {"/bin/bash", "src/flow/trainer/test_predict.sh", NULL};

static void rig_up(struct rig *r)
{
    struct err e = {0};

    CHECK_OK(trainer_open(&r->t, &r->c, &e), &e);
    snprintf(r->url, sizeof r->url, "http://127.0.0.1:%d", trainer_port(r->t));
}

static struct rig *rig_new(unsigned max_jobs)
{
    static struct rig rig;
    static const struct trainer_model models[] = {
        {"tiny", "Tiny", "classification", "small", 1234, 32}};
    struct rig *r = &rig;

    signal(SIGPIPE, SIG_IGN);
    r->bed = bed_new();
    bed_dataset(r->bed, 20);
    snprintf(r->dir, sizeof r->dir, "%.200s/trainer", test_dir());
    CHECK(os_exists(worker_argv[1])); /* tests run in the root of the tree */
    r->c = (struct trainer_config){.listen = "127.0.0.1:0",
                                   .dir = r->dir,
                                   .token = "service-token",
                                   .worker_argv = worker_argv,
                                   .predict_argv = predict_argv,
                                   .models = models,
                                   .models_n = 1,
                                   .max_jobs = max_jobs,
                                   .retry_min_ms = 20,
                                   .retry_max_ms = 200,
                                   .predict_ms_max = 3000};
    rig_up(r);
    return r;
}

static void rig_free(struct rig *r)
{
    trainer_close(r->t);
    bed_free(r->bed);
}

static char answer_text[1 << 20];

static int call(struct rig *r, enum http_method m, const char *path, const char *token,
                const char *type, str body)
{
    char url[200], auth[100], type_header[200];
    const char *headers[] = {auth, type_header, NULL};
    struct client_call c = {.method = m, .url = url, .headers = headers, .body = body};
    struct client_reply y = {0};
    struct err e = {0};
    struct buf b;

    buf_init(&b, sizeof answer_text - 1);
    c.reply = &b;
    snprintf(url, sizeof url, "%s%s", r->url, path);
    snprintf(auth, sizeof auth, "Authorization: Bearer %s", token);
    snprintf(type_header, sizeof type_header, "Content-Type: %s", type);
    CHECK_OK(client_do(&c, &y, &e), &e);
    snprintf(answer_text, sizeof answer_text, "%s", b.p);
    buf_done(&b);
    return y.status;
}

static int start_order_send(struct rig *r, const struct start_order *o)
{
    struct buf b;
    struct jw w;
    int status;

    buf_init(&b, 1 << 20);
    jw_init(&w, &b);
    field_write(start_order_fields, o, &w);
    status =
        call(r, HTTP_POST, "/training/start", "service-token", "application/json", buf_view(&b));
    buf_done(&b);
    return status;
}

static int start(struct rig *r, const char *id, int64_t attempt)
{
    struct start_order o = bed_order(r->bed, id, attempt);

    return start_order_send(r, &o);
}

static int get(struct rig *r, const char *path)
{
    return call(r, HTTP_GET, path, "service-token", "text/plain", STR_NONE);
}

static int delete_job(struct rig *r, const char *id)
{
    char path[100];

    snprintf(path, sizeof path, "/jobs/%s", id);
    return call(r, HTTP_DELETE, path, "service-token", "text/plain", STR_NONE);
}

static bool says(struct rig *r, const char *id, const char *kind)
{
    return strstr(bed_job(r->bed, id)->kinds, kind) != NULL;
}

static bool job_is(struct rig *r, const char *id, const char *status)
{
    char path[100], want[60];

    snprintf(path, sizeof path, "/jobs/%s", id);
    snprintf(want, sizeof want, "\"status\":\"%s\"", status);
    return get(r, path) == 200 && strstr(answer_text, want);
}

/* The worker's process number, once it has written it. */
static pid_t worker_pid(struct rig *r, const char *id)
{
    char path[400];
    struct arena a;
    str text;
    int64_t pid = 0;

    snprintf(path, sizeof path, "%s/work/%s.pid", r->dir, id);
    BED_UNTIL(os_exists(path), 10000);
    os_sleep_ms(50);
    arena_init(&a, 4096);
    CHECK_OK(os_read_file(&a, path, 100, &text, NULL), &(struct err){0});
    CHECK(str_i64(str_trim(text), &pid) && pid > 1);
    arena_done(&a);
    return (pid_t)pid;
}

static bool alive(pid_t pid)
{
    return kill(pid, 0) == 0;
}

TEST(a_job_runs_from_order_to_completion_and_leaves_nothing_behind)
{
    struct rig *r = rig_new(2);
    struct bed_job *j;
    char path[400];

    CHECK_EQ(start(r, "good", 1), 202);
    CHECK(strstr(answer_text, "\"accepted\""));
    BED_UNTIL(says(r, "good", "completed"), 20000);
    j = bed_job(r->bed, "good");
    CHECK(strstr(j->kinds, "started "));
    CHECK(strstr(j->kinds, "epoch checkpoint epoch checkpoint checkpoint completed "));
    CHECK_EQ(j->gaps, 0);
    CHECK_EQ(j->last_seq, j->applied);
    CHECK(!strstr(j->all, r->dir)); /* no path of this machine leaves it */
    BED_UNTIL(job_is(r, "good", "ended"), 5000);
    snprintf(path, sizeof path, "%s/work/good-1", r->dir);
    CHECK(!os_exists(path));
    snprintf(path, sizeof path, "%s/outbox/good-1", r->dir);
    CHECK(!os_exists(path));
    rig_free(r);
}

TEST(checkpoints_are_in_storage_before_they_are_reported_and_once)
{
    struct rig *r = rig_new(1);
    struct arena a;
    struct err e = {0};
    int seen = 0;
    str rest, line;

    CHECK_EQ(start(r, "good", 1), 202);
    BED_UNTIL(says(r, "good", "completed"), 20000);
    arena_init(&a, 4 << 20);
    rest = str_of(bed_job(r->bed, "good")->all);
    while (str_line(&rest, &line)) {
        struct report rep = {0};
        struct checkpoint manifest = {0};

        CHECK_OK(field_read_text(report_fields, line, &rep, &a, &e), &e);
        if (rep.kind == REPORT_EPOCH)
            CHECK(bed_get(r->bed, rep.validation.key).n > 0);
        if (rep.kind != REPORT_CHECKPOINT)
            continue;
        seen++;
        CHECK_STR(bed_get(r->bed, rep.checkpoint.weights_key),
                  rep.checkpoint.epoch == 1 ? "weights 1" : "weights 2");
        CHECK(bed_get(r->bed, rep.checkpoint.state_key).n > 0);
        CHECK_OK(field_read_text(checkpoint_fields, bed_get(r->bed, rep.checkpoint.manifest_key),
                                 &manifest, &a, &e),
                 &e);
        CHECK(str_eq(manifest.weights_key, rep.checkpoint.weights_key));
        CHECK_EQ(manifest.weights_path.n + manifest.manifest_key.n, 0);
    }
    CHECK_EQ(seen, 3);
    CHECK_EQ(atomic_load(&r->bed->puts), 2 * 3 + 2); /* the repeated checkpoint cost no upload */
    arena_done(&a);
    rig_free(r);
}

TEST(the_worker_finds_its_dataset_and_only_the_splits_it_needs)
{
    struct rig *r = rig_new(1);
    char path[500], sha[SHA256_HEX + 1];
    int here = 0;

    CHECK_EQ(start(r, "look", 1), 202);
    BED_UNTIL(says(r, "look", "completed"), 20000);
    for (int i = 0; i < 40; i++) {
        sha256_hex(bed_image(r->bed, i), sha);
        snprintf(path, sizeof path, "%s/work/seen/%.2s/%s", r->dir, sha, sha);
        here += os_exists(path);
    }
    CHECK_EQ(here, 30); /* train and validation, not test */
    CHECK_EQ(atomic_load(&r->bed->gets), 31);
    CHECK_EQ(start(r, "look2", 1), 202);
    BED_UNTIL(says(r, "look2", "completed"), 20000);
    CHECK_EQ(atomic_load(&r->bed->gets), 31); /* the second job fetched nothing */
    rig_free(r);
}

TEST(a_test_gets_its_split_and_weights_and_a_resume_gets_its_state)
{
    struct rig *r = rig_new(1);
    struct start_order o = bed_order(r->bed, "look", 1);
    char weights[SHA256_HEX + 1], state[SHA256_HEX + 1], path[500], want[600];
    struct arena a;
    struct err e = {0};
    str work;

    sha256_hex(STR("some weights"), weights);
    sha256_hex(STR("some state"), state);
    bed_put(r->bed, "jobs/other/w", STR("some weights"));
    bed_put(r->bed, "jobs/other/s", STR("some state"));
    o.kind = WORK_TEST;
    o.split = STR("test");
    CHECK_EQ(start_order_send(r, &o), 400);
    CHECK(strstr(answer_text, "weights"));
    o.resume.epoch = 3;
    o.resume.weights_key = STR("jobs/other/w");
    o.resume.weights_sha256 = str_of(weights);
    CHECK_EQ(start_order_send(r, &o), 202);
    BED_UNTIL(says(r, "look", "completed"), 20000);
    CHECK_EQ(atomic_load(&r->bed->gets), 1 + 10 + 1); /* manifest, the split's pictures, weights */

    o = bed_order(r->bed, "look2", 1);
    o.resume = (struct checkpoint){.epoch = 3,
                                   .weights_key = STR("jobs/other/w"),
                                   .weights_sha256 = str_of(weights),
                                   .state_key = STR("jobs/other/s"),
                                   .state_sha256 = str_of(state)};
    CHECK_EQ(start_order_send(r, &o), 202);
    BED_UNTIL(says(r, "look2", "completed"), 20000);
    arena_init(&a, 1 << 20);
    snprintf(path, sizeof path, "%s/work/seen.work", r->dir);
    CHECK_OK(os_read_file(&a, path, 100000, &work, &e), &e);
    snprintf(want, sizeof want, "\"state_path\":\"%s/cache/%.2s/%s\"", r->dir, state, state);
    CHECK(str_find(work, str_of(want)) > 0);
    CHECK(str_find(work, STR("\"epoch\":3")) > 0);
    CHECK(str_find(work, STR(BED_TOKEN)) < 0); /* the worker needs no credential and gets none */
    arena_done(&a);
    rig_free(r);
}

TEST(a_short_order_is_enough)
{
    struct rig *r = rig_new(1);
    struct start_order o = bed_order(r->bed, "good", 1);
    char cb[200];

    snprintf(cb, sizeof cb, "http://127.0.0.1:%d/job/good/callback", r->bed->port);
    o.callback_url = str_of(cb);
    o.uploads_url = o.downloads_url = o.dataset_version = STR("");
    CHECK_EQ(start_order_send(r, &o), 202);
    BED_UNTIL(says(r, "good", "completed"), 20000);
    rig_free(r);
}

TEST(the_same_order_twice_starts_one_worker)
{
    struct rig *r = rig_new(1);

    CHECK_EQ(start(r, "wait", 1), 202);
    CHECK_EQ(start(r, "wait", 1), 200);
    CHECK(strstr(answer_text, "already_running"));
    BED_UNTIL(says(r, "wait", "started"), 10000);
    CHECK_EQ(start(r, "wait", 1), 200);
    CHECK_EQ(get(r, "/jobs"), 200);
    CHECK(strstr(answer_text, "\"running\""));
    rig_free(r);
}

TEST(more_jobs_than_places_are_refused_for_now)
{
    struct rig *r = rig_new(2);

    CHECK_EQ(start(r, "wait1", 1), 202);
    CHECK_EQ(start(r, "wait2", 1), 202);
    CHECK_EQ(start(r, "wait3", 1), 429);
    CHECK(strstr(answer_text, "limit_reached"));
    CHECK_EQ(delete_job(r, "wait1"), 202);
    BED_UNTIL(start(r, "wait3", 1) == 202, 5000);
    rig_free(r);
}

TEST(a_newer_attempt_fences_and_kills_the_older)
{
    struct rig *r = rig_new(1);
    pid_t first;
    int applied;

    CHECK_EQ(start(r, "wait", 1), 202);
    BED_UNTIL(says(r, "wait", "started"), 10000);
    first = worker_pid(r, "wait");
    pthread_mutex_lock(&r->bed->mu);
    bed_find(r->bed, STR("wait"))->attempt = 2;
    bed_find(r->bed, STR("wait"))->last_seq = 0;
    pthread_mutex_unlock(&r->bed->mu);
    applied = bed_job(r->bed, "wait")->applied;
    CHECK_EQ(start(r, "wait", 2), 202); /* though the only place was taken */
    BED_UNTIL(!alive(first), 2000);
    BED_UNTIL(bed_job(r->bed, "wait")->applied > applied, 10000);
    CHECK(strstr(bed_job(r->bed, "wait")->last, "\"attempt\":2"));
    CHECK_EQ(start(r, "wait", 1), 409);
    CHECK(!says(r, "wait", "failed") && !says(r, "wait", "cancelled"));
    rig_free(r);
}

TEST(delete_stops_the_worker_within_two_seconds_and_says_so)
{
    struct rig *r = rig_new(4);
    static const char *const ids[] = {"wait", "stubborn", "child"};

    for (size_t i = 0; i < 3; i++)
        CHECK_EQ(start(r, ids[i], 1), 202);
    for (size_t i = 0; i < 3; i++) {
        pid_t pid = worker_pid(r, ids[i]);
        BED_UNTIL(says(r, ids[i], "started"), 10000);
        CHECK_EQ(delete_job(r, ids[i]), 202);
        BED_UNTIL(!alive(pid), 2700);
        BED_UNTIL(says(r, ids[i], "cancelled"), 3000);
        CHECK_STR(str_of(strstr(bed_job(r->bed, ids[i])->kinds, "cancelled")), "cancelled ");
    }
    CHECK_EQ(delete_job(r, "nobody"), 404);
    rig_free(r);
}

TEST(the_backends_cancel_stops_the_worker)
{
    struct rig *r = rig_new(1);
    pid_t pid;

    CHECK_EQ(start(r, "fast", 1), 202);
    pid = worker_pid(r, "fast");
    pthread_mutex_lock(&r->bed->mu);
    bed_find(r->bed, STR("fast"))->cancel = true;
    pthread_mutex_unlock(&r->bed->mu);
    BED_UNTIL(!alive(pid), 4000);
    BED_UNTIL(says(r, "fast", "cancelled"), 3000);
    rig_free(r);
}

TEST(a_cancel_while_the_dataset_is_fetched_ends_the_attempt)
{
    struct rig *r = rig_new(1);

    atomic_store(&r->bed->slow_ms, 200);
    CHECK_EQ(start(r, "good", 1), 202);
    BED_UNTIL(atomic_load(&r->bed->gets) > 3, 5000);
    CHECK(job_is(r, "good", "preparing"));
    CHECK_EQ(delete_job(r, "good"), 202);
    BED_UNTIL(says(r, "good", "cancelled"), 4000);
    CHECK(!says(r, "good", "started"));
    rig_free(r);
}

static void check_failure(struct rig *r, const char *id, const char *code, bool retryable,
                          const char *words)
{
    const char *last;

    CHECK_EQ(start(r, id, 1), 202);
    BED_UNTIL(says(r, id, "failed"), 15000);
    last = bed_job(r->bed, id)->last;
    if (!strstr(last, code) || !strstr(last, words) ||
        !strstr(last, retryable ? "\"retryable\":true" : "\"retryable\":false"))
        test_fail(__FILE__, __LINE__, "%s: %s", id, last);
    BED_UNTIL(job_is(r, id, "ended"), 5000);
}

TEST(a_worker_that_dies_fails_the_attempt_and_its_last_words_are_told)
{
    struct rig *r = rig_new(1);

    check_failure(r, "killed", "worker_lost", true, "about to go");
    CHECK(strstr(bed_job(r->bed, "killed")->last, "signal 9"));
    check_failure(r, "exit", "worker_lost", true, "cannot open libthing");
    CHECK(strstr(bed_job(r->bed, "exit")->last, "exit status 3"));
    check_failure(r, "failed", "diverged", false, "not finite");
    rig_free(r);
}

TEST(a_worker_that_breaks_the_protocol_is_stopped_and_the_line_is_named)
{
    struct rig *r = rig_new(1);

    check_failure(r, "garbage", "bad_report", false, "line 2");
    CHECK(strstr(bed_job(r->bed, "garbage")->last, "epoch 1 loss 0.3"));
    check_failure(r, "unknown", "bad_report", false, "colour");
    check_failure(r, "long", "bad_report", false, "longer than");
    check_failure(r, "outside", "bad_report", false, "not in the worker's folder");
    check_failure(r, "liar", "data_corrupt", false, "as the worker said");
    CHECK_EQ(atomic_load(&r->bed->puts), 0);
    rig_free(r);
}

TEST(a_silent_worker_keeps_its_lease_and_a_hung_one_does_not_for_ever)
{
    struct rig *r = rig_new(1);

    trainer_close(r->t);
    r->c.heartbeat_ms = 100;
    r->c.silence_ms_max = 1500;
    rig_up(r);
    CHECK_EQ(start(r, "quiet", 1), 202);
    BED_UNTIL(bed_job(r->bed, "quiet")->applied >= 4, 5000); /* nobody but the trainer spoke */
    BED_UNTIL(says(r, "quiet", "failed"), 5000);
    CHECK(strstr(bed_job(r->bed, "quiet")->last, "worker_silent"));
    rig_free(r);
}

TEST(progress_is_thinned_and_a_slow_backend_does_not_grow_the_outbox)
{
    struct rig *r = rig_new(1);
    int64_t t0 = os_mono_ms();

    CHECK_EQ(start(r, "fast", 1), 202);
    BED_UNTIL(strstr(bed_job(r->bed, "fast")->last, "\"step\":2000"), 15000);
    CHECK(bed_job(r->bed, "fast")->applied <= 5 + (os_mono_ms() - t0) / 1000);
    atomic_store(&r->bed->down, 1);
    os_sleep_ms(2500);
    CHECK_EQ(get(r, "/jobs/fast"), 200);
    CHECK(strstr(answer_text, "\"undelivered\":0") || strstr(answer_text, "\"undelivered\":1"));
    rig_free(r);
}

TEST(standard_error_becomes_bounded_log_reports)
{
    struct rig *r = rig_new(1);
    const char *all;

    CHECK_EQ(start(r, "chatty", 1), 202);
    BED_UNTIL(says(r, "chatty", "completed"), 20000);
    all = bed_job(r->bed, "chatty")->all;
    CHECK(strstr(all, "of standard error"));
    CHECK(strlen(all) < 200000 - 1);
    rig_free(r);
}

TEST(a_blob_that_is_not_what_it_should_be_is_an_error_that_names_it)
{
    struct rig *r = rig_new(1);
    char sha[SHA256_HEX + 1], key[BLOB_KEY_MAX];

    sha256_hex(bed_image(r->bed, 12), sha);
    blob_key(sha, key);
    bed_put(r->bed, key, STR("Picture 12 of the test bed"));
    check_failure(r, "good1", "data_corrupt", false, "train/cat/000012.jpg");
    pthread_mutex_lock(&r->bed->mu);
    (void)map_remove(&r->bed->objects, str_of(key));
    pthread_mutex_unlock(&r->bed->mu);
    check_failure(r, "good2", "data_missing", false, sha);
    rig_free(r);
}

TEST(an_outage_of_the_storage_is_sat_out)
{
    struct rig *r = rig_new(1);

    atomic_store(&r->bed->store_down, 12);
    CHECK_EQ(start(r, "good", 1), 202);
    BED_UNTIL(says(r, "good", "completed"), 50000);
    CHECK(!says(r, "good", "failed"));
    rig_free(r);
}

TEST(a_damaged_cache_entry_is_fetched_again)
{
    struct rig *r = rig_new(1);
    char sha[SHA256_HEX + 1], path[500];
    struct err e = {0};
    int gets;

    CHECK_EQ(start(r, "good1", 1), 202);
    BED_UNTIL(says(r, "good1", "completed"), 20000);
    trainer_close(r->t);
    sha256_hex(bed_image(r->bed, 11), sha);
    snprintf(path, sizeof path, "%s/cache/%.2s/%s", r->dir, sha, sha);
    CHECK_OK(os_write_file_durable(path, STR("picture 11 of the test beD"), 0600, &e), &e);
    gets = atomic_load(&r->bed->gets);
    rig_up(r);
    CHECK_EQ(start(r, "good2", 1), 202);
    BED_UNTIL(says(r, "good2", "completed"), 20000);
    CHECK_EQ(atomic_load(&r->bed->gets), gets + 1);
    rig_free(r);
}

/* A trainer in a process of its own, to be killed. */
static pid_t trainer_child(struct rig *r, int *ret_port)
{
    int ends[2], port = 0;
    pid_t pid;

    CHECK_EQ(pipe(ends), 0);
    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        struct trainer *t = NULL;
        struct err e = {0};

        if (!trainer_open(&t, &r->c, &e))
            port = trainer_port(t);
        (void)!write(ends[1], &port, sizeof port);
        for (;;)
            pause();
    }
    close(ends[1]);
    CHECK_EQ(read(ends[0], &port, sizeof port), (ssize_t)sizeof port);
    close(ends[0]);
    CHECK(port > 0);
    *ret_port = port;
    return pid;
}

TEST(kill_9_of_the_trainer_ends_the_worker_and_the_next_life_reports_it)
{
    struct rig *r = rig_new(2);
    pid_t trainer, worker;
    int port, status;
    struct bed_job *j;

    trainer_close(r->t);
    trainer = trainer_child(r, &port);
    snprintf(r->url, sizeof r->url, "http://127.0.0.1:%d", port);
    CHECK_EQ(start(r, "wait", 1), 202);
    BED_UNTIL(says(r, "wait", "started"), 10000);
    worker = worker_pid(r, "wait");
    atomic_store(&r->bed->down, 1); /* reports wait in the outbox when it dies */
    CHECK_EQ(start(r, "good", 1), 202);
    BED_UNTIL(get(r, "/jobs/good") == 200 && strstr(answer_text, "delivering"), 15000);
    CHECK_EQ(kill(trainer, SIGKILL), 0);
    CHECK_EQ(waitpid(trainer, &status, 0), trainer);
    BED_UNTIL(!alive(worker), 2000);
    atomic_store(&r->bed->down, 0);

    rig_up(r);
    BED_UNTIL(says(r, "wait", "failed"), 10000);
    CHECK(strstr(bed_job(r->bed, "wait")->last, "trainer_restarted"));
    CHECK(strstr(bed_job(r->bed, "wait")->last, "\"retryable\":true"));
    BED_UNTIL(says(r, "good", "completed"), 10000);
    j = bed_job(r->bed, "good");
    CHECK(strstr(j->kinds, "epoch checkpoint epoch checkpoint checkpoint completed "));
    CHECK_EQ(j->gaps, 0);
    BED_UNTIL(job_is(r, "wait", "ended") && job_is(r, "good", "ended"), 5000);
    CHECK_EQ(start(r, "wait", 2), 202); /* and work goes on */
    rig_free(r);
}

TEST(two_trainers_cannot_share_a_folder)
{
    struct rig *r = rig_new(1);
    struct trainer *other = NULL;
    struct err e = {0};

    CHECK_EQ(trainer_open(&other, &r->c, &e), RC_CONFLICT);
    rig_free(r);
}

TEST(a_drain_stops_workers_and_reports_them_as_retryable)
{
    struct rig *r = rig_new(1);
    pid_t pid;

    CHECK_EQ(start(r, "wait", 1), 202);
    BED_UNTIL(says(r, "wait", "started"), 10000);
    pid = worker_pid(r, "wait");
    trainer_drain(r->t, 5000);
    CHECK(!alive(pid));
    CHECK(says(r, "wait", "failed"));
    CHECK(strstr(bed_job(r->bed, "wait")->last, "trainer_stopped"));
    rig_free(r);
}

TEST(orders_that_make_no_sense_are_refused_with_the_field_at_fault)
{
    static const struct {
        const char *field, *id, *config, *framework, *version, *uri, *callback;
    } bad[] = {
        {"job_id", "../x", NULL, NULL, NULL, NULL, NULL},
        {"framework", "a", NULL, "timm", NULL, NULL, NULL},
        {"dataset_version", "a", NULL, NULL, "v1", NULL, NULL},
        {"dataset_s3_uri", "a", NULL, NULL, NULL, "http://x/y", NULL},
        {"callback_url", "a", NULL, NULL, NULL, NULL, "file:///etc/passwd"},
        {"epocs", "a", "{\"epocs\":3}", NULL, NULL, NULL, NULL},
        {"epochs", "a", "{\"epochs\":-3}", NULL, NULL, NULL, NULL},
    };
    struct rig *r = rig_new(1);

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct start_order o = bed_order(r->bed, bad[i].id, 1);
        char want[80];

        o.config = bad[i].config ? str_of(bad[i].config) : o.config;
        o.framework = bad[i].framework ? str_of(bad[i].framework) : o.framework;
        o.dataset_version = bad[i].version ? str_of(bad[i].version) : o.dataset_version;
        o.dataset_s3_uri = bad[i].uri ? str_of(bad[i].uri) : o.dataset_s3_uri;
        o.callback_url = bad[i].callback ? str_of(bad[i].callback) : o.callback_url;
        snprintf(want, sizeof want, "\"field\":\"%s\"", bad[i].field);
        CHECK_EQ(start_order_send(r, &o), 400);
        if (!strstr(answer_text, want))
            test_fail(__FILE__, __LINE__, "%s: %s", bad[i].field, answer_text);
    }
    rig_free(r);
}

TEST(nothing_but_health_answers_without_the_token)
{
    static const struct {
        enum http_method m;
        const char *path;
    } all[] = {{HTTP_POST, "/training/start"}, {HTTP_POST, "/train"},    {HTTP_GET, "/jobs"},
               {HTTP_GET, "/jobs/a"},          {HTTP_DELETE, "/jobs/a"}, {HTTP_GET, "/models"},
               {HTTP_GET, "/models/list"},     {HTTP_POST, "/predict"}};
    struct rig *r = rig_new(1);

    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        CHECK_EQ(call(r, all[i].m, all[i].path, "other-token", "text/plain", STR_NONE), 401);
        CHECK_EQ(call(r, all[i].m, all[i].path, "", "text/plain", STR_NONE), 401);
    }
    CHECK_EQ(call(r, HTTP_GET, "/health", "", "text/plain", STR_NONE), 200);
    CHECK(strstr(answer_text, "\"status\":\"ok\""));
    CHECK_EQ(get(r, "/nothing"), 404);
    CHECK_EQ(call(r, HTTP_DELETE, "/models", "service-token", "text/plain", STR_NONE), 405);
    CHECK_EQ(get(r, "/models"), 200);
    CHECK(strstr(answer_text, "\"tiny\"") && strstr(answer_text, "\"learning_rate\""));
    rig_free(r);
}

TEST(without_a_token_it_listens_on_loopback_alone)
{
    static const char *const wide[] = {"0.0.0.0:0", "[::]:0", ":0", "10.0.0.1:0"};
    struct trainer_config c = {.dir = test_dir()};
    struct trainer *t = NULL;
    struct err e;

    for (size_t i = 0; i < 4; i++) {
        c.listen = wide[i];
        e = (struct err){0};
        CHECK_EQ(trainer_open(&t, &c, &e), RC_INVALID);
        CHECK_STR(str_of(e.field), "listen");
    }
}

/* ---- predict */

static int predict(struct rig *r, const char *const *pictures, size_t n)
{
    char sha[SHA256_HEX + 1];
    struct buf b;
    int status;

    sha256_hex(STR("the weights"), sha);
    bed_put(r->bed, "weights", STR("the weights"));
    buf_init(&b, 1 << 20);
    buf_printf(
        &b,
        "--xx\r\nContent-Disposition: form-data; name=\"request\"\r\n\r\n{\"weights_sha256\":"
        "\"%s\",\"weights_url\":\"http://127.0.0.1:%d/s3/weights?sig=ok\"}\r\n",
        sha, r->bed->port);
    for (size_t i = 0; i < n; i++)
        buf_printf(
            &b,
            "--xx\r\nContent-Disposition: form-data; name=\"image\"; filename=\"p%zu.jpg\"\r\n\r\n"
            "%s\r\n",
            i, pictures[i]);
    buf_puts(&b, "--xx--\r\n");
    status = call(r, HTTP_POST, "/predict", "service-token", "multipart/form-data; boundary=xx",
                  buf_view(&b));
    buf_done(&b);
    return status;
}

TEST(a_warm_predictor_answers_and_is_replaced_when_it_dies_hangs_or_babbles)
{
    static const char *const fine[] = {"first", "second!"}, *const die[] = {"please die"};
    static const char *const hang[] = {"please hang"}, *const nonsense[] = {"nonsense"};
    struct rig *r = rig_new(1);
    char first[1000];

    CHECK_EQ(predict(r, fine, 2), 200);
    CHECK(strstr(answer_text, "\"p0.jpg\"") && strstr(answer_text, "\"p1.jpg\""));
    CHECK(strstr(answer_text, "\"class_id\":12")); /* all bytes of both, and no more */
    snprintf(first, sizeof first, "%.900s", answer_text);
    CHECK_EQ(predict(r, fine, 2), 200);
    CHECK_STR(str_of(answer_text), first); /* the same process */
    CHECK_EQ(predict(r, die, 1), 502);
    CHECK(strstr(answer_text, "died"));
    CHECK_EQ(predict(r, fine, 2), 200);
    CHECK(strcmp(answer_text, first) != 0);
    CHECK_EQ(predict(r, nonsense, 1), 502);
    CHECK_EQ(predict(r, hang, 1), 504);
    CHECK_EQ(predict(r, fine, 2), 200);
    CHECK_EQ(predict(r, fine, 0), 400);
    rig_free(r);
}
