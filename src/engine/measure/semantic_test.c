/* semantic_test.c - measures counted by hand, absent classes, labels out of range. */
#include "base/test.h"
#include "engine/measure/semantic.c"
#include <math.h>

#define NEAR(a, b) CHECK(fabs((a) - (b)) < 1e-12)

static struct semantic *semantic_of(uint32_t classes)
{
    struct semantic *s;
    struct err e;
    CHECK_OK(semantic_new(&s, classes, &e), &e);
    return s;
}

TEST(measures_follow_their_definitions)
{
    /* class 0: T 4, P 3, TP 3; class 1: T 2, P 2, TP 1; class 2: absent; class 3: P 1 only */
    const uint8_t t[] = {0, 0, 0, 0, 1, 1, 255, 255}, p[] = {0, 0, 0, 1, 1, 3, 0, 200};
    struct semantic *s = semantic_of(4);
    struct semantic_summary m;
    struct err e;

    for (int i = 0; i < 8; i++) /* picture by picture is as good as all at once */
        CHECK_OK(semantic_add(s, t + i, p + i, 1, &e), &e);
    semantic_measure(s, &m);
    CHECK_EQ(m.pixels, 6);
    NEAR(m.pixel_accuracy, 4. / 6);
    NEAR(m.mean_accuracy, (3. / 4 + 1. / 2) / 2);
    NEAR(m.miou, (3. / 4 + 1. / 3 + 0) / 3);
    NEAR(m.fw_iou, (4 * .75 + 2 * (1. / 3)) / 6);
    NEAR(m.mean_dice, (6. / 7 + 2. / 4 + 0) / 3);
    CHECK(semantic_class_of(s, 2).iou == -1 && semantic_class_of(s, 2).dice == -1);
    CHECK(semantic_class_of(s, 3).iou == 0 && semantic_class_of(s, 3).accuracy == -1);
    NEAR(semantic_class_of(s, 1).precision, .5);
    CHECK_EQ(semantic_class_of(s, 0).truth, 4);
    CHECK_EQ(semantic_cells(s)[0 * 4 + 1], 1);
    CHECK_EQ(semantic_cells(s)[1 * 4 + 3], 1);
    semantic_free(s);
}

TEST(without_pixels_there_is_no_value)
{
    struct semantic *s = semantic_of(3);
    struct semantic_summary m;
    struct err e;

    CHECK_OK(semantic_add(s, (const uint8_t[]){255, 255}, (const uint8_t[]){0, 1}, 2, &e), &e);
    CHECK_OK(semantic_add(s, NULL, NULL, 0, &e), &e);
    semantic_measure(s, &m);
    CHECK(m.pixels == 0 && m.miou == -1 && m.pixel_accuracy == -1 && m.fw_iou == -1);
    CHECK(m.mean_accuracy == -1 && m.mean_dice == -1);
    semantic_free(s);
}

TEST(labels_out_of_range_are_refused_and_count_nothing)
{
    struct semantic *s = semantic_of(3);
    struct semantic_summary m;
    struct err e;

    CHECK_EQ(semantic_add(s, (const uint8_t[]){1, 3}, (const uint8_t[]){1, 1}, 2, &e), RC_INVALID);
    CHECK(strstr(e.text, "labelled 3"));
    CHECK_EQ(semantic_add(s, (const uint8_t[]){1, 2}, (const uint8_t[]){1, 255}, 2, &e),
             RC_INVALID);
    CHECK(strstr(e.text, "predicted as 255"));
    CHECK_EQ(semantic_add(s, NULL, NULL, (size_t)SEMANTIC_PIXELS_MAX + 1, &e), RC_TOO_LARGE);
    semantic_measure(s, &m);
    CHECK_EQ(m.pixels, 0);
    semantic_free(s);
}

TEST(the_number_of_classes_is_checked_and_memory_may_be_out)
{
    struct semantic *s = NULL;
    size_t live = mem_live_bytes();
    struct err e;

    CHECK_EQ(semantic_new(&s, 0, &e), RC_INVALID);
    CHECK_EQ(semantic_new(&s, 256, &e), RC_INVALID);
    for (int n = 0; n < 2; n++) {
        mem_fail_at(n);
        CHECK_EQ(semantic_new(&s, 255, &e), RC_NOMEM);
        CHECK(mem_fail_disarm());
    }
    CHECK(!s);
    CHECK_EQ(mem_live_bytes(), live);
    semantic_free(semantic_of(255));
}
