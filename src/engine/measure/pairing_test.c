/* pairing_test.c - who stands for whom, and in which order that is told.  What counts of it:
 * confusion_test.c. */
#include "base/test.h"
#include "engine/measure/pairing.c"
#include <math.h>
#include <stdio.h>
#include <string.h>

static char told[256];

static void tell(void *ud, int64_t truth, int64_t detection)
{
    size_t n = strlen(told);

    snprintf(told + n, sizeof told - n, "%lld-%lld ", (long long)truth, (long long)detection);
}

static void check_told(double confidence, struct coco_image im, const char *want)
{
    struct pairing *p;
    struct err e = {0};

    CHECK_OK(pairing_new(&p, COCO_BOXES, confidence, .5, &e), &e);
    for (int again = 0; again < 2; again++) { /* one picture after another */
        told[0] = 0;
        CHECK_OK(pairing_walk(p, &im, tell, NULL, &e), &e);
        CHECK(!strcmp(told, want));
    }
    pairing_free(p);
}

TEST(pairs_come_by_overlap_then_truths_then_detections)
{
    struct coco_truth t[] = {{0, false, {0, 0, 10, 10}, -1, NULL},
                             {1, false, {40, 0, 10, 10}, -1, NULL},
                             {1, false, {80, 0, 10, 10}, -1, NULL}};
    struct coco_detection d[] = {{3, .9, {200, 0, 10, 10}, NULL},
                                 {1, .5, {0, 1, 10, 10}, NULL},
                                 {0, .3, {80, 0, 10, 10}, NULL},
                                 {0, .2, {40, 0, 10, 10}, NULL}};

    check_told(0, (struct coco_image){t, 3, d, 4}, "2-2 1-3 0-1 -1-0 ");
    check_told(.25, (struct coco_image){t, 3, d, 4}, "2-2 0-1 1--1 -1-0 ");
    check_told(.95, (struct coco_image){t, 3, d, 4}, "0--1 1--1 2--1 ");
    check_told(0, (struct coco_image){NULL, 0, NULL, 0}, "");
}

TEST(a_box_of_no_number_has_no_partner)
{
    struct coco_truth t[] = {{0, false, {NAN, 0, 10, 10}, -1, NULL}};
    struct coco_detection d[] = {{0, .5, {0, 0, NAN, 10}, NULL}, {0, NAN, {0, 0, 9, 9}, NULL}};

    check_told(0, (struct coco_image){t, 1, d, 2}, "0--1 -1-0 ");
}

TEST(limits_and_no_memory_are_told)
{
    struct pairing *p;
    struct coco_truth t[] = {{0, false, {0, 0, 10, 10}, -1, NULL}};
    struct coco_detection d[] = {{0, .5, {0, 0, 10, 10}, NULL}};
    struct err e = {0};

    CHECK(pairing_new(&p, COCO_BOXES, 1.5, .5, &e) == RC_INVALID);
    CHECK(pairing_new(&p, COCO_BOXES, .5, 0, &e) == RC_INVALID);
    mem_fail_at(0);
    CHECK(pairing_new(&p, COCO_BOXES, .5, .5, &e) == RC_NOMEM);
    CHECK_OK(pairing_new(&p, COCO_BOXES, .5, .5, &e), &e);
    told[0] = 0;
    for (long at = 0; at < 2; at++) {
        mem_fail_at(at);
        CHECK(pairing_walk(p, &(struct coco_image){t, 1, d, 1}, tell, NULL, &e) == RC_NOMEM);
    }
    CHECK(!told[0]);
    CHECK_OK(pairing_walk(p, &(struct coco_image){t, 1, d, 1}, tell, NULL, &e), &e);
    pairing_free(p);
}
