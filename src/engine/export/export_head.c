/* export_head.c - from the graph's outputs to the program's, by task; the shapes stand in export.h.
 *
 * Detection decodes inside the network, by standard operators (detect.h has the formulas): softmax
 * over the bins of each side, their expectation as a 1x1 convolution with the weights 0..15, and
 * the anchors' centres and strides as constants. */
#include "engine/export/export_int.h"

#include <string.h>

static int output_value(const struct exporter *x, int k)
{
    return x->value[graph_output_node(x->g, k)];
}

static int reshape(struct exporter *x, int in, int dims, const int64_t *shape, const char *name)
{
    struct program_op o = {.kind = OP_RESHAPE, .in = {in}, .in_count = 1, .ints_count = dims};

    memcpy(o.ints, shape, (size_t)dims * sizeof *shape);
    return program_op(x->p, &o, name);
}

static int concat(struct exporter *x, const int *in, int n, int axis, const char *name)
{
    struct program_op o = {.kind = OP_CONCAT, .in_count = n, .axis = axis};

    memcpy(o.in, in, (size_t)n * sizeof *in);
    return program_op(x->p, &o, name);
}

static int slice(struct exporter *x, int in, int axis, int from, int to, const char *name)
{
    return program_op(
        x->p,
        &(struct program_op){
            .kind = OP_SLICE, .in = {in}, .in_count = 1, .axis = axis, .from = from, .to = to},
        name);
}

/* ---- detection */

/* Outputs first, first + 2, first + 4 of the graph as one [N][c][...][anchors]; `sides` splits the
 * channels into that many. */
static int all_levels(struct exporter *x, int first, int step, int sides, const char *what)
{
    char name[PROGRAM_NAME_MAX];
    int parts[DETECT_LEVELS];

    for (int i = 0; i < DETECT_LEVELS; i++) {
        const struct graph_shape s = graph_output_shape(x->g, first + step * i);
        const int64_t cells = (int64_t)s.h * s.w;
        const int64_t split[4] = {0, sides, s.c / sides, cells}, plain[3] = {0, s.c, cells};
        (void)snprintf(name, sizeof name, "%s.%d/cells", what, i);
        parts[i] = reshape(x, output_value(x, first + step * i), sides > 1 ? 4 : 3,
                           sides > 1 ? split : plain, name);
    }
    (void)snprintf(name, sizeof name, "%s/all", what);
    return concat(x, parts, DETECT_LEVELS, sides > 1 ? 3 : 2, name);
}

static void anchor_constants(struct exporter *x, int anchors, const struct detect_maps *m,
                             int *ret_centres, int *ret_strides, int *ret_halves)
{
    const int64_t centre_shape[3] = {1, 2, anchors}, stride_shape[3] = {1, 1, anchors};
    float *centre, *stride, *half;

    *ret_centres = program_constant(x->p, "anchors.centre", 3, centre_shape, &centre);
    *ret_strides = program_constant(x->p, "anchors.stride", 3, stride_shape, &stride);
    *ret_halves = program_constant(x->p, "anchors.half_stride", 3, stride_shape, &half);
    for (int i = 0; centre && stride && half && i < anchors; i++) {
        const struct detect_anchor a = detect_anchor_at(m, i);
        centre[i] = (float)a.cx;
        centre[anchors + i] = (float)a.cy;
        stride[i] = (float)a.stride;
        half[i] = (float)a.stride / 2;
    }
}

/* Four distances in strides, [N][4][anchors]. */
static int distances(struct exporter *x, int anchors)
{
    struct program_op turn = {
        .kind = OP_TRANSPOSE, .in_count = 1, .ints = {0, 2, 1, 3}, .ints_count = 4};
    struct program_op softmax = {.kind = OP_SOFTMAX, .in_count = 1, .axis = 1};
    struct program_op expect = {.kind = OP_CONV, .in_count = 2, .k = 1, .stride = 1, .group = 1};
    float *bins;

    turn.in[0] = all_levels(x, 0, 2, 4, "box");
    softmax.in[0] = program_op(x->p, &turn, "box/bins");
    expect.in[0] = program_op(x->p, &softmax, "box/softmax");
    expect.in[1] = program_constant(x->p, "box/bin_values", 4,
                                    (const int64_t[4]){1, DETECT_BINS, 1, 1}, &bins);
    for (int i = 0; bins && i < DETECT_BINS; i++)
        bins[i] = (float)i;
    return reshape(x, program_op(x->p, &expect, "box/expectation"), 3,
                   (const int64_t[3]){0, 4, anchors}, "box/distances");
}

static void detection(struct exporter *x, bool coefficients)
{
    const struct detect_maps m = export_maps(x->g, &x->info);
    const int anchors = detect_anchors(&m), side = distances(x, anchors);
    const int first = slice(x, side, 1, 0, 2, "box/left_top");
    const int last = slice(x, side, 1, 2, 4, "box/right_bottom");
    int centres, strides, halves, parts[4];

    anchor_constants(x, anchors, &m, &centres, &strides, &halves);
    const int shift = export_two(x, OP_SUB, last, first, "box/shift");
    parts[0] = export_two(x, OP_ADD, export_two(x, OP_MUL, shift, halves, "box/shift_pixels"),
                          centres, "box/centre");
    parts[1] = export_two(x, OP_MUL, export_two(x, OP_ADD, first, last, "box/extent"), strides,
                          "box/size");
    parts[2] = export_one(x, OP_SIGMOID, all_levels(x, 1, 2, 1, "class"), "class/confidence");
    if (coefficients)
        parts[3] = all_levels(x, OUTPUT_COEFFICIENTS, 1, 1, "coefficients");
    program_output(x->p, concat(x, parts, coefficients ? 4 : 3, 1, "boxes"));
}

/* ---- semantic segmentation */

/* Logits of every pixel: bilinear between the cells', as the network labels pixels (semantic.h). */
static void semantic(struct exporter *x)
{
    const struct graph_shape s = graph_output_shape(x->g, 0);
    const struct program_op smooth = {.kind = OP_RESIZE,
                                      .in = {output_value(x, 0)},
                                      .in_count = 1,
                                      .factor = x->info.image_size / s.h,
                                      .linear = true};

    program_output(x->p, program_op(x->p, &smooth, "logits"));
}

/* ---- by task */

void export_head(struct exporter *x)
{
    switch (x->info.card->task) {
    case NET_CLASSIFICATION:
        program_output(x->p, x->value[graph_node_count(x->g) - 1]);
        break;
    case NET_DETECTION:
        detection(x, false);
        break;
    case NET_SEGMENTATION:
        detection(x, true);
        program_rename(x->p, output_value(x, OUTPUT_PROTOTYPES), "prototypes");
        program_output(x->p, output_value(x, OUTPUT_PROTOTYPES));
        break;
    case NET_SEMANTIC:
        semantic(x);
        break;
    case NET_TASKS:
        break;
    }
}
