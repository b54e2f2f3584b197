/* segment_head_test.c - instance segmentation as its users see it: learning masks, the same bytes
 * for any number of threads, mistakes. */
#include "engine/model/segment_head.c"

#include "base/test.h"
#include <math.h>
#include <string.h>

enum { SIDE = 64, CELLS = SIDE / 4, IMAGES = 2, CLASSES = 2 };

static float pixels[IMAGES * 3 * SIDE * SIDE];
static struct net_box truths[IMAGES * 2];
static int32_t first[IMAGES + 1];
static uint16_t instances[IMAGES * CELLS * CELLS];
static const struct net_target TARGET = {.boxes = truths, .first = first, .instances = instances};

static bool in_disc(const struct net_box *b, double x, double y)
{
    const double u = (2 * x - (double)b->x0 - (double)b->x1) / (double)(b->x1 - b->x0);
    const double v = (2 * y - (double)b->y0 - (double)b->y1) / (double)(b->y1 - b->y0);

    return u * u + v * v <= 1;
}

/* Discs of two colours on black; their corners are not of the mask. */
static void make_scenes(void)
{
    memset(pixels, 0, sizeof pixels);
    memset(instances, 0, sizeof instances);
    for (int image = 0; image < IMAGES; image++) {
        first[image] = 2 * image;
        for (int i = 0; i < 2; i++) {
            const float x = (float)(2 + 30 * i), y = (float)(4 + 8 * image), side = 28;
            struct net_box *b = &truths[2 * image + i];
            *b = (struct net_box){(image + i) % CLASSES, x, y, x + side, y + side};
            for (int p = 0; p < SIDE * SIDE; p++)
                if (in_disc(b, p % SIDE + 0.5, p / SIDE + 0.5))
                    pixels[(image * 3 + b->cls) * SIDE * SIDE + p] = 2;
            for (int p = 0; p < CELLS * CELLS; p++)
                if (in_disc(b, (p % CELLS + 0.5) * 4, (p / CELLS + 0.5) * 4))
                    instances[image * CELLS * CELLS + p] = (uint16_t)(i + 1);
        }
    }
    first[IMAGES] = 2 * IMAGES;
}

static struct net *net_of(int threads)
{
    const struct net_config c = {.model = "segment-tiny",
                                 .classes = CLASSES,
                                 .image_size = SIDE,
                                 .batch_max = IMAGES,
                                 .train = true,
                                 .backend = NET_PORTABLE,
                                 .optimizer = NET_ADAMW,
                                 .threads = threads};
    struct net *n = NULL;
    struct err e;

    CHECK_OK(net_new(&n, &c, &e), &e);
    net_init_weights(n, 2);
    make_scenes();
    return n;
}

static struct net_loss train(struct net *n, int steps)
{
    struct net_loss loss = {0};
    struct err e;

    for (int i = 0; i < steps; i++) {
        const struct net_update u = {.lr = 0.01,
                                     .beta1 = 0.9,
                                     .beta2 = 0.99,
                                     .eps = 1e-8,
                                     .step = i + 1,
                                     .gains = net_gains_default};
        CHECK_OK(net_train_step(n, pixels, &TARGET, IMAGES, &u, &loss, &e), &e);
        CHECK_EQ(net_allocs_in_last_step(n), 0);
    }
    return loss;
}

static struct net_detection found[IMAGES * 8];
static int32_t found_n[IMAGES];
static uint8_t mask_of[SIDE * SIDE];

static void detect(struct net *n)
{
    const struct net_detect d = {0.3f, 0.5f, 8};
    struct err e;

    CHECK_OK(net_detect(n, pixels, IMAGES, &d, found, found_n, &e), &e);
}

TEST(a_tiny_segmenter_learns_discs_by_heart)
{
    struct net *n = net_of(2);
    const struct net_loss loss = train(n, 150);

    CHECK(loss.mask > 0 && loss.mask < 0.2);
    const struct net_gains *g = &net_gains_default;
    CHECK(fabs(g->box * loss.box + g->cls * loss.cls + g->dfl * loss.dfl + g->mask * loss.mask -
               loss.total) < 1e-9 * loss.total);
    detect(n);
    for (int image = 0; image < IMAGES; image++) {
        CHECK_EQ(found_n[image], 2);
        for (int i = 0; i < 2; i++) {
            const struct net_detection *d = &found[image * 8 + i];
            const struct net_box *b = &truths[2 * image + (d->box.x0 > 16)];
            int both = 0, any = 0;
            net_detection_mask(n, image, d, mask_of);
            for (int p = 0; p < SIDE * SIDE; p++) {
                const bool truth = in_disc(b, p % SIDE + 0.5, p / SIDE + 0.5);
                both += truth && mask_of[p];
                any += truth || mask_of[p];
            }
            CHECK_EQ(d->box.cls, b->cls);
            CHECK(both > 0.8 * any); /* the full box would have 0.785 */
        }
    }
    net_free(n);
}

TEST(any_number_of_threads_gives_the_same_bytes)
{
    static float one[1 << 18], many[1 << 18];
    struct net_loss losses[2];

    for (int threads = 1; threads <= 3; threads++) {
        struct net *n = net_of(threads);
        float *to = threads == 1 ? one : many;
        losses[threads > 1] = train(n, 3);
        for (size_t i = 0; i < net_tensor_count(n); i++) {
            net_tensor_get(n, i, to);
            to += net_tensor_at(n, i)->count;
        }
        CHECK(threads == 1 || memcmp(&losses[0], &losses[1], sizeof losses[0]) == 0);
        CHECK(threads == 1 || memcmp(one, many, sizeof one) == 0);
        net_free(n);
    }
}

TEST(pictures_without_objects_and_mistakes)
{
    struct net *n = net_of(1);
    const struct net_update u = {.lr = 1e-3, .step = 1, .gains = net_gains_default};
    const int32_t none[IMAGES + 1] = {0};
    struct net_target t = {.first = none, .instances = instances};
    struct net_loss loss;
    struct err e;

    CHECK_OK(net_train_step(n, pixels, &t, IMAGES, &u, &loss, &e), &e);
    CHECK(isfinite(loss.total) && loss.mask == 0);
    t.instances = NULL;
    CHECK_EQ(net_train_step(n, pixels, &t, IMAGES, &u, &loss, &e), RC_INVALID);
    CHECK_STR(str_of(e.text), "a network for segmentation is taught with masks; there are none");
    uint8_t labels[1];
    CHECK_EQ(net_label(n, pixels, 1, labels, &e), RC_INVALID);
    net_free(n);
}

TEST(every_allocation_may_fail)
{
    const struct net_config c = {.model = "segment-tiny",
                                 .classes = CLASSES,
                                 .image_size = 32,
                                 .batch_max = 2,
                                 .train = true,
                                 .backend = NET_PORTABLE,
                                 .threads = 2};
    const size_t before = mem_live_bytes();
    struct net *n = NULL;
    struct err e;

    for (long i = 0;; i++) {
        mem_fail_at(i);
        const enum rc rc = net_new(&n, &c, &e);
        if (!mem_fail_disarm())
            break;
        CHECK_EQ(rc, RC_NOMEM);
        CHECK(!n && mem_live_bytes() == before);
    }
    net_free(n);
    CHECK_EQ(mem_live_bytes(), before);
}
