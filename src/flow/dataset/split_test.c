/* split_test.c - splits: stratified, the same for the same seed, explicit, and never a leak. */
#include "base/test.h"
#include "flow/dataset/split.c"

enum { N = 300 };
static struct split_item items[N];
static char hashes[N][SHA256_HEX + 1], names[N][24];
static struct arena arena;
static struct faults faults;
static struct err err;

static const struct split_spec ratio = {SPLIT_RATIO, 0.7, 0.2, 0.1, 7};

/* Three classes of 200, 90 and 10. */
static void set_up(void)
{
    arena_init(&arena, 16 << 20);
    faults_init(&faults, &arena);
    for (int i = 0; i < N; i++) {
        snprintf(names[i], sizeof names[i], "%04d.png", i);
        sha256_hex(str_of(names[i]), hashes[i]);
        items[i] = (struct split_item){hashes[i], str_of(names[i]),
                                       i < 200   ? 0
                                       : i < 290 ? 1
                                                 : 2,
                                       SPLIT_NONE, false};
    }
}

static void tear_down(void)
{
    faults_done(&faults);
    arena_done(&arena);
}

static int count(int stratum, enum split s)
{
    int n = 0;
    for (int i = 0; i < N; i++)
        n += (stratum < 0 || items[i].stratum == stratum) && items[i].split == s;
    return n;
}

TEST(a_ratio_divides_each_class_on_its_own)
{
    set_up();
    CHECK_OK(split_apply(&ratio, items, N, false, &faults, &err), &err);
    CHECK_EQ(count(0, SPLIT_TRAIN), 140);
    CHECK_EQ(count(0, SPLIT_VAL), 40);
    CHECK_EQ(count(0, SPLIT_TEST), 20);
    CHECK_EQ(count(1, SPLIT_TRAIN), 63);
    CHECK_EQ(count(2, SPLIT_VAL), 2);
    CHECK_EQ(count(2, SPLIT_TEST), 1);
    CHECK_EQ(count(-1, SPLIT_NONE), 0);
    tear_down();
}

TEST(order_does_not_matter_and_the_seed_does)
{
    enum split first[N];
    struct split_spec other = ratio;
    int moved = 0;

    set_up();
    CHECK_OK(split_apply(&ratio, items, N, false, &faults, &err), &err);
    for (int i = 0; i < N; i++)
        first[i] = items[i].split;
    for (int i = 0; i < N / 2; i++) {
        struct split_item t = items[i];
        items[i] = items[N - 1 - i];
        items[N - 1 - i] = t;
    }
    CHECK_OK(split_apply(&ratio, items, N, false, &faults, &err), &err);
    for (int i = 0; i < N; i++)
        CHECK_EQ(items[i].split, first[N - 1 - i]);
    other.seed = 8;
    CHECK_OK(split_apply(&other, items, N, false, &faults, &err), &err);
    for (int i = 0; i < N; i++)
        moved += items[i].split != first[N - 1 - i];
    CHECK(moved > 50);
    tear_down();
}

TEST(adding_pictures_moves_few_others)
{
    enum split first[N];
    int moved = 0;

    set_up();
    CHECK_OK(split_apply(&ratio, items, N - 20, false, &faults, &err), &err);
    for (int i = 0; i < N; i++)
        first[i] = items[i].split;
    CHECK_OK(split_apply(&ratio, items, N, false, &faults, &err), &err);
    for (int i = 0; i < N - 20; i++)
        moved += items[i].split != first[i];
    CHECK(moved <= 20);
    tear_down();
}

TEST(equal_content_is_never_divided)
{
    set_up();
    for (int i = 0; i < 200; i++) /* forty groups of five */
        items[i].sha256 = hashes[i % 40];
    CHECK_OK(split_apply(&ratio, items, N, false, &faults, &err), &err);
    for (int i = 40; i < 200; i++)
        CHECK_EQ(items[i].split, items[i % 40].split);
    CHECK(count(0, SPLIT_VAL) >= 40 && count(0, SPLIT_TRAIN) >= 100);
    tear_down();
}

TEST(tiny_classes_keep_a_training_picture)
{
    struct split_spec half = {SPLIT_RATIO, 0.5, 0.5, 0, 1};

    set_up();
    for (int n = 1; n <= 5; n++) {
        CHECK_OK(split_apply(&half, items, (size_t)n, false, &faults, &err), &err);
        CHECK(items[0].split == SPLIT_TRAIN || n > 1);
        int train = 0, val = 0;
        for (int i = 0; i < n; i++) {
            train += items[i].split == SPLIT_TRAIN;
            val += items[i].split == SPLIT_VAL;
        }
        CHECK(train >= 1);
        CHECK(n < 2 || val >= 1);
        CHECK_EQ(train + val, n);
    }
    tear_down();
}

TEST(auto_takes_val_from_train_and_leaves_test_alone)
{
    struct split_spec s = {SPLIT_AUTO, 0.8, 0.2, 0, 42};

    set_up();
    for (int i = 0; i < N; i++)
        items[i].split = i % 3 ? SPLIT_TRAIN : SPLIT_TEST;
    CHECK_OK(split_apply(&s, items, N, true, &faults, &err), &err);
    for (int i = 0; i < N; i++)
        CHECK((items[i].split == SPLIT_TEST) == (i % 3 == 0));
    CHECK_EQ(count(-1, SPLIT_VAL), 40);
    s.method = SPLIT_GIVEN;
    for (int i = 0; i < N; i++)
        items[i].split = i % 3 ? SPLIT_TRAIN : SPLIT_TEST;
    CHECK_OK(split_apply(&s, items, N, true, &faults, &err), &err);
    CHECK_EQ(count(-1, SPLIT_VAL), 0);
    CHECK_EQ(split_apply(&s, items, N, false, &faults, &err), RC_CORRUPT);
    tear_down();
}

TEST(moves_touch_only_what_they_name)
{
    str train[] = {STR("0001.png"), STR("0005.png")}, none[] = {STR("0002.png")};
    struct split_spec s = {
        SPLIT_MOVES, 0.8, 0.2, 0, 42, .train_files = {train, 2}, .none_files = {none, 1}};

    set_up();
    for (int i = 0; i < N; i++)
        items[i].split = i % 3 ? SPLIT_TRAIN : SPLIT_TEST;
    items[5].unlabelled = true;
    CHECK_OK(split_spec_check(&s, &err), &err);
    CHECK_OK(split_apply(&s, items, N, true, &faults, &err), &err);
    CHECK_EQ(items[1].split, SPLIT_TRAIN);
    CHECK_EQ(items[2].split, SPLIT_NONE);
    CHECK_EQ(items[3].split, SPLIT_TEST);
    CHECK_EQ(items[5].split, SPLIT_NONE); /* nobody trains on what has no labels */
    CHECK_EQ(faults.counts[FAULT_CODE_MISSING_ANNOTATION], 1);
    s.train_files = s.none_files = (struct strs){0};
    CHECK_EQ(split_spec_check(&s, &err), RC_INVALID);
    tear_down();
}

TEST(fill_places_the_labelled_and_leaves_the_rest)
{
    struct split_spec s = {SPLIT_FILL, 0.75, 0.25, 0, 42};

    set_up();
    for (int i = 0; i < N; i++) {
        items[i].split = i < 100 ? SPLIT_TEST : SPLIT_NONE;
        items[i].unlabelled = i >= 140;
    }
    CHECK_OK(split_apply(&s, items, N, true, &faults, &err), &err);
    CHECK_EQ(count(-1, SPLIT_TEST), 100);
    CHECK_EQ(count(-1, SPLIT_TRAIN), 30);
    CHECK_EQ(count(-1, SPLIT_VAL), 10);
    CHECK_EQ(count(-1, SPLIT_NONE), 160);
    s = ratio;
    CHECK_OK(split_apply(&s, items, N, true, &faults, &err), &err);
    CHECK_EQ(count(-1, SPLIT_NONE), 160); /* a ratio leaves them out, too */
    tear_down();
}

TEST(lists_and_exclusions_are_by_name)
{
    str train[] = {STR("0001.png"), STR("0002.png"), STR("nowhere.png")};
    str val[] = {STR("0003.png"), STR("0001.png")}, out[] = {STR("0002.png"), STR("gone.png")};
    struct split_spec s = {SPLIT_LISTS, 0.8, 0.2, 0, 42, {train, 3}, {val, 2}, {0}, {0}, {out, 2}};

    set_up();
    items[9].split = SPLIT_TEST; /* as given: lists replace it */
    CHECK_OK(split_apply(&s, items, N, true, &faults, &err), &err);
    CHECK_EQ(items[1].split, SPLIT_TRAIN);
    CHECK_EQ(items[3].split, SPLIT_VAL);
    CHECK(items[2].excluded && !items[1].excluded);
    CHECK_EQ(items[9].split, SPLIT_NONE);
    CHECK_EQ(faults.counts[FAULT_CODE_MISSING_IMAGE], 2);
    CHECK_EQ(faults.counts[FAULT_CODE_SPLIT_CONFLICT], 1);
    s = ratio;
    s.exclude = (struct strs){out, 1};
    CHECK_OK(split_apply(&s, items, N, false, &faults, &err), &err);
    CHECK(items[2].excluded);
    tear_down();
}

TEST(texts_of_splits)
{
    struct split_spec s;
    static const char *const bad[] = {"0.8",      "0.8/0.8", "0.5/0.4/0.2/0", "x",
                                      "-0.2/1.2", "0/1",     "given?",        "nan/1"};

    CHECK_OK(split_spec_read(STR(""), &s, &err), &err);
    CHECK_EQ(s.method, SPLIT_AUTO);
    CHECK_OK(split_spec_read(STR("0.7/0.2/0.1"), &s, &err), &err);
    CHECK(s.method == SPLIT_RATIO && s.test == 0.1 && s.val == 0.2);
    CHECK_OK(split_spec_read(STR("1"), &s, &err), &err);
    CHECK(s.train == 1 && s.val == 0);
    CHECK_OK(split_spec_read(STR("0.6,0.4"), &s, &err), &err);
    CHECK(s.val == 0.4);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK_EQ(split_spec_read(str_of(bad[i]), &s, &err), RC_INVALID);
}
