/* export.c - exports every network as ONNX and as a C file, and tells how far each is from the
 * checkpoint:  build/bench/export DIR [--c] [NETWORK..] [-- PICTURE..]
 *
 * Weights are initial ones with disturbed statistics.  In DIR lie afterwards NETWORK.safetensors,
 * .onnx (.c and .h with --c), and NETWORK.in and .out: the pictures as the network takes them and
 * the engine's own outputs, raw floats, for bench/export_peer.py, which runs the ONNX files under
 * another runtime.  Exit 1 if one differs too much. */
#include "base/mem.h"
#include "engine/bundle/export_file.h"
#include "os/os.h"
#include <stdio.h>
#include <string.h>

enum { IMAGES = 2, CLASSES = 20, ARGS_MAX = 1024 };

struct bench {
    const char *dir;
    bool c;
    const char *networks[64];
    size_t networks_n;
    str pictures[ARGS_MAX];
    size_t pictures_n;
    struct arena arena;
};

static void fail(const struct err *e)
{
    fprintf(stderr, "export: %s\n", e->text);
    exit(1);
}

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

static const char *path_of(struct bench *b, const struct net_card *card, const char *ending)
{
    char *path = arena_printf(&b->arena, "%s/%s%s", b->dir, card->name, ending);

    for (char *s = path + strlen(b->dir); *s && ending[1] == 'c'; s++)
        *s = *s == '-' ? '_' : *s;
    return path;
}

static struct model *make(struct bench *b, const struct net_card *card)
{
    struct model_plan p = {.name = card->name,
                           .classes_n = CLASSES,
                           .frame = {.size = card->image_size_default},
                           .stem = NET_STEM_AUTO,
                           .batch_max = IMAGES,
                           .backend = NET_AUTO};
    const bool boxes = card->task != NET_CLASSIFICATION;
    struct safetensors_written written;
    str names[CLASSES];
    struct model *m = NULL;
    struct err e;

    p.frame.fit = boxes ? FRAME_LETTERBOX : FRAME_SQUASH;
    p.frame.work_side = p.frame.size;
    for (int i = 0; i < 3; i++) {
        p.frame.mean[i] = boxes ? 0 : frame_imagenet_mean[i];
        p.frame.std[i] = boxes ? 1 : frame_imagenet_std[i];
    }
    for (int i = 0; i < CLASSES; i++)
        names[i] = str_of(arena_printf(&b->arena, "class %d", i));
    p.classes = names;
    if (model_new(&m, &p, &e))
        fail(&e);
    net_init_weights(m->net, 5);
    disturb(m->net);
    if (model_save(m, 1, path_of(b, card, ".safetensors"), &written, &e))
        fail(&e);
    return m;
}

/* What the peer needs: inputs, and the engine's outputs for them. */
static void dump(struct bench *b, const struct net_card *card, struct model *m)
{
    const size_t floats = 3 * (size_t)m->frame.size * (size_t)m->frame.size;
    float *x = mem_alloc_array(IMAGES * floats, sizeof *x);
    struct program_result y[PROGRAM_OUTPUTS_MAX] = {0};
    struct buf out;
    struct err e;

    for (size_t i = 0; i < IMAGES * floats; i++)
        x[i] = (float)(2 * rand_unit(rand_at(3, i / 5, 0, 0)) - 1);
    for (size_t i = 0; i < IMAGES && i < b->pictures_n; i++) {
        struct image work;
        if (frame_open(&m->frame, b->pictures[i], NULL, &work, &e) ||
            frame_eval(&m->frame, &work, x + i * floats, &e))
            fail(&e);
        image_done(&work);
    }
    if (export_reference(m->net, x, IMAGES, y, &e))
        fail(&e);
    buf_init(&out, (size_t)1 << 30);
    for (int i = 0; i < PROGRAM_OUTPUTS_MAX && y[i].data; i++) {
        buf_add(&out, y[i].data, y[i].n * sizeof(float));
        mem_free(y[i].data);
    }
    const str in = {(char *)x, IMAGES * floats * sizeof *x};
    if (os_write_file_durable(path_of(b, card, ".in"), in, 0600, &e) ||
        os_write_file_durable(path_of(b, card, ".out"), buf_view(&out), 0600, &e))
        fail(&e);
    buf_done(&out);
    mem_free(x);
}

static bool export(struct bench *b, const struct net_card *card, enum export_format format)
{
    struct export_report r;
    struct err e;
    const struct export_order o = {.format = format,
                                   .weights = path_of(b, card, ".safetensors"),
                                   .out = path_of(b, card, export_format_ending[format]),
                                   .pictures = b->pictures,
                                   .pictures_n = b->pictures_n};
    const int64_t started = os_mono_ms();

    if (export_file(&o, &r, &e)) {
        printf("%-18s %-5s FAILED %s\n", card->name, export_format_names[format], e.text);
        return false;
    }
    printf("%-18s %-5s %4d px  %8.1f MB  %.1e  %s, %zu pictures, %.1f s\n", card->name,
           export_format_names[format], r.image_size, (double)r.file.bytes / 1e6, r.difference,
           r.verified_by, r.pictures, (double)(os_mono_ms() - started) / 1e3);
    fflush(stdout);
    return true;
}

static bool wanted(const struct bench *b, const char *name)
{
    for (size_t i = 0; i < b->networks_n; i++)
        if (strcmp(b->networks[i], name) == 0)
            return true;
    return b->networks_n == 0;
}

int main(int argc, char **argv)
{
    struct bench b = {.dir = argc > 1 ? argv[1] : "."};
    size_t count;
    const struct net_card *cards = net_cards(&count);
    bool pictures = false, fine = true;
    struct err e;

    arena_init(&b.arena, (size_t)1 << 30);
    for (int i = 2; i < argc && i < 64; i++) {
        if (strcmp(argv[i], "--c") == 0)
            b.c = true;
        else if (strcmp(argv[i], "--") == 0)
            pictures = true;
        else if (!pictures)
            b.networks[b.networks_n++] = argv[i];
        else if (os_read_file(&b.arena, argv[i], 1 << 26, &b.pictures[b.pictures_n++], &e))
            fail(&e);
    }
    for (size_t i = 0; i < count; i++) {
        if (!wanted(&b, cards[i].name))
            continue;
        struct model *m = make(&b, &cards[i]);
        dump(&b, &cards[i], m);
        model_free(m);
        fine = export(&b, &cards[i], EXPORT_ONNX) && fine;
        if (b.c)
            fine = export(&b, &cards[i], EXPORT_C) && fine;
    }
    arena_done(&b.arena);
    return !fine;
}
