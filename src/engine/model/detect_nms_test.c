/* detect_nms_test.c - what is kept: order, ties, classes, limits, numbers that are not finite. */
#include "engine/model/detect_nms.c"

#include "engine/model/detect_fixture.h"

static struct detect_pick room[4096];
static struct net_detection kept[NET_DETECTIONS_MAX];

static int pick(struct fixture *f, float confidence, float iou, int most)
{
    const struct net_detect d = {confidence, iou, most};

    return detect_pick_boxes(&f->maps, kernels_get(NULL), 0, &d, room, kept);
}

/* A picture of 128 pixels where nothing is found. */
static struct fixture quiet(int classes)
{
    struct fixture f = fixture_new(1, classes, 128, 1);

    fixture_clear(&f, -20);
    return f;
}

TEST(the_most_confident_of_overlapping_boxes_of_a_class_is_kept)
{
    struct fixture f = quiet(3);

    fixture_predict(&f, 0, 20, 2);
    fixture_predict(&f, 0, 21, 2); /* 8 pixels beside: IoU 3 / 5 */
    fixture_predict(&f, 0, 100, 2);
    *fixture_logit(&f, 0, 20, 1) = 1;
    *fixture_logit(&f, 0, 21, 1) = 2;
    *fixture_logit(&f, 0, 100, 1) = 0;
    CHECK_EQ(pick(&f, 0.25f, 0.5f, 300), 2);
    CHECK(kept[0].anchor == 21 && kept[1].anchor == 100 && kept[0].box.cls == 1);
    CHECK(kept[1].confidence == 0.5f);
    CHECK_EQ(pick(&f, 0.25f, 0.65f, 300), 3); /* they overlap less than that */
    CHECK_EQ(pick(&f, 0.6f, 0.65f, 300), 2);
    CHECK_EQ(pick(&f, 0.25f, 0.65f, 1), 1);
    CHECK_EQ(kept[0].anchor, 21);
    *fixture_logit(&f, 0, 20, 2) = 1.5f; /* another class is not suppressed */
    CHECK_EQ(pick(&f, 0.25f, 0.5f, 300), 3);
    CHECK(kept[1].box.cls == 2 && kept[1].anchor == 20);
    fixture_done(&f);
}

TEST(equal_confidence_goes_by_anchor_and_class)
{
    struct fixture f = quiet(20);

    for (int a = 0; a < 5; a++) {
        const int anchor = (a * 37 + 11) % 256;
        fixture_predict(&f, 0, anchor, 0);
        for (int side = 0; side < 4; side++) /* half a cell: none overlaps another */
            fixture_bins(&f, 0, anchor, side)[1] = 49;
        *fixture_logit(&f, 0, anchor, 17) = 1;
        *fixture_logit(&f, 0, anchor, 4) = 1;
    }
    CHECK_EQ(pick(&f, 0.25f, 0.5f, 300), 5);
    for (int i = 0; i < 5; i++)
        CHECK(kept[i].box.cls == 4 && (i == 0 || kept[i].anchor > kept[i - 1].anchor));
    fixture_done(&f);
}

TEST(boxes_are_cut_to_the_picture_and_nothing_outside_counts)
{
    struct fixture f = quiet(2);

    fixture_predict(&f, 0, 0, 9);
    *fixture_logit(&f, 0, 0, 0) = 3;
    CHECK_EQ(pick(&f, 0.25f, 0.5f, 300), 1);
    CHECK(kept[0].box.x0 == 0 && kept[0].box.y0 == 0);
    CHECK(fabs((double)kept[0].box.x1 - 76) < 1e-3);
    for (int c = 2; c < 16; c++) /* padding of the block of channels */
        *(fixture_logit(&f, 0, 5, 0) + c) = 9;
    CHECK_EQ(pick(&f, 0.25f, 0.5f, 300), 1);
    fixture_done(&f);
}

TEST(numbers_that_are_not_finite_are_left_out)
{
    struct fixture f = quiet(2);

    *fixture_logit(&f, 0, 3, 0) = NAN;
    *fixture_logit(&f, 0, 7, 0) = 5;
    fixture_bins(&f, 0, 7, 2)[3] = NAN;
    CHECK_EQ(pick(&f, 0.25f, 0.5f, 300), 0);
    *fixture_logit(&f, 0, 9, 1) = INFINITY;
    CHECK_EQ(pick(&f, 1, 0.5f, 300), 1);
    CHECK(kept[0].confidence == 1 && kept[0].box.cls == 1);
    fixture_done(&f);
}

TEST(a_full_picture_gives_the_most_confident_in_falling_order)
{
    struct fixture f = fixture_new(1, 4, 128, 9);
    const int n = pick(&f, 0.001f, 0.99f, NET_DETECTIONS_MAX);

    CHECK(n > 100);
    for (int i = 1; i < n; i++)
        CHECK(kept[i].confidence <= kept[i - 1].confidence);
    float most = -INFINITY;
    for (int a = 0; a < detect_anchors(&f.maps); a++)
        for (int c = 0; c < 4; c++)
            most = fmaxf(most, *fixture_logit(&f, 0, a, c));
    CHECK(fabs((double)kept[0].confidence - 1 / (1 + exp(-(double)most))) < 1e-6);
    fixture_done(&f);
}
