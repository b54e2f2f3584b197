/* sample_test.c - the samples are reproducible, import without a fault, and refuse to overwrite. */
#include "lab/vision/sample.c"

#include "base/arena.h"
#include "base/test.h"
#include "flow/dataset/testing.h"
#include "os/os.h"

static struct arena a;
static struct err e;

static struct sample_done make(enum sample_kind kind, const char *name, struct sample_spec s)
{
    struct sample_done done = {0};

    s.kind = kind;
    s.zip = true;
    s.dir = arena_printf(&a, "%s/%s.zip", test_dir(), name);
    CHECK_OK(sample_make(&s, NULL, NULL, &done, &e), &e);
    return done;
}

static str archive(const char *name)
{
    str text;

    CHECK_OK(os_read_file(&a, arena_printf(&a, "%s/%s.zip", test_dir(), name), 64 << 20, &text, &e),
             &e);
    return text;
}

static const struct sample_spec small[] = {{.count = 72, .size = 32, .seed = 5},
                                           {.count = 10, .size = 96, .seed = 5},
                                           {.count = 5, .size = 320, .seed = 5}};

TEST(the_same_seed_gives_the_same_bytes_and_another_others)
{
    arena_init(&a, 256 << 20);
    for (int k = SAMPLE_GLYPHS; k <= SAMPLE_RECEIPTS; k++) {
        struct sample_spec other = small[k];
        const char *one = arena_printf(&a, "one%d", k), *two = arena_printf(&a, "two%d", k),
                   *three = arena_printf(&a, "three%d", k);

        other.seed = 6;
        make((enum sample_kind)k, one, small[k]);
        make((enum sample_kind)k, two, small[k]);
        make((enum sample_kind)k, three, other);
        CHECK(archive(one).n > 1000);
        CHECK(str_eq(archive(one), archive(two)));
        CHECK(!str_eq(archive(one), archive(three)));
    }
    arena_done(&a);
}

static void imports_cleanly(enum sample_kind kind, enum sample_layout layout,
                            enum dataset_format format, enum task task)
{
    static const struct pack_limits lim = {.bytes_max = 1 << 30, .entries_max = 100000};
    struct sample_spec s = small[kind];
    struct testing_import t;
    struct sample_done done;

    arena_init(&a, 256 << 20);
    s.layout = layout;
    s.count = kind == SAMPLE_GLYPHS ? 36 * 5 : s.count;
    done = make(kind, "x", s);
    CHECK_EQ(done.images, s.count);
    CHECK(done.val > 0 && done.val * 4 <= done.train);
    testing_import(&t, archive("x"), &lim, &(struct split_spec){.method = SPLIT_GIVEN});
    CHECK_OK(t.rc, &t.err);
    CHECK_EQ(t.harvest.format, format);
    CHECK_EQ(t.harvest.task, task);
    CHECK_EQ(t.harvest.pictures.n, s.count);
    for (size_t i = 0; i < t.harvest.faults.list.n; i++) { /* advice alone: so few are not enough */
        const struct fault *f = &t.harvest.faults.list.p[i];

        if (f->code != FAULT_CODE_FEW_SAMPLES && f->code != FAULT_CODE_EMPTY_CLASS &&
            f->code != FAULT_CODE_CLASS_IMBALANCE)
            test_fail(__FILE__, __LINE__, "%.*s:%d: %.*s", STR_F(f->file), f->line,
                      STR_F(f->message));
    }
    testing_import_done(&t);
    arena_done(&a);
}

TEST(glyphs_import_as_an_image_folder)
{
    imports_cleanly(SAMPLE_GLYPHS, SAMPLE_YOLO, FORMAT_FOLDER, TASK_CLASSIFICATION);
}

TEST(shapes_import_as_yolo)
{
    imports_cleanly(SAMPLE_SHAPES, SAMPLE_YOLO, FORMAT_YOLO, TASK_DETECTION);
}

TEST(shapes_import_as_pascal_voc)
{
    imports_cleanly(SAMPLE_SHAPES, SAMPLE_VOC, FORMAT_VOC, TASK_DETECTION);
}

TEST(receipts_import_as_icdar)
{
    imports_cleanly(SAMPLE_RECEIPTS, SAMPLE_YOLO, FORMAT_ICDAR, TASK_TEXT);
}

TEST(a_target_that_exists_is_not_touched)
{
    struct sample_spec s = {.kind = SAMPLE_SHAPES, .count = 1, .size = 32};
    struct sample_done done;
    str text;

    arena_init(&a, 1 << 20);
    s.dir = arena_printf(&a, "%s/full", test_dir());
    CHECK_OK(os_mkdirs(s.dir, 0755, &e), &e);
    CHECK_OK(os_write_file_durable(arena_printf(&a, "%s/mine", s.dir), STR("mine"), 0644, &e), &e);
    CHECK_EQ(sample_make(&s, NULL, NULL, &done, &e), RC_CONFLICT);
    s.zip = true;
    s.dir = arena_printf(&a, "%s/mine", s.dir);
    CHECK_EQ(sample_make(&s, NULL, NULL, &done, &e), RC_CONFLICT);
    CHECK_OK(os_read_file(&a, s.dir, 100, &text, &e), &e);
    CHECK_STR(text, "mine");
    arena_done(&a);
}

static enum rc stop(void *ud, int64_t done, int64_t total, struct err *er)
{
    return err_set(er, RC_CANCELLED, "enough");
}

TEST(an_archive_that_is_not_finished_is_removed)
{
    struct sample_spec s = {.kind = SAMPLE_SHAPES, .count = 3, .size = 32, .zip = true};
    struct sample_done done;

    arena_init(&a, 1 << 20);
    s.dir = arena_printf(&a, "%s/half.zip", test_dir());
    CHECK_EQ(sample_make(&s, stop, NULL, &done, &e), RC_CANCELLED);
    CHECK(!os_exists(s.dir));
    arena_done(&a);
}

TEST(limits_name_the_field)
{
    struct sample_spec s = {.kind = SAMPLE_RECEIPTS, .count = 1, .size = 64};
    struct sample_done done;

    arena_init(&a, 1 << 20);
    s.dir = arena_printf(&a, "%s/none", test_dir());
    CHECK_EQ(sample_make(&s, NULL, NULL, &done, &e), RC_INVALID);
    CHECK_STR(str_of(e.field), "size");
    s.size = 0;
    s.count = -1;
    CHECK_EQ(sample_make(&s, NULL, NULL, &done, &e), RC_INVALID);
    CHECK_STR(str_of(e.field), "count");
    CHECK(!os_exists(s.dir));
    arena_done(&a);
}
