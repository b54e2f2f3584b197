/* cfile_runtime.h - the functions that an exported C file may need, as text.
 *
 * One row for each operator; a file gets the rows of the operators in it, once each.  Tensors are
 * [c][h][w] of one image.  C99, nothing but libm. */
#ifndef ANNEAL_ENGINE_EXPORT_CFILE_RUNTIME_H
#define ANNEAL_ENGINE_EXPORT_CFILE_RUNTIME_H

#include "engine/export/program.h"

#define WINDOW_TEXT                                                                                \
    "/* The outputs i for which 0 <= i * stride + shift < n. */\n"                                 \
    "static void inside(int n, int outs, int stride, int shift, int *from, int *to)\n"             \
    "{\n"                                                                                          \
    "    int last = n - 1 - shift;\n"                                                              \
    "\n"                                                                                           \
    "    *from = shift >= 0 ? 0 : (-shift + stride - 1) / stride;\n"                               \
    "    *to = last < 0 ? 0 : last / stride + 1;\n"                                                \
    "    if (*to > outs)\n"                                                                        \
    "        *to = outs;\n"                                                                        \
    "}\n\n"

#define CONV_TEXT                                                                                  \
    "/* x [groups * ic][h][w], weights [oc][ic][k][k], bias [oc] or null, y [oc][oh][ow] */\n"     \
    "static void conv(const float *x, const float *weights, const float *bias, float *y,\n"        \
    "                 int ic, int h, int w, int oc, int oh, int ow, int k, int stride,\n"          \
    "                 int pad, int groups)\n"                                                      \
    "{\n"                                                                                          \
    "    for (int o = 0; o < oc; o++) {\n"                                                         \
    "        const float *group = x + (size_t)(o / (oc / groups)) * ic * h * w;\n"                 \
    "        float *plane = y + (size_t)o * oh * ow;\n"                                            \
    "        for (int i = 0; i < oh * ow; i++)\n"                                                  \
    "            plane[i] = bias ? bias[o] : 0.0f;\n"                                              \
    "        for (int i = 0; i < ic; i++)\n"                                                       \
    "            for (int t = 0; t < k * k; t++) {\n"                                              \
    "                const float f = weights[((size_t)o * ic + i) * k * k + t];\n"                 \
    "                const int down = t / k - pad, right = t % k - pad;\n"                         \
    "                int top, bottom, first, end;\n"                                               \
    "                inside(h, oh, stride, down, &top, &bottom);\n"                                \
    "                inside(w, ow, stride, right, &first, &end);\n"                                \
    "                for (int r = top; r < bottom; r++) {\n"                                       \
    "                    const float *from =\n"                                                    \
    "                        group + ((size_t)i * h + r * stride + down) * w + "                   \
    "right;\n"                                                                                     \
    "                    float *to = plane + (size_t)r * ow;\n"                                    \
    "                    if (stride == 1)\n"                                                       \
    "                        for (int c = first; c < end; c++)\n"                                  \
    "                            to[c] += f * from[c];\n"                                          \
    "                    else\n"                                                                   \
    "                        for (int c = first; c < end; c++)\n"                                  \
    "                            to[c] += f * from[c * stride];\n"                                 \
    "                }\n"                                                                          \
    "            }\n"                                                                              \
    "    }\n"                                                                                      \
    "}\n\n"

#define MAX_POOL_TEXT                                                                              \
    "static void max_pool(const float *x, float *y, int channels, int h, int w, int oh, int ow,\n" \
    "                     int k, int stride, int pad)\n"                                           \
    "{\n"                                                                                          \
    "    for (int c = 0; c < channels; c++, x += h * w)\n"                                         \
    "        for (int i = 0; i < oh * ow; i++) {\n"                                                \
    "            float most = -INFINITY;\n"                                                        \
    "            for (int t = 0; t < k * k; t++) {\n"                                              \
    "                const int r = i / ow * stride + t / k - pad;\n"                               \
    "                const int q = i % ow * stride + t % k - pad;\n"                               \
    "                if (r >= 0 && r < h && q >= 0 && q < w && x[r * w + q] > most)\n"             \
    "                    most = x[r * w + q];\n"                                                   \
    "            }\n"                                                                              \
    "            *y++ = most;\n"                                                                   \
    "        }\n"                                                                                  \
    "}\n\n"

#define AVERAGE_TEXT                                                                               \
    "static void average(const float *x, float *y, int channels, int pixels)\n"                    \
    "{\n"                                                                                          \
    "    for (int c = 0; c < channels; c++, x += pixels) {\n"                                      \
    "        double sum = 0;\n"                                                                    \
    "        for (int i = 0; i < pixels; i++)\n"                                                   \
    "            sum += x[i];\n"                                                                   \
    "        y[c] = (float)(sum / pixels);\n"                                                      \
    "    }\n"                                                                                      \
    "}\n\n"

#define LINEAR_TEXT                                                                                \
    "static void linear(const float *x, const float *weights, const float *bias, float *y, int "   \
    "ins,\n"                                                                                       \
    "                   int outs)\n"                                                               \
    "{\n"                                                                                          \
    "    for (int o = 0; o < outs; o++, weights += ins) {\n"                                       \
    "        float sum = bias[o];\n"                                                               \
    "        for (int i = 0; i < ins; i++)\n"                                                      \
    "            sum += weights[i] * x[i];\n"                                                      \
    "        y[o] = sum;\n"                                                                        \
    "    }\n"                                                                                      \
    "}\n\n"

#define EACH_TEXT(name, parameters, value)                                                         \
    "static void " name "(const float *x, float *y, int n" parameters                              \
    ")\n{\n    for (int i = 0; i < n; i++)\n        y[i] = " value ";\n}\n\n"

#define BINARY_TEXT(name, sign)                                                                    \
    "/* extent of y; steps of a and b in it, 0 where they are repeated */\n"                       \
    "static void " name "(const float *a, const float *b, float *y, const int extent[5],\n"        \
    "                const int a_step[5], const int b_step[5])\n"                                  \
    "{\n"                                                                                          \
    "    int at[5] = {0, 0, 0, 0, 0};\n"                                                           \
    "    const int n = extent[0] * extent[1] * extent[2] * extent[3] * extent[4];\n"               \
    "\n"                                                                                           \
    "    for (int i = 0, p = 0, q = 0; i < n; i++) {\n"                                            \
    "        y[i] = a[p] " sign " b[q];\n"                                                         \
    "        for (int d = 4; d >= 0; d--) {\n"                                                     \
    "            p += a_step[d];\n"                                                                \
    "            q += b_step[d];\n"                                                                \
    "            if (++at[d] < extent[d])\n"                                                       \
    "                break;\n"                                                                     \
    "            p -= a_step[d] * extent[d];\n"                                                    \
    "            q -= b_step[d] * extent[d];\n"                                                    \
    "            at[d] = 0;\n"                                                                     \
    "        }\n"                                                                                  \
    "    }\n"                                                                                      \
    "}\n\n"

#define TRANSPOSE_TEXT                                                                             \
    "/* extent of y; steps of x in it */\n"                                                        \
    "static void transpose(const float *x, float *y, const int extent[5], const int step[5])\n"    \
    "{\n"                                                                                          \
    "    int at[5] = {0, 0, 0, 0, 0};\n"                                                           \
    "    const int n = extent[0] * extent[1] * extent[2] * extent[3] * extent[4];\n"               \
    "\n"                                                                                           \
    "    for (int i = 0, p = 0; i < n; i++) {\n"                                                   \
    "        y[i] = x[p];\n"                                                                       \
    "        for (int d = 4; d >= 0; d--) {\n"                                                     \
    "            p += step[d];\n"                                                                  \
    "            if (++at[d] < extent[d])\n"                                                       \
    "                break;\n"                                                                     \
    "            p -= step[d] * extent[d];\n"                                                      \
    "            at[d] = 0;\n"                                                                     \
    "        }\n"                                                                                  \
    "    }\n"                                                                                      \
    "}\n\n"

/* Concat and Slice: rows of n floats, each row so many floats behind the one before it. */
#define ROWS_TEXT                                                                                  \
    "static void rows(const float *x, float *y, int count, int n, int x_step, int y_step)\n"       \
    "{\n"                                                                                          \
    "    for (int i = 0; i < count; i++)\n"                                                        \
    "        memcpy(y + (size_t)i * y_step, x + (size_t)i * x_step, (size_t)n * sizeof *y);\n"     \
    "}\n\n"

#define SOFTMAX_TEXT                                                                               \
    "/* over the middle of [outer][axis][inner] */\n"                                              \
    "static void softmax(const float *x, float *y, int outer, int axis, int inner)\n"              \
    "{\n"                                                                                          \
    "    for (int i = 0; i < outer * inner; i++) {\n"                                              \
    "        const int from = i / inner * axis * inner + i % inner;\n"                             \
    "        float most = x[from], sum = 0.0f;\n"                                                  \
    "        for (int a = 1; a < axis; a++)\n"                                                     \
    "            if (x[from + a * inner] > most)\n"                                                \
    "                most = x[from + a * inner];\n"                                                \
    "        for (int a = 0; a < axis; a++)\n"                                                     \
    "            sum += y[from + a * inner] = expf(x[from + a * inner] - most);\n"                 \
    "        for (int a = 0; a < axis; a++)\n"                                                     \
    "            y[from + a * inner] /= sum;\n"                                                    \
    "    }\n"                                                                                      \
    "}\n\n"

#define RESIZE_TEXT                                                                                \
    "/* nearest, or linear between half-pixel centres */\n"                                        \
    "static void resize(const float *x, float *y, int channels, int h, int w, int factor, int "    \
    "smooth)\n"                                                                                    \
    "{\n"                                                                                          \
    "    for (int c = 0; c < channels; c++, x += h * w)\n"                                         \
    "        for (int i = 0; i < h * factor * w * factor; i++) {\n"                                \
    "            const int r = i / (w * factor), q = i % (w * factor);\n"                          \
    "            float down = ((float)r + 0.5f) / (float)factor - 0.5f;\n"                         \
    "            float right = ((float)q + 0.5f) / (float)factor - 0.5f;\n"                        \
    "            if (!smooth) {\n"                                                                 \
    "                *y++ = x[r / factor * w + q / factor];\n"                                     \
    "                continue;\n"                                                                  \
    "            }\n"                                                                              \
    "            down = down < 0.0f ? 0.0f : down > (float)(h - 1) ? (float)(h - 1) : down;\n"     \
    "            right = right < 0.0f ? 0.0f : right > (float)(w - 1) ? (float)(w - 1) : right;\n" \
    "            const int r0 = (int)down, q0 = (int)right;\n"                                     \
    "            const int r1 = r0 + 1 < h ? r0 + 1 : r0, q1 = q0 + 1 < w ? q0 + 1 : q0;\n"        \
    "            const float u = right - (float)q0, v = down - (float)r0;\n"                       \
    "            const float top = x[r0 * w + q0] + (x[r0 * w + q1] - x[r0 * w + q0]) * u;\n"      \
    "            const float low = x[r1 * w + q0] + (x[r1 * w + q1] - x[r1 * w + q0]) * u;\n"      \
    "            *y++ = top + (low - top) * v;\n"                                                  \
    "        }\n"                                                                                  \
    "}\n\n"

#define RAMP "fminf(fmaxf(x[i] / 6.0f + 0.5f, 0.0f), 1.0f)"

static const char *const cfile_runtime[OP_KINDS] = {
    [OP_CONV] = WINDOW_TEXT CONV_TEXT,
    [OP_RELU] = EACH_TEXT("relu", "", "x[i] < 0.0f ? 0.0f : x[i]"),
    [OP_CLIP] = EACH_TEXT("clip", ", float low, float high",
                          "x[i] < low ? low : x[i] > high ? high : x[i]"),
    [OP_SIGMOID] = EACH_TEXT("sigmoid", "", "1.0f / (1.0f + expf(-x[i]))"),
    [OP_HARD_SIGMOID] = EACH_TEXT("hard_sigmoid", "", RAMP),
    [OP_HARD_SWISH] = EACH_TEXT("hard_swish", "", "x[i] * " RAMP),
    [OP_ADD] = BINARY_TEXT("add", "+"),
    [OP_SUB] = BINARY_TEXT("sub", "-"),
    [OP_MUL] = BINARY_TEXT("mul", "*"),
    [OP_DIV] = BINARY_TEXT("quotient", "/"),
    [OP_MAX_POOL] = MAX_POOL_TEXT,
    [OP_GLOBAL_AVERAGE] = AVERAGE_TEXT,
    [OP_FLATTEN] = "",
    [OP_GEMM] = LINEAR_TEXT,
    [OP_CONCAT] = ROWS_TEXT,
    [OP_RESIZE] = RESIZE_TEXT,
    [OP_RESHAPE] = "",
    [OP_TRANSPOSE] = TRANSPOSE_TEXT,
    [OP_SLICE] = "", /* rows(), as OP_CONCAT */
    [OP_SOFTMAX] = SOFTMAX_TEXT,
};

#endif
