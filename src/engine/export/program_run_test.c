/* program_run_test.c - operators against numbers worked out by hand, and convolution against the
 * sum that defines it, in double. */
#include "engine/export/program_run.c"

#include "engine/export/fixture.h"

/* Runs one operator on an input [1][shape..]; `op` takes the input as its first. */
static void run_one(struct program_op op, int dims, const int64_t *shape, const float *x,
                    const float *want, size_t n)
{
    struct program *p = NULL;
    struct program_result y;
    struct err e;

    CHECK_OK(program_new(&p, &e), &e);
    op.in[0] = program_input(p, "x", dims, shape);
    op.in_count = op.in_count ? op.in_count : 1;
    for (int i = 1; i < op.in_count; i++)
        op.in[i] = op.in[0];
    program_output(p, program_op(p, &op, "y"));
    CHECK_OK(program_check(p, &e), &e);
    CHECK_OK(program_run(p, x, 1, &y, &e), &e);
    CHECK_EQ(y.n, n);
    for (size_t i = 0; i < n; i++)
        if (!(fabsf(y.data[i] - want[i]) < 1e-6f))
            test_fail(__FILE__, __LINE__, "%s: [%zu] is %g, not %g", op_rows[op.kind].name, i,
                      (double)y.data[i], (double)want[i]);
    mem_free(y.data);
    program_free(p);
}

#define RUN(op, shape, x, want)                                                                    \
    run_one((struct program_op)op, sizeof(shape) / sizeof *(shape), shape, x, want,                \
            sizeof(want) / sizeof *(want))
#define OP(...)                                                                                    \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }
#define FLOATS(...) ((const float[]){__VA_ARGS__})

static const int64_t row[2] = {PROGRAM_BATCH, 4};
static const int64_t square[4] = {PROGRAM_BATCH, 1, 2, 2};
static const int64_t cube[3] = {PROGRAM_BATCH, 2, 3};

TEST(operators_compute_what_their_definition_says)
{
    const float x[4] = {-4, -0.5f, 2, 7}, s[4] = {1, 2, 3, 4}, c[6] = {1, 2, 3, 4, 5, 6};

    RUN(OP(.kind = OP_RELU), row, x, FLOATS(0, 0, 2, 7));
    RUN(OP(.kind = OP_CLIP, .low = -1, .high = 6), row, x, FLOATS(-1, -0.5f, 2, 6));
    RUN(OP(.kind = OP_SIGMOID), row, x, FLOATS(0.01798621f, 0.37754067f, 0.88079708f, 0.99908895f));
    RUN(OP(.kind = OP_HARD_SIGMOID), row, x, FLOATS(0, 0.41666667f, 0.83333333f, 1));
    RUN(OP(.kind = OP_HARD_SWISH), row, x, FLOATS(0, -0.20833333f, 1.6666667f, 7));
    RUN(OP(.kind = OP_MUL, .in_count = 2), row, x, FLOATS(16, 0.25f, 4, 49));
    RUN(OP(.kind = OP_SUB, .in_count = 2), row, x, FLOATS(0, 0, 0, 0));
    RUN(OP(.kind = OP_GLOBAL_AVERAGE), square, s, FLOATS(2.5f));
    RUN(OP(.kind = OP_MAX_POOL, .k = 2, .stride = 1, .pad = 1), square, s,
        FLOATS(1, 2, 2, 3, 4, 4, 3, 4, 4));
    RUN(OP(.kind = OP_RESIZE, .factor = 2), square, s,
        FLOATS(1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4));
    RUN(OP(.kind = OP_RESIZE, .factor = 2, .linear = true), square, s,
        FLOATS(1, 1.25f, 1.75f, 2, 1.5f, 1.75f, 2.25f, 2.5f, 2.5f, 2.75f, 3.25f, 3.5f, 3, 3.25f,
               3.75f, 4));
    RUN(OP(.kind = OP_TRANSPOSE, .ints = {0, 2, 1}, .ints_count = 3), cube, c,
        FLOATS(1, 4, 2, 5, 3, 6));
    RUN(OP(.kind = OP_SLICE, .axis = 2, .from = 1, .to = 3), cube, c, FLOATS(2, 3, 5, 6));
    RUN(OP(.kind = OP_CONCAT, .axis = 1, .in_count = 2), cube, c,
        FLOATS(1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6));
    RUN(OP(.kind = OP_CONCAT, .axis = 2, .in_count = 2), cube, c,
        FLOATS(1, 2, 3, 1, 2, 3, 4, 5, 6, 4, 5, 6));
    RUN(OP(.kind = OP_SOFTMAX, .axis = 1), cube, c,
        FLOATS(0.04742587f, 0.04742587f, 0.04742587f, 0.95257413f, 0.95257413f, 0.95257413f));
}

static double conv_at(const float *x, const struct program_op *o, const float *w, int ic, int oc,
                      int size, int c, int y, int col)
{
    const int per = ic / o->group, group = c / (oc / o->group);
    double sum = 0;

    for (int i = 0; i < per; i++)
        for (int t = 0; t < o->k * o->k; t++) {
            const int r = y * o->stride - o->pad + t / o->k,
                      q = col * o->stride - o->pad + t % o->k;
            if (r >= 0 && r < size && q >= 0 && q < size)
                sum += (double)x[((group * per + i) * size + r) * size + q] *
                       (double)w[(c * per + i) * o->k * o->k + t];
        }
    return sum;
}

static void check_conv(int ic, int oc, int k, int stride, int pad, int group, int size)
{
    const int out = (size + 2 * pad - k) / stride + 1;
    struct program *p = NULL;
    struct program_result y;
    struct err e;

    CHECK_OK(program_new(&p, &e), &e);
    const int in = program_input(p, "x", 4, (const int64_t[4]){PROGRAM_BATCH, ic, size, size});
    program_output(p, fixture_conv(p, in, "c", ic, oc, k, stride, pad, group, true));
    CHECK_OK(program_check(p, &e), &e);
    const size_t each = (size_t)(ic * size * size);
    float *x = mem_alloc_array(2 * each, sizeof *x);
    fixture_fill(x, 2 * each, 5, 1);
    CHECK_OK(program_run(p, x, 2, &y, &e), &e);
    CHECK_EQ(y.n, 2 * oc * out * out);
    const float *w = p->values[p->ops[0].in[1]].data, *b = p->values[p->ops[0].in[2]].data;
    for (int i = 0; i < 2 * oc * out * out; i++) {
        const int c = i / (out * out) % oc;
        const double want =
            (double)b[c] + conv_at(x + (size_t)(i / (oc * out * out)) * each, &p->ops[0], w, ic, oc,
                                   size, c, i / out % out, i % out);
        CHECK(fabs((double)y.data[i] - want) < 1e-5);
    }
    mem_free(y.data);
    mem_free(x);
    program_free(p);
}

TEST(convolution_is_the_sum_that_defines_it)
{
    check_conv(3, 5, 3, 1, 1, 1, 9);
    check_conv(6, 6, 3, 2, 1, 6, 11);
    check_conv(4, 7, 1, 1, 0, 1, 5);
    check_conv(4, 6, 5, 3, 2, 2, 17);
    check_conv(1, 1, 7, 2, 3, 1, 8);
}

TEST(every_failing_allocation_is_told_and_leaks_nothing)
{
    struct program_result y[PROGRAM_OUTPUTS_MAX];
    struct program *p = fixture_program();
    float x[FIXTURE_FLOATS];
    struct err e;

    fixture_fill(x, FIXTURE_FLOATS, 2, 1);
    const size_t live = mem_live_bytes();
    for (long n = 0;; n++) {
        mem_fail_at(n);
        const enum rc rc = program_run(p, x, 1, y, &e);
        const bool fired = mem_fail_disarm();
        if (!rc)
            fixture_results_done(p, y);
        CHECK_EQ(mem_live_bytes(), live);
        CHECK_EQ(rc, fired ? RC_NOMEM : RC_OK);
        if (!fired)
            break;
    }
    program_free(p);
}
