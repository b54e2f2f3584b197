/* loss.c - the head of classification: softmax cross-entropy with soft targets, and its gradient;
 * an item is an image.
 *
 *     loss = sum_n sum_c w[c] t[n][c] (-log p[n][c]) / total,   total = sum_n sum_c w[c] t[n][c]
 *     d loss / d logit[n][k] = (p[n][k] sum_c w[c] t[n][c] - w[k] t[n][k]) / total
 * Without class weights total is the number of images.
 */
#include "base/mem.h"
#include "engine/model/net_int.h"
#include <math.h>
#include <string.h>

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

static void copy_logits(const struct net *n, int count, float *to)
{
    const size_t classes = (size_t)n->config.classes;
    const size_t row = (size_t)graph_logits_row(n->graph);

    for (size_t i = 0; i < (size_t)count; i++)
        memcpy(to + i * classes, graph_logits(n->graph) + i * row, classes * sizeof *to);
}

static void loss_all(struct net *n, const struct net_target *t, int count,
                     const struct net_update *u, struct net_loss *ret)
{
    struct loss_run r = {.n = n,
                         .target = t->rows,
                         .weights = u->class_weights,
                         .classes = n->config.classes,
                         .row = (size_t)graph_logits_row(n->graph)};
    double loss = 0;

    copy_logits(n, count, n->logits);
    r.total = total_weight(&r, count);
    crew_run(graph_crew(n->graph), count, loss_row, &r);
    for (int i = 0; i < count; i++)
        loss += n->row_losses[i];
    *ret = (struct net_loss){.total = loss / r.total};
}

static enum rc plan(struct net *n, struct err *e)
{
    const size_t images = (size_t)n->config.batch_max;

    if (!n->config.train)
        return RC_OK;
    n->row_losses = mem_alloc_array(images, sizeof *n->row_losses);
    n->logits = mem_alloc_array(images * (size_t)n->config.classes, sizeof *n->logits);
    if (!n->row_losses || !n->logits)
        return err_set(e, RC_NOMEM, "out of memory for the loss");
    return RC_OK;
}

static void done(struct net *n)
{
    mem_free(n->row_losses);
    mem_free(n->logits);
}

const struct head head_classification = {.plan = plan, .done = done, .loss = loss_all};

const float *net_train_logits(const struct net *n)
{
    return n->logits;
}

enum rc net_infer(struct net *n, const float *x, int count, float *ret_logits, struct err *e)
{
    const size_t allocs = mem_total_count();

    enum rc rc = net_run(n, NET_CLASSIFICATION, x, count, e);
    if (rc)
        return rc;
    copy_logits(n, count, ret_logits);
    n->allocs = mem_total_count() - allocs;
    return RC_OK;
}
