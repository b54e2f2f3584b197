/* outbox_test.c - delivery in order, once, and across restarts, to a backend that misbehaves. */
#include "flow/trainer/outbox.c"

#include <errno.h>

#include "flow/trainer/testbed.h"

struct seen {
    atomic_int cancels, overs, dones;
};

static void on_event(void *ud, enum box_event ev, const char *why)
{
    struct seen *s = ud;

    atomic_fetch_add(ev == BOX_CANCEL ? &s->cancels : ev == BOX_OVER ? &s->overs : &s->dones, 1);
}

static struct outbox *opened(int64_t timeout_ms)
{
    struct outbox_config c = {.timeout_ms = timeout_ms, .retry_min_ms = 20, .retry_max_ms = 100};
    struct outbox *o = NULL;
    struct err e = {0};
    char dir[600];

    snprintf(dir, sizeof dir, "%s/outbox", test_dir());
    c.dir = dir;
    CHECK_OK(outbox_open(&o, &c, &e), &e);
    return o;
}

static struct postbox *box_for(struct outbox *o, struct bed *b, const char *id, int64_t attempt,
                               struct seen *s)
{
    struct start_order order = bed_order(b, id, attempt);
    struct postbox *box = NULL;
    struct err e = {0};

    CHECK_OK(box_open(&box, o, &order, on_event, s, &e), &e);
    return box;
}

static enum rc put_kind(struct postbox *box, int kind, int64_t epoch)
{
    struct report r = {.kind = kind, .epoch = epoch, .time = os_now_ms()};

    return box_put(box, &r, NULL);
}

static bool folder_is_there(const char *name)
{
    char path[700];

    snprintf(path, sizeof path, "%s/outbox/%s", test_dir(), name);
    return os_exists(path);
}

TEST(reports_arrive_in_order_and_the_folder_goes_with_the_last)
{
    struct bed *b = bed_new();
    struct outbox *o = opened(2000);
    struct seen s = {0};
    struct postbox *box = box_for(o, b, "a", 1, &s);

    CHECK_EQ(put_kind(box, REPORT_STARTED, 0), RC_OK);
    for (int i = 1; i <= 50; i++)
        CHECK_EQ(put_kind(box, REPORT_EPOCH, i), RC_OK);
    CHECK_EQ(put_kind(box, REPORT_COMPLETED, 50), RC_OK);
    CHECK_EQ(put_kind(box, REPORT_LOG, 50), RC_GONE); /* nothing after the end */
    BED_UNTIL(atomic_load(&s.dones) == 1, 10000);
    CHECK_EQ(bed_job(b, "a")->applied, 52);
    CHECK_EQ(bed_job(b, "a")->gaps, 0);
    CHECK_EQ(bed_job(b, "a")->duplicates, 0);
    CHECK(!folder_is_there("a-1"));
    box_free(box);
    outbox_close(o);
    bed_free(b);
}

TEST(a_lost_reply_is_repeated_and_applied_once)
{
    struct bed *b = bed_new();
    struct outbox *o = opened(2000);
    struct seen s = {0};
    struct postbox *box = box_for(o, b, "a", 1, &s);

    atomic_store(&b->lose_replies, 3);
    CHECK_EQ(put_kind(box, REPORT_STARTED, 0), RC_OK);
    CHECK_EQ(put_kind(box, REPORT_EPOCH, 1), RC_OK);
    CHECK_EQ(put_kind(box, REPORT_COMPLETED, 1), RC_OK);
    BED_UNTIL(atomic_load(&s.dones) == 1, 10000);
    CHECK_STR(str_of(bed_job(b, "a")->kinds), "started epoch completed ");
    CHECK_EQ(bed_job(b, "a")->duplicates, 3);
    box_free(box);
    outbox_close(o);
    bed_free(b);
}

TEST(reports_wait_for_a_backend_that_is_away_and_keep_their_order)
{
    struct bed *b = bed_new();
    struct outbox *o = opened(2000);
    struct seen s = {0};
    struct postbox *box = box_for(o, b, "a", 1, &s);
    int port = b->port;

    http_server_free(b->http); /* nobody listens at all */
    for (int i = 0; i < 5; i++)
        CHECK_EQ(put_kind(box, REPORT_EPOCH, i), RC_OK);
    os_sleep_ms(300);
    CHECK_EQ(box_undelivered(box), 5);
    atomic_store(&b->down, 1);
    bed_listen(b, port); /* back, but not yet able to work */
    BED_UNTIL(atomic_load(&b->calls) >= 2, 5000);
    CHECK_EQ(box_undelivered(box), 5);
    atomic_store(&b->down, 0);
    CHECK(outbox_flush(o, 5000));
    CHECK_STR(str_of(bed_job(b, "a")->kinds), "epoch epoch epoch epoch epoch ");
    CHECK_EQ(bed_job(b, "a")->gaps, 0);
    box_free(box);
    outbox_close(o);
    bed_free(b);
}

TEST(one_dead_callback_address_does_not_hold_up_the_others)
{
    struct bed *b = bed_new();
    struct outbox *o = opened(2000);
    struct seen s = {0};
    struct start_order dead = bed_order(b, "dead", 1);
    struct postbox *boxes[OUTBOX_THREADS + 2], *live;
    struct err e = {0};

    dead.callback_url = STR("http://127.0.0.1:1/cb/dead");
    for (size_t i = 0; i < OUTBOX_THREADS + 2; i++) {
        char id[20];
        snprintf(id, sizeof id, "dead%zu", i);
        dead.job_id = str_of(id);
        CHECK_OK(box_open(&boxes[i], o, &dead, on_event, &s, &e), &e);
        CHECK_EQ(put_kind(boxes[i], REPORT_STARTED, 0), RC_OK);
    }
    live = box_for(o, b, "live", 1, &s);
    CHECK_EQ(put_kind(live, REPORT_STARTED, 0), RC_OK);
    BED_UNTIL(bed_job(b, "live")->applied == 1, 5000);
    for (size_t i = 0; i < OUTBOX_THREADS + 2; i++)
        box_free(boxes[i]);
    box_free(live);
    outbox_close(o);
    bed_free(b);
}

TEST(a_backend_that_lost_reports_gets_them_again)
{
    struct bed *b = bed_new();
    struct outbox *o = opened(2000);
    struct seen s = {0};
    struct postbox *box = box_for(o, b, "a", 1, &s);

    for (int i = 0; i < 6; i++)
        CHECK_EQ(put_kind(box, REPORT_EPOCH, i), RC_OK);
    CHECK(outbox_flush(o, 5000));
    pthread_mutex_lock(&b->mu);
    bed_find(b, STR("a"))->last_seq = 2; /* restored from a copy that is older */
    pthread_mutex_unlock(&b->mu);
    CHECK_EQ(put_kind(box, REPORT_EPOCH, 6), RC_OK);
    BED_UNTIL(bed_job(b, "a")->last_seq == 7, 5000);
    CHECK_EQ(bed_job(b, "a")->applied, 6 + 5);
    CHECK_EQ(atomic_load(&s.overs), 0);
    box_free(box);
    outbox_close(o);
    bed_free(b);
}

TEST(a_backend_that_asks_for_what_is_gone_ends_the_attempt)
{
    struct bed *b = bed_new();
    struct outbox *o = opened(2000);
    struct seen s = {0};
    struct postbox *box = box_for(o, b, "a", 1, &s);

    for (int i = 0; i < OUTBOX_KEEP + 10; i++)
        CHECK_EQ(put_kind(box, REPORT_EPOCH, i), RC_OK);
    CHECK(outbox_flush(o, 10000));
    pthread_mutex_lock(&b->mu);
    bed_find(b, STR("a"))->last_seq = 0;
    pthread_mutex_unlock(&b->mu);
    CHECK_EQ(put_kind(box, REPORT_EPOCH, 99), RC_OK);
    BED_UNTIL(atomic_load(&s.overs) == 1, 5000);
    CHECK(!folder_is_there("a-1"));
    CHECK_EQ(put_kind(box, REPORT_EPOCH, 100), RC_GONE);
    box_free(box);
    outbox_close(o);
    bed_free(b);
}

TEST(a_backend_that_asks_for_the_same_again_and_again_is_not_hammered)
{
    struct bed *b = bed_new();
    struct outbox *o = opened(2000);
    struct seen s = {0};
    struct postbox *box = box_for(o, b, "a", 1, &s);
    int64_t until = os_mono_ms() + 500;

    CHECK_EQ(put_kind(box, REPORT_STARTED, 0), RC_OK);
    while (os_mono_ms() < until) {
        atomic_store(&b->resync_once, 1);
        os_sleep_ms(1);
    }
    CHECK(atomic_load(&b->calls) < 40);
    atomic_store(&b->resync_once, 0);
    BED_UNTIL(bed_job(b, "a")->applied == 1, 5000);
    box_free(box);
    outbox_close(o);
    bed_free(b);
}

TEST(an_attempt_that_is_over_for_the_backend_is_dropped)
{
    static const int refusals[] = {401, 403, 404, 410};
    struct bed *b = bed_new();
    struct outbox *o = opened(2000);
    struct seen s = {0};

    for (size_t i = 0; i < 4; i++) {
        char id[20];
        snprintf(id, sizeof id, "a%zu", i);
        struct postbox *box = box_for(o, b, id, 1, &s);
        atomic_store(&b->refuse, refusals[i]);
        CHECK_EQ(put_kind(box, REPORT_STARTED, 0), RC_OK);
        BED_UNTIL(atomic_load(&s.overs) == (int)i + 1, 5000);
        CHECK_EQ(box_undelivered(box), 0);
        snprintf(id, sizeof id, "a%zu-1", i);
        CHECK(!folder_is_there(id));
        box_free(box);
    }
    outbox_close(o);
    bed_free(b);
}

TEST(a_report_that_the_backend_cannot_take_becomes_a_failure_that_says_why)
{
    struct bed *b = bed_new();
    struct outbox *o = opened(2000);
    struct seen s = {0};
    struct postbox *box = box_for(o, b, "a", 1, &s);

    CHECK_EQ(put_kind(box, REPORT_STARTED, 0), RC_OK);
    CHECK(outbox_flush(o, 5000));
    atomic_store(&b->refuse, 422);
    CHECK_EQ(put_kind(box, REPORT_EPOCH, 1), RC_OK);
    BED_UNTIL(atomic_load(&s.cancels) >= 1, 5000);
    atomic_store(&b->refuse, 0);
    BED_UNTIL(atomic_load(&s.dones) + atomic_load(&s.overs) >= 1, 5000);
    CHECK(put_kind(box, REPORT_EPOCH, 2) == RC_GONE);
    if (atomic_load(&s.dones)) { /* the refusal ended before the replacement was sent */
        CHECK_STR(str_of(bed_job(b, "a")->kinds), "started failed ");
        CHECK(strstr(bed_job(b, "a")->last, "report_refused"));
        CHECK(strstr(bed_job(b, "a")->last, "told to refuse"));
    }
    box_free(box);
    outbox_close(o);
    bed_free(b);
}

TEST(a_stale_attempt_is_dropped_and_a_cancel_is_passed_on)
{
    struct bed *b = bed_new();
    struct outbox *o = opened(2000);
    struct seen s = {0}, s2 = {0};
    struct postbox *old, *box;

    pthread_mutex_lock(&b->mu);
    bed_find(b, STR("a"))->attempt = 2;
    bed_find(b, STR("a"))->cancel = true;
    pthread_mutex_unlock(&b->mu);
    old = box_for(o, b, "a", 1, &s);
    CHECK_EQ(put_kind(old, REPORT_STARTED, 0), RC_OK);
    BED_UNTIL(atomic_load(&s.overs) == 1, 5000);
    box = box_for(o, b, "a", 2, &s2);
    CHECK_EQ(put_kind(box, REPORT_STARTED, 0), RC_OK);
    BED_UNTIL(atomic_load(&s2.cancels) == 1, 5000);
    CHECK_EQ(atomic_load(&s2.overs), 0);
    CHECK_EQ(bed_job(b, "a")->applied, 1);
    box_free(old);
    box_free(box);
    outbox_close(o);
    bed_free(b);
}

static enum rc name_of(void *ud, const char *name, bool is_dir, struct err *e)
{
    snprintf(ud, 100, "%s", name);
    return RC_OK;
}

TEST(after_a_restart_numbers_go_on_and_nothing_is_applied_twice)
{
    struct bed *b = bed_new();
    struct outbox *o = opened(2000);
    struct seen s = {0};
    struct postbox *box = box_for(o, b, "a", 3, &s);
    struct start_order order = {0};
    struct arena a;
    struct err e = {0};
    char name[100] = "";
    bool ended = true;

    pthread_mutex_lock(&b->mu);
    bed_find(b, STR("a"))->attempt = 3;
    pthread_mutex_unlock(&b->mu);
    for (int i = 0; i < OUTBOX_KEEP + 5; i++)
        CHECK_EQ(put_kind(box, REPORT_EPOCH, i), RC_OK);
    CHECK(outbox_flush(o, 10000));
    atomic_store(&b->down, 1);
    CHECK_EQ(put_kind(box, REPORT_EPOCH, 50), RC_OK);
    box_free(box); /* as a crash leaves it */
    outbox_close(o);

    o = opened(2000);
    arena_init(&a, 1 << 20);
    CHECK_OK(outbox_each(o, name_of, name, &e), &e);
    CHECK_STR(str_of(name), "a-3");
    CHECK_OK(box_recover(&box, o, name, on_event, &s, &a, &order, &ended, &e), &e);
    CHECK(!ended);
    CHECK_STR(order.token, BED_TOKEN);
    CHECK_EQ(order.attempt, 3);
    atomic_store(&b->down, 0);
    CHECK_EQ(put_kind(box, REPORT_FAILED, 50), RC_OK);
    BED_UNTIL(atomic_load(&s.dones) == 1, 10000);
    CHECK_EQ(bed_job(b, "a")->applied, OUTBOX_KEEP + 5 + 2);
    CHECK_EQ(bed_job(b, "a")->gaps, 0);
    CHECK(bed_job(b, "a")->duplicates <= OUTBOX_KEEP);
    CHECK(!folder_is_there("a-3"));
    box_free(box);
    outbox_close(o);
    arena_done(&a);
    bed_free(b);
}

TEST(a_report_cut_off_on_disk_never_had_its_number)
{
    struct bed *b = bed_new();
    struct outbox *o;
    struct seen s = {0};
    struct start_order order = {0};
    struct postbox *box;
    struct arena a;
    struct err e = {0};
    char path[700];
    bool ended = true;

    o = opened(2000);
    box_free(box_for(o, b, "a", 1, &s));
    snprintf(path, sizeof path, "%s/outbox/a-1/1.json.00ff.tmp", test_dir());
    CHECK_OK(os_write_file_durable(path, STR("{\"att"), 0600, &e), &e);
    arena_init(&a, 1 << 20);
    CHECK_OK(box_recover(&box, o, "a-1", on_event, &s, &a, &order, &ended, &e), &e);
    CHECK(!ended);
    CHECK_EQ(put_kind(box, REPORT_FAILED, 0), RC_OK);
    BED_UNTIL(atomic_load(&s.dones) == 1, 5000);
    CHECK_EQ(bed_job(b, "a")->last_seq, 1);
    box_free(box);
    snprintf(path, sizeof path, "%s/outbox/b-1", test_dir());
    CHECK_OK(os_mkdirs(path, 0700, &e), &e); /* a crash before the order was written */
    CHECK_EQ(box_recover(&box, o, "b-1", on_event, &s, &a, &order, &ended, &e), RC_NOT_FOUND);
    CHECK(!folder_is_there("b-1"));
    outbox_close(o);
    arena_done(&a);
    bed_free(b);
}

static int (*real_fsync)(int);
static int no_fsync(int fd)
{
    errno = EIO;
    return -1;
}

TEST(a_report_that_cannot_be_made_durable_has_no_number_and_is_not_sent)
{
    struct bed *b = bed_new();
    struct outbox *o = opened(2000);
    struct seen s = {0};
    struct postbox *box = box_for(o, b, "a", 1, &s);

    real_fsync = os_sys.fsync;
    os_sys.fsync = no_fsync;
    CHECK(put_kind(box, REPORT_STARTED, 0) != RC_OK);
    os_sys.fsync = real_fsync;
    os_sleep_ms(50);
    CHECK_EQ(atomic_load(&b->calls), 0);
    CHECK_EQ(put_kind(box, REPORT_STARTED, 0), RC_OK);
    BED_UNTIL(bed_job(b, "a")->applied == 1, 5000);
    CHECK_EQ(bed_job(b, "a")->last_seq, 1);
    box_free(box);
    outbox_close(o);
    bed_free(b);
}

TEST(without_memory_a_report_is_refused_or_whole_and_no_number_is_lost)
{
    struct bed *b = bed_new();
    struct outbox *o = opened(2000);
    struct seen s = {0};
    struct postbox *box = box_for(o, b, "a", 1, &s);
    struct start_order order = bed_order(b, "b", 1);
    int put = 0, port = b->port;

    http_server_free(b->http);      /* or its allocations would fail as well */
    for (long i = 0; i < 20; i++) { /* each allocation in turn, the delivery's own among them */
        struct postbox *other = NULL;
        enum rc rc;

        mem_fail_at(i);
        rc = put_kind(box, REPORT_EPOCH, i);
        (void)mem_fail_disarm();
        CHECK(rc == RC_OK || rc == RC_NOMEM);
        put += !rc;
        mem_fail_at(i);
        rc = box_open(&other, o, &order, on_event, &s, NULL);
        (void)mem_fail_disarm();
        CHECK(rc == RC_OK || rc == RC_NOMEM);
        box_free(other);
    }
    bed_listen(b, port);
    CHECK_EQ(put_kind(box, REPORT_COMPLETED, 0), RC_OK);
    BED_UNTIL(atomic_load(&s.dones) == 1, 10000);
    CHECK_EQ(bed_job(b, "a")->applied, put + 1);
    CHECK_EQ(bed_job(b, "a")->gaps, 0);
    box_free(box);
    outbox_close(o);
    bed_free(b);
}
