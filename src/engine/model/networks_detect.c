/* networks_detect.c - the detector: a CSP backbone, a pyramid and heads for three scales.
 *
 * Backbone: five convolutions of stride 2, behind all but the first a two-branch block (Wang et
 * al., CSPNet, arXiv:1911.11929): one 1x1 convolution goes around, another feeds a chain of
 * bottlenecks, and everything the chain has made is joined at the end.  Then pyramid pooling by
 * three chained 5x5 pools (He et al., arXiv:1406.4729).  Neck: top-down and bottom-up again (Liu et
 * al., PANet, arXiv:1803.01534).  Heads: boxes and classes apart, without anchors (Ge et al.,
 * arXiv:2107.08430), distances as distributions (detect.h).  SiLU throughout.
 *
 * Only the last convolution of the class branch depends on the classes: "head.".
 */
#include "engine/model/csp.h"
#include "engine/model/detect.h"
#include <math.h>
#include <stdarg.h>

const struct csp_size csp_tiny = {.width = {16, 32, 32, 32, 32}, .depth = {1, 1, 1, 1}, .head = 16};
const struct csp_size csp_n = {.width = {16, 32, 64, 128, 256}, .depth = {1, 2, 2, 1}, .head = 64};
const struct csp_size csp_s = {
    .width = {32, 64, 128, 256, 512}, .depth = {1, 2, 2, 1}, .head = 128};

int csp_conv(struct graph *g, int in, struct csp_conv c, const char *fmt, ...)
{
    node_name name, conv, norm;
    va_list ap;

    va_start(ap, fmt);
    ASSERT(vsnprintf(name, sizeof name, fmt, ap) < (int)sizeof name);
    va_end(ap);
    NAME(conv, "%s.conv", name);
    NAME(norm, "%s.norm", name);
    const bool residual = c.residual != 0;
    return graph_conv(g, &(struct conv_spec){.in = in,
                                             .residual = residual ? c.residual : GRAPH_NONE,
                                             .residual_after = residual,
                                             .oc = c.oc,
                                             .k = c.k,
                                             .stride = c.stride ? c.stride : 1,
                                             .pad = c.k / 2,
                                             .act = ACT_SILU,
                                             .conv_name = conv,
                                             .norm_name = norm});
}

int csp_output(struct graph *g, int in, int oc, double bias, const char *fmt, ...)
{
    node_name name;
    va_list ap;

    va_start(ap, fmt);
    ASSERT(vsnprintf(name, sizeof name, fmt, ap) < (int)sizeof name);
    va_end(ap);
    return graph_output(g, graph_conv(g, &(struct conv_spec){.in = in,
                                                             .residual = GRAPH_NONE,
                                                             .oc = oc,
                                                             .k = 1,
                                                             .stride = 1,
                                                             .act = ACT_NONE,
                                                             .conv_name = name,
                                                             .bias_init = (float)bias}));
}

int csp_block(struct graph *g, int in, int oc, int depth, bool residual, const char *name)
{
    const int hidden = oc / 2;
    int parts[GRAPH_CONCAT_MAX], n = 2;

    ASSERT(depth + 2 <= GRAPH_CONCAT_MAX);
    parts[0] = csp_conv(g, in, (struct csp_conv){.oc = hidden, .k = 1}, "%s.around", name);
    parts[1] = csp_conv(g, in, (struct csp_conv){.oc = hidden, .k = 1}, "%s.into", name);
    for (int i = 0; i < depth; i++, n++) {
        const int from = parts[n - 1];
        const int middle =
            csp_conv(g, from, (struct csp_conv){.oc = hidden, .k = 3}, "%s.m.%d.cv1", name, i);
        parts[n] = csp_conv(
            g, middle, (struct csp_conv){.oc = hidden, .k = 3, .residual = residual ? from : 0},
            "%s.m.%d.cv2", name, i);
    }
    return csp_conv(g, graph_concat(g, parts, n), (struct csp_conv){.oc = oc, .k = 1}, "%s.join",
                    name);
}

static int pyramid_pool(struct graph *g, int in, int oc, const char *name)
{
    int parts[4] = {csp_conv(g, in, (struct csp_conv){.oc = oc / 2, .k = 1}, "%s.cv1", name)};

    for (int i = 1; i < 4; i++)
        parts[i] = graph_max_pool(g, parts[i - 1], 5, 1, 2);
    return csp_conv(g, graph_concat(g, parts, 4), (struct csp_conv){.oc = oc, .k = 1}, "%s.cv2",
                    name);
}

static int joined(struct graph *g, int a, int b)
{
    return graph_concat(g, (const int[2]){a, b}, 2);
}

void csp_backbone(struct graph *g, const struct csp_size *s, int ret_scales[4])
{
    node_name name;
    int x = csp_conv(g, graph_image(g), (struct csp_conv){s->width[0], 3, 2, 0}, "backbone.0");

    for (int i = 0; i < 4; i++) {
        const int oc = s->width[i + 1];
        x = csp_conv(g, x, (struct csp_conv){oc, 3, 2, 0}, "backbone.%d", 2 * i + 1);
        NAME(name, "backbone.%d", 2 * i + 2);
        x = csp_block(g, x, oc, s->depth[i], true, name);
        if (i == 3)
            x = pyramid_pool(g, x, oc, "backbone.9");
        ret_scales[i] = x;
    }
}

void csp_neck(struct graph *g, const struct csp_size *s, const int scales[4], int ret[3])
{
    const int *w = s->width;
    const int p4 =
        csp_block(g, joined(g, graph_upsample(g, scales[3]), scales[2]), w[3], 1, false, "neck.0");

    ret[0] = csp_block(g, joined(g, graph_upsample(g, p4), scales[1]), w[2], 1, false, "neck.1");
    const int down4 = csp_conv(g, ret[0], (struct csp_conv){w[2], 3, 2, 0}, "neck.2");
    ret[1] = csp_block(g, joined(g, down4, p4), w[3], 1, false, "neck.3");
    const int down5 = csp_conv(g, ret[1], (struct csp_conv){w[3], 3, 2, 0}, "neck.4");
    ret[2] = csp_block(g, joined(g, down5, scales[3]), w[4], 1, false, "neck.5");
}

/* Two 3x3 convolutions of a branch of a head. */
int csp_branch(struct graph *g, int in, int oc, const char *branch, int level)
{
    const struct csp_conv c = {.oc = oc, .k = 3};

    return csp_conv(g, csp_conv(g, in, c, "%s.%d.cv1", branch, level), c, "%s.%d.cv2", branch,
                    level);
}

void csp_heads(struct graph *g, const struct csp_size *s, const int features[3], int classes)
{
    for (int i = 0; i < DETECT_LEVELS; i++) {
        /* An object of each class covers about 5 / classes cells of a 640 pixel picture. */
        const double cells = 640.0 / (8 << i) * 640.0 / (8 << i);
        const int box = csp_branch(g, features[i], s->head < 64 ? s->head : 64, "box", i);
        csp_output(g, box, 4 * DETECT_BINS, 1, "box.%d.out", i);
        csp_output(g, csp_branch(g, features[i], s->head, "cls", i), classes,
                   log(5.0 / classes / cells), "head.%d", i);
    }
}

void network_build_detect(const struct network *w, struct graph *g, int classes, bool small_stem)
{
    const struct csp_size *s = w->csp;
    int scales[4], features[3];

    csp_backbone(g, s, scales);
    csp_neck(g, s, scales, features);
    csp_heads(g, s, features, classes);
}
