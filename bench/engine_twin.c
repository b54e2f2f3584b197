/* engine_twin.c - trains a few steps and writes everything down, for torch_twin.py to repeat.
 *
 *     build/bench/engine_twin OUT MODEL SIZE STEM(small|large) OPTIMIZER(sgd|adamw) BACKEND SEED
 * SEED
 *
 * OUT: records of u32 name length, name, u64 count, float32 values: "init/TENSOR", "x/STEP",
 * "t/STEP", "loss/STEP", "norm/STEP", "end/TENSOR", "infer" (logits of the last batch).
 */
#include "base/hash.h"
#include "base/mem.h"
#include "engine/model/net.h"
#include <string.h>

enum { CLASSES = 5, BATCH = 6, STEPS = 4 };

static FILE *out;

static void record(const char *kind, const char *name, const float *v, size_t count)
{
    char full[128];
    const uint32_t length = (uint32_t)snprintf(full, sizeof full, "%s/%s", kind, name);
    const uint64_t n = count;

    fwrite(&length, sizeof length, 1, out);
    fwrite(full, 1, length, out);
    fwrite(&n, sizeof n, 1, out);
    fwrite(v, sizeof *v, count, out);
}

static void record_tensors(const char *kind, const struct net *n)
{
    for (size_t i = 0; i < net_tensor_count(n); i++) {
        const struct net_tensor *t = net_tensor_at(n, i);
        float *v = mem_alloc_array(t->count, sizeof *v);
        net_tensor_get(n, i, v);
        record(kind, t->name, v, t->count);
        mem_free(v);
    }
}

static void make_batch(int step, size_t pixels, float *x, float *target)
{
    for (size_t i = 0; i < BATCH * pixels; i++)
        x[i] = (float)(4 * rand_unit(rand_at(1, (uint64_t)step, i, 0)) - 2);
    for (size_t i = 0; i < BATCH; i++) { /* two classes share each picture, as after mixup */
        const uint64_t a = rand_at(2, (uint64_t)step, i, 0) % CLASSES;
        for (size_t c = 0; c < CLASSES; c++)
            target[i * CLASSES + c] = c == a ? 0.7f : c == (a + 1) % CLASSES ? 0.3f : 0.0f;
    }
}

int main(int argc, char **argv)
{
    struct err e = {0};
    struct net *n = NULL;
    int64_t size = 0;
    uint64_t seed = 0;

    if (argc != 8 || !str_i64(str_of(argv[3]), &size) || !str_u64(str_of(argv[7]), &seed) ||
        !(out = fopen(argv[1], "wb"))) {
        fprintf(stderr, "usage: engine_twin OUT MODEL SIZE small|large sgd|adamw BACKEND SEED\n");
        return 2;
    }
    const bool adamw = strcmp(argv[5], "adamw") == 0;
    const struct net_config c = {
        .model = argv[2],
        .classes = CLASSES,
        .image_size = (int)size,
        .batch_max = BATCH,
        .train = true,
        .backend = strcmp(argv[6], "portable") == 0 ? NET_PORTABLE : NET_ONEDNN,
        .stem = strcmp(argv[4], "small") == 0 ? NET_STEM_SMALL : NET_STEM_LARGE,
        .optimizer = adamw ? NET_ADAMW : NET_SGD,
        .threads = 2};
    struct net_update u = {.lr = adamw ? 1e-3 : 0.02,
                           .weight_decay = 0.05,
                           .momentum = 0.9,
                           .nesterov = true,
                           .beta1 = 0.9,
                           .beta2 = 0.999,
                           .eps = 1e-8,
                           .clip_norm = 5};
    const size_t pixels = (size_t)(3 * size * size);
    float *x = mem_alloc_array(BATCH * pixels, sizeof *x);
    float target[BATCH * CLASSES], logits[BATCH * CLASSES];

    enum rc rc = net_new(&n, &c, &e);
    if (!rc) {
        net_init_weights(n, seed);
        record_tensors("init", n);
    }
    for (int step = 0; !rc && step < STEPS; step++) {
        const int count = step == 2 ? BATCH - 1 : BATCH; /* one partial batch */
        char name[16];
        struct net_loss loss = {0};
        make_batch(step, pixels, x, target);
        u.step = step + 1;
        rc = net_train_step(n, x, &(struct net_target){.rows = target}, count, &u, &loss, &e);
        const float result[2] = {(float)loss.total, (float)net_grad_norm(n)};
        snprintf(name, sizeof name, "%d", step);
        record("x", name, x, (size_t)count * pixels);
        record("t", name, target, (size_t)count * CLASSES);
        record("loss", name, result, 1);
        record("norm", name, result + 1, 1);
    }
    if (!rc)
        rc = net_infer(n, x, BATCH, logits, &e);
    if (rc) {
        fprintf(stderr, "engine_twin: %s\n", e.text);
        return 1;
    }
    record_tensors("end", n);
    record("infer", "", logits, BATCH * CLASSES);
    net_free(n);
    mem_free(x);
    return fclose(out) != 0;
}
