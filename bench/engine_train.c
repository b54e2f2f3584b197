/* engine_train.c - images a second of the native engine, and where its memory goes.
 *
 *     build/bench/engine_train [--model resnet18] [--size 32] [--batch 128] [--threads 2]
 *                              [--backend auto|onednn|portable] [--steps 8] [--infer] [--adamw]
 *                              [--plan] [--hash] [--time] [--bf16]
 *
 * Trains (or infers) on a synthetic task that can be learnt; prints median and best of the steps
 * after the first two, since a shared machine is noisy.  --hash prints the SHA-256 of all weights.
 */
#include "base/hash.h"
#include "base/mem.h"
#include "engine/model/net_int.h" /* --time looks into the graph */
#include "os/os.h"
#include <math.h>
#include <string.h>

enum { CLASSES = 10, STEPS_MAX = 1000 };

struct options {
    struct net_config net;
    int steps;
    bool plan, hash, curve, time;
};

static int number(const char *text)
{
    int64_t v = 0;

    if (!text || !str_i64(str_of(text), &v)) {
        fprintf(stderr, "engine_train: '%s' is not a number\n", text ? text : "");
        exit(2);
    }
    return (int)v;
}

static struct options options_of(int argc, char **argv)
{
    struct options o = {.net = {.model = "resnet18",
                                .classes = CLASSES,
                                .image_size = 32,
                                .batch_max = 128,
                                .train = true,
                                .threads = 2},
                        .steps = 8};

    for (int i = 1; i < argc; i++) {
        const str flag = str_of(argv[i]);
        const char *next = i + 1 < argc ? argv[i + 1] : NULL;
        if (str_is(flag, "--model"))
            o.net.model = next, i++;
        else if (str_is(flag, "--size"))
            o.net.image_size = number(next), i++;
        else if (str_is(flag, "--batch"))
            o.net.batch_max = number(next), i++;
        else if (str_is(flag, "--threads"))
            o.net.threads = number(next), i++;
        else if (str_is(flag, "--steps"))
            o.steps = number(next), i++;
        else if (str_is(flag, "--backend"))
            o.net.backend = !next || strcmp(next, "auto") == 0 ? NET_AUTO
                            : strcmp(next, "onednn") == 0      ? NET_ONEDNN
                                                               : NET_PORTABLE,
            i++;
        else if (str_is(flag, "--infer"))
            o.net.train = false;
        else if (str_is(flag, "--adamw"))
            o.net.optimizer = NET_ADAMW;
        else if (str_is(flag, "--plan"))
            o.plan = true;
        else if (str_is(flag, "--bf16"))
            o.net.precision = NET_BF16;
        else if (str_is(flag, "--time"))
            o.time = true;
        else if (str_is(flag, "--curve"))
            o.curve = true;
        else if (str_is(flag, "--hash"))
            o.hash = true;
        else {
            fprintf(stderr, "engine_train: unknown flag %s (see the head of the source)\n",
                    argv[i]);
            exit(2);
        }
    }
    if (o.steps > STEPS_MAX)
        o.steps = STEPS_MAX;
    return o;
}

/* Waves whose direction and length tell the class, under noise. */
static void make_batch(const struct net_config *c, uint64_t step, float *x, float *target)
{
    const int side = c->image_size;

    memset(target, 0, sizeof(float) * (size_t)(c->batch_max * CLASSES));
    for (int n = 0; n < c->batch_max; n++) {
        const int label = (int)(rand_at(1, step, (uint64_t)n, 0) % CLASSES);
        target[n * CLASSES + label] = 1;
        for (int i = 0; i < 3 * side * side; i++) {
            const int col = i % side, row = i / side % side, plane = i / side / side;
            const double noise = rand_unit(rand_at(2, step, (uint64_t)n, (uint64_t)i)) - 0.5;
            const double turn = (label % 5 + 1) * col / (double)side +
                                (label / 5 + 1) * (plane + 1) * row / (double)side;
            x[(size_t)n * 3 * (size_t)(side * side) + (size_t)i] =
                (float)(noise + 0.5 * sin(6.28318530718 * turn));
        }
    }
}

static void print_hash(struct net *n)
{
    struct hasher h;
    uint8_t digest[SHA256_BYTES];
    char text[SHA256_HEX + 1];
    float *plain = mem_alloc(64u << 20);

    if (!plain || sha256_init(&h, NULL) != RC_OK)
        exit(1);
    for (size_t i = 0; i < net_tensor_count(n); i++) {
        net_tensor_get(n, i, plain);
        hasher_add(&h, plain, net_tensor_at(n, i)->count * sizeof *plain);
    }
    hasher_final(&h, digest);
    hex_of(digest, sizeof digest, text);
    printf("weights_sha256 %s\n", text);
    mem_free(plain);
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void report(const struct net *n, const struct options *o, double *seconds, int count,
                   double loss)
{
    struct net_info info;

    net_get_info(n, &info);
    qsort(seconds, (size_t)count, sizeof *seconds, by_value);
    const double median = seconds[count / 2], images = o->net.batch_max;
    printf("%s %s %dx%d batch %d, %s (%s), %d threads: median %.1f images/s (%.1f ms), best %.1f; "
           "%.0f GFLOP/s nominal; loss %.4f; plan %.0f MiB, resident %.0f MiB, allocations %zu\n",
           o->net.train ? "train" : "infer", info.card->name, info.image_size, info.image_size,
           o->net.batch_max, net_backend_name(info.backend), info.isa, info.threads,
           images / median, median * 1e3, images / seconds[0],
           info.flops * (o->net.train ? 3 : 1) * images / median / 1e9, loss,
           (double)info.bytes / 1048576.0, (double)os_rss_bytes() / 1048576.0,
           net_allocs_in_last_step(n));
}

int main(int argc, char **argv)
{
    struct options o = options_of(argc, argv);
    struct err e = {0};
    struct net *n = NULL;
    double seconds[STEPS_MAX];
    struct net_loss loss = {0};
    struct net_update u = {.lr = 0.02,
                           .momentum = 0.9,
                           .weight_decay = 5e-4,
                           .beta1 = 0.9,
                           .beta2 = 0.999,
                           .eps = 1e-8};
    const size_t pixels = 3 * (size_t)o.net.image_size * (size_t)o.net.image_size;
    const size_t images = (size_t)o.net.batch_max;
    float *x = mem_alloc_array(images * pixels, sizeof *x);
    float *target = mem_alloc_array(images * CLASSES, sizeof *target);
    float *logits = mem_alloc_array(images * CLASSES, sizeof *logits);

    if (o.net.optimizer == NET_ADAMW)
        u.lr = 1e-3;
    enum rc rc = net_new(&n, &o.net, &e);
    if (!rc)
        net_init_weights(n, 7);
    if (!rc && o.time)
        rc = graph_time(n->graph, &e);
    if (!rc && o.plan) {
        struct buf text;
        buf_init(&text, 1 << 20);
        net_plan_describe(n, &text);
        fputs(text.p, stdout);
        buf_done(&text);
    }
    for (int i = 0; !rc && i < o.steps; i++) {
        make_batch(&o.net, (uint64_t)i, x, target);
        const int64_t start = os_mono_ns();
        u.step = i + 1;
        if (o.net.train)
            rc = net_train_step(n, x, &(struct net_target){.rows = target}, o.net.batch_max, &u,
                                &loss, &e);
        else
            rc = net_infer(n, x, o.net.batch_max, logits, &e);
        seconds[i] = (double)(os_mono_ns() - start) * 1e-9;
        if (o.curve)
            printf("step %d loss %.5f gradient norm %.4f, %.1f ms\n", i, loss.total,
                   net_grad_norm(n), seconds[i] * 1e3);
    }
    if (rc) {
        fprintf(stderr, "engine_train: %s\n", e.text);
        return 1;
    }
    const int skip = o.steps > 4 ? 2 : 0;
    report(n, &o, seconds + skip, o.steps - skip, loss.total);
    if (o.time) {
        struct buf text;
        buf_init(&text, 1 << 20);
        graph_time_describe(n->graph, &text);
        fputs(text.p, stdout);
        buf_done(&text);
    }
    if (o.hash)
        print_hash(n);
    net_free(n);
    mem_free(x);
    mem_free(target);
    mem_free(logits);
    return 0;
}
