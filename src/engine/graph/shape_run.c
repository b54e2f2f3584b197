/* shape_run.c - executes the nodes without weights: pools, upsampling, concatenation, gates,
 * dropout; and adds gradients where a node has more readers than a kernel takes.
 *
 * An item is an image, or blocks of channels of one.  Forward fills whole shards, with zeros behind
 * the last image, because oneDNN computes whole shards; backward leaves those gradients alone: the
 * convolution that receives them clears its own.
 */
#include "base/hash.h"
#include "engine/graph/graph_int.h"
#include <string.h>

/* Keeps dropout's numbers apart from others that are drawn from the same seed. */
static const uint64_t DROPOUT_SEED = 0x64726f706f757473;

static size_t plane_floats(const struct node *n)
{
    return (size_t)n->h * (size_t)n->w * CH;
}

static int blocks_of(const struct node *n)
{
    return n->c_pad / CH;
}

/* An image of a node's output, of the gradient of it, of the gradient of its input k. */
static float *output_at(const struct run *r, const struct node *n, int image)
{
    return value_of(r->g, n) + (size_t)image * node_image_floats(n);
}

static float *grad_of(const struct run *r, int image)
{
    return buffer_at(r->g, r->n->grads[0]) + (size_t)image * node_image_floats(r->n);
}

static float *input_grad(const struct run *r, int k, int image)
{
    const struct node *from = input_of(r->g, r->n, k);

    return buffer_at(r->g, r->n->dx[k]) + (size_t)image * node_image_floats(from);
}

/* ---- max pool */

static void pool_forward(const struct run *r, int image, int b0, int b1)
{
    const struct node *n = r->n, *from = input_of(r->g, n, 0);
    const float *x = output_at(r, from, image);
    float *y = output_at(r, n, image);
    unsigned char *which = NULL;

    if (r->g->config.train && !r->g->going_back)
        which =
            (unsigned char *)buffer_at(r->g, n->pool_from) + (size_t)image * node_image_floats(n);
    for (int b = b0; b < b1; b++)
        r->g->k->max_pool(&n->pool, x + (size_t)b * plane_floats(from),
                          y + (size_t)b * plane_floats(n),
                          which ? which + (size_t)b * plane_floats(n) : NULL);
}

static void pool_backward(const struct run *r, int image)
{
    const struct node *n = r->n, *from = input_of(r->g, n, 0);
    const unsigned char *which =
        (const unsigned char *)buffer_at(r->g, n->pool_from) + (size_t)image * node_image_floats(n);
    const int count = n->grad_count < GRADS_MAX ? n->grad_count : GRADS_MAX;

    for (int b = 0; b < blocks_of(n); b++) {
        const size_t at = (size_t)b * plane_floats(n);
        float *grads[GRADS_MAX];
        for (int i = 0; i < count; i++)
            grads[i] = buffer_at(r->g, n->grads[i]) + (size_t)image * node_image_floats(n) + at;
        r->g->k->max_pool_grad(&n->pool, grads, count, which + at,
                               input_grad(r, 0, image) + (size_t)b * plane_floats(from));
    }
}

/* ---- upsampling */

static void upsample_forward(const struct run *r, int image, int b0, int b1)
{
    const struct node *n = r->n, *from = input_of(r->g, n, 0);

    for (int b = b0; b < b1; b++)
        r->g->k->upsample(output_at(r, from, image) + (size_t)b * plane_floats(from),
                          output_at(r, n, image) + (size_t)b * plane_floats(n), from->h, from->w);
}

static void upsample_backward(const struct run *r, int image)
{
    const struct node *n = r->n, *from = input_of(r->g, n, 0);

    for (int b = 0; b < blocks_of(n); b++)
        r->g->k->upsample_grad(grad_of(r, image) + (size_t)b * plane_floats(n),
                               input_grad(r, 0, image) + (size_t)b * plane_floats(from), from->h,
                               from->w);
}

/* ---- concatenation: blocks of channels one behind the other */

static void concat_forward(const struct run *r, int image, int b0, int b1)
{
    const size_t plane = plane_floats(r->n);
    float *y = output_at(r, r->n, image);

    for (int k = 0, first = 0; k < r->n->in_count; k++) {
        const struct node *from = input_of(r->g, r->n, k);
        const int last = first + blocks_of(from), c0 = b0 > first ? b0 : first;
        const int c1 = b1 < last ? b1 : last;
        if (c0 < c1)
            memcpy(y + (size_t)c0 * plane, output_at(r, from, image) + (size_t)(c0 - first) * plane,
                   (size_t)(c1 - c0) * plane * sizeof *y);
        first = last;
    }
}

static void concat_backward(const struct run *r, int image)
{
    const float *g = grad_of(r, image);

    for (int k = 0; k < r->n->in_count; k++) {
        const size_t floats = node_image_floats(input_of(r->g, r->n, k));
        memcpy(input_grad(r, k, image), g, floats * sizeof *g);
        g += floats;
    }
}

/* ---- gates */

static void scale_forward(const struct run *r, int image, int b0, int b1)
{
    const struct node *n = r->n, *by = input_of(r->g, n, 1);
    const float *x = output_at(r, input_of(r->g, n, 0), image);

    for (int b = b0; b < b1; b++) {
        const size_t at = (size_t)b * plane_floats(n);
        r->g->k->gate(x + at, output_at(r, by, image) + b * CH, output_at(r, n, image) + at,
                      n->h * n->w);
    }
}

static void scale_backward(const struct run *r, int image)
{
    const struct node *n = r->n, *by = input_of(r->g, n, 1);
    const float *x = output_at(r, input_of(r->g, n, 0), image);

    for (int b = 0; b < blocks_of(n); b++) {
        const size_t at = (size_t)b * plane_floats(n);
        r->g->k->gate_grad(x + at, output_at(r, by, image) + b * CH, grad_of(r, image) + at,
                           input_grad(r, 0, image) + at, input_grad(r, 1, image) + b * CH,
                           n->h * n->w);
    }
}

/* ---- dropout */

/* Both passes draw the same numbers.  Each node with dropout has a stream of its own. */
float drop_factor(const struct run *r, int image, uint64_t element)
{
    const struct node *n = r->n;
    const uint64_t stream = (r->g->seed ^ DROPOUT_SEED) + (uint64_t)n->stream;
    const double u = rand_unit(rand_at(stream, r->g->step, (uint64_t)image, element));

    return u < n->dropout ? 0 : (float)(1 / (1 - n->dropout));
}

static void drop(const struct run *r, int image, const float *x, float *y)
{
    const size_t pixels = (size_t)r->n->h * (size_t)r->n->w, floats = node_image_floats(r->n);

    for (size_t i = 0; i < floats; i++) {
        /* the element in the plain tensor, so that the layout does not matter */
        const size_t channel = i / CH / pixels * CH + i % CH, pixel = i / CH % pixels;
        y[i] = x[i] * drop_factor(r, image, channel * pixels + pixel);
    }
}

static void dropout_forward(const struct run *r, int image)
{
    const float *x = output_at(r, input_of(r->g, r->n, 0), image);
    float *y = output_at(r, r->n, image);

    if (r->training)
        drop(r, image, x, y);
    else
        memcpy(y, x, node_image_floats(r->n) * sizeof *y);
}

/* ---- all */

/* Forward, a large image is cut by blocks of channels. */
enum { PIECE_FLOATS = 16384 };

static int pieces_of(const struct node *n)
{
    const size_t pieces = (node_image_floats(n) + PIECE_FLOATS - 1) / PIECE_FLOATS;

    if (n->kind == NODE_DROPOUT) /* numbers its elements through the image */
        return 1;
    return pieces < (size_t)blocks_of(n) ? (int)pieces : blocks_of(n);
}

static void forward_piece(void *ud, int item, int thread)
{
    const struct run *r = ud;
    const int pieces = pieces_of(r->n), image = item / pieces, piece = item % pieces;
    const int b0 = blocks_of(r->n) * piece / pieces, b1 = blocks_of(r->n) * (piece + 1) / pieces;

    if (image >= r->count) { /* fills up a shard */
        memset(output_at(r, r->n, image) + (size_t)b0 * plane_floats(r->n), 0,
               (size_t)(b1 - b0) * plane_floats(r->n) * sizeof(float));
        return;
    }
    switch (r->n->kind) {
    case NODE_MAX_POOL:
        pool_forward(r, image, b0, b1);
        break;
    case NODE_UPSAMPLE:
        upsample_forward(r, image, b0, b1);
        break;
    case NODE_CONCAT:
        concat_forward(r, image, b0, b1);
        break;
    case NODE_SCALE:
        scale_forward(r, image, b0, b1);
        break;
    case NODE_DROPOUT:
        dropout_forward(r, image);
        break;
    default:
        ASSERT(!"a node with weights");
    }
}

static void backward_image(void *ud, int image, int thread)
{
    const struct run *r = ud;

    switch (r->n->kind) {
    case NODE_MAX_POOL:
        pool_backward(r, image);
        break;
    case NODE_UPSAMPLE:
        upsample_backward(r, image);
        break;
    case NODE_CONCAT:
        concat_backward(r, image);
        break;
    case NODE_SCALE:
        scale_backward(r, image);
        break;
    case NODE_DROPOUT:
        drop(r, image, grad_of(r, image), input_grad(r, 0, image));
        break;
    default:
        ASSERT(!"a node with weights");
    }
}

void shape_forward_run(struct run *r)
{
    crew_run(r->g->crew, images_of_shards(r->g, r->count) * pieces_of(r->n), forward_piece, r);
}

void shape_backward_run(struct run *r)
{
    sum_gradients(r, r->n->kind == NODE_MAX_POOL ? GRADS_MAX : 1);
    crew_run(r->g->crew, r->count, backward_image, r);
}

/* ---- gradients of a value with many readers */

struct sum {
    const struct kernels *k;
    float *to;
    const float *parts[NODE_GRADS_MAX];
    int count;
    size_t floats;
};

static void sum_part(void *ud, int item, int thread)
{
    const struct sum *s = ud;
    const size_t at = (size_t)item * SUM_FLOATS;

    s->k->sum_into(s->to, s->parts, s->count, at,
                   s->floats - at < SUM_FLOATS ? s->floats - at : SUM_FLOATS);
}

void sum_gradients(struct run *r, int most)
{
    const struct node *n = r->n;
    struct sum s = {.k = r->g->k, .floats = (size_t)r->count * node_image_floats(n)};

    if (n->grad_count <= most)
        return;
    s.to = buffer_at(r->g, n->grads[most - 1]);
    for (int i = most - 1; i < n->grad_count; i++)
        s.parts[s.count++] = buffer_at(r->g, n->grads[i]);
    crew_run(r->g->crew, (int)((s.floats + SUM_FLOATS - 1) / SUM_FLOATS), sum_part, &s);
}
