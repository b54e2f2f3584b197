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
    bool decay, frozen;
};

/* What a task adds to a network: memory of its own, the loss. */
struct head {
    /* n->head_memory and whatever else it needs of the heap, once. */
    enum rc (*plan)(struct net *n, struct err *e);
    void (*done)(struct net *n); /* also after a failed plan */
    /* RC_INVALID names what is wrong with the target, before anything has changed; or NULL. */
    enum rc (*check)(const struct net *n, const struct net_target *t, int count, struct err *e);
    /* The loss, its parts, and the gradients of the graph's outputs. */
    void (*loss)(struct net *n, const struct net_target *t, int count, const struct net_update *u,
                 struct net_loss *ret);
    /* After a forward pass; NULL where the task has no such result. */
    void (*detect)(struct net *n, int count, const struct net_detect *d, struct net_detection *ret,
                   int32_t *ret_n);
    void (*mask)(struct net *n, int image, const struct net_detection *d, uint8_t *ret);
    void (*label)(struct net *n, int count, uint8_t *ret);
};
extern const struct head head_classification, head_detection, head_segmentation, head_semantic;
const struct head *net_head(const struct net *n);
/* A forward pass for results; RC_INVALID: count, or the network has another task. */
enum rc net_run(struct net *n, enum net_task task, const float *x, int count,
                struct err *e) must_check;

/* One tensor of the optimiser's state: of which parameter, in which arena. */
struct state_place {
    size_t param;
    int arena; /* graph_state's, or STATE_AVERAGE */
};
enum { STATE_AVERAGE = NET_STATES };

struct net {
    struct net_config config; /* with everything AUTO resolved; model points at the card's name */
    int image_size_max;       /* net_resize changes config.image_size up to this */
    const struct network *network;
    struct graph *graph;
    struct net_tensor *tensors; /* as many as the graph has parameters, in its order */
    size_t tensor_count;
    struct net_tensor *states; /* all of state 0, all of state 1, the average of all tensors */
    struct state_place *state_places;
    size_t state_count;
    char *names; /* of the states */
    struct update_piece *pieces;
    size_t piece_count;
    double *piece_sums; /* squares of the gradients, by piece */
    void *head_memory;  /* of the task's head */
    double *row_losses; /* classification: by image */
    float *logits;      /* classification: [batch_max][classes] */
    bool averaging;     /* the average is in use */
    double grad_norm;
    size_t allocs;
};

/* networks.c */
const struct network *network_find(const char *name);
const struct net_card *network_card(const struct network *w);
/* How linear layers begin: uniform in +-1/sqrt(inputs) with their bias, or normal(0, 0.01) with
 * zero bias.  EfficientNet's own way, +-1/sqrt(outputs), is meant for a thousand classes: with ten
 * the first logits are ten times as large, and training begins by unlearning them. */
enum network_linear { LINEAR_FAN_IN, LINEAR_NORMAL };
enum network_linear network_linear(const struct network *w);
/* Convolutions begin uniform in +-1/sqrt(fan in), as torch.nn.Conv2d's own; else Kaiming. */
bool network_conv_fan_in(const struct network *w);
const char *network_head_prefix(const struct network *w);
void network_build(const struct network *w, struct graph *g, int classes, bool small_stem);

/* init.c: the value of element `index` of tensor number `tensor`. */
double init_uniform(uint64_t seed, uint64_t tensor, uint64_t index); /* [0, 1) */
double init_normal(uint64_t seed, uint64_t tensor, uint64_t index);

/* optimizer.c */
enum rc optimizer_plan(struct net *n, struct err *e) must_check; /* the pieces */
void optimizer_run(struct net *n, const struct net_update *u);

#endif
