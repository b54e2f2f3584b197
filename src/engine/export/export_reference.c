/* export_reference.c - the outputs that an export must have, computed by the network itself: the
 * engine's kernels, and the formulas of its heads. */
#include "engine/export/export_int.h"

#include "base/mem.h"
#include "engine/model/detect.h"
#include <math.h>
#include <string.h>

static enum rc take(struct program_result *ret, size_t n, struct err *e)
{
    float *data = mem_alloc_array(n, sizeof *data);

    if (!data)
        return err_set(e, RC_NOMEM, "no memory to compare an export");
    *ret = (struct program_result){data, n};
    return RC_OK;
}

static enum rc logits(const struct graph *g, int count, struct program_result *ret, struct err *e)
{
    const size_t classes = (size_t)graph_classes(g), row = (size_t)graph_logits_row(g);
    enum rc rc = take(ret, (size_t)count * classes, e);

    for (size_t i = 0; !rc && i < (size_t)count; i++)
        memcpy(ret->data + i * classes, graph_logits(g) + i * row, classes * sizeof *ret->data);
    return rc;
}

static void decode_anchor(const struct detect_maps *m, const struct kernels *k, int image,
                          int anchor, size_t anchors, float *column)
{
    const struct detect_anchor a = detect_anchor_at(m, anchor);
    struct detect_bins bins;
    double box[4];

    detect_bins_at(m, k, image, &a, &bins);
    detect_decode(&a, bins.distance, box);
    for (size_t d = 0; d < 2; d++) {
        column[d * anchors] = (float)((box[d] + box[d + 2]) / 2);
        column[(d + 2) * anchors] = (float)(box[d + 2] - box[d]);
    }
    for (int c = 0; c < m->classes; c++)
        column[(size_t)(4 + c) * anchors] = (float)(1 / (1 + exp(-detect_logit(m, image, &a, c))));
}

static enum rc boxes(struct net *n, int count, struct program_result *ret, struct err *e)
{
    struct graph *g = net_graph(n);
    struct net_info info;

    net_get_info(n, &info);
    struct detect_maps m = {.classes = info.classes, .size = info.image_size};
    for (int i = 0; i < DETECT_LEVELS; i++) {
        const struct graph_shape s = graph_output_shape(g, 2 * i);
        m.level[i] = (struct detect_level){.h = s.h,
                                           .w = s.w,
                                           .stride = info.image_size / s.h,
                                           .box = graph_output_values(g, 2 * i),
                                           .cls = graph_output_values(g, 2 * i + 1)};
    }
    const size_t anchors = (size_t)detect_anchors(&m), rows = 4 + (size_t)info.classes;
    enum rc rc = take(ret, (size_t)count * rows * anchors, e);
    for (int image = 0; !rc && image < count; image++)
        for (size_t a = 0; a < anchors; a++)
            decode_anchor(&m, graph_kernels(g), image, (int)a, anchors,
                          ret->data + (size_t)image * rows * anchors + a);
    return rc;
}

enum rc export_reference(struct net *n, const float *x, int count, struct program_result *ret,
                         struct err *e)
{
    struct net_info info;

    net_get_info(n, &info);
    ASSERT(count >= 1 && count <= info.batch_max);
    enum rc rc = graph_forward(net_graph(n), x, count, false, e);
    if (rc)
        return rc;
    switch (info.card->task) {
    case NET_CLASSIFICATION:
        return logits(net_graph(n), count, ret, e);
    case NET_DETECTION:
        return boxes(n, count, ret, e);
    case NET_SEGMENTATION:
    case NET_SEMANTIC:
    case NET_TASKS:
        break;
    }
    return err_set(e, RC_UNIMPLEMENTED, "networks for %s cannot be compared",
                   net_task_names[info.card->task]);
}
