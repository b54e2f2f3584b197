/* optimizer.c - gradient sums, norm and clipping, SGD and AdamW, the moving average: all over
 * pieces of the parameter arena.
 *
 * Weight decay applies to convolution and linear weights alone; batch norm's weights and biases and
 * the linear layer's bias have none.
 */
#include "base/mem.h"
#include "engine/model/net_int.h"
#include <math.h>
#include <string.h>

enum { PIECE_FLOATS = 32768 };

enum rc optimizer_plan(struct net *n, struct err *e)
{
    const size_t params = graph_param_count(n->graph);
    size_t count = 0;

    for (int pass = 0; pass < 2; pass++) {
        count = 0;
        for (size_t i = 0; i < params; i++) {
            const struct graph_param *p = graph_param_at(n->graph, i);
            for (size_t at = 0; param_trained(p) && at < p->room; at += PIECE_FLOATS, count++)
                if (pass == 1)
                    n->pieces[count] = (struct update_piece){
                        p->at + at, p->room - at < PIECE_FLOATS ? p->room - at : PIECE_FLOATS,
                        p->role == ROLE_CONV || p->role == ROLE_LINEAR, false};
        }
        if (pass == 0) {
            n->pieces = mem_alloc_array(count, sizeof *n->pieces);
            n->piece_sums = mem_alloc_array(count, sizeof *n->piece_sums);
            if (!n->pieces || !n->piece_sums)
                return err_set(e, RC_NOMEM, "out of memory for the optimiser");
        }
    }
    n->piece_count = count;
    return RC_OK;
}

struct optimizer_run {
    struct net *n;
    const struct kernels *k;
    const struct net_update *u;
    float *values, *grads, *first, *second;
    float *sums, *average;
    float grad_scale;
};

/* Frozen pieces count as if they had no gradient. */

static void square_piece(void *ud, int item, int thread)
{
    const struct optimizer_run *r = ud;
    const struct update_piece *p = &r->n->pieces[item];

    r->n->piece_sums[item] = p->frozen ? 0 : r->k->square_sum(r->grads + p->at, p->n);
}

/* Gradient accumulation: the first call's gradients begin the sum, the last call takes it. */
static void accumulate_piece(void *ud, int item, int thread)
{
    const struct optimizer_run *r = ud;
    const struct update_piece *p = &r->n->pieces[item];

    if (r->u->micro == 0)
        memcpy(r->sums + p->at, r->grads + p->at, p->n * sizeof *r->sums);
    else if (r->u->micro < r->u->micros - 1)
        r->k->add_scaled(r->sums + p->at, r->grads + p->at, 1, p->n);
    else
        r->k->add_scaled(r->grads + p->at, r->sums + p->at, 1, p->n);
}

static void average_piece(void *ud, int item, int thread)
{
    const struct optimizer_run *r = ud;
    const struct update_piece *p = &r->n->pieces[item];

    r->k->blend(r->average + p->at, r->values + p->at, (float)r->u->average, p->n);
}

static void sgd_piece(void *ud, int item, int thread)
{
    const struct optimizer_run *r = ud;
    const struct update_piece *p = &r->n->pieces[item];

    if (p->frozen)
        return;
    r->k->sgd(r->values + p->at, r->grads + p->at, r->first + p->at, p->n, (float)r->u->lr,
              (float)r->u->momentum, r->u->nesterov, p->decay ? (float)r->u->weight_decay : 0,
              r->grad_scale);
}

static void adamw_piece(void *ud, int item, int thread)
{
    const struct optimizer_run *r = ud;
    const struct update_piece *p = &r->n->pieces[item];
    const struct net_update *u = r->u;
    const double step = (double)u->step;
    const struct adamw a = {
        .beta1 = (float)u->beta1,
        .rest1 = (float)(1 - u->beta1),
        .beta2 = (float)u->beta2,
        .rest2 = (float)(1 - u->beta2),
        .eps = (float)u->eps,
        .rate = (float)(u->lr / (1 - pow(u->beta1, step))),
        .root_scale = (float)(1 / sqrt(1 - pow(u->beta2, step))),
        .keep = (float)(p->decay ? 1 - u->lr * u->weight_decay : 1),
        .grad_scale = r->grad_scale,
    };

    if (!p->frozen)
        r->k->adamw(r->values + p->at, r->grads + p->at, r->first + p->at, r->second + p->at, p->n,
                    &a);
}

static void update(struct optimizer_run *r, bool adamw)
{
    struct net *n = r->n;
    struct crew *crew = graph_crew(n->graph);
    const struct net_update *u = r->u;
    double sum = 0;

    crew_run(crew, (int)n->piece_count, square_piece, r);
    for (size_t i = 0; i < n->piece_count; i++)
        sum += n->piece_sums[i];
    n->grad_norm = sqrt(sum) * (double)r->grad_scale;
    if (u->clip_norm > 0 && n->grad_norm > u->clip_norm) /* torch.nn.utils.clip_grad_norm_ */
        r->grad_scale *= (float)(u->clip_norm / (n->grad_norm + 1e-6));
    crew_run(crew, (int)n->piece_count, adamw ? adamw_piece : sgd_piece, r);
    if (!r->average)
        return;
    crew_run(crew, (int)n->piece_count, average_piece, r);
    graph_average_statistics(n->graph, (float)u->average);
}

void optimizer_run(struct net *n, const struct net_update *u)
{
    struct graph *g = n->graph;
    const bool adamw = n->config.optimizer == NET_ADAMW, several = u->micros > 1;
    struct optimizer_run r = {.n = n,
                              .k = graph_kernels(g),
                              .u = u,
                              .values = graph_values(g),
                              .grads = graph_grads(g),
                              .first = graph_state(g, 0),
                              .second = adamw ? graph_state(g, 1) : NULL,
                              .sums = several ? graph_sums(g) : NULL,
                              .average = n->config.average ? graph_average_values(g) : NULL,
                              .grad_scale = several ? 1 / (float)u->micros : 1};

    if (several)
        crew_run(graph_crew(g), (int)n->piece_count, accumulate_piece, &r);
    if (!several || u->micro == u->micros - 1)
        update(&r, adamw);
}

size_t net_freeze(struct net *n, const char *prefix)
{
    size_t tensors = 0, piece = 0;

    for (size_t i = 0; i < n->tensor_count; i++) {
        const struct graph_param *p = graph_param_at(n->graph, i);
        const bool hit = strncmp(p->name, prefix, strlen(prefix)) == 0;
        if (!param_trained(p))
            continue;
        tensors += hit;
        for (size_t at = 0; at < p->room; at += PIECE_FLOATS, piece++)
            n->pieces[piece].frozen |= hit;
    }
    return tensors;
}
