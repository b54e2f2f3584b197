/* detect_head_test.c - detectors as their users see them: the gradient of the whole loss through
 * the graph, learning to find things, the same bytes for any number of threads, and their edges. */
#include "engine/model/detect_head.c"

#include "base/buf.h"
#include "engine/model/detect_fixture.h"
#include <string.h>

enum { SIDE = 64, IMAGES = 4, CLASSES = 3, PER_IMAGE = 2 };

static float pixels[IMAGES * 3 * SIDE * SIDE];
static struct net_box truths[IMAGES * PER_IMAGE];
static int32_t first[IMAGES + 1];
static const struct net_target TARGET = {.boxes = truths, .first = first};

static void paint(int image, const struct net_box *b)
{
    for (int y = (int)b->y0; y < (int)b->y1; y++)
        for (int x = (int)b->x0; x < (int)b->x1; x++)
            for (int c = 0; c < 3; c++)
                pixels[((image * 3 + c) * SIDE + y) * SIDE + x] = c == b->cls ? 2 : -1;
}

/* Rectangles of a class's colour on noise; the last picture is empty. */
static void make_scenes(void)
{
    int n = 0;

    for (size_t i = 0; i < sizeof pixels / sizeof pixels[0]; i++)
        pixels[i] = (float)(rand_unit(rand_at(3, i, 0, 0)) - 0.5);
    for (int image = 0; image < IMAGES; image++) {
        first[image] = n;
        for (int i = 0; i < PER_IMAGE && image < IMAGES - 1; i++) {
            const uint64_t at = (uint64_t)(image * PER_IMAGE + i);
            const float w = (float)(14 + rand_at(4, at, 0, 0) % 16);
            const float h = (float)(14 + rand_at(4, at, 1, 0) % 16);
            const float x = (float)(i * SIDE / 2 + (int)(rand_at(4, at, 2, 0) % 3));
            const float y = (float)(rand_at(4, at, 3, 0) % (uint64_t)(SIDE - (int)h));
            truths[n] = (struct net_box){(int32_t)(at % CLASSES), x, y, x + w, y + h};
            paint(image, &truths[n++]);
        }
    }
    first[IMAGES] = n;
}

static struct net_config config_of(int threads)
{
    return (struct net_config){.model = "detect-tiny",
                               .classes = CLASSES,
                               .image_size = SIDE,
                               .batch_max = IMAGES,
                               .train = true,
                               .backend = NET_PORTABLE,
                               .optimizer = NET_ADAMW,
                               .threads = threads};
}

static struct net *net_of(const struct net_config *c)
{
    struct net *n = NULL;
    struct err e;

    CHECK_OK(net_new(&n, c, &e), &e);
    net_init_weights(n, 5);
    make_scenes();
    return n;
}

static struct net_loss train(struct net *n, int from, int to, double lr)
{
    struct net_loss loss = {0};
    struct err e;

    for (int i = from; i < to; i++) {
        const struct net_update u = {.lr = lr,
                                     .weight_decay = 1e-4,
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

static struct net_detection found[IMAGES * NET_DETECTIONS_MAX];
static int32_t found_n[IMAGES];

static void detect(struct net *n, float confidence, int most)
{
    const struct net_detect d = {confidence, 0.5f, most};
    struct err e;

    CHECK_OK(net_detect(n, pixels, IMAGES, &d, found, found_n, &e), &e);
    CHECK_EQ(net_allocs_in_last_step(n), 0);
}

static bool is_truth(int image, const struct net_detection *d)
{
    const double p[4] = {(double)d->box.x0, (double)d->box.y0, (double)d->box.x1,
                         (double)d->box.y1};

    for (int i = first[image]; i < first[image + 1]; i++) {
        const double t[4] = {(double)truths[i].x0, (double)truths[i].y0, (double)truths[i].x1,
                             (double)truths[i].y1};
        if (truths[i].cls == d->box.cls && detect_iou(p, t) > 0.5)
            return true;
    }
    return false;
}

TEST(a_tiny_detector_learns_four_pictures_by_heart)
{
    const struct net_config c = config_of(2);
    struct net *n = net_of(&c);
    const struct net_loss before = train(n, 0, 1, 0.01), after = train(n, 1, 80, 0.01);

    CHECK(after.total < before.total / 4);
    CHECK(after.box > 0 && after.cls > 0 && after.dfl > 0 && after.mask == 0);
    detect(n, 0.3f, 10);
    for (int image = 0; image < IMAGES; image++) { /* precision and recall 1 at IoU 0.5 */
        CHECK_EQ(found_n[image], first[image + 1] - first[image]);
        for (int i = 0; i < found_n[image]; i++) {
            CHECK(is_truth(image, &found[image * 10 + i]));
            CHECK(i == 0 || found[image * 10 + i].confidence <= found[image * 10].confidence);
        }
    }
    net_free(n);
}

TEST(the_gradient_of_the_loss_agrees_with_finite_differences)
{
    const struct net_config c = config_of(1);
    struct net *n = net_of(&c);
    struct err e;
    struct plain plain = {.boxes = truths, .first = first};
    int compared = 0;

    train(n, 0, 3, 0.01); /* away from where all boxes are alike */
    const double loss = train(n, 3, 4, 0).total;
    plain.loss = ((const struct detect_head *)n->head_memory)->loss;
    struct fixture f = {.maps = detect_maps_of(n, false), .images = IMAGES};
    plain.fixture = &f;
    CHECK(fabs(plain_loss(&plain, true) - loss) < 1e-5 * loss);
    for (size_t i = 0; i < net_tensor_count(n); i += 7) {
        const struct net_tensor *t = net_tensor_at(n, i);
        if (!t->trained)
            continue;
        float *v = mem_alloc_array(t->count, sizeof *v), *g = mem_alloc_array(t->count, sizeof *g);
        double square = 0, ends[2];
        net_tensor_get(n, i, v);
        graph_param_read(n->graph, graph_param_at(n->graph, i), graph_grads(n->graph), g);
        for (size_t k = 0; k < t->count; k++)
            square += (double)g[k] * (double)g[k];
        const double step = 1e-3 / sqrt(square); /* so much along the gradient */
        for (int end = 0; end < 2; end++) {
            for (size_t k = 0; k < t->count; k++)
                v[k] += (float)((end ? -2 : 1) * step * (double)g[k]);
            net_tensor_set(n, i, v);
            CHECK_OK(graph_forward(n->graph, pixels, IMAGES, true, &e), &e);
            f.maps = detect_maps_of(n, false);
            ends[end] = plain_loss(&plain, false);
        }
        for (size_t k = 0; k < t->count; k++)
            v[k] += (float)(step * (double)g[k]);
        net_tensor_set(n, i, v);
        const double ratio = (ends[0] - ends[1]) / (2 * step * square);
        CHECK(sqrt(square) < 0.01 || fabs(ratio - 1) < 0.02); /* a loss of 10 in float32 */
        compared += sqrt(square) >= 0.01;
        mem_free(v);
        mem_free(g);
    }
    CHECK(compared > 15);
    net_free(n);
}

static void hash_of(const struct net *n, char hex[SHA256_HEX + 1])
{
    struct hasher h;
    struct err e;
    uint8_t digest[SHA256_BYTES];

    CHECK_OK(sha256_init(&h, &e), &e);
    for (size_t i = 0; i < net_tensor_count(n); i++) {
        const struct net_tensor *t = net_tensor_at(n, i);
        float *v = mem_alloc_array(t->count, sizeof *v);
        net_tensor_get(n, i, v);
        hasher_add(&h, v, t->count * sizeof *v);
        mem_free(v);
    }
    hasher_final(&h, digest);
    hex_of(digest, sizeof digest, hex);
}

TEST(any_number_of_threads_learns_and_finds_the_same_bytes)
{
    char one[SHA256_HEX + 1], many[SHA256_HEX + 1];
    static struct net_detection one_found[IMAGES * 20];

    for (int threads = 1; threads <= 3; threads++) {
        const struct net_config c = config_of(threads);
        struct net *n = net_of(&c);
        train(n, 0, 4, 0.01);
        hash_of(n, threads == 1 ? one : many);
        memset(found, 0, sizeof found);
        detect(n, 0.001f, 20);
        CHECK(found_n[0] > 0);
        CHECK(threads == 1 || strcmp(one, many) == 0);
        CHECK(threads == 1 || memcmp(one_found, found, sizeof one_found) == 0);
        memcpy(one_found, found, sizeof one_found);
        net_free(n);
    }
}

TEST(a_net_for_inference_finds_what_the_trained_one_finds)
{
    struct net_config c = config_of(1);
    struct net *n = net_of(&c), *plain = NULL;
    struct net_detection before[10];
    struct err e;

    train(n, 0, 20, 0.01);
    detect(n, 0.001f, 10);
    const int32_t count = found_n[0];
    CHECK(count > 0);
    memcpy(before, found, sizeof before);
    c.train = false;
    CHECK_OK(net_new(&plain, &c, &e), &e);
    for (size_t i = 0; i < net_tensor_count(n); i++) {
        float *v = mem_alloc_array(net_tensor_at(n, i)->count, sizeof *v);
        net_tensor_get(n, i, v);
        net_tensor_set(plain, i, v);
        mem_free(v);
    }
    detect(plain, 0.001f, 10);
    CHECK_EQ(found_n[0], count);
    for (int i = 0; i < count; i++)
        CHECK(fabsf(found[i].confidence - before[i].confidence) < 1e-4f);
    net_free(n);
    net_free(plain);
}

TEST(pictures_without_boxes_and_pictures_of_nan_are_survived)
{
    const struct net_config c = config_of(1);
    const struct net_update u = {.lr = 1e-3, .step = 1, .gains = net_gains_default};
    const int32_t none[IMAGES + 1] = {0};
    const struct net_target empty = {.first = none};
    struct net *n = net_of(&c);
    struct net_loss loss;
    struct err e;

    CHECK_OK(net_train_step(n, pixels, &empty, IMAGES, &u, &loss, &e), &e);
    CHECK(loss.total > 0 && isfinite(loss.total) && loss.box == 0);
    pixels[100] = NAN;
    CHECK_OK(net_train_step(n, pixels, &TARGET, IMAGES, &u, &loss, &e), &e);
    CHECK(isnan(loss.total));
    detect(n, 0.001f, 10);
    for (int i = 0; i < IMAGES; i++)
        CHECK_EQ(found_n[i], 0);
    net_free(n);
}

TEST(mistakes_are_named)
{
    struct net_config c = config_of(1);
    struct net *n = net_of(&c);
    struct net_detect d = net_detect_default;
    const struct net_update u = {.lr = 1e-3, .step = 1, .gains = net_gains_default};
    struct net_loss loss;
    struct err e;
    float logits[CLASSES];

    truths[3].cls = CLASSES;
    CHECK_EQ(net_train_step(n, pixels, &TARGET, IMAGES, &u, &loss, &e), RC_INVALID);
    CHECK_STR(str_of(e.text), "box 1 of image 1 of the batch has class 3; this network has 0 to 2");
    CHECK_EQ(net_train_step(n, pixels, &(struct net_target){0}, 1, &u, &loss, &e), RC_INVALID);
    CHECK_EQ(net_infer(n, pixels, 1, logits, &e), RC_INVALID);
    d.most = 0;
    CHECK_EQ(net_detect(n, pixels, 1, &d, found, found_n, &e), RC_INVALID);
    d = (struct net_detect){0, 0.5f, 10};
    CHECK_EQ(net_detect(n, pixels, 1, &d, found, found_n, &e), RC_INVALID);
    net_free(n);
    c.image_size = 80;
    CHECK_EQ(net_new(&n, &c, &e), RC_INVALID);
    CHECK_STR(str_of(e.field), "image_size");
}

TEST(head_tensors_alone_depend_on_the_classes)
{
    struct net_config c = config_of(1);
    struct net *a = net_of(&c), *b = NULL;

    c.classes = 40;
    b = net_of(&c);
    CHECK_STR(str_of(net_head_prefix(a)), "head.");
    CHECK_EQ(net_tensor_count(a), net_tensor_count(b));
    for (size_t i = 0; i < net_tensor_count(a); i++) {
        const struct net_tensor *p = net_tensor_at(a, i), *q = net_tensor_at(b, i);
        CHECK((p->count == q->count) == (strncmp(p->name, "head.", 5) != 0));
        CHECK(strcmp(p->name, q->name) == 0);
    }
    CHECK(net_tensor_find(a, "backbone.2.m.0.cv1.conv.weight") >= 0);
    CHECK(net_tensor_find(a, "backbone.0.norm.running_var") >= 0);
    CHECK(net_tensor_find(a, "head.2.bias") >= 0);
    net_free(a);
    net_free(b);
}

TEST(every_allocation_may_fail)
{
    struct net_config c = config_of(2);
    const size_t before = mem_live_bytes();
    struct net *n = NULL;
    struct err e;

    c.image_size = 32;
    c.batch_max = 2;
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
