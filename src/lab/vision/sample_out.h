/* sample_out.h - private to the samples: files go to a folder, or into one zip archive. */
#ifndef ANNEAL_LAB_VISION_SAMPLE_OUT_H
#define ANNEAL_LAB_VISION_SAMPLE_OUT_H

#include "base/str.h"

struct sample_out;
/* RC_CONFLICT: the folder has content, or the archive exists. */
enum rc sample_out_open(struct sample_out **ret, const char *target, bool zip,
                        struct err *e) must_check;
/* path: "train/A/00001.png"; its folders are made. */
enum rc sample_out_put(struct sample_out *o, const char *path, str bytes, struct err *e) must_check;
/* Without it (an error on the way) the archive is removed; a folder stays as far as it came. */
enum rc sample_out_finish(struct sample_out *o, int64_t *ret_bytes, struct err *e) must_check;
void sample_out_free(struct sample_out *o); /* NULL is fine */

#endif
