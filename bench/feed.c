/* feed.c - pictures a second from JPEG files to network input.
 *
 *     build/bench/feed [--images 256] [--width 640] [--height 480] [--size 224] [--threads 2]
 *
 * Makes JPEGs with detail at all scales, in a folder that it removes; reads all of them without a
 * cache as training (decode, random crop, flips, colour) and as evaluation (decode, centre) of
 * classification does, then as detection and segmentation do (mosaic of four, HSV, with 20 objects
 * in each picture), without the cache and with it.  One line each.
 */
#include "base/mem.h"
#include "engine/feed/loader.h"
#include "os/os.h"

enum { BATCH = 32, IMAGES_MAX = 10000, OBJECTS = 20 };

static struct sample_ref refs[IMAGES_MAX];
static struct net_box boxes[OBJECTS];
static struct sample_shape shapes[OBJECTS];
static float outlines[OBJECTS][8];

static void fail(const struct err *e)
{
    fprintf(stderr, "feed: %s\n", e->text);
    exit(1);
}

/* Noise of every octave, each twice as strong as the next finer one. */
static enum rc draw(uint64_t seed, int32_t w, int32_t h, struct image *ret, struct err *e)
{
    enum rc rc = image_alloc(w, h, ret, e);

    for (int32_t y = 0; !rc && y < h; y++)
        for (int32_t x = 0; x < w; x++)
            for (int32_t c = 0; c < 3; c++) {
                double v = 0;
                for (int octave = 1; octave < 8; octave++)
                    v += rand_unit(rand_at(seed, (uint64_t)(octave * 3 + c),
                                           (uint64_t)(y >> octave), (uint64_t)(x >> octave))) *
                         (1 << octave);
                ret->rgb[(y * w + x) * 3 + c] = (uint8_t)v;
            }
    return rc;
}

static void make_objects(float w, float h)
{
    for (uint32_t i = 0; i < OBJECTS; i++) {
        float x = (float)(i % 5) / 5 * w, y = (float)(i / 5) / 4 * h, x1 = x + w / 6,
              y1 = y + h / 6;
        float corners[8] = {x, y, x1, y, x1, y1, x, y1};
        memcpy(outlines[i], corners, sizeof corners);
        boxes[i] = (struct net_box){0, x, y, x1, y1};
        shapes[i] = (struct sample_shape){0, 4, outlines[i], false};
    }
}

static enum rc put(const char *dir, uint64_t i, int32_t w, int32_t h, struct err *e)
{
    char path[600];
    struct image im = {0};
    struct buf b;
    enum rc rc = draw(i, w, h, &im, e);

    buf_init(&b, 64 << 20);
    if (!rc)
        rc = image_encode_jpeg(&im, 88, &b, e);
    image_done(&im);
    refs[i] = (struct sample_ref){.width = w,
                                  .height = h,
                                  .label = 0,
                                  .name = STR("made"),
                                  .boxes = boxes,
                                  .boxes_n = OBJECTS,
                                  .shapes = shapes,
                                  .shapes_n = OBJECTS};
    sha256_hex(buf_view(&b), refs[i].sha256);
    snprintf(path, sizeof path, "%s/%.2s", dir, refs[i].sha256);
    if (!rc)
        rc = os_mkdirs(path, 0700, e);
    snprintf(path, sizeof path, "%s/%.2s/%.64s", dir, refs[i].sha256, refs[i].sha256);
    if (!rc)
        rc = os_write_file_durable(path, buf_view(&b), 0600, e);
    buf_done(&b);
    return rc;
}

static void measure(struct loader_config *c, const char *what, bool train)
{
    const struct batch *b;
    struct loader *l;
    struct err e;
    double best = 0, cpu = 0;
    enum rc rc;

    c->train = train;
    if (loader_new(&l, c, &e))
        fail(&e);
    for (int64_t epoch = 0; epoch < 3; epoch++) {
        int64_t began = os_mono_ns();
        clock_t used = clock();
        rc = loader_start(l, epoch, &e);
        do
            rc = rc ? rc : loader_next(l, &b, &e);
        while (!rc && b);
        if (rc)
            fail(&e);
        double speed = (double)c->n * 1e9 / (double)(os_mono_ns() - began);
        double each = (double)(clock() - used) * 1000 / CLOCKS_PER_SEC / (double)c->n;
        best = speed > best ? speed : best;
        cpu = epoch == 0 || each < cpu ? each : cpu;
    }
    printf(
        "%-22s %dx%d -> %d, %u threads: %.0f pictures/s, %.2f ms of processor each (best of 3)\n",
        what, refs[0].width, refs[0].height, c->frame.size, c->threads, best, cpu);
    loader_free(l);
}

static int64_t option(int argc, char **argv, const char *name, int64_t dflt)
{
    int64_t v = dflt;

    for (int i = 1; i + 1 < argc; i += 2)
        if (strcmp(argv[i], name) == 0 && (!str_i64(str_of(argv[i + 1]), &v) || v < 1))
            fail(&(struct err){.text = "an option is not a positive number"});
    return v;
}

int main(int argc, char **argv)
{
    struct train_spec spec = {.crop = CROP_RESIZED,
                              .crop_scale_min = 0.35,
                              .flip = 0.5,
                              .brightness = 0.1,
                              .contrast = 0.1,
                              .saturation = 0.1,
                              .epochs = 100,
                              .mosaic = 1,
                              .scale = 0.5,
                              .translate = 0.1,
                              .hsv_h = 0.015,
                              .hsv_s = 0.7,
                              .hsv_v = 0.4};
    int64_t n = option(argc, argv, "--images", 256);
    char dir[64], id[OS_ID_TEXT];
    struct loader_config c = {.samples = refs, .classes = 1, .batch = BATCH, .blobs_dir = dir};
    struct err e;
    enum rc rc = RC_OK;

    c.n = (size_t)(n < IMAGES_MAX ? n : IMAGES_MAX);
    c.threads =
        (unsigned)option(argc, argv, "--threads", os_cpu_count()) % (LOADER_THREADS_MAX + 1);
    augment_setup(&spec, (int32_t)option(argc, argv, "--size", 224), &c.augment, &c.frame);
    os_id(id);
    snprintf(dir, sizeof dir, "/tmp/anneal-feed-%s", id);
    for (size_t i = 0; !rc && i < c.n; i++)
        rc = put(dir, i, (int32_t)option(argc, argv, "--width", 640),
                 (int32_t)option(argc, argv, "--height", 480), &e);
    if (rc)
        fail(&e);
    measure(&c, "classification", true);
    measure(&c, "evaluation", false);
    make_objects((float)refs[0].width, (float)refs[0].height);
    scene_setup(&spec, c.frame.size / 32 * 32, &c.scene, &c.frame);
    for (int cached = 0; cached < 2; cached++) {
        c.cache_bytes_max = cached ? (size_t)4 << 30 : 0;
        c.task = NET_DETECTION;
        measure(&c, cached ? "detection, cached" : "detection", true);
        c.task = NET_SEGMENTATION;
        measure(&c, cached ? "segmentation, cached" : "segmentation", true);
    }
    c.cache_bytes_max = 0;
    measure(&c, "its evaluation", false);
    if (os_remove_tree(dir, &e))
        fail(&e);
    return 0;
}
