/* onnx_read.c - an ONNX file as a program.  The bytes are hostile until program_check has passed:
 * every length is held against what is left, counts have limits, and memory is taken for tensors
 * whose data are there. */
#include "engine/export/onnx.h"

#include "base/mem.h"
#include "base/vec.h"
#include "engine/export/onnx_fields.h"
#include "os/os.h"
#include <string.h>

enum { ATTRIBUTES_MAX = 16, INTS_MAX = 8, NODE_INPUTS_MAX = PROGRAM_INPUTS_MAX + 4 };

/* ---- the wire */

struct reader {
    const uint8_t *p, *end;
    bool bad; /* the message is damaged */
};
struct field {
    int number;
    enum wire wire;
    uint64_t v; /* numbers; a float's bits */
    str bytes;  /* texts and messages */
};

static struct reader reader_of(str s)
{
    const uint8_t *p = (const uint8_t *)(s.n ? s.p : "");

    return (struct reader){p, p + s.n, false};
}

static uint64_t take_varint(struct reader *r)
{
    uint64_t v = 0;

    for (int shift = 0; shift < 64; shift += 7) {
        if (r->p == r->end)
            break;
        const uint8_t b = *r->p++;
        v |= (uint64_t)(b & 127) << shift;
        if (b < 128)
            return v;
    }
    r->bad = true;
    return 0;
}

static str take_bytes(struct reader *r, uint64_t n)
{
    if (n > (uint64_t)(r->end - r->p)) {
        r->bad = true;
        return STR("");
    }
    const str s = {(const char *)r->p, (size_t)n};
    r->p += n;
    return s;
}

/* False at the end or when the message is damaged. */
static bool next(struct reader *r, struct field *ret)
{
    if (r->bad || r->p == r->end)
        return false;
    const uint64_t key = take_varint(r);
    *ret = (struct field){.number = (int)(key >> 3 & 0x1fffffff), .wire = (enum wire)(key & 7)};
    switch (ret->wire) {
    case WIRE_VARINT:
        ret->v = take_varint(r);
        break;
    case WIRE_64:
        ret->bytes = take_bytes(r, 8);
        break;
    case WIRE_BYTES:
        ret->bytes = take_bytes(r, take_varint(r));
        break;
    case WIRE_32:
        ret->bytes = take_bytes(r, 4);
        if (!r->bad) {
            uint32_t bits;
            memcpy(&bits, ret->bytes.p, 4);
            ret->v = bits;
        }
        break;
    default:
        r->bad = true;
    }
    return !r->bad;
}

static bool is_text(const struct field *f, int number)
{
    return f->number == number && f->wire == WIRE_BYTES;
}

static bool is_int(const struct field *f, int number)
{
    return f->number == number && f->wire == WIRE_VARINT;
}

/* Appends repeated numbers, packed or not. */
static void take_ints(struct reader *r, const struct field *f, int64_t *to, int *n, int max)
{
    struct reader packed = reader_of(f->bytes);

    if (f->wire == WIRE_VARINT) {
        if (*n < max)
            to[(*n)++] = (int64_t)f->v;
        else
            r->bad = true;
        return;
    }
    while (f->wire == WIRE_BYTES && packed.p < packed.end && !packed.bad && *n < max)
        to[(*n)++] = (int64_t)take_varint(&packed);
    if (f->wire != WIRE_BYTES || packed.p < packed.end || packed.bad)
        r->bad = true;
}

static float float_of(uint64_t bits)
{
    const uint32_t b = (uint32_t)bits;
    float f;

    memcpy(&f, &b, sizeof f);
    return f;
}

/* ---- what is read */

struct side { /* a small tensor of whole numbers */
    str name;
    int64_t v[INTS_MAX];
    int n;
};
struct load {
    struct program *p;
    VEC(struct side) sides;
    struct err *e;
};
struct attribute {
    str name, text;
    float f;
    int64_t i, ints[INTS_MAX];
    int ints_n;
};
struct onnx_node {
    str op, out;
    str in[NODE_INPUTS_MAX];
    int in_count;
    struct attribute attributes[ATTRIBUTES_MAX];
    int attribute_count;
};

static enum rc damaged(struct load *l, const char *what)
{
    return err_set(l->e, RC_CORRUPT, "the ONNX file is damaged: %s", what);
}

/* A name of the file as a value's; "" if it is none. */
static const char *value_name(str s, char ret[PROGRAM_NAME_MAX])
{
    ret[0] = 0;
    if (s.n < PROGRAM_NAME_MAX && str_utf8_ok(s)) {
        memcpy(ret, s.p, s.n);
        ret[s.n] = 0;
    }
    return ret;
}

/* ---- tensors */

struct tensor {
    str name, raw, floats, ints;
    int64_t dims[PROGRAM_DIMS_MAX], type;
    int dim_count;
    bool has_raw, loose; /* loose: data in single fields, which nobody writes */
};

static bool read_tensor(str bytes, struct tensor *t)
{
    struct reader r = reader_of(bytes);
    struct field f;

    *t = (struct tensor){.name = STR("")};
    while (next(&r, &f)) {
        if (f.number == TENSOR_DIM)
            take_ints(&r, &f, t->dims, &t->dim_count, PROGRAM_DIMS_MAX);
        else if (is_int(&f, TENSOR_TYPE))
            t->type = (int64_t)f.v;
        else if (is_text(&f, TENSOR_NAME))
            t->name = f.bytes;
        else if (is_text(&f, TENSOR_RAW)) {
            t->raw = f.bytes;
            t->has_raw = true;
        } else if (is_text(&f, TENSOR_FLOATS) && !t->floats.n)
            t->floats = f.bytes;
        else if (is_text(&f, TENSOR_INTS) && !t->ints.n)
            t->ints = f.bytes;
        else
            t->loose = true;
    }
    return !r.bad;
}

static enum rc add_side(struct load *l, const struct tensor *t)
{
    struct side s = {.name = t->name};
    struct reader r = reader_of(t->ints);

    if (t->has_raw) {
        if (t->raw.n % 8 || t->raw.n / 8 > INTS_MAX)
            return damaged(l, "a tensor of whole numbers has a wrong size");
        s.n = (int)(t->raw.n / 8);
        if (s.n)
            memcpy(s.v, t->raw.p, t->raw.n);
    }
    while (!t->has_raw && r.p < r.end && !r.bad && s.n < INTS_MAX)
        s.v[s.n++] = (int64_t)take_varint(&r);
    if (r.bad || l->sides.n >= PROGRAM_VALUES_MAX)
        return damaged(l, "a tensor of whole numbers has a wrong size");
    return VEC_PUSH(&l->sides, s) ? RC_OK : err_set(l->e, RC_NOMEM, "no memory for an ONNX file");
}

static enum rc add_tensor(struct load *l, str bytes)
{
    char name[PROGRAM_NAME_MAX];
    struct tensor t;
    float *data;
    int64_t n = 1;

    if (!read_tensor(bytes, &t))
        return damaged(l, "a tensor");
    if (t.loose || (t.type != ELEMENT_FLOAT && t.type != ELEMENT_INT64))
        return err_set(l->e, RC_UNSUPPORTED,
                       "the ONNX tensor '%.*s' is stored in a way that is not "
                       "supported (float32 or int64, inside the file)",
                       STR_F(str_sub(t.name, 0, 80)));
    if (t.type == ELEMENT_INT64)
        return add_side(l, &t);
    const str from = t.has_raw ? t.raw : t.floats;
    for (int d = 0; d < t.dim_count; d++) {
        if (t.dims[d] < 1 || t.dims[d] > PROGRAM_ELEMENTS_MAX / n)
            return damaged(l, "a tensor has no sensible shape");
        n *= t.dims[d];
    }
    if ((uint64_t)n * sizeof(float) != from.n)
        return damaged(l, "a tensor has another size than its shape");
    (void)program_constant(l->p, value_name(t.name, name), t.dim_count, t.dims, &data);
    if (data)
        memcpy(data, from.p, from.n);
    return l->p->rc ? damaged(l, l->p->err.text) : RC_OK;
}

static const struct side *side_of(const struct load *l, str name)
{
    for (size_t i = 0; i < l->sides.n; i++)
        if (str_eq(l->sides.p[i].name, name))
            return &l->sides.p[i];
    return NULL;
}

/* ---- input and outputs */

static bool read_extent(str bytes, int64_t *ret)
{
    struct reader r = reader_of(bytes);
    struct field f;

    *ret = PROGRAM_BATCH;
    while (next(&r, &f))
        if (is_int(&f, DIM_VALUE))
            *ret = (int64_t)f.v;
    return !r.bad;
}

/* The message in the field of that number of `bytes`; "" if there is none. */
static str inner_message(str bytes, int number)
{
    struct reader r = reader_of(bytes);
    struct field f;
    str found = STR("");

    while (next(&r, &f))
        if (is_text(&f, number))
            found = f.bytes;
    return r.bad ? STR("") : found;
}

static enum rc add_input(struct load *l, str bytes)
{
    const str name = inner_message(bytes, VALUE_NAME);
    const str type = inner_message(inner_message(bytes, VALUE_TYPE), TYPE_TENSOR);
    struct reader r = reader_of(inner_message(type, TENSOR_TYPE_SHAPE));
    int64_t shape[PROGRAM_DIMS_MAX] = {0};
    char text[PROGRAM_NAME_MAX];
    struct field f;
    int dims = 0;

    if (program_find(l->p, name) >= 0 || side_of(l, name))
        return RC_OK; /* older files list their initialisers as inputs too */
    if (l->p->input >= 0)
        return err_set(l->e, RC_UNSUPPORTED, "the ONNX file has more than one input");
    while (next(&r, &f))
        if (dims == PROGRAM_DIMS_MAX || !is_text(&f, SHAPE_DIM) ||
            !read_extent(f.bytes, &shape[dims++]))
            return damaged(l, "the input's shape");
    if (r.bad)
        return damaged(l, "the input's shape");
    (void)program_input(l->p, value_name(name, text), dims, shape);
    return l->p->rc ? damaged(l, l->p->err.text) : RC_OK;
}

/* ---- nodes */

static bool read_attribute(str bytes, struct attribute *a)
{
    struct reader r = reader_of(bytes);
    struct field f;

    *a = (struct attribute){.name = STR(""), .text = STR("")};
    while (next(&r, &f)) {
        if (is_text(&f, ATTRIBUTE_NAME))
            a->name = f.bytes;
        else if (is_text(&f, ATTRIBUTE_TEXT))
            a->text = f.bytes;
        else if (is_int(&f, ATTRIBUTE_INT))
            a->i = (int64_t)f.v;
        else if (f.number == ATTRIBUTE_FLOAT && f.wire == WIRE_32)
            a->f = float_of(f.v);
        else if (f.number == ATTRIBUTE_INTS)
            take_ints(&r, &f, a->ints, &a->ints_n, INTS_MAX);
    }
    return !r.bad;
}

static bool read_node(str bytes, struct onnx_node *n)
{
    struct reader r = reader_of(bytes);
    struct field f;

    *n = (struct onnx_node){.op = STR(""), .out = STR_NONE};
    while (next(&r, &f)) {
        if (f.wire != WIRE_BYTES)
            return false;
        if (f.number == NODE_INPUT) {
            if (n->in_count == NODE_INPUTS_MAX)
                return false;
            n->in[n->in_count++] = f.bytes;
        } else if (f.number == NODE_OUTPUT) {
            if (n->out.p)
                return false; /* no operator of ours has two */
            n->out = f.bytes;
        } else if (f.number == NODE_OP) {
            n->op = f.bytes;
        } else if (f.number == NODE_DOMAIN && f.bytes.n) {
            return false;
        } else if (f.number == NODE_ATTRIBUTE) {
            if (n->attribute_count == ATTRIBUTES_MAX ||
                !read_attribute(f.bytes, &n->attributes[n->attribute_count++]))
                return false;
        }
    }
    return !r.bad;
}

static const struct attribute *attribute_of(const struct onnx_node *n, const char *name)
{
    for (int i = 0; i < n->attribute_count; i++)
        if (str_is(n->attributes[i].name, name))
            return &n->attributes[i];
    return NULL;
}

static int64_t int_of(const struct onnx_node *n, const char *name, int64_t dflt)
{
    const struct attribute *a = attribute_of(n, name);

    return a ? a->i : dflt;
}

/* An attribute of `count` equal numbers; that number, or -1. */
static int equal_ints(const struct onnx_node *n, const char *name, int count, int dflt)
{
    const struct attribute *a = attribute_of(n, name);

    if (!a)
        return dflt;
    for (int i = 0; i < count; i++)
        if (a->ints_n != count || a->ints[i] != a->ints[0] || a->ints[i] < 0 ||
            a->ints[i] > PROGRAM_WINDOW_MAX)
            return -1;
    return (int)a->ints[0];
}

static bool text_is(const struct onnx_node *n, const char *name, const char *want)
{
    const struct attribute *a = attribute_of(n, name);

    return a && str_is(a->text, want);
}

static const char *window_of(const struct onnx_node *n, struct program_op *o)
{
    o->k = equal_ints(n, "kernel_shape", 2, -1);
    o->stride = equal_ints(n, "strides", 2, 1);
    o->pad = equal_ints(n, "pads", 4, 0);
    if (o->k < 0 || o->stride < 0 || o->pad < 0)
        return "a window that is not square and even";
    if (equal_ints(n, "dilations", 2, 1) != 1 || int_of(n, "ceil_mode", 0) != 0 ||
        int_of(n, "storage_order", 0) != 0 ||
        (attribute_of(n, "auto_pad") && !text_is(n, "auto_pad", "NOTSET")))
        return "dilation, rounding up or automatic padding";
    const int64_t group = int_of(n, "group", 1);
    o->group = group < 1 || group > INT32_MAX ? 0 : (int)group;
    return NULL;
}

static const float *scalars(const struct load *l, str name, int64_t count)
{
    const int v = program_find(l->p, name);

    return v >= 0 && program_elements(&l->p->values[v]) == count ? l->p->values[v].data : NULL;
}

static const char *clip_of(const struct load *l, const struct onnx_node *n, struct program_op *o)
{
    const float *low = n->in_count == 3 ? scalars(l, n->in[1], 1) : NULL;
    const float *high = n->in_count == 3 ? scalars(l, n->in[2], 1) : NULL;

    if (!low || !high)
        return "limits that are not constants";
    o->low = *low;
    o->high = *high;
    return NULL;
}

static const char *resize_of(const struct load *l, const struct onnx_node *n, struct program_op *o)
{
    const float *s = n->in_count == 3 ? scalars(l, n->in[2], 4) : NULL;

    o->linear = text_is(n, "mode", "linear");
    if (!s || n->in[1].n || s[0] != 1 || s[1] != 1 || s[2] != s[3] || !(s[2] >= 1) ||
        !(s[2] <= PROGRAM_WINDOW_MAX) || s[2] != (float)(int)s[2])
        return "other scales than a whole number for both sides";
    o->factor = (int)s[2];
    if (!text_is(n, "coordinate_transformation_mode", o->linear ? "half_pixel" : "asymmetric"))
        return "another relation between the coordinates";
    return !o->linear && !text_is(n, "nearest_mode", "floor") ? "another rounding than down" : NULL;
}

static const char *reshape_of(const struct load *l, const struct onnx_node *n, struct program_op *o)
{
    const struct side *s = n->in_count == 2 ? side_of(l, n->in[1]) : NULL;

    if (!s || s->n > PROGRAM_DIMS_MAX || int_of(n, "allowzero", 0))
        return "a shape that is not a constant";
    memcpy(o->ints, s->v, (size_t)s->n * sizeof *s->v);
    o->ints_count = s->n;
    return NULL;
}

static const char *slice_of(const struct load *l, const struct onnx_node *n, struct program_op *o)
{
    const struct side *s[3];

    if (n->in_count != 4)
        return "steps or no axes";
    for (int i = 0; i < 3; i++) {
        s[i] = side_of(l, n->in[i + 1]);
        if (!s[i] || s[i]->n != 1 || s[i]->v[0] < 0 || s[i]->v[0] > INT32_MAX)
            return "more than one axis, or ends that are not constants";
    }
    o->from = (int)s[0]->v[0];
    o->to = (int)s[1]->v[0];
    o->axis = (int)s[2]->v[0];
    return NULL;
}

static const char *axis_of(const struct onnx_node *n, struct program_op *o)
{
    const int64_t axis = int_of(n, "axis", -1);

    o->axis = axis < 0 || axis > PROGRAM_DIMS_MAX ? 0 : (int)axis;
    return o->axis ? NULL : "an axis counted from the end, or the batch";
}

static const char *permutation_of(const struct onnx_node *n, struct program_op *o)
{
    const struct attribute *a = attribute_of(n, "perm");

    if (!a || a->ints_n > PROGRAM_DIMS_MAX)
        return "no permutation";
    memcpy(o->ints, a->ints, (size_t)a->ints_n * sizeof *a->ints);
    o->ints_count = a->ints_n;
    return NULL;
}

static const char *gemm_of(const struct onnx_node *n)
{
    const struct attribute *alpha = attribute_of(n, "alpha"), *beta = attribute_of(n, "beta");

    if (int_of(n, "transA", 0) != 0 || int_of(n, "transB", 0) != 1 || (alpha && alpha->f != 1) ||
        (beta && beta->f != 1))
        return "other factors, or weights that are not transposed";
    return NULL;
}

static const char *hard_sigmoid_of(const struct onnx_node *n)
{
    const struct attribute *alpha = attribute_of(n, "alpha"), *beta = attribute_of(n, "beta");

    return alpha && alpha->f == 1.0f / 6.0f && (!beta || beta->f == 0.5f) ? NULL : "another slope";
}

/* The attributes that an operator may have: all that are looked at. */
static const char *const known_attributes[OP_KINDS] = {
    [OP_CONV] = " kernel_shape strides pads dilations group auto_pad ",
    [OP_HARD_SIGMOID] = " alpha beta ",
    [OP_MAX_POOL] = " kernel_shape strides pads dilations auto_pad ceil_mode storage_order ",
    [OP_FLATTEN] = " axis ",
    [OP_GEMM] = " alpha beta transA transB ",
    [OP_CONCAT] = " axis ",
    [OP_RESIZE] = " mode coordinate_transformation_mode nearest_mode cubic_coeff_a ",
    [OP_RESHAPE] = " allowzero ",
    [OP_TRANSPOSE] = " perm ",
    [OP_SOFTMAX] = " axis ",
};

static bool attributes_known(const struct onnx_node *n, enum op_kind kind)
{
    for (int i = 0; i < n->attribute_count; i++) {
        const str name = n->attributes[i].name;
        const ptrdiff_t at =
            known_attributes[kind] ? str_find(str_of(known_attributes[kind]), name) : -1;
        if (!name.n || at < 1 || known_attributes[kind][at - 1] != ' ' ||
            known_attributes[kind][(size_t)at + name.n] != ' ')
            return false;
    }
    return true;
}

/* What of its node an operator keeps; NULL, or what is not supported. */
static const char *settings_of(const struct load *l, const struct onnx_node *n,
                               struct program_op *o)
{
    if (!attributes_known(n, o->kind))
        return "an attribute";
    switch (o->kind) {
    case OP_CONV:
    case OP_MAX_POOL:
        return window_of(n, o);
    case OP_CLIP:
        return clip_of(l, n, o);
    case OP_RESIZE:
        return resize_of(l, n, o);
    case OP_RESHAPE:
        return reshape_of(l, n, o);
    case OP_SLICE:
        return slice_of(l, n, o);
    case OP_CONCAT:
    case OP_SOFTMAX:
        return axis_of(n, o);
    case OP_FLATTEN:
        return int_of(n, "axis", 1) == 1 ? NULL : "another axis than 1";
    case OP_TRANSPOSE:
        return permutation_of(n, o);
    case OP_GEMM:
        return gemm_of(n);
    case OP_HARD_SIGMOID:
        return hard_sigmoid_of(n);
    default:
        return NULL;
    }
}

/* How many of a node's inputs are values; the others are kept as settings. */
static int value_inputs(enum op_kind kind, int count)
{
    const bool settings =
        kind == OP_CLIP || kind == OP_RESIZE || kind == OP_RESHAPE || kind == OP_SLICE;

    return settings ? 1 : count;
}

static enum rc refuse(struct load *l, const struct onnx_node *n, const char *what)
{
    return err_set(l->e, RC_UNSUPPORTED,
                   "the ONNX operator %.*s ('%.*s') has %s, which is not "
                   "supported",
                   STR_F(str_sub(n->op, 0, 60)), STR_F(str_sub(n->out, 0, 80)), what);
}

static enum rc add_node(struct load *l, str bytes)
{
    struct program_op o = {.kind = OP_KINDS};
    char name[PROGRAM_NAME_MAX];
    struct onnx_node n;

    if (!read_node(bytes, &n) || n.in_count < 1 || !n.out.p)
        return damaged(l, "a node");
    for (int k = 0; k < OP_KINDS; k++)
        if (str_is(n.op, op_rows[k].name))
            o.kind = (enum op_kind)k;
    if (o.kind == OP_KINDS)
        return refuse(l, &n, "a type");
    o.in_count = value_inputs(o.kind, n.in_count);
    if (o.in_count > PROGRAM_INPUTS_MAX)
        return refuse(l, &n, "so many inputs");
    for (int i = 0; i < o.in_count; i++) {
        o.in[i] = program_find(l->p, n.in[i]);
        if (o.in[i] < 0)
            return damaged(l, "a node takes a value that is made later or never");
    }
    const char *wrong = settings_of(l, &n, &o);
    if (wrong)
        return refuse(l, &n, wrong);
    (void)program_op(l->p, &o, value_name(n.out, name));
    return l->p->rc ? damaged(l, l->p->err.text) : RC_OK;
}

/* ---- the whole */

/* Constants first, then the input, nodes, outputs: the order of the fields is anybody's. */
static enum rc read_graph(struct load *l, str bytes)
{
    static const int passes[] = {GRAPH_INITIALIZER, GRAPH_INPUT, GRAPH_NODE, GRAPH_OUTPUT};
    struct field f;
    enum rc rc = RC_OK;

    for (size_t pass = 0; pass < sizeof passes / sizeof *passes; pass++) {
        struct reader r = reader_of(bytes);
        while (!rc && next(&r, &f)) {
            if (!is_text(&f, passes[pass]))
                continue;
            if (pass == 0)
                rc = add_tensor(l, f.bytes);
            else if (pass == 1)
                rc = add_input(l, f.bytes);
            else if (pass == 2)
                rc = add_node(l, f.bytes);
            else {
                const int v = program_find(l->p, inner_message(f.bytes, VALUE_NAME));
                if (v < 0)
                    return damaged(l, "nothing makes an output");
                program_output(l->p, v);
            }
        }
        if (r.bad)
            return damaged(l, "the graph");
    }
    return rc;
}

static enum rc read_opset(struct load *l, str bytes)
{
    struct reader r = reader_of(bytes);
    struct field f;
    uint64_t version = 0;
    str domain = STR("");

    while (next(&r, &f))
        if (is_int(&f, OPSET_VERSION))
            version = f.v;
        else if (is_text(&f, OPSET_DOMAIN))
            domain = f.bytes;
    if (r.bad)
        return damaged(l, "the version of the operators");
    if (domain.n || version < 14 || version > ONNX_OPSET)
        return err_set(l->e, RC_UNSUPPORTED, "ONNX operators of version %llu; 14 to %d can be read",
                       (unsigned long long)version, ONNX_OPSET);
    return RC_OK;
}

static enum rc add_meta(struct load *l, str bytes)
{
    char key[PROGRAM_NAME_MAX];

    program_meta(l->p, value_name(inner_message(bytes, ENTRY_KEY), key),
                 inner_message(bytes, ENTRY_VALUE));
    return l->p->rc ? damaged(l, l->p->err.text) : RC_OK;
}

static enum rc read_model(struct load *l, str file)
{
    struct reader r = reader_of(file);
    str graph = STR_NONE;
    struct field f;
    enum rc rc = RC_OK;
    bool versioned = false;

    while (!rc && next(&r, &f)) {
        if (is_text(&f, MODEL_GRAPH))
            graph = f.bytes;
        else if (is_text(&f, MODEL_META))
            rc = add_meta(l, f.bytes);
        else if (is_text(&f, MODEL_OPSET)) {
            rc = read_opset(l, f.bytes);
            versioned = true;
        }
    }
    if (!rc && (r.bad || !graph.p || !versioned))
        rc = damaged(l, "it is no ONNX model, or was cut short");
    if (!rc)
        rc = read_graph(l, graph);
    return rc ? rc : program_check(l->p, l->e);
}

enum rc onnx_read(struct program **ret, str file, struct err *e)
{
    struct load l = {.e = e};
    enum rc rc = program_new(&l.p, e);

    if (!rc) {
        l.p->input = -1;
        rc = read_model(&l, file);
    }
    VEC_DONE(&l.sides);
    if (rc) {
        program_free(l.p);
        return rc;
    }
    *ret = l.p;
    return RC_OK;
}

enum rc onnx_open(struct program **ret, const char *path, struct err *e)
{
    struct arena a;
    str file;

    arena_init(&a, ONNX_BYTES_MAX);
    enum rc rc = os_read_file(&a, path, ONNX_BYTES_MAX - (1 << 20), &file, e);
    if (!rc)
        rc = onnx_read(ret, file, e);
    arena_done(&a);
    return rc ? err_wrap(e, rc, "reading %s", path) : RC_OK;
}
