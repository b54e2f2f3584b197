/* semantic_loss.c - cross-entropy of pixels against cells, and labels from logits (semantic.h). */
#include "engine/model/semantic.h"
#include "engine/model/target.h"
#include <math.h>
#include <string.h>

enum rc semantic_check(const uint8_t *labels, int count, int size, int classes, struct err *e)
{
    const size_t pixels = (size_t)size * (size_t)size;

    for (int image = 0; image < count; image++)
        for (size_t i = 0; i < pixels; i++) {
            const int label = labels[(size_t)image * pixels + i];
            if (label >= classes && label != NET_LABEL_IGNORE)
                return err_set(e, RC_INVALID,
                               "pixel (%d, %d) of image %d of the batch has label %d; this network "
                               "has classes 0 to %d, and %d teaches nothing",
                               (int)(i % (size_t)size), (int)(i / (size_t)size), image, label,
                               classes - 1, NET_LABEL_IGNORE);
        }
    return RC_OK;
}

static double weight_of(const float *weights, int label)
{
    return weights ? (double)weights[label] : 1;
}

double semantic_weight(const struct semantic_maps *m, const uint8_t *labels, const float *weights)
{
    const size_t pixels = (size_t)m->size * (size_t)m->size;
    double sum = 0;

    for (size_t i = 0; i < pixels; i++)
        if (labels[i] != NET_LABEL_IGNORE)
            sum += weight_of(weights, labels[i]);
    return sum;
}

/* Softmax of one cell; its logits lie a plane of blocks apart. */
struct cell {
    float x[SEMANTIC_CLASSES_MAX + 1], e[SEMANTIC_CLASSES_MAX + 1];
    double sum, log_sum;
};

static void cell_softmax(const struct semantic_maps *m, const struct kernels *k, size_t at,
                         size_t plane, struct cell *ret)
{
    const size_t padded = (size_t)ch_pad(m->classes);
    float most = m->logits[at];

    for (size_t c = 0; c < padded; c++)
        ret->x[c] = m->logits[at + c / CH * plane + c % CH];
    for (size_t c = 1; c < (size_t)m->classes; c++)
        most = ret->x[c] > most ? ret->x[c] : most;
    for (size_t c = 0; c < padded; c++)
        ret->e[c] = ret->x[c] - most;
    k->exp_of(ret->e, ret->e, padded);
    ret->sum = 0;
    for (size_t c = 0; c < (size_t)m->classes; c++)
        ret->sum += (double)ret->e[c];
    ret->log_sum = log(ret->sum) + (double)most;
}

double semantic_loss_image(const struct semantic_maps *m, const struct kernels *k, int image,
                           const uint8_t *labels, const float *weights, double scale)
{
    const size_t side = (size_t)m->side, size = (size_t)m->size, plane = side * side * CH;
    const size_t blocks = (size_t)ch_pad(m->classes) / CH;
    double loss = 0;

    for (size_t i = 0; i < side * side; i++) {
        const size_t at = (size_t)image * blocks * plane + i * CH;
        const uint8_t *corner =
            labels + i / side * SEMANTIC_STRIDE * size + i % side * SEMANTIC_STRIDE;
        double mass[SEMANTIC_CLASSES_MAX + 1] = {0}, all = 0;
        struct cell cell;
        for (size_t p = 0; p < SEMANTIC_STRIDE * SEMANTIC_STRIDE; p++) {
            const int label = corner[p / SEMANTIC_STRIDE * size + p % SEMANTIC_STRIDE];
            if (label != NET_LABEL_IGNORE)
                mass[label] += weight_of(weights, label);
        }
        cell_softmax(m, k, at, plane, &cell);
        for (size_t c = 0; c < (size_t)m->classes; c++) {
            all += mass[c];
            if (mass[c] > 0)
                loss += mass[c] * (cell.log_sum - (double)cell.x[c]);
        }
        for (size_t c = 0; c < blocks * CH; c++)
            m->grad[at + c / CH * plane + c % CH] =
                c < (size_t)m->classes
                    ? (float)(scale * (all * (double)cell.e[c] / cell.sum - mass[c]))
                    : 0;
    }
    return loss;
}

/* Where pixel `at` lies between cells: the lower one, and the share of the next. */
static float between(int at, int side, size_t *ret_cell)
{
    const double u = (at + 0.5) / SEMANTIC_STRIDE - 0.5;
    const double clamped = u < 0 ? 0 : u > side - 1 ? side - 1 : u;
    const int cell = (int)clamped < side - 1 ? (int)clamped : side - 2;

    *ret_cell = (size_t)cell;
    return (float)(clamped - cell);
}

void semantic_labels(const struct semantic_maps *m, int image, float *room, uint8_t *ret)
{
    const size_t side = (size_t)m->side, padded = (size_t)ch_pad(m->classes);
    const float *logits = m->logits + (size_t)image * padded * side * side;

    for (int y = 0; y < m->size; y++) {
        size_t row, column;
        const float v = between(y, m->side, &row);
        for (size_t b = 0; b < padded / CH; b++)
            for (size_t x = 0; x < side; x++) {
                const float *p = logits + ((b * side + row) * side + x) * CH;
                for (size_t c = 0; c < CH; c++)
                    room[x * padded + b * CH + c] = p[c] + v * (p[side * CH + c] - p[c]);
            }
        for (int x = 0; x < m->size; x++) {
            const float u = between(x, m->side, &column);
            const float *a = room + column * padded, *b = a + padded;
            float most = -INFINITY;
            uint8_t label = 0;
            for (int c = 0; c < m->classes; c++) {
                const float value = a[c] + u * (b[c] - a[c]);
                if (value > most) {
                    most = value;
                    label = (uint8_t)c;
                }
            }
            *ret++ = label;
        }
    }
}
