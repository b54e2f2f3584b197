/* feed_view.c - a picture of a batch as the network gets it, for people to look at.
 *
 *     build/bench/feed_view --manifest F --blobs DIR --out F.png [--task detection] [--size 320]
 *         [--batch 16] [--epoch 0] [--eval 1] [--rotate 10] [--shear 5] [--mixup 1] [--multi 0]
 *         [--mosaic 1]
 *
 * The inputs of one batch in a grid: boxes drawn round the objects, each class in a colour; masks
 * and labels laid over.  Boxes must sit on the objects whatever was done to the pictures.
 */
#include "base/mem.h"
#include "engine/feed/loader.h"
#include "os/os.h"
#include <math.h>

static void fail(const struct err *e)
{
    fprintf(stderr, "feed_view: %s\n", e->text);
    exit(1);
}

static const char *text(int argc, char **argv, const char *name, const char *dflt)
{
    for (int i = 1; i + 1 < argc; i += 2)
        if (strcmp(argv[i], name) == 0)
            return argv[i + 1];
    return dflt;
}

static double number(int argc, char **argv, const char *name, double dflt)
{
    const char *t = text(argc, argv, name, NULL);
    struct err e = {.text = "an option is not a number"};

    if (t && !str_f64(str_of(t), &dflt))
        fail(&e);
    return dflt;
}

/* A colour for a number, far from that of the next. */
static void colour_of(uint32_t k, uint8_t rgb[3])
{
    for (int c = 0; c < 3; c++)
        rgb[c] = (uint8_t)(rand_at(7, k, (uint64_t)c, 0) % 200 + 55);
}

static void dot(struct image *im, int32_t x, int32_t y, const uint8_t rgb[3], int part)
{
    if (x < 0 || y < 0 || x >= im->width || y >= im->height)
        return;
    uint8_t *p = im->rgb + (y * im->width + x) * 3;
    for (int c = 0; c < 3; c++)
        p[c] = (uint8_t)((p[c] * (4 - part) + rgb[c] * part) / 4);
}

static void draw_box(struct image *im, int32_t left, int32_t top, const struct net_box *b)
{
    uint8_t rgb[3];
    int32_t x0 = (int32_t)b->x0, y0 = (int32_t)b->y0, x1 = (int32_t)ceilf(b->x1) - 1,
            y1 = (int32_t)ceilf(b->y1) - 1;

    colour_of((uint32_t)b->cls, rgb);
    for (int32_t x = x0; x <= x1; x++) {
        dot(im, left + x, top + y0, rgb, 4);
        dot(im, left + x, top + y1, rgb, 4);
    }
    for (int32_t y = y0; y <= y1; y++) {
        dot(im, left + x0, top + y, rgb, 4);
        dot(im, left + x1, top + y, rgb, 4);
    }
}

static void draw_one(struct image *im, const struct batch *b, int32_t i, const struct frame *f,
                     int32_t left, int32_t top)
{
    int32_t n = b->size, small = n / NET_MASK_STRIDE;
    const float *x = b->x + (size_t)i * 3 * (size_t)n * (size_t)n;
    uint8_t rgb[3];

    for (int32_t p = 0; p < n * n; p++) {
        for (int c = 0; c < 3; c++) {
            float v = (x[c * n * n + p] * f->std[c] + f->mean[c]) * 255 + 0.5f;
            rgb[c] = (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
        }
        dot(im, left + p % n, top + p / n, rgb, 4);
        uint32_t mask = 0;
        if (b->target.instances)
            mask = b->target.instances[(i * small + p / n / 4) * small + p % n / 4];
        if (b->target.labels)
            mask = b->target.labels[i * n * n + p];
        colour_of(mask, rgb);
        if (mask)
            dot(im, left + p % n, top + p / n, rgb, 2);
    }
    for (int32_t k = b->target.first ? b->target.first[i] : 0;
         b->target.first && k < b->target.first[i + 1]; k++)
        draw_box(im, left, top, &b->target.boxes[k]);
}

int main(int argc, char **argv)
{
    static const char *const tasks[] = {"classification", "detection", "segmentation", "semantic"};
    const char *manifest = text(argc, argv, "--manifest", ""), *out = text(argc, argv, "--out", "");
    int32_t size = (int32_t)number(argc, argv, "--size", 320), across = 4;
    bool eval = number(argc, argv, "--eval", 0) > 0;
    struct train_spec spec = {.epochs = 20,
                              .mosaic = number(argc, argv, "--mosaic", 1),
                              .close_mosaic = 10,
                              .mixup = number(argc, argv, "--mixup", 0) > 0 ? 8 : 0,
                              .mixup_probability = number(argc, argv, "--mixup", 0),
                              .rotate = number(argc, argv, "--rotate", 0),
                              .shear = number(argc, argv, "--shear", 0),
                              .translate = 0.1,
                              .scale = 0.5,
                              .flip = 0.5,
                              .vertical_flip = number(argc, argv, "--vertical", 0),
                              .hsv_h = 0.015,
                              .hsv_s = 0.7,
                              .hsv_v = 0.4,
                              .multi_scale = number(argc, argv, "--multi", 0)};
    struct loader_config c = {.task = NET_DETECTION,
                              .blobs_dir = text(argc, argv, "--blobs", ""),
                              .batch = (int32_t)number(argc, argv, "--batch", 16),
                              .threads = 2,
                              .train = !eval};
    const struct batch *b;
    struct image im = {0};
    struct samples s;
    struct loader *l;
    struct arena a;
    struct buf png;
    struct err e;
    str *names;
    size_t classes;

    for (int i = 0; i < 4; i++)
        if (strcmp(tasks[i], text(argc, argv, "--task", "detection")) == 0)
            c.task = (enum net_task)i;
    arena_init(&a, (size_t)1 << 30);
    if (samples_read(manifest, &a, &s, &e) ||
        samples_classes(&s.header, c.task, &a, &names, &classes, &e))
        fail(&e);
    c.samples = s.of[eval ? SPLIT_VAL : SPLIT_TRAIN];
    c.n = s.n[eval ? SPLIT_VAL : SPLIT_TRAIN];
    c.classes = (int32_t)classes;
    c.semantic = samples_semantic_map(&s.header);
    scene_setup(&spec, size, &c.scene, &c.frame);
    if (loader_new(&l, &c, &e) || loader_start(l, (int64_t)number(argc, argv, "--epoch", 0), &e) ||
        loader_next(l, &b, &e))
        fail(&e);
    int32_t cell = b->size + 4, down = (b->n + across - 1) / across;
    if (image_alloc(cell * across, cell * down, &im, &e))
        fail(&e);
    memset(im.rgb, 255, (size_t)im.width * (size_t)im.height * 3);
    for (int32_t i = 0; i < b->n; i++)
        draw_one(&im, b, i, &c.frame, i % across * cell, i / across * cell);
    buf_init(&png, 256 << 20);
    if (image_encode_png(&im, &png, &e) || os_write_file_durable(out, buf_view(&png), 0644, &e))
        fail(&e);
    printf("%d inputs of %d pixels, %d boxes\n", b->n, b->size,
           b->target.first ? b->target.first[b->n] : 0);
    buf_done(&png);
    image_done(&im);
    loader_free(l);
    arena_done(&a);
    return 0;
}
