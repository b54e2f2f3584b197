/* samples.h - the images of a dataset version, by split, as the loader needs them.
 *
 * Read from manifest.jsonl (spec/dataset.h) line by line: memory grows with the number of images
 * (about 100 bytes and the name of each), not with their boxes or the length of the file.
 */
#ifndef ANNEAL_ENGINE_FEED_SAMPLES_H
#define ANNEAL_ENGINE_FEED_SAMPLES_H

#include "base/arena.h"
#include "spec/dataset.h"

struct sample_ref {
    char sha256[SHA256_HEX + 1];
    int32_t width, height;
    int32_t label; /* -1: none */
    str name;
};
struct samples {
    struct dataset_header header;
    struct sample_ref *of[SPLIT_COUNT];
    size_t n[SPLIT_COUNT]; /* each as stated in the header: a difference is RC_CORRUPT */
};
/* Everything in `a`.  Errors name the line. */
enum rc samples_read(const char *path, struct arena *a, struct samples *ret,
                     struct err *e) must_check;
/* Median of the shorter sides; 0 for none. */
int32_t samples_median_side(const struct sample_ref *s, size_t n, struct arena *a);

#endif
