/* export_int.h - what the files that build a program from a network share. */
#ifndef ANNEAL_ENGINE_EXPORT_EXPORT_INT_H
#define ANNEAL_ENGINE_EXPORT_EXPORT_INT_H

#include "engine/export/export.h"
#include "engine/graph/graph.h"

struct exporter {
    const struct graph *g;
    struct net_info info;
    struct program *p;
    int image;                  /* the input as the network takes it */
    int value[GRAPH_NODES_MAX]; /* of each node */
};

int export_one(struct exporter *x, enum op_kind kind, int in, const char *name);
int export_two(struct exporter *x, enum op_kind kind, int a, int b, const char *name);

/* export_head.c: from the graph's outputs to the program's, by task. */
enum rc export_head(struct exporter *x, struct err *e) must_check;

#endif
