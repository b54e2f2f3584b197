/* onnx.h - programs as ONNX files (onnx.ai; IR version 8, opset 17) and back.
 *
 * An ONNX file is one protocol-buffers message (protobuf.dev/programming-guides/encoding).  Of
 * onnx.proto we need ten messages and forty fields, and writing needs four primitives.  So the
 * bytes are written and read here, rather than through generated code: that is 145 KB of source and
 * a library for what takes two short files, holds every weight twice in memory (a message is built
 * before it is packed; here tensors go straight to the file), and its unpacker allocates what the
 * file's lengths say, where this reader has bounds of its own and a fuzzer.
 *
 * What is written: float32; one input [N, 3, H, W] with N a free dimension ("N"); initialisers as
 * raw little-endian data; constants that operators take as int64 tensors (shapes, ranges) as
 * initialisers named after the operator; texts in metadata_props.  The bytes follow from the
 * program alone: no time, no path.
 *
 * What is read: what we write, and files of others as far as they keep to the operators and forms
 * of program.h; else RC_UNSUPPORTED names the operator and what about it.  A file that contradicts
 * itself is RC_CORRUPT.
 */
#ifndef ANNEAL_ENGINE_EXPORT_ONNX_H
#define ANNEAL_ENGINE_EXPORT_ONNX_H

#include "engine/export/out_file.h"
#include "engine/export/program.h"

enum { ONNX_OPSET = 17, ONNX_IR_VERSION = 8 };
#define ONNX_BYTES_MAX ((size_t)2 << 30) /* the limit of protocol buffers */

/* The program has passed program_check.  Appends to `to`, the caller closes it. */
enum rc onnx_write(const struct program *p, const char *graph_name, struct out_file *to,
                   struct err *e) must_check;
/* A checked program, of its own memory. */
enum rc onnx_read(struct program **ret, str file, struct err *e) must_check;
enum rc onnx_open(struct program **ret, const char *path, struct err *e) must_check;

#endif
