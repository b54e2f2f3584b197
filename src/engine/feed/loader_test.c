/* loader_test.c - the same batches for any number of threads, and clear errors for what is damaged.
 */
#include "base/test.h"
#include "engine/feed/loader.c"
#include "engine/feed/samples.c"

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
        hasher_add(&h, b->x, (size_t)b->n * row_floats(l) * sizeof *b->x);
        hasher_add(&h, b->target.rows, (size_t)b->n * CLASSES * sizeof *b->target.rows);
        hasher_add(&h, b->index, (size_t)b->n * sizeof *b->index);
    }
    CHECK_EQ(n, loader_batches(l));
    hasher_final(&h, d);
    hex_of(d, sizeof d, hex);
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
    struct loader_config c = config_of(make_set(), 16);
    struct err e;

    c.n = 10;
    for (long n = 0;; n++) {
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
        if (!fired) {
            CHECK_OK(rc, &e);
            break;
        }
        CHECK(rc != RC_OK);
    }
}

/* ---- manifests */

static const char *manifest_of(const char *text)
{
    static char path[600];
    struct err e;
    snprintf(path, sizeof path, "%s/manifest.jsonl", test_dir());
    CHECK_OK(os_write_file_durable(path, str_of(text), 0600, &e), &e);
    return path;
}

/* clang-format off */
#define HEAD(images, train, val)                                                                   \
    "{\"anneal_dataset\":1,\"task\":\"classification\",\"classes\":[\"cat\",\"dog\"],"             \
    "\"images\":" images ",\"splits\":{\"train\":" train ",\"val\":" val ",\"test\":0}}\n"
#define LINE(name, split, w, h, label)                                                             \
    "{\"sha256\":\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\","            \
    "\"bytes\":8,\"width\":" w ",\"height\":" h ",\"type\":\"jpeg\",\"name\":\"" name "\","        \
    "\"split\":\"" split "\",\"label\":" label "}\n"
/* clang-format on */

TEST(a_manifest_is_read_by_split)
{
    struct samples s;
    struct arena a;
    struct err e;

    arena_init(&a, 1 << 20);
    CHECK_OK(samples_read(manifest_of(HEAD("3", "2", "1") LINE("a", "train", "10", "90", "0") LINE(
                              "b", "train", "30", "20", "1") LINE("c", "val", "5", "5", "1")),
                          &a, &s, &e),
             &e);
    CHECK(s.n[SPLIT_TRAIN] == 2 && s.n[SPLIT_VAL] == 1 && s.n[SPLIT_TEST] == 0);
    CHECK_STR(s.of[SPLIT_TRAIN][1].name, "b");
    CHECK(s.of[SPLIT_TRAIN][1].label == 1 && s.of[SPLIT_VAL][0].width == 5);
    CHECK_EQ(samples_median_side(s.of[SPLIT_TRAIN], 2, &a), 20);
    CHECK_EQ(samples_median_side(s.of[SPLIT_TEST], 0, &a), 0);
    arena_done(&a);
}

TEST(a_manifest_that_contradicts_itself_is_refused)
{
    static const struct {
        const char *text, *part;
    } bad[] = {
        {"", "empty"},
        {HEAD("1", "1", "0"), "header states 1"},
        {HEAD("1", "1", "0") LINE("a", "train", "1", "1", "0") LINE("b", "train", "1", "1", "0"),
         "line 3"},
        {HEAD("1", "5000000000", "0"), "line 1"},
        {HEAD("1", "1", "0") "{\"sha256\":1}\n", "line 2"},
        {HEAD("1", "1", "0") "{\"sha", "inside line 2"},
        {"nonsense\n", "line 1"},
    };
    struct samples s;
    struct arena a;
    struct err e;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        arena_init(&a, 1 << 20);
        enum rc rc = samples_read(manifest_of(bad[i].text), &a, &s, &e);
        if (!rc || !strstr(e.text, bad[i].part))
            test_fail(__FILE__, __LINE__, "%zu: %s '%s'", i, rc_name(rc), e.text);
        arena_done(&a);
    }
    arena_init(&a, 1 << 20);
    CHECK_EQ(samples_read("/nonexistent/manifest.jsonl", &a, &s, &e), RC_NOT_FOUND);
    arena_done(&a);
}
