/* mistakes_test.c - which pictures are asked for, how hard they are, what a threshold does. */
#include "api/mistakes.c"
#include "base/test.h"

static const struct result_filter any = {.label = -1, .predicted = -1, .cls = -1, .threshold = -1};

/* -1: not wanted, -2: refused; else the score in millionths. */
static int64_t look(enum result_task task, const char *json, struct result_filter f)
{
    struct result_head h = {task, 3, 0.25};
    struct mistakes *m = NULL;
    struct arena a;
    const struct json *v;
    struct err e = {0};
    bool wanted = false;
    int64_t score = 0;
    enum rc rc = mistakes_new(&m, &h, &f, &e);

    if (rc) {
        CHECK(rc == RC_INVALID);
        return -2;
    }
    arena_init(&a, 1 << 18);
    CHECK_OK(json_parse(&a, str_of(json), NULL, &v, &e), &e);
    CHECK_OK(mistakes_look(m, &a, v, &wanted, &score, &e), &e);
    mistakes_free(m);
    arena_done(&a);
    return wanted ? score : -1;
}

static struct result_filter cell(int64_t label, int64_t predicted)
{
    struct result_filter f = any;

    f.label = label;
    f.predicted = predicted;
    return f;
}

static struct result_filter kind(int mistake, int64_t cls)
{
    struct result_filter f = any;

    f.mistake = mistake;
    f.cls = cls;
    return f;
}

static struct result_filter false_at(double threshold)
{
    struct result_filter f = kind(MISTAKE_FALSE, -1);

    f.threshold = threshold;
    return f;
}

static struct result_filter judged(int correct)
{
    struct result_filter f = any;

    f.correct = correct;
    return f;
}

static struct result_filter named(const char *q)
{
    struct result_filter f = any;

    f.q = str_of(q);
    return f;
}

TEST(a_classifiers_mistakes)
{
    const char *wrong = "{\"name\":\"val/a/1.png\",\"label\":0,\"predicted\":2,"
                        "\"confidence\":0.75}";
    const char *right = "{\"name\":\"b\",\"label\":1,\"predicted\":1,\"confidence\":0.75}";

    CHECK_EQ(look(RESULT_CLASSES, wrong, any), 1750000);
    CHECK_EQ(look(RESULT_CLASSES, right, any), 250000);
    CHECK_EQ(look(RESULT_CLASSES, wrong, judged(CORRECT_TRUE)), -1);
    CHECK(look(RESULT_CLASSES, wrong, judged(CORRECT_FALSE)) > 0);
    CHECK(look(RESULT_CLASSES, wrong, cell(0, 2)) > 0);
    CHECK_EQ(look(RESULT_CLASSES, wrong, cell(2, -1)), -1);
    CHECK_EQ(look(RESULT_CLASSES, wrong, cell(-1, 0)), -1);
    CHECK(look(RESULT_CLASSES, wrong, named("a/1")) > 0);
    CHECK_EQ(look(RESULT_CLASSES, wrong, named("b/")), -1);
    /* a false positive of 2, a miss of 0, a wrong class of both */
    CHECK(look(RESULT_CLASSES, wrong, kind(MISTAKE_FALSE, 2)) > 0);
    CHECK_EQ(look(RESULT_CLASSES, wrong, kind(MISTAKE_FALSE, 0)), -1);
    CHECK(look(RESULT_CLASSES, wrong, kind(MISTAKE_MISSED, 0)) > 0);
    CHECK_EQ(look(RESULT_CLASSES, wrong, kind(MISTAKE_MISSED, 2)), -1);
    CHECK(look(RESULT_CLASSES, wrong, kind(MISTAKE_WRONG, 2)) > 0);
    CHECK_EQ(look(RESULT_CLASSES, wrong, kind(MISTAKE_WRONG, 1)), -1);
    for (int k = MISTAKE_FALSE; k <= MISTAKE_WRONG; k++) {
        CHECK(look(RESULT_CLASSES, wrong, kind(k, -1)) > 0);
        CHECK_EQ(look(RESULT_CLASSES, right, kind(k, 1)), -1);
    }
    CHECK(look(RESULT_CLASSES, right, kind(MISTAKE_ANY, 1)) > 0);
    /* no label: of no class; a confidence that is none: as sure as nothing */
    CHECK_EQ(look(RESULT_CLASSES, "{}", cell(0, -1)), -1);
    CHECK_EQ(look(RESULT_CLASSES, "{\"label\":1,\"confidence\":7}", any), 1000000);
}

/* Truths: 0 found as 0, 1 found as 2, 2 not found.  Found where nothing is: 1, and under the
 * threshold 2. */
static const char boxes[] =
    "{\"name\":\"p\",\"missed\":2,\"false\":2,"
    "\"truths\":[{\"class_id\":0,\"box\":[0,0,10,10],\"prediction\":0},"
    "{\"class_id\":1,\"box\":[40,0,10,10],\"prediction\":null},"
    "{\"class_id\":2,\"box\":[80,0,10,10],\"prediction\":null}],"
    "\"predictions\":[{\"class_id\":0,\"box\":[0,1,10,10],\"confidence\":0.9,\"truth\":0},"
    "{\"class_id\":2,\"box\":[41,0,10,10],\"confidence\":0.5,\"truth\":null},"
    "{\"class_id\":1,\"box\":[0,80,10,10],\"confidence\":0.25,\"truth\":null},"
    "{\"class_id\":2,\"box\":[40,80,10,10],\"confidence\":0.125,\"truth\":null}]}";

TEST(the_mistakes_of_boxes_are_those_of_the_confusion_matrix)
{
    enum { GROUND = 3 };

    /* a wrong class 1.5, a miss 1, a false one 0.25 */
    CHECK_EQ(look(RESULT_BOXES, boxes, any), 2750000);
    CHECK_EQ(look(RESULT_BOXES, boxes, kind(MISTAKE_WRONG, -1)), 1500000);
    CHECK_EQ(look(RESULT_BOXES, boxes, kind(MISTAKE_MISSED, -1)), 1000000);
    CHECK_EQ(look(RESULT_BOXES, boxes, kind(MISTAKE_FALSE, -1)), 250000);
    CHECK_EQ(look(RESULT_BOXES, boxes, false_at(.1)), 375000);
    CHECK_EQ(look(RESULT_BOXES, boxes, false_at(.3)), -1);
    CHECK_EQ(look(RESULT_BOXES, boxes, kind(MISTAKE_FALSE, 2)), -1);
    CHECK_EQ(look(RESULT_BOXES, boxes, cell(1, 2)), 1500000);
    CHECK_EQ(look(RESULT_BOXES, boxes, cell(2, GROUND)), 1000000);
    CHECK_EQ(look(RESULT_BOXES, boxes, cell(GROUND, 1)), 250000);
    CHECK_EQ(look(RESULT_BOXES, boxes, cell(0, 0)), 0);
    CHECK_EQ(look(RESULT_BOXES, boxes, cell(0, GROUND)), -1);
    CHECK_EQ(look(RESULT_BOXES, boxes, kind(MISTAKE_ANY, 2)), 2500000);
    CHECK(look(RESULT_BOXES, boxes, judged(CORRECT_FALSE)) > 0);
    CHECK_EQ(look(RESULT_BOXES, boxes, judged(CORRECT_TRUE)), -1);
    CHECK(look(RESULT_BOXES, "{\"truths\":[],\"predictions\":[]}", judged(CORRECT_TRUE)) == 0);
}

TEST(boxes_of_no_sense_are_nothing_worse)
{
    static const char *const odd[] = {
        "{}", "{\"truths\":3,\"predictions\":{}}", "{\"truths\":[1,null],\"predictions\":[[]]}",
        "{\"truths\":[{\"class_id\":1e300,\"box\":[1]}],\"predictions\":[{\"class_id\":-9,"
        "\"box\":[\"x\",0,1e308,1e308,5],\"confidence\":1e300}]}"};

    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
        CHECK(look(RESULT_BOXES, odd[i], any) >= 0);
}

TEST(pixels_have_an_overlap_and_cells)
{
    CHECK_EQ(look(RESULT_SEMANTIC, "{\"miou\":0.25}", any), 750000);
    CHECK_EQ(look(RESULT_SEMANTIC, "{\"miou\":null}", any), 0);
    /* of 100 pixels 10 of class 0 were taken for 1, 5 of 1 for 0 */
    static const char cells[] = "{\"miou\":0.5,\"pixels\":100,\"confused\":[[0,0,60],[1,1,25],"
                                "[0,1,10],[1,0,5],[2],7,[0,1e99,3],[-1,0,9]]}";
    CHECK_EQ(look(RESULT_SEMANTIC, cells, any), 500000);
    CHECK_EQ(look(RESULT_SEMANTIC, cells, cell(0, 1)), 100000);
    CHECK_EQ(look(RESULT_SEMANTIC, cells, cell(0, 0)), 0);
    CHECK_EQ(look(RESULT_SEMANTIC, cells, cell(2, 0)), -1);
    CHECK_EQ(look(RESULT_SEMANTIC, cells, kind(MISTAKE_FALSE, 1)), 100000);
    CHECK_EQ(look(RESULT_SEMANTIC, cells, kind(MISTAKE_MISSED, 1)), 50000);
    CHECK_EQ(look(RESULT_SEMANTIC, cells, kind(MISTAKE_WRONG, -1)), 150000);
    CHECK_EQ(look(RESULT_SEMANTIC, cells, kind(MISTAKE_ANY, 2)), -1);
    CHECK_EQ(look(RESULT_SEMANTIC, "{}", kind(MISTAKE_ANY, 1)), -1);
    CHECK_EQ(look(RESULT_SEMANTIC, "{\"confused\":[[0,1,5]]}", cell(0, 1)), 0);
    CHECK_EQ(look(RESULT_SEMANTIC, "{}", judged(CORRECT_TRUE)), -2);
}

TEST(the_head_tells_task_classes_and_confidence)
{
    struct arena a;
    struct result_head h;
    struct err e = {0};

    arena_init(&a, 1 << 16);
    CHECK_OK(result_head_read(&a,
                              STR("{\"task\":\"segmentation\",\"classes\":[\"x\",\"y\"],"
                                  "\"best_confidence\":0.375}"),
                              &h, &e),
             &e);
    CHECK(h.task == RESULT_BOXES && h.classes == 2 && h.best_confidence == 0.375);
    CHECK_OK(result_head_read(&a, STR("{\"task\":\"semantic\",\"best_confidence\":9}"), &h, &e),
             &e);
    CHECK(h.task == RESULT_SEMANTIC && h.classes == 0 && h.best_confidence == 0);
    CHECK_OK(result_head_read(&a, STR("{}"), &h, &e), &e);
    CHECK(h.task == RESULT_CLASSES);
    CHECK(result_head_read(&a, STR("{"), &h, &e) == RC_UPSTREAM);
    arena_done(&a);
}

TEST(a_threshold_counts_what_reaches_it)
{
    struct result_counts c = {0};
    struct arena a;
    const struct json *v;
    struct err e = {0};

    for (int i = 0; i < RESULT_THRESHOLDS; i++)
        CHECK_EQ(reached(i / 100.0), i);
    CHECK_EQ(reached(0.0099), 0);
    CHECK_EQ(reached(NAN), -1);
    CHECK_EQ(reached(1e9), 100);
    arena_init(&a, 1 << 16);
    CHECK_OK(json_parse(&a, str_of(boxes), NULL, &v, &e), &e);
    result_counts_add(&c, RESULT_BOXES, v);
    result_counts_add(&c, RESULT_BOXES, v);
    result_counts_end(&c);
    CHECK_EQ(c.images, 2);
    CHECK_EQ(c.objects, 6);
    CHECK_EQ(c.hits[90], 2);
    CHECK_EQ(c.hits[91], 0);
    CHECK_EQ(c.wrong[0], 6);
    CHECK_EQ(c.wrong[25], 4);
    CHECK_EQ(c.wrong[26], 2);
    arena_done(&a);
}
