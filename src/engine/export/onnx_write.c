/* onnx_write.c - a program as an ONNX file.  The fields stand in onnx_fields.h.
 *
 * A message is preceded by its length, so small ones are built in buffers and the graph's length is
 * counted before it is written: nodes and ends from their buffer, an initialiser from its header
 * and the size of its data, which then go to the file from where they are. */
#include "engine/export/onnx.h"

#include "engine/export/onnx_fields.h"
#include <string.h>

enum { MESSAGE_BYTES_MAX = 1 << 20, GRAPH_TEXT_BYTES_MAX = 64 << 20 };

/* ---- the wire: keys, numbers, texts, messages */

static void put_varint(struct buf *b, uint64_t v)
{
    for (; v >= 128; v >>= 7)
        buf_putc(b, (char)(v | 128));
    buf_putc(b, (char)v);
}

static void put_key(struct buf *b, int field, enum wire wire)
{
    put_varint(b, (uint64_t)field << 3 | (uint64_t)wire);
}

static void put_int(struct buf *b, int field, int64_t v)
{
    put_key(b, field, WIRE_VARINT);
    put_varint(b, (uint64_t)v);
}

static void put_float(struct buf *b, int field, float v)
{
    put_key(b, field, WIRE_32);
    buf_add(b, &v, sizeof v);
}

static void put_text(struct buf *b, int field, str s)
{
    put_key(b, field, WIRE_BYTES);
    put_varint(b, s.n);
    buf_str(b, s);
}

static void put_name(struct buf *b, int field, const char *s)
{
    put_text(b, field, str_of(s));
}

/* Appends the inner message and empties it for the next. */
static void put_message(struct buf *b, int field, struct buf *inner)
{
    put_text(b, field, buf_view(inner));
    if (inner->rc && !b->rc)
        b->rc = inner->rc;
    buf_clear(inner);
}

/* ---- attributes */

static void attribute(struct buf *node, const char *name, int type, struct buf *body)
{
    put_name(body, ATTRIBUTE_NAME, name);
    put_int(body, ATTRIBUTE_TYPE, type);
    put_message(node, NODE_ATTRIBUTE, body);
}

static void int_attribute(struct buf *node, struct buf *body, const char *name, int64_t v)
{
    put_int(body, ATTRIBUTE_INT, v);
    attribute(node, name, ATTRIBUTE_IS_INT, body);
}

static void float_attribute(struct buf *node, struct buf *body, const char *name, float v)
{
    put_float(body, ATTRIBUTE_FLOAT, v);
    attribute(node, name, ATTRIBUTE_IS_FLOAT, body);
}

static void text_attribute(struct buf *node, struct buf *body, const char *name, const char *v)
{
    put_name(body, ATTRIBUTE_TEXT, v);
    attribute(node, name, ATTRIBUTE_IS_TEXT, body);
}

static void ints_attribute(struct buf *node, struct buf *body, const char *name, const int64_t *v,
                           int n)
{
    for (int i = 0; i < n; i++)
        put_int(body, ATTRIBUTE_INTS, v[i]);
    attribute(node, name, ATTRIBUTE_IS_INTS, body);
}

static void window_attributes(struct buf *node, struct buf *body, const struct program_op *o)
{
    ints_attribute(node, body, "kernel_shape", (const int64_t[2]){o->k, o->k}, 2);
    ints_attribute(node, body, "strides", (const int64_t[2]){o->stride, o->stride}, 2);
    ints_attribute(node, body, "pads", (const int64_t[4]){o->pad, o->pad, o->pad, o->pad}, 4);
}

static void put_attributes(struct buf *node, struct buf *body, const struct program_op *o)
{
    switch (o->kind) {
    case OP_CONV:
        window_attributes(node, body, o);
        ints_attribute(node, body, "dilations", (const int64_t[2]){1, 1}, 2);
        int_attribute(node, body, "group", o->group);
        break;
    case OP_MAX_POOL:
        window_attributes(node, body, o);
        break;
    case OP_HARD_SIGMOID:
        float_attribute(node, body, "alpha", 1.0f / 6.0f);
        float_attribute(node, body, "beta", 0.5f);
        break;
    case OP_GEMM:
        int_attribute(node, body, "transB", 1);
        break;
    case OP_FLATTEN:
        int_attribute(node, body, "axis", 1);
        break;
    case OP_CONCAT:
    case OP_SOFTMAX:
        int_attribute(node, body, "axis", o->axis);
        break;
    case OP_TRANSPOSE:
        ints_attribute(node, body, "perm", o->ints, o->ints_count);
        break;
    case OP_RESIZE:
        text_attribute(node, body, "mode", o->linear ? "linear" : "nearest");
        text_attribute(node, body, "coordinate_transformation_mode",
                       o->linear ? "half_pixel" : "asymmetric");
        if (!o->linear)
            text_attribute(node, body, "nearest_mode", "floor");
        break;
    default:
        break;
    }
}

/* ---- the graph */

struct writer {
    const struct program *p;
    struct buf graph;   /* nodes, name, small initialisers, input, outputs */
    struct buf message; /* one at a time */
    struct buf inner, innermost;
};

/* A tensor that an operator takes beside its values, named after its result. */
static void side_tensor(struct writer *w, const struct program_op *o, const char *what, int element,
                        int dims, int64_t n, const void *data, size_t bytes)
{
    struct buf *name = &w->innermost, *t = &w->inner;

    buf_clear(name);
    buf_printf(name, "%s/%s", w->p->values[o->out].name, what);
    if (dims)
        put_int(t, TENSOR_DIM, n);
    put_int(t, TENSOR_TYPE, element);
    put_text(t, TENSOR_NAME, buf_view(name));
    put_text(t, TENSOR_RAW, (str){data, bytes});
    put_message(&w->graph, GRAPH_INITIALIZER, t);
    put_text(&w->message, NODE_INPUT, buf_view(name));
    buf_clear(name);
}

static void side_ints(struct writer *w, const struct program_op *o, const char *what,
                      const int64_t *v, int n)
{
    side_tensor(w, o, what, ELEMENT_INT64, 1, n, v, (size_t)n * sizeof *v);
}

static void side_tensors(struct writer *w, const struct program_op *o)
{
    const float scales[4] = {1, 1, (float)o->factor, (float)o->factor};

    switch (o->kind) {
    case OP_CLIP:
        side_tensor(w, o, "low", ELEMENT_FLOAT, 0, 1, &o->low, sizeof o->low);
        side_tensor(w, o, "high", ELEMENT_FLOAT, 0, 1, &o->high, sizeof o->high);
        break;
    case OP_RESHAPE:
        side_ints(w, o, "shape", o->ints, o->ints_count);
        break;
    case OP_SLICE:
        side_ints(w, o, "from", (const int64_t[1]){o->from}, 1);
        side_ints(w, o, "to", (const int64_t[1]){o->to}, 1);
        side_ints(w, o, "axis", (const int64_t[1]){o->axis}, 1);
        break;
    case OP_RESIZE:
        put_name(&w->message, NODE_INPUT, ""); /* no region of interest */
        side_tensor(w, o, "scales", ELEMENT_FLOAT, 1, 4, scales, sizeof scales);
        break;
    default:
        break;
    }
}

static void put_node(struct writer *w, const struct program_op *o)
{
    const char *name = w->p->values[o->out].name;

    for (int i = 0; i < o->in_count; i++)
        put_name(&w->message, NODE_INPUT, w->p->values[o->in[i]].name);
    side_tensors(w, o);
    put_name(&w->message, NODE_OUTPUT, name);
    put_name(&w->message, NODE_NAME, name);
    put_name(&w->message, NODE_OP, op_rows[o->kind].name);
    put_attributes(&w->message, &w->inner, o);
    put_message(&w->graph, GRAPH_NODE, &w->message);
}

static void put_port(struct writer *w, int field, int value)
{
    const struct program_value *v = &w->p->values[value];

    for (int d = 0; d < v->dims; d++) {
        if (v->shape[d] == PROGRAM_BATCH)
            put_name(&w->innermost, DIM_NAME, "N");
        else
            put_int(&w->innermost, DIM_VALUE, v->shape[d]);
        put_message(&w->inner, SHAPE_DIM, &w->innermost);
    }
    put_int(&w->innermost, TENSOR_TYPE_ELEMENT, ELEMENT_FLOAT);
    put_message(&w->innermost, TENSOR_TYPE_SHAPE, &w->inner);
    put_message(&w->inner, TYPE_TENSOR, &w->innermost);
    put_name(&w->message, VALUE_NAME, v->name);
    put_message(&w->message, VALUE_TYPE, &w->inner);
    put_message(&w->graph, field, &w->message);
}

/* What stands before the data of a constant in its message. */
static void tensor_head(const struct program_value *v, struct buf *b)
{
    buf_clear(b);
    for (int d = 0; d < v->dims; d++)
        put_int(b, TENSOR_DIM, v->shape[d]);
    put_int(b, TENSOR_TYPE, ELEMENT_FLOAT);
    put_name(b, TENSOR_NAME, v->name);
    put_key(b, TENSOR_RAW, WIRE_BYTES);
    put_varint(b, (uint64_t)program_elements(v) * sizeof(float));
}

/* The key, length and head of a constant's message, in `message`. */
static uint64_t initializer_head(struct writer *w, const struct program_value *v)
{
    const uint64_t data = (uint64_t)program_elements(v) * sizeof(float);

    tensor_head(v, &w->inner);
    buf_clear(&w->message);
    put_key(&w->message, GRAPH_INITIALIZER, WIRE_BYTES);
    put_varint(&w->message, w->inner.n + data);
    buf_str(&w->message, buf_view(&w->inner));
    return w->message.n + data;
}

static void put_model_head(struct writer *w, uint64_t graph_bytes, struct buf *b)
{
    put_int(b, MODEL_IR_VERSION, ONNX_IR_VERSION);
    put_name(b, MODEL_PRODUCER, "anneal");
    put_name(b, MODEL_PRODUCER_VERSION, ANNEAL_VERSION);
    buf_clear(&w->message);
    put_name(&w->message, OPSET_DOMAIN, "");
    put_int(&w->message, OPSET_VERSION, ONNX_OPSET);
    put_message(b, MODEL_OPSET, &w->message);
    for (int i = 0; i < w->p->meta_count; i++) {
        put_name(&w->message, ENTRY_KEY, w->p->meta[i].key);
        put_text(&w->message, ENTRY_VALUE, w->p->meta[i].value);
        put_message(b, MODEL_META, &w->message);
    }
    put_key(b, MODEL_GRAPH, WIRE_BYTES);
    put_varint(b, graph_bytes);
}

static enum rc write_all(struct writer *w, const char *graph_name, struct out_file *to,
                         struct err *e)
{
    const struct program *p = w->p;
    uint64_t bytes = 0;
    struct buf head;

    for (int i = 0; i < p->op_count; i++)
        put_node(w, &p->ops[i]);
    put_name(&w->graph, GRAPH_NAME, graph_name);
    put_port(w, GRAPH_INPUT, p->input);
    for (int i = 0; i < p->output_count; i++)
        put_port(w, GRAPH_OUTPUT, p->outputs[i]);
    bytes = w->graph.n;
    for (int i = 0; i < p->value_count; i++)
        if (p->values[i].data)
            bytes += initializer_head(w, &p->values[i]);
    if (bytes > ONNX_BYTES_MAX - GRAPH_TEXT_BYTES_MAX)
        return err_set(e, RC_TOO_LARGE, "the network is too large for one ONNX file (2 GiB)");
    buf_init(&head, GRAPH_TEXT_BYTES_MAX);
    put_model_head(w, bytes, &head);
    enum rc rc = buf_ok(&w->graph, e);
    if (!rc)
        rc = buf_ok(&head, e);
    if (!rc) {
        out_file_put(to, head.p, head.n);
        out_file_put(to, w->graph.p, w->graph.n);
        for (int i = 0; i < p->value_count; i++) {
            if (!p->values[i].data)
                continue;
            (void)initializer_head(w, &p->values[i]);
            out_file_put(to, w->message.p, w->message.n);
            out_file_put(to, p->values[i].data,
                         (size_t)program_elements(&p->values[i]) * sizeof(float));
        }
        rc = buf_ok(&w->message, e);
    }
    buf_done(&head);
    return rc;
}

enum rc onnx_write(const struct program *p, const char *graph_name, struct out_file *to,
                   struct err *e)
{
    struct writer w = {.p = p};

    buf_init(&w.graph, GRAPH_TEXT_BYTES_MAX);
    buf_init(&w.message, MESSAGE_BYTES_MAX);
    buf_init(&w.inner, MESSAGE_BYTES_MAX);
    buf_init(&w.innermost, MESSAGE_BYTES_MAX);
    enum rc rc = write_all(&w, graph_name, to, e);
    buf_done(&w.graph);
    buf_done(&w.message);
    buf_done(&w.inner);
    buf_done(&w.innermost);
    return rc;
}
