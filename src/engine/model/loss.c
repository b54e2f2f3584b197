/* loss.c - softmax cross-entropy with soft targets, and its gradient; an item is an image.
 *
 *     loss = sum_n sum_c w[c] t[n][c] (-log p[n][c]) / total,   total = sum_n sum_c w[c] t[n][c]
 *     d loss / d logit[n][k] = (p[n][k] sum_c w[c] t[n][c] - w[k] t[n][k]) / total
 * Without class weights total is the number of images.
 */
#include "engine/model/net_int.h"
#include <math.h>

struct loss_run {
    struct net *n;
    const float *target, *weights;
    int classes;
    size_t row;
    double total;
};

static double weight_of(const struct loss_run *r, int class)
{
    return r->weights ? (double)r->weights[class] : 1.0;
}

static void loss_row(void *ud, int image, int thread)
{
    const struct loss_run *r = ud;
    const float *logits = graph_logits(r->n->graph) + (size_t)image * r->row;
    const float *t = r->target + (size_t)image * (size_t)r->classes;
    float *grad = graph_logits_grad(r->n->graph) + (size_t)image * r->row;
    double most = (double)logits[0], sum = 0, mass = 0, loss = 0;

    for (int c = 1; c < r->classes; c++)
        most = fmax(most, (double)logits[c]);
    for (int c = 0; c < r->classes; c++)
        sum += exp((double)logits[c] - most);
    const double log_sum = log(sum) + most;
    for (int c = 0; c < r->classes; c++) {
        const double wt = weight_of(r, c) * (double)t[c];
        mass += wt;
        loss += wt * (log_sum - (double)logits[c]);
    }
    for (int c = 0; c < r->classes; c++) {
        const double p = exp((double)logits[c] - log_sum);
        grad[c] = (float)((p * mass - weight_of(r, c) * (double)t[c]) / r->total);
    }
    r->n->row_losses[image] = loss;
}

static double total_weight(const struct loss_run *r, int count)
{
    double total = 0;

    if (!r->weights)
        return count;
    for (int i = 0; i < count * r->classes; i++)
        total += weight_of(r, i % r->classes) * (double)r->target[i];
    return total;
}

double loss_run(struct net *n, const float *target, int count, const float *class_weights)
{
    struct loss_run r = {.n = n,
                         .target = target,
                         .weights = class_weights,
                         .classes = n->config.classes,
                         .row = (size_t)graph_logits_row(n->graph)};
    double loss = 0;

    r.total = total_weight(&r, count);
    crew_run(graph_crew(n->graph), count, loss_row, &r);
    for (int i = 0; i < count; i++)
        loss += n->row_losses[i];
    return loss / r.total;
}
