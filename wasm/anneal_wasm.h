/* anneal_wasm.h - what the WebAssembly module exports: a trained model, in a browser.
 *
 * `make wasm` compiles the engine's own sources for wasm32 with 128-bit vectors; the module reads
 * the very weights file that the trainer writes, prepares a picture by the same code, and computes
 * the same numbers: its logits equal those of the native portable kernels ("base") bit for bit.
 * web/src/engine/engine.ts wraps it for TypeScript; nothing else should need this header.
 *
 * Imports: `env.memory` (the caller decides how far it may grow) `anneal.log(level, text, bytes)`
 * (0 debug .. 3 error) and `anneal.now()` (milliseconds; for anneal_debug_time alone).  No others:
 * no files, no randomness, no threads.
 *
 * Calls run to the end and belong to one thread (a worker, so that the page stays alive).  A
 * function that can fail returns 0 (a pointer) or an rc other than 0; anneal_error_code() and
 * anneal_error_text() then say why, until the next call that can fail.  Pointers are offsets into
 * env.memory, whose ArrayBuffer is replaced when it grows: views have to be made anew after each
 * call.  A trap (a WebAssembly.RuntimeError) is a defect of ours, or a stack that ran out; the
 * instance must not be used after it.
 */
#ifndef ANNEAL_WASM_ANNEAL_WASM_H
#define ANNEAL_WASM_ANNEAL_WASM_H

#include <stddef.h>
#include <stdint.h>

#if defined __wasm__
#define ANNEAL_EXPORT(name) __attribute__((export_name(#name))) name
#else
#define ANNEAL_EXPORT(name) name /* tests/wasm/native.c */
#endif

enum {
    ANNEAL_ABI = 2,                       /* of this header: the wrapper insists on it */
    ANNEAL_PICTURE_PIXELS_MAX = 40000000, /* of one picture: 160 MB as RGBA */
    ANNEAL_TOP_MAX = 1000,
};

struct anneal_model;

int32_t ANNEAL_EXPORT(anneal_abi)(void);

/* ---- memory for what goes in.  16-byte aligned; NULL: none left. */
void *ANNEAL_EXPORT(anneal_alloc)(size_t n);
void ANNEAL_EXPORT(anneal_free)(void *p);

/* ---- the last failure.  NUL-terminated; the code is a stable name of base/err.h
 * ("corrupt_data"). */
const char *ANNEAL_EXPORT(anneal_error_code)(void);
const char *ANNEAL_EXPORT(anneal_error_text)(void);

/* ---- models.  Any number at a time. */
/* From the bytes of a weights file, which are not needed afterwards.  NULL: failure. */
struct anneal_model *ANNEAL_EXPORT(anneal_load)(const void *bytes, size_t n);
void ANNEAL_EXPORT(anneal_unload)(struct anneal_model *m); /* NULL is fine */
/* JSON, as long as the model lives: {"model","title","task","classes":[..],"image_size","fit",
 * "params","bytes","flops","isa"} */
const char *ANNEAL_EXPORT(anneal_describe)(const struct anneal_model *m);

/* ---- running.  Results live until the next run or the end of the model. */
/* What the next runs answer: the `top` most likely classes of a classifier (1..ANNEAL_TOP_MAX); at
 * most `most` boxes (1..300) of at least `confidence` (0.001..1), of which those of one class that
 * overlap more than `iou` (0.01..1) are one.  At first 5, 100, 0.25, 0.7. */
int32_t ANNEAL_EXPORT(anneal_options)(struct anneal_model *m, int32_t top, int32_t most,
                                      double confidence, double iou);
/* Pixels as a canvas gives them: RGBA, 8 bits, rows without padding, not multiplied by alpha. */
int32_t ANNEAL_EXPORT(anneal_run_rgba)(struct anneal_model *m, const uint8_t *rgba, int32_t width,
                                       int32_t height);
/* A finished input [3][image_size][image_size], normalised; floats must be exactly its size. */
int32_t ANNEAL_EXPORT(anneal_run_tensor)(struct anneal_model *m, const float *x, size_t floats);
/* JSON: {"predictions":[..],"map":{"sx","sy","x0","y0"}}, the best first:
 *   classification            {"class","class_id","confidence"}
 *   detection, segmentation   and "box" [x, y, width, height] in pixels of the picture
 *   semantic                  {"class","class_id","share"} of the classes that are there
 * map: input x = picture x * sx + x0. */
const char *ANNEAL_EXPORT(anneal_result)(const struct anneal_model *m);
/* Segmentation: the mask of prediction k; semantic (k is not looked at): the class of each pixel.
 * [image_size][image_size] bytes of the input, which `map` lays over the picture; until the next
 * call.  NULL: another task, or there is no such prediction. */
const uint8_t *ANNEAL_EXPORT(anneal_mask)(struct anneal_model *m, int32_t k);
/* What the network itself gave (a classifier's logits; of each box x0, y0, x1, y1 in pixels of the
 * input, confidence, class), and what it was given: [3][image_size][image_size]. */
const float *ANNEAL_EXPORT(anneal_output)(const struct anneal_model *m);
size_t ANNEAL_EXPORT(anneal_output_floats)(const struct anneal_model *m);
const float *ANNEAL_EXPORT(anneal_input)(const struct anneal_model *m);
size_t ANNEAL_EXPORT(anneal_input_floats)(const struct anneal_model *m);

/* ---- for tests */
/* The n-th allocation from now fails (0: the next one); below 0: none. */
void ANNEAL_EXPORT(anneal_debug_fail_at)(int32_t n);
size_t ANNEAL_EXPORT(anneal_debug_live_bytes)(void);
/* Where the time goes: the table of graph_time_describe, empty at first; notes it from then on. */
const char *ANNEAL_EXPORT(anneal_debug_time)(struct anneal_model *m);

#endif
