/* model_test.c - weights files that describe themselves, and files that only look like it. */
#include "base/test.h"
#include "engine/bundle/model.c"
#include "os/os.h"

static const str two[] = {STR("a \"quoted\" one"), STR("b")};

static struct model_plan plan_of(int64_t seed)
{
    return (struct model_plan){.name = "tiny",
                               .classes = two,
                               .classes_n = 2,
                               .frame = {.size = 24,
                                         .fit = FRAME_CENTER_CROP,
                                         .work_side = 40,
                                         .mean = {0.485f, 0.456f, 0.406f},
                                         .std = {0.229f, 0.224f, 0.225f}},
                               .seed = seed,
                               .batch_max = 2,
                               .threads = 1,
                               .backend = NET_PORTABLE};
}

static char *path_of(const char *name)
{
    static char path[2][600];
    static int turn;
    turn ^= 1;
    snprintf(path[turn], sizeof path[turn], "%s/%s", test_dir(), name);
    return path[turn];
}

static void save(int64_t seed, int64_t epoch, const char *path, struct safetensors_written *w)
{
    struct model_plan p = plan_of(seed);
    struct model *m;
    struct err e;
    CHECK_OK(model_new(&m, &p, &e), &e);
    net_init_weights(m->net, (uint64_t)seed);
    CHECK_OK(model_save(m, epoch, path, w, &e), &e);
    model_free(m);
}

TEST(a_file_alone_brings_the_model_back)
{
    struct model_plan how = {.batch_max = 1, .threads = 1, .backend = NET_PORTABLE};
    struct safetensors_written w, again;
    struct model *m;
    struct err e;

    save(7, 3, path_of("w"), &w);
    CHECK_OK(model_check_file(path_of("w"), str_of(w.sha256), &e), &e);
    CHECK_OK(model_load(&m, path_of("w"), &how, &e), &e);
    CHECK(strcmp(m->name, "tiny") == 0 && m->classes_n == 2 && m->seed == 7);
    CHECK(str_eq(m->classes[0], two[0]) && str_eq(m->classes[1], two[1]));
    CHECK(m->frame.size == 24 && m->frame.fit == FRAME_CENTER_CROP && m->frame.work_side == 28);
    CHECK(m->frame.mean[1] == 0.456f && m->frame.std[2] == 0.225f);
    CHECK_OK(model_save(m, 3, path_of("v"), &again, &e), &e);
    CHECK_STR(str_of(again.sha256), w.sha256);
    model_free(m);
}

TEST(another_model_is_not_filled_in)
{
    struct safetensors_written w;
    struct model_plan p = plan_of(8);
    struct model *m;
    struct err e;

    save(7, 1, path_of("w"), &w);
    CHECK_OK(model_new(&m, &p, &e), &e);
    CHECK_EQ(model_fill(m, path_of("w"), &e), RC_CONFLICT);
    CHECK(strstr(e.text, "seed"));
    model_free(m);
    p = plan_of(7);
    p.classes_n = 1;
    CHECK_OK(model_new(&m, &p, &e), &e);
    CHECK_EQ(model_fill(m, path_of("w"), &e), RC_CONFLICT);
    CHECK(strstr(e.text, "classes"));
    model_free(m);
}

static void zero(void *ud, size_t i, float *ret)
{
    (void)ud;
    (void)i;
    ret[0] = 0;
}

TEST(files_without_our_metadata_or_with_false_ones_are_refused)
{
    static const int64_t one[] = {1};
    static const struct safetensors_entry x = {"x", 1, one};
    /* each row spoils one value of a good set; the text names its key */
    static const struct {
        const char *key, *value;
    } bad[] = {
        {"anneal", "2"},     {"task", "detection"}, {"image_size", "7"}, {"image_size", "99999"},
        {"work_side", "3"},  {"stem", "auto"},      {"fit", "stretch"},  {"mean", "1,2"},
        {"mean", "1,2,3,4"}, {"std", "1,0,1"},      {"classes", "[]"},   {"classes", "[1]"},
        {"classes", "{}"},   {"classes", "[\"a\""}, {"seed", "-1"},      {"model", "resnet9000"}};
    struct model_plan how = {.batch_max = 1, .threads = 1, .backend = NET_PORTABLE};
    struct safetensors_written w;
    struct model *m = NULL;
    struct err e;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct safetensors_meta meta[] = {{STR("anneal"), STR("1")},
                                          {STR("model"), STR("tiny")},
                                          {STR("task"), STR("classification")},
                                          {STR("classes"), STR("[\"a\",\"b\"]")},
                                          {STR("image_size"), STR("24")},
                                          {STR("stem"), STR("small")},
                                          {STR("fit"), STR("squash")},
                                          {STR("work_side"), STR("24")},
                                          {STR("mean"), STR("0,0,0")},
                                          {STR("std"), STR("1,1,1")},
                                          {STR("seed"), STR("1")}};
        for (size_t k = 0; k < sizeof meta / sizeof *meta; k++)
            if (str_is(meta[k].key, bad[i].key))
                meta[k].value = str_of(bad[i].value);
        CHECK_OK(safetensors_write(path_of("w"), meta, sizeof meta / sizeof *meta, &x, 1, false,
                                   zero, NULL, &w, &e),
                 &e);
        enum rc rc = model_load(&m, path_of("w"), &how, &e);
        if ((rc != RC_CORRUPT && rc != RC_UNSUPPORTED) || !strstr(e.text, bad[i].key))
            test_fail(__FILE__, __LINE__, "%s=%s gave %s '%s'", bad[i].key, bad[i].value,
                      rc_name(rc), e.text);
    }
    struct safetensors_meta none[] = {{STR("format"), STR("pt")}};
    CHECK_OK(safetensors_write(path_of("w"), none, 1, &x, 1, false, zero, NULL, &w, &e), &e);
    CHECK_EQ(model_load(&m, path_of("w"), &how, &e), RC_CORRUPT);
    CHECK(strstr(e.text, "only weights that Anneal trained"));
    CHECK_EQ(model_check_file(path_of("w"), STR("00"), &e), RC_CORRUPT);
    CHECK_EQ(model_load(&m, path_of("absent"), &how, &e), RC_NOT_FOUND);
}

TEST(each_failing_allocation_is_reported_and_nothing_leaks)
{
    struct model_plan how = {.batch_max = 1, .threads = 1, .backend = NET_PORTABLE};
    struct safetensors_written w;
    struct err e;

    save(7, 1, path_of("w"), &w);
    for (long n = 0;; n++) {
        struct model *m = NULL;
        size_t before = mem_live_bytes();
        mem_fail_at(n);
        enum rc rc = model_load(&m, path_of("w"), &how, &e);
        if (!rc)
            rc = model_fill(m, path_of("w"), &e);
        if (!rc)
            rc = model_save(m, 1, path_of("v"), &w, &e);
        if (!rc)
            rc = model_check_file(path_of("v"), str_of(w.sha256), &e);
        model_free(m);
        bool fired = mem_fail_disarm();
        CHECK_EQ(mem_live_bytes(), before);
        if (!fired) {
            CHECK_OK(rc, &e);
            break;
        }
        CHECK(rc != RC_OK);
    }
}

TEST(bytes_in_memory_give_the_model_of_the_file)
{
    const struct model_plan how = {
        .batch_max = 1, .threads = 1, .backend = NET_PORTABLE, .isa = "base"};
    const struct model_plan no_such = {
        .batch_max = 1, .threads = 1, .backend = NET_PORTABLE, .isa = "abacus"};
    struct safetensors_written w;
    struct safetensors *s;
    struct net_info info;
    struct arena a = {.max_bytes = 64 << 20};
    struct model *m;
    struct err e;
    float x[3 * 24 * 24], from_file[2], from_memory[2];
    str bytes;

    for (size_t i = 0; i < sizeof x / sizeof *x; i++)
        x[i] = (float)(i % 17) / 17;
    save(7, 3, path_of("w"), &w);
    CHECK_OK(model_load(&m, path_of("w"), &how, &e), &e);
    CHECK_OK(net_infer(m->net, x, 1, from_file, &e), &e);
    model_free(m);
    CHECK_OK(os_read_file(&a, path_of("w"), 64 << 20, &bytes, &e), &e);
    CHECK_OK(safetensors_view(&s, "memory", bytes, &e), &e);
    CHECK_OK(model_load_from(&m, s, &how, &e), &e);
    CHECK_OK(net_infer(m->net, x, 1, from_memory, &e), &e);
    CHECK(memcmp(from_file, from_memory, sizeof from_file) == 0);
    net_get_info(m->net, &info);
    CHECK(strcmp(info.isa, "base") == 0);
    model_free(m);
    CHECK_EQ(model_load_from(&m, s, &no_such, &e), RC_UNAVAILABLE);
    CHECK(strcmp(e.field, "isa") == 0);
    safetensors_close(s);
    arena_done(&a);
}
