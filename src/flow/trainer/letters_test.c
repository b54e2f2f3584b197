/* letters_test.c - what happens to a request where the backend cannot be reached. */
#include "flow/trainer/letters.c"

#include "base/test.h"

#define NOWHERE "http://127.0.0.1:1" /* refused at once */

struct sender {
    struct letters *l;
    const char *url;
    const char *body;
    atomic_bool cancel;
    struct buf reply;
    struct client_reply ret;
    struct err e;
    enum rc rc;
    pthread_t thread;
};

static void *send_main(void *ud)
{
    struct sender *s = ud;
    static const char *const headers[] = {"Authorization: Bearer secret", NULL};
    const struct client_call call = {.method = HTTP_POST,
                                     .url = s->url,
                                     .headers = headers,
                                     .body = str_of(s->body),
                                     .reply = &s->reply,
                                     .cancel = &s->cancel};

    s->rc = letters_post(s->l, &call, &s->ret, &s->e);
    return NULL;
}

static void send_begin(struct sender *s, struct letters *l, const char *url, const char *body)
{
    *s = (struct sender){.l = l, .url = url, .body = body};
    buf_init(&s->reply, 1 << 20);
    CHECK(pthread_create(&s->thread, NULL, send_main, s) == 0);
}

static void send_end(struct sender *s)
{
    CHECK(pthread_join(s->thread, NULL) == 0);
    buf_done(&s->reply);
}

static void wait_until(struct letters *l, const char *job, int64_t n)
{
    while (letters_waiting(l, str_of(job)) != n)
        sched_yield();
}

static struct letters *letters_of(int64_t wait_ms)
{
    struct letters *l;
    struct err e;

    client_setup();
    CHECK_OK(letters_new(&l, wait_ms, &e), &e);
    return l;
}

TEST(a_letter_is_seen_by_its_job_alone_and_its_answer_is_the_reply)
{
    struct letters *l = letters_of(0);
    struct sender s;
    struct arena a;
    struct letter *list;
    size_t n;
    struct err e;

    arena_init(&a, 1 << 20);
    send_begin(&s, l, NOWHERE "/training/jobs/j1/uploads", "{\"a\":\"\\\"\"}");
    wait_until(l, "j1", 1);
    CHECK_EQ(letters_waiting(l, STR("j")), 0);
    CHECK_OK(letters_fetch(l, STR("j2"), &a, &list, &n, &e), &e);
    CHECK_EQ(n, 0);
    CHECK_OK(letters_fetch(l, STR("j1"), &a, &list, &n, &e), &e);
    CHECK_EQ(n, 1);
    CHECK(str_is(list[0].route, "uploads") && str_is(list[0].token, "secret") &&
          str_is(list[0].body, s.body));

    struct letter_answer answer = {list[0].id, 409, STR("{\"expected_seq\":3}")};
    CHECK_EQ(letters_answer(l, STR("j2"), &answer, &e), RC_NOT_FOUND); /* not that job's */
    CHECK_OK(letters_answer(l, STR("j1"), &answer, &e), &e);
    CHECK_EQ(letters_answer(l, STR("j1"), &answer, &e), RC_NOT_FOUND); /* once */
    CHECK(pthread_join(s.thread, NULL) == 0);
    CHECK_OK(s.rc, &s.e);
    CHECK_EQ(s.ret.status, 409);
    CHECK(str_eq(buf_view(&s.reply), answer.body));
    buf_done(&s.reply);
    CHECK_EQ(letters_waiting(l, STR("j1")), 0);
    arena_done(&a);
    letters_free(l);
}

TEST(a_letter_nobody_fetches_gives_the_error_of_the_direct_way)
{
    struct letters *l = letters_of(20);
    struct sender s;

    send_begin(&s, l, NOWHERE "/training/jobs/j1/callback", "{}");
    send_end(&s);
    CHECK_EQ(s.rc, RC_UNAVAILABLE);
    CHECK(s.e.text[0]);
    CHECK(!l->list && l->n == 0);
    letters_free(l);
}

TEST(cancelling_ends_the_wait_for_an_answer)
{
    struct letters *l = letters_of(0);
    struct sender s;

    send_begin(&s, l, NOWHERE "/training/jobs/j1/callback", "{}");
    wait_until(l, "j1", 1);
    atomic_store(&s.cancel, true);
    send_end(&s);
    CHECK_EQ(s.rc, RC_CANCELLED);
    CHECK(!l->list);
    letters_free(l);
}

TEST(only_what_the_backend_offers_becomes_a_letter)
{
    static const char *const urls[] = {
        NOWHERE "/elsewhere",
        NOWHERE "/training/jobs/j1",
        NOWHERE "/training/jobs//callback",
        NOWHERE "/training/jobs/j1/",
        NOWHERE "/training/jobs/j1/a/b",
    };
    struct letters *l = letters_of(0);

    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        struct sender s;
        send_begin(&s, l, urls[i], "{}");
        send_end(&s); /* at once: it does not wait for anybody */
        CHECK_EQ(s.rc, RC_UNAVAILABLE);
    }
    letters_free(l);
}

TEST(an_answer_that_is_too_large_is_refused_and_the_letter_waits_on)
{
    struct letters *l = letters_of(0);
    static char large[(1 << 20) + 16];
    struct arena a;
    struct sender s;
    struct letter *list;
    size_t n;
    struct err e;

    arena_init(&a, 1 << 20);
    memset(large, ' ', sizeof large);
    send_begin(&s, l, NOWHERE "/training/jobs/j1/callback", "{}");
    wait_until(l, "j1", 1);
    CHECK_OK(letters_fetch(l, STR("j1"), &a, &list, &n, &e), &e);
    struct letter_answer answer = {list[0].id, 200, {large, sizeof large}};
    CHECK(letters_answer(l, STR("j1"), &answer, &e) != RC_OK);
    CHECK_EQ(letters_waiting(l, STR("j1")), 1);
    answer.body = STR("{}");
    CHECK_OK(letters_answer(l, STR("j1"), &answer, &e), &e);
    send_end(&s);
    CHECK_OK(s.rc, &s.e);
    arena_done(&a);
    letters_free(l);
}

TEST(while_letters_are_fetched_the_way_that_failed_is_not_tried_first)
{
    struct letters *l = letters_of(0);
    struct sender first, second;
    struct arena a;
    struct letter *list;
    size_t n;
    struct err e;

    arena_init(&a, 1 << 20);
    CHECK(!go_by_letter(l));
    send_begin(&first, l, NOWHERE "/training/jobs/j1/callback", "1");
    wait_until(l, "j1", 1);
    CHECK(!go_by_letter(l)); /* nobody has come yet */
    CHECK_OK(letters_fetch(l, STR("j1"), &a, &list, &n, &e), &e);
    CHECK(go_by_letter(l));
    send_begin(&second, l, NOWHERE "/training/jobs/j1/callback", "2");
    wait_until(l, "j1", 2);
    CHECK_OK(letters_fetch(l, STR("j1"), &a, &list, &n, &e), &e);
    CHECK(n == 2 && str_is(list[0].body, "1") && str_is(list[1].body, "2")); /* oldest first */
    for (size_t i = 0; i < n; i++)
        CHECK_OK(
            letters_answer(l, STR("j1"), &(struct letter_answer){list[i].id, 200, STR("{}")}, &e),
            &e);
    send_end(&first);
    send_end(&second);
    arena_done(&a);
    letters_free(l);
}
