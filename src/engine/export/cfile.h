/* cfile.h - a program as one C99 file with its header, for machines without an operating system.
 *
 *     void NAME_run(const float *in, float *out);
 *
 * runs one image: in [3][h][w], out the outputs one behind the other, their places in the header.
 * No heap, no files, no library but libm; weights are constants (flash), activations share one
 * static arena that was planned here.  Not re-entrant: one arena.
 *
 * Weights.  Up to CFILE_TEXT_FLOATS_MAX in all they are arrays of numbers, which any compiler
 * reads. More are written as the bytes of little-endian floats in string literals: a compiler takes
 * a fifth of the time and a quarter of the memory for them (3.5 million weights, gcc 12: 4.9 s and
 * 238 MB against 24 s and 925 MB).  The file then refuses to compile for a big-endian machine.
 */
#ifndef ANNEAL_ENGINE_EXPORT_CFILE_H
#define ANNEAL_ENGINE_EXPORT_CFILE_H

#include "engine/export/out_file.h"
#include "engine/export/program.h"

enum { CFILE_NAME_MAX = 48, CFILE_TEXT_FLOATS_MAX = 1 << 18 };

/* A C identifier from any text: what is no letter or digit becomes '_'; "net_" before a digit. */
void cfile_name(str text, char ret[CFILE_NAME_MAX]);
/* The program has passed program_check.  name: from cfile_name.  Appends to both files. */
enum rc cfile_write(const struct program *p, const char *name, struct out_file *source,
                    struct out_file *header, struct err *e) must_check;
/* A program that runs it: `PROGRAM IN OUT` reads images of raw floats and writes the outputs. */
enum rc cfile_write_main(const char *name, const char *header_name, struct out_file *to,
                         struct err *e) must_check;

#endif
