/* registry_test.c - names, arrows, publications and their order, links, rates. */
#include "base/test.h"
#include "flow/registry/rate.c"
#include "flow/registry/registry.c"
/* What the *_sql.c files hold is reached through registry.h: they are linked. */

static struct db *db;
static struct arena arena;
static struct err err;
static const struct registry_who ada = {{"ada", 3}, {"Ada", 3}}, bob = {{"bob", 3}, {"Bob", 3}};
static int64_t now = 1000;

static void account(str id)
{
    struct tx *tx;

    CHECK_OK(db_begin(db, DB_WRITE, &tx, &err), &err);
    CHECK_OK(tx_exec(tx, &err,
                     "INSERT INTO \"user\" (id, email, name, role, created_at, updated_at)"
                     " VALUES (?, ?, ?, 'manager', 1, 1)",
                     db_s(id), db_s(id), db_s(id)),
             &err);
    CHECK_OK(tx_commit(tx, &err), &err);
}

static void set_up(void)
{
    char url[300];

    arena_init(&arena, 64 << 20);
    snprintf(url, sizeof url, "sqlite:%s/r.db", test_dir());
    CHECK_OK(db_open(&db, url, &err), &err);
    CHECK_OK(db_migrate(db, &err), &err);
    account(ada.id);
    account(bob.id);
}

static void tear_down(void)
{
    db_close(db);
    arena_done(&arena);
}

static struct registry_version version_of(char letter)
{
    char *hex = arena_alloc(&arena, SHA256_HEX + 1);

    memset(hex, letter, SHA256_HEX);
    hex[SHA256_HEX] = 0;
    return (struct registry_version){.notes = STR(""),
                                     .job_id = STR("job"),
                                     .job_name = STR("a job"),
                                     .framework = STR("anneal"),
                                     .network = STR("tiny"),
                                     .goal = STR("accuracy"),
                                     .metric = STR("accuracy"),
                                     .value = 0.5,
                                     .dataset_id = STR("data"),
                                     .dataset_name = STR("data"),
                                     .dataset_version = STR("v"),
                                     .config = STR("{}"),
                                     .engine = STR(""),
                                     .weights_sha256 = str_of(hex),
                                     .weights_bytes = 7};
}

/* A model with versions of the letters, the first by registering it. */
static struct registry_model model(const char *name, const char *letters)
{
    struct registry_model m = {.name = str_of(name),
                               .project_id = STR(""),
                               .task = STR("classification"),
                               .description = STR("")},
                          made = {0};
    struct registry_version v = version_of(letters[0]);

    CHECK_OK(registry_model_add(db, &arena, &m, &v, &ada, now, &made, &err), &err);
    for (const char *l = letters + 1; *l; l++) {
        v = version_of(*l);
        CHECK_OK(registry_version_add(db, &arena, made.id, &v, &ada, now, &v, &err), &err);
    }
    return made;
}

static void evaluate(str model_id, int64_t number)
{
    char job[40];
    struct registry_evaluation v = {.model_id = model_id,
                                    .number = number,
                                    .dataset_id = STR("d"),
                                    .dataset_name = STR("d"),
                                    .dataset_version = STR("v"),
                                    .split = STR("test")};

    snprintf(job, sizeof job, "test-%.*s-%lld", 10, model_id.p + 16, (long long)number);
    v.job_id = arena_str(&arena, str_of(job));
    CHECK_OK(registry_evaluation_add(db, &v, &ada, now, &err), &err);
    CHECK_OK(registry_evaluation_end(db, &arena, v.job_id, "completed", STR("{\"accuracy\":0.9}"),
                                     STR(""), now, &err),
             &err);
}

static enum rc move(str model_id, int64_t number, enum version_verb verb)
{
    return registry_version_move(db, model_id, number, verb, STR("why"), &ada, ++now, &err);
}

static void ready(str model_id, int64_t number)
{
    evaluate(model_id, number);
    CHECK_OK(move(model_id, number, VERB_APPROVE), &err);
}

static enum rc publish(str model_id, const char *alias, int64_t number, int64_t expected)
{
    struct registry_publish p = {.model_id = model_id,
                                 .alias = str_of(alias),
                                 .note = STR(""),
                                 .number = number,
                                 .expected = expected};

    return registry_publish(db, &p, &ada, ++now, &err);
}

static enum rc roll_back(str model_id, const char *alias, int64_t *ret)
{
    struct registry_publish p = {
        .model_id = model_id, .alias = str_of(alias), .note = STR(""), .expected = PUBLISH_UNSEEN};

    return registry_rollback(db, &p, &ada, ++now, ret, &err);
}

static int state(const struct registry_model *m, const char *which)
{
    struct registry_version v = {0};

    CHECK_OK(registry_version_find(db, &arena, m, str_of(which), &v, &err), &err);
    return v.state;
}

TEST(names_are_those_that_can_stand_in_an_address)
{
    static const char *const good[] = {"a", "flowers", "v1.2_b-c", "7up"};
    static const char *const bad[] = {"",    "A",      "a b", "a/b", "7",
                                      "1.2", "latest", ".a",  "-a",  "\xc3\xa9"};
    char longest[REGISTRY_NAME_MAX + 2];

    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        CHECK_OK(registry_name_check(str_of(good[i]), "name", &err), &err);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK_EQ(registry_name_check(str_of(bad[i]), "alias", &err), RC_INVALID);
        CHECK_STR(str_of(err.field), "alias");
    }
    memset(longest, 'a', sizeof longest);
    CHECK_OK(registry_name_check((str){longest, REGISTRY_NAME_MAX}, "name", &err), &err);
    CHECK_EQ(registry_name_check((str){longest, REGISTRY_NAME_MAX + 1}, "name", &err), RC_INVALID);
}

TEST(every_verb_has_its_arrows_and_no_others)
{
    /* rows: draft, evaluated, approved, live, archived; -1: refused */
    static const int to[VERB_COUNT][5] = {
        [VERB_APPROVE] = {-1, VERSION_APPROVED, -1, -1, -1},
        [VERB_WITHDRAW] = {-1, -1, VERSION_EVALUATED, -1, -1},
        [VERB_ARCHIVE] = {VERSION_ARCHIVED, VERSION_ARCHIVED, VERSION_ARCHIVED, -1, -1},
        [VERB_RESTORE] = {-1, -1, -1, -1, VERSION_DRAFT},
    };

    for (int verb = 0; verb < VERB_COUNT; verb++)
        for (int from = 0; from < 5; from++) {
            enum version_state got = VERSION_DRAFT;
            enum rc rc =
                verb_target((enum version_verb)verb, (enum version_state)from, false, &got, &err);

            CHECK_EQ(rc, to[verb][from] < 0 ? RC_CONFLICT : RC_OK);
            if (!rc)
                CHECK_EQ((int)got, to[verb][from]);
        }
}

TEST(numbers_rise_and_the_same_weights_are_one_version)
{
    struct registry_version again;
    struct registry_model m, found;

    set_up();
    m = model("flowers", "abc");
    again = version_of('b');
    CHECK_EQ(registry_version_add(db, &arena, m.id, &again, &ada, now, &again, &err), RC_CONFLICT);
    CHECK_OK(registry_model_find(db, &arena, STR("flowers"), STR(""), &found, &err), &err);
    CHECK_EQ(found.version_last, 3);
    CHECK_EQ(found.versions, 3);
    CHECK_EQ(registry_model_find(db, &arena, STR("tulips"), STR(""), &found, &err), RC_NOT_FOUND);
    m.name = STR("flowers");
    again = version_of('z');
    CHECK_EQ(registry_model_add(db, &arena, &m, &again, &ada, now, &found, &err), RC_CONFLICT);
    tear_down();
}

TEST(publications_are_undone_one_by_one_and_archived_versions_are_skipped)
{
    struct registry_publication *was;
    struct registry_model m;
    int64_t back = 0;
    size_t n = 0;

    set_up();
    m = model("flowers", "abcd");
    m.version_last = 4;
    for (int i = 1; i <= 4; i++)
        ready(m.id, i);
    CHECK_EQ(roll_back(m.id, "production", &back), RC_NOT_FOUND);
    for (int i = 1; i <= 4; i++)
        CHECK_OK(publish(m.id, "production", i, i - 1), &err);
    CHECK_EQ(state(&m, "production"), VERSION_LIVE);
    CHECK_EQ(state(&m, "3"), VERSION_APPROVED);
    CHECK_OK(move(m.id, 3, VERB_ARCHIVE), &err);
    CHECK_OK(registry_publications(db, &arena, m.id, true, &was, &n, &err), &err);
    CHECK_EQ((int)n, 1);
    CHECK_EQ(was[0].back, 2);
    CHECK_OK(roll_back(m.id, "production", &back), &err);
    CHECK_EQ(back, 2);
    CHECK_OK(roll_back(m.id, "production", &back), &err);
    CHECK_EQ(back, 1);
    CHECK_EQ(roll_back(m.id, "production", &back), RC_CONFLICT);
    CHECK_EQ(back, 1);
    CHECK_EQ(state(&m, "1"), VERSION_LIVE);
    CHECK_EQ(state(&m, "2"), VERSION_APPROVED);
    tear_down();
}

TEST(who_has_not_seen_what_is_live_is_told_and_changes_nothing)
{
    struct registry_event *events;
    struct registry_model m;
    size_t n = 0, later = 0;

    set_up();
    m = model("flowers", "ab");
    m.version_last = 2;
    ready(m.id, 1);
    ready(m.id, 2);
    CHECK_OK(publish(m.id, "production", 1, 0), &err);
    CHECK_OK(registry_events(db, &arena, m.id, 0, 100, &events, &n, &err), &err);
    CHECK_EQ(publish(m.id, "production", 2, 0), RC_CONFLICT);
    CHECK_EQ(publish(m.id, "production", 3, 1), RC_NOT_FOUND);
    CHECK_EQ(publish(m.id, "Production", 2, 1), RC_INVALID);
    CHECK_EQ(state(&m, "1"), VERSION_LIVE);            /* the alias was not let go of half-way */
    CHECK_OK(publish(m.id, "production", 1, 1), &err); /* it is live already */
    CHECK_OK(registry_events(db, &arena, m.id, 0, 100, &events, &later, &err), &err);
    CHECK_EQ((int)later, (int)n);
    tear_down();
}

TEST(a_version_of_two_aliases_stays_live_until_the_last_goes)
{
    struct registry_publish p = {.note = STR(""), .expected = PUBLISH_UNSEEN};
    struct registry_model m;

    set_up();
    m = model("flowers", "a");
    m.version_last = 1;
    ready(m.id, 1);
    CHECK_OK(publish(m.id, "production", 1, PUBLISH_UNSEEN), &err);
    CHECK_OK(publish(m.id, "staging", 1, PUBLISH_UNSEEN), &err);
    CHECK_EQ(move(m.id, 1, VERB_ARCHIVE), RC_CONFLICT);
    p.model_id = m.id;
    p.alias = STR("staging");
    CHECK_OK(registry_unpublish(db, &p, &ada, ++now, &err), &err);
    CHECK_EQ(state(&m, "1"), VERSION_LIVE);
    p.alias = STR("production");
    CHECK_OK(registry_unpublish(db, &p, &ada, ++now, &err), &err);
    CHECK_EQ(state(&m, "1"), VERSION_APPROVED);
    CHECK_EQ(registry_unpublish(db, &p, &ada, ++now, &err), RC_NOT_FOUND);
    tear_down();
}

TEST(a_project_may_ask_for_somebody_else)
{
    struct registry_model m;

    set_up();
    m = model("flowers", "a");
    m.version_last = 1;
    evaluate(m.id, 1);
    CHECK_OK(registry_policy_set(db, STR(""), true, &err), &err);
    CHECK_EQ(move(m.id, 1, VERB_APPROVE), RC_FORBIDDEN);
    CHECK_EQ(state(&m, "1"), VERSION_EVALUATED);
    CHECK_OK(registry_version_move(db, m.id, 1, VERB_APPROVE, STR(""), &bob, now, &err), &err);
    CHECK_EQ(state(&m, "1"), VERSION_APPROVED);
    tear_down();
}

TEST(an_evaluation_ends_once_and_one_that_failed_leaves_a_draft)
{
    struct registry_evaluation v = {.number = 1,
                                    .job_id = STR("j"),
                                    .dataset_id = STR("d"),
                                    .dataset_name = STR("d"),
                                    .dataset_version = STR("v"),
                                    .split = STR("val")},
                               *list;
    struct registry_model m;
    size_t n = 0;

    set_up();
    m = model("flowers", "a");
    m.version_last = 1;
    v.model_id = m.id;
    CHECK_OK(registry_evaluation_add(db, &v, &ada, now, &err), &err);
    CHECK_EQ(registry_evaluation_add(db, &v, &ada, now, &err), RC_CONFLICT);
    CHECK_OK(registry_evaluation_end(db, &arena, STR("another"), "completed", STR("{}"), STR(""),
                                     now, &err),
             &err);
    CHECK_OK(registry_evaluation_end(db, &arena, STR("j"), "failed", STR("{}"), STR("no memory"),
                                     now, &err),
             &err);
    CHECK_EQ(state(&m, "1"), VERSION_DRAFT);
    CHECK_OK(
        registry_evaluation_end(db, &arena, STR("j"), "completed", STR("{}"), STR(""), now, &err),
        &err);
    CHECK_EQ(state(&m, "1"), VERSION_DRAFT);
    CHECK_OK(registry_evaluations(db, &arena, m.id, 1, &list, &n, &err), &err);
    CHECK_EQ((int)n, 1);
    CHECK_STR(list[0].status, "failed");
    CHECK_STR(list[0].error, "no memory");
    tear_down();
}

TEST(the_history_cannot_be_changed)
{
    struct registry_model m;
    struct tx *tx;

    set_up();
    m = model("flowers", "a");
    CHECK_OK(db_begin(db, DB_WRITE, &tx, &err), &err);
    CHECK(tx_exec(tx, &err, "UPDATE registry_event SET by_name = 'x' WHERE model_id = ?",
                  db_s(m.id)) != RC_OK);
    tx_rollback(tx);
    CHECK_OK(db_begin(db, DB_WRITE, &tx, &err), &err);
    CHECK(tx_exec(tx, &err, "DELETE FROM registry_event WHERE model_id = ?", db_s(m.id)) != RC_OK);
    tx_rollback(tx);
    tear_down();
}

static enum rc open_link(const char *hash, int64_t at)
{
    struct registry_link l;
    struct registry_version v;
    struct registry_model m;

    return registry_link_open(db, &arena, str_of(hash), true, at, &l, &m, &v, &err);
}

TEST(a_link_opens_what_is_live_until_it_ends_or_is_revoked)
{
    struct registry_link l = {.alias = STR("production"), .title = STR("try"), .expires_at = 5000},
                         *all;
    struct registry_model m;
    size_t n = 0;

    set_up();
    now = 1000;
    m = model("flowers", "a");
    ready(m.id, 1);
    l.model_id = m.id;
    CHECK_OK(registry_link_add(db, &arena, &l, STR("hash"), &ada, 1000, &err), &err);
    CHECK_EQ(open_link("other", 2000), RC_UNAUTHENTICATED);
    CHECK_EQ(open_link("hash", 2000), RC_GONE); /* nothing is live */
    CHECK_OK(publish(m.id, "production", 1, PUBLISH_UNSEEN), &err);
    CHECK_OK(open_link("hash", 4999), &err);
    CHECK_EQ(open_link("hash", 5000), RC_GONE);
    CHECK_OK(registry_links(db, &arena, m.id, &all, &n, &err), &err);
    CHECK_EQ((int)n, 1);
    CHECK_EQ(all[0].visits, 1);
    CHECK_EQ(all[0].last_used_at, 4999);
    CHECK_OK(registry_link_revoke(db, m.id, l.id, &ada, 3000, &err), &err);
    CHECK_EQ(open_link("hash", 3000), RC_GONE);
    CHECK_EQ(registry_link_revoke(db, m.id, l.id, &ada, 3000, &err), RC_NOT_FOUND);
    tear_down();
}

TEST(a_rate_is_kept_by_each_key_alone_and_comes_back_with_time)
{
    const struct rate_limit limit = {60, 3};

    for (int i = 0; i < 3; i++)
        CHECK_OK(rate_take(STR("a"), limit, 10000, &err), &err);
    CHECK_EQ(rate_take(STR("a"), limit, 10000, &err), RC_LIMIT);
    CHECK(strstr(err.text, "1 seconds") || strstr(err.text, "2 seconds"));
    CHECK_OK(rate_take(STR("b"), limit, 10000, &err), &err);
    CHECK_EQ(rate_take(STR("a"), limit, 10500, &err), RC_LIMIT);
    CHECK_OK(rate_take(STR("a"), limit, 11001, &err), &err);
    CHECK_EQ(rate_take(STR("a"), limit, 11001, &err), RC_LIMIT);
    for (int i = 0; i < 3; i++) /* never more than the burst */
        CHECK_OK(rate_take(STR("a"), limit, 1000000, &err), &err);
    CHECK_EQ(rate_take(STR("a"), limit, 1000000, &err), RC_LIMIT);
    for (int i = 0; i < 10000; i++) { /* more keys than slots: no failure */
        char key[16];
        snprintf(key, sizeof key, "k%d", i);
        CHECK_OK(rate_take(str_of(key), limit, 2000000, &err), &err);
    }
}
