/* csp.h - parts of the detector's family of networks (networks_detect.c), which segmentation uses
 * too: a size, convolutions, blocks, backbone, neck, heads. */
#ifndef ANNEAL_ENGINE_MODEL_CSP_H
#define ANNEAL_ENGINE_MODEL_CSP_H

#include "engine/model/family.h"

/* Channels at strides 2 to 32, bottlenecks at strides 4 to 32, channels of the class branch. */
struct csp_size {
    int width[5], depth[4], head;
};

/* Convolution without bias, batch norm, SiLU, then the residual (a node; 0: none).  The name of the
 * two tensors' owner is formatted. */
struct csp_conv {
    int oc, k, stride, residual; /* stride 0: 1 */
};
int csp_conv(struct graph *g, int in, struct csp_conv c, const char *fmt, ...) printf_like(4, 5);
/* 1x1 with a bias and nothing else; an output of the graph. */
int csp_output(struct graph *g, int in, int oc, double bias, const char *fmt, ...)
    printf_like(5, 6);
int csp_block(struct graph *g, int in, int oc, int depth, bool residual, const char *name);
int csp_branch(struct graph *g, int in, int oc, const char *branch, int level);
/* Strides 4, 8, 16, 32. */
void csp_backbone(struct graph *g, const struct csp_size *s, int ret_scales[4]);
/* Strides 8, 16, 32. */
void csp_neck(struct graph *g, const struct csp_size *s, const int scales[4], int ret[3]);
/* Outputs 0..5: boxes and classes of stride 8, of 16, of 32. */
void csp_heads(struct graph *g, const struct csp_size *s, const int features[3], int classes);

#endif
