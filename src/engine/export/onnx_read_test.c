/* onnx_read_test.c - what is written reads back as the same program; damage and what is not
 * supported are told. */
#include "engine/export/onnx_read.c"

#include "engine/export/fixture.h"

static str write_fixture(const struct program *p, struct arena *a, struct out_file_done *done)
{
    struct out_file f;
    struct err e;
    str file;
    char *path = arena_printf(a, "%s/net.onnx", test_dir());

    out_file_open(&f, path);
    CHECK_OK(onnx_write(p, "net", &f, &e), &e);
    CHECK_OK(out_file_close(&f, true, done, &e), &e);
    CHECK_OK(os_read_file(a, path, 1 << 24, &file, &e), &e);
    return file;
}

TEST(what_is_written_reads_back_and_computes_the_same_bytes)
{
    struct program *p = fixture_program(), *q = NULL;
    struct program_result want[PROGRAM_OUTPUTS_MAX], got[PROGRAM_OUTPUTS_MAX];
    struct out_file_done first, again;
    float x[2 * FIXTURE_FLOATS];
    struct arena a;
    struct err e;

    arena_init(&a, 1 << 26);
    fixture_fill(x, 2 * FIXTURE_FLOATS, 8, 1.5);
    const str file = write_fixture(p, &a, &first);
    CHECK_EQ(first.bytes, file.n);
    CHECK_OK(onnx_read(&q, file, &e), &e);
    CHECK_EQ(q->op_count, p->op_count);
    CHECK_EQ(q->output_count, 3);
    CHECK_STR(program_meta_get(q, "classes"), "[\"a\",\"b */ c\"]");
    CHECK_OK(program_run(p, x, 2, want, &e), &e);
    CHECK_OK(program_run(q, x, 2, got, &e), &e);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(got[i].n, want[i].n);
        CHECK(memcmp(got[i].data, want[i].data, want[i].n * sizeof(float)) == 0);
        CHECK_EQ(q->values[q->outputs[i]].dims, p->values[p->outputs[i]].dims);
    }
    write_fixture(p, &a, &again);
    CHECK_STR(str_of(again.sha256), first.sha256);
    fixture_results_done(p, want);
    fixture_results_done(q, got);
    program_free(q);
    program_free(p);
    arena_done(&a);
}

TEST(a_file_cut_anywhere_is_refused)
{
    struct program *p = fixture_program(), *q = NULL;
    struct out_file_done done;
    struct arena a;
    struct err e;

    arena_init(&a, 1 << 26);
    const str file = write_fixture(p, &a, &done);
    for (size_t n = 0; n < file.n; n += n < 6000 ? 1 : 997)
        CHECK_EQ(onnx_read(&q, str_sub(file, 0, n), &e), RC_CORRUPT);
    program_free(p);
    arena_done(&a);
}

/* Most changed bytes are weights; the others must end in an error or a program that is sound. */
TEST(a_changed_byte_is_refused_or_gives_a_sound_program)
{
    struct program *p = fixture_program(), *q = NULL;
    struct out_file_done done;
    struct arena a;
    struct err e;
    int refused = 0;

    arena_init(&a, 1 << 26);
    const str file = write_fixture(p, &a, &done);
    char *bytes = arena_cstr(&a, file);
    CHECK(bytes);
    for (size_t i = 0; i < 1500; i++) {
        const size_t at = rand_at(4, i, 0, 0) % (i % 2 ? file.n : 5000);
        const char before = bytes[at];
        bytes[at] = (char)(before ^ (1 << i % 8));
        if (onnx_read(&q, (str){bytes, file.n}, &e) == RC_OK)
            program_free(q);
        else
            refused++;
        bytes[at] = before;
    }
    CHECK(refused > 100);
    program_free(p);
    arena_done(&a);
}

static enum rc read_with(const char *what, const char *with, struct err *e)
{
    struct program *p = fixture_program(), *q = NULL;
    struct out_file_done done;
    struct arena a;

    arena_init(&a, 1 << 26);
    const str file = write_fixture(p, &a, &done);
    char *bytes = arena_cstr(&a, file);
    const ptrdiff_t at = str_find(file, str_of(what));
    CHECK(bytes && at >= 0 && strlen(what) == strlen(with));
    memcpy(bytes + at, with, strlen(with));
    const enum rc rc = onnx_read(&q, (str){bytes, file.n}, e);
    if (!rc)
        program_free(q);
    program_free(p);
    arena_done(&a);
    return rc;
}

TEST(what_is_not_supported_is_named)
{
    struct err e;

    CHECK_EQ(read_with("Sigmoid", "Softsig", &e), RC_UNSUPPORTED);
    CHECK(str_find(str_of(e.text), STR("Softsig")) >= 0);
    CHECK_EQ(read_with("floor", "ceilx", &e), RC_UNSUPPORTED);
    CHECK(str_find(str_of(e.text), STR("rounding")) >= 0);
    CHECK_EQ(read_with("group", "grouq", &e), RC_UNSUPPORTED);
    CHECK(str_find(str_of(e.text), STR("attribute")) >= 0);
}

TEST(every_failing_allocation_is_told_and_leaks_nothing)
{
    struct program *p = fixture_program(), *q = NULL;
    struct out_file_done done;
    struct arena a;
    struct err e;

    arena_init(&a, 1 << 26);
    const str file = write_fixture(p, &a, &done);
    const size_t live = mem_live_bytes();
    for (long n = 0;; n++) {
        mem_fail_at(n);
        const enum rc rc = onnx_read(&q, file, &e);
        const bool fired = mem_fail_disarm();
        if (!rc)
            program_free(q);
        CHECK_EQ(mem_live_bytes(), live);
        CHECK_EQ(rc != RC_OK, fired);
        if (!fired)
            break;
    }
    program_free(p);
    arena_done(&a);
}
