/* net_int.h - what the files of model/ share. */
#ifndef ANNEAL_ENGINE_MODEL_NET_INT_H
#define ANNEAL_ENGINE_MODEL_NET_INT_H

#include "engine/graph/graph.h"
#include "engine/model/net.h"

struct network; /* a row of networks.c: card and how it is built */

enum { NET_STATES = 2 }; /* AdamW's two moments */

/* A run of parameters with one weight decay, for the update's items. */
struct update_piece {
    size_t at, n; /* floats */
    bool decay;
};

struct net {
    struct net_config config; /* with everything AUTO resolved; model points at the card's name */
    const struct network *network;
    struct graph *graph;
    struct net_tensor *tensors; /* as many as the graph has parameters, in its order */
    size_t tensor_count;
    struct net_tensor *states; /* all of state 0, then all of state 1 */
    size_t *state_param;       /* the graph's parameter of each */
    size_t state_count, states_each;
    char *names; /* of the states */
    struct update_piece *pieces;
    size_t piece_count;
    double *piece_sums; /* squares of the gradients, by piece */
    double *row_losses; /* by image */
    float *logits;      /* [batch_max][classes] */
    double grad_norm;
    size_t allocs;
};

/* networks.c */
const struct network *network_find(const char *name);
const struct net_card *network_card(const struct network *w);
bool network_linear_normal(const struct network *w); /* last layer N(0, 0.01) rather than uniform */
void network_build(const struct network *w, struct graph *g, int classes, bool small_stem);

/* init.c: the value of element `index` of tensor number `tensor`. */
double init_uniform(uint64_t seed, uint64_t tensor, uint64_t index); /* [0, 1) */
double init_normal(uint64_t seed, uint64_t tensor, uint64_t index);

/* loss.c: fills the graph's gradient of the logits. */
double loss_run(struct net *n, const float *target, int count, const float *class_weights);

/* optimizer.c */
enum rc optimizer_plan(struct net *n, struct err *e) must_check; /* the pieces */
void optimizer_run(struct net *n, const struct net_update *u);

#endif
