/* program.h - a network as a list of standard operators over plain tensors: what every export is
 * written from, what an ONNX file is read into, and what the reference interpreter runs.
 *
 * The operators are those of ONNX, opset 17 (onnx.ai/onnx/operators), each limited to the form that
 * Anneal writes: square windows, equal strides and padding, 2-D, float32.  The same table serves
 * the writer, the reader, the interpreter and the C file, so that none can lack an operator.
 *
 * Values are numbered.  A value is the input, a constant (dense, row-major, in the program's arena)
 * or the result of exactly one operator; operators stand in the order of execution.  Activations
 * have the batch as their first extent, written PROGRAM_BATCH; constants have none.
 *
 * program_check() is the gate: it works out every shape and refuses what does not fit together, so
 * that those who run a program need not look again.  Programs read from files pass it as well.
 */
#ifndef ANNEAL_ENGINE_EXPORT_PROGRAM_H
#define ANNEAL_ENGINE_EXPORT_PROGRAM_H

#include "base/arena.h"
#include <stdint.h>

enum {
    PROGRAM_DIMS_MAX = 5,
    PROGRAM_INPUTS_MAX = 16,
    PROGRAM_OPS_MAX = 4096,
    PROGRAM_VALUES_MAX = 8192,
    PROGRAM_OUTPUTS_MAX = 8,
    PROGRAM_META_MAX = 64,
    PROGRAM_NAME_MAX = 96, /* bytes with NUL */
    PROGRAM_WINDOW_MAX = 64,
    PROGRAM_BATCH = -1, /* the extent of the batch */
};
#define PROGRAM_ELEMENTS_MAX ((int64_t)1 << 28) /* of one value, for one image */
#define PROGRAM_BYTES_MAX    ((size_t)2 << 30)  /* of all constants */

enum op_kind {
    OP_CONV,         /* x, w [o][i / group][k][k], optional b [o]: k, stride, pad, group */
    OP_RELU,         /* max(x, 0) */
    OP_CLIP,         /* min(max(x, low), high) */
    OP_SIGMOID,      /* 1 / (1 + exp(-x)) */
    OP_HARD_SIGMOID, /* min(max(x / 6 + 1 / 2, 0), 1) */
    OP_HARD_SWISH,   /* x * min(max(x / 6 + 1 / 2, 0), 1) */
    OP_ADD,          /* these four broadcast as numpy does */
    OP_SUB,
    OP_MUL,
    OP_DIV,
    OP_MAX_POOL,       /* k, stride, pad; what lies outside does not take part */
    OP_GLOBAL_AVERAGE, /* [N][c][h][w] -> [N][c][1][1] */
    OP_FLATTEN,        /* [N][...] -> [N][all] */
    OP_GEMM,           /* x [N][i], w [o][i], b [o]: x w^T + b */
    OP_CONCAT,         /* along axis >= 1 */
    OP_RESIZE,         /* [N][c][h][w] -> factor times the height and width: nearest, or linear with
                        * half-pixel centres */
    OP_RESHAPE,        /* to ints; ints[0] = 0 stands for the batch */
    OP_TRANSPOSE,      /* ints: the permutation; ints[0] = 0 */
    OP_SLICE,          /* [from, to) of axis >= 1 */
    OP_SOFTMAX,        /* along axis >= 1 */
    OP_KINDS
};
/* Inputs, without and with the optional last one; PROGRAM_INPUTS_MAX: any number from the least. */
struct op_row {
    const char *name; /* in ONNX: "Conv" */
    int inputs_min, inputs_max;
};
extern const struct op_row op_rows[OP_KINDS];

struct program_op {
    enum op_kind kind;
    int in[PROGRAM_INPUTS_MAX], in_count; /* values */
    int out;
    int k, stride, pad, group; /* OP_CONV, OP_MAX_POOL */
    int axis;                  /* OP_CONCAT, OP_SLICE, OP_SOFTMAX */
    int from, to;              /* OP_SLICE */
    int factor;                /* OP_RESIZE */
    bool linear;
    float low, high; /* OP_CLIP */
    int64_t ints[PROGRAM_DIMS_MAX];
    int ints_count;
};

struct program_value {
    char name[PROGRAM_NAME_MAX]; /* unique */
    int dims;
    int64_t shape[PROGRAM_DIMS_MAX];
    const float *data; /* a constant's; else NULL */
};

struct program_meta {
    const char *key;
    str value;
};

struct program {
    struct arena arena;
    struct program_value values[PROGRAM_VALUES_MAX];
    int value_count;
    struct program_op ops[PROGRAM_OPS_MAX];
    int op_count;
    int input;
    int outputs[PROGRAM_OUTPUTS_MAX], output_count;
    struct program_meta meta[PROGRAM_META_MAX]; /* texts live in the arena */
    int meta_count;
    enum rc rc; /* sticky while building; program_check reports it */
    struct err err;
};

enum rc program_new(struct program **ret, struct err *e) must_check;
void program_free(struct program *p); /* NULL is fine */

/* ---- building; failures (names twice, limits, memory) are kept for program_check */
int program_input(struct program *p, const char *name, int dims, const int64_t *shape);
/* The elements are the caller's to fill, through *ret_data (NULL when memory is out). */
int program_constant(struct program *p, const char *name, int dims, const int64_t *shape,
                     float **ret_data);
/* Copies *op, fills in its output: a new value of that name. */
int program_op(struct program *p, const struct program_op *op, const char *name);
void program_output(struct program *p, int value);
void program_rename(struct program *p, int value, const char *name);
void program_meta(struct program *p, const char *key, str value); /* both copied */
str program_meta_get(const struct program *p, const char *key);   /* STR_NONE: absent */
int program_find(const struct program *p, str name);              /* a value, or -1 */

/* Works out the shapes of all results and checks every operator.  RC_CORRUPT names the operator. */
enum rc program_check(struct program *p, struct err *e) must_check;
/* Elements of a value for one image. */
int64_t program_elements(const struct program_value *v);
/* Multiply-adds of one image, roughly: what running it costs. */
double program_work(const struct program *p);

/* ---- the reference interpreter: plain C, float32, one thread, each sum in its own order */
struct program_result {
    float *data; /* [count][...] as the output's shape says; mem_free */
    size_t n;
};
/* x [count][...] as the input's shape says.  ret has output_count results. */
enum rc program_run(const struct program *p, const float *x, int count, struct program_result *ret,
                    struct err *e) must_check;

#endif
