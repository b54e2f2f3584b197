/* conv_run.c - executes one convolution: shares its pieces out among the crew. */
#include "engine/graph/graph_int.h"
#include <math.h>
#include <string.h>

/* One convolution pass, as its items see it. */
struct conv_run {
    struct graph *g;
    struct node *n;
    const struct kernels *k;
    const struct conv_shape *s;
    int count; /* images */
    const float *x, *w, *dy;
    float *y, *dx, *dw;
    const struct epilogue *e;
    float *u;        /* Winograd: transformed weights */
    float *vz, *du;  /* Winograd: chunk of tiles and gradient of the transformed weights */
    bool backward;   /* Winograd: the gradient of the input */
    int base, tiles; /* the chunk */
};

static struct conv_run conv_run_of(struct run *r)
{
    struct graph *g = r->g;
    struct node *n = r->n;
    const bool train = g->config.train;

    return (struct conv_run){.g = g,
                             .n = n,
                             .k = g->k,
                             .s = &n->conv.shape,
                             .count = r->count,
                             .x = value_of(g, input_of(g, n, 0)),
                             .w = train ? value_at(g, n->conv.weight)
                                        : g->folded + n->conv.folded + n->conv.shape.oc,
                             .y = buffer_at(g, train ? n->conv.y : n->out)};
}

static size_t in_floats(const struct conv_shape *s)
{
    return (size_t)s->ic * (size_t)s->ih * (size_t)s->iw;
}

static size_t out_floats(const struct conv_shape *s)
{
    return (size_t)s->oc * (size_t)s->oh * (size_t)s->ow;
}

/* Where a pass writes element `at` of y: there, or, where y is in bfloat16, in the scratch memory
 * behind the `used` floats that the pass takes itself. */
static float *y_room(const struct conv_run *c, int thread, size_t at, size_t used)
{
    return c->n->conv.half ? scratch_at(c->g, thread) + ch_pad_size(used) : c->y + at;
}

/* n floats from there on are written. */
static void y_written(const struct conv_run *c, const float *from, size_t at, size_t n)
{
    if (c->n->conv.half)
        c->k->round_half(from, half_at(c->y, at, true), n);
}

static void onednn_result(struct graph *g, bool ok)
{
    if (!ok)
        __atomic_store_n(&g->onednn_failed, true, __ATOMIC_RELAXED);
}

/* ---- direct */

/* The epilogue with its residual moved to one image. */
static struct epilogue epilogue_at(const struct epilogue *e, size_t offset)
{
    struct epilogue here = *e;

    if (here.residual)
        here.residual += offset;
    return here;
}

/* An item is a piece of an image, so many images one behind the other: the weights of a piece stay
 * in the cache for all of them. */
static void direct_forward(void *ud, int item, int thread)
{
    const struct conv_run *c = ud;
    const int strips = c->n->conv.strips, split = c->n->conv.split, blocks = c->s->oc / CH;
    const int piece = item / c->count, strip = piece % strips, part = piece / strips;
    const int row0 = c->s->oh * strip / strips, row1 = c->s->oh * (strip + 1) / strips;
    const int from = blocks * part / split, to = blocks * (part + 1) / split;
    const size_t image = (size_t)(item % c->count), at = image * out_floats(c->s);
    float *y = y_room(c, thread, at, c->k->conv_scratch(c->s));
    struct epilogue here = {0};

    if (c->e)
        here = epilogue_at(c->e, at);
    c->k->conv_forward(c->s, c->x + image * in_floats(c->s), c->w, y, row0, row1, from, to,
                       c->e ? &here : NULL, scratch_at(c->g, thread));
    if (!c->n->conv.half)
        return;
    const size_t of_row = (size_t)c->s->ow * CH, rows = (size_t)(row1 - row0);
    for (int ob = from; ob < to; ob++) {
        const size_t first = ((size_t)ob * (size_t)c->s->oh + (size_t)row0) * of_row;
        y_written(c, y + first, at + first, rows * of_row);
    }
}

static void swap_weights(void *ud, int item, int thread)
{
    const struct conv_run *c = ud;

    c->k->conv_swap_weights(c->s, c->w, c->g->work, item,
                            c->n->conv.backward_data == ALGO_ONEDNN &&
                                onednn_conv_input_first(c->n->conv.onednn));
}

static void direct_backward_data(void *ud, int item, int thread)
{
    const struct conv_run *c = ud;
    const size_t image = (size_t)item;

    c->k->conv_backward_data(c->s, c->dy + image * out_floats(c->s), c->g->work,
                             c->dx + image * in_floats(c->s), 0, c->s->ic / CH,
                             scratch_at(c->g, thread));
}

/* Output blocks of one item: few where there are few input blocks to share out. */
static int grad_group(const struct conv_shape *s)
{
    return s->ic / CH >= 4 ? 4 : 2;
}

static int grad_groups(const struct conv_shape *s)
{
    return (s->oc / CH + grad_group(s) - 1) / grad_group(s);
}

static void direct_backward_weights(void *ud, int item, int thread)
{
    const struct conv_run *c = ud;
    const int from = item % grad_groups(c->s) * grad_group(c->s), blocks = c->s->oc / CH;
    const int to = from + grad_group(c->s) < blocks ? from + grad_group(c->s) : blocks;

    c->k->conv_backward_weights(c->s, c->count, c->x, c->dy, c->dw, item / grad_groups(c->s), from,
                                to, scratch_at(c->g, thread));
}

/* ---- rows: an item is a part of an image's channels, then a group of output blocks */

enum { GATHER_PARTS = 4 };

static void gather_rows(void *ud, int item, int thread)
{
    const struct conv_run *c = ud;
    const size_t of_image = (size_t)(c->s->oh * c->s->ow * c->s->k * c->s->k) * (size_t)c->s->ic;
    const size_t image = (size_t)(item / GATHER_PARTS);
    const int part = item % GATHER_PARTS, blocks = c->s->ic / CH;

    for (int ib = blocks * part / GATHER_PARTS; ib < blocks * (part + 1) / GATHER_PARTS; ib++)
        c->k->conv_rows(c->s, c->x + image * in_floats(c->s), c->g->work + image * of_image, ib);
}

/* Output blocks of one item: few where there are few to share out. */
static int rows_group(const struct conv_shape *s)
{
    return s->oc / CH >= 16 ? 4 : 2;
}

static void rows_forward(void *ud, int item, int thread)
{
    const struct conv_run *c = ud;
    const int blocks = c->s->oc / CH, from = item * rows_group(c->s);
    const int to = from + rows_group(c->s) < blocks ? from + rows_group(c->s) : blocks;

    c->k->conv_forward_rows(c->s, c->count, c->g->work, c->w, c->y, from, to, c->e);
}

static void rows_pass(struct conv_run *c)
{
    const int group = rows_group(c->s);

    crew_run(c->g->crew, c->count * GATHER_PARTS, gather_rows, c);
    crew_run(c->g->crew, (c->s->oc / CH + group - 1) / group, rows_forward, c);
}

/* ---- depthwise: an item is an image, for the weights a block of channels */

static void depthwise_forward(void *ud, int item, int thread)
{
    const struct conv_run *c = ud;
    const ptrdiff_t in = (ptrdiff_t)c->s->ih * c->s->iw * CH;
    const ptrdiff_t out = (ptrdiff_t)c->s->oh * c->s->ow * CH;
    const ptrdiff_t blocks = c->s->oc / CH, taps = c->s->k * c->s->k;

    for (ptrdiff_t b = 0; b < blocks; b++) {
        const ptrdiff_t at = item * blocks + b;
        float *y = y_room(c, thread, (size_t)(at * out), 0);
        struct epilogue here = {0};
        if (c->e) {
            here = epilogue_at(c->e, (size_t)(at * out));
            here.bias += b * CH;
        }
        c->k->depthwise_forward(c->s, c->x + at * in, c->w + b * taps * CH, y, c->e ? &here : NULL);
        y_written(c, y, (size_t)(at * out), (size_t)out);
    }
}

static void depthwise_backward_data(void *ud, int item, int thread)
{
    const struct conv_run *c = ud;
    const ptrdiff_t in = (ptrdiff_t)c->s->ih * c->s->iw * CH;
    const ptrdiff_t out = (ptrdiff_t)c->s->oh * c->s->ow * CH;
    const ptrdiff_t blocks = c->s->oc / CH, taps = c->s->k * c->s->k;

    for (ptrdiff_t b = 0; b < blocks; b++)
        c->k->depthwise_backward_data(c->s, c->dy + (item * blocks + b) * out, c->w + b * taps * CH,
                                      c->dx + (item * blocks + b) * in);
}

static void depthwise_backward_weights(void *ud, int item, int thread)
{
    const struct conv_run *c = ud;
    const ptrdiff_t in = (ptrdiff_t)c->s->ih * c->s->iw * CH;
    const ptrdiff_t out = (ptrdiff_t)c->s->oh * c->s->ow * CH;

    c->k->depthwise_backward_weights(c->s, c->count, c->x + item * in, c->dy + item * out,
                                     c->dw + (ptrdiff_t)item * c->s->k * c->s->k * CH);
}

/* ---- Winograd */

static void winograd_weights(void *ud, int item, int thread)
{
    const struct conv_run *c = ud;

    c->k->wino_weights(c->s, c->w, c->u, item, c->backward);
}

/* Tiles [first, last) of item number `item` among `all` in blocks. */
static void tile_range(const struct conv_run *c, int item, int all, int *ret_first, int *ret_last)
{
    const int block = c->n->conv.tiles_block;

    *ret_first = item * block;
    *ret_last = *ret_first + block < all ? *ret_first + block : all;
}

static void winograd_forward(void *ud, int item, int thread)
{
    const struct conv_run *c = ud;
    int first, last;

    tile_range(c, item, c->tiles, &first, &last);
    if (c->backward)
        c->k->wino_forward(c->s, true, c->dy, c->u, c->dx, first, last, NULL,
                           scratch_at(c->g, thread));
    else
        c->k->wino_forward(c->s, false, c->x, c->u, c->y, first, last, c->e,
                           scratch_at(c->g, thread));
}

static void winograd_pass(struct conv_run *c, bool backward)
{
    const int block = c->n->conv.tiles_block;

    c->backward = backward;
    c->tiles = conv_tiles(c->s) * c->count;
    if (!c->u) { /* inference keeps its own, transformed once */
        c->u = c->g->work;
        crew_run(c->g->crew, (backward ? c->s->ic : c->s->oc) / CH, winograd_weights, c);
    }
    crew_run(c->g->crew, (c->tiles + block - 1) / block, winograd_forward, c);
}

enum { TILES_ITEM = 8 };

static void winograd_grad_tiles(void *ud, int item, int thread)
{
    const struct conv_run *c = ud;
    const int first = c->base + item * TILES_ITEM, end = c->base + c->tiles;
    const int last = first + TILES_ITEM < end ? first + TILES_ITEM : end;

    c->k->wino_grad_tiles(c->s, c->x, c->dy, c->vz, first, last, c->base, c->n->conv.tiles_chunk);
}

static int grad_parts(const struct conv_shape *s)
{
    return s->ic % 64 ? 1 : s->ic >= 128 ? 4 : 2;
}

static void winograd_grad_multiply(void *ud, int item, int thread)
{
    const struct conv_run *c = ud;
    const int parts = grad_parts(c->s), rows = c->s->ic / parts, from = item % parts * rows;

    c->k->wino_grad_multiply(c->s, c->vz, c->du, item / parts, from, from + rows, c->tiles,
                             c->n->conv.tiles_chunk, c->base > 0);
}

static void winograd_grad_weights(void *ud, int item, int thread)
{
    const struct conv_run *c = ud;

    c->k->wino_grad_weights(c->s, c->du, c->dw, item);
}

/* One piece of the tiles into its own sum, chunk by chunk, on one thread. */
static void winograd_grad_piece(void *ud, int piece, int thread)
{
    const struct conv_run *c = ud;
    const struct conv_shape *s = c->s;
    const int size = c->n->conv.tiles_piece, chunk = c->n->conv.tiles_chunk;
    const int first = piece * size, last = first + size < c->tiles ? first + size : c->tiles;
    float *vz = scratch_at(c->g, thread);
    float *du = c->du + (size_t)piece * 36 * (size_t)s->ic * (size_t)s->oc;

    for (int t = first; t < last; t += chunk) {
        const int end = t + chunk < last ? t + chunk : last;
        c->k->wino_grad_tiles(s, c->x, c->dy, vz, t, end, t, chunk);
        for (int point = 0; point < 36; point++)
            c->k->wino_grad_multiply(s, vz, du, point, 0, s->ic, end - t, chunk, t > first);
    }
}

static void winograd_sum_pieces(void *ud, int item, int thread)
{
    const struct conv_run *c = ud;
    const size_t all = 36 * (size_t)c->s->ic * (size_t)c->s->oc, at = (size_t)item * SUM_FLOATS;
    const int size = c->n->conv.tiles_piece, pieces = (c->tiles + size - 1) / size;
    const float *parts[SHARDS];

    for (int i = 0; i < pieces; i++)
        parts[i] = c->du + (size_t)i * all;
    c->k->sum_into(c->du, parts, pieces, at, all - at < SUM_FLOATS ? all - at : SUM_FLOATS);
}

/* Chunk by chunk, so that the transformed tiles stay in the cache between the two steps. */
static void winograd_grad_chunks(struct conv_run *c)
{
    const struct conv_shape *s = c->s;
    const int all = conv_tiles(s) * c->count, chunk = c->n->conv.tiles_chunk;

    c->vz = c->du + 36 * (size_t)s->ic * (size_t)s->oc;
    for (c->base = 0; c->base < all; c->base += chunk) {
        c->tiles = all - c->base < chunk ? all - c->base : chunk;
        crew_run(c->g->crew, (c->tiles + TILES_ITEM - 1) / TILES_ITEM, winograd_grad_tiles, c);
        crew_run(c->g->crew, 36 * grad_parts(s), winograd_grad_multiply, c);
    }
}

static void winograd_backward_weights(struct conv_run *c)
{
    const struct conv_shape *s = c->s;
    const size_t all = 36 * (size_t)s->ic * (size_t)s->oc;
    const int size = c->n->conv.tiles_piece;

    c->du = c->g->work;
    if (size) {
        c->tiles = conv_tiles(s) * c->count;
        crew_run(c->g->crew, (c->tiles + size - 1) / size, winograd_grad_piece, c);
        crew_run(c->g->crew, (int)((all + SUM_FLOATS - 1) / SUM_FLOATS), winograd_sum_pieces, c);
    } else {
        winograd_grad_chunks(c);
    }
    crew_run(c->g->crew, s->oc / CH, winograd_grad_weights, c);
}

/* ---- oneDNN: an item is a shard of images */

static void onednn_forward(void *ud, int item, int thread)
{
    const struct conv_run *c = ud;
    const size_t image = (size_t)item * (size_t)c->g->shard, at = image * out_floats(c->s);
    const size_t floats = (size_t)c->g->shard * out_floats(c->s);
    const float *residual = c->e ? c->e->residual : NULL;
    struct onednn_conv *conv = c->n->conv.onednn;
    float *y = y_room(c, thread, at, onednn_conv_scratch(conv));

    if (residual && residual != c->y && !c->e->after)
        memcpy(y, residual + at, floats * sizeof *residual);
    onednn_result(c->g, onednn_conv_forward(conv, thread, c->x + image * in_floats(c->s), c->w,
                                            c->e ? c->e->bias : NULL, y, scratch_at(c->g, thread)));
    if (residual && c->e->after)
        c->k->add_scaled(y, residual + at, 1, floats);
    y_written(c, y, at, floats);
}

static void onednn_backward_data(void *ud, int item, int thread)
{
    const struct conv_run *c = ud;
    const size_t image = (size_t)item * (size_t)c->g->shard;
    const float *w = c->s->depthwise ? c->w : c->g->work;

    onednn_result(c->g, onednn_conv_backward_data(
                            c->n->conv.onednn, thread, c->dy + image * out_floats(c->s), w,
                            c->dx + image * in_floats(c->s), scratch_at(c->g, thread)));
}

/* Each shard's gradient lies apart in the work memory; sum_shards adds them in order. */
static void onednn_backward_weights(void *ud, int item, int thread)
{
    const struct conv_run *c = ud;
    const size_t image = (size_t)item * (size_t)c->g->shard;
    const size_t room = c->g->params[c->n->conv.weight].room;

    onednn_result(c->g, onednn_conv_backward_weights(
                            c->n->conv.onednn, thread, c->x + image * in_floats(c->s),
                            c->dy + image * out_floats(c->s), c->g->work + (size_t)item * room,
                            scratch_at(c->g, thread)));
}

static void sum_shards(void *ud, int item, int thread)
{
    const struct conv_run *c = ud;
    const size_t room = c->g->params[c->n->conv.weight].room, at = (size_t)item * SUM_FLOATS;
    const int shards = (c->count + c->g->shard - 1) / c->g->shard;
    const float *parts[SHARDS];

    for (int i = 0; i < shards; i++)
        parts[i] = c->g->work + (size_t)i * room;
    c->k->sum_into(c->dw, parts, shards, at, room - at < SUM_FLOATS ? room - at : SUM_FLOATS);
}

/* ---- Winograd by columns: an item is a run of tiles, then a group of output channels */

enum { COLS_TILES_ITEM = 4 };

static void cols_tiles(void *ud, int item, int thread)
{
    const struct conv_run *c = ud;
    const int first = item * COLS_TILES_ITEM, end = first + COLS_TILES_ITEM;

    c->k->wino_cols_tiles(c->s, c->n->conv.tile, c->x, c->g->work, first,
                          end < c->tiles ? end : c->tiles, c->tiles);
}

static void cols_forward(void *ud, int group, int thread)
{
    const struct conv_run *c = ud;

    c->k->wino_cols_forward(c->s, c->n->conv.tile, c->g->work, c->w, c->y, group, c->tiles, c->e,
                            scratch_at(c->g, thread));
}

static void winograd_cols_pass(struct conv_run *c)
{
    c->tiles = conv_cols_tiles(c->s, c->n->conv.tile) * c->count;
    crew_run(c->g->crew, (c->tiles + COLS_TILES_ITEM - 1) / COLS_TILES_ITEM, cols_tiles, c);
    crew_run(c->g->crew, c->s->oc / WINO_COLS, cols_forward, c);
}

/* ---- passes */

void conv_forward_run(struct run *r)
{
    struct conv_run c = conv_run_of(r);
    struct graph *g = r->g;
    const struct node *n = r->n;
    const struct epilogue fused = {
        g->config.train ? NULL : g->folded + n->conv.folded,
        n->residual == GRAPH_NONE ? NULL : buffer_at(g, g->nodes[n->residual].out), n->conv.act,
        n->conv.residual_after};

    const struct epilogue half = {.half = true};

    if (n->conv.half && n->conv.forward == ALGO_WINOGRAD)
        c.e = &half;
    if (!g->config.train) {
        c.e = &fused;
        c.u = g->folded + r->n->conv.folded + c.s->oc;
    }
    switch (r->n->conv.forward) {
    case ALGO_WINOGRAD:
        winograd_pass(&c, false);
        break;
    case ALGO_DIRECT:
        crew_run(g->crew, c.count * r->n->conv.strips * r->n->conv.split, direct_forward, &c);
        break;
    case ALGO_DEPTHWISE:
        crew_run(g->crew, c.count, depthwise_forward, &c);
        break;
    case ALGO_ONEDNN:
        crew_run(g->crew, images_of_shards(g, c.count) / g->shard, onednn_forward, &c);
        break;
    case ALGO_ROWS:
        rows_pass(&c);
        break;
    case ALGO_WINOGRAD_COLS:
        winograd_cols_pass(&c);
        break;
    case ALGO_NONE:
        break;
    }
}

void conv_backward_weights_run(struct run *r)
{
    struct conv_run c = conv_run_of(r);
    struct graph *g = r->g;
    const size_t room = g->params[r->n->conv.weight].room;

    c.dy = buffer_at(g, r->n->conv.dy);
    c.dw = grad_at(g, r->n->conv.weight);
    switch (r->n->conv.backward_weights) {
    case ALGO_WINOGRAD:
        winograd_backward_weights(&c);
        break;
    case ALGO_DIRECT:
        crew_run(g->crew, (c.s->ic + CH - 1) / CH * grad_groups(c.s), direct_backward_weights, &c);
        break;
    case ALGO_DEPTHWISE:
        crew_run(g->crew, c.s->oc / CH, depthwise_backward_weights, &c);
        break;
    case ALGO_ONEDNN:
        crew_run(g->crew, images_of_shards(g, c.count) / g->shard, onednn_backward_weights, &c);
        crew_run(g->crew, (int)((room + SUM_FLOATS - 1) / SUM_FLOATS), sum_shards, &c);
        break;
    case ALGO_ROWS: /* inference alone */
    case ALGO_WINOGRAD_COLS:
    case ALGO_NONE:
        break;
    }
}

void conv_backward_data_run(struct run *r)
{
    struct conv_run c = conv_run_of(r);
    struct graph *g = r->g;

    if (r->n->conv.backward_data == ALGO_NONE)
        return;
    c.dy = buffer_at(g, r->n->conv.dy);
    c.dx = buffer_at(g, r->n->dx[0]);
    switch (r->n->conv.backward_data) {
    case ALGO_WINOGRAD:
        winograd_pass(&c, true);
        break;
    case ALGO_DIRECT:
        crew_run(g->crew, c.s->ic / CH, swap_weights, &c);
        crew_run(g->crew, c.count, direct_backward_data, &c);
        break;
    case ALGO_DEPTHWISE:
        crew_run(g->crew, c.count, depthwise_backward_data, &c);
        break;
    case ALGO_ONEDNN:
        if (!c.s->depthwise)
            crew_run(g->crew, c.s->ic / CH, swap_weights, &c);
        crew_run(g->crew, images_of_shards(g, c.count) / g->shard, onednn_backward_data, &c);
        break;
    case ALGO_ROWS:
    case ALGO_WINOGRAD_COLS:
    case ALGO_NONE:
        break;
    }
}

/* Of output channel ch: what its weights are multiplied by, and its bias. */
static float folded_scale(const struct graph *g, const struct conv_node *c, int ch, float *ret_bias)
{
    if (!c->norm) {
        *ret_bias = value_at(g, c->bias)[ch];
        return 1;
    }
    const double deviation = sqrt((double)stat_at(g, c->variance)[ch] + c->eps);
    const float scale = (float)((double)value_at(g, c->scale)[ch] / deviation);
    *ret_bias = value_at(g, c->shift)[ch] - stat_at(g, c->mean)[ch] * scale;
    return scale;
}

/* weights * gamma / sqrt(variance + eps), bias = beta - mean * the same; the output channel is the
 * innermost index of every layout, so a block's weights are scaled vector by vector. */
void conv_fold(struct graph *g, struct node *n)
{
    struct conv_node *c = &n->conv;
    const int blocks = c->shape.oc / CH;
    const size_t room = g->params[c->weight].room, of_block = room / (size_t)blocks;
    const float *w = value_at(g, c->weight);
    float *bias = g->folded + c->folded;
    const bool winograd = c->forward == ALGO_WINOGRAD || c->forward == ALGO_WINOGRAD_COLS;
    float *to = winograd ? g->work : bias + c->shape.oc;

    for (int ch = 0; ch < c->shape.oc; ch++) {
        const float scale = folded_scale(g, c, ch, &bias[ch]);
        const size_t at = (size_t)(ch / CH) * of_block + (size_t)(ch % CH);
        for (size_t i = 0; i < of_block; i += CH)
            to[at + i] = w[at + i] * scale;
    }
    if (!winograd)
        return;
    for (int ob = 0; ob < blocks; ob++)
        if (c->forward == ALGO_WINOGRAD)
            g->k->wino_weights(&c->shape, to, bias + c->shape.oc, ob, false);
        else
            g->k->wino_cols_weights(&c->shape, c->tile, to, bias + c->shape.oc, ob);
}
