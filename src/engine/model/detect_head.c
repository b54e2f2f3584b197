/* detect_head.c - the detection head in a network: the graph's outputs as maps, memory, crew. */
#include "base/mem.h"
#include "engine/model/detect.h"
#include "engine/model/net_int.h"

struct detect_maps detect_maps_of(const struct net *n, bool gradients)
{
    const struct graph *g = n->graph;
    struct detect_maps m = {.classes = n->config.classes, .size = graph_output_shape(g, 0).h * 8};

    for (int i = 0; i < DETECT_LEVELS; i++) {
        const struct graph_shape s = graph_output_shape(g, 2 * i);
        m.level[i] = (struct detect_level){.h = s.h,
                                           .w = s.w,
                                           .stride = 8 << i,
                                           .box = graph_output_values(g, 2 * i),
                                           .cls = graph_output_values(g, 2 * i + 1)};
        if (gradients) {
            m.level[i].box_grad = graph_output_grad(n->graph, 2 * i);
            m.level[i].cls_grad = graph_output_grad(n->graph, 2 * i + 1);
        }
    }
    return m;
}

enum rc detect_head_plan(struct detect_head *h, const struct net *n, struct err *e)
{
    const struct net_config *c = &n->config;
    const struct detect_maps m = detect_maps_of(n, false);

    h->anchors = detect_anchors(&m);
    h->picks = mem_alloc_array((size_t)c->threads * (size_t)h->anchors, sizeof *h->picks);
    if (!h->picks)
        return err_set(e, RC_NOMEM, "out of memory for the boxes of %d pixels", c->image_size);
    return c->train ? detect_loss_new(&h->loss, c->batch_max, h->anchors, c->threads, e) : RC_OK;
}

void detect_head_done(struct detect_head *h)
{
    mem_free(h->picks);
    detect_loss_free(h->loss);
}

struct detect_run {
    struct detect_head *h;
    const struct kernels *k;
    struct detect_maps maps;
    const struct net_detect *d;
    struct net_detection *ret;
    int32_t *ret_n;
};

static void detect_image(void *ud, int image, int thread)
{
    const struct detect_run *r = ud;

    r->ret_n[image] = detect_pick_boxes(&r->maps, r->k, image, r->d,
                                        r->h->picks + (size_t)thread * (size_t)r->h->anchors,
                                        r->ret + (size_t)image * (size_t)r->d->most);
}

void detect_head_boxes(struct detect_head *h, const struct net *n, int count,
                       const struct net_detect *d, struct net_detection *ret, int32_t *ret_n)
{
    struct detect_run r = {h, graph_kernels(n->graph), detect_maps_of(n, false), d, ret, ret_n};

    crew_run(graph_crew(n->graph), count, detect_image, &r);
}

enum rc detect_head_check(const struct net *n, const struct net_target *t, int count, struct err *e)
{
    if (!t->first)
        return err_set(e, RC_INVALID, "this network is taught with boxes; there are none");
    return detect_check(t, count, n->config.classes, e);
}

/* ---- the task */

static enum rc plan(struct net *n, struct err *e)
{
    n->head_memory = mem_zalloc(sizeof(struct detect_head));
    if (!n->head_memory)
        return err_set(e, RC_NOMEM, "out of memory for a detection head");
    return detect_head_plan(n->head_memory, n, e);
}

static void done(struct net *n)
{
    if (n->head_memory)
        detect_head_done(n->head_memory);
    mem_free(n->head_memory);
}

static void loss(struct net *n, const struct net_target *t, int count, const struct net_update *u,
                 struct net_loss *ret)
{
    const struct detect_head *h = n->head_memory;
    const struct detect_maps m = detect_maps_of(n, true);

    detect_loss_run(h->loss, graph_crew(n->graph), graph_kernels(n->graph), &m, t, count, &u->gains,
                    ret);
}

static void boxes(struct net *n, int count, const struct net_detect *d, struct net_detection *ret,
                  int32_t *ret_n)
{
    detect_head_boxes(n->head_memory, n, count, d, ret, ret_n);
}

const struct head head_detection = {
    .plan = plan, .done = done, .check = detect_head_check, .loss = loss, .detect = boxes};
