/* loader_test.c - the same batches for any number of threads, and clear errors for what is damaged.
 */
#include "base/test.h"
#include "engine/feed/loader.c"

#include <math.h>

enum { N = 53, CLASSES = 3 };

static struct sample_ref refs[N];
static char names[N][16];

/* N small pictures under test_dir()/blobs. */
static const char *make_set(void)
{
    static char dir[600];
    struct err e;

    snprintf(dir, sizeof dir, "%s/blobs", test_dir());
    for (uint32_t i = 0; i < N; i++) {
        char path[800];
        struct image im;
        struct buf b;
        int32_t w = 20 + (int32_t)(i % 7), h = 16 + (int32_t)(i % 5);
        CHECK_OK(image_alloc(w, h, &im, &e), &e);
        for (int32_t k = 0; k < w * h * 3; k++)
            im.rgb[k] = (uint8_t)rand_at(i, (uint64_t)k, 0, 0);
        buf_init(&b, 1 << 20);
        CHECK_OK(i % 2 ? image_encode_png(&im, &b, &e) : image_encode_jpeg(&im, 85, &b, &e), &e);
        snprintf(names[i], sizeof names[i], "p%u", i);
        refs[i] = (struct sample_ref){
            .width = w, .height = h, .label = (int32_t)(i % CLASSES), .name = str_of(names[i])};
        sha256_hex(buf_view(&b), refs[i].sha256);
        snprintf(path, sizeof path, "%s/%.2s", dir, refs[i].sha256);
        CHECK_OK(os_mkdirs(path, 0700, &e), &e);
        snprintf(path, sizeof path, "%s/%.2s/%s", dir, refs[i].sha256, refs[i].sha256);
        CHECK_OK(os_write_file_durable(path, buf_view(&b), 0600, &e), &e);
        image_done(&im);
        buf_done(&b);
    }
    return dir;
}

/* Boxes and outlines for the same pictures: some have none, some have parts. */
static void add_objects(void)
{
    static struct net_box boxes[N][4];
    static struct sample_shape shapes[N][4];
    static float xy[N][4][8];

    for (uint32_t i = 0; i < N; i++) {
        refs[i].boxes = boxes[i];
        refs[i].shapes = shapes[i];
        refs[i].boxes_n = refs[i].shapes_n = i % 5;
        for (uint32_t k = 0; k < i % 5; k++) {
            float x = (float)(rand_at(i, k, 0, 1) % 12), y = (float)(rand_at(i, k, 1, 1) % 10);
            float side = 3 + (float)(rand_at(i, k, 2, 1) % 8);
            float corners[8] = {x, y, x + side, y, x + side, y + side / 2, x, y + side};
            memcpy(xy[i][k], corners, sizeof corners);
            boxes[i][k] = (struct net_box){(int32_t)(k % CLASSES), x, y, x + side, y + side};
            shapes[i][k] =
                (struct sample_shape){boxes[i][k].cls, 4, xy[i][k], k == 2 && i % 5 == 4};
        }
    }
}

static struct loader_config config_of(const char *dir, int32_t size)
{
    struct train_spec s = {.crop = CROP_AUTO,
                           .crop_padding = 2,
                           .crop_scale_min = 0.35,
                           .flip = 0.5,
                           .brightness = 0.2,
                           .hue = 0.1,
                           .mixup = 0.4};
    struct loader_config c = {.samples = refs,
                              .n = N,
                              .blobs_dir = dir,
                              .classes = CLASSES,
                              .batch = 8,
                              .threads = 1,
                              .train = true,
                              .label_smoothing = 0.1,
                              .seed = 11};
    augment_setup(&s, size, &c.augment, &c.frame);
    return c;
}

static struct loader_config scene_config(const char *dir, enum net_task task)
{
    struct train_spec s = {.epochs = 3,
                           .close_mosaic = 1,
                           .mosaic = 0.6,
                           .mixup = 8,
                           .mixup_probability = 0.4,
                           .rotate = 10,
                           .translate = 0.1,
                           .scale = 0.4,
                           .flip = 0.5,
                           .hsv_h = 0.02,
                           .hsv_s = 0.5,
                           .hsv_v = 0.3,
                           .multi_scale = 0.5};
    struct loader_config c = {.samples = refs,
                              .n = N,
                              .blobs_dir = dir,
                              .task = task,
                              .classes = CLASSES + (task == NET_SEMANTIC),
                              .semantic = {0, 1},
                              .batch = 8,
                              .threads = 1,
                              .train = true,
                              .seed = 11};
    scene_setup(&s, 64, &c.scene, &c.frame);
    return c;
}

static void check_targets(const struct batch *b, enum net_task task, struct hasher *h)
{
    const struct net_target *t = &b->target;
    size_t n = (size_t)b->n, side = (size_t)b->size, small = side / NET_MASK_STRIDE;

    CHECK((t->boxes || !t->first || !t->first[n]) && !t->rows);
    CHECK(!t->instances == (task != NET_SEGMENTATION) && !t->labels == (task != NET_SEMANTIC));
    CHECK(!t->first == (task == NET_SEMANTIC));
    for (size_t i = 0; t->first && i < n; i++) {
        size_t count = (size_t)(t->first[i + 1] - t->first[i]);
        hasher_add(h, &count, sizeof count);
        for (size_t k = 0; k < count; k++) {
            const struct net_box *box = &t->boxes[(size_t)t->first[i] + k];
            CHECK(box->x0 >= 0 && box->y0 >= 0 && box->x1 <= (float)side && box->y1 <= (float)side);
            CHECK(box->x0 < box->x1 && box->y0 < box->y1 && box->cls >= 0 && box->cls < CLASSES);
            hasher_add(h, box, sizeof *box);
        }
        for (size_t p = 0; t->instances && p < small * small; p++)
            CHECK(t->instances[i * small * small + p] <= count);
    }
    for (size_t p = 0; t->labels && p < n * side * side; p++)
        CHECK(t->labels[p] <= CLASSES || t->labels[p] == NET_LABEL_IGNORE);
    if (t->instances)
        hasher_add(h, t->instances, n * small * small * sizeof *t->instances);
    if (t->labels)
        hasher_add(h, t->labels, n * side * side);
}

static void digest_of(struct loader *l, int64_t epoch, char hex[SHA256_HEX + 1])
{
    const struct batch *b;
    struct hasher h;
    uint8_t d[SHA256_BYTES];
    struct err e;
    int64_t n = 0;

    CHECK_OK(sha256_init(&h, &e), &e);
    CHECK_OK(loader_start(l, epoch, &e), &e);
    for (;; n++) {
        CHECK_OK(loader_next(l, &b, &e), &e);
        if (!b)
            break;
        hasher_add(&h, b->x, (size_t)b->n * row_floats(b->size) * sizeof *b->x);
        hasher_add(&h, b->index, (size_t)b->n * sizeof *b->index);
        if (l->c.task != NET_CLASSIFICATION)
            check_targets(b, l->c.task, &h);
        else
            hasher_add(&h, b->target.rows, (size_t)b->n * CLASSES * sizeof *b->target.rows);
    }
    CHECK_EQ(n, loader_batches(l));
    hasher_final(&h, d);
    hex_of(d, sizeof d, hex);
}

TEST(objects_come_the_same_with_any_threads_and_cache)
{
    static const struct {
        unsigned threads;
        size_t cache;
    } ways[] = {{1, 0}, {2, 0}, {3, 0}, {1, 1 << 20}, {2, 1 << 20}, {3, 1 << 20}};
    const char *dir = make_set();

    add_objects();
    for (int task = NET_DETECTION; task < NET_TASKS; task++) {
        char first[3][SHA256_HEX + 1], hex[SHA256_HEX + 1];
        for (size_t w = 0; w < sizeof ways / sizeof *ways; w++) {
            struct loader_config c = scene_config(dir, (enum net_task)task);
            struct loader *l;
            struct err e;
            c.threads = ways[w].threads;
            c.cache_bytes_max = ways[w].cache;
            CHECK_OK(loader_new(&l, &c, &e), &e);
            CHECK_EQ(loader_is_cached(l), ways[w].cache > 0);
            CHECK_EQ(loader_size_max(l), 96);
            for (int64_t epoch = 0; epoch < 3; epoch++) { /* the last without mosaic */
                digest_of(l, epoch, w ? hex : first[epoch]);
                if (w)
                    CHECK_STR(str_of(hex), first[epoch]);
            }
            digest_of(l, 1, hex);
            CHECK_STR(str_of(hex), first[1]);
            loader_free(l);
        }
        CHECK(strcmp(first[0], first[1]) != 0 && strcmp(first[1], first[2]) != 0);
    }
}

TEST(evaluation_keeps_every_object_and_knows_the_way_back)
{
    const char *dir = make_set();

    add_objects();
    for (int task = NET_DETECTION; task <= NET_SEGMENTATION; task++) {
        struct loader_config c = scene_config(dir, (enum net_task)task);
        const struct batch *b;
        struct loader *l;
        struct err e;
        uint32_t at = 0;

        c.train = false;
        c.frame.size = c.frame.work_side = 16; /* smaller than the pictures */
        CHECK_OK(loader_new(&l, &c, &e), &e);
        CHECK_OK(loader_start(l, 0, &e), &e);
        for (;;) {
            CHECK_OK(loader_next(l, &b, &e), &e);
            if (!b)
                break;
            CHECK(b->size == 16 && b->map);
            for (int32_t i = 0; i < b->n; i++, at++) {
                int32_t count = b->target.first[i + 1] - b->target.first[i];
                bool parts = task == NET_SEGMENTATION && at % 5 == 4;
                CHECK_EQ(b->index[i], at);
                CHECK_EQ(count, (int32_t)refs[at].boxes_n - parts);
                CHECK(b->map[i].width == refs[at].width && b->map[i].height == refs[at].height);
                for (int32_t k = 0; k < count && !parts; k++) {
                    struct net_box want = refs[at].boxes[k];
                    struct net_box got =
                        frame_map_back(&b->map[i], b->target.boxes[b->target.first[i] + k]);
                    float right = want.x1 < (float)refs[at].width ? want.x1 : (float)refs[at].width;
                    CHECK(got.cls == want.cls);
                    CHECK(fabsf(got.x0 - want.x0) < 1e-3f && fabsf(got.y0 - want.y0) < 1e-3f);
                    CHECK(fabsf(got.x1 - right) < 1e-3f);
                }
            }
        }
        CHECK_EQ(at, N);
        loader_free(l);
    }
}

TEST(what_cannot_teach_a_task_is_refused)
{
    struct loader_config c = scene_config(make_set(), NET_DETECTION);
    struct loader *l = NULL;
    struct err e;

    CHECK_EQ(loader_new(&l, &c, &e), RC_INVALID); /* pictures alone */
    CHECK(strstr(e.text, "box"));
    add_objects();
    for (int i = 0; i < N; i++)
        refs[i].shapes_n = 0;
    CHECK_OK(loader_new(&l, &c, &e), &e);
    loader_free(l);
    l = NULL;
    c.task = NET_SEGMENTATION;
    CHECK_EQ(loader_new(&l, &c, &e), RC_INVALID);
    CHECK(strstr(e.text, "boxes are no masks") && !l);
    add_objects();
    c.task = NET_SEMANTIC; /* one class short: the background */
    c.classes = CLASSES;
    CHECK_EQ(loader_new(&l, &c, &e), RC_INVALID);
    CHECK(strstr(e.text, "class"));
}

TEST(a_picture_of_another_size_than_the_manifest_says_is_named)
{
    struct loader_config c = config_of(make_set(), 16);
    struct loader *l;
    const struct batch *b;
    struct err e;
    enum rc rc;

    refs[3].width++;
    CHECK_OK(loader_new(&l, &c, &e), &e);
    CHECK_OK(loader_start(l, 0, &e), &e);
    do
        rc = loader_next(l, &b, &e);
    while (!rc && b);
    CHECK_EQ(rc, RC_CORRUPT);
    CHECK(strstr(e.text, "'p3'") && strstr(e.text, "manifest says"));
    loader_free(l);
}

TEST(threads_and_cache_and_history_change_nothing)
{
    static const struct {
        unsigned threads;
        size_t cache;
    } ways[] = {{1, 0}, {2, 0}, {4, 0}, {1, 1 << 20}, {4, 1 << 20}};
    const char *dir = make_set();

    for (int large = 0; large < 2; large++) {
        char first[2][SHA256_HEX + 1], hex[SHA256_HEX + 1];
        for (size_t w = 0; w < sizeof ways / sizeof *ways; w++) {
            struct loader_config c = config_of(dir, large ? 96 : 16);
            struct loader *l;
            struct err e;
            c.threads = ways[w].threads;
            c.cache_bytes_max = ways[w].cache;
            CHECK_OK(loader_new(&l, &c, &e), &e);
            CHECK_EQ(loader_is_cached(l), ways[w].cache > 0);
            for (int64_t epoch = 0; epoch < 2; epoch++) {
                digest_of(l, epoch, w ? hex : first[epoch]);
                if (w)
                    CHECK_STR(str_of(hex), first[epoch]);
            }
            digest_of(l, 0, hex); /* again, after another epoch */
            CHECK_STR(str_of(hex), first[0]);
            loader_free(l);
        }
        CHECK(strcmp(first[0], first[1]) != 0);
    }
}

TEST(an_epoch_holds_every_sample_once_and_targets_sum_to_one)
{
    struct loader_config c = config_of(make_set(), 16);
    const struct batch *b;
    struct loader *l;
    uint8_t seen[N] = {0};
    struct err e;

    c.threads = 2;
    CHECK_OK(loader_new(&l, &c, &e), &e);
    CHECK_OK(loader_start(l, 3, &e), &e);
    for (;;) {
        CHECK_OK(loader_next(l, &b, &e), &e);
        if (!b)
            break;
        for (int32_t i = 0; i < b->n; i++) {
            float sum = 0;
            CHECK(!seen[b->index[i]]++);
            for (int k = 0; k < CLASSES; k++)
                sum += b->target.rows[i * CLASSES + k];
            CHECK(sum > 0.9999f && sum < 1.0001f);
        }
    }
    for (int i = 0; i < N; i++)
        CHECK_EQ(seen[i], 1);
    loader_free(l);
}

TEST(evaluation_is_in_order_and_one_hot)
{
    struct loader_config c = config_of(make_set(), 16);
    const struct batch *b;
    struct loader *l;
    struct err e;
    uint32_t at = 0;

    c.train = false;
    CHECK_OK(loader_new(&l, &c, &e), &e);
    CHECK_OK(loader_start(l, 0, &e), &e);
    for (;;) {
        CHECK_OK(loader_next(l, &b, &e), &e);
        if (!b)
            break;
        for (int32_t i = 0; i < b->n; i++, at++) {
            CHECK_EQ(b->index[i], at);
            for (int k = 0; k < CLASSES; k++)
                CHECK(b->target.rows[i * CLASSES + k] == (k == refs[at].label ? 1.0f : 0.0f));
        }
    }
    CHECK_EQ(at, N);
    loader_free(l);
}

TEST(a_last_batch_of_one_is_left_out_of_training_only)
{
    struct loader_config c = config_of(make_set(), 16);
    struct loader *l;
    struct err e;

    c.batch = 13; /* 53 = 4 * 13 + 1 */
    CHECK_OK(loader_new(&l, &c, &e), &e);
    CHECK_EQ(loader_batches(l), 4);
    loader_free(l);
    c.train = false;
    CHECK_OK(loader_new(&l, &c, &e), &e);
    CHECK_EQ(loader_batches(l), 5);
    loader_free(l);
    c.train = true;
    c.n = 1;
    CHECK_OK(loader_new(&l, &c, &e), &e);
    CHECK_EQ(loader_batches(l), 1);
    loader_free(l);
}

TEST(leaving_an_epoch_early_is_fine)
{
    struct loader_config c = config_of(make_set(), 96);
    const struct batch *b;
    struct loader *l;
    struct err e;
    char one[SHA256_HEX + 1], two[SHA256_HEX + 1];

    c.threads = 4;
    CHECK_OK(loader_new(&l, &c, &e), &e);
    digest_of(l, 1, one);
    CHECK_OK(loader_start(l, 0, &e), &e);
    CHECK_OK(loader_next(l, &b, &e), &e);
    digest_of(l, 1, two);
    CHECK_STR(str_of(one), two);
    CHECK_OK(loader_start(l, 0, &e), &e);
    CHECK_OK(loader_next(l, &b, &e), &e);
    loader_free(l); /* with batches under way */
}

static enum rc first_error(struct loader_config *c, struct err *e)
{
    const struct batch *b;
    struct loader *l;
    enum rc rc;

    c->train = false;
    CHECK_OK(loader_new(&l, c, e), e);
    CHECK_OK(loader_start(l, 0, e), e);
    do
        rc = loader_next(l, &b, e);
    while (!rc && b);
    loader_free(l);
    return rc;
}

TEST(a_missing_and_a_damaged_picture_are_named)
{
    const char *dir = make_set();
    struct loader_config c = config_of(dir, 16);
    struct sample_ref text = refs[20];
    char path[800];
    struct err e;

    snprintf(path, sizeof path, "%s/%.2s/%s", dir, refs[20].sha256, refs[20].sha256);
    CHECK_OK(os_write_file_durable(path, STR("not the picture"), 0600, &e), &e);
    CHECK_EQ(first_error(&c, &e), RC_CORRUPT);
    CHECK(strstr(e.text, "'p20'") && strstr(e.text, "SHA-256"));
    sha256_hex(STR("not the picture"), refs[20].sha256); /* stored so, but no picture */
    snprintf(path, sizeof path, "%s/%.2s", dir, refs[20].sha256);
    CHECK_OK(os_mkdirs(path, 0700, &e), &e);
    snprintf(path, sizeof path, "%s/%.2s/%s", dir, refs[20].sha256, refs[20].sha256);
    CHECK_OK(os_write_file_durable(path, STR("not the picture"), 0600, &e), &e);
    CHECK_EQ(first_error(&c, &e), RC_UNSUPPORTED);
    CHECK(strstr(e.text, "'p20'") && strstr(e.text, "not a JPEG"));
    refs[20] = text;
    memset(refs[30].sha256, 'a', SHA256_HEX);
    memset(refs[20].sha256, 'b', SHA256_HEX);
    CHECK_EQ(first_error(&c, &e), RC_NOT_FOUND);
    CHECK(strstr(e.text, "'p20'"));
}

TEST(no_samples_and_foreign_labels_are_refused)
{
    struct loader_config c = config_of(make_set(), 16);
    struct loader *l = NULL;
    struct err e;

    refs[9].label = CLASSES;
    CHECK_EQ(loader_new(&l, &c, &e), RC_INVALID);
    CHECK(strstr(e.text, "'p9'") && !l);
    c.n = 0;
    CHECK_EQ(loader_new(&l, &c, &e), RC_INVALID);
}

TEST(each_failing_allocation_is_reported_and_nothing_leaks)
{
    const char *dir = make_set();
    struct loader_config c;
    struct err e;

    add_objects();
    for (long n = 0, task = 0; task < NET_TASKS; n++) {
        c = task ? scene_config(dir, (enum net_task)task) : config_of(dir, 16);
        c.cache_bytes_max = task % 2 ? 1 << 20 : 0;
        c.n = 10;
        size_t before = mem_live_bytes();
        const struct batch *b;
        struct loader *l = NULL;
        mem_fail_at(n);
        enum rc rc = loader_new(&l, &c, &e);
        if (!rc)
            rc = loader_start(l, 0, &e);
        do
            rc = rc ? rc : loader_next(l, &b, &e);
        while (!rc && b);
        loader_free(l);
        bool fired = mem_fail_disarm();
        CHECK_EQ(mem_live_bytes(), before);
        if (!fired) { /* the next task from the start */
            CHECK_OK(rc, &e);
            task++;
            n = -1;
            continue;
        }
        CHECK(rc != RC_OK);
    }
}
