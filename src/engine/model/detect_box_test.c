/* detect_box_test.c - anchors, decoding, CIoU and distribution focal loss: known values, limits,
 * and gradients by finite differences. */
#include "engine/model/detect_box.c"

#include "engine/model/detect_fixture.h"

static bool near(double a, double b, double tolerance)
{
    return fabs(a - b) <= tolerance * (1 + fabs(b));
}

TEST(anchors_are_cell_centres_level_by_level)
{
    struct fixture f = fixture_new(1, 3, 64, 1);

    CHECK_EQ(detect_anchors(&f.maps), 64 + 16 + 4);
    struct detect_anchor a = detect_anchor_at(&f.maps, 9);
    CHECK(a.level == 0 && a.cell == 9 && a.cx == 12 && a.cy == 12 && a.stride == 8);
    a = detect_anchor_at(&f.maps, 64 + 16 + 3);
    CHECK(a.level == 2 && a.cell == 3 && a.cx == 48 && a.cy == 48 && a.stride == 32);
    fixture_done(&f);
}

TEST(equal_bins_mean_seven_and_a_half_strides)
{
    struct fixture f = fixture_new(1, 3, 64, 1);
    const struct detect_anchor a = detect_anchor_at(&f.maps, 64);
    struct detect_bins bins;
    double box[4];

    fixture_clear(&f, 0);
    detect_bins_at(&f.maps, kernels_get(NULL), 0, &a, &bins);
    detect_decode(&a, bins.distance, box);
    CHECK(near(box[0], 8 - 120, 1e-6) && near(box[3], 8 + 120, 1e-6));
    CHECK(near(bins.log_sum[2], log(16), 1e-6));
    fixture_predict(&f, 0, 64, 2);
    detect_bins_at(&f.maps, kernels_get(NULL), 0, &a, &bins);
    CHECK(near(bins.distance[1], 2, 1e-6));
    fixture_done(&f);
}

TEST(ciou_is_one_for_the_truth_and_falls_with_distance_and_shape)
{
    const double t[4] = {10, 10, 30, 50}, far[4] = {100, 100, 120, 140}, wide[4] = {0, 20, 40, 40};
    const double farther[4] = {200, 200, 220, 240};
    double g[4];

    CHECK(near(detect_ciou(t, t, g), 1, 1e-6));
    CHECK(detect_ciou(far, t, g) < 0);
    CHECK(detect_ciou(farther, t, g) < detect_ciou(far, t, g));
    /* same centre: 1/3 of overlap, less the penalty of the other shape */
    const double angle = atan(0.5) - atan(2), v = 0.40528473456935109 * angle * angle;
    const double alpha = v / (1 - 1.0 / 3 + v);
    CHECK(near(detect_ciou(wide, t, g), 1.0 / 3 - alpha * v, 1e-6));
    CHECK(near(detect_iou(wide, t), 1.0 / 3, 1e-12));
}

/* CIoU with alpha held at its value for `at`, as the gradient sees it. */
static double ciou_fixed(const double p[4], const double t[4], const double at[4])
{
    const double pi = acos(-1.0), iou = detect_iou(p, t), iou_at = detect_iou(at, t);
    const double truth_angle = atan((t[2] - t[0]) / (t[3] - t[1]));
    const double angle = truth_angle - atan((p[2] - p[0]) / (p[3] - p[1]));
    const double angle_at = truth_angle - atan((at[2] - at[0]) / (at[3] - at[1]));
    const double v = 4 / pi / pi * angle * angle, v_at = 4 / pi / pi * angle_at * angle_at;
    const double hw = fmax(p[2], t[2]) - fmin(p[0], t[0]), hh = fmax(p[3], t[3]) - fmin(p[1], t[1]);
    const double sx = (p[0] + p[2] - t[0] - t[2]) / 2, sy = (p[1] + p[3] - t[1] - t[3]) / 2;

    return iou - (sx * sx + sy * sy) / (hw * hw + hh * hh) - v_at / (1 - iou_at + v_at) * v;
}

TEST(ciou_gradient_agrees_with_finite_differences)
{
    const double t[4] = {40, 30, 80, 110}, step = 1e-5;

    for (uint64_t trial = 0; trial < 200; trial++) {
        double p[4], g[4];
        for (uint64_t i = 0; i < 2; i++) {
            p[i] = 100 * rand_unit(rand_at(3, trial, i, 0));
            p[i + 2] = p[i] + 1 + 80 * rand_unit(rand_at(3, trial, i, 1));
        }
        const double value = detect_ciou(p, t, g);
        CHECK(near(value, ciou_fixed(p, t, p), 1e-6));
        for (int i = 0; i < 4; i++) {
            double up[4], down[4];
            memcpy(up, p, sizeof up);
            memcpy(down, p, sizeof down);
            up[i] += step;
            down[i] -= step;
            const double slope = (ciou_fixed(up, t, p) - ciou_fixed(down, t, p)) / (2 * step);
            CHECK(fabs(slope - g[i]) < 1e-6);
        }
    }
}

TEST(ciou_of_an_empty_prediction_is_finite)
{
    const double t[4] = {0, 0, 10, 10}, empty[4] = {5, 5, 5, 5}, nan_box[4] = {NAN, 0, 1, 1};
    double g[4];

    CHECK(isfinite(detect_ciou(empty, t, g)));
    for (int i = 0; i < 4; i++)
        CHECK(isfinite(g[i]));
    CHECK(isnan(detect_ciou(nan_box, t, g)));
    CHECK(detect_iou(empty, t) == 0 && detect_iou(nan_box, t) == 0);
}

TEST(dfl_is_least_at_the_two_bins_beside_the_target)
{
    struct fixture f = fixture_new(1, 1, 32, 5);
    const struct detect_anchor a = detect_anchor_at(&f.maps, 3);
    const struct kernels *k = kernels_get(NULL);
    const double target[4] = {2.25, 0, 99, 14.5};
    struct detect_bins bins;
    double g[4][DETECT_BINS], other[4][DETECT_BINS];

    for (int side = 0; side < 4; side++)
        for (int i = 0; i < DETECT_BINS; i++) {
            const double t = fmin(target[side], 14.99), d = fabs(t - i);
            fixture_bins(&f, 0, 3, side)[i] = d < 1 ? (float)log(1 - d + 1e-12) : -60;
        }
    detect_bins_at(&f.maps, k, 0, &a, &bins);
    const double least = detect_dfl(&bins, target, g);
    for (int side = 0; side < 4; side++)
        for (int i = 0; i < DETECT_BINS; i++)
            CHECK(fabs(g[side][i]) < 1e-5);
    fixture_bins(&f, 0, 3, 0)[5] = 0;
    detect_bins_at(&f.maps, k, 0, &a, &bins);
    CHECK(detect_dfl(&bins, target, other) > least + 0.01);
    fixture_done(&f);
}

TEST(dfl_gradient_agrees_with_finite_differences)
{
    struct fixture f = fixture_new(1, 1, 32, 6);
    const struct detect_anchor a = detect_anchor_at(&f.maps, 0);
    const struct kernels *k = kernels_get(NULL);
    const double target[4] = {0.3, 7, 14.2, 3.9};
    struct detect_bins bins;
    double g[4][DETECT_BINS], unused[4][DETECT_BINS];

    detect_bins_at(&f.maps, k, 0, &a, &bins);
    detect_dfl(&bins, target, g);
    for (int side = 0; side < 4; side++)
        for (int i = 0; i < DETECT_BINS; i++) {
            float *x = fixture_bins(&f, 0, 0, side) + i;
            const float before = *x;
            *x = before + 0.01f;
            const double up_at = (double)*x;
            detect_bins_at(&f.maps, k, 0, &a, &bins);
            const double up = detect_dfl(&bins, target, unused);
            *x = before - 0.01f;
            const double down_at = (double)*x;
            detect_bins_at(&f.maps, k, 0, &a, &bins);
            const double down = detect_dfl(&bins, target, unused);
            *x = before;
            CHECK(fabs((up - down) / (up_at - down_at) - g[side][i]) < 3e-5);
        }
    fixture_done(&f);
}
