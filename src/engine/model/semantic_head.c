/* semantic_head.c - the semantic segmentation head in a network: memory and crew. */
#include "base/mem.h"
#include "engine/model/net_int.h"
#include "engine/model/semantic.h"

struct semantic_head {
    double *sums; /* by image: weights, then losses */
    float *room;  /* [threads][side * ch_pad(classes)] */
    size_t room_floats;
};

/* Output 0: the logits (networks_segment.c). */
static struct semantic_maps maps_of(const struct net *n, bool gradients)
{
    const int side = graph_output_shape(n->graph, 0).h;

    return (struct semantic_maps){.classes = n->config.classes,
                                  .side = side,
                                  .size = side * SEMANTIC_STRIDE,
                                  .logits = graph_output_values(n->graph, 0),
                                  .grad = gradients ? graph_output_grad(n->graph, 0) : NULL};
}

static enum rc plan(struct net *n, struct err *e)
{
    if (n->config.classes > SEMANTIC_CLASSES_MAX)
        return err_field(e, RC_INVALID, "classes", "classes is %d; labels of pixels can tell %d",
                         n->config.classes, SEMANTIC_CLASSES_MAX);
    struct semantic_head *h = n->head_memory = mem_zalloc(sizeof *h);
    if (h) {
        h->room_floats =
            (size_t)n->config.image_size / SEMANTIC_STRIDE * (size_t)ch_pad(n->config.classes);
        h->sums = mem_alloc_array((size_t)n->config.batch_max, sizeof *h->sums);
        h->room = mem_alloc_array((size_t)n->config.threads * h->room_floats, sizeof *h->room);
    }
    if (!h || !h->sums || !h->room)
        return err_set(e, RC_NOMEM, "out of memory for a segmentation head");
    return RC_OK;
}

static void done(struct net *n)
{
    struct semantic_head *h = n->head_memory;

    if (!h)
        return;
    mem_free(h->sums);
    mem_free(h->room);
    mem_free(h);
}

struct semantic_run {
    struct semantic_head *h;
    const struct kernels *k;
    struct semantic_maps m;
    const uint8_t *labels;
    const float *weights;
    double scale;
    uint8_t *ret;
};

static size_t image_pixels(const struct semantic_run *r, int image)
{
    return (size_t)image * (size_t)r->m.size * (size_t)r->m.size;
}

static void weigh_image(void *ud, int image, int thread)
{
    const struct semantic_run *r = ud;

    r->h->sums[image] = semantic_weight(&r->m, r->labels + image_pixels(r, image), r->weights);
}

static void loss_image(void *ud, int image, int thread)
{
    const struct semantic_run *r = ud;

    r->h->sums[image] = semantic_loss_image(&r->m, r->k, image, r->labels + image_pixels(r, image),
                                            r->weights, r->scale);
}

static void label_image(void *ud, int image, int thread)
{
    const struct semantic_run *r = ud;

    semantic_labels(&r->m, image, r->h->room + (size_t)thread * r->h->room_floats,
                    r->ret + image_pixels(r, image));
}

static double run(struct semantic_run *r, struct net *n, int count, crew_fn fn)
{
    double sum = 0;

    crew_run(graph_crew(n->graph), count, fn, r);
    for (int i = 0; i < count; i++)
        sum += r->h->sums[i];
    return sum;
}

static enum rc check(const struct net *n, const struct net_target *t, int count, struct err *e)
{
    if (!t->labels)
        return err_set(e, RC_INVALID,
                       "a network for semantic segmentation is taught with labels "
                       "of pixels; there are none");
    return semantic_check(t->labels, count, maps_of(n, false).size, n->config.classes, e);
}

static void loss(struct net *n, const struct net_target *t, int count, const struct net_update *u,
                 struct net_loss *ret)
{
    struct semantic_run r = {n->head_memory, graph_kernels(n->graph), maps_of(n, true), t->labels,
                             u->class_weights};
    const double weight = run(&r, n, count, weigh_image);

    r.scale = weight > 0 ? 1 / weight : 0;
    *ret = (struct net_loss){.total = run(&r, n, count, loss_image) * r.scale};
}

static void label(struct net *n, int count, uint8_t *ret)
{
    struct semantic_run r = {.h = n->head_memory, .m = maps_of(n, false), .ret = ret};

    crew_run(graph_crew(n->graph), count, label_image, &r);
}

const struct head head_semantic = {
    .plan = plan, .done = done, .check = check, .loss = loss, .label = label};
