/* export_file_test.c - an export that computes other numbers fails and leaves nothing; without a
 * compiler the operators are run; damage on the way to the disk is seen. */
#include "engine/bundle/export_file.c"

#include "base/test.h"
#include <stdlib.h>

static const char *in_dir(const char *name)
{
    static char paths[4][512];
    static int at;
    char *p = paths[at = (at + 1) % 4];

    CHECK(snprintf(p, 512, "%s/%s", test_dir(), name) < 512);
    return p;
}

static const char *weights_file(void)
{
    static char path[512];
    const str classes[3] = {STR("a"), STR("b"), STR("c")};
    const struct model_plan plan = {.name = "tiny",
                                    .classes = classes,
                                    .classes_n = 3,
                                    .frame = {.size = 16,
                                              .work_side = 16,
                                              .mean = {0.4f, 0.5f, 0.6f},
                                              .std = {0.2f, 0.3f, 0.25f}},
                                    .stem = NET_STEM_SMALL,
                                    .batch_max = 1,
                                    .threads = 1,
                                    .backend = NET_PORTABLE};
    struct safetensors_written done;
    struct model *m = NULL;
    struct err e;

    CHECK(snprintf(path, sizeof path, "%s", in_dir("w.safetensors")) < 512);
    CHECK_OK(model_new(&m, &plan, &e), &e);
    net_init_weights(m->net, 4);
    CHECK_OK(model_save(m, 1, path, &done, &e), &e);
    model_free(m);
    return path;
}

static int entries;

static enum rc count_entry(void *ud, const char *name, bool is_dir, struct err *e)
{
    entries++;
    return RC_OK;
}

static int files_there(void)
{
    entries = 0;
    CHECK(os_list_dir(test_dir(), count_entry, NULL, NULL) == RC_OK);
    return entries;
}

static struct export_report export_as(enum export_format format, const char *name, bool pixels)
{
    const struct export_order o = {
        .format = format, .weights = weights_file(), .out = in_dir(name), .pixels = pixels};
    struct export_report r;
    struct err e;

    CHECK_OK(export_file(&o, &r, &e), &e);
    CHECK(r.difference < EXPORT_DIFFERENCE_MAX / 10);
    CHECK(r.generated && r.pictures == EXPORT_GENERATED);
    CHECK(os_exists(o.out));
    return r;
}

TEST(every_format_is_written_and_verified)
{
    CHECK_STR(str_of(export_as(EXPORT_ONNX, "n.onnx", false).verified_by), "interpreter");
    CHECK_STR(str_of(export_as(EXPORT_ONNX, "p.onnx", true).verified_by), "interpreter");
    CHECK(export_as(EXPORT_SAFETENSORS, "n.safetensors", false).difference == 0);
    const struct export_report c = export_as(EXPORT_C, "n.c", false);
    CHECK_STR(str_of(c.verified_by), "compiler");
    CHECK(os_exists(in_dir("n.h")) && c.header.bytes > 0);
    CHECK_EQ(files_there(), 6); /* and the weights: nothing temporary */
}

TEST(without_a_compiler_the_operators_are_run)
{
    CHECK(setenv("PATH", test_dir(), 1) == 0);
    CHECK_STR(str_of(export_as(EXPORT_C, "n.c", false).verified_by), "interpreter");
}

static ssize_t (*real_write)(int fd, const void *p, size_t n);
static size_t damage_from; /* the write of at least so many bytes is damaged */

/* Makes one weight of the block a thousand times as large: its exponent, ten more. */
static ssize_t damaging_write(int fd, const void *p, size_t n)
{
    static char copy[1 << 20];

    if (n < damage_from || n > sizeof copy)
        return real_write(fd, p, n);
    memcpy(copy, p, n);
    float weight;
    memcpy(&weight, copy + n / 8 * 4, sizeof weight);
    weight = weight * 1000 + 1;
    memcpy(copy + n / 8 * 4, &weight, sizeof weight);
    return real_write(fd, copy, n);
}

TEST(a_file_that_computes_other_numbers_fails_and_is_not_left)
{
    const struct export_order o = {
        .format = EXPORT_ONNX, .weights = weights_file(), .out = in_dir("n.onnx")};
    struct export_report r = {.pictures = 77};
    struct err e;

    real_write = os_sys.write;
    damage_from = 20000; /* weights of a convolution, not the text of the graph */
    os_sys.write = damaging_write;
    const enum rc rc = export_file(&o, &r, &e);
    os_sys.write = real_write;
    CHECK_EQ(rc, RC_CORRUPT);
    CHECK(str_find(str_of(e.text), STR("computes other numbers")) >= 0);
    CHECK_EQ(r.pictures, 77); /* untouched */
    CHECK_EQ(files_there(), 1);
}

TEST(a_difference_above_the_limit_fails)
{
    struct export_report r = {.difference = 1e-4};
    const struct job j = {.report = &r, .images = 3};
    struct err e;

    CHECK(verdict(&j, &e) == RC_OK);
    r.difference = 1.01e-4;
    CHECK_EQ(verdict(&j, &e), RC_CORRUPT);
    r.difference = INFINITY;
    CHECK_EQ(verdict(&j, &e), RC_CORRUPT);
}
