/* networks.c - the networks that can be built, as a table: card and description in nodes.
 *
 * ResNet: He, Zhang, Ren, Sun, arXiv:1512.03385.  MobileNetV2: Sandler et al., arXiv:1801.04381.
 * Names and shapes of the tensors are torchvision's, so that checkpoints can be exchanged.
 */
#include "engine/model/net_int.h"
#include <string.h>

enum { STAGES_MAX = 4 };

struct network {
    const struct net_card *card;
    bool linear_normal;
    const char *head; /* what the names of the class-dependent parameters begin with */
    int stages;
    int width[STAGES_MAX], blocks[STAGES_MAX]; /* of a resnet */
    void (*build)(const struct network *w, struct graph *g, int classes, bool small_stem);
};

typedef char node_name[GRAPH_NAME_MAX];

#define NAME(to, ...) ASSERT(snprintf(to, sizeof to, __VA_ARGS__) < (int)sizeof to)

/* ---- ResNet of basic blocks: two 3x3 convolutions and a shortcut */

static int basic_block(struct graph *g, int in, int stage, int block, int width, int stride,
                       bool project)
{
    node_name conv, norm;
    struct conv_spec s = {.in = in,
                          .residual = GRAPH_NONE,
                          .oc = width,
                          .k = 3,
                          .stride = stride,
                          .pad = 1,
                          .act = ACT_RELU,
                          .conv_name = conv,
                          .norm_name = norm};
    int shortcut = in;

    NAME(conv, "layer%d.%d.conv1", stage, block);
    NAME(norm, "layer%d.%d.bn1", stage, block);
    const int first = graph_conv(g, &s);
    if (project) {
        struct conv_spec p = s;
        NAME(conv, "layer%d.%d.downsample.0", stage, block);
        NAME(norm, "layer%d.%d.downsample.1", stage, block);
        p.k = 1;
        p.pad = 0;
        p.act = ACT_NONE;
        shortcut = graph_conv(g, &p);
    }
    NAME(conv, "layer%d.%d.conv2", stage, block);
    NAME(norm, "layer%d.%d.bn2", stage, block);
    s.in = first;
    s.residual = shortcut;
    s.stride = 1;
    return graph_conv(g, &s);
}

static void build_resnet(const struct network *w, struct graph *g, int classes, bool small_stem)
{
    const struct conv_spec stem = {.in = graph_image(g),
                                   .residual = GRAPH_NONE,
                                   .oc = w->width[0],
                                   .k = small_stem ? 3 : 7,
                                   .stride = small_stem ? 1 : 2,
                                   .pad = small_stem ? 1 : 3,
                                   .act = ACT_RELU,
                                   .conv_name = "conv1",
                                   .norm_name = "bn1"};
    int x = graph_conv(g, &stem);

    if (!small_stem)
        x = graph_max_pool(g, x, 3, 2, 1);
    for (int stage = 0; stage < w->stages; stage++)
        for (int block = 0; block < w->blocks[stage]; block++) {
            const bool down = stage > 0 && block == 0;
            x = basic_block(g, x, stage + 1, block, w->width[stage], down ? 2 : 1, down);
        }
    graph_linear(g, graph_average(g, x), classes, "fc");
}

/* ---- MobileNetV2: expand 1x1, depthwise 3x3, project 1x1 without activation */

static int mobile_conv(struct graph *g, int in, int residual, int oc, int k, int stride,
                       bool depthwise, enum act act, const char *conv, const char *norm)
{
    return graph_conv(g, &(struct conv_spec){.in = in,
                                             .residual = residual,
                                             .oc = oc,
                                             .k = k,
                                             .stride = stride,
                                             .pad = k / 2,
                                             .depthwise = depthwise,
                                             .act = act,
                                             .conv_name = conv,
                                             .norm_name = norm});
}

static int inverted_residual(struct graph *g, int in, int feature, int ic, int oc, int expand,
                             int stride)
{
    node_name conv, norm;
    int x = in, part = 0;

    if (expand != 1) {
        NAME(conv, "features.%d.conv.%d.0", feature, part);
        NAME(norm, "features.%d.conv.%d.1", feature, part);
        part++;
        x = mobile_conv(g, x, GRAPH_NONE, ic * expand, 1, 1, false, ACT_RELU6, conv, norm);
    }
    NAME(conv, "features.%d.conv.%d.0", feature, part);
    NAME(norm, "features.%d.conv.%d.1", feature, part);
    x = mobile_conv(g, x, GRAPH_NONE, ic * expand, 3, stride, true, ACT_RELU6, conv, norm);
    NAME(conv, "features.%d.conv.%d", feature, part + 1);
    NAME(norm, "features.%d.conv.%d", feature, part + 2);
    return mobile_conv(g, x, stride == 1 && ic == oc ? in : GRAPH_NONE, oc, 1, 1, false, ACT_NONE,
                       conv, norm);
}

static void build_mobilenet(const struct network *w, struct graph *g, int classes, bool small_stem)
{
    static const struct {
        int expand, oc, repeat, stride;
    } rows[] = {{1, 16, 1, 1}, {6, 24, 2, 2},  {6, 32, 3, 2}, {6, 64, 4, 2},
                {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};
    int ic = 32, feature = 1;
    int x = mobile_conv(g, graph_image(g), GRAPH_NONE, ic, 3, small_stem ? 1 : 2, false, ACT_RELU6,
                        "features.0.0", "features.0.1");

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (int r = 0; r < rows[i].repeat; r++) {
            int stride = r == 0 ? rows[i].stride : 1;
            if (small_stem && i == 1)
                stride = 1;
            x = inverted_residual(g, x, feature++, ic, rows[i].oc, rows[i].expand, stride);
            ic = rows[i].oc;
        }
    x = mobile_conv(g, x, GRAPH_NONE, 1280, 1, 1, false, ACT_RELU6, "features.18.0",
                    "features.18.1");
    graph_linear(g, graph_average(g, x), classes, "classifier.1");
}

/* ---- the tables */

static const struct net_card cards[] = {
    {.name = "tiny",
     .title = "Tiny ResNet",
     .task = NET_CLASSIFICATION,
     .description = "A residual network of 8 layers and 16 to 64 channels: trains in seconds, for "
                    "trying things out and for very small pictures.",
     .image_size_default = 32,
     .image_size_min = 8,
     .params = 144312},
    {.name = "resnet18",
     .title = "ResNet-18",
     .task = NET_CLASSIFICATION,
     .description = "Residual network of 18 layers: the usual first choice.",
     .image_size_default = 224,
     .image_size_min = 8,
     .params = 11689512},
    {.name = "resnet34",
     .title = "ResNet-34",
     .task = NET_CLASSIFICATION,
     .description = "Residual network of 34 layers: more accurate on large sets, twice the work "
                    "of ResNet-18.",
     .image_size_default = 224,
     .image_size_min = 8,
     .params = 21797672},
    {.name = "mobilenetv2",
     .title = "MobileNetV2",
     .task = NET_CLASSIFICATION,
     .description = "Inverted residuals with depthwise convolutions: small and quick to run, for "
                    "phones and browsers.  Without dropout.",
     .image_size_default = 224,
     .image_size_min = 8,
     .params = 3504872},
};
enum { NETWORKS = sizeof cards / sizeof cards[0] };

static const struct network networks[NETWORKS] = {
    {.card = &cards[0],
     .head = "fc.",
     .stages = 3,
     .width = {16, 32, 64},
     .blocks = {1, 1, 1},
     .build = build_resnet},
    {.card = &cards[1],
     .head = "fc.",
     .stages = 4,
     .width = {64, 128, 256, 512},
     .blocks = {2, 2, 2, 2},
     .build = build_resnet},
    {.card = &cards[2],
     .head = "fc.",
     .stages = 4,
     .width = {64, 128, 256, 512},
     .blocks = {3, 4, 6, 3},
     .build = build_resnet},
    {.card = &cards[3], .head = "classifier.", .linear_normal = true, .build = build_mobilenet},
};

const struct network *network_find(const char *name)
{
    for (size_t i = 0; i < NETWORKS; i++)
        if (strcmp(networks[i].card->name, name) == 0)
            return &networks[i];
    return NULL;
}

const struct net_card *network_card(const struct network *w)
{
    return w->card;
}

const char *network_head_prefix(const struct network *w)
{
    return w->head;
}

bool network_linear_normal(const struct network *w)
{
    return w->linear_normal;
}

void network_build(const struct network *w, struct graph *g, int classes, bool small_stem)
{
    w->build(w, g, classes, small_stem);
}

const struct net_card *net_card_find(const char *name)
{
    const struct network *w = network_find(name);

    return w ? w->card : NULL;
}

const struct net_card *net_cards(size_t *ret_n)
{
    *ret_n = NETWORKS;
    return cards;
}
