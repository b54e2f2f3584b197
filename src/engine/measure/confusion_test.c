/* confusion_test.c - who is paired with whom, background, crowds, refusals.  Against numpy over
 * random cases: bench/measures. */
#include "base/test.h"
#include "engine/measure/confusion.c"
#include <math.h>
#include <string.h>

static struct confusion *confusion_of(double confidence, double iou)
{
    struct confusion *c;
    struct err e;
    CHECK_OK(confusion_new(&c, 2, COCO_BOXES, confidence, iou, &e), &e);
    return c;
}

static void check_cells(struct confusion *c, const uint64_t want[9])
{
    for (int i = 0; i < 9; i++)
        CHECK_EQ(confusion_cells(c)[i], want[i]);
    confusion_free(c);
}

TEST(the_best_overlap_is_paired_first_whatever_the_class)
{
    struct confusion *c = confusion_of(.25, .45);
    struct coco_truth t[] = {{0, false, {0, 0, 10, 10}, -1, NULL},
                             {1, false, {0, 2, 10, 10}, -1, NULL},
                             {1, false, {90, 0, 10, 10}, -1, NULL}};
    struct coco_detection d[] = {{0, .5, {0, 2, 10, 10}, NULL}, /* exactly truth 1 */
                                 {0, .9, {0, 1, 10, 10}, NULL}, /* between: left with truth 0 */
                                 {1, .24, {90, 0, 10, 10}, NULL} /* under the confidence */};
    struct err e;

    CHECK_OK(confusion_add(c, &(struct coco_image){t, 3, d, 3}, &e), &e);
    check_cells(c, (const uint64_t[]){1, 0, 0, /**/ 1, 0, 1, /**/ 0, 0, 0});
}

TEST(what_is_left_over_meets_the_background)
{
    struct confusion *c = confusion_of(0, .5);
    struct coco_truth t[] = {{0, false, {0, 0, 10, 10}, -1, NULL},
                             {1, true, {50, 0, 40, 40}, -1, NULL}};
    struct coco_detection d[] = {{0, .5, {0, 5.1, 10, 10}, NULL},
                                 {1, .5, {55, 5, 5, 5}, NULL}, /* in the crowd of its class */
                                 {0, .5, {55, 5, 5, 5}, NULL}, /* of another */
                                 {0, NAN, {0, 0, 10, 10}, NULL}};
    struct err e;

    CHECK_OK(confusion_add(c, &(struct coco_image){t, 2, d, 4}, &e), &e);
    check_cells(c, (const uint64_t[]){0, 0, 1, /**/ 0, 0, 0, /**/ 2, 0, 0});
}

TEST(ties_go_to_the_lower_index_and_pictures_add_up)
{
    struct confusion *c = confusion_of(0, .5);
    struct coco_truth t[] = {{0, false, {0, 0, 10, 10}, -1, NULL},
                             {1, false, {0, 0, 10, 10}, -1, NULL}};
    struct coco_detection d[] = {{1, .1, {0, 0, 10, 10}, NULL}};
    struct err e;

    for (int i = 0; i < 3; i++)
        CHECK_OK(confusion_add(c, &(struct coco_image){t, 2, d, 1}, &e), &e);
    check_cells(c, (const uint64_t[]){0, 3, 0, /**/ 0, 0, 3, /**/ 0, 0, 0});
}

TEST(bad_input_is_refused_and_counts_nothing)
{
    struct confusion *c = NULL;
    struct coco_truth t[] = {{0, false, {0, 0, 9, 9}, -1, NULL}, {2, false, {0}, -1, NULL}};
    struct coco_detection d[] = {{0, .5, {0, 0, 9, 9}, NULL}, {2, .5, {0}, NULL}};
    struct err e;

    CHECK_EQ(confusion_new(&c, 0, COCO_BOXES, .5, .5, &e), RC_INVALID);
    CHECK_EQ(confusion_new(&c, CONFUSION_CLASSES_MAX + 1, COCO_BOXES, .5, .5, &e), RC_INVALID);
    CHECK_EQ(confusion_new(&c, 2, COCO_BOXES, NAN, .5, &e), RC_INVALID);
    CHECK_EQ(confusion_new(&c, 2, COCO_BOXES, .5, 0, &e), RC_INVALID);
    CHECK_EQ(confusion_new(&c, 2, COCO_BOXES, .5, 1.1, &e), RC_INVALID);
    CHECK(!c);
    c = confusion_of(0, .5);
    CHECK_EQ(confusion_add(c, &(struct coco_image){t, 2, d, 1}, &e), RC_INVALID);
    CHECK_EQ(confusion_add(c, &(struct coco_image){t, 1, d, 2}, &e), RC_INVALID);
    c->kind = COCO_MASKS;
    CHECK_EQ(confusion_add(c, &(struct coco_image){t, 1, d, 0}, &e), RC_INVALID);
    CHECK(strstr(e.text, "no mask"));
    check_cells(c, (const uint64_t[9]){0});
}

TEST(each_allocation_may_fail)
{
    struct coco_truth t[] = {{0, false, {0, 0, 9, 9}, -1, NULL}};
    struct coco_detection d[] = {{0, .5, {0, 0, 9, 9}, NULL}};
    size_t live = mem_live_bytes();
    struct err e;

    for (long n = 0;; n++) {
        struct confusion *c = NULL;
        CHECK(n < 50);
        mem_fail_at(n);
        enum rc rc = confusion_new(&c, 2, COCO_BOXES, 0, .5, &e);
        if (!rc)
            rc = confusion_add(c, &(struct coco_image){t, 1, d, 1}, &e);
        bool fired = mem_fail_disarm();
        CHECK(fired ? rc == RC_NOMEM : !rc);
        CHECK(!c || confusion_cells(c)[0] == !fired);
        confusion_free(c);
        CHECK_EQ(mem_live_bytes(), live);
        if (!fired)
            break;
    }
}
