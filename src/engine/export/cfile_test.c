/* cfile_test.c - an exported C file compiles without a warning and computes what the program does;
 * names from outside cannot break it. */
#include "engine/export/cfile.c"

#include "engine/export/fixture.h"
#include "os/os.h"

static void write_in(const char *dir, const struct program *p)
{
    struct out_file source, header, main_file;
    struct out_file_done done;
    char path[3][512];
    struct err e;

    CHECK(snprintf(path[0], 512, "%s/net.c", dir) < 512);
    CHECK(snprintf(path[1], 512, "%s/net.h", dir) < 512);
    CHECK(snprintf(path[2], 512, "%s/main.c", dir) < 512);
    out_file_open(&source, path[0]);
    out_file_open(&header, path[1]);
    out_file_open(&main_file, path[2]);
    CHECK_OK(cfile_write(p, "net", &source, &header, &e), &e);
    CHECK_OK(cfile_write_main("net", "net.h", &main_file, &e), &e);
    CHECK_OK(out_file_close(&source, true, &done, &e), &e);
    CHECK_OK(out_file_close(&header, true, &done, &e), &e);
    CHECK_OK(out_file_close(&main_file, true, &done, &e), &e);
}

static int run(const char *dir, const char *const *argv)
{
    struct os_child child;
    struct err e;
    int status = -1;

    CHECK_OK(os_spawn(&child, argv, NULL, dir, 0, &e), &e);
    CHECK_OK(os_wait(child.pid, 120000, &status, &e), &e);
    return status;
}

static void check_compiled(const struct program *p)
{
    static const char *const cc[] = {"gcc",
                                     "-std=c99",
                                     "-O1",
                                     "-Wall",
                                     "-Wextra",
                                     "-Werror",
                                     "-pedantic",
                                     "-Wno-overlength-strings",
                                     "-fsanitize=address,undefined",
                                     "-fno-sanitize-recover",
                                     "net.c",
                                     "main.c",
                                     "-o",
                                     "net",
                                     "-lm",
                                     NULL};
    static const char *const net[] = {"./net", "in", "out", NULL};
    struct program_result want[PROGRAM_OUTPUTS_MAX];
    float x[2 * FIXTURE_FLOATS];
    const char *dir = test_dir();
    size_t n = 0;
    char path[512];
    struct arena a;
    struct err e;
    str got;

    arena_init(&a, 1 << 24);
    fixture_fill(x, 2 * FIXTURE_FLOATS, 21, 1.5);
    write_in(dir, p);
    CHECK(snprintf(path, sizeof path, "%s/in", dir) < 512);
    CHECK_OK(os_write_file_durable(path, (str){(char *)x, sizeof x}, 0600, &e), &e);
    CHECK_EQ(run(dir, cc), 0);
    CHECK_EQ(run(dir, net), 0);
    CHECK(snprintf(path, sizeof path, "%s/out", dir) < 512);
    CHECK_OK(os_read_file(&a, path, 1 << 22, &got, &e), &e);
    CHECK_OK(program_run(p, x, 2, want, &e), &e);
    const float *y = (const float *)(const void *)got.p;
    for (int image = 0; image < 2; image++)
        for (int i = 0; i < p->output_count; i++) {
            const size_t each = want[i].n / 2;
            for (size_t k = 0; k < each; k++, n++) {
                const float right = want[i].data[(size_t)image * each + k];
                if (!(fabsf(y[n] - right) <= 1e-5f * fmaxf(1.0f, fabsf(right))))
                    test_fail(__FILE__, __LINE__, "image %d, output %d, [%zu]: %g, not %g", image,
                              i, k, (double)y[n], (double)right);
            }
        }
    CHECK_EQ(got.n, n * sizeof(float));
    fixture_results_done(p, want);
    arena_done(&a);
}

TEST(the_compiled_file_computes_what_the_program_does)
{
    struct program *p = fixture_program();

    check_compiled(p);
    program_free(p);
}

TEST(many_weights_are_written_as_bytes_and_compute_the_same)
{
    struct program *p = fixture_program();
    const int64_t shape[2] = {1500, 588};
    struct program_op gemm = {.kind = OP_GEMM, .in_count = 3};
    struct err e;

    gemm.in[0] = program_find(p, STR("flat"));
    gemm.in[1] = fixture_constant(p, "wide.weight", 2, shape, 0.1);
    gemm.in[2] = fixture_constant(p, "wide.bias", 1, shape, 1);
    program_output(p, program_op(p, &gemm, "wide"));
    CHECK_OK(program_check(p, &e), &e);
    check_compiled(p);
    program_free(p);
}

TEST(any_text_becomes_an_identifier)
{
    char name[CFILE_NAME_MAX];

    cfile_name(STR("resnet18"), name);
    CHECK_STR(str_of(name), "resnet18");
    cfile_name(STR("3 rote\"; Blumen*/"), name);
    CHECK_STR(str_of(name), "net_3_rote___Blumen__");
    cfile_name(STR(""), name);
    CHECK_STR(str_of(name), "net_");
    cfile_name(STR("a234567890123456789012345678901234567890123456789012345678901234567890"), name);
    CHECK_EQ(strlen(name), CFILE_NAME_MAX - 1);
}

TEST(weights_that_are_not_finite_are_refused)
{
    struct program *p = fixture_program();
    struct out_file source, header;
    struct out_file_done done;
    char path[512];
    struct err e;

    ((float *)(uintptr_t)p->values[program_find(p, STR("fc.bias"))].data)[2] = NAN;
    CHECK(snprintf(path, sizeof path, "%s/n.c", test_dir()) < 512);
    out_file_open(&source, path);
    out_file_open(&header, path);
    CHECK_EQ(cfile_write(p, "n", &source, &header, &e), RC_INVALID);
    CHECK(str_find(str_of(e.text), STR("fc.bias")) >= 0);
    CHECK_OK(out_file_close(&source, false, &done, &e), &e);
    CHECK_OK(out_file_close(&header, false, &done, &e), &e);
    CHECK(!os_exists(path));
    program_free(p);
}
