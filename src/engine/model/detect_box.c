/* detect_box.c - geometry of the detection head: anchors, distances, boxes, and the two losses of a
 * box with their gradients.  Formulas: detect.h. */
#include "engine/model/detect.h"
#include <math.h>
#include <string.h>

#define EPSILON 1e-7 /* keeps divisions by areas and diagonals finite; pixels */

int detect_anchors(const struct detect_maps *m)
{
    int n = 0;

    for (int i = 0; i < DETECT_LEVELS; i++)
        n += m->level[i].h * m->level[i].w;
    return n;
}

struct detect_anchor detect_anchor_at(const struct detect_maps *m, int anchor)
{
    struct detect_anchor a = {.cell = anchor};

    while (a.cell >= m->level[a.level].h * m->level[a.level].w) {
        a.cell -= m->level[a.level].h * m->level[a.level].w;
        a.level++;
        ASSERT(a.level < DETECT_LEVELS);
    }
    const struct detect_level *l = &m->level[a.level];
    a.stride = l->stride;
    a.cx = (a.cell % l->w + 0.5) * a.stride;
    a.cy = (a.cell / l->w + 0.5) * a.stride;
    return a;
}

/* Softmax of one side: exponentials in float, sums in double. */
static void side_softmax(const struct kernels *k, const float *x, float *p, double *ret_distance,
                         double *ret_log_sum)
{
    float most = x[0];
    double sum = 0, moment = 0;

    for (int i = 1; i < DETECT_BINS; i++)
        most = x[i] > most ? x[i] : most;
    for (int i = 0; i < DETECT_BINS; i++)
        p[i] = x[i] - most;
    k->exp_of(p, p, DETECT_BINS);
    for (int i = 0; i < DETECT_BINS; i++) {
        sum += (double)p[i];
        moment += i * (double)p[i];
    }
    for (int i = 0; i < DETECT_BINS; i++)
        p[i] = (float)((double)p[i] / sum);
    *ret_distance = moment / sum;
    *ret_log_sum = log(sum) + (double)most;
}

void detect_bins_at(const struct detect_maps *m, const struct kernels *k, int image,
                    const struct detect_anchor *a, struct detect_bins *ret)
{
    const struct detect_level *l = &m->level[a->level];
    const size_t hw = (size_t)l->h * (size_t)l->w;

    for (size_t side = 0; side < 4; side++) {
        ret->logits[side] = l->box + (((size_t)image * 4 + side) * hw + (size_t)a->cell) * CH;
        side_softmax(k, ret->logits[side], ret->p[side], &ret->distance[side], &ret->log_sum[side]);
    }
}

void detect_decode(const struct detect_anchor *a, const double distance[4], double ret_box[4])
{
    ret_box[0] = a->cx - distance[0] * a->stride;
    ret_box[1] = a->cy - distance[1] * a->stride;
    ret_box[2] = a->cx + distance[2] * a->stride;
    ret_box[3] = a->cy + distance[3] * a->stride;
}

double detect_logit(const struct detect_maps *m, int image, const struct detect_anchor *a, int cls)
{
    const struct detect_level *l = &m->level[a->level];
    const size_t blocks = (size_t)ch_pad(m->classes) / CH, c = (size_t)cls;
    const size_t hw = (size_t)l->h * (size_t)l->w;

    return (double)l->cls[(((size_t)image * blocks + c / CH) * hw + (size_t)a->cell) * CH + c % CH];
}

double detect_iou(const double a[4], const double b[4])
{
    const double w = fmin(a[2], b[2]) - fmax(a[0], b[0]), h = fmin(a[3], b[3]) - fmax(a[1], b[1]);
    const double all = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - w * h;

    return w > 0 && h > 0 && all > 0 ? w * h / all
                                     : 0; /* fmin leaves a NaN out, the areas do not */
}

/* What one axis (0: x, 1: y) adds to the parts of CIoU; derivatives by the low and the high end. */
struct axis {
    double size, inter, hull, shift; /* shift: of the centres */
    double d_inter[2], d_hull[2];
};

static struct axis axis_of(const double p[4], const double t[4], int axis)
{
    const double p0 = p[axis], p1 = p[axis + 2], t0 = t[axis], t1 = t[axis + 2];
    struct axis a = {.size = p1 - p0,
                     .inter = (p1 < t1 ? p1 : t1) - (p0 > t0 ? p0 : t0),
                     .hull = (p1 > t1 ? p1 : t1) - (p0 < t0 ? p0 : t0),
                     .shift = (t0 + t1 - p0 - p1) / 2};

    if (a.inter > 0) {
        a.d_inter[0] = p0 > t0 ? -1 : 0;
        a.d_inter[1] = p1 < t1 ? 1 : 0;
    } else if (a.inter <= 0) { /* a NaN stays */
        a.inter = 0;
    }
    a.d_hull[0] = p0 < t0 ? -1 : 0;
    a.d_hull[1] = p1 > t1 ? 1 : 0;
    return a;
}

double detect_ciou(const double p[4], const double truth[4], double ret_grad[4])
{
    const double pi = 3.14159265358979323846;
    const struct axis axes[2] = {axis_of(p, truth, 0), axis_of(p, truth, 1)};
    const struct axis *x = &axes[0], *y = &axes[1];
    const double tw = truth[2] - truth[0], th = truth[3] - truth[1];
    const double inter = x->inter * y->inter;
    const double all = x->size * y->size + tw * th - inter + EPSILON;
    const double iou = inter / all;
    const double hull = x->hull * x->hull + y->hull * y->hull + EPSILON;
    const double shift = x->shift * x->shift + y->shift * y->shift;
    const double angle = atan2(tw, th) - atan2(x->size, y->size);
    const double v = 4 / (pi * pi) * angle * angle;
    const double alpha = v / (1 - iou + v + EPSILON);
    const double round = x->size * x->size + y->size * y->size + EPSILON;

    for (int i = 0; i < 4; i++) {
        const int axis = i % 2, end = i / 2;
        const struct axis *a = &axes[axis], *b = &axes[1 - axis];
        const double sign = end ? 1 : -1; /* of the size, by this end */
        const double d_inter = a->d_inter[end] * b->inter;
        const double d_iou =
            d_inter * (1 / all + inter / (all * all)) - sign * b->size * inter / (all * all);
        const double d_shift =
            -a->shift / hull - shift / (hull * hull) * 2 * a->hull * a->d_hull[end];
        const double d_angle = (axis == 0 ? -1 : 1) * sign * b->size / round;
        ret_grad[i] = d_iou - d_shift - alpha * 8 / (pi * pi) * angle * d_angle;
    }
    return iou - shift / hull - alpha * v;
}

double detect_dfl(const struct detect_bins *b, const double target[4],
                  double ret_grad[4][DETECT_BINS])
{
    double loss = 0;

    for (int side = 0; side < 4; side++) {
        const double most = DETECT_BINS - 1 - 0.01;
        const double t = !(target[side] > 0) ? 0 : target[side] > most ? most : target[side];
        const int low = (int)t;
        const double high_part = t - low, low_part = 1 - high_part;
        const float *x = b->logits[side];
        loss += b->log_sum[side] - low_part * (double)x[low] - high_part * (double)x[low + 1];
        for (int i = 0; i < DETECT_BINS; i++)
            ret_grad[side][i] = (double)b->p[side][i] / 4;
        ret_grad[side][low] -= low_part / 4;
        ret_grad[side][low + 1] -= high_part / 4;
    }
    return loss / 4;
}
