/* export_reference.c - the outputs that an export must have, computed by the network itself: the
 * engine's kernels, and the formulas of its heads. */
#include "engine/export/export_int.h"

#include "base/mem.h"
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

/* Output k of the graph for one image: channel c of a cell. */
struct plane_view {
    const float *v;
    size_t blocks, cells;
    struct graph_shape shape;
};

static struct plane_view view_of(const struct graph *g, int k)
{
    const struct graph_shape s = graph_output_shape(g, k);

    return (struct plane_view){graph_output_values(g, k), (size_t)s.c_pad / CH,
                               (size_t)s.h * (size_t)s.w, s};
}

static float view_at(const struct plane_view *p, size_t image, size_t c, size_t cell)
{
    return p->v[((image * p->blocks + c / CH) * p->cells + cell) * CH + c % CH];
}

/* ---- boxes */

struct detect_maps export_maps(const struct graph *g, const struct net_info *info)
{
    struct detect_maps m = {.classes = info->classes, .size = info->image_size};

    for (int i = 0; i < DETECT_LEVELS; i++) {
        const struct graph_shape s = graph_output_shape(g, 2 * i);
        m.level[i] = (struct detect_level){.h = s.h,
                                           .w = s.w,
                                           .stride = info->image_size / s.h,
                                           .box = graph_output_values(g, 2 * i),
                                           .cls = graph_output_values(g, 2 * i + 1)};
    }
    return m;
}

struct columns { /* of one image: [rows][anchors] */
    float *to;
    size_t anchors;
};

static void put(const struct columns *y, size_t row, int anchor, double v)
{
    y->to[row * y->anchors + (size_t)anchor] = (float)v;
}

static void decode_anchor(const struct graph *g, const struct detect_maps *m, int image, int anchor,
                          bool coefficients, const struct columns *y)
{
    const struct detect_anchor a = detect_anchor_at(m, anchor);
    const size_t first = 4 + (size_t)m->classes;
    struct detect_bins bins;
    double box[4];

    detect_bins_at(m, graph_kernels(g), image, &a, &bins);
    detect_decode(&a, bins.distance, box);
    for (size_t d = 0; d < 2; d++) {
        put(y, d, anchor, (box[d] + box[d + 2]) / 2);
        put(y, d + 2, anchor, box[d + 2] - box[d]);
    }
    for (int c = 0; c < m->classes; c++)
        put(y, 4 + (size_t)c, anchor, 1 / (1 + exp(-detect_logit(m, image, &a, c))));
    if (!coefficients)
        return;
    const struct plane_view v = view_of(g, OUTPUT_COEFFICIENTS + a.level);
    for (size_t c = 0; c < (size_t)v.shape.c; c++)
        put(y, first + c, anchor, (double)view_at(&v, (size_t)image, c, (size_t)a.cell));
}

static enum rc boxes(const struct graph *g, const struct net_info *info, int count,
                     bool coefficients, struct program_result *ret, struct err *e)
{
    const struct detect_maps m = export_maps(g, info);
    const size_t anchors = (size_t)detect_anchors(&m);
    size_t rows = 4 + (size_t)info->classes;

    if (coefficients)
        rows += (size_t)graph_output_shape(g, OUTPUT_COEFFICIENTS).c;
    enum rc rc = take(ret, (size_t)count * rows * anchors, e);
    for (int image = 0; !rc && image < count; image++) {
        const struct columns y = {ret->data + (size_t)image * rows * anchors, anchors};
        for (int a = 0; a < (int)anchors; a++)
            decode_anchor(g, &m, image, a, coefficients, &y);
    }
    return rc;
}

/* ---- maps */

static enum rc prototypes(const struct graph *g, int count, struct program_result *ret,
                          struct err *e)
{
    const struct plane_view v = view_of(g, OUTPUT_PROTOTYPES);
    const size_t channels = (size_t)v.shape.c;
    enum rc rc = take(ret, (size_t)count * channels * v.cells, e);

    for (size_t i = 0; !rc && i < (size_t)count * channels * v.cells; i++)
        ret->data[i] = view_at(&v, i / v.cells / channels, i / v.cells % channels, i % v.cells);
    return rc;
}

/* Where pixel i's centre lies between the cells of a row of n, held inside. */
static double between(size_t i, size_t factor, size_t n)
{
    const double at = ((double)i + 0.5) / (double)factor - 0.5;

    return at < 0 ? 0 : at > (double)(n - 1) ? (double)(n - 1) : at;
}

static double bilinear(const struct plane_view *v, size_t image, size_t c, double y, double x)
{
    const size_t w = (size_t)v->shape.w, h = (size_t)v->shape.h;
    const size_t top = (size_t)y, left = (size_t)x;
    const size_t low = top + 1 < h ? top + 1 : top, right = left + 1 < w ? left + 1 : left;
    const double down = y - (double)top, over = x - (double)left;

    return (1 - down) * ((1 - over) * (double)view_at(v, image, c, top * w + left) +
                         over * (double)view_at(v, image, c, top * w + right)) +
           down * ((1 - over) * (double)view_at(v, image, c, low * w + left) +
                   over * (double)view_at(v, image, c, low * w + right));
}

static enum rc pixels(const struct graph *g, const struct net_info *info, int count,
                      struct program_result *ret, struct err *e)
{
    const struct plane_view v = view_of(g, 0);
    const size_t size = (size_t)info->image_size, channels = (size_t)v.shape.c;
    const size_t factor = size / (size_t)v.shape.h;
    enum rc rc = take(ret, (size_t)count * channels * size * size, e);

    for (size_t i = 0; !rc && i < (size_t)count * channels * size * size; i++)
        ret->data[i] =
            (float)bilinear(&v, i / (size * size) / channels, i / (size * size) % channels,
                            between(i / size % size, factor, (size_t)v.shape.h),
                            between(i % size, factor, (size_t)v.shape.w));
    return rc;
}

/* ---- by task */

enum rc export_reference(struct net *n, const float *x, int count, struct program_result *ret,
                         struct err *e)
{
    struct graph *g = net_graph(n);
    struct net_info info;

    net_get_info(n, &info);
    ASSERT(count >= 1 && count <= info.batch_max);
    enum rc rc = graph_forward(g, x, count, false, e);
    if (rc)
        return rc;
    switch (info.card->task) {
    case NET_CLASSIFICATION:
        return logits(g, count, ret, e);
    case NET_DETECTION:
        return boxes(g, &info, count, false, ret, e);
    case NET_SEGMENTATION:
        rc = boxes(g, &info, count, true, ret, e);
        return rc ? rc : prototypes(g, count, ret + 1, e);
    case NET_SEMANTIC:
        return pixels(g, &info, count, ret, e);
    case NET_TASKS:
        break;
    }
    return err_set(e, RC_INTERNAL, "a network without a task");
}
