/* detect_loss_test.c - the detection loss against a plain reading in double, its gradient by finite
 * differences, the same bytes for any number of threads, and its edges. */
#include "engine/model/detect_loss.c"

#include "engine/model/detect_fixture.h"

enum { SIZE = 64, IMAGES = 3, CLASSES = 19, BOXES = 9 };

static const struct net_box BOXES_OF[BOXES] = {
    {3, 4, 4, 40, 30},  {18, 20, 10, 60, 60}, {0, 30, 30, 44, 47},
    {3, 0, 0, 64, 64},  {7, 5, 33, 25, 60},   {3, 4, 5, 41, 31},
    {11, 1, 1, 63, 20}, {16, 40, 2, 62, 62},  {2, 10, 10, 26, 26},
};
static const int32_t FIRST[IMAGES + 1] = {0, 5, 5, 9}; /* none in the second */
static const struct net_target TARGET = {.boxes = BOXES_OF, .first = FIRST};

static struct detect_loss *loss_of(int threads)
{
    struct detect_loss *l = NULL;
    struct err e;

    CHECK_OK(detect_loss_new(&l, IMAGES, 84, threads, &e), &e);
    return l;
}

static struct net_loss run(struct fixture *f, struct detect_loss *l, const struct net_target *t,
                           int count, int threads)
{
    struct crew *crew = NULL;
    struct net_loss ret;
    struct err e;

    CHECK_OK(crew_new(&crew, threads, NULL, &e), &e);
    detect_loss_run(l, crew, kernels_get(NULL), &f->maps, t, count, &net_gains_default, &ret);
    crew_free(crew);
    return ret;
}

TEST(loss_agrees_with_a_plain_reading_and_its_gradient_with_finite_differences)
{
    struct fixture f = fixture_new(IMAGES, CLASSES, SIZE, 4);
    struct detect_loss *l = loss_of(1);
    struct plain plain_at = {.fixture = &f, .loss = l, .boxes = BOXES_OF, .first = FIRST};
    const struct net_loss loss = run(&f, l, &TARGET, IMAGES, 1);
    const double plain = plain_loss(&plain_at, true);
    double error = 0, size = 0;

    CHECK(fabs(loss.total - plain) < 2e-6 * plain);
    CHECK(loss.box > 0 && loss.cls > 0 && loss.dfl > 0 && loss.mask == 0);
    CHECK(fabs(7.5 * loss.box + 0.5 * loss.cls + 1.5 * loss.dfl - loss.total) < 1e-9 * plain);
    for (int i = 0; i < DETECT_LEVELS; i++)
        for (int part = 0; part < 2; part++) {
            const struct detect_level *level = &f.maps.level[i];
            float *x = (float *)(uintptr_t)(part ? level->cls : level->box);
            const float *grad = part ? level->cls_grad : level->box_grad;
            const size_t n = part ? f.cls_floats[i] : f.box_floats[i];
            for (size_t at = 0; at < n; at += 1 + (size_t)(rand_at(1, at, 0, 0) % 61)) {
                const float before = x[at];
                x[at] = before + 2e-3f;
                const double up_at = (double)x[at], up = plain_loss(&plain_at, false);
                x[at] = before - 2e-3f;
                const double slope = (up - plain_loss(&plain_at, false)) / (up_at - (double)x[at]);
                x[at] = before;
                error += (slope - (double)grad[at]) * (slope - (double)grad[at]);
                size += slope * slope;
            }
        }
    CHECK(size > 0 && sqrt(error / size) < 1e-5);
    detect_loss_free(l);
    fixture_done(&f);
}

TEST(any_number_of_threads_gives_the_same_bytes)
{
    struct fixture a = fixture_new(IMAGES, CLASSES, SIZE, 4);
    struct detect_loss *l = loss_of(3);
    const struct net_loss one = run(&a, l, &TARGET, IMAGES, 1);

    for (int threads = 2; threads <= 3; threads++) {
        struct fixture b = fixture_new(IMAGES, CLASSES, SIZE, 4);
        const struct net_loss many = run(&b, l, &TARGET, IMAGES, threads);
        CHECK(memcmp(&one, &many, sizeof one) == 0);
        for (int i = 0; i < DETECT_LEVELS; i++) {
            CHECK(!memcmp(a.maps.level[i].box_grad, b.maps.level[i].box_grad, a.box_floats[i] * 4));
            CHECK(!memcmp(a.maps.level[i].cls_grad, b.maps.level[i].cls_grad, a.cls_floats[i] * 4));
        }
        fixture_done(&b);
    }
    detect_loss_free(l);
    fixture_done(&a);
}

TEST(pictures_without_boxes_teach_that_there_is_nothing)
{
    struct fixture f = fixture_new(IMAGES, CLASSES, SIZE, 8);
    const int32_t first[IMAGES + 1] = {0};
    struct detect_loss *l = loss_of(1);
    const struct net_loss loss = run(&f, l, &(struct net_target){.first = first}, IMAGES, 1);
    double plain = 0;

    for (int image = 0; image < IMAGES; image++)
        for (int a = 0; a < 84; a++)
            for (int c = 0; c < CLASSES; c++)
                plain += plain_softplus((double)*fixture_logit(&f, image, a, c));
    CHECK(loss.box == 0 && loss.dfl == 0 && fabs(loss.cls - plain) < 1e-6 * plain);
    for (int i = 0; i < DETECT_LEVELS; i++) {
        for (size_t at = 0; at < f.box_floats[i]; at++)
            CHECK(f.maps.level[i].box_grad[at] == 0);
        for (size_t at = 0; at < f.cls_floats[i]; at++) { /* the second block has 3 classes */
            const size_t hw = (size_t)(f.maps.level[i].h * f.maps.level[i].w);
            const size_t channel = at / (hw * CH) % 2 * CH + at % CH;
            CHECK((f.maps.level[i].cls_grad[at] > 0) == (channel < CLASSES));
        }
    }
    detect_loss_free(l);
    fixture_done(&f);
}

TEST(a_number_that_is_not_finite_shows_in_the_loss)
{
    struct fixture f = fixture_new(IMAGES, CLASSES, SIZE, 4);
    struct detect_loss *l = loss_of(1);
    float *x = fixture_logit(&f, 1, 50, 2);

    *x = NAN;
    CHECK(isnan(run(&f, l, &TARGET, IMAGES, 1).total));
    *x = INFINITY;
    CHECK(!isfinite(run(&f, l, &TARGET, IMAGES, 1).total));
    *x = 200;
    CHECK(isfinite(run(&f, l, &TARGET, IMAGES, 1).total));
    CHECK(run(&f, l, &TARGET, 1, 1).total > 0); /* fewer images than there is room for */
    detect_loss_free(l);
    fixture_done(&f);
}

TEST(targets_that_cannot_be_taught_are_refused_by_name)
{
    struct net_box box = {2, 0, 0, 5, 5};
    int32_t first[3] = {0, 0, 1};
    const struct net_target t = {.boxes = &box, .first = first};
    struct err e;

    CHECK_OK(detect_check(&t, 2, 3, &e), &e);
    CHECK_EQ(detect_check(&t, 2, 2, &e), RC_INVALID);
    CHECK_STR(str_of(e.text), "box 0 of image 1 of the batch has class 2; this network has 0 to 1");
    box.x1 = NAN;
    CHECK_EQ(detect_check(&t, 2, 3, &e), RC_INVALID);
    first[2] = DETECT_BOXES_MAX + 1;
    CHECK_EQ(detect_check(&t, 2, 3, &e), RC_INVALID);
    CHECK_STR(str_of(e.text), "image 1 of the batch has 4097 boxes; at most 4096 can be taught");
}

TEST(every_allocation_may_fail)
{
    const size_t before = mem_live_bytes();
    struct detect_loss *l = NULL;
    struct err e;

    for (long i = 0;; i++) {
        mem_fail_at(i);
        const enum rc rc = detect_loss_new(&l, 2, 84, 2, &e);
        if (!mem_fail_disarm())
            break;
        CHECK_EQ(rc, RC_NOMEM);
        CHECK(!l);
    }
    detect_loss_free(l);
    CHECK_EQ(mem_live_bytes(), before);
}
