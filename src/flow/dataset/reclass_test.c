/* reclass_test.c - classes renamed, merged and removed: the numbers, the marks, the cost, the
 * queue. The whole way to a new version: tests/datasets/classes.test.ts. */
#include "base/test.h"
#include "flow/dataset/reclass.c"
#include "flow/dataset/reclass_sql.c"
#include "os/os.h"

static struct arena arena;
static struct err err;
static const str three[] = {{"cat", 3}, {"dog", 3}, {"cow", 3}};

static enum rc read_to(struct reclass *ret, const char *a, const char *b, const char *c)
{
    str names[] = {str_of(a), str_of(b), str_of(c)};
    struct strs to = {names, 3};
    struct strs kept = {ARENA_ARRAY(&arena, str, 3), 3};

    memcpy(kept.p, names, sizeof names); /* they outlive us in the result */
    to = kept;
    return reclass_read(&arena, three, 3, &to, ret, &err);
}

static void check_read(const char *a, const char *b, const char *c, const char *names,
                       const int32_t want[3])
{
    struct reclass r;
    char text[64] = "";

    CHECK_OK(read_to(&r, a, b, c), &err);
    for (size_t i = 0; i < r.names_n; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%.*s ", STR_F(r.names[i]));
    CHECK_STR(str_of(text), names);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(r.to[i], want[i]);
}

TEST(names_say_what_is_renamed_merged_and_removed)
{
    arena_init(&arena, 1 << 20);
    check_read("cat", "hound", "cow", "cat hound cow ", (const int32_t[]){0, 1, 2});
    check_read("cat", "", "cow", "cat cow ", (const int32_t[]){0, -1, 1});
    check_read("pet", "pet", "cow", "pet cow ", (const int32_t[]){0, 0, 1});
    check_read("dog", "cat", "dog", "dog cat ", (const int32_t[]){0, 1, 0}); /* swapped, merged */
    check_read("", "", "", "", (const int32_t[]){-1, -1, -1});
    arena_done(&arena);
}

TEST(what_changes_nothing_or_is_no_name_is_refused)
{
    struct reclass r;
    struct strs none = {0};

    arena_init(&arena, 1 << 20);
    CHECK_EQ(read_to(&r, "cat", "dog", "cow"), RC_INVALID);
    CHECK_STR(str_of(err.field), "to");
    CHECK_EQ(read_to(&r, "cat", " dog", "cow"), RC_INVALID);
    CHECK_EQ(read_to(&r, "cat", "d\tog", "cow"), RC_INVALID);
    CHECK_EQ(reclass_read(&arena, three, 3, &none, &r, &err), RC_INVALID);
    arena_done(&arena);
}

static void add(struct harvest *p, enum task task, int32_t label, const char *classes)
{
    struct picture pic = {.label = label, .split = SPLIT_TRAIN, .keep = true};

    for (const char *c = classes; *c; c++) {
        struct mark *m = mark_add(p, &pic, MARK_BOX, *c - '0', 0, 4);
        CHECK(m != NULL);
    }
    p->task = task;
    CHECK(VEC_PUSH(&p->pictures, pic));
}

static void check_marks(const struct picture *pic, const char *want)
{
    char text[16] = "";
    const struct mark *last = NULL;

    for (const struct mark *m = pic->marks; m; m = m->next) {
        snprintf(text + strlen(text), sizeof text - strlen(text), "%d", m->cls);
        last = m;
    }
    CHECK_STR(str_of(text), want);
    CHECK(pic->last == last);
}

TEST(labels_and_marks_get_their_new_numbers_or_go)
{
    struct harvest p;
    struct reclass r;

    arena_init(&arena, 8 << 20);
    harvest_init(&p, &arena);
    for (int i = 0; i < 3; i++)
        CHECK(VEC_PUSH(&p.classes, three[i]));
    add(&p, TASK_DETECTION, -1, "01210");
    add(&p, TASK_DETECTION, -1, "11");
    add(&p, TASK_DETECTION, -1, "");
    CHECK_OK(read_to(&r, "pet", "", "pet"), &err);
    CHECK_OK(reclass_apply(&r, &p, &err), &err);
    check_marks(&p.pictures.p[0], "000");
    check_marks(&p.pictures.p[1], "");
    check_marks(&p.pictures.p[2], "");
    CHECK(!p.pictures.p[1].unlabelled); /* somebody has looked: it shows nothing */
    CHECK_EQ(p.classes.n, 1);
    CHECK_STR(p.classes.p[0], "pet");
    CHECK_EQ(reclass_apply(&r, &p, &err), RC_CORRUPT); /* of other classes */
    harvest_done(&p);

    harvest_init(&p, &arena);
    for (int i = 0; i < 3; i++)
        CHECK(VEC_PUSH(&p.classes, three[i]));
    for (int32_t label = -1; label < 3; label++)
        add(&p, TASK_CLASSIFICATION, label, "");
    CHECK_OK(read_to(&r, "cat", "", "cow"), &err);
    CHECK_OK(reclass_apply(&r, &p, &err), &err);
    static const int32_t want[] = {-1, 0, -1, 1};
    for (int i = 0; i < 4; i++) {
        CHECK_EQ(p.pictures.p[i].label, want[i]);
        CHECK_EQ(p.pictures.p[i].unlabelled, want[i] < 0);
    }
    harvest_done(&p);
    arena_done(&arena);
}

/* ---- with a database */

static struct db *db;

static struct dataset_version version(void)
{
    static const int32_t shown[][2] = {{0, 1}, {1, 1}, {0, 0}, {1, 2}}; /* of each picture */
    struct upload u = {.name = STR("d"), .split = STR("{}"), .bytes = -1};
    str names[] = {three[0], three[1], three[2]};
    struct dataset_header h = {
        .task = TASK_DETECTION, .images = 4, .classes = names, .classes_n = 3};
    struct content_row rows[4];
    struct import im;
    struct dataset_version v;
    char text[SHA256_HEX + 1];
    int64_t id;
    bool ready;

    memset(text, 'a', SHA256_HEX);
    text[SHA256_HEX] = 0;
    CHECK_OK(upload_new(db, &arena, &u, &err), &err);
    CHECK_OK(import_of_upload(db, &arena, u.id, &im, &err), &err);
    CHECK_OK(content_begin(db, str_of(text), &h, STR("coco"), 10, 20, &id, &ready, &err), &err);
    for (int i = 0; i < 4; i++)
        rows[i] = (struct content_row){{i, str_of(arena_printf(&arena, "%d.png", i)), STR("train"),
                                        str_of(arena_printf(&arena, "%064d", i)), STR("png"), 5, 80,
                                        60, -1, STR("{}")},
                                       shown[i],
                                       shown[i][0] == shown[i][1] ? 1 : 2};
    CHECK_OK(content_add(db, id, rows, 4, &err), &err);
    struct import_result r = {id,
                              4,
                              0,
                              arena_str(&arena, str_of(text)),
                              STR("{\"classes\":[{\"images\":2,\"shapes\":20},{\"images\":3,"
                                  "\"shapes\":30},{\"images\":1,\"shapes\":10}]}"),
                              NULL,
                              0};
    CHECK_OK(import_finish(db, &im, &r, &err), &err);
    CHECK_OK(dataset_version_find(db, &arena, im.dataset, r.version, &v, &err), &err);
    return v;
}

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

static void check_loss(struct dataset_version *v, const char *a, const char *b, const char *c,
                       struct reclass_loss want)
{
    str names[] = {str_of(a), str_of(b), str_of(c)};
    struct strs to = {names, 3};
    struct reclass_loss got;
    struct reclass r;

    CHECK_OK(reclass_check(db, &arena, v, &to, &r, &got, &err), &err);
    CHECK_EQ(got.labels, want.labels);
    CHECK_EQ(got.pictures, want.pictures);
    CHECK_EQ(got.emptied, want.emptied);
}

TEST(the_cost_is_counted_before_anything_is_done)
{
    set_up();
    struct dataset_version v = version();

    check_loss(&v, "pet", "pet", "cow", (struct reclass_loss){0, 0, 0});
    check_loss(&v, "cat", "", "cow", (struct reclass_loss){30, 3, 1});
    check_loss(&v, "", "", "cow", (struct reclass_loss){50, 4, 3});
    check_loss(&v, "", "", "", (struct reclass_loss){60, 4, 4});
    v.task = STR("classification");
    check_loss(&v, "cat", "", "", (struct reclass_loss){4, 3, 2});
    v.task = STR("text");
    struct strs none = {0};
    struct reclass_loss loss;
    struct reclass r;
    CHECK_EQ(reclass_check(db, &arena, &v, &none, &r, &loss, &err), RC_INVALID);
    tear_down();
}

TEST(a_change_is_queued_with_its_colours_unless_a_draft_is_open)
{
    str names[] = {STR("puss"), STR(""), STR("cow")};
    struct strs to = {names, 3};
    struct import im;
    struct draft d;
    struct tx *tx;
    bool opened;
    str colours;

    set_up();
    struct dataset_version v = version();
    CHECK_OK(db_begin(db, DB_WRITE, &tx, &err), &err);
    CHECK_OK(tx_end(tx,
                    tx_exec(tx, &err, "INSERT INTO dataset_colour VALUES (?, 'cat', 7)",
                            db_s(v.dataset)),
                    &err),
             &err);
    CHECK_OK(draft_open(db, &arena, &v, STR(""), STR(""), &opened, &d, &err), &err);
    CHECK_EQ(reclass_queue(db, &arena, &v, &to, STR("m"), STR(""), &im, &err), RC_CONFLICT);
    CHECK_OK(draft_discard(db, &d, &err), &err);
    CHECK_OK(reclass_queue(db, &arena, &v, &to, STR("m"), STR(""), &im, &err), &err);
    CHECK_STR(im.kind, "classes");
    CHECK_STR(im.classes, "[\"puss\",\"\",\"cow\"]");
    CHECK_STR(im.message, "m");
    CHECK_OK(dataset_colours(db, &arena, v.dataset, &colours, &err), &err);
    CHECK_STR(colours, "{\"cat\":7,\"puss\":7}");
    tear_down();
}
