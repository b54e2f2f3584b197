/* semantic_loss_test.c - cross-entropy of pixels against a plain reading in double, its gradient by
 * finite differences, ignored pixels, and bilinear labels. */
#include "engine/model/semantic_loss.c"

#include "base/hash.h"
#include "base/mem.h"
#include "base/test.h"

enum { SIZE = 32, SIDE = SIZE / 4, CLASSES = 19, PLANE = SIDE * SIDE * CH, FLOATS = 2 * 2 * PLANE };

static float logits[FLOATS] __attribute__((aligned(64))), grad[FLOATS] __attribute__((aligned(64)));
static uint8_t labels[2 * SIZE * SIZE], found[SIZE * SIZE];
static float weights[CLASSES], room[SIDE * 32];
static const struct semantic_maps MAPS = {CLASSES, SIDE, SIZE, logits, grad};

static void fill(void)
{
    for (size_t i = 0; i < FLOATS; i++)
        logits[i] = (float)(6 * rand_unit(rand_at(1, i, 0, 0)) - 3);
    for (size_t i = 0; i < sizeof labels; i++) {
        const uint64_t r = rand_at(2, i / 3, 0, 0);
        labels[i] = r % 5 == 0 ? NET_LABEL_IGNORE : (uint8_t)(r % CLASSES);
    }
    for (int c = 0; c < CLASSES; c++)
        weights[c] = 0.5f + (float)(c % 4);
}

static double logit(int image, int y, int x, int c)
{
    return (double)logits[(image * 2 + c / 16) * PLANE + (y * SIDE + x) * 16 + c % 16];
}

static double plain_loss(const float *w)
{
    double sum = 0, all = 0;

    for (int p = 0; p < 2 * SIZE * SIZE; p++) {
        const int image = p / (SIZE * SIZE), y = p / SIZE % SIZE / 4, x = p % SIZE / 4;
        const int label = labels[p];
        double total = 0;
        if (label == NET_LABEL_IGNORE)
            continue;
        for (int c = 0; c < CLASSES; c++)
            total += exp(logit(image, y, x, c));
        const double weight = w ? (double)w[label] : 1;
        all += weight;
        sum += weight * (log(total) - logit(image, y, x, label));
    }
    return sum / all;
}

static double run(const float *w)
{
    const double all =
        semantic_weight(&MAPS, labels, w) + semantic_weight(&MAPS, labels + SIZE * SIZE, w);
    double sum = 0;

    for (int image = 0; image < 2; image++)
        sum += semantic_loss_image(&MAPS, kernels_get(NULL), image, labels + image * SIZE * SIZE, w,
                                   1 / all);
    return sum / all;
}

TEST(loss_agrees_with_a_plain_reading_and_its_gradient_with_finite_differences)
{
    for (int weighted = 0; weighted < 2; weighted++) {
        const float *w = weighted ? weights : NULL;
        double error = 0, size = 0;
        fill();
        CHECK(fabs(run(w) - plain_loss(w)) < 1e-6 * plain_loss(w));
        for (size_t at = 0; at < FLOATS; at += 1 + (size_t)(rand_at(3, at, 0, 0) % 301)) {
            const float before = logits[at];
            logits[at] = before + 0.01f;
            const double up_at = (double)logits[at], up = plain_loss(w);
            logits[at] = before - 0.01f;
            const double slope = (up - plain_loss(w)) / (up_at - (double)logits[at]);
            logits[at] = before;
            error += (slope - (double)grad[at]) * (slope - (double)grad[at]);
            size += slope * slope;
        }
        CHECK(size > 0 && sqrt(error / size) < 1e-5);
    }
}

TEST(ignored_pixels_teach_nothing)
{
    fill();
    memset(labels, NET_LABEL_IGNORE, sizeof labels);
    CHECK(semantic_weight(&MAPS, labels, NULL) == 0);
    CHECK(semantic_loss_image(&MAPS, kernels_get(NULL), 0, labels, NULL, 1) == 0);
    for (size_t i = 0; i < FLOATS / 2; i++)
        CHECK(grad[i] == 0);
}

TEST(a_number_that_is_not_finite_shows_in_the_loss)
{
    fill();
    labels[0] = 3;
    logits[1] = NAN;
    CHECK(isnan(run(NULL)));
}

TEST(labels_are_the_largest_of_bilinear_logits)
{
    fill();
    semantic_labels(&MAPS, 1, room, found);
    for (int y = 0; y < SIZE; y++)
        for (int x = 0; x < SIZE; x++) {
            const double u = fmin(fmax((x + 0.5) / 4 - 0.5, 0), SIDE - 1);
            const double v = fmin(fmax((y + 0.5) / 4 - 0.5, 0), SIDE - 1);
            const int c0 = (int)fmin(u, SIDE - 2), r0 = (int)fmin(v, SIDE - 2);
            double values[CLASSES], most = -1e9;
            for (int c = 0; c < CLASSES; c++) {
                values[c] = 0;
                for (int k = 0; k < 4; k++)
                    values[c] += logit(1, r0 + k / 2, c0 + k % 2, c) *
                                 (k / 2 ? v - r0 : 1 - v + r0) * (k % 2 ? u - c0 : 1 - u + c0);
                most = fmax(most, values[c]);
            }
            CHECK(found[y * SIZE + x] < CLASSES);
            CHECK(values[found[y * SIZE + x]] > most - 1e-5);
        }
    memset(logits, 0, sizeof logits);
    semantic_labels(&MAPS, 0, room, found);
    CHECK_EQ(found[77], 0); /* of equal ones the lowest */
}

TEST(labels_that_are_no_classes_are_refused_by_place)
{
    struct err e;

    fill();
    CHECK_OK(semantic_check(labels, 2, SIZE, CLASSES, &e), &e);
    labels[SIZE * SIZE + 2 * SIZE + 5] = CLASSES;
    CHECK_EQ(semantic_check(labels, 2, SIZE, CLASSES, &e), RC_INVALID);
    CHECK_STR(str_of(e.text), "pixel (5, 2) of image 1 of the batch has label 19; this network has "
                              "classes 0 to 18, and 255 teaches nothing");
}
