/* curve_test.c - curves of a class counted by hand, their means, the best threshold, nothing at
 * all. Against numpy over random cases: bench/measures. */
#include "base/test.h"
#include "engine/measure/curve.c"

static struct curve c;

static struct coco_eval *eval_of(uint32_t classes)
{
    struct coco_eval *ev;
    struct err e;
    CHECK_OK(coco_eval_new(&ev, classes, NULL, &e), &e);
    return ev;
}

/* Two truths of class 0, one of class 1; class 2 has detections only. */
static struct coco_eval *example(void)
{
    struct coco_truth t[] = {{0, false, {0, 0, 10, 10}, -1, NULL},
                             {0, false, {50, 0, 10, 10}, -1, NULL},
                             {1, false, {0, 50, 10, 10}, -1, NULL},
                             {1, true, {90, 50, 10, 10}, -1, NULL}};
    struct coco_detection d[] = {{0, .9, {0, 0, 10, 10}, NULL},   {0, .6, {80, 0, 10, 10}, NULL},
                                 {0, .3, {50, 0, 10, 10}, NULL},  {1, .5, {0, 50, 10, 10}, NULL},
                                 {1, .7, {90, 50, 10, 10}, NULL}, {2, .95, {0, 0, 10, 10}, NULL},
                                 {1, NAN, {0, 50, 10, 10}, NULL}};
    struct coco_eval *ev = eval_of(3);
    struct err e;

    CHECK_OK(coco_eval_add(ev, &(struct coco_image){t, 4, d, 7}, &e), &e);
    CHECK_OK(coco_eval_finish(ev, &e), &e);
    return ev;
}

TEST(a_threshold_keeps_scores_at_or_above_it)
{
    struct coco_eval *ev = example();

    curve_of_class(ev, 0, 0, &c);
    CHECK_EQ(c.truths, 2);
    CHECK(c.precision[901] == 1 && c.recall[901] == 0 && c.f1[901] == 0);
    CHECK(c.precision[900] == 1 && c.recall[900] == .5 && c.f1[900] == 2. / 3);
    CHECK(c.precision[600] == .5 && c.recall[600] == .5 && c.f1[600] == .5);
    CHECK(c.precision[300] == 2. / 3 && c.recall[300] == 1 && c.f1[300] == .8);
    CHECK(c.precision[0] == 2. / 3 && fabs(c.precision_at_recall[50] - 1) < 1e-12);
    CHECK(fabs(c.precision_at_recall[100] - 2. / 3) < 1e-12);
    CHECK(c.best_confidence == .15 && c.best_f1 == .8 && c.best_recall == 1);
    CHECK(c.best_precision == 2. / 3);
    coco_eval_free(ev);
}

TEST(what_met_a_crowd_and_what_has_no_score_count_neither_way)
{
    struct coco_eval *ev = example();

    curve_of_class(ev, 0, 1, &c);
    CHECK_EQ(c.truths, 1);
    CHECK(c.precision[700] == 1 && c.recall[700] == 0 && c.f1[500] == 1);
    CHECK(c.precision[0] == 1 && c.f1[0] == 1);
    coco_eval_free(ev);
}

TEST(all_is_the_mean_of_the_classes_that_have_objects)
{
    struct coco_eval *ev = example();

    curve_of_all(ev, 0, &c);
    CHECK_EQ(c.truths, 3);
    CHECK(fabs(c.f1[300] - .9) < 1e-12 && fabs(c.f1[400] - .75) < 1e-12);
    CHECK(fabs(c.best_f1 - .9) < 1e-12 && c.best_confidence == .15);
    coco_eval_free(ev);
}

TEST(nothing_to_measure_gives_zeros)
{
    struct coco_eval *ev = eval_of(2);

    memset(&c, 9, sizeof c);
    curve_of_all(ev, 0, &c);
    CHECK(c.truths == 0 && c.f1[0] == 0 && c.best_f1 == 0 && c.precision[1000] == 0);
    memset(&c, 9, sizeof c);
    curve_of_class(ev, 0, 1, &c);
    CHECK(c.truths == 0 && c.best_confidence == 0 && c.precision_at_recall[0] == 0);
    coco_eval_free(ev);
}

TEST(thresholds_are_found_by_value)
{
    struct coco_eval *ev = eval_of(1);

    CHECK_EQ(curve_iou_index(ev, .5), 0);
    CHECK_EQ(curve_iou_index(ev, .75), 5);
    CHECK_EQ(curve_iou_index(ev, .95), 9);
    CHECK_EQ(curve_iou_index(ev, .52), -1);
    coco_eval_free(ev);
}
