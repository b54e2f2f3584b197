/* cfile.c - see cfile.h.  Activations are placed by the graph's planner: a value lives from the
 * operator that makes it to the last that reads it, and an operator that works element by element
 * takes its dying input's place. */
#include "engine/export/cfile.h"

#include "base/mem.h"
#include "engine/export/cfile_runtime.h"
#include "engine/graph/plan.h"
#include <math.h>
#include <string.h>

enum { TEXT_MAX = 256 << 20, FLUSH_BYTES = 1 << 16, UNIT = 16 /* bytes: alignment in the arena */ };

struct writer {
    const struct program *p;
    const char *name;
    struct buf b; /* what has not gone to the file yet */
    struct out_file *to;
    struct plan plan;
    int *buffer;  /* of each value; -1: none */
    int *last;    /* the last operator that reads it */
    int *weights; /* number of each constant's array; -1: not read */
    bool as_bytes;
};

void cfile_name(str text, char ret[CFILE_NAME_MAX])
{
    size_t n = 0;

    if (!text.n || (text.p[0] >= '0' && text.p[0] <= '9')) {
        memcpy(ret, "net_", 4);
        n = 4;
    }
    for (size_t i = 0; i < text.n && n + 1 < CFILE_NAME_MAX; i++) {
        const char c = text.p[i];
        const bool fine =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        ret[n++] = fine ? c : '_';
    }
    ret[n] = 0;
}

static void flush(struct writer *w, size_t at_least)
{
    if (w->b.n < at_least || w->b.rc)
        return;
    out_file_put(w->to, w->b.p, w->b.n);
    buf_clear(&w->b);
}

static const struct program_value *value_of(const struct writer *w, int v)
{
    return &w->p->values[v];
}

static long long floats_of(const struct writer *w, int v)
{
    return (long long)program_elements(value_of(w, v));
}

/* ---- the arena */

static bool in_place(const struct writer *w, int op)
{
    const struct program_op *o = &w->p->ops[op];
    const int from = o->in[0];

    switch (o->kind) {
    case OP_RELU:
    case OP_CLIP:
    case OP_SIGMOID:
    case OP_HARD_SIGMOID:
    case OP_HARD_SWISH:
    case OP_ADD:
    case OP_SUB:
    case OP_MUL:
    case OP_DIV:
    case OP_FLATTEN:
    case OP_RESHAPE:
        break;
    default:
        return false;
    }
    if (from == w->p->input || value_of(w, from)->data || w->last[from] != op ||
        floats_of(w, from) != floats_of(w, o->out))
        return false;
    /* the other operand must not lie there too */
    return o->in_count < 2 || w->buffer[o->in[1]] != w->buffer[from] ||
           floats_of(w, o->in[1]) == floats_of(w, from);
}

static enum rc place_values(struct writer *w, struct err *e)
{
    const struct program *p = w->p;

    for (int v = 0; v < p->value_count; v++)
        w->buffer[v] = w->last[v] = w->weights[v] = -1;
    for (int i = 0; i < p->op_count; i++) {
        w->last[p->ops[i].out] = i;
        for (int k = 0; k < p->ops[i].in_count; k++)
            w->last[p->ops[i].in[k]] = i;
    }
    for (int i = 0; i < p->output_count; i++)
        w->last[p->outputs[i]] = p->op_count;
    for (int i = 0; i < p->op_count; i++) {
        const struct program_op *o = &p->ops[i];
        const size_t bytes = (size_t)floats_of(w, o->out) * sizeof(float);
        if (in_place(w, i))
            w->buffer[o->out] = w->buffer[o->in[0]];
        else /* the planner aligns to pages; in units of PLAN_ALIGN / UNIT to what we want */
            w->buffer[o->out] = plan_add(&w->plan, bytes * (PLAN_ALIGN / UNIT));
        if (w->plan.out_of_memory)
            break;
        plan_use(&w->plan, w->buffer[o->out], i);
        for (int k = 0; k < o->in_count; k++)
            if (w->buffer[o->in[k]] >= 0)
                plan_use(&w->plan, w->buffer[o->in[k]], i);
    }
    for (int i = 0; i < p->output_count && !w->plan.out_of_memory; i++)
        plan_use(&w->plan, w->buffer[p->outputs[i]], p->op_count);
    return plan_layout(&w->plan, e);
}

static size_t arena_floats(const struct writer *w)
{
    return w->plan.bytes / (PLAN_ALIGN / UNIT) / sizeof(float);
}

/* ---- weights */

static void put_number(struct buf *b, float v)
{
    const size_t before = b->n;

    buf_printf(b, "%.9g", (double)v);
    if (!b->rc && !memchr(b->p + before, '.', b->n - before) &&
        !memchr(b->p + before, 'e', b->n - before))
        buf_putc(b, '.');
    buf_puts(b, "f,");
}

static void put_numbers(struct writer *w, const float *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        buf_puts(&w->b, i % 8 ? " " : "\n    ");
        put_number(&w->b, v[i]);
        flush(w, FLUSH_BYTES);
    }
}

/* Printable bytes as they are; others, and what could become an escape or trigraph, in octal. */
static void put_bytes(struct writer *w, const float *v, size_t n)
{
    const unsigned char *p = (const unsigned char *)v;

    for (size_t i = 0; i < n * sizeof *v; i++) {
        if (i % 64 == 0)
            buf_puts(&w->b, i ? "\"\n    \"" : "\n    \"");
        if (p[i] >= 32 && p[i] < 127 && p[i] != '"' && p[i] != '\\' && p[i] != '?')
            buf_putc(&w->b, (char)p[i]);
        else
            buf_printf(&w->b, "\\%03o", p[i]);
        flush(w, FLUSH_BYTES);
    }
    buf_putc(&w->b, '"');
}

static enum rc put_weights(struct writer *w, struct err *e)
{
    const struct program *p = w->p;
    int count = 0;

    for (int v = 0; v < p->value_count; v++) {
        const struct program_value *value = &p->values[v];
        const size_t n = (size_t)floats_of(w, v);
        if (!value->data || w->last[v] < 0)
            continue;
        for (size_t i = 0; i < n; i++)
            if (!isfinite(value->data[i]))
                return err_set(e, RC_INVALID, "the weights '%s' hold numbers that are not finite",
                               value->name);
        w->weights[v] = count++;
        buf_printf(&w->b, "\n/* %s */\n", value->name);
        if (w->as_bytes) {
            buf_printf(&w->b,
                       "static const union {\n    unsigned char bytes[%zu];\n    float f[%zu];\n} "
                       "w%d = {{",
                       n * sizeof(float), n, w->weights[v]);
            put_bytes(w, value->data, n);
            buf_puts(&w->b, "}};\n");
        } else {
            buf_printf(&w->b, "static const float w%d[%zu] = {", w->weights[v], n);
            put_numbers(w, value->data, n);
            buf_puts(&w->b, "\n};\n");
        }
    }
    return RC_OK;
}

/* ---- code */

/* Where a value lies, as an expression; four may be alive at once. */
static const char *place_text(const struct writer *w, int v)
{
    static _Thread_local char texts[4][40];
    static _Thread_local int at;
    char *t = texts[at = (at + 1) % 4];

    if (v == w->p->input)
        return "in";
    if (value_of(w, v)->data)
        (void)snprintf(t, sizeof texts[0], w->as_bytes ? "w%d.f" : "w%d", w->weights[v]);
    else
        (void)snprintf(t, sizeof texts[0], "arena + %zu",
                       w->plan.buffers.p[w->buffer[v]].offset / (PLAN_ALIGN / UNIT) /
                           sizeof(float));
    return t;
}

static int extent_at(const struct program_value *v, int d)
{
    const int at = d - (PROGRAM_DIMS_MAX - v->dims);

    return at < 0 || v->shape[at] == PROGRAM_BATCH ? 1 : (int)v->shape[at];
}

static void put_five(struct buf *b, const char *name, const int v[PROGRAM_DIMS_MAX])
{
    buf_printf(b, "        static const int %s[5] = {%d, %d, %d, %d, %d};\n", name, v[0], v[1],
               v[2], v[3], v[4]);
}

/* Steps of v in a loop over another value's extents; `order`: its dimension at each place. */
static void steps_of(const struct program_value *v, const int order[PROGRAM_DIMS_MAX],
                     int ret[PROGRAM_DIMS_MAX])
{
    int step[PROGRAM_DIMS_MAX], each = 1;

    for (int d = PROGRAM_DIMS_MAX - 1; d >= 0; d--) {
        step[d] = extent_at(v, d) == 1 ? 0 : each;
        each *= extent_at(v, d);
    }
    for (int d = 0; d < PROGRAM_DIMS_MAX; d++)
        ret[d] = step[order[d]];
}

static const int in_order[PROGRAM_DIMS_MAX] = {0, 1, 2, 3, 4};

static void put_extents(struct writer *w, const struct program_value *v)
{
    int extent[PROGRAM_DIMS_MAX];

    for (int d = 0; d < PROGRAM_DIMS_MAX; d++)
        extent[d] = extent_at(v, d);
    put_five(&w->b, "extent", extent);
}

static void put_binary(struct writer *w, const struct program_op *o, const char *function)
{
    int a[PROGRAM_DIMS_MAX], b[PROGRAM_DIMS_MAX];

    steps_of(value_of(w, o->in[0]), in_order, a);
    steps_of(value_of(w, o->in[1]), in_order, b);
    buf_puts(&w->b, "    {\n");
    put_extents(w, value_of(w, o->out));
    put_five(&w->b, "a", a);
    put_five(&w->b, "b", b);
    buf_printf(&w->b, "        %s(%s, %s, %s, extent, a, b);\n    }\n", function,
               place_text(w, o->in[0]), place_text(w, o->in[1]), place_text(w, o->out));
}

static void put_transpose(struct writer *w, const struct program_op *o)
{
    const int dims = value_of(w, o->out)->dims, first = PROGRAM_DIMS_MAX - dims;
    int order[PROGRAM_DIMS_MAX] = {0, 1, 2, 3, 4}, step[PROGRAM_DIMS_MAX];

    for (int d = 0; d < dims; d++)
        order[first + d] = first + (int)o->ints[d];
    steps_of(value_of(w, o->in[0]), order, step);
    buf_puts(&w->b, "    {\n");
    put_extents(w, value_of(w, o->out));
    put_five(&w->b, "step", step);
    buf_printf(&w->b, "        transpose(%s, %s, extent, step);\n    }\n", place_text(w, o->in[0]),
               place_text(w, o->out));
}

/* A value as [outer][axis][inner]. */
static void fold_at(const struct program_value *v, int axis, int ret[3])
{
    ret[0] = ret[2] = 1;
    ret[1] = (int)v->shape[axis];
    for (int d = 1; d < v->dims; d++)
        if (d != axis)
            ret[d < axis ? 0 : 2] *= (int)v->shape[d];
}

static void put_concat(struct writer *w, const struct program_op *o)
{
    int all[3], part[3], at = 0;

    fold_at(value_of(w, o->out), o->axis, all);
    for (int i = 0; i < o->in_count; i++) {
        fold_at(value_of(w, o->in[i]), o->axis, part);
        buf_printf(&w->b, "    rows(%s, %s + %d, %d, %d, %d, %d);\n", place_text(w, o->in[i]),
                   place_text(w, o->out), at * part[2], part[0], part[1] * part[2],
                   part[1] * part[2], all[1] * all[2]);
        at += part[1];
    }
}

static void put_slice(struct writer *w, const struct program_op *o)
{
    const int n = o->to - o->from;
    int all[3];

    fold_at(value_of(w, o->in[0]), o->axis, all);
    buf_printf(&w->b, "    rows(%s + %d, %s, %d, %d, %d, %d);\n", place_text(w, o->in[0]),
               o->from * all[2], place_text(w, o->out), all[0], n * all[2], all[1] * all[2],
               n * all[2]);
}

static void put_conv(struct writer *w, const struct program_op *o)
{
    const struct program_value *x = value_of(w, o->in[0]), *f = value_of(w, o->in[1]);
    const struct program_value *y = value_of(w, o->out);

    buf_printf(&w->b, "    conv(%s, %s, %s, %s, %d, %d, %d, %d, %d, %d, %d, %d, %d, %d);\n",
               place_text(w, o->in[0]), place_text(w, o->in[1]),
               o->in_count == 3 ? place_text(w, o->in[2]) : "NULL", place_text(w, o->out),
               (int)f->shape[1], (int)x->shape[2], (int)x->shape[3], (int)y->shape[1],
               (int)y->shape[2], (int)y->shape[3], o->k, o->stride, o->pad, o->group);
}

static void put_window(struct writer *w, const struct program_op *o)
{
    const struct program_value *x = value_of(w, o->in[0]), *y = value_of(w, o->out);
    const int c = (int)x->shape[1], h = (int)x->shape[2], side = (int)x->shape[3];
    const char *from = place_text(w, o->in[0]), *to = place_text(w, o->out);

    if (o->kind == OP_MAX_POOL)
        buf_printf(&w->b, "    max_pool(%s, %s, %d, %d, %d, %d, %d, %d, %d, %d);\n", from, to, c, h,
                   side, (int)y->shape[2], (int)y->shape[3], o->k, o->stride, o->pad);
    else if (o->kind == OP_RESIZE)
        buf_printf(&w->b, "    resize(%s, %s, %d, %d, %d, %d, %d);\n", from, to, c, h, side,
                   o->factor, o->linear);
    else
        buf_printf(&w->b, "    average(%s, %s, %d, %d);\n", from, to, c, h * side);
}

static void put_each(struct writer *w, const struct program_op *o, const char *function)
{
    buf_printf(&w->b, "    %s(%s, %s, %lld", function, place_text(w, o->in[0]),
               place_text(w, o->out), floats_of(w, o->out));
    if (o->kind == OP_CLIP) {
        buf_puts(&w->b, ", ");
        put_number(&w->b, o->low);
        buf_putc(&w->b, ' ');
        put_number(&w->b, o->high);
        if (!w->b.rc)
            w->b.n--; /* the comma behind the number */
    }
    buf_puts(&w->b, ");\n");
}

static void put_softmax(struct writer *w, const struct program_op *o)
{
    int f[3];

    fold_at(value_of(w, o->out), o->axis, f);
    buf_printf(&w->b, "    softmax(%s, %s, %d, %d, %d);\n", place_text(w, o->in[0]),
               place_text(w, o->out), f[0], f[1], f[2]);
}

static void put_linear(struct writer *w, const struct program_op *o)
{
    buf_printf(&w->b, "    linear(%s, %s, %s, %s, %lld, %lld);\n", place_text(w, o->in[0]),
               place_text(w, o->in[1]), place_text(w, o->in[2]), place_text(w, o->out),
               floats_of(w, o->in[0]), floats_of(w, o->out));
}

static void put_copy(struct writer *w, const struct program_op *o)
{
    if (w->buffer[o->in[0]] != w->buffer[o->out])
        buf_printf(&w->b, "    memcpy(%s, %s, %lld * sizeof(float));\n", place_text(w, o->out),
                   place_text(w, o->in[0]), floats_of(w, o->out));
}

static void put_op(struct writer *w, const struct program_op *o)
{
    switch (o->kind) {
    case OP_CONV:
        put_conv(w, o);
        break;
    case OP_RELU:
        put_each(w, o, "relu");
        break;
    case OP_CLIP:
        put_each(w, o, "clip");
        break;
    case OP_SIGMOID:
        put_each(w, o, "sigmoid");
        break;
    case OP_HARD_SIGMOID:
        put_each(w, o, "hard_sigmoid");
        break;
    case OP_HARD_SWISH:
        put_each(w, o, "hard_swish");
        break;
    case OP_ADD:
        put_binary(w, o, "add");
        break;
    case OP_SUB:
        put_binary(w, o, "sub");
        break;
    case OP_MUL:
        put_binary(w, o, "mul");
        break;
    case OP_DIV:
        put_binary(w, o, "quotient");
        break;
    case OP_MAX_POOL:
    case OP_RESIZE:
    case OP_GLOBAL_AVERAGE:
        put_window(w, o);
        break;
    case OP_GEMM:
        put_linear(w, o);
        break;
    case OP_CONCAT:
        put_concat(w, o);
        break;
    case OP_SLICE:
        put_slice(w, o);
        break;
    case OP_TRANSPOSE:
        put_transpose(w, o);
        break;
    case OP_SOFTMAX:
        put_softmax(w, o);
        break;
    case OP_FLATTEN:
    case OP_RESHAPE:
        put_copy(w, o);
        break;
    case OP_KINDS:
        break;
    }
    flush(w, FLUSH_BYTES);
}

/* ---- the files */

static void put_runtime(struct writer *w)
{
    bool used[OP_KINDS] = {0};

    for (int i = 0; i < w->p->op_count; i++)
        used[w->p->ops[i].kind] = true;
    used[OP_CONCAT] = used[OP_CONCAT] || used[OP_SLICE];
    for (int k = 0; k < OP_KINDS; k++)
        if (used[k])
            buf_puts(&w->b, cfile_runtime[k]);
}

static void put_banner(struct writer *w)
{
    const struct program_value *x = value_of(w, w->p->input);

    buf_printf(&w->b,
               "/* A neural network, written by Anneal " ANNEAL_VERSION ".\n *\n"
               " * in: one image [%d][%d][%d], channels R G B.  Not re-entrant: activations "
               "share one arena.\n",
               extent_at(x, 2), extent_at(x, 3), extent_at(x, 4));
    for (int i = 0; i < w->p->meta_count; i++) { /* texts from outside stay inside the comment */
        const struct program_meta *m = &w->p->meta[i];
        buf_printf(&w->b, " *   %s: ", m->key);
        for (size_t k = 0; k < m->value.n && k < 4096; k++) {
            const char c = m->value.p[k];
            buf_putc(&w->b, (unsigned char)c < 32 || c == '/' || c == '\\' || c == '?' ? '_' : c);
        }
        buf_putc(&w->b, '\n');
    }
    buf_puts(&w->b, " */\n");
}

static void put_header(struct writer *w)
{
    const struct program *p = w->p;
    long long at = 0;

    put_banner(w);
    buf_printf(&w->b,
               "#ifndef %s_H\n#define %s_H\n\n#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n",
               w->name, w->name);
    buf_printf(&w->b, "enum {\n    %s_IN = %lld, /* floats */\n", w->name, floats_of(w, p->input));
    for (int i = 0; i < p->output_count; i++) {
        const struct program_value *v = value_of(w, p->outputs[i]);
        char name[CFILE_NAME_MAX];
        cfile_name(str_of(v->name), name);
        buf_printf(&w->b, "    %s_AT_%s = %lld, /* ", w->name, name, at);
        for (int d = 1; d < v->dims; d++)
            buf_printf(&w->b, "[%lld]", (long long)v->shape[d]);
        buf_puts(&w->b, " */\n");
        at += floats_of(w, p->outputs[i]);
    }
    buf_printf(&w->b,
               "    %s_OUT = %lld,\n    %s_ARENA = %zu\n};\n\n"
               "void %s_run(const float *in, float *out);\n\n"
               "#ifdef __cplusplus\n}\n#endif\n\n#endif\n",
               w->name, at, w->name, arena_floats(w), w->name);
    flush(w, 1);
}

static enum rc put_source(struct writer *w, struct err *e)
{
    const struct program *p = w->p;
    long long at = 0;

    put_banner(w);
    buf_printf(&w->b,
               "#include \"%s.h\"\n\n#include <math.h>\n#include <stddef.h>\n"
               "#include <string.h>\n\n",
               w->name);
    if (w->as_bytes)
        buf_puts(&w->b,
                 "#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != "
                 "__ORDER_LITTLE_ENDIAN__\n#error the weights are little-endian\n#endif\n\n");
    buf_printf(&w->b, "static float arena[%zu];\n", arena_floats(w));
    enum rc rc = put_weights(w, e);
    if (rc)
        return rc;
    buf_putc(&w->b, '\n');
    put_runtime(w);
    buf_printf(&w->b, "void %s_run(const float *in, float *out)\n{\n", w->name);
    for (int i = 0; i < p->op_count; i++)
        put_op(w, &p->ops[i]);
    for (int i = 0; i < p->output_count; i++) {
        buf_printf(&w->b, "    memcpy(out + %lld, %s, %lld * sizeof(float));\n", at,
                   place_text(w, p->outputs[i]), floats_of(w, p->outputs[i]));
        at += floats_of(w, p->outputs[i]);
    }
    buf_puts(&w->b, "}\n");
    flush(w, 1);
    return RC_OK;
}

/* A C int counts the elements of every tensor there. */
static enum rc check_sizes(struct writer *w, struct err *e)
{
    int64_t weights = 0, outputs = 0;

    for (int v = 0; v < w->p->value_count; v++)
        if (w->p->values[v].data)
            weights += program_elements(&w->p->values[v]);
    for (int i = 0; i < w->p->output_count; i++)
        outputs += program_elements(&w->p->values[w->p->outputs[i]]);
    if (outputs > PROGRAM_ELEMENTS_MAX || arena_floats(w) > (size_t)PROGRAM_ELEMENTS_MAX)
        return err_set(e, RC_TOO_LARGE, "the network is too large for a C file");
    w->as_bytes = weights > CFILE_TEXT_FLOATS_MAX;
    return RC_OK;
}

static enum rc write_both(struct writer *w, struct out_file *source, struct out_file *header,
                          struct err *e)
{
    enum rc rc = place_values(w, e);

    if (!rc)
        rc = check_sizes(w, e);
    if (rc)
        return rc;
    w->to = header;
    put_header(w);
    w->to = source;
    rc = put_source(w, e);
    return rc ? rc : buf_ok(&w->b, e);
}

enum rc cfile_write(const struct program *p, const char *name, struct out_file *source,
                    struct out_file *header, struct err *e)
{
    const size_t n = (size_t)p->value_count;
    struct writer w = {.p = p,
                       .name = name,
                       .buffer = mem_alloc_array(n, sizeof(int)),
                       .last = mem_alloc_array(n, sizeof(int)),
                       .weights = mem_alloc_array(n, sizeof(int))};
    enum rc rc = RC_NOMEM;

    buf_init(&w.b, TEXT_MAX);
    if (w.buffer && w.last && w.weights)
        rc = write_both(&w, source, header, e);
    else
        (void)err_set(e, rc, "no memory to write C");
    buf_done(&w.b);
    plan_done(&w.plan);
    mem_free(w.buffer);
    mem_free(w.last);
    mem_free(w.weights);
    return rc;
}

enum rc cfile_write_main(const char *name, const char *header_name, struct out_file *to,
                         struct err *e)
{
    struct buf b;

    buf_init(&b, 1 << 14);
    buf_printf(&b,
               "#include \"%s\"\n#include <stdio.h>\n\n"
               "static float in[%s_IN], out[%s_OUT];\n\n"
               "int main(int argc, char **argv)\n{\n"
               "    FILE *from = argc == 3 ? fopen(argv[1], \"rb\") : NULL;\n"
               "    FILE *to = argc == 3 ? fopen(argv[2], \"wb\") : NULL;\n\n"
               "    if (!from || !to)\n        return 2;\n"
               "    while (fread(in, sizeof in, 1, from) == 1) {\n        %s_run(in, out);\n"
               "        if (fwrite(out, sizeof out, 1, to) != 1)\n            return 1;\n    }\n"
               "    return fclose(to) != 0;\n}\n",
               header_name, name, name, name);
    enum rc rc = buf_ok(&b, e);
    if (!rc)
        out_file_put(to, b.p, b.n);
    buf_done(&b);
    return rc;
}
