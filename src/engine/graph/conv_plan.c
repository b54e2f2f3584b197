/* conv_plan.c - which algorithm computes a convolution, and how it is cut into pieces.
 *
 * Decided by shape and batch_max alone: never by a measurement and never by the number of threads,
 * or weights would not be reproducible.
 * Winograd: 3x3, stride 1 or 2, pad 1, where it saves at least a third of the multiplications and
 * there are tiles enough to pay for reading the larger transformed weights.  At stride 2 against
 * direct, on one AVX-512 thread, forward / gradient of the input / of the weights: 64 to 128
 * channels 1.2-1.5 / 1.2-1.5 / 1.3-1.4 times as fast, 256 to 512 3.6 / 3.4 / 1.9, 16 to 32 equal.
 *
 * Winograd by columns: inference, where the transformed weights of all channels outgrow a
 * second-level cache, with tiles of 2x2 or 4x4 by the time that products and reading weights take.
 *
 * Depthwise: by oneDNN if in use and optimised for the shape, else our own.
 *
 * Rows: inference on small pictures.
 *
 * Direct: the same (oneDNN has no form for the 4-channel image: that stays ours).
 */
#include "base/log.h"
#include "engine/graph/graph_int.h"

enum {
    /* Winograd tiles of a whole batch: its weights are four times as large to read. */
    TILES_MIN = 32,
    TILES_MIN_NARROW = 16, /* up to 128 channels */
    ROWS_PIXELS_MAX = 64,
    ROWS_PIXELS_MAX_FEW = 128, /* where the other choice is our own direct form */
    /* Gradient of Winograd weights: where du is small, pieces of the tiles have sums of their own,
     * and a thread keeps v and z of a chunk and du in its L2; elsewhere all share one chunk. */
    PIECES = SHARDS,
    PIECE_TILES_MIN = 32,
    PIECE_CHUNK_MIN = 24,
    PIECE_DU_FLOATS = 64 * 128 * 36,
    PIECE_CHUNK_FLOATS = 280000,
    CHUNK_FLOATS = 2000000,
    CHUNK_TILES_MIN = 128,
    CHUNK_TILES_MAX = 256,
    CHUNK_TILES_STRIDED = 48,
    SHARD_PIXELS_MIN = 256,
    COLS_WEIGHTS_MIN = 128 * 128,
    COLS_GROUPS_MIN = 4, /* 128 channels of 16x16 by tiles 0.10 ms, by two groups 0.12 */
    /* Direct: the least that is worth a piece. */
    ROWS_STRIP_MIN = 2,
    STRIP_WEIGHTS_MAX = 160 * 1024,
    BLOCKS_SPLIT_MIN = 2,
    FLOPS_PIECE_MIN = 300000,
};

int conv_tiles(const struct conv_shape *s)
{
    return (s->oh + 3) / 4 * ((s->ow + 3) / 4);
}

/* Products of one tile: 6x6, at stride 2 9x9. */
static int winograd_points(const struct conv_shape *s)
{
    return s->stride == 2 ? 81 : 36;
}

static bool winograd_pays(const struct graph *g, const struct conv_shape *s)
{
    const int tiles = conv_tiles(s), channels_min = s->stride == 2 ? 2 * CH : CH;

    return !g->config.no_winograd && s->k == 3 && s->stride <= 2 && s->pad == 1 && !s->depthwise &&
           s->ic >= channels_min && s->oh * s->ow * 9 * 2 >= tiles * winograd_points(s) * 3 &&
           tiles * g->config.batch_max >= (s->ic <= 128 ? TILES_MIN_NARROW : TILES_MIN);
}

/* Tiles of one item: transformed tiles of one point and their products stay in L2 while the
 * transformed weights stream through; more channels, more weights to stream, larger blocks.
 * Measured on a Xeon of 2 MB L2; a third more or less changes little.  All of one size, and an even
 * number of them: two threads shall not wait for each other. */
static int tiles_of_block(const struct conv_shape *s, int tiles)
{
    const int widest = s->ic > s->oc ? s->ic : s->oc;
    const int block = s->stride == 2  ? (widest <= 256 ? 24 : 48)
                      : widest <= 64  ? 36
                      : widest <= 256 ? 72
                                      : 64;
    const int items = (tiles + block - 1) / block, even = items + items % 2;

    return (tiles + even - 1) / even;
}

static int within(int x, int least, int most)
{
    return x < least ? least : x > most ? most : x;
}

/* How the tiles are cut for the gradient of the weights.  200 tiles of 64 channels took twice as
 * long in one chunk as in chunks of 48. */
static void cut_grad_tiles(struct conv_node *c, int tiles)
{
    const struct conv_shape *s = &c->shape;
    const int of_tile = winograd_points(s) * (s->ic + s->oc + 2 * CH);
    const bool narrow = 36 * s->ic * s->oc <= PIECE_DU_FLOATS;

    c->tiles_piece = 0;
    if (narrow && tiles >= PIECES * PIECE_TILES_MIN)
        c->tiles_piece = (tiles + PIECES - 1) / PIECES;
    if (narrow)
        c->tiles_chunk = within(PIECE_CHUNK_FLOATS / of_tile, PIECE_CHUNK_MIN, CHUNK_TILES_MAX);
    else if (s->stride == 2)
        c->tiles_chunk = CHUNK_TILES_STRIDED;
    else
        c->tiles_chunk = within(CHUNK_FLOATS / of_tile, CHUNK_TILES_MIN, CHUNK_TILES_MAX);
    c->tiles_chunk = within(c->tiles_chunk, 1, c->tiles_piece ? c->tiles_piece : tiles);
}

int conv_cols_tiles(const struct conv_shape *s, int tile)
{
    return (s->oh + tile - 1) / tile * ((s->ow + tile - 1) / tile);
}

/* What `weights` numbers for each pair of channels cost that are each read once and multiplied
 * `times` times: in nanoseconds for 1000 pairs, at 75 (direct 82) G multiplications and 20 GB a
 * second, which is what one thread of a Xeon reaches. */
static double cost(int weights, int times, double rate)
{
    return weights * (times / rate + 0.2);
}

/* The tile's side, 2 or 4; 0: by another algorithm. */
static int winograd_cols(const struct graph *g, const struct conv_shape *s)
{
    const int batch = g->config.batch_max;

    if (g->config.train || g->config.no_winograd || s->k != 3 || s->stride != 1 || s->pad != 1 ||
        s->depthwise || s->ic < CH || s->oc % WINO_COLS || s->oc == WINO_COLS ||
        s->ic * s->oc < COLS_WEIGHTS_MIN)
        return 0;
    if (s->oc < COLS_GROUPS_MIN * WINO_COLS && winograd_pays(g, s))
        return 0;
    const double direct = cost(9, s->oh * s->ow * batch, 82);
    const double small = cost(16, conv_cols_tiles(s, 2) * batch, 75);
    const double large = cost(36, conv_cols_tiles(s, 4) * batch, 75);
    if (direct <= small && direct <= large)
        return 0;
    return small <= large ? 2 : 4;
}

/* oneDNN computes whole images: of a few, the crew would wait for the last. */
static bool cut_by_us(const struct graph *g, const struct conv_shape *s)
{
    return !g->config.train && !s->depthwise && g->config.batch_max < SHARDS / 2;
}

/* Weights that a thread's L2 keeps: rows of pixels can be shared out. */
static bool narrow(const struct conv_shape *s)
{
    return s->oh >= 2 * ROWS_STRIP_MIN && s->k * s->k * s->ic * s->oc <= STRIP_WEIGHTS_MAX;
}

static size_t rows_floats(const struct conv_shape *s)
{
    return (size_t)(s->oh * s->ow * s->k * s->k) * (size_t)s->ic;
}

/* Inference on small pictures: reading the weights, once for every row of pixels, would take
 * longer than the products.  512 channels of 4x4 pixels: 62 GFLOP/s row by row. */
static bool rows_pay(const struct graph *g, const struct conv_shape *s)
{
    if (g->config.train || s->depthwise || s->ic < CH || s->k * s->stride == 1)
        return false;
    if (cut_by_us(g, s))
        return s->oh * s->ow <= ROWS_PIXELS_MAX_FEW && !narrow(s);
    return s->oh * s->ow <= ROWS_PIXELS_MAX;
}

static void need(size_t *most, size_t floats)
{
    if (floats > *most)
        *most = floats;
}

static void size_winograd(struct graph *g, struct conv_node *c)
{
    const struct conv_shape *s = &c->shape;
    const int tiles = conv_tiles(s) * g->config.batch_max;
    const size_t weights = 36 * (size_t)s->ic * (size_t)s->oc;

    c->tiles_block = tiles_of_block(s, tiles);
    need(&g->scratch_floats, g->k->wino_scratch(s, c->tiles_block));
    if (g->config.train) {
        cut_grad_tiles(c, tiles);
        const size_t chunk = g->k->wino_scratch(s, c->tiles_chunk);
        if (c->tiles_piece) {
            need(&g->scratch_floats, chunk);
            need(&g->work_floats, weights * PIECES);
        } else {
            need(&g->work_floats, weights + chunk);
        }
    }
}

static void size_winograd_cols(struct graph *g, const struct conv_node *c)
{
    const int tiles = conv_cols_tiles(&c->shape, c->tile) * g->config.batch_max;
    const struct wino_cols_room room = g->k->wino_cols_room(&c->shape, c->tile, tiles);

    need(&g->work_floats, room.v);
    need(&g->scratch_floats, room.scratch);
}

/* Each shard's gradient of the weights is summed apart; with few pixels in a shard, writing and
 * adding those sums costs more than the products: our own kernel, which sums over all images in
 * place, is then the faster one. */
static bool shards_pay(const struct graph *g, const struct conv_shape *s)
{
    return s->depthwise || g->shard * s->oh * s->ow >= SHARD_PIXELS_MIN;
}

static enum rc size_onednn(struct graph *g, struct node *n, struct err *e)
{
    struct conv_node *c = &n->conv;
    enum rc rc = onednn_conv_new(&c->onednn, g->onednn, &c->shape, c->piece, g->config.train,
                                 c->act, n->residual != GRAPH_NONE && !c->residual_after, e);

    if (rc)
        return rc;
    need(&g->scratch_floats, onednn_conv_scratch(c->onednn));
    if (g->config.train && shards_pay(g, &c->shape))
        need(&g->work_floats, g->params[c->weight].room * SHARDS);
    else
        need(&g->scratch_floats, g->k->conv_scratch(&c->shape));
    return RC_OK;
}

/* Few images are cut into pieces, so that they still fill the crew: by rows, or by output channels
 * where there are many weights (each is then read by one thread). */
static void size_direct(struct graph *g, struct conv_node *c)
{
    const struct conv_shape *s = &c->shape;
    const int pieces = (SHARDS + g->config.batch_max - 1) / g->config.batch_max;
    const bool strips = narrow(s);
    const int most = strips ? s->oh / ROWS_STRIP_MIN : s->oc / CH / BLOCKS_SPLIT_MIN;
    const double flops = 2.0 * s->k * s->k * s->ic * s->oc * s->oh * s->ow;
    const int paying = (int)(flops / FLOPS_PIECE_MIN);

    int n = within(pieces, 1, most > 1 ? most : 1);
    n = within(n, 1, paying > 1 ? paying : 1);
    if (n > 2)
        n -= n % 2; /* two threads shall not wait for each other */
    if (g->config.threads == 1)
        n = 1; /* a piece reads its weights again; no sum depends on the cut */
    c->strips = strips ? n : 1;
    c->split = strips ? 1 : n;
    need(&g->scratch_floats, g->k->conv_scratch(s));
}

static enum algo own_algo(const struct conv_node *c)
{
    return c->shape.depthwise ? ALGO_DEPTHWISE : ALGO_DIRECT;
}

/* oneDNN's gradient of the input of these is slow: 40-50 GFLOP/s at 1x1, ours twice that. */
static bool strided_by_us(const struct conv_node *c)
{
    return c->forward == ALGO_ONEDNN && c->shape.stride == 2 &&
           (c->shape.depthwise ? c->shape.k == 3 && c->shape.pad == 1 : c->shape.k == 1);
}

/* oneDNN where it has an optimised kernel; else (a depthwise kernel larger than the picture, for
 * one) our own: never its reference implementation. */
static enum rc choose_forward(struct graph *g, struct node *n, struct err *e)
{
    struct conv_node *c = &n->conv;
    struct err why = {0};
    enum rc rc = RC_UNAVAILABLE;

    c->tile = winograd_cols(g, &c->shape);
    if (c->tile) {
        c->forward = ALGO_WINOGRAD_COLS;
        size_winograd_cols(g, c);
        return RC_OK;
    }
    if (winograd_pays(g, &c->shape)) {
        c->forward = ALGO_WINOGRAD;
        size_winograd(g, c);
        return RC_OK;
    }
    if (rows_pay(g, &c->shape)) {
        c->forward = ALGO_ROWS;
        need(&g->work_floats, (size_t)g->config.batch_max * rows_floats(&c->shape));
        return RC_OK;
    }
    if (g->onednn && c->shape.ic >= CH && !cut_by_us(g, &c->shape))
        rc = size_onednn(g, n, &why);
    if (rc == RC_OK) {
        c->forward = ALGO_ONEDNN;
        return RC_OK;
    }
    if (rc != RC_UNAVAILABLE)
        return err_set(e, rc, "%s", why.text);
    if (why.text[0])
        log_debug("%s; using our own kernel", why.text);
    c->forward = own_algo(c);
    if (c->forward == ALGO_DIRECT)
        size_direct(g, c);
    return RC_OK;
}

/* y in bfloat16 is rounded from floats in the scratch memory (Winograd rounds as it goes). */
static void size_half(struct graph *g, struct node *n)
{
    struct conv_node *c = &n->conv;
    const bool onednn = c->forward == ALGO_ONEDNN;
    const size_t used = onednn ? onednn_conv_scratch(c->onednn) : g->k->conv_scratch(&c->shape);
    const size_t images = onednn ? (size_t)g->shard : 1;

    if (c->forward != ALGO_WINOGRAD)
        need(&g->scratch_floats, ch_pad_size(used) + images * node_image_floats(n));
}

enum rc conv_choose(struct graph *g, struct node *n, struct err *e)
{
    struct conv_node *c = &n->conv;
    const size_t room = g->params[c->weight].room;
    const size_t pairs = (size_t)c->shape.ic * (size_t)c->shape.oc;

    c->half = g->config.train && g->config.precision == GRAPH_BF16 && c->norm;
    need(&g->work_floats, room); /* swapped or folded weights */
    if (c->streams && c->shape.depthwise) {
        c->forward = c->backward_data = c->backward_weights = ALGO_DEPTHWISE;
        piece_size(g, n);
        return RC_OK;
    }
    enum rc rc = choose_forward(g, n, e);
    if (rc)
        return rc;
    if (c->streams) {
        c->backward_data = input_of(g, n, 0)->kind == NODE_IMAGE ? ALGO_NONE : c->forward;
        c->backward_weights = c->forward;
        piece_size(g, n);
        return RC_OK;
    }
    if (c->half)
        size_half(g, n);
    if (g->config.train)
        c->backward_weights =
            c->forward == ALGO_ONEDNN && !shards_pay(g, &c->shape) ? ALGO_DIRECT : c->forward;
    if (g->config.train && input_of(g, n, 0)->kind != NODE_IMAGE)
        c->backward_data = strided_by_us(c) ? own_algo(c) : c->forward;
    if (!g->config.train) {
        c->folded = g->folded_floats;
        g->folded_floats += (size_t)c->shape.oc;
        g->folded_floats += c->forward == ALGO_WINOGRAD ? 36 * pairs
                            : c->forward == ALGO_WINOGRAD_COLS
                                ? (size_t)((c->tile + 2) * (c->tile + 2)) * pairs
                                : room;
    }
    return RC_OK;
}

const char *algo_name(enum algo a)
{
#define X(algo, name) [algo] = name,
    static const char *const names[] = {ALGOS(X)};
#undef X

    return names[a];
}
