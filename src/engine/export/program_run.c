/* program_run.c - the reference interpreter.
 *
 * It shares no code with the engine's kernels on purpose: an export is right when what was written,
 * read back, computes what the checkpoint does on another path.  Plain float32, rows of the classic
 * layout [n][c][h][w], nothing fused.  Convolutions copy the window of 16 pixels and multiply two
 * output channels at a time, which is quick enough for real pictures (a few GFLOP/s).
 *
 * program_check() has vouched for every shape; here nothing is looked at again.
 */
#include "engine/export/program.h"

#include "base/mem.h"
#include <math.h>
#include <string.h>

enum { TILE = 16, ROWS = 2 };

struct runner {
    const struct program *p;
    int count;
    float **data; /* of each value: a constant's, the caller's input, or ours */
    int *last;    /* the last operator that reads it */
};

static const struct program_value *value_of(const struct runner *r, const struct program_op *o,
                                            int i)
{
    return &r->p->values[o->in[i]];
}

static const float *in_of(const struct runner *r, const struct program_op *o, int i)
{
    return r->data[o->in[i]];
}

static size_t batched(const struct runner *r, const struct program_value *v)
{
    return (size_t)program_elements(v) *
           (v->dims && v->shape[0] == PROGRAM_BATCH ? (size_t)r->count : 1);
}

/* Extents of a value with the batch filled in, from the right: ret[DIMS - 1] is the last. */
static void extents(const struct runner *r, const struct program_value *v,
                    size_t ret[PROGRAM_DIMS_MAX])
{
    for (int d = 0; d < PROGRAM_DIMS_MAX; d++) {
        const int at = d - (PROGRAM_DIMS_MAX - v->dims);
        ret[d] = at < 0                          ? 1
                 : v->shape[at] == PROGRAM_BATCH ? (size_t)r->count
                                                 : (size_t)v->shape[at];
    }
}

/* ---- convolution */

struct window {
    const float *x; /* [c][h][w] */
    int64_t c, h, w, ow;
    int k, stride, pad;
};

/* The windows of pixels [from, from + TILE) side by side: to[c * k * k][TILE]. */
static void gather(const struct window *v, int64_t from, int64_t pixels, float *to)
{
    int64_t top[TILE], left[TILE];

    for (int64_t i = 0; i < TILE; i++) {
        const int64_t pixel = from + i < pixels ? from + i : pixels - 1; /* beyond: not used */
        top[i] = pixel / v->ow * v->stride - v->pad;
        left[i] = pixel % v->ow * v->stride - v->pad;
    }
    for (int64_t c = 0; c < v->c; c++)
        for (int row = 0; row < v->k; row++)
            for (int col = 0; col < v->k; col++)
                for (int64_t i = 0; i < TILE; i++) {
                    const int64_t y = top[i] + row, x = left[i] + col;
                    const bool in = y >= 0 && y < v->h && x >= 0 && x < v->w;
                    *to++ = in ? v->x[(c * v->h + y) * v->w + x] : 0.0f;
                }
}

/* Two rows of weights times the columns, TILE pixels at once. */
typedef float lane __attribute__((vector_size(TILE * sizeof(float)), aligned(4)));

static void multiply(const float *w, size_t depth, int rows, const float *columns,
                     float sum[ROWS][TILE])
{
    const float *second = rows > 1 ? w + depth : w;
    lane a = {0}, b = {0};

    for (size_t d = 0; d < depth; d++) {
        const lane c = *(const lane *)(const void *)(columns + d * TILE);
        a += w[d] * c;
        b += second[d] * c;
    }
    memcpy(sum[0], &a, sizeof a);
    memcpy(sum[1], &b, sizeof b);
}

/* One image and one group: `outs` channels from w [outs][depth]. */
static void conv_group(const struct window *v, const float *w, const float *bias, int64_t outs,
                       int64_t pixels, float *columns, float *y)
{
    const size_t depth = (size_t)(v->c * v->k * v->k);
    float sum[ROWS][TILE];

    for (int64_t from = 0; from < pixels; from += TILE) {
        const int64_t n = pixels - from < TILE ? pixels - from : TILE;
        gather(v, from, pixels, columns);
        for (int64_t o = 0; o < outs; o += ROWS) {
            const int rows = outs - o < ROWS ? (int)(outs - o) : ROWS;
            multiply(w + (size_t)o * depth, depth, rows, columns, sum);
            for (int k = 0; k < rows; k++)
                for (int64_t i = 0; i < n; i++)
                    y[(o + k) * pixels + from + i] = sum[k][i] + (bias ? bias[o + k] : 0.0f);
        }
    }
}

static enum rc run_conv(struct runner *r, const struct program_op *o, float *y, struct err *e)
{
    const struct program_value *x = value_of(r, o, 0), *w = value_of(r, o, 1);
    const struct program_value *out = &r->p->values[o->out];
    const float *bias = o->in_count == 3 ? in_of(r, o, 2) : NULL;
    const int64_t outs = w->shape[0] / o->group, pixels = out->shape[2] * out->shape[3];
    struct window v = {.c = w->shape[1],
                       .h = x->shape[2],
                       .w = x->shape[3],
                       .ow = out->shape[3],
                       .k = o->k,
                       .stride = o->stride,
                       .pad = o->pad};
    const int64_t depth = v.c * v.k * v.k;
    float *columns = mem_alloc_array((size_t)depth, TILE * sizeof *columns);

    if (!columns)
        return err_set(e, RC_NOMEM, "no memory to run '%s'", out->name);
    for (int64_t i = 0; i < (int64_t)r->count * o->group; i++) {
        const int64_t group = i % o->group;
        v.x = in_of(r, o, 0) + i * v.c * v.h * v.w;
        conv_group(&v, in_of(r, o, 1) + group * outs * depth, bias ? bias + group * outs : NULL,
                   outs, pixels, columns, y + i * outs * pixels);
    }
    mem_free(columns);
    return RC_OK;
}

/* ---- one number from one number */

static float unary(const struct program_op *o, float x)
{
    const float ramp = fminf(fmaxf(x / 6.0f + 0.5f, 0.0f), 1.0f);

    switch (o->kind) {
    case OP_RELU:
        return x < 0.0f ? 0.0f : x;
    case OP_CLIP:
        return x < o->low ? o->low : x > o->high ? o->high : x;
    case OP_SIGMOID:
        return 1.0f / (1.0f + expf(-x));
    case OP_HARD_SIGMOID:
        return ramp;
    case OP_HARD_SWISH:
        return x * ramp;
    default:
        return x;
    }
}

/* ---- one number from two */

static float binary(enum op_kind kind, float a, float b)
{
    return kind == OP_ADD ? a + b : kind == OP_SUB ? a - b : kind == OP_MUL ? a * b : a / b;
}

/* Strides of a value in a loop over the output's extents: 0 where it is repeated. */
static void strides(const size_t of[PROGRAM_DIMS_MAX], size_t ret[PROGRAM_DIMS_MAX])
{
    size_t step = 1;

    for (int d = PROGRAM_DIMS_MAX - 1; d >= 0; d--) {
        ret[d] = of[d] == 1 ? 0 : step;
        step *= of[d];
    }
}

static size_t place(const size_t at[PROGRAM_DIMS_MAX], const size_t step[PROGRAM_DIMS_MAX])
{
    size_t sum = 0;

    for (int d = 0; d < PROGRAM_DIMS_MAX; d++)
        sum += at[d] * step[d];
    return sum;
}

static void next_place(size_t at[PROGRAM_DIMS_MAX], const size_t extent[PROGRAM_DIMS_MAX])
{
    for (int d = PROGRAM_DIMS_MAX - 1; d >= 0 && ++at[d] == extent[d]; d--)
        at[d] = 0;
}

static void run_binary(struct runner *r, const struct program_op *o, float *y)
{
    size_t out[PROGRAM_DIMS_MAX], a[PROGRAM_DIMS_MAX], b[PROGRAM_DIMS_MAX];
    size_t a_step[PROGRAM_DIMS_MAX], b_step[PROGRAM_DIMS_MAX], at[PROGRAM_DIMS_MAX] = {0};
    const struct program_value *v = &r->p->values[o->out];

    extents(r, v, out);
    extents(r, value_of(r, o, 0), a);
    extents(r, value_of(r, o, 1), b);
    strides(a, a_step);
    strides(b, b_step);
    for (size_t i = 0, n = batched(r, v); i < n; i++) {
        y[i] =
            binary(o->kind, in_of(r, o, 0)[place(at, a_step)], in_of(r, o, 1)[place(at, b_step)]);
        next_place(at, out);
    }
}

static void run_transpose(struct runner *r, const struct program_op *o, float *y)
{
    const struct program_value *v = &r->p->values[o->out];
    size_t in[PROGRAM_DIMS_MAX], out[PROGRAM_DIMS_MAX], in_step[PROGRAM_DIMS_MAX];
    size_t step[PROGRAM_DIMS_MAX] = {0}, at[PROGRAM_DIMS_MAX] = {0};
    const int first = PROGRAM_DIMS_MAX - v->dims;

    extents(r, value_of(r, o, 0), in);
    extents(r, v, out);
    strides(in, in_step);
    for (int d = 0; d < v->dims; d++)
        step[first + d] = in_step[first + o->ints[d]];
    for (size_t i = 0, n = batched(r, v); i < n; i++) {
        y[i] = in_of(r, o, 0)[place(at, step)];
        next_place(at, out);
    }
}

/* ---- windows and axes */

static void run_max_pool(struct runner *r, const struct program_op *o, float *y)
{
    const struct program_value *v = value_of(r, o, 0), *out = &r->p->values[o->out];
    const int64_t h = v->shape[2], w = v->shape[3], ow = out->shape[3];
    const int64_t pixels = out->shape[2] * ow;

    for (int64_t plane = 0; plane < r->count * v->shape[1]; plane++) {
        const float *x = in_of(r, o, 0) + plane * h * w;
        for (int64_t i = 0; i < pixels; i++) {
            float most = -INFINITY;
            for (int t = 0; t < o->k * o->k; t++) {
                const int64_t row = i / ow * o->stride - o->pad + t / o->k;
                const int64_t col = i % ow * o->stride - o->pad + t % o->k;
                if (row >= 0 && row < h && col >= 0 && col < w && !(x[row * w + col] <= most))
                    most = x[row * w + col];
            }
            y[plane * pixels + i] = most;
        }
    }
}

static void run_average(struct runner *r, const struct program_op *o, float *y)
{
    const struct program_value *v = value_of(r, o, 0);
    const size_t pixels = (size_t)(v->shape[2] * v->shape[3]);

    for (size_t plane = 0; plane < (size_t)r->count * (size_t)v->shape[1]; plane++) {
        double sum = 0;
        for (size_t i = 0; i < pixels; i++)
            sum += (double)in_of(r, o, 0)[plane * pixels + i];
        y[plane] = (float)(sum / (double)pixels);
    }
}

static void run_gemm(struct runner *r, const struct program_op *o, float *y)
{
    const size_t outs = (size_t)value_of(r, o, 1)->shape[0];
    const size_t ins = (size_t)value_of(r, o, 1)->shape[1];

    for (size_t i = 0; i < (size_t)r->count; i++)
        for (size_t k = 0; k < outs; k++) {
            const float *x = in_of(r, o, 0) + i * ins, *w = in_of(r, o, 1) + k * ins;
            float sum = 0;
            for (size_t d = 0; d < ins; d++)
                sum += w[d] * x[d];
            y[i * outs + k] = sum + in_of(r, o, 2)[k];
        }
}

/* A value seen as [outer][axis][inner]. */
struct folded {
    size_t outer, axis, inner;
};

static struct folded fold_at(const struct runner *r, const struct program_value *v, int axis)
{
    struct folded f = {(size_t)r->count, (size_t)v->shape[axis], 1};

    for (int d = 1; d < axis; d++)
        f.outer *= (size_t)v->shape[d];
    for (int d = axis + 1; d < v->dims; d++)
        f.inner *= (size_t)v->shape[d];
    return f;
}

static void run_concat(struct runner *r, const struct program_op *o, float *y)
{
    const struct folded all = fold_at(r, &r->p->values[o->out], o->axis);
    size_t at = 0;

    for (int i = 0; i < o->in_count; i++) {
        const struct folded f = fold_at(r, value_of(r, o, i), o->axis);
        for (size_t k = 0; k < f.outer; k++)
            memcpy(y + (k * all.axis + at) * f.inner, in_of(r, o, i) + k * f.axis * f.inner,
                   f.axis * f.inner * sizeof *y);
        at += f.axis;
    }
}

static void run_slice(struct runner *r, const struct program_op *o, float *y)
{
    const struct folded f = fold_at(r, value_of(r, o, 0), o->axis);
    const size_t n = (size_t)(o->to - o->from) * f.inner;

    for (size_t k = 0; k < f.outer; k++)
        memcpy(y + k * n, in_of(r, o, 0) + (k * f.axis + (size_t)o->from) * f.inner, n * sizeof *y);
}

static void run_softmax(struct runner *r, const struct program_op *o, float *y)
{
    const struct folded f = fold_at(r, value_of(r, o, 0), o->axis);

    for (size_t i = 0; i < f.outer * f.inner; i++) {
        const size_t from = i / f.inner * f.axis * f.inner + i % f.inner;
        const float *x = in_of(r, o, 0) + from;
        float most = -INFINITY, sum = 0;
        for (size_t a = 0; a < f.axis; a++)
            most = x[a * f.inner] > most ? x[a * f.inner] : most;
        for (size_t a = 0; a < f.axis; a++)
            sum += y[from + a * f.inner] = expf(x[a * f.inner] - most);
        for (size_t a = 0; a < f.axis; a++)
            y[from + a * f.inner] /= sum;
    }
}

/* Half-pixel centres: output i lies at (i + 1/2) / factor - 1/2 of the input, held inside. */
static void neighbours(int64_t i, int factor, int64_t n, int64_t ret[2], float *ret_part)
{
    const float at = ((float)i + 0.5f) / (float)factor - 0.5f;
    const float inside = at < 0.0f ? 0.0f : at > (float)(n - 1) ? (float)(n - 1) : at;

    ret[0] = (int64_t)inside;
    ret[1] = ret[0] + 1 < n ? ret[0] + 1 : n - 1;
    *ret_part = inside - (float)ret[0];
}

static void run_resize(struct runner *r, const struct program_op *o, float *y)
{
    const struct program_value *v = value_of(r, o, 0);
    const int64_t h = v->shape[2], w = v->shape[3], ow = w * o->factor, oh = h * o->factor;

    for (int64_t plane = 0; plane < r->count * v->shape[1]; plane++) {
        const float *x = in_of(r, o, 0) + plane * h * w;
        for (int64_t i = 0; i < oh * ow; i++) {
            int64_t row[2], col[2];
            float down, right;
            if (!o->linear) {
                *y++ = x[i / ow / o->factor * w + i % ow / o->factor];
                continue;
            }
            neighbours(i / ow, o->factor, h, row, &down);
            neighbours(i % ow, o->factor, w, col, &right);
            const float *above = x + row[0] * w, *below = x + row[1] * w;
            const float top = above[col[0]] + (above[col[1]] - above[col[0]]) * right;
            const float low = below[col[0]] + (below[col[1]] - below[col[0]]) * right;
            *y++ = top + (low - top) * down;
        }
    }
}

/* ---- the whole */

static enum rc run_op(struct runner *r, const struct program_op *o, float *y, struct err *e)
{
    const size_t n = batched(r, &r->p->values[o->out]);

    switch (o->kind) {
    case OP_CONV:
        return run_conv(r, o, y, e);
    case OP_RELU:
    case OP_CLIP:
    case OP_SIGMOID:
    case OP_HARD_SIGMOID:
    case OP_HARD_SWISH:
        for (size_t i = 0; i < n; i++)
            y[i] = unary(o, in_of(r, o, 0)[i]);
        break;
    case OP_ADD:
    case OP_SUB:
    case OP_MUL:
    case OP_DIV:
        run_binary(r, o, y);
        break;
    case OP_MAX_POOL:
        run_max_pool(r, o, y);
        break;
    case OP_GLOBAL_AVERAGE:
        run_average(r, o, y);
        break;
    case OP_FLATTEN:
    case OP_RESHAPE:
        memcpy(y, in_of(r, o, 0), n * sizeof *y);
        break;
    case OP_GEMM:
        run_gemm(r, o, y);
        break;
    case OP_CONCAT:
        run_concat(r, o, y);
        break;
    case OP_RESIZE:
        run_resize(r, o, y);
        break;
    case OP_TRANSPOSE:
        run_transpose(r, o, y);
        break;
    case OP_SLICE:
        run_slice(r, o, y);
        break;
    case OP_SOFTMAX:
        run_softmax(r, o, y);
        break;
    case OP_KINDS:
        break;
    }
    return RC_OK;
}

/* Frees what no later operator reads.  Constants and the input are not ours. */
static void drop_dead(struct runner *r, int done)
{
    for (int i = 0; i < r->p->value_count; i++)
        if (r->last[i] == done && !r->p->values[i].data && i != r->p->input) {
            mem_free(r->data[i]);
            r->data[i] = NULL;
        }
}

static enum rc run_all(struct runner *r, struct err *e)
{
    const struct program *p = r->p;

    for (int i = 0; i < p->op_count; i++) {
        const struct program_op *o = &p->ops[i];
        float *y = mem_alloc_array(batched(r, &p->values[o->out]), sizeof *y);
        if (!y)
            return err_set(e, RC_NOMEM, "no memory to run '%s'", p->values[o->out].name);
        r->data[o->out] = y;
        enum rc rc = run_op(r, o, y, e);
        if (rc)
            return rc;
        drop_dead(r, i);
    }
    return RC_OK;
}

static void find_last_uses(struct runner *r)
{
    const struct program *p = r->p;

    for (int i = 0; i < p->op_count; i++) {
        r->last[p->ops[i].out] = i; /* if nothing reads it */
        for (int k = 0; k < p->ops[i].in_count; k++)
            r->last[p->ops[i].in[k]] = i;
    }
    for (int i = 0; i < p->output_count; i++)
        r->last[p->outputs[i]] = PROGRAM_OPS_MAX;
}

enum rc program_run(const struct program *p, const float *x, int count, struct program_result *ret,
                    struct err *e)
{
    struct runner r = {.p = p,
                       .count = count,
                       .data = mem_alloc_array((size_t)p->value_count, sizeof *r.data),
                       .last = mem_alloc_array((size_t)p->value_count, sizeof *r.last)};
    enum rc rc = r.data && r.last ? RC_OK : err_set(e, RC_NOMEM, "no memory to run an export");

    ASSERT(count >= 1);
    if (!rc) {
        for (int i = 0; i < p->value_count; i++) {
            r.data[i] = (float *)(uintptr_t)p->values[i].data; /* only read */
            r.last[i] = -1;
        }
        r.data[p->input] = (float *)(uintptr_t)x;
        find_last_uses(&r);
        rc = run_all(&r, e);
    }
    for (int i = 0; !rc && i < p->output_count; i++) {
        ret[i] =
            (struct program_result){r.data[p->outputs[i]], batched(&r, &p->values[p->outputs[i]])};
        r.data[p->outputs[i]] = NULL;
    }
    for (int i = 0; r.data && i < p->value_count; i++)
        if (!p->values[i].data && i != p->input)
            mem_free(r.data[i]);
    mem_free(r.data);
    mem_free(r.last);
    return rc;
}
