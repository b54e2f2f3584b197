/* segment_loss_test.c - the mask loss against a plain reading in double, its gradient by finite
 * differences, and masks cut to their boxes. */
#include "engine/model/segment_loss.c"

#include "engine/model/detect_fixture.h"

enum { SIZE = 64, SIDE = SIZE / 4, IMAGES = 2, BOXES = 3, ANCHORS = 84 };

static const struct net_box BOXES_OF[BOXES] = {
    {0, 4, 6, 40, 30}, {0, 17, 17, 18, 18}, {0, -5, 20, 90, 70}}; /* the second holds no centre */
static const int32_t FIRST[IMAGES + 1] = {0, 2, 3};
static uint16_t instances[IMAGES * SIDE * SIDE];
static const struct net_target TARGET = {.boxes = BOXES_OF, .first = FIRST, .instances = instances};

static int32_t owners[IMAGES][ANCHORS];

static float *filled(size_t n, uint64_t seed)
{
    float *v = mem_alloc_aligned(64, n * sizeof *v);

    fixture_fill(v, n, seed, 1, 0);
    return v;
}

static struct segment_maps maps_new(const struct fixture *f)
{
    struct segment_maps m = {.boxes = f->maps, .side = SIDE};
    const size_t n = (size_t)IMAGES * SEGMENT_PROTOTYPES * SIDE * SIDE;

    for (int i = 0; i < DETECT_LEVELS; i++) {
        const size_t level = n / 4 >> (2 * i);
        m.coefficients[i] = filled(level, 30 + (uint64_t)i);
        m.coefficients_grad[i] = filled(level, 1);
    }
    m.prototypes = filled(n, 40);
    m.prototypes_grad = filled(n, 2);
    for (size_t i = 0; i < sizeof instances / sizeof instances[0]; i++)
        instances[i] = (uint16_t)(rand_at(6, i, 0, 0) % 3);
    for (int a = 0; a < ANCHORS; a++) {
        owners[0][a] = a % 9 == 0 ? a % 2 : -1;
        owners[1][a] = a % 20 == 3 ? 0 : -1;
    }
    return m;
}

static void maps_done(struct segment_maps *m)
{
    for (int i = 0; i < DETECT_LEVELS; i++) {
        mem_free((void *)(uintptr_t)m->coefficients[i]);
        mem_free(m->coefficients_grad[i]);
    }
    mem_free((void *)(uintptr_t)m->prototypes);
    mem_free(m->prototypes_grad);
}

static double plain_logit(const struct segment_maps *m, int image, int anchor, int y, int x)
{
    float c[SEGMENT_PROTOTYPES];
    double sum = 0;

    segment_coefficients(m, image, anchor, c, NULL);
    for (int k = 0; k < SEGMENT_PROTOTYPES; k++)
        sum += (double)c[k] *
               (double)m->prototypes[(((image * 2 + k / 16) * SIDE + y) * SIDE + x) * 16 + k % 16];
    return sum;
}

static double plain_mask_loss(const struct segment_maps *m)
{
    double sum = 0;

    for (int image = 0; image < IMAGES; image++)
        for (int a = 0; a < ANCHORS; a++) {
            if (owners[image][a] < 0)
                continue;
            const struct net_box *b = &BOXES_OF[FIRST[image] + owners[image][a]];
            double loss = 0;
            int cells = 0;
            for (int y = 0; y < SIDE; y++)
                for (int x = 0; x < SIDE; x++) {
                    const double cx = (x + 0.5) * 4, cy = (y + 0.5) * 4;
                    const bool in = cx >= (double)b->x0 && cx < (double)b->x1 &&
                                    cy >= (double)b->y0 && cy < (double)b->y1;
                    if (!in && !(b == &BOXES_OF[1] && x == 4 && y == 4))
                        continue;
                    const double v = plain_logit(m, image, a, y, x);
                    const int truth =
                        instances[(image * SIDE + y) * SIDE + x] == owners[image][a] + 1;
                    loss += plain_softplus(v) - truth * v;
                    cells++;
                }
            sum += loss / cells;
        }
    return sum;
}

static double run(const struct segment_maps *m, double scale)
{
    double sum = 0;

    for (int image = 0; image < IMAGES; image++) {
        const struct detect_match match = {.owner = owners[image]};
        sum += segment_loss_image(m, kernels_get(NULL), image, &match, &TARGET, scale);
    }
    return sum;
}

static void compare(const struct segment_maps *m, const float *values, const float *grad, size_t n,
                    double *error, double *size)
{
    float *x = (float *)(uintptr_t)values;

    for (size_t at = 0; at < n; at += 1 + (size_t)(rand_at(1, at, 0, 0) % 397)) {
        const float before = x[at];
        x[at] = before + 4e-3f;
        const double up_at = (double)x[at], up = plain_mask_loss(m);
        x[at] = before - 4e-3f;
        const double slope = 0.5 * (up - plain_mask_loss(m)) / (up_at - (double)x[at]);
        x[at] = before;
        *error += (slope - (double)grad[at]) * (slope - (double)grad[at]);
        *size += slope * slope;
    }
}

TEST(mask_loss_agrees_with_a_plain_reading_and_its_gradient_with_finite_differences)
{
    struct fixture f = fixture_new(IMAGES, 1, SIZE, 1);
    struct segment_maps m = maps_new(&f);
    const double loss = run(&m, 0.5), plain = plain_mask_loss(&m);
    const size_t n = (size_t)IMAGES * SEGMENT_PROTOTYPES * SIDE * SIDE;
    double error = 0, size = 0;

    CHECK(plain > 0 && fabs(loss - plain) < 1e-6 * plain);
    for (int i = 0; i < DETECT_LEVELS; i++)
        compare(&m, m.coefficients[i], m.coefficients_grad[i], n / 4 >> (2 * i), &error, &size);
    compare(&m, m.prototypes, m.prototypes_grad, n, &error, &size);
    CHECK(size > 0 && sqrt(error / size) < 1e-5);
    maps_done(&m);
    fixture_done(&f);
}

TEST(a_span_has_the_cells_whose_centres_it_holds_and_always_one)
{
    int from, to;

    segment_cells(4, 12, 16, &from, &to);
    CHECK(from == 1 && to == 3);
    segment_cells(6, 10, 16, &from, &to); /* centres 6 and 10: the low end counts */
    CHECK(from == 1 && to == 2);
    segment_cells(7, 9, 16, &from, &to);
    CHECK(from == 2 && to == 3);
    segment_cells(-30, 900, 16, &from, &to);
    CHECK(from == 0 && to == 16);
    segment_cells(-30, -20, 16, &from, &to);
    CHECK(from == 0 && to == 1);
    segment_cells(100, 101, 16, &from, &to);
    CHECK(from == 15 && to == 16);
}

TEST(a_mask_is_bilinear_above_zero_and_cut_to_its_box)
{
    struct fixture f = fixture_new(IMAGES, 1, SIZE, 1);
    struct segment_maps m = maps_new(&f);
    static float room[SIDE * SIDE];
    static uint8_t mask[SIZE * SIZE];
    const struct net_detection d = {{0, 10.4f, -3, 50.5f, 64}, 0.9f, 70};
    int inside = 0, box = 0;

    segment_mask(&m, 1, &d, room, mask);
    for (int y = 0; y < SIZE; y++)
        for (int x = 0; x < SIZE; x++) {
            const double u = fmin(fmax((x + 0.5) / 4 - 0.5, 0), SIDE - 1);
            const double v = fmin(fmax((y + 0.5) / 4 - 0.5, 0), SIDE - 1);
            const int c = (int)fmin(u, SIDE - 2), r = (int)fmin(v, SIDE - 2);
            double value = 0;
            for (int k = 0; k < 4; k++)
                value += plain_logit(&m, 1, 70, r + k / 2, c + k % 2) *
                         (k / 2 ? v - r : 1 - v + r) * (k % 2 ? u - c : 1 - u + c);
            const bool in = x >= 10 && x < 50;
            CHECK(fabs(value) < 1e-5 || mask[y * SIZE + x] == (in && value > 0));
            inside += mask[y * SIZE + x];
            box += in;
        }
    CHECK(inside > 0 && inside < box);
    const struct net_detection nothing = {{0, 30.1f, 30, 30.4f, 40}, 0.9f, 70};
    segment_mask(&m, 1, &nothing, room, mask);
    for (int i = 0; i < SIZE * SIZE; i++)
        CHECK(!mask[i]);
    maps_done(&m);
    fixture_done(&f);
}
