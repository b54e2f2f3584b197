/* segment_loss.c - masks from prototypes and coefficients, and their loss (segment.h). */
#include "engine/model/segment.h"
#include <math.h>
#include <string.h>

void segment_coefficients(const struct segment_maps *m, int image, int anchor,
                          float ret[SEGMENT_PROTOTYPES], float *ret_grad[SEGMENT_BLOCKS])
{
    const struct detect_anchor a = detect_anchor_at(&m->boxes, anchor);
    const struct detect_level *l = &m->boxes.level[a.level];
    const size_t hw = (size_t)l->h * (size_t)l->w;

    for (size_t b = 0; b < SEGMENT_BLOCKS; b++) {
        const size_t at = (((size_t)image * SEGMENT_BLOCKS + b) * hw + (size_t)a.cell) * CH;
        memcpy(ret + b * CH, m->coefficients[a.level] + at, CH * sizeof *ret);
        if (ret_grad)
            ret_grad[b] = m->coefficients_grad[a.level] + at;
    }
}

static size_t prototype_at(const struct segment_maps *m, int image, size_t block, int y, int x)
{
    const size_t side = (size_t)m->side;

    return ((((size_t)image * SEGMENT_BLOCKS + block) * side + (size_t)y) * side + (size_t)x) * CH;
}

void segment_row(const struct segment_maps *m, int image, const float *coefficients, int y, int x0,
                 int x1, float *ret)
{
    const float *p = m->prototypes + prototype_at(m, image, 0, y, x0);
    const float *q = m->prototypes + prototype_at(m, image, 1, y, x0);

    for (int x = x0; x < x1; x++, p += CH, q += CH) {
        float lanes[CH], sum = 0;
        for (int i = 0; i < CH; i++)
            lanes[i] = p[i] * coefficients[i] + q[i] * coefficients[CH + i];
        for (int i = 0; i < CH; i++)
            sum += lanes[i];
        *ret++ = sum;
    }
}

void segment_cells(double low, double high, int side, int *ret_from, int *ret_to)
{
    const double stride = NET_MASK_STRIDE;
    const double from = ceil(low / stride - 0.5), to = ceil(high / stride - 0.5);
    const double middle = floor((low + high) / 2 / stride);

    *ret_from = from > 0 ? (from < side ? (int)from : side) : 0;
    *ret_to = to > 0 ? (to < side ? (int)to : side) : 0;
    if (*ret_from < *ret_to)
        return;
    *ret_from = middle > 0 ? (middle < side ? (int)middle : side - 1) : 0;
    *ret_to = *ret_from + 1;
}

/* One row of an anchor's mask: loss, and gradients of prototypes and coefficients. */
struct row {
    const struct segment_maps *m;
    const struct kernels *k;
    const float *coefficients;
    const uint16_t *instances; /* of the image */
    int image, instance;
    float scale; /* of the gradient of a cell */
};

static double row_loss(const struct row *r, int y, int x0, int x1, float grad[SEGMENT_PROTOTYPES])
{
    float logits[DETECT_LOGITS_MAX], sigmoid[DETECT_LOGITS_MAX];
    const size_t n = (size_t)(x1 - x0), padded = (n + CH - 1) / CH * CH;
    const uint16_t *truth = r->instances + (size_t)y * (size_t)r->m->side + (size_t)x0;
    const float *p = r->m->prototypes + prototype_at(r->m, r->image, 0, y, x0);
    const float *q = r->m->prototypes + prototype_at(r->m, r->image, 1, y, x0);
    float *dp = r->m->prototypes_grad + prototype_at(r->m, r->image, 0, y, x0);
    float *dq = r->m->prototypes_grad + prototype_at(r->m, r->image, 1, y, x0);

    segment_row(r->m, r->image, r->coefficients, y, x0, x1, logits);
    for (size_t i = n; i < padded; i++)
        logits[i] = -100; /* adds nothing */
    double loss = detect_softplus_sum(r->k, logits, padded, sigmoid);
    for (size_t i = 0; i < n; i++, p += CH, q += CH, dp += CH, dq += CH) {
        const bool inside = truth[i] == r->instance;
        const float g = r->scale * (sigmoid[i] - (inside ? 1 : 0));
        loss -= inside ? (double)logits[i] : 0;
        for (int c = 0; c < CH; c++) {
            dp[c] += g * r->coefficients[c];
            dq[c] += g * r->coefficients[CH + c];
            grad[c] += g * p[c];
            grad[CH + c] += g * q[c];
        }
    }
    return loss;
}

static double anchor_loss(const struct segment_maps *m, const struct kernels *k, int image,
                          int anchor, int owner, const struct net_target *t, double scale)
{
    const struct net_box *b = &t->boxes[t->first[image] + owner];
    const size_t cells = (size_t)m->side * (size_t)m->side;
    float coefficients[SEGMENT_PROTOTYPES], grad[SEGMENT_PROTOTYPES] = {0};
    float *grad_to[SEGMENT_BLOCKS];
    int x0, x1, y0, y1;
    double loss = 0;

    segment_cells((double)b->x0, (double)b->x1, m->side, &x0, &x1);
    segment_cells((double)b->y0, (double)b->y1, m->side, &y0, &y1);
    segment_coefficients(m, image, anchor, coefficients, grad_to);
    const double area = (double)(x1 - x0) * (y1 - y0);
    const struct row r = {
        m,     k,         coefficients,         t->instances + (size_t)image * cells,
        image, owner + 1, (float)(scale / area)};
    for (int y = y0; y < y1; y++)
        loss += row_loss(&r, y, x0, x1, grad);
    for (size_t i = 0; i < SEGMENT_BLOCKS; i++)
        memcpy(grad_to[i], grad + i * CH, CH * sizeof *grad);
    return loss / area;
}

double segment_loss_image(const struct segment_maps *m, const struct kernels *k, int image,
                          const struct detect_match *match, const struct net_target *t,
                          double scale)
{
    const int anchors = detect_anchors(&m->boxes);
    double loss = 0;

    for (int i = 0; i < DETECT_LEVELS; i++) {
        const struct detect_level *l = &m->boxes.level[i];
        const size_t floats = SEGMENT_PROTOTYPES * (size_t)l->h * (size_t)l->w;
        memset(m->coefficients_grad[i] + (size_t)image * floats, 0, floats * sizeof(float));
    }
    const size_t floats = SEGMENT_PROTOTYPES * (size_t)m->side * (size_t)m->side;
    memset(m->prototypes_grad + (size_t)image * floats, 0, floats * sizeof(float));
    for (int a = 0; a < anchors; a++)
        if (match->owner[a] >= 0)
            loss += anchor_loss(m, k, image, a, match->owner[a], t, scale);
    return loss;
}

/* Pixel centres in [low, high) of 0..size. */
static void pixels_of(float low, float high, int size, int *ret_from, int *ret_to)
{
    const double from = ceil((double)low - 0.5), to = ceil((double)high - 0.5);

    *ret_from = from > 0 ? (from < size ? (int)from : size) : 0;
    *ret_to = to > 0 ? (to < size ? (int)to : size) : 0;
}

/* Where pixel `at` lies between cells: the lower one, and the share of the next. */
static double between(int at, int side, int *ret_cell)
{
    const double u = (at + 0.5) / NET_MASK_STRIDE - 0.5;
    const double clamped = u < 0 ? 0 : u > side - 1 ? side - 1 : u;

    *ret_cell = (int)clamped < side - 1 ? (int)clamped : side - 2;
    return clamped - *ret_cell;
}

void segment_mask(const struct segment_maps *m, int image, const struct net_detection *d,
                  float *room, uint8_t *ret)
{
    const int size = m->boxes.size, side = m->side;
    float coefficients[SEGMENT_PROTOTYPES];
    int x0, x1, y0, y1, c0, c1, r0, r1;

    memset(ret, 0, (size_t)size * (size_t)size);
    pixels_of(d->box.x0, d->box.x1, size, &x0, &x1);
    pixels_of(d->box.y0, d->box.y1, size, &y0, &y1);
    if (x0 >= x1 || y0 >= y1)
        return;
    segment_coefficients(m, image, d->anchor, coefficients, NULL);
    between(x0, side, &c0);
    between(x1 - 1, side, &c1);
    between(y0, side, &r0);
    between(y1 - 1, side, &r1);
    for (int y = r0; y <= r1 + 1; y++)
        segment_row(m, image, coefficients, y, c0, c1 + 2, room + (size_t)y * (size_t)side + c0);
    for (int y = y0; y < y1; y++) {
        int row, column;
        const double v = between(y, side, &row);
        for (int x = x0; x < x1; x++) {
            const double u = between(x, side, &column);
            const float *a = room + (size_t)row * (size_t)side + column, *b = a + side;
            const double top = (double)a[0] * (1 - u) + (double)a[1] * u;
            const double bottom = (double)b[0] * (1 - u) + (double)b[1] * u;
            ret[(size_t)y * (size_t)size + (size_t)x] = top * (1 - v) + bottom * v > 0;
        }
    }
}
