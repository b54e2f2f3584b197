/* run.c - executes a graph node by node; the image, the average and the linear layer. */
#include "engine/graph/graph_int.h"
#include <string.h>

static const float *input(const struct run *r)
{
    return value_of(r->g, input_of(r->g, r->n, 0));
}

/* ---- image */

enum { PACK_PIXELS = 16384 }; /* of an item */

static int packs_of_image(const struct node *n)
{
    return (n->h * n->w + PACK_PIXELS - 1) / PACK_PIXELS;
}

static void pack_image(void *ud, int item, int thread)
{
    const struct run *r = ud;
    const size_t plane = (size_t)r->n->h * (size_t)r->n->w;
    const size_t image = (size_t)(item / packs_of_image(r->n));
    const size_t from = (size_t)(item % packs_of_image(r->n)) * PACK_PIXELS;

    r->g->k->image_pack(r->image + image * 3 * plane,
                        buffer_at(r->g, r->n->out) + image * CH_IMAGE * plane, plane, from,
                        plane - from < PACK_PIXELS ? plane - from : PACK_PIXELS);
}

/* ---- average over all pixels: an item is an image */

static void average_forward(void *ud, int image, int thread)
{
    const struct run *r = ud;
    const struct node *from = input_of(r->g, r->n, 0);
    const size_t pixels = (size_t)from->h * (size_t)from->w;

    for (size_t at = (size_t)image * (size_t)from->c_pad;
         at < (size_t)(image + 1) * (size_t)from->c_pad; at += CH)
        r->g->k->average(input(r) + at * pixels, buffer_at(r->g, r->n->out) + at, (int)pixels);
}

static void average_backward(void *ud, int image, int thread)
{
    const struct run *r = ud;
    const struct node *from = input_of(r->g, r->n, 0);
    const size_t pixels = (size_t)from->h * (size_t)from->w;
    const float *grad = buffer_at(r->g, r->n->grads[0]);

    for (size_t at = (size_t)image * (size_t)from->c_pad;
         at < (size_t)(image + 1) * (size_t)from->c_pad; at += CH)
        r->g->k->average_grad(grad + at, buffer_at(r->g, r->n->dx[0]) + at * pixels, (int)pixels);
}

/* ---- linear: logits[image][class] = w[class] . row[image] + b[class] */

static void linear_forward(void *ud, int image, int thread)
{
    const struct run *r = ud;
    const struct node *n = r->n;
    const size_t features = (size_t)input_of(r->g, n, 0)->c_pad;
    const float *w = value_at(r->g, n->weight), *b = value_at(r->g, n->bias);
    const float *row = input(r) + (size_t)image * features;
    float *logits = buffer_at(r->g, n->out) + (size_t)image * (size_t)n->c_pad;

    for (int c = 0; c < n->c; c++)
        logits[c] = r->g->k->dot(w + (size_t)c * features, row, features) + b[c];
}

static void linear_backward_row(void *ud, int image, int thread)
{
    const struct run *r = ud;
    const struct node *n = r->n;
    const size_t features = (size_t)input_of(r->g, n, 0)->c_pad;
    const float *w = value_at(r->g, n->weight);
    const float *d = r->g->logits_grad + (size_t)image * (size_t)n->c_pad;
    float *row = buffer_at(r->g, n->dx[0]) + (size_t)image * features;

    memset(row, 0, features * sizeof *row);
    for (int c = 0; c < n->c; c++)
        r->g->k->add_scaled(row, w + (size_t)c * features, d[c], features);
}

static void linear_backward_class(void *ud, int class, int thread)
{
    const struct run *r = ud;
    const struct node *n = r->n;
    const size_t features = (size_t)input_of(r->g, n, 0)->c_pad;
    float *dw = grad_at(r->g, n->weight) + (size_t) class * features;
    double bias = 0;

    memset(dw, 0, features * sizeof *dw);
    for (int image = 0; image < r->count; image++) {
        const float d = r->g->logits_grad[(size_t)image * (size_t)n->c_pad + (size_t) class];
        r->g->k->add_scaled(dw, input(r) + (size_t)image * features, d, features);
        bias += (double)d;
    }
    grad_at(r->g, n->bias)[class] = (float)bias;
}

/* ---- the whole */

static void node_forward(struct run *r)
{
    struct crew *crew = r->g->crew;

    switch (r->n->kind) {
    case NODE_IMAGE:
        crew_run(crew, r->count * packs_of_image(r->n), pack_image, r);
        break;
    case NODE_CONV:
        if (r->n->conv.streams)
            piece_forward_run(r);
        else
            conv_forward_run(r);
        if (r->g->config.train) {
            lap(r, LAP_FORWARD);
            norm_forward_run(r);
        }
        break;
    case NODE_AVERAGE:
        crew_run(crew, images_of_shards(r->g, r->count), average_forward, r);
        break;
    case NODE_LINEAR:
        crew_run(crew, r->count, linear_forward, r);
        break;
    default:
        shape_forward_run(r);
    }
}

static void node_backward(struct run *r)
{
    struct crew *crew = r->g->crew;

    switch (r->n->kind) {
    case NODE_IMAGE:
        break;
    case NODE_CONV:
        sum_gradients(r, r->n->dropout > 0 ? 1 : GRADS_MAX);
        norm_backward_run(r);
        lap(r, LAP_NORM_BACK);
        if (r->n->conv.streams)
            piece_backward_run(r); /* of weights and input */
        else
            conv_backward_weights_run(r);
        lap(r, LAP_WEIGHTS);
        if (!r->n->conv.streams)
            conv_backward_data_run(r);
        break;
    case NODE_AVERAGE:
        sum_gradients(r, 1);
        crew_run(crew, r->count, average_backward, r);
        break;
    case NODE_LINEAR:
        crew_run(crew, r->n->c, linear_backward_class, r);
        crew_run(crew, r->count, linear_backward_row, r);
        break;
    default:
        shape_backward_run(r);
    }
}

static void make_again(struct run *r)
{
    if (r->n->kind == NODE_CONV)
        norm_again_run(r);
    else
        shape_forward_run(r);
}

static enum rc onednn_verdict(const struct graph *g, struct err *e)
{
    if (g->onednn_failed)
        return err_set(e, RC_INTERNAL, "oneDNN failed while running a convolution");
    return RC_OK;
}

static void fold_all(struct graph *g)
{
    for (int i = 0; i < g->node_count; i++)
        if (g->nodes[i].kind == NODE_CONV)
            conv_fold(g, &g->nodes[i]);
    g->fold_stale = false;
}

enum rc graph_forward(struct graph *g, const float *x, int count, bool training, struct err *e)
{
    struct run r = {.g = g, .count = count, .training = training, .image = x};

    ASSERT(count >= 1 && count <= g->config.batch_max && (!training || g->config.train));
    if (g->rc) /* a resize that could not be undone */
        return err_set(e, g->rc, "%s", g->err.text);
    if (g->onednn)
        onednn_enter_thread();
    if (!g->config.train && g->fold_stale)
        fold_all(g);
    if (!g->config.train)
        crew_begin(g->crew);
    lap_start(g);
    for (int i = 0; i < g->node_count; i++) {
        r.n = &g->nodes[i];
        node_forward(&r);
        lap(&r, r.n->kind == NODE_CONV && g->config.train ? LAP_NORM : LAP_FORWARD);
    }
    crew_end(g->crew);
    return onednn_verdict(g, e);
}

enum rc graph_backward(struct graph *g, int count, struct err *e)
{
    struct run r = {.g = g, .count = count, .training = true};

    ASSERT(g->config.train);
    lap_start(g);
    g->going_back = true;
    for (int i = g->node_count - 1, next = 0; i >= 0; i--) {
        for (; next < g->remake_count && g->remakes[next].at == i; next++) {
            r.n = &g->nodes[g->remakes[next].node];
            make_again(&r);
            lap(&r, LAP_NORM_BACK);
        }
        r.n = &g->nodes[i];
        node_backward(&r);
        lap(&r, LAP_DATA);
    }
    g->going_back = false;
    return onednn_verdict(g, e);
}
