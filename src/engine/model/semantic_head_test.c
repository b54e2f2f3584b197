/* semantic_head_test.c - semantic segmentation as its users see it: learning, the same bytes for
 * any number of threads, mistakes. */
#include "engine/model/semantic_head.c"

#include "base/hash.h"
#include "base/test.h"
#include <math.h>
#include <string.h>

enum { SIDE = 64, IMAGES = 2, CLASSES = 3 };

static float pixels[IMAGES * 3 * SIDE * SIDE];
static uint8_t labels[IMAGES * SIDE * SIDE], found[IMAGES * SIDE * SIDE];
static const struct net_target TARGET = {.labels = labels};

/* Stripes of three colours at a slant; a frame of pixels that teach nothing. */
static void make_scenes(void)
{
    for (int p = 0; p < IMAGES * SIDE * SIDE; p++) {
        const int image = p / (SIDE * SIDE), y = p / SIDE % SIDE, x = p % SIDE;
        const int label = (x + image * 7 + y / 2) / 20 % CLASSES;
        for (int c = 0; c < 3; c++)
            pixels[(image * 3 + c) * SIDE * SIDE + y * SIDE + x] =
                (float)(c == label) + (float)rand_unit(rand_at(1, (uint64_t)p, (uint64_t)c, 0));
        labels[p] = x < 2 ? NET_LABEL_IGNORE : (uint8_t)label;
    }
}

static enum rc make(struct net **ret, int threads, int classes, struct err *e)
{
    const struct net_config c = {.model = "semseg-tiny",
                                 .classes = classes,
                                 .image_size = SIDE,
                                 .batch_max = IMAGES,
                                 .train = true,
                                 .backend = NET_PORTABLE,
                                 .optimizer = NET_SGD,
                                 .threads = threads};

    make_scenes();
    return net_new(ret, &c, e);
}

static double train(struct net *n, int steps)
{
    const float weights[CLASSES] = {1, 2, 1};
    struct net_loss loss = {0};
    struct err e;

    for (int i = 0; i < steps; i++) {
        const struct net_update u = {.lr = 0.05, .momentum = 0.9, .class_weights = weights};
        CHECK_OK(net_train_step(n, pixels, &TARGET, IMAGES, &u, &loss, &e), &e);
        CHECK_EQ(net_allocs_in_last_step(n), 0);
    }
    return loss.total;
}

TEST(a_tiny_segmenter_learns_stripes_by_heart)
{
    struct net *n = NULL;
    struct err e;
    int right = 0, all = 0;

    CHECK_OK(make(&n, 2, CLASSES, &e), &e);
    net_init_weights(n, 3);
    CHECK(train(n, 60) < 0.4);
    CHECK_OK(net_label(n, pixels, IMAGES, found, &e), &e);
    CHECK_EQ(net_allocs_in_last_step(n), 0);
    for (int p = 0; p < IMAGES * SIDE * SIDE; p++)
        if (labels[p] != NET_LABEL_IGNORE) {
            all++;
            right += labels[p] == found[p];
        }
    CHECK(right > 0.9 * all);
    net_free(n);
}

TEST(any_number_of_threads_gives_the_same_bytes)
{
    static float one[1 << 17], many[1 << 17];
    static uint8_t one_found[sizeof found];

    for (int threads = 1; threads <= 3; threads++) {
        struct net *n = NULL;
        struct err e;
        float *to = threads == 1 ? one : many;
        CHECK_OK(make(&n, threads, CLASSES, &e), &e);
        net_init_weights(n, 3);
        train(n, 3);
        for (size_t i = 0; i < net_tensor_count(n); i++) {
            net_tensor_get(n, i, to);
            to += net_tensor_at(n, i)->count;
        }
        CHECK_OK(net_label(n, pixels, IMAGES, found, &e), &e);
        CHECK(threads == 1 || memcmp(one, many, sizeof one) == 0);
        CHECK(threads == 1 || memcmp(one_found, found, sizeof found) == 0);
        memcpy(one_found, found, sizeof found);
        net_free(n);
    }
}

TEST(nothing_to_learn_and_mistakes)
{
    const struct net_update u = {.lr = 0.1};
    struct net *n = NULL;
    struct net_loss loss;
    struct err e;

    CHECK_OK(make(&n, 1, CLASSES, &e), &e);
    net_init_weights(n, 3);
    memset(labels, NET_LABEL_IGNORE, sizeof labels);
    CHECK_OK(net_train_step(n, pixels, &TARGET, IMAGES, &u, &loss, &e), &e);
    CHECK(loss.total == 0);
    labels[9] = CLASSES;
    CHECK_EQ(net_train_step(n, pixels, &TARGET, IMAGES, &u, &loss, &e), RC_INVALID);
    CHECK_EQ(net_train_step(n, pixels, &(struct net_target){0}, IMAGES, &u, &loss, &e), RC_INVALID);
    CHECK_STR(
        str_of(e.text),
        "a network for semantic segmentation is taught with labels of pixels; there are none");
    net_free(n);
    CHECK_EQ(make(&n, 1, 256, &e), RC_INVALID);
    CHECK_STR(str_of(e.field), "classes");
}

TEST(every_allocation_may_fail)
{
    const struct net_config c = {.model = "semseg-tiny",
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
