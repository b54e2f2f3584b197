/* dataset_test.c - what the database keeps: names, versions, lists, differences, uploads, imports.
 */
#include "base/test.h"
#include "flow/dataset/dataset_sql.c"

static struct db *db;
static struct arena arena;
static struct err err;

static void set_up(void)
{
    char url[300];

    arena_init(&arena, 64 << 20);
    snprintf(url, sizeof url, "sqlite:%s/d.db", test_dir());
    CHECK_OK(db_open(&db, url, &err), &err);
    CHECK_OK(db_migrate(db, &err), &err);
}

static void tear_down(void)
{
    db_close(db);
    arena_done(&arena);
}

/* An import that waits, of a dataset called name. */
static struct import queue(const char *name)
{
    struct upload u = {.name = str_of(name), .split = STR("{}"), .bytes = -1};
    struct import im;

    CHECK_OK(upload_new(db, &arena, &u, &err), &err);
    CHECK_OK(upload_part_put(db, u.id, 1, 100, &err), &err);
    CHECK_OK(import_of_upload(db, &arena, u.id, &im, &err), &err);
    return im;
}

/* A content of n pictures called <i>.png; the first `changed` have another label, `moved` are in
 * val, and the hash letter is `c`. */
static int64_t content(char letter, int n, int relabelled, int moved)
{
    str classes[] = {STR("ant"), STR("bee")};
    struct dataset_header h = {TASK_CLASSIFICATION, classes, 2, (uint64_t)n, {(uint64_t)n}};
    struct content_row rows[20];
    static const int32_t ids[] = {0, 1};
    char version[SHA256_HEX + 1];
    int64_t id;
    bool ready;

    memset(version, letter, SHA256_HEX);
    version[SHA256_HEX] = 0;
    CHECK_OK(content_begin(db, str_of(version), &h, STR("folder"), 10, 20, &id, &ready, &err),
             &err);
    for (int i = 0; i < n; i++) {
        int32_t label = i < relabelled;
        rows[i] = (struct content_row){
            {i, str_of(arena_printf(&arena, "%c/%02d%%.png", 'a' + i % 2, i)),
             i < moved ? STR("val") : STR("train"), str_of(arena_printf(&arena, "%064d", i)),
             STR("png"), 5, 8, 9, label, STR("")},
            &ids[label],
            1};
    }
    if (!ready)
        CHECK_OK(content_add(db, id, rows, (size_t)n, &err), &err);
    return id;
}

static struct dataset_version finish(const struct import *im, int64_t id, char letter)
{
    char version[SHA256_HEX + 1];
    struct fault_row faults[] = {{.line = 3,
                                  .severity = STR("error"),
                                  .code = STR("bad_line"),
                                  .file = STR("x.txt"),
                                  .image = STR("a/00%.png"),
                                  .message = STR("m"),
                                  .action = STR("dropped")},
                                 {.severity = STR("info"),
                                  .code = STR("few_samples"),
                                  .file = STR(""),
                                  .image = STR(""),
                                  .message = STR("m"),
                                  .action = STR("nothing")}};
    struct import_result r = {id, 6, 2, STR_NONE, STR("{\"images\":6}"), faults, 2};
    struct dataset_version v;

    memset(version, letter, SHA256_HEX);
    version[SHA256_HEX] = 0;
    r.version = str_of(version);
    CHECK_OK(import_finish(db, im, &r, &err), &err);
    CHECK_OK(dataset_version_find(db, &arena, im->dataset, r.version, &v, &err), &err);
    return v;
}

TEST(names_are_checked_and_unique_without_case)
{
    struct dataset d;
    str name;
    static const char *const bad[] = {"", "  ", "a/b", "a\nb", "\xff"};
    char longest[300];

    set_up();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK_EQ(dataset_name_check(str_of(bad[i]), &name, &err), RC_INVALID);
    memset(longest, 'x', sizeof longest);
    CHECK_EQ(dataset_name_check((str){longest, 201}, &name, &err), RC_INVALID);
    CHECK_OK(dataset_name_check(STR("  a b "), &name, &err), &err);
    CHECK_STR(name, "a b");
    struct import one = queue("Flowers"), two = queue("flOWERS"), three = queue("birds");
    CHECK(str_eq(one.dataset, two.dataset) && !str_eq(one.dataset, three.dataset));
    CHECK_OK(dataset_find(db, &arena, STR("FLOWERS"), STR(""), &d, &err), &err);
    CHECK_STR(d.name, "Flowers");
    CHECK_EQ(dataset_describe(db, three.dataset, STR("flowers"), STR(""), &err), RC_CONFLICT);
    CHECK_OK(dataset_describe(db, three.dataset, STR("wings"), STR("all"), &err), &err);
    CHECK_EQ(dataset_find(db, &arena, STR("birds"), STR(""), &d, &err), RC_NOT_FOUND);
    tear_down();
}

TEST(a_failed_first_import_takes_its_dataset_away)
{
    struct dataset d;
    struct import im, again;

    set_up();
    im = queue("one");
    CHECK_OK(import_take(db, &arena, &im, &err), &err);
    CHECK_OK(import_fail(db, &im, STR("corrupt_data"), STR("truncated"), STR("why"), &err), &err);
    CHECK_EQ(dataset_find(db, &arena, STR("one"), STR(""), &d, &err), RC_NOT_FOUND);
    CHECK_OK(import_get(db, &arena, im.import, &im, &err), &err);
    CHECK_STR(im.state, "failed");
    CHECK_STR(im.error_fault, "truncated");
    CHECK_STR(im.dataset_name, "one");
    again = queue("one"); /* the name is free again */
    CHECK(!str_eq(again.dataset, im.dataset));
    finish(&again, content('a', 2, 0, 0), 'a');
    im = queue("one");
    CHECK_OK(import_fail(db, &im, STR("x"), STR(""), STR("why"), &err), &err);
    CHECK_OK(dataset_find(db, &arena, STR("one"), STR(""), &d, &err), &err);
    CHECK_EQ(d.versions, 1);
    tear_down();
}

TEST(equal_content_is_one_version)
{
    struct import one, two;
    struct dataset_version v, *list = NULL;
    size_t n = 0;

    set_up();
    one = queue("one");
    v = finish(&one, content('a', 6, 0, 0), 'a');
    CHECK_EQ(v.number, 1);
    one = queue("one");
    v = finish(&one, content('a', 6, 0, 0), 'a');
    CHECK_EQ(v.number, 1);
    v = finish(&one, content('b', 6, 1, 0), 'b');
    CHECK_EQ(v.number, 2);
    two = queue("two");
    v = finish(&two, content('a', 6, 0, 0), 'a');
    CHECK_EQ(v.number, 1);
    CHECK_OK(dataset_versions(db, &arena, one.dataset, &list, &n, &err), &err);
    CHECK_EQ(n, 2);
    CHECK_EQ(list[0].number, 2);
    CHECK_OK(dataset_version_find(db, &arena, one.dataset, STR("1"), &v, &err), &err);
    CHECK(v.version.p[0] == 'a');
    CHECK_OK(dataset_version_find(db, &arena, one.dataset, STR("bbbbbbbb"), &v, &err), &err);
    CHECK_EQ(v.number, 2);
    CHECK_OK(dataset_version_find(db, &arena, one.dataset, STR("latest"), &v, &err), &err);
    CHECK_EQ(v.number, 2);
    CHECK_EQ(dataset_version_find(db, &arena, one.dataset, STR("3"), &v, &err), RC_NOT_FOUND);
    CHECK_EQ(dataset_version_find(db, &arena, one.dataset, STR("bbbb"), &v, &err), RC_NOT_FOUND);
    CHECK_EQ(dataset_version_find(db, &arena, two.dataset, STR("2"), &v, &err), RC_NOT_FOUND);
    tear_down();
}

TEST(an_interrupted_load_begins_again)
{
    struct dataset_header h = {.images = 3, .task = TASK_TEXT};
    struct dataset_version v;
    struct import im;
    int64_t id;
    bool ready;
    char version[SHA256_HEX + 1];

    set_up();
    content('c', 3, 0, 0);
    memset(version, 'c', SHA256_HEX);
    version[SHA256_HEX] = 0;
    CHECK_OK(content_begin(db, str_of(version), &h, STR("icdar"), 1, 2, &id, &ready, &err), &err);
    CHECK(!ready);
    im = queue("x");
    v = finish(&im, content('c', 3, 0, 0), 'c');
    CHECK_STR(v.task, "classification"); /* the second load replaced the first */
    CHECK_OK(content_begin(db, str_of(version), &h, STR("icdar"), 1, 2, &id, &ready, &err), &err);
    CHECK(ready);
    tear_down();
}

TEST(images_are_listed_by_split_class_fault_and_name)
{
    struct import im;
    struct dataset_version v;
    struct dataset_image *list = NULL, one;
    size_t n = 0;

    set_up();
    im = queue("x");
    v = finish(&im, content('a', 6, 2, 3), 'a');
    struct image_query q = {&v, STR(""), STR(""), STR(""), STR(""), -1, -1, 4};
    CHECK_OK(dataset_images(db, &arena, &q, &list, &n, &err), &err);
    CHECK_EQ(n, 4);
    q.after = list[3].index;
    CHECK_OK(dataset_images(db, &arena, &q, &list, &n, &err), &err);
    CHECK_EQ(n, 2);
    CHECK_EQ(list[1].index, 5);
    q = (struct image_query){&v, STR("val"), STR(""), STR(""), STR(""), 1, -1, 10};
    CHECK_OK(dataset_images(db, &arena, &q, &list, &n, &err), &err);
    CHECK_EQ(n, 2);
    q = (struct image_query){&v, STR(""), STR("bad_line"), STR(""), STR(""), -1, -1, 10};
    CHECK_OK(dataset_images(db, &arena, &q, &list, &n, &err), &err);
    CHECK_EQ(n, 1);
    CHECK_STR(list[0].name, "a/00%.png");
    q = (struct image_query){&v, STR(""), STR(""), STR("0%"), STR(""), -1, -1, 10};
    CHECK_OK(dataset_images(db, &arena, &q, &list, &n, &err), &err);
    CHECK_EQ(n, 1); /* % is a character here, not a wildcard */
    CHECK_OK(dataset_image_get(db, &arena, &v, 5, &one, &err), &err);
    CHECK_EQ(dataset_image_get(db, &arena, &v, 6, &one, &err), RC_NOT_FOUND);
    CHECK_OK(dataset_owns_blob(db, &arena, im.dataset, list[0].sha256, &one, &err), &err);
    CHECK_EQ(dataset_owns_blob(db, &arena, STR("other"), list[0].sha256, &one, &err), RC_NOT_FOUND);
    tear_down();
}

TEST(any_window_of_a_filter_is_one_query_away)
{
    struct import im;
    struct dataset_version v;
    struct image_anchors at;
    struct dataset_image *list = NULL;
    size_t n = 0;

    set_up();
    im = queue("x");
    v = finish(&im, content('a', 6, 2, 3), 'a');
    struct image_query q = {&v, STR(""), STR(""), STR(""), STR(""), -1, -1, 4};
    v.images = 6;
    CHECK_OK(dataset_anchors(db, &arena, &q, 4, &at, &err), &err);
    CHECK(at.count == 6 && at.n == 2 && at.at[0] == 0 && at.at[1] == 4);
    q.cls = 0; /* pictures 2 to 5 */
    CHECK_OK(dataset_anchors(db, &arena, &q, 3, &at, &err), &err);
    CHECK(at.count == 4 && at.n == 2 && at.at[0] == 2 && at.at[1] == 5);
    q.after = at.at[1] - 1;
    CHECK_OK(dataset_images(db, &arena, &q, &list, &n, &err), &err);
    CHECK(n == 1 && list[0].index == 5);
    q = (struct image_query){&v, STR("val"), STR("any"), STR(""), STR("yes"), -1, -1, 4};
    CHECK_OK(dataset_anchors(db, &arena, &q, 1, &at, &err), &err);
    CHECK(at.count == 1 && at.at[0] == 0);
    q = (struct image_query){&v, STR(""), STR(""), STR(""), STR("no"), -1, -1, 4};
    CHECK_OK(dataset_anchors(db, &arena, &q, 1, &at, &err), &err);
    CHECK(at.count == 0 && at.n == 0);
    tear_down();
}

TEST(faults_are_paged_and_filtered)
{
    struct import im;
    struct dataset_version v;
    struct fault_row *list = NULL;
    size_t n = 0;

    set_up();
    im = queue("x");
    v = finish(&im, content('a', 6, 2, 3), 'a');
    struct fault_query q = {&v, STR(""), STR(""), STR(""), -1, 1};
    CHECK_OK(dataset_faults(db, &arena, &q, &list, &n, &err), &err);
    CHECK(n == 1 && list[0].line == 3);
    q.after = list[0].n;
    CHECK_OK(dataset_faults(db, &arena, &q, &list, &n, &err), &err);
    CHECK(n == 1);
    CHECK_STR(list[0].code, "few_samples");
    CHECK_EQ(list[0].index, -1);
    q = (struct fault_query){&v, STR(""), STR("x.txt"), STR(""), -1, 10};
    CHECK_OK(dataset_faults(db, &arena, &q, &list, &n, &err), &err);
    CHECK_EQ(n, 1);
    CHECK_EQ(list[0].index, 0);
    tear_down();
}

TEST(differences_are_counted_by_kind)
{
    struct import im;
    struct dataset_version from, to;
    struct diff d;

    set_up();
    im = queue("x");
    from = finish(&im, content('a', 6, 0, 0), 'a');
    to = finish(&im, content('b', 8, 2, 3), 'b');
    CHECK_OK(dataset_diff(db, &arena, &from, &to, &d, &err), &err);
    CHECK_EQ(d.count[DIFF_ADDED], 2);
    CHECK_STR(d.names[DIFF_ADDED][0], "a/06%.png");
    CHECK_EQ(d.count[DIFF_REMOVED], 0);
    CHECK_EQ(d.count[DIFF_RELABELLED], 2);
    CHECK_EQ(d.count[DIFF_MOVED], 3);
    CHECK_EQ(d.count[DIFF_CHANGED], 0);
    CHECK_OK(dataset_diff(db, &arena, &to, &from, &d, &err), &err);
    CHECK_EQ(d.count[DIFF_REMOVED], 2);
    CHECK_EQ(d.names_n[DIFF_REMOVED], 2);
    tear_down();
}

TEST(delete_waits_for_imports)
{
    struct import im;
    struct dataset d;

    set_up();
    im = queue("x");
    CHECK_EQ(dataset_delete(db, im.dataset, &err), RC_CONFLICT);
    finish(&im, content('a', 2, 0, 0), 'a');
    CHECK_OK(dataset_delete(db, im.dataset, &err), &err);
    CHECK_EQ(dataset_find(db, &arena, im.dataset, STR(""), &d, &err), RC_NOT_FOUND);
    CHECK_EQ(dataset_delete(db, im.dataset, &err), RC_CONFLICT);
    tear_down();
}

TEST(imports_are_taken_in_order_and_survive)
{
    struct import one, two, im;

    set_up();
    one = queue("one");
    two = queue("two");
    CHECK_OK(import_take(db, &arena, &im, &err), &err);
    CHECK(str_eq(im.import, one.import) && im.attempt == 1);
    CHECK_OK(import_requeue_all(db, &err), &err); /* a restart */
    CHECK_OK(import_take(db, &arena, &im, &err), &err);
    CHECK(str_eq(im.import, one.import) && im.attempt == 2);
    CHECK_OK(import_progress(db, im.import, STR("scan"), 0.5, 7, &err), &err);
    CHECK_OK(import_get(db, &arena, im.import, &im, &err), &err);
    CHECK(im.progress == 0.5 && im.images == 7);
    CHECK_OK(import_fail(db, &im, STR("x"), STR(""), STR("y"), &err), &err);
    CHECK_OK(import_take(db, &arena, &im, &err), &err);
    CHECK(str_eq(im.import, two.import));
    CHECK_OK(import_take(db, &arena, &im, &err), &err);
    CHECK_EQ(im.import.n, 0);
    tear_down();
}

TEST(uploads_complete_once_and_go_stale)
{
    struct upload u = {.name = STR("x"), .split = STR("{}"), .bytes = 10, .part_bytes = 5};
    struct import im;
    struct upload_part *parts = NULL;
    str *stale = NULL;
    size_t n = 0;

    set_up();
    CHECK_OK(upload_new(db, &arena, &u, &err), &err);
    CHECK_OK(upload_part_put(db, u.id, 2, 5, &err), &err);
    CHECK_OK(upload_part_put(db, u.id, 1, 4, &err), &err);
    CHECK_OK(upload_part_put(db, u.id, 1, 5, &err), &err);
    CHECK_OK(upload_parts(db, &arena, u.id, &parts, &n, &err), &err);
    CHECK(n == 2 && parts[0].n == 1 && parts[0].bytes == 5);
    CHECK_OK(upload_stale(db, &arena, os_now_ms(), &stale, &n, &err), &err);
    CHECK_EQ(n, 0);
    CHECK_OK(upload_stale(db, &arena, os_now_ms() + 3 * 24 * 3600 * 1000, &stale, &n, &err), &err);
    CHECK_EQ(n, 1);
    CHECK_OK(import_of_upload(db, &arena, u.id, &im, &err), &err);
    CHECK_OK(upload_stale(db, &arena, os_now_ms() + 3 * 24 * 3600 * 1000, &stale, &n, &err), &err);
    CHECK_EQ(n, 0); /* an import waits for it */
    CHECK_EQ(import_of_upload(db, &arena, u.id, &im, &err), RC_CONFLICT);
    CHECK_EQ(upload_part_put(db, u.id, 1, 5, &err), RC_CONFLICT);
    CHECK_OK(upload_remove(db, u.id, &err), &err);
    CHECK_EQ(upload_get(db, &arena, u.id, &u, &err), RC_NOT_FOUND);
    tear_down();
}

TEST(lists_are_paged_by_name_and_hide_foreign_projects)
{
    struct dataset_query q = {.who = STR(""),
                              .project = STR(""),
                              .q = STR(""),
                              .after_key = STR(""),
                              .after_id = STR(""),
                              .limit = 2};
    struct dataset *list = NULL, d;
    struct tx *tx;
    size_t n = 0;

    set_up();
    CHECK_OK(db_begin(db, DB_WRITE, &tx, &err), &err);
    CHECK_OK(tx_exec(tx, &err,
                     "INSERT INTO project (id, name, created_at, updated_at)"
                     " VALUES ('p1', 'secret', 0, 0)"),
             &err);
    CHECK_OK(tx_commit(tx, &err), &err);
    queue("beta");
    queue("Alpha");
    queue("gamma");
    struct upload u = {.name = STR("alpha"), .split = STR("{}"), .project_id = STR("p1")};
    struct import im;
    CHECK_OK(upload_new(db, &arena, &u, &err), &err);
    CHECK_OK(import_of_upload(db, &arena, u.id, &im, &err), &err);
    CHECK_OK(dataset_list(db, &arena, &q, &list, &n, &err), &err);
    CHECK(n == 2 && str_ieq(list[0].name, STR("alpha")) && str_ieq(list[1].name, STR("alpha")));
    q.after_key = str_of(dataset_name_key(&arena, list[1].name));
    q.after_id = list[1].id;
    CHECK_OK(dataset_list(db, &arena, &q, &list, &n, &err), &err);
    CHECK(n == 2 && str_is(list[0].name, "beta"));
    q = (struct dataset_query){STR("somebody"), STR(""), STR("LPH"), STR(""), STR(""), 10};
    CHECK_OK(dataset_list(db, &arena, &q, &list, &n, &err), &err);
    CHECK_EQ(n, 1);
    CHECK_EQ(dataset_find(db, &arena, im.dataset, STR("somebody"), &d, &err), RC_NOT_FOUND);
    CHECK_OK(dataset_find(db, &arena, STR("alpha"), STR(""), &d, &err), &err);
    CHECK_EQ(d.project_id.n, 0); /* the default project first */
    CHECK_OK(import_fail(db, &im, STR("x"), STR(""), STR("y"), &err), &err);
    CHECK_OK(import_get(db, &arena, im.import, &im, &err), &err);
    CHECK_STR(im.project_id, "p1"); /* who may see it stays */
    CHECK_OK(db_begin(db, DB_WRITE, &tx, &err), &err);
    CHECK_OK(tx_exec(tx, &err, "DELETE FROM project"), &err); /* what is deleted holds no project */
    CHECK_OK(tx_commit(tx, &err), &err);
    tear_down();
}
