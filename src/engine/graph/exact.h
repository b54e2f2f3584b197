/* exact.h - for tests: a graph computed again in double precision, forward and backward, by the
 * textbook and without a line of the engine's own arithmetic.
 *
 * It reads the graph from outside (graph_node_at, graph_param_read) and keeps everything as plain
 * [image][channel][y][x].  Batch norm uses the batch's statistics, dropout the engine's numbers;
 * or, `running`, as inference has it, the running statistics, and nothing is dropped.
 *
 * Sources: batch norm arXiv:1502.03167, section 3; SiLU arXiv:1702.03118; hard swish and hard
 * sigmoid arXiv:1905.02244, 5.2; ReLU6 arXiv:1801.04381; gates arXiv:1709.01507; dropout Srivastava
 * et al., 2014; dropped branches arXiv:1603.09382; convolution, pools and the linear layer as
 * Goodfellow et al., Deep Learning, 2016, chapters 6 and 9, have them.
 *
 *     struct exact x = exact_new(g, count);
 *     exact_forward(&x, image);                // float [count][3][h][w]
 *     x.grad[node][i] = ...;                   // of the outputs, and of the linear layer
 *     exact_backward(&x);                      // x.param_grad[p][i]: plain tensors
 *     exact_done(&x);
 */
#ifndef ANNEAL_ENGINE_GRAPH_EXACT_H
#define ANNEAL_ENGINE_GRAPH_EXACT_H

#include "base/hash.h"
#include "base/mem.h"
#include "engine/graph/graph_int.h"
#include <math.h>
#include <string.h>

struct exact {
    const struct graph *g;
    int count;
    bool running; /* inference */
    struct graph_node node[GRAPH_NODES_MAX];
    double *value[GRAPH_NODES_MAX], *grad[GRAPH_NODES_MAX]; /* of the outputs */
    double *y[GRAPH_NODES_MAX];                             /* convolution before norm */
    double *z[GRAPH_NODES_MAX];                             /* before the activation */
    double *mean[GRAPH_NODES_MAX], *inv_std[GRAPH_NODES_MAX];
    double *param[GRAPH_PARAMS_MAX], *param_grad[GRAPH_PARAMS_MAX];
};

static double *exact_zeros(size_t n)
{
    double *p = mem_alloc_array(n + 1, sizeof *p);

    ASSERT(p);
    return memset(p, 0, n * sizeof *p);
}

static size_t exact_plane(const struct graph_node *n)
{
    return (size_t)n->shape.h * (size_t)n->shape.w;
}

static size_t exact_floats(const struct exact *x, int node)
{
    const struct graph_node *n = &x->node[node];

    return (size_t)x->count * (size_t)n->shape.c * exact_plane(n);
}

static struct exact *exact_new(const struct graph *g, int count)
{
    struct exact *x = mem_zalloc(sizeof *x);

    ASSERT(x);
    x->g = g;
    x->count = count;
    for (int i = 0; i < graph_node_count(g); i++) {
        graph_node_at(g, i, &x->node[i]);
        x->value[i] = exact_zeros(exact_floats(x, i));
        x->grad[i] = exact_zeros(exact_floats(x, i));
        if (x->node[i].kind == NODE_CONV) {
            x->y[i] = exact_zeros(exact_floats(x, i));
            x->z[i] = exact_zeros(exact_floats(x, i));
            x->mean[i] = exact_zeros((size_t)x->node[i].shape.c);
            x->inv_std[i] = exact_zeros((size_t)x->node[i].shape.c);
        }
    }
    for (size_t p = 0; p < graph_param_count(g); p++) {
        const struct graph_param *param = graph_param_at(g, p);
        float *plain = mem_alloc_array(param->count, sizeof *plain);
        ASSERT(plain);
        graph_param_read(g, param, NULL, plain);
        x->param[p] = exact_zeros(param->count);
        x->param_grad[p] = exact_zeros(param->count);
        for (size_t i = 0; i < param->count; i++)
            x->param[p][i] = (double)plain[i];
        mem_free(plain);
    }
    return x;
}

static void exact_done(struct exact *x)
{
    for (int i = 0; i < GRAPH_NODES_MAX; i++) {
        double *const all[] = {x->value[i], x->grad[i], x->y[i],
                               x->z[i],     x->mean[i], x->inv_std[i]};
        for (size_t k = 0; k < sizeof all / sizeof all[0]; k++)
            mem_free(all[k]);
    }
    for (int p = 0; p < GRAPH_PARAMS_MAX; p++) {
        mem_free(x->param[p]);
        mem_free(x->param_grad[p]);
    }
    mem_free(x);
}

static double exact_clamp(double v, double low, double high)
{
    return v < low ? low : v > high ? high : v;
}

static double exact_act(double z, enum act act, double *ret_slope)
{
    const double s = 1 / (1 + exp(-z)), hard = exact_clamp(z + 3, 0, 6) / 6;
    const bool inside = z > -3 && z < 3;

    switch (act) {
    case ACT_RELU:
        *ret_slope = z > 0;
        return z > 0 ? z : 0;
    case ACT_RELU6:
        *ret_slope = z > 0 && z < 6;
        return exact_clamp(z, 0, 6);
    case ACT_SILU:
        *ret_slope = s * (1 + z * (1 - s));
        return z * s;
    case ACT_SIGMOID:
        *ret_slope = s * (1 - s);
        return s;
    case ACT_HARD_SWISH:
        *ret_slope = z >= 3 ? 1 : inside ? z / 3 + 0.5 : 0;
        return z * hard;
    case ACT_HARD_SIGMOID:
        *ret_slope = inside ? 1.0 / 6 : 0;
        return hard;
    case ACT_NONE:
        break;
    }
    *ret_slope = 1;
    return z;
}

/* The engine's numbers: see graph_dropout and conv_spec.drop. */
static double exact_drop(const struct exact *x, int node, int image, uint64_t element)
{
    if (x->running)
        return 1;
    const struct node *n = &x->g->nodes[node];
    const struct run r = {.g = (struct graph *)(uintptr_t)x->g, .n = (struct node *)(uintptr_t)n};

    return (double)drop_factor(&r, image, element);
}

/* ---- convolution: every product once, for three purposes */

enum exact_pass { EXACT_FORWARD, EXACT_DATA, EXACT_WEIGHTS };

/* One row of output pixels and one tap; `to` and `by` are what the pass writes and reads. */
static void exact_row(enum exact_pass pass, double *y, double *x, double *w, int from, int to,
                      int stride)
{
    double sum = 0;

    if (pass == EXACT_FORWARD)
        for (int i = from; i < to; i++)
            y[i] += x[i * stride] * *w;
    else if (pass == EXACT_DATA)
        for (int i = from; i < to; i++)
            x[i * stride] += y[i] * *w;
    else
        for (int i = from; i < to; i++)
            sum += y[i] * x[i * stride];
    if (pass == EXACT_WEIGHTS)
        *w += sum;
}

/* One input channel and one output channel of one image. */
static void exact_planes(enum exact_pass pass, const struct graph_node *n,
                         const struct graph_node *in, double *y, double *x, double *w)
{
    for (int t = 0; t < n->k * n->k; t++) {
        const int ky = t / n->k - n->pad, kx = t % n->k - n->pad;
        int from = 0, to = n->shape.w;
        while (from < to && from * n->stride + kx < 0)
            from++;
        while (to > from && (to - 1) * n->stride + kx >= in->shape.w)
            to--;
        for (int oy = 0; oy < n->shape.h; oy++) {
            const int iy = oy * n->stride + ky;
            if (iy >= 0 && iy < in->shape.h)
                exact_row(pass, y + oy * n->shape.w, x + (ptrdiff_t)iy * in->shape.w + kx, w + t,
                          from, to, n->stride);
        }
    }
}

static void exact_conv(enum exact_pass pass, const struct exact *e, int node, double *y, double *x,
                       double *w)
{
    const struct graph_node *n = &e->node[node], *in = &e->node[n->in[0]];
    const int inputs = n->depthwise ? 1 : in->shape.c;

    for (int image = 0; image < e->count; image++)
        for (int o = 0; o < n->shape.c; o++)
            for (int i = 0; i < inputs; i++) {
                const int from = n->depthwise ? o : i;
                exact_planes(pass, n, in, y + (size_t)(image * n->shape.c + o) * exact_plane(n),
                             x + (size_t)(image * in->shape.c + from) * exact_plane(in),
                             w + (o * inputs + i) * n->k * n->k);
            }
}

/* Calls for every element of a channel, images in turn: at[] is its place. */
#define EXACT_EACH(x, n, ch, at)                                                                   \
    for (size_t at##_i = 0, at##_p = exact_plane(n), at = (size_t)(ch)*at##_p;                     \
         at##_i < (size_t)(x)->count * at##_p;                                                     \
         at##_i++, at = (at##_i / at##_p * (size_t)(n)->shape.c + (size_t)(ch)) * at##_p +         \
                        at##_i % at##_p)

static void exact_norm(struct exact *x, int node, int ch)
{
    const struct graph_node *n = &x->node[node];
    const double elements = (double)x->count * (double)exact_plane(n);
    double mean = 0, variance = 0;

    if (x->running) {
        x->mean[node][ch] = x->param[n->mean][ch];
        x->inv_std[node][ch] = 1 / sqrt(x->param[n->variance][ch] + n->norm_eps);
        return;
    }
    EXACT_EACH(x, n, ch, at)
    mean += x->y[node][at] / elements;
    EXACT_EACH(x, n, ch, at)
    variance += (x->y[node][at] - mean) * (x->y[node][at] - mean) / elements;
    x->mean[node][ch] = mean;
    x->inv_std[node][ch] = 1 / sqrt(variance + n->norm_eps);
}

static void exact_conv_forward(struct exact *x, int node)
{
    const struct graph_node *n = &x->node[node];
    const bool norm = n->norm_eps > 0;
    double slope;

    exact_conv(EXACT_FORWARD, x, node, x->y[node], x->value[n->in[0]], x->param[n->weight]);
    for (int ch = 0; ch < n->shape.c; ch++) {
        if (norm)
            exact_norm(x, node, ch);
        EXACT_EACH(x, n, ch, at)
        {
            const double y = x->y[node][at];
            const int image = (int)(at / (exact_plane(n) * (size_t)n->shape.c));
            const double add = n->residual == GRAPH_NONE ? 0 : x->value[n->residual][at];
            double z =
                norm ? (y - x->mean[node][ch]) * x->inv_std[node][ch] * x->param[n->scale][ch] +
                           x->param[n->shift][ch]
                     : y + x->param[n->bias][ch];
            z += n->residual_after ? 0 : add;
            x->z[node][at] = z;
            double a = exact_act(z, n->act, &slope);
            if (n->dropout > 0)
                a *= exact_drop(x, node, image, 0);
            x->value[node][at] = a + (n->residual_after ? add : 0);
        }
    }
}

/* From the gradient of z: that of y, of scale and shift or of the bias. */
static void exact_norm_backward(struct exact *x, int node, int ch, double *dz)
{
    const struct graph_node *n = &x->node[node];
    const double elements = (double)x->count * (double)exact_plane(n);
    double sum = 0, dot = 0;

    EXACT_EACH(x, n, ch, at)
    {
        sum += dz[at];
        dot += dz[at] * (x->y[node][at] - x->mean[node][ch]) * x->inv_std[node][ch];
    }
    if (!(n->norm_eps > 0)) {
        x->param_grad[n->bias][ch] = sum;
        return;
    }
    x->param_grad[n->shift][ch] = sum;
    x->param_grad[n->scale][ch] = dot;
    EXACT_EACH(x, n, ch, at)
    {
        const double hat = (x->y[node][at] - x->mean[node][ch]) * x->inv_std[node][ch];
        dz[at] = x->param[n->scale][ch] * x->inv_std[node][ch] *
                 (dz[at] - sum / elements - hat * dot / elements);
    }
}

static void exact_conv_backward(struct exact *x, int node)
{
    const struct graph_node *n = &x->node[node];
    double *dz = exact_zeros(exact_floats(x, node));

    for (int ch = 0; ch < n->shape.c; ch++) {
        EXACT_EACH(x, n, ch, at)
        {
            const int image = (int)(at / (exact_plane(n) * (size_t)n->shape.c));
            double slope;
            exact_act(x->z[node][at], n->act, &slope);
            dz[at] = x->grad[node][at] * slope;
            if (n->dropout > 0)
                dz[at] *= exact_drop(x, node, image, 0);
            if (n->residual != GRAPH_NONE)
                x->grad[n->residual][at] += n->residual_after ? x->grad[node][at] : dz[at];
        }
        exact_norm_backward(x, node, ch, dz);
    }
    exact_conv(EXACT_WEIGHTS, x, node, dz, x->value[n->in[0]], x->param_grad[n->weight]);
    exact_conv(EXACT_DATA, x, node, dz, x->grad[n->in[0]], x->param[n->weight]);
    mem_free(dz);
}

/* ---- the others, forward (`back` false) or backward */

static void exact_pool(struct exact *x, int node, bool back)
{
    const struct graph_node *n = &x->node[node], *in = &x->node[n->in[0]];

    for (size_t i = 0; i < exact_floats(x, node); i++) {
        const int ox = (int)(i % (size_t)n->shape.w),
                  oy = (int)(i / (size_t)n->shape.w % (size_t)n->shape.h);
        const size_t plane = i / exact_plane(n) * exact_plane(in);
        size_t best = SIZE_MAX;
        for (int t = 0; t < n->k * n->k; t++) {
            const int iy = oy * n->stride - n->pad + t / n->k;
            const int ix = ox * n->stride - n->pad + t % n->k;
            if (iy < 0 || ix < 0 || iy >= in->shape.h || ix >= in->shape.w)
                continue;
            const size_t at = plane + (size_t)(iy * in->shape.w + ix);
            if (best == SIZE_MAX || x->value[n->in[0]][at] > x->value[n->in[0]][best])
                best = at;
        }
        if (back)
            x->grad[n->in[0]][best] += x->grad[node][i];
        else
            x->value[node][i] = x->value[n->in[0]][best];
    }
}

static void exact_average(struct exact *x, int node, bool back)
{
    const struct graph_node *in = &x->node[x->node[node].in[0]];
    const size_t plane = exact_plane(in);
    const int from = x->node[node].in[0];

    for (size_t i = 0; i < exact_floats(x, from); i++)
        if (back)
            x->grad[from][i] += x->grad[node][i / plane] / (double)plane;
        else
            x->value[node][i / plane] += x->value[from][i] / (double)plane;
}

static void exact_linear(struct exact *x, int node, bool back)
{
    const struct graph_node *n = &x->node[node];
    const int from = n->in[0], features = x->node[from].shape.c;

    for (int image = 0; image < x->count; image++)
        for (int c = 0; c < n->shape.c; c++) {
            const double g = x->grad[node][image * n->shape.c + c];
            double sum = x->param[n->bias][c];
            for (int f = 0; f < features; f++) {
                sum += x->param[n->weight][c * features + f] * x->value[from][image * features + f];
                if (!back)
                    continue;
                x->param_grad[n->weight][c * features + f] +=
                    g * x->value[from][image * features + f];
                x->grad[from][image * features + f] += g * x->param[n->weight][c * features + f];
            }
            if (back)
                x->param_grad[n->bias][c] += g;
            else
                x->value[node][image * n->shape.c + c] = sum;
        }
}

static void exact_concat(struct exact *x, int node, bool back)
{
    const struct graph_node *n = &x->node[node];
    size_t at = 0;

    for (int image = 0; image < x->count; image++)
        for (int k = 0; k < n->in_count; k++) {
            const size_t floats = exact_floats(x, n->in[k]) / (size_t)x->count;
            for (size_t i = 0; i < floats; i++, at++)
                if (back)
                    x->grad[n->in[k]][(size_t)image * floats + i] += x->grad[node][at];
                else
                    x->value[node][at] = x->value[n->in[k]][(size_t)image * floats + i];
        }
}

static void exact_upsample(struct exact *x, int node, bool back)
{
    const struct graph_node *n = &x->node[node];
    const size_t w = (size_t)n->shape.w, plane = exact_plane(n);

    for (size_t i = 0; i < exact_floats(x, node); i++) {
        const size_t from = i / plane * (plane / 4) + i % plane / w / 2 * (w / 2) + i % w / 2;
        if (back)
            x->grad[n->in[0]][from] += x->grad[node][i];
        else
            x->value[node][i] = x->value[n->in[0]][from];
    }
}

static void exact_scale(struct exact *x, int node, bool back)
{
    const struct graph_node *n = &x->node[node];

    for (size_t i = 0; i < exact_floats(x, node); i++) {
        const size_t by = i / exact_plane(n);
        if (back) {
            x->grad[n->in[0]][i] += x->grad[node][i] * x->value[n->in[1]][by];
            x->grad[n->in[1]][by] += x->grad[node][i] * x->value[n->in[0]][i];
        } else {
            x->value[node][i] = x->value[n->in[0]][i] * x->value[n->in[1]][by];
        }
    }
}

static void exact_dropout(struct exact *x, int node, bool back)
{
    const int from = x->node[node].in[0];
    const size_t floats = exact_floats(x, node) / (size_t)x->count;

    for (size_t i = 0; i < exact_floats(x, node); i++) {
        const double factor = exact_drop(x, node, (int)(i / floats), i % floats);
        if (back)
            x->grad[from][i] += x->grad[node][i] * factor;
        else
            x->value[node][i] = x->value[from][i] * factor;
    }
}

static void exact_node(struct exact *x, int node, bool back)
{
    switch (x->node[node].kind) {
    case NODE_IMAGE:
        break;
    case NODE_CONV:
        if (back)
            exact_conv_backward(x, node);
        else
            exact_conv_forward(x, node);
        break;
    case NODE_MAX_POOL:
        exact_pool(x, node, back);
        break;
    case NODE_AVERAGE:
        exact_average(x, node, back);
        break;
    case NODE_LINEAR:
        exact_linear(x, node, back);
        break;
    case NODE_CONCAT:
        exact_concat(x, node, back);
        break;
    case NODE_UPSAMPLE:
        exact_upsample(x, node, back);
        break;
    case NODE_SCALE:
        exact_scale(x, node, back);
        break;
    case NODE_DROPOUT:
        exact_dropout(x, node, back);
        break;
    }
}

/* May be called again, with other parameters or another picture. */
static void exact_forward(struct exact *x, const float *image)
{
    for (int i = 0; i < graph_node_count(x->g); i++) {
        memset(x->value[i], 0, exact_floats(x, i) * sizeof *x->value[i]);
        if (x->y[i])
            memset(x->y[i], 0, exact_floats(x, i) * sizeof *x->y[i]);
    }
    for (size_t i = 0; i < exact_floats(x, 0); i++)
        x->value[0][i] = (double)image[i];
    for (int i = 0; i < graph_node_count(x->g); i++)
        exact_node(x, i, false);
}

static void exact_backward(struct exact *x)
{
    for (int i = graph_node_count(x->g) - 1; i >= 0; i--)
        exact_node(x, i, true);
}

/* Where element i of a plain [image][c][h][w] lies in the blocked layout. */
static inline size_t exact_blocked(struct graph_shape s, size_t i)
{
    const size_t plane = (size_t)s.h * (size_t)s.w, c = i / plane % (size_t)s.c;
    const size_t image = i / plane / (size_t)s.c;

    return ((image * (size_t)s.c_pad + c / CH * CH) * plane + i % plane * CH) + c % CH;
}

#endif
