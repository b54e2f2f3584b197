/* program.c - building and checking programs; see program.h. */
#include "engine/export/program.h"

#include "base/mem.h"
#include <stdio.h>
#include <string.h>

const struct op_row op_rows[OP_KINDS] = {
    [OP_CONV] = {"Conv", 2, 3},
    [OP_RELU] = {"Relu", 1, 1},
    [OP_CLIP] = {"Clip", 1, 1},
    [OP_SIGMOID] = {"Sigmoid", 1, 1},
    [OP_HARD_SIGMOID] = {"HardSigmoid", 1, 1},
    [OP_HARD_SWISH] = {"HardSwish", 1, 1},
    [OP_ADD] = {"Add", 2, 2},
    [OP_SUB] = {"Sub", 2, 2},
    [OP_MUL] = {"Mul", 2, 2},
    [OP_DIV] = {"Div", 2, 2},
    [OP_MAX_POOL] = {"MaxPool", 1, 1},
    [OP_GLOBAL_AVERAGE] = {"GlobalAveragePool", 1, 1},
    [OP_FLATTEN] = {"Flatten", 1, 1},
    [OP_GEMM] = {"Gemm", 3, 3},
    [OP_CONCAT] = {"Concat", 2, PROGRAM_INPUTS_MAX},
    [OP_RESIZE] = {"Resize", 1, 1},
    [OP_RESHAPE] = {"Reshape", 1, 1},
    [OP_TRANSPOSE] = {"Transpose", 1, 1},
    [OP_SLICE] = {"Slice", 1, 1},
    [OP_SOFTMAX] = {"Softmax", 1, 1},
};

/* ---- building */

enum rc program_new(struct program **ret, struct err *e)
{
    struct program *p = mem_zalloc(sizeof *p);

    if (!p)
        return err_set(e, RC_NOMEM, "no memory for an export");
    arena_init(&p->arena, PROGRAM_BYTES_MAX + (64 << 20));
    p->input = -1;
    *ret = p;
    return RC_OK;
}

void program_free(struct program *p)
{
    if (!p)
        return;
    arena_done(&p->arena);
    mem_free(p);
}

static int fail(struct program *p, enum rc rc, const char *what, const char *name)
{
    if (!p->rc)
        p->rc = err_set(&p->err, rc, "%s: '%s'", what, name);
    return 0;
}

int program_find(const struct program *p, str name)
{
    for (int i = 0; i < p->value_count; i++)
        if (str_is(name, p->values[i].name))
            return i;
    return -1;
}

static int add_value(struct program *p, const char *name, int dims, const int64_t *shape)
{
    if (p->value_count == PROGRAM_VALUES_MAX)
        return fail(p, RC_LIMIT, "too many values", name);
    if (!*name || strlen(name) >= PROGRAM_NAME_MAX)
        return fail(p, RC_CORRUPT, "a value's name is empty or too long", name);
    if (program_find(p, str_of(name)) >= 0)
        return fail(p, RC_CORRUPT, "two values have one name", name);
    if (dims > PROGRAM_DIMS_MAX)
        return fail(p, RC_CORRUPT, "a value has too many dimensions", name);
    struct program_value *v = &p->values[p->value_count];
    memcpy(v->name, name, strlen(name) + 1);
    v->dims = dims;
    for (int d = 0; d < dims; d++)
        v->shape[d] = shape[d];
    return p->value_count++;
}

int program_input(struct program *p, const char *name, int dims, const int64_t *shape)
{
    p->input = add_value(p, name, dims, shape);
    return p->input;
}

int64_t program_elements(const struct program_value *v)
{
    int64_t n = 1;

    for (int d = 0; d < v->dims; d++)
        n *= v->shape[d] == PROGRAM_BATCH ? 1 : v->shape[d];
    return n;
}

/* Extents are positive and their product is bounded; the first may be the batch. */
static bool shape_ok(int dims, const int64_t *shape, bool batch)
{
    int64_t n = 1;

    for (int d = 0; d < dims; d++) {
        if (d == 0 && batch && shape[d] == PROGRAM_BATCH)
            continue;
        if (shape[d] < 1 || shape[d] > PROGRAM_ELEMENTS_MAX / n)
            return false;
        n *= shape[d];
    }
    return true;
}

int program_constant(struct program *p, const char *name, int dims, const int64_t *shape,
                     float **ret_data)
{
    *ret_data = NULL;
    if (dims > PROGRAM_DIMS_MAX || !shape_ok(dims, shape, false))
        return fail(p, RC_CORRUPT, "a constant has no sensible shape", name);
    const int before = p->value_count, v = add_value(p, name, dims, shape);
    if (p->value_count == before)
        return 0;
    *ret_data = ARENA_ARRAY(&p->arena, float, (size_t)program_elements(&p->values[v]));
    if (!*ret_data)
        return fail(p, RC_NOMEM, "no memory for a constant", name);
    p->values[v].data = *ret_data;
    return v;
}

void program_rename(struct program *p, int value, const char *name)
{
    ASSERT(strlen(name) < PROGRAM_NAME_MAX);
    if (program_find(p, str_of(name)) >= 0)
        fail(p, RC_CORRUPT, "two values have one name", name);
    else
        memcpy(p->values[value].name, name, strlen(name) + 1);
}

int program_op(struct program *p, const struct program_op *op, const char *name)
{
    if (p->op_count == PROGRAM_OPS_MAX)
        return fail(p, RC_LIMIT, "too many operators", name);
    struct program_op *to = &p->ops[p->op_count++];
    *to = *op;
    to->out = add_value(p, name, 0, NULL);
    return to->out;
}

void program_output(struct program *p, int value)
{
    if (p->output_count == PROGRAM_OUTPUTS_MAX)
        fail(p, RC_LIMIT, "too many outputs", p->values[value].name);
    else
        p->outputs[p->output_count++] = value;
}

void program_meta(struct program *p, const char *key, str value)
{
    if (p->meta_count == PROGRAM_META_MAX) {
        fail(p, RC_LIMIT, "too many metadata", key);
        return;
    }
    struct program_meta *m = &p->meta[p->meta_count++];
    m->key = arena_cstr(&p->arena, str_of(key));
    m->value = arena_str(&p->arena, value);
    if (!m->key || !m->value.p) {
        fail(p, RC_NOMEM, "no memory for metadata", key);
        p->meta_count--;
    }
}

str program_meta_get(const struct program *p, const char *key)
{
    for (int i = 0; i < p->meta_count; i++)
        if (strcmp(p->meta[i].key, key) == 0)
            return p->meta[i].value;
    return STR_NONE;
}

/* ---- shapes: each gives the output's, or what is wrong */

static const struct program_value *arg(const struct program *p, const struct program_op *o, int i)
{
    return &p->values[o->in[i]];
}

static const char *same_shape(const struct program *p, const struct program_op *o,
                              struct program_value *y)
{
    const struct program_value *x = arg(p, o, 0);

    y->dims = x->dims;
    memcpy(y->shape, x->shape, sizeof y->shape);
    return NULL;
}

static const char *window_size(const struct program_op *o, const struct program_value *x,
                               struct program_value *y)
{
    if (x->dims != 4)
        return "its input must have 4 dimensions";
    if (o->k < 1 || o->k > PROGRAM_WINDOW_MAX || o->stride < 1 || o->stride > PROGRAM_WINDOW_MAX ||
        o->pad < 0 || o->pad >= o->k)
        return "its window is not sensible";
    y->dims = 4;
    y->shape[0] = x->shape[0];
    y->shape[1] = x->shape[1];
    for (int d = 2; d < 4; d++) {
        if (x->shape[d] + 2 * o->pad < o->k)
            return "its window is larger than its input";
        y->shape[d] = (x->shape[d] + 2 * o->pad - o->k) / o->stride + 1;
    }
    return NULL;
}

static const char *conv_shape(const struct program *p, const struct program_op *o,
                              struct program_value *y)
{
    const struct program_value *x = arg(p, o, 0), *w = arg(p, o, 1);
    const char *wrong = window_size(o, x, y);

    if (wrong)
        return wrong;
    if (!w->data || w->dims != 4 || w->shape[2] != o->k || w->shape[3] != o->k)
        return "its weights must be a constant [o][i][k][k]";
    if (o->group < 1 || x->shape[1] % o->group || w->shape[0] % o->group ||
        w->shape[1] != x->shape[1] / o->group)
        return "its weights and groups do not fit its input";
    if (o->in_count == 3 &&
        (!arg(p, o, 2)->data || arg(p, o, 2)->dims != 1 || arg(p, o, 2)->shape[0] != w->shape[0]))
        return "its bias must be a constant, one number a channel";
    y->shape[1] = w->shape[0];
    return NULL;
}

static const char *pool_shape_of(const struct program *p, const struct program_op *o,
                                 struct program_value *y)
{
    if (o->pad > o->k / 2)
        return "its padding is more than half its window";
    return window_size(o, arg(p, o, 0), y);
}

static const char *broadcast_shape(const struct program *p, const struct program_op *o,
                                   struct program_value *y)
{
    const struct program_value *a = arg(p, o, 0), *b = arg(p, o, 1);

    y->dims = a->dims > b->dims ? a->dims : b->dims;
    for (int d = 1; d <= y->dims; d++) {
        const int64_t m = d <= a->dims ? a->shape[a->dims - d] : 1;
        const int64_t n = d <= b->dims ? b->shape[b->dims - d] : 1;
        if (m != n && m != 1 && n != 1)
            return "its inputs have shapes that do not fit";
        y->shape[y->dims - d] = m == 1 ? n : m;
    }
    return NULL;
}

static const char *average_shape(const struct program *p, const struct program_op *o,
                                 struct program_value *y)
{
    if (arg(p, o, 0)->dims != 4)
        return "its input must have 4 dimensions";
    same_shape(p, o, y);
    y->shape[2] = y->shape[3] = 1;
    return NULL;
}

static const char *flatten_shape(const struct program *p, const struct program_op *o,
                                 struct program_value *y)
{
    const struct program_value *x = arg(p, o, 0);

    if (x->dims < 1 || x->shape[0] != PROGRAM_BATCH)
        return "its input must have the batch first";
    y->dims = 2;
    y->shape[0] = PROGRAM_BATCH;
    y->shape[1] = program_elements(x);
    return NULL;
}

static const char *gemm_shape(const struct program *p, const struct program_op *o,
                              struct program_value *y)
{
    const struct program_value *x = arg(p, o, 0), *w = arg(p, o, 1), *b = arg(p, o, 2);

    if (x->dims != 2 || !w->data || w->dims != 2 || !b->data || b->dims != 1 ||
        w->shape[1] != x->shape[1] || b->shape[0] != w->shape[0])
        return "its weights and bias must be constants [o][i] and [o] that fit its input";
    y->dims = 2;
    y->shape[0] = x->shape[0];
    y->shape[1] = w->shape[0];
    return NULL;
}

static const char *concat_shape(const struct program *p, const struct program_op *o,
                                struct program_value *y)
{
    same_shape(p, o, y);
    if (o->axis < 1 || o->axis >= y->dims)
        return "its axis is not one of its input's";
    for (int i = 1; i < o->in_count; i++) {
        const struct program_value *x = arg(p, o, i);
        if (x->dims != y->dims)
            return "its inputs differ in their dimensions";
        for (int d = 0; d < y->dims; d++)
            if (d != o->axis && x->shape[d] != y->shape[d])
                return "its inputs have shapes that do not fit";
        y->shape[o->axis] += x->shape[o->axis];
    }
    return NULL;
}

static const char *resize_shape(const struct program *p, const struct program_op *o,
                                struct program_value *y)
{
    if (arg(p, o, 0)->dims != 4)
        return "its input must have 4 dimensions";
    if (o->factor < 1 || o->factor > PROGRAM_WINDOW_MAX)
        return "its factor is not sensible";
    same_shape(p, o, y);
    y->shape[2] *= o->factor;
    y->shape[3] *= o->factor;
    return NULL;
}

static const char *reshape_shape(const struct program *p, const struct program_op *o,
                                 struct program_value *y)
{
    const struct program_value *x = arg(p, o, 0);

    if (x->dims < 1 || x->shape[0] != PROGRAM_BATCH || o->ints_count < 1 || o->ints[0] != 0)
        return "it must keep the batch first";
    y->dims = o->ints_count;
    y->shape[0] = PROGRAM_BATCH;
    for (int d = 1; d < y->dims; d++)
        y->shape[d] = o->ints[d];
    if (!shape_ok(y->dims, y->shape, true) || program_elements(y) != program_elements(x))
        return "its shape does not have as many elements as its input";
    return NULL;
}

static const char *transpose_shape(const struct program *p, const struct program_op *o,
                                   struct program_value *y)
{
    const struct program_value *x = arg(p, o, 0);
    unsigned seen = 0;

    if (o->ints_count != x->dims || x->dims < 1 || o->ints[0] != 0)
        return "its permutation does not fit its input or moves the batch";
    y->dims = x->dims;
    for (int d = 0; d < y->dims; d++) {
        if (o->ints[d] < 0 || o->ints[d] >= x->dims || seen >> o->ints[d] & 1)
            return "its permutation is none";
        seen |= 1u << o->ints[d];
        y->shape[d] = x->shape[o->ints[d]];
    }
    return NULL;
}

static const char *slice_shape(const struct program *p, const struct program_op *o,
                               struct program_value *y)
{
    same_shape(p, o, y);
    if (o->axis < 1 || o->axis >= y->dims || o->from < 0 || o->to <= o->from ||
        o->to > y->shape[o->axis])
        return "its range lies outside its input";
    y->shape[o->axis] = o->to - o->from;
    return NULL;
}

static const char *axis_shape(const struct program *p, const struct program_op *o,
                              struct program_value *y)
{
    same_shape(p, o, y);
    return o->axis < 1 || o->axis >= y->dims ? "its axis is not one of its input's" : NULL;
}

static const char *op_shape(const struct program *p, const struct program_op *o,
                            struct program_value *y)
{
    switch (o->kind) {
    case OP_CONV:
        return conv_shape(p, o, y);
    case OP_CLIP:
        if (!(o->low <= o->high))
            return "its limits are in the wrong order";
        return same_shape(p, o, y);
    case OP_RELU:
    case OP_SIGMOID:
    case OP_HARD_SIGMOID:
    case OP_HARD_SWISH:
        return same_shape(p, o, y);
    case OP_ADD:
    case OP_SUB:
    case OP_MUL:
    case OP_DIV:
        return broadcast_shape(p, o, y);
    case OP_MAX_POOL:
        return pool_shape_of(p, o, y);
    case OP_GLOBAL_AVERAGE:
        return average_shape(p, o, y);
    case OP_FLATTEN:
        return flatten_shape(p, o, y);
    case OP_GEMM:
        return gemm_shape(p, o, y);
    case OP_CONCAT:
        return concat_shape(p, o, y);
    case OP_RESIZE:
        return resize_shape(p, o, y);
    case OP_RESHAPE:
        return reshape_shape(p, o, y);
    case OP_TRANSPOSE:
        return transpose_shape(p, o, y);
    case OP_SLICE:
        return slice_shape(p, o, y);
    case OP_SOFTMAX:
        return axis_shape(p, o, y);
    case OP_KINDS:
        break;
    }
    return "it is of no known kind";
}

/* ---- the gate */

static enum rc check_op(struct program *p, int i, bool *known, struct err *e)
{
    const struct program_op *o = &p->ops[i];
    const struct op_row *row = &op_rows[o->kind];
    struct program_value *y = &p->values[o->out];
    const char *wrong = NULL;

    if (o->in_count < row->inputs_min || o->in_count > row->inputs_max)
        wrong = "it has a wrong number of inputs";
    for (int k = 0; !wrong && k < o->in_count; k++)
        if (!known[o->in[k]])
            wrong = "it takes a value that is made later";
    if (!wrong && (known[o->out] || y->data))
        wrong = "its result is made twice";
    if (!wrong && arg(p, o, 0)->data && o->in_count == 1)
        wrong = "it works on a constant";
    if (!wrong)
        wrong = op_shape(p, o, y);
    if (!wrong && (y->dims < 1 || y->shape[0] != PROGRAM_BATCH))
        wrong = "its result has no batch";
    if (!wrong && !shape_ok(y->dims, y->shape, true))
        wrong = "its result is too large";
    if (wrong)
        return err_set(e, RC_CORRUPT, "operator %d (%s, '%s'): %s", i, row->name, y->name, wrong);
    known[o->out] = true;
    return RC_OK;
}

enum rc program_check(struct program *p, struct err *e)
{
    bool known[PROGRAM_VALUES_MAX] = {0};
    enum rc rc = RC_OK;

    if (p->rc) {
        if (e)
            *e = p->err;
        return p->rc;
    }
    if (p->input < 0 || p->values[p->input].dims < 2 ||
        p->values[p->input].shape[0] != PROGRAM_BATCH ||
        !shape_ok(p->values[p->input].dims, p->values[p->input].shape, true))
        return err_set(e, RC_CORRUPT, "the network has no input with a batch");
    for (int i = 0; i < p->value_count; i++)
        known[i] = p->values[i].data != NULL;
    known[p->input] = true;
    for (int i = 0; i < p->op_count && !rc; i++)
        rc = check_op(p, i, known, e);
    if (rc)
        return rc;
    if (p->output_count < 1)
        return err_set(e, RC_CORRUPT, "the network has no output");
    for (int i = 0; i < p->output_count; i++)
        for (int k = 0; k < i; k++)
            if (p->outputs[i] == p->outputs[k])
                return err_set(e, RC_CORRUPT, "'%s' is an output twice",
                               p->values[p->outputs[i]].name);
    for (int i = 0; i < p->output_count; i++)
        if (!known[p->outputs[i]] || p->values[p->outputs[i]].data || p->outputs[i] == p->input)
            return err_set(e, RC_CORRUPT, "nothing makes the output '%s'",
                           p->values[p->outputs[i]].name);
    return RC_OK;
}

double program_work(const struct program *p)
{
    double work = 0;

    for (int i = 0; i < p->op_count; i++) {
        const struct program_op *o = &p->ops[i];
        double each = 1;
        if (o->kind == OP_CONV || o->kind == OP_GEMM)
            each = (double)program_elements(arg(p, o, 1)) / (double)arg(p, o, 1)->shape[0];
        else if (o->kind == OP_MAX_POOL)
            each = (double)o->k * o->k;
        work += each * (double)program_elements(&p->values[o->out]);
    }
    return work;
}
