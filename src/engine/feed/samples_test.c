/* samples_test.c - manifests by split, objects in both forms, and what a dataset can teach. */
#include "base/test.h"
#include "engine/feed/samples.c"

static const char *manifest_of(const char *text)
{
    static char path[600];
    struct err e;
    snprintf(path, sizeof path, "%s/manifest.jsonl", test_dir());
    CHECK_OK(os_write_file_durable(path, str_of(text), 0600, &e), &e);
    return path;
}

/* clang-format off */
#define HEAD(images, train, val)                                                                   \
    "{\"anneal_dataset\":1,\"task\":\"classification\",\"classes\":[\"cat\",\"dog\"],"             \
    "\"images\":" images ",\"splits\":{\"train\":" train ",\"val\":" val ",\"test\":0}}\n"
#define LINE(name, split, w, h, label)                                                             \
    "{\"sha256\":\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\","            \
    "\"bytes\":8,\"width\":" w ",\"height\":" h ",\"type\":\"jpeg\",\"name\":\"" name "\","        \
    "\"split\":\"" split "\",\"label\":" label "}\n"
/* clang-format on */

TEST(a_manifest_is_read_by_split)
{
    struct samples s;
    struct arena a;
    struct err e;

    arena_init(&a, 1 << 20);
    CHECK_OK(samples_read(manifest_of(HEAD("3", "2", "1") LINE("a", "train", "10", "90", "0") LINE(
                              "b", "train", "30", "20", "1") LINE("c", "val", "5", "5", "1")),
                          &a, &s, &e),
             &e);
    CHECK(s.n[SPLIT_TRAIN] == 2 && s.n[SPLIT_VAL] == 1 && s.n[SPLIT_TEST] == 0);
    CHECK_STR(s.of[SPLIT_TRAIN][1].name, "b");
    CHECK(s.of[SPLIT_TRAIN][1].label == 1 && s.of[SPLIT_VAL][0].width == 5);
    CHECK_EQ(samples_median_side(s.of[SPLIT_TRAIN], 2, &a), 20);
    CHECK_EQ(samples_median_side(s.of[SPLIT_TEST], 0, &a), 0);
    arena_done(&a);
}

TEST(a_manifest_that_contradicts_itself_is_refused)
{
    static const struct {
        const char *text, *part;
    } bad[] = {
        {"", "empty"},
        {HEAD("1", "1", "0"), "header states 1"},
        {HEAD("1", "1", "0") LINE("a", "train", "1", "1", "0") LINE("b", "train", "1", "1", "0"),
         "line 3"},
        {HEAD("1", "5000000000", "0"), "line 1"},
        {HEAD("1", "1", "0") "{\"sha256\":1}\n", "line 2"},
        {HEAD("1", "1", "0") "{\"sha", "inside line 2"},
        {"nonsense\n", "line 1"},
    };
    struct samples s;
    struct arena a;
    struct err e;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        arena_init(&a, 1 << 20);
        enum rc rc = samples_read(manifest_of(bad[i].text), &a, &s, &e);
        if (!rc || !strstr(e.text, bad[i].part))
            test_fail(__FILE__, __LINE__, "%zu: %s '%s'", i, rc_name(rc), e.text);
        arena_done(&a);
    }
    arena_init(&a, 1 << 20);
    CHECK_EQ(samples_read("/nonexistent/manifest.jsonl", &a, &s, &e), RC_NOT_FOUND);
    arena_done(&a);
}

#define OBJECTS(task, classes, shapes)                                                             \
    "{\"anneal_dataset\":1,\"task\":\"" task "\",\"classes\":[" classes "],\"images\":1,"          \
    "\"splits\":{\"train\":1,\"val\":0,\"test\":0}}\n"                                             \
    "{\"sha256\":\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\","            \
    "\"bytes\":8,\"width\":100,\"height\":80,\"type\":\"jpeg\",\"name\":\"a\","                    \
    "\"split\":\"train\"," shapes "}\n"

TEST(objects_are_read_in_both_forms)
{
    struct samples s;
    struct arena a;
    struct err e;

    arena_init(&a, 1 << 20);
    CHECK_OK(samples_read(manifest_of(OBJECTS("detection", "\"x\",\"y\"",
                                              "\"boxes\":[[1,10,20,30,5],[0,3,3,0,9]]")),
                          &a, &s, &e),
             &e);
    const struct sample_ref *r = s.of[SPLIT_TRAIN];
    CHECK(r->boxes_n == 1 && r->shapes_n == 0); /* one has no area */
    CHECK(r->boxes[0].cls == 1 && r->boxes[0].x1 == 40 && r->boxes[0].y1 == 25);
    CHECK_OK(samples_read(manifest_of(OBJECTS("segmentation", "\"x\"",
                                              "\"polygons\":[[0,5,5,20,5,10,30],[0,1,1,2,2,3,3]]")),
                          &a, &s, &e),
             &e);
    r = s.of[SPLIT_TRAIN];
    CHECK(r->shapes_n == 2 && r->shapes[0].points == 3 && r->shapes[0].xy[5] == 30);
    CHECK(r->boxes_n == 2 && r->boxes[0].x0 == 5 && r->boxes[0].x1 == 20 && r->boxes[0].y1 == 30);
    CHECK_OK(samples_read(manifest_of(OBJECTS("text", "\"text\"",
                                              "\"quads\":[[1,2,30,2,30,9,1,9,\"hello\"]]")),
                          &a, &s, &e),
             &e);
    r = s.of[SPLIT_TRAIN];
    CHECK(r->shapes_n == 1 && r->shapes[0].cls == 0 && r->shapes[0].points == 4);
    CHECK(r->boxes_n == 1 && r->boxes[0].x1 == 30 && r->boxes[0].y1 == 9);
    arena_done(&a);
}

TEST(polygons_of_one_box_are_parts_of_one_object)
{
    /* an object in two parts, one without outline, one whose twin begins where it ends */
    static const char text[] =
        OBJECTS("segmentation", "\"x\",\"y\"",
                "\"boxes\":[[0,0,0,40,10],[1,50,50,9,9],[0,60,0,10,10],[0,60,0,8,8]],"
                "\"polygons\":[[0,0,0,10,0,10,10],[0,30,0,40,0,40,9],[0,60,0,70,0,70,10],"
                "[0,60,0,68,0,68,8]]");
    struct samples s;
    struct arena a;
    struct err e;

    arena_init(&a, 1 << 20);
    CHECK_OK(samples_read(manifest_of(text), &a, &s, &e), &e);
    const struct sample_ref *r = s.of[SPLIT_TRAIN];
    CHECK(r->boxes_n == 4 && r->shapes_n == 4);
    CHECK(r->shapes[0].more && !r->shapes[1].more && !r->shapes[2].more && !r->shapes[3].more);
    arena_done(&a);
}

TEST(classes_follow_from_the_task)
{
    str two[] = {STR("cat"), STR("dog")}, with[] = {STR("cat"), STR("Background")};
    struct dataset_header h = {.task = TASK_SEGMENTATION, .classes = two, .classes_n = 2};
    struct arena a;
    struct err e;
    str *list;
    size_t n;

    arena_init(&a, 1 << 22);
    CHECK_OK(samples_classes(&h, NET_SEGMENTATION, &a, &list, &n, &e), &e);
    CHECK(n == 2 && str_is(list[1], "dog"));
    CHECK_OK(samples_classes(&h, NET_SEMANTIC, &a, &list, &n, &e), &e);
    CHECK(n == 3 && str_is(list[0], "background") && str_is(list[2], "dog"));
    CHECK(samples_semantic_map(&h).shift == 1 && samples_semantic_map(&h).background == 0);
    h.classes = with;
    CHECK_OK(samples_classes(&h, NET_SEMANTIC, &a, &list, &n, &e), &e);
    CHECK(n == 2 && samples_semantic_map(&h).shift == 0);
    CHECK_EQ(samples_semantic_map(&h).background, 1);
    h = (struct dataset_header){.task = TASK_TEXT};
    CHECK_OK(samples_classes(&h, NET_SEGMENTATION, &a, &list, &n, &e), &e);
    CHECK(n == 1 && str_is(list[0], "text"));
    CHECK_OK(samples_classes(&h, NET_SEMANTIC, &a, &list, &n, &e), &e);
    CHECK(n == 2 && str_is(list[1], "text"));
    h = (struct dataset_header){.task = TASK_SEGMENTATION, .classes_n = 255};
    CHECK((h.classes = ARENA_ARRAY(&a, str, 255)) != NULL);
    CHECK_EQ(samples_classes(&h, NET_SEMANTIC, &a, &list, &n, &e), RC_TOO_LARGE);
    CHECK_OK(samples_classes(&h, NET_DETECTION, &a, &list, &n, &e), &e);
    arena_done(&a);
}

TEST(a_dataset_is_asked_whether_it_can_teach)
{
    struct net_box box = {0, 1, 1, 2, 2};
    float xy[6] = {0, 0, 1, 0, 0, 1};
    struct sample_shape shape = {0, 3, xy, false};
    struct sample_ref s[3] = {{.label = -1, .boxes = &box, .boxes_n = 1}, {.label = -1}};
    uint64_t only = 9;
    struct err e;

    CHECK_EQ(samples_check(s, 3, NET_CLASSIFICATION, NULL, &e), RC_OK); /* s[2] has class 0 */
    CHECK_EQ(samples_check(s, 2, NET_CLASSIFICATION, NULL, &e), RC_INVALID);
    CHECK_OK(samples_check(s, 2, NET_DETECTION, &only, &e), &e);
    CHECK_EQ(only, 1);
    CHECK_EQ(samples_check(s + 1, 1, NET_DETECTION, NULL, &e), RC_INVALID);
    CHECK_EQ(samples_check(s, 2, NET_SEGMENTATION, NULL, &e), RC_INVALID);
    CHECK_EQ(samples_check(s, 2, NET_SEMANTIC, NULL, &e), RC_INVALID);
    s[1].shapes = &shape;
    s[1].shapes_n = 1;
    CHECK_OK(samples_check(s, 2, NET_SEGMENTATION, &only, &e), &e);
    CHECK_EQ(only, 1);
}
