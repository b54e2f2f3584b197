/* targets_test.c - what of each object is left, and who lies over whom. */
#include "base/test.h"
#include "engine/feed/targets.c"

enum { SIZE = 64, SMALL = SIZE / NET_MASK_STRIDE };

static struct targets targets_of(enum net_task task, bool train)
{
    struct targets t;
    struct semantic_map m = {0, 1};
    CHECK(targets_init(&t, task, train, m, 4, SIZE));
    targets_begin(&t, SIZE);
    return t;
}

static const struct sample_ref *const *one(const struct sample_ref *s)
{
    static const struct sample_ref *p[1];
    p[0] = s;
    return p;
}

TEST(boxes_are_moved_clipped_and_dropped_by_what_is_left)
{
    static const struct net_box boxes[] = {
        {0, 10, 10, 20, 30},     /* inside */
        {1, -10, 0, 10, 10},     /* half outside */
        {2, -91, 0, 9, 10},      /* 9 % left: gone in training */
        {0, -89, 20, 11, 30},    /* 11 % */
        {1, 40, 40, 41.9f, 60},  /* too thin */
        {1, 100, 100, 120, 110}, /* outside */
    };
    struct sample_ref s = {.width = SIZE, .height = SIZE, .boxes = boxes, .boxes_n = 6};

    for (int train = 0; train < 2; train++) {
        struct targets t = targets_of(NET_DETECTION, train);
        CHECK(targets_add(&t, one(&s), &affine_identity, 1));
        CHECK_EQ(t.first[1], train ? 3 : 5);
        CHECK(t.boxes.p[0].x0 == 10 && t.boxes.p[0].y1 == 30 && t.boxes.p[0].cls == 0);
        CHECK(t.boxes.p[1].x0 == 0 && t.boxes.p[1].x1 == 10 && t.boxes.p[1].cls == 1);
        CHECK(t.boxes.p[2].x1 == (train ? 11 : 9));
        /* a second image, mirrored and halved */
        struct affine m = affine_then(affine_scale(-0.5, 0.5), affine_move(SIZE, 0));
        CHECK(targets_add(&t, one(&s), &m, 1));
        const struct net_box *b = &t.boxes.p[t.first[1]];
        CHECK(b->x0 == 54 && b->x1 == 59 && b->y0 == 5 && b->y1 == 15);
        CHECK_EQ(t.n, 2);
        targets_begin(&t, SIZE);
        CHECK(t.boxes.n == 0 && t.n == 0);
        targets_done(&t);
    }
}

static const float big[] = {8, 8, 56, 8, 56, 56, 8, 56},
                   little[] = {20, 20, 36, 20, 36, 36, 20, 36},
                   sliver[] = {0, 61, 64, 61, 64, 61.5f, 0, 61.5f},
                   far_off[] = {70, 0, 90, 0, 80, 9};

TEST(instances_are_numbered_as_their_boxes_and_small_ones_lie_on_top)
{
    struct sample_shape shapes[] = {
        {2, 4, little, false}, {1, 4, big, false}, {1, 3, far_off, false}, {0, 4, sliver, false}};
    struct sample_ref s = {.width = SIZE, .height = SIZE, .shapes = shapes, .shapes_n = 4};
    struct targets t = targets_of(NET_SEGMENTATION, false);

    CHECK(targets_add(&t, one(&s), &affine_identity, 1));
    CHECK_EQ(t.first[1], 3);
    CHECK(t.boxes.p[0].cls == 2 && t.boxes.p[0].x0 == 20 && t.boxes.p[0].x1 == 36);
    CHECK(t.boxes.p[1].cls == 1 && t.boxes.p[1].y0 == 8);
    for (int y = 0; y < SMALL; y++)
        for (int x = 0; x < SMALL; x++) {
            bool in_big = x >= 2 && x < 14 && y >= 2 && y < 14;
            bool in_little = x >= 5 && x < 9 && y >= 5 && y < 9;
            bool dot = x == 8 && y == 15; /* thinner than the grid: its middle */
            CHECK_EQ(t.instances[y * SMALL + x], dot ? 3 : in_little ? 1 : in_big ? 2 : 0);
        }
    t.train = true; /* thin things are left out, and the numbers close up */
    targets_begin(&t, SIZE);
    struct affine away = affine_move(-40, 0); /* little is gone, big keeps a third */
    CHECK(targets_add(&t, one(&s), &away, 1));
    CHECK(t.first[1] == 2 && t.boxes.p[0].cls == 1 && t.boxes.p[1].cls == 1);
    CHECK(t.boxes.p[0].x0 == 0 && t.boxes.p[0].x1 == 16);
    CHECK_EQ(t.instances[8 * SMALL + 1], 1);
    targets_done(&t);
}

TEST(the_parts_of_an_object_are_one_instance)
{
    static const float left[] = {0, 0, 8, 0, 8, 8, 0, 8}, right[] = {16, 0, 24, 0, 24, 8, 16, 8};
    struct sample_shape shapes[] = {{0, 4, left, true}, {0, 4, right, false}, {0, 4, big, false}};
    struct sample_ref s = {.width = SIZE, .height = SIZE, .shapes = shapes, .shapes_n = 3};
    struct targets t = targets_of(NET_SEGMENTATION, true);

    CHECK(targets_add(&t, one(&s), &affine_identity, 1));
    CHECK(t.first[1] == 2 && t.boxes.p[0].x0 == 0 && t.boxes.p[0].x1 == 24);
    CHECK(t.instances[0] == 1 && t.instances[2] == 0 && t.instances[4] == 1);
    targets_done(&t);
}

TEST(labels_know_background_classes_and_what_does_not_count)
{
    struct sample_shape shapes[] = {{1, 4, little, false}, {4, 4, big, false}};
    struct sample_ref s = {.width = SIZE, .height = 32, .shapes = shapes, .shapes_n = 2};
    struct affine down = affine_move(0, 16); /* as a letterbox does */
    struct targets t = targets_of(NET_SEMANTIC, true);

    CHECK(targets_add(&t, one(&s), &down, 1));
    CHECK_EQ(t.labels[0], NET_LABEL_IGNORE);
    CHECK_EQ(t.labels[16 * SIZE], 0); /* background where the picture begins */
    CHECK_EQ(t.labels[15 * SIZE + 5], NET_LABEL_IGNORE);
    CHECK_EQ(t.labels[30 * SIZE + 10], 5);
    CHECK_EQ(t.labels[40 * SIZE + 25], 2); /* the smaller one, although it comes first */
    CHECK_EQ(t.labels[63 * SIZE + 63], NET_LABEL_IGNORE);
    targets_done(&t);
}

TEST(each_failing_allocation_is_said_and_nothing_leaks)
{
    struct sample_shape shapes[] = {{1, 4, little, false}, {0, 4, big, false}};
    struct sample_ref s = {.width = SIZE, .height = 32, .shapes = shapes, .shapes_n = 2};

    for (int task = NET_DETECTION; task < NET_TASKS; task++)
        for (long n = 0;; n++) {
            size_t before = mem_live_bytes();
            struct targets t;
            mem_fail_at(n);
            bool ok =
                targets_init(&t, (enum net_task)task, true, (struct semantic_map){0, 1}, 2, SIZE);
            if (ok) {
                targets_begin(&t, SIZE);
                ok = targets_add(&t, one(&s), &affine_identity, 1);
            }
            targets_done(&t);
            bool fired = mem_fail_disarm();
            CHECK_EQ(mem_live_bytes(), before);
            CHECK_EQ(ok, !fired);
            if (!fired)
                break;
        }
}
