/* net.c - the front door: checks what comes in, owns graph, tensors and optimiser state. */
#include "base/mem.h"
#include "engine/kernel/onednn/onednn.h"
#include "engine/model/net_int.h"
#include "os/os.h"
#include <math.h>
#include <string.h>

/* ---- building */

static enum rc check_range(const char *field, int value, int least, int most, struct err *e)
{
    if (value < least || value > most)
        return err_field(e, RC_INVALID, field, "%s is %d; it must be between %d and %d", field,
                         value, least, most);
    return RC_OK;
}

static enum rc check_config(const struct net_config *c, struct err *e)
{
    const struct net_card *card = c->model ? net_card_find(c->model) : NULL;

    if (!card)
        return err_field(e, RC_INVALID, "model",
                         "there is no model '%s' in the native engine (see 'anneal models')",
                         c->model ? c->model : "");
    enum rc rc = check_range("classes", c->classes, 1, NET_CLASSES_MAX, e);
    if (!rc)
        rc = check_range("image_size", c->image_size, card->image_size_min, NET_IMAGE_SIZE_MAX, e);
    if (!rc)
        rc = check_range("batch_max", c->batch_max, 1, NET_BATCH_MAX, e);
    if (!rc)
        rc = check_range("threads", c->threads, 0, NET_THREADS_MAX, e);
    return rc;
}

/* Everything AUTO becomes definite. */
static enum rc resolve(struct net_config *c, struct err *e)
{
    enum rc rc = RC_OK;

    c->model = net_card_find(c->model)->name;
    if (c->threads == 0)
        c->threads = os_cpu_count() < NET_THREADS_MAX ? os_cpu_count() : NET_THREADS_MAX;
    if (c->threads < 1)
        c->threads = 1;
    if (c->stem == NET_STEM_AUTO)
        c->stem = c->image_size < NET_STEM_SMALL_BELOW ? NET_STEM_SMALL : NET_STEM_LARGE;
    if (c->bytes_max == 0)
        c->bytes_max = os_memory_available() / 10 * 9;
    if (c->backend == NET_ONEDNN)
        rc = onednn_check(e);
    else if (c->backend == NET_AUTO)
        c->backend = onednn_check(NULL) == RC_OK ? NET_ONEDNN : NET_PORTABLE;
    return rc;
}

static enum rc list_tensors(struct net *n, struct err *e)
{
    n->tensor_count = graph_param_count(n->graph);
    n->tensors = mem_alloc_array(n->tensor_count, sizeof *n->tensors);
    if (!n->tensors)
        return err_set(e, RC_NOMEM, "out of memory for the list of tensors");
    for (size_t i = 0; i < n->tensor_count; i++) {
        const struct graph_param *p = graph_param_at(n->graph, i);
        struct net_tensor *t = &n->tensors[i];
        *t = (struct net_tensor){p->name, p->dims, {0}, p->count, param_trained(p)};
        memcpy(t->shape, p->shape, sizeof t->shape);
        n->states_each += t->trained;
    }
    return RC_OK;
}

static enum rc list_states(struct net *n, struct err *e)
{
    static const char *const sgd[] = {"momentum_buffer"};
    static const char *const adamw[] = {"exp_avg", "exp_avg_sq"};
    const bool two = n->config.optimizer == NET_ADAMW;
    const size_t kinds = two ? 2 : 1, name_max = GRAPH_NAME_MAX + 20;

    n->state_count = kinds * n->states_each;
    n->states = mem_alloc_array(n->state_count, sizeof *n->states);
    n->state_param = mem_alloc_array(n->state_count, sizeof *n->state_param);
    n->names = mem_alloc_array(n->state_count, name_max);
    if (!n->states || !n->state_param || !n->names)
        return err_set(e, RC_NOMEM, "out of memory for the list of optimiser states");
    for (size_t kind = 0, at = 0; kind < kinds; kind++)
        for (size_t i = 0; i < n->tensor_count; i++) {
            if (!n->tensors[i].trained)
                continue;
            char *name = n->names + at * name_max;
            ASSERT(snprintf(name, name_max, "%s.%s", n->tensors[i].name,
                            two ? adamw[kind] : sgd[kind]) < (int)name_max);
            n->states[at] = n->tensors[i];
            n->states[at].name = name;
            n->state_param[at++] = i;
        }
    return RC_OK;
}

static enum rc prepare_training(struct net *n, struct err *e)
{
    const size_t images = (size_t)n->config.batch_max;

    enum rc rc = list_states(n, e);
    if (!rc)
        rc = optimizer_plan(n, e);
    if (rc)
        return rc;
    n->row_losses = mem_alloc_array(images, sizeof *n->row_losses);
    n->logits = mem_alloc_array(images * (size_t)n->config.classes, sizeof *n->logits);
    if (!n->row_losses || !n->logits)
        return err_set(e, RC_NOMEM, "out of memory for the loss");
    return RC_OK;
}

static enum rc build(struct net *n, struct err *e)
{
    const struct net_config *c = &n->config;
    const struct graph_config gc = {.batch_max = c->batch_max,
                                    .image_size = c->image_size,
                                    .train = c->train,
                                    .onednn = c->backend == NET_ONEDNN,
                                    .threads = c->threads,
                                    .bytes_max = c->bytes_max,
                                    .states = !c->train                   ? 0
                                              : c->optimizer == NET_ADAMW ? 2
                                                                          : 1};

    enum rc rc = graph_new(&n->graph, &gc, e);
    if (rc)
        return rc;
    network_build(n->network, n->graph, c->classes, c->stem == NET_STEM_SMALL);
    rc = graph_build(n->graph, e);
    if (!rc)
        rc = list_tensors(n, e);
    if (!rc && c->train)
        rc = prepare_training(n, e);
    return rc;
}

enum rc net_new(struct net **ret, const struct net_config *c, struct err *e)
{
    enum rc rc = check_config(c, e);
    struct net_config resolved = *c;

    if (!rc)
        rc = resolve(&resolved, e);
    if (rc)
        return rc;
    struct net *n = mem_zalloc(sizeof *n);
    if (!n)
        return err_set(e, RC_NOMEM, "out of memory for a network");
    n->config = resolved;
    n->network = network_find(resolved.model);
    rc = build(n, e);
    if (rc) {
        net_free(n);
        return err_wrap(e, rc, "building %s for %d pixels", resolved.model, resolved.image_size);
    }
    *ret = n;
    return RC_OK;
}

void net_free(struct net *n)
{
    if (!n)
        return;
    graph_free(n->graph);
    mem_free(n->tensors);
    mem_free(n->states);
    mem_free(n->state_param);
    mem_free(n->names);
    mem_free(n->pieces);
    mem_free(n->piece_sums);
    mem_free(n->row_losses);
    mem_free(n->logits);
    mem_free(n);
}

/* ---- initial weights */

static double initial_value(const struct net *n, const struct graph_param *p, uint64_t seed,
                            size_t tensor, size_t index)
{
    const bool normal = network_linear_normal(n->network);
    const double features =
        (double)graph_param_at(n->graph, graph_param_count(n->graph) - 2)->shape[1];

    switch (p->role) {
    case ROLE_CONV: {
        const double fan_out = (double)(p->shape[0] * p->shape[2] * p->shape[3]);
        return sqrt(2 / fan_out) * init_normal(seed, tensor, index);
    }
    case ROLE_SCALE:
    case ROLE_VARIANCE:
        return 1;
    case ROLE_SHIFT:
    case ROLE_MEAN:
        return 0;
    case ROLE_LINEAR:
        if (normal)
            return 0.01 * init_normal(seed, tensor, index);
        return (2 * init_uniform(seed, tensor, index) - 1) / sqrt(features);
    case ROLE_LINEAR_BIAS:
        return normal ? 0 : (2 * init_uniform(seed, tensor, index) - 1) / sqrt(features);
    }
    return 0;
}

enum { INIT_PART = 1024 };

struct init_run {
    struct net *n;
    uint64_t seed;
    size_t tensor;
};

static void init_part(void *ud, int item, int thread)
{
    const struct init_run *r = ud;
    const struct graph_param *p = graph_param_at(r->n->graph, r->tensor);
    const size_t from = (size_t)item * INIT_PART;
    const size_t count = p->count - from < INIT_PART ? p->count - from : INIT_PART;
    float part[INIT_PART];

    for (size_t k = 0; k < count; k++)
        part[k] = (float)initial_value(r->n, p, r->seed, r->tensor, from + k);
    graph_param_write(r->n->graph, p, NULL, from, count, part);
}

void net_init_weights(struct net *n, uint64_t seed)
{
    const size_t arena = graph_arena_floats(n->graph) * sizeof(float);
    const int states = !n->config.train ? 0 : n->config.optimizer == NET_ADAMW ? 2 : 1;

    for (size_t i = 0; i < n->tensor_count; i++) {
        struct init_run r = {n, seed, i};
        const size_t parts = (n->tensors[i].count + INIT_PART - 1) / INIT_PART;
        crew_run(graph_crew(n->graph), (int)parts, init_part, &r);
    }
    for (int s = 0; s < states; s++)
        memset(graph_state(n->graph, s), 0, arena);
}

/* ---- steps */

static enum rc check_count(const struct net *n, int count, struct err *e)
{
    if (count < 1 || count > n->config.batch_max)
        return err_set(e, RC_INVALID, "a batch of %d images; this network takes 1 to %d", count,
                       n->config.batch_max);
    return RC_OK;
}

static void copy_logits(const struct net *n, int count, float *to)
{
    const size_t classes = (size_t)n->config.classes;
    const size_t row = (size_t)graph_logits_row(n->graph);

    for (size_t i = 0; i < (size_t)count; i++)
        memcpy(to + i * classes, graph_logits(n->graph) + i * row, classes * sizeof *to);
}

enum rc net_train_step(struct net *n, const float *x, const float *target, int count,
                       const struct net_update *u, double *ret_loss, struct err *e)
{
    const size_t allocs = mem_total_count();

    if (!n->config.train)
        return err_set(e, RC_INVALID, "this network was built for inference; it cannot train");
    enum rc rc = check_count(n, count, e);
    if (!rc)
        rc = graph_forward(n->graph, x, count, true, e);
    if (rc)
        return rc;
    copy_logits(n, count, n->logits);
    const double loss = loss_run(n, target, count, u->class_weights);
    rc = graph_backward(n->graph, count, e);
    if (rc)
        return rc;
    optimizer_run(n, u);
    n->allocs = mem_total_count() - allocs;
    *ret_loss = loss;
    return RC_OK;
}

enum rc net_infer(struct net *n, const float *x, int count, float *ret_logits, struct err *e)
{
    const size_t allocs = mem_total_count();

    enum rc rc = check_count(n, count, e);
    if (!rc)
        rc = graph_forward(n->graph, x, count, false, e);
    if (rc)
        return rc;
    copy_logits(n, count, ret_logits);
    n->allocs = mem_total_count() - allocs;
    return RC_OK;
}

const float *net_train_logits(const struct net *n)
{
    return n->logits;
}

double net_grad_norm(const struct net *n)
{
    return n->grad_norm;
}

/* ---- tensors and states */

size_t net_tensor_count(const struct net *n)
{
    return n->tensor_count;
}

const struct net_tensor *net_tensor_at(const struct net *n, size_t i)
{
    ASSERT(i < n->tensor_count);
    return &n->tensors[i];
}

static ptrdiff_t find(const struct net_tensor *list, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(list[i].name, name) == 0)
            return (ptrdiff_t)i;
    return -1;
}

ptrdiff_t net_tensor_find(const struct net *n, const char *name)
{
    return find(n->tensors, n->tensor_count, name);
}

void net_tensor_get(const struct net *n, size_t i, float *ret)
{
    graph_param_read(n->graph, graph_param_at(n->graph, i), NULL, ret);
}

void net_tensor_set(struct net *n, size_t i, const float *v)
{
    const struct graph_param *p = graph_param_at(n->graph, i);

    graph_param_write(n->graph, p, NULL, 0, p->count, v);
}

size_t net_state_count(const struct net *n)
{
    return n->state_count;
}

const struct net_tensor *net_state_at(const struct net *n, size_t i)
{
    ASSERT(i < n->state_count);
    return &n->states[i];
}

ptrdiff_t net_state_find(const struct net *n, const char *name)
{
    return find(n->states, n->state_count, name);
}

void net_state_get(const struct net *n, size_t i, float *ret)
{
    ASSERT(i < n->state_count);
    graph_param_read(n->graph, graph_param_at(n->graph, n->state_param[i]),
                     graph_state(n->graph, (int)(i / n->states_each)), ret);
}

void net_state_set(struct net *n, size_t i, const float *v)
{
    ASSERT(i < n->state_count);
    const struct graph_param *p = graph_param_at(n->graph, n->state_param[i]);

    graph_param_write(n->graph, p, graph_state(n->graph, (int)(i / n->states_each)), 0, p->count,
                      v);
}

/* ---- looking inside */

void net_get_info(const struct net *n, struct net_info *ret)
{
    *ret = (struct net_info){.card = network_card(n->network),
                             .classes = n->config.classes,
                             .image_size = n->config.image_size,
                             .batch_max = n->config.batch_max,
                             .threads = n->config.threads,
                             .train = n->config.train,
                             .backend = n->config.backend,
                             .stem = n->config.stem,
                             .optimizer = n->config.optimizer,
                             .isa = graph_kernels(n->graph)->isa,
                             .bytes = graph_bytes(n->graph),
                             .flops = graph_flops(n->graph)};
    for (size_t i = 0; i < n->tensor_count; i++)
        if (n->tensors[i].trained)
            ret->params += n->tensors[i].count;
}

void net_plan_describe(const struct net *n, struct buf *out)
{
    struct net_info info;

    net_get_info(n, &info);
    buf_printf(out, "%s, %d classes, %dx%d pixels, %s: %.2f M parameters, %.3f GFLOP an image\n",
               info.card->title, info.classes, info.image_size, info.image_size,
               info.train ? "training" : "inference", (double)info.params / 1e6, info.flops / 1e9);
    graph_describe(n->graph, out);
}

size_t net_allocs_in_last_step(const struct net *n)
{
    return n->allocs;
}

enum rc net_onednn_check(struct err *e)
{
    return onednn_check(e);
}

const char *net_backend_name(enum net_backend b)
{
    static const char *const names[] = {"auto", "onednn", "portable"};

    return names[b];
}
