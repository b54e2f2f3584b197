/* networks_mobile.c - networks of inverted residuals: expand 1x1, depthwise, project 1x1.
 *
 * MobileNetV2: Sandler et al., arXiv:1801.04381.  MobileNetV3: Howard et al., arXiv:1905.02244.
 * EfficientNet: Tan and Le, arXiv:1905.11946; its branches are dropped at random as by Huang et
 * al., arXiv:1603.09382.  Names and shapes of the tensors are torchvision's, so that checkpoints
 * can be exchanged.  The small stem takes the first two strides of 2 as 1.
 */
#include "engine/model/family.h"

/* The convolutions of one block, one after the other; names count up. */
struct block {
    struct graph *g;
    const char *name; /* "features.3.block" */
    int part;
    int x; /* node so far */
    enum act act;
    float eps, momentum;
};

static int conv_norm(struct graph *g, const struct conv_spec *s, const char *name)
{
    node_name conv, norm;
    struct conv_spec named = *s;

    NAME(conv, "%s.0", name);
    NAME(norm, "%s.1", name);
    named.conv_name = conv;
    named.norm_name = norm;
    named.pad = s->k / 2;
    return graph_conv(g, &named);
}

static void block_conv(struct block *b, int oc, int k, int stride, bool depthwise)
{
    node_name name;

    NAME(name, "%s.%d", b->name, b->part++);
    b->x = conv_norm(b->g,
                     &(struct conv_spec){.in = b->x,
                                         .residual = GRAPH_NONE,
                                         .oc = oc,
                                         .k = k,
                                         .stride = stride,
                                         .depthwise = depthwise,
                                         .act = b->act,
                                         .norm_eps = b->eps,
                                         .norm_momentum = b->momentum},
                     name);
}

/* 1x1 to oc channels; `drop`: how often training leaves the branch out. */
static int block_project(struct block *b, int oc, int residual, float drop)
{
    node_name name;

    NAME(name, "%s.%d", b->name, b->part++);
    return conv_norm(b->g,
                     &(struct conv_spec){.in = b->x,
                                         .residual = residual,
                                         .residual_after = residual != GRAPH_NONE,
                                         .oc = oc,
                                         .k = 1,
                                         .stride = 1,
                                         .act = ACT_NONE,
                                         .drop = residual == GRAPH_NONE ? 0 : drop,
                                         .norm_eps = b->eps,
                                         .norm_momentum = b->momentum},
                     name);
}

/* Squeeze-and-excitation: a gate for each channel from the average of all. */
static void block_squeeze(struct block *b, int channels, int squeezed, enum act inner,
                          enum act gate)
{
    node_name first, second;

    NAME(first, "%s.%d.fc1", b->name, b->part);
    NAME(second, "%s.%d.fc2", b->name, b->part++);
    struct conv_spec s = {.in = graph_average(b->g, b->x),
                          .residual = GRAPH_NONE,
                          .oc = squeezed,
                          .k = 1,
                          .stride = 1,
                          .act = inner,
                          .conv_name = first};
    s.in = graph_conv(b->g, &s);
    s.oc = channels;
    s.act = gate;
    s.conv_name = second;
    b->x = graph_scale(b->g, b->x, graph_conv(b->g, &s));
}

static int stem(struct graph *g, int oc, bool small_stem, const struct block *like)
{
    return conv_norm(g,
                     &(struct conv_spec){.in = graph_image(g),
                                         .residual = GRAPH_NONE,
                                         .oc = oc,
                                         .k = 3,
                                         .stride = small_stem ? 1 : 2,
                                         .act = like->act,
                                         .norm_eps = like->eps,
                                         .norm_momentum = like->momentum},
                     "features.0");
}

/* ---- MobileNetV2 */

/* torchvision has the last convolution and its norm one level higher. */
static int project_v2(struct block *b, int oc, int residual)
{
    node_name conv, norm;

    NAME(conv, "%s.%d", b->name, b->part);
    NAME(norm, "%s.%d", b->name, b->part + 1);
    return graph_conv(b->g, &(struct conv_spec){.in = b->x,
                                                .residual = residual,
                                                .oc = oc,
                                                .k = 1,
                                                .stride = 1,
                                                .act = ACT_NONE,
                                                .conv_name = conv,
                                                .norm_name = norm});
}

void network_build_mobilenetv2(const struct network *w, struct graph *g, int classes,
                               bool small_stem)
{
    static const struct {
        int expand, oc, repeat, stride;
    } rows[] = {{1, 16, 1, 1}, {6, 24, 2, 2},  {6, 32, 3, 2}, {6, 64, 4, 2},
                {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};
    struct block b = {.g = g, .act = ACT_RELU6};
    int ic = 32, feature = 1;

    b.x = stem(g, ic, small_stem, &b);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (int r = 0; r < rows[i].repeat; r++) {
            const int stride = r > 0 || (small_stem && i == 1) ? 1 : rows[i].stride;
            const int in = b.x, oc = rows[i].oc;
            node_name name;
            NAME(name, "features.%d.conv", feature++);
            b.name = name;
            b.part = 0;
            if (rows[i].expand != 1)
                block_conv(&b, ic * rows[i].expand, 1, 1, false);
            block_conv(&b, ic * rows[i].expand, 3, stride, true);
            b.x = project_v2(&b, oc, stride == 1 && ic == oc ? in : GRAPH_NONE);
            ic = oc;
        }
    b.name = "features";
    b.part = 18;
    block_conv(&b, 1280, 1, 1, false);
    graph_linear(g, graph_dropout(g, graph_average(g, b.x), 0.2), classes, "classifier.1");
}

/* ---- MobileNetV3, small */

static int round_to_8(int channels)
{
    const int rounded = (channels + 4) / 8 * 8, least = rounded < 8 ? 8 : rounded;

    return least * 10 < channels * 9 ? least + 8 : least; /* not below nine tenths */
}

void network_build_mobilenetv3(const struct network *w, struct graph *g, int classes,
                               bool small_stem)
{
    static const struct {
        int k, middle, oc, squeeze, swish, stride;
    } rows[] = {{3, 16, 16, 1, 0, 2},  {3, 72, 24, 0, 0, 2},  {3, 88, 24, 0, 0, 1},
                {5, 96, 40, 1, 1, 2},  {5, 240, 40, 1, 1, 1}, {5, 240, 40, 1, 1, 1},
                {5, 120, 48, 1, 1, 1}, {5, 144, 48, 1, 1, 1}, {5, 288, 96, 1, 1, 2},
                {5, 576, 96, 1, 1, 1}, {5, 576, 96, 1, 1, 1}};
    struct block b = {.g = g, .act = ACT_HARD_SWISH, .eps = 1e-3f, .momentum = 0.01f};
    int ic = 16;

    b.x = stem(g, ic, small_stem, &b);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const int stride = small_stem && i == 0 ? 1 : rows[i].stride;
        const int in = b.x, middle = rows[i].middle, oc = rows[i].oc;
        node_name name;
        NAME(name, "features.%zu.block", i + 1);
        b.name = name;
        b.part = 0;
        b.act = rows[i].swish ? ACT_HARD_SWISH : ACT_RELU;
        if (middle != ic)
            block_conv(&b, middle, 1, 1, false);
        block_conv(&b, middle, rows[i].k, stride, true);
        if (rows[i].squeeze)
            block_squeeze(&b, middle, round_to_8(middle / 4), ACT_RELU, ACT_HARD_SIGMOID);
        /* as torchvision, by the stride of the large stem */
        b.x = block_project(&b, oc, rows[i].stride == 1 && ic == oc ? in : GRAPH_NONE, 0);
        ic = oc;
    }
    b.name = "features";
    b.part = 12;
    b.act = ACT_HARD_SWISH;
    block_conv(&b, 6 * ic, 1, 1, false);
    const int x = graph_conv(g, &(struct conv_spec){.in = graph_average(g, b.x),
                                                    .residual = GRAPH_NONE,
                                                    .oc = 1024,
                                                    .k = 1,
                                                    .stride = 1,
                                                    .act = ACT_HARD_SWISH,
                                                    .conv_name = "classifier.0",
                                                    .dense = true});
    graph_linear(g, graph_dropout(g, x, 0.2), classes, "classifier.3");
}

/* ---- EfficientNet-B0 */

void network_build_efficientnet(const struct network *w, struct graph *g, int classes,
                                bool small_stem)
{
    static const struct {
        int expand, k, stride, oc, repeat;
    } rows[] = {{1, 3, 1, 16, 1},  {6, 3, 2, 24, 2},  {6, 5, 2, 40, 2}, {6, 3, 2, 80, 3},
                {6, 5, 1, 112, 3}, {6, 5, 2, 192, 4}, {6, 3, 1, 320, 1}};
    enum { BLOCKS = 16 };
    struct block b = {.g = g, .act = ACT_SILU};
    int ic = 32, number = 0;

    b.x = stem(g, ic, small_stem, &b);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (int r = 0; r < rows[i].repeat; r++) {
            const int stride = r > 0 || (small_stem && i == 1) ? 1 : rows[i].stride;
            const int in = b.x, oc = rows[i].oc, middle = ic * rows[i].expand;
            node_name name;
            NAME(name, "features.%zu.%d.block", i + 1, r);
            b.name = name;
            b.part = 0;
            if (rows[i].expand != 1)
                block_conv(&b, middle, 1, 1, false);
            block_conv(&b, middle, rows[i].k, stride, true);
            block_squeeze(&b, middle, ic / 4, ACT_SILU, ACT_SIGMOID);
            b.x = block_project(&b, oc, stride == 1 && ic == oc ? in : GRAPH_NONE,
                                0.2f * (float)number / BLOCKS);
            number++;
            ic = oc;
        }
    b.name = "features";
    b.part = 8;
    block_conv(&b, 4 * ic, 1, 1, false);
    graph_linear(g, graph_dropout(g, graph_average(g, b.x), 0.2), classes, "classifier.1");
}
