/* net.c - the front door: checks what comes in, owns graph, tensors and optimiser state. */
#include "base/mem.h"
#include "engine/kernel/onednn/onednn.h"
#include "engine/model/net_int.h"
#include "os/os.h"
#include <math.h>
#include <string.h>

const char *const net_task_names[] = {"classification", "detection", "segmentation", "semantic",
                                      NULL};
const struct net_gains net_gains_default = {.box = 7.5, .cls = 0.5, .dfl = 1.5, .mask = 7.5};
const struct net_detect net_detect_default = {
    .confidence = 0.25f, .iou = 0.7f, .most = NET_DETECTIONS_MAX};

static const struct head *const heads[NET_TASKS] = {[NET_CLASSIFICATION] = &head_classification,
                                                    [NET_DETECTION] = &head_detection,
                                                    [NET_SEGMENTATION] = &head_segmentation,
                                                    [NET_SEMANTIC] = &head_semantic};

const struct head *net_head(const struct net *n)
{
    return heads[network_card(n->network)->task];
}

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
    if (!rc && card->task != NET_CLASSIFICATION && c->image_size % 32)
        rc = err_field(e, RC_INVALID, "image_size",
                       "image_size is %d; %s takes multiples of 32 pixels", c->image_size,
                       card->title);
    if (!rc)
        rc = check_range("batch_max", c->batch_max, 1, NET_BATCH_MAX, e);
    if (!rc)
        rc = check_range("threads", c->threads, 0, NET_THREADS_MAX, e);
    if (!rc && !kernels_get(c->isa))
        rc =
            err_field(e, RC_UNAVAILABLE, "isa", "this machine has no instruction set '%s'", c->isa);
    return rc;
}

/* Everything AUTO becomes definite. */
static enum rc resolve(struct net_config *c, struct err *e)
{
    enum rc rc = RC_OK;

    c->model = net_card_find(c->model)->name;
    c->isa = kernels_get(c->isa)->isa;
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
    }
    return RC_OK;
}

/* All tensors of one kind of state, behind those listed before. */
static void list_kind(struct net *n, const char *what, int arena, size_t name_max)
{
    for (size_t i = 0; i < n->tensor_count; i++) {
        if (arena != STATE_AVERAGE && !n->tensors[i].trained)
            continue;
        char *name = n->names + n->state_count * name_max;
        ASSERT(snprintf(name, name_max, "%s.%s", n->tensors[i].name, what) < (int)name_max);
        n->states[n->state_count] = n->tensors[i];
        n->states[n->state_count].name = name;
        n->state_places[n->state_count++] = (struct state_place){i, arena};
    }
}

static enum rc list_states(struct net *n, struct err *e)
{
    const size_t name_max = GRAPH_NAME_MAX + 20, most = (NET_STATES + 1) * n->tensor_count;

    n->states = mem_alloc_array(most, sizeof *n->states);
    n->state_places = mem_alloc_array(most, sizeof *n->state_places);
    n->names = mem_alloc_array(most, name_max);
    if (!n->states || !n->state_places || !n->names)
        return err_set(e, RC_NOMEM, "out of memory for the list of optimiser states");
    if (n->config.optimizer == NET_ADAMW) {
        list_kind(n, "exp_avg", 0, name_max);
        list_kind(n, "exp_avg_sq", 1, name_max);
    } else {
        list_kind(n, "momentum_buffer", 0, name_max);
    }
    if (n->config.average)
        list_kind(n, "average", STATE_AVERAGE, name_max);
    return RC_OK;
}

static enum rc prepare_training(struct net *n, struct err *e)
{
    enum rc rc = list_states(n, e);

    return rc ? rc : optimizer_plan(n, e);
}

/* Large pictures with few channels: activations are most of the memory, and making them again is
 * little beside the convolutions (detect-n, 320x320, batch 8: 177 in place of 299 MiB, for 7 % of
 * the time). */
static bool recomputes(const struct network *w)
{
    return network_card(w)->task != NET_CLASSIFICATION;
}

static enum rc build(struct net *n, struct err *e)
{
    const struct net_config *c = &n->config;
    const struct graph_config gc = {.batch_max = c->batch_max,
                                    .image_size = c->image_size,
                                    .train = c->train,
                                    .onednn = c->backend == NET_ONEDNN,
                                    .threads = c->threads,
                                    .isa = c->isa,
                                    .no_winograd = c->no_winograd,
                                    .average = c->train && c->average,
                                    .accumulate = c->train && c->accumulate,
                                    .recompute = recomputes(n->network),
                                    .bytes_max = c->bytes_max,
                                    .precision = c->precision == NET_BF16 ? GRAPH_BF16 : GRAPH_F32,
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
    if (!rc)
        rc = net_head(n)->plan(n, e);
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
    n->image_size_max = resolved.image_size;
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
    net_head(n)->done(n);
    graph_free(n->graph);
    mem_free(n->tensors);
    mem_free(n->states);
    mem_free(n->state_places);
    mem_free(n->names);
    mem_free(n->pieces);
    mem_free(n->piece_sums);
    mem_free(n);
}

/* ---- initial weights */

/* As torch.nn.Conv2d and Linear begin. */
static double fan_in_uniform(const struct graph_param *p, uint64_t seed, size_t tensor,
                             size_t index)
{
    return (2 * init_uniform(seed, tensor, index) - 1) / sqrt((double)p->fan_in);
}

static double initial_value(const struct net *n, const struct graph_param *p, uint64_t seed,
                            size_t tensor, size_t index)
{
    const bool normal = network_linear(n->network) == LINEAR_NORMAL;

    switch (p->role) {
    case ROLE_CONV: {
        if (network_conv_fan_in(n->network))
            return fan_in_uniform(p, seed, tensor, index);
        const double fan_out = (double)(p->shape[0] * p->shape[2] * p->shape[3]);
        return sqrt(2 / fan_out) * init_normal(seed, tensor, index);
    }
    case ROLE_CONV_BIAS:
    case ROLE_SCALE:
        return p->initial;
    case ROLE_VARIANCE:
        return 1;
    case ROLE_SHIFT:
    case ROLE_MEAN:
        return 0;
    case ROLE_LINEAR:
        return normal ? 0.01 * init_normal(seed, tensor, index)
                      : fan_in_uniform(p, seed, tensor, index);
    case ROLE_LINEAR_BIAS:
        return normal ? 0 : fan_in_uniform(p, seed, tensor, index);
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

/* ---- another image size */

enum { STRIDE_MAX = 32 }; /* of the tasks that predict places */

enum rc net_resize(struct net *n, int image_size, struct err *e)
{
    const struct net_card *card = network_card(n->network);

    enum rc rc = check_range("image_size", image_size, card->image_size_min, n->image_size_max, e);
    if (!rc && card->task != NET_CLASSIFICATION && image_size % STRIDE_MAX)
        rc = err_field(e, RC_INVALID, "image_size",
                       "image_size is %d; for %s it must be a multiple of %d", image_size,
                       card->title, STRIDE_MAX);
    if (!rc)
        rc = graph_resize(n->graph, image_size, e);
    if (!rc)
        n->config.image_size = image_size;
    return rc;
}

/* ---- steps */

static enum rc check_count(const struct net *n, int count, struct err *e)
{
    if (count < 1 || count > n->config.batch_max)
        return err_set(e, RC_INVALID, "a batch of %d images; this network takes 1 to %d", count,
                       n->config.batch_max);
    return RC_OK;
}

static enum rc check_step(const struct net *n, const struct net_target *target, int count,
                          const struct net_update *u, struct err *e)
{
    const struct head *h = net_head(n);

    if (!n->config.train)
        return err_set(e, RC_INVALID, "this network was built for inference; it cannot train");
    if (n->averaging)
        return err_set(e, RC_INVALID,
                       "the moving average of the weights is in use; it cannot train");
    if (u->micros > 1 && (!n->config.accumulate || u->micro < 0 || u->micro >= u->micros))
        return err_set(e, RC_INVALID, "gradient accumulation: call %d of %d%s", u->micro, u->micros,
                       n->config.accumulate ? "" : ", but the network was built without it");
    enum rc rc = check_count(n, count, e);
    return rc || !h->check ? rc : h->check(n, target, count, e);
}

enum rc net_train_step(struct net *n, const float *x, const struct net_target *target, int count,
                       const struct net_update *u, struct net_loss *ret_loss, struct err *e)
{
    const size_t allocs = mem_total_count();
    struct net_loss loss = {0};

    enum rc rc = check_step(n, target, count, u, e);
    graph_set_step(n->graph, u->seed,
                   (uint64_t)u->step * (uint64_t)(u->micros > 1 ? u->micros : 1) +
                       (uint64_t)(u->micros > 1 ? u->micro : 0));
    if (!rc)
        rc = graph_forward(n->graph, x, count, true, e);
    if (rc)
        return rc;
    net_head(n)->loss(n, target, count, u, &loss);
    rc = graph_backward(n->graph, count, e);
    if (rc)
        return rc;
    optimizer_run(n, u);
    n->allocs = mem_total_count() - allocs;
    *ret_loss = loss;
    return RC_OK;
}

enum rc net_run(struct net *n, enum net_task task, const float *x, int count, struct err *e)
{
    const struct net_card *card = network_card(n->network);

    if (card->task != task)
        return err_set(e, RC_INVALID, "%s is a network for %s, not for %s", card->title,
                       net_task_names[card->task], net_task_names[task]);
    enum rc rc = check_count(n, count, e);
    return rc ? rc : graph_forward(n->graph, x, count, false, e);
}

static enum rc check_detect(const struct net_detect *d, struct err *e)
{
    if (!(d->confidence >= 0.001f && d->confidence <= 1))
        return err_field(e, RC_INVALID, "confidence", "confidence is %g; it must be 0.001 to 1",
                         (double)d->confidence);
    if (!(d->iou >= 0 && d->iou <= 1))
        return err_field(e, RC_INVALID, "iou", "iou is %g; it must be 0 to 1", (double)d->iou);
    return check_range("most", d->most, 1, NET_DETECTIONS_MAX, e);
}

enum rc net_detect(struct net *n, const float *x, int count, const struct net_detect *d,
                   struct net_detection *ret, int32_t *ret_n, struct err *e)
{
    const size_t allocs = mem_total_count();
    const struct head *h = net_head(n);

    enum rc rc = check_detect(d, e);
    if (!rc)
        rc = net_run(n, h->detect ? network_card(n->network)->task : NET_DETECTION, x, count, e);
    if (rc)
        return rc;
    h->detect(n, count, d, ret, ret_n);
    n->allocs = mem_total_count() - allocs;
    return RC_OK;
}

void net_detection_mask(struct net *n, int image, const struct net_detection *d, uint8_t *ret)
{
    ASSERT(net_head(n)->mask);
    net_head(n)->mask(n, image, d, ret);
}

enum rc net_label(struct net *n, const float *x, int count, uint8_t *ret, struct err *e)
{
    const size_t allocs = mem_total_count();

    enum rc rc = net_run(n, NET_SEMANTIC, x, count, e);
    if (rc)
        return rc;
    net_head(n)->label(n, count, ret);
    n->allocs = mem_total_count() - allocs;
    return RC_OK;
}

void net_use_average(struct net *n, bool average)
{
    ASSERT(n->config.average || !average);
    if (average != n->averaging)
        graph_swap_average(n->graph);
    n->averaging = average;
}

const char *net_head_prefix(const struct net *n)
{
    return network_head_prefix(n->network);
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

/* The average lies in the arena in use while it is the one in use. */
static float *state_arena(const struct net *n, size_t i)
{
    const int arena = n->state_places[i].arena;

    if (arena != STATE_AVERAGE)
        return graph_state(n->graph, arena);
    return n->averaging ? NULL : graph_average_values(n->graph);
}

void net_state_get(const struct net *n, size_t i, float *ret)
{
    ASSERT(i < n->state_count);
    graph_param_read(n->graph, graph_param_at(n->graph, n->state_places[i].param),
                     state_arena(n, i), ret);
}

void net_state_set(struct net *n, size_t i, const float *v)
{
    ASSERT(i < n->state_count);
    const struct graph_param *p = graph_param_at(n->graph, n->state_places[i].param);

    graph_param_write(n->graph, p, state_arena(n, i), 0, p->count, v);
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

struct graph *net_graph(struct net *n)
{
    return n->graph;
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

const char *net_onednn_version(void)
{
    return onednn_version();
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
