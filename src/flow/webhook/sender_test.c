/* sender_test.c - checks, the signature against the specification's own example, deliveries that
 * the database writes, and what a receiver's answers do to them. */
#include "flow/webhook/sender.c"

#include "db/testing.h"

static const char insert_job[] =
    "INSERT INTO job (id, kind, name, framework, model, dataset_id, dataset_name, dataset_version,"
    " config, goal, status, attempts_max, priority, position, created_at, updated_at) VALUES"
    " ('j1', 'train', 'a \"name\"', 'anneal', 'tiny', 'd', 'd', 'v', '{}', 'loss', 'running', 1,"
    " 50, 1, 0, 5000)";

static struct webhook make(struct db *db, struct arena *a, const char *url, const char *events)
{
    struct webhook w = {.url = str_of(url),
                        .events = str_of(events),
                        .project_id = STR(""),
                        .description = STR(""),
                        .created_by = STR("")};
    char secret[WEBHOOK_SECRET_TEXT];
    struct err e = {0};

    CHECK_OK(webhook_new(db, a, &w, secret, &e), &e);
    CHECK(strlen(secret) == 6 + 44);
    return w;
}

TEST(the_signature_is_that_of_the_specification)
{
    const char *secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const str id = STR("msg_p5jXN8AQM9LWM0D4loKWxJek"), body = STR("{\"test\": 2432232314}");
    char got[WEBHOOK_SIGNATURE_TEXT];
    struct err e = {0};

    CHECK_OK(webhook_sign(secret, id, 1614265330, body, got, &e), &e);
    CHECK(str_is(str_of(got), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="));
    CHECK(webhook_sign("whsec_not base64!", id, 0, body, got, &e) == RC_CORRUPT);
    CHECK(webhook_sign("other", id, 0, body, got, &e) == RC_CORRUPT);
}

TEST(what_is_no_url_or_no_event_is_refused_by_name)
{
    static const char *const bad[] = {"ftp://x/",      "x",           "http://",    "https:///x",
                                      "http://u:p@h/", "http://a b/", "http://a\n/"};
    struct err e = {0};

    CHECK_OK(webhook_check(STR("https://example.org/hook?x=1"), STR("job.failed"), &e), &e);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CHECK(webhook_check(str_of(bad[i]), STR("job.failed"), &e) == RC_INVALID);
        CHECK(!strcmp(e.field, "url"));
    }
    CHECK(webhook_check(STR("http://h"), STR("job.failed job.eaten"), &e) == RC_INVALID);
    CHECK(!strcmp(e.field, "events"));
    CHECK(webhook_check(STR("http://h"), STR(""), &e) == RC_INVALID);
}

TEST(a_change_of_state_writes_a_delivery_for_those_who_asked)
{
    struct db *db = test_db_open();
    struct arena a;
    struct err e = {0};
    struct due d;

    arena_init(&a, 1 << 20);
    make(db, &a, "http://h/all", "job.completed");
    make(db, &a, "http://h/other", "job.failed");
    test_db_do(db, insert_job);
    test_db_do(db, "UPDATE job SET epoch = 2"); /* no change of state */
    CHECK(delivery_due(db, &a, 1 << 30, &d, &e) == RC_NOT_FOUND);
    test_db_do(db, "UPDATE job SET status = 'completed'");
    test_db_do(db, "UPDATE job SET status = 'completed'"); /* again: nothing new */
    CHECK(delivery_due(db, &a, 4999, &d, &e) == RC_NOT_FOUND);
    CHECK_OK(delivery_due(db, &a, 5000, &d, &e), &e);
    CHECK(str_is(d.url, "http://h/all"));
    CHECK(str_find(d.body, STR("\"type\":\"job.completed\"")) >= 0);
    CHECK(str_find(d.body, STR("\"timestamp\":\"1970-01-01T00:00:05.000Z\"")) >= 0);
    CHECK(str_find(d.body, STR("a \\\"name\\\"")) >= 0);
    CHECK_OK(delivery_done(db, d.id, 204, "", 0, 6000, &e), &e);
    CHECK(delivery_due(db, &a, 1 << 30, &d, &e) == RC_NOT_FOUND);
    arena_done(&a);
    db_close(db);
}

TEST(an_inactive_webhook_hears_nothing_and_a_deleted_one_takes_its_deliveries_along)
{
    struct db *db = test_db_open();
    struct arena a;
    struct err e = {0};
    struct due d;

    arena_init(&a, 1 << 20);
    struct webhook w = make(db, &a, "http://h/", "job.completed");
    CHECK_OK(webhook_ping(db, w.id, 100, &e), &e);
    w.active = false;
    CHECK_OK(webhook_update(db, &w, &e), &e);
    CHECK(delivery_due(db, &a, 1000, &d, &e) == RC_NOT_FOUND);
    w.active = true;
    CHECK_OK(webhook_update(db, &w, &e), &e);
    CHECK_OK(delivery_due(db, &a, 1000, &d, &e), &e);
    CHECK(str_find(d.body, STR("\"data\":{}")) >= 0);
    CHECK_OK(webhook_delete(db, w.id, &e), &e);
    CHECK(delivery_due(db, &a, 1000, &d, &e) == RC_NOT_FOUND);
    CHECK(webhook_delete(db, w.id, &e) == RC_NOT_FOUND);
    CHECK(webhook_ping(db, w.id, 100, &e) == RC_NOT_FOUND);
    arena_done(&a);
    db_close(db);
}

TEST(a_receiver_that_fails_is_asked_again_later_and_given_up_at_last)
{
    struct db *db = test_db_open();
    struct webhook_sender s = {.db = db};
    struct arena a;
    struct err e = {0};
    struct due d;

    client_setup();
    arena_init(&a, 1 << 20);
    struct webhook w = make(db, &a, "http://127.0.0.1:1/", "job.completed"); /* nobody is there */
    CHECK_OK(webhook_ping(db, w.id, 1, &e), &e);
    for (int64_t n = 0; n < WEBHOOK_ATTEMPTS_MAX; n++) {
        const int64_t before = os_now_ms();
        CHECK_OK(delivery_due(db, &a, INT64_MAX / 2, &d, &e), &e);
        CHECK_EQ(d.attempts, n);
        CHECK_OK(deliver(&s, &a, &d, &e), &e);
        if (n + 1 < WEBHOOK_ATTEMPTS_MAX)
            CHECK(delivery_due(db, &a, before + pauses[n] * 1000LL - 1, &d, &e) == RC_NOT_FOUND);
    }
    CHECK(delivery_due(db, &a, INT64_MAX / 2, &d, &e) == RC_NOT_FOUND);
    CHECK_OK(webhook_get(db, &a, w.id, &w, &e), &e);
    CHECK(w.failed == 1 && w.waiting == 0);
    arena_done(&a);
    client_cleanup();
    db_close(db);
}
