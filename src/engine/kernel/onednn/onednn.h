/* onednn.h - convolutions by oneDNN, loaded at run time.
 *
 * libdnnl.so.2 (39 MB) is opened with dlopen when a net first asks for it, so that `anneal serve`
 * never maps it and a machine without it still trains, by the portable kernels.  Everything runs
 * single-threaded on the calling thread: the pieces are shared out by engine/graph.  All layouts
 * are those of kernel.h, fixed explicitly; a primitive that oneDNN would only give as its slow
 * reference implementation is refused, and the caller takes a kernel of our own.
 */
#ifndef ANNEAL_ENGINE_KERNEL_ONEDNN_ONEDNN_H
#define ANNEAL_ENGINE_KERNEL_ONEDNN_ONEDNN_H

#include "base/err.h"
#include "engine/kernel/kernel.h"
#include <stdint.h>

struct onednn;      /* an engine and the threads it serves */
struct onednn_conv; /* one convolution: its primitives */

/* RC_UNAVAILABLE with the reason: not installed, another version, no AVX-512. */
enum rc onednn_check(struct err *e) must_check;
const char *onednn_version(void); /* "2.6.3"; "" where it cannot be used */
enum rc onednn_new(struct onednn **ret, int threads, struct err *e) must_check;
void onednn_free(struct onednn *o);
/* Each thread that will execute calls this once: oneDNN's own threading is turned off there. */
void onednn_enter_thread(void);

/* Kernels for `images` images at a time.  train: forward, backward data (unless the input is the
 * image) and backward weights; otherwise forward alone with bias, residual and activation fused.
 * RC_UNAVAILABLE where oneDNN has no optimised kernel for the shape; the text names it. */
enum rc onednn_conv_new(struct onednn_conv **ret, struct onednn *o, const struct conv_shape *s,
                        int images, bool train, enum act act, bool residual,
                        struct err *e) must_check;
void onednn_conv_free(struct onednn_conv *c);
size_t onednn_conv_scratch(const struct onednn_conv *c);   /* floats for each thread */
const char *onednn_conv_name(const struct onednn_conv *c); /* "jit:avx512_core" */
/* In which order backward_data wants its swapped weights (kernel.h). */
bool onednn_conv_input_first(const struct onednn_conv *c);

/* ---- pointers stand at the first of the images; `thread` chooses the argument set.  false: oneDNN
 * reported a failure. */
bool onednn_conv_forward(struct onednn_conv *c, int thread, const float *x, const float *w,
                         const float *bias, float *y, float *scratch); /* residual: already in y */
bool onednn_conv_backward_data(struct onednn_conv *c, int thread, const float *dy,
                               const float *swapped, float *dx, float *scratch);
bool onednn_conv_backward_weights(struct onednn_conv *c, int thread, const float *x,
                                  const float *dy, float *dw, float *scratch);

#endif
