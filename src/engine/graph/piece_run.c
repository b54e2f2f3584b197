/* piece_run.c - training of inverted residuals (expand 1x1, depthwise, project 1x1) by pieces that
 * fit a thread's second-level cache.
 *
 * Between such convolutions lie the largest maps of a network, and their batch norm and activation
 * cost more time in memory than the convolutions in arithmetic.  So the activation of a node with
 * one reader is not stored (it is *lazy*, piece_plan.c): only y is, the convolution's output.  Each
 * piece
 *
 *   forward    makes its input's activation from that one's y, convolves, and sums its own y and
 *              squares while they are in the cache;
 *   backward   makes its input's activation again, turns the gradient of its activation into that
 *              of y, computes the gradients of weights and input, and sums the latter for the batch
 *              norm of the input's node.
 *
 * Each map is then written once and read three times on the whole way forward and back, its
 * gradient written once and read once.  (Recomputing what batch norm would store: Bulo, Porzi,
 * Kontschieder, arXiv:1712.02616.)
 *
 * A shard of images is an item, in it a piece follows the other, with depthwise convolutions block
 * by block of channels.  Sums are kept for each shard and added in the order of shards, so that any
 * number of threads gives the same bytes.
 */
#include "engine/graph/graph_int.h"
#include <string.h>

enum { DEPTHWISE_TAPS = 9 };

/* ---- memory: of a thread, and of all for the weights */

/* Pieces of a thread's scratch memory, in floats from its start. */
struct room {
    size_t in, out, weights, all;
};

static struct room room_of(const struct graph *g, const struct node *n)
{
    const struct conv_node *c = &n->conv;
    const struct conv_shape *s = &c->shape;
    const size_t in = (size_t)s->ih * (size_t)s->iw, out = (size_t)s->oh * (size_t)s->ow;
    struct room r = {0};

    if (s->depthwise) { /* frames */
        r.out = (size_t)c->piece * (size_t)((s->ih + 2) * (s->iw + 2)) * CH;
        r.weights = r.out + (size_t)c->piece * (size_t)((s->oh + 2) * (s->ow + 2)) * CH;
        r.all = r.weights;
        return r;
    }
    r.in = c->onednn ? onednn_conv_scratch(c->onednn) : g->k->conv_scratch(s);
    r.in = ch_pad_size(r.in);
    r.out = r.in + (size_t)c->piece * in * (size_t)s->ic;
    r.weights = r.out + (size_t)c->piece * out * (size_t)s->oc;
    r.all = r.weights + g->params[c->weight].room;
    return r;
}

void piece_size(struct graph *g, struct node *n)
{
    const size_t scratch = room_of(g, n).all, work = g->params[n->conv.weight].room * (SHARDS + 1);

    g->scratch_floats = scratch > g->scratch_floats ? scratch : g->scratch_floats;
    g->work_floats = work > g->work_floats ? work : g->work_floats;
}

/* ---- batch norm of a piece: a block of channels of some images of a node */

struct block {
    struct graph *g;
    const struct node *n;
    int image, images; /* the first; how many are not padding */
    int ch;            /* first channel */
    size_t at;         /* first float of y and of its gradient */
    struct bn_range range;
};

static struct block block_of(struct graph *g, const struct node *n, int image, int images, int b)
{
    const size_t plane = (size_t)n->h * (size_t)n->w * CH;

    return (struct block){
        .g = g,
        .n = n,
        .image = image,
        .images = images,
        .ch = b * CH,
        .at = (size_t)image * node_image_floats(n) + (size_t)b * plane,
        .range = {images, n->h * n->w, node_image_floats(n), n->conv.half, false},
    };
}

static const float *y_of(const struct block *b)
{
    return half_at(buffer_at(b->g, b->n->conv.y), b->at, b->n->conv.half);
}

/* Mean, inverse deviation, scale and shift, as norm_run.c keeps them. */
static const float *saved_of(const struct block *b, int what)
{
    return b->g->saved + b->n->conv.saved + (size_t)what * (size_t)b->n->c_pad + (size_t)b->ch;
}

static void make_activation(const struct block *b, float *a)
{
    b->g->k->bn_apply(&b->range, y_of(b), NULL, a, saved_of(b, SAVED_SCALE),
                      saved_of(b, SAVED_SHIFT), b->n->conv.act, false);
}

static void add_sums(const struct block *b, double sums[2][CH])
{
    b->g->k->bn_sums(&b->range, y_of(b), stat_at(b->g, b->n->conv.mean) + b->ch, sums[0], sums[1]);
}

/* The first pass has left in g[0] what the second reads, of a lazy node or another. */
static struct bn_grad grad_of(const struct block *b)
{
    float *g = buffer_at(b->g, b->n->grads[0]) + b->at;

    return (struct bn_grad){.range = b->range,
                            .y = y_of(b),
                            .g = {g},
                            .g_count = b->n->grad_count < GRADS_MAX ? b->n->grad_count : GRADS_MAX,
                            .residual = b->n->residual != GRAPH_NONE,
                            .dy = g,
                            .mean = saved_of(b, SAVED_MEAN),
                            .inv_std = saved_of(b, SAVED_INV_STD),
                            .scale = saved_of(b, SAVED_SCALE),
                            .shift = saved_of(b, SAVED_SHIFT),
                            .act = b->n->conv.act};
}

static void add_grad_sums(const struct block *b, double sums[2][CH])
{
    const struct bn_grad grad = grad_of(b);

    b->g->k->bn_grad_sums(&grad, sums[0], sums[1]);
}

/* From the gradient of the activation that of y. */
static void make_gradient(const struct block *b, float *dy)
{
    struct bn_grad grad = grad_of(b);

    grad.dy = dy;
    b->g->k->bn_grad_apply(&grad, b->g->grad_means + b->ch,
                           b->g->grad_means + b->g->channels_most + b->ch);
}

/* ---- what items see */

struct pieces {
    struct graph *g;
    struct node *n, *from;
    const struct conv_shape *s;
    int count; /* images */
    int blocks, from_blocks;
    size_t in, out; /* floats of an image */
    const float *w;
    struct room room;
    size_t weights; /* floats of all weights */
    bool training;
    struct shards shards;
};

struct shards shards_of(const struct run *r, bool turned)
{
    return (struct shards){.all = (r->count + r->g->shard - 1) / r->g->shard,
                           .threads = r->g->config.threads,
                           .turned = turned};
}

/* A shard that nobody has taken, one that this thread had in the node before if there is any: what
 * it wrote lies in its own cache, and would be slowest to get at in another's.  Whoever has it, its
 * numbers are the same. */
int take_shard(struct shards *s, int thread)
{
    const int first = s->all * thread / s->threads, end = s->all * (thread + 1) / s->threads;

    for (int i = 0; i < s->all; i++) {
        const int shard = (s->turned ? end - 1 - i + s->all : first + i) % s->all;
        if (!atomic_flag_test_and_set(&s->taken[shard]))
            return shard;
    }
    ASSERT(!"there are as many items as shards");
}

static struct pieces pieces_of(const struct run *r)
{
    struct graph *g = r->g;
    struct node *n = r->n, *from = &g->nodes[n->in[0]];

    return (struct pieces){.g = g,
                           .n = n,
                           .from = from,
                           .s = &n->conv.shape,
                           .count = r->count,
                           .blocks = n->c_pad / CH,
                           .from_blocks = (from->c_pad + CH - 1) / CH,
                           .in = node_image_floats(from),
                           .out = node_image_floats(n),
                           .w = value_at(g, n->conv.weight),
                           .room = room_of(g, n),
                           .weights = g->params[n->conv.weight].room,
                           .training = r->training,
                           .shards = shards_of(r, (n - g->nodes) % 2 == 1)};
}

/* Images of [image, image + images) that are not padding. */
static int live(const struct pieces *p, int image, int images)
{
    return p->count - image < images ? p->count - image : images;
}

static void clear_sums(const struct pieces *p, int shard, int blocks)
{
    memset(shard_sums_at(p->g, shard, 0), 0, (size_t)blocks * 2 * CH * sizeof(double));
}

/* ---- 1x1 */

/* The activation of the input, made again or as it lies. */
static const float *piece_input(const struct pieces *p, int image, int images, float *scratch)
{
    const size_t plane = p->in / (size_t)p->from_blocks;
    float *a = scratch + p->room.in;

    if (!p->from->lazy)
        return value_of(p->g, p->from) + (size_t)image * p->in;
    for (int b = 0; b < p->from_blocks; b++) {
        const struct block block = block_of(p->g, p->from, image, images, b);
        make_activation(&block, a + (size_t)b * plane);
    }
    memset(a + (size_t)images * p->in, 0, (size_t)(p->n->conv.piece - images) * p->in * sizeof *a);
    return a;
}

static void failed(struct graph *g, bool ok)
{
    if (!ok)
        __atomic_store_n(&g->onednn_failed, true, __ATOMIC_RELAXED);
}

static void point_forward_piece(const struct pieces *p, int image, int thread, double *sums)
{
    const struct conv_node *c = &p->n->conv;
    const int images = live(p, image, c->piece);
    float *scratch = scratch_at(p->g, thread), *y = buffer_at(p->g, c->y);
    const float *x = piece_input(p, image, images, scratch);
    const size_t at = (size_t)image * p->out;

    float *to = c->half ? scratch + p->room.out : y + at;
    if (c->forward == ALGO_ONEDNN)
        failed(p->g, onednn_conv_forward(c->onednn, thread, x, p->w, NULL, to, scratch));
    for (int i = 0; i < images && c->forward != ALGO_ONEDNN; i++)
        p->g->k->conv_forward(p->s, x + (size_t)i * p->in, p->w, to + (size_t)i * p->out, 0,
                              p->s->oh, 0, p->blocks, NULL, scratch);
    if (c->half)
        p->g->k->round_half(to, half_at(y, at, true), (size_t)images * p->out);
    for (int b = 0; b < p->blocks && p->training; b++) {
        const struct block block = block_of(p->g, p->n, image, images, b);
        add_sums(&block, (double(*)[CH])(sums + (size_t)b * 2 * CH));
    }
}

static void point_forward(void *ud, int item, int thread)
{
    struct pieces *p = ud;
    const int shard = take_shard(&p->shards, thread);
    const int first = shard * p->g->shard, last = first + live(p, first, p->g->shard);

    clear_sums(p, shard, p->blocks);
    for (int image = first; image < last; image += p->n->conv.piece)
        point_forward_piece(p, image, thread, shard_sums_at(p->g, shard, 0)[0]);
}

/* The gradient of y of the images. */
static const float *piece_gradient(const struct pieces *p, int image, int images, float *scratch)
{
    const size_t plane = p->out / (size_t)p->blocks;
    float *dy = scratch + p->room.out;

    if (!piece_makes_gradient(p->n))
        return buffer_at(p->g, p->n->conv.dy) + (size_t)image * p->out;
    for (int b = 0; b < p->blocks; b++) {
        const struct block block = block_of(p->g, p->n, image, images, b);
        make_gradient(&block, dy + (size_t)b * plane);
    }
    memset(dy + (size_t)images * p->out, 0,
           (size_t)(p->n->conv.piece - images) * p->out * sizeof *dy);
    return dy;
}

static void own_weights(const struct pieces *p, int images, const float *x, const float *dy,
                        float *dw, float *scratch)
{
    for (int ib = 0; ib < p->from_blocks; ib++)
        p->g->k->conv_backward_weights(p->s, images, x, dy, dw, ib, 0, p->blocks, scratch);
}

static void point_backward_piece(const struct pieces *p, int shard, int image, int thread)
{
    const struct conv_node *c = &p->n->conv;
    const struct kernels *k = p->g->k;
    const int images = live(p, image, c->piece);
    const bool first = image == shard * p->g->shard, onednn = c->forward == ALGO_ONEDNN;
    float *scratch = scratch_at(p->g, thread), *swapped = p->g->work;
    float *sum = swapped + (size_t)(shard + 1) * p->weights;
    float *dw = first ? sum : scratch + p->room.weights;
    const bool data = p->from->kind != NODE_IMAGE;
    float *dx = data ? buffer_at(p->g, p->n->dx[0]) + (size_t)image * p->in : NULL;

    const float *x = piece_input(p, image, images, scratch);
    const float *dy = piece_gradient(p, image, images, scratch);
    if (onednn) {
        failed(p->g, onednn_conv_backward_weights(c->onednn, thread, x, dy, dw, scratch) &&
                         onednn_conv_backward_data(c->onednn, thread, dy, swapped, dx, scratch));
    } else {
        own_weights(p, images, x, dy, dw, scratch);
        for (int i = 0; i < images && data; i++)
            k->conv_backward_data(p->s, dy + (size_t)i * p->out, swapped, dx + (size_t)i * p->in, 0,
                                  p->from_blocks, scratch);
    }
    if (!first)
        k->add_scaled(sum, dw, 1, p->weights);
    for (int b = 0; b < p->from_blocks && p->from->lazy; b++) {
        const struct block block = block_of(p->g, p->from, image, images, b);
        add_grad_sums(&block, shard_sums_at(p->g, shard, b));
    }
}

static void point_backward(void *ud, int item, int thread)
{
    struct pieces *p = ud;
    const int shard = take_shard(&p->shards, thread);
    const int first = shard * p->g->shard, last = first + live(p, first, p->g->shard);

    if (p->from->lazy)
        clear_sums(p, shard, p->from_blocks);
    for (int image = first; image < last; image += p->n->conv.piece)
        point_backward_piece(p, shard, image, thread);
}

static void swap_weights(void *ud, int block, int thread)
{
    const struct pieces *p = ud;

    p->g->k->conv_swap_weights(p->s, p->w, p->g->work, block,
                               p->n->conv.onednn && onednn_conv_input_first(p->n->conv.onednn));
}

/* ---- depthwise: a block of channels after the other */

/* Numbers that lie in memory as they are: by the path of a lazy node, with scale 1 and shift 0. */
static const float ones[CH]
    __attribute__((aligned(64))) = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
static const float zeros[CH] __attribute__((aligned(64)));

static void frame_stored(const struct block *b, const struct framed *f, const float *v)
{
    struct bn_range range = b->range;

    range.half = false;
    b->g->k->frame_apply(f, &range, v + b->at, ones, zeros, ACT_NONE);
}

static void frame_input(const struct block *b, const struct framed *f)
{
    if (b->n->lazy)
        b->g->k->frame_apply(f, &b->range, y_of(b), saved_of(b, SAVED_SCALE),
                             saved_of(b, SAVED_SHIFT), b->n->conv.act);
    else
        frame_stored(b, f, value_of(b->g, b->n));
}

static void frame_gradient(const struct block *b, const struct framed *f)
{
    const struct bn_grad grad = grad_of(b);

    if (piece_makes_gradient(b->n))
        b->g->k->frame_grad(f, &grad, b->g->grad_means + b->ch,
                            b->g->grad_means + b->g->channels_most + b->ch);
    else
        frame_stored(b, f, buffer_at(b->g, b->n->conv.dy));
}

/* The images of a shard. */
struct planes {
    int shard, block, first, last;
    struct framed in, out;
};

static struct planes planes_of(const struct pieces *p, int shard, int thread)
{
    const int first = shard * p->g->shard, piece = p->n->conv.piece;
    float *scratch = scratch_at(p->g, thread);

    return (struct planes){shard,
                           0,
                           first,
                           first + live(p, first, p->g->shard),
                           {scratch + p->room.in, piece, p->s->ih, p->s->iw},
                           {scratch + p->room.out, piece, p->s->oh, p->s->ow}};
}

static int images_at(const struct pieces *p, const struct planes *a, int image)
{
    const int piece = p->n->conv.piece;

    return a->last - image < piece ? a->last - image : piece;
}

static void round_planes(const struct pieces *p, const struct block *b, const float *from)
{
    const size_t plane = p->out / (size_t)p->blocks;

    for (int i = 0; i < b->images; i++)
        p->g->k->round_half(
            from + (size_t)i * plane,
            half_at(buffer_at(p->g, p->n->conv.y), b->at + (size_t)i * p->out, true), plane);
}

static void forward_planes(const struct pieces *p, struct planes a)
{
    const float *w = p->w + (size_t)a.block * DEPTHWISE_TAPS * CH;
    float *y = buffer_at(p->g, p->n->conv.y);
    const bool half = p->n->conv.half;

    for (int i = a.first; i < a.last; i += p->n->conv.piece) {
        a.in.images = images_at(p, &a, i);
        const struct block from = block_of(p->g, p->from, i, a.in.images, a.block);
        const struct block to = block_of(p->g, p->n, i, a.in.images, a.block);
        frame_input(&from, &a.in);
        p->g->k->depthwise3_forward(p->s, &a.in, w, half ? a.out.p : y + to.at,
                                    half ? p->out / (size_t)p->blocks : p->out);
        if (half)
            round_planes(p, &to, a.out.p);
        if (p->training)
            add_sums(&to, shard_sums_at(p->g, a.shard, a.block));
    }
}

static void depthwise_forward(void *ud, int item, int thread)
{
    struct pieces *p = ud;
    struct planes a = planes_of(p, take_shard(&p->shards, thread), thread);

    clear_sums(p, a.shard, p->blocks);
    p->g->k->frame_clear(&a.in);
    for (; a.block < p->blocks; a.block++)
        forward_planes(p, a);
}

static void backward_planes(const struct pieces *p, struct planes a)
{
    const struct kernels *k = p->g->k;
    const size_t of_block = (size_t)DEPTHWISE_TAPS * CH, w_at = (size_t)a.block * of_block;
    float *dw = p->g->work + (size_t)(a.shard + 1) * p->weights + w_at;
    float *dx = buffer_at(p->g, p->n->dx[0]);

    memset(dw, 0, of_block * sizeof *dw);
    for (int i = a.first; i < a.last; i += p->n->conv.piece) {
        a.in.images = a.out.images = images_at(p, &a, i);
        const struct block from = block_of(p->g, p->from, i, a.in.images, a.block);
        const struct block of = block_of(p->g, p->n, i, a.in.images, a.block);
        frame_input(&from, &a.in);
        frame_gradient(&of, &a.out);
        k->depthwise3_weights(p->s, &a.in, &a.out, dw);
        k->depthwise3_data(p->s, &a.out, p->w + w_at, dx + from.at, p->in);
        if (p->from->lazy)
            add_grad_sums(&from, shard_sums_at(p->g, a.shard, a.block));
    }
}

static void depthwise_backward(void *ud, int item, int thread)
{
    struct pieces *p = ud;
    struct planes a = planes_of(p, take_shard(&p->shards, thread), thread);

    clear_sums(p, a.shard, p->blocks);
    p->g->k->frame_clear(&a.in);
    p->g->k->frame_clear(&a.out);
    for (; a.block < p->blocks; a.block++)
        backward_planes(p, a);
}

/* ---- the passes */

static void sum_weights(void *ud, int item, int thread)
{
    const struct pieces *p = ud;
    const size_t at = (size_t)item * SUM_FLOATS, left = p->weights - at;
    const float *parts[SHARDS];

    for (int i = 0; i < p->shards.all; i++)
        parts[i] = p->g->work + (size_t)(i + 1) * p->weights;
    p->g->k->sum_into(grad_at(p->g, p->n->conv.weight), parts, p->shards.all, at,
                      left < SUM_FLOATS ? left : SUM_FLOATS);
}

void piece_forward_run(struct run *r)
{
    struct pieces p = pieces_of(r);

    if (p.s->depthwise)
        crew_run(p.g->crew, p.shards.all, depthwise_forward, &p);
    else
        crew_run(p.g->crew, p.shards.all, point_forward, &p);
}

void piece_backward_run(struct run *r)
{
    struct pieces p = pieces_of(r);

    if (p.s->depthwise) {
        crew_run(p.g->crew, p.shards.all, depthwise_backward, &p);
    } else {
        if (p.from->kind != NODE_IMAGE)
            crew_run(p.g->crew, p.from_blocks, swap_weights, &p);
        crew_run(p.g->crew, p.shards.all, point_backward, &p);
    }
    crew_run(p.g->crew, (int)((p.weights + SUM_FLOATS - 1) / SUM_FLOATS), sum_weights, &p);
}

/* ---- a lazy node whose convolution does not stream */

static void store_gradient(void *ud, int item, int thread)
{
    const struct pieces *p = ud;
    const int shard = item / p->blocks, first = shard * p->g->shard;
    const int images = live(p, first, p->g->shard);
    const struct block block = block_of(p->g, p->n, first, images, item % p->blocks);
    float *dy = buffer_at(p->g, p->n->conv.dy) + block.at;

    make_gradient(&block, dy);
    for (int i = images; i < p->g->shard; i++)
        memset(dy + (size_t)i * p->out, 0, p->out / (size_t)p->blocks * sizeof *dy);
}

void piece_gradient_run(const struct run *r)
{
    struct pieces p = pieces_of(r);

    crew_run(p.g->crew, p.shards.all * p.blocks, store_gradient, &p);
}
