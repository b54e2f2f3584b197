/* family.h - a row of the table of networks (networks.c), and what builds each family.
 *
 * To add a network: a card and a row in networks.c; its family's function and shape here.
 */
#ifndef ANNEAL_ENGINE_MODEL_FAMILY_H
#define ANNEAL_ENGINE_MODEL_FAMILY_H

#include "engine/model/net_int.h"
#include <stdio.h>

/* A residual network: stages of blocks; width is of a block's 3x3 convolutions. */
struct resnet_shape {
    int stages;
    int width[4], blocks[4];
    bool bottleneck; /* 1x1, 3x3, 1x1 to four times the width; else two 3x3 */
};

struct network {
    const struct net_card *card;
    void (*build)(const struct network *w, struct graph *g, int classes, bool small_stem);
    const char *head; /* what the names of the class-dependent parameters begin with */
    enum network_linear linear;
    const struct resnet_shape *resnet; /* of its family */
    const struct csp_size *csp;        /* of the detector's: csp.h */
};

typedef char node_name[GRAPH_NAME_MAX];
#define NAME(to, ...) ASSERT(snprintf(to, sizeof to, __VA_ARGS__) < (int)sizeof to)

/* networks_resnet.c */
extern const struct resnet_shape resnet_tiny, resnet_18, resnet_34, resnet_50;
void network_build_resnet(const struct network *w, struct graph *g, int classes, bool small_stem);
/* networks_mobile.c */
void network_build_mobilenetv2(const struct network *w, struct graph *g, int classes,
                               bool small_stem);
void network_build_mobilenetv3(const struct network *w, struct graph *g, int classes,
                               bool small_stem);
void network_build_efficientnet(const struct network *w, struct graph *g, int classes,
                                bool small_stem);
/* networks_detect.c */
extern const struct csp_size csp_tiny, csp_n, csp_s;
void network_build_detect(const struct network *w, struct graph *g, int classes, bool small_stem);
/* networks_segment.c */
void network_build_segment(const struct network *w, struct graph *g, int classes, bool small_stem);
void network_build_semantic(const struct network *w, struct graph *g, int classes, bool small_stem);

#endif
