/* net_test.c - networks as their users see them: published sizes and names, reproducible weights,
 * learning, exact resume, thread invariance, update rules, faults. */
#include "engine/model/net.c"

#include "base/hash.h"
#include "base/test.h"

enum { CLASSES = 10 };

static struct net_config config_of(const char *model, int size, int batch)
{
    return (struct net_config){.model = model,
                               .classes = CLASSES,
                               .image_size = size,
                               .batch_max = batch,
                               .train = true,
                               .backend = NET_PORTABLE,
                               .threads = 1};
}

static struct net *net_of(struct net_config c)
{
    struct net *n = NULL;
    struct err e;

    CHECK_OK(net_new(&n, &c, &e), &e);
    net_init_weights(n, 3);
    return n;
}

static const struct net_update UPDATE = {.lr = 0.05,
                                         .weight_decay = 1e-3,
                                         .momentum = 0.9,
                                         .beta1 = 0.9,
                                         .beta2 = 0.99,
                                         .eps = 1e-8,
                                         .step = 1};

/* Batch number `step`: a bright bar whose place tells the class, under noise. */
static void batch_of(const struct net *n, uint64_t step, float *x, float *target)
{
    const int side = n->config.image_size, classes = n->config.classes;

    for (int i = 0; i < n->config.batch_max; i++) {
        const int label = (int)(rand_at(8, step, (uint64_t)i, 0) % (uint64_t)classes);
        for (int k = 0; k < classes; k++)
            target[i * classes + k] = k == label;
        for (int k = 0; k < 3 * side * side; k++) {
            const double noise = rand_unit(rand_at(9, step, (uint64_t)i, (uint64_t)k)) - 0.5;
            *x++ = (float)(noise + (k % side * classes / side == label ? 1.5 : 0));
        }
    }
}

struct batch {
    float *x, *target;
};

static struct batch batch_new(const struct net *n, uint64_t step)
{
    const size_t images = (size_t)n->config.batch_max, side = (size_t)n->config.image_size;
    struct batch b = {mem_alloc_array(images * 3 * side * side, sizeof(float)),
                      mem_alloc_array(images * (size_t)n->config.classes, sizeof(float))};

    batch_of(n, step, b.x, b.target);
    return b;
}

static void batch_done(struct batch *b)
{
    mem_free(b->x);
    mem_free(b->target);
}

/* A step of classification; its loss alone. */
static enum rc teach(struct net *n, const float *x, const float *rows, int count,
                     const struct net_update *u, double *ret_loss, struct err *e)
{
    const struct net_target target = {.rows = rows};
    struct net_loss loss = {.total = *ret_loss};

    enum rc rc = net_train_step(n, x, &target, count, u, &loss, e);
    *ret_loss = loss.total;
    return rc;
}

static double train(struct net *n, uint64_t from, uint64_t to, struct net_update u)
{
    double loss = 0;
    struct err e;

    for (uint64_t i = from; i < to; i++) {
        struct batch b = batch_new(n, i);
        u.step = (int64_t)i + 1;
        /* every third batch is a partial one */
        const int count = i % 3 == 2 ? (n->config.batch_max + 1) / 2 : n->config.batch_max;
        CHECK_OK(teach(n, b.x, b.target, count, &u, &loss, &e), &e);
        CHECK_EQ(net_allocs_in_last_step(n), 0);
        batch_done(&b);
    }
    return loss;
}

static void hash_of(const struct net *n, char hex[SHA256_HEX + 1])
{
    struct hasher h;
    uint8_t digest[SHA256_BYTES];

    CHECK(sha256_init(&h, NULL) == RC_OK);
    for (size_t i = 0; i < net_tensor_count(n) + net_state_count(n); i++) {
        const size_t s = i - net_tensor_count(n);
        const struct net_tensor *t =
            i < net_tensor_count(n) ? net_tensor_at(n, i) : net_state_at(n, s);
        float *v = mem_alloc_array(t->count, sizeof *v);
        if (i < net_tensor_count(n))
            net_tensor_get(n, i, v);
        else
            net_state_get(n, s, v);
        hasher_add(&h, v, t->count * sizeof *v);
        mem_free(v);
    }
    hasher_final(&h, digest);
    hex_of(digest, sizeof digest, hex);
}

/* ---- what is built */

TEST(models_have_the_published_number_of_parameters)
{
    size_t count = 0;
    const struct net_card *cards = net_cards(&count);

    CHECK(count >= 16);
    for (size_t i = 0; i < count; i++) {
        struct net_config c = config_of(cards[i].name, 32, 1);
        struct net_info info;
        struct err e;
        struct net *n = NULL;
        c.classes = cards[i].task == NET_CLASSIFICATION ? 1000 : 80;
        c.stem = NET_STEM_LARGE;
        c.train = false;
        CHECK_OK(net_new(&n, &c, &e), &e);
        net_get_info(n, &info);
        CHECK_EQ(info.params, cards[i].params);
        CHECK(net_card_find(cards[i].name) && info.card == net_card_find(cards[i].name));
        net_free(n);
    }
    CHECK(!net_card_find("resnet19"));
}

static void check_tensor(const struct net *n, const char *name, int dims, int64_t a, int64_t b,
                         int64_t c)
{
    const ptrdiff_t i = net_tensor_find(n, name);

    CHECK(i >= 0);
    const struct net_tensor *t = net_tensor_at(n, (size_t)i);
    CHECK_EQ(t->dims, dims);
    CHECK_EQ(t->shape[0], a);
    CHECK(dims < 2 || t->shape[1] == b);
    CHECK(dims < 3 || (t->shape[2] == c && t->shape[3] == c));
}

TEST(tensors_have_torchvision_s_names_and_shapes)
{
    struct net_config c = config_of("resnet34", 32, 1);
    struct net *n = NULL;
    struct err e;
    c.stem = NET_STEM_LARGE;
    CHECK_OK(net_new(&n, &c, &e), &e);
    CHECK_EQ(net_tensor_count(n), 36 * 5 + 2); /* 36 convolutions with their norm, and fc */
    check_tensor(n, "conv1.weight", 4, 64, 3, 7);
    check_tensor(n, "bn1.running_var", 1, 64, 0, 0);
    check_tensor(n, "layer2.0.downsample.0.weight", 4, 128, 64, 1);
    check_tensor(n, "layer3.5.bn2.bias", 1, 256, 0, 0);
    check_tensor(n, "layer4.2.conv2.weight", 4, 512, 512, 3);
    check_tensor(n, "fc.weight", 2, CLASSES, 512, 0);
    CHECK_EQ(net_tensor_find(n, "layer4.3.conv1.weight"), -1);
    CHECK(net_state_find(n, "fc.bias.momentum_buffer") >= 0);
    CHECK_EQ(net_state_find(n, "bn1.running_mean.momentum_buffer"), -1);
    CHECK_EQ(net_state_count(n), 36 * 3 + 2);
    net_free(n);
    c = config_of("mobilenetv2", 32, 1);
    c.optimizer = NET_ADAMW;
    CHECK_OK(net_new(&n, &c, &e), &e);
    CHECK_EQ(net_tensor_count(n), 52 * 5 + 2);
    check_tensor(n, "features.0.0.weight", 4, 32, 3, 3);
    check_tensor(n, "features.1.conv.0.0.weight", 4, 32, 1, 3);
    check_tensor(n, "features.1.conv.1.weight", 4, 16, 32, 1);
    check_tensor(n, "features.1.conv.2.running_mean", 1, 16, 0, 0);
    check_tensor(n, "features.17.conv.2.weight", 4, 320, 960, 1);
    check_tensor(n, "features.17.conv.3.weight", 1, 320, 0, 0);
    check_tensor(n, "features.18.1.bias", 1, 1280, 0, 0);
    check_tensor(n, "classifier.1.weight", 2, CLASSES, 1280, 0);
    CHECK(net_state_find(n, "classifier.1.bias.exp_avg_sq") >= 0);
    CHECK_EQ(net_state_count(n), 2 * (52 * 3 + 2));
    net_free(n);
}

TEST(tensors_of_the_newer_networks_have_torchvision_s_names_and_shapes)
{
    struct net_config c = config_of("resnet50", 32, 1);
    struct net *n = NULL;
    struct err e;
    CHECK_OK(net_new(&n, &c, &e), &e);
    CHECK_EQ(net_tensor_count(n), 53 * 5 + 2);
    check_tensor(n, "layer1.0.downsample.0.weight", 4, 256, 64, 1);
    check_tensor(n, "layer2.0.conv2.weight", 4, 128, 128, 3);
    check_tensor(n, "layer4.2.bn3.running_var", 1, 2048, 0, 0);
    check_tensor(n, "fc.weight", 2, CLASSES, 2048, 0);
    net_free(n);
    c = config_of("mobilenetv3-small", 32, 1);
    CHECK_OK(net_new(&n, &c, &e), &e);
    CHECK_EQ(net_tensor_count(n), 34 * 5 + 9 * 4 + 4);
    check_tensor(n, "features.1.block.0.0.weight", 4, 16, 1, 3);
    check_tensor(n, "features.1.block.1.fc1.weight", 4, 8, 16, 1);
    check_tensor(n, "features.4.block.1.0.weight", 4, 96, 1, 5);
    check_tensor(n, "features.11.block.2.fc2.bias", 1, 576, 0, 0);
    check_tensor(n, "classifier.0.weight", 2, 1024, 576, 0);
    check_tensor(n, "classifier.3.bias", 1, CLASSES, 0, 0);
    net_free(n);
    c = config_of("efficientnet-b0", 32, 1);
    CHECK_OK(net_new(&n, &c, &e), &e);
    CHECK_EQ(net_tensor_count(n), 49 * 5 + 16 * 4 + 2);
    check_tensor(n, "features.1.0.block.1.fc1.weight", 4, 8, 32, 1);
    check_tensor(n, "features.3.1.block.1.0.weight", 4, 240, 1, 5);
    check_tensor(n, "features.7.0.block.3.1.running_mean", 1, 320, 0, 0);
    check_tensor(n, "classifier.1.weight", 2, CLASSES, 1280, 0);
    net_free(n);
}

TEST(initial_weights_are_the_same_everywhere_and_follow_their_distribution)
{
    struct net_config c = config_of("tiny", 16, 1);
    struct net *n = net_of(c), *m;
    char a[SHA256_HEX + 1], b[SHA256_HEX + 1];
    static float v[64 * 64 * 9];
    double mean = 0, square = 0;

    hash_of(n, a);
    /* Fixed for ever: on every machine, compiler and backend. */
    CHECK_STR(str_of(a), "dd34ace0612714c4723c381bca9c1f9ebd2fd07f3ebea4b1c379e5ef88ae7c2a");
    net_init_weights(n, 4);
    hash_of(n, b);
    CHECK(strcmp(a, b) != 0);
    const size_t i = (size_t)net_tensor_find(n, "layer3.0.conv2.weight");
    net_tensor_get(n, i, v);
    for (size_t k = 0; k < 64 * 64 * 9; k++) {
        mean += (double)v[k] / (64 * 64 * 9);
        square += (double)v[k] * (double)v[k] / (64 * 64 * 9);
    }
    CHECK(fabs(mean) < 0.002 && fabs(square * 64 * 9 / 2 - 1) < 0.03);
    net_free(n);
    for (int k = 0; k < 1000; k++) {
        const double normal = init_normal(1, 2, (uint64_t)k);
        const double r = 1 - rand_unit(rand_at(1, 2, (uint64_t)k, 0));
        const double t = rand_unit(rand_at(1, 2, (uint64_t)k, 1));
        CHECK(fabs(normal - sqrt(-2 * log(r)) * cos(2 * acos(-1) * t)) < 1e-13);
    }
    c.train = false;
    m = net_of(c);
    net_init_weights(m, 3);
    net_free(m);
}

TEST(a_bottleneck_begins_as_its_shortcut)
{
    struct net_config c = config_of("resnet50", 32, 1);
    static float v[2048];
    int last = 0;

    c.train = false;
    struct net *n = net_of(c);
    net_init_weights(n, 3);
    for (size_t i = 0; i < net_tensor_count(n); i++) {
        const struct net_tensor *t = net_tensor_at(n, i);
        const str name = str_of(t->name);
        const bool zero = str_find(name, STR(".bn3.weight")) >= 0;
        if (t->dims != 1 || !str_ends(name, STR(".weight")))
            continue;
        net_tensor_get(n, i, v);
        for (size_t k = 0; k < t->count; k++)
            CHECK(v[k] == (zero ? 0.0f : 1.0f));
        last += zero;
    }
    CHECK_EQ(last, 3 + 4 + 6 + 3);
    net_free(n);
}

/* ---- learning */

TEST(loss_falls_on_a_task_that_can_be_learnt)
{
    for (int adamw = 0; adamw <= 1; adamw++) {
        struct net_config c = config_of("tiny", 10, 16); /* 10, 5 and 3 pixels: odd sizes */
        struct net_update u = UPDATE;
        c.optimizer = adamw ? NET_ADAMW : NET_SGD;
        u.lr = adamw ? 5e-3 : 0.05;
        struct net *n = net_of(c);
        const double first = train(n, 0, 1, u);
        const double last = train(n, 1, 30, u);
        CHECK(first > 1.8 && last < 0.5);
        float logits[16 * CLASSES];
        struct batch b = batch_new(n, 1000);
        struct err e;
        int right = 0;
        CHECK_OK(net_infer(n, b.x, 16, logits, &e), &e);
        for (int i = 0; i < 16; i++) {
            int best = 0;
            for (int k = 1; k < CLASSES; k++)
                best = logits[i * CLASSES + k] > logits[i * CLASSES + best] ? k : best;
            right += b.target[i * CLASSES + best] == 1;
        }
        CHECK(right >= 12);
        batch_done(&b);
        net_free(n);
    }
}

/* What PyTorch 1.13 computes in float64 from the same weights and batches: printed by
 * bench/torch_twin.py tiny (batches of bench/engine_twin.c, the third a partial one). */
TEST(four_steps_of_training_match_pytorch)
{
    enum { GOLDEN_CLASSES = 5, GOLDEN_BATCH = 6, PIXELS = 3 * 16 * 16 };
    static const struct {
        double loss[4], norm[4];
    } golden[2] = {
        {{1.6245731127342404, 1.6954245703893494, 1.6606475506324763, 1.6205377784501878},
         {1.745407180028469, 2.1791116314962746, 1.5605703444456185, 1.60953989434401}},
        {{1.6245731127342404, 1.7006042169368352, 1.6619130700330929, 1.6223367156387065},
         {1.745407180028469, 2.1737236145936483, 1.5428677995553528, 1.6176413763365183}}};
    static float x[GOLDEN_BATCH * PIXELS];
    float t[GOLDEN_BATCH * GOLDEN_CLASSES];

    for (int adamw = 0; adamw <= 1; adamw++) {
        struct net_config c = config_of("tiny", 16, GOLDEN_BATCH);
        struct net_update u = {.lr = adamw ? 1e-3 : 0.02,
                               .weight_decay = 0.05,
                               .momentum = 0.9,
                               .nesterov = true,
                               .beta1 = 0.9,
                               .beta2 = 0.999,
                               .eps = 1e-8,
                               .clip_norm = 5};
        c.classes = GOLDEN_CLASSES;
        c.optimizer = adamw ? NET_ADAMW : NET_SGD;
        struct net *n = net_of(c);
        net_init_weights(n, 11);
        for (uint64_t step = 0; step < 4; step++) {
            double loss = 0;
            struct err e;
            for (size_t i = 0; i < GOLDEN_BATCH * PIXELS; i++)
                x[i] = (float)(4 * rand_unit(rand_at(1, step, i, 0)) - 2);
            for (size_t i = 0; i < GOLDEN_BATCH; i++) {
                const uint64_t a = rand_at(2, step, i, 0) % GOLDEN_CLASSES;
                for (size_t k = 0; k < GOLDEN_CLASSES; k++)
                    t[i * GOLDEN_CLASSES + k] = k == a                          ? 0.7f
                                                : k == (a + 1) % GOLDEN_CLASSES ? 0.3f
                                                                                : 0.0f;
            }
            u.step = (int64_t)step + 1;
            CHECK_OK(teach(n, x, t, step == 2 ? GOLDEN_BATCH - 1 : GOLDEN_BATCH, &u, &loss, &e),
                     &e);
            /* From the second step on an activation may lie on the other side of zero. */
            const double norm = net_grad_norm(n) / golden[adamw].norm[step];
            CHECK(fabs(loss - golden[adamw].loss[step]) < (step < 2 ? 1e-6 : 2e-4));
            CHECK(fabs(norm - 1) < (step < 1 ? 1e-6 : 1e-2));
        }
        net_free(n);
    }
}

/* ---- exactness */

static void check_threads(struct net_config c, uint64_t steps, int threads_max)
{
    char want[SHA256_HEX + 1], got[SHA256_HEX + 1];

    for (int threads = 1; threads <= threads_max; threads++) {
        c.threads = threads;
        struct net *n = net_of(c);
        train(n, 0, steps, UPDATE);
        hash_of(n, threads == 1 ? want : got);
        if (threads > 1)
            CHECK_STR(str_of(got), want);
        net_free(n);
    }
}

TEST(thread_counts_give_the_same_bytes_of_weights)
{
    for (int onednn = 0; onednn <= (onednn_check(NULL) == RC_OK); onednn++) {
        struct net_config c = config_of("tiny", 8, 9);
        c.backend = onednn ? NET_ONEDNN : NET_PORTABLE;
        check_threads(c, 3, 4);
        c = config_of("mobilenetv2", 8, 3);
        c.backend = onednn ? NET_ONEDNN : NET_PORTABLE;
        check_threads(c, 1, 2);
    }
}

TEST(thread_counts_give_the_same_bytes_of_a_resnet18)
{
    struct net_config c = config_of("resnet18", 16, 9); /* winograd, partial shards */

    c.backend = NET_AUTO;
    c.optimizer = NET_ADAMW;
    check_threads(c, 1, 2);
}

/* Everything a checkpoint holds, from one net into another. */
static void transplant(const struct net *from, struct net *to)
{
    for (size_t i = 0; i < net_tensor_count(from); i++) {
        float *v = mem_alloc_array(net_tensor_at(from, i)->count, sizeof *v);
        net_tensor_get(from, i, v);
        net_tensor_set(to, i, v);
        mem_free(v);
    }
    for (size_t i = 0; i < net_state_count(to); i++) {
        float *v = mem_alloc_array(net_state_at(from, i)->count, sizeof *v);
        net_state_get(from, i, v);
        net_state_set(to, i, v);
        mem_free(v);
    }
}

TEST(a_resumed_run_ends_with_the_same_bytes)
{
    for (int adamw = 0; adamw <= 1; adamw++) {
        struct net_config c = config_of("tiny", 12, 6);
        char want[SHA256_HEX + 1], got[SHA256_HEX + 1];
        float logits[6 * CLASSES];
        struct err e;
        c.optimizer = adamw ? NET_ADAMW : NET_SGD;
        struct net *whole = net_of(c), *first = net_of(c), *second = net_of(c);
        train(whole, 0, 7, UPDATE);
        hash_of(whole, want);
        train(first, 0, 4, UPDATE);
        struct batch b = batch_new(first, 99);
        CHECK_OK(net_infer(first, b.x, 5, logits, &e), &e); /* validation between: no trace */
        batch_done(&b);
        train(second, 20, 22, UPDATE); /* a net with another past */
        transplant(first, second);
        c.threads = 2;
        train(second, 4, 7, UPDATE);
        hash_of(second, got);
        CHECK_STR(str_of(got), want);
        net_free(whole);
        net_free(first);
        net_free(second);
    }
}

/* ---- loss and update */

static struct net *small_net(void)
{
    struct net_config c = config_of("tiny", 8, 4);

    c.classes = 3;
    return net_of(c);
}

static struct batch soft_batch(const struct net *n)
{
    struct batch b = batch_new(n, 5);

    for (int i = 0; i < 4; i++) { /* each row sums to one */
        b.target[i * 3] = 0.7f;
        b.target[i * 3 + 1] = b.target[i * 3 + 2] = 0.15f;
    }
    return b;
}

TEST(loss_is_the_weighted_mean_of_soft_cross_entropy)
{
    struct net *n = small_net();
    struct batch b = soft_batch(n);
    const float weights[] = {2, 0.5f, 1};
    struct net_update u = UPDATE;
    double loss = 0;
    struct err e;

    for (int weighted = 0; weighted <= 1; weighted++) {
        double want = 0, total = 0;
        u.class_weights = weighted ? weights : NULL;
        CHECK_OK(teach(n, b.x, b.target, 4, &u, &loss, &e), &e);
        const float *z = net_train_logits(n);
        for (int i = 0; i < 4; i++) {
            double sum = 0;
            for (int k = 0; k < 3; k++)
                sum += exp((double)z[i * 3 + k]);
            for (int k = 0; k < 3; k++) {
                const double w = weighted ? (double)weights[k] : 1;
                const double t = w * (double)b.target[i * 3 + k];
                want -= t * ((double)z[i * 3 + k] - log(sum));
                total += t;
            }
        }
        CHECK(fabs(loss - want / total) < 1e-6);
        CHECK(net_grad_norm(n) > 0);
    }
    batch_done(&b);
    net_free(n);
}

static float *values_of(const struct net *n)
{
    size_t all = 0, at = 0;

    for (size_t i = 0; i < net_tensor_count(n); i++)
        all += net_tensor_at(n, i)->count;
    float *v = mem_alloc_array(all, sizeof *v);
    for (size_t i = 0; i < net_tensor_count(n); at += net_tensor_at(n, i++)->count)
        net_tensor_get(n, i, v + at);
    return v;
}

/* Largest difference between two nets' trained tensors. */
static float difference(const struct net *a, const struct net *b)
{
    float *x = values_of(a), *y = values_of(b), most = 0;
    size_t at = 0;

    for (size_t i = 0; i < net_tensor_count(a); i++)
        for (size_t k = 0; k < net_tensor_at(a, i)->count; k++, at++)
            if (net_tensor_at(a, i)->trained)
                most = fmaxf(most, fabsf(x[at] - y[at]));
    mem_free(x);
    mem_free(y);
    return most;
}

static struct net *net_with(bool average, bool accumulate)
{
    struct net_config c = config_of("tiny", 8, 4);

    c.classes = 3;
    c.average = average;
    c.accumulate = accumulate;
    return net_of(c);
}

TEST(the_mean_gradient_of_equal_calls_updates_like_one_call)
{
    struct net *once = net_with(false, false), *thrice = net_with(false, true);
    struct batch b = soft_batch(once);
    struct net_update u = {.lr = 0.5, .weight_decay = 0.1, .clip_norm = 0.5};
    double loss = 0, norm;
    struct err e;

    CHECK(difference(once, thrice) == 0);
    CHECK_OK(teach(once, b.x, b.target, 4, &u, &loss, &e), &e);
    norm = net_grad_norm(once);
    u.micros = 3;
    for (u.micro = 0; u.micro < 3; u.micro++) {
        CHECK_OK(teach(thrice, b.x, b.target, 4, &u, &loss, &e), &e);
        CHECK_EQ(net_allocs_in_last_step(thrice), 0);
        CHECK((difference(once, thrice) > 1e-3f) == (u.micro < 2)); /* weights move at the last */
    }
    CHECK(fabs(net_grad_norm(thrice) / norm - 1) < 1e-6);
    CHECK(difference(once, thrice) < 1e-6f);
    u.micro = 3;
    CHECK_EQ(teach(thrice, b.x, b.target, 4, &u, &loss, &e), RC_INVALID);
    u.micro = 0;
    CHECK_EQ(teach(once, b.x, b.target, 4, &u, &loss, &e), RC_INVALID); /* built without */
    batch_done(&b);
    net_free(once);
    net_free(thrice);
}

TEST(the_moving_average_follows_weights_and_statistics)
{
    struct net *n = net_with(true, false);
    struct batch b = soft_batch(n);
    struct net_update u = {.lr = 0.1};
    double loss = 0;
    float infer[2][4 * 3];
    struct err e;

    CHECK_OK(teach(n, b.x, b.target, 4, &u, &loss, &e), &e); /* 0: a copy */
    float *first = values_of(n);
    net_use_average(n, true);
    float *copy = values_of(n);
    CHECK_EQ(teach(n, b.x, b.target, 4, &u, &loss, &e), RC_INVALID);
    net_use_average(n, false);
    u.average = 0.75;
    CHECK_OK(teach(n, b.x, b.target, 4, &u, &loss, &e), &e);
    float *second = values_of(n);
    CHECK_OK(net_infer(n, b.x, 4, infer[0], &e), &e);
    net_use_average(n, true);
    float *average = values_of(n);
    CHECK_OK(net_infer(n, b.x, 4, infer[1], &e), &e);
    CHECK(memcmp(infer[0], infer[1], sizeof infer[0]) != 0);
    for (size_t i = 0, at = 0; i < net_tensor_count(n); i++) {
        const struct net_tensor *t = net_tensor_at(n, i);
        char name[96];
        snprintf(name, sizeof name, "%s.average", t->name);
        const ptrdiff_t state = net_state_find(n, name);
        CHECK(state >= 0);
        float *kept = mem_alloc_array(t->count, sizeof *kept);
        net_state_get(n, (size_t)state, kept); /* the same place, whichever is in use */
        for (size_t k = 0; k < t->count; k++, at++) {
            CHECK(copy[at] == first[at] && kept[k] == average[at]);
            CHECK(fabsf(average[at] - (0.75f * first[at] + 0.25f * second[at])) < 1e-6f);
        }
        mem_free(kept);
    }
    mem_free(first);
    mem_free(copy);
    mem_free(second);
    mem_free(average);
    batch_done(&b);
    net_free(n);
}

TEST(frozen_parameters_stay_and_the_others_learn)
{
    struct net *n = small_net(), *origin = small_net();
    struct batch b = soft_batch(n);
    struct net_update u = {.lr = 0.1, .weight_decay = 0.1};
    double loss = 0;
    struct err e;

    CHECK_EQ(net_freeze(n, "no such layer"), 0);
    CHECK(net_freeze(n, "layer") > 0);
    CHECK_OK(teach(n, b.x, b.target, 4, &u, &loss, &e), &e);
    float *now = values_of(n), *before = values_of(origin);
    for (size_t i = 0, at = 0; i < net_tensor_count(n); at += net_tensor_at(n, i++)->count) {
        const struct net_tensor *t = net_tensor_at(n, i);
        const bool same = memcmp(now + at, before + at, t->count * sizeof *now) == 0;
        CHECK(same == (t->trained && strncmp(t->name, "layer", 5) == 0));
    }
    CHECK(strncmp(net_head_prefix(n), "fc.", 3) == 0);
    mem_free(now);
    mem_free(before);
    batch_done(&b);
    net_free(n);
    net_free(origin);
}

TEST(a_network_refuses_what_is_another_tasks)
{
    struct net *n = small_net();
    struct batch b = soft_batch(n);
    struct net_detection found[4 * 2];
    const struct net_detect d = {.confidence = 0.25f, .iou = 0.7f, .most = 2};
    struct net_detect bad = d;
    int32_t found_n[4];
    uint8_t labels[4 * 8 * 8];
    struct err e;

    CHECK_EQ(net_detect(n, b.x, 4, &d, found, found_n, &e), RC_INVALID);
    CHECK(strstr(e.text, "classification"));
    CHECK_EQ(net_label(n, b.x, 4, labels, &e), RC_INVALID);
    bad.most = NET_DETECTIONS_MAX + 1;
    CHECK_EQ(net_detect(n, b.x, 4, &bad, found, found_n, &e), RC_INVALID);
    bad = d;
    bad.confidence = NAN;
    CHECK_EQ(net_detect(n, b.x, 4, &bad, found, found_n, &e), RC_INVALID);
    CHECK(strstr(e.text, "confidence"));
    batch_done(&b);
    net_free(n);
}

/* With lr 1 and no momentum the step is the gradient: decay and clipping show in it. */
TEST(weight_decay_spares_norm_and_bias_and_clipping_bounds_the_step)
{
    struct net *n = small_net(), *m = small_net(), *start = small_net(), *origin = small_net();
    struct batch b = soft_batch(n);
    struct net_update u = {.lr = 1}, d = {.lr = 1, .weight_decay = 0.5};
    double loss, moved = 0;
    struct err e;
    static float before[64 * 64 * 9], plain[64 * 64 * 9], decayed[64 * 64 * 9];

    CHECK_OK(teach(n, b.x, b.target, 4, &u, &loss, &e), &e);
    CHECK_OK(teach(m, b.x, b.target, 4, &d, &loss, &e), &e);
    for (size_t i = 0; i < net_tensor_count(n); i++) {
        const struct net_tensor *t = net_tensor_at(n, i);
        net_tensor_get(start, i, before);
        net_tensor_get(n, i, plain);
        net_tensor_get(m, i, decayed);
        const bool spared = t->dims == 1;
        for (size_t k = 0; k < t->count; k++)
            CHECK(fabsf(decayed[k] - (plain[k] - (spared ? 0 : 0.5f * before[k]))) < 1e-6f);
    }
    u.clip_norm = 0.01;
    CHECK_OK(teach(start, b.x, b.target, 4, &u, &loss, &e), &e);
    CHECK(net_grad_norm(start) > 0.01);
    for (size_t i = 0; i < net_tensor_count(n); i++) {
        if (!net_tensor_at(n, i)->trained)
            continue;
        net_tensor_get(origin, i, before);
        net_tensor_get(start, i, plain);
        for (size_t k = 0; k < net_tensor_at(n, i)->count; k++)
            moved += (double)(plain[k] - before[k]) * (double)(plain[k] - before[k]);
    }
    CHECK(fabs(sqrt(moved) - 0.01) < 1e-4);
    batch_done(&b);
    net_free(n);
    net_free(m);
    net_free(start);
    net_free(origin);
}

/* ---- inference nets, description, faults */

TEST(an_inference_net_answers_as_the_trained_one)
{
    const char *const models[] = {"tiny", "mobilenetv2"};

    for (size_t i = 0; i < 2; i++) {
        struct net_config c = config_of(models[i], 16, 3);
        struct net *n = net_of(c);
        float want[3 * CLASSES], got[3 * CLASSES];
        struct err e;
        train(n, 0, 3, UPDATE);
        c.train = false;
        c.backend = NET_AUTO;
        struct net *m = net_of(c);
        transplant(n, m);
        CHECK_EQ(net_state_count(m), 0);
        struct batch b = batch_new(n, 50);
        CHECK_OK(net_infer(n, b.x, 3, want, &e), &e);
        CHECK_OK(net_infer(m, b.x, 3, got, &e), &e);
        CHECK_OK(net_infer(m, b.x, 3, got, &e), &e);
        CHECK_EQ(net_allocs_in_last_step(m), 0);
        for (int k = 0; k < 3 * CLASSES; k++)
            CHECK(fabsf(got[k] - want[k]) < 1e-4f * (1 + fabsf(want[k])));
        CHECK_OK(net_infer(m, b.x + 2 * 3 * 16 * 16, 1, got, &e), &e); /* alone as in company */
        for (int k = 0; k < CLASSES; k++)
            CHECK(fabsf(got[k] - want[2 * CLASSES + k]) < 1e-4f * (1 + fabsf(want[k])));
        CHECK_EQ(teach(m, b.x, b.target, 3, &UPDATE, &(double){0}, &e), RC_INVALID);
        batch_done(&b);
        net_free(n);
        net_free(m);
    }
}

TEST(a_bad_configuration_names_its_field)
{
    const struct {
        struct net_config c;
        const char *field;
    } cases[] = {
        {{.model = "alexnet", .classes = 2, .image_size = 32, .batch_max = 1}, "model"},
        {{.model = NULL, .classes = 2, .image_size = 32, .batch_max = 1}, "model"},
        {{.model = "tiny", .classes = 0, .image_size = 32, .batch_max = 1}, "classes"},
        {{.model = "tiny", .classes = 70000, .image_size = 32, .batch_max = 1}, "classes"},
        {{.model = "tiny", .classes = 2, .image_size = 7, .batch_max = 1}, "image_size"},
        {{.model = "tiny", .classes = 2, .image_size = 5000, .batch_max = 1}, "image_size"},
        {{.model = "tiny", .classes = 2, .image_size = 32, .batch_max = 0}, "batch_max"},
        {{.model = "tiny", .classes = 2, .image_size = 32, .batch_max = 1, .threads = -1},
         "threads"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct net *n = NULL;
        struct err e = {0};
        CHECK_EQ(net_new(&n, &cases[i].c, &e), RC_INVALID);
        CHECK(!n);
        CHECK_STR(str_of(e.field), cases[i].field);
    }
}

TEST(a_batch_of_wrong_size_changes_nothing)
{
    struct net *n = small_net();
    struct batch b = soft_batch(n);
    char before[SHA256_HEX + 1], after[SHA256_HEX + 1];
    double loss = 7;
    float logits[15];
    struct err e;

    hash_of(n, before);
    CHECK_EQ(teach(n, b.x, b.target, 0, &UPDATE, &loss, &e), RC_INVALID);
    CHECK_EQ(teach(n, b.x, b.target, 5, &UPDATE, &loss, &e), RC_INVALID);
    CHECK_EQ(net_infer(n, b.x, 5, logits, &e), RC_INVALID);
    CHECK(loss == 7);
    hash_of(n, after);
    CHECK_STR(str_of(after), before);
    batch_done(&b);
    net_free(n);
}

TEST(divergence_shows_in_the_loss)
{
    struct net *n = small_net();
    struct batch b = soft_batch(n);
    double loss = 0;
    struct err e;

    b.x[0] = NAN;
    CHECK_OK(teach(n, b.x, b.target, 4, &UPDATE, &loss, &e), &e);
    CHECK(isnan(loss) && isnan(net_grad_norm(n)));
    batch_done(&b);
    net_free(n);
}

TEST(each_allocation_may_fail_without_a_leak)
{
    for (int onednn = 0; onednn <= (onednn_check(NULL) == RC_OK); onednn++) {
        const size_t live = mem_live_bytes();
        enum rc rc = RC_NOMEM;
        for (long at = 0; rc != RC_OK; at++) {
            struct net_config c = config_of("tiny", 8, 2);
            struct net *n = NULL;
            struct err e;
            c.threads = 2;
            c.backend = onednn ? NET_ONEDNN : NET_PORTABLE;
            c.optimizer = NET_ADAMW;
            mem_fail_at(at);
            rc = net_new(&n, &c, &e);
            mem_fail_disarm();
            CHECK(rc == RC_OK || rc == RC_NOMEM);
            net_free(n);
            CHECK_EQ(mem_live_bytes(), live);
            CHECK(at < 1000);
        }
    }
}

TEST(a_net_that_does_not_fit_is_refused_before_it_takes_the_memory)
{
    struct net_config c = config_of("resnet34", 1024, 1024); /* hundreds of gigabytes */
    struct net *n = NULL;
    struct err e = {0};

    CHECK_EQ(net_new(&n, &c, &e), RC_NOMEM);
    CHECK(str_find(str_of(e.text), STR("smaller batch")) > 0);
    c = config_of("tiny", 32, 16);
    c.bytes_max = 1 << 20;
    CHECK_EQ(net_new(&n, &c, &e), RC_NOMEM);
    CHECK(!n && os_rss_bytes() < 2ull << 30);
}

TEST(a_resized_network_goes_on_like_one_of_that_size)
{
    struct net_config large = config_of("tiny", 32, 5), small = config_of("tiny", 16, 5);
    struct net *a = net_of(large);
    char want[SHA256_HEX + 1], got[SHA256_HEX + 1];
    struct err e = {0};

    train(a, 0, 2, UPDATE);
    CHECK_OK(net_resize(a, 16, &e), &e);
    struct net *b = net_of(small);
    transplant(a, b);
    train(a, 2, 4, UPDATE); /* no allocation in it */
    train(b, 2, 4, UPDATE);
    hash_of(a, got);
    hash_of(b, want);
    CHECK_STR(str_of(got), want);
    CHECK_EQ(net_resize(a, 33, &e), RC_INVALID); /* above what it was built for */
    CHECK(str_find(str_of(e.text), STR("image_size is 33")) >= 0);
    CHECK_EQ(net_resize(a, 4, &e), RC_INVALID);
    CHECK_OK(net_resize(a, 32, &e), &e);
    train(a, 4, 5, UPDATE);
    net_free(a);
    net_free(b);
}

TEST(the_plan_can_be_read)
{
    const struct net_config c = config_of("resnet18", 32, 4);
    struct net *n = NULL;
    struct buf b;
    struct err e;

    CHECK_OK(net_new(&n, &c, &e), &e);
    buf_init(&b, 1 << 20);
    net_plan_describe(n, &b);
    CHECK_OK(buf_ok(&b, &e), &e);
    CHECK(str_find(buf_view(&b), STR("layer4.1.conv2.weight")) > 0);
    CHECK(str_find(buf_view(&b), STR("winograd, winograd, winograd")) > 0);
    CHECK(str_find(buf_view(&b), STR("without sharing")) > 0);
    buf_done(&b);
    net_free(n);
}
