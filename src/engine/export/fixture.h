/* fixture.h - a program with every operator in it, for the unit tests of the exports. */
#ifndef ANNEAL_ENGINE_EXPORT_FIXTURE_H
#define ANNEAL_ENGINE_EXPORT_FIXTURE_H

#include "base/hash.h"
#include "base/mem.h"
#include "base/test.h"
#include "engine/export/program.h"

enum { FIXTURE_SIDE = 13, FIXTURE_FLOATS = 3 * FIXTURE_SIDE * FIXTURE_SIDE };

static inline void fixture_fill(float *v, size_t n, uint64_t seed, double scale)
{
    for (size_t i = 0; i < n; i++)
        v[i] = (float)(scale * (2 * rand_unit(rand_at(seed, 5, i, 0)) - 1));
}

static inline int fixture_constant(struct program *p, const char *name, int dims,
                                   const int64_t *shape, double scale)
{
    float *data;
    const int v = program_constant(p, name, dims, shape, &data);

    CHECK(data);
    fixture_fill(data, (size_t)program_elements(&p->values[v]), str_of(name).n * 977u + 3, scale);
    return v;
}

static inline int fixture_conv(struct program *p, int in, const char *name, int ic, int oc, int k,
                               int stride, int pad, int group, bool bias)
{
    char weight[64], b[64];
    struct program_op o = {.kind = OP_CONV,
                           .in_count = bias ? 3 : 2,
                           .k = k,
                           .stride = stride,
                           .pad = pad,
                           .group = group};

    CHECK(snprintf(weight, sizeof weight, "%s.weight", name) < 64);
    CHECK(snprintf(b, sizeof b, "%s.bias", name) < 64);
    o.in[0] = in;
    o.in[1] = fixture_constant(p, weight, 4, (const int64_t[4]){oc, ic / group, k, k}, 0.4);
    if (bias)
        o.in[2] = fixture_constant(p, b, 1, (const int64_t[1]){oc}, 0.5);
    return program_op(p, &o, name);
}

static inline int fixture_one(struct program *p, enum op_kind kind, int in, const char *name)
{
    return program_op(
        p,
        &(struct program_op){.kind = kind, .in = {in}, .in_count = 1, .low = -0.25f, .high = 0.5f},
        name);
}

static inline int fixture_two(struct program *p, enum op_kind kind, int a, int b, const char *name)
{
    return program_op(p, &(struct program_op){.kind = kind, .in = {a, b}, .in_count = 2}, name);
}

/* A backbone of convolutions, a squeezed gate, a path down and up again, and three outputs. */
static inline void fixture_backbone(struct program *p, int *ret_a, int *ret_b)
{
    int x = program_input(p, "images", 4,
                          (const int64_t[4]){PROGRAM_BATCH, 3, FIXTURE_SIDE, FIXTURE_SIDE});
    const int half = fixture_constant(p, "half", 4, (const int64_t[4]){1, 3, 1, 1}, 0.5);

    x = fixture_two(p, OP_SUB, x, half, "centred");
    x = fixture_one(p, OP_RELU, fixture_conv(p, x, "stem", 3, 8, 3, 1, 1, 1, true), "stem/relu");
    int y = fixture_conv(p, x, "down", 8, 12, 3, 2, 1, 1, true); /* 7 x 7 */
    y = fixture_two(p, OP_MUL, y, fixture_one(p, OP_SIGMOID, y, "down/sigmoid"), "down/silu");
    int z = fixture_one(p, OP_HARD_SWISH, fixture_conv(p, y, "deep", 12, 12, 3, 1, 1, 12, false),
                        "deep/hard");
    z = fixture_two(p, OP_ADD, z, y, "deep/sum");
    int gate = fixture_one(p, OP_GLOBAL_AVERAGE, z, "gate");
    gate = fixture_one(p, OP_HARD_SIGMOID,
                       fixture_conv(p, gate, "gate/conv", 12, 12, 1, 1, 0, 1, true), "gate/act");
    z = fixture_two(p, OP_MUL, z, gate, "gated");
    *ret_a = x;
    *ret_b = fixture_one(p, OP_CLIP, z, "clipped");
}

static inline struct program *fixture_program(void)
{
    struct program *p = NULL;
    struct err e;
    int a, b;

    CHECK_OK(program_new(&p, &e), &e);
    fixture_backbone(p, &a, &b);
    int pooled = program_op(
        p,
        &(struct program_op){
            .kind = OP_MAX_POOL, .in = {a}, .in_count = 1, .k = 3, .stride = 2, .pad = 1},
        "pooled"); /* 8 x 7 x 7 */
    int all = program_op(
        p, &(struct program_op){.kind = OP_CONCAT, .in = {b, pooled, b}, .in_count = 3, .axis = 1},
        "joined"); /* 32 x 7 x 7 */
    for (int linear = 0; linear < 2; linear++) {
        all = program_op(p,
                         &(struct program_op){.kind = OP_RESIZE,
                                              .in = {all},
                                              .in_count = 1,
                                              .factor = 2 + linear,
                                              .linear = linear},
                         linear ? "smooth" : "doubled");
        all =
            fixture_conv(p, all, linear ? "thin" : "thick", 32, 32, 3, linear ? 3 : 2, 1, 2, true);
    }
    program_output(p, all); /* 32 x 7 x 7 */
    int bins = program_op(
        p,
        &(struct program_op){
            .kind = OP_RESHAPE, .in = {all}, .in_count = 1, .ints = {0, 4, 8, 49}, .ints_count = 4},
        "bins");
    bins = program_op(
        p, &(struct program_op){.kind = OP_SOFTMAX, .in = {bins}, .in_count = 1, .axis = 2},
        "softmax");
    bins = program_op(p,
                      &(struct program_op){.kind = OP_TRANSPOSE,
                                           .in = {bins},
                                           .in_count = 1,
                                           .ints = {0, 2, 1, 3},
                                           .ints_count = 4},
                      "turned"); /* 8 x 4 x 49 */
    bins = program_op(
        p,
        &(struct program_op){
            .kind = OP_SLICE, .in = {bins}, .in_count = 1, .axis = 2, .from = 1, .to = 3},
        "cut"); /* 8 x 2 x 49 */
    const int by = fixture_constant(p, "by", 2, (const int64_t[2]){2, 49}, 1.0);
    program_output(p, fixture_two(p, OP_DIV, bins, by, "quotients"));
    int flat = fixture_one(p, OP_FLATTEN, b, "flat"); /* 588 */
    struct program_op gemm = {.kind = OP_GEMM, .in = {flat}, .in_count = 3};
    gemm.in[1] = fixture_constant(p, "fc.weight", 2, (const int64_t[2]){5, 588}, 0.2);
    gemm.in[2] = fixture_constant(p, "fc.bias", 1, (const int64_t[1]){5}, 1.0);
    program_output(p, program_op(p, &gemm, "logits"));
    program_meta(p, "task", STR("classification"));
    program_meta(p, "classes", STR("[\"a\",\"b */ c\"]"));
    CHECK_OK(program_check(p, &e), &e);
    return p;
}

static inline void fixture_results_done(const struct program *p, struct program_result *r)
{
    for (int i = 0; i < p->output_count; i++)
        mem_free(r[i].data);
}

#endif
