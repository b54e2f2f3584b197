/* export_int.h - what the files that build a program from a network share. */
#ifndef ANNEAL_ENGINE_EXPORT_EXPORT_INT_H
#define ANNEAL_ENGINE_EXPORT_EXPORT_INT_H

#include "engine/export/export.h"
#include "engine/graph/graph.h"
#include "engine/model/detect.h"

struct exporter {
    const struct graph *g;
    struct net_info info;
    struct program *p;
    int image;                  /* the input as the network takes it */
    int value[GRAPH_NODES_MAX]; /* of each node */
};

int export_one(struct exporter *x, enum op_kind kind, int in, const char *name);
int export_two(struct exporter *x, enum op_kind kind, int a, int b, const char *name);

/* The graph's outputs, as the networks for a task have them:
 *   detection     0, 2, 4 boxes and 1, 3, 5 classes of strides 8, 16, 32
 *   segmentation  the same; 6, 7, 8 coefficients; 9 prototypes
 *   semantic      0 logits at stride 4 */
enum { OUTPUT_COEFFICIENTS = 2 * DETECT_LEVELS, OUTPUT_PROTOTYPES = 3 * DETECT_LEVELS };
/* export_reference.c: outputs 0 to 5 as the detection head takes them. */
struct detect_maps export_maps(const struct graph *g, const struct net_info *info);

/* export_head.c: from the graph's outputs to the program's, by task. */
void export_head(struct exporter *x);

#endif
