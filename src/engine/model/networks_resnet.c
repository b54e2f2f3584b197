/* networks_resnet.c - residual networks: He, Zhang, Ren, Sun, arXiv:1512.03385.
 *
 * Names and shapes of the tensors are torchvision's, so that checkpoints can be exchanged; as
 * there, a bottleneck strides in its 3x3 convolution ("v1.5").  The small stem is one 3x3
 * convolution.  A bottleneck begins as its shortcut, the scale of its last norm being 0 (Goyal et
 * al., arXiv:1706.02677, 5.1): sixteen of them, each adding its variance, begin chaotically else.
 */
#include "engine/model/family.h"

enum {
    BOTTLENECK = 4,     /* a bottleneck's output over its width */
    BOTTLENECK_LAST = 3 /* its convolutions */
};

const struct resnet_shape resnet_tiny = {3, {16, 32, 64}, {1, 1, 1}, false};
const struct resnet_shape resnet_18 = {4, {64, 128, 256, 512}, {2, 2, 2, 2}, false};
const struct resnet_shape resnet_34 = {4, {64, 128, 256, 512}, {3, 4, 6, 3}, false};
const struct resnet_shape resnet_50 = {4, {64, 128, 256, 512}, {3, 4, 6, 3}, true};

/* A block's place, and one of its convolutions. */
struct block {
    int stage, number;
    int in, width, stride;
    bool project; /* the shortcut needs a convolution */
};

static int block_conv(struct graph *g, const struct block *b, int in, int part, int oc, int k,
                      int stride, int residual)
{
    node_name conv, norm;

    NAME(conv, "layer%d.%d.conv%d", b->stage, b->number, part);
    NAME(norm, "layer%d.%d.bn%d", b->stage, b->number, part);
    return graph_conv(g, &(struct conv_spec){.in = in,
                                             .residual = residual,
                                             .oc = oc,
                                             .k = k,
                                             .stride = stride,
                                             .pad = k / 2,
                                             .act = ACT_RELU,
                                             .conv_name = conv,
                                             .norm_name = norm,
                                             .scale_zero = part == BOTTLENECK_LAST});
}

static int shortcut(struct graph *g, const struct block *b, int oc)
{
    node_name conv, norm;

    if (!b->project)
        return b->in;
    NAME(conv, "layer%d.%d.downsample.0", b->stage, b->number);
    NAME(norm, "layer%d.%d.downsample.1", b->stage, b->number);
    return graph_conv(g, &(struct conv_spec){.in = b->in,
                                             .residual = GRAPH_NONE,
                                             .oc = oc,
                                             .k = 1,
                                             .stride = b->stride,
                                             .act = ACT_NONE,
                                             .conv_name = conv,
                                             .norm_name = norm});
}

static int basic(struct graph *g, const struct block *b)
{
    const int x = block_conv(g, b, b->in, 1, b->width, 3, b->stride, GRAPH_NONE);
    const int around = shortcut(g, b, b->width);

    return block_conv(g, b, x, 2, b->width, 3, 1, around);
}

static int bottleneck(struct graph *g, const struct block *b)
{
    int x = block_conv(g, b, b->in, 1, b->width, 1, 1, GRAPH_NONE);

    x = block_conv(g, b, x, 2, b->width, 3, b->stride, GRAPH_NONE);
    const int around = shortcut(g, b, BOTTLENECK * b->width);
    return block_conv(g, b, x, BOTTLENECK_LAST, BOTTLENECK * b->width, 1, 1, around);
}

void network_build_resnet(const struct network *w, struct graph *g, int classes, bool small_stem)
{
    const struct resnet_shape *s = w->resnet;
    const struct conv_spec stem = {.in = graph_image(g),
                                   .residual = GRAPH_NONE,
                                   .oc = s->width[0],
                                   .k = small_stem ? 3 : 7,
                                   .stride = small_stem ? 1 : 2,
                                   .pad = small_stem ? 1 : 3,
                                   .act = ACT_RELU,
                                   .conv_name = "conv1",
                                   .norm_name = "bn1"};
    int x = graph_conv(g, &stem);

    if (!small_stem)
        x = graph_max_pool(g, x, 3, 2, 1);
    for (int stage = 0; stage < s->stages; stage++)
        for (int i = 0; i < s->blocks[stage]; i++) {
            const bool down = stage > 0 && i == 0;
            const struct block b = {.stage = stage + 1,
                                    .number = i,
                                    .in = x,
                                    .width = s->width[stage],
                                    .stride = down ? 2 : 1,
                                    .project = down || (s->bottleneck && i == 0)};
            x = s->bottleneck ? bottleneck(g, &b) : basic(g, &b);
        }
    graph_linear(g, graph_average(g, x), classes, "fc");
}
