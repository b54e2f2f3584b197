/* draft_test.c - drafts: one a dataset, nothing overwritten unseen, what may be drawn, and what
 * differs between versions whose classes have other numbers. */
#include "base/test.h"
#include "flow/dataset/diff_sql.c"
#include "flow/dataset/draft.c"
#include "os/os.h"

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

struct shown { /* a picture of a content under test */
    const char *name, *split;
    int32_t label;
    const char *shapes;
};

/* A version of dataset "d" with these classes and pictures. */
static struct dataset_version version(char letter, const char *const *classes,
                                      const struct shown *list, int n)
{
    struct upload u = {.name = STR("d"), .split = STR("{}"), .bytes = -1};
    struct dataset_header h = {.task = TASK_DETECTION, .images = (uint64_t)n};
    struct content_row rows[10];
    struct import im;
    struct dataset_version v;
    char text[SHA256_HEX + 1];
    int64_t id;
    bool ready;
    str names[10];

    memset(text, letter, SHA256_HEX);
    text[SHA256_HEX] = 0;
    h.classes = names;
    while (classes[h.classes_n]) {
        names[h.classes_n] = str_of(classes[h.classes_n]);
        h.classes_n++;
    }
    CHECK_OK(upload_new(db, &arena, &u, &err), &err);
    CHECK_OK(import_of_upload(db, &arena, u.id, &im, &err), &err);
    CHECK_OK(content_begin(db, str_of(text), &h, STR("coco"), 10, 20, &id, &ready, &err), &err);
    for (int i = 0; i < n; i++)
        rows[i] = (struct content_row){{i, str_of(list[i].name), str_of(list[i].split),
                                        str_of(arena_printf(&arena, "%064d", i)), STR("png"), 5, 80,
                                        60, list[i].label, str_of(list[i].shapes)},
                                       NULL,
                                       0};
    CHECK_OK(content_add(db, id, rows, (size_t)n, &err), &err);
    struct import_result r = {id, n, 0, arena_str(&arena, str_of(text)), STR("{}"), NULL, 0};
    CHECK_OK(import_finish(db, &im, &r, &err), &err);
    CHECK_OK(dataset_version_find(db, &arena, im.dataset, r.version, &v, &err), &err);
    return v;
}

static const char *const cat_dog[] = {"cat", "dog", NULL};
static const struct shown two[] = {{"a.png", "train", -1, "{\"boxes\":[[0,1,2,3,4]]}"},
                                   {"b.png", "none", -1, ""}};

static struct draft open_draft(const struct dataset_version *v, const char *task)
{
    struct draft d;
    bool opened;

    CHECK_OK(draft_open(db, &arena, v, str_of(task), STR(""), &opened, &d, &err), &err);
    return d;
}

static enum rc put(const struct draft *d, int64_t index, int64_t revision, const char *state,
                   const char *shapes)
{
    struct draft_edit edit = {.index = index,
                              .revision = revision,
                              .state = str_of(state),
                              .label = -1,
                              .shapes = str_of(shapes),
                              .scores = STR("")};

    return draft_edit_put(db, d, &edit, STR(""), &err);
}

TEST(a_dataset_has_one_open_draft)
{
    struct draft one, two_, none;
    bool opened = false;

    set_up();
    struct dataset_version v = version('a', cat_dog, two, 2);
    CHECK_EQ(draft_get(db, &arena, v.dataset, &none, &err), RC_NOT_FOUND);
    CHECK_EQ(draft_open(db, &arena, &v, STR("dancing"), STR(""), &opened, &one, &err), RC_INVALID);
    CHECK_OK(draft_open(db, &arena, &v, STR(""), STR(""), &opened, &one, &err), &err);
    CHECK(opened && one.base_number == 1 && str_is(one.task, "detection"));
    CHECK_OK(draft_open(db, &arena, &v, STR("classification"), STR(""), &opened, &two_, &err),
             &err);
    CHECK(!opened && str_eq(one.id, two_.id) && str_is(two_.task, "detection"));
    CHECK_OK(draft_discard(db, &one, &err), &err);
    CHECK_EQ(draft_discard(db, &one, &err), RC_CONFLICT);
    CHECK_OK(draft_open(db, &arena, &v, STR(""), STR(""), &opened, &two_, &err), &err);
    CHECK(opened && !str_eq(one.id, two_.id));
    tear_down();
}

TEST(nobody_overwrites_what_they_have_not_seen)
{
    struct draft_edit now;
    bool found = true;

    set_up();
    struct dataset_version v = version('a', cat_dog, two, 2);
    struct draft d = open_draft(&v, "");
    CHECK_OK(draft_edit_get(db, &arena, &d, 0, &found, &now, &err), &err);
    CHECK(!found);
    CHECK_OK(put(&d, 0, 0, "edited", "{\"boxes\":[[1,1,1,1,1]]}"), &err);
    CHECK_EQ(put(&d, 0, 0, "edited", ""), RC_PRECONDITION);
    CHECK_EQ(put(&d, 0, 2, "edited", ""), RC_PRECONDITION);
    CHECK_OK(put(&d, 0, 1, "suggested", ""), &err);
    CHECK_OK(put(&d, 0, 2, "reverted", ""), &err);
    CHECK_EQ(put(&d, 0, 0, "edited", ""), RC_PRECONDITION); /* the count goes on after a revert */
    CHECK_OK(put(&d, 1, 0, "edited", ""), &err);
    CHECK_OK(draft_edit_get(db, &arena, &d, 0, &found, &now, &err), &err);
    CHECK(found && now.revision == 3 && str_is(now.state, "reverted"));
    struct edit_query q = {&d, STR(""), -1, 10};
    struct draft_edit *list = NULL;
    size_t n = 0;
    CHECK_OK(draft_edits(db, &arena, &q, &list, &n, &err), &err);
    CHECK(n == 1 && list[0].index == 1);
    CHECK_OK(draft_get(db, &arena, v.dataset, &d, &err), &err);
    CHECK(d.edited == 1 && d.suggested == 0);
    tear_down();
}

TEST(classes_grow_and_are_renamed_but_never_lost)
{
    str more[] = {STR("cat"), STR("hound"), STR("fox")}, twice[] = {STR("cat"), STR("cat")},
        spaced[] = {STR("cat"), STR(" dog")};
    struct class_change c = {1, STR(""), {more, 3}, STR("{\"fox\":7}")};
    str colours = STR_NONE;

    set_up();
    struct dataset_version v = version('a', cat_dog, two, 2);
    struct draft d = open_draft(&v, "");
    CHECK_OK(draft_describe(db, &arena, &d, &c, &err), &err);
    CHECK_EQ(draft_describe(db, &arena, &d, &c, &err), RC_PRECONDITION);
    CHECK_OK(dataset_colours(db, &arena, v.dataset, &colours, &err), &err);
    CHECK_STR(colours, "{\"fox\":7}");
    CHECK_OK(draft_get(db, &arena, v.dataset, &d, &err), &err);
    CHECK_STR(d.classes, "[\"cat\",\"hound\",\"fox\"]");
    c.revision = 2;
    c.classes.n = 2;
    CHECK_EQ(draft_describe(db, &arena, &d, &c, &err), RC_INVALID);
    c.classes = (struct strs){twice, 2};
    d = open_draft(&v, "");
    d.classes = STR("[]");
    CHECK_EQ(draft_describe(db, &arena, &d, &c, &err), RC_INVALID);
    c.classes = (struct strs){spaced, 2};
    CHECK_EQ(draft_describe(db, &arena, &d, &c, &err), RC_INVALID);
    c.classes = (struct strs){more, 3};
    c.colours = STR("{\"fox\":64}");
    CHECK_EQ(draft_describe(db, &arena, &d, &c, &err), RC_INVALID);
    tear_down();
}

TEST(what_is_drawn_is_checked_clipped_and_written_in_one_way)
{
    static const struct {
        const char *shapes;
        enum rc rc;
        const char *out;
    } cases[] = {
        {"", RC_OK, ""},
        {"{}", RC_OK, ""},
        {"{\"boxes\": [ ]}", RC_OK, ""},
        {"{ \"boxes\": [[1, 1.50, 2, 3, 4]] }", RC_OK, "{\"boxes\":[[1,1.5,2,3,4]]}"},
        {"{\"boxes\":[[0,-5,50,20,20]]}", RC_OK, "{\"boxes\":[[0,0,50,15,10]]}"},
        {"{\"polygons\":[[0,1,1,2,2,3,1]]}", RC_OK, "{\"polygons\":[[0,1,1,2,2,3,1]]}"},
        {"{\"polygons\":[[1,-4,5,20,5,20,900]]}", RC_OK, "{\"polygons\":[[1,0,5,20,5,20,60]]}"},
        {"{\"polygons\":[[1,1,1,2,2,3,3]]}", RC_INVALID, NULL},     /* a line */
        {"{\"polygons\":[[1,-9,1,-2,2,-3,30]]}", RC_INVALID, NULL}, /* outside */
        {"{\"polygons\":[[1,1,1,2,2]]}", RC_INVALID, NULL},         /* two corners */
        {"{\"polygons\":[[1,1,1,2,2,3,1e999]]}", RC_INVALID, NULL}, /* no number */
        {"{\"boxes\":[[2,1,2,3,4]]}", RC_INVALID, NULL},            /* no such class */
        {"{\"boxes\":[[0,1,2,3]]}", RC_INVALID, NULL},              /* no box */
        {"{\"boxes\":[[0,1,2,0,4]]}", RC_INVALID, NULL},            /* no area */
        {"{\"boxes\":[[0,90,2,10,4]]}", RC_INVALID, NULL},          /* outside */
        {"{\"boxes\":[[0,1,2,-3,4]]}", RC_INVALID, NULL},           /* inside out */
        {"{\"circles\":[[0,1,2,3]]}", RC_INVALID, NULL},            /* no such shape */
        {"{\"boxes\":7}", RC_INVALID, NULL},
        {"[]", RC_INVALID, NULL},
        {"{\"boxes\":[[0,1e999,2,3,4]]}", RC_INVALID, NULL},
    };

    set_up();
    struct dataset_version v = version('a', cat_dog, two, 2);
    struct draft d = open_draft(&v, "");
    struct dataset_image pic;
    CHECK_OK(dataset_image_get(db, &arena, &v, 1, &pic, &err), &err);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct draft_edit edit = {.label = -1, .shapes = str_of(cases[i].shapes)};
        enum rc rc = draft_edit_check(&arena, &d, &pic, &edit, &err);
        if (cases[i].rc)
            CHECK(rc == RC_INVALID || rc == RC_CORRUPT);
        else
            CHECK_OK(rc, &err);
        if (!cases[i].rc)
            CHECK(str_is(edit.shapes, cases[i].out));
    }
    struct draft_edit edit = {.label = 2, .shapes = STR("")};
    CHECK_EQ(draft_edit_check(&arena, &d, &pic, &edit, &err), RC_INVALID);
    edit = (struct draft_edit){.label = 1, .shapes = STR(""), .scores = STR("[0.5, 2]")};
    CHECK_EQ(draft_edit_check(&arena, &d, &pic, &edit, &err), RC_INVALID);
    edit.scores = STR("[ 0.5 ]");
    CHECK_OK(draft_edit_check(&arena, &d, &pic, &edit, &err), &err);
    CHECK_STR(edit.scores, "[0.5]");
    tear_down();
}

TEST(a_commit_queues_an_import_and_its_end_closes_the_draft)
{
    struct split_spec fill = {.method = SPLIT_FILL, .train = 0.8, .val = 0.2, .seed = 42};
    struct import im, taken;
    struct draft d;

    set_up();
    struct dataset_version v = version('a', cat_dog, two, 2);
    CHECK_OK(import_take(db, &arena, &taken, &err), &err);
    d = open_draft(&v, "");
    CHECK_EQ(draft_commit(db, &arena, &d, &fill, STR("m"), STR(""), &im, &err), RC_CONFLICT);
    CHECK_OK(put(&d, 1, 0, "suggested", ""), &err);
    CHECK_EQ(draft_commit(db, &arena, &d, &fill, STR("m"), STR(""), &im, &err), RC_CONFLICT);
    CHECK_OK(put(&d, 1, 1, "edited", ""), &err);
    CHECK_OK(draft_commit(db, &arena, &d, &fill, STR("first"), STR(""), &im, &err), &err);
    CHECK_STR(im.kind, "draft");
    CHECK_STR(im.message, "first");
    CHECK_EQ(draft_commit(db, &arena, &d, &fill, STR("m"), STR(""), &im, &err), RC_CONFLICT);
    CHECK_EQ(put(&d, 0, 0, "edited", ""), RC_CONFLICT); /* what is being written stays as it is */
    CHECK_OK(import_take(db, &arena, &im, &err), &err);
    CHECK(str_eq(im.draft, d.id));
    CHECK_OK(import_fail(db, &im, STR("x"), STR(""), STR("y"), &err), &err);
    CHECK_OK(put(&d, 0, 0, "edited", ""), &err); /* open again, nothing lost */
    CHECK_OK(draft_get(db, &arena, v.dataset, &d, &err), &err);
    CHECK_EQ(d.edited, 2);
    CHECK_OK(draft_commit(db, &arena, &d, &fill, STR("again"), STR(""), &im, &err), &err);
    struct import_result r = {v.content, 2, 0, v.version, STR("{}"), NULL, 0};
    CHECK_OK(import_finish(db, &im, &r, &err), &err);
    CHECK_EQ(draft_get(db, &arena, v.dataset, &d, &err), RC_NOT_FOUND);
    tear_down();
}

/* ---- differences */

TEST(labels_are_compared_by_the_names_of_their_classes)
{
    static const char *const from_classes[] = {"cat", "dog", NULL}, *const to_classes[] = {
                                                                        "ant", "cat", "hound",
                                                                        NULL};
    static const struct shown before[] = {
        {"1.png", "train", 0, ""},
        {"2.png", "train", 1, ""},
        {"3.png", "train", -1, "{\"boxes\":[[0,1,2,3,4]],\"polygons\":[[1,1,1,2,2,3,1]]}"},
        {"4.png", "train", -1, "{\"boxes\":[[0,1,2,3,4]]}"},
        {"5.png", "val", 0, ""},
    };
    static const struct shown after[] = {
        {"1.png", "train", 1, ""}, /* still a cat */
        {"2.png", "train", 0, ""}, /* now an ant */
        {"3.png", "train", -1, "{\"boxes\":[[1,1,2,3,4]],\"polygons\":[[1,1,1,2,2,3,1]]}"},
        {"4.png", "test", -1, "{\"boxes\":[[1,1,2,3,4]]}"}, /* still a cat, moved */
        {"6.png", "val", 1, ""},
    };
    struct diff d;
    struct diff_pair *pairs = NULL;
    size_t n = 0;

    set_up();
    struct dataset_version from = version('a', from_classes, before, 5);
    struct dataset_version to = version('b', to_classes, after, 5);
    CHECK_OK(dataset_diff(db, &arena, &from, &to, &d, &err), &err);
    CHECK_EQ(d.count[DIFF_RELABELLED], 2);
    CHECK_STR(d.names[DIFF_RELABELLED][0], "2.png");
    CHECK_STR(d.names[DIFF_RELABELLED][1], "3.png");
    CHECK_EQ(d.count[DIFF_MOVED], 1);
    CHECK_EQ(d.count[DIFF_REMOVED], 1);
    CHECK_EQ(d.count[DIFF_ADDED], 1);
    CHECK_OK(
        dataset_diff_pairs(db, &arena, &from, &to, DIFF_RELABELLED, STR(""), 1, &pairs, &n, &err),
        &err);
    CHECK(n == 1 && pairs[0].from == 1 && pairs[0].to == 1);
    CHECK_OK(dataset_diff_pairs(db, &arena, &from, &to, DIFF_RELABELLED, pairs[0].name, 9, &pairs,
                                &n, &err),
             &err);
    CHECK(n == 1 && pairs[0].from == 2);
    CHECK_OK(dataset_diff_pairs(db, &arena, &from, &to, DIFF_ADDED, STR(""), 9, &pairs, &n, &err),
             &err);
    CHECK(n == 1 && pairs[0].from == -1 && pairs[0].to == 4);
    tear_down();
}

TEST(a_renamed_class_is_no_new_label)
{
    static const char *const to_classes[] = {"cat", "hound", "fox", NULL};
    static const struct shown list[] = {{"1.png", "train", 1, ""},
                                        {"2.png", "train", -1, "{\"boxes\":[[1,1,2,3,4]]}"}};
    struct diff d;

    set_up();
    struct dataset_version from = version('a', cat_dog, list, 2);
    struct dataset_version to = version('b', to_classes, list, 2);
    CHECK_OK(dataset_diff(db, &arena, &from, &to, &d, &err), &err);
    CHECK_EQ(d.count[DIFF_RELABELLED], 0);
    tear_down();
}
