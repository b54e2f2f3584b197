/* export_file.h - a weights file as a file for other programs, verified by running what was
 * written.
 *
 * The export is written beside its name, read back (or compiled) and run on pictures; its outputs
 * are held against those of the checkpoint in the engine.  Only then does it get its name: an
 * export that differs by more than EXPORT_DIFFERENCE_MAX, or could not be written, leaves nothing
 * behind.
 */
#ifndef ANNEAL_ENGINE_BUNDLE_EXPORT_FILE_H
#define ANNEAL_ENGINE_BUNDLE_EXPORT_FILE_H

#include "engine/bundle/model.h"
#include "engine/export/export.h"
#include "engine/export/out_file.h"

enum export_format { EXPORT_ONNX, EXPORT_C, EXPORT_SAFETENSORS };
extern const char *const export_format_names[];  /* "onnx", "c", "safetensors", NULL */
extern const char *const export_format_ending[]; /* ".onnx", ".c", ".safetensors" */

enum { EXPORT_PICTURES_MAX = 1024, EXPORT_GENERATED = 4 };

struct export_order {
    enum export_format format;
    const char *weights; /* a safetensors file that Anneal wrote */
    const char *out;     /* C: ends with .c, its folder gets a header beside it */
    bool pixels;         /* the input is 0..255, not normalised (not for safetensors) */
    const str *pictures; /* encoded; without any EXPORT_GENERATED ones are made of noise */
    size_t pictures_n;
};
struct export_report {
    char network[64], task[32];
    int image_size;
    size_t classes, pictures; /* that were run */
    bool generated;
    const char *verified_by; /* what ran the export: "interpreter", "compiler", "engine" */
    double difference;       /* export.h */
    struct out_file_done file, header; /* header.bytes 0: none */
    char header_path[4096];
};
/* RC_CORRUPT: the export differs, the text says by how much; or a picture that cannot be read. */
enum rc export_file(const struct export_order *o, struct export_report *ret,
                    struct err *e) must_check;

#endif
