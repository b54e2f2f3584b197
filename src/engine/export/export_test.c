/* export_test.c - every network that there is, exported, written as ONNX, read back and run,
 * computes what the engine does. */
#include "engine/export/export.c"

#include "base/hash.h"
#include "base/test.h"
#include "engine/export/onnx.h"

/* Running statistics away from 0 and 1, so that folding is seen. */
static void disturb(struct net *n)
{
    for (size_t i = 0; i < net_tensor_count(n); i++) {
        const struct net_tensor *t = net_tensor_at(n, i);
        float *v = mem_alloc_array(t->count, sizeof *v);
        const bool variance = str_ends(str_of(t->name), STR("running_var"));
        if (t->dims == 1) {
            net_tensor_get(n, i, v);
            for (size_t k = 0; k < t->count; k++) {
                const double u = rand_unit(rand_at(12, i, k, 0));
                v[k] = variance ? (float)(0.7 + u) : v[k] + (float)(0.3 * u - 0.15);
            }
            net_tensor_set(n, i, v);
        }
        mem_free(v);
    }
}

static struct net *net_of(const char *model, int size, int classes)
{
    const struct net_config c = {.model = model,
                                 .classes = classes,
                                 .image_size = size,
                                 .batch_max = 2,
                                 .backend = NET_PORTABLE,
                                 .threads = 1};
    struct net *n = NULL;
    struct err e;

    CHECK_OK(net_new(&n, &c, &e), &e);
    net_init_weights(n, 3);
    disturb(n);
    return n;
}

static float *images(int size, int count, bool pixels)
{
    const size_t n = (size_t)(3 * size * size * count);
    float *x = mem_alloc_array(n, sizeof *x);

    CHECK(x);
    for (size_t i = 0; i < n; i++) {
        const double u = rand_unit(rand_at(6, i / 7, 0, 0));
        x[i] = pixels ? (float)(int)(255 * u) : (float)(4 * u - 2);
    }
    return x;
}

static struct program *through_a_file(const struct program *p)
{
    struct program *q = NULL;
    struct out_file_done done;
    struct out_file f;
    char path[512];
    struct err e;

    CHECK(snprintf(path, sizeof path, "%s/net.onnx", test_dir()) < 512);
    out_file_open(&f, path);
    CHECK_OK(onnx_write(p, "net", &f, &e), &e);
    CHECK_OK(out_file_close(&f, true, &done, &e), &e);
    CHECK_OK(onnx_open(&q, path, &e), &e);
    return q;
}

static void results_done(const struct program *p, struct program_result *r)
{
    for (int i = 0; i < p->output_count; i++)
        mem_free(r[i].data);
}

static double difference_of(const char *model, int size, bool file)
{
    struct program_result want[PROGRAM_OUTPUTS_MAX], got[PROGRAM_OUTPUTS_MAX];
    struct net *n = net_of(model, size, 7);
    float *x = images(size, 2, false);
    struct program *p = NULL;
    struct err e;

    CHECK_OK(export_program(n, &(struct export_input){0}, &p, &e), &e);
    struct program *q = file ? through_a_file(p) : p;
    CHECK_OK(export_reference(n, x, 2, want, &e), &e);
    CHECK_OK(program_run(q, x, 2, got, &e), &e);
    for (int i = 0; i < q->output_count; i++)
        CHECK_EQ(got[i].n, want[i].n);
    const double d = export_difference(q, export_pixels(n), got, want);
    results_done(q, got);
    results_done(q, want);
    if (file)
        program_free(q);
    program_free(p);
    net_free(n);
    mem_free(x);
    return d;
}

/* The smallest pictures, and not the networks of more weights than this: the tests run under
 * sanitizers.  `build/bench/export` exports those, at their own size. */
enum { PARAMS_MAX = 8000000 };

static void check_network(const char *model)
{
    const struct net_card *card = net_card_find(model);

    if (!card)
        test_fail(__FILE__, __LINE__, "there is no network %s", model);
    const double d = difference_of(model, card->image_size_min, true);
    if (!(d <= EXPORT_DIFFERENCE_MAX / 10))
        test_fail(__FILE__, __LINE__, "%s differs by %g", model, d);
}

#define NETWORKS(X)                                                                                \
    X(tiny, "tiny")                                                                                \
    X(mobilenetv2, "mobilenetv2")                                                                  \
    X(mobilenetv3_small, "mobilenetv3-small")                                                      \
    X(efficientnet_b0, "efficientnet-b0")                                                          \
    X(detect_tiny, "detect-tiny")                                                                  \
    X(detect_n, "detect-n")                                                                        \
    X(segment_tiny, "segment-tiny")                                                                \
    X(segment_n, "segment-n") X(semseg_tiny, "semseg-tiny") X(semseg_n, "semseg-n")                \
        X(semseg_s, "semseg-s")

#define CHECK_NETWORK(id, name)                                                                    \
    TEST(id##_exports_and_computes_the_same)                                                       \
    {                                                                                              \
        check_network(name);                                                                       \
    }
NETWORKS(CHECK_NETWORK)

TEST(no_network_lacks_a_test)
{
#define NAME_OF(id, name) name,
    static const char *const tested[] = {NETWORKS(NAME_OF)};
    size_t count = 0;
    const struct net_card *cards = net_cards(&count);

    for (size_t i = 0; i < count; i++) {
        bool found = cards[i].params > PARAMS_MAX;
        for (size_t k = 0; k < sizeof tested / sizeof *tested; k++)
            found = found || strcmp(cards[i].name, tested[k]) == 0;
        if (!found)
            test_fail(__FILE__, __LINE__, "no export of %s is tested", cards[i].name);
    }
}

TEST(the_large_stem_exports_too)
{
    CHECK(difference_of("tiny", 96, true) < EXPORT_DIFFERENCE_MAX / 10);
    CHECK(difference_of("mobilenetv2", 96, true) < EXPORT_DIFFERENCE_MAX / 10);
}

TEST(the_normalisation_can_be_part_of_the_network)
{
    const struct export_input input = {true, {0.485f, 0.456f, 0.406f}, {0.229f, 0.224f, 0.225f}};
    struct program_result want, got;
    struct net *n = net_of("tiny", 32, 5);
    float *x = images(32, 1, true);
    struct program *p = NULL;
    struct err e;

    CHECK_OK(export_program(n, &input, &p, &e), &e);
    CHECK_OK(program_run(p, x, 1, &got, &e), &e);
    for (size_t i = 0; i < 3072; i++)
        x[i] = (x[i] / 255 - input.mean[i / 1024]) / input.std[i / 1024];
    CHECK_OK(export_reference(n, x, 1, &want, &e), &e);
    CHECK(export_difference(p, 0, &got, &want) < 1e-5);
    mem_free(got.data);
    mem_free(want.data);
    program_free(p);
    net_free(n);
    mem_free(x);
}

TEST(a_difference_is_seen)
{
    struct program p = {.output_count = 1};
    float a[3] = {1, 200, 0}, b[3] = {1, 200, 0};
    struct program_result x = {a, 3}, y = {b, 3};

    CHECK(export_difference(&p, 0, &x, &y) == 0);
    a[1] = 202;
    CHECK(fabs(export_difference(&p, 0, &x, &y) - 0.01) < 1e-9);
    a[0] = 1.5f;
    CHECK(fabs(export_difference(&p, 0, &x, &y) - 0.5) < 1e-9);
    a[2] = NAN;
    CHECK(isinf(export_difference(&p, 0, &x, &y)));
}

TEST(boxes_count_as_parts_of_the_picture)
{
    static struct program p = {.output_count = 1};
    float a[10] = {0}, b[10] = {0}; /* five rows of two anchors */
    struct program_result x = {a, 10}, y = {b, 10};

    p.values[0] = (struct program_value){.dims = 3, .shape = {PROGRAM_BATCH, 5, 2}};
    a[7] = 3.2f; /* the last of the fourth row */
    CHECK(fabs(export_difference(&p, 320, &x, &y) - 0.01) < 1e-7);
    CHECK(fabs(export_difference(&p, 0, &x, &y) - 3.2) < 1e-6);
    a[8] = 0.5f; /* a confidence */
    CHECK(fabs(export_difference(&p, 320, &x, &y) - 0.5) < 1e-7);
}
