/* networks_segment.c - the segmentation networks, on the detector's backbone (networks_detect.c).
 *
 * Instances: the detector, a third branch of its heads for the masks' coefficients, and prototypes
 * from the finest map, made twice as fine (arXiv:1904.02689).
 * Semantic: a feature pyramid (Lin et al., arXiv:1612.03144) from stride 32 down to stride 4, where
 * one convolution gives the logits of the classes.
 */
#include "engine/model/csp.h"
#include "engine/model/segment.h"

void network_build_segment(const struct network *w, struct graph *g, int classes, bool small_stem)
{
    const struct csp_conv wide = {.oc = w->csp->head, .k = 3};
    int scales[4], features[3];

    csp_backbone(g, w->csp, scales);
    csp_neck(g, w->csp, scales, features);
    csp_heads(g, w->csp, features, classes);
    for (int i = 0; i < DETECT_LEVELS; i++)
        csp_output(g, csp_branch(g, features[i], SEGMENT_PROTOTYPES, "mask", i), SEGMENT_PROTOTYPES,
                   0, "mask.%d.out", i);
    const int fine = graph_upsample(g, csp_conv(g, features[0], wide, "proto.cv1"));
    csp_output(g, csp_conv(g, fine, wide, "proto.cv2"), SEGMENT_PROTOTYPES, 0, "proto.out");
}

void network_build_semantic(const struct network *w, struct graph *g, int classes, bool small_stem)
{
    const int width = w->csp->head;
    int scales[4];

    csp_backbone(g, w->csp, scales);
    int x = csp_conv(g, scales[3], (struct csp_conv){.oc = width, .k = 1}, "pyramid.3");
    for (int i = 2; i >= 0; i--)
        x = csp_conv(g, scales[i],
                     (struct csp_conv){.oc = width, .k = 1, .residual = graph_upsample(g, x)},
                     "pyramid.%d", i);
    x = csp_conv(g, x, (struct csp_conv){.oc = width, .k = 3}, "decode.0");
    csp_output(g, csp_conv(g, x, (struct csp_conv){.oc = width, .k = 3}, "decode.1"), classes, 0,
               "head");
}
