/* native.c - the module's entry points as a native program, for tests that compare: the same
 * sources, the kernels "base", on this machine.
 *
 *   native new MODEL CLASSES SIZE squash|center_crop SEED FILE   a weights file with random
 * weights, batch norm statistics included native rgba FILE WIDTH HEIGHT TOP <pixels   native tensor
 * FILE TOP <floats writes a line of JSON, then the network's input and output as float32 native
 * picture FILE PICTURE   the same input and output by the product's own path: from the picture's
 * file, on the machine's best kernels native pixels PICTURE         "WIDTH HEIGHT", a line end,
 * RGBA native time FILE ROUNDS       milliseconds of a run, median and best
 */
#include "base/hash.h"
#include "base/mem.h"
#include "engine/bundle/model.h"
#include "os/os.h"
#include "wasm/anneal_wasm.h"

enum { FILE_BYTES_MAX = 1 << 30, CLASSES_MAX = 1000 };

static struct arena arena = {.max_bytes = FILE_BYTES_MAX};

static int fail(const char *what)
{
    fprintf(stderr, "native: %s\n", what);
    return 1;
}

/* Statistics as training leaves them: near those of the data, but none of them 0 or 1. */
static void random_statistics(struct net *n, uint64_t seed)
{
    for (size_t i = 0; i < net_tensor_count(n); i++) {
        const struct net_tensor *t = net_tensor_at(n, i);
        const bool variance = strstr(t->name, "running_var") != NULL;
        const bool vector = t->dims == 1;
        float *v = mem_alloc_array(t->count, sizeof *v);
        net_tensor_get(n, i, v);
        for (size_t k = 0; vector && k < t->count; k++) {
            const float r = (float)rand_unit(rand_at(seed, i, k, 0));
            v[k] = variance ? 0.5f + r : v[k] + (r - 0.5f) * 0.2f;
        }
        net_tensor_set(n, i, v);
        mem_free(v);
    }
}

static int make(char **a)
{
    const int64_t seed = strtol(a[6], NULL, 10);
    const int classes = (int)strtol(a[3], NULL, 10), size = (int)strtol(a[4], NULL, 10);
    enum frame_fit fit = FRAME_SQUASH;
    struct model_plan p = {.name = a[2],
                           .classes_n = (size_t)classes,
                           .frame = {.size = size, .work_side = size},
                           .seed = seed,
                           .batch_max = 1,
                           .threads = 1,
                           .backend = NET_PORTABLE};
    str *names = mem_alloc_array((size_t)classes, sizeof *names);
    struct safetensors_written written;
    struct model *m;
    struct err e;

    while (fit < FRAME_FITS - 1 && strcmp(a[5], frame_fit_names[fit]) != 0)
        fit++;
    p.frame.fit = fit;
    if (fit == FRAME_CENTER_CROP)
        p.frame.work_side = size * 8 / 7;
    for (int i = 0; i < classes; i++)
        names[i] = str_of(arena_printf(&arena, "class \"%d\"", i));
    p.classes = names;
    memcpy(p.frame.mean, frame_imagenet_mean, sizeof p.frame.mean);
    memcpy(p.frame.std, frame_imagenet_std, sizeof p.frame.std);
    if (model_new(&m, &p, &e) != RC_OK)
        return fail(e.text);
    net_init_weights(m->net, (uint64_t)seed);
    random_statistics(m->net, (uint64_t)seed);
    if (model_save(m, 1, a[7], &written, &e) != RC_OK)
        return fail(e.text);
    model_free(m);
    mem_free(names);
    return 0;
}

static int models(void)
{
    size_t n;
    const struct net_card *cards = net_cards(&n);

    for (size_t i = 0; i < n; i++)
        puts(cards[i].name);
    return 0;
}

static void *input_of(size_t *ret_n)
{
    struct buf in;
    char chunk[65536];
    size_t n;

    buf_init(&in, FILE_BYTES_MAX);
    while ((n = fread(chunk, 1, sizeof chunk, stdin)) > 0)
        buf_add(&in, chunk, n);
    return buf_take(&in, ret_n);
}

static struct anneal_model *load(const char *path)
{
    struct err e;
    str bytes;

    if (os_read_file(&arena, path, FILE_BYTES_MAX, &bytes, &e) != RC_OK) {
        fail(e.text);
        return NULL;
    }
    return anneal_load(bytes.p, bytes.n);
}

static int answer(struct anneal_model *m, int32_t rc)
{
    const uint8_t *mask;

    if (rc)
        return fail(anneal_error_text());
    mask = anneal_mask(m, 0);
    printf("%s\n", anneal_result(m));
    fwrite(anneal_input(m), sizeof(float), anneal_input_floats(m), stdout);
    fwrite(anneal_output(m), sizeof(float), anneal_output_floats(m), stdout);
    if (mask)
        fwrite(mask, 1, anneal_input_floats(m) / 3, stdout);
    return 0;
}

static int picture(const char *path, const char *picture_path)
{
    const struct model_plan how = {.batch_max = 1};
    float *x, logits[CLASSES_MAX];
    struct model *m;
    struct err e;
    size_t n;
    str bytes;
    enum rc rc = model_load(&m, path, &how, &e);

    if (!rc)
        rc = os_read_file(&arena, picture_path, FILE_BYTES_MAX, &bytes, &e);
    if (rc)
        return fail(e.text);
    n = 3 * (size_t)m->frame.size * (size_t)m->frame.size;
    x = mem_alloc_aligned(64, n * sizeof *x);
    rc = m->classes_n <= CLASSES_MAX ? frame_input(&m->frame, bytes, NULL, x, &e) : RC_LIMIT;
    if (!rc)
        rc = net_infer(m->net, x, 1, logits, &e);
    if (rc)
        return fail(e.text);
    printf("{}\n");
    fwrite(x, sizeof *x, n, stdout);
    fwrite(logits, sizeof *logits, m->classes_n, stdout);
    return 0;
}

static int pixels(const char *path)
{
    struct image im;
    struct err e;
    str bytes;
    enum rc rc = os_read_file(&arena, path, FILE_BYTES_MAX, &bytes, &e);

    if (!rc)
        rc = image_decode(bytes, NULL, 0, &im, &e);
    if (rc)
        return fail(e.text);
    printf("%d %d\n", im.width, im.height);
    for (size_t i = 0; i < (size_t)im.width * (size_t)im.height; i++) {
        fwrite(im.rgb + 3 * i, 1, 3, stdout);
        putchar(255);
    }
    return 0;
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static int measure(struct anneal_model *m, int rounds)
{
    double ms[1000];

    rounds = rounds < 1 ? 1 : rounds > 1000 ? 1000 : rounds;
    for (int i = 0; i < rounds; i++) {
        const int64_t from = os_mono_ns();
        if (anneal_run_tensor(m, anneal_input(m), anneal_input_floats(m)))
            return fail(anneal_error_text());
        ms[i] = (double)(os_mono_ns() - from) / 1e6;
    }
    qsort(ms, (size_t)rounds, sizeof ms[0], by_value);
    printf("{\"median_ms\":%.3f,\"best_ms\":%.3f}\n", ms[rounds / 2], ms[0]);
    return 0;
}

int main(int n, char **a)
{
    struct anneal_model *m;
    size_t bytes = 0;
    void *in = NULL;

    if (n == 8 && strcmp(a[1], "new") == 0)
        return make(a);
    if (n == 2 && strcmp(a[1], "models") == 0)
        return models();
    if (n == 3 && strcmp(a[1], "pixels") == 0)
        return pixels(a[2]);
    if (n == 4 && strcmp(a[1], "picture") == 0)
        return picture(a[2], a[3]);
    if (n < 4)
        return fail("see the head of tests/wasm/native.c");
    m = load(a[2]);
    if (!m)
        return fail(anneal_error_text());
    if (strcmp(a[1], "time") == 0)
        return measure(m, (int)strtol(a[3], NULL, 10));
    if (strcmp(a[1], "rgba") != 0 || n != 7)
        return fail("see the head of tests/wasm/native.c");
    in = input_of(&bytes);
    if (anneal_options(m, (int32_t)strtol(a[5], NULL, 10), 100, strtod(a[6], NULL), 0.7))
        return fail(anneal_error_text());
    return answer(m, anneal_run_rgba(m, in, (int32_t)strtol(a[3], NULL, 10),
                                     (int32_t)strtol(a[4], NULL, 10)));
}
