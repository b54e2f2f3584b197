/* segment_head.c - the instance segmentation head in a network: the detection head, and masks. */
#include "base/mem.h"
#include "engine/model/net_int.h"
#include "engine/model/segment.h"

struct segment_head {
    struct detect_head boxes;
    double *losses; /* by image; training */
    float *room;    /* of one mask: [side * side] */
};

/* Outputs 6..8: coefficients of each level; 9: prototypes (networks_segment.c). */
static struct segment_maps maps_of(const struct net *n, bool gradients)
{
    struct segment_maps m = {.boxes = detect_maps_of(n, gradients),
                             .prototypes = graph_output_values(n->graph, 9),
                             .side = graph_output_shape(n->graph, 9).h};

    for (int i = 0; i < DETECT_LEVELS; i++) {
        m.coefficients[i] = graph_output_values(n->graph, 6 + i);
        if (gradients)
            m.coefficients_grad[i] = graph_output_grad(n->graph, 6 + i);
    }
    if (gradients)
        m.prototypes_grad = graph_output_grad(n->graph, 9);
    return m;
}

static enum rc plan(struct net *n, struct err *e)
{
    const size_t side = (size_t)n->config.image_size / NET_MASK_STRIDE;
    struct segment_head *h = n->head_memory = mem_zalloc(sizeof *h);

    if (h) {
        h->losses = mem_alloc_array((size_t)n->config.batch_max, sizeof *h->losses);
        h->room = mem_alloc_array(side * side, sizeof *h->room);
    }
    if (!h || !h->losses || !h->room)
        return err_set(e, RC_NOMEM, "out of memory for a segmentation head");
    return detect_head_plan(&h->boxes, n, e);
}

static void done(struct net *n)
{
    struct segment_head *h = n->head_memory;

    if (!h)
        return;
    detect_head_done(&h->boxes);
    mem_free(h->losses);
    mem_free(h->room);
    mem_free(h);
}

static enum rc check(const struct net *n, const struct net_target *t, int count, struct err *e)
{
    if (!t->instances)
        return err_set(e, RC_INVALID,
                       "a network for segmentation is taught with masks; there are "
                       "none");
    return detect_head_check(n, t, count, e);
}

struct loss_run {
    struct segment_head *h;
    const struct kernels *k;
    struct segment_maps m;
    const struct net_target *t;
    double scale;
};

static void mask_image(void *ud, int image, int thread)
{
    const struct loss_run *r = ud;

    r->h->losses[image] = segment_loss_image(
        &r->m, r->k, image, detect_loss_match(r->h->boxes.loss, image), r->t, r->scale);
}

static void loss(struct net *n, const struct net_target *t, int count, const struct net_update *u,
                 struct net_loss *ret)
{
    struct segment_head *h = n->head_memory;
    struct loss_run r = {h, graph_kernels(n->graph), maps_of(n, true), t, 0};
    double positives = 0, sum = 0;

    detect_loss_run(h->boxes.loss, graph_crew(n->graph), r.k, &r.m.boxes, t, count, &u->gains, ret);
    for (int i = 0; i < count; i++)
        positives += detect_loss_match(h->boxes.loss, i)->positives;
    positives = positives > 1 ? positives : 1;
    r.scale = u->gains.mask / positives;
    crew_run(graph_crew(n->graph), count, mask_image, &r);
    for (int i = 0; i < count; i++)
        sum += h->losses[i];
    ret->mask = sum / positives;
    ret->total += u->gains.mask * ret->mask;
}

static void boxes(struct net *n, int count, const struct net_detect *d, struct net_detection *ret,
                  int32_t *ret_n)
{
    struct segment_head *h = n->head_memory;

    detect_head_boxes(&h->boxes, n, count, d, ret, ret_n);
}

static void mask(struct net *n, int image, const struct net_detection *d, uint8_t *ret)
{
    const struct segment_head *h = n->head_memory;
    const struct segment_maps m = maps_of(n, false);

    segment_mask(&m, image, d, h->room, ret);
}

const struct head head_segmentation = {
    .plan = plan, .done = done, .check = check, .loss = loss, .detect = boxes, .mask = mask};
