/* norm_run.c - batch norm (or bias), residual and activation of one convolution node.
 *
 * An item is a block of 16 channels over the whole batch: its sums need no other thread, and what
 * the first pass has read is still in the cache for the second.  Nodes with few blocks (the first
 * layers of a mobile net: large pictures, 1 to 3 blocks) are cut into BN_CHUNKS runs of images as
 * well; their sums are added in the order of the runs.  Both cuts depend on shapes alone.
 *
 * PyTorch's semantics: normalised by the biased variance of the batch; the running variance takes
 * the unbiased one; running = (1 - momentum) * running + momentum * batch.
 *
 * A bias takes the same way as a batch norm of mean 0, scale 1 and shift bias whose statistics
 * nothing depends on.
 */
#include "engine/graph/graph_int.h"
#include <math.h>
#include <string.h>

enum { LARGE_FLOATS = 3 << 20 }; /* 12 MB, several times a thread's L2 */

struct norm_run {
    const struct run *run;
    struct graph *g;
    struct node *n;
    int count, pad; /* images; images whose activations are kept zero behind them */
    bool training, large;
    int blocks, chunks;
    size_t block_floats, image_floats;
    const float *y, *residual;
    float *a;
    struct bn_grad grad; /* backward: pointers at image 0, block 0 */
    bool by_shard;       /* of a convolution that streams: its chunks are shards */
    struct shards shards;
};

static float *saved_at(const struct norm_run *r, enum saved what, int block)
{
    return r->g->saved + r->n->conv.saved + (size_t)what * (size_t)r->n->c_pad + (size_t)block * CH;
}

static struct norm_run norm_run_of(const struct run *run)
{
    struct graph *g = run->g;
    struct node *n = run->n;
    const int blocks = n->c_pad / CH;

    return (struct norm_run){
        .run = run,
        .g = g,
        .n = n,
        .count = run->count,
        .pad = images_of_shards(g, run->count) - run->count,
        .training = run->training,
        .large = (size_t)run->count * node_image_floats(n) >= LARGE_FLOATS,
        .blocks = blocks,
        .chunks = blocks < BN_BLOCKS_FEW ? BN_CHUNKS : 1,
        .shards = shards_of(run, (n - g->nodes) % 2 == 0),
        .block_floats = (size_t)n->h * (size_t)n->w * CH,
        .image_floats = node_image_floats(n),
        .y = buffer_at(g, n->conv.y),
        .residual = n->residual == GRAPH_NONE ? NULL : value_of(g, &g->nodes[n->residual]),
        .a = n->lazy ? NULL : value_of(g, n),
    };
}

/* Images of one chunk. */
static int chunk_first(const struct norm_run *r, int chunk)
{
    if (r->by_shard)
        return chunk < r->shards.all ? chunk * r->g->shard : r->count;
    return r->count * chunk / r->chunks;
}

static struct bn_range range_of(const struct norm_run *r, int chunk)
{
    return (struct bn_range){chunk_first(r, chunk + 1) - chunk_first(r, chunk), r->n->h * r->n->w,
                             r->image_floats, r->n->conv.half, r->large};
}

static size_t place_of(const struct norm_run *r, int block, int chunk)
{
    return (size_t)chunk_first(r, chunk) * r->image_floats + (size_t)block * r->block_floats;
}

/* Element `at` of the convolution's output. */
static const float *y_at(const struct norm_run *r, size_t at)
{
    return half_at(r->y, at, r->n->conv.half);
}

/* Images behind the last one: zero, because oneDNN computes whole shards. */
static void clear_padding(const struct norm_run *r, float *p, int block)
{
    for (int i = r->count; i < r->count + r->pad; i++)
        memset(p + (size_t)i * r->image_floats + (size_t)block * r->block_floats, 0,
               r->block_floats * sizeof *p);
}

/* ---- forward */

static void sums_of(const struct norm_run *r, int block, int chunk, double to[2][CH])
{
    const struct bn_range range = range_of(r, chunk);

    memset(to, 0, 2 * sizeof to[0]);
    r->g->k->bn_sums(&range, y_at(r, place_of(r, block, chunk)),
                     stat_at(r->g, r->n->conv.mean) + (size_t)block * CH, to[0], to[1]);
}

/* Statistics of one block from its sums: what backward needs, and the running ones. */
static void finish_statistics(const struct norm_run *r, int block, double sums[2][CH])
{
    const struct conv_node *c = &r->n->conv;
    const double pixels = (double)r->count * r->n->h * r->n->w;

    for (int i = 0; i < CH; i++) {
        const int ch = block * CH + i;
        float *running_mean = stat_at(r->g, c->mean) + ch;
        float *running_var = stat_at(r->g, c->variance) + ch;
        const double offset = sums[0][i] / pixels, mean = offset + (double)*running_mean;
        const double spread = sums[1][i] / pixels - offset * offset;
        const double variance = spread > 0 ? spread : 0;
        const double inv_std = 1 / sqrt(variance + c->eps);
        const double scale = (double)value_at(r->g, c->scale)[ch] * inv_std;
        const double unbiased = pixels > 1 ? variance * pixels / (pixels - 1) : variance;
        saved_at(r, SAVED_MEAN, block)[i] = (float)mean;
        saved_at(r, SAVED_INV_STD, block)[i] = (float)inv_std;
        saved_at(r, SAVED_SCALE, block)[i] = (float)scale;
        saved_at(r, SAVED_SHIFT, block)[i] =
            (float)((double)value_at(r->g, c->shift)[ch] - mean * scale);
        const double rest = 1 - c->momentum;
        *running_mean = (float)(rest * (double)*running_mean + c->momentum * mean);
        *running_var = (float)(rest * (double)*running_var + c->momentum * unbiased);
    }
}

/* Scale and shift from the running statistics. */
static void use_running(const struct norm_run *r, int block)
{
    const struct conv_node *c = &r->n->conv;

    for (int i = 0; i < CH; i++) {
        const int ch = block * CH + i;
        const double deviation = sqrt((double)stat_at(r->g, c->variance)[ch] + c->eps);
        const double scale = (double)value_at(r->g, c->scale)[ch] / deviation;
        saved_at(r, SAVED_SCALE, block)[i] = (float)scale;
        saved_at(r, SAVED_SHIFT, block)[i] = (float)((double)value_at(r->g, c->shift)[ch] -
                                                     (double)stat_at(r->g, c->mean)[ch] * scale);
    }
}

static void use_bias(const struct norm_run *r, int block)
{
    const float *bias = value_at(r->g, r->n->conv.bias) + (size_t)block * CH;

    for (int i = 0; i < CH; i++) {
        saved_at(r, SAVED_MEAN, block)[i] = saved_at(r, SAVED_INV_STD, block)[i] = 0;
        saved_at(r, SAVED_SCALE, block)[i] = 1;
        saved_at(r, SAVED_SHIFT, block)[i] = bias[i];
    }
}

/* A sigmoid of the zeros that pad the channels is not zero. */
static void clear_channels(const struct norm_run *r, const struct bn_range *range, float *a)
{
    for (int image = 0; image < range->images; image++)
        for (int pixel = 0; pixel < range->hw; pixel++)
            for (int i = r->n->c % CH; i < CH; i++)
                a[(size_t)image * range->image_stride + (size_t)(pixel * CH + i)] = 0;
}

static bool drops(const struct norm_run *r)
{
    return r->training && r->n->dropout > 0;
}

/* Image by image, each branch with its factor. */
static void apply_dropping(const struct norm_run *r, int block, int chunk)
{
    const struct bn_range one = {1, r->n->h * r->n->w, r->image_floats, r->n->conv.half, r->large};
    const float *scale = saved_at(r, SAVED_SCALE, block), *shift = saved_at(r, SAVED_SHIFT, block);
    float scaled[CH] __attribute__((aligned(64))), shifted[CH] __attribute__((aligned(64)));

    for (int image = chunk_first(r, chunk); image < chunk_first(r, chunk + 1); image++) {
        const size_t at = (size_t)image * r->image_floats + (size_t)block * r->block_floats;
        const float factor = drop_factor(r->run, image, 0);
        for (int i = 0; i < CH; i++) {
            scaled[i] = scale[i] * factor;
            shifted[i] = shift[i] * factor;
        }
        r->g->k->bn_apply(&one, y_at(r, at), r->residual + at, r->a + at, scaled, shifted, ACT_NONE,
                          true);
    }
}

static void apply(const struct norm_run *r, int block, int chunk)
{
    const struct bn_range range = range_of(r, chunk);
    const size_t at = place_of(r, block, chunk);
    const struct conv_node *c = &r->n->conv;

    if (drops(r)) {
        apply_dropping(r, block, chunk);
        return;
    }
    r->g->k->bn_apply(&range, y_at(r, at), r->residual ? r->residual + at : NULL, r->a + at,
                      saved_at(r, SAVED_SCALE, block), saved_at(r, SAVED_SHIFT, block), c->act,
                      c->residual_after);
    if ((c->act == ACT_SIGMOID || c->act == ACT_HARD_SIGMOID) && (block + 1) * CH > r->n->c)
        clear_channels(r, &range, r->a + at);
}

/* Scale and shift of a block; `sums` only in training with batch norm. */
static void prepare(const struct norm_run *r, int block, double sums[2][CH])
{
    if (!r->n->conv.norm)
        use_bias(r, block);
    else if (r->training)
        finish_statistics(r, block, sums);
    else
        use_running(r, block);
}

static bool needs_sums(const struct norm_run *r)
{
    return r->training && r->n->conv.norm;
}

static void forward_block(void *ud, int block, int thread)
{
    const struct norm_run *r = ud;
    double sums[2][CH];

    if (needs_sums(r))
        sums_of(r, block, 0, sums);
    prepare(r, block, sums);
    if (r->n->lazy)
        return;
    apply(r, block, 0);
    clear_padding(r, r->a, block);
}

static void sums_chunk(void *ud, int item, int thread)
{
    const struct norm_run *r = ud;
    const int block = item / BN_CHUNKS, chunk = item % BN_CHUNKS;

    sums_of(r, block, chunk, r->g->partial[chunk][block]);
}

static void apply_chunk(void *ud, int item, int thread)
{
    apply(ud, item / BN_CHUNKS, item % BN_CHUNKS);
}

static void add_partials(const struct norm_run *r, int block, double to[2][CH])
{
    memset(to, 0, 2 * sizeof to[0]);
    for (int chunk = 0; chunk < BN_CHUNKS; chunk++)
        for (int s = 0; s < 2; s++)
            for (int i = 0; i < CH; i++)
                to[s][i] += r->g->partial[chunk][block][s][i];
}

/* The sums that the pieces of a convolution took, shard by shard. */
static void add_shards(const struct norm_run *r, int block, double to[2][CH])
{
    memset(to, 0, 2 * sizeof to[0]);
    for (int shard = 0; shard < r->shards.all; shard++)
        for (int s = 0; s < 2; s++)
            for (int i = 0; i < CH; i++)
                to[s][i] += shard_sums_at(r->g, shard, block)[s][i];
}

static void forward_summed(struct norm_run *r, struct run *run)
{
    for (int block = 0; block < r->blocks; block++) {
        double sums[2][CH];
        add_shards(r, block, sums);
        prepare(r, block, sums);
    }
    if (!r->n->lazy)
        norm_again_run(run);
}

void norm_forward_run(struct run *run)
{
    struct norm_run r = norm_run_of(run);

    if (r.n->conv.streams) {
        forward_summed(&r, run);
        return;
    }
    if (r.chunks == 1) {
        crew_run(r.g->crew, r.blocks, forward_block, &r);
        return;
    }
    if (needs_sums(&r))
        crew_run(r.g->crew, r.blocks * BN_CHUNKS, sums_chunk, &r);
    for (int block = 0; block < r.blocks; block++) {
        double sums[2][CH];
        if (needs_sums(&r))
            add_partials(&r, block, sums);
        prepare(&r, block, sums);
        if (!r.n->lazy)
            clear_padding(&r, r.a, block);
    }
    if (!r.n->lazy)
        crew_run(r.g->crew, r.blocks * BN_CHUNKS, apply_chunk, &r);
}

static void again_shard(void *ud, int item, int thread)
{
    struct norm_run *r = ud;
    const int shard = take_shard(&r->shards, thread);

    for (int block = 0; block < r->blocks; block++)
        apply(r, block, shard);
    for (int block = 0; block < r->blocks && shard == r->shards.all - 1; block++)
        clear_padding(r, r->a, block);
}

static void again_block(void *ud, int block, int thread)
{
    const struct norm_run *r = ud;

    apply(r, block, 0);
    clear_padding(r, r->a, block);
}

void norm_again_run(struct run *run)
{
    struct norm_run r = norm_run_of(run);

    if (r.n->conv.streams) {
        r.by_shard = true;
        crew_run(r.g->crew, r.shards.all, again_shard, &r);
        return;
    }
    if (r.chunks == 1) {
        crew_run(r.g->crew, r.blocks, again_block, &r);
        return;
    }
    for (int block = 0; block < r.blocks; block++)
        clear_padding(&r, r.a, block);
    crew_run(r.g->crew, r.blocks * BN_CHUNKS, apply_chunk, &r);
}

/* ---- backward */

static struct bn_grad grad_of(const struct norm_run *r, int block, int chunk)
{
    const size_t at = place_of(r, block, chunk);
    struct bn_grad b = r->grad;

    b.range = range_of(r, chunk);
    b.y = y_at(r, at);
    b.a += at;
    b.dy += at;
    for (int i = 0; i < b.g_count; i++)
        b.g[i] += at;
    b.mean = saved_at(r, SAVED_MEAN, block);
    b.inv_std = saved_at(r, SAVED_INV_STD, block);
    b.scale = saved_at(r, SAVED_SCALE, block);
    b.shift = saved_at(r, SAVED_SHIFT, block);
    return b;
}

static void grad_sums(const struct norm_run *r, int block, int chunk, double to[2][CH])
{
    const struct bn_grad b = grad_of(r, block, chunk);

    memset(to, 0, 2 * sizeof to[0]);
    r->g->k->bn_grad_sums(&b, to[0], to[1]);
}

static void grad_apply(const struct norm_run *r, int block, int chunk, double sums[2][CH])
{
    const struct bn_grad b = grad_of(r, block, chunk);
    const double pixels = (double)r->count * r->n->h * r->n->w;
    float mean_g[CH] __attribute__((aligned(64))) = {0};
    float mean_dot[CH] __attribute__((aligned(64))) = {0};

    for (int i = 0; i < CH && r->n->conv.norm; i++) {
        mean_g[i] = (float)(sums[0][i] / pixels);
        mean_dot[i] = (float)(sums[1][i] / pixels);
    }
    r->g->k->bn_grad_apply(&b, mean_g, mean_dot);
}

static void finish_grads(const struct norm_run *r, int block, double sums[2][CH])
{
    for (int i = 0; i < CH && !r->n->conv.norm; i++)
        grad_at(r->g, r->n->conv.bias)[block * CH + i] = (float)sums[0][i];
    for (int i = 0; i < CH && r->n->conv.norm; i++) {
        grad_at(r->g, r->n->conv.shift)[block * CH + i] = (float)sums[0][i];
        grad_at(r->g, r->n->conv.scale)[block * CH + i] = (float)sums[1][i];
    }
}

/* The gradient of a bias's input is that behind the activation, which the first pass leaves in dy
 * where the residual comes later, or which has arrived there where there is no activation. */
static bool needs_second_pass(const struct norm_run *r)
{
    const struct conv_node *c = &r->n->conv;

    return c->norm || !(c->residual_after || (c->act == ACT_NONE && r->grad.g_count == 1 &&
                                              r->n->residual == GRAPH_NONE));
}

static void backward_block(void *ud, int block, int thread)
{
    const struct norm_run *r = ud;
    double sums[2][CH];

    grad_sums(r, block, 0, sums);
    finish_grads(r, block, sums);
    if (needs_second_pass(r))
        grad_apply(r, block, 0, sums);
    clear_padding(r, r->grad.dy, block);
}

static void grad_sums_chunk(void *ud, int item, int thread)
{
    const struct norm_run *r = ud;
    const int block = item / BN_CHUNKS, chunk = item % BN_CHUNKS;

    grad_sums(r, block, chunk, r->g->partial[chunk][block]);
}

static void grad_apply_chunk(void *ud, int item, int thread)
{
    const struct norm_run *r = ud;
    double sums[2][CH];

    add_partials(r, item / BN_CHUNKS, sums);
    grad_apply(r, item / BN_CHUNKS, item % BN_CHUNKS, sums);
}

/* The gradient of dropped branches: into dy, from where batch norm then takes it. */
static void drop_image(void *ud, int image, int thread)
{
    const struct norm_run *r = ud;
    const size_t at = (size_t)image * r->image_floats;
    float *dy = r->grad.dy + at;

    memset(dy, 0, r->image_floats * sizeof *dy);
    r->g->k->add_scaled(dy, r->grad.g[0] + at, drop_factor(r->run, image, 0), r->image_floats);
}

static void drop_gradient(struct norm_run *r)
{
    crew_run(r->g->crew, r->count, drop_image, r);
    r->grad.g[0] = r->grad.dy;
    r->grad.residual = r->grad.after = false;
}

static void grad_sums_shard(void *ud, int item, int thread)
{
    struct norm_run *r = ud;
    const int shard = take_shard(&r->shards, thread);

    for (int block = 0; block < r->blocks; block++)
        grad_sums(r, block, shard, shard_sums_at(r->g, shard, block));
}

/* The reader of a lazy node has taken its sums; those of another are there as well. */
static void backward_summed(const struct norm_run *r)
{
    const double pixels = (double)r->count * r->n->h * r->n->w;
    float *means = r->g->grad_means;

    for (int block = 0; block < r->blocks; block++) {
        double sums[2][CH];
        add_shards(r, block, sums);
        finish_grads(r, block, sums);
        for (int s = 0; s < 2; s++)
            for (int i = 0; i < CH; i++)
                means[s * r->g->channels_most + block * CH + i] = (float)(sums[s][i] / pixels);
    }
    if (!r->n->conv.streams)
        piece_gradient_run(r->run);
}

void norm_backward_run(struct run *run)
{
    struct norm_run r = norm_run_of(run);

    if (r.n->lazy) {
        backward_summed(&r);
        return;
    }
    const int most = drops(&r) ? 1 : GRADS_MAX, all = r.n->grad_count,
              count = all < most ? all : most;

    r.grad = (struct bn_grad){.y = r.y,
                              .a = r.a,
                              .g_count = count,
                              .dy = buffer_at(r.g, r.n->conv.dy),
                              .act = r.n->conv.act,
                              .residual = r.n->residual != GRAPH_NONE,
                              .after = r.n->conv.residual_after};
    for (int i = 0; i < count; i++)
        r.grad.g[i] = buffer_at(r.g, r.n->grads[i]);
    if (piece_makes_gradient(r.n)) {
        r.grad.after = false; /* without an activation it is all one */
        r.by_shard = true;
        crew_run(r.g->crew, r.shards.all, grad_sums_shard, &r);
        backward_summed(&r);
        return;
    }
    if (drops(&r))
        drop_gradient(&r);
    if (r.chunks == 1) {
        crew_run(r.g->crew, r.blocks, backward_block, &r);
        return;
    }
    crew_run(r.g->crew, r.blocks * BN_CHUNKS, grad_sums_chunk, &r);
    for (int block = 0; block < r.blocks; block++) {
        double sums[2][CH];
        add_partials(&r, block, sums);
        finish_grads(&r, block, sums);
        clear_padding(&r, r.grad.dy, block);
    }
    if (needs_second_pass(&r))
        crew_run(r.g->crew, r.blocks * BN_CHUNKS, grad_apply_chunk, &r);
}
